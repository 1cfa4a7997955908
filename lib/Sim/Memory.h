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
    Peek = 32
  };
  uint8_t Flags = 0;
  Epoch E;
  uint32_t Inst = 0;
  unsigned Lane = 0;
  /// What to call the access in messages; null: "this instruction".
  const char *What = nullptr;
  bool is(Flag F) const { return Flags & F; }
};

/// The access of an ordinary instruction of one thread.
inline Access threadAccess(const ExecContext &X, unsigned Lane, uint8_t Flags) {
  Access A;
  A.Flags = Flags;
  A.E = {agentLane(X.C.Linear, X.W.Id, Lane), X.W.Now};
  A.Inst = X.PC;
  A.Lane = Lane;
  return A;
}
/// An access by one of the warp's asynchronous agents.
inline Access agentAccess(const ExecContext &X, uint32_t Kind, uint32_t Clock,
                          unsigned Lane, uint8_t Flags) {
  Access A = threadAccess(X, Lane, Flags);
  A.E = {agentLane(X.C.Linear, Kind + X.W.Id, Lane), Clock};
  return A;
}

/// A range of memory that exists.
struct MemRef {
  enum Kind : uint8_t { Shared, Global, Plain } K = Plain;
  Cta *Target = nullptr;
  GlobalRegion *Region = nullptr;
  uint64_t Off = 0;
  uint8_t *Host = nullptr;
};

/// Finds \p Bytes at \p Addr; reports and returns false when they are out of
/// bounds, misaligned or not writable.
bool resolve(ExecContext &X, Space S, uint64_t Addr, unsigned Bytes,
             unsigned Align, bool Write, unsigned Lane, MemRef &R);
/// The block and offset of a shared address with a rank in its upper bits.
bool resolveShared(ExecContext &X, uint64_t Addr, uint64_t Bytes,
                   unsigned Align, unsigned Lane, Cta *&T, uint32_t &Off);
GlobalRegion *findRegion(Grid &G, uint64_t Addr);

/// Checks an access against the shadow and records it. For writes \p Data is
/// what is about to be written (it may be null).
void touchShared(ExecContext &X, Cta &T, uint32_t Off, uint32_t Bytes,
                 const Access &A, const uint8_t *Data = nullptr);
/// Many chunks of 16 bytes: the operand of a wgmma.
void touchSharedChunks(ExecContext &X, Cta &T, const uint32_t *Offs, size_t N,
                       const Access &A);
void touchGlobal(ExecContext &X, GlobalRegion &R, uint64_t Off, uint64_t Bytes,
                 const Access &A, const uint8_t *Data = nullptr);
inline void touch(ExecContext &X, const MemRef &R, uint32_t Bytes,
                  const Access &A, const uint8_t *Data = nullptr) {
  if (R.K == MemRef::Shared)
    touchShared(X, *R.Target, uint32_t(R.Off), Bytes, A, Data);
  else if (R.K == MemRef::Global)
    touchGlobal(X, *R.Region, R.Off, Bytes, A, Data);
}

/// Did \p E happen before what lane \p Lane of the warp does now?
bool happenedBefore(const Warp &W, const Epoch &E, unsigned Lane, bool AnyLane);

/// Makes the warp's work so far visible to whoever joins \p Out.
void publish(Warp &W, VectorClock &Out, VectorClock *Proxy = nullptr,
             VectorClock *ProxyG = nullptr);
/// The clock alone, and for some lanes: of the others' work it says what was
/// done before the warp last met. Does not count the warp's own clock on.
void tell(const Warp &W, uint32_t Lanes, VectorClock &Out);
void acquire(Warp &W, const VectorClock &In, const VectorClock *Proxy = nullptr,
             const VectorClock *ProxyG = nullptr);
/// All lanes of the warp have met: they see each other's work.
void warpSynced(Warp &W);

} // namespace mxfp4::sim

#endif // MXFP4_LIB_SIM_MEMORY_H
