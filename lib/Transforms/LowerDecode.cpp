//===- LowerDecode.cpp - Decodes to register operations -------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mxfp4/Core/DecodeSequence.h"
#include "mxfp4/IR/MXFP4.h"
#include "mxfp4/Transforms/Passes.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mxfp4 {
#define GEN_PASS_DEF_LOWERDECODE
#include "mxfp4/Transforms/Passes.h.inc"
} // namespace mxfp4

using namespace mlir;
using namespace mxfp4;

namespace {

/// The third reader of a decode sequence: emits it.
class SequenceEmitter {
public:
  /// For mxfp4.decode or mxfp4.decode_row.
  template <typename OpTy>
  explicit SequenceEmitter(OpTy op)
      : b(op.getLoc(), op), pair(VectorType::get({2}, b.getBF16Type())),
        result(op->getResult(0).getType()),
        values({op.getCodes(), op.getScales()}) {}

  SmallVector<Value> emit(const DecodeSequence &sequence) {
    for (const DecodeInst &inst : sequence.instructions)
      values.push_back(emit(inst));
    SmallVector<Value> results;
    for (int number : sequence.results)
      results.push_back(toType(values[number], result));
    return results;
  }

private:
  Value constant(uint32_t value) {
    return LLVM::ConstantOp::create(b, b.getI32Type(),
                                    b.getI32IntegerAttr(int32_t(value)));
  }
  /// Products stay bf16 pairs; everything else is a 32-bit register.
  Value toPair(Value value) { return toType(value, pair); }
  Value toType(Value value, Type type) {
    if (value.getType() == type)
      return value;
    // LLVM has no type for 8-bit floats: what lowers the fragments gives
    // registers of them.
    if (isa<Float8E5M2Type>(getElementTypeOrSelf(type)))
      return UnrealizedConversionCastOp::create(
                 b, type,
                 ValueRange{LLVM::BitcastOp::create(
                     b, VectorType::get({4}, b.getI8Type()), value)})
          .getResult(0);
    return LLVM::BitcastOp::create(b, type, value);
  }
  Value splat(Value value, int32_t half) {
    Value none = LLVM::PoisonOp::create(b, pair);
    return LLVM::ShuffleVectorOp::create(b, value, none, {half, half});
  }

  Value emit(const DecodeInst &inst) {
    Value lhs = values[inst.lhs];
    if (inst.op == DecodeOpcode::Splat)
      return splat(toPair(lhs), int32_t(inst.immediate));
    Value rhs = inst.rhs < 0 ? constant(inst.immediate) : values[inst.rhs];
    switch (inst.op) {
    case DecodeOpcode::And:
      return LLVM::AndOp::create(b, lhs, rhs);
    case DecodeOpcode::Or:
      return LLVM::OrOp::create(b, lhs, rhs);
    case DecodeOpcode::Add:
      return LLVM::AddOp::create(b, lhs, rhs);
    case DecodeOpcode::Shl:
      return LLVM::ShlOp::create(b, lhs, rhs);
    case DecodeOpcode::Shr:
      return LLVM::LShrOp::create(b, lhs, rhs);
    case DecodeOpcode::Rotl:
      return LLVM::FshlOp::create(b, lhs, lhs, rhs);
    case DecodeOpcode::Mul:
      return LLVM::MulOp::create(b, lhs, rhs);
    case DecodeOpcode::MulBF16x2:
      return LLVM::FMulOp::create(b, toPair(lhs), toPair(rhs));
    case DecodeOpcode::Byte:
      return NVVM::PermuteOp::create(b, b.getI32Type(), lhs, constant(0),
                                     constant(0x4440 | inst.immediate),
                                     NVVM::PermuteMode::DEFAULT);
    case DecodeOpcode::Permute:
      return NVVM::PermuteOp::create(b, b.getI32Type(), lhs, rhs,
                                     values[inst.selector],
                                     NVVM::PermuteMode::DEFAULT);
    case DecodeOpcode::Splat:
      break;
    }
    llvm_unreachable("all operations are handled");
  }

  ImplicitLocOpBuilder b;
  Type pair, result;
  SmallVector<Value> values;
};

struct LowerDecodePass : mxfp4::impl::LowerDecodeBase<LowerDecodePass> {
  using LowerDecodeBase::LowerDecodeBase;

  /// Byte permutations are of NVVM.
  void getDependentDialects(DialectRegistry &registry) const override {
    LowerDecodeBase::getDependentDialects(registry);
    registry.insert<NVVM::NVVMDialect>();
  }

  void runOnOperation() override {
    const auto lower = [&](auto op) {
      const BlockLayout layout = cast<BlockType>(op.getBlock()).getLayout();
      const DecodeSequence emitted = decodeSequence(layout, op.getStep());
      if (sequence != "auto" && sequence != emitted.name) {
        op.emitOpError() << "is asked for decode sequence '" << sequence
                         << "', but weights of type " << op.getBlock()
                         << " take '" << emitted.name << "'";
        return WalkResult::interrupt();
      }
      op.replaceAllUsesWith(SequenceEmitter(op).emit(emitted));
      op.erase();
      return WalkResult::advance();
    };
    if (getOperation()
            ->walk([&](DecodeOp op) { return lower(op); })
            .wasInterrupted() ||
        getOperation()
            ->walk([&](DecodeRowOp op) { return lower(op); })
            .wasInterrupted())
      signalPassFailure();
  }
};

} // namespace
