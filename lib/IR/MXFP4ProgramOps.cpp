//===- MXFP4ProgramOps.cpp - The structure of a kernel --------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mxfp4/IR/MXFP4.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/IR/Builders.h"

#include <limits>

using namespace mlir;
using namespace mxfp4;

/// Contiguous memory of static shape in shared memory.
static bool isSharedBuffer(Type type) {
  auto memref = cast<MemRefType>(type);
  return memref.hasStaticShape() && memref.getLayout().isIdentity() &&
         gpu::GPUDialect::isWorkgroupMemoryAddressSpace(
             memref.getMemorySpace());
}

/// Of a kernel: rows and groups are counted in i32. The bound also keeps what
/// verifiers compute of sizes within 64 bits.
constexpr int64_t kMostGroups = std::numeric_limits<int32_t>::max();

/// Contiguous i32 in global memory, `size` of them.
static bool isGlobalWords(Value value, int64_t size) {
  auto type = cast<MemRefType>(value.getType());
  return type.getRank() == 1 && type.getLayout().isIdentity() &&
         type.getDimSize(0) == size && type.getElementType().isInteger(32) &&
         !gpu::GPUDialect::isWorkgroupMemoryAddressSpace(type.getMemorySpace());
}

void YieldOp::build(OpBuilder &, OperationState &) {}

LogicalResult RingType::verify(function_ref<InFlightDiagnostic()> emitError,
                               int64_t slots, bool) {
  if (slots < 2 || slots > 64)
    return emitError() << "requires 2 to 64 slots, but got " << slots;
  return success();
}

LogicalResult CursorType::verify(function_ref<InFlightDiagnostic()> emitError,
                                 int64_t slots, int64_t step) {
  if (slots < 2 || slots > 64)
    return emitError() << "requires 2 to 64 slots, but got " << slots;
  if (step < 1 || slots % step != 0)
    return emitError() << "requires a step that divides its " << slots
                       << " slots, but got " << step;
  return success();
}

LogicalResult SharedBufferOp::verify() {
  if (!isSharedBuffer(getBuffer().getType()))
    return emitOpError() << "requires a contiguous buffer of static shape in "
                            "shared memory, but got "
                         << getBuffer().getType();
  return success();
}

//===----------------------------------------------------------------------===//
// Tiles
//===----------------------------------------------------------------------===//

/// The table of tiles of a schedule, for as many groups as there are offsets.
static LogicalResult verifyTable(Operation *op, Value table, Value offsets,
                                 ScheduleAttr schedule) {
  auto type = cast<MemRefType>(table.getType());
  auto bounds = cast<MemRefType>(offsets.getType());
  if (bounds.getRank() == 1 && bounds.getDimSize(0) >= 2 &&
      bounds.getDimSize(0) <= kMostGroups &&
      isGlobalWords(offsets, bounds.getDimSize(0)) && type.getRank() == 1 &&
      isSharedBuffer(type) && type.getElementType().isInteger(32) &&
      type.getDimSize(0) ==
          schedule.toSchedule().tableEntries(bounds.getDimSize(0) - 1))
    return success();
  return op->emitOpError()
         << "requires a table in shared memory of the i32 that its schedule "
            "asks for (G+2, or 2G+3 where full tiles come first) and G+1 "
            "offsets in global memory, but got "
         << type << " and " << bounds;
}

static LogicalResult verifyError(Operation *op, Value error) {
  if (!error || isGlobalWords(error, 1))
    return success();
  return op->emitOpError() << "requires an error word of shape 1 and element "
                              "type i32 in global memory, but got "
                           << error.getType();
}

template <typename Op> static LogicalResult verifyTileSource(Op op) {
  if (failed(verifyTable(op, op.getTable(), op.getOffsets(), op.getSchedule())))
    return failure();
  const int64_t groups =
      cast<MemRefType>(op.getOffsets().getType()).getDimSize(0) - 1;
  if (op.getExpertIds() && !isGlobalWords(op.getExpertIds(), groups))
    return op.emitOpError() << "requires expert ids of shape " << groups
                            << " and element type i32 in global memory, but "
                               "got "
                            << op.getExpertIds().getType();
  if (op.getExperts() < 1 || op.getColumns() < 1)
    return op.emitOpError(
        "requires at least one expert and one column of tiles");
  return verifyError(op, op.getError());
}

/// The body takes a tile and what the loop carries, and yields the latter.
template <typename Op> static LogicalResult verifyTileBody(Op op) {
  SmallVector<Type> expected(Op::kTileArguments,
                             IndexType::get(op.getContext()));
  llvm::append_range(expected, op.getInits().getTypes());
  if (op.getBody().getArgumentTypes() != ArrayRef(expected))
    return op.emitOpError("requires a body that takes a tile (four indices) "
                          "and the values that the loop carries");
  if (op.getYield()->getOperandTypes() != op.getInits().getTypes() ||
      op.getResultTypes() != op.getInits().getTypes())
    return op.emitOpError("requires a body that yields the values that the "
                          "loop carries, which are its results");
  return success();
}

template <typename Op>
static void nameTileArguments(Op op, OpAsmSetValueNameFn setName) {
  static constexpr StringLiteral kNames[] = {"expert", "row", "rows", "column"};
  for (auto [argument, name] :
       llvm::zip(op.getBody().getArguments(), ArrayRef(kNames)))
    setName(argument, name);
  for (Value carried : op.getCarried())
    setName(carried, "at");
}

LogicalResult BuildTileTableOp::verify() {
  if (failed(verifyTable(*this, getTable(), getOffsets(), getSchedule())))
    return failure();
  return verifyError(*this, getError());
}

LogicalResult TileCountOp::verify() {
  auto type = cast<MemRefType>(getTable().getType());
  const int64_t groups = getGroups();
  if (!isSharedBuffer(type) || type.getRank() != 1 ||
      !type.getElementType().isInteger(32) || groups < 1 ||
      groups > kMostGroups ||
      (type.getDimSize(0) != groups + 2 &&
       type.getDimSize(0) != 2 * groups + 3) ||
      getColumns() < 1)
    return emitOpError() << "requires a table of its " << groups
                         << " groups in shared memory and a positive number "
                            "of columns, but got "
                         << type << " and " << getColumns();
  return success();
}

LogicalResult ForTilesOp::verify() {
  if (failed(verifyTileSource(*this)))
    return failure();
  return verifyTileBody(*this);
}

void ForTilesOp::getAsmBlockArgumentNames(Region &,
                                          OpAsmSetValueNameFn setName) {
  nameTileArguments(*this, setName);
}

/// A queue of tiles: four i32 for each slot of the ring.
static LogicalResult verifyQueue(Operation *op, RingType ring, Type fields) {
  auto type = cast<MemRefType>(fields);
  if (isSharedBuffer(type) && type.getElementType().isInteger(32) &&
      type.getShape() == ArrayRef<int64_t>{ring.getSlots(), 4})
    return success();
  return op->emitOpError() << "requires a queue of " << ring.getSlots()
                           << " x 4 i32 in shared memory, as its ring has "
                              "slots, but got "
                           << type;
}

LogicalResult TakeTilesOp::verify() {
  if (failed(verifyQueue(*this, getQueue().getType(), getFields().getType())))
    return failure();
  return verifyTileBody(*this);
}

void TakeTilesOp::getAsmBlockArgumentNames(Region &,
                                           OpAsmSetValueNameFn setName) {
  nameTileArguments(*this, setName);
}

LogicalResult HandOutTilesOp::verify() {
  if (failed(verifyTileSource(*this)) ||
      failed(verifyQueue(*this, getQueue().getType(), getFields().getType())))
    return failure();
  if (getCounter() && !isGlobalWords(getCounter(), 2))
    return emitOpError() << "requires a counter of shape 2 and element type "
                            "i32 in global memory, but got "
                         << getCounter().getType();
  return success();
}

//===----------------------------------------------------------------------===//
// The loop over K
//===----------------------------------------------------------------------===//

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
    return emitOpError("requires a body that takes the number of the step, "
                       "with a ring the cursor, and the carried values");
  if (getYield()->getOperandTypes() != getInits().getTypes() ||
      getResultTypes() != ArrayRef(results))
    return emitOpError("requires a body that yields the carried values; these, "
                       "and with a ring the cursor, are the results");
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
    return emitOpError("requires a fetch region that takes the slot and the "
                       "number of the block (two indices)");
  if (getDecode().getArgumentTypes() != *yielded(getFetch()))
    return emitOpError("requires a decode region that takes what the fetch "
                       "region yields");
  const Type sums =
      VectorType::get(getAccumulator().getType().getShape().drop_front(),
                      Float32Type::get(getContext()));
  SmallVector<Type> arguments = {index, sums};
  llvm::append_range(arguments, *yielded(getDecode()));
  if (getMultiply().getArgumentTypes() != ArrayRef(arguments))
    return emitOpError("requires a multiply region that takes the slot, the "
                       "sums of a block and what the decode region yields");
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

//===----------------------------------------------------------------------===//
// Warp roles
//===----------------------------------------------------------------------===//

SmallVector<RoleOp> WarpRolesOp::getOrderedRoles() {
  return SmallVector<RoleOp>(getRoles().getOps<RoleOp>());
}

int64_t WarpRolesOp::countWarps() {
  int64_t warps = 0;
  for (RoleOp role : getRoles().getOps<RoleOp>())
    warps += role.getWarps();
  return warps;
}

LogicalResult WarpRolesOp::verify() {
  for (Operation &op : getRoles().front())
    if (!isa<RoleOp>(op))
      return op.emitOpError("has no place in mxfp4.warp_roles, which holds "
                            "mxfp4.role only");
  if (getOrderedRoles().size() < 2)
    return emitOpError("requires at least two roles");
  return success();
}

LogicalResult RoleOp::verify() {
  if (getBody().getNumArguments() != 1 || !getWarp().getType().isIndex())
    return emitOpError("requires a body that takes the number of the warp "
                       "within the role (index)");
  if (getWarps() < 1 || getWarps() > 32)
    return emitOpError() << "requires 1 to 32 warps, but has " << getWarps();
  const int64_t registers = getRegisters().value_or(24);
  if (registers < 24 || registers > 256 || registers % 8 != 0)
    return emitOpError() << "requires a multiple of 8 from 24 to 256 registers "
                            "per thread, but has "
                         << registers;
  return success();
}

void RoleOp::getAsmBlockArgumentNames(Region &, OpAsmSetValueNameFn setName) {
  setName(getWarp(), "warp");
}

//===----------------------------------------------------------------------===//
// Rings
//===----------------------------------------------------------------------===//

LogicalResult CreateRingOp::verify() {
  for (Value barriers : {getFull(), getEmpty()})
    if (!isSharedBuffer(barriers.getType()) ||
        cast<MemRefType>(barriers.getType()).getDimSize(0) !=
            getRing().getType().getSlots())
      return emitOpError() << "requires a barrier in shared memory for each of "
                              "its "
                           << getRing().getType().getSlots()
                           << " slots, but got " << barriers.getType();
  // The arrival count of a barrier has 20 bits.
  for (int64_t count : {getFills(), getReleases()})
    if (count < 1 || count >= (1 << 20))
      return emitOpError("requires counts of at least 1, and at most 1048575");
  return success();
}

template <typename Op>
static LogicalResult verifySlice(Op op, CursorType type) {
  if (static_cast<bool>(op.getSlice()) == (type.getStep() > 1))
    return success();
  return op.emitOpError("requires the number of a K slice if the cursor goes "
                        "on by several slots, and none otherwise");
}

LogicalResult RingStartOp::verify() {
  return verifySlice(*this, getCursor().getType());
}

LogicalResult RingNextOp::verify() {
  return verifySlice(*this, getCursor().getType());
}

template <typename Op> static LogicalResult verifyAccess(Op op) {
  if (op.getRing().getType().getSlots() == op.getCursor().getType().getSlots())
    return success();
  return op.emitOpError() << "requires a cursor of its ring, but got "
                          << op.getCursor().getType() << " in "
                          << op.getRing().getType();
}

LogicalResult RingAcquireOp::verify() { return verifyAccess(*this); }
LogicalResult RingFillOp::verify() { return verifyAccess(*this); }
LogicalResult RingWaitOp::verify() { return verifyAccess(*this); }
LogicalResult RingReleaseOp::verify() { return verifyAccess(*this); }
