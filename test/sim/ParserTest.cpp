//===- ParserTest.cpp - What the interpreter reads ------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Harness.h"

using namespace mxfp4::sim;

TEST(Parser, KernelInfo) {
  auto m = parse(".version 8.0\n.target sm_90a\n.address_size 64\n"
                 ".visible .entry k(.param .u64 .ptr .global .align 16 a, "
                 ".param .align 64 .b8 map[128], .param .u32 n)\n"
                 ".reqntid 128, 1, 1\n.minnctapersm 2\n.maxnreg 168\n"
                 ".maxclusterrank 8\n.attribute(.unified(1, (2)))\n"
                 "{ .shared .align 16 .b8 s[48]; ret; }");
  ASSERT_TRUE(m);
  const KernelInfo &k = m->kernels()[0];
  ASSERT_EQ(k.params.size(), 3u);
  EXPECT_EQ(k.params[0].offset, 0u);
  EXPECT_EQ(k.params[1].offset, 64u);
  EXPECT_EQ(k.params[1].size, 128u);
  EXPECT_EQ(k.params[2].offset, 192u);
  EXPECT_EQ(k.requiredBlock.x, 128u);
  EXPECT_EQ(k.staticShared, 48u);
}

TEST(Parser, ScopesHaveTheirOwnRegistersAndLabels) {
  std::vector<uint32_t> out(2);
  Result r = runInOut("{ .reg .b32 x; mov.b32 x, 1; bra L; mov.b32 x, 9;\n"
                      "L: mov.b32 %r2, x; }\n"
                      "{ .reg .b32 x; mov.b32 x, 2; bra L; mov.b32 x, 9;\n"
                      "L: mov.b32 %r3, x; }\n"
                      "st.global.v2.b32 [%d2], {%r2, %r3}; ret;",
                      std::vector<uint32_t>{0}, out, {1});
  EXPECT_EQ(r.text(), "");
  EXPECT_EQ(out, (std::vector<uint32_t>{1, 2}));
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
  auto has = [](const std::string &body, const char *text) {
    std::string e = parseError(kernel("", body));
    EXPECT_NE(e.find(text), std::string::npos) << e;
  };
  has("add.u32 %r1, %d1, %r2;",
      "register %d1 has 64 bits; this operand needs 32");
  has("add.u32 %r1, %r2;", "add takes 3 operands, found 2");
  has("add.quick.u32 %r1, %r2, %r3;",
      "modifier .quick of add.quick.u32 is not supported");
  has("popc.shiftamt.b32 %r1, %r2;",
      "modifier .shiftamt of popc.shiftamt.b32 is not supported");
  has("shl.shiftamt.b32 %r1, %r2, %r3;",
      "modifier .shiftamt of shl.shiftamt.b32 is not supported");
  has("bra NOWHERE;", "label NOWHERE is not defined");
  has("A: bra A, A;", "bra takes 1 operand, found 2");
  has("mbarrier.arrive.shared.b64;", "mbarrier takes 1 to 2 operands, found 0");
  has("mbarrier.arrive.shared.b64 _, [%r1], %r2, %r3;",
      "mbarrier takes 2 to 3 operands, found 4");
  has("cp.async.bulk.bulk_group.shared::cta [%d1], [%r1], 16;",
      "this form of bulk copy is not supported");
  has("fence.proxy.tensormap;", "expected the kind of proxy fence");
  has("atom.global.min.f32 %r1, [%d1], %r2;",
      "this atomic operation has no such type");
  has("atom.global.min.noftz.bf16 %h1, [%d1], %h2;",
      "half types are supported for .add only");
  has("mov.u32 %r1, nothing;", "nothing is not a register");
  has("mov.u32 %r1, %clock64;", "%clock64 has another width");
  has("mov.u64 %d1, %clock;", "%clock has another width");
  has("mov.b64 %d1, {%h1, %h2, %h3};", "2 or 4 parts of a 32- or 64-bit value");
  has("mul.u32 %r1, %r2, %r3;",
      "an integer multiplication needs .lo, .hi or .wide");
  has("setmaxnreg.inc.sync.aligned.u32 100;",
      "a multiple of 8 from 24 to 256, found 100");
  has("wgmma.mma_async.sync.aligned.m64n12k16.f32.bf16.bf16 {%r1}, %d1, %d2, "
      "1, 1, 1, 0, 0;",
      "N a multiple of 8 up to 256");
  const std::string mma = "wgmma.mma_async.sync.aligned.";
  has(mma + "m64n8k32.f32.bf16.bf16 {%r1}, %d1, %d2, 1, 1, 1, 0, 0;",
      "has shapes m64nNk16");
  has(mma + "m64n264k16.f32.bf16.bf16 {%r1}, %d1, %d2, 1, 1, 1, 0, 0;",
      "up to 256");
  has(mma + "m64n8k16.f32.e4m3.e4m3 {%r1}, %d1, %d2, 1, 1, 1;",
      "of FP8 m64nNk32");
  has(mma + "m64n8k32.s32.s8.s8 {%r1}, %d1, %d2, 1;", "8-bit integers");
  has(mma + "m64n8k32.s32.u8.u8 {%r1}, %d1, %d2, 1;", "8-bit integers");
  has(mma + "m64n8k256.s32.b1.b1.and.popc {%r1}, %d1, %d2, 1;", "single bits");
  has(mma + "m64n8k8.f32.tf32.tf32 {%r1}, %d1, %d2, 1, 1, 1;", "TF32");
  has("wgmma.mma_async.sp.sync.aligned.m64n8k32.f32.bf16.bf16 {%r1}, %d1, "
      "%d2, %r1, 0, 1, 1, 1, 0, 0;",
      "sparse matrices");
  has(mma + "m64n8k16.f32.bf16.bf16 {%r1, %r2}, %d1, %d2, 1, 1, 1, 0, 0;",
      "wgmma of 8 columns has 4 accumulators");
  has(mma + "m64n8k16.f32.bf16.bf16 {%r1, %r2, %r3, %r4}, {%r5, %r6}, %d2, 1, "
            "1, 1, 0;",
      "the A fragment has 4 registers");
  has("wgmma.wait_group.sync.aligned 8;", "from 0 to 7");
  has("wgmma.wait_group.sync.aligned -1;", "from 0 to 7");
  has("wgmma.fence.sync.aligned 1;", "takes 0 operands, found 1");
  has("wgmma.commit_group.sync.aligned 1;", "takes 0 operands, found 1");
  has("add.u32 %r1, %r2 %r3;", "expected ','");
  has("add.cc.u16 %r1, %r2, %r3;", "needs a 32- or 64-bit integer type");
  for (const char *type : {"", ".pred"})
    has(std::string(".shared .align 4 ") + type + " x[4];",
        "expected the type of a variable");
  has("{ add.u32 %r1, %r2, %r3;", "found the end of the file");
  has("cp.async.cg.shared.global [%r1], [%d1], 8;",
      "cp.async.cg copies 16 bytes");
  EXPECT_NE(parseError(".version 7.0\n").find("versions 8.0 to 9.x are"),
            std::string::npos);
  EXPECT_NE(parseError("").find("the text is empty"), std::string::npos);
}

TEST(Launch, IsChecked) {
  auto m = parse(kernel(".param .u32 n", "ret;", "", "\n.reqntid 64, 1, 1\n"));
  Launch l;
  l.block = {32};
  l.argI32(1);
  EXPECT_NE(run(*m, "k", l, {}).text().find("requires blocks of (64,1,1)"),
            std::string::npos);
  l.block = {64};
  l.argI32(1);
  EXPECT_NE(
      run(*m, "k", l, {}).text().find("has 1 parameter, found 2 arguments"),
      std::string::npos);
  EXPECT_NE(run(*m, "other", l, {}).text().find("no kernel named other"),
            std::string::npos);
}
