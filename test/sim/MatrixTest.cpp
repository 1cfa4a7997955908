//===- MatrixTest.cpp - ldmatrix, mma and wgmma ---------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Harness.h"

#include <random>

using namespace mxfp4::sim;

static uint16_t toBF16(float F) { return uint16_t(bitsOf(F) >> 16); }
static float fromBF16(uint16_t H) { return floatOf(uint32_t(H) << 16); }

static std::vector<uint16_t> smallInts(size_t N, unsigned Seed) {
  std::mt19937 G(Seed);
  std::vector<uint16_t> V(N);
  for (uint16_t &H : V)
    H = toBF16(float(int(G() % 9) - 4));
  return V;
}

TEST(Mma, EqualsAMatrixProduct) {
  // A (16x16) and B (8x16, by columns) lie in memory as fragments would load
  // them: each lane gathers its own elements.
  std::vector<uint16_t> Data = smallInts(16 * 16 + 8 * 16, 1);
  std::vector<float> Out(128);
  Result R = runInOut(
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
      Data, Out);
  EXPECT_EQ(R.text(), "");
  for (unsigned M = 0; M < 16; ++M)
    for (unsigned N = 0; N < 8; ++N) {
      float Sum = 1;
      for (unsigned K = 0; K < 16; ++K)
        Sum += fromBF16(Data[M * 16 + K]) * fromBF16(Data[256 + N * 16 + K]);
      EXPECT_EQ(Out[M * 8 + N], Sum) << M << " " << N;
    }
  EXPECT_EQ(R.Statistics.Mma, 1u);
  EXPECT_EQ(R.Statistics.MmaMacs, 2048u);
}

TEST(Matrix, LoadAndStore) {
  for (bool Trans : {false, true}) {
    std::vector<uint16_t> In(256), Out(256);
    for (unsigned I = 0; I < 256; ++I)
      In[I] = uint16_t(I);
    std::string T = Trans ? ".trans" : "";
    Result R = runInOut(
        "mov.b32 %r2, tile; shl.b32 %r3, %r1, 4; add.s32 %r4, %r2, %r3; "
        "cvt.u64.u32 %d3, %r3;\n"
        "add.s64 %d4, %d1, %d3; ld.global.v4.b32 {%r5, %r6, %r7, %r8}, [%d4];\n"
        "st.shared.v4.b32 [%r4], {%r5, %r6, %r7, %r8}; bar.warp.sync -1;\n"
        "ldmatrix.sync.aligned.m8n8.x4" +
            T +
            ".shared.b16 {%r10, %r11, %r12, %r13}, [%r4];\n"
            "bar.warp.sync -1;\n"
            "stmatrix.sync.aligned.m8n8.x4.shared.b16 [%r4], {%r10, %r11, "
            "%r12, %r13};\n"
            "bar.warp.sync -1; ld.shared.v4.b32 {%r5, %r6, %r7, %r8}, [%r4];\n"
            "add.s64 %d5, %d2, %d3; st.global.v4.b32 [%d5], {%r5, %r6, %r7, "
            "%r8}; ret;",
        In, Out, {32}, ".shared .align 16 .b8 tile[512];\n");
    EXPECT_EQ(R.text(), "");
    for (unsigned M = 0; M < 4; ++M)
      for (unsigned I = 0; I < 8; ++I)
        for (unsigned J = 0; J < 8; ++J)
          EXPECT_EQ(Out[M * 64 + I * 8 + J],
                    Trans ? M * 64 + J * 8 + I : M * 64 + I * 8 + J);
  }
}

namespace {
struct WgmmaCase {
  unsigned N, Swizzle; ///< Swizzle span in bytes, 16 for none.
  bool TransB, RegisterA;
};
} // namespace

/// Bytes of element (n, k) of B, written from the PTX manual's canonical
/// layouts rather than from the interpreter's code.
static unsigned placeB(const WgmmaCase &C, unsigned N, unsigned K) {
  unsigned Span = C.Swizzle, Byte;
  if (!C.TransB) {
    if (Span == 16) // Core matrices of 8 rows by 16 bytes; K first.
      Byte = N / 8 * 256 + K / 8 * 128 + N % 8 * 16 + K % 8 * 2;
    else
      Byte = N * Span + K * 2;
  } else if (Span == 16) {
    // Core matrices of 8 k by 8 n: SBO between groups of n, LBO between k's.
    Byte = N / 8 * 256 + K / 8 * 128 + K % 8 * 16 + N % 8 * 2;
  } else {
    unsigned PerSpan = Span / 2;
    Byte = N / PerSpan * (16 * Span) + K * Span + N % PerSpan * 2;
  }
  unsigned Mask = Span / 16 - 1;
  return Byte ^ ((Byte >> 7 & Mask) << 4);
}

TEST(Wgmma, EqualsAMatrixProduct) {
  std::vector<WgmmaCase> Cases;
  for (unsigned N = 8; N <= 256; N += 8)
    Cases.push_back({N, 128, false, true});
  for (unsigned S : {16u, 32u, 64u, 128u})
    for (bool T : {false, true})
      for (bool A : {false, true})
        Cases.push_back({64, S, T, A});
  for (const WgmmaCase &C : Cases) {
    std::vector<uint16_t> A = smallInts(64 * 16, 2), B = smallInts(256 * 16, 3);
    // Memory: B as the descriptor wants it, then A in core matrices, then A by
    // rows for the fragments.
    std::vector<uint16_t> In(16384 + 1024 + 1024);
    for (unsigned N = 0; N < C.N; ++N)
      for (unsigned K = 0; K < 16; ++K)
        In[placeB(C, N, K) / 2] = B[N * 16 + K];
    for (unsigned M = 0; M < 64; ++M)
      for (unsigned K = 0; K < 16; ++K) {
        In[16384 + (M / 8 * 256 + K / 8 * 128 + M % 8 * 16 + K % 8 * 2) / 2] =
            A[M * 16 + K];
        In[17408 + M * 16 + K] = A[M * 16 + K];
      }
    unsigned Span = C.Swizzle;
    uint64_t Code = Span == 128 ? 1 : Span == 64 ? 2 : Span == 32 ? 3 : 0;
    uint64_t Lead = !C.TransB ? 128 : Span == 16 ? 128 : 16 * Span;
    uint64_t Stride = Span == 16 ? 256 : 8 * Span;
    uint64_t Desc = (Lead >> 4) << 16 | (Stride >> 4) << 32 | Code << 62;
    std::string Acc, Clear, Store;
    for (unsigned J = 0; J < C.N / 2; ++J) {
      std::string Reg = "%r" + std::to_string(30 + J);
      Acc += (J ? ", " : "") + Reg;
      Clear += "mov.b32 " + Reg + ", 0f3F800000;\n";
      Store +=
          "st.global.b32 [%d5+" + std::to_string(512 * J) + "], " + Reg + ";\n";
    }
    std::string Text =
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
        std::to_string(Desc) + ";\nadd.s64 %d8, %d6, 2048; or.b64 %d8, %d8, " +
        std::to_string(uint64_t(128 >> 4) << 16 | uint64_t(256 >> 4) << 32) +
        ";\n" + Clear +
        "wgmma.fence.sync.aligned;\nwgmma.mma_async.sync.aligned.m64n" +
        std::to_string(C.N) + "k16.f32.bf16.bf16 {" + Acc + "}, " +
        (C.RegisterA ? "{%r12, %r13, %r14, %r15}" : "%d8") +
        ", %d7, 1, 1, 1, " + (C.RegisterA ? "" : "0, ") +
        (C.TransB ? "1" : "0") +
        ";\nwgmma.commit_group.sync.aligned; wgmma.wait_group.sync.aligned 0;\n"
        "mul.wide.u32 %d5, %r1, 4; add.s64 %d5, %d5, %d2;\n" +
        Store + "ret;";
    std::vector<float> Out(C.N / 2 * 128);
    Result R = runInOut(Text, In, Out, {128},
                        ".shared .align 1024 .b8 tile[34816];\n");
    ASSERT_EQ(R.text(), "") << C.N << " " << C.Swizzle << " " << C.TransB;
    for (unsigned T = 0; T < 128; ++T)
      for (unsigned J = 0; J < C.N / 2; ++J) {
        unsigned M = T / 32 * 16 + T % 32 / 4 + (J & 2 ? 8 : 0);
        unsigned N = J / 4 * 8 + T % 4 * 2 + (J & 1);
        float Sum = 1;
        for (unsigned K = 0; K < 16; ++K)
          Sum += fromBF16(A[M * 16 + K]) * fromBF16(B[N * 16 + K]);
        ASSERT_EQ(Out[J * 128 + T], Sum) << C.N << " " << C.Swizzle << " "
                                         << C.TransB << " " << M << " " << N;
      }
  }
}
