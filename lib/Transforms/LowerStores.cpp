//===- LowerStores.cpp - Stores of tiles to NVVM --------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Element e of a thread's 16 x 8 accumulator is (row, col) of `map`, with the
// packed row permutation undone: rows are then columns of the output, and
// elements e and e + 2 are neighbours there. Every store has a predicate and a
// constant distance from the thread's first: a branch and an address for each
// would take most of the time. Branches go around many, in tiles that may have
// few tokens.
//
// Neighbours are what an epilogue on pairs takes, so that a thread has one
// column for each of two tokens (elements 0 and 1). Threads g and g + 1 of
// eight, which hold neighbouring columns of the output, exchange one value
// each: then each of them stores two columns of one token at once.
//
//===----------------------------------------------------------------------===//

#include "PtxText.h"
#include "TileStore.h"

#include "mxfp4/Core/Resources.h"

#include "mlir/Conversion/LLVMCommon/Pattern.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

#include <array>

using namespace mlir;
using namespace mxfp4;

//===----------------------------------------------------------------------===//
// The store
//===----------------------------------------------------------------------===//

/// Of halves of tiles without what is 0 for each of them: the bodies for whole
/// tiles and for halves then hold the same numbers.
WarpPlace TileStore::storingWarps() const {
  const int warps = schedule.sliceWarps();
  WarpPlace place = schedule.placeOfWarps(warps);
  if (!schedule.halfTiles)
    return place;
  llvm::erase_if(place.slice,
                 [&](const WarpTerm &term) { return term.divisor >= warps; });
  if (place.token.divisor >= warps)
    place.token.stride = 0;
  return place;
}

void TileStore::locateThread() {
  Value warp = a.warp(), lane = a.lane();
  const WarpPlace place = storingWarps();
  Value warpAlongTokens = a.number(place.token, warp);
  firstColumn = emitFirstColumn(warp);
  heldToken = a.add(a.mul(warpAlongTokens, place.token.stride),
                    a.sum(strides(map.lane, true), lane));
  storedToken = heldToken;
  outputColumn = pairs ? a.shr(firstColumn, 1) : firstColumn;
  if (exchanges) {
    // Threads with even columns store the first token, others the second.
    isOdd = a.andi(outputColumn, 1);
    outputColumn = a.xori(outputColumn, isOdd);
    storedToken = a.add(heldToken, isOdd);
  }
  Value start;
  if (!adaptor.getScatter())
    start = a.mul(a.toI64(a.add(adaptor.getRow(), storedToken)), n);
  Value column = a.toI64(outputColumn);
  start = start ? a.add(start, column) : column;
  address = LLVM::PtrToIntOp::create(
      b, b.getI64Type(),
      a.offset(adaptor.getDestination(), a.mul(start, elementBytes)));
  left = LLVM::SubOp::create(b, adaptor.getValid(), storedToken);
}

void TileStore::emit() {
  emitTokens();
  if (op.getStored())
    countStored();
}

/// Adds what the warp has stored to the count of its expert, by a release that
/// comes behind what all of its lanes have stored.
void TileStore::countStored() {
  Type i32 = b.getI32Type();
  NVVM::SyncWarpOp::create(b, a.constant(i32, -1));
  Value isFirst = LLVM::ICmpOp::create(b, LLVM::ICmpPredicate::eq, a.lane(),
                                       a.constant(i32, 0));
  auto first = scf::IfOp::create(b, isFirst);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(first.thenBlock());
  const WarpPlace warps = storingWarps();
  Value warp = a.warp();
  // Of the warp's rows and columns of sums those that exist.
  const auto clamp = [&](Value number, int64_t most) -> Value {
    Value least = LLVM::SMaxOp::create(b, number, a.constant(i32, 0));
    return LLVM::SMinOp::create(b, least, a.constant(i32, most));
  };
  Value rows = adaptor.getValid();
  if (schedule.warpsTokens > 1) {
    Value first = a.mul(a.number(warps.token, warp), warps.token.stride);
    rows = clamp(LLVM::SubOp::create(b, rows, first), schedule.warpTokens());
  }
  Value columns = a.constant(i32, schedule.warpRows());
  if (op.getN() % schedule.tileRows != 0) {
    Value left =
        LLVM::SubOp::create(b, a.constant(i32, op.getN()),
                            a.add(a.mul(adaptor.getBlock(), schedule.tileRows),
                                  a.mul(a.firstSlice(warps, warp), 16)));
    columns = a.constant(i32, 0);
    for (int slice = 0; slice < slices(); ++slice)
      columns = a.add(columns, clamp(a.add(left, -columnOffset(slice)), 16));
  }
  if (pairs)
    columns = a.shr(columns, 1);
  Value place = a.offset(adaptor.getStored(), a.mul(adaptor.getExpert(), 4));
  emitReleaseAdd(b, LLVM::PtrToIntOp::create(b, b.getI64Type(), place),
                 LLVM::MulOp::create(b, rows, columns));
}

void TileStore::emitTokens() {
  if (!op.getEpilogue().empty())
    loadColumns();
  if (sharesRows())
    for (int64_t first = 0; first < schedule.warpTokens();
         first += kWarpThreads)
      shareRows(first);
  locateThread();
  epilogue.widenColumns();
  const int columns = schedule.warpTokens() / 8;
  if (schedule.heightStep() == schedule.tileTokens)
    return emitColumns(0, columns);
  if (takesRowsAhead())
    for (int column = 0; column < columns; ++column)
      for (int element = 0; element < 2; ++element)
        ahead.push_back(valuesOfRow(tokenOf(column, element)));
  const int together = storeColumnsOf(
      schedule, /*looksRowsUp=*/op.getScatter() || hasRowOperands(),
      /*masksColumns=*/op.getN() % schedule.tileRows != 0);
  emitColumns(0, std::min(together, columns));
  for (int first = together; first < columns; first += together) {
    const int count = std::min(together, columns - first);
    auto some = scf::IfOp::create(
        b, a.ult(a.constant(b.getI32Type(), int64_t(8) * first),
                 adaptor.getValid()));
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(some.thenBlock());
    emitColumns(first, count);
  }
}

/// Stores `count` times eight tokens. All loads for them (maps, operands of the
/// epilogue) come ahead of all stores.
void TileStore::emitColumns(int first, int count) {
  const bool loadsRows = hasRowOperands();
  SmallVector<SmallVector<Value>> ofRows;
  SmallVector<Value> mapped;
  for (int column = first; column < first + count; ++column)
    for (int element = 0; element < 2; ++element) {
      const int64_t token = tokenOf(column, element);
      ofRows.emplace_back();
      if (loadsRows)
        ofRows.back() =
            ahead.empty() ? valuesOfRow(token) : ahead[2 * column + element];
      // Where threads exchange values, each stores one of two tokens.
      if (op.getScatter() && !(exchanges && element == 1)) {
        Value row = a.toI64(tokenRow(storedToken, token));
        mapped.push_back(LLVM::LoadOp::create(
            b, b.getI32Type(), a.offset(adaptor.getScatter(), a.mul(row, 4))));
      }
    }
  size_t nextRow = 0, nextMapped = 0;
  const auto place = [&](int64_t token) {
    return placeOf(token, op.getScatter() ? mapped[nextMapped++] : Value());
  };
  for (int column = first; column < first + count; ++column) {
    SmallVector<SmallVector<Value>> firsts(slices());
    Place exchanged{};
    if (exchanges)
      exchanged = place(int64_t(8) * column);
    for (int element = 0; element < 2; ++element) {
      ArrayRef<Value> ofRow = ofRows[nextRow++];
      Place own{};
      if (!exchanges)
        own = place(tokenOf(column, element));
      for (int slice = 0; slice < slices(); ++slice) {
        const SmallVector<Value> values =
            epilogue.finish({accumulator(slice, column, element),
                             accumulator(slice, column, element + 2)},
                            slice, ofRow);
        if (exchanges && element == 0)
          firsts[slice] = values;
        else if (exchanges)
          storeExchanged(exchanged, slice, {firsts[slice][0], values[0]});
        else if (pairs)
          storeOne(own, slice, values[0]);
        else
          storeTwo(own, slice, values);
      }
    }
  }
}

/// Whether a column of sums is inside N; null if all are.
Value TileStore::exists(int64_t columnOffset) {
  const int64_t all = op.getN();
  if (all % schedule.tileRows == 0)
    return Value();
  return a.ult(a.add(firstColumn, columnOffset), all);
}

Value TileStore::accumulator(int slice, int column, int element) {
  return LLVM::ExtractValueOp::create(
      b, adaptor.getAccumulator(), ArrayRef<int64_t>{slice, column, element});
}

/// A register's worth of bf16 or f32 as an integer.
Value TileStore::bits(Value value) {
  const unsigned width =
      cast<ShapedType>(value.getType()).getNumElements() * 8 * elementBytes;
  return LLVM::BitcastOp::create(b, b.getIntegerType(width), value);
}

/// One or two values, in the low bits of 16.
Value TileStore::roundedToE4M3(ArrayRef<Value> values) {
  Value high = values.size() == 2
                   ? values[1]
                   : LLVM::ConstantOp::create(b, b.getF32FloatAttr(0));
  return NVVM::ConvertF32x2ToF8x2Op::create(
      b, b.getI16Type(), high, values[0], NVVM::FPRoundingMode::RN,
      NVVM::SaturationMode::SATFINITE, /*relu=*/false, type.getElementType());
}

Value TileStore::packed(Value first, Value second) {
  const std::array<Value, 2> values = {first, second};
  Value both = LLVM::PoisonOp::create(b, VectorType::get({2}, b.getF32Type()));
  for (auto [i, value] : llvm::enumerate(values))
    both = LLVM::InsertElementOp::create(b, both, value,
                                         a.constant(b.getI32Type(), i));
  return LLVM::FPTruncOp::create(b, VectorType::get({2}, b.getBF16Type()),
                                 both);
}

/// The factors in f32, if `value` is a product in bf16: extf(truncf * truncf).
static std::optional<std::pair<Value, Value>> factorsInBF16(Value value) {
  auto wide = value.getDefiningOp<arith::ExtFOp>();
  auto product = wide ? wide.getIn().getDefiningOp<arith::MulFOp>() : nullptr;
  if (!product || !product.getType().isBF16())
    return std::nullopt;
  SmallVector<Value, 2> factors;
  for (Value factor : product.getOperands()) {
    auto narrow = factor.getDefiningOp<arith::TruncFOp>();
    if (!narrow || narrow.getRoundingmode() ||
        !narrow.getIn().getType().isF32())
      return std::nullopt;
    factors.push_back(narrow.getIn());
  }
  return std::pair(factors[0], factors[1]);
}

Value TileStore::rounded(ArrayRef<Value> values) {
  if (isa<Float8E4M3FNType>(type.getElementType()))
    return roundedToE4M3(values);
  const auto count = static_cast<int64_t>(values.size());
  // One instruction multiplies both of a pair.
  if (count == 2 && type.getElementType().isBF16())
    if (auto first = factorsInBF16(values[0]),
        second = factorsInBF16(values[1]);
        first && second)
      return bits(LLVM::FMulOp::create(b, packed(first->first, second->first),
                                       packed(first->second, second->second)));
  Value packed =
      LLVM::PoisonOp::create(b, VectorType::get({count}, b.getF32Type()));
  for (auto [i, value] : llvm::enumerate(values))
    packed = LLVM::InsertElementOp::create(b, packed, value,
                                           a.constant(b.getI32Type(), i));
  if (type.getElementType().isBF16())
    packed = LLVM::FPTruncOp::create(
        b, VectorType::get({count}, b.getBF16Type()), packed);
  return bits(packed);
}

Value TileStore::guard(Value isValid, int64_t columns) {
  Value inside = exists(columns);
  return inside ? Value(LLVM::AndOp::create(b, isValid, inside)) : isValid;
}

/// The place of the thread's column in the row of a token.
TileStore::Place TileStore::placeOf(int64_t token, Value mapped) {
  // A signed comparison, because `left` may be negative.
  Value isValid = LLVM::ICmpOp::create(b, LLVM::ICmpPredicate::sgt, left,
                                       a.constant(b.getI32Type(), token));
  if (!mapped)
    return {address, isValid, token};
  Value isThere = a.ult(mapped, adaptor.getLimit());
  if (adaptor.getError()) {
    Value no = LLVM::ConstantOp::create(b, b.getBoolAttr(true));
    reportMissing(
        LLVM::AndOp::create(b, isValid, LLVM::XOrOp::create(b, isThere, no)));
  }
  // If the row does not exist, the store's predicate is false and the address
  // is not used.
  Value row = LLVM::ZExtOp::create(b, b.getI64Type(), mapped);
  return {a.add(address, a.mul(row, n * elementBytes)),
          LLVM::AndOp::create(b, isValid, isThere), 0};
}

void TileStore::reportMissing(Value isMissing) {
  scf::IfOp::create(b, isMissing, [&](OpBuilder &then, Location loc) {
    ImplicitLocOpBuilder inner(loc, then);
    Value bit = Arithmetic(inner).constant(inner.getI32Type(), 4);
    LLVM::AtomicRMWOp::create(inner, LLVM::AtomicBinOp::_or, adaptor.getError(),
                              bit, LLVM::AtomicOrdering::monotonic);
    scf::YieldOp::create(inner);
  });
}

/// Stores the bits of `count` columns, `column` columns of the output behind
/// the thread's first.
void TileStore::store(const Place &place, Value isValid, int64_t column,
                      Value bits, int64_t count) {
  emitStoreIf(b, isValid, place.address,
              (place.row * n + column) * elementBytes, bits,
              static_cast<unsigned>(8 * count * elementBytes));
}

void TileStore::storeTwo(const Place &place, int slice,
                         ArrayRef<Value> values) {
  const int64_t column = columnOffset(slice);
  // With an even N a pair is aligned and never straddles the end.
  if (n % 2 == 0)
    return store(place, guard(place.isValid, column), column, rounded(values),
                 2);
  for (int i = 0; i < 2; ++i)
    store(place, guard(place.isValid, column + i), column + i,
          rounded(values[i]), 1);
}

void TileStore::storeOne(const Place &place, int slice, Value value) {
  store(place, guard(place.isValid, columnOffset(slice)),
        columnOffset(slice) / 2, rounded(value), 1);
}

/// The thread has values of two tokens. It keeps one, gives its neighbour the
/// other, and stores two columns of one token.
void TileStore::storeExchanged(const Place &place, int slice,
                               ArrayRef<Value> values) {
  store(place, guard(place.isValid, columnOffset(slice)),
        columnOffset(slice) / 2, exchange(values), 2);
}

/// The bits of two columns of the token that this thread stores.
Value TileStore::exchange(ArrayRef<Value> values) {
  Type i32 = b.getI32Type();
  const auto constant = [&](int64_t value) { return a.constant(i32, value); };
  const bool isByte = elementBytes == 1;
  Value mine = rounded(values);
  if (isByte)
    mine = LLVM::ZExtOp::create(b, i32, mine);
  // Neighbours in columns are four lanes apart.
  Value theirs =
      NVVM::ShflOp::create(b, i32, constant(-1), mine, constant(4),
                           constant(kWarpThreads - 1), NVVM::ShflKind::bfly,
                           /*return_value_and_is_valid=*/UnitAttr());
  Value selector = a.select(
      LLVM::ICmpOp::create(b, LLVM::ICmpPredicate::ne, isOdd, constant(0)),
      constant(isByte ? 0x15 : 0x3276), constant(isByte ? 0x40 : 0x5410));
  Value both =
      LLVM::CallIntrinsicOp::create(b, i32, b.getStringAttr("llvm.nvvm.prmt"),
                                    ValueRange{mine, theirs, selector})
          .getResult(0);
  return isByte ? Value(LLVM::TruncOp::create(b, b.getI16Type(), both)) : both;
}

namespace {

struct LowerStoreTile : ConvertOpToLLVMPattern<StoreTileOp> {
  using ConvertOpToLLVMPattern::ConvertOpToLLVMPattern;
  LogicalResult
  matchAndRewrite(StoreTileOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    TileStore(b, op, adaptor).emit();
    rewriter.eraseOp(op);
    return success();
  }
};

} // namespace

void mxfp4::populateStoreLowering(const LLVMTypeConverter &converter,
                                  RewritePatternSet &patterns) {
  patterns.add<LowerStoreTile>(converter);
}
