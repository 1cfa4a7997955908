//===- WorkspaceTest.cpp - Launches that may overlap share no workspace ---===//
//-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Fixture.h"

using testing::HasSubstr;

TEST_F(RuntimeTest, AStreamKeepsItsWorkspaceAndSharesItWithNoOther) {
  const KernelPtr kernel = create(matmul(true));
  auto workspace = [&](uint64_t on) {
    EXPECT_EQ(mxfp4rt_launch(kernel.get(), 9, values().data(), stream(on)), 0)
        << mxfp4rt_last_error();
    const uint64_t address = stub.launches.back().number(5);
    EXPECT_TRUE(stub.isClear(address));
    EXPECT_EQ(address % 8, 0U);
    return address;
  };
  const uint64_t first = workspace(5), second = workspace(6);
  EXPECT_NE(first, second);
  EXPECT_EQ(workspace(5), first);
  EXPECT_EQ(workspace(6), second);
}

TEST_F(RuntimeTest, EachCapturedLaunchHasAWorkspaceOfItsOwn) {
  const KernelPtr kernel = create(matmul(true));
  const std::vector<mxfp4rt_value> given = values();
  std::set<uint64_t> seen;
  auto launch = [&](uint64_t on) {
    const mxfp4rt_status status =
        mxfp4rt_launch(kernel.get(), 9, given.data(), stream(on));
    if (status == MXFP4RT_OK) {
      const uint64_t address = stub.launches.back().number(5);
      EXPECT_TRUE(seen.insert(address).second);
      EXPECT_TRUE(stub.isClear(address));
    }
    return status;
  };
  launch(5);
  stub.capturing = {stream(5)};
  const size_t held = stub.memory.size();
  while (launch(5) == MXFP4RT_OK)
    ASSERT_LE(seen.size(), 8192U);
  EXPECT_EQ(seen.size(), 8192U);
  EXPECT_EQ(stub.memory.size(), held) << "nothing is allocated in a capture";
  EXPECT_THAT(mxfp4rt_last_error(),
              HasSubstr("(1024 are sure to be possible); launch it once "
                        "between captures"));
  // A plain launch makes room.
  stub.capturing.clear();
  launch(6);
  stub.capturing = {stream(5)};
  for (int i = 0; i < 1024; ++i)
    ASSERT_EQ(launch(5), MXFP4RT_OK);
}

// Kernels that bring rows have workspaces of 4112 bytes. However many chunks
// streams have used up before, a graph of 256 layers can be captured.
TEST_F(RuntimeTest, GraphsOfManyLayersHaveRoomForLargeWorkspaces) {
  Json manifest = matmul(true);
  manifest["arguments"][5]["shape"] = {1028};
  const std::vector<mxfp4rt_value> given = values();
  for (const int streams : {1, 255, 256, 257, 448, 512, 513}) {
    const KernelPtr kernel = create(manifest);
    stub.capturing.clear();
    auto launch = [&](uint64_t on) {
      return mxfp4rt_launch(kernel.get(), 9, given.data(), stream(on));
    };
    for (int on = 1; on <= streams; ++on)
      ASSERT_EQ(launch(on), MXFP4RT_OK) << mxfp4rt_last_error();
    stub.capturing = {stream(5)};
    for (int layer = 0; layer < 256; ++layer)
      ASSERT_EQ(launch(5), MXFP4RT_OK)
          << streams << " " << layer << " " << mxfp4rt_last_error();
  }
}

// But never fewer than 512 workspaces or more than 8192; 12 bytes take 16.
TEST_F(RuntimeTest, MemoryIsTakenInPiecesOfOneMebibyte) {
  struct Case {
    int elements;
    size_t bytes;
  };
  for (const Case &c :
       {Case{2, 8 * 8192}, Case{3, 16 * 8192}, Case{64, 1 << 20},
        Case{256, 1 << 20}, Case{1028, 4112 * 512}}) {
    Json manifest = matmul(true);
    manifest["arguments"][5]["shape"] = {c.elements};
    const KernelPtr kernel = create(manifest);
    size_t most = 0;
    for (const auto &[address, bytes] : stub.memory)
      most = std::max(most, bytes.size());
    EXPECT_EQ(most, c.bytes) << c.elements;
  }
}

TEST_F(RuntimeTest, LargeWorkspacesAreApart) {
  Json manifest = matmul(true);
  manifest["arguments"][5]["shape"] = {100, 3};
  manifest["arguments"][5]["align"] = 128;
  EXPECT_EQ(mxfp4rt_artifact_workspace(read(manifest).get()), 1200U);
  const KernelPtr kernel = create(manifest);
  std::set<uint64_t> seen;
  for (uint64_t on = 1; on < 40; ++on) {
    ASSERT_EQ(mxfp4rt_launch(kernel.get(), 9, values().data(), stream(on)), 0);
    seen.insert(stub.launches.back().number(5));
  }
  uint64_t last = 0;
  for (const uint64_t address : seen) {
    EXPECT_GE(address - last, 1200U);
    EXPECT_EQ((address - *seen.begin()) % 128, 0U);
    last = address;
  }
}
