//===- LowerTileLoops.cpp - Loops over tiles to scf -----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KernelBuilding.h"
#include "ProgramLowering.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace mxfp4;

void mxfp4::lowerTileLoop(ForTilesOp tiles) {
  ImplicitLocOpBuilder b(tiles.getLoc(), tiles);
  auto loop = scf::ForOp::create(
      b, tiles.getFirst(), tiles.getCount(), tiles.getStride(),
      tiles.getInits(),
      [&](OpBuilder &builder, Location, Value number, ValueRange carried) {
        b.restoreInsertionPoint(builder.saveInsertionPoint());
        SmallVector<Value> arguments(
            locateTile(b, tiles, number, tiles.getColumns()).getResults());
        llvm::append_range(arguments, carried);
        scf::YieldOp::create(b, inlineRegion(b, tiles.getBody(), arguments));
      });
  tiles.replaceAllUsesWith(loop.getResults());
  tiles.erase();
}

/// while (tile = next of the queue) body(tile);
void mxfp4::lowerTileLoop(TakeTilesOp tiles) {
  ImplicitLocOpBuilder b(tiles.getLoc(), tiles);
  auto role = tiles->getParentOfType<RoleOp>();
  const bool isThread = role && role.getOneThread();
  SmallVector<Value> inits(tiles.getInits());
  const size_t carried = inits.size();
  const auto cursorType =
      CursorType::get(b.getContext(), tiles.getQueue().getType().getSlots(), 1);
  inits.push_back(RingStartOp::create(b, cursorType, Value()));
  SmallVector<Type> types(ValueRange(inits).getTypes());
  types.append(QueuedTile::kFields, b.getIndexType());
  auto loop = scf::WhileOp::create(
      b, types, inits,
      [&](OpBuilder &builder, Location, ValueRange args) {
        b.restoreInsertionPoint(builder.saveInsertionPoint());
        Value cursor = args.back();
        RingWaitOp::create(b, tiles.getQueue(), cursor);
        Value slot = RingSlotOp::create(b, b.getIndexType(), cursor);
        SmallVector<Value> passed(args);
        for (int64_t field = 0; field < QueuedTile::kFields; ++field) {
          Value value = memref::LoadOp::create(
              b, tiles.getFields(), ValueRange{slot, indexConstant(b, field)});
          passed.push_back(
              arith::IndexCastOp::create(b, b.getIndexType(), value));
        }
        RingReleaseOp::create(b, tiles.getQueue(), cursor, isThread);
        Value isTile = arith::CmpIOp::create(
            b, arith::CmpIPredicate::sge,
            passed[args.size() + QueuedTile::kColumn], indexConstant(b, 0));
        scf::ConditionOp::create(b, isTile, passed);
      },
      [&](OpBuilder &builder, Location, ValueRange args) {
        b.restoreInsertionPoint(builder.saveInsertionPoint());
        SmallVector<Value> arguments(args.take_back(QueuedTile::kFields));
        llvm::append_range(arguments, args.take_front(carried));
        SmallVector<Value> yielded =
            inlineRegion(b, tiles.getBody(), arguments);
        yielded.push_back(RingNextOp::create(b, args[carried], Value()));
        scf::YieldOp::create(b, yielded);
      });
  tiles.replaceAllUsesWith(loop.getResults().take_front(carried));
  tiles.erase();
}
