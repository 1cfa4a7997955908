//===- BuildEpilogue.cpp - A consumer into an epilogue --------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "EpilogueOperands.h"
#include "TensorType.h"

#include "mxfp4/IR/EpilogueOperations.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Interfaces/CastInterfaces.h"

using namespace mlir;
using namespace mxfp4;

namespace {

/// Makes the matmul that does what its consumer did.
class Fusion {
public:
  Fusion(ImplicitLocOpBuilder &b, GroupedMatmulOp matmul,
         EpilogueConsumer consumer)
      : b(b), matmul(matmul), consumer(std::move(consumer)),
        pairs(this->consumer.pairs || matmul.takesPairs()),
        operands(b, matmul, pairs) {}

  FusedEpilogue build();

private:
  void addOperands();
  void createMatmul(Value init);
  void createArguments();
  Value before(int64_t column);
  void mapInputs();
  void cloneBody();
  void cloneNarrow(Operation &op);
  Value yielded();

  ImplicitLocOpBuilder &b;
  GroupedMatmulOp matmul;
  EpilogueConsumer consumer;
  bool pairs;
  OperandBuilder operands;
  GroupedMatmulOp fused;
  /// By input of the consumer, and by value from outside of its body.
  SmallVector<unsigned> ofInput;
  llvm::MapVector<Value, unsigned> ofOutside;
  /// Arguments of the region: one or two.
  SmallVector<Value> sums;
  SmallVector<SmallVector<Value, 2>> arguments;
  IRMapping mapping;
};

} // namespace

void Fusion::addOperands() {
  for (const ConsumerInput &input : consumer.inputs)
    ofInput.push_back(input.value ? operands.add(input) : 0);
  Block *body = consumer.op.getBlock();
  for (Operation &op : *body)
    for (Value operand : op.getOperands())
      if (operand.getParentBlock() != body &&
          !matchPattern(operand, m_Constant())) {
        ConsumerInput outside;
        outside.value = operand;
        ofOutside.insert({operand, operands.add(outside)});
      }
}

void Fusion::createMatmul(Value init) {
  fused = GroupedMatmulOp::create(
      b, init.getType(), matmul.getActivations(), matmul.getWeights(),
      matmul.getOffsets(), matmul.getExpertIds(), init, matmul.getError(),
      matmul.getWorkspace(), matmul.getGather(), matmul.getScatter(),
      operands.get(), matmul.getThrough(), matmul.getStored(),
      matmul.getAwaited(), matmul.getScheduleAttr(),
      matmul.getAccumulationAttr(), matmul.getTargetAttr(),
      matmul.getPromisesAttr(), matmul.getOlderInputsAttr(),
      /*epilogueCount=*/1);
  fused->setDiscardableAttrs(matmul->getDiscardableAttrDictionary());
}

void Fusion::createArguments() {
  Block &block = fused.getEpilogue()[0].emplaceBlock();
  const auto add = [&] {
    return block.addArgument(b.getF32Type(), b.getLoc());
  };
  for (int i = 0; i < (pairs ? 2 : 1); ++i)
    sums.push_back(add());
  for (Value operand : operands.get()) {
    auto &values = arguments.emplace_back();
    const bool isPair = pairs && epilogueOperandOf(operand.getType()) ==
                                     EpilogueOperand::PerColumn;
    for (int i = 0; i < (isPair ? 2 : 1); ++i)
      values.push_back(add());
  }
  b.setInsertionPointToStart(&block);
}

/// What the consumer read of the matmul: for its column, or one of a pair.
Value Fusion::before(int64_t column) {
  Value value = sums[column];
  if (matmul.hasEpilogue()) {
    const bool all = matmul.takesPairs();
    SmallVector<Value> values;
    if (all)
      values = sums;
    else
      values = {sums[column]};
    for (unsigned i = 0; i < matmul.getEpilogueOperands().size(); ++i)
      if (all)
        values.append(arguments[i]);
      else
        values.push_back(arguments[i].size() == 2 ? arguments[i][column]
                                                  : arguments[i][0]);
    value = cloneEpilogue(b, matmul.getEpilogue()[0], values);
  }
  const Type type = matmul.getOutputType().getElementType();
  return type.isF32() ? value : arith::TruncFOp::create(b, type, value);
}

void Fusion::mapInputs() {
  SmallVector<Value> results = {before(0)};
  if (consumer.pairs)
    results.push_back(before(1));
  for (auto [i, input] : llvm::enumerate(consumer.inputs)) {
    Value argument = consumer.op.getBlock()->getArgument(i), value;
    if (input.kind == InputKind::Sum)
      value = results[input.parity.value_or(0)];
    else if (input.constant)
      value = arith::ConstantOp::create(b, input.constant);
    else
      value = arguments[ofInput[i]][arguments[ofInput[i]].size() == 2
                                        ? input.parity.value_or(0)
                                        : 0];
    if (value.getType() != argument.getType())
      value = arith::TruncFOp::create(b, argument.getType(), value);
    mapping.map(argument, value);
  }
  for (auto [outside, number] : ofOutside) {
    Value value = arguments[number][0];
    if (value.getType() != outside.getType())
      value = arith::TruncFOp::create(b, outside.getType(), value);
    mapping.map(outside, value);
  }
}

/// Kernels have functions of f32 alone. Of bf16 they are those, rounded.
void Fusion::cloneNarrow(Operation &op) {
  SmallVector<Value> values;
  for (Value operand : op.getOperands()) {
    Value value = mapping.lookup(operand);
    if (value.getType().isBF16())
      value = arith::ExtFOp::create(b, b.getF32Type(), value);
    values.push_back(value);
  }
  Operation *wide = b.insert(op.cloneWithoutRegions());
  wide->setOperands(values);
  for (auto [from, to] : llvm::zip_equal(op.getResults(), wide->getResults())) {
    Value value = to;
    if (from.getType().isBF16()) {
      to.setType(b.getF32Type());
      value = arith::TruncFOp::create(b, from.getType(), to);
    }
    mapping.map(from, value);
  }
}

void Fusion::cloneBody() {
  Block *body = consumer.op.getBlock();
  const auto isNarrow = [](Value value) { return value.getType().isBF16(); };
  for (Operation &op : *body) {
    for (Value operand : op.getOperands())
      if (!mapping.contains(operand))
        b.clone(*operand.getDefiningOp(), mapping);
    if (&op == body->getTerminator())
      break;
    if (!isa<CastOpInterface, arith::ConstantOp>(op) &&
        (llvm::any_of(op.getOperands(), isNarrow) ||
         llvm::any_of(op.getResults(), isNarrow)))
      cloneNarrow(op);
    else
      b.clone(op, mapping);
  }
}

Value Fusion::yielded() {
  Value value =
      mapping.lookup(consumer.op.getBlock()->getTerminator()->getOperand(0));
  if (value.getType().isF32())
    return value;
  // The store rounds.
  auto round = value.getDefiningOp<arith::TruncFOp>();
  if (round && roundsToNearestEven(round) && round.getIn().getType().isF32())
    return round.getIn();
  return arith::ExtFOp::create(b, b.getF32Type(), value);
}

FusedEpilogue Fusion::build() {
  Value init = consumer.op.getDpsInitOperand(0)->get();
  if (init == matmul->getResult(0))
    init = matmul.getInit();
  if (consumer.byExpert)
    init = tensor::CollapseShapeOp::create(
        b, init, ArrayRef<ReassociationIndices>{{0, 1}, {2}});
  addOperands();
  createMatmul(init);
  Value result = fused->getResult(0);
  if (consumer.byExpert) {
    auto expand = cast<tensor::ExpandShapeOp>(consumer.byExpert);
    SmallVector<OpFoldResult> shape = expand.getMixedOutputShape();
    shape.resize(2);
    shape.push_back(b.getIndexAttr(fused.getOutputType().getDimSize(1)));
    result = tensor::ExpandShapeOp::create(
        b, consumer.op->getResult(0).getType(), result,
        ArrayRef<ReassociationIndices>{{0, 1}, {2}}, shape);
  }
  createArguments();
  mapInputs();
  cloneBody();
  YieldOp::create(b, yielded());
  return {fused, result};
}

FusedEpilogue mxfp4::fuseConsumer(GroupedMatmulOp matmul,
                                  EpilogueConsumer consumer) {
  ImplicitLocOpBuilder b(consumer.op.getLoc(), consumer.op);
  return Fusion(b, matmul, std::move(consumer)).build();
}

//===----------------------------------------------------------------------===//
// Roundings
//===----------------------------------------------------------------------===//

/// Arguments of the region that are bf16 already.
static DenseSet<Value> narrowArguments(GroupedMatmulOp matmul) {
  DenseSet<Value> narrow;
  const unsigned sums = matmul.takesPairs() ? 2 : 1;
  unsigned next = sums;
  for (Value operand : matmul.getEpilogueOperands()) {
    const unsigned count =
        epilogueOperandOf(operand.getType()) == EpilogueOperand::PerColumn
            ? sums
            : 1;
    for (unsigned i = 0; i < count; ++i, ++next)
      if (tensorType(operand).getElementType().isBF16())
        narrow.insert(matmul.getEpilogue()[0].getArgument(next));
  }
  return narrow;
}

unsigned mxfp4::simplifyRoundings(GroupedMatmulOp matmul, bool contract) {
  Block &body = matmul.getEpilogue()[0].front();
  const DenseSet<Value> narrow = narrowArguments(matmul);
  DenseSet<Operation *> left;
  for (Operation &op : llvm::make_early_inc_range(body)) {
    auto widen = dyn_cast<arith::ExtFOp>(op);
    auto round =
        widen ? widen.getIn().getDefiningOp<arith::TruncFOp>() : nullptr;
    if (!round || !roundsToNearestEven(round) ||
        widen.getType() != round.getIn().getType())
      continue;
    if (!contract && !narrow.contains(round.getIn())) {
      left.insert(round);
      continue;
    }
    widen.replaceAllUsesWith(round.getIn());
    widen.erase();
  }
  for (Operation &op : llvm::make_early_inc_range(llvm::reverse(body)))
    if (isOpTriviallyDead(&op))
      op.erase();
  return left.size();
}
