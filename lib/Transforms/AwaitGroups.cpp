//===- AwaitGroups.cpp - Tiles that wait for their rows -------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KernelBuilding.h"
#include "KernelRemarks.h"

#include "mxfp4/IR/KernelSignature.h"
#include "mxfp4/IR/MXFP4.h"
#include "mxfp4/Transforms/Passes.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

namespace mxfp4 {
#define GEN_PASS_DEF_AWAITGROUPS
#include "mxfp4/Transforms/Passes.h.inc"
} // namespace mxfp4

using namespace mlir;
using namespace mxfp4;

static constexpr StringLiteral kAwaitGroups = "mxfp4-await-groups";

/// What the kernel does at first: wait for the kernel ahead, and let the next
/// one begin.
static SmallVector<NVVM::GriddepcontrolOp> findControls(gpu::GPUFuncOp kernel) {
  SmallVector<NVVM::GriddepcontrolOp> controls;
  kernel.walk([&](NVVM::GriddepcontrolOp op) { controls.push_back(op); });
  return controls;
}

/// The columns of the activations, which TMA reads.
static FailureOr<int64_t> countColumns(gpu::GPUFuncOp kernel) {
  BlockArgument x = findArgument(kernel, "x");
  auto attr = x ? kernel.getArgAttrOfType<ArgAttr>(
                      x.getArgNumber(), MXFP4Dialect::getArgAttrName())
                : ArgAttr();
  if (!attr || !attr.getMaps())
    return kernel.emitOpError("requires an argument \"x\" with tensor maps of "
                              "activations to wait for their groups");
  return attr.getMaps().getDimSize(1);
}

/// Lets the warp that hands out tiles wait for counts.
static LogicalResult awaitGroups(gpu::GPUFuncOp kernel, Value awaited,
                                 ArrayRef<HandOutTilesOp> programs) {
  FailureOr<int64_t> columns = countColumns(kernel);
  if (failed(columns))
    return failure();
  for (HandOutTilesOp tiles : programs) {
    if (tiles.getExpertIds() || tiles.getRows())
      return tiles.emitOpError("requires neither expert ids nor rows that are "
                               "brought to wait for groups");
    tiles.getAwaitedMutable().assign(awaited);
    ImplicitLocOpBuilder b(tiles.getLoc(), tiles);
    tiles.getAwaitedColumnsMutable().assign(i32Constant(b, *columns));
  }
  for (NVVM::GriddepcontrolOp op : findControls(kernel))
    op.erase();
  passedOn(programs.front(), kAwaitGroups, "wait", [] {
    return std::string("tiles wait for the rows of their groups, and not for "
                       "the kernel ahead");
  });
  return success();
}

namespace {

struct AwaitGroupsPass : mxfp4::impl::AwaitGroupsBase<AwaitGroupsPass> {
  using AwaitGroupsBase::AwaitGroupsBase;

  void runOnOperation() override {
    SmallVector<gpu::GPUFuncOp> kernels;
    getOperation()->walk([&](gpu::GPUFuncOp op) { kernels.push_back(op); });
    for (gpu::GPUFuncOp kernel : kernels) {
      Value awaited = findArgument(kernel, "awaited");
      SmallVector<HandOutTilesOp> programs;
      kernel.walk([&](HandOutTilesOp op) { programs.push_back(op); });
      if (!awaited)
        continue;
      if (programs.empty() ||
          !awaitsGroups(programs.front().getSchedule().toSchedule())) {
        missedOn(kernel, kAwaitGroups, "wait", [] {
          return "no warp hands out tiles, or weights are copied ahead";
        });
        continue;
      }
      if (failed(awaitGroups(kernel, awaited, programs)))
        return signalPassFailure();
      ++numAwaiting;
    }
  }
};

} // namespace
