//===- BlockLayouts.h - Layouts of blocks for tests -------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The laws of a block layout hold for each of its values, not only for those
// that the dialect has a type for.
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_TEST_UNIT_BLOCKLAYOUTS_H
#define MXFP4_TEST_UNIT_BLOCKLAYOUTS_H

#include "mxfp4/Core/WeightLayout.h"

#include <gtest/gtest.h>

#include <array>

namespace mxfp4 {

/// A scale that the layout holds.
inline uint8_t anyScale(const BlockLayout &layout, uint32_t random) {
  switch (layout.scales) {
  case ScaleEncoding::Relative:
    return kRelativeLeast + random % (kRelativeSpan + 1);
  case ScaleEncoding::Folded:
    return random % 129;
  case ScaleEncoding::Raw:
    return random & 255;
  }
  return 0;
}

/// Those of the dialect, and others: rows, columns and scale blocks apart from
/// each other and at their limits.
inline std::vector<BlockLayout> blockLayouts() {
  std::vector<BlockLayout> layouts;
  for (auto [rows, cols, scaleBlock] : {std::array{64, 64, 32},
                                        {64, 128, 32},
                                        {64, 64, 16},
                                        {128, 64, 64},
                                        {64, 128, 128},
                                        {32, 64, 32},
                                        {16, 16, 16}})
    for (CodeOrder order : {CodeOrder::Spread, CodeOrder::Nibble})
      layouts.push_back({order, ScaleEncoding::Folded, rows, cols, scaleBlock});
  for (CodeOrder order : {CodeOrder::Spread, CodeOrder::Nibble})
    layouts.push_back({order, ScaleEncoding::Raw});
  for (int scaleBlock : {32, 64, 128})
    layouts.push_back(
        {CodeOrder::Bytes, ScaleEncoding::Relative, 64, 128, scaleBlock});
  return layouts;
}

inline std::string blockName(const testing::TestParamInfo<BlockLayout> &info) {
  const BlockLayout &layout = info.param;
  return std::to_string(layout.rows) + "x" + std::to_string(layout.cols) +
         "by" + std::to_string(layout.scaleBlock) + name(layout.order) +
         name(layout.scales);
}

} // namespace mxfp4

#endif // MXFP4_TEST_UNIT_BLOCKLAYOUTS_H
