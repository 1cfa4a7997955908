//===- NestingDepth.cpp - How deep MLIR is nested -------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mxfp4/Core/NestingDepth.h"

#include <cctype>
#include <unordered_map>

using namespace mxfp4;

namespace {

bool isNamed(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '$' ||
         c == '-';
}

/// Reads a text once, character by character.
class DepthReader {
public:
  explicit DepthReader(std::string_view text) : text(text) {}

  size_t read() {
    while (at < text.size())
      step();
    return most;
  }

private:
  char peek(size_t by) const {
    return at + by < text.size() ? text[at + by] : ' ';
  }

  void reach(size_t level) {
    most = std::max(most, level);
    if (!alias.empty())
      aliasDepth = std::max(aliasDepth, level);
  }

  void skipString() {
    for (++at; at < text.size() && text[at] != '"'; ++at)
      at += text[at] == '\\'; // what is behind it ends no string
    ++at;
  }

  /// An alias that is defined, if no bracket is open and "=" follows, or used.
  void name() {
    size_t end = at + 1;
    while (end < text.size() && isNamed(text[end]))
      ++end;
    const std::string_view found = text.substr(at, end - at);
    const size_t next = text.find_first_not_of(" \t\r\n", end);
    const bool isDefined = depth == 0 && next < text.size() &&
                           text[next] == '=' && text.substr(next, 2) != "==";
    if (isDefined) {
      alias = found;
      aliasDepth = 0;
      at = text.find_first_not_of(" \t\r\n", next + 1);
      return;
    }
    if (auto known = aliases.find(found); known != aliases.end())
      reach(depth + known->second + 1);
    at = end;
  }

  void open(size_t width) {
    // Of a list, each entry is an expression of its own.
    if (affine == 0 && at >= 10) {
      const std::string_view before = text.substr(at - 10, 10);
      if (before == "affine_map" || before == "affine_set")
        affine = depth + 1;
    }
    reach(++depth + operators);
    at += width;
  }

  void close() {
    if (depth > 0 && affine == depth)
      affine = operators = 0;
    depth -= depth > 0;
    ++at;
  }

  /// In an affine map or set: "+", "-", "*", or a word of three or more letters
  /// ("mod", "floordiv", "ceildiv").
  void affineOperator() {
    const char c = text[at];
    if (c == ',') {
      operators = 0;
      ++at;
      return;
    }
    size_t end = at + 1;
    if (std::isalpha(static_cast<unsigned char>(c)))
      while (end < text.size() && isNamed(text[end]))
        ++end;
    const std::string_view word = text.substr(at, end - at);
    if (word == "+" || word == "-" || word == "*" || word == "mod" ||
        word == "floordiv" || word == "ceildiv")
      reach(depth + ++operators);
    at = end;
  }

  void step() {
    const char c = text[at], next = peek(1);
    if (c == '\n' && depth == 0 && !alias.empty()) {
      aliases[alias] = aliasDepth;
      alias = {};
    }
    if (c == '"')
      skipString();
    else if (c == '/' && next == '/')
      at = std::min(text.find('\n', at), text.size());
    else if ((c == '-' && next == '>') ||
             ((c == '<' || c == '>') && next == '='))
      at += 2; // an arrow or a comparison
    else if (c == '(' || c == '[' || c == '{' || c == '<')
      open(1);
    else if (c == ')' || c == ']' || c == '}' || c == '>')
      close();
    else if (c == '!' || c == '#')
      name();
    else if (affine != 0)
      affineOperator();
    else
      ++at;
  }

  std::string_view text;
  size_t at = 0, depth = 0, most = 0;
  /// The depth at which the affine map is open that is read, or 0, and the
  /// operators of its expression so far.
  size_t affine = 0, operators = 0;
  /// The alias whose definition is read, and how deep those before it are.
  std::string_view alias;
  size_t aliasDepth = 0;
  std::unordered_map<std::string_view, size_t> aliases;
};

} // namespace

size_t mxfp4::mlirDepth(std::string_view text) {
  return DepthReader(text).read();
}

std::string mxfp4::refuseDepth(std::string_view text, std::string_view name) {
  constexpr std::string_view kBytecode = "ML\xefR";
  if (text.substr(0, kBytecode.size()) == kBytecode ||
      mlirDepth(text) <= kMostMlirDepth)
    return {};
  return "the regions, types and attributes of " + std::string(name) +
         " are nested more than " + std::to_string(kMostMlirDepth) + " deep";
}
