//===- NarrowWgmma.cpp - The instruction's N at run time ------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KernelRemarks.h"

#include "mxfp4/IR/MXFP4.h"
#include "mxfp4/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "llvm/Support/FormatVariadic.h"

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
      : op(op), nStep(op.getTraits().nStep), step(*op.getTokenStep()),
        widths(nStep * op.getColumns() / step), b(op.getLoc(), op) {}

  bool hasChoice() const { return widths > 1; }

  void run() {
    tell();
    // Early: the fence of the chosen group then finds nothing to wait for.
    if (hasChoice())
      NVVM::WgmmaFenceAlignedOp::create(b);
    int64_t bit = 1;
    while (2 * bit < widths)
      bit *= 2;
    op.replaceAllUsesWith(choose(0, hasChoice() ? bit : 0));
    op.erase();
  }

private:
  void tell() {
    constexpr StringLiteral pass = "mxfp4-narrow-wgmma";
    if (hasChoice())
      passedOn(op, pass, "columns", [&] {
        return llvm::formatv("N is one of {0} multiples of {1} at run time",
                             widths, step)
            .str();
      });
    else
      missedOn(op, pass, "columns", [&] {
        return llvm::formatv("N is {0}: tiles have no other height", step)
            .str();
      });
  }
  Value constant(int64_t value) {
    return arith::ConstantIndexOp::create(b, value);
  }

  /// Steps that hold all tokens but the first, and so a number below `widths`
  /// even where there is no token.
  Value lastStep() {
    if (!last) {
      Value one = constant(1);
      Value others = arith::SubIOp::create(
          b, arith::MaxUIOp::create(b, op.getTokens(), one), one);
      last = arith::DivUIOp::create(b, others, constant(step));
    }
    return last;
  }

  /// The group for `low` steps and one, and for what bits up to `bit` of the
  /// number of steps add. Branches, since ptxas makes an indirect one of a
  /// switch; on bits, since their predicates stay in registers, and those of
  /// one comparison for each width do not.
  Value choose(int64_t low, int64_t bit) {
    while (bit > 0 && low + bit >= widths)
      bit /= 2;
    if (bit == 0) {
      auto narrow = cast<WgmmaOp>(b.clone(*op));
      narrow.getTokensMutable().clear();
      narrow.removeTokenStepAttr();
      narrow.setColumns((low + 1) * step / nStep);
      return narrow.getResult();
    }
    Value isMore = arith::CmpIOp::create(
        b, arith::CmpIPredicate::ne,
        arith::AndIOp::create(b, lastStep(), constant(bit)), constant(0));
    auto branch = scf::IfOp::create(b, op.getType(), isMore,
                                    /*withElseRegion=*/true);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(branch.thenBlock());
    scf::YieldOp::create(b, choose(low + bit, bit / 2));
    b.setInsertionPointToStart(branch.elseBlock());
    scf::YieldOp::create(b, choose(low, bit / 2));
    return branch.getResult(0);
  }

  WgmmaOp op;
  /// Tokens that N counts in, those of a width, and how many widths there are.
  const int64_t nStep, step, widths;
  ImplicitLocOpBuilder b;
  Value last;
};

struct NarrowWgmmaPass : mxfp4::impl::NarrowWgmmaBase<NarrowWgmmaPass> {
  using NarrowWgmmaBase::NarrowWgmmaBase;

  void runOnOperation() override {
    SmallVector<WgmmaOp> ops;
    getOperation()->walk([&](WgmmaOp op) {
      if (op.getTokens())
        ops.push_back(op);
    });
    for (WgmmaOp op : ops) {
      Narrower narrower(op);
      numNarrowed += narrower.hasChoice();
      narrower.run();
    }
  }
};

} // namespace
