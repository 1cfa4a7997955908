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

class Decoder {
public:
  Decoder(const AstKernel &syntax, const std::vector<Variable> &globals,
          Kernel &k, ErrorList &errors)
      : syntax(syntax), globals(globals), k(k), errors(errors) {}
  bool run();

  // What families use.
  const AstInst &ast() const { return *cur; }
  const std::vector<AstOperand> &ops() const { return cur->ops; }
  std::string_view base() const { return mods[0]; }
  Inst i;

  /// Takes a modifier wherever it stands.
  bool take(std::string_view name);
  /// Takes the first modifier that starts with \p prefix.
  bool takePrefix(std::string_view prefix, std::string_view *whole = nullptr);
  /// Takes the first modifier that is a type.
  Ty takeType();
  /// Takes one of the names and gives its index, or \p default when none is
  /// there.
  int takeOneOf(std::initializer_list<const char *> names, int fallback);
  bool fail(std::string message);
  bool expectOps(size_t min, size_t max);

  bool dst(const AstOperand &op, Ty t, bool allowWider = false);
  bool src(const AstOperand &op, Ty t, bool allowWider = false);
  bool dstPred(const AstOperand &op) { return dst(op, Ty::Pred); }
  bool srcPred(const AstOperand &op) { return src(op, Ty::Pred); }
  /// All operands: destination and sources of these types, in order.
  bool operands(std::initializer_list<Ty> types);
  /// The address operand "[base+off]": base becomes a source, off goes to imm.
  bool address(const AstOperand &op);
  /// A second address, whose offset goes to \p offset.
  bool addressInto(const AstOperand &op, uint32_t &offset);
  bool immediate(const AstOperand &op, int64_t &value);
  /// A compile-time constant as a source operand.
  void srcConst(uint64_t value, bool wide);
  bool symbolAddress(std::string_view name, uint64_t &address);
  bool label(std::string_view name, uint32_t &target);
  bool branchTable(std::string_view name, std::vector<uint32_t> &targets);
  bool isReg(const AstOperand &op) const { return op.k == AstOperand::Reg; }
  Ty regType(const AstOperand &op) const { return syntax.regs[op.regId].type; }
  bool special(std::string_view name, Special &s) const;
  Kernel &kernel() { return k; }

private:
  const AstKernel &syntax;
  const std::vector<Variable> &globals; ///< Of the module.
  Kernel &k;
  ErrorList &errors;
  const AstInst *cur = nullptr;
  std::vector<std::string_view> mods; ///< Base first.
  std::vector<Operand> regOperands;   ///< By register id; slot ~0: none yet.
  std::map<std::pair<uint64_t, bool>, Operand> consts;
  std::map<Special, Operand> specials;
  std::map<std::string, uint32_t> opcodeIds;
  std::vector<Operand> dsts, srcs;
  bool failed = false;

  bool layoutVariables();
  void place(const Variable &v, uint64_t &shared, uint64_t &local);
  const uint64_t *findSymbol(uint32_t scope, std::string_view name) const;
  void decodeUnsupported(const AstInst &a);
  bool decodeOne(const AstInst &a);
  bool decodeImplicitDef(const AstInst &a);
  Operand regOperand(uint32_t id);
  Operand constant(uint64_t value, bool wide);
  Operand specialOperand(Special s);
  Operand allocate(unsigned bits, std::string name);
  bool checkWidth(Ty have, Ty want, bool allowWider, const std::string &name);
  std::map<LabelKey, uint64_t> symbols;
};

// Families; each returns false after Decoder::fail.
bool decodeInteger(Decoder &d);
bool decodeBits(Decoder &d);
bool decodeFields(Decoder &d);
bool decodeFloat(Decoder &d);
bool decodeCompare(Decoder &d);
bool decodeConvert(Decoder &d);
bool decodeMove(Decoder &d);
bool decodeControl(Decoder &d);
bool decodeWarpOp(Decoder &d);
bool decodeLoadStore(Decoder &d);
bool decodeAtomic(Decoder &d);
bool decodeFence(Decoder &d);
bool decodeBarrier(Decoder &d);
bool decodeMbarrier(Decoder &d);
bool decodeCpAsync(Decoder &d);
bool decodeBulk(Decoder &d);
/// The operand of both forms of wait_group: how many groups may be in flight.
bool decodeGroupCount(Decoder &d);
bool decodeStoreAsync(Decoder &d);
bool decodeMatrixMove(Decoder &d);
bool decodeMma(Decoder &d);
bool decodeWgmma(Decoder &d);

/// What a matrix instruction multiplies, if it is something that is not
/// executed: "FP8 (e4m3, e5m2)". Empty for others.
std::string foreignOperands(std::string_view opcode);

using DecodeFn = bool (*)(Decoder &);
/// The family of an opcode's first word; null when it is unknown.
DecodeFn findFamily(std::string_view base);

} // namespace mxfp4::sim

#endif // MXFP4_LIB_SIM_DECODER_H
