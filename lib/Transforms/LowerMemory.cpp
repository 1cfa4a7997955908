//===- LowerMemory.cpp - Elements in memory to NVVM -----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Memrefs are bare pointers. Loads, stores and atomics of single elements, and
// views.
//
//===----------------------------------------------------------------------===//

#include "KernelLowering.h"

#include "mxfp4/IR/MXFP4.h"

#include "mlir/Conversion/LLVMCommon/Pattern.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;
using namespace mxfp4;

namespace {

/// Address of an element of a memref with identity layout whose only dynamic
/// size is the first. Only small ones, of fewer than 2^31 elements, are
/// accessed by element. Diagnoses `op` if it accesses another.
FailureOr<Value> elementAddress(ImplicitLocOpBuilder &b, Operation *op,
                                MemRefType type, Value base,
                                ValueRange indices) {
  if (!type.getLayout().isIdentity() ||
      (type.getRank() > 0 &&
       llvm::any_of(type.getShape().drop_front(), ShapedType::isDynamic)))
    return op->emitOpError()
           << "requires contiguous memory of static sizes but the first, but "
              "got "
           << type;
  Arithmetic a(b);
  Value linear = a.constant(b.getI32Type(), 0);
  for (auto [i, index] : llvm::enumerate(indices))
    linear = i == 0 ? index : a.add(a.mul(linear, type.getDimSize(i)), index);
  return Value(LLVM::GEPOp::create(b, base.getType(), type.getElementType(),
                                   base, ArrayRef<LLVM::GEPArg>{linear}));
}

struct LowerLoad : ConvertOpToLLVMPattern<memref::LoadOp> {
  using ConvertOpToLLVMPattern::ConvertOpToLLVMPattern;
  LogicalResult
  matchAndRewrite(memref::LoadOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    FailureOr<Value> address = elementAddress(
        b, op, op.getMemRefType(), adaptor.getMemref(), adaptor.getIndices());
    if (failed(address))
      return failure();
    rewriter.replaceOpWithNewOp<LLVM::LoadOp>(op, op.getType(), *address);
    return success();
  }
};

/// Of the GPU, so that the L1 keeps nothing of what is still written.
struct LowerLoadEarly : ConvertOpToLLVMPattern<LoadEarlyOp> {
  using ConvertOpToLLVMPattern::ConvertOpToLLVMPattern;
  LogicalResult
  matchAndRewrite(LoadEarlyOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    FailureOr<Value> address =
        elementAddress(b, op, cast<MemRefType>(op.getSource().getType()),
                       adaptor.getSource(), adaptor.getIndex());
    if (failed(address))
      return failure();
    rewriter.replaceOpWithNewOp<LLVM::LoadOp>(
        op, op.getType(), *address, /*alignment=*/4, /*isVolatile=*/false,
        /*isNonTemporal=*/false, /*isInvariant=*/false,
        /*isInvariantGroup=*/false, LLVM::AtomicOrdering::monotonic, "device");
    return success();
  }
};

struct LowerStore : ConvertOpToLLVMPattern<memref::StoreOp> {
  using ConvertOpToLLVMPattern::ConvertOpToLLVMPattern;
  LogicalResult
  matchAndRewrite(memref::StoreOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    FailureOr<Value> address = elementAddress(
        b, op, op.getMemRefType(), adaptor.getMemref(), adaptor.getIndices());
    if (failed(address))
      return failure();
    rewriter.replaceOpWithNewOp<LLVM::StoreOp>(op, adaptor.getValue(),
                                               *address);
    return success();
  }
};

/// The atomics of our kernels: OR into the error word, and counters.
struct LowerAtomic : ConvertOpToLLVMPattern<memref::AtomicRMWOp> {
  using ConvertOpToLLVMPattern::ConvertOpToLLVMPattern;
  LogicalResult
  matchAndRewrite(memref::AtomicRMWOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    const bool isOr = op.getKind() == arith::AtomicRMWKind::ori;
    if (!isOr && op.getKind() != arith::AtomicRMWKind::addi)
      return rewriter.notifyMatchFailure(op, "neither an OR nor a sum");
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    FailureOr<Value> address =
        elementAddress(b, op, cast<MemRefType>(op.getMemref().getType()),
                       adaptor.getMemref(), adaptor.getIndices());
    if (failed(address))
      return failure();
    rewriter.replaceOpWithNewOp<LLVM::AtomicRMWOp>(
        op, isOr ? LLVM::AtomicBinOp::_or : LLVM::AtomicBinOp::add, *address,
        adaptor.getValue(), LLVM::AtomicOrdering::monotonic);
    return success();
  }
};

struct LowerView : ConvertOpToLLVMPattern<memref::ViewOp> {
  using ConvertOpToLLVMPattern::ConvertOpToLLVMPattern;
  LogicalResult
  matchAndRewrite(memref::ViewOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    rewriter.replaceOp(
        op, Arithmetic(b).offset(adaptor.getSource(), adaptor.getByteShift()));
    return success();
  }
};

} // namespace

void mxfp4::populateMemoryLowering(LLVMTypeConverter &converter,
                                   RewritePatternSet &patterns) {
  converter.addConversion([](MemRefType type) -> Type {
    const bool shared =
        gpu::GPUDialect::isWorkgroupMemoryAddressSpace(type.getMemorySpace());
    return LLVM::LLVMPointerType::get(
        type.getContext(),
        static_cast<unsigned>(shared ? NVVM::NVVMMemorySpace::Shared
                                     : NVVM::NVVMMemorySpace::Global));
  });
  patterns.add<LowerLoad, LowerLoadEarly, LowerStore, LowerAtomic, LowerView>(
      converter, kKernelBenefit);
}
