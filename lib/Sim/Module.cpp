//===- Module.cpp - Types, errors and the module --------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Module.h"

#include <cstdio>

using namespace mxfp4::sim;

Ty mxfp4::sim::parseType(std::string_view Name) {
  static const std::map<std::string_view, Ty> Table = {
      {"pred", Ty::Pred},     {"b8", Ty::B8},        {"b16", Ty::B16},
      {"b32", Ty::B32},       {"b64", Ty::B64},      {"b128", Ty::B128},
      {"u8", Ty::U8},         {"u16", Ty::U16},      {"u32", Ty::U32},
      {"u64", Ty::U64},       {"s8", Ty::S8},        {"s16", Ty::S16},
      {"s32", Ty::S32},       {"s64", Ty::S64},      {"f16", Ty::F16},
      {"bf16", Ty::BF16},     {"f16x2", Ty::F16x2},  {"bf16x2", Ty::BF16x2},
      {"f32", Ty::F32},       {"f64", Ty::F64},      {"tf32", Ty::TF32},
      {"e4m3x2", Ty::E4M3x2}, {"e5m2x2", Ty::E5M2x2}};
  auto It = Table.find(Name);
  return It == Table.end() ? Ty::None : It->second;
}

unsigned mxfp4::sim::typeBits(Ty T) {
  switch (T) {
  case Ty::None:
    return 0;
  case Ty::Pred:
    return 1;
  case Ty::B8:
  case Ty::U8:
  case Ty::S8:
    return 8;
  case Ty::B16:
  case Ty::U16:
  case Ty::S16:
  case Ty::F16:
  case Ty::BF16:
  case Ty::E4M3x2:
  case Ty::E5M2x2:
    return 16;
  case Ty::B64:
  case Ty::U64:
  case Ty::S64:
  case Ty::F64:
    return 64;
  case Ty::B128:
    return 128;
  default:
    return 32;
  }
}

bool mxfp4::sim::isSigned(Ty T) {
  return T == Ty::S8 || T == Ty::S16 || T == Ty::S32 || T == Ty::S64;
}

bool mxfp4::sim::isFloat(Ty T) {
  switch (T) {
  case Ty::F16:
  case Ty::BF16:
  case Ty::F16x2:
  case Ty::BF16x2:
  case Ty::F32:
  case Ty::F64:
  case Ty::TF32:
    return true;
  default:
    return false;
  }
}

std::string mxfp4::sim::plural(uint64_t N, const char *Noun) {
  return std::to_string(N) + " " + Noun + (N == 1 ? "" : "s");
}

std::string mxfp4::sim::hex(uint64_t Value) {
  char Text[24];
  std::snprintf(Text, sizeof(Text), "0x%llx", (unsigned long long)Value);
  return Text;
}

void ErrorList::error(unsigned Line, std::string Message,
                      std::string_view Inst) {
  ++Count;
  Diagnostic D;
  D.Check = "parse";
  D.File = File;
  D.Line = Line;
  D.Message = std::move(Message);
  D.Instruction = std::string(Inst);
  Out.push_back(std::move(D));
}

void ErrorList::add(const std::vector<Diagnostic> &More) {
  for (const Diagnostic &D : More)
    if (!tooMany()) {
      ++Count;
      Out.push_back(D);
    }
}

Module::Module() : Impl(new ModuleImpl) {}
Module::~Module() = default;

const std::vector<KernelInfo> &Module::kernels() const { return Impl->Infos; }

namespace {

/// Text of a file that is no PTX, by its first bytes.
std::string notPtx(std::string_view Text) {
  auto Begins = [&](std::string_view With) {
    return Text.substr(0, With.size()) == With;
  };
  if (Text.find_first_not_of(" \t\r\n") == Text.npos)
    return "the text is empty; expected PTX, which begins with .version";
  if (Begins("\x7f"
             "ELF"))
    return "this is a cubin (ELF), which only a GPU executes; expected PTX "
           "text";
  if (Begins("\x50\xed\x55\xba"))
    return "this is a fat binary; expected PTX text (cuobjdump -ptx shows it)";
  if (Begins("\xff\xfe") || Begins("\xfe\xff"))
    return "this is UTF-16 text; expected PTX, which is ASCII";
  if (Text.size() > (size_t(128) << 20))
    return "the text has " + std::to_string(Text.size()) +
           " bytes; PTX of more than 128 MiB is not supported";
  return "";
}

/// PTX from a C string, as NVRTC gives it, has a NUL at the end, and an editor
/// may have put a byte order mark in front.
std::string_view trimmed(std::string_view Text) {
  if (Text.substr(0, 3) == "\xef\xbb\xbf")
    Text.remove_prefix(3);
  const std::string_view Blank(" \t\r\n\0", 5);
  return Text.substr(0, Text.find_last_not_of(Blank) + 1);
}

/// Gives module-scope variables their places: each its own page, with a gap, so
/// that running past its end is noticed.
class Placement {
public:
  explicit Placement(ModuleImpl &M) : M(M) {}
  void operator()(std::vector<Variable> &Variables) {
    for (Variable &V : Variables) {
      if (V.Where != Space::Global && V.Where != Space::Const)
        continue;
      V.Address = Next;
      Next += (V.Size + 0x1ffff) & ~uint64_t(0xffff);
      M.Variables.push_back(V);
    }
  }

private:
  ModuleImpl &M;
  uint64_t Next = VariableBase;
};

} // namespace

std::unique_ptr<Module> Module::parse(std::string_view Text,
                                      std::string_view Name,
                                      std::vector<Diagnostic> &Errors) {
  std::unique_ptr<Module> Result(new Module);
  ModuleImpl &M = *Result->Impl;
  M.Name = Name;
  ErrorList List(Errors, M.Name);
  if (std::string Why = notPtx(Text); !Why.empty()) {
    List.error(1, Why);
    return nullptr;
  }
  M.Text = std::string(trimmed(Text));
  AstModule Ast;
  if (!parsePtx(M.Text, Ast, M.Name, List)) {
    for (AstKernel &K : Ast.Kernels)
      List.add(K.Errors);
    return nullptr;
  }
  M.VersionMajor = Ast.VersionMajor;
  M.VersionMinor = Ast.VersionMinor;
  Placement Place(M);
  Place(Ast.Variables);
  bool Usable = false;
  for (AstKernel &K : Ast.Kernels) {
    M.Kernels.emplace_back();
    Kernel &Decoded = M.Kernels.back();
    ErrorList Own(Decoded.Errors, M.Name);
    Own.add(K.Errors);
    if (!Own.any() && (!K.HasCalls || inlineCalls(Ast, K, Own))) {
      Place(K.Variables);
      if (!decodeKernel(K, Ast.Variables, Decoded, Own))
        Own.add(Ast.Skipped);
    }
    Decoded.Info = K.Info;
    Decoded.Info.StaticShared = Decoded.StaticShared;
    M.Infos.push_back(Decoded.Info);
    Usable |= !Own.any();
  }
  if (Usable)
    return Result;
  for (const Kernel &K : M.Kernels)
    List.add(K.Errors);
  return nullptr;
}
