//===- LowerHopper.cpp - Asynchronous copies and wgmma to NVVM ------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KernelLowering.h"
#include "PtxText.h"

#include "mxfp4/Core/Schedule.h"
#include "mxfp4/IR/MXFP4.h"

#include "mlir/Conversion/LLVMCommon/Pattern.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace mxfp4;

namespace {

constexpr int kBarrierBytes = 8;

Value barrierAddress(ImplicitLocOpBuilder &b, Value base, Value slot) {
  Arithmetic a(b);
  return a.offset(base, a.mul(slot, kBarrierBytes));
}

struct LowerInitBarriers : ConvertOpToLLVMPattern<InitBarriersOp> {
  using ConvertOpToLLVMPattern::ConvertOpToLLVMPattern;
  LogicalResult
  matchAndRewrite(InitBarriersOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    Arithmetic a(b);
    Value count = a.constant(b.getI32Type(), op.getCount());
    const int64_t slots = op.getBarriers().getType().getDimSize(0);
    for (int64_t slot = 0; slot < slots; ++slot)
      NVVM::MBarrierInitOp::create(
          b,
          barrierAddress(b, adaptor.getBarriers(),
                         a.constant(b.getI64Type(), slot)),
          count, Value());
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
    Arithmetic a(b);
    NVVM::MBarrierArriveExpectTxOp::create(
        b, TypeRange{b.getI64Type()},
        barrierAddress(b, adaptor.getBarriers(), adaptor.getSlot()),
        a.constant(b.getI32Type(), op.getBytes()), NVVM::MemScopeKind::CTA,
        /*relaxed=*/false, /*predicate=*/Value());
    rewriter.eraseOp(op);
    return success();
  }
};

/// Bulk copies name their destination in the address space of the cluster.
Value toCluster(ImplicitLocOpBuilder &b, Value shared) {
  const auto space =
      static_cast<unsigned>(NVVM::NVVMMemorySpace::SharedCluster);
  return LLVM::AddrSpaceCastOp::create(
      b, LLVM::LLVMPointerType::get(b.getContext(), space), shared);
}

struct LowerBulkCopyWeights : ConvertOpToLLVMPattern<BulkCopyWeightsOp> {
  using ConvertOpToLLVMPattern::ConvertOpToLLVMPattern;
  LogicalResult
  matchAndRewrite(BulkCopyWeightsOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    Arithmetic a(b);
    auto source = cast<MemRefType>(op.getSource().getType());
    auto stage = cast<MemRefType>(op.getDestination().getType());
    const int64_t rowBlocks = source.getDimSize(1);
    const int64_t steps = source.getDimSize(2), blocks = stage.getDimSize(1);
    Value slotBase =
        a.offset(adaptor.getDestination(),
                 a.mul(adaptor.getSlot(), blocks * BlockLayout::kBytes));
    Value barrier = barrierAddress(b, adaptor.getBarriers(), adaptor.getSlot());
    Value size = a.constant(b.getI32Type(), BlockLayout::kBytes);
    Value last = a.constant(b.getI64Type(), rowBlocks - 1);
    for (int64_t i = 0; i < blocks; ++i) {
      Value row = a.add(adaptor.getBlock(), i);
      if (rowBlocks % blocks != 0)
        row = a.select(a.ult(row, rowBlocks), row, last);
      Value block =
          a.add(a.mul(a.add(a.mul(adaptor.getExpert(), rowBlocks), row), steps),
                adaptor.getStep());
      Value destination = a.offset(
          slotBase, a.constant(b.getI64Type(), i * BlockLayout::kBytes));
      NVVM::CpAsyncBulkGlobalToSharedClusterOp::create(
          b, toCluster(b, destination),
          a.offset(adaptor.getSource(), a.mul(block, BlockLayout::kBytes)),
          barrier, size, /*multicastMask=*/Value(), /*l2CacheHint=*/Value());
    }
    rewriter.eraseOp(op);
    return success();
  }
};

struct LowerTensorCopy : ConvertOpToLLVMPattern<TensorCopyActivationsOp> {
  using ConvertOpToLLVMPattern::ConvertOpToLLVMPattern;
  LogicalResult
  matchAndRewrite(TensorCopyActivationsOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    Arithmetic a(b);
    const int64_t tokens =
        cast<MemRefType>(op.getDestination().getType()).getDimSize(1);
    Value destination = a.offset(adaptor.getDestination(),
                                 a.mul(adaptor.getSlot(), tokens * kRowBytes));
    Value column = a.mul(a.toI32(adaptor.getStep()), Schedule::kTileK);
    NVVM::CpAsyncBulkTensorGlobalToSharedClusterOp::create(
        b, toCluster(b, destination), adaptor.getMap(),
        ValueRange{column, a.toI32(adaptor.getRow())},
        barrierAddress(b, adaptor.getBarriers(), adaptor.getSlot()),
        /*im2colOffsets=*/ValueRange{}, /*multicastMask=*/Value(),
        /*l2CacheHint=*/Value(), NVVM::TMALoadMode::TILE, /*isCTAOnly=*/false,
        /*group=*/nullptr, /*predicate=*/Value());
    rewriter.eraseOp(op);
    return success();
  }
};

/// The matrix descriptor of a K-major bf16 tile with the 128-byte swizzle
/// (PTX ISA, "Matrix Descriptor Format"): address >> 4 in bits 0 to 13, leading
/// offset (unused with this swizzle) 1, stride between groups of eight rows
/// 1024 >> 4 in bits 32 to 45, swizzle mode 1 in bits 62 and 63.
constexpr uint64_t kDescriptor =
    uint64_t(1) << 62 | uint64_t(1024 >> 4) << 32 | uint64_t(1) << 16;

struct LowerWgmma : ConvertOpToLLVMPattern<WgmmaOp> {
  using ConvertOpToLLVMPattern::ConvertOpToLLVMPattern;
  LogicalResult
  matchAndRewrite(WgmmaOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    Arithmetic a(b);
    const int64_t tokens =
        cast<MemRefType>(op.getActivations().getType()).getDimSize(1);
    // A k16 step is 32 bytes further along the 128-byte rows.
    Value base =
        LLVM::PtrToIntOp::create(b, b.getI64Type(), adaptor.getActivations());
    Value address =
        a.add(a.add(base, a.mul(adaptor.getSlot(), tokens * kRowBytes)),
              32 * op.getStep());
    Value encoded = a.andi(a.shr(address, 4), 0x3FFF);
    Value descriptor = LLVM::OrOp::create(
        b, encoded,
        a.constant(b.getI64Type(), static_cast<int64_t>(kDescriptor)));

    SmallVector<Value> fragment;
    for (Value pair :
         {adaptor.getA0(), adaptor.getA1(), adaptor.getA2(), adaptor.getA3()})
      fragment.push_back(LLVM::BitcastOp::create(b, b.getI32Type(), pair));
    rewriter.replaceOp(
        op, rebuild(b, adaptor.getAccumulator(),
                    emitWgmma(b, flatten(b, adaptor.getAccumulator()), fragment,
                              descriptor)));
    return success();
  }

  /// An array of vectors, as accumulators are in LLVM, to scalars and back.
  static SmallVector<Value> flatten(ImplicitLocOpBuilder &b, Value aggregate) {
    Arithmetic a(b);
    SmallVector<Value> scalars;
    if (auto array = dyn_cast<LLVM::LLVMArrayType>(aggregate.getType())) {
      for (unsigned i = 0; i < array.getNumElements(); ++i)
        llvm::append_range(
            scalars, flatten(b, LLVM::ExtractValueOp::create(b, aggregate, i)));
      return scalars;
    }
    const int64_t size = cast<VectorType>(aggregate.getType()).getNumElements();
    for (int64_t i = 0; i < size; ++i)
      scalars.push_back(LLVM::ExtractElementOp::create(
          b, aggregate, a.constant(b.getI32Type(), i)));
    return scalars;
  }

  static Value rebuild(ImplicitLocOpBuilder &b, Value like,
                       ArrayRef<Value> scalars) {
    Arithmetic a(b);
    Value result = LLVM::PoisonOp::create(b, like.getType());
    if (auto array = dyn_cast<LLVM::LLVMArrayType>(like.getType())) {
      const size_t count = scalars.size() / array.getNumElements();
      for (unsigned i = 0; i < array.getNumElements(); ++i) {
        Value part = LLVM::PoisonOp::create(b, array.getElementType());
        part = rebuild(b, part, scalars.slice(i * count, count));
        result = LLVM::InsertValueOp::create(b, result, part, i);
      }
      return result;
    }
    for (auto [i, scalar] : llvm::enumerate(scalars))
      result = LLVM::InsertElementOp::create(b, result, scalar,
                                             a.constant(b.getI32Type(), i));
    return result;
  }
};

struct LowerWgmmaWait : ConvertOpToLLVMPattern<WgmmaWaitOp> {
  using ConvertOpToLLVMPattern::ConvertOpToLLVMPattern;
  LogicalResult
  matchAndRewrite(WgmmaWaitOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    // The wait is an intrinsic, which LLVM knows to be convergent; it says
    // nothing of registers, which the tie does.
    NVVM::WgmmaWaitGroupSyncOp::create(b, 0);
    Value sums = adaptor.getAccumulator();
    rewriter.replaceOp(
        op,
        LowerWgmma::rebuild(b, sums, emitTie(b, LowerWgmma::flatten(b, sums))));
    return success();
  }
};

} // namespace

void mxfp4::populateHopperLowering(const LLVMTypeConverter &converter,
                                   RewritePatternSet &patterns) {
  patterns.add<LowerInitBarriers, LowerWaitBarrier, LowerArriveBarrier,
               LowerExpectBytes, LowerBulkCopyWeights, LowerTensorCopy,
               LowerWgmma, LowerWgmmaWait>(converter);
}
