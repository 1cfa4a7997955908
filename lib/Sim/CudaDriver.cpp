//===- CudaDriver.cpp - The interpreter as CUDA's driver ------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// libmxfp4-sim-cuda.so has the functions of libcuda that a launcher calls: one
// device, an H100 with as many SMs as MXFP4_SIM_MULTIPROCESSORS
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
#include <pthread.h>

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
  std::unique_ptr<sim::Module> code;
};

struct Function {
  const Module *owner;
  const sim::KernelInfo *info;
  uint32_t mostShared = 48 << 10;
};

/// An allocation: a page of nothing lies on both sides, as buffers of the
/// interpreter must be apart.
struct Block {
  uint8_t *data;
  size_t size;
  void *whole;
};

struct State {
  std::mutex mutex;
  std::vector<Block> blocks;
  std::vector<std::unique_ptr<Module>> modules;
  std::vector<std::unique_ptr<Function>> functions;
  std::string message;
  /// By the launches, all of which are on one stream here.
  sim::Unended unended;
};

/// Never destroyed, since a thread may be in a launch when the process ends. A
/// process that forks waits for launches, which hold the lock.
State &state() {
  static State *const all = [] {
    pthread_atfork([] { state().mutex.lock(); }, [] { state().mutex.unlock(); },
                   [] { state().mutex.unlock(); });
    return new State;
  }();
  return *all;
}
thread_local int depth = 0;

int fail(Status code, std::string message) {
  state().message = std::move(message);
  return code;
}

int multiprocessors() {
  const char *text = std::getenv("MXFP4_SIM_MULTIPROCESSORS");
  return text ? int(std::clamp(std::strtol(text, nullptr, 10), 1L, 1024L)) : 2;
}

/// CUlaunchAttribute and CUlaunchConfig of cuda.h.
struct Attribute {
  int id, padding, value;
  char rest[60];
};
struct Config {
  uint32_t grid[3], block[3], shared;
  void *stream;
  const Attribute *attributes;
  uint32_t count;
};
constexpr int kProgrammatic = 6;

/// Runs a launch on all memory; the caller holds the lock.
int run(const Function &f, const Config &c, void **values) {
  sim::Launch l;
  l.grid = {c.grid[0], c.grid[1], c.grid[2]};
  l.block = {c.block[0], c.block[1], c.block[2]};
  l.dynamicShared = c.shared;
  for (const Block &b : state().blocks)
    l.addBuffer(b.data, b.size, {}, "", reinterpret_cast<uint64_t>(b.data));
  for (size_t i = 0; i < f.info->params.size(); ++i)
    l.argBytes(values[i], f.info->params[i].size);
  sim::Options options;
  for (uint32_t i = 0; i < c.count; ++i)
    if (c.attributes[i].id == kProgrammatic)
      options.programmatic = c.attributes[i].value != 0;
  options.unended = &state().unended;
  const sim::Result r = sim::run(*f.owner->code, f.info->name, l, options);
  if (std::getenv("MXFP4_SIM_REPORT"))
    std::fprintf(stderr, "kernel %s\n%s\n", f.info->name.c_str(),
                 r.statistics.report().c_str());
  if (r.ok())
    return kSuccess;
  std::fprintf(stderr, "kernel %s:\n%s\n", f.info->name.c_str(),
               r.text().c_str());
  return fail(kIllegalAddress, "the interpreter found hazards");
}

} // namespace

// Names of functions are CUDA's.
// NOLINTBEGIN(readability-identifier-naming)
EXPORT int cuInit(unsigned) { return kSuccess; }
EXPORT int cuDriverGetVersion(int *version) { return *version = 13000, 0; }
EXPORT int cuGetErrorString(int code, const char **text) {
  static thread_local std::string copy;
  const std::lock_guard<std::mutex> lock(state().mutex);
  copy = state().message.empty() ? "error " + std::to_string(code)
                                 : state().message;
  return *text = copy.c_str(), 0;
}

EXPORT int cuDeviceGetCount(int *count) { return *count = 1, 0; }
EXPORT int cuDeviceGet(int *device, int ordinal) {
  return *device = ordinal, ordinal ? kInvalidValue : kSuccess;
}
EXPORT int cuDeviceGetName(char *name, int size, int) {
  std::snprintf(name, size_t(size), "PTX interpreter");
  return kSuccess;
}
EXPORT int cuDeviceGetAttribute(int *value, int attribute, int) {
  switch (attribute) {
  case 16: // SMs
    return *value = multiprocessors(), 0;
  case 75: // compute capability
    return *value = 9, 0;
  case 76:
    return *value = 0, 0;
  case 81: // shared memory of an SM
    return *value = 233472, 0;
  case 97: // of a CTA that asks for it
    return *value = 232448, 0;
  default:
    return kInvalidValue;
  }
}

EXPORT int cuDevicePrimaryCtxRetain(void **context, int) {
  return *context = &state(), 0;
}
EXPORT int cuDevicePrimaryCtxRelease_v2(int) { return kSuccess; }
EXPORT int cuCtxPushCurrent_v2(void *) { return ++depth, 0; }
EXPORT int cuCtxPopCurrent_v2(void **context) {
  return *context = &state(), --depth, 0;
}
EXPORT int cuCtxGetCurrent(void **context) {
  return *context = depth > 0 ? &state() : nullptr, 0;
}
EXPORT int cuCtxSynchronize() { return kSuccess; }
/// The modes differ in what a capture forbids, and nothing is captured here.
EXPORT int cuThreadExchangeStreamCaptureMode(int *mode) {
  static thread_local int current = 0;
  std::swap(*mode, current);
  return kSuccess;
}

EXPORT int cuMemAlloc_v2(uint64_t *address, size_t size) {
  constexpr size_t kPage = 4096;
  const size_t rounded = (size + kPage - 1) / kPage * kPage;
  if (!size)
    return kInvalidValue;
  auto *whole = rounded < size ? nullptr
                               : static_cast<uint8_t *>(std::aligned_alloc(
                                     kPage, rounded + 2 * kPage));
  if (!whole)
    return kOutOfMemory;
  // NaN, whatever is read as.
  std::memset(whole, 0xff, rounded + 2 * kPage);
  const std::lock_guard<std::mutex> lock(state().mutex);
  state().blocks.push_back({whole + kPage, size, whole});
  *address = reinterpret_cast<uint64_t>(whole + kPage);
  return kSuccess;
}
EXPORT int cuMemFree_v2(uint64_t address) {
  const std::lock_guard<std::mutex> lock(state().mutex);
  auto &blocks = state().blocks;
  for (auto at = blocks.begin(); at != blocks.end(); ++at) {
    if (reinterpret_cast<uint64_t>(at->data) != address)
      continue;
    state().unended.forget(address, at->size);
    std::free(at->whole);
    blocks.erase(at);
    return kSuccess;
  }
  return kInvalidValue;
}
// A CUdeviceptr is a number, which is passed as a pointer is.
EXPORT int cuMemsetD32_v2(void *address, unsigned value, size_t count) {
  std::fill_n(static_cast<unsigned *>(address), count, value);
  return kSuccess;
}
EXPORT int cuMemsetD32Async(void *address, unsigned value, size_t count,
                            void *) {
  return cuMemsetD32_v2(address, value, count);
}
EXPORT int cuMemcpyHtoD_v2(void *to, const void *from, size_t size) {
  std::memcpy(to, from, size);
  return kSuccess;
}
EXPORT int cuMemcpyDtoH_v2(void *to, const void *from, size_t size) {
  std::memcpy(to, from, size);
  return kSuccess;
}
EXPORT int cuPointerGetAttribute(void *value, int, uint64_t) {
  return *static_cast<int *>(value) = 0, 0;
}

// Launches have ended when they return, whatever their stream.
EXPORT int cuStreamCreate(void **stream, unsigned) {
  return *stream = nullptr, 0;
}
EXPORT int cuStreamDestroy_v2(void *) { return kSuccess; }
EXPORT int cuStreamSynchronize(void *) { return kSuccess; }
EXPORT int cuStreamIsCapturing(void *, int *is) { return *is = 0, 0; }
EXPORT int cuStreamGetId(void *stream, unsigned long long *id) {
  return *id = reinterpret_cast<uintptr_t>(stream), 0;
}

EXPORT int cuModuleLoadData(void **handle, const void *image) {
  const auto *text = static_cast<const char *>(image);
  const std::lock_guard<std::mutex> lock(state().mutex);
  if (std::strncmp(text,
                   "\x7f"
                   "ELF",
                   4) == 0)
    return fail(kNoBinary, "machine code cannot be interpreted");
  std::vector<sim::Diagnostic> errors;
  auto loaded = std::make_unique<Module>();
  loaded->code = sim::Module::parse(text, "kernel.ptx", errors);
  if (!loaded->code)
    return fail(kInvalidPtx,
                errors.empty() ? "this is no PTX" : errors[0].str());
  *handle = loaded.get();
  state().modules.push_back(std::move(loaded));
  return kSuccess;
}
EXPORT int cuModuleUnload(void *handle) {
  const std::lock_guard<std::mutex> lock(state().mutex);
  auto erase = [](auto &list, auto is) {
    list.erase(std::remove_if(list.begin(), list.end(), is), list.end());
  };
  erase(state().functions,
        [&](const auto &each) { return each->owner == handle; });
  erase(state().modules,
        [&](const auto &each) { return each.get() == handle; });
  return kSuccess;
}
EXPORT int cuModuleGetFunction(void **handle, void *owner, const char *name) {
  const std::lock_guard<std::mutex> lock(state().mutex);
  const auto *of = static_cast<const Module *>(owner);
  for (const sim::KernelInfo &info : of->code->kernels()) {
    if (info.name != name)
      continue;
    state().functions.push_back(
        std::make_unique<Function>(Function{of, &info}));
    return *handle = state().functions.back().get(), 0;
  }
  return fail(kNotFound, "the PTX has no such kernel");
}
EXPORT int cuFuncSetAttribute(void *handle, int attribute, int value) {
  constexpr int kMaxDynamicShared = 8;
  if (attribute == kMaxDynamicShared)
    static_cast<Function *>(handle)->mostShared = uint32_t(value);
  return kSuccess;
}

EXPORT int cuTensorMapEncodeTiled(void *out, int dataType, uint32_t rank,
                                  void *base, const uint64_t *sizes,
                                  const uint64_t *strides, const uint32_t *box,
                                  const uint32_t *steps, int interleave,
                                  int swizzle, int, int fill) {
  static constexpr unsigned kBytes[] = {1, 2, 4, 4, 8, 8, 2, 4, 8, 2};
  const std::lock_guard<std::mutex> lock(state().mutex);
  if (dataType < 0 || dataType > 9 || interleave || rank < 1 || rank > 5 ||
      swizzle < 0 || swizzle > 3)
    return fail(kInvalidValue, "such tensor maps are not interpreted");
  sim::TensorMap map;
  map.base = reinterpret_cast<uint64_t>(base);
  map.rank = rank;
  map.elementBytes = kBytes[dataType];
  std::copy_n(sizes, rank, map.dims.begin());
  std::copy_n(strides, rank - 1, map.strides.begin());
  std::copy_n(box, rank, map.box.begin());
  std::copy_n(steps, rank, map.elementStrides.begin());
  map.swizzling = static_cast<sim::TensorMap::Swizzle>(swizzle);
  map.fillNaN = fill != 0;
  if (std::string why = map.verify(); !why.empty())
    return fail(kInvalidValue, why);
  const std::array<uint8_t, 128> encoded = map.encode();
  std::memcpy(out, encoded.data(), encoded.size());
  return kSuccess;
}

EXPORT int cuLaunchKernelEx(const Config *c, void *handle, void **values,
                            void **) {
  const auto *f = static_cast<const Function *>(handle);
  const std::lock_guard<std::mutex> lock(state().mutex);
  if (c->shared > f->mostShared)
    return fail(kInvalidValue, "the kernel did not ask for so much shared "
                               "memory");
  return run(*f, *c, values);
}
// NOLINTEND(readability-identifier-naming)
