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
  static float f(float A, float B) { return canonical(A + B); }
};
struct SubF {
  static float f(float A, float B) { return canonical(A - B); }
};
struct MulF {
  static float f(float A, float B) { return canonical(A * B); }
};

#if defined(__x86_64__)
__attribute__((target_clones("arch=haswell", "default")))
#endif
void fmaLanes(const float *A, const float *B, const float *C, float *D) {
  for (unsigned L = 0; L < 32; ++L)
    D[L] = __builtin_fmaf(A[L], B[L], C[L]);
}

void execFmaF(ExecContext &X, const Inst &I) {
  alignas(64) float Temp[32];
  fmaLanes(reinterpret_cast<const float *>(X.ptr(X.src(I, 0))),
           reinterpret_cast<const float *>(X.ptr(X.src(I, 1))),
           reinterpret_cast<const float *>(X.ptr(X.src(I, 2))), Temp);
  alignas(64) uint32_t Bits[32];
  for (unsigned L = 0; L < 32; ++L)
    Bits[L] = bitsTo<uint32_t>(canonical(Temp[L]));
  commit(X, X.dst(I), Bits);
}

double minMax(bool Max, double A, double B, bool Propagate) {
  if (A != A || B != B) {
    if (Propagate || (A != A && B != B))
      return NAN;
    return A != A ? B : A;
  }
  if (A == B) // -0 is below +0.
    return std::signbit(A) == !Max ? A : B;
  return (A < B) == !Max ? A : B;
}

/// The chip multiplies by 1/2pi in float, and takes the fraction of that: from
/// about 2^26 on there is no fraction left.
double turns(double A) {
  return std::fmod(float(A) * 0.15915494f, 1.0f) * 6.283185307179586;
}

double unary(Op O, double A) {
  switch (O) {
  case Op::Sqrt:
    return std::sqrt(A);
  case Op::Rcp:
    return 1 / A;
  case Op::Rsqrt:
    return 1 / std::sqrt(A);
  case Op::Ex2:
    return std::exp2(A);
  case Op::Lg2:
    return std::log2(A);
  case Op::Sin:
    return std::sin(turns(A));
  case Op::Cos:
    return std::cos(turns(A));
  case Op::Tanh:
    return std::tanh(A);
  default:
    return A;
  }
}

float oneF32(const Inst &I, float A, float B, float C) {
  Op O = Op(I.Sub);
  Round R = Round(I.Mods2);
  if (I.Mods & Ftz) {
    A = flush(A);
    B = flush(B);
    C = flush(C);
  }
  float V;
  switch (O) {
  case Op::Add:
    V = roundedOp('+', A, B, 0.0f, R);
    break;
  case Op::Sub:
    V = roundedOp('-', A, B, 0.0f, R);
    break;
  case Op::Mul:
    V = roundedOp('*', A, B, 0.0f, R);
    break;
  case Op::Div:
    // a * (1/b), with a reciprocal that is flushed to zero.
    if ((I.Mods & Approx) && std::fabs(B) > 0x1p126f)
      V = A * std::copysign(0.0f, B);
    else
      V = roundedOp('/', A, B, 0.0f, R);
    break;
  case Op::Fma:
    V = roundedOp('f', A, B, C, R);
    break;
  case Op::Min:
  case Op::Max:
    if (I.Mods & AbsFlag) {
      bool Sign = std::signbit(A) != std::signbit(B);
      V = float(minMax(O == Op::Max, std::fabs(A), std::fabs(B),
                       I.Mods & PropagateNaN));
      V = Sign ? -V : V;
    } else {
      V = float(minMax(O == Op::Max, A, B, I.Mods & PropagateNaN));
    }
    break;
  case Op::Neg:
    V = canonical(-A);
    return I.Mods & Ftz ? flush(V) : V;
  case Op::Abs:
    V = canonical(std::fabs(A));
    return I.Mods & Ftz ? flush(V) : V;
  case Op::Copysign:
    return std::copysign(B, A);
  // Correctly rounded (.rn and so on) forms are single operations.
  case Op::Sqrt:
    V = roundedOp('s', A, 0.0f, 0.0f, R);
    break;
  case Op::Rcp:
    V = roundedOp('/', 1.0f, A, 0.0f, R);
    break;
  default:
    V = float(unary(O, double(A)));
    break;
  }
  V = canonical(V);
  if (I.Mods & Ftz)
    V = flush(V);
  if (I.Mods & Sat)
    V = V != V ? 0.0f : V < 0 ? 0.0f : V > 1 ? 1.0f : V + 0.0f;
  return V;
}

double oneF64(const Inst &I, double A, double B, double C) {
  Round R = Round(I.Mods2);
  switch (Op(I.Sub)) {
  case Op::Add:
    return roundedOp('+', A, B, 0.0, R);
  case Op::Sub:
    return roundedOp('-', A, B, 0.0, R);
  case Op::Mul:
    return roundedOp('*', A, B, 0.0, R);
  case Op::Div:
    return roundedOp('/', A, B, 0.0, R);
  case Op::Fma:
    return roundedOp('f', A, B, C, R);
  case Op::Min:
    return minMax(false, A, B, false);
  case Op::Max:
    return minMax(true, A, B, false);
  case Op::Neg:
    return -A;
  case Op::Abs:
    return std::fabs(A);
  case Op::Copysign:
    return std::copysign(B, A);
  default:
    return unary(Op(I.Sub), A);
  }
}

uint16_t oneHalf(const Inst &I, bool Brain, uint16_t HA, uint16_t HB,
                 uint16_t HC) {
  Op O = Op(I.Sub);
  if ((O == Op::Neg || O == Op::Abs) &&
      (HA & 0x7fff) > (Brain ? 0x7f80 : 0x7c00))
    return NaN16;
  if (O == Op::Neg)
    return HA ^ 0x8000;
  if (O == Op::Abs)
    return HA & 0x7fff;
  if (O == Op::Copysign)
    return uint16_t((HB & 0x7fff) | (HA & 0x8000));
  auto Widen = [&](uint16_t H) {
    float F = Brain ? fromBF16(H) : fromF16(H);
    if ((I.Mods & Ftz) && !(H & (Brain ? 0x7f80 : 0x7c00)))
      F = std::copysign(0.0f, F);
    return double(F);
  };
  double A = Widen(HA), B = Widen(HB), C = Widen(HC), V;
  switch (O) {
  case Op::Add:
    V = addToOdd(A, B);
    break;
  case Op::Sub:
    V = addToOdd(A, -B);
    break;
  case Op::Mul:
    V = A * B;
    break;
  case Op::Fma:
    V = addToOdd(A * B, C);
    break;
  case Op::Min:
  case Op::Max: {
    bool Flip = (I.Mods & AbsFlag) && std::signbit(A) != std::signbit(B);
    if (I.Mods & AbsFlag) {
      A = std::fabs(A);
      B = std::fabs(B);
    }
    V = minMax(O == Op::Max, A, B, I.Mods & PropagateNaN);
    V = Flip ? -V : V;
    break;
  }
  default:
    V = unary(O, A);
    break;
  }
  uint16_t R = Brain ? toBF16(V) : toF16(V);
  if ((I.Mods & Ftz) && !(R & (Brain ? 0x7f80 : 0x7c00)))
    R &= 0x8000;
  if (I.Mods & Sat)
    R = V != V || V <= 0 ? 0 : V > 1 ? (Brain ? 0x3f80 : 0x3c00) : R;
  if ((I.Mods & Relu) && V == V && (R & 0x8000))
    R = 0;
  return R;
}

template <typename T, T (*Fn)(const Inst &, T, T, T)>
void execScalar(ExecContext &X, const Inst &I) {
  using Box = typename Lanes<T>::Box;
  alignas(64) Box Temp[32];
  for (unsigned L = 0; L < 32; ++L) {
    T V[3] = {};
    for (unsigned J = 0; J < I.NumSrc; ++J)
      V[J] = Lanes<T>::get(X.ptr(X.src(I, J)), L);
    Temp[L] = Lanes<T>::box(Fn(I, V[0], V[1], V[2]));
  }
  commit(X, X.dst(I), Temp);
}

template <bool Brain, unsigned Width>
void execHalf(ExecContext &X, const Inst &I) {
  alignas(64) uint32_t Temp[32] = {};
  for (unsigned L = 0; L < 32; ++L) {
    if (!(X.Mask >> L & 1))
      continue;
    uint32_t V[3] = {};
    for (unsigned J = 0; J < I.NumSrc; ++J)
      V[J] = uint32_t(X.lane(X.src(I, J), L));
    for (unsigned H = 0; H < Width; ++H)
      Temp[L] |= uint32_t(oneHalf(I, Brain, uint16_t(V[0] >> (16 * H)),
                                  uint16_t(V[1] >> (16 * H)),
                                  uint16_t(V[2] >> (16 * H))))
                 << (16 * H);
  }
  commit(X, X.dst(I), Temp);
}

// bf16x2 products are the decoder's bread and butter: exact in float unless
// they leave its normal range, so that one rounding of the float is right.
inline uint32_t roundFast(float V) {
  uint32_t B = bitsTo<uint32_t>(V);
  return (B + 0x7fff + (B >> 16 & 1)) >> 16;
}
void execMulBF16x2(ExecContext &X, const Inst &I) {
  alignas(64) uint32_t Temp[32];
  auto *P = reinterpret_cast<const uint32_t *>(X.ptr(X.src(I, 0)));
  auto *Q = reinterpret_cast<const uint32_t *>(X.ptr(X.src(I, 1)));
  uint32_t Odd = 0;
  for (unsigned L = 0; L < 32; ++L) {
    float Lo = bitsTo<float>(P[L] << 16) * bitsTo<float>(Q[L] << 16);
    float Hi =
        bitsTo<float>(P[L] & 0xffff0000) * bitsTo<float>(Q[L] & 0xffff0000);
    // Overflow, NaN, and products that leave the normal range take the slow
    // way; a zero factor gives an exact zero.
    uint32_t E = bitsTo<uint32_t>(Lo) >> 23 & 255;
    uint32_t F = bitsTo<uint32_t>(Hi) >> 23 & 255;
    bool ZeroLo = !(P[L] & 0x7fff) | !(Q[L] & 0x7fff);
    bool ZeroHi = !(P[L] & 0x7fff0000) | !(Q[L] & 0x7fff0000);
    Odd |= uint32_t(E == 255) | uint32_t(F == 255) |
           uint32_t((E == 0) & !ZeroLo) | uint32_t((F == 0) & !ZeroHi);
    Temp[L] = roundFast(Lo) | roundFast(Hi) << 16;
  }
  if (Odd)
    return execHalf<true, 2>(X, I);
  commit(X, X.dst(I), Temp);
}

ExecFn pick(Decoder &D, Op O, Ty T) {
  bool Plain = D.I.Mods == 0 && D.I.Mods2 == 0;
  switch (T) {
  case Ty::F32:
    if (Plain && O == Op::Add)
      return exec2<float, float, float, AddF>;
    if (Plain && O == Op::Sub)
      return exec2<float, float, float, SubF>;
    if (Plain && O == Op::Mul)
      return exec2<float, float, float, MulF>;
    if (Plain && O == Op::Fma)
      return execFmaF;
    return execScalar<float, oneF32>;
  case Ty::F64:
    return execScalar<double, oneF64>;
  case Ty::BF16:
    return execHalf<true, 1>;
  case Ty::BF16x2:
    return Plain && O == Op::Mul ? execMulBF16x2 : execHalf<true, 2>;
  case Ty::F16:
    return execHalf<false, 1>;
  case Ty::F16x2:
    return execHalf<false, 2>;
  default:
    return nullptr;
  }
}

struct Entry {
  const char *Name;
  Op O;
  uint8_t Sources;
  Pipe P;
};
constexpr Entry Table[] = {
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

bool mxfp4::sim::decodeFloat(Decoder &D) {
  const Entry *E = nullptr;
  for (const Entry &Candidate : Table)
    if (D.base() == Candidate.Name)
      E = &Candidate;
  if (!E)
    return D.fail(std::string(D.base()) + " has no floating-point form");
  if (D.take("approx") && E->O == Op::Div)
    D.I.Mods |= Approx;
  D.take("full");
  int R = D.takeOneOf({"rn", "rz", "rm", "rp"}, 0);
  D.I.Mods2 = uint8_t(R);
  if (D.take("ftz"))
    D.I.Mods |= Ftz;
  if (D.take("sat"))
    D.I.Mods |= Sat;
  if (D.take("NaN"))
    D.I.Mods |= PropagateNaN;
  if (D.take("xorsign") && D.take("abs"))
    D.I.Mods |= AbsFlag;
  if (D.take("relu"))
    D.I.Mods |= Relu;
  Ty T = D.takeType();
  if (!isFloat(T) || T == Ty::TF32)
    return D.fail("expected a floating-point type");
  if (R && typeBits(T) < 32)
    return D.fail("half types round to nearest only");
  D.I.Sub = uint8_t(E->O);
  D.I.P = T == Ty::F64 ? Pipe::Fp64 : E->P;
  D.I.T = T;
  D.I.Fn = pick(D, E->O, T);
  if (!D.expectOps(E->Sources + 1, E->Sources + 1) || !D.dst(D.ops()[0], T))
    return false;
  for (unsigned J = 1; J <= E->Sources; ++J)
    if (!D.src(D.ops()[J], T))
      return false;
  return true;
}
