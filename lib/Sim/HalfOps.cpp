//===- HalfOps.cpp - Arithmetic in bf16 and f16 ---------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// bf16 and f16 are computed in double, where products are exact and sums are
// rounded to odd, and then rounded once.
//
//===----------------------------------------------------------------------===//

#include "FloatOps.h"

#include "Float.h"

#include <algorithm>

using namespace mxfp4::sim;

namespace {

uint16_t oneHalf(const Inst &i, bool brain, uint16_t ha, uint16_t hb,
                 uint16_t hc) {
  FloatOp o = FloatOp(i.sub);
  if ((o == FloatOp::Neg || o == FloatOp::Abs) &&
      (ha & 0x7fff) > (brain ? 0x7f80 : 0x7c00))
    return kNaN16;
  if (o == FloatOp::Neg)
    return ha ^ 0x8000;
  if (o == FloatOp::Abs)
    return ha & 0x7fff;
  if (o == FloatOp::Copysign)
    return uint16_t((hb & 0x7fff) | (ha & 0x8000));
  auto widen = [&](uint16_t h) {
    float f = brain ? fromBF16(h) : fromF16(h);
    if ((i.mods & FloatModifier::Ftz) && !(h & (brain ? 0x7f80 : 0x7c00)))
      f = std::copysign(0.0f, f);
    return double(f);
  };
  double a = widen(ha), b = widen(hb), c = widen(hc), v;
  switch (o) {
  case FloatOp::Add:
    v = addToOdd(a, b);
    break;
  case FloatOp::Sub:
    v = addToOdd(a, -b);
    break;
  case FloatOp::Mul:
    v = a * b;
    break;
  case FloatOp::Fma:
    v = addToOdd(a * b, c);
    break;
  case FloatOp::Min:
  case FloatOp::Max: {
    bool flip =
        (i.mods & FloatModifier::AbsFlag) && std::signbit(a) != std::signbit(b);
    if (i.mods & FloatModifier::AbsFlag) {
      a = std::fabs(a);
      b = std::fabs(b);
    }
    v = minMax(o == FloatOp::Max, a, b, i.mods & FloatModifier::PropagateNaN);
    v = flip ? -v : v;
    break;
  }
  default:
    v = unaryFloat(o, a);
    break;
  }
  uint16_t r = brain ? toBF16(v) : toF16(v);
  if ((i.mods & FloatModifier::Ftz) && !(r & (brain ? 0x7f80 : 0x7c00)))
    r &= 0x8000;
  if (i.mods & FloatModifier::Sat)
    r = v != v || v <= 0 ? 0 : v > 1 ? (brain ? 0x3f80 : 0x3c00) : r;
  if ((i.mods & FloatModifier::Relu) && v == v && (r & 0x8000))
    r = 0;
  return r;
}

template <bool Brain, unsigned Width>
void execHalf(ExecContext &x, const Inst &i) {
  alignas(64) uint32_t temp[32] = {};
  for (unsigned l = 0; l < 32; ++l) {
    if (!(x.mask >> l & 1))
      continue;
    uint32_t v[3] = {};
    for (unsigned j = 0; j < i.numSrc; ++j)
      v[j] = uint32_t(x.lane(x.src(i, j), l));
    for (unsigned h = 0; h < Width; ++h)
      temp[l] |= uint32_t(oneHalf(i, Brain, uint16_t(v[0] >> (16 * h)),
                                  uint16_t(v[1] >> (16 * h)),
                                  uint16_t(v[2] >> (16 * h))))
                 << (16 * h);
  }
  commit(x, x.dst(i), temp);
}

// Without modifiers, which the compiler's kernels do not use.
template <bool Brain, unsigned Width, FloatOp O>
void execPlainHalf(ExecContext &x, const Inst &i) {
  alignas(64) uint32_t temp[32];
  const uint32_t *source[3];
  for (unsigned j = 0; j < 3; ++j)
    source[j] = reinterpret_cast<const uint32_t *>(
        x.ptr(x.src(i, std::min<unsigned>(j, i.numSrc - 1u))));
  auto widen = [](uint32_t h) {
    return double(Brain ? fromBF16(uint16_t(h)) : fromF16(uint16_t(h)));
  };
  for (unsigned l = 0; l < 32; ++l) {
    temp[l] = 0;
    for (unsigned shift = 0; shift < 16 * Width; shift += 16) {
      const double a = widen(source[0][l] >> shift),
                   b = widen(source[1][l] >> shift);
      double v = 0;
      if constexpr (O == FloatOp::Mul)
        v = a * b;
      else if constexpr (O == FloatOp::Add)
        v = addToOdd(a, b);
      else if constexpr (O == FloatOp::Sub)
        v = addToOdd(a, -b);
      else
        v = addToOdd(a * b, widen(source[2][l] >> shift));
      temp[l] |= uint32_t(Brain ? toBF16(v) : toF16(v)) << shift;
    }
  }
  commit(x, x.dst(i), temp);
}

template <bool Brain, unsigned Width> ExecFn pickWidth(bool plain, FloatOp o) {
  if (plain && o == FloatOp::Add)
    return execPlainHalf<Brain, Width, FloatOp::Add>;
  if (plain && o == FloatOp::Sub)
    return execPlainHalf<Brain, Width, FloatOp::Sub>;
  if (plain && o == FloatOp::Mul)
    return execPlainHalf<Brain, Width, FloatOp::Mul>;
  if (plain && o == FloatOp::Fma)
    return execPlainHalf<Brain, Width, FloatOp::Fma>;
  return execHalf<Brain, Width>;
}

// Kernels decode by bf16x2 products, so that these need a fast way. A product
// is exact in float unless it leaves float's normal range, so that rounding the
// float once is right.
inline uint32_t roundFast(float v) {
  uint32_t b = bitsTo<uint32_t>(v);
  return (b + 0x7fff + (b >> 16 & 1)) >> 16;
}
void execMulBF16x2(ExecContext &x, const Inst &i) {
  alignas(64) uint32_t temp[32];
  auto *p = reinterpret_cast<const uint32_t *>(x.ptr(x.src(i, 0)));
  auto *q = reinterpret_cast<const uint32_t *>(x.ptr(x.src(i, 1)));
  uint32_t odd = 0;
  for (unsigned l = 0; l < 32; ++l) {
    float lo = bitsTo<float>(p[l] << 16) * bitsTo<float>(q[l] << 16);
    float hi =
        bitsTo<float>(p[l] & 0xffff0000) * bitsTo<float>(q[l] & 0xffff0000);
    // Overflow, NaN, and products that leave the normal range take the slow
    // way; a zero factor gives an exact zero.
    uint32_t e = bitsTo<uint32_t>(lo) >> 23 & 255;
    uint32_t f = bitsTo<uint32_t>(hi) >> 23 & 255;
    bool zeroLo = !(p[l] & 0x7fff) | !(q[l] & 0x7fff);
    bool zeroHi = !(p[l] & 0x7fff0000) | !(q[l] & 0x7fff0000);
    odd |= uint32_t(e == 255) | uint32_t(f == 255) |
           uint32_t((e == 0) & !zeroLo) | uint32_t((f == 0) & !zeroHi);
    temp[l] = roundFast(lo) | roundFast(hi) << 16;
  }
  if (odd)
    return execPlainHalf<true, 2, FloatOp::Mul>(x, i);
  commit(x, x.dst(i), temp);
}

} // namespace

ExecFn mxfp4::sim::pickHalf(FloatOp o, Ty type, bool plain) {
  switch (type) {
  case Ty::BF16:
    return pickWidth<true, 1>(plain, o);
  case Ty::BF16x2:
    return plain && o == FloatOp::Mul ? execMulBF16x2
                                      : pickWidth<true, 2>(plain, o);
  case Ty::F16:
    return pickWidth<false, 1>(plain, o);
  case Ty::F16x2:
    return pickWidth<false, 2>(plain, o);
  default:
    return nullptr;
  }
}
