//===- QuantizeRowsKernel.cpp - The kernel of mxfp4.quantize_rows ---------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A CTA has a row, and its threads hold the row in registers from the load, 16
// bytes at a time where K allows, to the store, or to those into the rows of
// all slots of a token (where these have scales alone, to the token's own), so
// that memory is read and each value rounded once.
// Magnitudes are compared as integers, whose order is that of floats.
//
//===----------------------------------------------------------------------===//

#include "KernelBuilding.h"
#include "SlotRows.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace mxfp4;

namespace {

class QuantizeRowsKernel {
public:
  QuantizeRowsKernel(CtaBuilder &c, const RoutingKernel &kernel,
                     const RoutingArguments &arguments)
      : c(c), arg(arguments), units(c, kernel), width(units.width) {
    if (kernel.storesSlots())
      slots.emplace(c, kernel, arguments);
    QuantizeRowsOp op = kernel.quantize;
    scattersCodes = bool(op.getScatter());
  }

  void emit();

private:
  void emitRow(Value row);
  void emitToken(Value token);
  void load(Value row);
  void loadRow(Value row, Value isThere);
  Value emitScale();
  Value largest();
  Value largestOfCta(Value bits);
  SmallVector<Value> encodeRow(Value inverse);
  Value encode(ArrayRef<Value> values);

  /// To nearest even, which `arith.divf` is not in a kernel.
  Value divide(Value a, Value b) {
    return LLVM::CallIntrinsicOp::create(
               c.b, c.b.getF32Type(), c.b.getStringAttr("llvm.nvvm.div.rn.f"),
               ValueRange{a, b})
        .getResult(0);
  }

  CtaBuilder &c;
  const RoutingArguments &arg;
  RowUnits units;
  const int64_t width;
  /// Where rows have slots.
  std::optional<SlotRows> slots;
  /// Whether these have the codes, too, and not the scales alone.
  bool scattersCodes = false;
  /// The greatest magnitude of each warp, in shared memory.
  Value maxima;
  /// This thread's part of the row, in f32; zeros beyond the row.
  SmallVector<SmallVector<Value>> values;
};

} // namespace

void QuantizeRowsKernel::emit() {
  if (c.warps() > 1)
    maxima = sharedBuffer(c.b, {c.warps()}, c.b.getI32Type(), 0);
  if (slots)
    return slots->forTokens([&](Value token) { emitToken(token); });
  c.loopBy(c.cta, arg.rows, c.ctas, [&](Value row) { emitRow(row); });
}

Value QuantizeRowsKernel::emitScale() {
  return c.op<arith::MaxNumFOp>(
      divide(largest(), c.f32(QuantizeRowsOp::kLargest)),
      c.f32(QuantizeRowsOp::kLeastScale));
}

void QuantizeRowsKernel::emitRow(Value row) {
  load(row);
  Value scale = emitScale();
  c.ifThen(c.isZero(c.thread), [&] { c.store(scale, arg.scales, row); });
  units.store(encodeRow(divide(c.f32(1), scale)), arg.codes, row);
}

void QuantizeRowsKernel::emitToken(Value token) {
  Value codes = scattersCodes ? slots->flat(arg.codes) : arg.codes;
  Value scales = slots->flat(arg.scales);
  loadRow(token, Value());
  slots->find(token);
  Value scale = emitScale();
  SmallVector<Value> encoded = encodeRow(divide(c.f32(1), scale));
  if (!scattersCodes)
    units.store(encoded, codes, token);
  slots->forRows([&](Value row) {
    c.ifThen(c.isZero(c.thread), [&] { c.store(scale, scales, row); });
    if (scattersCodes)
      units.store(encoded, codes, row);
  });
  slots->finish(token);
}

void QuantizeRowsKernel::load(Value row) {
  Value isThere;
  if (arg.gather) {
    Value from = c.load(arg.gather, row);
    isThere = c.less(from, arg.xRows);
    row = c.toIndex(from);
    Value isMissing = c.op<arith::XOrIOp>(isThere, 1);
    if (arg.error)
      c.ifThen(c.op<arith::AndIOp>(isMissing, c.isZero(c.thread)),
               [&] { c.report(arg.error, 4); });
  }
  loadRow(row, isThere);
}

void QuantizeRowsKernel::loadRow(Value row, Value isThere) {
  values.clear();
  for (Value some : units.load(arg.x, row, isThere)) {
    SmallVector<Value> &wide = values.emplace_back();
    for (int64_t i = 0; i < width; ++i)
      wide.push_back(c.widen(vector::ExtractOp::create(c.b, some, i)));
  }
}

/// The greatest magnitude of the row, as f32; NaN is none.
Value QuantizeRowsKernel::largest() {
  Value max = c.f32(0);
  for (ArrayRef<Value> unit : values)
    for (Value value : unit)
      max = c.op<arith::MaxNumFOp>(max, math::AbsFOp::create(c.b, value));
  Value bits = arith::BitcastOp::create(c.b, c.b.getI32Type(), max);
  bits = c.reduceMax(bits);
  if (maxima)
    bits = largestOfCta(bits);
  return arith::BitcastOp::create(c.b, c.b.getF32Type(), bits);
}

Value QuantizeRowsKernel::largestOfCta(Value bits) {
  c.ifThen(c.isZero(c.lane), [&] { c.store(bits, maxima, c.warp); });
  c.syncCta();
  Value isWarp = c.less(c.lane, c.warps());
  Value some = c.load(maxima, c.select(isWarp, c.lane, c.index(0)));
  Value all = c.reduceMax(some);
  // The next row's maxima come behind these loads.
  c.syncCta();
  return all;
}

SmallVector<Value> QuantizeRowsKernel::encodeRow(Value inverse) {
  SmallVector<Value> codes;
  for (ArrayRef<Value> unit : values) {
    SmallVector<Value> scaled;
    for (Value value : unit)
      scaled.push_back(c.op<arith::MulFOp>(value, inverse));
    codes.push_back(encode(scaled));
  }
  return codes;
}

/// The codes of a unit: an instruction rounds two values.
Value QuantizeRowsKernel::encode(ArrayRef<Value> values) {
  Type e4m3 = Float8E4M3FNType::get(c.b.getContext());
  Type i16 = c.b.getI16Type();
  const auto convert = [&](Value low, Value high) -> Value {
    return NVVM::ConvertF32x2ToF8x2Op::create(
        c.b, i16, high, low, NVVM::FPRoundingMode::RN,
        NVVM::SaturationMode::SATFINITE, /*relu=*/false, e4m3);
  };
  SmallVector<Value> parts;
  if (width == 1)
    parts.push_back(c.convert(convert(values[0], c.f32(0)), c.b.getI8Type()));
  else
    for (int64_t i = 0; i < width; i += 2)
      parts.push_back(convert(values[i], values[i + 1]));
  auto type = VectorType::get({int64_t(parts.size())}, parts[0].getType());
  Value packed = vector::FromElementsOp::create(c.b, type, parts);
  return vector::BitCastOp::create(c.b, VectorType::get({width}, e4m3), packed);
}

void mxfp4::emitQuantizeRows(CtaBuilder &c, const RoutingKernel &kernel,
                             const RoutingArguments &arguments) {
  QuantizeRowsKernel(c, kernel, arguments).emit();
}
