//===- Driver.h - The functions of CUDA's driver ----------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Declares the part of the driver's interface that a launcher needs, so that
// nothing of CUDA's toolkit is needed to build: names, types and numbers are
// those of cuda.h, whose ABI does not change.
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_LIB_RUNTIME_DRIVER_H
#define MXFP4_LIB_RUNTIME_DRIVER_H

#include "Failure.h"

#include <memory>

namespace mxfp4::runtime {

// Handles are pointers to what only the driver knows; a CUdevice is a number.
using Context = void *;
using ModuleHandle = void *;
using FunctionHandle = void *;
using Stream = void *;
using Graph = void *;
using GraphNode = void *;
using GraphExec = void *;
using DevicePointer = uint64_t;

enum DeviceAttribute {
  kClock = 13,
  kMultiprocessors = 16,
  kMemoryClock = 36,
  kMemoryBusBits = 37,
  kL2Bytes = 38,
  kCapabilityMajor = 75,
  kCapabilityMinor = 76,
  kSharedPerMultiprocessor = 81,
  kSharedPerBlockOptin = 97
};
enum FunctionAttribute { kMaxDynamicShared = 8, kSharedCarveout = 9 };
enum PointerAttribute { kDeviceOrdinal = 9 };
enum StreamFlag : unsigned { kNonBlocking = 1 };
enum CaptureMode { kRelaxed = 2 };

/// CUlaunchAttribute.
struct LaunchAttribute {
  static constexpr int kProgrammaticStreamSerialization = 6;
  int id;
  int padding;
  union {
    int value;
    char bytes[64];
  };
};

/// CUlaunchConfig.
struct LaunchConfig {
  uint32_t gridX, gridY, gridZ, blockX, blockY, blockZ, sharedBytes;
  Stream stream;
  LaunchAttribute *attributes;
  uint32_t attributeCount;
};

/// CUDA_KERNEL_NODE_PARAMS_v2.
struct KernelNode {
  FunctionHandle function;
  uint32_t gridX, gridY, gridZ, blockX, blockY, blockZ, sharedBytes;
  void **parameters;
  void **extra;
  void *kernel;
  Context context;
};

/// CUgraphEdgeData.
struct GraphEdge {
  static constexpr unsigned char kProgrammatic = 1;
  unsigned char fromPort, toPort, type, reserved[5];
};

/// CUtensorMap, and enumerators of what it is made of.
struct alignas(64) TensorMap {
  unsigned char bytes[128];
};
enum TensorMapNumbers {
  kTensorUInt8 = 0,
  kTensorInt32 = 3,
  kTensorFloat32 = 7,
  kTensorBFloat16 = 9,
  kInterleaveNone = 0,
  kSwizzle128B = 3,
  kPromote256B = 3,
  kFillZeros = 0
};

class Driver {
public:
  /// A function: what people call it, the symbol, and where it is.
  template <typename... Args> struct Entry {
    const char *name;
    const char *symbol;
    int (*function)(Args...) = nullptr;
  };

  static std::unique_ptr<Driver> open(const mxfp4rt_driver_options &options);

  /// Calls a function; a status other than 0 is a failure.
  template <typename... Args, typename... Given>
  void call(const Entry<Args...> &entry, Given... given) const {
    if (const int code = entry.function(given...))
      refuse(entry.name, code);
  }
  [[noreturn]] void refuse(const char *name, int code) const;

  int ask(DeviceAttribute attribute, int device) const {
    int value = 0;
    call(deviceGetAttribute, &value, int(attribute), device);
    return value;
  }
  /// The device of this number.
  int device(int ordinal) const;
  /// Writes zeros, and waits until they are there for all streams. The legacy
  /// stream would break a capture of a stream that waits for it.
  void clear(DevicePointer address, size_t words) const;

  Entry<unsigned> init{"cuInit", "cuInit"};
  Entry<int *> driverGetVersion{"cuDriverGetVersion", "cuDriverGetVersion"};
  Entry<int, const char **> getErrorString{"cuGetErrorString",
                                           "cuGetErrorString"};
  Entry<int *> deviceGetCount{"cuDeviceGetCount", "cuDeviceGetCount"};
  Entry<int *, int> deviceGet{"cuDeviceGet", "cuDeviceGet"};
  Entry<char *, int, int> deviceGetName{"cuDeviceGetName", "cuDeviceGetName"};
  Entry<int *, int, int> deviceGetAttribute{"cuDeviceGetAttribute",
                                            "cuDeviceGetAttribute"};
  Entry<Context *, int> primaryRetain{"cuDevicePrimaryCtxRetain",
                                      "cuDevicePrimaryCtxRetain"};
  Entry<int> primaryRelease{"cuDevicePrimaryCtxRelease",
                            "cuDevicePrimaryCtxRelease_v2"};
  Entry<Context> pushCurrent{"cuCtxPushCurrent", "cuCtxPushCurrent_v2"};
  Entry<Context *> popCurrent{"cuCtxPopCurrent", "cuCtxPopCurrent_v2"};
  Entry<Context *> getCurrent{"cuCtxGetCurrent", "cuCtxGetCurrent"};
  Entry<> synchronize{"cuCtxSynchronize", "cuCtxSynchronize"};
  Entry<ModuleHandle *, const void *> moduleLoadData{"cuModuleLoadData",
                                                     "cuModuleLoadData"};
  Entry<ModuleHandle> moduleUnload{"cuModuleUnload", "cuModuleUnload"};
  Entry<FunctionHandle *, ModuleHandle, const char *> moduleGetFunction{
      "cuModuleGetFunction", "cuModuleGetFunction"};
  Entry<FunctionHandle, int, int> funcSetAttribute{"cuFuncSetAttribute",
                                                   "cuFuncSetAttribute"};
  Entry<DevicePointer *, size_t> memAlloc{"cuMemAlloc", "cuMemAlloc_v2"};
  Entry<DevicePointer> memFree{"cuMemFree", "cuMemFree_v2"};
  Entry<DevicePointer, unsigned, size_t, Stream> memsetD32{"cuMemsetD32Async",
                                                           "cuMemsetD32Async"};
  Entry<void *, DevicePointer, size_t> memcpyDtoH{"cuMemcpyDtoH",
                                                  "cuMemcpyDtoH_v2"};
  Entry<void *, int, DevicePointer> pointerGetAttribute{
      "cuPointerGetAttribute", "cuPointerGetAttribute"};
  Entry<Stream *, unsigned> streamCreate{"cuStreamCreate", "cuStreamCreate"};
  Entry<Stream> streamDestroy{"cuStreamDestroy", "cuStreamDestroy_v2"};
  Entry<Stream> streamSynchronize{"cuStreamSynchronize", "cuStreamSynchronize"};
  Entry<Stream, int *> streamIsCapturing{"cuStreamIsCapturing",
                                         "cuStreamIsCapturing"};
  Entry<Stream, unsigned long long *> streamGetId{"cuStreamGetId",
                                                  "cuStreamGetId"};
  Entry<int *> exchangeCaptureMode{"cuThreadExchangeStreamCaptureMode",
                                   "cuThreadExchangeStreamCaptureMode"};
  Entry<TensorMap *, int, uint32_t, void *, const uint64_t *, const uint64_t *,
        const uint32_t *, const uint32_t *, int, int, int, int>
      tensorMapEncode{"cuTensorMapEncodeTiled", "cuTensorMapEncodeTiled"};
  Entry<const LaunchConfig *, FunctionHandle, void **, void **> launchKernel{
      "cuLaunchKernelEx", "cuLaunchKernelEx"};

  // Graphs whose kernels begin early need a driver for CUDA 12.3; without these
  // functions there are none.
  Entry<Graph *, unsigned> graphCreate{"cuGraphCreate", "cuGraphCreate"};
  Entry<Graph> graphDestroy{"cuGraphDestroy", "cuGraphDestroy"};
  Entry<GraphNode *, Graph, const GraphNode *, size_t, const KernelNode *>
      graphAddKernel{"cuGraphAddKernelNode", "cuGraphAddKernelNode_v2"};
  Entry<Graph, const GraphNode *, const GraphNode *, const GraphEdge *, size_t>
      graphAddEdges{"cuGraphAddDependencies", "cuGraphAddDependencies_v2"};
  Entry<GraphExec *, Graph, unsigned long long> graphInstantiate{
      "cuGraphInstantiate", "cuGraphInstantiateWithFlags"};
  Entry<GraphExec, GraphNode, const KernelNode *> graphSetKernel{
      "cuGraphExecKernelNodeSetParams", "cuGraphExecKernelNodeSetParams_v2"};
  Entry<GraphExec, Stream> graphLaunch{"cuGraphLaunch", "cuGraphLaunch"};
  Entry<GraphExec> graphExecDestroy{"cuGraphExecDestroy", "cuGraphExecDestroy"};
  bool hasGraphs = false;

private:
  void find(void *(*symbol)(const char *, void *), void *user);
};

/// Makes a context current while it lives, unless it is already.
class InContext {
public:
  InContext(const Driver &driver, Context context) : driver(driver) {
    Context current = nullptr;
    driver.call(driver.getCurrent, &current);
    pushed = current != context;
    if (pushed)
      driver.call(driver.pushCurrent, context);
  }
  ~InContext() {
    Context popped = nullptr;
    if (pushed)
      driver.popCurrent.function(&popped);
  }
  InContext(const InContext &) = delete;
  InContext &operator=(const InContext &) = delete;

private:
  const Driver &driver;
  bool pushed = false;
};

/// While it lives, what this thread allocates, loads and frees does not break
/// captures of other streams, as it would in the mode that threads begin with.
/// Where the driver refuses the mode, it refuses the allocation, too.
class BesideCaptures {
public:
  explicit BesideCaptures(const Driver &driver)
      : driver(driver),
        isRelaxed(driver.exchangeCaptureMode.function(&mode) == 0) {}
  ~BesideCaptures() {
    if (isRelaxed)
      driver.exchangeCaptureMode.function(&mode);
  }
  BesideCaptures(const BesideCaptures &) = delete;
  BesideCaptures &operator=(const BesideCaptures &) = delete;

private:
  const Driver &driver;
  /// Of this thread: the next one, and then the one before.
  int mode = kRelaxed;
  bool isRelaxed;
};

} // namespace mxfp4::runtime

#endif // MXFP4_LIB_RUNTIME_DRIVER_H
