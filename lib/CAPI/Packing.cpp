//===- Packing.cpp - C interface: pack and unpack -------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mxfp4-c/mxfp4.h"

#include "mxfp4/Core/WeightLayout.h"

#include <vector>

using namespace mxfp4;

static bool readLayout(const char *order, const char *scales,
                       BlockLayout &layout) {
  if (!order || !scales || !parse(order, layout.order) ||
      !parse(scales, layout.scales))
    return false;
  layout = BlockLayout::of(layout.order, layout.scales);
  return layout.verify().empty();
}

static int toCode(PackStatus status) {
  switch (status) {
  case PackStatus::Success:
    return 0;
  case PackStatus::ScaleOutOfRange:
    return 1;
  case PackStatus::BadShape:
    return 2;
  }
  return 2;
}

int mxfp4_pack(const uint8_t *codes, const uint8_t *scales, int64_t n,
               int64_t k, const char *order, const char *scale_encoding,
               uint8_t *out) {
  BlockLayout layout;
  if (!codes || !scales || !out || !readLayout(order, scale_encoding, layout))
    return 2;
  return toCode(pack(layout, codes, scales, n, k, out));
}

int mxfp4_take_row_powers(const uint8_t *codes, const uint8_t *scales,
                          int64_t n, int64_t k, uint8_t *reduced, float *powers,
                          int64_t *refused) {
  if (!codes || !scales || !reduced || !powers || !refused)
    return 2;
  RowSpan span;
  const int code =
      toCode(takeRowPowers(codes, scales, n, k, reduced, powers, span));
  if (code == 1) {
    refused[0] = span.row;
    refused[1] = span.least;
    refused[2] = span.most;
  }
  return code;
}

/// Rows of two matrices in turn.
static std::vector<uint8_t> interleave(const uint8_t *even, const uint8_t *odd,
                                       int64_t rows, int64_t rowBytes) {
  std::vector<uint8_t> all;
  all.reserve(size_t(2 * rows * rowBytes));
  for (int64_t row = 0; row < rows; ++row)
    for (const uint8_t *part : {even, odd})
      all.insert(all.end(), part + row * rowBytes, part + (row + 1) * rowBytes);
  return all;
}

int mxfp4_pack_gate_up(const uint8_t *gate_codes, const uint8_t *gate_scales,
                       const uint8_t *up_codes, const uint8_t *up_scales,
                       int64_t n, int64_t k, const char *order,
                       const char *scale_encoding, uint8_t *out) {
  BlockLayout layout;
  if (!gate_codes || !gate_scales || !up_codes || !up_scales || !out || n < 1 ||
      n > INT32_MAX || k < 1 || k > INT32_MAX || k % layout.scaleBlock != 0 ||
      !readLayout(order, scale_encoding, layout))
    return 2;
  layout.columns = ColumnOrder::Interleaved;
  const auto codes = interleave(gate_codes, up_codes, n, k / 2);
  const auto scales =
      interleave(gate_scales, up_scales, n, k / layout.scaleBlock);
  return toCode(pack(layout, codes.data(), scales.data(), 2 * n, k, out));
}

int mxfp4_unpack(const uint8_t *blocks, int64_t n, int64_t k, const char *order,
                 const char *scale_encoding, uint8_t *codes, uint8_t *scales) {
  BlockLayout layout;
  if (!blocks || !codes || !scales ||
      !readLayout(order, scale_encoding, layout))
    return 2;
  return toCode(unpack(layout, blocks, n, k, codes, scales));
}
