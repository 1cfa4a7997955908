//===- TileBody.cpp - What a kernel does with a tile ----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TileBody.h"

#include "KernelBuilding.h"

#include "mxfp4/Core/Resources.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/IRMapping.h"

using namespace mlir;
using namespace mxfp4;

/// The type of the sums of a tile that one thread holds.
static VectorType accumulatorType(OpBuilder &b, const Schedule &schedule) {
  return VectorType::get(
      {schedule.warpRows() / 16, schedule.warpTokens() / 8, 4}, b.getF32Type());
}

static Value emitZeros(ImplicitLocOpBuilder &b, const Schedule &schedule) {
  auto type = accumulatorType(b, schedule);
  return arith::ConstantOp::create(b, type, DenseElementsAttr::get(type, 0.0f));
}

/// The rows that all warps of the CTA gather.
static Value loadRows(ImplicitLocOpBuilder &b, const TileKernel &kernel,
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
static bool readsHalfOfLast(TileKernel kernel, const Schedule &schedule) {
  GroupedMatmulOp op = kernel.op;
  const int64_t cols = kernel.layout().cols;
  const int64_t last = (op.getK() - 1) % cols + 1;
  return schedule.traits().cutsSums() && schedule.kSlices > 1 &&
         schedule.placement == Placement::Register && !schedule.copiesAhead &&
         !op.getGather() && last <= cols / 2;
}

static Value buildKLoop(ImplicitLocOpBuilder &b, TileKernel kernel,
                        ForTilesOp tile, const Schedule &schedule) {
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
static Value buildSums(ImplicitLocOpBuilder &b, const TileKernel &kernel,
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

static void buildStore(ImplicitLocOpBuilder &b, TileKernel kernel,
                       ForTilesOp tile, Value sums, ScheduleAttr attr) {
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

void mxfp4::buildTile(ImplicitLocOpBuilder &b, const TileKernel &kernel,
                      ForTilesOp tile, const Schedule &schedule) {
  buildStore(b, kernel, tile, buildSums(b, kernel, tile, schedule),
             ScheduleAttr::get(b.getContext(), schedule));
}
