//===- Common.h - What both programs do -----------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include "Memory.h"

#include "mxfp4-c/Runtime.h"
#include "mxfp4/Core/WeightLayout.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>

inline void check(mxfp4rt_status status) {
  if (status == MXFP4RT_OK)
    return;
  std::fprintf(stderr, "error: %s\n", mxfp4rt_last_error());
  std::exit(1);
}

/// Opens the system's driver, or, where there is none, the interpreter, which
/// is a driver, too. The library that was opened.
inline std::string openDriver(mxfp4rt_driver *&driver) {
  if (mxfp4rt_driver_open(nullptr, &driver) == MXFP4RT_OK)
    return "libcuda.so.1";
  std::printf("no GPU: %s\n", mxfp4rt_last_error());
  const mxfp4rt_driver_options options = {INTERPRETER, nullptr, nullptr};
  check(mxfp4rt_driver_open(&options, &driver));
  return INTERPRETER;
}

/// How the weights of a kernel are packed.
inline mxfp4::BlockLayout layoutOf(const mxfp4rt_artifact *artifact) {
  const std::string text = mxfp4rt_artifact_layout(artifact);
  const size_t blank = text.find(' ');
  mxfp4::BlockLayout layout;
  if (text.compare(0, 6, "order=") != 0 || blank == std::string::npos ||
      !mxfp4::parse(text.substr(6, blank - 6), layout.order) ||
      !mxfp4::parse(text.substr(blank + 8), layout.scales)) {
    std::fprintf(stderr, "error: this example cannot pack weights with %s\n",
                 text.c_str());
    std::exit(1);
  }
  return layout;
}

/// Median microseconds of the host for a call, without waiting for the device.
template <typename Call> double hostTime(Memory &memory, Call call) {
  constexpr int kTimes = 50, kCalls = 20;
  std::vector<double> times;
  for (int i = 0; i < kTimes; ++i) {
    memory.synchronize();
    const auto start = std::chrono::steady_clock::now();
    for (int j = 0; j < kCalls; ++j)
      call();
    const std::chrono::duration<double, std::micro> took =
        std::chrono::steady_clock::now() - start;
    times.push_back(took.count() / kCalls);
  }
  std::nth_element(times.begin(), times.begin() + kTimes / 2, times.end());
  return times[kTimes / 2];
}
