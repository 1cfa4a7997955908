//===- LinalgRows.cpp - Maps of rows and epilogues on tensors -------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "LinalgRows.h"

#include "MatmulLoops.h"
#include "RoutingLoops.h"

#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace mxfp4;

/// `rows` x `columns` (indices or static), each element from a call of `body`.
static Value generate(OpBuilder &b, Location loc, OpFoldResult rows,
                      OpFoldResult columns, Type element,
                      function_ref<Value(LoopBuilder &, Value, Value)> body) {
  SmallVector<int64_t> shape;
  SmallVector<Value> dynamic;
  dispatchIndexOpFoldResults({rows, columns}, dynamic, shape);
  return tensor::GenerateOp::create(
      b, loc, RankedTensorType::get(shape, element), dynamic,
      [&](OpBuilder &inner, Location, ValueRange at) {
        LoopBuilder l(loc, inner);
        tensor::YieldOp::create(l.b, body(l, at[0], at[1]));
      });
}

Value mxfp4::gatherInLinalg(OpBuilder &b, Location loc, GroupedMatmulOp op,
                            const GroupRows &group) {
  Value x = op.getActivations();
  Value count = LoopBuilder(loc, b).size(x, 0);
  return generate(b, loc, group.rows, tensor::getMixedSize(b, loc, x, 1),
                  op.getActivationsType().getElementType(),
                  [&](LoopBuilder &l, Value row, Value column) {
                    auto [from, exists] =
                        mappedRow(l, op.getGather(),
                                  l.op<arith::AddIOp>(row, group.begin), count);
                    Value source = l.select(exists, from, l.index(0));
                    return l.load(x, {source, column});
                  });
}

Value mxfp4::finishInLinalg(OpBuilder &b, Location loc, GroupedMatmulOp op,
                            const GroupRows &group, Value expert, Value sums) {
  const int64_t count = op.takesPairs() ? 2 : 1;
  return generate(b, loc, group.rows,
                  tensor::getMixedSize(b, loc, op.getInit(), 1), b.getF32Type(),
                  [&](LoopBuilder &l, Value row, Value column) {
                    SmallVector<Value> columns;
                    for (int64_t i = 0; i < count; ++i)
                      columns.push_back(l.op<arith::AddIOp>(
                          l.op<arith::MulIOp>(column, count), i));
                    SmallVector<Value> arguments;
                    for (Value at : columns)
                      arguments.push_back(l.load(sums, {row, at}));
                    return finishSums(
                        l, op, arguments, expert,
                        [&] { return l.op<arith::AddIOp>(row, group.begin); },
                        [&](int64_t number) { return columns[number]; });
                  });
}

Value mxfp4::scatterInLinalg(OpBuilder &b, Location loc, GroupedMatmulOp op,
                             const GroupRows &group, Value results, Value y) {
  LoopBuilder l(loc, b);
  Value count = l.size(y, 0);
  const OpFoldResult zero = b.getIndexAttr(0), one = b.getIndexAttr(1);
  const OpFoldResult columns = tensor::getMixedSize(l.b, loc, y, 1);
  const SmallVector<OpFoldResult> sizes = {one, columns}, ones = {one, one};
  return l.reduce(
      l.index(0), group.rows, y, [&](Value row, Value carried) -> Value {
        auto [to, exists] = mappedRow(
            l, op.getScatter(), l.op<arith::AddIOp>(row, group.begin), count);
        auto branch = scf::IfOp::create(l.b, carried.getType(), exists,
                                        /*withElseRegion=*/true);
        OpBuilder::InsertionGuard guard(l.b);
        l.b.setInsertionPointToStart(branch.thenBlock());
        Value slice = tensor::ExtractSliceOp::create(
            l.b, results, ArrayRef<OpFoldResult>{row, zero}, sizes, ones);
        Value placed = tensor::InsertSliceOp::create(
            l.b, slice, carried, ArrayRef<OpFoldResult>{to, zero}, sizes, ones);
        scf::YieldOp::create(l.b, placed);
        l.b.setInsertionPointToStart(branch.elseBlock());
        scf::YieldOp::create(l.b, carried);
        return branch.getResult(0);
      });
}

std::pair<Value, Value> mxfp4::quantizeRowsInLinalg(OpBuilder &b, Location loc,
                                                    QuantizeRowsOp op) {
  Value x = op.getValues(), codesInit = op.getCodes();
  LoopBuilder outside(loc, b);
  Value count = outside.size(x, 0), columns = outside.size(codesInit, 1);
  const SmallVector<OpFoldResult> sizes =
      tensor::getMixedSizes(b, loc, codesInit);
  // A row to gather that does not exist is a row of zeros.
  const auto value = [&](LoopBuilder &l, Value row, Value column) -> Value {
    if (!op.getGather())
      return l.widen(l.load(x, {row, column}));
    auto [from, exists] = mappedRow(l, op.getGather(), row, count);
    auto found = scf::IfOp::create(l.b, l.b.getF32Type(), exists,
                                   /*withElseRegion=*/true);
    LoopBuilder then(loc, found.getThenBodyBuilder());
    scf::YieldOp::create(then.b, then.widen(then.load(x, {from, column})));
    LoopBuilder otherwise(loc, found.getElseBodyBuilder());
    scf::YieldOp::create(otherwise.b, otherwise.f32(0));
    return found.getResult(0);
  };
  SmallVector<int64_t> shape;
  SmallVector<Value> dynamic;
  dispatchIndexOpFoldResults(tensor::getMixedSize(b, loc, op.getScales(), 0),
                             dynamic, shape);
  Value scales = tensor::GenerateOp::create(
      b, loc, RankedTensorType::get(shape, b.getF32Type()), dynamic,
      [&](OpBuilder &inner, Location, ValueRange at) {
        LoopBuilder l(loc, inner);
        tensor::YieldOp::create(l.b, scaleOfRow(l, columns, [&](Value k) {
                                  return value(l, at[0], k);
                                }));
      });
  const Type type = getElementTypeOrSelf(codesInit);
  Value codes = generate(
      b, loc, sizes[0], sizes[1], type,
      [&](LoopBuilder &l, Value row, Value column) -> Value {
        Value inverse = l.op<arith::DivFOp>(l.f32(1), l.load(scales, row));
        Value scaled = l.op<arith::MulFOp>(value(l, row, column), inverse);
        return arith::BitcastOp::create(l.b, type, l.i8(encodeE4M3(l, scaled)));
      });
  return {codes, scales};
}
