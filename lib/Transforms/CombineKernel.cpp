//===- CombineKernel.cpp - The kernel of mxfp4.combine --------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A CTA has a part of a token's columns, and a thread neighbours among them, 16
// bytes where N allows. It loads them of all slots before the first addition,
// and of few slots for several tokens, so that a CTA has enough loads in flight
// for the memory's speed.
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
        slotWidth(kernel.slotWidth()), together(kernel.tokensTogether()) {}

  void emit();

private:
  Type elementOf(Value memory) {
    return cast<MemRefType>(memory.getType()).getElementType();
  }
  SmallVector<Value> loadSlots(Value memory, Value token);
  SmallVector<Value> loadRow(Value row, Value column, Value isThere);
  /// What a thread has of a token: of each slot where its row is, whether it
  /// exists, its weight and its columns.
  struct TokenSlots {
    Value token;
    SmallVector<Value> positions, weights, isThere;
    SmallVector<SmallVector<Value>> values;
  };
  void emitUnit(Value first, Value unit);
  void storeSum(const TokenSlots &of, Value column);
  void checkPositions(ValueRange positions);

  CtaBuilder &c;
  const RoutingArguments &arg;
  const int64_t slots, width, units, slotWidth, together;
  Value rows, rowCount;
};

} // namespace

void CombineKernel::emit() {
  rows = memref::CollapseShapeOp::create(
      c.b, arg.y, ArrayRef<ReassociationIndices>{{0, 1}, {2}});
  rowCount = c.mul(arg.rows, slots);
  Value part = gpu::BlockIdOp::create(c.b, gpu::Dimension::y);
  Value parts = gpu::GridDimOp::create(c.b, gpu::Dimension::y);
  const auto first = [&](Value number) {
    return together == 1 ? number : c.mul(number, together);
  };
  c.loopBy(first(c.cta), arg.rows, first(c.ctas), [&](Value token) {
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

/// Rounds and stores the weighted sum of a token's columns.
void CombineKernel::storeSum(const TokenSlots &of, Value column) {
  Type element = elementOf(arg.out);
  SmallVector<Value> results;
  for (int64_t i = 0; i < width; ++i) {
    Value sum = c.f32(0);
    for (int64_t slot = 0; slot < slots; ++slot) {
      Value next = math::FmaOp::create(c.b, of.weights[slot],
                                       c.widen(of.values[slot][i]), sum);
      sum = c.select(of.isThere[slot], next, sum);
    }
    results.push_back(sum);
  }
  Value all = vector::FromElementsOp::create(
      c.b, VectorType::get({width}, c.b.getF32Type()), results);
  if (!element.isF32())
    all = arith::TruncFOp::create(c.b, VectorType::get({width}, element), all);
  vector::StoreOp::create(c.b, all, arg.out, ValueRange{of.token, column});
}

/// Tokens behind the last one are loaded as the last one, and not stored.
void CombineKernel::emitUnit(Value first, Value unit) {
  Value column = c.mul(unit, width);
  SmallVector<TokenSlots, 0> tokens;
  for (int64_t i = 0; i < together; ++i) {
    Value token = first;
    if (i > 0)
      token = c.min(c.add(first, i), c.sub(arg.rows, c.index(1)));
    tokens.push_back({token,
                      loadSlots(arg.positions, token),
                      loadSlots(arg.weights, token),
                      {},
                      {}});
  }
  for (TokenSlots &of : tokens)
    for (Value position : of.positions) {
      of.isThere.push_back(c.less(position, c.toI32(rowCount)));
      of.values.push_back(
          loadRow(c.toIndex(position), column, of.isThere.back()));
    }
  if (arg.error)
    c.ifThen(c.isZero(unit), [&] {
      for (const TokenSlots &of : tokens)
        checkPositions(of.positions);
    });
  storeSum(tokens.front(), column);
  for (int64_t i = 1; i < together; ++i)
    c.ifThen(c.less(c.add(first, i), arg.rows),
             [&] { storeSum(tokens[i], column); });
}

void mxfp4::emitCombine(CtaBuilder &c, const RoutingKernel &kernel,
                        const RoutingArguments &arguments) {
  CombineKernel(c, kernel, arguments).emit();
}
