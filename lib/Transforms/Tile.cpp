//===- Tile.cpp - Grouped matmuls to tiled kernels ------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "RaggedGrid.h"

#include "mxfp4/Core/Resources.h"
#include "mxfp4/IR/KernelSignature.h"
#include "mxfp4/IR/MXFP4.h"
#include "mxfp4/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/FunctionInterfaces.h"

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
  for (Value operand : op->getOperands()) {
    auto type = dyn_cast<MemRefType>(operand.getType());
    if (!type)
      return "requires memref operands to become a kernel; bufferize first";
    if (!type.getLayout().isIdentity())
      return "requires contiguous memrefs (identity layout) to become a kernel";
  }
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
           " groups to become a kernel";
  if (!op.getScheduleAttr())
    return "requires a schedule to become a kernel; run mxfp4-choose-schedule";
  return "";
}

/// Builds one kernel.
class KernelBuilder {
public:
  KernelBuilder(GroupedMatmulOp op, gpu::GPUFuncOp kernel)
      : op(op), attr(op.getScheduleAttr()), schedule(attr.toSchedule()),
        kernel(kernel),
        b(op.getLoc(), OpBuilder::atBlockBegin(&kernel.getBody().front())) {}

  void build();

private:
  Value index(int64_t value) {
    return arith::ConstantIndexOp::create(b, value);
  }
  void bindArguments();
  void useSchedule(ScheduleAttr used);
  Value carve(ArrayRef<int64_t> shape, Type element, int64_t offset);
  Value takesSideBySide(const Schedule &tall, Value ctas);
  void buildTiles(Value first, Value stride);
  void buildTile(Value number);
  Value buildSums(LocateTileOp tile);
  Value buildKLoop(LocateTileOp tile);
  VectorType accumulatorType();
  Value zeroAccumulator();

  GroupedMatmulOp op;
  /// Of the program that is built.
  ScheduleAttr attr;
  Schedule schedule;
  gpu::GPUFuncOp kernel;
  ImplicitLocOpBuilder b;

  Value activations, weights, output;
  Value activationStage, weightStage;
  RaggedGrid grid;
};

} // namespace

void KernelBuilder::bindArguments() {
  activations = findArgument(kernel, "x");
  weights = findArgument(kernel, "weights");
  output = findArgument(kernel, "y");
  grid.offsets = findArgument(kernel, "offsets");
  grid.expertIds = findArgument(kernel, "expert_ids");
  grid.error = findArgument(kernel, "error");
  grid.rows = findArgument(kernel, "rows");
  grid.experts = op.getNumExperts();
  grid.groups = op.getNumGroups();
  grid.tileTokens = schedule.tileTokens;
  grid.tokenStep = schedule.heightStep();
  grid.fullFirst = schedule.fullTilesFirst;
}

/// Tiles of this schedule, and its stages: activations first, since their
/// swizzle wants the best-aligned place.
void KernelBuilder::useSchedule(ScheduleAttr used) {
  attr = used;
  schedule = used.toSchedule();
  grid.columnTiles = schedule.columnTiles(op.getN());
  activationStage =
      carve({schedule.stages, schedule.tileTokens, Schedule::kTileK},
            b.getBF16Type(), 0);
  weightStage =
      carve({schedule.stages, schedule.tileRows / BlockLayout::kRows},
            op.getBlockType(), SharedMemoryMap(schedule).weights.offset);
}

/// A part of shared memory from a number of bytes on.
Value KernelBuilder::carve(ArrayRef<int64_t> shape, Type element,
                           int64_t offset) {
  auto space =
      gpu::AddressSpaceAttr::get(b.getContext(), gpu::AddressSpace::Workgroup);
  auto bytes = MemRefType::get({ShapedType::kDynamic}, b.getI8Type(),
                               AffineMap(), space);
  Value all = gpu::DynamicSharedMemoryOp::create(b, bytes);
  auto type = MemRefType::get(shape, element, AffineMap(), space);
  return memref::ViewOp::create(b, type, all, index(offset), ValueRange{});
}

void KernelBuilder::build() {
  bindArguments();
  useSchedule(attr);
  const int64_t entries = schedule.tableEntries(grid.groups);
  grid.table =
      carve({entries}, b.getI32Type(), SharedMemoryMap(schedule).table.offset);
  // The next kernel of the stream may start its own prologue, if it is launched
  // so; this one reads nothing before those ahead of it have ended.
  auto dependency = [&](NVVM::GridDepActionKind kind) {
    NVVM::GriddepcontrolOp::create(b, kind);
  };
  dependency(NVVM::GridDepActionKind::launch_dependents);
  dependency(NVVM::GridDepActionKind::wait);
  Value thread = gpu::ThreadIdOp::create(b, gpu::Dimension::x);
  Value isFirstWarp =
      arith::CmpIOp::create(b, arith::CmpIPredicate::ult, thread, index(32));
  scf::IfOp::create(b, isFirstWarp, [&](OpBuilder &then, Location loc) {
    ImplicitLocOpBuilder inner(loc, then);
    grid.emitTable(inner, thread);
    scf::YieldOp::create(inner);
  });
  gpu::BarrierOp::create(b);

  Value first = gpu::BlockIdOp::create(b, gpu::Dimension::x);
  Value stride = gpu::GridDimOp::create(b, gpu::Dimension::x);
  if (schedule.sideBySide) {
    const Schedule tall = schedule.tallProgram();
    auto choice = scf::IfOp::create(b, takesSideBySide(tall, stride),
                                    /*withElseRegion=*/true);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(choice.elseBlock());
    buildTiles(first, stride);
    b.setInsertionPointToStart(choice.thenBlock());
    useSchedule(ScheduleAttr::get(b.getContext(), tall));
    buildTiles(first, stride);
  } else {
    buildTiles(first, stride);
  }
  gpu::ReturnOp::create(b);
}

/// A tall tile takes as long as a tile for each of its K slices, or less: it is
/// worth its choice if that needs no more rounds of the CTAs.
Value KernelBuilder::takesSideBySide(const Schedule &tall, Value ctas) {
  const auto rounds = [&](const Schedule &program) -> Value {
    RaggedGrid of = grid;
    of.columnTiles = program.columnTiles(op.getN());
    return arith::CeilDivUIOp::create(b, of.emitTileCount(b), ctas);
  };
  Value time = arith::MulIOp::create(b, rounds(tall), index(schedule.kSlices));
  return arith::CmpIOp::create(b, arith::CmpIPredicate::ule, time,
                               rounds(schedule));
}

void KernelBuilder::buildTiles(Value first, Value stride) {
  auto loop =
      scf::ForOp::create(b, first, grid.emitTileCount(b), stride, ValueRange{});
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  buildTile(loop.getInductionVar());
}

void KernelBuilder::buildTile(Value number) {
  auto tile =
      LocateTileOp::create(b, number, grid.table, grid.offsets, grid.expertIds,
                           grid.error, grid.experts, grid.columnTiles, attr);
  StoreTileOp::create(b, buildSums(tile), output, tile.getRow(),
                      tile.getColumn(), tile.getValid(), attr);
}

/// A tile without an expert multiplies nothing and stores zeros.
Value KernelBuilder::buildSums(LocateTileOp tile) {
  if (!grid.expertIds)
    return buildKLoop(tile);
  Value isUsed = arith::CmpIOp::create(b, arith::CmpIPredicate::sge,
                                       tile.getExpert(), index(0));
  auto choice =
      scf::IfOp::create(b, accumulatorType(), isUsed, /*withElse=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(choice.thenBlock());
  scf::YieldOp::create(b, ValueRange{buildKLoop(tile)});
  b.setInsertionPointToStart(choice.elseBlock());
  scf::YieldOp::create(b, ValueRange{zeroAccumulator()});
  return choice.getResult(0);
}

VectorType KernelBuilder::accumulatorType() {
  return VectorType::get(
      {schedule.warpRows() / 16, schedule.warpTokens() / 8, 4}, b.getF32Type());
}

Value KernelBuilder::zeroAccumulator() {
  return arith::ConstantOp::create(
      b, accumulatorType(), DenseElementsAttr::get(accumulatorType(), 0.0f));
}

Value KernelBuilder::buildKLoop(LocateTileOp tile) {
  Value block = arith::MulIOp::create(
      b, tile.getColumn(), index(schedule.tileRows / BlockLayout::kRows));
  auto loop = scf::ForOp::create(b, index(0), index(blocksFor(op.getK())),
                                 index(1), ValueRange{zeroAccumulator()});
  loop->setAttr("mxfp4.stages", b.getI64IntegerAttr(schedule.stages));

  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  Value step = loop.getInductionVar(), slot = index(0);
  CopyWeightsOp::create(b, weights, tile.getExpert(), block, step, weightStage,
                        slot);
  CopyActivationsOp::create(b, activations, tile.getRow(), step,
                            tile.getValid(), activationStage, slot);
  NVVM::CpAsyncCommitGroupOp::create(b);
  NVVM::CpAsyncWaitGroupOp::create(b, 0);
  gpu::BarrierOp::create(b);
  Value next = TileMatmulOp::create(b, accumulatorType(),
                                    loop.getRegionIterArg(0), weightStage, slot,
                                    activationStage, tile.getValid(), attr);
  gpu::BarrierOp::create(b);
  scf::YieldOp::create(b, ValueRange{next});
  return loop.getResult(0);
}

//===----------------------------------------------------------------------===//
// The pass
//===----------------------------------------------------------------------===//

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
  for (GroupedMatmulOp op : ops)
    if (std::string reason = unmetPrecondition(op); !reason.empty()) {
      op.emitOpError() << reason;
      return signalPassFailure();
    }
  for (GroupedMatmulOp op : ops)
    outline(op);
}

void TilePass::outline(GroupedMatmulOp op) {
  ModuleOp module = getOperation();
  OpBuilder builder = OpBuilder::atBlockEnd(module.getBody());
  module->setAttr(gpu::GPUDialect::getContainerModuleAttrName(),
                  builder.getUnitAttr());
  std::string name = "mxfp4";
  if (auto function = op->getParentOfType<FunctionOpInterface>())
    name = "mxfp4_" + function.getName().str();

  auto gpuModule = gpu::GPUModuleOp::create(builder, op.getLoc(), name);
  SymbolTable(module).insert(gpuModule); // Renames it if the name is taken.
  // The kernel's passes see no more than the gpu.module.
  gpuModule->setAttr(MXFP4Dialect::getTargetAttrName(),
                     TargetAttr::get(builder.getContext(), targetOf(op).chip));
  builder.setInsertionPointToStart(gpuModule.getBody());

  const SmallVector<KernelArgument> signature = kernelSignature(op);
  SmallVector<Type> arguments;
  for (const KernelArgument &argument : signature)
    arguments.push_back(argument.type);
  const Schedule schedule = op.getScheduleAttr().toSchedule();
  auto kernel =
      gpu::GPUFuncOp::create(builder, op.getLoc(), gpuModule.getName(),
                             builder.getFunctionType(arguments, {}));
  kernel->setAttr(gpu::GPUDialect::getKernelFuncAttrName(),
                  builder.getUnitAttr());
  kernel.setKnownBlockSizeAttr(
      builder.getDenseI32ArrayAttr({schedule.threads(), 1, 1}));
  kernel->setAttr(NVVM::NVVMDialect::getMinctasmAttrName(),
                  builder.getI32IntegerAttr(schedule.ctasPerMultiprocessor));
  kernel->setAttr("mxfp4.schedule", op.getScheduleAttr());
  for (auto [i, argument] : llvm::enumerate(signature))
    kernel.setArgAttr(i, MXFP4Dialect::getArgAttrName(), argument.attr);
  KernelBuilder(op, kernel).build();
  launch(op, kernel);
}

void TilePass::launch(GroupedMatmulOp op, gpu::GPUFuncOp kernel) {
  ImplicitLocOpBuilder b(op.getLoc(), op);
  const Schedule schedule = op.getScheduleAttr().toSchedule();
  auto constant = [&](int64_t value) -> Value {
    return arith::ConstantIndexOp::create(b, value);
  };
  Value rows = memref::DimOp::create(b, op.getActivations(), 0);
  rows = arith::IndexCastOp::create(b, b.getI32Type(), rows);
  SmallVector<Value> arguments(op->getOperands());
  arguments.push_back(rows);
  Value one = constant(1);
  const int64_t ctas = int64_t(targetOf(op).device.multiprocessors) *
                       schedule.ctasPerMultiprocessor;
  Value shared = arith::ConstantIntOp::create(
      b, b.getI32Type(),
      SharedMemoryMap(schedule, op.getNumGroups()).dynamicBytes());
  gpu::LaunchFuncOp::create(
      b, kernel, gpu::KernelDim3{constant(ctas), one, one},
      gpu::KernelDim3{constant(schedule.threads()), one, one}, shared,
      arguments);
  op.erase();
}
