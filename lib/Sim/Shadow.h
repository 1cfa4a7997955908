//===- Shadow.h - What is known of every word of memory ---------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One cell for each 4-byte word: who wrote it last, who read it since, and
// which bytes hold a value. Readers other than the last one are kept in an
// interned set, because a tile is read by the same few warps everywhere.
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_LIB_SIM_SHADOW_H
#define MXFP4_LIB_SIM_SHADOW_H

#include "Clock.h"

#include <memory>
#include <string>
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
  uint8_t WriteMask = 0;  ///< Bytes; 0: never written.
  uint8_t ReadMask = 0;
  uint8_t Init = 0; ///< Bytes that hold a value.
  uint8_t Flags = 0;
  Epoch Read;
  uint32_t ReadInst = 0;
  uint32_t ReadSet = 0; ///< Further readers; 0: none.

  enum : uint8_t {
    WriteAtomic = 1,
    ReadAtomic = 2,
    WriteAsync = 4, ///< Written by the async proxy.
    Barrier = 8,    ///< Part of a live mbarrier.
    Landing = 16,   ///< An asynchronous copy has yet to write it.
    /// On the first cell of 16 bytes: the other three are like it, and what
    /// they hold counts for nothing.
    Whole = 128
  };
};
static_assert(sizeof(Cell) == 32, "a cell is half a cache line");

/// Cell number \p Index, as one of its own.
inline Cell &wordCell(std::vector<Cell> &Cells, size_t Index) {
  Cell *First = &Cells[Index & ~size_t(3)];
  if (First->Flags & Cell::Whole) {
    First->Flags &= uint8_t(~Cell::Whole);
    First[1] = First[2] = First[3] = *First;
  }
  return Cells[Index];
}

/// Interned sets of readers.
class ReadSets {
public:
  struct Reader {
    Epoch E; ///< Of a warp: the lane is 0.
    uint32_t Inst;
    bool operator==(const Reader &O) const {
      return E == O.E && Inst == O.Inst;
    }
  };
  using Set = std::vector<Reader>;
  ReadSets() : Sets(1) {}
  const Set &get(uint32_t Id) const { return *Sets[Id]; }
  /// The set with \p R added, in place of an older read by the same agent.
  uint32_t add(uint32_t Id, Reader R);
  /// Sets are never dropped one by one: time goes on, and with it their number.
  /// When there are many, those that no cell names are thrown away.
  bool crowded() const { return Sets.size() > 20000; }
  void compact(std::vector<Cell> &Cells);

private:
  struct Hash {
    size_t operator()(const Set &S) const {
      uint64_t H = S.size();
      for (const Reader &R : S)
        H = (H ^ R.E.Who ^ uint64_t(R.E.Clock) << 32 ^ uint64_t(R.Inst) << 17) *
            0x9e3779b97f4a7c15;
      return size_t(H ^ H >> 29);
    }
  };
  std::vector<const Set *> Sets; ///< Point to keys of Ids.
  std::unordered_map<Set, uint32_t, Hash> Ids;
  uint32_t LastSet = 0, LastResult = 0;
  Reader LastReader{};

  uint32_t intern(Set S);
};

} // namespace mxfp4::sim

#endif // MXFP4_LIB_SIM_SHADOW_H
