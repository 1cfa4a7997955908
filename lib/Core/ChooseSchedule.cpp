//===- ChooseSchedule.cpp - A schedule for a class of problems ------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Tiles and thresholds measured on an H100 and, where decoding decides, on an
// H200 (docs/TuningLog.md). Few rows a group: the kernel reads weights and
// little else, so copies must be many and tiles small enough to share evenly;
// where memory has more to give, as many warps as can be decode. Many rows:
// tensor cores decide, and a decoded fragment should serve many tokens.
//
//===----------------------------------------------------------------------===//

#include "mxfp4/Core/Resources.h"
#include "mxfp4/Core/Schedule.h"

#include <algorithm>
#include <array>
#include <cmath>

using namespace mxfp4;

namespace {

int64_t ceilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

struct Pick {
  Schedule schedule;
  const char *why;
};

/// Steps of K below which wgmma has little to overlap: the loop over steps
/// disappears, and ptxas may serialise what is left of it.
constexpr int64_t kFewSteps = 8;

/// Stages on a multiprocessor past which more copies in flight gain nothing: in
/// two CTAs, twice as many cost 12 %.
constexpr int kManyStages = 30;

/// Tokens of a tile that would take as long to multiply as its beginning and
/// end do, and below which decoding decides how long it takes. With tensor
/// cores of so many operations a clock: slower ones multiply fewer in that
/// time.
constexpr double kTileEnds = 10, kFewestTokens = 100, kTensorOps = 4096;

/// Rows of which no group can have enough for three tiles of 8.
constexpr int64_t kFewestRows = 16;

/// Bytes that memory delivers to a multiprocessor in a clock, from data sheets,
/// from which on three warpgroups that overlap decode do not keep up: they take
/// 11.8 of an H200's 18.4, and all that an H100 delivers of its 12.8.
constexpr double kBytesDecoded = 14;

/// K slices of a tile in the middle, of two warpgroups each: all that a CTA has
/// room for.
constexpr int kSharingSlices = 3;

/// Stages of a CTA where many warps decode: from 9 on no difference, but 15 in
/// each of two CTAs cost 4 %.
constexpr int kDecodersStages = 12, kDecodersStagesAlone = 18;

/// What a row of weights takes in a CTA that has the multiprocessor, as a
/// multiple of what it takes where two share it.
constexpr double kDecodersAlone = 1.12;

/// Heights of the tiles for many rows a group. Consumers of the highest need
/// the registers of producers that gather.
constexpr std::array<int, 6> kHeights = {64, 96, 144, 160, 176, 192};
constexpr int kHeightsToGather = 5;

/// What a tile of two warpgroups takes longer than two thirds of a tile of
/// three, and what it must gain to be worth a kernel. Measured with 64, 96 and
/// 128 rows for each of 8 groups: 256 tiles of two took 0.73, 0.83 and 0.71 of
/// the time of 176 of three, which leave a third of the multiprocessors idle in
/// a second round. Their heights.
constexpr double kNarrowCost = 1.2;
constexpr std::array<int, 4> kNarrowHeights = {96, 144, 160, 176};

/// Rows a group past which the choice stays: a round more or less of tiles
/// matters no more. A group that is alone has all rounds.
constexpr int64_t kMany = 1024, kManyAlone = 32768;

/// Accumulators of a thread from which an equal share of the registers is not
/// enough for consumers that hold a second fragment, and for those that do not.
constexpr int kNeedy = 64, kNeedyAlone = 32;

/// Tokens of a tile up to which a group's tokens mostly fit one: its weights
/// are read once, and need not stay in the cache.
constexpr int kReadOnce = 64;

/// Tokens of a tile from which those of groups with few rows take much less
/// time. Tiles that take long come first, lest one of them be the last.
constexpr int kUnlike = 48;

/// k64 steps that take as long as to add the sums of K slices and to store
/// them.
constexpr int kSumSteps = 3;

/// As many stages as shared memory holds, but no more than asked for.
Schedule fit(Schedule schedule, int most, const Problem &problem,
             const Target &target) {
  const auto fits = [&](int stages) {
    schedule.stages = stages;
    // A few groups more or less are no reason for another kernel.
    const int64_t bytes = SharedMemoryMap(schedule, problem.layout,
                                          std::max<int64_t>(problem.groups, 32))
                              .bytes();
    return bytes <= target.sharedPerCTA &&
           schedule.ctasPerMultiprocessor * (bytes + target.sharedReserved) <=
               target.sharedPerMultiprocessor;
  };
  int stages = most / schedule.kSlices * schedule.kSlices;
  while (stages > 3 * schedule.kSlices && !fits(stages))
    stages -= schedule.kSlices;
  while (schedule.ctasPerMultiprocessor > 1 && !fits(stages))
    --schedule.ctasPerMultiprocessor;
  schedule.stages = stages;
  return schedule;
}

/// Warps of the producer that copy: one for each K slice; or, where one CTA has
/// the multiprocessor, one for the activations and up to two for the blocks of
/// weights, since a copy takes a thread longer to start than the engine to do.
int copyWarpsFor(const Schedule &schedule, const BlockLayout &layout) {
  if (schedule.kSlices > 1)
    return schedule.kSlices;
  return schedule.ctasPerMultiprocessor > 1
             ? 1
             : 1 + std::min(2, schedule.tileRows / layout.rows);
}

/// Measured: ptxas has once given a producer 28 registers under a limit of 24.
/// Three consuming warpgroups need all that is left of their share. Beside six
/// a producer may have no more than 24; it takes 22, whatever layout and
/// output. Producers that gather keep the numbers of up to 16 rows.
int producerRegistersFor(const Schedule &schedule, bool gathers) {
  const int needy = schedule.overlapDecode ? kNeedy : kNeedyAlone;
  if (schedule.ctasPerMultiprocessor > 1 || schedule.consumerWarps() <= 4 ||
      schedule.copyWarps > 3 || schedule.accumulators() < needy)
    return 0;
  if (gathers)
    return 56;
  return !schedule.overlapDecode ? 24 : schedule.consumerWarps() > 8 ? 32 : 40;
}

/// K slices of one warpgroup each: those of which none has many steps. More
/// than three would leave too few registers for a second fragment.
int slicesFor(int64_t steps) {
  int best = 1;
  int64_t least = steps;
  for (int slices : {3, 2}) {
    Schedule schedule;
    schedule.overlapDecode = true;
    schedule.kSlices = slices;
    if (!schedule.sharesSteps(steps))
      continue;
    // The last one has the most.
    const int64_t most = schedule.sliceSteps(slices - 1, steps).count;
    if (most < least || (most == least && slices < best)) {
      best = slices;
      least = most;
    }
  }
  return best;
}

/// Chooses for one problem and one number of rows.
class Chooser {
public:
  Chooser(const Problem &problem, const Target &target,
          const Preference &preference)
      : problem(problem), target(target), preference(preference),
        groups(std::max<int64_t>(problem.groups, 1)),
        steps(problem.layout.colBlocks(problem.k)),
        slices(preference.batchInvariant ? 1 : slicesFor(steps)) {}

  Pick pick(int64_t rows) const {
    return traitsOf(instruction()).isAsynchronous ? pickWgmma(rows)
                                                  : pickMmaSync(rows);
  }

  /// Why it is this instruction: a part of the reason for people.
  std::string whyInstruction() const {
    const std::string name = traitsOf(instruction()).ptxName;
    if (preference.instruction)
      return name + " as asked for";
    if (!asynchronous())
      return name + " because " + target.chip + " has no wgmma";
    const std::string few = std::to_string(kFewSteps);
    if (traitsOf(instruction()).isAsynchronous)
      return name + " because K has at least " + few + " steps of 64";
    return name + " because K = " + std::to_string(problem.k) + " has only " +
           std::to_string(steps) + (steps == 1 ? " step" : " steps") +
           " of 64, and wgmma needs " + few +
           " to overlap copies, decoding and multiplication";
  }

private:
  Instruction instruction() const {
    if (preference.instruction)
      return *preference.instruction;
    const InstructionTraits *other =
        target.find(problem.activations, /*isAsynchronous=*/false);
    return asynchronous() && (steps >= kFewSteps || !other)
               ? asynchronous()->instruction
               : other->instruction;
  }
  const InstructionTraits *asynchronous() const {
    return target.find(problem.activations, /*isAsynchronous=*/true);
  }

  Schedule wgmma(int tileRows, int tileTokens, int tokenStep, int warps,
                 int kSlices = 1, int ctas = 1) const;

  /// Tokens that a group of `mean` expected ones stays below if it exceeds them
  /// by no more than so many standard deviations of uniform routing. Alone, it
  /// has what is expected.
  int64_t tokensFor(int64_t mean, double deviations) const {
    return mean + int64_t(groups > 1 ? deviations * std::sqrt(mean) : 0);
  }

  /// The tightest tiles spill with the baseline's addresses.
  bool hasSpareRegisters() const {
    return preference.placement == Placement::Register;
  }

  Pick pickMmaSync(int64_t rows) const;
  Pick pickWgmma(int64_t rows) const;
  Pick pickFewest(int64_t rows) const;
  bool decodeDecides() const;
  Schedule decoders(int warps, int ctas, int stages) const;
  Pick pickDecoders(int64_t rows) const;
  bool sharesByWarpgroups(int64_t rows) const;
  Pick pickMiddle(int64_t rows) const;
  Pick pickMany(int64_t rows) const;
  const int *endOfHeights() const {
    return kHeights.begin() +
           (problem.gathers ? kHeightsToGather : kHeights.size());
  }
  double costOfMany(int height, int64_t mean, int tileRows = 192) const;

  /// Tiles of one multiprocessor, at most.
  int64_t rounds(double tilesAlongTokens, int tileRows) const {
    const double tiles =
        tilesAlongTokens * double(ceilDiv(problem.n, tileRows));
    return int64_t(std::ceil(tiles / target.device.multiprocessors));
  }

  const Problem problem;
  const Target &target;
  const Preference preference;
  const int64_t groups, steps;
  const int slices;
};

} // namespace

/// What the regimes leave open follows from tile and warps. More than four
/// warpgroups leave no registers for a second fragment and do not need it: some
/// multiply while others decode. Slices whose loops are not unrolled for it may
/// share steps unevenly, and their tall tiles take 5 % less time.
Schedule Chooser::wgmma(int tileRows, int tileTokens, int tokenStep, int warps,
                        int kSlices, int ctas) const {
  Schedule schedule;
  schedule.instruction = instruction();
  schedule.tileRows = tileRows;
  schedule.tileTokens = tileTokens;
  schedule.tokenStep = tokenStep;
  schedule.warpsRows = warps;
  schedule.kSlices = kSlices;
  schedule.placement = preference.placement;
  schedule.ctasPerMultiprocessor = ctas;
  schedule.overlapDecode = schedule.consumerWarps() <= 16;
  schedule.evictFirst = tileTokens <= kReadOnce;
  schedule.fullTilesFirst = tokenStep != 0 && tileTokens >= kUnlike;
  if (kSlices > 1 && !schedule.overlapDecode) {
    schedule.sumSteps = kSumSteps;
    schedule.sideBySide = hasSpareRegisters();
  }
  schedule = fit(schedule, kSlices > 1 ? kManyStages / ctas : kManyStages,
                 problem, target);
  // Where memory decides, most tiles have no more tokens than one step, and a
  // choice among widths costs 5 % of their time. Several CTAs a multiprocessor
  // have no registers for a loop more.
  schedule.versionLoops = schedule.overlapDecode && tokenStep != 0 &&
                          tileTokens <= 32 &&
                          schedule.ctasPerMultiprocessor == 1;
  schedule.copyWarps = copyWarpsFor(schedule, problem.layout);
  schedule.producerRegisters = producerRegistersFor(schedule, problem.gathers);
  return schedule;
}

/// A tile of 16 pays before the mean reaches 8, since routing is uneven.
Pick Chooser::pickMmaSync(int64_t rows) const {
  struct Regime {
    int64_t rowsPerGroup;
    int tileRows, tileTokens, warpsRows, stages, ctas;
    const char *why;
  };
  constexpr std::array<Regime, 4> regimes = {{
      {4, 64, 8, 4, 8, 6,
       "few rows a group: memory bound, one n8 column of tokens, deep "
       "prefetch"},
      {12, 64, 16, 4, 6, 6,
       "about ten rows a group: memory bound, 16 tokens, deep prefetch"},
      {40, 64, 32, 4, 5, 4,
       "a few dozen rows a group: 32 tokens share each decoded fragment"},
      {INT64_MAX, 128, 64, 4, 3, 2,
       "many rows a group: compute bound, each warp multiplies 32 rows with 64 "
       "tokens"},
  }};
  const auto regime =
      std::find_if(regimes.begin(), regimes.end(), [&](const Regime &r) {
        return ceilDiv(rows, groups) <= r.rowsPerGroup;
      });
  Schedule schedule;
  schedule.instruction = instruction();
  schedule.tileRows = regime->tileRows;
  schedule.tileTokens = regime->tileTokens;
  schedule.warpsRows = regime->warpsRows;
  schedule.placement = preference.placement;
  schedule.ctasPerMultiprocessor = regime->ctas;
  // CTAs hide more than stages do: take CTAs away until the rest fits.
  schedule.stages = regime->stages;
  while (schedule.ctasPerMultiprocessor > 1 &&
         schedule.ctasPerMultiprocessor *
                 (SharedMemoryMap(schedule, problem.layout, groups).bytes() +
                  target.sharedReserved) >
             target.sharedPerMultiprocessor)
    --schedule.ctasPerMultiprocessor;
  return {schedule, regime->why};
}

/// While memory decides, a taller tile costs nothing, and a second tile of a
/// group takes as long as the first: under skewed routing 8 tokens are too few.
Pick Chooser::pickWgmma(int64_t rows) const {
  const int64_t mean = ceilDiv(rows, groups);
  // Of the fewest rows, there must be tiles enough to share evenly.
  const bool manyDecode =
      decodeDecides() && tokensFor(mean, 2) <= 16 &&
      (rows > kFewestRows || rounds(double(std::min(rows, groups)), 128) >= 5);
  if (!manyDecode && tokensFor(mean, 4) <= 8 &&
      (slices == 1 || rows <= kFewestRows))
    return pickFewest(rows);
  if (manyDecode)
    return pickDecoders(rows);
  // Without K slices, three CTAs have as many copies in flight as four would.
  if (tokensFor(mean, 2) <= 16)
    return {wgmma(64, 32, 8, 4, slices, /*ctas=*/slices == 1 ? 3 : 1),
            "up to about ten rows a group: memory bound, small tiles and many "
            "copies in flight, up to 32 tokens where a group has more rows "
            "than others"};
  if (tokensFor(mean, 1.4) <= (sharesByWarpgroups(rows) ? 64 : 48))
    return pickMiddle(rows);
  return pickMany(rows);
}

/// Tiles so few that no CTA gets a third are all started at once.
Pick Chooser::pickFewest(int64_t rows) const {
  const char *why = "few rows a group: memory bound, 8 tokens, small tiles and "
                    "many copies in flight";
  if (slices == 1)
    return {wgmma(64, 8, 0, 4, 1, /*ctas=*/4), why};
  const int64_t tiles = std::min(rows, groups) * ceilDiv(problem.n, 64);
  if (hasSpareRegisters() && tiles > target.device.multiprocessors &&
      tiles <= int64_t(2) * target.device.multiprocessors)
    return {wgmma(64, 8, 0, 4, slices, /*ctas=*/2),
            "few rows a group and few tiles: memory bound, 8 tokens, two CTAs "
            "a multiprocessor take all tiles at once"};
  return {wgmma(64, 8, 0, 4, slices), why};
}

/// Whether memory delivers more than few warps decode. Half of a last tile's
/// columns may be masked, which must not be much of all.
bool Chooser::decodeDecides() const {
  const int64_t blocks = problem.layout.rowBlocks(problem.n);
  return !preference.batchInvariant && hasSpareRegisters() &&
         steps >= kSharingSlices &&
         target.device.bytesPerClock() >= kBytesDecoded &&
         (blocks % 2 == 0 || blocks >= 9);
}

/// 24 warps that decode, each without a second fragment, and as few
/// instructions as can be for those that copy: 128 columns share activations.
Schedule Chooser::decoders(int warps, int ctas, int stages) const {
  Schedule schedule = wgmma(128, 16, 8, warps, kSharingSlices, ctas);
  schedule.overlapDecode = schedule.versionLoops = schedule.sideBySide = false;
  // Beside another CTA, the first slice need not be early.
  schedule.sumSteps = ctas == 1 ? kSumSteps : 0;
  return fit(schedule, stages, problem, target);
}

/// While memory has more to give than warps decode, all that counts is how many
/// instructions a byte takes, and that there are warps to issue them. Two CTAs
/// of three warpgroups, which decode two blocks a step, take fewer than one of
/// six; but of few tiles, their last round leaves more undone.
Pick Chooser::pickDecoders(int64_t rows) const {
  // Groups that have rows, under uniform routing, so that the choice changes
  // with few numbers of rows.
  double expected = double(ceilDiv(rows, groups) * groups);
  if (rows <= groups)
    for (expected = 1; expected < double(rows);)
      expected *= 2;
  const double all = double(groups);
  const double busy =
      groups == 1 ? 1 : all * (1 - std::pow(1 - 1 / all, expected));
  const double tiles = busy * double(ceilDiv(problem.n, 128));
  const auto timeOf = [&](int ctas) {
    return std::ceil(tiles / (ctas * target.device.multiprocessors)) * ctas;
  };
  if (timeOf(2) <= kDecodersAlone * timeOf(1))
    return {decoders(4, /*ctas=*/2, kDecodersStages),
            "up to about ten rows a group: decoding decides, as few "
            "instructions a byte as can be, in 24 warps of two CTAs"};
  return {decoders(8, /*ctas=*/1, kDecodersStagesAlone),
          "up to about ten rows a group and few tiles: decoding decides, in "
          "24 warps of one CTA"};
}

/// Whether the middle takes as many warpgroups as there can be. Not in the
/// baseline, whose blocks in shared memory leave no room for stages; and not
/// with so many rounds of tiles that the last one matters little, and skewed
/// routing much.
bool Chooser::sharesByWarpgroups(int64_t rows) const {
  return !preference.batchInvariant && hasSpareRegisters() &&
         steps >= kSharingSlices &&
         rounds(double(std::min(rows, groups)), 384) < 12;
}

/// Decoding and memory take about as long. Tiles have more tokens than the mean
/// group, since what a busier one decodes, it decodes for every tile.
Pick Chooser::pickMiddle(int64_t rows) const {
  // Without slices, tiles of few rows lose less in the last round; where rounds
  // are two, tall tiles lose nothing.
  const bool hasRounds = rounds(double(std::min(rows, groups)), 384) > 2;
  if (steps < kSharingSlices || (!hasSpareRegisters() && slices == 1) ||
      problem.gathers || (preference.batchInvariant && hasRounds))
    return {wgmma(192, 64, 16, 12),
            "a few dozen rows a group: three warpgroups share up to 64 tokens"};
  if (!hasSpareRegisters())
    return {wgmma(128, 48, 8, 4, slices),
            "a few dozen rows a group: up to 48 tokens share each decoded "
            "fragment"};
  if (!sharesByWarpgroups(rows))
    return {wgmma(384, 96, 16, 12),
            "a few dozen rows a group and many tiles: up to 96 tokens share "
            "each decoded fragment, so that a group with more rows than others "
            "has few tiles"};
  return {wgmma(128, 64, 8, 8, kSharingSlices),
          "a few dozen rows a group: up to 64 tokens share each decoded "
          "fragment, and while some warpgroups multiply others decode"};
}

/// How long the fullest multiprocessor takes, in tokens of a tile, when a group
/// has more or fewer rows than the mean as under uniform routing, and its tiles
/// share them evenly. Fitted on an H100 to 4096 rows of one group; what other
/// problems took, one height against another, it gives to about 2 %.
double Chooser::costOfMany(int height, int64_t mean, int tileRows) const {
  constexpr std::pair<double, double> sizes[] = {
      {-1.6, 0.1}, {-0.8, 0.25}, {0, 0.3}, {0.8, 0.25}, {1.6, 0.1}};
  const double speed = target.device.tensorOps / kTensorOps;
  double tiles = 0, work = 0;
  for (auto [deviations, share] : sizes) {
    const double tokens = std::max(
        1.0, double(mean) + (groups > 1 ? deviations * std::sqrt(mean) : 0));
    const double parts = std::ceil(tokens / height);
    const double width = std::ceil(tokens / parts / 16) * 16;
    tiles += share * parts;
    work += share * parts *
            (std::max(width, kFewestTokens * speed) + kTileEnds * speed);
  }
  return double(rounds(tiles * double(groups), tileRows)) * work / tiles *
         tileRows / 192;
}

/// The lowest tile of which hardly any group needs more, one or two, than of
/// the highest: what it saves are stages. Another one if it fills the rounds of
/// multiprocessors better; which one that is for a single group changes with
/// every few rows, so eight times between a power of two and the next must do.
Pick Chooser::pickMany(int64_t rows) const {
  int64_t mean = ceilDiv(rows, groups), step = 1;
  while (step * 16 < mean)
    step *= 2;
  mean = ceilDiv(mean, step) * step;
  const int64_t tokens = tokensFor(mean, 2.4);
  int best =
      *std::find_if(kHeights.begin(), endOfHeights() - 1, [&](int height) {
        const int64_t tiles = ceilDiv(tokens, height);
        return tiles <= 2 && tiles == ceilDiv(tokens, endOfHeights()[-1]);
      });
  // A gain that is not certain is not worth another kernel.
  double least = (groups > 1 ? 0.995 : 0.96) * costOfMany(best, mean);
  for (const int *height = kHeights.begin(); height != endOfHeights(); ++height)
    if (const double cost = costOfMany(*height, mean); cost < least) {
      best = *height;
      least = cost;
    }
  int narrow = 0;
  for (int height : kNarrowHeights)
    if (const double cost = kNarrowCost * costOfMany(height, mean, 128);
        groups > 1 && hasSpareRegisters() && !problem.gathers &&
        mean <= height && rounds(double(groups), 192) <= 2 && cost < least) {
      narrow = height;
      least = cost;
    }
  if (narrow != 0)
    return {wgmma(128, narrow, 16, 8),
            "many rows a group and few tiles: compute bound, two warpgroups "
            "share the tokens of narrow tiles, so that fewer multiprocessors "
            "are idle in the last round"};
  return {wgmma(192, best, 16, 12),
          "many rows a group: compute bound, three warpgroups share the tokens "
          "of tiles that fill the multiprocessors"};
}

ScheduleChoice mxfp4::chooseSchedule(const Problem &problem,
                                     const Target &target,
                                     const Preference &preference) {
  const Chooser chooser(problem, target, preference);
  const int64_t groups = std::max<int64_t>(problem.groups, 1);
  const int64_t many = groups > 1 ? kMany * groups : kManyAlone;
  // With no hint, take a tile that loses little at either end.
  const int64_t expected =
      problem.rowsHint > 0 ? problem.rowsHint : 32 * groups;
  const int64_t rows = std::min(expected, many);
  const Pick pick = chooser.pick(rows);
  ScheduleChoice choice;
  choice.schedule = pick.schedule;
  choice.reason = std::string(pick.why) + "; " + chooser.whyInstruction();
  choice.reason += problem.rowsHint > 0
                       ? " (" + std::to_string(ceilDiv(expected, groups)) +
                             " expected a group)"
                       : " (no hint of the number of rows)";
  // Past the first row of each group only the mean counts, which changes after
  // every `groups` rows; past `many` nothing changes any more.
  const auto isSame = [&](int64_t rows) {
    const Pick other = chooser.pick(rows);
    return other.schedule == pick.schedule && other.why == pick.why;
  };
  const auto classStart = [&](int64_t rows) {
    return rows <= groups ? rows : (rows - 1) / groups * groups + 1;
  };
  const auto classEnd = [&](int64_t rows) {
    return rows <= groups ? rows : (rows - 1) / groups * groups + groups;
  };
  choice.rowsFrom = classStart(rows);
  while (choice.rowsFrom > 1 && isSame(choice.rowsFrom - 1))
    choice.rowsFrom = classStart(choice.rowsFrom - 1);
  choice.rowsTo = classEnd(rows);
  while (choice.rowsTo < many && isSame(choice.rowsTo + 1))
    choice.rowsTo = classEnd(choice.rowsTo + 1);
  if (choice.rowsFrom == 1)
    choice.rowsFrom = 0;
  if (choice.rowsTo >= many)
    choice.rowsTo = INT64_MAX;
  return choice;
}

/// The target with its device, and with others that make a difference.
static std::vector<Target> variants(const Target &target) {
  const auto outruns = [](const Target &each) {
    return each.device.bytesPerClock() >= kBytesDecoded;
  };
  std::vector<Target> found = {target};
  for (const Part &part : parts()) {
    Target other = target;
    other.device = part.device;
    if (std::none_of(found.begin(), found.end(), [&](const Target &each) {
          return outruns(each) == outruns(other);
        }))
      found.push_back(other);
  }
  return found;
}

static void addSchedules(std::vector<Schedule> &result, const Target &target,
                         Placement placement, bool gathers,
                         bool batchInvariant) {
  // Steps of K that three slices share, or two, or none; or that none may.
  const std::vector<int64_t> allSteps = batchInvariant
                                            ? std::vector<int64_t>{45}
                                            : std::vector<int64_t>{45, 8, 7};
  for (Instruction instruction : target.instructions)
    for (int64_t steps : allSteps)
      for (int64_t groups : {1, 8, 32, 128, 1024})
        for (int64_t n : {64, 2880, 4096, 5760})
          // Past the first row of each group only the mean counts.
          for (int64_t rows = 1; rows <= (groups > 1 ? 256 * groups : 8192);
               rows += rows < groups ? 1 : std::max(groups, rows / 64)) {
            const Problem problem = {groups,     groups, n,
                                     steps * 64, rows,   gathers};
            const Schedule schedule =
                Chooser(problem, target,
                        {placement, instruction, batchInvariant})
                    .pick(rows)
                    .schedule;
            if (std::find(result.begin(), result.end(), schedule) ==
                result.end())
              result.push_back(schedule);
          }
}

std::vector<Schedule> mxfp4::allSchedules(const Target &target,
                                          Placement placement, bool gathers) {
  std::vector<Schedule> result;
  for (bool batchInvariant : {false, true})
    for (const Target &each : variants(target))
      addSchedules(result, each, placement, gathers, batchInvariant);
  return result;
}
