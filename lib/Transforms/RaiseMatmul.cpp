//===- RaiseMatmul.cpp - Matmuls on decoded weights to grouped_matmul -----===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A contraction is matched by what it computes and not by its name: the sum
// over loops k of x[batch, m, k] * w[batch, n, k], with any number of loops in
// each of the four sets, in any order in the output and the activations. Its
// weights are a decode in front of it or in its own body.
//
//===----------------------------------------------------------------------===//

#include "Arrange.h"
#include "Contraction.h"
#include "TensorType.h"

#include "mxfp4/Core/Format.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace mxfp4;

namespace {

/// G+1 offsets of groups of `rows` rows each.
Value equalOffsets(OpBuilder &b, Location loc, int64_t groups,
                   OpFoldResult rows) {
  auto type = RankedTensorType::get(groups + 1, b.getI32Type());
  if (std::optional<int64_t> size = getConstantIntValue(rows)) {
    SmallVector<int32_t> offsets;
    for (int64_t group = 0; group <= groups; ++group)
      offsets.push_back(group * *size);
    return arith::ConstantOp::create(b, loc,
                                     DenseIntElementsAttr::get(type, offsets));
  }
  auto body = [&](OpBuilder &b, Location loc, ValueRange at) {
    Value offset = arith::MulIOp::create(b, loc, at[0], cast<Value>(rows));
    Value narrow = arith::IndexCastOp::create(b, loc, b.getI32Type(), offset);
    tensor::YieldOp::create(b, loc, narrow);
  };
  return tensor::GenerateOp::create(b, loc, type, ValueRange(), body);
}

/// Rows of f16 or f32 as bf16, which was promised to do.
Value roundRows(OpBuilder &b, Location loc, Value x) {
  RankedTensorType type = tensorType(x);
  if (type.getElementType().isBF16())
    return x;
  if (type.getElementType().isF16())
    x = arith::ExtFOp::create(b, loc, type.clone(b.getF32Type()), x);
  return arith::TruncFOp::create(b, loc, type.clone(b.getBF16Type()), x);
}

/// Makes the `grouped_matmul` of a contraction, and its result of it.
class MatmulBuilder {
public:
  MatmulBuilder(PatternRewriter &b, linalg::LinalgOp op, const Contraction &c)
      : b(b), op(op), loc(op.getLoc()), c(c),
        init(op.getDpsInitOperand(0)->get()),
        type(tensorType(init).clone(b.getF32Type())),
        outMap(op.getMatchingIndexingMap(op.getDpsInitOperand(0))) {
    for (const auto *set : {&c.batch, &c.m, &c.n})
      order.append(*set);
  }

  Value build();

private:
  OpFoldResult extent(unsigned loop);
  OpFoldResult rowsPerExpert();
  Value destination(Value x, Value codes);
  Value shapeResult(Value y);
  Value expertIds(Value codes);
  Value rowNumbers();
  Value finish(Value y);
  Value fill(Value y);
  /// The dimension of the output that a loop runs over.
  int64_t outDim(unsigned loop) const {
    return *outMap.getResultPosition(getAffineDimExpr(loop, b.getContext()));
  }
  bool isOrdered() const { return ArrayRef(order) == ArrayRef(c.out); }
  /// Of an ordered output: how many dimensions are rows of all experts, and
  /// how many are columns.
  SmallVector<int64_t> outCounts() const;

  PatternRewriter &b;
  linalg::LinalgOp op;
  Location loc;
  const Contraction &c;
  Value init;
  RankedTensorType type;
  AffineMap outMap;
  /// Loops of the output, as the grouped matmul has them.
  SmallVector<unsigned> order;
};

OpFoldResult MatmulBuilder::extent(unsigned loop) {
  const ContractionOperand &x = c.activations;
  for (auto [dim, parts] : llvm::enumerate(x.dims))
    if (parts.size() == 1 && parts.front().loop == loop &&
        parts.front().size == op.getStaticLoopRanges()[loop])
      return tensor::getMixedSize(b, loc, x.value, dim);
  return tensor::getMixedSize(b, loc, init, outDim(loop));
}

OpFoldResult MatmulBuilder::rowsPerExpert() {
  OpFoldResult rows = b.getIndexAttr(1);
  for (unsigned loop : c.m) {
    OpFoldResult size = extent(loop);
    std::optional<int64_t> constant = getConstantIntValue(size),
                           product = getConstantIntValue(rows);
    if (constant && product)
      rows = b.getIndexAttr(*constant * *product);
    else if (product == 1)
      rows = size;
    else
      rows = arith::MulIOp::create(
                 b, loc, getValueOrCreateConstantIndexOp(b, loc, rows),
                 getValueOrCreateConstantIndexOp(b, loc, size))
                 .getResult();
  }
  return rows;
}

SmallVector<int64_t> MatmulBuilder::outCounts() const {
  const int64_t rank = type.getRank(),
                rows = c.n.empty() ? rank : outDim(c.n.front());
  return {rows, rank - rows};
}

/// The tensor that the linalg operation was about to overwrite, so that what
/// was in place stays in place; or a new one.
Value MatmulBuilder::destination(Value x, Value codes) {
  Value filled = filledTensor(init);
  if (filled && isOrdered() && !c.addsInit && filled.getType() == type)
    return regroup(b, loc, filled, outCounts());
  SmallVector<OpFoldResult> sizes = {tensor::getMixedSize(b, loc, x, 0),
                                     tensor::getMixedSize(b, loc, codes, 1)};
  return tensor::EmptyOp::create(b, loc, sizes, b.getF32Type());
}

Value MatmulBuilder::shapeResult(Value y) {
  SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(b, loc, init);
  // Without the transposition: dimensions in the order of the grouped matmul.
  SmallVector<int64_t> permutation =
      llvm::to_vector(llvm::seq<int64_t>(0, type.getRank()));
  SmallVector<int64_t> counts;
  if (isOrdered()) {
    counts = outCounts();
  } else {
    permutation.clear();
    for (unsigned loop : order)
      permutation.push_back(outDim(loop));
    for (int64_t dim = 0; dim < type.getRank(); ++dim)
      if (!llvm::is_contained(permutation, dim))
        permutation.insert(permutation.begin(), dim);
    counts = {type.getRank() - static_cast<int64_t>(c.n.size()),
              static_cast<int64_t>(c.n.size())};
  }
  SmallVector<OpFoldResult> sorted;
  SmallVector<int64_t> shape;
  for (int64_t dim : permutation) {
    sorted.push_back(sizes[dim]);
    shape.push_back(type.getDimSize(dim));
  }
  // From rows and columns to all dimensions.
  RankedTensorType to = type.clone(shape);
  SmallVector<ReassociationIndices> groups;
  int64_t next = 0;
  for (int64_t count : counts) {
    ReassociationIndices group;
    for (int64_t i = 0; i < count; ++i)
      group.push_back(next++);
    if (!group.empty())
      groups.push_back(group);
  }
  if (groups.size() == 1)
    y = tensor::CollapseShapeOp::create(b, loc, y,
                                        ArrayRef<ReassociationIndices>{{0, 1}});
  if (next > static_cast<int64_t>(groups.size())) {
    // The activations may know sizes that the output does not, or the other
    // way round.
    auto flat = tensor::CollapseShapeOp::inferCollapsedType(to, groups);
    if (y.getType() != flat)
      y = tensor::CastOp::create(b, loc, flat, y);
    y = tensor::ExpandShapeOp::create(b, loc, to, y, groups, sorted);
  }
  if (!llvm::is_sorted(permutation)) {
    Value empty = tensor::EmptyOp::create(b, loc, sizes, type.getElementType());
    y = linalg::TransposeOp::create(b, loc, y, empty,
                                    invertPermutationVector(permutation))
            ->getResult(0);
  }
  if (y.getType() != type)
    y = tensor::CastOp::create(b, loc, type, y);
  return y;
}

/// The number of the expert of each group, where numbers select the weights.
Value MatmulBuilder::expertIds(Value codes) {
  const GatherIndex &gather = c.weights.gather;
  if (!gather.numbers)
    return {};
  ElementIndex index;
  for (const LoopParts &parts : gather.dims) {
    Digits &digits = index.emplace_back();
    for (const LoopPart &part : parts)
      appendDigit(digits, {part.loop, part.size, part.divisor, 0});
  }
  Digits groups;
  const SmallVector<int64_t> extents = op.getStaticLoopRanges();
  for (unsigned loop : c.batch)
    appendDigit(groups, {loop, extents[loop], 1, 0});
  RankedTensorType from = tensorType(gather.numbers);
  Value ids = Arrangement::find(from.getShape(), index, {groups})
                  ->apply(b, loc, gather.numbers);
  RankedTensorType to = tensorType(ids).clone(b.getI32Type());
  if (from.getElementType().isIndex())
    ids = arith::IndexCastOp::create(b, loc, to, ids);
  else if (from.getElementTypeBitWidth() > 32)
    ids = arith::TruncIOp::create(b, loc, to, ids);
  else if (from.getElementTypeBitWidth() < 32)
    ids = arith::ExtUIOp::create(b, loc, to, ids);
  if (!c.weights.kept.value)
    return ids;
  // Where the weights are NaN, the number may be one of no expert.
  const auto number = [&](int64_t value) -> Value {
    return arith::ConstantOp::create(
        b, loc, DenseElementsAttr::get(to, b.getI32IntegerAttr(value)));
  };
  ids = arith::MaxSIOp::create(b, loc, ids, number(0));
  const OpFoldResult experts = tensor::getMixedSize(b, loc, codes, 0);
  if (std::optional<int64_t> known = getConstantIntValue(experts))
    return arith::MinSIOp::create(b, loc, ids, number(*known - 1));
  Value count =
      arith::IndexCastOp::create(b, loc, b.getI32Type(), cast<Value>(experts));
  Value last = arith::AddIOp::create(
      b, loc, tensor::SplatOp::create(b, loc, to, count), number(-1));
  return arith::MinSIOp::create(b, loc, ids, last);
}

/// The row of the activations of each row of the groups, where it is a row of
/// several.
Value MatmulBuilder::rowNumbers() {
  if (!c.repeatsRows)
    return {};
  const SmallVector<int64_t> extents = op.getStaticLoopRanges();
  SmallVector<unsigned> loops(c.batch);
  loops.append(c.m);
  const LoopParts x = c.activations.flattened();
  int64_t count = 1;
  for (unsigned loop : loops)
    count *= extents[loop];
  SmallVector<int32_t> numbers;
  for (int64_t row = 0; row < count; ++row) {
    int64_t rest = row, number = 0, stride = 1;
    for (unsigned loop : llvm::reverse(loops)) {
      const int64_t at = rest % extents[loop];
      rest /= extents[loop];
      if (llvm::none_of(
              x, [&](const LoopPart &part) { return part.loop == loop; }))
        continue;
      number += at * stride;
      stride *= extents[loop];
    }
    numbers.push_back(static_cast<int32_t>(number));
  }
  auto to = RankedTensorType::get(count, b.getI32Type());
  return arith::ConstantOp::create(b, loc,
                                   DenseIntElementsAttr::get(to, numbers));
}

/// What is done behind the sum: adding what the program's sum starts at, and
/// rounding to the type that the program sums in.
Value MatmulBuilder::finish(Value y) {
  if (c.addsInit) {
    Value empty = tensor::EmptyOp::create(
        b, loc, tensor::getMixedSizes(b, loc, init), b.getF32Type());
    y = linalg::AddOp::create(b, loc, ValueRange{y, init}, ValueRange{empty})
            .getResult(0);
  }
  if (y.getType() != init.getType())
    y = arith::TruncFOp::create(b, loc, init.getType(), y);
  return y;
}

/// NaN in place of sums with weights that are NaN, whatever the activations.
Value MatmulBuilder::fill(Value y) {
  const MovedTensor &kept = c.weights.kept;
  if (!kept.value)
    return y;
  SmallVector<AffineExpr> at;
  for (const LoopParts &parts : kept.dims)
    at.push_back(parts.empty()
                     ? b.getAffineConstantExpr(0)
                     : b.getAffineDimExpr(outDim(parts.front().loop)));
  RankedTensorType to = tensorType(y);
  const int64_t rank = to.getRank();
  const AffineMap each = b.getMultiDimIdentityMap(rank);
  Value empty = tensor::EmptyOp::create(
      b, loc, tensor::getMixedSizes(b, loc, y), to.getElementType());
  auto body = [&](OpBuilder &b, Location loc, ValueRange arguments) {
    auto type = cast<FloatType>(to.getElementType());
    Value nan = arith::ConstantOp::create(
        b, loc,
        b.getFloatAttr(type, APFloat::getNaN(type.getFloatSemantics())));
    Value kept =
        arith::SelectOp::create(b, loc, arguments[0], arguments[1], nan);
    linalg::YieldOp::create(b, loc, kept);
  };
  return linalg::GenericOp::create(
             b, loc, to, ValueRange{kept.value, y}, empty,
             ArrayRef{AffineMap::get(rank, 0, at, b.getContext()), each, each},
             SmallVector<utils::IteratorType>(rank,
                                              utils::IteratorType::parallel),
             body)
      .getResult(0);
}

Value MatmulBuilder::build() {
  auto [codes, scales] = c.weights.make(b, loc);
  Value ids = expertIds(codes);
  codes = c.codes.apply(b, loc, codes);
  scales = c.scales.apply(b, loc, scales);
  Value offsets = equalOffsets(b, loc, c.groups, rowsPerExpert());
  Value x = c.rows.apply(b, loc, roundRows(b, loc, c.activations.value));
  Value gather = rowNumbers();
  Value into = destination(gather ? gather : x, codes);
  auto matmul = GroupedMatmulOp::create(
      b, loc, into.getType(), x, ValueRange{codes, scales}, offsets, ids, into,
      /*error=*/Value(), /*workspace=*/Value(), gather,
      /*scatter=*/Value(), /*epilogue_operands=*/ValueRange(),
      /*through=*/Value(), /*stored=*/Value(), /*awaited=*/Value(),
      /*schedule=*/ScheduleAttr(),
      /*accumulation=*/AccumulationAttr(),
      /*target=*/TargetAttr(), /*promises=*/DictionaryAttr(),
      /*older_inputs=*/UnitAttr(), /*epilogueCount=*/0);
  setPromises(matmul, Promises().within(op));
  return fill(finish(shapeResult(matmul.getResult(0))));
}

struct RaiseMatmul : OpInterfaceRewritePattern<linalg::LinalgOp> {
  using OpInterfaceRewritePattern::OpInterfaceRewritePattern;

  LogicalResult matchAndRewrite(linalg::LinalgOp op,
                                PatternRewriter &rewriter) const override {
    FailureOr<Contraction> contraction = matchContraction(op, nullptr);
    if (failed(contraction))
      return rewriter.notifyMatchFailure(op, "not a matmul on MXFP4 weights");
    rewriter.replaceOp(op, MatmulBuilder(rewriter, op, *contraction).build());
    return success();
  }
};

} // namespace

LogicalResult mxfp4::matchMatmul(linalg::LinalgOp op, Miss *why) {
  return success(succeeded(matchContraction(op, why)));
}

void mxfp4::populateRaiseMatmulPatterns(RewritePatternSet &patterns) {
  patterns.add<RaiseMatmul>(patterns.getContext());
}
