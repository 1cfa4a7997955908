//===- FragmentMapTest.cpp ------------------------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mxfp4/Core/FragmentMap.h"

#include <gtest/gtest.h>

using namespace mxfp4;

namespace {

struct Named {
  const char *name;
  FragmentMap map;
  int rows, cols;
};

std::vector<Named> instructionMaps() {
  return {{"mmaA", mmaA(), 16, 16},
          {"mmaB", mmaB(), 16, 8},
          {"mmaAccumulator", mmaAccumulator(), 16, 8},
          {"wgmmaA", wgmmaA(), 64, 16},
          {"wgmmaAccumulator(8)", wgmmaAccumulator(8), 64, 8},
          {"wgmmaAccumulator(256)", wgmmaAccumulator(256), 64, 256}};
}

TEST(FragmentMap, InstructionMapsAreBijectionsOntoTheirTiles) {
  for (const Named &named : instructionMaps()) {
    EXPECT_EQ(named.map.rows(), named.rows) << named.name;
    EXPECT_EQ(named.map.cols(), named.cols) << named.name;
    EXPECT_TRUE(named.map.isBijection()) << named.name;
  }
}

// The formulas of the PTX manual, written as it writes them.
TEST(FragmentMap, MmaMapsFollowThePTXManual) {
  for (int lane = 0; lane < 32; ++lane) {
    const int group = lane >> 2, thread = lane % 4;
    for (int i = 0; i < 8; ++i) {
      const int row = (i < 2 || (i >= 4 && i < 6)) ? group : group + 8;
      const int col = thread * 2 + (i & 1) + (i >= 4 ? 8 : 0);
      EXPECT_EQ(mmaA()(i, lane), (Coord{row, col}));
    }
    for (int i = 0; i < 4; ++i) {
      const int k = thread * 2 + (i & 1) + (i >= 2 ? 8 : 0);
      EXPECT_EQ(mmaB()(i, lane), (Coord{k, group}));
      const int row = i < 2 ? group : group + 8;
      EXPECT_EQ(mmaAccumulator()(i, lane), (Coord{row, thread * 2 + (i & 1)}));
    }
  }
}

TEST(FragmentMap, WgmmaAccumulatorFollowsThePTXManual) {
  const FragmentMap map = wgmmaAccumulator(64);
  for (int warp = 0; warp < 4; ++warp)
    for (int lane = 0; lane < 32; ++lane)
      for (int i = 0; i < 32; ++i) {
        const int row = 16 * warp + lane / 4 + 8 * (i / 2 % 2);
        const int col = 8 * (i / 4) + 2 * (lane % 4) + i % 2;
        EXPECT_EQ(map(i, lane, warp), (Coord{row, col}));
      }
}

// "Register Fragments for wgmma.mma_async.m64nNk32", A of 8-bit types.
TEST(FragmentMap, WgmmaA8IsTheManuals) {
  const FragmentMap map = wgmmaA8();
  EXPECT_TRUE(map.isBijection());
  EXPECT_EQ(map.rows(), 64);
  EXPECT_EQ(map.cols(), 32);
  for (int warp = 0; warp < 4; ++warp)
    for (int lane = 0; lane < 32; ++lane)
      for (int reg = 0; reg < 4; ++reg)
        for (int byte = 0; byte < 4; ++byte) {
          const int row = 16 * warp + lane / 4 + 8 * (reg & 1);
          const int col = 4 * (lane % 4) + byte + 16 * (reg >> 1);
          EXPECT_EQ(map(4 * reg + byte, lane, warp), (Coord{row, col}));
        }
}

TEST(FragmentMap, AWarpOfWgmmaAIsMmaA) {
  for (int warp = 0; warp < 4; ++warp)
    for (int lane = 0; lane < 32; ++lane)
      for (int i = 0; i < 8; ++i) {
        Coord expected = mmaA()(i, lane);
        expected.row += 16 * warp;
        EXPECT_EQ(wgmmaA()(i, lane, warp), expected);
      }
}

TEST(FragmentMap, AMapThatMissesAnElementIsNoBijection) {
  FragmentMap map = mmaA();
  map.element[0] = map.element[1];
  EXPECT_FALSE(map.isBijection());
}

TEST(FragmentMap, PermutedRowsStayABijection) {
  const FragmentMap map = mmaA().permuteRows({2, 4, 8, 1});
  EXPECT_TRUE(map.isBijection());
  for (int lane = 0; lane < 32; ++lane)
    for (int i = 0; i < 8; ++i) {
      const Coord from = mmaA()(i, lane);
      const int row = from.row < 8 ? 2 * from.row : 2 * (from.row - 8) + 1;
      EXPECT_EQ(map(i, lane), (Coord{row, from.col}));
    }
}

// Law 3: sums of bit groups give what XOR gives.
TEST(FragmentMap, StridesReproduceTheMap) {
  for (const Named &named : instructionMaps())
    for (int lane = 0; lane < 32; ++lane) {
      const Coord at = named.map(0, lane);
      EXPECT_EQ(evaluate(strides(named.map.lane, false), lane), at.row);
      EXPECT_EQ(evaluate(strides(named.map.lane, true), lane), at.col);
    }
  // Lane bits 0, 1 go to columns 2, 4; bits 2 to 4 to rows 1, 2, 4.
  EXPECT_EQ(strides(mmaA().lane, true).size(), 1u);
  EXPECT_EQ(strides(mmaA().lane, false).size(), 1u);
}

} // namespace
