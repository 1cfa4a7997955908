//===- ProblemCheck.cpp - What a launch has stored is compared ------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Problem.h"

#include "mxfp4/Core/Format.h"

#include <algorithm>
#include <cmath>
#include <cstring>

using namespace mxfp4;

double Problem::stored(const sim::Launch &l) const {
  const std::vector<uint8_t> &known = l.buffers[yBuffer].initialised;
  uint64_t bytes = 0;
  for (const uint8_t &byte : known) // The launch sets bits atomically, too.
    bytes += __builtin_popcount(__atomic_load_n(&byte, __ATOMIC_RELAXED));
  return double(bytes) / double(std::max<size_t>(y.size(), 1));
}

double Problem::weight(int64_t expert, int64_t row, int64_t col) const {
  static const std::vector<double> values = [] {
    std::vector<double> table;
    for (unsigned scale = 0; scale < 256; ++scale)
      for (unsigned code = 0; code < 16; ++code)
        table.push_back(decodeBF16(decodeExact(code, scale)));
    return table;
  }();
  const int64_t slice =
      (expert * n + row) * (k / kScaleBlock) + col / kScaleBlock;
  const uint8_t pair = codes[slice * 16 + col % kScaleBlock / 2];
  return values[16 * scales[slice] + (col % 2 ? pair >> 4 : pair & 15)];
}

/// Half a unit in the last place of the output's type at `value`.
static double halfUlp(double value, bool f32) {
  const int exponent = value > 0 ? std::ilogb(value) : -200;
  return std::ldexp(1.0,
                    std::max(exponent - (f32 ? 23 : 7), f32 ? -149 : -133) - 1);
}

std::pair<std::string, bool> Problem::check(const sim::Launch &l) const {
  int64_t wrong = 0;
  std::string first;
  std::vector<double> w(k), activations(x.size());
  std::transform(x.begin(), x.end(), activations.begin(), decodeBF16);
  for (int64_t g = 0; g < groups; ++g)
    for (int64_t col = 0; col < n && offsets[g] < offsets[g + 1]; ++col) {
      for (int64_t i = 0; i < k; ++i)
        w[i] = ids[g] < 0 ? 0 : weight(ids[g], col, i);
      for (int64_t r = offsets[g]; r < offsets[g + 1]; ++r) {
        double sum = 0, magnitude = 0;
        for (int64_t i = 0; i < k && ids[g] >= 0; ++i) {
          const double product = activations[r * k + i] * w[i];
          sum += product;
          magnitude += std::fabs(product);
        }
        uint32_t bits = 0;
        std::memcpy(&bits, &y[(r * n + col) * (outputF32 ? 4 : 2)],
                    outputF32 ? 4 : 2);
        float single;
        std::memcpy(&single, &bits, 4);
        const double got = outputF32 ? single : decodeBF16(uint16_t(bits));
        const double drift = std::ldexp(double(k), -22) * magnitude;
        const double want =
            outputF32 ? float(sum) : decodeBF16(roundToBF16(float(sum)));
        const bool same = got == want || (std::isnan(got) && std::isnan(want));
        if (same ||
            (!exact && std::fabs(got - sum) <=
                           drift + halfUlp(std::fabs(sum) + drift, outputF32)))
          continue;
        if (!wrong++)
          first = "; the first, at row " + std::to_string(r) + ", column " +
                  std::to_string(col) + ", is " + std::to_string(got) +
                  " instead of " + std::to_string(want);
      }
    }
  const int64_t count = rows * n;
  const uint64_t missing = y.size() - l.initialisedBytes(yBuffer);
  std::string said =
      wrong ? std::to_string(wrong) + " of " + std::to_string(count) +
                  " results are wrong" + first
      : exact
          ? "all " + std::to_string(count) + " results are right, bit for bit"
          : "all " + std::to_string(count) + " results are within the bound";
  if (missing)
    said += "; " + std::to_string(missing) + " bytes of y were not stored";
  if (error)
    said += "; the kernel set error word " + std::to_string(error);
  return {said + "\n", !wrong && !missing && !error};
}
