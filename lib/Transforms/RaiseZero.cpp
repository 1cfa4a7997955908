//===- RaiseZero.cpp - Tensors of zeros, however they are written ---------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Raise.h"
#include "UniformValue.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace mxfp4;

bool mxfp4::isPositiveZero(Value value) {
  while (value) {
    if (matchPattern(value, m_PosZeroFloat()))
      return true;
    // Widening and rounding make zeros of zeros.
    Operation *op = value.getDefiningOp();
    value = isa_and_nonnull<arith::ExtFOp, arith::TruncFOp>(op)
                ? op->getOperand(0)
                : sourceOfElements(value);
  }
  return false;
}

Value mxfp4::filledTensor(Value zeros) {
  auto op = zeros.getDefiningOp<linalg::LinalgOp>();
  return op ? op.getTiedOpOperand(cast<OpResult>(zeros))->get() : Value();
}
