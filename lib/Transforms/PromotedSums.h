//===- PromotedSums.h - Sums that are added in f32 at intervals -*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Instructions whose sums lose bits have sums of their own, which are added to
// the accumulator after so much of K: what the loops over K of a role that
// multiplies, overlapped or not, emit for it.
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_LIB_TRANSFORMS_PROMOTEDSUMS_H
#define MXFP4_LIB_TRANSFORMS_PROMOTEDSUMS_H

#include "mxfp4/IR/MXFP4.h"

#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/Interfaces/FunctionInterfaces.h"

namespace mxfp4 {

/// Whether step `number` adds to sums that an earlier one began; else it begins
/// from zeros.
mlir::Value emitIsGoingOn(mlir::ImplicitLocOpBuilder &b, BlockMatmulOp op,
                          mlir::Value number);

/// Whether step `number` of `count` is the last one of its sums. Without a
/// count it is not the last of all.
mlir::Value emitIsEnd(mlir::ImplicitLocOpBuilder &b, BlockMatmulOp op,
                      mlir::Value number, mlir::Value count);

/// Whether the first interval of a kernel's promoted sums has a loop of its
/// own: several groups of whole steps only add, and others may begin from
/// zeros.
bool hasLoopOfFirstInterval(mlir::FunctionOpInterface kernel);

/// Whether a kernel promotes sums.
bool promotesSums(mlir::FunctionOpInterface kernel);

/// lhs + rhs of accumulators.
mlir::Value addSums(mlir::ImplicitLocOpBuilder &b, mlir::Value lhs,
                    mlir::Value rhs);

/// The sums that the instructions of a loop begin with; null if they add to its
/// accumulator.
mlir::Value ownSums(mlir::ImplicitLocOpBuilder &b, KLoopOp loop);

} // namespace mxfp4

#endif // MXFP4_LIB_TRANSFORMS_PROMOTEDSUMS_H
