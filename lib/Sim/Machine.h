//===- Machine.h - The state of a launch ------------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Grid, cluster, block (Cta), warp, and within a warp its splits: sets of
// threads with a program counter of their own. A split that reaches the
// reconvergence point of the branch that made it waits there for the others.
// Splits are scheduled independently, as the chip does since Volta, so that one
// thread may spin on a barrier that its neighbours have yet to reach.
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_LIB_SIM_MACHINE_H
#define MXFP4_LIB_SIM_MACHINE_H

#include "Module.h"
#include "Shadow.h"

#include <atomic>
#include <memory>
#include <mutex>
#include <string_view>
#include <tuple>

namespace mxfp4::sim {

struct Cluster;
struct Cta;
struct GlobalRegion;
struct Grid;

/// SplitMix64: small, seedable, good enough for scheduling.
class Random {
public:
  explicit Random(uint64_t seed = 0) : state(seed) {}
  uint64_t next() {
    uint64_t z = state += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  uint32_t below(uint32_t n) { return uint32_t((next() >> 32) * n >> 32); }

private:
  uint64_t state;
};

struct RegState {
  uint32_t def = 0;        ///< Lanes that hold a value.
  uint32_t writeEpoch = 0; ///< Warp::fenceEpoch at the last write.
  /// Where lanes hold none: 1 + the register that nothing has written, if the
  /// value would have come from another.
  uint32_t source = 0;
  uint8_t busy = 0; ///< Owned by an asynchronous wgmma.
  enum : uint8_t { Accumulator = 1, OperandA = 2 };
};

enum class WaitKind : uint8_t {
  None,
  Barrier,
  Mbarrier,
  Cluster,
  WarpSync,
  Sleep
};

struct Split {
  uint32_t pc = 0;
  uint32_t mask = 0;
  int32_t join = -1; ///< Innermost reconvergence point, index into Joins.
  WaitKind wait = WaitKind::None;
  /// Barrier: number. Mbarrier: address, with the phase in WaitValue.
  uint32_t waitId = 0;
  uint64_t waitValue = 0;
  uint32_t waitCta = 0;
  bool timedOut = false;
};

struct JoinPoint {
  uint32_t pc = 0, expected = 0, arrived = 0;
  int32_t parent = -1;
  bool live = false;
};

/// One warp's share of a wgmma, done when it is waited for.
struct PendingWgmma {
  const Inst *i;
  uint64_t descA = 0, descB = 0;
  bool scaleD = true;
  uint32_t group = 0; ///< 0: not committed yet.
  /// A fragment as it was at issue: four registers of 32 lanes.
  std::vector<uint32_t> a;
};

/// One thread's cp.async, not landed yet.
struct PendingCopy {
  uint32_t lane, inst;
  uint32_t shared;
  uint64_t global;
  uint8_t bytes, valid;
  uint32_t group; ///< 0: not committed yet.
};

/// A bulk operation on its way.
struct BulkOp {
  enum Kind : uint8_t { Load, Store, Reduce, SharedToShared, Direct } k;
  const Inst *i;
  uint64_t due = 0; ///< Scheduler step at which it lands.
  uint32_t srcCta = 0, lane = 0, warpId = 0;
  uint32_t shared = 0; ///< Offset in the destination or source blocks.
  uint64_t global = 0; ///< 1-D.
  uint32_t bytes = 0;
  uint16_t ctaMask = 0; ///< Destinations in the cluster.
  uint32_t mbar = 0;    ///< Offset of the barrier, same in each destination.
  bool tensor = false;
  TensorMap map;
  std::array<int64_t, 5> coords{};
  uint32_t group = 0; ///< Stores: bulk group of the thread.
  uint8_t reduceOp = 0;
  Ty reduceType = Ty::None;
  std::array<uint8_t, 16> data{}; ///< Direct: what st.async stores.
};

/// A word of global memory that a warp loads again and again, as long as it
/// keeps its value.
struct Polled {
  uint64_t address = 0, value = 0, times = 0;
  /// Instructions of the launch up to the last load.
  uint64_t at = 0;
};

struct Warp {
  Cta *c = nullptr;
  uint32_t id = 0;
  uint32_t exists = 0, live = 0; ///< Lanes.
  std::vector<Split> splits;
  std::vector<JoinPoint> joins;
  uint8_t *regs = nullptr;
  std::vector<uint8_t> regStorage;
  std::vector<RegState> states;
  std::vector<uint8_t> local; ///< 32 threads' local memory.
  uint32_t carry = 0;         ///< Lanes with the carry flag set.
  uint32_t fenceEpoch = 1;

  // Knowledge of the others' work.
  VectorClock clock, proxyShared, proxyGlobal, released, pendingAcquire;
  /// What fence.mbarrier_init has released: of mbarriers alone, which clocks
  /// do not tell from what else their threads have done.
  VectorClock releasedInits;
  uint32_t now = 1;      ///< Own counter.
  uint32_t syncNow = 1;  ///< Own counter at the last warp-wide barrier.
  uint32_t copySync = 0; ///< cp.async groups known to every lane.

  std::vector<PendingWgmma> wgmmas;
  uint32_t wgmmaGroups = 0, wgmmaDone = 0;
  uint64_t wgmmaCount = 0;
  std::vector<PendingCopy> copies;
  std::array<uint32_t, 32> copyGroups{}; ///< cp.async, committed, by lane.
  uint32_t copyDone = 0;                 ///< Landed, of every lane.
  std::array<uint32_t, 32> bulkGroups{}; ///< Committed, by lane.
  /// The group that each lane's last store is of; a group may have none.
  std::array<uint32_t, 32> bulkStored{};
  bool clusterArrived = false;
  uint32_t clusterPhase = 0;
  uint32_t registers = 0;  ///< setmaxnreg
  uint32_t gridWaited = 0; ///< Lanes: griddepcontrol.wait
  uint32_t fenced = 0;     ///< Lanes: a fence, see Cta::fences.
  /// How many values of a counter of the launch ahead it has seen.
  std::map<uint64_t, size_t> countsSeen;
  Polled polled;
  bool done() const { return live == 0; }
  uint32_t agent(uint32_t kind = 0) const;
};

struct NamedBarrier {
  uint32_t expected = 0, arrived = 0; ///< Threads.
  VectorClock clock, proxy, proxyG;
  uint32_t firstInst = 0;
  uint32_t alignedWait = 0; ///< 1 + the first .aligned instruction that waits.
};

struct Mbarrier {
  bool valid = false;
  uint32_t count = 0, pending = 0;
  int64_t tx = 0;
  uint32_t phase = 0;      ///< Completed phases since init.
  uint32_t agentClock = 0; ///< Completed phases ever, for the agent.
  uint32_t agent = 0;      ///< 0: too many barriers; not checked.
  uint32_t initInst = 0;
  Epoch init;
  /// Of the fence.mbarrier_init behind it, by the same thread; clock 0: none.
  Epoch initFence;
  /// Copies that will complete here, and those of the current phase.
  uint32_t inFlight = 0;
  int64_t inFlightBytes = 0;
  VectorClock pend, pendProxy, pendProxyG, done, doneProxy, doneProxyG;
};

/// A value that a counter has had, and what was published with it.
struct CountValue {
  uint64_t value = 0;
  VectorClock clock;
};
using CountValues = std::map<uint64_t, std::vector<CountValue>>;

/// When a thread has acquired a counter of the launch ahead, and what it has
/// learnt of that launch.
struct AcquiredAhead {
  Epoch when;
  const VectorClock *clock = nullptr;
};

struct Cta {
  Cluster *cl = nullptr;
  uint32_t rank = 0, linear = 0; ///< In the cluster, in the grid.
  Dim3 id;
  std::vector<uint8_t> shared;
  Shadow cells;
  std::vector<Warp> warps;
  std::array<NamedBarrier, 16> barriers;
  std::map<uint32_t, Mbarrier> mbarriers;
  std::map<uint64_t, std::pair<VectorClock, VectorClock>> syncVars;
  std::vector<Epoch> gridWaits; ///< griddepcontrol.wait, one a warp.
  /// Of a launch that may begin early: fences of the GPU, one a warp.
  std::vector<Epoch> fences;
  std::vector<AcquiredAhead> acquiredAhead;
  uint32_t numMbarAgents = 0;
  uint32_t liveWarps = 0;
  bool retired = false;
};

struct Cluster {
  Grid *g = nullptr;
  uint32_t firstCta = 0;
  Dim3 id;
  std::vector<Cta> ctas;
  std::vector<BulkOp> bulk; ///< In flight.
  GlobalRegion *lastRegion = nullptr;
  Random rng;
  uint64_t step = 0;
  /// Counts events that may unblock someone; blocked warps look again then.
  uint64_t progress = 0;
  uint64_t lastProgress = 0, idleRounds = 0;
  /// Its progress when the grid's instructions were last looked at.
  uint64_t seenProgress = 0;
  bool dead = false; ///< Given up after a deadlock.
  uint32_t clusterArrived = 0, clusterPhase = 0;
  VectorClock clusterClock, clusterProxy, clusterProxyG, clusterDone,
      clusterDoneProxy, clusterDoneProxyG;
  bool finished() const;
};

/// Counters of one host thread.
struct LocalStats {
  std::vector<uint64_t> issued, threads; ///< By pc.
  Stats stats;
};

struct GlobalPage {
  std::atomic_flag lock = ATOMIC_FLAG_INIT;
  Shadow cells;
};

struct GlobalRegion {
  uint8_t *data = nullptr;
  uint64_t address = 0, size = 0;
  bool writable = true;
  bool checked = false; ///< Has init bits.
  std::vector<uint8_t> *init = nullptr;
  std::string name;
  std::vector<std::unique_ptr<GlobalPage>> pages;
};

struct Grid {
  const ModuleImpl *m = nullptr;
  const Kernel *k = nullptr;
  Launch *l = nullptr;
  Options opts;
  Dim3 clusterDim;
  uint32_t sharedBytes = 0; ///< From offset 0: the chip's KiB included.
  std::vector<uint8_t> params;
  std::vector<GlobalRegion> regions; ///< By address.
  std::vector<std::vector<uint8_t>> variableData;
  std::mutex reportLock, syncLock, pageLock;
  /// Index in Found of a finding: of the instruction, of its counterpart, and
  /// the check's name, a literal.
  std::map<std::tuple<uint32_t, uint32_t, std::string_view>, size_t> seen;
  std::vector<Diagnostic> found;
  std::atomic<bool> stop{false}, wasStopped{false};
  std::atomic<uint64_t> instructions{0};
  /// The instructions at the last progress of a cluster.
  std::atomic<uint64_t> progressAt{0};
  /// Instructions since then.
  uint64_t idle() const;
  std::map<uint64_t, std::pair<VectorClock, VectorClock>> syncVars;
  std::atomic<uint32_t> nextCluster{0};
  /// Of counters in global memory, for the next launch.
  CountValues counts;
  /// What the launch writes; held by a write.
  Unended written;
  std::mutex writtenLock;
  /// Whether a thread has waited for the launches ahead, let the next one
  /// begin, and done the second without the first.
  std::atomic<bool> anyWaits{false}, anyLets{false}, letsAhead{false};
  uint32_t numClusters = 0;
};

inline uint32_t Warp::agent(uint32_t kind) const {
  return c->linear * kAgentsPerCta + kind + id;
}

} // namespace mxfp4::sim

#endif // MXFP4_LIB_SIM_MACHINE_H
