//===- Scheduler.cpp - Turns, landings and deadlocks ----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A turn picks a warp and one of its splits at random and lets it execute a
// random number of instructions. Bulk copies land between turns. When nobody
// can go on and nothing is in flight, waits of mbarrier.try_wait time out, as
// they may on the chip; if that changes nothing either, it is a deadlock.
//
//===----------------------------------------------------------------------===//

#include "Scheduler.h"

#include "Control.h"
#include "CpAsync.h"
#include "Sync.h"

#include <algorithm>

using namespace mxfp4::sim;

/// Reports that an undefined register decides a branch, an address, or what is
/// stored.
static void undefinedRead(ExecContext &x, const Operand &o, uint32_t lanes) {
  RegState &r = x.w.states[o.slot];
  if (r.busy & RegState::Accumulator)
    return x.busyWrite(o);
  if (!x.g.opts.checkUninitialised || x.known("uninitialised"))
    return;
  const std::string &name = x.k.slotNames[o.slot];
  x.report("uninitialised",
           r.source
               ? "this instruction depends on register " +
                     x.k.slotNames[r.source - 1] +
                     ", which nothing has written, by way of " + name
               : "register " + name + " is read, but nothing has written it",
           unsigned(__builtin_ctz(lanes)));
}

/// Lanes of the results that come from undefined sources, and one such source.
static uint32_t undefinedResults(ExecContext &x, const Inst &i, uint32_t lanes,
                                 Operand &from) {
  uint32_t undefined[3] = {}, all = 0;
  for (unsigned n = 0; n < i.numSrc; ++n) {
    const Operand &o = x.src(i, n);
    const uint32_t missing = lanes & ~x.w.states[o.slot].def;
    if (!missing)
      continue;
    if (x.w.states[o.slot].busy & RegState::Accumulator)
      x.busyWrite(o);
    from = o;
    all |= missing;
    if (n < 3)
      undefined[n] = missing;
  }
  if (!all || !(i.flags & Inst::Select))
    return all;
  const uint32_t p = x.pred(x.src(i, 2));
  return undefined[2] | (p & undefined[0]) | (~p & undefined[1]);
}

/// Executes an instruction that only computes and whose sources or guard are
/// undefined. Its results become undefined, and nothing is reported yet,
/// because partly written registers are common: a reduction loads in some lanes
/// and shuffles in all.
static void executePure(ExecContext &x, const Inst &i, uint32_t split,
                        uint32_t guardUndefined) {
  Operand from = i.guard;
  uint32_t undefined = guardUndefined;
  if (!(i.flags & Inst::NoDefCheck))
    undefined |= undefinedResults(x, i, x.mask, from);
  if (x.mask)
    i.fn(x, i);
  for (unsigned n = 0; n < i.numDst; ++n)
    x.undefine(x.dst(i, n), undefined & split, from);
}

/// Is a source of the instruction undefined in a lane that executes it?
static bool anyUndefined(const ExecContext &x, const Inst &i) {
  const Operand *src = x.k.operands.data() + i.ops + i.numDst;
  for (unsigned n = i.flags & Inst::PassesFirst ? 1 : 0; n < i.numSrc; ++n)
    if (x.mask & ~x.w.states[src[n].slot].def)
      return true;
  return false;
}

static void reportUndefined(ExecContext &x, const Inst &i) {
  for (unsigned n = i.flags & Inst::PassesFirst ? 1 : 0; n < i.numSrc; ++n) {
    const Operand &o = x.src(i, n);
    if (uint32_t undefined = x.mask & ~x.w.states[o.slot].def)
      undefinedRead(x, o, undefined);
  }
}

/// Executes the split until its budget is used or it gives up its turn.
static void runSplit(ExecContext &x, unsigned budget) {
  Warp &w = x.w;
  const Kernel &k = x.k;
  uint64_t done = 0;
  while (budget-- && !w.splits.empty()) {
    uint32_t pc = x.split().pc;
    const Inst &i = k.code[pc];
    x.pc = pc;
    if ((i.flags & Inst::Reconverge) && x.split().join >= 0 && arriveAtJoin(x))
      break;
    uint32_t mask = x.split().mask, guardUndefined = 0;
    if (i.flags & Inst::HasGuard) {
      uint32_t p = x.pred(i.guard);
      guardUndefined = mask & ~w.states[i.guard.slot].def;
      x.mask = mask;
      if (guardUndefined && !(i.flags & Inst::Pure))
        undefinedRead(x, i.guard, guardUndefined);
      mask &= i.flags & Inst::GuardNot ? ~p : p;
    }
    ++x.s.issued[pc];
    x.s.threads[pc] += unsigned(__builtin_popcount(mask));
    ++done;
    x.mask = mask;
    if (i.flags & Inst::Pure) {
      if (guardUndefined ||
          (!(i.flags & Inst::NoDefCheck) && anyUndefined(x, i)))
        executePure(x, i, x.split().mask, guardUndefined);
      else if (mask)
        i.fn(x, i);
      ++x.split().pc;
      continue;
    }
    if (!mask) {
      ++x.split().pc;
      continue;
    }
    if (!(i.flags & Inst::NoDefCheck) && anyUndefined(x, i))
      reportUndefined(x, i);
    i.fn(x, i);
    if (i.flags & Inst::Control) {
      if (x.yield || x.g.stop)
        break;
    } else {
      ++x.split().pc;
      if (x.yield)
        break;
    }
  }
  x.g.instructions += done;
}

static void landDue(Grid &g, Cluster &cl, LocalStats &s, bool all) {
  for (size_t n = 0; n < cl.bulk.size();) {
    if (!all && cl.bulk[n].due > cl.step) {
      ++n;
      continue;
    }
    BulkOp op = cl.bulk[n];
    cl.bulk.erase(cl.bulk.begin() + n);
    Cta &c = cl.ctas[op.srcCta];
    Warp &w = c.warps[op.warpId];
    ExecContext x{g, cl, c, w, *g.k, s, g.k->constData.data(), w.regs};
    x.pc = uint32_t(op.i - g.k->code.data());
    x.mask = 1u << op.lane;
    landBulk(x, op);
  }
}

void mxfp4::sim::warpExited(ExecContext &x) {
  Warp &w = x.w;
  --x.c.liveWarps;
  x.pc = std::min<uint32_t>(x.pc, uint32_t(x.k.code.size()) - 1);
  if (!w.wgmmas.empty() && !x.known("wgmma-register"))
    x.report("wgmma-register",
             "the warp exits while a wgmma is in flight: wgmma.wait_group must "
             "come first",
             0);
  for (unsigned l = 0; l < 32; ++l)
    if (2 * w.bulkStored[l] >
            w.clock.get(laneAgent(w.agent(kBulkAgent) << 5 | l)) &&
        !x.known("bulk-exit"))
      x.report("bulk-exit",
               "the thread exits while a bulk store may still read shared "
               "memory: cp.async.bulk.wait_group.read must come first",
               l);
  if (x.c.liveWarps)
    return;
  x.c.retired = true;
  for (auto &[Off, B] : x.c.mbarriers) {
    if (!B.valid || (B.tx == 0 && B.inFlight == 0) ||
        x.known("transaction-bytes", 1))
      continue;
    // Bytes in flight are announced, and will arrive: they are not missing.
    int64_t missing = B.tx - B.inFlightBytes;
    std::string what;
    if (B.inFlight && missing == 0)
      what = "while a bulk copy into its shared memory is on its way";
    else if (missing > 0)
      what = "while an mbarrier still expects " +
             plural(uint64_t(missing), "byte") + " that no copy brings";
    else
      what = "with " + plural(uint64_t(-missing), "byte") +
             " copied that no expect_tx has announced";
    x.report("transaction-bytes",
             "the block exits " + what + " (mbarrier at " + hex(Off) + ")", 0,
             Off, 1);
  }
}

/// The word that a warp which is not blocked loads again and again since there
/// was progress, if there is one.
static std::string pollingFor(Grid &g, const Polled &p) {
  constexpr uint64_t kTimes = 100;
  const GlobalRegion *region = findRegion(g, p.address);
  if (p.times < kTimes || p.at <= g.progressAt || !region)
    return "";
  const uint64_t offset = p.address - region->address;
  return "another value of " + region->name +
         (offset ? " + " + std::to_string(offset) : "") + " than " +
         std::to_string(p.value) + ", which it loads again and again";
}

/// What a split waits for.
static std::string waitingFor(Grid &g, const Cluster &cl, const Cta &c,
                              const Warp &w, const Split &s) {
  switch (s.wait) {
  case WaitKind::None:
    return pollingFor(g, w.polled);
  case WaitKind::Barrier: {
    const NamedBarrier &b = c.barriers[s.waitId];
    return "barrier " + std::to_string(s.waitId) + " (" +
           std::to_string(b.arrived) + " of " + std::to_string(b.expected) +
           " threads have arrived)";
  }
  case WaitKind::Mbarrier: {
    std::string text = "the mbarrier at " + hex(s.waitId);
    const Cta &t = cl.ctas[s.waitCta];
    auto it = t.mbarriers.find(s.waitId);
    if (it == t.mbarriers.end())
      return text;
    const Mbarrier &b = it->second;
    return text + " (parity " + std::to_string(s.waitValue) + ", " +
           std::to_string(b.phase) + " phases completed, " +
           std::to_string(b.pending) + " of " + plural(b.count, "arrival") +
           " missing, " + std::to_string(b.tx) +
           " transaction bytes outstanding)";
  }
  case WaitKind::Cluster:
    return "the cluster barrier";
  case WaitKind::WarpSync:
    return "other threads of its warp, named by the member mask";
  default:
    return "";
  }
}

/// Reports `text` at the first thread of the cluster that has not exited, with
/// a line for each place where warps are.
static void reportPlaces(Grid &g, Cluster &cl, LocalStats &s, const char *check,
                         std::string text) {
  std::map<std::pair<uint32_t, std::string>, std::vector<unsigned>> places;
  Warp *first = nullptr;
  uint32_t firstPC = 0;
  for (Cta &c : cl.ctas)
    for (Warp &w : c.warps)
      for (Split &sp : w.splits) {
        uint32_t pc =
            sp.wait == WaitKind::Barrier || sp.wait == WaitKind::Cluster
                ? sp.pc - 1
                : sp.pc;
        if (!first) {
          first = &w;
          firstPC = pc;
        }
        places[{pc, waitingFor(g, cl, c, w, sp)}].push_back(w.id);
      }
  if (!first)
    return;
  for (auto &[Key, Warps] : places) {
    text += "\n  note: warp" + std::string(Warps.size() > 1 ? "s" : "");
    for (size_t n = 0; n < Warps.size() && n < 8; ++n)
      text += (n ? ", " : " ") + std::to_string(Warps[n]);
    text += " at " + describeInst(*g.k, Key.first);
    if (!Key.second.empty())
      text += " for " + Key.second;
  }
  Cta &c = *first->c;
  ExecContext x{g, cl, c, *first, *g.k, s, nullptr, nullptr};
  x.pc = firstPC;
  x.report(check, text, 0);
}

uint64_t Grid::idle() const {
  // Another host thread may have counted more of them meanwhile.
  const uint64_t now = instructions, before = progressAt;
  return now - std::min(before, now);
}

/// Whether the launch is to be given up as endless, which it reports.
static bool isEndless(Grid &g, Cluster &cl, LocalStats &s) {
  if (cl.progress != cl.seenProgress) {
    cl.seenProgress = cl.progress;
    g.progressAt = g.instructions.load();
  }
  if (g.opts.maxInstructions || g.idle() <= kMostIdle)
    return g.instructions > g.opts.most();
  reportPlaces(g, cl, s, "endless",
               "the launch was given up: for " + std::to_string(kMostIdle) +
                   " warp instructions no thread has stored, copied, exited or "
                   "arrived at a barrier, as in a loop that never ends or that "
                   "waits for a value that nobody stores; if the kernel "
                   "computes for so long, give a limit with "
                   "--max-instructions");
  return true;
}

/// Nobody can run. Returns false when nothing will ever change.
static bool resolveIdle(Grid &g, Cluster &cl, LocalStats &s) {
  if (!cl.bulk.empty()) {
    uint64_t next = ~uint64_t(0);
    for (const BulkOp &op : cl.bulk)
      next = std::min(next, op.due);
    cl.step = std::max(cl.step, next);
    landDue(g, cl, s, false);
    return true;
  }
  cl.idleRounds = cl.progress == cl.lastProgress ? cl.idleRounds + 1 : 0;
  cl.lastProgress = cl.progress;
  bool any = false;
  for (Cta &c : cl.ctas)
    for (Warp &w : c.warps)
      for (Split &sp : w.splits)
        if (sp.wait == WaitKind::Mbarrier) {
          sp.timedOut = true;
          any = true;
        }
  return any && cl.idleRounds < 3;
}

/// Picks a runnable split of the warp; false when all are blocked.
static bool pickSplit(ExecContext &x) {
  Warp &w = x.w;
  size_t n = w.splits.size(), first = n > 1 ? x.cl.rng.below(uint32_t(n)) : 0;
  for (size_t j = 0; j < n; ++j) {
    x.splitIndex = (first + j) % n;
    Split &s = x.split();
    if (s.wait == WaitKind::None)
      return true;
    if (s.wait == WaitKind::Mbarrier && x.cl.rng.below(64) == 0)
      s.timedOut = true;
    x.pc = std::min<uint32_t>(s.pc, uint32_t(x.k.code.size()) - 1);
    if (tryUnblock(x, s))
      return true;
  }
  return false;
}

bool mxfp4::sim::runTurns(Grid &g, Cluster &cl, LocalStats &s, unsigned turns) {
  uint32_t perCta = uint32_t(cl.ctas[0].warps.size());
  uint32_t total = perCta * uint32_t(cl.ctas.size());
  while (turns-- && !g.stop) {
    ++cl.step;
    if (!cl.bulk.empty())
      landDue(g, cl, s, false);
    uint32_t first = cl.rng.below(total);
    bool ran = false, alive = false;
    for (uint32_t j = 0; j < total && !ran; ++j) {
      uint32_t index = (first + j) % total;
      Cta &c = cl.ctas[index / perCta];
      Warp &w = c.warps[index % perCta];
      if (w.done())
        continue;
      alive = true;
      ExecContext x{g, cl, c, w, *g.k, s, g.k->constData.data(), w.regs};
      if (!pickSplit(x))
        continue;
      ran = true;
      runSplit(x, 1 + cl.rng.below(128));
      if (w.done())
        warpExited(x);
    }
    if (!alive) {
      landDue(g, cl, s, true);
      return false;
    }
    if (!ran && !resolveIdle(g, cl, s)) {
      reportPlaces(g, cl, s, "deadlock",
                   "deadlock: no thread of the block can go on");
      return false;
    }
    if (isEndless(g, cl, s)) {
      cl.dead = true;
      return true;
    }
  }
  return true;
}
