//===- ParseBody.cpp - Kernel bodies: registers, labels, operands --------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Parser.h"

using namespace mxfp4::sim;

constexpr unsigned kMaxScopeDepth = 64;
constexpr unsigned kMaxOperandDepth = 4;
constexpr size_t kMaxInstructions = 4 << 20;

bool Parser::openScope(uint32_t parent) {
  if (scopes.size() >= kMaxScopeDepth)
    return fail("scopes nest deeper than " + std::to_string(kMaxScopeDepth));
  Scope s;
  s.id = uint32_t(body->scopeParent.size());
  body->scopeParent.push_back(parent);
  scopes.push_back(std::move(s));
  return true;
}

bool Parser::parseBody(AstKernel &k) {
  body = &k;
  scopes.clear();
  if (!expect('{') || !openScope(kModuleScope))
    return false;
  for (std::vector<Formal> *list : {&k.results, &k.formals})
    for (Formal &f : *list)
      if (f.isReg) {
        f.regId = uint32_t(k.regs.size());
        scopes[0].regs[f.p.name] = f.regId;
        k.regs.push_back({f.p.name, f.type});
      }
  while (!scopes.empty()) {
    if (cur().kind == Tok::Eof)
      return fail("expected '}' at the end of " + k.info.name +
                  ", found the end of the file");
    if (!parseStatement())
      return false;
    if (k.insts.size() > kMaxInstructions)
      return fail(k.info.name + " has too many instructions");
  }
  return true;
}

bool Parser::parseStatement() {
  const Token &t = cur();
  if (t.kind == Tok::ImplicitDef) {
    AstInst i;
    if (findRegister(t.text, i.guardReg)) {
      i.implicitDef = true;
      i.line = t.line;
      body->insts.push_back(std::move(i));
    }
    advance();
    return true;
  }
  if (accept(';'))
    return true;
  if (accept('{'))
    return openScope(scopes.back().id);
  if (accept('}')) {
    scopes.pop_back();
    return true;
  }
  if (t.kind == Tok::Directive)
    return parseBodyDirective();
  if (t.kind == Tok::Ident && peek().kind == Tok::Punct &&
      peek().punct == ':') {
    std::string_view label = t.text;
    advance();
    advance();
    if (cur().kind == Tok::Directive && cur().text == ".branchtargets")
      return parseBranchTable(label);
    if (cur().kind == Tok::Directive &&
        (cur().text == ".callprototype" || cur().text == ".calltargets")) {
      // Of calls through a register, which say so where they stand.
      skipStatement();
      return true;
    }
    if (!body->labels
             .insert({{scopes.back().id, label}, uint32_t(body->insts.size())})
             .second)
      return fail("label " + std::string(label) + " is defined twice");
    return true;
  }
  if (t.kind == Tok::Ident || isPunct('@'))
    return parseInstruction();
  return fail("expected an instruction, found " + shown(t));
}

bool Parser::parseBranchTable(std::string_view label) {
  advance();
  auto &table = body->branchTables[{scopes.back().id, label}];
  do {
    if (cur().kind != Tok::Ident)
      return fail("expected a label in .branchtargets, found " + shown(cur()));
    table.push_back(cur().text);
    advance();
  } while (accept(','));
  return expect(';');
}

bool Parser::parseBodyDirective() {
  std::string_view d = cur().text;
  unsigned line = cur().line;
  if (d == ".reg") {
    advance();
    return parseRegs();
  }
  if (d == ".loc" || d == ".file" || d == ".pragma") {
    advance();
    skipLine(line);
    return true;
  }
  if (d == ".local" || d == ".shared" || d == ".global" || d == ".const" ||
      d == ".param") {
    advance();
    return parseVariables(d, false, body->variables);
  }
  if (d == ".section") {
    advance();
    return skipBraces();
  }
  if (d == ".visible" || d == ".entry" || d == ".func")
    return fail("expected '}' at the end of " + body->info.name + ", found " +
                shown(cur()));
  return fail("directive " + std::string(d) +
              " is not supported inside a kernel");
}

bool Parser::parseRegs() {
  if (cur().kind != Tok::Directive)
    return fail("expected a type after .reg, found " + shown(cur()));
  Ty type = parseType(cur().text.substr(1));
  if (type == Ty::None || type == Ty::B128 || typeBits(type) > 64)
    return fail("registers of type " + shown(cur()) + " are not supported");
  advance();
  Scope &s = scopes.back();
  do {
    if (cur().kind != Tok::Ident)
      return fail("expected the name of a register, found " + shown(cur()));
    std::string_view name = cur().text;
    advance();
    if (accept('<')) {
      uint64_t count;
      if (!expectInt(count) || !expect('>'))
        return false;
      if (count > (1u << 24))
        return fail("more than 2^24 registers of one name");
      s.ranges[name] = {uint32_t(count), type, {}};
      continue;
    }
    s.regs[name] = uint32_t(body->regs.size());
    body->regs.push_back({std::string(name), type});
  } while (accept(','));
  return expect(';');
}

bool Parser::findRegister(std::string_view name, uint32_t &id) {
  size_t digits = name.size();
  while (digits > 0 && name[digits - 1] >= '0' && name[digits - 1] <= '9')
    --digits;
  for (size_t i = scopes.size(); i-- > 0;) {
    Scope &s = scopes[i];
    auto it = s.regs.find(name);
    if (it != s.regs.end()) {
      id = it->second;
      return true;
    }
    auto range = s.ranges.find(name.substr(0, digits));
    size_t length = name.size() - digits;
    if (range == s.ranges.end() || length == 0 || length > 8)
      continue;
    uint32_t number = 0;
    for (char c : name.substr(digits))
      number = number * 10 + unsigned(c - '0');
    if (number >= range->second.count)
      continue;
    auto [Slot, New] =
        range->second.ids.insert({number, uint32_t(body->regs.size())});
    if (New)
      body->regs.push_back({std::string(name), range->second.type});
    id = Slot->second;
    return true;
  }
  return false;
}

bool Parser::parseName(AstOperand &op) {
  std::string_view name = cur().text;
  advance();
  if (name == "_") {
    op.k = AstOperand::Sink;
    return true;
  }
  if (findRegister(name, op.regId)) {
    op.k = AstOperand::Reg;
    return true;
  }
  op.k = AstOperand::Name;
  op.text = name;
  return true;
}

/// "[base+off]", "[base, {c0, c1}]", and the plain "[addr]".
bool Parser::parseAddress(AstOperand &op, unsigned depth) {
  op.k = AstOperand::Addr;
  AstOperand base;
  if (!parseOperand(base, depth + 1))
    return false;
  op.elems.push_back(std::move(base));
  while (isPunct('+') || isPunct('-')) {
    bool minus = isPunct('-');
    advance();
    uint64_t value;
    if (!expectInt(value))
      return false;
    op.offset = int64_t(uint64_t(op.offset) + (minus ? 0 - value : value));
  }
  while (accept(',')) {
    AstOperand coords;
    if (!parseOperand(coords, depth + 1))
      return false;
    op.elems.push_back(std::move(coords));
  }
  return expect(']');
}

/// "{a, b}", and the "(a, b)" or "()" of a call.
bool Parser::parseVector(AstOperand &op, unsigned depth) {
  const char end = isPunct('(') ? ')' : '}';
  advance();
  op.k = AstOperand::Vec;
  if (end == ')' && accept(end))
    return true;
  do {
    AstOperand e;
    if (!parseOperand(e, depth + 1))
      return false;
    op.elems.push_back(std::move(e));
  } while (accept(','));
  return expect(end);
}

bool Parser::parseOperand(AstOperand &op, unsigned depth) {
  if (depth > kMaxOperandDepth)
    return fail("operands nest too deeply");
  if (accept('!'))
    op.negated = true;
  if (accept('['))
    return parseAddress(op, depth);
  if (isPunct('{') || isPunct('('))
    return parseVector(op, depth);
  bool minus = accept('-');
  const Token &t = cur();
  switch (t.kind) {
  case Tok::Int:
    op.k = AstOperand::Int;
    op.value = minus ? 0 - t.value : t.value;
    advance();
    return true;
  case Tok::F32:
    op.k = AstOperand::F32;
    op.value = minus ? t.value ^ 0x80000000u : t.value;
    advance();
    return true;
  case Tok::F64:
    op.k = AstOperand::F64;
    op.value = minus ? t.value ^ (uint64_t(1) << 63) : t.value;
    advance();
    return true;
  case Tok::Ident:
    if (minus)
      return fail("expected a number after '-', found " + shown(t));
    return parseName(op);
  default:
    return fail("expected an operand, found " + shown(t));
  }
}

bool Parser::parseInstruction() {
  AstInst i;
  i.line = cur().line;
  i.scope = scopes.back().id;
  const char *begin = cur().text.data();
  if (accept('@')) {
    i.hasGuard = true;
    i.guardNot = accept('!');
    if (cur().kind != Tok::Ident || !findRegister(cur().text, i.guardReg))
      return fail("expected a predicate register after '@', found " +
                  shown(cur()));
    if (body->regs[i.guardReg].type != Ty::Pred)
      return fail("the guard " + shown(cur()) + " is not a predicate");
    advance();
  }
  if (cur().kind != Tok::Ident)
    return fail("expected an instruction, found " + shown(cur()));
  i.opcode = cur().text;
  i.line = cur().line;
  body->hasCalls |= i.opcode.substr(0, 4) == "call";
  advance();
  while (!isPunct(';')) {
    AstOperand op;
    if (!parseOperand(op, 0))
      return false;
    if (isPunct('|')) {
      AstOperand pair;
      pair.k = AstOperand::Pair;
      advance();
      pair.elems.push_back(std::move(op));
      AstOperand second;
      if (!parseOperand(second, 1))
        return false;
      pair.elems.push_back(std::move(second));
      op = std::move(pair);
    }
    i.ops.push_back(std::move(op));
    if (i.ops.size() > 600)
      return fail("more than 600 operands");
    if (!isPunct(';') && !expect(','))
      return false;
  }
  i.text = std::string_view(begin, size_t(cur().text.data() - begin) + 1);
  advance();
  body->insts.push_back(std::move(i));
  return true;
}
