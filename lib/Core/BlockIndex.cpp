//===- BlockIndex.cpp - From a position to its bytes ----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mxfp4/Core/BlockIndex.h"

#include <cassert>

using namespace mxfp4;

namespace {

/// The holder of a position: the input of `codeMap`, taken apart.
struct Holder {
  const BlockLayout &layout;
  int element, lane, warp;

  int word() const { return element / 8; }
  int slot() const { return element % 8; }
  int wordOffset() const {
    return layout.wordOffset(kWarpThreads * warp + lane, word());
  }
  int scaleOffset() const {
    return layout.scaleWordOffset(lane, warp) +
           layout.scaleByte(slot(), word());
  }
};

/// The holder of the position: its preimage under a map that sends each bit to
/// one bit.
Holder holderOf(const BlockLayout &layout, Coord position) {
  const FragmentMap map = layout.codeMap();
  auto preimage = [&](const std::vector<Coord> &bits) {
    int input = 0;
    for (std::size_t bit = 0; bit < bits.size(); ++bit)
      if ((bits[bit].row & position.row) || (bits[bit].col & position.col))
        input |= 1 << bit;
    return input;
  };
  const Holder holder{layout, preimage(map.element), preimage(map.lane),
                      preimage(map.warp)};
  assert(map(holder.element, holder.lane, holder.warp) == position &&
         "a bit of the map has an image of several bits");
  return holder;
}

/// A property of the holder as a sum over the bits of its position.
template <typename Property>
PositionSum linearize(const BlockLayout &layout, Property property) {
  PositionSum sum;
  sum.base = property(holderOf(layout, {0, 0}));
  // `strides` reads groups off images, which are numbers here.
  std::vector<Coord> rows, cols;
  for (int bit = 1; bit < layout.rows; bit *= 2)
    rows.push_back({property(holderOf(layout, {bit, 0})) - sum.base, 0});
  for (int bit = 1; bit < layout.cols; bit *= 2)
    cols.push_back({property(holderOf(layout, {0, bit})) - sum.base, 0});
  sum.row = strides(rows, /*ofCol=*/false);
  sum.col = strides(cols, /*ofCol=*/false);
  return sum;
}

} // namespace

BlockIndex BlockIndex::get(const BlockLayout &layout) {
  return {linearize(layout, [](Holder h) { return h.wordOffset(); }),
          linearize(layout, [](Holder h) { return h.slot(); }),
          linearize(layout, [](Holder h) { return h.scaleOffset(); })};
}
