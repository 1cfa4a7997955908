//===- Shadow.h - What is known of every word of memory ---------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A cell says who wrote a place last, who has read it since, and whether it
// holds a value. What counts is each byte; what is stored is one cell for a
// word of four bytes, as long as these bytes are alike, and one for 16 bytes,
// as long as these words are. A word whose bytes differ has four cells
// elsewhere. Readers other than the last one are kept in an interned set,
// because a tile is read by the same few warps everywhere.
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_LIB_SIM_SHADOW_H
#define MXFP4_LIB_SIM_SHADOW_H

#include "Clock.h"

#include <array>
#include <cstring>
#include <unordered_map>

namespace mxfp4::sim {

struct Epoch {
  AgentLane who = 0;
  uint32_t clock = 0;
  bool operator==(const Epoch &o) const {
    return who == o.who && clock == o.clock;
  }
};

struct Cell {
  Epoch write;
  uint32_t writeInst = 0; ///< Index of the instruction.
  uint16_t flags = 0;
  /// Which lane of which of its block's warps the plain read was by that joined
  /// the set last, because sets do not have lanes; 0 if there is none.
  uint16_t setLane = 0;
  Epoch read;
  uint32_t readInst = 0;
  uint32_t readSet = 0; ///< Further readers; 0: none. Of a Split: its bytes.

  enum : uint16_t {
    Written = 1,
    WasRead = 2,
    Initialised = 4, ///< Holds a value.
    WriteAtomic = 8,
    ReadAtomic = 16,
    WriteAsync = 32, ///< Written by the async proxy.
    Barrier = 64,    ///< Part of a live mbarrier.
    /// Several lanes of the warp have, and have not met since.
    ReadByLanes = 128,
    WrittenByLanes = 256,
    SetHasWrites = 512, ///< ReadSet has writes under an atomic one.
    /// On the first cell of 16 bytes: the other three are like it, and what
    /// they hold is ignored.
    Whole = 1024,
    /// On the cell of a word: its bytes differ, and ReadSet is their number.
    Split = 2048
  };
  /// A `setLane`: of a warp's number within its block and a lane, or of several
  /// lanes that had not met.
  enum : uint16_t { SetLaneKnown = 0x8000, SetLanes = 0x4000 };
  static uint16_t laneOfSet(const Epoch &e, bool lanes) {
    return uint16_t(SetLaneKnown | (lanes ? SetLanes : 0) | (e.who & 0x3ff));
  }
  bool is(uint16_t f) const { return flags & f; }
  void set(uint16_t f, bool on = true) {
    flags = uint16_t(on ? flags | f : flags & ~f);
  }
  bool operator==(const Cell &o) const {
    return !std::memcmp(this, &o, sizeof(Cell));
  }
};
static_assert(sizeof(Cell) == 32, "a cell is half a cache line");

/// Interned sets of readers.
class ReadSets {
public:
  struct Reader {
    Epoch e; ///< Of a plain read by a warp: the lane is 0.
    uint32_t inst;
    /// Writes are those under an atomic one.
    enum : uint32_t { Plain, Atomic, AtomicWrite, PlainWrite } kind;
    bool atomic() const { return kind == Atomic || kind == AtomicWrite; }
    bool operator==(const Reader &o) const {
      return e == o.e && inst == o.inst && kind == o.kind;
    }
  };
  using Set = std::vector<Reader>;
  ReadSets() : sets(1) {}
  const Set &get(uint32_t id) const { return *sets[id]; }
  /// The set with \p r added, in place of an older one of the same agent and
  /// kind.
  uint32_t add(uint32_t id, Reader r);
  size_t size() const { return sets.size(); }
  uint32_t intern(Set s);

private:
  struct Hash {
    size_t operator()(const Set &s) const {
      uint64_t h = s.size();
      for (const Reader &r : s)
        h = (h ^ r.e.who ^ uint64_t(r.e.clock) << 32 ^ uint64_t(r.inst) << 17 ^
             r.kind) *
            0x9e3779b97f4a7c15;
      return size_t(h ^ h >> 29);
    }
  };
  std::vector<const Set *> sets; ///< Point to keys of Ids.
  std::unordered_map<Set, uint32_t, Hash> ids;
  /// What Add has said lately; of those that it has not, Result is 0.
  struct Answer {
    uint32_t id = 0, result = 0;
    Reader r{};
  };
  std::vector<Answer> answers;
};

/// The cells of a range of memory: of a block's shared memory, or of a page of
/// global memory.
class Shadow {
public:
  using Bytes = std::array<Cell, 4>;

  bool empty() const { return cells.empty(); }
  void resize(size_t bytes) { cells.resize((bytes + 15) / 16 * 4); }
  /// The first of the four cells of 16 bytes.
  Cell *chunk(uint64_t off) { return &cells[off >> 4 << 2]; }
  /// The cell of a word as one of its own.
  Cell &word(uint64_t off) {
    Cell *first = chunk(off);
    if (first->is(Cell::Whole)) {
      first->set(Cell::Whole, false);
      first[1] = first[2] = first[3] = *first;
    }
    return cells[off >> 2];
  }
  /// What is known of a byte.
  const Cell &at(uint64_t off) const {
    const Cell *first = &cells[off >> 4 << 2];
    if (first->is(Cell::Whole))
      return *first;
    const Cell &word = cells[off >> 2];
    return word.is(Cell::Split) ? parts[word.readSet][off & 3] : word;
  }
  /// The four bytes of a word; valid until the next call for another word.
  Bytes &split(Cell &word);
  /// One cell again for a word that has been split, if its bytes are alike.
  void merge(Cell &word);
  /// Changes flags of whole words, byte by byte where they are split.
  void mark(uint64_t off, unsigned words, uint16_t set, uint16_t clear);

  ReadSets sets;
  /// Sets are never dropped one by one: time goes on, and with it their number.
  /// When there are many, those that no cell names are thrown away.
  void tidy() {
    if (sets.size() > 20000)
      compact();
  }

private:
  std::vector<Cell> cells;    ///< By word.
  std::vector<Bytes> parts;   ///< Of words that are split.
  std::vector<uint32_t> free; ///< Entries of parts that no word has.

  void compact();
};

} // namespace mxfp4::sim

#endif // MXFP4_LIB_SIM_SHADOW_H
