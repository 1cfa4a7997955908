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

#include "ContractionForm.h"
#include "Raise.h"

#include "mxfp4/Core/Format.h"

#include "mlir/Analysis/SliceAnalysis.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace mxfp4;

namespace {

RankedTensorType tensorType(Value value) {
  return cast<RankedTensorType>(value.getType());
}

//===----------------------------------------------------------------------===//
// The body
//===----------------------------------------------------------------------===//

/// bf16 behind a widening to f32, or the value itself.
Value stripWidening(Value value) {
  auto widen = value.getDefiningOp<arith::ExtFOp>();
  return widen && widen.getIn().getType().isBF16() && widen.getType().isF32()
             ? widen.getIn()
             : value;
}

/// The two factors of acc + a * b in f32, each in front of its widening.
FailureOr<std::pair<Value, Value>> matchMultiplyAdd(linalg::LinalgOp op,
                                                    Miss *why) {
  const auto fail = [&](const Twine &what) {
    return miss(why,
                "the body must add to its accumulator, in f32, the f32 product "
                "of an activation and a weight, but " +
                    what,
                "multiply and add in f32, and round the result");
  };
  Value acc = op.getMatchingBlockArgument(op.getDpsInitOperand(0));
  Value result = op.getBlock()->getTerminator()->getOperand(0);
  if (!acc.getType().isF32())
    return fail("the accumulator is " +
                Twine(acc.getType().isBF16() ? "bf16, which rounds every sum"
                                             : "not f32"));
  auto add = result.getDefiningOp<arith::AddFOp>();
  if (!add || (add.getLhs() != acc && add.getRhs() != acc))
    return fail("it yields something else");
  Value product = add.getLhs() == acc ? add.getRhs() : add.getLhs();
  auto multiply = product.getDefiningOp<arith::MulFOp>();
  if (!multiply)
    return fail("what it adds is no f32 product");
  return std::pair(stripWidening(multiply.getLhs()),
                   stripWidening(multiply.getRhs()));
}

/// The input that a factor is an element of, or null.
OpOperand *inputOf(linalg::LinalgOp op, Value factor) {
  auto argument = dyn_cast<BlockArgument>(factor);
  if (!argument || argument.getOwner() != op.getBlock())
    return nullptr;
  OpOperand *operand = op.getMatchingOpOperand(argument);
  return op.isDpsInput(operand) ? operand : nullptr;
}

//===----------------------------------------------------------------------===//
// Weights
//===----------------------------------------------------------------------===//

/// Codes and scales of weights, and which loops run over the weights.
struct Weights {
  /// Either from a dequantize, or the same slice of its codes and scales,
  DequantizeOp dequantize;
  tensor::ExtractSliceOp slice;
  /// or from a decode in the body.
  Decode decode;
  /// For each dimension of the weights; the last is K.
  SmallVector<LoopParts> dims;

  /// Codes and scales of the weights, made if need be.
  std::pair<Value, Value> make(OpBuilder &b, Location loc) const;
};

/// Whole rows: blocks are not cut.
bool keepsBlocks(tensor::ExtractSliceOp slice) {
  return slice.hasUnitStride() &&
         getConstantIntValue(slice.getMixedOffsets().back()) == 0 &&
         getConstantIntValue(slice.getMixedSizes().back()) ==
             slice.getSourceType().getShape().back() &&
         !slice.getDroppedDims().test(slice.getSourceType().getRank() - 1);
}

std::pair<Value, Value> Weights::make(OpBuilder &b, Location loc) const {
  if (!dequantize)
    return makeBlocks(b, loc, decode);
  DequantizeOp op = dequantize;
  if (!slice)
    return {op.getCodes(), op.getScales()};
  tensor::ExtractSliceOp cut = slice;
  const int64_t leading = cut.getSourceType().getRank() - 1;
  return {sliceLeading(b, cut, op.getCodes(), leading),
          sliceLeading(b, cut, op.getScales(), leading)};
}

/// Weights that an input of the contraction holds.
FailureOr<Weights> weightsOf(const ContractionOperand &operand, Miss *why) {
  Weights found;
  found.dims = operand.dims;
  Value value = operand.value;
  found.slice = value.getDefiningOp<tensor::ExtractSliceOp>();
  if (found.slice) {
    value = found.slice.getSource();
    if (value.getDefiningOp<DequantizeOp>() && !keepsBlocks(found.slice))
      return miss(why, "the slice of the weights cuts blocks along K",
                  "slice whole rows of the weights");
  }
  found.dequantize = value.getDefiningOp<DequantizeOp>();
  if (!found.dequantize)
    return miss(why, "no operand is an exact MXFP4 decode, moved or widened at "
                     "most");
  return found;
}

/// Positions of the loops `order` in a map of all loops of `op`; null where the
/// map has another.
AffineMap onLoops(AffineMap map, ArrayRef<unsigned> order) {
  SmallVector<AffineExpr> dims(map.getNumDims(),
                               getAffineConstantExpr(-1, map.getContext()));
  for (auto [number, loop] : llvm::enumerate(order))
    dims[loop] = getAffineDimExpr(number, map.getContext());
  return map.replaceDimsAndSymbols(dims, {}, order.size(), 0);
}

/// The inputs that a factor that the body computes depends on.
SmallVector<OpOperand *> inputsOf(linalg::LinalgOp op, Value factor) {
  SetVector<OpOperand *> found;
  SetVector<Operation *> slice;
  BackwardSliceOptions options;
  options.inclusive = true;
  options.filter = [&](Operation *inner) {
    return inner->getBlock() == op.getBlock();
  };
  (void)getBackwardSlice(factor, &slice, options);
  for (Operation *inner : slice)
    for (Value operand : inner->getOperands())
      if (OpOperand *input = inputOf(op, operand))
        found.insert(input);
  return found.takeVector();
}

/// The loops over weights: their rows first, as the codes have them, then K, as
/// the activations have it, so that neither has to be transposed.
SmallVector<unsigned> orderWeights(linalg::LinalgOp op, OpOperand *code,
                                   OpOperand *activations) {
  auto iterators = op.getIteratorTypesArray();
  SetVector<unsigned> rows, sum;
  for (AffineExpr expr : op.getMatchingIndexingMap(code).getResults())
    expr.walk([&](AffineExpr part) {
      if (auto dim = dyn_cast<AffineDimExpr>(part))
        if (iterators[dim.getPosition()] == utils::IteratorType::parallel)
          rows.insert(dim.getPosition());
    });
  for (AffineExpr expr : op.getMatchingIndexingMap(activations).getResults())
    if (auto dim = dyn_cast<AffineDimExpr>(expr))
      if (iterators[dim.getPosition()] == utils::IteratorType::reduction)
        sum.insert(dim.getPosition());
  rows.insert(sum.begin(), sum.end());
  return rows.takeVector();
}

/// Weights that the body decodes: `factor` is computed from `code` and `scale`.
FailureOr<Weights> decodeInBody(linalg::LinalgOp op, Value factor,
                                OpOperand *code, OpOperand *scale,
                                OpOperand *activations, Miss *why) {
  if (!isa<RankedTensorType>(code->get().getType()) ||
      !isa<RankedTensorType>(scale->get().getType()))
    return miss(why, "codes and scales must be tensors");
  const SmallVector<unsigned> order = orderWeights(op, code, activations);
  const SmallVector<int64_t> extents = op.getStaticLoopRanges();
  if (order.empty())
    return miss(why, "the activations must have the loops of K");
  DecodeCandidate candidate;
  candidate.codes = code->get();
  candidate.scales = scale->get();
  candidate.codesMap = onLoops(op.getMatchingIndexingMap(code), order);
  candidate.scalesMap = onLoops(op.getMatchingIndexingMap(scale), order);
  for (unsigned loop : order)
    candidate.shape.push_back(extents[loop]);
  DecodeBody body;
  body.result = factor;
  body.code = op.getMatchingBlockArgument(code);
  body.scale = op.getMatchingBlockArgument(scale);
  body.lastLoop = order.back();
  body.lastExtent = extents[order.back()];
  FailureOr<Decode> decode = matchDecode(candidate, body, why);
  if (failed(decode))
    return failure();
  Weights found;
  found.decode = *decode;
  for (auto [number, loop] : llvm::enumerate(order)) {
    if (static_cast<int64_t>(number) <= decode->leading)
      found.dims.emplace_back();
    if (extents[loop] != 1)
      appendPart(found.dims.back(), {loop, extents[loop], 1});
  }
  return found;
}

/// The same, where which input holds codes is to be found out.
FailureOr<Weights> decodeInBody(linalg::LinalgOp op, Value factor,
                                OpOperand *activations, Miss *why) {
  SmallVector<OpOperand *> operands = inputsOf(op, factor);
  if (operands.size() != 2)
    return miss(why, "a weight that the body computes must depend on one code "
                     "and one scale, but depends on " +
                         Twine(operands.size()) + " inputs");
  // Codes have at least as many dimensions: their reason is the better one.
  if (op.getRank(operands[0]) < op.getRank(operands[1]))
    std::swap(operands[0], operands[1]);
  FailureOr<Weights> found =
      decodeInBody(op, factor, operands[1], operands[0], activations, nullptr);
  return succeeded(found) ? found
                          : decodeInBody(op, factor, operands[0], operands[1],
                                         activations, why);
}

//===----------------------------------------------------------------------===//
// The contraction
//===----------------------------------------------------------------------===//

/// The loops of a contraction by what they run over, and its operands.
struct Contraction {
  ContractionOperand activations;
  Weights weights;
  /// Experts, rows, columns, the sum; each in an order that needs no
  /// transposition of weights, activations, weights, weights.
  SmallVector<unsigned> batch, m, n, k;
  /// The order in which the output has batch, m and n.
  SmallVector<unsigned> out;
  /// The number of dimensions of the weights that run over experts and over
  /// rows of weights, or no value if a dimension runs over both.
  std::optional<std::pair<int64_t, int64_t>> weightDims;
  int64_t experts = 1, columns = 1;
};

std::string describe(const LoopParts &parts) {
  std::string text;
  for (const LoopPart &part : parts)
    text += (text.empty() ? "d" : ", d") + std::to_string(part.loop);
  return "(" + text + ")";
}

/// Sorts the loops into the four sets.
LogicalResult classify(linalg::LinalgOp op, Contraction &found, Miss *why) {
  const SmallVector<int64_t> extents = op.getStaticLoopRanges();
  AffineMap outMap = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
  if (outMap.getNumResults() == 0 ||
      !outMap.isProjectedPermutation(/*allowZeroInResults=*/false))
    return miss(why, "each dimension of the output must be one loop");
  const LoopParts x = found.activations.flattened();
  LoopParts w;
  for (const LoopParts &parts : found.weights.dims)
    for (const LoopPart &part : parts)
      appendPart(w, part);
  const auto has = [](const LoopParts &parts, unsigned loop) {
    return llvm::any_of(
        parts, [&](const LoopPart &part) { return part.loop == loop; });
  };
  for (AffineExpr expr : outMap.getResults()) {
    const unsigned loop = cast<AffineDimExpr>(expr).getPosition();
    if (extents[loop] != 1)
      found.out.push_back(loop);
  }
  for (unsigned loop = 0; loop < op.getNumLoops(); ++loop) {
    const bool inX = has(x, loop), inW = has(w, loop),
               inOut = llvm::is_contained(found.out, loop);
    if (extents[loop] != 1 && inX + inW + inOut < 2)
      return miss(why,
                  "each loop must run over two of activations, weights and "
                  "output, but d" +
                      Twine(loop) + " does not");
  }
  if (!w.empty() && llvm::is_contained(found.out, w.back().loop))
    return miss(why,
                "the blocks of 32 weights with one scale must run along the "
                "sum, but run along d" +
                    Twine(w.back().loop) + " of the output");
  // Weights: all experts, then all rows, then K.
  for (const LoopPart &part : w) {
    if (part.divisor != 1 || part.size != extents[part.loop])
      return miss(why,
                  "a loop runs over the weights in pieces: " + describe(w));
    const bool inX = has(x, part.loop),
               inOut = llvm::is_contained(found.out, part.loop);
    auto &set = !inOut ? found.k : inX ? found.batch : found.n;
    if ((&set == &found.batch && found.n.size() + found.k.size() > 0) ||
        (&set == &found.n && !found.k.empty()))
      return miss(why,
                  "the weights must be in the order experts, N, K, but their "
                  "loops are " +
                      describe(w),
                  "transpose codes and scales before the decode");
    set.push_back(part.loop);
  }
  for (const LoopPart &part : x)
    if (!has(w, part.loop) && !llvm::is_contained(found.m, part.loop))
      found.m.push_back(part.loop);
  if (found.k.empty())
    return miss(why, "there is no loop of the sum");
  for (unsigned loop : found.batch)
    found.experts = ShapedType::isDynamic(extents[loop]) || found.experts < 0
                        ? -1
                        : found.experts * extents[loop];
  if (found.experts < 0)
    return miss(why, "the number of experts must be static");
  return success();
}

/// Which dimensions of the weights are experts and which are rows.
LogicalResult matchWeightDims(linalg::LinalgOp op, Contraction &found,
                              Miss *why) {
  int64_t batch = 0, n = 0, sum = 1;
  bool mixed = false;
  const SmallVector<int64_t> extents = op.getStaticLoopRanges();
  for (const LoopParts &parts : ArrayRef(found.weights.dims).drop_back()) {
    const bool isBatch = llvm::all_of(parts, [&](const LoopPart &part) {
      return llvm::is_contained(found.batch, part.loop);
    });
    const bool isN = llvm::all_of(parts, [&](const LoopPart &part) {
      return llvm::is_contained(found.n, part.loop);
    });
    if (isBatch && n == 0)
      ++batch;
    else if (isN)
      ++n;
    else
      mixed = true;
  }
  for (const LoopPart &part : found.weights.dims.back())
    mixed |= !llvm::is_contained(found.k, part.loop);
  if (!mixed)
    found.weightDims = {batch, n};
  for (unsigned loop : found.k)
    sum = ShapedType::isDynamic(extents[loop]) ? -1 : sum * extents[loop];
  for (unsigned loop : found.n)
    found.columns = ShapedType::isDynamic(extents[loop]) || found.columns < 0
                        ? -1
                        : found.columns * extents[loop];
  if (sum <= 0 || sum % kScaleBlock != 0)
    return miss(why, "K must be static and a multiple of 32");
  if (mixed && found.columns < 0)
    return miss(why,
                "N must be static where a dimension of the codes runs over "
                "experts and N, or over N and K");
  return success();
}

/// The order of the dimensions of the activations that has experts, rows and K
/// one after the other, and how many dimensions are rows of experts.
struct ActivationOrder {
  SmallVector<int64_t> permutation;
  int64_t rowDims = 0;
};

FailureOr<ActivationOrder> orderActivations(const Contraction &c, Miss *why) {
  // All parts, in the order that the rows have.
  LoopParts target;
  for (const auto *set : {&c.batch, &c.m, &c.k})
    for (unsigned loop : *set) {
      LoopParts parts;
      for (const LoopParts &dim : c.activations.dims)
        for (const LoopPart &part : dim)
          if (part.loop == loop)
            parts.push_back(part);
      llvm::sort(parts, [](const LoopPart &a, const LoopPart &b) {
        return a.divisor > b.divisor;
      });
      target.append(parts);
    }
  const auto rows = llvm::count_if(target, [&](const LoopPart &part) {
    return !llvm::is_contained(c.k, part.loop);
  });
  SmallVector<int64_t> at;
  int64_t next = static_cast<int64_t>(target.size()) - 1;
  for (const LoopParts &dim : llvm::reverse(c.activations.dims)) {
    // What a dimension holds merged stands in the target piece by piece.
    if (!dim.empty()) {
      const auto *found = llvm::find(target, dim.front());
      next = found - target.begin();
      for (const auto &[part, other] :
           llvm::zip(dim, ArrayRef(target).drop_front(next)))
        if (!(part == other))
          return miss(why, "a dimension of the activations runs over K and "
                           "rows, or over rows in another order");
      if (next < rows && next + static_cast<int64_t>(dim.size()) > rows)
        return miss(why, "a dimension of the activations runs over rows and K");
    }
    at.push_back(next);
  }
  std::reverse(at.begin(), at.end());
  ActivationOrder order;
  order.permutation =
      llvm::to_vector(llvm::seq<int64_t>(0, c.activations.dims.size()));
  llvm::sort(order.permutation, [&](int64_t a, int64_t b) {
    return std::pair(at[a], a) < std::pair(at[b], b);
  });
  order.rowDims = llvm::count_if(at, [&](int64_t a) { return a < rows; });
  return order;
}

FailureOr<Contraction> matchContraction(linalg::LinalgOp op, Miss *why) {
  if (!op.hasPureTensorSemantics())
    return miss(why, "the operation is on memrefs",
                "run mxfp4-raise before bufferization");
  if (op.getNumDpsInits() != 1 || op.getNumReductionLoops() == 0)
    return miss(why, "a matmul has one result and a reduction");
  auto factors = matchMultiplyAdd(op, why);
  if (failed(factors))
    return failure();
  FailureOr<Contraction> found = failure();
  // The weights are the factor that is decoded.
  for (auto [x, w] : {*factors, std::pair(factors->second, factors->first)}) {
    OpOperand *xInput = inputOf(op, x), *wInput = inputOf(op, w);
    if (!xInput) {
      if (failed(found) && !wInput)
        (void)miss(why,
                   "the body decodes both factors, or computes the "
                   "activations",
                   "pass bf16 activations");
      continue;
    }
    if (!isa<RankedTensorType>(xInput->get().getType()) ||
        (wInput && !isa<RankedTensorType>(wInput->get().getType())))
      continue;
    std::optional<ContractionOperand> activations = normalForm(op, xInput);
    Miss here;
    FailureOr<Weights> weights = failure();
    if (!wInput) {
      weights = decodeInBody(op, w, xInput, &here);
    } else if (auto operand = normalForm(op, wInput)) {
      weights = weightsOf(*operand, &here);
    } else {
      (void)miss(&here, "each dimension of the weights must be one loop");
    }
    if (failed(weights)) {
      // Of two operands, the one that nearly holds weights says more.
      if (why && (why->condition.empty() || !wInput || !here.nextStep.empty()))
        *why = here;
      continue;
    }
    if (!activations)
      return miss(why, "each dimension of the activations must be one loop");
    Type element = tensorType(activations->value).getElementType();
    if (!element.isBF16()) {
      std::string name;
      llvm::raw_string_ostream(name) << element;
      return miss(
          why, "activations must be bf16, or widened from it, but are " + name,
          "round the activations to bf16");
    }
    found = Contraction();
    found->activations = *activations;
    found->weights = *weights;
    break;
  }
  if (failed(found))
    return failure();
  if (!isPositiveZero(op.getDpsInitOperand(0)->get()))
    return miss(why,
                "the output must start at +0.0, but starts at other values, "
                "which are the first to be summed",
                "start at zero, and add the values to the result");
  if (failed(classify(op, *found, why)) ||
      failed(matchWeightDims(op, *found, why)) ||
      failed(orderActivations(*found, why)))
    return failure();
  int64_t rows = found->experts;
  for (unsigned loop : found->m) {
    const int64_t extent = op.getStaticLoopRanges()[loop];
    rows = ShapedType::isDynamic(extent) || rows < 0 ? -1 : rows * extent;
  }
  if (rows > INT32_MAX || found->experts > INT32_MAX)
    return miss(why, "all rows together must be at most 2^31 - 1, as offsets "
                     "are i32");
  return found;
}

//===----------------------------------------------------------------------===//
// Rewriting
//===----------------------------------------------------------------------===//

/// Collapses neighbouring dimensions, `counts` of them to each one; 0 makes a
/// dimension of one.
Value regroup(OpBuilder &b, Location loc, Value value,
              ArrayRef<int64_t> counts) {
  SmallVector<ReassociationIndices> groups;
  int64_t next = 0;
  for (int64_t count : counts)
    if (count > 0) {
      ReassociationIndices &group = groups.emplace_back();
      for (int64_t i = 0; i < count; ++i)
        group.push_back(next++);
    }
  if (next > static_cast<int64_t>(groups.size()))
    value = tensor::CollapseShapeOp::create(b, loc, value, groups);
  if (groups.size() == counts.size())
    return value;
  // A dimension of one goes to the group in front of it, or to the first.
  SmallVector<int64_t> shape;
  SmallVector<ReassociationIndices> units;
  int64_t from = 0;
  for (auto [dim, count] : llvm::enumerate(counts)) {
    if (units.empty() || (count > 0 && from > 0))
      units.emplace_back();
    units.back().push_back(dim);
    shape.push_back(count > 0 ? tensorType(value).getDimSize(from++) : 1);
  }
  return tensor::ExpandShapeOp::create(b, loc, tensorType(value).clone(shape),
                                       value, units);
}

/// Codes or scales as `experts x n x ...`.
Value shapeBlocks(OpBuilder &b, Location loc, Value blocks,
                  const Contraction &c, int64_t slices) {
  RankedTensorType type = tensorType(blocks);
  // Dimensions behind the number of slices: the bytes of a block.
  const int64_t inner =
      type.getRank() - static_cast<int64_t>(c.weights.dims.size());
  if (c.weightDims) {
    SmallVector<int64_t> counts = {c.weightDims->first, c.weightDims->second};
    counts.append(1 + inner, 1);
    return regroup(b, loc, blocks, counts);
  }
  SmallVector<int64_t> counts = {type.getRank() - inner};
  counts.append(inner, 1);
  Value flat = regroup(b, loc, blocks, counts);
  SmallVector<int64_t> shape = {c.experts, c.columns, slices};
  shape.append(type.getShape().end() - inner, type.getShape().end());
  SmallVector<ReassociationIndices> groups = {{0, 1, 2}};
  for (int64_t dim = 0; dim < inner; ++dim)
    groups.push_back({dim + 3});
  return tensor::ExpandShapeOp::create(b, loc, type.clone(shape), flat, groups);
}

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

/// Makes the `grouped_matmul` of a contraction, and its result of it.
class MatmulBuilder {
public:
  MatmulBuilder(PatternRewriter &b, linalg::LinalgOp op, const Contraction &c)
      : b(b), op(op), loc(op.getLoc()), c(c),
        init(op.getDpsInitOperand(0)->get()), type(tensorType(init)),
        outMap(op.getMatchingIndexingMap(op.getDpsInitOperand(0))) {
    for (const auto *set : {&c.batch, &c.m, &c.n})
      order.append(*set);
  }

  Value build();

private:
  Value makeActivations();
  OpFoldResult extent(unsigned loop);
  OpFoldResult rowsPerExpert();
  Value destination(Value x, Value codes);
  Value shapeResult(Value y);
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

Value MatmulBuilder::makeActivations() {
  ActivationOrder activations = *orderActivations(c, nullptr);
  Value x = c.activations.value;
  ArrayRef<int64_t> permutation = activations.permutation;
  if (!llvm::is_sorted(permutation)) {
    SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(b, loc, x), sorted;
    for (int64_t dim : permutation)
      sorted.push_back(sizes[dim]);
    Value empty =
        tensor::EmptyOp::create(b, loc, sorted, tensorType(x).getElementType());
    x = linalg::TransposeOp::create(b, loc, x, empty, permutation)
            ->getResult(0);
  }
  return regroup(
      b, loc, x,
      {activations.rowDims, tensorType(x).getRank() - activations.rowDims});
}

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
  if (filled && isOrdered())
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
  if (next > static_cast<int64_t>(groups.size()))
    y = tensor::ExpandShapeOp::create(b, loc, to, y, groups, sorted);
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

Value MatmulBuilder::build() {
  auto [codes, scales] = c.weights.make(b, loc);
  int64_t slices = 1;
  for (unsigned loop : c.k)
    slices *= op.getStaticLoopRanges()[loop];
  slices /= kScaleBlock;
  codes = shapeBlocks(b, loc, codes, c, slices);
  scales = shapeBlocks(b, loc, scales, c, slices);
  Value offsets = equalOffsets(b, loc, c.experts, rowsPerExpert());
  Value x = makeActivations();
  Value into = destination(x, codes);
  Value y = GroupedMatmulOp::create(
                b, loc, into.getType(), x, ValueRange{codes, scales}, offsets,
                /*expert_ids=*/Value(), into,
                /*error=*/Value(), /*workspace=*/Value(), ScheduleAttr())
                .getResult(0);
  return shapeResult(y);
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
