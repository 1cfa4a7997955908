//===- MoveOps.cpp - mov, packing, address-space conversion, mapa ---------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// mov passes undefinedness on without a report: a copy of a value that nobody
// looks at is no mistake.
//
//===----------------------------------------------------------------------===//

#include "Decoder.h"
#include "Exec.h"

using namespace mxfp4::sim;

namespace {

template <typename Box> void execMov(ExecContext &X, const Inst &I) {
  const Operand &D = X.dst(I), &S = X.src(I);
  RegState &From = X.W.States[S.Slot];
  if (From.Busy & RegState::Accumulator)
    X.busyWrite(S); // A read, but reported the same way.
  uint32_t Def = From.Busy ? ~0u : From.Def, Epoch = From.WriteEpoch;
  alignas(64) Box Temp[32];
  std::memcpy(Temp, X.ptr(S), sizeof(Temp));
  commit(X, D, Temp);
  // For wgmma.fence a copy is as old as what it copies: LLVM puts copies and
  // zeros behind the fence, and ptxas coalesces them or orders them itself.
  X.W.States[D.Slot].WriteEpoch = Epoch;
  X.undefine(D, X.Mask & ~Def, S);
}

void execMovPred(ExecContext &X, const Inst &I) {
  uint32_t Def = X.W.States[X.src(I).Slot].Def;
  X.setPred(X.dst(I), X.pred(X.src(I)));
  X.undefine(X.dst(I), X.Mask & ~Def, X.src(I));
}

/// mov.b32 d, {a, b}: parts of I.A bits each.
void execPack(ExecContext &X, const Inst &I) {
  const Operand &D = X.dst(I);
  uint32_t Def = ~0u;
  Operand From;
  for (unsigned J = 0; J < I.NumSrc; ++J) {
    const uint32_t Part = X.W.States[X.src(I, J).Slot].Def;
    if (X.Mask & ~Part)
      From = X.src(I, J);
    Def &= Part;
  }
  uint64_t Part = (uint64_t(1) << I.A) - 1;
  uint64_t Temp[32] = {};
  for (unsigned J = 0; J < I.NumSrc; ++J) {
    Operand S = X.src(I, J);
    for (unsigned L = 0; L < 32; ++L)
      Temp[L] |= (X.lane(S, L) & Part) << (I.A * J);
  }
  if (D.isWide()) {
    commit(X, D, Temp);
  } else {
    uint32_t Narrow[32];
    for (unsigned L = 0; L < 32; ++L)
      Narrow[L] = uint32_t(Temp[L]);
    commit(X, D, Narrow);
  }
  X.undefine(D, X.Mask & ~Def, From);
}

/// mov.b32 {a, b}, s
void execUnpack(ExecContext &X, const Inst &I) {
  uint64_t Part = (uint64_t(1) << I.A) - 1, Temp[32];
  uint32_t Def = X.W.States[X.src(I).Slot].Def;
  for (unsigned L = 0; L < 32; ++L)
    Temp[L] = X.lane(X.src(I), L);
  for (unsigned J = 0; J < I.NumDst; ++J) {
    const Operand &D = X.dst(I, J);
    forLanes(X.Mask, [&](unsigned L) {
      X.setLane(D, L, (Temp[L] >> (I.A * J)) & Part);
    });
    X.defined(D);
    X.undefine(D, X.Mask & ~Def, X.src(I));
  }
}

/// mov from a register that changes: the clocks.
void execClock(ExecContext &X, const Inst &I) {
  uint64_t Now = X.Cl.Step * 64 + 1;
  if (I.Sub == 1)
    Now >>= 32;
  forLanes(X.Mask, [&](unsigned L) { X.setLane(X.dst(I), L, Now); });
  X.defined(X.dst(I));
}
void execActiveMask(ExecContext &X, const Inst &I) {
  forLanes(X.Mask, [&](unsigned L) { X.setLane(X.dst(I), L, X.Mask); });
  X.defined(X.dst(I));
}

/// cvta: Imm is added, or taken away by cvta.to.
void execCvta(ExecContext &X, const Inst &I) {
  uint64_t Window = uint64_t(I.Imm);
  const Operand &D = X.dst(I), &S = X.src(I);
  forLanes(X.Mask, [&](unsigned L) {
    uint64_t V = X.lane(S, L);
    if (I.Sub) // to: an address outside the window stays and is caught later.
      V = V >= Window && V < Window + WindowSize ? V - Window : V;
    else
      V = V < WindowSize ? V + Window : V;
    X.setLane(D, L, V);
  });
  X.defined(D);
}

void execIsSpace(ExecContext &X, const Inst &I) {
  uint32_t R = 0;
  forLanes(X.Mask, [&](unsigned L) {
    uint64_t V = X.lane(X.src(I), L);
    auto In = [&](uint64_t W) { return V >= W && V < W + WindowSize; };
    bool Is = I.S == Space::Shared
                  ? In(SharedWindow) && (V - SharedWindow) >> RankShift == 0
              : I.S == Space::SharedCluster ? In(SharedWindow)
              : I.S == Space::Local         ? In(LocalWindow)
              : I.S == Space::Param         ? In(ParamWindow)
                                            : V >= VariableBase;
    R |= uint32_t(Is) << L;
  });
  X.setPred(X.dst(I), R);
}

/// mapa: the same place in another block of the cluster.
void execMapa(ExecContext &X, const Inst &I) {
  bool Generic = I.S == Space::Generic;
  forLanes(X.Mask, [&](unsigned L) {
    uint64_t V = X.lane(X.src(I, 0), L);
    uint32_t Rank = uint32_t(X.lane(X.src(I, 1), L));
    if (Rank >= X.Cl.Ctas.size() && !X.known("cluster"))
      X.report("cluster",
               "mapa asks for block " + std::to_string(Rank) +
                   " of the cluster, which has " +
                   plural(X.Cl.Ctas.size(), "block"),
               L);
    uint64_t Off = V & ((1u << RankShift) - 1);
    V = Off | uint64_t(Rank + 1) << RankShift;
    X.setLane(X.dst(I), L, Generic ? V + SharedWindow : V);
  });
  X.defined(X.dst(I));
}

void execGetCtaRank(ExecContext &X, const Inst &I) {
  forLanes(X.Mask, [&](unsigned L) {
    uint32_t R = uint32_t(X.lane(X.src(I), L)) >> RankShift;
    X.setLane(X.dst(I), L, R ? R - 1 : X.C.Rank);
  });
  X.defined(X.dst(I));
}

bool decodeVectorMov(Decoder &D, Ty T) {
  const AstOperand &A = D.ops()[0], &B = D.ops()[1];
  bool Pack = B.K == AstOperand::Vec;
  const auto &Parts = Pack ? B.Elems : A.Elems;
  unsigned N = unsigned(Parts.size()), Bits = typeBits(T);
  if ((N != 2 && N != 4) || (Bits != 32 && Bits != 64) || Bits / N < 8)
    return D.fail("mov packs or unpacks 2 or 4 parts of a 32- or 64-bit value");
  unsigned Part = Bits / N;
  Ty PartTy = Part == 32 ? Ty::B32 : Part == 16 ? Ty::B16 : Ty::B8;
  D.I.A = Part;
  D.I.Fn = Pack ? execPack : execUnpack;
  if (Pack) {
    if (!D.dst(A, T))
      return false;
    for (const AstOperand &E : Parts)
      if (!D.src(E, PartTy, Part == 8))
        return false;
    return true;
  }
  for (const AstOperand &E : Parts)
    if (!D.dst(E, PartTy, Part == 8))
      return false;
  return D.src(B, T);
}

bool decodeMov(Decoder &D) {
  Ty T = D.takeType();
  D.I.P = Pipe::Alu;
  D.I.Flags |= Inst::NoDefCheck;
  if (T == Ty::None || typeBits(T) > 64)
    return D.fail("expected a type of at most 64 bits");
  if (!D.expectOps(2, 2))
    return false;
  const AstOperand &S = D.ops()[1];
  if (S.K == AstOperand::Vec || D.ops()[0].K == AstOperand::Vec)
    return decodeVectorMov(D, T);
  if (!D.dst(D.ops()[0], T))
    return false;
  if (S.K == AstOperand::Name) {
    std::string_view N = S.Text;
    if (N == "%clock64" || N == "%globaltimer" || N == "%clock" ||
        N == "%clock_hi" || N == "%globaltimer_lo" || N == "%globaltimer_hi") {
      bool Wide = N == "%clock64" || N == "%globaltimer";
      if (typeBits(T) != (Wide ? 64u : 32u))
        return D.fail(std::string(N) + " has another width");
      D.I.Sub = N == "%clock_hi" || N == "%globaltimer_hi";
      D.I.Fn = execClock;
      return true;
    }
  }
  D.I.Fn = typeBits(T) == 1    ? execMovPred
           : typeBits(T) == 64 ? execMov<uint64_t>
                               : execMov<uint32_t>;
  return D.src(S, T);
}

bool decodeCvta(Decoder &D) {
  D.I.Sub = D.take("to");
  int S = D.takeOneOf({"global", "shared", "shared::cta", "shared::cluster",
                       "const", "local", "param"},
                      -1);
  if (S < 0)
    return D.fail("cvta needs a state space");
  if (S == 6)
    D.take("entry");
  Ty T = D.takeType();
  if (typeBits(T) != 64)
    return D.fail("cvta needs a 64-bit type");
  D.I.Imm = int64_t(S >= 1 && S <= 3 ? SharedWindow : S == 5 ? LocalWindow : 0);
  // Global, const and param addresses are generic already.
  D.I.Fn = D.I.Imm ? execCvta : execMov<uint64_t>;
  D.I.P = Pipe::Alu;
  return D.expectOps(2, 2) && D.dst(D.ops()[0], T) && D.src(D.ops()[1], T);
}

} // namespace

void mxfp4::sim::execImplicitDef(ExecContext &X, const Inst &I) {
  // Whatever the register holds: the value must not matter.
  X.defined(X.dst(I));
}

bool mxfp4::sim::decodeMove(Decoder &D) {
  std::string_view Base = D.base();
  D.I.P = Pipe::Alu;
  if (Base == "mov")
    return decodeMov(D);
  if (Base == "cvta")
    return decodeCvta(D);
  if (Base == "activemask") {
    D.take("b32");
    D.I.Fn = execActiveMask;
    return D.expectOps(1, 1) && D.dst(D.ops()[0], Ty::B32);
  }
  int S = D.takeOneOf({"shared::cluster", "shared::cta", "shared", "local",
                       "param", "global", "const"},
                      -1);
  D.I.S = S == 0             ? Space::SharedCluster
          : S == 1 || S == 2 ? Space::Shared
          : S == 3           ? Space::Local
          : S == 4           ? Space::Param
          : S >= 5           ? Space::Global
                             : Space::Generic;
  if (Base == "isspacep") {
    D.I.Fn = execIsSpace;
    return D.expectOps(2, 2) && D.dstPred(D.ops()[0]) &&
           D.src(D.ops()[1], Ty::B64);
  }
  Ty T = D.takeType();
  if (typeBits(T) != 32 && typeBits(T) != 64)
    return D.fail("expected a 32- or 64-bit type");
  if (Base == "getctarank") {
    D.I.Fn = execGetCtaRank;
    return D.expectOps(2, 2) && D.dst(D.ops()[0], Ty::B32) &&
           D.src(D.ops()[1], T);
  }
  D.I.Fn = execMapa;
  return D.expectOps(3, 3) && D.dst(D.ops()[0], T) && D.src(D.ops()[1], T) &&
         D.src(D.ops()[2], Ty::B32);
}
