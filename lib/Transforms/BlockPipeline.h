//===- BlockPipeline.h - What a step of an overlapped loop does -*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The loop over K of a role that multiplies, in which a block of weights is
// multiplied while the next one is decoded and the one after is fetched.
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_LIB_TRANSFORMS_BLOCKPIPELINE_H
#define MXFP4_LIB_TRANSFORMS_BLOCKPIPELINE_H

#include "mxfp4/IR/MXFP4.h"

#include "mlir/IR/IRMapping.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

#include <optional>

namespace mxfp4 {

/// What a thread holds of a block of weights: raw words when it is fetched,
/// fragments when it is decoded.
using Registers = llvm::SmallVector<mlir::Value>;

/// A loop over K that can be overlapped. A step has the blocks 0 to
/// `blocks - 1`, and each block as many batches as the step has parts along K.
struct BlockLoop {
  KLoopOp loop;
  BlockMatmulOp matmul;
  int64_t blocks = 0, parts = 1;
  /// Steps of each K slice: all odd or all even.
  llvm::SmallVector<int64_t> counts;
  /// For each block, what its fetch computes whatever the slot.
  llvm::SmallVector<mlir::IRMapping> places;
  /// For each part, the fetched words that its fragments are decoded from.
  llvm::SmallVector<llvm::SmallVector<unsigned>> words;

  int64_t batches() const { return blocks * parts; }
};

/// A step of a loop whose sums are promoted.
struct StepNumber {
  /// How many steps there are is null where this is not the last.
  mlir::Value number, count;
  /// Whether an interval may end with it.
  bool endsInterval = true;
};

/// The pipeline between two blocks.
struct BlockState {
  /// What instructions add to, and what these sums are added to at intervals;
  /// null if they are all there is.
  mlir::Value sums, promoted;
  /// Cursors of the step before (its group may still run), of the step that is
  /// multiplied and of the step behind it.
  mlir::Value previous, current, next;
  /// Fragments to multiply, and those of the batch before.
  Registers fragments, spare;
  /// Words of the batch to decode.
  Registers raw;
  /// Batches decoded and multiplied so far, in the order of the text: an even
  /// number in the loop, so that two buffers take turns.
  int64_t decoded = 0, multiplied = 0;
  /// Whether the last batch that is started next is the last of all, without a
  /// loop around it. It waits for all groups then: from a wait for all but one
  /// on, ptxas takes the accumulator to be complete, and moves what reads it
  /// ahead of a second wait in the same block.
  bool endsAll = false;

  llvm::SmallVector<mlir::Value> flatten() const;
  void assign(mlir::ValueRange values);
};

/// Divides each step of a loop into a number of parts along K. False if its
/// words cannot be divided so.
bool divideSteps(BlockLoop &of, int64_t parts);

/// What the fetch of each block computes whatever the slot, computed once.
llvm::SmallVector<mlir::IRMapping>
emitPlaces(mlir::ImplicitLocOpBuilder &b, BlockMatmulOp matmul, int64_t blocks);

/// The state ahead of the first batch. Sums that are promoted have others from
/// the first step on if `promotes`, or else from `beginPromotion` on.
BlockState beginBlocks(mlir::ImplicitLocOpBuilder &b, const BlockLoop &of,
                       bool promotes);

/// The sums so far, behind the last step of the first interval, become those
/// that later ones are promoted to.
void beginPromotion(mlir::ImplicitLocOpBuilder &b, BlockState &state);

/// Consecutive steps: start a batch, and prepare the next ones while it runs.
/// There is none before the first without `hasPrevious`; else its stage is
/// released if that is true. What is fetched past the last of them is fetched
/// if `more`. Null: always. The number is that of the first of these steps,
/// which only sums that are promoted need.
void emitSteps(mlir::ImplicitLocOpBuilder &b, const BlockLoop &of,
               BlockState &state, int64_t steps,
               std::optional<mlir::Value> hasPrevious, mlir::Value more,
               StepNumber first);

/// Gives a stage back, if the condition holds; null: always.
void releaseStage(mlir::ImplicitLocOpBuilder &b, KLoopOp loop,
                  mlir::Value cursor, mlir::Value condition);

} // namespace mxfp4

#endif // MXFP4_LIB_TRANSFORMS_BLOCKPIPELINE_H
