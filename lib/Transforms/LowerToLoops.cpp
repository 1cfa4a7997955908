//===- LowerToLoops.cpp - The executable specification --------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "LoopBuilder.h"

#include "mxfp4/Core/Format.h"
#include "mxfp4/Transforms/Passes.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "llvm/ADT/TypeSwitch.h"

namespace mxfp4 {
#define GEN_PASS_DEF_LOWERTOLOOPS
#include "mxfp4/Transforms/Passes.h.inc"
} // namespace mxfp4

using namespace mlir;
using namespace mxfp4;

namespace {

//===----------------------------------------------------------------------===//
// grouped_matmul
//===----------------------------------------------------------------------===//

class GroupedMatmulLoops {
public:
  GroupedMatmulLoops(GroupedMatmulOp op)
      : op(op), l(op), weights(l, op.getWeights()) {}

  void emit() {
    n = l.size(op.getInit(), 1);
    k = l.size(op.getActivations(), 1);
    groups = l.op<arith::SubIOp>(l.size(op.getOffsets(), 0), 1);
    auto bad = [&] { report(1); };
    l.ifThen(
        offsetsAreGood(), [&] { emitGroups(); },
        op.getError() ? function_ref<void()>(bad) : nullptr);
  }

private:
  Value offset(Value group) {
    Value value = l.load(op.getOffsets(), group);
    // Signed: an offset below 0 must not look like a large one.
    return arith::IndexCastOp::create(l.b, l.b.getIndexType(), value);
  }

  /// From 0 to R without decreasing. A kernel that trusted bad offsets would
  /// write out of bounds.
  Value offsetsAreGood() {
    Value zero = l.index(0);
    auto equal = arith::CmpIPredicate::eq;
    Value ends = l.op<arith::AndIOp>(
        l.compare(equal, offset(zero), zero),
        l.compare(equal, offset(groups), l.size(op.getActivations(), 0)));
    return l.reduce(zero, groups, ends, [&](Value group, Value good) {
      Value next = offset(l.op<arith::AddIOp>(group, 1));
      return l.op<arith::AndIOp>(
          good, l.compare(arith::CmpIPredicate::sle, offset(group), next));
    });
  }

  void report(int bits) {
    Value zero = l.index(0), word = l.load(op.getError(), zero);
    l.store(l.op<arith::OrIOp>(word, bits), op.getError(), zero);
  }

  void emitGroups() {
    // One decoded row of weights, used by every row of the group.
    auto rowType = MemRefType::get(ShapedType::kDynamic, l.b.getF32Type());
    decoded = memref::AllocOp::create(l.b, rowType, ValueRange(k));
    l.loop(groups, [&](Value group) {
      Value begin = offset(group);
      Value end = offset(l.op<arith::AddIOp>(group, 1));
      l.ifThen(l.compare(arith::CmpIPredicate::slt, begin, end),
               [&] { emitGroup(group, begin, end); });
    });
    memref::DeallocOp::create(l.b, decoded);
  }

  void emitGroup(Value group, Value begin, Value end) {
    if (!op.getExpertIds())
      return multiply(group, begin, end);
    Value id = arith::IndexCastOp::create(l.b, l.b.getIndexType(),
                                          l.load(op.getExpertIds(), group));
    Value experts = l.size(op.getWeights()[0], 0);
    auto bad = [&] { report(2); };
    l.ifThen(
        l.compare(arith::CmpIPredicate::eq, id, -1), [&] { zero(begin, end); },
        [&] {
          // Unsigned: below -1 is out of range too.
          l.ifThen(
              l.compare(arith::CmpIPredicate::ult, id, experts),
              [&] { multiply(id, begin, end); },
              op.getError() ? function_ref<void()>(bad) : nullptr);
        });
  }

  void zero(Value begin, Value end) {
    l.loop(begin, end, [&](Value row) {
      l.loop(n, [&](Value column) { storeResult(l.f32(0), row, column); });
    });
  }

  void multiply(Value expert, Value begin, Value end) {
    l.loop(n, [&](Value column) {
      decodeRow(expert, column);
      l.loop(begin, end, [&](Value row) {
        Value sum = l.reduce(
            l.index(0), k, l.f32(0), [&](Value at, Value sum) -> Value {
              Value x = l.widen(l.load(op.getActivations(), {row, at}));
              Value w = l.load(decoded, at);
              return l.op<arith::AddFOp>(sum, l.op<arith::MulFOp>(x, w));
            });
        storeResult(sum, row, column);
      });
    });
  }

  void decodeRow(Value expert, Value column) {
    l.loop(l.op<arith::DivUIOp>(k, kScaleBlock), [&](Value slice) {
      Value scale = l.scaleValue(weights.scale(expert, column, slice));
      Value base = l.op<arith::MulIOp>(slice, kScaleBlock);
      l.loop(l.index(kScaleBlock), [&](Value i) {
        Value at = l.op<arith::AddIOp>(base, i);
        Value code = weights.code(expert, column, at);
        l.store(l.decode(code, scale), decoded, at);
      });
    });
  }

  void storeResult(Value value, Value row, Value column) {
    l.store(l.roundTo(value, op.getOutputType().getElementType()), op.getInit(),
            {row, column});
  }

  GroupedMatmulOp op;
  LoopBuilder l;
  WeightAccess weights;
  Value n, k, groups, decoded;
};

//===----------------------------------------------------------------------===//
// Conversions
//===----------------------------------------------------------------------===//

/// Sizes of the first `count` dimensions.
SmallVector<Value> sizes(LoopBuilder &l, Value memref, int64_t count) {
  SmallVector<Value> result;
  for (int64_t dim = 0; dim < count; ++dim)
    result.push_back(l.size(memref, dim));
  return result;
}

/// `at` with more indices behind it.
SmallVector<Value> append(ValueRange at, ValueRange more) {
  SmallVector<Value> result(at);
  result.append(more.begin(), more.end());
  return result;
}

void emitPack(PackOp op) {
  LoopBuilder l(op);
  WeightAccess from(l, {op.getCodes(), op.getScales()});
  WeightAccess to(l, op.getInit());
  to.clear();
  l.loopNest(sizes(l, op.getScales(), 3), [&](ValueRange at) {
    to.setScale(at[0], at[1], at[2], from.scale(at[0], at[1], at[2]));
    Value base = l.op<arith::MulIOp>(at[2], kScaleBlock);
    l.loop(l.index(kScaleBlock), [&](Value i) {
      Value k = l.op<arith::AddIOp>(base, i);
      to.setCode(at[0], at[1], k, from.code(at[0], at[1], k));
    });
  });
}

void emitUnpack(UnpackOp op) {
  LoopBuilder l(op);
  WeightAccess from(l, op.getBlocks());
  l.loopNest(sizes(l, op.getScalesInit(), 3), [&](ValueRange at) {
    l.store(from.scale(at[0], at[1], at[2]), op.getScalesInit(), at);
    Value base = l.op<arith::MulIOp>(at[2], kScaleBlock);
    l.loop(l.index(kScaleBlock / 2), [&](Value byte) {
      Value k = l.op<arith::AddIOp>(base, l.op<arith::MulIOp>(byte, 2));
      Value low = from.code(at[0], at[1], k);
      Value high = from.code(at[0], at[1], l.op<arith::AddIOp>(k, 1));
      Value pair = l.op<arith::OrIOp>(low, l.op<arith::ShLIOp>(high, 4));
      l.store(l.i8(pair), op.getCodesInit(), append(at, byte));
    });
  });
}

/// Indices of value `i` of block `at` (... x K/32) among the values (... x K).
SmallVector<Value> valueAt(LoopBuilder &l, ValueRange at, Value i) {
  Value k = l.op<arith::AddIOp>(l.op<arith::MulIOp>(at.back(), kScaleBlock), i);
  return append(at.drop_back(), k);
}

void emitDequantize(DequantizeOp op) {
  LoopBuilder l(op);
  auto type = cast<MemRefType>(op.getInit().getType());
  l.loopNest(sizes(l, op.getScales(), type.getRank()), [&](ValueRange at) {
    Value scale = l.scaleValue(l.load(op.getScales(), at));
    l.loop(l.index(kScaleBlock), [&](Value i) {
      Value byte =
          l.load(op.getCodes(), append(at, l.op<arith::DivUIOp>(i, 2)));
      Value value = l.decode(l.nibble(byte, i), scale);
      l.store(l.roundTo(value, type.getElementType()), op.getInit(),
              valueAt(l, at, i));
    });
  });
}

/// The E8M0 byte (as i32) for a block whose largest magnitude has these f32
/// bits: 2^(floor(log2(max)) - 2), with the exponent of 6.0 taken off.
Value scaleFor(LoopBuilder &l, Value magnitudeBits) {
  // A subnormal has exponent field 0 and is clamped to 2^-127 like 0.
  Value exponent = l.op<arith::ShRUIOp>(magnitudeBits, 23);
  Value scale = arith::MaxSIOp::create(l.b, l.op<arith::SubIOp>(exponent, 2),
                                       l.integer(32, 0));
  // NaN and infinity.
  Value special = l.compare(arith::CmpIPredicate::eq, exponent, 255);
  return l.select(special, l.integer(32, kScaleNaN), scale);
}

/// The code (i32) nearest to `value` times `inverse`, the exact inverse of the
/// scale: as `encodeE2M1`. NaN and a NaN scale give code 0 or 8.
Value encode(LoopBuilder &l, Value value, Value inverse) {
  Value bits = arith::BitcastOp::create(l.b, l.b.getI32Type(), value);
  Value sign = l.op<arith::ShLIOp>(l.op<arith::ShRUIOp>(bits, 31), 3);
  Value magnitude = arith::BitcastOp::create(
      l.b, l.b.getF32Type(), l.op<arith::AndIOp>(bits, 0x7FFFFFFF));
  Value scaled = l.op<arith::MulFOp>(magnitude, inverse);
  // Count the midpoints below. At a midpoint the even code wins, which is the
  // upper one after an odd code.
  Value code = sign;
  for (unsigned c = 0; c < 7; ++c) {
    Value midpoint = l.f32((decodeE2M1(c) + decodeE2M1(c + 1)) / 2);
    Value above = arith::CmpFOp::create(
        l.b, c & 1 ? arith::CmpFPredicate::OGE : arith::CmpFPredicate::OGT,
        scaled, midpoint);
    code = l.op<arith::AddIOp>(code, l.i32(above));
  }
  return code;
}

void emitQuantize(QuantizeOp op) {
  LoopBuilder l(op);
  const int64_t rank = cast<MemRefType>(op.getValues().getType()).getRank();
  l.loopNest(sizes(l, op.getScalesInit(), rank), [&](ValueRange at) {
    auto value = [&](Value i) {
      return l.widen(l.load(op.getValues(), valueAt(l, at, i)));
    };
    // Bits of magnitudes are ordered like magnitudes, NaN on top.
    Value largest =
        l.reduce(l.index(0), l.index(kScaleBlock), l.integer(32, 0),
                 [&](Value i, Value largest) -> Value {
                   Value bits = arith::BitcastOp::create(l.b, l.b.getI32Type(),
                                                         value(i));
                   return l.op<arith::MaxUIOp>(
                       largest, l.op<arith::AndIOp>(bits, 0x7FFFFFFF));
                 });
    Value scale = scaleFor(l, largest);
    l.store(l.i8(scale), op.getScalesInit(), at);
    // 2^(127-b) has exponent field 254-b, a normal number for every b that
    // occurs; a NaN scale becomes NaN.
    Value inverse = l.op<arith::SubIOp>(l.integer(32, 254), scale);
    inverse = l.scaleValue(l.i8(inverse));
    l.loop(l.index(kScaleBlock / 2), [&](Value byte) {
      Value i = l.op<arith::MulIOp>(byte, 2);
      Value low = encode(l, value(i), inverse);
      Value high = encode(l, value(l.op<arith::AddIOp>(i, 1)), inverse);
      Value pair = l.op<arith::OrIOp>(low, l.op<arith::ShLIOp>(high, 4));
      l.store(l.i8(pair), op.getCodesInit(), append(at, byte));
    });
  });
}

//===----------------------------------------------------------------------===//
// The pass
//===----------------------------------------------------------------------===//

/// What loops cannot be made of.
LogicalResult verifyLowerable(Operation *op) {
  if (!cast<DestinationStyleOpInterface>(op).hasPureBufferSemantics())
    return op->emitOpError("must be on memrefs to become loops; run "
                           "one-shot-bufferize first");
  for (Type type : op->getOperandTypes()) {
    auto memref = cast<MemRefType>(type);
    if (isa<BlockType>(memref.getElementType()) &&
        !memref.getLayout().isIdentity())
      return op->emitOpError()
             << "must have contiguous blocks to become loops, but got "
             << memref
             << "; bufferize with identity layouts at function boundaries";
  }
  return success();
}

struct LowerToLoopsPass : mxfp4::impl::LowerToLoopsBase<LowerToLoopsPass> {
  void runOnOperation() override {
    SmallVector<Operation *> ops;
    getOperation()->walk([&](Operation *op) {
      if (isa<GroupedMatmulOp, PackOp, UnpackOp, QuantizeOp, DequantizeOp>(op))
        ops.push_back(op);
    });
    for (Operation *op : ops)
      if (failed(verifyLowerable(op)))
        return signalPassFailure();
    for (Operation *op : ops) {
      TypeSwitch<Operation *>(op)
          .Case([](GroupedMatmulOp op) { GroupedMatmulLoops(op).emit(); })
          .Case(emitPack)
          .Case(emitUnpack)
          .Case(emitQuantize)
          .Case(emitDequantize);
      op->erase();
    }
  }
};

} // namespace
