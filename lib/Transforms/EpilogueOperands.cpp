//===- EpilogueOperands.cpp - Operands of a fused epilogue ----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "EpilogueOperands.h"
#include "TensorType.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace mxfp4;

/// The tensor with the dimensions `dims` alone; the others have size 1.
Value OperandBuilder::keepDims(Value tensor, ArrayRef<int64_t> dims) {
  const int64_t rank = tensorType(tensor).getRank();
  if (int64_t(dims.size()) == rank)
    return tensor;
  SmallVector<ReassociationIndices> groups(dims.size());
  for (int64_t dim = 0, group = 0; dim < rank && !dims.empty(); ++dim) {
    // A group ends with a kept dimension and has those of size 1 before it.
    if (dim > dims[group] && group + 1 < int64_t(dims.size()))
      ++group;
    groups[group].push_back(dim);
  }
  return tensor::CollapseShapeOp::create(b, tensor, groups);
}

/// Broadcasts values per column to all experts, to both columns of a pair, or
/// to both.
Value OperandBuilder::spread(Value values, bool forExperts, bool forPairs) {
  if (forExperts && experts == 1) {
    const int64_t columns = tensorType(values).getDimSize(0);
    values = tensor::ExpandShapeOp::create(
        b, tensorType(values).clone({1, columns}), values,
        ArrayRef<ReassociationIndices>{{0, 1}});
    forExperts = false;
  }
  if (!forExperts && !forPairs)
    return values;
  SmallVector<int64_t> shape(tensorType(values).getShape()), added;
  if (forExperts) {
    shape.insert(shape.begin(), experts);
    added.push_back(0);
  }
  if (forPairs) {
    shape.push_back(2);
    added.push_back(2);
  }
  Value init =
      tensor::EmptyOp::create(b, shape, tensorType(values).getElementType());
  Value all = linalg::BroadcastOp::create(b, values, init, added)->getResult(0);
  if (!forPairs)
    return all;
  return tensor::CollapseShapeOp::create(
      b, all, ArrayRef<ReassociationIndices>{{0}, {1, 2}});
}

Value OperandBuilder::make(const ConsumerInput &input) {
  if (!isa<ShapedType>(input.value.getType()))
    return tensor::FromElementsOp::create(
        b, RankedTensorType::get({}, input.value.getType()), input.value);
  const RankedTensorType type = tensorType(input.value);
  // An input without a parity has one value for both columns of a pair.
  const bool twice = pairs && !input.parity;
  if (input.kind == InputKind::PerColumn && experts == 1 && !twice &&
      type.getRank() == 2 && input.dims == SmallVector<int64_t>{1})
    return input.value;
  Value values = keepDims(input.value, input.dims);
  switch (input.kind) {
  case InputKind::PerRow:
    if (tensorType(values).getRank() == 2)
      values = tensor::CollapseShapeOp::create(
          b, values, ArrayRef<ReassociationIndices>{{0, 1}});
    return values;
  case InputKind::PerColumn:
    return spread(values, /*forExperts=*/true, twice);
  case InputKind::PerExpertAndColumn:
    return spread(values, /*forExperts=*/false, twice);
  default:
    return values;
  }
}

unsigned OperandBuilder::add(const ConsumerInput &input) {
  for (auto &[other, number] : added)
    if (other.value == input.value && other.kind == input.kind &&
        other.parity.has_value() == input.parity.has_value())
      return number;
  Value operand = make(input);
  const unsigned number =
      std::distance(operands.begin(), llvm::find(operands, operand));
  if (number == operands.size())
    operands.push_back(operand);
  added.emplace_back(input, number);
  return number;
}
