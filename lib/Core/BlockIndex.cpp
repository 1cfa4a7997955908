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
  int element, lane, warp;

  int word() const { return element / 8; }
  int slot() const { return element % 8; }
  int wordOffset() const { return 16 * (32 * warp + lane) + 4 * word(); }
  int scaleOffset() const {
    return BlockLayout::scaleWordOffset(lane, warp) +
           BlockLayout::scaleByte(slot(), word());
  }
};

/// Who holds the position: the preimage under a map whose bits all have images
/// of one bit.
Holder holderOf(const FragmentMap &map, Coord position) {
  auto preimage = [&](const std::vector<Coord> &bits) {
    int input = 0;
    for (std::size_t bit = 0; bit < bits.size(); ++bit)
      if ((bits[bit].row & position.row) || (bits[bit].col & position.col))
        input |= 1 << bit;
    return input;
  };
  const Holder holder{preimage(map.element), preimage(map.lane),
                      preimage(map.warp)};
  assert(map(holder.element, holder.lane, holder.warp) == position &&
         "a bit of the map has an image of several bits");
  return holder;
}

/// A property of the holder as a sum over the bits of its position.
template <typename Property>
PositionSum linearize(const FragmentMap &map, Property property) {
  PositionSum sum;
  sum.base = property(holderOf(map, {0, 0}));
  // `strides` reads groups off pairs of images: rows here, columns there.
  std::vector<Coord> images;
  for (int bit = 1; bit < BlockLayout::kRows; bit *= 2)
    images.push_back({property(holderOf(map, {bit, 0})) - sum.base,
                      property(holderOf(map, {0, bit})) - sum.base});
  sum.row = strides(images, /*ofCol=*/false);
  sum.col = strides(images, /*ofCol=*/true);
  return sum;
}

} // namespace

BlockIndex BlockIndex::get() {
  static_assert(BlockLayout::kRows == BlockLayout::kCols,
                "rows and columns are walked together");
  const FragmentMap map = BlockLayout::codeMap();
  return {linearize(map, [](Holder h) { return h.wordOffset(); }),
          linearize(map, [](Holder h) { return h.slot(); }),
          linearize(map, [](Holder h) { return h.scaleOffset(); })};
}
