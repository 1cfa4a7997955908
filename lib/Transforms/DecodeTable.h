//===- DecodeTable.h - What a graph computes, by running it -----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_LIB_TRANSFORMS_DECODETABLE_H
#define MXFP4_LIB_TRANSFORMS_DECODETABLE_H

#include "ElementTrace.h"

namespace mxfp4 {

/// The results of a graph of scalars for all codes (256 bytes or 16 single
/// codes) and all 256 scales.
class DecodeTable {
public:
  /// `code` and `scale` are the only leaves of the graph of `root`.
  static DecodeTable run(const ElementTrace &graph, unsigned root,
                         unsigned code, unsigned scale);

  /// The bits of the result, if it is defined.
  std::optional<uint64_t> at(unsigned code, unsigned scale) const {
    return results[scale * codes + code];
  }
  unsigned numCodes() const { return codes; }

private:
  unsigned codes = 0;
  std::vector<std::optional<uint64_t>> results;
};

} // namespace mxfp4

#endif // MXFP4_LIB_TRANSFORMS_DECODETABLE_H
