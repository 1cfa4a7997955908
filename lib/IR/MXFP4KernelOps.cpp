//===- MXFP4KernelOps.cpp - Operations on tiles and fragments -------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Buffers.h"
#include "DestinationOps.h"

#include "mxfp4/IR/MXFP4.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/IR/BuiltinOps.h"

using namespace mlir;
using namespace mxfp4;

namespace {

/// Contiguous, with all sizes but the first static: what kernels address.
bool isPlain(MemRefType type) {
  return type.getLayout().isIdentity() &&
         llvm::none_of(type.getShape().drop_front(), ShapedType::isDynamic);
}

/// i32 in global memory, which a kernel addresses by element; `size` of them
/// where that is known.
bool isWords(Value value, int64_t size = ShapedType::kDynamic) {
  auto type = cast<MemRefType>(value.getType());
  return type.getRank() == 1 && isPlain(type) && !isShared(type) &&
         type.getElementType().isInteger(32) &&
         (ShapedType::isDynamic(size) || type.getDimSize(0) == size);
}

/// S x B blocks in shared memory.
LogicalResult verifyWeightStage(Operation *op, Value value) {
  auto type = cast<MemRefType>(value.getType());
  if (type.getRank() == 2 && type.hasStaticShape() && isPlain(type) &&
      isShared(type) && isa<BlockType>(type.getElementType()))
    return success();
  return op->emitOpError() << "requires staged weights of static shape "
                              "stages x blocks and element type !mxfp4.block "
                              "in shared memory, but got "
                           << type;
}

/// S x T x K of a stage, of an instruction's B, in shared memory.
LogicalResult verifyActivationStage(Operation *op, Value value) {
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

LogicalResult LocateTileOp::verify() {
  auto table = cast<MemRefType>(getTable().getType());
  auto offsets = cast<MemRefType>(getOffsets().getType());
  if (table.getRank() != 1 || !table.hasStaticShape() || !isPlain(table) ||
      !isShared(table) || !table.getElementType().isInteger(32) ||
      offsets.getRank() != 1 || !isPlain(offsets) ||
      !offsets.getElementType().isInteger(32) || offsets.getDimSize(0) < 2 ||
      table.getDimSize(0) !=
          getSchedule().toSchedule().tableEntries(offsets.getDimSize(0) - 1))
    return emitOpError() << "requires a table in shared memory of the i32 that "
                            "its schedule asks for (G+2, or 2G+3 where full "
                            "tiles come first) and G+1 offsets, but got "
                         << table << " and " << offsets;
  const int64_t groups = offsets.getDimSize(0) - 1;
  if (getExpertIds() && !isWords(getExpertIds(), groups))
    return emitOpError() << "requires expert ids of shape " << groups
                         << " and element type i32 in global memory, but got "
                         << getExpertIds().getType();
  if (failed(verifyErrorWord(*this, getError())))
    return failure();
  if (getExperts() < 1 || getColumns() < 1)
    return emitOpError("requires at least one expert and one column of tiles");
  return success();
}

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
    return op.emitOpError("requires at least one warp");
  return success();
}

LogicalResult LoadRowsOp::verify() {
  if (!isWords(getMap()))
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
  if (schedule.tileRows % blockRows != 0 ||
      weights.getDimSize(1) != schedule.tileRows / blockRows ||
      activations.getDimSize(1) != schedule.tileTokens ||
      weights.getDimSize(0) != activations.getDimSize(0))
    return emitOpError() << "requires stages of the schedule's tile, "
                         << schedule.tileRows << " rows and "
                         << schedule.tileTokens << " tokens, but got "
                         << weights << " and " << activations;
  if (getAccumulation() && !schedule.traits().cutsSums())
    return emitOpError("requires an instruction that cuts its sums for an "
                       "accumulation");
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
  if (getScatter() && !isWords(getScatter()))
    return emitOpError() << "requires rows to scatter to of rank 1 and element "
                            "type i32 in global memory, but got "
                         << getScatter().getType();
  if (bool(getScatter()) != bool(getLimit()))
    return emitOpError("requires rows to scatter to and the number of rows of "
                       "the destination, or neither");
  if (failed(verifyErrorWord(*this, getError())))
    return failure();
  return verifyAccumulator(*this, getAccumulator().getType(), getSchedule());
}

LogicalResult StoreTileOp::verifyRegions() {
  return verifyEpilogueRegion(*this, getEpilogue(), getEpilogueOperands());
}

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
