//===- ControlTest.cpp - Divergence and warp-wide instructions ------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Harness.h"

using namespace mxfp4::sim;

static const char *store = "mul.wide.u32 %d3, %r1, 4; add.s64 %d3, %d3, %d2;\n"
                           "st.global.u32 [%d3], %r20; ret;";

static std::vector<uint32_t> warp(const std::string &body, unsigned n = 32) {
  std::vector<uint32_t> out(n);
  Result r = runInOut(body + store, std::vector<uint32_t>{0}, out, {n});
  EXPECT_EQ(r.text(), "");
  return out;
}

TEST(Divergence, LoopsReconverge) {
  // Each lane iterates tid times; then all meet in an .aligned vote.
  auto out = warp("mov.b32 %r2, 0; mov.b32 %r3, %r1;\n"
                  "L: setp.eq.u32 %p1, %r3, 0; @%p1 bra DONE;\n"
                  "add.s32 %r2, %r2, 3; sub.s32 %r3, %r3, 1; bra L;\n"
                  "DONE: bar.sync 0; vote.sync.ballot.b32 %r4, -1, -1;\n"
                  "popc.b32 %r5, %r4; add.s32 %r20, %r2, %r5;\n");
  for (uint32_t l = 0; l < 32; ++l)
    EXPECT_EQ(out[l], 3 * l + 32);
}

TEST(Divergence, NestedBranches) {
  auto out =
      warp("and.b32 %r2, %r1, 1; and.b32 %r3, %r1, 2; mov.b32 %r20, 0;\n"
           "setp.eq.u32 %p1, %r2, 0; @%p1 bra A;\n"
           "setp.eq.u32 %p2, %r3, 0; @%p2 bra B;\n"
           "add.s32 %r20, %r20, 1; bra J;\n"
           "B: add.s32 %r20, %r20, 10;\nJ: add.s32 %r20, %r20, 100; bra E;\n"
           "A: add.s32 %r20, %r20, 1000;\nE: bar.sync 0;\n");
  for (uint32_t l = 0; l < 32; ++l)
    EXPECT_EQ(out[l], l & 1 ? (l & 2 ? 101u : 110u) : 1000u);
}

TEST(Divergence, OneLaneMayWaitForItsNeighbour) {
  // Lane 0 spins on a flag that lane 1 raises: no livelock.
  std::vector<uint32_t> out(1);
  Result r = runInOut("setp.ne.u32 %p1, %r1, 0; @%p1 bra OTHER;\n"
                      "W: ld.acquire.cta.shared.b32 %r2, [flag];\n"
                      "setp.ne.u32 %p2, %r2, 7; @%p2 bra W;\n"
                      "st.global.u32 [%d2], %r2; ret;\n"
                      "OTHER: setp.ne.u32 %p3, %r1, 1; @%p3 ret;\n"
                      "st.release.cta.shared.b32 [flag], 7; ret;",
                      std::vector<uint32_t>{0}, out, {32},
                      ".shared .align 4 .b32 flag;\n", [] {
                        Options o;
                        o.checkUninitialised = false;
                        return o;
                      }());
  EXPECT_EQ(r.text(), "");
  EXPECT_EQ(out[0], 7u);
}

TEST(Divergence, IndexedBranch) {
  auto out = warp("and.b32 %r2, %r1, 3;\nT: .branchtargets A, B, C, A;\n"
                  "brx.idx %r2, T;\nA: mov.b32 %r20, 1; bra E;\n"
                  "B: mov.b32 %r20, 2; bra E;\nC: mov.b32 %r20, 3;\nE:\n");
  for (uint32_t l = 0; l < 32; ++l)
    EXPECT_EQ(out[l], (l & 3) == 1 ? 2u : (l & 3) == 2 ? 3u : 1u);
}

TEST(Divergence, IndexedBranchesMeetBehindIt) {
  auto out = warp("and.b32 %r2, %r1, 1;\nT: .branchtargets A, B;\n"
                  "brx.idx %r2, T;\nA: mov.b32 %r20, 1; bra E;\n"
                  "B: mov.b32 %r20, 2;\n"
                  "E: activemask.b32 %r3; popc.b32 %r3, %r3;\n"
                  "mad.lo.u32 %r20, %r3, 10, %r20;\n");
  for (uint32_t l = 0; l < 32; ++l)
    EXPECT_EQ(out[l], 320u + (l & 1 ? 2u : 1u));
}

TEST(Divergence, OfAUniformBranchIsReported) {
  const auto said = [](const char *limit) {
    std::vector<uint32_t> out(1);
    return runInOut(std::string("setp.ge.u32 %p1, %r1, ") + limit +
                        "; @%p1 bra.uni E;\nE: ret;",
                    std::vector<uint32_t>{0}, out, {32})
        .text();
  };
  EXPECT_NE(said("16").find("bra.uni diverges"), std::string::npos);
  EXPECT_EQ(said("32"), "");
  EXPECT_EQ(said("0"), "");
}

TEST(Divergence, IndexedBranchStaysInItsTable) {
  std::vector<uint32_t> out(1);
  const Result r = runInOut("mov.b32 %r2, 2; T: .branchtargets A, B;\n"
                            "brx.idx %r2, T; A: ret; B: ret;",
                            std::vector<uint32_t>{0}, out, {32});
  EXPECT_NE(r.text().find("brx.idx has index 2 of a table of 2 labels"),
            std::string::npos)
      << r.text();
}

// Threads that exit are not waited for: the others meet behind the branch.
TEST(Divergence, AGuardedExitIsNoFork) {
  std::vector<uint32_t> out(32);
  const Result r =
      runInOut("setp.ge.u32 %p1, %r1, 16; @%p1 bra J;\n"
               "setp.lt.u32 %p2, %r1, 4; @%p2 ret;\n"
               "J: bar.sync 0; vote.sync.ballot.b32 %r20, 1, 0xfffffff0;\n" +
                   std::string(store),
               std::vector<uint32_t>{0}, out, {32});
  EXPECT_EQ(r.text(), "");
  for (uint32_t l = 4; l < 32; ++l)
    EXPECT_EQ(out[l], 0xfffffff0U);
}

TEST(Warp, Shuffles) {
  auto out = warp("shfl.sync.bfly.b32 %r20, %r1, 5, 31, -1;\n");
  for (uint32_t l = 0; l < 32; ++l)
    EXPECT_EQ(out[l], l ^ 5);
  out = warp(
      "shfl.sync.up.b32 %r20|%p1, %r1, 3, 0, -1;\n@!%p1 mov.b32 %r20, 99;\n");
  for (uint32_t l = 0; l < 32; ++l)
    EXPECT_EQ(out[l], l < 3 ? 99 : l - 3);
  out = warp("shfl.sync.down.b32 %r20|%p1, %r1, 3, 0x181f, -1;\n@!%p1 mov.b32 "
             "%r20, 99;\n");
  for (uint32_t l = 0; l < 32; ++l)
    EXPECT_EQ(out[l], l % 8 > 4 ? 99 : l + 3);
  out = warp("shfl.sync.idx.b32 %r20, %r1, 2, 0x1c1f, -1;\n");
  for (uint32_t l = 0; l < 32; ++l)
    EXPECT_EQ(out[l], (l & ~3u) + 2);
}

TEST(Warp, VotesAndElect) {
  auto out =
      warp("setp.lt.u32 %p1, %r1, 5; vote.sync.ballot.b32 %r20, %p1, -1;\n");
  EXPECT_EQ(out[31], 31u);
  out = warp("elect.sync _|%p1, -1; selp.b32 %r20, 1, 0, %p1;\n");
  EXPECT_EQ(out[0], 1u);
  EXPECT_EQ(out[1], 0u);
  out = warp("elect.sync %r20|%p1, -1; add.u32 %r20, %r20, 5;\n");
  EXPECT_EQ(out[9], 5u);
  out = warp("redux.sync.add.u32 %r20, %r1, -1;\n");
  EXPECT_EQ(out[7], 496u);
  out = warp("and.b32 %r2, %r1, 1; match.any.sync.b32 %r20, %r2, -1;\n");
  EXPECT_EQ(out[0], 0x55555555u);
}

TEST(Warp, ImplicitDefIsNoFinding) {
  std::vector<uint32_t> out(1);
  Result r = runInOut("// implicit-def: %r5\nadd.s32 %r6, %r5, 1; ret;",
                      std::vector<uint32_t>{0}, out, {32});
  EXPECT_EQ(r.text(), "");
}

TEST(Warp, MovesMatricesTogether) {
  for (const char *threads : {"32", "16"}) {
    std::vector<uint32_t> out(1);
    const Result r = runInOut(
        "mov.u32 %r2, tile; st.shared.v4.b32 [%r2], {1, 2, 3, 4};\n"
        "bar.warp.sync -1; setp.lt.u32 %p1, %r1, " +
            std::string(threads) +
            ";\n@%p1 ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%r3}, [%r2]; "
            "ret;",
        std::vector<uint32_t>{0}, out, {32},
        ".shared .align 16 .b8 tile[16];\n");
    EXPECT_EQ(
        r.text().find("must execute this .aligned instruction together") !=
            std::string::npos,
        std::string(threads) == "16")
        << r.text();
  }
}

// As many registers as before are neither less nor more.
TEST(Warp, RegistersGoTheRightWay) {
  const auto said = [](const std::string &text) {
    Options opts;
    opts.launchRegisters = 64;
    std::vector<uint32_t> out(1);
    return runInOut("setmaxnreg." + text + "; ret;", std::vector<uint32_t>{0},
                    out, {128}, "", opts)
        .text();
  };
  EXPECT_EQ(said("inc.sync.aligned.u32 64"), "");
  EXPECT_EQ(said("dec.sync.aligned.u32 64"), "");
  EXPECT_EQ(said("dec.sync.aligned.u32 40"), "");
  EXPECT_NE(said("inc.sync.aligned.u32 40")
                .find("setmaxnreg.inc to 40 from 64 registers goes the wrong"),
            std::string::npos);
  EXPECT_NE(said("dec.sync.aligned.u32 72")
                .find("setmaxnreg.dec to 72 from 64 registers goes the wrong"),
            std::string::npos);
}

TEST(Limits, EndlessLoopIsGivenUp) {
  std::vector<uint32_t> out(1);
  Options o;
  o.maxInstructions = 10000;
  Result r = runInOut("L: bra L;", std::vector<uint32_t>{0}, out, {32}, "", o);
  EXPECT_NE(r.text().find("given up after 10000 warp instructions"),
            std::string::npos);
}

TEST(Limits, LoopWithoutProgressIsGivenUpAtOnce) {
  std::vector<uint32_t> out(1);
  Options o;
  o.checkRaces = false; // which takes the time
  for (const char *body :
       {"L: bra L;", "L: ld.volatile.global.b32 %r2, [%d1]; "
                     "setp.eq.u32 %p1, %r2, 0; @%p1 bra L; ret;"}) {
    Result r = runInOut(body, std::vector<uint32_t>{0}, out, {1}, "", o);
    EXPECT_NE(r.text().find("the launch was given up: for 16777216 warp "
                            "instructions no thread has stored"),
              std::string::npos)
        << r.text();
    EXPECT_NE(r.text().find("note: warp 0 at "), std::string::npos) << r.text();
    EXPECT_EQ(r.text().find("nothing"), std::string::npos) << r.text();
    EXPECT_LT(r.statistics.warpInstructions, uint64_t(1) << 25);
  }
}

TEST(Limits, WhatALoopWaitsForIsNamed) {
  // The lowest bit of the second word, which nobody stores.
  const std::string loop = "add.u64 %d3, %d1, 4;\n"
                           "L: ld.acquire.gpu.global.b32 %r2, [%d3];\n"
                           "and.b32 %r3, %r2, 1; setp.eq.u32 %p1, %r3, 0;\n"
                           "@%p1 bra L; ret;";
  std::vector<uint32_t> out(1);
  Options o;
  o.checkRaces = false;
  const std::string text =
      runInOut(loop, std::vector<uint32_t>{1, 700}, out, {1}, "", o).text();
  EXPECT_NE(
      text.find("for another value of buffer 0 + 4 than 700, which it loads "
                "again and again"),
      std::string::npos)
      << text;
  // A word that it has loaded once, or before the loop that it is in now.
  for (const char *body :
       {"ld.acquire.gpu.global.b32 %r2, [%d1]; L: bra L;",
        "mov.u32 %r3, 0; M: ld.acquire.gpu.global.b32 %r2, [%d1];\n"
        "add.u32 %r3, %r3, 1; setp.lt.u32 %p1, %r3, 200; @%p1 bra M;\n"
        "st.global.b32 [%d2], %r3; mov.u32 %r3, 0;\n"
        "N: add.u32 %r3, %r3, 1; setp.lt.u32 %p1, %r3, 1000; @%p1 bra N;\n"
        "st.global.b32 [%d2], %r3; L: bra L;"}) {
    const std::string other =
        runInOut(body, std::vector<uint32_t>{1}, out, {1}, "", o).text();
    EXPECT_NE(other.find("note: warp 0 at "), std::string::npos) << other;
    EXPECT_EQ(other.find("another value"), std::string::npos) << other;
  }
}

TEST(Limits, LoopThatStoresHasMoreTime) {
  // 2^24 instructions without progress would be too many, and these are more.
  std::vector<uint32_t> out(1);
  Result r = runInOut("mov.u32 %r2, 0;\n"
                      "L: add.u32 %r2, %r2, 1; and.b32 %r3, %r2, 0xffff;\n"
                      "setp.eq.u32 %p1, %r3, 0; @%p1 st.global.b32 [%d2], %r2;"
                      "setp.lt.u32 %p1, %r2, 3400000; @%p1 bra L;\n"
                      "st.global.b32 [%d2], %r2; ret;",
                      std::vector<uint32_t>{0}, out, {1});
  EXPECT_EQ(r.text(), "");
  EXPECT_EQ(out[0], 3400000u);
}

namespace {

/// What 32 threads report whose %r1 is their number, %r2 holds a value in lanes
/// below 8, and whose %p1 says so.
std::string partly(const std::string &body) {
  std::vector<uint32_t> out(64);
  return runInOut("mul.wide.u32 %d3, %r1, 4; add.s64 %d3, %d3, %d2;\n"
                  "mov.u32 %r9, words; mad.lo.u32 %r9, %r1, 4, %r9;\n"
                  "st.shared.b32 [%r9], %r1; setp.lt.u32 %p1, %r1, 8;\n"
                  "@%p1 ld.shared.b32 %r2, [%r9];\n" +
                      body + "\nret;",
                  std::vector<uint32_t>{0}, out, {32},
                  ".shared .align 4 .b32 words[32];\n")
      .text();
}

} // namespace

// As Triton reduces over the warps of a block: eight lanes load, all shuffle.
TEST(Undefined, LanesOfAReductionThatNobodyUses) {
  EXPECT_EQ(partly("shfl.sync.bfly.b32 %r3, %r2, 4, 31, -1;\n"
                   "add.f32 %r4, %r2, %r3;\n"
                   "shfl.sync.bfly.b32 %r5, %r4, 2, 31, -1;\n"
                   "max.f32 %r6, %r4, %r5; mov.b32 %r7, %r6;\n"
                   "setp.lt.f32 %p2, %r6, %r7; selp.b32 %r8, %r6, %r7, %p2;\n"
                   "@%p1 st.global.b32 [%d3], %r8;"),
            "");
  // One register on two paths, whole after both.
  EXPECT_EQ(partly("@!%p1 mov.b32 %r2, 5; st.global.b32 [%d3], %r2;"), "");
  // A guard that is undefined where its instruction does not matter.
  EXPECT_EQ(partly("setp.ne.s32 %p2, %r2, 3; @%p2 add.s32 %r3, %r1, 1;\n"
                   "mov.b32 %r4, 1; selp.b32 %r5, %r2, %r4, %p1;\n"
                   "st.global.b32 [%d3], %r5;"),
            "");
}

TEST(Undefined, ValuesThatDecideSomethingAreReported) {
  auto has = [](const std::string &body, const char *want) {
    const std::string text = partly(body);
    EXPECT_NE(text.find(want), std::string::npos) << body << "\n" << text;
    EXPECT_NE(text.find("[uninitialised]"), std::string::npos) << body;
  };
  const char *direct = "register %r2 is read, but nothing has written it";
  has("st.global.b32 [%d3], %r2;", direct);
  has("add.s32 %r3, %r2, 1; mov.b32 %r4, %r3; st.global.b32 [%d3], %r4;",
      "depends on register %r2, which nothing has written, by way of %r4");
  has("shfl.sync.bfly.b32 %r3, %r2, 8, 31, -1; @%p1 st.global.b32 [%d3], %r3;",
      "depends on register %r2, which nothing has written, by way of %r3");
  has("setp.eq.s32 %p2, %r2, 0; @%p2 bra L; L:",
      "depends on register %r2, which nothing has written, by way of %p2");
  has("setp.eq.s32 %p2, %r2, 0; @%p2 st.global.b32 [%d3], %r1;", "way of %p2");
  has("setp.eq.s32 %p2, %r2, 0; mov.b32 %r3, 1; @%p2 mov.b32 %r3, 2;\n"
      "st.global.b32 [%d3], %r3;",
      "way of %r3");
  has("selp.b32 %r3, %r1, %r2, %p1; st.global.b32 [%d3], %r3;", "way of %r3");
  has("add.s32 %r3, %r9, %r2; ld.shared.b32 %r4, [%r3];", "way of %r3");
  has("setp.eq.s32 %p2, %r2, 0; vote.sync.any.pred %p3, %p2, -1;\n"
      "@%p3 bra L; L:",
      "way of %p3");
  has("redux.sync.add.s32 %r3, %r2, -1; @%p1 st.global.b32 [%d3], %r3;",
      "way of %r3");
  has("shfl.sync.idx.b32 %r3, %r1, %r2, 31, -1;", direct);
  has("cvt.u64.u32 %d4, %r2; mov.b64 {%r3, %r4}, %d4; mov.b64 %d5, {%r4, "
      "%r3};\nst.global.b64 [%d3], %d5;",
      "depends on register %r2");
}
