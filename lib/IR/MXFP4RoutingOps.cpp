//===- MXFP4RoutingOps.cpp - Around the grouped matmuls -------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "DestinationOps.h"

#include "mxfp4/IR/MXFP4.h"

#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace mxfp4;

static constexpr int64_t kDynamic = ShapedType::kDynamic;

/// a times b, as far as they are static.
static int64_t product(int64_t a, int64_t b) {
  return ShapedType::isDynamic(a) || ShapedType::isDynamic(b) ? kDynamic
                                                              : a * b;
}

/// A size of `value` as far as rank and type let it be known.
static int64_t sizeOf(Value value, int64_t dim) {
  ShapedType type = shaped(value);
  return dim < type.getRank() ? type.getDimSize(dim) : kDynamic;
}

/// A matrix of values; `what` names it.
static LogicalResult verifyValues(Operation *op, Value value, StringRef what) {
  if (shaped(value).getRank() == 2 &&
      isFloatValue(shaped(value).getElementType()))
    return success();
  return op->emitOpError() << "requires " << what
                           << " of rank 2 and element type bf16 or f32, but "
                              "got "
                           << value.getType();
}

/// A number of slots, tokens or experts; `what` names it.
static LogicalResult verifyCount(Operation *op, int64_t count, StringRef what) {
  if (ShapedType::isDynamic(count) || count >= 1)
    return success();
  return op->emitOpError() << "requires at least one " << what << ", but got "
                           << count;
}

/// An error word, and counts of experts in blocks of tokens.
static LogicalResult verifyErrorOperand(Operation *op, Value error) {
  if (!error)
    return success();
  return verifyShaped(op, error, "an error word", {1},
                      IntegerType::get(op->getContext(), 32));
}
static LogicalResult verifyCounts(Operation *op, Value counts,
                                  int64_t experts) {
  if (!counts)
    return success();
  return verifyShaped(op, counts, "counts", {TopKOp::kBlocks, experts},
                      IntegerType::get(op->getContext(), 32));
}

/// Of an operand that is no output of the tensor form.
static void addWrite(const MutableOperandRange &operand, Effects &effects) {
  if (!operand.empty())
    effects.emplace_back(MemoryEffects::Write::get(), &operand[0]);
}

//===----------------------------------------------------------------------===//
// top_k
//===----------------------------------------------------------------------===//

LogicalResult TopKOp::reifyResultShapes(OpBuilder &builder,
                                        ReifiedRankedShapedTypeDims &shapes) {
  return reifyFromInits(builder, *this, shapes);
}

void TopKOp::getEffects(Effects &effects) {
  addEffects(*this, effects);
  addWrite(getCountsMutable(), effects);
}

LogicalResult TopKOp::verify() {
  if (failed(verifyValues(*this, getLogits(), "logits")))
    return failure();
  const int64_t tokens = sizeOf(getLogits(), 0), experts = getNumExperts();
  Type f32 = Float32Type::get(getContext());
  Type i32 = IntegerType::get(getContext(), 32);
  if (failed(verifyShaped(*this, getIds(), "ids", {tokens, kDynamic}, i32)))
    return failure();
  const int64_t slots = getSlots();
  if (failed(verifyShaped(*this, getWeights(), "weights",
                          {sizeOf(getIds(), 0), slots}, f32)) ||
      failed(verifyCount(*this, slots, "slot")) ||
      failed(verifyCount(*this, experts, "expert")) ||
      failed(verifyCounts(*this, getCounts(), experts)))
    return failure();
  if (getBias() &&
      failed(verifyShaped(*this, getBias(), "a bias", {experts}, f32)))
    return failure();
  if (!ShapedType::isDynamic(slots) && !ShapedType::isDynamic(experts) &&
      slots > experts)
    return emitOpError() << "requires at most as many slots as experts, "
                         << experts << ", but got " << slots;
  if (!getScale().isFinite())
    return emitOpError() << "requires a finite scale, but got "
                         << getScaleAttr();
  return verifyDestinationStyle(*this);
}

//===----------------------------------------------------------------------===//
// count_by_expert
//===----------------------------------------------------------------------===//

void CountByExpertOp::getEffects(Effects &effects) {
  effects.emplace_back(MemoryEffects::Read::get(), &getIdsMutable());
  effects.emplace_back(MemoryEffects::Write::get(), &getCountsMutable());
}

LogicalResult CountByExpertOp::verify() {
  Type i32 = IntegerType::get(getContext(), 32);
  if (failed(verifyShaped(*this, getIds(), "ids", {kDynamic, kDynamic}, i32)) ||
      failed(verifyCounts(*this, getCounts(), kDynamic)) ||
      failed(verifyCount(*this, getSlots(), "slot")))
    return failure();
  return verifyCount(*this, getNumExperts(), "expert");
}

//===----------------------------------------------------------------------===//
// sort_by_expert
//===----------------------------------------------------------------------===//

LogicalResult
SortByExpertOp::reifyResultShapes(OpBuilder &builder,
                                  ReifiedRankedShapedTypeDims &shapes) {
  return reifyFromInits(builder, *this, shapes);
}

void SortByExpertOp::getEffects(Effects &effects) {
  addEffects(*this, effects);
  addWrite(getErrorMutable(), effects);
  addWrite(getZerosMutable(), effects);
}

LogicalResult SortByExpertOp::verify() {
  Type i32 = IntegerType::get(getContext(), 32);
  if (failed(verifyShaped(*this, getIds(), "ids", {kDynamic, kDynamic}, i32)) ||
      failed(verifyShaped(*this, getOffsets(), "offsets", {kDynamic}, i32)))
    return failure();
  const int64_t tokens = sizeOf(getIds(), 0), slots = getSlots();
  if (failed(verifyShaped(*this, getTokens(), "tokens",
                          {product(tokens, slots)}, i32)) ||
      failed(verifyShaped(*this, getPositions(), "positions", {tokens, slots},
                          i32)) ||
      failed(verifyCount(*this, slots, "slot")) ||
      failed(verifyCount(*this, getNumExperts(), "expert")) ||
      failed(verifyCounts(*this, getCounts(), getNumExperts())) ||
      failed(verifyErrorOperand(*this, getError())))
    return failure();
  if (getZeros() &&
      failed(verifyShaped(*this, getZeros(), "zeros", {getNumExperts()}, i32)))
    return failure();
  return verifyDestinationStyle(*this);
}

//===----------------------------------------------------------------------===//
// dispatch
//===----------------------------------------------------------------------===//

LogicalResult
DispatchOp::reifyResultShapes(OpBuilder &builder,
                              ReifiedRankedShapedTypeDims &shapes) {
  return reifyFromInits(builder, *this, shapes);
}

void DispatchOp::getEffects(Effects &effects) {
  addEffects(*this, effects);
  addWrite(getErrorMutable(), effects);
}

LogicalResult DispatchOp::verify() {
  if (failed(verifyValues(*this, getValues(), "values")))
    return failure();
  Type i32 = IntegerType::get(getContext(), 32);
  if (failed(verifyShaped(*this, getPositions(), "positions",
                          {sizeOf(getValues(), 0), kDynamic}, i32)))
    return failure();
  const int64_t slots = getSlots();
  if (failed(verifyCount(*this, slots, "slot")) ||
      failed(verifyShaped(
          *this, getInit(), "an output",
          {product(sizeOf(getPositions(), 0), slots), sizeOf(getValues(), 1)},
          shaped(getValues()).getElementType())) ||
      failed(verifyErrorOperand(*this, getError())))
    return failure();
  return verifyDestinationStyle(*this);
}

//===----------------------------------------------------------------------===//
// combine
//===----------------------------------------------------------------------===//

LogicalResult
CombineOp::reifyResultShapes(OpBuilder &builder,
                             ReifiedRankedShapedTypeDims &shapes) {
  return reifyFromInits(builder, *this, shapes);
}

void CombineOp::getEffects(Effects &effects) {
  addEffects(*this, effects);
  addWrite(getErrorMutable(), effects);
}

LogicalResult CombineOp::verify() {
  if (failed(verifyValues(*this, getRows(), "rows")) ||
      failed(verifyValues(*this, getInit(), "an output")))
    return failure();
  const int64_t tokens = sizeOf(getInit(), 0);
  Type i32 = IntegerType::get(getContext(), 32);
  if (failed(verifyShaped(*this, getPositions(), "positions",
                          {tokens, kDynamic}, i32)))
    return failure();
  const int64_t slots = getSlots();
  if (failed(verifyShaped(*this, getWeights(), "weights",
                          {sizeOf(getPositions(), 0), slots},
                          Float32Type::get(getContext()))) ||
      failed(verifyCount(*this, slots, "slot")) ||
      failed(verifyShaped(*this, getRows(), "rows",
                          {product(tokens, slots), getN()},
                          shaped(getRows()).getElementType())) ||
      failed(verifyErrorOperand(*this, getError())))
    return failure();
  return verifyDestinationStyle(*this);
}

//===----------------------------------------------------------------------===//
// quantize_rows
//===----------------------------------------------------------------------===//

LogicalResult
QuantizeRowsOp::reifyResultShapes(OpBuilder &builder,
                                  ReifiedRankedShapedTypeDims &shapes) {
  return reifyFromInits(builder, *this, shapes);
}

void QuantizeRowsOp::getEffects(Effects &effects) {
  addEffects(*this, effects);
  addWrite(getErrorMutable(), effects);
}

LogicalResult QuantizeRowsOp::verify() {
  if (failed(verifyShaped(*this, getValues(), "values", {kDynamic, kDynamic},
                          BFloat16Type::get(getContext()))))
    return failure();
  int64_t rows = sizeOf(getValues(), 0);
  if (Value gather = getGather()) {
    if (failed(verifyShaped(*this, gather, "rows to gather", {kDynamic},
                            IntegerType::get(getContext(), 32))))
      return failure();
    rows = sizeOf(gather, 0);
  }
  int64_t scales = sizeOf(getCodes(), 0);
  if (Value scatter = getSlotRows()) {
    if (getGather() || (getScatter() && getScatterScales()))
      return emitOpError("takes rows to gather, to scatter, or to scatter "
                         "scales to, but got two of them");
    if (failed(verifyShaped(*this, scatter, "rows to scatter", {rows, kDynamic},
                            IntegerType::get(getContext(), 32))) ||
        failed(verifyCount(*this, sizeOf(scatter, 1), "slot")))
      return failure();
    scales = product(sizeOf(scatter, 0), sizeOf(scatter, 1));
    if (getScatter())
      rows = scales;
  }
  if (failed(verifyShaped(*this, getCodes(), "codes",
                          {rows, sizeOf(getValues(), 1)},
                          Float8E4M3FNType::get(getContext()))) ||
      failed(verifyCount(*this, getK(), "column")) ||
      failed(verifyShaped(*this, getScales(), "scales", {scales},
                          Float32Type::get(getContext()))) ||
      failed(verifyErrorOperand(*this, getError())))
    return failure();
  return verifyDestinationStyle(*this);
}
