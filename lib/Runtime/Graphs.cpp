//===- Graphs.cpp - Launching kernels as a graph --------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Graphs.h"

#include <algorithm>

using namespace mxfp4::runtime;

/// Whether memory of a call's argument overlaps memory that the kernel ahead
/// stores in or, where \p reads is set, reads.
static bool usesAhead(const mxfp4rt_call &call, size_t number,
                      const mxfp4rt_call &ahead, bool reads) {
  const Kernel &before = ahead.kernel->kernel;
  const Manifest &manifest = before.getManifest();
  const auto [begin, end] =
      call.kernel->kernel.memoryOf(number, call.rows, call.values);
  for (size_t i = 0; i < manifest.arguments.size(); ++i) {
    const Argument &argument = manifest.arguments[i];
    if (!manifest.mayStore(argument) &&
        !(reads && argument.isMemory() &&
          argument.role == Argument::Role::Caller))
      continue;
    const auto used = before.memoryOf(i, ahead.rows, ahead.values);
    if (begin < used.second && used.first < end)
      return true;
  }
  return false;
}

/// Whether both calls pass one address as arguments of these names.
static bool isOneMemory(const mxfp4rt_call &call, const char *name,
                        const mxfp4rt_call &ahead, const char *nameAhead) {
  const int number = call.kernel->kernel.getManifest().find(name),
            before = ahead.kernel->kernel.getManifest().find(nameAhead);
  return number >= 0 && before >= 0 &&
         call.values[number].pointer == ahead.values[before].pointer;
}

/// Whether a kernel waits for the counts that the kernel ahead raises for the
/// rows that it stores, of the same groups.
static bool awaitsCounts(const mxfp4rt_call &call, const mxfp4rt_call &ahead) {
  return isOneMemory(call, "awaited", ahead, "stored") &&
         isOneMemory(call, "x", ahead, "y") &&
         isOneMemory(call, "offsets", ahead, "offsets");
}

/// The last size of an argument that is there.
static int64_t lastSize(const mxfp4rt_call &call, const char *name) {
  const Manifest &manifest = call.kernel->kernel.getManifest();
  const std::vector<int64_t> &shape =
      manifest.arguments[manifest.find(name)].shape;
  return shape.empty() ? 1 : shape.back();
}

/// Fails if a kernel ahead does not complete the counts that a call waits for:
/// it stores other rows of the groups, or refuses their offsets.
static void checkCountsOf(const mxfp4rt_call *calls, size_t number,
                          size_t numberAhead) {
  const mxfp4rt_call &call = calls[number], &ahead = calls[numberAhead];
  const auto refuse = [&](const char *what, int64_t own, int64_t others) {
    fail(MXFP4RT_INVALID, "call " + std::to_string(number) +
                              " would wait without end: it has " +
                              std::to_string(own) + " " + what + ", and call " +
                              std::to_string(numberAhead) +
                              ", which counts what it waits for, " +
                              std::to_string(others) + ".");
  };
  const int64_t columns = lastSize(call, "x"), stored = lastSize(ahead, "y");
  if (columns != stored)
    refuse("columns", columns, stored);
  const int64_t groups = lastSize(call, "awaited"),
                counted = lastSize(ahead, "stored");
  if (groups != counted)
    refuse("groups", groups, counted);
  // Offsets may end before rows to gather do.
  const bool gathers = ahead.kernel->kernel.getManifest().find("gather") >= 0;
  if (gathers ? ahead.rows < call.rows : ahead.rows != call.rows)
    refuse("rows", call.rows, ahead.rows);
}

/// The number of the call whose counts a call waits for: the last one ahead
/// that raises them and launches something, or, if none does, the last one.
static std::optional<size_t> findCounting(const mxfp4rt_call *calls,
                                          size_t number) {
  std::optional<size_t> found;
  for (size_t i = number; i-- > 0;) {
    if (!awaitsCounts(calls[number], calls[i]))
      continue;
    if (calls[i].kernel->kernel.launches(calls[i].rows))
      return i;
    found = found.value_or(i);
  }
  return found;
}

void mxfp4::runtime::checkCounts(const mxfp4rt_call *calls, size_t count) {
  for (size_t i = 1; i < count; ++i) {
    const Kernel &kernel = calls[i].kernel->kernel;
    if (kernel.getManifest().ahead.empty() || !kernel.launches(calls[i].rows))
      continue;
    if (const std::optional<size_t> counting = findCounting(calls, i))
      checkCountsOf(calls, i, *counting);
  }
}

/// Whether a kernel stores in what the next one reads before it waits, or uses
/// what that one stores in. Rows of the kernel ahead are read when their counts
/// are complete.
static bool storesAhead(const mxfp4rt_call &call, const mxfp4rt_call &ahead) {
  const Manifest &manifest = call.kernel->kernel.getManifest();
  const bool isCounted = awaitsCounts(call, ahead);
  for (const size_t number : manifest.ahead) {
    const std::string &name = manifest.arguments[number].name;
    if (isCounted && (name == "x" || name == "awaited"))
      continue;
    if (usesAhead(call, number, ahead, manifest.storesAhead(number)))
      return true;
  }
  return false;
}

/// Whether a kernel, which takes tiles before it waits if it stores before
/// that, would count them in the workspace of the same kernel ahead.
static bool countsTilesAhead(const mxfp4rt_call &call,
                             const mxfp4rt_call &ahead) {
  const Kernel &kernel = call.kernel->kernel;
  const Manifest &manifest = kernel.getManifest();
  return &kernel == &ahead.kernel->kernel &&
         std::any_of(
             manifest.ahead.begin(), manifest.ahead.end(),
             [&](size_t number) { return manifest.storesAhead(number); });
}

bool mxfp4::runtime::beginsEarly(const mxfp4rt_call &call,
                                 const mxfp4rt_call *ahead) {
  if (call.kernel->kernel.getManifest().ahead.empty())
    return true;
  return ahead && ahead->kernel->kernel.getManifest().nextBehindWait &&
         !countsTilesAhead(call, *ahead) && !storesAhead(call, *ahead);
}

void mxfp4::runtime::launchCalls(const mxfp4rt_call *calls, size_t count,
                                 Stream stream,
                                 std::optional<StreamState> &state) {
  forLaunches(calls, count, [&](size_t i, bool early) {
    calls[i].kernel->kernel.launch(calls[i].rows, calls[i].values, stream,
                                   state, early);
  });
}

KernelGraph::~KernelGraph() {
  const BesideCaptures beside(driver);
  if (exec)
    driver.graphExecDestroy.function(exec);
  if (graph)
    driver.graphDestroy.function(graph);
}

void KernelGraph::add(const mxfp4rt_call &call, bool early, Stream stream,
                      std::optional<StreamState> &state) {
  GraphNode next = nullptr;
  call.kernel->kernel.describe(
      call.rows, call.values, stream, state, [&](const KernelNode &node) {
        driver.call(driver.graphAddKernel, &next, graph,
                    static_cast<const GraphNode *>(nullptr), size_t(0), &node);
      });
  // As launches are programmatic: the kernel waits itself.
  GraphEdge edge = {GraphEdge::kProgrammatic, 0, GraphEdge::kProgrammatic, {}};
  if (!early)
    edge = {};
  if (last)
    driver.call(driver.graphAddEdges, graph, &last, &next, &edge, size_t(1));
  last = next;
}

void KernelGraph::build(const std::vector<mxfp4rt_call> &calls, Stream stream,
                        std::optional<StreamState> &state) {
  const BesideCaptures beside(driver);
  driver.call(driver.graphCreate, &graph, 0U);
  nodes.resize(calls.size());
  forLaunches(calls.data(), calls.size(), [&](size_t i, bool early) {
    add(calls[i], early, stream, state);
    nodes[i] = last;
  });
  driver.call(driver.graphInstantiate, &exec, graph, 0ULL);
}

void KernelGraph::update(size_t number, const mxfp4rt_call &call, Stream stream,
                         std::optional<StreamState> &state) {
  if (!nodes[number])
    return;
  call.kernel->kernel.describe(
      call.rows, call.values, stream, state, [&](const KernelNode &node) {
        driver.call(driver.graphSetKernel, exec, nodes[number], &node);
      });
}

namespace {

/// The graphs that chains have, by streams and kernels, and whether each begins
/// early; null for a kernel that is left out.
struct Known {
  using Key = std::pair<unsigned long long,
                        std::vector<std::pair<const Kernel *, bool>>>;

  std::mutex mutex;
  std::map<Key, std::weak_ptr<SharedGraph>> graphs;
};

} // namespace

/// Never destroyed, since chains may outlive what is static here.
static Known &known() {
  static Known *const known = new Known;
  return *known;
}

std::shared_ptr<SharedGraph>
SharedGraph::of(const std::vector<mxfp4rt_call> &calls,
                const std::vector<bool> &early, unsigned long long stream) {
  Known::Key key(stream, {});
  for (size_t i = 0; i < calls.size(); ++i) {
    const Kernel &kernel = calls[i].kernel->kernel;
    key.second.emplace_back(kernel.launches(calls[i].rows) ? &kernel : nullptr,
                            early[i]);
  }
  Known &all = known();
  const std::lock_guard<std::mutex> lock(all.mutex);
  std::weak_ptr<SharedGraph> &place = all.graphs[key];
  std::shared_ptr<SharedGraph> found = place.lock();
  if (!found) {
    // Those that no chain has any more go when another one comes.
    for (auto it = all.graphs.begin(); it != all.graphs.end();)
      it = it->second.expired() && it->first != key ? all.graphs.erase(it)
                                                    : std::next(it);
    place = found = std::make_shared<SharedGraph>(stream);
  }
  return found;
}

std::shared_ptr<SharedGraph> SharedGraph::own(unsigned long long stream) {
  auto made = std::make_shared<SharedGraph>(stream);
  made->launched = kBeforeGraph - 1;
  return made;
}

void SharedGraph::make(const std::vector<mxfp4rt_call> &calls, Stream stream,
                       std::optional<StreamState> &state) {
  try {
    auto made =
        std::make_unique<KernelGraph>(calls[0].kernel->kernel.getDriver());
    made->build(calls, stream, state);
    graph = std::move(made);
  } catch (const Failure &) {
    graph.reset(); // Launches one by one do the same.
  }
}

void SharedGraph::launch(const std::vector<mxfp4rt_call> &calls, uint64_t chain,
                         const std::vector<bool> &changed, Stream stream,
                         std::optional<StreamState> &state) {
  const std::lock_guard<std::mutex> lock(mutex);
  if (launched <= kBeforeGraph)
    ++launched;
  const bool isMade = launched == kBeforeGraph;
  if (isMade)
    make(calls, stream, state);
  if (!graph) {
    launchCalls(calls.data(), calls.size(), stream, state);
    return;
  }
  const bool isOwn = isMade || owner == chain;
  owner = 0;
  for (size_t i = 0; !isMade && i < calls.size(); ++i)
    if (changed[i] || !isOwn)
      graph->update(i, calls[i], stream, state);
  owner = chain;
  graph->launch(stream);
}
