//===- RaiseScatter.cpp - Scatters as strided slices ----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// JAX writes `out.at[..., 0::2].set(low)` as a scatter, which IREE has as an
// operation of its own. Where the positions are constants with one step, the
// scatter inserts a strided slice, and the nibbles of a decode can be traced
// through it.
//
//===----------------------------------------------------------------------===//

#include "ElementTrace.h"
#include "Entries.h"

#include "mlir/IR/ImplicitLocOpBuilder.h"

using namespace mlir;
using namespace mxfp4;

namespace {

/// Positions first, first + step, ...
struct Progression {
  int64_t first, step;
};

} // namespace

/// The positions `[n, 1]`, if they are constants below `size` with one step.
static std::optional<Progression> progressionOf(Value positions, int64_t size) {
  auto type = cast<RankedTensorType>(positions.getType());
  const int64_t count = type.getDimSize(0);
  ElementTrace trace;
  SmallVector<int64_t> values;
  for (int64_t i = 0; i < count; ++i) {
    ElementIndex at(2);
    appendDigit(at[0], Digit::known(i, count));
    appendDigit(at[1], Digit::known(0, 1));
    std::optional<unsigned> node = trace.element(positions, at);
    if (!node || trace[*node].kind != ScalarNode::Kind::Constant)
      return std::nullopt;
    values.push_back(
        llvm::SignExtend64(trace[*node].bits, type.getElementTypeBitWidth()));
  }
  const Progression found = {values[0], count > 1 ? values[1] - values[0] : 1};
  for (auto [i, value] : llvm::enumerate(values))
    if (value != found.first + static_cast<int64_t>(i) * found.step ||
        value < 0 || value >= size)
      return std::nullopt;
  return found.step > 0 ? std::optional(found) : std::nullopt;
}

/// Whether the operation replaces rows of a tensor.
static bool replacesRows(Operation *op) {
  if (op->getName().getStringRef() != "iree_linalg_ext.scatter" ||
      op->getNumOperands() != 3 || op->getNumResults() != 1 ||
      op->getNumRegions() != 1 || !op->getRegion(0).hasOneBlock())
    return false;
  auto dims =
      dyn_cast_or_null<DenseI64ArrayAttr>(attributeOf(op, "dimension_map"));
  Block &body = op->getRegion(0).front();
  if (!dims || dims.asArrayRef() != ArrayRef<int64_t>{0} ||
      body.getNumArguments() != 2 || !llvm::hasSingleElement(body) ||
      body.front().getNumOperands() != 1 ||
      body.front().getOperand(0) != body.getArgument(0))
    return false;
  auto updates = dyn_cast<RankedTensorType>(op->getOperand(0).getType()),
       positions = dyn_cast<RankedTensorType>(op->getOperand(1).getType()),
       into = dyn_cast<RankedTensorType>(op->getOperand(2).getType());
  return updates && positions && into && updates.hasStaticShape() &&
         positions.hasStaticShape() && into.hasStaticShape() &&
         updates.getNumElements() > 0 && positions.getRank() == 2 &&
         positions.getDimSize(1) == 1 &&
         positions.getElementType().isSignlessInteger() &&
         updates.getRank() == into.getRank() + 1 &&
         updates.getDimSize(0) == positions.getDimSize(0) &&
         updates.getDimSize(1) == 1 &&
         updates.getShape().drop_front(2) == into.getShape().drop_front() &&
         op->getResult(0).getType() == into;
}

bool mxfp4::spellScatter(Operation *op) {
  if (!replacesRows(op))
    return false;
  Value updates = op->getOperand(0), into = op->getOperand(2);
  auto type = cast<RankedTensorType>(into.getType());
  std::optional<Progression> rows =
      progressionOf(op->getOperand(1), type.getDimSize(0));
  if (!rows)
    return false;
  ImplicitLocOpBuilder b(op->getLoc(), op);
  SmallVector<ReassociationIndices> groups = {{0, 1}};
  for (int64_t dim = 1; dim < type.getRank(); ++dim)
    groups.push_back({dim + 1});
  Value slice = tensor::CollapseShapeOp::create(b, updates, groups);
  SmallVector<OpFoldResult> offsets(type.getRank(), b.getIndexAttr(0)),
      strides(type.getRank(), b.getIndexAttr(1));
  offsets[0] = b.getIndexAttr(rows->first);
  strides[0] = b.getIndexAttr(rows->step);
  Value result = tensor::InsertSliceOp::create(
      b, slice, into, offsets, tensor::getMixedSizes(b, b.getLoc(), slice),
      strides);
  op->replaceAllUsesWith(ValueRange{result});
  op->erase();
  return true;
}
