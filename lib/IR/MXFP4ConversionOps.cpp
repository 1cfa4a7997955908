//===- MXFP4ConversionOps.cpp - Other forms of weights and buffers --------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "DestinationOps.h"

#include "mxfp4/Core/Format.h"
#include "mxfp4/IR/MXFP4.h"
#include "mxfp4/IR/Promises.h"

using namespace mlir;
using namespace mxfp4;

namespace {

/// values ... x K against codes ... x K/32 x 16 and scales ... x K/32.
LogicalResult verifyQuantized(Operation *op, Value values, Value codes,
                              Value scales) {
  ShapedType type = shaped(values);
  if (type.getRank() < 1 || !isFloatValue(type.getElementType()))
    return op->emitOpError()
           << "requires values of element type bf16 or f32 and rank 1 or more, "
              "but got "
           << type;
  SmallVector<int64_t> shape(type.getShape());
  int64_t &last = shape.back();
  if (!ShapedType::isDynamic(last)) {
    if (last <= 0 || last % kScaleBlock != 0)
      return op->emitOpError() << "requires the last dimension of the values "
                                  "to be a positive multiple of 32, but got "
                               << last;
    last /= kScaleBlock;
  }
  Type byte = IntegerType::get(op->getContext(), 8);
  if (failed(verifyShaped(op, scales, "scales", shape, byte)))
    return failure();
  shape.push_back(16);
  return verifyShaped(op, codes, "codes", shape, byte);
}

/// blocks E x NB x KB against codes E x N x K/32 x 16 and scales E x N x K/32.
LogicalResult verifyPacked(Operation *op, Value blocks, Value codes,
                           Value scales) {
  ShapedType codesType = shaped(codes), blocksType = shaped(blocks);
  if (!isa<BlockType>(blocksType.getElementType()) || blocksType.getRank() != 3)
    return op->emitOpError() << "requires blocks of shape ExN/64xK/64 and "
                                "element type !mxfp4.block, but got "
                             << blocksType;
  Type byte = IntegerType::get(op->getContext(), 8);
  const int64_t dynamic = ShapedType::kDynamic;
  if (failed(verifyShaped(op, codes, "codes",
                          {blocksType.getDimSize(0), dynamic, dynamic, 16},
                          byte)))
    return failure();
  ArrayRef<int64_t> shape = codesType.getShape();
  if (failed(verifyShaped(op, scales, "scales", shape.drop_back(), byte)))
    return failure();
  const BlockLayout layout = layoutOf(blocksType);
  if (failed(verifyColumns(op, layout, shape[1])))
    return failure();
  const int64_t n =
      ShapedType::isDynamic(shape[1]) ? dynamic : layout.rowBlocks(shape[1]);
  const int64_t k = ShapedType::isDynamic(shape[2])
                        ? dynamic
                        : layout.colBlocks(shape[2] * layout.scaleBlock);
  return verifyShaped(op, blocks, "blocks", {shape[0], n, k},
                      blocksType.getElementType());
}

} // namespace

MXFP4_DESTINATION_OP(PackOp)
MXFP4_DESTINATION_OP(UnpackOp)
MXFP4_DESTINATION_OP(QuantizeOp)
MXFP4_DESTINATION_OP(DequantizeOp)

LogicalResult PackOp::verify() {
  if (getPromisesAttr() &&
      failed(verifyPromises(*this, "promises", getPromisesAttr())))
    return failure();
  if (failed(verifyPacked(*this, getInit(), getCodes(), getScales())))
    return failure();
  return verifyDestinationStyle(*this);
}

LogicalResult UnpackOp::verify() {
  if (failed(verifyPacked(*this, getBlocks(), getCodesInit(), getScalesInit())))
    return failure();
  return verifyDestinationStyle(*this);
}

LogicalResult QuantizeOp::verify() {
  if (failed(
          verifyQuantized(*this, getValues(), getCodesInit(), getScalesInit())))
    return failure();
  return verifyDestinationStyle(*this);
}

LogicalResult DequantizeOp::verify() {
  if (getPromisesAttr() &&
      failed(verifyPromises(*this, "promises", getPromisesAttr())))
    return failure();
  if (failed(verifyQuantized(*this, getInit(), getCodes(), getScales())))
    return failure();
  return verifyDestinationStyle(*this);
}

//===----------------------------------------------------------------------===//
// Views
//===----------------------------------------------------------------------===//

MemRefType BlockBytesOp::bytesOf(MemRefType blocks) {
  SmallVector<int64_t> shape(blocks.getShape());
  const int64_t blockBytes = layoutOf(blocks).bytes();
  shape.push_back(blockBytes);
  MemRefLayoutAttrInterface layout;
  SmallVector<int64_t> strides;
  int64_t offset;
  if (!blocks.getLayout().isIdentity() &&
      succeeded(blocks.getStridesAndOffset(strides, offset))) {
    const auto bytes = [&](int64_t extent) {
      return ShapedType::isDynamic(extent) ? extent : extent * blockBytes;
    };
    for (int64_t &stride : strides)
      stride = bytes(stride);
    strides.push_back(1);
    layout =
        StridedLayoutAttr::get(blocks.getContext(), bytes(offset), strides);
  }
  return MemRefType::get(shape, IntegerType::get(blocks.getContext(), 8),
                         layout, blocks.getMemorySpace());
}

LogicalResult BlockBytesOp::verify() {
  auto blocks = cast<MemRefType>(getBlocks().getType());
  if (!isa<BlockType>(blocks.getElementType()))
    return emitOpError() << "requires blocks of element type !mxfp4.block, but "
                            "got "
                         << blocks;
  if (const MemRefType expected = bytesOf(blocks);
      getBytes().getType() != expected)
    return emitOpError() << "requires a result of type " << expected
                         << ", but got " << getBytes().getType();
  return success();
}

LogicalResult RebaseOp::verify() {
  auto source = cast<MemRefType>(getSource().getType());
  if (contiguityOf(source) == Contiguity::No)
    return emitOpError() << "requires a buffer whose elements lie one behind "
                            "the other, but got "
                         << source;
  if (const MemRefType expected = withIdentityLayout(source);
      getResult().getType() != expected)
    return emitOpError() << "requires a result of type " << expected
                         << ", but got " << getResult().getType();
  return success();
}

Value RebaseOp::getViewSource() { return getSource(); }
