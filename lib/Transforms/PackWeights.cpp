//===- PackWeights.cpp - Grouped matmuls get packed weights ---------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "PackWeights.h"
#include "Promises.h"

#include "mxfp4/IR/MXFP4.h"
#include "mxfp4/Transforms/Passes.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Dominance.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

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

static bool isSameOrKnown(Value a, Value b, SameValues &known) {
  if (a == b || known.contains({a, b}))
    return true;
  auto from = dyn_cast<OpResult>(a), to = dyn_cast<OpResult>(b);
  if (!from || !to || from.getResultNumber() != to.getResultNumber() ||
      !isMemoryEffectFree(from.getOwner()))
    return false;
  const bool same = OperationEquivalence::isEquivalentTo(
      from.getOwner(), to.getOwner(),
      [&](Value x, Value y) { return success(isSameOrKnown(x, y, known)); },
      /*markEquivalent=*/nullptr, OperationEquivalence::IgnoreLocations);
  if (same)
    known.insert({a, b});
  return same;
}

bool mxfp4::isSameValue(Value a, Value b) {
  SameValues known;
  return isSameOrKnown(a, b, known);
}

void mxfp4::setInsertionPointAhead(OpBuilder &b, ValueRange values,
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
    setInsertionPointAhead(b, {codes, scales}, op);
    Value init = tensor::EmptyOp::create(b, shape, blocks.getElementType());
    pack = PackOp::create(b, TypeRange(blocks), codes, scales, init,
                          /*promises=*/DictionaryAttr());
    packs.push_back(pack);
  }
  addPromises(pack, op);
  op.getWeightsMutable().assign(pack.getResult(0));
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
      outlinePreparations(module, packs.get());
  }
};

} // namespace
