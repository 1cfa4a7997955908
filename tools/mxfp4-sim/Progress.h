//===- Progress.h - Signs of life of a long command -------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_TOOLS_SIM_PROGRESS_H
#define MXFP4_TOOLS_SIM_PROGRESS_H

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

/// While it lives, says on stderr every few seconds what the command does, how
/// far it is, and how much longer it will take. A phase that ends sooner says
/// nothing.
class Progress {
public:
  /// \p share gives the part that is done, from 0 to 1; without it only the
  /// time is told. It is called from another thread.
  explicit Progress(std::string what, std::function<double()> share = {});
  ~Progress();
  Progress(const Progress &) = delete;
  Progress &operator=(const Progress &) = delete;

private:
  void watch();
  std::string line(double seconds) const;

  const std::string what;
  const std::function<double()> share;
  const std::chrono::steady_clock::time_point start;
  std::mutex lock;
  std::condition_variable wake;
  bool done = false;
  std::thread watcher;
};

#endif // MXFP4_TOOLS_SIM_PROGRESS_H
