//===- RaiseForall.cpp - Parallel loops over experts ----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Iterations of a parallel loop may run one after the other. One over experts
// is written so, if that makes it a loop that becomes one matmul; otherwise it
// stays parallel.
//
//===----------------------------------------------------------------------===//

#include "MappedLoop.h"
#include "RaggedLoop.h"

#include "mlir/IR/IRMapping.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

using namespace mlir;
using namespace mxfp4;

/// Whether the loop is over one number, and has a matmul in it.
static bool isOverExperts(scf::ForallOp op) {
  if (op.getRank() != 1 || op->getNumResults() == 0 || op.getMapping())
    return false;
  return llvm::any_of(
      op.getBody()->getOps<GroupedMatmulOp>(),
      [](GroupedMatmulOp matmul) { return matmul.hasPureTensorSemantics(); });
}

/// The same loop with its iterations in order, behind which nothing changes.
static scf::ForOp inOrder(scf::ForallOp op) {
  ImplicitLocOpBuilder b(op.getLoc(), op);
  const auto value = [&](OpFoldResult number) {
    return getValueOrCreateConstantIndexOp(b, b.getLoc(), number);
  };
  auto loop = scf::ForOp::create(b, value(op.getMixedLowerBound()[0]),
                                 value(op.getMixedUpperBound()[0]),
                                 value(op.getMixedStep()[0]), op.getOutputs());
  b.setInsertionPointToStart(loop.getBody());
  IRMapping mapping;
  mapping.map(op.getInductionVar(0), loop.getInductionVar());
  for (auto [parallel, carried] :
       llvm::zip(op.getRegionIterArgs(), loop.getRegionIterArgs()))
    mapping.map(parallel, carried);
  for (Operation &inner : op.getBody()->without_terminator())
    b.clone(inner, mapping);
  SmallVector<Value> next(loop.getRegionIterArgs());
  for (Operation &inner : op.getTerminator().getYieldingOps()) {
    auto insert = cast<tensor::ParallelInsertSliceOp>(inner);
    const auto mapped = [&](ArrayRef<OpFoldResult> numbers) {
      SmallVector<OpFoldResult> all;
      for (OpFoldResult number : numbers)
        all.push_back(isa<Value>(number) ? OpFoldResult(mapping.lookupOrDefault(
                                               cast<Value>(number)))
                                         : number);
      return all;
    };
    const unsigned which =
        cast<BlockArgument>(insert.getDest()).getArgNumber() - op.getRank();
    next[which] = tensor::InsertSliceOp::create(
        b, mapping.lookupOrDefault(insert.getSource()), next[which],
        mapped(insert.getMixedOffsets()), mapped(insert.getMixedSizes()),
        mapped(insert.getMixedStrides()));
  }
  scf::YieldOp::create(b, next);
  return loop;
}

bool mxfp4::orderForalls(Operation *root) {
  SmallVector<scf::ForallOp> loops;
  root->walk([&](scf::ForallOp op) {
    if (isOverExperts(op))
      loops.push_back(op);
  });
  bool changed = false;
  for (scf::ForallOp op : loops) {
    scf::ForOp loop = inOrder(op);
    if (failed(matchRaggedLoop(loop, nullptr)) && !findMappedLoop(loop)) {
      loop.erase();
      continue;
    }
    op.replaceAllUsesWith(loop.getResults());
    op.erase();
    changed = true;
  }
  return changed;
}
