//===- DecodeProof.cpp - Are these values an MXFP4 decode? ----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "DecodeBlocks.h"
#include "DecodeTable.h"
#include "DecodeVerdict.h"
#include "ScalarEval.h"
#include "TensorType.h"

#include "mxfp4/Core/Format.h"

#include "mlir/IR/TypeUtilities.h"

using namespace mlir;
using namespace mxfp4;

SmallVector<unsigned> Decode::leading() const {
  SmallVector<unsigned> dims;
  for (unsigned dim = 0; dim < shape.size(); ++dim)
    if (dim < firstK || dim > lastK)
      dims.push_back(dim);
  return dims;
}

int64_t Decode::numBlocks() const {
  int64_t k = 1;
  for (unsigned dim = firstK; dim <= lastK; ++dim)
    k *= shape[dim];
  return k / kScaleBlock;
}

namespace {

/// The 32 values of a block, as dimensions of the values run over them.
struct BlockDims {
  struct Part {
    unsigned dim;
    int64_t size;
  };
  /// From the largest stride to the smallest.
  SmallVector<Part> parts;

  static std::optional<BlockDims> endingAt(unsigned last,
                                           ArrayRef<int64_t> shape);
  /// The position of value j of any block.
  ElementIndex index(unsigned j, ArrayRef<int64_t> shape) const;
};

std::optional<BlockDims> BlockDims::endingAt(unsigned last,
                                             ArrayRef<int64_t> shape) {
  BlockDims dims;
  int64_t left = kScaleBlock;
  for (unsigned dim = last + 1; left > 1 && dim-- > 0;) {
    const int64_t size = shape[dim];
    if (ShapedType::isDynamic(size) || size == 0)
      return std::nullopt;
    const int64_t part = size % left == 0 ? left : size;
    if (left % part != 0)
      return std::nullopt;
    dims.parts.insert(dims.parts.begin(), {dim, part});
    left /= part;
  }
  return left == 1 ? std::optional(dims) : std::nullopt;
}

ElementIndex BlockDims::index(unsigned j, ArrayRef<int64_t> shape) const {
  ElementIndex index(shape.size());
  for (auto [dim, size] : llvm::enumerate(shape)) {
    int64_t inBlock = 1;
    for (const Part &part : parts)
      if (part.dim == dim)
        inBlock = part.size;
    const bool isDynamic = ShapedType::isDynamic(size);
    appendDigit(index[dim], {static_cast<unsigned>(dim),
                             isDynamic ? size : size / inBlock, inBlock, 0});
  }
  int64_t rest = j;
  for (const Part &part : llvm::reverse(parts)) {
    appendDigit(index[part.dim], Digit::known(rest % part.size, part.size));
    rest /= part.size;
  }
  return index;
}

/// The leaves of a scalar's graph.
SmallVector<unsigned> leavesOf(const ElementTrace &graph, unsigned root) {
  std::vector<bool> seen(graph.size(), false);
  SmallVector<unsigned> queue = {root}, leaves;
  seen[root] = true;
  while (!queue.empty()) {
    const unsigned node = queue.pop_back_val();
    if (graph[node].kind == ScalarNode::Kind::Element)
      leaves.push_back(node);
    for (unsigned operand : graph[node].operands)
      if (!seen[operand]) {
        seen[operand] = true;
        queue.push_back(operand);
      }
  }
  llvm::sort(leaves);
  return leaves;
}

/// At most one scale for 1024 values.
constexpr int64_t kMostBlocksPerScale = 32;

/// Traces the values of a block.
class Prover {
public:
  Prover(const DecodeCandidate &candidate, const Promises &promises,
         const BlockDims &block, Miss *why)
      : candidate(candidate), promises(promises), block(block), why(why) {}

  LogicalResult trace();
  LogicalResult prove();
  bool hasBlocks();
  Decode decode;

private:
  LogicalResult findRoles(ArrayRef<SmallVector<unsigned>> leaves);
  std::optional<Digit> digitInBlock(ArrayRef<int64_t> values, int64_t size);
  bool hasCodeInEachByte() const;
  LogicalResult findPositions();
  bool findK(int64_t shared);
  LogicalResult findNibbles();
  /// Whether two codes are one leaf.
  bool hasBytes() const { return decode.codeType.isInteger(8); }

  const DecodeCandidate &candidate;
  const Promises &promises;
  const BlockDims &block;
  Miss *why;
  ElementTrace graph;
  /// The position of the code of each value.
  std::vector<ElementIndex> codeAt;
};

} // namespace

LogicalResult Prover::findRoles(ArrayRef<SmallVector<unsigned>> leaves) {
  for (ArrayRef<unsigned> here : leaves)
    if (here.size() != 2)
      return miss(why, "each value must depend on one code and one scale, but "
                       "depends on " +
                           Twine(here.size()) +
                           (here.size() == 1 ? " element" : " elements") +
                           " of tensors");
  // The values of a block share their scale.
  const auto isShared = [&](unsigned leaf) {
    return llvm::all_of(leaves, [&](ArrayRef<unsigned> here) {
      return llvm::is_contained(here, leaf);
    });
  };
  const unsigned first = leaves[0][0], second = leaves[0][1];
  if (isShared(first) == isShared(second))
    return miss(why, "the 32 values of a block must have one scale and codes "
                     "of their own");
  const unsigned scale = isShared(first) ? first : second;
  decode.scales = graph[scale].tensor;
  decode.scalesIndex = graph[scale].index;
  decode.scaleType = graph[scale].type;
  for (ArrayRef<unsigned> here : leaves) {
    const ScalarNode &code = graph[here[0] == scale ? here[1] : here[0]];
    if (decode.codes &&
        (decode.codes != code.tensor || decode.codeType != code.type))
      return miss(why, "the codes of a block must be in one tensor");
    decode.codes = code.tensor;
    decode.codeType = code.type;
    codeAt.push_back(code.index);
  }
  if (isa<Float4E2M1FNType>(graph[scale].type) ||
      graph[scale].type.isInteger(4))
    return miss(why, "scales must be i8 or f8E8M0FNU");
  if (isa<Float8E8M0FNUType>(decode.codeType))
    return miss(why, "codes must be i8, i4 or f4E2M1FN");
  return decode.codesAreWords() ? findNibbles() : success();
}

/// The order of the codes in their words, which is any, but the same in each.
LogicalResult Prover::findNibbles() {
  const unsigned count = tensorType(decode.codes).getElementTypeBitWidth() / 4;
  for (unsigned i = 0; i < count; ++i)
    decode.nibbles.push_back(i);
  if (hasBytes())
    return success();
  SmallVector<unsigned> order;
  for (auto [j, at] : llvm::enumerate(codeAt)) {
    const std::optional<int64_t> nibble = knownValue(at.back());
    if (nibble && order.size() < count)
      order.push_back(*nibble);
    if (!nibble || *nibble != order[j & (count - 1)])
      return miss(why, "each word must have the codes of " + Twine(count) +
                           " neighbouring positions along K, in one order");
    // From here on, the position is that of a byte whose nibbles are in order.
    at.back().clear();
    appendDigit(at.back(), Digit::known((j & (count - 1)) / 2, count / 2));
  }
  if (!std::is_permutation(order.begin(), order.end(), decode.nibbles.begin()))
    return miss(why, "each nibble of a word must be the code of one position");
  decode.nibbles = order;
  return success();
}

/// The digit of the position in the block that has these values.
std::optional<Digit> Prover::digitInBlock(ArrayRef<int64_t> values,
                                          int64_t size) {
  const unsigned perElement = decode.codesAreBytes() ? 2 : 1;
  for (int64_t divisor = 1; divisor < kScaleBlock; divisor *= 2) {
    bool fits = true;
    for (auto [j, value] : llvm::enumerate(values))
      fits &= value == (static_cast<int64_t>(j) / perElement / divisor) % size;
    if (fits)
      return Digit{Decode::kInBlock, size, divisor, 0};
  }
  return std::nullopt;
}

/// Whether each position along K has a byte of its own.
bool Prover::hasCodeInEachByte() const {
  if (!decode.codesAreBytes())
    return false;
  for (unsigned j = 1; j < kScaleBlock; ++j)
    for (unsigned before = 0; before < j; ++before)
      if (codeAt[j] == codeAt[before])
        return false;
  return true;
}

/// One position for all codes of a block, with a digit for that in the block.
LogicalResult Prover::findPositions() {
  const auto fail = [&] {
    if (hasCodeInEachByte())
      return miss(why,
                  "the 32 codes of a block must be in 16 bytes, two in each, "
                  "but are in 32 bytes",
                  "pack two neighbouring codes in a byte, the first one in the "
                  "low nibble, or pass codes as i4");
    return miss(why, decode.codesAreWords()
                         ? "words along K must have the codes of neighbouring "
                           "positions, word k after word k - 1"
                         : "position k along K must take code k, the low "
                           "nibble of a byte first");
  };
  for (unsigned dim = 0; dim < codeAt[0].size(); ++dim) {
    Digits digits;
    for (unsigned number = 0; number < codeAt[0][dim].size(); ++number) {
      SmallVector<int64_t> values;
      const Digit first = codeAt[0][dim][number];
      for (const ElementIndex &at : codeAt) {
        if (at[dim].size() != codeAt[0][dim].size())
          return fail();
        const Digit &digit = at[dim][number];
        if (digit.isKnown() != first.isKnown() || digit.size != first.size ||
            (!digit.isKnown() && !(digit == first)))
          return fail();
        values.push_back(digit.value);
      }
      std::optional<Digit> digit = first;
      if (first.isKnown())
        digit = digitInBlock(values, first.size);
      if (!digit)
        return fail();
      digits.push_back(*digit);
    }
    decode.codesIndex.push_back(digits);
  }
  return success();
}

/// Which dimensions run over K: those of the block, and those in front of it
/// that the scales have in their last dimension, too, each for `shared` blocks.
/// False if the scales' last dimension is not K.
bool Prover::findK(int64_t shared) {
  const unsigned inBlock = block.parts.front().dim;
  decode.lastK = block.parts.back().dim;
  decode.firstK = inBlock;
  decode.blocksPerScale = shared;
  const Digits &scales =
      decode.scalesIndex.empty() ? Digits() : decode.scalesIndex.back();
  for (unsigned first = inBlock + 1; first-- > 0;) {
    if (ShapedType::isDynamic(candidate.shape[first]))
      return false;
    Digits digits;
    const ElementIndex index = block.index(0, candidate.shape);
    for (unsigned dim = first; dim <= decode.lastK; ++dim)
      for (const Digit &digit : index[dim])
        if (!digit.isKnown())
          appendDigit(digits, digit);
    if (takeLow(digits, shared) && digits == scales) {
      decode.firstK = first;
      return true;
    }
  }
  return false;
}

/// Whether codes and scales are those of blocks, of which some neighbours may
/// have one scale.
bool Prover::hasBlocks() {
  (void)findK(1);
  if (canMakeBlocks(decode))
    return true;
  for (int64_t shared = 2; shared <= kMostBlocksPerScale; shared *= 2)
    if (findK(shared) && canMakeBlocks(decode))
      return true;
  return false;
}

LogicalResult Prover::trace() {
  SmallVector<SmallVector<unsigned>> leaves;
  for (unsigned j = 0; j < kScaleBlock; ++j) {
    auto root = candidate.element(graph, block.index(j, candidate.shape));
    if (!root)
      return miss(why, graph.why().condition, graph.why().nextStep);
    leaves.push_back(leavesOf(graph, *root));
  }
  if (failed(findRoles(leaves)) || failed(findPositions()))
    return failure();
  decode.shape.assign(candidate.shape.begin(), candidate.shape.end());
  return success();
}

LogicalResult Prover::prove() {
  // All codes are one leaf now, so that what is computed from them is the same
  // graph wherever it is the same computation.
  ElementTrace all;
  all.forgetIndexOf(decode.codes);
  std::map<std::pair<unsigned, unsigned>, bool> done;
  DecodeVerdict verdict(candidate.type, promises),
      swapped(candidate.type, promises);
  for (unsigned j = 0; j < kScaleBlock; ++j) {
    auto root = candidate.element(all, block.index(j, candidate.shape));
    const unsigned parity = hasBytes() ? j % 2 : 0;
    if (!root || !done.try_emplace({*root, parity}, true).second)
      continue;
    SmallVector<unsigned> leaves = leavesOf(all, *root);
    if (leaves.size() != 2)
      return miss(why, "codes and scales must be in tensors of their own");
    const unsigned code = all[leaves[0]].tensor == decode.codes ? 0 : 1;
    const DecodeTable table =
        DecodeTable::run(all, *root, leaves[code], leaves[1 - code]);
    verdict.compare(table, parity);
    swapped.compare(table, 1 - parity);
  }
  // Some have the high nibble of a byte first.
  decode.highFirst = hasBytes() && failed(verdict.result(nullptr)) &&
                     succeeded(swapped.result(nullptr));
  if (decode.highFirst)
    return success();
  return verdict.result(why);
}

FailureOr<Decode> mxfp4::proveDecode(const DecodeCandidate &candidate,
                                     const Promises &promises, Miss *why,
                                     DecodeStep *step) {
  DecodeStep unused;
  DecodeStep &reached = step ? *step : unused;
  reached = DecodeStep::None;
  Type type = candidate.type;
  if (!type.isBF16() && !type.isF32() && !type.isF16())
    return miss(why, "values must be bf16 or f32, which hold every decoded "
                     "value");
  Miss first;
  for (unsigned last = candidate.shape.size(); last-- > 0;) {
    std::optional<BlockDims> block = BlockDims::endingAt(last, candidate.shape);
    if (!block)
      continue;
    Miss here;
    Prover prover(candidate, promises, *block, &here);
    if (succeeded(prover.trace())) {
      reached = DecodeStep::Traced;
      if (failed(prover.prove()))
        return miss(why, here.condition, here.nextStep);
      if (!prover.hasBlocks())
        return miss(why, "codes and scales must be those of the values in "
                         "another order, each once, or one scale for 2, 4, 8, "
                         "16 or 32 neighbouring blocks along K");
      reached = DecodeStep::Proven;
      return prover.decode;
    }
    // What is said is what the order that programs mostly have fails at.
    if (first.condition.empty())
      first = here;
  }
  if (first.condition.empty())
    first = {"the last dimensions of the values must be K, K/32 x 32 or "
             "K/32 x 16 x 2, static and with K a multiple of 32",
             "make K the last dimension of codes, scales and values"};
  return miss(why, first.condition, first.nextStep);
}
