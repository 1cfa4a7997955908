//===- StAsync.cpp - st.async: stores that signal an mbarrier -------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A store into a block of the cluster that lands later and then counts its
// bytes on an mbarrier of that block. Like a bulk copy it writes as the agent
// of the barrier, so that whoever reads it must have waited there.
//
//===----------------------------------------------------------------------===//

#include "Decoder.h"
#include "Sync.h"

using namespace mxfp4::sim;

static void execStoreAsync(ExecContext &X, const Inst &I) {
  unsigned Bytes = I.A * I.Vec;
  forLanes(X.Mask, [&](unsigned L) {
    BulkOp Op{};
    Op.K = BulkOp::Direct;
    Op.I = &I;
    Op.Lane = L;
    Op.SrcCta = X.C.Rank;
    Op.WarpId = X.W.Id;
    Op.Bytes = Bytes;
    Cta *T, *MT;
    if (!resolveShared(X, X.lane(X.src(I, 0), L) + uint64_t(I.Imm), Bytes,
                       Bytes, L, T, Op.Shared) ||
        !resolveShared(X,
                       X.lane(X.src(I, 1 + I.Vec), L) + int64_t(int32_t(I.C)),
                       8, 8, L, MT, Op.Mbar))
      return;
    if (MT != T && !X.known("mbarrier", 5))
      X.report("mbarrier",
               "st.async must complete on an mbarrier of the block it writes "
               "to",
               L, Op.Mbar, 5);
    Mbarrier *B = findMbarrier(X, *T, Op.Mbar, L, "st.async");
    if (!B)
      return;
    for (unsigned J = 0; J < I.Vec; ++J) {
      uint64_t V = X.lane(X.src(I, 1 + J), L);
      std::memcpy(Op.Data.data() + size_t(J) * I.A, &V, I.A);
    }
    Access A = threadAccess(X, L, Access::Write);
    A.E = mbarEpoch(*B);
    A.What = "st.async";
    touchShared(X, *T, Op.Shared, Bytes, A);
    ++B->InFlight;
    B->InFlightBytes += Bytes;
    Op.CtaMask = uint16_t(1u << T->Rank);
    Op.Due = X.Cl.Step + X.Cl.Rng.below(X.Cl.Rng.below(8) ? 40 : 400);
    X.Cl.Bulk.push_back(Op);
    X.S.S.SharedStoreBytes += Bytes;
  });
  ++X.Cl.Progress;
}

bool mxfp4::sim::decodeStoreAsync(Decoder &D) {
  D.take("weak");
  if (!D.take("shared::cluster") || !D.take("mbarrier::complete_tx::bytes"))
    return D.fail("st.async is known as "
                  ".shared::cluster.mbarrier::complete_tx::bytes alone");
  D.I.Vec = uint8_t(D.take("v2") ? 2 : D.take("v4") ? 4 : 1);
  Ty T = D.takeType();
  unsigned Bits = typeBits(T);
  if ((Bits != 32 && Bits != 64) || Bits * D.I.Vec > 128)
    return D.fail("st.async stores elements of 32 or 64 bits, 128 in all");
  D.I.T = T;
  D.I.A = Bits / 8;
  D.I.S = Space::SharedCluster;
  D.I.P = Pipe::Lsu;
  D.I.Fn = execStoreAsync;
  if (!D.expectOps(3, 3))
    return false;
  const AstOperand &Data = D.ops()[1];
  std::vector<AstOperand> One{Data};
  const auto &Elems = Data.K == AstOperand::Vec ? Data.Elems : One;
  if (Elems.size() != D.I.Vec)
    return D.fail("expected " + plural(D.I.Vec, "register") +
                  " of data, found " + std::to_string(Elems.size()));
  if (!D.address(D.ops()[0]))
    return false;
  for (const AstOperand &E : Elems)
    if (!D.src(E, T, true))
      return false;
  return D.addressInto(D.ops()[2], D.I.C);
}
