//===- NarrowWgmma.cpp - The instruction's N at run time ------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KernelBuilding.h"
#include "KernelRemarks.h"
#include "PromotedSums.h"

#include "mxfp4/IR/MXFP4.h"
#include "mxfp4/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/Support/FormatVariadic.h"

namespace mxfp4 {
#define GEN_PASS_DEF_NARROWWGMMA
#include "mxfp4/Transforms/Passes.h.inc"
} // namespace mxfp4

using namespace mlir;
using namespace mxfp4;

namespace {

constexpr StringLiteral kNarrowWgmma = "mxfp4-narrow-wgmma";

/// The widths that a group of wgmma may have at run time.
struct ColumnWidths {
  /// Tokens of the narrowest; each other one is a multiple.
  int64_t step;
  int64_t count;

  int64_t tokens() const { return step * count; }
};

} // namespace

static ColumnWidths widthsOf(WgmmaOp op) {
  const auto step = static_cast<int64_t>(*op.getTokenStep());
  const auto columns = static_cast<int64_t>(op.getColumns());
  return {step, op.getTraits().nStep * columns / step};
}

/// Tokens of the lowest tiles whose widths stay one operation.
constexpr int64_t kWholeFrom = 96;

/// Whether groups of several widths stay one operation each, whose lowering
/// chooses among them: sums that are joined behind branches take LLVM most of
/// the time for a kernel. Promoted sums whose first interval has a loop of its
/// own take 0.98 to 1.01 of the time so; sums of 8-bit numbers that are not
/// promoted up to 1.04, those that are promoted in each step up to 1.03, and
/// those of bf16 up to 1.02. Lower tiles were not measured.
static bool stayWhole(FunctionOpInterface kernel, ArrayRef<WgmmaOp> groups) {
  return hasLoopOfFirstInterval(kernel) && llvm::all_of(groups, [](WgmmaOp op) {
           return widthsOf(op).tokens() >= kWholeFrom;
         });
}

/// The tokens of the tallest of three kinds of tiles, as a kernel with a
/// program for short groups has; else 0. Groups of these tiles stay one
/// operation each, too: LLVM would take 1.7 times as long for such a kernel,
/// which takes 0.985 to 1.013 times as long as with branches. Were the tiles
/// that such a kernel has where few groups are short whole, too, layers would
/// take up to 1.01 times as long.
static int64_t tallestOfThree(ArrayRef<WgmmaOp> groups) {
  llvm::SmallSetVector<int64_t, 4> kinds;
  for (WgmmaOp op : groups)
    kinds.insert(widthsOf(op).tokens());
  return kinds.size() > 2 ? *llvm::max_element(kinds) : 0;
}

static void tell(WgmmaOp op, ColumnWidths widths, bool staysWhole) {
  if (staysWhole)
    passedOn(op, kNarrowWgmma, "columns", [&] {
      return llvm::formatv("N is one of {0} multiples of {1}, which one "
                           "statement chooses at run time",
                           widths.count, widths.step)
          .str();
    });
  else if (widths.count > 1)
    passedOn(op, kNarrowWgmma, "columns", [&] {
      return llvm::formatv("N is one of {0} multiples of {1} at run time",
                           widths.count, widths.step)
          .str();
    });
  else
    missedOn(op, kNarrowWgmma, "columns", [&] {
      return llvm::formatv("N is {0}: tiles have no other height", widths.step)
          .str();
    });
}

/// Steps that hold all tokens but the first, and so a number below the count of
/// widths even where there is no token.
static Value emitLastStep(ImplicitLocOpBuilder &b, WgmmaOp op, int64_t step) {
  Value one = indexConstant(b, 1);
  Value others = arith::SubIOp::create(
      b, arith::MaxUIOp::create(b, op.getTokens(), one), one);
  return arith::DivUIOp::create(b, others, indexConstant(b, step));
}

/// The group for `low` steps and one, and for what bits up to `bit` of the
/// number `last` of steps add. Branches, since ptxas makes an indirect one of a
/// switch; on bits, since their predicates stay in registers, and those of one
/// comparison for each width do not.
static Value choose(ImplicitLocOpBuilder &b, WgmmaOp op, ColumnWidths widths,
                    Value last, int64_t low, int64_t bit) {
  while (bit > 0 && low + bit >= widths.count)
    bit /= 2;
  if (bit == 0) {
    auto narrow = cast<WgmmaOp>(b.clone(*op));
    narrow.getTokensMutable().clear();
    narrow.removeTokenStepAttr();
    narrow.setColumns((low + 1) * widths.step / op.getTraits().nStep);
    return narrow.getResult();
  }
  Value isMore = arith::CmpIOp::create(
      b, arith::CmpIPredicate::ne,
      arith::AndIOp::create(b, last, indexConstant(b, bit)),
      indexConstant(b, 0));
  auto branch = scf::IfOp::create(b, op.getType(), isMore,
                                  /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(branch.thenBlock());
  scf::YieldOp::create(b, choose(b, op, widths, last, low + bit, bit / 2));
  b.setInsertionPointToStart(branch.elseBlock());
  scf::YieldOp::create(b, choose(b, op, widths, last, low, bit / 2));
  return branch.getResult(0);
}

/// Replaces a group by a choice of narrower ones.
static void narrow(WgmmaOp op, ColumnWidths widths) {
  ImplicitLocOpBuilder b(op.getLoc(), op);
  Value last;
  int64_t bit = 0;
  if (widths.count > 1) {
    // Early: the fence of the chosen group then finds nothing to wait for.
    NVVM::WgmmaFenceAlignedOp::create(b);
    last = emitLastStep(b, op, widths.step);
    for (bit = 1; 2 * bit < widths.count;)
      bit *= 2;
  }
  op.replaceAllUsesWith(choose(b, op, widths, last, 0, bit));
  op.erase();
}

namespace {

struct NarrowWgmmaPass : mxfp4::impl::NarrowWgmmaBase<NarrowWgmmaPass> {
  using NarrowWgmmaBase::NarrowWgmmaBase;

  void runOnOperation() override {
    getOperation()->walk([&](FunctionOpInterface kernel) { narrowIn(kernel); });
  }

private:
  void narrowIn(FunctionOpInterface kernel) {
    SmallVector<WgmmaOp> ops;
    kernel->walk([&](WgmmaOp op) {
      if (op.getTokens())
        ops.push_back(op);
    });
    const bool areWhole = stayWhole(kernel, ops);
    const int64_t tallest = tallestOfThree(ops);
    for (WgmmaOp op : ops) {
      const ColumnWidths widths = widthsOf(op);
      const bool isWhole =
          widths.count > 1 && (areWhole || widths.tokens() == tallest);
      numNarrowed += widths.count > 1;
      tell(op, widths, isWhole);
      if (!isWhole)
        narrow(op, widths);
    }
  }
};

} // namespace
