//===- Manifest.cpp - How to launch a kernel ------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Format "mxfp4-artifact", version 3. A launcher
//   - refuses a version or a target that it does not know;
//   - checks that weights are packed in `weights`' layout;
//   - passes `arguments` in order, pointers to contiguous device memory
//     aligned as stated; "tensor_maps" are one argument by value, 128 bytes for
//     each of `boxes` one behind the other, that the driver encodes
//     (cuTensorMapEncodeTiled) for [K, rows] bf16, the box, the 128-byte
//     swizzle and zeros out of bounds;
//   - launches `launch.block` threads in `ctas_per_sm` CTAs for each
//     multiprocessor (grid rule "persistent": any grid is correct, this one is
//     fast) with `dynamic_shared_bytes`, and nothing if there are no rows;
//   - passes as "workspace" two i32 that were zeros before the first launch (a
//     kernel leaves zeros), and others to launches that may run at one time;
//   - may read bits from the error word: 1 bad offsets (nothing was stored),
//     2 a bad expert id (its rows were not stored).
//
//===----------------------------------------------------------------------===//

#include "Manifest.h"

#include "mxfp4/Core/DecodeSequence.h"

#include "llvm/Config/llvm-config.h"
#include "llvm/Support/JSON.h"

using namespace mlir;
using namespace mxfp4;
using llvm::json::Array;
using llvm::json::Object;

KernelFacts KernelFacts::read(GroupedMatmulOp op) {
  KernelFacts facts;
  facts.problem = {op.getNumExperts(), op.getNumGroups(), op.getN(), op.getK(),
                   /*rowsHint=*/0};
  if (BlockType block = op.getBlockType())
    facts.layout = block.getLayout();
  facts.outputF32 = op.getOutputType().getElementType().isF32();
  facts.expertIds = static_cast<bool>(op.getExpertIds());
  facts.errorWord = static_cast<bool>(op.getError());
  facts.workspace = static_cast<bool>(op.getWorkspace());
  return facts;
}

static Array arguments(const KernelFacts &facts) {
  Array list;
  auto pointer = [&](StringRef name, StringRef dtype, int align) {
    list.push_back(Object{{"name", name},
                          {"kind", "pointer"},
                          {"dtype", dtype},
                          {"align", align}});
  };
  const Schedule &s = facts.schedule;
  if (s.instruction == Instruction::Wgmma) {
    Array boxes;
    for (int rows = s.heightStep(); rows <= s.tileTokens;
         rows += s.heightStep())
      boxes.push_back(Array{Schedule::kTileK, rows});
    list.push_back(Object{{"name", "x"},
                          {"kind", "tensor_maps"},
                          {"dtype", "bf16"},
                          {"align", 16},
                          {"boxes", std::move(boxes)}});
  } else {
    pointer("x", "bf16", 16);
  }
  pointer("weights", "u8", 16);
  pointer("offsets", "i32", 4);
  if (facts.expertIds)
    pointer("expert_ids", "i32", 4);
  pointer("y", facts.outputF32 ? "f32" : "bf16", facts.outputF32 ? 8 : 4);
  if (facts.errorWord)
    pointer("error", "i32", 4);
  if (facts.workspace)
    pointer("workspace", "i32", 4);
  list.push_back(Object{{"name", "rows"}, {"kind", "i32"}});
  return list;
}

static Object problem(const KernelFacts &facts) {
  Object result{{"experts", facts.problem.experts},
                {"groups", facts.problem.groups},
                {"n", facts.problem.n},
                {"k", facts.problem.k},
                {"activation", "bf16"},
                {"output", facts.outputF32 ? "f32" : "bf16"},
                {"expert_ids", facts.expertIds}};
  if (facts.rowsRange)
    result["rows_hint"] =
        Array{facts.rowsRange->first, facts.rowsRange->second};
  return result;
}

static Object schedule(const KernelFacts &facts) {
  const Schedule &s = facts.schedule;
  return Object{
      {"instruction", name(s.instruction)},
      {"tile", Object{{"rows", s.tileRows},
                      {"tokens", s.tileTokens},
                      {"token_step", s.heightStep()},
                      {"k", Schedule::kTileK}}},
      {"warps", Object{{"rows", s.warpsRows}, {"tokens", s.warpsTokens}}},
      {"k_slices", s.kSlices},
      {"stages", s.stages},
      {"placement", name(s.placement)},
      {"decode", sequenceName(facts.layout)},
      {"reason", facts.reason}};
}

std::string mxfp4::writeManifest(const KernelFacts &facts, StringRef entry,
                                 StringRef chip, const Assembly *assembly) {
  const Schedule &s = facts.schedule;
  const int64_t dynamicShared = s.dynamicSharedBytes(facts.problem.groups);
  Object manifest{
      {"format", "mxfp4-artifact"},
      {"version", 3},
      {"entry", entry},
      {"target", chip},
      {"problem", problem(facts)},
      {"weights", Object{{"layout", "fragment_major"},
                         {"order", name(facts.layout.order)},
                         {"scales", name(facts.layout.scales)},
                         {"block_bytes", BlockLayout::kBytes},
                         {"proof", facts.layout.scales == ScaleEncoding::Folded
                                       ? "every scale byte is at most 128"
                                       : "none needed"}}},
      {"schedule", schedule(facts)},
      {"launch",
       Object{{"block", Array{s.threads(), 1, 1}},
              {"cluster", Array{1, 1, 1}},
              {"dynamic_shared_bytes", dynamicShared},
              {"grid", Object{{"rule", "persistent"},
                              {"ctas_per_sm", s.ctasPerMultiprocessor}}}}},
      {"arguments", arguments(facts)}};
  Object versions{{"mxfp4", MXFP4_VERSION}, {"llvm", LLVM_VERSION_STRING}};
  if (assembly) {
    manifest["resources"] = resources(*assembly);
    versions["ptxas"] = assembly->version;
  }
  manifest["versions"] = std::move(versions);
  std::string text;
  llvm::raw_string_ostream os(text);
  os << llvm::formatv("{0:2}\n", llvm::json::Value(std::move(manifest)));
  return text;
}
