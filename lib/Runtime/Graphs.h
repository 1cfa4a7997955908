//===- Graphs.h - Launching kernels as a graph ------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_LIB_RUNTIME_GRAPHS_H
#define MXFP4_LIB_RUNTIME_GRAPHS_H

#include "CAPI.h"

#include <memory>

namespace mxfp4::runtime {

/// Whether a call's kernel may begin before the kernel of the call ahead of it
/// in a chain, if there is one, has ended. Kernels wait for that one before
/// they read anything (griddepcontrol.wait), but for what their manifests name,
/// which must be older: the kernel ahead must not store in it, nor use it where
/// this one stores in it, and kernels further ahead have ended if the kernel
/// ahead waited for them before it let this one begin. Rows whose counts a
/// kernel waits for are stored by the kernel ahead that raises the counts.
/// A kernel that stores so early does not begin early behind itself, because
/// both have one workspace.
bool beginsEarly(const mxfp4rt_call &call, const mxfp4rt_call *ahead);

/// Tells of each call in turn that launches something its number, and whether
/// it begins early.
template <typename Tell>
void forLaunches(const mxfp4rt_call *calls, size_t count, Tell tell) {
  const mxfp4rt_call *ahead = nullptr;
  for (size_t i = 0; i < count; ++i) {
    if (!calls[i].kernel->kernel.launches(calls[i].rows))
      continue;
    tell(i, beginsEarly(calls[i], ahead));
    ahead = &calls[i];
  }
}

/// Fails if a call would wait for counts that a call ahead of it raises and
/// never completes, or does not raise because it launches nothing.
void checkCounts(const mxfp4rt_call *calls, size_t count);

/// Launches calls one by one.
void launchCalls(const mxfp4rt_call *calls, size_t count, Stream stream,
                 std::optional<StreamState> &state);

/// Kernels in a row as a graph. Its launch takes the host as long as half of a
/// kernel's, and so does setting the parameters of its kernels anew.
class KernelGraph {
public:
  explicit KernelGraph(const Driver &driver) : driver(driver) {}
  ~KernelGraph();
  KernelGraph(const KernelGraph &) = delete;
  KernelGraph &operator=(const KernelGraph &) = delete;

  void build(const std::vector<mxfp4rt_call> &calls, Stream stream,
             std::optional<StreamState> &state);
  /// Gives a call's kernel other values, or another number of rows.
  void update(size_t number, const mxfp4rt_call &call, Stream stream,
              std::optional<StreamState> &state);
  void launch(Stream stream) { driver.call(driver.graphLaunch, exec, stream); }

private:
  void add(const mxfp4rt_call &call, bool early, Stream stream,
           std::optional<StreamState> &state);

  const Driver &driver;
  Graph graph = nullptr;
  GraphExec exec = nullptr;
  /// Of each call; null if it has no rows.
  std::vector<GraphNode> nodes;
  GraphNode last = nullptr;
};

/// The launches on a stream of all chains of the same kernels: a layer's for
/// each number of tokens, and those of other layers with the same kernels. They
/// are counted, and are a graph's at last.
class SharedGraph {
public:
  explicit SharedGraph(unsigned long long stream) : stream(stream) {}

  /// The one for these kernels on a stream, of which these begin early. It
  /// lives as long as a chain has it.
  static std::shared_ptr<SharedGraph> of(const std::vector<mxfp4rt_call> &calls,
                                         const std::vector<bool> &early,
                                         unsigned long long stream);

  /// One that no other chain has; its first launch makes it.
  static std::shared_ptr<SharedGraph> own(unsigned long long stream);

  /// Launches a chain's calls.
  /// \p chain tells chains apart; \p changed are the calls that have other
  /// values than in its last launch.
  void launch(const std::vector<mxfp4rt_call> &calls, uint64_t chain,
              const std::vector<bool> &changed, Stream stream,
              std::optional<StreamState> &state);

  const unsigned long long stream;

private:
  /// Launches before a graph is made, which takes as long as tens of launches.
  static constexpr int kBeforeGraph = 8;

  void make(const std::vector<mxfp4rt_call> &calls, Stream stream,
            std::optional<StreamState> &state);

  /// Held by a launch.
  std::mutex mutex;
  int launched = 0;
  std::unique_ptr<KernelGraph> graph;
  /// Whose values the graph has; 0 if it has nobody's.
  uint64_t owner = 0;
};

} // namespace mxfp4::runtime

#endif // MXFP4_LIB_RUNTIME_GRAPHS_H
