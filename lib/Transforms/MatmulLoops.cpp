//===- MatmulLoops.cpp - Maps of rows and epilogues on the CPU ------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "MatmulLoops.h"

using namespace mlir;
using namespace mxfp4;

std::pair<Value, Value> mxfp4::mappedRow(LoopBuilder &l, Value map, Value row,
                                         Value count) {
  Value to =
      arith::IndexCastOp::create(l.b, l.b.getIndexType(), l.load(map, row));
  return {to, l.compare(arith::CmpIPredicate::ult, to, count)};
}

Value mxfp4::finishSums(LoopBuilder &l, GroupedMatmulOp op,
                        SmallVector<Value> &arguments, Value expert,
                        function_ref<Value()> row,
                        function_ref<Value(int64_t)> columns) {
  const int64_t sums = op.takesPairs() ? 2 : 1;
  for (Value operand : op.getEpilogueOperands())
    switch (epilogueOperandOf(operand.getType())) {
    case EpilogueOperand::Scalar:
      arguments.push_back(l.widen(l.load(operand, {})));
      break;
    case EpilogueOperand::PerRow:
      arguments.push_back(l.widen(l.load(operand, row())));
      break;
    case EpilogueOperand::PerColumn:
      for (int64_t i = 0; i < sums; ++i)
        arguments.push_back(l.widen(l.load(operand, {expert, columns(i)})));
    }
  return cloneEpilogue(l.b, op.getEpilogue()[0], arguments);
}
