//===- GridBuilding.h - Small pieces of the grid of tiles -------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Numbers, loads and scans over the lanes of a warp, of which RaggedGrid's
// table of tiles, its search and the first tile are made.
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_TRANSFORMS_GRIDBUILDING_H
#define MXFP4_TRANSFORMS_GRIDBUILDING_H

#include "KernelBuilding.h"

#include "mxfp4/Core/Warp.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

namespace mxfp4::grid {

inline mlir::Value compare(mlir::ImplicitLocOpBuilder &b,
                           mlir::arith::CmpIPredicate predicate, mlir::Value l,
                           mlir::Value r) {
  return mlir::arith::CmpIOp::create(b, predicate, l, r);
}
inline mlir::Value toIndex(mlir::ImplicitLocOpBuilder &b, mlir::Value value) {
  return mlir::arith::IndexCastOp::create(b, b.getIndexType(), value);
}
inline mlir::Value toI32(mlir::ImplicitLocOpBuilder &b, mlir::Value value) {
  return mlir::arith::IndexCastOp::create(b, b.getI32Type(), value);
}
inline mlir::Value load(mlir::ImplicitLocOpBuilder &b, mlir::Value memref,
                        mlir::Value at) {
  return mlir::memref::LoadOp::create(b, memref, mlir::ValueRange{at});
}

struct Shuffled {
  mlir::Value value, valid;
};
inline Shuffled shuffle(mlir::ImplicitLocOpBuilder &b,
                        mlir::gpu::ShuffleMode mode, mlir::Value value,
                        int32_t lane) {
  auto op = mlir::gpu::ShuffleOp::create(b, value, lane, kWarpThreads, mode);
  return {op.getShuffleResult(), op.getValid()};
}

/// Sum over the lanes before this one, and over all lanes.
inline std::pair<mlir::Value, mlir::Value>
emitScan(mlir::ImplicitLocOpBuilder &b, mlir::Value value) {
  mlir::Value sum = value;
  for (int distance = 1; distance < kWarpThreads; distance *= 2) {
    const Shuffled before =
        shuffle(b, mlir::gpu::ShuffleMode::UP, sum, distance);
    sum = mlir::arith::AddIOp::create(
        b, sum,
        mlir::arith::SelectOp::create(b, before.valid, before.value,
                                      i32Constant(b, 0)));
  }
  return {mlir::arith::SubIOp::create(b, sum, value),
          shuffle(b, mlir::gpu::ShuffleMode::IDX, sum, kWarpThreads - 1).value};
}

/// ORs `bits` into the error word, if there is one.
inline void emitReport(mlir::ImplicitLocOpBuilder &b, mlir::Value error,
                       int bits) {
  if (error)
    mlir::memref::AtomicRMWOp::create(b, mlir::arith::AtomicRMWKind::ori,
                                      i32Constant(b, bits), error,
                                      mlir::ValueRange{indexConstant(b, 0)});
}

} // namespace mxfp4::grid

#endif // MXFP4_TRANSFORMS_GRIDBUILDING_H
