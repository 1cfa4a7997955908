//===- BlockIndex.h - From a position to its bytes --------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// `BlockLayout::codeMap` says which position of a block each thread's codes
// are. Code that walks positions (loops on the CPU, `unpack`) wants the other
// direction: where are the code and the scale of (row, col)? Since the map is
// linear over bits and a bijection, so is its inverse, and each part of the
// answer is a sum of bit groups of the row and of the column.
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_CORE_BLOCKINDEX_H
#define MXFP4_CORE_BLOCKINDEX_H

#include "mxfp4/Core/WeightLayout.h"

#include <vector>

namespace mxfp4 {

/// A number that is `base` plus a sum of bit groups of the row plus one of the
/// column.
struct PositionSum {
  int base = 0;
  std::vector<BitGroup> row;
  std::vector<BitGroup> col;

  int operator()(int rowIndex, int colIndex) const {
    return base + evaluate(row, rowIndex) + evaluate(col, colIndex);
  }
};

/// Where the code and the scale of a position of the block are.
struct BlockIndex {
  /// Byte offset in the block of the 32-bit word that holds the code.
  PositionSum wordOffset;
  /// The code's slot in that word; `BlockLayout::codeBit` says which bits.
  PositionSum slot;
  /// Byte offset in the block of the stored scale.
  PositionSum scaleOffset;

  /// The inverse of `BlockLayout::codeMap`.
  static BlockIndex get(const BlockLayout &layout);
};

} // namespace mxfp4

#endif // MXFP4_CORE_BLOCKINDEX_H
