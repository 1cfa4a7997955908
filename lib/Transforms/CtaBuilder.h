//===- CtaBuilder.h - Scalar code for the threads of a CTA ------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What the kernels of mxfp4-tile-routing are written in: loops and scalar
// arithmetic as LoopBuilder has them, threads, warps, and what the lanes of a
// warp do together. `index` has 32 bits in a kernel.
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_LIB_TRANSFORMS_CTABUILDER_H
#define MXFP4_LIB_TRANSFORMS_CTABUILDER_H

#include "LoopBuilder.h"

#include "mxfp4/Core/Warp.h"

#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

namespace mxfp4 {

class CtaBuilder : public LoopBuilder {
public:
  /// At the start of a block, for CTAs of `threads` threads, whole warps.
  CtaBuilder(mlir::Location loc, mlir::Block *block, int64_t threads);

  const int64_t threads;
  int64_t warps() const { return threads / kWarpThreads; }
  /// Numbers (index) of this thread, its warp and its lane; the CTA, and how
  /// many there are.
  Value thread, warp, lane, cta, ctas;

  /// A loop from `lower` in steps.
  void loopBy(Value lower, Value upper, Value step,
              llvm::function_ref<void(Value)> body);
  /// The share of 0 .. count - 1 that this thread has, and that its lane has.
  void threadLoop(Value count, llvm::function_ref<void(Value)> body) {
    loopBy(thread, count, index(threads), body);
  }
  void laneLoop(Value count, llvm::function_ref<void(Value)> body) {
    loopBy(lane, count, index(kWarpThreads), body);
  }
  /// A value of a branch, or another.
  Value ifElse(Value condition, llvm::function_ref<Value()> then,
               llvm::function_ref<Value()> otherwise);

  // Integers.
  /// A signed i32 as an index, and back.
  Value toIndex(Value value);
  Value toI32(Value value);
  Value isZero(Value value) {
    return compare(mlir::arith::CmpIPredicate::eq, value, 0);
  }
  Value less(Value a, Value b) {
    return compare(mlir::arith::CmpIPredicate::ult, a, b);
  }
  Value less(Value a, int64_t b) { return less(a, indexLike(a, b)); }
  Value add(Value a, Value b) { return op<mlir::arith::AddIOp>(a, b); }
  Value add(Value a, int64_t b) { return op<mlir::arith::AddIOp>(a, b); }
  Value sub(Value a, Value b) { return op<mlir::arith::SubIOp>(a, b); }
  Value mul(Value a, Value b) { return op<mlir::arith::MulIOp>(a, b); }
  Value mul(Value a, int64_t b) { return op<mlir::arith::MulIOp>(a, b); }
  Value min(Value a, Value b) { return op<mlir::arith::MinUIOp>(a, b); }
  /// a / b, rounded up; neither is negative.
  Value divideUp(Value a, int64_t b);
  Value divideUp(Value a, Value b);
  Value bitCount(Value value);

  // What all lanes of a warp do together.
  Value reduceMax(Value value);
  Value reduceMin(Value value);
  Value reduceAdd(Value value);
  /// The lanes with the same i32, as bits, if the values differ in the lowest
  /// `bits` at most. Quicker than `match.any`, which takes turns.
  Value matchLanes(Value value, int64_t bits);
  /// The value that the lane with this number (i32) has.
  Value shuffle(Value value, Value from);
  /// That of the lane whose number differs in these bits.
  Value exchange(Value value, int64_t bits);
  /// That of the lane `by` below; its own where no such lane exists.
  Value shuffleUp(Value value, int64_t by);
  /// A sum over groups of `group` lanes, a power of two: of halves, quarters,
  /// ...
  Value sumLanes(Value value, int64_t group = kWarpThreads);
  /// The sum of an i32 over this lane and those below.
  Value scanLanes(Value value);
  void syncWarp();
  void syncCta();

  /// memory[at] += value.
  void atomicAdd(Value value, Value memory, mlir::ValueRange at);
  /// ORs bits into an error word, if there is one.
  void report(Value error, int64_t bits);

private:
  Value indexLike(Value like, int64_t value);
};

} // namespace mxfp4

#endif // MXFP4_LIB_TRANSFORMS_CTABUILDER_H
