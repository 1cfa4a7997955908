//===- RaiseChoice.cpp - One of two decoded weights -----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Programs choose weights by a condition (`lax.cond`, `jnp.where`). The experts
// of both are joined, which moves into codes and scales, and the condition
// becomes the numbers of experts: weights are packed once, whatever is chosen.
//
//===----------------------------------------------------------------------===//

#include "ContractionForm.h"
#include "Raise.h"
#include "TensorType.h"

#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

using namespace mlir;
using namespace mxfp4;

/// Whether all that takes the value is sums, behind what moves or widens it at
/// most, so that nobody gets the joined weights in memory.
static bool isSummed(Value value) {
  return !value.use_empty() &&
         llvm::all_of(value.getUses(), [&](OpOperand &use) {
           Operation *op = use.getOwner();
           if (movedBy(op) == value)
             return isSummed(op->getResult(0));
           auto linalgOp = dyn_cast<linalg::LinalgOp>(op);
           return linalgOp && linalgOp.getNumReductionLoops() > 0;
         });
}

/// Whether experts of two values can be joined.
static bool canJoin(Value one, Value other) {
  auto type = tensorTypeOrNull(one);
  return type && other.getType() == type && type.hasStaticShape() &&
         type.getRank() >= 2 && isDecoded(one) && isDecoded(other);
}

namespace {

struct ChooseExperts : OpRewritePattern<arith::SelectOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(arith::SelectOp op,
                                PatternRewriter &rewriter) const override;
};

/// Decodes of both branches are computed in front of these.
struct ChooseBehindBranches : OpRewritePattern<scf::IfOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(scf::IfOp op,
                                PatternRewriter &rewriter) const override;
};

} // namespace

/// Weights of one expert as those of experts.
static Value withExperts(OpBuilder &b, Location loc, Value value) {
  RankedTensorType type = tensorType(value);
  if (type.getRank() > 2)
    return value;
  return tensor::ExpandShapeOp::create(
      b, loc, type.clone({1, type.getDimSize(0), type.getDimSize(1)}), value,
      ArrayRef<ReassociationIndices>{{0, 1}, {2}});
}

/// The later of two values' operations in one block, or null.
static Operation *lastOf(Value one, Value other) {
  Operation *a = one.getDefiningOp(), *b = other.getDefiningOp();
  if (!a || !b || a->getBlock() != b->getBlock())
    return nullptr;
  return a->isBeforeInBlock(b) ? b : a;
}

LogicalResult ChooseExperts::matchAndRewrite(arith::SelectOp op,
                                             PatternRewriter &rewriter) const {
  if (!op.getCondition().getType().isInteger(1) ||
      !canJoin(op.getTrueValue(), op.getFalseValue()) ||
      !isSummed(op.getResult()))
    return rewriter.notifyMatchFailure(op, "no choice between two weights");
  const Location loc = op.getLoc();
  auto type = tensorType(op.getResult());
  SmallVector<Value> both;
  Value joined;
  {
    // Outside of loops that only choose.
    OpBuilder::InsertionGuard guard(rewriter);
    if (Operation *last = lastOf(op.getTrueValue(), op.getFalseValue()))
      rewriter.setInsertionPointAfter(last);
    both = {withExperts(rewriter, loc, op.getTrueValue()),
            withExperts(rewriter, loc, op.getFalseValue())};
    joined = tensor::ConcatOp::create(rewriter, loc, /*dim=*/0, both);
  }
  const int64_t experts = tensorType(both[0]).getDimSize(0);
  Value init = tensor::EmptyOp::create(rewriter, loc, type.getShape(),
                                       type.getElementType());
  auto body = [&](OpBuilder &b, Location loc, ValueRange) {
    SmallVector<Value> at;
    for (int64_t dim = 0; dim < type.getRank(); ++dim)
      at.push_back(linalg::IndexOp::create(b, loc, dim));
    Value none = arith::ConstantIndexOp::create(b, loc, 0);
    if (type.getRank() == 2)
      at.insert(at.begin(), none);
    Value behind = arith::ConstantIndexOp::create(b, loc, experts);
    Value first =
        arith::SelectOp::create(b, loc, op.getCondition(), none, behind);
    at[0] = arith::AddIOp::create(b, loc, at[0], first);
    Value element = tensor::ExtractOp::create(b, loc, joined, at);
    linalg::YieldOp::create(b, loc, element);
  };
  rewriter.replaceOpWithNewOp<linalg::GenericOp>(
      op, type, ValueRange(), init,
      rewriter.getMultiDimIdentityMap(type.getRank()),
      SmallVector<utils::IteratorType>(type.getRank(),
                                       utils::IteratorType::parallel),
      body);
  return success();
}

/// What the results of branches are computed with, in order, if that does no
/// harm where the other branch is taken, and if the branches do nothing else.
static std::optional<SmallVector<Operation *>> computing(scf::IfOp op) {
  DenseSet<Operation *> needed;
  SmallVector<Operation *> found;
  for (Region *region : op.getRegions())
    for (Operation &inner : llvm::reverse(region->front())) {
      const bool isYield = inner.hasTrait<OpTrait::IsTerminator>();
      if (!isYield && !needed.contains(&inner)) {
        // Such as what a decode was before it was raised.
        if (!isMemoryEffectFree(&inner))
          return std::nullopt;
        continue;
      }
      if (!isYield && !isPure(&inner) &&
          !(isa<DequantizeOp>(inner) && isMemoryEffectFree(&inner)))
        return std::nullopt;
      inner.walk([&](Operation *each) {
        for (Value operand : each->getOperands())
          if (Operation *def = operand.getDefiningOp())
            needed.insert(def);
      });
      if (!isYield)
        found.push_back(&inner);
    }
  std::reverse(found.begin(), found.end());
  return found;
}

LogicalResult
ChooseBehindBranches::matchAndRewrite(scf::IfOp op,
                                      PatternRewriter &rewriter) const {
  if (op.getNumResults() == 0)
    return rewriter.notifyMatchFailure(op, "a branch without results");
  for (auto [result, one, other] :
       llvm::zip_equal(op.getResults(), op.thenYield().getOperands(),
                       op.elseYield().getOperands()))
    if (!canJoin(one, other) || !isSummed(result))
      return rewriter.notifyMatchFailure(op, "no choice between two weights");
  std::optional<SmallVector<Operation *>> moved = computing(op);
  if (!moved)
    return rewriter.notifyMatchFailure(op, "a branch does something");
  SmallVector<Value> ones(op.thenYield().getOperands()),
      others(op.elseYield().getOperands());
  for (Operation *inner : *moved)
    rewriter.moveOpBefore(inner, op);
  SmallVector<Value> chosen;
  for (auto [one, other] : llvm::zip_equal(ones, others))
    chosen.push_back(arith::SelectOp::create(rewriter, op.getLoc(),
                                             op.getCondition(), one, other));
  rewriter.replaceOp(op, chosen);
  return success();
}

void mxfp4::populateRaiseChoicePatterns(RewritePatternSet &patterns) {
  patterns.add<ChooseBehindBranches, ChooseExperts>(patterns.getContext());
}
