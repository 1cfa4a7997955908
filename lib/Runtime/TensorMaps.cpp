//===- TensorMaps.cpp - Describing activations to TMA ---------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TensorMaps.h"

using namespace mxfp4::runtime;

TensorMap *TensorMaps::get(void *pointer, int64_t rows) {
  auto is = [&](size_t i) {
    return keys[i].pointer == pointer && keys[i].rows == rows;
  };
  if (is(last))
    return kept[last].data();
  for (size_t i = 0; i < kKept; ++i)
    if (is(i))
      return kept[last = i].data();
  // A failure leaves an entry that no launch asks for.
  keys[oldest] = {};
  encode(pointer, rows, kept[oldest]);
  keys[oldest] = {pointer, rows};
  last = oldest;
  oldest = (oldest + 1) % kKept;
  return kept[last].data();
}

static int tensorType(const std::string &dtype) {
  if (dtype == "bf16")
    return kTensorBFloat16;
  if (dtype == "f32")
    return kTensorFloat32;
  // FP8 is bytes to a copy.
  return dtype == "i32" ? kTensorInt32 : kTensorUInt8;
}

void TensorMaps::encode(void *pointer, int64_t rows,
                        std::vector<TensorMap> &maps) const {
  const auto columns = uint64_t(argument.shape[1]);
  const int64_t extent = argument.shape[0] < 0 ? rows : argument.shape[0];
  // Innermost first.
  const uint64_t sizes[] = {columns, uint64_t(extent)};
  const uint64_t strides[] = {columns * argument.elementBytes()};
  const uint32_t steps[] = {1, 1};
  maps.resize(argument.boxes.size());
  for (size_t i = 0; i < maps.size(); ++i)
    driver.call(driver.tensorMapEncode, &maps[i], tensorType(argument.dtype),
                2U, pointer, sizes, strides, argument.boxes[i].data(), steps,
                int(kInterleaveNone), int(kSwizzle128B), int(kPromote256B),
                int(kFillZeros));
}
