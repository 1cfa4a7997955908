//===- Ahead.h - What the launch ahead has done -----------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A programmatic launch may begin before the one ahead of it has ended. The
// interpreter runs one after the other; what the second may use before
// griddepcontrol.wait follows from what the first has left: who has written
// each byte and when, and the values of counters that were raised by release,
// one after the other, with what each of them published. A thread that acquires
// a counter before it waits is given one of these values, and knows what was
// published with it: so it goes on as early as it could on a GPU.
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_LIB_SIM_AHEAD_H
#define MXFP4_LIB_SIM_AHEAD_H

#include "Memory.h"

namespace mxfp4::sim {

struct AheadWork {
  struct Memory {
    uint64_t address = 0, size = 0;
    std::vector<std::unique_ptr<GlobalPage>> pages;
  };
  std::vector<Memory> memory;
  CountValues counts;

  /// What is known of a byte; null if nothing is.
  const Cell *find(uint64_t address) const;
};

/// Keeps the value of a counter in global memory that an atomic operation has
/// changed, if something was published with it.
void keepCount(ExecContext &x, const MemRef &r, uint64_t addr, uint64_t old,
               uint64_t fresh);

/// What a launch leaves to the next.
std::shared_ptr<const AheadWork> takeWork(Grid &g);

/// Replaces what a thread has loaded from a counter of the launch ahead, which
/// may still run, by a value that the counter has had.
void loadCount(ExecContext &x, const MemRef &r, uint64_t addr, unsigned bytes,
               bool acquires, unsigned lane, uint8_t *data);

/// Whether a relaxed load finds memory that the launches ahead may still write,
/// or whose new values the thread need not see, and that is no counter of
/// theirs: whoever means to compute with the value has to wait, and whoever
/// does not must get along with any.
bool mayFindAnything(ExecContext &x, const MemRef &r, uint64_t addr,
                     unsigned bytes, const Access &a);

/// Replaces what such a load finds, but for some that find what is there.
void findAnything(ExecContext &x, unsigned bytes, uint8_t *data);

/// Whether a thread may touch memory although it does not know that the launch
/// ahead has ended.
bool mayTouchAhead(ExecContext &x, uint64_t addr, uint64_t bytes,
                   const Access &a);

/// Keeps a fence of the GPU that a launch which may begin early executes.
void keepFence(ExecContext &x);

/// Whether a fence or an acquired counter orders a thread behind the launches
/// ahead of the one that let this one begin.
bool isFenced(ExecContext &x, const Access &a);

/// Whether a thread knows that the launch ahead has ended.
bool knowsEnd(ExecContext &x, unsigned lane, bool anyLane);

} // namespace mxfp4::sim

#endif // MXFP4_LIB_SIM_AHEAD_H
