//===- RaiseRagged.cpp - Loops over experts to one grouped_matmul ---------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// MLIR has no ragged matmul; programs write a loop over experts that cuts an
// expert's rows out, multiplies them, and puts the result back. By the time
// these patterns see it, what it multiplies with is a `grouped_matmul` of one
// group.
//
//===----------------------------------------------------------------------===//

#include "RaggedLoop.h"
#include "TensorType.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

using namespace mlir;
using namespace mxfp4;

namespace {

/// Makes the routing operands of the grouped matmul.
class Routing {
public:
  Routing(ImplicitLocOpBuilder &b, const RaggedLoop &loop, bool coverRows)
      : b(b), loop(loop), coverRows(coverRows) {}

  void build() {
    if (loop.offsets)
      fromOffsets();
    else
      fromSizes();
  }
  Value offsets, ids;

private:
  Value index(int64_t value) {
    return arith::ConstantIndexOp::create(b, value);
  }
  Value i32(Value integers) {
    auto type = cast<ShapedType>(integers.getType());
    Type element = type.getElementType(), to = type.clone(b.getI32Type());
    if (element.isIndex())
      return arith::IndexCastOp::create(b, to, integers);
    if (element.getIntOrFloatBitWidth() > 32)
      return arith::TruncIOp::create(b, to, integers);
    if (element.getIntOrFloatBitWidth() < 32)
      return arith::ExtUIOp::create(b, to, integers);
    return integers;
  }
  Value rows() {
    Value count = tensor::DimOp::create(b, loop.rowSource(), index(0));
    return arith::IndexCastOp::create(b, b.getI32Type(), count);
  }
  /// Ids 0 .. E-1, with none in front or behind.
  void makeIds(int head, int tail) {
    SmallVector<int32_t> values(head, -1);
    for (int64_t expert = 0; expert < loop.experts; ++expert)
      values.push_back(expert);
    values.append(tail, -1);
    auto type = RankedTensorType::get(values.size(), b.getI32Type());
    ids = arith::ConstantOp::create(b, DenseIntElementsAttr::get(type, values));
  }

  void fromOffsets() {
    offsets = i32(loop.offsets);
    if (coverRows)
      return;
    // Rows before the first offset and behind the last belong to no expert.
    auto type = RankedTensorType::get(loop.experts + 3, b.getI32Type());
    Value all = arith::ConstantOp::create(
        b, DenseIntElementsAttr::get(type, int32_t(0)));
    OpFoldResult one = b.getIndexAttr(1);
    all = tensor::InsertSliceOp::create(
        b, offsets, all, one, {b.getIndexAttr(loop.experts + 1)}, one);
    offsets = tensor::InsertOp::create(b, rows(), all, index(loop.experts + 2));
    makeIds(1, 1);
  }

  void fromSizes() {
    Value sizes = i32(loop.sizes);
    auto type = RankedTensorType::get(loop.experts + (coverRows ? 1 : 2),
                                      b.getI32Type());
    Value all = arith::ConstantOp::create(
        b, DenseIntElementsAttr::get(type, int32_t(0)));
    Value zero = arith::ConstantOp::create(b, b.getI32IntegerAttr(0));
    auto sums = scf::ForOp::create(b, index(0), index(loop.experts), index(1),
                                   ValueRange{all, zero});
    {
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToStart(sums.getBody());
      Value expert = sums.getInductionVar();
      Value size = tensor::ExtractOp::create(b, sizes, expert);
      Value sum = arith::AddIOp::create(b, sums.getRegionIterArg(1), size);
      Value next = arith::AddIOp::create(b, expert, index(1));
      Value with =
          tensor::InsertOp::create(b, sum, sums.getRegionIterArg(0), next);
      scf::YieldOp::create(b, ValueRange{with, sum});
    }
    offsets = sums.getResult(0);
    if (coverRows)
      return;
    offsets =
        tensor::InsertOp::create(b, rows(), offsets, index(loop.experts + 1));
    makeIds(0, 1);
  }

  ImplicitLocOpBuilder &b;
  const RaggedLoop &loop;
  bool coverRows;
};

/// The matmul of all iterations, with the epilogue of one.
GroupedMatmulOp createMatmul(PatternRewriter &rewriter, RaggedLoop &loop,
                             const Routing &routing, Value into) {
  SmallVector<Value> operands;
  for (Value operand : loop.epilogueOperands) {
    auto made = operand.getDefiningOp<tensor::FromElementsOp>();
    operands.push_back(made ? rewriter.clone(*made)->getResult(0) : operand);
  }
  auto matmul = GroupedMatmulOp::create(
      rewriter, loop.matmul.getLoc(), into.getType(), loop.activations,
      ValueRange{loop.codes, loop.scales}, routing.offsets, routing.ids, into,
      /*error=*/Value(), /*workspace=*/Value(), loop.gather,
      /*scatter=*/Value(), operands, /*through=*/Value(), /*stored=*/Value(),
      /*awaited=*/Value(),
      /*schedule=*/ScheduleAttr(), loop.matmul.getAccumulationAttr(),
      loop.matmul.getTargetAttr(), loop.matmul.getPromisesAttr(),
      loop.matmul.getOlderInputsAttr(), loop.matmul.getEpilogue().size());
  if (matmul.hasEpilogue())
    rewriter.cloneRegionBefore(loop.matmul.getEpilogue()[0],
                               matmul.getEpilogue()[0],
                               matmul.getEpilogue()[0].end());
  return matmul;
}

struct RaiseRaggedLoop : OpRewritePattern<scf::ForOp> {
  RaiseRaggedLoop(MLIRContext *context, bool coverRows)
      : OpRewritePattern(context), coverRows(coverRows) {}

  LogicalResult matchAndRewrite(scf::ForOp op,
                                PatternRewriter &rewriter) const override {
    FailureOr<RaggedLoop> loop = findRaggedLoop(op, nullptr);
    if (failed(loop))
      return rewriter.notifyMatchFailure(op, "not a matmul an expert");
    Value init = op.getInitArgs()[loop->output];

    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    Routing routing(b, *loop, coverRows);
    routing.build();
    RankedTensorType type = tensorType(init);
    // What was in place stays in place.
    Value into =
        init.getDefiningOp<tensor::EmptyOp>() ? init : filledTensor(init);
    if (!into)
      into = tensor::EmptyOp::create(
          b, tensor::getMixedSizes(b, b.getLoc(), init), type.getElementType());
    Value y = createMatmul(rewriter, *loop, routing, into).getResult(0);
    if (y.getType() != type)
      y = tensor::CastOp::create(b, type, y);
    rewriter.replaceAllUsesWith(op.getResult(loop->output), y);
    rewriter.eraseOp(op);
    return success();
  }

private:
  bool coverRows;
};

} // namespace

void mxfp4::populateRaiseRaggedPatterns(RewritePatternSet &patterns,
                                        bool groupsCoverRows) {
  patterns.add<RaiseRaggedLoop>(patterns.getContext(), groupsCoverRows);
}
