//===- MatchDecode.cpp - Values that may be decoded -----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Raise.h"

#include "mlir/IR/TypeUtilities.h"

using namespace mlir;
using namespace mxfp4;

DecodeCandidate mxfp4::decodedTensor(Value tensor) {
  auto type = cast<RankedTensorType>(tensor.getType());
  DecodeCandidate candidate;
  candidate.shape = llvm::to_vector(type.getShape());
  candidate.type = type.getElementType();
  candidate.element = [tensor](ElementTrace &graph, const ElementIndex &index) {
    return graph.element(tensor, index);
  };
  return candidate;
}

DecodeCandidate mxfp4::decodedScalar(linalg::LinalgOp op, Value scalar,
                                     ArrayRef<unsigned> order) {
  DecodeCandidate candidate;
  const SmallVector<int64_t> extents = op.getStaticLoopRanges();
  for (unsigned loop : order)
    candidate.shape.push_back(extents[loop]);
  candidate.type = scalar.getType();
  candidate.element = [op, scalar, order = llvm::to_vector(order)](
                          ElementTrace &graph,
                          const ElementIndex &index) mutable {
    // A loop that the weights do not run over is at no position.
    Digits nowhere;
    nowhere.push_back({Digit::kKnown - 2, ShapedType::kDynamic, 1, 0});
    SmallVector<Digits> loops(op.getNumLoops(), nowhere);
    for (auto [loop, digits] : llvm::zip_equal(order, index))
      loops[loop] = digits;
    return graph.scalar(scalar, op, loops);
  };
  return candidate;
}

/// Whether an operation only puts elements elsewhere, or widens them: what is
/// in front of it is the decode.
static bool isMove(Operation *op) {
  if (isa<tensor::CollapseShapeOp, tensor::ExpandShapeOp, tensor::CastOp,
          tensor::ExtractSliceOp, arith::ExtFOp>(op))
    return true;
  auto linalgOp = dyn_cast<linalg::LinalgOp>(op);
  if (!linalgOp || linalgOp.getNumDpsInputs() != 1)
    return false;
  Value yielded = linalgOp.getBlock()->getTerminator()->getOperand(0);
  if (auto widen = yielded.getDefiningOp<arith::ExtFOp>();
      widen && widen.getIn().getType().isBF16())
    yielded = widen.getIn();
  auto argument = dyn_cast<BlockArgument>(yielded);
  return argument && argument.getOwner() == linalgOp.getBlock();
}

bool mxfp4::mayBeDecode(Operation *op) {
  if (op->getNumResults() != 1 || isMove(op))
    return false;
  auto type = dyn_cast<RankedTensorType>(op->getResult(0).getType());
  if (!type || type.getRank() == 0 ||
      !isa<BFloat16Type, Float32Type, Float16Type>(type.getElementType()))
    return false;
  if (auto linalgOp = dyn_cast<linalg::LinalgOp>(op))
    return linalgOp.hasPureTensorSemantics() && !isSum(linalgOp);
  return isa<tensor::InsertSliceOp, tensor::ConcatOp>(op) ||
         OpTrait::hasElementwiseMappableTraits(op);
}

FailureOr<Decode> mxfp4::matchDecode(Operation *op, Miss *why,
                                     DecodeStep *step) {
  if (auto linalgOp = dyn_cast<linalg::LinalgOp>(op)) {
    if (!linalgOp.hasPureTensorSemantics())
      return miss(why, "the operation is on memrefs",
                  "run mxfp4-raise before bufferization");
    if (linalgOp.getNumDpsInits() != 1 || isSum(linalgOp))
      return miss(why, "a decode has one result and no reduction");
  }
  if (op->getNumResults() != 1 ||
      !isa<RankedTensorType>(op->getResult(0).getType()))
    return miss(why, "a decode is of tensors");
  return proveDecode(decodedTensor(op->getResult(0)), Promises().within(op),
                     why, step);
}
