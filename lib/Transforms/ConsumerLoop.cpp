//===- ConsumerLoop.cpp - The parts of a consumer's loop over K -----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ConsumerLoop.h"

using namespace mlir;
using namespace mxfp4;

/// The sums come in as the first operand of a batch, and leave as the last
/// result of the wait; between them is one group.
bool ConsumerLoop::Unit::isComplete(Value sumsBefore) const {
  const auto isGroup = [](Operation *op) {
    return isa<WgmmaOp, WgmmaWaitOp>(op);
  };
  return !decode.empty() && !batch.empty() && isa<WgmmaOp>(batch.back()) &&
         wgmma().getTokens() && batch.front()->getNumOperands() > 0 &&
         batch.front()->getOperand(0) == sumsBefore && !back.empty() &&
         wait().getAccumulator() == wgmma().getResult() &&
         llvm::none_of(ArrayRef(batch).drop_back(), isGroup) &&
         llvm::none_of(ArrayRef(back).drop_front(), isGroup) &&
         back.back()->getNumResults() == 1 &&
         sums().getType() == sumsBefore.getType();
}

/// The parts run at different times: a value may be used by its own part or by
/// the next only. Sums go from unit to unit, the position to all parts but
/// decodes.
LogicalResult ConsumerLoop::checkUsers() {
  // Values, and the parts that may use them.
  using Parts = SmallVector<const Part *>;
  SmallVector<std::pair<Value, Parts>> users;
  const auto add = [&](ArrayRef<Operation *> part, const Parts &parts) {
    for (Operation *op : part)
      for (Value result : op->getResults())
        users.emplace_back(result, parts);
  };
  add(enter, {&enter});
  add(leave, {&leave});
  add(advance, {&advance});
  Parts atPosition = {&enter, &leave, &advance};
  Value sums = loop.getRegionIterArg(0);
  for (Unit &unit : units) {
    users.emplace_back(sums, Parts{&unit.batch, &unit.back});
    add(unit.fetch, {&unit.fetch, &unit.decode});
    add(unit.decode, {&unit.decode, &unit.batch});
    add(unit.batch, {&unit.batch, &unit.back});
    add(ArrayRef(unit.back).drop_back(), {&unit.back});
    atPosition.append({&unit.fetch, &unit.batch, &unit.back});
    sums = unit.sums();
  }
  users.emplace_back(sums, Parts());
  for (Value position : loop.getRegionIterArgs().drop_front())
    users.emplace_back(position, atPosition);

  for (const auto &[value, parts] : users)
    for (Operation *user : value.getUsers()) {
      if (user == loop.getBody()->getTerminator() ||
          llvm::any_of(parts, [&](const Part *part) {
            return llvm::is_contained(*part, user);
          }))
        continue;
      if (Operation *op = value.getDefiningOp())
        return op->emitOpError("in a loop marked mxfp4.overlap requires users "
                               "in its own part of the loop (the wait for the "
                               "stage; loads, decodes, wgmma and its wait of "
                               "each block; the release; what follows) or in "
                               "the next");
      return loop.emitOpError("marked mxfp4.overlap requires an accumulator "
                              "that only the first wgmma adds to, and slot and "
                              "parity that no decode uses");
    }
  return success();
}

/// What goes from step to step comes from the last unit or from `advance`, and
/// what does not is known before the first.
LogicalResult ConsumerLoop::checkCarried() {
  const auto isPosition = [&](Value value) {
    return loop.isDefinedOutsideOfLoop(value) ||
           llvm::is_contained(loop.getRegionIterArgs().drop_front(), value) ||
           llvm::is_contained(advance, value.getDefiningOp());
  };
  if (loop.getYieldedValues()[0] != units.back().sums() ||
      !llvm::all_of(loop.getYieldedValues().drop_front(), isPosition))
    return loop.emitOpError("marked mxfp4.overlap requires to carry the sums "
                            "of its last wgmma, and a slot and parity that "
                            "follow the release of the stage");
  const auto tokensChange = [&](const Unit &unit) {
    return !loop.isDefinedOutsideOfLoop(unit.wgmma().getTokens());
  };
  if (llvm::any_of(units, tokensChange))
    return loop.emitOpError("marked mxfp4.overlap requires numbers of tokens "
                            "from outside of it");
  return success();
}

/// Of several blocks.
static bool isAccumulator(Type type) {
  auto vector = dyn_cast<VectorType>(type);
  return vector && vector.getRank() == 3 && vector.getElementType().isF32();
}

/// Whether they are all there.
bool ConsumerLoop::findParts() {
  Part *part = &enter;
  for (Operation &op : loop.getBody()->without_terminator()) {
    if (isa<LoadCodesOp>(op)) {
      units.emplace_back();
      part = &units.back().fetch;
    } else if (isa<ArriveBarrierOp>(op)) {
      part = &leave;
    } else if (!units.empty() && part != &leave && part != &advance) {
      Unit &unit = units.back();
      if (isa<DecodeOp, StoreDecodedOp, SyncWarpgroupOp>(op))
        part = &unit.decode;
      else if (part == &unit.decode)
        part = &unit.batch;
      else if (isa<WgmmaWaitOp>(op))
        part = &unit.back;
    }
    part->push_back(&op);
    if (part == &leave)
      part = &advance;
  }
  bool isComplete = !units.empty() && !leave.empty() &&
                    loop.getNumRegionIterArgs() == 3 &&
                    isAccumulator(loop.getInits()[0].getType());
  Value sums = isComplete ? Value(loop.getRegionIterArg(0)) : Value();
  for (const Unit &unit : units) {
    isComplete = isComplete && unit.isComplete(sums);
    sums = isComplete ? unit.sums() : Value();
  }
  return isComplete;
}

/// What the parts of a unit take from each other.
LogicalResult ConsumerLoop::handOver() {
  const auto handedOver = [](const Part &from, const Part &to) {
    llvm::SetVector<Value> used;
    for (Operation *op : to)
      for (Value operand : op->getOperands())
        if (llvm::is_contained(from, operand.getDefiningOp()))
          used.insert(operand);
    return used.takeVector();
  };
  for (Unit &unit : units) {
    unit.raw = handedOver(unit.fetch, unit.decode);
    unit.fragments = handedOver(unit.decode, unit.batch);
    // They take turns in the same registers.
    if (unit.raw.empty() ||
        ValueRange(unit.raw).getTypes() !=
            ValueRange(units[0].raw).getTypes() ||
        ValueRange(unit.fragments).getTypes() !=
            ValueRange(units[0].fragments).getTypes())
      return loop.emitOpError(
          "marked mxfp4.overlap requires words to decode, as many "
          "of them and of fragments for one block as for another");
  }
  return success();
}

LogicalResult ConsumerLoop::cut() {
  if (!findParts())
    return loop.emitOpError("marked mxfp4.overlap requires loads, decodes, one "
                            "mxfp4.wgmma with a number of tokens and its wait "
                            "for each block, the release of the stage, and an "
                            "accumulator, slot and parity to carry");
  // The number of the step does not exist in the rewritten loop.
  if (!loop.getInductionVar().use_empty())
    return loop.emitOpError("marked mxfp4.overlap requires a body that does "
                            "not use the number of its step");
  if (failed(checkUsers()) || failed(checkCarried()))
    return failure();
  return handOver();
}
