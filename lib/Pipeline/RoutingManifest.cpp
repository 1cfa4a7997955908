//===- RoutingManifest.cpp - How to launch routing and combination --------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The manifests of mxfp4.top_k, mxfp4.sort_by_expert, both in one kernel,
// mxfp4.count_by_expert, mxfp4.dispatch and mxfp4.quantize_rows, alone or with
// the sort in one kernel, and mxfp4.combine: what Manifest.cpp says of the
// format, with an "operation".
//
//===----------------------------------------------------------------------===//

#include "Manifest.h"

#include "mlir/Interfaces/FunctionInterfaces.h"

using namespace mlir;
using namespace mxfp4;
using llvm::json::Array;
using llvm::json::Object;

static std::string elementOf(Value memory) {
  return cast<MemRefType>(memory.getType()).getElementType().isBF16() ? "bf16"
                                                                      : "f32";
}

static Object problemOf(const RoutingKernel &kernel) {
  QuantizeRowsOp quantize = kernel.quantize;
  if (quantize && !quantize.getSlotRows())
    return Object{{"k", kernel.n()}, {"gather", bool(quantize.getGather())}};
  Object problem{{"slots", kernel.slots()}};
  if (kernel.storesSlots()) {
    problem["k"] = kernel.n();
    if (DispatchOp dispatch = kernel.dispatch)
      problem["input"] = elementOf(dispatch.getValues());
    if (kernel.sort)
      problem["experts"] = kernel.experts();
    return problem;
  }
  if (CombineOp combine = kernel.combine) {
    problem["n"] = kernel.n();
    problem["input"] = elementOf(combine.getRows());
    problem["output"] = elementOf(combine.getInit());
    return problem;
  }
  problem["experts"] = kernel.experts();
  if (TopKOp topK = kernel.topK) {
    problem["logits"] = elementOf(topK.getLogits());
    problem["scoring"] = stringifyScoring(topK.getScoring());
    problem["bias"] = bool(topK.getBias());
    problem["renormalize"] = topK.getRenormalize();
    problem["scale"] = double(topK.getScale().convertToFloat());
  }
  return problem;
}

RoutingFacts RoutingFacts::read(const RoutingKernel &kernel) {
  RoutingFacts facts;
  if (auto function = kernel.last()->getParentOfType<FunctionOpInterface>())
    facts.function = function.getName().str();
  facts.operation = kernel.name().str();
  facts.problem = problemOf(kernel);
  facts.plan = kernel.plan();
  return facts;
}

std::string mxfp4::writeManifest(RoutingFacts facts, StringRef entry,
                                 StringRef chip, const Assembly *assembly) {
  const LaunchPlan &plan = facts.plan;
  Object grid{{"rule", plan.grid.isOne() ? "one" : "per_rows"}};
  if (!plan.grid.isOne()) {
    grid["rows"] = plan.grid.rows;
    grid["y"] = plan.grid.y;
  }
  Object manifest{{"format", "mxfp4-artifact"},
                  {"version", 4},
                  {"operation", facts.operation},
                  {"entry", entry},
                  {"target", chip},
                  {"problem", std::move(facts.problem)},
                  {"launch", Object{{"block", Array{plan.threads, 1, 1}},
                                    {"cluster", Array{1, 1, 1}},
                                    {"dynamic_shared_bytes", plan.sharedBytes},
                                    {"grid", std::move(grid)}}}};
  return finishManifest(std::move(manifest), facts.signature, facts.function,
                        assembly);
}
