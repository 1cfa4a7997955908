//===- Workspaces.h - Zeros that launches count in --------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_LIB_RUNTIME_WORKSPACES_H
#define MXFP4_LIB_RUNTIME_WORKSPACES_H

#include "Driver.h"

#include <unordered_map>
#include <vector>

namespace mxfp4::runtime {

/// What workspaces depend on, of a stream that launches come on.
struct StreamState {
  bool capturing = false;
  /// Unlike handles, never used again.
  unsigned long long id = 0;

  static StreamState get(const Driver &driver, Stream stream);
};

/// Workspaces of one kernel on one device.
///
/// A kernel finds zeros in its workspace and leaves zeros, so that launches
/// which cannot run at one time may share one: those of a stream, and the runs
/// of one launch in a graph, which write to one output. All others get one
/// each. The caller sees to it that one thread at a time is here.
class Workspaces {
public:
  /// With the device's context current. \p bytes is the size of a workspace.
  Workspaces(const Driver &driver, size_t bytes, size_t align);
  ~Workspaces();
  Workspaces(const Workspaces &) = delete;
  Workspaces &operator=(const Workspaces &) = delete;

  /// The workspace of a launch that comes next on a stream.
  DevicePointer get(const StreamState &stream);

private:
  void allocate();
  DevicePointer take();

  const Driver &driver;
  /// Of a workspace.
  size_t bytes;
  /// Workspaces that are allocated at once, and free ones under which more
  /// are: nothing can be, during a capture.
  size_t chunk, reserve;
  std::vector<DevicePointer> memory, available;
  std::unordered_map<unsigned long long, DevicePointer> ofStream;
};

} // namespace mxfp4::runtime

#endif // MXFP4_LIB_RUNTIME_WORKSPACES_H
