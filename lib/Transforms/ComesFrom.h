//===- ComesFrom.h - What is behind a value ---------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_LIB_TRANSFORMS_COMESFROM_H
#define MXFP4_LIB_TRANSFORMS_COMESFROM_H

#include "mlir/IR/Operation.h"

namespace mxfp4 {

/// The first operation with a property that a value is computed from, through
/// moves, widenings, gathers and operations on each element, but through no
/// sum; or null. For what users are told: a number bounds the work.
mlir::Operation *
comesFrom(mlir::Value value,
          llvm::function_ref<bool(mlir::Operation *)> isWanted);

} // namespace mxfp4

#endif // MXFP4_LIB_TRANSFORMS_COMESFROM_H
