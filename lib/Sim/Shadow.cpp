//===- Shadow.cpp - The cells that an access touches ----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "RaceChecker.h"

#include <algorithm>

using namespace mxfp4::sim;

namespace {

/// Takes an access through the cells of its range, the largest that there are.
class Walk {
public:
  Walk(ExecContext &X, const Access &A, Shadow &S, bool Global)
      : S(S), Checker(X, A, S.Sets, Global) {}

  /// \p Data is about to be written over \p Old; either may be null.
  void range(uint64_t Addr, uint64_t Off, uint64_t Bytes, const uint8_t *Data,
             const uint8_t *Old) {
    auto Same = [&](uint64_t At, uint64_t N) {
      return Data && Old && !std::memcmp(Data + At, Old + At, N);
    };
    for (uint64_t At = 0; At < Bytes;) {
      const uint64_t Pos = Off + At, Left = Bytes - At;
      if (!(Pos & 15) && Left >= 16) {
        chunk(S.chunk(Pos), Addr + At, Same(At, 16));
        At += 16;
        continue;
      }
      const unsigned First = Pos & 3;
      const unsigned N = unsigned(std::min<uint64_t>(4 - First, Left));
      word(S.word(Pos), First, N, Addr + At, Same(At, N));
      At += N;
    }
  }

  /// The four cells of 16 bytes: as one, where they are alike.
  void chunk(Cell *C, uint64_t Addr, bool SameValue) {
    auto Alike = [C] {
      return !std::memcmp(C, C + 1, sizeof(Cell)) &&
             !std::memcmp(C, C + 2, 2 * sizeof(Cell));
    };
    const bool Whole = C->is(Cell::Whole);
    C->set(Cell::Whole, false);
    if (Whole || Alike()) {
      one(*C, Addr, SameValue);
      C->set(Cell::Whole);
      return;
    }
    for (unsigned W = 0; W < 4; ++W)
      word(C[W], 0, 4, Addr + 4 * W, SameValue);
    if (Alike()) {
      C->set(Cell::Whole);
      C[1].ReadSet = C[2].ReadSet = C[3].ReadSet = 0;
    }
  }

private:
  Shadow &S;
  RaceChecker Checker;
  bool HasLast = false;
  Cell Before{}, After{};

  /// What happened to a cell like this one happens to this one: tiles are
  /// written and read by few, so that runs of cells are alike.
  void one(Cell &C, uint64_t Addr, bool SameValue) {
    if (HasLast && !SameValue && C == Before) {
      C = After;
      return;
    }
    Before = C;
    Checker.cell(C, Addr, SameValue);
    After = C;
    HasLast = !SameValue;
  }

  /// \p N bytes of a word, from \p First on.
  void word(Cell &C, unsigned First, unsigned N, uint64_t Addr,
            bool SameValue) {
    if (N == 4 && !C.is(Cell::Split))
      return one(C, Addr, SameValue);
    Shadow::Bytes &B = S.split(C);
    for (unsigned J = 0; J < N; ++J)
      one(B[First + J], Addr + J, SameValue);
    S.merge(C);
  }
};

} // namespace

void mxfp4::sim::touchShared(ExecContext &X, Cta &T, uint32_t Off,
                             uint32_t Bytes, const Access &A,
                             const uint8_t *Data) {
  T.Cells.tidy();
  Walk(X, A, T.Cells, false)
      .range(Off, Off, Bytes, Data, T.Shared.data() + Off);
}

void mxfp4::sim::touchSharedChunks(ExecContext &X, Cta &T, const uint32_t *Offs,
                                   size_t N, const Access &A) {
  T.Cells.tidy();
  Walk W(X, A, T.Cells, false);
  for (size_t J = 0; J < N; ++J)
    W.chunk(T.Cells.chunk(Offs[J]), Offs[J], false);
}

static void checkInit(RaceChecker &K, const Access &A, GlobalRegion &R,
                      uint64_t Off, uint64_t Bytes) {
  std::vector<uint8_t> &Init = *R.Init;
  for (uint64_t B = Off; B < Off + Bytes; ++B) {
    if (A.is(Access::Write))
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
        Page->Cells.resize(PageBytes);
      Page->Cells.tidy();
      Walk(X, A, Page->Cells, true)
          .range(R.Address + Pos, Pos % PageBytes, Stop - Pos,
                 Data ? Data + (Pos - Off) : nullptr, R.Data + Pos);
      Page->Lock.clear(std::memory_order_release);
      Pos = Stop;
    }
  }
  if (Initialises) {
    static thread_local ReadSets Unused;
    RaceChecker K(X, A, Unused, true);
    checkInit(K, A, R, Off, Bytes);
  }
}
