//===- Bulk.cpp - cp.async.bulk: issue, landing and groups ----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A bulk operation touches the shadow when it is issued and moves its bytes
// when it lands, some scheduler steps later. Loads write as the agent of the
// mbarrier they complete on, stores read as the warp's bulk agent: even
// counters for their reads of shared memory, odd ones for their writes.
//
//===----------------------------------------------------------------------===//

#include "CpAsync.h"
#include "Decoder.h"
#include "Tensor.h"

#include <algorithm>

using namespace mxfp4::sim;

namespace {

enum : uint8_t {
  Multicast = 1,
  TensorForm = 2,
  ReadOnlyWait = 4,
  ToSharedCluster = 8,
  FromShared = 16,
  HintFlag = 32
};

/// Marks the destination in one block, and counts the copy in flight.
bool launchInto(ExecContext &X, Cta &T, BulkOp &Op, unsigned Lane) {
  Mbarrier *B = findMbarrier(X, T, Op.Mbar, Lane, "the bulk copy");
  if (!B)
    return false;
  if (X.W.ProxyShared.get(B->Init.Who >> 5) < B->Init.Clock &&
      !X.known("proxy", B->InitInst + 1))
    X.report("proxy",
             "the bulk copy completes on the mbarrier initialised at " +
                 describeInst(X.K, B->InitInst) +
                 ", without a fence.mbarrier_init or fence.proxy.async in "
                 "between",
             Lane, Op.Mbar, B->InitInst + 1);
  Access A = threadAccess(X, Lane, Access::Write | Access::Async);
  A.E = mbarEpoch(*B);
  A.What = "the bulk copy";
  touchShared(X, T, Op.Shared, Op.Bytes, A);
  ++B->InFlight;
  B->InFlightBytes += Op.Bytes;
  return true;
}

bool sizeError(ExecContext &X, uint64_t Bytes, unsigned Lane) {
  if (Bytes % 16 == 0 && Bytes > 0 && Bytes < (1 << 20))
    return false;
  if (!X.known("bulk-size"))
    X.report("bulk-size",
             "a bulk copy moves a multiple of 16 bytes, more than none and "
             "less than 1 MiB, found " +
                 std::to_string(Bytes),
             Lane);
  return true;
}

/// The box and coordinates of a tensor operation, from the map in memory.
bool readTensor(ExecContext &X, const Inst &I, unsigned Lane, unsigned First,
                BulkOp &Op) {
  uint64_t Addr = X.lane(X.src(I, First), Lane) + uint64_t(I.Imm);
  MemRef R;
  if (!resolve(X, Space::Generic, Addr, 128, 64, false, Lane, R))
    return false;
  if (!TensorMap::decode(R.Host, Op.Map)) {
    if (!X.known("tensor-map"))
      X.report("tensor-map",
               "there is no tensor map at " + hex(Addr) +
                   "; the launch must put one there (TensorMap::encode)",
               Lane, Addr);
    return false;
  }
  if (Op.Map.Rank != I.B) {
    if (!X.known("tensor-map"))
      X.report("tensor-map",
               "the instruction has " + plural(I.B, "coordinate") +
                   ", but the tensor map has rank " +
                   std::to_string(Op.Map.Rank),
               Lane);
    return false;
  }
  for (unsigned D = 0; D < I.B; ++D)
    Op.Coords[D] = int32_t(uint32_t(X.lane(X.src(I, First + 1 + D), Lane)));
  Op.Tensor = true;
  Op.Bytes = boxBytes(Op.Map);
  return true;
}

bool sharedEnd(ExecContext &X, uint64_t Addr, BulkOp &Op, unsigned Lane,
               Cta *&T) {
  unsigned Align = 16;
  if (Op.Tensor)
    Align = 128;
  return resolveShared(X, Addr, Op.Bytes, Align, Lane, T, Op.Shared);
}

void execLoadBulk(ExecContext &X, const Inst &I) {
  bool Tensor = I.Mods & TensorForm;
  // Sources: dst, (map, coords...) or (src, size), mbar, [mask].
  unsigned At = Tensor ? 2 + I.B : 3;
  forLanes(X.Mask, [&](unsigned L) {
    BulkOp Op{};
    Op.K = I.Mods & FromShared ? BulkOp::SharedToShared : BulkOp::Load;
    Op.I = &I;
    Op.Lane = L;
    Op.SrcCta = X.C.Rank;
    Op.WarpId = X.W.Id;
    Cta *T, *MT;
    uint32_t MbarOff;
    if (Tensor) {
      if (!readTensor(X, I, L, 1, Op))
        return;
    } else {
      Op.Bytes = uint32_t(X.lane(X.src(I, 2), L));
      Op.Global = X.lane(X.src(I, 1), L) + uint64_t(I.Imm);
      if (sizeError(X, Op.Bytes, L))
        return;
    }
    if (!sharedEnd(X, X.lane(X.src(I, 0), L) + int64_t(int32_t(I.A)), Op, L,
                   T) ||
        !resolveShared(X, X.lane(X.src(I, At), L) + int64_t(int32_t(I.C)), 8, 8,
                       L, MT, MbarOff))
      return;
    if (MT != T && !X.known("mbarrier", 5))
      X.report("mbarrier",
               "a bulk copy must complete on an mbarrier of the block it "
               "writes to",
               L, MbarOff, 5);
    Op.Mbar = MbarOff;
    Op.CtaMask = uint16_t(1u << T->Rank);
    if (I.Mods & Multicast)
      Op.CtaMask = uint16_t(X.lane(X.src(I, At + 1), L));
    if (Op.K == BulkOp::SharedToShared) {
      Cta *From;
      uint32_t Off;
      if (!resolveShared(X, Op.Global, Op.Bytes, 16, L, From, Off))
        return;
      Access A = agentAccess(X, BulkAgent, 0, L, Access::Async);
      A.What = "the bulk copy";
      touchShared(X, *From, Off, Op.Bytes, A);
      Op.Global = Off | uint64_t(From->Rank) << 32;
    } else if (!touchSource(X, Op, L)) {
      return;
    }
    uint16_t Mask = 0;
    for (Cta &C : X.Cl.Ctas)
      if (Op.CtaMask >> C.Rank & 1 && launchInto(X, C, Op, L))
        Mask |= uint16_t(1u << C.Rank);
    if (Op.CtaMask >> X.Cl.Ctas.size() && !X.known("cluster"))
      X.report("cluster",
               "the multicast mask " + hex(Op.CtaMask) +
                   " names blocks beyond the cluster's " +
                   std::to_string(X.Cl.Ctas.size()),
               L);
    Op.CtaMask = Mask;
    X.S.S.SharedAsyncWriteBytes +=
        uint64_t(Op.Bytes) * unsigned(__builtin_popcount(Mask));
    if (Op.K == BulkOp::SharedToShared)
      X.S.S.SharedAsyncReadBytes += Op.Bytes;
    Op.Due = X.Cl.Step + X.Cl.Rng.below(X.Cl.Rng.below(8) ? 40 : 400);
    X.Cl.Bulk.push_back(Op);
    ++X.S.S.BulkCopies;
    X.S.S.BulkLoadBytes += Op.Bytes;
  });
  ++X.Cl.Progress;
}

void execStoreBulk(ExecContext &X, const Inst &I) {
  bool Tensor = I.Mods & TensorForm;
  // Sources: (map, coords...), src or dst, src, size.
  forLanes(X.Mask, [&](unsigned L) {
    BulkOp Op{};
    Op.K = I.Sub ? BulkOp::Reduce : BulkOp::Store;
    Op.ReduceOp = uint8_t(I.Sub - 1);
    Op.ReduceType = I.T;
    Op.I = &I;
    Op.Lane = L;
    Op.SrcCta = X.C.Rank;
    Op.WarpId = X.W.Id;
    Cta *T;
    unsigned From = Tensor ? 1 + I.B : 1;
    if (Tensor) {
      if (!readTensor(X, I, L, 0, Op))
        return;
    } else {
      Op.Bytes = uint32_t(X.lane(X.src(I, 2), L));
      Op.Global = X.lane(X.src(I, 0), L) + uint64_t(I.Imm);
      if (sizeError(X, Op.Bytes, L))
        return;
    }
    if (!sharedEnd(X, X.lane(X.src(I, From), L) + int64_t(int32_t(I.C)), Op, L,
                   T))
      return;
    uint32_t Group = X.W.BulkGroups[L] + 1;
    Access A = agentAccess(X, BulkAgent, 2 * Group, L, Access::Async);
    A.What = "the bulk store";
    touchShared(X, *T, Op.Shared, Op.Bytes, A);
    if (!touchTarget(X, Op, L, 2 * Group + 1))
      return;
    Op.Due = X.Cl.Step + X.Cl.Rng.below(200);
    X.Cl.Bulk.push_back(Op);
    ++X.S.S.BulkCopies;
    X.S.S.BulkStoreBytes += Op.Bytes;
    X.S.S.SharedAsyncReadBytes += Op.Bytes;
  });
  ++X.Cl.Progress;
}

void execCommitBulk(ExecContext &X, const Inst &) {
  forLanes(X.Mask, [&](unsigned L) {
    uint32_t Group = ++X.W.BulkGroups[L];
    for (BulkOp &Op : X.Cl.Bulk)
      if ((Op.K == BulkOp::Store || Op.K == BulkOp::Reduce) &&
          Op.SrcCta == X.C.Rank && Op.WarpId == X.W.Id && Op.Lane == L &&
          Op.Group == 0)
        Op.Group = Group;
  });
}

void execWaitBulk(ExecContext &X, const Inst &I) {
  forLanes(X.Mask, [&](unsigned L) {
    uint32_t Committed = X.W.BulkGroups[L];
    if (Committed <= I.A)
      return;
    uint32_t Upto = Committed - I.A;
    auto &Ops = X.Cl.Bulk;
    for (size_t N = 0; N < Ops.size();) {
      BulkOp &Op = Ops[N];
      if (Op.Group && Op.Group <= Upto && Op.Lane == L &&
          Op.SrcCta == X.C.Rank && Op.WarpId == X.W.Id) {
        landBulk(X, Op);
        Ops.erase(Ops.begin() + N);
      } else {
        ++N;
      }
    }
    // Each lane counts groups of its own.
    X.W.Clock.raise(laneAgent(X.W.agent(BulkAgent) << 5 | L),
                    2 * Upto + (I.Mods & ReadOnlyWait ? 0 : 1));
  });
  ++X.Cl.Progress;
}

void execNothing(ExecContext &, const Inst &) {}

bool decodeTensorOperand(Decoder &D, const AstOperand &Op) {
  if (Op.K != AstOperand::Addr || Op.Elems.size() != 2 ||
      Op.Elems[1].K != AstOperand::Vec)
    return D.fail("expected \"[map, {coordinates}]\"");
  const auto &Coords = Op.Elems[1].Elems;
  if (Coords.size() != D.I.B)
    return D.fail("expected " + plural(D.I.B, "coordinate") + ", found " +
                  std::to_string(Coords.size()));
  if (!D.address(Op))
    return false;
  for (const AstOperand &C : Coords)
    if (!D.src(C, Ty::B32))
      return false;
  return true;
}

bool decodeLoad(Decoder &D, bool Tensor) {
  D.I.Fn = execLoadBulk;
  bool Mask = D.I.Mods & Multicast;
  size_t N = (Tensor ? 3 : 4) + Mask;
  if (!D.expectOps(N, N + bool(D.I.Mods & HintFlag)))
    return false;
  const auto &Ops = D.ops();
  uint32_t Dst, Mbar;
  if (!D.addressInto(Ops[0], Dst))
    return false;
  if (Tensor ? !decodeTensorOperand(D, Ops[1])
             : !D.address(Ops[1]) || !D.src(Ops[2], Ty::B32))
    return false;
  if (!D.addressInto(Ops[Tensor ? 2 : 3], Mbar))
    return false;
  D.I.A = Dst;
  D.I.C = Mbar;
  return !Mask || D.src(Ops[N - 1], Ty::B16);
}

bool decodeStore(Decoder &D, bool Tensor) {
  D.I.Fn = execStoreBulk;
  size_t N = Tensor ? 2 : 3;
  if (!D.expectOps(N, N + bool(D.I.Mods & HintFlag)))
    return false;
  const auto &Ops = D.ops();
  if (Tensor ? !decodeTensorOperand(D, Ops[0]) : !D.address(Ops[0]))
    return false;
  return D.addressInto(Ops[1], D.I.C) && (Tensor || D.src(Ops[2], Ty::B32));
}

} // namespace

bool mxfp4::sim::decodeBulk(Decoder &D) {
  bool Reduce = D.base() == "cp" ? D.take("reduce") : true;
  D.I.P = Pipe::Copy;
  D.take("async");
  D.take("bulk");
  if (D.take("commit_group")) {
    D.I.Fn = execCommitBulk;
    return D.expectOps(0, 0);
  }
  if (D.take("wait_group")) {
    D.I.Mods = D.take("read") ? ReadOnlyWait : 0;
    int64_t N;
    if (!D.expectOps(1, 1) || !D.immediate(D.ops()[0], N))
      return false;
    if (N < 0 || N > (1 << 20))
      return D.fail("the number of groups is out of range");
    D.I.A = uint32_t(N);
    D.I.Fn = execWaitBulk;
    return true;
  }
  bool Tensor = D.take("tensor");
  if (Tensor) {
    D.I.Mods |= TensorForm;
    int Rank = D.takeOneOf({"1d", "2d", "3d", "4d", "5d"}, -1);
    if (Rank < 0)
      return D.fail("expected a rank from .1d to .5d");
    D.I.B = uint32_t(Rank) + 1;
    D.take("tile");
  }
  D.I.Mods |= D.take("L2::cache_hint") ? HintFlag : 0;
  if (D.take("prefetch")) {
    D.take("L2");
    D.take("global");
    D.I.Fn = execNothing;
    return true;
  }
  if (D.take("multicast::cluster"))
    D.I.Mods |= Multicast;
  if (Reduce && Tensor)
    return D.fail("reductions through a tensor map are not supported");
  if (Reduce) {
    int Op = D.takeOneOf(
        {"and", "or", "xor", "exch", "cas", "add", "inc", "dec", "min", "max"},
        -1);
    D.take("noftz");
    if (!Tensor)
      D.I.T = D.takeType();
    if (Op < 0 || Op == 3 || Op == 4)
      return D.fail("expected a reduction such as .add");
    D.I.Sub = uint8_t(Op + 1);
  }
  bool Completes = D.take("mbarrier::complete_tx::bytes");
  bool Group = D.take("bulk_group");
  bool ToCluster = D.take("shared::cluster");
  bool SharedCta = D.take("shared::cta");
  bool Global = D.take("global");
  if (Group && Global && SharedCta)
    return decodeStore(D, Tensor);
  if (!Completes || Reduce)
    return D.fail("this form of bulk copy is not supported");
  if (ToCluster && SharedCta && !Tensor)
    D.I.Mods |= FromShared;
  else if (!Global)
    return D.fail("this form of bulk copy is not supported");
  return decodeLoad(D, Tensor);
}

void mxfp4::sim::landBulk(ExecContext &X, BulkOp &Op) {
  if (Op.K == BulkOp::Store || Op.K == BulkOp::Reduce)
    return moveOut(X, Op);
  for (Cta &T : X.Cl.Ctas) {
    if (!(Op.CtaMask >> T.Rank & 1))
      continue;
    moveIn(X, Op, T);
    auto It = T.Mbarriers.find(Op.Mbar);
    if (It == T.Mbarriers.end())
      continue;
    Mbarrier &B = It->second;
    if (B.InFlight)
      --B.InFlight;
    B.InFlightBytes -= Op.Bytes;
    completeTx(X, T, Op.Mbar, B, Op.Bytes);
  }
}
