//===- Packing.cpp - C interface: pack and unpack -------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mxfp4-c/mxfp4.h"

#include "mxfp4/Core/WeightLayout.h"

using namespace mxfp4;

static bool readLayout(const char *order, const char *scales,
                       BlockLayout &layout) {
  return order && scales && parse(order, layout.order) &&
         parse(scales, layout.scales);
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

int mxfp4_unpack(const uint8_t *blocks, int64_t n, int64_t k, const char *order,
                 const char *scale_encoding, uint8_t *codes, uint8_t *scales) {
  BlockLayout layout;
  if (!blocks || !codes || !scales ||
      !readLayout(order, scale_encoding, layout))
    return 2;
  return toCode(unpack(layout, blocks, n, k, codes, scales));
}
