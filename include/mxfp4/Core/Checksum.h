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

} // namespace mxfp4

#endif // MXFP4_CORE_CHECKSUM_H
