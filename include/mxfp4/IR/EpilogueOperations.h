//===- EpilogueOperations.h - What epilogues may compute --------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Operations of arith that the verifier of epilogues refuses, and that passes
// therefore leave outside of epilogues.
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_IR_EPILOGUEOPERATIONS_H
#define MXFP4_IR_EPILOGUEOPERATIONS_H

#include "mlir/Dialect/Arith/IR/Arith.h"

#include <string>

namespace mxfp4 {

/// Whether a conversion rounds to nearest even, as all conversions of kernels
/// and of loops do: LLVM drops any other mode in silence.
bool roundsToNearestEven(mlir::arith::TruncFOp op);

/// Why no epilogue has `op`, an operation of arith or math, as a clause; empty
/// if an epilogue may have `op`. Does not ask which functions of math kernels
/// have.
std::string whyNotInEpilogue(mlir::Operation &op);

} // namespace mxfp4

#endif // MXFP4_IR_EPILOGUEOPERATIONS_H
