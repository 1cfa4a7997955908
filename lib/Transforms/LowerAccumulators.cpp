//===- LowerAccumulators.cpp - Accumulators to NVVM -----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KernelLowering.h"

#include "mlir/Conversion/LLVMCommon/Pattern.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace mxfp4;

namespace {

/// The place of each of the sums of `columns` times eight tokens.
SmallVector<SmallVector<int64_t>> placesOf(ArrayRef<int64_t> block,
                                           int64_t columns) {
  SmallVector<SmallVector<int64_t>> places;
  for (int64_t column = 0; column < columns; ++column)
    for (int64_t i = 0; i < 4; ++i) {
      places.emplace_back(block);
      places.back().append({column, i});
    }
  return places;
}

Value position(ImplicitLocOpBuilder &b, int64_t i) {
  return Arithmetic(b).constant(b.getI32Type(), i);
}

/// Sums of one block of rows, or of several.
bool isAccumulator(VectorType type) {
  return (type.getRank() == 2 || type.getRank() == 3) && !type.isScalable() &&
         type.getElementType().isF32() && type.getShape().back() == 4;
}

/// The places of the blocks of an accumulator of one or of several.
SmallVector<SmallVector<int64_t>> blocksOf(VectorType type) {
  SmallVector<SmallVector<int64_t>> blocks = {{}};
  if (type.getRank() == 3) {
    blocks.clear();
    for (int64_t block = 0; block < type.getDimSize(0); ++block)
      blocks.push_back({block});
  }
  return blocks;
}

/// One sum of an accumulator, or four: what upstream takes from a vector in the
/// array. Larger parts are arrays of their own.
bool isOneOrFour(Type part, VectorType whole) {
  auto vector = dyn_cast<VectorType>(part);
  return isAccumulator(whole) && (!vector || vector.getRank() == 1);
}

struct LowerExtract : ConvertOpToLLVMPattern<vector::ExtractOp> {
  using ConvertOpToLLVMPattern::ConvertOpToLLVMPattern;
  LogicalResult
  matchAndRewrite(vector::ExtractOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    if (!isOneOrFour(op.getType(), op.getSourceVectorType()) ||
        op.hasDynamicPosition())
      return failure();
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    Value sums = adaptor.getSource();
    const ArrayRef<int64_t> at = op.getStaticPosition();
    rewriter.replaceOp(op, op.getType().isF32()
                               ? LLVM::ExtractValueOp::create(b, sums, at)
                               : readFour(b, sums, at));
    return success();
  }
};

struct LowerInsert : ConvertOpToLLVMPattern<vector::InsertOp> {
  using ConvertOpToLLVMPattern::ConvertOpToLLVMPattern;
  LogicalResult
  matchAndRewrite(vector::InsertOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    if (!isOneOrFour(op.getValueToStoreType(), op.getDestVectorType()) ||
        op.hasDynamicPosition())
      return failure();
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    Value sums = adaptor.getDest(), part = adaptor.getValueToStore();
    const ArrayRef<int64_t> at = op.getStaticPosition();
    rewriter.replaceOp(op, part.getType().isF32()
                               ? LLVM::InsertValueOp::create(b, sums, part, at)
                               : writeFour(b, sums, at, part));
    return success();
  }
};

/// Sum by sum.
struct LowerAdd : ConvertOpToLLVMPattern<arith::AddFOp> {
  using ConvertOpToLLVMPattern::ConvertOpToLLVMPattern;
  LogicalResult
  matchAndRewrite(arith::AddFOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    auto type = dyn_cast<VectorType>(op.getType());
    if (!type || !isAccumulator(type))
      return failure();
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    Value sums = LLVM::PoisonOp::create(b, adaptor.getLhs().getType());
    const int64_t columns = type.getShape().drop_back().back();
    for (const SmallVector<int64_t> &block : blocksOf(type)) {
      SmallVector<Value> lhs, rhs;
      readSums(b, adaptor.getLhs(), block, columns, lhs);
      readSums(b, adaptor.getRhs(), block, columns, rhs);
      for (size_t four = 0; four < lhs.size(); four += 4)
        for (size_t i = four + 4; i-- > four;)
          lhs[i] = LLVM::FAddOp::create(b, lhs[i], rhs[i]);
      sums = writeSums(b, sums, block, lhs);
    }
    rewriter.replaceOp(op, sums);
    return success();
  }
};

/// Other operations of each element by itself, which upstream's patterns would
/// look for vectors in.
struct LowerElementwise : ConversionPattern {
  LowerElementwise(const LLVMTypeConverter &converter, PatternBenefit benefit)
      : ConversionPattern(converter, MatchAnyOpTypeTag(), benefit,
                          &converter.getContext()) {}
  LogicalResult
  matchAndRewrite(Operation *op, ArrayRef<Value> operands,
                  ConversionPatternRewriter &rewriter) const override {
    if (op->getNumResults() != 1 || operands.empty() ||
        !OpTrait::hasElementwiseMappableTraits(op))
      return failure();
    auto type = dyn_cast<VectorType>(op->getResult(0).getType());
    if (!type || !isAccumulator(type) ||
        llvm::any_of(op->getOperandTypes(),
                     [&](Type operand) { return operand != type; }))
      return failure();
    ImplicitLocOpBuilder b(op->getLoc(), rewriter);
    Value sums = LLVM::PoisonOp::create(b, operands.front().getType());
    for (const SmallVector<int64_t> &block : blocksOf(type))
      for (ArrayRef<int64_t> at :
           placesOf(block, type.getShape().drop_back().back())) {
        OperationState state(op->getLoc(), op->getName());
        for (Value operand : operands)
          state.operands.push_back(
              LLVM::ExtractValueOp::create(b, operand, at));
        state.addTypes(b.getF32Type());
        state.addAttributes(op->getAttrs());
        sums = LLVM::InsertValueOp::create(b, sums,
                                           b.create(state)->getResult(0), at);
      }
    rewriter.replaceOp(op, sums);
    return success();
  }
};

} // namespace

void mxfp4::readSums(ImplicitLocOpBuilder &b, Value accumulator,
                     ArrayRef<int64_t> block, int64_t columns,
                     SmallVectorImpl<Value> &sums) {
  for (ArrayRef<int64_t> place : placesOf(block, columns))
    sums.push_back(LLVM::ExtractValueOp::create(b, accumulator, place));
}

Value mxfp4::writeSums(ImplicitLocOpBuilder &b, Value accumulator,
                       ArrayRef<int64_t> block, ArrayRef<Value> sums) {
  Type ofFour = LLVM::LLVMArrayType::get(b.getF32Type(), 4);
  SmallVector<int64_t> place(block);
  place.push_back(0);
  for (int64_t &column = place.back(); !sums.empty(); ++column) {
    Value four = LLVM::PoisonOp::create(b, ofFour);
    for (int64_t i = 0; i < 4; ++i)
      four = LLVM::InsertValueOp::create(b, four, sums[i], i);
    accumulator = LLVM::InsertValueOp::create(b, accumulator, four, place);
    sums = sums.drop_front(4);
  }
  return accumulator;
}

Value mxfp4::readFour(ImplicitLocOpBuilder &b, Value accumulator,
                      ArrayRef<int64_t> at) {
  Value four = LLVM::PoisonOp::create(b, VectorType::get({4}, b.getF32Type()));
  SmallVector<int64_t> place(at);
  place.push_back(0);
  for (int64_t &i = place.back(); i < 4; ++i)
    four = LLVM::InsertElementOp::create(
        b, four, LLVM::ExtractValueOp::create(b, accumulator, place),
        position(b, i));
  return four;
}

Value mxfp4::writeFour(ImplicitLocOpBuilder &b, Value accumulator,
                       ArrayRef<int64_t> at, Value four) {
  SmallVector<int64_t> place(at);
  place.push_back(0);
  for (int64_t &i = place.back(); i < 4; ++i)
    accumulator = LLVM::InsertValueOp::create(
        b, accumulator, LLVM::ExtractElementOp::create(b, four, position(b, i)),
        place);
  return accumulator;
}

void mxfp4::populateAccumulatorLowering(LLVMTypeConverter &converter,
                                        RewritePatternSet &patterns) {
  // Upstream's arrays end in vectors. LLVM takes those apart, since registers
  // hold scalars, but that is a good part of the time it takes for a kernel.
  converter.addConversion([](VectorType type) -> std::optional<Type> {
    if (!isAccumulator(type))
      return std::nullopt;
    Type array = type.getElementType();
    for (int64_t size : llvm::reverse(type.getShape()))
      array = LLVM::LLVMArrayType::get(array, size);
    return array;
  });
  patterns.add<LowerExtract, LowerInsert, LowerAdd>(converter, /*benefit=*/10);
  patterns.add<LowerElementwise>(converter, /*benefit=*/9);
}
