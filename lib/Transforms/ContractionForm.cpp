//===- ContractionForm.cpp - Operands of a contraction --------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ContractionForm.h"
#include "TensorType.h"

#include "mlir/Analysis/SliceAnalysis.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/TypeUtilities.h"

using namespace mlir;
using namespace mxfp4;

SetVector<Operation *> mxfp4::sliceInBody(linalg::LinalgOp op, Value value) {
  SetVector<Operation *> slice;
  BackwardSliceOptions options;
  options.inclusive = true;
  options.filter = [&](Operation *inner) {
    return inner->getBlock() == op.getBlock();
  };
  (void)getBackwardSlice(value, &slice, options);
  return slice;
}

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
      if (left.empty() || size == 0)
        return std::nullopt;
      LoopPart part = left.pop_back_val();
      if (part.size > size) {
        if (part.size % size != 0)
          return std::nullopt;
        left.push_back({part.loop, part.size / size, part.divisor * size});
        part.size = size;
      }
      if (part.size == 0 || size % part.size != 0)
        return std::nullopt;
      size /= part.size;
      found.push_back(part);
    }
    for (const LoopPart &part : llvm::reverse(found))
      appendPart(result[dim], part);
  }
  return left.empty() ? std::optional(result) : std::nullopt;
}

bool mxfp4::isWidening(Type from, Type to) {
  from = getElementTypeOrSelf(from);
  return (from.isBF16() || from.isF16()) && getElementTypeOrSelf(to).isF32();
}

bool mxfp4::isProjection(AffineMap map, RankedTensorType type) {
  llvm::SmallBitVector used(map.getNumDims());
  for (auto [expr, size] : llvm::zip_equal(map.getResults(), type.getShape())) {
    auto dim = dyn_cast<AffineDimExpr>(expr);
    if (dim ? used.test(dim.getPosition())
            : !isa<AffineConstantExpr>(expr) || size != 1)
      return false;
    if (dim)
      used.set(dim.getPosition());
  }
  return true;
}

namespace {

/// What a normal form looks through besides moves and widenings.
struct LookThrough {
  /// Elements again for each iteration of loops that the tensor does not have.
  bool copies;
  /// Roundings to f16.
  bool roundings = false;
};

} // namespace

/// Looks through an operation that yields elements of its only input in another
/// order or widened.
static bool throughMove(MovedTensor &operand, linalg::LinalgOp op,
                        const LookThrough &what) {
  if (op.getNumDpsInputs() != 1 || op->getNumResults() != 1 ||
      op.getNumReductionLoops() != 0)
    return false;
  OpOperand *input = op.getDpsInputOperand(0);
  AffineMap from = op.getMatchingIndexingMap(input),
            to = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
  Value yielded = op.getBlock()->getTerminator()->getOperand(0);
  auto round = yielded.getDefiningOp<arith::TruncFOp>();
  const bool rounds = round && what.roundings && round.getType().isF16();
  if (rounds)
    yielded = round.getIn();
  if (auto widen = yielded.getDefiningOp<arith::ExtFOp>();
      widen && isWidening(widen.getIn().getType(), widen.getType()))
    yielded = widen.getIn();
  auto type = dyn_cast<RankedTensorType>(input->get().getType());
  if (!type || !to.isPermutation() ||
      !(what.copies ? isProjection(from, type) : from.isPermutation()) ||
      yielded != op.getMatchingBlockArgument(input))
    return false;
  SmallVector<LoopParts> inner(from.getNumResults());
  AffineMap map = from.compose(inversePermutation(to));
  for (auto [dim, parts] : llvm::enumerate(inner))
    if (auto loop = dyn_cast<AffineDimExpr>(map.getResult(dim)))
      parts = operand.dims[loop.getPosition()];
  operand.value = input->get();
  operand.dims = inner;
  operand.isRounded |= rounds;
  return true;
}

Value mxfp4::stripIndexCasts(Value value) {
  while (Operation *op = value.getDefiningOp()) {
    const bool isCast = isa<arith::IndexCastOp, arith::IndexCastUIOp>(op);
    // From an index, to fewer bits.
    const bool narrows =
        isCast && getElementTypeOrSelf(op->getOperand(0)).isIndex() &&
        getElementTypeOrSelf(op->getResult(0)).getIntOrFloatBitWidth() < 32;
    if (narrows || (!isCast && !isa<arith::ExtSIOp, arith::ExtUIOp>(op)))
      break;
    value = op->getOperand(0);
  }
  return value;
}

/// The number of the loop that an index of a body is, or nullopt.
static std::optional<unsigned> loopOf(Value index) {
  auto loop = stripIndexCasts(index).getDefiningOp<linalg::IndexOp>();
  return loop ? std::optional<unsigned>(loop.getDim()) : std::nullopt;
}

/// Looks through an operation that takes slices of a tensor, which numbers in
/// another tensor select.
static bool throughGather(ContractionOperand &operand, linalg::LinalgOp op) {
  if (operand.gather.numbers || op.getNumDpsInputs() != 1 ||
      op->getNumResults() != 1 || op.getNumReductionLoops() != 0)
    return false;
  OpOperand *input = op.getDpsInputOperand(0);
  AffineMap from = op.getMatchingIndexingMap(input),
            to = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
  auto extract = op.getBlock()
                     ->getTerminator()
                     ->getOperand(0)
                     .getDefiningOp<tensor::ExtractOp>();
  if (!extract || !to.isPermutation() || extract.getIndices().empty() ||
      !isDecoded(extract.getTensor()) ||
      !isa<RankedTensorType>(input->get().getType()) ||
      stripIndexCasts(extract.getIndices()[0]) !=
          op.getMatchingBlockArgument(input))
    return false;
  const AffineMap toDim = inversePermutation(to);
  SmallVector<int64_t> extents = op.getStaticLoopRanges();
  llvm::SmallBitVector used(op.getNumLoops());
  const auto partsOf = [&](unsigned loop) {
    used.set(loop);
    return operand.dims[toDim.getDimPosition(loop)];
  };
  ContractionOperand inner;
  inner.kept = operand.kept;
  inner.isRounded = operand.isRounded;
  inner.value = extract.getTensor();
  inner.dims.emplace_back();
  for (auto [index, size] : llvm::zip_equal(
           extract.getIndices().drop_front(),
           tensorType(extract.getTensor()).getShape().drop_front())) {
    std::optional<unsigned> loop = loopOf(index);
    // Loops of another extent take a part of each slice.
    if (!loop || used.test(*loop) || ShapedType::isDynamic(size) ||
        extents[*loop] != size)
      return false;
    inner.dims.push_back(partsOf(*loop));
  }
  inner.gather.numbers = input->get();
  if (!isProjection(from, cast<RankedTensorType>(input->get().getType())))
    return false;
  for (AffineExpr expr : from.getResults()) {
    auto dim = dyn_cast<AffineDimExpr>(expr);
    inner.gather.dims.push_back(dim ? partsOf(dim.getPosition()) : LoopParts());
  }
  for (unsigned loop = 0; loop < op.getNumLoops(); ++loop)
    if (!used.test(loop) && extents[loop] != 1)
      return false;
  operand = inner;
  return true;
}

static bool throughReshape(MovedTensor &operand) {
  if (auto op = operand.value.getDefiningOp<tensor::ExpandShapeOp>()) {
    SmallVector<LoopParts> inner;
    for (const ReassociationIndices &group : op.getReassociationIndices()) {
      LoopParts &parts = inner.emplace_back();
      for (int64_t dim : group)
        for (const LoopPart &part : operand.dims[dim])
          appendPart(parts, part);
    }
    operand.value = op.getSrc();
    operand.dims = inner;
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
  operand.value = op.getSrc();
  operand.dims = inner;
  return true;
}

/// Looks through one operation that moves or widens elements.
static bool throughOne(MovedTensor &operand, const LookThrough &what) {
  Operation *def = operand.value.getDefiningOp();
  if (!def)
    return false;
  auto widen = dyn_cast<arith::ExtFOp>(def);
  const bool widens =
      widen && isWidening(widen.getIn().getType(), widen.getType());
  auto round = dyn_cast<arith::TruncFOp>(def);
  const bool rounds =
      round && what.roundings && getElementTypeOrSelf(round.getType()).isF16();
  if (widens || rounds || isa<tensor::CastOp>(def)) {
    operand.value = def->getOperand(0);
    operand.isRounded |= rounds;
    return true;
  }
  if (auto move = dyn_cast<linalg::LinalgOp>(def))
    return throughMove(operand, move, what);
  return throughReshape(operand);
}

std::optional<ContractionOperand> mxfp4::normalForm(linalg::LinalgOp op,
                                                    OpOperand *input,
                                                    bool withCopies,
                                                    bool isWeights) {
  SmallVector<int64_t> extents = op.getStaticLoopRanges();
  ContractionOperand operand;
  operand.value = input->get();
  auto type = dyn_cast<RankedTensorType>(input->get().getType());
  for (auto [number, expr] :
       llvm::enumerate(op.getMatchingIndexingMap(input).getResults())) {
    LoopParts &parts = operand.dims.emplace_back();
    auto dim = dyn_cast<AffineDimExpr>(expr);
    // The one element of a dimension, whatever the loops.
    if (isa<AffineConstantExpr>(expr) && type && type.getDimSize(number) == 1)
      continue;
    if (!dim)
      return std::nullopt;
    const unsigned loop = dim.getPosition();
    if (extents[loop] != 1)
      parts.push_back({loop, extents[loop], 1});
  }
  const LookThrough what = {withCopies, /*roundings=*/isWeights};
  while (true) {
    if (throughOne(operand, what))
      continue;
    auto def = operand.value.getDefiningOp<linalg::LinalgOp>();
    if (!def || !(throughGather(operand, def) ||
                  (isWeights && throughFill(operand, def))))
      break;
  }
  while (operand.kept.value && throughOne(operand.kept, {/*copies=*/true})) {
  }
  return operand;
}
