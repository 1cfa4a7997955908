//===- HalveBody.cpp - From a body for tiles to one for halves ------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "HalveBody.h"

#include "KernelBuilding.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace mxfp4;

RingFillOp mxfp4::fillOf(BulkCopyWeightsOp copy) {
  auto fills = copy->getBlock()->getOps<RingFillOp>();
  return llvm::hasSingleElement(fills) ? *fills.begin() : RingFillOp();
}

/// Sums of one block of rows in place of two.
static VectorType halfOf(VectorType sums) {
  return VectorType::get(
      {sums.getDimSize(0) / 2, sums.getDimSize(1), sums.getDimSize(2)},
      sums.getElementType());
}

static void halveSums(Value sums) {
  sums.setType(halfOf(cast<VectorType>(sums.getType())));
}

/// The loop of a role that multiplies.
static void halveLoop(ImplicitLocOpBuilder &b, KLoopOp loop,
                      ScheduleAttr half) {
  const VectorType type = halfOf(cast<VectorType>(loop.getResult(0).getType()));
  b.setInsertionPoint(loop);
  Value zeros =
      arith::ConstantOp::create(b, type, DenseElementsAttr::get(type, 0.0f));
  loop.getInitsMutable().assign(zeros);
  halveSums(loop.getCarried()[0]);
  halveSums(loop.getResult(0));
  auto matmul = loop.getOnly<TileMatmulOp>();
  halveSums(matmul.getResult());
  matmul.setScheduleAttr(half);
}

/// Sums of a tile without an expert.
static void halveZeros(ImplicitLocOpBuilder &b, StoreTileOp store) {
  if (!matchPattern(store.getAccumulator(), m_AnyZeroFloat()))
    return;
  const VectorType type = halfOf(store.getAccumulator().getType());
  b.setInsertionPoint(store);
  store.getAccumulatorMutable().assign(
      arith::ConstantOp::create(b, type, DenseElementsAttr::get(type, 0.0f)));
}

/// A copy into a stage: its first block of rows.
static void halveCopy(ImplicitLocOpBuilder &b, BulkCopyWeightsOp copy,
                      Value number) {
  RingFillOp fill = fillOf(copy);
  b.setInsertionPoint(fill);
  const int64_t bytes = layoutOf(copy.getSource().getType()).bytes();
  fill.getBytesMutable().assign(
      arith::SubIOp::create(b, fill.getBytes(), i32Constant(b, bytes)));
  copy.getBlockMutable().assign(number);
  copy.getPartMutable().assign(indexConstant(b, 0));
  copy.setParts(2);
}

/// The buffer of the sums of a slice, of which half is used.
static void halveReduction(ImplicitLocOpBuilder &b, ReduceSlicesOp reduce) {
  auto whole = reduce.getBuffer().getDefiningOp<SharedBufferOp>();
  const auto type = cast<MemRefType>(whole.getBuffer().getType());
  b.setInsertionPoint(reduce);
  reduce.getBufferMutable().assign(
      sharedBuffer(b, {type.getDimSize(0) / 2, type.getDimSize(1)},
                   type.getElementType(), whole.getOffset()));
  halveSums(reduce.getResult());
}

void mxfp4::halveBody(Block &body, Value number) {
  ImplicitLocOpBuilder b(number.getLoc(), body.getParentOp());
  const auto halved = [](Operation *op, ScheduleAttr attr) {
    const auto half =
        ScheduleAttr::get(op->getContext(), attr.toSchedule().halfProgram());
    op->setAttr("schedule", half);
    return half;
  };
  body.walk([&](Operation *op) {
    if (auto copy = dyn_cast<BulkCopyWeightsOp>(op))
      halveCopy(b, copy, number);
    else if (auto reduce = dyn_cast<ReduceSlicesOp>(op))
      halveReduction(b, reduce);
    else if (auto store = dyn_cast<StoreTileOp>(op)) {
      halved(store, store.getSchedule());
      halveZeros(b, store);
    } else if (auto loop = dyn_cast<KLoopOp>(op)) {
      const ScheduleAttr half = halved(loop, loop.getSchedule());
      if (!loop.getFills())
        halveLoop(b, loop, half);
    }
  });
}
