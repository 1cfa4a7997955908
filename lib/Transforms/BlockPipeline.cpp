//===- BlockPipeline.cpp - What a step of an overlapped loop does ---------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "BlockPipeline.h"
#include "KernelBuilding.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace mxfp4;

SmallVector<Value> BlockState::flatten() const {
  SmallVector<Value> values = {sums, previous, current, next};
  for (ArrayRef<Value> part :
       {ArrayRef(fragments), ArrayRef(spare), ArrayRef(raw)})
    llvm::append_range(values, part);
  return values;
}

void BlockState::assign(ValueRange values) {
  for (Value *value : {&sums, &previous, &current, &next}) {
    *value = values.front();
    values = values.drop_front();
  }
  for (SmallVector<Value> *part : {&fragments, &spare, &raw}) {
    part->assign(values.begin(), values.begin() + part->size());
    values = values.drop_front(part->size());
  }
}

static Registers pin(ImplicitLocOpBuilder &b, ValueRange values) {
  if (values.empty())
    return {};
  return Registers(PinOp::create(b, values.getTypes(), values).getPinned());
}

static Value slotOf(ImplicitLocOpBuilder &b, Value cursor) {
  return RingSlotOp::create(b, b.getIndexType(), cursor);
}

static Value after(ImplicitLocOpBuilder &b, KLoopOp loop, Value cursor) {
  return RingNextOp::create(b, cursor, loop.getSlice());
}

SmallVector<IRMapping> mxfp4::emitPlaces(ImplicitLocOpBuilder &b,
                                         BlockMatmulOp matmul, int64_t blocks) {
  SmallVector<IRMapping> places;
  Region &fetch = matmul.getFetch();
  for (int64_t block = 0; block < blocks; ++block) {
    IRMapping &mapping = places.emplace_back();
    mapping.map(fetch.getArgument(1), indexConstant(b, block));
    for (Operation &op : fetch.front().without_terminator())
      if (isPure(&op) && llvm::all_of(op.getOperands(), [&](Value value) {
            return mapping.contains(value) ||
                   !fetch.isAncestor(value.getParentRegion());
          }))
        b.clone(op, mapping);
  }
  return places;
}

static Registers emitFetch(ImplicitLocOpBuilder &b, const BlockLoop &of,
                           int64_t block, Value cursor) {
  KLoopOp loop = of.loop;
  BlockMatmulOp matmul = of.matmul;
  // The first block of a step is fetched first.
  if (block == 0)
    RingWaitOp::create(b, loop.getRing(), cursor);
  Region &fetch = matmul.getFetch();
  IRMapping mapping = of.places[block];
  mapping.map(fetch.getArgument(0), slotOf(b, cursor));
  for (Operation &op : fetch.front().without_terminator())
    if (!mapping.contains(&op))
      b.clone(op, mapping);
  return llvm::map_to_vector(
      fetch.front().getTerminator()->getOperands(),
      [&](Value value) { return mapping.lookupOrDefault(value); });
}

/// Fetches if the condition holds (null: always); else keeps other words.
static Registers emitFetchIf(ImplicitLocOpBuilder &b, const BlockLoop &of,
                             Value condition, int64_t block, Value cursor,
                             const Registers &otherwise) {
  if (!condition)
    return emitFetch(b, of, block, cursor);
  auto branch =
      scf::IfOp::create(b, ValueRange(otherwise).getTypes(), condition,
                        /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(branch.thenBlock());
  scf::YieldOp::create(b, emitFetch(b, of, block, cursor));
  b.setInsertionPointToStart(branch.elseBlock());
  scf::YieldOp::create(b, otherwise);
  return Registers(branch.getResults());
}

/// Decodes the words of the state. Pinned: nothing reads fragments before the
/// next batch, and LLVM would decode there, behind the wait instead of in front
/// of it.
static Registers emitDecode(ImplicitLocOpBuilder &b, BlockMatmulOp matmul,
                            BlockState &state) {
  return pin(b,
             inlinePart(b, matmul.getDecode(), state.raw, state.decoded++ % 2));
}

/// Decodes the next block into the spare fragments, and fetches the one after,
/// if `fetchIf` (null for always) is true. In a branch that is always taken,
/// which only the run shows: ptxas would move a decode outside of one down,
/// behind the wait.
static void emitAhead(ImplicitLocOpBuilder &b, const BlockLoop &of,
                      BlockState &state, int64_t block, Value fetchIf) {
  BlockMatmulOp matmul = of.matmul;
  Value hasTokens =
      arith::CmpIOp::create(b, arith::CmpIPredicate::ne,
                            matmul.getWgmma().getTokens(), indexConstant(b, 0));
  const int64_t stepsAhead = (block + 2) / of.blocks;
  Value fetched = stepsAhead == 0   ? state.current
                  : stepsAhead == 1 ? state.next
                                    : after(b, of.loop, state.next);
  SmallVector<Value> values(state.spare);
  values.append(state.raw);
  auto branch = scf::IfOp::create(b, ValueRange(values).getTypes(), hasTokens,
                                  /*withElseRegion=*/true);
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(branch.elseBlock());
    scf::YieldOp::create(b, values);
    b.setInsertionPointToStart(branch.thenBlock());
    values = emitDecode(b, matmul, state);
    values.append(emitFetchIf(b, of, fetchIf, (block + 2) % of.blocks, fetched,
                              state.raw));
    scf::YieldOp::create(b, values);
  }
  ValueRange results = branch.getResults();
  const size_t count = state.fragments.size();
  state.spare =
      std::exchange(state.fragments, Registers(results.take_front(count)));
  state.raw = Registers(results.drop_front(count));
}

/// Starts the batch of one block and waits for the one before, if any, whose
/// fragments are spare from then on.
static void emitBatch(ImplicitLocOpBuilder &b, BlockMatmulOp matmul,
                      BlockState &state, int64_t block, bool hasEarlier) {
  SmallVector<Value> arguments = {
      slotOf(b, state.current),
      vector::ExtractOp::create(b, state.sums, ArrayRef<int64_t>{block})};
  llvm::append_range(arguments, state.fragments);
  Value sums =
      inlinePart(b, matmul.getMultiply(), arguments, state.multiplied++ % 2)
          .front();
  if (hasEarlier)
    sums = WgmmaWaitOp::create(b, sums.getType(), sums, /*pending=*/1);
  state.sums =
      vector::InsertOp::create(b, sums, state.sums, ArrayRef<int64_t>{block});
}

BlockState mxfp4::beginBlocks(ImplicitLocOpBuilder &b, const BlockLoop &of) {
  KLoopOp loop = of.loop;
  BlockState state;
  // Zeros that are made inside the first batch would serialise it.
  state.sums = pin(b, loop.getInits()[0]).front();
  state.previous = state.current = loop.getCursor();
  state.next = after(b, loop, state.current);
  state.raw = emitFetch(b, of, 0, state.current);
  state.fragments = emitDecode(b, of.matmul, state);
  state.spare = pin(b, state.fragments);
  const bool isAlone = *llvm::min_element(of.counts) * of.blocks == 1;
  state.raw = emitFetch(b, of, 1 % of.blocks,
                        of.blocks > 1 || isAlone ? state.current : state.next);
  return state;
}

void mxfp4::releaseStage(ImplicitLocOpBuilder &b, KLoopOp loop, Value cursor,
                         Value condition) {
  OpBuilder::InsertionGuard guard(b);
  if (condition)
    b.setInsertionPointToStart(scf::IfOp::create(b, condition).thenBlock());
  RingReleaseOp::create(b, loop.getRing(), cursor, /*one_thread=*/false);
}

void mxfp4::emitSteps(ImplicitLocOpBuilder &b, const BlockLoop &of,
                      BlockState &state, int64_t steps,
                      std::optional<Value> hasPrevious, Value more) {
  const int64_t blocks = of.blocks;
  for (int64_t step = 0; step < steps; ++step) {
    for (int64_t block = 0; block < blocks; ++block) {
      const bool isInside = step * blocks + block + 2 < steps * blocks;
      emitBatch(b, of.matmul, state, block,
                hasPrevious || step > 0 || block > 0);
      if (block == 0 && (hasPrevious || step > 0))
        releaseStage(b, of.loop, state.previous,
                     step > 0 ? Value() : *hasPrevious);
      emitAhead(b, of, state, block, isInside ? Value() : more);
    }
    state.previous = state.current;
    state.current = state.next;
    state.next = after(b, of.loop, state.next);
  }
}
