//===- Run.cpp - Launches ---------------------------------------------------*-
// C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Decoder.h"
#include "Scheduler.h"

#include <algorithm>
#include <chrono>
#include <thread>

using namespace mxfp4::sim;

//===----------------------------------------------------------------------===//
// Launch
//===----------------------------------------------------------------------===//

unsigned Launch::addBuffer(void *Data, size_t Size, BufferFlags Flags,
                           std::string Name, uint64_t Address) {
  BufferInfo B;
  B.Data = static_cast<uint8_t *>(Data);
  B.Size = Size;
  B.Flags = Flags;
  unsigned Id = unsigned(Buffers.size());
  B.Name = Name.empty() ? "buffer " + std::to_string(Id) : std::move(Name);
  // 64 KiB and more of nothing between buffers.
  uint64_t Next = BufferBase;
  if (!Buffers.empty())
    Next = (Buffers.back().Address + Buffers.back().Size + 0x1ffff) &
           ~uint64_t(0xffff);
  B.Address = Address ? Address : Next;
  if (!Flags.Initialised)
    B.Initialised.assign((Size + 7) / 8, 0);
  Buffers.push_back(std::move(B));
  return Id;
}

uint64_t Launch::address(unsigned Buffer) const {
  return Buffer < Buffers.size() ? Buffers[Buffer].Address : 0;
}
void Launch::argBytes(const void *Data, size_t Size) {
  auto *P = static_cast<const uint8_t *>(Data);
  Args.emplace_back(P, P + Size);
}
void Launch::argBuffer(unsigned Buffer, uint64_t Offset) {
  argI64(address(Buffer) + Offset);
}
void Launch::argI32(uint32_t Value) { argBytes(&Value, 4); }
void Launch::argI64(uint64_t Value) { argBytes(&Value, 8); }
void Launch::argF32(float Value) { argBytes(&Value, 4); }
void Launch::argTensorMap(const TensorMap &Map) {
  std::array<uint8_t, 128> Bytes = Map.encode();
  argBytes(Bytes.data(), Bytes.size());
}
uint64_t Launch::initialisedBytes(unsigned Buffer) const {
  if (Buffer >= Buffers.size())
    return 0;
  const BufferInfo &B = Buffers[Buffer];
  if (B.Flags.Initialised)
    return B.Size;
  uint64_t N = 0;
  for (uint8_t Byte : B.Initialised)
    N += unsigned(__builtin_popcount(Byte));
  return N;
}

//===----------------------------------------------------------------------===//
// Checking and setting up
//===----------------------------------------------------------------------===//

namespace {

std::string dims(const Dim3 &D) {
  return "(" + std::to_string(D.X) + "," + std::to_string(D.Y) + "," +
         std::to_string(D.Z) + ")";
}
bool same(const Dim3 &A, const Dim3 &B) {
  return A.X == B.X && A.Y == B.Y && A.Z == B.Z;
}

/// A sentence saying why the launch is impossible, or nothing.
std::string checkLaunch(const Kernel &K, const Launch &L, Grid &G) {
  const KernelInfo &I = K.Info;
  if (L.Block.count() == 0 || L.Block.count() > 1024 || L.Block.Z > 64)
    return "a block has 1 to 1024 threads, found " + dims(L.Block);
  if (L.Grid.count() == 0 || L.Grid.count() > MaxCtas)
    return "a grid has 1 to " + std::to_string(MaxCtas) +
           " blocks here, found " + dims(L.Grid);
  if (I.RequiredBlock.X && !same(I.RequiredBlock, L.Block))
    return "the kernel requires blocks of " + dims(I.RequiredBlock) +
           " threads (.reqntid), found " + dims(L.Block);
  if (I.MaxBlock.X && L.Block.count() > I.MaxBlock.count())
    return "the kernel allows blocks of at most " +
           std::to_string(I.MaxBlock.count()) + " threads (.maxntid), found " +
           dims(L.Block);
  G.ClusterDim = L.Cluster;
  if (I.RequiredCluster.X) {
    if (L.Cluster.count() != 1 && !same(I.RequiredCluster, L.Cluster))
      return "the kernel requires clusters of " + dims(I.RequiredCluster) +
             " blocks, found " + dims(L.Cluster);
    G.ClusterDim = I.RequiredCluster;
  }
  const Dim3 &C = G.ClusterDim;
  if (C.count() == 0 || C.count() > 16 || L.Grid.X % C.X || L.Grid.Y % C.Y ||
      L.Grid.Z % C.Z)
    return "clusters of " + dims(C) + " do not tile a grid of " + dims(L.Grid) +
           ", or have more than 16 blocks";
  if (uint64_t(K.StaticShared) + L.DynamicShared > MaxShared)
    return "the block needs " +
           std::to_string(uint64_t(K.StaticShared) + L.DynamicShared) +
           " bytes of shared memory; there are " + std::to_string(MaxShared);
  if (L.Args.size() != I.Params.size())
    return "kernel " + I.Name + " has " + plural(I.Params.size(), "parameter") +
           ", found " + plural(L.Args.size(), "argument");
  for (size_t N = 0; N < L.Args.size(); ++N)
    if (L.Args[N].size() != I.Params[N].Size)
      return "parameter " + std::to_string(N) + " (" + I.Params[N].Name +
             ") has " + plural(I.Params[N].Size, "byte") + ", found " +
             std::to_string(L.Args[N].size());
  return "";
}

void addRegions(Grid &G, const ModuleImpl &M, Launch &L) {
  G.VariableData.reserve(M.Variables.size());
  for (const Variable &V : M.Variables) {
    std::vector<uint8_t> Data(V.Size, 0);
    std::copy(V.Init.begin(), V.Init.end(), Data.begin());
    G.VariableData.push_back(std::move(Data));
    GlobalRegion R;
    R.Data = G.VariableData.back().data();
    R.Address = V.Address;
    R.Size = V.Size;
    R.Writable = V.Where == Space::Global;
    R.Name = "variable " + V.Name;
    G.Regions.push_back(std::move(R));
  }
  for (Launch::BufferInfo &B : L.Buffers) {
    GlobalRegion R;
    R.Data = B.Data;
    R.Address = B.Address;
    R.Size = B.Size;
    R.Writable = B.Flags.Writable;
    R.Checked = !B.Flags.Initialised;
    R.Init = &B.Initialised;
    R.Name = B.Name;
    G.Regions.push_back(std::move(R));
  }
  std::sort(G.Regions.begin(), G.Regions.end(),
            [](const GlobalRegion &A, const GlobalRegion &B) {
              return A.Address < B.Address;
            });
  for (GlobalRegion &R : G.Regions)
    R.Pages.resize(R.Writable ? R.Size / 4096 + 1 : 0);
}

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
    C.Cells.resize((G.SharedBytes + 128) / 4 + 4);
    C.LiveWarps = uint32_t((G.L->Block.count() + 31) / 32);
    C.Warps.resize(C.LiveWarps);
    for (uint32_t W = 0; W < C.Warps.size(); ++W)
      makeWarp(G, *Cl, C, C.Warps[W], W);
  }
  return Cl;
}

//===----------------------------------------------------------------------===//
// Running
//===----------------------------------------------------------------------===//

namespace {

/// Works through clusters: a few at a time, more when those take long, since
/// they may wait for blocks that have yet to start.
void work(Grid &G, LocalStats &S) {
  std::vector<std::unique_ptr<Cluster>> Resident;
  uint64_t Rounds = 0;
  size_t Allowed = std::max(1u, G.Opts.ResidentClusters);
  while (!G.Stop) {
    while (Resident.size() < Allowed) {
      uint32_t Next = G.NextCluster++;
      if (Next >= G.NumClusters)
        break;
      Resident.push_back(makeCluster(G, Next));
    }
    if (Resident.empty())
      return;
    for (size_t N = 0; N < Resident.size() && !G.Stop;) {
      if (runTurns(G, *Resident[N], S, 64)) {
        if (Resident[N]->Dead) {
          G.Stop = true;
          return;
        }
        ++N;
        continue;
      }
      S.S.Ctas += Resident[N]->Ctas.size();
      Resident.erase(Resident.begin() + N);
      Rounds = 0;
    }
    if (++Rounds % 2048 == 0 && Allowed < 264)
      ++Allowed;
  }
}

const char *pipeName(Pipe P) {
  constexpr const char *Names[] = {"alu",  "fma",     "fp64", "xu",
                                   "lsu",  "control", "sync", "tensor",
                                   "copy", "other"};
  return Names[unsigned(P)];
}

void addStats(const Kernel &K, const LocalStats &L, Stats &S) {
  for (size_t PC = 0; PC < K.Code.size(); ++PC) {
    if (!L.Issued[PC])
      continue;
    S.WarpInstructions += L.Issued[PC];
    S.ThreadInstructions += L.Threads[PC];
    S.ByOpcode[K.OpcodeNames[K.Code[PC].OpcodeId]] += L.Issued[PC];
    S.ByPipe[pipeName(K.Code[PC].P)] += L.Issued[PC];
  }
#define ADD(F) S.F += L.S.F
  ADD(SharedLoadBytes);
  ADD(SharedStoreBytes);
  ADD(SharedAsyncReadBytes);
  ADD(SharedAsyncWriteBytes);
  ADD(SharedWavefronts);
  ADD(SharedIdealWavefronts);
  ADD(GlobalLoadBytes);
  ADD(GlobalStoreBytes);
  ADD(GlobalLoadSectors);
  ADD(GlobalStoreSectors);
  ADD(BulkLoadBytes);
  ADD(BulkStoreBytes);
  ADD(AsyncCopyBytes);
  ADD(BulkCopies);
  ADD(Atomics);
  ADD(Mma);
  ADD(MmaMacs);
  ADD(Wgmma);
  ADD(WgmmaMacs);
  ADD(Ctas);
#undef ADD
}

Result failure(const std::string &File, std::string Message) {
  Result R;
  Diagnostic D;
  D.Check = "launch";
  D.File = File;
  D.Message = std::move(Message);
  R.Diagnostics.push_back(std::move(D));
  return R;
}

} // namespace

Result mxfp4::sim::run(const Module &Mod, std::string_view Entry, Launch &L,
                       const Options &Opts) {
  const ModuleImpl &M = Mod.impl();
  const Kernel *K = nullptr;
  for (const Kernel &Candidate : M.Kernels)
    if (Candidate.Info.Name == Entry)
      K = &Candidate;
  if (!K)
    return failure(M.Name,
                   "the module has no kernel named " + std::string(Entry));
  Grid G;
  G.M = &M;
  G.K = K;
  G.L = &L;
  G.Opts = Opts;
  if (std::string Error = checkLaunch(*K, L, G); !Error.empty())
    return failure(M.Name, Error);
  auto Start = std::chrono::steady_clock::now();
  G.SharedBytes = SharedBase + K->StaticShared + L.DynamicShared;
  G.Params.assign(K->ParamBytes, 0);
  for (size_t N = 0; N < L.Args.size(); ++N)
    std::copy(L.Args[N].begin(), L.Args[N].end(),
              G.Params.begin() + K->Info.Params[N].Offset);
  addRegions(G, M, L);
  G.NumClusters = uint32_t(L.Grid.count() / G.ClusterDim.count());
  unsigned Threads = std::max(1u, std::min(Opts.HostThreads, 256u));
  std::vector<LocalStats> Local(Threads);
  for (LocalStats &S : Local) {
    S.Issued.assign(K->Code.size(), 0);
    S.Threads.assign(K->Code.size(), 0);
  }
  if (Threads == 1) {
    work(G, Local[0]);
  } else {
    std::vector<std::thread> Pool;
    for (LocalStats &S : Local)
      Pool.emplace_back([&G, &S] { work(G, S); });
    for (std::thread &T : Pool)
      T.join();
  }
  Result R;
  R.Diagnostics = std::move(G.Found);
  if (G.Instructions > Opts.MaxInstructions)
    R.Diagnostics.push_back(
        failure(M.Name, "the launch was given up after " +
                            std::to_string(Opts.MaxInstructions) +
                            " warp instructions (endless loop, or raise the "
                            "limit)")
            .Diagnostics[0]);
  for (const LocalStats &S : Local)
    addStats(*K, S, R.Statistics);
  // Every warp of a warpgroup counted its quarter.
  R.Statistics.Wgmma /= 4;
  R.Statistics.Seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - Start)
          .count();
  return R;
}
