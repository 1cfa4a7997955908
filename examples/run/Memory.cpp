//===- Memory.cpp - Memory of a device ------------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Memory.h"

#include <cstdio>
#include <cstdlib>
#include <dlfcn.h>

static void check(int code, const char *what) {
  if (code == 0)
    return;
  std::fprintf(stderr, "%s failed: CUDA error %d\n", what, code);
  std::exit(1);
}

/// Calls a function of the driver.
template <typename... Args>
static void call(void *function, const char *what, Args... args) {
  check(reinterpret_cast<int (*)(Args...)>(function)(args...), what);
}

void *Memory::symbol(const char *name) {
  void *found = dlsym(library, name);
  check(found ? 0 : -1, name);
  return found;
}

Memory::Memory(const std::string &name)
    : library(dlopen(name.c_str(), RTLD_NOW)) {
  check(library ? 0 : -1, "loading the driver");
  void *context = nullptr;
  call(symbol("cuInit"), "cuInit", 0U);
  call(symbol("cuDevicePrimaryCtxRetain"), "cuDevicePrimaryCtxRetain", &context,
       0);
  call(symbol("cuCtxPushCurrent_v2"), "cuCtxPushCurrent", context);
}

Memory::~Memory() {
  for (const uint64_t address : held)
    call(symbol("cuMemFree_v2"), "cuMemFree", address);
}

void *Memory::upload(const void *bytes, size_t size) {
  uint64_t address = 0;
  call(symbol("cuMemAlloc_v2"), "cuMemAlloc", &address, size);
  held.push_back(address);
  call(symbol("cuMemcpyHtoD_v2"), "cuMemcpyHtoD", address, bytes, size);
  return reinterpret_cast<void *>(address);
}

void Memory::download(void *bytes, size_t size, const void *from) {
  call(symbol("cuMemcpyDtoH_v2"), "cuMemcpyDtoH", bytes,
       reinterpret_cast<uint64_t>(from), size);
}

void Memory::synchronize() {
  call(symbol("cuCtxSynchronize"), "cuCtxSynchronize");
}
