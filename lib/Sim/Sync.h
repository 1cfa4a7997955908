//===- Sync.h - Barriers, fences and synchronising accesses -----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_LIB_SIM_SYNC_H
#define MXFP4_LIB_SIM_SYNC_H

#include "Memory.h"

namespace mxfp4::sim {

/// A relaxed or acquiring read, and a relaxed or releasing write, of one place:
/// what was published there by release (or by a fence before a relaxed write)
/// becomes known on acquire (or at a fence after a relaxed read).
void syncLoad(ExecContext &X, const MemRef &R, uint64_t Addr, bool Acquire);
void syncStore(ExecContext &X, const MemRef &R, uint64_t Addr, bool Release);

/// The mbarrier at a shared offset, or null (reported) when none is there.
Mbarrier *findMbarrier(ExecContext &X, Cta &T, uint32_t Off, unsigned Lane,
                       const char *What);
/// Counts an arrival of \p Count threads; completes the phase when due.
void arriveMbarrier(ExecContext &X, Cta &T, uint32_t Off, Mbarrier &B,
                    uint32_t Count, unsigned Lane);
void expectTx(ExecContext &X, Cta &T, uint32_t Off, Mbarrier &B, int64_t Bytes,
              unsigned Lane);
/// \p Bytes have landed; X stands at the instruction that sent them.
void completeTx(ExecContext &X, Cta &T, uint32_t Off, Mbarrier &B,
                int64_t Bytes);
/// What is written when the barrier's current phase completes.
inline Epoch mbarEpoch(const Mbarrier &B) {
  // Without an agent of its own a barrier is not tracked: clock 0 is covered.
  if (!B.Agent)
    return {agentLane(0, 255, 0), 0};
  return {B.Agent << 5, B.AgentClock + 1};
}
/// True when the phase with this parity has completed.
inline bool phaseDone(const Mbarrier &B, uint64_t Parity) {
  return (B.Phase & 1) != (Parity & 1);
}
void acquireMbarrier(Warp &W, const Mbarrier &B);

/// May the split go on? Called for blocked splits.
bool tryUnblock(ExecContext &X, Split &S);

} // namespace mxfp4::sim

#endif // MXFP4_LIB_SIM_SYNC_H
