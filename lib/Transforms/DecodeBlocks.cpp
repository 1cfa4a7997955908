//===- DecodeBlocks.cpp - Codes and scales as blocks of bytes -------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "DecodeBlocks.h"
#include "Arrange.h"
#include "TensorType.h"

#include "mxfp4/Core/Format.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"

using namespace mlir;
using namespace mxfp4;

/// Packs single codes `... x K/32 x 16 x 2` to bytes `... x K/32 x 16`.
static Value packNibbles(OpBuilder &b, Location loc, Value codes) {
  RankedTensorType type = tensorType(codes);
  const int64_t rank = type.getRank() - 1;
  if (!type.getElementType().isInteger(4))
    codes = arith::BitcastOp::create(b, loc, type.clone(b.getIntegerType(4)),
                                     codes);
  auto half = [&](int64_t which) {
    SmallVector<AffineExpr> results;
    for (int64_t dim = 0; dim < rank; ++dim)
      results.push_back(b.getAffineDimExpr(dim));
    results.push_back(b.getAffineConstantExpr(which));
    return AffineMap::get(rank, 0, results, b.getContext());
  };
  SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(b, loc, codes);
  sizes.pop_back();
  Value init = tensor::EmptyOp::create(b, loc, sizes, b.getI8Type());
  SmallVector<AffineMap> maps = {half(0), half(1),
                                 b.getMultiDimIdentityMap(rank)};
  SmallVector<utils::IteratorType> loops(rank, utils::IteratorType::parallel);
  auto body = [](OpBuilder &b, Location loc, ValueRange args) {
    Value low = arith::ExtUIOp::create(b, loc, b.getI8Type(), args[0]);
    Value high = arith::ExtUIOp::create(b, loc, b.getI8Type(), args[1]);
    Value four = arith::ConstantIntOp::create(b, loc, 4, 8);
    Value up = arith::ShLIOp::create(b, loc, high, four);
    Value both = arith::OrIOp::create(b, loc, low, up);
    linalg::YieldOp::create(b, loc, both);
  };
  return linalg::GenericOp::create(b, loc, init.getType(),
                                   ValueRange{codes, codes}, init, maps, loops,
                                   body)
      .getResult(0);
}

/// Bytes with their nibbles the other way round.
static Value swapNibbles(OpBuilder &b, Location loc, Value bytes) {
  SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(b, loc, bytes);
  Value init = tensor::EmptyOp::create(b, loc, sizes, b.getI8Type());
  const int64_t rank = tensorType(bytes).getRank();
  SmallVector<AffineMap> maps(2, b.getMultiDimIdentityMap(rank));
  SmallVector<utils::IteratorType> loops(rank, utils::IteratorType::parallel);
  auto body = [](OpBuilder &b, Location loc, ValueRange args) {
    Value four = arith::ConstantIntOp::create(b, loc, 4, 8);
    Value up = arith::ShLIOp::create(b, loc, args[0], four);
    Value down = arith::ShRUIOp::create(b, loc, args[0], four);
    Value both = arith::OrIOp::create(b, loc, up, down);
    linalg::YieldOp::create(b, loc, both);
  };
  return linalg::GenericOp::create(b, loc, init.getType(), ValueRange{bytes},
                                   init, maps, loops, body)
      .getResult(0);
}

/// The slice of `whole` that has the leading dimensions of `slice`, and of the
/// next one `count` from `first` on.
static Value sliceBehind(OpBuilder &b, tensor::ExtractSliceOp slice,
                         Value whole, int64_t leading, int64_t first,
                         int64_t count) {
  SmallVector<OpFoldResult> offsets = slice.getMixedOffsets(),
                            sizes = slice.getMixedSizes(),
                            strides = slice.getMixedStrides();
  const int64_t behind = slice.getSourceType().getRank() - leading;
  offsets.pop_back_n(behind);
  sizes.pop_back_n(behind);
  strides.pop_back_n(behind);
  SmallVector<int64_t> shape(slice.getType().getShape().drop_back(behind));
  RankedTensorType type = tensorType(whole);
  for (int64_t extent : type.getShape().drop_front(leading)) {
    const bool isNext = static_cast<int64_t>(offsets.size()) == leading;
    offsets.push_back(b.getIndexAttr(isNext ? first : 0));
    sizes.push_back(b.getIndexAttr(isNext ? count : extent));
    strides.push_back(b.getIndexAttr(1));
    shape.push_back(isNext ? count : extent);
  }
  return tensor::ExtractSliceOp::create(b, slice.getLoc(), type.clone(shape),
                                        whole, offsets, sizes, strides);
}

Value mxfp4::sliceLeading(OpBuilder &b, tensor::ExtractSliceOp slice,
                          Value whole, int64_t leading) {
  RankedTensorType type = tensorType(whole);
  return sliceBehind(b, slice, whole, leading, 0,
                     leading < type.getRank() ? type.getDimSize(leading) : 0);
}

bool mxfp4::keepsBlocks(tensor::ExtractSliceOp slice) {
  const auto first = getConstantIntValue(slice.getMixedOffsets().back()),
             count = getConstantIntValue(slice.getMixedSizes().back());
  return getConstantIntValue(slice.getMixedStrides().back()) == 1 && first &&
         *first % kScaleBlock == 0 && count && *count > 0 &&
         *count % kScaleBlock == 0 &&
         !slice.getDroppedDims().test(slice.getSourceType().getRank() - 1);
}

Value mxfp4::sliceBlocks(OpBuilder &b, tensor::ExtractSliceOp slice,
                         Value whole) {
  return sliceBehind(
      b, slice, whole, slice.getSourceType().getRank() - 1,
      *getConstantIntValue(slice.getMixedOffsets().back()) / kScaleBlock,
      *getConstantIntValue(slice.getMixedSizes().back()) / kScaleBlock);
}

namespace {

/// The slice that `value` is, if it is one that keeps the trailing dimensions
/// of a tensor with elements: a loop that never runs may slice one without.
tensor::ExtractSliceOp leadingSlice(Value value, int64_t leading) {
  auto slice = value.getDefiningOp<tensor::ExtractSliceOp>();
  if (!slice || !slice.hasUnitStride() ||
      llvm::is_contained(slice.getSourceType().getShape(), 0))
    return nullptr;
  const int64_t rank = slice.getSourceType().getRank(),
                first = rank - (slice.getType().getRank() - leading);
  const llvm::SmallBitVector dropped = slice.getDroppedDims();
  for (int64_t dim = first; dim < rank; ++dim)
    if (dropped.test(dim) ||
        getConstantIntValue(slice.getMixedOffsets()[dim]) != 0 ||
        getConstantIntValue(slice.getMixedSizes()[dim]) !=
            slice.getSourceType().getDimSize(dim))
      return nullptr;
  return slice;
}

/// Applies `convert`, which keeps leading dimensions, to the tensor that
/// `value` is a slice of, and slices the result: an expert's part of all
/// experts' weights, converted where those are known.
Value convertWhole(OpBuilder &b, Value value, int64_t leading,
                   function_ref<Value(OpBuilder &, Value, int64_t)> convert) {
  tensor::ExtractSliceOp slice = leadingSlice(value, leading);
  if (!slice)
    return convert(b, value, leading);
  Value source = slice.getSource(), whole;
  const int64_t first =
      slice.getSourceType().getRank() - (slice.getType().getRank() - leading);
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointAfterValue(source);
    whole = convertWhole(b, source, first, convert);
  }
  return sliceLeading(b, slice, whole, first);
}

} // namespace

/// Each scale several times, once for each of its blocks.
static Value repeatScales(OpBuilder &b, Location loc, Value scales,
                          int64_t times) {
  if (times == 1)
    return scales;
  RankedTensorType type = tensorType(scales);
  const int64_t rank = type.getRank();
  SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(b, loc, scales);
  sizes.push_back(b.getIndexAttr(times));
  Value empty = tensor::EmptyOp::create(b, loc, sizes, type.getElementType());
  Value copies = linalg::BroadcastOp::create(b, loc, scales, empty,
                                             ArrayRef<int64_t>{rank})
                     ->getResult(0);
  SmallVector<ReassociationIndices> groups;
  for (int64_t dim = 0; dim < rank; ++dim)
    groups.push_back({dim});
  groups.back().push_back(rank);
  return tensor::CollapseShapeOp::create(b, loc, copies, groups);
}

/// Loops that stand for leading dimensions, whatever these are.
static constexpr unsigned kLeading = 1U << 24;

/// The position and the order of a tensor of codes or scales of which the first
/// `leading` dimensions stay as they are.
static void keepLeading(ArrayRef<int64_t> shape, int64_t leading,
                        ElementIndex &index, SmallVectorImpl<Digits> &groups) {
  for (int64_t dim = 0; dim < leading; ++dim) {
    Digits digits;
    appendDigit(digits,
                {kLeading + static_cast<unsigned>(dim), shape[dim], 1, 0});
    index.push_back(digits);
    groups.push_back(digits);
  }
}

/// The digits of the blocks along K.
static Digits blockDigits(const Decode &decode) {
  Digits digits;
  int64_t inBlock = 32;
  SmallVector<Digit> reversed;
  for (unsigned dim = decode.lastK + 1; dim-- > decode.firstK;) {
    const int64_t size = decode.shape[dim];
    const int64_t part = inBlock == 1          ? 1
                         : size % inBlock == 0 ? inBlock
                                               : size;
    inBlock /= part;
    reversed.push_back({dim, size / part, part, 0});
  }
  for (const Digit &digit : llvm::reverse(reversed))
    appendDigit(digits, digit);
  return digits;
}

namespace {

/// Codes or scales of a decode, on their way to blocks.
struct Side {
  const ElementIndex &index;
  Value value;
  /// Behind the leading dimensions.
  SmallVector<Digits> trailing;
  /// The number of leading dimensions that `value` has as the values have them;
  /// nullopt if it has others.
  std::optional<int64_t> leading;
  const Decode &decode;

  Side(const Decode &decode, bool codes);
  std::optional<Arrangement> arrange(RankedTensorType type, int64_t kept) const;
};

} // namespace

Side::Side(const Decode &decode, bool codes)
    : index(codes ? decode.codesIndex : decode.scalesIndex),
      value(codes ? decode.codes : decode.scales), decode(decode) {
  trailing.push_back(blockDigits(decode));
  if (!codes)
    (void)takeLow(trailing.back(), decode.blocksPerScale);
  if (codes) {
    trailing.push_back(
        {Digit{Decode::kInBlock, decode.codesAreBytes() ? 16 : 32, 1, 0}});
  }
  const SmallVector<unsigned> dims = decode.leading();
  leading = dims.size();
  for (auto [number, dim] : llvm::enumerate(dims)) {
    Digits whole;
    appendDigit(whole, {dim, decode.shape[dim], 1, 0});
    if (number >= index.size() || !(index[number] == whole))
      leading = std::nullopt;
  }
}

/// The order of a tensor of which the first `kept` dimensions, which are the
/// leading ones of the values or those that the values are a slice of, stay.
std::optional<Arrangement> Side::arrange(RankedTensorType type,
                                         int64_t kept) const {
  SmallVector<int64_t> shape(type.getShape());
  if (isWord(type))
    shape.push_back(type.getElementTypeBitWidth() / 8);
  ElementIndex from;
  SmallVector<Digits> groups;
  if (leading) {
    keepLeading(shape, kept, from, groups);
    from.append(index.begin() + *leading, index.end());
  } else {
    from = index;
    for (unsigned dim : decode.leading())
      appendDigit(groups.emplace_back(), {dim, decode.shape[dim], 1, 0});
  }
  groups.append(trailing);
  return Arrangement::find(shape, from, groups);
}

bool mxfp4::canMakeBlocks(const Decode &decode) {
  for (bool codes : {true, false}) {
    const Side side(decode, codes);
    if (!side.arrange(tensorType(side.value), side.leading.value_or(0)))
      return false;
  }
  return true;
}

std::pair<Value, Value> mxfp4::makeBlocks(OpBuilder &b, Location loc,
                                          const Decode &decode) {
  const auto convert = [&](const Side &side, OpBuilder &b, Value value,
                           int64_t leading) -> Value {
    const std::optional<Arrangement> order =
        side.arrange(tensorType(value), leading);
    if (isWord(value.getType()))
      value = bytesOfWords(b, loc, value,
                           side.trailing.size() == 1 ? ArrayRef<unsigned>()
                                                     : decode.nibbles);
    RankedTensorType type = tensorType(value);
    value = order->apply(b, loc, value);
    const bool isBytes = type.getElementType().isInteger(8);
    if (side.trailing.size() == 1) {
      type = tensorType(value).clone(b.getI8Type());
      if (!isBytes)
        value = b.createOrFold<arith::BitcastOp>(loc, type, value);
      return repeatScales(b, loc, value, decode.blocksPerScale);
    }
    if (isBytes)
      return decode.highFirst ? swapNibbles(b, loc, value) : value;
    // Single codes: `... x 32` to `... x 16 x 2`.
    SmallVector<int64_t> counts(tensorType(value).getShape());
    counts.back() = 16;
    counts.push_back(2);
    SmallVector<ReassociationIndices> groups;
    for (size_t dim = 0; dim + 1 < counts.size(); ++dim)
      groups.push_back({static_cast<int64_t>(dim)});
    groups.back().push_back(static_cast<int64_t>(counts.size()) - 1);
    value = tensor::ExpandShapeOp::create(
        b, loc, tensorType(value).clone(counts), value, groups);
    return packNibbles(b, loc, value);
  };
  const auto make = [&](bool codes) {
    const Side side(decode, codes);
    const auto apply = [&](OpBuilder &b, Value value, int64_t leading) {
      return convert(side, b, value, leading);
    };
    return side.leading ? convertWhole(b, side.value, *side.leading, apply)
                        : apply(b, side.value, 0);
  };
  Value codes = make(true);
  return {codes, make(false)};
}
