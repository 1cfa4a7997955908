//===- DriverTest.cpp - Drivers and devices that do not do ----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Fixture.h"

#include <algorithm>

using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

TEST_F(RuntimeTest, DevicesAreDescribed) {
  ASSERT_TRUE(driver) << mxfp4rt_last_error();
  int version = 0, count = 0, ordinal = -1;
  ASSERT_EQ(mxfp4rt_driver_version(driver.get(), &version), 0);
  EXPECT_EQ(version, 13010);
  ASSERT_EQ(mxfp4rt_device_count(driver.get(), &count), 0);
  EXPECT_EQ(count, 2);
  ASSERT_EQ(mxfp4rt_device_of(driver.get(), stream(0x1000), &ordinal), 0);
  EXPECT_EQ(ordinal, 1);
  mxfp4rt_device device;
  ASSERT_EQ(mxfp4rt_device_get(driver.get(), 1, &device), 0);
  EXPECT_EQ(device.name, std::string(255, 'B')) << "as much as there is room";
  EXPECT_EQ(device.chip, 90);
  EXPECT_EQ(device.multiprocessors, 132);
  EXPECT_EQ(device.shared_bytes_per_cta, 232448);
  EXPECT_EQ(device.shared_bytes_per_multiprocessor, 233472);
  mxfp4rt_device_speed speed;
  ASSERT_EQ(mxfp4rt_device_get_speed(driver.get(), 1, &speed), 0);
  EXPECT_EQ(speed.clock, 1980000);
  EXPECT_EQ(speed.memory_clock, 3201000);
  EXPECT_EQ(speed.memory_bus_bits, 6144);
  EXPECT_EQ(speed.l2_bytes, 60 << 20);
  for (const int wrong : {-1, 2}) {
    EXPECT_EQ(mxfp4rt_device_get_speed(driver.get(), wrong, &speed),
              MXFP4RT_UNSUPPORTED);
    EXPECT_EQ(mxfp4rt_device_get(driver.get(), wrong, &device),
              MXFP4RT_UNSUPPORTED);
    EXPECT_EQ(std::string(mxfp4rt_last_error()),
              "device " + std::to_string(wrong) +
                  " does not exist; this machine has 2.");
  }
}

TEST(RuntimeDriver, ALibraryThatIsNotThereIsASentence) {
  mxfp4rt_driver_options options = {"libno-such-driver.so", nullptr, nullptr};
  mxfp4rt_driver *driver = nullptr;
  EXPECT_EQ(mxfp4rt_driver_open(&options, &driver), MXFP4RT_UNSUPPORTED);
  EXPECT_THAT(mxfp4rt_last_error(),
              StartsWith("the CUDA driver could not be loaded "
                         "(libno-such-driver.so: cannot open shared object"));
  EXPECT_EQ(driver, nullptr);
}

TEST(RuntimeDriver, FunctionsComeFromTheLibraryThatIsNamed) {
  mxfp4rt_driver_options options = {MXFP4_STUB_CUDA, nullptr, nullptr};
  mxfp4rt_driver *opened = nullptr;
  ASSERT_EQ(mxfp4rt_driver_open(&options, &opened), 0) << mxfp4rt_last_error();
  const DriverPtr driver(opened);
  int version = 0;
  ASSERT_EQ(mxfp4rt_driver_version(opened, &version), 0);
  EXPECT_EQ(version, 13000);
  mxfp4rt_kernel *created = nullptr;
  ASSERT_EQ(mxfp4rt_kernel_create(opened, read(matmul()).get(), 0, &created), 0)
      << mxfp4rt_last_error();
  const KernelPtr kernel(created);
  EXPECT_EQ(mxfp4rt_launch(created, 9, values().data(), nullptr), 0)
      << mxfp4rt_last_error();
}

TEST_F(RuntimeTest, ADriverThatDoesNotStart) {
  stub.failing["cuInit"] = 100;
  EXPECT_FALSE(open());
  EXPECT_STREQ(mxfp4rt_last_error(), "the CUDA driver did not start (error "
                                     "100); is there a GPU?");
}

TEST_F(RuntimeTest, ADriverThatLacksAFunctionIsTooOld) {
  for (const std::string &name : stub.functions()) {
    stub.missing = {name};
    EXPECT_FALSE(open());
    const std::string plain = name.substr(0, name.find("_v2"));
    EXPECT_EQ(std::string(mxfp4rt_last_error()),
              "the CUDA driver has no " + plain +
                  "; install one for CUDA 12.0 or newer.");
  }
}

// Whatever fails, the sentence says so, and what was taken is given back.
TEST_F(RuntimeTest, FailuresOfTheDriverLeaveNothingBehind) {
  const ArtifactPtr artifact = read(matmul(true, true));
  const std::set<std::string> gives = {
      "cuCtxPushCurrent", "cuCtxPopCurrent",           "cuMemFree",
      "cuModuleUnload",   "cuDevicePrimaryCtxRelease", "cuStreamDestroy"};
  int seen = 0;
  for (const std::string &symbol : stub.functions()) {
    const std::string name = symbol.substr(0, symbol.find("_v2"));
    if (gives.count(name))
      continue;
    stub.failing = {{name, 999}};
    KernelPtr kernel = create(artifact);
    const std::vector<mxfp4rt_value> given = values();
    int32_t word = 0;
    if (!kernel || mxfp4rt_launch(kernel.get(), 9, given.data(), nullptr) ||
        mxfp4rt_error_word(kernel.get(), 1, &word)) {
      ++seen;
      EXPECT_THAT(mxfp4rt_last_error(), HasSubstr(name + " failed: "));
      EXPECT_THAT(mxfp4rt_last_error(), HasSubstr("(CUDA error 999)"));
    }
    stub.failing.clear();
    kernel.reset();
    EXPECT_EQ(StubDriver::depth(), 0U) << name;
    EXPECT_EQ(stub.retained, 0) << name;
    EXPECT_EQ(stub.modules, 0) << name;
    EXPECT_TRUE(stub.memory.empty()) << name;
    EXPECT_EQ(stub.streams, 0) << name;
    EXPECT_EQ(StubDriver::mode(), 0) << name;
  }
  // All but those that give back, the mode beside captures, and five that
  // neither calls.
  EXPECT_EQ(size_t(seen), stub.functions().size() - gives.size() - 6);
}

TEST_F(RuntimeTest, WhatWasHeldIsGivenBack) {
  {
    const KernelPtr kernel = create(matmul(true));
  }
  EXPECT_EQ(stub.retained, 0);
  EXPECT_EQ(stub.modules, 0);
  EXPECT_TRUE(stub.memory.empty());
  mxfp4rt_kernel_destroy(nullptr);
  mxfp4rt_artifact_destroy(nullptr);
  mxfp4rt_driver_close(nullptr);
}

TEST_F(RuntimeTest, TheWrongDevice) {
  stub.chip = 80;
  EXPECT_FALSE(create(read(matmul())));
  EXPECT_STREQ(mxfp4rt_last_error(),
               "the artifact was compiled for sm_90a, but "
               "device 0 is sm_80; compile it for this "
               "device.");
  stub.chip = 89;
  EXPECT_FALSE(create(read(matmul())));
  EXPECT_THAT(mxfp4rt_last_error(), HasSubstr("device 0 is sm_89"));
  mxfp4rt_device device;
  ASSERT_EQ(mxfp4rt_device_get(driver.get(), 0, &device), 0);
  EXPECT_EQ(device.chip, 89);
  stub.chip = 90;
  Json big = matmul();
  big["launch"]["dynamic_shared_bytes"] = 300000;
  EXPECT_FALSE(create(read(big)));
  EXPECT_THAT(mxfp4rt_last_error(),
              HasSubstr("needs 300000 bytes of shared memory a block, but "
                        "device 0 has 232448"));
  big["launch"]["dynamic_shared_bytes"] = 232448;
  EXPECT_TRUE(create(read(big))) << mxfp4rt_last_error();
  Json unknown = matmul();
  unknown["arguments"].push_back(
      {{"name", "counters"}, {"kind", "i32"}, {"provider", "launcher"}});
  EXPECT_FALSE(create(read(unknown)));
  EXPECT_THAT(mxfp4rt_last_error(),
              HasSubstr("expects its launcher to provide counters, which this "
                        "version of mxfp4 does not know"));
}

TEST_F(RuntimeTest, TheCubinIsTriedBeforeThePtx) {
  const std::string text = matmul().dump(), code = ptx();
  const std::string cubin = "\x7f"
                            "ELF code";
  mxfp4rt_artifact *artifact = nullptr;
  ASSERT_EQ(mxfp4rt_artifact_read(text.data(), text.size(), code.data(),
                                  code.size(), cubin.data(), cubin.size(),
                                  "the artifact", &artifact),
            0);
  const ArtifactPtr both(artifact);
  EXPECT_TRUE(create(both));
  EXPECT_THAT(stub.images, ElementsAre("cubin"));
  stub.cubinFits = false;
  stub.images.clear();
  EXPECT_TRUE(create(both));
  EXPECT_THAT(stub.images, ElementsAre("cubin", code));
  stub.failing["cuModuleLoadData"] = 218;
  EXPECT_FALSE(create(both));
  EXPECT_STREQ(mxfp4rt_last_error(),
               "the artifact could not be loaded: cuModuleLoadData failed: a "
               "text of the driver (CUDA error 218). Then: cuModuleLoadData "
               "failed: a text of the driver (CUDA error 218).");
}

// Everything else is there, so that what is null would be used.
TEST_F(RuntimeTest, NullsAreSentences) {
  const ArtifactPtr artifact = read(matmul());
  const KernelPtr kernel = create(artifact);
  const std::vector<mxfp4rt_value> some = values();
  const std::string text = matmul().dump(), code = ptx();
  const mxfp4rt_call call = {kernel.get(), 4, some.data()};
  mxfp4rt_kernel *created = nullptr;
  mxfp4rt_artifact *loaded = nullptr;
  mxfp4rt_chain *chain = nullptr;
  mxfp4rt_device device;
  mxfp4rt_device_speed speed;
  mxfp4rt_argument argument;
  mxfp4rt_value bound[MXFP4RT_MOST_ARGUMENTS];
  int number = 0;
  int32_t word = 0;
  auto said = [](mxfp4rt_status status) -> std::string {
    return status == MXFP4RT_INVALID ? mxfp4rt_last_error() : "";
  };
  const std::pair<std::string, const char *> all[] = {
      {said(mxfp4rt_driver_open(nullptr, nullptr)), "the place for the driver"},
      {said(mxfp4rt_driver_version(nullptr, &number)), "the driver"},
      {said(mxfp4rt_driver_version(driver.get(), nullptr)),
       "the place for the version"},
      {said(mxfp4rt_device_count(nullptr, &number)), "the driver"},
      {said(mxfp4rt_device_count(driver.get(), nullptr)),
       "the place for the count"},
      {said(mxfp4rt_device_get(nullptr, 0, &device)), "the driver"},
      {said(mxfp4rt_device_get(driver.get(), 0, nullptr)),
       "the place for the device"},
      {said(mxfp4rt_device_get_speed(nullptr, 0, &speed)), "the driver"},
      {said(mxfp4rt_device_get_speed(driver.get(), 0, nullptr)),
       "the place for the speed"},
      {said(mxfp4rt_device_of(nullptr, &number, &number)), "the driver"},
      {said(mxfp4rt_device_of(driver.get(), &number, nullptr)),
       "the place for the ordinal"},
      {said(mxfp4rt_artifact_load(nullptr, &loaded)), "the artifact's folder"},
      {said(mxfp4rt_artifact_load("/", nullptr)), "the place for the artifact"},
      {said(mxfp4rt_artifact_read(nullptr, 0, code.data(), code.size(), nullptr,
                                  0, nullptr, &loaded)),
       "the manifest's text"},
      {said(mxfp4rt_artifact_read(text.data(), text.size(), nullptr, 0, nullptr,
                                  0, nullptr, &loaded)),
       "the PTX"},
      {said(mxfp4rt_artifact_read(text.data(), text.size(), code.data(),
                                  code.size(), nullptr, 0, nullptr, nullptr)),
       "the place for the artifact"},
      {said(mxfp4rt_argument_get(nullptr, 0, &argument)), "the artifact"},
      {said(mxfp4rt_argument_get(artifact.get(), 0, nullptr)),
       "the place for the argument"},
      {said(mxfp4rt_bind(nullptr, nullptr, 0, bound)), "the artifact"},
      {said(mxfp4rt_bind(artifact.get(), nullptr, 0, nullptr)),
       "the place for the values"},
      {said(mxfp4rt_bind(artifact.get(), nullptr, 1, bound)),
       "the list of bindings"},
      {said(mxfp4rt_kernel_create(nullptr, artifact.get(), 0, &created)),
       "the driver"},
      {said(mxfp4rt_kernel_create(driver.get(), nullptr, 0, &created)),
       "the artifact"},
      {said(mxfp4rt_kernel_create(driver.get(), artifact.get(), 0, nullptr)),
       "the place for the kernel"},
      {said(mxfp4rt_launch(nullptr, 1, some.data(), nullptr)), "the kernel"},
      {said(mxfp4rt_launch(kernel.get(), 1, nullptr, nullptr)),
       "the list of values"},
      {said(mxfp4rt_launch_all(nullptr, 1, nullptr)), "the list of calls"},
      {said(mxfp4rt_chain_create(nullptr, 1, nullptr, 0, &chain)),
       "the list of calls"},
      {said(mxfp4rt_chain_create(&call, 1, nullptr, 1, &chain)),
       "the list of places"},
      {said(mxfp4rt_error_word(nullptr, 1, &word)), "the kernel"},
      {said(mxfp4rt_error_word(kernel.get(), 1, nullptr)),
       "the place for the error word"}};
  for (const auto &[sentence, what] : all)
    EXPECT_EQ(sentence, std::string(what) + " is null.");
}

TEST_F(RuntimeTest, RowsOutOfRange) {
  const KernelPtr kernel = create(matmul());
  for (const int64_t rows : {int64_t(-1), int64_t(1) << 31, INT64_MAX}) {
    EXPECT_EQ(mxfp4rt_launch(kernel.get(), rows, values().data(), nullptr),
              MXFP4RT_INVALID);
    EXPECT_THAT(mxfp4rt_last_error(),
                HasSubstr("rows must be 0 to 2147483647 for this kernel, got " +
                          std::to_string(rows)));
  }
  EXPECT_EQ(mxfp4rt_launch(kernel.get(), 2147483647, values().data(), nullptr),
            0);
}

TEST(RuntimeAbi, IsThatOfTheHeader) {
  EXPECT_EQ(mxfp4rt_abi_version(), MXFP4RT_ABI_VERSION);
}
