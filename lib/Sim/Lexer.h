//===- Lexer.h - Tokens of PTX text -----------------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_LIB_SIM_LEXER_H
#define MXFP4_LIB_SIM_LEXER_H

#include <cstdint>
#include <string_view>
#include <vector>

namespace mxfp4::sim {

enum class Tok : uint8_t {
  Eof,
  Ident,     ///< name, opcode with dots, %reg, $label
  Directive, ///< .name
  Int,
  F32, ///< 0f3F800000: Value holds the bits
  F64, ///< 0d... or a decimal float
  String,
  Punct,
  /// "// implicit-def: %r1", by which LLVM says that a register's value is
  /// undefined on purpose. Text is the register.
  ImplicitDef,
  Bad
};

struct Token {
  Tok kind = Tok::Eof;
  char punct = 0;
  unsigned line = 0;
  uint64_t value = 0;
  std::string_view text;
};

/// Splits the whole text; the last token is Eof. Bytes that start no token, and
/// numbers that PTX does not have, become Bad tokens, which the parser reports.
std::vector<Token> lex(std::string_view text);

} // namespace mxfp4::sim

#endif // MXFP4_LIB_SIM_LEXER_H
