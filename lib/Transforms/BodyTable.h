//===- BodyTable.h - What a body computes, by running it --------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_LIB_TRANSFORMS_BODYTABLE_H
#define MXFP4_LIB_TRANSFORMS_BODYTABLE_H

#include "DecodeProof.h"

namespace mxfp4 {

/// 256 for i8, 16 for i4 and f4E2M1FN, 0 for what holds no codes.
unsigned codesOf(mlir::Type type);

/// The results of a body on its whole domain.
class BodyTable {
public:
  static mlir::FailureOr<BodyTable> run(const DecodeBody &body, Miss *why);

  mlir::Attribute at(unsigned code, unsigned parity, unsigned scale) const {
    return results[(scale * 2 + parity) * codes + code];
  }
  /// 256 for bytes, 16 for single codes.
  unsigned numCodes() const { return codes; }
  unsigned numScales() const { return scales; }
  /// The 4-bit code that a result belongs to.
  unsigned nibble(unsigned code, unsigned parity) const {
    // A single code has no high nibble to choose.
    return parity && codes == 256 ? code >> 4 : code & 15;
  }

private:
  unsigned codes = 0, scales = 0;
  std::vector<mlir::Attribute> results;
};

} // namespace mxfp4

#endif // MXFP4_LIB_TRANSFORMS_BODYTABLE_H
