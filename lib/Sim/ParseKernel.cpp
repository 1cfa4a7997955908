//===- ParseKernel.cpp - Heads of kernels and of device functions ---------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Parser.h"

using namespace mxfp4::sim;

/// ".align 8 .b8 name[16]" after ".param".
bool Parser::parseParam(KernelInfo::Param &p, Ty &type, uint32_t &offset) {
  uint64_t align = 0, count = 1, unused;
  bool pointer = false;
  while (cur().kind == Tok::Directive) {
    std::string_view d = cur().text;
    advance();
    if (d == ".align") {
      // After ".ptr" this is the alignment of what it points to.
      if (!expectInt(pointer ? unused : align))
        return false;
    } else if (d == ".ptr") {
      pointer = true;
    } else if (d == ".global" || d == ".shared" || d == ".const" ||
               d == ".local") {
      continue;
    } else {
      type = parseType(d.substr(1));
      if (type == Ty::None)
        return fail("expected the type of a parameter, found '" +
                    std::string(d) + "'");
    }
  }
  if (type == Ty::None || type == Ty::Pred || cur().kind != Tok::Ident)
    return fail("expected a parameter's type and name, found " + shown(cur()));
  p.name = std::string(cur().text);
  advance();
  if (accept('[') && (!expectInt(count) || !expect(']')))
    return false;
  uint32_t element = typeBits(type) / 8;
  if (count > 65536 / element)
    return fail("parameter " + p.name + " is larger than 64 KiB");
  p.size = uint32_t(count) * element;
  if (align > 128 || (align & (align - 1)))
    return fail("the alignment of parameter " + p.name +
                " must be a power of two up to 128");
  p.align = align ? uint32_t(align) : element;
  p.offset = offset = (offset + p.align - 1) & ~(p.align - 1);
  offset += p.size;
  return true;
}

bool Parser::parseParams(AstKernel &k) {
  uint32_t offset = 0;
  while (!accept(')')) {
    if (cur().kind != Tok::Directive || cur().text != ".param")
      return fail("expected '.param', found " + shown(cur()));
    advance();
    KernelInfo::Param p{};
    Ty type = Ty::None;
    if (!parseParam(p, type, offset))
      return false;
    k.info.params.push_back(std::move(p));
    if (!isPunct(')') && !expect(','))
      return false;
    if (k.info.params.size() > 1024)
      return fail("more than 1024 parameters");
  }
  return true;
}

/// Parameters or results of a device function, after '('.
bool Parser::parseFormals(std::vector<Formal> &out) {
  uint32_t offset = 0;
  while (!accept(')')) {
    Formal f;
    if (cur().kind != Tok::Directive ||
        (cur().text != ".param" && cur().text != ".reg"))
      return fail("expected '.param' or '.reg', found " + shown(cur()));
    f.isReg = cur().text == ".reg";
    advance();
    if (!parseParam(f.p, f.type, offset))
      return false;
    if (f.isReg && (typeBits(f.type) > 64 || f.p.size * 8 != typeBits(f.type)))
      return fail("a register of this type is not supported");
    out.push_back(std::move(f));
    if (!isPunct(')') && !expect(','))
      return false;
    if (out.size() > 1024)
      return fail("more than 1024 parameters");
  }
  return true;
}

bool Parser::parseDims(Dim3 &d) {
  uint64_t v[3] = {1, 1, 1};
  for (unsigned i = 0; i < 3; ++i) {
    if (!expectInt(v[i]))
      return false;
    if (v[i] == 0 || v[i] > 0x7fffffff)
      return fail("a dimension is from 1 to 2^31 - 1, found " +
                  std::to_string(v[i]));
    if (!accept(','))
      break;
  }
  d = {uint32_t(v[0]), uint32_t(v[1]), uint32_t(v[2])};
  return true;
}

/// A directive between the head and the body.
bool Parser::parseAttribute(AstKernel &k) {
  std::string_view d = cur().text;
  advance();
  uint64_t value;
  if (d == ".maxntid")
    return parseDims(k.info.maxBlock);
  if (d == ".reqntid")
    return parseDims(k.info.requiredBlock);
  if (d == ".reqnctapercluster")
    return parseDims(k.info.requiredCluster);
  if (d == ".maxnreg") {
    if (!expectInt(value))
      return false;
    k.maxRegisters = uint32_t(value < 256 ? value : 256);
    return true;
  }
  if (d == ".minnctapersm" || d == ".maxclusterrank" || d == ".abi_preserve" ||
      d == ".abi_preserve_control")
    return expectInt(value);
  if (d == ".noreturn" || d == ".explicitcluster" || d == ".blocksareclusters")
    return true;
  if (d == ".attribute") {
    skipParens();
    return true;
  }
  if (d == ".pragma") {
    skipLine(cur().line);
    return true;
  }
  return fail("directive " + std::string(d) + " is not supported on a kernel");
}

bool Parser::parseKernel(AstKernel &k) {
  if (accept('(') && !parseParams(k))
    return false;
  while (cur().kind == Tok::Directive)
    if (!parseAttribute(k))
      return false;
  if (accept(';')) { // A declaration only.
    m.kernels.pop_back();
    return true;
  }
  return parseBody(k);
}

bool Parser::parseEntry() {
  sawExtern = false;
  if (cur().kind != Tok::Ident)
    return fail("expected the name of the kernel, found " + shown(cur()));
  for (const AstKernel &k : m.kernels)
    if (k.info.name == cur().text)
      return fail("kernel " + k.info.name + " is defined twice");
  m.kernels.emplace_back();
  AstKernel &k = m.kernels.back();
  k.line = cur().line;
  k.info.name = std::string(cur().text);
  advance();
  const size_t begin = pos;
  ErrorList own(k.errors, file), *module = errors;
  errors = &own;
  if (!parseKernel(k)) {
    pos = begin;
    skipBody();
  }
  errors = module;
  scopes.clear();
  return true;
}

bool Parser::parseFunctionRest(AstKernel &f, bool &hasBody) {
  if (accept('(') && !parseFormals(f.formals))
    return false;
  while (cur().kind == Tok::Directive)
    if (!parseAttribute(f))
      return false;
  hasBody = !accept(';');
  return !hasBody || parseBody(f);
}

/// "(.param .b32 result) name(.param .b32 value) { ... }" after ".func".
bool Parser::parseFunction() {
  sawExtern = false;
  AstKernel f;
  f.line = cur().line;
  size_t begin = pos;
  ErrorList own(f.errors, file), *module = errors;
  errors = &own;
  bool hasBody = true, good = true;
  while (good && cur().kind == Tok::Directive)
    good = parseAttribute(f);
  if (good && accept('('))
    good = parseFormals(f.results);
  if (good && cur().kind != Tok::Ident)
    good =
        fail("expected the name of a device function, found " + shown(cur()));
  if (cur().kind == Tok::Ident) {
    f.info.name = std::string(cur().text);
    advance();
    begin = pos;
  }
  if (!good || !parseFunctionRest(f, hasBody)) {
    pos = begin;
    skipBody();
  }
  errors = module;
  scopes.clear();
  if (hasBody && !f.info.name.empty()) {
    std::string name = f.info.name;
    m.functions.insert_or_assign(std::move(name), std::move(f));
  }
  return true;
}
