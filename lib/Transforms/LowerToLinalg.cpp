//===- LowerToLinalg.cpp - Operations on tensors to linalg ----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "LinalgMatmul.h"
#include "LinalgRows.h"
#include "LinalgWeights.h"

#include "mxfp4/IR/MXFP4.h"
#include "mxfp4/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Func/Transforms/FuncConversions.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/SCF/Transforms/Patterns.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Transforms/DialectConversion.h"

namespace mxfp4 {
#define GEN_PASS_DEF_LOWERTOLINALG
#include "mxfp4/Transforms/Passes.h.inc"
} // namespace mxfp4

using namespace mlir;
using namespace mxfp4;

namespace {

struct LowerGroupedMatmul : OpConversionPattern<GroupedMatmulOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(GroupedMatmulOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    std::optional<BlockLayout> layout;
    if (op.getBlockType())
      layout = layoutOf(op.getWeights()[0].getType());
    rewriter.replaceOp(
        op, matmulInLinalg(rewriter, op, adaptor.getWeights(), layout));
    return success();
  }
};

struct LowerDequantize : OpConversionPattern<DequantizeOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(DequantizeOp op, OpAdaptor /*adaptor*/,
                  ConversionPatternRewriter &rewriter) const override {
    rewriter.replaceOp(op,
                       dequantizeInLinalg(rewriter, op.getLoc(), op.getCodes(),
                                          op.getScales(), op.getInit()));
    return success();
  }
};

struct LowerQuantize : OpConversionPattern<QuantizeOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(QuantizeOp op, OpAdaptor /*adaptor*/,
                  ConversionPatternRewriter &rewriter) const override {
    auto [codes, scales] =
        quantizeInLinalg(rewriter, op.getLoc(), op.getValues(),
                         op.getCodesInit(), op.getScalesInit());
    rewriter.replaceOp(op, ValueRange{codes, scales});
    return success();
  }
};

struct LowerQuantizeRows : OpConversionPattern<QuantizeRowsOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(QuantizeRowsOp op, OpAdaptor /*adaptor*/,
                  ConversionPatternRewriter &rewriter) const override {
    auto [codes, scales] = quantizeRowsInLinalg(rewriter, op.getLoc(), op);
    rewriter.replaceOp(op, ValueRange{codes, scales});
    return success();
  }
};

struct LowerPack : OpConversionPattern<PackOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(PackOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    rewriter.replaceOp(op, packInLinalg(rewriter, op.getLoc(), op.getCodes(),
                                        op.getScales(), adaptor.getInit(),
                                        layoutOf(op.getInit().getType())));
    return success();
  }
};

struct LowerUnpack : OpConversionPattern<UnpackOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(UnpackOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    auto [codes, scales] = unpackInLinalg(
        rewriter, op.getLoc(), adaptor.getBlocks(), op.getCodesInit(),
        op.getScalesInit(), layoutOf(op.getBlocks().getType()));
    rewriter.replaceOp(op, ValueRange{codes, scales});
    return success();
  }
};

/// `mxfp4-raise` turns scales into scale bytes by arith.bitcast on tensors,
/// which upstream's bufferization does not take.
struct LowerBitcast : OpConversionPattern<arith::BitcastOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(arith::BitcastOp op, OpAdaptor /*adaptor*/,
                  ConversionPatternRewriter &rewriter) const override {
    Type element = getElementTypeOrSelf(op.getType());
    rewriter.replaceOp(
        op, bitcastInLinalg(rewriter, op.getLoc(), op.getIn(), element));
    return success();
  }
};

//===----------------------------------------------------------------------===//
// Blocks as bytes
//===----------------------------------------------------------------------===//

/// Tensors of blocks are tensors of their bytes, with one dimension more.
struct BytesConverter : TypeConverter {
  BytesConverter() {
    addConversion([](Type type) { return type; });
    addConversion([](RankedTensorType type) -> std::optional<Type> {
      if (!isa<BlockType>(type.getElementType()))
        return std::nullopt;
      SmallVector<int64_t> shape(type.getShape());
      shape.push_back(layoutOf(type).bytes());
      return RankedTensorType::get(shape,
                                   IntegerType::get(type.getContext(), 8));
    });
  }
};

struct ConvertEmpty : OpConversionPattern<tensor::EmptyOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(tensor::EmptyOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    rewriter.replaceOpWithNewOp<tensor::EmptyOp>(
        op, getTypeConverter()->convertType(op.getType()),
        adaptor.getDynamicSizes());
    return success();
  }
};

/// Operations that do the same to any element type.
template <typename OpTy> struct ConvertTypes : OpConversionPattern<OpTy> {
  using OpConversionPattern<OpTy>::OpConversionPattern;

  LogicalResult
  matchAndRewrite(OpTy op, typename OpTy::Adaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    SmallVector<Type> types;
    if (failed(this->getTypeConverter()->convertTypes(op->getResultTypes(),
                                                      types)))
      return failure();
    rewriter.replaceOpWithNewOp<OpTy>(op, types, adaptor.getOperands(),
                                      op->getAttrs());
    return success();
  }
};

/// Slices take all bytes of their blocks.
template <typename OpTy> struct ConvertSlice : OpConversionPattern<OpTy> {
  using OpConversionPattern<OpTy>::OpConversionPattern;

  LogicalResult
  matchAndRewrite(OpTy op, typename OpTy::Adaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    SmallVector<OpFoldResult> offsets = op.getMixedOffsets(),
                              sizes = op.getMixedSizes(),
                              strides = op.getMixedStrides();
    offsets.push_back(rewriter.getIndexAttr(0));
    sizes.push_back(rewriter.getIndexAttr(layoutOf(op.getType()).bytes()));
    strides.push_back(rewriter.getIndexAttr(1));
    if constexpr (std::is_same_v<OpTy, tensor::ExtractSliceOp>) {
      auto type = cast<RankedTensorType>(
          this->getTypeConverter()->convertType(op.getType()));
      rewriter.replaceOpWithNewOp<OpTy>(op, type, adaptor.getSource(), offsets,
                                        sizes, strides);
    } else {
      rewriter.replaceOpWithNewOp<OpTy>(
          op, adaptor.getSource(), adaptor.getDest(), offsets, sizes, strides);
    }
    return success();
  }
};

struct LowerToLinalgPass : mxfp4::impl::LowerToLinalgBase<LowerToLinalgPass> {
  void runOnOperation() override {
    MLIRContext &context = getContext();
    BytesConverter converter;
    ConversionTarget target(context);
    target.markUnknownOpDynamicallyLegal([&](Operation *op) {
      if (auto function = dyn_cast<func::FuncOp>(op))
        return converter.isSignatureLegal(function.getFunctionType());
      // What scatters rows becomes loops with the operations around it.
      if (auto quantize = dyn_cast<QuantizeRowsOp>(op);
          quantize && quantize.getSlotRows())
        return true;
      if (isa<GroupedMatmulOp, DequantizeOp, QuantizeOp, QuantizeRowsOp, PackOp,
              UnpackOp>(op))
        return !cast<DestinationStyleOpInterface>(op).hasPureTensorSemantics();
      if (isa<arith::BitcastOp>(op))
        return !isa<RankedTensorType>(op->getOperand(0).getType());
      return converter.isLegal(op);
    });
    if (failed(verify(converter)))
      return signalPassFailure();
    RewritePatternSet patterns(&context);
    patterns.add<LowerGroupedMatmul, LowerDequantize, LowerQuantize,
                 LowerQuantizeRows, LowerPack, LowerUnpack, LowerBitcast,
                 ConvertEmpty, ConvertTypes<tensor::CastOp>,
                 ConvertTypes<tensor::DimOp>, ConvertTypes<arith::SelectOp>,
                 ConvertSlice<tensor::ExtractSliceOp>,
                 ConvertSlice<tensor::InsertSliceOp>>(converter, &context);
    populateFunctionOpInterfaceTypeConversionPattern<func::FuncOp>(patterns,
                                                                   converter);
    populateCallOpTypeConversionPattern(patterns, converter);
    populateReturnOpTypeConversionPattern(patterns, converter);
    populateBranchOpInterfaceTypeConversionPattern(patterns, converter);
    scf::populateSCFStructuralTypeConversions(converter, patterns);
    if (failed(applyPartialConversion(getOperation(), target,
                                      std::move(patterns))))
      signalPassFailure();
  }

private:
  /// Only operations that have a pattern may carry blocks.
  LogicalResult verify(const BytesConverter &converter) {
    WalkResult result = getOperation()->walk([&](Operation *op) {
      if (converter.isLegal(op) ||
          isa<GroupedMatmulOp, PackOp, UnpackOp, tensor::EmptyOp,
              tensor::CastOp, tensor::DimOp, tensor::ExtractSliceOp,
              tensor::InsertSliceOp, arith::SelectOp, func::FuncOp,
              func::CallOp, func::ReturnOp, BranchOpInterface, scf::ForOp,
              scf::IfOp, scf::WhileOp, scf::ConditionOp, scf::YieldOp>(op))
        return WalkResult::advance();
      op->emitOpError(
          "holds tensors of packed weights, which become tensors of "
          "bytes; mxfp4-lower-to-linalg does that for functions, "
          "scf, branches, and slices and casts of tensors");
      return WalkResult::interrupt();
    });
    return failure(result.wasInterrupted());
  }
};

} // namespace
