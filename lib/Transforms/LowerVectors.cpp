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

/// A load or a store of neighbours in a row.
template <typename Op> struct LowerVectorAccess : ConvertOpToLLVMPattern<Op> {
  using Adaptor = typename Op::Adaptor;

  LowerVectorAccess(const LLVMTypeConverter &converter)
      : ConvertOpToLLVMPattern<Op>(converter, kKernelBenefit) {}

  LogicalResult
  matchAndRewrite(Op op, Adaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    if (op.getVectorType().getRank() != 1)
      return rewriter.notifyMatchFailure(op, "not of neighbours in a row");
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    MemRefType type = op.getMemRefType();
    Value address =
        addressOf(b, op, type,
                  this->getTypeConverter()->convertType(type.getElementType()),
                  adaptor.getBase(), adaptor.getIndices());
    if (!address)
      return failure();
    const unsigned alignment = alignmentOf(op.getVectorType());
    if constexpr (std::is_same_v<Op, vector::LoadOp>)
      rewriter.replaceOpWithNewOp<LLVM::LoadOp>(op, op.getVectorType(), address,
                                                alignment);
    else
      rewriter.replaceOpWithNewOp<LLVM::StoreOp>(op, adaptor.getValueToStore(),
                                                 address, alignment);
    return success();
  }
};

/// The memory is the same.
struct LowerCollapse : ConvertOpToLLVMPattern<memref::CollapseShapeOp> {
  LowerCollapse(const LLVMTypeConverter &converter)
      : ConvertOpToLLVMPattern(converter, kKernelBenefit) {}

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
  patterns.add<LowerVectorAccess<vector::LoadOp>,
               LowerVectorAccess<vector::StoreOp>, LowerCollapse>(converter);
}
