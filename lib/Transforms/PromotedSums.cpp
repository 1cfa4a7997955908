//===- PromotedSums.cpp - Sums that are added in f32 at intervals ---------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "PromotedSums.h"
#include "KernelBuilding.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace mxfp4;

static Value isMultiple(ImplicitLocOpBuilder &b, BlockMatmulOp op, Value number,
                        arith::CmpIPredicate predicate) {
  Value every = indexConstant(b, op.getStepsOfSum());
  return arith::CmpIOp::create(b, predicate,
                               arith::RemUIOp::create(b, number, every),
                               indexConstant(b, 0));
}

/// What is known to happen in each step is what only the run may show: ptxas
/// serialises multiplications that it sees to begin from zeros, or whose sums
/// are added outside of a branch.
static Value isInEachStep(ImplicitLocOpBuilder &b, BlockMatmulOp op,
                          arith::CmpIPredicate hasTokens) {
  return arith::CmpIOp::create(b, hasTokens, op.getWgmma().getTokens(),
                               indexConstant(b, 0));
}

static bool isOfOneStep(BlockMatmulOp op) {
  return op.getStepsOfSum() == 1 && op.getWgmma().getTokens();
}

Value mxfp4::emitIsGoingOn(ImplicitLocOpBuilder &b, BlockMatmulOp op,
                           Value number) {
  // The number of a step between two loops is known.
  const std::optional<int64_t> known = getConstantIntValue(number);
  const bool begins =
      known && *known % static_cast<int64_t>(op.getStepsOfSum()) == 0;
  return isOfOneStep(op) || (begins && op.getWgmma().getTokens())
             ? isInEachStep(b, op, arith::CmpIPredicate::eq)
             : isMultiple(b, op, number, arith::CmpIPredicate::ne);
}

Value mxfp4::emitIsEnd(ImplicitLocOpBuilder &b, BlockMatmulOp op, Value number,
                       Value count) {
  if (isOfOneStep(op))
    return isInEachStep(b, op, arith::CmpIPredicate::ne);
  Value next = arith::AddIOp::create(b, number, indexConstant(b, 1));
  Value isWhole = isMultiple(b, op, next, arith::CmpIPredicate::eq);
  if (!count)
    return isWhole;
  return arith::OrIOp::create(
      b, isWhole,
      arith::CmpIOp::create(b, arith::CmpIPredicate::eq, next, count));
}

bool mxfp4::hasLoopOfFirstInterval(FunctionOpInterface kernel) {
  int only = 0, maybe = 0;
  // The second half of a step only adds in any loop.
  kernel->walk([&](WgmmaOp op) {
    if (op.getFirstStep() == 0)
      ++(op.getAccumulate() ? maybe : only);
  });
  return only > 1 && maybe > 0;
}

bool mxfp4::promotesSums(FunctionOpInterface kernel) {
  return kernel
      ->walk([](Operation *op) {
        auto matmul = dyn_cast<BlockMatmulOp>(op);
        auto wgmma = dyn_cast<WgmmaOp>(op);
        return (matmul && matmul.getStepsOfSum() != 0) ||
                       (wgmma && wgmma.getAccumulate())
                   ? WalkResult::interrupt()
                   : WalkResult::advance();
      })
      .wasInterrupted();
}

Value mxfp4::addSums(ImplicitLocOpBuilder &b, Value lhs, Value rhs) {
  return arith::AddFOp::create(b, lhs, rhs);
}

Value mxfp4::ownSums(ImplicitLocOpBuilder &b, KLoopOp loop) {
  auto matmul = loop.getOnly<BlockMatmulOp>();
  if (!matmul || matmul.getStepsOfSum() == 0)
    return {};
  return arith::ConstantOp::create(
      b, matmul.getType(), DenseElementsAttr::get(matmul.getType(), 0.0f));
}
