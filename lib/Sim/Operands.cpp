//===- Operands.cpp - Operands of an instruction -------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Decoder.h"

using namespace mxfp4::sim;

Operand Decoder::allocate(unsigned bits, std::string name) {
  Operand o;
  o.slot = k.numSlots++;
  o.off = k.regBytes;
  if (bits == 1)
    o.off |= Operand::kPredBit;
  if (bits == 64)
    o.off |= Operand::kWideBit;
  k.regBytes += bits == 1 ? 64 : bits == 64 ? 256 : 128;
  k.slotNames.push_back(std::move(name));
  return o;
}

Operand Decoder::regOperand(uint32_t id) {
  Operand &o = regOperands[id];
  if (o.slot == ~0u)
    o = allocate(typeBits(syntax.regs[id].type), syntax.regs[id].name);
  return o;
}

Operand Decoder::constant(uint64_t value, bool wide) {
  auto [It, New] = consts.insert({{value, wide}, Operand()});
  if (!New)
    return It->second;
  Operand o;
  o.slot = 0; // Fixed up in run(): one slot, always defined.
  o.off = uint32_t(k.constData.size()) | Operand::kConstBit |
          (wide ? Operand::kWideBit : 0);
  for (unsigned lane = 0; lane < 32; ++lane)
    for (unsigned b = 0; b < (wide ? 8u : 4u); ++b)
      k.constData.push_back(uint8_t(value >> (8 * b)));
  return It->second = o;
}

Operand Decoder::specialOperand(Special s) {
  auto [It, New] = specials.insert({s, Operand()});
  if (New) {
    It->second = allocate(32, "special register");
    k.specials.push_back({unsigned(s), It->second});
  }
  return It->second;
}

bool Decoder::special(std::string_view name, Special &s) const {
  static const std::map<std::string_view, Special> table = {
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
  auto it = table.find(name);
  if (it == table.end())
    return false;
  s = it->second;
  return true;
}

bool Decoder::checkWidth(Ty have, Ty want, bool allowWider,
                         const std::string &name) {
  unsigned h = typeBits(have), w = typeBits(want);
  bool good = h == w || (allowWider && h > w && h > 1 && w > 1);
  if ((h == 1) != (w == 1))
    good = false;
  if (good)
    return true;
  return fail("register " + name + " has " + plural(h, "bit") +
              "; this operand needs " + std::to_string(w));
}

bool Decoder::dst(const AstOperand &op, Ty t, bool allowWider) {
  if (op.k == AstOperand::Sink) {
    // Results nobody wants go to a register of their own.
    dsts.push_back(allocate(typeBits(t), "_"));
    return true;
  }
  if (op.k != AstOperand::Reg)
    return fail("a destination must be a register");
  if (!checkWidth(regType(op), t, allowWider, syntax.regs[op.regId].name))
    return false;
  dsts.push_back(regOperand(op.regId));
  return true;
}

void Decoder::srcConst(uint64_t value, bool wide) {
  srcs.push_back(constant(value, wide));
}

bool Decoder::src(const AstOperand &op, Ty t, bool allowWider) {
  unsigned bits = typeBits(t);
  switch (op.k) {
  case AstOperand::Reg: {
    if (!checkWidth(regType(op), t, allowWider, syntax.regs[op.regId].name))
      return false;
    Operand o = regOperand(op.regId);
    if (op.negated) {
      if (!o.isPred())
        return fail("'!' needs a predicate");
      o.off |= Operand::kNotBit;
    }
    srcs.push_back(o);
    return true;
  }
  case AstOperand::Int:
    if (bits == 1) {
      srcs.push_back(constant(op.value ? ~0u : 0, false));
      srcs.back().off |= Operand::kPredBit;
      return true;
    }
    srcConst(bits >= 64 ? op.value : op.value & ((uint64_t(1) << bits) - 1),
             bits == 64);
    return true;
  case AstOperand::F32:
  case AstOperand::F64: {
    uint64_t v = op.value;
    if (op.k == AstOperand::F64 && bits == 32) {
      double dbl;
      std::memcpy(&dbl, &v, 8);
      float f = float(dbl);
      uint32_t b;
      std::memcpy(&b, &f, 4);
      v = b;
    } else if (bits != (op.k == AstOperand::F32 ? 32u : 64u)) {
      return fail("a floating-point literal of the wrong width");
    }
    srcConst(v, bits == 64);
    return true;
  }
  case AstOperand::Name: {
    Special s;
    if (special(op.text, s)) {
      if (bits != 32)
        return fail("special register " + std::string(op.text) +
                    " has 32 bits; this operand needs " + std::to_string(bits));
      srcs.push_back(specialOperand(s));
      return true;
    }
    uint64_t address;
    if (!symbolAddress(op.text, address))
      return fail(std::string(op.text) +
                  " is not a register, special register or variable known "
                  "here");
    if (bits < 32)
      return fail("an address does not fit this operand");
    srcConst(address, bits == 64);
    return true;
  }
  default:
    return fail("expected a register or an immediate operand");
  }
}

bool Decoder::address(const AstOperand &op) {
  if (op.k != AstOperand::Addr || op.elems.empty())
    return fail("expected an address in brackets");
  const AstOperand &base = op.elems[0];
  i.imm = op.offset;
  if (base.k == AstOperand::Reg) {
    unsigned bits = typeBits(regType(base));
    if (bits != 32 && bits != 64)
      return fail("an address register must have 32 or 64 bits");
    return src(base, bits == 64 ? Ty::B64 : Ty::B32);
  }
  if (base.k == AstOperand::Name || base.k == AstOperand::Int)
    return src(base, Ty::B64);
  return fail("expected a register or a variable as address");
}

bool Decoder::addressInto(const AstOperand &op, uint32_t &offset) {
  int64_t keep = i.imm;
  if (!address(op))
    return false;
  offset = uint32_t(int32_t(i.imm));
  i.imm = keep;
  return true;
}

bool Decoder::immediate(const AstOperand &op, int64_t &value) {
  if (op.k != AstOperand::Int)
    return fail("expected an integer constant");
  value = int64_t(op.value);
  return true;
}

const uint64_t *Decoder::findSymbol(uint32_t scope,
                                    std::string_view name) const {
  while (true) {
    auto it = symbols.find({scope, name});
    if (it != symbols.end())
      return &it->second;
    if (scope == kModuleScope)
      return nullptr;
    scope = syntax.scopeParent[scope];
  }
}

bool Decoder::symbolAddress(std::string_view name, uint64_t &address) {
  const uint64_t *found = findSymbol(cur->scope, name);
  if (!found)
    return false;
  address = *found;
  return true;
}

bool Decoder::label(std::string_view name, uint32_t &target) {
  uint32_t scope = cur->scope;
  while (true) {
    auto it = syntax.labels.find({scope, name});
    if (it != syntax.labels.end()) {
      target = it->second;
      return true;
    }
    scope = syntax.scopeParent[scope];
    if (scope == kModuleScope)
      return fail("label " + std::string(name) + " is not defined");
  }
}

bool Decoder::branchTable(std::string_view name,
                          std::vector<uint32_t> &targets) {
  uint32_t scope = cur->scope;
  while (true) {
    auto it = syntax.branchTables.find({scope, name});
    if (it != syntax.branchTables.end()) {
      for (std::string_view l : it->second) {
        uint32_t t;
        if (!label(l, t))
          return false;
        targets.push_back(t);
      }
      return true;
    }
    scope = syntax.scopeParent[scope];
    if (scope == kModuleScope)
      return fail("branch table " + std::string(name) + " is not defined");
  }
}
