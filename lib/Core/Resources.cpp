//===- Resources.cpp - What a schedule takes of the machine ---------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mxfp4/Core/Resources.h"

#include <algorithm>

using namespace mxfp4;

/// Bytes of what the baseline decodes to: all of the tile, or two blocks for
/// the warps of each instruction if they go on while it reads one.
static int64_t decodedBytes(const Schedule &s, const BlockLayout &layout) {
  if (s.placement != Placement::Shared)
    return 0;
  const InstructionTraits &traits = s.traits();
  const int rows = traits.readsSharedA
                       ? s.consumerWarps() / traits.warps * 2 * layout.rows
                       : s.tileRows;
  return int64_t(rows) * kRowBytes;
}

/// K slices that leave their sums at once, each in a buffer of its own: all but
/// the first, which else wait for each other, in tiles of few tokens; or one
/// after the other. Of bf16, six of them took 0.96 to 0.98 of the time in ten
/// cases, three and five 0.98 to 1.03; of 8-bit numbers, five took 0.97 to 1.00
/// in 62 of 64 cases, and three were measured with buffers of their own alone
/// (docs/tuning/FewTiles.md and FewRowsFP8.md).
static int sumBuffers(const Schedule &s) {
  constexpr int kMostSlices = 8, kMostTokens = 16;
  const int fewest = s.traits().cutsSums() ? 3 : 6;
  const bool areAlone = s.kSlices >= fewest && s.kSlices <= kMostSlices &&
                        s.tileTokens <= kMostTokens && !s.sideBySide &&
                        s.wideFrom == 0 && s.placement == Placement::Register;
  return areAlone ? s.kSlices - 1 : 1;
}

SharedMemoryMap::SharedMemoryMap(const Schedule &s, const BlockLayout &layout,
                                 int64_t groups) {
  const InstructionTraits &traits = s.traits();
  const int64_t decodedSize = decodedBytes(s, layout);
  // Programs that run side by side have their own.
  int64_t offset =
      s.isBeside()
          ? (SharedMemoryMap(s.shortProgram(), layout).table.offset + 1023) /
                1024 * 1024
          : 0;
  const auto next = [&](const char *name, int64_t bytes, int64_t alignment,
                        int count = 1) {
    SharedRegion region{name, offset, bytes, alignment, count};
    offset += bytes;
    return region;
  };
  activations =
      next("activations", int64_t(s.stages) * s.activationStageBytes(),
           traits.readsSharedB() ? 1024 : 128, s.stages);
  decoded = next("decoded", traits.readsSharedA ? decodedSize : 0, 1024);
  weights = next("weights", int64_t(s.stages) * s.weightStageBytes(layout), 16,
                 s.stages);
  sums = next("sums",
              s.kSlices > 1
                  ? int64_t(sumBuffers(s)) * s.tileRows * s.tileTokens * 4
                  : 0,
              16, sumBuffers(s));
  // Wide tiles begin where the others do.
  int64_t more = 0;
  if (s.wideFrom != 0 && !s.isWide())
    more = SharedMemoryMap(s.wideProgram(), layout).table.offset - offset;
  if (s.shortTo != 0 && !s.isShort() && !s.isBeside())
    more = SharedMemoryMap(s.besideProgram(), layout).table.offset - offset -
           s.bringBytes;
  wide = next("wide", std::max<int64_t>(more, 0), 16);
  // Of programs beside each other, that of short groups brings the rows of
  // both.
  rows = next("rows", s.isBeside() ? 0 : s.bringBytes, 16);
  const int tables = s.wideFrom != 0 || s.shortTo != 0 ? 2 : 1;
  // In whole 16-byte units so that what follows stays aligned.
  table = next("table", tables * ((s.tableEntries(groups) + 3) / 4 * 16), 16,
               tables);
  // Barriers are few, but dynamic shared memory begins at the next multiple of
  // 1024; and each of the up to 16 arrays of two or three programs begins at
  // one of 128.
  const bool isMore = s.sideBySide || s.wideFrom != 0 || s.shortTo != 0;
  const int64_t barriers = isMore ? 2048 : 1024;
  fixed = {"fixed", 0, traits.isAsynchronous ? barriers : decodedSize, 128, 1};
}

std::vector<SharedRegion> SharedMemoryMap::regions() const {
  std::vector<SharedRegion> result;
  for (const SharedRegion &region :
       {activations, decoded, weights, sums, wide, rows, table})
    if (region.bytes != 0)
      result.push_back(region);
  return result;
}

RegisterBudget::RegisterBudget(const Schedule &s, const Target &target) {
  // An SM's warps are spread over its four partitions, each of which has a
  // fourth of the registers, and ptxas counts the warps of the fullest. The
  // pool is what the launch reserves: asking for more would hang.
  constexpr int partitions = 4;
  const int warps = s.threads() / kWarpThreads * s.ctasPerMultiprocessor,
            fullest = (warps + partitions - 1) / partitions,
            share = target.registersPerMultiprocessor / partitions /
                    (kWarpThreads * fullest) / 8 * 8;
  launch = std::min(share, target.registersPerThread);
  const int groups = s.multiplyingWarps() / 4;
  if (s.producerRegisters == 0 || groups == 0)
    return;
  producer = s.producerRegisters;
  const int rest = (share * (groups + 1) - producer) / groups;
  consumer = std::min(rest, target.registersPerThread) / 8 * 8;
}

int mxfp4::storeColumnsOf(const Schedule &schedule, bool looksRowsUp,
                          bool masksColumns) {
  constexpr int fewest = 2;
  return looksRowsUp && masksColumns ? std::min(fewest, schedule.storeColumns)
                                     : schedule.storeColumns;
}
