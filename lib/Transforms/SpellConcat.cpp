//===- SpellConcat.cpp - Slices and branches that join decoded weights ----===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A concatenation of tensors arrives as slices that are inserted next to each
// other (IREE, torch-mlir) or as a branch for each tensor
// (stablehlo-legalize-to-linalg). Both become `tensor.concat`, through which
// RaiseConcat.cpp moves the decode.
//
//===----------------------------------------------------------------------===//

#include "ContractionForm.h"
#include "Raise.h"
#include "TensorType.h"

#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace mxfp4;

namespace {

/// Values that are decoded weights, to be joined along a dimension.
struct Parts {
  SmallVector<Value> values;
  int64_t dim;
};

/// A part, and where it begins.
using Placed = std::pair<int64_t, Value>;

/// The parts in order if they are next to each other and fill the dimension.
std::optional<Parts> fill(SmallVector<Placed> placed, RankedTensorType type,
                          int64_t dim) {
  llvm::sort(placed, [](const Placed &a, const Placed &b) {
    return a.first < b.first;
  });
  Parts parts{{}, dim};
  int64_t end = 0;
  for (auto [offset, value] : placed) {
    if (offset != end || !isDecoded(value))
      return std::nullopt;
    end += tensorType(value).getDimSize(dim);
    parts.values.push_back(value);
  }
  return end == type.getDimSize(dim) && parts.values.size() > 1
             ? std::optional(parts)
             : std::nullopt;
}

/// The dimension in which a slice is smaller than its tensor; nullopt if there
/// is not exactly one, or if a size is not known.
std::optional<int64_t> partialDim(RankedTensorType slice,
                                  RankedTensorType whole) {
  std::optional<int64_t> found;
  if (!slice.hasStaticShape() || !whole.hasStaticShape() ||
      slice.getRank() != whole.getRank())
    return std::nullopt;
  for (int64_t dim = 0; dim < whole.getRank(); ++dim) {
    if (slice.getDimSize(dim) == whole.getDimSize(dim))
      continue;
    if (found)
      return std::nullopt;
    found = dim;
  }
  return found;
}

/// What slices are put next to each other, of which this is the last.
std::optional<Parts> insertedParts(tensor::InsertSliceOp last) {
  std::optional<int64_t> dim =
      partialDim(last.getSourceType(), last.getDestType());
  if (!dim)
    return std::nullopt;
  SmallVector<Placed> placed;
  int64_t filled = 0;
  for (auto op = last; op && filled < last.getDestType().getDimSize(*dim);
       op = op.getDest().getDefiningOp<tensor::InsertSliceOp>()) {
    std::optional<int64_t> offset =
        getConstantIntValue(op.getMixedOffsets()[*dim]);
    if (!offset || !op.hasUnitStride() ||
        partialDim(op.getSourceType(), op.getDestType()) != dim)
      return std::nullopt;
    placed.emplace_back(*offset, op.getSource());
    filled += op.getSourceType().getDimSize(*dim);
  }
  // Slices that together are as long as the tensor, and next to each other,
  // cover each element once.
  return fill(placed, last.getDestType(), *dim);
}

/// Which loop's number this is, less `offset`.
bool isIndex(Value value, int64_t loop, int64_t offset) {
  if (offset != 0) {
    auto sub = value.getDefiningOp<arith::SubIOp>();
    auto add = value.getDefiningOp<arith::AddIOp>();
    if (sub ? getConstantIntValue(sub.getRhs()) != offset
            : !add || getConstantIntValue(add.getRhs()) != -offset)
      return false;
    value = sub ? sub.getLhs() : add.getLhs();
  }
  auto index = value.getDefiningOp<linalg::IndexOp>();
  return index && static_cast<int64_t>(index.getDim()) == loop;
}

/// The tensor that is read at the numbers of all loops, in one dimension less
/// `offset`, or null.
Value readAt(Value value, int64_t dim, int64_t offset) {
  auto extract = value.getDefiningOp<tensor::ExtractOp>();
  if (!extract)
    return {};
  for (auto [loop, index] : llvm::enumerate(extract.getIndices())) {
    const auto at = static_cast<int64_t>(loop);
    if (!isIndex(index, at, at == dim ? offset : 0))
      return {};
  }
  return extract.getTensor();
}

/// The loop and the number that a condition has it below; nullopt for others.
std::optional<std::pair<int64_t, int64_t>> boundOf(Value condition) {
  auto compare = condition.getDefiningOp<arith::CmpIOp>();
  if (!compare || (compare.getPredicate() != arith::CmpIPredicate::ult &&
                   compare.getPredicate() != arith::CmpIPredicate::slt))
    return std::nullopt;
  auto index = compare.getLhs().getDefiningOp<linalg::IndexOp>();
  std::optional<int64_t> bound = getConstantIntValue(compare.getRhs());
  if (!index || !bound || *bound <= 0)
    return std::nullopt;
  return std::pair(static_cast<int64_t>(index.getDim()), *bound);
}

/// A concatenation as stablehlo-legalize-to-linalg writes it: one branch for
/// each tensor.
std::optional<Parts> branchedParts(linalg::GenericOp op) {
  if (!op.hasPureTensorSemantics() || op.getNumDpsInputs() != 0 ||
      op.getNumDpsInits() != 1 || op.getNumReductionLoops() != 0 ||
      !op.getIndexingMapsArray()[0].isIdentity())
    return std::nullopt;
  RankedTensorType type = tensorType(op->getResult(0));
  Value value = op.getBlock()->getTerminator()->getOperand(0);
  SmallVector<Placed> placed;
  std::optional<int64_t> dim;
  int64_t begin = 0;
  const auto add = [&](Value read, int64_t end) {
    Value tensor = readAt(read, *dim, begin);
    if (!tensor || !type.hasStaticShape())
      return false;
    SmallVector<int64_t> shape(type.getShape());
    shape[*dim] = end - begin;
    placed.emplace_back(begin, tensor);
    begin = end;
    return tensorType(tensor).getShape() == ArrayRef(shape);
  };
  while (auto branch = value.getDefiningOp<scf::IfOp>()) {
    auto bound = boundOf(branch.getCondition());
    if (!bound || (dim && *dim != bound->first) || branch.getNumResults() != 1)
      return std::nullopt;
    dim = bound->first;
    if (!add(branch.thenYield().getOperand(0), bound->second))
      return std::nullopt;
    value = branch.elseYield().getOperand(0);
  }
  if (!dim || !add(value, type.getDimSize(*dim)))
    return std::nullopt;
  return fill(placed, type, *dim);
}

/// Slices and branches that join decoded weights become a concatenation.
struct SpellConcat : RewritePattern {
  explicit SpellConcat(MLIRContext *context)
      : RewritePattern(MatchAnyOpTypeTag(), /*benefit=*/1, context) {}

  LogicalResult matchAndRewrite(Operation *op,
                                PatternRewriter &rewriter) const override {
    std::optional<Parts> parts;
    if (auto insert = dyn_cast<tensor::InsertSliceOp>(op))
      parts = insertedParts(insert);
    else if (auto generic = dyn_cast<linalg::GenericOp>(op))
      parts = branchedParts(generic);
    if (!parts)
      return rewriter.notifyMatchFailure(op, "joins no decoded weights");
    rewriter.replaceOpWithNewOp<tensor::ConcatOp>(op, parts->dim,
                                                  parts->values);
    return success();
  }
};

} // namespace

void mxfp4::populateSpellConcatPatterns(RewritePatternSet &patterns) {
  patterns.add<SpellConcat>(patterns.getContext());
}
