//===- BitOps.cpp - Logic, shifts, fields and permutes --------------------===//
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

template <typename T> struct Bfe {
  static T f(T a, uint32_t pos, uint32_t len) {
    constexpr unsigned bits = 8 * sizeof(T);
    using U = std::make_unsigned_t<T>;
    pos &= 255;
    len &= 255;
    if (len == 0)
      return 0;
    U v = pos >= bits ? U(0) : U(U(a) >> pos);
    unsigned signAt = pos + len - 1 < bits - 1 ? pos + len - 1 : bits - 1;
    bool sign = std::is_signed_v<T> && (U(a) >> signAt & 1);
    if (len >= bits)
      len = bits;
    U field = len >= bits ? ~U(0) : (U(1) << len) - 1;
    unsigned have = pos >= bits ? 0 : bits - pos; // Real bits in V.
    U real = have >= bits ? ~U(0) : (U(1) << have) - 1;
    v &= field & real;
    if (sign)
      v |= ~(field & real);
    return T(v);
  }
};
template <typename T> void execBfi(ExecContext &x, const Inst &i) {
  constexpr unsigned bits = 8 * sizeof(T);
  T temp[32];
  for (unsigned l = 0; l < 32; ++l) {
    T a = T(x.lane(x.src(i, 0), l)), b = T(x.lane(x.src(i, 1), l));
    unsigned pos = x.lane(x.src(i, 2), l) & 255;
    unsigned len = x.lane(x.src(i, 3), l) & 255;
    T field = len >= bits ? ~T(0) : (T(1) << len) - 1;
    T m = pos >= bits ? T(0) : T(field << pos);
    T v = pos >= bits ? T(0) : T(a << pos);
    temp[l] = (b & ~m) | (v & m);
  }
  commit(x, x.dst(i), temp);
}

struct Brev32 {
  static uint32_t f(uint32_t a) {
    a = (a >> 1 & 0x55555555) | (a & 0x55555555) << 1;
    a = (a >> 2 & 0x33333333) | (a & 0x33333333) << 2;
    a = (a >> 4 & 0x0f0f0f0f) | (a & 0x0f0f0f0f) << 4;
    return __builtin_bswap32(a);
  }
};
struct Brev64 {
  static uint64_t f(uint64_t a) {
    return uint64_t(Brev32::f(uint32_t(a))) << 32 |
           Brev32::f(uint32_t(a >> 32));
  }
};
struct Popc {
  template <typename T> static uint32_t f(T a) {
    return uint32_t(__builtin_popcountll(a));
  }
};
template <typename T> struct Clz {
  static uint32_t f(T a) {
    constexpr unsigned bits = 8 * sizeof(T);
    return a ? unsigned(__builtin_clzll(uint64_t(a))) - (64 - bits) : bits;
  }
};
template <typename T> struct Bfind {
  static uint32_t f(T a) {
    using U = std::make_unsigned_t<T>;
    U v = std::is_signed_v<T> && a < 0 ? U(~a) : U(a);
    return v ? 63 - unsigned(__builtin_clzll(uint64_t(v))) : ~0u;
  }
};
template <typename T> struct BfindShift {
  static uint32_t f(T a) {
    uint32_t n = Bfind<T>::f(a);
    return n == ~0u ? n : 8 * sizeof(T) - 1 - n;
  }
};
/// bmsk.clamp: a field of ones.
struct Bmsk {
  static uint32_t f(uint32_t pos, uint32_t len) {
    if (pos >= 32)
      return 0;
    return (len >= 32 ? ~0u : (1u << len) - 1) << pos;
  }
};
template <bool Signed> struct Szext {
  static uint32_t f(uint32_t a, uint32_t n) {
    if (n >= 32)
      return a;
    if (n == 0)
      return 0;
    uint32_t v = a & ((1u << n) - 1);
    return Signed && (v >> (n - 1)) ? v | ~((1u << n) - 1) : v;
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
template <template <typename> class Op> ExecFn pickField(Ty t) {
  switch (t) {
  case Ty::U32:
    return exec3<uint32_t, uint32_t, uint32_t, uint32_t, Op<uint32_t>>;
  case Ty::S32:
    return exec3<int32_t, int32_t, uint32_t, uint32_t, Op<int32_t>>;
  case Ty::U64:
    return exec3<uint64_t, uint64_t, uint32_t, uint32_t, Op<uint64_t>>;
  case Ty::S64:
    return exec3<int64_t, int64_t, uint32_t, uint32_t, Op<int64_t>>;
  default:
    return nullptr;
  }
}
template <template <typename> class Op> ExecFn pickCount(Ty t) {
  switch (t) {
  case Ty::B32:
  case Ty::U32:
    return exec1<uint32_t, uint32_t, Op<uint32_t>>;
  case Ty::S32:
    return exec1<uint32_t, int32_t, Op<int32_t>>;
  case Ty::B64:
  case Ty::U64:
    return exec1<uint32_t, uint64_t, Op<uint64_t>>;
  case Ty::S64:
    return exec1<uint32_t, int64_t, Op<int64_t>>;
  default:
    return nullptr;
  }
}

/// Destination and sources of the given types, in order.
bool operands(Decoder &d, std::initializer_list<Ty> types) {
  if (!d.expectOps(types.size(), types.size()))
    return false;
  size_t j = 0;
  for (Ty t : types) {
    if (!(j ? d.src(d.ops()[j], t) : d.dst(d.ops()[j], t)))
      return false;
    ++j;
  }
  return true;
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
  return which == 3 ? operands(d, {t, t}) : operands(d, {t, t, t});
}

bool permute(Decoder &d) {
  d.take("b32");
  using U = uint32_t;
  switch (d.takeOneOf({"f4e", "b4e", "rc8", "ecl", "ecr", "rc16"}, -1)) {
  case 0:
    d.i.fn = exec3<U, U, U, U, PrmtMode<0>>;
    break;
  case 1:
    d.i.fn = exec3<U, U, U, U, PrmtMode<1>>;
    break;
  case 2:
    d.i.fn = exec3<U, U, U, U, PrmtMode<2>>;
    break;
  case 3:
    d.i.fn = exec3<U, U, U, U, PrmtMode<3>>;
    break;
  case 4:
    d.i.fn = exec3<U, U, U, U, PrmtMode<4>>;
    break;
  case 5:
    d.i.fn = exec3<U, U, U, U, PrmtMode<5>>;
    break;
  default:
    d.i.fn = exec3<U, U, U, U, PrmtDefault>;
    break;
  }
  return operands(d, {Ty::B32, Ty::B32, Ty::B32, Ty::B32});
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
  return operands(d, {Ty::B32, Ty::B32, Ty::B32, Ty::B32});
}

} // namespace

bool mxfp4::sim::decodeBits(Decoder &d) {
  std::string_view base = d.base();
  d.i.p = Pipe::Alu;
  if (base == "and" || base == "or" || base == "xor" || base == "not" ||
      base == "cnot")
    return logic(d, base);
  if (base == "prmt")
    return permute(d);
  if (base == "lop3")
    return lop3(d);
  if (base == "shf")
    return funnel(d);
  bool amount = d.take("shiftamt");
  if (base == "bmsk" || base == "szext")
    d.take("clamp");
  Ty t = d.takeType();
  if (base == "shl" || base == "shr") {
    d.i.fn = base == "shl" ? pickShift<Shl>(t) : pickShift<Shr>(t);
    return operands(d, {t, t, Ty::B32});
  }
  if (base == "bfe") {
    d.i.fn = pickField<Bfe>(t);
    return operands(d, {t, t, Ty::B32, Ty::B32});
  }
  if (base == "bfi") {
    d.i.fn = typeBits(t) == 64 ? execBfi<uint64_t> : execBfi<uint32_t>;
    if (typeBits(t) != 32 && typeBits(t) != 64)
      return d.fail("bfi needs .b32 or .b64");
    return operands(d, {t, t, t, Ty::B32, Ty::B32});
  }
  if (base == "bmsk") {
    d.i.fn = exec2<uint32_t, uint32_t, uint32_t, Bmsk>;
    return operands(d, {Ty::B32, Ty::B32, Ty::B32});
  }
  if (base == "szext") {
    d.i.fn = t == Ty::S32 ? exec2<uint32_t, uint32_t, uint32_t, Szext<true>>
                          : exec2<uint32_t, uint32_t, uint32_t, Szext<false>>;
    return operands(d, {Ty::B32, Ty::B32, Ty::B32});
  }
  if (base == "brev") {
    if (typeBits(t) != 32 && typeBits(t) != 64)
      return d.fail("brev needs .b32 or .b64");
    d.i.fn = typeBits(t) == 64 ? exec1<uint64_t, uint64_t, Brev64>
                               : exec1<uint32_t, uint32_t, Brev32>;
    return operands(d, {t, t});
  }
  if (base == "popc")
    d.i.fn = typeBits(t) == 64 ? exec1<uint32_t, uint64_t, Popc>
                               : exec1<uint32_t, uint32_t, Popc>;
  else if (base == "clz")
    d.i.fn = pickCount<Clz>(t);
  else
    d.i.fn = amount ? pickCount<BfindShift>(t) : pickCount<Bfind>(t);
  if (!d.i.fn || isFloat(t) || typeBits(t) < 32)
    return d.fail("this type is not supported");
  return operands(d, {Ty::B32, t});
}
