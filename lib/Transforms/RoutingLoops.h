//===- RoutingLoops.h - The specification of routing ------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Parts of mxfp4-lower-to-loops.
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_LIB_TRANSFORMS_ROUTINGLOOPS_H
#define MXFP4_LIB_TRANSFORMS_ROUTINGLOOPS_H

#include "LoopBuilder.h"

#include "mxfp4/IR/MXFP4.h"

namespace mxfp4 {

/// Emit loops on memrefs in front of the operation.
void emitTopKLoops(TopKOp op);
void emitSortLoops(SortByExpertOp op);
void emitCountLoops(CountByExpertOp op);
void emitDispatchLoops(DispatchOp op);
void emitCombineLoops(CombineOp op);
void emitQuantizeRowsLoops(QuantizeRowsOp op);

/// Runs `body` for each slot of a token that has a row, with the row; ORs 4
/// into an error word, if there is one, for a position that is neither a row
/// nor -1.
void forRowsOfToken(LoopBuilder &l, mlir::Value positions, mlir::Value token,
                    mlir::Value rows, mlir::Value error,
                    llvm::function_ref<void(mlir::Value)> body);

/// The scale of a row in FP8, whose values are given by column, as f32.
mlir::Value scaleOfRow(LoopBuilder &l, mlir::Value columns,
                       llvm::function_ref<mlir::Value(mlir::Value)> value);
/// The E4M3 code nearest to an f32, as i32.
mlir::Value encodeE4M3(LoopBuilder &l, mlir::Value value);

} // namespace mxfp4

#endif // MXFP4_LIB_TRANSFORMS_ROUTINGLOOPS_H
