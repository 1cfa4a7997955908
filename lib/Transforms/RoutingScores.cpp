//===- RoutingScores.cpp - Scores of experts as operations ----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "RoutingScores.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace mxfp4;

static Value f32(ImplicitLocOpBuilder &b, float value) {
  return arith::ConstantOp::create(b, b.getF32FloatAttr(value));
}
static Value constantI32(ImplicitLocOpBuilder &b, int64_t value) {
  return arith::ConstantOp::create(b, b.getI32IntegerAttr(int32_t(value)));
}

bool mxfp4::isScalarScoring(Scoring scoring) {
  return scoring == Scoring::Sigmoid || scoring == Scoring::SqrtSoftplus;
}

/// log(1 + exp(x)) = max(x, 0) + log(1 + exp(-|x|)), where nothing overflows.
static Value emitSoftplus(ImplicitLocOpBuilder &b, Value x) {
  Value small = math::ExpOp::create(
      b, arith::NegFOp::create(b, math::AbsFOp::create(b, x)));
  return arith::AddFOp::create(b, arith::MaximumFOp::create(b, x, f32(b, 0.0f)),
                               math::Log1pOp::create(b, small));
}

Value mxfp4::emitScore(ImplicitLocOpBuilder &b, Scoring scoring, Value logit,
                       Value max) {
  switch (scoring) {
  case Scoring::Sigmoid: {
    Value power = math::ExpOp::create(b, arith::NegFOp::create(b, logit));
    return arith::DivFOp::create(b, f32(b, 1.0f),
                                 arith::AddFOp::create(b, power, f32(b, 1.0f)));
  }
  case Scoring::SqrtSoftplus: {
    // Far below 0 the root is exp(x / 2) up to a rounding. Kernels have no
    // exp(x) below 2^-126, of which the root would be 2^-63.
    Value half =
        math::ExpOp::create(b, arith::MulFOp::create(b, logit, f32(b, 0.5f)));
    Value isFar = arith::CmpFOp::create(b, arith::CmpFPredicate::OLT, logit,
                                        f32(b, -80.0f));
    return arith::SelectOp::create(
        b, isFar, half, math::SqrtOp::create(b, emitSoftplus(b, logit)));
  }
  case Scoring::Softmax:
  case Scoring::SoftmaxSelected:
    return math::ExpOp::create(b, arith::SubFOp::create(b, logit, max));
  }
  llvm_unreachable("all scorings are above");
}

/// Negative numbers have their bits below the sign turned round; those of
/// positive ones are in order.
static Value emitTurned(ImplicitLocOpBuilder &b, Value bits) {
  Value sign = arith::ShRSIOp::create(b, bits, constantI32(b, 31));
  return arith::XOrIOp::create(
      b, bits, arith::AndIOp::create(b, sign, constantI32(b, INT32_MAX)));
}

Value mxfp4::emitKey(ImplicitLocOpBuilder &b, Value value) {
  // -0 + 0 is 0.
  Value plain = arith::AddFOp::create(b, value, f32(b, 0.0f));
  Value key = emitTurned(b, arith::BitcastOp::create(b, b.getI32Type(), plain));
  Value isNaN =
      arith::CmpFOp::create(b, arith::CmpFPredicate::UNO, value, value);
  return arith::SelectOp::create(b, isNaN, constantI32(b, kNoKey + 1), key);
}

Value mxfp4::emitValueOfKey(ImplicitLocOpBuilder &b, Value key) {
  // The key of NaN is that of a NaN.
  return arith::BitcastOp::create(b, b.getF32Type(), emitTurned(b, key));
}

Value mxfp4::emitWeight(ImplicitLocOpBuilder &b, Value value, Value sum,
                        float scale) {
  Value isZero =
      arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, sum, f32(b, 0.0f));
  Value divisor = arith::SelectOp::create(b, isZero, f32(b, 1.0f), sum);
  Value weight = arith::DivFOp::create(b, value, divisor);
  return scale == 1.0f ? weight
                       : Value(arith::MulFOp::create(b, weight, f32(b, scale)));
}
