//===- ConsumerLoop.h - The parts of a consumer's loop over K ---*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_TRANSFORMS_CONSUMERLOOP_H
#define MXFP4_TRANSFORMS_CONSUMERLOOP_H

#include "mxfp4/IR/MXFP4.h"

#include "mlir/Dialect/SCF/IR/SCF.h"

namespace mxfp4 {

/// The loop over K of a consumer, as `mxfp4-insert-decode` leaves it. It
/// carries the sums, slot and parity. A step waits for its stage (`enter`),
/// deals with one 64-row block after the other, releases the stage (`leave`),
/// and finds the next (`advance`).
struct ConsumerLoop {
  using Part = llvm::SmallVector<mlir::Operation *>;

  /// What the loop does with one 64-row block.
  struct Unit {
    Part fetch, decode, batch, back;
    /// Values that decode takes from fetch, and batch from decode.
    llvm::SmallVector<mlir::Value> raw, fragments;

    WgmmaOp wgmma() const { return mlir::cast<WgmmaOp>(batch.back()); }
    WgmmaWaitOp wait() const { return mlir::cast<WgmmaWaitOp>(back.front()); }
    mlir::Value sums() const { return back.back()->getResult(0); }
    bool isComplete(mlir::Value sumsBefore) const;
  };

  explicit ConsumerLoop(mlir::scf::ForOp loop) : loop(loop) {}

  /// Finds the parts. Diagnoses the loop if it has others, or if a value is
  /// used where it would not be once the parts run at different times.
  mlir::LogicalResult cut();

  mlir::scf::ForOp loop;
  Part enter, leave, advance;
  std::vector<Unit> units;

private:
  bool findParts();
  mlir::LogicalResult checkUsers();
  mlir::LogicalResult checkCarried();
  mlir::LogicalResult handOver();
};

} // namespace mxfp4

#endif // MXFP4_TRANSFORMS_CONSUMERLOOP_H
