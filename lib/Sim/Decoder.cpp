//===- Decoder.cpp - From syntax to instructions -------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Decoder.h"

#include "Exec.h"

#include <algorithm>

using namespace mxfp4::sim;

bool mxfp4::sim::decodeKernel(const AstKernel &Ast,
                              const std::vector<Variable> &Globals, Kernel &K,
                              ErrorList &Errors) {
  return Decoder(Ast, Globals, K, Errors).run();
}

//===----------------------------------------------------------------------===//
// Modifiers
//===----------------------------------------------------------------------===//

bool Decoder::take(std::string_view Name) {
  auto It = std::find(Mods.begin() + 1, Mods.end(), Name);
  if (It == Mods.end())
    return false;
  Mods.erase(It);
  return true;
}

bool Decoder::takePrefix(std::string_view Prefix, std::string_view *Whole) {
  for (size_t J = 1; J < Mods.size(); ++J)
    if (Mods[J].substr(0, Prefix.size()) == Prefix) {
      if (Whole)
        *Whole = Mods[J];
      Mods.erase(Mods.begin() + J);
      return true;
    }
  return false;
}

Ty Decoder::takeType() {
  for (size_t J = 1; J < Mods.size(); ++J)
    if (Ty T = parseType(Mods[J]); T != Ty::None) {
      Mods.erase(Mods.begin() + J);
      return T;
    }
  return Ty::None;
}

int Decoder::takeOneOf(std::initializer_list<const char *> Names, int Default) {
  int Index = 0;
  for (const char *Name : Names) {
    if (take(Name))
      return Index;
    ++Index;
  }
  return Default;
}

bool Decoder::fail(std::string Message) {
  Errors.error(Cur->Line, std::move(Message), Cur->Text);
  Failed = true;
  return false;
}

bool Decoder::expectOps(size_t Min, size_t Max) {
  size_t N = ops().size();
  if (N >= Min && N <= Max)
    return true;
  std::string Wanted =
      Min == Max ? plural(Min, "operand")
                 : std::to_string(Min) + " to " + plural(Max, "operand");
  return fail(std::string(base()) + " takes " + Wanted + ", found " +
              std::to_string(N));
}

//===----------------------------------------------------------------------===//
// The walk
//===----------------------------------------------------------------------===//

void Decoder::place(const Variable &V, uint64_t &Shared, uint64_t &Local) {
  const uint64_t Mask = V.Align - 1;
  uint64_t Address = V.Address;
  if (V.Where == Space::Shared) {
    if (V.Extern)
      return;
    Address = Shared = (Shared + Mask) & ~Mask;
    Shared += V.Size;
  } else if (V.Where == Space::Local || V.Where == Space::Param) {
    // Of each thread; a parameter of a call has a generic address.
    Local = (Local + Mask) & ~Mask;
    Address = Local + 16 + (V.Where == Space::Param ? LocalWindow : 0);
    Local += V.Size;
  }
  Symbols.insert({{V.Scope, V.Name}, Address});
}

/// Shared variables get the same addresses in every launch: static ones in
/// order, then the dynamic part.
bool Decoder::layoutVariables() {
  uint64_t Shared = SharedBase, Local = 0;
  uint32_t DynamicAlign = 16;
  for (const std::vector<Variable> *List : {&Ast.Variables, &Globals})
    for (const Variable &V : *List) {
      place(V, Shared, Local);
      if (V.Where == Space::Shared && V.Extern)
        DynamicAlign = std::max(DynamicAlign, V.Align);
    }
  uint64_t Mask = DynamicAlign - 1;
  Shared = (Shared + Mask) & ~Mask;
  for (const std::vector<Variable> *List : {&Ast.Variables, &Globals})
    for (const Variable &V : *List)
      if (V.Where == Space::Shared && V.Extern)
        Symbols.insert({{V.Scope, V.Name}, Shared});
  // Parameters are known in the outermost scope of the body.
  for (const KernelInfo::Param &P : Ast.Info.Params)
    Symbols.insert({{0, P.Name}, ParamWindow + P.Offset});
  // A caller's variables come before what its callees call them.
  for (const Alias &A : Ast.Aliases)
    if (const uint64_t *Address = findSymbol(A.TargetScope, A.Target))
      Symbols.insert({{A.Scope, A.Name}, *Address});
  if (Shared > SharedBase + MaxShared || Local > (64 << 10)) {
    Errors.error(Ast.Line, "kernel " + Ast.Info.Name +
                               " declares more shared or local memory than a "
                               "block or a thread can have");
    return false;
  }
  K.StaticShared = uint32_t(Shared - SharedBase);
  K.DynamicAlign = DynamicAlign;
  K.LocalBytes = uint32_t(Local);
  return true;
}

/// What is not supported may not be reached.
void Decoder::decodeUnsupported(const AstInst &A) {
  I = Inst();
  Dsts.clear();
  Srcs.clear();
  Mods.clear();
  if (A.HasGuard) {
    I.Guard = regOperand(A.GuardReg);
    I.Flags |= Inst::HasGuard | (A.GuardNot ? Inst::GuardNot : 0);
  }
  I.Fn = execUnsupported;
  I.Flags |= Inst::Control;
  I.P = Pipe::Control;
  I.A = uint32_t(K.Unsupported.size());
  K.Unsupported.push_back(A.Unsupported);
}

bool Decoder::decodeImplicitDef(const AstInst &A) {
  I = Inst();
  Dsts.clear();
  Srcs.clear();
  Dsts.push_back(regOperand(A.GuardReg));
  I.Fn = execImplicitDef;
  return true;
}

bool Decoder::decodeOne(const AstInst &A) {
  Cur = &A;
  if (A.ImplicitDef)
    return decodeImplicitDef(A);
  if (!A.Unsupported.empty()) {
    decodeUnsupported(A);
    return true;
  }
  I = Inst();
  Dsts.clear();
  Srcs.clear();
  Mods.clear();
  for (size_t At = 0; At <= A.Opcode.size();) {
    size_t Dot = std::min(A.Opcode.find('.', At), A.Opcode.size());
    Mods.push_back(A.Opcode.substr(At, Dot - At));
    At = Dot + 1;
  }
  if (A.HasGuard) {
    I.Guard = regOperand(A.GuardReg);
    I.Flags |= Inst::HasGuard | (A.GuardNot ? Inst::GuardNot : 0);
  }
  DecodeFn Family = findFamily(Mods[0]);
  if (!Family)
    return fail("instruction " + std::string(A.Opcode) +
                " is not known to the interpreter");
  if (!Family(*this))
    return false;
  // Those with a carry leave more behind than their destination.
  const bool UsesCarry = base() == "addc" || base() == "subc" ||
                         A.Opcode.find(".cc") != A.Opcode.npos;
  for (DecodeFn Pure : {decodeInteger, decodeBits, decodeFloat, decodeCompare,
                        decodeConvert, decodeMove})
    if (Family == Pure && !UsesCarry && !(I.Flags & Inst::Control))
      I.Flags |= Inst::Pure;
  if (Mods.size() > 1)
    return fail("modifier ." + std::string(Mods[1]) + " of " +
                std::string(A.Opcode) + " is not supported");
  if (!I.Fn)
    return fail("this form of " + std::string(A.Opcode) +
                " is not known to the interpreter");
  return true;
}

bool Decoder::run() {
  K.Info = Ast.Info;
  K.MaxRegisters = Ast.MaxRegisters;
  RegOperands.resize(Ast.Regs.size());
  for (Operand &O : RegOperands)
    O.Slot = ~0u;
  if (!layoutVariables())
    return false;
  K.Info.StaticShared = K.StaticShared;
  for (const KernelInfo::Param &P : Ast.Info.Params)
    K.ParamBytes = std::max(K.ParamBytes, P.Offset + P.Size);
  for (const AstInst &A : Ast.Insts) {
    if (!decodeOne(A)) {
      if (Errors.tooMany())
        return false;
      continue;
    }
    I.Line = A.Line;
    I.Text = A.ImplicitDef ? std::string_view("// implicit-def") : A.Text;
    auto [Id, New] = OpcodeIds.insert(
        {std::string(A.ImplicitDef ? "implicit-def" : A.Opcode),
         uint32_t(K.OpcodeNames.size())});
    if (New)
      K.OpcodeNames.push_back(Id->first);
    I.OpcodeId = Id->second;
    I.Ops = uint32_t(K.Operands.size());
    I.NumDst = uint16_t(Dsts.size());
    I.NumSrc = uint16_t(Srcs.size());
    K.Operands.insert(K.Operands.end(), Dsts.begin(), Dsts.end());
    K.Operands.insert(K.Operands.end(), Srcs.begin(), Srcs.end());
    K.Code.push_back(I);
    if (K.RegBytes > (64u << 20) || K.ConstData.size() > (64u << 20)) {
      Errors.error(A.Line, "kernel " + Ast.Info.Name +
                               " uses more registers than the interpreter "
                               "holds (64 MiB a warp)");
      return false;
    }
  }
  if (Failed)
    return false;
  // A jump past the last instruction, and falling off the end, mean exit.
  Inst End;
  End.Fn = execExit;
  End.Flags = Inst::Control;
  End.P = Pipe::Control;
  End.Line = Ast.Insts.empty() ? Ast.Line : Ast.Insts.back().Line;
  End.Text = "}";
  End.OpcodeId = uint32_t(K.OpcodeNames.size());
  K.OpcodeNames.push_back("exit");
  K.Code.push_back(End);
  K.FirstConstSlot = K.NumSlots;
  for (Operand &O : K.Operands)
    if (O.isConst())
      O.Slot = K.FirstConstSlot;
  K.NumSlots += 1;
  K.SlotNames.push_back("a constant");
  K.Info.Instructions = Ast.Insts.size();
  computeReconvergence(K);
  return true;
}
