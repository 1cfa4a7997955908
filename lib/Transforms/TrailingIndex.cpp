//===- TrailingIndex.cpp - Where do elements come from? -------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TrailingIndex.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/AffineExpr.h"

using namespace mlir;
using namespace mxfp4;

/// The value of an expression of trailing loops, which start at `first`.
static std::optional<int64_t>
evaluate(AffineExpr expr, ArrayRef<int64_t> trailing, unsigned first) {
  if (auto constant = dyn_cast<AffineConstantExpr>(expr))
    return constant.getValue();
  if (auto dim = dyn_cast<AffineDimExpr>(expr)) {
    if (dim.getPosition() < first)
      return std::nullopt;
    return trailing[dim.getPosition() - first];
  }
  auto binary = dyn_cast<AffineBinaryOpExpr>(expr);
  if (!binary)
    return std::nullopt;
  std::optional<int64_t> lhs = evaluate(binary.getLHS(), trailing, first);
  std::optional<int64_t> rhs = evaluate(binary.getRHS(), trailing, first);
  if (!lhs || !rhs)
    return std::nullopt;
  const bool divides = expr.getKind() != AffineExprKind::Add &&
                       expr.getKind() != AffineExprKind::Mul;
  // Operands are positions here, so that all divisions agree.
  if (divides && (*lhs < 0 || *rhs <= 0))
    return std::nullopt;
  switch (expr.getKind()) {
  case AffineExprKind::Add:
    return *lhs + *rhs;
  case AffineExprKind::Mul:
    return *lhs * *rhs;
  case AffineExprKind::Mod:
    return *lhs % *rhs;
  case AffineExprKind::FloorDiv:
    return *lhs / *rhs;
  case AffineExprKind::CeilDiv:
    return (*lhs + *rhs - 1) / *rhs;
  default:
    return std::nullopt;
  }
}

AffineMap mxfp4::mapFromResult(linalg::LinalgOp op, unsigned input) {
  AffineMap result = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
  if (!result.isPermutation())
    return AffineMap();
  return op.getMatchingIndexingMap(op.getDpsInputOperand(input))
      .compose(inversePermutation(result));
}

std::optional<SmallVector<int64_t>> mxfp4::trailingIndex(AffineMap map,
                                                         ArrayRef<int64_t> from,
                                                         ArrayRef<int64_t> to,
                                                         int64_t leading) {
  const auto rank = static_cast<int64_t>(to.size());
  if (!map || static_cast<int64_t>(from.size()) <= leading || rank <= leading)
    return std::nullopt;
  for (int64_t dim = 0; dim < leading; ++dim)
    if (map.getResult(dim) != getAffineDimExpr(dim, map.getContext()))
      return std::nullopt;
  to = to.drop_front(leading);
  from = from.drop_front(leading);
  if (ShapedType::isDynamicShape(to) || ShapedType::isDynamicShape(from))
    return std::nullopt;
  SmallVector<int64_t> index, position(to.size(), 0);
  const int64_t count = ShapedType::getNumElements(to);
  for (int64_t k = 0; k < count; ++k) {
    int64_t rest = k, flat = 0;
    for (int64_t dim = to.size() - 1; dim >= 0; --dim) {
      position[dim] = rest % to[dim];
      rest /= to[dim];
    }
    for (auto [dim, size] : llvm::enumerate(from)) {
      std::optional<int64_t> at =
          evaluate(map.getResult(leading + dim), position, leading);
      if (!at || *at < 0 || *at >= size)
        return std::nullopt;
      flat = flat * size + *at;
    }
    index.push_back(flat);
  }
  return index;
}

int64_t mxfp4::trailingSize(RankedTensorType type, int64_t leading) {
  if (!type || type.getRank() <= leading)
    return -1;
  ArrayRef<int64_t> shape = type.getShape().drop_front(leading);
  return ShapedType::isDynamicShape(shape) ? -1
                                           : ShapedType::getNumElements(shape);
}

bool mxfp4::dividesBy(ArrayRef<int64_t> index, int64_t by) {
  for (auto [k, at] : llvm::enumerate(index))
    if (at != static_cast<int64_t>(k) / by)
      return false;
  return true;
}

/// The leading dimensions each alone, the trailing ones together.
static SmallVector<ReassociationIndices> reassociation(int64_t leading,
                                                       int64_t rank) {
  SmallVector<ReassociationIndices> groups;
  for (int64_t dim = 0; dim < leading; ++dim)
    groups.push_back({dim});
  groups.emplace_back();
  for (int64_t dim = leading; dim < rank; ++dim)
    groups.back().push_back(dim);
  return groups;
}

Value mxfp4::reshapeTrailing(OpBuilder &b, Location loc, Value value,
                             int64_t leading, ArrayRef<int64_t> to) {
  RankedTensorType type = tensorTypeOf(value);
  if (type.getShape().drop_front(leading) == to)
    return value;
  if (type.getRank() > leading + 1)
    value = tensor::CollapseShapeOp::create(
        b, loc, value, reassociation(leading, type.getRank()));
  if (to.size() == 1)
    return value;
  SmallVector<int64_t> shape(type.getShape().take_front(leading));
  shape.append(to.begin(), to.end());
  return tensor::ExpandShapeOp::create(b, loc, type.clone(shape), value,
                                       reassociation(leading, shape.size()));
}

Value mxfp4::throughReshape(Value value, int64_t leading) {
  auto keeps = [&](ArrayRef<ReassociationIndices> groups) {
    if (static_cast<int64_t>(groups.size()) <= leading)
      return false;
    return llvm::all_of(groups.take_front(leading),
                        [](auto &group) { return group.size() == 1; });
  };
  if (auto op = value.getDefiningOp<tensor::CollapseShapeOp>())
    return keeps(op.getReassociationIndices()) ? op.getSrc() : Value();
  if (auto op = value.getDefiningOp<tensor::ExpandShapeOp>())
    return keeps(op.getReassociationIndices()) ? op.getSrc() : Value();
  return Value();
}
