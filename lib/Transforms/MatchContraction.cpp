//===- MatchContraction.cpp - Is this a matmul on weights? ----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Contraction.h"

#include "mxfp4/Core/Format.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace mxfp4;

static RankedTensorType tensorType(Value value) {
  return cast<RankedTensorType>(value.getType());
}

/// bf16 behind a widening to f32, or the value itself.
static Value stripWidening(Value value) {
  auto widen = value.getDefiningOp<arith::ExtFOp>();
  return widen && widen.getIn().getType().isBF16() && widen.getType().isF32()
             ? widen.getIn()
             : value;
}

/// The two factors of acc + a * b in f32, each in front of its widening.
static FailureOr<std::pair<Value, Value>> matchMultiplyAdd(linalg::LinalgOp op,
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

static std::string describe(const LoopParts &parts) {
  std::string text;
  for (const LoopPart &part : parts)
    text += (text.empty() ? "d" : ", d") + std::to_string(part.loop);
  return "(" + text + ")";
}

/// Sorts the loops into the four sets.
static LogicalResult classify(linalg::LinalgOp op, Contraction &found,
                              Miss *why) {
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
static LogicalResult matchWeightDims(linalg::LinalgOp op, Contraction &found,
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

FailureOr<ActivationOrder> mxfp4::orderActivations(const Contraction &c,
                                                   Miss *why) {
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

/// Which factor are the activations, and which the weights.
static FailureOr<Contraction>
matchOperands(linalg::LinalgOp op, const std::pair<Value, Value> &factors,
              Miss *why) {
  FailureOr<Contraction> found = failure();
  // The weights are the factor that is decoded.
  for (auto [x, w] : {factors, std::pair(factors.second, factors.first)}) {
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
      weights = weightsInBody(op, w, xInput, &here);
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
    return found;
  }
  return failure();
}

FailureOr<Contraction> mxfp4::matchContraction(linalg::LinalgOp op, Miss *why) {
  if (!op.hasPureTensorSemantics())
    return miss(why, "the operation is on memrefs",
                "run mxfp4-raise before bufferization");
  if (op.getNumDpsInits() != 1 || op.getNumReductionLoops() == 0)
    return miss(why, "a matmul has one result and a reduction");
  auto factors = matchMultiplyAdd(op, why);
  if (failed(factors))
    return failure();
  FailureOr<Contraction> found = matchOperands(op, *factors, why);
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
