//===- MXFP4RoleOps.cpp - Warp roles, and the rings between them ----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Buffers.h"

#include "mxfp4/IR/MXFP4.h"

using namespace mlir;
using namespace mxfp4;

//===----------------------------------------------------------------------===//
// Warp roles
//===----------------------------------------------------------------------===//

SmallVector<RoleOp> WarpRolesOp::getOrderedRoles() {
  return SmallVector<RoleOp>(getRoles().getOps<RoleOp>());
}

int64_t WarpRolesOp::countWarps() {
  int64_t warps = 0;
  for (RoleOp role : getRoles().getOps<RoleOp>())
    warps += role.getWarps();
  return warps;
}

LogicalResult WarpRolesOp::verify() {
  for (Operation &op : getRoles().front())
    if (!isa<RoleOp>(op))
      return op.emitOpError("has no place in mxfp4.warp_roles, which holds "
                            "mxfp4.role only");
  if (getOrderedRoles().size() < 2)
    return emitOpError() << "requires at least two roles, but has "
                         << getOrderedRoles().size();
  return success();
}

LogicalResult RoleOp::verify() {
  if (getBody().getNumArguments() != 1 || !getWarp().getType().isIndex())
    return emitOpError() << "requires a body that takes the number of the warp "
                            "within the role (index), but got ("
                         << getBody().getArgumentTypes() << ")";
  if (getWarps() < 1 || getWarps() > 32)
    return emitOpError() << "requires 1 to 32 warps, but has " << getWarps();
  const int64_t registers = getRegisters().value_or(24);
  if (registers < 24 || registers > 256 || registers % 8 != 0)
    return emitOpError() << "requires a multiple of 8 from 24 to 256 registers "
                            "per thread, but has "
                         << registers;
  return success();
}

void RoleOp::getAsmBlockArgumentNames(Region &, OpAsmSetValueNameFn setName) {
  setName(getWarp(), "warp");
}

//===----------------------------------------------------------------------===//
// Rings
//===----------------------------------------------------------------------===//

LogicalResult RingType::verify(function_ref<InFlightDiagnostic()> emitError,
                               int64_t slots, bool) {
  if (slots < 2 || slots > 64)
    return emitError() << "requires 2 to 64 slots, but got " << slots;
  return success();
}

LogicalResult CursorType::verify(function_ref<InFlightDiagnostic()> emitError,
                                 int64_t slots, int64_t step) {
  if (slots < 2 || slots > 64)
    return emitError() << "requires 2 to 64 slots, but got " << slots;
  if (step < 1 || slots % step != 0)
    return emitError() << "requires a step that divides its " << slots
                       << " slots, but got " << step;
  return success();
}

LogicalResult CreateRingOp::verify() {
  for (Value barriers : {getFull(), getEmpty()})
    if (!isSharedBuffer(barriers.getType()) ||
        cast<MemRefType>(barriers.getType()).getDimSize(0) !=
            getRing().getType().getSlots())
      return emitOpError() << "requires a barrier in shared memory for each of "
                              "its "
                           << getRing().getType().getSlots()
                           << " slots, but got " << barriers.getType();
  // The arrival count of a barrier has 20 bits.
  for (int64_t count : {getFills(), getReleases()})
    if (count < 1 || count >= (1 << 20))
      return emitOpError()
             << "requires counts of at least 1, and at most 1048575, but got "
             << count;
  return success();
}

template <typename Op>
static LogicalResult verifySlice(Op op, CursorType type) {
  if (static_cast<bool>(op.getSlice()) == (type.getStep() > 1))
    return success();
  return op.emitOpError()
         << "requires the number of a K slice if the cursor goes "
            "on by several slots, and none otherwise, but has "
         << (op.getSlice() ? "one" : "none") << " with " << type;
}

LogicalResult RingStartOp::verify() {
  return verifySlice(*this, getCursor().getType());
}

LogicalResult RingNextOp::verify() {
  return verifySlice(*this, getCursor().getType());
}

template <typename Op> static LogicalResult verifyAccess(Op op) {
  if (op.getRing().getType().getSlots() == op.getCursor().getType().getSlots())
    return success();
  return op.emitOpError() << "requires a cursor of its ring, but got "
                          << op.getCursor().getType() << " in "
                          << op.getRing().getType();
}

LogicalResult RingAcquireOp::verify() { return verifyAccess(*this); }
LogicalResult RingFillOp::verify() { return verifyAccess(*this); }
LogicalResult RingWaitOp::verify() { return verifyAccess(*this); }
LogicalResult RingReleaseOp::verify() { return verifyAccess(*this); }
