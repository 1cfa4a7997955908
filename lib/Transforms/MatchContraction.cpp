//===- MatchContraction.cpp - Is this a matmul on weights? ----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Contraction.h"
#include "TensorType.h"

#include "mxfp4/Core/Format.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mxfp4;

/// What is in front of a widening to f32, or the value itself.
static Value stripWidening(Value value) {
  auto widen = value.getDefiningOp<arith::ExtFOp>();
  return widen && isWidening(widen.getIn().getType(), widen.getType())
             ? widen.getIn()
             : value;
}

FailureOr<std::pair<Value, Value>> mxfp4::matchMultiplyAdd(linalg::LinalgOp op,
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
  const bool mayBeNarrow = Promises().within(op).f32Sums &&
                           (acc.getType().isBF16() || acc.getType().isF16());
  if (!acc.getType().isF32() && !mayBeNarrow)
    return miss(
        why,
        "the body must add to its accumulator, in f32, the f32 product of an "
        "activation and a weight, but the accumulator is " +
            Twine(acc.getType().isBF16() ? "bf16, which rounds every sum"
                                         : "not f32"),
        acc.getType().isBF16() || acc.getType().isF16()
            ? "multiply and add in f32, and round the result, or promise that "
              "sums may be f32 (f32-sums)"
            : "multiply and add in f32, and round the result");
  // With factors of at most 11 bits, a product is exact, and `fma` rounds what
  // a multiplication and an addition round.
  if (auto fused = result.getDefiningOp<math::FmaOp>();
      fused && acc.getType().isF32() && fused.getC() == acc)
    return std::pair(stripWidening(fused.getA()), stripWidening(fused.getB()));
  auto add = result.getDefiningOp<arith::AddFOp>();
  if (!add || (add.getLhs() != acc && add.getRhs() != acc))
    return fail("it yields something else");
  Value product = add.getLhs() == acc ? add.getRhs() : add.getLhs();
  if (mayBeNarrow)
    product = stripWidening(product);
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

/// All parts of the weights' dimensions, the numbers that select an expert
/// first.
static LoopParts partsOf(const Weights &weights) {
  LoopParts all;
  for (const auto *dims : {&weights.gather.dims, &weights.dims})
    for (const LoopParts &parts : *dims)
      for (const LoopPart &part : parts)
        appendPart(all, part);
  return all;
}

static bool has(const LoopParts &parts, unsigned loop) {
  return llvm::any_of(parts,
                      [&](const LoopPart &part) { return part.loop == loop; });
}

/// A product of extents, or -1 if one is not static. What is too large for any
/// tensor stays INT64_MAX.
static int64_t staticProduct(int64_t product, int64_t extent) {
  if (product < 0 || ShapedType::isDynamic(extent))
    return -1;
  int64_t result;
  return llvm::MulOverflow(product, extent, result) ? INT64_MAX : result;
}

/// Sorts the loops into the four sets.
static LogicalResult classify(linalg::LinalgOp op, Contraction &found,
                              Miss *why) {
  const SmallVector<int64_t> extents = op.getStaticLoopRanges();
  AffineMap outMap = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
  if (outMap.getNumResults() == 0 ||
      !outMap.isProjectedPermutation(/*allowZeroInResults=*/false))
    return miss(why, "each dimension of the output must be one loop");
  const LoopParts x = found.activations.flattened(), w = partsOf(found.weights);
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
  for (const LoopPart &part : w) {
    if (!llvm::is_contained(found.out, part.loop)) {
      appendDigit(found.k, {part.loop, part.size, part.divisor, 0});
      continue;
    }
    const bool isGathered =
        llvm::any_of(found.weights.gather.dims, [&](const LoopParts &parts) {
          return has(parts, part.loop);
        });
    auto &set = isGathered || has(x, part.loop) ? found.batch : found.n;
    found.repeatsRows |= isGathered && !has(x, part.loop);
    if (!llvm::is_contained(set, part.loop))
      set.push_back(part.loop);
  }
  for (const LoopParts &parts : found.weights.kept.dims)
    if (parts.size() > 1 ||
        (parts.size() == 1 && (parts[0].size != extents[parts[0].loop] ||
                               !llvm::is_contained(found.out, parts[0].loop))))
      return miss(why, "weights that are NaN in places must be NaN in whole "
                       "columns of the sum");
  for (const LoopPart &part : x)
    if (!has(w, part.loop) && !llvm::is_contained(found.m, part.loop))
      found.m.push_back(part.loop);
  if (found.k.empty())
    return miss(why, "there is no loop of the sum");
  // Where activations and weights are both copied along the sum, each product
  // is added several times.
  for (unsigned loop = 0; loop < op.getNumLoops(); ++loop) {
    int64_t size = 1;
    for (const Digit &digit : found.k)
      if (digit.loop == loop)
        size = ShapedType::isDynamic(digit.size) ? extents[loop]
                                                 : size * digit.size;
    if (!llvm::is_contained(found.out, loop) && size != extents[loop])
      return miss(why, "the sum must add each product once, but both factors "
                       "are copied along it");
  }
  for (unsigned loop : found.batch)
    found.groups = staticProduct(found.groups, extents[loop]);
  if (found.groups < 0)
    return miss(why, "the number of experts must be static");
  return success();
}

static Digits toDigits(const LoopParts &parts) {
  Digits digits;
  for (const LoopPart &part : parts)
    appendDigit(digits, {part.loop, part.size, part.divisor, 0});
  return digits;
}

/// Loops as one position.
static Digits wholeLoops(ArrayRef<unsigned> loops, ArrayRef<int64_t> extents) {
  Digits digits;
  for (unsigned loop : loops)
    appendDigit(digits, {loop, extents[loop], 1, 0});
  return digits;
}

/// How codes and scales become experts, N and K.
static LogicalResult arrangeWeights(linalg::LinalgOp op, Contraction &found,
                                    Miss *why) {
  const SmallVector<int64_t> extents = op.getStaticLoopRanges();
  const Weights &weights = found.weights;
  int64_t sum = 1;
  for (const Digit &digit : found.k)
    sum = staticProduct(sum, digit.size);
  if (sum <= 0 || sum % kScaleBlock != 0)
    return miss(why, "K must be static and a multiple of 32");
  ElementIndex index;
  for (const LoopParts &parts : weights.dims)
    index.push_back(toDigits(parts));
  SmallVector<Digits> groups = {wholeLoops(found.batch, extents),
                                wholeLoops(found.n, extents), found.k};
  if (weights.gather.numbers) {
    ElementIndex numbers;
    for (const LoopParts &parts : weights.gather.dims)
      numbers.push_back(toDigits(parts));
    if (!Arrangement::find(tensorType(weights.gather.numbers).getShape(),
                           numbers, {groups[0]}))
      return miss(why, "each group of rows must have one number that selects "
                       "its weights");
    Digits expert;
    appendDigit(expert, {Digit::kKnown - 3, weights.shape[0], 1, 0});
    index[0] = groups[0] = expert;
  }
  std::optional<Digits> block = takeLow(index.back(), kScaleBlock),
                        blockOfK = takeLow(groups[2], kScaleBlock);
  if (!block || !blockOfK || !(*block == *blockOfK))
    return miss(why, "the blocks of 32 weights with one scale must be "
                     "neighbours along the sum");
  SmallVector<int64_t> shape(weights.shape);
  shape.back() /= kScaleBlock;
  auto scales = Arrangement::find(shape, index, groups);
  Digits byte;
  byte.push_back({Decode::kInBlock, 16, 1, 0});
  index.push_back(byte);
  groups.push_back(byte);
  shape.push_back(16);
  auto codes = Arrangement::find(shape, index, groups);
  if (!scales || !codes)
    return miss(why, "the weights must have experts, N and K, in any order, "
                     "each once, but their loops are " +
                         describe(partsOf(weights)));
  found.scales = *scales;
  found.codes = *codes;
  return success();
}

/// How the activations become rows and K.
static LogicalResult arrangeRows(linalg::LinalgOp op, Contraction &found,
                                 Miss *why) {
  const SmallVector<int64_t> extents = op.getStaticLoopRanges();
  const LoopParts x = found.activations.flattened();
  SmallVector<unsigned> loops;
  for (const auto *set : {&found.batch, &found.m})
    for (unsigned loop : *set)
      if (has(x, loop))
        loops.push_back(loop);
  ElementIndex index;
  for (const LoopParts &parts : found.activations.dims)
    index.push_back(toDigits(parts));
  auto rows = Arrangement::find(tensorType(found.activations.value).getShape(),
                                index, {wholeLoops(loops, extents), found.k});
  if (!rows)
    return miss(why, "the activations must have experts, rows and K, in any "
                     "order, each once, but their loops are " +
                         describe(x));
  found.rows = *rows;
  return success();
}

/// Whether a factor is weights that an input holds.
static bool isWeights(linalg::LinalgOp op, Value factor, bool withCopies) {
  OpOperand *input = inputOf(op, factor);
  if (!input || !isa<RankedTensorType>(input->get().getType()))
    return false;
  auto operand = normalForm(op, input, withCopies, /*isWeights=*/true);
  return operand && succeeded(weightsOf(*operand, nullptr));
}

/// Whether one of two factors is.
static bool hasWeights(linalg::LinalgOp op,
                       const std::pair<Value, Value> &factors,
                       bool withCopies) {
  return isWeights(op, factors.first, withCopies) ||
         isWeights(op, factors.second, withCopies);
}

/// Which factor are the activations, and which the weights.
static FailureOr<Contraction>
matchOperands(linalg::LinalgOp op, const std::pair<Value, Value> &factors,
              bool withCopies, Miss *why) {
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
    std::optional<ContractionOperand> activations =
        normalForm(op, xInput, withCopies);
    Miss here;
    FailureOr<Weights> weights = failure();
    if (!wInput) {
      weights = weightsInBody(op, w, xInput, &here);
    } else if (auto operand = normalForm(op, wInput, withCopies,
                                         /*isWeights=*/true)) {
      weights = weightsOf(*operand, &here);
    } else {
      (void)miss(&here, "each dimension of the weights must be one loop");
    }
    if (failed(weights)) {
      if (!wInput && isWeights(op, x, withCopies))
        return miss(why, "the body computes the activations",
                    "compute them in an operation ahead of the matmul, as "
                    "bf16");
      // Of two operands, the one that nearly holds weights says more.
      if (why && (why->condition.empty() || !wInput || !here.nextStep.empty()))
        *why = here;
      continue;
    }
    if (!activations)
      return miss(why, "each dimension of the activations must be one loop");
    Type element = tensorType(activations->value).getElementType();
    const bool mayRound =
        (element.isF16() || element.isF32()) && Promises().within(op).bf16Rows;
    if (!element.isBF16() && !mayRound) {
      std::string name;
      llvm::raw_string_ostream(name) << element;
      return miss(
          why, "activations must be bf16, or widened from it, but are " + name,
          "round the activations to bf16, or promise that they may be rounded "
          "(bf16-rows)");
    }
    found = Contraction();
    found->activations = *activations;
    found->weights = *weights;
    return found;
  }
  return failure();
}

/// The same for operands that are looked through in one way.
static FailureOr<Contraction> arrange(linalg::LinalgOp op,
                                      const std::pair<Value, Value> &factors,
                                      bool withCopies, Miss *why) {
  FailureOr<Contraction> found = matchOperands(op, factors, withCopies, why);
  if (failed(found))
    return failure();
  Value init = op.getDpsInitOperand(0)->get();
  found->addsInit = !isPositiveZero(init);
  if (found->addsInit && (!tensorType(init).getElementType().isF32() ||
                          matchPattern(init, m_AnyZeroFloat())))
    return miss(why,
                "the output must start at +0.0, or at other values of f32, "
                "which are added behind the sum",
                "start at zero, and add the values to the result");
  if (failed(classify(op, *found, why)) ||
      failed(arrangeWeights(op, *found, why)) ||
      failed(arrangeRows(op, *found, why)))
    return failure();
  return found;
}

FailureOr<Contraction> mxfp4::matchContraction(linalg::LinalgOp op, Miss *why) {
  if (!op.hasPureTensorSemantics())
    return miss(why, "the operation is on memrefs",
                "run mxfp4-raise before bufferization");
  if (op.getNumDpsInits() != 1 || op.getNumReductionLoops() == 0)
    return miss(why, "a matmul has one result and a reduction");
  if (llvm::is_contained(op.getStaticLoopRanges(), 0))
    return miss(why, "loops without iterations multiply nothing");
  auto factors = matchMultiplyAdd(op, why);
  if (failed(factors))
    return failure();
  for (Operation &inner : *op.getBlock())
    if (!isMemoryEffectFree(&inner))
      return miss(why, "the body has '" + inner.getName().getStringRef() +
                           "', which a matmul does not do");
  // Copies of rows that are not those of whole loops are rows of their own.
  Miss ofCopies;
  FailureOr<Contraction> found = arrange(op, *factors, true, &ofCopies);
  if (failed(found))
    found = arrange(op, *factors, false, why);
  if (failed(found)) {
    // The second try does not know weights that are copies.
    if (why && !hasWeights(op, *factors, false) &&
        hasWeights(op, *factors, true))
      *why = ofCopies;
    return failure();
  }
  int64_t rows = found->groups;
  for (unsigned loop : found->m)
    rows = staticProduct(rows, op.getStaticLoopRanges()[loop]);
  if (found->repeatsRows && rows < 0)
    return miss(why, "the number of rows must be static where several numbers "
                     "select weights for a row");
  if (rows > INT32_MAX)
    return miss(why, "all rows together must be at most 2^31 - 1, as offsets "
                     "are i32");
  if (found->groups > kMostConstants ||
      (found->repeatsRows && rows > kMostConstants))
    return miss(why, "groups, and rows that several numbers select weights "
                     "for, must be at most 2^22, because the program gets a "
                     "constant for each");
  return found;
}
