//===- Problem.cpp - Data for a grouped matmul, and its result ------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Problem.h"

#include "mxfp4/Core/Format.h"

#include <algorithm>
#include <cstring>
#include <random>

uint16_t toBF16(float value) {
  uint32_t bits = 0;
  std::memcpy(&bits, &value, sizeof bits);
  return uint16_t((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

Problem::Problem(int64_t rows, int64_t experts, int64_t n, int64_t k)
    : rows(rows), experts(experts), n(n), k(k), x(size_t(rows * k)),
      offsets(size_t(experts + 1)), codes(size_t(experts * n * k / 2)),
      scales(size_t(experts * n * k / 32)) {
  std::mt19937 random(1);
  for (uint16_t &each : x)
    each = toBF16(float(int(random() % 9) - 4));
  for (uint8_t &each : codes)
    each = uint8_t(random());
  // Powers of two around one.
  for (uint8_t &each : scales)
    each = uint8_t(124 + random() % 5);
  std::vector<int32_t> ends(size_t(experts - 1));
  for (int32_t &each : ends)
    each = int32_t(random() % uint64_t(rows + 1));
  std::sort(ends.begin(), ends.end());
  std::copy(ends.begin(), ends.end(), offsets.begin() + 1);
  offsets.back() = int32_t(rows);
}

std::vector<uint8_t> Problem::pack(const mxfp4::BlockLayout &layout) const {
  const int64_t size = layout.packedBytes(n, k);
  std::vector<uint8_t> packed(size_t(experts * size));
  for (int64_t e = 0; e < experts; ++e)
    mxfp4::pack(layout, &codes[size_t(e * n * k / 2)],
                &scales[size_t(e * n * k / 32)], n, k,
                &packed[size_t(e * size)]);
  return packed;
}

std::vector<float> Problem::decode(int64_t expert) const {
  std::vector<float> values(size_t(n * k));
  for (int64_t i = 0; i < n * k; ++i) {
    const int64_t at = expert * n * k + i;
    const unsigned byte = codes[size_t(at / 2)];
    values[size_t(i)] =
        float(mxfp4::decodeE2M1(at % 2 ? byte >> 4 : byte & 15) *
              mxfp4::decodeE8M0(scales[size_t(at / 32)]));
  }
  return values;
}

int64_t Problem::wrongRows(const std::vector<uint16_t> &y) const {
  int64_t wrong = 0;
  for (int64_t e = 0; e < experts; ++e) {
    if (offsets[size_t(e)] == offsets[size_t(e + 1)])
      continue;
    const std::vector<float> w = decode(e);
    for (int64_t row = offsets[size_t(e)]; row < offsets[size_t(e + 1)];
         ++row) {
      std::vector<float> activations(static_cast<size_t>(k));
      for (int64_t i = 0; i < k; ++i)
        activations[size_t(i)] =
            float(mxfp4::decodeBF16(x[size_t(row * k + i)]));
      bool right = true;
      for (int64_t column = 0; column < n && right; ++column) {
        float sum = 0;
        for (int64_t i = 0; i < k; ++i)
          sum += activations[size_t(i)] * w[size_t(column * k + i)];
        right = y[size_t(row * n + column)] == toBF16(sum);
      }
      wrong += !right;
    }
  }
  return wrong;
}
