//===- CallTest.cpp - Device functions, and files with foreign kernels ----===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Harness.h"

using namespace mxfp4::sim;

namespace {

/// 32 threads, each with %r1 = its number; the result is in %r20.
std::vector<uint32_t> results(const std::string &Functions,
                              const std::string &Body,
                              std::string *Findings = nullptr) {
  std::vector<uint32_t> Out(32);
  Result R = runInOut(Body + "\nmul.wide.u32 %d3, %r1, 4; add.s64 %d3, %d3, "
                             "%d2; st.global.u32 [%d3], %r20; ret;",
                      std::vector<uint32_t>{0}, Out, {32}, Functions);
  if (Findings)
    *Findings = R.text();
  else
    EXPECT_EQ(R.text(), "");
  return Out;
}

/// Twice the argument, as LLVM writes it.
const char *Twice =
    ".func (.param .b32 result) twice(.param .b32 value)\n"
    "{ .reg .b32 %r<3>; ld.param.b32 %r1, [value]; shl.b32 %r2, %r1, 1;\n"
    "st.param.b32 [result], %r2; ret; }\n";

std::string callOf(const std::string &Name, const std::string &From,
                   const std::string &To) {
  return "{ .param .b32 param0; st.param.b32 [param0], " + From +
         "; .param .b32 retval0;\ncall.uni (retval0), " + Name +
         ", (param0); ld.param.b32 " + To + ", [retval0]; }\n";
}

/// A file of several kernels.
std::string file(const std::string &Kernels) {
  return ".version 8.0\n.target sm_90a\n.address_size 64\n" + Kernels;
}

const char *Plain = ".visible .entry plain(.param .u64 p) { .reg .b64 %rd<2>;\n"
                    "ld.param.u64 %rd1, [p]; st.global.b32 [%rd1], 7; ret; }\n";

std::string launch(const Module &M, const std::string &Entry, uint32_t &Word) {
  Launch L;
  L.argBuffer(L.addBuffer(&Word, 4, {}));
  return run(M, Entry, L, {}).text();
}

} // namespace

TEST(Calls, GiveTheirResults) {
  auto Out = results(Twice, callOf("twice", "%r1", "%r2") +
                                callOf("twice", "%r2", "%r20"));
  for (uint32_t L = 0; L < 32; ++L)
    EXPECT_EQ(Out[L], 4 * L);
}

TEST(Calls, NestAndComeBeforeTheirDefinition) {
  auto Out = results(
      ".extern .func (.param .b32 r) twice(.param .b32 v);\n"
      ".func (.param .b32 func_retval0) both(.param .b32 both_param_0)\n"
      "{ .reg .b32 %r<5>; ld.param.b32 %r1, [both_param_0];\n" +
          callOf("twice", "%r1", "%r2") +
          "add.s32 %r3, %r2, %r1; st.param.b32 [func_retval0], %r3; ret; }\n" +
          Twice,
      "mov.b32 %r2, 77;" + callOf("both", "%r1", "%r20") +
          "sub.s32 %r2, %r2, 77; add.s32 %r20, %r20, %r2;");
  for (uint32_t L = 0; L < 32; ++L)
    EXPECT_EQ(Out[L], 3 * L);
}

TEST(Calls, TakeRegistersEitherWay) {
  const char *InRegisters =
      ".func (.reg .b32 r) add(.reg .b32 a, .reg .b32 b)\n"
      "{ add.s32 r, a, b; ret; }\n";
  auto Out = results(InRegisters, "call (%r20), add, (%r1, 5);");
  EXPECT_EQ(Out[9], 14u);
  Out = results(Twice, "call (%r20), twice, (%r1);");
  EXPECT_EQ(Out[9], 18u);
  Out = results(InRegisters,
                "{ .param .b32 x; .param .b32 y; st.param.b32 [x], %r1;\n"
                "call (y), add, (x, %r1); ld.param.b32 %r20, [y]; }");
  EXPECT_EQ(Out[9], 18u);
}

TEST(Calls, OfStructuresAndWithoutResult) {
  auto Out = results(
      ".func (.param .align 4 .b8 r[8]) swap(.param .align 4 .b8 p[8])\n"
      "{ .reg .b32 %r<3>; ld.param.v2.b32 {%r1, %r2}, [p];\n"
      "st.param.b32 [r], %r2; st.param.b32 [r+4], %r1; ret; }\n"
      ".func store(.param .b64 to, .param .b32 what)\n"
      "{ .reg .b32 %r<2>; .reg .b64 %rd<2>; ld.param.b64 %rd1, [to];\n"
      "ld.param.b32 %r1, [what]; st.shared.b32 [%rd1], %r1; }\n"
      ".shared .align 4 .b32 words[32];\n",
      "{ .param .align 4 .b8 param0[8]; st.param.b32 [param0], %r1;\n"
      "st.param.b32 [param0+4], 40; .param .align 4 .b8 retval0[8];\n"
      "call.uni (retval0), swap, (param0); ld.param.b32 %r4, [retval0];\n"
      "ld.param.b32 %r5, [retval0+4]; }\nadd.s32 %r6, %r4, %r5;\n"
      "mov.b64 %d7, words; mul.wide.u32 %d8, %r1, 4; add.s64 %d7, %d7, %d8;\n"
      "{ .param .b64 param0; st.param.b64 [param0], %d7; .param .b32 param1;\n"
      "st.param.b32 [param1], %r6; call.uni store, (param0, param1); }\n"
      "ld.shared.b32 %r20, [%d7];");
  EXPECT_EQ(Out[2], 42u);
}

TEST(Calls, MayDivergeAndReturnEarly) {
  // Lanes return at two places, and all meet in an .aligned barrier.
  const char *Clamp =
      ".func (.param .b32 r) clamp(.param .b32 v)\n"
      "{ .reg .pred %p<2>; .reg .b32 %r<2>; ld.param.b32 %r1, [v];\n"
      "st.param.b32 [r], %r1; setp.lt.u32 %p1, %r1, 10; @%p1 ret;\n"
      "st.param.b32 [r], 10; ret; }\n";
  auto Out = results(Clamp, callOf("clamp", "%r1", "%r20") + "bar.sync 0;");
  EXPECT_EQ(Out[3], 3u);
  EXPECT_EQ(Out[30], 10u);
  Out = results(Clamp, "mov.b32 %r20, 99; setp.gt.u32 %p1, %r1, 4;\n"
                       "{ .param .b32 a; .param .b32 b; st.param.b32 [a], %r1;"
                       "st.param.b32 [b], 55; @%p1 call (b), clamp, (a);\n"
                       "ld.param.b32 %r20, [b]; } bar.sync 0;");
  EXPECT_EQ(Out[4], 55u);
  EXPECT_EQ(Out[7], 7u);
  EXPECT_EQ(Out[31], 10u);
}

TEST(Calls, ThatCannotBeMadeSaySoWhenAThreadGetsThere) {
  const std::string Functions =
      ".extern .func (.param .b32 r) vprintf(.param .b64 f, .param .b64 a);\n"
      ".func (.param .b32 r) again(.param .b32 v)\n"
      "{ .reg .b32 %r<3>; ld.param.b32 %r1, [v];" +
      callOf("again", "%r1", "%r2") +
      "st.param.b32 [r], %r2; ret; }\n"
      ".func odd() { frobnicate; ret; }\n.func odder() { ?; }\n";
  struct {
    const char *Call, *Says;
  } Cases[] = {
      {"call (%r2), vprintf, (%d1, %d1);",
       "call of vprintf, which has no body in this module"},
      {"call (%r2), again, (%r1);", "call of again, which calls itself"},
      {"call (%r2), %d1, (%r1), proto;",
       "calls through a register are not supported"},
      {"call (%r2), again, (%r1, %r1);",
       "call of again with 2 arguments and 1 result; it has 1 and 1"},
      {"call odder;", "call of odder, which the interpreter does not "
                      "understand: line 10: expected an instruction"}};
  for (auto &C : Cases) {
    const std::string Guarded = "proto: .callprototype (.param .b32 _) _ "
                                "(.param .b32 _);\nmov.b32 %r20, 1; "
                                "setp.eq.u32 %p1, %r1, 40;\n@%p1 " +
                                std::string(C.Call);
    EXPECT_EQ(results(Functions, Guarded)[5], 1u) << C.Call;
    std::string Findings;
    results(Functions, std::string("mov.b32 %r20, 1; ") + C.Call, &Findings);
    EXPECT_NE(Findings.find(C.Says), std::string::npos) << Findings;
    EXPECT_NE(Findings.find("[unsupported]"), std::string::npos) << Findings;
  }
}

TEST(Calls, ShareWhatIsTheBlocks) {
  const char *Functions =
      ".func swap(.param .b32 put, .param .b32 who)\n"
      "{ .shared .align 4 .b32 cell; .reg .b32 %r<3>; .reg .pred %p<2>;\n"
      "ld.param.b32 %r1, [put]; ld.param.b32 %r2, [who];\n"
      "setp.eq.s32 %p1, %r2, 0; @%p1 red.shared.add.u32 [cell], %r1;\n"
      "@!%p1 st.shared.b32 [cell], %r1; }\n"
      ".func (.param .b32 r) get() { .reg .b32 %r<2>; mov.b32 %r1, 3;\n"
      "st.param.b32 [r], %r1; }\n";
  std::string Findings;
  // One place for both calls: lane 1's reduction races with lane 0's store.
  results(Functions,
          "call (%r20), get, (); setp.eq.u32 %p1, %r1, 0;\n"
          "setp.eq.u32 %p2, %r1, 1; @%p1 call swap, (1, 1);\n"
          "@%p2 call swap, (2, 0);",
          &Findings);
  EXPECT_NE(Findings.find("[race]"), std::string::npos) << Findings;
}

TEST(Calls, OfExponentialSizeAreRefused) {
  // Each function calls the next one twice, and does nothing else.
  std::string Functions = ".func f40() { ret; }\n";
  for (unsigned J = 40; J-- > 0;) {
    const std::string Next = "call f" + std::to_string(J + 1) + "; ";
    Functions += ".func f" + std::to_string(J) + "() { " + Next + Next + "}\n";
  }
  EXPECT_NE(parseError(kernel("", "call f0; ret;", Functions))
                .find("calls are larger than the interpreter holds"),
            std::string::npos);
}

TEST(Files, WithForeignKernelsRunTheOthers) {
  // What each kernel beside it has; and what a launch of that kernel says.
  struct {
    const char *Kernel, *Says;
  } Cases[] = {
      {".entry k() { frobnicate.b32 %r1; ret; }", "frobnicate.b32"},
      {".entry k() { .reg .b32 %r<2>; .texture x; ret; }",
       "directive .texture is not supported inside a kernel"},
      {".entry k() { .reg .b32 %r<2>; mov.b32 %r1, 99999999999999999999; }",
       "'99999999999999999999' is no number of PTX"},
      {".entry k(.param .texref t) { ret; }", "expected the type of a param"},
      {".entry k() .unheard { ret; }", "directive .unheard is not supported"},
      {".texref t;\n.entry k() { .reg .b64 %rd<2>; mov.b64 %rd1, t; ret; }",
       "directive .texref is not supported"},
      {".entry k() { { ret;", "expected '}' at the end of k"},
      {".entry k() { ; ? }", "expected an instruction"},
      {".global .b64 g = elsewhere;\n.entry k() { .reg .b64 %rd<2>; "
       "mov.b64 %rd1, g; }",
       "addresses as initialisers are not supported"},
      {".entry k() { .reg .b32 %r<2>; wgmma.mma_async.sync.aligned.m64n8k32."
       "f32.e4m3.e5m2 {%r1}, 1, 1, 1, 1, 1; }",
       "wgmma of FP8 (e4m3, e5m2) is not supported"},
      {".entry k() { .reg .b32 %r<2>; wgmma.mma_async.sync.aligned.m64n8k8."
       "f32.tf32.tf32 {%r1}, 1, 1, 1, 1, 1; }",
       "wgmma of TF32 is not supported"}};
  for (auto &C : Cases) {
    for (const std::string &Text :
         {file(Plain + std::string(".visible ") + C.Kernel + "\n"),
          file(C.Kernel + std::string("\n") + Plain)}) {
      auto M = parse(Text);
      ASSERT_TRUE(M) << Text;
      uint32_t Word = 0;
      EXPECT_EQ(launch(*M, "plain", Word), "") << Text;
      EXPECT_EQ(Word, 7u);
      const std::string Said = launch(*M, "k", Word);
      EXPECT_NE(Said.find(C.Says), std::string::npos) << Said;
    }
    // Alone, the file is refused.
    EXPECT_NE(parseError(file(C.Kernel)), "") << C.Kernel;
  }
}

TEST(Files, OfOneNameTwiceAreRefused) {
  EXPECT_NE(parseError(file(std::string(Plain) + Plain))
                .find("kernel plain is defined twice"),
            std::string::npos);
}

TEST(Files, MayEndInNulAndBeginWithAMark) {
  uint32_t Word = 0;
  for (const std::string &Text :
       {file(Plain) + '\0', file(Plain) + std::string("\0\0\n", 3),
        "\xef\xbb\xbf" + file(Plain)}) {
    auto M = parse(Text);
    ASSERT_TRUE(M);
    EXPECT_EQ(launch(*M, "plain", Word), "");
  }
  EXPECT_NE(parseError(file(".entry k() { ret;") + '\0' + "}").find("0x0"),
            std::string::npos);
}

TEST(Files, ThatAreNoPtxAreNamed) {
  EXPECT_NE(parseError(" \n").find("the text is empty"), std::string::npos);
  EXPECT_NE(parseError("\x7f"
                       "ELF\x02\x01")
                .find("a cubin"),
            std::string::npos);
  EXPECT_NE(parseError("\x50\xed\x55\xba\x01").find("a fat binary"),
            std::string::npos);
  EXPECT_NE(parseError("\xff\xfe.").find("UTF-16"), std::string::npos);
  EXPECT_NE(parseError("\x80\x01").find("a byte 0x80"), std::string::npos);
}

TEST(Numbers, OfPtx) {
  auto Value = [](const std::string &Literal) {
    return eval64("mov.b64 %d20, " + Literal + ";", 0);
  };
  EXPECT_EQ(Value("18446744073709551615"), ~uint64_t(0));
  EXPECT_EQ(Value("0xffffffffffffffff"), ~uint64_t(0));
  EXPECT_EQ(Value("0755"), 0755u);
  EXPECT_EQ(Value("0b101U"), 5u);
  EXPECT_EQ(Value("0"), 0u);
  EXPECT_EQ(Value("-0x10"), uint64_t(-16));
  EXPECT_EQ(eval("mov.f32 %r20, 0.5;", 0), bitsOf(0.5f));
  for (const char *Bad : {"18446744073709551616", "0x10000000000000000", "089",
                          "0b2", "0x", "0f3f8", "0d3ff0000000000000f", "12ab"})
    EXPECT_NE(parseError(kernel("", "mov.b64 %d1, " + std::string(Bad) + ";"))
                  .find("is no number of PTX"),
              std::string::npos)
        << Bad;
  EXPECT_NE(parseError(kernel("", "ret;", "", ".reqntid 0\n"))
                .find("a dimension is from 1 to"),
            std::string::npos);
  EXPECT_NE(parseError(kernel("", ".shared .b8 x[4294967296][4294967296]; "
                                  "ret;"))
                .find("larger than 4 GiB"),
            std::string::npos);
}

TEST(Launch, NumbersDoNotOverflow) {
  auto M = parse(kernel("", "ret;"));
  auto Says = [&](Dim3 Grid, Dim3 Block, Dim3 Cluster, const char *Text) {
    Launch L;
    L.Grid = Grid;
    L.Block = Block;
    L.Cluster = Cluster;
    EXPECT_NE(run(*M, "k", L, {}).text().find(Text), std::string::npos)
        << run(*M, "k", L, {}).text();
  };
  const uint32_t Big = 1u << 31;
  Says({Big, Big, 4}, {1}, {1}, "a grid has 1 to");
  Says({1, 70000, 1}, {1}, {1}, "a grid has 1 to");
  Says({1}, {Big, Big, 4}, {1}, "a block has 1 to 1024 threads");
  Says({1}, {1, 0, 1}, {1}, "a block has 1 to 1024 threads");
  Says({1}, {1}, {Big, Big, 4}, "clusters of");
}

TEST(TensorMaps, MayBeInMemory) {
  // In a parameter, in a buffer, and in a variable that the kernel fills.
  const std::string Copy =
      "prefetch.tensormap [%d5];\nmov.u32 %r2, tile; mov.u32 %r3, bar;\n"
      "mbarrier.init.shared.b64 [%r3], 1; fence.mbarrier_init.release.cluster;"
      "fence.proxy.tensormap::generic.acquire.gpu [%d5], 128;\n"
      "mbarrier.arrive.expect_tx.shared.b64 _, [%r3], 32;\n"
      "cp.async.bulk.tensor.1d.shared::cluster.global.tile.mbarrier::"
      "complete_tx::bytes [%r2], [%d5, {8}], [%r3];\n"
      "W: mbarrier.try_wait.parity.shared.b64 %p1, [%r3], 0; @!%p1 bra W;\n"
      "ld.shared.b32 %r4, [%r2+4]; st.global.b32 [%d2], %r4; ret;";
  std::string Fill = "mov.b64 %d5, copy; mov.b64 %d6, map;\n";
  for (unsigned J = 0; J < 128; J += 16)
    Fill += "ld.param.v2.b64 {%d7, %d8}, [%d6+" + std::to_string(J) +
            "]; st.global.v2.b64 [%d5+" + std::to_string(J) +
            "], {%d7, %d8};\n";
  for (const std::string &Where :
       {std::string("mov.b64 %d5, map;"),
        std::string("ld.param.b64 %d5, [at];"), Fill}) {
    auto M = parse(kernel(".param .align 64 .b8 map[128], .param .u64 at, "
                          ".param .u64 out",
                          "ld.param.u64 %d2, [out]; " + Where + Copy,
                          ".shared .align 128 .b8 tile[128];\n"
                          ".shared .align 8 .b64 bar;\n"
                          ".global .align 64 .b8 copy[128];\n"));
    ASSERT_TRUE(M);
    std::vector<uint32_t> Data(64), Out(1);
    for (uint32_t J = 0; J < 64; ++J)
      Data[J] = 100 + J;
    Launch L;
    L.Block = {1};
    TensorMap Map;
    Map.Base = L.address(L.addBuffer(Data.data(), 256, {true, false}));
    Map.ElementBytes = 4;
    Map.Dims[0] = 64;
    Map.Box[0] = 8;
    auto Bytes = Map.encode();
    L.argTensorMap(Map);
    L.argBuffer(L.addBuffer(Bytes.data(), Bytes.size(), {true, false}));
    L.argBuffer(L.addBuffer(Out.data(), 4, {false, true}));
    EXPECT_EQ(run(*M, "k", L, {}).text(), "");
    EXPECT_EQ(Out[0], 109u);
  }
}
