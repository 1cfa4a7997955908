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

[[noreturn]] void fail(const std::string &why) {
  std::fflush(stdout);
  std::fprintf(stderr, "mxfp4-sim runtime: %s\n", why.c_str());
  std::exit(1);
}

/// Memory that kernels may use: begin to size.
class Heap {
public:
  void *allocate(size_t size, size_t align) {
    align = std::max(align, sizeof(void *));
    void *memory = std::aligned_alloc(align, (size + align) / align * align);
    if (!memory)
      fail("out of memory: " + std::to_string(size) + " bytes");
    std::lock_guard<std::mutex> lock(mutex);
    blocks[static_cast<uint8_t *>(memory)] = size;
    return memory;
  }
  void release(void *memory) {
    {
      std::lock_guard<std::mutex> lock(mutex);
      blocks.erase(static_cast<uint8_t *>(memory));
    }
    std::free(memory);
  }
  /// The block that holds an address, if any.
  bool find(uint8_t *address, uint8_t *&begin, size_t &size) {
    std::lock_guard<std::mutex> lock(mutex);
    auto after = blocks.upper_bound(address);
    if (after == blocks.begin())
      return false;
    --after;
    begin = after->first;
    size = after->second;
    return address <= begin + size;
  }

private:
  std::mutex mutex;
  std::map<uint8_t *, size_t> blocks;
};

struct Function {
  const sim::Module *code;
  sim::KernelInfo info;
  std::string name;
};

Heap &heap() {
  static Heap blocks;
  return blocks;
}

/// What `mxfp4_encode_tensor_map` was asked for; the interpreter's map needs
/// addresses that exist from the launch on.
struct MapRequest {
  uint8_t *data;
  int64_t rows, columns, boxRows;
  uint64_t magic;
};
constexpr size_t kMapBytes = 128;
constexpr uint64_t kMapMagic = 0x70616d2d726f736e; // "nsor-map"

/// Activations as mxfp4.make_tensor_map describes them: boxes of several
/// heights over the same memory.
void addTensorMaps(sim::Launch &l, const std::vector<MapRequest> &requests,
                   const std::string &name) {
  uint8_t *begin = nullptr;
  size_t size = 0;
  if (!heap().find(requests[0].data, begin, size))
    fail("the tensor map '" + name + "' describes memory that is not ours");
  const unsigned buffer = l.addBuffer(begin, size, {}, name);
  std::vector<uint8_t> bytes;
  for (const MapRequest &request : requests) {
    sim::TensorMap map;
    map.base = l.address(buffer) + (request.data - begin);
    map.rank = 2;
    map.dims = {uint64_t(request.columns), uint64_t(request.rows)};
    map.strides = {uint64_t(request.columns) * 2};
    map.box = {64, uint32_t(request.boxRows)};
    map.swizzling = sim::TensorMap::Swizzle::B128;
    if (std::string why = map.verify(); !why.empty())
      fail(("the tensor map '" + name).append("': ").append(why));
    const std::array<uint8_t, 128> encoded = map.encode();
    bytes.insert(bytes.end(), encoded.begin(), encoded.end());
  }
  l.argBytes(bytes.data(), bytes.size());
}

/// Passes a parameter on: addresses of host memory become buffers.
void addArgument(sim::Launch &l, const sim::KernelInfo::Param &p,
                 const void *value) {
  uint8_t *address = nullptr, *begin = nullptr;
  size_t size = 0;
  std::vector<MapRequest> maps(p.size % kMapBytes == 0 ? p.size / kMapBytes
                                                       : 0);
  for (size_t i = 0; i < maps.size(); ++i)
    std::memcpy(static_cast<void *>(&maps[i]),
                static_cast<const uint8_t *>(value) + i * kMapBytes,
                sizeof(MapRequest));
  if (!maps.empty() && maps[0].magic == kMapMagic)
    return addTensorMaps(l, maps, p.name);
  if (p.size == sizeof(address))
    std::memcpy(static_cast<void *>(&address), value, sizeof(address));
  if (address && heap().find(address, begin, size))
    l.argBuffer(l.addBuffer(begin, size, {}, p.name), address - begin);
  else
    l.argBytes(value, p.size);
}

} // namespace

// Names of functions are MLIR's.
// NOLINTBEGIN(readability-identifier-naming)
EXPORT void *_mlir_memref_to_llvm_alloc(size_t size) {
  return heap().allocate(size, 64);
}
EXPORT void *_mlir_memref_to_llvm_aligned_alloc(size_t align, size_t size) {
  return heap().allocate(size, align);
}
EXPORT void _mlir_memref_to_llvm_free(void *memory) { heap().release(memory); }
// NOLINTEND(readability-identifier-naming)

EXPORT void *mgpuModuleLoadJIT(void *text, int, size_t) {
  std::vector<sim::Diagnostic> errors;
  auto code =
      sim::Module::parse(static_cast<const char *>(text), "kernel.ptx", errors);
  if (!code)
    fail("the interpreter does not understand the PTX: " +
         (errors.empty() ? std::string() : errors[0].str()));
  return code.release();
}
EXPORT void *mgpuModuleLoad(void *, size_t) {
  fail("a cubin cannot be interpreted; lower with format=isa");
}
EXPORT void mgpuModuleUnload(void *code) {
  delete static_cast<sim::Module *>(code);
}
EXPORT void *mgpuModuleGetFunction(void *code, const char *name) {
  const auto *m = static_cast<const sim::Module *>(code);
  // Modules own their functions; there is no call that would free one.
  static std::mutex mutex;
  static std::map<std::pair<const void *, std::string>, Function> functions;
  std::lock_guard<std::mutex> lock(mutex);
  for (const sim::KernelInfo &info : m->kernels())
    if (info.name == name)
      return &(functions[{code, name}] = Function{m, info, name});
  fail("no kernel '" + std::string(name) + "' in the module");
}

EXPORT void mgpuLaunchKernel(void *handle, intptr_t gridX, intptr_t gridY,
                             intptr_t gridZ, intptr_t blockX, intptr_t blockY,
                             intptr_t blockZ, int32_t shared, void *,
                             void **params, void **, size_t) {
  const auto &f = *static_cast<const Function *>(handle);
  auto dim = [](intptr_t value) { return static_cast<uint32_t>(value); };
  sim::Launch l;
  l.grid = {dim(gridX), dim(gridY), dim(gridZ)};
  l.block = {dim(blockX), dim(blockY), dim(blockZ)};
  l.dynamicShared = static_cast<uint32_t>(shared);
  for (size_t i = 0; i < f.info.params.size(); ++i)
    addArgument(l, f.info.params[i], params[i]);
  sim::Result r = sim::run(*f.code, f.name, l, {});
  if (!r.ok())
    fail("kernel " + f.name + ":\n" + r.text());
  if (std::getenv("MXFP4_SIM_REPORT"))
    std::fprintf(stderr, "kernel %s\n%s\n", f.name.c_str(),
                 r.statistics.report().c_str());
}

EXPORT void mxfp4_encode_tensor_map(void *map, const void *x, int64_t rows,
                                    int64_t columns, int64_t boxRows) {
  const MapRequest request{static_cast<uint8_t *>(const_cast<void *>(x)), rows,
                           columns, boxRows, kMapMagic};
  std::memset(map, 0, kMapBytes);
  std::memcpy(map, &request, sizeof(request));
}

EXPORT void *mgpuStreamCreate() { return nullptr; }
EXPORT void mgpuStreamDestroy(void *) {}
EXPORT void mgpuStreamSynchronize(void *) {}
