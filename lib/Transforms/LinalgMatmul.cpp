//===- LinalgMatmul.cpp - Grouped matmuls on tensors to linalg ------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "LinalgMatmul.h"

#include "LinalgRows.h"
#include "LinalgWeights.h"
#include "LoopBuilder.h"
#include "TensorType.h"

#include "mxfp4/Core/Format.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace mxfp4;

namespace {

/// A loop over groups: the rows of one, its expert's weights, a matmul.
class GroupLoop {
public:
  GroupLoop(OpBuilder &b, GroupedMatmulOp op, ValueRange weights,
            std::optional<BlockLayout> layout)
      : l(op.getLoc(), b), loc(op.getLoc()), op(op), weights(weights),
        layout(layout) {}

  /// The output. It keeps its values if offsets are bad, and the rows of groups
  /// with bad ids keep theirs.
  Value emit() {
    columns = tensor::getMixedSize(l.b, loc, op.getInit(), 1);
    n = op.takesPairs() ? twice(columns) : columns;
    k = tensor::getMixedSize(l.b, loc, op.getActivations(), 1);
    Value good = l.offsetsAreGood(op.getOffsets(), countRows(),
                                  /*orLess=*/bool(op.getGather()));
    return choose(good, op.getInit(), [&] { return emitGroups(); });
  }

private:
  using ValueFn = function_ref<Value()>;

  Value choose(Value condition, Value otherwise, ValueFn then) {
    auto branch = scf::IfOp::create(l.b, otherwise.getType(), condition,
                                    /*withElseRegion=*/true);
    OpBuilder::InsertionGuard guard(l.b);
    l.b.setInsertionPointToStart(branch.thenBlock());
    Value value = then();
    scf::YieldOp::create(l.b, value);
    l.b.setInsertionPointToStart(branch.elseBlock());
    scf::YieldOp::create(l.b, otherwise);
    return branch.getResult(0);
  }

  OpFoldResult twice(OpFoldResult size) {
    if (std::optional<int64_t> value = getConstantIntValue(size))
      return l.b.getIndexAttr(2 * *value);
    return l.op<arith::MulIOp>(cast<Value>(size), 2);
  }

  /// The number of rows; 0 if activations to gather from have no row.
  Value countRows() {
    Value rows = l.size(op.getRowSource(), 0);
    if (!op.getGather())
      return rows;
    Value isEmpty =
        l.compare(arith::CmpIPredicate::eq, l.size(op.getActivations(), 0), 0);
    return l.select(isEmpty, l.index(0), rows);
  }

  Value offset(Value group) {
    return arith::IndexCastOp::create(l.b, l.b.getIndexType(),
                                      l.load(op.getOffsets(), group));
  }

  Value emitGroups() {
    Value groups = l.op<arith::SubIOp>(l.size(op.getOffsets(), 0), 1);
    return l.reduce(
        l.index(0), groups, op.getInit(), [&](Value group, Value y) -> Value {
          begin = offset(group);
          rows =
              l.op<arith::SubIOp>(offset(l.op<arith::AddIOp>(group, 1)), begin);
          if (!op.getExpertIds())
            return multiply(group, y);
          Value id = arith::IndexCastOp::create(
              l.b, l.b.getIndexType(), l.load(op.getExpertIds(), group));
          Value none = l.compare(arith::CmpIPredicate::eq, id, -1);
          Value zeroed =
              choose(none, y, [&] { return insert(zeros(columns), y); });
          // Unsigned: below 0 is out of range too.
          Value experts = l.size(weights[0], 0);
          return choose(l.compare(arith::CmpIPredicate::ult, id, experts),
                        zeroed, [&] { return multiply(id, zeroed); });
        });
  }

  SmallVector<OpFoldResult> ones(size_t count) {
    return SmallVector<OpFoldResult>(count, l.b.getIndexAttr(1));
  }

  /// f32 zeros for the rows of the group.
  Value zeros(OpFoldResult width) {
    Value empty = tensor::EmptyOp::create(
        l.b, loc, ArrayRef<OpFoldResult>{rows, width}, l.b.getF32Type());
    return linalg::FillOp::create(l.b, loc, l.f32(0), empty).getResult(0);
  }

  /// Rounds the rows of the group, and puts them into the output.
  Value insert(Value result, Value y) {
    Type element = tensorType(y).getElementType();
    if (tensorType(result).getElementType() != element)
      result = roundInLinalg(l.b, loc, result, element);
    if (op.getScatter())
      return scatterInLinalg(l.b, loc, op, {begin, rows}, result, y);
    return tensor::InsertSliceOp::create(
        l.b, loc, result, y, ArrayRef<OpFoldResult>{begin, l.b.getIndexAttr(0)},
        ArrayRef<OpFoldResult>{rows, columns}, ones(2));
  }

  /// The rows of activations of the group.
  Value activations() {
    if (op.getGather())
      return gatherInLinalg(l.b, loc, op, {begin, rows});
    return tensor::ExtractSliceOp::create(
        l.b, loc, op.getActivations(),
        ArrayRef<OpFoldResult>{begin, l.b.getIndexAttr(0)},
        ArrayRef<OpFoldResult>{rows, k}, ones(2));
  }

  Value multiply(Value expert, Value y) {
    Value x = activations(), w = decode(expert);
    // Upstream's lowerings to LLVM have no extension of f8E4M3FN.
    if (!tensorType(x).getElementType().isBF16())
      x = widenInLinalg(l.b, loc, x);
    AffineExpr mDim, nDim, kDim;
    bindDims(l.b.getContext(), mDim, nDim, kDim);
    const auto map = [&](AffineExpr row, AffineExpr col) {
      return AffineMapAttr::get(
          AffineMap::get(3, 0, {row, col}, l.b.getContext()));
    };
    auto maps =
        l.b.getArrayAttr({map(mDim, kDim), map(nDim, kDim), map(mDim, nDim)});
    Value init = zeros(n);
    auto matmul = linalg::MatmulOp::create(l.b, loc, init.getType(),
                                           ValueRange{x, w}, init);
    matmul.setIndexingMapsAttr(maps);
    Value sums = matmul.getResult(0);
    return insert(op.hasEpilogue() ? finishInLinalg(l.b, loc, op, {begin, rows},
                                                    expert, sums)
                                   : sums,
                  y);
  }

  /// Slice `expert` of a tensor of all experts.
  Value expertOf(Value value, Value expert) {
    RankedTensorType type = tensorType(value);
    SmallVector<OpFoldResult> offsets(type.getRank(), l.b.getIndexAttr(0)),
        sizes = tensor::getMixedSizes(l.b, loc, value);
    offsets[0] = expert;
    sizes[0] = l.b.getIndexAttr(1);
    return tensor::ExtractSliceOp::create(
        l.b, loc, type.clone(type.getShape().drop_front()), value, offsets,
        sizes, ones(type.getRank()));
  }

  /// One expert's weights, N x K.
  Value decode(Value expert) {
    Value codes, scales;
    if (layout) {
      std::tie(codes, scales) = unpack(expert);
    } else {
      codes = expertOf(weights[0], expert);
      scales = expertOf(weights[1], expert);
    }
    Value empty = tensor::EmptyOp::create(
        l.b, loc, ArrayRef<OpFoldResult>{n, k}, l.b.getBF16Type());
    return dequantizeInLinalg(l.b, loc, codes, scales, empty);
  }

  std::pair<Value, Value> unpack(Value expert) {
    RankedTensorType type = tensorType(weights[0]);
    SmallVector<OpFoldResult> offsets(4, l.b.getIndexAttr(0)),
        sizes = tensor::getMixedSizes(l.b, loc, weights[0]);
    offsets[0] = expert;
    sizes[0] = l.b.getIndexAttr(1);
    SmallVector<int64_t> one(type.getShape());
    one[0] = 1;
    Value bytes = tensor::ExtractSliceOp::create(
        l.b, loc, type.clone(one), weights[0], offsets, sizes, ones(4));
    SmallVector<OpFoldResult> shape = {l.b.getIndexAttr(1), n, k};
    if (std::optional<int64_t> columns = getConstantIntValue(k))
      shape[2] = l.b.getIndexAttr(*columns / kScaleBlock);
    else
      shape[2] = l.op<arith::DivUIOp>(cast<Value>(k), kScaleBlock);
    Value scalesInit =
        tensor::EmptyOp::create(l.b, loc, shape, l.b.getI8Type());
    shape.push_back(l.b.getIndexAttr(kScaleBlock / 2));
    Value codesInit = tensor::EmptyOp::create(l.b, loc, shape, l.b.getI8Type());
    auto [codes, scales] =
        unpackInLinalg(l.b, loc, bytes, codesInit, scalesInit, *layout);
    Value zero = l.index(0);
    return {expertOf(codes, zero), expertOf(scales, zero)};
  }

  LoopBuilder l;
  Location loc;
  GroupedMatmulOp op;
  ValueRange weights;
  std::optional<BlockLayout> layout;
  /// Columns of the output, of the sums (N), and of the activations (K).
  OpFoldResult columns, n, k;
  /// The group's first row, and its number of rows.
  Value begin, rows;
};

} // namespace

Value mxfp4::matmulInLinalg(OpBuilder &b, GroupedMatmulOp op,
                            ValueRange weights,
                            std::optional<BlockLayout> layout) {
  return GroupLoop(b, op, weights, layout).emit();
}
