//===- UniformValue.cpp - Tensors of one number ---------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "UniformValue.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;

Value mxfp4::sourceOfElements(Value value) {
  if (auto argument = dyn_cast<BlockArgument>(value)) {
    auto op = dyn_cast<linalg::LinalgOp>(argument.getOwner()->getParentOp());
    OpOperand *operand = op ? op.getMatchingOpOperand(argument) : nullptr;
    return operand && op.isDpsInput(operand) ? operand->get() : Value();
  }
  Operation *op = value.getDefiningOp();
  if (auto generate = dyn_cast<tensor::GenerateOp>(op))
    return generate.getBody().front().getTerminator()->getOperand(0);
  if (isa<tensor::SplatOp, tensor::CastOp, tensor::CollapseShapeOp,
          tensor::ExpandShapeOp, tensor::ExtractSliceOp, tensor::ExtractOp>(op))
    return op->getOperand(0);
  auto linalgOp = dyn_cast<linalg::LinalgOp>(op);
  // Other elements than those of loops stay as they were.
  if (!linalgOp || linalgOp->getNumResults() != 1 ||
      !linalgOp.getMatchingIndexingMap(linalgOp.getDpsInitOperand(0))
           .isPermutation() ||
      linalgOp.getNumReductionLoops() != 0)
    return {};
  return linalgOp.getBlock()->getTerminator()->getOperand(0);
}

Attribute mxfp4::uniformValue(Value value) {
  while (value) {
    Attribute constant;
    if (matchPattern(value, m_Constant(&constant))) {
      if (auto splat = dyn_cast<SplatElementsAttr>(constant))
        return splat.getSplatValue<Attribute>();
      return isa<ElementsAttr>(constant) ? Attribute() : constant;
    }
    value = sourceOfElements(value);
  }
  return {};
}
