//===- TensorRows.cpp - Which tensors have as many rows -------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TensorRows.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/Interfaces/DestinationStyleOpInterface.h"

using namespace mlir;
using namespace mxfp4;

Value mxfp4::rowsOf(Value tensor) {
  while (true) {
    if (auto retyped = tensor.getDefiningOp<tensor::CastOp>()) {
      tensor = retyped.getSource();
    } else if (auto expand = tensor.getDefiningOp<tensor::ExpandShapeOp>();
               expand && expand.getSrcType().getRank() > 0 &&
               expand.getReassociationIndices().front().size() == 1) {
      tensor = expand.getSrc();
    } else if (auto op = tensor.getDefiningOp<DestinationStyleOpInterface>()) {
      tensor = op.getTiedOpOperand(cast<OpResult>(tensor))->get();
    } else if (auto empty = tensor.getDefiningOp<tensor::EmptyOp>();
               empty && empty.getType().isDynamicDim(0)) {
      Value rows = empty.getDynamicSizes()[0];
      auto dim = rows.getDefiningOp<tensor::DimOp>();
      if (!dim || dim.getConstantIndex() != 0)
        return rows;
      tensor = dim.getSource();
    } else {
      return tensor;
    }
  }
}

bool mxfp4::isNumberOfRows(OpFoldResult size, Value tensor) {
  auto type = cast<RankedTensorType>(tensor.getType());
  if (!type.isDynamicDim(0))
    return getConstantIntValue(size) == type.getDimSize(0);
  auto value = dyn_cast<Value>(size);
  if (!value)
    return false;
  const Value rows = rowsOf(tensor);
  auto dim = value.getDefiningOp<tensor::DimOp>();
  if (dim && dim.getConstantIndex() == 0)
    return rowsOf(dim.getSource()) == rows;
  return value == rows;
}
