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
// Conversions: shared
//===----------------------------------------------------------------------===//

namespace {

/// values ... x K against codes ... x K/32 x 16 and scales ... x K/32.
LogicalResult verifyQuantized(Operation *op, Value values, Value codes,
                              Value scales) {
  ShapedType type = shaped(values);
  if (type.getRank() < 1 || !isFloatValue(type.getElementType()))
    return op->emitOpError()
           << "requires values of element type bf16 or f32 and rank 1 or more, "
              "but got "
           << type;
  SmallVector<int64_t> shape(type.getShape());
  int64_t &last = shape.back();
  if (!ShapedType::isDynamic(last)) {
    if (last <= 0 || last % kScaleBlock != 0)
      return op->emitOpError() << "requires the last dimension of the values "
                                  "to be a positive multiple of 32, but got "
                               << last;
    last /= kScaleBlock;
  }
  Type byte = IntegerType::get(op->getContext(), 8);
  if (failed(verifyShaped(op, scales, "scales", shape, byte)))
    return failure();
  shape.push_back(16);
  return verifyShaped(op, codes, "codes", shape, byte);
}

/// N must be even if gate and up are its two halves or alternate.
LogicalResult verifyColumns(Operation *op, const BlockLayout &layout,
                            int64_t n) {
  if (layout.columns == ColumnOrder::Plain || ShapedType::isDynamic(n) ||
      n % 2 == 0)
    return success();
  return op->emitOpError() << "requires an even N for weights whose gate and "
                              "up are "
                           << name(layout.columns) << ", but got " << n;
}

/// blocks E x NB x KB against codes E x N x K/32 x 16 and scales E x N x K/32.
LogicalResult verifyPacked(Operation *op, Value blocks, Value codes,
                           Value scales) {
  ShapedType codesType = shaped(codes), blocksType = shaped(blocks);
  if (!isa<BlockType>(blocksType.getElementType()) || blocksType.getRank() != 3)
    return op->emitOpError() << "requires blocks of shape ExN/64xK/64 and "
                                "element type !mxfp4.block, but got "
                             << blocksType;
  Type byte = IntegerType::get(op->getContext(), 8);
  const int64_t dynamic = ShapedType::kDynamic;
  if (failed(verifyShaped(op, codes, "codes",
                          {blocksType.getDimSize(0), dynamic, dynamic, 16},
                          byte)))
    return failure();
  ArrayRef<int64_t> shape = codesType.getShape();
  if (failed(verifyShaped(op, scales, "scales", shape.drop_back(), byte)))
    return failure();
  const BlockLayout layout = layoutOf(blocksType);
  if (failed(verifyColumns(op, layout, shape[1])))
    return failure();
  const int64_t n =
      ShapedType::isDynamic(shape[1]) ? dynamic : layout.rowBlocks(shape[1]);
  const int64_t k = ShapedType::isDynamic(shape[2])
                        ? dynamic
                        : layout.colBlocks(shape[2] * layout.scaleBlock);
  return verifyShaped(op, blocks, "blocks", {shape[0], n, k},
                      blocksType.getElementType());
}

} // namespace

MXFP4_DESTINATION_OP(PackOp)
MXFP4_DESTINATION_OP(UnpackOp)
MXFP4_DESTINATION_OP(QuantizeOp)
MXFP4_DESTINATION_OP(DequantizeOp)

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
    return op.emitOpError("requires offsets for at least one group");
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
    return op.emitOpError("requires activations of f8E4M3FN for an "
                          "accumulation: sums of bf16 products are f32");
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
      !isFloatValue(getOutputType().getElementType()))
    return emitOpError() << "requires an output of rank 2 and element type "
                            "bf16 or f32, but got "
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

//===----------------------------------------------------------------------===//
// Conversions
//===----------------------------------------------------------------------===//

LogicalResult PackOp::verify() {
  if (getPromisesAttr() &&
      failed(verifyPromises(*this, "promises", getPromisesAttr())))
    return failure();
  if (failed(verifyPacked(*this, getInit(), getCodes(), getScales())))
    return failure();
  return verifyDestinationStyle(*this);
}

LogicalResult UnpackOp::verify() {
  if (failed(verifyPacked(*this, getBlocks(), getCodesInit(), getScalesInit())))
    return failure();
  return verifyDestinationStyle(*this);
}

LogicalResult QuantizeOp::verify() {
  if (failed(
          verifyQuantized(*this, getValues(), getCodesInit(), getScalesInit())))
    return failure();
  return verifyDestinationStyle(*this);
}

LogicalResult DequantizeOp::verify() {
  if (getPromisesAttr() &&
      failed(verifyPromises(*this, "promises", getPromisesAttr())))
    return failure();
  if (failed(verifyQuantized(*this, getInit(), getCodes(), getScales())))
    return failure();
  return verifyDestinationStyle(*this);
}

//===----------------------------------------------------------------------===//
// Views
//===----------------------------------------------------------------------===//

Contiguity mxfp4::contiguityOf(MemRefType type) {
  if (type.getLayout().isIdentity())
    return Contiguity::Yes;
  SmallVector<int64_t> strides;
  int64_t offset;
  if (failed(type.getStridesAndOffset(strides, offset)))
    return Contiguity::No;
  Contiguity result = Contiguity::Yes;
  int64_t expected = 1;
  for (int64_t dim = type.getRank() - 1; dim >= 0; --dim) {
    const int64_t size = type.getDimSize(dim);
    if (size == 1)
      continue; // Its stride is never used.
    if (ShapedType::isDynamic(expected) || ShapedType::isDynamic(strides[dim]))
      result = Contiguity::Unknown;
    else if (strides[dim] != expected)
      return Contiguity::No;
    expected = ShapedType::isDynamic(expected) || ShapedType::isDynamic(size)
                   ? ShapedType::kDynamic
                   : expected * size;
  }
  return result;
}

MemRefType mxfp4::withIdentityLayout(MemRefType type) {
  return MemRefType::get(type.getShape(), type.getElementType(), AffineMap(),
                         type.getMemorySpace());
}

std::optional<NumberType> mxfp4::numberTypeOf(Type type) {
  if (type.isBF16())
    return NumberType::BF16;
  if (type.isF32())
    return NumberType::F32;
  if (isa<Float8E4M3FNType>(type))
    return NumberType::E4M3;
  if (isa<Float8E5M2Type>(type))
    return NumberType::E5M2;
  return std::nullopt;
}

bool mxfp4::isActivation(Type element) {
  return llvm::any_of(instructions(), [&](const InstructionTraits &traits) {
    return numberTypeOf(element) == traits.typeOfB;
  });
}

Type mxfp4::typeOf(MLIRContext *context, NumberType type) {
  switch (type) {
  case NumberType::BF16:
    return BFloat16Type::get(context);
  case NumberType::F32:
    return Float32Type::get(context);
  case NumberType::E4M3:
    return Float8E4M3FNType::get(context);
  case NumberType::E5M2:
    return Float8E5M2Type::get(context);
  }
  llvm_unreachable("no such type of numbers");
}

BlockLayout mxfp4::layoutOf(Type type) {
  return cast<BlockType>(getElementTypeOrSelf(type)).getLayout();
}

MemRefType BlockBytesOp::bytesOf(MemRefType blocks) {
  SmallVector<int64_t> shape(blocks.getShape());
  const int64_t blockBytes = layoutOf(blocks).bytes();
  shape.push_back(blockBytes);
  MemRefLayoutAttrInterface layout;
  SmallVector<int64_t> strides;
  int64_t offset;
  if (!blocks.getLayout().isIdentity() &&
      succeeded(blocks.getStridesAndOffset(strides, offset))) {
    const auto bytes = [&](int64_t extent) {
      return ShapedType::isDynamic(extent) ? extent : extent * blockBytes;
    };
    for (int64_t &stride : strides)
      stride = bytes(stride);
    strides.push_back(1);
    layout =
        StridedLayoutAttr::get(blocks.getContext(), bytes(offset), strides);
  }
  return MemRefType::get(shape, IntegerType::get(blocks.getContext(), 8),
                         layout, blocks.getMemorySpace());
}

LogicalResult BlockBytesOp::verify() {
  auto blocks = cast<MemRefType>(getBlocks().getType());
  if (!isa<BlockType>(blocks.getElementType()))
    return emitOpError() << "requires blocks of element type !mxfp4.block, but "
                            "got "
                         << blocks;
  if (const MemRefType expected = bytesOf(blocks);
      getBytes().getType() != expected)
    return emitOpError() << "requires a result of type " << expected
                         << ", but got " << getBytes().getType();
  return success();
}

LogicalResult RebaseOp::verify() {
  auto source = cast<MemRefType>(getSource().getType());
  if (contiguityOf(source) == Contiguity::No)
    return emitOpError() << "requires a buffer whose elements lie one behind "
                            "the other, but got "
                         << source;
  if (const MemRefType expected = withIdentityLayout(source);
      getResult().getType() != expected)
    return emitOpError() << "requires a result of type " << expected
                         << ", but got " << getResult().getType();
  return success();
}

Value RebaseOp::getViewSource() { return getSource(); }
