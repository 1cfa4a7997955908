//===- MXFP4Ops.cpp - Operations on tensors and memrefs -------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "DestinationOps.h"

#include "mxfp4/Core/Format.h"
#include "mxfp4/IR/KernelSignature.h"
#include "mxfp4/IR/MXFP4.h"
#include "mxfp4/IR/Promises.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace mxfp4;

// Scoring is parsed and printed as a bare keyword, because MLIR prints a blank
// in front of an enumeration's attribute.
static ParseResult parseScoring(OpAsmParser &parser, ScoringAttr &scoring) {
  StringRef keyword;
  const SMLoc loc = parser.getCurrentLocation();
  if (failed(parser.parseKeyword(&keyword)))
    return failure();
  const std::optional<Scoring> value = symbolizeScoring(keyword);
  if (!value)
    return parser.emitError(loc)
           << "expected a scoring, 'softmax', 'softmax_selected', 'sigmoid' or "
              "'sqrt_softplus', got '"
           << keyword << "'";
  scoring = ScoringAttr::get(parser.getContext(), *value);
  return success();
}
static void printScoring(OpAsmPrinter &printer, Operation *,
                         ScoringAttr scoring) {
  printer << stringifyScoring(scoring.getValue());
}

/// Fragments have one type, which is written where it is not two bf16.
static ParseResult
parseFragments(OpAsmParser &parser,
               SmallVectorImpl<OpAsmParser::UnresolvedOperand> &fragments,
               SmallVectorImpl<Type> &types) {
  Type type = VectorType::get({2}, parser.getBuilder().getBF16Type());
  if (parser.parseOperandList(fragments) ||
      (succeeded(parser.parseOptionalColon()) && parser.parseType(type)))
    return failure();
  types.assign(fragments.size(), type);
  return success();
}
static void printFragments(OpAsmPrinter &printer, Operation *,
                           OperandRange fragments, TypeRange types) {
  printer << fragments;
  if (!types.empty() && !cast<VectorType>(types[0]).getElementType().isBF16())
    printer << " : " << types[0];
}

#define GET_OP_CLASSES
#include "mxfp4/IR/MXFP4Ops.cpp.inc"

//===----------------------------------------------------------------------===//
// grouped_matmul
//===----------------------------------------------------------------------===//

LogicalResult
GroupedMatmulOp::reifyResultShapes(OpBuilder &builder,
                                   ReifiedRankedShapedTypeDims &shapes) {
  return reifyFromInits(builder, *this, shapes);
}

void GroupedMatmulOp::getEffects(
    SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>>
        &effects) {
  addEffects(*this, effects);
  if (getError())
    effects.emplace_back(MemoryEffects::Write::get(), &getErrorMutable()[0]);
  if (getWorkspace()) {
    OpOperand *operand = &getWorkspaceMutable()[0];
    effects.emplace_back(MemoryEffects::Read::get(), operand);
    effects.emplace_back(MemoryEffects::Write::get(), operand);
  }
  if (getThrough())
    effects.emplace_back(MemoryEffects::Write::get(), &getThroughMutable()[0]);
  if (getStored()) {
    OpOperand *operand = &getStoredMutable()[0];
    effects.emplace_back(MemoryEffects::Read::get(), operand);
    effects.emplace_back(MemoryEffects::Write::get(), operand);
  }
}

/// Weights against E, N and K.
static LogicalResult verifyWeights(GroupedMatmulOp op) {
  if (op.getWeights().empty())
    return op.emitOpError("requires weights as one operand of element type "
                          "!mxfp4.block or as two of element type i8 (codes, "
                          "scales), but got none");
  const int64_t n = op.getN(), k = op.getK();
  const int64_t dynamic = ShapedType::kDynamic;
  // A wrong rank is reported with the shape, below.
  const int64_t experts =
      op.getWeightsType().getRank() > 0 ? op.getNumExperts() : dynamic;
  auto divide = [&](int64_t extent, int64_t by) {
    return ShapedType::isDynamic(extent) ? dynamic : (extent + by - 1) / by;
  };
  if (op.getBlockType()) {
    if (op.getWeights().size() != 1)
      return op.emitOpError()
             << "requires one weight operand in a fragment-major layout, but "
                "got "
             << op.getWeights().size();
    const BlockLayout layout = op.getBlockType().getLayout();
    if (failed(verifyShaped(
            op, op.getWeights()[0], "packed weights",
            {experts, divide(n, layout.rows), divide(k, layout.cols)},
            op.getBlockType())))
      return failure();
    if (op.takesPairs() && layout.columns == ColumnOrder::Apart)
      return op.emitOpError()
             << "has an epilogue on pairs, which takes columns 2n and 2n + 1 "
                "for gate n and up n, but its weights are "
             << op.getBlockType()
             << ", with gate and up apart; interleave their rows before they "
                "are packed, and pack them as interleaved";
    return verifyColumns(op, layout, n);
  }
  Type byte = IntegerType::get(op.getContext(), 8);
  if (op.getWeights().size() != 2)
    return op.emitOpError()
           << "requires weights as one operand of element type !mxfp4.block or "
              "as two of element type i8 (codes, scales), but got "
           << op.getWeights().size() << " of type " << op.getWeightsType();
  if (failed(verifyShaped(op, op.getWeights()[0], "codes",
                          {experts, n, divide(k, 32), 16}, byte)))
    return failure();
  return verifyShaped(op, op.getWeights()[1], "scales",
                      {experts, n, divide(k, 32)}, byte);
}

/// Offsets against the groups, and what is optional.
static LogicalResult verifyGroups(GroupedMatmulOp op) {
  // Offsets come first, because their shape gives the number of groups.
  Type i32 = IntegerType::get(op.getContext(), 32);
  if (failed(verifyShaped(op, op.getOffsets(), "offsets",
                          {ShapedType::kDynamic}, i32)))
    return failure();
  const MatmulSizes sizes = MatmulSizes::of(op);
  if (!ShapedType::isDynamic(sizes.groups) && sizes.groups < 1)
    return op.emitOpError()
           << "requires offsets for at least one group (2 entries), but got "
           << op.getOffsets().getType();
  if (!op.getExpertIds() && !compatible(sizes.groups, sizes.experts))
    return op.emitOpError() << "requires offsets for " << sizes.experts
                            << " experts (" << uint64_t(sizes.experts) + 1
                            << " entries) when no expert ids are given, but "
                               "got "
                            << uint64_t(sizes.groups) + 1 << " entries";
  for (auto [i, operand] : llvm::enumerate(matmulOperands())) {
    if (!operand.isOptional || !operand.type)
      continue;
    const MemRefType type = operand.type(sizes);
    for (Value value : op.getODSOperands(i))
      if (failed(verifyShaped(op, value, operand.title, type.getShape(),
                              type.getElementType())))
        return failure();
  }
  return success();
}

/// Activations of 8 bits have weights and sums of their own.
static LogicalResult verifyNumbers(GroupedMatmulOp op, bool isFP8) {
  const BlockType block = op.getBlockType();
  const bool isBytes = block && block.getOrder() == CodeOrder::Bytes;
  if (isFP8 && !isBytes)
    return op.emitOpError() << "requires weights in blocks of type "
                               "!mxfp4.block<bytes, relative> for activations "
                               "of f8E4M3FN, but got "
                            << op.getWeightsType();
  if (!isFP8 && isBytes)
    return op.emitOpError()
           << "requires activations of f8E4M3FN for weights in "
              "blocks of type "
           << block << ", but got " << op.getActivationsType();
  if (!isFP8 && op.getAccumulationAttr())
    return op.emitOpError()
           << "requires activations of f8E4M3FN for an "
              "accumulation: sums of bf16 products are f32; but got "
           << op.getActivationsType() << " and " << op.getAccumulationAttr();
  return success();
}

int64_t GroupedMatmulOp::getPromotion() {
  if (AccumulationAttr attr = getAccumulationAttr())
    return attr.getInterval();
  return isa<Float8E4M3FNType>(getActivationsType().getElementType())
             ? AccumulationAttr::kDefaultInterval
             : 0;
}

LogicalResult GroupedMatmulOp::verify() {
  const int64_t dynamic = ShapedType::kDynamic;
  const Type element = shaped(getActivations()).getElementType();
  const bool isFP8 = isa<Float8E4M3FNType>(element);
  if (failed(verifyShaped(
          *this, getActivations(), "activations", {dynamic, dynamic},
          isFP8 ? element : Type(BFloat16Type::get(getContext())))))
    return failure();
  if (getOutputType().getRank() != 2 ||
      !isMatmulOutput(getOutputType().getElementType()))
    return emitOpError() << "requires an output of rank 2 and element type "
                            "bf16, f32 or f8E4M3FN, but got "
                         << getOutputType();
  // The gather is verified before its shape gives the number of rows.
  if (getGather() &&
      failed(verifyShaped(*this, getGather(), "rows to gather", {dynamic},
                          IntegerType::get(getContext(), 32))))
    return failure();
  const int64_t rows = shaped(getRowSource()).getDimSize(0);
  if (!getScatter() && !compatible(rows, getOutputType().getDimSize(0)))
    return emitOpError() << "requires as many output rows as "
                         << (getGather() ? "rows to gather, "
                                         : "activation rows, ")
                         << rows << ", but got "
                         << getOutputType().getDimSize(0);
  if (const int64_t k = getK();
      !ShapedType::isDynamic(k) && (k <= 0 || k % kScaleBlock != 0))
    return emitOpError() << "requires K to be a positive multiple of 32 (one "
                            "scale for each 32 values), but got "
                         << k;
  if (getThrough() && !(getGather() && getWorkspace()))
    return emitOpError("requires rows to gather and a workspace for memory "
                       "that rows are gathered through");
  if (getStored() && (getExpertIds() || getScatter()))
    return emitOpError("counts what it stores of each expert's rows, in their "
                       "order, but has expert ids or rows to scatter to");
  if (getAwaited() && (getExpertIds() || getGather() || !getOlderInputs()))
    return emitOpError("requires older_inputs, and neither expert ids nor rows "
                       "to gather, to wait for counts of each expert's rows");
  if (getOlderInputs() && !hasPureBufferSemantics())
    return emitOpError(
        "promises by older_inputs when memory was written, which "
        "takes operands on memrefs");
  if (failed(verifyWeights(*this)) || failed(verifyNumbers(*this, isFP8)) ||
      failed(verifyGroups(*this)) ||
      failed(verifyEpilogueOperands(*this, getEpilogueOperands(),
                                    getNumExperts(), rows, getN())) ||
      failed(verifyDestinationStyle(*this)))
    return failure();
  if (getPromisesAttr() &&
      failed(verifyPromises(*this, "promises", getPromisesAttr())))
    return failure();
  if (ScheduleAttr attr = getScheduleAttr()) {
    const int64_t groups = getNumGroups();
    Problem problem = schedulingProblem(*this);
    problem.groups = ShapedType::isDynamic(groups) ? 1 : groups;
    problem.k = ShapedType::isDynamic(getK()) ? 0 : getK();
    const std::string wrong =
        verifySchedule(attr.toSchedule(), problem, targetOf(*this));
    if (!wrong.empty())
      return emitOpError() << "has a schedule that cannot run: it " << wrong;
  }
  return success();
}

LogicalResult GroupedMatmulOp::verifyRegions() {
  return verifyEpilogueRegion(*this, getEpilogue(), getEpilogueOperands());
}
