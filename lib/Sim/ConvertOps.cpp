//===- ConvertOps.cpp - cvt -----------------------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Decoder.h"
#include "Exec.h"
#include "Float.h"

using namespace mxfp4::sim;

namespace {

enum : uint8_t {
  Ftz = 1,
  Sat = 2,
  Relu = 4,
  Integral = 8,
  SatFinite = 16,
  AwayTies = 32
};

int64_t signExtend(uint64_t V, unsigned Bits) {
  return Bits >= 64 ? int64_t(V) : int64_t(V << (64 - Bits)) >> (64 - Bits);
}
uint64_t zeroExtend(uint64_t V, unsigned Bits) {
  return Bits >= 64 ? V : V & ((uint64_t(1) << Bits) - 1);
}

/// A 64-bit magnitude as a double whose last bit is sticky, so that a later
/// rounding to fewer bits is right.
double magnitudeToOdd(uint64_t V) {
  if (V >> 53)
    V = (V >> 11 | ((V & 0x7ff) != 0)) << 11;
  return double(V);
}

double readFloat(uint64_t V, Ty T, bool FlushIt) {
  double R;
  switch (T) {
  case Ty::F32:
    R = bitsTo<float>(uint32_t(V));
    break;
  case Ty::F64:
    return bitsTo<double>(V);
  case Ty::BF16:
    R = fromBF16(uint16_t(V));
    break;
  default:
    return fromF16(uint16_t(V));
  }
  return FlushIt && std::fabs(R) < 1.17549435e-38 ? std::copysign(0.0, R) : R;
}

double roundIntegral(double V, Round R) {
  switch (R) {
  case Round::NearestEven:
    return std::nearbyint(V);
  case Round::Zero:
    return std::trunc(V);
  case Round::Down:
    return std::floor(V);
  default:
    return std::ceil(V);
  }
}

/// A NaN gives zero, or the top bit alone where either side has 64 bits.
uint64_t toInteger(double V, Ty T, Ty From, Round R) {
  unsigned Bits = typeBits(T);
  if (V != V)
    return Bits == 64 || From == Ty::F64 ? uint64_t(1) << (Bits - 1) : 0;
  V = roundIntegral(V, R);
  if (isSigned(T)) {
    double Limit = std::ldexp(1.0, int(Bits) - 1);
    int64_t Max = int64_t((uint64_t(1) << (Bits - 1)) - 1);
    int64_t N = V >= Limit ? Max : V < -Limit ? -Max - 1 : int64_t(V);
    return zeroExtend(uint64_t(N), Bits);
  }
  double Limit = std::ldexp(1.0, int(Bits));
  if (V >= Limit)
    return zeroExtend(~uint64_t(0), Bits);
  return V <= 0 ? 0 : uint64_t(V);
}

uint64_t writeFloat(double V, Ty T, Round R, uint8_t Mods) {
  if (Mods & Sat)
    V = V != V ? 0 : V < 0 ? 0 : V > 1 ? 1 : V + 0.0;
  if ((Mods & Relu) && (V < 0 || (V == 0 && std::signbit(V))))
    V = 0;
  switch (T) {
  case Ty::F64:
    return bitsTo<uint64_t>(V);
  case Ty::F32: {
    float F = canonical(doubleToFloat(V, R));
    return bitsTo<uint32_t>(Mods & Ftz ? flush(F) : F);
  }
  case Ty::BF16:
    return roundDouble(V, 7, 8, R, Mods & SatFinite);
  case Ty::F16:
    return roundDouble(V, 10, 5, R, Mods & SatFinite);
  default:
    return 0;
  }
}

uint64_t convert(uint64_t V, const Inst &I) {
  Ty To = I.T, From = I.T2;
  Round R = Round(I.Mods2);
  unsigned FromBits = typeBits(From), ToBits = typeBits(To);
  if (isFloat(From)) {
    double D = readFloat(V, From, I.Mods & Ftz);
    if (!isFloat(To))
      return toInteger(D, To, From, R);
    if (I.Mods & Integral)
      D = roundIntegral(D, R);
    // From f64 alone, a NaN keeps its sign and the top of its payload.
    if (From == Ty::F64 && To == Ty::F32 && D != D && !(I.Mods & Sat))
      return bitsTo<uint32_t>(float(D));
    return writeFloat(D, To, R, I.Mods);
  }
  bool Negative = false;
  uint64_t N;
  if (isSigned(From)) {
    int64_t S = signExtend(V, FromBits);
    Negative = S < 0;
    N = Negative ? 0 - uint64_t(S) : uint64_t(S);
  } else {
    N = zeroExtend(V, FromBits);
  }
  if (To == Ty::F64) // Both halves are exact, so that there is one rounding.
    return bitsTo<uint64_t>(
        roundedOp('f', double(N >> 32), Negative ? -0x1p32 : 0x1p32,
                  (Negative ? -1.0 : 1.0) * double(N & 0xffffffff), R));
  if (isFloat(To)) {
    double D = magnitudeToOdd(N);
    return writeFloat(Negative ? -D : D, To, R, I.Mods);
  }
  if (I.Mods & Sat) {
    uint64_t Max = zeroExtend(~uint64_t(0), isSigned(To) ? ToBits - 1 : ToBits);
    if (!Negative && N > Max)
      return Max;
    if (Negative && !isSigned(To))
      return 0;
    if (Negative && N > Max + 1)
      N = Max + 1;
  }
  return zeroExtend(Negative ? 0 - N : N, ToBits);
}

/// A value narrower than its register is extended by its own sign.
uint64_t widen(uint64_t V, Ty T, unsigned RegBits) {
  if (isSigned(T) && RegBits > typeBits(T))
    return zeroExtend(uint64_t(signExtend(V, typeBits(T))), RegBits);
  return V;
}

void execCvt(ExecContext &X, const Inst &I) {
  const Operand &D = X.dst(I), &S = X.src(I);
  forLanes(X.Mask, [&](unsigned L) {
    X.setLane(D, L, widen(convert(X.lane(S, L), I), I.T, I.A));
  });
  X.defined(D);
}

/// cvt.rn.bf16x2.f32 d, hi, lo
void execCvtPacked(ExecContext &X, const Inst &I) {
  alignas(64) uint32_t Temp[32];
  Ty Half = I.T == Ty::BF16x2 ? Ty::BF16 : Ty::F16;
  auto *P = reinterpret_cast<const uint32_t *>(X.ptr(X.src(I, 0)));
  auto *Q = reinterpret_cast<const uint32_t *>(X.ptr(X.src(I, 1)));
  bool Fast = I.T == Ty::BF16x2 && !I.Mods && !I.Mods2;
  for (unsigned L = 0; L < 32; ++L) {
    auto One = [&](uint32_t B) {
      if (Fast && (B & 0x7f800000) != 0x7f800000)
        return (B + 0x7fff + (B >> 16 & 1)) >> 16;
      return uint32_t(writeFloat(readFloat(B, Ty::F32, false), Half,
                                 Round(I.Mods2), I.Mods));
    };
    Temp[L] = One(P[L]) << 16 | One(Q[L]);
  }
  commit(X, X.dst(I), Temp);
}

void execCvtTf32(ExecContext &X, const Inst &I) {
  alignas(64) uint32_t Temp[32];
  for (unsigned L = 0; L < 32; ++L) {
    uint32_t B = uint32_t(X.lane(X.src(I), L));
    bool Special = (B & 0x7f800000) == 0x7f800000;
    uint32_t R = I.Mods & AwayTies                 ? B + 0x1000
                 : I.Mods2 == uint8_t(Round::Zero) ? B
                                                   : B + 0xfff + (B >> 13 & 1);
    // A NaN stays one, quiet, with what of its payload fits.
    uint32_t Quiet = B & 0x7fffff ? 0x400000 : 0;
    Temp[L] = (Special ? B | Quiet : R) & ~0x1fffu;
  }
  commit(X, X.dst(I), Temp);
}

/// A shift, also of a NaN.
struct FromBrain {
  static uint32_t f(uint16_t A) { return uint32_t(A) << 16; }
};
template <typename T> struct Same {
  template <typename A> static T f(A V) { return T(V); }
};

float fromE4M3(uint8_t B) {
  unsigned E = B >> 3 & 15, M = B & 7;
  float V = E == 15 && M == 7 ? NAN
            : E               ? std::ldexp(float(8 + M), int(E) - 10)
                              : std::ldexp(float(M), -9);
  return B & 128 ? -V : V;
}
uint8_t toE4M3(double V) {
  uint32_t Sign = std::signbit(V) ? 128 : 0;
  if (V != V)
    return 0x7f;
  if (V == 0)
    return uint8_t(Sign);
  if (std::fabs(V) >= 448)
    return uint8_t(Sign | 0x7e);
  // E4M3 has no infinity: its top binade is an ordinary one, so that the
  // general rounding does not apply.
  int Exp;
  std::frexp(V, &Exp);
  int Ulp = Exp - 4 < -9 ? -9 : Exp - 4;
  double N = std::nearbyint(std::ldexp(std::fabs(V), -Ulp));
  uint32_t Code = uint32_t(N) + (uint32_t(Ulp + 9) << 3);
  return uint8_t(Sign | (Code > 0x7e ? 0x7e : Code));
}
uint8_t toE5M2(double V) {
  return uint8_t(roundDouble(V, 2, 5, Round::NearestEven, true));
}

void execCvtToF8(ExecContext &X, const Inst &I) {
  forLanes(X.Mask, [&](unsigned L) {
    double A, B;
    if (I.NumSrc == 2) {
      A = bitsTo<float>(uint32_t(X.lane(X.src(I, 0), L)));
      B = bitsTo<float>(uint32_t(X.lane(X.src(I, 1), L)));
    } else {
      uint32_t V = uint32_t(X.lane(X.src(I, 0), L));
      A = fromF16(uint16_t(V >> 16));
      B = fromF16(uint16_t(V));
    }
    if (I.Mods & Relu) {
      A = A < 0 ? 0 : A;
      B = B < 0 ? 0 : B;
    }
    uint32_t R = I.T == Ty::E4M3x2 ? toE4M3(A) << 8 | toE4M3(B)
                                   : toE5M2(A) << 8 | toE5M2(B);
    X.setLane(X.dst(I), L, R);
  });
  X.defined(X.dst(I));
}
void execCvtFromF8(ExecContext &X, const Inst &I) {
  forLanes(X.Mask, [&](unsigned L) {
    uint32_t V = uint32_t(X.lane(X.src(I), L)), R = 0;
    for (unsigned H = 0; H < 2; ++H) {
      uint8_t B = uint8_t(V >> (8 * H));
      uint32_t Half = I.T2 == Ty::E4M3x2 ? toF16(fromE4M3(B))
                                         : toF16(fromF16(uint16_t(B << 8)));
      R |= Half << (16 * H);
    }
    X.setLane(X.dst(I), L, R);
  });
  X.defined(X.dst(I));
}

ExecFn fastPath(Ty To, Ty From, unsigned DstBits, unsigned SrcBits,
                uint8_t Mods) {
  if (Mods)
    return nullptr;
  if (To == Ty::F32 && From == Ty::BF16)
    return exec1<uint32_t, uint16_t, FromBrain>;
  if (isFloat(To) || isFloat(From) || DstBits != typeBits(To) ||
      SrcBits != typeBits(From))
    return nullptr;
  if (DstBits == 64 && From == Ty::U32)
    return exec1<uint64_t, uint32_t, Same<uint64_t>>;
  if (DstBits == 64 && From == Ty::S32)
    return exec1<int64_t, int32_t, Same<int64_t>>;
  if (DstBits == 32 && SrcBits == 64)
    return exec1<uint32_t, uint64_t, Same<uint32_t>>;
  if (DstBits == 16 && SrcBits >= 32)
    return SrcBits == 64 ? exec1<uint16_t, uint64_t, Same<uint16_t>>
                         : exec1<uint16_t, uint32_t, Same<uint16_t>>;
  if (DstBits == 32 && From == Ty::U16)
    return exec1<uint32_t, uint16_t, Same<uint32_t>>;
  if (DstBits == 32 && From == Ty::S16)
    return exec1<int32_t, int16_t, Same<int32_t>>;
  return nullptr;
}

bool scalar(Decoder &D, Ty To, Ty From) {
  if (!D.expectOps(2, 2) || !D.dst(D.ops()[0], To, true) ||
      !D.src(D.ops()[1], From, true))
    return false;
  D.I.A =
      typeBits(D.ops()[0].K == AstOperand::Reg ? D.regType(D.ops()[0]) : To);
  unsigned SrcBits =
      D.isReg(D.ops()[1]) ? typeBits(D.regType(D.ops()[1])) : typeBits(From);
  D.I.Fn = fastPath(To, From, D.I.A, SrcBits, D.I.Mods);
  if (!D.I.Fn)
    D.I.Fn = execCvt;
  return true;
}

} // namespace

bool mxfp4::sim::decodeConvert(Decoder &D) {
  int Int = D.takeOneOf({"rni", "rzi", "rmi", "rpi"}, -1);
  if (D.take("rna"))
    D.I.Mods |= AwayTies;
  int R = D.takeOneOf({"rn", "rz", "rm", "rp"}, 0);
  if (Int >= 0)
    D.I.Mods |= Integral;
  D.I.Mods2 = uint8_t(Int >= 0 ? Int : R);
  if (D.take("ftz"))
    D.I.Mods |= Ftz;
  if (D.take("satfinite"))
    D.I.Mods |= SatFinite;
  if (D.take("sat"))
    D.I.Mods |= Sat;
  if (D.take("relu"))
    D.I.Mods |= Relu;
  Ty To = D.takeType(), From = D.takeType();
  D.I.T = To;
  D.I.T2 = From;
  D.I.P =
      isFloat(To) && isFloat(From) && typeBits(To) <= 32 ? Pipe::Alu : Pipe::Xu;
  if ((To == Ty::BF16x2 || To == Ty::F16x2) && From == Ty::F32) {
    D.I.Fn = execCvtPacked;
    return D.expectOps(3, 3) && D.dst(D.ops()[0], To) &&
           D.src(D.ops()[1], From) && D.src(D.ops()[2], From);
  }
  if (To == Ty::TF32 && From == Ty::F32) {
    D.I.Fn = execCvtTf32;
    return D.expectOps(2, 2) && D.dst(D.ops()[0], Ty::B32) &&
           D.src(D.ops()[1], Ty::F32);
  }
  bool F8To = To == Ty::E4M3x2 || To == Ty::E5M2x2;
  bool F8From = From == Ty::E4M3x2 || From == Ty::E5M2x2;
  if (F8To && (From == Ty::F32 || From == Ty::F16x2)) {
    size_t N = From == Ty::F32 ? 3 : 2;
    D.I.Fn = execCvtToF8;
    return D.expectOps(N, N) && D.dst(D.ops()[0], To) &&
           D.src(D.ops()[1], From) && (N == 2 || D.src(D.ops()[2], From));
  }
  if (F8From && To == Ty::F16x2) {
    D.I.Fn = execCvtFromF8;
    return D.expectOps(2, 2) && D.dst(D.ops()[0], To) &&
           D.src(D.ops()[1], From);
  }
  auto Scalar = [](Ty T) {
    unsigned Bits = typeBits(T);
    return Bits >= 8 && Bits <= 64 && T != Ty::BF16x2 && T != Ty::F16x2 &&
           T != Ty::TF32 && T != Ty::E4M3x2 && T != Ty::E5M2x2 && T != Ty::B8 &&
           T != Ty::B16 && T != Ty::B32 && T != Ty::B64;
  };
  if (!Scalar(To) || !Scalar(From))
    return D.fail("conversion of these types is not supported");
  return scalar(D, To, From);
}
