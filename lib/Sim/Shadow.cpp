//===- Shadow.cpp - Races, proxies and uninitialised bytes ----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Memory.h"

#include <algorithm>

using namespace mxfp4::sim;

namespace {

struct Checker {
  ExecContext &X;
  const Access &A;
  ReadSets &Sets;
  bool Global;
  uint64_t Base; ///< Address of the range, for messages.
  bool HasLast = false;
  Cell Before{}, After{};

  const char *spaceName() const {
    return Global ? "global memory" : "shared memory";
  }
  const VectorClock &proxy() const {
    return Global ? X.W.ProxyGlobal : X.W.ProxyShared;
  }

  void uninitialised(uint64_t Addr) {
    if (!X.G.Opts.CheckUninitialised || X.known("uninitialised"))
      return;
    X.report("uninitialised",
             std::string(A.What ? A.What : "this instruction") + " reads " +
                 spaceName() + " that nothing has written",
             A.Lane, Addr);
  }

  /// What the other access was, and what would have ordered it.
  std::string counterpart(const Epoch &E, uint32_t Inst, bool OtherWrote) {
    uint32_t Kind = agentOf(E.Who);
    std::string At = describeInst(X.K, Inst);
    if (Kind >= MbarAgent)
      return (At.find("(st.async") == At.npos ? "the bulk copy at "
                                              : "the store at ") +
             At + (OtherWrote ? " writes" : " reads") +
             ", and its mbarrier has not been waited for";
    if (Kind >= BulkAgent)
      return "the bulk store at " + At +
             " still reads: cp.async.bulk.wait_group has not waited for it, or "
             "no barrier follows the wait";
    if (Kind >= CopyAgent)
      return "the cp.async at " + At +
             " writes: cp.async.wait_group has not waited for it, or no "
             "barrier follows the wait";
    if (Kind >= WgmmaAgent)
      return "the wgmma at " + At +
             " still reads: wgmma.wait_group has not waited for it, or no "
             "barrier follows the wait";
    bool SameWarp = E.Who >> 5 == X.W.agent();
    return describeAgent(X, E.Who) + (OtherWrote ? " writes" : " reads") +
           " at " + At + ": no barrier orders the two" +
           (SameWarp ? " (threads of one warp: bar.warp.sync)" : "");
  }

  void race(const Epoch &E, uint32_t Inst, bool OtherWrote, uint64_t Addr) {
    if (!X.G.Opts.CheckRaces || X.known("race", Inst + 1))
      return;
    X.report("race",
             std::string(A.What ? A.What : "this instruction") +
                 (A.is(Access::Write) ? " overwrites " : " reads ") +
                 spaceName() + " that " + counterpart(E, Inst, OtherWrote),
             A.Lane, Addr, Inst + 1);
  }

  void missingFence(uint32_t Inst, uint64_t Addr) {
    if (!X.G.Opts.CheckRaces || X.known("proxy", Inst + 1))
      return;
    X.report("proxy",
             std::string(A.What ? A.What : "this instruction") +
                 (A.is(Access::Write) ? " writes " : " reads ") + spaceName() +
                 " through the async proxy that the generic proxy wrote at " +
                 describeInst(X.K, Inst) +
                 ", without a fence.proxy.async in between",
             A.Lane, Addr, Inst + 1);
  }

  bool before(const Epoch &E) const {
    return happenedBefore(X.W, E, A.Lane, A.is(Access::AnyLane));
  }

  bool beforeRead(const Cell &C, const Epoch &E) const {
    return before(E) || ((C.Flags & Cell::ReadAtomic) &&
                         X.W.Clock.get(atomicAgent(E.Who)) >= E.Clock);
  }

  void checkWrite(Cell &C, uint8_t Mask, uint64_t Addr, bool SameValue) {
    if (!(C.WriteMask & Mask))
      return;
    if (A.is(Access::Atomic) && (C.Flags & Cell::WriteAtomic))
      return;
    bool Multi = C.Flags & 0x40;
    bool SameWarp = C.Write.Who >> 5 == X.W.agent();
    if (!(SameWarp && Multi) && !before(C.Write)) {
      // Lanes of one instruction may write the same value to one place.
      if (A.is(Access::Write) && SameWarp && C.WriteInst == A.Inst &&
          C.Write.Clock == A.E.Clock && SameValue)
        return;
      return race(C.Write, C.WriteInst, true, Addr);
    }
    if (A.is(Access::Async) && !(C.Flags & Cell::WriteAsync) &&
        proxy().get(C.Write.Who >> 5) < C.Write.Clock)
      missingFence(C.WriteInst, Addr);
  }

  void checkReads(Cell &C, uint8_t Mask, uint64_t Addr) {
    if (A.is(Access::Atomic) && (C.Flags & Cell::ReadAtomic))
      return;
    if (C.ReadMask & Mask) {
      bool SameWarp = C.Read.Who >> 5 == X.W.agent();
      bool Ordered = beforeRead(C, C.Read);
      // Several lanes read: the one kept may be the writer itself.
      if (SameWarp && (C.Flags & 0x20) && !A.is(Access::AnyLane))
        Ordered = C.Read.Clock < X.W.SyncNow || C.ReadInst == A.Inst;
      if (!Ordered)
        return race(C.Read, C.ReadInst, false, Addr);
    }
    if (C.ReadSet)
      // The set forgets lanes: it says nothing of the warp's own threads.
      for (const ReadSets::Reader &R : Sets.get(C.ReadSet))
        if (R.E.Who >> 5 != X.W.agent() && !beforeRead(C, R.E))
          return race(R.E, R.Inst, false, Addr);
  }

  /// Atomic operations need no order among each other, but what is plain and
  /// comes later needs one with each of them: those before the last count as
  /// readers. True if there are any.
  bool keepAtomics(Cell &C, uint8_t Mask) {
    if (!A.is(Access::Atomic))
      return false;
    const bool Earlier = (C.Flags & Cell::ReadAtomic) && (C.ReadMask & Mask);
    if (!(C.Flags & Cell::WriteAtomic) || !(C.WriteMask & Mask) ||
        C.Write.Who >> 5 == A.E.Who >> 5 || before(C.Write))
      return Earlier;
    if (Earlier && C.Read.Who >> 5 != C.Write.Who >> 5 && !before(C.Read))
      C.ReadSet = Sets.add(C.ReadSet, {C.Read, C.ReadInst});
    C.Read = C.Write;
    C.ReadInst = C.WriteInst;
    C.ReadMask = C.WriteMask;
    C.Flags = uint8_t((C.Flags & ~0x20) | Cell::ReadAtomic);
    return true;
  }

  void recordWrite(Cell &C, uint8_t Mask) {
    bool Atomic = A.is(Access::Atomic);
    const bool Kept = keepAtomics(C, Mask);
    bool Same = C.WriteMask && C.Write.Who >> 5 == A.E.Who >> 5 &&
                C.Write.Clock == A.E.Clock;
    uint8_t Flags = C.Flags & (Cell::ReadAtomic | 0x20 | Cell::Barrier);
    if (Same && C.Write.Who != A.E.Who)
      Flags |= 0x40;
    else if (Same)
      Flags |= C.Flags & 0x40;
    Flags |= (Atomic ? Cell::WriteAtomic : 0) |
             (A.is(Access::Async) ? Cell::WriteAsync : 0);
    C.WriteMask = Same ? C.WriteMask | Mask : Mask;
    C.Write = A.E;
    C.WriteInst = A.Inst;
    C.Flags = Flags;
    if (Kept)
      return;
    C.ReadMask &= uint8_t(~Mask);
    if (!C.ReadMask) {
      C.Read = {};
      C.ReadInst = C.ReadSet = 0;
      C.Flags &= uint8_t(~(Cell::ReadAtomic | 0x20));
    }
  }

  void recordRead(Cell &C, uint8_t Mask) {
    bool Atomic = A.is(Access::Atomic);
    if (C.ReadMask && C.Read.Who != A.E.Who) {
      bool SameWarp = C.Read.Who >> 5 == A.E.Who >> 5;
      if (SameWarp && C.Read.Clock == A.E.Clock) {
        C.Flags |= 0x20;
        Mask |= C.ReadMask;
      } else {
        if (!SameWarp && !before(C.Read))
          C.ReadSet = Sets.add(C.ReadSet, {C.Read, C.ReadInst});
        C.Flags &= uint8_t(~0x20);
      }
      if (!Atomic)
        C.Flags &= uint8_t(~Cell::ReadAtomic);
    } else if (C.ReadMask) {
      Mask |= C.ReadMask;
      if (!Atomic)
        C.Flags &= uint8_t(~Cell::ReadAtomic);
    } else {
      C.Flags &= uint8_t(~0x20);
      C.Flags = uint8_t((C.Flags & ~Cell::ReadAtomic) |
                        (Atomic ? Cell::ReadAtomic : 0));
    }
    C.ReadMask = Mask;
    C.Read = A.E;
    C.ReadInst = A.Inst;
  }

  void barrierTouched(uint64_t Addr) {
    if (X.known("mbarrier"))
      return;
    X.report("mbarrier",
             std::string(A.What ? A.What : "this instruction") +
                 " overwrites a live mbarrier object; mbarrier.inval must come "
                 "first",
             A.Lane, Addr);
  }

  void cell(Cell &C, uint8_t Mask, uint64_t Addr, bool SameValue) {
    if (A.is(Access::Write)) {
      if (C.Flags & Cell::Barrier)
        barrierTouched(Addr);
      checkWrite(C, Mask, Addr, SameValue);
      checkReads(C, Mask, Addr);
      if (A.is(Access::Peek))
        return;
      recordWrite(C, Mask);
      C.Init |= Mask;
      return;
    }
    checkWrite(C, Mask, Addr, false);
    if (!A.is(Access::NoInit) && (C.Init & Mask) != Mask && !Global)
      uninitialised(Addr);
    if (!A.is(Access::Peek))
      recordRead(C, Mask);
  }

  /// What happened to a cell like this one happens to this one: tiles are
  /// written and read by few, so that runs of cells are alike.
  void again(Cell &C, uint64_t Addr, bool SameValue) {
    if (HasLast && !SameValue && !std::memcmp(&C, &Before, sizeof(Cell))) {
      C = After;
      return;
    }
    Before = C;
    cell(C, 15, Addr, SameValue);
    After = C;
    HasLast = !SameValue;
  }

  /// The four cells of 16 bytes: as one, where they are alike.
  void chunk(Cell *C, uint64_t Addr, bool SameValue) {
    auto Alike = [C] {
      return !std::memcmp(C, C + 1, sizeof(Cell)) &&
             !std::memcmp(C, C + 2, 2 * sizeof(Cell));
    };
    bool Whole = C->Flags & Cell::Whole;
    C->Flags &= uint8_t(~Cell::Whole);
    if (Whole || Alike()) {
      again(*C, Addr, SameValue);
      C->Flags |= Cell::Whole;
      return;
    }
    for (unsigned W = 0; W < 4; ++W)
      again(C[W], Addr + 4 * W, SameValue);
    if (Alike()) {
      C->Flags |= Cell::Whole;
      C[1].ReadSet = C[2].ReadSet = C[3].ReadSet = 0;
    }
  }

  /// Calls cell() for every word of a range, or once for 16 bytes where it can.
  void range(std::vector<Cell> &Cells, uint64_t Off, uint64_t Bytes,
             const uint8_t *Data, const uint8_t *Old) {
    uint64_t End = Off + Bytes, Pos = Off;
    auto Same = [&](uint64_t N) {
      return Data && Old &&
             !std::memcmp(Data + (Pos - Off), Old + (Pos - Off), N);
    };
    while (Pos < End) {
      uint64_t Addr = Base + (Pos - Off);
      if (!(Pos & 15) && End - Pos >= 16) {
        chunk(&Cells[Pos >> 2], Addr, Same(16));
        Pos += 16;
        continue;
      }
      uint64_t WordEnd = std::min((Pos | 3) + 1, End);
      uint8_t Mask = uint8_t(((1u << (WordEnd - Pos)) - 1) << (Pos & 3));
      cell(wordCell(Cells, Pos >> 2), Mask, Addr, Same(WordEnd - Pos));
      HasLast = false;
      Pos = WordEnd;
    }
  }
};

} // namespace

void mxfp4::sim::touchShared(ExecContext &X, Cta &T, uint32_t Off,
                             uint32_t Bytes, const Access &A,
                             const uint8_t *Data) {
  if (T.Sets.crowded())
    T.Sets.compact(T.Cells);
  Checker K{X, A, T.Sets, false, Off};
  K.range(T.Cells, Off, Bytes, Data, T.Shared.data() + Off);
}

void mxfp4::sim::touchSharedChunks(ExecContext &X, Cta &T, const uint32_t *Offs,
                                   size_t N, const Access &A) {
  if (T.Sets.crowded())
    T.Sets.compact(T.Cells);
  Checker K{X, A, T.Sets, false, 0};
  for (size_t J = 0; J < N; ++J) {
    K.Base = Offs[J];
    K.chunk(&T.Cells[Offs[J] >> 2], Offs[J], false);
  }
}

static void checkInit(Checker &K, GlobalRegion &R, uint64_t Off,
                      uint64_t Bytes) {
  std::vector<uint8_t> &Init = *R.Init;
  for (uint64_t B = Off; B < Off + Bytes; ++B) {
    if (K.A.is(Access::Write))
      __atomic_fetch_or(&Init[B >> 3], uint8_t(1 << (B & 7)), __ATOMIC_RELAXED);
    else if (!(Init[B >> 3] >> (B & 7) & 1))
      return K.uninitialised(R.Address + B);
  }
}

/// A programmatic launch: has the one ahead of it ended, as far as this thread
/// knows?
static void checkDependency(ExecContext &X, uint64_t Addr, const Access &A) {
  if (A.is(Access::AnyLane) ? X.W.GridWaited != 0
                            : X.W.GridWaited >> A.Lane & 1)
    return;
  for (const Epoch &E : X.C.GridWaits)
    if (happenedBefore(X.W, E, A.Lane, A.is(Access::AnyLane)))
      return;
  if (!X.known("dependency"))
    X.report("dependency",
             std::string(A.What ? A.What : "this instruction") +
                 (A.is(Access::Write) ? " writes" : " reads") +
                 " global memory that the launch ahead may still use: neither "
                 "this thread nor one that it waited for has passed "
                 "griddepcontrol.wait",
             A.Lane, Addr);
}

void mxfp4::sim::touchGlobal(ExecContext &X, GlobalRegion &R, uint64_t Off,
                             uint64_t Bytes, const Access &A,
                             const uint8_t *Data) {
  if (X.G.Opts.Programmatic)
    checkDependency(X, R.Address + Off, A);
  bool Initialises =
      R.Checked && (!A.is(Access::NoInit) || A.is(Access::Write));
  if (R.Writable && X.G.Opts.CheckRaces) {
    constexpr uint64_t PageBytes = 4096;
    for (uint64_t Pos = Off, End = Off + Bytes; Pos < End;) {
      uint64_t Stop = std::min(End, (Pos / PageBytes + 1) * PageBytes);
      GlobalPage *Page;
      {
        std::unique_ptr<GlobalPage> &Slot = R.Pages[Pos / PageBytes];
        if (X.G.Opts.HostThreads > 1) {
          std::lock_guard<std::mutex> Guard(X.G.PageLock);
          if (!Slot)
            Slot.reset(new GlobalPage);
        } else if (!Slot) {
          Slot.reset(new GlobalPage);
        }
        Page = Slot.get();
      }
      while (Page->Lock.test_and_set(std::memory_order_acquire))
        ;
      if (Page->Cells.empty())
        Page->Cells.resize(PageBytes / 4);
      if (Page->Sets.crowded())
        Page->Sets.compact(Page->Cells);
      Checker K{X, A, Page->Sets, true, R.Address + Pos};
      K.range(Page->Cells, Pos % PageBytes, Stop - Pos,
              Data ? Data + (Pos - Off) : nullptr, R.Data + Pos);
      Page->Lock.clear(std::memory_order_release);
      Pos = Stop;
    }
  }
  if (Initialises) {
    static thread_local ReadSets Unused;
    Checker K{X, A, Unused, true, R.Address + Off};
    checkInit(K, R, Off, Bytes);
  }
}
