//===- Run.cpp - Launches -------------------------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Scheduler.h"

#include <algorithm>
#include <chrono>
#include <thread>

using namespace mxfp4::sim;

namespace {

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
  if (!K->Errors.empty()) {
    Result R;
    R.Diagnostics = K->Errors;
    return R;
  }
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
    Pool.reserve(Threads);
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
