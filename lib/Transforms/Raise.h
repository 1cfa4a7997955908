//===- Raise.h - Parts of the pass mxfp4-raise ------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What is matched is matched by a function that takes a `Miss`: the pattern
// that rewrites asks without one, and the report asks again with one, so that
// the reason that a user reads is the condition that failed.
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_LIB_TRANSFORMS_RAISE_H
#define MXFP4_LIB_TRANSFORMS_RAISE_H

#include "DecodeProof.h"
#include "Miss.h"

#include "mxfp4/IR/MXFP4.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/PatternMatch.h"

namespace mxfp4 {

//===----------------------------------------------------------------------===//
// Decodes
//===----------------------------------------------------------------------===//

/// Codes (bytes or single codes) and scales (one a block) of decoded values.
/// The first `leading` dimensions of both are those of the values; the others
/// run over K.
struct Decode {
  mlir::Value codes, scales;
  int64_t leading = 0;
};

/// How a computation finds the codes and scales of its values.
struct DecodeCandidate {
  mlir::Value codes, scales;
  /// From positions in the values to positions in codes and scales.
  mlir::AffineMap codesMap, scalesMap;
  /// The shape of the values.
  llvm::SmallVector<int64_t> shape;
};

/// Values that `body` computes as `candidate` says.
mlir::FailureOr<Decode> matchDecode(const DecodeCandidate &candidate,
                                    const DecodeBody &body, Miss *why);
/// An operation whose result is decoded values.
mlir::FailureOr<Decode> matchDecode(mlir::linalg::LinalgOp op, Miss *why);
mlir::FailureOr<Decode> matchDecode(mlir::arith::ScalingExtFOp op, Miss *why);

/// The bytes that single codes (i4 or f4) were unpacked from, or null.
mlir::Value bytesOf(mlir::Value codes, int64_t leading);

/// The slice of a tensor with other trailing dimensions, whole, that `slice` is
/// of one with the same `leading` dimensions.
mlir::Value sliceLeading(mlir::OpBuilder &b, mlir::tensor::ExtractSliceOp slice,
                         mlir::Value whole, int64_t leading);

/// The bytes `... x K/32 x 16` and the scale bytes `... x K/32` of a decode.
std::pair<mlir::Value, mlir::Value>
makeBlocks(mlir::OpBuilder &b, mlir::Location loc, const Decode &decode);

/// Decodes that are written as several operations become one each.
void populateRaiseFusionPatterns(mlir::RewritePatternSet &patterns);

/// Decodes become `mxfp4.dequantize`.
void populateRaiseDequantizePatterns(mlir::RewritePatternSet &patterns);

//===----------------------------------------------------------------------===//
// Matmuls
//===----------------------------------------------------------------------===//

/// Whether `op` is a matmul with decoded weights that can be raised.
llvm::LogicalResult matchMatmul(mlir::linalg::LinalgOp op, Miss *why);

/// Matmuls on decoded weights become `grouped_matmul`.
void populateRaiseMatmulPatterns(mlir::RewritePatternSet &patterns);

/// Roundings to bf16 behind a `grouped_matmul` become part of it.
void populateRaiseRoundingPatterns(mlir::RewritePatternSet &patterns);

//===----------------------------------------------------------------------===//
// Loops over experts
//===----------------------------------------------------------------------===//

/// Whether a loop with a `grouped_matmul` of one group in it is one over
/// experts.
llvm::LogicalResult matchRaggedLoop(mlir::scf::ForOp op, Miss *why);

/// Loops over experts with a `grouped_matmul` of one group in them become one
/// `grouped_matmul`. `groupsCoverRows`: their groups are known to begin at the
/// first row and end at the last.
void populateRaiseRaggedPatterns(mlir::RewritePatternSet &patterns,
                                 bool groupsCoverRows);

//===----------------------------------------------------------------------===//
// Zero
//===----------------------------------------------------------------------===//

/// Whether every element is +0.0.
bool isPositiveZero(mlir::Value value);

/// The tensor that a fill with zeros overwrote, and that may be overwritten
/// instead; null if there is none.
mlir::Value filledTensor(mlir::Value zeros);

//===----------------------------------------------------------------------===//
// The report
//===----------------------------------------------------------------------===//

/// Says of everything under `root` that looks like ours why it was not raised;
/// `verbose`: also what was, and what to do next.
void reportMisses(mlir::Operation *root, bool verbose);

} // namespace mxfp4

#endif // MXFP4_LIB_TRANSFORMS_RAISE_H
