//===- LooksLike.cpp - What may be meant as MXFP4 -------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "LooksLike.h"
#include "UniformValue.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace mxfp4;

static bool isCode(Type type) {
  Type element = getElementTypeOrSelf(type);
  return isa<Float4E2M1FNType>(element) || element.isInteger(4);
}

static bool isScale(Type type) {
  return isa<Float8E8M0FNUType>(getElementTypeOrSelf(type));
}

static bool isFloat(Type type) {
  return isa<FloatType>(getElementTypeOrSelf(type));
}

/// Whether an integer is this number, in whatever spelling.
static bool isNumber(Value value, int64_t number) {
  auto constant = dyn_cast_or_null<IntegerAttr>(uniformValue(value));
  return constant && constant.getValue() == number;
}

/// Whether an operation takes a nibble out of a word that is shifted.
static bool masksShifted(Operation *op) {
  return isa<arith::AndIOp>(op) && isNumber(op->getOperand(1), 15) &&
         isa_and_nonnull<arith::ShRUIOp, arith::ShRSIOp>(
             op->getOperand(0).getDefiningOp());
}

/// Whether a body takes nibbles out of bytes, or has codes or scales by type.
static bool splitsBytes(Block *block) {
  return llvm::any_of(*block, [](Operation &op) {
    if (masksShifted(&op))
      return true;
    if (op.getNumOperands() == 2 && op.getOperand(0).getType().isInteger(8) &&
        ((isa<arith::ShRUIOp, arith::ShRSIOp>(op) &&
          isNumber(op.getOperand(1), 4)) ||
         (isa<arith::AndIOp>(op) && isNumber(op.getOperand(1), 15))))
      return true;
    // A table has a number for each code, or for each byte of two.
    if (auto extract = dyn_cast<tensor::ExtractOp>(op))
      if (matchPattern(extract.getTensor(), m_Constant()))
        return llvm::any_of(
            cast<ShapedType>(extract.getTensor().getType()).getShape(),
            [](int64_t size) { return size == 16 || size == 256; });
    return llvm::any_of(op.getResultTypes(), isCode) ||
           isa<arith::ScalingExtFOp>(op);
  });
}

bool mxfp4::readsCodes(linalg::LinalgOp op) {
  return llvm::any_of(op.getDpsInputs(),
                      [](Value input) { return isCode(input.getType()); }) ||
         splitsBytes(op.getBlock());
}

bool mxfp4::looksLikeSplit(linalg::LinalgOp op) {
  return op.getNumReductionLoops() == 0 && op.getNumDpsInits() == 1 &&
         op.getNumDpsInputs() >= 1 && op.getNumDpsInputs() <= 2 &&
         splitsBytes(op.getBlock()) &&
         getElementTypeOrSelf(op.getDpsInits()[0]).isInteger(8) &&
         !op.getBlock()
              ->getTerminator()
              ->getOperand(0)
              .getDefiningOp<arith::OrIOp>();
}

bool mxfp4::isReduction(linalg::LinalgOp op) {
  return op.getNumReductionLoops() > 0;
}

bool mxfp4::looksLikeDecode(Operation *op) {
  if (isa<arith::ScalingExtFOp>(op))
    return isa<ShapedType>(op->getResult(0).getType());
  if (isa<arith::ExtFOp>(op))
    return isa<ShapedType>(op->getResult(0).getType()) &&
           isCode(op->getOperand(0).getType());
  auto linalgOp = dyn_cast<linalg::LinalgOp>(op);
  // A gather is one that has no inputs and reads its numbers in the body.
  if (!linalgOp || isReduction(linalgOp) || linalgOp.getNumDpsInits() != 1)
    return false;
  Value yielded = linalgOp.getBlock()->getTerminator()->getOperand(0);
  const bool moves = isa<BlockArgument>(yielded);
  return !moves && isFloat(yielded.getType()) && !isCode(yielded.getType()) &&
         !isScale(yielded.getType()) && readsCodes(linalgOp);
}

/// Whether a value of a loop's body is computed from an argument of the body
/// that is wanted.
static bool comesFromArgument(Value value, LoopLikeOpInterface loop,
                              function_ref<bool(BlockArgument)> isWanted) {
  SmallVector<Value> queue = {value};
  DenseSet<Value> seen;
  while (!queue.empty()) {
    Value next = queue.pop_back_val();
    if (loop.isDefinedOutsideOfLoop(next) || !seen.insert(next).second)
      continue;
    if (auto argument = dyn_cast<BlockArgument>(next)) {
      if (argument.getOwner()->getParentOp() == loop && isWanted(argument))
        return true;
      continue;
    }
    // What the bodies inside read is computed from, too.
    next.getDefiningOp()->walk([&](Operation *op) {
      queue.append(op->operand_begin(), op->operand_end());
    });
  }
  return false;
}

bool mxfp4::looksLikeExpert(GroupedMatmulOp matmul, LoopLikeOpInterface loop) {
  return matmul.getNumGroups() == 1 && matmul.hasPureTensorSemantics() &&
         (cast<ShapedType>(matmul.getActivations().getType()).isDynamicDim(0) ||
          comesFromArgument(matmul.getWeights()[0], loop,
                            [](BlockArgument) { return true; })) &&
         !comesFromArgument(matmul.getActivations(), loop,
                            [](BlockArgument argument) {
                              return isa<TensorType>(argument.getType());
                            });
}
