//===- StubDriver.h - A driver that writes down what it is asked -*- C++
//-*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Two sm_90 devices whose memory is the host's. Device ordinals are devices;
// contexts, modules and functions are small numbers. What is retained, loaded,
// allocated and pushed is counted, so that tests see what is left over.
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_TEST_UNIT_RUNTIME_STUBDRIVER_H
#define MXFP4_TEST_UNIT_RUNTIME_STUBDRIVER_H

#include "mxfp4-c/Runtime.h"

#include <array>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

struct StubLaunch {
  std::array<uint32_t, 3> grid, block;
  uint32_t shared;
  void *stream, *function;
  int attribute, attributeValue;
  /// The bytes of each parameter, as many as `parameterBytes` says.
  std::vector<std::vector<unsigned char>> parameters;

  uint64_t number(size_t parameter) const;
};

/// A graph of kernels, and what is launched of it.
struct StubGraph {
  std::deque<StubLaunch> nodes;
};

/// What the stub writes for a tensor map.
struct StubMap {
  uint64_t pointer, columns, rows, stride;
  uint32_t box[2], dtype, swizzle, promotion, fill, interleave, rank, steps[2];
};

struct StubDriver {
  /// Functions that fail, and with what; functions that are not there.
  std::map<std::string, int> failing;
  std::set<std::string> missing;
  /// Whether calls and launches are written down.
  bool recording = true;
  int chip = 90, sharedPerSm = 233472;
  bool cubinFits = true;
  std::set<void *> capturing;
  /// Whether another thread captures a stream, as strictly as CUDA can, and
  /// what this thread called that broke the capture.
  bool othersCapture = false;
  std::vector<std::string> broke;
  std::vector<size_t> parameterBytes;

  /// Calls by name, in order, and what launches were given.
  std::vector<std::string> calls;
  std::vector<StubLaunch> launches;
  std::vector<std::string> images;
  std::map<int, int> attributes;
  int encoded = 0;
  /// What is held: allocations that were cleared and synchronised or not.
  std::map<uint64_t, std::vector<unsigned char>> memory;
  std::set<uint64_t> unclear;
  int retained = 0, modules = 0, heldGraphs = 0, streams = 0;
  std::deque<StubGraph> graphs;
  std::mutex mutex;

  StubDriver();
  ~StubDriver();
  StubDriver(const StubDriver &) = delete;
  StubDriver &operator=(const StubDriver &) = delete;

  mxfp4rt_driver_options options();
  /// Names of all functions that the runtime looked up.
  std::vector<std::string> functions() const;
  /// Whether 8 bytes at an address are memory that holds zeros for all streams.
  bool isClear(uint64_t address);
  /// Contexts that this thread has pushed, and its mode beside captures.
  static size_t depth();
  static int mode();
};

#endif // MXFP4_TEST_UNIT_RUNTIME_STUBDRIVER_H
