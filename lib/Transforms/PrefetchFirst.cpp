//===- PrefetchFirst.cpp - Weights of the first tiles into L2 -------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KernelBuilding.h"
#include "KernelRemarks.h"

#include "mxfp4/IR/MXFP4.h"
#include "mxfp4/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

#include <variant>

namespace mxfp4 {
#define GEN_PASS_DEF_PREFETCHFIRST
#include "mxfp4/Transforms/Passes.h.inc"
} // namespace mxfp4

using namespace mlir;
using namespace mxfp4;

static constexpr StringLiteral kPrefetchFirst = "mxfp4-prefetch-first";

/// Steps of each K slice: with all steps of a tile, 5 to 10 % less of what the
/// fetch gains were gained.
static constexpr int64_t kSteps = 2;

namespace {
/// A kernel that may fetch weights of its first tiles.
struct FirstTiles {
  gpu::GPUFuncOp kernel;
  NVVM::GriddepcontrolOp wait;
  HandOutTilesOp tiles;
  KLoopOp loop;
  MemRefType type;
  Value weights;
  Schedule schedule;
};
} // namespace

/// The kernel around roles, if the first tile of a CTA has its number, or why
/// nothing is fetched.
static std::variant<FirstTiles, StringRef> findFirstTiles(WarpRolesOp roles) {
  FirstTiles found;
  HandOutTilesOp &tiles = found.tiles;
  BulkCopyWeightsOp copy;
  roles.walk([&](HandOutTilesOp op) { tiles = op; });
  roles.walk([&](BulkCopyWeightsOp op) { copy = op; });
  found.kernel = roles->getParentOfType<gpu::GPUFuncOp>();
  if (!tiles || !copy || !found.kernel)
    return "no role hands out tiles whose weights another copies";
  found.schedule = tiles.getSchedule().toSchedule();
  if (!found.schedule.prefetchFirst)
    return "its schedule has no prefetch_first";
  for (auto op :
       found.kernel.getBody().front().getOps<NVVM::GriddepcontrolOp>())
    if (op.getKind() == NVVM::GridDepActionKind::wait)
      found.wait = op;
  if (!found.wait || tiles.getExpertIds() ||
      !tiles.getFirst().getDefiningOp<gpu::BlockIdOp>() ||
      !found.kernel.getKnownBlockSize())
    return "its first tile is not that of the CTA's number, or is known only "
           "behind the wait";
  found.weights = copy.getSource();
  found.type = cast<MemRefType>(found.weights.getType());
  found.loop = copy->getParentOfType<KLoopOp>();
  if (!found.loop || found.type.isDynamicDim(0))
    return "its weights are of an unknown number of experts";
  return found;
}

/// A block's first steps of each K slice.
static void prefetchBlock(ImplicitLocOpBuilder &b, FirstTiles of, Value expert,
                          Value block) {
  for (int slice = 0; slice < of.schedule.kSlices; ++slice) {
    const auto steps = of.schedule.sliceSteps(slice, of.loop.getSteps());
    PrefetchWeightsOp::create(b, of.weights, expert, block, steps.begin,
                              std::min(steps.count, kSteps));
  }
}

/// The blocks of a tile, or of half a tile. Blocks behind the last one are not
/// there.
static void prefetchTile(ImplicitLocOpBuilder &b, FirstTiles of, Value expert,
                         Value column) {
  const int64_t rowBlocks = of.type.getDimSize(1);
  const int64_t blocks = of.schedule.tileRows / layoutOf(of.type).rows;
  if (of.schedule.halfTiles) {
    // A half begins with a block of its own, and may be alone.
    Value one = indexConstant(b, 1);
    Value block = arith::ShRUIOp::create(b, column, one);
    prefetchBlock(b, of, expert, block);
    Value isWhole = arith::CmpIOp::create(b, arith::CmpIPredicate::eq,
                                          arith::AndIOp::create(b, column, one),
                                          indexConstant(b, 0));
    b.setInsertionPointToStart(scf::IfOp::create(b, isWhole).thenBlock());
    prefetchBlock(b, of, expert, arith::AddIOp::create(b, block, one));
    return;
  }
  Value first = arith::MulIOp::create(b, column, indexConstant(b, blocks));
  for (int64_t i = 0; i < std::min(blocks, rowBlocks); ++i) {
    Value block = arith::AddIOp::create(b, first, indexConstant(b, i));
    if (rowBlocks % blocks != 0)
      block = arith::MinUIOp::create(b, block, indexConstant(b, rowBlocks - 1));
    prefetchBlock(b, of, expert, block);
  }
}

/// The last warp, which has nothing else to do ahead of the wait, guesses where
/// the CTA's first tile is, and a lane asks for its weights.
static void prefetch(FirstTiles of) {
  ImplicitLocOpBuilder b(of.wait.getLoc(), of.wait);
  Value cta = gpu::BlockIdOp::create(b, gpu::Dimension::x);
  Value thread = gpu::ThreadIdOp::create(b, gpu::Dimension::x);
  Value before =
      indexConstant(b, (*of.kernel.getKnownBlockSize())[0] - kWarpThreads);
  Value isChosen =
      arith::CmpIOp::create(b, arith::CmpIPredicate::uge, thread, before);
  b.setInsertionPointToStart(scf::IfOp::create(b, isChosen).thenBlock());
  auto guess = GuessFirstOp::create(
      b, cta, arith::SubIOp::create(b, thread, before), of.tiles.getOffsets(),
      of.tiles.getColumns(), of.tiles.getSchedule());
  b.setInsertionPointToStart(
      scf::IfOp::create(b, guess.getFound()).thenBlock());
  prefetchTile(b, of, guess.getExpert(), guess.getColumn());
}

namespace {

struct PrefetchFirstPass : mxfp4::impl::PrefetchFirstBase<PrefetchFirstPass> {
  using PrefetchFirstBase::PrefetchFirstBase;

  void runOnOperation() override {
    SmallVector<WarpRolesOp> programs;
    getOperation()->walk([&](WarpRolesOp roles) { programs.push_back(roles); });
    for (WarpRolesOp roles : programs) {
      const std::variant<FirstTiles, StringRef> found = findFirstTiles(roles);
      if (const auto *why = std::get_if<StringRef>(&found)) {
        missedOn(roles, kPrefetchFirst, "weights", [&] { return why->str(); });
        continue;
      }
      prefetch(std::get<FirstTiles>(found));
      passedOn(roles, kPrefetchFirst, "weights", [] {
        return std::string("weights of the first tile's first steps are "
                           "fetched into L2 ahead of the wait");
      });
      ++numPrefetching;
    }
  }
};

} // namespace
