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
void syncLoad(ExecContext &x, const MemRef &r, uint64_t addr, bool acquires);
void syncStore(ExecContext &x, const MemRef &r, uint64_t addr, bool release);

/// The mbarrier at a shared offset, or null (reported) when none is there.
Mbarrier *findMbarrier(ExecContext &x, Cta &t, uint32_t off, unsigned lane,
                       const char *what);
/// Counts an arrival of \p count threads; completes the phase when due.
void arriveMbarrier(ExecContext &x, Cta &t, uint32_t off, Mbarrier &b,
                    uint32_t count, unsigned lane);
void expectTx(ExecContext &x, Cta &t, uint32_t off, Mbarrier &b, int64_t bytes,
              unsigned lane);
/// \p bytes have landed; x stands at the instruction that sent them.
void completeTx(ExecContext &x, Cta &t, uint32_t off, Mbarrier &b,
                int64_t bytes);
/// What is written when the barrier's current phase completes.
inline Epoch mbarEpoch(const Mbarrier &b) {
  // Without an agent of its own a barrier is not tracked: clock 0 is covered.
  if (!b.agent)
    return {agentLane(0, 255, 0), 0};
  return {b.agent << 5, b.agentClock + 1};
}
/// True when the phase with this parity has completed.
inline bool phaseDone(const Mbarrier &b, uint64_t parity) {
  return (b.phase & 1) != (parity & 1);
}
void acquireMbarrier(Warp &w, const Mbarrier &b);

/// May the split go on? Called for blocked splits.
bool tryUnblock(ExecContext &x, Split &s);

} // namespace mxfp4::sim

#endif // MXFP4_LIB_SIM_SYNC_H
