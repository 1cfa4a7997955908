//===- Float.cpp - Formats and rounding -----------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Float.h"

#include <cfenv>

using namespace mxfp4::sim;

uint32_t mxfp4::sim::roundDouble(double V, unsigned Mantissa, unsigned ExpBits,
                                 Round R, bool Saturate) {
  uint64_t Bits = bitsTo<uint64_t>(V);
  uint32_t Sign = uint32_t(Bits >> 63) << (Mantissa + ExpBits);
  uint32_t Inf = ((1u << ExpBits) - 1) << Mantissa;
  if (V != V)
    return (1u << (Mantissa + ExpBits)) - 1;
  if (V == 0)
    return Sign;
  if (std::isinf(V))
    return Saturate ? Sign | (Inf - 1) : Sign | Inf;
  int Exp;
  double F = std::frexp(std::fabs(V), &Exp); // F in [0.5, 1)
  int Bias = (1 << (ExpBits - 1)) - 1;
  // Unit of the last place: of the value's own binade, or the subnormal one.
  int Lowest = 1 - Bias - int(Mantissa);
  int Ulp = Exp - 1 - int(Mantissa);
  if (Ulp < Lowest)
    Ulp = Lowest;
  double Scaled = std::ldexp(F, Exp - Ulp); // Exact: below 2^(Mantissa+1).
  double Whole = std::floor(Scaled), Rest = Scaled - Whole;
  uint64_t N = uint64_t(Whole);
  bool Up = false;
  switch (R) {
  case Round::NearestEven:
    Up = Rest > 0.5 || (Rest == 0.5 && (N & 1));
    break;
  case Round::Zero:
    break;
  case Round::Down:
    Up = Sign && Rest > 0;
    break;
  case Round::Up:
    Up = !Sign && Rest > 0;
    break;
  }
  N += Up;
  // N counts ulps: as an integer it carries into the exponent by itself.
  int64_t Code = int64_t(N) + (int64_t(Ulp - Lowest) << Mantissa);
  if (Code >= int64_t(Inf)) {
    bool ToMax = Saturate || R == Round::Zero || (R == Round::Down && !Sign) ||
                 (R == Round::Up && Sign);
    return Sign | (ToMax ? Inf - 1 : Inf);
  }
  return Sign | uint32_t(Code);
}

float mxfp4::sim::fromF16(uint16_t H) {
  uint32_t Sign = uint32_t(H & 0x8000) << 16, Exp = H >> 10 & 31, M = H & 1023;
  if (Exp == 31)
    return bitsTo<float>(M ? NaN32 : Sign | 0x7f800000);
  if (Exp == 0) {
    float V = std::ldexp(float(M), -24);
    return Sign ? -V : V;
  }
  return bitsTo<float>(Sign | (Exp + 112) << 23 | M << 13);
}

double mxfp4::sim::addToOdd(double A, double B) {
  double S = A + B;
  if (!std::isfinite(S))
    return S;
  // Knuth's exact error of the sum.
  double T = S - A;
  double Err = (A - (S - T)) + (B - T);
  uint64_t Bits = bitsTo<uint64_t>(S);
  if (Err == 0 || (Bits & 1))
    return S;
  // Even last bit and inexact: the odd neighbour on the side of the error.
  bool Away = (Err > 0) == (S > 0);
  return bitsTo<double>(Away ? Bits + 1 : Bits - 1);
}

namespace {

int hostMode(Round R) {
  return R == Round::Zero   ? FE_TOWARDZERO
         : R == Round::Down ? FE_DOWNWARD
         : R == Round::Up   ? FE_UPWARD
                            : FE_TONEAREST;
}

// Volatile operands keep the compiler from computing at compile time or from
// moving the operation across the change of mode.
template <typename T> T rounded(char Op, T A, T B, T C, Round R) {
  int Old = std::fegetround();
  std::fesetround(hostMode(R));
  volatile T X = A, Y = B, Z = C, V;
  switch (Op) {
  case '+':
    V = X + Y;
    break;
  case '-':
    V = X - Y;
    break;
  case '*':
    V = X * Y;
    break;
  case '/':
    V = X / Y;
    break;
  case 's':
    V = std::sqrt(X);
    break;
  default:
    V = std::fma(X, Y, Z);
    break;
  }
  T Result = V;
  std::fesetround(Old);
  return Result;
}

} // namespace

float mxfp4::sim::roundedOp(char Op, float A, float B, float C, Round R) {
  return rounded<float>(Op, A, B, C, R);
}
double mxfp4::sim::roundedOp(char Op, double A, double B, double C, Round R) {
  return rounded<double>(Op, A, B, C, R);
}

float mxfp4::sim::doubleToFloat(double V, Round R) {
  if (R == Round::NearestEven || V != V)
    return float(V);
  int Old = std::fegetround();
  std::fesetround(hostMode(R));
  volatile double X = V;
  volatile float F = float(X);
  float Result = F;
  std::fesetround(Old);
  return Result;
}
