//===- Inline.cpp - Device functions, where they are called ---------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A call becomes a copy of the function's body, with registers, scopes and
// variables of its own; ret becomes a branch behind the copy. So threads that
// part within a function meet again as they do anywhere (Cfg.cpp), and nothing
// else has to know of calls. Parameters in memory are variables of the caller,
// which the copy calls by its own names; a register that is passed for one, or
// the other way around, is stored before the call or loaded after it.
//
// What has no body here - a function of another module, one named by a
// register, one that calls itself - is an instruction that says so when a
// thread comes to it.
//
//===----------------------------------------------------------------------===//

#include "Module.h"

#include <algorithm>

using namespace mxfp4::sim;

namespace {

/// What all copies in one kernel have together, of instructions, registers,
/// scopes and variables; and calls within each other.
constexpr size_t MaxInlined = 1 << 19;
constexpr size_t MaxDepth = 64;
constexpr std::string_view Return = "(return)", Behind = "(behind the call)";

/// The parts of "call.uni (results), name, (arguments), prototype".
struct Call {
  const std::vector<AstOperand> *Results = nullptr, *Arguments = nullptr;
  const AstOperand *Callee = nullptr;

  explicit Call(const AstInst &I) {
    for (size_t J = 0; J < I.Ops.size(); ++J) {
      const AstOperand &O = I.Ops[J];
      if (O.K != AstOperand::Vec)
        Callee = Callee ? Callee : &O;
      else
        (Callee ? Arguments : Results) = &O.Elems;
    }
  }
};

class Inliner {
public:
  Inliner(const AstModule &M, AstKernel &K, ErrorList &Errors)
      : M(M), K(K), Errors(Errors) {}

  bool run() {
    AstKernel From = std::move(K);
    K = AstKernel();
    K.Info = From.Info;
    K.MaxRegisters = From.MaxRegisters;
    K.Line = From.Line;
    return append(From, 0);
  }

private:
  const AstModule &M;
  AstKernel &K;
  ErrorList &Errors;
  std::vector<std::string_view> Open; ///< Names of the functions being copied.
  std::map<const Variable *, uint32_t> Shared; ///< Scopes of first copies.
  size_t Inlined = 0;

  static void shift(AstOperand &O, uint32_t Regs) {
    O.RegId += Regs;
    for (AstOperand &E : O.Elems)
      shift(E, Regs);
  }

  /// What is the thread's is there for each copy; what is the block's or the
  /// module's, once.
  void declare(const Variable &V, uint32_t Scopes) {
    const uint32_t Scope = V.Scope + Scopes;
    if (V.Where != Space::Local && V.Where != Space::Param) {
      auto [First, New] = Shared.insert({&V, Scope});
      if (!New) {
        K.Aliases.push_back({Scope, V.Name, First->second, V.Name});
        return;
      }
    }
    K.Variables.push_back(V);
    K.Variables.back().Scope = Scope;
  }

  /// The body; its first scope and register get the next numbers of K.
  bool append(const AstKernel &F, size_t Depth) {
    const uint32_t Regs = uint32_t(K.Regs.size()),
                   Scopes = uint32_t(K.ScopeParent.size());
    if (Depth) {
      Inlined += 1 + F.Insts.size() + F.Regs.size() + F.ScopeParent.size() +
                 F.Variables.size();
      if (Inlined > MaxInlined) {
        Errors.error(K.Line, "the device functions that " + K.Info.Name +
                                 " calls are larger than the interpreter "
                                 "holds, which copies each where it is called");
        return false;
      }
    }
    K.Regs.insert(K.Regs.end(), F.Regs.begin(), F.Regs.end());
    for (uint32_t Parent : F.ScopeParent)
      K.ScopeParent.push_back(Parent == ModuleScope ? Parent : Parent + Scopes);
    for (const Variable &V : F.Variables)
      declare(V, Scopes);
    for (const auto &[Key, Table] : F.BranchTables)
      K.BranchTables[{Key.Scope + Scopes, Key.Name}] = Table;
    std::vector<uint32_t> Start;
    Start.reserve(F.Insts.size() + 1);
    for (const AstInst &From : F.Insts) {
      Start.push_back(uint32_t(K.Insts.size()));
      AstInst I = From;
      I.GuardReg += Regs;
      I.Scope += Scopes;
      for (AstOperand &O : I.Ops)
        shift(O, Regs);
      const std::string_view Base = I.Opcode.substr(0, I.Opcode.find('.'));
      if (Base == "call" && !I.ImplicitDef) {
        if (!call(std::move(I), Depth))
          return false;
        continue;
      }
      if (Base == "ret" && Depth && !I.ImplicitDef)
        jump(I, I.Opcode == "ret.uni" ? "bra.uni" : "bra", Return);
      K.Insts.push_back(std::move(I));
    }
    Start.push_back(uint32_t(K.Insts.size()));
    for (const auto &[Key, At] : F.Labels)
      K.Labels[{Key.Scope + Scopes, Key.Name}] = Start[At];
    return true;
  }

  static void jump(AstInst &I, std::string_view Opcode, std::string_view To) {
    AstOperand Target;
    Target.K = AstOperand::Name;
    Target.Text = To;
    I.Opcode = Opcode;
    I.Ops = {Target};
  }

  /// Why a call cannot be copied, or nothing.
  std::string obstacle(const Call &C, const AstKernel *F, size_t Depth) const {
    if (!C.Callee)
      return "expected the name of a device function after call";
    if (C.Callee->K != AstOperand::Name)
      return "calls through a register are not supported: the interpreter "
             "copies device functions where they are called by name";
    const std::string Name(C.Callee->Text);
    if (!F)
      return "call of " + Name +
             ", which has no body in this module: link it in, or leave the "
             "call out";
    if (!F->Errors.empty())
      return "call of " + Name +
             ", which the interpreter does not understand: "
             "line " +
             std::to_string(F->Errors[0].Line) + ": " + F->Errors[0].Message;
    if (Depth >= MaxDepth ||
        std::find(Open.begin(), Open.end(), C.Callee->Text) != Open.end())
      return "call of " + Name +
             ", which calls itself: the interpreter copies device functions "
             "where they are called, and cannot do so without end";
    const size_t Results = C.Results ? C.Results->size() : 0,
                 Arguments = C.Arguments ? C.Arguments->size() : 0;
    if (Results != F->Results.size() || Arguments != F->Formals.size())
      return "call of " + Name + " with " + plural(Arguments, "argument") +
             " and " + plural(Results, "result") + "; it has " +
             std::to_string(F->Formals.size()) + " and " +
             std::to_string(F->Results.size());
    return "";
  }

  bool call(AstInst I, size_t Depth) {
    Call C(I);
    const AstKernel *F = nullptr;
    if (C.Callee && C.Callee->K == AstOperand::Name) {
      auto It = M.Functions.find(C.Callee->Text);
      F = It == M.Functions.end() ? nullptr : &It->second;
    }
    if (std::string Why = obstacle(C, F, Depth); !Why.empty()) {
      I.Unsupported = std::move(Why);
      K.Insts.push_back(std::move(I));
      return true;
    }
    // Threads whose guard is false go around; a scope of its own has the label.
    const uint32_t Scope = uint32_t(K.ScopeParent.size());
    K.ScopeParent.push_back(I.Scope);
    if (I.HasGuard) {
      AstInst Around = I;
      Around.GuardNot = !I.GuardNot;
      Around.Scope = Scope;
      jump(Around, "bra", Behind);
      K.Insts.push_back(std::move(Around));
    }
    const uint32_t Callee = uint32_t(K.ScopeParent.size()),
                   Regs = uint32_t(K.Regs.size());
    std::vector<AstInst> Before, After;
    for (size_t J = 0; J < F->Formals.size(); ++J)
      pass(F->Formals[J], (*C.Arguments)[J], I, Callee, Regs, Before, true);
    for (size_t J = 0; J < F->Results.size(); ++J)
      pass(F->Results[J], (*C.Results)[J], I, Callee, Regs, After, false);
    for (AstInst &Move : Before)
      K.Insts.push_back(std::move(Move));
    Open.push_back(C.Callee->Text);
    const bool Good = append(*F, Depth + 1);
    Open.pop_back();
    if (!Good)
      return false;
    K.Labels[{Callee, Return}] = uint32_t(K.Insts.size());
    for (AstInst &Move : After)
      K.Insts.push_back(std::move(Move));
    K.Labels[{Scope, Behind}] = uint32_t(K.Insts.size());
    return true;
  }

  /// Binds a formal to what the caller has for it; what has to be moved is
  /// appended to \p Moves.
  void pass(const Formal &F, const AstOperand &Actual, const AstInst &At,
            uint32_t Callee, uint32_t Regs, std::vector<AstInst> &Moves,
            bool In) {
    const bool Memory = Actual.K == AstOperand::Name;
    if (!F.IsReg && Memory) {
      K.Aliases.push_back({Callee, F.P.Name, At.Scope, Actual.Text});
      return;
    }
    AstInst Move = At;
    Move.HasGuard = false;
    AstOperand Inside;
    if (F.IsReg) {
      Inside.K = AstOperand::Reg;
      Inside.RegId = Regs + F.RegId;
    } else {
      Variable V;
      V.Name = F.P.Name;
      V.Scope = Callee;
      V.Where = Space::Param;
      V.Align = F.P.Align;
      V.Size = F.P.Size;
      K.Variables.push_back(std::move(V));
      Inside = address(F.P.Name);
      Move.Scope = Callee;
    }
    const AstOperand Outside = Memory ? address(Actual.Text) : Actual;
    Move.Opcode = opcode(F.Type, F.IsReg && !Memory ? "mov"
                                 : F.IsReg == In    ? "ld.param"
                                                    : "st.param");
    Move.Ops = {In ? Inside : Outside, In ? Outside : Inside};
    Moves.push_back(std::move(Move));
  }

  static AstOperand address(std::string_view Name) {
    AstOperand Base, Addr;
    Base.K = AstOperand::Name;
    Base.Text = Name;
    Addr.K = AstOperand::Addr;
    Addr.Elems = {Base};
    return Addr;
  }

  /// "mov.b32" and the like, which live as long as the program.
  static std::string_view opcode(Ty T, const std::string &Base) {
    static const std::map<std::pair<std::string, unsigned>, std::string> Names =
        [] {
          std::map<std::pair<std::string, unsigned>, std::string> All;
          for (const char *B : {"mov", "ld.param", "st.param"})
            for (unsigned Bits : {8, 16, 32, 64})
              All[{B, Bits}] = std::string(B) + ".b" + std::to_string(Bits);
          return All;
        }();
    auto It = Names.find({Base, typeBits(T)});
    return It == Names.end() ? "call" : std::string_view(It->second);
  }
};

} // namespace

bool mxfp4::sim::inlineCalls(const AstModule &M, AstKernel &K,
                             ErrorList &Errors) {
  return Inliner(M, K, Errors).run();
}
