//===- LowerToNVVM.cpp - Kernels to the NVVM dialect ----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KernelLowering.h"
#include "KernelMath.h"

#include "mxfp4/IR/MXFP4.h"
#include "mxfp4/Transforms/Passes.h"

#include "mlir/Conversion/ArithToLLVM/ArithToLLVM.h"
#include "mlir/Conversion/ControlFlowToLLVM/ControlFlowToLLVM.h"
#include "mlir/Conversion/GPUToNVVM/GPUToNVVMPass.h"
#include "mlir/Conversion/LLVMCommon/ConversionTarget.h"
#include "mlir/Conversion/LLVMCommon/Pattern.h"
#include "mlir/Conversion/SCFToControlFlow/SCFToControlFlow.h"
#include "mlir/Conversion/UBToLLVM/UBToLLVM.h"
#include "mlir/Conversion/VectorToLLVM/ConvertVectorToLLVM.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlow.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Dialect/Vector/Transforms/LoweringPatterns.h"
#include "mlir/Dialect/Vector/Transforms/VectorRewritePatterns.h"
#include "mlir/Transforms/DialectConversion.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace mxfp4 {
#define GEN_PASS_DEF_LOWERTONVVM
#include "mxfp4/Transforms/Passes.h.inc"
} // namespace mxfp4

using namespace mlir;
using namespace mxfp4;

//===----------------------------------------------------------------------===//
// Memory: memrefs are bare pointers
//===----------------------------------------------------------------------===//

namespace {

unsigned addressSpace(MemRefType type) {
  const bool shared =
      gpu::GPUDialect::isWorkgroupMemoryAddressSpace(type.getMemorySpace());
  return static_cast<unsigned>(shared ? NVVM::NVVMMemorySpace::Shared
                                      : NVVM::NVVMMemorySpace::Global);
}

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

//===----------------------------------------------------------------------===//
// Kernels
//===----------------------------------------------------------------------===//

LogicalResult checkKernel(gpu::GPUFuncOp op) {
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

struct LowerKernel : ConvertOpToLLVMPattern<gpu::GPUFuncOp> {
  LowerKernel(const LLVMTypeConverter &converter)
      // Ahead of the upstream pattern, which makes memref descriptors.
      : ConvertOpToLLVMPattern(converter, /*benefit=*/10) {}

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

//===----------------------------------------------------------------------===//
// The pass
//===----------------------------------------------------------------------===//

void populatePatterns(LLVMTypeConverter &converter,
                      RewritePatternSet &patterns) {
  patterns.add<LowerLoad, LowerStore, LowerAtomic, LowerView,
               LowerDynamicShared, LowerReturn>(converter, /*benefit=*/10);
  patterns.add<LowerKernel>(converter);
  populateTileLowering(converter, patterns);
  populateGatherLowering(converter, patterns);
  populateStoreLowering(converter, patterns);
  populateFragmentLowering(converter, patterns);
  populateHopperLowering(converter, patterns);
  populateRowCopyLowering(converter, patterns);
  populateSliceLowering(converter, patterns);
  populateAccumulatorLowering(converter, patterns);
  populateMathLowering(converter, patterns);
  populateVectorMemoryLowering(converter, patterns);
  arith::populateCeilFloorDivExpandOpsPatterns(patterns);
  arith::populateArithToLLVMConversionPatterns(converter, patterns);
  populateSCFToControlFlowConversionPatterns(patterns);
  cf::populateControlFlowToLLVMConversionPatterns(converter, patterns);
  ub::populateUBToLLVMConversionPatterns(converter, patterns);
  populateVectorToLLVMConversionPatterns(converter, patterns);
  populateGpuToNVVMConversionPatterns(converter, patterns);
}

struct LowerToNVVMPass : mxfp4::impl::LowerToNVVMBase<LowerToNVVMPass> {
  using LowerToNVVMBase::LowerToNVVMBase;

  void runOnOperation() override {
    MLIRContext *context = &getContext();
    // Checks come ahead of the patterns, because upstream's pattern would take
    // a function that ours refuses.
    const auto check = [](gpu::GPUFuncOp op) {
      return failed(checkKernel(op)) ? WalkResult::interrupt()
                                     : WalkResult::advance();
    };
    if (getOperation()->walk(check).wasInterrupted() ||
        failed(checkMath(getOperation())))
      return signalPassFailure();
    simplifyMath(getOperation());
    // Canonicalisation gathers accumulators into vectors of rank 3, which have
    // no conversion; take them apart again.
    RewritePatternSet unroll(context);
    vector::populateVectorFromElementsUnrollPatterns(unroll);
    vector::populateVectorToElementsUnrollPatterns(unroll);
    vector::populateVectorBroadcastLoweringPatterns(unroll);
    vector::populateVectorShapeCastLoweringPatterns(unroll);
    if (failed(applyPatternsGreedily(getOperation(), std::move(unroll))))
      return signalPassFailure();

    getOperation()->walk([](scf::ForOp loop) { keepRolled(loop); });
    // Kernels count rows, tiles, slots and steps in `index`, and these numbers
    // fit into 31 bits (the launch contract bounds rows and tiles). Addresses
    // of large buffers are computed in 64 bits.
    LowerToLLVMOptions options(context);
    options.overrideIndexBitwidth(32);
    LLVMTypeConverter converter(context, options);
    configureGpuToNVVMTypeConverter(converter);
    converter.addConversion([](MemRefType type) -> Type {
      return LLVM::LLVMPointerType::get(type.getContext(), addressSpace(type));
    });

    converter.addConversion([](TensorMapType type) -> Type {
      return LLVM::LLVMPointerType::get(type.getContext());
    });

    RewritePatternSet patterns(context);
    populatePatterns(converter, patterns);
    LLVMConversionTarget target(*context);
    target.addLegalDialect<NVVM::NVVMDialect>();
    target.addIllegalDialect<MXFP4Dialect, arith::ArithDialect,
                             cf::ControlFlowDialect, gpu::GPUDialect,
                             math::MathDialect, memref::MemRefDialect,
                             scf::SCFDialect, vector::VectorDialect>();
    // The container stays: gpu-module-to-binary serialises it.
    target.addLegalOp<gpu::GPUModuleOp>();
    // A yield goes away with its loop or branch. It is legal, because the
    // driver visits the yields of a branch that a pattern creates before the
    // branch.
    target.addLegalOp<scf::YieldOp>();
    // mxfp4-lower-decode casts i32 to registers of 8-bit floats.
    // Canonicalisation drops each such cast with its opposite.
    target.addLegalOp<UnrealizedConversionCastOp>();
    if (failed(
            applyFullConversion(getOperation(), target, std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
