//===- TableTrace.cpp - Elements of tables in the graph of scalars --------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ElementTrace.h"
#include "ScalarEval.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace mxfp4;

using Found = ElementTrace::Found;

/// Tables of codes have 16 or 256 entries, of scales 256, of both 4096.
static constexpr int64_t kMaxTable = 1 << 16;
/// Elements of tables that are computed are traced one by one.
static constexpr int64_t kMaxComputedTable = 4096;

/// The elements of a resource: little-endian, one after the other.
static std::vector<uint64_t> resourceBits(DenseResourceElementsAttr table) {
  const unsigned width = scalarWidth(table.getElementType());
  AsmResourceBlob *blob = table.getRawHandle().getBlob();
  const int64_t count = table.getNumElements();
  if (!blob || width % 8 != 0 || width == 0 ||
      static_cast<int64_t>(blob->getData().size()) != count * (width / 8))
    return {};
  std::vector<uint64_t> bits(count, 0);
  for (int64_t element = 0; element < count; ++element)
    for (unsigned byte = 0; byte < width / 8; ++byte)
      bits[element] |=
          uint64_t(uint8_t(blob->getData()[element * (width / 8) + byte]))
          << (8 * byte);
  return bits;
}

std::vector<uint64_t> mxfp4::tableBits(Attribute table) {
  auto elements = dyn_cast_or_null<ElementsAttr>(table);
  if (!elements || elements.getNumElements() > kMaxTable ||
      scalarWidth(elements.getElementType()) == 0)
    return {};
  if (auto resource = dyn_cast<DenseResourceElementsAttr>(table))
    return resourceBits(resource);
  auto dense = dyn_cast<DenseElementsAttr>(table);
  if (!dense)
    return {};
  std::vector<uint64_t> bits;
  for (Attribute value : dense.getValues<Attribute>()) {
    std::optional<uint64_t> one = scalarBits(value);
    if (!one)
      return {};
    bits.push_back(*one);
  }
  return bits;
}

Found ElementTrace::ofConstant(Attribute value, const ElementIndex &index) {
  auto elements = dyn_cast<ElementsAttr>(value);
  if (!elements)
    return fail("a constant is no tensor of numbers");
  if (auto splat = dyn_cast<SplatElementsAttr>(value))
    if (std::optional<uint64_t> bits =
            scalarBits(splat.getSplatValue<Attribute>()))
      return constant(elements.getElementType(), *bits);
  int64_t flat = 0;
  for (auto [size, digits] :
       llvm::zip_equal(elements.getShapedType().getShape(), index)) {
    std::optional<int64_t> at = knownValue(digits);
    if (!at)
      return fail("a constant tensor differs from block to block");
    flat = flat * size + *at;
  }
  const std::vector<uint64_t> bits = tableBits(value);
  if (static_cast<size_t>(flat) >= bits.size())
    return fail("a constant tensor is too large for a table");
  return constant(elements.getElementType(), bits[flat]);
}

/// The elements of a table that differ in dimensions of which a program
/// computes the numbers, where the others are known; null if one of these is
/// too large.
Attribute ElementTrace::part(const std::vector<uint64_t> &bits,
                             RankedTensorType type, ArrayRef<unsigned> computed,
                             ArrayRef<unsigned> indices) const {
  SmallVector<int64_t> strides(indices.size(), 1);
  for (unsigned dim = indices.size() - 1; dim-- > 0;)
    strides[dim] = strides[dim + 1] * type.getDimSize(dim + 1);
  int64_t first = 0, count = 1;
  SmallVector<int64_t> shape;
  for (unsigned dim = 0; dim < indices.size(); ++dim) {
    if (llvm::is_contained(computed, dim)) {
      shape.push_back(type.getDimSize(dim));
      count *= shape.back();
      continue;
    }
    const uint64_t at = nodes[indices[dim]].bits;
    if (at >= static_cast<uint64_t>(type.getDimSize(dim)))
      return {};
    first += static_cast<int64_t>(at) * strides[dim];
  }
  const unsigned width = type.getElementTypeBitWidth();
  SmallVector<APInt> elements;
  for (int64_t i = 0; i < count; ++i) {
    int64_t rest = i, from = first;
    for (unsigned number = computed.size(); number-- > 0;) {
      from += rest % shape[number] * strides[computed[number]];
      rest /= shape[number];
    }
    elements.emplace_back(width, bits[from], /*isSigned=*/false,
                          /*implicitTrunc=*/true);
  }
  auto partType =
      RankedTensorType::get(shape, IntegerType::get(type.getContext(), width));
  return DenseElementsAttr::get(partType, elements);
}

/// A table that is computed of constants, such as one that is reshaped or
/// rounded; null for other tensors.
Attribute ElementTrace::computedTable(Value tensor) {
  auto type = cast<RankedTensorType>(tensor.getType());
  const unsigned width = scalarWidth(type.getElementType());
  if (!type.hasStaticShape() || width == 0 || type.getNumElements() == 0 ||
      type.getNumElements() > kMaxComputedTable)
    return {};
  SmallVector<APInt> elements;
  for (int64_t i = 0; i < type.getNumElements(); ++i) {
    ElementIndex index(type.getRank());
    int64_t rest = i;
    for (int64_t dim = type.getRank(); dim-- > 0;) {
      const int64_t size = type.getDimSize(dim);
      if (size > 1)
        appendDigit(index[dim], Digit::known(rest % size, size));
      rest /= size;
    }
    Found found = element(tensor, index);
    if (!found || nodes[*found].kind != ScalarNode::Kind::Constant)
      return {};
    elements.emplace_back(width, nodes[*found].bits, /*isSigned=*/false,
                          /*implicitTrunc=*/true);
  }
  return DenseElementsAttr::get(
      type.clone(IntegerType::get(type.getContext(), width)), elements);
}

/// `tensor.extract`: an element at a position, or of a table.
Found ElementTrace::lookup(Operation *op, const Scope &scope) {
  auto extract = cast<tensor::ExtractOp>(op);
  auto type = dyn_cast<RankedTensorType>(extract.getTensor().getType());
  if (!type)
    return fail("a tensor has no rank");
  SmallVector<unsigned> indices;
  ElementIndex at;
  for (auto [dim, value] : llvm::enumerate(extract.getIndices())) {
    Found found = scalarIn(value, scope);
    if (found)
      found = takeOutOf(*found);
    if (!found)
      return std::nullopt;
    indices.push_back(*found);
    const ScalarNode &node = nodes[*found];
    std::optional<Digits> digits;
    if (node.kind == ScalarNode::Kind::Position && node.exact)
      digits = fitDigits(node.index[0], type.getDimSize(dim));
    Digits known;
    if (node.kind == ScalarNode::Kind::Constant &&
        static_cast<int64_t>(node.bits) >= 0 &&
        static_cast<int64_t>(node.bits) < type.getDimSize(dim)) {
      appendDigit(known, Digit::known(node.bits, type.getDimSize(dim)));
      digits = known;
    }
    if (digits)
      at.push_back(*digits);
  }
  if (at.size() == indices.size())
    return element(extract.getTensor(), at);
  Attribute table;
  if (!matchPattern(extract.getTensor(), m_Constant(&table)))
    table = computedTable(extract.getTensor());
  if (!table)
    return fail("a number that is computed selects an element of a tensor that "
                "is no constant");
  ScalarNode node;
  SmallVector<unsigned> computed;
  for (unsigned dim = 0; dim < indices.size(); ++dim) {
    if (nodes[indices[dim]].kind == ScalarNode::Kind::Position)
      return fail("a position selects an element of a table");
    if (nodes[indices[dim]].kind == ScalarNode::Kind::Constant)
      continue;
    computed.push_back(dim);
    node.operands.push_back(indices[dim]);
  }
  const std::vector<uint64_t> bits = tableBits(table);
  if (bits.empty())
    return fail("a table is no constant of numbers of at most 64 bits");
  node.kind = ScalarNode::Kind::Lookup;
  node.type = type.getElementType();
  node.table = computed.size() == indices.size()
                   ? table
                   : part(bits, type, computed, indices);
  if (!node.table)
    return fail("an element that a table does not have is selected");
  return add(std::move(node));
}
