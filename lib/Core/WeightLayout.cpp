//===- WeightLayout.cpp - Packed MXFP4 weights ----------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mxfp4/Core/WeightLayout.h"

#include "mxfp4/Core/Format.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <cstring>

using namespace mxfp4;

std::string BlockLayout::verify() const {
  if ((order == CodeOrder::Bytes) == (scales == ScaleEncoding::Relative))
    return "";
  return std::string("requires codes in the order 'bytes' and 'relative' "
                     "scales together, but has '") +
         name(order) + "' and '" + name(scales) + "'";
}

FragmentMap BlockLayout::codeMap() const {
  FragmentMap map = mmaA();
  if (order == CodeOrder::Bytes) {
    const FragmentMap fragment = wgmmaA8();
    map.lane = fragment.lane;
    map.element.clear();
    for (int bit = 1; bit < kWordCodes * stepWords(); bit *= 2)
      map.element.push_back(fragment(fragmentElement(bit), 0));
  }
  map = map.permuteRows(rowPermutation());
  // A thread's words follow each other step by step; each warp has 16 rows.
  for (int col = stepCols(); col < cols; col *= 2)
    map.element.push_back({0, col});
  for (int row = 16; row < rows; row *= 2)
    map.warp.push_back({row, 0});
  return map;
}

std::vector<int> BlockLayout::rowPermutation() { return {2, 4, 8, 1}; }

int BlockLayout::fragmentElement(int element) const {
  if (order != CodeOrder::Bytes)
    return element;
  // Registers alternate between the thread's two rows, but a word has one row.
  return (element & 3) | (element & 4) << 1 | (element & 8) >> 1;
}

int BlockLayout::wordOffset(int thread, int word) const {
  return word / loadWords() * loadCodeBytes() + laneCodeBytes() * thread +
         4 * (word % loadWords());
}

int BlockLayout::scaleWordOffset(int lane, int warp) const {
  return codeBytes() + warpScaleBytes() * warp + quadScaleBytes() * (lane / 4);
}

int BlockLayout::scaleByte(int slot, int word) const {
  const int fragmentRowBit3 =
      order == CodeOrder::Bytes ? word & 1 : slot >> 1 & 1;
  return slices() * fragmentRowBit3 +
         word / stepWords() * stepCols() / scaleBlock;
}

int BlockLayout::codeBit(int slot, int bit) const {
  if (order == CodeOrder::Bytes)
    return bit < 3 ? 4 * slot + bit : 8 * (slot & 3) + (slot < 4 ? 7 : 3);
  const int half = slot & 1, reg = slot >> 1;
  if (order == CodeOrder::Nibble)
    return 16 * half + 4 * reg + bit;
  // Columns m, e0, e1, s. Registers 0 to 2 repeat one pattern, shifted by
  // three; register 3 gets the bits that they leave free, as the word rotated
  // left by six shows them.
  static constexpr int placed[4] = {6, 7, 8, 15}, leftover[4] = {3, 4, 0, 1};
  return reg == 3 ? (16 * half + leftover[bit] + 32 - 6) % 32
                  : 16 * half + placed[bit] - 3 * reg;
}

bool BlockLayout::holdsScale(uint8_t scale) const {
  switch (scales) {
  case ScaleEncoding::Folded:
    return scale <= 128;
  case ScaleEncoding::Raw:
    return true;
  case ScaleEncoding::Relative:
    return scale >= kRelativeLeast && scale <= kRelativeLeast + kRelativeSpan;
  }
  return false;
}

uint8_t BlockLayout::scaleOffset() const {
  switch (scales) {
  case ScaleEncoding::Folded:
    return 126;
  case ScaleEncoding::Raw:
    return 0;
  case ScaleEncoding::Relative:
    return static_cast<uint8_t>(-kRelativeLeast);
  }
  return 0;
}

uint8_t BlockLayout::encodeScale(uint8_t scale) const {
  assert(holdsScale(scale) && "scale does not fit the encoding");
  return scale + scaleOffset();
}

uint8_t BlockLayout::decodeScale(uint8_t stored) const {
  return stored - scaleOffset();
}

const char *mxfp4::name(CodeOrder order) {
  switch (order) {
  case CodeOrder::Spread:
    return "spread";
  case CodeOrder::Nibble:
    return "nibble";
  case CodeOrder::Bytes:
    return "bytes";
  }
  return "";
}

const char *mxfp4::name(ScaleEncoding scales) {
  switch (scales) {
  case ScaleEncoding::Folded:
    return "folded";
  case ScaleEncoding::Raw:
    return "raw";
  case ScaleEncoding::Relative:
    return "relative";
  }
  return "";
}

const char *mxfp4::name(ColumnOrder columns) {
  switch (columns) {
  case ColumnOrder::Plain:
    return "plain";
  case ColumnOrder::Interleaved:
    return "interleaved";
  case ColumnOrder::Apart:
    return "apart";
  }
  return "";
}

bool mxfp4::parse(const std::string &text, CodeOrder &order) {
  for (CodeOrder candidate :
       {CodeOrder::Spread, CodeOrder::Nibble, CodeOrder::Bytes})
    if (text == name(candidate))
      return order = candidate, true;
  return false;
}

bool mxfp4::parse(const std::string &text, ScaleEncoding &scales) {
  for (ScaleEncoding candidate :
       {ScaleEncoding::Folded, ScaleEncoding::Raw, ScaleEncoding::Relative})
    if (text == name(candidate))
      return scales = candidate, true;
  return false;
}

bool mxfp4::parse(const std::string &text, ColumnOrder &columns) {
  for (ColumnOrder candidate :
       {ColumnOrder::Plain, ColumnOrder::Interleaved, ColumnOrder::Apart})
    if (text == name(candidate))
      return columns = candidate, true;
  return false;
}

namespace {

/// What `pack` and `unpack` share: the tables of a layout and the walk over
/// blocks, threads and words.
class BlockWalk {
public:
  BlockWalk(const BlockLayout &layout, int64_t n, int64_t k)
      : layout(layout), n(n), k(k), map(layout.codeMap()) {
    for (int slot = 0; slot < 8; ++slot)
      for (int code = 0; code < 16; ++code) {
        uint32_t word = 0;
        for (int bit = 0; bit < 4; ++bit)
          word |= uint32_t(code >> bit & 1) << layout.codeBit(slot, bit);
        spread[slot][code] = word;
      }
  }

  bool validShape() const {
    return n > 0 && k > 0 && k % layout.scaleBlock == 0;
  }

  /// Calls visit(blockOffset, nb, kb) for each block.
  template <typename Visit> void forEachBlock(Visit visit) const {
    int64_t offset = 0;
    for (int64_t nb = 0; nb < layout.rowBlocks(n); ++nb)
      for (int64_t kb = 0; kb < layout.colBlocks(k); ++kb) {
        visit(offset, nb, kb);
        offset += layout.bytes();
      }
  }

  /// Calls visit(byteOffset in block, slot, row, col) for each code, slots of
  /// one word together and in order.
  template <typename Visit> void forEachCode(Visit visit) const {
    for (int thread = 0; thread < layout.threads(); ++thread)
      for (int word = 0; word < layout.words(); ++word)
        for (int slot = 0; slot < 8; ++slot) {
          Coord at = map(8 * word + slot, thread % kWarpThreads,
                         thread / kWarpThreads);
          visit(layout.wordOffset(thread, word), slot, at.row, at.col);
        }
  }

  /// Calls visit(byteOffset in block, row, slice) for each scale.
  template <typename Visit> void forEachScale(Visit visit) const {
    // A thread's two rows are two slots of one word or, with CodeOrder::Bytes,
    // two words of one step.
    const int stepsOfScale = std::max(1, layout.scaleBlock / layout.stepCols());
    for (int thread = 0; thread < layout.threads(); thread += 4)
      for (int first = 0; first < layout.words();
           first += stepsOfScale * layout.stepWords())
        for (int row = 0; row < 2; ++row) {
          const bool isWord = layout.order == CodeOrder::Bytes;
          const int word = first + (isWord ? row : 0);
          const int slot = isWord ? 0 : 2 * row;
          Coord at = map(8 * word + slot, thread % kWarpThreads,
                         thread / kWarpThreads);
          visit(layout.scaleWordOffset(thread % kWarpThreads,
                                       thread / kWarpThreads) +
                    layout.scaleByte(slot, word),
                at.row, at.col / layout.scaleBlock);
        }
  }

  uint32_t place(int slot, unsigned code) const { return spread[slot][code]; }
  unsigned extract(int slot, uint32_t word) const {
    unsigned code = 0;
    for (int bit = 0; bit < 4; ++bit)
      code |= (word >> layout.codeBit(slot, bit) & 1) << bit;
    return code;
  }

private:
  BlockLayout layout;
  int64_t n, k;
  FragmentMap map;
  std::array<std::array<uint32_t, 16>, 8> spread;
};

} // namespace

PackStatus mxfp4::pack(const BlockLayout &layout, const uint8_t *codes,
                       const uint8_t *scales, int64_t n, int64_t k,
                       uint8_t *out) {
  BlockWalk walk(layout, n, k);
  if (!walk.validShape())
    return PackStatus::BadShape;
  const int64_t slices = k / layout.scaleBlock;
  for (int64_t i = 0; i < n * slices; ++i)
    if (!layout.holdsScale(scales[i]))
      return PackStatus::ScaleOutOfRange;

  walk.forEachBlock([&](int64_t offset, int64_t nb, int64_t kb) {
    uint8_t *block = out + offset;
    std::memset(block, 0, layout.codeBytes());
    walk.forEachCode([&](int at, int slot, int row, int col) {
      const int64_t globalRow = nb * layout.rows + row;
      const int64_t globalCol = kb * layout.cols + col;
      if (globalRow >= n || globalCol >= k)
        return;
      const uint8_t pair = codes[(globalRow * k + globalCol) / 2];
      const unsigned code = globalCol & 1 ? pair >> 4 : pair & 15;
      uint32_t word;
      std::memcpy(&word, block + at, sizeof(word));
      word |= walk.place(slot, code);
      std::memcpy(block + at, &word, sizeof(word));
    });
    walk.forEachScale([&](int at, int row, int slice) {
      const int64_t globalRow = nb * layout.rows + row;
      const int64_t globalSlice = kb * layout.slices() + slice;
      const bool inside = globalRow < n && globalSlice < slices;
      block[at] =
          inside ? layout.encodeScale(scales[globalRow * slices + globalSlice])
                 : layout.paddingScale();
    });
  });
  return PackStatus::Success;
}

PackStatus mxfp4::unpack(const BlockLayout &layout, const uint8_t *packed,
                         int64_t n, int64_t k, uint8_t *codes,
                         uint8_t *scales) {
  BlockWalk walk(layout, n, k);
  if (!walk.validShape())
    return PackStatus::BadShape;
  const int64_t slices = k / layout.scaleBlock;
  std::memset(codes, 0, n * k / 2);
  walk.forEachBlock([&](int64_t offset, int64_t nb, int64_t kb) {
    const uint8_t *block = packed + offset;
    walk.forEachCode([&](int at, int slot, int row, int col) {
      const int64_t globalRow = nb * layout.rows + row;
      const int64_t globalCol = kb * layout.cols + col;
      if (globalRow >= n || globalCol >= k)
        return;
      uint32_t word;
      std::memcpy(&word, block + at, sizeof(word));
      codes[(globalRow * k + globalCol) / 2] |= walk.extract(slot, word)
                                                << (globalCol & 1 ? 4 : 0);
    });
    walk.forEachScale([&](int at, int row, int slice) {
      const int64_t globalRow = nb * layout.rows + row;
      const int64_t globalSlice = kb * layout.slices() + slice;
      if (globalRow < n && globalSlice < slices)
        scales[globalRow * slices + globalSlice] =
            layout.decodeScale(block[at]);
    });
  });
  return PackStatus::Success;
}

/// Least and greatest E8M0 bytes of a row's scale blocks that have a code other
/// than zero; the greatest is -1 if there is none.
static RowSpan spanOf(const uint8_t *codes, const uint8_t *scales, int64_t row,
                      int64_t slices) {
  RowSpan span{row, kScaleNaN, -1};
  for (int64_t slice = row * slices; slice < (row + 1) * slices; ++slice) {
    const uint8_t *block = codes + slice * kScaleBlock / 2;
    // NaN times zero is NaN, too.
    if (scales[slice] != kScaleNaN &&
        std::all_of(block, block + kScaleBlock / 2,
                    [](uint8_t pair) { return (pair & 0x77) == 0; }))
      continue;
    span.least = std::min<int>(span.least, scales[slice]);
    span.most = std::max<int>(span.most, scales[slice]);
  }
  return span;
}

PackStatus mxfp4::takeRowPowers(const uint8_t *codes, const uint8_t *scales,
                                int64_t n, int64_t k, uint8_t *reduced,
                                float *powers, RowSpan &refused) {
  if (n <= 0 || k <= 0 || k % kScaleBlock != 0)
    return PackStatus::BadShape;
  const int64_t slices = k / kScaleBlock;
  for (int64_t row = 0; row < n; ++row) {
    const RowSpan span = spanOf(codes, scales, row, slices);
    if (span.most == kScaleNaN || span.most - span.least > kRelativeSpan) {
      refused = span;
      return PackStatus::ScaleOutOfRange;
    }
    // The row power is the middle of the span, which is a normal f32 for all
    // scales.
    const int middle =
        span.most < 0 ? kScaleBias : (span.least + span.most) / 2;
    powers[row] = std::ldexp(1.0f, middle - kScaleBias);
    for (int64_t slice = row * slices; slice < (row + 1) * slices; ++slice) {
      const int scale = scales[slice] - middle + kScaleBias;
      const bool isUsed =
          scales[slice] >= span.least && scales[slice] <= span.most;
      reduced[slice] = static_cast<uint8_t>(isUsed ? scale : kScaleBias);
    }
  }
  return PackStatus::Success;
}
