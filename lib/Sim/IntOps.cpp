//===- IntOps.cpp - Integer arithmetic ------------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Decoder.h"
#include "Exec.h"

using namespace mxfp4::sim;

namespace {

// Arithmetic wraps; it is done in an unsigned type of at least 32 bits, since
// narrower ones would promote to int and could overflow it.
template <typename T>
using Wrap = std::conditional_t<sizeof(T) == 8, uint64_t, uint32_t>;

template <typename T> struct Add {
  static T f(T a, T b) { return T(Wrap<T>(a) + Wrap<T>(b)); }
};
template <typename T> struct Sub {
  static T f(T a, T b) { return T(Wrap<T>(a) - Wrap<T>(b)); }
};
template <typename T> struct MulLo {
  static T f(T a, T b) { return T(Wrap<T>(a) * Wrap<T>(b)); }
};
template <typename T> struct MulHi {
  static T f(T a, T b) {
    using W = std::conditional_t<
        sizeof(T) == 8,
        std::conditional_t<std::is_signed_v<T>, __int128, unsigned __int128>,
        std::conditional_t<std::is_signed_v<T>, int64_t, uint64_t>>;
    return T((W(a) * W(b)) >> (8 * sizeof(T)));
  }
};
template <typename T> struct MadLo {
  static T f(T a, T b, T c) { return Add<T>::f(MulLo<T>::f(a, b), c); }
};
template <typename T> struct MadHi {
  static T f(T a, T b, T c) { return Add<T>::f(MulHi<T>::f(a, b), c); }
};
template <typename T>
using Twice = std::conditional_t<
    sizeof(T) == 2, std::conditional_t<std::is_signed_v<T>, int32_t, uint32_t>,
    std::conditional_t<std::is_signed_v<T>, int64_t, uint64_t>>;
template <typename T> struct MulWide {
  static Twice<T> f(T a, T b) { return Twice<T>(a) * Twice<T>(b); }
};
// 65535 * 65535 fits uint32_t, and int16_t products fit int32_t.
template <typename T> struct MadWide {
  static Twice<T> f(T a, T b, Twice<T> c) {
    return Add<Twice<T>>::f(MulWide<T>::f(a, b), c);
  }
};
template <typename T> struct Div {
  static T f(T a, T b) {
    if (b == 0)
      return T(-1);
    if constexpr (std::is_signed_v<T>)
      if (b == T(-1))
        return T(Wrap<T>(0) - Wrap<T>(a));
    return T(a / b);
  }
};
template <typename T> struct Rem {
  static T f(T a, T b) {
    if (b == 0)
      return a;
    if constexpr (std::is_signed_v<T>)
      if (b == T(-1))
        return 0;
    return T(a % b);
  }
};
template <typename T> struct Neg {
  static T f(T a) { return T(Wrap<T>(0) - Wrap<T>(a)); }
};
template <typename T> struct Abs {
  static T f(T a) { return a < 0 ? Neg<T>::f(a) : a; }
};
template <typename T> struct Min {
  static T f(T a, T b) { return a < b ? a : b; }
};
template <typename T> struct Max {
  static T f(T a, T b) { return a > b ? a : b; }
};
template <typename T> struct Sad {
  static T f(T a, T b, T c) {
    return T(Wrap<T>(c) +
             (a > b ? Wrap<T>(a) - Wrap<T>(b) : Wrap<T>(b) - Wrap<T>(a)));
  }
};
struct AddSat {
  static int32_t f(int32_t a, int32_t b) { return clamp(int64_t(a) + b); }
  static int32_t clamp(int64_t v) {
    return int32_t(v > INT32_MAX ? INT32_MAX : v < INT32_MIN ? INT32_MIN : v);
  }
};
struct SubSat {
  static int32_t f(int32_t a, int32_t b) {
    return AddSat::clamp(int64_t(a) - b);
  }
};
template <typename Half, template <typename> class Op> struct Packed {
  static uint32_t f(uint32_t a, uint32_t b) {
    uint32_t lo = uint16_t(Op<Half>::f(Half(a), Half(b)));
    uint32_t hi = uint16_t(Op<Half>::f(Half(a >> 16), Half(b >> 16)));
    return lo | hi << 16;
  }
};
template <typename T> struct Mul24 {
  static T f(T a, T b) {
    return T(uint32_t(T(uint32_t(a) << 8) >> 8) *
             uint32_t(T(uint32_t(b) << 8) >> 8));
  }
};
template <typename T> struct Mad24 {
  static T f(T a, T b, T c) {
    return T(uint32_t(Mul24<T>::f(a, b)) + uint32_t(c));
  }
};

template <typename A, typename B> struct Dp4a {
  static uint32_t f(uint32_t x, uint32_t y, uint32_t z) {
    for (unsigned j = 0; j < 4; ++j)
      z += uint32_t(int32_t(A(x >> (8 * j))) * int32_t(B(y >> (8 * j))));
    return z;
  }
};

/// add.cc, addc, sub.cc, subc: the carry flag has one bit per lane. For
/// subtraction it holds the borrow.
template <typename T> void execCarry(ExecContext &x, const Inst &i) {
  bool subtract = i.sub, use = i.mods & 1, set = i.mods & 2;
  T temp[32];
  uint32_t carry = 0;
  for (unsigned l = 0; l < 32; ++l) {
    unsigned __int128 a = T(x.lane(x.src(i, 0), l)),
                      b = T(x.lane(x.src(i, 1), l));
    unsigned in = use ? x.w.carry >> l & 1 : 0;
    unsigned __int128 v = subtract ? a - b - in : a + b + in;
    temp[l] = T(v);
    carry |= uint32_t(v >> (8 * sizeof(T)) & 1) << l;
  }
  if (set)
    x.w.carry = (x.w.carry & ~x.mask) | (carry & x.mask);
  commit(x, x.dst(i), temp);
}

template <template <typename> class Op> ExecFn pick2(Ty t) {
  switch (t) {
  case Ty::U16:
  case Ty::B16:
    return exec2<uint16_t, uint16_t, uint16_t, Op<uint16_t>>;
  case Ty::S16:
    return exec2<int16_t, int16_t, int16_t, Op<int16_t>>;
  case Ty::U32:
  case Ty::B32:
    return exec2<uint32_t, uint32_t, uint32_t, Op<uint32_t>>;
  case Ty::S32:
    return exec2<int32_t, int32_t, int32_t, Op<int32_t>>;
  case Ty::U64:
  case Ty::B64:
    return exec2<uint64_t, uint64_t, uint64_t, Op<uint64_t>>;
  case Ty::S64:
    return exec2<int64_t, int64_t, int64_t, Op<int64_t>>;
  default:
    return nullptr;
  }
}
template <template <typename> class Op> ExecFn pick3(Ty t) {
  switch (t) {
  case Ty::U16:
    return exec3<uint16_t, uint16_t, uint16_t, uint16_t, Op<uint16_t>>;
  case Ty::S16:
    return exec3<int16_t, int16_t, int16_t, int16_t, Op<int16_t>>;
  case Ty::U32:
    return exec3<uint32_t, uint32_t, uint32_t, uint32_t, Op<uint32_t>>;
  case Ty::S32:
    return exec3<int32_t, int32_t, int32_t, int32_t, Op<int32_t>>;
  case Ty::U64:
    return exec3<uint64_t, uint64_t, uint64_t, uint64_t, Op<uint64_t>>;
  case Ty::S64:
    return exec3<int64_t, int64_t, int64_t, int64_t, Op<int64_t>>;
  default:
    return nullptr;
  }
}
template <template <typename> class Op> ExecFn pick1(Ty t) {
  switch (t) {
  case Ty::S16:
    return exec1<int16_t, int16_t, Op<int16_t>>;
  case Ty::S32:
    return exec1<int32_t, int32_t, Op<int32_t>>;
  case Ty::S64:
    return exec1<int64_t, int64_t, Op<int64_t>>;
  default:
    return nullptr;
  }
}
template <template <typename> class Op>
ExecFn pickPacked(std::string_view name) {
  if (name == "u16x2")
    return exec2<uint32_t, uint32_t, uint32_t, Packed<uint16_t, Op>>;
  return exec2<uint32_t, uint32_t, uint32_t, Packed<int16_t, Op>>;
}
template <typename T> ExecFn wide2() {
  return exec2<Twice<T>, T, T, MulWide<T>>;
}
template <typename T> ExecFn wide3() {
  return exec3<Twice<T>, T, T, Twice<T>, MadWide<T>>;
}

Ty doubled(Ty t) {
  switch (t) {
  case Ty::U16:
    return Ty::U32;
  case Ty::S16:
    return Ty::S32;
  case Ty::U32:
    return Ty::U64;
  default:
    return Ty::S64;
  }
}

bool binary(Decoder &d, ExecFn fn, Ty t) {
  d.i.fn = fn;
  return d.operands({t, t, t});
}

bool multiply(Decoder &d, bool add) {
  int half = d.takeOneOf({"lo", "hi", "wide"}, -1);
  Ty t = d.takeType();
  d.i.p = Pipe::Fma;
  if (half < 0 && !isFloat(t))
    return d.fail("an integer multiplication needs .lo, .hi or .wide");
  Ty r = half == 2 ? doubled(t) : t;
  if (half == 2)
    d.i.fn = t == Ty::U16   ? (add ? wide3<uint16_t>() : wide2<uint16_t>())
             : t == Ty::S16 ? (add ? wide3<int16_t>() : wide2<int16_t>())
             : t == Ty::U32 ? (add ? wide3<uint32_t>() : wide2<uint32_t>())
             : t == Ty::S32 ? (add ? wide3<int32_t>() : wide2<int32_t>())
                            : nullptr;
  else if (add)
    d.i.fn = half ? pick3<MadHi>(t) : pick3<MadLo>(t);
  else
    d.i.fn = half ? pick2<MulHi>(t) : pick2<MulLo>(t);
  if (!d.i.fn)
    return d.fail("type of this multiplication is not supported");
  return add ? d.operands({r, t, t, r}) : d.operands({r, t, t});
}

bool carry(Decoder &d, std::string_view base) {
  d.i.sub = base == "sub" || base == "subc";
  bool set = d.take("cc");
  d.i.mods = (base == "addc" || base == "subc" ? 1 : 0) | (set ? 2 : 0);
  Ty t = d.takeType();
  if (isFloat(t) || (typeBits(t) != 32 && typeBits(t) != 64))
    return d.fail("carry arithmetic needs a 32- or 64-bit integer type");
  return binary(
      d, typeBits(t) == 64 ? execCarry<uint64_t> : execCarry<uint32_t>, t);
}

bool packed(Decoder &d, std::string_view base) {
  std::string_view name = d.take("u16x2") ? "u16x2" : "s16x2";
  d.take("s16x2");
  ExecFn fn = base == "add"   ? pickPacked<Add>(name)
              : base == "min" ? pickPacked<Min>(name)
              : base == "max" ? pickPacked<Max>(name)
                              : nullptr;
  return binary(d, fn, Ty::B32);
}

bool dotProduct(Decoder &d) {
  Ty a = d.takeType(), b = d.takeType();
  bool sa = a == Ty::S32, sb = b == Ty::S32;
  if (typeBits(a) != 32 || typeBits(b) != 32)
    return d.fail("dp4a needs two types of 32 bits");
  d.i.p = Pipe::Fma;
  using U = uint32_t;
  d.i.fn = sa ? (sb ? exec3<U, U, U, U, Dp4a<int8_t, int8_t>>
                    : exec3<U, U, U, U, Dp4a<int8_t, uint8_t>>)
              : (sb ? exec3<U, U, U, U, Dp4a<uint8_t, int8_t>>
                    : exec3<U, U, U, U, Dp4a<uint8_t, uint8_t>>);
  return d.operands({Ty::B32, Ty::B32, Ty::B32, Ty::B32});
}

bool mul24(Decoder &d, bool add) {
  if (!d.take("lo"))
    return d.fail("only the .lo form of 24-bit multiplication is supported");
  Ty t = d.takeType();
  if (t != Ty::U32 && t != Ty::S32)
    return d.fail("24-bit multiplication needs .u32 or .s32");
  bool s = t == Ty::S32;
  d.i.p = Pipe::Fma;
  if (!add)
    return binary(d,
                  s ? exec2<int32_t, int32_t, int32_t, Mul24<int32_t>>
                    : exec2<uint32_t, uint32_t, uint32_t, Mul24<uint32_t>>,
                  t);
  d.i.fn = s ? exec3<int32_t, int32_t, int32_t, int32_t, Mad24<int32_t>>
             : exec3<uint32_t, uint32_t, uint32_t, uint32_t, Mad24<uint32_t>>;
  return d.operands({t, t, t, t});
}

bool hasFloatType(Decoder &d) {
  std::string_view op = d.ast().opcode;
  for (const char *name : {".f16", ".bf16", ".f32", ".f64"})
    if (op.find(name) != op.npos)
      return true;
  return false;
}

} // namespace

bool mxfp4::sim::decodeInteger(Decoder &d) {
  if (hasFloatType(d))
    return decodeFloat(d);
  std::string_view base = d.base();
  std::string_view whole = d.ast().opcode;
  d.i.p = Pipe::Alu;
  if (base == "mul" || base == "mad")
    return multiply(d, base == "mad");
  if (base == "mul24" || base == "mad24")
    return mul24(d, base == "mad24");
  if (base == "dp4a")
    return dotProduct(d);
  if (base == "addc" || base == "subc" || whole.find(".cc") != whole.npos)
    return carry(d, base);
  if (whole.find("16x2") != whole.npos)
    return packed(d, base);
  bool sat = d.take("sat");
  Ty t = d.takeType();
  if (sat) {
    if (t != Ty::S32)
      return d.fail(".sat needs .s32");
    using S = int32_t;
    return binary(d,
                  base == "add"   ? exec2<S, S, S, AddSat>
                  : base == "sub" ? exec2<S, S, S, SubSat>
                                  : nullptr,
                  t);
  }
  if (base == "add")
    return binary(d, pick2<Add>(t), t);
  if (base == "sub")
    return binary(d, pick2<Sub>(t), t);
  if (base == "div")
    return binary(d, pick2<Div>(t), t);
  if (base == "rem")
    return binary(d, pick2<Rem>(t), t);
  if (base == "min")
    return binary(d, pick2<Min>(t), t);
  if (base == "max")
    return binary(d, pick2<Max>(t), t);
  if (base == "sad") {
    d.i.fn = pick3<Sad>(t);
    return d.operands({t, t, t, t});
  }
  d.i.fn = base == "neg" ? pick1<Neg>(t) : pick1<Abs>(t);
  return d.operands({t, t});
}
