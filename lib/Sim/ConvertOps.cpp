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

int64_t signExtend(uint64_t v, unsigned bits) {
  return bits >= 64 ? int64_t(v) : int64_t(v << (64 - bits)) >> (64 - bits);
}
uint64_t zeroExtend(uint64_t v, unsigned bits) {
  return bits >= 64 ? v : v & ((uint64_t(1) << bits) - 1);
}

/// A 64-bit magnitude as a double whose last bit is sticky, so that a later
/// rounding to fewer bits is right.
double magnitudeToOdd(uint64_t v) {
  if (v >> 53)
    v = (v >> 11 | ((v & 0x7ff) != 0)) << 11;
  return double(v);
}

double readFloat(uint64_t v, Ty t, bool flushIt) {
  double r;
  switch (t) {
  case Ty::F32:
    r = bitsTo<float>(uint32_t(v));
    break;
  case Ty::F64:
    return bitsTo<double>(v);
  case Ty::BF16:
    r = fromBF16(uint16_t(v));
    break;
  default:
    return fromF16(uint16_t(v));
  }
  return flushIt && std::fabs(r) < 1.17549435e-38 ? std::copysign(0.0, r) : r;
}

double roundIntegral(double v, Round r) {
  switch (r) {
  case Round::NearestEven:
    return std::nearbyint(v);
  case Round::Zero:
    return std::trunc(v);
  case Round::Down:
    return std::floor(v);
  default:
    return std::ceil(v);
  }
}

/// A NaN becomes zero, or only the top bit if the source or the result has 64
/// bits.
uint64_t toInteger(double v, Ty t, Ty from, Round r) {
  unsigned bits = typeBits(t);
  if (v != v)
    return bits == 64 || from == Ty::F64 ? uint64_t(1) << (bits - 1) : 0;
  v = roundIntegral(v, r);
  if (isSigned(t)) {
    double limit = std::ldexp(1.0, int(bits) - 1);
    int64_t max = int64_t((uint64_t(1) << (bits - 1)) - 1);
    int64_t n = v >= limit ? max : v < -limit ? -max - 1 : int64_t(v);
    return zeroExtend(uint64_t(n), bits);
  }
  double limit = std::ldexp(1.0, int(bits));
  if (v >= limit)
    return zeroExtend(~uint64_t(0), bits);
  return v <= 0 ? 0 : uint64_t(v);
}

uint64_t writeFloat(double v, Ty t, Round r, uint8_t mods) {
  if (mods & Sat)
    v = v != v ? 0 : v < 0 ? 0 : v > 1 ? 1 : v + 0.0;
  if ((mods & Relu) && (v < 0 || (v == 0 && std::signbit(v))))
    v = 0;
  switch (t) {
  case Ty::F64:
    return bitsTo<uint64_t>(v);
  case Ty::F32: {
    float f = canonical(doubleToFloat(v, r));
    return bitsTo<uint32_t>(mods & Ftz ? flush(f) : f);
  }
  case Ty::BF16:
    return roundDouble(v, 7, 8, r, mods & SatFinite);
  case Ty::F16:
    return roundDouble(v, 10, 5, r, mods & SatFinite);
  default:
    return 0;
  }
}

uint64_t convert(uint64_t v, const Inst &i) {
  Ty to = i.t, from = i.t2;
  Round r = Round(i.mods2);
  unsigned fromBits = typeBits(from), toBits = typeBits(to);
  if (isFloat(from)) {
    double d = readFloat(v, from, i.mods & Ftz);
    if (!isFloat(to))
      return toInteger(d, to, from, r);
    if (i.mods & Integral)
      d = roundIntegral(d, r);
    // From f64 alone, a NaN keeps its sign and the top of its payload.
    if (from == Ty::F64 && to == Ty::F32 && d != d && !(i.mods & Sat))
      return bitsTo<uint32_t>(float(d));
    return writeFloat(d, to, r, i.mods);
  }
  bool negative = false;
  uint64_t n;
  if (isSigned(from)) {
    int64_t s = signExtend(v, fromBits);
    negative = s < 0;
    n = negative ? 0 - uint64_t(s) : uint64_t(s);
  } else {
    n = zeroExtend(v, fromBits);
  }
  if (to == Ty::F64) // Both halves are exact, so that there is one rounding.
    return bitsTo<uint64_t>(
        roundedOp('f', double(n >> 32), negative ? -0x1p32 : 0x1p32,
                  (negative ? -1.0 : 1.0) * double(n & 0xffffffff), r));
  if (isFloat(to)) {
    double d = magnitudeToOdd(n);
    return writeFloat(negative ? -d : d, to, r, i.mods);
  }
  if (i.mods & Sat) {
    uint64_t max = zeroExtend(~uint64_t(0), isSigned(to) ? toBits - 1 : toBits);
    if (!negative && n > max)
      return max;
    if (negative && !isSigned(to))
      return 0;
    if (negative && n > max + 1)
      n = max + 1;
  }
  return zeroExtend(negative ? 0 - n : n, toBits);
}

/// A value narrower than its register is extended by its own sign.
uint64_t widen(uint64_t v, Ty t, unsigned regBits) {
  if (isSigned(t) && regBits > typeBits(t))
    return zeroExtend(uint64_t(signExtend(v, typeBits(t))), regBits);
  return v;
}

void execCvt(ExecContext &x, const Inst &i) {
  const Operand &d = x.dst(i), &s = x.src(i);
  forLanes(x.mask, [&](unsigned l) {
    x.setLane(d, l, widen(convert(x.lane(s, l), i), i.t, i.a));
  });
  x.defined(d);
}

/// cvt.rn.bf16x2.f32 d, hi, lo
void execCvtPacked(ExecContext &x, const Inst &i) {
  alignas(64) uint32_t temp[32];
  Ty half = i.t == Ty::BF16x2 ? Ty::BF16 : Ty::F16;
  auto *p = reinterpret_cast<const uint32_t *>(x.ptr(x.src(i, 0)));
  auto *q = reinterpret_cast<const uint32_t *>(x.ptr(x.src(i, 1)));
  bool fast = i.t == Ty::BF16x2 && !i.mods && !i.mods2;
  for (unsigned l = 0; l < 32; ++l) {
    auto one = [&](uint32_t b) {
      if (fast && (b & 0x7f800000) != 0x7f800000)
        return (b + 0x7fff + (b >> 16 & 1)) >> 16;
      return uint32_t(writeFloat(readFloat(b, Ty::F32, false), half,
                                 Round(i.mods2), i.mods));
    };
    temp[l] = one(p[l]) << 16 | one(q[l]);
  }
  commit(x, x.dst(i), temp);
}

void execCvtTf32(ExecContext &x, const Inst &i) {
  alignas(64) uint32_t temp[32];
  for (unsigned l = 0; l < 32; ++l) {
    uint32_t b = uint32_t(x.lane(x.src(i), l));
    bool special = (b & 0x7f800000) == 0x7f800000;
    uint32_t r = i.mods & AwayTies                 ? b + 0x1000
                 : i.mods2 == uint8_t(Round::Zero) ? b
                                                   : b + 0xfff + (b >> 13 & 1);
    // A NaN becomes quiet and keeps the bits of its payload that fit.
    uint32_t quiet = b & 0x7fffff ? 0x400000 : 0;
    temp[l] = (special ? b | quiet : r) & ~0x1fffu;
  }
  commit(x, x.dst(i), temp);
}

/// From bf16 to f32 by a shift, which keeps a NaN's bits.
struct FromBrain {
  static uint32_t f(uint16_t a) { return uint32_t(a) << 16; }
};
template <typename T> struct Same {
  template <typename A> static T f(A v) { return T(v); }
};

float fromE4M3(uint8_t b) {
  unsigned e = b >> 3 & 15, m = b & 7;
  float v = e == 15 && m == 7 ? NAN
            : e               ? std::ldexp(float(8 + m), int(e) - 10)
                              : std::ldexp(float(m), -9);
  return b & 128 ? -v : v;
}
uint8_t toE4M3(double v) {
  uint32_t sign = std::signbit(v) ? 128 : 0;
  if (v != v)
    return 0x7f;
  if (v == 0)
    return uint8_t(sign);
  if (std::fabs(v) >= 448)
    return uint8_t(sign | 0x7e);
  // E4M3 has no infinity: its top binade is an ordinary one, so that the
  // general rounding does not apply.
  int exp;
  std::frexp(v, &exp);
  int ulp = exp - 4 < -9 ? -9 : exp - 4;
  double n = std::nearbyint(std::ldexp(std::fabs(v), -ulp));
  uint32_t code = uint32_t(n) + (uint32_t(ulp + 9) << 3);
  return uint8_t(sign | (code > 0x7e ? 0x7e : code));
}
uint8_t toE5M2(double v) {
  return uint8_t(roundDouble(v, 2, 5, Round::NearestEven, true));
}

void execCvtToF8(ExecContext &x, const Inst &i) {
  forLanes(x.mask, [&](unsigned l) {
    double a, b;
    if (i.numSrc == 2) {
      a = bitsTo<float>(uint32_t(x.lane(x.src(i, 0), l)));
      b = bitsTo<float>(uint32_t(x.lane(x.src(i, 1), l)));
    } else {
      uint32_t v = uint32_t(x.lane(x.src(i, 0), l));
      a = fromF16(uint16_t(v >> 16));
      b = fromF16(uint16_t(v));
    }
    if (i.mods & Relu) {
      a = a < 0 ? 0 : a;
      b = b < 0 ? 0 : b;
    }
    uint32_t r = i.t == Ty::E4M3x2 ? toE4M3(a) << 8 | toE4M3(b)
                                   : toE5M2(a) << 8 | toE5M2(b);
    x.setLane(x.dst(i), l, r);
  });
  x.defined(x.dst(i));
}
void execCvtFromF8(ExecContext &x, const Inst &i) {
  forLanes(x.mask, [&](unsigned l) {
    uint32_t v = uint32_t(x.lane(x.src(i), l)), r = 0;
    for (unsigned h = 0; h < 2; ++h) {
      uint8_t b = uint8_t(v >> (8 * h));
      uint32_t half = i.t2 == Ty::E4M3x2 ? toF16(fromE4M3(b))
                                         : toF16(fromF16(uint16_t(b << 8)));
      r |= half << (16 * h);
    }
    x.setLane(x.dst(i), l, r);
  });
  x.defined(x.dst(i));
}

ExecFn fastPath(Ty to, Ty from, unsigned dstBits, unsigned srcBits,
                uint8_t mods) {
  if (mods)
    return nullptr;
  if (to == Ty::F32 && from == Ty::BF16)
    return exec1<uint32_t, uint16_t, FromBrain>;
  if (isFloat(to) || isFloat(from) || dstBits != typeBits(to) ||
      srcBits != typeBits(from))
    return nullptr;
  if (dstBits == 64 && from == Ty::U32)
    return exec1<uint64_t, uint32_t, Same<uint64_t>>;
  if (dstBits == 64 && from == Ty::S32)
    return exec1<int64_t, int32_t, Same<int64_t>>;
  if (dstBits == 32 && srcBits == 64)
    return exec1<uint32_t, uint64_t, Same<uint32_t>>;
  if (dstBits == 16 && srcBits >= 32)
    return srcBits == 64 ? exec1<uint16_t, uint64_t, Same<uint16_t>>
                         : exec1<uint16_t, uint32_t, Same<uint16_t>>;
  if (dstBits == 32 && from == Ty::U16)
    return exec1<uint32_t, uint16_t, Same<uint32_t>>;
  if (dstBits == 32 && from == Ty::S16)
    return exec1<int32_t, int16_t, Same<int32_t>>;
  return nullptr;
}

bool scalar(Decoder &d, Ty to, Ty from) {
  if (!d.expectOps(2, 2) || !d.dst(d.ops()[0], to, true) ||
      !d.src(d.ops()[1], from, true))
    return false;
  d.i.a =
      typeBits(d.ops()[0].k == AstOperand::Reg ? d.regType(d.ops()[0]) : to);
  unsigned srcBits =
      d.isReg(d.ops()[1]) ? typeBits(d.regType(d.ops()[1])) : typeBits(from);
  d.i.fn = fastPath(to, from, d.i.a, srcBits, d.i.mods);
  if (!d.i.fn)
    d.i.fn = execCvt;
  return true;
}

} // namespace

bool mxfp4::sim::decodeConvert(Decoder &d) {
  int integer = d.takeOneOf({"rni", "rzi", "rmi", "rpi"}, -1);
  if (d.take("rna"))
    d.i.mods |= AwayTies;
  int r = d.takeOneOf({"rn", "rz", "rm", "rp"}, 0);
  if (integer >= 0)
    d.i.mods |= Integral;
  d.i.mods2 = uint8_t(integer >= 0 ? integer : r);
  if (d.take("ftz"))
    d.i.mods |= Ftz;
  if (d.take("satfinite"))
    d.i.mods |= SatFinite;
  if (d.take("sat"))
    d.i.mods |= Sat;
  if (d.take("relu"))
    d.i.mods |= Relu;
  Ty to = d.takeType(), from = d.takeType();
  d.i.t = to;
  d.i.t2 = from;
  d.i.p =
      isFloat(to) && isFloat(from) && typeBits(to) <= 32 ? Pipe::Alu : Pipe::Xu;
  if ((to == Ty::BF16x2 || to == Ty::F16x2) && from == Ty::F32) {
    d.i.fn = execCvtPacked;
    return d.operands({to, from, from});
  }
  if (to == Ty::TF32 && from == Ty::F32) {
    d.i.fn = execCvtTf32;
    return d.operands({Ty::B32, Ty::F32});
  }
  bool f8To = to == Ty::E4M3x2 || to == Ty::E5M2x2;
  bool f8From = from == Ty::E4M3x2 || from == Ty::E5M2x2;
  if (f8To && (from == Ty::F32 || from == Ty::F16x2)) {
    d.i.fn = execCvtToF8;
    return from == Ty::F32 ? d.operands({to, from, from})
                           : d.operands({to, from});
  }
  if (f8From && to == Ty::F16x2) {
    d.i.fn = execCvtFromF8;
    return d.operands({to, from});
  }
  auto isScalar = [](Ty t) {
    unsigned bits = typeBits(t);
    return bits >= 8 && bits <= 64 && t != Ty::BF16x2 && t != Ty::F16x2 &&
           t != Ty::TF32 && t != Ty::E4M3x2 && t != Ty::E5M2x2 && t != Ty::B8 &&
           t != Ty::B16 && t != Ty::B32 && t != Ty::B64;
  };
  if (!isScalar(to) || !isScalar(from))
    return d.fail("conversion of these types is not supported");
  return scalar(d, to, from);
}
