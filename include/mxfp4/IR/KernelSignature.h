//===- KernelSignature.h - The arguments of a kernel ------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What the operands of mxfp4.grouped_matmul are, in one table, and the
// signature of the kernel that follows from it. Whoever verifies the operation,
// builds one, launches a kernel or writes how to launch it reads the table or
// the signature (the attribute `mxfp4.arg`), and has no list of its own.
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_IR_KERNELSIGNATURE_H
#define MXFP4_IR_KERNELSIGNATURE_H

#include "mxfp4/IR/MXFP4.h"

#include "mlir/Interfaces/FunctionInterfaces.h"

namespace mxfp4 {

/// What the types of operands depend on. Sizes may be ShapedType::kDynamic.
struct MatmulSizes {
  int64_t rows, experts, groups, n, k;
  /// Element types of packed weights, of the output and of the activations.
  mlir::Type block, output, activations;
  /// Words of a workspace.
  int64_t words;

  static MatmulSizes of(GroupedMatmulOp op);
};

/// What the chooser of schedules asks of an operation. Sizes may be
/// ShapedType::kDynamic.
Problem schedulingProblem(GroupedMatmulOp op, int64_t rowsHint = 0);

/// Diagnoses a `rows-hint` of a pass that is negative; 0 means unknown.
llvm::LogicalResult checkRowsHint(mlir::Operation *op, llvm::StringRef pass,
                                  int64_t rowsHint);

/// An operand of mxfp4.grouped_matmul.
struct MatmulOperand {
  /// Of the kernel's argument; with "-" for "_", of the word for an optional
  /// operand of the caller's in a problem (`parseProblemSpec`).
  llvm::StringLiteral name;
  /// In messages: "requires <title> of shape ...".
  llvm::StringLiteral title;
  Provider provider;
  bool isOptional;
  /// A kernel accesses as many neighbouring elements at once; 0: 16 bytes.
  int64_t alignedElements;
  /// Shape and element type, for packed weights; null where each value of a
  /// variadic operand has a type of its own.
  mlir::MemRefType (*type)(const MatmulSizes &sizes);

  /// Whether the caller may leave it out of a problem: what changes no result,
  /// such as memory to gather through and counts, is not of the problem.
  bool isOfProblem() const;
};

/// All operands, in the order in which the operation declares them.
llvm::ArrayRef<MatmulOperand> matmulOperands();

/// Whether a kernel with counts to wait for (`awaited`) waits for these, group
/// by group, and not for the kernel ahead.
bool awaitsGroups(const Schedule &schedule);

/// An argument of a kernel.
struct KernelArgument {
  mlir::Type type;
  ArgAttr attr;
};

/// The arguments of the kernel that an operation on packed memrefs becomes: one
/// for each operand, and the number of rows. Where the first size of an
/// argument is another number, `<argument>_rows` is one more.
llvm::SmallVector<KernelArgument> kernelSignature(GroupedMatmulOp op);

/// The arguments of a kernel that has been made; fails with a diagnostic if one
/// has no `mxfp4.arg`.
mlir::FailureOr<llvm::SmallVector<KernelArgument>>
kernelSignature(mlir::FunctionOpInterface kernel);

/// The argument of that name, or null.
mlir::BlockArgument findArgument(mlir::FunctionOpInterface kernel,
                                 llvm::StringRef name);

} // namespace mxfp4

#endif // MXFP4_IR_KERNELSIGNATURE_H
