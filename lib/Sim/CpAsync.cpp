//===- CpAsync.cpp - cp.async and its groups ------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A copy writes the shared memory's shadow when it is issued, as the warp's
// copy agent with the number of the group to come, and the bytes themselves
// when it is waited for. Whoever looks in between has no clock that covers the
// group, and is told so.
//
//===----------------------------------------------------------------------===//

#include "CpAsync.h"
#include "Decoder.h"

#include <algorithm>

using namespace mxfp4::sim;

/// Lands the copies of the active lanes, of groups up to \p Group[lane]. What
/// the warp then knows of its copies is one number: all groups up to it have
/// landed, whichever lane's they are.
static void land(ExecContext &X, const std::array<uint32_t, 32> &Group) {
  Warp &W = X.W;
  size_t Kept = 0;
  uint32_t Known = *std::max_element(W.CopyGroups.begin(), W.CopyGroups.end());
  for (PendingCopy &C : W.Copies) {
    if (X.Mask >> C.Lane & 1 && C.Group && C.Group <= Group[C.Lane]) {
      landCopy(X.G, X.C, C);
      continue;
    }
    uint32_t Number = C.Group ? C.Group : W.CopyGroups[C.Lane] + 1;
    Known = std::min(Known, Number - 1);
    W.Copies[Kept++] = C;
  }
  W.Copies.resize(Kept);
  W.CopyDone = std::max(W.CopyDone, Known);
  // A lane that has committed fewer groups must not use these numbers again.
  for (uint32_t &Groups : W.CopyGroups)
    Groups = std::max(Groups, Known);
  W.Clock.raise(W.agent(CopyAgent), Known);
}

void mxfp4::sim::landCopy(Grid &G, Cta &T, const PendingCopy &C) {
  uint8_t *To = T.Shared.data() + C.Shared;
  std::memset(To, 0, C.Bytes);
  if (GlobalRegion *R = findRegion(G, C.Global))
    if (C.Valid && C.Global - R->Address + C.Valid <= R->Size)
      std::memcpy(To, R->Data + (C.Global - R->Address), C.Valid);
}

namespace {

void execCopy(ExecContext &X, const Inst &I) {
  unsigned Bytes = I.A;
  forLanes(X.Mask, [&](unsigned L) {
    uint64_t Addr = X.lane(X.src(I, 0), L) + uint64_t(I.Imm);
    uint64_t From = X.lane(X.src(I, 1), L) + uint64_t(int64_t(int32_t(I.C)));
    uint64_t Valid = Bytes;
    if (I.Mods & 1)
      Valid = uint32_t(X.lane(X.src(I, 2), L));
    if (Valid > Bytes) {
      if (!X.known("copy-size"))
        X.report("copy-size",
                 "cp.async takes " + std::to_string(Valid) +
                     " bytes from its source, more than the " +
                     std::to_string(Bytes) + " that it copies",
                 L);
      Valid = Bytes;
    }
    if (I.Mods & 2)
      Valid = X.pred(X.src(I, 2)) >> L & 1 ? 0 : Bytes;
    Cta *T;
    uint32_t Off;
    MemRef R;
    if (!resolveShared(X, Addr, Bytes, Bytes, L, T, Off))
      return;
    if (Valid &&
        !resolve(X, Space::Global, From, unsigned(Valid), Bytes, false, L, R))
      return;
    uint32_t Group = X.W.CopyGroups[L] + 1;
    if (Valid)
      touch(X, R, uint32_t(Valid), threadAccess(X, L, 0));
    touchShared(X, *T, Off, Bytes,
                agentAccess(X, CopyAgent, Group, L, Access::Write));
    X.W.Copies.push_back(
        {L, X.PC, Off, From, uint8_t(Bytes), uint8_t(Valid), 0});
    X.S.S.AsyncCopyBytes += Valid;
    X.S.S.SharedStoreBytes += Bytes;
  });
  ++X.Cl.Progress;
}

void execCommit(ExecContext &X, const Inst &) {
  forLanes(X.Mask, [&](unsigned L) { ++X.W.CopyGroups[L]; });
  for (PendingCopy &C : X.W.Copies)
    if (C.Group == 0 && X.Mask >> C.Lane & 1)
      C.Group = X.W.CopyGroups[C.Lane];
}

void execWait(ExecContext &X, const Inst &I) {
  if (I.Sub) // wait_all commits too.
    execCommit(X, I);
  uint32_t Keep = I.Sub ? 0 : I.A;
  std::array<uint32_t, 32> Upto = X.W.CopyGroups;
  for (uint32_t &Group : Upto)
    Group = Group > Keep ? Group - Keep : 0;
  land(X, Upto);
  ++X.Cl.Progress;
}

/// The barrier gets an arrival when the thread's copies so far have landed.
/// They land at once: later is the same to everybody who waits.
void execArrive(ExecContext &X, const Inst &I) {
  execCommit(X, I);
  // Others learn of it at the barrier, the warp itself not before it waits.
  VectorClock Before = X.W.Clock;
  uint32_t Done = X.W.CopyDone;
  land(X, X.W.CopyGroups);
  VectorClock Landed;
  tell(X.W, X.Mask, Landed);
  X.W.Clock = std::move(Before);
  X.W.CopyDone = Done;
  forLanes(X.Mask, [&](unsigned L) {
    Cta *T;
    uint32_t Off;
    uint64_t Addr = X.lane(X.src(I, 0), L) + uint64_t(I.Imm);
    if (!resolveShared(X, Addr, 8, 8, L, T, Off))
      return;
    Mbarrier *B = findMbarrier(X, *T, Off, L, "cp.async.mbarrier.arrive");
    if (!B)
      return;
    B->Pend.join(Landed);
    B->PendProxy.join(X.W.ProxyShared);
    if (!(I.Mods & 1)) // Without .noinc the pending count grows first.
      ++B->Pending;
    arriveMbarrier(X, *T, Off, *B, 1, L);
  });
  ++X.W.Now;
}

} // namespace

bool mxfp4::sim::decodeCpAsync(Decoder &D) {
  D.I.P = Pipe::Lsu;
  if (!D.take("async"))
    return D.fail("cp without .async is not known");
  std::string_view Whole = D.ast().Opcode;
  if (Whole.find(".bulk") != Whole.npos)
    return decodeBulk(D);
  if (D.take("commit_group")) {
    D.I.Fn = execCommit;
    return D.expectOps(0, 0);
  }
  if (D.take("wait_all")) {
    D.I.Fn = execWait;
    D.I.Sub = 1;
    return D.expectOps(0, 0);
  }
  if (D.take("wait_group")) {
    int64_t N;
    if (!D.expectOps(1, 1) || !D.immediate(D.ops()[0], N))
      return false;
    if (N < 0 || N > (1 << 20))
      return D.fail("the number of groups is out of range");
    D.I.A = uint32_t(N);
    D.I.Fn = execWait;
    return true;
  }
  if (D.take("mbarrier")) {
    D.take("arrive");
    if (D.take("noinc"))
      D.I.Mods |= 1;
    D.takeOneOf({"shared", "shared::cta"}, 0);
    D.take("b64");
    D.I.Fn = execArrive;
    return D.expectOps(1, 1) && D.address(D.ops()[0]);
  }
  bool CG = D.take("cg");
  if (!CG && !D.take("ca"))
    return D.fail("cp.async needs .ca or .cg");
  D.takeOneOf({"shared", "shared::cta"}, 0);
  D.take("global");
  bool Hint = D.take("L2::cache_hint");
  D.takePrefix("L2::");
  int64_t Size;
  if (!D.expectOps(3, 5) || !D.immediate(D.ops()[2], Size))
    return false;
  if (Size != 16 && (CG || (Size != 4 && Size != 8)))
    return D.fail(CG ? "cp.async.cg copies 16 bytes"
                     : "cp.async.ca copies 4, 8 or 16 bytes");
  D.I.A = uint32_t(Size);
  D.I.Fn = execCopy;
  // Sources: destination, source, and the valid size or the ignore predicate.
  // Imm belongs to the destination, C to the source.
  if (!D.address(D.ops()[0]))
    return false;
  int64_t To = D.I.Imm;
  if (!D.address(D.ops()[1]))
    return false;
  if (D.I.Imm != int32_t(D.I.Imm))
    return D.fail("the offset of the source is out of range");
  D.I.C = uint32_t(int32_t(D.I.Imm));
  D.I.Imm = To;
  if (D.ops().size() == 3u + Hint)
    return true;
  const AstOperand &Last = D.ops()[3];
  if (Last.K == AstOperand::Reg && D.regType(Last) == Ty::Pred) {
    D.I.Mods |= 2;
    return D.srcPred(Last);
  }
  D.I.Mods |= 1;
  return D.src(Last, Ty::B32);
}
