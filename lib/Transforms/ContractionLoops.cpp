//===- ContractionLoops.cpp - What loops of a matmul run over -------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Contraction.h"
#include "TensorType.h"

#include "mxfp4/Core/Format.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mxfp4;

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

int64_t mxfp4::staticProduct(int64_t product, int64_t extent) {
  if (product < 0 || ShapedType::isDynamic(extent))
    return -1;
  int64_t result;
  return llvm::MulOverflow(product, extent, result) ? INT64_MAX : result;
}

/// Sorts the loops into the four sets of a contraction.
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

LogicalResult mxfp4::arrangeLoops(linalg::LinalgOp op, Contraction &found,
                                  Miss *why) {
  return success(succeeded(classify(op, found, why)) &&
                 succeeded(arrangeWeights(op, found, why)) &&
                 succeeded(arrangeRows(op, found, why)));
}
