//===- SpecializeWarps.cpp - Split into a producer and consumers ----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KSlices.h"
#include "StagePosition.h"

#include "mxfp4/Core/Resources.h"
#include "mxfp4/IR/MXFP4.h"
#include "mxfp4/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/SymbolTable.h"

namespace mxfp4 {
#define GEN_PASS_DEF_SPECIALIZEWARPS
#include "mxfp4/Transforms/Passes.h.inc"
} // namespace mxfp4

using namespace mlir;
using namespace mxfp4;

namespace {

/// Splits one kernel.
class Splitter {
public:
  /// `program`: which of the kernel's loops over tiles.
  Splitter(gpu::GPUFuncOp kernel, scf::ForOp tiles, ScheduleAttr attr,
           int64_t program)
      : kernel(kernel), tiles(tiles), attr(attr), schedule(attr.toSchedule()),
        program(program), b(tiles.getLoc(), tiles) {}

  LogicalResult run();

private:
  Value index(int64_t value) {
    return arith::ConstantIndexOp::create(b, value);
  }
  Value i32(int64_t value) {
    return arith::ConstantIntOp::create(b, b.getI32Type(), value);
  }
  void createBarriers();
  LogicalResult useTensorMap();
  Value stageBytes(Value rows);
  void copyActivations(CopyActivationsOp copy, StagePosition at);
  void copyWeights(CopyWeightsOp copy, StagePosition at, Value part);
  Value makeUniform(Value number);
  void produceStep(scf::ForOp steps, StagePosition at);
  void consumeStep(scf::ForOp steps, StagePosition at);
  void setRole(scf::ForOp loop, StringRef role) {
    loop->setAttr("mxfp4.role", b.getStringAttr(role));
    if (program != 0)
      loop->setAttr("mxfp4.program", b.getI64IntegerAttr(program));
  }
  void enterOneThread(arith::CmpIPredicate predicate, Value warp,
                      int64_t number);
  void buildScheduler();
  void buildProducer(Value warp);
  void buildConsumer(Value warp);

  gpu::GPUFuncOp kernel;
  scf::ForOp tiles;
  ScheduleAttr attr;
  Schedule schedule;
  const int64_t program;
  ImplicitLocOpBuilder b;
  Value full, empty;
  /// K slice of the role that is being built (index), if there are several.
  Value slice;
  /// Which of the threads that copy this one is (index), if there are several.
  Value copier;
};

} // namespace

/// What a step copies and how it waits, before the split.
static bool isSynchronous(Operation *op) {
  return isa<CopyActivationsOp, CopyWeightsOp, NVVM::CpAsyncCommitGroupOp,
             NVVM::CpAsyncWaitGroupOp, gpu::BarrierOp>(op);
}

/// What the split relies on: what mxfp4-tile builds, and nothing else in it.
static LogicalResult checkLoops(scf::ForOp tiles, scf::ForOp steps,
                                ScheduleAttr attr) {
  const Schedule schedule = attr.toSchedule();
  Operation *nest = steps->getParentOp();
  if (auto branch = dyn_cast<scf::IfOp>(nest))
    if (steps->getBlock() == branch.thenBlock() && branch.elseBlock())
      nest = nest->getParentOp();
  SmallVector<StoreTileOp> stores(tiles.getOps<StoreTileOp>());
  if (nest != tiles || tiles.getNumResults() != 0 || stores.size() != 1 ||
      !isa<LocateTileOp>(tiles.getBody()->front()))
    return tiles.emitOpError("requires a body that finds its tile "
                             "(mxfp4.locate_tile), loops over K, perhaps in a "
                             "branch, and stores its sums (mxfp4.store_tile)");
  const auto count = [&](auto ops) {
    return std::distance(ops.begin(), ops.end());
  };
  if (count(steps.getOps<CopyActivationsOp>()) != 1 ||
      count(steps.getOps<CopyWeightsOp>()) != 1 ||
      count(steps.getOps<TileMatmulOp>()) != 1 || steps.getNumResults() != 1)
    return steps.emitOpError(
        "requires one copy of activations, one of weights, "
        "one mxfp4.tile_matmul and its accumulator");
  TileMatmulOp matmul = *steps.getOps<TileMatmulOp>().begin();
  const int64_t slots =
      cast<MemRefType>(matmul.getWeights().getType()).getDimSize(0);
  if (matmul.getSchedule() != attr || slots != schedule.stages)
    return matmul.emitOpError(
        "requires the schedule of its kernel, and as many "
        "slots as it has stages");
  const std::optional<llvm::APInt> trips = steps.getStaticTripCount();
  const auto slices = static_cast<uint64_t>(schedule.kSlices);
  if (slices > 1 && schedule.overlapDecode &&
      (!trips || trips->urem(slices) != 0))
    return steps.emitOpError() << "requires a constant number of steps that "
                               << slices << " K slices share evenly";
  if (slices > 1 && (!trips || trips->ult(slices)))
    return steps.emitOpError() << "requires a constant number of steps, one or "
                                  "more for each of "
                               << slices << " K slices";
  return success();
}

/// Two arrays of barriers, set up ahead of the barrier that the tile table
/// needs anyway.
void Splitter::createBarriers() {
  auto space =
      gpu::AddressSpaceAttr::get(b.getContext(), gpu::AddressSpace::Workgroup);
  auto type =
      MemRefType::get({schedule.stages}, b.getI64Type(), AffineMap(), space);
  full = kernel.addWorkgroupAttribution(type, b.getLoc());
  empty = kernel.addWorkgroupAttribution(type, b.getLoc());
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(&kernel.getBody().front());
  InitBarriersOp::create(b, full, /*count=*/1);
  InitBarriersOp::create(b, empty, schedule.sliceWarps());
  NVVM::FenceMbarrierInitOp::create(b);
}

/// The activations argument becomes a tensor map, here and at the launch.
LogicalResult Splitter::useTensorMap() {
  auto map = TensorMapType::get(b.getContext(), schedule.tileTokens,
                                schedule.tokenStep);
  // The accessor would not expect the map that another program has put there.
  BlockArgument activations;
  tiles.walk([&](CopyActivationsOp op) {
    activations = dyn_cast<BlockArgument>(op->getOperand(0));
  });
  if (activations && activations.getType() == map)
    return success();
  if (!activations || activations.getOwner() != &kernel.getBody().front())
    return kernel.emitOpError("requires activations that are an argument of "
                              "the kernel");
  const unsigned number = activations.getArgNumber();
  std::optional<SymbolTable::UseRange> uses = SymbolTable::getSymbolUses(
      kernel.getOperation(), kernel->getParentOfType<ModuleOp>());
  for (SymbolTable::SymbolUse use : *uses)
    if (auto launch = dyn_cast<gpu::LaunchFuncOp>(use.getUser())) {
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPoint(launch);
      Value source = launch.getKernelOperands()[number];
      launch.getKernelOperandsMutable().slice(number, 1).assign(
          MakeTensorMapOp::create(b, map, source));
    }
  const StringRef name = MXFP4Dialect::getArgAttrName();
  if (auto arg = kernel.getArgAttrOfType<ArgAttr>(number, name))
    kernel.setArgAttr(number, name,
                      arg.mapping(cast<MemRefType>(activations.getType())));
  SmallVector<Type> inputs(kernel.getFunctionType().getInputs());
  inputs[number] = map;
  kernel.setFunctionType(b.getFunctionType(inputs, {}));
  activations.setType(map);
  return success();
}

/// Bytes of a stage with so many rows of activations: whole boxes are copied.
Value Splitter::stageBytes(Value rows) {
  if (schedule.tokenStep == 0)
    return i32(schedule.weightStageBytes() + schedule.activationStageBytes());
  Value count = arith::IndexCastOp::create(b, b.getI32Type(), rows);
  Value boxes = arith::CeilDivUIOp::create(b, count, i32(schedule.tokenStep));
  const int box = schedule.activationStageBytes() / schedule.tileTokens *
                  schedule.tokenStep;
  return arith::AddIOp::create(b, arith::MulIOp::create(b, boxes, i32(box)),
                               i32(schedule.weightStageBytes()));
}

/// Announces the bytes of a stage, and copies its activations.
void Splitter::copyActivations(CopyActivationsOp copy, StagePosition at) {
  ExpectBytesOp::create(b, full, at.slot, stageBytes(copy.getValid()));
  // Its source is a tensor map by now, which the accessor does not expect.
  TensorCopyActivationsOp::create(b, copy->getOperand(0), copy.getRow(),
                                  copy.getStep(), copy.getValid(),
                                  copy.getDestination(), at.slot, full);
}

/// Copies the weights of a stage, or a part of them.
void Splitter::copyWeights(CopyWeightsOp copy, StagePosition at, Value part) {
  BulkCopyWeightsOp::create(
      b, copy.getSource(), copy.getExpert(), copy.getBlock(), copy.getStep(),
      copy.getDestination(), at.slot, full, part,
      part ? b.getI64IntegerAttr(schedule.copyWarps - 1) : IntegerAttr(),
      schedule.evictFirst);
}

/// Waits for the slot to be free, and refills it.
void Splitter::produceStep(scf::ForOp steps, StagePosition at) {
  SmallVector<Operation *> old;
  for (Operation &op : steps.getBody()->without_terminator())
    old.push_back(&op);
  // Behind the number of the step, in front of what it replaces.
  b.setInsertionPoint(*llvm::find_if(old, isSynchronous));
  // Parity 1 of a fresh barrier is complete: the first round does not wait.
  Value free = arith::XOrIOp::create(b, at.parity, i32(1));
  WaitBarrierOp::create(b, empty, at.slot, free);
  CopyActivationsOp activations;
  CopyWeightsOp weights;
  for (Operation *op : old) {
    if (auto copy = dyn_cast<CopyActivationsOp>(op))
      activations = copy;
    if (auto copy = dyn_cast<CopyWeightsOp>(op))
      weights = copy;
    if (auto matmul = dyn_cast<TileMatmulOp>(op))
      matmul.replaceAllUsesWith(matmul.getAccumulator());
  }
  if (copier) {
    // The bytes of all count from the first thread's arrival: no phase
    // completes without it.
    Value isFirst =
        arith::CmpIOp::create(b, arith::CmpIPredicate::eq, copier, index(0));
    auto roles = scf::IfOp::create(b, isFirst, /*withElseRegion=*/true);
    b.setInsertionPointToStart(roles.thenBlock());
    copyActivations(activations, at);
    b.setInsertionPointToStart(roles.elseBlock());
    copyWeights(weights, at, arith::SubIOp::create(b, copier, index(1)));
  } else {
    copyActivations(activations, at);
    copyWeights(weights, at, Value());
  }
  for (Operation *op : llvm::reverse(old))
    if (isSynchronous(op) || isa<TileMatmulOp>(op))
      op->erase();
}

/// A number (index, 32 bits of it used) that is the same in all lanes, made
/// known to be: wgmma must not stand in a branch that could diverge.
Value Splitter::makeUniform(Value number) {
  number = arith::IndexCastOp::create(b, b.getI32Type(), number);
  number = gpu::ShuffleOp::create(b, number, 0, 32, gpu::ShuffleMode::IDX)
               .getShuffleResult();
  return arith::IndexCastOp::create(b, b.getIndexType(), number);
}

/// Waits for the slot to be full, multiplies, and frees it.
void Splitter::consumeStep(scf::ForOp steps, StagePosition at) {
  SmallVector<Operation *> old;
  for (Operation &op : steps.getBody()->without_terminator())
    old.push_back(&op);
  for (Operation *op : old) {
    b.setInsertionPoint(op);
    if (auto matmul = dyn_cast<TileMatmulOp>(op)) {
      WaitBarrierOp::create(b, full, at.slot, at.parity);
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPoint(steps);
      matmul.getTokensMutable().assign(makeUniform(matmul.getTokens()));
      matmul.getSlotMutable().assign(at.slot);
      b.setInsertionPointAfter(matmul);
      ArriveBarrierOp::create(b, empty, at.slot);
    } else if (isSynchronous(op)) {
      op->erase();
    }
  }
  if (schedule.overlapDecode)
    steps->setAttr("mxfp4.overlap", b.getUnitAttr());
}

/// One thread of the warps whose number compares so.
void Splitter::enterOneThread(arith::CmpIPredicate predicate, Value warp,
                              int64_t number) {
  Value isMine = arith::CmpIOp::create(b, predicate, warp, index(number));
  auto warps = scf::IfOp::create(b, isMine);
  b.setInsertionPointToStart(warps.thenBlock());
  Value elected = NVVM::ElectSyncOp::create(b, b.getI1Type(), Value());
  auto oneThread = scf::IfOp::create(b, elected);
  b.setInsertionPointToStart(oneThread.thenBlock());
}

/// Walks the tiles, and does nothing with them yet: see mxfp4-share-tiles.
void Splitter::buildScheduler() {
  auto loop = cast<scf::ForOp>(b.cloneWithoutRegions(*tiles));
  Block *body =
      b.createBlock(&loop.getRegion(), {}, b.getIndexType(), b.getLoc());
  IRMapping mapping;
  mapping.map(tiles.getInductionVar(), body->getArgument(0));
  b.clone(*tiles.getBody()->begin(), mapping);
  scf::YieldOp::create(b);
  setRole(loop, "schedule");
  b.setInsertionPointAfter(loop);
}

void Splitter::buildProducer(Value warp) {
  if (schedule.producerRegisters)
    NVVM::SetMaxRegisterOp::create(b, schedule.producerRegisters,
                                   NVVM::SetMaxRegisterAction::decrease);
  const int64_t first = schedule.consumerWarps();
  const int64_t scheduler = first + schedule.copyWarps;
  enterOneThread(arith::CmpIPredicate::eq, warp, scheduler);
  buildScheduler();
  b.setInsertionPointAfter(b.getInsertionBlock()->getParentOp()->getParentOp());
  enterOneThread(arith::CmpIPredicate::ult, warp, scheduler);
  if (schedule.copyWarps > 1) {
    Value number = arith::SubIOp::create(b, warp, index(first));
    (schedule.kSlices > 1 ? slice : copier) = number;
  }
  auto loop = cast<scf::ForOp>(b.clone(*tiles));
  setRole(loop, "copy");
  SmallVector<Operation *> stores;
  loop.walk([&](StoreTileOp op) { stores.push_back(op); });
  for (Operation *store : stores)
    store->erase();
  if (slice)
    takeSteps(b, findSteps(loop).front(), schedule, slice);
  carryPosition(
      b, loop, schedule, slice,
      [&](scf::ForOp steps, StagePosition at) { produceStep(steps, at); });
}

void Splitter::buildConsumer(Value warp) {
  slice = copier = Value();
  if (schedule.kSlices > 1)
    slice = arith::DivUIOp::create(b, warp, index(schedule.sliceWarps()));
  if (const int registers = RegisterBudget(schedule, targetOf(kernel)).consumer)
    NVVM::SetMaxRegisterOp::create(b, registers,
                                   NVVM::SetMaxRegisterAction::increase);
  auto loop = cast<scf::ForOp>(b.clone(*tiles));
  setRole(loop, "multiply");
  if (slice) {
    StoreTileOp store;
    loop.walk([&](StoreTileOp op) { store = op; });
    storeSum(b, store, schedule, slice);
    takeSteps(b, findSteps(loop).front(), schedule, slice);
  }
  carryPosition(
      b, loop, schedule, slice,
      [&](scf::ForOp steps, StagePosition at) { consumeStep(steps, at); });
}

LogicalResult Splitter::run() {
  createBarriers();
  if (failed(useTensorMap()))
    return failure();
  b.setInsertionPoint(tiles);
  Value thread = gpu::ThreadIdOp::create(b, gpu::Dimension::x);
  Value warp = makeUniform(arith::DivUIOp::create(b, thread, index(32)));
  Value isProducer = arith::CmpIOp::create(b, arith::CmpIPredicate::uge, warp,
                                           index(schedule.consumerWarps()));
  auto roles = scf::IfOp::create(b, isProducer, /*withElseRegion=*/true);
  b.setInsertionPointToStart(roles.thenBlock());
  buildProducer(warp);
  b.setInsertionPointToStart(roles.elseBlock());
  buildConsumer(warp);
  tiles.erase();
  return success();
}

namespace {

struct SpecializeWarpsPass
    : mxfp4::impl::SpecializeWarpsBase<SpecializeWarpsPass> {
  using SpecializeWarpsBase::SpecializeWarpsBase;

  void runOnOperation() override {
    SmallVector<gpu::GPUFuncOp> kernels;
    getOperation()->walk([&](gpu::GPUFuncOp op) { kernels.push_back(op); });
    for (gpu::GPUFuncOp kernel : kernels) {
      auto attr = kernel->getAttrOfType<ScheduleAttr>("mxfp4.schedule");
      if (attr && attr.getInstruction() == Instruction::Wgmma &&
          failed(split(kernel, attr)))
        return signalPassFailure();
    }
  }

private:
  /// One loop over tiles, or one for the schedule and one for what it is side
  /// by side, in the branches of a choice.
  LogicalResult split(gpu::GPUFuncOp kernel, ScheduleAttr attr) {
    const Schedule schedule = attr.toSchedule();
    SmallVector<Splitter> programs;
    SmallPtrSet<Operation *, 2> seen;
    for (scf::ForOp steps : findSteps(kernel)) {
      scf::ForOp tiles = steps->getParentOfType<scf::ForOp>();
      Operation *around = tiles ? tiles->getParentOp() : nullptr;
      // No other branch: all threads of a CTA must take the same.
      if (schedule.sideBySide && isa_and_nonnull<scf::IfOp>(around))
        around = around->getParentOp();
      if (!tiles || around != kernel)
        return steps.emitOpError("requires a loop over tiles around it, "
                                 "directly in the kernel");
      if (!seen.insert(tiles).second)
        return steps.emitOpError("requires to be the only loop over K in its "
                                 "loop over tiles");
      ScheduleAttr own = attr;
      for (auto matmul : steps.getOps<TileMatmulOp>())
        if (schedule.sideBySide &&
            matmul.getSchedule().toSchedule() == schedule.tallProgram())
          own = matmul.getSchedule();
      if (failed(checkLoops(tiles, steps, own)))
        return failure();
      programs.emplace_back(kernel, tiles, own, programs.size());
    }
    for (Splitter &program : programs)
      if (failed(program.run()))
        return failure();
    return success();
  }
};

} // namespace
