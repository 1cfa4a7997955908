//===- FloatOps.cpp - Floating-point arithmetic ---------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// f32 and f64 run on the host's unit, which has the same IEEE operations, with
// the chip's NaN put in; bf16 and f16 are in HalfOps.cpp. The approximate
// functions (ex2.approx, rcp.approx, ...) are computed in double and rounded:
// the chip may differ in the last bit or two.
//
//===----------------------------------------------------------------------===//

#include "FloatOps.h"

#include "Decoder.h"
#include "Float.h"

using namespace mxfp4::sim;

namespace {

struct AddF {
  static float f(float a, float b) { return canonical(a + b); }
};
struct SubF {
  static float f(float a, float b) { return canonical(a - b); }
};
struct MulF {
  static float f(float a, float b) { return canonical(a * b); }
};

#if defined(__x86_64__)
__attribute__((target_clones("arch=haswell", "default")))
#endif
void fmaLanes(const float *a, const float *b, const float *c, float *d) {
  for (unsigned l = 0; l < 32; ++l)
    d[l] = __builtin_fmaf(a[l], b[l], c[l]);
}

void execFmaF(ExecContext &x, const Inst &i) {
  alignas(64) float temp[32];
  fmaLanes(reinterpret_cast<const float *>(x.ptr(x.src(i, 0))),
           reinterpret_cast<const float *>(x.ptr(x.src(i, 1))),
           reinterpret_cast<const float *>(x.ptr(x.src(i, 2))), temp);
  alignas(64) uint32_t bits[32];
  for (unsigned l = 0; l < 32; ++l)
    bits[l] = bitsTo<uint32_t>(canonical(temp[l]));
  commit(x, x.dst(i), bits);
}

/// The chip multiplies by 1/2pi in float and takes the fraction of the product,
/// which has no fraction left from about 2^26 on.
double turns(double a) {
  return std::fmod(float(a) * 0.15915494f, 1.0f) * 6.283185307179586;
}

} // namespace

double mxfp4::sim::minMax(bool max, double a, double b, bool propagate) {
  if (a != a || b != b) {
    if (propagate || (a != a && b != b))
      return NAN;
    return a != a ? b : a;
  }
  if (a == b) // -0 is below +0.
    return std::signbit(a) == !max ? a : b;
  return (a < b) == !max ? a : b;
}

double mxfp4::sim::unaryFloat(FloatOp o, double a) {
  switch (o) {
  case FloatOp::Sqrt:
    return std::sqrt(a);
  case FloatOp::Rcp:
    return 1 / a;
  case FloatOp::Rsqrt:
    return 1 / std::sqrt(a);
  case FloatOp::Ex2:
    return std::exp2(a);
  case FloatOp::Lg2:
    return std::log2(a);
  case FloatOp::Sin:
    return std::sin(turns(a));
  case FloatOp::Cos:
    return std::cos(turns(a));
  case FloatOp::Tanh:
    return std::tanh(a);
  default:
    return a;
  }
}

namespace {

float oneF32(const Inst &i, float a, float b, float c) {
  FloatOp o = FloatOp(i.sub);
  Round r = Round(i.mods2);
  if (i.mods & FloatModifier::Ftz) {
    a = flush(a);
    b = flush(b);
    c = flush(c);
  }
  float v;
  switch (o) {
  case FloatOp::Add:
    v = roundedOp('+', a, b, 0.0f, r);
    break;
  case FloatOp::Sub:
    v = roundedOp('-', a, b, 0.0f, r);
    break;
  case FloatOp::Mul:
    v = roundedOp('*', a, b, 0.0f, r);
    break;
  case FloatOp::Div:
    // a * (1/b), with a reciprocal that is flushed to zero.
    if ((i.mods & FloatModifier::Approx) && std::fabs(b) > 0x1p126f)
      v = a * std::copysign(0.0f, b);
    else
      v = roundedOp('/', a, b, 0.0f, r);
    break;
  case FloatOp::Fma:
    v = roundedOp('f', a, b, c, r);
    break;
  case FloatOp::Min:
  case FloatOp::Max:
    if (i.mods & FloatModifier::AbsFlag) {
      bool sign = std::signbit(a) != std::signbit(b);
      v = float(minMax(o == FloatOp::Max, std::fabs(a), std::fabs(b),
                       i.mods & FloatModifier::PropagateNaN));
      v = sign ? -v : v;
    } else {
      v = float(minMax(o == FloatOp::Max, a, b,
                       i.mods & FloatModifier::PropagateNaN));
    }
    break;
  case FloatOp::Neg:
    v = canonical(-a);
    return i.mods & FloatModifier::Ftz ? flush(v) : v;
  case FloatOp::Abs:
    v = canonical(std::fabs(a));
    return i.mods & FloatModifier::Ftz ? flush(v) : v;
  case FloatOp::Copysign:
    return std::copysign(b, a);
  // Correctly rounded (.rn and so on) forms are single operations.
  case FloatOp::Sqrt:
    v = roundedOp('s', a, 0.0f, 0.0f, r);
    break;
  case FloatOp::Rcp:
    v = roundedOp('/', 1.0f, a, 0.0f, r);
    break;
  default:
    v = float(unaryFloat(o, double(a)));
    break;
  }
  v = canonical(v);
  if (i.mods & FloatModifier::Ftz)
    v = flush(v);
  if (i.mods & FloatModifier::Sat)
    v = v != v ? 0.0f : v < 0 ? 0.0f : v > 1 ? 1.0f : v + 0.0f;
  return v;
}

double oneF64(const Inst &i, double a, double b, double c) {
  Round r = Round(i.mods2);
  switch (FloatOp(i.sub)) {
  case FloatOp::Add:
    return roundedOp('+', a, b, 0.0, r);
  case FloatOp::Sub:
    return roundedOp('-', a, b, 0.0, r);
  case FloatOp::Mul:
    return roundedOp('*', a, b, 0.0, r);
  case FloatOp::Div:
    return roundedOp('/', a, b, 0.0, r);
  case FloatOp::Fma:
    return roundedOp('f', a, b, c, r);
  case FloatOp::Min:
    return minMax(false, a, b, false);
  case FloatOp::Max:
    return minMax(true, a, b, false);
  case FloatOp::Neg:
    return -a;
  case FloatOp::Abs:
    return std::fabs(a);
  case FloatOp::Copysign:
    return std::copysign(b, a);
  default:
    return unaryFloat(FloatOp(i.sub), a);
  }
}

template <typename T, T (*Fn)(const Inst &, T, T, T)>
void execScalar(ExecContext &x, const Inst &i) {
  using Box = typename Lanes<T>::Box;
  alignas(64) Box temp[32];
  for (unsigned l = 0; l < 32; ++l) {
    T v[3] = {};
    for (unsigned j = 0; j < i.numSrc; ++j)
      v[j] = Lanes<T>::get(x.ptr(x.src(i, j)), l);
    temp[l] = Lanes<T>::box(Fn(i, v[0], v[1], v[2]));
  }
  commit(x, x.dst(i), temp);
}

ExecFn pick(Decoder &d, FloatOp o, Ty t) {
  bool plain = d.i.mods == 0 && d.i.mods2 == 0;
  switch (t) {
  case Ty::F32:
    if (plain && o == FloatOp::Add)
      return exec2<float, float, float, AddF>;
    if (plain && o == FloatOp::Sub)
      return exec2<float, float, float, SubF>;
    if (plain && o == FloatOp::Mul)
      return exec2<float, float, float, MulF>;
    if (plain && o == FloatOp::Fma)
      return execFmaF;
    return execScalar<float, oneF32>;
  case Ty::F64:
    return execScalar<double, oneF64>;
  default:
    return pickHalf(o, t, plain);
  }
}

struct Entry {
  const char *name;
  FloatOp o;
  uint8_t sources;
  Pipe p;
};
constexpr Entry kTable[] = {{"add", FloatOp::Add, 2, Pipe::Fma},
                            {"sub", FloatOp::Sub, 2, Pipe::Fma},
                            {"mul", FloatOp::Mul, 2, Pipe::Fma},
                            {"fma", FloatOp::Fma, 3, Pipe::Fma},
                            {"mad", FloatOp::Fma, 3, Pipe::Fma},
                            {"div", FloatOp::Div, 2, Pipe::Xu},
                            {"min", FloatOp::Min, 2, Pipe::Alu},
                            {"max", FloatOp::Max, 2, Pipe::Alu},
                            {"neg", FloatOp::Neg, 1, Pipe::Alu},
                            {"abs", FloatOp::Abs, 1, Pipe::Alu},
                            {"sqrt", FloatOp::Sqrt, 1, Pipe::Xu},
                            {"rcp", FloatOp::Rcp, 1, Pipe::Xu},
                            {"rsqrt", FloatOp::Rsqrt, 1, Pipe::Xu},
                            {"ex2", FloatOp::Ex2, 1, Pipe::Xu},
                            {"lg2", FloatOp::Lg2, 1, Pipe::Xu},
                            {"sin", FloatOp::Sin, 1, Pipe::Xu},
                            {"cos", FloatOp::Cos, 1, Pipe::Xu},
                            {"tanh", FloatOp::Tanh, 1, Pipe::Xu},
                            {"copysign", FloatOp::Copysign, 2, Pipe::Alu}};

} // namespace

bool mxfp4::sim::decodeFloat(Decoder &d) {
  const Entry *e = nullptr;
  for (const Entry &candidate : kTable)
    if (d.base() == candidate.name)
      e = &candidate;
  if (!e)
    return d.fail(std::string(d.base()) + " has no floating-point form");
  if (d.take("approx") && e->o == FloatOp::Div)
    d.i.mods |= FloatModifier::Approx;
  d.take("full");
  int r = d.takeOneOf({"rn", "rz", "rm", "rp"}, 0);
  d.i.mods2 = uint8_t(r);
  if (d.take("ftz"))
    d.i.mods |= FloatModifier::Ftz;
  if (d.take("sat"))
    d.i.mods |= FloatModifier::Sat;
  if (d.take("NaN"))
    d.i.mods |= FloatModifier::PropagateNaN;
  if (d.take("xorsign") && d.take("abs"))
    d.i.mods |= FloatModifier::AbsFlag;
  if (d.take("relu"))
    d.i.mods |= FloatModifier::Relu;
  Ty t = d.takeType();
  if (!isFloat(t) || t == Ty::TF32)
    return d.fail("expected a floating-point type");
  if (r && typeBits(t) < 32)
    return d.fail("half types round to nearest only");
  d.i.sub = uint8_t(e->o);
  d.i.p = t == Ty::F64 ? Pipe::Fp64 : e->p;
  d.i.t = t;
  d.i.fn = pick(d, e->o, t);
  if (!d.expectOps(e->sources + 1, e->sources + 1) || !d.dst(d.ops()[0], t))
    return false;
  for (unsigned j = 1; j <= e->sources; ++j)
    if (!d.src(d.ops()[j], t))
      return false;
  return true;
}
