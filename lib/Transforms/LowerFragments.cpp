//===- LowerFragments.cpp - Fragments to NVVM -----------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KernelLowering.h"

#include "mxfp4/Core/WeightLayout.h"
#include "mxfp4/IR/MXFP4.h"

#include "mlir/Conversion/LLVMCommon/Pattern.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

using namespace mlir;
using namespace mxfp4;

namespace {

VectorType pairType(OpBuilder &b) {
  return VectorType::get({2}, b.getBF16Type());
}

/// Address of `bytes` in this warp-slice's block in the stage: staged weights
/// are stages x blocks, the 16-row slices of a block lie `warpBytes` apart. The
/// slot is added last: what does not change from step to step stays in one
/// register, and what all lanes share comes from another, in the load itself.
Value locateInSlice(ImplicitLocOpBuilder &b, MemRefType stage, Value base,
                    Value slot, Value slice, int64_t warpBytes, Value bytes) {
  Arithmetic a(b);
  const BlockLayout layout = layoutOf(stage);
  const int warps = layout.warps();
  Value fixed = a.add(a.mul(a.shr(slice, llvm::Log2_32(warps)), layout.bytes()),
                      a.mul(a.andi(slice, warps - 1), warpBytes));
  const int64_t slotBytes = stage.getDimSize(1) * layout.bytes();
  return a.offset(a.offset(base, a.add(fixed, bytes)), a.mul(slot, slotBytes));
}

struct LowerLoadCodes : ConvertOpToLLVMPattern<LoadCodesOp> {
  using ConvertOpToLLVMPattern::ConvertOpToLLVMPattern;
  LogicalResult
  matchAndRewrite(LoadCodesOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    Arithmetic a(b);
    auto stage = cast<MemRefType>(op.getWeights().getType());
    const BlockLayout layout = layoutOf(stage);
    Value address = locateInSlice(
        b, stage, adaptor.getWeights(), adaptor.getSlot(), adaptor.getSlice(),
        layout.warpCodeBytes(), a.mul(a.lane(), layout.laneCodeBytes()));
    if (op.getPart() != 0)
      address =
          a.offset(address, a.constant(b.getI32Type(),
                                       op.getPart() * layout.loadCodeBytes()));
    auto type = VectorType::get({layout.loadWords()}, b.getI32Type());
    Value words =
        LLVM::LoadOp::create(b, type, address, layout.laneCodeBytes());
    SmallVector<Value> results;
    for (int i = 0; i < layout.loadWords(); ++i)
      results.push_back(LLVM::ExtractElementOp::create(
          b, words, a.constant(b.getI32Type(), i)));
    rewriter.replaceOp(op, results);
    return success();
  }
};

struct LowerLoadScales : ConvertOpToLLVMPattern<LoadScalesOp> {
  using ConvertOpToLLVMPattern::ConvertOpToLLVMPattern;
  LogicalResult
  matchAndRewrite(LoadScalesOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    Arithmetic a(b);
    auto stage = cast<MemRefType>(op.getWeights().getType());
    const BlockLayout layout = layoutOf(stage);
    Value quad = a.mul(a.shr(a.lane(), 2), layout.quadScaleBytes());
    Value address = locateInSlice(
        b, stage, adaptor.getWeights(), adaptor.getSlot(), adaptor.getSlice(),
        layout.warpScaleBytes(), a.add(quad, layout.codeBytes()));
    if (op.getPart() != 0)
      address = a.offset(address, a.constant(b.getI32Type(), op.getPart() * 4));
    rewriter.replaceOpWithNewOp<LLVM::LoadOp>(
        op, b.getI32Type(), address,
        /*alignment=*/op.getPart() != 0 ? 4 : layout.quadScaleBytes());
    return success();
  }
};

/// ldmatrix.x4 of four 8 x 8 matrices; each lane names a row.
SmallVector<Value> loadMatrices(ImplicitLocOpBuilder &b, Value address) {
  auto type = LLVM::LLVMStructType::getLiteral(
      b.getContext(), SmallVector<Type>(4, b.getI32Type()));
  Value loaded = NVVM::LdMatrixOp::create(
      b, type, address, /*num=*/4, NVVM::MMALayout::row,
      NVVM::LdStMatrixShapeAttr::get(b.getContext(), 8, 8),
      NVVM::LdStMatrixEltType::B16);
  SmallVector<Value> registers;
  for (int i = 0; i < 4; ++i)
    registers.push_back(LLVM::BitcastOp::create(
        b, pairType(b), LLVM::ExtractValueOp::create(b, loaded, i)));
  return registers;
}

/// Address of a 16-byte unit of a swizzled tile: row (a multiple of 8)
/// plus `rowInEight` (0 to 7), unit number.
Value swizzledAddress(ImplicitLocOpBuilder &b, Value base, Value row,
                      Value rowInEight, Value unit) {
  Arithmetic a(b);
  Value inside = a.add(a.mul(rowInEight, kRowBytes),
                       a.mul(a.xori(unit, rowInEight), kUnitBytes));
  return a.offset(base, a.add(a.mul(row, kRowBytes), inside));
}

struct LowerLoadActivations : ConvertOpToLLVMPattern<LoadActivationsOp> {
  using ConvertOpToLLVMPattern::ConvertOpToLLVMPattern;
  LogicalResult
  matchAndRewrite(LoadActivationsOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    Arithmetic a(b);
    // Lane 8m + i names row i of matrix m: token i, k = 8m .. 8m + 7 of the
    // k32 slice. Matrices 0, 1 are b0, b1 of the first k16 step, 2, 3 of the
    // second.
    const int64_t tokens =
        cast<MemRefType>(op.getActivations().getType()).getDimSize(1);
    Value lane = a.lane();
    Value unit = a.add(a.shr(lane, 3), 4 * op.getSlice());
    Value row = a.add(a.mul(adaptor.getSlot(), tokens), adaptor.getToken());
    Value address = swizzledAddress(b, adaptor.getActivations(), row,
                                    a.andi(lane, 7), unit);
    rewriter.replaceOp(op, loadMatrices(b, address));
    return success();
  }
};

/// Where a lane's row of a decoded A fragment lies: matrix m of the four is
/// register m, that is rows 8 (m & 1) .. and columns 8 (m >> 1) .. of the
/// fragment.
Value decodedAddress(ImplicitLocOpBuilder &b, Value base, Value slice,
                     int64_t step) {
  Arithmetic a(b);
  Value lane = a.lane();
  Value lowerRows = a.mul(a.andi(a.shr(lane, 3), 1), 8);
  Value row = a.add(a.mul(slice, 16), lowerRows);
  Value unit = a.add(a.shr(lane, 4), 2 * step);
  return swizzledAddress(b, base, row, a.andi(lane, 7), unit);
}

struct LowerStoreDecoded : ConvertOpToLLVMPattern<StoreDecodedOp> {
  using ConvertOpToLLVMPattern::ConvertOpToLLVMPattern;
  LogicalResult
  matchAndRewrite(StoreDecodedOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    // A buffer is a block, which a warpgroup shares.
    Value slice =
        Arithmetic(b).add(adaptor.getSlice(), op.getBuffer() * kWarpgroupWarps);
    Value address = decodedAddress(b, adaptor.getTile(), slice, op.getStep());
    SmallVector<Value> sources;
    for (Value pair :
         {adaptor.getR0(), adaptor.getR1(), adaptor.getR2(), adaptor.getR3()})
      sources.push_back(LLVM::BitcastOp::create(b, b.getI32Type(), pair));
    NVVM::StMatrixOp::create(
        b, address, sources, NVVM::MMALayout::row,
        NVVM::LdStMatrixShapeAttr::get(b.getContext(), 8, 8),
        NVVM::LdStMatrixEltType::B16);
    rewriter.eraseOp(op);
    return success();
  }
};

struct LowerLoadDecoded : ConvertOpToLLVMPattern<LoadDecodedOp> {
  using ConvertOpToLLVMPattern::ConvertOpToLLVMPattern;
  LogicalResult
  matchAndRewrite(LoadDecodedOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    rewriter.replaceOp(
        op, loadMatrices(b, decodedAddress(b, adaptor.getTile(),
                                           adaptor.getSlice(), op.getStep())));
    return success();
  }
};

/// NVVM names types as PTX does, and as the rows of instructions do.
NVVM::MMATypes operandType(NumberType type) {
  const std::optional<NVVM::MMATypes> found =
      NVVM::symbolizeMMATypes(name(type));
  assert(found && "NVVM has the types of mma.sync's operands");
  return *found;
}

struct LowerMma : ConvertOpToLLVMPattern<MmaOp> {
  using ConvertOpToLLVMPattern::ConvertOpToLLVMPattern;
  LogicalResult
  matchAndRewrite(MmaOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    Arithmetic arithmetic(b);
    auto registers = [&](std::initializer_list<Value> pairs) {
      SmallVector<Value> result;
      for (Value pair : pairs)
        result.push_back(LLVM::BitcastOp::create(b, b.getI32Type(), pair));
      return result;
    };
    SmallVector<Value> lhs = registers(
        {adaptor.getA0(), adaptor.getA1(), adaptor.getA2(), adaptor.getA3()});
    SmallVector<Value> rhs = registers({adaptor.getB0(), adaptor.getB1()});
    auto position = [&](int i) {
      return arithmetic.constant(b.getI32Type(), i);
    };
    SmallVector<Value> sums;
    for (int i = 0; i < 4; ++i)
      sums.push_back(
          LLVM::ExtractElementOp::create(b, adaptor.getC(), position(i)));
    auto type = LLVM::LLVMStructType::getLiteral(
        b.getContext(), SmallVector<Type>(4, b.getF32Type()));
    const InstructionTraits &traits = op.getTraits();
    Value product = NVVM::MmaOp::create(
        b, type, lhs, rhs, sums,
        ArrayRef<int64_t>{traits.m, traits.nStep, traits.k}, std::nullopt,
        std::nullopt,
        std::array<NVVM::MMATypes, 2>{operandType(traits.typeOfA),
                                      operandType(traits.typeOfB)},
        std::array<NVVM::MMALayout, 2>{NVVM::MMALayout::row,
                                       NVVM::MMALayout::col});
    Value result = LLVM::PoisonOp::create(b, adaptor.getC().getType());
    for (int i = 0; i < 4; ++i)
      result = LLVM::InsertElementOp::create(
          b, result, LLVM::ExtractValueOp::create(b, product, i), position(i));
    rewriter.replaceOp(op, result);
    return success();
  }
};

} // namespace

void mxfp4::populateFragmentLowering(const LLVMTypeConverter &converter,
                                     RewritePatternSet &patterns) {
  patterns.add<LowerLoadCodes, LowerLoadScales, LowerLoadActivations,
               LowerStoreDecoded, LowerLoadDecoded, LowerMma>(converter);
}
