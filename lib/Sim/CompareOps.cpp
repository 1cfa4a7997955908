//===- CompareOps.cpp - setp, set, selp, slct -----------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Decoder.h"
#include "Exec.h"
#include "Float.h"

using namespace mxfp4::sim;

namespace {

enum Cmp : uint8_t {
  EQ,
  NE,
  LT,
  LE,
  GT,
  GE,
  EQU,
  NEU,
  LTU,
  LEU,
  GTU,
  GEU,
  NUM,
  NANS
};
enum Combine : uint8_t { CAnd, COr, CXor, CNone };
enum : uint8_t { Ftz = 1, Two = 2 };

template <typename T> struct Bits {
  using Type = T;
};
/// Half floats compare as floats.
struct BrainHalf {};
struct Half {};

template <typename T> struct Reader {
  static T get(const uint8_t *p, unsigned l) { return Lanes<T>::get(p, l); }
};
template <> struct Reader<BrainHalf> {
  static float get(const uint8_t *p, unsigned l) {
    return fromBF16(Lanes<uint16_t>::get(p, l));
  }
};
template <> struct Reader<Half> {
  static float get(const uint8_t *p, unsigned l) {
    return fromF16(Lanes<uint16_t>::get(p, l));
  }
};

template <typename F> uint32_t gather(F fn) {
  uint32_t m = 0;
  for (unsigned l = 0; l < 32; ++l)
    m |= uint32_t(fn(l)) << l;
  return m;
}

template <typename T> uint32_t compare(ExecContext &x, const Inst &i) {
  const uint8_t *p = x.ptr(x.src(i, 0)), *q = x.ptr(x.src(i, 1));
  auto a = [p, flushes = bool(i.mods & Ftz)](unsigned l) {
    (void)flushes;
    auto v = Reader<T>::get(p, l);
    if constexpr (std::is_same_v<decltype(v), float>)
      if (flushes)
        return flush(v);
    return v;
  };
  auto b = [q, flushes = bool(i.mods & Ftz)](unsigned l) {
    (void)flushes;
    auto v = Reader<T>::get(q, l);
    if constexpr (std::is_same_v<decltype(v), float>)
      if (flushes)
        return flush(v);
    return v;
  };
  auto nan = [&](unsigned l) { return a(l) != a(l) || b(l) != b(l); };
  switch (i.sub) {
  case EQ:
    return gather([&](unsigned l) { return a(l) == b(l); });
  // Ordered: false on NaN. For integers this is plain inequality.
  case NE:
    return gather([&](unsigned l) { return a(l) < b(l) || a(l) > b(l); });
  case LT:
    return gather([&](unsigned l) { return a(l) < b(l); });
  case LE:
    return gather([&](unsigned l) { return a(l) <= b(l); });
  case GT:
    return gather([&](unsigned l) { return a(l) > b(l); });
  case GE:
    return gather([&](unsigned l) { return a(l) >= b(l); });
  case EQU:
    return gather([&](unsigned l) { return a(l) == b(l) || nan(l); });
  case NEU:
    return gather([&](unsigned l) { return a(l) != b(l); });
  case LTU:
    return gather([&](unsigned l) { return !(a(l) >= b(l)); });
  case LEU:
    return gather([&](unsigned l) { return !(a(l) > b(l)); });
  case GTU:
    return gather([&](unsigned l) { return !(a(l) <= b(l)); });
  case GEU:
    return gather([&](unsigned l) { return !(a(l) < b(l)); });
  case NUM:
    return gather([&](unsigned l) { return !nan(l); });
  default:
    return gather(nan);
  }
}

template <typename T> void execSetp(ExecContext &x, const Inst &i) {
  uint32_t v = compare<T>(x, i), w = ~v;
  if (i.a != CNone) {
    uint32_t c = x.pred(x.src(i, 2));
    v = i.a == CAnd ? v & c : i.a == COr ? v | c : v ^ c;
    w = i.a == CAnd ? w & c : i.a == COr ? w | c : w ^ c;
  }
  x.setPred(x.dst(i, 0), v);
  if (i.mods & Two)
    x.setPred(x.dst(i, 1), w);
}

template <typename T> void execSet(ExecContext &x, const Inst &i) {
  uint32_t v = compare<T>(x, i);
  if (i.a != CNone) {
    uint32_t c = x.pred(x.src(i, 2));
    v = i.a == CAnd ? v & c : i.a == COr ? v | c : v ^ c;
  }
  alignas(64) uint32_t temp[32];
  uint32_t whenTrue = i.t == Ty::F32 ? 0x3f800000u : ~0u;
  for (unsigned l = 0; l < 32; ++l)
    temp[l] = v >> l & 1 ? whenTrue : 0;
  commit(x, x.dst(i), temp);
}

/// Packed comparison: one predicate a half.
template <bool Brain> void execSetpPacked(ExecContext &x, const Inst &i) {
  uint32_t r[2] = {0, 0};
  for (unsigned h = 0; h < 2; ++h)
    r[h] = gather([&](unsigned l) {
      uint16_t a = uint16_t(x.lane(x.src(i, 0), l) >> (16 * h));
      uint16_t b = uint16_t(x.lane(x.src(i, 1), l) >> (16 * h));
      float fa = Brain ? fromBF16(a) : fromF16(a);
      float fb = Brain ? fromBF16(b) : fromF16(b);
      bool nan = fa != fa || fb != fb;
      switch (i.sub) {
      case EQ:
        return fa == fb;
      case NE:
        return !nan && fa != fb;
      case LT:
        return fa < fb;
      case LE:
        return fa <= fb;
      case GT:
        return fa > fb;
      case GE:
        return fa >= fb;
      case EQU:
        return nan || fa == fb;
      case NEU:
        return fa != fb;
      case LTU:
        return !(fa >= fb);
      case LEU:
        return !(fa > fb);
      case GTU:
        return !(fa <= fb);
      case GEU:
        return !(fa < fb);
      case NUM:
        return !nan;
      default:
        return nan;
      }
    });
  x.setPred(x.dst(i, 0), r[0]);
  if (i.mods & Two)
    x.setPred(x.dst(i, 1), r[1]);
}

template <typename Box> void execSelp(ExecContext &x, const Inst &i) {
  alignas(64) Box temp[32];
  auto *p = reinterpret_cast<const Box *>(x.ptr(x.src(i, 0)));
  auto *q = reinterpret_cast<const Box *>(x.ptr(x.src(i, 1)));
  uint32_t c = x.pred(x.src(i, 2));
  for (unsigned l = 0; l < 32; ++l)
    temp[l] = c >> l & 1 ? p[l] : q[l];
  commit(x, x.dst(i), temp);
}

void execSlct(ExecContext &x, const Inst &i) {
  for (unsigned l = 0; l < 32; ++l) {
    if (!(x.mask >> l & 1))
      continue;
    uint32_t c = uint32_t(x.lane(x.src(i, 2), l));
    bool nonNegative = i.t == Ty::F32 ? bitsTo<float>(c) >= 0 : int32_t(c) >= 0;
    x.setLane(x.dst(i), l, x.lane(x.src(i, nonNegative ? 0 : 1), l));
  }
  x.defined(x.dst(i));
}

template <template <typename> class E> ExecFn pick(Ty t);
#define PICK(NAME)                                                             \
  ExecFn pick_##NAME(Ty T) {                                                   \
    switch (T) {                                                               \
    case Ty::B16:                                                              \
    case Ty::U16:                                                              \
      return NAME<uint16_t>;                                                   \
    case Ty::S16:                                                              \
      return NAME<int16_t>;                                                    \
    case Ty::B32:                                                              \
    case Ty::U32:                                                              \
      return NAME<uint32_t>;                                                   \
    case Ty::S32:                                                              \
      return NAME<int32_t>;                                                    \
    case Ty::B64:                                                              \
    case Ty::U64:                                                              \
      return NAME<uint64_t>;                                                   \
    case Ty::S64:                                                              \
      return NAME<int64_t>;                                                    \
    case Ty::F32:                                                              \
      return NAME<float>;                                                      \
    case Ty::F64:                                                              \
      return NAME<double>;                                                     \
    case Ty::BF16:                                                             \
      return NAME<BrainHalf>;                                                  \
    case Ty::F16:                                                              \
      return NAME<Half>;                                                       \
    default:                                                                   \
      return nullptr;                                                          \
    }                                                                          \
  }
PICK(execSetp)
PICK(execSet)

bool comparison(Decoder &d, bool set) {
  int c =
      d.takeOneOf({"eq", "ne", "lt", "le", "gt", "ge", "equ", "neu", "ltu",
                   "leu", "gtu", "geu", "num", "nan", "lo", "ls", "hi", "hs"},
                  -1);
  if (c < 0)
    return d.fail("expected a comparison such as .eq");
  constexpr uint8_t isUnsigned[] = {LT, LE, GT, GE};
  d.i.sub = c < 14 ? uint8_t(c) : isUnsigned[c - 14];
  d.i.a = uint32_t(d.takeOneOf({"and", "or", "xor"}, CNone));
  if (d.take("ftz"))
    d.i.mods |= Ftz;
  Ty r = set ? d.takeType() : Ty::Pred;
  Ty t = d.takeType();
  d.i.t = r;
  d.i.p = Pipe::Alu;
  size_t n = d.i.a == CNone ? 3 : 4;
  if (!d.expectOps(n, n))
    return false;
  if (set && r != Ty::U32 && r != Ty::S32 && r != Ty::F32)
    return d.fail("set gives .u32, .s32 or .f32");
  bool packedType = t == Ty::BF16x2 || t == Ty::F16x2;
  if (packedType && (set || d.i.a != CNone))
    return d.fail("this packed comparison is not supported");
  d.i.fn =
      packedType
          ? (t == Ty::BF16x2 ? execSetpPacked<true> : execSetpPacked<false>)
      : set ? pick_execSet(t)
            : pick_execSetp(t);
  const AstOperand &out = d.ops()[0];
  if (!set && out.k == AstOperand::Pair) {
    d.i.mods |= Two;
    if (!d.dstPred(out.elems[0]) || !d.dstPred(out.elems[1]))
      return false;
  } else if (!d.dst(out, r)) {
    return false;
  }
  return d.src(d.ops()[1], t) && d.src(d.ops()[2], t) &&
         (n == 3 || d.srcPred(d.ops()[3]));
}

} // namespace

bool mxfp4::sim::decodeCompare(Decoder &d) {
  std::string_view base = d.base();
  if (base == "setp" || base == "set")
    return comparison(d, base == "set");
  d.i.p = Pipe::Alu;
  Ty t = d.takeType();
  if (typeBits(t) < 16 || typeBits(t) > 64)
    return d.fail("expected a type of 16, 32 or 64 bits");
  if (!d.expectOps(4, 4) || !d.dst(d.ops()[0], t) || !d.src(d.ops()[1], t) ||
      !d.src(d.ops()[2], t))
    return false;
  if (base == "selp") {
    d.i.flags |= Inst::Select;
    d.i.fn = typeBits(t) == 64 ? execSelp<uint64_t> : execSelp<uint32_t>;
    return d.srcPred(d.ops()[3]);
  }
  d.i.t = d.takeType();
  d.i.fn = execSlct;
  if (d.i.t != Ty::S32 && d.i.t != Ty::F32)
    return d.fail("slct needs .s32 or .f32 as its last type");
  return d.src(d.ops()[3], d.i.t);
}
