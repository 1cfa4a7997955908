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
inline std::string kernel(const std::string &params, const std::string &body,
                          const std::string &module = "",
                          const std::string &directives = "") {
  return ".version 8.0\n.target sm_90a\n.address_size 64\n" + module +
         ".visible .entry k(" + params + ")" + directives +
         "\n{\n.reg .pred %p<16>;\n.reg .b16 %h<32>;\n"
         ".reg .b32 %r<256>;\n.reg .b64 %d<64>;\n" +
         body + "\n}\n";
}

inline std::unique_ptr<Module> parse(const std::string &text) {
  std::vector<Diagnostic> errors;
  auto m = Module::parse(text, "test.ptx", errors);
  for (const Diagnostic &d : errors)
    ADD_FAILURE() << d.str();
  return m;
}

/// The first error of a module that must not parse.
inline std::string parseError(const std::string &text) {
  std::vector<Diagnostic> errors;
  auto m = Module::parse(text, "test.ptx", errors);
  EXPECT_EQ(m, nullptr);
  EXPECT_FALSE(errors.empty());
  return errors.empty() ? "" : errors[0].str();
}

/// Runs "k(in, out)" over vectors; \p out starts without values.
template <typename A, typename R>
Result runInOut(const std::string &body, std::vector<A> in, std::vector<R> &out,
                Dim3 block = {32}, const std::string &mod = "",
                Options opts = {}, Dim3 grid = {}) {
  auto m = parse(kernel(".param .u64 in, .param .u64 out",
                        "ld.param.u64 %d1, [in]; ld.param.u64 %d2, [out];\n"
                        "mov.u32 %r1, %tid.x;\n" +
                            body,
                        mod));
  if (!m)
    return {};
  Launch l;
  l.block = block;
  l.grid = grid;
  unsigned i = l.addBuffer(in.data(), in.size() * sizeof(A), {true, false});
  unsigned o = l.addBuffer(out.data(), out.size() * sizeof(R), {false, true});
  l.argBuffer(i);
  l.argBuffer(o);
  return run(*m, "k", l, opts);
}

/// One instruction on 32-bit operands a, b, c in %r10, %r11, %r12; its result
/// in %r20.
inline uint32_t eval(const std::string &text, uint32_t a, uint32_t b = 0,
                     uint32_t c = 0) {
  std::vector<uint32_t> out(1);
  Result r = runInOut("ld.global.u32 %r10, [%d1]; ld.global.u32 %r11, [%d1+4];"
                      "ld.global.u32 %r12, [%d1+8];\n" +
                          text + "\nst.global.u32 [%d2], %r20; ret;",
                      std::vector<uint32_t>{a, b, c}, out, {1});
  EXPECT_EQ(r.text(), "") << text;
  return out[0];
}
inline uint64_t eval64(const std::string &text, uint64_t a, uint64_t b = 0,
                       uint64_t c = 0) {
  std::vector<uint64_t> out(1);
  Result r = runInOut("ld.global.u64 %d10, [%d1]; ld.global.u64 %d11, [%d1+8];"
                      "ld.global.u64 %d12, [%d1+16];\n" +
                          text + "\nst.global.u64 [%d2], %d20; ret;",
                      std::vector<uint64_t>{a, b, c}, out, {1});
  EXPECT_EQ(r.text(), "") << text;
  return out[0];
}
inline uint32_t bitsOf(float f) {
  uint32_t b;
  std::memcpy(&b, &f, 4);
  return b;
}
inline float floatOf(uint32_t b) {
  float f;
  std::memcpy(&f, &b, 4);
  return f;
}

} // namespace mxfp4::sim

#endif // MXFP4_TEST_SIM_HARNESS_H
