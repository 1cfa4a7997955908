//===- TileKernel.cpp - The body of a kernel of tiles ---------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TileKernel.h"

#include "KernelBuilding.h"
#include "KernelOutlining.h"
#include "TileBody.h"

#include "mxfp4/Core/Resources.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace mxfp4;

static TileKernel bindArguments(GroupedMatmulOp op, gpu::GPUFuncOp function) {
  TileKernel kernel;
  kernel.op = op;
  kernel.function = function;
  kernel.activations = kernel.argument(op.bringsRows() ? "through_maps" : "x");
  kernel.weights = kernel.argument("weights");
  kernel.output = kernel.argument("y");
  kernel.offsets = kernel.argument("offsets");
  kernel.expertIds = kernel.argument("expert_ids");
  kernel.error = kernel.argument("error");
  kernel.rows = kernel.argument("rows");
  return kernel;
}

/// The number of rows; 0 if activations to gather from have no row.
static Value countRows(ImplicitLocOpBuilder &b, TileKernel kernel) {
  if (!kernel.op.getGather())
    return kernel.rows;
  Value zero = i32Constant(b, 0);
  Value isEmpty = arith::CmpIOp::create(b, arith::CmpIPredicate::eq,
                                        kernel.argument("x_rows"), zero);
  return arith::SelectOp::create(b, isEmpty, zero, kernel.rows);
}

static Value emitTileCount(ImplicitLocOpBuilder &b, TileKernel kernel,
                           Value table, const Schedule &schedule) {
  return TileCountOp::create(b, b.getIndexType(), table,
                             kernel.op.getNumGroups(),
                             schedule.columnTiles(kernel.op.getN()));
}

/// Whether the kernel takes tall tiles, in which the warps of all K slices
/// stand side by side, instead of tiles that the slices share. A tall tile
/// takes at most as long as S tiles that S slices share, so that tall tiles are
/// taken if they need at most 1/S as many waves; with many waves, if they need
/// one wave in sixteen more, since a tall tile takes 0.92 as long then.
static Value emitTakesSideBySide(ImplicitLocOpBuilder &b,
                                 const TileKernel &kernel, Value table,
                                 const Schedule &schedule,
                                 const Schedule &tall) {
  constexpr int64_t kMore = 16;
  const auto waves = [&](const Schedule &program) -> Value {
    return arith::CeilDivUIOp::create(
        b, emitTileCount(b, kernel, table, program), kernel.ctas);
  };
  Value time =
      arith::MulIOp::create(b, waves(tall), indexConstant(b, schedule.kSlices));
  Value shared = waves(schedule);
  Value most = arith::AddIOp::create(
      b, shared, arith::DivUIOp::create(b, shared, indexConstant(b, kMore)));
  return arith::CmpIOp::create(b, arith::CmpIPredicate::ule, time, most);
}

/// The tiles of a table: all, or those from the CTA's `first` on, or those in
/// front of `end`.
struct TileRange {
  Value table, first = Value(), end = Value();
};

static void buildTiles(ImplicitLocOpBuilder &b, TileKernel kernel,
                       const TileRange &range, const Schedule &schedule) {
  GroupedMatmulOp op = kernel.op;
  Value end =
      range.end ? range.end : emitTileCount(b, kernel, range.table, schedule);
  Schedule whole = schedule; // Until `mxfp4-halve-tiles`.
  whole.halfTiles = false;
  auto tiles = ForTilesOp::create(
      b, TypeRange(), range.first ? range.first : kernel.first, end,
      kernel.ctas, range.table, kernel.offsets, kernel.expertIds, kernel.error,
      ValueRange(), op.getNumExperts(), schedule.columnTiles(op.getN()),
      ScheduleAttr::get(b.getContext(), whole));
  Block &body = tiles.getBody().emplaceBlock();
  for (unsigned i = 0; i < ForTilesOp::kTileArguments; ++i)
    body.addArgument(b.getIndexType(), b.getLoc());
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(&body);
  buildTile(b, kernel, tiles, schedule);
  YieldOp::create(b);
}

/// The table of the tiles of a kind, which lies behind that of the kind before.
static Value createTable(ImplicitLocOpBuilder &b, TileKernel kernel,
                         const Schedule &schedule, int kind) {
  const int64_t groups = kernel.op.getNumGroups();
  const SharedRegion tables =
      SharedMemoryMap(schedule, kernel.layout(), groups).table;
  return sharedBuffer(b, {schedule.tableEntries(groups)}, b.getI32Type(),
                      tables.offset + kind * tables.bytes / tables.count);
}

static void buildTable(ImplicitLocOpBuilder &b, TileKernel kernel, Value table,
                       Value rows, const Schedule &schedule) {
  BuildTileTableOp::create(b, table, kernel.offsets, rows,
                           /*or_less=*/bool(kernel.op.getGather()),
                           kernel.error,
                           ScheduleAttr::get(b.getContext(), schedule));
}

/// The CTA's first tile and the number of CTAs.
static void bindGrid(ImplicitLocOpBuilder &b, TileKernel &kernel) {
  kernel.first = gpu::BlockIdOp::create(b, gpu::Dimension::x);
  kernel.ctas = gpu::GridDimOp::create(b, gpu::Dimension::x);
}

/// One kind of tiles, for which there may be two forms.
static void buildForms(ImplicitLocOpBuilder &b, TileKernel kernel,
                       const Schedule &schedule) {
  Value table = createTable(b, kernel, schedule, /*kind=*/0);
  buildTable(b, kernel, table, countRows(b, kernel), schedule);
  bindGrid(b, kernel);
  if (!schedule.sideBySide)
    return buildTiles(b, kernel, {table}, schedule);
  const Schedule tall = schedule.tallProgram(kernel.layout());
  auto choice = scf::IfOp::create(
      b, emitTakesSideBySide(b, kernel, table, schedule, tall),
      /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(choice.elseBlock());
  buildTiles(b, kernel, {table}, schedule);
  b.setInsertionPointToStart(choice.thenBlock());
  buildTiles(b, kernel, {table}, tall);
}

/// Two kinds of tiles, one after the other: crowded groups first, because the
/// tiles of the other groups fill the last wave more evenly. Between the two
/// all warps wait for each other, since both kinds take the same shared memory;
/// the fence is for copies of TMA to where threads have written their sums.
static void buildKinds(ImplicitLocOpBuilder &b, TileKernel kernel,
                       const Schedule &schedule) {
  const Schedule wide = schedule.wideProgram();
  Value table = createTable(b, kernel, schedule, /*kind=*/0);
  Value wideTable = createTable(b, kernel, schedule, /*kind=*/1);
  Value rows = countRows(b, kernel);
  buildTable(b, kernel, wideTable, rows, wide);
  buildTable(b, kernel, table, rows, schedule);
  bindGrid(b, kernel);
  Value isCrowded = arith::CmpIOp::create(
      b, arith::CmpIPredicate::ugt, emitTileCount(b, kernel, wideTable, wide),
      indexConstant(b, 0));
  auto crowded = scf::IfOp::create(b, isCrowded);
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(crowded.thenBlock());
    buildTiles(b, kernel, {wideTable}, wide);
    NVVM::FenceProxyOp::create(
        b, NVVM::ProxyKind::async_shared,
        NVVM::SharedSpaceAttr::get(b.getContext(),
                                   NVVM::SharedSpace::shared_cta));
    gpu::BarrierOp::create(b);
  }
  buildTiles(b, kernel, {table}, schedule);
}

/// Whether short groups have tiles beside the others: there are enough of them
/// to be worth it, and few enough tiles for the halves of one counter. With
/// 0.38 times as many tiles as the others, layers took 1.01 times as long, and
/// with 0.5 times as many 0.99 to 1.00. Matmuls alone took 0.95 to 1.007 times
/// as long with 0.35 and 0.38 times as many, and 0.92 with 0.5 times as many.
static Value emitTakesBeside(ImplicitLocOpBuilder &b, TileKernel kernel,
                             Value all, Value others, const Schedule &beside) {
  using P = arith::CmpIPredicate;
  constexpr int64_t kMostTiles = 60000;
  const bool isAlone = kernel.op.getEpilogue().empty();
  const int64_t forShort = isAlone ? 3 : 20, forOthers = isAlone ? 1 : 9;
  const auto times = [&](Value tiles, int64_t factor) -> Value {
    return arith::MulIOp::create(b, tiles, indexConstant(b, factor));
  };
  Value few = arith::SubIOp::create(b, all, others);
  Value isWorth = arith::CmpIOp::create(b, P::ugt, times(few, forShort),
                                        times(others, forOthers));
  const int64_t columns = beside.columnTiles(kernel.op.getN());
  Value fits = arith::CmpIOp::create(b, P::ult, all,
                                     indexConstant(b, kMostTiles / columns));
  return arith::AndIOp::create(b, isWorth, fits);
}

/// Where many groups are short, these beside the others, in two programs that
/// share a table; else tiles of one kind.
static void buildBeside(ImplicitLocOpBuilder &b, TileKernel kernel,
                        const Schedule &schedule) {
  const Schedule beside = schedule.besideProgram();
  Value table = createTable(b, kernel, schedule, /*kind=*/0);
  Value shared = createTable(b, kernel, schedule, /*kind=*/1);
  Value rows = countRows(b, kernel);
  buildTable(b, kernel, shared, rows, beside);
  buildTable(b, kernel, table, rows, schedule);
  bindGrid(b, kernel);
  // Row tiles of all groups, and of those that are not short.
  const int64_t groups = kernel.op.getNumGroups();
  Value all = TileCountOp::create(b, b.getIndexType(), shared, groups, 1);
  Value others = arith::MinUIOp::create(
      b,
      arith::IndexCastOp::create(
          b, b.getIndexType(),
          memref::LoadOp::create(b, shared,
                                 ValueRange{indexConstant(b, groups)})),
      all);
  auto choice =
      scf::IfOp::create(b, emitTakesBeside(b, kernel, all, others, beside),
                        /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(choice.elseBlock());
  buildTiles(b, kernel, {table}, schedule);
  b.setInsertionPointToStart(choice.thenBlock());
  Value columns = indexConstant(b, beside.columnTiles(kernel.op.getN()));
  Value end = arith::MulIOp::create(b, others, columns);
  buildTiles(b, kernel, {shared, Value(), end}, beside);
  Value first = arith::AddIOp::create(b, end, kernel.first);
  buildTiles(b, kernel, {shared, first}, schedule.shortProgram());
}

void mxfp4::buildKernel(GroupedMatmulOp op, gpu::GPUFuncOp function) {
  ImplicitLocOpBuilder b(op.getLoc(),
                         OpBuilder::atBlockBegin(&function.getBody().front()));
  const TileKernel kernel = bindArguments(op, function);
  const Schedule schedule = op.getScheduleAttr().toSchedule();
  emitGridDependency(b);
  if (schedule.wideFrom != 0)
    buildKinds(b, kernel, schedule);
  else if (schedule.shortTo != 0)
    buildBeside(b, kernel, schedule);
  else
    buildForms(b, kernel, schedule);
  gpu::ReturnOp::create(b);
}
