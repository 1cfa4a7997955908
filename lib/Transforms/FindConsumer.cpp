//===- FindConsumer.cpp - What follows a grouped_matmul -------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "EpilogueConsumer.h"
#include "KeptRows.h"
#include "TensorType.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace mxfp4;

namespace {

/// Whether an operation computes something of each element, or could: what a
/// user expects to be fused.
bool computes(Operation *op) {
  return isa<linalg::LinalgOp>(op) ||
         (OpTrait::hasElementwiseMappableTraits(op) &&
          op->getNumResults() == 1 &&
          isa<RankedTensorType>(op->getResult(0).getType()));
}

/// The same of a part of the result.
bool takesPart(Operation *op) {
  return isa<tensor::ExtractSliceOp, tensor::ExpandShapeOp,
             tensor::CollapseShapeOp>(op) &&
         llvm::any_of(op->getUsers(), computes);
}

class ConsumerMatcher {
public:
  ConsumerMatcher(GroupedMatmulOp matmul, const ResultUses &uses, Miss *why)
      : matmul(matmul), uses(uses), why(why) {}

  FailureOr<EpilogueConsumer> match(Operation *&at);

private:
  Operation *pickUser();
  LogicalResult matchUsers(Operation *user);
  LogicalResult matchMatmul();
  LogicalResult matchLoops();
  LogicalResult matchInputs();
  LogicalResult matchSum(const ResultView &view, AffineMap map,
                         ConsumerInput &input);
  LogicalResult matchGroups();
  const ResultView *viewAt(OpOperand *operand) const {
    for (const ResultUse &use : uses.uses)
      if (use.operand == operand)
        return &use.view;
    return nullptr;
  }

  GroupedMatmulOp matmul;
  const ResultUses &uses;
  Miss *why;
  EpilogueConsumer found;
  /// From the output's dimensions to loops.
  AffineMap toLoops;
  unsigned rowLoops = 1;
};

/// Whether every id is that of an expert.
bool areExperts(Value ids) {
  DenseIntElementsAttr values;
  if (!matchPattern(ids, m_Constant(&values)))
    return false;
  // Of more elements, maybe, than can be looked at one by one.
  if (values.isSplat())
    return !values.getSplatValue<APInt>().isNegative();
  return llvm::none_of(values.getValues<APInt>(),
                       [](const APInt &id) { return id.isNegative(); });
}

} // namespace

Operation *ConsumerMatcher::pickUser() {
  for (const ResultUse &use : uses.uses)
    if (Operation *user = use.operand->getOwner();
        computes(user) || takesPart(user))
      return use.operand->getOwner();
  return nullptr;
}

LogicalResult ConsumerMatcher::matchUsers(Operation *user) {
  if (takesPart(user))
    return miss(why,
                "it is neither all of the matmul's result nor every other "
                "column of it",
                "gate and up must be neighbouring columns: interleave the rows "
                "of the weights when they are packed");
  for (const ResultUse &use : uses.uses)
    if (Operation *other = use.operand->getOwner(); other != user)
      return miss(why, "the matmul's result is used by '" +
                           other->getName().getStringRef() + "', too");
  found.op = dyn_cast<linalg::LinalgOp>(user);
  if (!found.op)
    return miss(why, "it is no linalg operation",
                "run convert-elementwise-to-linalg first");
  if (user->getBlock() != matmul->getBlock())
    return miss(why, "it is in another block than the matmul");
  return success();
}

LogicalResult ConsumerMatcher::matchMatmul() {
  if (matmul.getSchedule())
    return miss(why,
                "the matmul has a schedule, which was chosen for what it "
                "does now",
                "run this pass before mxfp4-choose-schedule");
  if (ShapedType::isDynamic(matmul.getN()) ||
      ShapedType::isDynamic(matmul.getNumExperts()))
    return miss(why, "the matmul's numbers of columns and experts must be "
                     "static");
  if (BlockType block = matmul.getBlockType();
      found.pairs && block && block.getColumns() == ColumnOrder::Apart)
    return miss(why,
                "it takes columns 2n and 2n + 1 for a pair, but the layout of "
                "the weights says that gate and up are apart",
                "interleave the rows of the weights before they are packed");
  if (isa<Float8E4M3FNType>(matmul.getOutputType().getElementType()))
    return miss(why, "the matmul's result is rounded to f8E4M3FN, which an "
                     "epilogue has no operation for");
  if (matmul.getScatter())
    return miss(why, "the matmul scatters its rows; others would not be "
                     "computed");
  if (keepsRowsOfInit(matmul))
    return miss(why,
                "rows behind the last group keep the values of the "
                "matmul's init",
                "make the init by tensor.empty");
  if (matmul.getExpertIds() && !areExperts(matmul.getExpertIds()))
    return miss(why,
                "a group may have id -1, whose rows are zeros without an "
                "epilogue",
                "with mxfp4-raise, use groups-cover-rows if each row has an "
                "expert");
  return success();
}

LogicalResult ConsumerMatcher::matchLoops() {
  linalg::LinalgOp op = found.op;
  if (!op.hasPureTensorSemantics() || op->getNumResults() != 1)
    return miss(why, "it has not one tensor as result");
  if (op.getNumReductionLoops() != 0)
    return miss(why, "it sums over, or reduces, one of its loops");
  OpOperand *init = op.getDpsInitOperand(0);
  const AffineMap outMap = op.getMatchingIndexingMap(init);
  if (!outMap.isPermutation())
    return miss(why, "its loops are not the dimensions of its result");
  toLoops = inversePermutation(outMap);
  const Type element = tensorType(op->getResult(0)).getElementType();
  if (isa<Float8E4M3FNType>(element))
    return miss(why,
                "arith.truncf to f8E4M3FN makes NaN of values beyond 448, "
                "which the store of an epilogue saturates",
                "write mxfp4.grouped_matmul with this epilogue and an output "
                "of f8E4M3FN");
  if (!element.isF32() && !element.isBF16()) {
    std::string name;
    llvm::raw_string_ostream(name) << element;
    return miss(why, "its result is of " + name + ", not of bf16 or f32");
  }
  if (init->getOperandNumber() < op.getBlock()->getNumArguments() &&
      op.payloadUsesValueFromOperand(init))
    return miss(why, "it reads the old values of its output");
  return success();
}

LogicalResult ConsumerMatcher::matchSum(const ResultView &view, AffineMap map,
                                        ConsumerInput &input) {
  input.kind = InputKind::Sum;
  MLIRContext *context = map.getContext();
  const unsigned last = map.getNumDims() - 1;
  const auto isMap = [&](AffineExpr column) {
    SmallVector<AffineExpr> results;
    for (unsigned dim = 0; dim < last; ++dim)
      results.push_back(getAffineDimExpr(dim, context));
    results.push_back(column);
    return map == AffineMap::get(map.getNumDims(), 0, results, context);
  };
  AffineExpr column = getAffineDimExpr(last, context);
  if (view.columns == Columns::One && isMap(column))
    input.parity = view.parity;
  else if (view.columns == Columns::All && isMap(column * 2))
    input.parity = 0;
  else if (view.columns == Columns::All && isMap(column * 2 + 1))
    input.parity = 1;
  else if (view.columns != Columns::All || !isMap(column))
    return miss(why,
                "it reads the matmul's result neither at its own row and "
                "column, nor at columns 2n and 2n+1 for column n",
                "gate and up must be neighbouring columns: interleave the rows "
                "of the weights when they are packed");
  if (input.parity)
    found.pairs = true;
  return success();
}

/// A value for each expert and column needs to know a row's expert: groups of
/// equal size.
LogicalResult ConsumerMatcher::matchGroups() {
  const auto fail = [&] {
    return miss(why, "it reads values by the first dimension of the result, "
                     "which is not known to be a row's expert");
  };
  auto expand = cast<tensor::ExpandShapeOp>(found.byExpert);
  if (matmul.getExpertIds() || matmul.getGather() ||
      expand.getResultType().getDimSize(0) != matmul.getNumExperts())
    return fail();
  DenseIntElementsAttr constant;
  if (matchPattern(matmul.getOffsets(), m_Constant(&constant))) {
    // One number for all offsets may stand for any count of them.
    if (constant.isSplat())
      return constant.getSplatValue<int32_t>() == 0 ? success() : fail();
    const auto values = constant.getValues<int32_t>();
    for (auto [group, offset] : llvm::enumerate(values))
      if (int64_t(offset) != int64_t(values[1]) * int64_t(group))
        return fail();
    return success();
  }
  // Offsets end at the last row, so that the factor is the rows of a group.
  auto generate = matmul.getOffsets().getDefiningOp<tensor::GenerateOp>();
  if (!generate)
    return fail();
  Block &body = generate.getBody().front();
  auto cast =
      body.getTerminator()->getOperand(0).getDefiningOp<arith::IndexCastOp>();
  auto product = cast ? cast.getIn().getDefiningOp<arith::MulIOp>() : nullptr;
  if (!product || product.getLhs() != body.getArgument(0) ||
      product.getRhs().getParentBlock() == &body)
    return fail();
  return success();
}

LogicalResult ConsumerMatcher::matchInputs() {
  linalg::LinalgOp op = found.op;
  bool first = true;
  for (OpOperand *operand : op.getDpsInputOperands())
    if (const ResultView *view = viewAt(operand)) {
      if (!first && view->byExpert != found.byExpert)
        return miss(why, "it reads the matmul's result in two shapes");
      found.byExpert = view->byExpert;
      first = false;
    }
  if (const ResultView *view = viewAt(op.getDpsInitOperand(0));
      view && view->value != matmul->getResult(0))
    return miss(why, "it overwrites a part of the matmul's result in place",
                "give it an output of its own");
  rowLoops = found.byExpert ? 2 : 1;
  if (op.getNumLoops() != rowLoops + 1)
    return miss(why, "its loops are not the rows and columns of the result");
  bool byExpert = false;
  for (OpOperand *operand : op.getDpsInputOperands()) {
    AffineMap map = op.getMatchingIndexingMap(operand).compose(toLoops);
    ConsumerInput &input = found.inputs.emplace_back();
    if (const ResultView *view = viewAt(operand)) {
      if (failed(matchSum(*view, map, input)))
        return failure();
      continue;
    }
    FailureOr<ConsumerInput> other =
        matchInput(operand->get(), map, rowLoops, why);
    if (failed(other))
      return failure();
    input = *other;
    byExpert |= input.kind == InputKind::PerExpertAndColumn;
  }
  const int64_t columns = matmul.getOutputType().getDimSize(1);
  if (found.pairs && matmul.takesPairs())
    return miss(why, "the epilogue works on pairs of columns already");
  if (tensorType(op->getResult(0)).getShape().back() !=
      (found.pairs ? columns / 2 : columns))
    return miss(why, "its result has not as many columns, or half as many, as "
                     "the matmul's");
  for (const ConsumerInput &input : found.inputs) {
    if (found.pairs && input.kind == InputKind::Sum && !input.parity)
      return miss(why, "it reads the matmul's result in two shapes");
    if (input.parity && !found.pairs && !matmul.takesPairs())
      return miss(why, "an input has two values for each column of the result");
  }
  return byExpert ? matchGroups() : success();
}

FailureOr<EpilogueConsumer> ConsumerMatcher::match(Operation *&at) {
  at = pickUser();
  if (!at)
    return failure();
  if (failed(matchUsers(at)) || failed(matchLoops()) || failed(matchInputs()) ||
      failed(matchBody(found.op, why)) || failed(matchMatmul()))
    return failure();
  return found;
}

FailureOr<EpilogueConsumer> mxfp4::findConsumer(GroupedMatmulOp matmul,
                                                const ResultUses &uses,
                                                Operation *&at, Miss *why) {
  return ConsumerMatcher(matmul, uses, why).match(at);
}
