//===- ShareTiles.cpp - One warp hands out tiles --------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KernelBuilding.h"
#include "KernelRemarks.h"

#include "mxfp4/Core/RowCounters.h"
#include "mxfp4/IR/KernelSignature.h"
#include "mxfp4/IR/MXFP4.h"
#include "mxfp4/Transforms/Passes.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "llvm/Support/FormatVariadic.h"

namespace mxfp4 {
#define GEN_PASS_DEF_SHARETILES
#include "mxfp4/Transforms/Passes.h.inc"
} // namespace mxfp4

using namespace mlir;
using namespace mxfp4;

namespace {

/// Tiles that are handed out and that not all warps have begun.
constexpr int64_t kAhead = 2;
/// i32 in the queue for each tile: its expert, row, rows and column.
constexpr int64_t kQueueFields = 4;

/// The queue of the tiles that the roles of one program share.
struct TileQueue {
  Value ring, fields;
};

} // namespace

/// Sets the queue up with the rings that the kernel has already, or first of
/// all: a slot is empty again when each warp has read it.
static TileQueue createQueue(gpu::GPUFuncOp kernel, int64_t readers) {
  ImplicitLocOpBuilder b(kernel.getLoc(), kernel.getContext());
  const auto add = [&](ArrayRef<int64_t> shape, Type element) {
    return kernel.addWorkgroupAttribution(sharedType(shape, element),
                                          b.getLoc());
  };
  Value ready = add({kAhead}, b.getI64Type());
  Value free = add({kAhead}, b.getI64Type());
  Value fields = add({kAhead, kQueueFields}, b.getI32Type());
  CreateRingOp last;
  kernel.walk([&](CreateRingOp op) { last = op; });
  if (last)
    b.setInsertionPointAfter(last);
  else
    b.setInsertionPointToStart(&kernel.getBody().front());
  Value ring = CreateRingOp::create(b, RingType::get(b.getContext(), kAhead),
                                    ready, free, /*fills=*/1, readers);
  if (!last)
    NVVM::FenceMbarrierInitOp::create(b);
  return {ring, fields};
}

/// A loop over tiles that a role takes from the queue.
static void takeFrom(const TileQueue &queue, ForTilesOp tiles) {
  ImplicitLocOpBuilder b(tiles.getLoc(), tiles);
  auto taken = TakeTilesOp::create(b, tiles.getResultTypes(), queue.ring,
                                   queue.fields, tiles.getInits());
  taken.getBody().takeBody(tiles.getBody());
  tiles.replaceAllUsesWith(taken.getResults());
  tiles.erase();
}

/// The counter of tiles that all CTAs share, if the kernel has one: two i32, in
/// front of others where rows are brought into order.
static FailureOr<Value> findCounter(gpu::GPUFuncOp kernel) {
  Value workspace = findArgument(kernel, "workspace");
  const int64_t words =
      findArgument(kernel, "through") ? RowCounters::kWords : 2;
  const auto expected =
      MemRefType::get({words}, IntegerType::get(kernel.getContext(), 32));
  if (!workspace || workspace.getType() == expected)
    return workspace;
  return kernel.emitOpError()
         << "requires its argument \"workspace\" to have type " << expected
         << ", but got " << workspace.getType();
}

static constexpr StringLiteral kShareTiles = "mxfp4-share-tiles";

/// Whether sums of 8-bit numbers are promoted every 512 of K.
static bool promotesSums(gpu::GPUFuncOp kernel) {
  bool promotes = false;
  kernel.walk([&](TileMatmulOp op) {
    AccumulationAttr accumulation = op.getAccumulationAttr();
    promotes |= accumulation && accumulation.getInterval() ==
                                    AccumulationAttr::kDefaultInterval;
  });
  return promotes;
}

/// The table of the tiles, if its warp can hand out the first one: if that is
/// the CTA's number, and no row, expert or kernel ahead has to be waited for or
/// reported. Measured with 8-bit numbers: kernels whose sums are promoted every
/// 512 took 0.95 to 1.00 of the time, those of other sums up to 1.017; but
/// 0.91 to 1.00 in tiles of up to 16 tokens.
static BuildTileTableOp findTableOfFirst(gpu::GPUFuncOp kernel,
                                         ForTilesOp tiles) {
  constexpr int kFewTokens = 16;
  const Schedule schedule = tiles.getSchedule().toSchedule();
  if ((schedule.traits().cutsSums() && schedule.tileTokens > kFewTokens &&
       !promotesSums(kernel)) ||
      schedule.copiesAhead || schedule.fullTilesFirst || schedule.sideBySide ||
      schedule.wideFrom != 0 || schedule.bringBytes != 0 ||
      tiles.getExpertIds() || findArgument(kernel, "awaited") ||
      findArgument(kernel, "stored") ||
      !tiles.getFirst().getDefiningOp<gpu::BlockIdOp>())
    return BuildTileTableOp();
  SmallVector<BuildTileTableOp> tables;
  kernel.walk([&](BuildTileTableOp op) { tables.push_back(op); });
  return tables.size() == 1 && tables[0].getTable() == tiles.getTable() &&
                 tables[0].getOffsets() == tiles.getOffsets()
             ? tables[0]
             : BuildTileTableOp();
}

/// Hands out the first tile as the table is built.
static void handOutFirst(BuildTileTableOp table, ForTilesOp tiles,
                         const TileQueue &queue) {
  ImplicitLocOpBuilder b(tiles.getLoc(), table->getContext());
  tiles.getFirst().getDefiningOp()->moveBefore(table);
  b.setInsertionPointAfter(table);
  HandOutFirstOp::create(b, tiles.getFirst(), table.getTable(),
                         table.getOffsets(), tiles.getColumns(), queue.ring,
                         queue.fields, tiles.getSchedule());
}

/// Adds a role that hands out tiles to the others, if they have any.
static FailureOr<bool> shareTiles(WarpRolesOp roles) {
  auto kernel = roles->getParentOfType<gpu::GPUFuncOp>();
  SmallVector<ForTilesOp> loops;
  roles.walk([&](ForTilesOp tiles) { loops.push_back(tiles); });
  if (loops.empty()) {
    missedOn(roles, kShareTiles, "tiles",
             [] { return "its roles do not run through tiles"; });
    return false;
  }
  if (!kernel || loops.size() != roles.getOrderedRoles().size())
    return roles.emitOpError("requires a gpu.func around it and a "
                             "mxfp4.for_tiles in each role to share tiles");
  FailureOr<Value> counter = findCounter(kernel);
  if (failed(counter))
    return failure();
  // The other program of the kernel counts: it has most tiles, and the last.
  if (loops.front().getSchedule().toSchedule().isWide())
    counter = Value();
  const TileQueue queue = createQueue(kernel, roles.countWarps());
  ForTilesOp tiles = loops.front();
  ImplicitLocOpBuilder b(roles.getLoc(), roles.getContext());
  b.setInsertionPointToEnd(&roles.getRoles().front());
  auto role = RoleOp::create(b, "schedule", /*warps=*/1, IntegerAttr(),
                             /*one_thread=*/true);
  Block &body = role.getBody().emplaceBlock();
  body.addArgument(b.getIndexType(), b.getLoc());
  b.setInsertionPointToStart(&body);
  HandOutTilesOp::create(
      b, tiles.getFirst(), tiles.getCount(), tiles.getStride(),
      tiles.getTable(), tiles.getOffsets(), tiles.getExpertIds(),
      tiles.getError(), tiles.getExperts(), tiles.getColumns(), queue.ring,
      queue.fields, *counter, /*rows=*/Value(), /*awaited=*/Value(),
      /*awaited_columns=*/Value(), /*stored=*/Value(),
      /*stored_columns=*/Value(), /*tile_columns=*/Value(),
      tiles.getSchedule());
  YieldOp::create(b);
  if (BuildTileTableOp table = findTableOfFirst(kernel, tiles))
    handOutFirst(table, tiles, queue);
  for (ForTilesOp loop : loops)
    takeFrom(queue, loop);
  passedOn(roles, kShareTiles, "tiles", [&] {
    return llvm::formatv("one warp hands out tiles to {0} others; CTAs {1}",
                         roles.countWarps() - 1,
                         *counter ? "take them from one counter"
                                  : "stride over the grid, without a workspace")
        .str();
  });
  return true;
}

namespace {

struct ShareTilesPass : mxfp4::impl::ShareTilesBase<ShareTilesPass> {
  using ShareTilesBase::ShareTilesBase;

  void runOnOperation() override {
    // In the order in which the kernel declares what roles share.
    SmallVector<WarpRolesOp> programs;
    getOperation()->walk([&](WarpRolesOp roles) { programs.push_back(roles); });
    for (WarpRolesOp roles : programs) {
      FailureOr<bool> isShared = shareTiles(roles);
      if (failed(isShared))
        return signalPassFailure();
      numShared += *isShared;
    }
    getOperation()->walk([](ForTilesOp tiles) {
      if (!tiles->getParentOfType<RoleOp>())
        missedOn(tiles, kShareTiles, "tiles", [] {
          return "all warps run through the same tiles, without roles";
        });
    });
  }
};

} // namespace
