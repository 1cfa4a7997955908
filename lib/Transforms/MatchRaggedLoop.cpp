//===- MatchRaggedLoop.cpp - Is this a loop over experts? -----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ContractionForm.h"
#include "RaggedLoop.h"
#include "TensorRows.h"
#include "TensorType.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace mxfp4;

namespace {

/// Looks through conversions between integers that keep values of offsets.
Value stripCasts(Value value) {
  while (true) {
    value = stripIndexCasts(value);
    auto cast = value.getDefiningOp<tensor::CastOp>();
    if (!cast)
      return value;
    value = cast.getSource();
  }
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

/// The tensor of rank 1 whose elements `start`, `start + size` these are, or
/// null.
Value elementsOf(Value value, Value start, Value size) {
  auto slice = value.getDefiningOp<tensor::ExtractSliceOp>();
  if (!slice || slice.getSourceType().getRank() != 1 ||
      !slice.hasUnitStride() ||
      dyn_cast<Value>(slice.getMixedOffsets()[0]) != start ||
      dyn_cast<Value>(slice.getMixedSizes()[0]) != size)
    return Value();
  return slice.getSource();
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

/// Whether a tensor has as many rows as the activations.
bool sameRows(Value init, Value activations) {
  const int64_t rows = tensorType(activations).getDimSize(0);
  if (!ShapedType::isDynamic(rows))
    return tensorType(init).getDimSize(0) == rows;
  return tensorType(init).isDynamicDim(0) &&
         rowsOf(init) == rowsOf(activations);
}

class RaggedMatcher {
public:
  RaggedMatcher(scf::ForOp loop, Miss *why) : loop(loop), why(why) {}

  FailureOr<RaggedLoop> match();

private:
  LogicalResult matchBounds();
  LogicalResult matchOutput();
  LogicalResult matchMatmul();
  LogicalResult matchActivations();
  LogicalResult matchEpilogue();
  Value wholeOperand(Value operand);
  LogicalResult matchRows();
  LogicalResult matchSizes();
  LogicalResult matchRowCount();

  scf::ForOp loop;
  Miss *why;
  RaggedLoop found;
  tensor::InsertSliceOp insert;
  Value start, size;
};

} // namespace

LogicalResult RaggedMatcher::matchBounds() {
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
LogicalResult RaggedMatcher::matchOutput() {
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

LogicalResult RaggedMatcher::matchMatmul() {
  Value result = insert.getSource();
  if (auto retyped = result.getDefiningOp<tensor::CastOp>())
    result = retyped.getSource();
  auto matmul = result.getDefiningOp<GroupedMatmulOp>();
  if (!matmul || matmul.getWeights().size() != 2 || matmul.getExpertIds() ||
      matmul.getScatter())
    return miss(why, "what is inserted must be the result of the matmul itself",
                "run mxfp4-fuse-epilogue and mxfp4-raise again, or move what "
                "else is done to the rows behind the loop");
  found.matmul = matmul;
  if (failed(matchActivations()))
    return failure();
  Value iv = loop.getInductionVar();
  found.codes = expertsOf(matmul.getWeights()[0], iv, found.experts);
  found.scales = expertsOf(matmul.getWeights()[1], iv, found.experts);
  if (!found.codes || !found.scales)
    return miss(why,
                "the weights of an expert must be slice number e, whole, of "
                "weights of as many experts as the loop has iterations");
  for (Value value :
       {found.activations, found.codes, found.scales, found.rowSource()})
    if (!loop.isDefinedOutsideOfLoop(value))
      return miss(why, "activations and weights must not change in the loop");
  return matchEpilogue();
}

LogicalResult RaggedMatcher::matchActivations() {
  GroupedMatmulOp matmul = found.matmul;
  Value rows = matmul.getRowSource();
  if (matmul.getGather()) {
    found.activations = matmul.getActivations();
    found.gather = elementsOf(rows, start, size);
  } else if (auto slice = rows.getDefiningOp<tensor::ExtractSliceOp>();
             isRowSlice(slice, start, size, matmul.getK())) {
    found.activations = slice.getSource();
  }
  if (!found.activations || bool(matmul.getGather()) != bool(found.gather) ||
      !isWholeGroup(matmul.getOffsets(), size, rows))
    return miss(why, "the activations of an expert must be the rows that its "
                     "result is inserted into");
  return success();
}

/// What an epilogue operand is a slice of, or null.
Value RaggedMatcher::wholeOperand(Value operand) {
  switch (epilogueOperandOf(operand.getType())) {
  case EpilogueOperand::PerRow:
    operand = elementsOf(operand, start, size);
    return operand && sameRows(operand, found.rowSource()) ? operand : Value();
  case EpilogueOperand::PerColumn:
    return expertsOf(operand, loop.getInductionVar(), found.experts);
  case EpilogueOperand::Scalar:
    break;
  }
  return operand;
}

LogicalResult RaggedMatcher::matchEpilogue() {
  for (Value operand : found.matmul.getEpilogueOperands()) {
    Value whole = wholeOperand(operand);
    // A value from outside may have become a tensor in the loop.
    auto made = operand.getDefiningOp<tensor::FromElementsOp>();
    if (!whole ||
        !loop.isDefinedOutsideOfLoop(made ? made.getElements().front() : whole))
      return miss(why,
                  "what an epilogue adds must be values of the expert's rows, "
                  "slice number e of values for each expert, or one value, of "
                  "tensors that do not change in the loop");
    found.epilogueOperands.push_back(whole);
  }
  return success();
}

/// Rows from offsets[e] to offsets[e + 1]; or sizes[e] rows from where the
/// expert before ended.
LogicalResult RaggedMatcher::matchRows() {
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

LogicalResult RaggedMatcher::matchSizes() {
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
  // A narrow sum wraps around, and the offsets that are made here do not.
  if (end && end.getType().isIntOrIndex() && !end.getType().isIndex() &&
      end.getType().getIntOrFloatBitWidth() < 32)
    return fail();
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

LogicalResult RaggedMatcher::matchRowCount() {
  if (sameRows(loop.getInitArgs()[found.output], found.rowSource()))
    return success();
  return miss(why, "the output may have other rows than the activations",
              "make the output with tensor.dim of the activations");
}

FailureOr<RaggedLoop> RaggedMatcher::match() {
  if (failed(matchBounds()) || failed(matchOutput()) || failed(matchMatmul()) ||
      failed(matchRows()) || failed(matchRowCount()))
    return failure();
  return found;
}

FailureOr<RaggedLoop> mxfp4::findRaggedLoop(scf::ForOp op, Miss *why) {
  return RaggedMatcher(op, why).match();
}

LogicalResult mxfp4::matchRaggedLoop(scf::ForOp op, Miss *why) {
  return success(succeeded(findRaggedLoop(op, why)));
}
