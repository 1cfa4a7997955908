//===- FuseEpilogue.cpp - Consumers of a grouped_matmul into it -----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "EpilogueConsumer.h"
#include "KernelRemarks.h"

#include "mxfp4/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace mxfp4 {
#define GEN_PASS_DEF_FUSEEPILOGUE
#include "mxfp4/Transforms/Passes.h.inc"
} // namespace mxfp4

using namespace mlir;
using namespace mxfp4;

namespace {

constexpr StringLiteral kFuseEpilogue = "mxfp4-fuse-epilogue";

std::string nameOf(Operation *op) {
  return "'" + op->getName().getStringRef().str() + "'";
}

struct FuseEpiloguePass : mxfp4::impl::FuseEpilogueBase<FuseEpiloguePass> {
  using FuseEpilogueBase::FuseEpilogueBase;

  void runOnOperation() override {
    SmallVector<GroupedMatmulOp> matmuls;
    getOperation()->walk([&](GroupedMatmulOp op) {
      if (op.hasPureTensorSemantics())
        matmuls.push_back(op);
    });
    for (GroupedMatmulOp matmul : matmuls)
      fuseAll(matmul);
  }

private:
  void fuseAll(GroupedMatmulOp matmul);
  /// The matmul with its consumer in it, or null.
  GroupedMatmulOp fuseOne(GroupedMatmulOp matmul);
};

} // namespace

GroupedMatmulOp FuseEpiloguePass::fuseOne(GroupedMatmulOp matmul) {
  detachSizes(matmul);
  const ResultUses uses = findResultUses(matmul);
  Miss why;
  Operation *at = nullptr;
  FailureOr<EpilogueConsumer> consumer = findConsumer(matmul, uses, at, &why);
  if (failed(consumer)) {
    if (!at)
      return {};
    ++numNotFused;
    missedOn(at, kFuseEpilogue, "consumer", [&] {
      std::string text = nameOf(at) + " is not fused: " + why.condition;
      return why.nextStep.empty() ? text : text + "; " + why.nextStep;
    });
    return {};
  }
  ++numFused;
  passedOn(at, kFuseEpilogue, "consumer", [&] {
    return nameOf(at) + (consumer->pairs
                             ? " is part of the epilogue, on pairs of columns"
                             : " is part of the epilogue");
  });
  const FusedEpilogue fused = fuseConsumer(matmul, *consumer);
  at->getResult(0).replaceAllUsesWith(fused.result);
  at->erase();
  for (Operation *view : llvm::reverse(uses.views))
    if (view->use_empty())
      view->erase();
  matmul->erase();
  return fused.matmul;
}

void FuseEpiloguePass::fuseAll(GroupedMatmulOp matmul) {
  GroupedMatmulOp last;
  for (GroupedMatmulOp next = fuseOne(matmul); next; next = fuseOne(next))
    last = next;
  if (!last)
    return;
  const unsigned left = simplifyRoundings(last, allowContractRounding);
  if (left == 0)
    return;
  analysisOn(last, kFuseEpilogue, "rounding", [&] {
    return "the epilogue keeps " + std::to_string(left) +
           " of the program's roundings to bf16; allow-contract-rounding "
           "leaves them out, which changes results";
  });
}
