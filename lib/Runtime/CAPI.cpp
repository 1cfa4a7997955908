//===- CAPI.cpp - C interface of the runtime ------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CAPI.h"
#include "Graphs.h"

#include <cstring>

using namespace mxfp4::runtime;

struct mxfp4rt_driver {
  std::unique_ptr<Driver> driver;
};
struct mxfp4rt_artifact {
  std::shared_ptr<const Artifact> artifact;
};

/// Of this thread.
static std::string &lastError() {
  static thread_local std::string sentence;
  return sentence;
}

mxfp4rt_status mxfp4::runtime::remember(mxfp4rt_status status,
                                        const char *sentence) noexcept {
  try {
    lastError() = sentence;
  } catch (...) {
    lastError().clear();
  }
  return status;
}

int mxfp4rt_abi_version(void) { return MXFP4RT_ABI_VERSION; }
const char *mxfp4rt_last_error(void) { return lastError().c_str(); }

mxfp4rt_status mxfp4rt_driver_open(const mxfp4rt_driver_options *options,
                                   mxfp4rt_driver **driver) {
  return guarded([&] {
    need(driver, "the place for the driver");
    *driver = new mxfp4rt_driver{
        Driver::open(options ? *options : mxfp4rt_driver_options{})};
  });
}
void mxfp4rt_driver_close(mxfp4rt_driver *driver) { delete driver; }

mxfp4rt_status mxfp4rt_driver_version(const mxfp4rt_driver *driver,
                                      int *version) {
  return guarded([&] {
    need(driver, "the driver");
    need(version, "the place for the version");
    driver->driver->call(driver->driver->driverGetVersion, version);
  });
}

mxfp4rt_status mxfp4rt_device_count(const mxfp4rt_driver *driver, int *count) {
  return guarded([&] {
    need(driver, "the driver");
    need(count, "the place for the count");
    driver->driver->call(driver->driver->deviceGetCount, count);
  });
}

mxfp4rt_status mxfp4rt_device_get(const mxfp4rt_driver *driver, int ordinal,
                                  mxfp4rt_device *device) {
  return guarded([&] {
    need(driver, "the driver");
    need(device, "the place for the device");
    const Driver &d = *driver->driver;
    const int handle = d.device(ordinal);
    mxfp4rt_device found = {};
    d.call(d.deviceGetName, found.name, int(sizeof(found.name) - 1), handle);
    found.chip =
        10 * d.ask(kCapabilityMajor, handle) + d.ask(kCapabilityMinor, handle);
    found.multiprocessors = d.ask(kMultiprocessors, handle);
    found.shared_bytes_per_cta = d.ask(kSharedPerBlockOptin, handle);
    found.shared_bytes_per_multiprocessor =
        d.ask(kSharedPerMultiprocessor, handle);
    *device = found;
  });
}

mxfp4rt_status mxfp4rt_device_get_speed(const mxfp4rt_driver *driver,
                                        int ordinal,
                                        mxfp4rt_device_speed *speed) {
  return guarded([&] {
    need(driver, "the driver");
    need(speed, "the place for the speed");
    const Driver &d = *driver->driver;
    const int handle = d.device(ordinal);
    *speed = {d.ask(kClock, handle), d.ask(kMemoryClock, handle),
              d.ask(kMemoryBusBits, handle), d.ask(kL2Bytes, handle)};
  });
}

mxfp4rt_status mxfp4rt_device_of(const mxfp4rt_driver *driver,
                                 const void *pointer, int *ordinal) {
  return guarded([&] {
    need(driver, "the driver");
    need(ordinal, "the place for the ordinal");
    const Driver &d = *driver->driver;
    d.call(d.pointerGetAttribute, static_cast<void *>(ordinal),
           int(kDeviceOrdinal), DevicePointer(pointer));
  });
}

mxfp4rt_status mxfp4rt_artifact_load(const char *folder,
                                     mxfp4rt_artifact **artifact) {
  return guarded([&] {
    need(folder, "the artifact's folder");
    need(artifact, "the place for the artifact");
    *artifact = new mxfp4rt_artifact{
        std::make_shared<Artifact>(Artifact::load(folder))};
  });
}

mxfp4rt_status mxfp4rt_artifact_read(const char *manifest, size_t manifest_size,
                                     const char *ptx, size_t ptx_size,
                                     const void *cubin, size_t cubin_size,
                                     const char *origin,
                                     mxfp4rt_artifact **artifact) {
  return guarded([&] {
    need(manifest, "the manifest's text");
    need(ptx, "the PTX");
    need(artifact, "the place for the artifact");
    auto read = std::make_shared<Artifact>();
    read->manifestText.assign(manifest, manifest_size);
    read->ptx.assign(ptx, ptx_size);
    if (cubin)
      read->cubin.emplace(static_cast<const char *>(cubin), cubin_size);
    read->origin = origin ? origin : "the artifact";
    read->check("the manifest of " + read->origin);
    *artifact = new mxfp4rt_artifact{std::move(read)};
  });
}
void mxfp4rt_artifact_destroy(mxfp4rt_artifact *artifact) { delete artifact; }

const char *mxfp4rt_artifact_entry(const mxfp4rt_artifact *artifact) {
  return artifact ? artifact->artifact->manifest.entry.c_str() : nullptr;
}
const char *mxfp4rt_artifact_target(const mxfp4rt_artifact *artifact) {
  return artifact ? artifact->artifact->manifest.target.c_str() : nullptr;
}
const char *mxfp4rt_artifact_manifest(const mxfp4rt_artifact *artifact) {
  return artifact ? artifact->artifact->manifestText.c_str() : nullptr;
}
const char *mxfp4rt_artifact_ptx(const mxfp4rt_artifact *artifact) {
  return artifact ? artifact->artifact->ptx.c_str() : nullptr;
}

const char *mxfp4rt_artifact_layout(const mxfp4rt_artifact *artifact) {
  return artifact ? artifact->artifact->manifest.layout.c_str() : nullptr;
}

mxfp4rt_rows mxfp4rt_artifact_rows(const mxfp4rt_artifact *artifact) {
  if (!artifact)
    return {0, 0, 0};
  const Manifest &manifest = artifact->artifact->manifest;
  const auto range =
      manifest.rowsHint.value_or(std::array{int64_t(0), INT64_MAX});
  return {range[0], range[1], manifest.mostRows};
}
size_t mxfp4rt_artifact_workspace(const mxfp4rt_artifact *artifact) {
  return artifact ? artifact->artifact->manifest.workspaceBytes() : 0;
}

int mxfp4rt_argument_count(const mxfp4rt_artifact *artifact) {
  return artifact ? int(artifact->artifact->manifest.arguments.size()) : 0;
}

mxfp4rt_status mxfp4rt_argument_get(const mxfp4rt_artifact *artifact,
                                    int number, mxfp4rt_argument *argument) {
  return guarded([&] {
    need(artifact, "the artifact");
    need(argument, "the place for the argument");
    const int count = mxfp4rt_argument_count(artifact);
    if (number < 0 || number >= count)
      fail(MXFP4RT_INVALID, "argument " + std::to_string(number) +
                                " does not exist; the kernel has " +
                                std::to_string(count) + ".");
    const Argument &found =
        artifact->artifact->manifest.arguments[size_t(number)];
    *argument = {found.name.c_str(),
                 found.kind,
                 found.dtype.c_str(),
                 found.align,
                 uint32_t(found.shape.size()),
                 {},
                 found.role == Argument::Role::Caller,
                 found.nullable};
    for (size_t i = 0; i < found.shape.size(); ++i)
      argument->shape[i] = found.shape[i];
  });
}

int mxfp4rt_argument_find(const mxfp4rt_artifact *artifact, const char *name) {
  return artifact && name ? artifact->artifact->manifest.find(name) : -1;
}

static std::string callersNames(const Manifest &manifest) {
  std::string names;
  for (const Argument &argument : manifest.arguments)
    if (argument.role == Argument::Role::Caller)
      names += (names.empty() ? "" : ", ") + argument.name;
  return names.empty() ? "none" : names;
}

/// The number of the caller's argument of a name.
static size_t callersNumber(const Manifest &manifest, const char *name) {
  const int number = name ? manifest.find(name) : -1;
  if (number < 0)
    fail(MXFP4RT_INVALID, "this kernel takes no " +
                              shown(name ? name : "null") + "; it takes " +
                              callersNames(manifest) + ".");
  if (manifest.arguments[size_t(number)].role != Argument::Role::Caller)
    fail(MXFP4RT_INVALID, std::string(name) +
                              " is provided by the launcher; pass " +
                              callersNames(manifest) + ".");
  return size_t(number);
}

mxfp4rt_status mxfp4rt_bind(const mxfp4rt_artifact *artifact,
                            const mxfp4rt_binding *bindings, size_t count,
                            mxfp4rt_value *values) {
  return guarded([&] {
    need(artifact, "the artifact");
    need(values, "the place for the values");
    if (count)
      need(bindings, "the list of bindings");
    const Manifest &manifest = artifact->artifact->manifest;
    std::vector<mxfp4rt_value> bound(manifest.arguments.size());
    std::vector<bool> given(bound.size());
    for (size_t i = 0; i < count; ++i) {
      const size_t number = callersNumber(manifest, bindings[i].name);
      if (given[number])
        fail(MXFP4RT_INVALID,
             manifest.arguments[number].name + " is given twice.");
      checkValue(manifest.arguments[number], bindings[i].value);
      bound[number] = bindings[i].value;
      given[number] = true;
    }
    for (size_t i = 0; i < bound.size(); ++i) {
      const Argument &argument = manifest.arguments[i];
      if (argument.role == Argument::Role::Caller && !given[i] &&
          !argument.nullable)
        fail(MXFP4RT_INVALID, "this kernel takes " + argument.name +
                                  ", which is not given; it takes " +
                                  callersNames(manifest) + ".");
    }
    if (!bound.empty())
      std::memcpy(values, bound.data(), bound.size() * sizeof(mxfp4rt_value));
  });
}

mxfp4rt_status mxfp4rt_kernel_create(mxfp4rt_driver *driver,
                                     const mxfp4rt_artifact *artifact,
                                     int device, mxfp4rt_kernel **kernel) {
  return guarded([&] {
    need(driver, "the driver");
    need(artifact, "the artifact");
    need(kernel, "the place for the kernel");
    std::unique_ptr<mxfp4rt_kernel> created(
        new mxfp4rt_kernel{{*driver->driver, artifact->artifact}});
    created->kernel.prepare(device);
    *kernel = created.release();
  });
}
void mxfp4rt_kernel_destroy(mxfp4rt_kernel *kernel) { delete kernel; }

mxfp4rt_status mxfp4rt_launch(mxfp4rt_kernel *kernel, int64_t rows,
                              const mxfp4rt_value *values, void *stream) {
  const mxfp4rt_call call = {kernel, rows, values};
  return mxfp4rt_launch_all(&call, 1, stream);
}

mxfp4rt_status mxfp4rt_launch_all(const mxfp4rt_call *calls, size_t count,
                                  void *stream) {
  return guarded([&] {
    if (count == 0)
      return;
    need(calls, "the list of calls");
    for (size_t i = 0; i < count; ++i) {
      checkCall(calls, i);
      calls[i].kernel->kernel.check(calls[i].rows, calls[i].values);
    }
    checkCounts(calls, count);
    const Kernel &first = calls[0].kernel->kernel;
    const InContext current(first.getDriver(), first.getContext());
    std::optional<StreamState> state;
    launchCalls(calls, count, stream, state);
  });
}

mxfp4rt_status mxfp4rt_error_word(mxfp4rt_kernel *kernel, int clear,
                                  int32_t *word) {
  return guarded([&] {
    need(kernel, "the kernel");
    need(word, "the place for the error word");
    *word = kernel->kernel.errorWord(clear != 0);
  });
}
