//===- FloatOps.h - What floating-point arithmetic shares -------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_SIM_FLOATOPS_H
#define MXFP4_SIM_FLOATOPS_H

#include "Exec.h"

namespace mxfp4 {
namespace sim {

/// What an instruction computes, in `Inst::sub`.
enum class FloatOp : uint8_t {
  Add,
  Sub,
  Mul,
  Fma,
  Div,
  Min,
  Max,
  Neg,
  Abs,
  Sqrt,
  Rcp,
  Rsqrt,
  Ex2,
  Lg2,
  Sin,
  Cos,
  Tanh,
  Copysign
};

/// Its modifiers, in `Inst::mods`.
struct FloatModifier {
  enum : uint8_t {
    Ftz = 1,
    Sat = 2,
    PropagateNaN = 4,
    Relu = 16,
    AbsFlag = 32,
    Approx = 64
  };
};

/// -0 is below +0. Of a NaN and a number this gives the number, unless NaN is
/// to be propagated.
double minMax(bool max, double a, double b, bool propagate);

/// A function of one value, computed in double; the value itself for others.
double unaryFloat(FloatOp o, double a);

/// What executes an operation on f16, f16x2, bf16 or bf16x2; null for another
/// type.
/// \param plain without modifiers.
ExecFn pickHalf(FloatOp o, Ty type, bool plain);

} // namespace sim
} // namespace mxfp4

#endif // MXFP4_SIM_FLOATOPS_H
