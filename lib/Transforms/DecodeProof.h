//===- DecodeProof.h - Is this body an MXFP4 decode? ------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// There are a hundred ways to write the decode of a nibble: look-up tables,
// shifts and bit casts, `arith.scaling_extf`. Instead of recognising some of
// them, run the body on its whole domain (256 bytes, 2 nibbles, 256 scales)
// with the folders of its operations, and compare with `decodeExact`. What
// passes is a decode, however it is written; what does not, such as a body that
// takes scale byte 0 for zero, is something else.
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_LIB_TRANSFORMS_DECODEPROOF_H
#define MXFP4_LIB_TRANSFORMS_DECODEPROOF_H

#include "Miss.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace mxfp4 {

/// A value that the body of a linalg operation computes out of a code and
/// perhaps a scale: the decode alone, or a part of what the body does.
struct DecodeBody {
  mlir::Value result;
  /// Null where there is none.
  mlir::BlockArgument code, scale;
  /// The loop along which values are neighbours, and its extent: its parity
  /// may select the nibble.
  unsigned lastLoop = 0;
  int64_t lastExtent = 0;
};

/// The body decodes: its result is `decodeExact` of the nibble of the byte that
/// the position selects (even: low), or of the single code, under the scale.
llvm::LogicalResult proveDecode(const DecodeBody &body, Miss *why);

/// The body takes the nibble that the position selects out of the byte, as i4
/// or f4E2M1FN.
llvm::LogicalResult proveUnpack(const DecodeBody &body, Miss *why);

} // namespace mxfp4

#endif // MXFP4_LIB_TRANSFORMS_DECODEPROOF_H
