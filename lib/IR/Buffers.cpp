//===- Buffers.cpp - Types of buffers that operations check --------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Buffers.h"

#include "mxfp4/IR/MXFP4.h"

using namespace mlir;
using namespace mxfp4;

bool mxfp4::isPlain(MemRefType type) {
  return type.getLayout().isIdentity() &&
         llvm::none_of(type.getShape().drop_front(), ShapedType::isDynamic);
}

bool mxfp4::isGlobalWords(Value value, int64_t size) {
  auto type = cast<MemRefType>(value.getType());
  return type.getRank() == 1 && isPlain(type) && !isShared(type) &&
         type.getElementType().isInteger(32) &&
         (ShapedType::isDynamic(size) || type.getDimSize(0) == size);
}

LogicalResult mxfp4::verifyErrorWord(Operation *op, Value error) {
  if (!error || isGlobalWords(error, 1))
    return success();
  return op->emitOpError() << "requires an error word of shape 1 and element "
                              "type i32 in global memory, but got "
                           << error.getType();
}

LogicalResult mxfp4::verifyWeightStage(Operation *op, Value value) {
  auto type = cast<MemRefType>(value.getType());
  if (type.getRank() == 2 && type.hasStaticShape() && isPlain(type) &&
      isShared(type) && isa<BlockType>(type.getElementType()))
    return success();
  return op->emitOpError() << "requires staged weights of static shape "
                              "stages x blocks and element type !mxfp4.block "
                              "in shared memory, but got "
                           << type;
}

LogicalResult mxfp4::verifyActivationStage(Operation *op, Value value) {
  auto type = cast<MemRefType>(value.getType());
  if (type.getRank() == 3 && type.hasStaticShape() && isPlain(type) &&
      isShared(type) && type.getDimSize(1) % 8 == 0 &&
      hasStageRows(type, &InstructionTraits::typeOfB))
    return success();
  return op->emitOpError()
         << "requires staged activations of static shape stages x tokens x 64, "
            "tokens a multiple of 8, and element type bf16, or x 128 of "
            "f8E4M3FN, in shared memory, but got "
         << type;
}
