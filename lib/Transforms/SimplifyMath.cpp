//===- SimplifyMath.cpp - Fewer instructions for functions of f32 ---------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What operations show of their operands allows cheaper ones.
//
//===----------------------------------------------------------------------===//

#include "KernelMath.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/Matchers.h"
#include "llvm/Support/MathExtras.h"

#include <cmath>
#include <limits>
#include <optional>

using namespace mlir;
using namespace mxfp4;

constexpr double kSmallestNormal = std::numeric_limits<float>::min();

static std::optional<double> constantOf(Value value) {
  APFloat number(0.0);
  if (!value.getType().isF32() ||
      !matchPattern(value, m_ConstantFloat(&number)))
    return std::nullopt;
  return number.convertToFloat();
}

/// A number that `value` is not below, if it is not NaN. Roundings are
/// monotone: they keep it, if it is a number of f32. Of sums, eight levels are
/// looked at, because an operand may be reached on many ways.
static std::optional<double> leastOf(Value value, unsigned depth = 8) {
  if (const std::optional<double> number = constantOf(value);
      number && !std::isnan(*number))
    return number;
  Operation *op = value.getDefiningOp();
  if (!op || depth == 0)
    return std::nullopt;
  if (isa<math::ExpOp, math::Exp2Op, math::AbsFOp, math::SqrtOp>(op))
    return 0.0;
  if (auto product = dyn_cast<arith::MulFOp>(op);
      product && product.getLhs() == product.getRhs())
    return 0.0;
  if (!isa<arith::AddFOp, arith::MaximumFOp>(op))
    return std::nullopt;
  const std::optional<double> x = leastOf(op->getOperand(0), depth - 1),
                              y = leastOf(op->getOperand(1), depth - 1);
  if (isa<arith::MaximumFOp>(op))
    return x && y ? std::max(*x, *y) : x ? x : y;
  if (!x || !y)
    return std::nullopt;
  return static_cast<float>(*x) + static_cast<float>(*y);
}

/// Of a quotient whose magnitude is not above that of 1 / y nothing is lost but
/// what is below the smallest normal number.
static void allowReciprocal(arith::DivFOp op) {
  const std::optional<double> x = constantOf(op.getLhs());
  if (!x || std::abs(*x) > 1.0)
    return;
  const std::optional<double> least = leastOf(op.getRhs());
  if (least && *least >= kSmallestNormal)
    op.setFastmath(op.getFastmath() | arith::FastMathFlags::arcp);
}

/// exp(x c) to 2^(x (c log2(e))), which rounds once less.
static void contractExponent(math::ExpOp op) {
  auto product = op.getOperand().getDefiningOp<arith::MulFOp>();
  if (!product || !op.getType().isF32() || !product->hasOneUse())
    return;
  for (const bool isRight : {false, true}) {
    const std::optional<double> c = constantOf(product->getOperand(isRight));
    const auto scale =
        static_cast<float>(c.value_or(0.0) * llvm::numbers::log2e);
    if (!std::isnormal(scale))
      continue;
    ImplicitLocOpBuilder b(op.getLoc(), op);
    Value log2e =
        arith::ConstantOp::create(b, b.getF32Type(), b.getF32FloatAttr(scale));
    Value exponent =
        arith::MulFOp::create(b, product->getOperand(!isRight), log2e);
    op.replaceAllUsesWith(Value(math::Exp2Op::create(b, exponent)));
    op.erase();
    product.erase();
    return;
  }
}

void mxfp4::simplifyMath(Operation *kernels) {
  kernels->walk([](math::ExpOp op) { contractExponent(op); });
  kernels->walk([](arith::DivFOp op) { allowReciprocal(op); });
}
