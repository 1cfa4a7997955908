//===- DecodeSequence.h - Decode programs as data ---------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A decode sequence turns one 32-bit word of eight codes and a word of four
// scales into 32-bit registers: the four (eight bf16) of an A fragment, or for
// words of eight codes of one row the two (eight e5m2) of that row. It is a
// straight-line program over 32-bit registers, held as data and read three
// times: `evaluate` runs it (unit tests), `mxfp4-lower-decode` emits it, and
// `cost` counts it.
//
// Every sequence that ends in bf16 has the same three parts.
//   values  places the bits of a code pair as `s 0000000e1 e0m000000` in each
//           half: the bf16 value of the code times 2^-126 (0.5 is then a
//           subnormal, which bf16 multiplies keep).
//   scales  makes the halves of a register the bf16 values of the scales of
//           the fragment's two rows.
//   product multiplies by one half of the scales' register, which costs nothing
//           because the instruction selects a half. Folded scales already carry
//           the 2^126, so that one multiplication is enough; raw ones take two.
//
// The sequence that ends in e5m2 makes a table of the eight magnitudes times
// the scale, a byte each, with two multiplications and additions, and looks
// eight codes up in it with two byte permutations, since a code has few bits
// and a permutation needs no more. Signs come from elsewhere in the word.
//
// All results are exact: a code has two significant bits, a scale is a power
// of two, and bf16 multiplies round only where the result cannot be held.
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_CORE_DECODESEQUENCE_H
#define MXFP4_CORE_DECODESEQUENCE_H

#include "mxfp4/Core/WeightLayout.h"

#include <cstdint>
#include <string>
#include <vector>

namespace mxfp4 {

/// Operations on 32-bit registers: an immediate or a register on the right.
enum class DecodeOpcode {
  And,
  Or,
  Add,
  Shl,
  Shr,
  /// Rotates left.
  Rotl,
  Mul,
  MulBF16x2,
  /// Half `rhs` (0 is the low one) of the left side, twice.
  Splat,
  /// Byte `rhs` of the left side.
  Byte,
  /// PTX's prmt: of the bytes of lhs (0 to 3) and rhs (4 to 7) those that the
  /// four lowest nibbles of `selector` name; a nibble's bit 3 asks for the sign
  /// of the byte in all bits.
  Permute,
};

/// One instruction: value `size of inputs + own index` = lhs op rhs.
struct DecodeInst {
  DecodeOpcode op;
  /// Index of a value: inputs first, then results of earlier instructions.
  int lhs;
  /// Index of a value, or -1 to use `immediate`.
  int rhs;
  uint32_t immediate;
  /// Index of a value, for Permute alone.
  int selector = -1;
  /// Where the sequences of several words are interleaved, all instructions of
  /// a stage, word behind word, come before those of the next.
  int stage = 0;
};

/// How often each pipe is used. bf16x2 multiplies go to the FMA pipe, integer
/// multiplies and shifts left to IMAD or the ALU as ptxas likes, the rest to
/// the half-rate ALU. A splat is an operand modifier of the multiply.
struct DecodeCost {
  int alu = 0;
  int multiply = 0;
  int bf16x2 = 0;
  int total() const { return alu + multiply + bf16x2; }
};

/// A straight-line program with two inputs: value 0 is the word of codes,
/// value 1 the word of scales.
struct DecodeSequence {
  std::string name;
  std::vector<DecodeInst> instructions;
  /// The registers of the A fragment that the word is, as value indices: 0 to
  /// 3, or those of one row.
  std::vector<int> results;

  static constexpr int kInputs = 2;

  std::vector<uint32_t> evaluate(uint32_t codes, uint32_t scales) const;
  DecodeCost cost() const;
};

/// The sequence for weights of this layout, for instruction's step `step`
/// (0..3) along K of a block. The step only selects the scale bytes.
DecodeSequence decodeSequence(const BlockLayout &layout, int step);

/// An instruction of one of several sequences.
struct InterleavedInst {
  /// Which sequence, and the index of its instruction.
  size_t word, instruction;
};

/// The order of several words' instructions: stage by stage.
std::vector<InterleavedInst>
interleave(const std::vector<DecodeSequence> &words);

/// "fast" (spread codes, folded scales), "exact" (spread, raw), "plain-fast"
/// and "plain" (nibble, with folded and raw), "table" (bytes, relative).
std::string sequenceName(const BlockLayout &layout);

} // namespace mxfp4

#endif // MXFP4_CORE_DECODESEQUENCE_H
