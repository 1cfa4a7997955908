//===- LowerBulkCopies.cpp - Bulk and tensor copies to NVVM ---------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What TMA brings of packed weights and of activations, and what it fetches
// into the L2. Rows that a warp brings are in LowerRowCopies.cpp.
//
//===----------------------------------------------------------------------===//

#include "KernelLowering.h"

#include "mxfp4/IR/MXFP4.h"

#include "mlir/Conversion/LLVMCommon/Pattern.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace mxfp4;

namespace {

/// Bulk copies name their destination in the address space of the cluster.
Value toCluster(ImplicitLocOpBuilder &b, Value shared) {
  const auto space =
      static_cast<unsigned>(NVVM::NVVMMemorySpace::SharedCluster);
  return LLVM::AddrSpaceCastOp::create(
      b, LLVM::LLVMPointerType::get(b.getContext(), space), shared);
}

/// A cache policy as `createpolicy.fractional.L2::evict_first` makes it, for
/// all of the data.
constexpr int64_t kEvictFirst = 0x12F0000000000000;

/// Where the steps of a row of blocks of packed weights begin. Rows of all
/// experts have one numbering.
Value rowOfBlocks(Arithmetic &a, Value weights, MemRefType type, Value row) {
  return a.offset(weights, a.mul(a.toI64(row),
                                 type.getDimSize(2) * layoutOf(type).bytes()));
}

struct LowerPrefetchWeights : ConvertOpToLLVMPattern<PrefetchWeightsOp> {
  using ConvertOpToLLVMPattern::ConvertOpToLLVMPattern;
  LogicalResult
  matchAndRewrite(PrefetchWeightsOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    Arithmetic a(b);
    auto source = cast<MemRefType>(op.getSource().getType());
    const int64_t bytes = layoutOf(source).bytes();
    Value row = a.add(a.mul(adaptor.getExpert(), source.getDimSize(1)),
                      adaptor.getBlock());
    Value first = a.offset(
        rowOfBlocks(a, adaptor.getSource(), source, row),
        a.constant(b.getI64Type(), static_cast<int64_t>(op.getStep()) * bytes));
    NVVM::CpAsyncBulkPrefetchOp::create(
        b, first,
        a.constant(b.getI32Type(), static_cast<int64_t>(op.getSteps()) * bytes),
        /*l2CacheHint=*/Value());
    rewriter.eraseOp(op);
    return success();
  }
};

/// The copies of one `bulk_copy_weights`, a block of rows each.
class BlockCopies {
public:
  BlockCopies(ImplicitLocOpBuilder &b, BulkCopyWeightsOp op,
              BulkCopyWeightsOpAdaptor adaptor)
      : op(op), adaptor(adaptor),
        source(cast<MemRefType>(op.getSource().getType())),
        blocks(cast<MemRefType>(op.getDestination().getType()).getDimSize(1)),
        rowBlocks(source.getDimSize(1)), blockBytes(layoutOf(source).bytes()) {
    Arithmetic a(b);
    Value slotBase = a.offset(adaptor.getDestination(),
                              a.mul(adaptor.getSlot(), blocks * blockBytes));
    barrier = barrierAddress(b, adaptor.getBarriers(), adaptor.getSlot());
    size = a.constant(b.getI32Type(), blockBytes);
    if (op.getHalfLast()) {
      Value step = adaptor.getStep();
      isLast = LLVM::ICmpOp::create(
          b, LLVM::ICmpPredicate::eq, step,
          a.constant(step.getType(), source.getDimSize(2) - 1));
      size = a.select(isLast, a.constant(b.getI32Type(), halfBytes()), size);
    }
    expertRow = a.mul(adaptor.getExpert(), rowBlocks);
    ownBase = adaptor.getPart()
                  ? a.offset(slotBase, a.mul(adaptor.getPart(), blockBytes))
                  : slotBase;
  }

  /// The blocks that are the warp's own: all, or every one of its part.
  void emit(ImplicitLocOpBuilder &b) {
    Arithmetic a(b);
    const int64_t parts = op.getParts().value_or(1);
    for (int64_t i = 0; i < blocks; i += parts) {
      Value number = adaptor.getPart() ? a.add(adaptor.getPart(), i)
                                       : a.constant(b.getI32Type(), i);
      if (i + parts <= blocks) {
        copy(b, number, i);
        continue;
      }
      scf::IfOp::create(b, a.ult(number, blocks),
                        [&](OpBuilder &then, Location loc) {
                          ImplicitLocOpBuilder inner(loc, then);
                          copy(inner, number, i);
                          scf::YieldOp::create(inner);
                        });
    }
  }

private:
  /// Of fewer than 16 experts ptxas would spill an address in kernels of 8-bit
  /// numbers with low tiles, if both blocks had addresses around loops.
  bool isNear() {
    constexpr int64_t kFew = 16;
    return source.getDimSize(0) < kFew && blocks == 2 && op.getOnce() &&
           !adaptor.getPart() && layoutOf(source).order == CodeOrder::Bytes;
  }

  /// Where a block begins whose number among the tile's is `number`, `behind`
  /// blocks behind the warp's first.
  Value begin(ImplicitLocOpBuilder &b, Value number, int64_t behind) {
    Arithmetic a(b);
    Value row = a.add(adaptor.getBlock(), number);
    Value isThere;
    if (rowBlocks % blocks != 0) {
      isThere = a.ult(row, rowBlocks);
      row = a.select(isThere, row, a.constant(b.getI32Type(), rowBlocks - 1));
    }
    if (behind != 0 && isNear()) {
      Value more =
          a.constant(b.getI64Type(), source.getDimSize(2) * blockBytes);
      if (rowBlocks % blocks != 0)
        more = a.select(isThere, more, a.constant(b.getI64Type(), 0));
      return a.offset(nearest, more);
    }
    // The row's offset does not depend on the step, so that a loop over steps
    // only adds the step's offset.
    return a.offset(
        rowOfBlocks(a, adaptor.getSource(), source, a.add(expertRow, row)),
        a.mul(adaptor.getStep(), blockBytes));
  }

  /// Copies a block. With `half_last`, both halves of a block of the last step
  /// get the codes of its first half, and its scales follow.
  void copy(ImplicitLocOpBuilder &b, Value number, int64_t behind) {
    nearest = begin(b, number, behind);
    const int64_t place = behind * blockBytes;
    Value policy = op.getOnce()
                       ? Arithmetic(b).constant(b.getI64Type(), kEvictFirst)
                       : Value();
    copyBytes(b, 0, place, size, policy);
    if (!isLast)
      return;
    scf::IfOp::create(b, isLast, [&](OpBuilder &then, Location loc) {
      ImplicitLocOpBuilder inner(loc, then);
      const BlockLayout layout = layoutOf(source);
      const auto bytes = [&](int64_t count) {
        return Arithmetic(inner).constant(inner.getI32Type(), count);
      };
      copyBytes(inner, 0, place + halfBytes(), bytes(halfBytes()), policy);
      copyBytes(inner, layout.codeBytes(), place + layout.codeBytes(),
                bytes(layout.scaleBytes()), policy);
      scf::YieldOp::create(inner);
    });
  }

  /// Copies bytes of the block that begins at `nearest`.
  void copyBytes(ImplicitLocOpBuilder &b, int64_t from, int64_t to, Value count,
                 Value policy) {
    Arithmetic a(b);
    Value begin = nearest;
    if (from != 0)
      begin = a.offset(nearest, a.constant(b.getI64Type(), from));
    Value place = a.offset(ownBase, a.constant(b.getI64Type(), to));
    NVVM::CpAsyncBulkGlobalToSharedClusterOp::create(
        b, toCluster(b, place), begin, barrier, count,
        /*multicastMask=*/Value(), policy);
  }

  int64_t halfBytes() { return layoutOf(source).codeBytes() / 2; }

  BulkCopyWeightsOp op;
  BulkCopyWeightsOpAdaptor adaptor;
  MemRefType source;
  /// Blocks of rows of a stage and of all weights of an expert.
  int64_t blocks, rowBlocks, blockBytes;
  Value barrier, size, expertRow;
  /// Whether the step is the last one, of which half a block is copied.
  Value isLast;
  /// One register holds this base; destinations are the base plus constants.
  Value ownBase;
  /// Where the block that was copied last begins.
  Value nearest;
};

struct LowerBulkCopyWeights : ConvertOpToLLVMPattern<BulkCopyWeightsOp> {
  using ConvertOpToLLVMPattern::ConvertOpToLLVMPattern;
  LogicalResult
  matchAndRewrite(BulkCopyWeightsOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    BlockCopies(b, op, adaptor).emit(b);
    rewriter.eraseOp(op);
    return success();
  }
};

struct LowerTensorCopy : ConvertOpToLLVMPattern<TensorCopyActivationsOp> {
  using ConvertOpToLLVMPattern::ConvertOpToLLVMPattern;
  LogicalResult
  matchAndRewrite(TensorCopyActivationsOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    Arithmetic a(b);
    auto stage = cast<MemRefType>(op.getDestination().getType());
    const int64_t tokens = stage.getDimSize(1);
    Value destination = a.offset(adaptor.getDestination(),
                                 a.mul(adaptor.getSlot(), tokens * kRowBytes));
    Value column = a.mul(adaptor.getStep(), stage.getDimSize(2));
    TensorMapType type = op.getMap().getType();
    Value map = adaptor.getMap();
    if (type.getCount() > 1) {
      Value number = a.udiv(a.add(adaptor.getValid(), -1), type.getBoxStep());
      map = a.offset(map, a.mul(number, TensorMapType::kBytes));
    }
    NVVM::CpAsyncBulkTensorGlobalToSharedClusterOp::create(
        b, toCluster(b, destination), map, ValueRange{column, adaptor.getRow()},
        barrierAddress(b, adaptor.getBarriers(), adaptor.getSlot()),
        /*im2colOffsets=*/ValueRange{}, /*multicastMask=*/Value(),
        /*l2CacheHint=*/Value(), NVVM::TMALoadMode::TILE, /*isCTAOnly=*/false,
        /*group=*/nullptr, /*predicate=*/Value());
    rewriter.eraseOp(op);
    return success();
  }
};

} // namespace

void mxfp4::populateBulkCopyLowering(const LLVMTypeConverter &converter,
                                     RewritePatternSet &patterns) {
  patterns.add<LowerBulkCopyWeights, LowerPrefetchWeights, LowerTensorCopy>(
      converter);
}
