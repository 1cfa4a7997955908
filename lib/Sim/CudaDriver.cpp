//===- CudaDriver.cpp - The interpreter as CUDA's driver ------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// libmxfp4-sim-cuda.so has the functions of libcuda that a launcher calls: one
// device, an H100 with as many multiprocessors as MXFP4_SIM_MULTIPROCESSORS
// says (2 if it does not). Memory is the host's, so that a program may fill and
// read it at the address that cuMemAlloc gave; kernels see where each
// allocation ends. Launches run to their end before they return. A finding of
// the interpreter is printed, and the launch fails as one with a wrong access
// does (CUDA error 700).
//
// With MXFP4_SIM_REPORT in the environment, each launch prints what it cost.
//
//===----------------------------------------------------------------------===//

#include "mxfp4/Sim/Sim.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>

using namespace mxfp4;

#define EXPORT extern "C" __attribute__((visibility("default")))

namespace {

enum Status {
  kSuccess = 0,
  kInvalidValue = 1,
  kOutOfMemory = 2,
  kNoBinary = 209,
  kInvalidPtx = 218,
  kNotFound = 500,
  kIllegalAddress = 700
};

struct Module {
  std::unique_ptr<sim::Module> Code;
};

struct Function {
  const Module *Owner;
  const sim::KernelInfo *Info;
  uint32_t MostShared = 48 << 10;
};

/// An allocation: a page of nothing lies on both sides, as buffers of the
/// interpreter must be apart.
struct Block {
  uint8_t *Data;
  size_t Size;
  void *Whole;
};

struct State {
  std::mutex Mutex;
  std::vector<Block> Blocks;
  std::vector<std::unique_ptr<Module>> Modules;
  std::vector<std::unique_ptr<Function>> Functions;
  std::string Message;
};

State &state() {
  static State All;
  return All;
}
thread_local int Depth = 0;

int fail(Status Code, std::string Message) {
  state().Message = std::move(Message);
  return Code;
}

int multiprocessors() {
  const char *Text = std::getenv("MXFP4_SIM_MULTIPROCESSORS");
  return Text ? int(std::clamp(std::strtol(Text, nullptr, 10), 1L, 1024L)) : 2;
}

/// CUlaunchAttribute and CUlaunchConfig of cuda.h.
struct Attribute {
  int Id, Padding, Value;
  char Rest[60];
};
struct Config {
  uint32_t Grid[3], Block[3], Shared;
  void *Stream;
  const Attribute *Attributes;
  uint32_t Count;
};
constexpr int kProgrammatic = 6;

/// Runs a launch on all memory; the caller holds the lock.
int run(const Function &F, const Config &C, void **Values) {
  sim::Launch L;
  L.Grid = {C.Grid[0], C.Grid[1], C.Grid[2]};
  L.Block = {C.Block[0], C.Block[1], C.Block[2]};
  L.DynamicShared = C.Shared;
  for (const Block &B : state().Blocks)
    L.addBuffer(B.Data, B.Size, {}, "", reinterpret_cast<uint64_t>(B.Data));
  for (size_t I = 0; I < F.Info->Params.size(); ++I)
    L.argBytes(Values[I], F.Info->Params[I].Size);
  sim::Options Options;
  for (uint32_t I = 0; I < C.Count; ++I)
    if (C.Attributes[I].Id == kProgrammatic)
      Options.Programmatic = C.Attributes[I].Value != 0;
  const sim::Result R = sim::run(*F.Owner->Code, F.Info->Name, L, Options);
  if (std::getenv("MXFP4_SIM_REPORT"))
    std::fprintf(stderr, "kernel %s\n%s\n", F.Info->Name.c_str(),
                 R.Statistics.report().c_str());
  if (R.ok())
    return kSuccess;
  std::fprintf(stderr, "kernel %s:\n%s\n", F.Info->Name.c_str(),
               R.text().c_str());
  return fail(kIllegalAddress, "the interpreter found hazards");
}

} // namespace

// Names are CUDA's.
// NOLINTBEGIN(readability-identifier-naming)
EXPORT int cuInit(unsigned) { return kSuccess; }
EXPORT int cuDriverGetVersion(int *Version) { return *Version = 13000, 0; }
EXPORT int cuGetErrorString(int Code, const char **Text) {
  static thread_local std::string Copy;
  const std::lock_guard<std::mutex> Lock(state().Mutex);
  Copy = state().Message.empty() ? "error " + std::to_string(Code)
                                 : state().Message;
  return *Text = Copy.c_str(), 0;
}

EXPORT int cuDeviceGetCount(int *Count) { return *Count = 1, 0; }
EXPORT int cuDeviceGet(int *Device, int Ordinal) {
  return *Device = Ordinal, Ordinal ? kInvalidValue : kSuccess;
}
EXPORT int cuDeviceGetName(char *Name, int Size, int) {
  std::snprintf(Name, size_t(Size), "PTX interpreter");
  return kSuccess;
}
EXPORT int cuDeviceGetAttribute(int *Value, int Attribute, int) {
  switch (Attribute) {
  case 16: // multiprocessors
    return *Value = multiprocessors(), 0;
  case 75: // compute capability
    return *Value = 9, 0;
  case 76:
    return *Value = 0, 0;
  case 81: // shared memory of a multiprocessor
    return *Value = 233472, 0;
  case 97: // of a CTA that asks for it
    return *Value = 232448, 0;
  default:
    return kInvalidValue;
  }
}

EXPORT int cuDevicePrimaryCtxRetain(void **Context, int) {
  return *Context = &state(), 0;
}
EXPORT int cuDevicePrimaryCtxRelease_v2(int) { return kSuccess; }
EXPORT int cuCtxPushCurrent_v2(void *) { return ++Depth, 0; }
EXPORT int cuCtxPopCurrent_v2(void **Context) {
  return *Context = &state(), --Depth, 0;
}
EXPORT int cuCtxGetCurrent(void **Context) {
  return *Context = Depth > 0 ? &state() : nullptr, 0;
}
EXPORT int cuCtxSynchronize() { return kSuccess; }

EXPORT int cuMemAlloc_v2(uint64_t *Address, size_t Size) {
  constexpr size_t kPage = 4096;
  const size_t Rounded = (Size + kPage - 1) / kPage * kPage;
  if (!Size)
    return kInvalidValue;
  auto *Whole = Rounded < Size ? nullptr
                               : static_cast<uint8_t *>(std::aligned_alloc(
                                     kPage, Rounded + 2 * kPage));
  if (!Whole)
    return kOutOfMemory;
  // NaN, whatever is read as.
  std::memset(Whole, 0xff, Rounded + 2 * kPage);
  const std::lock_guard<std::mutex> Lock(state().Mutex);
  state().Blocks.push_back({Whole + kPage, Size, Whole});
  *Address = reinterpret_cast<uint64_t>(Whole + kPage);
  return kSuccess;
}
EXPORT int cuMemFree_v2(uint64_t Address) {
  const std::lock_guard<std::mutex> Lock(state().Mutex);
  auto &Blocks = state().Blocks;
  for (auto At = Blocks.begin(); At != Blocks.end(); ++At) {
    if (reinterpret_cast<uint64_t>(At->Data) != Address)
      continue;
    std::free(At->Whole);
    Blocks.erase(At);
    return kSuccess;
  }
  return kInvalidValue;
}
// A CUdeviceptr is a number, which is passed as a pointer is.
EXPORT int cuMemsetD32_v2(void *Address, unsigned Value, size_t Count) {
  std::fill_n(static_cast<unsigned *>(Address), Count, Value);
  return kSuccess;
}
EXPORT int cuMemcpyHtoD_v2(void *To, const void *From, size_t Size) {
  std::memcpy(To, From, Size);
  return kSuccess;
}
EXPORT int cuMemcpyDtoH_v2(void *To, const void *From, size_t Size) {
  std::memcpy(To, From, Size);
  return kSuccess;
}
EXPORT int cuPointerGetAttribute(void *Value, int, uint64_t) {
  return *static_cast<int *>(Value) = 0, 0;
}

EXPORT int cuStreamSynchronize(void *) { return kSuccess; }
EXPORT int cuStreamIsCapturing(void *, int *Is) { return *Is = 0, 0; }
EXPORT int cuStreamGetId(void *Stream, unsigned long long *Id) {
  return *Id = reinterpret_cast<uintptr_t>(Stream), 0;
}

EXPORT int cuModuleLoadData(void **Handle, const void *Image) {
  const auto *Text = static_cast<const char *>(Image);
  const std::lock_guard<std::mutex> Lock(state().Mutex);
  if (std::strncmp(Text,
                   "\x7f"
                   "ELF",
                   4) == 0)
    return fail(kNoBinary, "machine code cannot be interpreted");
  std::vector<sim::Diagnostic> Errors;
  auto Loaded = std::make_unique<Module>();
  Loaded->Code = sim::Module::parse(Text, "kernel.ptx", Errors);
  if (!Loaded->Code)
    return fail(kInvalidPtx,
                Errors.empty() ? "this is no PTX" : Errors[0].str());
  *Handle = Loaded.get();
  state().Modules.push_back(std::move(Loaded));
  return kSuccess;
}
EXPORT int cuModuleUnload(void *Handle) {
  const std::lock_guard<std::mutex> Lock(state().Mutex);
  auto Erase = [](auto &List, auto Is) {
    List.erase(std::remove_if(List.begin(), List.end(), Is), List.end());
  };
  Erase(state().Functions,
        [&](const auto &Each) { return Each->Owner == Handle; });
  Erase(state().Modules,
        [&](const auto &Each) { return Each.get() == Handle; });
  return kSuccess;
}
EXPORT int cuModuleGetFunction(void **Handle, void *Owner, const char *Name) {
  const std::lock_guard<std::mutex> Lock(state().Mutex);
  const auto *Of = static_cast<const Module *>(Owner);
  for (const sim::KernelInfo &Info : Of->Code->kernels()) {
    if (Info.Name != Name)
      continue;
    state().Functions.push_back(
        std::make_unique<Function>(Function{Of, &Info}));
    return *Handle = state().Functions.back().get(), 0;
  }
  return fail(kNotFound, "the PTX has no such kernel");
}
EXPORT int cuFuncSetAttribute(void *Handle, int Attribute, int Value) {
  constexpr int kMaxDynamicShared = 8;
  if (Attribute == kMaxDynamicShared)
    static_cast<Function *>(Handle)->MostShared = uint32_t(Value);
  return kSuccess;
}

EXPORT int cuTensorMapEncodeTiled(void *Out, int DataType, uint32_t Rank,
                                  void *Base, const uint64_t *Sizes,
                                  const uint64_t *Strides, const uint32_t *Box,
                                  const uint32_t *Steps, int Interleave,
                                  int Swizzle, int, int Fill) {
  static constexpr unsigned kBytes[] = {1, 2, 4, 4, 8, 8, 2, 4, 8, 2};
  const std::lock_guard<std::mutex> Lock(state().Mutex);
  if (DataType < 0 || DataType > 9 || Interleave || Rank < 1 || Rank > 5 ||
      Swizzle < 0 || Swizzle > 3)
    return fail(kInvalidValue, "such tensor maps are not interpreted");
  sim::TensorMap Map;
  Map.Base = reinterpret_cast<uint64_t>(Base);
  Map.Rank = Rank;
  Map.ElementBytes = kBytes[DataType];
  std::copy_n(Sizes, Rank, Map.Dims.begin());
  std::copy_n(Strides, Rank - 1, Map.Strides.begin());
  std::copy_n(Box, Rank, Map.Box.begin());
  std::copy_n(Steps, Rank, Map.ElementStrides.begin());
  Map.Swizzling = static_cast<sim::TensorMap::Swizzle>(Swizzle);
  Map.FillNaN = Fill != 0;
  if (std::string Why = Map.verify(); !Why.empty())
    return fail(kInvalidValue, Why);
  const std::array<uint8_t, 128> Encoded = Map.encode();
  std::memcpy(Out, Encoded.data(), Encoded.size());
  return kSuccess;
}

EXPORT int cuLaunchKernelEx(const Config *C, void *Handle, void **Values,
                            void **) {
  const auto *F = static_cast<const Function *>(Handle);
  const std::lock_guard<std::mutex> Lock(state().Mutex);
  if (C->Shared > F->MostShared)
    return fail(kInvalidValue, "the kernel did not ask for so much shared "
                               "memory");
  return run(*F, *C, Values);
}
// NOLINTEND(readability-identifier-naming)
