//===- Problem.h - A launch from an artifact's manifest ---------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_TOOLS_SIM_PROBLEM_H
#define MXFP4_TOOLS_SIM_PROBLEM_H

#include "mxfp4/Core/WeightLayout.h"
#include "mxfp4/Sim/Sim.h"

#include "llvm/Support/JSON.h"

#include <optional>

/// A grouped matmul for an artifact: its data, the launch that the manifest
/// describes, and the check of what the launch stored.
class Problem {
public:
  /// Dies if the manifest or the words of \p spec are not understood.
  Problem(const std::string &manifest, const std::string &spec);

  std::string entry() const;
  /// Makes data from a seed, and describes the launch with buffers that live as
  /// long as this object.
  mxfp4::sim::Launch launch(uint64_t seed);
  /// Registers of a thread at launch; 0 if the manifest does not tell.
  unsigned registers() const;
  /// Whether the kernel reads arguments before the kernel ahead has ended; by
  /// itself it is then launched when that one has ended.
  bool readsAhead() const;
  /// What the launch does, and why it has as many thread blocks as it has.
  std::string describe(const mxfp4::sim::Launch &l) const;
  /// The part of the output that the launch has stored so far, from 0 to 1; for
  /// another thread while the launch runs.
  double stored(const mxfp4::sim::Launch &l) const;
  /// Compares with the definition: a sentence, and whether all is well.
  std::pair<std::string, bool> check(const mxfp4::sim::Launch &l) const;

private:
  int64_t integer(llvm::StringRef path) const;
  std::string text(llvm::StringRef path) const;
  /// The value of the manifest at a path such as "problem.groups", or null.
  const llvm::json::Value *find(llvm::StringRef path) const;
  bool has(llvm::StringRef path) const { return find(path) != nullptr; }
  const llvm::json::Value &at(llvm::StringRef path) const;
  void readSpec(const std::string &spec);
  void route(uint64_t seed);
  void fill(uint64_t seed);
  std::optional<unsigned> addBuffer(const std::string &name,
                                    mxfp4::sim::Launch &l);
  mxfp4::sim::TensorMap tensorMap(const std::string &name, uint64_t address,
                                  const llvm::json::Value &value) const;
  void addArgument(const llvm::json::Object &argument, mxfp4::sim::Launch &l);
  double weight(int64_t expert, int64_t n, int64_t k) const;

  llvm::json::Value manifest;
  int64_t experts, groups, n, k, rows = 64, multiprocessors = 2;
  bool outputF32, exact = true;
  mxfp4::BlockLayout layout;
  std::string routing = "random", xFile, weightsFile;
  std::vector<int32_t> offsets, ids;
  std::vector<uint16_t> x;
  /// Packed, and in the form of a checkpoint.
  std::vector<uint8_t> packed, codes, scales;
  std::vector<uint8_t> y;
  int32_t error = 0, workspace[2] = {0, 0};
  unsigned yBuffer = 0;
};

#endif // MXFP4_TOOLS_SIM_PROBLEM_H
