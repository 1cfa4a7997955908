//===- CallTest.cpp - Device functions, and files with foreign kernels ----===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Harness.h"

using namespace mxfp4::sim;

namespace {

/// 32 threads, each with %r1 = its number; the result is in %r20.
std::vector<uint32_t> results(const std::string &functions,
                              const std::string &body,
                              std::string *findings = nullptr) {
  std::vector<uint32_t> out(32);
  Result r = runInOut(body + "\nmul.wide.u32 %d3, %r1, 4; add.s64 %d3, %d3, "
                             "%d2; st.global.u32 [%d3], %r20; ret;",
                      std::vector<uint32_t>{0}, out, {32}, functions);
  if (findings)
    *findings = r.text();
  else
    EXPECT_EQ(r.text(), "");
  return out;
}

/// Twice the argument, as LLVM writes it.
const char *twice =
    ".func (.param .b32 result) twice(.param .b32 value)\n"
    "{ .reg .b32 %r<3>; ld.param.b32 %r1, [value]; shl.b32 %r2, %r1, 1;\n"
    "st.param.b32 [result], %r2; ret; }\n";

std::string callOf(const std::string &name, const std::string &from,
                   const std::string &to) {
  return "{ .param .b32 param0; st.param.b32 [param0], " + from +
         "; .param .b32 retval0;\ncall.uni (retval0), " + name +
         ", (param0); ld.param.b32 " + to + ", [retval0]; }\n";
}

/// A file of several kernels.
std::string file(const std::string &kernels) {
  return ".version 8.0\n.target sm_90a\n.address_size 64\n" + kernels;
}

const char *plain = ".visible .entry plain(.param .u64 p) { .reg .b64 %rd<2>;\n"
                    "ld.param.u64 %rd1, [p]; st.global.b32 [%rd1], 7; ret; }\n";

std::string launch(const Module &m, const std::string &entry, uint32_t &word) {
  Launch l;
  l.argBuffer(l.addBuffer(&word, 4, {}));
  return run(m, entry, l, {}).text();
}

} // namespace

TEST(Calls, GiveTheirResults) {
  auto out = results(twice, callOf("twice", "%r1", "%r2") +
                                callOf("twice", "%r2", "%r20"));
  for (uint32_t l = 0; l < 32; ++l)
    EXPECT_EQ(out[l], 4 * l);
}

TEST(Calls, NestAndComeBeforeTheirDefinition) {
  auto out = results(
      ".extern .func (.param .b32 r) twice(.param .b32 v);\n"
      ".func (.param .b32 func_retval0) both(.param .b32 both_param_0)\n"
      "{ .reg .b32 %r<5>; ld.param.b32 %r1, [both_param_0];\n" +
          callOf("twice", "%r1", "%r2") +
          "add.s32 %r3, %r2, %r1; st.param.b32 [func_retval0], %r3; ret; }\n" +
          twice,
      "mov.b32 %r2, 77;" + callOf("both", "%r1", "%r20") +
          "sub.s32 %r2, %r2, 77; add.s32 %r20, %r20, %r2;");
  for (uint32_t l = 0; l < 32; ++l)
    EXPECT_EQ(out[l], 3 * l);
}

TEST(Calls, TakeRegistersEitherWay) {
  const char *inRegisters =
      ".func (.reg .b32 r) add(.reg .b32 a, .reg .b32 b)\n"
      "{ add.s32 r, a, b; ret; }\n";
  auto out = results(inRegisters, "call (%r20), add, (%r1, 5);");
  EXPECT_EQ(out[9], 14u);
  out = results(twice, "call (%r20), twice, (%r1);");
  EXPECT_EQ(out[9], 18u);
  out = results(inRegisters,
                "{ .param .b32 x; .param .b32 y; st.param.b32 [x], %r1;\n"
                "call (y), add, (x, %r1); ld.param.b32 %r20, [y]; }");
  EXPECT_EQ(out[9], 18u);
}

TEST(Calls, OfStructuresAndWithoutResult) {
  auto out = results(
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
  EXPECT_EQ(out[2], 42u);
}

TEST(Calls, MayDivergeAndReturnEarly) {
  // Lanes return at two places, and all meet in an .aligned barrier.
  const char *clamp =
      ".func (.param .b32 r) clamp(.param .b32 v)\n"
      "{ .reg .pred %p<2>; .reg .b32 %r<2>; ld.param.b32 %r1, [v];\n"
      "st.param.b32 [r], %r1; setp.lt.u32 %p1, %r1, 10; @%p1 ret;\n"
      "st.param.b32 [r], 10; ret; }\n";
  auto out = results(clamp, callOf("clamp", "%r1", "%r20") + "bar.sync 0;");
  EXPECT_EQ(out[3], 3u);
  EXPECT_EQ(out[30], 10u);
  out = results(clamp, "mov.b32 %r20, 99; setp.gt.u32 %p1, %r1, 4;\n"
                       "{ .param .b32 a; .param .b32 b; st.param.b32 [a], %r1;"
                       "st.param.b32 [b], 55; @%p1 call (b), clamp, (a);\n"
                       "ld.param.b32 %r20, [b]; } bar.sync 0;");
  EXPECT_EQ(out[4], 55u);
  EXPECT_EQ(out[7], 7u);
  EXPECT_EQ(out[31], 10u);
}

TEST(Calls, ThatCannotBeMadeSaySoWhenAThreadGetsThere) {
  const std::string functions =
      ".extern .func (.param .b32 r) vprintf(.param .b64 f, .param .b64 a);\n"
      ".func (.param .b32 r) again(.param .b32 v)\n"
      "{ .reg .b32 %r<3>; ld.param.b32 %r1, [v];" +
      callOf("again", "%r1", "%r2") +
      "st.param.b32 [r], %r2; ret; }\n"
      ".func odd() { frobnicate; ret; }\n.func odder() { ?; }\n"
      ".func wide(.reg .b8 x[16]) { ret; }\n";
  struct {
    const char *call, *says;
  } cases[] = {
      {"call (%r2), vprintf, (%d1, %d1);",
       "call of vprintf, which has no body in this module"},
      {"call (%r2), again, (%r1);", "call of again, which calls itself"},
      {"call (%r2), %d1, (%r1), proto;",
       "calls through a register are not supported"},
      {"call (%r2), again, (%r1, %r1);",
       "call of again with 2 arguments and 1 result; it has 1 and 1"},
      {"call wide;", "a register of this type is not supported"},
      {"call odder;", "call of odder, which the interpreter does not "
                      "understand: line 10: expected an instruction"}};
  for (auto &c : cases) {
    const std::string guarded = "proto: .callprototype (.param .b32 _) _ "
                                "(.param .b32 _);\nmov.b32 %r20, 1; "
                                "setp.eq.u32 %p1, %r1, 40;\n@%p1 " +
                                std::string(c.call);
    EXPECT_EQ(results(functions, guarded)[5], 1u) << c.call;
    std::string findings;
    results(functions, std::string("mov.b32 %r20, 1; ") + c.call, &findings);
    EXPECT_NE(findings.find(c.says), std::string::npos) << findings;
    EXPECT_NE(findings.find("[unsupported]"), std::string::npos) << findings;
  }
}

TEST(Calls, ShareWhatIsTheBlocks) {
  const char *functions =
      ".func swap(.param .b32 put, .param .b32 who)\n"
      "{ .shared .align 4 .b32 cell; .reg .b32 %r<3>; .reg .pred %p<2>;\n"
      "ld.param.b32 %r1, [put]; ld.param.b32 %r2, [who];\n"
      "setp.eq.s32 %p1, %r2, 0; @%p1 red.shared.add.u32 [cell], %r1;\n"
      "@!%p1 st.shared.b32 [cell], %r1; }\n"
      ".func (.param .b32 r) get() { .reg .b32 %r<2>; mov.b32 %r1, 3;\n"
      "st.param.b32 [r], %r1; }\n";
  std::string findings;
  // One place for both calls: lane 1's reduction races with lane 0's store.
  results(functions,
          "call (%r20), get, (); setp.eq.u32 %p1, %r1, 0;\n"
          "setp.eq.u32 %p2, %r1, 1; @%p1 call swap, (1, 1);\n"
          "@%p2 call swap, (2, 0);",
          &findings);
  EXPECT_NE(findings.find("[race]"), std::string::npos) << findings;
}

TEST(Calls, OfExponentialSizeAreRefused) {
  // Each function calls the next one twice, and does nothing else.
  std::string functions = ".func f40() { ret; }\n";
  for (unsigned j = 40; j-- > 0;) {
    const std::string next = "call f" + std::to_string(j + 1) + "; ";
    functions += ".func f" + std::to_string(j) + "() { " + next + next + "}\n";
  }
  EXPECT_NE(parseError(kernel("", "call f0; ret;", functions))
                .find("calls are larger than the interpreter holds"),
            std::string::npos);
}

TEST(Files, WithForeignKernelsRunTheOthers) {
  // The body of each other kernel; and what a launch of that kernel says.
  struct {
    const char *kernel, *says;
  } cases[] = {
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
       "f16.e4m3.e5m2 {%r1}, 1, 1, 1, 1, 1; }",
       "wgmma of FP8 (e4m3, e5m2) is not supported"},
      {".entry k() { .reg .b32 %r<2>; wgmma.mma_async.sync.aligned.m64n8k8."
       "f32.tf32.tf32 {%r1}, 1, 1, 1, 1, 1; }",
       "wgmma of TF32 is not supported"}};
  for (auto &c : cases) {
    for (const std::string &text :
         {file(plain + std::string(".visible ") + c.kernel + "\n"),
          file(c.kernel + std::string("\n") + plain)}) {
      auto m = parse(text);
      ASSERT_TRUE(m) << text;
      uint32_t word = 0;
      EXPECT_EQ(launch(*m, "plain", word), "") << text;
      EXPECT_EQ(word, 7u);
      const std::string said = launch(*m, "k", word);
      EXPECT_NE(said.find(c.says), std::string::npos) << said;
    }
    // Alone, the file is refused.
    EXPECT_NE(parseError(file(c.kernel)), "") << c.kernel;
  }
}

TEST(Files, OfOneNameTwiceAreRefused) {
  EXPECT_NE(parseError(file(std::string(plain) + plain))
                .find("kernel plain is defined twice"),
            std::string::npos);
}

TEST(Files, MayEndInNulAndBeginWithAMark) {
  uint32_t word = 0;
  for (const std::string &text :
       {file(plain) + '\0', file(plain) + std::string("\0\0\n", 3),
        "\xef\xbb\xbf" + file(plain)}) {
    auto m = parse(text);
    ASSERT_TRUE(m);
    EXPECT_EQ(launch(*m, "plain", word), "");
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
  auto value = [](const std::string &literal) {
    return eval64("mov.b64 %d20, " + literal + ";", 0);
  };
  EXPECT_EQ(value("18446744073709551615"), ~uint64_t(0));
  EXPECT_EQ(value("0xffffffffffffffff"), ~uint64_t(0));
  EXPECT_EQ(value("0755"), 0755u);
  EXPECT_EQ(value("0b101U"), 5u);
  EXPECT_EQ(value("0"), 0u);
  EXPECT_EQ(value("-0x10"), uint64_t(-16));
  EXPECT_EQ(eval("mov.f32 %r20, 0.5;", 0), bitsOf(0.5f));
  EXPECT_EQ(eval("mov.f32 %r20, 25.0e-2;", 0), bitsOf(0.25f));
  EXPECT_EQ(eval("mov.f32 %r20, 2.5E+1;", 0), bitsOf(25));
  for (const char *bad : {"18446744073709551616", "0x10000000000000000", "089",
                          "0b2", "0x", "0f3f8", "0d3ff0000000000000f", "12ab"})
    EXPECT_NE(parseError(kernel("", "mov.b64 %d1, " + std::string(bad) + ";"))
                  .find("is no number of PTX"),
              std::string::npos)
        << bad;
  EXPECT_NE(parseError(kernel("", "ret;", "", ".reqntid 0\n"))
                .find("a dimension is from 1 to"),
            std::string::npos);
  for (const char *sizes : {"[4294967296][4294967296]", "[65536][131072]"})
    EXPECT_NE(
        parseError(kernel("", ".shared .b8 x" + std::string(sizes) + "; ret;"))
            .find("larger than 4 GiB"),
        std::string::npos)
        << sizes;
}

TEST(Launch, NumbersDoNotOverflow) {
  auto m = parse(kernel("", "ret;"));
  auto says = [&](Dim3 grid, Dim3 block, Dim3 cluster, const char *text) {
    Launch l;
    l.grid = grid;
    l.block = block;
    l.cluster = cluster;
    EXPECT_NE(run(*m, "k", l, {}).text().find(text), std::string::npos)
        << run(*m, "k", l, {}).text();
  };
  const uint32_t big = 1u << 31;
  says({big, big, 4}, {1}, {1}, "a grid has 1 to");
  says({1, 70000, 1}, {1}, {1}, "a grid has 1 to");
  says({1}, {big, big, 4}, {1}, "a block has 1 to 1024 threads");
  says({1}, {1, 0, 1}, {1}, "a block has 1 to 1024 threads");
  says({1}, {1}, {big, big, 4}, "clusters of");
}

TEST(TensorMaps, MayBeInMemory) {
  // In a parameter, in a buffer, and in a variable that the kernel fills.
  const std::string copy =
      "prefetch.tensormap [%d5];\nmov.u32 %r2, tile; mov.u32 %r3, bar;\n"
      "mbarrier.init.shared.b64 [%r3], 1; fence.mbarrier_init.release.cluster;"
      "fence.proxy.tensormap::generic.acquire.gpu [%d5], 128;\n"
      "mbarrier.arrive.expect_tx.shared.b64 _, [%r3], 32;\n"
      "cp.async.bulk.tensor.1d.shared::cluster.global.tile.mbarrier::"
      "complete_tx::bytes [%r2], [%d5, {8}], [%r3];\n"
      "W: mbarrier.try_wait.parity.shared.b64 %p1, [%r3], 0; @!%p1 bra W;\n"
      "ld.shared.b32 %r4, [%r2+4]; st.global.b32 [%d2], %r4; ret;";
  std::string fill = "mov.b64 %d5, copy; mov.b64 %d6, map;\n";
  for (unsigned j = 0; j < 128; j += 16)
    fill += "ld.param.v2.b64 {%d7, %d8}, [%d6+" + std::to_string(j) +
            "]; st.global.v2.b64 [%d5+" + std::to_string(j) +
            "], {%d7, %d8};\n";
  for (const std::string &where :
       {std::string("mov.b64 %d5, map;"),
        std::string("ld.param.b64 %d5, [at];"), fill}) {
    auto m = parse(kernel(".param .align 64 .b8 map[128], .param .u64 at, "
                          ".param .u64 out",
                          "ld.param.u64 %d2, [out]; " + where + copy,
                          ".shared .align 128 .b8 tile[128];\n"
                          ".shared .align 8 .b64 bar;\n"
                          ".global .align 64 .b8 copy[128];\n"));
    ASSERT_TRUE(m);
    std::vector<uint32_t> data(64), out(1);
    for (uint32_t j = 0; j < 64; ++j)
      data[j] = 100 + j;
    Launch l;
    l.block = {1};
    TensorMap map;
    map.base = l.address(l.addBuffer(data.data(), 256, {true, false}));
    map.elementBytes = 4;
    map.dims[0] = 64;
    map.box[0] = 8;
    auto bytes = map.encode();
    l.argTensorMap(map);
    l.argBuffer(l.addBuffer(bytes.data(), bytes.size(), {true, false}));
    l.argBuffer(l.addBuffer(out.data(), 4, {false, true}));
    EXPECT_EQ(run(*m, "k", l, {}).text(), "");
    EXPECT_EQ(out[0], 109u);
  }
}
