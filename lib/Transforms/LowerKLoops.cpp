//===- LowerKLoops.cpp - Loops over K to scf ------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KernelBuilding.h"
#include "ProgramLowering.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace mxfp4;

namespace {
/// The steps that a loop runs: all of them, or those of a K slice.
struct Steps {
  Value count;
  /// The first, or null for 0.
  Value begin;
};
} // namespace

static Steps stepsOf(ImplicitLocOpBuilder &b, KLoopOp loop) {
  if (!loop.getSlice())
    return {indexConstant(b, loop.getSteps()), Value()};
  const Schedule schedule = loop.getSchedule().toSchedule();
  SmallVector<int64_t> begins;
  for (int number = 0; number < schedule.kSlices; ++number)
    begins.push_back(schedule.sliceSteps(number, loop.getSteps()).begin);
  Value count =
      ofSlice(b, loop.getSlice(), sliceCounts(schedule, loop.getSteps()));
  return {count, ofSlice(b, loop.getSlice(), begins)};
}

/// Block after block of 64 rows: decode, multiply, wait. All are loaded ahead,
/// so that those behind the first arrive while it is decoded; ptxas would not
/// move loads across what waits for a multiplication.
static void lowerBlocks(BlockMatmulOp op) {
  ImplicitLocOpBuilder b(op.getLoc(), op);
  SmallVector<SmallVector<Value>> fetched;
  for (int64_t block = 0; block < op.getBlocks(); ++block)
    fetched.push_back(inlineRegion(b, op.getFetch(),
                                   {op.getSlot(), indexConstant(b, block)}));
  Value result = op.getAccumulator();
  for (int64_t block = 0; block < op.getBlocks(); ++block) {
    const int64_t buffer = block % 2;
    // A warp could write a block while another warp still reads the one that
    // was in its buffer.
    if (op.decodesToShared())
      SyncWarpgroupOp::create(b);
    SmallVector<Value> values =
        inlinePart(b, op.getDecode(), fetched[block], buffer);
    Value sums = vector::ExtractOp::create(b, result, ArrayRef<int64_t>{block});
    values.insert(values.begin(), {op.getSlot(), sums});
    sums = inlinePart(b, op.getMultiply(), values, buffer).front();
    sums = WgmmaWaitOp::create(b, sums.getType(), sums);
    result =
        vector::InsertOp::create(b, sums, result, ArrayRef<int64_t>{block});
  }
  op.replaceAllUsesWith(result);
  op.erase();
}

/// Without a ring, all threads of the CTA meet between a copy and what reads
/// it, and between that and the next copy.
static SmallVector<Value> inlineSynchronously(ImplicitLocOpBuilder &b,
                                              KLoopOp loop,
                                              ArrayRef<Value> arguments) {
  SmallVector<Value> yielded = inlineRegion(b, loop.getBody(), arguments);
  Operation *lastCopy = nullptr;
  for (Operation &op : *b.getInsertionBlock())
    if (isa<CopyActivationsOp, GatherActivationsOp, CopyWeightsOp>(op))
      lastCopy = &op;
  if (!lastCopy)
    return yielded;
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointAfter(lastCopy);
  NVVM::CpAsyncCommitGroupOp::create(b);
  NVVM::CpAsyncWaitGroupOp::create(b, 0);
  gpu::BarrierOp::create(b);
  b.setInsertionPointToEnd(b.getInsertionBlock());
  gpu::BarrierOp::create(b);
  return yielded;
}

void mxfp4::lowerKLoop(KLoopOp loop) {
  ImplicitLocOpBuilder b(loop.getLoc(), loop);
  const Steps steps = stepsOf(b, loop);
  SmallVector<Value> inits(loop.getInits());
  if (loop.getRing())
    inits.push_back(loop.getCursor());
  auto lowered = scf::ForOp::create(
      b, indexConstant(b, 0), steps.count, indexConstant(b, 1), inits,
      [&](OpBuilder &builder, Location, Value number, ValueRange carried) {
        b.restoreInsertionPoint(builder.saveInsertionPoint());
        if (steps.begin)
          number = arith::AddIOp::create(b, number, steps.begin);
        SmallVector<Value> arguments = {number};
        if (!loop.getRing()) {
          llvm::append_range(arguments, carried);
          scf::YieldOp::create(b, inlineSynchronously(b, loop, arguments));
          return;
        }
        Value cursor = carried.back();
        arguments.push_back(cursor);
        llvm::append_range(arguments, carried.drop_back());
        if (loop.getFills())
          RingAcquireOp::create(b, loop.getRing(), cursor);
        else
          RingWaitOp::create(b, loop.getRing(), cursor);
        SmallVector<Value> yielded = inlineRegion(b, loop.getBody(), arguments);
        if (loop.drains())
          RingReleaseOp::create(b, loop.getRing(), cursor,
                                /*one_thread=*/false);
        yielded.push_back(RingNextOp::create(b, cursor, loop.getSlice()));
        scf::YieldOp::create(b, yielded);
      });
  SmallVector<BlockMatmulOp> matmuls(
      lowered.getBody()->getOps<BlockMatmulOp>());
  for (BlockMatmulOp matmul : matmuls)
    lowerBlocks(matmul);
  loop.replaceAllUsesWith(lowered.getResults());
  loop.erase();
}
