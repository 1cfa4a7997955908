//===- FragmentMap.h - Who holds which element ------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A tensor-core operand lives in registers spread over a warp or a warpgroup.
// A fragment map says which element of the tile each register of each thread
// holds:
//
//   (element, lane, warp) -> (row, col)
//
// where `element` counts the values that one thread holds, in register order
// (two bf16 to a 32-bit register, the low half first).
//
// Every map in this project is *linear over bits*: the image of an index is
// the XOR of the images of its set bits. A map is therefore a list of a dozen
// coordinates, one per input bit, and its laws are short:
//
//   1. map(a ^ b) = map(a) ^ map(b), by construction;
//   2. a map is a bijection onto its tile exactly if the images of its bits
//      are linearly independent and as many as the tile has bits
//      (`isBijection`);
//   3. since images of different bits never share a coordinate bit here, XOR
//      is addition, and code that computes a coordinate from a lane number is
//      a sum of (bit group * stride) (`strides`).
//
// Worked example, thread 0 of a warp and the A operand of mma.m16n8k16: its
// eight elements are (0,0) (0,1) (8,0) (8,1) (0,8) (0,9) (8,8) (8,9).
//
// Sources: PTX ISA, "Matrix Fragments for mma.m16n8k16 with floating point
// type", "Register Fragments and Shared Memory Matrix Layouts" of wgmma, and
// "ldmatrix".
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_CORE_FRAGMENTMAP_H
#define MXFP4_CORE_FRAGMENTMAP_H

#include <cstdint>
#include <vector>

namespace mxfp4 {

/// A position in a tile. For the operand A (weights) row is along M and col
/// along K; for B (activations) row is along K and col along N; for the
/// accumulator row is along M and col along N.
struct Coord {
  int row = 0;
  int col = 0;

  friend Coord operator^(Coord a, Coord b) {
    return {a.row ^ b.row, a.col ^ b.col};
  }
  friend bool operator==(Coord a, Coord b) {
    return a.row == b.row && a.col == b.col;
  }
};

/// One term of an index computation: ((index >> shift) & mask) * stride.
struct BitGroup {
  int shift = 0;
  int mask = 0;
  int stride = 0;
};

/// A bit-linear map from (element, lane, warp) to a coordinate.
struct FragmentMap {
  /// Images of the bits of each input, least significant first.
  std::vector<Coord> element;
  std::vector<Coord> lane;
  std::vector<Coord> warp;

  /// Values that one thread holds.
  int elements() const { return 1 << element.size(); }
  int warps() const { return 1 << warp.size(); }
  /// Tile extents: one past the largest coordinate.
  int rows() const;
  int cols() const;

  Coord operator()(int elementIndex, int laneIndex, int warpIndex = 0) const;

  /// Law 2: every position of a rows() x cols() tile is held exactly once.
  bool isBijection() const;

  /// The map with rows renamed by a bit-linear permutation: bit b of the row
  /// becomes `images[b]`. Bits past the end of `images` stay.
  FragmentMap permuteRows(const std::vector<int> &images) const;
};

/// The row (or column, with `ofCol`) part of an input as a sum of bit groups:
/// consecutive bits with doubling images become one group. Law 3.
std::vector<BitGroup> strides(const std::vector<Coord> &bits, bool ofCol);

/// Evaluates a sum of bit groups.
int evaluate(const std::vector<BitGroup> &groups, int index);

//===----------------------------------------------------------------------===//
// The instructions
//===----------------------------------------------------------------------===//

/// mma.sync.m16n8k16, operand A (16 x 16, bf16): 8 elements per thread.
FragmentMap mmaA();
/// mma.sync.m16n8k16, operand B (16 x 8 as (k, n), bf16): 4 per thread.
FragmentMap mmaB();
/// mma.sync.m16n8k16, accumulator (16 x 8, f32): 4 elements per thread.
FragmentMap mmaAccumulator();
/// wgmma.m64nNk16, operand A from registers (64 x 16, bf16): 8 elements per
/// thread of four warps.
FragmentMap wgmmaA();
/// wgmma.m64nNk32, operand A from registers (64 x 32, numbers of 8 bits): 16
/// elements per thread, four per register, of four warps.
FragmentMap wgmmaA8();
/// wgmma of either type, accumulator (64 x N, f32) for a power of two N >= 8.
FragmentMap wgmmaAccumulator(int n);

} // namespace mxfp4

#endif // MXFP4_CORE_FRAGMENTMAP_H
