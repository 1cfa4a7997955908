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
Ty parseType(std::string_view name);
unsigned typeBits(Ty t); ///< Pred has 1.
bool isSigned(Ty t);
bool isFloat(Ty t);

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
  Kind k = Sink;
  bool negated = false; ///< "!%p1"
  uint32_t regId = 0;
  uint64_t value = 0;
  int64_t offset = 0;            ///< Addr: "[base+offset]"
  std::string_view text;         ///< Name
  std::vector<AstOperand> elems; ///< Vec, Pair, Addr (base, then coordinates)
};

struct AstInst {
  std::string_view opcode; ///< Whole, with dots.
  std::vector<AstOperand> ops;
  /// Not empty: executing it is an error, and this says why.
  std::string unsupported;
  bool hasGuard = false, guardNot = false;
  bool implicitDef = false;
  uint32_t guardReg = 0;
  uint32_t line = 0;
  uint32_t scope = 0;
  std::string_view text; ///< From opcode (or guard) to semicolon.
};

struct RegInfo {
  std::string name;
  Ty type;
};

/// Scope 0 is a body's outermost; the module's is outside of all.
constexpr uint32_t kModuleScope = ~0u;

/// A variable of the module or of a body: .shared, .global, .const, .local, and
/// .param in a body, which is memory of the thread.
struct Variable {
  std::string name;
  uint32_t scope = kModuleScope;
  Space where = Space::Global;
  uint32_t align = 1;
  uint64_t size = 0;
  bool isExtern = false; ///< .extern .shared: the dynamic part.
  std::vector<uint8_t> init;
  uint64_t address = 0; ///< Assigned by layout.
};

/// What a name means depends on the scope that has it.
struct LabelKey {
  uint32_t scope;
  std::string_view name;
  bool operator<(const LabelKey &o) const {
    return scope != o.scope ? scope < o.scope : name < o.name;
  }
};

//===----------------------------------------------------------------------===//
// Decoded form
//===----------------------------------------------------------------------===//

/// Where an operand's lanes are, and which entry of the warp's state table
/// says whether they hold a value.
struct Operand {
  static constexpr uint32_t kConstBit = 1u << 31;
  static constexpr uint32_t kWideBit = 1, kPredBit = 2, kNotBit = 4;
  uint32_t off = 0; ///< Multiple of 64, plus the bits above.
  uint32_t slot = 0;
  bool isConst() const { return off & kConstBit; }
  bool isWide() const { return off & kWideBit; }
  bool isPred() const { return off & kPredBit; }
  bool isNot() const { return off & kNotBit; }
  uint32_t offset() const { return off & ~(kConstBit | 63u); }
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
  ExecFn fn = nullptr;
  uint32_t ops = 0; ///< First operand in Kernel::operands.
  uint16_t numDst = 0, numSrc = 0;
  uint16_t flags = 0;
  Pipe p = Pipe::Other;
  Ty t = Ty::None, t2 = Ty::None;
  Space s = Space::Generic;
  uint8_t vec = 1;  ///< Vector length of loads and stores.
  uint8_t sub = 0;  ///< Comparison, rounding, atomic operation, ...
  uint8_t mods = 0; ///< Modifier bits; meaning belongs to the function.
  uint8_t mods2 = 0;
  Operand guard;
  int64_t imm = 0;              ///< Address offset, or an immediate.
  uint32_t a = 0, b = 0, c = 0; ///< More immediates; branch target in a.
  uint32_t line = 0;
  uint32_t opcodeId = 0; ///< Index into Kernel::opcodeNames.
  std::string_view text;
};

struct Kernel {
  KernelInfo info;
  std::vector<Inst> code;
  std::vector<Operand> operands;
  std::vector<uint32_t> targets; ///< Of brx.idx.
  /// Reconvergence point of the branch at each pc (code.size(): at exit).
  std::vector<uint32_t> reconverge;
  std::vector<std::string> opcodeNames;
  uint32_t regBytes = 0, numSlots = 0, firstConstSlot = 0;
  std::vector<uint8_t> constData; ///< Lanes of the immediates.
  std::vector<std::string> slotNames;
  /// Registers set at the start: (number of the special register, where).
  std::vector<std::pair<unsigned, Operand>> specials;
  /// Why the kernel cannot be launched; empty for one that can.
  std::vector<Diagnostic> errors;
  /// What instructions say that the interpreter does not execute.
  std::vector<std::string> unsupported;
  uint32_t paramBytes = 0, localBytes = 0, staticShared = 0;
  uint32_t dynamicAlign = 16;
  uint32_t maxRegisters = 0; ///< .maxnreg
};

struct ModuleImpl {
  std::string text, name;
  std::vector<Kernel> kernels;
  std::vector<KernelInfo> infos;
  /// Module-scope .global and .const variables, with addresses from
  /// VariableBase on.
  std::vector<Variable> variables;
  unsigned versionMajor = 0, versionMinor = 0;
};

/// Windows of the simulated address space.
constexpr uint64_t kSharedWindow = 0x0000700000000000;
constexpr uint64_t kLocalWindow = 0x0000710000000000;
constexpr uint64_t kParamWindow = 0x0000720000000000;
constexpr uint64_t kVariableBase = 0x00007e0000000000;
constexpr uint64_t kBufferBase = 0x00007f0000000000;
constexpr uint64_t kWindowSize = uint64_t(1) << 32;
/// The chip keeps the first KiB of shared memory for itself, so a null shared
/// address is an error here too.
constexpr uint32_t kSharedBase = 1024;
constexpr uint32_t kMaxShared = 227 * 1024;
/// mapa gives an address of another block: rank + 1 in bits 24 and up.
constexpr unsigned kRankShift = 24;

//===----------------------------------------------------------------------===//
// Building
//===----------------------------------------------------------------------===//

/// A parameter or a result of a device function: a .param, or a register.
struct Formal {
  KernelInfo::Param p;
  Ty type = Ty::None;
  bool isReg = false;
  uint32_t regId = 0;
};

/// A name that stands for a variable of another scope: what a device function
/// calls its parameter, and its caller by another name.
struct Alias {
  uint32_t scope;
  std::string_view name;
  uint32_t targetScope;
  std::string_view target;
};

/// A kernel as the parser hands it to the decoder, or a device function.
struct AstKernel {
  KernelInfo info;
  std::vector<AstInst> insts;
  std::vector<RegInfo> regs;
  std::map<LabelKey, uint32_t> labels;
  std::map<LabelKey, std::vector<std::string_view>> branchTables;
  std::vector<uint32_t> scopeParent; ///< Of the outermost: ModuleScope.
  std::vector<Variable> variables;   ///< Its own.
  std::vector<Alias> aliases;
  std::vector<Formal> results, formals; ///< Of a device function.
  /// Why it cannot be executed.
  std::vector<Diagnostic> errors;
  bool hasCalls = false;
  uint32_t maxRegisters = 0;
  unsigned line = 0;
};

struct AstModule {
  std::vector<AstKernel> kernels;
  std::map<std::string, AstKernel, std::less<>> functions; ///< With a body.
  std::vector<Variable> variables;
  /// Directives of the module that were skipped.
  std::vector<Diagnostic> skipped;
  unsigned versionMajor = 0, versionMinor = 0;
};

class ErrorList {
public:
  ErrorList(std::vector<Diagnostic> &out, std::string file)
      : out(out), file(std::move(file)) {}
  void error(unsigned line, std::string message, std::string_view inst = {});
  /// What another list has found.
  void add(const std::vector<Diagnostic> &more);
  bool any() const { return count != 0; }
  /// Parsing stops after this number of errors.
  bool tooMany() const { return count >= 20; }

private:
  std::vector<Diagnostic> &out;
  std::string file;
  unsigned count = 0;
};

bool parsePtx(std::string_view text, AstModule &m, const std::string &file,
              ErrorList &errors);
/// Puts the bodies of device functions where they are called.
bool inlineCalls(const AstModule &m, AstKernel &k, ErrorList &errors);
bool decodeKernel(const AstKernel &ast, const std::vector<Variable> &globals,
                  Kernel &k, ErrorList &errors);
/// Fills Kernel::reconverge and the Reconverge flags.
void computeReconvergence(Kernel &k);

/// "32 bytes", "1 byte": for messages.
std::string plural(uint64_t n, const char *noun);
std::string hex(uint64_t value);

} // namespace mxfp4::sim

#endif // MXFP4_LIB_SIM_MODULE_H
