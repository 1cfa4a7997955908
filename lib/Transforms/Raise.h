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

/// The elements of a tensor, as values that may be decoded.
DecodeCandidate decodedTensor(mlir::Value tensor);
/// A scalar of the body of `op`, for these loops.
DecodeCandidate decodedScalar(mlir::linalg::LinalgOp op, mlir::Value scalar,
                              llvm::ArrayRef<unsigned> order);

/// Whether an operation computes numbers element by element, and so perhaps the
/// last step of a decode.
bool mayBeDecode(mlir::Operation *op);

/// Whether the result of `op` is decoded values.
mlir::FailureOr<Decode> matchDecode(mlir::Operation *op, Miss *why,
                                    DecodeStep *step = nullptr);

/// Decodes that nearly are.
struct DecodeMisses {
  struct Entry {
    mlir::Operation *op;
    Miss why;
    /// What it is computed from, where that is of interest.
    llvm::DenseSet<mlir::Operation *> parts;
  };
  llvm::SmallVector<Entry, 4> decodes;
  /// Values that do not come from one code and one scale each, as far as the
  /// trace goes; of interest where they come from codes by type.
  llvm::SmallVector<Entry, 4> untraced;
  bool isPartOfUntraced(mlir::Operation *op) const;
  /// These, and what they are computed from.
  llvm::DenseSet<mlir::Operation *> explained;
};

/// Decodes become `mxfp4.dequantize`.
DecodeMisses raiseDecodes(mlir::Operation *root);

/// The values of a decode as a tensor of its shape.
mlir::Value makeValues(mlir::OpBuilder &b, mlir::Location loc,
                       mlir::RankedTensorType type, const Decode &decode,
                       const Promises &promises);

/// Says on an operation what it was raised under.
void setPromises(mlir::Operation *op, const Promises &promises);

//===----------------------------------------------------------------------===//
// Named entries
//===----------------------------------------------------------------------===//

/// Calls of `mxfp4.grouped_matmul` by name become the operation, and calls of
/// `mxfp4.moe` the operations of a layer.
void raiseEntries(mlir::Operation *root);

/// Decodes and matmuls of TOSA on blocks are spelled out in linalg.
void spellBlockOps(mlir::Operation *root);
/// Ragged dots of JAX on decoded weights become loops over experts.
void spellRaggedDots(mlir::Operation *root);

//===----------------------------------------------------------------------===//
// Matmuls
//===----------------------------------------------------------------------===//

/// Offsets of groups, and numbers of experts and rows, become constants of the
/// program, which then has at most 16 MB of each.
inline constexpr int64_t kMostConstants = int64_t(1) << 22;

/// Whether `op` is a matmul with decoded weights that can be raised.
llvm::LogicalResult matchMatmul(mlir::linalg::LinalgOp op, Miss *why);

/// Matmuls on decoded weights become `grouped_matmul`.
void populateRaiseMatmulPatterns(mlir::RewritePatternSet &patterns);

/// Activations that the body of a contraction decodes are decoded in front.
void populateRaiseRowsPatterns(mlir::RewritePatternSet &patterns);

/// Gathers of decoded weights become ones by numbers in a tensor.
void populateRaiseGatherPatterns(mlir::RewritePatternSet &patterns);

/// Rows of decoded weights that constants select are taken out of codes and
/// scales.
void populateGatherBlocksPatterns(mlir::RewritePatternSet &patterns);

/// Loops of contractions that run over several things at once become several,
/// and sums over the experts of a row come behind the matmul.
void populateRaiseLoopPatterns(mlir::RewritePatternSet &patterns);

/// Products with decoded weights become part of the sum that takes them.
void populateRaiseProductPatterns(mlir::RewritePatternSet &patterns);

/// Slices and branches that join decoded weights become concatenations.
void populateSpellConcatPatterns(mlir::RewritePatternSet &patterns);

/// Weights that a condition chooses become experts that numbers select.
void populateRaiseChoicePatterns(mlir::RewritePatternSet &patterns);

/// Codes and scales are joined where decoded weights were.
void populateRaiseConcatPatterns(mlir::RewritePatternSet &patterns);

/// Slices of decoded weights move in front of transpositions of these; codes
/// and scales are padded in place of decoded weights.
void populateRaiseSlicePatterns(mlir::RewritePatternSet &patterns);

/// Roundings to bf16 behind a `grouped_matmul` become part of it.
void populateRaiseRoundingPatterns(mlir::RewritePatternSet &patterns);

//===----------------------------------------------------------------------===//
// Loops over experts
//===----------------------------------------------------------------------===//

/// Whether a loop with a `grouped_matmul` of one group in it is one over
/// experts.
llvm::LogicalResult matchRaggedLoop(mlir::scf::ForOp op, Miss *why);

/// Parallel loops over experts are put into order, if that makes them loops
/// that become one `grouped_matmul`; whether there were any.
bool orderForalls(mlir::Operation *root);

/// Loops over experts with a `grouped_matmul` of one group in them become one
/// `grouped_matmul`. `groupsCoverRows`: their groups are known to begin at the
/// first row and end at the last.
void populateRaiseRaggedPatterns(mlir::RewritePatternSet &patterns,
                                 bool groupsCoverRows);

/// Loops with a `grouped_matmul` in each iteration, whose result is a slice of
/// the loop's, become one `grouped_matmul`.
void populateRaiseMappedLoopPatterns(mlir::RewritePatternSet &patterns);

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
/// `verbose`: also what was, and what to do next. `decodes`: what is known of
/// decodes.
void reportMisses(mlir::Operation *root, const DecodeMisses &decodes,
                  bool verbose);

} // namespace mxfp4

#endif // MXFP4_LIB_TRANSFORMS_RAISE_H
