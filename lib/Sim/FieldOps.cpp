//===- FieldOps.cpp - Fields of bits, and counts of bits ------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Decoder.h"
#include "Exec.h"

using namespace mxfp4::sim;

namespace {

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

} // namespace

bool mxfp4::sim::decodeFields(Decoder &d) {
  std::string_view base = d.base();
  d.i.p = Pipe::Alu;
  bool amount = base == "bfind" && d.take("shiftamt");
  if (base == "bmsk" || base == "szext")
    d.take("clamp");
  Ty t = d.takeType();
  if (base == "bfe") {
    d.i.fn = pickField<Bfe>(t);
    return d.operands({t, t, Ty::B32, Ty::B32});
  }
  if (base == "bfi") {
    d.i.fn = typeBits(t) == 64 ? execBfi<uint64_t> : execBfi<uint32_t>;
    if (typeBits(t) != 32 && typeBits(t) != 64)
      return d.fail("bfi needs .b32 or .b64");
    return d.operands({t, t, t, Ty::B32, Ty::B32});
  }
  if (base == "bmsk") {
    d.i.fn = exec2<uint32_t, uint32_t, uint32_t, Bmsk>;
    return d.operands({Ty::B32, Ty::B32, Ty::B32});
  }
  if (base == "szext") {
    d.i.fn = t == Ty::S32 ? exec2<uint32_t, uint32_t, uint32_t, Szext<true>>
                          : exec2<uint32_t, uint32_t, uint32_t, Szext<false>>;
    return d.operands({Ty::B32, Ty::B32, Ty::B32});
  }
  if (base == "brev") {
    if (typeBits(t) != 32 && typeBits(t) != 64)
      return d.fail("brev needs .b32 or .b64");
    d.i.fn = typeBits(t) == 64 ? exec1<uint64_t, uint64_t, Brev64>
                               : exec1<uint32_t, uint32_t, Brev32>;
    return d.operands({t, t});
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
  return d.operands({Ty::B32, t});
}
