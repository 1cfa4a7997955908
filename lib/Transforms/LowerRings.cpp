//===- LowerRings.cpp - Rings to barriers, cursors to slot and parity -----===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KernelBuilding.h"
#include "ProgramLowering.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/Transforms/Patterns.h"
#include "mlir/Transforms/DialectConversion.h"

using namespace mlir;
using namespace mxfp4;

namespace {

/// The barriers of a ring.
struct Ring {
  explicit Ring(ValueRange values) : full(values[0]), empty(values[1]) {}
  Value full, empty;
};

/// A slot (index) and the parity of its phase (i32).
struct Cursor {
  explicit Cursor(ValueRange values) : slot(values[0]), parity(values[1]) {}
  Value slot, parity;
};

/// A pattern whose operands may be rings and cursors.
template <typename Op> struct RingPattern : OpConversionPattern<Op> {
  using OpConversionPattern<Op>::OpConversionPattern;
  using Adaptor = typename OpConversionPattern<Op>::OneToNOpAdaptor;

  LogicalResult
  matchAndRewrite(Op op, Adaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    rewriter.replaceOpWithMultiple(op, lower(b, op, adaptor));
    return success();
  }

  /// What replaces each result.
  virtual SmallVector<SmallVector<Value>> lower(ImplicitLocOpBuilder &b, Op op,
                                                Adaptor adaptor) const = 0;
};

/// A slice's number, or slot 0.
Value firstSlot(ImplicitLocOpBuilder &b, Value slice) {
  return slice ? slice : indexConstant(b, 0);
}

struct LowerCreateRing : RingPattern<CreateRingOp> {
  using RingPattern::RingPattern;
  SmallVector<SmallVector<Value>>
  lower(ImplicitLocOpBuilder &b, CreateRingOp op, Adaptor) const override {
    InitBarriersOp::create(b, op.getFull(), op.getFills());
    InitBarriersOp::create(b, op.getEmpty(), op.getReleases());
    return {{op.getFull(), op.getEmpty()}};
  }
};

struct LowerRingStart : RingPattern<RingStartOp> {
  using RingPattern::RingPattern;
  SmallVector<SmallVector<Value>> lower(ImplicitLocOpBuilder &b, RingStartOp op,
                                        Adaptor) const override {
    return {{firstSlot(b, op.getSlice()), i32Constant(b, 0)}};
  }
};

struct LowerRingNext : RingPattern<RingNextOp> {
  using RingPattern::RingPattern;
  SmallVector<SmallVector<Value>> lower(ImplicitLocOpBuilder &b, RingNextOp op,
                                        Adaptor adaptor) const override {
    const Cursor at(adaptor.getCursor());
    const CursorType type = op.getCursor().getType();
    if (type.getSlots() == 2 && type.getStep() == 1) {
      // The next slot is the other one.
      Value wraps = arith::CmpIOp::create(b, arith::CmpIPredicate::eq, at.slot,
                                          indexConstant(b, 1));
      Value flipped = arith::XOrIOp::create(b, at.parity, i32Constant(b, 1));
      Value slot = arith::SubIOp::create(b, indexConstant(b, 1), at.slot);
      return {{slot, arith::SelectOp::create(b, wraps, flipped, at.parity)}};
    }
    Value slot =
        arith::AddIOp::create(b, at.slot, indexConstant(b, type.getStep()));
    Value wraps = arith::CmpIOp::create(b, arith::CmpIPredicate::uge, slot,
                                        indexConstant(b, type.getSlots()));
    Value flipped = arith::XOrIOp::create(b, at.parity, i32Constant(b, 1));
    slot = arith::SelectOp::create(b, wraps, firstSlot(b, op.getSlice()), slot);
    return {{slot, arith::SelectOp::create(b, wraps, flipped, at.parity)}};
  }
};

struct LowerRingSkip : RingPattern<RingSkipOp> {
  using RingPattern::RingPattern;
  SmallVector<SmallVector<Value>> lower(ImplicitLocOpBuilder &b, RingSkipOp op,
                                        Adaptor adaptor) const override {
    const Cursor at(adaptor.getCursor());
    const CursorType type = op.getCursor().getType();
    const int64_t distance = op.getSteps() * type.getStep();
    if (!op.getMore() && distance % type.getSlots() == 0)
      return {{at.slot, arith::XOrIOp::create(
                            b, at.parity,
                            i32Constant(b, distance / type.getSlots() % 2))}};
    Value slots = indexConstant(b, type.getSlots());
    Value slot = arith::AddIOp::create(b, at.slot, indexConstant(b, distance));
    if (Value more = op.getMore())
      slot = arith::AddIOp::create(
          b, slot,
          arith::MulIOp::create(b, more, indexConstant(b, type.getStep())));
    Value wraps = arith::IndexCastOp::create(
        b, b.getI32Type(), arith::DivUIOp::create(b, slot, slots));
    Value flips = arith::AndIOp::create(b, wraps, i32Constant(b, 1));
    slot = arith::RemUIOp::create(b, slot, slots);
    return {{slot, arith::XOrIOp::create(b, at.parity, flips)}};
  }
};

/// A cursor of a slot and a parity that are known, or these of a cursor: loops
/// that take turns (LowerKLoops.cpp) leave such casts.
struct LowerCursorCast : OpConversionPattern<UnrealizedConversionCastOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult
  matchAndRewrite(UnrealizedConversionCastOp op, OneToNOpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    SmallVector<Value> values;
    for (ValueRange operand : adaptor.getOperands())
      llvm::append_range(values, operand);
    if (isa<CursorType>(op.getResultTypes().front()))
      rewriter.replaceOpWithMultiple(op,
                                     SmallVector<SmallVector<Value>>{values});
    else
      rewriter.replaceOp(op, values);
    return success();
  }
};

struct LowerRingSlot : RingPattern<RingSlotOp> {
  using RingPattern::RingPattern;
  SmallVector<SmallVector<Value>> lower(ImplicitLocOpBuilder &, RingSlotOp,
                                        Adaptor adaptor) const override {
    return {{Cursor(adaptor.getCursor()).slot}};
  }
};

/// Parity 1 of a fresh barrier is complete: the first phase does not wait.
struct LowerRingAcquire : RingPattern<RingAcquireOp> {
  using RingPattern::RingPattern;
  SmallVector<SmallVector<Value>> lower(ImplicitLocOpBuilder &b, RingAcquireOp,
                                        Adaptor adaptor) const override {
    const Cursor at(adaptor.getCursor());
    Value before = arith::XOrIOp::create(b, at.parity, i32Constant(b, 1));
    WaitBarrierOp::create(b, Ring(adaptor.getRing()).empty, at.slot, before);
    return {};
  }
};

struct LowerRingFill : RingPattern<RingFillOp> {
  using RingPattern::RingPattern;
  SmallVector<SmallVector<Value>> lower(ImplicitLocOpBuilder &b, RingFillOp op,
                                        Adaptor adaptor) const override {
    ExpectBytesOp::create(b, Ring(adaptor.getRing()).full,
                          Cursor(adaptor.getCursor()).slot, op.getBytes());
    return {};
  }
};

struct LowerRingWait : RingPattern<RingWaitOp> {
  using RingPattern::RingPattern;
  SmallVector<SmallVector<Value>> lower(ImplicitLocOpBuilder &b, RingWaitOp op,
                                        Adaptor adaptor) const override {
    const Cursor at(adaptor.getCursor());
    WaitBarrierOp::create(b, Ring(adaptor.getRing()).full, at.slot, at.parity);
    if (op.getRing().getType().getFenced())
      NVVM::FenceProxyOp::create(
          b, NVVM::ProxyKind::async_shared,
          NVVM::SharedSpaceAttr::get(b.getContext(),
                                     NVVM::SharedSpace::shared_cta));
    return {};
  }
};

struct LowerRingRelease : RingPattern<RingReleaseOp> {
  using RingPattern::RingPattern;
  SmallVector<SmallVector<Value>> lower(ImplicitLocOpBuilder &b,
                                        RingReleaseOp op,
                                        Adaptor adaptor) const override {
    Value empty = Ring(adaptor.getRing()).empty;
    Value slot = Cursor(adaptor.getCursor()).slot;
    if (op.getOneThread())
      ExpectBytesOp::create(b, empty, slot, i32Constant(b, 0));
    else
      ArriveBarrierOp::create(b, empty, slot);
    return {};
  }
};

} // namespace

LogicalResult mxfp4::lowerRings(Operation *root) {
  MLIRContext *context = root->getContext();
  TypeConverter converter;
  converter.addConversion([](Type type) { return type; });
  converter.addConversion(
      [](RingType type, SmallVectorImpl<Type> &types) -> LogicalResult {
        types.append(2, sharedType({type.getSlots()},
                                   IntegerType::get(type.getContext(), 64)));
        return success();
      });
  converter.addConversion(
      [](CursorType type, SmallVectorImpl<Type> &types) -> LogicalResult {
        types.push_back(IndexType::get(type.getContext()));
        types.push_back(IntegerType::get(type.getContext(), 32));
        return success();
      });
  RewritePatternSet patterns(context);
  patterns.add<LowerCreateRing, LowerRingStart, LowerRingNext, LowerRingSkip,
               LowerCursorCast, LowerRingSlot, LowerRingAcquire, LowerRingFill,
               LowerRingWait, LowerRingRelease>(converter, context);
  ConversionTarget target(*context);
  target.markUnknownOpDynamicallyLegal([](Operation *) { return true; });
  target.addDynamicallyLegalOp<UnrealizedConversionCastOp>(
      [](UnrealizedConversionCastOp op) {
        const auto isCursor = [](Type type) { return isa<CursorType>(type); };
        return llvm::none_of(op.getOperandTypes(), isCursor) &&
               llvm::none_of(op.getResultTypes(), isCursor);
      });
  target.addIllegalOp<CreateRingOp, RingStartOp, RingNextOp, RingSkipOp,
                      RingSlotOp, RingAcquireOp, RingFillOp, RingWaitOp,
                      RingReleaseOp>();
  scf::populateSCFStructuralTypeConversionsAndLegality(converter, patterns,
                                                       target);
  return applyPartialConversion(root, target, std::move(patterns));
}
