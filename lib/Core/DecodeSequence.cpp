//===- DecodeSequence.cpp - Decode programs as data -----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mxfp4/Core/DecodeSequence.h"

#include "mxfp4/Core/Format.h"

#include <algorithm>
#include <array>
#include <cassert>

using namespace mxfp4;

namespace {

/// The value bits of a code pair in place: sign, e1, e0, m of each half.
constexpr uint32_t kPlaced = 0x81C081C0;
/// bf16x2 of 2^126, which undoes the placement's 2^-126.
constexpr uint32_t kUnbias = 0x7E807E80;

/// Appends instructions; every method returns the index of its result.
class Builder {
public:
  explicit Builder(DecodeSequence &sequence) : sequence(sequence) {}

  /// The stage of the instructions that follow.
  void setStage(int number) { stage = number; }

  int andi(int a, uint32_t b) { return add({DecodeOpcode::And, a, -1, b}); }
  int addi(int a, uint32_t b) { return add({DecodeOpcode::Add, a, -1, b}); }
  int shl(int a, uint32_t b) {
    return b ? add({DecodeOpcode::Shl, a, -1, b}) : a;
  }
  int shr(int a, uint32_t b) {
    return b ? add({DecodeOpcode::Shr, a, -1, b}) : a;
  }
  int rotl(int a, uint32_t b) { return add({DecodeOpcode::Rotl, a, -1, b}); }
  int splat(int a, uint32_t half) {
    return add({DecodeOpcode::Splat, a, -1, half});
  }
  int byte(int a, uint32_t number) {
    return add({DecodeOpcode::Byte, a, -1, number});
  }
  int permute(int a, int b, int selector) {
    return add({DecodeOpcode::Permute, a, b, 0, selector});
  }
  int mul(int a, uint32_t b) { return add({DecodeOpcode::Mul, a, -1, b}); }
  int bitOr(int a, int b) { return add({DecodeOpcode::Or, a, b, 0}); }
  int mulBF16(int a, int b) { return add({DecodeOpcode::MulBF16x2, a, b, 0}); }
  int mulBF16i(int a, uint32_t b) {
    return add({DecodeOpcode::MulBF16x2, a, -1, b});
  }

private:
  int add(DecodeInst inst) {
    inst.stage = stage;
    sequence.instructions.push_back(inst);
    return DecodeSequence::kInputs +
           static_cast<int>(sequence.instructions.size()) - 1;
  }
  DecodeSequence &sequence;
  int stage = 0;
};

} // namespace

/// Spread order: registers 0 to 2 are a shift and a mask. Register 3 lives in
/// the leftover bits, which the second shift, as a rotation, brings to e0 m . s
/// e1 (4, 3, 1, 0); one multiply moves them by 3, 3, 14 and 8 at once, since no
/// two partial products meet. On an H100 masks and rotations share one pipe,
/// multiplies of both kinds and shifts left another: six operations for each.
static std::array<int, 4> placeSpread(Builder &b, int codes) {
  const int rotated = b.rotl(codes, 6);
  const int leftover = b.andi(rotated, 0x001B001B);
  return {b.andi(codes, kPlaced), b.andi(b.shl(codes, 3), kPlaced),
          b.andi(rotated, kPlaced),
          b.andi(b.mul(leftover, 1u << 14 | 1u << 8 | 1u << 3), kPlaced)};
}

/// Nibble order: the sign and the magnitude of a nibble move by different
/// distances.
static std::array<int, 4> placeNibble(Builder &b, int codes) {
  std::array<int, 4> result;
  for (int reg = 0; reg < 4; ++reg) {
    const int sign = b.andi(b.shl(codes, 12 - 4 * reg), 0x80008000);
    const int magnitude =
        reg < 2 ? b.shl(codes, 6 - 4 * reg) : b.shr(codes, 4 * reg - 6);
    result[reg] = b.bitOr(sign, b.andi(magnitude, 0x01C001C0));
  }
  return result;
}

/// bf16x2 of the stored scales of a k32 slice: row 0, whose scale is in `byte`,
/// in the low half; that of row 1 is two bytes further up.
static int scalePair(Builder &b, ScaleEncoding encoding, int scales, int byte) {
  if (encoding == ScaleEncoding::Folded)
    return b.andi(byte == 0 ? b.shl(scales, 7) : b.shr(scales, 1), 0x7F807F80);
  // Bytes 1 to 254 are exponent fields. Byte 0 is 2^-127 = 0x0040 and byte 255
  // is NaN = 0x7FC0: both want bit 6 set. (byte + 1) >> 1, modulo 128, is zero
  // for these two alone; 127 more than that has bit 7 clear for zero alone.
  const int bytes = b.andi(b.shr(scales, 8 * byte), 0x00FF00FF);
  const int zeroIfSpecial =
      b.andi(b.shr(b.addi(bytes, 0x00010001), 1), 0x007F007F);
  const int isOther = b.shr(b.addi(zeroIfSpecial, 0x007F007F), 1);
  // Adding to bit 6 inverts it.
  const int isSpecial = b.andi(b.addi(isOther, 0x00400040), 0x00400040);
  return b.bitOr(b.shl(bytes, 7), isSpecial);
}

/// Eight codes of one row as e5m2. The table has a byte for each magnitude: the
/// stored scale q moves the exponent of all but zero's, and 2^-13 * 0.5 is
/// 0x04. A permutation reads four nibbles of the selector, whose bit 3 must be
/// clear.
static std::vector<int> decodeBytes(Builder &b, int codes, int scales,
                                    int step) {
  constexpr uint32_t low = 0x0A080400, high = 0x12100E0C;
  constexpr uint32_t exponent = 0x04040404, signs = 0x80808080;
  // Stages: bytes of scales, magnitudes and signs of the first register, signs
  // of the second, tables and first permutation, second permutation, unions.
  const int scale = b.byte(scales, step);
  b.setStage(3);
  const int below2 = b.addi(b.mul(scale, exponent & ~0xFFu), low);
  const int from2 = b.addi(b.mul(scale, exponent), high);
  b.setStage(1);
  const int magnitudes = b.andi(codes, 0x77777777);
  b.setStage(3);
  const int first = b.permute(below2, from2, magnitudes);
  b.setStage(1);
  const int firstSigns = b.andi(codes, signs);
  b.setStage(5);
  const int firstCodes = b.bitOr(first, firstSigns);
  b.setStage(4);
  const int second = b.permute(below2, from2, b.shr(magnitudes, 16));
  b.setStage(2);
  const int secondSigns = b.andi(b.shl(codes, 4), signs);
  b.setStage(5);
  return {firstCodes, b.bitOr(second, secondSigns)};
}

std::vector<InterleavedInst>
mxfp4::interleave(const std::vector<DecodeSequence> &words) {
  std::vector<InterleavedInst> order;
  for (size_t word = 0; word < words.size(); ++word)
    for (size_t i = 0; i < words[word].instructions.size(); ++i)
      order.push_back({word, i});
  const auto stageOf = [&](const InterleavedInst &inst) {
    return words[inst.word].instructions[inst.instruction].stage;
  };
  std::stable_sort(order.begin(), order.end(),
                   [&](const InterleavedInst &a, const InterleavedInst &b) {
                     return stageOf(a) < stageOf(b);
                   });
  return order;
}

std::string mxfp4::sequenceName(const BlockLayout &layout) {
  if (layout.order == CodeOrder::Bytes)
    return "table";
  const bool folded = layout.scales == ScaleEncoding::Folded;
  if (layout.order == CodeOrder::Spread)
    return folded ? "fast" : "exact";
  return folded ? "plain-fast" : "plain";
}

DecodeSequence mxfp4::decodeSequence(const BlockLayout &layout, int step) {
  assert(step >= 0 && step < 4 && "a block has four steps");
  DecodeSequence sequence;
  sequence.name = sequenceName(layout);
  Builder b(sequence);
  const int codes = 0, scales = 1;
  if (layout.order == CodeOrder::Bytes) {
    sequence.results = decodeBytes(b, codes, scales, step);
    return sequence;
  }

  std::array<int, 4> placed = layout.order == CodeOrder::Spread
                                  ? placeSpread(b, codes)
                                  : placeNibble(b, codes);
  // Registers 0 and 2 belong to one row, 1 and 3 to the other.
  const int pair =
      scalePair(b, layout.scales, scales, layout.scaleByte(/*slot=*/0, step));
  const std::array<int, 2> scale = {b.splat(pair, 0), b.splat(pair, 1)};
  for (int reg = 0; reg < 4; ++reg) {
    int value = placed[reg];
    if (layout.scales == ScaleEncoding::Raw)
      value = b.mulBF16i(value, kUnbias);
    sequence.results.push_back(b.mulBF16(value, scale[reg & 1]));
  }
  return sequence;
}

static uint32_t multiplyBF16x2(uint32_t a, uint32_t b) {
  auto half = [](uint32_t x, uint32_t y) -> uint32_t {
    return roundToBF16(decodeBF16(x) * decodeBF16(y));
  };
  return half(a & 0xFFFF, b & 0xFFFF) | half(a >> 16, b >> 16) << 16;
}

static uint32_t permuteBytes(uint32_t a, uint32_t b, uint32_t selector) {
  const uint64_t bytes = uint64_t(b) << 32 | a;
  uint32_t result = 0;
  for (int i = 0; i < 4; ++i) {
    const uint32_t nibble = selector >> 4 * i & 15;
    uint32_t byte = bytes >> 8 * (nibble & 7) & 0xFF;
    if (nibble & 8)
      byte = byte & 0x80 ? 0xFF : 0;
    result |= byte << 8 * i;
  }
  return result;
}

std::vector<uint32_t> DecodeSequence::evaluate(uint32_t codes,
                                               uint32_t scales) const {
  std::vector<uint32_t> values = {codes, scales};
  for (const DecodeInst &inst : instructions) {
    const uint32_t a = values[inst.lhs];
    const uint32_t b = inst.rhs < 0 ? inst.immediate : values[inst.rhs];
    switch (inst.op) {
    case DecodeOpcode::And:
      values.push_back(a & b);
      break;
    case DecodeOpcode::Or:
      values.push_back(a | b);
      break;
    case DecodeOpcode::Add:
      values.push_back(a + b);
      break;
    case DecodeOpcode::Shl:
      values.push_back(a << b);
      break;
    case DecodeOpcode::Shr:
      values.push_back(a >> b);
      break;
    case DecodeOpcode::Rotl:
      values.push_back(a << b % 32 | a >> (32 - b) % 32);
      break;
    case DecodeOpcode::Mul:
      values.push_back(a * b);
      break;
    case DecodeOpcode::MulBF16x2:
      values.push_back(multiplyBF16x2(a, b));
      break;
    case DecodeOpcode::Splat:
      values.push_back((a >> 16 * b & 0xFFFF) * 0x00010001);
      break;
    case DecodeOpcode::Byte:
      values.push_back(a >> 8 * b & 0xFF);
      break;
    case DecodeOpcode::Permute:
      values.push_back(permuteBytes(a, b, values[inst.selector]));
      break;
    }
  }
  std::vector<uint32_t> registers;
  registers.reserve(results.size());
  for (int result : results)
    registers.push_back(values[result]);
  return registers;
}

DecodeCost DecodeSequence::cost() const {
  DecodeCost cost;
  for (const DecodeInst &inst : instructions)
    switch (inst.op) {
    case DecodeOpcode::And:
    case DecodeOpcode::Or:
    case DecodeOpcode::Add:
    case DecodeOpcode::Shr:
    case DecodeOpcode::Rotl:
    case DecodeOpcode::Byte:
    case DecodeOpcode::Permute:
      ++cost.alu;
      break;
    case DecodeOpcode::Shl:
    case DecodeOpcode::Mul:
      ++cost.multiply;
      break;
    case DecodeOpcode::MulBF16x2:
      ++cost.bf16x2;
      break;
    case DecodeOpcode::Splat:
      break;
    }
  return cost;
}
