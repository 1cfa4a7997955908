//===- LoopNumbers.h - Integers of the iterations of a loop -----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// JAX numbers the slices that an iteration reads and stores with a counter that
// the loop carries, or with an element of a table, which it makes positive and
// clamps: a dozen operations on tensors of one integer. Which numbers these are
// is computed, whatever computes them.
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_LIB_TRANSFORMS_LOOPNUMBERS_H
#define MXFP4_LIB_TRANSFORMS_LOOPNUMBERS_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

#include <map>

namespace mxfp4 {

class LoopNumbers {
public:
  /// Of a loop from 0 on in steps of 1.
  LoopNumbers(mlir::scf::ForOp loop, int64_t iterations)
      : loop(loop), iterations(iterations) {}

  /// What an integer of the body is in each iteration, if nothing but the
  /// iteration decides it and it takes not too long to compute.
  std::optional<llvm::SmallVector<int64_t>> of(mlir::Value value);

private:
  using Bits = std::optional<uint64_t>;
  /// An iteration of the body of a linalg operation.
  struct Scope {
    mlir::linalg::LinalgOp op;
    llvm::ArrayRef<int64_t> loops;
  };

  Bits scalar(mlir::Value value, const Scope &scope);
  Bits element(mlir::Value tensor, llvm::ArrayRef<int64_t> at);
  Bits elementOf(mlir::Operation *op, llvm::ArrayRef<int64_t> at);
  Bits carried(mlir::BlockArgument argument);
  std::optional<llvm::SmallVector<int64_t>> indices(mlir::ValueRange values,
                                                    const Scope &scope);

  mlir::scf::ForOp loop;
  int64_t iterations;
  int64_t iteration = 0;
  /// What the loop carries into an iteration.
  std::map<std::pair<unsigned, int64_t>, Bits> counters;
  int64_t steps = 0;
};

} // namespace mxfp4

#endif // MXFP4_LIB_TRANSFORMS_LOOPNUMBERS_H
