//===- RaggedGrid.cpp - Which tile does a CTA compute ---------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "RaggedGrid.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace mxfp4;

namespace {

constexpr int kWarp = 32;

Value indexConstant(ImplicitLocOpBuilder &b, int64_t value) {
  return arith::ConstantIndexOp::create(b, value);
}
Value i32(ImplicitLocOpBuilder &b, int64_t value) {
  return arith::ConstantIntOp::create(b, b.getI32Type(), value);
}
Value compare(ImplicitLocOpBuilder &b, arith::CmpIPredicate predicate, Value l,
              Value r) {
  return arith::CmpIOp::create(b, predicate, l, r);
}
Value toIndex(ImplicitLocOpBuilder &b, Value value) {
  return arith::IndexCastOp::create(b, b.getIndexType(), value);
}
Value load(ImplicitLocOpBuilder &b, Value memref, Value at) {
  return memref::LoadOp::create(b, memref, ValueRange{at});
}

struct Shuffled {
  Value value, valid;
};
Shuffled shuffle(ImplicitLocOpBuilder &b, gpu::ShuffleMode mode, Value value,
                 int32_t lane) {
  auto op = gpu::ShuffleOp::create(b, value, lane, kWarp, mode);
  return {op.getShuffleResult(), op.getValid()};
}

/// Begin and end of the group of this lane, and its index, clamped to the last
/// group.
struct GroupBounds {
  Value group, inRange, begin, end;
};
GroupBounds loadBounds(ImplicitLocOpBuilder &b, const RaggedGrid &grid,
                       Value base, Value lane) {
  GroupBounds bounds;
  Value group = arith::AddIOp::create(b, base, lane);
  bounds.inRange = compare(b, arith::CmpIPredicate::ult, group,
                           indexConstant(b, grid.groups));
  bounds.group =
      arith::MinUIOp::create(b, group, indexConstant(b, grid.groups - 1));
  bounds.begin = load(b, grid.offsets, bounds.group);
  bounds.end =
      load(b, grid.offsets,
           arith::AddIOp::create(b, bounds.group, indexConstant(b, 1)));
  return bounds;
}

/// i1, the same in all lanes: the offsets are not 0 <= ... <= rows.
Value emitOffsetsAreBad(ImplicitLocOpBuilder &b, const RaggedGrid &grid,
                        Value lane) {
  auto loop = scf::ForOp::create(
      b, indexConstant(b, 0), indexConstant(b, grid.groups),
      indexConstant(b, kWarp), ValueRange{i32(b, 0)},
      [&](OpBuilder &builder, Location loc, Value base, ValueRange args) {
        ImplicitLocOpBuilder b(loc, builder);
        using P = arith::CmpIPredicate;
        const GroupBounds bounds = loadBounds(b, grid, base, lane);
        Value isFirst = compare(b, P::eq, bounds.group, indexConstant(b, 0));
        Value isLast =
            compare(b, P::eq, bounds.group, indexConstant(b, grid.groups - 1));
        Value wrong = compare(b, P::sgt, bounds.begin, bounds.end);
        Value wrongFirst = arith::AndIOp::create(
            b, isFirst, compare(b, P::ne, bounds.begin, i32(b, 0)));
        Value wrongLast = arith::AndIOp::create(
            b, isLast, compare(b, P::ne, bounds.end, grid.rows));
        wrong = arith::OrIOp::create(b, wrong, wrongFirst);
        wrong = arith::OrIOp::create(b, wrong, wrongLast);
        Value bit = arith::ExtUIOp::create(b, b.getI32Type(), wrong);
        scf::YieldOp::create(b,
                             ValueRange{arith::OrIOp::create(b, args[0], bit)});
      });
  Value bad = loop.getResult(0);
  for (int distance = 1; distance < kWarp; distance *= 2)
    bad = arith::OrIOp::create(
        b, bad, shuffle(b, gpu::ShuffleMode::XOR, bad, distance).value);
  return compare(b, arith::CmpIPredicate::ne, bad, i32(b, 0));
}

/// Sum over this lane and the lanes before it.
Value emitInclusiveScan(ImplicitLocOpBuilder &b, Value value) {
  for (int distance = 1; distance < kWarp; distance *= 2) {
    const Shuffled before = shuffle(b, gpu::ShuffleMode::UP, value, distance);
    value = arith::AddIOp::create(
        b, value,
        arith::SelectOp::create(b, before.valid, before.value, i32(b, 0)));
  }
  return value;
}

} // namespace

void mxfp4::emitReport(ImplicitLocOpBuilder &b, Value error, int bits) {
  if (error)
    memref::AtomicRMWOp::create(b, arith::AtomicRMWKind::ori, i32(b, bits),
                                error, ValueRange{indexConstant(b, 0)});
}

void RaggedGrid::emitTable(ImplicitLocOpBuilder &b, Value lane) const {
  Value bad = emitOffsetsAreBad(b, *this, lane);
  scf::ForOp::create(
      b, indexConstant(b, 0), indexConstant(b, groups), indexConstant(b, kWarp),
      ValueRange{i32(b, 0)},
      [&](OpBuilder &builder, Location loc, Value base, ValueRange args) {
        ImplicitLocOpBuilder b(loc, builder);
        const GroupBounds bounds = loadBounds(b, *this, base, lane);
        Value count = arith::SubIOp::create(b, bounds.end, bounds.begin);
        Value tiles = arith::CeilDivUIOp::create(b, count, i32(b, tileTokens));
        Value used = arith::AndIOp::create(
            b, bounds.inRange,
            compare(b, arith::CmpIPredicate::eq, bad,
                    arith::ConstantIntOp::create(b, b.getI1Type(), 0)));
        tiles = arith::SelectOp::create(b, used, tiles, i32(b, 0));
        Value scan = emitInclusiveScan(b, tiles);
        scf::IfOp::create(b, bounds.inRange, [&](OpBuilder &then, Location l) {
          ImplicitLocOpBuilder b(l, then);
          Value next =
              arith::AddIOp::create(b, bounds.group, indexConstant(b, 1));
          memref::StoreOp::create(b, arith::AddIOp::create(b, args[0], scan),
                                  table, ValueRange{next});
          scf::YieldOp::create(b);
        });
        Value total = shuffle(b, gpu::ShuffleMode::IDX, scan, kWarp - 1).value;
        scf::YieldOp::create(
            b, ValueRange{arith::AddIOp::create(b, args[0], total)});
      });
  Value isFirstLane =
      compare(b, arith::CmpIPredicate::eq, lane, indexConstant(b, 0));
  scf::IfOp::create(b, isFirstLane, [&](OpBuilder &then, Location loc) {
    ImplicitLocOpBuilder b(loc, then);
    memref::StoreOp::create(b, i32(b, 0), table,
                            ValueRange{indexConstant(b, 0)});
    if (error)
      scf::IfOp::create(b, bad, [&](OpBuilder &then, Location loc) {
        ImplicitLocOpBuilder b(loc, then);
        emitReport(b, error, 1);
        scf::YieldOp::create(b);
      });
    scf::YieldOp::create(b);
  });
}

Value RaggedGrid::emitTileCount(ImplicitLocOpBuilder &b) const {
  Value rowTiles = toIndex(b, load(b, table, indexConstant(b, groups)));
  return arith::MulIOp::create(b, rowTiles, indexConstant(b, columnTiles));
}

RaggedGrid::Tile RaggedGrid::emitTile(ImplicitLocOpBuilder &b,
                                      Value number) const {
  Tile tile;
  Value columns = indexConstant(b, columnTiles);
  Value rowTile = arith::DivUIOp::create(b, number, columns);
  tile.column = arith::RemUIOp::create(b, number, columns);
  Value wanted = arith::IndexCastOp::create(b, b.getI32Type(), rowTile);

  // The last group that begins at or before the wanted row tile. Empty groups
  // begin where the next one does, so the last is never empty.
  int64_t step = 1;
  while (step * 2 < groups)
    step *= 2;
  Value group = indexConstant(b, 0);
  for (; step >= 1 && groups > 1; step /= 2) {
    Value candidate = arith::MinUIOp::create(
        b, arith::AddIOp::create(b, group, indexConstant(b, step)),
        indexConstant(b, groups));
    Value isBefore = compare(b, arith::CmpIPredicate::sle,
                             load(b, table, candidate), wanted);
    group = arith::SelectOp::create(b, isBefore, candidate, group);
  }
  tile.group = group;

  Value first = toIndex(b, load(b, table, group));
  Value within = arith::SubIOp::create(b, rowTile, first);
  Value begin = toIndex(b, load(b, offsets, group));
  Value end =
      toIndex(b, load(b, offsets,
                      arith::AddIOp::create(b, group, indexConstant(b, 1))));
  tile.row = arith::AddIOp::create(
      b, begin, arith::MulIOp::create(b, within, indexConstant(b, tileTokens)));
  tile.valid = arith::MinUIOp::create(
      b, arith::SubIOp::create(b, end, tile.row), indexConstant(b, tileTokens));
  return tile;
}
