//===- Harness.h - Small kernels for the interpreter's tests ----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_TEST_SIM_HARNESS_H
#define MXFP4_TEST_SIM_HARNESS_H

#include "mxfp4/Sim/Sim.h"

#include "gtest/gtest.h"

#include <cstring>
#include <functional>

namespace mxfp4::sim {

/// A module around a kernel named k. Registers p, h (16 bits), r, d (64 bits)
/// are declared.
inline std::string kernel(const std::string &Params, const std::string &Body,
                          const std::string &Module = "",
                          const std::string &Directives = "") {
  return ".version 8.0\n.target sm_90a\n.address_size 64\n" + Module +
         ".visible .entry k(" + Params + ")" + Directives +
         "\n{\n.reg .pred %p<16>;\n.reg .b16 %h<32>;\n"
         ".reg .b32 %r<256>;\n.reg .b64 %d<64>;\n" +
         Body + "\n}\n";
}

inline std::unique_ptr<Module> parse(const std::string &Text) {
  std::vector<Diagnostic> Errors;
  auto M = Module::parse(Text, "test.ptx", Errors);
  for (const Diagnostic &D : Errors)
    ADD_FAILURE() << D.str();
  return M;
}

/// The first error of a module that must not parse.
inline std::string parseError(const std::string &Text) {
  std::vector<Diagnostic> Errors;
  auto M = Module::parse(Text, "test.ptx", Errors);
  EXPECT_EQ(M, nullptr);
  EXPECT_FALSE(Errors.empty());
  return Errors.empty() ? "" : Errors[0].str();
}

/// Runs "k(in, out)" over vectors; \p Out starts without values.
template <typename A, typename R>
Result runInOut(const std::string &Body, std::vector<A> In, std::vector<R> &Out,
                Dim3 Block = {32}, const std::string &Mod = "",
                Options Opts = {}, Dim3 Grid = {}) {
  auto M = parse(kernel(".param .u64 in, .param .u64 out",
                        "ld.param.u64 %d1, [in]; ld.param.u64 %d2, [out];\n"
                        "mov.u32 %r1, %tid.x;\n" +
                            Body,
                        Mod));
  if (!M)
    return {};
  Launch L;
  L.Block = Block;
  L.Grid = Grid;
  unsigned I = L.addBuffer(In.data(), In.size() * sizeof(A), {true, false});
  unsigned O = L.addBuffer(Out.data(), Out.size() * sizeof(R), {false, true});
  L.argBuffer(I);
  L.argBuffer(O);
  return run(*M, "k", L, Opts);
}

/// One instruction on 32-bit operands a, b, c in %r10, %r11, %r12; its result
/// in %r20.
inline uint32_t eval(const std::string &Text, uint32_t A, uint32_t B = 0,
                     uint32_t C = 0) {
  std::vector<uint32_t> Out(1);
  Result R = runInOut("ld.global.u32 %r10, [%d1]; ld.global.u32 %r11, [%d1+4];"
                      "ld.global.u32 %r12, [%d1+8];\n" +
                          Text + "\nst.global.u32 [%d2], %r20; ret;",
                      std::vector<uint32_t>{A, B, C}, Out, {1});
  EXPECT_EQ(R.text(), "") << Text;
  return Out[0];
}
inline uint64_t eval64(const std::string &Text, uint64_t A, uint64_t B = 0,
                       uint64_t C = 0) {
  std::vector<uint64_t> Out(1);
  Result R = runInOut("ld.global.u64 %d10, [%d1]; ld.global.u64 %d11, [%d1+8];"
                      "ld.global.u64 %d12, [%d1+16];\n" +
                          Text + "\nst.global.u64 [%d2], %d20; ret;",
                      std::vector<uint64_t>{A, B, C}, Out, {1});
  EXPECT_EQ(R.text(), "") << Text;
  return Out[0];
}
inline uint32_t bitsOf(float F) {
  uint32_t B;
  std::memcpy(&B, &F, 4);
  return B;
}
inline float floatOf(uint32_t B) {
  float F;
  std::memcpy(&F, &B, 4);
  return F;
}

} // namespace mxfp4::sim

#endif // MXFP4_TEST_SIM_HARNESS_H
