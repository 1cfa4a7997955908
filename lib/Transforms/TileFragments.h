//===- TileFragments.h - A thread's part of a tile --------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What `mxfp4-insert-decode` writes alike for instructions of a warp and of a
// warpgroup: where a thread's warp is in the tile of a `mxfp4.tile_matmul`, and
// how a thread loads, decodes and stores what it has of the weights.
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_LIB_TRANSFORMS_TILEFRAGMENTS_H
#define MXFP4_LIB_TRANSFORMS_TILEFRAGMENTS_H

#include "mxfp4/IR/MXFP4.h"

#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mxfp4 {

/// Where the thread's warp is in the tile.
struct WarpPosition {
  mlir::Value warp, firstSlice, firstToken;
};

/// What a thread holds of a slice, still packed.
struct PackedSlice {
  llvm::SmallVector<mlir::Value> codes, scales;
};

/// What a thread does for one tile_matmul.
struct TileFragments {
  explicit TileFragments(TileMatmulOp op);

  const InstructionTraits &traits() const { return schedule.traits(); }

  WarpPosition locateWarp(mlir::ImplicitLocOpBuilder &b) const;

  PackedSlice load(mlir::ImplicitLocOpBuilder &b, mlir::Value slot,
                   mlir::Value slice) const;

  /// The registers of a fragment. If each word holds one row, registers of the
  /// thread's two rows alternate.
  llvm::SmallVector<mlir::Value> decode(mlir::ImplicitLocOpBuilder &b,
                                        const PackedSlice &packed,
                                        int64_t step) const;

  /// Stores a fragment to a decoded tile in shared memory.
  static void store(mlir::ImplicitLocOpBuilder &b, mlir::ValueRange fragment,
                    mlir::Value tile, mlir::Value slice, int64_t step);

  TileMatmulOp op;
  Schedule schedule;
  BlockLayout layout;
  /// How many of the instruction's blocks of rows (slices) and of its blocks of
  /// tokens (columns) a warp's part of the tile has.
  int64_t slices, columns;
  /// The instruction's steps along K in a block.
  int64_t steps;
};

} // namespace mxfp4

#endif // MXFP4_LIB_TRANSFORMS_TILEFRAGMENTS_H
