//===- Promises.h - What the author of a program promises -------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Public decodes differ from the format's rule where no checkpoint has values,
// and public matmuls name types that nobody sums in. Both are raised where the
// author promises that the difference does not matter; the promise stands in
// the IR from then on.
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_LIB_TRANSFORMS_PROMISES_H
#define MXFP4_LIB_TRANSFORMS_PROMISES_H

#include "mxfp4/IR/Promises.h"

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/Operation.h"

namespace mxfp4 {

struct Promises {
  /// Scale bytes are within these bounds.
  int64_t minScale = 0, maxScale = 255;
  /// The sign of a zero does not matter.
  bool unsignedZero = false;
  /// Sums may be f32, and be rounded once, where the program rounds each.
  bool f32Sums = false;
  /// Rows of f16 or f32 may be rounded to bf16.
  bool bf16Rows = false;

  /// The promises of these options, and of attributes of `op` and of what it is
  /// in.
  Promises within(mlir::Operation *op) const;
  /// Empty where nothing is promised.
  mlir::DictionaryAttr asAttribute(mlir::MLIRContext *context) const;
};

} // namespace mxfp4

#endif // MXFP4_LIB_TRANSFORMS_PROMISES_H
