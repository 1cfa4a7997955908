//===- Module.cpp - Types, errors and the module --------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Module.h"

#include <cstdio>

using namespace mxfp4::sim;

Ty mxfp4::sim::parseType(std::string_view name) {
  static const std::map<std::string_view, Ty> table = {
      {"pred", Ty::Pred},     {"b8", Ty::B8},        {"b16", Ty::B16},
      {"b32", Ty::B32},       {"b64", Ty::B64},      {"b128", Ty::B128},
      {"u8", Ty::U8},         {"u16", Ty::U16},      {"u32", Ty::U32},
      {"u64", Ty::U64},       {"s8", Ty::S8},        {"s16", Ty::S16},
      {"s32", Ty::S32},       {"s64", Ty::S64},      {"f16", Ty::F16},
      {"bf16", Ty::BF16},     {"f16x2", Ty::F16x2},  {"bf16x2", Ty::BF16x2},
      {"f32", Ty::F32},       {"f64", Ty::F64},      {"tf32", Ty::TF32},
      {"e4m3x2", Ty::E4M3x2}, {"e5m2x2", Ty::E5M2x2}};
  auto it = table.find(name);
  return it == table.end() ? Ty::None : it->second;
}

unsigned mxfp4::sim::typeBits(Ty t) {
  switch (t) {
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

bool mxfp4::sim::isSigned(Ty t) {
  return t == Ty::S8 || t == Ty::S16 || t == Ty::S32 || t == Ty::S64;
}

bool mxfp4::sim::isFloat(Ty t) {
  switch (t) {
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

std::string mxfp4::sim::plural(uint64_t n, const char *noun) {
  return std::to_string(n) + " " + noun + (n == 1 ? "" : "s");
}

std::string mxfp4::sim::hex(uint64_t value) {
  char text[24];
  std::snprintf(text, sizeof(text), "0x%llx", (unsigned long long)value);
  return text;
}

void ErrorList::error(unsigned line, std::string message,
                      std::string_view inst) {
  ++count;
  Diagnostic d;
  d.check = "parse";
  d.file = file;
  d.line = line;
  d.message = std::move(message);
  d.instruction = std::string(inst);
  out.push_back(std::move(d));
}

void ErrorList::add(const std::vector<Diagnostic> &more) {
  for (const Diagnostic &d : more)
    if (!tooMany()) {
      ++count;
      out.push_back(d);
    }
}

Module::Module() : parsed(new ModuleImpl) {}
Module::~Module() = default;

const std::vector<KernelInfo> &Module::kernels() const { return parsed->infos; }

namespace {

/// Text of a file that is no PTX, by its first bytes.
std::string notPtx(std::string_view text) {
  auto begins = [&](std::string_view with) {
    return text.substr(0, with.size()) == with;
  };
  if (text.find_first_not_of(" \t\r\n") == text.npos)
    return "the text is empty; expected PTX, which begins with .version";
  if (begins("\x7f"
             "ELF"))
    return "this is a cubin (ELF), which only a GPU executes; expected PTX "
           "text";
  if (begins("\x50\xed\x55\xba"))
    return "this is a fat binary; expected PTX text (cuobjdump -ptx shows it)";
  if (begins("\xff\xfe") || begins("\xfe\xff"))
    return "this is UTF-16 text; expected PTX, which is ASCII";
  if (text.size() > (size_t(128) << 20))
    return "the text has " + std::to_string(text.size()) +
           " bytes; PTX of more than 128 MiB is not supported";
  return "";
}

/// PTX from a C string, as NVRTC gives it, has a NUL at the end, and an editor
/// may have put a byte order mark in front.
std::string_view trimmed(std::string_view text) {
  if (text.substr(0, 3) == "\xef\xbb\xbf")
    text.remove_prefix(3);
  const std::string_view blank(" \t\r\n\0", 5);
  return text.substr(0, text.find_last_not_of(blank) + 1);
}

/// Gives module-scope variables their places: each its own page, with a gap, so
/// that running past its end is noticed.
class Placement {
public:
  explicit Placement(ModuleImpl &m) : m(m) {}
  void operator()(std::vector<Variable> &variables) {
    for (Variable &v : variables) {
      if (v.where != Space::Global && v.where != Space::Const)
        continue;
      v.address = next;
      next += (v.size + 0x1ffff) & ~uint64_t(0xffff);
      m.variables.push_back(v);
    }
  }

private:
  ModuleImpl &m;
  uint64_t next = kVariableBase;
};

} // namespace

std::unique_ptr<Module> Module::parse(std::string_view text,
                                      std::string_view name,
                                      std::vector<Diagnostic> &errors) {
  std::unique_ptr<Module> result(new Module);
  ModuleImpl &m = *result->parsed;
  m.name = name;
  ErrorList list(errors, m.name);
  if (std::string why = notPtx(text); !why.empty()) {
    list.error(1, why);
    return nullptr;
  }
  m.text = std::string(trimmed(text));
  AstModule ast;
  if (!parsePtx(m.text, ast, m.name, list)) {
    for (AstKernel &k : ast.kernels)
      list.add(k.errors);
    return nullptr;
  }
  m.versionMajor = ast.versionMajor;
  m.versionMinor = ast.versionMinor;
  Placement place(m);
  place(ast.variables);
  bool usable = false;
  for (AstKernel &k : ast.kernels) {
    m.kernels.emplace_back();
    Kernel &decoded = m.kernels.back();
    ErrorList own(decoded.errors, m.name);
    own.add(k.errors);
    if (!own.any() && (!k.hasCalls || inlineCalls(ast, k, own))) {
      place(k.variables);
      if (!decodeKernel(k, ast.variables, decoded, own))
        own.add(ast.skipped);
    }
    decoded.info = k.info;
    decoded.info.staticShared = decoded.staticShared;
    m.infos.push_back(decoded.info);
    usable |= !own.any();
  }
  if (usable)
    return result;
  for (const Kernel &k : m.kernels)
    list.add(k.errors);
  return nullptr;
}
