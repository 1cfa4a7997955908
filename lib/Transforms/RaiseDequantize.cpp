//===- RaiseDequantize.cpp - Decodes to mxfp4.dequantize ------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Every value that may be one is asked whether it is decoded, the last of the
// program first: what a decode is made of is no decode of its own.
//
//===----------------------------------------------------------------------===//

#include "DecodeBlocks.h"
#include "Raise.h"
#include "TensorType.h"

#include "mlir/IR/TypeUtilities.h"

using namespace mlir;
using namespace mxfp4;

namespace {

class Raiser {
public:
  explicit Raiser(Operation *root, DecodeMisses &misses)
      : root(root), misses(misses) {}

  void run();

private:
  void findCandidates();
  void raise(Operation *op);
  /// All that a value is computed from.
  DenseSet<Operation *> slice(Operation *op);

  Operation *root;
  DecodeMisses &misses;
  SmallVector<Operation *> candidates;
  /// Parts of decodes.
  DenseSet<Operation *> parts;
};

} // namespace

static bool takesBitsOut(Operation *op) {
  return op
      ->walk([](Operation *inner) {
        return isa<arith::ShRUIOp, arith::ShRSIOp>(inner)
                   ? WalkResult::interrupt()
                   : WalkResult::advance();
      })
      .wasInterrupted();
}

/// Values that are computed from what may be codes or scales.
void Raiser::findCandidates() {
  DenseSet<Value> derived;
  root->walk([&](Operation *op) {
    auto linalgOp = dyn_cast<linalg::LinalgOp>(op);
    if ((linalgOp && isSum(linalgOp)) ||
        isa<DequantizeOp, QuantizeOp, GroupedMatmulOp>(op))
      return;
    // Of all integers, words with codes are those that bits are taken out of.
    const bool isShift = takesBitsOut(op);
    const auto isDerived = [&](Value operand) {
      return isa<RankedTensorType>(operand.getType()) &&
             (isStorage(operand.getType()) || derived.contains(operand) ||
              (isShift && isWord(operand.getType())));
    };
    bool reads = llvm::any_of(op->getOperands(), isDerived);
    for (Region &region : op->getRegions())
      region.walk([&](Operation *inner) {
        reads |= llvm::any_of(inner->getOperands(), isDerived);
      });
    if (!reads)
      return;
    derived.insert(op->result_begin(), op->result_end());
    if (mayBeDecode(op))
      candidates.push_back(op);
  });
}

DenseSet<Operation *> Raiser::slice(Operation *op) {
  DenseSet<Operation *> found;
  SmallVector<Operation *> queue = {op};
  while (!queue.empty()) {
    Operation *next = queue.pop_back_val();
    if (!found.insert(next).second)
      continue;
    const auto follow = [&](Value operand) {
      Operation *def = operand.getDefiningOp();
      if (def && !isa<DequantizeOp>(def))
        queue.push_back(def);
    };
    llvm::for_each(next->getOperands(), follow);
    for (Region &region : next->getRegions())
      region.walk([&](Operation *inner) {
        llvm::for_each(inner->getOperands(), follow);
      });
  }
  return found;
}

Value mxfp4::makeValues(OpBuilder &b, Location loc, RankedTensorType type,
                        const Decode &decode, const Promises &promises) {
  Type element = type.getElementType();
  auto [codes, scales] = makeBlocks(b, loc, decode);
  SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(b, loc, scales);
  sizes.back() = b.getIndexAttr(decode.numBlocks() * 32);
  Type decoded = element.isF16() ? b.getF32Type() : element;
  Value init = tensor::EmptyOp::create(b, loc, sizes, decoded);
  auto dequantize =
      DequantizeOp::create(b, loc, init.getType(), codes, scales, init,
                           /*promises=*/DictionaryAttr());
  setPromises(dequantize, promises);
  Value values = dequantize.getResult(0);
  if (decoded != element)
    values = arith::TruncFOp::create(b, loc, tensorType(values).clone(element),
                                     values);
  // From `leading x K` to the dimensions of the program.
  const SmallVector<unsigned> leading = decode.leading();
  SmallVector<int64_t> shape, order(leading.begin(), leading.end());
  SmallVector<ReassociationIndices> groups;
  for (unsigned dim : leading) {
    groups.push_back({static_cast<int64_t>(shape.size())});
    shape.push_back(type.getDimSize(dim));
  }
  groups.emplace_back();
  for (unsigned dim = decode.firstK; dim <= decode.lastK; ++dim) {
    groups.back().push_back(static_cast<int64_t>(shape.size()));
    shape.push_back(type.getDimSize(dim));
    order.push_back(dim);
  }
  if (groups.back().size() > 1)
    values = tensor::ExpandShapeOp::create(b, loc, type.clone(shape), values,
                                           groups);
  if (!llvm::is_sorted(order)) {
    SmallVector<int64_t> permutation = invertPermutationVector(order);
    SmallVector<OpFoldResult> from = tensor::getMixedSizes(b, loc, values), to;
    for (int64_t dim : permutation)
      to.push_back(from[dim]);
    Value empty = tensor::EmptyOp::create(b, loc, to, element);
    values = linalg::TransposeOp::create(b, loc, values, empty, permutation)
                 ->getResult(0);
  }
  if (values.getType() != type)
    values = tensor::CastOp::create(b, loc, type, values);
  return values;
}

void Raiser::raise(Operation *op) {
  if (parts.contains(op))
    return;
  Miss why;
  DecodeStep step = DecodeStep::None;
  FailureOr<Decode> decode = matchDecode(op, &why, &step);
  if (step == DecodeStep::None) {
    if (!misses.isPartOfUntraced(op))
      misses.untraced.push_back({op, why, slice(op)});
    return;
  }
  DenseSet<Operation *> here = slice(op);
  if (failed(decode)) {
    if (!misses.explained.contains(op)) {
      misses.decodes.push_back({op, why, {}});
      misses.explained.insert(here.begin(), here.end());
    }
    return;
  }
  parts.insert(here.begin(), here.end());
  // What is behind an exact decode is something else.
  llvm::erase_if(misses.decodes, [&](const DecodeMisses::Entry &entry) {
    return slice(entry.op).contains(op);
  });
  llvm::erase_if(misses.untraced, [&](const DecodeMisses::Entry &entry) {
    return entry.parts.contains(op);
  });
  OpBuilder b(op);
  op->getResult(0).replaceAllUsesWith(
      makeValues(b, op->getLoc(), tensorType(op->getResult(0)), *decode,
                 Promises().within(op)));
}

void Raiser::run() {
  findCandidates();
  for (Operation *op : llvm::reverse(candidates))
    raise(op);
}

bool DecodeMisses::isPartOfUntraced(Operation *op) const {
  return llvm::any_of(
      untraced, [&](const Entry &entry) { return entry.parts.contains(op); });
}

DecodeMisses mxfp4::raiseDecodes(Operation *root) {
  DecodeMisses misses;
  Raiser(root, misses).run();
  return misses;
}
