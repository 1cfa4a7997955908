//===- MXFP4BringOps.cpp - Rows brought into order ------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Buffers.h"

#include "mxfp4/Core/RowCounters.h"
#include "mxfp4/IR/MXFP4.h"

using namespace mlir;
using namespace mxfp4;

/// Rows of static length in global memory.
static bool areGlobalRows(MemRefType type) {
  return type.getRank() == 2 && type.getLayout().isIdentity() &&
         !isShared(type) && !type.isDynamicDim(1);
}

/// Rows in global memory, and a few in shared memory of the same length.
template <typename Op>
static LogicalResult verifyRows(Op op, Value global, Value buffer) {
  auto rows = cast<MemRefType>(global.getType());
  auto few = cast<MemRefType>(buffer.getType());
  const unsigned bits =
      rows.getElementType().isIntOrFloat() ? rows.getElementTypeBitWidth() : 0;
  if (areGlobalRows(rows) && few.getRank() == 2 && isSharedBuffer(few) &&
      few.getDimSize(0) >= 1 && few.getElementType() == rows.getElementType() &&
      few.getDimSize(1) == rows.getDimSize(1) && bits != 0 &&
      rows.getDimSize(1) * bits % 128 == 0)
    return success();
  return op.emitOpError()
         << "requires rows of a multiple of 16 bytes in global "
            "memory and rows of the same length and type, at least one, in "
            "shared memory, but got "
         << rows << " and " << few;
}

template <typename Op>
static LogicalResult verifyBarrier(Op op, Value barrier) {
  auto type = cast<MemRefType>(barrier.getType());
  if (isSharedBuffer(type) && type.getDimSize(0) == 1)
    return success();
  return op.emitOpError() << "requires one barrier in shared memory, but got "
                          << type;
}

static LogicalResult verifyCounters(Operation *op, Value counters) {
  if (isGlobalWords(counters, RowCounters::kWords))
    return success();
  return op->emitOpError() << "requires counters of shape "
                           << RowCounters::kWords
                           << " and element type i32 in global memory, but got "
                           << counters.getType();
}

LogicalResult BringRowsOp::verify() {
  auto source = cast<MemRefType>(getSource().getType());
  if (!areGlobalRows(source) ||
      source.getElementType() !=
          cast<MemRefType>(getDestination().getType()).getElementType())
    return emitOpError() << "requires to bring rows of the destination's type, "
                            "but got "
                         << source << " and " << getDestination().getType();
  for (Value words : {getMap(), getOffsets()})
    if (!isGlobalWords(words))
      return emitOpError() << "requires a map and offsets of i32 in global "
                              "memory, but got "
                           << words.getType();
  if (auto type = cast<MemRefType>(getOffsets().getType());
      !type.hasStaticShape() || type.getDimSize(0) < 2)
    return emitOpError() << "requires offsets of a static number of groups, at "
                            "least one, but got "
                         << type;
  if (failed(verifyRows(*this, getSource(), getBuffer())) ||
      failed(verifyRows(*this, getDestination(), getBuffer())) ||
      failed(verifyBarrier(*this, getBarrier())) ||
      failed(verifyCounters(*this, getWorkspace())) ||
      failed(verifyErrorWord(*this, getError())))
    return failure();
  // Rows that are claimed together lie in one block.
  const int64_t together =
      cast<MemRefType>(getBuffer().getType()).getDimSize(0);
  if ((int64_t(1) << RowCounters::kLeastShift) % together != 0)
    return emitOpError() << "requires a buffer of rows that blocks of "
                         << (1 << RowCounters::kLeastShift)
                         << " rows consist of, but got " << together;
  return success();
}

static LogicalResult verifyAnyCounters(Operation *op, Value counters) {
  if (isGlobalWords(counters))
    return success();
  return op->emitOpError() << "requires counters of rank 1 and element type "
                              "i32 in global memory, but got "
                           << counters.getType();
}

LogicalResult WaitCountOp::verify() {
  return verifyAnyCounters(*this, getCounters());
}

LogicalResult RaiseCountOp::verify() {
  return verifyAnyCounters(*this, getCounters());
}

LogicalResult BulkCopyRowOp::verify() {
  if (failed(verifyRows(*this, getSource(), getBuffer())))
    return failure();
  return verifyBarrier(*this, getBarrier());
}

LogicalResult BulkStoreRowsOp::verify() {
  return verifyRows(*this, getDestination(), getBuffer());
}
