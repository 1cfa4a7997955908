//===- Kernel.h - A kernel on a device --------------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_LIB_RUNTIME_KERNEL_H
#define MXFP4_LIB_RUNTIME_KERNEL_H

#include "Artifact.h"
#include "Driver.h"
#include "TensorMaps.h"
#include "Workspaces.h"

#include <functional>
#include <map>
#include <mutex>

namespace mxfp4::runtime {

/// Fails unless a value fits an argument of the caller's.
void checkValue(const Argument &argument, const mxfp4rt_value &value);

class Kernel {
public:
  Kernel(const Driver &driver, std::shared_ptr<const Artifact> artifact)
      : driver(driver), artifact(std::move(artifact)) {}
  ~Kernel();
  Kernel(const Kernel &) = delete;
  Kernel &operator=(const Kernel &) = delete;

  /// Loads it on a device; once, before all else.
  void prepare(int ordinal);

  /// Fails unless a launch with these values is possible.
  void check(int64_t rows, const mxfp4rt_value *values) const;
  /// The two parts of `check`: the number of rows, and one value. A value that
  /// no launch of `rows` rows reads is not checked.
  void checkRows(int64_t rows) const;
  void check(size_t number, int64_t rows, const mxfp4rt_value *values) const;
  /// Launches what was checked and has rows, in the current context; \p early
  /// says whether it may begin before the kernel ahead has ended. \p state is
  /// asked of the stream if the kernel is the first to need it.
  void launch(int64_t rows, const mxfp4rt_value *values, Stream stream,
              std::optional<StreamState> &state, bool early);
  /// The caller's memory of an argument, from its first byte to the one behind
  /// its last; empty without an address.
  std::pair<uintptr_t, uintptr_t> memoryOf(size_t number, int64_t rows,
                                           const mxfp4rt_value *values) const;
  /// Whether a number of rows is launched at all.
  bool launches(int64_t rows) const {
    return artifact->manifest.grid.launches(rows);
  }
  /// Calls a function with such a launch as a node of a graph, whose parameters
  /// stay in place until the function returns.
  void describe(int64_t rows, const mxfp4rt_value *values, Stream stream,
                std::optional<StreamState> &state,
                const std::function<void(const KernelNode &)> &use);
  int32_t errorWord(bool clear);

  const Driver &getDriver() const { return driver; }
  const Manifest &getManifest() const { return artifact->manifest; }
  Context getContext() const { return context; }

private:
  void checkFits(int ordinal, int device) const;
  void load();
  void configure(int device);

  const Driver &driver;
  const std::shared_ptr<const Artifact> artifact;
  Context context = nullptr;
  /// Whose context is retained.
  int retained = -1;
  std::vector<ModuleHandle> modules;
  FunctionHandle function = nullptr;
  DevicePointer error = 0;
  int multiprocessors = 0;

  /// Held by a launch: the driver copies arguments before it returns.
  std::mutex mutex;
  std::unique_ptr<Workspaces> workspaces;
  /// By the number of the argument.
  std::map<size_t, TensorMaps> maps;
};

} // namespace mxfp4::runtime

#endif // MXFP4_LIB_RUNTIME_KERNEL_H
