//===- Ahead.cpp - What the launch ahead has done -------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Ahead.h"

#include <algorithm>
#include <cstring>

using namespace mxfp4::sim;

static constexpr uint64_t kPageBytes = 4096;

const Cell *AheadWork::find(uint64_t address) const {
  for (const Memory &m : memory) {
    const uint64_t offset = address - m.address;
    if (offset >= m.size)
      continue;
    const std::unique_ptr<GlobalPage> &page = m.pages[offset / kPageBytes];
    if (!page || page->cells.empty())
      return nullptr;
    return &page->cells.at(offset % kPageBytes);
  }
  return nullptr;
}

void mxfp4::sim::keepCount(ExecContext &x, const MemRef &r, uint64_t addr,
                           uint64_t old, uint64_t fresh) {
  if (!x.g.opts.unended || r.k != MemRef::Global)
    return;
  std::lock_guard<std::mutex> guard(x.g.syncLock);
  const auto published = x.g.syncVars.find(addr);
  if (published == x.g.syncVars.end())
    return;
  std::vector<CountValue> &values = x.g.counts[addr];
  if (values.empty())
    values.push_back({old, {}});
  values.push_back({fresh, published->second.first});
}

std::shared_ptr<const AheadWork> mxfp4::sim::takeWork(Grid &g) {
  auto work = std::make_shared<AheadWork>();
  for (GlobalRegion &region : g.regions)
    if (!region.pages.empty())
      work->memory.push_back(
          {region.address, region.size, std::move(region.pages)});
  work->counts = std::move(g.counts);
  return work;
}

bool mxfp4::sim::knowsEnd(ExecContext &x, unsigned lane, bool anyLane) {
  if (anyLane ? x.w.gridWaited != 0 : x.w.gridWaited >> lane & 1)
    return true;
  return std::any_of(
      x.c.gridWaits.begin(), x.c.gridWaits.end(),
      [&](const Epoch &e) { return happenedBefore(x.w, e, lane, anyLane); });
}

static const AheadWork *workAhead(const ExecContext &x) {
  return x.g.opts.programmatic && x.g.opts.unended
             ? x.g.opts.unended->work.get()
             : nullptr;
}

/// Each load of a warp finds the next value, as if the launch ahead had gone on
/// by one step in between: whoever waits for too little goes on too early.
void mxfp4::sim::loadCount(ExecContext &x, const MemRef &r, uint64_t addr,
                           unsigned bytes, bool acquires, unsigned lane,
                           uint8_t *data) {
  const AheadWork *work = workAhead(x);
  if (!work || r.k != MemRef::Global || knowsEnd(x, lane, false))
    return;
  const auto counter = work->counts.find(addr);
  if (counter == work->counts.end())
    return;
  const std::vector<CountValue> &values = counter->second;
  size_t &seen = x.w.countsSeen[addr];
  const CountValue &value = values[std::min(seen++, values.size() - 1)];
  std::memcpy(data, &value.value, bytes);
  if (acquires && !value.clock.empty())
    x.c.acquiredAhead.push_back({threadAccess(x, lane, 0).e, &value.clock});
}

/// Whether a clock of the launch ahead says that it has written a byte.
static bool covers(const VectorClock &clock, const Epoch &write) {
  return clock.get(write.who >> 5) >= write.clock ||
         clock.get(laneAgent(write.who)) >= write.clock;
}

/// Whether a thread has acquired a counter, one that was raised behind a write
/// if there is one; for copies of TMA with a proxy fence behind that.
static bool hasAcquired(ExecContext &x, const Access &a, const Epoch *write) {
  return std::any_of(
      x.c.acquiredAhead.begin(), x.c.acquiredAhead.end(),
      [&](const AcquiredAhead &one) {
        return (!write || covers(*one.clock, *write)) &&
               happenedBefore(x.w, one.when, a.lane, a.is(Access::AnyLane)) &&
               (!a.is(Access::Async) ||
                x.w.proxyGlobal.get(one.when.who >> 5) >= one.when.clock);
      });
}

void mxfp4::sim::keepFence(ExecContext &x) {
  if (!x.g.opts.programmatic)
    return;
  if (!x.w.fenced)
    x.c.fences.push_back(threadAccess(x, unsigned(__builtin_ctz(x.mask)), 0).e);
  x.w.fenced |= x.mask;
}

bool mxfp4::sim::isFenced(ExecContext &x, const Access &a) {
  if (a.is(Access::AnyLane) ? x.w.fenced != 0 : x.w.fenced >> a.lane & 1)
    return true;
  return hasAcquired(x, a, nullptr) ||
         std::any_of(x.c.fences.begin(), x.c.fences.end(), [&](const Epoch &e) {
           return happenedBefore(x.w, e, a.lane, a.is(Access::AnyLane));
         });
}

bool mxfp4::sim::mayTouchAhead(ExecContext &x, uint64_t addr, uint64_t bytes,
                               const Access &a) {
  const AheadWork *work = workAhead(x);
  if (!work)
    return false;
  // A counter, whose value is one that it has had.
  if (a.is(Access::Atomic) && !a.is(Access::Write) && work->counts.count(addr))
    return true;
  // A kernel that acquires nothing means to wait before it stores.
  if (a.is(Access::Write) && !a.is(Access::Atomic) &&
      !hasAcquired(x, a, nullptr))
    return false;
  const Cell *last = nullptr;
  for (uint64_t at = addr; at < addr + bytes; ++at) {
    const Cell *cell = work->find(at);
    // All bytes of a word that is one cell are alike.
    if (!cell || (last && *cell == *last))
      continue;
    last = cell;
    if (a.is(Access::Write)
            ? cell->is(Cell::Written | Cell::WasRead) || cell->readSet
            : cell->is(Cell::Written) && !hasAcquired(x, a, &cell->write))
      return false;
  }
  return true;
}

bool mxfp4::sim::mayFindAnything(ExecContext &x, const MemRef &r, uint64_t addr,
                                 unsigned bytes, const Access &a) {
  if (!x.g.opts.programmatic || r.k != MemRef::Global ||
      knowsEnd(x, a.lane, false))
    return false;
  const AheadWork *work = workAhead(x);
  if (work && work->counts.count(addr))
    return false;
  const Unended *unended = x.g.opts.unended;
  return !unended || unended->has(addr, bytes) ||
         (unended->hadBefore(addr, bytes) && !isFenced(x, a));
}

void mxfp4::sim::findAnything(ExecContext &x, unsigned bytes, uint8_t *data) {
  const uint32_t kind = x.cl.rng.below(6);
  if (kind == 0) // What is there.
    return;
  // Bytes of zeros or ones, and the ends of what is signed.
  std::memset(data, kind == 1 || kind == 4 ? 0xff : 0, bytes);
  if (kind == 3)
    data[bytes - 1] = 0x80;
  if (kind == 4)
    data[bytes - 1] = 0x7f;
  if (kind == 5)
    for (unsigned i = 0; i < bytes; ++i)
      data[i] = uint8_t(x.cl.rng.below(256));
}
