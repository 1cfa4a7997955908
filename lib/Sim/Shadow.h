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
  AgentLane Who = 0;
  uint32_t Clock = 0;
  bool operator==(const Epoch &O) const {
    return Who == O.Who && Clock == O.Clock;
  }
};

struct Cell {
  Epoch Write;
  uint32_t WriteInst = 0; ///< Index of the instruction.
  uint16_t Flags = 0;
  uint16_t Unused = 0; ///< Cells are compared byte by byte.
  Epoch Read;
  uint32_t ReadInst = 0;
  uint32_t ReadSet = 0; ///< Further readers; 0: none. Of a Split: its bytes.

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
    /// they hold counts for nothing.
    Whole = 1024,
    /// On the cell of a word: its bytes differ, and ReadSet is their number.
    Split = 2048
  };
  bool is(uint16_t F) const { return Flags & F; }
  void set(uint16_t F, bool On = true) {
    Flags = uint16_t(On ? Flags | F : Flags & ~F);
  }
  bool operator==(const Cell &O) const {
    return !std::memcmp(this, &O, sizeof(Cell));
  }
};
static_assert(sizeof(Cell) == 32, "a cell is half a cache line");

/// Interned sets of readers.
class ReadSets {
public:
  struct Reader {
    Epoch E; ///< Of a plain read by a warp: the lane is 0.
    uint32_t Inst;
    /// Writes are those under an atomic one.
    enum : uint32_t { Plain, Atomic, AtomicWrite, PlainWrite } Kind;
    bool atomic() const { return Kind == Atomic || Kind == AtomicWrite; }
    bool operator==(const Reader &O) const {
      return E == O.E && Inst == O.Inst && Kind == O.Kind;
    }
  };
  using Set = std::vector<Reader>;
  ReadSets() : Sets(1) {}
  const Set &get(uint32_t Id) const { return *Sets[Id]; }
  /// The set with \p R added, in place of an older one of the same agent and
  /// kind.
  uint32_t add(uint32_t Id, Reader R);
  size_t size() const { return Sets.size(); }
  uint32_t intern(Set S);

private:
  struct Hash {
    size_t operator()(const Set &S) const {
      uint64_t H = S.size();
      for (const Reader &R : S)
        H = (H ^ R.E.Who ^ uint64_t(R.E.Clock) << 32 ^ uint64_t(R.Inst) << 17 ^
             R.Kind) *
            0x9e3779b97f4a7c15;
      return size_t(H ^ H >> 29);
    }
  };
  std::vector<const Set *> Sets; ///< Point to keys of Ids.
  std::unordered_map<Set, uint32_t, Hash> Ids;
  uint32_t LastSet = 0, LastResult = 0;
  Reader LastReader{};
};

/// The cells of a range of memory: of a block's shared memory, or of a page of
/// global memory.
class Shadow {
public:
  using Bytes = std::array<Cell, 4>;

  bool empty() const { return Cells.empty(); }
  void resize(size_t Bytes) { Cells.resize((Bytes + 15) / 16 * 4); }
  /// The first of the four cells of 16 bytes.
  Cell *chunk(uint64_t Off) { return &Cells[Off >> 4 << 2]; }
  /// The cell of a word as one of its own.
  Cell &word(uint64_t Off) {
    Cell *First = chunk(Off);
    if (First->is(Cell::Whole)) {
      First->set(Cell::Whole, false);
      First[1] = First[2] = First[3] = *First;
    }
    return Cells[Off >> 2];
  }
  /// The four bytes of a word; valid until the next call for another word.
  Bytes &split(Cell &Word);
  /// One cell again for a word that has been split, if its bytes are alike.
  void merge(Cell &Word);
  /// Changes flags of whole words, byte by byte where they are split.
  void mark(uint64_t Off, unsigned Words, uint16_t Set, uint16_t Clear);

  ReadSets Sets;
  /// Sets are never dropped one by one: time goes on, and with it their number.
  /// When there are many, those that no cell names are thrown away.
  void tidy() {
    if (Sets.size() > 20000)
      compact();
  }

private:
  std::vector<Cell> Cells;    ///< By word.
  std::vector<Bytes> Parts;   ///< Of words that are split.
  std::vector<uint32_t> Free; ///< Entries of Parts that no word has.

  void compact();
};

} // namespace mxfp4::sim

#endif // MXFP4_LIB_SIM_SHADOW_H
