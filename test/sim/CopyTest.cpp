//===- CopyTest.cpp - Asynchronous copies and tensor maps -----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Harness.h"

using namespace mxfp4::sim;

static std::vector<uint32_t> iota(size_t N) {
  std::vector<uint32_t> V(N);
  for (size_t I = 0; I < N; ++I)
    V[I] = uint32_t(I);
  return V;
}

TEST(CpAsync, SourceSizeFillsWithZeros) {
  std::vector<uint32_t> Out(4);
  Result R = runInOut(
      "mov.b32 %r2, tile; cp.async.cg.shared.global [%r2], [%d1+16], 16, 8;\n"
      "cp.async.commit_group; cp.async.wait_group 0;\n"
      "ld.shared.v4.b32 {%r3, %r4, %r5, %r6}, [%r2];\n"
      "st.global.v4.b32 [%d2], {%r3, %r4, %r5, %r6}; ret;",
      iota(8), Out, {1}, ".shared .align 16 .b8 tile[16];\n");
  EXPECT_EQ(R.text(), "");
  EXPECT_EQ(Out, (std::vector<uint32_t>{4, 5, 0, 0}));
}

TEST(CpAsync, ArrivesOnMbarrier) {
  std::vector<uint32_t> Out(32);
  Result R = runInOut(
      "mov.b32 %r2, tile; mov.b32 %r3, bar; setp.eq.u32 %p1, %r1, 0;\n"
      "@%p1 mbarrier.init.shared.b64 [%r3], 32; bar.sync 0;\n"
      "shl.b32 %r4, %r1, 2; add.s32 %r5, %r2, %r4; cvt.u64.u32 %d3, %r4;\n"
      "add.s64 %d4, %d1, %d3; cp.async.ca.shared.global [%r5], [%d4], 4;\n"
      "cp.async.mbarrier.arrive.noinc.shared.b64 [%r3];\n"
      "W: mbarrier.try_wait.parity.shared.b64 %p2, [%r3], 0; @!%p2 bra W;\n"
      "xor.b32 %r6, %r4, 124; add.s32 %r6, %r6, %r2; ld.shared.b32 %r7, "
      "[%r6];\n"
      "add.s64 %d5, %d2, %d3; st.global.b32 [%d5], %r7; ret;",
      iota(32), Out, {32},
      ".shared .align 16 .b8 tile[128];\n.shared .align 8 .b64 bar;\n");
  EXPECT_EQ(R.text(), "");
  for (uint32_t L = 0; L < 32; ++L)
    EXPECT_EQ(Out[L], 31 - L);
}

TEST(TensorMapTest, RoundTripAndVerify) {
  TensorMap M;
  M.Base = 0x7f0000000000;
  M.Rank = 2;
  M.Dims = {64, 32, 1, 1, 1};
  M.Strides = {128, 0, 0, 0};
  M.Box = {64, 8, 1, 1, 1};
  M.Swizzling = TensorMap::Swizzle::B128;
  EXPECT_EQ(M.verify(), "");
  TensorMap N;
  EXPECT_TRUE(TensorMap::decode(M.encode().data(), N));
  EXPECT_EQ(N.Dims, M.Dims);
  EXPECT_EQ(N.Swizzling, M.Swizzling);
  M.Box[0] = 128;
  EXPECT_EQ(M.verify(),
            "with this swizzle the box's innermost dimension has at "
            "most 128 bytes, found 256");
  uint8_t Zeros[128] = {};
  EXPECT_FALSE(TensorMap::decode(Zeros, N));
}

/// Loads a box of 16-bit elements at (X, Y) and returns shared memory.
static std::vector<uint16_t> loadBox(TensorMap::Swizzle S, int X, int Y,
                                     uint32_t W, uint32_t H,
                                     std::string &Text) {
  auto M = parse(kernel(
      ".param .align 64 .b8 map[128], .param .u64 out",
      "mov.u32 %r1, %tid.x; mov.b32 %r2, tile; mov.b32 %r3, bar;\n"
      "ld.param.u64 %d1, [out]; mov.b64 %d2, map; mov.b32 %r6, " +
          std::to_string(X) + "; mov.b32 %r7, " + std::to_string(Y) +
          ";\nsetp.ne.u32 %p1, %r1, 0; @%p1 bra S;\n"
          "mbarrier.init.shared.b64 [%r3], 1; fence.proxy.async;\n"
          "mbarrier.arrive.expect_tx.shared.b64 _, [%r3], " +
          std::to_string(W * H * 2) +
          ";\ncp.async.bulk.tensor.2d.shared::cluster.global.tile."
          "mbarrier::complete_tx::bytes [%r2], [%d2, {%r6, %r7}], [%r3];\n"
          "S: bar.sync 0;\n"
          "W: mbarrier.try_wait.parity.shared.b64 %p2, [%r3], 0; @!%p2 bra W;\n"
          "mov.b32 %r4, %r1;\nL: shl.b32 %r5, %r4, 1; add.s32 %r8, %r2, %r5;\n"
          "ld.shared.b16 %h1, [%r8]; cvt.u64.u32 %d3, %r5; add.s64 %d3, %d3, "
          "%d1;\n"
          "st.global.b16 [%d3], %h1; add.s32 %r4, %r4, 32;\n"
          "setp.lt.u32 %p3, %r4, " +
          std::to_string(W * H) + "; @%p3 bra L; ret;",
      ".shared .align 1024 .b8 tile[8192];\n.shared .align 8 .b64 bar;\n"));
  std::vector<uint16_t> Data(96 * 24), Out(W * H);
  for (size_t I = 0; I < Data.size(); ++I)
    Data[I] = uint16_t(I + 1);
  Launch L;
  L.Block = {32};
  unsigned B = L.addBuffer(Data.data(), Data.size() * 2, {true, false});
  unsigned O = L.addBuffer(Out.data(), Out.size() * 2, {false, true});
  TensorMap T;
  T.Base = L.address(B);
  T.Rank = 2;
  T.Dims = {96, 24, 1, 1, 1};
  T.Strides = {192, 0, 0, 0};
  T.Box = {W, H, 1, 1, 1};
  T.Swizzling = S;
  EXPECT_EQ(T.verify(), "");
  L.argTensorMap(T);
  L.argBuffer(O);
  Text = run(*M, "k", L, {}).text();
  return Out;
}

TEST(Tensor, SwizzlesAndOutOfBounds) {
  struct Case {
    TensorMap::Swizzle S;
    uint32_t Width, Bits; ///< Elements of a row; chunks that move.
  };
  for (Case C : {Case{TensorMap::Swizzle::None, 32, 0},
                 Case{TensorMap::Swizzle::B32, 16, 1},
                 Case{TensorMap::Swizzle::B64, 32, 3},
                 Case{TensorMap::Swizzle::B128, 64, 7}})
    for (auto [X, Y] : {std::pair{0, 0}, {64, 16}, {-8, -4}}) {
      std::string Text;
      auto Out = loadBox(C.S, X, Y, C.Width, 16, Text);
      EXPECT_EQ(Text, "");
      for (uint32_t R = 0; R < 16; ++R)
        for (uint32_t E = 0; E < C.Width; ++E) {
          // Chunks of eight elements: their number is XORed with the 128-byte
          // row's.
          uint32_t Byte = (R * C.Width + E) * 2;
          Byte ^= (Byte >> 7 & C.Bits) << 4;
          int Col = X + int(E), Row = Y + int(R);
          bool In = Col >= 0 && Col < 96 && Row >= 0 && Row < 24;
          ASSERT_EQ(Out[Byte / 2], In ? Row * 96 + Col + 1 : 0)
              << R << " " << E << " " << X;
        }
    }
}

TEST(Bulk, StoreAndReduce) {
  std::vector<uint32_t> Out(128);
  auto Body = [](const char *Copy) {
    return std::string(
               "mov.b32 %r2, tile; shl.b32 %r3, %r1, 2; add.s32 %r4, %r2, "
               "%r3;\n"
               "cvt.u64.u32 %d3, %r3; add.s64 %d4, %d2, %d3; st.global.b32 "
               "[%d4], 1000;\n"
               "st.shared.b32 [%r4], %r1; fence.proxy.async; bar.sync 0;\n"
               "setp.ne.u32 %p1, %r1, 0; @%p1 ret;\n") +
           Copy +
           " [%d2], [%r2], 512; cp.async.bulk.commit_group; "
           "cp.async.bulk.wait_group 0; ret;";
  };
  const char *Mod = ".shared .align 128 .b8 tile[512];\n";
  Result R = runInOut(Body("cp.async.bulk.global.shared::cta.bulk_group"),
                      iota(1), Out, {128}, Mod);
  EXPECT_EQ(R.text(), "");
  EXPECT_EQ(Out, iota(128));
  R = runInOut(
      Body("cp.reduce.async.bulk.global.shared::cta.bulk_group.add.u32"),
      iota(1), Out, {128}, Mod);
  EXPECT_EQ(R.text(), "");
  for (uint32_t T = 0; T < 128; ++T)
    EXPECT_EQ(Out[T], 1000 + T);
}
