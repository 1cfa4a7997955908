//===- ContractionFill.cpp - Weights with NaN in place of some ------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ContractionForm.h"
#include "UniformValue.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace mxfp4;

static bool isNaN(Value value) {
  auto number = dyn_cast_or_null<FloatAttr>(uniformValue(value));
  return number && number.getValue().isNaN();
}

bool mxfp4::throughFill(ContractionOperand &operand, linalg::LinalgOp op) {
  if (operand.kept.value || op->getNumResults() != 1 ||
      !op.hasPureTensorSemantics() || op.getNumReductionLoops() != 0)
    return false;
  auto select = op.getBlock()
                    ->getTerminator()
                    ->getOperand(0)
                    .getDefiningOp<arith::SelectOp>();
  AffineMap to = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
  if (!select || !to.isPermutation() || !isNaN(select.getFalseValue()))
    return false;
  const AffineMap toDim = inversePermutation(to);
  // Which loops run over an input that is taken as it is.
  const auto moved = [&](Value element) -> std::optional<MovedTensor> {
    auto argument = dyn_cast<BlockArgument>(element);
    if (!argument || argument.getOwner() != op.getBlock())
      return std::nullopt;
    OpOperand *input = op.getMatchingOpOperand(argument);
    if (!op.isDpsInput(input) || !isa<RankedTensorType>(input->get().getType()))
      return std::nullopt;
    MovedTensor found;
    found.value = input->get();
    for (AffineExpr expr : op.getMatchingIndexingMap(input).getResults()) {
      auto loop = dyn_cast<AffineDimExpr>(expr);
      if (!loop)
        return std::nullopt;
      found.dims.push_back(
          operand.dims[toDim.getDimPosition(loop.getPosition())]);
    }
    return found;
  };
  std::optional<MovedTensor> kept = moved(select.getCondition()),
                             values = moved(select.getTrueValue());
  if (!kept || !values ||
      !op.getMatchingIndexingMap(op.getMatchingOpOperand(cast<BlockArgument>(
                                     select.getTrueValue())))
           .isPermutation())
    return false;
  operand.kept = *kept;
  operand.value = values->value;
  operand.dims = values->dims;
  return true;
}
