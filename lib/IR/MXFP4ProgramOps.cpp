//===- MXFP4ProgramOps.cpp - The tiles of a kernel ------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Buffers.h"

#include "mxfp4/Core/RowCounters.h"
#include "mxfp4/IR/MXFP4.h"

#include "mlir/IR/Builders.h"

#include <limits>

using namespace mlir;
using namespace mxfp4;

/// Of a kernel: rows and groups are counted in i32. The bound also keeps what
/// verifiers compute of sizes within 64 bits.
constexpr int64_t kMostGroups = std::numeric_limits<int32_t>::max();

void YieldOp::build(OpBuilder &, OperationState &) {}

LogicalResult SharedBufferOp::verify() {
  if (!isSharedBuffer(getBuffer().getType()))
    return emitOpError() << "requires a contiguous buffer of static shape in "
                            "shared memory, but got "
                         << getBuffer().getType();
  return success();
}

//===----------------------------------------------------------------------===//
// Tiles
//===----------------------------------------------------------------------===//

/// The table of tiles of a schedule, for as many groups as there are offsets.
static LogicalResult verifyTable(Operation *op, Value table, Value offsets,
                                 ScheduleAttr schedule) {
  auto type = cast<MemRefType>(table.getType());
  auto bounds = cast<MemRefType>(offsets.getType());
  if (bounds.getRank() == 1 && bounds.getDimSize(0) >= 2 &&
      bounds.getDimSize(0) <= kMostGroups &&
      isGlobalWords(offsets, bounds.getDimSize(0)) && type.getRank() == 1 &&
      isSharedBuffer(type) && type.getElementType().isInteger(32) &&
      type.getDimSize(0) ==
          schedule.toSchedule().tableEntries(bounds.getDimSize(0) - 1))
    return success();
  return op->emitOpError()
         << "requires a table in shared memory of the i32 that its schedule "
            "asks for (G+2, or 2G+3 where full tiles come first) and G+1 "
            "offsets in global memory, but got "
         << type << " and " << bounds;
}

template <typename Op> static LogicalResult verifyTileSource(Op op) {
  if (failed(verifyTable(op, op.getTable(), op.getOffsets(), op.getSchedule())))
    return failure();
  const int64_t groups =
      cast<MemRefType>(op.getOffsets().getType()).getDimSize(0) - 1;
  if (op.getExpertIds() && !isGlobalWords(op.getExpertIds(), groups))
    return op.emitOpError() << "requires expert ids of shape " << groups
                            << " and element type i32 in global memory, but "
                               "got "
                            << op.getExpertIds().getType();
  if (op.getExperts() < 1 || op.getColumns() < 1)
    return op.emitOpError()
           << "requires at least one expert and one column of tiles, but got "
           << op.getExperts() << " and " << op.getColumns();
  return verifyErrorWord(op, op.getError());
}

LogicalResult LocateTileOp::verify() { return verifyTileSource(*this); }

/// The body takes a tile and what the loop carries, and yields the latter.
template <typename Op> static LogicalResult verifyTileBody(Op op) {
  SmallVector<Type> expected(Op::kTileArguments,
                             IndexType::get(op.getContext()));
  llvm::append_range(expected, op.getInits().getTypes());
  if (op.getBody().getArgumentTypes() != ArrayRef(expected))
    return op.emitOpError()
           << "requires a body that takes a tile (four indices) "
              "and the values that the loop carries ("
           << TypeRange(expected) << "), but got ("
           << op.getBody().getArgumentTypes() << ")";
  if (op.getYield()->getOperandTypes() != op.getInits().getTypes() ||
      op.getResultTypes() != op.getInits().getTypes())
    return op.emitOpError()
           << "requires a body that yields the values that the "
              "loop carries, which are its results ("
           << op.getInits().getTypes() << "), but yields ("
           << op.getYield()->getOperandTypes() << ") for results ("
           << op.getResultTypes() << ")";
  return success();
}

template <typename Op>
static void nameTileArguments(Op op, OpAsmSetValueNameFn setName) {
  static constexpr StringLiteral kNames[] = {"expert", "row", "rows", "column"};
  for (auto [argument, name] :
       llvm::zip(op.getBody().getArguments(), ArrayRef(kNames)))
    setName(argument, name);
  for (Value carried : op.getCarried())
    setName(carried, "at");
}

LogicalResult BuildTileTableOp::verify() {
  if (failed(verifyTable(*this, getTable(), getOffsets(), getSchedule())))
    return failure();
  return verifyErrorWord(*this, getError());
}

LogicalResult TileCountOp::verify() {
  auto type = cast<MemRefType>(getTable().getType());
  const int64_t groups = getGroups();
  if (!isSharedBuffer(type) || type.getRank() != 1 ||
      !type.getElementType().isInteger(32) || groups < 1 ||
      groups > kMostGroups ||
      (type.getDimSize(0) != groups + 2 &&
       type.getDimSize(0) != 2 * groups + 3) ||
      getColumns() < 1)
    return emitOpError() << "requires a table of its " << groups
                         << " groups in shared memory and a positive number "
                            "of columns, but got "
                         << type << " and " << getColumns();
  return success();
}

LogicalResult ForTilesOp::verify() {
  if (failed(verifyTileSource(*this)))
    return failure();
  return verifyTileBody(*this);
}

void ForTilesOp::getAsmBlockArgumentNames(Region &,
                                          OpAsmSetValueNameFn setName) {
  nameTileArguments(*this, setName);
}

/// A queue of tiles: four i32 for each slot of the ring.
static LogicalResult verifyQueue(Operation *op, RingType ring, Type fields) {
  auto type = cast<MemRefType>(fields);
  if (isSharedBuffer(type) && type.getElementType().isInteger(32) &&
      type.getShape() == ArrayRef<int64_t>{ring.getSlots(), 4})
    return success();
  return op->emitOpError() << "requires a queue of " << ring.getSlots()
                           << " x 4 i32 in shared memory, as its ring has "
                              "slots, but got "
                           << type;
}

LogicalResult TakeTilesOp::verify() {
  if (failed(verifyQueue(*this, getQueue().getType(), getFields().getType())))
    return failure();
  return verifyTileBody(*this);
}

void TakeTilesOp::getAsmBlockArgumentNames(Region &,
                                           OpAsmSetValueNameFn setName) {
  nameTileArguments(*this, setName);
}

LogicalResult HandOutTilesOp::verify() {
  if (failed(verifyTileSource(*this)) ||
      failed(verifyQueue(*this, getQueue().getType(), getFields().getType())))
    return failure();
  const int64_t words = getRows() ? RowCounters::kWords : 2;
  if (getRows() && !getCounter())
    return emitOpError("requires a counter to wait for rows");
  if (getCounter() && !isGlobalWords(getCounter(), words) &&
      !isGlobalWords(getCounter(), RowCounters::kWords))
    return emitOpError() << "requires a counter of shape " << words
                         << " and element type i32 in global memory, but got "
                         << getCounter().getType();
  if (bool(getAwaited()) != bool(getAwaitedColumns()) ||
      (getAwaited() &&
       (getExpertIds() || getRows() || getSchedule().toSchedule().copiesAhead)))
    return emitOpError("requires counts to wait for with a number of columns, "
                       "and then neither expert ids, rows that are brought nor "
                       "a schedule with copies_ahead");
  if (bool(getStored()) != bool(getStoredColumns()) ||
      bool(getStored()) != bool(getTileColumns()) ||
      (getStored() && getExpertIds()))
    return emitOpError("requires counts of what is stored with columns of the "
                       "output and of a tile, and then no expert ids");
  const int64_t groups =
      cast<MemRefType>(getOffsets().getType()).getDimSize(0) - 1;
  for (Value counts : {getAwaited(), getStored()}) {
    if (!counts || isGlobalWords(counts, groups) ||
        (isGlobalWords(counts) &&
         cast<MemRefType>(counts.getType()).isDynamicDim(0)))
      continue;
    return emitOpError() << "requires counts of its " << groups
                         << " groups, of rank 1 and element type i32 in global "
                            "memory, but got "
                         << counts.getType();
  }
  return success();
}

/// The first tile of a CTA is found by one warp, which looks at all groups.
template <typename Op> static LogicalResult verifyFirst(Op op) {
  const Schedule schedule = op.getSchedule().toSchedule();
  // With copies_ahead the next number would come from a counter that the kernel
  // ahead may still use.
  if (schedule.fullTilesFirst || schedule.wideFrom != 0 || schedule.copiesAhead)
    return op.emitOpError() << "requires a schedule without full_tiles_first, "
                               "wide_from and copies_ahead, but got "
                            << op.getSchedule();
  const int64_t groups =
      cast<MemRefType>(op.getOffsets().getType()).getDimSize(0) - 1;
  if (schedule.halfTiles && groups > Schedule::kMostGroupsOfHalves)
    return op.emitOpError()
           << "requires at most " << Schedule::kMostGroupsOfHalves
           << " groups for half_tiles, but has " << groups;
  if (op.getColumns() < 1)
    return op.emitOpError() << "requires at least one column of tiles, but got "
                            << op.getColumns();
  return success();
}

LogicalResult HandOutFirstOp::verify() {
  if (failed(verifyTable(*this, getTable(), getOffsets(), getSchedule())) ||
      failed(verifyQueue(*this, getQueue().getType(), getFields().getType())))
    return failure();
  return verifyFirst(*this);
}

LogicalResult GuessFirstOp::verify() {
  auto type = cast<MemRefType>(getOffsets().getType());
  if (!isGlobalWords(getOffsets()) || type.isDynamicDim(0) ||
      type.getDimSize(0) < 2 || type.getDimSize(0) > maxGroups() + 1)
    return emitOpError() << "requires offsets of 1 to " << maxGroups()
                         << " groups, of element type i32 in global memory, "
                            "but got "
                         << type;
  return verifyFirst(*this);
}

LogicalResult LoadEarlyOp::verify() {
  if (isGlobalWords(getSource()))
    return success();
  return emitOpError() << "requires words of rank 1 and element type i32 in "
                          "global memory, but got "
                       << getSource().getType();
}
