//===- Chains.h - Kernels that are launched one behind another --*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_TEST_UNIT_RUNTIME_CHAINS_H
#define MXFP4_TEST_UNIT_RUNTIME_CHAINS_H

#include "Fixture.h"

/// A kernel that reads what is older than the kernel ahead of it.
inline Json readsAhead() {
  Json manifest = matmul(true);
  manifest["launch"]["ahead"] = {"offsets", "weights"};
  return manifest;
}

/// Values of a matmul whose weights lie behind all else.
inline std::vector<mxfp4rt_value> valuesApart() {
  std::vector<mxfp4rt_value> some = values();
  some[1] = at(0x100000);
  return some;
}

/// A kernel that is no matmul, such as a sort, and may store in all that it
/// gets.
inline Json routing() {
  Json manifest = matmul(true);
  manifest["operation"] = "sort_by_expert";
  manifest.erase("weights");
  return manifest;
}

/// A kernel with counts of this name, and rows as wide as what it stores.
inline Json counts(const std::string &name) {
  Json manifest = matmul(true);
  Json counts = manifest["arguments"][2];
  counts["name"] = name;
  counts["shape"] = {3};
  manifest["arguments"].push_back(counts);
  manifest["arguments"][3]["shape"] = {"rows", 96};
  return manifest;
}

/// A kernel that waits for counts of the rows that it reads.
inline Json awaitsCounts() {
  Json manifest = counts("awaited");
  manifest["launch"]["ahead"] = {"x", "weights", "offsets", "y", "awaited"};
  return manifest;
}

/// Values of a kernel that counts, and of one that waits for these counts.
inline std::vector<mxfp4rt_value> counted() {
  std::vector<mxfp4rt_value> some = valuesApart();
  some[0] = at(0x4000);
  some[3] = at(0x5000);
  some.push_back(at(0x9000));
  return some;
}
inline std::vector<mxfp4rt_value> awaiting() {
  std::vector<mxfp4rt_value> some = counted();
  some[0] = at(0x5000);
  some[3] = at(0x6000);
  return some;
}

struct ChainDeleter {
  void operator()(mxfp4rt_chain *c) const { mxfp4rt_chain_destroy(c); }
};
using ChainPtr = std::unique_ptr<mxfp4rt_chain, ChainDeleter>;

inline ChainPtr chainOf(const std::vector<mxfp4rt_call> &calls,
                        const std::vector<mxfp4rt_place> &places) {
  mxfp4rt_chain *chain = nullptr;
  mxfp4rt_chain_create(calls.data(), calls.size(), places.data(), places.size(),
                       &chain);
  return ChainPtr(chain);
}

/// Launches of a chain before it launches a graph.
inline constexpr int kBeforeGraph = 8;

#endif // MXFP4_TEST_UNIT_RUNTIME_CHAINS_H
