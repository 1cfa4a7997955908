//===- Lexer.cpp - Tokens of PTX text -------------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Lexer.h"

#include <cstdlib>
#include <cstring>
#include <string>

using namespace mxfp4::sim;

namespace {

bool isAlpha(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
bool isDigit(char c) { return c >= '0' && c <= '9'; }
bool isHex(char c) {
  return isDigit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}
bool isStart(char c) { return isAlpha(c) || c == '%' || c == '$'; }
bool isWord(char c) { return isStart(c) || isDigit(c); }

unsigned hexValue(char c) {
  if (isDigit(c))
    return c - '0';
  return (c | 0x20) - 'a' + 10;
}

class Lexer {
public:
  explicit Lexer(std::string_view text) : text(text) {}

  std::vector<Token> run() {
    while (true) {
      skipBlanks();
      if (pos >= text.size())
        break;
      next();
    }
    push(Tok::Eof, pos);
    return std::move(tokens);
  }

private:
  std::string_view text;
  size_t pos = 0;
  unsigned line = 1;
  std::vector<Token> tokens;

  char peek(size_t ahead = 0) const {
    return pos + ahead < text.size() ? text[pos + ahead] : '\0';
  }

  Token &push(Tok kind, size_t begin) {
    Token t;
    t.kind = kind;
    t.line = line;
    t.text = text.substr(begin, pos - begin);
    tokens.push_back(t);
    return tokens.back();
  }

  void skipBlanks() {
    while (pos < text.size()) {
      char c = text[pos];
      if (c == '\n') {
        ++line;
        ++pos;
      } else if (c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v') {
        ++pos;
      } else if (c == '/' && peek(1) == '/') {
        lineComment();
      } else if (c == '/' && peek(1) == '*') {
        blockComment();
      } else {
        return;
      }
    }
  }

  void lineComment() {
    size_t end = text.find('\n', pos);
    if (end == std::string_view::npos)
      end = text.size();
    std::string_view body = text.substr(pos, end - pos);
    constexpr std::string_view key = "implicit-def: ";
    size_t at = body.find(key);
    pos = end;
    if (at == std::string_view::npos)
      return;
    size_t begin = at + key.size(), stop = begin;
    while (stop < body.size() && isWord(body[stop]))
      ++stop;
    if (stop > begin)
      push(Tok::ImplicitDef, pos).text = body.substr(begin, stop - begin);
  }

  void blockComment() {
    size_t end = text.find("*/", pos + 2);
    size_t stop = end == std::string_view::npos ? text.size() : end + 2;
    for (; pos < stop; ++pos)
      if (text[pos] == '\n')
        ++line;
  }

  /// A dotted word: "ld.global.L1::no_allocate.v4.b32", "%tid.x", "$L__BB0_1".
  /// A single ':' ends it, so that labels work.
  void word() {
    size_t begin = pos;
    while (pos < text.size()) {
      char c = text[pos];
      if (isWord(c) || (c == '.' && isWord(peek(1))))
        ++pos;
      else if (c == ':' && peek(1) == ':' && isWord(peek(2)))
        pos += 2;
      else
        break;
    }
    push(Tok::Ident, begin);
  }

  /// Digits of a base; false if there are none, or more than 64 bits.
  bool digits(unsigned base, uint64_t &value) {
    bool fits = isHex(peek());
    for (value = 0; isHex(peek()); ++pos) {
      const unsigned digit = hexValue(peek());
      fits &= digit < base && value <= (~uint64_t(0) - digit) / base;
      value = value * base + digit;
    }
    return fits;
  }

  /// 0f3F800000 and 0d3FF0000000000000: the bits, all of them.
  void floatBits(size_t begin) {
    const bool single = (text[pos + 1] | 0x20) == 'f';
    pos += 2;
    const size_t first = pos;
    uint64_t value;
    const bool good = digits(16, value) && pos - first == (single ? 8 : 16);
    push(!good ? Tok::Bad : single ? Tok::F32 : Tok::F64, begin).value = value;
  }

  void decimalFraction(size_t begin) {
    while (isDigit(peek()))
      ++pos;
    ++pos;
    while (isDigit(peek()))
      ++pos;
    if ((peek() | 0x20) == 'e' &&
        (isDigit(peek(1)) ||
         ((peek(1) == '-' || peek(1) == '+') && isDigit(peek(2))))) {
      pos += 2;
      while (isDigit(peek()))
        ++pos;
    }
    const double number = std::strtod(
        std::string(text.substr(begin, pos - begin)).c_str(), nullptr);
    uint64_t value;
    std::memcpy(&value, &number, sizeof(value));
    push(Tok::F64, begin).value = value;
  }

  void number() {
    const size_t begin = pos;
    const char second = char(peek(1) | 0x20);
    if (peek() == '0' && (second == 'f' || second == 'd'))
      return floatBits(begin);
    size_t end = pos;
    while (end < text.size() && isDigit(text[end]))
      ++end;
    if (end + 1 < text.size() && text[end] == '.' && isDigit(text[end + 1]))
      return decimalFraction(begin);
    unsigned base = 10;
    if (peek() == '0' && (second == 'x' || second == 'b')) {
      base = second == 'x' ? 16 : 2;
      pos += 2;
    } else if (peek() == '0' && isDigit(peek(1))) {
      base = 8;
    }
    uint64_t value = 0;
    const bool good = digits(base, value);
    if (peek() == 'U')
      ++pos;
    push(good ? Tok::Int : Tok::Bad, begin).value = value;
  }

  void string() {
    size_t begin = pos++;
    while (pos < text.size() && text[pos] != '"' && text[pos] != '\n')
      ++pos;
    if (peek() == '"')
      ++pos;
    push(Tok::String, begin);
  }

  void next() {
    char c = peek();
    size_t begin = pos;
    if (isStart(c))
      return word();
    if (isDigit(c))
      return number();
    if (c == '"')
      return string();
    if (c == '.' && isWord(peek(1))) {
      // Directives and types: no further dots (".param .u64"), but the
      // namespaced ones exist (".shared::cluster" as a state space).
      ++pos;
      while (isWord(peek()) ||
             (peek() == ':' && peek(1) == ':' && isWord(peek(2))))
        pos += peek() == ':' ? 2 : 1;
      push(Tok::Directive, begin);
      return;
    }
    ++pos;
    if (std::strchr("{}[](),;:@!+-|<>=_*/&~.", c) && c)
      push(Tok::Punct, begin).punct = c;
    else
      push(Tok::Bad, begin);
  }
};

} // namespace

std::vector<Token> mxfp4::sim::lex(std::string_view text) {
  return Lexer(text).run();
}
