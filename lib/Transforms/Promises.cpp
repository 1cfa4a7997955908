//===- Promises.cpp - What the author of a program promises ---------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Raise.h"

#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace mxfp4;

Promises Promises::within(Operation *op) const {
  Promises all = *this;
  for (; op; op = op->getParentOp()) {
    const DictionaryAttr found = promisesOn(op);
    if (!found)
      continue;
    all.unsignedZero |= found.contains("unsigned_zero");
    all.f32Sums |= found.contains("f32_sums");
    all.bf16Rows |= found.contains("bf16_rows");
    auto scales = found.getAs<DenseI64ArrayAttr>("scales");
    if (scales && scales.size() == 2) {
      all.minScale = std::max(all.minScale, scales[0]);
      all.maxScale = std::min(all.maxScale, scales[1]);
    }
  }
  return all;
}

void mxfp4::setPromises(Operation *op, const Promises &promises) {
  DictionaryAttr attribute = promises.asAttribute(op->getContext());
  if (!attribute.empty())
    setPromisesOn(op, attribute);
}

DictionaryAttr Promises::asAttribute(MLIRContext *context) const {
  Builder b(context);
  NamedAttrList list;
  if (minScale > 0 || maxScale < 255)
    list.set("scales", b.getDenseI64ArrayAttr({minScale, maxScale}));
  if (unsignedZero)
    list.set("unsigned_zero", b.getUnitAttr());
  if (f32Sums)
    list.set("f32_sums", b.getUnitAttr());
  if (bf16Rows)
    list.set("bf16_rows", b.getUnitAttr());
  return list.getDictionary(context);
}
