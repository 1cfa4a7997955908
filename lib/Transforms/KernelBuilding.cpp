//===- KernelBuilding.cpp - What passes build kernels from ----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KernelBuilding.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/IR/IRMapping.h"

using namespace mlir;
using namespace mxfp4;

Value mxfp4::indexConstant(ImplicitLocOpBuilder &b, int64_t value) {
  return arith::ConstantIndexOp::create(b, value);
}

Value mxfp4::i32Constant(ImplicitLocOpBuilder &b, int64_t value) {
  return arith::ConstantIntOp::create(b, b.getI32Type(), value);
}

MemRefType mxfp4::sharedType(ArrayRef<int64_t> shape, Type element) {
  auto space = gpu::AddressSpaceAttr::get(element.getContext(),
                                          gpu::AddressSpace::Workgroup);
  return MemRefType::get(shape, element, AffineMap(), space);
}

Value mxfp4::sharedBuffer(ImplicitLocOpBuilder &b, ArrayRef<int64_t> shape,
                          Type element, int64_t offset) {
  return SharedBufferOp::create(b, sharedType(shape, element), offset);
}

SmallVector<int64_t> mxfp4::sliceCounts(const Schedule &schedule,
                                        int64_t steps) {
  SmallVector<int64_t> counts;
  for (int slice = 0; slice < schedule.kSlices; ++slice)
    counts.push_back(schedule.sliceSteps(slice, steps).count);
  return counts;
}

Value mxfp4::ofSlice(ImplicitLocOpBuilder &b, Value slice,
                     ArrayRef<int64_t> numbers) {
  if (llvm::all_equal(numbers))
    return indexConstant(b, numbers.front());
  const int64_t first = numbers[0], stride = numbers[1] - first;
  bool isEven = true;
  for (auto [at, number] : llvm::enumerate(numbers))
    isEven &= number == first + int64_t(at) * stride;
  if (isEven)
    return arith::AddIOp::create(
        b, indexConstant(b, first),
        arith::MulIOp::create(b, slice, indexConstant(b, stride)));
  Value chosen = indexConstant(b, numbers.back());
  int64_t other = numbers.size() - 2;
  while (numbers[other] == numbers.back())
    --other;
  for (; other >= 0; --other) {
    Value isOther = arith::CmpIOp::create(b, arith::CmpIPredicate::eq, slice,
                                          indexConstant(b, other));
    chosen = arith::SelectOp::create(b, isOther,
                                     indexConstant(b, numbers[other]), chosen);
  }
  return chosen;
}

Value mxfp4::skipSteps(ImplicitLocOpBuilder &b, KLoopOp loop) {
  SmallVector<int64_t> more =
      sliceCounts(loop.getSchedule().toSchedule(), loop.getSteps());
  const int64_t steps = *llvm::min_element(more);
  for (int64_t &count : more)
    count -= steps;
  return RingSkipOp::create(b, loop.getCursor(), steps,
                            *llvm::max_element(more) == 0
                                ? Value()
                                : ofSlice(b, loop.getSlice(), more));
}

Value mxfp4::makeUniform(ImplicitLocOpBuilder &b, Value number) {
  number = arith::IndexCastOp::create(b, b.getI32Type(), number);
  number =
      gpu::ShuffleOp::create(b, number, 0, kWarpThreads, gpu::ShuffleMode::IDX)
          .getShuffleResult();
  return arith::IndexCastOp::create(b, b.getIndexType(), number);
}

SmallVector<Value> mxfp4::inlineRegion(ImplicitLocOpBuilder &b, Region &region,
                                       ValueRange arguments) {
  IRMapping mapping;
  mapping.map(region.getArguments(), arguments);
  for (Operation &op : region.front().without_terminator())
    b.clone(op, mapping);
  return llvm::map_to_vector(
      region.front().getTerminator()->getOperands(),
      [&](Value value) { return mapping.lookupOrDefault(value); });
}

SmallVector<Value> mxfp4::inlinePart(ImplicitLocOpBuilder &b, Region &part,
                                     ValueRange arguments, int64_t buffer) {
  IRMapping mapping;
  mapping.map(part.getArguments(), arguments);
  for (Operation &op : part.front().without_terminator()) {
    Operation *clone = b.clone(op, mapping);
    if (auto store = dyn_cast<StoreDecodedOp>(clone))
      store.setBuffer(buffer);
    if (auto wgmma = dyn_cast<WgmmaOp>(clone); wgmma && wgmma.getDecoded())
      wgmma.setBuffer(buffer);
  }
  return llvm::map_to_vector(
      part.front().getTerminator()->getOperands(),
      [&](Value value) { return mapping.lookupOrDefault(value); });
}
