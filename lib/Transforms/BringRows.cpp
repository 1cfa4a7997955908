//===- BringRows.cpp - A warp brings rows into the order of groups --------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KernelBuilding.h"
#include "KernelRemarks.h"

#include "mxfp4/Core/Resources.h"
#include "mxfp4/IR/KernelSignature.h"
#include "mxfp4/IR/MXFP4.h"
#include "mxfp4/Transforms/Passes.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "llvm/Support/FormatVariadic.h"

namespace mxfp4 {
#define GEN_PASS_DEF_BRINGROWS
#include "mxfp4/Transforms/Passes.h.inc"
} // namespace mxfp4

using namespace mlir;
using namespace mxfp4;

static constexpr StringLiteral kBringRows = "mxfp4-bring-rows";

/// The barrier of the warp's copies, set up with the rings of the kernel.
static Value createBarrier(gpu::GPUFuncOp kernel) {
  ImplicitLocOpBuilder b(kernel.getLoc(), kernel.getContext());
  Value barrier = kernel.addWorkgroupAttribution(
      sharedType({1}, b.getI64Type()), b.getLoc());
  CreateRingOp last;
  kernel.walk([&](CreateRingOp op) { last = op; });
  b.setInsertionPointAfter(last);
  InitBarriersOp::create(b, barrier, 1);
  return barrier;
}

/// Where the rows are brought: in a role of their own or, where short groups
/// have a program, by the warp that hands out its tiles, before it does. The
/// producer has no other warp then, and the other program has most tiles.
static void placeBringing(ImplicitLocOpBuilder &b, HandOutTilesOp tiles) {
  if (tiles.getSchedule().toSchedule().isShort())
    return b.setInsertionPoint(tiles);
  auto roles = tiles->getParentOfType<WarpRolesOp>();
  b.setInsertionPointToEnd(&roles.getRoles().front());
  auto role = RoleOp::create(b, "bring", /*warps=*/1, IntegerAttr(),
                             /*one_thread=*/true);
  Block &body = role.getBody().emplaceBlock();
  body.addArgument(b.getIndexType(), b.getLoc());
  b.setInsertionPointToStart(&body);
  b.setInsertionPoint(YieldOp::create(b));
}

/// Adds what brings rows to a program whose tiles wait for them then.
static void addBringing(gpu::GPUFuncOp kernel, HandOutTilesOp tiles,
                        BuildTileTableOp table, Value barrier) {
  const Schedule schedule = tiles.getSchedule().toSchedule();
  Value source = findArgument(kernel, "x"),
        weights = findArgument(kernel, "weights");
  auto rowType = cast<MemRefType>(source.getType());
  const int64_t row = rowType.getDimSize(1) * rowType.getElementTypeBitWidth();
  const SharedRegion region =
      SharedMemoryMap(schedule, layoutOf(weights.getType())).rows;
  auto roles = tiles->getParentOfType<WarpRolesOp>();
  ImplicitLocOpBuilder b(tiles.getLoc(), roles);
  Value buffer =
      sharedBuffer(b, {region.bytes * 8 / row, rowType.getDimSize(1)},
                   rowType.getElementType(), region.offset);
  placeBringing(b, tiles);
  BringRowsOp::create(b, source, findArgument(kernel, "gather"),
                      findArgument(kernel, "x_rows"), table.getRows(),
                      tiles.getOffsets(), findArgument(kernel, "through"),
                      tiles.getCounter(), buffer, barrier, tiles.getError());
  passedOn(tiles, kBringRows, "rows", [&] {
    return llvm::formatv("one warp brings rows into order, {0} at a time, and "
                         "tiles wait for theirs",
                         region.bytes * 8 / row)
        .str();
  });
}

/// Whether one of the programs of these roles is that of short groups.
static bool hasShortProgram(WarpRolesOp roles) {
  bool found = false;
  roles.walk([&](HandOutTilesOp tiles) {
    found |= tiles.getSchedule().toSchedule().isShort();
  });
  return found;
}

namespace {

struct BringRowsPass : mxfp4::impl::BringRowsBase<BringRowsPass> {
  using BringRowsBase::BringRowsBase;

  void runOnOperation() override {
    SmallVector<HandOutTilesOp> programs;
    getOperation()->walk([&](HandOutTilesOp op) { programs.push_back(op); });
    // A launch takes tiles of one kind or those beside short groups, so that a
    // barrier is enough for both.
    DenseMap<gpu::GPUFuncOp, Value> barriers;
    for (HandOutTilesOp tiles : programs) {
      auto kernel = tiles->getParentOfType<gpu::GPUFuncOp>();
      if (!kernel || !findArgument(kernel, "through_maps"))
        continue;
      BuildTileTableOp table;
      kernel.walk([&](BuildTileTableOp op) { table = op; });
      if (!table || !tiles.getCounter() ||
          tiles.getSchedule().toSchedule().bringBytes == 0) {
        tiles.emitOpError("requires a table of tiles, a workspace and a "
                          "schedule with bring_bytes to bring rows");
        return signalPassFailure();
      }
      tiles.getRowsMutable().assign(table.getRows());
      const Schedule schedule = tiles.getSchedule().toSchedule();
      if (schedule.isBeside()) {
        if (!hasShortProgram(tiles->getParentOfType<WarpRolesOp>())) {
          tiles.emitOpError("requires the program of short groups in its "
                            "mxfp4.warp_roles, which brings rows for both");
          return signalPassFailure();
        }
        continue;
      }
      Value &barrier = barriers[kernel];
      if (!barrier || schedule.shortTo == 0)
        barrier = createBarrier(kernel);
      addBringing(kernel, tiles, table, barrier);
      ++numBrought;
    }
  }
};

} // namespace
