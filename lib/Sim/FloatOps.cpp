//===- FloatOps.cpp - Floating-point arithmetic ---------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// f32 and f64 run on the host's unit, which has the same IEEE operations, with
// the chip's NaN put in. bf16 and f16 are computed in double, where products
// are exact and sums are rounded to odd, and then rounded once. The approximate
// functions (ex2.approx, rcp.approx, ...) are computed in double and rounded:
// the chip may differ in the last bit or two.
//
//===----------------------------------------------------------------------===//

#include "Float.h"

#include "Decoder.h"
#include "Exec.h"

#include <algorithm>

using namespace mxfp4::sim;

namespace {

enum class Op : uint8_t {
  Add,
  Sub,
  Mul,
  Fma,
  Div,
  Min,
  Max,
  Neg,
  Abs,
  Sqrt,
  Rcp,
  Rsqrt,
  Ex2,
  Lg2,
  Sin,
  Cos,
  Tanh,
  Copysign
};

enum : uint8_t {
  Ftz = 1,
  Sat = 2,
  PropagateNaN = 4,
  XorSign = 8,
  Relu = 16,
  AbsFlag = 32,
  Approx = 64
};

struct AddF {
  static float f(float a, float b) { return canonical(a + b); }
};
struct SubF {
  static float f(float a, float b) { return canonical(a - b); }
};
struct MulF {
  static float f(float a, float b) { return canonical(a * b); }
};

#if defined(__x86_64__)
__attribute__((target_clones("arch=haswell", "default")))
#endif
void fmaLanes(const float *a, const float *b, const float *c, float *d) {
  for (unsigned l = 0; l < 32; ++l)
    d[l] = __builtin_fmaf(a[l], b[l], c[l]);
}

void execFmaF(ExecContext &x, const Inst &i) {
  alignas(64) float temp[32];
  fmaLanes(reinterpret_cast<const float *>(x.ptr(x.src(i, 0))),
           reinterpret_cast<const float *>(x.ptr(x.src(i, 1))),
           reinterpret_cast<const float *>(x.ptr(x.src(i, 2))), temp);
  alignas(64) uint32_t bits[32];
  for (unsigned l = 0; l < 32; ++l)
    bits[l] = bitsTo<uint32_t>(canonical(temp[l]));
  commit(x, x.dst(i), bits);
}

double minMax(bool max, double a, double b, bool propagate) {
  if (a != a || b != b) {
    if (propagate || (a != a && b != b))
      return NAN;
    return a != a ? b : a;
  }
  if (a == b) // -0 is below +0.
    return std::signbit(a) == !max ? a : b;
  return (a < b) == !max ? a : b;
}

/// The chip multiplies by 1/2pi in float and takes the fraction of the product,
/// which has no fraction left from about 2^26 on.
double turns(double a) {
  return std::fmod(float(a) * 0.15915494f, 1.0f) * 6.283185307179586;
}

double unary(Op o, double a) {
  switch (o) {
  case Op::Sqrt:
    return std::sqrt(a);
  case Op::Rcp:
    return 1 / a;
  case Op::Rsqrt:
    return 1 / std::sqrt(a);
  case Op::Ex2:
    return std::exp2(a);
  case Op::Lg2:
    return std::log2(a);
  case Op::Sin:
    return std::sin(turns(a));
  case Op::Cos:
    return std::cos(turns(a));
  case Op::Tanh:
    return std::tanh(a);
  default:
    return a;
  }
}

float oneF32(const Inst &i, float a, float b, float c) {
  Op o = Op(i.sub);
  Round r = Round(i.mods2);
  if (i.mods & Ftz) {
    a = flush(a);
    b = flush(b);
    c = flush(c);
  }
  float v;
  switch (o) {
  case Op::Add:
    v = roundedOp('+', a, b, 0.0f, r);
    break;
  case Op::Sub:
    v = roundedOp('-', a, b, 0.0f, r);
    break;
  case Op::Mul:
    v = roundedOp('*', a, b, 0.0f, r);
    break;
  case Op::Div:
    // a * (1/b), with a reciprocal that is flushed to zero.
    if ((i.mods & Approx) && std::fabs(b) > 0x1p126f)
      v = a * std::copysign(0.0f, b);
    else
      v = roundedOp('/', a, b, 0.0f, r);
    break;
  case Op::Fma:
    v = roundedOp('f', a, b, c, r);
    break;
  case Op::Min:
  case Op::Max:
    if (i.mods & AbsFlag) {
      bool sign = std::signbit(a) != std::signbit(b);
      v = float(minMax(o == Op::Max, std::fabs(a), std::fabs(b),
                       i.mods & PropagateNaN));
      v = sign ? -v : v;
    } else {
      v = float(minMax(o == Op::Max, a, b, i.mods & PropagateNaN));
    }
    break;
  case Op::Neg:
    v = canonical(-a);
    return i.mods & Ftz ? flush(v) : v;
  case Op::Abs:
    v = canonical(std::fabs(a));
    return i.mods & Ftz ? flush(v) : v;
  case Op::Copysign:
    return std::copysign(b, a);
  // Correctly rounded (.rn and so on) forms are single operations.
  case Op::Sqrt:
    v = roundedOp('s', a, 0.0f, 0.0f, r);
    break;
  case Op::Rcp:
    v = roundedOp('/', 1.0f, a, 0.0f, r);
    break;
  default:
    v = float(unary(o, double(a)));
    break;
  }
  v = canonical(v);
  if (i.mods & Ftz)
    v = flush(v);
  if (i.mods & Sat)
    v = v != v ? 0.0f : v < 0 ? 0.0f : v > 1 ? 1.0f : v + 0.0f;
  return v;
}

double oneF64(const Inst &i, double a, double b, double c) {
  Round r = Round(i.mods2);
  switch (Op(i.sub)) {
  case Op::Add:
    return roundedOp('+', a, b, 0.0, r);
  case Op::Sub:
    return roundedOp('-', a, b, 0.0, r);
  case Op::Mul:
    return roundedOp('*', a, b, 0.0, r);
  case Op::Div:
    return roundedOp('/', a, b, 0.0, r);
  case Op::Fma:
    return roundedOp('f', a, b, c, r);
  case Op::Min:
    return minMax(false, a, b, false);
  case Op::Max:
    return minMax(true, a, b, false);
  case Op::Neg:
    return -a;
  case Op::Abs:
    return std::fabs(a);
  case Op::Copysign:
    return std::copysign(b, a);
  default:
    return unary(Op(i.sub), a);
  }
}

uint16_t oneHalf(const Inst &i, bool brain, uint16_t ha, uint16_t hb,
                 uint16_t hc) {
  Op o = Op(i.sub);
  if ((o == Op::Neg || o == Op::Abs) &&
      (ha & 0x7fff) > (brain ? 0x7f80 : 0x7c00))
    return kNaN16;
  if (o == Op::Neg)
    return ha ^ 0x8000;
  if (o == Op::Abs)
    return ha & 0x7fff;
  if (o == Op::Copysign)
    return uint16_t((hb & 0x7fff) | (ha & 0x8000));
  auto widen = [&](uint16_t h) {
    float f = brain ? fromBF16(h) : fromF16(h);
    if ((i.mods & Ftz) && !(h & (brain ? 0x7f80 : 0x7c00)))
      f = std::copysign(0.0f, f);
    return double(f);
  };
  double a = widen(ha), b = widen(hb), c = widen(hc), v;
  switch (o) {
  case Op::Add:
    v = addToOdd(a, b);
    break;
  case Op::Sub:
    v = addToOdd(a, -b);
    break;
  case Op::Mul:
    v = a * b;
    break;
  case Op::Fma:
    v = addToOdd(a * b, c);
    break;
  case Op::Min:
  case Op::Max: {
    bool flip = (i.mods & AbsFlag) && std::signbit(a) != std::signbit(b);
    if (i.mods & AbsFlag) {
      a = std::fabs(a);
      b = std::fabs(b);
    }
    v = minMax(o == Op::Max, a, b, i.mods & PropagateNaN);
    v = flip ? -v : v;
    break;
  }
  default:
    v = unary(o, a);
    break;
  }
  uint16_t r = brain ? toBF16(v) : toF16(v);
  if ((i.mods & Ftz) && !(r & (brain ? 0x7f80 : 0x7c00)))
    r &= 0x8000;
  if (i.mods & Sat)
    r = v != v || v <= 0 ? 0 : v > 1 ? (brain ? 0x3f80 : 0x3c00) : r;
  if ((i.mods & Relu) && v == v && (r & 0x8000))
    r = 0;
  return r;
}

template <typename T, T (*Fn)(const Inst &, T, T, T)>
void execScalar(ExecContext &x, const Inst &i) {
  using Box = typename Lanes<T>::Box;
  alignas(64) Box temp[32];
  for (unsigned l = 0; l < 32; ++l) {
    T v[3] = {};
    for (unsigned j = 0; j < i.numSrc; ++j)
      v[j] = Lanes<T>::get(x.ptr(x.src(i, j)), l);
    temp[l] = Lanes<T>::box(Fn(i, v[0], v[1], v[2]));
  }
  commit(x, x.dst(i), temp);
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
template <bool Brain, unsigned Width, Op O>
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
      if constexpr (O == Op::Mul)
        v = a * b;
      else if constexpr (O == Op::Add)
        v = addToOdd(a, b);
      else if constexpr (O == Op::Sub)
        v = addToOdd(a, -b);
      else
        v = addToOdd(a * b, widen(source[2][l] >> shift));
      temp[l] |= uint32_t(Brain ? toBF16(v) : toF16(v)) << shift;
    }
  }
  commit(x, x.dst(i), temp);
}

template <bool Brain, unsigned Width> ExecFn pickHalf(bool plain, Op o) {
  if (plain && o == Op::Add)
    return execPlainHalf<Brain, Width, Op::Add>;
  if (plain && o == Op::Sub)
    return execPlainHalf<Brain, Width, Op::Sub>;
  if (plain && o == Op::Mul)
    return execPlainHalf<Brain, Width, Op::Mul>;
  if (plain && o == Op::Fma)
    return execPlainHalf<Brain, Width, Op::Fma>;
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
    return execPlainHalf<true, 2, Op::Mul>(x, i);
  commit(x, x.dst(i), temp);
}

ExecFn pick(Decoder &d, Op o, Ty t) {
  bool plain = d.i.mods == 0 && d.i.mods2 == 0;
  switch (t) {
  case Ty::F32:
    if (plain && o == Op::Add)
      return exec2<float, float, float, AddF>;
    if (plain && o == Op::Sub)
      return exec2<float, float, float, SubF>;
    if (plain && o == Op::Mul)
      return exec2<float, float, float, MulF>;
    if (plain && o == Op::Fma)
      return execFmaF;
    return execScalar<float, oneF32>;
  case Ty::F64:
    return execScalar<double, oneF64>;
  case Ty::BF16:
    return pickHalf<true, 1>(plain, o);
  case Ty::BF16x2:
    return plain && o == Op::Mul ? execMulBF16x2 : pickHalf<true, 2>(plain, o);
  case Ty::F16:
    return pickHalf<false, 1>(plain, o);
  case Ty::F16x2:
    return pickHalf<false, 2>(plain, o);
  default:
    return nullptr;
  }
}

struct Entry {
  const char *name;
  Op o;
  uint8_t sources;
  Pipe p;
};
constexpr Entry kTable[] = {
    {"add", Op::Add, 2, Pipe::Fma},          {"sub", Op::Sub, 2, Pipe::Fma},
    {"mul", Op::Mul, 2, Pipe::Fma},          {"fma", Op::Fma, 3, Pipe::Fma},
    {"mad", Op::Fma, 3, Pipe::Fma},          {"div", Op::Div, 2, Pipe::Xu},
    {"min", Op::Min, 2, Pipe::Alu},          {"max", Op::Max, 2, Pipe::Alu},
    {"neg", Op::Neg, 1, Pipe::Alu},          {"abs", Op::Abs, 1, Pipe::Alu},
    {"sqrt", Op::Sqrt, 1, Pipe::Xu},         {"rcp", Op::Rcp, 1, Pipe::Xu},
    {"rsqrt", Op::Rsqrt, 1, Pipe::Xu},       {"ex2", Op::Ex2, 1, Pipe::Xu},
    {"lg2", Op::Lg2, 1, Pipe::Xu},           {"sin", Op::Sin, 1, Pipe::Xu},
    {"cos", Op::Cos, 1, Pipe::Xu},           {"tanh", Op::Tanh, 1, Pipe::Xu},
    {"copysign", Op::Copysign, 2, Pipe::Alu}};

} // namespace

bool mxfp4::sim::decodeFloat(Decoder &d) {
  const Entry *e = nullptr;
  for (const Entry &candidate : kTable)
    if (d.base() == candidate.name)
      e = &candidate;
  if (!e)
    return d.fail(std::string(d.base()) + " has no floating-point form");
  if (d.take("approx") && e->o == Op::Div)
    d.i.mods |= Approx;
  d.take("full");
  int r = d.takeOneOf({"rn", "rz", "rm", "rp"}, 0);
  d.i.mods2 = uint8_t(r);
  if (d.take("ftz"))
    d.i.mods |= Ftz;
  if (d.take("sat"))
    d.i.mods |= Sat;
  if (d.take("NaN"))
    d.i.mods |= PropagateNaN;
  if (d.take("xorsign") && d.take("abs"))
    d.i.mods |= AbsFlag;
  if (d.take("relu"))
    d.i.mods |= Relu;
  Ty t = d.takeType();
  if (!isFloat(t) || t == Ty::TF32)
    return d.fail("expected a floating-point type");
  if (r && typeBits(t) < 32)
    return d.fail("half types round to nearest only");
  d.i.sub = uint8_t(e->o);
  d.i.p = t == Ty::F64 ? Pipe::Fp64 : e->p;
  d.i.t = t;
  d.i.fn = pick(d, e->o, t);
  if (!d.expectOps(e->sources + 1, e->sources + 1) || !d.dst(d.ops()[0], t))
    return false;
  for (unsigned j = 1; j <= e->sources; ++j)
    if (!d.src(d.ops()[j], t))
      return false;
  return true;
}
