//===- DecodeProof.h - Is this body an MXFP4 decode? ------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// There are a hundred ways to write the decode of a nibble: look-up tables,
// shifts and bit casts, `arith.scaling_extf`. Instead of recognising some of
// them, run the body of the `linalg.generic` on its whole domain (256 bytes, 2
// nibbles, 256 scales) with the folders of its operations, and compare with
// `decodeExact`. What passes is a decode, however it is written; what does
// not, such as a body that takes scale byte 0 for zero, is something else.
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_LIB_TRANSFORMS_DECODEPROOF_H
#define MXFP4_LIB_TRANSFORMS_DECODEPROOF_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace mxfp4 {

/// The results of a body on its whole domain.
class BodyTable {
public:
  /// Runs the body of `op` for every value of the inputs `codeInput` and
  /// `scaleInput` (-1: there is none) and for even and odd positions along the
  /// last loop. Fails if an operation does not fold, or if the result depends
  /// on anything else.
  static std::optional<BodyTable> run(mlir::linalg::GenericOp op, int codeInput,
                                      int scaleInput);

  mlir::Attribute at(unsigned code, unsigned parity, unsigned scale) const {
    return results[(scale * 2 + parity) * codes + code];
  }
  /// 256 for bytes, 16 for single codes.
  unsigned numCodes() const { return codes; }

private:
  unsigned codes = 0;
  std::vector<mlir::Attribute> results;
};

/// The body of `op` decodes: its result is `decodeExact` of the nibble of byte
/// `codeInput` that the position selects (even: low), or of the single code,
/// under the scale byte `scaleInput`.
bool isDecode(mlir::linalg::GenericOp op, int codeInput, int scaleInput);

/// The body of `op` takes the nibble that the position selects out of the byte
/// of its only input, as i4 or f4E2M1FN.
bool isUnpack(mlir::linalg::GenericOp op);

/// Where the elements of `op`'s output come from in input `input`: for loops
/// `leading ..`, position k of the flattened output to a position of the
/// flattened input. Fails if the first `leading` loops are not passed through,
/// or if anything is dynamic.
std::optional<llvm::SmallVector<int64_t>>
trailingIndex(mlir::linalg::LinalgOp op, unsigned input, int64_t leading);

} // namespace mxfp4

#endif // MXFP4_LIB_TRANSFORMS_DECODEPROOF_H
