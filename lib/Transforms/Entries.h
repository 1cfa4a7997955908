//===- Entries.h - Operations that a program names --------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What front ends make of a name differs: a call of a function, a composite
// with its decomposition, a custom call, an operator of torch. Operations of
// StableHLO and torch are known by their names, registered or not.
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_LIB_TRANSFORMS_ENTRIES_H
#define MXFP4_LIB_TRANSFORMS_ENTRIES_H

#include "Raise.h"

namespace mxfp4 {

/// An attribute of an operation. Unregistered operations have it among their
/// properties or among their discardable attributes.
mlir::Attribute attributeOf(mlir::Operation *op, llvm::StringRef name);

/// The name that `op` calls something by; empty if it calls nothing.
llvm::StringRef calledName(mlir::Operation *op);

/// Whether the name is "mxfp4.<entry>". JAX names functions by identifiers, and
/// numbers those of one name: `mxfp4_grouped_matmul_1`.
bool isEntry(llvm::StringRef name, llvm::StringRef entry);

/// The function with what a name is short for, or null.
mlir::Operation *decomposition(mlir::Operation *op);

/// Erases private functions that nothing calls any more, beginning with some.
void eraseUnused(llvm::SetVector<mlir::Operation *> functions);

/// A call by name, with its operands as tensors of MLIR.
class EntryCall {
public:
  /// Torch's tensors are converted in front; its `none` is left out behind the
  /// last tensor.
  explicit EntryCall(mlir::Operation *op);

  mlir::Operation *op;
  llvm::SmallVector<mlir::Value> operands;
  /// The type of the result, null if there is not one tensor.
  mlir::RankedTensorType result;
  /// The same, or whatever the one result is, for messages.
  mlir::Type type() const {
    return result ? mlir::Type(result) : op->getResult(0).getType();
  }

  /// In the place of the result, and of the call.
  void replace(mlir::OpBuilder &b, mlir::Value value);
  /// Erases the conversions of a call that stays as it is.
  void abandon();

private:
  llvm::SmallVector<mlir::Operation *> conversions;
};

/// Whether an operand has an element type and a shape (-1 for any size).
/// `expected` says which.
llvm::LogicalResult checkOperand(mlir::Value operand, llvm::StringRef name,
                                 const llvm::Twine &expected,
                                 llvm::ArrayRef<int64_t> shape,
                                 llvm::function_ref<bool(mlir::Type)> isElement,
                                 Miss *why);
/// The same of the type of a result.
llvm::LogicalResult checkType(mlir::Type type, llvm::StringRef name,
                              const llvm::Twine &expected,
                              llvm::ArrayRef<int64_t> shape,
                              llvm::function_ref<bool(mlir::Type)> isElement,
                              Miss *why);

// Element types; integers may have a sign.
bool isByte(mlir::Type type);
bool isI32(mlir::Type type);
bool isBF16(mlir::Type type);
bool isOutput(mlir::Type type);

/// Numbers without a sign: bytes and indices of StableHLO may have one.
mlir::Value signless(mlir::OpBuilder &b, mlir::Location loc, mlir::Value value);

/// Codes `[E, N, K/32, 16]` and scales `[E, N, K/32]`, of which E and K are
/// static.
llvm::LogicalResult checkWeights(mlir::Value codes, mlir::Value scales,
                                 llvm::StringRef name, Miss *why);

/// Replaces a scatter to rows that are known and have one step, as JAX writes a
/// strided slice, by `tensor.insert_slice`; whether `op` was one.
bool spellScatter(mlir::Operation *op);

/// Raises a call of a whole mixture-of-experts layer.
llvm::LogicalResult raiseLayer(EntryCall &call, Miss *why);

} // namespace mxfp4

#endif // MXFP4_LIB_TRANSFORMS_ENTRIES_H
