//===- LowerWgmma.cpp - Wgmma to NVVM and to PTX --------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Matrix descriptors, the choice of a width, waits, and what ties accumulators
// and fragments to a point of the program. The text of a group is in
// PtxText.cpp.
//
//===----------------------------------------------------------------------===//

#include "KernelLowering.h"
#include "PtxText.h"

#include "mxfp4/Core/Schedule.h"
#include "mxfp4/IR/MXFP4.h"

#include "mlir/Conversion/LLVMCommon/Pattern.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

using namespace mlir;
using namespace mxfp4;

namespace {

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
    constexpr int threads = kWarpThreads * kWarpgroupWarps;
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

void mxfp4::populateWgmmaLowering(const LLVMTypeConverter &converter,
                                  RewritePatternSet &patterns) {
  patterns.add<LowerWgmma, LowerWgmmaWait, LowerPin, LowerSyncWarpgroup>(
      converter);
}
