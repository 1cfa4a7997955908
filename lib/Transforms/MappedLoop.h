//===- MappedLoop.h - A matmul in each iteration ----------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// `lax.map`, `lax.scan` and `lax.fori_loop` over experts, and over tokens with
// a number of an expert each, are loops whose iteration multiplies a slice of
// the activations, or all of them, by weights of its own and stores the result
// as a slice of its own. All iterations together are one grouped matmul with
// the groups of each.
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_LIB_TRANSFORMS_MAPPEDLOOP_H
#define MXFP4_LIB_TRANSFORMS_MAPPEDLOOP_H

#include "Raise.h"

#include <memory>

namespace mxfp4 {

/// Slices of a tensor along its first dimension, one in each iteration.
struct Slices {
  mlir::Value whole;
  /// The number of the slice in an iteration, and the numbers of all
  /// iterations, in the order in which these store their results, if they are
  /// known.
  mlir::Value number;
  std::optional<llvm::SmallVector<int64_t>> known;

  /// Whether iterations store their results in the order of their slices, and
  /// there are no others.
  bool isWhole() const;
  bool hasNumbersOf(const Slices &other) const {
    return number == other.number || (known && known == other.known);
  }
};

/// A matmul in a loop.
struct MappedMatmul {
  GroupedMatmulOp op;
  /// The offsets of the groups of one iteration.
  llvm::SmallVector<int32_t> offsets;
  /// The rows that an iteration multiplies: slices; or, without a number, the
  /// whole tensor in each iteration; or null where `before` computes the rows.
  Slices activations;
  /// The matmul of the same iteration whose result the activations are.
  std::unique_ptr<MappedMatmul> before;
  Slices codes, scales;
  /// For each operand of the epilogue the tensor that it is a slice of, or the
  /// operand itself where it is a scalar.
  llvm::SmallVector<mlir::Value> epilogueOperands;
  /// Operations of the body that compute numbers of slices which only the run
  /// may show.
  llvm::SetVector<mlir::Operation *> numbers;

  int64_t groups() const { return static_cast<int64_t>(offsets.size()) - 1; }
  int64_t rows() const { return offsets.back(); }
};

struct MappedLoop {
  int64_t iterations = 0;
  /// The number of the loop's result that the matmul's is.
  unsigned output = 0;
  std::unique_ptr<MappedMatmul> matmul;
};

/// Whether each iteration of a loop stores all of a slice of its result, and no
/// other.
bool storesSlices(mlir::scf::ForOp loop);

/// The iterations of a loop as one matmul each; nullopt for any other loop.
std::optional<MappedLoop> findMappedLoop(mlir::scf::ForOp loop);

} // namespace mxfp4

#endif // MXFP4_LIB_TRANSFORMS_MAPPEDLOOP_H
