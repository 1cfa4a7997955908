//===- DestinationOps.cpp - What ops on tensors and memrefs share ---------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "DestinationOps.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace mxfp4;

ShapedType mxfp4::shaped(Value value) {
  return cast<ShapedType>(value.getType());
}

bool mxfp4::compatible(int64_t a, int64_t b) {
  return ShapedType::isDynamic(a) || ShapedType::isDynamic(b) || a == b;
}

static std::string shapeText(ArrayRef<int64_t> shape) {
  std::string text;
  llvm::raw_string_ostream os(text);
  llvm::interleave(
      shape, os,
      [&](int64_t dim) { ShapedType::isDynamic(dim) ? os << "?" : os << dim; },
      "x");
  return text;
}

LogicalResult mxfp4::verifyShaped(Operation *op, Value value, StringRef what,
                                  ArrayRef<int64_t> shape, Type element) {
  ShapedType type = shaped(value);
  bool ok = type.getRank() == static_cast<int64_t>(shape.size()) &&
            type.getElementType() == element;
  for (size_t i = 0; ok && i < shape.size(); ++i)
    ok = compatible(type.getDimSize(i), shape[i]);
  if (ok)
    return success();
  return op->emitOpError() << "requires " << what << " of shape "
                           << shapeText(shape) << " and element type "
                           << element << ", but got " << type;
}

LogicalResult mxfp4::verifyColumns(Operation *op, const BlockLayout &layout,
                                   int64_t n) {
  if (layout.columns == ColumnOrder::Plain || ShapedType::isDynamic(n) ||
      n % 2 == 0)
    return success();
  return op->emitOpError() << "requires an even N for weights whose gate and "
                              "up are "
                           << name(layout.columns) << ", but got " << n;
}

LogicalResult mxfp4::verifyDestinationStyle(Operation *op) {
  auto dps = cast<DestinationStyleOpInterface>(op);
  const bool tensors = isa<TensorType>(dps.getDpsInits()[0].getType());
  for (Value operand : op->getOperands())
    if (isa<TensorType>(operand.getType()) != tensors)
      return op->emitOpError()
             << "requires all operands to be tensors or all to be memrefs, but "
                "got "
             << operand.getType() << " and " << dps.getDpsInits()[0].getType();
  const unsigned expected = tensors ? dps.getNumDpsInits() : 0;
  if (op->getNumResults() != expected)
    return op->emitOpError()
           << "requires " << expected << " results "
           << (tensors ? "with tensor operands" : "with memref operands")
           << ", but has " << op->getNumResults();
  for (auto [result, init] : llvm::zip(op->getResults(), dps.getDpsInits()))
    if (result.getType() != init.getType())
      return op->emitOpError()
             << "requires a result of the type of its output operand, "
             << init.getType() << ", but got " << result.getType();
  return success();
}

void mxfp4::addEffects(
    Operation *op,
    SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>>
        &effects) {
  auto dps = cast<DestinationStyleOpInterface>(op);
  for (OpOperand &operand : op->getOpOperands()) {
    if (!isa<MemRefType>(operand.get().getType()))
      continue;
    if (dps.isDpsInit(&operand))
      effects.emplace_back(MemoryEffects::Write::get(), &operand);
    else
      effects.emplace_back(MemoryEffects::Read::get(), &operand);
  }
}

LogicalResult mxfp4::reifyFromInits(OpBuilder &builder, Operation *op,
                                    ReifiedRankedShapedTypeDims &shapes) {
  auto dps = cast<DestinationStyleOpInterface>(op);
  for (OpResult result : op->getResults()) {
    Value init = dps.getTiedOpOperand(result)->get();
    shapes.push_back(tensor::getMixedSizes(builder, op->getLoc(), init));
  }
  return success();
}
