//===- LowerProgram.cpp - The structure of a kernel to scf ----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KernelBuilding.h"
#include "ProgramLowering.h"
#include "RaggedGrid.h"

#include "mxfp4/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

#include <optional>

namespace mxfp4 {
#define GEN_PASS_DEF_LOWERPROGRAM
#include "mxfp4/Transforms/Passes.h.inc"
} // namespace mxfp4

using namespace mlir;
using namespace mxfp4;

static void lowerBuffer(SharedBufferOp op) {
  ImplicitLocOpBuilder b(op.getLoc(), op);
  Value all = gpu::DynamicSharedMemoryOp::create(
      b, sharedType({ShapedType::kDynamic}, b.getI8Type()));
  auto view =
      memref::ViewOp::create(b, cast<MemRefType>(op.getBuffer().getType()), all,
                             indexConstant(b, op.getOffset()), ValueRange{});
  op.replaceAllUsesWith(view.getResult());
  op.erase();
}

/// What the table and its lowering need to know of a schedule.
static RaggedGrid gridOf(Value table, Value offsets, ScheduleAttr attr) {
  const Schedule schedule = attr.toSchedule();
  RaggedGrid grid;
  grid.offsets = offsets;
  grid.table = table;
  grid.groups = cast<MemRefType>(offsets.getType()).getDimSize(0) - 1;
  grid.tileTokens = schedule.tileTokens;
  grid.tokenStep = schedule.heightStep();
  grid.fullFirst = schedule.fullTilesFirst;
  if (schedule.isWide())
    grid.fewestRows = schedule.wideFrom;
  else if (schedule.wideFrom != 0)
    grid.mostRows = schedule.wideFrom - 1;
  if (schedule.isBeside()) {
    grid.shortTo = schedule.shortTo;
    // Of 16 groups, matmuls took 1.01 and 1.02 times as long; layers, which
    // bring rows, were not measured.
    constexpr int64_t kFewest = 32;
    if (schedule.bringBytes == 0 && grid.groups >= kFewest &&
        grid.groups <= RaggedGrid::kGroupsAtOnce)
      grid.mostShort = grid.shortTo * 3 / 2;
  }
  return grid;
}

/// Whether the table is built before the kernel ahead has ended: its kernel has
/// not waited yet.
static bool isBuiltAhead(BuildTileTableOp op) {
  const auto isWait = [](NVVM::GriddepcontrolOp control) {
    return control.getKind() == NVVM::GridDepActionKind::wait;
  };
  return isa<gpu::GPUFuncOp>(op->getParentOp()) &&
         llvm::none_of(op->getBlock()->getOps<NVVM::GriddepcontrolOp>(),
                       isWait);
}

/// What is computed behind `first` from a table, in order, if only `tiles`, in
/// a role, needs it.
static std::optional<SmallVector<Operation *>>
findCounting(HandOutFirstOp first, HandOutTilesOp tiles) {
  SmallVector<Operation *> counting;
  for (Operation *op = first->getNextNode(); op; op = op->getNextNode()) {
    auto count = dyn_cast<TileCountOp>(op);
    const bool counts = count && count.getTable() == first.getTable();
    if (counts || (isPure(op) && llvm::any_of(op->getOperands(), [&](Value v) {
                     return llvm::is_contained(counting, v.getDefiningOp());
                   })))
      counting.push_back(op);
  }
  for (Operation *op : counting)
    for (Operation *user : op->getUsers())
      if (user != tiles && !llvm::is_contained(counting, user))
        return std::nullopt;
  return counting;
}

/// Lets the CTA meet once its barriers are there, while the kernel ahead may
/// still run, instead of when the table is there, and returns whether it does.
/// The table's warp must hand out the first tile: then only the thread that
/// hands out the others reads the table, and that thread can wait for the first
/// tile as the CTA's other warps do. Kernels of 8-bit numbers were not measured
/// and meet late.
static bool meetEarly(HandOutFirstOp first) {
  HandOutTilesOp tiles;
  for (Operation *user : first.getQueue().getUsers())
    if (auto op = dyn_cast<HandOutTilesOp>(user))
      tiles = op;
  NVVM::FenceMbarrierInitOp ready;
  bool waits = false;
  for (Operation &op : *first->getBlock()) {
    if (&op == first)
      break;
    if (auto fence = dyn_cast<NVVM::FenceMbarrierInitOp>(op))
      ready = fence;
    if (auto control = dyn_cast<NVVM::GriddepcontrolOp>(op))
      waits |= control.getKind() == NVVM::GridDepActionKind::wait;
  }
  if (!tiles || tiles.getRows() || !ready || !waits ||
      first.getSchedule().toSchedule().traits().cutsSums())
    return false;
  const auto counting = findCounting(first, tiles);
  if (!counting)
    return false;
  ImplicitLocOpBuilder b(first.getLoc(), first.getContext());
  b.setInsertionPointAfter(ready);
  gpu::BarrierOp::create(b);
  b.setInsertionPoint(tiles);
  const int64_t slots = tiles.getQueue().getType().getSlots();
  Value start = RingStartOp::create(
      b, CursorType::get(b.getContext(), slots, 1), Value());
  RingWaitOp::create(b, tiles.getQueue(), start);
  for (Operation *op : *counting)
    op->moveBefore(tiles);
  return true;
}

/// The first warp fills the table, and all wait for it, if they have not met
/// before. Another warp fills the table of wide tiles at the same time, and all
/// wait for both.
static void lowerTable(BuildTileTableOp op) {
  ImplicitLocOpBuilder b(op.getLoc(), op);
  RaggedGrid grid = gridOf(op.getTable(), op.getOffsets(), op.getSchedule());
  grid.error = op.getError();
  grid.rows = op.getRows();
  grid.orLess = op.getOrLess();
  grid.ahead = isBuiltAhead(op);
  // A table directly in a module has nothing behind it.
  auto first = dyn_cast_or_null<HandOutFirstOp>(op->getNextNode());
  bool haveMet = false;
  if (first) {
    haveMet = meetEarly(first);
    grid.first = first.getFirst();
    grid.columnTiles = first.getColumns();
    grid.queue = first.getQueue();
    grid.fields = first.getFields();
    grid.halves = first.getSchedule().toSchedule().halfTiles;
    first.erase();
  }
  Value thread = gpu::ThreadIdOp::create(b, gpu::Dimension::x);
  const Schedule schedule = op.getSchedule().toSchedule();
  if (schedule.isWide() || schedule.isBeside())
    thread = arith::SubIOp::create(b, thread, indexConstant(b, kWarpThreads));
  Value isFirstWarp = arith::CmpIOp::create(
      b, arith::CmpIPredicate::ult, thread, indexConstant(b, kWarpThreads));
  scf::IfOp::create(b, isFirstWarp, [&](OpBuilder &then, Location loc) {
    ImplicitLocOpBuilder inner(loc, then);
    grid.emitTable(inner, thread);
    scf::YieldOp::create(inner);
  });
  // A table right behind this one has the barrier of both.
  if (!haveMet && !isa_and_nonnull<BuildTileTableOp>(op->getNextNode()))
    gpu::BarrierOp::create(b);
  op.erase();
}

static void lowerGuess(GuessFirstOp op) {
  ImplicitLocOpBuilder b(op.getLoc(), op);
  RaggedGrid grid =
      gridOf(/*table=*/Value(), op.getOffsets(), op.getSchedule());
  grid.first = op.getFirst();
  grid.columnTiles = op.getColumns();
  grid.halves = op.getSchedule().toSchedule().halfTiles;
  const RaggedGrid::Guess guess = grid.emitGuess(b, op.getLane());
  op.replaceAllUsesWith(ValueRange{guess.found, guess.group, guess.column});
  op.erase();
}

static void lowerCount(TileCountOp op) {
  ImplicitLocOpBuilder b(op.getLoc(), op);
  RaggedGrid grid;
  grid.table = op.getTable();
  grid.groups = op.getGroups();
  grid.columnTiles = op.getColumns();
  op.replaceAllUsesWith(grid.emitTileCount(b));
  op.erase();
}

//===----------------------------------------------------------------------===//
// Roles
//===----------------------------------------------------------------------===//

static void setRegisters(ImplicitLocOpBuilder &b, RoleOp role,
                         NVVM::SetMaxRegisterAction action) {
  if (role.getRegisters())
    NVVM::SetMaxRegisterOp::create(b, *role.getRegisters(), action);
}

/// The body of a role whose first warp has the number `first`, on the warps
/// that the comparison of `warp` with `number` selects.
static void emitRole(ImplicitLocOpBuilder &b, RoleOp role, Value warp,
                     arith::CmpIPredicate predicate, int64_t number,
                     int64_t first) {
  OpBuilder::InsertionGuard guard(b);
  Value isMine =
      arith::CmpIOp::create(b, predicate, warp, indexConstant(b, number));
  b.setInsertionPointToStart(scf::IfOp::create(b, isMine).thenBlock());
  if (role.getOneThread()) {
    Value elected = NVVM::ElectSyncOp::create(b, b.getI1Type(), Value());
    b.setInsertionPointToStart(scf::IfOp::create(b, elected).thenBlock());
  }
  inlineRegion(b, role.getBody(),
               {arith::SubIOp::create(b, warp, indexConstant(b, first))});
}

/// The roles in front: the first, and those behind it that have as many
/// registers. Where all have as many, nothing is given up, and the first is
/// alone.
static ArrayRef<RoleOp> frontOf(ArrayRef<RoleOp> roles) {
  RoleOp first = roles.front();
  if (!first.getRegisters())
    return roles.take_front();
  const ArrayRef<RoleOp> front = roles.take_while(
      [&](RoleOp role) { return role.getRegisters() == first.getRegisters(); });
  return front.size() < roles.size() ? front : roles.take_front();
}

/// Emits the roles in front, of the first `warps` warps, into a block.
static void emitFront(ImplicitLocOpBuilder &b, ArrayRef<RoleOp> front,
                      Value warp, int64_t warps, Block *block) {
  RoleOp first = front.front();
  b.setInsertionPointToStart(block);
  if (front.size() == 1) {
    inlineRegion(b, first.getBody(), warp);
    // Who a warp is needs no registers yet.
    for (Operation &op : *block)
      if (!isPure(&op)) {
        b.setInsertionPoint(&op);
        break;
      }
    return setRegisters(b, first, NVVM::SetMaxRegisterAction::increase);
  }
  setRegisters(b, first, NVVM::SetMaxRegisterAction::increase);
  for (RoleOp role : llvm::reverse(front)) {
    const int64_t begin = warps - role.getWarps();
    const bool isLast = role == front.back();
    emitRole(b, role, warp,
             isLast ? arith::CmpIPredicate::uge : arith::CmpIPredicate::ult,
             isLast ? begin : warps, begin);
    warps = begin;
  }
}

/// Branches on the number of the warp. The roles in front have the most
/// registers and take over what the others, which come behind them, give up.
static void lowerRoles(WarpRolesOp op) {
  ImplicitLocOpBuilder b(op.getLoc(), op);
  SmallVector<RoleOp> roles = op.getOrderedRoles();
  const ArrayRef<RoleOp> front = frontOf(roles);
  const ArrayRef<RoleOp> behind = ArrayRef(roles).drop_front(front.size());
  int64_t frontWarps = 0;
  for (RoleOp role : front)
    frontWarps += role.getWarps();
  Value thread = gpu::ThreadIdOp::create(b, gpu::Dimension::x);
  Value warp = makeUniform(
      b, arith::DivUIOp::create(b, thread, indexConstant(b, kWarpThreads)));
  Value isBehind = arith::CmpIOp::create(b, arith::CmpIPredicate::uge, warp,
                                         indexConstant(b, frontWarps));
  auto branch = scf::IfOp::create(b, isBehind, /*withElseRegion=*/true);
  b.setInsertionPointToStart(branch.thenBlock());
  RoleOp second = behind.front();
  setRegisters(b, second, NVVM::SetMaxRegisterAction::decrease);
  // The last role first: its warp must not wait for the work of others.
  int64_t end = op.countWarps();
  for (RoleOp role : llvm::reverse(behind)) {
    const int64_t first = end - role.getWarps();
    // Of the roles that are left, the second has the first of the warps.
    const bool isOneWarp =
        (role == behind.back() || role != second) && role.getWarps() == 1;
    emitRole(b, role, warp,
             isOneWarp ? arith::CmpIPredicate::eq : arith::CmpIPredicate::ult,
             isOneWarp ? first : end, first);
    end = first;
  }
  emitFront(b, front, warp, frontWarps, branch.elseBlock());
  op.erase();
}

//===----------------------------------------------------------------------===//
// The pass
//===----------------------------------------------------------------------===//

/// The queues that a table's warp puts the first tile into.
static FailureOr<llvm::SmallDenseSet<Value>> queuesWithFirst(Operation *root) {
  llvm::SmallDenseSet<Value> queues;
  const WalkResult result = root->walk([&](HandOutFirstOp op) {
    auto table = dyn_cast_or_null<BuildTileTableOp>(op->getPrevNode());
    if (!table || table.getTable() != op.getTable() ||
        table.getOffsets() != op.getOffsets()) {
      op.emitOpError("requires the mxfp4.build_tile_table of its table and "
                     "offsets right in front of it");
      return WalkResult::interrupt();
    }
    queues.insert(op.getQueue());
    return WalkResult::advance();
  });
  if (result.wasInterrupted())
    return failure();
  return queues;
}

/// Applies a lowering to all operations of a type, which it may erase.
template <typename Op>
static void lowerAll(Operation *root, void (*lower)(Op)) {
  SmallVector<Op> ops;
  root->walk<WalkOrder::PostOrder>([&](Op op) { ops.push_back(op); });
  for (Op op : ops)
    lower(op);
}

namespace {

struct LowerProgramPass : mxfp4::impl::LowerProgramBase<LowerProgramPass> {
  using LowerProgramBase::LowerProgramBase;

  void runOnOperation() override {
    Operation *root = getOperation();
    FailureOr<llvm::SmallDenseSet<Value>> begun = queuesWithFirst(root);
    if (failed(begun))
      return signalPassFailure();
    lowerAll<SharedBufferOp>(root, lowerBuffer);
    lowerAll<BuildTileTableOp>(root, lowerTable);
    lowerAll<GuessFirstOp>(root, lowerGuess);
    lowerAll<TileCountOp>(root, lowerCount);
    // From the inside to the outside.
    lowerAll<KLoopOp>(root, lowerKLoop);
    if (failed(lowerBringRows(root)))
      return signalPassFailure();
    SmallVector<HandOutTilesOp> schedulers;
    root->walk([&](HandOutTilesOp op) { schedulers.push_back(op); });
    for (HandOutTilesOp op : schedulers) {
      const bool isFirstHandedOut = begun->contains(op.getQueue());
      if (isFirstHandedOut && (op.getAwaited() || op.getStored())) {
        op.emitOpError("waits for groups or counts them from the first tile "
                       "on, but a mxfp4.hand_out_first hands that one out");
        return signalPassFailure();
      }
      lowerScheduler(op, isFirstHandedOut);
    }
    lowerAll<ForTilesOp>(root, lowerTileLoop);
    lowerAll<TakeTilesOp>(root, lowerTileLoop);
    lowerAll<WarpRolesOp>(root, lowerRoles);
    if (failed(lowerRings(root)))
      signalPassFailure();
  }
};

} // namespace
