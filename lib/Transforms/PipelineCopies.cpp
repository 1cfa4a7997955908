//===- PipelineCopies.cpp - Keep several stages of copies in flight -------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KernelBuilding.h"
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

constexpr StringLiteral kPipelineCopies = "mxfp4-pipeline-copies";

OpOperand &slotOf(Operation &copy) {
  if (auto weights = dyn_cast<CopyWeightsOp>(copy))
    return weights.getSlotMutable();
  if (auto gathered = dyn_cast<GatherActivationsOp>(copy))
    return gathered.getSlotMutable();
  return cast<CopyActivationsOp>(copy).getSlotMutable();
}

/// A loop over K that can be pipelined, and what its body holds.
struct CopyLoop {
  KLoopOp loop;
  SmallVector<Operation *> copies;
  TileMatmulOp matmul;
  /// Slots of the staged buffers.
  int64_t stages = 0;
};

} // namespace

static FailureOr<CopyLoop> findCopies(KLoopOp loop) {
  CopyLoop found = {loop, {}, loop.getOnly<TileMatmulOp>()};
  if (!found.matmul || loop.getInits().size() != 1)
    return loop.emitOpError("requires one mxfp4.tile_matmul and its sums to be "
                            "pipelined");
  // Slots are counted by the staged buffers.
  found.stages =
      cast<MemRefType>(found.matmul.getWeights().getType()).getDimSize(0);
  if (found.stages < 2)
    return found.matmul.emitOpError("requires staged buffers of at least 2 "
                                    "slots to be pipelined");
  const auto isInside = [&](Value value) {
    return value.getParentRegion() == &loop.getBody();
  };
  for (Operation &op : loop.getBody().front().without_terminator()) {
    if (isa<CopyWeightsOp, CopyActivationsOp, GatherActivationsOp>(op)) {
      found.copies.push_back(&op);
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
  if (found.copies.empty())
    return loop.emitOpError("requires copies to be pipelined");
  return found;
}

/// Copies step `step` to `slot` if there is such a step, and closes the group
/// either way: `wait_group` counts groups, full or empty.
static void emitCopies(ImplicitLocOpBuilder &b, const CopyLoop &found,
                       Value step, Value slot) {
  KLoopOp loop = found.loop;
  Value exists = arith::CmpIOp::create(b, arith::CmpIPredicate::ult, step,
                                       indexConstant(b, loop.getSteps()));
  scf::IfOp::create(b, exists, [&](OpBuilder &then, Location loc) {
    IRMapping mapping;
    mapping.map(loop.getStep(), step);
    for (Operation *copy : found.copies)
      slotOf(*then.clone(*copy, mapping)).set(slot);
    scf::YieldOp::create(then, loc);
  });
  NVVM::CpAsyncCommitGroupOp::create(b);
}

/// (slot + 1) modulo the number of stages.
static Value emitNextSlot(ImplicitLocOpBuilder &b, Value slot, int64_t stages) {
  Value next = arith::AddIOp::create(b, slot, indexConstant(b, 1));
  Value wraps = arith::CmpIOp::create(b, arith::CmpIPredicate::eq, next,
                                      indexConstant(b, stages));
  return arith::SelectOp::create(b, wraps, indexConstant(b, 0), next);
}

/// Replaces the loop by one that copies the step `stages` - 1 ahead of the step
/// that it multiplies.
static void pipeline(const CopyLoop &found) {
  KLoopOp loop = found.loop;
  TileMatmulOp matmul = found.matmul;
  const int64_t stages = found.stages;
  ImplicitLocOpBuilder b(loop.getLoc(), loop);
  for (int64_t step = 0; step < stages - 1; ++step)
    emitCopies(b, found, indexConstant(b, step), indexConstant(b, step));

  // Slots of the step that is computed and of the step that is copied.
  auto pipelined =
      scf::ForOp::create(b, indexConstant(b, 0),
                         indexConstant(b, loop.getSteps()), indexConstant(b, 1),
                         ValueRange{loop.getInits()[0], indexConstant(b, 0),
                                    indexConstant(b, stages - 1)});
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
                                        indexConstant(b, stages - 1));
    emitCopies(b, found, ahead, writeSlot);
    Value next = TileMatmulOp::create(
        b, accumulator.getType(), accumulator, matmul.getWeights(), readSlot,
        matmul.getActivations(), matmul.getTokens(), matmul.getSchedule(),
        matmul.getAccumulationAttr());
    scf::YieldOp::create(b, ValueRange{next, emitNextSlot(b, readSlot, stages),
                                       emitNextSlot(b, writeSlot, stages)});
  }
  // The groups left are empty; the slots belong to the next tile now.
  gpu::BarrierOp::create(b);
  loop.getResult(0).replaceAllUsesWith(pipelined.getResult(0));
  loop.erase();
}

namespace {

struct PipelineCopiesPass
    : mxfp4::impl::PipelineCopiesBase<PipelineCopiesPass> {
  using PipelineCopiesBase::PipelineCopiesBase;

  void runOnOperation() override {
    SmallVector<KLoopOp> loops;
    getOperation()->walk([&](KLoopOp loop) {
      if (loop.getRing())
        missedOn(loop, kPipelineCopies, "loop",
                 [] { return "copies go through a ring, by other warps"; });
      else if (traitsOf(loop.getSchedule().getInstruction()).isAsynchronous)
        missedOn(loop, kPipelineCopies, "loop",
                 [] { return "its instruction has copies by other warps"; });
      else
        loops.push_back(loop);
    });
    for (KLoopOp loop : loops) {
      FailureOr<CopyLoop> found = findCopies(loop);
      if (failed(found))
        return signalPassFailure();
      passedOn(loop, kPipelineCopies, "loop", [&] {
        return llvm::formatv("copies of {0} steps are in flight while one of "
                             "{1} stages is read",
                             found->stages - 1, found->stages)
            .str();
      });
      pipeline(*found);
    }
    numPipelined += loops.size();
  }
};

} // namespace
