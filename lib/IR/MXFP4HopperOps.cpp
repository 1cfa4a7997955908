//===- MXFP4HopperOps.cpp - Asynchronous copies and wgmma -----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Buffers.h"

#include "mxfp4/IR/MXFP4.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"

using namespace mlir;
using namespace mxfp4;

static LogicalResult verifyBarriers(Operation *op, Value value) {
  if (isSharedBuffer(value.getType()))
    return success();
  return op->emitOpError() << "requires a static number of barriers in shared "
                              "memory, but got "
                           << value.getType();
}

LogicalResult MakeTensorMapOp::verify() {
  auto type = cast<MemRefType>(getSource().getType());
  if (type.getRank() == 2 && type.getLayout().isIdentity() &&
      isActivation(type.getElementType()) &&
      !ShapedType::isDynamic(type.getDimSize(1)) &&
      type.getDimSize(1) % 32 == 0)
    return success();
  return emitOpError() << "requires a contiguous source of shape RxK, K a "
                          "static multiple of 32, and element type bf16 or "
                          "f8E4M3FN, but got "
                       << type;
}

LogicalResult InitBarriersOp::verify() {
  // The arrival count of a barrier has 20 bits.
  if (getCount() < 1 || getCount() >= (1 << 20))
    return emitOpError()
           << "requires a count of at least 1, and at most 1048575, but got "
           << getCount();
  return verifyBarriers(*this, getBarriers());
}

LogicalResult WaitBarrierOp::verify() {
  return verifyBarriers(*this, getBarriers());
}

LogicalResult ArriveBarrierOp::verify() {
  return verifyBarriers(*this, getBarriers());
}

LogicalResult ExpectBytesOp::verify() {
  return verifyBarriers(*this, getBarriers());
}

LogicalResult BulkCopyWeightsOp::verify() {
  auto source = cast<MemRefType>(getSource().getType());
  auto destination = cast<MemRefType>(getDestination().getType());
  if (source.getRank() != 3 || destination.getRank() != 2 ||
      !isa<BlockType>(source.getElementType()) ||
      source.getElementType() != destination.getElementType() ||
      isShared(source) || !isShared(destination) ||
      !source.getLayout().isIdentity() ||
      !destination.getLayout().isIdentity() ||
      llvm::any_of(source.getShape().drop_front(), ShapedType::isDynamic) ||
      !destination.hasStaticShape())
    return emitOpError() << "requires blocks ExN/64xK/64 in global memory and "
                            "stages x blocks of the same layout in shared "
                            "memory, but got "
                         << source << " and " << destination;
  if (static_cast<bool>(getPart()) != getParts().has_value() ||
      getParts().value_or(1) < 1)
    return emitOpError()
           << "requires the number of a part and a positive number of "
              "parts together, but has "
           << (getPart() ? "a number" : "no number") << " and "
           << getParts().value_or(0) << " parts";
  return verifyBarriers(*this, getBarriers());
}

LogicalResult PrefetchWeightsOp::verify() {
  auto source = cast<MemRefType>(getSource().getType());
  if (source.getRank() != 3 || !isa<BlockType>(source.getElementType()) ||
      isShared(source) || !source.getLayout().isIdentity() ||
      llvm::any_of(source.getShape().drop_front(), ShapedType::isDynamic))
    return emitOpError() << "requires blocks ExN/64xK/64 in global memory, but "
                            "got "
                         << source;
  const auto begin = static_cast<int64_t>(getStep()),
             count = static_cast<int64_t>(getSteps());
  if (begin < 0 || count < 1 || begin + count > source.getDimSize(2))
    return emitOpError() << "requires one step or more of "
                         << source.getDimSize(2) << ", but got " << count
                         << " from " << begin << " on";
  return success();
}

LogicalResult TensorCopyActivationsOp::verify() {
  auto destination = cast<MemRefType>(getDestination().getType());
  if (destination.getRank() != 3 || !isShared(destination) ||
      !destination.getLayout().isIdentity() || !destination.hasStaticShape() ||
      !getMap().getType().fits(destination.getDimSize(1)) ||
      !hasStageRows(destination, &InstructionTraits::typeOfB))
    return emitOpError() << "requires staged activations of shape stages x "
                         << getMap().getType().getRows()
                         << " x 64 bf16 or x 128 f8E4M3FN in shared memory, or "
                            "of less height in steps of "
                         << getMap().getType().getBoxStep()
                         << ", as its tensor map says, but got " << destination;
  return verifyBarriers(*this, getBarriers());
}

LogicalResult ReduceSlicesOp::verify() {
  auto buffer = cast<MemRefType>(getBuffer().getType());
  VectorType sums = getAccumulator().getType();
  // A barrier of the CTA for each slice but the first, and 16 in all.
  if (getSlices() < 2 || getSlices() > 15)
    return emitOpError() << "requires 2 to 15 slices, but got " << getSlices();
  const int64_t others = int64_t(getSlices()) - 1,
                elements = sums.getNumElements();
  // Two named barriers for each slice with a buffer of its own.
  constexpr int64_t kMostBuffers = 7;
  const bool mayOwn = others > 1 && others <= kMostBuffers;
  if (buffer.getRank() == 2 && buffer.hasStaticShape() && isShared(buffer) &&
      buffer.getLayout().isIdentity() && buffer.getElementType().isF32() &&
      (buffer.getDimSize(0) == elements ||
       (mayOwn && buffer.getDimSize(0) == others * elements)) &&
      buffer.getDimSize(1) % 32 == 0 && sums.getDimSize(2) == 4)
    return success();
  InFlightDiagnostic error = emitOpError();
  error << "requires a buffer of " << elements;
  if (mayOwn)
    error << " or " << others * elements;
  return error << " f32 for each thread of a slice in shared memory, but got "
               << buffer;
}

const InstructionTraits *WgmmaOp::findTraits() {
  const auto numbers = [](Value value) {
    return numberTypeOf(getElementTypeOrSelf(value));
  };
  std::optional<NumberType> a, b = numbers(getActivations());
  if (getDecoded())
    a = numbers(getDecoded());
  else if (!getFragments().empty())
    a = numbers(getFragments()[0]);
  return b ? findInstruction(Emitter::Wgmma, a, *b, NumberType::F32) : nullptr;
}

int64_t WgmmaOp::getStepCount() {
  const InstructionTraits &traits = getTraits();
  return getDecoded() ? traits.tileK() / traits.k
                      : static_cast<int64_t>(getFragments().size()) /
                            traits.registersOfA();
}

LogicalResult WgmmaOp::verify() {
  const InstructionTraits *found = findTraits();
  auto stage = cast<MemRefType>(getActivations().getType());
  VectorType sums = getAccumulator().getType();
  if (!found || stage.getRank() != 3 || !isShared(stage) ||
      !stage.getLayout().isIdentity() || !stage.hasStaticShape() ||
      stage.getDimSize(2) != found->tileK() || sums.getDimSize(1) != 4 ||
      8 * sums.getDimSize(0) != stage.getDimSize(1))
    return emitOpError() << "requires staged activations of N tokens by 64 "
                            "bf16 or by 128 f8E4M3FN and an accumulator of "
                            "shape N/8x4, but got "
                         << stage << " and " << sums;
  const InstructionTraits &traits = *found;
  const int64_t columns = getColumns();
  const int64_t most =
      std::min<int64_t>(sums.getDimSize(0), traits.nMax / traits.nStep);
  if (columns < 1 || columns > most)
    return emitOpError() << "requires 1 to " << most << " columns, but got "
                         << columns;
  const uint64_t each = traits.registersOfA(),
                 steps = traits.tileK() / traits.k;
  const uint64_t registers = getFragments().size(), first = getFirstStep();
  // The registers of all steps, or of some that follow each other.
  if (getDecoded()
          ? registers != 0
          : registers % each != 0 || registers == 0 || registers > each * steps)
    return emitOpError() << "requires " << each * steps
                         << " registers of fragments, " << each
                         << " for each step, or none and a decoded "
                            "tile, but got "
                         << registers << (getDecoded() ? " and a tile" : "");
  if (first >= steps || first + getStepCount() > steps)
    return emitOpError() << "requires steps of the " << steps
                         << " that a stage has, but got " << getStepCount()
                         << " from step " << first << " on";
  if (static_cast<bool>(getDecoded()) != static_cast<bool>(getBlock()))
    return emitOpError("requires a decoded tile and the number of a block "
                       "together");
  if (getDecoded()) {
    auto tile = cast<MemRefType>(getDecoded().getType());
    if (tile.getRank() != 2 || !isShared(tile) || !tile.hasStaticShape() ||
        !tile.getLayout().isIdentity() || tile.getDimSize(0) % traits.m != 0 ||
        !hasStageRows(tile, &InstructionTraits::typeOfA))
      return emitOpError() << "requires a decoded tile of whole 64 x 64 blocks "
                              "of bf16, or 64 x 128 of f8E5M2, in shared "
                              "memory, but got "
                           << tile;
    const uint64_t blocks = tile.getDimSize(0) / traits.m;
    if (getBuffer() >= blocks)
      return emitOpError() << "requires a buffer inside the tile of " << blocks
                           << " blocks, but got " << getBuffer();
  }
  if (getBuffer() != 0 && !getDecoded())
    return emitOpError("requires a decoded tile to name a buffer of it");
  if (static_cast<bool>(getTokens()) != getTokenStep().has_value())
    return emitOpError("requires token_step with tokens, and only with them");
  if (std::optional<uint64_t> step = getTokenStep())
    if (*step % 8 != 0 || *step == 0 || 8 * columns % *step != 0)
      return emitOpError() << "requires a token_step that is a multiple of 8 "
                              "and divides the "
                           << 8 * columns << " tokens, but got " << *step;
  return success();
}
