//===- MXFP4FragmentOps.cpp - Operations on fragments --------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Buffers.h"

#include "mxfp4/IR/MXFP4.h"

using namespace mlir;
using namespace mxfp4;

namespace {

/// T x K of a stage, of an instruction's A, in shared memory.
LogicalResult verifyDecodedTile(Operation *op, Value value) {
  auto type = cast<MemRefType>(value.getType());
  if (type.getRank() == 2 && type.hasStaticShape() && isPlain(type) &&
      isShared(type) && type.getDimSize(0) % 16 == 0 &&
      hasStageRows(type, &InstructionTraits::typeOfA))
    return success();
  return op->emitOpError() << "requires a decoded tile of static shape rows x "
                              "64, rows a multiple of 16, and element type "
                              "bf16, or x 128 of f8E5M2, in shared memory, but "
                              "got "
                           << type;
}

LogicalResult verifyStep(Operation *op, int64_t step, int64_t steps,
                         StringRef what) {
  if (step >= 0 && step < steps)
    return success();
  return op->emitOpError() << "requires a " << what << " from 0 to "
                           << steps - 1 << ", but got " << step;
}

} // namespace

LogicalResult LoadCodesOp::verify() {
  if (failed(verifyWeightStage(*this, getWeights())))
    return failure();
  const BlockLayout layout = layoutOf(getWeights().getType());
  return verifyStep(*this, getPart(), layout.loads(), "part");
}

LogicalResult LoadScalesOp::verify() {
  if (failed(verifyWeightStage(*this, getWeights())))
    return failure();
  const BlockLayout layout = layoutOf(getWeights().getType());
  return verifyStep(*this, getPart(), layout.quadScaleBytes() / 4, "part");
}

/// A layout whose words have one row each, or two.
template <typename OpTy>
static LogicalResult verifyDecode(OpTy op, bool isOneRow) {
  auto block = dyn_cast<BlockType>(op.getBlock());
  if (!block)
    return op.emitOpError() << "requires a type !mxfp4.block that names the "
                               "layout of the codes, but got "
                            << op.getBlock();
  if ((block.getOrder() == CodeOrder::Bytes) != isOneRow)
    return op.emitOpError()
           << "requires a layout whose words hold codes of "
           << (isOneRow ? "one row" : "two rows") << ", but got " << block;
  return verifyStep(op, op.getStep(), 4, "step");
}

LogicalResult DecodeOp::verify() {
  return verifyDecode(*this, /*isOneRow=*/false);
}

LogicalResult DecodeRowOp::verify() {
  return verifyDecode(*this, /*isOneRow=*/true);
}

LogicalResult LoadActivationsOp::verify() {
  if (failed(verifyActivationStage(*this, getActivations())))
    return failure();
  return verifyStep(*this, getSlice(), 2, "slice");
}

bool mxfp4::hasStageRows(MemRefType type,
                         NumberType InstructionTraits::*operand) {
  return llvm::any_of(instructions(), [&](const InstructionTraits &traits) {
    const NumberType numbers = traits.*operand;
    return numberTypeOf(type.getElementType()) == numbers &&
           type.getShape().back() == 8 * kRowBytes / bits(numbers);
  });
}

const InstructionTraits &MmaOp::getTraits() {
  const auto numbers = [](Value value) {
    return *numberTypeOf(getElementTypeOrSelf(value));
  };
  return *findInstruction(Emitter::Mma, numbers(getA0()), numbers(getB0()),
                          numbers(getC()));
}

Type mxfp4::registerOf(Type tile) {
  Type element = getElementTypeOrSelf(tile);
  const bool isBytes = isa<Float8E5M2Type>(element);
  return VectorType::get({isBytes ? 4 : 2},
                         isBytes ? element
                                 : BFloat16Type::get(tile.getContext()));
}

LogicalResult StoreDecodedOp::verify() {
  if (failed(verifyDecodedTile(*this, getTile())))
    return failure();
  const int64_t rows = cast<MemRefType>(getTile().getType()).getDimSize(0);
  // One behind another, of the rows that a warpgroup has.
  const uint64_t blocks = llvm::divideCeil(rows, 16 * kWarpgroupWarps);
  if (getBuffer() >= blocks)
    return emitOpError() << "requires a buffer inside the tile of " << rows
                         << " rows, but got " << getBuffer();
  return verifyStep(*this, getStep(), 4, "step");
}

LogicalResult LoadDecodedOp::verify() {
  if (failed(verifyDecodedTile(*this, getTile())))
    return failure();
  // What wgmma multiplies, it reads from shared memory by itself.
  if (!getElementTypeOrSelf(getTile()).isBF16())
    return emitOpError() << "requires a tile of bf16, which mxfp4.mma "
                            "multiplies, but got "
                         << getTile().getType();
  return verifyStep(*this, getStep(), 4, "step");
}
