//===- Shadow.h - What is known of every word of memory --------*- C++ -*-===//
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

#include <map>
#include <memory>
#include <string>
#include <tuple>

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
    Landing = 16    ///< An asynchronous copy has yet to write it.
  };
};
static_assert(sizeof(Cell) == 32, "a cell is half a cache line");

/// Interned sets of readers.
class ReadSets {
public:
  struct Reader {
    Epoch E;
    uint32_t Inst;
    bool operator<(const Reader &O) const {
      return std::tie(E.Who, E.Clock, Inst) <
             std::tie(O.E.Who, O.E.Clock, O.Inst);
    }
  };
  ReadSets() : Sets(1) {}
  const std::vector<Reader> &get(uint32_t Id) const { return Sets[Id]; }
  /// The set with \p R added, in place of an older read by the same agent.
  uint32_t add(uint32_t Id, Reader R);

private:
  std::vector<std::vector<Reader>> Sets;
  std::map<std::vector<Reader>, uint32_t> Ids;
  uint32_t LastSet = 0, LastResult = 0;
  Reader LastReader{};
};

} // namespace mxfp4::sim

#endif // MXFP4_LIB_SIM_SHADOW_H
