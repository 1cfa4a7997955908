//===- MatchDecode.cpp - Codes and scales behind decoded values -----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Raise.h"
#include "TrailingIndex.h"

#include "mxfp4/Core/Format.h"

using namespace mlir;
using namespace mxfp4;

namespace {

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

/// The body of `op` as what computes its result from these inputs.
DecodeBody bodyOf(linalg::LinalgOp op, OpOperand *code, OpOperand *scale) {
  AffineMap result = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
  DecodeBody body;
  body.result = op.getBlock()->getTerminator()->getOperand(0);
  body.code = op.getMatchingBlockArgument(code);
  if (scale)
    body.scale = op.getMatchingBlockArgument(scale);
  body.lastLoop = result.getDimPosition(result.getNumResults() - 1);
  body.lastExtent = tensorTypeOf(op->getResult(0)).getShape().back();
  return body;
}

/// The tensor of one scale a block that `scales` came from, if position k of
/// the values takes element `index[k]` of it; or null.
Value broadcastSource(Value scales, SmallVector<int64_t> index,
                      int64_t leading) {
  const auto count = static_cast<int64_t>(index.size());
  while (scales) {
    RankedTensorType type = tensorTypeOf(scales);
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
    if (!map || !tensorTypeOf(source))
      return Value();
    auto from = trailingIndex(map, tensorTypeOf(source).getShape(),
                              type.getShape(), leading);
    if (!from)
      return Value();
    for (int64_t &at : index)
      at = (*from)[at];
    scales = source;
  }
  return Value();
}

/// Codes and scales for each position along K, as the last dimension, the last
/// two, or the last three.
FailureOr<Decode> matchIndices(const DecodeCandidate &c, Miss *why) {
  RankedTensorType codes = tensorTypeOf(c.codes),
                   scales = tensorTypeOf(c.scales);
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
  if (!tensorTypeOf(op.getDpsInputOperand(0)->get()) ||
      !tensorTypeOf(op.getDpsInputOperand(1)->get()))
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
    decode = matchDecode(
        {code->get(), scale->get(), codesMap, scalesMap,
         llvm::to_vector(tensorTypeOf(op->getResult(0)).getShape())},
        bodyOf(op, code, scale), &here);
    if (succeeded(decode))
      return decode;
    // Which input holds codes is told by the types, or by who has more.
    const auto rank = [](OpOperand *operand) {
      return tensorTypeOf(operand->get()).getRank();
    };
    if (why && (codes == 0 ||
                isa<Float4E2M1FNType>(getElementTypeOrSelf(code->get())) ||
                rank(code) > rank(scale)))
      *why = here;
  }
  return failure();
}

FailureOr<Decode> mxfp4::matchDecode(arith::ScalingExtFOp op, Miss *why) {
  RankedTensorType type = tensorTypeOf(op.getOut()),
                   codes = tensorTypeOf(op.getIn()),
                   scales = tensorTypeOf(op.getScale());
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

/// The operand of a bit cast, or null.
static Value throughBitcast(Value value) {
  auto op = value.getDefiningOp<arith::BitcastOp>();
  return op ? op.getIn() : Value();
}

Value mxfp4::bytesOf(Value codes, int64_t leading) {
  while (codes) {
    if (auto op = codes.getDefiningOp<linalg::LinalgOp>()) {
      RankedTensorType type = tensorTypeOf(codes);
      if (op->getNumResults() != 1 || op.getNumDpsInputs() != 1 ||
          op.getNumReductionLoops() != 0 || type.getRank() == 0 ||
          type.getShape().back() % 2 != 0)
        return Value();
      OpOperand *input = op.getDpsInputOperand(0);
      RankedTensorType bytes = tensorTypeOf(input->get());
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
