//===- Decoder.cpp - From syntax to instructions -------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Decoder.h"

#include "Exec.h"

#include <algorithm>

using namespace mxfp4::sim;

bool mxfp4::sim::decodeKernel(const AstKernel &ast,
                              const std::vector<Variable> &globals, Kernel &k,
                              ErrorList &errors) {
  return Decoder(ast, globals, k, errors).run();
}

//===----------------------------------------------------------------------===//
// Modifiers
//===----------------------------------------------------------------------===//

bool Decoder::take(std::string_view name) {
  auto it = std::find(mods.begin() + 1, mods.end(), name);
  if (it == mods.end())
    return false;
  mods.erase(it);
  return true;
}

bool Decoder::takePrefix(std::string_view prefix, std::string_view *whole) {
  for (size_t j = 1; j < mods.size(); ++j)
    if (mods[j].substr(0, prefix.size()) == prefix) {
      if (whole)
        *whole = mods[j];
      mods.erase(mods.begin() + j);
      return true;
    }
  return false;
}

Ty Decoder::takeType() {
  for (size_t j = 1; j < mods.size(); ++j)
    if (Ty t = parseType(mods[j]); t != Ty::None) {
      mods.erase(mods.begin() + j);
      return t;
    }
  return Ty::None;
}

int Decoder::takeOneOf(std::initializer_list<const char *> names,
                       int fallback) {
  int index = 0;
  for (const char *name : names) {
    if (take(name))
      return index;
    ++index;
  }
  return fallback;
}

bool Decoder::fail(std::string message) {
  errors.error(cur->line, std::move(message), cur->text);
  failed = true;
  return false;
}

bool Decoder::expectOps(size_t min, size_t max) {
  size_t n = ops().size();
  if (n >= min && n <= max)
    return true;
  std::string wanted =
      min == max ? plural(min, "operand")
                 : std::to_string(min) + " to " + plural(max, "operand");
  return fail(std::string(base()) + " takes " + wanted + ", found " +
              std::to_string(n));
}

bool Decoder::operands(std::initializer_list<Ty> types) {
  if (!expectOps(types.size(), types.size()))
    return false;
  size_t j = 0;
  for (Ty t : types) {
    if (!(j ? src(ops()[j], t) : dst(ops()[j], t)))
      return false;
    ++j;
  }
  return true;
}

//===----------------------------------------------------------------------===//
// The walk
//===----------------------------------------------------------------------===//

void Decoder::place(const Variable &v, uint64_t &shared, uint64_t &local) {
  const uint64_t mask = v.align - 1;
  uint64_t address = v.address;
  if (v.where == Space::Shared) {
    if (v.isExtern)
      return;
    address = shared = (shared + mask) & ~mask;
    shared += v.size;
  } else if (v.where == Space::Local || v.where == Space::Param) {
    // Of each thread; a parameter of a call has a generic address.
    local = (local + mask) & ~mask;
    address = local + 16 + (v.where == Space::Param ? kLocalWindow : 0);
    local += v.size;
  }
  symbols.insert({{v.scope, v.name}, address});
}

/// Shared variables get the same addresses in every launch: static ones in
/// order, then the dynamic part.
bool Decoder::layoutVariables() {
  uint64_t shared = kSharedBase, local = 0;
  uint32_t dynamicAlign = 16;
  for (const std::vector<Variable> *list : {&syntax.variables, &globals})
    for (const Variable &v : *list) {
      place(v, shared, local);
      if (v.where == Space::Shared && v.isExtern)
        dynamicAlign = std::max(dynamicAlign, v.align);
    }
  uint64_t mask = dynamicAlign - 1;
  shared = (shared + mask) & ~mask;
  for (const std::vector<Variable> *list : {&syntax.variables, &globals})
    for (const Variable &v : *list)
      if (v.where == Space::Shared && v.isExtern)
        symbols.insert({{v.scope, v.name}, shared});
  // Parameters are known in the outermost scope of the body.
  for (const KernelInfo::Param &p : syntax.info.params)
    symbols.insert({{0, p.name}, kParamWindow + p.offset});
  // A caller's variables come before what its callees call them.
  for (const Alias &a : syntax.aliases)
    if (const uint64_t *address = findSymbol(a.targetScope, a.target))
      symbols.insert({{a.scope, a.name}, *address});
  if (shared > kSharedBase + kMaxShared || local > (64 << 10)) {
    errors.error(syntax.line,
                 "kernel " + syntax.info.name +
                     " declares more shared or local memory than a "
                     "block or a thread can have");
    return false;
  }
  k.staticShared = uint32_t(shared - kSharedBase);
  k.dynamicAlign = dynamicAlign;
  k.localBytes = uint32_t(local);
  return true;
}

/// What is not supported may not be reached.
void Decoder::decodeUnsupported(const AstInst &a) {
  i = Inst();
  dsts.clear();
  srcs.clear();
  mods.clear();
  if (a.hasGuard) {
    i.guard = regOperand(a.guardReg);
    i.flags |= Inst::HasGuard | (a.guardNot ? Inst::GuardNot : 0);
  }
  i.fn = execUnsupported;
  i.flags |= Inst::Control;
  i.p = Pipe::Control;
  i.a = uint32_t(k.unsupported.size());
  k.unsupported.push_back(a.unsupported);
}

bool Decoder::decodeImplicitDef(const AstInst &a) {
  i = Inst();
  dsts.clear();
  srcs.clear();
  dsts.push_back(regOperand(a.guardReg));
  i.fn = execImplicitDef;
  return true;
}

bool Decoder::decodeOne(const AstInst &a) {
  cur = &a;
  if (a.implicitDef)
    return decodeImplicitDef(a);
  if (!a.unsupported.empty()) {
    decodeUnsupported(a);
    return true;
  }
  i = Inst();
  dsts.clear();
  srcs.clear();
  mods.clear();
  for (size_t at = 0; at <= a.opcode.size();) {
    size_t dot = std::min(a.opcode.find('.', at), a.opcode.size());
    mods.push_back(a.opcode.substr(at, dot - at));
    at = dot + 1;
  }
  if (a.hasGuard) {
    i.guard = regOperand(a.guardReg);
    i.flags |= Inst::HasGuard | (a.guardNot ? Inst::GuardNot : 0);
  }
  DecodeFn family = findFamily(mods[0]);
  if (!family)
    return fail("instruction " + std::string(a.opcode) +
                " is not known to the interpreter");
  if (!family(*this))
    return false;
  // Those with a carry leave more behind than their destination.
  const bool usesCarry = base() == "addc" || base() == "subc" ||
                         a.opcode.find(".cc") != a.opcode.npos;
  for (DecodeFn pure : {decodeInteger, decodeBits, decodeFields, decodeFloat,
                        decodeCompare, decodeConvert, decodeMove})
    if (family == pure && !usesCarry && !(i.flags & Inst::Control))
      i.flags |= Inst::Pure;
  if (mods.size() > 1)
    return fail("modifier ." + std::string(mods[1]) + " of " +
                std::string(a.opcode) + " is not supported");
  if (!i.fn)
    return fail("this form of " + std::string(a.opcode) +
                " is not known to the interpreter");
  return true;
}

bool Decoder::run() {
  k.info = syntax.info;
  k.maxRegisters = syntax.maxRegisters;
  regOperands.resize(syntax.regs.size());
  for (Operand &o : regOperands)
    o.slot = ~0u;
  if (!layoutVariables())
    return false;
  k.info.staticShared = k.staticShared;
  for (const KernelInfo::Param &p : syntax.info.params)
    k.paramBytes = std::max(k.paramBytes, p.offset + p.size);
  for (const AstInst &a : syntax.insts) {
    if (!decodeOne(a)) {
      if (errors.tooMany())
        return false;
      continue;
    }
    i.line = a.line;
    i.text = a.implicitDef ? std::string_view("// implicit-def") : a.text;
    auto [Id, New] = opcodeIds.insert(
        {std::string(a.implicitDef ? "implicit-def" : a.opcode),
         uint32_t(k.opcodeNames.size())});
    if (New)
      k.opcodeNames.push_back(Id->first);
    i.opcodeId = Id->second;
    i.ops = uint32_t(k.operands.size());
    i.numDst = uint16_t(dsts.size());
    i.numSrc = uint16_t(srcs.size());
    k.operands.insert(k.operands.end(), dsts.begin(), dsts.end());
    k.operands.insert(k.operands.end(), srcs.begin(), srcs.end());
    k.code.push_back(i);
    if (k.regBytes > (64u << 20) || k.constData.size() > (64u << 20)) {
      errors.error(a.line, "kernel " + syntax.info.name +
                               " uses more registers than the interpreter "
                               "holds (64 MiB per warp)");
      return false;
    }
  }
  if (failed)
    return false;
  // A jump past the last instruction, and falling off the end, mean exit.
  Inst end;
  end.fn = execExit;
  end.flags = Inst::Control;
  end.p = Pipe::Control;
  end.line = syntax.insts.empty() ? syntax.line : syntax.insts.back().line;
  end.text = "}";
  end.opcodeId = uint32_t(k.opcodeNames.size());
  k.opcodeNames.push_back("exit");
  k.code.push_back(end);
  k.firstConstSlot = k.numSlots;
  for (Operand &o : k.operands)
    if (o.isConst())
      o.slot = k.firstConstSlot;
  k.numSlots += 1;
  k.slotNames.push_back("a constant");
  k.info.instructions = syntax.insts.size();
  computeReconvergence(k);
  return true;
}
