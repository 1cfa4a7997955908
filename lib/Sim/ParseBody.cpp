//===- ParseBody.cpp - Kernel bodies: registers, labels, operands --------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Parser.h"

using namespace mxfp4::sim;

constexpr unsigned MaxScopeDepth = 64;
constexpr unsigned MaxOperandDepth = 4;
constexpr size_t MaxInstructions = 4 << 20;

bool Parser::openScope(uint32_t Parent) {
  if (Scopes.size() >= MaxScopeDepth)
    return fail("scopes nest deeper than " + std::to_string(MaxScopeDepth));
  Scope S;
  S.Id = uint32_t(Body->ScopeParent.size());
  Body->ScopeParent.push_back(Parent);
  Scopes.push_back(std::move(S));
  return true;
}

bool Parser::parseBody(AstKernel &K) {
  Body = &K;
  Scopes.clear();
  if (!expect('{') || !openScope(ModuleScope))
    return false;
  for (std::vector<Formal> *List : {&K.Results, &K.Formals})
    for (Formal &F : *List)
      if (F.IsReg) {
        F.RegId = uint32_t(K.Regs.size());
        Scopes[0].Regs[F.P.Name] = F.RegId;
        K.Regs.push_back({F.P.Name, F.Type});
      }
  while (!Scopes.empty()) {
    if (cur().Kind == Tok::Eof)
      return fail("expected '}' at the end of " + K.Info.Name +
                  ", found the end of the file");
    if (!parseStatement())
      return false;
    if (K.Insts.size() > MaxInstructions)
      return fail(K.Info.Name + " has too many instructions");
  }
  return true;
}

bool Parser::parseStatement() {
  const Token &T = cur();
  if (T.Kind == Tok::ImplicitDef) {
    AstInst I;
    if (findRegister(T.Text, I.GuardReg)) {
      I.ImplicitDef = true;
      I.Line = T.Line;
      Body->Insts.push_back(std::move(I));
    }
    advance();
    return true;
  }
  if (accept(';'))
    return true;
  if (accept('{'))
    return openScope(Scopes.back().Id);
  if (accept('}')) {
    Scopes.pop_back();
    return true;
  }
  if (T.Kind == Tok::Directive)
    return parseBodyDirective();
  if (T.Kind == Tok::Ident && peek().Kind == Tok::Punct &&
      peek().Punct == ':') {
    std::string_view Label = T.Text;
    advance();
    advance();
    if (cur().Kind == Tok::Directive && cur().Text == ".branchtargets")
      return parseBranchTable(Label);
    if (cur().Kind == Tok::Directive &&
        (cur().Text == ".callprototype" || cur().Text == ".calltargets")) {
      // Of calls through a register, which say so where they stand.
      skipStatement();
      return true;
    }
    if (!Body->Labels
             .insert({{Scopes.back().Id, Label}, uint32_t(Body->Insts.size())})
             .second)
      return fail("label " + std::string(Label) + " is defined twice");
    return true;
  }
  if (T.Kind == Tok::Ident || isPunct('@'))
    return parseInstruction();
  return fail("expected an instruction, found " + shown(T));
}

bool Parser::parseBranchTable(std::string_view Label) {
  advance();
  auto &Table = Body->BranchTables[{Scopes.back().Id, Label}];
  do {
    if (cur().Kind != Tok::Ident)
      return fail("expected a label in .branchtargets, found " + shown(cur()));
    Table.push_back(cur().Text);
    advance();
  } while (accept(','));
  return expect(';');
}

bool Parser::parseBodyDirective() {
  std::string_view D = cur().Text;
  unsigned Line = cur().Line;
  if (D == ".reg") {
    advance();
    return parseRegs();
  }
  if (D == ".loc" || D == ".file" || D == ".pragma") {
    advance();
    skipLine(Line);
    return true;
  }
  if (D == ".local" || D == ".shared" || D == ".global" || D == ".const" ||
      D == ".param") {
    advance();
    return parseVariables(D, false, Body->Variables);
  }
  if (D == ".section") {
    advance();
    return skipBraces();
  }
  if (D == ".visible" || D == ".entry" || D == ".func")
    return fail("expected '}' at the end of " + Body->Info.Name + ", found " +
                shown(cur()));
  return fail("directive " + std::string(D) +
              " is not supported inside a kernel");
}

bool Parser::parseRegs() {
  if (cur().Kind != Tok::Directive)
    return fail("expected a type after .reg, found " + shown(cur()));
  Ty Type = parseType(cur().Text.substr(1));
  if (Type == Ty::None || Type == Ty::B128 || typeBits(Type) > 64)
    return fail("registers of type " + shown(cur()) + " are not supported");
  advance();
  Scope &S = Scopes.back();
  do {
    if (cur().Kind != Tok::Ident)
      return fail("expected the name of a register, found " + shown(cur()));
    std::string_view Name = cur().Text;
    advance();
    if (accept('<')) {
      uint64_t Count;
      if (!expectInt(Count) || !expect('>'))
        return false;
      if (Count > (1u << 24))
        return fail("more than 2^24 registers of one name");
      S.Ranges[Name] = {uint32_t(Count), Type, {}};
      continue;
    }
    S.Regs[Name] = uint32_t(Body->Regs.size());
    Body->Regs.push_back({std::string(Name), Type});
  } while (accept(','));
  return expect(';');
}

bool Parser::findRegister(std::string_view Name, uint32_t &Id) {
  size_t Digits = Name.size();
  while (Digits > 0 && Name[Digits - 1] >= '0' && Name[Digits - 1] <= '9')
    --Digits;
  for (size_t I = Scopes.size(); I-- > 0;) {
    Scope &S = Scopes[I];
    auto It = S.Regs.find(Name);
    if (It != S.Regs.end()) {
      Id = It->second;
      return true;
    }
    auto Range = S.Ranges.find(Name.substr(0, Digits));
    size_t Length = Name.size() - Digits;
    if (Range == S.Ranges.end() || Length == 0 || Length > 8)
      continue;
    uint32_t Number = 0;
    for (char C : Name.substr(Digits))
      Number = Number * 10 + unsigned(C - '0');
    if (Number >= Range->second.Count)
      continue;
    auto [Slot, New] =
        Range->second.Ids.insert({Number, uint32_t(Body->Regs.size())});
    if (New)
      Body->Regs.push_back({std::string(Name), Range->second.Type});
    Id = Slot->second;
    return true;
  }
  return false;
}

bool Parser::parseName(AstOperand &Op) {
  std::string_view Name = cur().Text;
  advance();
  if (Name == "_") {
    Op.K = AstOperand::Sink;
    return true;
  }
  if (findRegister(Name, Op.RegId)) {
    Op.K = AstOperand::Reg;
    return true;
  }
  Op.K = AstOperand::Name;
  Op.Text = Name;
  return true;
}

/// "[base+off]", "[base, {c0, c1}]", and the plain "[addr]".
bool Parser::parseAddress(AstOperand &Op, unsigned Depth) {
  Op.K = AstOperand::Addr;
  AstOperand Base;
  if (!parseOperand(Base, Depth + 1))
    return false;
  Op.Elems.push_back(std::move(Base));
  while (isPunct('+') || isPunct('-')) {
    bool Minus = isPunct('-');
    advance();
    uint64_t Value;
    if (!expectInt(Value))
      return false;
    Op.Offset = int64_t(uint64_t(Op.Offset) + (Minus ? 0 - Value : Value));
  }
  while (accept(',')) {
    AstOperand Coords;
    if (!parseOperand(Coords, Depth + 1))
      return false;
    Op.Elems.push_back(std::move(Coords));
  }
  return expect(']');
}

/// "{a, b}", and the "(a, b)" or "()" of a call.
bool Parser::parseVector(AstOperand &Op, unsigned Depth) {
  const char End = isPunct('(') ? ')' : '}';
  advance();
  Op.K = AstOperand::Vec;
  if (End == ')' && accept(End))
    return true;
  do {
    AstOperand E;
    if (!parseOperand(E, Depth + 1))
      return false;
    Op.Elems.push_back(std::move(E));
  } while (accept(','));
  return expect(End);
}

bool Parser::parseOperand(AstOperand &Op, unsigned Depth) {
  if (Depth > MaxOperandDepth)
    return fail("operands nest too deeply");
  if (accept('!'))
    Op.Not = true;
  if (accept('['))
    return parseAddress(Op, Depth);
  if (isPunct('{') || isPunct('('))
    return parseVector(Op, Depth);
  bool Minus = accept('-');
  const Token &T = cur();
  switch (T.Kind) {
  case Tok::Int:
    Op.K = AstOperand::Int;
    Op.Value = Minus ? 0 - T.Value : T.Value;
    advance();
    return true;
  case Tok::F32:
    Op.K = AstOperand::F32;
    Op.Value = Minus ? T.Value ^ 0x80000000u : T.Value;
    advance();
    return true;
  case Tok::F64:
    Op.K = AstOperand::F64;
    Op.Value = Minus ? T.Value ^ (uint64_t(1) << 63) : T.Value;
    advance();
    return true;
  case Tok::Ident:
    if (Minus)
      return fail("expected a number after '-', found " + shown(T));
    return parseName(Op);
  default:
    return fail("expected an operand, found " + shown(T));
  }
}

bool Parser::parseInstruction() {
  AstInst I;
  I.Line = cur().Line;
  I.Scope = Scopes.back().Id;
  const char *Begin = cur().Text.data();
  if (accept('@')) {
    I.HasGuard = true;
    I.GuardNot = accept('!');
    if (cur().Kind != Tok::Ident || !findRegister(cur().Text, I.GuardReg))
      return fail("expected a predicate register after '@', found " +
                  shown(cur()));
    if (Body->Regs[I.GuardReg].Type != Ty::Pred)
      return fail("the guard " + shown(cur()) + " is not a predicate");
    advance();
  }
  if (cur().Kind != Tok::Ident)
    return fail("expected an instruction, found " + shown(cur()));
  I.Opcode = cur().Text;
  I.Line = cur().Line;
  Body->HasCalls |= I.Opcode.substr(0, 4) == "call";
  advance();
  while (!isPunct(';')) {
    AstOperand Op;
    if (!parseOperand(Op, 0))
      return false;
    if (isPunct('|')) {
      AstOperand Pair;
      Pair.K = AstOperand::Pair;
      advance();
      Pair.Elems.push_back(std::move(Op));
      AstOperand Second;
      if (!parseOperand(Second, 1))
        return false;
      Pair.Elems.push_back(std::move(Second));
      Op = std::move(Pair);
    }
    I.Ops.push_back(std::move(Op));
    if (I.Ops.size() > 600)
      return fail("more than 600 operands");
    if (!isPunct(';') && !expect(','))
      return false;
  }
  I.Text = std::string_view(Begin, size_t(cur().Text.data() - Begin) + 1);
  advance();
  Body->Insts.push_back(std::move(I));
  return true;
}
