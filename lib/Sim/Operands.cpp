//===- Operands.cpp - Operands of an instruction -------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Decoder.h"

using namespace mxfp4::sim;

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

const uint64_t *Decoder::findSymbol(uint32_t Scope,
                                    std::string_view Name) const {
  while (true) {
    auto It = Symbols.find({Scope, Name});
    if (It != Symbols.end())
      return &It->second;
    if (Scope == ModuleScope)
      return nullptr;
    Scope = Ast.ScopeParent[Scope];
  }
}

bool Decoder::symbolAddress(std::string_view Name, uint64_t &Address) {
  const uint64_t *Found = findSymbol(Cur->Scope, Name);
  if (!Found)
    return false;
  Address = *Found;
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
    Scope = Ast.ScopeParent[Scope];
    if (Scope == ModuleScope)
      return fail("label " + std::string(Name) + " is not defined");
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
    Scope = Ast.ScopeParent[Scope];
    if (Scope == ModuleScope)
      return fail("branch table " + std::string(Name) + " is not defined");
  }
}
