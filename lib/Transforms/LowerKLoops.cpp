//===- LowerKLoops.cpp - Loops over K to scf ------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KernelBuilding.h"
#include "ProgramLowering.h"
#include "PromotedSums.h"

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
///
/// Instructions add to the matmul's accumulator, or to `own` sums if these are
/// given, from zeros where `accumulate` is false. Returns what they add to.
static Value multiplyBlocks(ImplicitLocOpBuilder &b, BlockMatmulOp op,
                            Value own = {}, Value accumulate = {}) {
  SmallVector<SmallVector<Value>> fetched;
  for (int64_t block = 0; block < op.getBlocks(); ++block)
    fetched.push_back(inlineRegion(b, op.getFetch(),
                                   {op.getSlot(), indexConstant(b, block)}));
  Value result = own ? own : op.getAccumulator();
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
    if (accumulate)
      sums.getDefiningOp<WgmmaOp>().getAccumulateMutable().assign(accumulate);
    sums = WgmmaWaitOp::create(b, sums.getType(), sums);
    result =
        vector::InsertOp::create(b, sums, result, ArrayRef<int64_t>{block});
  }
  return result;
}

/// A step of a loop whose instructions have sums of their own, `own`, which are
/// added to the accumulator at intervals and in the last step. Returns the
/// sums.
static Value lowerPromoted(BlockMatmulOp op, Value own, Value number,
                           Value count) {
  ImplicitLocOpBuilder b(op.getLoc(), op);
  own = multiplyBlocks(b, op, own, emitIsGoingOn(b, op, number));
  Value isEnd = emitIsEnd(b, op, number, count);
  auto choice =
      scf::IfOp::create(b, op.getType(), isEnd, /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(choice.thenBlock());
  scf::YieldOp::create(b, addSums(b, op.getAccumulator(), own));
  b.setInsertionPointToStart(choice.elseBlock());
  scf::YieldOp::create(b, op.getAccumulator());
  op.replaceAllUsesWith(choice.getResult(0));
  op.erase();
  return own;
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

/// Whether the loop of a role is unrolled by the slots that it has in a ring.
static bool takesTurns(KLoopOp loop) {
  const Schedule schedule = loop.getSchedule().toSchedule();
  auto matmul = loop.getOnly<BlockMatmulOp>();
  return loop.drains() && loop.getSlice() && schedule.versionLoops &&
         !schedule.overlapDecode && matmul && matmul.getStepsOfSum() == 0;
}

/// A step of a loop that drains a ring, as part of an unrolled loop.
static SmallVector<Value> emitStep(ImplicitLocOpBuilder &b, KLoopOp loop,
                                   Value number, Value cursor,
                                   ValueRange carried) {
  SmallVector<Value> arguments = {number, cursor};
  llvm::append_range(arguments, carried);
  RingWaitOp::create(b, loop.getRing(), cursor);
  SmallVector<Value> yielded = inlineRegion(b, loop.getBody(), arguments);
  RingReleaseOp::create(b, loop.getRing(), cursor, /*one_thread=*/false);
  return yielded;
}

/// The steps of one turn of the ring. If tiles begin and end within turns, a
/// step is in a branch.
static SmallVector<Value> emitTurn(ImplicitLocOpBuilder &b, KLoopOp loop,
                                   const Steps &steps, Value begin,
                                   Value parity, int64_t slots, bool isWhole,
                                   SmallVector<Value> carried) {
  const auto type = cast<CursorType>(loop.getCursor().getType());
  for (int64_t slot = 0; slot < slots; ++slot) {
    Value ofTile = arith::AddIOp::create(b, begin, indexConstant(b, slot));
    Value number =
        steps.begin ? arith::AddIOp::create(b, ofTile, steps.begin) : ofTile;
    Value at = arith::AddIOp::create(b, loop.getSlice(),
                                     indexConstant(b, slot * type.getStep()));
    Value cursor =
        UnrealizedConversionCastOp::create(b, type, ValueRange{at, parity})
            .getResult(0);
    if (isWhole) {
      carried = emitStep(b, loop, number, cursor, carried);
      continue;
    }
    // A number below 0 is more than any count.
    Value isOfTile = arith::CmpIOp::create(b, arith::CmpIPredicate::ult, ofTile,
                                           steps.count);
    auto branch = scf::IfOp::create(b, ValueRange(carried).getTypes(), isOfTile,
                                    /*withElseRegion=*/true);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(branch.thenBlock());
    scf::YieldOp::create(b, emitStep(b, loop, number, cursor, carried));
    b.setInsertionPointToStart(branch.elseBlock());
    scf::YieldOp::create(b, carried);
    carried = SmallVector<Value>(branch.getResults());
  }
  return carried;
}

/// Unrolls a loop by the slots that its role has in the ring, so that all
/// addresses and descriptors are known ahead of the loop: each iteration is a
/// turn of the ring. All loops of a ring have the same steps. Where these are
/// whole turns, each tile begins with a turn.
static void lowerTurns(KLoopOp loop) {
  ImplicitLocOpBuilder b(loop.getLoc(), loop);
  const auto type = cast<CursorType>(loop.getCursor().getType());
  const int64_t slots = type.getSlots() / type.getStep();
  // ptxas serialises the multiplications of a loop of one iteration, which
  // begin with zeros.
  const bool isWhole = llvm::all_of(
      sliceCounts(loop.getSchedule().toSchedule(), loop.getSteps()),
      [&](int64_t count) { return count > slots && count % slots == 0; });
  const Steps steps = stepsOf(b, loop);
  auto start = UnrealizedConversionCastOp::create(
      b, TypeRange{b.getIndexType(), b.getI32Type()}, loop.getCursor());
  Value begin = indexConstant(b, 0);
  if (!isWhole) {
    Value distance =
        arith::SubIOp::create(b, start.getResult(0), loop.getSlice());
    begin = arith::SubIOp::create(
        b, begin,
        arith::DivUIOp::create(b, distance, indexConstant(b, type.getStep())));
  }
  SmallVector<Value> inits(loop.getInits());
  inits.push_back(start.getResult(1));
  auto lowered = scf::ForOp::create(
      b, begin, steps.count, indexConstant(b, slots), inits,
      [&](OpBuilder &builder, Location, Value number, ValueRange carried) {
        b.restoreInsertionPoint(builder.saveInsertionPoint());
        SmallVector<Value> yielded =
            emitTurn(b, loop, steps, number, carried.back(), slots, isWhole,
                     SmallVector<Value>(carried.drop_back()));
        yielded.push_back(
            arith::XOrIOp::create(b, carried.back(), i32Constant(b, 1)));
        scf::YieldOp::create(b, yielded);
      });
  if (!loop.getLastCursor().use_empty())
    loop.getLastCursor().replaceAllUsesWith(skipSteps(b, loop));
  for (auto [result, value] :
       llvm::zip(loop.getResults().drop_back(), lowered.getResults()))
    result.replaceAllUsesWith(value);
  SmallVector<BlockMatmulOp> matmuls;
  lowered.walk([&](BlockMatmulOp matmul) { matmuls.push_back(matmul); });
  for (BlockMatmulOp matmul : matmuls) {
    b.setInsertionPoint(matmul);
    matmul.replaceAllUsesWith(multiplyBlocks(b, matmul));
    matmul.erase();
  }
  loop.erase();
}

void mxfp4::lowerKLoop(KLoopOp loop) {
  ImplicitLocOpBuilder b(loop.getLoc(), loop);
  if (takesTurns(loop))
    return lowerTurns(loop);
  const Steps steps = stepsOf(b, loop);
  SmallVector<Value> inits(loop.getInits());
  if (loop.getRing())
    inits.push_back(loop.getCursor());
  const Value own = ownSums(b, loop);
  if (own)
    inits.push_back(own);
  auto lowered = scf::ForOp::create(
      b, indexConstant(b, 0), steps.count, indexConstant(b, 1), inits,
      [&](OpBuilder &builder, Location, Value number, ValueRange carried) {
        b.restoreInsertionPoint(builder.saveInsertionPoint());
        const ValueRange all = carried;
        if (own)
          carried = carried.drop_back();
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
        if (own)
          yielded.push_back(all.back());
        scf::YieldOp::create(b, yielded);
      });
  SmallVector<BlockMatmulOp> matmuls(
      lowered.getBody()->getOps<BlockMatmulOp>());
  for (BlockMatmulOp matmul : matmuls) {
    if (own) {
      Value sums = lowerPromoted(matmul, lowered.getRegionIterArgs().back(),
                                 lowered.getInductionVar(), steps.count);
      lowered.getBody()->getTerminator()->setOperand(inits.size() - 1, sums);
      continue;
    }
    b.setInsertionPoint(matmul);
    matmul.replaceAllUsesWith(multiplyBlocks(b, matmul));
    matmul.erase();
  }
  loop.replaceAllUsesWith(
      lowered.getResults().take_front(loop.getNumResults()));
  loop.erase();
}
