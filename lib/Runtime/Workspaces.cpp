//===- Workspaces.cpp - Zeros that launches count in ----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Workspaces.h"

#include <algorithm>

using namespace mxfp4::runtime;

/// Captured launches of one kernel that are always possible: more than any
/// model has layers.
static constexpr size_t kLeastReserve = 256;

StreamState StreamState::get(const Driver &driver, Stream stream) {
  StreamState state;
  int capturing = 0;
  driver.call(driver.streamIsCapturing, stream, &capturing);
  state.capturing = capturing != 0;
  // A launch that is captured takes a workspace of its own.
  if (!state.capturing)
    driver.call(driver.streamGetId, stream, &state.id);
  return state;
}

Workspaces::Workspaces(const Driver &driver, size_t size, size_t align)
    : driver(driver) {
  const size_t unit = std::max<size_t>(align, 8);
  bytes = (std::max<size_t>(size, 1) + unit - 1) / unit * unit;
  // 8192 of 8 bytes; fewer of large ones, but never so few that a graph of a
  // model's layers could take all.
  chunk = std::clamp<size_t>((size_t(1) << 20) / bytes, 512, 8192);
  reserve = std::max(chunk / 8, kLeastReserve);
  try {
    allocate();
  } catch (...) {
    for (DevicePointer base : memory)
      driver.memFree.function(base);
    throw;
  }
}

Workspaces::~Workspaces() {
  for (DevicePointer base : memory)
    driver.memFree.function(base);
}

void Workspaces::allocate() {
  const BesideCaptures beside(driver);
  // Room first: what the driver gave must not be lost.
  memory.reserve(memory.size() + 1);
  available.reserve(available.size() + chunk);
  DevicePointer base = 0;
  driver.call(driver.memAlloc, &base, chunk * bytes);
  memory.push_back(base);
  driver.clear(base, chunk * bytes / 4);
  for (size_t i = chunk; i-- > 0;)
    available.push_back(base + i * bytes);
}

DevicePointer Workspaces::take() {
  const DevicePointer taken = available.back();
  available.pop_back();
  return taken;
}

DevicePointer Workspaces::get(const StreamState &stream) {
  if (stream.capturing) {
    if (available.empty())
      fail(MXFP4RT_FAILED,
           "too many launches of this kernel were captured in graphs since one "
           "was made outside of a capture (" +
               std::to_string(reserve) +
               " are sure to be possible); launch it once between captures.");
    return take();
  }
  // One may be taken below, and what is reserved is for captures.
  if (available.size() <= reserve)
    allocate();
  auto found = ofStream.find(stream.id);
  if (found == ofStream.end()) {
    found = ofStream.emplace(stream.id, 0).first;
    found->second = take();
  }
  return found->second;
}
