//===- MakeContiguous.cpp - Buffers as kernels take them ------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mxfp4/IR/KernelSignature.h"
#include "mxfp4/IR/MXFP4.h"
#include "mxfp4/Transforms/Passes.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/Matchers.h"

#include <numeric>

namespace mxfp4 {
#define GEN_PASS_DEF_MAKECONTIGUOUS
#include "mxfp4/Transforms/Passes.h.inc"
} // namespace mxfp4

using namespace mlir;
using namespace mxfp4;

//===----------------------------------------------------------------------===//
// Alignment
//===----------------------------------------------------------------------===//

/// A number that an index is a multiple of; 0 for zero, a multiple of all.
static int64_t divisorOf(Value index) {
  APInt constant;
  if (matchPattern(index, m_ConstantInt(&constant)))
    return constant.isSignedIntN(63) ? std::abs(constant.getSExtValue()) : 1;
  if (auto op = index.getDefiningOp<arith::MulIOp>()) {
    int64_t product;
    if (llvm::MulOverflow(divisorOf(op.getLhs()), divisorOf(op.getRhs()),
                          product))
      return 1;
    return product;
  }
  if (auto op = index.getDefiningOp<arith::AddIOp>())
    return std::gcd(divisorOf(op.getLhs()), divisorOf(op.getRhs()));
  if (auto op = index.getDefiningOp<affine::AffineApplyOp>())
    return op.getAffineMap().getResult(0).getLargestKnownDivisor();
  return 1;
}

static int64_t divisorOf(OpFoldResult index) {
  if (auto value = dyn_cast<Value>(index))
    return divisorOf(value);
  return std::abs(cast<IntegerAttr>(cast<Attribute>(index)).getInt());
}

/// A number of elements that the offset of a buffer is a multiple of.
static int64_t offsetDivisor(Value buffer) {
  SmallVector<int64_t> strides;
  int64_t offset;
  if (failed(cast<MemRefType>(buffer.getType())
                 .getStridesAndOffset(strides, offset)))
    return 1;
  if (!ShapedType::isDynamic(offset))
    return offset;
  Operation *op = buffer.getDefiningOp();
  if (auto view = dyn_cast_or_null<memref::SubViewOp>(op)) {
    int64_t divisor = offsetDivisor(view.getSource());
    if (failed(view.getSourceType().getStridesAndOffset(strides, offset)))
      return 1;
    for (auto [at, stride] : llvm::zip(view.getMixedOffsets(), strides)) {
      int64_t product;
      if (llvm::MulOverflow(divisorOf(at),
                            ShapedType::isDynamic(stride) ? 1 : stride,
                            product))
        return 1;
      divisor = std::gcd(divisor, product);
    }
    return divisor;
  }
  if (auto view = dyn_cast_or_null<memref::ReinterpretCastOp>(op))
    return divisorOf(view.getMixedOffsets()[0]);
  if (isa_and_nonnull<memref::CollapseShapeOp, memref::ExpandShapeOp,
                      memref::CastOp>(op))
    return offsetDivisor(op->getOperand(0));
  return 1;
}

//===----------------------------------------------------------------------===//
// One operand
//===----------------------------------------------------------------------===//

namespace {

/// What an operand is to the kernel.
struct Role {
  StringRef title;
  /// In bytes.
  int64_t alignment;
  bool isWritten;
};

Role roleOf(GroupedMatmulOp op, OpOperand &operand) {
  const unsigned number = operand.getOperandNumber();
  Role role{"an operand", kernelSignature(op)[number].attr.getAlign(),
            operand.get() == op.getInit() || operand.get() == op.getError() ||
                operand.get() == op.getWorkspace() ||
                operand.get() == op.getThrough() ||
                operand.get() == op.getStored()};
  for (auto [i, row] : llvm::enumerate(matmulOperands())) {
    const auto [first, length] = op.getODSOperandIndexAndLength(i);
    if (number >= first && number < first + length)
      role.title = row.title;
  }
  return role;
}

/// A kernel decodes whole vectors.
Role roleOf(DequantizeOp op, OpOperand &operand) {
  if (operand.get() == op.getCodes())
    return {"codes", /*alignment=*/4, /*isWritten=*/false};
  if (operand.get() == op.getScales())
    return {"scales", /*alignment=*/1, /*isWritten=*/false};
  return {"decoded values", /*alignment=*/16, /*isWritten=*/true};
}

/// Makes an operand of an operation that becomes a kernel contiguous.
class OperandRewriter {
public:
  OperandRewriter(OpOperand &operand, const Role &role)
      : operand(operand), source(operand.get()),
        type(cast<MemRefType>(source.getType())),
        elementBytes(isa<BlockType>(type.getElementType())
                         ? layoutOf(type).bytes()
                         : type.getElementTypeBitWidth() / 8),
        role(role), b(operand.getOwner()->getLoc(), operand.getOwner()),
        strides(contiguityOf(type)) {
    const int64_t multiple = offsetDivisor(source) * elementBytes;
    if (multiple % role.alignment == 0)
      alignment = Contiguity::Yes;
    else if (type.getStridesAndOffset().second == ShapedType::kDynamic)
      alignment = Contiguity::Unknown;
    else
      alignment = Contiguity::No;
  }

  /// Whether the kernel can use the buffer as it is.
  Contiguity isUsable() const { return std::min(strides, alignment); }
  /// The reason why it cannot, as a sentence.
  std::string reason() const;
  void rewrite();

private:
  Value index(int64_t value) {
    return arith::ConstantIndexOp::create(b, value);
  }
  Value emitIsUsable();
  Value emitCopy();
  void emitEnd(Value copy);

  OpOperand &operand;
  Value source;
  MemRefType type;
  int64_t elementBytes;
  Role role;
  ImplicitLocOpBuilder b;
  Contiguity strides, alignment;
};

} // namespace

std::string OperandRewriter::reason() const {
  std::string text;
  llvm::raw_string_ostream os(text);
  os << "copies " << role.title << " into a contiguous buffer ";
  if (strides == Contiguity::No)
    os << "because the elements of " << type
       << " do not lie one behind the other";
  else if (alignment == Contiguity::No)
    os << "because " << type << " begins at no multiple of " << role.alignment
       << " bytes";
  else
    os << "if its elements turn out not to lie one behind the other from a "
          "multiple of "
       << role.alignment << " bytes on, which " << type << " does not say";
  return text;
}

/// Whether strides and offset are those of a buffer that the kernel can use.
Value OperandRewriter::emitIsUsable() {
  auto data = memref::ExtractStridedMetadataOp::create(b, source);
  Value usable = arith::ConstantIntOp::create(b, b.getI1Type(), 1);
  const auto require = [&](Value value, Value expected) {
    usable = arith::AndIOp::create(
        b, usable,
        arith::CmpIOp::create(b, arith::CmpIPredicate::eq, value, expected));
  };
  Value expected = index(1);
  for (int64_t dim = type.getRank() - 1; dim >= 0; --dim) {
    if (type.getDimSize(dim) == 1)
      continue; // Its stride is never used.
    if (strides == Contiguity::Unknown)
      require(data.getStrides()[dim], expected);
    expected = arith::MulIOp::create(b, expected, data.getSizes()[dim]);
  }
  if (alignment == Contiguity::Unknown)
    require(arith::RemUIOp::create(
                b,
                arith::MulIOp::create(b, data.getOffset(), index(elementBytes)),
                index(role.alignment)),
            index(0));
  return usable;
}

/// Rows that a kernel does not store, of groups with a bad id, keep what they
/// had: outputs are therefore copied in both directions.
Value OperandRewriter::emitCopy() {
  SmallVector<Value> sizes;
  for (int64_t dim = 0; dim < type.getRank(); ++dim)
    if (type.isDynamicDim(dim))
      sizes.push_back(memref::DimOp::create(b, source, dim));
  Value copy = memref::AllocOp::create(b, withIdentityLayout(type), sizes,
                                       b.getI64IntegerAttr(64));
  memref::CopyOp::create(b, source, copy);
  return copy;
}

void OperandRewriter::emitEnd(Value copy) {
  if (role.isWritten)
    memref::CopyOp::create(b, copy, source);
  memref::DeallocOp::create(b, copy);
}

void OperandRewriter::rewrite() {
  Operation *op = operand.getOwner();
  const MemRefType made = withIdentityLayout(type);
  if (isUsable() == Contiguity::Yes) {
    // A plain cast where nothing moves, which everyone knows how to fold.
    operand.set(type.getStridesAndOffset().second == 0 &&
                        memref::CastOp::areCastCompatible(type, made)
                    ? Value(memref::CastOp::create(b, made, source))
                    : Value(RebaseOp::create(b, made, source)));
    return;
  }
  if (isUsable() == Contiguity::No) {
    Value copy = emitCopy();
    operand.set(copy);
    b.setInsertionPointAfter(op);
    emitEnd(copy);
    return;
  }
  Value usable = emitIsUsable();
  auto choice =
      scf::IfOp::create(b, TypeRange(made), usable, /*withElseRegion=*/true);
  operand.set(choice.getResult(0));
  b.setInsertionPointToStart(choice.thenBlock());
  scf::YieldOp::create(b, ValueRange(RebaseOp::create(b, made, source)));
  b.setInsertionPointToStart(choice.elseBlock());
  scf::YieldOp::create(b, ValueRange(emitCopy()));
  b.setInsertionPointAfter(op);
  Value isCopy = arith::XOrIOp::create(
      b, usable, arith::ConstantIntOp::create(b, b.getI1Type(), 1));
  auto end = scf::IfOp::create(b, isCopy, /*withElseRegion=*/false);
  b.setInsertionPointToStart(end.thenBlock());
  emitEnd(choice.getResult(0));
}

//===----------------------------------------------------------------------===//
// The pass
//===----------------------------------------------------------------------===//

namespace {

struct MakeContiguousPass
    : mxfp4::impl::MakeContiguousBase<MakeContiguousPass> {
  using MakeContiguousBase::MakeContiguousBase;

  void runOnOperation() override {
    SmallVector<GroupedMatmulOp> matmuls;
    SmallVector<DequantizeOp> decodes;
    getOperation()->walk([&](DestinationStyleOpInterface op) {
      if (!op.hasPureBufferSemantics())
        return;
      if (auto matmul = dyn_cast<GroupedMatmulOp>(op.getOperation()))
        matmuls.push_back(matmul);
      // Without code of the host nothing decodes around a kernel.
      else if (auto decode = dyn_cast<DequantizeOp>(op.getOperation());
               decode && copies)
        decodes.push_back(decode);
    });
    for (GroupedMatmulOp op : matmuls)
      if (failed(rewrite(op)))
        return signalPassFailure();
    for (DequantizeOp op : decodes)
      if (failed(rewrite(op)))
        return signalPassFailure();
  }

private:
  template <typename OpTy> LogicalResult rewrite(OpTy op) {
    for (OpOperand &operand : op->getOpOperands()) {
      auto type = cast<MemRefType>(operand.get().getType());
      // By type: `strided<[1]>` of one dimension is an identity, too.
      if (type == withIdentityLayout(type))
        continue;
      OperandRewriter rewriter(operand, roleOf(op, operand));
      if (rewriter.isUsable() != Contiguity::Yes) {
        if (!copies)
          return op.emitOpError()
                 << "is to be compiled without code of the host, but it "
                 << rewriter.reason() << "; give it contiguous buffers";
        op.emitRemark() << "mxfp4-make-contiguous " << rewriter.reason();
        ++numMoved;
      }
      rewriter.rewrite();
    }
    return success();
  }
};

} // namespace
