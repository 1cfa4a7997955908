//===- LooksLike.h - What may be meant as MXFP4 -----------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Users are told why something was not raised where it looks as if it could be:
// by types, and by a few operations.
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_LIB_TRANSFORMS_LOOKSLIKE_H
#define MXFP4_LIB_TRANSFORMS_LOOKSLIKE_H

#include "mxfp4/IR/MXFP4.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Interfaces/LoopLikeInterface.h"

namespace mxfp4 {

bool isReduction(mlir::linalg::LinalgOp op);

/// Whether `op` reads what may be MXFP4 codes: by their type, or by its body.
bool readsCodes(mlir::linalg::LinalgOp op);

/// Whether `op` does no more than that: nibbles of bytes as integers. What puts
/// two nibbles into a byte takes none out.
bool looksLikeSplit(mlir::linalg::LinalgOp op);

/// Whether `op` is a decode, or a part of it: codes, or scales, to numbers.
bool looksLikeDecode(mlir::Operation *op);

/// Whether a matmul in a loop is of the loop's expert: with weights, or a
/// number of rows, of each iteration, and rows that no iteration before
/// computes. A loop over layers or time steps is none over experts, and its
/// matmuls are raised already.
bool looksLikeExpert(GroupedMatmulOp matmul, mlir::LoopLikeOpInterface loop);

} // namespace mxfp4

#endif // MXFP4_LIB_TRANSFORMS_LOOKSLIKE_H
