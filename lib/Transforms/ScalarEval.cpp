//===- ScalarEval.cpp - Scalar operations on bits -------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ScalarEval.h"

#include "mxfp4/IR/EpilogueOperations.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/TypeUtilities.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mxfp4;

using Bits = std::optional<uint64_t>;
using Operands = ArrayRef<uint64_t>;

unsigned mxfp4::scalarWidth(Type type) {
  type = getElementTypeOrSelf(type);
  if (type.isIndex())
    return 64;
  if (!type.isIntOrFloat() || type.getIntOrFloatBitWidth() > 64)
    return 0;
  return type.getIntOrFloatBitWidth();
}

std::optional<uint64_t> mxfp4::scalarBits(Attribute value) {
  if (auto number = dyn_cast_or_null<FloatAttr>(value))
    return scalarWidth(number.getType())
               ? Bits(number.getValue().bitcastToAPInt().getZExtValue())
               : std::nullopt;
  if (auto number = dyn_cast_or_null<IntegerAttr>(value))
    return scalarWidth(number.getType())
               ? Bits(number.getValue().getZExtValue())
               : std::nullopt;
  return std::nullopt;
}

APFloat mxfp4::numberOf(Type type, uint64_t bits) {
  auto floatType = cast<FloatType>(type);
  return APFloat(floatType.getFloatSemantics(),
                 APInt(floatType.getWidth(), bits));
}

namespace {

/// How one operation reads its operands and writes its result.
struct Widths {
  Type from, to;
  unsigned width, toWidth;

  explicit Widths(Operation *op)
      : from(getElementTypeOrSelf(op->getOperand(0))),
        to(getElementTypeOrSelf(op->getResult(0))), width(scalarWidth(from)),
        toWidth(scalarWidth(to)) {}

  APInt integer(uint64_t bits) const { return APInt(width, bits); }
  APFloat number(uint64_t bits) const { return numberOf(from, bits); }
};

uint64_t bitsOf(const APFloat &value) {
  return value.bitcastToAPInt().getZExtValue();
}

APFloat rounded(APFloat value, Type to) {
  // LLVM converts the NaN of f8E8M0FNU, which has no significand, to one whose
  // bits are those of an infinity.
  if (value.isNaN())
    return APFloat::getQNaN(cast<FloatType>(to).getFloatSemantics(),
                            value.isNegative());
  bool inexact = false;
  value.convert(cast<FloatType>(to).getFloatSemantics(),
                APFloat::rmNearestTiesToEven, &inexact);
  return value;
}

using A = const APInt &;

/// Two integers to one, or nothing.
using IntegerFunction = std::function<std::optional<APInt>(A, A)>;
using Plain = APInt (*)(A, A);

/// A function without a result for divisors that give none.
IntegerFunction divides(Plain apply) {
  return [apply](A a, A b) -> std::optional<APInt> {
    if (b.isZero() || (b.isAllOnes() && a.isMinSignedValue()))
      return std::nullopt;
    return apply(a, b);
  };
}

/// A function without a result for shifts by the width or more.
IntegerFunction shifts(Plain apply) {
  return [apply](A a, A b) -> std::optional<APInt> {
    if (b.uge(a.getBitWidth()))
      return std::nullopt;
    return apply(a, b);
  };
}

IntegerFunction integerFunction(Operation *op) {
  namespace ops = llvm::APIntOps;
  return llvm::TypeSwitch<Operation *, IntegerFunction>(op)
      .Case([](arith::AddIOp) { return [](A a, A b) { return a + b; }; })
      .Case([](arith::SubIOp) { return [](A a, A b) { return a - b; }; })
      .Case([](arith::MulIOp) { return [](A a, A b) { return a * b; }; })
      .Case([](arith::AndIOp) { return [](A a, A b) { return a & b; }; })
      .Case([](arith::OrIOp) { return [](A a, A b) { return a | b; }; })
      .Case([](arith::XOrIOp) { return [](A a, A b) { return a ^ b; }; })
      .Case([](arith::MaxSIOp) { return ops::smax; })
      .Case([](arith::MinSIOp) { return ops::smin; })
      .Case([](arith::MaxUIOp) { return ops::umax; })
      .Case([](arith::MinUIOp) { return ops::umin; })
      .Case([](arith::DivUIOp) {
        return divides([](A a, A b) { return a.udiv(b); });
      })
      .Case([](arith::DivSIOp) {
        return divides([](A a, A b) { return a.sdiv(b); });
      })
      .Case([](arith::RemUIOp) {
        return divides([](A a, A b) { return a.urem(b); });
      })
      .Case([](arith::RemSIOp) {
        return divides([](A a, A b) { return a.srem(b); });
      })
      .Case([](arith::ShLIOp) {
        return shifts([](A a, A b) { return a.shl(b); });
      })
      .Case([](arith::ShRUIOp) {
        return shifts([](A a, A b) { return a.lshr(b); });
      })
      .Case([](arith::ShRSIOp) {
        return shifts([](A a, A b) { return a.ashr(b); });
      })
      .Default(IntegerFunction());
}

/// Two floating-point numbers to one.
using FloatFunction = std::function<APFloat(APFloat, APFloat)>;

FloatFunction nearest(APFloat::opStatus (APFloat::*apply)(const APFloat &,
                                                          llvm::RoundingMode)) {
  return [apply](APFloat a, const APFloat &b) {
    (a.*apply)(b, APFloat::rmNearestTiesToEven);
    return a;
  };
}

FloatFunction floatFunction(Operation *op) {
  return llvm::TypeSwitch<Operation *, FloatFunction>(op)
      .Case([](arith::AddFOp) { return nearest(&APFloat::add); })
      .Case([](arith::SubFOp) { return nearest(&APFloat::subtract); })
      .Case([](arith::MulFOp) { return nearest(&APFloat::multiply); })
      .Case([](arith::DivFOp) { return nearest(&APFloat::divide); })
      .Case([](arith::MaximumFOp) { return llvm::maximum; })
      .Case([](arith::MinimumFOp) { return llvm::minimum; })
      .Case([](arith::MaxNumFOp) { return llvm::maxnum; })
      .Case([](arith::MinNumFOp) { return llvm::minnum; })
      .Case([](math::CopySignOp) {
        return [](APFloat a, const APFloat &b) { return a.copySign(b), a; };
      })
      .Default(FloatFunction());
}

/// A power of two, which every library computes exactly; nothing else is.
std::optional<APFloat> exp2Exactly(const APFloat &exponent, Type to) {
  const llvm::fltSemantics &semantics = cast<FloatType>(to).getFloatSemantics();
  if (exponent.isNaN())
    return APFloat::getNaN(semantics);
  if (exponent.isInfinity())
    return exponent.isNegative() ? APFloat::getZero(semantics)
                                 : APFloat::getInf(semantics);
  if (!exponent.isInteger())
    return std::nullopt;
  llvm::APSInt integer(64, /*isUnsigned=*/false);
  bool exact = false;
  if (exponent.convertToInteger(integer, APFloat::rmTowardZero, &exact) !=
      APFloat::opOK)
    return std::nullopt;
  const int64_t clamped =
      std::clamp<int64_t>(integer.getExtValue(), -100000, 100000);
  return scalbn(APFloat::getOne(semantics), static_cast<int>(clamped),
                APFloat::rmNearestTiesToEven);
}

/// base^exponent where the base is a power of two.
std::optional<APFloat> powExactly(const APFloat &base, const APFloat &exponent,
                                  Type to) {
  const int log = base.getExactLog2();
  if (log == INT_MIN || base.isNegative())
    return std::nullopt;
  APFloat scaled = rounded(exponent, Float64Type::get(to.getContext()));
  scaled.multiply(APFloat(static_cast<double>(log)),
                  APFloat::rmNearestTiesToEven);
  return exp2Exactly(scaled, to);
}

std::optional<llvm::RoundingMode> roundingOf(Operation *op) {
  return llvm::TypeSwitch<Operation *, std::optional<llvm::RoundingMode>>(op)
      .Case([](math::FloorOp) { return APFloat::rmTowardNegative; })
      .Case([](math::CeilOp) { return APFloat::rmTowardPositive; })
      .Case([](math::TruncOp) { return APFloat::rmTowardZero; })
      .Case([](math::RoundOp) { return APFloat::rmNearestTiesToAway; })
      .Case([](math::RoundEvenOp) { return APFloat::rmNearestTiesToEven; })
      .Default(std::nullopt);
}

/// One floating-point number to one, as a function of bits.
ScalarFunction unaryFunction(Operation *op, Widths w) {
  if (std::optional<llvm::RoundingMode> mode = roundingOf(op))
    return [=](Operands in) -> Bits {
      APFloat value = w.number(in[0]);
      value.roundToIntegral(*mode);
      return bitsOf(value);
    };
  return llvm::TypeSwitch<Operation *, ScalarFunction>(op)
      .Case([=](arith::NegFOp) {
        return
            [=](Operands in) -> Bits { return bitsOf(neg(w.number(in[0]))); };
      })
      .Case([=](math::AbsFOp) {
        return
            [=](Operands in) -> Bits { return bitsOf(abs(w.number(in[0]))); };
      })
      .Case([=](math::Exp2Op) {
        return [=](Operands in) -> Bits {
          auto value = exp2Exactly(w.number(in[0]), w.to);
          return value ? Bits(bitsOf(*value)) : std::nullopt;
        };
      })
      .Case([=](math::AbsIOp) {
        return [=](Operands in) -> Bits {
          return w.integer(in[0]).abs().getZExtValue();
        };
      })
      .Case([=](math::IsNaNOp) {
        return [=](Operands in) -> Bits { return w.number(in[0]).isNaN(); };
      })
      .Default(ScalarFunction());
}

/// Conversions between types.
ScalarFunction castFunction(Operation *op, Widths w) {
  constexpr auto kNearest = APFloat::rmNearestTiesToEven;
  const auto toFloat = [=](bool isSigned) -> ScalarFunction {
    return [=](Operands in) -> Bits {
      APFloat value(cast<FloatType>(w.to).getFloatSemantics());
      value.convertFromAPInt(w.integer(in[0]), isSigned, kNearest);
      return bitsOf(value);
    };
  };
  const auto toInteger = [=](bool isSigned) -> ScalarFunction {
    return [=](Operands in) -> Bits {
      llvm::APSInt value(w.toWidth, !isSigned);
      bool exact = false;
      if (w.number(in[0]).convertToInteger(value, APFloat::rmTowardZero,
                                           &exact) == APFloat::opInvalidOp)
        return std::nullopt;
      return value.getZExtValue();
    };
  };
  const auto resize = [=](bool isSigned) -> ScalarFunction {
    return [=](Operands in) -> Bits {
      const APInt value = w.integer(in[0]);
      return (isSigned ? value.sextOrTrunc(w.toWidth)
                       : value.zextOrTrunc(w.toWidth))
          .getZExtValue();
    };
  };
  const auto convert = [=]() -> ScalarFunction {
    return [=](Operands in) -> Bits {
      return bitsOf(rounded(w.number(in[0]), w.to));
    };
  };
  return llvm::TypeSwitch<Operation *, ScalarFunction>(op)
      .Case([&](arith::ExtFOp) { return convert(); })
      .Case([&](arith::TruncFOp trunc) {
        return roundsToNearestEven(trunc) ? convert() : ScalarFunction();
      })
      .Case<arith::ExtUIOp, arith::IndexCastUIOp, arith::TruncIOp>(
          [&](auto) { return resize(false); })
      .Case<arith::ExtSIOp, arith::IndexCastOp>(
          [&](auto) { return resize(true); })
      .Case([&](arith::SIToFPOp) { return toFloat(true); })
      .Case([&](arith::UIToFPOp) { return toFloat(false); })
      .Case([&](arith::FPToSIOp) { return toInteger(true); })
      .Case([&](arith::FPToUIOp) { return toInteger(false); })
      .Case([&](arith::BitcastOp) {
        return [](Operands in) -> Bits { return in[0]; };
      })
      .Default(ScalarFunction());
}

/// Functions that are not from numbers of one type to a number of the same
/// type: comparisons, selections and others.
ScalarFunction otherFunction(Operation *op, Widths w) {
  return llvm::TypeSwitch<Operation *, ScalarFunction>(op)
      .Case([=](arith::CmpIOp cmp) {
        const arith::CmpIPredicate predicate = cmp.getPredicate();
        return [=](Operands in) -> Bits {
          return arith::applyCmpPredicate(predicate, w.integer(in[0]),
                                          w.integer(in[1]));
        };
      })
      .Case([=](arith::CmpFOp cmp) {
        const arith::CmpFPredicate predicate = cmp.getPredicate();
        return [=](Operands in) -> Bits {
          return arith::applyCmpPredicate(predicate, w.number(in[0]),
                                          w.number(in[1]));
        };
      })
      .Case([=](math::PowFOp) {
        return [=](Operands in) -> Bits {
          auto value = powExactly(w.number(in[0]), w.number(in[1]), w.to);
          return value ? Bits(bitsOf(*value)) : std::nullopt;
        };
      })
      .Case([=](math::FPowIOp power) {
        const unsigned width = scalarWidth(power.getRhs().getType());
        return [=](Operands in) -> Bits {
          APFloat exponent = APFloat::getZero(APFloat::IEEEdouble());
          exponent.convertFromAPInt(APInt(width, in[1]), /*IsSigned=*/true,
                                    APFloat::rmNearestTiesToEven);
          auto value = powExactly(w.number(in[0]), exponent, w.to);
          return value ? Bits(bitsOf(*value)) : std::nullopt;
        };
      })
      .Case([=](arith::ScalingExtFOp scaling) {
        const Type scale = getElementTypeOrSelf(scaling.getScale().getType());
        // Both are widened to the result's type and multiplied.
        return [=](Operands in) -> Bits {
          APFloat value = rounded(w.number(in[0]), w.to);
          value.multiply(rounded(numberOf(scale, in[1]), w.to),
                         APFloat::rmNearestTiesToEven);
          return bitsOf(value);
        };
      })
      .Default(ScalarFunction());
}

} // namespace

/// Whether arithmetic may be evaluated in a type. Narrow floats are excluded,
/// because they lack zeros, infinities or NaN.
static bool isArithmetic(Type type) {
  type = getElementTypeOrSelf(type);
  return !isa<FloatType>(type) || type.isBF16() || type.isF16() ||
         type.isF32() || type.isF64();
}

/// Whether the types of `op` are ones that its function is defined for.
static bool hasScalarTypes(Operation *op) {
  const auto isScalar = [](Type type) { return scalarWidth(type) != 0; };
  if (!llvm::all_of(op->getOperandTypes(), isScalar) ||
      !isScalar(op->getResult(0).getType()))
    return false;
  if (isa<arith::BitcastOp>(op))
    return true;
  if (auto scaling = dyn_cast<arith::ScalingExtFOp>(op))
    return isArithmetic(scaling.getType()) &&
           isa<Float8E8M0FNUType>(
               getElementTypeOrSelf(scaling.getScale().getType()));
  return isArithmetic(op->getResult(0).getType()) &&
         (isa<arith::ExtFOp, arith::TruncFOp>(op) ||
          llvm::all_of(op->getOperandTypes(), isArithmetic));
}

ScalarFunction mxfp4::scalarFunction(Operation *op) {
  if (op->getNumResults() != 1 || op->getNumOperands() == 0 ||
      op->getNumRegions() != 0 || !hasScalarTypes(op))
    return {};
  const Widths w(op);
  if (IntegerFunction function = integerFunction(op))
    return [=](Operands in) -> Bits {
      auto value = function(w.integer(in[0]), w.integer(in[1]));
      return value ? Bits(value->getZExtValue()) : std::nullopt;
    };
  if (FloatFunction function = floatFunction(op))
    return [=](Operands in) -> Bits {
      return bitsOf(function(w.number(in[0]), w.number(in[1])));
    };
  if (ScalarFunction function = unaryFunction(op, w))
    return function;
  if (ScalarFunction function = castFunction(op, w))
    return function;
  return otherFunction(op, w);
}
