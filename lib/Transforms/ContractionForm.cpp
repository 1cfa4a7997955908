//===- ContractionForm.cpp - Operands of a contraction --------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ContractionForm.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/TypeUtilities.h"

using namespace mlir;
using namespace mxfp4;

LoopParts ContractionOperand::flattened() const {
  LoopParts all;
  for (const LoopParts &parts : dims)
    for (const LoopPart &part : parts)
      appendPart(all, part);
  return all;
}

void mxfp4::appendPart(LoopParts &parts, LoopPart part) {
  if (!parts.empty() && parts.back().loop == part.loop &&
      !ShapedType::isDynamic(part.size) &&
      parts.back().divisor == part.divisor * part.size) {
    part.size *= parts.back().size;
    parts.back() = part;
  } else {
    parts.push_back(part);
  }
}

/// Divides the parts of one index among dimensions of these sizes; nullopt if a
/// part would have to be divided where it does not divide.
static std::optional<SmallVector<LoopParts>> divide(const LoopParts &parts,
                                                    ArrayRef<int64_t> sizes) {
  if (ShapedType::isDynamicShape(sizes) ||
      llvm::any_of(parts, [](const LoopPart &part) {
        return ShapedType::isDynamic(part.size);
      }))
    return std::nullopt;
  SmallVector<LoopParts> result(sizes.size());
  LoopParts left(parts);
  // From the smallest stride on.
  for (int64_t dim = sizes.size() - 1; dim >= 0; --dim) {
    int64_t size = sizes[dim];
    LoopParts found;
    while (size != 1) {
      if (left.empty())
        return std::nullopt;
      LoopPart part = left.pop_back_val();
      if (part.size > size) {
        if (part.size % size != 0)
          return std::nullopt;
        left.push_back({part.loop, part.size / size, part.divisor * size});
        part.size = size;
      }
      if (size % part.size != 0)
        return std::nullopt;
      size /= part.size;
      found.push_back(part);
    }
    for (const LoopPart &part : llvm::reverse(found))
      appendPart(result[dim], part);
  }
  return left.empty() ? std::optional(result) : std::nullopt;
}

static bool isBF16ToF32(Type from, Type to) {
  return getElementTypeOrSelf(from).isBF16() &&
         getElementTypeOrSelf(to).isF32();
}

/// Looks through an operation that yields each element of its only input once,
/// in another order or widened.
static bool throughMove(ContractionOperand &operand, linalg::LinalgOp op) {
  if (op.getNumDpsInputs() != 1 || op->getNumResults() != 1 ||
      op.getNumReductionLoops() != 0)
    return false;
  OpOperand *input = op.getDpsInputOperand(0);
  AffineMap from = op.getMatchingIndexingMap(input),
            to = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
  Value yielded = op.getBlock()->getTerminator()->getOperand(0);
  if (auto widen = yielded.getDefiningOp<arith::ExtFOp>();
      widen && isBF16ToF32(widen.getIn().getType(), widen.getType()))
    yielded = widen.getIn();
  if (!from.isPermutation() || !to.isPermutation() ||
      yielded != op.getMatchingBlockArgument(input))
    return false;
  SmallVector<LoopParts> inner(operand.dims.size());
  AffineMap map = from.compose(inversePermutation(to));
  for (auto [dim, parts] : llvm::enumerate(inner))
    parts = operand.dims[map.getDimPosition(dim)];
  operand = {input->get(), inner};
  return true;
}

static bool throughReshape(ContractionOperand &operand) {
  if (auto op = operand.value.getDefiningOp<tensor::ExpandShapeOp>()) {
    SmallVector<LoopParts> inner;
    for (const ReassociationIndices &group : op.getReassociationIndices()) {
      LoopParts &parts = inner.emplace_back();
      for (int64_t dim : group)
        for (const LoopPart &part : operand.dims[dim])
          appendPart(parts, part);
    }
    operand = {op.getSrc(), inner};
    return true;
  }
  auto op = operand.value.getDefiningOp<tensor::CollapseShapeOp>();
  if (!op)
    return false;
  SmallVector<LoopParts> inner;
  for (auto [parts, group] :
       llvm::zip_equal(operand.dims, op.getReassociationIndices())) {
    if (group.size() == 1) {
      inner.push_back(parts);
      continue;
    }
    SmallVector<int64_t> sizes;
    for (int64_t dim : group)
      sizes.push_back(op.getSrcType().getDimSize(dim));
    auto divided = divide(parts, sizes);
    if (!divided)
      return false;
    inner.append(*divided);
  }
  operand = {op.getSrc(), inner};
  return true;
}

std::optional<ContractionOperand> mxfp4::normalForm(linalg::LinalgOp op,
                                                    OpOperand *input) {
  SmallVector<int64_t> extents = op.getStaticLoopRanges();
  ContractionOperand operand{input->get(), {}};
  for (AffineExpr expr : op.getMatchingIndexingMap(input).getResults()) {
    auto dim = dyn_cast<AffineDimExpr>(expr);
    if (!dim)
      return std::nullopt;
    const unsigned loop = dim.getPosition();
    LoopParts &parts = operand.dims.emplace_back();
    if (extents[loop] != 1)
      parts.push_back({loop, extents[loop], 1});
  }
  while (Operation *def = operand.value.getDefiningOp()) {
    if (auto widen = dyn_cast<arith::ExtFOp>(def);
        widen && isBF16ToF32(widen.getIn().getType(), widen.getType()))
      operand.value = widen.getIn();
    else if (auto retyped = dyn_cast<tensor::CastOp>(def))
      operand.value = retyped.getSource();
    else if (auto move = dyn_cast<linalg::LinalgOp>(def);
             !(move && throughMove(operand, move)) && !throughReshape(operand))
      break;
  }
  return operand;
}
