//===- DecodeSequenceTest.cpp ---------------------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mxfp4/Core/DecodeSequence.h"
#include "mxfp4/Core/Format.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

using namespace mxfp4;

namespace {

class DecodeSequenceTest
    : public testing::TestWithParam<std::pair<CodeOrder, ScaleEncoding>> {
protected:
  BlockLayout layout() const { return {GetParam().first, GetParam().second}; }

  uint32_t place(int slot, unsigned code) const {
    uint32_t word = 0;
    for (int bit = 0; bit < 4; ++bit)
      word |= (code >> bit & 1) << layout().codeBit(slot, bit);
    return word;
  }
};

// Every code in every slot under every scale that the layout holds, at every
// step; the other slots and scale bytes are random, and must not matter.
TEST_P(DecodeSequenceTest, IsExactOverTheWholeDomain) {
  std::mt19937 random(1);
  for (int step = 0; step < 4; ++step) {
    const DecodeSequence sequence = decodeSequence(layout(), step);
    for (int slot = 0; slot < 8; ++slot)
      for (unsigned scale = 0; scale < 256; ++scale) {
        if (!layout().holdsScale(scale))
          continue;
        for (unsigned code = 0; code < 16; ++code) {
          uint32_t codes = place(slot, code);
          for (int other = 0; other < 8; ++other)
            if (other != slot)
              codes |= place(other, random() & 15);
          const int shift = 8 * BlockLayout().scaleByte(slot, step);
          uint32_t scales = random();
          scales &= ~(0xFFu << shift);
          scales |= uint32_t(layout().encodeScale(scale)) << shift;
          const uint16_t got =
              sequence.evaluate(codes, scales)[slot / 2] >> 16 * (slot & 1);
          const uint16_t expected = decodeExact(code, scale);
          if (isNaNBF16(expected))
            ASSERT_TRUE(isNaNBF16(got)) << "code " << code;
          else
            ASSERT_EQ(got, expected)
                << "slot " << slot << " code " << code << " scale " << scale;
        }
      }
  }
}

INSTANTIATE_TEST_SUITE_P(
    AllLayouts, DecodeSequenceTest,
    testing::Values(std::pair(CodeOrder::Spread, ScaleEncoding::Folded),
                    std::pair(CodeOrder::Spread, ScaleEncoding::Raw),
                    std::pair(CodeOrder::Nibble, ScaleEncoding::Folded),
                    std::pair(CodeOrder::Nibble, ScaleEncoding::Raw)));

// Of words of one row: every code in every slot under every stored scale, at
// every step; the other slots and scale bytes are random, and must not matter.
// The value of an e5m2 is that of the f16 whose upper byte it is.
TEST(DecodeSequence, TablesAreExactOverTheWholeDomain) {
  const BlockLayout layout =
      BlockLayout::of(CodeOrder::Bytes, ScaleEncoding::Relative);
  const FragmentMap fragment = wgmmaA8();
  std::mt19937 random(1);
  int checked = 0;
  for (int step = 0; step < 4; ++step) {
    const DecodeSequence sequence = decodeSequence(layout, step);
    ASSERT_EQ(sequence.results.size(), 2u);
    for (int slot = 0; slot < 8; ++slot)
      for (unsigned scale = 0; scale < 256; ++scale)
        for (unsigned code = 0; layout.holdsScale(scale) && code < 16; ++code) {
          uint32_t codes = 0;
          for (int each = 0; each < 8; ++each)
            for (unsigned bit = 0, other = random(); bit < 4; ++bit)
              codes |= ((each == slot ? code : other) >> bit & 1)
                       << layout.codeBit(each, bit);
          uint32_t scales = random();
          scales &= ~(0xFFu << 8 * step);
          scales |= uint32_t(layout.encodeScale(scale)) << 8 * step;
          // Register 2 is behind register 0, of the same row.
          const int element = layout.fragmentElement(slot);
          ASSERT_EQ(fragment(element, 0).row, 0);
          const uint32_t got = sequence.evaluate(codes, scales)[element / 8] >>
                                   8 * (element % 4) &
                               0xFF;
          const double value = decodeE5M2(got);
          ASSERT_EQ(value, decodeE2M1(code) * decodeE8M0(scale))
              << "slot " << slot << " code " << code << " scale " << scale;
          ASSERT_EQ(std::signbit(value), (code & 8) != 0);
          // All are normal numbers of the format.
          ASSERT_TRUE((code & 7) == 0 ||
                      ((got & 0x7C) > 0 && (got & 0x7C) < 0x7C));
          ++checked;
        }
  }
  EXPECT_EQ(checked, 4 * 8 * 27 * 16);
}

// Every instruction of every word once, behind what it takes values of, and of
// a stage in the order of the words.
TEST(DecodeSequence, InterleavedWordsAreWholeAndInOrder) {
  std::vector<DecodeSequence> words;
  words.reserve(8);
  for (int word = 0; word < 8; ++word)
    words.push_back(decodeSequence(
        BlockLayout::of(CodeOrder::Bytes, ScaleEncoding::Relative), word / 2));
  std::vector<std::vector<bool>> known(8);
  for (size_t word = 0; word < 8; ++word) {
    known[word].assign(2 + words[word].instructions.size(), false);
    known[word][0] = known[word][1] = true;
  }
  size_t count = 0, lastWord = 0;
  int lastStage = 0;
  for (const InterleavedInst &at : interleave(words)) {
    const DecodeInst &inst = words[at.word].instructions[at.instruction];
    for (int value : {inst.lhs, inst.rhs, inst.selector})
      EXPECT_TRUE(value < 0 || known[at.word][value])
          << "word " << at.word << " instruction " << at.instruction;
    EXPECT_FALSE(known[at.word][2 + at.instruction]);
    known[at.word][2 + at.instruction] = true;
    EXPECT_GE(inst.stage, lastStage);
    if (inst.stage == lastStage)
      EXPECT_GE(at.word, lastWord);
    lastStage = inst.stage;
    lastWord = at.word;
    ++count;
  }
  EXPECT_EQ(count, 8 * words[0].instructions.size());
  EXPECT_EQ(lastStage, 5);
}

// The counts that the documentation quotes. A cheaper sequence is welcome here.
TEST(DecodeSequence, Cost) {
  const DecodeCost fast = decodeSequence({}, 0).cost();
  EXPECT_EQ(fast.bf16x2, 4);
  // 8 operations for the values; two for both scales, which the two k16 steps
  // of a k32 slice share. Both pipes get six for the values.
  EXPECT_EQ(fast.alu, 6 + 1);
  EXPECT_EQ(fast.multiply + fast.bf16x2, 6 + 1);
  const DecodeCost exact =
      decodeSequence({CodeOrder::Spread, ScaleEncoding::Raw}, 0).cost();
  EXPECT_EQ(exact.bf16x2, 8);
  EXPECT_GT(exact.total(), fast.total());
  const DecodeCost table =
      decodeSequence(BlockLayout::of(CodeOrder::Bytes, ScaleEncoding::Relative),
                     0)
          .cost();
  // A byte, two additions, three masks, a shift, two permutations and two
  // signs; two multiplications and a shift of signs.
  EXPECT_EQ(table.multiply, 2 + 1);
  EXPECT_EQ(table.alu, 1 + 2 + 3 + 1 + 2 + 2);
  EXPECT_EQ(table.bf16x2, 0);
}

TEST(DecodeSequence, NamesAreDistinct) {
  EXPECT_EQ(sequenceName({CodeOrder::Spread, ScaleEncoding::Folded}), "fast");
  EXPECT_EQ(sequenceName({CodeOrder::Spread, ScaleEncoding::Raw}), "exact");
  EXPECT_EQ(sequenceName({CodeOrder::Nibble, ScaleEncoding::Folded}),
            "plain-fast");
  EXPECT_EQ(
      sequenceName(BlockLayout::of(CodeOrder::Bytes, ScaleEncoding::Relative)),
      "table");
  EXPECT_EQ(sequenceName({CodeOrder::Nibble, ScaleEncoding::Raw}), "plain");
}

// Operands are the inputs, codes and scales, or what earlier instructions gave.
TEST(DecodeSequence, OperandsAreInputsOrEarlierValues) {
  DecodeSequence sequence;
  sequence.instructions = {{DecodeOpcode::Shl, 1, 0, 0},    // 3 << 2
                           {DecodeOpcode::Add, 0, 1, 0},    // 2 + 3
                           {DecodeOpcode::Or, 2, 3, 0},     // 12 | 5
                           {DecodeOpcode::Add, 4, -1, 100}, // 13 + 100
                           {DecodeOpcode::Rotl, 5, 0, 0}};  // by 2
  sequence.results = {2, 3, 5, 6};
  EXPECT_EQ(sequence.evaluate(/*codes=*/2, /*scales=*/3),
            (std::vector<uint32_t>{12, 5, 113, 452}));
}

// Bits that leave on the left come back on the right.
TEST(DecodeSequence, RotatesBits) {
  for (uint32_t by = 0; by < 32; ++by) {
    DecodeSequence sequence;
    sequence.instructions = {{DecodeOpcode::Rotl, 0, -1, by}};
    sequence.results = {2, 2, 2, 2};
    for (int bit = 0; bit < 32; ++bit)
      EXPECT_EQ(sequence.evaluate(1u << bit, 0)[0], 1u << (bit + by) % 32);
  }
}

} // namespace
