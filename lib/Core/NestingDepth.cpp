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

  /// The first character from there on that is neither blank nor of a comment.
  size_t skipBlank(size_t from) const {
    while (from < text.size()) {
      if (text.substr(from, 2) == "//")
        from = std::min(text.find('\n', from), text.size());
      else if (std::isspace(static_cast<unsigned char>(text[from])))
        ++from;
      else
        break;
    }
    return std::min(from, text.size());
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
    const size_t next = skipBlank(end);
    const bool isDefined = depth == 0 && next < text.size() &&
                           text[next] == '=' && text.substr(next, 2) != "==";
    if (isDefined) {
      alias = found;
      aliasDepth = 0;
      at = skipBlank(next + 1);
      return;
    }
    if (auto known = aliases.find(found); known != aliases.end())
      reach(depth + known->second + 1);
    at = end;
  }

  /// The end of a line ends the definition of an alias, unless a bracket, the
  /// results of a function type or a type follow.
  void endLine() {
    at = skipBlank(at);
    constexpr std::string_view kContinued = "<([:-";
    if (depth != 0 || alias.empty() ||
        (at < text.size() && kContinued.find(text[at]) != kContinued.npos))
      return;
    aliases[alias] = aliasDepth;
    alias = {};
  }

  /// The name, or the one character, that begins here.
  std::string_view word() const {
    size_t end = at;
    while (end < text.size() && text[end] != '-' && isNamed(text[end]))
      ++end;
    return text.substr(at, std::max(end - at, size_t(1)));
  }

  void open() {
    // Of a list, each entry is an expression of its own.
    if (affine == 0 && opensAffine)
      affine = depth + 1;
    opensAffine = false;
    reach(++depth + operators);
    ++at;
  }

  void close() {
    if (depth > 0 && affine == depth)
      affine = operators = 0;
    depth -= depth > 0;
    ++at;
  }

  /// In an affine map or set.
  void affineOperator(std::string_view found) {
    if (found == ",")
      operators = 0;
    if (found == "+" || found == "-" || found == "*" || found == "mod" ||
        found == "floordiv" || found == "ceildiv")
      reach(depth + ++operators);
  }

  void readWord() {
    const std::string_view found = word();
    if (affine != 0)
      affineOperator(found);
    else if (found == "affine_map" || found == "affine_set")
      opensAffine = true;
    at += found.size();
  }

  void step() {
    const char c = text[at], next = peek(1);
    if (c == '\n')
      endLine();
    else if (c == '"')
      skipString();
    else if (c == '/' && next == '/')
      at = std::min(text.find('\n', at), text.size());
    else if ((c == '-' && next == '>') ||
             ((c == '<' || c == '>') && next == '='))
      at = skipBlank(at + 2); // an arrow or a comparison
    else if (c == ':')
      at = skipBlank(at + 1); // a type may stand in the next line
    else if (c == '(' || c == '[' || c == '{' || c == '<')
      open();
    else if (c == ')' || c == ']' || c == '}' || c == '>')
      close();
    else if (c == '!' || c == '#')
      name();
    else
      readWord();
  }

  std::string_view text;
  size_t at = 0, depth = 0, most = 0;
  /// The depth at which the affine map is open that is read, or 0, and the
  /// operators of its expression so far.
  size_t affine = 0, operators = 0;
  bool opensAffine = false; ///< Whether the next bracket is that of a map.
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
