//===- PackWeights.cpp - Grouped matmuls get packed weights ---------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Promises.h"

#include "mxfp4/IR/MXFP4.h"
#include "mxfp4/Transforms/Passes.h"

#include "mlir/Analysis/SliceAnalysis.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Dominance.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Transforms/RegionUtils.h"

namespace mxfp4 {
#define GEN_PASS_DEF_PACKWEIGHTS
#include "mxfp4/Transforms/Passes.h.inc"
} // namespace mxfp4

using namespace mlir;
using namespace mxfp4;

//===----------------------------------------------------------------------===//
// Packing once
//===----------------------------------------------------------------------===//

/// Pairs of values known to be the same.
using SameValues = DenseSet<std::pair<Value, Value>>;

static bool isSameValue(Value a, Value b, SameValues &known) {
  if (a == b || known.contains({a, b}))
    return true;
  auto from = dyn_cast<OpResult>(a), to = dyn_cast<OpResult>(b);
  if (!from || !to || from.getResultNumber() != to.getResultNumber() ||
      !isMemoryEffectFree(from.getOwner()))
    return false;
  const bool same = OperationEquivalence::isEquivalentTo(
      from.getOwner(), to.getOwner(),
      [&](Value x, Value y) { return success(isSameValue(x, y, known)); },
      /*markEquivalent=*/nullptr, OperationEquivalence::IgnoreLocations);
  if (same)
    known.insert({a, b});
  return same;
}

/// One value, or results of computations that are the same.
static bool isSameValue(Value a, Value b) {
  SameValues known;
  return isSameValue(a, b, known);
}

/// Sets the insertion point in front of `user`, and outside of all loops and
/// branches in which none of `values` is defined.
static void setInsertionPoint(OpBuilder &b, ValueRange values,
                              Operation *user) {
  while (Operation *parent = user->getParentOp()) {
    if (parent->hasTrait<OpTrait::IsIsolatedFromAbove>() ||
        llvm::any_of(values, [&](Value value) {
          return parent->isAncestor(value.getParentBlock()->getParentOp());
        }))
      break;
    user = parent;
  }
  b.setInsertionPoint(user);
}

/// Packs of the same weights to the same layout are one.
class PackSet {
public:
  PackSet(Operation *root, const BlockLayout &layout)
      : layout(layout), dominance(root) {}

  /// Gives the operation packed weights.
  void packWeightsOf(GroupedMatmulOp op);
  /// Takes a pack that the program has already, or replaces it by an earlier
  /// pack of the same value.
  void add(PackOp pack);
  ArrayRef<PackOp> get() const { return packs; }

private:
  PackOp find(Value codes, Value scales, Type type, Operation *user);

  BlockLayout layout;
  DominanceInfo dominance;
  SmallVector<PackOp> packs;
};

PackOp PackSet::find(Value codes, Value scales, Type type, Operation *user) {
  for (PackOp pack : packs)
    if (pack.getResult(0).getType() == type &&
        isSameValue(pack.getCodes(), codes) &&
        isSameValue(pack.getScales(), scales) &&
        dominance.properlyDominates(pack, user))
      return pack;
  return nullptr;
}

void PackSet::add(PackOp pack) {
  if (PackOp same = find(pack.getCodes(), pack.getScales(),
                         pack.getResult(0).getType(), pack)) {
    pack.replaceAllUsesWith(same.getResults());
    pack.erase();
    return;
  }
  packs.push_back(pack);
}

static RankedTensorType typeOf(MLIRContext *context, ArrayRef<int64_t> shape,
                               const BlockLayout &layout) {
  return RankedTensorType::get(shape, BlockType::get(context, layout));
}

/// Adds the promises under which `op` was raised to its pack, because the
/// pack's weights are right only if all of them hold.
static void addPromises(PackOp pack, GroupedMatmulOp op) {
  if (!promisesOn(op))
    return;
  const Promises all = Promises().within(pack).within(op);
  setPromisesOn(pack, all.asAttribute(op.getContext()));
}

void PackSet::packWeightsOf(GroupedMatmulOp op) {
  ImplicitLocOpBuilder b(op.getLoc(), op);
  Value codes = op.getWeights()[0], scales = op.getWeights()[1];
  auto type = cast<RankedTensorType>(codes.getType());
  const int64_t shape[] = {
      type.getDimSize(0), layout.rowBlocks(type.getDimSize(1)),
      layout.colBlocks(type.getDimSize(2) * layout.scaleBlock)};
  // An epilogue on pairs says what the columns are. Weights that are packed
  // already may say less; if gate and up are apart, they are packed again.
  PackOp pack;
  BlockLayout wanted = layout;
  for (ColumnOrder columns : {ColumnOrder::Plain, ColumnOrder::Interleaved}) {
    wanted.columns = columns;
    if (!pack)
      pack = find(codes, scales, typeOf(b.getContext(), shape, wanted), op);
  }
  if (!pack) {
    wanted.columns =
        op.takesPairs() ? ColumnOrder::Interleaved : ColumnOrder::Plain;
    RankedTensorType blocks = typeOf(b.getContext(), shape, wanted);
    setInsertionPoint(b, {codes, scales}, op);
    Value init = tensor::EmptyOp::create(b, shape, blocks.getElementType());
    pack = PackOp::create(b, TypeRange(blocks), codes, scales, init,
                          /*promises=*/DictionaryAttr());
    packs.push_back(pack);
  }
  addPromises(pack, op);
  op.getWeightsMutable().assign(pack.getResult(0));
}

//===----------------------------------------------------------------------===//
// Packing in functions of their own
//===----------------------------------------------------------------------===//

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
  setInsertionPoint(b, inputs, user);
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

namespace {

struct PackWeightsPass : mxfp4::impl::PackWeightsBase<PackWeightsPass> {
  using PackWeightsBase::PackWeightsBase;

  void runOnOperation() override {
    BlockLayout layout;
    // Packing for activations of 8 bits takes a power of two out of each row of
    // scales, which this pass does not compute.
    if (!parse(order, layout.order) || !parse(scales, layout.scales) ||
        layout.order == CodeOrder::Bytes ||
        layout.scales == ScaleEncoding::Relative) {
      getOperation()->emitError()
          << "mxfp4-pack-weights expects order=spread or order=nibble and "
             "scales=folded or scales=raw, but got order="
          << order << " scales=" << scales;
      return signalPassFailure();
    }
    auto module = dyn_cast<ModuleOp>(getOperation());
    if (outlinePacks && !module) {
      getOperation()->emitError("mxfp4-pack-weights{outline} runs on a module, "
                                "where it can change callers");
      return signalPassFailure();
    }
    SmallVector<Operation *> ops;
    getOperation()->walk<WalkOrder::PreOrder>([&](Operation *op) {
      if (isa<PackOp, GroupedMatmulOp>(op) &&
          cast<DestinationStyleOpInterface>(op).hasPureTensorSemantics())
        ops.push_back(op);
    });
    PackSet packs(getOperation(), layout);
    for (Operation *op : ops) {
      auto matmul = dyn_cast<GroupedMatmulOp>(op);
      if (!matmul)
        packs.add(cast<PackOp>(op));
      else if (matmul.getWeights().size() == 2 &&
               matmul.getWeightsType().hasStaticShape())
        packs.packWeightsOf(matmul);
    }
    numPacked += packs.get().size();
    if (outlinePacks)
      outline(module, packs.get());
  }

private:
  static void outline(ModuleOp module, ArrayRef<PackOp> packs) {
    SymbolTableCollection tables;
    PackCalls packCalls(module);
    for (PackOp pack : packs) {
      auto function = pack->getParentOfType<func::FuncOp>();
      // A function that only packs and returns is a packing function already.
      if (!function || llvm::all_of(pack->getUsers(), [](Operation *user) {
            return isa<func::ReturnOp>(user);
          }))
        continue;
      std::optional<SmallVector<func::CallOp>> calls =
          callsOf(function, module);
      Outliner outliner(pack, preparation(pack, function), function);
      if (calls && outliner.hasArguments())
        outliner.run(
            *calls,
            tables.getSymbolTable(SymbolTable::getNearestSymbolTable(function)),
            packCalls);
    }
  }
};

} // namespace
