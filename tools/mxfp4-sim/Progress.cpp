//===- Progress.cpp - Signs of life of a long command ---------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Progress.h"

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <utility>

using Clock = std::chrono::steady_clock;

/// Seconds between two lines: MXFP4_SIM_PROGRESS, which tests set, or 2.
static double interval() {
  const char *text = std::getenv("MXFP4_SIM_PROGRESS");
  const double seconds = text ? std::strtod(text, nullptr) : 0;
  return seconds > 0 ? seconds : 2;
}

Progress::Progress(std::string what, std::function<double()> share)
    : what(std::move(what)), share(std::move(share)), start(Clock::now()),
      watcher([this] { watch(); }) {}

Progress::~Progress() {
  {
    std::lock_guard<std::mutex> guard(lock);
    done = true;
  }
  wake.notify_all();
  watcher.join();
}

void Progress::watch() {
  const std::chrono::duration<double> pause(interval());
  std::unique_lock<std::mutex> guard(lock);
  // A busy machine may wake the watcher late, or only when all is done: a line
  // that is due then is said all the same.
  Clock::time_point last = start;
  for (bool ended = false; !ended;) {
    ended = wake.wait_for(guard, pause, [this] { return done; });
    const Clock::time_point now = Clock::now();
    if (ended && now - last < pause)
      return;
    last = now;
    const std::chrono::duration<double> passed = now - start;
    std::fprintf(stderr, "mxfp4-sim: %s\n", line(passed.count()).c_str());
  }
}

std::string Progress::line(double seconds) const {
  const std::string time = std::to_string(std::lround(seconds)) + " s";
  const double part = share ? share() : 0;
  if (part <= 0)
    return what + ", " + time + " so far";
  return what + ", " + std::to_string(int(100 * part)) + " % after " + time +
         ", about " + std::to_string(std::lround(seconds / part - seconds)) +
         " s more";
}
