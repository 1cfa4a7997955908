//===- Parser.cpp - PTX modules, directives and variables -----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Parser.h"

#include <charconv>

using namespace mxfp4::sim;

bool mxfp4::sim::parsePtx(std::string_view Text, AstModule &M,
                          ErrorList &Errors) {
  std::vector<Token> Tokens = lex(Text);
  return Parser(Text, Tokens, M, Errors).parseModule();
}

bool Parser::fail(std::string Message) {
  Errors.error(cur().Line, std::move(Message));
  return false;
}

std::string Parser::shown(const Token &T) const {
  if (T.Kind == Tok::Eof)
    return "the end of the file";
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
    if (Errors.tooMany())
      return false;
  }
  if (M.Kernels.empty() && !Errors.any())
    return fail("the module has no .entry");
  return !Errors.any();
}

bool Parser::parseTopLevel() {
  const Token &T = cur();
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
  if (D == ".func" || D == ".section") {
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
    return parseVariables(D, IsExtern, M.Variables);
  }
  return fail("directive " + std::string(D) + " is not supported");
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
                                        : Space::Global;
  Proto.Extern = IsExtern;
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
    if (N > (uint64_t(1) << 32) || Count * N > (uint64_t(1) << 32))
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

bool Parser::parseParams(AstKernel &K) {
  uint32_t Offset = 0;
  while (!accept(')')) {
    if (cur().Kind != Tok::Directive || cur().Text != ".param")
      return fail("expected '.param', found " + shown(cur()));
    advance();
    uint64_t Align = 0, Count = 1, Unused;
    bool Pointer = false;
    Ty Type = Ty::None;
    while (cur().Kind == Tok::Directive) {
      std::string_view D = cur().Text;
      advance();
      if (D == ".align") {
        // After ".ptr" this is the alignment of what it points to.
        if (!expectInt(Pointer ? Unused : Align))
          return false;
      } else if (D == ".ptr") {
        Pointer = true;
      } else if (D == ".global" || D == ".shared" || D == ".const" ||
                 D == ".local") {
        continue;
      } else {
        Type = parseType(D.substr(1));
        if (Type == Ty::None)
          return fail("expected the type of a parameter, found '" +
                      std::string(D) + "'");
      }
    }
    if (Type == Ty::None || Type == Ty::Pred || cur().Kind != Tok::Ident)
      return fail("expected a parameter's type and name, found " +
                  shown(cur()));
    KernelInfo::Param P;
    P.Name = std::string(cur().Text);
    advance();
    if (accept('[') && (!expectInt(Count) || !expect(']')))
      return false;
    uint32_t Element = typeBits(Type) / 8;
    if (Count > 65536 / Element)
      return fail("parameter " + P.Name + " is larger than 64 KiB");
    P.Size = uint32_t(Count) * Element;
    P.Align = Align ? Align : Element;
    if (P.Align > 128 || (P.Align & (P.Align - 1)))
      return fail("the alignment of parameter " + P.Name +
                  " must be a power of two up to 128");
    P.Offset = Offset = (Offset + P.Align - 1) & ~(P.Align - 1);
    Offset += P.Size;
    K.Info.Params.push_back(std::move(P));
    if (!isPunct(')') && !expect(','))
      return false;
    if (K.Info.Params.size() > 1024)
      return fail("more than 1024 parameters");
  }
  return true;
}

bool Parser::parseDims(Dim3 &D) {
  uint64_t V[3] = {1, 1, 1};
  for (unsigned I = 0; I < 3; ++I) {
    if (!expectInt(V[I]))
      return false;
    if (V[I] > 0x7fffffff)
      return fail("dimension out of range");
    if (!accept(','))
      break;
  }
  D = {uint32_t(V[0]), uint32_t(V[1]), uint32_t(V[2])};
  return true;
}

bool Parser::parseEntry() {
  Extern = false;
  if (cur().Kind != Tok::Ident)
    return fail("expected the name of the kernel, found " + shown(cur()));
  M.Kernels.emplace_back();
  AstKernel &K = M.Kernels.back();
  K.Line = cur().Line;
  K.Info.Name = std::string(cur().Text);
  advance();
  if (accept('(') && !parseParams(K))
    return false;
  while (cur().Kind == Tok::Directive) {
    std::string_view D = cur().Text;
    advance();
    uint64_t Value;
    bool Good = true;
    if (D == ".maxntid")
      Good = parseDims(K.Info.MaxBlock);
    else if (D == ".reqntid")
      Good = parseDims(K.Info.RequiredBlock);
    else if (D == ".reqnctapercluster")
      Good = parseDims(K.Info.RequiredCluster);
    else if (D == ".maxnreg") {
      Good = expectInt(Value);
      K.MaxRegisters = uint32_t(Value);
    } else if (D == ".minnctapersm" || D == ".maxclusterrank")
      Good = expectInt(Value);
    else if (D == ".noreturn" || D == ".explicitcluster" ||
             D == ".blocksareclusters")
      Good = true;
    else if (D == ".pragma")
      skipLine(cur().Line);
    else
      return fail("directive " + std::string(D) +
                  " is not supported on a kernel");
    if (!Good)
      return false;
  }
  if (accept(';')) { // A declaration only.
    M.Kernels.pop_back();
    return true;
  }
  return parseBody(K);
}
