//===- Shadow.cpp - The cells that an access touches ----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Ahead.h"
#include "RaceChecker.h"

#include <algorithm>

using namespace mxfp4::sim;

namespace {

/// Takes an access through the cells of its range, as few as possible.
class Walk {
public:
  Walk(ExecContext &x, const Access &a, Shadow &s, bool global)
      : s(s), checker(x, a, s.sets, global) {}

  /// \p data is about to be written over \p old; either may be null.
  void range(uint64_t addr, uint64_t off, uint64_t bytes, const uint8_t *data,
             const uint8_t *old) {
    auto same = [&](uint64_t at, uint64_t n) {
      return data && old && !std::memcmp(data + at, old + at, n);
    };
    for (uint64_t at = 0; at < bytes;) {
      const uint64_t pos = off + at, left = bytes - at;
      if (!(pos & 15) && left >= 16) {
        chunk(s.chunk(pos), addr + at, same(at, 16));
        at += 16;
        continue;
      }
      const unsigned first = pos & 3;
      const unsigned n = unsigned(std::min<uint64_t>(4 - first, left));
      word(s.word(pos), first, n, addr + at, same(at, n));
      at += n;
    }
  }

  /// The four cells of 16 bytes: as one, where they are alike.
  void chunk(Cell *c, uint64_t addr, bool sameValue) {
    auto alike = [c] {
      return !std::memcmp(c, c + 1, sizeof(Cell)) &&
             !std::memcmp(c, c + 2, 2 * sizeof(Cell));
    };
    const bool whole = c->is(Cell::Whole);
    c->set(Cell::Whole, false);
    if (whole || alike()) {
      one(*c, addr, sameValue);
      c->set(Cell::Whole);
      return;
    }
    for (unsigned w = 0; w < 4; ++w)
      word(c[w], 0, 4, addr + 4 * w, sameValue);
    if (alike()) {
      c->set(Cell::Whole);
      c[1].readSet = c[2].readSet = c[3].readSet = 0;
    }
  }

private:
  Shadow &s;
  RaceChecker checker;
  bool hasLast = false;
  Cell before{}, after{};

  /// What happened to a cell like this one happens to this one: tiles are
  /// written and read by few, so that runs of cells are alike.
  void one(Cell &c, uint64_t addr, bool sameValue) {
    if (hasLast && !sameValue && c == before) {
      c = after;
      return;
    }
    before = c;
    checker.cell(c, addr, sameValue);
    after = c;
    hasLast = !sameValue;
  }

  /// \p n bytes of a word, from \p first on.
  void word(Cell &c, unsigned first, unsigned n, uint64_t addr,
            bool sameValue) {
    if (n == 4 && !c.is(Cell::Split))
      return one(c, addr, sameValue);
    Shadow::Bytes &b = s.split(c);
    for (unsigned j = 0; j < n; ++j)
      one(b[first + j], addr + j, sameValue);
    s.merge(c);
  }
};

} // namespace

void mxfp4::sim::touchShared(ExecContext &x, Cta &t, uint32_t off,
                             uint32_t bytes, const Access &a,
                             const uint8_t *data) {
  t.cells.tidy();
  Walk(x, a, t.cells, false)
      .range(off, off, bytes, data, t.shared.data() + off);
}

void mxfp4::sim::touchSharedChunks(ExecContext &x, Cta &t, const uint32_t *offs,
                                   size_t n, const Access &a) {
  t.cells.tidy();
  Walk w(x, a, t.cells, false);
  for (size_t j = 0; j < n; ++j)
    w.chunk(t.cells.chunk(offs[j]), offs[j], false);
}

static void checkInit(RaceChecker &k, const Access &a, GlobalRegion &r,
                      uint64_t off, uint64_t bytes) {
  std::vector<uint8_t> &init = *r.init;
  for (uint64_t b = off; b < off + bytes; ++b) {
    if (a.is(Access::Write))
      __atomic_fetch_or(&init[b >> 3], uint8_t(1 << (b & 7)), __ATOMIC_RELAXED);
    else if (!(init[b >> 3] >> (b & 7) & 1))
      return k.uninitialised(r.address + b);
  }
}

/// A programmatic launch that reads what launches have written that have ended,
/// before it waits: PTX has `griddepcontrol.wait` alone make it visible, and an
/// L1 may hold what was there before. Copies of TMA pass by the L1.
static void checkOlder(ExecContext &x, uint64_t addr, uint64_t bytes,
                       const Access &a) {
  if (a.is(Access::Async) || !x.g.opts.unended->hadBefore(addr, bytes) ||
      isFenced(x, a) || x.known("dependency"))
    return;
  x.report("dependency",
           std::string(a.what ? a.what : "this instruction") +
               " reads global memory that an earlier launch has written, and "
               "neither this thread nor one that it waited for has passed "
               "griddepcontrol.wait or a fence.acq_rel.gpu",
           a.lane, addr);
}

/// A programmatic launch: has the one ahead of it ended, as far as this thread
/// knows?
static void checkDependency(ExecContext &x, uint64_t addr, uint64_t bytes,
                            const Access &a) {
  if (a.is(Access::Anything) || knowsEnd(x, a.lane, a.is(Access::AnyLane)))
    return;
  const Unended *unended = x.g.opts.unended;
  if (unended && !a.is(Access::Write) && !unended->has(addr, bytes))
    return checkOlder(x, addr, bytes, a);
  if (mayTouchAhead(x, addr, bytes, a))
    return;
  if (!x.known("dependency"))
    x.report("dependency",
             std::string(a.what ? a.what : "this instruction") +
                 (a.is(Access::Write) ? " writes" : " reads") +
                 " global memory that the launch ahead may still use: neither "
                 "this thread nor one that it waited for has passed "
                 "griddepcontrol.wait" +
                 (x.c.acquiredAhead.empty()
                      ? ""
                      : ", and no counter that they acquired was raised behind "
                        "that use"),
             a.lane, addr);
}

void mxfp4::sim::touchGlobal(ExecContext &x, GlobalRegion &r, uint64_t off,
                             uint64_t bytes, const Access &a,
                             const uint8_t *data) {
  if (x.g.opts.programmatic)
    checkDependency(x, r.address + off, bytes, a);
  if (x.g.opts.unended && a.is(Access::Write)) {
    std::lock_guard<std::mutex> guard(x.g.writtenLock);
    x.g.written.add(r.address + off, bytes);
  }
  bool initialises =
      r.checked && (!a.is(Access::NoInit) || a.is(Access::Write));
  if (r.writable && x.g.opts.checkRaces) {
    constexpr uint64_t pageBytes = 4096;
    for (uint64_t pos = off, end = off + bytes; pos < end;) {
      uint64_t stop = std::min(end, (pos / pageBytes + 1) * pageBytes);
      GlobalPage *page;
      {
        std::unique_ptr<GlobalPage> &slot = r.pages[pos / pageBytes];
        if (x.g.opts.hostThreads > 1) {
          std::lock_guard<std::mutex> guard(x.g.pageLock);
          if (!slot)
            slot.reset(new GlobalPage);
        } else if (!slot) {
          slot.reset(new GlobalPage);
        }
        page = slot.get();
      }
      while (page->lock.test_and_set(std::memory_order_acquire))
        ;
      if (page->cells.empty())
        page->cells.resize(pageBytes);
      page->cells.tidy();
      Walk(x, a, page->cells, true)
          .range(r.address + pos, pos % pageBytes, stop - pos,
                 data ? data + (pos - off) : nullptr, r.data + pos);
      page->lock.clear(std::memory_order_release);
      pos = stop;
    }
  }
  if (initialises) {
    static thread_local ReadSets unused;
    RaceChecker k(x, a, unused, true);
    checkInit(k, a, r, off, bytes);
  }
}
