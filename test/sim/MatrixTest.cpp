//===- MatrixTest.cpp - ldmatrix, mma and wgmma ---------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Harness.h"

#include <cmath>
#include <set>

#include <random>

using namespace mxfp4::sim;

static uint16_t toBF16(float f) { return uint16_t(bitsOf(f) >> 16); }
static float fromBF16(uint16_t h) { return floatOf(uint32_t(h) << 16); }

static std::vector<uint16_t> smallInts(size_t n, unsigned seed) {
  std::mt19937 g(seed);
  std::vector<uint16_t> v(n);
  for (uint16_t &h : v)
    h = toBF16(float(int(g() % 9) - 4));
  return v;
}

TEST(Mma, EqualsAMatrixProduct) {
  // A (16x16) and B (8x16, by columns) lie in memory as fragments would load
  // them: each lane gathers its own elements.
  std::vector<uint16_t> data = smallInts(16 * 16 + 8 * 16, 1);
  std::vector<float> out(128);
  Result r = runInOut(
      "shr.u32 %r2, %r1, 2; and.b32 %r3, %r1, 3; shl.b32 %r4, %r2, 5; shl.b32 "
      "%r5, %r3, 2;\n"
      "add.s32 %r4, %r4, %r5; cvt.u64.u32 %d3, %r4; add.s64 %d3, %d3, %d1;\n"
      "ld.global.b32 %r10, [%d3]; ld.global.b32 %r11, [%d3+256];\n"
      "ld.global.b32 %r12, [%d3+16]; ld.global.b32 %r13, [%d3+272];\n"
      "ld.global.b32 %r14, [%d3+512]; ld.global.b32 %r15, [%d3+528];\n"
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%r20, %r21, %r22, "
      "%r23}, "
      "{%r10, %r11, %r12, %r13}, {%r14, %r15}, {0f3F800000, 0f3F800000, "
      "0f3F800000, 0f3F800000};\n"
      "shl.b32 %r6, %r3, 3; mad.lo.s32 %r6, %r2, 32, %r6; cvt.u64.u32 %d4, "
      "%r6;\n"
      "add.s64 %d4, %d4, %d2; st.global.v2.b32 [%d4], {%r20, %r21};\n"
      "st.global.v2.b32 [%d4+256], {%r22, %r23}; ret;",
      data, out);
  EXPECT_EQ(r.text(), "");
  for (unsigned m = 0; m < 16; ++m)
    for (unsigned n = 0; n < 8; ++n) {
      float sum = 1;
      for (unsigned k = 0; k < 16; ++k)
        sum += fromBF16(data[m * 16 + k]) * fromBF16(data[256 + n * 16 + k]);
      EXPECT_EQ(out[m * 8 + n], sum) << m << " " << n;
    }
  EXPECT_EQ(r.statistics.mma, 1u);
  EXPECT_EQ(r.statistics.mmaMacs, 2048u);
}

TEST(Matrix, LoadAndStore) {
  for (bool trans : {false, true}) {
    std::vector<uint16_t> in(256), out(256);
    for (unsigned i = 0; i < 256; ++i)
      in[i] = uint16_t(i);
    std::string t = trans ? ".trans" : "";
    Result r = runInOut(
        "mov.b32 %r2, tile; shl.b32 %r3, %r1, 4; add.s32 %r4, %r2, %r3; "
        "cvt.u64.u32 %d3, %r3;\n"
        "add.s64 %d4, %d1, %d3; ld.global.v4.b32 {%r5, %r6, %r7, %r8}, [%d4];\n"
        "st.shared.v4.b32 [%r4], {%r5, %r6, %r7, %r8}; bar.warp.sync -1;\n"
        "ldmatrix.sync.aligned.m8n8.x4" +
            t +
            ".shared.b16 {%r10, %r11, %r12, %r13}, [%r4];\n"
            "bar.warp.sync -1;\n"
            "stmatrix.sync.aligned.m8n8.x4.shared.b16 [%r4], {%r10, %r11, "
            "%r12, %r13};\n"
            "bar.warp.sync -1; ld.shared.v4.b32 {%r5, %r6, %r7, %r8}, [%r4];\n"
            "add.s64 %d5, %d2, %d3; st.global.v4.b32 [%d5], {%r5, %r6, %r7, "
            "%r8}; ret;",
        in, out, {32}, ".shared .align 16 .b8 tile[512];\n");
    EXPECT_EQ(r.text(), "");
    for (unsigned m = 0; m < 4; ++m)
      for (unsigned i = 0; i < 8; ++i)
        for (unsigned j = 0; j < 8; ++j)
          EXPECT_EQ(out[m * 64 + i * 8 + j],
                    trans ? m * 64 + j * 8 + i : m * 64 + i * 8 + j);
  }
}

namespace {
struct WgmmaCase {
  unsigned n, swizzle; ///< Swizzle span in bytes, 16 for none.
  bool transB, registerA;
};
} // namespace

/// Bytes of element (n, k) of B, written from the PTX manual's canonical
/// layouts rather than from the interpreter's code.
static unsigned placeB(const WgmmaCase &c, unsigned n, unsigned k) {
  unsigned span = c.swizzle, byte;
  if (!c.transB) {
    if (span == 16) // Core matrices of 8 rows by 16 bytes; K first.
      byte = n / 8 * 256 + k / 8 * 128 + n % 8 * 16 + k % 8 * 2;
    else
      byte = n * span + k * 2;
  } else if (span == 16) {
    // Core matrices of 8 k by 8 n: SBO between groups of n, LBO between k's.
    byte = n / 8 * 256 + k / 8 * 128 + k % 8 * 16 + n % 8 * 2;
  } else {
    unsigned perSpan = span / 2;
    byte = n / perSpan * (16 * span) + k * span + n % perSpan * 2;
  }
  unsigned mask = span / 16 - 1;
  return byte ^ ((byte >> 7 & mask) << 4);
}

TEST(Wgmma, EqualsAMatrixProduct) {
  std::vector<WgmmaCase> cases;
  for (unsigned n = 8; n <= 256; n += 8)
    cases.push_back({n, 128, false, true});
  for (unsigned s : {16u, 32u, 64u, 128u})
    for (bool t : {false, true})
      for (bool a : {false, true})
        cases.push_back({64, s, t, a});
  for (const WgmmaCase &c : cases) {
    std::vector<uint16_t> a = smallInts(64 * 16, 2), b = smallInts(256 * 16, 3);
    // Memory: B as the descriptor wants it, then A in core matrices, then A by
    // rows for the fragments.
    std::vector<uint16_t> in(16384 + 1024 + 1024);
    for (unsigned n = 0; n < c.n; ++n)
      for (unsigned k = 0; k < 16; ++k)
        in[placeB(c, n, k) / 2] = b[n * 16 + k];
    for (unsigned m = 0; m < 64; ++m)
      for (unsigned k = 0; k < 16; ++k) {
        in[16384 + (m / 8 * 256 + k / 8 * 128 + m % 8 * 16 + k % 8 * 2) / 2] =
            a[m * 16 + k];
        in[17408 + m * 16 + k] = a[m * 16 + k];
      }
    unsigned span = c.swizzle;
    uint64_t code = span == 128 ? 1 : span == 64 ? 2 : span == 32 ? 3 : 0;
    uint64_t lead = !c.transB ? 128 : span == 16 ? 128 : 16 * span;
    uint64_t stride = span == 16 ? 256 : 8 * span;
    uint64_t desc = (lead >> 4) << 16 | (stride >> 4) << 32 | code << 62;
    std::string acc, clear, store;
    for (unsigned j = 0; j < c.n / 2; ++j) {
      std::string reg = "%r" + std::to_string(30 + j);
      acc += (j ? ", " : "") + reg;
      clear += "mov.b32 " + reg + ", 0f3F800000;\n";
      store +=
          "st.global.b32 [%d5+" + std::to_string(512 * j) + "], " + reg + ";\n";
    }
    std::string text =
        "mov.b32 %r2, tile; mov.b32 %r3, %r1;\n"
        "F: shl.b32 %r4, %r3, 2; cvt.u64.u32 %d3, %r4; add.s64 %d3, %d3, %d1;\n"
        "ld.global.b32 %r5, [%d3]; add.s32 %r6, %r2, %r4; st.shared.b32 [%r6], "
        "%r5;\n"
        "add.s32 %r3, %r3, 128; setp.lt.u32 %p1, %r3, 8704; @%p1 bra F;\n"
        "fence.proxy.async; bar.sync 0;\n"
        // Rows of a warp: 16 * warp + lane / 4; columns 2 * (lane % 4).
        "shr.u32 %r7, %r1, 5; and.b32 %r8, %r1, 31; shr.u32 %r9, %r8, 2; "
        "and.b32 %r10, %r8, 3;\n"
        "mad.lo.s32 %r11, %r7, 16, %r9; shl.b32 %r11, %r11, 5; mad.lo.s32 "
        "%r11, %r10, 4, %r11;\n"
        "cvt.u64.u32 %d4, %r11; add.s64 %d4, %d4, %d1;\n"
        "ld.global.b32 %r12, [%d4+34816]; ld.global.b32 %r13, [%d4+35072];\n"
        "ld.global.b32 %r14, [%d4+34832]; ld.global.b32 %r15, [%d4+35088];\n"
        "shr.u32 %r16, %r2, 4; cvt.u64.u32 %d6, %r16; or.b64 %d7, %d6, " +
        std::to_string(desc) + ";\nadd.s64 %d8, %d6, 2048; or.b64 %d8, %d8, " +
        std::to_string(uint64_t(128 >> 4) << 16 | uint64_t(256 >> 4) << 32) +
        ";\n" + clear +
        "wgmma.fence.sync.aligned;\nwgmma.mma_async.sync.aligned.m64n" +
        std::to_string(c.n) + "k16.f32.bf16.bf16 {" + acc + "}, " +
        (c.registerA ? "{%r12, %r13, %r14, %r15}" : "%d8") +
        ", %d7, 1, 1, 1, " + (c.registerA ? "" : "0, ") +
        (c.transB ? "1" : "0") +
        ";\nwgmma.commit_group.sync.aligned; wgmma.wait_group.sync.aligned 0;\n"
        "mul.wide.u32 %d5, %r1, 4; add.s64 %d5, %d5, %d2;\n" +
        store + "ret;";
    std::vector<float> out(c.n / 2 * 128);
    Result r = runInOut(text, in, out, {128},
                        ".shared .align 1024 .b8 tile[34816];\n");
    ASSERT_EQ(r.text(), "") << c.n << " " << c.swizzle << " " << c.transB;
    for (unsigned t = 0; t < 128; ++t)
      for (unsigned j = 0; j < c.n / 2; ++j) {
        unsigned m = t / 32 * 16 + t % 32 / 4 + (j & 2 ? 8 : 0);
        unsigned n = j / 4 * 8 + t % 4 * 2 + (j & 1);
        float sum = 1;
        for (unsigned k = 0; k < 16; ++k)
          sum += fromBF16(a[m * 16 + k]) * fromBF16(b[n * 16 + k]);
        ASSERT_EQ(out[j * 128 + t], sum) << c.n << " " << c.swizzle << " "
                                         << c.transB << " " << m << " " << n;
      }
  }
}

// A NaN of A or of B makes NaNs of the sums that it is part of.
TEST(Wgmma, NaNsOfFP8AreOfTheirRowOrColumn) {
  for (const bool isOfA : {true, false}) {
    // 64 rows of A and 8 columns of B, all ones: core matrices of 8 rows by
    // 16 bytes, K first.
    std::vector<uint8_t> in(2048 + 256, 0x38);
    (isOfA ? in[5 * 16] : in[2048 + 128 + 3 * 16 + 7]) = 0x7f;
    std::vector<float> out(4 * 128);
    const uint64_t layout = uint64_t(128 >> 4) << 16 | uint64_t(256 >> 4) << 32;
    const Result r = runInOut(
        "mov.b32 %r2, tile; mov.b32 %r3, %r1;\n"
        "F: shl.b32 %r4, %r3, 2; cvt.u64.u32 %d3, %r4; add.s64 %d3, %d3, %d1;\n"
        "ld.global.b32 %r5, [%d3]; add.s32 %r6, %r2, %r4;\n"
        "st.shared.b32 [%r6], %r5; add.s32 %r3, %r3, 128;\n"
        "setp.lt.u32 %p1, %r3, 576; @%p1 bra F;\n"
        "fence.proxy.async; bar.sync 0; shr.u32 %r16, %r2, 4;\n"
        "cvt.u64.u32 %d6, %r16; or.b64 %d6, %d6, " +
            std::to_string(layout) +
            "; add.s64 %d7, %d6, 128;\n"
            "mov.b32 %r30, 0; mov.b32 %r31, 0; mov.b32 %r32, 0;\n"
            "mov.b32 %r33, 0; wgmma.fence.sync.aligned;\n"
            "wgmma.mma_async.sync.aligned.m64n8k32.f32.e4m3.e4m3 "
            "{%r30, %r31, %r32, %r33}, %d6, %d7, 1, 1, 1;\n"
            "wgmma.commit_group.sync.aligned; wgmma.wait_group.sync.aligned "
            "0;\n"
            "mul.wide.u32 %d5, %r1, 16; add.s64 %d5, %d5, %d2;\n"
            "st.global.v4.b32 [%d5], {%r30, %r31, %r32, %r33}; ret;",
        in, out, {128}, ".shared .align 1024 .b8 tile[2304];\n");
    ASSERT_EQ(r.text(), "");
    for (unsigned t = 0; t < 128; ++t)
      for (unsigned j = 0; j < 4; ++j) {
        const unsigned m = t / 32 * 16 + t % 32 / 4 + (j & 2 ? 8 : 0),
                       n = t % 4 * 2 + (j & 1);
        if (isOfA ? m == 5 : n == 3)
          EXPECT_TRUE(std::isnan(out[t * 4 + j])) << isOfA << m << " " << n;
        else
          EXPECT_EQ(out[t * 4 + j], 32) << isOfA << m << " " << n;
      }
  }
}

// A part of B that nobody has stored is told, and what lies beside B is not
// read.
TEST(Wgmma, ReadsTheChunksOfItsOperand) {
  for (const unsigned span : {16U, 128U})
    for (const bool isTransposed : {false, true}) {
      const WgmmaCase c = {16, span, isTransposed, /*registerA=*/true};
      std::set<unsigned> read;
      for (unsigned n = 0; n < c.n; ++n)
        for (unsigned k = 0; k < 16; ++k)
          read.insert(placeB(c, n, k) / 16);
      const uint64_t lead = !isTransposed || span == 16 ? 128 : 16 * span;
      const uint64_t stride = span == 16 ? 256 : 8 * span;
      const uint64_t desc = lead >> 4 << 16 | stride >> 4 << 32 |
                            (span == 128 ? uint64_t(1) : 0) << 62;
      std::string acc, clear;
      for (unsigned j = 0; j < c.n / 2; ++j) {
        acc += (j ? ", %r" : "%r") + std::to_string(30 + j);
        clear += "mov.b32 %r" + std::to_string(30 + j) + ", 0;\n";
      }
      for (unsigned hole = 0; hole < 256; ++hole) {
        const std::string text =
            "mov.b32 %r2, tile; shl.b32 %r4, %r1, 4; add.s32 %r6, %r2, %r4;\n"
            "add.s32 %r5, %r1, 128; setp.ne.s32 %p1, %r1, " +
            std::to_string(hole) + "; setp.ne.s32 %p2, %r5, " +
            std::to_string(hole) +
            ";\n@%p1 st.shared.v4.b32 [%r6], {0, 0, 0, 0};\n"
            "@%p2 st.shared.v4.b32 [%r6+2048], {0, 0, 0, 0};\n"
            "fence.proxy.async; bar.sync 0; mov.b32 %r12, 0;\n" +
            clear +
            "shr.u32 %r16, %r2, 4; cvt.u64.u32 %d6, %r16; or.b64 %d7, %d6, " +
            std::to_string(desc) +
            ";\nwgmma.fence.sync.aligned;\n"
            "wgmma.mma_async.sync.aligned.m64n16k16.f32.bf16.bf16 {" +
            acc + "}, {%r12, %r12, %r12, %r12}, %d7, 1, 1, 1, " +
            (isTransposed ? "1" : "0") +
            ";\nwgmma.commit_group.sync.aligned;\n"
            "wgmma.wait_group.sync.aligned 0; ret;";
        std::vector<float> out(1);
        const std::string found =
            runInOut(text, std::vector<uint32_t>(1), out, {128},
                     ".shared .align 1024 .b8 tile[4096];\n")
                .text();
        ASSERT_EQ(found.find("that nothing has written") != found.npos,
                  read.count(hole) != 0)
            << hole << " " << span << " " << isTransposed << "\n"
            << found;
      }
    }
}
