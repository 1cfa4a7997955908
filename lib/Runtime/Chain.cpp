//===- Chain.cpp - Calls that are launched again and again ----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CAPI.h"

using namespace mxfp4::runtime;

void mxfp4::runtime::checkCall(const mxfp4rt_call *calls, size_t number) {
  const mxfp4rt_call &call = calls[number];
  need(call.kernel, "the kernel");
  need(call.values, "the list of values");
  const Kernel &kernel = call.kernel->kernel;
  const Kernel &first = calls[0].kernel->kernel;
  if (&kernel.getDriver() != &first.getDriver() ||
      kernel.getContext() != first.getContext())
    fail(MXFP4RT_INVALID,
         "call " + std::to_string(number) +
             " is on another device than the first; launch the calls of "
             "each device by themselves.");
}

namespace {

/// The calls of a chain as a graph. Its launch takes the host as long as half
/// of a kernel's, and so does setting the parameters of its kernels anew.
class KernelGraph {
public:
  explicit KernelGraph(const Driver &driver) : driver(driver) {}
  ~KernelGraph();
  KernelGraph(const KernelGraph &) = delete;
  KernelGraph &operator=(const KernelGraph &) = delete;

  void build(const std::vector<mxfp4rt_call> &calls, Stream stream,
             std::optional<StreamState> &state);
  void update(size_t number, const mxfp4rt_call &call, Stream stream,
              std::optional<StreamState> &state);
  void launch(Stream stream) { driver.call(driver.graphLaunch, exec, stream); }

private:
  void add(const mxfp4rt_call &call, Stream stream,
           std::optional<StreamState> &state);

  const Driver &driver;
  Graph graph = nullptr;
  GraphExec exec = nullptr;
  /// Of each call; null if it has no rows.
  std::vector<GraphNode> nodes;
  GraphNode last = nullptr;
};

} // namespace

KernelGraph::~KernelGraph() {
  if (exec)
    driver.graphExecDestroy.function(exec);
  if (graph)
    driver.graphDestroy.function(graph);
}

void KernelGraph::add(const mxfp4rt_call &call, Stream stream,
                      std::optional<StreamState> &state) {
  nodes.push_back(nullptr);
  Kernel &kernel = call.kernel->kernel;
  if (!kernel.launches(call.rows))
    return;
  kernel.describe(
      call.rows, call.values, stream, state, [&](const KernelNode &node) {
        driver.call(driver.graphAddKernel, &nodes.back(), graph,
                    static_cast<const GraphNode *>(nullptr), size_t(0), &node);
      });
  // As launches are programmatic: the kernel waits itself.
  const GraphEdge edge = {
      GraphEdge::kProgrammatic, 0, GraphEdge::kProgrammatic, {}};
  if (last)
    driver.call(driver.graphAddEdges, graph, &last, &nodes.back(), &edge,
                size_t(1));
  last = nodes.back();
}

void KernelGraph::build(const std::vector<mxfp4rt_call> &calls, Stream stream,
                        std::optional<StreamState> &state) {
  driver.call(driver.graphCreate, &graph, 0U);
  for (const mxfp4rt_call &call : calls)
    add(call, stream, state);
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

struct mxfp4rt_chain {
  mxfp4rt_chain(const mxfp4rt_call *given, size_t count);
  void add(const mxfp4rt_place &place);
  void check() const;
  /// Whether the calls were launched; not if the stream is captured.
  bool launch(void *const *given, Stream stream);

private:
  /// Launches on a stream before a graph is made of the calls: that takes as
  /// long as tens of launches.
  static constexpr int kBeforeGraph = 8;

  Kernel &kernel(size_t call) const { return calls[call].kernel->kernel; }
  bool isGiven(size_t call, size_t argument) const;
  void launchOnce(Stream stream, std::optional<StreamState> &state);
  void makeGraph(Stream stream, std::optional<StreamState> &state);

  std::vector<mxfp4rt_call> calls;
  /// Of each call; the calls have their addresses.
  std::vector<std::vector<mxfp4rt_value>> values;
  std::vector<mxfp4rt_place> places;
  /// Calls with other values than the graph has.
  std::vector<bool> changed;
  /// Whose launches are counted, and are a graph's at last: that has the
  /// workspaces of one stream.
  std::optional<unsigned long long> graphStream;
  int launched = 0;
  std::unique_ptr<KernelGraph> graph;
  /// Held by a launch: values are the driver's until it returns.
  std::mutex mutex;
};

mxfp4rt_chain::mxfp4rt_chain(const mxfp4rt_call *given, size_t count)
    : calls(given, given + count), changed(count, true) {
  values.reserve(count);
  for (size_t i = 0; i < count; ++i) {
    checkCall(given, i);
    const size_t most = kernel(i).getManifest().arguments.size();
    values.emplace_back(given[i].values, given[i].values + most);
    calls[i].values = values.back().data();
  }
}

void mxfp4rt_chain::add(const mxfp4rt_place &place) {
  const std::string where = "argument " + std::to_string(place.argument) +
                            " of call " + std::to_string(place.call);
  if (place.call >= calls.size() || place.argument >= values[place.call].size())
    fail(MXFP4RT_INVALID, where + " does not exist; the chain has " +
                              std::to_string(calls.size()) + " calls.");
  const Argument &argument =
      kernel(place.call).getManifest().arguments[place.argument];
  if (argument.role != Argument::Role::Caller || !argument.isMemory())
    fail(MXFP4RT_INVALID, where + " (" + argument.name +
                              ") is no memory that the caller passes; only "
                              "addresses of such memory change.");
  places.push_back(place);
}

bool mxfp4rt_chain::isGiven(size_t call, size_t argument) const {
  for (const mxfp4rt_place &place : places)
    if (place.call == call && place.argument == argument)
      return true;
  return false;
}

void mxfp4rt_chain::check() const {
  for (size_t i = 0; i < calls.size(); ++i) {
    kernel(i).checkRows(calls[i].rows);
    for (size_t j = 0; j < values[i].size(); ++j)
      if (!isGiven(i, j))
        kernel(i).check(j, calls[i].rows, calls[i].values);
  }
}

void mxfp4rt_chain::makeGraph(Stream stream,
                              std::optional<StreamState> &state) {
  try {
    auto made = std::make_unique<KernelGraph>(kernel(0).getDriver());
    made->build(calls, stream, state);
    graph = std::move(made);
    changed.assign(calls.size(), false);
  } catch (const Failure &) {
    graph.reset(); // Launches one by one do the same.
  }
}

void mxfp4rt_chain::launchOnce(Stream stream,
                               std::optional<StreamState> &state) {
  if (!graphStream)
    graphStream = state->id;
  const bool isSame = *graphStream == state->id;
  if (isSame && kernel(0).getDriver().hasGraphs && ++launched == kBeforeGraph)
    makeGraph(stream, state);
  if (!graph || !isSame) {
    for (const mxfp4rt_call &call : calls)
      call.kernel->kernel.launch(call.rows, call.values, stream, state);
    return;
  }
  for (size_t i = 0; i < calls.size(); ++i) {
    if (!changed[i])
      continue;
    graph->update(i, calls[i], stream, state);
    changed[i] = false;
  }
  graph->launch(stream);
}

bool mxfp4rt_chain::launch(void *const *given, Stream stream) {
  if (calls.empty())
    return true;
  if (!places.empty())
    need(given, "the list of addresses");
  const Kernel &first = kernel(0);
  const std::lock_guard<std::mutex> lock(mutex);
  for (const mxfp4rt_place &place : places) {
    mxfp4rt_value &value = values[place.call][place.argument];
    if (value.pointer != given[place.given])
      changed[place.call] = true;
    value.pointer = given[place.given];
    kernel(place.call)
        .check(place.argument, calls[place.call].rows,
               calls[place.call].values);
  }
  const InContext current(first.getDriver(), first.getContext());
  std::optional<StreamState> state =
      StreamState::get(first.getDriver(), stream);
  if (state->capturing)
    return false;
  launchOnce(stream, state);
  return true;
}

mxfp4rt_status mxfp4rt_chain_create(const mxfp4rt_call *calls, size_t count,
                                    const mxfp4rt_place *places,
                                    size_t place_count, mxfp4rt_chain **chain) {
  return guarded([&] {
    need(chain, "the place for the chain");
    if (count)
      need(calls, "the list of calls");
    if (place_count)
      need(places, "the list of places");
    auto made = std::make_unique<mxfp4rt_chain>(calls, count);
    for (size_t i = 0; i < place_count; ++i)
      made->add(places[i]);
    made->check();
    *chain = made.release();
  });
}

void mxfp4rt_chain_destroy(mxfp4rt_chain *chain) { delete chain; }

mxfp4rt_status mxfp4rt_chain_launch(mxfp4rt_chain *chain, void *const *given,
                                    void *stream) {
  bool launched = true;
  const mxfp4rt_status status = guarded([&] {
    need(chain, "the chain");
    launched = chain->launch(given, stream);
  });
  return launched ? status : MXFP4RT_CAPTURED;
}
