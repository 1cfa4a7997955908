//===- StoreOperands.cpp - What stores of tiles load ----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Operands of the epilogue, and maps of rows: values of columns are loaded once
// for a tile, and values of rows ahead of the first store where registers allow
// it, because branches around stores would keep loads apart.
//
//===----------------------------------------------------------------------===//

#include "TileStore.h"

#include "mxfp4/Core/Resources.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

using namespace mlir;
using namespace mxfp4;

Value TileStore::emitFirstColumn(Value warp) {
  const WarpPlace place = storingWarps();
  return a.add(a.mul(adaptor.getBlock(), schedule.tileRows),
               a.add(a.mul(a.firstSlice(place, warp), 16),
                     a.sum(strides(map.lane, false), a.lane())));
}

/// Behind what defines both values, if that is in one block.
static std::optional<OpBuilder::InsertPoint> behind(Value x, Value y) {
  Block *block = x.getParentBlock();
  if (block != y.getParentBlock())
    return std::nullopt;
  Operation *last = nullptr;
  for (Value value : {x, y})
    if (Operation *op = value.getDefiningOp();
        op && (!last || last->isBeforeInBlock(op)))
      last = op;
  return OpBuilder::InsertPoint(block, last ? std::next(last->getIterator())
                                            : block->begin());
}

/// Whether what is loaded for columns is loaded ahead of the loop over K, as
/// soon as the tile is known: the end of the tile would wait for it. With
/// several CTAs on an SM the others multiply meanwhile, and neither their
/// threads nor those with sums to promote have registers to spare, nor do those
/// of 31 warps. With at most four registers, no kernel that can be chosen
/// spills. Of 8-bit numbers, powers alone in tiles of eight tokens: 0.97 to
/// 1.00 of the time of one token per expert or less.
bool TileStore::loadsAhead() {
  constexpr int64_t kMostRegisters = 4, kRegistersOfPowers = 2;
  constexpr int kFewestInLaunch = 72, kFewestTokens = 8;
  const int64_t registers = epilogue.registersOfColumns(slices());
  const bool mayTake =
      schedule.traits().cutsSums()
          ? schedule.tileTokens <= kFewestTokens &&
                registers <= slices() * kRegistersOfPowers
          : schedule.ctasPerMultiprocessor == 1 &&
                RegisterBudget(schedule, targetOf(op)).launch >=
                    kFewestInLaunch;
  return adaptor.getExpert() && !op.getScatter() && mayTake && registers > 0 &&
         registers <= kMostRegisters;
}

void TileStore::loadColumns() {
  OpBuilder::InsertionGuard guard(b);
  if (loadsAhead())
    if (auto ahead = behind(adaptor.getExpert(), adaptor.getBlock()))
      b.restoreInsertionPoint(*ahead);
  Value first = emitFirstColumn(a.warp());
  SmallVector<Value> columns;
  for (int slice = 0; slice < slices(); ++slice)
    columns.push_back(a.add(first, columnOffset(slice)));
  epilogue.loadColumns(columns);
}

bool TileStore::hasRowOperands() {
  return llvm::any_of(op.getEpilogueOperands(), [](Value operand) {
    return epilogueOperandOf(operand.getType()) == EpilogueOperand::PerRow;
  });
}

/// Loads the values of 32 rows from token `first` of the warp on, one by each
/// lane; ahead of the loop over K where values of columns are.
void TileStore::shareRows(int64_t first) {
  OpBuilder::InsertionGuard guard(b);
  if (loadsAhead())
    if (auto ahead = behind(adaptor.getRow(), adaptor.getValid()))
      b.restoreInsertionPoint(*ahead);
  const WarpPlace place = storingWarps();
  Value token = a.add(
      a.mul(a.number(place.token, a.warp()), place.token.stride), a.lane());
  shared.push_back(epilogue.loadRow(tokenRow(token, first)));
}

/// Values of the row of a token, counted from the thread's first. Lanes hold
/// them for each other, so that all can be loaded ahead of the first store:
/// branches would keep loads apart, and the time of one passes between two.
/// Sums of 8-bit numbers always have a scale for each row; for others it has
/// not been measured.
SmallVector<Value> TileStore::valuesOfRow(int64_t token) {
  if (!sharesRows())
    return epilogue.loadRow(tokenRow(heldToken, token));
  Type i32 = b.getI32Type();
  Value ownFirst = a.sum(strides(map.lane, true), a.lane());
  return llvm::map_to_vector(
      shared[token / kWarpThreads], [&](Value held) -> Value {
        return NVVM::ShflOp::create(b, b.getF32Type(), a.constant(i32, -1),
                                    held, a.add(ownFirst, token % kWarpThreads),
                                    a.constant(i32, kWarpThreads - 1),
                                    NVVM::ShflKind::idx,
                                    /*return_value_and_is_valid=*/UnitAttr());
      });
}

/// Whether a thread takes the values of all of its tokens from other lanes
/// ahead of the tile's first store, because each branch would wait for its own.
/// The values need registers beside the sums and what stores take. Addresses of
/// a scatter, and the branch for groups without an expert, take those registers
/// from tall tiles: ptxas would spill there, or spill more.
bool TileStore::takesRowsAhead() {
  if (!sharesRows() || op.getScatter() || op.getOrNone())
    return false;
  constexpr int kForStores = 16;
  const RegisterBudget budget(schedule, targetOf(op));
  const auto values =
      static_cast<int>(shared.front().size()) * schedule.warpTokens() / 4;
  return schedule.accumulators() + values + kForStores <=
         std::max(budget.launch, budget.consumer);
}

/// The row, among all rows, of the token `token` behind `firstToken`. If the
/// tile has no such token, the tile's last row.
Value TileStore::tokenRow(Value firstToken, int64_t token) {
  Type i32 = b.getI32Type();
  Value last = a.add(
      LLVM::UMaxOp::create(b, adaptor.getValid(), a.constant(i32, 1)), -1);
  Value inTile = LLVM::UMinOp::create(b, a.add(firstToken, token), last);
  return a.add(adaptor.getRow(), inTile);
}
