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
  template <typename T> static T f(T A, T B) { return A & B; }
};
struct Or {
  template <typename T> static T f(T A, T B) { return A | B; }
};
struct Xor {
  template <typename T> static T f(T A, T B) { return A ^ B; }
};
struct Not {
  template <typename T> static T f(T A) { return T(~A); }
};
struct CNot {
  template <typename T> static T f(T A) { return A == 0; }
};

// Shift amounts beyond the width give 0, or the sign.
template <typename T> struct Shl {
  static T f(T A, uint32_t N) {
    return N >= 8 * sizeof(T) ? T(0) : T(std::make_unsigned_t<T>(A) << N);
  }
};
template <typename T> struct Shr {
  static T f(T A, uint32_t N) {
    constexpr uint32_t Max = 8 * sizeof(T) - 1;
    if (N > Max)
      return std::is_signed_v<T> ? T(A >> Max) : T(0);
    return T(A >> N);
  }
};

struct PrmtDefault {
  static uint32_t f(uint32_t A, uint32_t B, uint32_t C) {
    uint64_t Bytes = uint64_t(B) << 32 | A;
    uint32_t R = 0;
    for (unsigned J = 0; J < 4; ++J) {
      uint32_t Sel = C >> (4 * J) & 15;
      uint32_t V = uint32_t(Bytes >> (8 * (Sel & 7))) & 255;
      if (Sel & 8)
        V = V & 128 ? 255 : 0;
      R |= V << (8 * J);
    }
    return R;
  }
};
/// The other modes of prmt pick by two bits of the control.
template <unsigned Mode> struct PrmtMode {
  static uint32_t f(uint32_t A, uint32_t B, uint32_t C) {
    uint64_t Bytes = uint64_t(B) << 32 | A;
    unsigned N = C & 3;
    uint32_t R = 0;
    for (unsigned J = 0; J < 4; ++J) {
      unsigned Sel = Mode == 0   ? N + J                  // f4e
                     : Mode == 1 ? (8 + N - J) & 7        // b4e
                     : Mode == 2 ? N                      // rc8
                     : Mode == 3 ? (J > N ? J : N)        // ecl
                     : Mode == 4 ? (J < N ? J : N)        // ecr
                                 : (N & 1) * 2 + (J & 1); // rc16
      R |= (uint32_t(Bytes >> (8 * Sel)) & 255) << (8 * J);
    }
    return R;
  }
};

template <bool Left, bool Wrap> struct Funnel {
  static uint32_t f(uint32_t Lo, uint32_t Hi, uint32_t N) {
    N = Wrap ? N & 31 : (N > 32 ? 32 : N);
    uint64_t V = uint64_t(Hi) << 32 | Lo;
    return Left ? uint32_t(V << N >> 32) : uint32_t(V >> N);
  }
};

template <typename T> struct Bfe {
  static T f(T A, uint32_t Pos, uint32_t Len) {
    constexpr unsigned Bits = 8 * sizeof(T);
    using U = std::make_unsigned_t<T>;
    Pos &= 255;
    Len &= 255;
    if (Len == 0)
      return 0;
    U V = Pos >= Bits ? U(0) : U(U(A) >> Pos);
    unsigned SignAt = Pos + Len - 1 < Bits - 1 ? Pos + Len - 1 : Bits - 1;
    bool Sign = std::is_signed_v<T> && (U(A) >> SignAt & 1);
    if (Len >= Bits)
      Len = Bits;
    U Field = Len >= Bits ? ~U(0) : (U(1) << Len) - 1;
    unsigned Have = Pos >= Bits ? 0 : Bits - Pos; // Real bits in V.
    U Real = Have >= Bits ? ~U(0) : (U(1) << Have) - 1;
    V &= Field & Real;
    if (Sign)
      V |= ~(Field & Real);
    return T(V);
  }
};
template <typename T> void execBfi(ExecContext &X, const Inst &I) {
  constexpr unsigned Bits = 8 * sizeof(T);
  T Temp[32];
  for (unsigned L = 0; L < 32; ++L) {
    T A = T(X.lane(X.src(I, 0), L)), B = T(X.lane(X.src(I, 1), L));
    unsigned Pos = X.lane(X.src(I, 2), L) & 255;
    unsigned Len = X.lane(X.src(I, 3), L) & 255;
    T Field = Len >= Bits ? ~T(0) : (T(1) << Len) - 1;
    T M = Pos >= Bits ? T(0) : T(Field << Pos);
    T V = Pos >= Bits ? T(0) : T(A << Pos);
    Temp[L] = (B & ~M) | (V & M);
  }
  commit(X, X.dst(I), Temp);
}

struct Brev32 {
  static uint32_t f(uint32_t A) {
    A = (A >> 1 & 0x55555555) | (A & 0x55555555) << 1;
    A = (A >> 2 & 0x33333333) | (A & 0x33333333) << 2;
    A = (A >> 4 & 0x0f0f0f0f) | (A & 0x0f0f0f0f) << 4;
    return __builtin_bswap32(A);
  }
};
struct Brev64 {
  static uint64_t f(uint64_t A) {
    return uint64_t(Brev32::f(uint32_t(A))) << 32 |
           Brev32::f(uint32_t(A >> 32));
  }
};
struct Popc {
  template <typename T> static uint32_t f(T A) {
    return uint32_t(__builtin_popcountll(A));
  }
};
template <typename T> struct Clz {
  static uint32_t f(T A) {
    constexpr unsigned Bits = 8 * sizeof(T);
    return A ? unsigned(__builtin_clzll(uint64_t(A))) - (64 - Bits) : Bits;
  }
};
template <typename T> struct Bfind {
  static uint32_t f(T A) {
    using U = std::make_unsigned_t<T>;
    U V = std::is_signed_v<T> && A < 0 ? U(~A) : U(A);
    return V ? 63 - unsigned(__builtin_clzll(uint64_t(V))) : ~0u;
  }
};
template <typename T> struct BfindShift {
  static uint32_t f(T A) {
    uint32_t N = Bfind<T>::f(A);
    return N == ~0u ? N : 8 * sizeof(T) - 1 - N;
  }
};
/// bmsk.clamp: a field of ones.
struct Bmsk {
  static uint32_t f(uint32_t Pos, uint32_t Len) {
    if (Pos >= 32)
      return 0;
    return (Len >= 32 ? ~0u : (1u << Len) - 1) << Pos;
  }
};
template <bool Signed> struct Szext {
  static uint32_t f(uint32_t A, uint32_t N) {
    if (N >= 32)
      return A;
    if (N == 0)
      return 0;
    uint32_t V = A & ((1u << N) - 1);
    return Signed && (V >> (N - 1)) ? V | ~((1u << N) - 1) : V;
  }
};

void execLop3(ExecContext &X, const Inst &I) {
  alignas(64) uint32_t Temp[32] = {};
  const uint32_t *P[3];
  for (unsigned J = 0; J < 3; ++J)
    P[J] = reinterpret_cast<const uint32_t *>(X.ptr(X.src(I, J)));
  for (unsigned Min = 0; Min < 8; ++Min) {
    if (!(I.A >> Min & 1))
      continue;
    uint32_t NA = Min & 4 ? 0 : ~0u, NB = Min & 2 ? 0 : ~0u,
             NC = Min & 1 ? 0 : ~0u;
    for (unsigned L = 0; L < 32; ++L)
      Temp[L] |= (P[0][L] ^ NA) & (P[1][L] ^ NB) & (P[2][L] ^ NC);
  }
  commit(X, X.dst(I), Temp);
}

void execPredLogic(ExecContext &X, const Inst &I) {
  uint32_t A = X.pred(X.src(I, 0));
  uint32_t B = I.NumSrc > 1 ? X.pred(X.src(I, 1)) : 0;
  uint32_t V = I.Sub == 0   ? A & B
               : I.Sub == 1 ? A | B
               : I.Sub == 2 ? A ^ B
                            : ~A;
  X.setPred(X.dst(I), V);
}

template <typename Op> ExecFn pick2(unsigned Bits) {
  switch (Bits) {
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
template <typename Op> ExecFn pick1(unsigned Bits) {
  switch (Bits) {
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
template <template <typename> class Op> ExecFn pickShift(Ty T) {
  switch (T) {
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
template <template <typename> class Op> ExecFn pickField(Ty T) {
  switch (T) {
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
template <template <typename> class Op> ExecFn pickCount(Ty T) {
  switch (T) {
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
bool operands(Decoder &D, std::initializer_list<Ty> Types) {
  if (!D.expectOps(Types.size(), Types.size()))
    return false;
  size_t J = 0;
  for (Ty T : Types) {
    if (!(J ? D.src(D.ops()[J], T) : D.dst(D.ops()[J], T)))
      return false;
    ++J;
  }
  return true;
}

bool logic(Decoder &D, std::string_view Base) {
  Ty T = D.takeType();
  if (T == Ty::None)
    return D.fail("expected a type such as .b32");
  unsigned Bits = typeBits(T);
  int Which = Base == "and" ? 0 : Base == "or" ? 1 : Base == "xor" ? 2 : 3;
  if (Bits == 1) {
    D.I.Fn = execPredLogic;
    D.I.Sub = uint8_t(Which);
  } else {
    D.I.Fn = Which == 0      ? pick2<And>(Bits)
             : Which == 1    ? pick2<Or>(Bits)
             : Which == 2    ? pick2<Xor>(Bits)
             : Base == "not" ? pick1<Not>(Bits)
                             : pick1<CNot>(Bits);
  }
  return Which == 3 ? operands(D, {T, T}) : operands(D, {T, T, T});
}

bool permute(Decoder &D) {
  D.take("b32");
  using U = uint32_t;
  switch (D.takeOneOf({"f4e", "b4e", "rc8", "ecl", "ecr", "rc16"}, -1)) {
  case 0:
    D.I.Fn = exec3<U, U, U, U, PrmtMode<0>>;
    break;
  case 1:
    D.I.Fn = exec3<U, U, U, U, PrmtMode<1>>;
    break;
  case 2:
    D.I.Fn = exec3<U, U, U, U, PrmtMode<2>>;
    break;
  case 3:
    D.I.Fn = exec3<U, U, U, U, PrmtMode<3>>;
    break;
  case 4:
    D.I.Fn = exec3<U, U, U, U, PrmtMode<4>>;
    break;
  case 5:
    D.I.Fn = exec3<U, U, U, U, PrmtMode<5>>;
    break;
  default:
    D.I.Fn = exec3<U, U, U, U, PrmtDefault>;
    break;
  }
  return operands(D, {Ty::B32, Ty::B32, Ty::B32, Ty::B32});
}

bool lop3(Decoder &D) {
  D.take("b32");
  int64_t Table;
  if (!D.expectOps(5, 5) || !D.dst(D.ops()[0], Ty::B32) ||
      !D.src(D.ops()[1], Ty::B32) || !D.src(D.ops()[2], Ty::B32) ||
      !D.src(D.ops()[3], Ty::B32) || !D.immediate(D.ops()[4], Table))
    return false;
  if (Table < 0 || Table > 255)
    return D.fail("the truth table of lop3 must be from 0 to 255");
  D.I.A = uint32_t(Table);
  D.I.Fn = execLop3;
  return true;
}

bool funnel(Decoder &D) {
  int Left = D.takeOneOf({"r", "l"}, -1),
      Wrap = D.takeOneOf({"clamp", "wrap"}, -1);
  D.take("b32");
  if (Left < 0 || Wrap < 0)
    return D.fail("shf needs .l or .r, and .wrap or .clamp");
  using U = uint32_t;
  D.I.Fn = Left ? (Wrap ? exec3<U, U, U, U, Funnel<true, true>>
                        : exec3<U, U, U, U, Funnel<true, false>>)
                : (Wrap ? exec3<U, U, U, U, Funnel<false, true>>
                        : exec3<U, U, U, U, Funnel<false, false>>);
  return operands(D, {Ty::B32, Ty::B32, Ty::B32, Ty::B32});
}

} // namespace

bool mxfp4::sim::decodeBits(Decoder &D) {
  std::string_view Base = D.base();
  D.I.P = Pipe::Alu;
  if (Base == "and" || Base == "or" || Base == "xor" || Base == "not" ||
      Base == "cnot")
    return logic(D, Base);
  if (Base == "prmt")
    return permute(D);
  if (Base == "lop3")
    return lop3(D);
  if (Base == "shf")
    return funnel(D);
  bool Amount = D.take("shiftamt");
  if (Base == "bmsk" || Base == "szext")
    D.take("clamp");
  Ty T = D.takeType();
  if (Base == "shl" || Base == "shr") {
    D.I.Fn = Base == "shl" ? pickShift<Shl>(T) : pickShift<Shr>(T);
    return operands(D, {T, T, Ty::B32});
  }
  if (Base == "bfe") {
    D.I.Fn = pickField<Bfe>(T);
    return operands(D, {T, T, Ty::B32, Ty::B32});
  }
  if (Base == "bfi") {
    D.I.Fn = typeBits(T) == 64 ? execBfi<uint64_t> : execBfi<uint32_t>;
    if (typeBits(T) != 32 && typeBits(T) != 64)
      return D.fail("bfi needs .b32 or .b64");
    return operands(D, {T, T, T, Ty::B32, Ty::B32});
  }
  if (Base == "bmsk") {
    D.I.Fn = exec2<uint32_t, uint32_t, uint32_t, Bmsk>;
    return operands(D, {Ty::B32, Ty::B32, Ty::B32});
  }
  if (Base == "szext") {
    D.I.Fn = T == Ty::S32 ? exec2<uint32_t, uint32_t, uint32_t, Szext<true>>
                          : exec2<uint32_t, uint32_t, uint32_t, Szext<false>>;
    return operands(D, {Ty::B32, Ty::B32, Ty::B32});
  }
  if (Base == "brev") {
    if (typeBits(T) != 32 && typeBits(T) != 64)
      return D.fail("brev needs .b32 or .b64");
    D.I.Fn = typeBits(T) == 64 ? exec1<uint64_t, uint64_t, Brev64>
                               : exec1<uint32_t, uint32_t, Brev32>;
    return operands(D, {T, T});
  }
  if (Base == "popc")
    D.I.Fn = typeBits(T) == 64 ? exec1<uint32_t, uint64_t, Popc>
                               : exec1<uint32_t, uint32_t, Popc>;
  else if (Base == "clz")
    D.I.Fn = pickCount<Clz>(T);
  else
    D.I.Fn = Amount ? pickCount<BfindShift>(T) : pickCount<Bfind>(T);
  if (!D.I.Fn || isFloat(T) || typeBits(T) < 32)
    return D.fail("this type is not supported");
  return operands(D, {Ty::B32, T});
}
