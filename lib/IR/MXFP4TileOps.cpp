//===- MXFP4TileOps.cpp - Operations on tiles ----------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Buffers.h"
#include "DestinationOps.h"

#include "mxfp4/IR/MXFP4.h"

using namespace mlir;
using namespace mxfp4;

namespace {

/// I x J x 4 for the warp tile of the schedule.
LogicalResult verifyAccumulator(Operation *op, Type accumulator,
                                ScheduleAttr attr) {
  Schedule schedule = attr.toSchedule();
  SmallVector<int64_t> expected = {
      schedule.slices(), schedule.warpTokens() / schedule.traits().nStep, 4};
  if (cast<VectorType>(accumulator).getShape() == ArrayRef(expected))
    return success();
  return op->emitOpError() << "requires an accumulator of shape " << expected[0]
                           << "x" << expected[1]
                           << "x4 for its schedule, but got " << accumulator;
}

} // namespace

LogicalResult CopyWeightsOp::verify() {
  auto source = cast<MemRefType>(getSource().getType());
  if (source.getRank() != 3 || !isPlain(source) || isShared(source) ||
      !isa<BlockType>(source.getElementType()))
    return emitOpError() << "requires a source of shape ExN/64xK/64, all but "
                            "the first static, and element type !mxfp4.block "
                            "in global memory, but got "
                         << source;
  if (failed(verifyWeightStage(*this, getDestination())))
    return failure();
  auto destination = cast<MemRefType>(getDestination().getType());
  if (source.getElementType() != destination.getElementType())
    return emitOpError() << "requires source and destination of one layout, "
                            "but copies "
                         << source.getElementType() << " to "
                         << destination.getElementType();
  return success();
}

LogicalResult CopyActivationsOp::verify() {
  if (auto map = dyn_cast<TensorMapType>(getSource().getType())) {
    if (failed(verifyActivationStage(*this, getDestination())))
      return failure();
    const auto tile = cast<MemRefType>(getDestination().getType());
    if (map.fits(tile.getDimSize(1)))
      return success();
    return emitOpError() << "requires a tensor map for tiles of "
                         << tile.getDimSize(1) << " tokens, but got " << map;
  }
  auto source = cast<MemRefType>(getSource().getType());
  if (source.getRank() != 2 || !isPlain(source) || isShared(source) ||
      !isActivation(source.getElementType()) || source.getDimSize(1) % 32 != 0)
    return emitOpError() << "requires a source of shape RxK, K a static "
                            "multiple of 32, and element type bf16 or f8E4M3FN "
                            "in global memory, but got "
                         << source;
  return verifyActivationStage(*this, getDestination());
}

/// Whether `elements` per thread, of `warps` warps (0: unknown), cover a tile
/// of `tokens` rows; a warp covers four rows per element.
static bool coversTile(int64_t elements, int64_t warps, int64_t tokens) {
  return warps == 0 || elements == (tokens + 4 * warps - 1) / (4 * warps);
}

/// A role's warp is one of the role's warps.
template <typename OpTy> static LogicalResult verifyWarps(OpTy op) {
  if (bool(op.getWarp()) != op.getWarps().has_value())
    return op.emitOpError("requires the number of the warp in its role and how "
                          "many warps that has, or neither");
  if (op.getWarps() && op.getSharingWarps() < 1)
    return op.emitOpError()
           << "requires at least one warp, but got " << op.getSharingWarps();
  return success();
}

LogicalResult LoadRowsOp::verify() {
  if (!isGlobalWords(getMap()))
    return emitOpError() << "requires a map of rank 1 and element type i32 in "
                            "global memory, but got "
                         << getMap().getType();
  if (failed(verifyErrorWord(*this, getError())))
    return failure();
  return verifyWarps(*this);
}

LogicalResult GatherActivationsOp::verify() {
  auto source = cast<MemRefType>(getSource().getType());
  if (source.getRank() != 2 || !isPlain(source) || isShared(source) ||
      !isActivation(source.getElementType()) || source.getDimSize(1) % 32 != 0)
    return emitOpError() << "requires a source of shape TxK, K a static "
                            "multiple of 32, and element type bf16 or f8E4M3FN "
                            "in global memory, but got "
                         << source;
  if (failed(verifyActivationStage(*this, getDestination())) ||
      failed(verifyWarps(*this)))
    return failure();
  const auto stage = cast<MemRefType>(getDestination().getType());
  const int64_t tokens = stage.getDimSize(1);
  const int64_t elements = getRows().getType().getDimSize(0);
  if (!coversTile(elements, getSharingWarps(), tokens))
    return emitOpError() << "requires one row for every four of the " << tokens
                         << " tokens that its warps share, but got " << elements
                         << " a thread";
  if (!getBarriers())
    return success();
  if (!getWarp())
    return emitOpError("requires the warps of a role to signal a barrier");
  const auto barriers = cast<MemRefType>(getBarriers().getType());
  if (!isPlain(barriers) || !isShared(barriers) ||
      barriers.getDimSize(0) != stage.getDimSize(0))
    return emitOpError() << "requires a barrier in shared memory for each of "
                         << stage.getDimSize(0) << " stages, but got "
                         << barriers;
  return success();
}

LogicalResult TileMatmulOp::verify() {
  if (failed(verifyWeightStage(*this, getWeights())) ||
      failed(verifyActivationStage(*this, getActivations())) ||
      failed(
          verifyAccumulator(*this, getAccumulator().getType(), getSchedule())))
    return failure();
  Schedule schedule = getSchedule().toSchedule();
  auto weights = cast<MemRefType>(getWeights().getType());
  auto activations = cast<MemRefType>(getActivations().getType());
  const int64_t blockRows = layoutOf(weights).rows;
  const int64_t blocks = schedule.tileRows / blockRows;
  // Of half a tile, stages are those of a whole one.
  if (schedule.tileRows % blockRows != 0 ||
      (weights.getDimSize(1) != blocks &&
       !(schedule.halfTiles && weights.getDimSize(1) == 2 * blocks)) ||
      activations.getDimSize(1) != schedule.tileTokens ||
      weights.getDimSize(0) != activations.getDimSize(0))
    return emitOpError() << "requires stages of the schedule's tile, "
                         << schedule.tileRows << " rows and "
                         << schedule.tileTokens << " tokens, but got "
                         << weights << " and " << activations;
  if (getAccumulation() && !schedule.traits().cutsSums())
    return emitOpError() << "requires an instruction that cuts its sums for an "
                            "accumulation, but got "
                         << schedule.traits().name;
  return success();
}

LogicalResult StoreTileOp::verify() {
  auto type = cast<MemRefType>(getDestination().getType());
  if (type.getRank() != 2 || !isPlain(type) || isShared(type) ||
      !isMatmulOutput(type.getElementType()))
    return emitOpError() << "requires a destination of shape RxN, N static, "
                            "and element type bf16, f32 or f8E4M3FN in global "
                            "memory, but got "
                         << type;
  const auto isPlainGlobal = [](Value operand) {
    auto buffer = cast<MemRefType>(operand.getType());
    return buffer.getLayout().isIdentity() && !isShared(buffer) &&
           (buffer.getRank() == 0 || isPlain(buffer));
  };
  for (Value operand : getEpilogueOperands())
    if (!isPlainGlobal(operand))
      return emitOpError() << "requires contiguous epilogue operands in global "
                              "memory, but got "
                           << operand.getType();
  const int64_t dynamic = ShapedType::kDynamic;
  if (failed(verifyEpilogueOperands(*this, getEpilogueOperands(), dynamic,
                                    dynamic, getN())))
    return failure();
  if (!getExpert() &&
      (getOrNone() || llvm::any_of(getEpilogueOperands(), [](Value operand) {
         return epilogueOperandOf(operand.getType()) ==
                EpilogueOperand::PerColumn;
       })))
    return emitOpError("requires the expert whose columns its epilogue has "
                       "values for");
  if (getScatter() && !isGlobalWords(getScatter()))
    return emitOpError() << "requires rows to scatter to of rank 1 and element "
                            "type i32 in global memory, but got "
                         << getScatter().getType();
  if (bool(getScatter()) != bool(getLimit()))
    return emitOpError("requires rows to scatter to and the number of rows of "
                       "the destination, or neither");
  if (getStored() && (!getExpert() || getOrNone() || getScatter()))
    return emitOpError("requires the expert, which is one, and no rows to "
                       "scatter to, to count what is stored");
  if (getStored() && !isGlobalWords(getStored()))
    return emitOpError() << "requires counts of rank 1 and element type i32 in "
                            "global memory, but got "
                         << getStored().getType();
  if (failed(verifyErrorWord(*this, getError())))
    return failure();
  return verifyAccumulator(*this, getAccumulator().getType(), getSchedule());
}

LogicalResult StoreTileOp::verifyRegions() {
  return verifyEpilogueRegion(*this, getEpilogue(), getEpilogueOperands());
}
