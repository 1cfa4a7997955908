//===- RaiseNamedOps.cpp - Operations of others as what they stand for ----===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// TOSA decodes blocks and multiplies them by operations of its own, JAX has a
// ragged dot, and IREE a scatter. They are spelled out in linalg, which is then
// proved and matched like any other program. Operations are known by their
// names, so that their dialects need not be there.
//
//===----------------------------------------------------------------------===//

#include "ContractionForm.h"
#include "Entries.h"
#include "TensorType.h"

#include "mxfp4/Core/Format.h"

#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/TypeUtilities.h"

using namespace mlir;
using namespace mxfp4;

//===----------------------------------------------------------------------===//
// TOSA
//===----------------------------------------------------------------------===//

/// Whether values are E2M1 in blocks of 32 with scales of E8M0.
static LogicalResult checkBlocks(Value values, Value scales, Miss *why) {
  RankedTensorType type = tensorTypeOrNull(values),
                   by = tensorTypeOrNull(scales);
  if (!type || !by || type.getRank() == 0 || by.getRank() != type.getRank())
    return miss(why, "values and scales must be tensors of one rank");
  if (!isa<Float4E2M1FNType>(type.getElementType()) ||
      !isa<Float8E8M0FNUType>(by.getElementType()))
    return miss(why, "values must be f4E2M1FN and scales f8E8M0FNU");
  const int64_t k = type.getShape().back();
  if (ShapedType::isDynamic(k) || k % kScaleBlock != 0 ||
      by.getShape().back() * kScaleBlock != k)
    return miss(why, "K must be static and have a scale for each 32 values");
  return success();
}

static LogicalResult checkBlockSize(Operation *op, Miss *why) {
  std::string text;
  llvm::raw_string_ostream os(text);
  if (Attribute size = attributeOf(op, "block_size"))
    size.print(os);
  if (StringRef(text).contains("BLOCK_SIZE_32"))
    return success();
  return miss(why, "blocks must have 32 values (BLOCK_SIZE_32)");
}

/// The scale of the value that `map` is of.
static AffineMap scaleMap(AffineMap map) {
  SmallVector<AffineExpr> at(map.getResults());
  at.back() = at.back().floorDiv(kScaleBlock);
  return AffineMap::get(map.getNumDims(), 0, at, map.getContext());
}

static LogicalResult spellCast(Operation *op, Miss *why) {
  if (op->getNumOperands() != 2 || op->getNumResults() != 1)
    return miss(why, "it must take values and scales");
  Value values = op->getOperand(0), scales = op->getOperand(1);
  RankedTensorType type = tensorTypeOrNull(op->getResult(0));
  if (failed(checkBlockSize(op, why)) ||
      failed(checkBlocks(values, scales, why)))
    return failure();
  if (!type || !isOutput(type.getElementType()))
    return miss(why, "the result must be bf16 or f32");
  ImplicitLocOpBuilder b(op->getLoc(), op);
  Value init = tensor::EmptyOp::create(
      b, tensor::getMixedSizes(b, b.getLoc(), values), type.getElementType());
  AffineMap all = b.getMultiDimIdentityMap(type.getRank());
  SmallVector<utils::IteratorType> loops(type.getRank(),
                                         utils::IteratorType::parallel);
  auto body = [&](OpBuilder &b, Location loc, ValueRange arguments) {
    Value value = arith::ScalingExtFOp::create(
        b, loc, type.getElementType(), arguments[0], arguments[1],
        /*fastmath=*/arith::FastMathFlagsAttr());
    linalg::YieldOp::create(b, loc, value);
  };
  auto decode = linalg::GenericOp::create(
      b, init.getType(), ValueRange{values, scales}, init,
      ArrayRef<AffineMap>{all, scaleMap(all), all}, loops, body);
  Value result = decode.getResult(0);
  if (result.getType() != type)
    result = tensor::CastOp::create(b, type, result);
  op->replaceAllUsesWith(ValueRange{result});
  op->erase();
  return success();
}

static LogicalResult spellBlockMatmul(Operation *op, Miss *why) {
  if (op->getNumOperands() != 4 || op->getNumResults() != 1)
    return miss(why, "it must take values and scales of both factors");
  Value x = op->getOperand(0), w = op->getOperand(2);
  RankedTensorType type = tensorTypeOrNull(op->getResult(0));
  if (failed(checkBlockSize(op, why)) ||
      failed(checkBlocks(x, op->getOperand(1), why)) ||
      failed(checkBlocks(w, op->getOperand(3), why)))
    return failure();
  if (!type || type.getRank() != 3 || tensorType(x).getRank() != 3 ||
      tensorType(w).getRank() != 3 || !type.getElementType().isF32())
    return miss(why, "the factors must have three dimensions, and the result "
                     "must be f32");
  ImplicitLocOpBuilder b(op->getLoc(), op);
  AffineExpr batch, m, n, k;
  bindDims(b.getContext(), batch, m, n, k);
  // One matrix of weights serves all.
  AffineExpr which = tensorType(w).getDimSize(0) == 1 && type.getDimSize(0) != 1
                         ? b.getAffineConstantExpr(0)
                         : batch;
  AffineMap xMap = AffineMap::get(4, 0, {batch, m, k}, b.getContext()),
            wMap = AffineMap::get(4, 0, {which, n, k}, b.getContext()),
            yMap = AffineMap::get(4, 0, {batch, m, n}, b.getContext());
  using utils::IteratorType;
  const IteratorType loops[] = {IteratorType::parallel, IteratorType::parallel,
                                IteratorType::parallel,
                                IteratorType::reduction};
  const OpFoldResult sizes[] = {tensor::getMixedSize(b, b.getLoc(), x, 0),
                                tensor::getMixedSize(b, b.getLoc(), x, 1),
                                tensor::getMixedSize(b, b.getLoc(), w, 1)};
  Value zero = arith::ConstantOp::create(b, b.getF32FloatAttr(0));
  Value none = tensor::EmptyOp::create(b, sizes, b.getF32Type());
  Value init = linalg::FillOp::create(b, zero, none).getResult(0);
  auto body = [](OpBuilder &b, Location loc, ValueRange in) {
    Type f32 = b.getF32Type();
    const arith::FastMathFlagsAttr exact;
    Value a = arith::ScalingExtFOp::create(b, loc, f32, in[0], in[1], exact);
    Value c = arith::ScalingExtFOp::create(b, loc, f32, in[2], in[3], exact);
    Value product = arith::MulFOp::create(b, loc, a, c);
    Value sum = arith::AddFOp::create(b, loc, in[4], product);
    linalg::YieldOp::create(b, loc, sum);
  };
  Value result =
      linalg::GenericOp::create(
          b, init.getType(), op->getOperands(), init,
          ArrayRef<AffineMap>{xMap, scaleMap(xMap), wMap, scaleMap(wMap), yMap},
          loops, body)
          .getResult(0);
  if (result.getType() != type)
    result = tensor::CastOp::create(b, type, result);
  op->replaceAllUsesWith(ValueRange{result});
  op->erase();
  return success();
}

//===----------------------------------------------------------------------===//
// A ragged dot
//===----------------------------------------------------------------------===//

/// Dimension numbers of a ragged dot, by their name; the composite has them at
/// this place. None of a name that is not there; nullopt if they are no
/// numbers.
static std::optional<SmallVector<int64_t>>
dimensionsOf(Operation *op, StringRef name, unsigned place) {
  SmallVector<int64_t> found;
  if (auto attributes = dyn_cast_or_null<DictionaryAttr>(
          attributeOf(op, "composite_attributes"))) {
    auto numbers = dyn_cast_or_null<ArrayAttr>(
        attributes.get("ragged_dot_dimension_numbers"));
    auto some = numbers && numbers.size() == 6
                    ? dyn_cast<DenseIntElementsAttr>(numbers[place])
                    : DenseIntElementsAttr();
    // A splat may be of more elements than memory holds; operands have three
    // dimensions at most.
    if (!some || !some.getElementType().isInteger(64) ||
        some.getNumElements() > 3)
      return std::nullopt;
    llvm::append_range(found, some.getValues<int64_t>());
    return found;
  }
  std::string text;
  llvm::raw_string_ostream os(text);
  if (Attribute numbers = attributeOf(op, "ragged_dot_dimension_numbers"))
    numbers.print(os);
  const StringRef behind = StringRef(text).split((name + " = [").str()).second;
  SmallVector<StringRef> parts;
  behind.split(']').first.split(parts, ',', /*MaxSplit=*/-1,
                                /*KeepEmpty=*/false);
  for (StringRef part : parts)
    if (part.trim().getAsInteger(10, found.emplace_back()))
      return std::nullopt;
  return found;
}

/// Whether it is of sorted rows, and which dimension of the weights is K.
static FailureOr<int64_t> checkRaggedDot(Operation *op, Miss *why) {
  if (op->getNumOperands() != 3 || op->getNumResults() != 1)
    return miss(why, "it must take rows, weights and sizes of groups");
  const auto are = [&](StringRef name, unsigned place, ArrayRef<int64_t> dims) {
    auto found = dimensionsOf(op, name, place);
    return found && ArrayRef(*found) == dims;
  };
  if (!are("lhs_batching_dimensions", 0, {}) ||
      !are("rhs_batching_dimensions", 1, {}))
    return miss(why, "it must be one dot, not a batch of dots");
  const auto right = dimensionsOf(op, "rhs_contracting_dimensions", 3);
  RankedTensorType x = tensorTypeOrNull(op->getOperand(0)),
                   w = tensorTypeOrNull(op->getOperand(1)),
                   sizes = tensorTypeOrNull(op->getOperand(2)),
                   y = tensorTypeOrNull(op->getResult(0));
  if (!are("lhs_ragged_dimensions", 4, {0}) ||
      !are("rhs_group_dimensions", 5, {0}) ||
      !are("lhs_contracting_dimensions", 2, {1}) || !right ||
      right->size() != 1 || right->front() < 1 || right->front() > 2 || !x ||
      x.getRank() != 2 || !w || w.getRank() != 3)
    return miss(why, "rows must be ragged in their first dimension and summed "
                     "over their second, and the first dimension of the "
                     "weights must be the experts");
  if (!sizes || sizes.getRank() != 1 || w.isDynamicDim(0) ||
      sizes.getDimSize(0) != w.getDimSize(0) ||
      !sizes.getElementType().isSignlessInteger() ||
      sizes.getElementTypeBitWidth() < 8)
    return miss(why, "there must be a size of type integer for each expert");
  if (!y || !isOutput(y.getElementType()) ||
      x.getElementType() != w.getElementType())
    return miss(why, "rows and weights must have one type, and the result must "
                     "be bf16 or f32");
  const int64_t k = right->front();
  const int64_t shape[] = {x.getDimSize(0), w.getDimSize(3 - k)};
  if (failed(verifyCompatibleShape(y.getShape(), shape)) ||
      failed(verifyCompatibleShape({x.getDimSize(1)}, {w.getDimSize(k)})))
    return miss(why, "rows, weights and result must have one K, and the result "
                     "as many rows as the first and columns as the second");
  return k;
}

/// Zeros in f32.
static Value zeros(ImplicitLocOpBuilder &b, OpFoldResult rows,
                   OpFoldResult columns) {
  Value nothing = arith::ConstantOp::create(b, b.getF32FloatAttr(0));
  Value empty =
      tensor::EmptyOp::create(b, ArrayRef{rows, columns}, b.getF32Type());
  return linalg::FillOp::create(b, nothing, empty).getResult(0);
}

/// Rows `[count, K]` times an expert's matrix, of which a dimension is K.
static Value multiplyByExpert(ImplicitLocOpBuilder &b, Value rows, Value w,
                              Value expert, int64_t contracted, Value init) {
  OpFoldResult zero = b.getIndexAttr(0), one = b.getIndexAttr(1);
  Value matrix = tensor::ExtractSliceOp::create(
      b, w, ArrayRef<OpFoldResult>{expert, zero, zero},
      ArrayRef{one, tensor::getMixedSize(b, b.getLoc(), w, 1),
               tensor::getMixedSize(b, b.getLoc(), w, 2)},
      ArrayRef{one, one, one});
  matrix = tensor::CollapseShapeOp::create(
      b, matrix, ArrayRef<ReassociationIndices>{{0, 1}, {2}});
  AffineExpr m, n, k;
  bindDims(b.getContext(), m, n, k);
  const auto map = [&](AffineExpr first, AffineExpr second) {
    return AffineMap::get(3, 0, {first, second}, b.getContext());
  };
  auto product =
      linalg::MatmulOp::create(b, ValueRange{rows, matrix}, ValueRange{init});
  product.setIndexingMapsAttr(b.getAffineMapArrayAttr(
      {map(m, k), contracted == 1 ? map(k, n) : map(n, k), map(m, n)}));
  return product.getResult(0);
}

/// Rows in front of a widening to f32, which a matmul does by itself.
static Value stripWidening(Value rows) {
  Operation *op = rows.getDefiningOp();
  auto each = dyn_cast_if_present<linalg::GenericOp>(op);
  if (each && each.getNumDpsInputs() == 1 && each->getNumResults() == 1 &&
      each.hasPureTensorSemantics() &&
      llvm::all_of(each.getIndexingMapsArray(),
                   [](AffineMap map) { return map.isIdentity(); }))
    op = each.getBody()->getTerminator()->getOperand(0).getDefiningOp();
  auto widen = dyn_cast_if_present<arith::ExtFOp>(op);
  if (!widen || !isWidening(widen.getIn().getType(), widen.getType()))
    return rows;
  if (!each)
    return widen.getIn();
  return widen.getIn() == each.getRegionInputArgs()[0] ? each.getInputs()[0]
                                                       : rows;
}

/// A loop over the experts.
static LogicalResult spellRaggedDot(Operation *op, Miss *why) {
  FailureOr<int64_t> contracted = checkRaggedDot(op, why);
  if (failed(contracted))
    return failure();
  ImplicitLocOpBuilder b(op->getLoc(), op);
  Value x = stripWidening(op->getOperand(0)), w = op->getOperand(1),
        sizes = op->getOperand(2);
  RankedTensorType type = tensorType(op->getResult(0)), wType = tensorType(w);
  OpFoldResult zero = b.getIndexAttr(0), one = b.getIndexAttr(1);
  OpFoldResult k = tensor::getMixedSize(b, b.getLoc(), x, 1),
               n = tensor::getMixedSize(b, b.getLoc(), w, 3 - *contracted);
  const auto index = [&](int64_t value) -> Value {
    return arith::ConstantIndexOp::create(b, value);
  };
  Value init = zeros(b, tensor::getMixedSize(b, b.getLoc(), x, 0), n);
  auto loop = scf::ForOp::create(b, index(0), index(wType.getDimSize(0)),
                                 index(1), ValueRange{init, index(0)});
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(loop.getBody());
    Value expert = loop.getInductionVar(), start = loop.getRegionIterArg(1);
    Value count = tensor::ExtractOp::create(b, sizes, expert);
    count = arith::IndexCastOp::create(b, b.getIndexType(), count);
    const OpFoldResult at[] = {start, zero};
    Value some = tensor::ExtractSliceOp::create(
        b, x, at, ArrayRef<OpFoldResult>{count, k}, ArrayRef{one, one});
    Value product =
        multiplyByExpert(b, some, w, expert, *contracted, zeros(b, count, n));
    Value next = tensor::InsertSliceOp::create(
        b, product, loop.getRegionIterArg(0), at,
        ArrayRef<OpFoldResult>{count, n}, ArrayRef{one, one});
    Value end = arith::AddIOp::create(b, start, count);
    scf::YieldOp::create(b, ValueRange{next, end});
  }
  Value y = loop.getResult(0);
  if (type.getElementType().isBF16())
    y = arith::TruncFOp::create(b, tensorType(y).clone(b.getBF16Type()), y);
  if (y.getType() != type)
    y = tensor::CastOp::create(b, type, y);
  op->replaceAllUsesWith(ValueRange{y});
  op->erase();
  return success();
}

static bool isRaggedDot(Operation *op) {
  return op->getName().getStringRef() == "chlo.ragged_dot" ||
         calledName(op) == "chlo.ragged_dot";
}

//===----------------------------------------------------------------------===//
// All of them
//===----------------------------------------------------------------------===//

static void told(Operation *op, const Miss &why) {
  op->emitRemark() << "'" << op->getName()
                   << "' is not raised: " << why.condition;
}

void mxfp4::spellBlockOps(Operation *root) {
  using SpellFn = LogicalResult (*)(Operation *, Miss *);
  SmallVector<std::pair<Operation *, SpellFn>> found;
  SmallVector<Operation *> scatters;
  root->walk([&](Operation *op) {
    const StringRef name = op->getName().getStringRef();
    if (name == "tosa.cast_from_block_scaled")
      found.push_back({op, spellCast});
    if (name == "tosa.matmul_t_block_scaled")
      found.push_back({op, spellBlockMatmul});
    if (name == "iree_linalg_ext.scatter")
      scatters.push_back(op);
  });
  for (auto [op, spell] : found) {
    Miss why;
    if (failed(spell(op, &why)))
      told(op, why);
  }
  // Other scatters are nothing that looks like ours.
  for (Operation *op : scatters)
    (void)spellScatter(op);
}

void mxfp4::spellRaggedDots(Operation *root) {
  SmallVector<Operation *> found;
  root->walk([&](Operation *op) {
    if (isRaggedDot(op) && op->getNumOperands() > 1 &&
        isDecoded(op->getOperand(1)))
      found.push_back(op);
  });
  SetVector<Operation *> bodies;
  for (Operation *op : found) {
    Operation *body = decomposition(op);
    Miss why;
    if (failed(spellRaggedDot(op, &why)))
      told(op, why);
    else if (body)
      bodies.insert(body);
  }
  eraseUnused(std::move(bodies));
}
