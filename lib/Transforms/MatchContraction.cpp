//===- MatchContraction.cpp - Is this a matmul on weights? ----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Contraction.h"
#include "TensorType.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"

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
  if (failed(arrangeLoops(op, *found, why)))
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
