//===- RaiseDequantize.cpp - Decodes to mxfp4.dequantize ------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// In this file a tensor is a number of *leading* dimensions (experts, rows)
// and *trailing* ones, which together run over K: `K`, `K/32 x 32` or
// `K/32 x 16 x 2`. Position k is an index into the trailing ones, flattened.
//
//===----------------------------------------------------------------------===//

#include "Raise.h"

#include "mxfp4/Core/Format.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace mxfp4;

namespace {

RankedTensorType tensorType(Value value) {
  return dyn_cast<RankedTensorType>(value.getType());
}

/// Elements of the trailing dimensions, or -1 if that is not known.
int64_t trailingSize(RankedTensorType type, int64_t leading) {
  if (!type || type.getRank() <= leading)
    return -1;
  ArrayRef<int64_t> shape = type.getShape().drop_front(leading);
  return ShapedType::isDynamicShape(shape) ? -1
                                           : ShapedType::getNumElements(shape);
}

/// K of a tensor with these leading dimensions, if the trailing ones are `K`,
/// `K/32 x 32` or `K/32 x 16 x 2`; else -1.
int64_t trailingK(ArrayRef<int64_t> shape, int64_t leading) {
  shape = shape.drop_front(leading);
  const int64_t k = ShapedType::isDynamicShape(shape)
                        ? -1
                        : ShapedType::getNumElements(shape);
  const bool known = shape.size() == 1 ||
                     (shape.size() == 2 && shape[1] == kScaleBlock) ||
                     (shape.size() == 3 && shape[1] == 16 && shape[2] == 2);
  return known && k > 0 && k % kScaleBlock == 0 ? k : -1;
}

/// index[k] == k / by for every k.
bool dividesBy(ArrayRef<int64_t> index, int64_t by) {
  for (auto [k, at] : llvm::enumerate(index))
    if (at != static_cast<int64_t>(k) / by)
      return false;
  return true;
}

/// The leading dimensions each alone, the trailing ones together.
SmallVector<ReassociationIndices> reassociation(int64_t leading, int64_t rank) {
  SmallVector<ReassociationIndices> groups;
  for (int64_t dim = 0; dim < leading; ++dim)
    groups.push_back({dim});
  groups.emplace_back();
  for (int64_t dim = leading; dim < rank; ++dim)
    groups.back().push_back(dim);
  return groups;
}

/// Gives a tensor the trailing dimensions `to`.
Value reshapeTrailing(OpBuilder &b, Location loc, Value value, int64_t leading,
                      ArrayRef<int64_t> to) {
  RankedTensorType type = tensorType(value);
  if (type.getShape().drop_front(leading) == to)
    return value;
  if (type.getRank() > leading + 1)
    value = tensor::CollapseShapeOp::create(
        b, loc, value, reassociation(leading, type.getRank()));
  if (to.size() == 1)
    return value;
  SmallVector<int64_t> shape(type.getShape().take_front(leading));
  shape.append(to.begin(), to.end());
  return tensor::ExpandShapeOp::create(b, loc, type.clone(shape), value,
                                       reassociation(leading, shape.size()));
}

/// The operand of a reshape that leaves the leading dimensions alone, and with
/// them the position of every element; null for anything else.
Value throughReshape(Value value, int64_t leading) {
  auto keeps = [&](ArrayRef<ReassociationIndices> groups) {
    if (static_cast<int64_t>(groups.size()) <= leading)
      return false;
    return llvm::all_of(groups.take_front(leading),
                        [](auto &group) { return group.size() == 1; });
  };
  if (auto op = value.getDefiningOp<tensor::CollapseShapeOp>())
    return keeps(op.getReassociationIndices()) ? op.getSrc() : Value();
  if (auto op = value.getDefiningOp<tensor::ExpandShapeOp>())
    return keeps(op.getReassociationIndices()) ? op.getSrc() : Value();
  return Value();
}

/// The operand of a bit cast, or null.
Value throughBitcast(Value value) {
  auto op = value.getDefiningOp<arith::BitcastOp>();
  return op ? op.getIn() : Value();
}

/// The body of `op` as what computes its result from these inputs.
DecodeBody bodyOf(linalg::LinalgOp op, OpOperand *code, OpOperand *scale) {
  AffineMap result = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
  DecodeBody body;
  body.result = op.getBlock()->getTerminator()->getOperand(0);
  body.code = op.getMatchingBlockArgument(code);
  if (scale)
    body.scale = op.getMatchingBlockArgument(scale);
  body.lastLoop = result.getDimPosition(result.getNumResults() - 1);
  body.lastExtent = tensorType(op->getResult(0)).getShape().back();
  return body;
}

//===----------------------------------------------------------------------===//
// Codes
//===----------------------------------------------------------------------===//

/// The bytes that single codes (i4 or f4) were unpacked from, or null.
Value bytesOf(Value codes, int64_t leading) {
  while (codes) {
    if (auto op = codes.getDefiningOp<linalg::LinalgOp>()) {
      RankedTensorType type = tensorType(codes);
      if (op->getNumResults() != 1 || op.getNumDpsInputs() != 1 ||
          op.getNumReductionLoops() != 0 || type.getRank() == 0 ||
          type.getShape().back() % 2 != 0)
        return Value();
      OpOperand *input = op.getDpsInputOperand(0);
      RankedTensorType bytes = tensorType(input->get());
      AffineMap map = mapFromResult(op, 0);
      if (!bytes || !map)
        return Value();
      auto index =
          trailingIndex(map, bytes.getShape(), type.getShape(), leading);
      if (!index || !dividesBy(*index, 2) ||
          2 * trailingSize(bytes, leading) !=
              static_cast<int64_t>(index->size()) ||
          failed(proveUnpack(bodyOf(op, input, nullptr), nullptr)))
        return Value();
      return input->get();
    }
    Value next = throughReshape(codes, leading);
    codes = next ? next : throughBitcast(codes);
  }
  return Value();
}

/// Packs single codes `... x K/32 x 16 x 2` to bytes `... x K/32 x 16`.
Value packNibbles(OpBuilder &b, Location loc, Value codes) {
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

//===----------------------------------------------------------------------===//
// Scales
//===----------------------------------------------------------------------===//

/// The tensor of one scale a block that `scales` came from, if position k of
/// the values takes element `index[k]` of it; or null.
Value broadcastSource(Value scales, SmallVector<int64_t> index,
                      int64_t leading) {
  const auto count = static_cast<int64_t>(index.size());
  while (scales) {
    RankedTensorType type = tensorType(scales);
    if (!type)
      return Value();
    if (type.getRank() == leading + 1 &&
        trailingSize(type, leading) == count / kScaleBlock &&
        dividesBy(index, kScaleBlock))
      return scales;
    if (Value next = throughReshape(scales, leading)) {
      scales = next;
      continue;
    }
    auto op = scales.getDefiningOp<linalg::LinalgOp>();
    if (!op || op.getNumDpsInputs() != 1 || op->getNumResults() != 1 ||
        op.getNumReductionLoops() != 0 ||
        op.getBlock()->getTerminator()->getOperand(0) !=
            op.getMatchingBlockArgument(op.getDpsInputOperand(0)))
      return Value();
    Value source = op.getDpsInputOperand(0)->get();
    AffineMap map = mapFromResult(op, 0);
    if (!map || !tensorType(source))
      return Value();
    auto from = trailingIndex(map, tensorType(source).getShape(),
                              type.getShape(), leading);
    if (!from)
      return Value();
    for (int64_t &at : index)
      at = (*from)[at];
    scales = source;
  }
  return Value();
}

//===----------------------------------------------------------------------===//
// Matching
//===----------------------------------------------------------------------===//

/// Codes and scales for each position along K, as the last dimension, the last
/// two, or the last three.
FailureOr<Decode> matchIndices(const DecodeCandidate &c, Miss *why) {
  RankedTensorType codes = tensorType(c.codes), scales = tensorType(c.scales);
  const int64_t codesPerElement = codes.getElementType().isInteger(8) ? 2 : 1;
  const auto rank = static_cast<int64_t>(c.shape.size());
  bool anyK = false, anyCodes = false;
  for (int64_t trailing = 1; trailing <= std::min<int64_t>(rank, 3);
       ++trailing) {
    const int64_t leading = rank - trailing, k = trailingK(c.shape, leading);
    if (k < 0)
      continue;
    anyK = true;
    auto codeIndex =
        trailingIndex(c.codesMap, codes.getShape(), c.shape, leading);
    if (!codeIndex || trailingSize(codes, leading) * codesPerElement != k ||
        !dividesBy(*codeIndex, codesPerElement))
      continue;
    anyCodes = true;
    auto scaleIndex =
        trailingIndex(c.scalesMap, scales.getShape(), c.shape, leading);
    if (!scaleIndex)
      continue;
    if (Value source = broadcastSource(c.scales, *scaleIndex, leading))
      return Decode{c.codes, source, leading};
  }
  if (!anyK)
    return miss(why,
                "the last dimensions of the values must be K, K/32 x 32 or "
                "K/32 x 16 x 2, static and with K a multiple of 32",
                "make K the last dimension of codes, scales and values");
  if (!anyCodes)
    return miss(why, "position k along the last dimensions must take code k, "
                     "the low nibble of a byte first");
  return miss(why,
              "position k along the last dimensions must take scale k / 32 "
              "of a tensor that has the leading dimensions of the codes "
              "and then K/32");
}

} // namespace

FailureOr<Decode> mxfp4::matchDecode(const DecodeCandidate &candidate,
                                     const DecodeBody &body, Miss *why) {
  FailureOr<Decode> decode = matchIndices(candidate, why);
  if (failed(decode) || failed(proveDecode(body, why)))
    return failure();
  return decode;
}

FailureOr<Decode> mxfp4::matchDecode(linalg::LinalgOp op, Miss *why) {
  if (!op.hasPureTensorSemantics())
    return miss(why, "the operation is on memrefs",
                "run mxfp4-raise before bufferization");
  if (op.getNumDpsInits() != 1 || op.getNumReductionLoops() != 0)
    return miss(why, "a decode has one result and no reduction");
  if (op.getNumDpsInputs() != 2)
    return miss(why,
                "a decode has two inputs, codes and scales, but the operation "
                "has " +
                    Twine(op.getNumDpsInputs()),
                "join the operations of the decode, for example with "
                "linalg-fuse-elementwise-ops, or write arith.scaling_extf");
  if (!tensorType(op.getDpsInputOperand(0)->get()) ||
      !tensorType(op.getDpsInputOperand(1)->get()))
    return miss(why, "codes and scales must be tensors");
  FailureOr<Decode> decode = failure();
  for (unsigned codes : {0, 1}) {
    OpOperand *code = op.getDpsInputOperand(codes),
              *scale = op.getDpsInputOperand(1 - codes);
    AffineMap codesMap = mapFromResult(op, codes),
              scalesMap = mapFromResult(op, 1 - codes);
    if (!codesMap || !scalesMap || codesMap.getNumDims() == 0)
      return miss(why, "each dimension of the values must be one loop");
    Miss here;
    decode =
        matchDecode({code->get(), scale->get(), codesMap, scalesMap,
                     llvm::to_vector(tensorType(op->getResult(0)).getShape())},
                    bodyOf(op, code, scale), &here);
    if (succeeded(decode))
      return decode;
    // Which input holds codes is told by the types, or by who has more.
    const auto rank = [](OpOperand *operand) {
      return tensorType(operand->get()).getRank();
    };
    if (why && (codes == 0 ||
                isa<Float4E2M1FNType>(getElementTypeOrSelf(code->get())) ||
                rank(code) > rank(scale)))
      *why = here;
  }
  return failure();
}

FailureOr<Decode> mxfp4::matchDecode(arith::ScalingExtFOp op, Miss *why) {
  RankedTensorType type = tensorType(op.getOut()),
                   codes = tensorType(op.getIn()),
                   scales = tensorType(op.getScale());
  if (!type)
    return miss(why, "a decode is of tensors");
  if (!isa<Float4E2M1FNType>(codes.getElementType()) ||
      !isa<Float8E8M0FNUType>(scales.getElementType()))
    return miss(why, "codes must be f4E2M1FN and scales f8E8M0FNU");
  if (!type.getElementType().isBF16() && !type.getElementType().isF32())
    return miss(why, "values must be bf16 or f32, which hold every decoded "
                     "value");
  // By definition it decodes exactly: only the indices are left to match.
  AffineMap identity =
      AffineMap::getMultiDimIdentityMap(type.getRank(), op.getContext());
  return matchIndices({op.getIn(), op.getScale(), identity, identity,
                       llvm::to_vector(type.getShape())},
                      why);
}

Value mxfp4::sliceLeading(OpBuilder &b, tensor::ExtractSliceOp slice,
                          Value whole, int64_t leading) {
  SmallVector<OpFoldResult> offsets = slice.getMixedOffsets(),
                            sizes = slice.getMixedSizes();
  const int64_t behind = slice.getSourceType().getRank() - leading;
  offsets.pop_back_n(behind);
  sizes.pop_back_n(behind);
  SmallVector<int64_t> shape(slice.getType().getShape().drop_back(behind));
  RankedTensorType type = tensorType(whole);
  for (int64_t extent : type.getShape().drop_front(leading)) {
    offsets.push_back(b.getIndexAttr(0));
    sizes.push_back(b.getIndexAttr(extent));
    shape.push_back(extent);
  }
  SmallVector<OpFoldResult> strides(sizes.size(), b.getIndexAttr(1));
  return tensor::ExtractSliceOp::create(b, slice.getLoc(), type.clone(shape),
                                        whole, offsets, sizes, strides);
}

namespace {

/// The slice that `value` is, if it is one that keeps the trailing dimensions.
tensor::ExtractSliceOp leadingSlice(Value value, int64_t leading) {
  auto slice = value.getDefiningOp<tensor::ExtractSliceOp>();
  if (!slice || !slice.hasUnitStride())
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

std::pair<Value, Value> mxfp4::makeBlocks(OpBuilder &b, Location loc,
                                          const Decode &decode) {
  const int64_t blocks = tensorType(decode.scales).getDimSize(decode.leading);
  const auto toBytes = [&](OpBuilder &b, Value codes, int64_t leading) {
    if (!tensorType(codes).getElementType().isInteger(8)) {
      if (Value bytes = bytesOf(codes, leading))
        codes = bytes;
      else
        codes = packNibbles(
            b, loc, reshapeTrailing(b, loc, codes, leading, {blocks, 16, 2}));
    }
    return reshapeTrailing(b, loc, codes, leading, {blocks, 16});
  };
  const auto toInteger = [&](OpBuilder &b, Value scales, int64_t) -> Value {
    RankedTensorType type = tensorType(scales);
    if (type.getElementType().isInteger(8))
      return scales;
    return b.createOrFold<arith::BitcastOp>(loc, type.clone(b.getI8Type()),
                                            scales);
  };
  return {convertWhole(b, decode.codes, decode.leading, toBytes),
          convertWhole(b, decode.scales, decode.leading, toInteger)};
}

//===----------------------------------------------------------------------===//
// Patterns
//===----------------------------------------------------------------------===//

namespace {

/// Replaces `op`, whose result is decoded values, by a dequantize.
void replace(PatternRewriter &rewriter, Operation *op, const Decode &decode) {
  Location loc = op->getLoc();
  RankedTensorType type = tensorType(op->getResult(0));
  auto [codes, scales] = makeBlocks(rewriter, loc, decode);
  SmallVector<OpFoldResult> sizes =
      tensor::getMixedSizes(rewriter, loc, scales);
  sizes.back() = rewriter.getIndexAttr(trailingSize(type, decode.leading));
  Value init =
      tensor::EmptyOp::create(rewriter, loc, sizes, type.getElementType());
  Value values =
      DequantizeOp::create(rewriter, loc, init.getType(), codes, scales, init)
          .getResult(0);
  Value result = reshapeTrailing(rewriter, loc, values, decode.leading,
                                 type.getShape().drop_front(decode.leading));
  if (result.getType() != type)
    result = tensor::CastOp::create(rewriter, loc, type, result);
  rewriter.replaceOp(op, result);
}

struct RaiseLinalg : OpInterfaceRewritePattern<linalg::LinalgOp> {
  using OpInterfaceRewritePattern::OpInterfaceRewritePattern;

  LogicalResult matchAndRewrite(linalg::LinalgOp op,
                                PatternRewriter &rewriter) const override {
    FailureOr<Decode> decode = matchDecode(op, nullptr);
    if (failed(decode))
      return rewriter.notifyMatchFailure(op, "not an exact MXFP4 decode");
    replace(rewriter, op, *decode);
    return success();
  }
};

struct RaiseScalingExtF : OpRewritePattern<arith::ScalingExtFOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(arith::ScalingExtFOp op,
                                PatternRewriter &rewriter) const override {
    FailureOr<Decode> decode = matchDecode(op, nullptr);
    if (failed(decode))
      return rewriter.notifyMatchFailure(op, "not MXFP4 along K");
    replace(rewriter, op, *decode);
    return success();
  }
};

} // namespace

void mxfp4::populateRaiseDequantizePatterns(RewritePatternSet &patterns) {
  patterns.add<RaiseLinalg, RaiseScalingExtF>(patterns.getContext());
  // Reshapes before and after a decode meet those of its users.
  tensor::CollapseShapeOp::getCanonicalizationPatterns(patterns,
                                                       patterns.getContext());
  tensor::ExpandShapeOp::getCanonicalizationPatterns(patterns,
                                                     patterns.getContext());
}
