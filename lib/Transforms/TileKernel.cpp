//===- TileKernel.cpp - The body of a kernel of tiles ---------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TileKernel.h"

#include "KernelBuilding.h"
#include "KernelOutlining.h"

#include "mxfp4/Core/Resources.h"
#include "mxfp4/IR/KernelSignature.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/IRMapping.h"

using namespace mlir;
using namespace mxfp4;

namespace {

/// The type of the sums of a tile that one thread holds.
VectorType accumulatorType(OpBuilder &b, const Schedule &schedule) {
  return VectorType::get(
      {schedule.warpRows() / 16, schedule.warpTokens() / 8, 4}, b.getF32Type());
}

/// What the body of a kernel is built from.
struct Kernel {
  GroupedMatmulOp op;
  gpu::GPUFuncOp function;
  /// Arguments; null where the operation has no such operand.
  Value activations, weights, offsets, expertIds, output, error, rows;
  /// The CTA's first tile, and the number of CTAs.
  Value first, ctas;

  Value argument(StringRef name) const { return findArgument(function, name); }
  BlockLayout layout() { return op.getBlockType().getLayout(); }
};

} // namespace

static Kernel bindArguments(GroupedMatmulOp op, gpu::GPUFuncOp function) {
  Kernel kernel;
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

//===----------------------------------------------------------------------===//
// A tile
//===----------------------------------------------------------------------===//

static Value emitZeros(ImplicitLocOpBuilder &b, const Schedule &schedule) {
  auto type = accumulatorType(b, schedule);
  return arith::ConstantOp::create(b, type, DenseElementsAttr::get(type, 0.0f));
}

/// The rows that all warps of the CTA gather.
static Value loadRows(ImplicitLocOpBuilder &b, const Kernel &kernel,
                      ForTilesOp tile, const Schedule &schedule) {
  const int64_t together = schedule.threads() / 8;
  const auto type = VectorType::get(
      {(schedule.tileTokens + together - 1) / together}, b.getI32Type());
  return LoadRowsOp::create(b, type, kernel.argument("gather"), tile.getRow(),
                            tile.getValid(), kernel.argument("x_rows"),
                            kernel.error,
                            /*warp=*/Value(), /*warps=*/IntegerAttr());
}

/// The number of rows that a tile multiplies: its rows, rounded up to whole
/// steps of the tile's height.
static Value emitMultipliedRows(ImplicitLocOpBuilder &b, ForTilesOp tile,
                                const Schedule &schedule) {
  Value step = indexConstant(b, schedule.heightStep());
  return arith::MulIOp::create(
      b, arith::CeilDivUIOp::create(b, tile.getValid(), step), step);
}

/// The accumulation, if the instruction cuts sums to fewer bits than f32; else
/// null. Where the first promotion would add all of K to zero, sums are those
/// of `fast`, and the second accumulators are spared: of a loop with one step,
/// ptxas would serialise the multiplications for their sake.
static AccumulationAttr accumulationOf(GroupedMatmulOp op,
                                       const Schedule &schedule) {
  if (!schedule.traits().cutsSums())
    return AccumulationAttr();
  const Problem problem = schedulingProblem(op, /*rowsHint=*/0);
  return AccumulationAttr::get(op.getContext(), promotionOf(problem));
}

/// Whether codes of the last step's second half are not read: these are of
/// columns that do not exist, whose activations arrive as zeros. Where weights
/// decide, of 8-bit numbers, whose steps are 128 columns.
static bool readsHalfOfLast(Kernel kernel, const Schedule &schedule) {
  GroupedMatmulOp op = kernel.op;
  const int64_t cols = kernel.layout().cols;
  const int64_t last = (op.getK() - 1) % cols + 1;
  return schedule.traits().cutsSums() && schedule.kSlices > 1 &&
         schedule.placement == Placement::Register && !schedule.copiesAhead &&
         !op.getGather() && last <= cols / 2;
}

static Value buildKLoop(ImplicitLocOpBuilder &b, Kernel kernel, ForTilesOp tile,
                        const Schedule &schedule) {
  GroupedMatmulOp op = kernel.op;
  const auto attr = ScheduleAttr::get(b.getContext(), schedule);
  const BlockLayout layout = kernel.layout();
  const int64_t blocks = schedule.tileRows / layout.rows;
  // Activations lie in front: their swizzle wants the best-aligned place.
  Value activationStage =
      sharedBuffer(b, {schedule.stages, schedule.tileTokens, schedule.tileK()},
                   typeOf(b.getContext(), schedule.traits().typeOfB),
                   SharedMemoryMap(schedule, layout).activations.offset);
  Value weightStage =
      sharedBuffer(b, {schedule.stages, blocks}, op.getBlockType(),
                   SharedMemoryMap(schedule, layout).weights.offset);
  Value block =
      arith::MulIOp::create(b, tile.getColumn(), indexConstant(b, blocks));
  Value gathered, gatheredRows;
  if (op.getGather() && !op.bringsRows()) {
    gathered = loadRows(b, kernel, tile, schedule);
    gatheredRows = emitMultipliedRows(b, tile, schedule);
  }
  auto loop = KLoopOp::create(b, layout.colBlocks(op.getK()),
                              emitZeros(b, schedule), attr);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(&loop.getBody().front());
  Value slot = indexConstant(b, 0);
  CopyWeightsOp::create(b, kernel.weights, tile.getExpert(), block,
                        loop.getStep(), weightStage, slot,
                        readsHalfOfLast(kernel, schedule));
  if (gathered)
    GatherActivationsOp::create(b, kernel.activations, gathered, loop.getStep(),
                                gatheredRows, activationStage, slot,
                                /*warp=*/Value(), /*warps=*/IntegerAttr(),
                                /*barriers=*/Value(), schedule.gatherRows);
  else
    CopyActivationsOp::create(b, kernel.activations, tile.getRow(),
                              loop.getStep(), tile.getValid(), activationStage,
                              slot);
  Value sums = TileMatmulOp::create(b, loop.getCarried()[0].getType(),
                                    loop.getCarried()[0], weightStage, slot,
                                    activationStage, tile.getValid(), attr,
                                    accumulationOf(op, schedule));
  YieldOp::create(b, sums);
  return loop.getResult(0);
}

/// A tile without an expert multiplies nothing and stores zeros.
static Value buildSums(ImplicitLocOpBuilder &b, const Kernel &kernel,
                       ForTilesOp tile, const Schedule &schedule) {
  if (!kernel.expertIds)
    return buildKLoop(b, kernel, tile, schedule);
  Value isUsed = arith::CmpIOp::create(b, arith::CmpIPredicate::sge,
                                       tile.getExpert(), indexConstant(b, 0));
  auto choice = scf::IfOp::create(b, accumulatorType(b, schedule), isUsed,
                                  /*withElse=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(choice.thenBlock());
  scf::YieldOp::create(b, buildKLoop(b, kernel, tile, schedule));
  b.setInsertionPointToStart(choice.elseBlock());
  scf::YieldOp::create(b, emitZeros(b, schedule));
  return choice.getResult(0);
}

static void buildStore(ImplicitLocOpBuilder &b, Kernel kernel, ForTilesOp tile,
                       Value sums, ScheduleAttr attr) {
  GroupedMatmulOp op = kernel.op;
  SmallVector<Value> operands;
  for (size_t i = 0; i < op.getEpilogueOperands().size(); ++i)
    operands.push_back(kernel.argument("epilogue" + std::to_string(i)));
  const bool hasEpilogue = op.hasEpilogue();
  Value stored = kernel.argument("stored");
  auto store = StoreTileOp::create(
      b, sums, kernel.output, tile.getRow(), tile.getColumn(), tile.getValid(),
      hasEpilogue || stored ? tile.getExpert() : Value(),
      /*or_none=*/hasEpilogue && kernel.expertIds, kernel.argument("scatter"),
      kernel.argument("y_rows"), op.getScatter() ? kernel.error : Value(),
      operands, stored, attr,
      /*epilogueCount=*/hasEpilogue ? 1 : 0);
  if (hasEpilogue) {
    IRMapping mapping;
    op.getEpilogue()[0].cloneInto(&store.getEpilogue()[0], mapping);
  }
}

//===----------------------------------------------------------------------===//
// A kernel
//===----------------------------------------------------------------------===//

/// The number of rows; 0 if activations to gather from have no row.
static Value countRows(ImplicitLocOpBuilder &b, Kernel kernel) {
  if (!kernel.op.getGather())
    return kernel.rows;
  Value zero = i32Constant(b, 0);
  Value isEmpty = arith::CmpIOp::create(b, arith::CmpIPredicate::eq,
                                        kernel.argument("x_rows"), zero);
  return arith::SelectOp::create(b, isEmpty, zero, kernel.rows);
}

static Value emitTileCount(ImplicitLocOpBuilder &b, Kernel kernel, Value table,
                           const Schedule &schedule) {
  return TileCountOp::create(b, b.getIndexType(), table,
                             kernel.op.getNumGroups(),
                             schedule.columnTiles(kernel.op.getN()));
}

/// Whether the kernel takes tall tiles, in which the warps of all K slices
/// stand side by side, instead of tiles that the slices share. A tall tile
/// takes at most as long as S tiles that S slices share, so that tall tiles are
/// taken if they need at most 1/S as many waves; with many waves, if they need
/// one wave in sixteen more, since a tall tile takes 0.92 as long then.
static Value emitTakesSideBySide(ImplicitLocOpBuilder &b, const Kernel &kernel,
                                 Value table, const Schedule &schedule,
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

static void buildTiles(ImplicitLocOpBuilder &b, Kernel kernel,
                       const TileRange &range, const Schedule &schedule) {
  const auto attr = ScheduleAttr::get(b.getContext(), schedule);
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
  buildStore(b, kernel, tiles, buildSums(b, kernel, tiles, schedule), attr);
  YieldOp::create(b);
}

/// The table of the tiles of a kind, which lies behind that of the kind before.
static Value createTable(ImplicitLocOpBuilder &b, Kernel kernel,
                         const Schedule &schedule, int kind) {
  const int64_t groups = kernel.op.getNumGroups();
  const SharedRegion tables =
      SharedMemoryMap(schedule, kernel.layout(), groups).table;
  return sharedBuffer(b, {schedule.tableEntries(groups)}, b.getI32Type(),
                      tables.offset + kind * tables.bytes / tables.count);
}

static void buildTable(ImplicitLocOpBuilder &b, Kernel kernel, Value table,
                       Value rows, const Schedule &schedule) {
  BuildTileTableOp::create(b, table, kernel.offsets, rows,
                           /*or_less=*/bool(kernel.op.getGather()),
                           kernel.error,
                           ScheduleAttr::get(b.getContext(), schedule));
}

/// The CTA's first tile and the number of CTAs.
static void bindGrid(ImplicitLocOpBuilder &b, Kernel &kernel) {
  kernel.first = gpu::BlockIdOp::create(b, gpu::Dimension::x);
  kernel.ctas = gpu::GridDimOp::create(b, gpu::Dimension::x);
}

/// One kind of tiles, for which there may be two forms.
static void buildForms(ImplicitLocOpBuilder &b, Kernel kernel,
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
static void buildKinds(ImplicitLocOpBuilder &b, Kernel kernel,
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
static Value emitTakesBeside(ImplicitLocOpBuilder &b, Kernel kernel, Value all,
                             Value others, const Schedule &beside) {
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
static void buildBeside(ImplicitLocOpBuilder &b, Kernel kernel,
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
  const Kernel kernel = bindArguments(op, function);
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
