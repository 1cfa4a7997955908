//===- ChainTest.cpp - Launches by one call and by several threads --------===//
//-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Fixture.h"

#include <algorithm>
#include <atomic>
#include <thread>

using testing::ElementsAre;
using testing::HasSubstr;

TEST_F(RuntimeTest, AChainIsLaunchedInOrderInOneContext) {
  const KernelPtr first = create(matmul(true)), second = create(matmul(true));
  const std::vector<mxfp4rt_value> one = values(0x1000), two = values(0x5000);
  const mxfp4rt_call chain[] = {{first.get(), 4, one.data()},
                                {second.get(), 5, two.data()},
                                {first.get(), 0, two.data()},
                                {first.get(), 6, two.data()}};
  stub.calls.clear();
  ASSERT_EQ(mxfp4rt_launch_all(chain, 4, stream(8)), 0);
  EXPECT_THAT(stub.calls, ElementsAre("cuCtxGetCurrent", "cuCtxPushCurrent",
                                      "cuStreamIsCapturing", "cuStreamGetId",
                                      "cuLaunchKernelEx", "cuLaunchKernelEx",
                                      "cuLaunchKernelEx", "cuCtxPopCurrent"));
  ASSERT_EQ(stub.launches.size(), 3U);
  const uint64_t rows[] = {4, 5, 6}, xs[] = {0x1000, 0x5000, 0x5000};
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(stub.launches[i].number(6), rows[i]);
    EXPECT_EQ(stub.launches[i].number(0), xs[i]);
    EXPECT_EQ(stub.launches[i].stream, stream(8));
  }
  EXPECT_NE(stub.launches[0].number(5), stub.launches[1].number(5));
  EXPECT_EQ(stub.launches[0].number(5), stub.launches[2].number(5));
  EXPECT_EQ(mxfp4rt_launch_all(nullptr, 0, nullptr), 0);
}

TEST_F(RuntimeTest, AChainIsCheckedBeforeItsFirstLaunch) {
  const KernelPtr kernel = create(matmul()), other = create(matmul(), 1);
  const std::vector<mxfp4rt_value> good = values(), bad = values(0x1008);
  mxfp4rt_call chain[] = {{kernel.get(), 4, good.data()},
                          {kernel.get(), 4, bad.data()}};
  EXPECT_EQ(mxfp4rt_launch_all(chain, 2, nullptr), MXFP4RT_INVALID);
  EXPECT_THAT(mxfp4rt_last_error(), HasSubstr("x must be aligned to 16 bytes, "
                                              "got address 0x1008"));
  chain[1] = {other.get(), 4, good.data()};
  EXPECT_EQ(mxfp4rt_launch_all(chain, 2, nullptr), MXFP4RT_INVALID);
  EXPECT_THAT(mxfp4rt_last_error(), HasSubstr("call 1 is on another device"));
  chain[1] = {nullptr, 4, good.data()};
  EXPECT_EQ(mxfp4rt_launch_all(chain, 2, nullptr), MXFP4RT_INVALID);
  chain[1] = {kernel.get(), 4, nullptr};
  EXPECT_EQ(mxfp4rt_launch_all(chain, 2, nullptr), MXFP4RT_INVALID);
  EXPECT_TRUE(stub.launches.empty());
}

/// A kernel that reads what is older than the kernel ahead of it.
static Json readsAhead() {
  Json manifest = matmul(true);
  manifest["launch"]["ahead"] = {"offsets", "weights"};
  return manifest;
}

/// Values of a matmul whose weights lie behind all else.
static std::vector<mxfp4rt_value> valuesApart() {
  std::vector<mxfp4rt_value> some = values();
  some[1] = at(0x100000);
  return some;
}

// A kernel that reads before it waits begins early behind a kernel that has
// waited, and nowhere else: kernels further ahead have ended then.
TEST_F(RuntimeTest, WhatReadsAheadBeginsEarlyBehindAKernelThatWaits) {
  Json old = matmul(true);
  old["version"] = 3;
  const KernelPtr any = create(old), late = create(matmul(true)),
                  ahead = create(readsAhead());
  const std::vector<mxfp4rt_value> some = valuesApart();
  ASSERT_EQ(mxfp4rt_launch(ahead.get(), 4, some.data(), nullptr), 0);
  const mxfp4rt_call calls[] = {
      {ahead.get(), 4, some.data()}, {any.get(), 4, some.data()},
      {ahead.get(), 4, some.data()}, {late.get(), 4, some.data()},
      {any.get(), 0, some.data()},   {ahead.get(), 4, some.data()},
      {ahead.get(), 4, some.data()}};
  ASSERT_EQ(mxfp4rt_launch_all(calls, 7, nullptr), 0);
  std::vector<int> early;
  early.reserve(stub.launches.size());
  for (const StubLaunch &launch : stub.launches)
    early.push_back(launch.attributeValue);
  EXPECT_THAT(early, ElementsAre(0, 0, 1, 0, 1, 1, 1));
}

/// A kernel that is no matmul, such as a sort, and may store in all that it
/// gets.
static Json routing() {
  Json manifest = matmul(true);
  manifest["operation"] = "sort_by_expert";
  manifest.erase("weights");
  return manifest;
}

// What is read early must be older. Behind a kernel that stores in it, such as
// a sort of the offsets, the kernel that reads it begins late.
TEST_F(RuntimeTest, WhatReadsAheadWaitsForAKernelThatStoresInIt) {
  const KernelPtr sort = create(routing()), gateUp = create(matmul(true)),
                  down = create(readsAhead());
  const std::vector<mxfp4rt_value> some = valuesApart();
  std::vector<mxfp4rt_value> other = some, inside = some, beside = some;
  other[2] = other[3] = at(0x8000);
  other[1] = at(0x200000);
  // The output of four rows of 140 bytes ends within the offsets, and where
  // they begin.
  inside[3] = at(0x3000 - 556);
  beside[3] = at(0x3000 - 560);
  const auto early = [&](const std::vector<mxfp4rt_call> &calls) {
    stub.launches.clear();
    EXPECT_EQ(mxfp4rt_launch_all(calls.data(), calls.size(), nullptr), 0);
    return stub.launches.back().attributeValue;
  };
  const mxfp4rt_call last = {down.get(), 4, some.data()};
  EXPECT_EQ(early({{sort.get(), 4, some.data()}, last}), 0);
  EXPECT_EQ(early({{sort.get(), 4, other.data()}, last}), 1);
  EXPECT_EQ(early({{gateUp.get(), 4, some.data()}, last}), 1);
  EXPECT_EQ(early({{gateUp.get(), 4, inside.data()}, last}), 0);
  EXPECT_EQ(early({{gateUp.get(), 4, beside.data()}, last}), 1);
  // Further ahead it has ended.
  EXPECT_EQ(
      early(
          {{sort.get(), 4, some.data()}, {gateUp.get(), 4, some.data()}, last}),
      1);
  // What launches nothing stores nothing.
  EXPECT_EQ(early({{gateUp.get(), 4, other.data()},
                   {sort.get(), 0, some.data()},
                   last}),
            1);
}

struct ChainDeleter {
  void operator()(mxfp4rt_chain *c) const { mxfp4rt_chain_destroy(c); }
};
using ChainPtr = std::unique_ptr<mxfp4rt_chain, ChainDeleter>;

static ChainPtr chainOf(const std::vector<mxfp4rt_call> &calls,
                        const std::vector<mxfp4rt_place> &places) {
  mxfp4rt_chain *chain = nullptr;
  mxfp4rt_chain_create(calls.data(), calls.size(), places.data(), places.size(),
                       &chain);
  return ChainPtr(chain);
}

TEST_F(RuntimeTest, AKeptChainTakesOtherAddresses) {
  const KernelPtr first = create(matmul(true)), second = create(matmul(true));
  ChainPtr chain;
  {
    // What is kept is a copy, without what launches give.
    std::vector<mxfp4rt_value> one = values(0x1000), two = values(0x5000);
    one[0] = two[3] = one[3] = at(0);
    chain =
        chainOf({{first.get(), 4, one.data()}, {second.get(), 5, two.data()}},
                {{0, 0, 0}, {1, 3, 1}, {0, 3, 1}});
  }
  ASSERT_TRUE(chain) << mxfp4rt_last_error();
  for (const uint64_t base : {0x2000U, 0x7000U}) {
    void *const given[] = {stream(base), stream(base + 0x100)};
    stub.calls.clear();
    stub.launches.clear();
    ASSERT_EQ(mxfp4rt_chain_launch(chain.get(), given, stream(8)), 0);
    EXPECT_THAT(stub.calls, ElementsAre("cuCtxGetCurrent", "cuCtxPushCurrent",
                                        "cuStreamIsCapturing", "cuStreamGetId",
                                        "cuLaunchKernelEx", "cuLaunchKernelEx",
                                        "cuCtxPopCurrent"));
    ASSERT_EQ(stub.launches.size(), 2U);
    EXPECT_EQ(stub.launches[0].number(0), base);
    EXPECT_EQ(stub.launches[0].number(3), base + 0x100);
    EXPECT_EQ(stub.launches[0].number(6), 4U);
    EXPECT_EQ(stub.launches[1].number(0), 0x5000U);
    EXPECT_EQ(stub.launches[1].number(3), base + 0x100);
    EXPECT_EQ(stub.launches[1].number(6), 5U);
  }
  EXPECT_EQ(mxfp4rt_chain_launch(chainOf({}, {}).get(), nullptr, nullptr), 0);
}

/// Launches of a chain before it launches a graph.
constexpr int kBeforeGraph = 8;

TEST_F(RuntimeTest, AGraphHasFullEdgesWhereNothingBeginsEarly) {
  Json old = matmul(true);
  old["version"] = 3;
  const KernelPtr any = create(old), ahead = create(readsAhead());
  const std::vector<mxfp4rt_value> some = valuesApart();
  ChainPtr chain = chainOf({{any.get(), 4, some.data()},
                            {ahead.get(), 4, some.data()},
                            {ahead.get(), 4, some.data()}},
                           {});
  for (int i = 1; i <= kBeforeGraph; ++i) {
    stub.launches.clear();
    ASSERT_EQ(mxfp4rt_chain_launch(chain.get(), nullptr, stream(8)), 0);
    ASSERT_EQ(stub.launches.size(), 3U);
    EXPECT_EQ(stub.launches[1].attributeValue, 0);
    EXPECT_EQ(stub.launches[2].attributeValue, 1);
  }
  EXPECT_EQ(stub.calls[stub.calls.size() - 2], "cuGraphLaunch");
}

// The edges of a graph follow from addresses, which change from launch to
// launch.
TEST_F(RuntimeTest, AGraphBeginsLateWhereTheKernelAheadStoresInWhatIsRead) {
  const KernelPtr sort = create(routing()), down = create(readsAhead());
  const std::vector<mxfp4rt_value> some = valuesApart();
  std::vector<mxfp4rt_value> other = some;
  other[1] = at(0x200000);
  other[3] = at(0x8000);
  ChainPtr chain =
      chainOf({{sort.get(), 4, other.data()}, {down.get(), 4, some.data()}},
              {{0, 2, 0}});
  for (int i = 0; i < 100; ++i) {
    const bool stores = i % 25 >= 12;
    void *const given[] = {stream(stores ? 0x3000 : 0x9000)};
    stub.launches.clear();
    ASSERT_EQ(mxfp4rt_chain_launch(chain.get(), given, stream(8)), 0);
    ASSERT_EQ(stub.launches.size(), 2U);
    EXPECT_EQ(stub.launches[0].number(2), stores ? 0x3000U : 0x9000U);
    EXPECT_EQ(stub.launches[1].attributeValue, stores ? 0 : 1) << i;
  }
  EXPECT_EQ(stub.calls[stub.calls.size() - 2], "cuGraphLaunch");
}

// Two buffers or two streams in turns have a graph each, which is made once.
TEST_F(RuntimeTest, AChainThatChangesWithEveryLaunchKeepsTwoGraphs) {
  const KernelPtr sort = create(routing()), down = create(readsAhead());
  const std::vector<mxfp4rt_value> some = valuesApart();
  std::vector<mxfp4rt_value> other = some;
  other[1] = at(0x200000);
  other[3] = at(0x8000);
  for (const bool streams : {false, true}) {
    ChainPtr chain =
        chainOf({{sort.get(), 4, other.data()}, {down.get(), 4, some.data()}},
                {{0, 2, 0}});
    stub.calls.clear();
    for (int i = 0; i < 40; ++i) {
      const bool odd = i % 2, stores = odd && !streams;
      void *const given[] = {stream(stores ? 0x3000 : 0x9000)};
      void *const on = stream(odd && streams ? 9 : 8);
      stub.launches.clear();
      ASSERT_EQ(mxfp4rt_chain_launch(chain.get(), given, on), 0);
      ASSERT_EQ(stub.launches.size(), 2U);
      EXPECT_EQ(stub.launches[0].number(2), stores ? 0x3000U : 0x9000U);
      EXPECT_EQ(stub.launches[1].stream, on);
      EXPECT_EQ(stub.launches[1].attributeValue, stores ? 0 : 1) << i;
      EXPECT_EQ(stub.calls[stub.calls.size() - 2] == "cuGraphLaunch",
                i >= 2 * (kBeforeGraph - 1))
          << i;
    }
    EXPECT_EQ(
        std::count(stub.calls.begin(), stub.calls.end(), "cuGraphInstantiate"),
        2);
    chain.reset();
    EXPECT_EQ(stub.heldGraphs, 0);
  }
}

TEST_F(RuntimeTest, AKeptChainBecomesAGraph) {
  const KernelPtr first = create(matmul(true)), second = create(matmul(true));
  const std::vector<mxfp4rt_value> one = values(0x1000), two = values(0x5000);
  ChainPtr chain = chainOf({{first.get(), 4, one.data()},
                            {first.get(), 0, one.data()},
                            {second.get(), 5, two.data()}},
                           {{0, 0, 0}, {2, 3, 1}});
  std::set<uint64_t> workspaces;
  for (int i = 1; i <= 2 * kBeforeGraph; ++i) {
    // The second address changes after every third launch.
    void *const given[] = {stream(16 * uint64_t(i)),
                           stream(0x100 * uint64_t(1 + i / 3))};
    stub.calls.clear();
    stub.launches.clear();
    ASSERT_EQ(mxfp4rt_chain_launch(chain.get(), given, stream(8)), 0);
    ASSERT_EQ(stub.launches.size(), 2U);
    EXPECT_EQ(stub.launches[0].number(0), 16U * unsigned(i));
    EXPECT_EQ(stub.launches[1].number(0), 0x5000U);
    EXPECT_EQ(stub.launches[1].number(3), 0x100U * unsigned(1 + i / 3));
    EXPECT_EQ(stub.launches[0].number(6), 4U);
    EXPECT_EQ(stub.launches[1].number(6), 5U);
    for (const StubLaunch &launch : stub.launches) {
      EXPECT_EQ(launch.stream, stream(8));
      EXPECT_EQ(launch.grid[0], 264U);
      EXPECT_EQ(launch.shared, 65536U);
    }
    EXPECT_EQ(stub.launches[1].attribute, 6);
    EXPECT_EQ(stub.launches[1].attributeValue, 1);
    workspaces.insert(stub.launches[0].number(5));
    EXPECT_EQ(stub.calls[stub.calls.size() - 2] == "cuGraphLaunch",
              i >= kBeforeGraph);
    if (i > kBeforeGraph) {
      std::vector<std::string> calls = {"cuCtxGetCurrent", "cuCtxPushCurrent",
                                        "cuStreamIsCapturing", "cuStreamGetId"};
      calls.insert(calls.end(), i % 3 ? 1 : 2,
                   "cuGraphExecKernelNodeSetParams");
      calls.insert(calls.end(), {"cuGraphLaunch", "cuCtxPopCurrent"});
      EXPECT_EQ(stub.calls, calls);
    }
  }
  EXPECT_EQ(workspaces.size(), 1U) << "a graph has its stream's";
  // Another stream has another workspace, so its launches are its own.
  void *const given[] = {stream(16), stream(32)};
  ASSERT_EQ(mxfp4rt_chain_launch(chain.get(), given, stream(9)), 0);
  EXPECT_EQ(stub.calls.back(), "cuCtxPopCurrent");
  EXPECT_EQ(stub.calls[stub.calls.size() - 2], "cuLaunchKernelEx");
  EXPECT_EQ(workspaces.count(stub.launches.back().number(5)), 0U);
  chain.reset();
  EXPECT_EQ(stub.heldGraphs, 0);
}

TEST_F(RuntimeTest, ChainsOfTheSameKernelsShareAGraph) {
  const KernelPtr first = create(matmul(true)), second = create(matmul(true));
  const std::vector<mxfp4rt_value> one = values(0x1000), two = values(0x5000);
  auto make = [&](int64_t rows, const std::vector<mxfp4rt_value> &last) {
    return chainOf(
        {{first.get(), rows, one.data()}, {second.get(), rows, last.data()}},
        {{0, 0, 0}});
  };
  /// Launches, and says how many kernels' parameters that took; -1 without a
  /// graph.
  auto launch = [&](const ChainPtr &chain, uint64_t x, uint64_t on = 8) {
    void *const given[] = {stream(x)};
    stub.calls.clear();
    stub.launches.clear();
    EXPECT_EQ(mxfp4rt_chain_launch(chain.get(), given, stream(on)), 0);
    EXPECT_EQ(stub.launches.size(), 2U);
    EXPECT_EQ(stub.launches[0].number(0), x);
    EXPECT_EQ(stub.launches[0].stream, stream(on));
    auto count = [&](const char *name) {
      return int(std::count(stub.calls.begin(), stub.calls.end(), name));
    };
    return count("cuGraphLaunch") ? count("cuGraphExecKernelNodeSetParams")
                                  : -1;
  };
  ChainPtr four = make(4, two), five = make(5, one);
  const ChainPtr none = make(0, one);
  for (int i = 1; i < kBeforeGraph; ++i)
    EXPECT_EQ(launch(i % 2 ? four : five, 0x100), -1);
  EXPECT_EQ(launch(four, 0x200), 0) << "the launch that makes the graph";
  EXPECT_EQ(launch(four, 0x200), 0);
  EXPECT_EQ(launch(four, 0x300), 1);
  EXPECT_EQ(launch(five, 0x300), 2) << "with the rows and values of its own";
  EXPECT_EQ(stub.launches[0].number(6), 5U);
  EXPECT_EQ(stub.launches[1].number(0), 0x1000U);
  EXPECT_EQ(launch(four, 0x300), 2);
  EXPECT_EQ(stub.launches[1].number(6), 4U);
  EXPECT_EQ(stub.launches[1].number(0), 0x5000U);
  const ChainPtr six = make(6, two);
  EXPECT_EQ(launch(six, 0x400), 2) << "its first launch";
  EXPECT_EQ(stub.launches[1].number(6), 6U);
  // A chain that is launched often gets a graph that others do not set.
  const ChainPtr often = make(7, two);
  for (int i = 0; i < 40; ++i)
    launch(often, 0x400);
  EXPECT_EQ(launch(six, 0x400), 2);
  EXPECT_EQ(launch(often, 0x400), 0);
  EXPECT_EQ(launch(often, 0x700), 1);
  EXPECT_EQ(stub.launches[1].number(6), 7U);
  // Another stream counts by itself, and a chain that comes back to a stream
  // sets what has changed meanwhile.
  EXPECT_EQ(launch(six, 0x500, 9), -1);
  EXPECT_EQ(launch(six, 0x500), 2);
  // Kernels that are left out make another row of kernels.
  void *const given[] = {stream(0x100)};
  ASSERT_EQ(mxfp4rt_chain_launch(none.get(), given, stream(8)), 0);
  four.reset();
  EXPECT_EQ(launch(make(4, two), 0x600), 2) << "no chain takes another's place";
  EXPECT_EQ(launch(five, 0x300), 2);
  EXPECT_GT(stub.heldGraphs, 0);
}

// Kernels without rows are in no graph, and make another one of it.
TEST_F(RuntimeTest, AGraphIsOfTheKernelsThatHaveRows) {
  const KernelPtr first = create(matmul(true)), second = create(matmul(true));
  const std::vector<mxfp4rt_value> some = values();
  auto make = [&](int64_t one, int64_t two) {
    return chainOf(
        {{first.get(), one, some.data()}, {second.get(), two, some.data()}},
        {});
  };
  std::set<uint64_t> workspaces;
  auto launch = [&](const ChainPtr &chain, uint64_t rows) {
    stub.launches.clear();
    EXPECT_EQ(mxfp4rt_chain_launch(chain.get(), nullptr, stream(8)), 0);
    ASSERT_EQ(stub.launches.size(), 1U);
    EXPECT_EQ(stub.launches[0].number(6), rows);
    workspaces.insert(stub.launches[0].number(5));
  };
  const ChainPtr four = make(4, 0), five = make(5, 0), other = make(0, 6);
  for (int i = 0; i < kBeforeGraph; ++i)
    launch(four, 4);
  launch(five, 5);
  EXPECT_EQ(workspaces.size(), 1U);
  launch(other, 6);
  EXPECT_EQ(workspaces.size(), 2U) << "the second kernel's";
  const ChainPtr alone = chainOf({{first.get(), 7, some.data()}}, {});
  for (int i = 0; i < 2 * kBeforeGraph; ++i)
    launch(alone, 7);
}

// Whoever launches a graph behind one that could not set it sets all of it.
TEST_F(RuntimeTest, AFailureLeavesNoValuesInAGraph) {
  const KernelPtr kernel = create(matmul(true));
  const std::vector<mxfp4rt_value> some = values();
  auto make = [&](int64_t rows) {
    const mxfp4rt_call call = {kernel.get(), rows, some.data()};
    return chainOf({call, call}, {});
  };
  const ChainPtr four = make(4), five = make(5);
  for (int i = 0; i < kBeforeGraph; ++i)
    ASSERT_EQ(mxfp4rt_chain_launch(four.get(), nullptr, stream(8)), 0);
  stub.failing = {{"cuGraphExecKernelNodeSetParams", 999}};
  EXPECT_NE(mxfp4rt_chain_launch(five.get(), nullptr, stream(8)), 0);
  stub.failing.clear();
  stub.calls.clear();
  ASSERT_EQ(mxfp4rt_chain_launch(four.get(), nullptr, stream(8)), 0);
  EXPECT_EQ(std::count(stub.calls.begin(), stub.calls.end(),
                       "cuGraphExecKernelNodeSetParams"),
            2);
}

TEST_F(RuntimeTest, AGraphLivesAsLongAsItsChains) {
  const KernelPtr kernel = create(matmul(true));
  const std::vector<mxfp4rt_value> good = values();
  const mxfp4rt_call call = {kernel.get(), 4, good.data()};
  for (int round = 0; round < 3; ++round) {
    ChainPtr one = chainOf({call, call}, {}), two = chainOf({call, call}, {});
    for (int i = 0; i < kBeforeGraph; ++i)
      ASSERT_EQ(mxfp4rt_chain_launch(one.get(), nullptr, stream(8)), 0);
    ASSERT_EQ(mxfp4rt_chain_launch(two.get(), nullptr, stream(8)), 0);
    EXPECT_EQ(stub.calls[stub.calls.size() - 2], "cuGraphLaunch");
    const int held = stub.heldGraphs;
    EXPECT_GT(held, 0);
    one.reset();
    EXPECT_EQ(stub.heldGraphs, held);
    two.reset();
    EXPECT_EQ(stub.heldGraphs, 0);
  }
}

TEST_F(RuntimeTest, AGraphThatCannotBeMadeIsNoFailure) {
  for (const char *const name :
       {"cuGraphCreate", "cuGraphAddKernelNode", "cuGraphAddDependencies",
        "cuGraphInstantiate", "missing"}) {
    if (std::string(name) == "missing") {
      stub.missing = {"cuGraphAddDependencies_v2"};
      driver = open();
    }
    const KernelPtr kernel = create(matmul(true));
    const std::vector<mxfp4rt_value> good = values();
    const mxfp4rt_call call = {kernel.get(), 4, good.data()};
    stub.failing = {{name, 999}};
    const ChainPtr chain = chainOf({call, call}, {});
    for (int i = 0; i < kBeforeGraph + 2; ++i) {
      stub.launches.clear();
      ASSERT_EQ(mxfp4rt_chain_launch(chain.get(), nullptr, nullptr), 0) << name;
      EXPECT_EQ(stub.launches.size(), 2U);
    }
    EXPECT_EQ(stub.calls[stub.calls.size() - 2], "cuLaunchKernelEx");
    EXPECT_EQ(stub.heldGraphs, 0) << name;
    stub.failing.clear();
  }
}

TEST_F(RuntimeTest, AKeptChainIsNotCaptured) {
  const KernelPtr kernel = create(matmul(true));
  const std::vector<mxfp4rt_value> good = values();
  const ChainPtr chain = chainOf({{kernel.get(), 4, good.data()}}, {});
  stub.capturing = {stream(5)};
  EXPECT_EQ(mxfp4rt_chain_launch(chain.get(), nullptr, stream(5)),
            MXFP4RT_CAPTURED);
  EXPECT_TRUE(stub.launches.empty());
  EXPECT_EQ(mxfp4rt_chain_launch(chain.get(), nullptr, stream(6)), 0);
  EXPECT_EQ(stub.launches.size(), 1U);
}

TEST_F(RuntimeTest, AKeptChainIsChecked) {
  const KernelPtr kernel = create(matmul()), other = create(matmul(), 1);
  const std::vector<mxfp4rt_value> good = values(), bad = values(0x1008);
  const mxfp4rt_call call = {kernel.get(), 4, good.data()};
  auto refused = [&](const std::vector<mxfp4rt_call> &calls,
                     const std::vector<mxfp4rt_place> &places) -> std::string {
    return chainOf(calls, places) ? "" : mxfp4rt_last_error();
  };
  EXPECT_THAT(refused({call, {kernel.get(), 4, bad.data()}}, {}),
              HasSubstr("x must be aligned to 16 bytes, got address 0x1008"));
  // What launches give is not checked yet, but all else of this call, and the
  // same argument of another one.
  EXPECT_THAT(refused({call, {kernel.get(), 4, bad.data()}}, {{0, 0, 0}}),
              HasSubstr("x must be aligned"));
  EXPECT_THAT(refused({{kernel.get(), 4, bad.data()}}, {{0, 3, 0}}),
              HasSubstr("x must be aligned"));
  EXPECT_THAT(refused({{kernel.get(), -1, good.data()}}, {{0, 0, 0}}),
              HasSubstr("rows must be 0 to"));
  EXPECT_THAT(refused({call, {other.get(), 4, good.data()}}, {}),
              HasSubstr("call 1 is on another device"));
  EXPECT_THAT(refused({{nullptr, 4, good.data()}}, {}),
              HasSubstr("the kernel is null"));
  EXPECT_THAT(
      refused({call}, {{1, 0, 0}}),
      HasSubstr("argument 0 of call 1 does not exist; the chain has 1"));
  EXPECT_THAT(refused({call}, {{0, 6, 0}}), HasSubstr("does not exist"));
  EXPECT_THAT(refused({call}, {{0, 4, 0}}),
              HasSubstr("argument 4 of call 0 (error) is no memory that the "
                        "caller passes"));
  EXPECT_EQ(mxfp4rt_chain_create(&call, 1, nullptr, 0, nullptr),
            MXFP4RT_INVALID);
  const ChainPtr chain = chainOf({{kernel.get(), 4, bad.data()}}, {{0, 0, 0}});
  ASSERT_TRUE(chain) << mxfp4rt_last_error();
  for (void *const given : {stream(0), stream(0x1008)})
    EXPECT_EQ(mxfp4rt_chain_launch(chain.get(), &given, nullptr),
              MXFP4RT_INVALID);
  EXPECT_EQ(mxfp4rt_chain_launch(chain.get(), nullptr, nullptr),
            MXFP4RT_INVALID);
  EXPECT_EQ(mxfp4rt_chain_launch(nullptr, nullptr, nullptr), MXFP4RT_INVALID);
  EXPECT_TRUE(stub.launches.empty());
}

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
