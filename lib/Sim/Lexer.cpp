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

bool isAlpha(char C) {
  return (C >= 'a' && C <= 'z') || (C >= 'A' && C <= 'Z') || C == '_';
}
bool isDigit(char C) { return C >= '0' && C <= '9'; }
bool isHex(char C) {
  return isDigit(C) || (C >= 'a' && C <= 'f') || (C >= 'A' && C <= 'F');
}
bool isStart(char C) { return isAlpha(C) || C == '%' || C == '$'; }
bool isWord(char C) { return isStart(C) || isDigit(C); }

unsigned hexValue(char C) {
  if (isDigit(C))
    return C - '0';
  return (C | 0x20) - 'a' + 10;
}

class Lexer {
public:
  explicit Lexer(std::string_view Text) : Text(Text) {}

  std::vector<Token> run() {
    while (true) {
      skipBlanks();
      if (Pos >= Text.size())
        break;
      next();
    }
    push(Tok::Eof, Pos);
    return std::move(Tokens);
  }

private:
  std::string_view Text;
  size_t Pos = 0;
  unsigned Line = 1;
  std::vector<Token> Tokens;

  char peek(size_t Ahead = 0) const {
    return Pos + Ahead < Text.size() ? Text[Pos + Ahead] : '\0';
  }

  Token &push(Tok Kind, size_t Begin) {
    Token T;
    T.Kind = Kind;
    T.Line = Line;
    T.Text = Text.substr(Begin, Pos - Begin);
    Tokens.push_back(T);
    return Tokens.back();
  }

  void skipBlanks() {
    while (Pos < Text.size()) {
      char C = Text[Pos];
      if (C == '\n') {
        ++Line;
        ++Pos;
      } else if (C == ' ' || C == '\t' || C == '\r' || C == '\f' || C == '\v') {
        ++Pos;
      } else if (C == '/' && peek(1) == '/') {
        lineComment();
      } else if (C == '/' && peek(1) == '*') {
        blockComment();
      } else {
        return;
      }
    }
  }

  void lineComment() {
    size_t End = Text.find('\n', Pos);
    if (End == std::string_view::npos)
      End = Text.size();
    std::string_view Body = Text.substr(Pos, End - Pos);
    constexpr std::string_view Key = "implicit-def: ";
    size_t At = Body.find(Key);
    Pos = End;
    if (At == std::string_view::npos)
      return;
    size_t Begin = At + Key.size(), Stop = Begin;
    while (Stop < Body.size() && isWord(Body[Stop]))
      ++Stop;
    if (Stop > Begin)
      push(Tok::ImplicitDef, Pos).Text = Body.substr(Begin, Stop - Begin);
  }

  void blockComment() {
    size_t End = Text.find("*/", Pos + 2);
    size_t Stop = End == std::string_view::npos ? Text.size() : End + 2;
    for (; Pos < Stop; ++Pos)
      if (Text[Pos] == '\n')
        ++Line;
  }

  /// A dotted word: "ld.global.L1::no_allocate.v4.b32", "%tid.x", "$L__BB0_1".
  /// A single ':' ends it, so that labels work.
  void word() {
    size_t Begin = Pos;
    while (Pos < Text.size()) {
      char C = Text[Pos];
      if (isWord(C) || (C == '.' && isWord(peek(1))))
        ++Pos;
      else if (C == ':' && peek(1) == ':' && isWord(peek(2)))
        Pos += 2;
      else
        break;
    }
    push(Tok::Ident, Begin);
  }

  /// Digits of a base; false if there are none, or more than 64 bits.
  bool digits(unsigned Base, uint64_t &Value) {
    bool Fits = isHex(peek());
    for (Value = 0; isHex(peek()); ++Pos) {
      const unsigned Digit = hexValue(peek());
      Fits &= Digit < Base && Value <= (~uint64_t(0) - Digit) / Base;
      Value = Value * Base + Digit;
    }
    return Fits;
  }

  /// 0f3F800000 and 0d3FF0000000000000: the bits, all of them.
  void floatBits(size_t Begin) {
    const bool Single = (Text[Pos + 1] | 0x20) == 'f';
    Pos += 2;
    const size_t First = Pos;
    uint64_t Value;
    const bool Good = digits(16, Value) && Pos - First == (Single ? 8 : 16);
    push(!Good ? Tok::Bad : Single ? Tok::F32 : Tok::F64, Begin).Value = Value;
  }

  void decimalFraction(size_t Begin) {
    while (isDigit(peek()))
      ++Pos;
    ++Pos;
    while (isDigit(peek()))
      ++Pos;
    if ((peek() | 0x20) == 'e' &&
        (isDigit(peek(1)) ||
         ((peek(1) == '-' || peek(1) == '+') && isDigit(peek(2))))) {
      Pos += 2;
      while (isDigit(peek()))
        ++Pos;
    }
    const double Number = std::strtod(
        std::string(Text.substr(Begin, Pos - Begin)).c_str(), nullptr);
    uint64_t Value;
    std::memcpy(&Value, &Number, sizeof(Value));
    push(Tok::F64, Begin).Value = Value;
  }

  void number() {
    const size_t Begin = Pos;
    const char Second = char(peek(1) | 0x20);
    if (peek() == '0' && (Second == 'f' || Second == 'd'))
      return floatBits(Begin);
    size_t End = Pos;
    while (End < Text.size() && isDigit(Text[End]))
      ++End;
    if (End + 1 < Text.size() && Text[End] == '.' && isDigit(Text[End + 1]))
      return decimalFraction(Begin);
    unsigned Base = 10;
    if (peek() == '0' && (Second == 'x' || Second == 'b')) {
      Base = Second == 'x' ? 16 : 2;
      Pos += 2;
    } else if (peek() == '0' && isDigit(peek(1))) {
      Base = 8;
    }
    uint64_t Value = 0;
    const bool Good = digits(Base, Value);
    if (peek() == 'U')
      ++Pos;
    push(Good ? Tok::Int : Tok::Bad, Begin).Value = Value;
  }

  void string() {
    size_t Begin = Pos++;
    while (Pos < Text.size() && Text[Pos] != '"' && Text[Pos] != '\n')
      ++Pos;
    if (peek() == '"')
      ++Pos;
    push(Tok::String, Begin);
  }

  void next() {
    char C = peek();
    size_t Begin = Pos;
    if (isStart(C))
      return word();
    if (isDigit(C))
      return number();
    if (C == '"')
      return string();
    if (C == '.' && isWord(peek(1))) {
      // Directives and types: no further dots (".param .u64"), but the
      // namespaced ones exist (".shared::cluster" as a state space).
      ++Pos;
      while (isWord(peek()) ||
             (peek() == ':' && peek(1) == ':' && isWord(peek(2))))
        Pos += peek() == ':' ? 2 : 1;
      push(Tok::Directive, Begin);
      return;
    }
    ++Pos;
    if (std::strchr("{}[](),;:@!+-|<>=_*/&~.", C) && C)
      push(Tok::Punct, Begin).Punct = C;
    else
      push(Tok::Bad, Begin);
  }
};

} // namespace

std::vector<Token> mxfp4::sim::lex(std::string_view Text) {
  return Lexer(Text).run();
}
