//===- Promises.h - The attribute of what a program promises ----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_IR_PROMISES_H
#define MXFP4_IR_PROMISES_H

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/Operation.h"

namespace mxfp4 {

/// The name of a dictionary on a module or a function, of what the author of
/// the program promises (`mxfp4-raise` says which).
inline constexpr llvm::StringLiteral kPromisesAttr = "mxfp4.promises";

/// The promises of an operation itself, or null: operations that are raised
/// have them as an attribute of their own, `promises`, and others under the
/// name above.
mlir::DictionaryAttr promisesOn(mlir::Operation *op);
void setPromisesOn(mlir::Operation *op, mlir::DictionaryAttr promises);

/// Fails with a diagnostic if an attribute of this name is no such dictionary.
mlir::LogicalResult verifyPromises(mlir::Operation *op, llvm::StringRef name,
                                   mlir::Attribute value);

} // namespace mxfp4

#endif // MXFP4_IR_PROMISES_H
