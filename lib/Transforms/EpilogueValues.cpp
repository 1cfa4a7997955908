//===- EpilogueValues.cpp - Epilogues in registers ------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "EpilogueValues.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;
using namespace mxfp4;

Value EpilogueValues::widen(Value value) {
  if (value.getType().isF32())
    return value;
  return LLVM::FPExtOp::create(b, b.getF32Type(), value);
}

Value EpilogueValues::load(unsigned operand, Value index) {
  const Type element = typeOf(operand).getElementType();
  Value base = adaptor.getEpilogueOperands()[operand];
  Value at = index ? a.offset(base, a.mul(a.toI64(index),
                                          element.getIntOrFloatBitWidth() / 8))
                   : base;
  return LLVM::LoadOp::create(b, element, at);
}

/// Where columns are stored one by one to scattered rows, ptxas 13.0 keeps too
/// many addresses in registers and spills two, unless values depend on a
/// comparison that is always true in a way that ptxas cannot prove.
bool EpilogueValues::mayNotSpill() {
  return op.getScatter() && n % 2 != 0 && !op.takesPairs();
}

void EpilogueValues::loadColumns(ArrayRef<Value> columns) {
  Value expert = adaptor.getExpert();
  if (op.getOrNone() || mayNotSpill()) {
    Value zero = a.constant(b.getI32Type(), 0);
    isUsed = LLVM::ICmpOp::create(b, LLVM::ICmpPredicate::sge, expert, zero);
    expert = a.select(isUsed, expert, zero);
  }
  for (auto [i, operand] : llvm::enumerate(op.getEpilogueOperands())) {
    SmallVector<Value> &values = loaded.emplace_back();
    switch (epilogueOperandOf(operand.getType())) {
    case EpilogueOperand::PerRow:
      break;
    case EpilogueOperand::Scalar:
      values.push_back(load(i, Value()));
      break;
    case EpilogueOperand::PerColumn: {
      const size_t place = i; // a lambda may not take i itself before C++20
      const Type element = typeOf(i).getElementType();
      const int64_t bytes = element.getIntOrFloatBitWidth() / 8;
      Value rowOfExpert = a.mul(a.toI64(expert), n);
      for (Value column : columns) {
        const auto at = [&](Value column) {
          return a.offset(adaptor.getEpilogueOperands()[place],
                          a.mul(a.add(rowOfExpert, a.toI64(column)), bytes));
        };
        const auto clamp = [&](Value column, int64_t last) -> Value {
          return LLVM::UMinOp::create(b, column,
                                      a.constant(b.getI32Type(), last));
        };
        if (n % 2 != 0) {
          for (int next : {0, 1})
            values.push_back(LLVM::LoadOp::create(
                b, element, at(clamp(a.add(column, next), n - 1))));
          continue;
        }
        values.push_back(LLVM::LoadOp::create(b, VectorType::get({2}, element),
                                              at(clamp(column, n - 2)),
                                              /*alignment=*/2 * bytes));
      }
    }
    }
  }
}

void EpilogueValues::widenColumns() {
  for (ArrayRef<Value> operand : loaded) {
    SmallVector<Value> &values = fixed.emplace_back();
    for (Value value : operand) {
      if (!isa<VectorType>(value.getType())) {
        values.push_back(widen(value));
        continue;
      }
      for (int next : {0, 1})
        values.push_back(widen(LLVM::ExtractElementOp::create(
            b, value, a.constant(b.getI32Type(), next))));
    }
  }
}

int64_t EpilogueValues::registersOfColumns(int64_t slices) {
  int64_t registers = 0;
  for (auto [i, operand] : llvm::enumerate(op.getEpilogueOperands()))
    switch (epilogueOperandOf(operand.getType())) {
    case EpilogueOperand::PerRow:
      break;
    case EpilogueOperand::Scalar:
      ++registers;
      break;
    case EpilogueOperand::PerColumn:
      registers +=
          slices *
          (n % 2 != 0 ? 2 : typeOf(i).getElementTypeBitWidth() * 2 / 32);
    }
  return registers;
}

SmallVector<Value> EpilogueValues::loadRow(Value row) {
  SmallVector<Value> values;
  for (auto [i, operand] : llvm::enumerate(op.getEpilogueOperands()))
    if (epilogueOperandOf(operand.getType()) == EpilogueOperand::PerRow)
      values.push_back(widen(load(i, row)));
  return values;
}

SmallVector<Value> EpilogueValues::finish(ArrayRef<Value> sums, int slice,
                                          ArrayRef<Value> ofRow) {
  if (op.getEpilogue().empty())
    return SmallVector<Value>(sums);
  const bool pairs = op.takesPairs();
  SmallVector<Value> results;
  for (int column = 0; column < (pairs ? 1 : 2); ++column) {
    SmallVector<Value> arguments;
    const auto add = [&](ArrayRef<Value> both) {
      if (pairs)
        llvm::append_range(arguments, both);
      else
        arguments.push_back(both[column]);
    };
    add(sums);
    const Value *row = ofRow.begin();
    for (auto [i, operand] : llvm::enumerate(op.getEpilogueOperands()))
      switch (epilogueOperandOf(operand.getType())) {
      case EpilogueOperand::Scalar:
        arguments.push_back(fixed[i][0]);
        break;
      case EpilogueOperand::PerRow:
        arguments.push_back(*row++);
        break;
      case EpilogueOperand::PerColumn:
        add(ArrayRef(fixed[i]).slice(size_t(2) * slice, 2));
      }
    Value result = cloneEpilogue(b, op.getEpilogue()[0], arguments);
    if (isUsed)
      result = a.select(isUsed, result,
                        LLVM::ConstantOp::create(b, b.getF32FloatAttr(0.0f)));
    results.push_back(result);
  }
  return results;
}
