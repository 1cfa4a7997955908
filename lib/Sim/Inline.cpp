//===- Inline.cpp - Device functions, where they are called ---------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A call becomes a copy of the function's body, with registers, scopes and
// variables of its own; ret becomes a branch behind the copy. Threads that
// diverge within a function then reconverge as anywhere else (Cfg.cpp), and no
// other code handles calls. Parameters in memory are variables of the caller,
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
constexpr size_t kMaxInlined = 1 << 19;
constexpr size_t kMaxDepth = 64;
constexpr std::string_view kReturn = "(return)", kBehind = "(behind the call)";

/// The parts of "call.uni (results), name, (arguments), prototype".
struct Call {
  const std::vector<AstOperand> *results = nullptr, *arguments = nullptr;
  const AstOperand *callee = nullptr;

  explicit Call(const AstInst &i) {
    for (size_t j = 0; j < i.ops.size(); ++j) {
      const AstOperand &o = i.ops[j];
      if (o.k != AstOperand::Vec)
        callee = callee ? callee : &o;
      else
        (callee ? arguments : results) = &o.elems;
    }
  }
};

class Inliner {
public:
  Inliner(const AstModule &m, AstKernel &k, ErrorList &errors)
      : m(m), k(k), errors(errors) {}

  bool run() {
    AstKernel from = std::move(k);
    k = AstKernel();
    k.info = from.info;
    k.maxRegisters = from.maxRegisters;
    k.line = from.line;
    return append(from, 0);
  }

private:
  const AstModule &m;
  AstKernel &k;
  ErrorList &errors;
  std::vector<std::string_view> open; ///< Names of the functions being copied.
  std::map<const Variable *, uint32_t> shared; ///< Scopes of first copies.
  size_t inlined = 0;

  static void shift(AstOperand &o, uint32_t regs) {
    o.regId += regs;
    for (AstOperand &e : o.elems)
      shift(e, regs);
  }

  /// What is the thread's is there for each copy; what is the block's or the
  /// module's, once.
  void declare(const Variable &v, uint32_t scopes) {
    const uint32_t scope = v.scope + scopes;
    if (v.where != Space::Local && v.where != Space::Param) {
      auto [First, New] = shared.insert({&v, scope});
      if (!New) {
        k.aliases.push_back({scope, v.name, First->second, v.name});
        return;
      }
    }
    k.variables.push_back(v);
    k.variables.back().scope = scope;
  }

  /// The body; its first scope and register get the next numbers of k.
  bool append(const AstKernel &f, size_t depth) {
    const uint32_t regs = uint32_t(k.regs.size()),
                   scopes = uint32_t(k.scopeParent.size());
    if (depth) {
      inlined += 1 + f.insts.size() + f.regs.size() + f.scopeParent.size() +
                 f.variables.size();
      if (inlined > kMaxInlined) {
        errors.error(k.line, "the device functions that " + k.info.name +
                                 " calls are larger than the interpreter "
                                 "holds, which copies each where it is called");
        return false;
      }
    }
    k.regs.insert(k.regs.end(), f.regs.begin(), f.regs.end());
    for (uint32_t parent : f.scopeParent)
      k.scopeParent.push_back(parent == kModuleScope ? parent
                                                     : parent + scopes);
    for (const Variable &v : f.variables)
      declare(v, scopes);
    for (const auto &[Key, Table] : f.branchTables)
      k.branchTables[{Key.scope + scopes, Key.name}] = Table;
    std::vector<uint32_t> start;
    start.reserve(f.insts.size() + 1);
    for (const AstInst &from : f.insts) {
      start.push_back(uint32_t(k.insts.size()));
      AstInst i = from;
      i.guardReg += regs;
      i.scope += scopes;
      for (AstOperand &o : i.ops)
        shift(o, regs);
      const std::string_view base = i.opcode.substr(0, i.opcode.find('.'));
      if (base == "call" && !i.implicitDef) {
        if (!call(std::move(i), depth))
          return false;
        continue;
      }
      if (base == "ret" && depth && !i.implicitDef)
        jump(i, i.opcode == "ret.uni" ? "bra.uni" : "bra", kReturn);
      k.insts.push_back(std::move(i));
    }
    start.push_back(uint32_t(k.insts.size()));
    for (const auto &[Key, At] : f.labels)
      k.labels[{Key.scope + scopes, Key.name}] = start[At];
    return true;
  }

  static void jump(AstInst &i, std::string_view opcode, std::string_view to) {
    AstOperand target;
    target.k = AstOperand::Name;
    target.text = to;
    i.opcode = opcode;
    i.ops = {target};
  }

  /// Why a call cannot be copied, or nothing.
  std::string obstacle(const Call &c, const AstKernel *f, size_t depth) const {
    if (!c.callee)
      return "expected the name of a device function after call";
    if (c.callee->k != AstOperand::Name)
      return "calls through a register are not supported: the interpreter "
             "copies device functions where they are called by name";
    const std::string name(c.callee->text);
    if (!f)
      return "call of " + name +
             ", which has no body in this module: link it in, or leave the "
             "call out";
    if (!f->errors.empty())
      return "call of " + name +
             ", which the interpreter does not understand: "
             "line " +
             std::to_string(f->errors[0].line) + ": " + f->errors[0].message;
    if (depth >= kMaxDepth ||
        std::find(open.begin(), open.end(), c.callee->text) != open.end())
      return "call of " + name +
             ", which calls itself: the interpreter copies device functions "
             "where they are called, and cannot do so without end";
    const size_t results = c.results ? c.results->size() : 0,
                 arguments = c.arguments ? c.arguments->size() : 0;
    if (results != f->results.size() || arguments != f->formals.size())
      return "call of " + name + " with " + plural(arguments, "argument") +
             " and " + plural(results, "result") + "; it has " +
             std::to_string(f->formals.size()) + " and " +
             std::to_string(f->results.size());
    return "";
  }

  bool call(AstInst i, size_t depth) {
    Call c(i);
    const AstKernel *f = nullptr;
    if (c.callee && c.callee->k == AstOperand::Name) {
      auto it = m.functions.find(c.callee->text);
      f = it == m.functions.end() ? nullptr : &it->second;
    }
    if (std::string why = obstacle(c, f, depth); !why.empty()) {
      i.unsupported = std::move(why);
      k.insts.push_back(std::move(i));
      return true;
    }
    // Threads whose guard is false go around; a scope of its own has the label.
    const uint32_t scope = uint32_t(k.scopeParent.size());
    k.scopeParent.push_back(i.scope);
    if (i.hasGuard) {
      AstInst around = i;
      around.guardNot = !i.guardNot;
      around.scope = scope;
      jump(around, "bra", kBehind);
      k.insts.push_back(std::move(around));
    }
    const uint32_t callee = uint32_t(k.scopeParent.size()),
                   regs = uint32_t(k.regs.size());
    std::vector<AstInst> before, after;
    for (size_t j = 0; j < f->formals.size(); ++j)
      pass(f->formals[j], (*c.arguments)[j], i, callee, regs, before, true);
    for (size_t j = 0; j < f->results.size(); ++j)
      pass(f->results[j], (*c.results)[j], i, callee, regs, after, false);
    for (AstInst &move : before)
      k.insts.push_back(std::move(move));
    open.push_back(c.callee->text);
    const bool good = append(*f, depth + 1);
    open.pop_back();
    if (!good)
      return false;
    k.labels[{callee, kReturn}] = uint32_t(k.insts.size());
    for (AstInst &move : after)
      k.insts.push_back(std::move(move));
    k.labels[{scope, kBehind}] = uint32_t(k.insts.size());
    return true;
  }

  /// Binds a formal to what the caller has for it; what has to be moved is
  /// appended to \p moves.
  void pass(const Formal &f, const AstOperand &actual, const AstInst &at,
            uint32_t callee, uint32_t regs, std::vector<AstInst> &moves,
            bool in) {
    const bool memory = actual.k == AstOperand::Name;
    if (!f.isReg && memory) {
      k.aliases.push_back({callee, f.p.name, at.scope, actual.text});
      return;
    }
    AstInst move = at;
    move.hasGuard = false;
    AstOperand inside;
    if (f.isReg) {
      inside.k = AstOperand::Reg;
      inside.regId = regs + f.regId;
    } else {
      Variable v;
      v.name = f.p.name;
      v.scope = callee;
      v.where = Space::Param;
      v.align = f.p.align;
      v.size = f.p.size;
      k.variables.push_back(std::move(v));
      inside = address(f.p.name);
      move.scope = callee;
    }
    const AstOperand outside = memory ? address(actual.text) : actual;
    move.opcode = opcode(f.type, f.isReg && !memory ? "mov"
                                 : f.isReg == in    ? "ld.param"
                                                    : "st.param");
    move.ops = {in ? inside : outside, in ? outside : inside};
    moves.push_back(std::move(move));
  }

  static AstOperand address(std::string_view name) {
    AstOperand base, addr;
    base.k = AstOperand::Name;
    base.text = name;
    addr.k = AstOperand::Addr;
    addr.elems = {base};
    return addr;
  }

  /// "mov.b32" and the like, which live as long as the program.
  static std::string_view opcode(Ty t, const std::string &base) {
    static const std::map<std::pair<std::string, unsigned>, std::string> names =
        [] {
          std::map<std::pair<std::string, unsigned>, std::string> all;
          for (const char *b : {"mov", "ld.param", "st.param"})
            for (unsigned bits : {8, 16, 32, 64})
              all[{b, bits}] = std::string(b) + ".b" + std::to_string(bits);
          return all;
        }();
    auto it = names.find({base, typeBits(t)});
    return it == names.end() ? "call" : std::string_view(it->second);
  }
};

} // namespace

bool mxfp4::sim::inlineCalls(const AstModule &m, AstKernel &k,
                             ErrorList &errors) {
  return Inliner(m, k, errors).run();
}
