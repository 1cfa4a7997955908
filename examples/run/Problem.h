//===- Problem.h - Data for a grouped matmul, and its result --------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#pragma once

#include "mxfp4/Core/WeightLayout.h"

#include <cstdint>
#include <vector>

/// Random data of which every sum is exact in f32, so that the result is right
/// bit for bit or wrong.
struct Problem {
  int64_t rows, experts, n, k;
  /// Rows sorted by expert: bf16 [rows, k].
  std::vector<uint16_t> x;
  /// Expert e: rows offsets[e] to offsets[e + 1].
  std::vector<int32_t> offsets;
  /// As in a checkpoint: two codes per byte, and a scale for each 32 of them.
  std::vector<uint8_t> codes, scales;

  Problem(int64_t rows, int64_t experts, int64_t n, int64_t k);

  std::vector<uint8_t> pack(const mxfp4::BlockLayout &layout) const;
  /// Rows of `y`, bf16 [rows, n], that hold another value than they should.
  int64_t wrongRows(const std::vector<uint16_t> &y) const;
  /// The values [n, k] of an expert's weights.
  std::vector<float> decode(int64_t expert) const;
};

/// Rounded to nearest, ties to even.
uint16_t toBF16(float value);
