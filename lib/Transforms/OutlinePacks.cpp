//===- OutlinePacks.cpp - Packing in functions of their own ---------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "PackWeights.h"

#include "mlir/Analysis/SliceAnalysis.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Dominance.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Transforms/RegionUtils.h"

using namespace mlir;
using namespace mxfp4;

/// The operations that compute a pack, in order, if they depend only on
/// arguments of the function and on constants; else empty.
static SetVector<Operation *> preparation(PackOp pack, func::FuncOp function) {
  SetVector<Operation *> slice;
  BackwardSliceOptions options;
  options.inclusive = true;
  options.omitUsesFromAbove = false;
  options.omitBlockArguments = true;
  Block *entry = &function.getBody().front();
  if (failed(getBackwardSlice(pack.getResult(0), &slice, options)))
    return {};
  for (Operation *op : slice)
    if (op->getBlock() != entry || !isMemoryEffectFree(op))
      return {};
  return slice;
}

/// The calls of a function; nullopt if it is used in another way.
static std::optional<SmallVector<func::CallOp>> callsOf(func::FuncOp function,
                                                        ModuleOp module) {
  std::optional<SymbolTable::UseRange> uses =
      SymbolTable::getSymbolUses(function, module);
  SmallVector<func::CallOp> calls;
  if (!uses)
    return std::nullopt;
  for (SymbolTable::SymbolUse use : *uses) {
    auto call = dyn_cast<func::CallOp>(use.getUser());
    if (!call)
      return std::nullopt;
    calls.push_back(call);
  }
  return calls;
}

namespace {

/// Calls of packing functions that callers make.
class PackCalls {
public:
  explicit PackCalls(Operation *root) : dominance(root) {}

  /// The weights that `prepare` packs out of `inputs`, for `user`. Users of the
  /// same inputs and the same packing share one call.
  Value get(func::FuncOp prepare, ValueRange inputs, Operation *user);

private:
  struct Entry {
    func::FuncOp prepare;
    func::CallOp call;
  };
  DominanceInfo dominance;
  SmallVector<Entry> entries;
};

/// Moves a preparation to a function of its own. The original function then
/// takes the result in place of the arguments that it was computed from.
class Outliner {
public:
  Outliner(PackOp pack, SetVector<Operation *> slice, func::FuncOp function)
      : packed(pack.getResult(0)), slice(std::move(slice)), function(function) {
    for (Operation *op : this->slice) {
      // Bodies may read tensors from above, too.
      SetVector<Value> used(op->operand_begin(), op->operand_end());
      getUsedValuesDefinedAbove(op->getRegions(), used);
      for (Value value : used)
        if (auto argument = dyn_cast<BlockArgument>(value))
          arguments.push_back(argument);
    }
    llvm::sort(arguments, [](BlockArgument a, BlockArgument b) {
      return a.getArgNumber() < b.getArgNumber();
    });
    arguments.erase(llvm::unique(arguments), arguments.end());
  }

  /// Whether the preparation depends on arguments of the function.
  bool hasArguments() const { return !arguments.empty(); }
  void run(ArrayRef<func::CallOp> calls, SymbolTable &symbols,
           PackCalls &packCalls);

private:
  func::FuncOp makeFunction(SymbolTable &symbols);
  void rewriteCall(func::CallOp call, func::FuncOp prepare, unsigned place,
                   const llvm::BitVector &unused, PackCalls &packCalls);

  Value packed;
  SetVector<Operation *> slice;
  func::FuncOp function;
  /// In the function's order.
  SmallVector<BlockArgument> arguments;
};

} // namespace

Value PackCalls::get(func::FuncOp prepare, ValueRange inputs, Operation *user) {
  auto isSame = [&](Entry entry) {
    func::FuncOp other = entry.prepare;
    return (other == prepare ||
            (other.getFunctionType() == prepare.getFunctionType() &&
             OperationEquivalence::isRegionEquivalentTo(
                 &other.getBody(), &prepare.getBody(),
                 OperationEquivalence::IgnoreLocations))) &&
           llvm::all_of_zip(entry.call.getOperands(), inputs,
                            [](Value a, Value b) { return isSameValue(a, b); });
  };
  for (Entry entry : entries)
    if (isSame(entry) && dominance.properlyDominates(entry.call, user))
      return entry.call->getResult(0);
  ImplicitLocOpBuilder b(user->getLoc(), user);
  setInsertionPointAhead(b, inputs, user);
  auto call = func::CallOp::create(b, prepare, inputs);
  entries.push_back({prepare, call});
  return call.getResult(0);
}

func::FuncOp Outliner::makeFunction(SymbolTable &symbols) {
  ImplicitLocOpBuilder b(packed.getLoc(), function.getContext());
  b.setInsertionPointAfter(function);
  SmallVector<Type> types;
  for (BlockArgument argument : arguments)
    types.push_back(argument.getType());
  auto prepare =
      func::FuncOp::create(b, (function.getName() + "_pack").str(),
                           b.getFunctionType(types, packed.getType()));
  prepare.setVisibility(function.getVisibility());
  symbols.insert(prepare); // Renames it if the name is taken.
  Block *entry = prepare.addEntryBlock();
  IRMapping mapping;
  mapping.map(arguments, entry->getArguments());
  b.setInsertionPointToStart(entry);
  for (Operation *op : slice)
    b.clone(*op, mapping);
  func::ReturnOp::create(b, mapping.lookup(packed));
  return prepare;
}

/// The caller now calls the packing function itself, ahead of loops if it can.
void Outliner::rewriteCall(func::CallOp call, func::FuncOp prepare,
                           unsigned place, const llvm::BitVector &unused,
                           PackCalls &packCalls) {
  SmallVector<Value> inputs, operands(call.getOperands());
  for (BlockArgument argument : arguments) {
    // The argument's number before the packed argument was inserted.
    const unsigned number = argument.getArgNumber();
    inputs.push_back(operands[number - (number > place ? 1 : 0)]);
  }
  operands.insert(operands.begin() + place,
                  packCalls.get(prepare, inputs, call));
  SmallVector<Value> kept;
  for (auto [number, operand] : llvm::enumerate(operands))
    if (!unused[number])
      kept.push_back(operand);
  call.getOperandsMutable().assign(kept);
}

void Outliner::run(ArrayRef<func::CallOp> calls, SymbolTable &symbols,
                   PackCalls &packCalls) {
  func::FuncOp prepare = makeFunction(symbols);
  const unsigned place = arguments.front().getArgNumber();
  (void)function.insertArgument(place, packed.getType(), {}, packed.getLoc());
  packed.replaceAllUsesWith(function.getArgument(place));
  for (Operation *op : llvm::reverse(slice))
    if (op->use_empty())
      op->erase();
  llvm::BitVector unused(function.getNumArguments());
  for (BlockArgument argument : arguments)
    unused[argument.getArgNumber()] = argument.use_empty();
  for (func::CallOp call : calls)
    rewriteCall(call, prepare, place, unused, packCalls);
  (void)function.eraseArguments(unused);
}

void mxfp4::outlinePreparations(ModuleOp module, ArrayRef<PackOp> packs) {
  SymbolTableCollection tables;
  PackCalls packCalls(module);
  for (PackOp pack : packs) {
    auto function = pack->getParentOfType<func::FuncOp>();
    // A function that only packs and returns is a packing function already.
    if (!function || llvm::all_of(pack->getUsers(), [](Operation *user) {
          return isa<func::ReturnOp>(user);
        }))
      continue;
    std::optional<SmallVector<func::CallOp>> calls = callsOf(function, module);
    Outliner outliner(pack, preparation(pack, function), function);
    if (calls && outliner.hasArguments())
      outliner.run(
          *calls,
          tables.getSymbolTable(SymbolTable::getNearestSymbolTable(function)),
          packCalls);
  }
}
