//===- LoopScalars.cpp - Scalars in loops for the CPU ---------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "LoopScalars.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;

/// The larger or the smaller of two numbers, where -0 is below 0 as in kernels:
/// upstream's expansion takes either of two numbers that compare equal. Of
/// those, only the signs of zeros can differ, and the larger has a sign if both
/// have one. `keepsNaN` tells what NaN and a number give: NaN or the number.
static Value expandExtremum(ImplicitLocOpBuilder &b, Value x, Value y,
                            bool isMax, bool keepsNaN) {
  const Type type = x.getType();
  Type bits = b.getIntegerType(type.getIntOrFloatBitWidth());
  const auto compare = [&](arith::CmpFPredicate how, Value l, Value r) {
    return arith::CmpFOp::create(b, how, l, r);
  };
  const auto select = [&](Value condition, Value yes, Value no) -> Value {
    return arith::SelectOp::create(b, condition, yes, no);
  };
  Value xBits = arith::BitcastOp::create(b, bits, x),
        yBits = arith::BitcastOp::create(b, bits, y);
  Value both = isMax ? Value(arith::AndIOp::create(b, xBits, yBits))
                     : Value(arith::OrIOp::create(b, xBits, yBits));
  const auto isBeyond =
      isMax ? arith::CmpFPredicate::OGT : arith::CmpFPredicate::OLT;
  Value one = select(compare(arith::CmpFPredicate::OEQ, x, y),
                     arith::BitcastOp::create(b, type, both),
                     select(compare(isBeyond, x, y), x, y));
  if (keepsNaN)
    return select(compare(arith::CmpFPredicate::UNO, x, y),
                  arith::AddFOp::create(b, x, y), one);
  // Where x is NaN, y has been selected.
  return select(compare(arith::CmpFPredicate::UNO, y, y), x, one);
}

/// Null for other operations, and where a constant shows that there are no two
/// zeros to choose from.
static Value expandExtremum(ImplicitLocOpBuilder &b, Operation *op) {
  if (!isa<arith::MaximumFOp, arith::MinimumFOp, arith::MaxNumFOp,
           arith::MinNumFOp>(op))
    return Value();
  for (Value operand : op->getOperands())
    if (APFloat number(0.0);
        matchPattern(operand, m_ConstantFloat(&number)) && !number.isZero())
      return Value();
  return expandExtremum(b, op->getOperand(0), op->getOperand(1),
                        isa<arith::MaximumFOp, arith::MaxNumFOp>(op),
                        isa<arith::MaximumFOp, arith::MinimumFOp>(op));
}

/// Replaces a new operation.
static Value extremum(ImplicitLocOpBuilder &b, Operation *op) {
  Value value = expandExtremum(b, op);
  if (!value)
    return op->getResult(0);
  op->erase();
  return value;
}

static Value expandClamp(ImplicitLocOpBuilder &b, math::ClampFOp op) {
  Value below =
      extremum(b, arith::MinimumFOp::create(b, op.getValue(), op.getMax(),
                                            op.getFastmath()));
  return extremum(
      b, arith::MaximumFOp::create(b, below, op.getMin(), op.getFastmath()));
}

static Value expandCopySign(ImplicitLocOpBuilder &b, math::CopySignOp op) {
  const unsigned width = op.getType().getIntOrFloatBitWidth();
  Type bits = b.getIntegerType(width);
  const auto masked = [&](Value value, const APInt &mask) -> Value {
    return arith::AndIOp::create(
        b, arith::BitcastOp::create(b, bits, value),
        arith::ConstantOp::create(b, b.getIntegerAttr(bits, mask)));
  };
  Value size = masked(op.getLhs(), APInt::getSignedMaxValue(width)),
        sign = masked(op.getRhs(), APInt::getSignMask(width));
  return arith::BitcastOp::create(b, op.getType(),
                                  arith::OrIOp::create(b, size, sign));
}

/// In f32 at least: a root that is rounded to less would be rounded twice.
static Value expandRsqrt(ImplicitLocOpBuilder &b, math::RsqrtOp op) {
  const Type type = op.getType();
  const bool isNarrow = type.getIntOrFloatBitWidth() < 32;
  Type wide = isNarrow ? b.getF32Type() : type;
  Value x = op.getOperand();
  if (isNarrow)
    x = arith::ExtFOp::create(b, wide, x);
  Value root = math::SqrtOp::create(b, x, op.getFastmath());
  Value one = arith::ConstantOp::create(b, b.getFloatAttr(wide, 1.0));
  Value value = arith::DivFOp::create(b, one, root, op.getFastmath());
  return isNarrow ? Value(arith::TruncFOp::create(b, type, value)) : value;
}

/// Arithmetic of bf16 in f32, rounded: the same bits, because f32 has more than
/// twice the digits. The host may lack instructions for it, and the functions
/// that LLVM would call instead are not there under a JIT.
/// `arith-emulate-unsupported-floats` allows upstream to drop the roundings.
static Value widen(ImplicitLocOpBuilder &b, Operation *op) {
  SmallVector<Value> operands;
  for (Value operand : op->getOperands())
    operands.push_back(
        operand.getType().isBF16()
            ? Value(arith::ExtFOp::create(b, b.getF32Type(), operand))
            : operand);
  Operation *wide = b.clone(*op);
  wide->setOperands(operands);
  if (isa<arith::CmpFOp>(op))
    return wide->getResult(0);
  wide->getResult(0).setType(b.getF32Type());
  return arith::TruncFOp::create(b, b.getBF16Type(), extremum(b, wide));
}

/// Null for operations that stay.
static Value expand(ImplicitLocOpBuilder &b, Operation *op) {
  if (auto clamp = dyn_cast<math::ClampFOp>(op))
    return expandClamp(b, clamp);
  if (auto copySign = dyn_cast<math::CopySignOp>(op))
    return expandCopySign(b, copySign);
  if (auto rsqrt = dyn_cast<math::RsqrtOp>(op))
    return expandRsqrt(b, rsqrt);
  if (op->getOperand(0).getType().isBF16() &&
      isa<arith::CmpFOp, arith::AddFOp, arith::SubFOp, arith::MulFOp,
          arith::DivFOp, arith::RemFOp, arith::MaximumFOp, arith::MinimumFOp,
          arith::MaxNumFOp, arith::MinNumFOp>(op))
    return widen(b, op);
  return expandExtremum(b, op);
}

void mxfp4::expandScalars(Operation *root) {
  SmallVector<Operation *> ops;
  root->walk([&](Operation *op) {
    if (op->getNumResults() == 1 && op->getNumOperands() != 0 &&
        op->getOperand(0).getType().isFloat())
      ops.push_back(op);
  });
  for (Operation *op : ops) {
    ImplicitLocOpBuilder b(op->getLoc(), op);
    Value value = expand(b, op);
    if (!value)
      continue;
    op->getResult(0).replaceAllUsesWith(value);
    op->erase();
  }
}
