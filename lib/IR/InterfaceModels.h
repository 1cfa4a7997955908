//===- InterfaceModels.h - Bufferization and run-time checks ----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What the external models of the dialect's destination-style ops share.
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_LIB_IR_INTERFACEMODELS_H
#define MXFP4_LIB_IR_INTERFACEMODELS_H

#include "mxfp4/IR/MXFP4.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Bufferization/IR/BufferizableOpInterface.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Bufferization/IR/DstBufferizableOpInterfaceImpl.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Interfaces/RuntimeVerifiableOpInterface.h"

namespace mxfp4 {

/// Every destination-style op of the dialect: reads its inputs, writes its
/// outputs without reading them, and becomes itself on memrefs.
template <typename OpTy>
struct DestinationModel
    : mlir::bufferization::DstBufferizableOpInterfaceExternalModel<
          DestinationModel<OpTy>, OpTy> {
  bool
  bufferizesToMemoryRead(mlir::Operation *op, mlir::OpOperand &operand,
                         const mlir::bufferization::AnalysisState &) const {
    // No result depends on the values of an output operand, so that
    // bufferization need not copy them; but rows that nothing is scattered to
    // keep theirs.
    auto matmul = llvm::dyn_cast<GroupedMatmulOp>(op);
    auto quantize = llvm::dyn_cast<QuantizeRowsOp>(op);
    return !llvm::cast<mlir::DestinationStyleOpInterface>(op).isDpsInit(
               &operand) ||
           (matmul && (matmul.getScatter() || matmul.getGather())) ||
           (quantize && quantize.getSlotRows()) || llvm::isa<DispatchOp>(op);
  }

  mlir::LogicalResult
  bufferize(mlir::Operation *op, mlir::RewriterBase &rewriter,
            const mlir::bufferization::BufferizationOptions &options,
            mlir::bufferization::BufferizationState &state) const {
    auto destination = llvm::cast<mlir::DestinationStyleOpInterface>(op);
    if (!destination.hasPureTensorSemantics())
      return mlir::success();
    rewriter.setInsertionPoint(op);
    llvm::SmallVector<mlir::Value> operands, outputs;
    for (mlir::OpOperand &operand : op->getOpOperands()) {
      mlir::FailureOr<mlir::Value> buffer = mlir::bufferization::getBuffer(
          rewriter, operand.get(), options, state);
      if (mlir::failed(buffer))
        return mlir::failure();
      operands.push_back(*buffer);
      if (destination.isDpsInit(&operand))
        outputs.push_back(*buffer);
    }
    // Attributes and properties (the schedule, the operand segments) come
    // along.
    mlir::OperationState clone(op->getLoc(), op->getName(), operands,
                               mlir::TypeRange(),
                               op->getDiscardableAttrDictionary().getValue());
    clone.propertiesAttr = op->getPropertiesAsAttribute();
    for (mlir::Region &region : op->getRegions())
      clone.addRegion()->takeBody(region);
    rewriter.create(clone);
    mlir::bufferization::replaceOpWithBufferizedValues(rewriter, op, outputs);
    return mlir::success();
  }
};

using MessageFn =
    llvm::function_ref<std::string(mlir::Operation *, llvm::StringRef)>;

/// Emits assertions about one op.
class Checks {
public:
  Checks(mlir::Operation *op, mlir::OpBuilder &builder, mlir::Location loc,
         MessageFn message)
      : op(op), b(builder), loc(loc), message(message) {}

  void require(mlir::OpBuilder &at, mlir::Value condition,
               llvm::StringRef text) {
    mlir::cf::AssertOp::create(at, loc, condition, message(op, text));
  }
  void require(mlir::Value condition, llvm::StringRef text) {
    require(b, condition, text);
  }

  /// Dimension `dim` of `value` is `expected`; nothing to do where the verifier
  /// could see it.
  void requireSize(mlir::Value value, int64_t dim, mlir::OpFoldResult expected,
                   llvm::StringRef text) {
    auto type = llvm::cast<mlir::MemRefType>(value.getType());
    if (!type.isDynamicDim(dim) && mlir::getConstantIntValue(expected))
      return;
    require(equal(size(value, dim),
                  mlir::getValueOrCreateConstantIndexOp(b, loc, expected)),
            text);
  }

  mlir::OpFoldResult mixedSize(mlir::Value value, int64_t dim) {
    return mlir::memref::getMixedSize(b, loc, value, dim);
  }
  mlir::Value size(mlir::Value value, int64_t dim) {
    return mlir::getValueOrCreateConstantIndexOp(b, loc, mixedSize(value, dim));
  }
  /// ceil(extent / by).
  mlir::OpFoldResult divide(mlir::OpFoldResult extent, int64_t by) {
    if (std::optional<int64_t> value = mlir::getConstantIntValue(extent))
      return b.getIndexAttr((*value + by - 1) / by);
    return mlir::arith::CeilDivUIOp::create(
               b, loc, llvm::cast<mlir::Value>(extent), index(by))
        .getResult();
  }
  mlir::OpFoldResult twice(mlir::OpFoldResult extent) {
    if (std::optional<int64_t> value = mlir::getConstantIntValue(extent))
      return b.getIndexAttr(2 * *value);
    return mlir::arith::MulIOp::create(b, loc, llvm::cast<mlir::Value>(extent),
                                       index(2))
        .getResult();
  }
  mlir::Value index(int64_t value) {
    return mlir::arith::ConstantIndexOp::create(b, loc, value);
  }
  mlir::Value equal(mlir::Value lhs, mlir::Value rhs) {
    return mlir::arith::CmpIOp::create(b, loc, mlir::arith::CmpIPredicate::eq,
                                       lhs, rhs);
  }

  mlir::Operation *op;
  mlir::OpBuilder &b;
  mlir::Location loc;
  MessageFn message;
};

/// The checks of an operation on buffers, which `verify` of the model emits.
template <typename Model, typename OpTy>
class BufferChecks
    : public mlir::RuntimeVerifiableOpInterface::ExternalModel<Model, OpTy> {
public:
  void generateRuntimeVerification(mlir::Operation *op, mlir::OpBuilder &b,
                                   mlir::Location loc,
                                   MessageFn message) const {
    auto onBuffers = llvm::cast<OpTy>(op);
    if (!onBuffers.hasPureBufferSemantics())
      return;
    Checks checks(op, b, loc, message);
    static_cast<const Model *>(this)->verify(onBuffers, checks);
  }

private:
  friend Model;
  BufferChecks() = default;
};

/// Of the operations around the grouped matmuls.
void attachRoutingModels(mlir::MLIRContext &context);

} // namespace mxfp4

#endif // MXFP4_LIB_IR_INTERFACEMODELS_H
