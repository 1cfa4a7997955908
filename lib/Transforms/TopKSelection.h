//===- TopKSelection.h - The greatest keys of a warp ------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Part of the kernel of mxfp4.top_k: lane l holds the keys of the experts l,
// l + 32, ...; for one slot after the other, the greatest key of the warp is
// found, of equal ones that of the lowest expert, and taken out.
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_LIB_TRANSFORMS_TOPKSELECTION_H
#define MXFP4_LIB_TRANSFORMS_TOPKSELECTION_H

#include "CtaBuilder.h"

namespace mxfp4 {

class TopKSelection {
public:
  /// `isPacked`: keys differ in their high halves alone, and have their expert
  /// in the low one (`pack`), so that one `redux` finds a slot and not two.
  TopKSelection(CtaBuilder &c, mlir::Value lane, int64_t perLane, bool isPacked)
      : c(c), lane(lane), perLane(perLane), isPacked(isPacked) {}

  /// Of slot s, lane s gets the expert (i32) and its key; other lanes get
  /// expert 0.
  struct Slot {
    mlir::Value expert, key;
  };
  Slot select(mlir::ValueRange keys, int64_t slots);

  /// An expert of this lane, as i32.
  mlir::Value expert(int64_t number) {
    return c.add(lane, number * kWarpThreads);
  }
  /// The high half of a key, above what is greater for lower experts.
  mlir::Value pack(mlir::Value key, mlir::Value expert);
  /// The greatest of some keys of each lane, over all lanes.
  mlir::Value maximum(mlir::ValueRange keys);
  mlir::Value noKey();

private:
  using Values = llvm::SmallVector<mlir::Value>;

  /// Keys of a lane that are looked at together; where there are more, a lane
  /// has the greatest of each group at hand.
  static constexpr int64_t kGroup = 4;
  bool isGrouped() const { return perLane > 2 * kGroup; }
  int64_t groups() const { return (perLane + kGroup - 1) / kGroup; }
  int64_t groupSize(int64_t group) const {
    return std::min(kGroup, perLane - group * kGroup);
  }

  mlir::Value expertOfPacked(mlir::Value key);
  mlir::Value greatest(mlir::ValueRange keys);
  mlir::Value take(Values &keys, int64_t first, int64_t count,
                   mlir::Value best);
  mlir::Value takeOfGroup(Values &keys, Values &tops, mlir::Value best);
  mlir::Value groupOf(mlir::ValueRange tops, mlir::Value best);
  Values selectOne(mlir::ValueRange state, mlir::Value slot);

  CtaBuilder &c;
  mlir::Value lane;
  const int64_t perLane;
  const bool isPacked;
};

} // namespace mxfp4

#endif // MXFP4_LIB_TRANSFORMS_TOPKSELECTION_H
