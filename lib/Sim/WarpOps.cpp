//===- WarpOps.cpp - shfl, vote, match, redux, elect ----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Decoder.h"
#include "Rendezvous.h"

using namespace mxfp4::sim;

namespace {

enum ShflMode : uint8_t { Up, Down, Bfly, Idx };

void shfl(ExecContext &X, const Inst &I) {
  const uint32_t Def = X.W.States[X.src(I, 0).Slot].Def;
  uint32_t Result[32], Valid = 0, FromIdle = 0, Undefined = 0;
  forLanes(X.Mask, [&](unsigned L) {
    uint32_t B = uint32_t(X.lane(X.src(I, 1), L)) & 31;
    uint32_t C = uint32_t(X.lane(X.src(I, 2), L));
    uint32_t Segment = C >> 8 & 31, Clamp = C & 31;
    uint32_t MaxLane = (L & Segment) | (Clamp & ~Segment);
    uint32_t MinLane = L & Segment;
    int32_t J;
    bool P;
    switch (I.Sub) {
    case Up:
      J = int32_t(L) - int32_t(B);
      P = J >= int32_t(MaxLane);
      break;
    case Down:
      J = int32_t(L + B);
      P = J <= int32_t(MaxLane);
      break;
    case Bfly:
      J = int32_t(L ^ B);
      P = J <= int32_t(MaxLane);
      break;
    default:
      J = int32_t(MinLane | (B & ~Segment));
      P = J <= int32_t(MaxLane);
    }
    if (!P)
      J = int32_t(L);
    if (!(X.Mask >> (J & 31) & 1))
      FromIdle |= 1u << L;
    Undefined |= uint32_t(!(Def >> (J & 31) & 1)) << L;
    Result[L] = uint32_t(X.lane(X.src(I, 0), unsigned(J) & 31));
    Valid |= uint32_t(P) << L;
  });
  if (FromIdle && !X.known("shfl"))
    X.report("shfl", "shfl.sync reads from a thread that does not take part",
             unsigned(__builtin_ctz(FromIdle)));
  forLanes(X.Mask, [&](unsigned L) { X.setLane(X.dst(I, 0), L, Result[L]); });
  X.defined(X.dst(I, 0));
  X.undefine(X.dst(I, 0), Undefined, X.src(I, 0));
  if (I.NumDst > 1)
    X.setPred(X.dst(I, 1), Valid);
}

/// Of one value for all: it is undefined if that of any thread that takes part
/// is.
uint32_t undefinedForAll(const ExecContext &X, const Inst &I) {
  return X.Mask & ~X.W.States[X.src(I, 0).Slot].Def ? X.Mask : 0;
}

void vote(ExecContext &X, const Inst &I) {
  const uint32_t Undefined = undefinedForAll(X, I);
  uint32_t P = X.pred(X.src(I, 0)) & X.Mask;
  if (I.Sub == 3) {
    forLanes(X.Mask, [&](unsigned L) { X.setLane(X.dst(I), L, P); });
    X.defined(X.dst(I));
    return X.undefine(X.dst(I), Undefined, X.src(I, 0));
  }
  bool V = I.Sub == 0   ? P == X.Mask
           : I.Sub == 1 ? P != 0
                        : P == 0 || P == X.Mask;
  X.setPred(X.dst(I), V ? ~0u : 0);
  X.undefine(X.dst(I), Undefined, X.src(I, 0));
}

void match(ExecContext &X, const Inst &I) {
  uint32_t Masks[32], AllSame = X.Mask;
  forLanes(X.Mask, [&](unsigned L) {
    Masks[L] = 0;
    forLanes(X.Mask, [&](unsigned M) {
      if (X.lane(X.src(I), M) == X.lane(X.src(I), L))
        Masks[L] |= 1u << M;
    });
    if (Masks[L] != X.Mask)
      AllSame = 0;
  });
  forLanes(X.Mask, [&](unsigned L) {
    X.setLane(X.dst(I, 0), L, I.Sub ? AllSame : Masks[L]);
  });
  X.defined(X.dst(I, 0));
  if (I.NumDst > 1)
    X.setPred(X.dst(I, 1), AllSame ? ~0u : 0);
}

void redux(ExecContext &X, const Inst &I) {
  bool First = true;
  uint32_t R = 0;
  bool S = isSigned(I.T);
  forLanes(X.Mask, [&](unsigned L) {
    uint32_t V = uint32_t(X.lane(X.src(I), L));
    if (First) {
      R = V;
      First = false;
      return;
    }
    switch (I.Sub) {
    case 0:
      R += V;
      break;
    case 1:
      R = (S ? int32_t(V) < int32_t(R) : V < R) ? V : R;
      break;
    case 2:
      R = (S ? int32_t(V) > int32_t(R) : V > R) ? V : R;
      break;
    case 3:
      R &= V;
      break;
    case 4:
      R |= V;
      break;
    default:
      R ^= V;
      break;
    }
  });
  const uint32_t Undefined = undefinedForAll(X, I);
  forLanes(X.Mask, [&](unsigned L) { X.setLane(X.dst(I), L, R); });
  X.defined(X.dst(I));
  X.undefine(X.dst(I), Undefined, X.src(I));
}

void elect(ExecContext &X, const Inst &I) {
  unsigned Leader = X.firstLane();
  forLanes(X.Mask, [&](unsigned L) { X.setLane(X.dst(I, 0), L, Leader); });
  X.defined(X.dst(I, 0));
  X.setPred(X.dst(I, 1), 1u << Leader);
}

void syncWarp(ExecContext &X, const Inst &) { warpSynced(X.W); }

bool decodeShfl(Decoder &D) {
  D.take("sync");
  D.I.Sub = uint8_t(D.takeOneOf({"up", "down", "bfly", "idx"}, Idx));
  D.take("b32");
  D.I.Fn = execRendezvous<shfl>;
  D.I.Flags |= Inst::PassesFirst;
  D.I.A = 3; // The member mask is this source.
  if (!D.expectOps(5, 5))
    return false;
  const AstOperand &Out = D.ops()[0];
  if (Out.K == AstOperand::Pair) {
    if (!D.dst(Out.Elems[0], Ty::B32) || !D.dstPred(Out.Elems[1]))
      return false;
  } else if (!D.dst(Out, Ty::B32)) {
    return false;
  }
  for (unsigned J = 1; J < 5; ++J)
    if (!D.src(D.ops()[J], Ty::B32))
      return false;
  return true;
}

} // namespace

bool mxfp4::sim::decodeWarpOp(Decoder &D) {
  std::string_view Base = D.base();
  D.I.P = Pipe::Sync;
  D.I.Flags |= Inst::Control;
  if (Base == "shfl")
    return decodeShfl(D);
  bool Sync = D.take("sync");
  if (!Sync)
    return D.fail("only the .sync form is supported");
  if (Base == "vote") {
    D.I.Sub = uint8_t(D.takeOneOf({"all", "any", "uni", "ballot"}, 3));
    Ty T = D.takeType();
    D.I.Fn = execRendezvous<vote>;
    D.I.Flags |= Inst::PassesFirst;
    D.I.A = 1;
    if ((T == Ty::Pred) == (D.I.Sub == 3))
      return D.fail("vote.ballot gives .b32, the others .pred");
    return D.expectOps(3, 3) && D.dst(D.ops()[0], T) && D.srcPred(D.ops()[1]) &&
           D.src(D.ops()[2], Ty::B32);
  }
  if (Base == "match") {
    D.I.Sub = uint8_t(D.takeOneOf({"any", "all"}, 0));
    Ty T = D.takeType();
    if (typeBits(T) != 32 && typeBits(T) != 64)
      return D.fail("match needs .b32 or .b64");
    D.I.Fn = execRendezvous<match>;
    D.I.A = 1;
    if (!D.expectOps(3, 3))
      return false;
    const AstOperand &Out = D.ops()[0];
    bool Good = Out.K == AstOperand::Pair
                    ? D.dst(Out.Elems[0], Ty::B32) && D.dstPred(Out.Elems[1])
                    : D.dst(Out, Ty::B32);
    return Good && D.src(D.ops()[1], T) && D.src(D.ops()[2], Ty::B32);
  }
  if (Base == "redux") {
    D.I.Sub =
        uint8_t(D.takeOneOf({"add", "min", "max", "and", "or", "xor"}, 0));
    D.I.T = D.takeType();
    D.I.Fn = execRendezvous<redux>;
    D.I.Flags |= Inst::PassesFirst;
    D.I.A = 1;
    if (typeBits(D.I.T) != 32 || isFloat(D.I.T))
      return D.fail("redux needs a 32-bit integer type");
    return D.expectOps(3, 3) && D.dst(D.ops()[0], Ty::B32) &&
           D.src(D.ops()[1], Ty::B32) && D.src(D.ops()[2], Ty::B32);
  }
  if (Base == "elect") {
    D.I.Fn = execRendezvous<elect>;
    D.I.A = 0;
    if (!D.expectOps(2, 2) || D.ops()[0].K != AstOperand::Pair)
      return D.fail("elect.sync takes \"dst|pred, mask\"");
    return D.dst(D.ops()[0].Elems[0], Ty::B32) &&
           D.dstPred(D.ops()[0].Elems[1]) && D.src(D.ops()[1], Ty::B32);
  }
  return D.fail("this instruction is not supported");
}

bool mxfp4::sim::decodeWarpSync(Decoder &D) {
  D.I.Flags |= Inst::Control;
  D.I.P = Pipe::Sync;
  D.I.Fn = execRendezvous<syncWarp>;
  D.I.A = 0;
  return D.expectOps(1, 1) && D.src(D.ops()[0], Ty::B32);
}
