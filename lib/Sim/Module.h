//===- Module.h - Parsed and decoded PTX ------------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Two forms of a kernel. The parser makes a list of AstInst, with registers
// resolved and labels by name; the decoder turns each into an Inst, which names
// a function that executes it and operands that are offsets into a warp's
// register file. One register occupies 32 lanes side by side:
//
//   predicates        one 32-bit mask (a 64-byte slot)
//   up to 32 bits     uint32_t[32]
//   64 bits           uint64_t[32]
//
// Immediates live in a constant part of the same shape, so that an operand is
// one pointer however it is written.
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_LIB_SIM_MODULE_H
#define MXFP4_LIB_SIM_MODULE_H

#include "mxfp4/Sim/Sim.h"

#include <cstring>
#include <map>
#include <unordered_map>

namespace mxfp4::sim {

enum class Ty : uint8_t {
  None,
  Pred,
  B8,
  B16,
  B32,
  B64,
  B128,
  U8,
  U16,
  U32,
  U64,
  S8,
  S16,
  S32,
  S64,
  F16,
  BF16,
  F16x2,
  BF16x2,
  F32,
  F64,
  TF32,
  E4M3x2,
  E5M2x2
};

/// Type by its PTX spelling without the dot; Ty::None when there is none.
Ty parseType(std::string_view Name);
unsigned typeBits(Ty T); ///< Pred has 1.
bool isSigned(Ty T);
bool isFloat(Ty T);

enum class Space : uint8_t {
  Generic,
  Global,
  Shared,
  SharedCluster,
  Const,
  Param,
  Local
};

//===----------------------------------------------------------------------===//
// Syntax
//===----------------------------------------------------------------------===//

struct AstOperand {
  enum Kind : uint8_t { Reg, Name, Int, F32, F64, Vec, Addr, Sink, Pair };
  Kind K = Sink;
  bool Not = false; ///< "!%p1"
  uint32_t RegId = 0;
  uint64_t Value = 0;
  int64_t Offset = 0;            ///< Addr: "[base+offset]"
  std::string_view Text;         ///< Name
  std::vector<AstOperand> Elems; ///< Vec, Pair, Addr (base, then coordinates)
};

struct AstInst {
  std::string_view Opcode; ///< Whole, with dots.
  std::vector<AstOperand> Ops;
  /// Not empty: executing it is an error, and this says why.
  std::string Unsupported;
  bool HasGuard = false, GuardNot = false;
  bool ImplicitDef = false;
  uint32_t GuardReg = 0;
  uint32_t Line = 0;
  uint32_t Scope = 0;
  std::string_view Text; ///< From opcode (or guard) to semicolon.
};

struct RegInfo {
  std::string Name;
  Ty Type;
};

/// Scope 0 is a body's outermost; the module's is outside of all.
constexpr uint32_t ModuleScope = ~0u;

/// A variable of the module or of a body: .shared, .global, .const, .local, and
/// .param in a body, which is memory of the thread.
struct Variable {
  std::string Name;
  uint32_t Scope = ModuleScope;
  Space Where = Space::Global;
  uint32_t Align = 1;
  uint64_t Size = 0;
  bool Extern = false; ///< .extern .shared: the dynamic part.
  std::vector<uint8_t> Init;
  uint64_t Address = 0; ///< Assigned by layout.
};

/// What a name means depends on the scope that has it.
struct LabelKey {
  uint32_t Scope;
  std::string_view Name;
  bool operator<(const LabelKey &O) const {
    return Scope != O.Scope ? Scope < O.Scope : Name < O.Name;
  }
};

//===----------------------------------------------------------------------===//
// Decoded form
//===----------------------------------------------------------------------===//

/// Where an operand's lanes are, and which entry of the warp's state table
/// says whether they hold a value.
struct Operand {
  static constexpr uint32_t ConstBit = 1u << 31;
  static constexpr uint32_t WideBit = 1, PredBit = 2, NotBit = 4;
  uint32_t Off = 0; ///< Multiple of 64, plus the bits above.
  uint32_t Slot = 0;
  bool isConst() const { return Off & ConstBit; }
  bool isWide() const { return Off & WideBit; }
  bool isPred() const { return Off & PredBit; }
  bool isNot() const { return Off & NotBit; }
  uint32_t offset() const { return Off & ~(ConstBit | 63u); }
};

struct Inst;
struct ExecContext;
using ExecFn = void (*)(ExecContext &, const Inst &);

/// What an instruction costs, for the report.
enum class Pipe : uint8_t {
  Alu,
  Fma,
  Fp64,
  Xu,
  Lsu,
  Control,
  Sync,
  Tensor,
  Copy,
  Other
};

struct Inst {
  enum Flag : uint16_t {
    /// Some branch reconverges here.
    Reconverge = 1,
    /// Changes the program counter, or may block: executed by itself.
    Control = 2,
    /// All lanes of the warp must execute it together.
    Aligned = 4,
    GuardNot = 8,
    HasGuard = 16,
    /// Sources may be undefined: the function passes that on (mov).
    NoDefCheck = 32,
    /// Has an .aligned form that needs all 32 lanes, exited or not.
    WholeWarp = 64,
    /// Does nothing but compute: the result of an undefined source is
    /// undefined.
    Pure = 128,
    /// Chooses source 0 or 1 by source 2.
    Select = 256,
    /// Source 0 may be undefined, and the function passes that on.
    PassesFirst = 512
  };
  ExecFn Fn = nullptr;
  uint32_t Ops = 0; ///< First operand in Kernel::Operands.
  uint16_t NumDst = 0, NumSrc = 0;
  uint16_t Flags = 0;
  Pipe P = Pipe::Other;
  Ty T = Ty::None, T2 = Ty::None;
  Space S = Space::Generic;
  uint8_t Vec = 1;  ///< Vector length of loads and stores.
  uint8_t Sub = 0;  ///< Comparison, rounding, atomic operation, ...
  uint8_t Mods = 0; ///< Modifier bits; meaning belongs to the function.
  uint8_t Mods2 = 0;
  Operand Guard;
  int64_t Imm = 0;              ///< Address offset, or an immediate.
  uint32_t A = 0, B = 0, C = 0; ///< More immediates; branch target in A.
  uint32_t Line = 0;
  uint32_t OpcodeId = 0; ///< Index into Kernel::OpcodeNames.
  std::string_view Text;
};

struct Kernel {
  KernelInfo Info;
  std::vector<Inst> Code;
  std::vector<Operand> Operands;
  std::vector<uint32_t> Targets; ///< Of brx.idx.
  /// Reconvergence point of the branch at each pc (Code.size(): at exit).
  std::vector<uint32_t> Reconverge;
  std::vector<std::string> OpcodeNames;
  uint32_t RegBytes = 0, NumSlots = 0, FirstConstSlot = 0;
  std::vector<uint8_t> ConstData; ///< Lanes of the immediates.
  std::vector<std::string> SlotNames;
  /// Registers set at the start: (number of the special register, where).
  std::vector<std::pair<unsigned, Operand>> Specials;
  /// Why the kernel cannot be launched; empty for one that can.
  std::vector<Diagnostic> Errors;
  /// What instructions say that the interpreter does not execute.
  std::vector<std::string> Unsupported;
  uint32_t ParamBytes = 0, LocalBytes = 0, StaticShared = 0;
  uint32_t DynamicAlign = 16;
  uint32_t MaxRegisters = 0; ///< .maxnreg
};

struct ModuleImpl {
  std::string Text, Name;
  std::vector<Kernel> Kernels;
  std::vector<KernelInfo> Infos;
  /// Module-scope .global and .const variables, with addresses from
  /// VariableBase on.
  std::vector<Variable> Variables;
  unsigned VersionMajor = 0, VersionMinor = 0;
};

/// Windows of the simulated address space.
constexpr uint64_t SharedWindow = 0x0000700000000000;
constexpr uint64_t LocalWindow = 0x0000710000000000;
constexpr uint64_t ParamWindow = 0x0000720000000000;
constexpr uint64_t VariableBase = 0x00007e0000000000;
constexpr uint64_t BufferBase = 0x00007f0000000000;
constexpr uint64_t WindowSize = uint64_t(1) << 32;
/// The chip keeps the first KiB of shared memory for itself, so a null shared
/// address is an error here too.
constexpr uint32_t SharedBase = 1024;
constexpr uint32_t MaxShared = 227 * 1024;
/// mapa gives an address of another block: rank + 1 in bits 24 and up.
constexpr unsigned RankShift = 24;

//===----------------------------------------------------------------------===//
// Building
//===----------------------------------------------------------------------===//

/// A parameter or a result of a device function: a .param, or a register.
struct Formal {
  KernelInfo::Param P;
  Ty Type = Ty::None;
  bool IsReg = false;
  uint32_t RegId = 0;
};

/// A name that stands for a variable of another scope: what a device function
/// calls its parameter, and its caller by another name.
struct Alias {
  uint32_t Scope;
  std::string_view Name;
  uint32_t TargetScope;
  std::string_view Target;
};

/// A kernel as the parser hands it to the decoder, or a device function.
struct AstKernel {
  KernelInfo Info;
  std::vector<AstInst> Insts;
  std::vector<RegInfo> Regs;
  std::map<LabelKey, uint32_t> Labels;
  std::map<LabelKey, std::vector<std::string_view>> BranchTables;
  std::vector<uint32_t> ScopeParent; ///< Of the outermost: ModuleScope.
  std::vector<Variable> Variables;   ///< Its own.
  std::vector<Alias> Aliases;
  std::vector<Formal> Results, Formals; ///< Of a device function.
  /// Why it cannot be executed.
  std::vector<Diagnostic> Errors;
  bool HasCalls = false;
  uint32_t MaxRegisters = 0;
  unsigned Line = 0;
};

struct AstModule {
  std::vector<AstKernel> Kernels;
  std::map<std::string, AstKernel, std::less<>> Functions; ///< With a body.
  std::vector<Variable> Variables;
  /// Directives of the module that were skipped.
  std::vector<Diagnostic> Skipped;
  unsigned VersionMajor = 0, VersionMinor = 0;
};

class ErrorList {
public:
  ErrorList(std::vector<Diagnostic> &Out, std::string File)
      : Out(Out), File(std::move(File)) {}
  void error(unsigned Line, std::string Message, std::string_view Inst = {});
  /// What another list has found.
  void add(const std::vector<Diagnostic> &More);
  bool any() const { return Count != 0; }
  /// Parsing stops after so many errors.
  bool tooMany() const { return Count >= 20; }

private:
  std::vector<Diagnostic> &Out;
  std::string File;
  unsigned Count = 0;
};

bool parsePtx(std::string_view Text, AstModule &M, const std::string &File,
              ErrorList &Errors);
/// Puts the bodies of device functions where they are called.
bool inlineCalls(const AstModule &M, AstKernel &K, ErrorList &Errors);
bool decodeKernel(const AstKernel &Ast, const std::vector<Variable> &Globals,
                  Kernel &K, ErrorList &Errors);
/// Fills Kernel::Reconverge and the Reconverge flags.
void computeReconvergence(Kernel &K);

/// "32 bytes", "1 byte": for messages.
std::string plural(uint64_t N, const char *Noun);
std::string hex(uint64_t Value);

} // namespace mxfp4::sim

#endif // MXFP4_LIB_SIM_MODULE_H
