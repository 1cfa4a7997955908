//===- ParserTest.cpp - What the interpreter reads ------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Harness.h"

using namespace mxfp4::sim;

TEST(Parser, KernelInfo) {
  auto M = parse(".version 8.0\n.target sm_90a\n.address_size 64\n"
                 ".visible .entry k(.param .u64 .ptr .global .align 16 a, "
                 ".param .align 64 .b8 map[128], .param .u32 n)\n"
                 ".reqntid 128, 1, 1\n.minnctapersm 2\n.maxnreg 168\n"
                 "{ .shared .align 16 .b8 s[48]; ret; }");
  ASSERT_TRUE(M);
  const KernelInfo &K = M->kernels()[0];
  ASSERT_EQ(K.Params.size(), 3u);
  EXPECT_EQ(K.Params[0].Offset, 0u);
  EXPECT_EQ(K.Params[1].Offset, 64u);
  EXPECT_EQ(K.Params[1].Size, 128u);
  EXPECT_EQ(K.Params[2].Offset, 192u);
  EXPECT_EQ(K.RequiredBlock.X, 128u);
  EXPECT_EQ(K.StaticShared, 48u);
}

TEST(Parser, ScopesHaveTheirOwnRegistersAndLabels) {
  std::vector<uint32_t> Out(2);
  Result R = runInOut("{ .reg .b32 x; mov.b32 x, 1; bra L; mov.b32 x, 9;\n"
                      "L: mov.b32 %r2, x; }\n"
                      "{ .reg .b32 x; mov.b32 x, 2; bra L; mov.b32 x, 9;\n"
                      "L: mov.b32 %r3, x; }\n"
                      "st.global.v2.b32 [%d2], {%r2, %r3}; ret;",
                      std::vector<uint32_t>{0}, Out, {1});
  EXPECT_EQ(R.text(), "");
  EXPECT_EQ(Out, (std::vector<uint32_t>{1, 2}));
}

TEST(Parser, DebugDirectivesAndPragmasAreSkipped) {
  EXPECT_TRUE(parse(".version 8.0\n.target sm_90a, debug\n.address_size 64\n"
                    ".file 1 \"x.mlir\"\n"
                    ".visible .entry k() {\n.loc 1 2 3\n.pragma \"nounroll\";\n"
                    "ret;\n}\n.section .debug_str { .b8 1, 2 }\n"));
}

TEST(Parser, UnknownInstructionIsNamedWithItsLine) {
  EXPECT_NE(parseError(kernel("", "ret;\nfrobnicate.b32 %r1, %r2;"))
                .find("test.ptx:11: error: instruction frobnicate.b32 is not "
                      "known to the interpreter [parse]\n"
                      "    frobnicate.b32 %r1, %r2;"),
            std::string::npos);
}

TEST(Parser, Errors) {
  auto Has = [](const std::string &Body, const char *Text) {
    std::string E = parseError(kernel("", Body));
    EXPECT_NE(E.find(Text), std::string::npos) << E;
  };
  Has("add.u32 %r1, %d1, %r2;",
      "register %d1 has 64 bits; this operand needs 32");
  Has("add.u32 %r1, %r2;", "add takes 3 operands, found 2");
  Has("add.quick.u32 %r1, %r2, %r3;",
      "modifier .quick of add.quick.u32 is not supported");
  Has("bra NOWHERE;", "label NOWHERE is not defined");
  Has("mov.u32 %r1, nothing;", "nothing is not a register");
  Has("mul.u32 %r1, %r2, %r3;",
      "an integer multiplication needs .lo, .hi or .wide");
  Has("setmaxnreg.inc.sync.aligned.u32 100;",
      "a multiple of 8 from 24 to 256, found 100");
  Has("wgmma.mma_async.sync.aligned.m64n12k16.f32.bf16.bf16 {%r1}, %d1, %d2, "
      "1, 1, 1, 0, 0;",
      "N a multiple of 8 up to 256");
  Has("add.u32 %r1, %r2 %r3;", "expected ','");
  Has("{ add.u32 %r1, %r2, %r3;", "found the end of the file");
  Has("cp.async.cg.shared.global [%r1], [%d1], 8;",
      "cp.async.cg copies 16 bytes");
  EXPECT_NE(parseError(".version 7.0\n").find("versions 8.0 to 9.x are"),
            std::string::npos);
  EXPECT_NE(parseError("").find("the text is empty"), std::string::npos);
}

TEST(Launch, IsChecked) {
  auto M = parse(kernel(".param .u32 n", "ret;", "", "\n.reqntid 64, 1, 1\n"));
  Launch L;
  L.Block = {32};
  L.argI32(1);
  EXPECT_NE(run(*M, "k", L, {}).text().find("requires blocks of (64,1,1)"),
            std::string::npos);
  L.Block = {64};
  L.argI32(1);
  EXPECT_NE(
      run(*M, "k", L, {}).text().find("has 1 parameter, found 2 arguments"),
      std::string::npos);
  EXPECT_NE(run(*M, "other", L, {}).text().find("no kernel named other"),
            std::string::npos);
}
