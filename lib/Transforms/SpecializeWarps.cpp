//===- SpecializeWarps.cpp - Warps that copy and warps that multiply ------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KernelBuilding.h"
#include "KernelRemarks.h"

#include "mxfp4/Core/Resources.h"
#include "mxfp4/IR/MXFP4.h"
#include "mxfp4/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/IRMapping.h"
#include "llvm/Support/FormatVariadic.h"

namespace mxfp4 {
#define GEN_PASS_DEF_SPECIALIZEWARPS
#include "mxfp4/Transforms/Passes.h.inc"
} // namespace mxfp4

using namespace mlir;
using namespace mxfp4;

namespace {

constexpr StringLiteral kPass = "mxfp4-specialize-warps";

/// Splits one loop over tiles into roles.
class Splitter {
public:
  explicit Splitter(ForTilesOp tiles)
      : tiles(tiles), schedule(tiles.getSchedule().toSchedule()),
        kernel(tiles->getParentOfType<gpu::GPUFuncOp>()),
        b(tiles.getLoc(), tiles) {}

  LogicalResult check();
  void run();

private:
  void createRing();
  RoleOp createRole(StringRef name, int64_t warps, int registers,
                    bool oneThread);
  KLoopOp cloneTiles(Value slice, bool fills);
  Value stageBytes(Value rows);
  void copyActivations(CopyActivationsOp copy, Value step, Value slot,
                       Value cursor);
  bool gathers() const { return gather; }
  /// Warps of the copy role that fill a slot together.
  int64_t fillingWarps() const {
    return schedule.kSlices > 1 ? 1 : schedule.copyWarps;
  }
  void gatherActivations(RoleOp role, GatherActivationsOp copy, KLoopOp loop,
                         Value slot);
  void fillByThreads(RoleOp role, KLoopOp loop, KLoopOp old, Value slot);
  void fillByEngine(RoleOp role, KLoopOp loop, KLoopOp old, Value slot);
  void copyWeights(CopyWeightsOp copy, Value step, Value slot, Value part,
                   int64_t parts);
  void buildCopyRole();
  void buildMultiplyRole();
  void reduceSlices(StoreTileOp store, Value slice);

  ForTilesOp tiles;
  const Schedule schedule;
  gpu::GPUFuncOp kernel;
  ImplicitLocOpBuilder b;
  /// Of the weights.
  BlockLayout layout;
  /// Whether threads copy activations from rows anywhere.
  bool gather = false;
  Value full, ring;
};

/// The loop over K of a tile.
KLoopOp findKLoop(ForTilesOp tiles) {
  KLoopOp found;
  tiles.walk([&](KLoopOp loop) { found = loop; });
  return found;
}

} // namespace

/// What the split relies on beyond what the operations verify.
LogicalResult Splitter::check() {
  if (!kernel)
    return tiles.emitOpError("requires a gpu.func around it");
  int64_t loops = 0, stores = 0;
  tiles.walk([&](KLoopOp) { ++loops; });
  tiles.walk([&](StoreTileOp) { ++stores; });
  if (loops != 1 || stores != 1 || !tiles.getInits().empty())
    return tiles.emitOpError("requires one mxfp4.k_loop and one "
                             "mxfp4.store_tile in its body, and to carry "
                             "nothing, to be split into roles");
  KLoopOp loop = findKLoop(tiles);
  gather = bool(loop.getOnly<GatherActivationsOp>());
  if (loop.getRing() || loop.getInits().size() != 1 ||
      bool(loop.getOnly<CopyActivationsOp>()) == gather ||
      !loop.getOnly<CopyWeightsOp>() || !loop.getOnly<TileMatmulOp>())
    return loop.emitOpError("requires no ring yet, one copy of activations, "
                            "one of weights, one mxfp4.tile_matmul and its "
                            "sums to be split into roles");
  layout = layoutOf(loop.getOnly<CopyWeightsOp>().getSource().getType());
  if (gather && !loop.getOnly<GatherActivationsOp>()
                     .getRows()
                     .getDefiningOp<LoadRowsOp>())
    return loop.emitOpError("requires rows of mxfp4.load_rows to gather to be "
                            "split into roles");
  if (!gather && !isa<TensorMapType>(
                     loop.getOnly<CopyActivationsOp>().getSource().getType()))
    return loop.emitOpError("requires activations behind a tensor map to be "
                            "split into roles");
  for (Operation *parent = loop->getParentOp(); parent != tiles;
       parent = parent->getParentOp())
    if (auto branch = dyn_cast<scf::IfOp>(parent);
        !branch || !branch.elseBlock() || branch->getNumResults() != 1)
      return loop.emitOpError("requires to be in its loop over tiles directly, "
                              "or in branches that yield the sums");
  return success();
}

/// Barriers are set up ahead of the barrier of the CTA that the table of tiles
/// needs anyway.
void Splitter::createRing() {
  auto type = sharedType({schedule.stages}, b.getI64Type());
  full = kernel.addWorkgroupAttribution(type, b.getLoc());
  Value empty = kernel.addWorkgroupAttribution(type, b.getLoc());
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(&kernel.getBody().front());
  // Beside the copies of the engine, each thread that gathers arrives.
  ring = CreateRingOp::create(
      b, RingType::get(b.getContext(), schedule.stages, gathers()), full, empty,
      /*fills=*/gathers() ? 1 + 32 * fillingWarps() : 1,
      /*releases=*/schedule.sliceWarps());
  NVVM::FenceMbarrierInitOp::create(b);
}

RoleOp Splitter::createRole(StringRef name, int64_t warps, int registers,
                            bool oneThread) {
  auto role = RoleOp::create(
      b, name, warps,
      registers ? b.getI64IntegerAttr(registers) : IntegerAttr(), oneThread);
  Block &body = role.getBody().emplaceBlock();
  body.addArgument(b.getIndexType(), b.getLoc());
  b.setInsertionPointToStart(&body);
  YieldOp::create(b);
  b.setInsertionPointToStart(&body);
  return role;
}

/// Rows that the CTA's warps would have gathered.
static void eraseUnusedRows(RoleOp role) {
  role.walk([](LoadRowsOp rows) {
    if (rows->use_empty())
      rows.erase();
  });
}

/// Carries the cursor behind a loop over K out of the branches around it, where
/// the way around the loop hands on the cursor that it began with.
static Value carryOut(KLoopOp loop, ForTilesOp tiles) {
  Value before = loop.getCursor(), behind = loop.getLastCursor();
  for (Operation *parent = loop->getParentOp(); parent != tiles;
       parent = parent->getParentOp()) {
    auto branch = cast<scf::IfOp>(parent);
    OpBuilder b(branch);
    SmallVector<Type> types(branch.getResultTypes());
    types.push_back(before.getType());
    auto extended =
        scf::IfOp::create(b, branch.getLoc(), types, branch.getCondition(),
                          /*addThenBlock=*/false,
                          /*addElseBlock=*/false);
    const bool isInThen =
        branch.getThenRegion().isAncestor(loop->getParentRegion());
    branch.thenYield()->insertOperands(branch.getNumResults(),
                                       isInThen ? behind : before);
    branch.elseYield()->insertOperands(branch.getNumResults(),
                                       isInThen ? before : behind);
    extended.getThenRegion().takeBody(branch.getThenRegion());
    extended.getElseRegion().takeBody(branch.getElseRegion());
    branch.replaceAllUsesWith(extended.getResults().drop_back());
    behind = extended.getResults().back();
    branch.erase();
    parent = extended;
  }
  return behind;
}

/// The loop over tiles once more, which carries a cursor, with a loop over K
/// around the ring in place of the old one. Returns the new loop over K, whose
/// body is empty but for the terminator.
KLoopOp Splitter::cloneTiles(Value slice, bool fills) {
  const auto type =
      CursorType::get(b.getContext(), schedule.stages, schedule.kSlices);
  Value start = RingStartOp::create(b, type, slice);
  auto clone = ForTilesOp::create(
      b, TypeRange(type), tiles.getFirst(), tiles.getCount(), tiles.getStride(),
      tiles.getTable(), tiles.getOffsets(), tiles.getExpertIds(),
      tiles.getError(), start, tiles.getExperts(), tiles.getColumns(),
      tiles.getSchedule());
  IRMapping mapping;
  tiles.getBody().cloneInto(&clone.getBody(), mapping);
  Value cursor = clone.getBody().addArgument(type, b.getLoc());

  KLoopOp old = findKLoop(clone);
  b.setInsertionPoint(old);
  auto loop =
      KLoopOp::create(b, old.getSteps(), slice, ring, cursor, fills,
                      fills ? ValueRange() : old.getInits(), old.getSchedule());
  // Roles that copy have no sums: theirs are what the loop began with.
  old.getResult(0).replaceAllUsesWith(fills ? old.getInits()[0]
                                            : loop.getResult(0));
  Value behind = carryOut(loop, clone);
  clone.getYield()->setOperands(behind);
  b.setInsertionPointToStart(&loop.getBody().front());
  return loop;
}

/// Bytes of a stage with so many rows of activations: whole boxes are copied.
Value Splitter::stageBytes(Value rows) {
  if (schedule.tokenStep == 0)
    return i32Constant(b, schedule.weightStageBytes(layout) +
                              schedule.activationStageBytes());
  Value count = arith::IndexCastOp::create(b, b.getI32Type(), rows);
  Value boxes =
      arith::CeilDivUIOp::create(b, count, i32Constant(b, schedule.tokenStep));
  const int box = schedule.activationStageBytes() / schedule.tileTokens *
                  schedule.tokenStep;
  return arith::AddIOp::create(
      b, arith::MulIOp::create(b, boxes, i32Constant(b, box)),
      i32Constant(b, schedule.weightStageBytes(layout)));
}

/// Announces the bytes of a stage, and copies its activations.
void Splitter::copyActivations(CopyActivationsOp copy, Value step, Value slot,
                               Value cursor) {
  RingFillOp::create(b, ring, cursor, stageBytes(copy.getValid()));
  TensorCopyActivationsOp::create(b, copy.getSource(), copy.getRow(), step,
                                  copy.getValid(), copy.getDestination(), slot,
                                  full);
}

/// Copies the weights of a stage, or a part of them.
void Splitter::copyWeights(CopyWeightsOp copy, Value step, Value slot,
                           Value part, int64_t parts) {
  BulkCopyWeightsOp::create(
      b, copy.getSource(), copy.getExpert(), copy.getBlock(), step,
      copy.getDestination(), slot, full, part,
      part ? b.getI64IntegerAttr(parts) : IntegerAttr(), schedule.evictFirst);
}

/// Threads copy the rows of a stage from wherever they are, once they know the
/// rows of the tile.
void Splitter::gatherActivations(RoleOp role, GatherActivationsOp copy,
                                 KLoopOp loop, Value slot) {
  auto rows = copy.getRows().getDefiningOp<LoadRowsOp>();
  const int64_t warps = fillingWarps(), together = 4 * warps;
  const int64_t tokens =
      cast<MemRefType>(copy.getDestination().getType()).getDimSize(1);
  const auto type =
      VectorType::get({(tokens + together - 1) / together}, b.getI32Type());
  const IntegerAttr count = b.getI64IntegerAttr(warps);
  Value warp, mine;
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPoint(loop);
    warp = warps > 1 ? Value(role.getWarp()) : indexConstant(b, 0);
    mine = LoadRowsOp::create(b, type, rows.getMap(), rows.getRow(),
                              rows.getValid(), rows.getLimit(), rows.getError(),
                              warp, count);
  }
  GatherActivationsOp::create(b, copy.getSource(), mine, loop.getStep(),
                              copy.getValid(), copy.getDestination(), slot,
                              warp, count, full);
}

/// All threads of the role gather; one of each warp starts copies of weights,
/// whose bytes count from the first warp's arrival.
void Splitter::fillByThreads(RoleOp role, KLoopOp loop, KLoopOp old,
                             Value slot) {
  const bool isShared = fillingWarps() > 1;
  Value elected = NVVM::ElectSyncOp::create(b, b.getI1Type(), Value());
  auto one = scf::IfOp::create(b, elected);
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(one.thenBlock());
    const auto announce = [&](OpBuilder &at, Location) {
      ImplicitLocOpBuilder inner(b.getLoc(), at);
      RingFillOp::create(inner, ring, loop.getCursorOfStep(),
                         i32Constant(inner, schedule.weightStageBytes(layout)));
      if (isShared)
        scf::YieldOp::create(inner);
    };
    if (isShared)
      scf::IfOp::create(b,
                        arith::CmpIOp::create(b, arith::CmpIPredicate::eq,
                                              role.getWarp(),
                                              indexConstant(b, 0)),
                        announce);
    else
      announce(b, b.getLoc());
    copyWeights(old.getOnly<CopyWeightsOp>(), loop.getStep(), slot,
                isShared ? Value(role.getWarp()) : Value(), fillingWarps());
  }
  gatherActivations(role, old.getOnly<GatherActivationsOp>(), loop, slot);
}

/// One thread of each warp starts copies of the engine.
void Splitter::fillByEngine(RoleOp role, KLoopOp loop, KLoopOp old,
                            Value slot) {
  auto activations = old.getOnly<CopyActivationsOp>();
  auto weights = old.getOnly<CopyWeightsOp>();
  Value cursor = loop.getCursorOfStep(), step = loop.getStep();
  if (fillingWarps() == 1) {
    copyActivations(activations, step, slot, cursor);
    copyWeights(weights, step, slot, Value(), 1);
    return;
  }
  // The bytes of all count from the first warp's arrival: no phase completes
  // without it.
  Value isFirst = arith::CmpIOp::create(b, arith::CmpIPredicate::eq,
                                        role.getWarp(), indexConstant(b, 0));
  auto parts = scf::IfOp::create(b, isFirst, /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(parts.thenBlock());
  copyActivations(activations, step, slot, cursor);
  b.setInsertionPointToStart(parts.elseBlock());
  copyWeights(weights, step, slot,
              arith::SubIOp::create(b, role.getWarp(), indexConstant(b, 1)),
              schedule.copyWarps - 1);
}

void Splitter::buildCopyRole() {
  RoleOp role =
      createRole("copy", schedule.copyWarps, schedule.producerRegisters,
                 /*oneThread=*/!gathers());
  const bool hasSlices = schedule.kSlices > 1;
  KLoopOp loop =
      cloneTiles(hasSlices ? role.getWarp() : Value(), /*fills=*/true);
  auto old = cast<KLoopOp>(loop->getNextNode());
  Value slot = RingSlotOp::create(b, b.getIndexType(), loop.getCursorOfStep());
  if (gathers())
    fillByThreads(role, loop, old, slot);
  else
    fillByEngine(role, loop, old, slot);
  YieldOp::create(b);
  old.erase();
  role.walk([](StoreTileOp store) { store.erase(); });
  eraseUnusedRows(role);
  b.setInsertionPointAfter(role);
}

void Splitter::buildMultiplyRole() {
  RoleOp role = createRole("multiply", schedule.consumerWarps(),
                           RegisterBudget(schedule, targetOf(kernel)).consumer,
                           /*oneThread=*/false);
  Value slice;
  if (schedule.kSlices > 1)
    slice = arith::DivUIOp::create(b, role.getWarp(),
                                   indexConstant(b, schedule.sliceWarps()));
  KLoopOp loop = cloneTiles(slice, /*fills=*/false);
  auto old = cast<KLoopOp>(loop->getNextNode());
  auto matmul = old.getOnly<TileMatmulOp>();
  Value slot = RingSlotOp::create(b, b.getIndexType(), loop.getCursorOfStep());
  Value tokens;
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPoint(loop);
    tokens = makeUniform(b, matmul.getTokens());
  }
  Value sums = TileMatmulOp::create(
      b, matmul.getType(), loop.getCarried()[0], matmul.getWeights(), slot,
      matmul.getActivations(), tokens, matmul.getSchedule());
  YieldOp::create(b, sums);
  old.erase();
  eraseUnusedRows(role);
  if (slice) {
    StoreTileOp store;
    role.walk([&](StoreTileOp op) { store = op; });
    reduceSlices(store, slice);
  }
  b.setInsertionPointAfter(role);
}

/// Adds the sums of all slices in front of the store, which the first slice
/// does alone then.
void Splitter::reduceSlices(StoreTileOp store, Value slice) {
  b.setInsertionPoint(store);
  VectorType sums = store.getAccumulator().getType();
  Value buffer = sharedBuffer(
      b, {sums.getNumElements(), int64_t(32) * schedule.sliceWarps()},
      b.getF32Type(), SharedMemoryMap(schedule, layout).sums.offset);
  Value tokens =
      schedule.heightStep() < schedule.tileTokens ? store.getValid() : Value();
  Value total = ReduceSlicesOp::create(b, sums, store.getAccumulator(), slice,
                                       schedule.kSlices, buffer, tokens);
  Value isFirst = arith::CmpIOp::create(b, arith::CmpIPredicate::eq, slice,
                                        indexConstant(b, 0));
  auto first = scf::IfOp::create(b, isFirst);
  store->moveBefore(first.thenBlock()->getTerminator());
  store.getAccumulatorMutable().assign(total);
}

void Splitter::run() {
  createRing();
  auto roles = WarpRolesOp::create(b);
  b.setInsertionPointToStart(&roles.getRoles().emplaceBlock());
  buildMultiplyRole();
  buildCopyRole();
  passedOn(tiles, kPass, "roles", [&] {
    std::string text = llvm::formatv(
        "{0} warps multiply and {1} copy, through a ring of {2} "
        "stages",
        schedule.consumerWarps(), schedule.copyWarps, schedule.stages);
    if (schedule.producerRegisters != 0)
      text += llvm::formatv("; those that copy keep {0} registers",
                            schedule.producerRegisters);
    return text;
  });
  tiles.erase();
}

namespace {

struct SpecializeWarpsPass
    : mxfp4::impl::SpecializeWarpsBase<SpecializeWarpsPass> {
  using SpecializeWarpsBase::SpecializeWarpsBase;

  void runOnOperation() override {
    SmallVector<Splitter> programs;
    const WalkResult result = getOperation()->walk([&](ForTilesOp tiles) {
      if (tiles->getParentOfType<RoleOp>())
        return WalkResult::advance();
      const InstructionTraits &traits =
          traitsOf(tiles.getSchedule().getInstruction());
      if (!traits.isAsynchronous) {
        missedOn(tiles, kPass, "roles", [&] {
          return std::string("warps wait for their ") + traits.ptxName +
                 ", and copy for themselves";
        });
        return WalkResult::advance();
      }
      return failed(programs.emplace_back(tiles).check())
                 ? WalkResult::interrupt()
                 : WalkResult::advance();
    });
    if (result.wasInterrupted())
      return signalPassFailure();
    for (Splitter &program : programs)
      program.run();
    numSpecialized += programs.size();
  }
};

} // namespace
