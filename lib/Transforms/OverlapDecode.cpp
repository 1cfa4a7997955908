//===- OverlapDecode.cpp - Decode the next fragment while wgmma runs ------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ConsumerLoop.h"

#include "mxfp4/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mxfp4 {
#define GEN_PASS_DEF_OVERLAPDECODE
#include "mxfp4/Transforms/Passes.h.inc"
} // namespace mxfp4

using namespace mlir;
using namespace mxfp4;

namespace {

/// Slot and parity of a step.
using Position = SmallVector<Value>;

/// What a thread holds of a block of weights: raw words when it is fetched,
/// fragments when it is decoded.
using Registers = SmallVector<Value>;

/// The pipeline between two units.
struct State {
  Value sums;
  /// Of the step before (its group may still run), of the step that is
  /// multiplied and of the step behind it.
  Position previous, current, next;
  /// Fragments to multiply, and those of the unit before.
  Registers fragments, spare;
  /// Words of the unit to decode.
  Registers raw;

  SmallVector<Value> flatten() const;
  void assign(ValueRange values);
};

/// Rewrites one loop.
class Overlapper : ConsumerLoop {
public:
  explicit Overlapper(scf::ForOp loop)
      : ConsumerLoop(loop), b(loop.getLoc(), loop) {}

  LogicalResult run();

private:
  Registers pin(ValueRange values) {
    if (values.empty())
      return {};
    return Registers(PinOp::create(b, values.getTypes(), values).getPinned());
  }
  Value index(int64_t value) {
    return arith::ConstantIndexOp::create(b, value);
  }
  void clone(const Part &part, IRMapping &mapping) {
    for (Operation *op : part)
      b.clone(*op, mapping);
  }
  IRMapping mapPosition(ValueRange position);
  Position after(ValueRange position);
  /// The unit that comes `distance` units after unit `number` of a step.
  Unit &ahead(int64_t number, int64_t distance) {
    return units[(number + distance) % units.size()];
  }
  Registers emitFetch(Unit &unit, ValueRange position);
  Registers emitFetchIf(Value condition, Unit &unit, ValueRange position,
                        const Registers &otherwise);
  Registers emitDecode(Unit &unit, const Registers &raw);
  void emitAhead(State &state, int64_t number, Value fetchIf);
  void emitBatch(State &state, int64_t number, bool hasEarlier);
  void release(ValueRange position, Value condition);
  void emitSteps(State &state, int64_t steps, std::optional<Value> hasPrevious,
                 Value more);
  void emitLoop(State &state, int64_t steps, int64_t stepsAtOnce);

  ImplicitLocOpBuilder b;
  /// Blocks decoded and multiplied so far, in the order of the text: an even
  /// number in the loop, so that two buffers take turns.
  int64_t decoded = 0, multiplied = 0;
};

} // namespace

SmallVector<Value> State::flatten() const {
  SmallVector<Value> values = {sums};
  for (ArrayRef<Value> part :
       {ArrayRef(previous), ArrayRef(current), ArrayRef(next),
        ArrayRef(fragments), ArrayRef(spare), ArrayRef(raw)})
    llvm::append_range(values, part);
  return values;
}

void State::assign(ValueRange values) {
  sums = values.front();
  values = values.drop_front();
  for (SmallVector<Value> *part :
       {&previous, &current, &next, &fragments, &spare, &raw}) {
    part->assign(values.begin(), values.begin() + part->size());
    values = values.drop_front(part->size());
  }
}

IRMapping Overlapper::mapPosition(ValueRange position) {
  IRMapping mapping;
  mapping.map(loop.getRegionIterArgs().drop_front(), position);
  return mapping;
}

static SmallVector<Value> lookup(IRMapping &mapping, ValueRange values) {
  return llvm::map_to_vector(
      values, [&](Value value) { return mapping.lookupOrDefault(value); });
}

Position Overlapper::after(ValueRange position) {
  IRMapping mapping = mapPosition(position);
  clone(advance, mapping);
  return lookup(mapping, loop.getYieldedValues().drop_front());
}

Registers Overlapper::emitFetch(Unit &unit, ValueRange position) {
  IRMapping mapping = mapPosition(position);
  // The first unit of a step is fetched first.
  if (&unit == &units.front())
    clone(enter, mapping);
  clone(unit.fetch, mapping);
  return lookup(mapping, unit.raw);
}

Registers Overlapper::emitFetchIf(Value condition, Unit &unit,
                                  ValueRange position,
                                  const Registers &otherwise) {
  if (!condition)
    return emitFetch(unit, position);
  auto branch = scf::IfOp::create(b, ValueRange(unit.raw).getTypes(), condition,
                                  /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(branch.thenBlock());
  scf::YieldOp::create(b, emitFetch(unit, position));
  b.setInsertionPointToStart(branch.elseBlock());
  scf::YieldOp::create(b, otherwise);
  return Registers(branch.getResults());
}

/// Pinned: nothing reads fragments before the next batch, and LLVM would decode
/// there, behind the wait instead of in front of it.
Registers Overlapper::emitDecode(Unit &unit, const Registers &raw) {
  IRMapping mapping;
  mapping.map(unit.raw, raw);
  for (Operation *op : unit.decode)
    if (auto store = dyn_cast<StoreDecodedOp>(b.clone(*op, mapping)))
      store.setBuffer(decoded % 2);
  ++decoded;
  return pin(lookup(mapping, unit.fragments));
}

/// Decodes the next unit into the spare fragments, and fetches the one after,
/// if `fetchIf` (null for always) is true. In a branch that is always taken,
/// which only the run shows: ptxas would move a decode outside of one down,
/// behind the wait.
void Overlapper::emitAhead(State &state, int64_t number, Value fetchIf) {
  Value hasTokens = arith::CmpIOp::create(
      b, arith::CmpIPredicate::ne, units[number].wgmma().getTokens(), index(0));
  const int64_t stepsAhead = (number + 2) / units.size();
  const Position fetched = stepsAhead == 0   ? state.current
                           : stepsAhead == 1 ? state.next
                                             : after(state.next);
  SmallVector<Value> values(state.spare);
  values.append(state.raw);
  auto branch = scf::IfOp::create(b, ValueRange(values).getTypes(), hasTokens,
                                  /*withElseRegion=*/true);
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(branch.elseBlock());
    scf::YieldOp::create(b, values);
    b.setInsertionPointToStart(branch.thenBlock());
    values = emitDecode(ahead(number, 1), state.raw);
    values.append(emitFetchIf(fetchIf, ahead(number, 2), fetched, state.raw));
    scf::YieldOp::create(b, values);
  }
  ValueRange results = branch.getResults();
  const size_t count = state.fragments.size();
  state.spare =
      std::exchange(state.fragments, Registers(results.take_front(count)));
  state.raw = Registers(results.drop_front(count));
}

/// Starts the batch of one unit and waits for the one before, if any, whose
/// fragments are spare from then on.
void Overlapper::emitBatch(State &state, int64_t number, bool hasEarlier) {
  Unit &unit = units[number];
  IRMapping mapping = mapPosition(state.current);
  // The accumulator comes from the loop or from the unit before.
  Value before = unit.batch.front()->getOperand(0);
  for (Value sums : {Value(loop.getRegionIterArg(0)), before})
    mapping.map(sums, state.sums);
  mapping.map(unit.fragments, state.fragments);
  clone(unit.batch, mapping);
  auto wgmma =
      cast<WgmmaOp>(mapping.lookup(unit.wgmma().getResult()).getDefiningOp());
  if (wgmma.getDecoded())
    wgmma.setBuffer(multiplied % 2);
  ++multiplied;
  clone(unit.back, mapping);
  state.sums = mapping.lookup(unit.back.back()->getResult(0));
  auto wait = cast<WgmmaWaitOp>(
      mapping.lookup(unit.wait().getResult()).getDefiningOp());
  wait.setPending(1);
  if (hasEarlier)
    return;
  wait.replaceAllUsesWith(wgmma.getResult());
  wait.erase();
}

/// Gives a stage back, if the condition holds; null: always.
void Overlapper::release(ValueRange position, Value condition) {
  OpBuilder::InsertionGuard guard(b);
  if (condition)
    b.setInsertionPointToStart(scf::IfOp::create(b, condition).thenBlock());
  IRMapping mapping = mapPosition(position);
  clone(leave, mapping);
}

/// Consecutive steps: start a batch, and prepare the next units while it runs.
/// There is none before the first without `hasPrevious`; else its stage is
/// released if that is true. What is fetched past the last of them is fetched
/// if `more`. Null: always.
void Overlapper::emitSteps(State &state, int64_t steps,
                           std::optional<Value> hasPrevious, Value more) {
  const int64_t each = units.size();
  for (int64_t step = 0; step < steps; ++step) {
    for (int64_t number = 0; number < each; ++number) {
      const bool isInside = step * each + number + 2 < steps * each;
      emitBatch(state, number, hasPrevious || step > 0 || number > 0);
      if (number == 0 && (hasPrevious || step > 0))
        release(state.previous, step > 0 ? Value() : *hasPrevious);
      emitAhead(state, number, isInside ? Value() : more);
    }
    state.previous = state.current;
    state.current = state.next;
    state.next = after(state.next);
  }
}

/// An even number of units an iteration, so that two sets of fragments keep
/// registers of their own. The last iteration fetches nothing; what it decodes
/// last, from old words, nobody multiplies.
void Overlapper::emitLoop(State &state, int64_t steps, int64_t stepsAtOnce) {
  const int64_t rounds = steps / stepsAtOnce;
  auto rewritten =
      scf::ForOp::create(b, index(0), index(rounds), index(1), state.flatten());
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(rewritten.getBody());
  state.assign(rewritten.getRegionIterArgs());
  Value round = rewritten.getInductionVar();
  Value isNotLast = arith::CmpIOp::create(b, arith::CmpIPredicate::ult, round,
                                          index(rounds - 1));
  Value isNotFirst = steps % stepsAtOnce == 1
                         ? Value()
                         : Value(arith::CmpIOp::create(
                               b, arith::CmpIPredicate::ne, round, index(0)));
  emitSteps(state, stepsAtOnce, isNotFirst, isNotLast);
  scf::YieldOp::create(b, state.flatten());
  state.assign(rewritten.getResults());
}

LogicalResult Overlapper::run() {
  if (failed(cut()))
    return failure();
  const std::optional<llvm::APInt> count = loop.getStaticTripCount();
  if (!count || count->isZero())
    return loop.emitOpError("marked mxfp4.overlap requires a constant, "
                            "positive number of steps");
  const int64_t steps = count->getSExtValue();

  State state;
  // Zeros that are made inside the first batch would serialise it.
  state.sums = pin(loop.getInits()[0]).front();
  state.previous.assign({loop.getInits()[1], loop.getInits()[2]});
  state.current = state.previous;
  state.next = after(state.current);
  state.fragments = emitDecode(units[0], emitFetch(units[0], state.current));
  state.spare = pin(state.fragments);
  const bool isAlone = steps * units.size() == 1;
  state.raw = emitFetch(ahead(0, 1), units.size() > 1 || isAlone ? state.current
                                                                 : state.next);
  // An odd step goes ahead of the loop: at the end it would leave the loop
  // without a condition to fetch by.
  const int64_t stepsAtOnce = units.size() % 2 == 0 ? 1 : 2;
  if (steps % stepsAtOnce == 1) {
    Value never = arith::ConstantIntOp::create(b, b.getI1Type(), 0);
    emitSteps(state, 1, std::nullopt, steps == 1 ? never : Value());
  }
  if (steps >= stepsAtOnce)
    emitLoop(state, steps, stepsAtOnce);
  SmallVector<Value> results = {
      WgmmaWaitOp::create(b, state.sums.getType(), state.sums)};
  release(state.previous, Value());
  llvm::append_range(results, state.current);
  loop.replaceAllUsesWith(results);
  loop.erase();
  return success();
}

namespace {

struct OverlapDecodePass : mxfp4::impl::OverlapDecodeBase<OverlapDecodePass> {
  using OverlapDecodeBase::OverlapDecodeBase;

  void runOnOperation() override {
    SmallVector<scf::ForOp> loops;
    getOperation()->walk([&](scf::ForOp loop) {
      if (loop->hasAttr("mxfp4.overlap"))
        loops.push_back(loop);
    });
    for (scf::ForOp loop : loops)
      if (failed(Overlapper(loop).run()))
        return signalPassFailure();
  }
};

} // namespace
