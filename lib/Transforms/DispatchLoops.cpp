//===- DispatchLoops.cpp - The specification of mxfp4.dispatch ------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "RoutingLoops.h"

using namespace mlir;
using namespace mxfp4;
using arith::CmpIPredicate;

void mxfp4::forRowsOfToken(LoopBuilder &l, Value positions, Value token,
                           Value rows, Value error,
                           function_ref<void(Value)> body) {
  const auto toIndex = [&](Value value) -> Value {
    return arith::IndexCastOp::create(l.b, l.b.getIndexType(), value);
  };
  l.loop(l.size(positions, 1), [&](Value slot) {
    Value position = l.load(positions, {token, slot});
    Value row = toIndex(position);
    // The comparisons are unsigned, so that rows below 0 are out of range, too;
    // adding 1 maps -1, which is allowed, to 0.
    Value isRow = l.compare(CmpIPredicate::ult, row, rows);
    l.ifThen(isRow, [&] { body(row); });
    if (!error)
      return;
    Value next = toIndex(l.op<arith::AddIOp>(position, 1));
    l.ifThen(l.compare(CmpIPredicate::ugt, next, rows), [&] {
      Value zero = l.index(0);
      l.store(l.op<arith::OrIOp>(l.load(error, zero), 4), error, zero);
    });
  });
}

void mxfp4::emitDispatchLoops(DispatchOp op) {
  LoopBuilder l(op);
  Value values = op.getValues(), rows = op.getInit();
  l.loop(l.size(values, 0), [&](Value token) {
    forRowsOfToken(l, op.getPositions(), token, l.size(rows, 0), op.getError(),
                   [&](Value row) {
                     l.loop(l.size(values, 1), [&](Value k) {
                       l.store(l.load(values, {token, k}), rows, {row, k});
                     });
                   });
  });
}
