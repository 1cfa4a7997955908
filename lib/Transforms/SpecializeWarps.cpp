//===- SpecializeWarps.cpp - Warps that copy and warps that multiply ------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "FillSlots.h"
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

constexpr StringLiteral kSpecializeWarps = "mxfp4-specialize-warps";

/// A loop over tiles that can be split into roles.
struct Program {
  ForTilesOp tiles;
  gpu::GPUFuncOp kernel;
  Schedule schedule;
  /// Of the weights.
  BlockLayout layout;
  /// Whether threads copy activations from rows anywhere.
  bool gathers = false;
};

/// The ring between the roles, with its barriers for slots that are full.
struct RoleRing {
  Value full, ring;
};

} // namespace

/// The loop over K of a tile.
static KLoopOp findKLoop(ForTilesOp tiles) {
  KLoopOp found;
  tiles.walk([&](KLoopOp loop) { found = loop; });
  return found;
}

/// What the split relies on beyond what the operations verify.
static FailureOr<Program> findProgram(ForTilesOp tiles) {
  auto kernel = tiles->getParentOfType<gpu::GPUFuncOp>();
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
  const bool gathers = bool(loop.getOnly<GatherActivationsOp>());
  if (loop.getRing() || loop.getInits().size() != 1 ||
      bool(loop.getOnly<CopyActivationsOp>()) == gathers ||
      !loop.getOnly<CopyWeightsOp>() || !loop.getOnly<TileMatmulOp>())
    return loop.emitOpError("requires no ring yet, one copy of activations, "
                            "one of weights, one mxfp4.tile_matmul and its "
                            "sums to be split into roles");
  if (gathers && !loop.getOnly<GatherActivationsOp>()
                      .getRows()
                      .getDefiningOp<LoadRowsOp>())
    return loop.emitOpError("requires rows of mxfp4.load_rows to gather to be "
                            "split into roles");
  if (!gathers && !isa<TensorMapType>(
                      loop.getOnly<CopyActivationsOp>().getSource().getType()))
    return loop.emitOpError("requires activations behind a tensor map to be "
                            "split into roles");
  for (Operation *parent = loop->getParentOp(); parent != tiles;
       parent = parent->getParentOp())
    if (auto branch = dyn_cast<scf::IfOp>(parent);
        !branch || !branch.elseBlock() || branch->getNumResults() != 1)
      return loop.emitOpError("requires to be in its loop over tiles directly, "
                              "or in branches that yield the sums");
  return Program{tiles, kernel, tiles.getSchedule().toSchedule(),
                 layoutOf(loop.getOnly<CopyWeightsOp>().getSource().getType()),
                 gathers};
}

/// Barriers are set up ahead of the barrier of the CTA that the table of tiles
/// needs anyway.
static RoleRing createRing(ImplicitLocOpBuilder &b, Program program) {
  const Schedule &schedule = program.schedule;
  auto type = sharedType({schedule.stages}, b.getI64Type());
  Value full = program.kernel.addWorkgroupAttribution(type, b.getLoc());
  Value empty = program.kernel.addWorkgroupAttribution(type, b.getLoc());
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(&program.kernel.getBody().front());
  // Beside the copies of the engine, each thread that gathers arrives.
  Value ring = CreateRingOp::create(
      b, RingType::get(b.getContext(), schedule.stages, program.gathers), full,
      empty,
      /*fills=*/program.gathers ? 1 + kWarpThreads * fillingWarps(schedule) : 1,
      /*releases=*/schedule.sliceWarps());
  NVVM::FenceMbarrierInitOp::create(b);
  return {full, ring};
}

static RoleOp createRole(ImplicitLocOpBuilder &b, StringRef name, int64_t warps,
                         int registers, bool oneThread) {
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
/// body is empty but for the terminator. The old one stands behind it.
static KLoopOp cloneTiles(ImplicitLocOpBuilder &b, Program program, Value ring,
                          Value slice, bool fills) {
  ForTilesOp tiles = program.tiles;
  const Schedule &schedule = program.schedule;
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

static void buildCopyRole(ImplicitLocOpBuilder &b, const Program &program,
                          const RoleRing &ring) {
  const Schedule &schedule = program.schedule;
  RoleOp role =
      createRole(b, "copy", schedule.copyWarps, schedule.producerRegisters,
                 /*oneThread=*/!program.gathers);
  const bool hasSlices = schedule.kSlices > 1;
  KLoopOp loop =
      cloneTiles(b, program, ring.ring, hasSlices ? role.getWarp() : Value(),
                 /*fills=*/true);
  auto old = cast<KLoopOp>(loop->getNextNode());
  fillSlot(b, {role, loop, ring.full, schedule, old.getOnly<CopyWeightsOp>(),
               old.getOnly<CopyActivationsOp>(),
               old.getOnly<GatherActivationsOp>()});
  YieldOp::create(b);
  old.erase();
  role.walk([](StoreTileOp store) { store.erase(); });
  eraseUnusedRows(role);
  b.setInsertionPointAfter(role);
}

/// Adds the sums of all slices in front of the store, which the first slice
/// does alone then.
static void reduceSlices(ImplicitLocOpBuilder &b, const Program &program,
                         StoreTileOp store, Value slice) {
  const Schedule &schedule = program.schedule;
  b.setInsertionPoint(store);
  VectorType sums = store.getAccumulator().getType();
  const SharedRegion region = SharedMemoryMap(schedule, program.layout).sums;
  Value buffer = sharedBuffer(b,
                              {region.count * sums.getNumElements(),
                               int64_t(kWarpThreads) * schedule.sliceWarps()},
                              b.getF32Type(), region.offset);
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

/// Whether warpgroups of the last tile along N, which have no columns, multiply
/// as few tokens as a group of wgmma can. Measured in the tallest tiles of sums
/// that are promoted every 512 and fit one fragment of whole steps: 0.986 of
/// the time where half of one tile of 23 along N is no column. Tiles of 160
/// tokens took 1.007 to 1.013.
static bool sparesMissing(const Program &program, TileMatmulOp matmul,
                          int64_t blocks) {
  constexpr int kTall = 176, kPromotion = 512;
  const Schedule &schedule = program.schedule;
  const int64_t along = schedule.tileRows / program.layout.rows;
  return matmul.getAccumulation() &&
         matmul.getAccumulation()->getInterval() == kPromotion &&
         schedule.tileTokens == kTall && schedule.overlapDecode &&
         schedule.kSlices == 1 && schedule.warpsRows == 4 * along &&
         schedule.heightStep() < kTall && blocks % along != 0;
}

/// The tokens that a warp multiplies: those of the tile, or one if the warp's
/// block of rows of weights is none.
static Value tokensOfWarp(ImplicitLocOpBuilder &b, const Program &program,
                          RoleOp role, TileMatmulOp matmul) {
  constexpr int64_t kWarpsOfGroup = 4;
  Value tokens = matmul.getTokens();
  auto copy = matmul->getParentOfType<KLoopOp>().getOnly<CopyWeightsOp>();
  const int64_t blocks =
      cast<MemRefType>(copy.getSource().getType()).getDimSize(1);
  if (!sparesMissing(program, matmul, blocks))
    return tokens;
  const int64_t along = program.schedule.tileRows / program.layout.rows;
  Value column = matmul->getParentOfType<ForTilesOp>().getColumn();
  Value block = arith::AddIOp::create(
      b, arith::MulIOp::create(b, column, indexConstant(b, along)),
      arith::DivUIOp::create(b, role.getWarp(),
                             indexConstant(b, kWarpsOfGroup)));
  Value isThere = arith::CmpIOp::create(b, arith::CmpIPredicate::ult, block,
                                        indexConstant(b, blocks));
  return arith::SelectOp::create(b, isThere, tokens, indexConstant(b, 1));
}

static void buildMultiplyRole(ImplicitLocOpBuilder &b, const Program &program,
                              Value ring) {
  const Schedule &schedule = program.schedule;
  RoleOp role =
      createRole(b, "multiply", schedule.consumerWarps(),
                 RegisterBudget(schedule, targetOf(program.kernel)).consumer,
                 /*oneThread=*/false);
  Value slice;
  if (schedule.kSlices > 1)
    slice = arith::DivUIOp::create(b, role.getWarp(),
                                   indexConstant(b, schedule.sliceWarps()));
  KLoopOp loop = cloneTiles(b, program, ring, slice, /*fills=*/false);
  auto old = cast<KLoopOp>(loop->getNextNode());
  auto matmul = old.getOnly<TileMatmulOp>();
  Value slot = RingSlotOp::create(b, b.getIndexType(), loop.getCursorOfStep());
  Value tokens;
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPoint(loop);
    tokens = makeUniform(b, tokensOfWarp(b, program, role, matmul));
  }
  Value sums = TileMatmulOp::create(
      b, matmul.getType(), loop.getCarried()[0], matmul.getWeights(), slot,
      matmul.getActivations(), tokens, matmul.getSchedule(),
      matmul.getAccumulationAttr());
  YieldOp::create(b, sums);
  old.erase();
  eraseUnusedRows(role);
  if (slice) {
    StoreTileOp store;
    role.walk([&](StoreTileOp op) { store = op; });
    reduceSlices(b, program, store, slice);
  }
  b.setInsertionPointAfter(role);
}

/// Puts the roles in place of the loop over tiles.
static void split(Program program) {
  ImplicitLocOpBuilder b(program.tiles.getLoc(), program.tiles);
  const RoleRing ring = createRing(b, program);
  auto roles = WarpRolesOp::create(b);
  b.setInsertionPointToStart(&roles.getRoles().emplaceBlock());
  buildMultiplyRole(b, program, ring.ring);
  buildCopyRole(b, program, ring);
  program.tiles.erase();
}

static void tell(const Program &program) {
  passedOn(program.tiles, kSpecializeWarps, "roles", [&] {
    const Schedule &schedule = program.schedule;
    std::string text = llvm::formatv(
        "{0} warps multiply and {1} copy, through a ring of {2} "
        "stages",
        schedule.consumerWarps(), schedule.copyWarps, schedule.stages);
    if (schedule.producerRegisters != 0)
      text += llvm::formatv("; those that copy keep {0} registers",
                            schedule.producerRegisters);
    return text;
  });
}

namespace {

struct SpecializeWarpsPass
    : mxfp4::impl::SpecializeWarpsBase<SpecializeWarpsPass> {
  using SpecializeWarpsBase::SpecializeWarpsBase;

  void runOnOperation() override {
    SmallVector<Program> programs;
    const WalkResult result = getOperation()->walk([&](ForTilesOp tiles) {
      if (tiles->getParentOfType<RoleOp>())
        return WalkResult::advance();
      const InstructionTraits &traits =
          traitsOf(tiles.getSchedule().getInstruction());
      if (!traits.isAsynchronous) {
        missedOn(tiles, kSpecializeWarps, "roles", [&] {
          return std::string("warps wait for their ") + traits.ptxName +
                 ", and copy for themselves";
        });
        return WalkResult::advance();
      }
      FailureOr<Program> program = findProgram(tiles);
      if (failed(program))
        return WalkResult::interrupt();
      programs.push_back(*program);
      return WalkResult::advance();
    });
    if (result.wasInterrupted())
      return signalPassFailure();
    for (const Program &program : programs) {
      tell(program);
      split(program);
    }
    numSpecialized += programs.size();
  }
};

} // namespace
