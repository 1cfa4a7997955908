//===- ConvertToLLVM.cpp - Packed blocks as memory ------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What `convert-to-llvm` and `gpu-to-llvm` need to know of the dialect: a block
// is 2176 bytes, `block_bytes` and `rebase` are other descriptors of the same
// memory, and tensor maps are 128 bytes each that the host's runtime encodes.
// Everything else has been lowered to loops or to a kernel before.
//
//===----------------------------------------------------------------------===//

#include "mxfp4/IR/MXFP4.h"

#include "mlir/Conversion/ConvertToLLVM/ToLLVMInterface.h"
#include "mlir/Conversion/LLVMCommon/MemRefBuilder.h"
#include "mlir/Conversion/LLVMCommon/Pattern.h"
#include "mlir/Dialect/LLVMIR/FunctionCallUtils.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/BuiltinOps.h"

using namespace mlir;
using namespace mxfp4;

namespace {

/// `A x B x C x !mxfp4.block` to `A x B x C x 2176 x i8`: the same pointers,
/// one more dimension, and strides and offset in bytes.
struct BlockBytesLowering : ConvertOpToLLVMPattern<BlockBytesOp> {
  using ConvertOpToLLVMPattern::ConvertOpToLLVMPattern;

  LogicalResult
  matchAndRewrite(BlockBytesOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    auto type = cast<MemRefType>(op.getBytes().getType());
    Type descriptorType = getTypeConverter()->convertType(type);
    if (!descriptorType)
      return rewriter.notifyMatchFailure(op, "memory space is not converted");
    MemRefDescriptor blocks(adaptor.getBlocks());
    auto bytes = MemRefDescriptor::poison(rewriter, loc, descriptorType);
    bytes.setAllocatedPtr(rewriter, loc, blocks.allocatedPtr(rewriter, loc));
    bytes.setAlignedPtr(rewriter, loc, blocks.alignedPtr(rewriter, loc));
    const int64_t rank = type.getRank() - 1;
    Value size =
        createIndexAttrConstant(rewriter, loc, getIndexType(),
                                layoutOf(op.getBlocks().getType()).bytes());
    bytes.setOffset(
        rewriter, loc,
        LLVM::MulOp::create(rewriter, loc, blocks.offset(rewriter, loc), size));
    for (int64_t dim = 0; dim < rank; ++dim) {
      bytes.setSize(rewriter, loc, dim, blocks.size(rewriter, loc, dim));
      bytes.setStride(rewriter, loc, dim,
                      LLVM::MulOp::create(rewriter, loc,
                                          blocks.stride(rewriter, loc, dim),
                                          size));
    }
    bytes.setSize(rewriter, loc, rank, size);
    bytes.setConstantStride(rewriter, loc, rank, 1);
    rewriter.replaceOp(op, {bytes});
    return success();
  }
};

/// The descriptor of an identity layout from the first element on. The pointer
/// that was allocated stays the same.
struct RebaseLowering : ConvertOpToLLVMPattern<RebaseOp> {
  using ConvertOpToLLVMPattern::ConvertOpToLLVMPattern;

  LogicalResult
  matchAndRewrite(RebaseOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    auto from = cast<MemRefType>(op.getSource().getType());
    auto type = cast<MemRefType>(op.getResult().getType());
    Type descriptorType = getTypeConverter()->convertType(type);
    if (!descriptorType || !getTypeConverter()->convertType(from))
      return rewriter.notifyMatchFailure(op, "memory space is not converted");
    MemRefDescriptor source(adaptor.getSource());
    auto result = MemRefDescriptor::poison(rewriter, loc, descriptorType);
    result.setAllocatedPtr(rewriter, loc, source.allocatedPtr(rewriter, loc));
    result.setAlignedPtr(
        rewriter, loc,
        source.bufferPtr(rewriter, loc, *getTypeConverter(), from));
    result.setConstantOffset(rewriter, loc, 0);
    Value stride = createIndexAttrConstant(rewriter, loc, getIndexType(), 1);
    for (int64_t dim = type.getRank() - 1; dim >= 0; --dim) {
      Value size = source.size(rewriter, loc, dim);
      result.setSize(rewriter, loc, dim, size);
      result.setStride(rewriter, loc, dim, stride);
      if (dim > 0)
        stride = LLVM::MulOp::create(rewriter, loc, stride, size);
    }
    rewriter.replaceOp(op, {result});
    return success();
  }
};

/// A call for each map of
///   void mxfp4_encode_tensor_map(void *map, const void *x, int64_t rows,
///                                int64_t columns, int64_t box_rows)
/// which the program that runs the module provides: it writes the 128 bytes of
/// a map as `mxfp4.make_tensor_map` describes it, of columns of two bytes. Two
/// numbers of 8 bits are one: the boxes have the same bytes.
struct MakeTensorMapLowering : ConvertOpToLLVMPattern<MakeTensorMapOp> {
  using ConvertOpToLLVMPattern::ConvertOpToLLVMPattern;

  LogicalResult
  matchAndRewrite(MakeTensorMapOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    auto module = op->getParentOfType<ModuleOp>();
    auto function = op->getParentOfType<FunctionOpInterface>();
    Type pointer = getPtrType(), i64 = rewriter.getI64Type();
    FailureOr<LLVM::LLVMFuncOp> encode = LLVM::lookupOrCreateFn(
        rewriter, module, "mxfp4_encode_tensor_map",
        {pointer, pointer, i64, i64, i64}, getVoidType());
    if (failed(encode) || !function)
      return rewriter.notifyMatchFailure(op,
                                         "nowhere to call the encoder from");

    Type mapType = getTypeConverter()->convertType(op.getMap().getType());
    Value map;
    {
      OpBuilder::InsertionGuard guard(rewriter);
      rewriter.setInsertionPointToStart(&function.getFunctionBody().front());
      Value one = LLVM::ConstantOp::create(rewriter, loc, i64, 1);
      map = LLVM::AllocaOp::create(rewriter, loc, pointer, mapType, one,
                                   /*alignment=*/64);
    }
    MemRefDescriptor x(adaptor.getSource());
    auto type = cast<MemRefType>(op.getSource().getType());
    Value data = x.bufferPtr(rewriter, loc, *getTypeConverter(), type);
    const TensorMapType maps = op.getMap().getType();
    for (int64_t number = 0; number < maps.getCount(); ++number) {
      Value place = LLVM::GEPOp::create(
          rewriter, loc, pointer, i64, map,
          ArrayRef<LLVM::GEPArg>{
              int32_t(number * TensorMapType::kBytes / sizeof(int64_t))});
      Value box = LLVM::ConstantOp::create(rewriter, loc, i64,
                                           (number + 1) * maps.getBoxStep());
      Value rows = x.size(rewriter, loc, 0);
      Value columns = type.getElementTypeBitWidth() == 16
                          ? x.size(rewriter, loc, 1)
                          : Value(LLVM::ConstantOp::create(
                                rewriter, loc, i64, type.getDimSize(1) / 2));
      LLVM::CallOp::create(rewriter, loc, *encode,
                           ValueRange{place, data, rows, columns, box});
    }
    rewriter.replaceOpWithNewOp<LLVM::LoadOp>(op, mapType, map);
    return success();
  }
};

struct ToLLVMInterface : ConvertToLLVMPatternInterface {
  using ConvertToLLVMPatternInterface::ConvertToLLVMPatternInterface;

  void populateConvertToLLVMConversionPatterns(
      ConversionTarget &, LLVMTypeConverter &converter,
      RewritePatternSet &patterns) const final {
    converter.addConversion([](BlockType type) -> Type {
      return LLVM::LLVMArrayType::get(IntegerType::get(type.getContext(), 8),
                                      type.getLayout().bytes());
    });
    converter.addConversion([](TensorMapType type) -> Type {
      return LLVM::LLVMArrayType::get(IntegerType::get(type.getContext(), 64),
                                      type.getCount() * TensorMapType::kBytes /
                                          sizeof(int64_t));
    });
    patterns.add<BlockBytesLowering, RebaseLowering, MakeTensorMapLowering>(
        converter);
  }
};

} // namespace

namespace mxfp4 {
void registerConvertToLLVMInterface(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *, MXFP4Dialect *dialect) {
    dialect->addInterfaces<ToLLVMInterface>();
  });
}
} // namespace mxfp4
