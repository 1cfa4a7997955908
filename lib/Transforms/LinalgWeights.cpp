//===- LinalgWeights.cpp - Weights as linalg on tensors -------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "LinalgWeights.h"

#include "LoopBuilder.h"
#include "TensorType.h"

#include "mxfp4/Core/Format.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace mxfp4;

/// The first `count` loops of `rank`, and then constants.
static AffineMap firstLoops(OpBuilder &b, unsigned count, unsigned rank,
                            ArrayRef<int64_t> constants = {}) {
  SmallVector<AffineExpr> results;
  for (unsigned loop = 0; loop < count; ++loop)
    results.push_back(b.getAffineDimExpr(loop));
  for (int64_t constant : constants)
    results.push_back(b.getAffineConstantExpr(constant));
  return AffineMap::get(rank, 0, results, b.getContext());
}

using BodyFn = function_ref<Value(LoopBuilder &, ValueRange)>;

/// A linalg.generic whose loops are the dimensions of its output; `reductions`
/// of them are more loops.
static Value makeGeneric(OpBuilder &b, Location loc, ValueRange inputs,
                         ArrayRef<AffineMap> inputMaps, Value init, BodyFn body,
                         unsigned reductions = 0) {
  const unsigned rank = tensorType(init).getRank();
  SmallVector<AffineMap> maps(inputMaps);
  maps.push_back(firstLoops(b, rank, rank + reductions));
  SmallVector<utils::IteratorType> loops(rank, utils::IteratorType::parallel);
  loops.append(reductions, utils::IteratorType::reduction);
  return linalg::GenericOp::create(
             b, loc, init.getType(), inputs, init, maps, loops,
             [&](OpBuilder &at, Location loc, ValueRange arguments) {
               LoopBuilder l(loc, at);
               Value value = body(l, arguments);
               linalg::YieldOp::create(at, loc, value);
             })
      .getResult(0);
}

/// An element of another type for each element.
static Value elementwise(OpBuilder &b, Location loc, Value value, Type element,
                         BodyFn body) {
  const unsigned rank = tensorType(value).getRank();
  Value init = tensor::EmptyOp::create(
      b, loc, tensor::getMixedSizes(b, loc, value), element);
  return makeGeneric(b, loc, value, firstLoops(b, rank, rank), init, body);
}

Value mxfp4::roundInLinalg(OpBuilder &b, Location loc, Value value,
                           Type element) {
  return elementwise(
      b, loc, value, element,
      [&](LoopBuilder &l, ValueRange in) { return l.roundTo(in[0], element); });
}

Value mxfp4::widenInLinalg(OpBuilder &b, Location loc, Value value) {
  return elementwise(
      b, loc, value, b.getF32Type(),
      [&](LoopBuilder &l, ValueRange in) { return l.widen(in[0]); });
}

Value mxfp4::bitcastInLinalg(OpBuilder &b, Location loc, Value value,
                             Type element) {
  return elementwise(b, loc, value, element,
                     [&](LoopBuilder &l, ValueRange in) -> Value {
                       return arith::BitcastOp::create(l.b, element, in[0]);
                     });
}

/// Splits the last dimension, K, into these behind K/32.
static Value splitBlocks(OpBuilder &b, Location loc, Value value,
                         ArrayRef<int64_t> inner) {
  RankedTensorType type = tensorType(value);
  const int64_t lead = type.getRank() - 1;
  SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(b, loc, value);
  SmallVector<int64_t> shape(type.getShape());
  OpFoldResult &blocks = sizes.back();
  if (std::optional<int64_t> k = getConstantIntValue(blocks)) {
    blocks = b.getIndexAttr(*k / kScaleBlock);
    shape.back() = *k / kScaleBlock;
  } else {
    Value size = arith::ConstantIndexOp::create(b, loc, kScaleBlock);
    blocks =
        arith::DivUIOp::create(b, loc, cast<Value>(blocks), size).getResult();
  }
  SmallVector<ReassociationIndices> groups;
  for (int64_t dim = 0; dim <= lead; ++dim)
    groups.push_back({dim});
  for (int64_t extent : inner) {
    groups.back().push_back(static_cast<int64_t>(shape.size()));
    shape.push_back(extent);
    sizes.push_back(b.getIndexAttr(extent));
  }
  return tensor::ExpandShapeOp::create(b, loc, type.clone(shape), value, groups,
                                       sizes);
}

Value mxfp4::dequantizeInLinalg(OpBuilder &b, Location loc, Value codes,
                                Value scales, Value init) {
  RankedTensorType type = tensorType(init);
  Type element = type.getElementType();
  // ... x K/32 x 16 x 2.
  Value blocks = splitBlocks(b, loc, init, {kScaleBlock / 2, 2});
  const unsigned rank = tensorType(blocks).getRank();
  Value values = makeGeneric(
      b, loc, {codes, scales},
      {firstLoops(b, rank - 1, rank), firstLoops(b, rank - 2, rank)}, blocks,
      [&](LoopBuilder &l, ValueRange in) {
        Value half = linalg::IndexOp::create(l.b, rank - 1);
        Value value = l.decode(l.nibble(in[0], half), l.scaleValue(in[1]));
        return l.roundTo(value, element);
      });
  SmallVector<ReassociationIndices> groups;
  for (int64_t dim = 0; dim < type.getRank(); ++dim)
    groups.push_back({dim});
  groups.back().append({type.getRank(), type.getRank() + 1});
  return tensor::CollapseShapeOp::create(b, loc, type, values, groups);
}

std::pair<Value, Value> mxfp4::quantizeInLinalg(OpBuilder &b, Location loc,
                                                Value values, Value codesInit,
                                                Value scalesInit) {
  const unsigned rank = tensorType(scalesInit).getRank();
  // The largest magnitude of a block.
  Value blocks = splitBlocks(b, loc, values, {kScaleBlock});
  Value zero = arith::ConstantIntOp::create(b, loc, 0, 32);
  Value empty = tensor::EmptyOp::create(
      b, loc, tensor::getMixedSizes(b, loc, scalesInit), b.getI32Type());
  Value start = linalg::FillOp::create(b, loc, zero, empty).getResult(0);
  Value largest = makeGeneric(
      b, loc, blocks, firstLoops(b, rank + 1, rank + 1), start,
      [](LoopBuilder &l, ValueRange in) {
        return l.op<arith::MaxUIOp>(in[1], l.magnitudeBits(l.widen(in[0])));
      },
      /*reductions=*/1);
  Value scales = makeGeneric(
      b, loc, largest, firstLoops(b, rank, rank), scalesInit,
      [](LoopBuilder &l, ValueRange in) { return l.i8(l.scaleFor(in[0])); });
  // Neighbours become a byte.
  Value pairs = splitBlocks(b, loc, values, {kScaleBlock / 2, 2});
  Value codes = makeGeneric(
      b, loc, {pairs, pairs, scales},
      {firstLoops(b, rank + 1, rank + 1, {0}),
       firstLoops(b, rank + 1, rank + 1, {1}), firstLoops(b, rank, rank + 1)},
      codesInit, [](LoopBuilder &l, ValueRange in) {
        Value inverse = l.inverseScale(in[2]);
        return l.codePair(l.encode(l.widen(in[0]), inverse),
                          l.encode(l.widen(in[1]), inverse));
      });
  return {codes, scales};
}

//===----------------------------------------------------------------------===//
// Blocks
//===----------------------------------------------------------------------===//

namespace {

/// What a byte of a block holds, by the inverse of the position arithmetic.
class ByteOfBlock {
public:
  ByteOfBlock(LoopBuilder &l, Value codes, Value scales,
              const BlockLayout &layout)
      : l(l), codes(codes), scales(scales), layout(layout),
        blockIndex(BlockIndex::get(layout)) {
    for (unsigned dim = 0; dim < 4; ++dim)
      at.push_back(linalg::IndexOp::create(l.b, dim));
  }

  Value emit() {
    Value isCode =
        l.compare(arith::CmpIPredicate::ult, at[3], layout.codeBytes());
    auto branch = scf::IfOp::create(l.b, l.b.getI8Type(), isCode,
                                    /*withElseRegion=*/true);
    OpBuilder::InsertionGuard guard(l.b);
    l.b.setInsertionPointToStart(branch.thenBlock());
    Value codeByte = emitCodes();
    scf::YieldOp::create(l.b, codeByte);
    l.b.setInsertionPointToStart(branch.elseBlock());
    Value scaleByte = emitScale();
    scf::YieldOp::create(l.b, scaleByte);
    return branch.getResult(0);
  }

private:
  /// Row `n` and column `k` of the weights, and whether there are such.
  Value inside(Value row, Value col, Value &n, Value &k) {
    n = l.op<arith::AddIOp>(l.op<arith::MulIOp>(at[1], layout.rows), row);
    k = l.op<arith::AddIOp>(l.op<arith::MulIOp>(at[2], layout.cols), col);
    auto less = arith::CmpIPredicate::ult;
    Value columns = l.op<arith::MulIOp>(l.size(scales, 2), kScaleBlock);
    Value is = l.op<arith::AndIOp>(l.compare(less, n, l.size(scales, 1)),
                                   l.compare(less, k, columns));
    n = l.select(is, n, l.index(0));
    k = l.select(is, k, l.index(0));
    return is;
  }

  /// Eight bits of a word, each of the slot that the layout says.
  Value emitCodes() {
    Value part = l.op<arith::AndIOp>(at[3], 3);
    Value word = l.op<arith::SubIOp>(at[3], part);
    Value first = l.op<arith::MulIOp>(part, 8);
    return l.i8(l.reduce(l.index(0), l.index(8), l.integer(32, 0),
                         [&](Value bit, Value byte) -> Value {
                           Value position = l.op<arith::AddIOp>(first, bit);
                           Value value = codeBit(word, position);
                           return l.op<arith::OrIOp>(
                               byte, l.op<arith::ShLIOp>(value, l.i32(bit)));
                         }));
  }

  Value codeBit(Value word, Value position) {
    // Bit 32 position -> slot and bit of its code, as 8 * slot + bit.
    SmallVector<int8_t> holders(32);
    for (int slot = 0; slot < 8; ++slot)
      for (int bit = 0; bit < 4; ++bit)
        holders[layout.codeBit(slot, bit)] =
            static_cast<int8_t>(8 * slot + bit);
    auto type = RankedTensorType::get(32, l.b.getI8Type());
    Value table = arith::ConstantOp::create(
        l.b, DenseElementsAttr::get(type, ArrayRef<int8_t>(holders)));
    Value holder = l.convert(l.load(table, position), l.b.getIndexType());
    Value slot = l.op<arith::ShRUIOp>(holder, 3);
    Value row = l.op<arith::AddIOp>(l.preimage(blockIndex.wordOffset.row, word),
                                    l.preimage(blockIndex.slot.row, slot));
    Value col = l.op<arith::AddIOp>(l.preimage(blockIndex.wordOffset.col, word),
                                    l.preimage(blockIndex.slot.col, slot));
    Value n, k;
    Value is = inside(row, col, n, k);
    WeightAccess weights(l, {codes, scales});
    Value code = weights.code(at[0], n, k);
    Value bit = l.i32(l.op<arith::AndIOp>(holder, 7));
    Value value = l.op<arith::AndIOp>(l.op<arith::ShRUIOp>(code, bit), 1);
    return l.select(is, value, l.integer(32, 0));
  }

  Value emitScale() {
    const PositionSum &sum = blockIndex.scaleOffset;
    Value offset = l.op<arith::SubIOp>(at[3], sum.base);
    Value n, k;
    Value is =
        inside(l.preimage(sum.row, offset), l.preimage(sum.col, offset), n, k);
    Value scale =
        l.load(scales, {at[0], n, l.op<arith::DivUIOp>(k, kScaleBlock)});
    Value stored = l.op<arith::AddIOp>(scale, layout.scaleOffset());
    return l.select(is, stored, l.integer(8, layout.paddingScale()));
  }

  LoopBuilder &l;
  Value codes, scales;
  BlockLayout layout;
  BlockIndex blockIndex;
  /// Expert, block of rows, block of columns, byte.
  SmallVector<Value> at;
};

} // namespace

Value mxfp4::packInLinalg(OpBuilder &b, Location loc, Value codes, Value scales,
                          Value bytesInit, const BlockLayout &layout) {
  return makeGeneric(b, loc, {}, {}, bytesInit,
                     [&](LoopBuilder &l, ValueRange) {
                       return ByteOfBlock(l, codes, scales, layout).emit();
                     });
}

std::pair<Value, Value> mxfp4::unpackInLinalg(OpBuilder &b, Location loc,
                                              Value bytes, Value codesInit,
                                              Value scalesInit,
                                              const BlockLayout &layout) {
  const auto indices = [](LoopBuilder &l, unsigned count) {
    SmallVector<Value> at;
    for (unsigned dim = 0; dim < count; ++dim)
      at.push_back(linalg::IndexOp::create(l.b, dim));
    return at;
  };
  Value codes =
      makeGeneric(b, loc, {}, {}, codesInit, [&](LoopBuilder &l, ValueRange) {
        WeightAccess from(l, bytes, layout);
        SmallVector<Value> at = indices(l, 4);
        Value k = l.op<arith::AddIOp>(l.op<arith::MulIOp>(at[2], kScaleBlock),
                                      l.op<arith::MulIOp>(at[3], 2));
        Value low = from.code(at[0], at[1], k);
        return l.codePair(low,
                          from.code(at[0], at[1], l.op<arith::AddIOp>(k, 1)));
      });
  Value scales =
      makeGeneric(b, loc, {}, {}, scalesInit, [&](LoopBuilder &l, ValueRange) {
        WeightAccess from(l, bytes, layout);
        SmallVector<Value> at = indices(l, 3);
        return from.scale(at[0], at[1], at[2]);
      });
  return {codes, scales};
}
