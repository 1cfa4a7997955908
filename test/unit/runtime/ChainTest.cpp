//===- ChainTest.cpp - Several kernels, launched by one call --------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Chains.h"

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

// Rows whose counts are awaited are stored by the kernel ahead that raises the
// counts; all else must be older, and what is stored must not be in use there.
TEST_F(RuntimeTest, WhatAwaitsCountsBeginsEarlyBehindTheKernelThatRaisesThem) {
  const KernelPtr gateUp = create(counts("stored")),
                  down = create(awaitsCounts()), other = create(matmul(true));
  std::vector<mxfp4rt_value> first = counted(), last = awaiting();
  const auto early = [&](const KernelPtr &ahead) {
    const mxfp4rt_call calls[] = {{ahead.get(), 4, first.data()},
                                  {down.get(), 4, last.data()}};
    stub.launches.clear();
    EXPECT_EQ(mxfp4rt_launch_all(calls, 2, nullptr), 0);
    return stub.launches.back().attributeValue;
  };
  EXPECT_EQ(early(gateUp), 1);
  EXPECT_EQ(early(other), 0);
  // Counts of others, rows of others, a result in place of rows that the kernel
  // ahead reads, offsets where it stores, and offsets of others.
  for (auto [index, address] : {std::pair(last.size() - 1, 0x9800),
                                {size_t(0), 0x5010},
                                {size_t(3), 0x4000},
                                {size_t(2), 0x5000},
                                {size_t(2), 0x8000}}) {
    const mxfp4rt_value before = last[index];
    last[index] = at(address);
    EXPECT_EQ(early(gateUp), 0) << index;
    last[index] = before;
  }
  EXPECT_EQ(early(gateUp), 1);
  // Behind another kernel, where counts are complete; but not behind itself,
  // which may still count its tiles in the same workspace.
  last[0] = at(0x7000);
  EXPECT_EQ(early(other), 1);
  EXPECT_EQ(early(down), 0);
}

// Counts that the kernel ahead raises and never completes would be waited for
// without end.
TEST_F(RuntimeTest, CountsOfOtherRowsAreRefused) {
  const KernelPtr down = create(awaitsCounts());
  const std::vector<mxfp4rt_value> first = counted(), last = awaiting();
  const auto refused = [&](const Json &ahead, int64_t rows,
                           int64_t rowsAhead) -> std::string {
    const KernelPtr gateUp = create(ahead);
    const mxfp4rt_call calls[] = {{gateUp.get(), rowsAhead, first.data()},
                                  {gateUp.get(), 0, first.data()},
                                  {down.get(), rows, last.data()}};
    stub.launches.clear();
    const mxfp4rt_status status = mxfp4rt_launch_all(calls, 3, nullptr);
    EXPECT_EQ(stub.launches.size(), status ? 0U : 2U);
    EXPECT_EQ(!chainOf({calls[0], calls[1], calls[2]}, {}), status != 0);
    // Rows that launches name may be others.
    const ChainPtr chain = chainOf({calls[0], calls[1], calls[2]}, {{2, 0, 0}});
    EXPECT_TRUE(chain);
    for (auto [address, same] : {std::pair(0x7000, false), {0x5000, true}}) {
      void *const given = stream(address);
      EXPECT_EQ(mxfp4rt_chain_launch(chain.get(), &given, nullptr) != 0,
                same && status != 0);
    }
    return status ? mxfp4rt_last_error() : "";
  };
  const Json same = counts("stored");
  EXPECT_EQ(refused(same, 4, 4), "");
  EXPECT_THAT(
      refused(same, 5, 4),
      HasSubstr("call 2 would wait without end: it has 5 rows, and call "
                "0, which counts what it waits for, 4."));
  EXPECT_THAT(refused(same, 4, 5), HasSubstr("it has 4 rows"));
  Json other = same;
  other["arguments"][3]["shape"][1] = 70;
  EXPECT_THAT(refused(other, 4, 4),
              HasSubstr("it has 96 columns, and call 0, which counts what it "
                        "waits for, 70."));
  other = same;
  other["arguments"].back()["shape"] = {5};
  EXPECT_THAT(refused(other, 4, 4), HasSubstr("it has 3 groups, and call 0, "
                                              "which counts what it waits for, "
                                              "5."));
  // Rows to gather may be more than those of experts.
  other = same;
  other["arguments"][1]["name"] = "gather";
  EXPECT_EQ(refused(other, 4, 5), "");
  EXPECT_THAT(refused(other, 5, 4), HasSubstr("it has 5 rows"));
}

// So are counts that a kernel further ahead raises, or one that is left out
// because it has no rows.
TEST_F(RuntimeTest, CountsThatNothingCompletesAreRefused) {
  const KernelPtr gateUp = create(counts("stored")),
                  down = create(awaitsCounts()), other = create(matmul(true));
  const std::vector<mxfp4rt_value> first = counted(), last = awaiting(),
                                   some = valuesApart();
  const auto refused =
      [&](const std::vector<mxfp4rt_call> &calls) -> std::string {
    stub.launches.clear();
    if (mxfp4rt_launch_all(calls.data(), calls.size(), nullptr) == 0)
      return "";
    EXPECT_EQ(stub.launches.size(), 0U);
    return mxfp4rt_last_error();
  };
  const mxfp4rt_call counting = {gateUp.get(), 4, first.data()},
                     nothing = {gateUp.get(), 0, first.data()},
                     between = {other.get(), 4, some.data()},
                     waiting = {down.get(), 4, last.data()};
  EXPECT_THAT(refused({nothing, waiting}),
              HasSubstr("call 1 would wait without end: it has 4 rows, and "
                        "call 0, which counts what it waits for, 0."));
  EXPECT_THAT(refused({nothing, between, waiting}), HasSubstr("call 2 would"));
  EXPECT_THAT(refused({counting, between, {down.get(), 5, last.data()}}),
              HasSubstr("it has 5 rows, and call 0, which counts what it waits "
                        "for, 4."));
  EXPECT_EQ(refused({counting, between, waiting}), "");
  EXPECT_EQ(refused({counting, nothing, waiting}), "");
  // Nothing waits without rows.
  EXPECT_EQ(refused({nothing, {down.get(), 0, last.data()}}), "");
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
