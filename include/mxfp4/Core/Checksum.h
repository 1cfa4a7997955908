//===- Checksum.h - Tells files that belong together ------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The manifest of an artifact says of each other file how long it is, and
// its CRC-32 (ISO 3309, as zlib and gzip have it), so that code that was
// damaged, cut short or is of another artifact is not launched. It is no
// defence against whoever writes both.
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_CORE_CHECKSUM_H
#define MXFP4_CORE_CHECKSUM_H

#include <array>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

namespace mxfp4 {

inline uint32_t crc32(std::string_view bytes) {
  constexpr uint32_t kPolynomial = 0xEDB88320; // bits reversed
  static const std::array<uint32_t, 256> kTable = [] {
    std::array<uint32_t, 256> table = {};
    for (uint32_t byte = 0; byte < 256; ++byte) {
      uint32_t rest = byte;
      for (int bit = 0; bit < 8; ++bit)
        rest = rest >> 1 ^ (rest & 1 ? kPolynomial : 0);
      table[byte] = rest;
    }
    return table;
  }();
  uint32_t rest = 0xFFFFFFFF;
  for (const char byte : bytes)
    rest = rest >> 8 ^ kTable[(rest ^ static_cast<unsigned char>(byte)) & 255];
  return ~rest;
}

/// The checksum of a manifest, 8 hexadecimal digits: of its text without blanks
/// between words, and without these digits, which stand behind "checksum".
inline std::string manifestChecksum(std::string_view text) {
  constexpr std::string_view kKey = "\"checksum\":\"";
  std::string words;
  bool inString = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (!inString && (c == ' ' || c == '\n' || c == '\r' || c == '\t'))
      continue;
    words += c;
    if (inString && c == '\\' && i + 1 < text.size())
      words += text[++i];
    else if (c == '"')
      inString = !inString;
  }
  if (const size_t at = words.find(kKey); at != std::string::npos) {
    const size_t begin = at + kKey.size();
    words.erase(begin, words.find('"', begin) - begin);
  }
  char digits[9];
  std::snprintf(digits, sizeof digits, "%08x", unsigned(crc32(words)));
  return digits;
}

} // namespace mxfp4

#endif // MXFP4_CORE_CHECKSUM_H
