//===- LowerKernels.cpp - Kernels and their shared memory to NVVM ---------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KernelLowering.h"

#include "mxfp4/IR/MXFP4.h"

#include "mlir/Conversion/LLVMCommon/Pattern.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

using namespace mlir;
using namespace mxfp4;

LogicalResult mxfp4::checkKernel(gpu::GPUFuncOp op) {
  if (!op.isKernel() || op.getNumPrivateAttributions() != 0)
    return op.emitOpError("requires a kernel without private attributions");
  for (BlockArgument attribution : op.getWorkgroupAttributions()) {
    auto type = cast<MemRefType>(attribution.getType());
    if (!type.hasStaticShape() || !type.getElementType().isIntOrFloat() ||
        type.getElementTypeBitWidth() % 8 != 0)
      return op.emitOpError()
             << "requires workgroup attributions of a static number of "
                "integers or floats of whole bytes, but has "
             << type;
  }
  return success();
}

namespace {

/// The 128-byte swizzle repeats after 1024 bytes, and matrix descriptors count
/// on stages that begin there.
constexpr int64_t kDynamicAlignment = 1024;

/// A shared-memory variable of the module, and its address.
Value createShared(ImplicitLocOpBuilder &b, Operation *inside, StringRef name,
                   int64_t bytes, int64_t alignment, LLVM::Linkage linkage) {
  auto module = inside->getParentOfType<gpu::GPUModuleOp>();
  const auto space = static_cast<unsigned>(NVVM::NVVMMemorySpace::Shared);
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(module.getBody());
    LLVM::GlobalOp::create(b, LLVM::LLVMArrayType::get(b.getI8Type(), bytes),
                           /*isConstant=*/false, linkage, name, Attribute(),
                           alignment, space);
  }
  return LLVM::AddressOfOp::create(
      b, LLVM::LLVMPointerType::get(b.getContext(), space), name);
}

/// Each kernel carves its own dynamic shared memory from one variable.
struct LowerDynamicShared : ConvertOpToLLVMPattern<gpu::DynamicSharedMemoryOp> {
  using ConvertOpToLLVMPattern::ConvertOpToLLVMPattern;
  LogicalResult
  matchAndRewrite(gpu::DynamicSharedMemoryOp op, OpAdaptor,
                  ConversionPatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    auto module = op->getParentOfType<gpu::GPUModuleOp>();
    const std::string name = module.getName().str() + "_shared";
    const auto space = static_cast<unsigned>(NVVM::NVVMMemorySpace::Shared);
    if (module.lookupSymbol<LLVM::GlobalOp>(name)) {
      rewriter.replaceOpWithNewOp<LLVM::AddressOfOp>(
          op, LLVM::LLVMPointerType::get(b.getContext(), space), name);
      return success();
    }
    rewriter.replaceOp(op, createShared(b, op, name, 0, kDynamicAlignment,
                                        LLVM::Linkage::External));
    return success();
  }
};

struct LowerKernel : ConvertOpToLLVMPattern<gpu::GPUFuncOp> {
  LowerKernel(const LLVMTypeConverter &converter)
      : ConvertOpToLLVMPattern(converter, kKernelBenefit) {}

  LogicalResult
  matchAndRewrite(gpu::GPUFuncOp op, OpAdaptor,
                  ConversionPatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    TypeConverter::SignatureConversion signature(op.front().getNumArguments());
    for (auto [i, type] : llvm::enumerate(op.getFunctionType().getInputs()))
      signature.addInputs(i, getTypeConverter()->convertType(type));
    auto type = LLVM::LLVMFunctionType::get(
        LLVM::LLVMVoidType::get(b.getContext()), signature.getConvertedTypes());
    auto function = LLVM::LLVMFuncOp::create(b, op.getName(), type);
    setKernelAttributes(b, op, function);

    b.setInsertionPointToStart(&op.front());
    const unsigned inputs = op.getFunctionType().getNumInputs();
    for (auto [i, attribution] :
         llvm::enumerate(op.getWorkgroupAttributions())) {
      auto memref = cast<MemRefType>(attribution.getType());
      const int64_t bytes =
          memref.getNumElements() * memref.getElementTypeBitWidth() / 8;
      const std::string name = op.getName().str() + "_tile" + std::to_string(i);
      Value address =
          createShared(b, op, name, bytes, kRowBytes, LLVM::Linkage::Internal);
      signature.remapInput(inputs + i, address);
    }
    rewriter.inlineRegionBefore(op.getBody(), function.getBody(),
                                function.end());
    if (failed(rewriter.convertRegionTypes(&function.getBody(),
                                           *getTypeConverter(), &signature)))
      return failure();
    rewriter.eraseOp(op);
    return success();
  }

private:
  static void setKernelAttributes(ImplicitLocOpBuilder &b, gpu::GPUFuncOp op,
                                  LLVM::LLVMFuncOp function) {
    // The launch looks for gpu.kernel, the translation for nvvm.kernel.
    function->setAttr(gpu::GPUDialect::getKernelFuncAttrName(),
                      b.getUnitAttr());
    function->setAttr(NVVM::NVVMDialect::getKernelFuncAttrName(),
                      b.getUnitAttr());
    if (DenseI32ArrayAttr size = op.getKnownBlockSizeAttr())
      function->setAttr(NVVM::NVVMDialect::getReqntidAttrName(), size);
    const StringRef minCTAs = NVVM::NVVMDialect::getMinctasmAttrName();
    if (Attribute ctas = op->getAttr(minCTAs))
      function->setAttr(minCTAs, ctas);
    // Tensor maps are passed by value, in parameter space; without
    // grid_constant they would be copied to the stack. Pointers do not get
    // noalias, because LLVM would then load through the read-only path
    // (ld.global.nc), and such loads may move ahead of the wait for the kernels
    // before this one.
    for (auto [i, type] : llvm::enumerate(op.getFunctionType().getInputs())) {
      if (isa<TensorMapType>(type)) {
        auto bytes = LLVM::LLVMArrayType::get(
            b.getI64Type(),
            cast<TensorMapType>(type).getCount() * TensorMapType::kBytes / 8);
        function.setArgAttr(i, LLVM::LLVMDialect::getByValAttrName(),
                            TypeAttr::get(bytes));
        function.setArgAttr(i, LLVM::LLVMDialect::getAlignAttrName(),
                            b.getI64IntegerAttr(64));
        function.setArgAttr(i, NVVM::NVVMDialect::getGridConstantAttrName(),
                            b.getUnitAttr());
      }
    }
  }
};

struct LowerReturn : ConvertOpToLLVMPattern<gpu::ReturnOp> {
  using ConvertOpToLLVMPattern::ConvertOpToLLVMPattern;
  LogicalResult
  matchAndRewrite(gpu::ReturnOp op, OpAdaptor,
                  ConversionPatternRewriter &rewriter) const override {
    rewriter.replaceOpWithNewOp<LLVM::ReturnOp>(op, ValueRange{});
    return success();
  }
};

} // namespace

void mxfp4::populateKernelLowering(LLVMTypeConverter &converter,
                                   RewritePatternSet &patterns) {
  converter.addConversion([](TensorMapType type) -> Type {
    return LLVM::LLVMPointerType::get(type.getContext());
  });
  patterns.add<LowerDynamicShared, LowerReturn>(converter, kKernelBenefit);
  patterns.add<LowerKernel>(converter);
}
