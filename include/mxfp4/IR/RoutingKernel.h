//===- RoutingKernel.h - Kernels around the grouped matmuls -----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Which operations become which kernel, its arguments and its launch: for
// mxfp4-tile-routing, which makes the kernels, and for the manifest.
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_IR_ROUTINGKERNEL_H
#define MXFP4_IR_ROUTINGKERNEL_H

#include "mxfp4/Core/Routing.h"
#include "mxfp4/IR/KernelSignature.h"

namespace mxfp4 {

/// One operation, or a sort with the top_k whose ids it sorts or with what
/// brings values into its rows, that become a kernel.
struct RoutingKernel {
  TopKOp topK = {};
  SortByExpertOp sort = {};
  CombineOp combine = {};
  CountByExpertOp count = {};
  QuantizeRowsOp quantize = {};
  DispatchOp dispatch = {};

  /// An argument of the kernel and its operand, which may have another shape
  /// with as many elements. The operand is null for the number of tokens and
  /// for the number of rows to gather from.
  struct Argument {
    mlir::Value operand;
    KernelArgument argument;
  };

  /// "top_k", "sort_by_expert", "route" for both, "count_by_expert",
  /// "dispatch", "quantize_rows", "sort_dispatch" and "sort_quantize" for both,
  /// or "combine".
  llvm::StringRef name() const;
  /// The operations, in their order.
  llvm::SmallVector<mlir::Operation *> operations() const;
  /// The launch replaces the last operation.
  mlir::Operation *last() const { return operations().back(); }

  // Sizes, ShapedType::kDynamic if they are not static; 0 where an operation
  // has no such size.
  int64_t experts() const;
  int64_t slots() const;
  /// Columns of combine, dispatch and quantize_rows.
  int64_t n() const;

  /// Columns that a thread of these has together.
  int64_t vectorWidth() const;
  /// Whether each row is stored in the rows of its slots.
  bool storesSlots() const;
  /// And whether few registers are enough to find these rows, too.
  bool storesLeanSlots() const;
  /// Slots whose positions and weights are loaded together.
  int64_t slotWidth() const;
  /// Tokens that a thread of combine has together.
  int64_t tokensTogether() const;

  /// Defined for static sizes.
  llvm::SmallVector<Argument> arguments() const;
  LaunchPlan plan() const;
};

/// The kernels that the routing operations in `root` become, in their order.
/// `rowsHint` is how many slots there are, of all tokens together; 0: unknown.
llvm::SmallVector<RoutingKernel> findRoutingKernels(mlir::Operation *root,
                                                    int64_t rowsHint);

} // namespace mxfp4

#endif // MXFP4_IR_ROUTINGKERNEL_H
