//===- DecodeVerdict.h - Where is a decode not exact? -----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_LIB_TRANSFORMS_DECODEVERDICT_H
#define MXFP4_LIB_TRANSFORMS_DECODEVERDICT_H

#include "DecodeTable.h"
#include "Promises.h"

#include "llvm/ADT/BitVector.h"

namespace mxfp4 {

/// Compares what values are with what `decodeExact` says, under the promises,
/// and knows which promise is missing.
class DecodeVerdict {
public:
  DecodeVerdict(mlir::Type type, const Promises &promises)
      : type(type), promises(promises), scales(256), codes(16), badScales(256),
        signedScales(256) {}

  /// `parity`: which nibble of a byte the values are.
  void compare(const DecodeTable &table, unsigned parity);
  llvm::LogicalResult result(Miss *why) const;

private:
  void differs(unsigned code, unsigned scale, std::optional<uint64_t> got,
               bool onlySign);
  std::string advice() const;

  mlir::Type type;
  const Promises &promises;
  std::string first;
  /// Where promised values differ.
  llvm::BitVector scales, codes;
  /// Where any value differs, in more than the sign of a zero, or in that.
  llvm::BitVector badScales, signedScales;
};

} // namespace mxfp4

#endif // MXFP4_LIB_TRANSFORMS_DECODEVERDICT_H
