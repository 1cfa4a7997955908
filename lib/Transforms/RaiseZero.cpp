//===- RaiseZero.cpp - Tensors of zeros, however they are written ---------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Raise.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace mxfp4;

/// Whether a linalg operation yields the same zero for every element: a
/// constant of its body, or an input of zeros.
static bool yieldsZero(linalg::LinalgOp op) {
  // Other elements than those of loops stay as they were.
  if (op.getNumReductionLoops() != 0 || op->getNumResults() != 1 ||
      !op.getMatchingIndexingMap(op.getDpsInitOperand(0)).isPermutation())
    return false;
  Value yielded = op.getBlock()->getTerminator()->getOperand(0);
  auto argument = dyn_cast<BlockArgument>(yielded);
  if (!argument || argument.getOwner() != op.getBlock())
    return isPositiveZero(yielded);
  OpOperand *operand = op.getMatchingOpOperand(argument);
  return op.isDpsInput(operand) && isPositiveZero(operand->get());
}

bool mxfp4::isPositiveZero(Value value) {
  if (matchPattern(value, m_PosZeroFloat()))
    return true;
  Operation *op = value.getDefiningOp();
  if (!op)
    return false;
  if (auto linalgOp = dyn_cast<linalg::LinalgOp>(op))
    return yieldsZero(linalgOp);
  if (auto generate = dyn_cast<tensor::GenerateOp>(op))
    return isPositiveZero(
        generate.getBody().front().getTerminator()->getOperand(0));
  // Widening, rounding and moving make zeros of zeros.
  if (isa<tensor::SplatOp, tensor::CastOp, tensor::CollapseShapeOp,
          tensor::ExpandShapeOp, tensor::ExtractSliceOp, arith::ExtFOp,
          arith::TruncFOp>(op))
    return isPositiveZero(op->getOperand(0));
  return false;
}

Value mxfp4::filledTensor(Value zeros) {
  auto op = zeros.getDefiningOp<linalg::LinalgOp>();
  return op ? op.getDpsInitOperand(0)->get() : Value();
}
