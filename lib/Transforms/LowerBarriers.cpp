//===- LowerBarriers.cpp - Mbarriers to NVVM ------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Their set-up, waits, arrivals, and the bytes that copies will bring.
//
//===----------------------------------------------------------------------===//

#include "KernelLowering.h"

#include "mxfp4/IR/MXFP4.h"

#include "mlir/Conversion/LLVMCommon/Pattern.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace mxfp4;

Value mxfp4::barrierAddress(ImplicitLocOpBuilder &b, Value base, Value slot) {
  constexpr int kBarrierBytes = 8;
  Arithmetic a(b);
  return a.offset(base, a.mul(slot, kBarrierBytes));
}

namespace {

struct LowerInitBarriers : ConvertOpToLLVMPattern<InitBarriersOp> {
  using ConvertOpToLLVMPattern::ConvertOpToLLVMPattern;
  LogicalResult
  matchAndRewrite(InitBarriersOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    Arithmetic a(b);
    FailureOr<int64_t> threads = threadsOf(op);
    if (failed(threads))
      return failure();
    // One thread would set up barriers one after the other; therefore the
    // first lanes of all warps share them.
    const int64_t slots = op.getBarriers().getType().getDimSize(0);
    const int64_t warps = *threads / kWarpThreads;
    Value count = a.constant(b.getI32Type(), op.getCount());
    Value isFirst = LLVM::ICmpOp::create(b, LLVM::ICmpPredicate::eq, a.lane(),
                                         a.constant(b.getI32Type(), 0));
    auto lanes = scf::IfOp::create(b, isFirst);
    b.setInsertionPointToStart(lanes.thenBlock());
    Value warp = a.warp();
    for (int64_t first = 0; first < slots; first += warps) {
      Value slot = a.add(warp, first);
      OpBuilder::InsertionGuard guard(b);
      if (first + warps > slots)
        b.setInsertionPointToStart(
            scf::IfOp::create(b, a.ult(slot, slots)).thenBlock());
      NVVM::MBarrierInitOp::create(
          b, barrierAddress(b, adaptor.getBarriers(), slot), count, Value());
    }
    rewriter.eraseOp(op);
    return success();
  }
};

struct LowerWaitBarrier : ConvertOpToLLVMPattern<WaitBarrierOp> {
  using ConvertOpToLLVMPattern::ConvertOpToLLVMPattern;
  LogicalResult
  matchAndRewrite(WaitBarrierOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    Value address = barrierAddress(b, adaptor.getBarriers(), adaptor.getSlot());
    // A block of its own that branches back to itself until the phase is over.
    Block *before = rewriter.getInsertionBlock();
    Block *after = rewriter.splitBlock(before, rewriter.getInsertionPoint());
    Block *spin = rewriter.createBlock(after);
    rewriter.setInsertionPointToEnd(before);
    LLVM::BrOp::create(rewriter, op.getLoc(), spin);
    rewriter.setInsertionPointToStart(spin);
    Value done = NVVM::MBarrierTryWaitOp::create(
        rewriter, op.getLoc(), rewriter.getI1Type(), address,
        adaptor.getParity(), /*ticks=*/Value(), NVVM::MemScopeKind::CTA,
        /*relaxed=*/false);
    LLVM::CondBrOp::create(rewriter, op.getLoc(), done, after, spin);
    rewriter.eraseOp(op);
    return success();
  }
};

struct LowerArriveBarrier : ConvertOpToLLVMPattern<ArriveBarrierOp> {
  using ConvertOpToLLVMPattern::ConvertOpToLLVMPattern;
  LogicalResult
  matchAndRewrite(ArriveBarrierOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    Arithmetic a(b);
    // An arrival orders only the accesses of its own lane. Therefore the warp
    // synchronises first: executing wgmma's wait together orders nothing.
    NVVM::SyncWarpOp::create(b, a.constant(b.getI32Type(), -1));
    Value address = barrierAddress(b, adaptor.getBarriers(), adaptor.getSlot());
    Value isFirst = LLVM::ICmpOp::create(b, LLVM::ICmpPredicate::eq, a.lane(),
                                         a.constant(b.getI32Type(), 0));
    auto branch = scf::IfOp::create(b, isFirst);
    b.setInsertionPointToStart(branch.thenBlock());
    NVVM::MBarrierArriveOp::create(b, b.getI64Type(), address);
    rewriter.eraseOp(op);
    return success();
  }
};

struct LowerExpectBytes : ConvertOpToLLVMPattern<ExpectBytesOp> {
  using ConvertOpToLLVMPattern::ConvertOpToLLVMPattern;
  LogicalResult
  matchAndRewrite(ExpectBytesOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    NVVM::MBarrierArriveExpectTxOp::create(
        b, TypeRange{b.getI64Type()},
        barrierAddress(b, adaptor.getBarriers(), adaptor.getSlot()),
        adaptor.getBytes(), NVVM::MemScopeKind::CTA,
        /*relaxed=*/false, /*predicate=*/Value());
    rewriter.eraseOp(op);
    return success();
  }
};

} // namespace

void mxfp4::populateBarrierLowering(const LLVMTypeConverter &converter,
                                    RewritePatternSet &patterns) {
  patterns.add<LowerInitBarriers, LowerWaitBarrier, LowerArriveBarrier,
               LowerExpectBytes>(converter);
}
