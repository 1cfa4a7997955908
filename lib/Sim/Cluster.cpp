//===- Cluster.cpp - Blocks, warps and their first registers --------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Decoder.h"
#include "Scheduler.h"

using namespace mxfp4::sim;

namespace {

uint32_t specialValue(const Grid &G, const Cluster &Cl, const Cta &C,
                      const Warp &W, unsigned Lane, Special S) {
  const Dim3 &B = G.L->Block, &N = G.L->Grid, &K = G.ClusterDim;
  uint32_t T = W.Id * 32 + Lane;
  switch (S) {
  case Special::TidX:
    return T % B.X;
  case Special::TidY:
    return T / B.X % B.Y;
  case Special::TidZ:
    return T / B.X / B.Y;
  case Special::NTidX:
    return B.X;
  case Special::NTidY:
    return B.Y;
  case Special::NTidZ:
    return B.Z;
  case Special::CtaX:
    return C.Id.X;
  case Special::CtaY:
    return C.Id.Y;
  case Special::CtaZ:
    return C.Id.Z;
  case Special::NCtaX:
    return N.X;
  case Special::NCtaY:
    return N.Y;
  case Special::NCtaZ:
    return N.Z;
  case Special::LaneId:
    return Lane;
  case Special::WarpId:
    return W.Id;
  case Special::NWarpId:
    return uint32_t(C.Warps.size());
  case Special::WarpSize:
    return 32;
  case Special::LaneEq:
    return 1u << Lane;
  case Special::LaneLt:
    return (1u << Lane) - 1;
  case Special::LaneLe:
    return (2u << Lane) - 1;
  case Special::LaneGt:
    return ~((2u << Lane) - 1);
  case Special::LaneGe:
    return ~((1u << Lane) - 1);
  case Special::ClusterX:
    return Cl.Id.X;
  case Special::ClusterY:
    return Cl.Id.Y;
  case Special::ClusterZ:
    return Cl.Id.Z;
  case Special::NClusterX:
    return N.X / K.X;
  case Special::NClusterY:
    return N.Y / K.Y;
  case Special::NClusterZ:
    return N.Z / K.Z;
  case Special::ClusterCtaX:
    return C.Id.X % K.X;
  case Special::ClusterCtaY:
    return C.Id.Y % K.Y;
  case Special::ClusterCtaZ:
    return C.Id.Z % K.Z;
  case Special::ClusterNCtaX:
    return K.X;
  case Special::ClusterNCtaY:
    return K.Y;
  case Special::ClusterNCtaZ:
    return K.Z;
  case Special::ClusterCtaRank:
    return C.Rank;
  case Special::ClusterNCtaRank:
    return uint32_t(K.count());
  case Special::SmId:
    return C.Linear % 132;
  case Special::NSmId:
    return 132;
  case Special::GridId:
    return 0;
  case Special::DynamicSmem:
    return G.L->DynamicShared;
  case Special::TotalSmem:
    return G.SharedBytes - SharedBase;
  case Special::IsExplicitCluster:
    return K.count() > 1;
  case Special::Count:
    break;
  }
  return 0;
}

void makeWarp(Grid &G, Cluster &Cl, Cta &C, Warp &W, uint32_t Id) {
  const Kernel &K = *G.K;
  W.C = &C;
  W.Id = Id;
  uint32_t Left = uint32_t(G.L->Block.count()) - 32 * Id;
  W.Exists = W.Live = Left >= 32 ? ~0u : (1u << Left) - 1;
  W.RegStorage.resize(K.RegBytes + 64);
  uintptr_t P = reinterpret_cast<uintptr_t>(W.RegStorage.data());
  W.Regs = W.RegStorage.data() + ((64 - P % 64) % 64);
  // Poison: what an unwritten register would show depends on the seed.
  uint64_t Poison = Cl.Rng.next();
  for (uint32_t B = 0; B + 8 <= K.RegBytes; B += 8)
    std::memcpy(W.Regs + B, &Poison, 8);
  W.States.resize(K.NumSlots);
  W.States[K.FirstConstSlot].Def = ~0u;
  for (auto &[Number, O] : K.Specials) {
    for (unsigned L = 0; L < 32; ++L) {
      uint32_t V = specialValue(G, Cl, C, W, L, Special(Number));
      std::memcpy(W.Regs + O.offset() + 4 * L, &V, 4);
    }
    W.States[O.Slot].Def = ~0u;
  }
  for (VectorClock *V : {&W.Clock, &W.ProxyShared, &W.ProxyGlobal})
    V->init(Cl.FirstCta, uint32_t(Cl.Ctas.size()));
  W.Registers = G.Opts.LaunchRegisters;
  Split S;
  S.Mask = W.Live;
  W.Splits.push_back(S);
}

} // namespace

std::unique_ptr<Cluster> mxfp4::sim::makeCluster(Grid &G, uint32_t Index) {
  std::unique_ptr<Cluster> Cl(new Cluster);
  const Dim3 &N = G.L->Grid, &K = G.ClusterDim;
  Cl->G = &G;
  Cl->Rng = Random(G.Opts.Seed * 0x9e3779b9 + Index);
  uint32_t CX = N.X / K.X, CY = N.Y / K.Y;
  Cl->Id = {Index % CX, Index / CX % CY, Index / CX / CY};
  uint32_t Size = uint32_t(K.count());
  Cl->FirstCta = Index * Size;
  Cl->Ctas.resize(Size);
  for (uint32_t R = 0; R < Size; ++R) {
    Cta &C = Cl->Ctas[R];
    C.Cl = Cl.get();
    C.Rank = R;
    C.Linear = Cl->FirstCta + R;
    C.Id = {Cl->Id.X * K.X + R % K.X, Cl->Id.Y * K.Y + R / K.X % K.Y,
            Cl->Id.Z * K.Z + R / K.X / K.Y};
    // Slack for a swizzle in the last, partial row of 128 bytes.
    C.Shared.assign(G.SharedBytes + 128, 0xff);
    C.Cells.resize(G.SharedBytes + 128);
    C.LiveWarps = uint32_t((G.L->Block.count() + 31) / 32);
    C.Warps.resize(C.LiveWarps);
    for (uint32_t W = 0; W < C.Warps.size(); ++W)
      makeWarp(G, *Cl, C, C.Warps[W], W);
  }
  return Cl;
}
