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
  Parser(std::string_view Text, const std::vector<Token> &Tokens, AstModule &M,
         std::string File, ErrorList &Errors)
      : Text(Text), Tokens(Tokens), M(M), File(std::move(File)),
        Errors(&Errors) {}
  bool parseModule();

private:
  std::string_view Text;
  const std::vector<Token> &Tokens;
  AstModule &M;
  std::string File;
  ErrorList *Errors; ///< Of the module, or of the body at hand.
  size_t Pos = 0;
  bool Extern = false;

  const Token &cur() const { return Tokens[Pos]; }
  const Token &peek(size_t N = 1) const {
    return Tokens[Pos + N < Tokens.size() ? Pos + N : Tokens.size() - 1];
  }
  void advance() {
    if (Pos + 1 < Tokens.size())
      ++Pos;
  }
  bool isPunct(char C) const {
    return cur().Kind == Tok::Punct && cur().Punct == C;
  }
  bool accept(char C) {
    if (!isPunct(C))
      return false;
    advance();
    return true;
  }
  bool fail(std::string Message);
  std::string shown(const Token &T) const;
  bool expect(char C);
  bool expectInt(uint64_t &Value);
  bool skipBraces();
  void skipBody();
  void skipStatement();
  void skipLine(unsigned Line);
  void skipParens();

  // Parser.cpp: the module.
  bool parseVersion();
  bool parseTarget();
  bool parseTopLevel();
  bool parseVariables(std::string_view SpaceName, bool IsExtern,
                      std::vector<Variable> &Out);
  bool parseDeclarator(const Variable &Proto, uint64_t Element,
                       std::vector<Variable> &Out);
  bool parseInitialiser(Variable &V, uint64_t Element, bool Open);
  bool skipDirective(const Token &T);

  // ParseKernel.cpp: kernels and device functions up to their bodies.
  bool parseParam(KernelInfo::Param &P, Ty &Type, uint32_t &Offset);
  bool parseParams(AstKernel &K);
  bool parseFormals(std::vector<Formal> &Out);
  bool parseDims(Dim3 &D);
  bool parseAttribute(AstKernel &K);
  bool parseEntry();
  bool parseKernel(AstKernel &K);
  bool parseFunction();
  bool parseFunctionRest(AstKernel &F, bool &HasBody);

  // ParseBody.cpp: kernel bodies.
  struct RegRange {
    uint32_t Count;
    Ty Type;
    /// Register ids by number, made when first used.
    std::map<uint32_t, uint32_t> Ids;
  };
  struct Scope {
    uint32_t Id;
    std::map<std::string_view, uint32_t> Regs;
    std::map<std::string_view, RegRange> Ranges;
  };
  std::vector<Scope> Scopes;
  AstKernel *Body = nullptr;

  bool parseBody(AstKernel &K);
  bool parseStatement();
  bool parseBodyDirective();
  bool parseRegs();
  bool parseInstruction();
  bool parseOperand(AstOperand &Op, unsigned Depth);
  bool parseAddress(AstOperand &Op, unsigned Depth);
  bool parseName(AstOperand &Op);
  bool parseBranchTable(std::string_view Label);
  bool parseVector(AstOperand &Op, unsigned Depth);
  bool openScope(uint32_t Parent);
  bool findRegister(std::string_view Name, uint32_t &Id);
};

} // namespace mxfp4::sim

#endif // MXFP4_LIB_SIM_PARSER_H
