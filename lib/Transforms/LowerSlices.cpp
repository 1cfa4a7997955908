//===- LowerSlices.cpp - Adding the sums of K slices ----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Slices hand their sums to slice 0 through shared memory. Slice s > 0 meets
// slice 0 twice at the named barrier s of the CTA: once to know that the buffer
// is free, and once more when it has written. Slice 0 takes one after the
// other. With a buffer for each slice, all write at once: slice s arrives at
// the barrier s when it has written, and a barrier s + S - 1 says that its
// buffer is free. Slices go on with the next tile while slice 0 reads: they
// wait there before they write, and slice 0 arrives when it has multiplied its
// own steps of the tile, so that it has read the sums of the tile before. More
// than five slices with more than four sums per thread have no registers for
// that: they wait when they have written, until slice 0 has read.
//
//===----------------------------------------------------------------------===//

#include "KernelLowering.h"

#include "mxfp4/IR/MXFP4.h"

#include "mlir/Conversion/LLVMCommon/Pattern.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace mxfp4;

namespace {

/// Of one slice at a time. Four sums of a thread lie together, of
/// neighbouring threads side by side: no bank conflicts.
class Buffer {
public:
  Buffer(ImplicitLocOpBuilder &b, ReduceSlicesOp op,
         ReduceSlicesOp::Adaptor adaptor)
      : b(b), a(b), shape(op.getAccumulator().getType().getShape()),
        threads(cast<MemRefType>(op.getBuffer().getType()).getDimSize(1)),
        slices(op.getSlices()),
        hasOwn(cast<MemRefType>(op.getBuffer().getType()).getDimSize(0) >
               op.getAccumulator().getType().getNumElements()),
        goesOn(hasOwn &&
               (slices <= kMostInLine ||
                op.getAccumulator().getType().getNumElements() == kFewSums)),
        address(a.offset(adaptor.getBuffer(),
                         a.mul(a.urem(a.thread(), threads), kUnitBytes))),
        tokens(adaptor.getTokens()) {}

  /// For the threads of slice 0: adds the sums of another slice.
  Value add(Value sums, Value slice);
  /// The same for all of them.
  Value collect(Value sums);
  /// For those of another.
  void handOver(Value sums, Value slice);

private:
  /// The slices above which a loop adds them. One after the other, ptxas lets
  /// the sums of two slices live at once, for which 31 warps have no registers.
  static constexpr int64_t kMostInLine = 5;
  /// Sums of a thread with which more slices go on: with 16 of them a kernel
  /// with an epilogue spills, and others took 1.01 of the time. All reductions
  /// of a kernel must agree: no schedule halves tiles of 8 tokens that more
  /// than five slices share.
  static constexpr int64_t kFewSums = 4;

  /// What is done with four sums of eight tokens; returns all sums.
  using Step = Value(Value sums, ArrayRef<int64_t> at, Value place);
  Value update(Value sums, Value buffer, function_ref<Step> step);
  Value updateColumns(Value sums, Value buffer, int64_t first, int64_t end,
                      function_ref<Step> step);

  Value constant(int64_t value) { return a.constant(b.getI32Type(), value); }
  /// The threads of a slice and of slice 0. They wait at different
  /// instructions, which `bar.sync`, the aligned one that NVVM has an operation
  /// for, does not allow.
  void meet(Value barrier) {
    LLVM::CallIntrinsicOp::create(
        b, b.getStringAttr("llvm.nvvm.barrier.cta.sync.count"),
        ValueRange{barrier, constant(2 * threads)});
  }
  /// The same for those who do not wait.
  void arrive(Value barrier) {
    LLVM::CallIntrinsicOp::create(
        b, b.getStringAttr("llvm.nvvm.barrier.cta.arrive.count"),
        ValueRange{barrier, constant(2 * threads)});
  }
  /// The barrier that says that the buffer of a slice is free.
  Value freeBarrier(Value slice) { return a.add(slice, slices - 1); }
  /// Where the buffer of a slice begins.
  Value bufferOf(Value slice) {
    const int64_t bytes = ShapedType::getNumElements(shape) * threads * 4;
    return hasOwn ? a.offset(address, a.mul(a.add(slice, -1), bytes)) : address;
  }

  ImplicitLocOpBuilder &b;
  Arithmetic a;
  const ArrayRef<int64_t> shape;
  const int64_t threads, slices;
  const bool hasOwn, goesOn;
  Value address, tokens;
};

struct LowerReduceSlices : ConvertOpToLLVMPattern<ReduceSlicesOp> {
  using ConvertOpToLLVMPattern::ConvertOpToLLVMPattern;
  LogicalResult
  matchAndRewrite(ReduceSlicesOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    Buffer buffer(b, op, adaptor);
    Value isFirst =
        LLVM::ICmpOp::create(b, LLVM::ICmpPredicate::eq, adaptor.getSlice(),
                             Arithmetic(b).constant(b.getI32Type(), 0));
    Value sums = adaptor.getAccumulator();
    auto roles = scf::IfOp::create(b, sums.getType(), isFirst,
                                   /*withElseRegion=*/true);
    b.setInsertionPointToStart(roles.thenBlock());
    scf::YieldOp::create(b, buffer.collect(sums));
    b.setInsertionPointToStart(roles.elseBlock());
    buffer.handOver(sums, adaptor.getSlice());
    scf::YieldOp::create(b, sums);
    rewriter.replaceOp(op, roles.getResults());
    return success();
  }
};

} // namespace

Value Buffer::add(Value sums, Value slice) {
  if (!hasOwn)
    meet(slice);
  meet(slice);
  sums = update(
      sums, bufferOf(slice),
      [&](Value sums, ArrayRef<int64_t> at, Value place) -> Value {
        Value mine = readFour(b, sums, at);
        Value theirs =
            LLVM::LoadOp::create(b, mine.getType(), place, kUnitBytes);
        return writeFour(b, sums, at, LLVM::FAddOp::create(b, mine, theirs));
      });
  if (hasOwn && !goesOn)
    arrive(freeBarrier(slice));
  return sums;
}

Value Buffer::collect(Value sums) {
  for (int64_t slice = 1; goesOn && slice < slices; ++slice)
    arrive(freeBarrier(constant(slice)));
  if (slices <= kMostInLine) {
    for (int64_t slice = 1; slice < slices; ++slice)
      sums = add(sums, constant(slice));
    return sums;
  }
  auto loop = scf::ForOp::create(b, constant(1), constant(slices), constant(1),
                                 ValueRange{sums});
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  scf::YieldOp::create(b,
                       add(loop.getRegionIterArg(0), loop.getInductionVar()));
  return loop.getResult(0);
}

void Buffer::handOver(Value sums, Value slice) {
  if (!hasOwn)
    meet(slice);
  else if (goesOn)
    meet(freeBarrier(slice));
  update(sums, bufferOf(slice),
         [&](Value sums, ArrayRef<int64_t> at, Value place) {
           LLVM::StoreOp::create(b, readFour(b, sums, at), place, kUnitBytes);
           return sums;
         });
  if (!hasOwn)
    return meet(slice);
  arrive(slice);
  if (!goesOn)
    meet(freeBarrier(slice));
}

/// Does it with the sums of tokens that exist, in steps of sixteen: a branch
/// goes around each sixteen tokens that do not.
Value Buffer::update(Value sums, Value buffer, function_ref<Step> step) {
  constexpr int64_t kTogether = 2;
  const int64_t always = tokens ? std::min(kTogether, shape[1]) : shape[1];
  sums = updateColumns(sums, buffer, 0, always, step);
  for (int64_t first = always; first < shape[1]; first += kTogether) {
    auto some =
        scf::IfOp::create(b, sums.getType(), a.ult(constant(8 * first), tokens),
                          /*withElseRegion=*/true);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(some.elseBlock());
    scf::YieldOp::create(b, sums);
    b.setInsertionPointToStart(some.thenBlock());
    const int64_t end = std::min(first + kTogether, shape[1]);
    scf::YieldOp::create(b, updateColumns(sums, buffer, first, end, step));
    sums = some.getResult(0);
  }
  return sums;
}

Value Buffer::updateColumns(Value sums, Value buffer, int64_t first,
                            int64_t end, function_ref<Step> step) {
  for (int64_t block = 0; block < shape[0]; ++block)
    for (int64_t column = first; column < end; ++column) {
      const int64_t number = block * shape[1] + column;
      sums = step(sums, {block, column},
                  a.offset(buffer, constant(number * threads * kUnitBytes)));
    }
  return sums;
}

void mxfp4::populateSliceLowering(const LLVMTypeConverter &converter,
                                  RewritePatternSet &patterns) {
  patterns.add<LowerReduceSlices>(converter);
}
