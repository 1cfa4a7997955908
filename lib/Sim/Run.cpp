//===- Run.cpp - Launches -------------------------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Ahead.h"
#include "Scheduler.h"

#include <algorithm>
#include <chrono>
#include <thread>

using namespace mxfp4::sim;

namespace {

std::atomic<bool> mustStop{false};

void addRegions(Grid &g, const ModuleImpl &m, Launch &l) {
  g.variableData.reserve(m.variables.size());
  for (const Variable &v : m.variables) {
    std::vector<uint8_t> data(v.size, 0);
    std::copy(v.init.begin(), v.init.end(), data.begin());
    g.variableData.push_back(std::move(data));
    GlobalRegion r;
    r.data = g.variableData.back().data();
    r.address = v.address;
    r.size = v.size;
    r.writable = v.where == Space::Global;
    r.name = "variable " + v.name;
    g.regions.push_back(std::move(r));
  }
  for (Launch::BufferInfo &b : l.buffers) {
    GlobalRegion r;
    r.data = b.data;
    r.address = b.address;
    r.size = b.size;
    r.writable = b.flags.writable;
    r.checked = !b.flags.initialised;
    r.init = &b.initialised;
    r.name = b.name;
    g.regions.push_back(std::move(r));
  }
  std::sort(g.regions.begin(), g.regions.end(),
            [](const GlobalRegion &a, const GlobalRegion &b) {
              return a.address < b.address;
            });
  for (GlobalRegion &r : g.regions)
    r.pages.resize(r.writable ? r.size / 4096 + 1 : 0);
}

/// Works through clusters: a few at a time, more when those take long, since
/// they may wait for blocks that have yet to start.
void work(Grid &g, LocalStats &s) {
  std::vector<std::unique_ptr<Cluster>> resident;
  uint64_t rounds = 0;
  size_t allowed = std::max(1u, g.opts.residentClusters);
  while (!g.stop) {
    while (resident.size() < allowed) {
      uint32_t next = g.nextCluster++;
      if (next >= g.numClusters)
        break;
      resident.push_back(makeCluster(g, next));
      g.progressAt = g.instructions.load();
    }
    if (resident.empty())
      return;
    for (size_t n = 0; n < resident.size() && !g.stop;) {
      if (mustStop) {
        g.wasStopped = g.stop = true;
        return;
      }
      if (runTurns(g, *resident[n], s, 64)) {
        if (resident[n]->dead) {
          g.stop = true;
          return;
        }
        ++n;
        continue;
      }
      s.stats.ctas += resident[n]->ctas.size();
      resident.erase(resident.begin() + n);
      rounds = 0;
    }
    const bool isIdle =
        g.idle() > kIdleUntilNext && g.nextCluster < g.numClusters;
    if ((++rounds % 2048 == 0 || isIdle) && allowed < 264)
      ++allowed;
  }
}

const char *pipeName(Pipe p) {
  constexpr const char *names[] = {"alu",  "fma",     "fp64", "xu",
                                   "lsu",  "control", "sync", "tensor",
                                   "copy", "other"};
  return names[unsigned(p)];
}

void addStats(const Kernel &k, const LocalStats &local, Stats &sum) {
  for (size_t pc = 0; pc < k.code.size(); ++pc) {
    if (!local.issued[pc])
      continue;
    sum.warpInstructions += local.issued[pc];
    sum.threadInstructions += local.threads[pc];
    sum.byOpcode[k.opcodeNames[k.code[pc].opcodeId]] += local.issued[pc];
    sum.byPipe[pipeName(k.code[pc].p)] += local.issued[pc];
  }
#define ADD(FIELD) sum.FIELD += local.stats.FIELD
  ADD(sharedLoadBytes);
  ADD(sharedStoreBytes);
  ADD(sharedAsyncReadBytes);
  ADD(sharedAsyncWriteBytes);
  ADD(sharedWavefronts);
  ADD(sharedIdealWavefronts);
  ADD(globalLoadBytes);
  ADD(globalStoreBytes);
  ADD(globalLoadSectors);
  ADD(globalStoreSectors);
  ADD(bulkLoadBytes);
  ADD(bulkStoreBytes);
  ADD(asyncCopyBytes);
  ADD(bulkCopies);
  ADD(atomics);
  ADD(mma);
  ADD(mmaMacs);
  ADD(wgmma);
  ADD(wgmmaMacs);
  ADD(ctas);
#undef ADD
}

/// What the next launch may not read before it waits. It begins when all blocks
/// have let it, or have ended: then all launches ahead of this one have ended,
/// too, if this one began so late, or waited before it let the next one begin.
void passOn(Grid &g) {
  Unended &unended = *g.opts.unended;
  const bool isOnly = !g.opts.programmatic || (g.anyWaits && !g.letsAhead);
  if (isOnly)
    unended.clear();
  if (g.anyLets)
    unended.add(g.written);
  unended.work = isOnly ? takeWork(g) : nullptr;
}

Result failure(const std::string &file, std::string message) {
  Result r;
  Diagnostic d;
  d.check = "launch";
  d.file = file;
  d.message = std::move(message);
  r.diagnostics.push_back(std::move(d));
  return r;
}

} // namespace

void mxfp4::sim::stopLaunches(bool stop) { mustStop = stop; }

Result mxfp4::sim::run(const Module &mod, std::string_view entry, Launch &l,
                       const Options &opts) {
  const ModuleImpl &m = mod.impl();
  const Kernel *k = nullptr;
  for (const Kernel &candidate : m.kernels)
    if (candidate.info.name == entry)
      k = &candidate;
  if (!k)
    return failure(m.name,
                   "the module has no kernel named " + std::string(entry));
  if (!k->errors.empty()) {
    Result r;
    r.diagnostics = k->errors;
    return r;
  }
  Grid g;
  g.m = &m;
  g.k = k;
  g.l = &l;
  g.opts = opts;
  if (std::string error = checkLaunch(*k, l, g); !error.empty())
    return failure(m.name, error);
  auto start = std::chrono::steady_clock::now();
  g.sharedBytes = kSharedBase + k->staticShared + l.dynamicShared;
  g.params.assign(k->paramBytes, 0);
  for (size_t n = 0; n < l.args.size(); ++n)
    std::copy(l.args[n].begin(), l.args[n].end(),
              g.params.begin() + k->info.params[n].offset);
  addRegions(g, m, l);
  g.numClusters = uint32_t(l.grid.count() / g.clusterDim.count());
  unsigned threads = std::max(1u, std::min(opts.hostThreads, 256u));
  std::vector<LocalStats> local(threads);
  for (LocalStats &s : local) {
    s.issued.assign(k->code.size(), 0);
    s.threads.assign(k->code.size(), 0);
  }
  if (threads == 1) {
    work(g, local[0]);
  } else {
    std::vector<std::thread> pool;
    pool.reserve(threads);
    for (LocalStats &s : local)
      pool.emplace_back([&g, &s] { work(g, s); });
    for (std::thread &t : pool)
      t.join();
  }
  if (opts.unended)
    passOn(g);
  Result r;
  r.diagnostics = std::move(g.found);
  if (g.instructions > opts.most())
    r.diagnostics.push_back(
        failure(m.name, "the launch was given up after " +
                            std::to_string(opts.most()) +
                            " warp instructions, as in an endless loop; if it "
                            "needs more, raise the limit with "
                            "--max-instructions")
            .diagnostics[0]);
  if (g.wasStopped)
    r.diagnostics.push_back(
        failure(m.name, "the launch was stopped, because the process ends")
            .diagnostics[0]);
  for (const LocalStats &s : local)
    addStats(*k, s, r.statistics);
  // Every warp of a warpgroup counted its quarter.
  r.statistics.wgmma /= 4;
  r.statistics.seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start)
          .count();
  return r;
}
