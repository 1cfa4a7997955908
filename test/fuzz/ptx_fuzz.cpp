//===- ptx_fuzz.cpp - Fuzz the PTX interpreter ----------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Any text either gives diagnostics or a module. Kernels of a module run for a
// while, on small buffers, without harm to the host, also if another kernel of
// the module is not understood, or if they call device functions. A NUL at the
// end of the text does not change the module.
//
//===----------------------------------------------------------------------===//

#include "mxfp4/Sim/Sim.h"

#include <cstring>

using namespace mxfp4::sim;

namespace {

void launch(const Module &m, const KernelInfo &k) {
  Launch l;
  l.block = k.requiredBlock.x ? k.requiredBlock : Dim3{64};
  l.grid = {2};
  l.dynamicShared = 1024;
  std::vector<uint8_t> a(512), b(512);
  unsigned in = l.addBuffer(a.data(), a.size(), {true, false});
  unsigned out = l.addBuffer(b.data(), b.size(), {false, true});
  for (const KernelInfo::Param &p : k.params) {
    std::vector<uint8_t> bytes(p.size, 1);
    uint64_t address = l.address(l.args.size() % 2 ? out : in);
    if (p.size == 8)
      std::memcpy(bytes.data(), &address, 8);
    if (p.size == 128) {
      TensorMap t;
      t.base = l.address(in);
      t.rank = 2;
      t.elementBytes = 2;
      t.dims = {16, 16, 1, 1, 1};
      t.strides = {32, 0, 0, 0};
      t.box = {8, 8, 1, 1, 1};
      l.argTensorMap(t);
      continue;
    }
    l.argBytes(bytes.data(), bytes.size());
  }
  Options o;
  o.maxInstructions = 20000;
  o.maxDiagnostics = 50;
  run(m, k.name, l, o);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const std::string text(reinterpret_cast<const char *>(data), size);
  std::vector<Diagnostic> errors, again;
  auto m = Module::parse(text, "fuzz", errors);
  if (!m != !Module::parse(text + '\0', "fuzz", again))
    __builtin_trap();
  if (!m) {
    if (errors.empty())
      __builtin_trap();
    return 0;
  }
  const std::vector<KernelInfo> &kernels = m->kernels();
  for (size_t n = 0; n < kernels.size() && n < 3; ++n)
    launch(*m, kernels[n]);
  return 0;
}
