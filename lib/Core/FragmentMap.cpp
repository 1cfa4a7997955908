//===- FragmentMap.cpp - Who holds which element --------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mxfp4/Core/FragmentMap.h"

#include <cassert>
#include <cstddef>

using namespace mxfp4;

static Coord applyBits(const std::vector<Coord> &bits, int index) {
  assert(index >= 0 && index < (1 << bits.size()) && "index out of range");
  Coord result;
  for (std::size_t b = 0; b < bits.size(); ++b)
    if (index >> b & 1)
      result = result ^ bits[b];
  return result;
}

static Coord unionOfImages(const FragmentMap &map) {
  Coord all;
  for (const auto *bits : {&map.element, &map.lane, &map.warp})
    for (Coord image : *bits)
      all = {all.row | image.row, all.col | image.col};
  return all;
}

int FragmentMap::rows() const { return unionOfImages(*this).row + 1; }
int FragmentMap::cols() const { return unionOfImages(*this).col + 1; }

Coord FragmentMap::operator()(int elementIndex, int laneIndex,
                              int warpIndex) const {
  return applyBits(element, elementIndex) ^ applyBits(lane, laneIndex) ^
         applyBits(warp, warpIndex);
}

bool FragmentMap::isBijection() const {
  const int64_t size = static_cast<int64_t>(rows()) * cols();
  if (size != int64_t(1) << (element.size() + lane.size() + warp.size()))
    return false;
  std::vector<bool> seen(size);
  for (int w = 0; w < warps(); ++w)
    for (int l = 0; l < (1 << lane.size()); ++l)
      for (int e = 0; e < elements(); ++e) {
        Coord at = (*this)(e, l, w);
        auto cell = seen[static_cast<int64_t>(at.row) * cols() + at.col];
        if (cell)
          return false;
        cell = true;
      }
  return true;
}

FragmentMap FragmentMap::permuteRows(const std::vector<int> &images) const {
  auto permute = [&](Coord at) {
    int row = at.row >> images.size() << images.size();
    for (std::size_t b = 0; b < images.size(); ++b)
      if (at.row >> b & 1)
        row ^= images[b];
    return Coord{row, at.col};
  };
  FragmentMap result = *this;
  for (auto *bits : {&result.element, &result.lane, &result.warp})
    for (Coord &image : *bits)
      image = permute(image);
  return result;
}

std::vector<BitGroup> mxfp4::strides(const std::vector<Coord> &bits,
                                     bool ofCol) {
  std::vector<BitGroup> groups;
  for (std::size_t b = 0; b < bits.size(); ++b) {
    const int image = ofCol ? bits[b].col : bits[b].row;
    if (image == 0)
      continue;
    if (!groups.empty()) {
      BitGroup &last = groups.back();
      int width = 0;
      while (last.mask >> width & 1)
        ++width;
      if (last.shift + width == static_cast<int>(b) && image == last.stride
                                                                    << width) {
        last.mask = last.mask << 1 | 1;
        continue;
      }
    }
    groups.push_back({static_cast<int>(b), 1, image});
  }
  return groups;
}

int mxfp4::evaluate(const std::vector<BitGroup> &groups, int index) {
  int sum = 0;
  for (const BitGroup &group : groups)
    sum += (index >> group.shift & group.mask) * group.stride;
  return sum;
}

// Lane bits 0 and 1 are the PTX manual's "threadID in group" t, bits 2 to 4
// its "groupID" g.

FragmentMap mxfp4::mmaA() {
  return {/*element=*/{{0, 1}, {8, 0}, {0, 8}},
          /*lane=*/{{0, 2}, {0, 4}, {1, 0}, {2, 0}, {4, 0}},
          /*warp=*/{}};
}

FragmentMap mxfp4::mmaB() {
  return {/*element=*/{{1, 0}, {8, 0}},
          /*lane=*/{{2, 0}, {4, 0}, {0, 1}, {0, 2}, {0, 4}},
          /*warp=*/{}};
}

FragmentMap mxfp4::mmaAccumulator() {
  return {/*element=*/{{0, 1}, {8, 0}},
          /*lane=*/{{0, 2}, {0, 4}, {1, 0}, {2, 0}, {4, 0}},
          /*warp=*/{}};
}

FragmentMap mxfp4::wgmmaA() {
  FragmentMap map = mmaA();
  map.warp = {{16, 0}, {32, 0}};
  return map;
}

FragmentMap mxfp4::wgmmaA8() {
  return {/*element=*/{{0, 1}, {0, 2}, {8, 0}, {0, 16}},
          /*lane=*/{{0, 4}, {0, 8}, {1, 0}, {2, 0}, {4, 0}},
          /*warp=*/{{16, 0}, {32, 0}}};
}

FragmentMap mxfp4::wgmmaAccumulator(int n) {
  assert(n >= 8 && (n & (n - 1)) == 0 && "N must be a power of two from 8 up");
  FragmentMap map = mmaAccumulator();
  for (int col = 8; col < n; col *= 2)
    map.element.push_back({0, col});
  map.warp = {{16, 0}, {32, 0}};
  return map;
}
