//===- LowerVectors.cpp - Vectors in memory to NVVM -----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Loads and stores of neighbouring elements, aligned as a whole up to the 16
// bytes of one instruction, in memory of any size.
//
//===----------------------------------------------------------------------===//

#include "KernelLowering.h"

#include "mlir/Conversion/LLVMCommon/Pattern.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace mxfp4;

namespace {

/// Ahead of the upstream patterns, which expect memref descriptors.
constexpr int kVectorBenefit = 10;

/// Address of an element, which is of `element` in LLVM; null, with a
/// diagnostic of `op`, if it cannot be had.
Value addressOf(ImplicitLocOpBuilder &b, Operation *op, MemRefType type,
                Type element, Value base, ValueRange indices) {
  if (!type.getLayout().isIdentity() || type.getRank() == 0 ||
      llvm::any_of(type.getShape().drop_front(), ShapedType::isDynamic)) {
    op->emitOpError("requires contiguous memory of static sizes but the first, "
                    "but got ")
        << type;
    return {};
  }
  Arithmetic a(b);
  Value linear = a.toI64(indices.front());
  for (auto [index, size] :
       llvm::zip(indices.drop_front(), type.getShape().drop_front()))
    linear = a.add(a.mul(linear, size), a.toI64(index));
  return LLVM::GEPOp::create(b, base.getType(), element, base,
                             ArrayRef<LLVM::GEPArg>{linear});
}

unsigned alignmentOf(VectorType type) {
  constexpr int64_t kMost = 16;
  return std::min<int64_t>(kMost, type.getNumElements() *
                                      type.getElementTypeBitWidth() / 8);
}

struct LowerVectorLoad : ConvertOpToLLVMPattern<vector::LoadOp> {
  LowerVectorLoad(const LLVMTypeConverter &converter)
      : ConvertOpToLLVMPattern(converter, kVectorBenefit) {}

  LogicalResult
  matchAndRewrite(vector::LoadOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    if (op.getVectorType().getRank() != 1)
      return rewriter.notifyMatchFailure(op, "not of neighbours in a row");
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    MemRefType type = op.getMemRefType();
    Value address = addressOf(
        b, op, type, getTypeConverter()->convertType(type.getElementType()),
        adaptor.getBase(), adaptor.getIndices());
    if (!address)
      return failure();
    rewriter.replaceOpWithNewOp<LLVM::LoadOp>(op, op.getVectorType(), address,
                                              alignmentOf(op.getVectorType()));
    return success();
  }
};

struct LowerVectorStore : ConvertOpToLLVMPattern<vector::StoreOp> {
  LowerVectorStore(const LLVMTypeConverter &converter)
      : ConvertOpToLLVMPattern(converter, kVectorBenefit) {}

  LogicalResult
  matchAndRewrite(vector::StoreOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    if (op.getVectorType().getRank() != 1)
      return rewriter.notifyMatchFailure(op, "not of neighbours in a row");
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    MemRefType type = op.getMemRefType();
    Value address = addressOf(
        b, op, type, getTypeConverter()->convertType(type.getElementType()),
        adaptor.getBase(), adaptor.getIndices());
    if (!address)
      return failure();
    rewriter.replaceOpWithNewOp<LLVM::StoreOp>(op, adaptor.getValueToStore(),
                                               address,
                                               alignmentOf(op.getVectorType()));
    return success();
  }
};

/// The memory is the same.
struct LowerCollapse : ConvertOpToLLVMPattern<memref::CollapseShapeOp> {
  LowerCollapse(const LLVMTypeConverter &converter)
      : ConvertOpToLLVMPattern(converter, kVectorBenefit) {}

  LogicalResult
  matchAndRewrite(memref::CollapseShapeOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    rewriter.replaceOp(op, adaptor.getSrc());
    return success();
  }
};

} // namespace

void mxfp4::populateVectorMemoryLowering(const LLVMTypeConverter &converter,
                                         RewritePatternSet &patterns) {
  patterns.add<LowerVectorLoad, LowerVectorStore, LowerCollapse>(converter);
}
