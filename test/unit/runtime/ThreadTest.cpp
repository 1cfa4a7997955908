//===- ThreadTest.cpp - Launches by several threads -----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Chains.h"

#include <atomic>
#include <thread>

using testing::ElementsAre;

TEST_F(RuntimeTest, ThreadsDoNotMixTheirArguments) {
  const KernelPtr kernel = create(matmul(true, true));
  constexpr int kThreads = 4, kEach = 300;
  std::atomic<int> failures = 0;
  auto work = [&](int thread) {
    for (int i = 1; i <= kEach; ++i) {
      const int64_t rows = thread * 1000 + i;
      const std::vector<mxfp4rt_value> given = values(16 * uint64_t(rows));
      failures += mxfp4rt_launch(kernel.get(), rows, given.data(),
                                 stream(uint64_t(thread))) != 0;
    }
  };
  std::vector<std::thread> threads;
  for (int i = 1; i <= kThreads; ++i)
    threads.emplace_back(work, i);
  for (std::thread &thread : threads)
    thread.join();
  EXPECT_EQ(failures, 0);
  ASSERT_EQ(stub.launches.size(), size_t(kThreads) * kEach);
  std::map<void *, std::set<uint64_t>> workspaces;
  for (const StubLaunch &launch : stub.launches) {
    const uint64_t rows = launch.number(6);
    EXPECT_EQ(rows / 1000, reinterpret_cast<uint64_t>(launch.stream));
    for (size_t i = 0; i < 2; ++i) {
      EXPECT_EQ(mapAt(launch, i).pointer, 16 * rows);
      EXPECT_EQ(mapAt(launch, i).rows, rows);
    }
    workspaces[launch.stream].insert(launch.number(5));
  }
  std::set<uint64_t> all;
  for (const auto &[on, found] : workspaces) {
    EXPECT_EQ(found.size(), 1U);
    all.insert(found.begin(), found.end());
  }
  EXPECT_EQ(all.size(), size_t(kThreads));
}

// What is loaded, allocated and freed is none of the business of another
// thread, whose capture would break.
TEST_F(RuntimeTest, CapturesOfOtherThreadsGoOn) {
  stub.othersCapture = true;
  {
    const KernelPtr kernel = create(matmul(true));
    const std::vector<mxfp4rt_value> given = values();
    const size_t held = stub.memory.size();
    for (uint64_t on = 1; stub.memory.size() == held && on < 9000; ++on)
      ASSERT_EQ(mxfp4rt_launch(kernel.get(), 9, given.data(), stream(on)), 0)
          << mxfp4rt_last_error();
    EXPECT_GT(stub.memory.size(), held) << "a launch that allocates";
    ChainPtr chain = chainOf(
        {{kernel.get(), 4, given.data()}, {kernel.get(), 5, given.data()}}, {});
    for (int i = 0; i < 2 * kBeforeGraph; ++i)
      ASSERT_EQ(mxfp4rt_chain_launch(chain.get(), nullptr, stream(8)), 0);
    EXPECT_GT(stub.heldGraphs, 0);
    EXPECT_EQ(StubDriver::mode(), 0) << "and the thread's mode is its own";
  }
  EXPECT_TRUE(stub.memory.empty());
  EXPECT_EQ(stub.modules + stub.heldGraphs + stub.streams, 0);
  EXPECT_THAT(stub.broke, ElementsAre());
}
