//===- WeightLayout.h - Packed MXFP4 weights --------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The fragment-major layout: weights stored in the order in which tensor-core
// fragments want them, so that a thread's operand is one 16-byte load.
//
// Invariants:
//   1. The weights of one expert are an array [ceil(N/64)][ceil(K/64)] of
//      blocks; a block is 2176 contiguous bytes: 2048 of codes, 128 of scales.
//   2. Thread t of a warpgroup (0..127) owns the 16 bytes of codes at 16 * t.
//      Their 32-bit word j is k16 step j, and holds the thread's eight codes of
//      the A fragment of that step (`wgmmaA`), with rows renamed by
//      `rowPermutation`.
//   3. A warp's slice of that fragment is the A fragment of mma.m16n8k16, so
//      the layout serves both instructions, and neither the number of warps nor
//      the tile enters it.
//   4. The scales of a thread are the 32-bit word at 2048 + 32 * warp +
//      4 * (lane / 4): byte 2 * h + s is the scale of k32 slice s of the
//      thread's row with fragment-row bit 3 equal to h, so that the two scales
//      of a slice are half a word apart.
//   5. Positions past N or K hold code 0 and a benign scale (never NaN).
//
// Blocks in the order `bytes`, for instructions on numbers of 8 bits, have 64 x
// 128 weights in 4096 bytes of codes and 256 of scales. A word holds eight
// codes of one row in a k32 step, so that words 2j and 2j + 1 are step j of the
// thread's two rows. Words 0 to 3 lie at 16 * t and words 4 to 7 at 2048 + 16 *
// t: two loads of 16 bytes. The scales of a thread are eight bytes, four for
// each of its rows.
//
// Row permutation: fragment rows g and g + 8 of a 16-row slice are weight rows
// 2g and 2g + 1. The two accumulators of a thread for one token are then
// neighbours in the output, a warp stores whole 32-byte sectors, and an
// interleaved gate/up pair sits in one thread.
//
// Worked example: thread 0, word 0 holds weight rows n = 0 and 1 at
// k = 0, 1, 8, 9; word 1 the same rows at k = 16, 17, 24, 25.
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_CORE_WEIGHTLAYOUT_H
#define MXFP4_CORE_WEIGHTLAYOUT_H

#include "mxfp4/Core/FragmentMap.h"
#include "mxfp4/Core/Warp.h"

#include <cstdint>
#include <string>

namespace mxfp4 {

/// Where the eight codes of a word put their bits.
enum class CodeOrder {
  /// Four pairs, three of them a shift and a mask away from two bf16 values:
  /// the order for speed.
  Spread,
  /// Slot (r, h) in bits 16h + 4r .. 16h + 4r + 3: the order to read by eye.
  Nibble,
  /// Magnitudes are the selectors of byte permutations, which look them up in a
  /// table of eight; signs apart from them, where a shift and a mask bring four
  /// to the tops of bytes. For instructions on numbers of 8 bits.
  Bytes,
};

/// How a scale byte is stored.
enum class ScaleEncoding {
  /// E8M0 byte b stored as b + 126, the exponent field of 2^(b-1): scale and
  /// the bias of E2M1 become one multiply. Needs every b <= 128.
  Folded,
  /// The E8M0 byte itself: any value, NaN included.
  Raw,
  /// E8M0 byte b stored as b - 114, from 0 to 26: scales of 2^-13 to 2^13, with
  /// which all codes are normal numbers of e5m2. `takeRowPowers` makes such
  /// scales of others.
  Relative,
};

/// What the rows of weights, which are columns of the output, are to a gated
/// activation.
enum class ColumnOrder {
  /// Nothing is said of them.
  Plain,
  /// Row 2n is gate n and row 2n + 1 is up n: what an epilogue on pairs takes.
  Interleaved,
  /// Row n is gate n and row N/2 + n is up n.
  Apart,
};

/// One fragment-major layout: a value, which whoever needs a size or a place
/// asks. Two layouts that differ cannot read each other's weights, which is why
/// the dialect has a type for each.
struct BlockLayout {
  CodeOrder order = CodeOrder::Spread;
  ScaleEncoding scales = ScaleEncoding::Folded;
  /// Weights of a block along N and along K, and weights along K that share a
  /// scale: powers of two from 16 up, the last at most `cols`. The invariants
  /// above count for these; with others, a block has rows / 16 warps and a
  /// thread cols / 16 words.
  int rows = 64;
  int cols = 64;
  int scaleBlock = 32;
  /// Bytes do not depend on it: it says which epilogues make sense.
  ColumnOrder columns = ColumnOrder::Plain;

  /// The layout with this order and these scales that the dialect has a type
  /// for.
  static constexpr BlockLayout of(CodeOrder order, ScaleEncoding scales,
                                  ColumnOrder columns = ColumnOrder::Plain) {
    return {order, scales, 64, order == CodeOrder::Bytes ? 128 : 64,
            32,    columns};
  }
  /// Empty if order and scales go together, else what is wrong, as the rest of
  /// a sentence ("requires ...").
  std::string verify() const;

  /// Bits of a code, and codes of a word.
  static constexpr int codeBits() { return 4; }
  static constexpr int kWordCodes = 8;
  /// Warps and threads that hold a block together.
  constexpr int warps() const { return rows / 16; }
  constexpr int threads() const { return kWarpThreads * warps(); }
  /// 32-bit words of codes that a thread holds; those of an instruction's step
  /// along K, and columns of that; those that one load brings.
  constexpr int words() const { return cols / 16; }
  constexpr int stepWords() const { return order == CodeOrder::Bytes ? 2 : 1; }
  constexpr int stepCols() const { return 16 * stepWords(); }
  constexpr int loadWords() const {
    return order == CodeOrder::Bytes && words() > 4 ? 4 : words();
  }
  constexpr int loads() const { return words() / loadWords(); }
  /// Scales of a row.
  constexpr int slices() const { return cols / scaleBlock; }

  /// Strides of invariants 2 and 4, in bytes: four lanes, a quad, share the two
  /// rows of a fragment whose scales they need.
  constexpr int laneCodeBytes() const { return 4 * loadWords(); }
  constexpr int warpCodeBytes() const { return kWarpThreads * laneCodeBytes(); }
  /// From what one load brings to what the next one does.
  constexpr int loadCodeBytes() const { return warps() * warpCodeBytes(); }
  constexpr int quadScaleBytes() const { return 2 * slices(); }
  constexpr int warpScaleBytes() const { return 8 * quadScaleBytes(); }

  constexpr int codeBytes() const { return loads() * loadCodeBytes(); }
  constexpr int scaleBytes() const { return warps() * warpScaleBytes(); }
  constexpr int bytes() const { return codeBytes() + scaleBytes(); }

  /// Blocks along N and K of weights of this extent, and bytes of an expert.
  constexpr int64_t rowBlocks(int64_t n) const { return (n + rows - 1) / rows; }
  constexpr int64_t colBlocks(int64_t k) const { return (k + cols - 1) / cols; }
  constexpr int64_t packedBytes(int64_t n, int64_t k) const {
    return rowBlocks(n) * colBlocks(k) * bytes();
  }

  friend bool operator==(const BlockLayout &a, const BlockLayout &b) {
    return a.order == b.order && a.scales == b.scales && a.rows == b.rows &&
           a.cols == b.cols && a.scaleBlock == b.scaleBlock &&
           a.columns == b.columns;
  }

  /// (element = 8 * word + slot, lane, warp) -> (row, k) in the block. A
  /// bijection onto the block.
  FragmentMap codeMap() const;

  /// Images of the bits of a fragment row (0..15) among the weight rows.
  static std::vector<int> rowPermutation();

  /// Which element of the instruction's fragment a code of a step's words is
  /// (8 * word + slot).
  int fragmentElement(int element) const;

  /// Byte offset in the block of a thread's word.
  int wordOffset(int thread, int word) const;

  /// Byte offset in the block of a thread's scales.
  int scaleWordOffset(int lane, int warp) const;
  /// Byte behind that offset for a slot of word `word`.
  int scaleByte(int slot, int word) const;

  /// Bit of the 32-bit word that holds bit `bit` (0 = m .. 3 = s) of the code
  /// in `slot` (2 * register + half, or of `bytes` 4 * half of K + byte).
  int codeBit(int slot, int bit) const;

  /// True if the encoding can hold this E8M0 byte.
  bool holdsScale(uint8_t scale) const;
  uint8_t encodeScale(uint8_t scale) const;
  uint8_t decodeScale(uint8_t stored) const;
  /// What is stored of scale 0, which no encoding needs to hold: they are all
  /// the E8M0 byte plus a constant, modulo 256.
  uint8_t scaleOffset() const;
  /// The stored byte at positions past N or K: 2^0.
  uint8_t paddingScale() const { return encodeScale(127); }
};

/// "spread" / "nibble" / "bytes", "folded" / "raw" / "relative" and "plain" /
/// "interleaved" / "apart".
const char *name(CodeOrder order);
const char *name(ScaleEncoding scales);
const char *name(ColumnOrder columns);
/// False if the text names no order / encoding.
bool parse(const std::string &text, CodeOrder &order);
bool parse(const std::string &text, ScaleEncoding &scales);
bool parse(const std::string &text, ColumnOrder &columns);

/// Why weights could not be packed.
enum class PackStatus {
  Success,
  /// K is not a multiple of the scale block, or an extent is not positive.
  BadShape,
  /// A scale does not fit the layout's scale encoding.
  ScaleOutOfRange,
};

/// Packs one expert from the checkpoint layout, with scale blocks of S: `codes`
/// u8[N, K/S, S/2] with value 2j of a block in the low nibble of byte j,
/// `scales` u8[N, K/S], into `out` u8[packedBytes(N, K)].
PackStatus pack(const BlockLayout &layout, const uint8_t *codes,
                const uint8_t *scales, int64_t n, int64_t k, uint8_t *out);

/// The inverse of `pack`; padding is ignored.
PackStatus unpack(const BlockLayout &layout, const uint8_t *packed, int64_t n,
                  int64_t k, uint8_t *codes, uint8_t *scales);

/// What keeps a row of weights from being packed with `relative` scales: its
/// least and greatest E8M0 bytes, of scale blocks that have a code other than
/// zero, are more than `kRelativeSpan` apart, or the greatest is NaN.
struct RowSpan {
  int64_t row = -1;
  int least = 0, most = 0;
};
inline constexpr int kRelativeSpan = 26;
/// The E8M0 byte that is stored as 0.
inline constexpr int kRelativeLeast = 114;

/// Takes a power of two out of the scales of each row of an expert, in the
/// checkpoint layout with scale blocks of 32: code * scale = code * reduced *
/// power for each code, exactly, and `reduced` u8[N, K/32] are E8M0 bytes that
/// `relative` holds; `powers` is f32[N]. A scale block of zeros does not
/// count; one outside of its row's span is reduced to 2^0. `ScaleOutOfRange`
/// names the first row without such a power in `refused`; what has been written
/// then has no meaning.
PackStatus takeRowPowers(const uint8_t *codes, const uint8_t *scales, int64_t n,
                         int64_t k, uint8_t *reduced, float *powers,
                         RowSpan &refused);

} // namespace mxfp4

#endif // MXFP4_CORE_WEIGHTLAYOUT_H
