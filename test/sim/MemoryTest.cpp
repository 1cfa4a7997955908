//===- MemoryTest.cpp - Loads, stores, atomics and their checks -----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Harness.h"

using namespace mxfp4::sim;

TEST(Memory, WidthsAndSigns) {
  std::vector<uint32_t> out(6);
  Result r =
      runInOut("ld.global.s8 %r2, [%d1]; ld.global.u8 %r3, [%d1];\n"
               "ld.global.s16 %r4, [%d1]; ld.global.nc.u16 %r5, [%d1+2];\n"
               "ld.global.L1::no_allocate.L2::128B.v2.b16 {%h1, %h2}, [%d1];\n"
               "mov.b32 %r6, {%h2, %h1};\n"
               "st.global.v4.b32 [%d2], {%r2, %r3, %r4, %r5};\n"
               "st.global.b32 [%d2+16], %r6; st.global.b8 [%d2+20], %r2;\n"
               "st.global.b8 [%d2+21], %r2; st.global.b16 [%d2+22], %h1; ret;",
               std::vector<uint32_t>{0x7f8180fe}, out, {1});
  EXPECT_EQ(r.text(), "");
  EXPECT_EQ(out, (std::vector<uint32_t>{0xfffffffe, 0xfe, 0xffff80fe, 0x7f81,
                                        0x80fe7f81, 0x80fefefe}));
}

TEST(Unended, HasTheBytesThatWereWritten) {
  Unended some;
  EXPECT_TRUE(some.has(0, 1)) << "all of them, until something is known";
  some.clear();
  EXPECT_FALSE(some.has(0, 100000));
  // In two of the pages that bytes are kept in.
  some.add(4094, 4);
  EXPECT_FALSE(some.has(0, 4094));
  EXPECT_TRUE(some.has(0, 4095));
  EXPECT_TRUE(some.has(4094, 1));
  EXPECT_TRUE(some.has(4097, 1));
  EXPECT_FALSE(some.has(4098, 100000));
  Unended others;
  others.clear();
  others.add(100000, 1);
  some.add(others);
  EXPECT_TRUE(some.has(4097, 1));
  EXPECT_TRUE(some.has(8192, 91809)) << "behind pages that have none";
  EXPECT_FALSE(some.has(8192, 91808));
  EXPECT_FALSE(some.has(100001, 100000));
  EXPECT_FALSE(some.hadBefore(0, 200000)) << "none has ended";
  some.clear();
  EXPECT_FALSE(some.has(0, 200000));
  EXPECT_FALSE(some.hadBefore(0, 4094));
  EXPECT_TRUE(some.hadBefore(4097, 1));
  EXPECT_TRUE(some.hadBefore(8192, 91809));
  EXPECT_FALSE(some.hadBefore(100001, 100000));
}

TEST(Unended, ForgetsMemoryThatWasFreed) {
  Unended some;
  some.clear();
  some.add(4000, 5000);
  some.clear();
  some.add(8100, 200);
  some.forget(4096, 4096);
  EXPECT_TRUE(some.hadBefore(4095, 1));
  EXPECT_FALSE(some.hadBefore(4096, 4096));
  EXPECT_TRUE(some.hadBefore(8192, 1));
  EXPECT_FALSE(some.has(8100, 92));
  EXPECT_TRUE(some.has(8192, 1));
  some.forget(0, 100000);
  EXPECT_FALSE(some.hadBefore(0, 100000));
  EXPECT_FALSE(some.has(0, 100000));
}

TEST(Memory, CacheHintOperand) {
  std::vector<uint32_t> out(1);
  Result r = runInOut(
      "createpolicy.fractional.L2::evict_first.b64 %d5, 0f3F800000;\n"
      "ld.global.nc.L1::no_allocate.L2::cache_hint.b32 %r2, [%d1], %d5;\n"
      "st.global.L2::cache_hint.b32 [%d2], %r2, %d5; ret;",
      std::vector<uint32_t>{5}, out, {1});
  EXPECT_EQ(r.text(), "");
  EXPECT_EQ(out[0], 5u);
}

TEST(Memory, LocalAndConstantAndGlobalVariables) {
  std::vector<uint32_t> out(32);
  Result r =
      runInOut(".local .align 16 .b8 depot[64];\n"
               "mov.b64 %d4, depot; cvta.local.u64 %d5, %d4;\n"
               "st.local.b32 [%d4+8], %r1; ld.b32 %r2, [%d5+8];\n"
               "ld.const.b32 %r3, [table+4]; ld.global.b32 %r4, [count];\n"
               "add.s32 %r2, %r2, %r3; add.s32 %r2, %r2, %r4;\n"
               "mul.wide.u32 %d3, %r1, 4; add.s64 %d3, %d3, %d2;\n"
               "st.global.b32 [%d3], %r2; ret;",
               std::vector<uint32_t>{0}, out, {32},
               ".const .align 4 .b32 table[2] = {1, 20};\n"
               ".global .align 4 .b32 count = 300;\n");
  EXPECT_EQ(r.text(), "");
  for (uint32_t l = 0; l < 32; ++l)
    EXPECT_EQ(out[l], 320 + l);
}

TEST(Memory, InitialisersOfVariables) {
  std::vector<uint32_t> out(6);
  const Result r = runInOut(
      "ld.const.v4.b32 {%r2, %r3, %r4, %r5}, [floats];\n"
      "ld.const.b64 %d3, [wide]; mov.b64 {%r6, %r7}, %d3;\n"
      "ld.global.b32 %r6, [count]; st.global.v4.b32 [%d2], {%r2, %r3, %r4, "
      "%r5}; st.global.v2.b32 [%d2+16], {%r6, %r7}; ret;",
      std::vector<uint32_t>{0}, out, {1},
      ".const .align 16 .f32 floats[4] = {1.5, -2.5, 0f40000000, "
      "-0f3F800000};\n"
      ".const .align 8 .f64 wide = -1.0;\n.global .s32 count = -3;\n");
  EXPECT_EQ(r.text(), "");
  EXPECT_EQ(out, (std::vector<uint32_t>{bitsOf(1.5f), bitsOf(-2.5f), bitsOf(2),
                                        bitsOf(-1), uint32_t(-3), 0xbff00000}));
}

TEST(Memory, AtomicsOfHalves) {
  std::vector<uint32_t> out(3);
  const Result r = runInOut(
      "mov.b16 %h1, 0x3c00; mov.b16 %h2, 0x3f80; mov.b32 %r3, 0x40003c00;\n"
      "st.global.v2.b32 [%d2], {0x40004000, 0x40004000};\n"
      "st.global.b32 [%d2+8], 0x40004000;\n"
      "red.global.add.noftz.f16 [%d2], %h1;\n"
      "red.global.add.noftz.bf16 [%d2+6], %h2;\n"
      "red.global.add.noftz.f16x2 [%d2+8], %r3; ret;",
      std::vector<uint32_t>{0}, out, {1});
  EXPECT_EQ(r.text(), "");
  EXPECT_EQ(out, (std::vector<uint32_t>{0x40004200, 0x40404000, 0x44004200}));
}

TEST(Memory, Atomics) {
  std::vector<uint32_t> out(4);
  Result r = runInOut(
      "setp.ne.u32 %p1, %r1, 0; @%p1 bra S;\n"
      "st.global.v4.b32 [%d2], {0, 0, 0, 0};\nS: bar.sync 0;\n"
      "red.global.add.u32 [%d2], 2; atom.global.max.u32 %r2, [%d2+4], %r1;\n"
      "cvt.rn.f32.u32 %r3, %r1; red.global.add.f32 [%d2+8], %r3;\n"
      "atom.global.inc.u32 %r4, [%d2+12], 9; ret;",
      std::vector<uint32_t>{0}, out, {64});
  EXPECT_EQ(r.text(), "");
  EXPECT_EQ(out[0], 128u);
  EXPECT_EQ(out[1], 63u);
  EXPECT_EQ(out[2], bitsOf(2016.0f));
  EXPECT_EQ(out[3], 4u);
}

TEST(Memory, AtomicsOfVectorsAreOfEachElement) {
  std::vector<uint32_t> out(6);
  const Result r = runInOut(
      "st.global.v4.b32 [%d2], {0x3f800000, 0x40000000, 0x40400000, "
      "0x40800000};\nmov.b32 %r3, 0f3F800000; mov.b32 %r4, 0f41200000;\n"
      "red.global.add.v2.f32 [%d2], {%r3, %r4};\n"
      "atom.global.add.v2.f32 {%r5, %r6}, [%d2+8], {%r3, %r4};\n"
      "st.global.v2.b32 [%d2+16], {%r5, %r6}; ret;",
      std::vector<uint32_t>(1), out, {1});
  EXPECT_EQ(r.text(), "");
  EXPECT_EQ(out, (std::vector<uint32_t>{bitsOf(2), bitsOf(12), bitsOf(4),
                                        bitsOf(14), bitsOf(3), bitsOf(4)}));
}

TEST(Memory, BankConflictsAreCounted) {
  std::vector<uint32_t> out(1);
  Result r = runInOut(
      "shl.b32 %r2, %r1, 7; mov.b32 %r3, tile; add.s32 %r2, %r2, %r3;\n"
      "st.shared.b32 [%r2], %r1; ret;",
      std::vector<uint32_t>{0}, out, {32},
      ".shared .align 16 .b8 tile[4096];\n");
  EXPECT_EQ(r.statistics.sharedWavefronts, 32u);
  EXPECT_EQ(r.statistics.sharedIdealWavefronts, 1u);
}

static std::string finding(const std::string &body, const std::string &mod = "",
                           Dim3 block = {64}) {
  std::vector<uint32_t> out(64);
  return runInOut(body, std::vector<uint32_t>(64), out, block, mod).text();
}

TEST(Checks, Memory) {
  auto has = [](const std::string &text, const char *want) {
    EXPECT_NE(text.find(want), std::string::npos) << text;
  };
  has(finding("ld.global.b32 %r2, [%d1+256]; ret;"),
      "reads 4 bytes at 0x7f0000000100, 0 bytes past the end of buffer 0 (256 "
      "bytes)");
  has(finding("ld.global.b32 %r2, [%d1+-4]; ret;"),
      "4 bytes before the start of buffer 0");
  has(finding("mov.b64 %d3, 16; ld.global.b32 %r2, [%d3]; ret;"),
      "which is in no buffer");
  has(finding("st.global.b32 [%d1], 0; ret;"),
      "which the launch declares read-only");
  has(finding("ld.shared.b32 %r2, [16]; ret;"),
      "shared memory at 0x10 is out of bounds");
  has(finding("ld.global.b64 %d3, [%d1+4]; ret;"), "is not a multiple of 8");
  has(finding("ld.global.b32 %r2, [%d2]; ret;"),
      "reads global memory that nothing has written");
  has(finding("st.global.b32 [%d2], %r1; ret;"), "[race]");
}

TEST(Checks, FindingsOfOneInstructionAreCounted) {
  EXPECT_NE(finding("ld.global.b32 %r2, [%d1+256]; ret;", "", {2})
                .find("; seen 2 times"),
            std::string::npos);
  EXPECT_EQ(finding("ld.global.b32 %r2, [%d1+256]; ret;", "", {1}).find("seen"),
            std::string::npos);
}

TEST(Checks, SameValueByOneInstructionIsNoRace) {
  EXPECT_EQ(
      finding("st.shared.b32 [word], 7; ret;", ".shared .b32 word;\n", {32}),
      "");
}

// Sixteen bytes that were written together are one cell, until they are not.
TEST(Checks, WordsOfAChunkAreToldApart) {
  const std::string mod = ".shared .align 16 .b8 tile[16];\n";
  // Thread 0 writes all; after the barrier thread 0 writes word 1 once more,
  // while thread 32 reads another word.
  auto body = [](const std::string &offset) {
    return "mov.b32 %r2, tile; setp.ne.u32 %p1, %r1, 0;\n"
           "@!%p1 st.shared.v4.b32 [%r2], {1, 2, 3, 4}; bar.sync 0;\n"
           "@!%p1 st.shared.b32 [%r2+4], 9; setp.ne.u32 %p2, %r1, 32;\n"
           "@!%p2 ld.shared.b32 %r3, [%r2+" +
           offset + "]; ret;";
  };
  EXPECT_EQ(finding(body("0"), mod), "");
  EXPECT_EQ(finding(body("8"), mod), "");
  EXPECT_EQ(finding(body("12"), mod), "");
  EXPECT_NE(finding(body("4"), mod).find("[race]"), std::string::npos);
  // Half of it was written: the other half holds nothing, alone or together.
  const std::string half =
      "mov.b32 %r2, tile; st.shared.v2.b32 [%r2], {1, 2};\n"
      "bar.warp.sync -1; ";
  EXPECT_EQ(
      finding(half + "ld.shared.v2.b32 {%r3, %r4}, [%r2]; ret;", mod, {1}), "");
  for (const char *read :
       {"ld.shared.b32 %r3, [%r2+8]; ret;",
        "ld.shared.v4.b32 {%r3, %r4, %r5, %r6}, [%r2]; ret;"})
    EXPECT_NE(finding(half + read, mod, {1}).find("[uninitialised]"),
              std::string::npos)
        << read;
}

TEST(Costs, SharedMemoryByProxy) {
  std::vector<uint32_t> out(4);
  Result r = runInOut(
      "mov.b32 %r2, tile; shl.b32 %r3, %r1, 2; add.s32 %r4, %r2, %r3;\n"
      "st.shared.b32 [%r4], 5; fence.proxy.async; bar.warp.sync -1;\n"
      "setp.ne.u32 %p1, %r1, 0; @%p1 bra D;\n"
      "cp.async.bulk.global.shared::cta.bulk_group [%d2], [%r2], 16;\n"
      "cp.async.bulk.commit_group; cp.async.bulk.wait_group 0;\n"
      "D: ld.shared.b32 %r5, [%r4]; ret;",
      std::vector<uint32_t>(4), out, {32},
      ".shared .align 128 .b8 tile[128];\n");
  EXPECT_EQ(r.text(), "");
  EXPECT_EQ(out[3], 5u);
  EXPECT_EQ(r.statistics.sharedStoreBytes, 128u);
  EXPECT_EQ(r.statistics.sharedLoadBytes, 128u);
  EXPECT_EQ(r.statistics.sharedAsyncReadBytes, 16u);
  EXPECT_EQ(r.statistics.sharedAsyncWriteBytes, 0u);
  EXPECT_EQ(r.statistics.bulkStoreBytes, 16u);
  EXPECT_EQ(r.statistics.bulkLoadBytes, 0u);
  EXPECT_EQ(r.statistics.bulkCopies, 1u);
}

TEST(Buffers, GuardBandsAndUnwrittenBytes) {
  auto m =
      parse(kernel(".param .u64 out",
                   "ld.param.u64 %d1, [out]; st.global.b32 [%d1+4], 1; ret;"));
  std::vector<uint32_t> out(4);
  Launch l;
  l.block = {1};
  unsigned b = l.addBuffer(out.data(), 16, {false, true});
  l.argBuffer(b);
  EXPECT_TRUE(run(*m, "k", l, {}).ok());
  EXPECT_EQ(l.initialisedBytes(b), 4u);
}
