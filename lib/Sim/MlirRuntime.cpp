//===- MlirRuntime.cpp - MLIR's GPU runtime, on the interpreter -----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The functions that `gpu-to-llvm` calls, as libmlir_cuda_runtime.so has them
// for a GPU: a module that was lowered to host code and PTX runs under
// mlir-runner on a machine without one. Host memory is device memory, and comes
// from here, so that kernels see where it ends: lower memrefs with
// `finalize-memref-to-llvm{use-generic-functions}`. A finding of the
// interpreter is printed and ends the program, as a failing launch would.
//
// With MXFP4_SIM_REPORT in the environment, each launch prints what it cost.
//
//===----------------------------------------------------------------------===//

#include "mxfp4/Sim/Sim.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>

using namespace mxfp4;

#define EXPORT extern "C" __attribute__((visibility("default")))

namespace {

[[noreturn]] void fail(const std::string &Why) {
  std::fflush(stdout);
  std::fprintf(stderr, "mxfp4-sim runtime: %s\n", Why.c_str());
  std::exit(1);
}

/// Memory that kernels may use: begin to size.
class Heap {
public:
  void *allocate(size_t Size, size_t Align) {
    Align = std::max(Align, sizeof(void *));
    void *Memory = std::aligned_alloc(Align, (Size + Align) / Align * Align);
    if (!Memory)
      fail("out of memory: " + std::to_string(Size) + " bytes");
    std::lock_guard<std::mutex> Lock(Mutex);
    Blocks[static_cast<uint8_t *>(Memory)] = Size;
    return Memory;
  }
  void release(void *Memory) {
    {
      std::lock_guard<std::mutex> Lock(Mutex);
      Blocks.erase(static_cast<uint8_t *>(Memory));
    }
    std::free(Memory);
  }
  /// The block that holds an address, if any.
  bool find(uint8_t *Address, uint8_t *&Begin, size_t &Size) {
    std::lock_guard<std::mutex> Lock(Mutex);
    auto After = Blocks.upper_bound(Address);
    if (After == Blocks.begin())
      return false;
    --After;
    Begin = After->first;
    Size = After->second;
    return Address <= Begin + Size;
  }

private:
  std::mutex Mutex;
  std::map<uint8_t *, size_t> Blocks;
};

struct Function {
  const sim::Module *Code;
  sim::KernelInfo Info;
  std::string Name;
};

Heap &heap() {
  static Heap Blocks;
  return Blocks;
}

/// What `mxfp4_encode_tensor_map` was asked for; the interpreter's map needs
/// addresses that exist from the launch on.
struct MapRequest {
  uint8_t *Data;
  int64_t Rows, Columns, BoxRows;
  uint64_t Magic;
};
constexpr size_t kMapBytes = 128;
constexpr uint64_t kMapMagic = 0x70616d2d726f736e; // "nsor-map"

/// Activations as mxfp4.make_tensor_map describes them: boxes of several
/// heights over the same memory.
void addTensorMaps(sim::Launch &L, const std::vector<MapRequest> &Requests,
                   const std::string &Name) {
  uint8_t *Begin = nullptr;
  size_t Size = 0;
  if (!heap().find(Requests[0].Data, Begin, Size))
    fail("the tensor map '" + Name + "' describes memory that is not ours");
  const unsigned Buffer = L.addBuffer(Begin, Size, {}, Name);
  std::vector<uint8_t> Bytes;
  for (const MapRequest &Request : Requests) {
    sim::TensorMap Map;
    Map.Base = L.address(Buffer) + (Request.Data - Begin);
    Map.Rank = 2;
    Map.Dims = {uint64_t(Request.Columns), uint64_t(Request.Rows)};
    Map.Strides = {uint64_t(Request.Columns) * 2};
    Map.Box = {64, uint32_t(Request.BoxRows)};
    Map.Swizzling = sim::TensorMap::Swizzle::B128;
    if (std::string Why = Map.verify(); !Why.empty())
      fail(("the tensor map '" + Name).append("': ").append(Why));
    const std::array<uint8_t, 128> Encoded = Map.encode();
    Bytes.insert(Bytes.end(), Encoded.begin(), Encoded.end());
  }
  L.argBytes(Bytes.data(), Bytes.size());
}

/// Passes a parameter on: addresses of host memory become buffers.
void addArgument(sim::Launch &L, const sim::KernelInfo::Param &P,
                 const void *Value) {
  uint8_t *Address = nullptr, *Begin = nullptr;
  size_t Size = 0;
  std::vector<MapRequest> Maps(P.Size % kMapBytes == 0 ? P.Size / kMapBytes
                                                       : 0);
  for (size_t I = 0; I < Maps.size(); ++I)
    std::memcpy(static_cast<void *>(&Maps[I]),
                static_cast<const uint8_t *>(Value) + I * kMapBytes,
                sizeof(MapRequest));
  if (!Maps.empty() && Maps[0].Magic == kMapMagic)
    return addTensorMaps(L, Maps, P.Name);
  if (P.Size == sizeof(Address))
    std::memcpy(static_cast<void *>(&Address), Value, sizeof(Address));
  if (Address && heap().find(Address, Begin, Size))
    L.argBuffer(L.addBuffer(Begin, Size, {}, P.Name), Address - Begin);
  else
    L.argBytes(Value, P.Size);
}

} // namespace

// Names are MLIR's.
// NOLINTBEGIN(readability-identifier-naming)
EXPORT void *_mlir_memref_to_llvm_alloc(size_t Size) {
  return heap().allocate(Size, 64);
}
EXPORT void *_mlir_memref_to_llvm_aligned_alloc(size_t Align, size_t Size) {
  return heap().allocate(Size, Align);
}
EXPORT void _mlir_memref_to_llvm_free(void *Memory) { heap().release(Memory); }
// NOLINTEND(readability-identifier-naming)

EXPORT void *mgpuModuleLoadJIT(void *Text, int, size_t) {
  std::vector<sim::Diagnostic> Errors;
  auto Code =
      sim::Module::parse(static_cast<const char *>(Text), "kernel.ptx", Errors);
  if (!Code)
    fail("the interpreter does not understand the PTX: " +
         (Errors.empty() ? std::string() : Errors[0].str()));
  return Code.release();
}
EXPORT void *mgpuModuleLoad(void *, size_t) {
  fail("a cubin cannot be interpreted; lower with format=isa");
}
EXPORT void mgpuModuleUnload(void *Code) {
  delete static_cast<sim::Module *>(Code);
}
EXPORT void *mgpuModuleGetFunction(void *Code, const char *Name) {
  const auto *M = static_cast<const sim::Module *>(Code);
  // Modules own their functions; there is no call that would free one.
  static std::mutex Mutex;
  static std::map<std::pair<const void *, std::string>, Function> Functions;
  std::lock_guard<std::mutex> Lock(Mutex);
  for (const sim::KernelInfo &Info : M->kernels())
    if (Info.Name == Name)
      return &(Functions[{Code, Name}] = Function{M, Info, Name});
  fail("no kernel '" + std::string(Name) + "' in the module");
}

EXPORT void mgpuLaunchKernel(void *Handle, intptr_t GridX, intptr_t GridY,
                             intptr_t GridZ, intptr_t BlockX, intptr_t BlockY,
                             intptr_t BlockZ, int32_t Shared, void *,
                             void **Params, void **, size_t) {
  const auto &F = *static_cast<const Function *>(Handle);
  auto dim = [](intptr_t Value) { return static_cast<uint32_t>(Value); };
  sim::Launch L;
  L.Grid = {dim(GridX), dim(GridY), dim(GridZ)};
  L.Block = {dim(BlockX), dim(BlockY), dim(BlockZ)};
  L.DynamicShared = static_cast<uint32_t>(Shared);
  for (size_t I = 0; I < F.Info.Params.size(); ++I)
    addArgument(L, F.Info.Params[I], Params[I]);
  sim::Result R = sim::run(*F.Code, F.Name, L, {});
  if (!R.ok())
    fail("kernel " + F.Name + ":\n" + R.text());
  if (std::getenv("MXFP4_SIM_REPORT"))
    std::fprintf(stderr, "kernel %s\n%s\n", F.Name.c_str(),
                 R.Statistics.report().c_str());
}

EXPORT void mxfp4_encode_tensor_map(void *Map, const void *X, int64_t Rows,
                                    int64_t Columns, int64_t BoxRows) {
  const MapRequest Request{static_cast<uint8_t *>(const_cast<void *>(X)), Rows,
                           Columns, BoxRows, kMapMagic};
  std::memset(Map, 0, kMapBytes);
  std::memcpy(Map, &Request, sizeof(Request));
}

EXPORT void *mgpuStreamCreate() { return nullptr; }
EXPORT void mgpuStreamDestroy(void *) {}
EXPORT void mgpuStreamSynchronize(void *) {}
