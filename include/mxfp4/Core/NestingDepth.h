//===- NestingDepth.h - How deep a text is nested ---------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Libraries read and print JSON and MLIR by recursion, so that a file of
// brackets alone would overflow the stack. Whoever reads a file asks this
// first.
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_CORE_NESTINGDEPTH_H
#define MXFP4_CORE_NESTINGDEPTH_H

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>

namespace mxfp4 {

/// Deeper texts are refused. Manifests have a depth of six or so; MLIR's parser
/// overflows a stack of 8 MiB at some 5000 regions.
inline constexpr size_t kMostJsonDepth = 64, kMostMlirDepth = 1000;

/// How many brackets are open at once, at most, in a text that need not be
/// right. `closing` are the brackets that end those at the same places of
/// `opening`.
inline size_t nestingDepth(std::string_view text, std::string_view opening,
                           std::string_view closing) {
  size_t depth = 0, most = 0;
  bool isString = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i], next = i + 1 < text.size() ? text[i + 1] : ' ';
    if (isString) {
      i += c == '\\'; // what is behind it ends no string
      isString = c != '"';
      continue;
    }
    if (c == '"')
      isString = true;
    else if (c == '/' && next == '/')
      i = std::min(text.find('\n', i), text.size());
    else if ((c == '-' && next == '>') ||
             ((c == '<' || c == '>') && next == '='))
      ++i; // an arrow or a comparison
    else if (opening.find(c) != std::string_view::npos)
      most = std::max(most, ++depth);
    else if (closing.find(c) != std::string_view::npos && depth > 0)
      --depth;
  }
  return most;
}

/// Lists and objects.
inline size_t jsonDepth(std::string_view text) {
  return nestingDepth(text, "[{", "]}");
}

/// Regions, types and attributes, with those that stand behind the names of
/// aliases; operators of an affine expression nest, too, because each is the
/// operand of the next.
size_t mlirDepth(std::string_view text);

/// A sentence if MLIR of a file or caller, which `name` says, is nested too
/// deep to be parsed; empty otherwise. In bytecode no brackets nest.
std::string refuseDepth(std::string_view text, std::string_view name);

} // namespace mxfp4

#endif // MXFP4_CORE_NESTINGDEPTH_H
