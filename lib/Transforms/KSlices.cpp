//===- KSlices.cpp - The share of a K slice in a tile ---------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KSlices.h"

#include "mxfp4/Core/Resources.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;
using namespace mxfp4;

static Value constant(ImplicitLocOpBuilder &b, int64_t value) {
  return arith::ConstantIndexOp::create(b, value);
}

/// One of a few numbers, one for each slice.
static Value ofSlice(ImplicitLocOpBuilder &b, Value slice,
                     ArrayRef<int64_t> numbers) {
  const int64_t first = numbers[0], stride = numbers[1] - first;
  bool isEven = true;
  for (auto [at, number] : llvm::enumerate(numbers))
    isEven &= number == first + int64_t(at) * stride;
  if (isEven && stride == 0)
    return constant(b, first);
  if (isEven)
    return arith::AddIOp::create(
        b, constant(b, first),
        arith::MulIOp::create(b, slice, constant(b, stride)));
  Value chosen = constant(b, numbers.back());
  for (int64_t other = numbers.size() - 2; other >= 0; --other) {
    Value isOther = arith::CmpIOp::create(b, arith::CmpIPredicate::eq, slice,
                                          constant(b, other));
    chosen = arith::SelectOp::create(b, isOther, constant(b, numbers[other]),
                                     chosen);
  }
  return chosen;
}

void mxfp4::takeSteps(ImplicitLocOpBuilder &b, scf::ForOp steps,
                      const Schedule &schedule, Value slice) {
  SmallVector<int64_t> begins, counts;
  for (int number = 0; number < schedule.kSlices; ++number) {
    const Schedule::Steps taken =
        schedule.sliceSteps(number, steps.getStaticTripCount()->getSExtValue());
    begins.push_back(taken.begin);
    counts.push_back(taken.count);
  }
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(steps);
  steps.setUpperBound(ofSlice(b, slice, counts));
  Value begin = ofSlice(b, slice, begins);
  b.setInsertionPointToStart(steps.getBody());
  Value number = steps.getInductionVar();
  auto step = arith::AddIOp::create(b, number, begin);
  number.replaceAllUsesExcept(step, step);
}

void mxfp4::storeSum(ImplicitLocOpBuilder &b, StoreTileOp store,
                     const Schedule &schedule, Value slice) {
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(store);
  auto space =
      gpu::AddressSpaceAttr::get(b.getContext(), gpu::AddressSpace::Workgroup);
  auto bytes = MemRefType::get({ShapedType::kDynamic}, b.getI8Type(),
                               AffineMap(), space);
  VectorType sums = store.getAccumulator().getType();
  auto type = MemRefType::get(
      {sums.getNumElements(), int64_t(32) * schedule.sliceWarps()},
      b.getF32Type(), AffineMap(), space);
  Value buffer = memref::ViewOp::create(
      b, type, gpu::DynamicSharedMemoryOp::create(b, bytes),
      constant(b, SharedMemoryMap(schedule).sums.offset), ValueRange{});
  Value tokens =
      schedule.heightStep() < schedule.tileTokens ? store.getValid() : Value();
  Value total = ReduceSlicesOp::create(b, sums, store.getAccumulator(), slice,
                                       schedule.kSlices, buffer, tokens);
  Value isFirst =
      arith::CmpIOp::create(b, arith::CmpIPredicate::eq, slice, constant(b, 0));
  auto first = scf::IfOp::create(b, isFirst);
  store->moveBefore(first.thenBlock()->getTerminator());
  store.getAccumulatorMutable().assign(total);
}
