//===- ScalarTest.cpp - Arithmetic, logic and conversions -----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Harness.h"

#include <cmath>

using namespace mxfp4::sim;

/// %p1 behind a comparison.
static uint32_t predicate(const std::string &text, uint32_t a, uint32_t b) {
  return eval(text + "selp.b32 %r20, 1, 0, %p1;", a, b);
}

/// %p1, and twice %p2, behind a comparison of two results.
static uint32_t predicates(const std::string &text, uint32_t a, uint32_t b,
                           uint32_t c = 0) {
  return eval(text + "selp.b32 %r13, 1, 0, %p1; selp.b32 %r14, 2, 0, %p2;"
                     "add.u32 %r20, %r13, %r14;",
              a, b, c);
}

TEST(Integer, Arithmetic) {
  EXPECT_EQ(eval("add.u32 %r20, %r10, %r11;", 0xffffffff, 2), 1u);
  EXPECT_EQ(eval("sub.s32 %r20, %r10, %r11;", 1, 2), 0xffffffffu);
  EXPECT_EQ(eval("mul.lo.u32 %r20, %r10, %r11;", 0x10001, 0x10001), 0x20001u);
  EXPECT_EQ(eval("mul.hi.s32 %r20, %r10, %r11;", 0xffffffff, 3), 0xffffffffu);
  EXPECT_EQ(eval("mad.lo.s32 %r20, %r10, %r11, %r12;", 7, 6, 5), 47u);
  EXPECT_EQ(eval("div.s32 %r20, %r10, %r11;", uint32_t(-7), 2), uint32_t(-3));
  EXPECT_EQ(eval("rem.s32 %r20, %r10, %r11;", uint32_t(-7), 2), uint32_t(-1));
  EXPECT_EQ(eval("max.s32 %r20, %r10, %r11;", uint32_t(-7), 2), 2u);
  EXPECT_EQ(eval("min.u32 %r20, %r10, %r11;", uint32_t(-7), 2), 2u);
  EXPECT_EQ(eval("abs.s32 %r20, %r10;", uint32_t(-7)), 7u);
  EXPECT_EQ(eval("add.sat.s32 %r20, %r10, %r11;", 0x7fffffff, 1), 0x7fffffffu);
  EXPECT_EQ(
      eval("dp4a.u32.s32 %r20, %r10, %r11, %r12;", 0x01020304, 0xff01ff01, 10),
      12u);
  EXPECT_EQ(eval("add.cc.u32 %r13, %r10, %r11; addc.u32 %r20, %r12, 0;",
                 0xffffffff, 1, 5),
            6u);
  // The second addition gives a carry, and takes none.
  EXPECT_EQ(eval("add.cc.u32 %r13, %r10, %r10; add.cc.u32 %r20, %r11, %r11;",
                 0x80000000, 3),
            6u);
  EXPECT_EQ(eval64("add.cc.u64 %d13, %d10, %d11; addc.u64 %d20, %d12, 0;",
                   ~0ull, 1, 5),
            6u);
  EXPECT_EQ(eval64("mul.hi.u64 %d20, %d10, %d11;", 1ull << 63, 4), 2u);
  EXPECT_EQ(eval64("mad.lo.s64 %d20, %d10, %d11, %d12;", 1ull << 33, 4, 1),
            (1ull << 35) + 1);
}

// A carry, and the sign of a half, stay in their half.
TEST(Integer, Halves) {
  EXPECT_EQ(eval("add.u16x2 %r20, %r10, %r11;", 0x1234ffff, 0x00010001),
            0x12350000u);
  EXPECT_EQ(eval("min.s16x2 %r20, %r10, %r11;", 0x8000fffe, 0x00017fff),
            0x8000fffeu);
  EXPECT_EQ(eval("max.u16x2 %r20, %r10, %r11;", 0x8000fffe, 0x00017fff),
            0x8000fffeu);
  EXPECT_EQ(eval("min.u16x2 %r20, %r10, %r11;", 0x8000fffe, 0x00017fff),
            0x00017fffu);
}

// PTX has words of their own for comparisons of unsigned numbers.
TEST(Integer, ComparisonsOfUnsignedNumbers) {
  const auto holds = [](const std::string &word, uint32_t a, uint32_t b) {
    return predicate("setp." + word + ".u32 %p1, %r10, %r11;", a, b) != 0;
  };
  const uint32_t values[] = {0, 1, 0x7fffffff, 0x80000000, 0xffffffff};
  for (uint32_t a : values)
    for (uint32_t b : values) {
      EXPECT_EQ(holds("lo", a, b), a < b);
      EXPECT_EQ(holds("ls", a, b), a <= b);
      EXPECT_EQ(holds("hi", a, b), a > b);
      EXPECT_EQ(holds("hs", a, b), a >= b);
    }
}

// A comparison and its opposite, each combined with a third predicate.
TEST(Integer, ComparisonsOfThreePredicates) {
  const auto both = [](const std::string &op, bool less, bool c) {
    return predicates("setp.ne.u32 %p3, %r12, 0; setp.lt." + op +
                          ".s32 %p1|%p2, %r10, %r11, %p3;",
                      less ? 1 : 2, less ? 2 : 1, c);
  };
  for (bool less : {false, true})
    for (bool c : {false, true}) {
      EXPECT_EQ(both("and", less, c), c ? (less ? 1u : 2u) : 0u);
      EXPECT_EQ(both("or", less, c), c ? 3u : (less ? 1u : 2u));
      EXPECT_EQ(both("xor", less, c), less != c ? 1u : 2u);
    }
}

TEST(Integer, Wide) {
  std::vector<uint64_t> out(2);
  runInOut(
      "ld.global.u32 %r2, [%d1]; mul.wide.s32 %d3, %r2, -2;\n"
      "mad.wide.u32 %d4, %r2, 2, %d3; st.global.v2.u64 [%d2], {%d3, %d4}; ret;",
      std::vector<uint32_t>{0x80000000}, out, {1});
  EXPECT_EQ(out[0], 1ull << 32);
  EXPECT_EQ(out[1], 2ull << 32);
}

TEST(Bits, Fields) {
  EXPECT_EQ(eval("bfe.u32 %r20, %r10, 8, 12;", 0xabcdef12), 0xdefu);
  EXPECT_EQ(eval("bfe.s32 %r20, %r10, 8, 12;", 0xabcdef12), 0xfffffdefu);
  EXPECT_EQ(eval("bfi.b32 %r20, %r10, %r11, 4, 8;", 0xff, 0), 0xff0u);
  EXPECT_EQ(eval("prmt.b32 %r20, %r10, %r11, 0x7531;", 0x33221100, 0x77665544),
            0x77553311u);
  EXPECT_EQ(eval("prmt.b32 %r20, %r10, %r11, 0xba98;", 0x80017f02, 0),
            0xff000000u);
  EXPECT_EQ(eval("lop3.b32 %r20, %r10, %r11, %r12, 0xea;", 0xf0, 0x3c, 1),
            0x31u);
  EXPECT_EQ(eval("shf.l.wrap.b32 %r20, %r10, %r11, 8;", 0x12345678, 0x9abcdef0),
            0xbcdef012u);
  EXPECT_EQ(
      eval("shf.r.clamp.b32 %r20, %r10, %r11, 40;", 0x12345678, 0x9abcdef0),
      0x9abcdef0u);
  EXPECT_EQ(eval("shl.b32 %r20, %r10, 32;", 1), 0u);
  EXPECT_EQ(eval("shr.s32 %r20, %r10, 99;", 0x80000000), 0xffffffffu);
  EXPECT_EQ(eval("popc.b32 %r20, %r10;", 0xff00ff), 16u);
  EXPECT_EQ(eval("clz.b32 %r20, %r10;", 0), 32u);
  EXPECT_EQ(eval("brev.b32 %r20, %r10;", 0x1), 0x80000000u);
  EXPECT_EQ(eval("brev.b32 %r20, %r10;", 0x12345678), 0x1e6a2c48u);
  EXPECT_EQ(eval("bfind.s32 %r20, %r10;", uint32_t(-9)), 3u);
  EXPECT_EQ(
      eval("mov.b32 {%h1, %h2}, %r10; mov.b32 %r20, {%h2, %h1};", 0x12345678),
      0x56781234u);
  EXPECT_EQ(eval64("mov.b64 {%h1, %h2, %h3, %h4}, %d10;"
                   "mov.b64 %d20, {%h4, %h1, %h3, %h2};",
                   0x1111222233334444),
            0x3333222244441111u);
}

TEST(Float, RoundingAndSubnormals) {
  auto f = [](const char *t, float a, float b = 0, float c = 0) {
    return eval(t, bitsOf(a), bitsOf(b), bitsOf(c));
  };
  EXPECT_EQ(f("add.f32 %r20, %r10, %r11;", 1.0f, 0x1p-24f), bitsOf(1.0f));
  EXPECT_EQ(f("add.rp.f32 %r20, %r10, %r11;", 1.0f, 0x1p-30f),
            bitsOf(1.0f) + 1);
  EXPECT_EQ(f("add.rz.f32 %r20, %r10, %r11;", -1.0f, 0x1p-30f),
            bitsOf(-1.0f) - 1);
  EXPECT_EQ(
      f("fma.rn.f32 %r20, %r10, %r11, %r12;", 1 + 0x1p-23f, 1 - 0x1p-23f, -1),
      bitsOf(-0x1p-46f));
  EXPECT_EQ(f("mul.f32 %r20, %r10, %r11;", 0x1p-100f, 0x1p-40f),
            bitsOf(0x1p-140f));
  EXPECT_EQ(f("mul.ftz.f32 %r20, %r10, %r11;", 0x1p-100f, 0x1p-40f), 0u);
  EXPECT_EQ(f("mul.f32 %r20, %r10, %r11;", INFINITY, 0.0f), 0x7fffffffu);
  EXPECT_EQ(f("min.f32 %r20, %r10, %r11;", NAN, 2.0f), bitsOf(2.0f));
  EXPECT_EQ(f("min.NaN.f32 %r20, %r10, %r11;", NAN, 2.0f), 0x7fffffffu);
  EXPECT_EQ(f("max.f32 %r20, %r10, %r11;", -0.0f, 0.0f), 0u);
  EXPECT_EQ(f("div.rn.f32 %r20, %r10, %r11;", 1, 3), bitsOf(1.0f / 3));
  EXPECT_EQ(f("ex2.approx.ftz.f32 %r20, %r10;", 3), bitsOf(8.0f));
  EXPECT_EQ(predicate("setp.leu.f32 %p1, %r10, %r11;", bitsOf(NAN), bitsOf(1)),
            1u);
  EXPECT_EQ(predicate("setp.le.f32 %p1, %r10, %r11;", bitsOf(NAN), bitsOf(1)),
            0u);
}

// The lowest of 52 digits decides which way a number goes that is else in the
// middle between two.
TEST(Float, RoundsByTheLastDigit) {
  const auto narrow = [](const std::string &text, double v) {
    uint64_t bits;
    std::memcpy(&bits, &v, 8);
    return eval64(text + " mov.b64 %d20, {%h1, 0, 0, 0};", bits);
  };
  const double above = 1 + 0x1p-11 + 0x1p-52;
  EXPECT_EQ(narrow("cvt.rn.f16.f64 %h1, %d10;", 1 + 0x1p-11), 0x3c00u);
  EXPECT_EQ(narrow("cvt.rn.f16.f64 %h1, %d10;", above), 0x3c01u);
  EXPECT_EQ(narrow("cvt.rp.f16.f64 %h1, %d10;", 1 + 0x1p-52), 0x3c01u);
  EXPECT_EQ(narrow("cvt.rm.f16.f64 %h1, %d10;", -1 - 0x1p-52), 0xbc01u);
}

// What is too large becomes the largest number where it is rounded towards it.
TEST(Float, RoundsWhatIsTooLarge) {
  const auto half = [](const std::string &rounding, double v) {
    uint64_t bits;
    std::memcpy(&bits, &v, 8);
    return eval64("cvt." + rounding +
                      ".f16.f64 %h1, %d10; mov.b64 %d20, {%h1, 0, 0, 0};",
                  bits);
  };
  EXPECT_EQ(half("rn", 1e6), 0x7c00u);
  EXPECT_EQ(half("rz", 1e6), 0x7bffu);
  EXPECT_EQ(half("rm", 1e6), 0x7bffu);
  EXPECT_EQ(half("rp", 1e6), 0x7c00u);
  EXPECT_EQ(half("rm", -1e6), 0xfc00u);
  EXPECT_EQ(half("rp", -1e6), 0xfbffu);
}

TEST(Float, ComparesSubnormalsAsZeroIfAsked) {
  const auto isGreater = [](const char *ftz, float a, float b) {
    return predicate(std::string("setp.gt") + ftz + ".f32 %p1, %r10, %r11;",
                     bitsOf(a), bitsOf(b));
  };
  EXPECT_EQ(isGreater("", 0x1p-140f, 0), 1u);
  EXPECT_EQ(isGreater(".ftz", 0x1p-140f, 0), 0u);
  EXPECT_EQ(isGreater("", 0, -0x1p-140f), 1u);
  EXPECT_EQ(isGreater(".ftz", 0, -0x1p-140f), 0u);
}

TEST(Float, SignsAndNaNOfMinima) {
  const auto f = [](const char *t, float a, float b) {
    return eval(t, bitsOf(a), bitsOf(b));
  };
  EXPECT_EQ(f("min.xorsign.abs.f32 %r20, %r10, %r11;", -3, 2), bitsOf(-2));
  EXPECT_EQ(f("max.xorsign.abs.f32 %r20, %r10, %r11;", -3, -2), bitsOf(3));
  EXPECT_EQ(f("min.xorsign.abs.f32 %r20, %r10, %r11;", NAN, 2), bitsOf(2));
  EXPECT_EQ(f("min.NaN.xorsign.abs.f32 %r20, %r10, %r11;", NAN, 2) & 0x7fffffff,
            0x7fffffffu);
}

TEST(Float, ComparesHalves) {
  const auto compare = [](const std::string &type, uint32_t a, uint32_t b) {
    return predicates("setp.lt." + type + "x2 %p1|%p2, %r10, %r11;", a, b);
  };
  // 1 and 2 as bf16; as f16, 0x3f80 is 1.875 and 0x4000 is 2.
  EXPECT_EQ(compare("bf16", 0x3f804000, 0x40003f80), 2u);
  EXPECT_EQ(compare("bf16", 0x40003f80, 0x3f804000), 1u);
  // A NaN of f16 is a number of bf16.
  EXPECT_EQ(compare("bf16", 0x3f807c01, 0x3f807c02), 1u);
  EXPECT_EQ(compare("f16", 0x3f807c01, 0x3f807c02), 0u);
}

/// The nearest bf16, ties to even, from the exact double.
static uint16_t nearestBF16(double v) {
  uint16_t best = 0;
  double distance = INFINITY;
  for (uint32_t b = 0; b < 0x7f80; ++b)
    if (double d = std::fabs(std::fabs(v) - double(floatOf(b << 16)));
        d < distance || (d == distance && !(b & 1))) {
      distance = d;
      best = uint16_t(b);
    }
  return uint16_t(best | (std::signbit(v) ? 0x8000 : 0));
}

TEST(Float, BF16x2MultiplyAgainstExhaustiveSearch) {
  constexpr uint16_t values[] = {0x0001, 0x0040, 0x007f, 0x0080, 0x3f80,
                                 0x3f81, 0x4049, 0xc0ff, 0x2000, 0xa17f};
  for (uint16_t a : values)
    for (uint16_t b : values) {
      uint32_t r = eval("mul.rn.bf16x2 %r20, %r10, %r11;", a | 0x3f800000u,
                        b | 0x40000000u);
      double exact = double(floatOf(uint32_t(a) << 16)) *
                     double(floatOf(uint32_t(b) << 16));
      EXPECT_EQ(r, nearestBF16(exact) | 0x40000000u)
          << std::hex << a << " " << b;
    }
}

TEST(Float, HalfFusedMultiplyAddRoundsOnce) {
  // 1.0078125^2 = 1.01568603515625; plus 2^-30: rounding twice loses it.
  uint32_t r = eval("fma.rn.bf16x2 %r20, %r10, %r11, %r12;", 0x3f813f81,
                    0x3f813f81, 0x30803080);
  double exact = 1.0078125 * 1.0078125 + 0x1p-30;
  EXPECT_EQ(r & 0xffff, nearestBF16(exact));
  EXPECT_EQ(eval("fma.rn.f16x2 %r20, %r10, %r11, %r12;", 0x3c003c00, 0x3c003c00,
                 0x3c003c00),
            0x40004000u);
}

TEST(Convert, Forms) {
  EXPECT_EQ(
      eval("cvt.rn.bf16x2.f32 %r20, %r10, %r11;", bitsOf(1.0f), bitsOf(-2.0f)),
      0x3f80c000u);
  EXPECT_EQ(eval("cvt.rn.f32.s32 %r20, %r10;", uint32_t(-16777217)),
            bitsOf(-16777216.0f));
  EXPECT_EQ(eval("cvt.rzi.s32.f32 %r20, %r10;", bitsOf(-1.9f)), uint32_t(-1));
  EXPECT_EQ(eval("cvt.rni.s32.f32 %r20, %r10;", bitsOf(2.5f)), 2u);
  EXPECT_EQ(eval("cvt.rzi.u32.f32 %r20, %r10;", bitsOf(-5.0f)), 0u);
  EXPECT_EQ(eval("cvt.rzi.s32.f32 %r20, %r10;", bitsOf(1e20f)), 0x7fffffffu);
  EXPECT_EQ(eval("cvt.u16.u32 %h1, %r10; cvt.u32.u16 %r20, %h1;", 0x12345678),
            0x5678u);
  EXPECT_EQ(eval("cvt.s32.s8 %r20, %r10;", 0x80), 0xffffff80u);
  EXPECT_EQ(eval("cvt.sat.u8.s32 %r20, %r10;", 300), 255u);
  EXPECT_EQ(eval("cvt.sat.u8.s32 %r20, %r10;", 5), 5u);
  EXPECT_EQ(eval("cvt.sat.u8.s32 %r20, %r10;", uint32_t(-5)), 0u);
  EXPECT_EQ(eval("cvt.sat.s8.s32 %r20, %r10;", uint32_t(-200)), 0xffffff80u);
  EXPECT_EQ(eval("cvt.sat.s8.s32 %r20, %r10;", uint32_t(-128)), 0xffffff80u);
  EXPECT_EQ(eval("cvt.sat.s8.s32 %r20, %r10;", uint32_t(-5)), uint32_t(-5));
  EXPECT_EQ(eval("cvt.u16.u32 %h1, %r10; cvt.f32.bf16 %r20, %h1;", 0x3fc0),
            bitsOf(1.5f));
  EXPECT_EQ(eval("cvt.rn.f16.f32 %h1, %r10; cvt.f32.f16 %r20, %h1;",
                 bitsOf(0x1p-24f)),
            bitsOf(0x1p-24f));
  EXPECT_EQ(eval64("cvt.s64.s32 %d20, -5;", 0), uint64_t(-5));
}

TEST(Convert, ToE4M3) {
  const auto pair = [](float high, float low) {
    return eval("cvt.rn.satfinite.e4m3x2.f32 %h1, %r10, %r11;"
                "mov.b32 %r20, {%h1, 0};",
                bitsOf(high), bitsOf(low));
  };
  EXPECT_EQ(pair(1.0f, -0.0f), 0x3880u);
  EXPECT_EQ(pair(0.0f, 448.0f), 0x007eu);
  EXPECT_EQ(pair(-1000.0f, NAN), 0xfe7fu);
  // Half of the smallest number is even, three halves are not.
  EXPECT_EQ(pair(0x1p-10f, 0x1.8p-9f), 0x0002u);
  EXPECT_EQ(eval("cvt.rn.satfinite.e4m3x2.f16x2 %h1, %r10;"
                 "mov.b32 %r20, {%h1, 0};",
                 0x3c00c000),
            0x38c0u);
}
