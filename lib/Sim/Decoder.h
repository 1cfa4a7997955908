//===- Decoder.h - From syntax to executable instructions -------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One function per family of opcodes fills in an Inst: it takes the modifiers
// that it knows, in any order, and adds destination and source operands. What
// it leaves over is an error that names the modifier, so that nothing is ever
// ignored by accident.
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_LIB_SIM_DECODER_H
#define MXFP4_LIB_SIM_DECODER_H

#include "Module.h"

namespace mxfp4::sim {

/// Registers that the machine sets when a warp starts.
enum class Special : uint8_t {
  TidX,
  TidY,
  TidZ,
  NTidX,
  NTidY,
  NTidZ,
  CtaX,
  CtaY,
  CtaZ,
  NCtaX,
  NCtaY,
  NCtaZ,
  LaneId,
  WarpId,
  NWarpId,
  WarpSize,
  LaneEq,
  LaneLt,
  LaneLe,
  LaneGt,
  LaneGe,
  ClusterX,
  ClusterY,
  ClusterZ,
  NClusterX,
  NClusterY,
  NClusterZ,
  ClusterCtaX,
  ClusterCtaY,
  ClusterCtaZ,
  ClusterNCtaX,
  ClusterNCtaY,
  ClusterNCtaZ,
  ClusterCtaRank,
  ClusterNCtaRank,
  SmId,
  NSmId,
  GridId,
  DynamicSmem,
  TotalSmem,
  IsExplicitCluster,
  Count
};

/// Where the launch finds the special registers that a kernel uses.
struct SpecialSlot {
  Special S;
  Operand O;
};

class Decoder {
public:
  Decoder(const AstKernel &Ast, const std::vector<Variable> &Globals, Kernel &K,
          ErrorList &Errors)
      : Ast(Ast), Globals(Globals), K(K), Errors(Errors) {}
  bool run();

  // What families use.
  const AstInst &ast() const { return *Cur; }
  const std::vector<AstOperand> &ops() const { return Cur->Ops; }
  std::string_view base() const { return Mods[0]; }
  Inst I;

  /// Takes a modifier wherever it stands.
  bool take(std::string_view Name);
  /// Takes the first modifier that starts with \p Prefix.
  bool takePrefix(std::string_view Prefix, std::string_view *Whole = nullptr);
  /// Takes the first modifier that is a type.
  Ty takeType();
  /// Takes one of the names and gives its index, or \p Default when none is
  /// there.
  int takeOneOf(std::initializer_list<const char *> Names, int Default);
  bool fail(std::string Message);
  bool expectOps(size_t Min, size_t Max);

  bool dst(const AstOperand &Op, Ty T, bool AllowWider = false);
  bool src(const AstOperand &Op, Ty T, bool AllowWider = false);
  bool dstPred(const AstOperand &Op) { return dst(Op, Ty::Pred); }
  bool srcPred(const AstOperand &Op) { return src(Op, Ty::Pred); }
  /// The address operand "[base+off]": base becomes a source, off goes to Imm.
  bool address(const AstOperand &Op);
  /// A second address, whose offset goes to \p Offset.
  bool addressInto(const AstOperand &Op, uint32_t &Offset);
  bool immediate(const AstOperand &Op, int64_t &Value);
  /// A compile-time constant as a source operand.
  void srcConst(uint64_t Value, bool Wide);
  bool symbolAddress(std::string_view Name, uint64_t &Address);
  bool label(std::string_view Name, uint32_t &Target);
  bool branchTable(std::string_view Name, std::vector<uint32_t> &Targets);
  bool isReg(const AstOperand &Op) const { return Op.K == AstOperand::Reg; }
  Ty regType(const AstOperand &Op) const { return Ast.Regs[Op.RegId].Type; }
  bool special(std::string_view Name, Special &S) const;
  Kernel &kernel() { return K; }

private:
  const AstKernel &Ast;
  const std::vector<Variable> &Globals; ///< Of the module.
  Kernel &K;
  ErrorList &Errors;
  const AstInst *Cur = nullptr;
  std::vector<std::string_view> Mods; ///< Base first.
  std::vector<Operand> RegOperands;   ///< By register id; Slot ~0: none yet.
  std::map<std::pair<uint64_t, bool>, Operand> Consts;
  std::map<Special, Operand> Specials;
  std::map<std::string, uint32_t> OpcodeIds;
  std::vector<Operand> Dsts, Srcs;
  bool Failed = false;

  bool layoutVariables();
  void place(const Variable &V, uint64_t &Shared, uint64_t &Local);
  const uint64_t *findSymbol(uint32_t Scope, std::string_view Name) const;
  void decodeUnsupported(const AstInst &A);
  bool decodeOne(const AstInst &A);
  bool decodeImplicitDef(const AstInst &A);
  Operand regOperand(uint32_t Id);
  Operand constant(uint64_t Value, bool Wide);
  Operand specialOperand(Special S);
  Operand allocate(unsigned Bits, std::string Name);
  bool checkWidth(Ty Have, Ty Want, bool AllowWider, const std::string &Name);
  std::map<LabelKey, uint64_t> Symbols;
};

// Families; each returns false after Decoder::fail.
bool decodeInteger(Decoder &D);
bool decodeBits(Decoder &D);
bool decodeFloat(Decoder &D);
bool decodeCompare(Decoder &D);
bool decodeConvert(Decoder &D);
bool decodeMove(Decoder &D);
bool decodeControl(Decoder &D);
bool decodeWarpOp(Decoder &D);
bool decodeLoadStore(Decoder &D);
bool decodeAtomic(Decoder &D);
bool decodeFence(Decoder &D);
bool decodeBarrier(Decoder &D);
bool decodeMbarrier(Decoder &D);
bool decodeCpAsync(Decoder &D);
bool decodeBulk(Decoder &D);
bool decodeStoreAsync(Decoder &D);
bool decodeMatrixMove(Decoder &D);
bool decodeMma(Decoder &D);
bool decodeWgmma(Decoder &D);

/// What a matrix instruction multiplies, if it is something that is not
/// executed: "FP8 (e4m3, e5m2)". Empty for others.
std::string foreignOperands(std::string_view Opcode);

using DecodeFn = bool (*)(Decoder &);
/// The family of an opcode's first word; null when it is unknown.
DecodeFn findFamily(std::string_view Base);

} // namespace mxfp4::sim

#endif // MXFP4_LIB_SIM_DECODER_H
