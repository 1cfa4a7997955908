//===- RoutingTest.cpp ----------------------------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mxfp4/Core/Routing.h"

#include <gtest/gtest.h>

using namespace mxfp4;

namespace {

// As few CTAs of at most 128 threads as there can be, and as few warps in each
// as then suffice.
TEST(Routing, CombineSharesATokensUnitsEvenly) {
  for (int64_t units = 1; units <= 4096; ++units) {
    const LaunchPlan plan = combinePlan(units, /*tokens=*/4);
    const int64_t fewest = (units + 127) / 128;
    EXPECT_EQ(plan.grid.rows, 4);
    EXPECT_EQ(plan.grid.y, fewest) << units;
    EXPECT_EQ(plan.threads % 32, 0) << units;
    EXPECT_LE(plan.threads, 128) << units;
    EXPECT_GE(plan.threads * fewest, units);
    EXPECT_LT((plan.threads - 32) * fewest, units) << units;
    EXPECT_EQ(plan.sharedBytes, 0);
  }
  EXPECT_EQ(combinePlan(0, 1).threads, 32);
}

// As few warps as hold a row with four units per thread, of rows as long as the
// limit allows.
TEST(Routing, RowsToQuantizeFitTheirCta) {
  for (int64_t units = 1; units <= kMostUnitsOfRow; ++units) {
    const LaunchPlan plan = quantizeRowsPlan(units);
    EXPECT_EQ(plan.threads % 32, 0) << units;
    EXPECT_LE(plan.threads, 1024) << units;
    EXPECT_GE(plan.threads * 4, units);
    EXPECT_LT((plan.threads - 32) * 4, units) << units;
    EXPECT_EQ(plan.sharedBytes, plan.threads / 32 * 4) << units;
    EXPECT_EQ(plan.grid.rows, 1);
    EXPECT_EQ(plan.grid.y, 1);
  }
}

// Behind what rounding keeps there, a word for each sum and warp; and what is
// added up fits the threads that store it.
TEST(Routing, RowsToDispatchHaveTheirSums) {
  for (int64_t experts = 1; experts <= kMostExpertsOfOneToken; ++experts) {
    // All offsets, from 64 tokens on, and no more for a token than that takes.
    const int64_t offsets = offsetsOfOneToken(experts);
    EXPECT_GE(offsets * 64, experts + 1);
    EXPECT_LT((offsets - 1) * 64, experts + 1);
    for (int64_t slots = 1; slots <= kMostSlotsOfOneToken; ++slots) {
      const int64_t sums = sumsOfOneToken(experts, slots);
      EXPECT_EQ(sums, slots + 1 + offsets);
      EXPECT_LE(sums, 32);
      const LaunchPlan plan = dispatchPlan(360, sums);
      EXPECT_EQ(plan.threads, 96);
      const int64_t words = 3 * (1 + sums);
      EXPECT_EQ(plan.sharedBytes, 4 * (words % 4 == 3 ? words + 1 : words));
      EXPECT_NE(plan.sharedBytes % 16, 12) << "loaded as 16 bytes";
    }
  }
  EXPECT_EQ(dispatchPlan(360, 8, /*isLean=*/true).ctasPerMultiprocessor, 7);
  EXPECT_EQ(dispatchPlan(360, 8, /*isLean=*/false).ctasPerMultiprocessor, 1);
  EXPECT_EQ(dispatchPlan(4096, 8, /*isLean=*/true).ctasPerMultiprocessor, 1);
  EXPECT_EQ(dispatchPlan(360, 0).ctasPerMultiprocessor, 1);
  EXPECT_EQ(dispatchPlan(360, 0).sharedBytes,
            quantizeRowsPlan(360).sharedBytes);
}

} // namespace
