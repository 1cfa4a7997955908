//===- HalveTiles.cpp - Halves of tiles for the last part of a wave -------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "HalveBody.h"
#include "KernelBuilding.h"
#include "KernelRemarks.h"
#include "TileHalves.h"

#include "mxfp4/IR/MXFP4.h"
#include "mxfp4/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Matchers.h"

#include <variant>

namespace mxfp4 {
#define GEN_PASS_DEF_HALVETILES
#include "mxfp4/Transforms/Passes.h.inc"
} // namespace mxfp4

using namespace mlir;
using namespace mxfp4;

namespace {

constexpr StringLiteral kHalveTiles = "mxfp4-halve-tiles";

/// The roles of a kernel, and who hands out their tiles.
struct Kernel {
  HandOutTilesOp tiles;
  TileCountOp count;
  /// What the roles do with a tile.
  SmallVector<TakeTilesOp> roles;
  /// Columns of the output.
  int64_t n = 0;
};

} // namespace

/// The branch around a loop over K, which tiles without an expert do not take;
/// null if there is none.
static scf::IfOp branchAround(KLoopOp loop) {
  return dyn_cast<scf::IfOp>(loop->getParentOp());
}

/// The comparison of a tile's expert with 0, on which such a branch depends.
static arith::CmpIOp hasExpert(scf::IfOp branch) {
  return branch.getCondition().getDefiningOp<arith::CmpIOp>();
}

/// The loop over K of a role, if it is in no branch or in such a one.
static KLoopOp loopOf(TakeTilesOp tiles) {
  auto loop = onlyIn<KLoopOp>(tiles);
  if (!loop || loop->getParentOp() == tiles)
    return loop;
  scf::IfOp branch = branchAround(loop);
  if (!branch || branch->getParentOp() != tiles || !branch.elseBlock())
    return KLoopOp();
  arith::CmpIOp used = hasExpert(branch);
  const bool isAround = used && loop->getBlock() == branch.thenBlock() &&
                        used.getLhs() == tiles.getExpert() &&
                        matchPattern(used.getRhs(), m_Zero());
  return isAround ? loop : KLoopOp();
}

/// What a value of the loop is behind the branch around it, or behind the loop;
/// null if it is nothing there.
static Value behindBranch(KLoopOp loop, Value value) {
  scf::IfOp branch = branchAround(loop);
  if (!branch)
    return value;
  for (OpOperand &yielded : branch.thenYield()->getOpOperands())
    if (yielded.get() == value)
      return branch.getResult(yielded.getOperandNumber());
  return Value();
}

/// Whether all copies of weights can be copies of half of them, ahead of loops
/// over tiles, too.
static bool canHalveCopies(WarpRolesOp roles) {
  const WalkResult result = roles.walk([](BulkCopyWeightsOp copy) {
    return copy.getPart() || !fillOf(copy) ? WalkResult::interrupt()
                                           : WalkResult::advance();
  });
  return !result.wasInterrupted();
}

/// Whether a role does with a tile what it can do with half of one.
static bool canHalve(TakeTilesOp tiles, KLoopOp loop) {
  if (loop.getFills())
    return bool(onlyIn<BulkCopyWeightsOp>(loop));
  auto reduce = onlyIn<ReduceSlicesOp>(tiles);
  auto store = onlyIn<StoreTileOp>(tiles);
  return loop.getOnly<TileMatmulOp>() &&
         matchPattern(loop.getInits()[0], m_AnyZeroFloat()) && reduce &&
         store &&
         reduce.getAccumulator() == behindBranch(loop, loop.getResult(0)) &&
         reduce.getBuffer().getDefiningOp<SharedBufferOp>() &&
         store.getAccumulator() == reduce.getResult();
}

/// The kernel around roles, or why its tiles stay whole.
static std::variant<Kernel, StringRef> findKernel(WarpRolesOp roles) {
  Kernel kernel;
  roles.walk([&](HandOutTilesOp op) { kernel.tiles = op; });
  roles.walk([&](TakeTilesOp op) { kernel.roles.push_back(op); });
  roles.walk([&](StoreTileOp op) { kernel.n = op.getN(); });
  if (kernel.tiles)
    kernel.count = kernel.tiles.getCount().getDefiningOp<TileCountOp>();
  if (!kernel.count || kernel.roles.empty() || kernel.n == 0)
    return "no role hands out tiles that another stores";
  for (TakeTilesOp tiles : kernel.roles) {
    KLoopOp loop = loopOf(tiles);
    if (!loop || !loop.getRing())
      return "a role has a loop over K in a branch, or none";
    if (!behindBranch(loop, loop.getLastCursor()))
      return "a role does not know its place in the ring behind a loop over K";
    if (!loop.getSchedule().toSchedule().halfTiles)
      return "its schedule has no half_tiles";
    if (!canHalve(tiles, loop) || !canHalveCopies(roles))
      return "a role does not copy or multiply as mxfp4-specialize-warps "
             "leaves it";
  }
  return kernel;
}

/// Two bodies, in a branch, in place of the operations of a role from `first`
/// up to `end`: the column is no longer that of a whole tile.
static void branchOnHalf(ImplicitLocOpBuilder &b, Value column,
                         Operation *first, Operation *end) {
  // A role of one thread has nothing that lanes do together.
  auto role = first->getParentOfType<RoleOp>();
  Value known = role.getOneThread() ? column : makeUniform(b, column);
  const auto shifted = [&](int64_t places) -> Value {
    return arith::ShRUIOp::create(b, known, indexConstant(b, places));
  };
  Value whole = shifted(2), number = shifted(1);
  Value isHalf = arith::CmpIOp::create(
      b, arith::CmpIPredicate::ne,
      arith::AndIOp::create(b, known, indexConstant(b, 1)),
      indexConstant(b, 0));
  auto branch = scf::IfOp::create(b, isHalf, /*withElseRegion=*/true);
  IRMapping mapping;
  mapping.map(column, number);
  b.setInsertionPoint(branch.thenBlock()->getTerminator());
  for (Operation *op = first; op != end; op = op->getNextNode())
    b.clone(*op, mapping);
  Operation *last = branch.elseBlock()->getTerminator();
  while (branch->getNextNode() != end)
    branch->getNextNode()->moveBefore(last);
  column.replaceUsesWithIf(whole, [&](OpOperand &use) {
    return branch.getElseRegion().isAncestor(use.getOwner()->getParentRegion());
  });
  halveBody(*branch.thenBlock(), number);
}

/// The place in the ring behind a tile. A tile without an expert leaves it.
static Value skipTile(ImplicitLocOpBuilder &b, KLoopOp loop) {
  scf::IfOp around = branchAround(loop);
  if (!around)
    return skipSteps(b, loop);
  arith::CmpIOp used = hasExpert(around);
  Value isUsed = arith::CmpIOp::create(b, used.getPredicate(), used.getLhs(),
                                       indexConstant(b, 0));
  auto branch = scf::IfOp::create(b, loop.getCursor().getType(), isUsed,
                                  /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(branch.thenBlock());
  scf::YieldOp::create(b, skipSteps(b, loop));
  b.setInsertionPointToStart(branch.elseBlock());
  scf::YieldOp::create(b, loop.getCursor());
  return branch.getResult(0);
}

/// Stores zeros without an epilogue, which would make zeros of them.
static void storeZeros(StoreTileOp store) {
  if (!store.getOrNone() || store.takesPairs())
    return;
  ImplicitLocOpBuilder b(store.getLoc(), store);
  StoreTileOp::create(b, store.getAccumulator(), store.getDestination(),
                      store.getRow(), store.getBlock(), store.getValid(),
                      /*expert=*/Value(), /*or_none=*/false, store.getScatter(),
                      store.getLimit(), store.getError(),
                      /*epilogue_operands=*/ValueRange(), store.getStored(),
                      store.getSchedule(), /*epilogueCount=*/0);
  store.erase();
}

/// Moves what follows the branch around a loop over K into both sides of it, so
/// that sums of a tile with an expert, and registers, are what they are without
/// ids. Slices of a tile without one have nothing to add.
static void storeApart(ImplicitLocOpBuilder &b, TakeTilesOp tiles,
                       scf::IfOp branch) {
  scf::YieldOp then = branch.thenYield(), otherwise = branch.elseYield();
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(branch);
  auto apart = scf::IfOp::create(b, TypeRange(), branch.getCondition(),
                                 /*addThenBlock=*/false,
                                 /*addElseBlock=*/false);
  apart.getThenRegion().takeBody(branch.getThenRegion());
  apart.getElseRegion().takeBody(branch.getElseRegion());
  IRMapping mapping;
  mapping.map(branch.getResults(), otherwise.getOperands());
  b.setInsertionPoint(otherwise);
  SmallVector<Operation *> behind;
  for (Operation *op = branch->getNextNode(); op != tiles.getYield();
       op = op->getNextNode()) {
    behind.push_back(op);
    if (auto reduce = dyn_cast<ReduceSlicesOp>(op))
      mapping.map(reduce.getResult(), mapping.lookup(reduce.getAccumulator()));
    else
      b.clone(*op, mapping)->walk(storeZeros);
  }
  for (auto [result, value] :
       llvm::zip(branch.getResults(), then.getOperands()))
    result.replaceAllUsesWith(value);
  for (Operation *op : behind) {
    op->moveBefore(then);
    op->walk([](StoreTileOp store) { store.setOrNone(false); });
  }
  for (scf::YieldOp yield : {then, otherwise})
    yield->setOperands(ValueRange());
  branch.erase();
}

/// What a role does with a tile.
static void halve(TakeTilesOp tiles) {
  ImplicitLocOpBuilder b(tiles.getLoc(), tiles.getContext());
  KLoopOp loop = loopOf(tiles);
  Operation *first = &tiles.getBody().front().front();
  b.setInsertionPoint(first);
  Value end = skipTile(b, loop);
  SmallVector<Operation *> skip;
  for (Operation *op = &tiles.getBody().front().front(); op != first;
       op = op->getNextNode())
    skip.push_back(op);
  behindBranch(loop, loop.getLastCursor()).replaceAllUsesWith(end);
  scf::IfOp around = branchAround(loop);
  if (around)
    storeApart(b, tiles, around);
  branchOnHalf(b, tiles.getColumn(), first, tiles.getYield());
  // Ahead of a branch for tiles without an expert the place would take a
  // register during the loop, and ptxas would serialise multiplications.
  if (around)
    for (Operation *op : skip)
      op->moveBefore(tiles.getYield());
}

/// The weights of the first tile, where these are copied ahead.
static void halveAhead(LocateTileOp tile, const TileHalves &halves) {
  ImplicitLocOpBuilder b(tile.getLoc(), tile);
  const TileHalves::Place place = halves.locate(b, tile.getNumber());
  tile.getNumberMutable().assign(place.rowTile);
  tile.setColumns(1);
  tile.getColumn().replaceAllUsesWith(place.column);
  b.setInsertionPointAfter(tile);
  branchOnHalf(b, place.column, tile->getNextNode(),
               tile->getBlock()->getTerminator());
}

/// Makes the operations that count and hand out tiles count halves along N.
template <typename Op> static void handOutHalves(Op op, int64_t n) {
  Schedule schedule = op.getSchedule().toSchedule();
  schedule.halfTiles = true;
  op.setScheduleAttr(ScheduleAttr::get(op.getContext(), schedule));
  op.setColumns(schedule.halfProgram().columnTiles(n));
}

/// The tiles of a kernel, and what its roles do with them.
static void halve(WarpRolesOp roles, Kernel kernel) {
  SmallVector<LocateTileOp> ahead;
  roles.walk([&](LocateTileOp tile) { ahead.push_back(tile); });
  handOutHalves(kernel.tiles, kernel.n);
  roles->getParentOp()->walk([&](HandOutFirstOp op) {
    if (op.getQueue() == kernel.tiles.getQueue())
      handOutHalves(op, kernel.n);
  });
  ImplicitLocOpBuilder b(kernel.count.getLoc(), kernel.count);
  Value rowTiles =
      TileCountOp::create(b, b.getIndexType(), kernel.count.getTable(),
                          kernel.count.getGroups(), /*columns=*/1);
  const TileHalves halves(b, rowTiles, kernel.tiles.getColumns());
  kernel.count.replaceAllUsesWith(halves.count());
  kernel.count.erase();
  for (LocateTileOp tile : ahead)
    halveAhead(tile, halves);
  for (TakeTilesOp tiles : kernel.roles)
    halve(tiles);
}

namespace {

struct HalveTilesPass : mxfp4::impl::HalveTilesBase<HalveTilesPass> {
  using HalveTilesBase::HalveTilesBase;

  void runOnOperation() override {
    SmallVector<WarpRolesOp> programs;
    getOperation()->walk([&](WarpRolesOp roles) { programs.push_back(roles); });
    for (WarpRolesOp roles : programs) {
      const std::variant<Kernel, StringRef> found = findKernel(roles);
      if (const auto *why = std::get_if<StringRef>(&found)) {
        missedOn(roles, kHalveTiles, "tiles", [&] { return why->str(); });
        continue;
      }
      halve(roles, std::get<Kernel>(found));
      passedOn(roles, kHalveTiles, "tiles", [] {
        return std::string("the last tiles are halves, and so are tiles whose "
                           "other half has no columns");
      });
      ++numHalved;
    }
  }
};

} // namespace
