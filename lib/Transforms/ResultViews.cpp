//===- ResultViews.cpp - A grouped_matmul's result in other shapes --------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "EpilogueConsumer.h"
#include "TensorRows.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace mxfp4;

namespace {

/// How many dimensions the rows of a view have.
unsigned rowDims(const ResultView &view) { return view.byExpert ? 2 : 1; }

FailureOr<ResultView> viewOf(ResultView from, tensor::ExpandShapeOp op) {
  const SmallVector<ReassociationIndices> groups = op.getReassociationIndices();
  ResultView to = from;
  to.value = op.getResult();
  if (!from.byExpert && groups.front().size() == 2)
    to.byExpert = op;
  if (from.columns == Columns::All && groups.back().size() == 2 &&
      op.getResultType().getShape().back() == 2)
    to.columns = Columns::Split;
  for (auto [i, group] : llvm::enumerate(groups)) {
    const bool isExpanded =
        (i == 0 && to.byExpert != from.byExpert) ||
        (i + 1 == groups.size() && to.columns != from.columns);
    if (group.size() != (isExpanded ? 2 : 1))
      return failure();
  }
  return to;
}

FailureOr<ResultView> viewOf(ResultView from, tensor::CollapseShapeOp op) {
  SmallVector<ReassociationIndices> groups = op.getReassociationIndices();
  if (from.columns != Columns::OneOfSplit || groups.back().size() != 2 ||
      groups.size() != rowDims(from) + 1)
    return failure();
  from.columns = Columns::One;
  from.value = op.getResult();
  return from;
}

/// Whether a slice has all rows, as they are.
bool hasAllRows(tensor::ExtractSliceOp op, unsigned dims) {
  for (unsigned dim = 0; dim < dims; ++dim) {
    if (getConstantIntValue(op.getMixedOffsets()[dim]) != 0 ||
        getConstantIntValue(op.getMixedStrides()[dim]) != 1)
      return false;
    const int64_t size = op.getSourceType().getDimSize(dim);
    if (!ShapedType::isDynamic(size)
            ? getConstantIntValue(op.getMixedSizes()[dim]) != size
            : dim != 0 ||
                  !isNumberOfRows(op.getMixedSizes()[dim], op.getSource()))
      return false;
  }
  return true;
}

FailureOr<ResultView> viewOf(ResultView from, tensor::ExtractSliceOp op) {
  const unsigned rows = rowDims(from);
  if (!hasAllRows(op, rows))
    return failure();
  const auto constants = [](ArrayRef<OpFoldResult> values) {
    return getConstantIntValues(values).value_or(SmallVector<int64_t>());
  };
  const SmallVector<OpFoldResult> offsets = op.getMixedOffsets(),
                                  sizes = op.getMixedSizes(),
                                  strides = op.getMixedStrides();
  const auto at = constants(ArrayRef(offsets).drop_front(rows)),
             count = constants(ArrayRef(sizes).drop_front(rows)),
             step = constants(ArrayRef(strides).drop_front(rows));
  if (at.empty() || count.empty() || step.empty() || at.back() < 0 ||
      at.back() > 1)
    return failure();
  const int64_t width = op.getSourceType().getDimSize(rows);
  from.parity = at.back();
  from.value = op.getResult();
  const int64_t reduced =
      op.getSourceType().getRank() - op.getResultType().getRank();
  if (from.columns == Columns::All && width % 2 == 0 && step.back() == 2 &&
      count.back() == width / 2 && reduced == 0) {
    from.columns = Columns::One;
    return from;
  }
  if (from.columns != Columns::Split || at.front() != 0 ||
      count != SmallVector<int64_t>{width, 1} || step.front() != 1 ||
      reduced > 1 || (reduced == 1 && !op.getDroppedDims().test(rows + 1)))
    return failure();
  from.columns = reduced == 1 ? Columns::One : Columns::OneOfSplit;
  return from;
}

/// The view of a view that an operation is; failure for other operations.
FailureOr<ResultView> viewOf(const ResultView &from, Operation *op) {
  if (auto expand = dyn_cast<tensor::ExpandShapeOp>(op))
    return viewOf(from, expand);
  if (auto collapse = dyn_cast<tensor::CollapseShapeOp>(op))
    return viewOf(from, collapse);
  if (auto slice = dyn_cast<tensor::ExtractSliceOp>(op))
    return viewOf(from, slice);
  return failure();
}

} // namespace

ResultUses mxfp4::findResultUses(GroupedMatmulOp matmul) {
  ResultUses found;
  SmallVector<ResultView> views(1);
  views[0].value = matmul->getResult(0);
  while (!views.empty()) {
    const ResultView view = views.pop_back_val();
    for (OpOperand &use : view.value.getUses()) {
      FailureOr<ResultView> next = viewOf(view, use.getOwner());
      if (failed(next)) {
        found.uses.push_back({&use, view});
        continue;
      }
      found.views.push_back(use.getOwner());
      views.push_back(*next);
    }
  }
  return found;
}

void mxfp4::detachSizes(GroupedMatmulOp matmul) {
  for (OpOperand &use :
       llvm::make_early_inc_range(matmul->getResult(0).getUses()))
    if (isa<tensor::DimOp>(use.getOwner()))
      use.set(matmul.getInit());
}
