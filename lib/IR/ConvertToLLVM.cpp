//===- ConvertToLLVM.cpp - Packed blocks as memory ------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What `convert-to-llvm` needs to know of the dialect: a block is 2176 bytes,
// and `block_bytes` is another descriptor of the same memory. Everything else
// has been lowered to loops or to a kernel before.
//
//===----------------------------------------------------------------------===//

#include "mxfp4/IR/MXFP4.h"

#include "mlir/Conversion/ConvertToLLVM/ToLLVMInterface.h"
#include "mlir/Conversion/LLVMCommon/MemRefBuilder.h"
#include "mlir/Conversion/LLVMCommon/Pattern.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;
using namespace mxfp4;

namespace {

/// `A x B x C x !mxfp4.block` to `A x B x C x 2176 x i8`: the same pointers,
/// one more dimension. Both layouts are contiguous (the verifier asks for it).
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
    bytes.setConstantOffset(rewriter, loc, 0);
    const int64_t rank = type.getRank() - 1;
    Value size = createIndexAttrConstant(rewriter, loc, getIndexType(),
                                         BlockLayout::kBytes);
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

struct ToLLVMInterface : ConvertToLLVMPatternInterface {
  using ConvertToLLVMPatternInterface::ConvertToLLVMPatternInterface;

  void populateConvertToLLVMConversionPatterns(
      ConversionTarget &, LLVMTypeConverter &converter,
      RewritePatternSet &patterns) const final {
    converter.addConversion([](BlockType type) -> Type {
      return LLVM::LLVMArrayType::get(IntegerType::get(type.getContext(), 8),
                                      BlockLayout::kBytes);
    });
    patterns.add<BlockBytesLowering>(converter);
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
