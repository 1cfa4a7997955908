//===- RaiseMappedLoop.cpp - A matmul in each iteration to one ------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "MappedLoop.h"
#include "TensorType.h"

#include "mlir/Dialect/Utils/ReshapeOpsUtils.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

using namespace mlir;
using namespace mxfp4;

/// A tensor of static shape with another one of as many elements.
static Value reshaped(ImplicitLocOpBuilder &b, Value value,
                      ArrayRef<int64_t> shape) {
  const auto step = [&](ArrayRef<int64_t> to) {
    RankedTensorType from = tensorType(value), type = from.clone(to);
    if (from == type)
      return true;
    auto groups = getReassociationIndicesForReshape(from, type);
    if (!groups)
      return false;
    if (from.getRank() > type.getRank())
      value = tensor::CollapseShapeOp::create(b, type, value, *groups);
    else
      value = tensor::ExpandShapeOp::create(b, type, value, *groups);
    return true;
  };
  if (!step(shape)) {
    (void)step(tensorType(value).getNumElements());
    (void)step(shape);
  }
  return value;
}

namespace {

/// Makes the matmuls of all iterations.
class MappedBuilder {
public:
  MappedBuilder(PatternRewriter &rewriter, scf::ForOp loop, int64_t iterations)
      : rewriter(rewriter), b(loop.getLoc(), rewriter), loop(loop),
        iterations(iterations) {}

  /// Into `into`, if it is not null.
  Value build(const MappedMatmul &mapped, Value into);
  Value output(Value init, const MappedMatmul &mapped);

private:
  Value wholeOf(Value whole, int64_t first, Value one) {
    SmallVector<int64_t> shape(tensorType(one).getShape());
    shape[0] = first;
    return reshaped(b, whole, shape);
  }
  Value numbersOf(const MappedMatmul &mapped, const Slices &slices,
                  int64_t parts);
  Value numberIn(ImplicitLocOpBuilder &in, const MappedMatmul &mapped,
                 const Slices &slices, Value at, Value count);
  /// Numbers as i32, each computed from its position, `with` these operations.
  using NumberAt = function_ref<Value(ImplicitLocOpBuilder &, Value)>;
  Value computed(int64_t size, const SetVector<Operation *> &with,
                 NumberAt numberAt);
  Value makeOffsets(const MappedMatmul &mapped);
  Value makeActivations(const MappedMatmul &mapped);
  SmallVector<Value> makeEpilogueOperands(const MappedMatmul &mapped,
                                          int64_t experts);
  Value constant(ArrayRef<int32_t> values) {
    auto type = RankedTensorType::get(values.size(), b.getI32Type());
    return arith::ConstantOp::create(b,
                                     DenseIntElementsAttr::get(type, values));
  }

  PatternRewriter &rewriter;
  ImplicitLocOpBuilder b;
  scf::ForOp loop;
  int64_t iterations;
};

} // namespace

/// Numbers of slices, each for `parts` parts of them in their order.
Value MappedBuilder::numbersOf(const MappedMatmul &mapped, const Slices &slices,
                               int64_t parts) {
  if (!slices.number || slices.known) {
    SmallVector<int32_t> all;
    for (int64_t i = 0; i < iterations; ++i)
      for (int64_t part = 0; part < parts; ++part)
        all.push_back(static_cast<int32_t>(
            (slices.known ? (*slices.known)[i] * parts : 0) + part));
    return constant(all);
  }
  return computed(iterations * parts, mapped.numbers,
                  [&](ImplicitLocOpBuilder &in, Value at) -> Value {
                    Value count = arith::ConstantIndexOp::create(in, parts);
                    Value first = arith::MulIOp::create(
                        in, numberIn(in, mapped, slices, at, count), count);
                    return arith::AddIOp::create(
                        in, first, arith::RemUIOp::create(in, at, count));
                  });
}

/// The number of a slice in the iteration of part `at`, of `count` of each.
Value MappedBuilder::numberIn(ImplicitLocOpBuilder &in,
                              const MappedMatmul &mapped, const Slices &slices,
                              Value at, Value count) {
  Value iteration = arith::DivUIOp::create(in, at, count);
  if (Type type = loop.getInductionVar().getType(); !type.isIndex())
    iteration = arith::IndexCastOp::create(in, type, iteration);
  IRMapping mapping;
  mapping.map(loop.getInductionVar(), iteration);
  for (Operation &op : loop.getBody()->without_terminator())
    if (mapped.numbers.contains(&op))
      in.clone(op, mapping);
  return mapping.lookupOrDefault(slices.number);
}

/// Whether any of these, or what is in them, has indices of a linalg operation,
/// or will have them in memory.
static bool hasIndices(const SetVector<Operation *> &ops) {
  return llvm::any_of(ops, [](Operation *op) {
    return op
        ->walk([](Operation *inner) {
          return isa<linalg::IndexOp, tensor::GenerateOp, tensor::PadOp>(inner)
                     ? WalkResult::interrupt()
                     : WalkResult::advance();
        })
        .wasInterrupted();
  });
}

Value MappedBuilder::computed(int64_t size, const SetVector<Operation *> &with,
                              NumberAt numberAt) {
  const auto element = [&](OpBuilder &nested, Location loc, Value at) -> Value {
    ImplicitLocOpBuilder in(loc, nested);
    return arith::IndexCastOp::create(in, in.getI32Type(), numberAt(in, at));
  };
  auto type = RankedTensorType::get(size, b.getI32Type());
  if (!hasIndices(with))
    return tensor::GenerateOp::create(
        b, type, ValueRange(),
        [&](OpBuilder &nested, Location loc, ValueRange at) {
          Value number = element(nested, loc, at[0]);
          tensor::YieldOp::create(nested, loc, number);
        });
  // A `tensor.generate` becomes a linalg operation in memory, with whose
  // indices MLIR's lowering to loops confuses those of an operation inside.
  Value zero = arith::ConstantIndexOp::create(b, 0),
        end = arith::ConstantIndexOp::create(b, size),
        one = arith::ConstantIndexOp::create(b, 1);
  Value empty =
      tensor::EmptyOp::create(b, type.getShape(), type.getElementType());
  return scf::ForOp::create(
             b, zero, end, one, empty,
             [&](OpBuilder &nested, Location loc, Value at, ValueRange before) {
               Value number = element(nested, loc, at);
               Value next =
                   tensor::InsertOp::create(nested, loc, number, before[0], at);
               scf::YieldOp::create(nested, loc, next);
             })
      .getResult(0);
}

Value MappedBuilder::makeOffsets(const MappedMatmul &mapped) {
  SmallVector<int32_t> all = {0};
  for (int64_t i = 0; i < iterations; ++i)
    for (int32_t offset : ArrayRef(mapped.offsets).drop_front())
      all.push_back(static_cast<int32_t>(i * mapped.rows() + offset));
  return constant(all);
}

Value MappedBuilder::makeActivations(const MappedMatmul &mapped) {
  const Slices &slices = mapped.activations;
  if (!mapped.before && !slices.number)
    return slices.whole;
  Value all = mapped.before ? build(*mapped.before, Value()) : slices.whole;
  GroupedMatmulOp op = mapped.op;
  return wholeOf(all,
                 mapped.before ? iterations * mapped.rows()
                               : tensorType(all).getDimSize(0) * mapped.rows(),
                 op.getActivations());
}

SmallVector<Value>
MappedBuilder::makeEpilogueOperands(const MappedMatmul &mapped,
                                    int64_t experts) {
  GroupedMatmulOp op = mapped.op;
  SmallVector<Value> operands;
  for (auto [whole, one] :
       llvm::zip_equal(mapped.epilogueOperands, op.getEpilogueOperands())) {
    const EpilogueOperand kind = epilogueOperandOf(one.getType());
    operands.push_back(kind == EpilogueOperand::Scalar ? whole
                       : kind == EpilogueOperand::PerRow
                           ? wholeOf(whole, iterations * mapped.rows(), one)
                           : wholeOf(whole, experts, one));
  }
  return operands;
}

Value MappedBuilder::build(const MappedMatmul &mapped, Value into) {
  GroupedMatmulOp op = mapped.op;
  Value x = makeActivations(mapped);
  const int64_t experts =
      tensorType(mapped.codes.whole).getDimSize(0) * mapped.groups();
  Value codes = wholeOf(mapped.codes.whole, experts, op.getWeights()[0]),
        scales = wholeOf(mapped.scales.whole, experts, op.getWeights()[1]);
  const SmallVector<Value> operands = makeEpilogueOperands(mapped, experts);
  if (!into)
    into = tensor::EmptyOp::create(
        b, {iterations * mapped.rows(), op.getOutputType().getDimSize(1)},
        op.getOutputType().getElementType());
  Value ids, gather, offsets = makeOffsets(mapped);
  if (!mapped.codes.isWhole())
    ids = numbersOf(mapped, mapped.codes, mapped.groups());
  if (!mapped.before && !mapped.activations.isWhole())
    gather = numbersOf(mapped, mapped.activations, mapped.rows());
  auto all = GroupedMatmulOp::create(
      b, into.getType(), x, ValueRange{codes, scales}, offsets, ids, into,
      /*error=*/Value(), /*workspace=*/Value(), gather, /*scatter=*/Value(),
      operands, /*through=*/Value(), /*stored=*/Value(), /*awaited=*/Value(),
      /*schedule=*/ScheduleAttr(), op.getAccumulationAttr(), op.getTargetAttr(),
      op.getPromisesAttr(), op.getOlderInputsAttr(), op.getEpilogue().size());
  if (op.hasEpilogue())
    rewriter.cloneRegionBefore(op.getEpilogue()[0], all.getEpilogue()[0],
                               all.getEpilogue()[0].end());
  return all.getResult(0);
}

/// The loop's result. What was in place stays in place.
Value MappedBuilder::output(Value init, const MappedMatmul &mapped) {
  Value into =
      init.getDefiningOp<tensor::EmptyOp>() ? init : filledTensor(init);
  GroupedMatmulOp op = mapped.op;
  if (into)
    into = wholeOf(into, iterations * mapped.rows(), op.getResult(0));
  return reshaped(b, build(mapped, into), tensorType(init).getShape());
}

namespace {

struct RaiseMappedLoop : OpRewritePattern<scf::ForOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(scf::ForOp op,
                                PatternRewriter &rewriter) const override {
    std::optional<MappedLoop> mapped = findMappedLoop(op);
    if (!mapped)
      return rewriter.notifyMatchFailure(op, "no matmul in each iteration");
    MappedBuilder builder(rewriter, op, mapped->iterations);
    Value init = op.getInitArgs()[mapped->output];
    rewriter.replaceAllUsesWith(op.getResult(mapped->output),
                                builder.output(init, *mapped->matmul));
    rewriter.eraseOp(op);
    return success();
  }
};

} // namespace

void mxfp4::populateRaiseMappedLoopPatterns(RewritePatternSet &patterns) {
  patterns.add<RaiseMappedLoop>(patterns.getContext());
}
