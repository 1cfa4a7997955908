//===- ParseKernel.cpp - Heads of kernels and of device functions ---------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Parser.h"

using namespace mxfp4::sim;

/// ".align 8 .b8 name[16]" after ".param".
bool Parser::parseParam(KernelInfo::Param &P, Ty &Type, uint32_t &Offset) {
  uint64_t Align = 0, Count = 1, Unused;
  bool Pointer = false;
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
    return fail("expected a parameter's type and name, found " + shown(cur()));
  P.Name = std::string(cur().Text);
  advance();
  if (accept('[') && (!expectInt(Count) || !expect(']')))
    return false;
  uint32_t Element = typeBits(Type) / 8;
  if (Count > 65536 / Element)
    return fail("parameter " + P.Name + " is larger than 64 KiB");
  P.Size = uint32_t(Count) * Element;
  if (Align > 128 || (Align & (Align - 1)))
    return fail("the alignment of parameter " + P.Name +
                " must be a power of two up to 128");
  P.Align = Align ? uint32_t(Align) : Element;
  P.Offset = Offset = (Offset + P.Align - 1) & ~(P.Align - 1);
  Offset += P.Size;
  return true;
}

bool Parser::parseParams(AstKernel &K) {
  uint32_t Offset = 0;
  while (!accept(')')) {
    if (cur().Kind != Tok::Directive || cur().Text != ".param")
      return fail("expected '.param', found " + shown(cur()));
    advance();
    KernelInfo::Param P{};
    Ty Type = Ty::None;
    if (!parseParam(P, Type, Offset))
      return false;
    K.Info.Params.push_back(std::move(P));
    if (!isPunct(')') && !expect(','))
      return false;
    if (K.Info.Params.size() > 1024)
      return fail("more than 1024 parameters");
  }
  return true;
}

/// Parameters or results of a device function, after '('.
bool Parser::parseFormals(std::vector<Formal> &Out) {
  uint32_t Offset = 0;
  while (!accept(')')) {
    Formal F;
    if (cur().Kind != Tok::Directive ||
        (cur().Text != ".param" && cur().Text != ".reg"))
      return fail("expected '.param' or '.reg', found " + shown(cur()));
    F.IsReg = cur().Text == ".reg";
    advance();
    if (!parseParam(F.P, F.Type, Offset))
      return false;
    if (F.IsReg && (typeBits(F.Type) > 64 || F.P.Size * 8 != typeBits(F.Type)))
      return fail("a register of this type is not supported");
    Out.push_back(std::move(F));
    if (!isPunct(')') && !expect(','))
      return false;
    if (Out.size() > 1024)
      return fail("more than 1024 parameters");
  }
  return true;
}

bool Parser::parseDims(Dim3 &D) {
  uint64_t V[3] = {1, 1, 1};
  for (unsigned I = 0; I < 3; ++I) {
    if (!expectInt(V[I]))
      return false;
    if (V[I] == 0 || V[I] > 0x7fffffff)
      return fail("a dimension is from 1 to 2^31 - 1, found " +
                  std::to_string(V[I]));
    if (!accept(','))
      break;
  }
  D = {uint32_t(V[0]), uint32_t(V[1]), uint32_t(V[2])};
  return true;
}

/// A directive between the head and the body.
bool Parser::parseAttribute(AstKernel &K) {
  std::string_view D = cur().Text;
  advance();
  uint64_t Value;
  if (D == ".maxntid")
    return parseDims(K.Info.MaxBlock);
  if (D == ".reqntid")
    return parseDims(K.Info.RequiredBlock);
  if (D == ".reqnctapercluster")
    return parseDims(K.Info.RequiredCluster);
  if (D == ".maxnreg") {
    if (!expectInt(Value))
      return false;
    K.MaxRegisters = uint32_t(Value < 256 ? Value : 256);
    return true;
  }
  if (D == ".minnctapersm" || D == ".maxclusterrank" || D == ".abi_preserve" ||
      D == ".abi_preserve_control")
    return expectInt(Value);
  if (D == ".noreturn" || D == ".explicitcluster" || D == ".blocksareclusters")
    return true;
  if (D == ".attribute") {
    skipParens();
    return true;
  }
  if (D == ".pragma") {
    skipLine(cur().Line);
    return true;
  }
  return fail("directive " + std::string(D) + " is not supported on a kernel");
}

bool Parser::parseKernel(AstKernel &K) {
  if (accept('(') && !parseParams(K))
    return false;
  while (cur().Kind == Tok::Directive)
    if (!parseAttribute(K))
      return false;
  if (accept(';')) { // A declaration only.
    M.Kernels.pop_back();
    return true;
  }
  return parseBody(K);
}

bool Parser::parseEntry() {
  Extern = false;
  if (cur().Kind != Tok::Ident)
    return fail("expected the name of the kernel, found " + shown(cur()));
  for (const AstKernel &K : M.Kernels)
    if (K.Info.Name == cur().Text)
      return fail("kernel " + K.Info.Name + " is defined twice");
  M.Kernels.emplace_back();
  AstKernel &K = M.Kernels.back();
  K.Line = cur().Line;
  K.Info.Name = std::string(cur().Text);
  advance();
  const size_t Begin = Pos;
  ErrorList Own(K.Errors, File), *Module = Errors;
  Errors = &Own;
  if (!parseKernel(K)) {
    Pos = Begin;
    skipBody();
  }
  Errors = Module;
  Scopes.clear();
  return true;
}

bool Parser::parseFunctionRest(AstKernel &F, bool &HasBody) {
  if (accept('(') && !parseFormals(F.Formals))
    return false;
  while (cur().Kind == Tok::Directive)
    if (!parseAttribute(F))
      return false;
  HasBody = !accept(';');
  return !HasBody || parseBody(F);
}

/// "(.param .b32 result) name(.param .b32 value) { ... }" after ".func".
bool Parser::parseFunction() {
  Extern = false;
  AstKernel F;
  F.Line = cur().Line;
  size_t Begin = Pos;
  ErrorList Own(F.Errors, File), *Module = Errors;
  Errors = &Own;
  bool HasBody = true, Good = true;
  while (Good && cur().Kind == Tok::Directive)
    Good = parseAttribute(F);
  if (Good && accept('('))
    Good = parseFormals(F.Results);
  if (Good && cur().Kind != Tok::Ident)
    Good =
        fail("expected the name of a device function, found " + shown(cur()));
  if (cur().Kind == Tok::Ident) {
    F.Info.Name = std::string(cur().Text);
    advance();
    Begin = Pos;
  }
  if (!Good || !parseFunctionRest(F, HasBody)) {
    Pos = Begin;
    skipBody();
  }
  Errors = Module;
  Scopes.clear();
  if (HasBody && !F.Info.Name.empty()) {
    std::string Name = F.Info.Name;
    M.Functions.insert_or_assign(std::move(Name), std::move(F));
  }
  return true;
}
