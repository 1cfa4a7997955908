//===- Promises.h - The attribute of what a program promises ----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_IR_PROMISES_H
#define MXFP4_IR_PROMISES_H

#include "llvm/ADT/StringRef.h"

namespace mxfp4 {

/// The name of a dictionary on a module, a function or an operation, of what
/// the author of the program promises (`mxfp4-raise` says which).
inline constexpr llvm::StringLiteral kPromisesAttr = "mxfp4.promises";

} // namespace mxfp4

#endif // MXFP4_IR_PROMISES_H
