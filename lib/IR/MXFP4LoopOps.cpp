//===- MXFP4LoopOps.cpp - The loop over K, and its multiplication ---------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mxfp4/IR/MXFP4.h"

#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace mxfp4;

void KLoopOp::build(OpBuilder &b, OperationState &state, int64_t steps,
                    ValueRange inits, ScheduleAttr schedule) {
  build(b, state, steps, Value(), Value(), Value(), /*fills=*/false, inits,
        schedule);
}

void KLoopOp::build(OpBuilder &b, OperationState &state, int64_t steps,
                    Value slice, Value ring, Value cursor, bool fills,
                    ValueRange inits, ScheduleAttr schedule) {
  for (Value operand : {slice, ring, cursor})
    if (operand)
      state.addOperands(operand);
  state.addOperands(inits);
  Properties &properties = state.getOrAddProperties<Properties>();
  properties.setSteps(b.getI64IntegerAttr(steps));
  properties.setSchedule(schedule);
  if (fills)
    properties.setFills(b.getUnitAttr());
  properties.operandSegmentSizes = {slice ? 1 : 0, ring ? 1 : 0, cursor ? 1 : 0,
                                    static_cast<int32_t>(inits.size())};
  state.addTypes(inits.getTypes());
  SmallVector<Type> arguments = {b.getIndexType()};
  if (ring) {
    state.addTypes(cursor.getType());
    arguments.push_back(cursor.getType());
  }
  llvm::append_range(arguments, inits.getTypes());
  Block &body = state.addRegion()->emplaceBlock();
  body.addArguments(arguments,
                    SmallVector<Location>(arguments.size(), state.location));
}

SmallVector<Region *> KLoopOp::getLoopRegions() { return {&getBody()}; }

Block::BlockArgListType KLoopOp::getRegionIterArgs() { return getCarried(); }

std::optional<ResultRange> KLoopOp::getLoopResults() {
  return getRing() ? getResults().drop_back() : getResults();
}

std::optional<MutableArrayRef<OpOperand>> KLoopOp::getYieldedValuesMutable() {
  return getYield()->getOpOperands();
}

LogicalResult KLoopOp::verify() {
  if (getSteps() < 1)
    return emitOpError() << "requires at least one step, but has "
                         << getSteps();
  if (static_cast<bool>(getRing()) != static_cast<bool>(getCursor()) ||
      (getFills() && !getRing()))
    return emitOpError("requires a ring and a cursor together");
  const int64_t slices = getSchedule().getValue().kSlices;
  if (getRing() &&
      (getRing().getType().getSlots() != getCursor().getType().getSlots() ||
       getCursor().getType().getStep() != slices))
    return emitOpError() << "requires a cursor of its ring, which goes on by "
                            "the "
                         << slices << " K slices of the schedule, but got "
                         << getCursor().getType() << " in "
                         << getRing().getType();
  if (static_cast<bool>(getSlice()) != (getRing() && slices > 1))
    return emitOpError("requires the number of a K slice where a schedule of "
                       "several meets a ring, and nowhere else");
  if (slices > 1 && static_cast<int64_t>(getSteps()) < slices)
    return emitOpError() << "requires a step for each of " << slices
                         << " K slices, but has " << getSteps();
  SmallVector<Type> arguments = {IndexType::get(getContext())};
  SmallVector<Type> results(getInits().getTypes());
  if (getRing()) {
    arguments.push_back(getCursor().getType());
    results.push_back(getCursor().getType());
  }
  llvm::append_range(arguments, getInits().getTypes());
  if (getBody().getArgumentTypes() != ArrayRef(arguments))
    return emitOpError()
           << "requires a body that takes the number of the step, "
              "with a ring the cursor, and the carried values ("
           << TypeRange(arguments) << "), but got ("
           << getBody().getArgumentTypes() << ")";
  if (getYield()->getOperandTypes() != getInits().getTypes() ||
      getResultTypes() != ArrayRef(results))
    return emitOpError()
           << "requires a body that yields the carried values; these, "
              "and with a ring the cursor, are the results, but yields ("
           << getYield()->getOperandTypes() << ") for results ("
           << getResultTypes() << ")";
  if (drains() && !getOnly<TileMatmulOp>() && !getOnly<BlockMatmulOp>())
    return emitOpError("that drains a ring requires one mxfp4.tile_matmul or "
                       "mxfp4.block_matmul in its body");
  return success();
}

void KLoopOp::getAsmBlockArgumentNames(Region &, OpAsmSetValueNameFn setName) {
  setName(getStep(), "step");
  if (getRing())
    setName(getCursorOfStep(), "at");
  for (Value carried : getCarried())
    setName(carried, "sums");
}

void KLoopOp::print(OpAsmPrinter &p) {
  p << " to " << getSteps();
  if (getSlice())
    p << " slice(" << getSlice() << ")";
  if (getRing())
    p << (getFills() ? " fills " : " drains ") << getRing() << " at "
      << getCursor();
  if (!getInits().empty())
    p << " init(" << getInits() << ")";
  p.printOptionalAttrDict((*this)->getAttrs(),
                          {getStepsAttrName(), getFillsAttrName(),
                           getOperandSegmentSizesAttrName()});
  SmallVector<Type> types;
  if (getRing())
    types = {getRing().getType(), getCursor().getType()};
  llvm::append_range(types, getInits().getTypes());
  if (!types.empty())
    p << " : " << types;
  p << " ";
  p.printRegion(getBody(), /*printEntryBlockArgs=*/true,
                /*printBlockTerminators=*/true);
}

ParseResult KLoopOp::parse(OpAsmParser &parser, OperationState &state) {
  using Operand = OpAsmParser::UnresolvedOperand;
  int64_t steps;
  SmallVector<Operand> slice, ring, inits;
  if (parser.parseKeyword("to") || parser.parseInteger(steps))
    return failure();
  if (succeeded(parser.parseOptionalKeyword("slice")) &&
      (parser.parseLParen() || parser.parseOperand(slice.emplace_back()) ||
       parser.parseRParen()))
    return failure();
  const bool fills = succeeded(parser.parseOptionalKeyword("fills"));
  if ((fills || succeeded(parser.parseOptionalKeyword("drains"))) &&
      (parser.parseOperand(ring.emplace_back()) || parser.parseKeyword("at") ||
       parser.parseOperand(ring.emplace_back())))
    return failure();
  if (succeeded(parser.parseOptionalKeyword("init")) &&
      parser.parseOperandList(inits, OpAsmParser::Delimiter::Paren))
    return failure();
  SmallVector<Type> types;
  const SMLoc loc = parser.getCurrentLocation();
  if (parser.parseOptionalAttrDict(state.attributes))
    return failure();
  if (!ring.empty() || !inits.empty())
    if (parser.parseColonTypeList(types))
      return failure();
  SmallVector<Operand> operands(ring);
  llvm::append_range(operands, inits);
  Builder &b = parser.getBuilder();
  if (parser.resolveOperands(slice, b.getIndexType(), state.operands) ||
      parser.resolveOperands(operands, types, loc, state.operands) ||
      parser.parseRegion(*state.addRegion()))
    return failure();
  KLoopOp::ensureTerminator(*state.regions.front(), b, state.location);
  state.addAttribute(getStepsAttrName(state.name), b.getI64IntegerAttr(steps));
  if (fills)
    state.addAttribute(getFillsAttrName(state.name), b.getUnitAttr());
  const auto count = [](const auto &list) {
    return static_cast<int32_t>(list.size());
  };
  state.addAttribute(getOperandSegmentSizesAttrName(state.name),
                     b.getDenseI32ArrayAttr({count(slice), count(ring) / 2,
                                             count(ring) / 2, count(inits)}));
  state.addTypes(ArrayRef(types).drop_front(ring.size()));
  if (!ring.empty())
    state.addTypes(types[1]);
  return success();
}

WgmmaOp BlockMatmulOp::getWgmma() {
  return cast<YieldOp>(getMultiply().front().getTerminator())
      .getValues()[0]
      .getDefiningOp<WgmmaOp>();
}

bool BlockMatmulOp::decodesToShared() {
  return static_cast<bool>(getWgmma().getDecoded());
}

int64_t BlockMatmulOp::getStepsOfSum() {
  const AccumulationAttr attr = getAccumulationAttr();
  return attr ? attr.getInterval() / getWgmma().getTraits().tileK() : 0;
}

LogicalResult BlockMatmulOp::verify() {
  auto loop = (*this)->getParentOfType<KLoopOp>();
  if (!loop || !loop.drains())
    return emitOpError("requires a mxfp4.k_loop around it that drains a ring");
  return success();
}

LogicalResult BlockMatmulOp::verifyRegions() {
  const Type index = IndexType::get(getContext());
  const auto yielded = [](Region &region) {
    auto yield = dyn_cast_or_null<YieldOp>(
        region.front().empty() ? nullptr : &region.front().back());
    return yield ? std::optional<TypeRange>(yield.getValues().getTypes())
                 : std::nullopt;
  };
  for (Region *region : {&getFetch(), &getDecode(), &getMultiply()})
    if (!yielded(*region))
      return emitOpError("requires regions that end with mxfp4.yield");
  if (getFetch().getArgumentTypes() != ArrayRef({index, index}))
    return emitOpError()
           << "requires a fetch region that takes the slot and the "
              "number of the block (two indices), but got ("
           << getFetch().getArgumentTypes() << ")";
  if (getDecode().getArgumentTypes() != *yielded(getFetch()))
    return emitOpError()
           << "requires a decode region that takes what the fetch "
              "region yields ("
           << *yielded(getFetch()) << "), but got ("
           << getDecode().getArgumentTypes() << ")";
  const Type sums =
      VectorType::get(getAccumulator().getType().getShape().drop_front(),
                      Float32Type::get(getContext()));
  SmallVector<Type> arguments = {index, sums};
  llvm::append_range(arguments, *yielded(getDecode()));
  if (getMultiply().getArgumentTypes() != ArrayRef(arguments))
    return emitOpError()
           << "requires a multiply region that takes the slot, the "
              "sums of a block and what the decode region yields ("
           << TypeRange(arguments) << "), but got ("
           << getMultiply().getArgumentTypes() << ")";
  if (*yielded(getMultiply()) != ArrayRef(sums) || !getWgmma() ||
      getWgmma().getAccumulator() != getMultiply().getArgument(1))
    return emitOpError("requires a multiply region that yields the result of "
                       "one mxfp4.wgmma on the sums of the block");
  return success();
}

void BlockMatmulOp::getAsmBlockArgumentNames(Region &region,
                                             OpAsmSetValueNameFn setName) {
  if (&region == &getDecode())
    return;
  setName(region.getArgument(0), "slot");
  setName(region.getArgument(1), &region == &getFetch() ? "block" : "sums");
}
