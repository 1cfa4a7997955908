//===- Promises.cpp - The attribute of what a program promises ------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mxfp4/IR/Promises.h"

#include "mxfp4/IR/MXFP4.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mxfp4;

DictionaryAttr mxfp4::promisesOn(Operation *op) {
  const DictionaryAttr own =
      llvm::TypeSwitch<Operation *, DictionaryAttr>(op)
          .Case<GroupedMatmulOp, DequantizeOp, PackOp>(
              [](auto raised) { return raised.getPromisesAttr(); })
          .Default(DictionaryAttr());
  return own ? own : op->getAttrOfType<DictionaryAttr>(kPromisesAttr);
}

void mxfp4::setPromisesOn(Operation *op, DictionaryAttr promises) {
  llvm::TypeSwitch<Operation *>(op)
      .Case<GroupedMatmulOp, DequantizeOp, PackOp>(
          [&](auto raised) { raised.setPromisesAttr(promises); })
      .Default(
          [&](Operation *other) { other->setAttr(kPromisesAttr, promises); });
}

LogicalResult mxfp4::verifyPromises(Operation *op, StringRef name,
                                    Attribute value) {
  const auto fail = [&](const Twine &what) {
    return op->emitOpError()
           << "requires " << name
           << " to be a dictionary of 'scales' (two "
              "bytes, as array<i64: 1, 254>) and the units 'unsigned_zero', "
              "'f32_sums' and 'bf16_rows', but "
           << what;
  };
  auto promises = dyn_cast<DictionaryAttr>(value);
  if (!promises)
    return fail("it is none");
  for (NamedAttribute promise : promises) {
    const StringRef promised = promise.getName();
    if (promised == "scales") {
      auto bounds = dyn_cast<DenseI64ArrayAttr>(promise.getValue());
      if (!bounds || bounds.size() != 2 || bounds[0] < 0 || bounds[1] > 255 ||
          bounds[0] > bounds[1])
        return fail("its 'scales' are no bounds of bytes");
    } else if (promised != "unsigned_zero" && promised != "f32_sums" &&
               promised != "bf16_rows") {
      return fail("it has '" + promised + "'");
    } else if (!isa<UnitAttr>(promise.getValue())) {
      return fail("its '" + promised + "' has a value");
    }
  }
  return success();
}
