//===- Tile.cpp - Grouped matmuls to tiled kernels ------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KernelBuilding.h"
#include "KernelOutlining.h"

#include "mxfp4/Core/Resources.h"
#include "mxfp4/IR/KernelSignature.h"
#include "mxfp4/IR/MXFP4.h"
#include "mxfp4/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/IRMapping.h"

#include <map>

namespace mxfp4 {
#define GEN_PASS_DEF_TILE
#include "mxfp4/Transforms/Passes.h.inc"
} // namespace mxfp4

using namespace mlir;
using namespace mxfp4;

namespace {

/// What keeps an operation from becoming a kernel, as the rest of a sentence;
/// empty if nothing does.
std::string unmetPrecondition(GroupedMatmulOp op) {
  if (std::string reason = unmetForOutlining(op); !reason.empty())
    return reason;
  if (!op.getBlockType())
    return "requires weights in a fragment-major layout to become a kernel; "
           "insert mxfp4.pack";
  for (auto [name, size] : {std::pair("N", op.getN()),
                            {"K", op.getK()},
                            {"the number of experts", op.getNumExperts()},
                            {"the number of groups", op.getNumGroups()}})
    if (ShapedType::isDynamic(size))
      return std::string("requires ") + name +
             " to be static to become a kernel";
  if (op.getNumGroups() > maxGroups())
    return "requires at most " + std::to_string(maxGroups()) +
           " groups to become a kernel, but has " +
           std::to_string(op.getNumGroups());
  if (!op.getScheduleAttr())
    return "requires a schedule to become a kernel; run mxfp4-choose-schedule";
  return "";
}

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
  /// The table of tiles, the CTA's first tile, and the number of CTAs.
  Value table, first, ctas;

  Value argument(StringRef name) const { return findArgument(function, name); }
  BlockLayout layout() { return op.getBlockType().getLayout(); }
};

} // namespace

static Kernel bindArguments(GroupedMatmulOp op, gpu::GPUFuncOp function) {
  Kernel kernel;
  kernel.op = op;
  kernel.function = function;
  kernel.activations = kernel.argument("x");
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
/// null.
static AccumulationAttr accumulationOf(GroupedMatmulOp op,
                                       const Schedule &schedule) {
  return schedule.traits().cutsSums()
             ? AccumulationAttr::get(op.getContext(), op.getPromotion())
             : AccumulationAttr();
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
                   typeOf(b.getContext(), schedule.traits().typeOfB), 0);
  Value weightStage =
      sharedBuffer(b, {schedule.stages, blocks}, op.getBlockType(),
                   SharedMemoryMap(schedule, layout).weights.offset);
  Value block =
      arith::MulIOp::create(b, tile.getColumn(), indexConstant(b, blocks));
  Value gathered, gatheredRows;
  if (op.getGather()) {
    gathered = loadRows(b, kernel, tile, schedule);
    gatheredRows = emitMultipliedRows(b, tile, schedule);
  }
  auto loop = KLoopOp::create(b, layout.colBlocks(op.getK()),
                              emitZeros(b, schedule), attr);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(&loop.getBody().front());
  Value slot = indexConstant(b, 0);
  CopyWeightsOp::create(b, kernel.weights, tile.getExpert(), block,
                        loop.getStep(), weightStage, slot);
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
  auto store = StoreTileOp::create(
      b, sums, kernel.output, tile.getRow(), tile.getColumn(), tile.getValid(),
      hasEpilogue ? tile.getExpert() : Value(),
      /*or_none=*/hasEpilogue && kernel.expertIds, kernel.argument("scatter"),
      kernel.argument("y_rows"), op.getScatter() ? kernel.error : Value(),
      operands, attr,
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

static Value emitTileCount(ImplicitLocOpBuilder &b, Kernel kernel,
                           const Schedule &schedule) {
  return TileCountOp::create(b, b.getIndexType(), kernel.table,
                             kernel.op.getNumGroups(),
                             schedule.columnTiles(kernel.op.getN()));
}

/// Whether the kernel takes tall tiles, in which the warps of all K slices
/// stand side by side, instead of tiles that the slices share. A tall tile
/// takes at most as long as S tiles that S slices share, so that tall tiles are
/// taken if they need at most 1/S as many waves.
static Value emitTakesSideBySide(ImplicitLocOpBuilder &b, const Kernel &kernel,
                                 const Schedule &schedule,
                                 const Schedule &tall) {
  const auto waves = [&](const Schedule &program) -> Value {
    return arith::CeilDivUIOp::create(b, emitTileCount(b, kernel, program),
                                      kernel.ctas);
  };
  Value time =
      arith::MulIOp::create(b, waves(tall), indexConstant(b, schedule.kSlices));
  return arith::CmpIOp::create(b, arith::CmpIPredicate::ule, time,
                               waves(schedule));
}

static void buildTiles(ImplicitLocOpBuilder &b, Kernel kernel,
                       const Schedule &schedule) {
  const auto attr = ScheduleAttr::get(b.getContext(), schedule);
  GroupedMatmulOp op = kernel.op;
  Value count = emitTileCount(b, kernel, schedule);
  auto tiles = ForTilesOp::create(
      b, TypeRange(), kernel.first, count, kernel.ctas, kernel.table,
      kernel.offsets, kernel.expertIds, kernel.error, ValueRange(),
      op.getNumExperts(), schedule.columnTiles(op.getN()), attr);
  Block &body = tiles.getBody().emplaceBlock();
  for (unsigned i = 0; i < ForTilesOp::kTileArguments; ++i)
    body.addArgument(b.getIndexType(), b.getLoc());
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(&body);
  buildStore(b, kernel, tiles, buildSums(b, kernel, tiles, schedule), attr);
  YieldOp::create(b);
}

static void buildKernel(GroupedMatmulOp op, gpu::GPUFuncOp function) {
  ImplicitLocOpBuilder b(op.getLoc(),
                         OpBuilder::atBlockBegin(&function.getBody().front()));
  Kernel kernel = bindArguments(op, function);
  const ScheduleAttr attr = op.getScheduleAttr();
  const Schedule schedule = attr.toSchedule();
  const BlockLayout layout = kernel.layout();
  emitGridDependency(b);
  kernel.table = sharedBuffer(b, {schedule.tableEntries(op.getNumGroups())},
                              b.getI32Type(),
                              SharedMemoryMap(schedule, layout).table.offset);
  BuildTileTableOp::create(
      b, kernel.table, kernel.offsets, countRows(b, kernel),
      /*or_less=*/bool(op.getGather()), kernel.error, attr);
  kernel.first = gpu::BlockIdOp::create(b, gpu::Dimension::x);
  kernel.ctas = gpu::GridDimOp::create(b, gpu::Dimension::x);
  if (schedule.sideBySide) {
    const Schedule tall = schedule.tallProgram(layout);
    auto choice =
        scf::IfOp::create(b, emitTakesSideBySide(b, kernel, schedule, tall),
                          /*withElseRegion=*/true);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(choice.elseBlock());
    buildTiles(b, kernel, schedule);
    b.setInsertionPointToStart(choice.thenBlock());
    buildTiles(b, kernel, tall);
  } else {
    buildTiles(b, kernel, schedule);
  }
  gpu::ReturnOp::create(b);
}

//===----------------------------------------------------------------------===//
// The pass
//===----------------------------------------------------------------------===//

/// Why a module without mxfp4.grouped_matmul has no kernels of ours; empty if
/// it has some that are being lowered or compiled already.
static std::string lackOfKernels(ModuleOp module) {
  std::map<std::string, int> others;
  const WalkResult found = module.walk([&](Operation *op) {
    if (op->hasAttr(MXFP4Dialect::kKernelsAttr) ||
        op->hasAttr(MXFP4Dialect::kCompiledAttr))
      return WalkResult::interrupt();
    if (isa_and_nonnull<MXFP4Dialect>(op->getDialect()))
      ++others[op->getName().getStringRef().str()];
    return WalkResult::advance();
  });
  if (found.wasInterrupted())
    return "";
  std::string reason = "has no mxfp4.grouped_matmul to make a kernel of";
  for (const auto &[name, count] : others)
    reason += (name == others.begin()->first ? ", only " : ", ") +
              std::to_string(count) + " " + name;
  return reason + "; run mxfp4-raise first, if it is written in linalg, or "
                  "allow it with require-kernels=false";
}

namespace {

struct TilePass : mxfp4::impl::TileBase<TilePass> {
  using TileBase::TileBase;

  void runOnOperation() override;

private:
  void outline(GroupedMatmulOp op);
  void launch(GroupedMatmulOp op, gpu::GPUFuncOp kernel);
};

} // namespace

void TilePass::runOnOperation() {
  SmallVector<GroupedMatmulOp> ops;
  getOperation().walk([&](GroupedMatmulOp op) { ops.push_back(op); });
  if (requireKernels && ops.empty())
    if (const std::string reason = lackOfKernels(getOperation());
        !reason.empty()) {
      getOperation().emitError() << reason;
      return signalPassFailure();
    }
  for (GroupedMatmulOp op : ops)
    if (std::string reason = unmetPrecondition(op); !reason.empty()) {
      op.emitOpError() << reason;
      return signalPassFailure();
    }
  for (GroupedMatmulOp op : ops)
    outline(op);
  numTiled += ops.size();
}

void TilePass::outline(GroupedMatmulOp op) {
  const Schedule schedule = op.getScheduleAttr().toSchedule();
  gpu::GPUFuncOp kernel =
      outlineKernel(op, kernelSignature(op), schedule.threads(),
                    schedule.ctasPerMultiprocessor);
  buildKernel(op, kernel);
  launch(op, kernel);
}

void TilePass::launch(GroupedMatmulOp op, gpu::GPUFuncOp kernel) {
  ImplicitLocOpBuilder b(op.getLoc(), op);
  const Schedule schedule = op.getScheduleAttr().toSchedule();
  const auto rowsOf = [&](Value buffer) -> Value {
    return arith::IndexCastOp::create(b, b.getI32Type(),
                                      memref::DimOp::create(b, buffer, 0));
  };
  SmallVector<Value> arguments;
  for (auto [operand, type] :
       llvm::zip(op->getOperands(), kernel.getFunctionType().getInputs()))
    arguments.push_back(
        isa<TensorMapType>(type)
            ? MakeTensorMapOp::create(b, cast<TensorMapType>(type), operand)
            : operand);
  arguments.push_back(rowsOf(op.getRowSource()));
  if (op.getGather())
    arguments.push_back(rowsOf(op.getActivations()));
  if (op.getScatter())
    arguments.push_back(rowsOf(op.getInit()));
  const int64_t ctas = int64_t(targetOf(op).device.multiprocessors) *
                       schedule.ctasPerMultiprocessor;
  Value one = indexConstant(b, 1);
  emitLaunch(b, kernel, {indexConstant(b, ctas), one, one}, schedule.threads(),
             SharedMemoryMap(schedule, op.getBlockType().getLayout(),
                             op.getNumGroups())
                 .dynamicBytes(),
             arguments);
  op.erase();
}
