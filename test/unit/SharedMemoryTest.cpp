//===- SharedMemoryTest.cpp -----------------------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Schedules.h"

#include "mxfp4/Core/Resources.h"
#include "mxfp4/Core/ScheduleText.h"

#include <gtest/gtest.h>

#include <algorithm>

using namespace mxfp4;

namespace {

// Stages, then the table of tiles: two entries more than there are groups, in
// whole units of 16 bytes. What mma.sync decodes is declared by the kernel.
TEST(SharedMemory, BytesAreTheSumOfTheParts) {
  Schedule schedule;
  schedule.tileRows = 128;
  schedule.tileTokens = 32;
  schedule.stages = 3;
  const int64_t stages = int64_t(3) * (2 * 2176 + 32 * 128);
  EXPECT_EQ(SharedMemoryMap(schedule, BlockLayout(), 2).bytes(), stages + 16);
  EXPECT_EQ(SharedMemoryMap(schedule, BlockLayout(), 3).bytes(), stages + 32);
  schedule.placement = Placement::Shared;
  EXPECT_EQ(SharedMemoryMap(schedule, BlockLayout(), 3).dynamicBytes(),
            stages + 32);
  EXPECT_EQ(SharedMemoryMap(schedule, BlockLayout(), 3).bytes(),
            stages + 32 + int64_t(128) * 128);
}

// wgmma: activations; two decoded blocks of 64 x 64 bf16 for each warpgroup, if
// they are decoded to shared memory; weights; the f32 sums of a K slice; the
// table. Barriers are declared, and end where the next KiB begins.
TEST(SharedMemory, WgmmaHasItsRegionsInOrder) {
  Schedule schedule = tiled(128, 32, 8, 8, 2, 1);
  schedule.stages = 6;
  const int64_t activations = int64_t(6) * 32 * 128,
                packed = int64_t(6) * 2 * 2176;
  const int64_t sums = int64_t(128) * 32 * 4;
  SharedMemoryMap map(schedule, BlockLayout(), 2);
  EXPECT_EQ(map.weights.offset, activations);
  EXPECT_EQ(map.sums.offset, activations + packed);
  EXPECT_EQ(map.dynamicBytes(), activations + packed + sums + 16);
  EXPECT_EQ(map.bytes(), map.dynamicBytes() + 1024);
  schedule.placement = Placement::Shared;
  const int64_t decoded = int64_t(4) * 2 * 64 * 128;
  map = SharedMemoryMap(schedule, BlockLayout(), 2);
  EXPECT_EQ(map.decoded.offset, activations);
  EXPECT_EQ(map.decoded.bytes, decoded);
  EXPECT_EQ(map.weights.offset, activations + decoded);
  EXPECT_EQ(map.bytes(), activations + decoded + packed + sums + 16 + 1024);
  // Of e5m2, two blocks of 64 x 128 have as many bytes.
  const BlockLayout bytes =
      BlockLayout::of(CodeOrder::Bytes, ScaleEncoding::Relative);
  Schedule eight = schedule;
  eight.instruction = Instruction::WgmmaFP8;
  map = SharedMemoryMap(eight, bytes, 2);
  EXPECT_EQ(map.decoded.offset, activations);
  EXPECT_EQ(map.decoded.bytes, decoded);
  EXPECT_EQ(map.weights.bytes, int64_t(6) * 2 * 4352);
  schedule.kSlices = 1;
  EXPECT_EQ(SharedMemoryMap(schedule, BlockLayout()).sums.bytes, 0);
  schedule.sideBySide = true;
  EXPECT_EQ(SharedMemoryMap(schedule, BlockLayout()).fixed.bytes, 2048);
}

// No gap, no overlap, every region aligned, stages alike; and an offset does
// not depend on the number of groups.
TEST(SharedMemory, RegionsOfEveryScheduleFollowEachOther) {
  for (const Placement placement : {Placement::Register, Placement::Shared})
    for (const Schedule &schedule : allSchedules(h100(), placement)) {
      const SharedMemoryMap map(schedule, BlockLayout(), 32),
          more(schedule, BlockLayout(), 1000);
      int64_t next = 0;
      for (const SharedRegion &region : map.regions()) {
        EXPECT_EQ(region.offset, next) << region.name;
        EXPECT_GT(region.bytes, 0) << region.name;
        EXPECT_EQ(region.offset % region.alignment, 0) << region.name;
        EXPECT_EQ(region.bytes % region.count, 0) << region.name;
        next += region.bytes;
      }
      EXPECT_EQ(next, map.dynamicBytes());
      EXPECT_EQ(map.table.offset, more.table.offset);
      EXPECT_EQ(map.activations.count, schedule.stages);
      if (schedule.instruction == Instruction::Wgmma) {
        EXPECT_EQ(schedule.activationStageBytes() % 1024, 0);
        // The dynamic part begins behind it.
        EXPECT_EQ(map.fixed.bytes % 1024, 0);
      }
    }
}

} // namespace
