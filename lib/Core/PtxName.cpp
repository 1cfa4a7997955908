//===- PtxName.cpp - Identifiers of PTX -----------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mxfp4/Core/PtxName.h"

#include <algorithm>
#include <cstdint>

using namespace mxfp4;

static constexpr char kDigits[] = "0123456789abcdef";

static bool isLetter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/// Whether PTX has a character after the first one of a name.
static bool follows(char c) {
  return isLetter(c) || (c >= '0' && c <= '9') || c == '_' || c == '$';
}

bool mxfp4::isPtxName(std::string_view name) {
  if (name.empty() || !std::all_of(name.begin(), name.end(), follows))
    return false;
  // `_` and `$` alone are no names. `%` begins names of registers, not ours.
  const char first = name.front();
  return isLetter(first) || ((first == '_' || first == '$') && name.size() > 1);
}

/// FNV-1a.
static uint64_t hash(std::string_view text) {
  uint64_t value = 0xcbf29ce484222325;
  for (const char c : text)
    value = (value ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return value;
}

std::string mxfp4::ptxName(std::string_view prefix, std::string_view symbol) {
  constexpr size_t longest = 200, digits = 16;
  std::string name(prefix);
  const bool isClean = std::all_of(symbol.begin(), symbol.end(), follows);
  for (const char c : symbol) {
    if (isClean || (follows(c) && c != '$')) {
      name += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    name += '$';
    name += kDigits[byte / 16];
    name += kDigits[byte % 16];
  }
  if (name.size() <= longest)
    return name;
  name.resize(longest - digits - 1);
  name += '$';
  const uint64_t value = hash(symbol);
  for (size_t i = 0; i < digits; ++i)
    name += kDigits[value >> (4 * (digits - 1 - i)) & 15];
  return name;
}
