//===- BitOps.cpp - Logic, shifts and permutes ----------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Decoder.h"
#include "Exec.h"

using namespace mxfp4::sim;

namespace {

struct And {
  template <typename T> static T f(T a, T b) { return a & b; }
};
struct Or {
  template <typename T> static T f(T a, T b) { return a | b; }
};
struct Xor {
  template <typename T> static T f(T a, T b) { return a ^ b; }
};
struct Not {
  template <typename T> static T f(T a) { return T(~a); }
};
struct CNot {
  template <typename T> static T f(T a) { return a == 0; }
};

// Shift amounts beyond the width give 0, or the sign.
template <typename T> struct Shl {
  static T f(T a, uint32_t n) {
    return n >= 8 * sizeof(T) ? T(0) : T(std::make_unsigned_t<T>(a) << n);
  }
};
template <typename T> struct Shr {
  static T f(T a, uint32_t n) {
    constexpr uint32_t max = 8 * sizeof(T) - 1;
    if (n > max)
      return std::is_signed_v<T> ? T(a >> max) : T(0);
    return T(a >> n);
  }
};

struct PrmtDefault {
  static uint32_t f(uint32_t a, uint32_t b, uint32_t c) {
    uint64_t bytes = uint64_t(b) << 32 | a;
    uint32_t r = 0;
    for (unsigned j = 0; j < 4; ++j) {
      uint32_t sel = c >> (4 * j) & 15;
      uint32_t v = uint32_t(bytes >> (8 * (sel & 7))) & 255;
      if (sel & 8)
        v = v & 128 ? 255 : 0;
      r |= v << (8 * j);
    }
    return r;
  }
};
/// The other modes of prmt pick by two bits of the control.
template <unsigned Mode> struct PrmtMode {
  static uint32_t f(uint32_t a, uint32_t b, uint32_t c) {
    uint64_t bytes = uint64_t(b) << 32 | a;
    unsigned n = c & 3;
    uint32_t r = 0;
    for (unsigned j = 0; j < 4; ++j) {
      unsigned sel = Mode == 0   ? n + j                  // f4e
                     : Mode == 1 ? (8 + n - j) & 7        // b4e
                     : Mode == 2 ? n                      // rc8
                     : Mode == 3 ? (j > n ? j : n)        // ecl
                     : Mode == 4 ? (j < n ? j : n)        // ecr
                                 : (n & 1) * 2 + (j & 1); // rc16
      r |= (uint32_t(bytes >> (8 * sel)) & 255) << (8 * j);
    }
    return r;
  }
};

template <bool Left, bool Wrap> struct Funnel {
  static uint32_t f(uint32_t lo, uint32_t hi, uint32_t n) {
    n = Wrap ? n & 31 : (n > 32 ? 32 : n);
    uint64_t v = uint64_t(hi) << 32 | lo;
    return Left ? uint32_t(v << n >> 32) : uint32_t(v >> n);
  }
};

void execLop3(ExecContext &x, const Inst &i) {
  alignas(64) uint32_t temp[32] = {};
  const uint32_t *p[3];
  for (unsigned j = 0; j < 3; ++j)
    p[j] = reinterpret_cast<const uint32_t *>(x.ptr(x.src(i, j)));
  for (unsigned min = 0; min < 8; ++min) {
    if (!(i.a >> min & 1))
      continue;
    uint32_t na = min & 4 ? 0 : ~0u, nb = min & 2 ? 0 : ~0u,
             nc = min & 1 ? 0 : ~0u;
    for (unsigned l = 0; l < 32; ++l)
      temp[l] |= (p[0][l] ^ na) & (p[1][l] ^ nb) & (p[2][l] ^ nc);
  }
  commit(x, x.dst(i), temp);
}

void execPredLogic(ExecContext &x, const Inst &i) {
  uint32_t a = x.pred(x.src(i, 0));
  uint32_t b = i.numSrc > 1 ? x.pred(x.src(i, 1)) : 0;
  uint32_t v = i.sub == 0   ? a & b
               : i.sub == 1 ? a | b
               : i.sub == 2 ? a ^ b
                            : ~a;
  x.setPred(x.dst(i), v);
}

template <typename Op> ExecFn pick2(unsigned bits) {
  switch (bits) {
  case 16:
    return exec2<uint16_t, uint16_t, uint16_t, Op>;
  case 32:
    return exec2<uint32_t, uint32_t, uint32_t, Op>;
  case 64:
    return exec2<uint64_t, uint64_t, uint64_t, Op>;
  default:
    return nullptr;
  }
}
template <typename Op> ExecFn pick1(unsigned bits) {
  switch (bits) {
  case 16:
    return exec1<uint16_t, uint16_t, Op>;
  case 32:
    return exec1<uint32_t, uint32_t, Op>;
  case 64:
    return exec1<uint64_t, uint64_t, Op>;
  default:
    return nullptr;
  }
}
template <template <typename> class Op> ExecFn pickShift(Ty t) {
  switch (t) {
  case Ty::B16:
  case Ty::U16:
    return exec2<uint16_t, uint16_t, uint32_t, Op<uint16_t>>;
  case Ty::S16:
    return exec2<int16_t, int16_t, uint32_t, Op<int16_t>>;
  case Ty::B32:
  case Ty::U32:
    return exec2<uint32_t, uint32_t, uint32_t, Op<uint32_t>>;
  case Ty::S32:
    return exec2<int32_t, int32_t, uint32_t, Op<int32_t>>;
  case Ty::B64:
  case Ty::U64:
    return exec2<uint64_t, uint64_t, uint32_t, Op<uint64_t>>;
  case Ty::S64:
    return exec2<int64_t, int64_t, uint32_t, Op<int64_t>>;
  default:
    return nullptr;
  }
}
bool logic(Decoder &d, std::string_view base) {
  Ty t = d.takeType();
  if (t == Ty::None)
    return d.fail("expected a type such as .b32");
  unsigned bits = typeBits(t);
  int which = base == "and" ? 0 : base == "or" ? 1 : base == "xor" ? 2 : 3;
  if (bits == 1) {
    d.i.fn = execPredLogic;
    d.i.sub = uint8_t(which);
  } else {
    d.i.fn = which == 0      ? pick2<And>(bits)
             : which == 1    ? pick2<Or>(bits)
             : which == 2    ? pick2<Xor>(bits)
             : base == "not" ? pick1<Not>(bits)
                             : pick1<CNot>(bits);
  }
  return which == 3 ? d.operands({t, t}) : d.operands({t, t, t});
}

bool permute(Decoder &d) {
  d.take("b32");
  using U = uint32_t;
  static constexpr ExecFn kModes[] = {
      exec3<U, U, U, U, PrmtMode<0>>, exec3<U, U, U, U, PrmtMode<1>>,
      exec3<U, U, U, U, PrmtMode<2>>, exec3<U, U, U, U, PrmtMode<3>>,
      exec3<U, U, U, U, PrmtMode<4>>, exec3<U, U, U, U, PrmtMode<5>>};
  int mode = d.takeOneOf({"f4e", "b4e", "rc8", "ecl", "ecr", "rc16"}, -1);
  d.i.fn = mode < 0 ? exec3<U, U, U, U, PrmtDefault> : kModes[mode];
  return d.operands({Ty::B32, Ty::B32, Ty::B32, Ty::B32});
}

bool lop3(Decoder &d) {
  d.take("b32");
  int64_t table;
  if (!d.expectOps(5, 5) || !d.dst(d.ops()[0], Ty::B32) ||
      !d.src(d.ops()[1], Ty::B32) || !d.src(d.ops()[2], Ty::B32) ||
      !d.src(d.ops()[3], Ty::B32) || !d.immediate(d.ops()[4], table))
    return false;
  if (table < 0 || table > 255)
    return d.fail("the truth table of lop3 must be from 0 to 255");
  d.i.a = uint32_t(table);
  d.i.fn = execLop3;
  return true;
}

bool funnel(Decoder &d) {
  int left = d.takeOneOf({"r", "l"}, -1),
      wrap = d.takeOneOf({"clamp", "wrap"}, -1);
  d.take("b32");
  if (left < 0 || wrap < 0)
    return d.fail("shf needs .l or .r, and .wrap or .clamp");
  using U = uint32_t;
  d.i.fn = left ? (wrap ? exec3<U, U, U, U, Funnel<true, true>>
                        : exec3<U, U, U, U, Funnel<true, false>>)
                : (wrap ? exec3<U, U, U, U, Funnel<false, true>>
                        : exec3<U, U, U, U, Funnel<false, false>>);
  return d.operands({Ty::B32, Ty::B32, Ty::B32, Ty::B32});
}

} // namespace

bool mxfp4::sim::decodeBits(Decoder &d) {
  std::string_view base = d.base();
  d.i.p = Pipe::Alu;
  if (base == "prmt")
    return permute(d);
  if (base == "lop3")
    return lop3(d);
  if (base == "shf")
    return funnel(d);
  if (base != "shl" && base != "shr")
    return logic(d, base);
  Ty t = d.takeType();
  d.i.fn = base == "shl" ? pickShift<Shl>(t) : pickShift<Shr>(t);
  return d.operands({t, t, Ty::B32});
}
