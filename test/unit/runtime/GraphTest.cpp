//===- GraphTest.cpp - Chains that have become graphs ---------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Chains.h"

#include <algorithm>

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

TEST_F(RuntimeTest, AChainThatIsLaunchedOftenHasAGraphOfItsOwn) {
  const KernelPtr kernel = create(matmul(true));
  const std::vector<mxfp4rt_value> some = values();
  const mxfp4rt_call call = {kernel.get(), 4, some.data()};
  const ChainPtr chain = chainOf({call, call}, {});
  std::vector<int> made;
  for (int i = 1; i <= 200; ++i) {
    stub.calls.clear();
    ASSERT_EQ(mxfp4rt_chain_launch(chain.get(), nullptr, stream(8)), 0);
    if (std::count(stub.calls.begin(), stub.calls.end(), "cuGraphInstantiate"))
      made.push_back(i);
  }
  // The second one takes the place of the first, which other chains may set.
  EXPECT_THAT(made, testing::ElementsAre(kBeforeGraph, 33));
  EXPECT_EQ(stub.heldGraphs, 2) << "a graph, and what is launched of it";
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
