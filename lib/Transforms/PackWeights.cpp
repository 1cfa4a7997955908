//===- PackWeights.cpp - Grouped matmuls get packed weights ---------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mxfp4/IR/MXFP4.h"
#include "mxfp4/Transforms/Passes.h"

#include "mlir/Analysis/SliceAnalysis.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/SymbolTable.h"

namespace mxfp4 {
#define GEN_PASS_DEF_PACKWEIGHTS
#include "mxfp4/Transforms/Passes.h.inc"
} // namespace mxfp4

using namespace mlir;
using namespace mxfp4;

/// Packs the weights of an operation in the checkpoint layout, in front of it.
static PackOp insertPack(GroupedMatmulOp op, const BlockLayout &layout) {
  ImplicitLocOpBuilder b(op.getLoc(), op);
  Value codes = op.getWeights()[0], scales = op.getWeights()[1];
  auto type = cast<RankedTensorType>(codes.getType());
  const int64_t shape[] = {type.getDimSize(0), blocksFor(type.getDimSize(1)),
                           blocksFor(type.getDimSize(2) * 32)};
  Value init = tensor::EmptyOp::create(
      b, shape, BlockType::get(b.getContext(), layout.order, layout.scales));
  auto pack = PackOp::create(b, TypeRange(init.getType()), codes, scales, init);
  op.getWeightsMutable().assign(pack.getResult(0));
  return pack;
}

/// What a pack is computed from, in order, if that is arguments of the function
/// and constants alone; else empty.
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

/// Moves a preparation to a function of its own, whose result takes the place
/// of the arguments that it is made of.
class Outliner {
public:
  Outliner(PackOp pack, SetVector<Operation *> slice, func::FuncOp function)
      : packed(pack.getResult(0)), slice(std::move(slice)), function(function) {
    for (Operation *op : this->slice)
      for (Value operand : op->getOperands())
        if (auto argument = dyn_cast<BlockArgument>(operand))
          arguments.push_back(argument);
    llvm::sort(arguments, [](BlockArgument a, BlockArgument b) {
      return a.getArgNumber() < b.getArgNumber();
    });
    arguments.erase(llvm::unique(arguments), arguments.end());
  }

  /// False for what does not depend on the function's arguments.
  bool hasArguments() const { return !arguments.empty(); }
  void run(ArrayRef<func::CallOp> calls, SymbolTable &symbols);

private:
  func::FuncOp makeFunction(SymbolTable &symbols);
  void rewriteCall(func::CallOp call, func::FuncOp prepare, unsigned place,
                   const llvm::BitVector &unused);

  Value packed;
  SetVector<Operation *> slice;
  func::FuncOp function;
  /// In the function's order.
  SmallVector<BlockArgument> arguments;
};

} // namespace

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

/// A caller packs for itself; it may move that to where it happens once.
void Outliner::rewriteCall(func::CallOp call, func::FuncOp prepare,
                           unsigned place, const llvm::BitVector &unused) {
  ImplicitLocOpBuilder b(call.getLoc(), call);
  SmallVector<Value> inputs, operands(call.getOperands());
  for (BlockArgument argument : arguments) {
    // As it was before the packed argument came.
    const unsigned number = argument.getArgNumber();
    inputs.push_back(operands[number - (number > place ? 1 : 0)]);
  }
  operands.insert(operands.begin() + place,
                  func::CallOp::create(b, prepare, inputs).getResult(0));
  SmallVector<Value> kept;
  for (auto [number, operand] : llvm::enumerate(operands))
    if (!unused[number])
      kept.push_back(operand);
  call.getOperandsMutable().assign(kept);
}

void Outliner::run(ArrayRef<func::CallOp> calls, SymbolTable &symbols) {
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
    rewriteCall(call, prepare, place, unused);
  (void)function.eraseArguments(unused);
}

namespace {

struct PackWeightsPass : mxfp4::impl::PackWeightsBase<PackWeightsPass> {
  using PackWeightsBase::PackWeightsBase;

  void runOnOperation() override {
    BlockLayout layout;
    if (!parse(order, layout.order) || !parse(scales, layout.scales)) {
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
    SmallVector<PackOp> packs;
    getOperation()->walk([&](GroupedMatmulOp op) {
      if (op.getWeights().size() == 2 && op.hasPureTensorSemantics() &&
          op.getWeightsType().hasStaticShape())
        packs.push_back(insertPack(op, layout));
    });
    if (!outlinePacks)
      return;
    SymbolTable symbols(module);
    for (PackOp pack : packs) {
      auto function = pack->getParentOfType<func::FuncOp>();
      if (!function || !pack->getBlock()->isEntryBlock())
        continue;
      std::optional<SmallVector<func::CallOp>> calls =
          callsOf(function, module);
      Outliner outliner(pack, preparation(pack, function), function);
      if (calls && outliner.hasArguments())
        outliner.run(*calls, symbols);
    }
  }
};

} // namespace
