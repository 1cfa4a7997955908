//===- QuantizeRowsLoops.cpp - The specification of rows in FP8 -----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Rounding to E4M3 is written with integers, since LLVM has no type of 8 bits
// for floats.
//
//===----------------------------------------------------------------------===//

#include "LoopBuilder.h"
#include "RoutingLoops.h"

using namespace mlir;
using namespace mxfp4;
using arith::CmpIPredicate;

namespace {

// Of E4M3: bits of a fraction, the exponent of the least normal, codes.
constexpr int kFraction = 3, kLeastExponent = -6;
constexpr int64_t kLargestCode = 0x7e, kNaN = 0x7f;
// Of f32.
constexpr int kF32Fraction = 23, kF32Bias = 127;
constexpr int64_t kF32Infinity = 0x7f800000;
/// Fraction bits that rounding drops.
constexpr int kDropped = kF32Fraction - kFraction;

/// f32 bits of 2^exponent.
constexpr int64_t powerBits(int exponent) {
  return int64_t(exponent + kF32Bias) << kF32Fraction;
}

} // namespace

static Value bitsOf(LoopBuilder &l, Value value) {
  return arith::BitcastOp::create(l.b, l.b.getI32Type(), value);
}

/// The code (i32) of an f32 magnitude that is at least the least normal.
static Value normalCode(LoopBuilder &l, Value magnitude) {
  // To nearest even: half a unit less one bit, and the bit that decides ties.
  Value last =
      l.op<arith::AndIOp>(l.op<arith::ShRUIOp>(magnitude, kDropped), 1);
  Value rounded = l.op<arith::AddIOp>(
      l.op<arith::AddIOp>(magnitude, (int64_t(1) << (kDropped - 1)) - 1), last);
  // The least normal has the exponent 1.
  const int64_t one = powerBits(kLeastExponent) >> kDropped;
  return l.op<arith::SubIOp>(l.op<arith::ShRUIOp>(rounded, kDropped),
                             one - (int64_t(1) << kFraction));
}

/// The same below the least normal.
static Value subnormalCode(LoopBuilder &l, Value magnitude) {
  // Added to a number whose last place is E4M3's, it is rounded there.
  constexpr int kPower = kLeastExponent - kFraction + kF32Fraction;
  Value value = arith::BitcastOp::create(l.b, l.b.getF32Type(), magnitude);
  Value sum = l.op<arith::AddFOp>(
      value, l.f32(static_cast<float>(int64_t(1) << kPower)));
  return l.op<arith::SubIOp>(bitsOf(l, sum), powerBits(kPower));
}

Value mxfp4::encodeE4M3(LoopBuilder &l, Value value) {
  Value magnitude = l.magnitudeBits(value);
  Value isNormal =
      l.compare(CmpIPredicate::uge, magnitude, powerBits(kLeastExponent));
  Value code =
      l.select(isNormal, normalCode(l, magnitude), subnormalCode(l, magnitude));
  code = l.op<arith::MinUIOp>(code, kLargestCode);
  Value sign =
      l.op<arith::AndIOp>(l.op<arith::ShRUIOp>(bitsOf(l, value), 24), 0x80);
  code = l.op<arith::OrIOp>(code, sign);
  return l.select(l.compare(CmpIPredicate::ugt, magnitude, kF32Infinity),
                  l.integer(32, kNaN), code);
}

Value mxfp4::scaleOfRow(LoopBuilder &l, Value columns,
                        function_ref<Value(Value)> value) {
  Value largest =
      l.reduce(l.index(0), columns, l.f32(0), [&](Value k, Value max) -> Value {
        Value magnitude = arith::BitcastOp::create(l.b, l.b.getF32Type(),
                                                   l.magnitudeBits(value(k)));
        return l.op<arith::MaxNumFOp>(max, magnitude);
      });
  return l.op<arith::MaxNumFOp>(
      l.op<arith::DivFOp>(largest, l.f32(QuantizeRowsOp::kLargest)),
      l.f32(QuantizeRowsOp::kLeastScale));
}

namespace {

class QuantizeRowsLoops {
public:
  QuantizeRowsLoops(QuantizeRowsOp op) : op(op), l(op) {}

  void emit() {
    columns = l.size(op.getCodes(), 1);
    sourceRows = l.size(op.getValues(), 0);
    if (op.getSlotRows())
      return emitScattered();
    l.loop(l.size(op.getCodes(), 0), [&](Value row) {
      if (!op.getGather())
        return emitRow(row, row);
      Value from = arith::IndexCastOp::create(l.b, l.b.getIndexType(),
                                              l.load(op.getGather(), row));
      l.ifThen(
          l.compare(CmpIPredicate::ult, from, sourceRows),
          [&] { emitRow(row, from); }, [&] { emitMissing(row); });
    });
  }

private:
  void store(Value code, ValueRange at) {
    Type type = cast<MemRefType>(op.getCodes().getType()).getElementType();
    l.store(arith::BitcastOp::create(l.b, type, l.i8(code)), op.getCodes(), at);
  }

  void emitScattered() {
    Value rows = l.size(op.getScales(), 0);
    l.loop(sourceRows, [&](Value from) {
      Value scale = scaleOf(from);
      if (op.getScatterScales())
        storeCodes(from, from, scale);
      forRowsOfToken(l, op.getSlotRows(), from, rows, op.getError(),
                     [&](Value row) {
                       l.store(scale, op.getScales(), row);
                       if (op.getScatter())
                         storeCodes(row, from, scale);
                     });
    });
  }

  Value scaleOf(Value from) {
    return scaleOfRow(l, columns, [&](Value k) {
      return l.widen(l.load(op.getValues(), {from, k}));
    });
  }

  void emitRow(Value row, Value from) {
    Value scale = scaleOf(from);
    l.store(scale, op.getScales(), row);
    storeCodes(row, from, scale);
  }

  void storeCodes(Value row, Value from, Value scale) {
    auto value = [&](Value k) {
      return l.widen(l.load(op.getValues(), {from, k}));
    };
    Value inverse = l.op<arith::DivFOp>(l.f32(1), scale);
    l.loop(columns, [&](Value k) {
      store(encodeE4M3(l, l.op<arith::MulFOp>(value(k), inverse)), {row, k});
    });
  }

  void emitMissing(Value row) {
    if (Value error = op.getError()) {
      Value zero = l.index(0);
      l.store(l.op<arith::OrIOp>(l.load(error, zero), 4), error, zero);
    }
    l.store(l.f32(QuantizeRowsOp::kLeastScale), op.getScales(), row);
    l.loop(columns, [&](Value k) { store(l.integer(32, 0), {row, k}); });
  }

  QuantizeRowsOp op;
  LoopBuilder l;
  Value columns, sourceRows;
};

} // namespace

void mxfp4::emitQuantizeRowsLoops(QuantizeRowsOp op) {
  QuantizeRowsLoops(op).emit();
}
