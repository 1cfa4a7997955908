//===- BlockLayoutTest.cpp ------------------------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "BlockLayouts.h"

#include "mxfp4/Core/Instruction.h"

#include <cstring>
#include <random>

using namespace mxfp4;

namespace {

class EachLayout : public testing::TestWithParam<BlockLayout> {
protected:
  struct Weights {
    std::vector<uint8_t> codes, scales, packed;
  };
  /// Random weights, as they were and packed.
  Weights packRandom(int64_t n, int64_t k, std::mt19937 &random) {
    Weights w{std::vector<uint8_t>(n * k / 2),
              std::vector<uint8_t>(n * k / layout.scaleBlock),
              std::vector<uint8_t>(layout.packedBytes(n, k))};
    for (uint8_t &code : w.codes)
      code = random();
    for (uint8_t &scale : w.scales)
      scale = anyScale(layout, random());
    EXPECT_EQ(
        pack(layout, w.codes.data(), w.scales.data(), n, k, w.packed.data()),
        PackStatus::Success);
    return w;
  }

  const BlockLayout layout = GetParam();
};

INSTANTIATE_TEST_SUITE_P(Layouts, EachLayout, testing::ValuesIn(blockLayouts()),
                         blockName);

TEST_P(EachLayout, CodeMapIsABijectionOntoTheBlock) {
  const FragmentMap map = layout.codeMap();
  EXPECT_EQ(map.rows(), layout.rows);
  EXPECT_EQ(map.cols(), layout.cols);
  EXPECT_EQ(map.warps(), layout.warps());
  EXPECT_EQ(map.elements(), 8 * layout.words());
  EXPECT_TRUE(map.isBijection());
}

TEST_P(EachLayout, BytesAreThoseOfCodesAndScales) {
  const int weights = layout.rows * layout.cols;
  EXPECT_EQ(layout.codeBytes(), weights * BlockLayout::codeBits() / 8);
  EXPECT_EQ(layout.scaleBytes(), weights / layout.scaleBlock);
  EXPECT_EQ(layout.bytes(), layout.codeBytes() + layout.scaleBytes());
  // One more row or column is one more block.
  EXPECT_EQ(layout.rowBlocks(layout.rows), 1);
  EXPECT_EQ(layout.rowBlocks(layout.rows + 1), 2);
  EXPECT_EQ(layout.colBlocks(layout.cols), 1);
  EXPECT_EQ(layout.colBlocks(layout.cols + 1), 2);
  EXPECT_EQ(layout.packedBytes(2 * layout.rows, 3 * layout.cols),
            6 * layout.bytes());
}

// The words of a step are the A fragment of an instruction, under the row
// permutation: the fact that lets a kernel feed the instruction without moving
// anything. Blocks of fewer rows than an instruction has are none of its
// fragments, and those for instructions on bytes none of others.
TEST_P(EachLayout, EachWordIsAnInstructionFragment) {
  for (const InstructionTraits &traits : instructions())
    EXPECT_EQ(wordsAreFragments(layout, traits.instruction),
              layout.rows >= traits.m && layout.stepCols() == traits.k)
        << traits.name;
}

// N and K end anywhere in a block.
TEST_P(EachLayout, UnpackInvertsPack) {
  std::mt19937 random(7);
  for (int64_t n : {1, 17, 63, 64, 65, 130})
    for (int64_t slices : {1, 3, 5}) {
      const int64_t k = slices * layout.scaleBlock;
      const auto [codes, scales, packed] = packRandom(n, k, random);
      std::vector<uint8_t> codesBack(codes.size()), scalesBack(scales.size());
      ASSERT_EQ(unpack(layout, packed.data(), n, k, codesBack.data(),
                       scalesBack.data()),
                PackStatus::Success);
      EXPECT_EQ(codes, codesBack);
      EXPECT_EQ(scales, scalesBack);
    }
}

// A code is where the map says, a scale where its thread looks for it.
TEST_P(EachLayout, PackPutsEachWeightWhereTheMapSays) {
  const int64_t n = 2 * layout.rows, k = 2 * layout.cols;
  std::mt19937 random(11);
  const auto [codes, scales, packed] = packRandom(n, k, random);
  const FragmentMap map = layout.codeMap();
  for (int block = 0; block < 4; ++block)
    for (int thread = 0; thread < layout.threads(); ++thread)
      for (int element = 0; element < map.elements(); ++element) {
        const int lane = thread % kWarpThreads, warp = thread / kWarpThreads;
        const int slot = element % 8, index = element / 8;
        const uint8_t *bytes = &packed[block * layout.bytes()];
        uint32_t word;
        std::memcpy(&word, bytes + layout.wordOffset(thread, index), 4);
        unsigned code = 0;
        for (int bit = 0; bit < 4; ++bit)
          code |= (word >> layout.codeBit(slot, bit) & 1) << bit;
        const Coord at = map(element, lane, warp);
        const int64_t row = block / 2 * layout.rows + at.row;
        const int64_t col = block % 2 * layout.cols + at.col;
        const uint8_t pair = codes[(row * k + col) / 2];
        ASSERT_EQ(code, unsigned(col % 2 ? pair >> 4 : pair & 15));
        ASSERT_EQ(layout.decodeScale(bytes[layout.scaleWordOffset(lane, warp) +
                                           layout.scaleByte(slot, index)]),
                  scales[(row * k + col) / layout.scaleBlock]);
      }
}

} // namespace
