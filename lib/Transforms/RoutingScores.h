//===- RoutingScores.h - Scores of experts as operations --------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What mxfp4.top_k computes of a logit, for the loops on the CPU and for the
// kernel alike.
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_LIB_TRANSFORMS_ROUTINGSCORES_H
#define MXFP4_LIB_TRANSFORMS_ROUTINGSCORES_H

#include "mxfp4/IR/MXFP4.h"

#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mxfp4 {

/// Whether scores of this kind depend on no other logit.
bool isScalarScoring(Scoring scoring);

/// The score of a logit (f32), for those; for the others exp(logit - max).
mlir::Value emitScore(mlir::ImplicitLocOpBuilder &b, Scoring scoring,
                      mlir::Value logit, mlir::Value max);

/// An i32 that is ordered, as a signed number, like f32 values are, with 0
/// equal to -0 and NaN, all alike, behind -inf. Greater than `kNoKey`.
mlir::Value emitKey(mlir::ImplicitLocOpBuilder &b, mlir::Value value);
inline constexpr int64_t kNoKey = INT32_MIN;

/// The value (f32) of a key, NaN for that of NaN.
mlir::Value emitValueOfKey(mlir::ImplicitLocOpBuilder &b, mlir::Value key);

/// value / sum, or value where the sum is 0; times `scale`.
mlir::Value emitWeight(mlir::ImplicitLocOpBuilder &b, mlir::Value value,
                       mlir::Value sum, float scale);

} // namespace mxfp4

#endif // MXFP4_LIB_TRANSFORMS_ROUTINGSCORES_H
