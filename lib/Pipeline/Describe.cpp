//===- Describe.cpp - What Core knows of an operation, as JSON ------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// For tools that explain a kernel to people. Everything here is asked of Core:
// maps are evaluated, sequences run, schedules chosen. Format, one object an
// operation:
//   function, problem, target   names and numbers;
//   schedule    its attribute as text, the reason, what follows from it;
//   choices     schedules that other numbers of rows lead to, in order;
//   block       the packed layout: for each cell (row-major) its `owner`, which
//               is thread * 32 + element, and [offset of its word in the block,
//               slot in the word, offset of its scale]; `code_bits` says which
//               bits of a word a slot has, m first;
//   fragments   operands of the instruction: for each cell (row-major) its
//               owner, which is (warp * 32 + lane) * elements + element;
//   decode      the sequence for each k16 step: instructions on values (0 is
//               the codes, 1 the scales, results follow), the pipe of each, and
//               where its bits come from: for each bit, least first, -1 for
//               none, b for bit b of the codes, 32 + b for bit b of the scales.
//               An instruction that does more than move bits has no `bits`.
//
//===----------------------------------------------------------------------===//

#include "ScheduleJson.h"

#include "mxfp4/Core/BlockIndex.h"
#include "mxfp4/Core/DecodeSequence.h"
#include "mxfp4/Core/Resources.h"
#include "mxfp4/IR/KernelSignature.h"
#include "mxfp4/IR/MXFP4.h"
#include "mxfp4/Pipeline/Artifact.h"

#include "mlir/Interfaces/FunctionInterfaces.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/JSON.h"

using namespace mlir;
using namespace mxfp4;
using llvm::json::Array;
using llvm::json::Object;

//===----------------------------------------------------------------------===//
// Schedules
//===----------------------------------------------------------------------===//

static Object describe(const Target &target) {
  return Object{
      {"chip", target.chip},
      {"device", deviceJson(target.device)},
      {"multiprocessors", target.device.multiprocessors},
      {"shared_per_cta", target.sharedPerCTA},
      {"shared_per_multiprocessor", target.sharedPerMultiprocessor},
      {"shared_reserved", target.sharedReserved},
      {"registers_per_multiprocessor", target.registersPerMultiprocessor}};
}

static Object describe(const Schedule &s, const Problem &problem,
                       const Target &target) {
  Array firstSlices;
  const WarpPlace place = s.placeOfWarps(s.sliceWarps());
  for (int warp = 0; warp < s.sliceWarps(); ++warp)
    firstSlices.push_back(place.firstSlice(warp));
  // The description must hold for every K.
  Problem anyK = problem;
  anyK.k = 0;
  const SharedMemoryMap map(s, problem.layout, problem.groups);
  return Object{{"attribute", attributeText(s)},
                {"instruction", name(s.instruction)},
                {"placement", name(s.placement)},
                {"tile_rows", s.tileRows},
                {"tile_tokens", s.tileTokens},
                {"tile_k", s.tileK()},
                {"warps_rows", s.warpsRows},
                {"warps_tokens", s.warpsTokens},
                {"warp_rows", s.warpRows()},
                {"warp_tokens", s.warpTokens()},
                {"k_slices", s.kSlices},
                {"height_step", s.heightStep()},
                {"first_slices", std::move(firstSlices)},
                {"slice_stride", s.sliceStride()},
                {"threads", s.threads()},
                {"producer_threads", s.producerThreads()},
                {"copy_warps", s.copyWarps},
                {"registers", registers(s, target)},
                {"ctas", s.ctasPerMultiprocessor},
                {"stages", s.stages},
                {"weight_stage_bytes", s.weightStageBytes(problem.layout)},
                {"activation_stage_bytes", s.activationStageBytes()},
                {"shared_memory", sharedMemory(s, problem)},
                {"shared_bytes", map.bytes()},
                {"problem", verifySchedule(s, anyK, target)}};
}

/// The schedules for all numbers of rows; each answer of the chooser has the
/// range of rows for which it holds.
static Array choices(Problem problem, const Target &target,
                     const Preference &preference) {
  Array list;
  problem.rowsHint = 1;
  while (true) {
    const ScheduleChoice choice = chooseSchedule(problem, target, preference);
    Object entry{{"from", problem.rowsHint},
                 {"schedule", attributeText(choice.schedule)},
                 {"reason", choice.reason}};
    const bool last =
        choice.rowsTo == INT64_MAX || choice.rowsTo < problem.rowsHint;
    if (!last)
      entry["to"] = choice.rowsTo;
    list.push_back(std::move(entry));
    if (last)
      return list;
    problem.rowsHint = choice.rowsTo + 1;
  }
}

//===----------------------------------------------------------------------===//
// Layouts
//===----------------------------------------------------------------------===//

/// The owner of each cell of a map's tile.
static Array owners(const FragmentMap &map) {
  std::vector<int> cells(size_t(map.rows()) * map.cols());
  for (int warp = 0; warp < map.warps(); ++warp)
    for (int lane = 0; lane < kWarpThreads; ++lane)
      for (int element = 0; element < map.elements(); ++element) {
        const Coord at = map(element, lane, warp);
        cells[size_t(at.row) * map.cols() + at.col] =
            (warp * kWarpThreads + lane) * map.elements() + element;
      }
  return Array(cells);
}

static Object fragment(StringRef title, StringRef instruction, StringRef rows,
                       StringRef columns, int bits, const FragmentMap &map) {
  return Object{{"title", title.str()},   {"instruction", instruction.str()},
                {"row_axis", rows.str()}, {"column_axis", columns.str()},
                {"rows", map.rows()},     {"columns", map.cols()},
                {"warps", map.warps()},   {"elements", map.elements()},
                {"element_bits", bits},   {"owners", owners(map)}};
}

static Array fragments(const Schedule &schedule) {
  const InstructionTraits &traits = schedule.traits();
  const int columns = std::min(schedule.warpTokens(), traits.nMax);
  const std::string name = llvm::formatv(
      "{0}.m{1}n{2}k{3}", traits.ptxName, traits.m,
      traits.nMax == traits.nStep ? traits.nMax : columns, traits.k);
  Array list{fragment("A: decoded weights", name, "fragment row", "k",
                      bits(traits.typeOfA), traits.mapOfA())};
  if (traits.mapOfB)
    list.push_back(fragment("B: activations", name, "k", "token",
                            bits(traits.typeOfB), traits.mapOfB()));
  // A wider accumulator repeats this pattern of columns.
  const int n = std::min({columns & -columns, 16, traits.nMax});
  list.push_back(fragment(
      n == traits.nMax ? std::string("Accumulator")
                       : "Accumulator, first " + std::to_string(n) + " tokens",
      name, "fragment row", "token", 32, traits.mapOfSums(n)));
  return list;
}

static Object block(const BlockLayout &layout) {
  const BlockIndex index = BlockIndex::get(layout);
  Array cells, codeBits;
  for (int row = 0; row < layout.rows; ++row)
    for (int col = 0; col < layout.cols; ++col)
      cells.push_back(Array{index.wordOffset(row, col), index.slot(row, col),
                            index.scaleOffset(row, col)});
  for (int slot = 0; slot < 8; ++slot) {
    Array bits;
    for (int bit = 0; bit < 4; ++bit)
      bits.push_back(layout.codeBit(slot, bit));
    codeBits.push_back(std::move(bits));
  }
  return Object{{"order", name(layout.order)},
                {"scales", name(layout.scales)},
                {"rows", layout.rows},
                {"columns", layout.cols},
                {"bytes", layout.bytes()},
                {"code_bytes", layout.codeBytes()},
                {"owners", owners(layout.codeMap())},
                {"cells", std::move(cells)},
                {"code_bits", std::move(codeBits)}};
}

//===----------------------------------------------------------------------===//
// Decode
//===----------------------------------------------------------------------===//

static const char *name(DecodeOpcode op) {
  switch (op) {
  case DecodeOpcode::And:
    return "and";
  case DecodeOpcode::Or:
    return "or";
  case DecodeOpcode::Add:
    return "add";
  case DecodeOpcode::Shl:
    return "shl";
  case DecodeOpcode::Shr:
    return "shr";
  case DecodeOpcode::Rotl:
    return "rotl";
  case DecodeOpcode::Mul:
    return "mul";
  case DecodeOpcode::MulBF16x2:
    return "mul.bf16x2";
  case DecodeOpcode::Splat:
    return "splat";
  case DecodeOpcode::Byte:
    return "byte";
  case DecodeOpcode::Permute:
    return "permute";
  }
  return "";
}

static const char *pipe(const DecodeInst &inst) {
  DecodeSequence alone;
  alone.instructions = {inst};
  const DecodeCost cost = alone.cost();
  return cost.bf16x2     ? "bf16x2"
         : cost.multiply ? "multiply"
         : cost.alu      ? "alu"
                         : "none";
}

/// Where the bits of value `number` come from, or null if it does more than
/// move bits.
static llvm::json::Value bitsOf(const DecodeSequence &sequence, int number) {
  DecodeSequence probe = sequence;
  probe.results = {number};
  auto at = [&](uint32_t codes, uint32_t scales) {
    return probe.evaluate(codes, scales)[0];
  };
  std::array<int, 32> from;
  from.fill(-1);
  uint32_t all = 0;
  for (int input = 0; input < 2; ++input)
    for (int bit = 0; bit < 32; ++bit) {
      const uint32_t one = 1u << bit;
      const uint32_t image = input == 0 ? at(one, 0) : at(0, one);
      if (image & all)
        return nullptr;
      all |= image;
      for (int to = 0; to < 32; ++to)
        if (image >> to & 1)
          from[to] = 32 * input + bit;
    }
  // If the sequence only moves bits, zeros give zeros and ones give ones at all
  // places that a bit moves to.
  if (at(0, 0) != 0 || at(~0u, ~0u) != all)
    return nullptr;
  return Array(from);
}

static Object decode(const BlockLayout &layout) {
  Array steps;
  for (int step = 0; step < 4; ++step) {
    const DecodeSequence sequence = decodeSequence(layout, step);
    Array instructions;
    for (auto [i, inst] : llvm::enumerate(sequence.instructions)) {
      const int number = DecodeSequence::kInputs + static_cast<int>(i);
      Object object{{"op", name(inst.op)},
                    {"lhs", inst.lhs},
                    {"pipe", pipe(inst)},
                    {"bits", bitsOf(sequence, number)}};
      if (inst.selector >= 0)
        object["selector"] = inst.selector;
      if (inst.rhs < 0)
        object["immediate"] = inst.immediate;
      else
        object["rhs"] = inst.rhs;
      instructions.push_back(std::move(object));
    }
    steps.push_back(Object{{"instructions", std::move(instructions)},
                           {"results", Array(sequence.results)}});
  }
  const DecodeCost cost = decodeSequence(layout, 0).cost();
  return Object{{"name", sequenceName(layout)},
                {"alu", cost.alu},
                {"multiply", cost.multiply},
                {"bf16x2", cost.bf16x2},
                {"steps", std::move(steps)}};
}

//===----------------------------------------------------------------------===//
// Operations
//===----------------------------------------------------------------------===//

static Object describe(GroupedMatmulOp op, const Target &target,
                       const Preference &preference) {
  const Problem problem = schedulingProblem(op);
  // What the chooser is asked, which does not know yet whether a warp brings
  // the rows.
  Problem asked = problem;
  asked.gathers = static_cast<bool>(op.getGather());
  const BlockLayout layout = op.getBlockType().getLayout();
  Object object{
      {"target", describe(target)},
      {"problem", Object{{"experts", problem.experts},
                         {"groups", problem.groups},
                         {"n", problem.n},
                         {"k", problem.k},
                         {"output", name(*numberTypeOf(
                                        op.getOutputType().getElementType()))},
                         {"expert_ids", static_cast<bool>(op.getExpertIds())}}},
      {"schedule",
       describe(op.getScheduleAttr().toSchedule(), problem, target)},
      {"choices", choices(asked, target, preference)},
      {"block", block(layout)},
      {"fragments", fragments(op.getScheduleAttr().toSchedule())},
      {"decode", decode(layout)}};
  if (auto function = op->getParentOfType<FunctionOpInterface>())
    object["function"] = llvm::json::fixUTF8(function.getName());
  if (auto reason = op->getAttrOfType<StringAttr>("schedule_reason"))
    object["reason"] = reason.getValue();
  return object;
}

std::string mxfp4::describeDevices() {
  Array list;
  for (const Part &part : parts()) {
    Object object = deviceJson(part.device);
    object["title"] = part.name;
    list.push_back(std::move(object));
  }
  std::string text;
  llvm::raw_string_ostream os(text);
  os << llvm::json::Value(std::move(list));
  return text;
}

FailureOr<std::string> mxfp4::describe(ModuleOp module,
                                       const CompileOptions &options) {
  Preference preference;
  if (failed(readTarget(module, options)))
    return failure();
  if (const std::string problem =
          parsePreference(options.placement, options.instruction, preference);
      !problem.empty())
    return module.emitError() << "the compiler " << problem;
  preference.batchInvariant = options.batchInvariant;
  Array list;
  module.walk([&](GroupedMatmulOp op) {
    if (op.getScheduleAttr() && op.getBlockType())
      list.push_back(::describe(op, *readTarget(op, options), preference));
  });
  std::string text;
  llvm::raw_string_ostream os(text);
  os << llvm::json::Value(std::move(list));
  return text;
}
