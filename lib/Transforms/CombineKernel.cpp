//===- CombineKernel.cpp - The kernel of mxfp4.combine --------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A CTA has a part of a token's columns, and a thread neighbours among them, 16
// bytes where N allows. It loads them of all slots before the first addition,
// so that a CTA has enough loads in flight for the memory's speed.
//
//===----------------------------------------------------------------------===//

#include "RoutingKernels.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace mxfp4;
using arith::CmpIPredicate;

namespace {

class CombineKernel {
public:
  CombineKernel(CtaBuilder &c, const RoutingKernel &kernel,
                const RoutingArguments &arguments)
      : c(c), arg(arguments), slots(kernel.slots()),
        width(kernel.vectorWidth()), units(kernel.n() / width),
        slotWidth(kernel.slotWidth()) {}

  void emit();

private:
  Type elementOf(Value memory) {
    return cast<MemRefType>(memory.getType()).getElementType();
  }
  SmallVector<Value> loadSlots(Value memory, Value token);
  SmallVector<Value> loadRow(Value row, Value column, Value isThere);
  void emitUnit(Value token, Value unit);
  void checkPositions(ValueRange positions);

  CtaBuilder &c;
  const RoutingArguments &arg;
  const int64_t slots, width, units, slotWidth;
  Value rows, rowCount;
};

} // namespace

void CombineKernel::emit() {
  rows = memref::CollapseShapeOp::create(
      c.b, arg.y, ArrayRef<ReassociationIndices>{{0, 1}, {2}});
  rowCount = c.mul(arg.rows, slots);
  Value part = gpu::BlockIdOp::create(c.b, gpu::Dimension::y);
  Value parts = gpu::GridDimOp::create(c.b, gpu::Dimension::y);
  c.loopBy(c.cta, arg.rows, c.ctas, [&](Value token) {
    c.loopBy(c.add(c.mul(part, c.threads), c.thread), c.index(units),
             c.mul(parts, c.threads),
             [&](Value unit) { emitUnit(token, unit); });
  });
}

/// A value of each slot of a token.
SmallVector<Value> CombineKernel::loadSlots(Value memory, Value token) {
  auto type = VectorType::get({slotWidth}, elementOf(memory));
  SmallVector<Value> values;
  for (int64_t slot = 0; slot < slots; slot += slotWidth) {
    Value some = vector::LoadOp::create(c.b, type, memory,
                                        ValueRange{token, c.index(slot)});
    for (int64_t i = 0; i < slotWidth; ++i)
      values.push_back(vector::ExtractOp::create(c.b, some, i));
  }
  return values;
}

/// Columns of a row as they are in memory; of no row, zeros.
SmallVector<Value> CombineKernel::loadRow(Value row, Value column,
                                          Value isThere) {
  auto type = VectorType::get({width}, elementOf(rows));
  Value loaded = c.ifElse(
      isThere,
      [&]() -> Value {
        return vector::LoadOp::create(c.b, type, rows, ValueRange{row, column});
      },
      [&]() -> Value {
        return arith::ConstantOp::create(c.b, type, c.b.getZeroAttr(type));
      });
  SmallVector<Value> values;
  for (int64_t i = 0; i < width; ++i)
    values.push_back(vector::ExtractOp::create(c.b, loaded, i));
  return values;
}

/// One thread per token says it.
void CombineKernel::checkPositions(ValueRange positions) {
  for (Value position : positions) {
    // -1 as an unsigned number is followed by 0.
    Value isBad =
        c.compare(CmpIPredicate::ugt, c.add(position, 1), c.toI32(rowCount));
    c.ifThen(isBad, [&] { c.report(arg.error, 4); });
  }
}

void CombineKernel::emitUnit(Value token, Value unit) {
  Value column = c.mul(unit, width);
  SmallVector<Value> positions = loadSlots(arg.positions, token);
  SmallVector<Value> weights = loadSlots(arg.weights, token);
  SmallVector<Value> isThere;
  SmallVector<SmallVector<Value>> values;
  for (Value position : positions) {
    isThere.push_back(c.less(position, c.toI32(rowCount)));
    values.push_back(loadRow(c.toIndex(position), column, isThere.back()));
  }
  if (arg.error)
    c.ifThen(c.isZero(unit), [&] { checkPositions(positions); });
  Type element = elementOf(arg.out);
  SmallVector<Value> results;
  for (int64_t i = 0; i < width; ++i) {
    Value sum = c.f32(0);
    for (int64_t slot = 0; slot < slots; ++slot) {
      Value next = math::FmaOp::create(c.b, weights[slot],
                                       c.widen(values[slot][i]), sum);
      sum = c.select(isThere[slot], next, sum);
    }
    results.push_back(sum);
  }
  Value all = vector::FromElementsOp::create(
      c.b, VectorType::get({width}, c.b.getF32Type()), results);
  if (!element.isF32())
    all = arith::TruncFOp::create(c.b, VectorType::get({width}, element), all);
  vector::StoreOp::create(c.b, all, arg.out, ValueRange{token, column});
}

void mxfp4::emitCombine(CtaBuilder &c, const RoutingKernel &kernel,
                        const RoutingArguments &arguments) {
  CombineKernel(c, kernel, arguments).emit();
}
