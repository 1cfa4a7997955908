//===- CompareOps.cpp - setp, set, selp, slct -----------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Decoder.h"
#include "Exec.h"
#include "Float.h"

using namespace mxfp4::sim;

namespace {

enum Cmp : uint8_t {
  EQ,
  NE,
  LT,
  LE,
  GT,
  GE,
  EQU,
  NEU,
  LTU,
  LEU,
  GTU,
  GEU,
  NUM,
  NANS
};
enum Combine : uint8_t { CAnd, COr, CXor, CNone };
enum : uint8_t { Ftz = 1, Two = 2 };

template <typename T> struct Bits {
  using Type = T;
};
/// Half floats compare as floats.
struct BrainHalf {};
struct Half {};

template <typename T> struct Reader {
  static T get(const uint8_t *P, unsigned L) { return Lanes<T>::get(P, L); }
};
template <> struct Reader<BrainHalf> {
  static float get(const uint8_t *P, unsigned L) {
    return fromBF16(Lanes<uint16_t>::get(P, L));
  }
};
template <> struct Reader<Half> {
  static float get(const uint8_t *P, unsigned L) {
    return fromF16(Lanes<uint16_t>::get(P, L));
  }
};

template <typename F> uint32_t gather(F Fn) {
  uint32_t M = 0;
  for (unsigned L = 0; L < 32; ++L)
    M |= uint32_t(Fn(L)) << L;
  return M;
}

template <typename T> uint32_t compare(ExecContext &X, const Inst &I) {
  const uint8_t *P = X.ptr(X.src(I, 0)), *Q = X.ptr(X.src(I, 1));
  auto A = [P, Flush = bool(I.Mods & Ftz)](unsigned L) {
    (void)Flush;
    auto V = Reader<T>::get(P, L);
    if constexpr (std::is_same_v<decltype(V), float>)
      if (Flush)
        return flush(V);
    return V;
  };
  auto B = [Q, Flush = bool(I.Mods & Ftz)](unsigned L) {
    (void)Flush;
    auto V = Reader<T>::get(Q, L);
    if constexpr (std::is_same_v<decltype(V), float>)
      if (Flush)
        return flush(V);
    return V;
  };
  auto Nan = [&](unsigned L) { return A(L) != A(L) || B(L) != B(L); };
  switch (I.Sub) {
  case EQ:
    return gather([&](unsigned L) { return A(L) == B(L); });
  // Ordered: false on NaN. For integers this is plain inequality.
  case NE:
    return gather([&](unsigned L) { return A(L) < B(L) || A(L) > B(L); });
  case LT:
    return gather([&](unsigned L) { return A(L) < B(L); });
  case LE:
    return gather([&](unsigned L) { return A(L) <= B(L); });
  case GT:
    return gather([&](unsigned L) { return A(L) > B(L); });
  case GE:
    return gather([&](unsigned L) { return A(L) >= B(L); });
  case EQU:
    return gather([&](unsigned L) { return A(L) == B(L) || Nan(L); });
  case NEU:
    return gather([&](unsigned L) { return A(L) != B(L); });
  case LTU:
    return gather([&](unsigned L) { return !(A(L) >= B(L)); });
  case LEU:
    return gather([&](unsigned L) { return !(A(L) > B(L)); });
  case GTU:
    return gather([&](unsigned L) { return !(A(L) <= B(L)); });
  case GEU:
    return gather([&](unsigned L) { return !(A(L) < B(L)); });
  case NUM:
    return gather([&](unsigned L) { return !Nan(L); });
  default:
    return gather(Nan);
  }
}

template <typename T> void execSetp(ExecContext &X, const Inst &I) {
  uint32_t V = compare<T>(X, I), W = ~V;
  if (I.A != CNone) {
    uint32_t C = X.pred(X.src(I, 2));
    V = I.A == CAnd ? V & C : I.A == COr ? V | C : V ^ C;
    W = I.A == CAnd ? W & C : I.A == COr ? W | C : W ^ C;
  }
  X.setPred(X.dst(I, 0), V);
  if (I.Mods & Two)
    X.setPred(X.dst(I, 1), W);
}

template <typename T> void execSet(ExecContext &X, const Inst &I) {
  uint32_t V = compare<T>(X, I);
  if (I.A != CNone) {
    uint32_t C = X.pred(X.src(I, 2));
    V = I.A == CAnd ? V & C : I.A == COr ? V | C : V ^ C;
  }
  alignas(64) uint32_t Temp[32];
  uint32_t True = I.T == Ty::F32 ? 0x3f800000u : ~0u;
  for (unsigned L = 0; L < 32; ++L)
    Temp[L] = V >> L & 1 ? True : 0;
  commit(X, X.dst(I), Temp);
}

/// Packed comparison: one predicate a half.
template <bool Brain> void execSetpPacked(ExecContext &X, const Inst &I) {
  uint32_t R[2] = {0, 0};
  for (unsigned H = 0; H < 2; ++H)
    R[H] = gather([&](unsigned L) {
      uint16_t A = uint16_t(X.lane(X.src(I, 0), L) >> (16 * H));
      uint16_t B = uint16_t(X.lane(X.src(I, 1), L) >> (16 * H));
      float FA = Brain ? fromBF16(A) : fromF16(A);
      float FB = Brain ? fromBF16(B) : fromF16(B);
      bool Nan = FA != FA || FB != FB;
      switch (I.Sub) {
      case EQ:
        return FA == FB;
      case NE:
        return !Nan && FA != FB;
      case LT:
        return FA < FB;
      case LE:
        return FA <= FB;
      case GT:
        return FA > FB;
      case GE:
        return FA >= FB;
      case EQU:
        return Nan || FA == FB;
      case NEU:
        return FA != FB;
      case LTU:
        return !(FA >= FB);
      case LEU:
        return !(FA > FB);
      case GTU:
        return !(FA <= FB);
      case GEU:
        return !(FA < FB);
      case NUM:
        return !Nan;
      default:
        return Nan;
      }
    });
  X.setPred(X.dst(I, 0), R[0]);
  if (I.Mods & Two)
    X.setPred(X.dst(I, 1), R[1]);
}

template <typename Box> void execSelp(ExecContext &X, const Inst &I) {
  alignas(64) Box Temp[32];
  auto *P = reinterpret_cast<const Box *>(X.ptr(X.src(I, 0)));
  auto *Q = reinterpret_cast<const Box *>(X.ptr(X.src(I, 1)));
  uint32_t C = X.pred(X.src(I, 2));
  for (unsigned L = 0; L < 32; ++L)
    Temp[L] = C >> L & 1 ? P[L] : Q[L];
  commit(X, X.dst(I), Temp);
}

void execSlct(ExecContext &X, const Inst &I) {
  for (unsigned L = 0; L < 32; ++L) {
    if (!(X.Mask >> L & 1))
      continue;
    uint32_t C = uint32_t(X.lane(X.src(I, 2), L));
    bool NonNegative = I.T == Ty::F32 ? bitsTo<float>(C) >= 0 : int32_t(C) >= 0;
    X.setLane(X.dst(I), L, X.lane(X.src(I, NonNegative ? 0 : 1), L));
  }
  X.defined(X.dst(I));
}

template <template <typename> class E> ExecFn pick(Ty T);
#define PICK(NAME)                                                             \
  ExecFn pick_##NAME(Ty T) {                                                   \
    switch (T) {                                                               \
    case Ty::B16:                                                              \
    case Ty::U16:                                                              \
      return NAME<uint16_t>;                                                   \
    case Ty::S16:                                                              \
      return NAME<int16_t>;                                                    \
    case Ty::B32:                                                              \
    case Ty::U32:                                                              \
      return NAME<uint32_t>;                                                   \
    case Ty::S32:                                                              \
      return NAME<int32_t>;                                                    \
    case Ty::B64:                                                              \
    case Ty::U64:                                                              \
      return NAME<uint64_t>;                                                   \
    case Ty::S64:                                                              \
      return NAME<int64_t>;                                                    \
    case Ty::F32:                                                              \
      return NAME<float>;                                                      \
    case Ty::F64:                                                              \
      return NAME<double>;                                                     \
    case Ty::BF16:                                                             \
      return NAME<BrainHalf>;                                                  \
    case Ty::F16:                                                              \
      return NAME<Half>;                                                       \
    default:                                                                   \
      return nullptr;                                                          \
    }                                                                          \
  }
PICK(execSetp)
PICK(execSet)

bool comparison(Decoder &D, bool Set) {
  int C =
      D.takeOneOf({"eq", "ne", "lt", "le", "gt", "ge", "equ", "neu", "ltu",
                   "leu", "gtu", "geu", "num", "nan", "lo", "ls", "hi", "hs"},
                  -1);
  if (C < 0)
    return D.fail("expected a comparison such as .eq");
  constexpr uint8_t Unsigned[] = {LT, LE, GT, GE};
  D.I.Sub = C < 14 ? uint8_t(C) : Unsigned[C - 14];
  D.I.A = uint32_t(D.takeOneOf({"and", "or", "xor"}, CNone));
  if (D.take("ftz"))
    D.I.Mods |= Ftz;
  Ty R = Set ? D.takeType() : Ty::Pred;
  Ty T = D.takeType();
  D.I.T = R;
  D.I.P = Pipe::Alu;
  size_t N = D.I.A == CNone ? 3 : 4;
  if (!D.expectOps(N, N))
    return false;
  if (Set && R != Ty::U32 && R != Ty::S32 && R != Ty::F32)
    return D.fail("set gives .u32, .s32 or .f32");
  bool PackedType = T == Ty::BF16x2 || T == Ty::F16x2;
  if (PackedType && (Set || D.I.A != CNone))
    return D.fail("this packed comparison is not supported");
  D.I.Fn =
      PackedType
          ? (T == Ty::BF16x2 ? execSetpPacked<true> : execSetpPacked<false>)
      : Set ? pick_execSet(T)
            : pick_execSetp(T);
  const AstOperand &Out = D.ops()[0];
  if (!Set && Out.K == AstOperand::Pair) {
    D.I.Mods |= Two;
    if (!D.dstPred(Out.Elems[0]) || !D.dstPred(Out.Elems[1]))
      return false;
  } else if (!D.dst(Out, R)) {
    return false;
  }
  return D.src(D.ops()[1], T) && D.src(D.ops()[2], T) &&
         (N == 3 || D.srcPred(D.ops()[3]));
}

} // namespace

bool mxfp4::sim::decodeCompare(Decoder &D) {
  std::string_view Base = D.base();
  if (Base == "setp" || Base == "set")
    return comparison(D, Base == "set");
  D.I.P = Pipe::Alu;
  Ty T = D.takeType();
  if (typeBits(T) < 16 || typeBits(T) > 64)
    return D.fail("expected a type of 16, 32 or 64 bits");
  if (!D.expectOps(4, 4) || !D.dst(D.ops()[0], T) || !D.src(D.ops()[1], T) ||
      !D.src(D.ops()[2], T))
    return false;
  if (Base == "selp") {
    D.I.Flags |= Inst::Select;
    D.I.Fn = typeBits(T) == 64 ? execSelp<uint64_t> : execSelp<uint32_t>;
    return D.srcPred(D.ops()[3]);
  }
  D.I.T = D.takeType();
  D.I.Fn = execSlct;
  if (D.I.T != Ty::S32 && D.I.T != Ty::F32)
    return D.fail("slct needs .s32 or .f32 as its last type");
  return D.src(D.ops()[3], D.I.T);
}
