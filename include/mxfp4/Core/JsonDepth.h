//===- JsonDepth.h - How deep a text of JSON is nested ----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Libraries read and print JSON by recursion, so that a file of brackets alone
// would overflow the stack. Whoever reads a file asks this first.
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_CORE_JSONDEPTH_H
#define MXFP4_CORE_JSONDEPTH_H

#include <algorithm>
#include <cstddef>
#include <string_view>

namespace mxfp4 {

/// Deeper JSON is refused; manifests have a depth of six or so.
inline constexpr size_t kMostJsonDepth = 64;

/// How many lists and objects are open at once, at most, in a text that need
/// not be JSON.
inline size_t jsonDepth(std::string_view text) {
  size_t depth = 0, most = 0;
  bool isString = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (isString && c == '\\')
      ++i;
    else if (c == '"')
      isString = !isString;
    else if (!isString && (c == '[' || c == '{'))
      most = std::max(most, ++depth);
    else if (!isString && (c == ']' || c == '}') && depth > 0)
      --depth;
  }
  return most;
}

} // namespace mxfp4

#endif // MXFP4_CORE_JSONDEPTH_H
