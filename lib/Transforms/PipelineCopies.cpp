//===- PipelineCopies.cpp - Keep several stages of copies in flight -------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KernelRemarks.h"

#include "mxfp4/IR/MXFP4.h"
#include "mxfp4/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "llvm/Support/FormatVariadic.h"

namespace mxfp4 {
#define GEN_PASS_DEF_PIPELINECOPIES
#include "mxfp4/Transforms/Passes.h.inc"
} // namespace mxfp4

using namespace mlir;
using namespace mxfp4;

namespace {

constexpr StringLiteral kPass = "mxfp4-pipeline-copies";

OpOperand &slotOf(Operation &copy) {
  if (auto weights = dyn_cast<CopyWeightsOp>(copy))
    return weights.getSlotMutable();
  if (auto gathered = dyn_cast<GatherActivationsOp>(copy))
    return gathered.getSlotMutable();
  return cast<CopyActivationsOp>(copy).getSlotMutable();
}

/// Rewrites one loop over K.
class CopyPipeliner {
public:
  explicit CopyPipeliner(KLoopOp loop) : loop(loop), b(loop.getLoc(), loop) {}

  LogicalResult run();

private:
  LogicalResult collect();
  Value index(int64_t value) {
    return arith::ConstantIndexOp::create(b, value);
  }
  /// Copies step `step` to `slot` if there is such a step, and closes the
  /// group either way: `wait_group` counts groups, full or empty.
  void emitCopies(Value step, Value slot);
  /// (slot + 1) modulo the number of stages.
  Value emitNextSlot(Value slot);

  KLoopOp loop;
  ImplicitLocOpBuilder b;
  int64_t stages = 0;
  SmallVector<Operation *> copies;
  TileMatmulOp matmul;
};

} // namespace

LogicalResult CopyPipeliner::collect() {
  // Slots are counted by the staged buffers.
  matmul = loop.getOnly<TileMatmulOp>();
  if (!matmul || loop.getInits().size() != 1)
    return loop.emitOpError("requires one mxfp4.tile_matmul and its sums to be "
                            "pipelined");
  stages = cast<MemRefType>(matmul.getWeights().getType()).getDimSize(0);
  if (stages < 2)
    return matmul.emitOpError("requires staged buffers of at least 2 slots to "
                              "be pipelined");
  const auto isInside = [&](Value value) {
    return value.getParentRegion() == &loop.getBody();
  };
  for (Operation &op : loop.getBody().front().without_terminator()) {
    if (isa<CopyWeightsOp, CopyActivationsOp, GatherActivationsOp>(op)) {
      copies.push_back(&op);
      for (Value operand : op.getOperands())
        if (operand != loop.getStep() && operand != slotOf(op).get() &&
            isInside(operand))
          return op.emitOpError("requires operands from outside its loop, "
                                "other than step and slot, to be pipelined");
    } else if (!isa<TileMatmulOp>(op) && !isMemoryEffectFree(&op)) {
      return op.emitOpError("has no place in a mxfp4.k_loop that is pipelined: "
                            "only copies and one mxfp4.tile_matmul have");
    }
  }
  if (copies.empty())
    return loop.emitOpError("requires copies to be pipelined");
  return success();
}

void CopyPipeliner::emitCopies(Value step, Value slot) {
  Value exists = arith::CmpIOp::create(b, arith::CmpIPredicate::ult, step,
                                       index(loop.getSteps()));
  scf::IfOp::create(b, exists, [&](OpBuilder &then, Location loc) {
    IRMapping mapping;
    mapping.map(loop.getStep(), step);
    for (Operation *copy : copies) {
      slotOf(*then.clone(*copy, mapping)).set(slot);
    }
    scf::YieldOp::create(then, loc);
  });
  NVVM::CpAsyncCommitGroupOp::create(b);
}

Value CopyPipeliner::emitNextSlot(Value slot) {
  Value next = arith::AddIOp::create(b, slot, index(1));
  Value wraps =
      arith::CmpIOp::create(b, arith::CmpIPredicate::eq, next, index(stages));
  return arith::SelectOp::create(b, wraps, index(0), next);
}

LogicalResult CopyPipeliner::run() {
  if (failed(collect()))
    return failure();
  passedOn(loop, kPass, "loop", [&] {
    return llvm::formatv("copies of {0} steps are in flight while one of {1} "
                         "stages is read",
                         stages - 1, stages)
        .str();
  });
  for (int64_t step = 0; step < stages - 1; ++step)
    emitCopies(index(step), index(step));

  // Slots of the step that is computed and of the step that is copied.
  auto pipelined = scf::ForOp::create(
      b, index(0), index(loop.getSteps()), index(1),
      ValueRange{loop.getInits()[0], index(0), index(stages - 1)});
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(pipelined.getBody());
    Value accumulator = pipelined.getRegionIterArg(0);
    Value readSlot = pipelined.getRegionIterArg(1);
    Value writeSlot = pipelined.getRegionIterArg(2);
    // All but the newest S - 2 groups have landed for this thread; the barrier
    // says so for all threads, and that all are done with the slot that the
    // next copy overwrites.
    NVVM::CpAsyncWaitGroupOp::create(b, stages - 2);
    gpu::BarrierOp::create(b);
    Value ahead = arith::AddIOp::create(b, pipelined.getInductionVar(),
                                        index(stages - 1));
    emitCopies(ahead, writeSlot);
    Value next = TileMatmulOp::create(
        b, accumulator.getType(), accumulator, matmul.getWeights(), readSlot,
        matmul.getActivations(), matmul.getTokens(), matmul.getSchedule());
    scf::YieldOp::create(
        b, ValueRange{next, emitNextSlot(readSlot), emitNextSlot(writeSlot)});
  }
  // The groups left are empty; the slots belong to the next tile now.
  gpu::BarrierOp::create(b);
  loop.getResult(0).replaceAllUsesWith(pipelined.getResult(0));
  loop.erase();
  return success();
}

namespace {

struct PipelineCopiesPass
    : mxfp4::impl::PipelineCopiesBase<PipelineCopiesPass> {
  using PipelineCopiesBase::PipelineCopiesBase;

  void runOnOperation() override {
    SmallVector<KLoopOp> loops;
    getOperation()->walk([&](KLoopOp loop) {
      if (loop.getRing())
        missedOn(loop, kPass, "loop",
                 [] { return "copies go through a ring, by other warps"; });
      else if (traitsOf(loop.getSchedule().getInstruction()).isAsynchronous)
        missedOn(loop, kPass, "loop",
                 [] { return "its instruction has copies by other warps"; });
      else
        loops.push_back(loop);
    });
    for (KLoopOp loop : loops)
      if (failed(CopyPipeliner(loop).run()))
        return signalPassFailure();
    numPipelined += loops.size();
  }
};

} // namespace
