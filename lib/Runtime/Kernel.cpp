//===- Kernel.cpp - A kernel on a device ----------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Kernel.h"

#include <algorithm>
#include <cinttypes>
#include <cstdio>

using namespace mxfp4::runtime;

/// An argument that only another launcher can provide, or null.
static const Argument *unknownArgument(const Manifest &manifest) {
  for (const Argument &argument : manifest.arguments)
    if (argument.role == Argument::Role::Unknown && !argument.nullable)
      return &argument;
  return nullptr;
}

void Kernel::prepare(int ordinal) {
  if (const Argument *unknown = unknownArgument(artifact->manifest))
    fail(MXFP4RT_UNSUPPORTED,
         artifact->origin + " expects its launcher to provide " +
             unknown->name +
             ", which this version of mxfp4 does not know; use the version "
             "that compiled the kernel, or compile it again.");
  const int device = driver.device(ordinal);
  checkFits(ordinal, device);
  const BesideCaptures beside(driver);
  driver.call(driver.primaryRetain, &context, device);
  retained = device;
  const InContext current(driver, context);
  load();
  configure(device);
  driver.call(driver.memAlloc, &error, sizeof(int32_t));
  driver.clear(error, 1);
  const Manifest &manifest = artifact->manifest;
  if (const Argument *workspace = manifest.find(Argument::Role::Workspace))
    workspaces = std::make_unique<Workspaces>(driver, manifest.workspaceBytes(),
                                              workspace->align);
  for (size_t i = 0; i < manifest.arguments.size(); ++i)
    if (manifest.arguments[i].kind == MXFP4RT_TENSOR_MAPS)
      maps.try_emplace(i, driver, manifest.arguments[i]);
}

/// The digits of "sm_90a".
static std::string chipOf(const std::string &target) {
  const std::string prefix = "sm_";
  std::string chip = target.compare(0, prefix.size(), prefix) == 0
                         ? target.substr(prefix.size())
                         : target;
  while (!chip.empty() && (chip.back() == 'a' || chip.back() == 'f'))
    chip.pop_back();
  return chip;
}

void Kernel::checkFits(int ordinal, int device) const {
  const Manifest &manifest = artifact->manifest;
  const int chip = 10 * driver.ask(kCapabilityMajor, device) +
                   driver.ask(kCapabilityMinor, device);
  if (chipOf(manifest.target) != std::to_string(chip))
    fail(MXFP4RT_UNSUPPORTED,
         artifact->origin + " was compiled for " + shown(manifest.target) +
             ", but device " + std::to_string(ordinal) + " is sm_" +
             std::to_string(chip) + "; compile it for this device.");
  const int limit = driver.ask(kSharedPerBlockOptin, device);
  if (int64_t(manifest.dynamicSharedBytes) > limit)
    fail(MXFP4RT_UNSUPPORTED,
         artifact->origin + " needs " +
             std::to_string(manifest.dynamicSharedBytes) +
             " bytes of shared memory a block, but device " +
             std::to_string(ordinal) + " has " + std::to_string(limit) + ".");
}

/// Loads the cubin, or, if there is none or it does not fit, lets the driver
/// compile PTX.
void Kernel::load() {
  std::string failures;
  std::vector<const char *> images;
  if (artifact->cubin)
    images.push_back(artifact->cubin->data());
  images.push_back(artifact->ptx.c_str());
  for (const char *image : images) {
    try {
      modules.reserve(modules.size() + 1);
      ModuleHandle module = nullptr;
      driver.call(driver.moduleLoadData, &module,
                  static_cast<const void *>(image));
      modules.push_back(module);
      return driver.call(driver.moduleGetFunction, &function, module,
                         artifact->manifest.entry.c_str());
    } catch (const Failure &e) {
      failures += (failures.empty() ? "" : " Then: ") + std::string(e.what());
    }
  }
  fail(MXFP4RT_FAILED, artifact->origin + " could not be loaded: " + failures);
}

void Kernel::configure(int device) {
  const Manifest &manifest = artifact->manifest;
  multiprocessors = driver.ask(kMultiprocessors, device);
  // Always: the default limit of 48 KiB counts static shared memory too.
  const auto shared = int64_t(manifest.dynamicSharedBytes);
  driver.call(driver.funcSetAttribute, function, int(kMaxDynamicShared),
              int(shared));
  // A persistent grid counts on ctas_per_sm CTAs per SM; each
  // costs 1 KiB more.
  const int64_t wanted = manifest.grid.ctasPerSm * (shared + 1024);
  const int64_t all = driver.ask(kSharedPerMultiprocessor, device);
  const int64_t share = all > 0 ? (100 * wanted + all - 1) / all : 100;
  driver.call(driver.funcSetAttribute, function, int(kSharedCarveout),
              int(std::min<int64_t>(100, share)));
}

// Nothing here can be reported: at the end of a process the driver may be gone,
// and all of this with it.
Kernel::~Kernel() {
  if (retained < 0)
    return;
  const BesideCaptures beside(driver);
  if (driver.pushCurrent.function(context) == 0) {
    workspaces.reset();
    if (error)
      driver.memFree.function(error);
    for (ModuleHandle module : modules)
      driver.moduleUnload.function(module);
    Context popped = nullptr;
    driver.popCurrent.function(&popped);
  }
  driver.primaryRelease.function(retained);
}

void mxfp4::runtime::checkValue(const Argument &argument,
                                const mxfp4rt_value &value) {
  if (!argument.isMemory())
    return;
  if (!value.pointer && !argument.nullable)
    fail(MXFP4RT_INVALID, argument.name +
                              " is null; pass the address of memory on the "
                              "device.");
  const auto address = reinterpret_cast<uintptr_t>(value.pointer);
  if ((address & (argument.align - 1)) == 0)
    return;
  char digits[24];
  std::snprintf(digits, sizeof digits, "0x%" PRIxPTR, address);
  fail(MXFP4RT_INVALID, argument.name + " must be aligned to " +
                            std::to_string(argument.align) +
                            " bytes, got address " + digits +
                            "; copy it into a tensor of its own.");
}

/// The first size of an argument's memory.
static int64_t rowsOf(const Argument &argument, int64_t rows,
                      const mxfp4rt_value *values) {
  return argument.rowsArgument < 0 ? rows : values[argument.rowsArgument].i32;
}

std::pair<uintptr_t, uintptr_t>
Kernel::memoryOf(size_t number, int64_t rows,
                 const mxfp4rt_value *values) const {
  const Argument &argument = artifact->manifest.arguments[number];
  const auto begin = reinterpret_cast<uintptr_t>(values[number].pointer);
  uintptr_t bytes = begin ? argument.elementBytes() : 0;
  for (const int64_t extent : argument.shape)
    bytes *= uintptr_t(
        extent < 0 ? std::max<int64_t>(rowsOf(argument, rows, values), 0)
                   : extent);
  return {begin, begin + bytes};
}

void Kernel::checkRows(int64_t rows) const {
  const Manifest &manifest = artifact->manifest;
  if (rows < 0 || rows > manifest.mostRows)
    fail(MXFP4RT_INVALID,
         "rows must be 0 to " + std::to_string(manifest.mostRows) +
             " for this kernel, got " + std::to_string(rows) +
             "; pass fewer at a time, or compile a kernel for more rows.");
}

void Kernel::check(size_t number, int64_t rows,
                   const mxfp4rt_value *values) const {
  const Argument &argument = artifact->manifest.arguments[number];
  if (argument.role != Argument::Role::Caller ||
      !artifact->manifest.grid.launches(rows))
    return;
  const int64_t extent = rowsOf(argument, rows, values);
  if (extent < 0)
    fail(MXFP4RT_INVALID, argument.name + "_rows must be at least 0, got " +
                              std::to_string(extent) + ".");
  // Memory of no bytes has no address.
  const bool isEmpty =
      extent == 0 && !argument.shape.empty() && argument.shape[0] < 0;
  if (!isEmpty)
    checkValue(argument, values[number]);
}

void Kernel::check(int64_t rows, const mxfp4rt_value *values) const {
  checkRows(rows);
  for (size_t i = 0; i < artifact->manifest.arguments.size(); ++i)
    check(i, rows, values);
}

void Kernel::describe(int64_t rows, const mxfp4rt_value *values, Stream stream,
                      std::optional<StreamState> &state,
                      const std::function<void(const KernelNode &)> &use) {
  const Manifest &manifest = artifact->manifest;
  if (workspaces && !state)
    state = StreamState::get(driver, stream);
  const std::lock_guard<std::mutex> lock(mutex);
  DevicePointer workspace = workspaces ? workspaces->get(*state) : 0;
  DevicePointer none = 0;
  void *parameters[MXFP4RT_MOST_ARGUMENTS];
  for (size_t i = 0; i < manifest.arguments.size(); ++i) {
    switch (manifest.arguments[i].role) {
    case Argument::Role::Caller:
      // The driver reads parameters only.
      parameters[i] = const_cast<mxfp4rt_value *>(&values[i]);
      if (manifest.arguments[i].kind == MXFP4RT_TENSOR_MAPS)
        parameters[i] = maps.find(i)->second.get(
            values[i].pointer, rowsOf(manifest.arguments[i], rows, values));
      break;
    case Argument::Role::Error:
      parameters[i] = &error;
      break;
    case Argument::Role::Workspace:
      parameters[i] = &workspace;
      break;
    case Argument::Role::Rows:
      // As i32 it is the lower half.
      parameters[i] = &rows;
      break;
    case Argument::Role::Unknown:
      parameters[i] = &none;
      break;
    }
  }
  use({function, manifest.grid.x(rows, multiprocessors), manifest.grid.y, 1,
       manifest.block[0], manifest.block[1], manifest.block[2],
       manifest.dynamicSharedBytes, parameters, nullptr, nullptr, nullptr});
}

void Kernel::launch(int64_t rows, const mxfp4rt_value *values, Stream stream,
                    std::optional<StreamState> &state, bool early) {
  LaunchAttribute attribute = {};
  attribute.id = LaunchAttribute::kProgrammaticStreamSerialization;
  attribute.value = early;
  LaunchConfig config = {0, 0, 0, 0, 0, 0, 0, stream, &attribute, 1};
  // Two references are kept without an allocation.
  describe(rows, values, stream, state, [this, &config](const KernelNode &n) {
    config = {n.gridX,           n.gridY,  n.gridZ,       n.blockX,
              n.blockY,          n.blockZ, n.sharedBytes, config.stream,
              config.attributes, 1};
    driver.call(driver.launchKernel, &config, function, n.parameters,
                static_cast<void **>(nullptr));
  });
}

int32_t Kernel::errorWord(bool clear) {
  const InContext current(driver, context);
  driver.call(driver.synchronize);
  int32_t word = 0;
  driver.call(driver.memcpyDtoH, static_cast<void *>(&word), error,
              sizeof(word));
  if (clear && word)
    driver.clear(error, 1);
  return word;
}
