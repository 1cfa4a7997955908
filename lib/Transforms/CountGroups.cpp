//===- CountGroups.cpp - One warp counts what others have stored ----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KernelBuilding.h"
#include "KernelRemarks.h"

#include "mxfp4/IR/MXFP4.h"
#include "mxfp4/Transforms/Passes.h"

namespace mxfp4 {
#define GEN_PASS_DEF_COUNTGROUPS
#include "mxfp4/Transforms/Passes.h.inc"
} // namespace mxfp4

using namespace mlir;
using namespace mxfp4;

static constexpr StringLiteral kCountGroups = "mxfp4-count-groups";

/// Hands counts over from what stores to what hands out tiles.
static void countInScheduler(StoreTileOp store, HandOutTilesOp tiles) {
  ImplicitLocOpBuilder b(tiles.getLoc(), tiles);
  const int64_t columns =
      cast<MemRefType>(store.getDestination().getType()).getDimSize(1);
  const int64_t ofTile =
      tiles.getSchedule().toSchedule().tileRows / (store.takesPairs() ? 2 : 1);
  tiles.getStoredMutable().assign(store.getStored());
  tiles.getStoredColumnsMutable().assign(i32Constant(b, columns));
  tiles.getTileColumnsMutable().assign(i32Constant(b, ofTile));
  store.getStoredMutable().clear();
  passedOn(tiles, kCountGroups, "counts", [] {
    return std::string("the warp that hands out tiles counts those that have "
                       "been stored");
  });
}

namespace {

struct CountGroupsPass : mxfp4::impl::CountGroupsBase<CountGroupsPass> {
  using CountGroupsBase::CountGroupsBase;

  void runOnOperation() override {
    SmallVector<WarpRolesOp> programs;
    getOperation()->walk([&](WarpRolesOp roles) { programs.push_back(roles); });
    for (WarpRolesOp roles : programs) {
      auto store = onlyIn<StoreTileOp>(roles);
      auto tiles = onlyIn<HandOutTilesOp>(roles);
      if (!store || !tiles || !store.getStored())
        continue;
      countInScheduler(store, tiles);
      ++numCounted;
    }
  }
};

} // namespace
