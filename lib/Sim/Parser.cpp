//===- Parser.cpp - PTX modules, directives and variables -----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Parser.h"

#include <charconv>

using namespace mxfp4::sim;

bool mxfp4::sim::parsePtx(std::string_view text, AstModule &m,
                          const std::string &file, ErrorList &errors) {
  std::vector<Token> tokens = lex(text);
  return Parser(text, tokens, m, file, errors).parseModule();
}

bool Parser::fail(std::string message) {
  const Token &t = cur();
  if (t.kind == Tok::Bad && t.text[0] >= '0' && t.text[0] <= '9')
    message = shown(t) +
              " is no number of PTX: integers have at most 64 bits, 0f is "
              "followed by 8 hexadecimal digits and 0d by 16";
  errors->error(t.line, std::move(message));
  return false;
}

std::string Parser::shown(const Token &t) const {
  if (t.kind == Tok::Eof)
    return "the end of the file";
  if (t.kind == Tok::Bad && (uint8_t(t.text[0]) < 32 || t.text[0] & 0x80))
    return "a byte " + hex(uint8_t(t.text[0]));
  return "'" + std::string(t.text.substr(0, 60)) + "'";
}

bool Parser::expect(char c) {
  if (accept(c))
    return true;
  return fail(std::string("expected '") + c + "', found " + shown(cur()));
}

bool Parser::expectInt(uint64_t &value) {
  bool negative = accept('-');
  if (cur().kind != Tok::Int)
    return fail("expected an integer, found " + shown(cur()));
  value = cur().value;
  if (negative)
    value = 0 - value;
  advance();
  return true;
}

bool Parser::skipBraces() {
  while (!isPunct('{') && cur().kind != Tok::Eof && !isPunct(';'))
    advance();
  if (accept(';'))
    return true;
  unsigned depth = 0;
  do {
    if (cur().kind == Tok::Eof)
      return fail("expected '}', found the end of the file");
    if (isPunct('{'))
      ++depth;
    if (isPunct('}'))
      --depth;
    advance();
  } while (depth);
  return true;
}

/// Skips a body that the parser does not understand. If braces do not match,
/// the body ends at the next kernel or function.
void Parser::skipBody() {
  unsigned depth = 0;
  while (cur().kind != Tok::Eof) {
    if (cur().kind == Tok::Directive)
      for (const char *d : {".entry", ".func", ".visible", ".weak", ".extern"})
        if (cur().text == d)
          return;
    const bool ends = isPunct('}') ? depth <= 1 : isPunct(';') && depth == 0;
    depth += isPunct('{');
    depth -= isPunct('}') && depth;
    advance();
    if (ends)
      return;
  }
}

/// Goes behind a statement of the module that is not understood.
void Parser::skipStatement() {
  while (cur().kind != Tok::Eof && !isPunct(';') && !isPunct('{'))
    advance();
  if (!accept(';'))
    skipBody();
}

bool Parser::parseVersion() {
  // "8.0" arrives as one decimal number.
  std::string_view number = cur().text;
  size_t dot = number.find('.');
  if (cur().kind != Tok::F64 || dot == std::string_view::npos)
    return fail("expected a version such as 8.0 after .version");
  auto whole = [](std::string_view digits) {
    unsigned value = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), value);
    return int(value);
  };
  m.versionMajor = whole(number.substr(0, dot));
  m.versionMinor = whole(number.substr(dot + 1));
  if (m.versionMajor < 8 || m.versionMajor > 9)
    return fail("PTX version " + std::string(number) +
                " is not supported; versions 8.0 to 9.x are");
  advance();
  return true;
}

bool Parser::parseTarget() {
  if (cur().kind != Tok::Ident)
    return fail("expected a target such as sm_90a after .target");
  std::string_view target = cur().text;
  if (target != "sm_90a" && target != "sm_90" && target != "sm_80" &&
      target != "sm_86" && target != "sm_89")
    return fail(
        "target " + std::string(target) +
        " is not supported; sm_90a and its ancestors from sm_80 on are");
  advance();
  while (accept(','))
    advance();
  return true;
}

bool Parser::parseModule() {
  while (cur().kind != Tok::Eof) {
    if (!parseTopLevel())
      return false;
    if (errors->tooMany())
      return false;
  }
  if (m.kernels.empty() && !errors->any())
    return fail("the module has no .entry");
  return !errors->any();
}

/// A directive that the interpreter does not know is no error yet, because the
/// launched kernel may not use it. A kernel that does misses the name, and the
/// message then gives this reason.
bool Parser::skipDirective(const Token &t) {
  ErrorList(m.skipped, file)
      .error(t.line, "directive " + std::string(t.text) + " is not supported");
  skipStatement();
  return true;
}

bool Parser::parseTopLevel() {
  const Token t = cur();
  if (t.kind == Tok::ImplicitDef || isPunct(';')) {
    advance();
    return true;
  }
  if (t.kind != Tok::Directive)
    return fail("expected a directive, found " + shown(t));
  std::string_view d = t.text;
  advance();
  if (d == ".version")
    return parseVersion();
  if (d == ".target")
    return parseTarget();
  if (d == ".address_size") {
    uint64_t bits;
    if (!expectInt(bits))
      return false;
    return bits == 64 || fail("only .address_size 64 is supported");
  }
  if (d == ".visible" || d == ".weak" || d == ".common")
    return true;
  if (d == ".extern") {
    sawExtern = true;
    return true;
  }
  if (d == ".entry")
    return parseEntry();
  if (d == ".func")
    return parseFunction();
  if (d == ".section") {
    sawExtern = false;
    return skipBraces();
  }
  if (d == ".file" || d == ".pragma" || d == ".alias") {
    skipLine(t.line);
    return true;
  }
  if (d == ".shared" || d == ".global" || d == ".const") {
    bool isExtern = sawExtern;
    sawExtern = false;
    // A variable that is not understood is an error only of kernels that use
    // it.
    ErrorList own(m.skipped, file), *module = errors;
    errors = &own;
    const size_t known = m.variables.size();
    if (!parseVariables(d, isExtern, m.variables)) {
      m.variables.resize(known);
      skipStatement();
    }
    errors = module;
    return true;
  }
  return skipDirective(t);
}

void Parser::skipLine(unsigned line) {
  while (cur().kind != Tok::Eof && cur().line == line && !isPunct(';'))
    advance();
  accept(';');
}

/// Parses the declarations behind the state space (.shared) in
/// ".shared .align 16 .b8 name[1024], other[4] = {...};".
bool Parser::parseVariables(std::string_view spaceName, bool isExtern,
                            std::vector<Variable> &out) {
  Variable proto;
  proto.where = spaceName == ".shared"  ? Space::Shared
                : spaceName == ".const" ? Space::Const
                : spaceName == ".local" ? Space::Local
                : spaceName == ".param" ? Space::Param
                                        : Space::Global;
  proto.isExtern = isExtern;
  if (!scopes.empty())
    proto.scope = scopes.back().id;
  uint64_t align = 0, vecLength = 1;
  Ty type = Ty::None;
  while (cur().kind == Tok::Directive) {
    std::string_view d = cur().text;
    advance();
    if (d == ".align") {
      if (!expectInt(align))
        return false;
      if (align == 0 || align > 65536 || (align & (align - 1)))
        return fail(".align needs a power of two up to 65536");
    } else if (d == ".v2" || d == ".v4") {
      vecLength = d[2] - '0';
    } else if (d == ".attribute") {
      skipParens();
    } else {
      type = parseType(d.substr(1));
      if (type == Ty::None)
        return fail("expected a type, found '" + std::string(d) + "'");
    }
  }
  if (type == Ty::None || type == Ty::Pred)
    return fail("expected the type of a variable, found " + shown(cur()));
  uint64_t element = typeBits(type) / 8 * vecLength;
  proto.align = align ? align : element;
  do {
    if (!parseDeclarator(proto, element, out))
      return false;
  } while (accept(','));
  return expect(';');
}

bool Parser::parseDeclarator(const Variable &proto, uint64_t element,
                             std::vector<Variable> &out) {
  if (cur().kind != Tok::Ident)
    return fail("expected the name of a variable, found " + shown(cur()));
  Variable v = proto;
  v.name = std::string(cur().text);
  advance();
  uint64_t count = 1;
  bool open = false;
  while (accept('[')) {
    uint64_t n = 0;
    if (isPunct(']'))
      open = true;
    else if (!expectInt(n))
      return false;
    if (n > (uint64_t(1) << 32) || (n && count > (uint64_t(1) << 32) / n))
      return fail("variable " + v.name + " is larger than 4 GiB");
    count *= n;
    if (!expect(']'))
      return false;
  }
  v.size = open ? 0 : count * element;
  if (accept('=') && !parseInitialiser(v, element, open))
    return false;
  if (v.where == Space::Shared && !v.isExtern && v.size > kMaxShared)
    return fail("shared variable " + v.name + " has " + plural(v.size, "byte") +
                "; a block has at most " + std::to_string(kMaxShared));
  if (v.size > (uint64_t(1) << 28) && v.where != Space::Shared)
    return fail("variable " + v.name + " is larger than 256 MiB");
  out.push_back(std::move(v));
  return true;
}

bool Parser::parseInitialiser(Variable &v, uint64_t element, bool open) {
  unsigned depth = 0;
  if (v.where == Space::Shared)
    return fail("a .shared variable cannot have an initialiser");
  do {
    if (accept('{')) {
      ++depth;
      continue;
    }
    if (accept('}')) {
      if (depth == 0)
        return fail("unexpected '}' in an initialiser");
      --depth;
      continue;
    }
    if (accept(','))
      continue;
    bool negative = accept('-');
    const Token &t = cur();
    uint64_t value = t.value;
    if (t.kind == Tok::F64 && element == 4) {
      double d;
      std::memcpy(&d, &value, 8);
      float f = float(d);
      uint32_t bits;
      std::memcpy(&bits, &f, 4);
      value = bits;
    } else if (t.kind != Tok::Int && t.kind != Tok::F32 && t.kind != Tok::F64) {
      return fail("expected a number in the initialiser of " + v.name +
                  ", found " + shown(t) +
                  "; addresses as initialisers are not supported");
    }
    if (negative)
      value = t.kind == Tok::Int ? 0 - value
                                 : value ^ (uint64_t(1) << (element * 8 - 1));
    advance();
    for (uint64_t i = 0; i < element; ++i)
      v.init.push_back(i < 8 ? uint8_t(value >> (8 * i)) : 0);
  } while (depth && cur().kind != Tok::Eof);
  if (open)
    v.size = v.init.size();
  if (v.init.size() > v.size)
    return fail("the initialiser of " + v.name +
                " is longer than the variable");
  return true;
}

void Parser::skipParens() {
  unsigned depth = 0;
  do {
    if (isPunct('('))
      ++depth;
    if (isPunct(')') && depth)
      --depth;
    advance();
  } while (depth && cur().kind != Tok::Eof);
}
