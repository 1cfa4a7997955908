//===- run.cpp - A compiled kernel, run without Python --------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   run ARTIFACT [ROWS]
//
// Loads an artifact of a grouped matmul, prints what its kernel takes, launches
// it on random data, and checks the result: on the first GPU, or, where there
// is no driver, in the PTX interpreter. On a GPU it also prints the time that
// the host takes for a launch, and for four that are launched by one call, as a
// layer's are.
//
//===----------------------------------------------------------------------===//

#include "Common.h"
#include "Problem.h"

/// The argument of this name.
static mxfp4rt_argument find(const mxfp4rt_artifact *artifact,
                             const char *name) {
  mxfp4rt_argument argument;
  check(mxfp4rt_argument_get(artifact, mxfp4rt_argument_find(artifact, name),
                             &argument));
  return argument;
}

static void describe(const mxfp4rt_artifact *artifact) {
  std::printf(
      "%s for %s, weights %s, arguments:\n", mxfp4rt_artifact_entry(artifact),
      mxfp4rt_artifact_target(artifact), mxfp4rt_artifact_layout(artifact));
  for (int i = 0; i < mxfp4rt_argument_count(artifact); ++i) {
    mxfp4rt_argument argument;
    check(mxfp4rt_argument_get(artifact, i, &argument));
    std::printf("  %-10s %4s [", argument.name, argument.dtype);
    for (uint32_t j = 0; j < argument.rank; ++j) {
      std::printf("%s", j ? ", " : "");
      if (argument.shape[j] == MXFP4RT_ROWS)
        std::printf("rows");
      else
        std::printf("%lld", static_cast<long long>(argument.shape[j]));
    }
    std::printf("]%s\n", argument.from_caller ? "" : " of the launcher");
  }
}

int main(int argc, char **argv) {
  if (argc < 2 || argc > 3) {
    std::fprintf(stderr, "usage: run ARTIFACT [ROWS]\n");
    return 2;
  }
  mxfp4rt_artifact *artifact = nullptr;
  check(mxfp4rt_artifact_load(argv[1], &artifact));
  describe(artifact);

  mxfp4rt_driver *driver = nullptr;
  const std::string library = openDriver(driver);
  mxfp4rt_device device;
  check(mxfp4rt_device_get(driver, 0, &device));
  mxfp4rt_kernel *kernel = nullptr;
  check(mxfp4rt_kernel_create(driver, artifact, 0, &kernel));

  const int64_t rows = argc > 2 ? std::atoll(argv[2]) : 16;
  const Problem problem(rows, find(artifact, "weights").shape[0],
                        find(artifact, "y").shape[1],
                        find(artifact, "x").shape[1]);
  Memory memory(library);
  std::vector<uint16_t> result(size_t(rows * problem.n), 0x7fc0);
  void *const y = memory.upload(result);
  const mxfp4rt_binding given[] = {
      {"x", {memory.upload(problem.x)}},
      {"weights", {memory.upload(problem.pack(layoutOf(artifact)))}},
      {"offsets", {memory.upload(problem.offsets)}},
      {"y", {y}}};
  mxfp4rt_value values[MXFP4RT_MOST_ARGUMENTS];
  check(mxfp4rt_bind(artifact, given, 4, values));
  check(mxfp4rt_launch(kernel, rows, values, nullptr));
  int32_t word = 0;
  check(mxfp4rt_error_word(kernel, 1, &word));
  memory.download(result, y);
  const int64_t wrong = problem.wrongRows(result);
  std::printf("%s: %lld of %lld rows are right, error word %d\n", device.name,
              static_cast<long long>(rows - wrong),
              static_cast<long long>(rows), word);

  if (library != INTERPRETER) {
    const mxfp4rt_call call = {kernel, rows, values};
    const mxfp4rt_call layer[] = {call, call, call, call};
    std::printf(
        "host: %.2f us a launch, %.2f us for four by one call\n",
        hostTime(memory,
                 [&] { check(mxfp4rt_launch(kernel, rows, values, nullptr)); }),
        hostTime(memory,
                 [&] { check(mxfp4rt_launch_all(layer, 4, nullptr)); }));
    memory.synchronize();
  }
  mxfp4rt_kernel_destroy(kernel);
  mxfp4rt_artifact_destroy(artifact);
  mxfp4rt_driver_close(driver);
  return wrong || word ? 1 : 0;
}
