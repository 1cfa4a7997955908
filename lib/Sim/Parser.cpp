//===- Parser.cpp - PTX modules, directives and variables -----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Parser.h"

#include <charconv>

using namespace mxfp4::sim;

bool mxfp4::sim::parsePtx(std::string_view Text, AstModule &M,
                          const std::string &File, ErrorList &Errors) {
  std::vector<Token> Tokens = lex(Text);
  return Parser(Text, Tokens, M, File, Errors).parseModule();
}

bool Parser::fail(std::string Message) {
  const Token &T = cur();
  if (T.Kind == Tok::Bad && T.Text[0] >= '0' && T.Text[0] <= '9')
    Message = shown(T) +
              " is no number of PTX: integers have at most 64 bits, 0f is "
              "followed by 8 hexadecimal digits and 0d by 16";
  Errors->error(T.Line, std::move(Message));
  return false;
}

std::string Parser::shown(const Token &T) const {
  if (T.Kind == Tok::Eof)
    return "the end of the file";
  if (T.Kind == Tok::Bad && (uint8_t(T.Text[0]) < 32 || T.Text[0] & 0x80))
    return "a byte " + hex(uint8_t(T.Text[0]));
  return "'" + std::string(T.Text.substr(0, 60)) + "'";
}

bool Parser::expect(char C) {
  if (accept(C))
    return true;
  return fail(std::string("expected '") + C + "', found " + shown(cur()));
}

bool Parser::expectInt(uint64_t &Value) {
  bool Negative = accept('-');
  if (cur().Kind != Tok::Int)
    return fail("expected an integer, found " + shown(cur()));
  Value = cur().Value;
  if (Negative)
    Value = 0 - Value;
  advance();
  return true;
}

bool Parser::skipBraces() {
  while (!isPunct('{') && cur().Kind != Tok::Eof && !isPunct(';'))
    advance();
  if (accept(';'))
    return true;
  unsigned Depth = 0;
  do {
    if (cur().Kind == Tok::Eof)
      return fail("expected '}', found the end of the file");
    if (isPunct('{'))
      ++Depth;
    if (isPunct('}'))
      --Depth;
    advance();
  } while (Depth);
  return true;
}

/// Goes behind a body that is not understood. Where braces do not match, the
/// next kernel or function ends it.
void Parser::skipBody() {
  unsigned Depth = 0;
  while (cur().Kind != Tok::Eof) {
    if (cur().Kind == Tok::Directive)
      for (const char *D : {".entry", ".func", ".visible", ".weak", ".extern"})
        if (cur().Text == D)
          return;
    const bool Ends = isPunct('}') ? Depth <= 1 : isPunct(';') && Depth == 0;
    Depth += isPunct('{');
    Depth -= isPunct('}') && Depth;
    advance();
    if (Ends)
      return;
  }
}

/// Goes behind a statement of the module that is not understood.
void Parser::skipStatement() {
  while (cur().Kind != Tok::Eof && !isPunct(';') && !isPunct('{'))
    advance();
  if (!accept(';'))
    skipBody();
}

bool Parser::parseVersion() {
  // "8.0" arrives as one decimal number.
  std::string_view Number = cur().Text;
  size_t Dot = Number.find('.');
  if (cur().Kind != Tok::F64 || Dot == std::string_view::npos)
    return fail("expected a version such as 8.0 after .version");
  auto Whole = [](std::string_view Digits) {
    unsigned Value = 0;
    std::from_chars(Digits.data(), Digits.data() + Digits.size(), Value);
    return int(Value);
  };
  M.VersionMajor = Whole(Number.substr(0, Dot));
  M.VersionMinor = Whole(Number.substr(Dot + 1));
  if (M.VersionMajor < 8 || M.VersionMajor > 9)
    return fail("PTX version " + std::string(Number) +
                " is not supported; versions 8.0 to 9.x are");
  advance();
  return true;
}

bool Parser::parseTarget() {
  if (cur().Kind != Tok::Ident)
    return fail("expected a target such as sm_90a after .target");
  std::string_view Target = cur().Text;
  if (Target != "sm_90a" && Target != "sm_90" && Target != "sm_80" &&
      Target != "sm_86" && Target != "sm_89")
    return fail(
        "target " + std::string(Target) +
        " is not supported; sm_90a and its ancestors from sm_80 on are");
  advance();
  while (accept(','))
    advance();
  return true;
}

bool Parser::parseModule() {
  while (cur().Kind != Tok::Eof) {
    if (!parseTopLevel())
      return false;
    if (Errors->tooMany())
      return false;
  }
  if (M.Kernels.empty() && !Errors->any())
    return fail("the module has no .entry");
  return !Errors->any();
}

/// What the interpreter does not know may be of no kernel that is launched: a
/// kernel that uses it will miss the name, and say why.
bool Parser::skipDirective(const Token &T) {
  ErrorList(M.Skipped, File)
      .error(T.Line, "directive " + std::string(T.Text) + " is not supported");
  skipStatement();
  return true;
}

bool Parser::parseTopLevel() {
  const Token T = cur();
  if (T.Kind == Tok::ImplicitDef || isPunct(';')) {
    advance();
    return true;
  }
  if (T.Kind != Tok::Directive)
    return fail("expected a directive, found " + shown(T));
  std::string_view D = T.Text;
  advance();
  if (D == ".version")
    return parseVersion();
  if (D == ".target")
    return parseTarget();
  if (D == ".address_size") {
    uint64_t Bits;
    if (!expectInt(Bits))
      return false;
    return Bits == 64 || fail("only .address_size 64 is supported");
  }
  if (D == ".visible" || D == ".weak" || D == ".common")
    return true;
  if (D == ".extern") {
    Extern = true;
    return true;
  }
  if (D == ".entry")
    return parseEntry();
  if (D == ".func")
    return parseFunction();
  if (D == ".section") {
    Extern = false;
    return skipBraces();
  }
  if (D == ".file" || D == ".pragma" || D == ".alias") {
    skipLine(T.Line);
    return true;
  }
  if (D == ".shared" || D == ".global" || D == ".const") {
    bool IsExtern = Extern;
    Extern = false;
    // A variable that is not understood is missed where it is used.
    ErrorList Own(M.Skipped, File), *Module = Errors;
    Errors = &Own;
    const size_t Known = M.Variables.size();
    if (!parseVariables(D, IsExtern, M.Variables)) {
      M.Variables.resize(Known);
      skipStatement();
    }
    Errors = Module;
    return true;
  }
  return skipDirective(T);
}

void Parser::skipLine(unsigned Line) {
  while (cur().Kind != Tok::Eof && cur().Line == Line && !isPunct(';'))
    advance();
  accept(';');
}

/// ".shared .align 16 .b8 name[1024], other[4] = {...};" after the space.
bool Parser::parseVariables(std::string_view SpaceName, bool IsExtern,
                            std::vector<Variable> &Out) {
  Variable Proto;
  Proto.Where = SpaceName == ".shared"  ? Space::Shared
                : SpaceName == ".const" ? Space::Const
                : SpaceName == ".local" ? Space::Local
                : SpaceName == ".param" ? Space::Param
                                        : Space::Global;
  Proto.Extern = IsExtern;
  if (!Scopes.empty())
    Proto.Scope = Scopes.back().Id;
  uint64_t Align = 0, VecLength = 1;
  Ty Type = Ty::None;
  while (cur().Kind == Tok::Directive) {
    std::string_view D = cur().Text;
    advance();
    if (D == ".align") {
      if (!expectInt(Align))
        return false;
      if (Align == 0 || Align > 65536 || (Align & (Align - 1)))
        return fail(".align needs a power of two up to 65536");
    } else if (D == ".v2" || D == ".v4") {
      VecLength = D[2] - '0';
    } else if (D == ".attribute") {
      skipParens();
    } else {
      Type = parseType(D.substr(1));
      if (Type == Ty::None)
        return fail("expected a type, found '" + std::string(D) + "'");
    }
  }
  if (Type == Ty::None || Type == Ty::Pred)
    return fail("expected the type of a variable, found " + shown(cur()));
  uint64_t Element = typeBits(Type) / 8 * VecLength;
  Proto.Align = Align ? Align : Element;
  do {
    if (!parseDeclarator(Proto, Element, Out))
      return false;
  } while (accept(','));
  return expect(';');
}

bool Parser::parseDeclarator(const Variable &Proto, uint64_t Element,
                             std::vector<Variable> &Out) {
  if (cur().Kind != Tok::Ident)
    return fail("expected the name of a variable, found " + shown(cur()));
  Variable V = Proto;
  V.Name = std::string(cur().Text);
  advance();
  uint64_t Count = 1;
  bool Open = false;
  while (accept('[')) {
    uint64_t N = 0;
    if (isPunct(']'))
      Open = true;
    else if (!expectInt(N))
      return false;
    if (N > (uint64_t(1) << 32) || (N && Count > (uint64_t(1) << 32) / N))
      return fail("variable " + V.Name + " is larger than 4 GiB");
    Count *= N;
    if (!expect(']'))
      return false;
  }
  V.Size = Open ? 0 : Count * Element;
  if (accept('=') && !parseInitialiser(V, Element, Open))
    return false;
  if (V.Where == Space::Shared && !V.Extern && V.Size > MaxShared)
    return fail("shared variable " + V.Name + " has " + plural(V.Size, "byte") +
                "; a block has at most " + std::to_string(MaxShared));
  if (V.Size > (uint64_t(1) << 28) && V.Where != Space::Shared)
    return fail("variable " + V.Name + " is larger than 256 MiB");
  Out.push_back(std::move(V));
  return true;
}

bool Parser::parseInitialiser(Variable &V, uint64_t Element, bool Open) {
  unsigned Depth = 0;
  if (V.Where == Space::Shared)
    return fail("a .shared variable cannot have an initialiser");
  do {
    if (accept('{')) {
      ++Depth;
      continue;
    }
    if (accept('}')) {
      if (Depth == 0)
        return fail("unexpected '}' in an initialiser");
      --Depth;
      continue;
    }
    if (accept(','))
      continue;
    bool Negative = accept('-');
    const Token &T = cur();
    uint64_t Value = T.Value;
    if (T.Kind == Tok::F64 && Element == 4) {
      double D;
      std::memcpy(&D, &Value, 8);
      float F = float(D);
      uint32_t Bits;
      std::memcpy(&Bits, &F, 4);
      Value = Bits;
    } else if (T.Kind != Tok::Int && T.Kind != Tok::F32 && T.Kind != Tok::F64) {
      return fail("expected a number in the initialiser of " + V.Name +
                  ", found " + shown(T) +
                  "; addresses as initialisers are not supported");
    }
    if (Negative)
      Value = T.Kind == Tok::Int ? 0 - Value
                                 : Value ^ (uint64_t(1) << (Element * 8 - 1));
    advance();
    for (uint64_t I = 0; I < Element; ++I)
      V.Init.push_back(I < 8 ? uint8_t(Value >> (8 * I)) : 0);
  } while (Depth && cur().Kind != Tok::Eof);
  if (Open)
    V.Size = V.Init.size();
  if (V.Init.size() > V.Size)
    return fail("the initialiser of " + V.Name +
                " is longer than the variable");
  return true;
}

void Parser::skipParens() {
  unsigned Depth = 0;
  do {
    if (isPunct('('))
      ++Depth;
    if (isPunct(')') && Depth)
      --Depth;
    advance();
  } while (Depth && cur().Kind != Tok::Eof);
}
