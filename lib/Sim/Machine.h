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
#include <tuple>

namespace mxfp4::sim {

struct Cluster;
struct Cta;
struct GlobalRegion;
struct Grid;

/// SplitMix64: small, seedable, good enough for scheduling.
class Random {
public:
  explicit Random(uint64_t Seed = 0) : State(Seed) {}
  uint64_t next() {
    uint64_t Z = State += 0x9e3779b97f4a7c15;
    Z = (Z ^ (Z >> 30)) * 0xbf58476d1ce4e5b9;
    Z = (Z ^ (Z >> 27)) * 0x94d049bb133111eb;
    return Z ^ (Z >> 31);
  }
  uint32_t below(uint32_t N) { return uint32_t((next() >> 32) * N >> 32); }

private:
  uint64_t State;
};

struct RegState {
  uint32_t Def = 0;        ///< Lanes that hold a value.
  uint32_t WriteEpoch = 0; ///< Warp::FenceEpoch at the last write.
  /// Where lanes hold none: 1 + the register that nothing has written, if the
  /// value would have come from another.
  uint32_t Source = 0;
  uint8_t Busy = 0; ///< Owned by an asynchronous wgmma.
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
  uint32_t PC = 0;
  uint32_t Mask = 0;
  int32_t Join = -1; ///< Innermost reconvergence point, index into Joins.
  WaitKind Wait = WaitKind::None;
  /// Barrier: number. Mbarrier: address, with the phase in WaitValue.
  uint32_t WaitId = 0;
  uint64_t WaitValue = 0;
  uint32_t WaitCta = 0;
  bool TimedOut = false;
};

struct JoinPoint {
  uint32_t PC = 0, Expected = 0, Arrived = 0;
  int32_t Parent = -1;
  bool Live = false;
};

/// One warp's share of a wgmma, done when it is waited for.
struct PendingWgmma {
  const Inst *I;
  uint64_t DescA = 0, DescB = 0;
  bool ScaleD = true;
  uint32_t Group = 0; ///< 0: not committed yet.
  /// A fragment as it was at issue: four registers of 32 lanes.
  std::vector<uint32_t> A;
};

/// One thread's cp.async, not landed yet.
struct PendingCopy {
  uint32_t Lane, Inst;
  uint32_t Shared;
  uint64_t Global;
  uint8_t Bytes, Valid;
  uint32_t Group; ///< 0: not committed yet.
};

/// A bulk operation on its way.
struct BulkOp {
  enum Kind : uint8_t { Load, Store, Reduce, SharedToShared, Direct } K;
  const Inst *I;
  uint64_t Due = 0; ///< Scheduler step at which it lands.
  uint32_t SrcCta = 0, Lane = 0, WarpId = 0;
  uint32_t Shared = 0; ///< Offset in the destination or source blocks.
  uint64_t Global = 0; ///< 1-D.
  uint32_t Bytes = 0;
  uint16_t CtaMask = 0; ///< Destinations in the cluster.
  uint32_t Mbar = 0;    ///< Offset of the barrier, same in each destination.
  bool Tensor = false;
  TensorMap Map;
  std::array<int64_t, 5> Coords{};
  uint32_t Group = 0; ///< Stores: bulk group of the thread.
  uint8_t ReduceOp = 0;
  Ty ReduceType = Ty::None;
  bool ReadDone = false;
  std::array<uint8_t, 16> Data{}; ///< Direct: what st.async stores.
};

struct Warp {
  Cta *C = nullptr;
  uint32_t Id = 0;
  uint32_t Exists = 0, Live = 0; ///< Lanes.
  std::vector<Split> Splits;
  std::vector<JoinPoint> Joins;
  uint8_t *Regs = nullptr;
  std::vector<uint8_t> RegStorage;
  std::vector<RegState> States;
  std::vector<uint8_t> Local; ///< 32 threads' local memory.
  uint32_t Carry = 0;         ///< Lanes with the carry flag set.
  uint32_t FenceEpoch = 1;
  bool EverFenced = false;

  // Knowledge of the others' work.
  VectorClock Clock, ProxyShared, ProxyGlobal, Released, PendingAcquire;
  uint32_t Now = 1;      ///< Own counter.
  uint32_t SyncNow = 1;  ///< Own counter at the last warp-wide barrier.
  uint32_t CopySync = 0; ///< cp.async groups known to every lane.

  std::vector<PendingWgmma> Wgmmas;
  uint32_t WgmmaGroups = 0, WgmmaDone = 0;
  uint64_t WgmmaCount = 0;
  std::vector<PendingCopy> Copies;
  std::array<uint32_t, 32> CopyGroups{}; ///< cp.async, committed, by lane.
  uint32_t CopyDone = 0;                 ///< Landed, of every lane.
  std::array<uint32_t, 32> BulkGroups{}; ///< Committed, by lane.
  uint32_t BulkDone = 0;
  bool ClusterArrived = false;
  uint32_t ClusterPhase = 0;
  uint32_t Registers = 0;  ///< setmaxnreg
  uint32_t GridWaited = 0; ///< Lanes: griddepcontrol.wait
  bool done() const { return Live == 0; }
  uint32_t agent(uint32_t Kind = 0) const;
};

struct NamedBarrier {
  uint32_t Expected = 0, Arrived = 0; ///< Threads.
  VectorClock Clock, Proxy, ProxyG;
  uint32_t FirstInst = 0;
  uint32_t AlignedWait = 0; ///< 1 + the first .aligned instruction that waits.
};

struct Mbarrier {
  bool Valid = false;
  uint32_t Count = 0, Pending = 0;
  int64_t Tx = 0;
  uint32_t Phase = 0;      ///< Completed phases since init.
  uint32_t AgentClock = 0; ///< Completed phases ever, for the agent.
  uint32_t Agent = 0;      ///< 0: too many barriers; not checked.
  uint32_t InitInst = 0;
  Epoch Init;
  /// Copies that will complete here, and those of the current phase.
  uint32_t InFlight = 0;
  int64_t InFlightBytes = 0;
  VectorClock Pend, PendProxy, PendProxyG, Done, DoneProxy, DoneProxyG;
};

struct Cta {
  Cluster *Cl = nullptr;
  uint32_t Rank = 0, Linear = 0; ///< In the cluster, in the grid.
  Dim3 Id;
  std::vector<uint8_t> Shared;
  Shadow Cells;
  std::vector<Warp> Warps;
  std::array<NamedBarrier, 16> Barriers;
  std::map<uint32_t, Mbarrier> Mbarriers;
  std::map<uint64_t, std::pair<VectorClock, VectorClock>> SyncVars;
  std::vector<Epoch> GridWaits; ///< griddepcontrol.wait, one a warp.
  uint32_t NumMbarAgents = 0;
  uint32_t LiveWarps = 0;
  bool Retired = false;
};

struct Cluster {
  Grid *G = nullptr;
  uint32_t FirstCta = 0;
  Dim3 Id;
  std::vector<Cta> Ctas;
  std::vector<BulkOp> Bulk; ///< In flight.
  GlobalRegion *LastRegion = nullptr;
  Random Rng;
  uint64_t Step = 0;
  /// Counts events that may unblock someone; blocked warps look again then.
  uint64_t Progress = 0;
  uint64_t LastProgress = 0, IdleRounds = 0;
  bool Dead = false; ///< Given up after a deadlock.
  uint32_t ClusterArrived = 0, ClusterPhase = 0;
  VectorClock ClusterClock, ClusterProxy, ClusterProxyG, ClusterDone,
      ClusterDoneProxy, ClusterDoneProxyG;
  bool finished() const;
};

/// Counters of one host thread.
struct LocalStats {
  std::vector<uint64_t> Issued, Threads; ///< By pc.
  Stats S;
};

struct GlobalPage {
  std::atomic_flag Lock = ATOMIC_FLAG_INIT;
  Shadow Cells;
};

struct GlobalRegion {
  uint8_t *Data = nullptr;
  uint64_t Address = 0, Size = 0;
  bool Writable = true;
  bool Checked = false; ///< Has init bits.
  std::vector<uint8_t> *Init = nullptr;
  std::string Name;
  std::vector<std::unique_ptr<GlobalPage>> Pages;
};

struct Grid {
  const ModuleImpl *M = nullptr;
  const Kernel *K = nullptr;
  Launch *L = nullptr;
  Options Opts;
  Dim3 ClusterDim;
  uint32_t SharedBytes = 0; ///< From offset 0: the chip's KiB included.
  std::vector<uint8_t> Params, ParamDef;
  std::vector<GlobalRegion> Regions; ///< By address.
  std::vector<std::vector<uint8_t>> VariableData;
  std::mutex ReportLock, SyncLock, PageLock;
  std::map<std::tuple<std::string, uint32_t, uint32_t>, size_t> Seen;
  std::vector<Diagnostic> Found;
  std::atomic<bool> Stop{false};
  std::atomic<uint64_t> Instructions{0};
  std::map<uint64_t, std::pair<VectorClock, VectorClock>> SyncVars;
  std::atomic<uint32_t> NextCluster{0};
  uint32_t NumClusters = 0;
};

inline uint32_t Warp::agent(uint32_t Kind) const {
  return C->Linear * AgentsPerCta + Kind + Id;
}

} // namespace mxfp4::sim

#endif // MXFP4_LIB_SIM_MACHINE_H
