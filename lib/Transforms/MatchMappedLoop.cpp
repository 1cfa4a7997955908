//===- MatchMappedLoop.cpp - Is this a matmul in each iteration? ----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "LoopNumbers.h"
#include "MappedLoop.h"
#include "TensorType.h"

#include "mlir/IR/Matchers.h"
#include "mlir/Transforms/RegionUtils.h"

using namespace mlir;
using namespace mxfp4;

/// The loops of a map that run over more than one iteration, in their order;
/// nullopt if a dimension is anything else, or if two are of one loop, which is
/// a diagonal.
static std::optional<SmallVector<unsigned>> longLoops(linalg::LinalgOp op,
                                                      AffineMap map) {
  const SmallVector<int64_t> extents = op.getStaticLoopRanges();
  SmallVector<unsigned> loops;
  for (AffineExpr expr : map.getResults()) {
    auto dim = dyn_cast<AffineDimExpr>(expr);
    if (!dim)
      return std::nullopt;
    if (llvm::is_contained(loops, dim.getPosition()))
      return std::nullopt;
    if (extents[dim.getPosition()] != 1)
      loops.push_back(dim.getPosition());
  }
  return loops;
}

/// What has the elements of a tensor in the same order, in front of reshapes
/// and of copies that add dimensions of one element.
static Value sameElements(Value value) {
  while (Operation *op = value.getDefiningOp()) {
    if (isa<tensor::ExpandShapeOp, tensor::CollapseShapeOp, tensor::CastOp>(
            op)) {
      value = op->getOperand(0);
      continue;
    }
    auto copy = dyn_cast<linalg::LinalgOp>(op);
    if (!copy || copy.getNumDpsInputs() != 1 || copy->getNumResults() != 1 ||
        copy.getNumReductionLoops() != 0 || !copy.hasPureTensorSemantics())
      return value;
    OpOperand *from = copy.getDpsInputOperand(0),
              *to = copy.getDpsInitOperand(0);
    auto read = longLoops(copy, copy.getMatchingIndexingMap(from)),
         written = longLoops(copy, copy.getMatchingIndexingMap(to));
    if (!read || read != written ||
        copy.getBlock()->getTerminator()->getOperand(0) !=
            copy.getMatchingBlockArgument(from))
      return value;
    value = from->get();
  }
  return value;
}

/// The number of the slice along the first dimension, whole, that `slice` is,
/// or null.
template <typename SliceOp>
static Value sliceNumber(SliceOp slice, RankedTensorType whole) {
  if (!slice.hasUnitStride() || !whole.hasStaticShape() ||
      getConstantIntValue(slice.getMixedSizes()[0]) != 1)
    return {};
  for (int64_t dim = 1; dim < whole.getRank(); ++dim)
    if (getConstantIntValue(slice.getMixedOffsets()[dim]) != 0 ||
        getConstantIntValue(slice.getMixedSizes()[dim]) !=
            whole.getDimSize(dim))
      return {};
  return dyn_cast<Value>(slice.getMixedOffsets()[0]);
}

bool Slices::isWhole() const {
  if (!known ||
      tensorType(whole).getDimSize(0) != static_cast<int64_t>(known->size()))
    return false;
  for (auto [position, slice] : llvm::enumerate(*known))
    if (slice != static_cast<int64_t>(position))
      return false;
  return true;
}

namespace {

class MappedMatcher {
public:
  explicit MappedMatcher(scf::ForOp loop)
      : loop(loop),
        iterations(getConstantIntValue(loop.getUpperBound()).value_or(0)),
        known(loop, iterations) {}

  std::optional<MappedLoop> match();
  /// What an iteration stores, or null if that is not a slice of its own.
  Value findOutput(unsigned &result);

private:
  bool findOrder(Value number);
  /// Null if it is not one that all iterations can have together.
  std::unique_ptr<MappedMatmul> matchMatmul(GroupedMatmulOp op);
  std::optional<Slices> slicesOf(Value value);
  bool matchOffsets(MappedMatmul &found);
  bool matchActivations(MappedMatmul &found);
  bool matchWeights(MappedMatmul &found);
  bool matchEpilogue(MappedMatmul &found);
  bool findNumbers(MappedMatmul &found, Value number);

  scf::ForOp loop;
  int64_t iterations;
  LoopNumbers known;
  /// The iteration that stores each slice of the result.
  SmallVector<int64_t> order;
};

} // namespace

std::optional<Slices> MappedMatcher::slicesOf(Value value) {
  auto slice = sameElements(value).getDefiningOp<tensor::ExtractSliceOp>();
  if (!slice || !loop.isDefinedOutsideOfLoop(slice.getSource()))
    return std::nullopt;
  Value number = sliceNumber(slice, slice.getSourceType());
  if (!number)
    return std::nullopt;
  Slices found = {slice.getSource(), number, std::nullopt};
  if (auto numbers = known.of(number)) {
    found.known.emplace();
    for (int64_t number : order)
      found.known->push_back((*numbers)[number]);
    const int64_t count = slice.getSourceType().getDimSize(0);
    if (llvm::any_of(*found.known, [&](int64_t number) {
          return number < 0 || number >= count;
        }))
      return std::nullopt;
  }
  return found;
}

/// Whether each slice of the result is stored once: nothing is left of what the
/// loop starts with.
bool MappedMatcher::findOrder(Value number) {
  auto numbers = known.of(number);
  if (!numbers)
    return false;
  order.assign(iterations, -1);
  for (auto [iteration, slice] : llvm::enumerate(*numbers)) {
    if (slice < 0 || slice >= iterations || order[slice] >= 0)
      return false;
    order[slice] = static_cast<int64_t>(iteration);
  }
  return true;
}

Value MappedMatcher::findOutput(unsigned &result) {
  if (iterations <= 0 || getConstantIntValue(loop.getLowerBound()) != 0 ||
      getConstantIntValue(loop.getStep()) != 1 || !isMemoryEffectFree(loop))
    return {};
  for (auto [i, value] : llvm::enumerate(loop.getYieldedValues())) {
    auto insert = value.getDefiningOp<tensor::InsertSliceOp>();
    if (!insert || insert.getDest() != loop.getRegionIterArg(i) ||
        !insert.getDest().hasOneUse() ||
        insert.getDestType().getDimSize(0) != iterations)
      continue;
    Value number = sliceNumber(insert, insert.getDestType());
    result = i;
    if (number && findOrder(number))
      return insert.getSource();
  }
  return {};
}

/// Groups whose rows are known: those of all iterations are, too.
bool MappedMatcher::matchOffsets(MappedMatmul &found) {
  DenseIntElementsAttr constant;
  if (!matchPattern(found.op.getOffsets(), m_Constant(&constant)))
    return false;
  for (const APInt &offset : constant.getValues<APInt>())
    found.offsets.push_back(static_cast<int32_t>(offset.getSExtValue()));
  return found.offsets.front() == 0 && llvm::is_sorted(found.offsets) &&
         found.rows() == found.op.getOutputType().getDimSize(0) &&
         found.rows() * iterations <= INT32_MAX &&
         found.groups() * iterations <= kMostConstants;
}

bool MappedMatcher::matchActivations(MappedMatmul &found) {
  Value value = found.op.getActivations();
  const bool isConstant = found.rows() * iterations <= kMostConstants;
  if (loop.isDefinedOutsideOfLoop(value)) {
    found.activations.whole = value;
    return isConstant;
  }
  if (auto before = sameElements(value).getDefiningOp<GroupedMatmulOp>()) {
    found.before = matchMatmul(before);
    return bool(found.before);
  }
  std::optional<Slices> slices = slicesOf(value);
  if (!slices)
    return false;
  found.activations = *slices;
  return slices->known ? slices->isWhole() || isConstant
                       : findNumbers(found, slices->number);
}

bool MappedMatcher::matchWeights(MappedMatmul &found) {
  std::optional<Slices> codes = slicesOf(found.op.getWeights()[0]),
                        scales = slicesOf(found.op.getWeights()[1]);
  if (!codes || !scales || !codes->hasNumbersOf(*scales) ||
      tensorType(codes->whole).getDimSize(0) !=
          tensorType(scales->whole).getDimSize(0))
    return false;
  found.codes = *codes;
  found.scales = *scales;
  return codes->known || findNumbers(found, codes->number);
}

/// Operands for each column are of the weights' experts, and those for each row
/// of the activations' rows.
bool MappedMatcher::matchEpilogue(MappedMatmul &found) {
  for (Value operand : found.op.getEpilogueOperands()) {
    const EpilogueOperand kind = epilogueOperandOf(operand.getType());
    if (kind == EpilogueOperand::Scalar) {
      if (!loop.isDefinedOutsideOfLoop(operand))
        return false;
      found.epilogueOperands.push_back(operand);
      continue;
    }
    std::optional<Slices> slices = slicesOf(operand);
    if (!slices)
      return false;
    const bool fits = kind == EpilogueOperand::PerRow
                          ? slices->isWhole()
                          : slices->hasNumbersOf(found.codes) &&
                                tensorType(slices->whole).getDimSize(0) ==
                                    tensorType(found.codes.whole).getDimSize(0);
    if (!fits)
      return false;
    found.epilogueOperands.push_back(slices->whole);
  }
  return true;
}

/// The operations that a number is computed with from the number of the
/// iteration and from what is outside of the loop.
bool MappedMatcher::findNumbers(MappedMatmul &found, Value number) {
  constexpr size_t kMost = 256;
  if (!llvm::equal(order, llvm::seq<int64_t>(iterations)))
    return false;
  SmallVector<Value> queue = {number};
  while (!queue.empty()) {
    Value next = queue.pop_back_val();
    Operation *op = next.getDefiningOp();
    if (loop.isDefinedOutsideOfLoop(next) || next == loop.getInductionVar() ||
        (op && found.numbers.contains(op)))
      continue;
    if (!op || op->getBlock() != loop.getBody() ||
        found.numbers.size() > kMost) {
      // An argument of a region that is cloned with its operation.
      auto argument = dyn_cast<BlockArgument>(next);
      if (argument && argument.getOwner() != loop.getBody())
        continue;
      return false;
    }
    found.numbers.insert(op);
    queue.append(op->operand_begin(), op->operand_end());
    SetVector<Value> captured;
    getUsedValuesDefinedAbove(op->getRegions(), captured);
    queue.append(captured.begin(), captured.end());
  }
  return true;
}

std::unique_ptr<MappedMatmul> MappedMatcher::matchMatmul(GroupedMatmulOp op) {
  auto found = std::make_unique<MappedMatmul>();
  found->op = op;
  const bool isPlain =
      op->getBlock() == loop.getBody() && op.hasPureTensorSemantics() &&
      op.getWeights().size() == 2 && !op.getExpertIds() && !op.getGather() &&
      !op.getScatter() && op.getOutputType().hasStaticShape() &&
      op.getActivationsType().hasStaticShape();
  return isPlain && matchOffsets(*found) && matchActivations(*found) &&
                 matchWeights(*found) && matchEpilogue(*found)
             ? std::move(found)
             : nullptr;
}

std::optional<MappedLoop> MappedMatcher::match() {
  MappedLoop found;
  Value output = findOutput(found.output);
  auto last = output ? sameElements(output).getDefiningOp<GroupedMatmulOp>()
                     : GroupedMatmulOp();
  if (!last)
    return std::nullopt;
  for (auto [i, result] : llvm::enumerate(loop.getResults()))
    if (i != found.output && !result.use_empty())
      return std::nullopt;
  found.matmul = matchMatmul(last);
  found.iterations = iterations;
  return found.matmul ? std::optional(std::move(found)) : std::nullopt;
}

bool mxfp4::storesSlices(scf::ForOp loop) {
  unsigned result = 0;
  return bool(MappedMatcher(loop).findOutput(result));
}

std::optional<MappedLoop> mxfp4::findMappedLoop(scf::ForOp loop) {
  return MappedMatcher(loop).match();
}
