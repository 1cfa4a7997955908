//===- ChooseScheduleRangesTest.cpp ---------------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Schedules.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <optional>

using namespace mxfp4;

namespace {

/// Expects every hint of rows up to `most` to be in one range, which all hints
/// in it agree on.
void expectRanges(Problem problem, const Target &target, int64_t most) {
  int64_t next = 0;
  while (next <= most) {
    problem.rowsHint = std::max<int64_t>(next, 1);
    const ScheduleChoice choice = chooseSchedule(problem, target);
    ASSERT_EQ(choice.rowsFrom, next);
    ASSERT_GE(choice.rowsTo, problem.rowsHint);
    const int64_t last = std::min(choice.rowsTo, most);
    // Hints at both ends, and some between.
    const int64_t step = std::max<int64_t>((last - next) / 5, 1);
    for (int64_t hint = problem.rowsHint; hint <= last;
         hint = hint < last ? std::min(hint + step, last) : last + 1) {
      Problem other = problem;
      other.rowsHint = hint;
      const ScheduleChoice same = chooseSchedule(other, target);
      ASSERT_EQ(same.schedule, choice.schedule) << hint;
      ASSERT_EQ(same.rowsFrom, choice.rowsFrom) << hint;
      ASSERT_EQ(same.rowsTo, choice.rowsTo) << hint;
    }
    if (choice.rowsTo >= most)
      return;
    next = choice.rowsTo + 1;
  }
}

// Also where a warp brings rows for some hints, and threads gather them for
// hints between.
TEST(ChooseSchedule, RangesOfAllHintsPartitionTheRows) {
  constexpr int64_t most = 8192;
  int64_t brought = 0;
  for (const char *device : {"h100-sxm", "h200"})
    for (auto [experts, n, k] : {std::array<int64_t, 3>{8, 1408, 2048},
                                 {32, 5760, 2880},
                                 {128, 1024, 2048}})
      for (int promotion : {-1, 0, 512})
        for (bool through : {false, true}) {
          Problem problem = {experts, experts, n, k};
          if (promotion >= 0) {
            problem = sizedFP8(experts, 0, k, promotion);
            problem.n = n;
          }
          problem.gathers = problem.through = through;
          SCOPED_TRACE(std::string(device) + " E=" + std::to_string(experts) +
                       " N=" + std::to_string(n) + " promotion " +
                       std::to_string(promotion) + " through " +
                       std::to_string(through));
          problem.hasEpilogue = through;
          expectRanges(problem, targetFor(device), most);
          problem.rowsHint = most;
          brought += choose(problem).schedule.bringBytes != 0;
        }
  EXPECT_GT(brought, 0);
}

TEST(ChooseSchedule, TheMostRowsAreNoNegativeNumberPerGroup) {
  const ScheduleChoice choice = choose({2, 2, 64, 64, INT64_MAX});
  EXPECT_NE(choice.reason.find("(4611686018427387904 expected per group)"),
            std::string::npos)
      << choice.reason;
}

TEST(ChooseSchedule, BringingAndGatheringHaveRangesOfTheirOwn) {
  Problem problem = {8, 8, 1408, 2048, 784};
  problem.gathers = problem.through = true;
  const ScheduleChoice gathers = choose(problem);
  problem.rowsHint = 912;
  const ScheduleChoice brings = choose(problem);
  EXPECT_EQ(gathers.schedule.bringBytes, 0);
  EXPECT_GT(brings.schedule.bringBytes, 0);
  EXPECT_LT(gathers.rowsTo, brings.rowsFrom);
}

// Measured on an H200 for tiles of up to 16 tokens of one kind.
TEST(ChooseSchedule, FirstTilesOfFewRowsAreFetched) {
  const auto fetches = [](const Problem &problem, const char *device = "h200") {
    return choose(problem, {}, targetFor(device)).schedule.prefetchFirst;
  };
  for (int64_t rows : {4, 16, 64, 256})
    EXPECT_TRUE(fetches({32, 32, 2880, 2880, rows})) << rows;
  EXPECT_TRUE(fetches({512, 512, 1024, 2688, 22}));
  // Without K slices.
  EXPECT_TRUE(fetches({256, 256, 4096, 256, 96}));
  EXPECT_FALSE(fetches({32, 32, 2880, 2880, 64}, "h100-sxm"));
  EXPECT_FALSE(fetches({32, 32, 2880, 2880, 1024}));
  EXPECT_FALSE(fetches({128, 128, 2880, 2880, 512})); // Two kinds.
  // In a layer.
  Problem layers = {32, 32, 5760, 2880, 64};
  layers.hasEpilogue = true;
  EXPECT_FALSE(fetches(layers));
  layers.hasEpilogue = false;
  layers.gathers = true;
  EXPECT_FALSE(fetches(layers));
  layers.gathers = false;
  EXPECT_TRUE(fetches(layers));
  layers.olderInputs = true;
  EXPECT_FALSE(fetches(layers));
  Preference baseline;
  baseline.placement = Placement::Shared;
  EXPECT_FALSE(choose({32, 32, 5760, 2880, 64}, baseline, targetFor("h200"))
                   .schedule.prefetchFirst);
}

// Measured on an H200 for tiles of up to 16 tokens of one kind.
TEST(ChooseSchedule, OlderInputsAreCopiedAheadForFewRows) {
  const auto copies = [](Problem problem, const char *device) {
    problem.olderInputs = true;
    const Schedule with = choose(problem, {}, targetFor(device)).schedule;
    problem.olderInputs = false;
    Schedule without = choose(problem, {}, targetFor(device)).schedule;
    EXPECT_FALSE(without.copiesAhead);
    without.copiesAhead = with.copiesAhead;
    // In its place, weights are fetched where nothing is promised.
    without.prefetchFirst &= !with.copiesAhead;
    EXPECT_EQ(with, without); // Nothing else follows from it.
    return with.copiesAhead;
  };
  for (int64_t rows : {4, 16, 64})
    EXPECT_TRUE(copies({32, 32, 2880, 2880, rows}, "h200"));
  Problem ahead = {32, 32, 2880, 2880, 64};
  ahead.olderInputs = ahead.hasEpilogue = true;
  EXPECT_EQ(choose(ahead, {}, targetFor("h200")).schedule.kSlices, 6);
  EXPECT_TRUE(copies({128, 128, 2880, 2880, 256}, "h200"));
  EXPECT_FALSE(copies({128, 128, 2880, 2880, 512}, "h200")); // Two kinds.
  EXPECT_FALSE(copies({32, 32, 2880, 2880, 1024}, "h200"));
  EXPECT_FALSE(copies({128, 128, 2880, 2880, 1536}, "h200")); // A dozen rows.
  EXPECT_TRUE(copies({32, 32, 2880, 832, 64}, "h200"));
  // Tiles of 16 tokens for few steps of K were not measured.
  EXPECT_FALSE(copies({32, 32, 2880, 768, 64}, "h200"));
  EXPECT_FALSE(copies({128, 128, 5760, 512, 1024}, "h200"));
  EXPECT_FALSE(copies({128, 128, 5760, 448, 1024}, "h200"));
  EXPECT_FALSE(copies({32, 32, 2880, 2880, 64}, "h100"));
  // In FP8 behind gate_up, and not behind a kernel that rounds rows.
  Problem fp8 = sizedFP8(32, 64, 2880, 512);
  EXPECT_TRUE(copies(fp8, "h200"));
  fp8.readsRowValues = true;
  EXPECT_FALSE(copies(fp8, "h200"));
}

// A producer of 24 registers spills where one of its warps brings rows.
TEST(ChooseSchedule, WarpsThatBringRowsHaveRegisters) {
  for (int promotion : {-1, 0, 128, 512}) {
    std::optional<int> fp8;
    if (promotion >= 0)
      fp8 = promotion;
    const std::vector<Schedule> all =
        allBringingSchedules(h100(), Placement::Register, fp8);
    EXPECT_FALSE(all.empty());
    for (const Schedule &schedule : all) {
      EXPECT_GT(schedule.bringBytes, 0);
      EXPECT_TRUE(schedule.producerRegisters == 0 ||
                  schedule.producerRegisters >= 32);
      Problem problem =
          fp8 ? sizedFP8(32, 0, 5760, *fp8) : Problem{32, 32, 5760, 2880};
      problem.through = true;
      EXPECT_EQ(verifySchedule(schedule, problem, h100()), "");
    }
  }
  // The same as what problems get.
  Problem problem = sizedFP8(8, 16384, 2048, 512);
  problem.n = 1024;
  problem.gathers = problem.through = true;
  const Schedule chosen = choose(problem, {}, targetFor("h200")).schedule;
  EXPECT_TRUE(chosen.bringBytes == 0 || chosen.producerRegisters >= 32);
}

// 24 warps of three K slices spill with 72 tokens and an epilogue; of two they
// do not, nor do those of six with 16 tokens.
TEST(ChooseSchedule, TheTightestTilesHaveNoEpilogue) {
  for (const char *device : {"h200", "h20"})
    for (int64_t groups : {32, 128})
      for (int64_t n : {1024, 2880, 5760}) {
        int tight = 0, shared = 0;
        for (int64_t mean = 1; mean < 200; ++mean) {
          Problem problem = {groups, groups, n, 2880, groups * mean};
          const Target target = targetFor(device);
          Schedule plain = chooseSchedule(problem, target).schedule;
          problem.hasEpilogue = true;
          const Schedule fused = chooseSchedule(problem, target).schedule;
          EXPECT_EQ(verifySchedule(fused, problem, target), "");
          EXPECT_FALSE(fused.kSlices == 3 && fused.tileTokens > 64) << mean;
          // A matmul alone has halves in long launches, too.
          plain.halfTiles &= fused.halfTiles;
          EXPECT_FALSE(fused.prefetchFirst);
          plain.prefetchFirst = false;
          // Or tells short groups.
          plain = plain.withoutShort();
          if (fused.kSlices == 2 && fused.tileTokens == 72) {
            EXPECT_EQ(fused.tileRows, 192);
            EXPECT_TRUE(mean >= 55 && mean <= 56) << mean;
            ++shared;
          }
          if (plain.sideBySide && plain.tileTokens > 64)
            ++tight;
          else
            EXPECT_EQ(fused, plain) << mean;
        }
        if (std::string(device) == "h200" && groups == 32 && n > 1024)
          EXPECT_GT(tight, 0) << n;
        // Only with few waves.
        const int64_t tiles = groups * ((n + 383) / 384);
        const bool isFew =
            tiles <= 2 * targetFor(device).device.multiprocessors;
        EXPECT_EQ(shared, isFew ? 2 : 0) << device << ", " << n;
      }
}

// Nor where threads gather, or a warp may bring rows.
TEST(ChooseSchedule, TilesThatShareTheMostHaveRowsInOrder) {
  Problem problem = {32, 32, 2880, 2880, 32 * 56};
  problem.hasEpilogue = true;
  const auto tokens = [&] {
    return choose(problem, {}, targetFor("h200")).schedule.tileTokens;
  };
  EXPECT_EQ(tokens(), 72);
  problem.gathers = true;
  EXPECT_EQ(tokens(), 96);
  problem.through = true;
  EXPECT_EQ(tokens(), 96);
}

// The rows that a choice says it serves lead to the same choice, at both ends,
// and the next one to another.
TEST(ChooseSchedule, RangesOfRowsAreExact) {
  for (auto [device, groups] : {std::pair("h100-sxm", 1),
                                {"h100-sxm", 32},
                                {"h200", 32},
                                {"h200", 128}})
    for (int64_t rows = 1; rows < 200000; rows = rows * 3 / 2 + 1) {
      const auto choose = [target = targetFor(device)](const Problem &problem) {
        return chooseSchedule(problem, target);
      };
      const ScheduleChoice choice = choose(sized(groups, rows));
      EXPECT_LE(choice.rowsFrom, rows);
      EXPECT_GE(choice.rowsTo, rows);
      for (int64_t end : {choice.rowsFrom, choice.rowsTo}) {
        if (end == 0 || end == INT64_MAX)
          continue;
        EXPECT_TRUE(choose(sized(groups, end)).schedule == choice.schedule);
      }
      if (choice.rowsTo != INT64_MAX)
        EXPECT_EQ(choose(sized(groups, choice.rowsTo + 1)).rowsFrom,
                  choice.rowsTo + 1);
    }
}

/// The first numbers of rows of each range that has a schedule of its own.
std::vector<int64_t> rangesOf(int64_t groups, const Preference &preference) {
  std::vector<int64_t> starts;
  for (int64_t rows = 1;;) {
    const ScheduleChoice choice = choose(sized(groups, rows), preference);
    starts.push_back(choice.rowsFrom);
    if (choice.rowsTo == INT64_MAX)
      return starts;
    rows = choice.rowsTo + 1;
  }
}

// Where the choice changes was measured, with the numbers that lead to it. A
// change of these lists is a change of kernels that users get.
TEST(ChooseSchedule, RangesOfRowsAreThoseThatWereMeasured) {
  using Starts = std::vector<int64_t>;
  const Preference any, mma = {Placement::Register, Instruction::MmaSync},
                        shared = {Placement::Shared, std::nullopt};
  EXPECT_EQ(rangesOf(1, any),
            (Starts{0,    9,    17,   65,   97,   193,  385,  417,  577,  769,
                    1153, 1281, 1537, 1793, 2049, 2305, 2561, 2817, 3073, 3329,
                    3585, 3841, 4609, 5121, 5633, 6145, 7169, 7681}));
  EXPECT_EQ(rangesOf(8, any),
            (Starts{0,    2,    3,    17,   81,   433,  577,  641,  705,  897,
                    961,  1025, 1153, 1281, 1409, 1921, 2049, 2305, 2817, 3073,
                    3329, 3585, 4097, 4609, 5121, 5633, 6145, 7169, 7681}));
  EXPECT_EQ(rangesOf(32, any),
            (Starts{0,     2,     3,     17,    321,   1729,  2305, 2561, 2817,
                    3585,  3841,  4097,  4609,  5121,  6657,  7681, 8193, 9217,
                    11265, 12289, 13313, 18433, 20481, 24577, 26625}));
  EXPECT_EQ(rangesOf(128, any),
            (Starts{0, 2, 3, 17, 1281, 5121, 6145, 9217, 14337, 18433, 20481,
                    26625, 30721, 32769, 36865}));
  // As many waves of the tallest tiles as the middle regime does not take.
  EXPECT_EQ(rangesOf(100, any),
            (Starts{0, 2, 3, 17, 1001, 4001, 4801, 7201, 11201, 12801, 14401,
                    19201, 24001, 25601, 28801, 41601, 44801, 48001, 51201}));
  EXPECT_EQ(rangesOf(32, mma), (Starts{0, 129, 385, 1281}));
  EXPECT_EQ(rangesOf(32, shared),
            (Starts{0,    17,    321,   1281,  1537,  2305,  2561,  2817,
                    3585, 3841,  4097,  4609,  5121,  6657,  7681,  8193,
                    9217, 11265, 12289, 13313, 18433, 20481, 24577, 26625}));
}

// Tiles are filled evenly with 1024 rows in each of several groups; more rows
// do not change the choice.
TEST(ChooseSchedule, MoreThanManyRowsAGroupChangeNothing) {
  for (int64_t groups : {2, 3, 8, 32})
    for (int64_t size : {1024, 2048, 4096}) {
      const auto chosen = [&](int64_t rows) {
        return choose({groups, groups, size, size, groups * rows}).schedule;
      };
      for (int64_t rows : {1025, 1500, 2048, 5000, 20000})
        EXPECT_TRUE(chosen(rows) == chosen(1024))
            << groups << " groups of " << rows << " rows, N = K = " << size;
    }
}

} // namespace
