//===- ElementTrace.cpp - What one element is computed from ---------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ElementTrace.h"
#include "ScalarEval.h"
#include "TensorType.h"

#include "mxfp4/IR/MXFP4.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/TypeUtilities.h"

using namespace mlir;
using namespace mxfp4;

using Found = ElementTrace::Found;

bool mxfp4::isStorage(Type type) {
  type = getElementTypeOrSelf(type);
  return type.isInteger(8) || type.isInteger(4) ||
         isa<Float4E2M1FNType, Float8E8M0FNUType>(type);
}

bool mxfp4::isWord(Type type) {
  type = getElementTypeOrSelf(type);
  return type.isInteger(16) || type.isInteger(32) || type.isInteger(64);
}

bool mxfp4::isSum(linalg::LinalgOp op) {
  return llvm::any_of(
      llvm::zip_equal(op.getIteratorTypesArray(), op.getStaticLoopRanges()),
      [](auto loop) {
        return std::get<0>(loop) != utils::IteratorType::parallel &&
               std::get<1>(loop) != 1;
      });
}

/// Appends the numbers that describe a position to the key of a map.
static void appendKey(std::vector<int64_t> &key, const ElementIndex &index) {
  for (const Digits &digits : index) {
    key.push_back(static_cast<int64_t>(digits.size()));
    for (const Digit &digit : digits)
      key.insert(key.end(),
                 {digit.loop, digit.size, digit.divisor, digit.value});
  }
}

static int64_t keyOf(const void *pointer) {
  return static_cast<int64_t>(reinterpret_cast<intptr_t>(pointer));
}

//===----------------------------------------------------------------------===//
// Nodes
//===----------------------------------------------------------------------===//

Found ElementTrace::fail(const Twine &reason) {
  if (miss.condition.empty())
    miss.condition = reason.str();
  return std::nullopt;
}

Found ElementTrace::add(ScalarNode node) {
  std::vector<int64_t> key = {static_cast<int64_t>(node.kind),
                              keyOf(node.type.getAsOpaquePointer()),
                              static_cast<int64_t>(node.bits),
                              keyOf(node.tensor.getAsOpaquePointer()),
                              keyOf(node.table.getAsOpaquePointer()),
                              node.exact};
  if (node.op) {
    key.push_back(keyOf(node.op->getName().getAsOpaquePointer()));
    key.push_back(keyOf(node.op->getAttrDictionary().getAsOpaquePointer()));
  }
  key.insert(key.end(), node.operands.begin(), node.operands.end());
  key.push_back(static_cast<int64_t>(node.pieces.size()));
  key.insert(key.end(), node.pieces.begin(), node.pieces.end());
  appendKey(key, {node.first});
  appendKey(key, node.index);
  auto [at, isNew] = interned.try_emplace(key, nodes.size());
  if (isNew)
    nodes.push_back(std::move(node));
  return at->second;
}

Found ElementTrace::constant(Type type, uint64_t bits) {
  ScalarNode node;
  node.type = type;
  node.bits = bits;
  return add(std::move(node));
}

Found ElementTrace::position(Type type, const Digits &digits, bool exact) {
  if (std::optional<int64_t> value = knownValue(digits)) {
    const unsigned width = scalarWidth(type);
    return constant(type, APInt(64, *value).zextOrTrunc(width).getZExtValue());
  }
  ScalarNode node;
  node.kind = ScalarNode::Kind::Position;
  node.type = type;
  node.index = {digits};
  node.exact = exact;
  return add(std::move(node));
}

//===----------------------------------------------------------------------===//
// Elements
//===----------------------------------------------------------------------===//

Found ElementTrace::element(Value tensor, const ElementIndex &index) {
  std::vector<int64_t> key = {keyOf(tensor.getAsOpaquePointer())};
  appendKey(key, index);
  if (auto found = elements.find(key); found != elements.end())
    return found->second;
  // The depth is bounded, because a chain of operations that is longer than any
  // decode must not overflow the stack.
  Found found;
  if (depth < 512) {
    ++depth;
    found = through(tensor, index);
    --depth;
  }
  // An element that is not computed from others may be a code or a scale.
  if (!found && isStorage(tensor.getType())) {
    ScalarNode node;
    node.kind = ScalarNode::Kind::Element;
    node.type = getElementTypeOrSelf(tensor.getType());
    node.tensor = tensor;
    if (tensor != forgotten)
      node.index = index;
    miss = {};
    found = add(std::move(node));
  }
  if (!found && isWord(tensor.getType()))
    found = word(tensor, index);
  elements[key] = found;
  return found;
}

Found ElementTrace::through(Value tensor, const ElementIndex &index) {
  Operation *op = tensor.getDefiningOp();
  if (!tensorTypeOrNull(tensor) || !op)
    return fail("the value depends on more than codes, scales and constants");
  Attribute value;
  if (matchPattern(op, m_Constant(&value)))
    return ofConstant(value, index);
  bool isReshape = false;
  Found reshaped = throughReshape(op, index, isReshape);
  if (isReshape)
    return reshaped;
  if (isa<tensor::InsertSliceOp>(op))
    return throughInsert(op, index);
  if (isa<tensor::ExtractSliceOp>(op))
    return throughExtract(op, index);
  if (isa<tensor::ConcatOp>(op))
    return throughConcat(op, index);
  if (auto linalgOp = dyn_cast<linalg::LinalgOp>(op))
    return throughLinalg(linalgOp, cast<OpResult>(tensor).getResultNumber(),
                         index);
  return throughElementwise(op, index);
}

Found ElementTrace::throughReshape(Operation *op, const ElementIndex &index,
                                   bool &isReshape) {
  isReshape = true;
  if (auto cast = dyn_cast<tensor::CastOp>(op)) {
    if (!tensorTypeOrNull(cast.getSource()))
      return fail("a tensor has no rank");
    return element(cast.getSource(), index);
  }
  if (auto expand = dyn_cast<tensor::ExpandShapeOp>(op)) {
    ElementIndex source;
    for (const ReassociationIndices &group : expand.getReassociationIndices()) {
      Digits &digits = source.emplace_back();
      for (int64_t dim : group)
        for (const Digit &digit : index[dim])
          appendDigit(digits, digit);
    }
    return element(expand.getSrc(), source);
  }
  auto collapse = dyn_cast<tensor::CollapseShapeOp>(op);
  isReshape = static_cast<bool>(collapse);
  if (!collapse)
    return std::nullopt;
  ElementIndex source;
  if (index.empty())
    source.resize(collapse.getSrcType().getRank());
  for (auto [digits, group] :
       llvm::zip_equal(index, collapse.getReassociationIndices())) {
    SmallVector<int64_t> sizes;
    for (int64_t dim : group)
      sizes.push_back(collapse.getSrcType().getDimSize(dim));
    auto divided = divideDigits(digits, sizes);
    if (!divided)
      return fail("a reshape divides a dimension where a block has no end");
    source.append(*divided);
  }
  return element(collapse.getSrc(), source);
}

namespace {

enum class Position { Inside, Outside, Unknown };

/// Whether a position of a tensor, along one dimension, is inside a strided
/// slice of the tensor. If it is, `inside` becomes the position within the
/// slice.
Position positionInSlice(const Digits &whole, int64_t extent,
                         OpFoldResult offset, OpFoldResult size,
                         OpFoldResult stride, Digits &inside) {
  std::optional<int64_t> o = getConstantIntValue(offset),
                         n = getConstantIntValue(size),
                         t = getConstantIntValue(stride);
  inside = whole;
  if (!o || !t || *o < 0 || *t <= 0)
    return Position::Unknown;
  if (*o == 0 && *t == 1 && (n ? *n == extent : ShapedType::isDynamic(extent)))
    return Position::Inside;
  if (!n)
    return Position::Unknown;
  if (std::optional<int64_t> at = knownValue(whole)) {
    const int64_t from = *at - *o;
    if (from < 0 || from % *t != 0 || from / *t >= *n)
      return Position::Outside;
    inside.clear();
    appendDigit(inside, Digit::known(from / *t, *n));
    return Position::Inside;
  }
  // The slice has all positions with one remainder modulo the stride.
  std::optional<Digits> low = takeLow(inside, *t);
  std::optional<int64_t> remainder = low ? knownValue(*low) : std::nullopt;
  if (*t == 1 || *o >= *t || !remainder || *n * *t != extent)
    return Position::Unknown;
  return *remainder == *o ? Position::Inside : Position::Outside;
}

} // namespace

Found ElementTrace::throughInsert(Operation *op, const ElementIndex &index) {
  auto insert = cast<tensor::InsertSliceOp>(op);
  const llvm::SmallBitVector dropped = insert.getDroppedDims();
  ElementIndex source;
  Position all = Position::Inside;
  for (auto [dim, digits] : llvm::enumerate(index)) {
    Digits inside;
    const Position side = positionInSlice(
        digits, insert.getDestType().getDimSize(dim),
        insert.getMixedOffsets()[dim], insert.getMixedSizes()[dim],
        insert.getMixedStrides()[dim], inside);
    if (side == Position::Outside)
      return element(insert.getDest(), index);
    if (side == Position::Unknown)
      all = side;
    if (!dropped.test(dim))
      source.push_back(inside);
  }
  if (all == Position::Unknown)
    return fail("an inserted slice ends where a block does not");
  return element(insert.getSource(), source);
}

Found ElementTrace::throughExtract(Operation *op, const ElementIndex &index) {
  auto extract = cast<tensor::ExtractSliceOp>(op);
  const llvm::SmallBitVector dropped = extract.getDroppedDims();
  ElementIndex source;
  unsigned next = 0;
  for (int64_t dim = 0; dim < extract.getSourceType().getRank(); ++dim) {
    Digits digits;
    if (!dropped.test(dim))
      digits = index[next++];
    const int64_t extent = extract.getSourceType().getDimSize(dim);
    auto offset = getConstantIntValue(extract.getMixedOffsets()[dim]),
         size = getConstantIntValue(extract.getMixedSizes()[dim]),
         stride = getConstantIntValue(extract.getMixedStrides()[dim]);
    const bool isWhole =
        offset == 0 && stride == 1 &&
        (size ? *size == extent : ShapedType::isDynamic(extent));
    if (!isWhole) {
      if (!offset || !size || !stride || *size * *stride != extent ||
          *offset >= *stride)
        return fail("a slice is cut out of the codes or scales");
      appendDigit(digits, Digit::known(*offset, *stride));
    }
    source.push_back(digits);
  }
  return element(extract.getSource(), source);
}

/// An element of tensors of one size that are joined, where it is known in
/// which of them it is, but not where.
static std::optional<std::pair<unsigned, Digits>>
partOfConcat(tensor::ConcatOp concat, const Digits &digits) {
  const int64_t extent =
      tensorType(concat.getInputs()[0]).getDimSize(concat.getDim());
  for (Value part : concat.getInputs())
    if (ShapedType::isDynamic(extent) ||
        tensorType(part).getDimSize(concat.getDim()) != extent)
      return std::nullopt;
  Digits high(digits);
  std::optional<Digits> low = takeLow(high, extent);
  std::optional<int64_t> number = low ? knownValue(high) : std::nullopt;
  if (!number)
    return std::nullopt;
  return std::pair(static_cast<unsigned>(*number), *low);
}

Found ElementTrace::throughConcat(Operation *op, const ElementIndex &index) {
  auto concat = cast<tensor::ConcatOp>(op);
  const uint64_t dim = concat.getDim();
  std::optional<int64_t> at = knownValue(index[dim]);
  if (!at) {
    auto part = partOfConcat(concat, index[dim]);
    if (!part)
      return fail("tensors are joined along a dimension of whole blocks");
    ElementIndex inner(index);
    inner[dim] = part->second;
    return element(concat.getInputs()[part->first], inner);
  }
  for (Value part : concat.getInputs()) {
    const int64_t extent = tensorType(part).getDimSize(dim);
    if (ShapedType::isDynamic(extent))
      break;
    if (*at < extent) {
      ElementIndex inner(index);
      inner[dim].clear();
      appendDigit(inner[dim], Digit::known(*at, extent));
      return element(part, inner);
    }
    *at -= extent;
  }
  return fail("joined tensors have dynamic sizes");
}

Found ElementTrace::throughLinalg(linalg::LinalgOp op, unsigned result,
                                  const ElementIndex &index) {
  if (!op.hasPureTensorSemantics() || isSum(op))
    return fail("the value is a sum");
  OpOperand *init = op.getDpsInitOperand(result);
  SmallVector<Digits> loops(op.getNumLoops());
  SmallVector<int64_t> extents = op.getStaticLoopRanges();
  llvm::SmallBitVector set(op.getNumLoops());
  for (auto [expr, digits] :
       llvm::zip_equal(op.getMatchingIndexingMap(init).getResults(), index)) {
    auto dim = dyn_cast<AffineDimExpr>(expr);
    if (!dim)
      return fail("each dimension of the values must be one loop");
    loops[dim.getPosition()] = digits;
    set.set(dim.getPosition());
  }
  for (unsigned loop = 0; loop < op.getNumLoops(); ++loop)
    if (!set.test(loop) && extents[loop] != 1)
      return fail("each dimension of the values must be one loop");
  Value yielded = op.getBlock()->getTerminator()->getOperand(result);
  return scalar(yielded, op, loops);
}

Found ElementTrace::throughElementwise(Operation *op,
                                       const ElementIndex &index) {
  if (auto splat = dyn_cast<tensor::SplatOp>(op))
    return scalarIn(splat.getInput(), Scope());
  if (isa<DequantizeOp>(op)) {
    if (miss.condition.empty())
      miss.nextStep = "compute with the result of the matmul instead";
    return fail("decoded weights are computed with before a sum takes them, "
                "which may round them");
  }
  if (op->getNumResults() != 1 || !OpTrait::hasElementwiseMappableTraits(op))
    return fail("'" + op->getName().getStringRef() +
                "' is no move of elements "
                "and no operation on each element");
  SmallVector<unsigned> operands;
  for (Value operand : op->getOperands()) {
    Found found = isa<RankedTensorType>(operand.getType())
                      ? element(operand, index)
                      : scalarIn(operand, Scope());
    if (!found)
      return std::nullopt;
    operands.push_back(*found);
  }
  return operation(op, operands);
}
