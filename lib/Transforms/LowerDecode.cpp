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
#include "mlir/Interfaces/FunctionInterfaces.h"

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
    for (size_t i = 0; i < sequence.instructions.size(); ++i)
      emit(sequence, i);
    return resultsOf(sequence);
  }

  /// One instruction, ahead of `before`, behind those whose values it takes.
  void emit(const DecodeSequence &sequence, size_t number,
            Operation *before = nullptr) {
    if (before)
      b.setInsertionPoint(before);
    values.resize(DecodeSequence::kInputs + sequence.instructions.size());
    values[DecodeSequence::kInputs + number] =
        emit(sequence.instructions[number]);
  }

  SmallVector<Value> resultsOf(const DecodeSequence &sequence) {
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

template <typename OpTy> DecodeSequence sequenceOf(OpTy op) {
  return decodeSequence(cast<BlockType>(op.getBlock()).getLayout(),
                        op.getStep());
}

/// The rows that are decoded for a pin alone and next to it, in the order of
/// the text.
SmallVector<DecodeRowOp> rowsFor(PinOp pin) {
  SetVector<Operation *> rows;
  for (Value value : pin.getValues())
    if (auto row = value.getDefiningOp<DecodeRowOp>();
        row && row->getBlock() == pin->getBlock() &&
        llvm::all_equal(row->getUsers()))
      rows.insert(row);
  SmallVector<Operation *> sorted = rows.takeVector();
  llvm::sort(sorted,
             [](Operation *a, Operation *b) { return a->isBeforeInBlock(b); });
  return llvm::map_to_vector(
      sorted, [](Operation *row) { return cast<DecodeRowOp>(row); });
}

/// Emits rows ahead of the pin that they are decoded for, stage by stage.
void interleaveRows(SmallVector<DecodeRowOp> rows, PinOp pin) {
  std::vector<DecodeSequence> sequences;
  SmallVector<SequenceEmitter> emitters;
  for (DecodeRowOp row : rows) {
    sequences.push_back(sequenceOf(row));
    emitters.emplace_back(row);
  }
  for (const InterleavedInst &inst : interleave(sequences))
    emitters[inst.word].emit(sequences[inst.word], inst.instruction, pin);
  for (auto [row, emitter, sequence] :
       llvm::zip_equal(rows, emitters, sequences)) {
    row->replaceAllUsesWith(emitter.resultsOf(sequence));
    row->erase();
  }
}

struct LowerDecodePass : mxfp4::impl::LowerDecodeBase<LowerDecodePass> {
  using LowerDecodeBase::LowerDecodeBase;

  /// Byte permutations are of NVVM.
  void getDependentDialects(DialectRegistry &registry) const override {
    LowerDecodeBase::getDependentDialects(registry);
    registry.insert<NVVM::NVVMDialect>();
  }

  /// Whether weights take the sequence that is asked for.
  template <typename OpTy> WalkResult check(OpTy op) {
    const DecodeSequence emitted = sequenceOf(op);
    if (sequence == "auto" || sequence == emitted.name)
      return WalkResult::advance();
    op.emitOpError() << "is asked for decode sequence '" << sequence
                     << "', but weights of type " << op.getBlock() << " take '"
                     << emitted.name << "'";
    return WalkResult::interrupt();
  }

  template <typename OpTy> static void lower(OpTy op) {
    op.replaceAllUsesWith(SequenceEmitter(op).emit(sequenceOf(op)));
    op.erase();
  }

  /// Whether instructions of a kernel begin sums anew, which are promoted then.
  /// Measured with 128 rows per group: rows of e5m2 that are interleaved take
  /// 0.92 to 0.96 of the time in tiles of three warpgroups, but 1.01 to 1.03
  /// where sums are promoted and registers scarce.
  static bool promotes(Operation *kernel) {
    return kernel
        ->walk([](WgmmaOp op) {
          return op.getAccumulate() ? WalkResult::interrupt()
                                    : WalkResult::advance();
        })
        .wasInterrupted();
  }

  void runOnOperation() override {
    Operation *root = getOperation();
    if (root->walk([&](DecodeOp op) { return check(op); }).wasInterrupted() ||
        root->walk([&](DecodeRowOp op) { return check(op); }).wasInterrupted())
      return signalPassFailure();
    // Another kernel of the module changes nothing.
    root->walk([](FunctionOpInterface kernel) {
      if (!promotes(kernel))
        kernel->walk([](PinOp pin) { interleaveRows(rowsFor(pin), pin); });
    });
    root->walk([](DecodeOp op) { lower(op); });
    root->walk([](DecodeRowOp op) { lower(op); });
  }
};

} // namespace
