//===- LowerRowCopies.cpp - Bulk copies of rows and counters of them ------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KernelLowering.h"
#include "PtxText.h"

#include "mxfp4/IR/MXFP4.h"

#include "mlir/Conversion/LLVMCommon/Pattern.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

using namespace mlir;
using namespace mxfp4;

/// Bytes of a row.
static int64_t rowBytes(Value rows) {
  auto type = cast<MemRefType>(rows.getType());
  return type.getDimSize(1) * type.getElementTypeBitWidth() / 8;
}

/// Between accesses of threads and copies of TMA to global memory.
static void fenceCopies(ImplicitLocOpBuilder &b) {
  NVVM::FenceProxyOp::create(b, NVVM::ProxyKind::async_global,
                             NVVM::SharedSpaceAttr());
}

namespace {

struct LowerBulkCopyRow : ConvertOpToLLVMPattern<BulkCopyRowOp> {
  using ConvertOpToLLVMPattern::ConvertOpToLLVMPattern;
  LogicalResult
  matchAndRewrite(BulkCopyRowOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    Arithmetic a(b);
    const int64_t bytes = rowBytes(op.getSource());
    Value destination =
        a.offset(adaptor.getBuffer(), a.mul(adaptor.getSlot(), bytes));
    Value source =
        a.offset(adaptor.getSource(), a.mul(a.toI64(adaptor.getRow()), bytes));
    const auto space =
        static_cast<unsigned>(NVVM::NVVMMemorySpace::SharedCluster);
    NVVM::CpAsyncBulkGlobalToSharedClusterOp::create(
        b,
        LLVM::AddrSpaceCastOp::create(
            b, LLVM::LLVMPointerType::get(b.getContext(), space), destination),
        source, adaptor.getBarrier(), a.constant(b.getI32Type(), bytes),
        /*multicastMask=*/Value(), /*l2CacheHint=*/Value());
    rewriter.eraseOp(op);
    return success();
  }
};

struct LowerBulkStoreRows : ConvertOpToLLVMPattern<BulkStoreRowsOp> {
  using ConvertOpToLLVMPattern::ConvertOpToLLVMPattern;
  LogicalResult
  matchAndRewrite(BulkStoreRowsOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    Arithmetic a(b);
    const int64_t bytes = rowBytes(op.getBuffer());
    NVVM::CpAsyncBulkSharedCTAToGlobalOp::create(
        b,
        a.offset(adaptor.getDestination(),
                 a.mul(a.toI64(adaptor.getRow()), bytes)),
        adaptor.getBuffer(), a.mul(adaptor.getCount(), bytes),
        /*l2CacheHint=*/Value(), /*byteMask=*/Value());
    NVVM::CpAsyncBulkCommitGroupOp::create(b);
    NVVM::CpAsyncBulkWaitGroupOp::create(b, b.getI32IntegerAttr(0),
                                         /*read=*/UnitAttr());
    fenceCopies(b);
    rewriter.eraseOp(op);
    return success();
  }
};

struct LowerWaitCount : ConvertOpToLLVMPattern<WaitCountOp> {
  using ConvertOpToLLVMPattern::ConvertOpToLLVMPattern;
  LogicalResult
  matchAndRewrite(WaitCountOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    Arithmetic a(b);
    Value address =
        a.offset(adaptor.getCounters(), a.mul(adaptor.getNumber(), 4));
    // A block of its own that branches back to itself until the count is there.
    Block *before = rewriter.getInsertionBlock();
    Block *after = rewriter.splitBlock(before, rewriter.getInsertionPoint());
    Block *spin = rewriter.createBlock(after);
    rewriter.setInsertionPointToEnd(before);
    LLVM::BrOp::create(rewriter, op.getLoc(), spin);
    b.setInsertionPointToStart(spin);
    Value count = LLVM::LoadOp::create(
        b, b.getI32Type(), address, /*alignment=*/4, /*isVolatile=*/false,
        /*isNonTemporal=*/false, /*isInvariant=*/false,
        /*isInvariantGroup=*/false, LLVM::AtomicOrdering::acquire, "device");
    Value isLess = LLVM::ICmpOp::create(b, LLVM::ICmpPredicate::ult, count,
                                        adaptor.getLeast());
    LLVM::CondBrOp::create(b, isLess, spin, after);
    b.setInsertionPointToStart(after);
    fenceCopies(b);
    rewriter.eraseOp(op);
    return success();
  }
};

struct LowerRaiseCount : ConvertOpToLLVMPattern<RaiseCountOp> {
  using ConvertOpToLLVMPattern::ConvertOpToLLVMPattern;
  LogicalResult
  matchAndRewrite(RaiseCountOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    Arithmetic a(b);
    Value address =
        a.offset(adaptor.getCounters(), a.mul(adaptor.getNumber(), 4));
    emitReleaseAdd(b, LLVM::PtrToIntOp::create(b, b.getI64Type(), address),
                   adaptor.getMore());
    rewriter.eraseOp(op);
    return success();
  }
};

} // namespace

void mxfp4::populateRowCopyLowering(const LLVMTypeConverter &converter,
                                    RewritePatternSet &patterns) {
  patterns.add<LowerBulkCopyRow, LowerBulkStoreRows, LowerWaitCount,
               LowerRaiseCount>(converter);
}
