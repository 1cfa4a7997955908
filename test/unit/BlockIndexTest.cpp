//===- BlockIndexTest.cpp -------------------------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "BlockLayouts.h"

#include "mxfp4/Core/BlockIndex.h"

#include <gtest/gtest.h>

#include <map>

using namespace mxfp4;

namespace {

class BlockIndexOf : public testing::TestWithParam<BlockLayout> {};

INSTANTIATE_TEST_SUITE_P(Layouts, BlockIndexOf,
                         testing::ValuesIn(blockLayouts()), blockName);

// The index inverts the map, over the whole block.
TEST_P(BlockIndexOf, InvertsTheCodeMap) {
  const BlockLayout layout = GetParam();
  const FragmentMap map = layout.codeMap();
  const BlockIndex index = BlockIndex::get(layout);
  for (int warp = 0; warp < layout.warps(); ++warp)
    for (int lane = 0; lane < 32; ++lane)
      for (int word = 0; word < layout.words(); ++word)
        for (int slot = 0; slot < 8; ++slot) {
          const Coord at = map(8 * word + slot, lane, warp);
          ASSERT_EQ(index.wordOffset(at.row, at.col),
                    layout.wordOffset(32 * warp + lane, word));
          ASSERT_EQ(index.slot(at.row, at.col), slot);
          ASSERT_EQ(index.scaleOffset(at.row, at.col),
                    layout.scaleWordOffset(lane, warp) +
                        layout.scaleByte(slot, word));
        }
}

// Positions share a scale exactly where they have a row and a scale block in
// common.
TEST_P(BlockIndexOf, OneScaleForAScaleBlock) {
  const BlockLayout layout = GetParam();
  const BlockIndex index = BlockIndex::get(layout);
  std::map<int, std::pair<int, int>> owners;
  for (int row = 0; row < layout.rows; ++row)
    for (int col = 0; col < layout.cols; ++col) {
      const std::pair owner(row, col / layout.scaleBlock);
      ASSERT_EQ(
          owners.try_emplace(index.scaleOffset(row, col), owner).first->second,
          owner);
    }
  EXPECT_EQ(static_cast<int>(owners.size()), layout.scaleBytes());
  EXPECT_EQ(owners.begin()->first, layout.codeBytes());
  EXPECT_EQ(owners.rbegin()->first, layout.bytes() - 1);
}

} // namespace
