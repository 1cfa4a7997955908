//===- TileHalves.cpp - How whole tiles and halves are numbered -----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TileHalves.h"
#include "KernelBuilding.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"

using namespace mlir;
using namespace mxfp4;

/// Of this number of CTAs, one at least has no half in a wave of halves.
static constexpr int64_t kFreeOfHalves = 32;

/// A wave that whole tiles would fill less than half is one of halves. A few of
/// its CTAs stay free: one that is late would take as long as whole tiles.
TileHalves::TileHalves(ImplicitLocOpBuilder &b, Value rowTiles, int64_t columns)
    : columns(columns) {
  const auto times = [&](Value value, int64_t factor) -> Value {
    return arith::MulIOp::create(b, value, indexConstant(b, factor));
  };
  Value ctas = gpu::GridDimOp::create(b, gpu::Dimension::x);
  Value pairs = times(rowTiles, columns / 2);
  Value halves = arith::AddIOp::create(
      b, times(rowTiles, columns),
      arith::DivUIOp::create(b, ctas, indexConstant(b, kFreeOfHalves)));
  Value halfWaves = arith::CeilDivUIOp::create(b, halves, ctas);
  Value waves = arith::DivUIOp::create(b, halfWaves, indexConstant(b, 2));
  whole =
      arith::MinUIOp::create(b, pairs, arith::MulIOp::create(b, waves, ctas));
  paired = arith::SubIOp::create(b, times(pairs, 2), whole);
  all = arith::AddIOp::create(b, paired, times(rowTiles, columns % 2));
}

TileHalves::Place TileHalves::locate(ImplicitLocOpBuilder &b,
                                     Value number) const {
  using P = arith::CmpIPredicate;
  const int64_t pairs = columns / 2;
  // A half that has no other one is the last of its row tile.
  const Place alone = {arith::SubIOp::create(b, number, paired),
                       indexConstant(b, 4 * pairs + 1)};
  if (pairs == 0)
    return alone;
  Value one = indexConstant(b, 1), two = indexConstant(b, 2),
        ofRow = indexConstant(b, pairs);
  Value isWhole = arith::CmpIOp::create(b, P::ult, number, whole);
  Value behind = arith::SubIOp::create(b, number, whole);
  Value tile = arith::SelectOp::create(
      b, isWhole, number,
      arith::AddIOp::create(b, whole, arith::DivUIOp::create(b, behind, two)));
  Value half = arith::AddIOp::create(
      b, arith::MulIOp::create(b, arith::RemUIOp::create(b, behind, two), two),
      one);
  const Place paired = {
      arith::DivUIOp::create(b, tile, ofRow),
      arith::AddIOp::create(
          b,
          arith::MulIOp::create(b, arith::RemUIOp::create(b, tile, ofRow),
                                indexConstant(b, 4)),
          arith::SelectOp::create(b, isWhole, indexConstant(b, 0), half))};
  if (columns % 2 == 0)
    return paired;
  Value isAlone = arith::CmpIOp::create(b, P::uge, number, this->paired);
  return {arith::SelectOp::create(b, isAlone, alone.rowTile, paired.rowTile),
          arith::SelectOp::create(b, isAlone, alone.column, paired.column)};
}
