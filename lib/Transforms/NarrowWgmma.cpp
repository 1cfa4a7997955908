//===- NarrowWgmma.cpp - The instruction's N at run time ------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mxfp4/IR/MXFP4.h"
#include "mxfp4/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mxfp4 {
#define GEN_PASS_DEF_NARROWWGMMA
#include "mxfp4/Transforms/Passes.h.inc"
} // namespace mxfp4

using namespace mlir;
using namespace mxfp4;

namespace {

/// Replaces one group by a choice of narrower ones.
class Narrower {
public:
  explicit Narrower(WgmmaOp op)
      : op(op), step(*op.getTokenStep()), b(op.getLoc(), op) {}

  void run() {
    const int64_t widths = 8 * op.getColumns() / step;
    // Early: the fence of the chosen group then finds nothing to wait for.
    if (widths > 1)
      NVVM::WgmmaFenceAlignedOp::create(b);
    op.replaceAllUsesWith(choose(1, widths));
    op.erase();
  }

private:
  /// The group for the fewest of `low` to `high` steps that hold all tokens. A
  /// binary tree: ptxas makes an indirect branch of a switch or of a chain of
  /// equalities.
  Value choose(int64_t low, int64_t high) {
    if (low == high) {
      auto narrow = cast<WgmmaOp>(b.clone(*op));
      narrow.getTokensMutable().clear();
      narrow.removeTokenStepAttr();
      narrow.setColumns(high * step / 8);
      return narrow.getResult();
    }
    const int64_t middle = (low + high) / 2;
    Value isMore =
        arith::CmpIOp::create(b, arith::CmpIPredicate::ugt, op.getTokens(),
                              arith::ConstantIndexOp::create(b, middle * step));
    auto branch = scf::IfOp::create(b, op.getType(), isMore,
                                    /*withElseRegion=*/true);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(branch.thenBlock());
    scf::YieldOp::create(b, choose(middle + 1, high));
    b.setInsertionPointToStart(branch.elseBlock());
    scf::YieldOp::create(b, choose(low, middle));
    return branch.getResult(0);
  }

  WgmmaOp op;
  const int64_t step;
  ImplicitLocOpBuilder b;
};

struct NarrowWgmmaPass : mxfp4::impl::NarrowWgmmaBase<NarrowWgmmaPass> {
  using NarrowWgmmaBase::NarrowWgmmaBase;

  void runOnOperation() override {
    SmallVector<WgmmaOp> ops;
    getOperation()->walk([&](WgmmaOp op) {
      if (op.getTokens())
        ops.push_back(op);
    });
    for (WgmmaOp op : ops)
      Narrower(op).run();
  }
};

} // namespace
