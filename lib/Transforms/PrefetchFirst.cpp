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
  HandOutTilesOp tiles;
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

/// A thread of the last warp, which has nothing else to do ahead of the wait,
/// asks for the weights.
static void prefetch(FirstTiles of) {
  ImplicitLocOpBuilder b(of.wait.getLoc(), of.wait);
  const Schedule &schedule = of.schedule;
  const int64_t rowBlocks = of.type.getDimSize(1);
  const int64_t blocks = schedule.tileRows / layoutOf(of.type).rows;
  // Halves that have no other one are the last tiles.
  const int64_t columns = schedule.halfTiles
                              ? std::max<int64_t>(rowBlocks / blocks, 1)
                              : llvm::divideCeil(rowBlocks, blocks);
  Value first = gpu::BlockIdOp::create(b, gpu::Dimension::x);
  Value expert = arith::DivUIOp::create(b, first, indexConstant(b, columns));
  Value thread = gpu::ThreadIdOp::create(b, gpu::Dimension::x);
  const int64_t chosen = (*of.kernel.getKnownBlockSize())[0] - 32;
  Value isChosen = arith::AndIOp::create(
      b,
      arith::CmpIOp::create(b, arith::CmpIPredicate::eq, thread,
                            indexConstant(b, chosen)),
      arith::CmpIOp::create(b, arith::CmpIPredicate::ult, expert,
                            indexConstant(b, of.type.getDimSize(0))));
  b.setInsertionPointToStart(scf::IfOp::create(b, isChosen).thenBlock());
  Value block = arith::MulIOp::create(
      b, arith::RemUIOp::create(b, first, indexConstant(b, columns)),
      indexConstant(b, blocks));
  for (int slice = 0; slice < schedule.kSlices; ++slice) {
    const auto steps = schedule.sliceSteps(slice, of.loop.getSteps());
    for (int64_t i = 0; i < std::min(blocks, rowBlocks); ++i) {
      Value row = arith::AddIOp::create(b, block, indexConstant(b, i));
      if (columns * blocks > rowBlocks)
        row = arith::MinUIOp::create(b, row, indexConstant(b, rowBlocks - 1));
      PrefetchWeightsOp::create(b, of.weights, expert, row, steps.begin,
                                std::min(steps.count, kSteps));
    }
  }
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
