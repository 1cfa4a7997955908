//===- LoopNumbers.cpp - Integers of the iterations of a loop -------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "LoopNumbers.h"
#include "ScalarEval.h"
#include "TensorType.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/IndexingUtils.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/ScopeExit.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mxfp4;

/// Values that are computed for all numbers of a loop, and the iterations that
/// a loop may have; both bound the time of compilation.
static constexpr int64_t kMostSteps = int64_t(1) << 22,
                         kMostIterations = int64_t(1) << 12;

/// The position of an element of a tensor among all of its elements.
static int64_t positionOf(ArrayRef<int64_t> at, RankedTensorType type) {
  return linearize(at, computeStrides(type.getShape()));
}

std::optional<SmallVector<int64_t>> LoopNumbers::of(Value value) {
  const unsigned width = scalarWidth(value.getType());
  if (iterations > kMostIterations || width == 0)
    return std::nullopt;
  SmallVector<int64_t> numbers;
  for (iteration = 0; iteration < iterations; ++iteration) {
    const Bits bits = scalar(value, {});
    if (!bits)
      return std::nullopt;
    numbers.push_back(llvm::SignExtend64(*bits, width));
  }
  return numbers;
}

std::optional<SmallVector<int64_t>> LoopNumbers::indices(ValueRange values,
                                                         const Scope &scope) {
  SmallVector<int64_t> at;
  for (Value value : values) {
    const Bits bits = scalar(value, scope);
    if (!bits)
      return std::nullopt;
    at.push_back(static_cast<int64_t>(*bits));
  }
  return at;
}

/// What the iteration before yields, which was asked for before: a counter is
/// computed step by step.
LoopNumbers::Bits LoopNumbers::carried(BlockArgument argument) {
  const unsigned number = argument.getArgNumber() - loop.getNumInductionVars();
  const auto type = tensorTypeOrNull(argument);
  if (type && type.getRank() != 0)
    return std::nullopt;
  const auto key = std::pair(number, iteration);
  if (auto known = counters.find(key); known != counters.end())
    return known->second;
  // Iterations are asked for in order, so that the one before is known or is
  // the first.
  Bits bits;
  if (iteration == 0) {
    Value init = loop.getInitArgs()[number];
    bits = type ? element(init, {}) : scalar(init, {});
  } else if (iteration == 1 || counters.count({number, iteration - 1})) {
    const llvm::scope_exit restore([&] { ++iteration; });
    --iteration;
    Value next = loop.getYieldedValues()[number];
    bits = type ? element(next, {}) : scalar(next, {});
  }
  counters[key] = bits;
  return bits;
}

LoopNumbers::Bits LoopNumbers::scalar(Value value, const Scope &scope) {
  if (++steps > kMostSteps)
    return std::nullopt;
  if (value == loop.getInductionVar())
    return static_cast<uint64_t>(iteration);
  linalg::LinalgOp body = scope.op;
  if (auto argument = dyn_cast<BlockArgument>(value)) {
    if (argument.getOwner() == loop.getBody())
      return carried(argument);
    if (!body || argument.getOwner() != body.getBlock())
      return std::nullopt;
    OpOperand *operand = body.getMatchingOpOperand(argument);
    const SmallVector<int64_t> at =
        body.getMatchingIndexingMap(operand).compose(scope.loops);
    return body.isDpsInput(operand) ? element(operand->get(), at)
                                    : std::nullopt;
  }
  Operation *op = value.getDefiningOp();
  Attribute constant;
  if (matchPattern(op, m_Constant(&constant)))
    return scalarBits(constant);
  if (auto index = dyn_cast<linalg::IndexOp>(op))
    return body && index->getBlock() == body.getBlock()
               ? Bits(scope.loops[index.getDim()])
               : std::nullopt;
  if (auto extract = dyn_cast<tensor::ExtractOp>(op)) {
    auto at = indices(extract.getIndices(), scope);
    return at ? element(extract.getTensor(), *at) : std::nullopt;
  }
  SmallVector<uint64_t> operands;
  for (Value operand : op->getOperands()) {
    const Bits bits = scalar(operand, scope);
    if (!bits)
      return std::nullopt;
    operands.push_back(*bits);
  }
  if (auto select = dyn_cast<arith::SelectOp>(op))
    return operands[0] ? operands[1] : operands[2];
  const ScalarFunction function = scalarFunction(op);
  return function ? function(operands) : std::nullopt;
}

LoopNumbers::Bits LoopNumbers::element(Value tensor, ArrayRef<int64_t> at) {
  const auto type = tensorTypeOrNull(tensor);
  if (++steps > kMostSteps || !type || !type.hasStaticShape())
    return std::nullopt;
  for (auto [index, extent] : llvm::zip_equal(at, type.getShape()))
    if (index < 0 || index >= extent)
      return std::nullopt;
  auto argument = dyn_cast<BlockArgument>(tensor);
  if (argument)
    return argument.getOwner() == loop.getBody() ? carried(argument)
                                                 : std::nullopt;
  Operation *op = tensor.getDefiningOp();
  return op->getNumResults() == 1 ? elementOf(op, at) : std::nullopt;
}

LoopNumbers::Bits LoopNumbers::elementOf(Operation *op, ArrayRef<int64_t> at) {
  RankedTensorType type = tensorType(op->getResult(0));
  DenseElementsAttr constant;
  if (matchPattern(op, m_Constant(&constant)))
    return constant.getElementType().isIntOrIndex()
               ? scalarBits(
                     constant.getValues<Attribute>()[positionOf(at, type)])
               : std::nullopt;
  if (isa<tensor::CollapseShapeOp, tensor::ExpandShapeOp>(op)) {
    const auto from = tensorTypeOrNull(op->getOperand(0));
    return from.hasStaticShape()
               ? element(op->getOperand(0),
                         delinearize(positionOf(at, type),
                                     computeStrides(from.getShape())))
               : std::nullopt;
  }
  if (auto made = dyn_cast<tensor::FromElementsOp>(op))
    return scalar(made.getElements()[positionOf(at, type)], {});
  if (auto slice = dyn_cast<tensor::ExtractSliceOp>(op)) {
    SmallVector<int64_t> whole;
    const llvm::SmallBitVector dropped = slice.getDroppedDims();
    const int64_t *next = at.begin();
    for (auto [dim, offset] : llvm::enumerate(slice.getMixedOffsets())) {
      const auto stride = getConstantIntValue(slice.getMixedStrides()[dim]);
      const auto known = getConstantIntValue(offset);
      const Bits first = known ? Bits(*known) : scalar(cast<Value>(offset), {});
      if (!stride || !first)
        return std::nullopt;
      const int64_t index = dropped.test(dim) ? 0 : *next++;
      whole.push_back(static_cast<int64_t>(*first) + index * *stride);
    }
    return element(slice.getSource(), whole);
  }
  auto linalgOp = dyn_cast<linalg::LinalgOp>(op);
  if (!linalgOp || !linalgOp.hasPureTensorSemantics() ||
      linalgOp.getNumReductionLoops() != 0)
    return std::nullopt;
  const AffineMap to =
      linalgOp.getMatchingIndexingMap(linalgOp.getDpsInitOperand(0));
  if (!to.isPermutation())
    return std::nullopt;
  const SmallVector<int64_t> loops = inversePermutation(to).compose(at);
  return scalar(linalgOp.getBlock()->getTerminator()->getOperand(0),
                {linalgOp, loops});
}
