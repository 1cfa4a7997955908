//===- Parser.h - From tokens to syntax -------------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_LIB_SIM_PARSER_H
#define MXFP4_LIB_SIM_PARSER_H

#include "Lexer.h"
#include "Module.h"

namespace mxfp4::sim {

/// A recursive-descent parser. A body ends at its first error, which is its
/// own: others of the file go on. Every loop eats a token or leaves, and scopes
/// nest to a fixed depth, so that no input can hang it or exhaust the stack.
class Parser {
public:
  Parser(std::string_view text, const std::vector<Token> &tokens, AstModule &m,
         std::string file, ErrorList &errors)
      : text(text), tokens(tokens), m(m), file(std::move(file)),
        errors(&errors) {}
  bool parseModule();

private:
  std::string_view text;
  const std::vector<Token> &tokens;
  AstModule &m;
  std::string file;
  ErrorList *errors; ///< Of the module, or of the body at hand.
  size_t pos = 0;
  bool sawExtern = false;

  const Token &cur() const { return tokens[pos]; }
  const Token &peek(size_t n = 1) const {
    return tokens[pos + n < tokens.size() ? pos + n : tokens.size() - 1];
  }
  void advance() {
    if (pos + 1 < tokens.size())
      ++pos;
  }
  bool isPunct(char c) const {
    return cur().kind == Tok::Punct && cur().punct == c;
  }
  bool accept(char c) {
    if (!isPunct(c))
      return false;
    advance();
    return true;
  }
  bool fail(std::string message);
  std::string shown(const Token &t) const;
  bool expect(char c);
  bool expectInt(uint64_t &value);
  bool skipBraces();
  void skipBody();
  void skipStatement();
  void skipLine(unsigned line);
  void skipParens();

  // Parser.cpp: the module.
  bool parseVersion();
  bool parseTarget();
  bool parseTopLevel();
  bool parseVariables(std::string_view spaceName, bool isExtern,
                      std::vector<Variable> &out);
  bool parseDeclarator(const Variable &proto, uint64_t element,
                       std::vector<Variable> &out);
  bool parseInitialiser(Variable &v, uint64_t element, bool open);
  bool skipDirective(const Token &t);

  // ParseKernel.cpp: kernels and device functions up to their bodies.
  bool parseParam(KernelInfo::Param &p, Ty &type, uint32_t &offset);
  bool parseParams(AstKernel &k);
  bool parseFormals(std::vector<Formal> &out);
  bool parseDims(Dim3 &d);
  bool parseAttribute(AstKernel &k);
  bool parseEntry();
  bool parseKernel(AstKernel &k);
  bool parseFunction();
  bool parseFunctionRest(AstKernel &f, bool &hasBody);

  // ParseBody.cpp: kernel bodies.
  struct RegRange {
    uint32_t count;
    Ty type;
    /// Register ids by number, made when first used.
    std::map<uint32_t, uint32_t> ids;
  };
  struct Scope {
    uint32_t id;
    std::map<std::string_view, uint32_t> regs;
    std::map<std::string_view, RegRange> ranges;
  };
  std::vector<Scope> scopes;
  AstKernel *body = nullptr;

  bool parseBody(AstKernel &k);
  bool parseStatement();
  bool parseBodyDirective();
  bool parseRegs();
  bool parseInstruction();
  bool parseOperand(AstOperand &op, unsigned depth);
  bool parseAddress(AstOperand &op, unsigned depth);
  bool parseName(AstOperand &op);
  bool parseBranchTable(std::string_view label);
  bool parseVector(AstOperand &op, unsigned depth);
  bool openScope(uint32_t parent);
  bool findRegister(std::string_view name, uint32_t &id);
};

} // namespace mxfp4::sim

#endif // MXFP4_LIB_SIM_PARSER_H
