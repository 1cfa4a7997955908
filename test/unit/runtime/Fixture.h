//===- Fixture.h - A manifest, and kernels on the stub ----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_TEST_UNIT_RUNTIME_FIXTURE_H
#define MXFP4_TEST_UNIT_RUNTIME_FIXTURE_H

#include "StubDriver.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include <nlohmann/json.hpp>

#include <cstring>

using Json = nlohmann::json;

/// A matmul whose arguments are x, weights, offsets, y, error, rows; with
/// workspace and with tensor maps if asked for.
inline Json matmul(bool workspace = false, bool maps = false) {
  Json manifest = Json::parse(R"({
    "format": "mxfp4-artifact", "version": 4,
    "entry": "mxfp4_grouped_matmul", "target": "sm_90a",
    "problem": {"experts": 3, "groups": 3, "n": 70, "k": 96, "output": "bf16",
                "expert_ids": false, "rows_hint": [1, 64]},
    "weights": {"order": "spread", "scales": "folded"},
    "schedule": {"tile": {"rows": 64, "tokens": 8}},
    "launch": {"block": [128, 1, 1], "cluster": [1, 1, 1],
               "dynamic_shared_bytes": 65536,
               "grid": {"rule": "persistent", "ctas_per_sm": 2}},
    "arguments": [
      {"name": "x", "kind": "pointer", "dtype": "bf16", "align": 16,
       "shape": ["rows", 96], "provider": "caller"},
      {"name": "weights", "kind": "pointer", "dtype": "u8", "align": 16,
       "shape": [3, 2, 2, 2176], "provider": "caller"},
      {"name": "offsets", "kind": "pointer", "dtype": "i32", "align": 4,
       "shape": [4], "provider": "caller"},
      {"name": "y", "kind": "pointer", "dtype": "bf16", "align": 4,
       "shape": ["rows", 70], "provider": "caller"},
      {"name": "error", "kind": "pointer", "dtype": "i32", "align": 4,
       "shape": [1], "provider": "launcher"},
      {"name": "rows", "kind": "i32", "provider": "launcher"}]})");
  Json &arguments = manifest["arguments"];
  if (maps) {
    arguments[0]["kind"] = "tensor_maps";
    arguments[0]["boxes"] = {{64, 8}, {64, 16}};
  }
  if (workspace)
    arguments.insert(arguments.begin() + 5,
                     Json::parse(R"({"name": "workspace", "kind": "pointer",
                       "dtype": "i32", "align": 4, "shape": [2],
                       "provider": "launcher"})"));
  return manifest;
}

inline const char *ptx() {
  return ".version 8.0\n.target sm_90a\n"
         ".visible .entry mxfp4_grouped_matmul(\n) { ret; }\n";
}

struct ArtifactDeleter {
  void operator()(mxfp4rt_artifact *a) const { mxfp4rt_artifact_destroy(a); }
};
struct KernelDeleter {
  void operator()(mxfp4rt_kernel *k) const { mxfp4rt_kernel_destroy(k); }
};
struct DriverDeleter {
  void operator()(mxfp4rt_driver *d) const { mxfp4rt_driver_close(d); }
};
using ArtifactPtr = std::unique_ptr<mxfp4rt_artifact, ArtifactDeleter>;
using KernelPtr = std::unique_ptr<mxfp4rt_kernel, KernelDeleter>;
using DriverPtr = std::unique_ptr<mxfp4rt_driver, DriverDeleter>;

/// The artifact of a manifest; null if it was refused.
inline ArtifactPtr readText(const std::string &text, const char *code = ptx()) {
  mxfp4rt_artifact *artifact = nullptr;
  mxfp4rt_artifact_read(text.data(), text.size(), code, strlen(code), nullptr,
                        0, "the artifact", &artifact);
  return ArtifactPtr(artifact);
}
inline ArtifactPtr read(const Json &manifest) {
  return readText(manifest.dump());
}

/// The stub's streams are numbers, and so are its addresses.
inline void *stream(uint64_t handle) {
  return reinterpret_cast<void *>(handle); // NOLINT(performance-no-int-to-ptr)
}
inline mxfp4rt_value at(uint64_t address) {
  mxfp4rt_value value;
  value.pointer = stream(address);
  return value;
}

/// The map of a number in the first parameter of a launch.
inline StubMap mapAt(const StubLaunch &launch, size_t number) {
  StubMap map;
  std::memcpy(&map, launch.parameters[0].data() + 128 * number, sizeof map);
  return map;
}

/// A driver on the stub.
class RuntimeTest : public testing::Test {
protected:
  StubDriver stub;
  DriverPtr driver;

  void SetUp() override { driver = open(); }

  DriverPtr open() {
    mxfp4rt_driver *opened = nullptr;
    const mxfp4rt_driver_options options = stub.options();
    mxfp4rt_driver_open(&options, &opened);
    return DriverPtr(opened);
  }
  KernelPtr create(const ArtifactPtr &artifact, int device = 0) {
    mxfp4rt_kernel *kernel = nullptr;
    mxfp4rt_kernel_create(driver.get(), artifact.get(), device, &kernel);
    return KernelPtr(kernel);
  }
  /// A kernel of a manifest that must be right; the stub reads parameters of
  /// its sizes.
  KernelPtr create(const Json &manifest, int device = 0) {
    stub.parameterBytes.clear();
    for (const Json &argument : manifest["arguments"])
      stub.parameterBytes.push_back(
          argument["kind"] == "tensor_maps" ? 128 * argument["boxes"].size()
          : argument["kind"] == "i32" || argument["kind"] == "f32" ? 4
                                                                   : 8);
    KernelPtr kernel = create(read(manifest), device);
    EXPECT_TRUE(kernel) << mxfp4rt_last_error();
    return kernel;
  }
};

/// Addresses of x, weights, offsets, y, and room for what the launcher knows.
inline std::vector<mxfp4rt_value> values(uint64_t x = 0x1000) {
  return {at(x),     at(0x2000), at(0x3000), at(0x4000),
          at(0xbad), at(0xbad),  at(0xbad)};
}

#endif // MXFP4_TEST_UNIT_RUNTIME_FIXTURE_H
