//===- CtaBuilder.cpp - Scalar code for the threads of a CTA --------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CtaBuilder.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace mxfp4;

CtaBuilder::CtaBuilder(Location loc, Block *block, int64_t threads)
    : LoopBuilder(loc, OpBuilder::atBlockBegin(block)), threads(threads) {
  thread = gpu::ThreadIdOp::create(b, gpu::Dimension::x);
  warp = op<arith::DivUIOp>(thread, kWarpThreads);
  lane = op<arith::RemUIOp>(thread, kWarpThreads);
  cta = gpu::BlockIdOp::create(b, gpu::Dimension::x);
  ctas = gpu::GridDimOp::create(b, gpu::Dimension::x);
}

void CtaBuilder::loopBy(Value lower, Value upper, Value step,
                        function_ref<void(Value)> body) {
  auto loop = scf::ForOp::create(b, lower, upper, step);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  body(loop.getInductionVar());
}

Value CtaBuilder::ifElse(Value condition, function_ref<Value()> then,
                         function_ref<Value()> otherwise) {
  OpBuilder::InsertionGuard guard(b);
  // The type is known when the branch has been built.
  auto branch = scf::IfOp::create(b, TypeRange(), condition, false);
  b.setInsertionPointToStart(branch.thenBlock());
  Value yes = then();
  b.setInsertionPoint(branch);
  auto typed = scf::IfOp::create(b, TypeRange(yes.getType()), condition, true);
  branch.thenBlock()->getTerminator()->erase();
  typed.thenBlock()->getOperations().splice(
      typed.thenBlock()->end(), branch.thenBlock()->getOperations());
  branch.erase();
  b.setInsertionPointToEnd(typed.thenBlock());
  scf::YieldOp::create(b, yes);
  b.setInsertionPointToStart(typed.elseBlock());
  scf::YieldOp::create(b, otherwise());
  return typed.getResult(0);
}

//===----------------------------------------------------------------------===//
// Integers
//===----------------------------------------------------------------------===//

Value CtaBuilder::indexLike(Value like, int64_t value) {
  return like.getType().isIndex()
             ? index(value)
             : integer(like.getType().getIntOrFloatBitWidth(), value);
}

Value CtaBuilder::toIndex(Value value) {
  return arith::IndexCastOp::create(b, b.getIndexType(), value);
}

Value CtaBuilder::toI32(Value value) {
  return arith::IndexCastOp::create(b, b.getI32Type(), value);
}

Value CtaBuilder::divideUp(Value a, int64_t by) {
  return op<arith::DivUIOp>(add(a, by - 1), by);
}

Value CtaBuilder::divideUp(Value a, Value by) {
  return op<arith::DivUIOp>(add(a, op<arith::SubIOp>(by, 1)), by);
}

Value CtaBuilder::bitCount(Value value) {
  return LLVM::CtPopOp::create(b, value);
}

//===----------------------------------------------------------------------===//
// Warps
//===----------------------------------------------------------------------===//

static constexpr uint64_t kAllLanes = 0xffffffff;

Value CtaBuilder::reduceMax(Value value) {
  return NVVM::ReduxOp::create(b, value.getType(), value, NVVM::ReduxKind::MAX,
                               integer(32, kAllLanes));
}

Value CtaBuilder::reduceMin(Value value) {
  return NVVM::ReduxOp::create(b, value.getType(), value, NVVM::ReduxKind::MIN,
                               integer(32, kAllLanes));
}

Value CtaBuilder::reduceAdd(Value value) {
  return NVVM::ReduxOp::create(b, value.getType(), value, NVVM::ReduxKind::ADD,
                               integer(32, kAllLanes));
}

Value CtaBuilder::matchLanes(Value value, int64_t bits) {
  Value all = integer(32, kAllLanes), same = all;
  for (int64_t bit = 0; bit < bits; ++bit) {
    Value isSet = compare(arith::CmpIPredicate::ne,
                          op<arith::AndIOp>(value, int64_t(1) << bit), 0);
    Value set = NVVM::VoteSyncOp::create(b, b.getI32Type(), all, isSet,
                                         NVVM::VoteSyncKind::ballot);
    Value alike = select(isSet, set, op<arith::XOrIOp>(set, all));
    same = op<arith::AndIOp>(same, alike);
  }
  return same;
}

Value CtaBuilder::shuffle(Value value, Value from) {
  return gpu::ShuffleOp::create(b, value, from, integer(32, kWarpThreads),
                                gpu::ShuffleMode::IDX)
      .getShuffleResult();
}

Value CtaBuilder::exchange(Value value, int64_t bits) {
  return gpu::ShuffleOp::create(b, value, bits, kWarpThreads,
                                gpu::ShuffleMode::XOR)
      .getShuffleResult();
}

Value CtaBuilder::shuffleUp(Value value, int64_t by) {
  return gpu::ShuffleOp::create(b, value, by, kWarpThreads,
                                gpu::ShuffleMode::UP)
      .getShuffleResult();
}

Value CtaBuilder::sumLanes(Value value, int64_t group) {
  for (int64_t bits = group / 2; bits > 0; bits /= 2)
    value = op<arith::AddFOp>(value, exchange(value, bits));
  return value;
}

Value CtaBuilder::scanLanes(Value value) {
  for (int64_t by = 1; by < kWarpThreads; by *= 2) {
    Value below = shuffleUp(value, by);
    Value has = compare(arith::CmpIPredicate::uge, lane, by);
    value = select(has, add(value, below), value);
  }
  return value;
}

void CtaBuilder::syncWarp() {
  NVVM::SyncWarpOp::create(b, integer(32, kAllLanes));
}

void CtaBuilder::syncCta() { gpu::BarrierOp::create(b); }

//===----------------------------------------------------------------------===//
// Atomics
//===----------------------------------------------------------------------===//

void CtaBuilder::atomicAdd(Value value, Value memory, ValueRange at) {
  memref::AtomicRMWOp::create(b, value.getType(), arith::AtomicRMWKind::addi,
                              value, memory, at);
}

void CtaBuilder::report(Value error, int64_t bits) {
  if (error)
    memref::AtomicRMWOp::create(b, b.getI32Type(), arith::AtomicRMWKind::ori,
                                integer(32, bits), error, index(0));
}
