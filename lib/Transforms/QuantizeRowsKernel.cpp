//===- QuantizeRowsKernel.cpp - The kernel of mxfp4.quantize_rows ---------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A CTA has a row, and its threads hold the row in registers from the load, 16
// bytes at a time where K allows, to the store, so that memory is read once.
// Magnitudes are compared as integers, whose order is that of floats.
//
//===----------------------------------------------------------------------===//

#include "KernelBuilding.h"
#include "RoutingKernels.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace mxfp4;
using arith::CmpIPredicate;

namespace {

class QuantizeRowsKernel {
public:
  QuantizeRowsKernel(CtaBuilder &c, const RoutingKernel &kernel,
                     const RoutingArguments &arguments)
      : c(c), arg(arguments), width(kernel.vectorWidth()),
        units(kernel.n() / width),
        perThread((units + c.threads - 1) / c.threads) {}

  void emit();

private:
  void emitRow(Value row);
  void load(Value row);
  Value largest();
  Value largestOfCta(Value bits);
  void store(Value row, Value inverse);
  Value encode(ArrayRef<Value> values);

  /// To nearest even, which `arith.divf` is not in a kernel.
  Value divide(Value a, Value b) {
    return LLVM::CallIntrinsicOp::create(
               c.b, c.b.getF32Type(), c.b.getStringAttr("llvm.nvvm.div.rn.f"),
               ValueRange{a, b})
        .getResult(0);
  }

  /// The number of a unit of this thread, and whether the row has it; null if
  /// each thread's exists.
  Value unit(int64_t number) { return c.add(c.thread, number * c.threads); }
  Value exists(int64_t number) {
    return (number + 1) * c.threads <= units ? Value()
                                             : c.less(unit(number), units);
  }
  Value column(int64_t number) { return c.mul(unit(number), width); }

  CtaBuilder &c;
  const RoutingArguments &arg;
  const int64_t width, units, perThread;
  /// The greatest magnitude of each warp, in shared memory.
  Value maxima;
  /// This thread's part of the row, in f32; zeros beyond the row.
  SmallVector<SmallVector<Value>> values;
};

} // namespace

void QuantizeRowsKernel::emit() {
  if (c.warps() > 1)
    maxima = sharedBuffer(c.b, {c.warps()}, c.b.getI32Type(), 0);
  c.loopBy(c.cta, arg.rows, c.ctas, [&](Value row) { emitRow(row); });
}

void QuantizeRowsKernel::emitRow(Value row) {
  load(row);
  Value scale =
      c.op<arith::MaxNumFOp>(divide(largest(), c.f32(QuantizeRowsOp::kLargest)),
                             c.f32(QuantizeRowsOp::kLeastScale));
  c.ifThen(c.isZero(c.thread), [&] { c.store(scale, arg.scales, row); });
  store(row, divide(c.f32(1), scale));
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
  auto type = VectorType::get({width}, c.b.getBF16Type());
  SmallVector<Value> loaded;
  for (int64_t i = 0; i < perThread; ++i) {
    const auto read = [&]() -> Value {
      return vector::LoadOp::create(c.b, type, arg.x,
                                    ValueRange{row, column(i)});
    };
    Value condition = exists(i);
    if (condition && isThere)
      condition = c.op<arith::AndIOp>(condition, isThere);
    else if (isThere)
      condition = isThere;
    loaded.push_back(condition
                         ? c.ifElse(condition, read,
                                    [&]() -> Value {
                                      return arith::ConstantOp::create(
                                          c.b, type, c.b.getZeroAttr(type));
                                    })
                         : read());
  }
  values.clear();
  for (Value some : loaded) {
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

void QuantizeRowsKernel::store(Value row, Value inverse) {
  for (int64_t i = 0; i < perThread; ++i) {
    SmallVector<Value> scaled;
    for (Value value : values[i])
      scaled.push_back(c.op<arith::MulFOp>(value, inverse));
    Value codes = encode(scaled);
    const auto write = [&] {
      vector::StoreOp::create(c.b, codes, arg.codes,
                              ValueRange{row, column(i)});
    };
    if (Value condition = exists(i))
      c.ifThen(condition, write);
    else
      write();
  }
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
