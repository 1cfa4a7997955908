//===- LowerHopper.cpp - Asynchronous copies and wgmma to NVVM ------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KernelLowering.h"
#include "PtxText.h"

#include "mxfp4/Core/Schedule.h"
#include "mxfp4/IR/MXFP4.h"

#include "mlir/Conversion/LLVMCommon/Pattern.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace mxfp4;

namespace {

constexpr int kBarrierBytes = 8;

Value barrierAddress(ImplicitLocOpBuilder &b, Value base, Value slot) {
  Arithmetic a(b);
  return a.offset(base, a.mul(slot, kBarrierBytes));
}

struct LowerInitBarriers : ConvertOpToLLVMPattern<InitBarriersOp> {
  using ConvertOpToLLVMPattern::ConvertOpToLLVMPattern;
  LogicalResult
  matchAndRewrite(InitBarriersOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    Arithmetic a(b);
    FailureOr<int64_t> threads = threadsOf(op);
    if (failed(threads))
      return failure();
    // One thread would set up barriers one after the other; therefore the
    // first lanes of all warps share them.
    const int64_t slots = op.getBarriers().getType().getDimSize(0);
    const int64_t warps = *threads / 32;
    Value count = a.constant(b.getI32Type(), op.getCount());
    Value isFirst = LLVM::ICmpOp::create(b, LLVM::ICmpPredicate::eq, a.lane(),
                                         a.constant(b.getI32Type(), 0));
    auto lanes = scf::IfOp::create(b, isFirst);
    b.setInsertionPointToStart(lanes.thenBlock());
    Value warp = a.shr(a.thread(), 5);
    for (int64_t first = 0; first < slots; first += warps) {
      Value slot = a.add(warp, first);
      OpBuilder::InsertionGuard guard(b);
      if (first + warps > slots)
        b.setInsertionPointToStart(
            scf::IfOp::create(b, a.ult(slot, slots)).thenBlock());
      NVVM::MBarrierInitOp::create(
          b, barrierAddress(b, adaptor.getBarriers(), slot), count, Value());
    }
    rewriter.eraseOp(op);
    return success();
  }
};

struct LowerWaitBarrier : ConvertOpToLLVMPattern<WaitBarrierOp> {
  using ConvertOpToLLVMPattern::ConvertOpToLLVMPattern;
  LogicalResult
  matchAndRewrite(WaitBarrierOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    Value address = barrierAddress(b, adaptor.getBarriers(), adaptor.getSlot());
    // A block of its own that branches back to itself until the phase is over.
    Block *before = rewriter.getInsertionBlock();
    Block *after = rewriter.splitBlock(before, rewriter.getInsertionPoint());
    Block *spin = rewriter.createBlock(after);
    rewriter.setInsertionPointToEnd(before);
    LLVM::BrOp::create(rewriter, op.getLoc(), spin);
    rewriter.setInsertionPointToStart(spin);
    Value done = NVVM::MBarrierTryWaitOp::create(
        rewriter, op.getLoc(), rewriter.getI1Type(), address,
        adaptor.getParity(), /*ticks=*/Value(), NVVM::MemScopeKind::CTA,
        /*relaxed=*/false);
    LLVM::CondBrOp::create(rewriter, op.getLoc(), done, after, spin);
    rewriter.eraseOp(op);
    return success();
  }
};

struct LowerArriveBarrier : ConvertOpToLLVMPattern<ArriveBarrierOp> {
  using ConvertOpToLLVMPattern::ConvertOpToLLVMPattern;
  LogicalResult
  matchAndRewrite(ArriveBarrierOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    Arithmetic a(b);
    // An arrival orders only the accesses of its own lane. Therefore the warp
    // synchronises first: executing wgmma's wait together orders nothing.
    NVVM::SyncWarpOp::create(b, a.constant(b.getI32Type(), -1));
    Value address = barrierAddress(b, adaptor.getBarriers(), adaptor.getSlot());
    Value isFirst = LLVM::ICmpOp::create(b, LLVM::ICmpPredicate::eq, a.lane(),
                                         a.constant(b.getI32Type(), 0));
    auto branch = scf::IfOp::create(b, isFirst);
    b.setInsertionPointToStart(branch.thenBlock());
    NVVM::MBarrierArriveOp::create(b, b.getI64Type(), address);
    rewriter.eraseOp(op);
    return success();
  }
};

struct LowerExpectBytes : ConvertOpToLLVMPattern<ExpectBytesOp> {
  using ConvertOpToLLVMPattern::ConvertOpToLLVMPattern;
  LogicalResult
  matchAndRewrite(ExpectBytesOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    Arithmetic a(b);
    NVVM::MBarrierArriveExpectTxOp::create(
        b, TypeRange{b.getI64Type()},
        barrierAddress(b, adaptor.getBarriers(), adaptor.getSlot()),
        adaptor.getBytes(), NVVM::MemScopeKind::CTA,
        /*relaxed=*/false, /*predicate=*/Value());
    rewriter.eraseOp(op);
    return success();
  }
};

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

struct LowerBulkCopyWeights : ConvertOpToLLVMPattern<BulkCopyWeightsOp> {
  using ConvertOpToLLVMPattern::ConvertOpToLLVMPattern;
  LogicalResult
  matchAndRewrite(BulkCopyWeightsOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    Arithmetic a(b);
    auto source = cast<MemRefType>(op.getSource().getType());
    auto stage = cast<MemRefType>(op.getDestination().getType());
    const int64_t rowBlocks = source.getDimSize(1);
    const int64_t blocks = stage.getDimSize(1);
    const int64_t blockBytes = layoutOf(source).bytes();
    Value slotBase = a.offset(adaptor.getDestination(),
                              a.mul(adaptor.getSlot(), blocks * blockBytes));
    Value barrier = barrierAddress(b, adaptor.getBarriers(), adaptor.getSlot());
    const BlockLayout layout = layoutOf(source);
    const int64_t halfBytes = layout.codeBytes() / 2;
    Value size = a.constant(b.getI32Type(), blockBytes);
    Value isLast;
    if (op.getHalfLast()) {
      Value step = adaptor.getStep();
      isLast = LLVM::ICmpOp::create(
          b, LLVM::ICmpPredicate::eq, step,
          a.constant(step.getType(), source.getDimSize(2) - 1));
      size = a.select(isLast, a.constant(b.getI32Type(), halfBytes), size);
    }
    Value expertRow = a.mul(adaptor.getExpert(), rowBlocks);
    // One register holds this base; destinations are the base plus constants.
    Value ownBase =
        adaptor.getPart()
            ? a.offset(slotBase, a.mul(adaptor.getPart(), blockBytes))
            : slotBase;
    // Of fewer than 16 experts ptxas would spill an address in kernels of 8-bit
    // numbers with low tiles, if both blocks had addresses around loops.
    constexpr int64_t kFew = 16;
    const bool isNear = source.getDimSize(0) < kFew && blocks == 2 &&
                        op.getOnce() && !adaptor.getPart() &&
                        layoutOf(source).order == CodeOrder::Bytes;
    Value nearest;
    const auto copyBlock = [&](ImplicitLocOpBuilder &b, Value number,
                               int64_t behind) {
      Arithmetic a(b);
      Value row = a.add(adaptor.getBlock(), number);
      Value isThere;
      if (rowBlocks % blocks != 0) {
        isThere = a.ult(row, rowBlocks);
        row = a.select(isThere, row, a.constant(b.getI32Type(), rowBlocks - 1));
      }
      // The row's offset does not depend on the step, so that a loop over steps
      // only adds the step's offset.
      Value first;
      if (behind != 0 && isNear) {
        Value more =
            a.constant(b.getI64Type(), source.getDimSize(2) * blockBytes);
        if (rowBlocks % blocks != 0)
          more = a.select(isThere, more, a.constant(b.getI64Type(), 0));
        first = a.offset(nearest, more);
      } else {
        first = a.offset(
            rowOfBlocks(a, adaptor.getSource(), source, a.add(expertRow, row)),
            a.mul(adaptor.getStep(), blockBytes));
      }
      nearest = first;
      Value policy =
          op.getOnce() ? a.constant(b.getI64Type(), kEvictFirst) : Value();
      const auto copy = [&](ImplicitLocOpBuilder &b, int64_t from, int64_t to,
                            Value size) {
        Arithmetic a(b);
        Value source = first;
        if (from != 0)
          source = a.offset(first, a.constant(b.getI64Type(), from));
        Value place = a.offset(
            ownBase, a.constant(b.getI64Type(), behind * blockBytes + to));
        NVVM::CpAsyncBulkGlobalToSharedClusterOp::create(
            b, toCluster(b, place), source, barrier, size,
            /*multicastMask=*/Value(), policy);
      };
      copy(b, 0, 0, size);
      if (!isLast)
        return;
      scf::IfOp::create(b, isLast, [&](OpBuilder &then, Location loc) {
        ImplicitLocOpBuilder inner(loc, then);
        const auto bytes = [&](int64_t count) {
          return Arithmetic(inner).constant(inner.getI32Type(), count);
        };
        copy(inner, 0, halfBytes, bytes(halfBytes));
        copy(inner, layout.codeBytes(), layout.codeBytes(),
             bytes(layout.scaleBytes()));
        scf::YieldOp::create(inner);
      });
    };
    const int64_t parts = op.getParts().value_or(1);
    for (int64_t i = 0; i < blocks; i += parts) {
      Value number = adaptor.getPart() ? a.add(adaptor.getPart(), i)
                                       : a.constant(b.getI32Type(), i);
      if (i + parts <= blocks) {
        copyBlock(b, number, i);
        continue;
      }
      scf::IfOp::create(b, a.ult(number, blocks),
                        [&](OpBuilder &then, Location loc) {
                          ImplicitLocOpBuilder inner(loc, then);
                          copyBlock(inner, number, i);
                          scf::YieldOp::create(inner);
                        });
    }
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

/// The matrix descriptor of a K-major tile with the 128-byte swizzle
/// (PTX ISA, "Matrix Descriptor Format"): address >> 4 in bits 0 to 13, leading
/// offset (unused with this swizzle) 1, stride between groups of eight rows
/// 1024 >> 4 in bits 32 to 45, swizzle mode 1 in bits 62 and 63.
constexpr uint64_t kDescriptor =
    uint64_t(1) << 62 | uint64_t(1024 >> 4) << 32 | uint64_t(1) << 16;

struct LowerWgmma : ConvertOpToLLVMPattern<WgmmaOp> {
  using ConvertOpToLLVMPattern::ConvertOpToLLVMPattern;
  LogicalResult
  matchAndRewrite(WgmmaOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    const InstructionTraits &traits = op.getTraits();
    // Ahead of a choice of widths: the fence of the chosen group then finds
    // nothing to wait for.
    NVVM::WgmmaFenceAlignedOp::create(b);
    SmallVector<WgmmaStep> steps;
    const int64_t tokens =
        cast<MemRefType>(op.getActivations().getType()).getDimSize(1);
    const SmallVector<Value> all =
        describe(b, traits, adaptor.getActivations(), adaptor.getSlot(),
                 tokens * kRowBytes);
    for (Value descriptor :
         ArrayRef(all).slice(op.getFirstStep(), op.getStepCount()))
      steps.push_back({{}, descriptor});
    if (op.getDecoded()) {
      Value block = Arithmetic(b).add(adaptor.getBlock(), op.getBuffer());
      for (auto [step, descriptor] :
           llvm::zip(steps, describe(b, traits, adaptor.getDecoded(), block,
                                     int64_t(traits.m) * kRowBytes)))
        step.a.push_back(descriptor);
    }
    for (auto [i, pair] : llvm::enumerate(adaptor.getFragments()))
      steps[i / traits.registersOfA()].a.push_back(
          LLVM::BitcastOp::create(b, b.getI32Type(), pair));
    SmallVector<Value> sums;
    readSums(b, adaptor.getAccumulator(), {}, op.getColumns(), sums);
    sums = emitWgmma(b, traits, sums, steps, adaptor.getAccumulate(),
                     widthsOf(b, op, adaptor.getTokens()));
    rewriter.replaceOp(op, writeSums(b, adaptor.getAccumulator(), {}, sums));
    return success();
  }

private:
  /// The widths of a group that holds `tokens`, if it may have several. Of
  /// 8-bit numbers two predicates stay in registers around a loop over K; with
  /// more, or fewer, ptxas needs more instructions in loops. In tiles beside
  /// short groups it keeps predicates in uniform registers, and copies them in
  /// front of each branch.
  static std::optional<WgmmaWidths> widthsOf(ImplicitLocOpBuilder &b,
                                             WgmmaOp op, Value tokens) {
    const size_t predicates = op.getTraits().cutsSums() ? 2 : 0;
    if (!tokens)
      return std::nullopt;
    const auto step = static_cast<int64_t>(*op.getTokenStep());
    const int64_t count = op.getTraits().nStep * op.getColumns() / step;
    if (count == 1)
      return std::nullopt;
    Arithmetic a(b);
    Value one = a.constant(tokens.getType(), 1);
    Value last = a.udiv(a.add(LLVM::UMaxOp::create(b, tokens, one), -1), step);
    WgmmaWidths widths{step, {}};
    for (int64_t bit = int64_t(llvm::bit_floor(uint64_t(count - 1))); bit > 0;
         bit /= 2)
      widths.bits.push_back(a.andi(last, bit));
    Value zero = a.constant(tokens.getType(), 0);
    for (Value &bit : MutableArrayRef(widths.bits).take_front(predicates))
      bit = LLVM::ICmpOp::create(b, LLVM::ICmpPredicate::eq, bit, zero);
    return widths;
  }

  /// Matrix descriptors of a tile's steps along K, each some bytes further
  /// along the 128-byte rows.
  static SmallVector<Value> describe(ImplicitLocOpBuilder &b,
                                     const InstructionTraits &traits,
                                     Value tiles, Value number,
                                     int64_t tileBytes) {
    Arithmetic a(b);
    // Addresses of shared memory have 18 bits, so that only the low word of a
    // descriptor changes. The constant parts are added first, so that a tile
    // takes one multiply-add.
    Value base = LLVM::PtrToIntOp::create(b, b.getI32Type(), tiles);
    base = a.add(a.shr(base, 4), static_cast<int32_t>(kDescriptor));
    Value first = a.add(a.mul(number, tileBytes >> 4), base);
    Value high = a.constant(b.getI64Type(),
                            static_cast<int64_t>(kDescriptor >> 32 << 32));
    SmallVector<Value> descriptors;
    const int steps = traits.tileK() / traits.k;
    for (int step = 0; step < steps; ++step)
      descriptors.push_back(LLVM::OrOp::create(
          b, a.toI64(a.add(first, traits.stepBytes() * step >> 4)), high));
    return descriptors;
  }
};

/// Ties an accumulator of one or of several blocks to this point: the result
/// has the same values, and its uses cannot move ahead of here.
Value tieAccumulator(ImplicitLocOpBuilder &b, VectorType type, Value sums) {
  SmallVector<SmallVector<int64_t>> blocks = {{}};
  if (type.getRank() == 3) {
    blocks.clear();
    for (int64_t block = 0; block < type.getDimSize(0); ++block)
      blocks.push_back({block});
  }
  const int64_t columns = type.getShape().drop_back().back();
  SmallVector<Value> scalars;
  for (ArrayRef<int64_t> block : blocks)
    readSums(b, sums, block, columns, scalars);
  scalars = emitTie(b, scalars);
  ArrayRef<Value> left = scalars;
  for (ArrayRef<int64_t> block : blocks) {
    sums = writeSums(b, sums, block, left.take_front(4 * columns));
    left = left.drop_front(4 * columns);
  }
  return sums;
}

struct LowerWgmmaWait : ConvertOpToLLVMPattern<WgmmaWaitOp> {
  using ConvertOpToLLVMPattern::ConvertOpToLLVMPattern;
  LogicalResult
  matchAndRewrite(WgmmaWaitOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    // LLVM knows that the intrinsic of the wait is convergent, but not that it
    // completes the accumulator's registers. The tie says so.
    NVVM::WgmmaWaitGroupSyncOp::create(b, op.getPending());
    rewriter.replaceOp(
        op, op.getPending()
                ? adaptor.getAccumulator()
                : tieAccumulator(b, op.getType(), adaptor.getAccumulator()));
    return success();
  }
};

/// Warpgroups, of which there are at most eight, have the last of the named
/// barriers; K slices have the first.
struct LowerSyncWarpgroup : ConvertOpToLLVMPattern<SyncWarpgroupOp> {
  using ConvertOpToLLVMPattern::ConvertOpToLLVMPattern;
  LogicalResult
  matchAndRewrite(SyncWarpgroupOp op, OpAdaptor,
                  ConversionPatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    Arithmetic a(b);
    NVVM::FenceProxyOp::create(
        b, NVVM::ProxyKind::async_shared,
        NVVM::SharedSpaceAttr::get(b.getContext(),
                                   NVVM::SharedSpace::shared_cta));
    constexpr int threads = 32 * kWarpgroupWarps;
    Value group = a.shr(a.thread(), llvm::Log2_32(threads));
    NVVM::BarrierOp::create(b, TypeRange{}, a.add(group, 7),
                            a.constant(b.getI32Type(), threads),
                            NVVM::BarrierReductionAttr(), Value());
    rewriter.eraseOp(op);
    return success();
  }
};

/// One inline-asm statement ties all fragments. A statement for each fragment
/// would also order the fragments among themselves, which nothing needs.
struct LowerPin : ConvertOpToLLVMPattern<PinOp> {
  using ConvertOpToLLVMPattern::ConvertOpToLLVMPattern;
  LogicalResult
  matchAndRewrite(PinOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    SmallVector<Value> pinned(adaptor.getValues()), fragments;
    SmallVector<size_t> places;
    for (auto [i, value] : llvm::enumerate(op.getValues())) {
      auto type = cast<VectorType>(value.getType());
      if (type.getRank() == 3) {
        pinned[i] = tieAccumulator(b, type, pinned[i]);
        continue;
      }
      places.push_back(i);
      fragments.push_back(
          LLVM::BitcastOp::create(b, b.getI32Type(), pinned[i]));
    }
    if (!fragments.empty())
      for (auto [i, value] : llvm::zip(places, emitTie(b, fragments)))
        pinned[i] = LLVM::BitcastOp::create(b, pinned[i].getType(), value);
    rewriter.replaceOp(op, pinned);
    return success();
  }
};

} // namespace

void mxfp4::populateHopperLowering(const LLVMTypeConverter &converter,
                                   RewritePatternSet &patterns) {
  patterns.add<LowerInitBarriers, LowerWaitBarrier, LowerArriveBarrier,
               LowerExpectBytes, LowerBulkCopyWeights, LowerPrefetchWeights,
               LowerTensorCopy, LowerWgmma, LowerWgmmaWait, LowerPin,
               LowerSyncWarpgroup>(converter);
}
