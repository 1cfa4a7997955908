//===- LowerMath.cpp - Scalar functions to instructions -------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Functions of f32 in kernels: the chip has 2^x, log2 x, 1/x, 1/sqrt x, sqrt x
// and division, each within 2 ulp or so, and the others follow from these
// without a library. Bounds of errors relative to the exact result, also where
// that is near 0; test/python/test_math.py checks them, and they held on an
// H100 for five million numbers a function:
// - exp2, division, sqrt, rsqrt: 2^-21
// - exp, expm1: 2^-21 + |x| 2^-23, since x log2(e) is rounded; exp of a product
//   with a constant: 2^-21 + |x| 1.5 2^-23, since one multiplication does both
// - log, log2, log10, log1p: 2^-20
// - tanh, erf: 2^-20
//
// Results of exp and exp2 below 2^-126 are 0. A division that allows
// reciprocals (fastmath<arcp>) is x (1 / y), where 1 / y is 0 or infinite if it
// or y is below 2^-126: it has two instructions instead of eight. Of a constant
// of magnitude at most 1 and a divisor that its operations show to be at least
// 2^-126, each division is of that kind: of 1 / (1 + exp(-x)), what is below
// 2^-126 is 0. Where a formula would subtract nearly equal numbers, a
// polynomial takes over; its coefficients are fits of the least largest
// relative error over the stated range.
//
//===----------------------------------------------------------------------===//

#include "KernelLowering.h"
#include "KernelMath.h"

#include "mlir/Conversion/LLVMCommon/Pattern.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"

#include <cmath>
#include <limits>
#include <optional>

using namespace mlir;
using namespace mxfp4;

namespace {

constexpr float kLog2E = 1.44269504f, kLn2 = 0.693147181f;

/// LLVM-dialect arithmetic on f32.
class Floats {
public:
  explicit Floats(ImplicitLocOpBuilder &b) : b(b) {}

  Value constant(float value) {
    return LLVM::ConstantOp::create(b, b.getF32Type(),
                                    b.getF32FloatAttr(value));
  }
  template <typename Op> Value op(Value x, Value y) {
    return Op::create(b, x, y);
  }
  Value add(Value x, Value y) { return op<LLVM::FAddOp>(x, y); }
  Value add(Value x, float y) { return add(x, constant(y)); }
  Value mul(Value x, Value y) { return op<LLVM::FMulOp>(x, y); }
  Value mul(Value x, float y) { return mul(x, constant(y)); }
  Value fma(Value x, Value y, Value z) {
    return LLVM::FMAOp::create(b, x, y, z);
  }
  Value abs(Value x) { return LLVM::FAbsOp::create(b, x); }
  Value withSign(Value x, Value sign) {
    return LLVM::CopySignOp::create(b, x, sign);
  }
  /// Not for NaN.
  Value less(Value x, float y) {
    return LLVM::FCmpOp::create(b, LLVM::FCmpPredicate::olt, x, constant(y));
  }
  Value select(Value condition, Value yes, Value no) {
    return LLVM::SelectOp::create(b, condition, yes, no);
  }
  /// coefficients[0] + x (coefficients[1] + x (...)).
  Value polynomial(Value x, ArrayRef<float> coefficients) {
    Value sum = constant(coefficients.back());
    for (float coefficient : llvm::reverse(coefficients.drop_back()))
      sum = fma(sum, x, constant(coefficient));
    return sum;
  }

  // Instructions.
  Value divide(Value x, Value y) { return call("llvm.nvvm.div.full", {x, y}); }
  Value ex2(Value x) { return call("llvm.nvvm.ex2.approx.ftz.f32", x); }
  Value lg2(Value x) { return call("llvm.nvvm.lg2.approx.f", x); }
  Value sqrt(Value x) { return call("llvm.nvvm.sqrt.approx.f", x); }
  Value rsqrt(Value x) { return call("llvm.nvvm.rsqrt.approx.f", x); }
  /// 1 / x; 0 and infinite where x or the result is below 2^-126.
  Value reciprocal(Value x) { return call("llvm.nvvm.rcp.approx.ftz.f", x); }

private:
  Value call(StringRef intrinsic, ValueRange operands) {
    return LLVM::CallIntrinsicOp::create(b, b.getF32Type(),
                                         b.getStringAttr(intrinsic), operands)
        .getResult(0);
  }

  ImplicitLocOpBuilder &b;
};

//===----------------------------------------------------------------------===//
// Functions
//===----------------------------------------------------------------------===//

Value emitExp2(Floats &f, Value x) { return f.ex2(x); }

Value emitExp(Floats &f, Value x) { return f.ex2(f.mul(x, kLog2E)); }

Value emitSqrt(Floats &f, Value x) { return f.sqrt(x); }

Value emitRsqrt(Floats &f, Value x) { return f.rsqrt(x); }

/// log2(1 + d) times `scale`: of log2's instruction on `x`, which is 1 + d, but
/// near 1, where its error is absolute, by 2 atanh(d / (2 + d)).
Value emitLog(Floats &f, Value x, Value d, float scale) {
  constexpr float kAtanh[] = {0.333333880f, 0.199887633f, 0.149360806f};
  Value far = f.mul(f.lg2(x), scale * kLn2);
  Value s = f.mul(d, f.reciprocal(f.add(d, 2.0f)));
  Value square = f.mul(s, s), twice = f.mul(s, 2.0f * scale);
  Value near = f.fma(f.mul(twice, square), f.polynomial(square, kAtanh), twice);
  // From sqrt(1/2) to sqrt(2).
  return f.select(f.less(f.abs(f.add(d, -0.0606601f)), 0.353553f), near, far);
}

Value emitLn(Floats &f, Value x) {
  return emitLog(f, x, f.add(x, -1.0f), 1.0f);
}
Value emitLog2(Floats &f, Value x) {
  return emitLog(f, x, f.add(x, -1.0f), kLog2E);
}
Value emitLog10(Floats &f, Value x) {
  return emitLog(f, x, f.add(x, -1.0f), 0.434294482f);
}
Value emitLog1p(Floats &f, Value x) {
  return emitLog(f, f.add(x, 1.0f), x, 1.0f);
}

/// Of |x| < 0.6.
Value emitSmallTanh(Floats &f, Value x) {
  constexpr float kTanh[] = {-0.333332986f, 0.133319244f, -0.0537838265f,
                             0.0207959618f, -0.00589514663f};
  Value square = f.mul(x, x);
  return f.fma(f.mul(x, square), f.polynomial(square, kTanh), x);
}

/// 1 - 2 / (exp(2 |x|) + 1) from 0.6 on, with the sign of x, also of -0.
Value emitTanh(Floats &f, Value x) {
  Value size = f.abs(x);
  Value more = f.add(f.ex2(f.mul(size, 2.0f * kLog2E)), 1.0f);
  Value large = f.fma(f.reciprocal(more), f.constant(-2.0f), f.constant(1.0f));
  return f.withSign(f.select(f.less(size, 0.6f), emitSmallTanh(f, size), large),
                    x);
}

/// 2 t / (1 - t) with t = tanh(x / 2), where exp(x) is near 1. The sign is that
/// of x, which the polynomial loses of -0.
Value emitExpm1(Floats &f, Value x) {
  Value t = emitSmallTanh(f, f.mul(x, 0.5f));
  Value near =
      f.mul(f.mul(t, 2.0f), f.reciprocal(f.add(f.mul(t, -1.0f), 1.0f)));
  return f.select(f.less(f.abs(x), 1.0f), f.withSign(near, x),
                  f.add(emitExp(f, x), -1.0f));
}

/// x P(x^2) up to 1; from there on 1 - exp(Q(|x|)), which is 1 from 4 on.
Value emitErf(Floats &f, Value x) {
  constexpr float kErf[] = {0.128379166f,   -0.37612626f,   0.112835854f,
                            -0.026853813f,  0.00518832775f, -0.000801019312f,
                            7.85385782e-05f};
  constexpr float kErfc[] = {0.000339375896f, 1.12709761f,    0.63813132f,
                             0.103118099f,    -0.0218433030f, 0.00294892117f,
                             -0.000186503239f};
  Value size = f.abs(x), square = f.mul(x, x);
  Value small = f.fma(x, f.polynomial(square, kErf), x);
  // minimum, not minnum: NaN stays.
  Value clamped = f.op<LLVM::MinimumOp>(size, f.constant(4.0f));
  Value rest = f.ex2(f.mul(f.polynomial(clamped, kErfc), -kLog2E));
  Value large = f.add(f.mul(rest, -1.0f), 1.0f);
  return f.select(f.less(size, 1.0f), small, f.withSign(large, x));
}

//===----------------------------------------------------------------------===//
// Patterns
//===----------------------------------------------------------------------===//

/// Ahead of the upstream patterns, which call a library.
constexpr int kMathBenefit = 10;

using EmitFunction = Value (*)(Floats &, Value);

template <typename Op> struct LowerFunction : ConvertOpToLLVMPattern<Op> {
  LowerFunction(const LLVMTypeConverter &converter, EmitFunction emit)
      : ConvertOpToLLVMPattern<Op>(converter, kMathBenefit), emit(emit) {}

  LogicalResult
  matchAndRewrite(Op op, typename Op::Adaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    Floats f(b);
    rewriter.replaceOp(op, emit(f, adaptor.getOperand()));
    return success();
  }

  EmitFunction emit;
};

/// An operation that LLVM has, too.
template <typename Op, typename To>
struct LowerToLLVM : ConvertOpToLLVMPattern<Op> {
  LowerToLLVM(const LLVMTypeConverter &converter)
      : ConvertOpToLLVMPattern<Op>(converter, kMathBenefit) {}

  LogicalResult
  matchAndRewrite(Op op, typename Op::Adaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    rewriter.replaceOpWithNewOp<To>(op, adaptor.getOperands());
    return success();
  }
};

bool allowsReciprocal(arith::DivFOp op) {
  return arith::bitEnumContainsAll(op.getFastmath(),
                                   arith::FastMathFlags::arcp);
}

struct LowerClamp : ConvertOpToLLVMPattern<math::ClampFOp> {
  LowerClamp(const LLVMTypeConverter &converter)
      : ConvertOpToLLVMPattern(converter, kMathBenefit) {}

  LogicalResult
  matchAndRewrite(math::ClampFOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Value least = LLVM::MinimumOp::create(rewriter, op.getLoc(),
                                          adaptor.getValue(), adaptor.getMax());
    rewriter.replaceOpWithNewOp<LLVM::MaximumOp>(op, least, adaptor.getMin());
    return success();
  }
};

/// The IEEE division is a function of dozens of instructions, and the chip's
/// for divisors of all sizes one of eight.
struct LowerDivide : ConvertOpToLLVMPattern<arith::DivFOp> {
  LowerDivide(const LLVMTypeConverter &converter)
      : ConvertOpToLLVMPattern(converter, kMathBenefit) {}

  LogicalResult
  matchAndRewrite(arith::DivFOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    if (!op.getType().isF32())
      return rewriter.notifyMatchFailure(op, "not of f32");
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    Floats f(b);
    Value x = adaptor.getLhs(), y = adaptor.getRhs();
    rewriter.replaceOp(op, allowsReciprocal(op) ? f.mul(x, f.reciprocal(y))
                                                : f.divide(x, y));
    return success();
  }
};

/// Number to i1 by way of i32: LLVM's instruction for i1 compares the bits of
/// the number with 0, and so makes 1 of 0.
template <typename Op> struct LowerToBit : OpConversionPattern<Op> {
  LowerToBit(const LLVMTypeConverter &converter)
      : OpConversionPattern<Op>(converter, &converter.getContext(),
                                kMathBenefit) {}

  LogicalResult
  matchAndRewrite(Op op, typename Op::Adaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    if (!op.getType().isInteger(1))
      return rewriter.notifyMatchFailure(op, "not to i1");
    Value wide = Op::create(rewriter, op.getLoc(), rewriter.getI32Type(),
                            adaptor.getIn());
    rewriter.replaceOpWithNewOp<arith::TruncIOp>(op, op.getType(), wide);
    return success();
  }
};

} // namespace

bool mxfp4::hasInstructions(Operation *op) {
  return isa<math::AbsFOp, math::CeilOp, math::ClampFOp, math::CopySignOp,
             math::ErfOp, math::ExpOp, math::Exp2Op, math::ExpM1Op,
             math::FloorOp, math::FmaOp, math::LogOp, math::Log10Op,
             math::Log1pOp, math::Log2Op, math::RoundEvenOp, math::RsqrtOp,
             math::SqrtOp, math::TanhOp, math::TruncOp>(op);
}

LogicalResult mxfp4::checkMath(Operation *kernels) {
  const WalkResult result = kernels->walk([](Operation *op) {
    if (isa<arith::RemFOp>(op)) {
      // Upstream's pattern calls a function of libdevice.
      op->emitOpError("has no instructions in a kernel");
      return WalkResult::interrupt();
    }
    if (!isa_and_nonnull<math::MathDialect>(op->getDialect()))
      return WalkResult::advance();
    if (!hasInstructions(op)) {
      op->emitOpError("has no instructions in a kernel; use ")
          << kMathInKernels;
      return WalkResult::interrupt();
    }
    if (const Type type = op->getResult(0).getType(); !type.isF32()) {
      op->emitOpError("requires a scalar of type f32 in a kernel, but got ")
          << type;
      return WalkResult::interrupt();
    }
    return WalkResult::advance();
  });
  return failure(result.wasInterrupted());
}

void mxfp4::populateMathLowering(const LLVMTypeConverter &converter,
                                 RewritePatternSet &patterns) {
  patterns.add<LowerFunction<math::ErfOp>>(converter, emitErf);
  patterns.add<LowerFunction<math::ExpOp>>(converter, emitExp);
  patterns.add<LowerFunction<math::Exp2Op>>(converter, emitExp2);
  patterns.add<LowerFunction<math::ExpM1Op>>(converter, emitExpm1);
  patterns.add<LowerFunction<math::LogOp>>(converter, emitLn);
  patterns.add<LowerFunction<math::Log10Op>>(converter, emitLog10);
  patterns.add<LowerFunction<math::Log1pOp>>(converter, emitLog1p);
  patterns.add<LowerFunction<math::Log2Op>>(converter, emitLog2);
  patterns.add<LowerFunction<math::RsqrtOp>>(converter, emitRsqrt);
  patterns.add<LowerFunction<math::SqrtOp>>(converter, emitSqrt);
  patterns.add<LowerFunction<math::TanhOp>>(converter, emitTanh);
  patterns
      .add<LowerToLLVM<math::AbsFOp, LLVM::FAbsOp>,
           LowerToLLVM<math::CeilOp, LLVM::FCeilOp>,
           LowerToLLVM<math::CopySignOp, LLVM::CopySignOp>,
           LowerToLLVM<math::FloorOp, LLVM::FFloorOp>,
           LowerToLLVM<math::FmaOp, LLVM::FMAOp>,
           LowerToLLVM<math::RoundEvenOp, LLVM::RoundEvenOp>,
           LowerToLLVM<math::TruncOp, LLVM::FTruncOp>, LowerClamp, LowerDivide,
           LowerToBit<arith::FPToSIOp>, LowerToBit<arith::FPToUIOp>>(converter);
}
