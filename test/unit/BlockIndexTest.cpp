//===- BlockIndexTest.cpp -------------------------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mxfp4/Core/BlockIndex.h"

#include <gtest/gtest.h>

using namespace mxfp4;

namespace {

// The index inverts the map, over the whole block.
TEST(BlockIndex, InvertsTheCodeMap) {
  const FragmentMap map = BlockLayout::codeMap();
  const BlockIndex index = BlockIndex::get();
  for (int warp = 0; warp < 4; ++warp)
    for (int lane = 0; lane < 32; ++lane)
      for (int word = 0; word < 4; ++word)
        for (int slot = 0; slot < 8; ++slot) {
          const Coord at = map(8 * word + slot, lane, warp);
          ASSERT_EQ(index.wordOffset(at.row, at.col),
                    16 * (32 * warp + lane) + 4 * word);
          ASSERT_EQ(index.slot(at.row, at.col), slot);
          ASSERT_EQ(index.scaleOffset(at.row, at.col),
                    BlockLayout::scaleWordOffset(lane, warp) +
                        BlockLayout::scaleByte(slot, word));
        }
}

TEST(BlockIndex, OneScaleForThirtyTwoColumns) {
  const BlockIndex index = BlockIndex::get();
  for (int row = 0; row < BlockLayout::kRows; ++row)
    for (int col = 0; col < BlockLayout::kCols; ++col)
      ASSERT_EQ(index.scaleOffset(row, col),
                index.scaleOffset(row, col / 32 * 32));
}

} // namespace
