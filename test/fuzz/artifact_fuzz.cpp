//===- artifact_fuzz.cpp - Fuzz the runtime's reader of manifests ---------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Any manifest is refused in a sentence or gives a kernel, which is then loaded
// and launched on a driver that writes down what it is asked.
//
//===----------------------------------------------------------------------===//

#include "../unit/runtime/StubDriver.h"

#include <cstdlib>

namespace {

void expect(bool holds) {
  if (!holds)
    std::abort();
}

/// Addresses that fit every alignment.
std::vector<mxfp4rt_value> bind(const mxfp4rt_artifact *artifact) {
  std::vector<mxfp4rt_binding> given;
  for (int i = 0; i < mxfp4rt_argument_count(artifact); ++i) {
    mxfp4rt_argument argument;
    expect(mxfp4rt_argument_get(artifact, i, &argument) == MXFP4RT_OK);
    expect(mxfp4rt_argument_find(artifact, argument.name) == i);
    if (!argument.from_caller)
      continue;
    mxfp4rt_binding binding = {argument.name, {}};
    binding.value.i64 = int64_t(1) << 40;
    given.push_back(binding);
  }
  std::vector<mxfp4rt_value> values(MXFP4RT_MOST_ARGUMENTS);
  expect(mxfp4rt_bind(artifact, given.data(), given.size(), values.data()) ==
         MXFP4RT_OK);
  return values;
}

void launch(const mxfp4rt_artifact *artifact) {
  StubDriver stub;
  const mxfp4rt_driver_options options = stub.options();
  mxfp4rt_driver *driver = nullptr;
  mxfp4rt_kernel *kernel = nullptr;
  expect(mxfp4rt_driver_open(&options, &driver) == MXFP4RT_OK);
  if (mxfp4rt_kernel_create(driver, artifact, 0, &kernel) == MXFP4RT_OK) {
    const std::vector<mxfp4rt_value> values = bind(artifact);
    for (const int64_t rows :
         {int64_t(0), int64_t(1), mxfp4rt_artifact_rows(artifact).most})
      expect(mxfp4rt_launch(kernel, rows, values.data(), nullptr) ==
             MXFP4RT_OK);
    mxfp4rt_kernel_destroy(kernel);
  } else {
    expect(*mxfp4rt_last_error() != '\0');
  }
  expect(stub.memory.empty() && stub.modules == 0 && stub.retained == 0);
  mxfp4rt_driver_close(driver);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const std::string code = ".visible .entry kernel(\n)";
  mxfp4rt_artifact *artifact = nullptr;
  if (mxfp4rt_artifact_read(reinterpret_cast<const char *>(data), size,
                            code.data(), code.size(), nullptr, 0, nullptr,
                            &artifact) != MXFP4RT_OK) {
    expect(*mxfp4rt_last_error() != '\0');
    return 0;
  }
  launch(artifact);
  mxfp4rt_artifact_destroy(artifact);
  return 0;
}
