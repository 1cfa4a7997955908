//===- ComesFrom.cpp - What is behind a value -----------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ComesFrom.h"

#include "mxfp4/IR/MXFP4.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace mxfp4;

Operation *mxfp4::comesFrom(Value value,
                            llvm::function_ref<bool(Operation *)> isWanted) {
  SmallVector<Value> queue = {value};
  DenseSet<Operation *> seen;
  while (!queue.empty() && seen.size() < 1024) {
    Operation *op = queue.pop_back_val().getDefiningOp();
    if (!op || !seen.insert(op).second)
      continue;
    if (isWanted(op))
      return op;
    if (auto linalgOp = dyn_cast<linalg::LinalgOp>(op)) {
      if (linalgOp.getNumReductionLoops() == 0)
        queue.append(linalgOp.getDpsInputs());
      // What a body takes out of tensors comes from these.
      linalgOp.getBlock()->walk([&](tensor::ExtractOp extract) {
        queue.push_back(extract.getTensor());
      });
    } else if (op->getNumRegions() == 0 &&
               !isa<GroupedMatmulOp, QuantizeOp>(op)) {
      queue.append(op->operand_begin(), op->operand_end());
    }
  }
  return nullptr;
}
