//===- WeightLayoutTest.cpp -----------------------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Guarded.h"

#include "mxfp4/Core/WeightLayout.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>
#include <set>
#include <string>

using namespace mxfp4;

namespace {

std::vector<BlockLayout> layouts() {
  return {{CodeOrder::Spread, ScaleEncoding::Folded},
          {CodeOrder::Spread, ScaleEncoding::Raw},
          {CodeOrder::Nibble, ScaleEncoding::Folded},
          {CodeOrder::Nibble, ScaleEncoding::Raw}};
}

TEST(WeightLayout, CodeMapIsABijectionOntoTheBlock) {
  const FragmentMap map = BlockLayout().codeMap();
  EXPECT_EQ(map.rows(), 64);
  EXPECT_EQ(map.cols(), 64);
  EXPECT_TRUE(map.isBijection());
}

TEST(WeightLayout, TheBlockHasItsDocumentedSizes) {
  const BlockLayout layout;
  EXPECT_EQ(layout.threads(), 128);
  EXPECT_EQ(layout.codeBytes(), 2048);
  EXPECT_EQ(layout.scaleBytes(), 128);
  EXPECT_EQ(layout.bytes(), 2176);
  EXPECT_EQ(layout.packedBytes(65, 64), 2 * 2176);
  EXPECT_EQ(layout.packedBytes(64, 65), 2 * 2176);
}

TEST(WeightLayout, EveryBitOfAWordIsUsedOnce) {
  for (const BlockLayout &layout : layouts()) {
    std::set<int> used;
    for (int slot = 0; slot < 8; ++slot)
      for (int bit = 0; bit < 4; ++bit)
        used.insert(layout.codeBit(slot, bit));
    EXPECT_EQ(used.size(), 32u);
    EXPECT_EQ(*used.begin(), 0);
    EXPECT_EQ(*used.rbegin(), 31);
  }
}

TEST(WeightLayout, ScaleBytesCoverTheScaleAreaOnce) {
  std::set<int> used;
  for (int warp = 0; warp < 4; ++warp)
    for (int lane = 0; lane < 32; lane += 4)
      for (int word = 0; word < 4; word += 2)
        for (int slot = 0; slot < 4; slot += 2)
          used.insert(BlockLayout().scaleWordOffset(lane, warp) +
                      BlockLayout().scaleByte(slot, word));
  EXPECT_EQ(used.size(), 128u);
  EXPECT_EQ(*used.begin(), 2048);
  EXPECT_EQ(*used.rbegin(), 2175);
}

TEST(WeightLayout, ScaleEncodings) {
  for (const BlockLayout &layout : layouts())
    for (int scale = 0; scale < 256; ++scale) {
      const bool folded = layout.scales == ScaleEncoding::Folded;
      ASSERT_EQ(layout.holdsScale(scale), !folded || scale <= 128);
      if (layout.holdsScale(scale))
        EXPECT_EQ(layout.decodeScale(layout.encodeScale(scale)), scale);
    }
}

// Codes tagged with their own position: after pack, the word of each thread
// must hold the code of the position that the map names.
TEST(WeightLayout, PackPutsEachCodeWhereTheMapSays) {
  const int64_t n = 128, k = 192;
  auto tag = [](int64_t row, int64_t col, int digit) {
    return unsigned((row * 192 + col) >> 4 * digit & 15);
  };
  // A position has 15 bits: four passes, one hexadecimal digit each.
  for (int digit = 0; digit < 4; ++digit)
    for (const BlockLayout &layout : layouts()) {
      std::vector<uint8_t> codes(n * k / 2), scales(n * k / 32, 100),
          packed(layout.packedBytes(n, k));
      for (int64_t row = 0; row < n; ++row)
        for (int64_t col = 0; col < k; ++col)
          codes[(row * k + col) / 2] |= tag(row, col, digit)
                                        << (col & 1 ? 4 : 0);
      ASSERT_EQ(pack(layout, codes.data(), scales.data(), n, k, packed.data()),
                PackStatus::Success);
      const FragmentMap map = BlockLayout().codeMap();
      for (int64_t block = 0; block < 2 * 3; ++block)
        for (int thread = 0; thread < 128; ++thread)
          for (int element = 0; element < 32; ++element) {
            uint32_t word;
            std::memcpy(&word,
                        &packed[block * 2176 + 16 * thread + element / 8 * 4],
                        4);
            unsigned code = 0;
            for (int bit = 0; bit < 4; ++bit)
              code |= (word >> layout.codeBit(element % 8, bit) & 1) << bit;
            const Coord at = map(element, thread % 32, thread / 32);
            ASSERT_EQ(code, tag(block / 3 * 64 + at.row,
                                block % 3 * 64 + at.col, digit));
          }
    }
}

/// Bytes between guard bands.
class Guarded {
public:
  explicit Guarded(size_t size) : bytes(guardedAlloc(size)), size(size) {}
  Guarded(const Guarded &) = delete;
  Guarded &operator=(const Guarded &) = delete;
  ~Guarded() {
    EXPECT_TRUE(guardedFree(bytes, size)) << "a guard band was written to";
  }
  operator uint8_t *() { return bytes; }

private:
  uint8_t *bytes;
  size_t size;
};

// Tests with guard bands can fail.
TEST(Guarded, BandsTellWhoLeavesABuffer) {
  for (int64_t at : {-kGuardBytes, -1, 5, 5 + kGuardBytes - 1}) {
    uint8_t *buffer = guardedAlloc(5);
    volatile uint8_t *place = buffer + at;
    if (kBandsArePoisoned) {
      EXPECT_DEATH(*place = 0, "use-after-poison");
      EXPECT_DEATH((void)*place, "use-after-poison");
      EXPECT_TRUE(guardedFree(buffer, 5));
      continue;
    }
    *place = 0;
    EXPECT_FALSE(guardedFree(buffer, 5));
  }
  uint8_t *buffer = guardedAlloc(5);
  std::memset(buffer, 0, 5);
  EXPECT_TRUE(guardedFree(buffer, 5));
}

// N and K end anywhere in a block. Every byte of a result is written, and
// depends on the arguments alone.
TEST(WeightLayout, PackAndUnpackStayInsideOfTheirBuffers) {
  for (const BlockLayout &layout : layouts())
    for (int64_t n : {1, 2, 31, 63, 64, 65, 127, 128, 129})
      for (int64_t k : {32, 64, 96, 128, 160}) {
        SCOPED_TRACE("n = " + std::to_string(n) + ", k = " + std::to_string(k));
        const size_t codeBytes = n * k / 2, scaleBytes = n * k / 32,
                     blockBytes = layout.packedBytes(n, k);
        std::mt19937 random(n * 1000 + k);
        Guarded codes(codeBytes), scales(scaleBytes);
        for (size_t i = 0; i < codeBytes; ++i)
          codes[i] = random();
        for (size_t i = 0; i < scaleBytes; ++i)
          scales[i] = random() % 129;

        Guarded packed(blockBytes), again(blockBytes);
        std::memset(again, 0x5A, blockBytes);
        for (uint8_t *out : {&packed[0], &again[0]})
          ASSERT_EQ(pack(layout, codes, scales, n, k, out),
                    PackStatus::Success);
        EXPECT_EQ(std::memcmp(packed, again, blockBytes), 0);

        Guarded codesBack(codeBytes), scalesBack(scaleBytes);
        ASSERT_EQ(unpack(layout, packed, n, k, codesBack, scalesBack),
                  PackStatus::Success);
        EXPECT_EQ(std::memcmp(codes, codesBack, codeBytes), 0);
        EXPECT_EQ(std::memcmp(scales, scalesBack, scaleBytes), 0);
      }
}

// Not a byte is written where the answer is no.
TEST(WeightLayout, RefusalsWriteNothing) {
  for (const BlockLayout &layout : layouts())
    for (auto [n, k] : {std::pair<int64_t, int64_t>{0, 32},
                        {-1, 32},
                        {1, 0},
                        {1, -32},
                        {1, 31},
                        {1, 48}}) {
      Guarded nothing(0), packed(0);
      EXPECT_EQ(pack(layout, nothing, nothing, n, k, packed),
                PackStatus::BadShape);
      EXPECT_EQ(unpack(layout, packed, n, k, nothing, nothing),
                PackStatus::BadShape);
    }
}

TEST(WeightLayout, PaddingIsCodeZeroUnderABenignScale) {
  for (const BlockLayout &layout : layouts()) {
    std::vector<uint8_t> codes(16, 0xFF), scales(1, 3), packed(2176, 0xFF);
    ASSERT_EQ(pack(layout, codes.data(), scales.data(), 1, 32, packed.data()),
              PackStatus::Success);
    int nonzero = 0, other = 0;
    for (int i = 0; i < 2048; ++i)
      nonzero += __builtin_popcount(packed[i]);
    for (int i = 2048; i < 2176; ++i)
      other += packed[i] != layout.paddingScale();
    EXPECT_EQ(nonzero, 32 * 4);
    EXPECT_EQ(other, 1);
  }
}

TEST(WeightLayout, RefusesWhatDoesNotFit) {
  const BlockLayout folded{}, raw{CodeOrder::Spread, ScaleEncoding::Raw};
  std::vector<uint8_t> codes(32), scales = {128, 129}, packed(2 * 2176);
  EXPECT_EQ(pack(folded, codes.data(), scales.data(), 2, 32, packed.data()),
            PackStatus::ScaleOutOfRange);
  EXPECT_EQ(pack(raw, codes.data(), scales.data(), 2, 32, packed.data()),
            PackStatus::Success);
  EXPECT_EQ(pack(raw, codes.data(), scales.data(), 2, 48, packed.data()),
            PackStatus::BadShape);
  EXPECT_EQ(pack(raw, codes.data(), scales.data(), 0, 32, packed.data()),
            PackStatus::BadShape);
}

BlockLayout bytesLayout() {
  return BlockLayout::of(CodeOrder::Bytes, ScaleEncoding::Relative);
}

TEST(WeightLayout, BlocksOfBytesHaveTheirDocumentedSizes) {
  const BlockLayout layout = bytesLayout();
  EXPECT_EQ(layout.cols, 128);
  EXPECT_EQ(layout.codeBytes(), 4096);
  EXPECT_EQ(layout.scaleBytes(), 256);
  EXPECT_EQ(layout.bytes(), 4352);
  // Two loads of 16 bytes and eight scales of a thread.
  EXPECT_EQ(layout.loads(), 2);
  for (int thread : {0, 1, 77, 127}) {
    EXPECT_EQ(layout.wordOffset(thread, 0), 16 * thread);
    EXPECT_EQ(layout.wordOffset(thread, 3), 16 * thread + 12);
    EXPECT_EQ(layout.wordOffset(thread, 4), 2048 + 16 * thread);
  }
  EXPECT_EQ(layout.scaleWordOffset(/*lane=*/4 * 3, /*warp=*/2),
            4096 + 64 * 2 + 8 * 3);
  EXPECT_EQ(layout.scaleByte(/*slot=*/0, /*word=*/5), 4 + 2);
  EXPECT_EQ(layout.paddingScale(), 13);
  EXPECT_EQ(layout.packedBytes(64, 2880), 23 * 4352);
}

TEST(WeightLayout, OrdersAndScalesGoTogether) {
  for (CodeOrder order :
       {CodeOrder::Spread, CodeOrder::Nibble, CodeOrder::Bytes})
    for (ScaleEncoding scales :
         {ScaleEncoding::Folded, ScaleEncoding::Raw, ScaleEncoding::Relative})
      EXPECT_EQ(BlockLayout::of(order, scales).verify().empty(),
                (order == CodeOrder::Bytes) ==
                    (scales == ScaleEncoding::Relative));
  for (int scale = 0; scale < 256; ++scale) {
    EXPECT_EQ(bytesLayout().holdsScale(scale), scale >= 114 && scale <= 140);
    if (bytesLayout().holdsScale(scale))
      EXPECT_EQ(bytesLayout().decodeScale(bytesLayout().encodeScale(scale)),
                scale);
  }
}

/// Rows of scales between two bytes, both of which occur.
void fillScales(std::vector<uint8_t> &scales, int64_t slices, int least,
                int most, std::mt19937 &random) {
  for (uint8_t &scale : scales)
    scale = least + random() % (most - least + 1);
  for (size_t row = 0; row < scales.size(); row += slices) {
    scales[row] = least;
    scales[row + slices - 1] = most;
  }
}

// Whatever 27 exponents the scales of a row have, code times scale is what is
// packed times the power.
TEST(WeightLayout, RowPowersAreExact) {
  std::mt19937 random(5);
  const int64_t n = 8, k = 160, slices = k / 32;
  std::vector<uint8_t> codes(n * k / 2), scales(n * slices),
      reduced(n * slices);
  std::vector<float> powers(n);
  for (int span = 0; span <= kRelativeSpan; ++span)
    for (int least = 0; least + span < 255; ++least) {
      for (uint8_t &code : codes)
        code = random();
      fillScales(scales, slices, least, least + span, random);
      RowSpan refused;
      ASSERT_EQ(takeRowPowers(codes.data(), scales.data(), n, k, reduced.data(),
                              powers.data(), refused),
                PackStatus::Success);
      EXPECT_EQ(refused.row, -1);
      for (int64_t i = 0; i < n * slices; ++i) {
        ASSERT_TRUE(bytesLayout().holdsScale(reduced[i]));
        ASSERT_EQ(std::ldexp(double(powers[i / slices]), reduced[i] - 127),
                  std::ldexp(1.0, scales[i] - 127));
      }
    }
}

// A span of one exponent more is refused with the row and its scales, and so is
// NaN; scale blocks of zeros do not count, unless they are NaN.
TEST(WeightLayout, RowsWithoutAPowerAreNamed) {
  const int64_t n = 4, k = 96, slices = 3;
  std::vector<uint8_t> codes(n * k / 2, 0x11), scales(n * slices, 120),
      reduced(n * slices);
  std::vector<float> powers(n);
  RowSpan refused;
  const auto take = [&] {
    return takeRowPowers(codes.data(), scales.data(), n, k, reduced.data(),
                         powers.data(), refused);
  };
  scales[2 * slices + 1] = 120 - kRelativeSpan;
  EXPECT_EQ(take(), PackStatus::Success);
  scales[2 * slices + 1] = 120 - kRelativeSpan - 1;
  ASSERT_EQ(take(), PackStatus::ScaleOutOfRange);
  EXPECT_EQ(refused.row, 2);
  EXPECT_EQ(refused.least, 93);
  EXPECT_EQ(refused.most, 120);
  // Zeros of both signs.
  for (int i = 0; i < 16; ++i)
    codes[((2 * slices + 1) * 32) / 2 + i] = i % 2 ? 0x80 : 0x08;
  EXPECT_EQ(take(), PackStatus::Success);
  EXPECT_EQ(reduced[2 * slices + 1], 127);
  EXPECT_EQ(powers[2], std::ldexp(1.0f, 120 - 127));
  scales[2 * slices + 1] = 255;
  ASSERT_EQ(take(), PackStatus::ScaleOutOfRange);
  EXPECT_EQ(refused.row, 2);
  EXPECT_EQ(refused.most, 255);
  EXPECT_EQ(takeRowPowers(codes.data(), scales.data(), n, 48, reduced.data(),
                          powers.data(), refused),
            PackStatus::BadShape);
}

TEST(WeightLayout, NamesRoundTrip) {
  std::vector<BlockLayout> all = layouts();
  all.push_back(bytesLayout());
  for (const BlockLayout &layout : all) {
    BlockLayout back;
    EXPECT_TRUE(parse(name(layout.order), back.order));
    EXPECT_TRUE(parse(name(layout.scales), back.scales));
    EXPECT_TRUE(BlockLayout::of(back.order, back.scales) == layout);
    EXPECT_FALSE(parse("other", back.order));
    EXPECT_FALSE(parse("other", back.scales));
  }
  for (ColumnOrder columns :
       {ColumnOrder::Plain, ColumnOrder::Interleaved, ColumnOrder::Apart}) {
    BlockLayout layout, back;
    layout.columns = columns;
    EXPECT_TRUE(parse(name(columns), back.columns));
    EXPECT_TRUE(back == layout);
    EXPECT_EQ(back == BlockLayout(), columns == ColumnOrder::Plain);
    EXPECT_FALSE(parse("pairs", back.columns));
  }
}

} // namespace
