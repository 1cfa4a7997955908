//===- StubDriver.cpp - A driver that writes down what it is asked --------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "StubDriver.h"

#include <cstring>

namespace {

/// The stub that functions speak for; there is one at a time.
StubDriver *stub = nullptr;
thread_local std::vector<void *> contexts;
constexpr int kGlobal = 0, kRelaxed = 2;
thread_local int captureMode = kGlobal;

struct Attribute {
  int id, padding, value;
  char rest[60];
};
struct Config {
  uint32_t grid[3], block[3], shared;
  void *stream;
  Attribute *attributes;
  uint32_t count;
};

struct Node {
  void *function;
  uint32_t grid[3], block[3], shared;
  void **parameters, **extra;
  void *kernel, *context;
};
struct Edge {
  unsigned char fromPort, toPort, type, reserved[5];
};

/// Whether a call breaks another thread's capture: some in any mode.
bool breaksCapture(const std::string &name) {
  static const std::set<std::string> unsafe = {
      "cuMemAlloc",     "cuMemFree",          "cuModuleLoadData",
      "cuModuleUnload", "cuGraphInstantiate", "cuGraphExecDestroy",
      "cuStreamCreate", "cuStreamDestroy"};
  static const std::set<std::string> never = {"cuCtxSynchronize",
                                              "cuMemcpyDtoH"};
  return never.count(name) || (captureMode != kRelaxed && unsafe.count(name));
}

/// Writes the call down; the status that it must return.
int called(const char *name) {
  if (!stub->recording)
    return 0;
  const std::lock_guard<std::mutex> lock(stub->mutex);
  stub->calls.push_back(name);
  if (stub->othersCapture && breaksCapture(name))
    stub->broke.push_back(name);
  const auto found = stub->failing.find(name);
  return found == stub->failing.end() ? 0 : found->second;
}

int attribute(int *value, int which, int) {
  if (const int code = called("cuDeviceGetAttribute"))
    return code;
  const std::map<int, int> facts = {{13, 1980000},
                                    {36, 3201000},
                                    {37, 6144},
                                    {38, 62914560},
                                    {16, 132},
                                    {75, stub->chip / 10},
                                    {76, stub->chip % 10},
                                    {81, stub->sharedPerSm},
                                    {97, 232448}};
  *value = facts.at(which);
  return 0;
}

int load(void **module, const void *image) {
  if (const int code = called("cuModuleLoadData"))
    return code;
  const char *text = static_cast<const char *>(image);
  const bool isCubin = std::memcmp(text,
                                   "\x7f"
                                   "ELF",
                                   4) == 0;
  stub->images.push_back(isCubin ? "cubin" : text);
  if (isCubin && !stub->cubinFits)
    return 209;
  ++stub->modules;
  *module = reinterpret_cast<void *>(0x99);
  return 0;
}

/// What a number of the driver's interface stands for: an address on the
/// device, which is one of this process here, or a handle.
void *pointed(uint64_t number) {
  // A CUdeviceptr is an integer, so that whoever reads it has to cast.
  return reinterpret_cast<void *>(number); // NOLINT(performance-no-int-to-ptr)
}

int allocate(uint64_t *address, size_t size) {
  if (const int code = called("cuMemAlloc"))
    return code;
  std::vector<unsigned char> bytes(size, 0xff);
  *address = reinterpret_cast<uint64_t>(bytes.data());
  stub->unclear.insert(*address);
  stub->memory[*address] = std::move(bytes);
  return 0;
}

int release(uint64_t address) {
  if (const int code = called("cuMemFree"))
    return code;
  return stub->memory.erase(address) ? 0 : 1;
}

int set(uint64_t address, unsigned value, size_t count, void *stream) {
  if (const int code = called("cuMemsetD32Async"))
    return code;
  if (!stream)
    return 906; // The legacy stream may wait for one that is captured.
  // Words of one allocation, and none behind it.
  const auto after = stub->memory.upper_bound(address);
  if (after == stub->memory.begin())
    return 1;
  const auto &[base, bytes] = *std::prev(after);
  if (address + 4 * count > base + bytes.size())
    return 1;
  auto *words = static_cast<unsigned *>(pointed(address));
  for (size_t i = 0; i < count; ++i)
    words[i] = value;
  return 0;
}

int synchronizeStream(void *stream) {
  if (const int code = called("cuStreamSynchronize"))
    return code;
  if (!stream)
    return 906;
  stub->unclear.clear();
  return 0;
}

int encode(void *map, int dtype, uint32_t rank, void *pointer,
           const uint64_t *sizes, const uint64_t *strides, const uint32_t *box,
           const uint32_t *steps, int interleave, int swizzle, int promotion,
           int fill) {
  if (const int code = called("cuTensorMapEncodeTiled"))
    return code;
  StubMap written = {reinterpret_cast<uint64_t>(pointer),
                     sizes[0],
                     sizes[1],
                     strides[0],
                     {box[0], box[1]},
                     uint32_t(dtype),
                     uint32_t(swizzle),
                     uint32_t(promotion),
                     uint32_t(fill),
                     uint32_t(interleave),
                     rank,
                     {steps[0], steps[1]}};
  std::memset(map, 0, 128);
  std::memcpy(map, &written, sizeof written);
  ++stub->encoded;
  return reinterpret_cast<uint64_t>(map) % 64 ? 1 : 0;
}

void keep(StubLaunch &launch, void *const *values) {
  launch.parameters.clear();
  for (size_t i = 0; i < stub->parameterBytes.size(); ++i) {
    const auto *bytes = static_cast<const unsigned char *>(values[i]);
    launch.parameters.emplace_back(bytes, bytes + stub->parameterBytes[i]);
  }
}

int launch(const Config *config, void *function, void **values, void **extra) {
  if (const int code = called("cuLaunchKernelEx"))
    return code;
  if (contexts.empty() || extra || config->count != 1)
    return 1;
  if (!stub->recording)
    return 0;
  StubLaunch launch = {{config->grid[0], config->grid[1], config->grid[2]},
                       {config->block[0], config->block[1], config->block[2]},
                       config->shared,
                       config->stream,
                       function,
                       config->attributes->id,
                       config->attributes->value,
                       {}};
  const std::lock_guard<std::mutex> lock(stub->mutex);
  keep(launch, values);
  stub->launches.push_back(std::move(launch));
  return 0;
}

int addKernel(void **node, void *graph, void *const *, size_t count,
              const Node *given) {
  if (const int code = called("cuGraphAddKernelNode"))
    return code;
  auto &nodes = static_cast<StubGraph *>(graph)->nodes;
  nodes.push_back({{given->grid[0], given->grid[1], given->grid[2]},
                   {given->block[0], given->block[1], given->block[2]},
                   given->shared,
                   nullptr,
                   given->function,
                   0,
                   0,
                   {}});
  keep(nodes.back(), given->parameters);
  *node = &nodes.back();
  return count || given->extra ? 1 : 0;
}

/// The node after a programmatic edge is as a programmatic launch.
int addEdges(void *, void *const *from, void *const *to, const Edge *edge,
             size_t count) {
  if (const int code = called("cuGraphAddDependencies"))
    return code;
  if (count != 1 || edge->fromPort != edge->type || edge->toPort ||
      edge->type > 1 || !*from)
    return 1;
  auto *node = static_cast<StubLaunch *>(*to);
  node->attribute = 6;
  node->attributeValue = edge->type;
  return 0;
}

int setKernel(void *, void *node, const Node *given) {
  if (const int code = called("cuGraphExecKernelNodeSetParams"))
    return code;
  keep(*static_cast<StubLaunch *>(node), given->parameters);
  return 0;
}

int launchGraph(void *graph, void *stream) {
  if (const int code = called("cuGraphLaunch"))
    return code;
  for (StubLaunch launch : static_cast<StubGraph *>(graph)->nodes) {
    launch.stream = stream;
    stub->launches.push_back(launch);
  }
  return 0;
}

int name(char *text, int size, int device) {
  if (const int code = called("cuDeviceGetName"))
    return code;
  const std::string letters = device ? std::string(300, 'B') : "Stub A";
  std::strncpy(text, letters.c_str(), size_t(size));
  return 0;
}

template <typename... Args> void *address(int (*function)(Args...)) {
  return reinterpret_cast<void *>(function);
}

/// A function that writes down that it was called and, if it does not fail,
/// does what follows.
#define DOING(NAME, PARAMETERS, ...)                                           \
  address(+[] PARAMETERS {                                                     \
    if (const int code = called(NAME))                                         \
      return code;                                                             \
    __VA_ARGS__;                                                               \
    return 0;                                                                  \
  })

const std::map<std::string, void *> &table() {
  static const std::map<std::string, void *> functions = {
      // The only flags that the driver knows are none.
      {"cuInit", address(+[](unsigned flags) {
         const int code = called("cuInit");
         return code ? code : int(flags != 0);
       })},
      {"cuDriverGetVersion",
       DOING("cuDriverGetVersion", (int *version), *version = 13010)},
      {"cuGetErrorString", DOING("cuGetErrorString", (int, const char **text),
                                 *text = "a text of the driver")},
      {"cuDeviceGetCount", DOING("cuDeviceGetCount", (int *count), *count = 2)},
      {"cuDeviceGet",
       DOING("cuDeviceGet", (int *device, int ordinal), *device = ordinal)},
      {"cuDeviceGetName", address(name)},
      {"cuDeviceGetAttribute", address(attribute)},
      {"cuDevicePrimaryCtxRetain",
       DOING("cuDevicePrimaryCtxRetain", (void **context, int device),
             ++stub->retained;
             *context = pointed(0x70 + device))},
      {"cuDevicePrimaryCtxRelease_v2",
       DOING("cuDevicePrimaryCtxRelease", (int), --stub->retained)},
      {"cuCtxPushCurrent_v2",
       DOING("cuCtxPushCurrent", (void *context), contexts.push_back(context))},
      {"cuCtxPopCurrent_v2",
       DOING("cuCtxPopCurrent", (void **context), *context = contexts.back();
             contexts.pop_back())},
      {"cuCtxGetCurrent",
       DOING("cuCtxGetCurrent", (void **context),
             *context = contexts.empty() ? nullptr : contexts.back())},
      {"cuCtxSynchronize",
       address(+[]() { return called("cuCtxSynchronize"); })},
      {"cuModuleLoadData", address(load)},
      {"cuModuleUnload", DOING("cuModuleUnload", (void *), --stub->modules)},
      {"cuModuleGetFunction",
       DOING("cuModuleGetFunction", (void **function, void *, const char *),
             *function = reinterpret_cast<void *>(0xabc))},
      {"cuFuncSetAttribute",
       DOING("cuFuncSetAttribute", (void *, int which, int value),
             stub->attributes[which] = value)},
      {"cuMemAlloc_v2", address(allocate)},
      {"cuMemFree_v2", address(release)},
      {"cuMemsetD32Async", address(set)},
      {"cuMemcpyDtoH_v2",
       DOING("cuMemcpyDtoH", (void *to, uint64_t from, size_t size),
             std::memcpy(to, pointed(from), size))},
      {"cuPointerGetAttribute",
       DOING("cuPointerGetAttribute", (void *out, int, uint64_t),
             *static_cast<int *>(out) = 1)},
      {"cuStreamCreate",
       DOING("cuStreamCreate", (void **stream, unsigned flags), ++stub->streams;
             *stream = flags == 1 ? &captureMode : nullptr)},
      {"cuStreamDestroy_v2",
       DOING("cuStreamDestroy", (void *), --stub->streams)},
      {"cuStreamSynchronize", address(synchronizeStream)},
      {"cuThreadExchangeStreamCaptureMode",
       DOING("cuThreadExchangeStreamCaptureMode", (int *mode),
             std::swap(*mode, captureMode))},
      {"cuStreamIsCapturing",
       DOING("cuStreamIsCapturing", (void *stream, int *capturing),
             *capturing = int(stub->capturing.count(stream)))},
      {"cuStreamGetId",
       DOING("cuStreamGetId", (void *stream, unsigned long long *id),
             *id = 1000 + reinterpret_cast<uintptr_t>(stream))},
      {"cuTensorMapEncodeTiled", address(encode)},
      {"cuLaunchKernelEx", address(launch)},
  };
  return functions;
}

/// Functions that a driver may lack.
const std::map<std::string, void *> &graphTable() {
  static const std::map<std::string, void *> functions = {
      {"cuGraphCreate",
       DOING("cuGraphCreate", (void **graph, unsigned), ++stub->heldGraphs;
             *graph = &stub->graphs.emplace_back())},
      {"cuGraphDestroy", DOING("cuGraphDestroy", (void *), --stub->heldGraphs)},
      {"cuGraphAddKernelNode_v2", address(addKernel)},
      {"cuGraphAddDependencies_v2", address(addEdges)},
      {"cuGraphInstantiateWithFlags",
       DOING("cuGraphInstantiate",
             (void **exec, void *graph, unsigned long long), ++stub->heldGraphs;
             *exec = graph)},
      {"cuGraphExecKernelNodeSetParams_v2", address(setKernel)},
      {"cuGraphLaunch", address(launchGraph)},
      {"cuGraphExecDestroy",
       DOING("cuGraphExecDestroy", (void *), --stub->heldGraphs)},
  };
  return functions;
}

void *symbol(const char *name, void *user) {
  if (static_cast<StubDriver *>(user)->missing.count(name))
    return nullptr;
  for (const auto *functions : {&table(), &graphTable()})
    if (const auto found = functions->find(name); found != functions->end())
      return found->second;
  return nullptr;
}

} // namespace

uint64_t StubLaunch::number(size_t parameter) const {
  uint64_t value = 0;
  const auto &bytes = parameters.at(parameter);
  std::memcpy(&value, bytes.data(), bytes.size() < 8 ? bytes.size() : 8);
  return value;
}

StubDriver::StubDriver() { stub = this; }
StubDriver::~StubDriver() { stub = nullptr; }

mxfp4rt_driver_options StubDriver::options() { return {nullptr, symbol, this}; }

std::vector<std::string> StubDriver::functions() const {
  std::vector<std::string> names;
  for (const auto &[name, function] : table())
    names.push_back(name);
  return names;
}

bool StubDriver::isClear(uint64_t address) {
  auto block = memory.upper_bound(address);
  if (block == memory.begin())
    return false;
  --block;
  const uint64_t offset = address - block->first;
  if (unclear.count(block->first) || offset + 8 > block->second.size())
    return false;
  for (size_t i = 0; i < 8; ++i)
    if (block->second[offset + i])
      return false;
  return true;
}

size_t StubDriver::depth() { return contexts.size(); }
int StubDriver::mode() { return captureMode; }
