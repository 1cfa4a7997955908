//===- LowerToLinalg.cpp - Operations on tensors to linalg ----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "LinalgRows.h"
#include "LinalgWeights.h"
#include "LoopBuilder.h"
#include "TensorType.h"

#include "mxfp4/Core/Format.h"
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

//===----------------------------------------------------------------------===//
// grouped_matmul
//===----------------------------------------------------------------------===//

/// A loop over groups: the rows of one, its expert's weights, a matmul.
class GroupLoop {
public:
  /// `weights` are codes and scales, or the bytes of blocks of this layout.
  GroupLoop(OpBuilder &b, GroupedMatmulOp op, ValueRange weights,
            std::optional<BlockLayout> layout)
      : l(op.getLoc(), b), loc(op.getLoc()), op(op), weights(weights),
        layout(layout) {}

  /// The output. It keeps its values if offsets are bad, and the rows of groups
  /// with bad ids keep theirs.
  Value emit() {
    columns = tensor::getMixedSize(l.b, loc, op.getInit(), 1);
    n = op.takesPairs() ? twice(columns) : columns;
    k = tensor::getMixedSize(l.b, loc, op.getActivations(), 1);
    Value good = l.offsetsAreGood(op.getOffsets(), countRows(),
                                  /*orLess=*/bool(op.getGather()));
    return choose(good, op.getInit(), [&] { return emitGroups(); });
  }

private:
  using ValueFn = function_ref<Value()>;

  Value choose(Value condition, Value otherwise, ValueFn then) {
    auto branch = scf::IfOp::create(l.b, otherwise.getType(), condition,
                                    /*withElseRegion=*/true);
    OpBuilder::InsertionGuard guard(l.b);
    l.b.setInsertionPointToStart(branch.thenBlock());
    Value value = then();
    scf::YieldOp::create(l.b, value);
    l.b.setInsertionPointToStart(branch.elseBlock());
    scf::YieldOp::create(l.b, otherwise);
    return branch.getResult(0);
  }

  OpFoldResult twice(OpFoldResult size) {
    if (std::optional<int64_t> value = getConstantIntValue(size))
      return l.b.getIndexAttr(2 * *value);
    return l.op<arith::MulIOp>(cast<Value>(size), 2);
  }

  /// The number of rows; 0 if activations to gather from have no row.
  Value countRows() {
    Value rows = l.size(op.getRowSource(), 0);
    if (!op.getGather())
      return rows;
    Value isEmpty =
        l.compare(arith::CmpIPredicate::eq, l.size(op.getActivations(), 0), 0);
    return l.select(isEmpty, l.index(0), rows);
  }

  Value offset(Value group) {
    return arith::IndexCastOp::create(l.b, l.b.getIndexType(),
                                      l.load(op.getOffsets(), group));
  }

  Value emitGroups() {
    Value groups = l.op<arith::SubIOp>(l.size(op.getOffsets(), 0), 1);
    return l.reduce(
        l.index(0), groups, op.getInit(), [&](Value group, Value y) -> Value {
          begin = offset(group);
          rows =
              l.op<arith::SubIOp>(offset(l.op<arith::AddIOp>(group, 1)), begin);
          if (!op.getExpertIds())
            return multiply(group, y);
          Value id = arith::IndexCastOp::create(
              l.b, l.b.getIndexType(), l.load(op.getExpertIds(), group));
          Value none = l.compare(arith::CmpIPredicate::eq, id, -1);
          Value zeroed =
              choose(none, y, [&] { return insert(zeros(columns), y); });
          // Unsigned: below 0 is out of range too.
          Value experts = l.size(weights[0], 0);
          return choose(l.compare(arith::CmpIPredicate::ult, id, experts),
                        zeroed, [&] { return multiply(id, zeroed); });
        });
  }

  SmallVector<OpFoldResult> ones(size_t count) {
    return SmallVector<OpFoldResult>(count, l.b.getIndexAttr(1));
  }

  /// f32 zeros for the rows of the group.
  Value zeros(OpFoldResult width) {
    Value empty = tensor::EmptyOp::create(
        l.b, loc, ArrayRef<OpFoldResult>{rows, width}, l.b.getF32Type());
    return linalg::FillOp::create(l.b, loc, l.f32(0), empty).getResult(0);
  }

  /// Rounds the rows of the group, and puts them into the output.
  Value insert(Value result, Value y) {
    Type element = tensorType(y).getElementType();
    if (tensorType(result).getElementType() != element)
      result = roundInLinalg(l.b, loc, result, element);
    if (op.getScatter())
      return scatterInLinalg(l.b, loc, op, {begin, rows}, result, y);
    return tensor::InsertSliceOp::create(
        l.b, loc, result, y, ArrayRef<OpFoldResult>{begin, l.b.getIndexAttr(0)},
        ArrayRef<OpFoldResult>{rows, columns}, ones(2));
  }

  /// The rows of activations of the group.
  Value activations() {
    if (op.getGather())
      return gatherInLinalg(l.b, loc, op, {begin, rows});
    return tensor::ExtractSliceOp::create(
        l.b, loc, op.getActivations(),
        ArrayRef<OpFoldResult>{begin, l.b.getIndexAttr(0)},
        ArrayRef<OpFoldResult>{rows, k}, ones(2));
  }

  Value multiply(Value expert, Value y) {
    Value x = activations(), w = decode(expert);
    // Upstream's lowerings to LLVM have no extension of f8E4M3FN.
    if (!tensorType(x).getElementType().isBF16())
      x = widenInLinalg(l.b, loc, x);
    AffineExpr mDim, nDim, kDim;
    bindDims(l.b.getContext(), mDim, nDim, kDim);
    const auto map = [&](AffineExpr row, AffineExpr col) {
      return AffineMapAttr::get(
          AffineMap::get(3, 0, {row, col}, l.b.getContext()));
    };
    auto maps =
        l.b.getArrayAttr({map(mDim, kDim), map(nDim, kDim), map(mDim, nDim)});
    Value init = zeros(n);
    auto matmul = linalg::MatmulOp::create(l.b, loc, init.getType(),
                                           ValueRange{x, w}, init);
    matmul.setIndexingMapsAttr(maps);
    Value sums = matmul.getResult(0);
    return insert(op.hasEpilogue() ? finishInLinalg(l.b, loc, op, {begin, rows},
                                                    expert, sums)
                                   : sums,
                  y);
  }

  /// Slice `expert` of a tensor of all experts.
  Value expertOf(Value value, Value expert) {
    RankedTensorType type = tensorType(value);
    SmallVector<OpFoldResult> offsets(type.getRank(), l.b.getIndexAttr(0)),
        sizes = tensor::getMixedSizes(l.b, loc, value);
    offsets[0] = expert;
    sizes[0] = l.b.getIndexAttr(1);
    return tensor::ExtractSliceOp::create(
        l.b, loc, type.clone(type.getShape().drop_front()), value, offsets,
        sizes, ones(type.getRank()));
  }

  /// One expert's weights, N x K.
  Value decode(Value expert) {
    Value codes, scales;
    if (layout) {
      std::tie(codes, scales) = unpack(expert);
    } else {
      codes = expertOf(weights[0], expert);
      scales = expertOf(weights[1], expert);
    }
    Value empty = tensor::EmptyOp::create(
        l.b, loc, ArrayRef<OpFoldResult>{n, k}, l.b.getBF16Type());
    return dequantizeInLinalg(l.b, loc, codes, scales, empty);
  }

  std::pair<Value, Value> unpack(Value expert) {
    RankedTensorType type = tensorType(weights[0]);
    SmallVector<OpFoldResult> offsets(4, l.b.getIndexAttr(0)),
        sizes = tensor::getMixedSizes(l.b, loc, weights[0]);
    offsets[0] = expert;
    sizes[0] = l.b.getIndexAttr(1);
    SmallVector<int64_t> one(type.getShape());
    one[0] = 1;
    Value bytes = tensor::ExtractSliceOp::create(
        l.b, loc, type.clone(one), weights[0], offsets, sizes, ones(4));
    SmallVector<OpFoldResult> shape = {l.b.getIndexAttr(1), n, k};
    if (std::optional<int64_t> columns = getConstantIntValue(k))
      shape[2] = l.b.getIndexAttr(*columns / kScaleBlock);
    else
      shape[2] = l.op<arith::DivUIOp>(cast<Value>(k), kScaleBlock);
    Value scalesInit =
        tensor::EmptyOp::create(l.b, loc, shape, l.b.getI8Type());
    shape.push_back(l.b.getIndexAttr(kScaleBlock / 2));
    Value codesInit = tensor::EmptyOp::create(l.b, loc, shape, l.b.getI8Type());
    auto [codes, scales] =
        unpackInLinalg(l.b, loc, bytes, codesInit, scalesInit, *layout);
    Value zero = l.index(0);
    return {expertOf(codes, zero), expertOf(scales, zero)};
  }

  LoopBuilder l;
  Location loc;
  GroupedMatmulOp op;
  ValueRange weights;
  std::optional<BlockLayout> layout;
  /// Columns of the output, of the sums (N), and of the activations (K).
  OpFoldResult columns, n, k;
  /// The group's first row, and its number of rows.
  Value begin, rows;
};

//===----------------------------------------------------------------------===//
// Patterns
//===----------------------------------------------------------------------===//

struct LowerGroupedMatmul : OpConversionPattern<GroupedMatmulOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(GroupedMatmulOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    std::optional<BlockLayout> layout;
    if (op.getBlockType())
      layout = layoutOf(op.getWeights()[0].getType());
    rewriter.replaceOp(
        op, GroupLoop(rewriter, op, adaptor.getWeights(), layout).emit());
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
          quantize && quantize.getScatter())
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
