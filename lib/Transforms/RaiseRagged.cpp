//===- RaiseRagged.cpp - Loops over experts to one grouped_matmul ---------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// MLIR has no ragged matmul; programs write a loop over experts that cuts an
// expert's rows out, multiplies them, and puts the result back. By the time
// these patterns see it, what it multiplies with is a `grouped_matmul` of one
// group.
//
//===----------------------------------------------------------------------===//

#include "Raise.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

using namespace mlir;
using namespace mxfp4;

namespace {

RankedTensorType tensorType(Value value) {
  return cast<RankedTensorType>(value.getType());
}

//===----------------------------------------------------------------------===//
// Matching
//===----------------------------------------------------------------------===//

/// Looks through conversions between integers that keep values of offsets.
Value stripCasts(Value value) {
  while (Operation *op = value.getDefiningOp()) {
    if (!isa<arith::IndexCastOp, arith::IndexCastUIOp, arith::ExtSIOp,
             arith::ExtUIOp, tensor::CastOp>(op))
      break;
    value = op->getOperand(0);
  }
  return value;
}

bool isConstant(OpFoldResult value, int64_t constant) {
  return getConstantIntValue(value) == constant;
}

/// The tensor that `value` is element `iv + ahead` of, or null.
Value elementAt(Value value, Value iv, int64_t ahead) {
  auto extract = stripCasts(value).getDefiningOp<tensor::ExtractOp>();
  if (!extract || extract.getIndices().size() != 1)
    return Value();
  Value index = extract.getIndices()[0];
  if (ahead != 0) {
    auto add = index.getDefiningOp<arith::AddIOp>();
    if (!add || !isConstant(add.getRhs(), ahead))
      return Value();
    index = add.getLhs();
  }
  return index == iv ? extract.getTensor() : Value();
}

/// Rows `start`, `start + size` of a slice of whole rows, or null.
template <typename SliceOp>
bool isRowSlice(SliceOp slice, Value start, Value size, int64_t columns) {
  if (!slice || !slice.hasUnitStride() || slice.getMixedOffsets().size() != 2)
    return false;
  return dyn_cast<Value>(slice.getMixedOffsets()[0]) == start &&
         isConstant(slice.getMixedOffsets()[1], 0) &&
         dyn_cast<Value>(slice.getMixedSizes()[0]) == size &&
         isConstant(slice.getMixedSizes()[1], columns);
}

/// The tensor, one slice for each expert, whose slice `iv` this is, with a unit
/// dimension in front or not; null for anything else.
Value expertsOf(Value value, Value iv, int64_t experts) {
  auto expand = value.getDefiningOp<tensor::ExpandShapeOp>();
  if (expand && expand.getReassociationIndices()[0].size() == 2)
    value = expand.getSrc();
  auto slice = value.getDefiningOp<tensor::ExtractSliceOp>();
  if (!slice || !slice.hasUnitStride() ||
      slice.getSource().getParentBlock() == iv.getParentBlock())
    return Value();
  ArrayRef<int64_t> shape = slice.getSourceType().getShape();
  if (dyn_cast<Value>(slice.getMixedOffsets()[0]) != iv ||
      !isConstant(slice.getMixedSizes()[0], 1) || shape[0] != experts)
    return Value();
  for (size_t dim = 1; dim < shape.size(); ++dim)
    if (!isConstant(slice.getMixedOffsets()[dim], 0) ||
        !isConstant(slice.getMixedSizes()[dim], shape[dim]))
      return Value();
  return slice.getSource();
}

/// What two tensors of equal value here have as many rows as: a number of rows,
/// or a tensor.
Value rowsOf(Value tensor) {
  while (true) {
    if (auto retyped = tensor.getDefiningOp<tensor::CastOp>()) {
      tensor = retyped.getSource();
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

/// [0, rows], as `mxfp4-raise` makes offsets of one group.
bool isWholeGroup(Value offsets, Value rows, Value activations) {
  auto generate = offsets.getDefiningOp<tensor::GenerateOp>();
  if (!generate || tensorType(offsets).getDimSize(0) != 2)
    return false;
  Block &body = generate.getBody().front();
  auto product = stripCasts(body.getTerminator()->getOperand(0))
                     .getDefiningOp<arith::MulIOp>();
  if (!product || product.getLhs() != body.getArgument(0))
    return false;
  auto dim = product.getRhs().getDefiningOp<tensor::DimOp>();
  if (!dim || dim.getConstantIndex() != 0)
    return product.getRhs() == rows;
  const Value like = rowsOf(dim.getSource());
  return like == rows || like == activations;
}

/// What a loop over experts is made of.
struct RaggedLoop {
  int64_t experts = 0;
  /// R x K, and per expert.
  Value activations, codes, scales;
  /// First rows of the experts and the end, or numbers of rows; one is null.
  Value offsets, sizes;
  /// Number of the loop's result that is the output.
  unsigned output = 0;
};

class Matcher {
public:
  Matcher(scf::ForOp loop, Miss *why) : loop(loop), why(why) {}

  FailureOr<RaggedLoop> match();

private:
  LogicalResult matchBounds();
  LogicalResult matchOutput();
  LogicalResult matchMatmul();
  LogicalResult matchRows();
  LogicalResult matchSizes();
  LogicalResult matchRowCount();
  bool isOutside(Value value) {
    return value && loop.isDefinedOutsideOfLoop(value);
  }

  scf::ForOp loop;
  Miss *why;
  RaggedLoop found;
  tensor::InsertSliceOp insert;
  Value start, size;
};

} // namespace

/// Whether the output has as many rows as the activations.
static bool sameRows(Value init, Value activations) {
  const int64_t rows = tensorType(activations).getDimSize(0);
  if (!ShapedType::isDynamic(rows))
    return tensorType(init).getDimSize(0) == rows;
  return tensorType(init).isDynamicDim(0) &&
         rowsOf(init) == rowsOf(activations);
}

LogicalResult Matcher::matchBounds() {
  std::optional<int64_t> upper = getConstantIntValue(loop.getUpperBound());
  found.experts = upper.value_or(0);
  if (found.experts <= 0 || !isConstant(loop.getLowerBound(), 0) ||
      !isConstant(loop.getStep(), 1))
    return miss(why, "the loop must run from 0 to a constant number of experts "
                     "in steps of 1");
  if (loop.getNumResults() == 0 || loop.getNumResults() > 2)
    return miss(why,
                "the loop must carry the output, and perhaps the first row "
                "of the next expert");
  if (!isMemoryEffectFree(loop))
    return miss(why, "the loop has effects on memory");
  return success();
}

/// Rows that no expert has keep the initial value, which must be one that the
/// operation can give them: zero, or any.
LogicalResult Matcher::matchOutput() {
  for (auto [number, value] : llvm::enumerate(loop.getYieldedValues()))
    if (auto op = value.getDefiningOp<tensor::InsertSliceOp>()) {
      insert = op;
      found.output = number;
    }
  if (!insert || insert.getDest() != loop.getRegionIterArg(found.output) ||
      !insert.getDest().hasOneUse())
    return miss(why,
                "the loop must insert the rows of an expert into the output "
                "that it carries, and use that output for nothing else");
  Value init = loop.getInitArgs()[found.output];
  if (!init.getDefiningOp<tensor::EmptyOp>() && !isPositiveZero(init))
    return miss(why,
                "the output must start at +0.0 or undefined: rows without an "
                "expert become zero",
                "start with linalg.fill of 0.0, or with tensor.empty");
  if (insert.getMixedSizes().size() == 2) {
    start = dyn_cast<Value>(insert.getMixedOffsets()[0]);
    size = dyn_cast<Value>(insert.getMixedSizes()[0]);
  }
  if (!start || !size ||
      !isRowSlice(insert, start, size, insert.getDestType().getDimSize(1)))
    return miss(why, "the result of an expert must be inserted as whole rows, "
                     "with their first and their number known at run time");
  return success();
}

LogicalResult Matcher::matchMatmul() {
  Value result = insert.getSource();
  if (auto retyped = result.getDefiningOp<tensor::CastOp>())
    result = retyped.getSource();
  auto matmul = result.getDefiningOp<GroupedMatmulOp>();
  if (!matmul || matmul.getWeights().size() != 2 || matmul.getExpertIds())
    return miss(why, "what is inserted must be the result of the matmul itself",
                "move what else is done to the rows behind the loop");
  auto slice = matmul.getActivations().getDefiningOp<tensor::ExtractSliceOp>();
  if (!isRowSlice(slice, start, size, matmul.getK()) ||
      !isWholeGroup(matmul.getOffsets(), size, slice))
    return miss(why, "the activations of an expert must be the rows that its "
                     "result is inserted into");
  Value iv = loop.getInductionVar();
  found.activations = slice.getSource();
  found.codes = expertsOf(matmul.getWeights()[0], iv, found.experts);
  found.scales = expertsOf(matmul.getWeights()[1], iv, found.experts);
  if (!found.codes || !found.scales)
    return miss(why,
                "the weights of an expert must be slice number e, whole, of "
                "weights of as many experts as the loop has iterations");
  for (Value value : {found.activations, found.codes, found.scales})
    if (!loop.isDefinedOutsideOfLoop(value))
      return miss(why, "activations and weights must not change in the loop");
  return success();
}

/// Rows from offsets[e] to offsets[e + 1]; or sizes[e] rows from where the
/// expert before ended.
LogicalResult Matcher::matchRows() {
  Value iv = loop.getInductionVar();
  Value from = elementAt(start, iv, 0);
  if (!from)
    return matchSizes();
  auto length = stripCasts(size).getDefiningOp<arith::SubIOp>();
  found.offsets = from;
  if (loop.getNumResults() != 1 || !length ||
      !loop.isDefinedOutsideOfLoop(from) ||
      tensorType(from).getDimSize(0) != found.experts + 1 ||
      elementAt(length.getLhs(), iv, 1) != from ||
      elementAt(length.getRhs(), iv, 0) != from)
    return miss(why,
                "an expert's rows must be those from offsets[e] to "
                "offsets[e + 1], of offsets with one entry more than there "
                "are experts");
  return success();
}

LogicalResult Matcher::matchSizes() {
  const auto fail = [&] {
    return miss(why, "an expert's rows must be those from offsets[e] to "
                     "offsets[e + 1], or sizes[e] behind those of the expert "
                     "before, carried from 0 on, of one size for each expert");
  };
  const unsigned carried = 1 - found.output;
  if (loop.getNumResults() != 2 ||
      stripCasts(start) != loop.getRegionIterArg(carried) ||
      !isConstant(loop.getInitArgs()[carried], 0) ||
      !loop.getResult(carried).use_empty())
    return fail();
  auto end = loop.getYieldedValues()[carried].getDefiningOp<arith::AddIOp>();
  found.sizes = elementAt(size, loop.getInductionVar(), 0);
  if (!end || !found.sizes || !loop.isDefinedOutsideOfLoop(found.sizes) ||
      tensorType(found.sizes).getDimSize(0) != found.experts)
    return fail();
  auto isSum = [&](Value a, Value b) {
    return stripCasts(a) == loop.getRegionIterArg(carried) &&
           stripCasts(b) == stripCasts(size);
  };
  return isSum(end.getLhs(), end.getRhs()) || isSum(end.getRhs(), end.getLhs())
             ? success()
             : fail();
}

LogicalResult Matcher::matchRowCount() {
  if (sameRows(loop.getInitArgs()[found.output], found.activations))
    return success();
  return miss(why, "the output may have other rows than the activations",
              "make the output with tensor.dim of the activations");
}

FailureOr<RaggedLoop> Matcher::match() {
  if (failed(matchBounds()) || failed(matchOutput()) || failed(matchMatmul()) ||
      failed(matchRows()) || failed(matchRowCount()))
    return failure();
  return found;
}

//===----------------------------------------------------------------------===//
// Rewriting
//===----------------------------------------------------------------------===//

namespace {

/// Makes the routing operands of the grouped matmul.
class Routing {
public:
  Routing(ImplicitLocOpBuilder &b, const RaggedLoop &loop, bool coverRows)
      : b(b), loop(loop), coverRows(coverRows) {}

  void build() {
    if (loop.offsets)
      fromOffsets();
    else
      fromSizes();
  }
  Value offsets, ids;

private:
  Value index(int64_t value) {
    return arith::ConstantIndexOp::create(b, value);
  }
  Value i32(Value integers) {
    auto type = cast<ShapedType>(integers.getType());
    Type element = type.getElementType(), to = type.clone(b.getI32Type());
    if (element.isIndex())
      return arith::IndexCastOp::create(b, to, integers);
    if (element.getIntOrFloatBitWidth() > 32)
      return arith::TruncIOp::create(b, to, integers);
    if (element.getIntOrFloatBitWidth() < 32)
      return arith::ExtUIOp::create(b, to, integers);
    return integers;
  }
  Value rows() {
    Value count = tensor::DimOp::create(b, loop.activations, index(0));
    return arith::IndexCastOp::create(b, b.getI32Type(), count);
  }
  /// Ids 0 .. E-1, with none in front or behind.
  void makeIds(int head, int tail) {
    SmallVector<int32_t> values(head, -1);
    for (int64_t expert = 0; expert < loop.experts; ++expert)
      values.push_back(expert);
    values.append(tail, -1);
    auto type = RankedTensorType::get(values.size(), b.getI32Type());
    ids = arith::ConstantOp::create(b, DenseIntElementsAttr::get(type, values));
  }

  void fromOffsets() {
    offsets = i32(loop.offsets);
    if (coverRows)
      return;
    // Rows before the first offset and behind the last belong to no expert.
    auto type = RankedTensorType::get(loop.experts + 3, b.getI32Type());
    Value all = arith::ConstantOp::create(
        b, DenseIntElementsAttr::get(type, int32_t(0)));
    OpFoldResult one = b.getIndexAttr(1);
    all = tensor::InsertSliceOp::create(
        b, offsets, all, one, {b.getIndexAttr(loop.experts + 1)}, one);
    offsets = tensor::InsertOp::create(b, rows(), all, index(loop.experts + 2));
    makeIds(1, 1);
  }

  void fromSizes() {
    Value sizes = i32(loop.sizes);
    auto type = RankedTensorType::get(loop.experts + (coverRows ? 1 : 2),
                                      b.getI32Type());
    Value all = arith::ConstantOp::create(
        b, DenseIntElementsAttr::get(type, int32_t(0)));
    Value zero = arith::ConstantOp::create(b, b.getI32IntegerAttr(0));
    auto sums = scf::ForOp::create(b, index(0), index(loop.experts), index(1),
                                   ValueRange{all, zero});
    {
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToStart(sums.getBody());
      Value expert = sums.getInductionVar();
      Value size = tensor::ExtractOp::create(b, sizes, expert);
      Value sum = arith::AddIOp::create(b, sums.getRegionIterArg(1), size);
      Value next = arith::AddIOp::create(b, expert, index(1));
      Value with =
          tensor::InsertOp::create(b, sum, sums.getRegionIterArg(0), next);
      scf::YieldOp::create(b, ValueRange{with, sum});
    }
    offsets = sums.getResult(0);
    if (coverRows)
      return;
    offsets =
        tensor::InsertOp::create(b, rows(), offsets, index(loop.experts + 1));
    makeIds(0, 1);
  }

  ImplicitLocOpBuilder &b;
  const RaggedLoop &loop;
  bool coverRows;
};

struct RaiseRaggedLoop : OpRewritePattern<scf::ForOp> {
  RaiseRaggedLoop(MLIRContext *context, bool coverRows)
      : OpRewritePattern(context), coverRows(coverRows) {}

  LogicalResult matchAndRewrite(scf::ForOp op,
                                PatternRewriter &rewriter) const override {
    FailureOr<RaggedLoop> loop = Matcher(op, nullptr).match();
    if (failed(loop))
      return rewriter.notifyMatchFailure(op, "not a matmul an expert");
    Value init = op.getInitArgs()[loop->output];

    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    Routing routing(b, *loop, coverRows);
    routing.build();
    RankedTensorType type = tensorType(init);
    // What was in place stays in place.
    Value into =
        init.getDefiningOp<tensor::EmptyOp>() ? init : filledTensor(init);
    if (!into)
      into = tensor::EmptyOp::create(
          b, tensor::getMixedSizes(b, b.getLoc(), init), type.getElementType());
    Value y = GroupedMatmulOp::create(b, into.getType(), loop->activations,
                                      ValueRange{loop->codes, loop->scales},
                                      routing.offsets, routing.ids, into,
                                      /*error=*/Value(), /*workspace=*/Value(),
                                      ScheduleAttr())
                  .getResult(0);
    if (y.getType() != type)
      y = tensor::CastOp::create(b, type, y);
    rewriter.replaceAllUsesWith(op.getResult(loop->output), y);
    rewriter.eraseOp(op);
    return success();
  }

private:
  bool coverRows;
};

} // namespace

LogicalResult mxfp4::matchRaggedLoop(scf::ForOp op, Miss *why) {
  return success(succeeded(Matcher(op, why).match()));
}

void mxfp4::populateRaiseRaggedPatterns(RewritePatternSet &patterns,
                                        bool groupsCoverRows) {
  patterns.add<RaiseRaggedLoop>(patterns.getContext(), groupsCoverRows);
}
