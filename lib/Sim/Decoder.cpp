//===- Decoder.cpp - Operands, symbols and dispatch to families -*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Decoder.h"

#include "Exec.h"

#include <algorithm>

using namespace mxfp4::sim;

bool mxfp4::sim::decodeKernel(const AstKernel &Ast, Kernel &K,
                              ErrorList &Errors) {
  return Decoder(Ast, K, Errors).run();
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
// Operands
//===----------------------------------------------------------------------===//

Operand Decoder::allocate(unsigned Bits, std::string Name) {
  Operand O;
  O.Slot = K.NumSlots++;
  O.Off = K.RegBytes;
  if (Bits == 1)
    O.Off |= Operand::PredBit;
  if (Bits == 64)
    O.Off |= Operand::WideBit;
  K.RegBytes += Bits == 1 ? 64 : Bits == 64 ? 256 : 128;
  K.SlotNames.push_back(std::move(Name));
  return O;
}

Operand Decoder::regOperand(uint32_t Id) {
  Operand &O = RegOperands[Id];
  if (O.Slot == ~0u)
    O = allocate(typeBits(Ast.Regs[Id].Type), Ast.Regs[Id].Name);
  return O;
}

Operand Decoder::constant(uint64_t Value, bool Wide) {
  auto [It, New] = Consts.insert({{Value, Wide}, Operand()});
  if (!New)
    return It->second;
  Operand O;
  O.Slot = 0; // Fixed up in run(): one slot, always defined.
  O.Off = uint32_t(K.ConstData.size()) | Operand::ConstBit |
          (Wide ? Operand::WideBit : 0);
  for (unsigned Lane = 0; Lane < 32; ++Lane)
    for (unsigned B = 0; B < (Wide ? 8u : 4u); ++B)
      K.ConstData.push_back(uint8_t(Value >> (8 * B)));
  return It->second = O;
}

Operand Decoder::specialOperand(Special S) {
  auto [It, New] = Specials.insert({S, Operand()});
  if (New) {
    It->second = allocate(32, "special register");
    K.Specials.push_back({unsigned(S), It->second});
  }
  return It->second;
}

bool Decoder::special(std::string_view Name, Special &S) const {
  static const std::map<std::string_view, Special> Table = {
      {"%tid.x", Special::TidX},
      {"%tid.y", Special::TidY},
      {"%tid.z", Special::TidZ},
      {"%ntid.x", Special::NTidX},
      {"%ntid.y", Special::NTidY},
      {"%ntid.z", Special::NTidZ},
      {"%ctaid.x", Special::CtaX},
      {"%ctaid.y", Special::CtaY},
      {"%ctaid.z", Special::CtaZ},
      {"%nctaid.x", Special::NCtaX},
      {"%nctaid.y", Special::NCtaY},
      {"%nctaid.z", Special::NCtaZ},
      {"%laneid", Special::LaneId},
      {"%warpid", Special::WarpId},
      {"%nwarpid", Special::NWarpId},
      {"WARP_SZ", Special::WarpSize},
      {"%lanemask_eq", Special::LaneEq},
      {"%lanemask_lt", Special::LaneLt},
      {"%lanemask_le", Special::LaneLe},
      {"%lanemask_gt", Special::LaneGt},
      {"%lanemask_ge", Special::LaneGe},
      {"%clusterid.x", Special::ClusterX},
      {"%clusterid.y", Special::ClusterY},
      {"%clusterid.z", Special::ClusterZ},
      {"%nclusterid.x", Special::NClusterX},
      {"%nclusterid.y", Special::NClusterY},
      {"%nclusterid.z", Special::NClusterZ},
      {"%cluster_ctaid.x", Special::ClusterCtaX},
      {"%cluster_ctaid.y", Special::ClusterCtaY},
      {"%cluster_ctaid.z", Special::ClusterCtaZ},
      {"%cluster_nctaid.x", Special::ClusterNCtaX},
      {"%cluster_nctaid.y", Special::ClusterNCtaY},
      {"%cluster_nctaid.z", Special::ClusterNCtaZ},
      {"%cluster_ctarank", Special::ClusterCtaRank},
      {"%cluster_nctarank", Special::ClusterNCtaRank},
      {"%smid", Special::SmId},
      {"%nsmid", Special::NSmId},
      {"%gridid", Special::GridId},
      {"%dynamic_smem_size", Special::DynamicSmem},
      {"%total_smem_size", Special::TotalSmem},
  };
  auto It = Table.find(Name);
  if (It == Table.end())
    return false;
  S = It->second;
  return true;
}

bool Decoder::checkWidth(Ty Have, Ty Want, bool AllowWider,
                         const std::string &Name) {
  unsigned H = typeBits(Have), W = typeBits(Want);
  bool Good = H == W || (AllowWider && H > W && H > 1 && W > 1);
  if ((H == 1) != (W == 1))
    Good = false;
  if (Good)
    return true;
  return fail("register " + Name + " has " + plural(H, "bit") +
              "; this operand needs " + std::to_string(W));
}

bool Decoder::dst(const AstOperand &Op, Ty T, bool AllowWider) {
  if (Op.K == AstOperand::Sink) {
    // Results nobody wants go to a register of their own.
    Dsts.push_back(allocate(typeBits(T), "_"));
    return true;
  }
  if (Op.K != AstOperand::Reg)
    return fail("a destination must be a register");
  if (!checkWidth(regType(Op), T, AllowWider, Ast.Regs[Op.RegId].Name))
    return false;
  Dsts.push_back(regOperand(Op.RegId));
  return true;
}

void Decoder::srcConst(uint64_t Value, bool Wide) {
  Srcs.push_back(constant(Value, Wide));
}

bool Decoder::src(const AstOperand &Op, Ty T, bool AllowWider) {
  unsigned Bits = typeBits(T);
  switch (Op.K) {
  case AstOperand::Reg: {
    if (!checkWidth(regType(Op), T, AllowWider, Ast.Regs[Op.RegId].Name))
      return false;
    Operand O = regOperand(Op.RegId);
    if (Op.Not) {
      if (!O.isPred())
        return fail("'!' needs a predicate");
      O.Off |= Operand::NotBit;
    }
    Srcs.push_back(O);
    return true;
  }
  case AstOperand::Int:
    if (Bits == 1) {
      Srcs.push_back(constant(Op.Value ? ~0u : 0, false));
      Srcs.back().Off |= Operand::PredBit;
      return true;
    }
    srcConst(Bits >= 64 ? Op.Value : Op.Value & ((uint64_t(1) << Bits) - 1),
             Bits == 64);
    return true;
  case AstOperand::F32:
  case AstOperand::F64: {
    uint64_t V = Op.Value;
    if (Op.K == AstOperand::F64 && Bits == 32) {
      double Dbl;
      std::memcpy(&Dbl, &V, 8);
      float F = float(Dbl);
      uint32_t B;
      std::memcpy(&B, &F, 4);
      V = B;
    } else if (Bits != (Op.K == AstOperand::F32 ? 32u : 64u)) {
      return fail("a floating-point literal of the wrong width");
    }
    srcConst(V, Bits == 64);
    return true;
  }
  case AstOperand::Name: {
    Special S;
    if (special(Op.Text, S)) {
      if (Bits != 32)
        return fail("special register " + std::string(Op.Text) +
                    " has 32 bits; this operand needs " + std::to_string(Bits));
      Srcs.push_back(specialOperand(S));
      return true;
    }
    uint64_t Address;
    if (!symbolAddress(Op.Text, Address))
      return fail(std::string(Op.Text) +
                  " is not a register, special register or variable known "
                  "here");
    if (Bits < 32)
      return fail("an address does not fit this operand");
    srcConst(Address, Bits == 64);
    return true;
  }
  default:
    return fail("expected a register or an immediate operand");
  }
}

bool Decoder::address(const AstOperand &Op) {
  if (Op.K != AstOperand::Addr || Op.Elems.empty())
    return fail("expected an address in brackets");
  const AstOperand &Base = Op.Elems[0];
  I.Imm = Op.Offset;
  if (Base.K == AstOperand::Reg) {
    unsigned Bits = typeBits(regType(Base));
    if (Bits != 32 && Bits != 64)
      return fail("an address register must have 32 or 64 bits");
    return src(Base, Bits == 64 ? Ty::B64 : Ty::B32);
  }
  if (Base.K == AstOperand::Name || Base.K == AstOperand::Int)
    return src(Base, Ty::B64);
  return fail("expected a register or a variable as address");
}

bool Decoder::addressInto(const AstOperand &Op, uint32_t &Offset) {
  int64_t Keep = I.Imm;
  if (!address(Op))
    return false;
  Offset = uint32_t(int32_t(I.Imm));
  I.Imm = Keep;
  return true;
}

bool Decoder::immediate(const AstOperand &Op, int64_t &Value) {
  if (Op.K != AstOperand::Int)
    return fail("expected an integer constant");
  Value = int64_t(Op.Value);
  return true;
}

bool Decoder::symbolAddress(std::string_view Name, uint64_t &Address) {
  auto It = Symbols.find(std::string(Name));
  if (It == Symbols.end())
    return false;
  Address = It->second;
  for (const Variable &V : Ast.Variables)
    if (V.Extern && V.Name == Name)
      K.UsesDynamicShared = true;
  return true;
}

bool Decoder::label(std::string_view Name, uint32_t &Target) {
  uint32_t Scope = Cur->Scope;
  while (true) {
    auto It = Ast.Labels.find({Scope, Name});
    if (It != Ast.Labels.end()) {
      Target = It->second;
      return true;
    }
    if (Scope == 0)
      return fail("label " + std::string(Name) + " is not defined");
    Scope = Ast.ScopeParent[Scope];
  }
}

bool Decoder::branchTable(std::string_view Name,
                          std::vector<uint32_t> &Targets) {
  uint32_t Scope = Cur->Scope;
  while (true) {
    auto It = Ast.BranchTables.find({Scope, Name});
    if (It != Ast.BranchTables.end()) {
      for (std::string_view L : It->second) {
        uint32_t T;
        if (!label(L, T))
          return false;
        Targets.push_back(T);
      }
      return true;
    }
    if (Scope == 0)
      return fail("branch table " + std::string(Name) + " is not defined");
    Scope = Ast.ScopeParent[Scope];
  }
}

//===----------------------------------------------------------------------===//
// The walk
//===----------------------------------------------------------------------===//

/// Shared variables get the same addresses in every launch: static ones in
/// order, then the dynamic part.
bool Decoder::layoutVariables() {
  uint64_t Shared = SharedBase, Local = 0;
  uint32_t DynamicAlign = 16;
  for (const Variable &V : Ast.Variables) {
    uint64_t Mask = V.Align - 1;
    if (V.Where == Space::Shared && !V.Extern) {
      Shared = (Shared + Mask) & ~Mask;
      Symbols.insert({V.Name, Shared});
      Shared += V.Size;
    } else if (V.Where == Space::Shared) {
      DynamicAlign = std::max(DynamicAlign, V.Align);
    } else if (V.Where == Space::Local) {
      Local = (Local + Mask) & ~Mask;
      Symbols.insert({V.Name, Local + 16});
      Local += V.Size;
    } else {
      Symbols.insert({V.Name, V.Address});
    }
  }
  uint64_t Mask = DynamicAlign - 1;
  Shared = (Shared + Mask) & ~Mask;
  for (const Variable &V : Ast.Variables)
    if (V.Where == Space::Shared && V.Extern)
      Symbols.insert({V.Name, Shared});
  for (const KernelInfo::Param &P : Ast.Info.Params)
    Symbols.insert({P.Name, ParamWindow + P.Offset});
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
