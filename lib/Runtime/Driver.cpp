//===- Driver.cpp - The functions of CUDA's driver ------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Driver.h"

#include <dlfcn.h>

using namespace mxfp4::runtime;

namespace {

template <typename... Args>
bool findOne(Driver::Entry<Args...> &entry,
             void *(*symbol)(const char *, void *), void *user) {
  entry.function =
      reinterpret_cast<int (*)(Args...)>(symbol(entry.symbol, user));
  return entry.function;
}

template <typename... Args>
void needOne(Driver::Entry<Args...> &entry,
             void *(*symbol)(const char *, void *), void *user) {
  if (!findOne(entry, symbol, user))
    fail(MXFP4RT_UNSUPPORTED, std::string("the CUDA driver has no ") +
                                  entry.name +
                                  "; install one for CUDA 12.0 or newer.");
}

void *inLibrary(const char *name, void *library) {
  return dlsym(library, name);
}

} // namespace

void Driver::find(void *(*symbol)(const char *, void *), void *user) {
  auto needAll = [&](auto &...entries) {
    (needOne(entries, symbol, user), ...);
  };
  auto findAll = [&](auto &...entries) {
    return (findOne(entries, symbol, user) && ...);
  };
  needAll(init, driverGetVersion, getErrorString, deviceGetCount, deviceGet,
          deviceGetName, deviceGetAttribute, primaryRetain, primaryRelease,
          pushCurrent, popCurrent, getCurrent, synchronize, moduleLoadData,
          moduleUnload, moduleGetFunction, funcSetAttribute, memAlloc, memFree,
          memsetD32, memcpyDtoH, pointerGetAttribute, streamCreate,
          streamDestroy, streamSynchronize, streamIsCapturing, streamGetId,
          exchangeCaptureMode, tensorMapEncode, launchKernel);
  hasGraphs =
      findAll(graphCreate, graphDestroy, graphAddKernel, graphAddEdges,
              graphInstantiate, graphSetKernel, graphLaunch, graphExecDestroy);
}

std::unique_ptr<Driver> Driver::open(const mxfp4rt_driver_options &options) {
  auto driver = std::make_unique<Driver>();
  if (options.symbol) {
    driver->find(options.symbol, options.user);
  } else {
    // It stays loaded: the process may use it in other ways, and a driver that
    // was unloaded and loaded again has lost its contexts.
    const char *name = options.library ? options.library : "libcuda.so.1";
    void *library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    if (!library) {
      const char *why = dlerror();
      fail(MXFP4RT_UNSUPPORTED,
           std::string("the CUDA driver could not be loaded (") +
               (why ? why : name) + "); is this a GPU machine?");
    }
    driver->find(inLibrary, library);
  }
  if (const int code = driver->init.function(0))
    fail(MXFP4RT_UNSUPPORTED, "the CUDA driver did not start (error " +
                                  std::to_string(code) + "); is there a GPU?");
  return driver;
}

void Driver::refuse(const char *name, int code) const {
  const char *text = nullptr;
  if (getErrorString.function(code, &text) || !text)
    text = "unknown error";
  fail(MXFP4RT_FAILED, std::string(name) + " failed: " + text +
                           " (CUDA error " + std::to_string(code) + ").");
}

int Driver::device(int ordinal) const {
  int count = 0, handle = 0;
  call(deviceGetCount, &count);
  if (ordinal < 0 || ordinal >= count)
    fail(MXFP4RT_UNSUPPORTED, "device " + std::to_string(ordinal) +
                                  " does not exist; this machine has " +
                                  std::to_string(count) + ".");
  call(deviceGet, &handle, ordinal);
  return handle;
}

void Driver::clear(DevicePointer address, size_t words) const {
  struct Own {
    const Driver &driver;
    Stream stream = nullptr;

    ~Own() {
      if (stream)
        driver.streamDestroy.function(stream);
    }
  } own{*this};
  call(streamCreate, &own.stream, unsigned(kNonBlocking));
  call(memsetD32, address, 0U, words, own.stream);
  call(streamSynchronize, own.stream);
}
