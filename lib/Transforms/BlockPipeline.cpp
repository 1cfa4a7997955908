//===- BlockPipeline.cpp - What a step of an overlapped loop does ---------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "BlockPipeline.h"
#include "KernelBuilding.h"
#include "PromotedSums.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/UB/IR/UBOps.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

using namespace mlir;
using namespace mxfp4;

SmallVector<Value> BlockState::flatten() const {
  SmallVector<Value> values = {sums, previous, current, next};
  if (promoted)
    values.push_back(promoted);
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
  if (promoted) {
    promoted = values.front();
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

//===----------------------------------------------------------------------===//
// Parts of a step
//===----------------------------------------------------------------------===//

/// Clones what a region of one block computes `wanted` with, and what has
/// effects of its own, as far as `mapping` does not have it. Returns the
/// clones of `wanted`.
static Registers cloneFor(ImplicitLocOpBuilder &b, Region &region,
                          IRMapping &mapping, ValueRange wanted) {
  SetVector<Operation *> needed;
  DenseSet<Value> values(wanted.begin(), wanted.end());
  for (Operation &op : llvm::reverse(region.front().without_terminator())) {
    if (mapping.contains(&op))
      continue;
    if (wouldOpBeTriviallyDead(&op) &&
        llvm::none_of(op.getResults(),
                      [&](Value result) { return values.contains(result); }))
      continue;
    needed.insert(&op);
    values.insert(op.operand_begin(), op.operand_end());
  }
  for (Operation *op : llvm::reverse(needed))
    b.clone(*op, mapping);
  return llvm::map_to_vector(
      wanted, [&](Value value) { return mapping.lookupOrDefault(value); });
}

/// One of equal parts of a list.
template <typename Range>
static auto partOf(const BlockLoop &of, Range range, int64_t part) {
  const size_t count = range.size() / of.parts;
  return range.slice(part * count, count);
}

static ValueRange yieldedBy(Region &region) {
  return region.front().getTerminator()->getOperands();
}

bool mxfp4::divideSteps(BlockLoop &of, int64_t parts) {
  of.parts = parts;
  Region &decode = of.matmul.getDecode();
  of.words.clear();
  // The instruction takes the fragments as they are decoded.
  WgmmaOp wgmma = of.matmul.getWgmma();
  if (parts > 1 &&
      (wgmma.getStepCount() % parts != 0 ||
       !llvm::equal(wgmma.getFragments(),
                    of.matmul.getMultiply().getArguments().drop_front(2))))
    return false;
  for (int64_t part = 0; part < parts; ++part) {
    DenseSet<Value> values;
    for (Value fragment : partOf(of, yieldedBy(decode), part))
      values.insert(fragment);
    for (Operation &op : llvm::reverse(decode.front().without_terminator())) {
      if (parts > 1 && !isPure(&op))
        return false;
      if (llvm::any_of(op.getResults(),
                       [&](Value result) { return values.contains(result); }))
        values.insert(op.operand_begin(), op.operand_end());
    }
    SmallVector<unsigned> &words = of.words.emplace_back();
    for (BlockArgument word : decode.getArguments())
      if (parts == 1 || values.contains(word))
        words.push_back(word.getArgNumber());
    if (words.size() != of.words.front().size())
      return false;
  }
  return true;
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
                           int64_t batch, Value cursor) {
  KLoopOp loop = of.loop;
  BlockMatmulOp matmul = of.matmul;
  // The first batch of a step is fetched first.
  if (batch == 0)
    RingWaitOp::create(b, loop.getRing(), cursor);
  Region &fetch = matmul.getFetch();
  IRMapping mapping = of.places[batch / of.parts];
  mapping.map(fetch.getArgument(0), slotOf(b, cursor));
  SmallVector<Value> words;
  for (unsigned word : of.words[batch % of.parts])
    words.push_back(yieldedBy(fetch)[word]);
  return cloneFor(b, fetch, mapping, words);
}

/// Fetches if the condition holds (null: always); else keeps other words.
static Registers emitFetchIf(ImplicitLocOpBuilder &b, const BlockLoop &of,
                             Value condition, int64_t batch, Value cursor,
                             const Registers &otherwise) {
  if (!condition)
    return emitFetch(b, of, batch, cursor);
  auto branch =
      scf::IfOp::create(b, ValueRange(otherwise).getTypes(), condition,
                        /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(branch.thenBlock());
  scf::YieldOp::create(b, emitFetch(b, of, batch, cursor));
  b.setInsertionPointToStart(branch.elseBlock());
  scf::YieldOp::create(b, otherwise);
  return Registers(branch.getResults());
}

/// Decodes the words of the state. Pinned: nothing reads fragments before the
/// next batch, and LLVM would decode there, behind the wait instead of in front
/// of it.
static Registers emitDecode(ImplicitLocOpBuilder &b, const BlockLoop &of,
                            BlockState &state) {
  BlockMatmulOp matmul = of.matmul;
  Region &decode = matmul.getDecode();
  const int64_t number = state.decoded++, part = number % of.parts;
  if (of.parts == 1)
    return pin(b, inlinePart(b, decode, state.raw, number % 2));
  IRMapping mapping;
  for (auto [word, value] : llvm::zip_equal(of.words[part], state.raw))
    mapping.map(decode.getArgument(word), value);
  return pin(b,
             cloneFor(b, decode, mapping, partOf(of, yieldedBy(decode), part)));
}

/// Decodes the next batch into the spare fragments, and fetches the one after,
/// if `fetchIf` (null for always) is true. In a branch that is always taken,
/// which only the run shows: ptxas would move a decode outside of one down,
/// behind the wait.
static void emitAhead(ImplicitLocOpBuilder &b, const BlockLoop &of,
                      BlockState &state, int64_t batch, Value fetchIf) {
  BlockMatmulOp matmul = of.matmul;
  Value hasTokens =
      arith::CmpIOp::create(b, arith::CmpIPredicate::ne,
                            matmul.getWgmma().getTokens(), indexConstant(b, 0));
  const int64_t stepsAhead = (batch + 2) / of.batches();
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
    values = emitDecode(b, of, state);
    values.append(emitFetchIf(b, of, fetchIf, (batch + 2) % of.batches(),
                              fetched, state.raw));
    scf::YieldOp::create(b, values);
  }
  ValueRange results = branch.getResults();
  const size_t count = state.fragments.size();
  state.spare =
      std::exchange(state.fragments, Registers(results.take_front(count)));
  state.raw = Registers(results.drop_front(count));
}

/// Starts a batch and waits for the one before, if any, whose fragments are
/// spare from then on, and for its own if it is the last of all. It begins from
/// zeros where `accumulate`, if given, is false.
static void emitBatch(ImplicitLocOpBuilder &b, const BlockLoop &of,
                      BlockState &state, int64_t batch, bool hasEarlier,
                      bool isLast, Value accumulate) {
  BlockMatmulOp matmul = of.matmul;
  const int64_t block = batch / of.parts, part = batch % of.parts;
  SmallVector<Value> arguments = {
      slotOf(b, state.current),
      vector::ExtractOp::create(b, state.sums, ArrayRef<int64_t>{block})};
  // Fragments of other parts are left out below.
  for (int64_t i = 0; i < of.parts; ++i)
    llvm::append_range(arguments, state.fragments);
  Value sums =
      inlinePart(b, matmul.getMultiply(), arguments, state.multiplied++ % 2)
          .front();
  auto wgmma = sums.getDefiningOp<WgmmaOp>();
  if (of.parts > 1) {
    wgmma.getFragmentsMutable().assign(state.fragments);
    wgmma.setFirstStep(part * wgmma.getStepCount());
  }
  if (accumulate)
    wgmma.getAccumulateMutable().assign(accumulate);
  if (hasEarlier)
    sums = WgmmaWaitOp::create(b, sums.getType(), sums,
                               /*pending=*/isLast ? 0 : 1);
  state.sums =
      vector::InsertOp::create(b, sums, state.sums, ArrayRef<int64_t>{block});
}

/// Adds the sums of instructions to those in f32 behind the last step of an
/// interval, with what is to be multiplied next decoded already.
static void emitPromotion(ImplicitLocOpBuilder &b, const BlockLoop &of,
                          BlockState &state, StepNumber at) {
  auto branch = scf::IfOp::create(b, state.promoted.getType(),
                                  emitIsEnd(b, of.matmul, at.number, at.count),
                                  /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(branch.elseBlock());
  scf::YieldOp::create(b, state.promoted);
  b.setInsertionPointToStart(branch.thenBlock());
  Value own = WgmmaWaitOp::create(b, state.sums.getType(), state.sums);
  scf::YieldOp::create(b, addSums(b, state.promoted, own));
  state.promoted = branch.getResult(0);
}

BlockState mxfp4::beginBlocks(ImplicitLocOpBuilder &b, const BlockLoop &of,
                              bool promotes) {
  KLoopOp loop = of.loop;
  BlockState state;
  // Zeros that are made inside the first batch would serialise it.
  state.sums = pin(b, loop.getInits()[0]).front();
  if (Value own = promotes ? ownSums(b, loop) : Value())
    state.promoted = std::exchange(state.sums, pin(b, own).front());
  state.previous = state.current = loop.getCursor();
  state.next = after(b, loop, state.current);
  state.raw = emitFetch(b, of, 0, state.current);
  state.fragments = emitDecode(b, of, state);
  state.spare = pin(b, state.fragments);
  const bool isAlone = *llvm::min_element(of.counts) * of.batches() == 1;
  state.raw =
      emitFetch(b, of, 1 % of.batches(),
                of.batches() > 1 || isAlone ? state.current : state.next);
  return state;
}

void mxfp4::beginPromotion(ImplicitLocOpBuilder &b, BlockState &state) {
  const Type type = state.sums.getType();
  state.promoted = WgmmaWaitOp::create(b, type, state.sums);
  // Nothing reads the other sums before they begin from zeros, and zeros would
  // be made here, where no multiplication runs.
  state.sums = pin(b, Value(ub::PoisonOp::create(b, type))).front();
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
                      std::optional<Value> hasPrevious, Value more,
                      StepNumber first) {
  const int64_t batches = of.batches();
  for (int64_t step = 0; step < steps; ++step) {
    StepNumber at = first;
    if (state.promoted && step > 0)
      at.number =
          arith::AddIOp::create(b, first.number, indexConstant(b, step));
    // The first step of all adds to zeros.
    Value isGoingOn = state.promoted && (hasPrevious || step > 0)
                          ? emitIsGoingOn(b, of.matmul, at.number)
                          : Value();
    for (int64_t batch = 0; batch < batches; ++batch) {
      const bool isInside = step * batches + batch + 2 < steps * batches;
      const bool isLast = step == steps - 1 && batch == batches - 1;
      emitBatch(b, of, state, batch, hasPrevious || step > 0 || batch > 0,
                isLast && state.endsAll,
                batch % of.parts == 0 ? isGoingOn : Value());
      if (batch == 0 && (hasPrevious || step > 0))
        releaseStage(b, of.loop, state.previous,
                     step > 0 ? Value() : *hasPrevious);
      emitAhead(b, of, state, batch, isInside ? Value() : more);
    }
    if (state.promoted && at.endsInterval)
      emitPromotion(b, of, state, at);
    state.previous = state.current;
    state.current = state.next;
    state.next = after(b, of.loop, state.next);
  }
}
