//===- CopyTest.cpp - Asynchronous copies and tensor maps -----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Harness.h"

using namespace mxfp4::sim;

static std::vector<uint32_t> iota(size_t n) {
  std::vector<uint32_t> v(n);
  for (size_t i = 0; i < n; ++i)
    v[i] = uint32_t(i);
  return v;
}

TEST(CpAsync, SourceSizeFillsWithZeros) {
  std::vector<uint32_t> out(4);
  Result r = runInOut(
      "mov.b32 %r2, tile; cp.async.cg.shared.global [%r2], [%d1+16], 16, 8;\n"
      "cp.async.commit_group; cp.async.wait_group 0;\n"
      "ld.shared.v4.b32 {%r3, %r4, %r5, %r6}, [%r2];\n"
      "st.global.v4.b32 [%d2], {%r3, %r4, %r5, %r6}; ret;",
      iota(8), out, {1}, ".shared .align 16 .b8 tile[16];\n");
  EXPECT_EQ(r.text(), "");
  EXPECT_EQ(out, (std::vector<uint32_t>{4, 5, 0, 0}));
}

TEST(CpAsync, APredicateIgnoresTheSource) {
  std::vector<uint32_t> out(32);
  Result r =
      runInOut("mov.b32 %r2, tile; shl.b32 %r3, %r1, 2;\n"
               "add.u32 %r2, %r2, %r3; cvt.u64.u32 %d3, %r3;\n"
               "add.s64 %d4, %d1, %d3; add.s64 %d5, %d2, %d3;\n"
               "setp.lt.u32 %p1, %r1, 7;\n"
               "cp.async.ca.shared.global [%r2], [%d4+4], 4, %p1;\n"
               "cp.async.wait_all; ld.shared.b32 %r4, [%r2];\n"
               "st.global.b32 [%d5], %r4; ret;",
               iota(33), out, {32}, ".shared .align 16 .b8 tile[128];\n");
  EXPECT_EQ(r.text(), "");
  for (uint32_t l = 0; l < 32; ++l)
    EXPECT_EQ(out[l], l < 7 ? 0 : l + 1);
}

TEST(CpAsync, TakesNoMoreThanItCopies) {
  std::vector<uint32_t> out(1);
  auto taken = [&](const char *bytes) {
    return runInOut("mov.b32 %r2, tile; mov.u32 %r3, " + std::string(bytes) +
                        ";\ncp.async.ca.shared.global [%r2], [%d1], 4, %r3;\n"
                        "cp.async.wait_all; ret;",
                    iota(4), out, {1}, ".shared .align 16 .b8 tile[16];\n")
        .text();
  };
  EXPECT_EQ(taken("4"), "");
  EXPECT_NE(taken("5").find("takes 5 bytes from its source, more than the 4"),
            std::string::npos);
}

// A group is waited for, and what comes behind it is not.
TEST(CpAsync, WhatIsNotCommittedIsNotWaitedFor) {
  std::vector<uint32_t> out(2);
  auto read = [&](const char *then) {
    return runInOut("mov.b32 %r2, tile;\n"
                    "cp.async.ca.shared.global [%r2], [%d1], 4;\n"
                    "cp.async.commit_group;\n"
                    "cp.async.ca.shared.global [%r2+4], [%d1+4], 4;\n"
                    "cp.async.wait_group 0; ld.shared.b32 %r3, [%r2];\n" +
                        std::string(then) +
                        "ld.shared.b32 %r4, [%r2+4];\n"
                        "st.global.v2.b32 [%d2], {%r3, %r4};\n"
                        "cp.async.wait_all; ret;",
                    iota(2), out, {1}, ".shared .align 16 .b8 tile[16];\n")
        .text();
  };
  EXPECT_EQ(read("cp.async.commit_group; cp.async.wait_group 0;\n"), "");
  EXPECT_EQ(out, iota(2));
  for (const char *then : {"", "cp.async.commit_group;\n",
                           "cp.async.commit_group; cp.async.wait_group 1;\n"})
    EXPECT_NE(read(then).find("cp.async.wait_group has not waited for it"),
              std::string::npos)
        << then;
}

TEST(CpAsync, ArrivesOnMbarrier) {
  std::vector<uint32_t> out(32);
  Result r = runInOut(
      "mov.b32 %r2, tile; mov.b32 %r3, bar; setp.eq.u32 %p1, %r1, 0;\n"
      "@%p1 mbarrier.init.shared.b64 [%r3], 32; bar.sync 0;\n"
      "shl.b32 %r4, %r1, 2; add.s32 %r5, %r2, %r4; cvt.u64.u32 %d3, %r4;\n"
      "add.s64 %d4, %d1, %d3; cp.async.ca.shared.global [%r5], [%d4], 4;\n"
      "cp.async.mbarrier.arrive.noinc.shared.b64 [%r3];\n"
      "W: mbarrier.try_wait.parity.shared.b64 %p2, [%r3], 0; @!%p2 bra W;\n"
      "xor.b32 %r6, %r4, 124; add.s32 %r6, %r6, %r2; ld.shared.b32 %r7, "
      "[%r6];\n"
      "add.s64 %d5, %d2, %d3; st.global.b32 [%d5], %r7; ret;",
      iota(32), out, {32},
      ".shared .align 16 .b8 tile[128];\n.shared .align 8 .b64 bar;\n");
  EXPECT_EQ(r.text(), "");
  for (uint32_t l = 0; l < 32; ++l)
    EXPECT_EQ(out[l], 31 - l);
}

/// Warp 0 copies and arrives; warp 1 waits, or does not; both meet, and lanes
/// of warp 0 read what other lanes have copied.
static Result readAfterMeeting(std::vector<uint32_t> &out, const char *wait) {
  return runInOut(
      std::string("mov.b32 %r2, tile; mov.b32 %r3, bar; setp.eq.u32 %p1, %r1, "
                  "0; setp.ge.u32 %p3, %r1, 32;\n"
                  "@%p1 mbarrier.init.shared.b64 [%r3], 32; bar.sync 0;\n"
                  "shl.b32 %r4, %r1, 2; cvt.u64.u32 %d3, %r4;\n"
                  "@%p3 bra W; add.s32 %r5, %r2, %r4; add.s64 %d4, %d1, %d3;\n"
                  "cp.async.ca.shared.global [%r5], [%d4], 4;\n"
                  "cp.async.mbarrier.arrive.noinc.shared.b64 [%r3]; bra D;\n"
                  "W: ") +
          wait +
          "D: bar.sync 0; @%p3 bra E; bar.warp.sync -1;\n"
          "xor.b32 %r6, %r4, 124; add.s32 %r6, %r6, %r2;\n"
          "ld.shared.b32 %r7, [%r6];\n"
          "add.s64 %d5, %d2, %d3; st.global.b32 [%d5], %r7; E: ret;",
      iota(32), out, {64},
      ".shared .align 16 .b8 tile[128];\n.shared .align 8 .b64 bar;\n");
}

TEST(CpAsync, AnotherWarpWaits) {
  std::vector<uint32_t> out(32);
  EXPECT_EQ(readAfterMeeting(
                out, "mbarrier.try_wait.parity.shared.b64 %p2, [%r3], 0; "
                     "@!%p2 bra W;\n")
                .text(),
            "");
  for (uint32_t l = 0; l < 32; ++l)
    EXPECT_EQ(out[l], 31 - l);
  EXPECT_NE(readAfterMeeting(out, "").text().find("the cp.async at"),
            std::string::npos);
}

TEST(TensorMapTest, RoundTripAndVerify) {
  TensorMap m;
  m.base = 0x7f0000000000;
  m.rank = 2;
  m.dims = {64, 32, 1, 1, 1};
  m.strides = {128, 0, 0, 0};
  m.box = {64, 8, 1, 1, 1};
  m.swizzling = TensorMap::Swizzle::B128;
  EXPECT_EQ(m.verify(), "");
  TensorMap n;
  EXPECT_TRUE(TensorMap::decode(m.encode().data(), n));
  EXPECT_EQ(n.dims, m.dims);
  EXPECT_EQ(n.swizzling, m.swizzling);
  m.box[0] = 128;
  EXPECT_EQ(m.verify(),
            "with this swizzle the box's innermost dimension has at "
            "most 128 bytes, found 256");
  m.box[0] = 64;
  for (const uint64_t stride : {uint64_t(136), uint64_t(1) << 40}) {
    m.strides[0] = stride;
    EXPECT_EQ(m.verify(), "the stride of dimension 1 must be a multiple of 16 "
                          "below 2^40");
  }
  m.strides[0] = (uint64_t(1) << 40) - 16;
  EXPECT_EQ(m.verify(), "");
  for (const unsigned rank : {0U, 6U}) {
    m.rank = rank;
    EXPECT_EQ(m.verify(),
              "the rank must be from 1 to 5, found " + std::to_string(rank));
  }
  uint8_t zeros[128] = {};
  EXPECT_FALSE(TensorMap::decode(zeros, n));
}

/// Loads a box of 16-bit elements at (x, y) and returns shared memory.
static std::vector<uint16_t> loadBox(TensorMap::Swizzle s, int x, int y,
                                     uint32_t w, uint32_t h, std::string &text,
                                     bool fillNaN = false) {
  auto m = parse(kernel(
      ".param .align 64 .b8 map[128], .param .u64 out",
      "mov.u32 %r1, %tid.x; mov.b32 %r2, tile; mov.b32 %r3, bar;\n"
      "ld.param.u64 %d1, [out]; mov.b64 %d2, map; mov.b32 %r6, " +
          std::to_string(x) + "; mov.b32 %r7, " + std::to_string(y) +
          ";\nsetp.ne.u32 %p1, %r1, 0; @%p1 bra S;\n"
          "mbarrier.init.shared.b64 [%r3], 1; fence.proxy.async;\n"
          "mbarrier.arrive.expect_tx.shared.b64 _, [%r3], " +
          std::to_string(w * h * 2) +
          ";\ncp.async.bulk.tensor.2d.shared::cluster.global.tile."
          "mbarrier::complete_tx::bytes [%r2], [%d2, {%r6, %r7}], [%r3];\n"
          "S: bar.sync 0;\n"
          "W: mbarrier.try_wait.parity.shared.b64 %p2, [%r3], 0; @!%p2 bra W;\n"
          "mov.b32 %r4, %r1;\nL: shl.b32 %r5, %r4, 1; add.s32 %r8, %r2, %r5;\n"
          "ld.shared.b16 %h1, [%r8]; cvt.u64.u32 %d3, %r5; add.s64 %d3, %d3, "
          "%d1;\n"
          "st.global.b16 [%d3], %h1; add.s32 %r4, %r4, 32;\n"
          "setp.lt.u32 %p3, %r4, " +
          std::to_string(w * h) + "; @%p3 bra L; ret;",
      ".shared .align 1024 .b8 tile[8192];\n.shared .align 8 .b64 bar;\n"));
  std::vector<uint16_t> data(96 * 24), out(w * h);
  for (size_t i = 0; i < data.size(); ++i)
    data[i] = uint16_t(i + 1);
  Launch l;
  l.block = {32};
  unsigned b = l.addBuffer(data.data(), data.size() * 2, {true, false});
  unsigned o = l.addBuffer(out.data(), out.size() * 2, {false, true});
  TensorMap t;
  t.base = l.address(b);
  t.rank = 2;
  t.dims = {96, 24, 1, 1, 1};
  t.strides = {192, 0, 0, 0};
  t.box = {w, h, 1, 1, 1};
  t.swizzling = s;
  t.fillNaN = fillNaN;
  EXPECT_EQ(t.verify(), "");
  l.argTensorMap(t);
  l.argBuffer(o);
  text = run(*m, "k", l, {}).text();
  return out;
}

TEST(Tensor, SwizzlesAndOutOfBounds) {
  struct Case {
    TensorMap::Swizzle s;
    uint32_t width, bits; ///< Elements of a row; chunks that move.
  };
  for (Case c : {Case{TensorMap::Swizzle::None, 32, 0},
                 Case{TensorMap::Swizzle::B32, 16, 1},
                 Case{TensorMap::Swizzle::B64, 32, 3},
                 Case{TensorMap::Swizzle::B128, 64, 7}})
    // The last two begin and end within a chunk.
    for (auto [X, Y] :
         {std::pair{0, 0}, {64, 16}, {-8, -4}, {-3, 2}, {75, 1}}) {
      std::string text;
      auto out = loadBox(c.s, X, Y, c.width, 16, text);
      EXPECT_EQ(text, "");
      for (uint32_t r = 0; r < 16; ++r)
        for (uint32_t e = 0; e < c.width; ++e) {
          // Chunks of eight elements: their number is XORed with the 128-byte
          // row's.
          uint32_t byte = (r * c.width + e) * 2;
          byte ^= (byte >> 7 & c.bits) << 4;
          int col = X + int(e), row = Y + int(r);
          bool in = col >= 0 && col < 96 && row >= 0 && row < 24;
          ASSERT_EQ(out[byte / 2], in ? row * 96 + col + 1 : 0)
              << r << " " << e << " " << X;
        }
    }
}

TEST(Tensor, ANaNMayStandForWhatIsOutOfBounds) {
  std::string text;
  const auto out =
      loadBox(TensorMap::Swizzle::None, 94, 22, 8, 4, text, /*fillNaN=*/true);
  EXPECT_EQ(text, "");
  for (unsigned i = 0; i < 32; ++i)
    EXPECT_EQ(out[i],
              i / 8 < 2 && i % 8 < 2 ? (22 + i / 8) * 96 + 95 + i % 8 : 0x7fffU)
        << i;
}

TEST(Bulk, StoreAndReduce) {
  std::vector<uint32_t> out(128);
  auto body = [](const char *copy) {
    return std::string(
               "mov.b32 %r2, tile; shl.b32 %r3, %r1, 2; add.s32 %r4, %r2, "
               "%r3;\n"
               "cvt.u64.u32 %d3, %r3; add.s64 %d4, %d2, %d3; st.global.b32 "
               "[%d4], 1000;\n"
               "st.shared.b32 [%r4], %r1; fence.proxy.async; bar.sync 0;\n"
               "setp.ne.u32 %p1, %r1, 0; @%p1 ret;\n") +
           copy +
           " [%d2], [%r2], 512; cp.async.bulk.commit_group; "
           "cp.async.bulk.wait_group 0; ret;";
  };
  const char *mod = ".shared .align 128 .b8 tile[512];\n";
  Result r = runInOut(body("cp.async.bulk.global.shared::cta.bulk_group"),
                      iota(1), out, {128}, mod);
  EXPECT_EQ(r.text(), "");
  EXPECT_EQ(out, iota(128));
  r = runInOut(
      body("cp.reduce.async.bulk.global.shared::cta.bulk_group.add.u32"),
      iota(1), out, {128}, mod);
  EXPECT_EQ(r.text(), "");
  for (uint32_t t = 0; t < 128; ++t)
    EXPECT_EQ(out[t], 1000 + t);
}
