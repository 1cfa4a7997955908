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
  static T f(T A, T B) { return T(Wrap<T>(A) + Wrap<T>(B)); }
};
template <typename T> struct Sub {
  static T f(T A, T B) { return T(Wrap<T>(A) - Wrap<T>(B)); }
};
template <typename T> struct MulLo {
  static T f(T A, T B) { return T(Wrap<T>(A) * Wrap<T>(B)); }
};
template <typename T> struct MulHi {
  static T f(T A, T B) {
    using W = std::conditional_t<
        sizeof(T) == 8,
        std::conditional_t<std::is_signed_v<T>, __int128, unsigned __int128>,
        std::conditional_t<std::is_signed_v<T>, int64_t, uint64_t>>;
    return T((W(A) * W(B)) >> (8 * sizeof(T)));
  }
};
template <typename T> struct MadLo {
  static T f(T A, T B, T C) { return Add<T>::f(MulLo<T>::f(A, B), C); }
};
template <typename T> struct MadHi {
  static T f(T A, T B, T C) { return Add<T>::f(MulHi<T>::f(A, B), C); }
};
template <typename T>
using Twice = std::conditional_t<
    sizeof(T) == 2, std::conditional_t<std::is_signed_v<T>, int32_t, uint32_t>,
    std::conditional_t<std::is_signed_v<T>, int64_t, uint64_t>>;
template <typename T> struct MulWide {
  static Twice<T> f(T A, T B) { return Twice<T>(A) * Twice<T>(B); }
};
// 65535 * 65535 fits uint32_t, and int16_t products fit int32_t.
template <typename T> struct MadWide {
  static Twice<T> f(T A, T B, Twice<T> C) {
    return Add<Twice<T>>::f(MulWide<T>::f(A, B), C);
  }
};
template <typename T> struct Div {
  static T f(T A, T B) {
    if (B == 0)
      return T(-1);
    if constexpr (std::is_signed_v<T>)
      if (B == T(-1))
        return T(Wrap<T>(0) - Wrap<T>(A));
    return T(A / B);
  }
};
template <typename T> struct Rem {
  static T f(T A, T B) {
    if (B == 0)
      return A;
    if constexpr (std::is_signed_v<T>)
      if (B == T(-1))
        return 0;
    return T(A % B);
  }
};
template <typename T> struct Neg {
  static T f(T A) { return T(Wrap<T>(0) - Wrap<T>(A)); }
};
template <typename T> struct Abs {
  static T f(T A) { return A < 0 ? Neg<T>::f(A) : A; }
};
template <typename T> struct Min {
  static T f(T A, T B) { return A < B ? A : B; }
};
template <typename T> struct Max {
  static T f(T A, T B) { return A > B ? A : B; }
};
template <typename T> struct Sad {
  static T f(T A, T B, T C) {
    return T(Wrap<T>(C) +
             (A > B ? Wrap<T>(A) - Wrap<T>(B) : Wrap<T>(B) - Wrap<T>(A)));
  }
};
struct AddSat {
  static int32_t f(int32_t A, int32_t B) { return clamp(int64_t(A) + B); }
  static int32_t clamp(int64_t V) {
    return int32_t(V > INT32_MAX ? INT32_MAX : V < INT32_MIN ? INT32_MIN : V);
  }
};
struct SubSat {
  static int32_t f(int32_t A, int32_t B) {
    return AddSat::clamp(int64_t(A) - B);
  }
};
template <typename Half, template <typename> class Op> struct Packed {
  static uint32_t f(uint32_t A, uint32_t B) {
    uint32_t Lo = uint16_t(Op<Half>::f(Half(A), Half(B)));
    uint32_t Hi = uint16_t(Op<Half>::f(Half(A >> 16), Half(B >> 16)));
    return Lo | Hi << 16;
  }
};
template <typename T> struct Mul24 {
  static T f(T A, T B) {
    return T(uint32_t(T(uint32_t(A) << 8) >> 8) *
             uint32_t(T(uint32_t(B) << 8) >> 8));
  }
};
template <typename T> struct Mad24 {
  static T f(T A, T B, T C) {
    return T(uint32_t(Mul24<T>::f(A, B)) + uint32_t(C));
  }
};

template <typename A, typename B> struct Dp4a {
  static uint32_t f(uint32_t X, uint32_t Y, uint32_t Z) {
    for (unsigned J = 0; J < 4; ++J)
      Z += uint32_t(int32_t(A(X >> (8 * J))) * int32_t(B(Y >> (8 * J))));
    return Z;
  }
};

/// add.cc, addc, sub.cc, subc: the carry flag has one bit a lane. For
/// subtraction it holds the borrow.
template <typename T> void execCarry(ExecContext &X, const Inst &I) {
  bool Subtract = I.Sub, Use = I.Mods & 1, Set = I.Mods & 2;
  T Temp[32];
  uint32_t Carry = 0;
  for (unsigned L = 0; L < 32; ++L) {
    unsigned __int128 A = T(X.lane(X.src(I, 0), L)),
                      B = T(X.lane(X.src(I, 1), L));
    unsigned In = Use ? X.W.Carry >> L & 1 : 0;
    unsigned __int128 V = Subtract ? A - B - In : A + B + In;
    Temp[L] = T(V);
    Carry |= uint32_t(V >> (8 * sizeof(T)) & 1) << L;
  }
  if (Set)
    X.W.Carry = (X.W.Carry & ~X.Mask) | (Carry & X.Mask);
  commit(X, X.dst(I), Temp);
}

template <template <typename> class Op> ExecFn pick2(Ty T) {
  switch (T) {
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
template <template <typename> class Op> ExecFn pick3(Ty T) {
  switch (T) {
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
template <template <typename> class Op> ExecFn pick1(Ty T) {
  switch (T) {
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
ExecFn pickPacked(std::string_view Name) {
  if (Name == "u16x2")
    return exec2<uint32_t, uint32_t, uint32_t, Packed<uint16_t, Op>>;
  return exec2<uint32_t, uint32_t, uint32_t, Packed<int16_t, Op>>;
}
template <typename T> ExecFn wide2() {
  return exec2<Twice<T>, T, T, MulWide<T>>;
}
template <typename T> ExecFn wide3() {
  return exec3<Twice<T>, T, T, Twice<T>, MadWide<T>>;
}

Ty doubled(Ty T) {
  switch (T) {
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

bool binary(Decoder &D, ExecFn Fn, Ty T) {
  D.I.Fn = Fn;
  return D.expectOps(3, 3) && D.dst(D.ops()[0], T) && D.src(D.ops()[1], T) &&
         D.src(D.ops()[2], T);
}

bool multiply(Decoder &D, bool Add) {
  int Half = D.takeOneOf({"lo", "hi", "wide"}, -1);
  Ty T = D.takeType();
  D.I.P = Pipe::Fma;
  if (Half < 0 && !isFloat(T))
    return D.fail("an integer multiplication needs .lo, .hi or .wide");
  Ty R = Half == 2 ? doubled(T) : T;
  if (Half == 2)
    D.I.Fn = T == Ty::U16   ? (Add ? wide3<uint16_t>() : wide2<uint16_t>())
             : T == Ty::S16 ? (Add ? wide3<int16_t>() : wide2<int16_t>())
             : T == Ty::U32 ? (Add ? wide3<uint32_t>() : wide2<uint32_t>())
             : T == Ty::S32 ? (Add ? wide3<int32_t>() : wide2<int32_t>())
                            : nullptr;
  else if (Add)
    D.I.Fn = Half ? pick3<MadHi>(T) : pick3<MadLo>(T);
  else
    D.I.Fn = Half ? pick2<MulHi>(T) : pick2<MulLo>(T);
  if (!D.I.Fn)
    return D.fail("type of this multiplication is not supported");
  size_t N = Add ? 4 : 3;
  return D.expectOps(N, N) && D.dst(D.ops()[0], R) && D.src(D.ops()[1], T) &&
         D.src(D.ops()[2], T) && (!Add || D.src(D.ops()[3], R));
}

bool carry(Decoder &D, std::string_view Base) {
  D.I.Sub = Base == "sub" || Base == "subc";
  bool Set = D.take("cc");
  D.I.Mods = (Base == "addc" || Base == "subc" ? 1 : 0) | (Set ? 2 : 0);
  Ty T = D.takeType();
  if (isFloat(T) || (typeBits(T) != 32 && typeBits(T) != 64))
    return D.fail("carry arithmetic needs a 32- or 64-bit integer type");
  return binary(
      D, typeBits(T) == 64 ? execCarry<uint64_t> : execCarry<uint32_t>, T);
}

bool packed(Decoder &D, std::string_view Base) {
  std::string_view Name = D.take("u16x2") ? "u16x2" : "s16x2";
  D.take("s16x2");
  ExecFn Fn = Base == "add"   ? pickPacked<Add>(Name)
              : Base == "min" ? pickPacked<Min>(Name)
              : Base == "max" ? pickPacked<Max>(Name)
                              : nullptr;
  return binary(D, Fn, Ty::B32);
}

bool dotProduct(Decoder &D) {
  Ty A = D.takeType(), B = D.takeType();
  bool SA = A == Ty::S32, SB = B == Ty::S32;
  if (typeBits(A) != 32 || typeBits(B) != 32)
    return D.fail("dp4a needs two types of 32 bits");
  D.I.P = Pipe::Fma;
  using U = uint32_t;
  D.I.Fn = SA ? (SB ? exec3<U, U, U, U, Dp4a<int8_t, int8_t>>
                    : exec3<U, U, U, U, Dp4a<int8_t, uint8_t>>)
              : (SB ? exec3<U, U, U, U, Dp4a<uint8_t, int8_t>>
                    : exec3<U, U, U, U, Dp4a<uint8_t, uint8_t>>);
  return D.expectOps(4, 4) && D.dst(D.ops()[0], Ty::B32) &&
         D.src(D.ops()[1], Ty::B32) && D.src(D.ops()[2], Ty::B32) &&
         D.src(D.ops()[3], Ty::B32);
}

bool mul24(Decoder &D, bool Add) {
  if (!D.take("lo"))
    return D.fail("only the .lo form of 24-bit multiplication is supported");
  Ty T = D.takeType();
  if (T != Ty::U32 && T != Ty::S32)
    return D.fail("24-bit multiplication needs .u32 or .s32");
  bool S = T == Ty::S32;
  D.I.P = Pipe::Fma;
  if (!Add)
    return binary(D,
                  S ? exec2<int32_t, int32_t, int32_t, Mul24<int32_t>>
                    : exec2<uint32_t, uint32_t, uint32_t, Mul24<uint32_t>>,
                  T);
  D.I.Fn = S ? exec3<int32_t, int32_t, int32_t, int32_t, Mad24<int32_t>>
             : exec3<uint32_t, uint32_t, uint32_t, uint32_t, Mad24<uint32_t>>;
  return D.expectOps(4, 4) && D.dst(D.ops()[0], T) && D.src(D.ops()[1], T) &&
         D.src(D.ops()[2], T) && D.src(D.ops()[3], T);
}

bool hasFloatType(Decoder &D) {
  std::string_view Op = D.ast().Opcode;
  for (const char *Name : {".f16", ".bf16", ".f32", ".f64"})
    if (Op.find(Name) != Op.npos)
      return true;
  return false;
}

} // namespace

bool mxfp4::sim::decodeInteger(Decoder &D) {
  if (hasFloatType(D))
    return decodeFloat(D);
  std::string_view Base = D.base();
  std::string_view Whole = D.ast().Opcode;
  D.I.P = Pipe::Alu;
  if (Base == "mul" || Base == "mad")
    return multiply(D, Base == "mad");
  if (Base == "mul24" || Base == "mad24")
    return mul24(D, Base == "mad24");
  if (Base == "dp4a")
    return dotProduct(D);
  if (Base == "addc" || Base == "subc" || Whole.find(".cc") != Whole.npos)
    return carry(D, Base);
  if (Whole.find("16x2") != Whole.npos)
    return packed(D, Base);
  bool Sat = D.take("sat");
  Ty T = D.takeType();
  if (Sat) {
    if (T != Ty::S32)
      return D.fail(".sat needs .s32");
    using S = int32_t;
    return binary(D,
                  Base == "add"   ? exec2<S, S, S, AddSat>
                  : Base == "sub" ? exec2<S, S, S, SubSat>
                                  : nullptr,
                  T);
  }
  if (Base == "add")
    return binary(D, pick2<Add>(T), T);
  if (Base == "sub")
    return binary(D, pick2<Sub>(T), T);
  if (Base == "div")
    return binary(D, pick2<Div>(T), T);
  if (Base == "rem")
    return binary(D, pick2<Rem>(T), T);
  if (Base == "min")
    return binary(D, pick2<Min>(T), T);
  if (Base == "max")
    return binary(D, pick2<Max>(T), T);
  if (Base == "sad") {
    D.I.Fn = pick3<Sad>(T);
    return D.expectOps(4, 4) && D.dst(D.ops()[0], T) && D.src(D.ops()[1], T) &&
           D.src(D.ops()[2], T) && D.src(D.ops()[3], T);
  }
  D.I.Fn = Base == "neg" ? pick1<Neg>(T) : pick1<Abs>(T);
  return D.expectOps(2, 2) && D.dst(D.ops()[0], T) && D.src(D.ops()[1], T);
}
