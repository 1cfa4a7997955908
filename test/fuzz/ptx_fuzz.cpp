//===- ptx_fuzz.cpp - Fuzz the PTX interpreter ----------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Any text either gives diagnostics or a module; and kernels of a module run
// for a while, on small buffers, without harm to the host: those that are not
// understood beside others, and those that call device functions, as well. What
// stands in front of a NUL at the end is the same module.
//
//===----------------------------------------------------------------------===//

#include "mxfp4/Sim/Sim.h"

#include <cstring>

using namespace mxfp4::sim;

namespace {

void launch(const Module &M, const KernelInfo &K) {
  Launch L;
  L.Block = K.RequiredBlock.X ? K.RequiredBlock : Dim3{64};
  L.Grid = {2};
  L.DynamicShared = 1024;
  std::vector<uint8_t> A(512), B(512);
  unsigned In = L.addBuffer(A.data(), A.size(), {true, false});
  unsigned Out = L.addBuffer(B.data(), B.size(), {false, true});
  for (const KernelInfo::Param &P : K.Params) {
    std::vector<uint8_t> Bytes(P.Size, 1);
    uint64_t Address = L.address(L.Args.size() % 2 ? Out : In);
    if (P.Size == 8)
      std::memcpy(Bytes.data(), &Address, 8);
    if (P.Size == 128) {
      TensorMap T;
      T.Base = L.address(In);
      T.Rank = 2;
      T.ElementBytes = 2;
      T.Dims = {16, 16, 1, 1, 1};
      T.Strides = {32, 0, 0, 0};
      T.Box = {8, 8, 1, 1, 1};
      L.argTensorMap(T);
      continue;
    }
    L.argBytes(Bytes.data(), Bytes.size());
  }
  Options O;
  O.MaxInstructions = 20000;
  O.MaxDiagnostics = 50;
  run(M, K.Name, L, O);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *Data, size_t Size) {
  const std::string Text(reinterpret_cast<const char *>(Data), Size);
  std::vector<Diagnostic> Errors, Again;
  auto M = Module::parse(Text, "fuzz", Errors);
  if (!M != !Module::parse(Text + '\0', "fuzz", Again))
    __builtin_trap();
  if (!M) {
    if (Errors.empty())
      __builtin_trap();
    return 0;
  }
  const std::vector<KernelInfo> &Kernels = M->kernels();
  for (size_t N = 0; N < Kernels.size() && N < 3; ++N)
    launch(*M, Kernels[N]);
  return 0;
}
