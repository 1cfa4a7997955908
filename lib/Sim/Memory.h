//===- Memory.h - Checked access to simulated memory ------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_LIB_SIM_MEMORY_H
#define MXFP4_LIB_SIM_MEMORY_H

#include "Exec.h"

namespace mxfp4::sim {

/// Who makes an access, and how.
struct Access {
  enum Flag : uint8_t {
    Write = 1,
    Atomic = 2,
    /// Through the async proxy: wgmma and bulk copies.
    Async = 4,
    /// By all lanes of the warp together.
    AnyLane = 8,
    /// A read that does not mind bytes without a value.
    NoInit = 16,
    /// Leaves no trace: only checks.
    Peek = 32,
    /// A read that may find any value (`mayFindAnything`).
    Anything = 64
  };
  uint8_t flags = 0;
  Epoch e;
  uint32_t inst = 0;
  unsigned lane = 0;
  /// What to call the access in messages; null: "this instruction".
  const char *what = nullptr;
  bool is(Flag f) const { return flags & f; }
};

/// The access of an ordinary instruction of one thread.
inline Access threadAccess(const ExecContext &x, unsigned lane, uint8_t flags) {
  Access a;
  a.flags = flags;
  a.e = {agentLane(x.c.linear, x.w.id, lane), x.w.now};
  a.inst = x.pc;
  a.lane = lane;
  return a;
}
/// An access by one of the warp's asynchronous agents.
inline Access agentAccess(const ExecContext &x, uint32_t kind, uint32_t clock,
                          unsigned lane, uint8_t flags) {
  Access a = threadAccess(x, lane, flags);
  a.e = {agentLane(x.c.linear, kind + x.w.id, lane), clock};
  return a;
}

/// A range of memory that exists.
struct MemRef {
  enum Kind : uint8_t { Shared, Global, Plain } k = Plain;
  Cta *target = nullptr;
  GlobalRegion *region = nullptr;
  uint64_t off = 0;
  uint8_t *host = nullptr;
};

/// Finds \p bytes at \p addr; reports and returns false when they are out of
/// bounds, misaligned or not writable.
bool resolve(ExecContext &x, Space s, uint64_t addr, unsigned bytes,
             unsigned align, bool write, unsigned lane, MemRef &r);
/// The block and offset of a shared address with a rank in its upper bits.
bool resolveShared(ExecContext &x, uint64_t addr, uint64_t bytes,
                   unsigned align, unsigned lane, Cta *&t, uint32_t &off);
GlobalRegion *findRegion(Grid &g, uint64_t addr);

/// Checks an access against the shadow and records it. For writes \p data is
/// what is about to be written (it may be null).
void touchShared(ExecContext &x, Cta &t, uint32_t off, uint32_t bytes,
                 const Access &a, const uint8_t *data = nullptr);
/// Many chunks of 16 bytes: the operand of a wgmma.
void touchSharedChunks(ExecContext &x, Cta &t, const uint32_t *offs, size_t n,
                       const Access &a);
void touchGlobal(ExecContext &x, GlobalRegion &r, uint64_t off, uint64_t bytes,
                 const Access &a, const uint8_t *data = nullptr);
inline void touch(ExecContext &x, const MemRef &r, uint32_t bytes,
                  const Access &a, const uint8_t *data = nullptr) {
  if (r.k == MemRef::Shared)
    touchShared(x, *r.target, uint32_t(r.off), bytes, a, data);
  else if (r.k == MemRef::Global)
    touchGlobal(x, *r.region, r.off, bytes, a, data);
}

/// Did \p e happen before what lane \p lane of the warp does now?
bool happenedBefore(const Warp &w, const Epoch &e, unsigned lane, bool anyLane);

/// Makes the warp's work so far visible to whoever joins \p out.
void publish(Warp &w, VectorClock &out, VectorClock *proxy = nullptr,
             VectorClock *proxyG = nullptr);
/// The clock alone, and for some lanes: of the others' work it says what was
/// done before the warp last met. Does not count the warp's own clock on.
void tell(const Warp &w, uint32_t lanes, VectorClock &out);
void acquire(Warp &w, const VectorClock &in, const VectorClock *proxy = nullptr,
             const VectorClock *proxyG = nullptr);
/// All lanes of the warp have met: they see each other's work.
void warpSynced(Warp &w);

} // namespace mxfp4::sim

#endif // MXFP4_LIB_SIM_MEMORY_H
