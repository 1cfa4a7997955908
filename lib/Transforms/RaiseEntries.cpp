//===- RaiseEntries.cpp - Named entries to our operations -----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A program may name an operation in place of spelling it out. All spellings of
// a grouped matmul take rows, codes, scales, offsets and perhaps ids.
//
//===----------------------------------------------------------------------===//

#include "Entries.h"

#include "mxfp4/Core/Format.h"

using namespace mlir;
using namespace mxfp4;

/// Whether the operands are those of a grouped matmul.
static LogicalResult checkMatmul(const EntryCall &call, Miss *why) {
  const size_t count = call.operands.size();
  if (count < 4 || count > 5 || call.op->getNumResults() != 1)
    return miss(why, "it must take rows, codes, scales and offsets, perhaps "
                     "ids as well, and have one result, got " +
                         Twine(count) + " operands and " +
                         Twine(call.op->getNumResults()) + " results");
  Value codes = call.operands[1];
  if (failed(checkWeights(codes, call.operands[2], "", why)))
    return failure();
  auto type = cast<RankedTensorType>(codes.getType());
  const int64_t experts = type.getDimSize(0),
                n = type.isDynamicDim(1) ? -1 : type.getDimSize(1);
  const bool hasIds = count == 5;
  if (failed(checkOperand(
          call.operands[0], "rows", "[R, K] bf16, with K of the codes",
          {-1, type.getDimSize(2) * kScaleBlock}, isBF16, why)) ||
      failed(checkOperand(call.operands[3], "offsets",
                          hasIds ? "[G + 1] i32" : "[E + 1] i32",
                          {hasIds ? -1 : experts + 1}, isI32, why)) ||
      (hasIds && failed(checkOperand(call.operands[4], "ids", "[G] i32", {-1},
                                     isI32, why))))
    return failure();
  if (hasIds) {
    auto offsets = cast<RankedTensorType>(call.operands[3].getType()),
         ids = cast<RankedTensorType>(call.operands[4].getType());
    if (offsets.hasStaticShape() && ids.hasStaticShape() &&
        offsets.getDimSize(0) - 1 != ids.getDimSize(0))
      return miss(why,
                  "there must be one offset more than there are ids, got " +
                      Twine(offsets.getDimSize(0)) + " offsets and " +
                      Twine(ids.getDimSize(0)) + " ids");
  }
  return checkType(call.type(), "the result", "[R, N] bf16 or f32", {-1, n},
                   isOutput, why);
}

static LogicalResult raiseMatmul(EntryCall &call, Miss *why) {
  if (failed(checkMatmul(call, why)))
    return failure();
  OpBuilder b(call.op);
  const Location loc = call.op->getLoc();
  ArrayRef<Value> given = call.operands;
  const OpFoldResult sizes[] = {tensor::getMixedSize(b, loc, given[0], 0),
                                tensor::getMixedSize(b, loc, given[1], 1)};
  Value into =
      tensor::EmptyOp::create(b, loc, sizes, call.result.getElementType());
  const Value weights[] = {signless(b, loc, given[1]),
                           signless(b, loc, given[2])};
  Value ids = given.size() == 5 ? signless(b, loc, given[4]) : Value();
  auto matmul =
      GroupedMatmulOp::create(b, loc, into.getType(), given[0], weights,
                              signless(b, loc, given[3]), ids, into);
  call.replace(b, matmul.getResult(0));
  return success();
}

namespace {

using RaiseFn = LogicalResult (*)(EntryCall &, Miss *);

struct Named {
  StringLiteral entry;
  RaiseFn raise;
};

constexpr Named kEntries[] = {{"grouped_matmul", raiseMatmul},
                              {"grouped_matmul_codes", raiseMatmul},
                              {"moe", raiseLayer}};

} // namespace

void mxfp4::raiseEntries(Operation *root) {
  SmallVector<std::pair<Operation *, const Named *>> found;
  root->walk([&](Operation *op) {
    const StringRef name = calledName(op);
    for (const Named &named : kEntries)
      if (isEntry(name, named.entry))
        found.push_back({op, &named});
  });
  SetVector<Operation *> bodies;
  for (auto [op, named] : found) {
    Miss why;
    Operation *body = decomposition(op);
    EntryCall call(op);
    if (succeeded(named->raise(call, &why))) {
      if (body)
        bodies.insert(body);
      continue;
    }
    call.abandon();
    op->emitRemark() << "names mxfp4." << named->entry
                     << " and is not raised: " << why.condition;
  }
  eraseUnused(std::move(bodies));
}
