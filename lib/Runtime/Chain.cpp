//===- Chain.cpp - Calls that are launched again and again ----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CAPI.h"
#include "Graphs.h"

#include <atomic>
#include <utility>

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

static uint64_t nextNumber() {
  static std::atomic<uint64_t> last = 0;
  return ++last;
}

struct mxfp4rt_chain {
  mxfp4rt_chain(const mxfp4rt_call *given, size_t count);
  void add(const mxfp4rt_place &place);
  void check() const;
  /// Whether the calls were launched; not if the stream is captured.
  bool launch(void *const *given, Stream stream);

private:
  /// Launches on a stream before the chain has a graph of its own, in which it
  /// need not set what other chains have changed.
  static constexpr int kBeforeOwn = 32;

  Kernel &kernel(size_t call) const { return calls[call].kernel->kernel; }
  bool isGiven(size_t call, size_t argument) const;
  bool beginsAsBefore() const;
  void launchOnce(Stream stream, std::optional<StreamState> &state);

  std::vector<mxfp4rt_call> calls;
  /// Of each call; the calls have their addresses.
  std::vector<std::vector<mxfp4rt_value>> values;
  std::vector<mxfp4rt_place> places;
  /// Calls with other values than the chain's last launch had.
  std::vector<bool> changed;
  /// Tells chains apart; no two in a process have the same.
  const uint64_t number;
  /// Of the stream of the last launch.
  std::shared_ptr<SharedGraph> graph;
  /// The graph before that one, of another stream or with other early calls.
  std::shared_ptr<SharedGraph> before;
  /// Calls that begin early in that graph, which follows from addresses.
  std::vector<bool> early;
  /// Launches on that stream behind the first.
  int launched = 0;
  /// Held by a launch: values are the driver's until it returns.
  std::mutex mutex;
};

mxfp4rt_chain::mxfp4rt_chain(const mxfp4rt_call *given, size_t count)
    : calls(given, given + count), changed(count, true), number(nextNumber()) {
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
  if (places.empty())
    checkCounts(calls.data(), calls.size());
}

/// Whether the same calls begin early as in the graph: with other addresses a
/// kernel may store in what the next one reads ahead, or no longer.
bool mxfp4rt_chain::beginsAsBefore() const {
  bool same = true;
  forLaunches(calls.data(), calls.size(),
              [&](size_t i, bool begins) { same &= early[i] == begins; });
  return same;
}

void mxfp4rt_chain::launchOnce(Stream stream,
                               std::optional<StreamState> &state) {
  if (!kernel(0).getDriver().hasGraphs) {
    launchCalls(calls.data(), calls.size(), stream, state);
    return;
  }
  if (!graph || graph->stream != state->id || !beginsAsBefore()) {
    early.assign(calls.size(), true);
    forLaunches(calls.data(), calls.size(),
                [&](size_t i, bool begins) { early[i] = begins; });
    // A chain may change between two streams or orders with every launch, so
    // that the graph before lives on, and is found again.
    std::shared_ptr<SharedGraph> next =
        SharedGraph::of(calls, early, state->id);
    before = std::exchange(graph, std::move(next));
    changed.assign(calls.size(), true); // since the last launch on that stream
    launched = 0;
  } else if (launched < kBeforeOwn) {
    ++launched;
    if (launched == kBeforeOwn) {
      graph = SharedGraph::own(state->id);
      changed.assign(calls.size(), true);
    }
  }
  graph->launch(calls, number, changed, stream, state);
  changed.assign(calls.size(), false);
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
  if (!places.empty())
    checkCounts(calls.data(), calls.size());
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
