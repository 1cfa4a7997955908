//===- ExternalModels.cpp - Bufferization and run-time checks -------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "InterfaceModels.h"

#include "mxfp4/Core/Format.h"
#include "mxfp4/IR/MXFP4.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Interfaces/RuntimeVerifiableOpInterface.h"

using namespace mlir;
using namespace mxfp4;

//===----------------------------------------------------------------------===//
// Run-time verification
//===----------------------------------------------------------------------===//

namespace {

struct GroupedMatmulChecks
    : RuntimeVerifiableOpInterface::ExternalModel<GroupedMatmulChecks,
                                                  GroupedMatmulOp> {
  void generateRuntimeVerification(Operation *op, OpBuilder &builder,
                                   Location loc, MessageFn message) const {
    auto matmul = cast<GroupedMatmulOp>(op);
    if (!matmul.hasPureBufferSemantics())
      return;
    Checks checks(op, builder, loc, message);
    verifyShapes(matmul, checks);
    // With an error word, bad values are an outcome that the op defines.
    if (matmul.getError())
      return;
    verifyOffsets(matmul, checks);
    if (matmul.getExpertIds())
      verifyIds(matmul, checks);
  }

private:
  void verifyShapes(GroupedMatmulOp op, Checks &checks) const {
    Value x = op.getActivations(), y = op.getInit(), w = op.getWeights()[0];
    OpFoldResult n = checks.mixedSize(y, 1), k = checks.mixedSize(x, 1);
    if (op.takesPairs())
      n = checks.twice(n);
    OpFoldResult count = checks.mixedSize(op.getRowSource(), 0);
    if (!op.getScatter())
      checks.requireSize(y, 0, count,
                         "output and activations must have as many rows");
    else
      checks.requireSize(op.getScatter(), 0, count,
                         "rows to scatter to must be as many as rows");
    if (auto dynamicK = dyn_cast<Value>(k))
      checks.require(
          checks.equal(arith::RemUIOp::create(checks.b, checks.loc, dynamicK,
                                              checks.index(kScaleBlock)),
                       checks.index(0)),
          "K must be a multiple of 32");
    constexpr StringLiteral rows = "weights must have N rows";
    constexpr StringLiteral cols = "weights must have K columns";
    if (BlockType block = op.getBlockType()) {
      const BlockLayout layout = block.getLayout();
      checks.requireSize(w, 1, checks.divide(n, layout.rows), rows);
      checks.requireSize(w, 2, checks.divide(k, layout.cols), cols);
    } else {
      for (Value part : op.getWeights()) {
        checks.requireSize(part, 0, checks.mixedSize(w, 0),
                           "codes and scales must have as many experts");
        checks.requireSize(part, 1, n, rows);
        checks.requireSize(part, 2, checks.divide(k, kScaleBlock), cols);
      }
    }
    // Groups are counted by the ids or, without ids, by the experts.
    Value counted = op.getExpertIds() ? op.getExpertIds() : w;
    if (op.getOffsetsType().isDynamicDim(0) ||
        cast<MemRefType>(counted.getType()).isDynamicDim(0))
      checks.require(checks.equal(checks.size(op.getOffsets(), 0),
                                  arith::AddIOp::create(checks.b, checks.loc,
                                                        groupCount(op, checks),
                                                        checks.index(1))),
                     "offsets must have one entry more than there are groups");
  }

  static Value groupCount(GroupedMatmulOp op, Checks &checks) {
    return op.getExpertIds() ? checks.size(op.getExpertIds(), 0)
                             : checks.size(op.getWeights()[0], 0);
  }

  void verifyOffsets(GroupedMatmulOp op, Checks &checks) const {
    OpBuilder &b = checks.b;
    Location loc = checks.loc;
    Value zero = checks.index(0), one = checks.index(1);
    Value groups = groupCount(op, checks);
    auto offset = [&](OpBuilder &at, Value group) -> Value {
      return arith::IndexCastOp::create(
          at, loc, at.getIndexType(),
          memref::LoadOp::create(at, loc, op.getOffsets(), group));
    };
    checks.require(checks.equal(offset(b, zero), zero),
                   "offsets must start at 0");
    scf::ForOp::create(
        b, loc, zero, groups, one, ValueRange(),
        [&](OpBuilder &body, Location, Value group, ValueRange) {
          Value next = arith::AddIOp::create(body, loc, group, one);
          checks.require(
              body,
              arith::CmpIOp::create(body, loc, arith::CmpIPredicate::sle,
                                    offset(body, group), offset(body, next)),
              "offsets must not decrease");
          scf::YieldOp::create(body, loc);
        });
    Value rows = checks.size(op.getRowSource(), 0);
    if (op.getGather())
      checks.require(arith::CmpIOp::create(b, loc, arith::CmpIPredicate::sle,
                                           offset(b, groups), rows),
                     "offsets must not end behind the number of rows");
    else
      checks.require(checks.equal(offset(b, groups), rows),
                     "offsets must end at the number of rows");
  }

  void verifyIds(GroupedMatmulOp op, Checks &checks) const {
    OpBuilder &b = checks.b;
    Location loc = checks.loc;
    Value experts = checks.size(op.getWeights()[0], 0);
    Value groups = groupCount(op, checks);
    scf::ForOp::create(
        b, loc, checks.index(0), groups, checks.index(1), ValueRange(),
        [&](OpBuilder &body, Location, Value group, ValueRange) {
          // id + 1 as an unsigned number is at most E.
          Value id = arith::IndexCastOp::create(
              body, loc, body.getIndexType(),
              memref::LoadOp::create(body, loc, op.getExpertIds(), group));
          Value shifted = arith::AddIOp::create(
              body, loc, id, arith::ConstantIndexOp::create(body, loc, 1));
          checks.require(body,
                         arith::CmpIOp::create(body, loc,
                                               arith::CmpIPredicate::ule,
                                               shifted, experts),
                         "expert ids must be -1 or the number of an expert");
          scf::YieldOp::create(body, loc);
        });
  }
};

struct PackChecks
    : RuntimeVerifiableOpInterface::ExternalModel<PackChecks, PackOp> {
  void generateRuntimeVerification(Operation *op, OpBuilder &builder,
                                   Location loc, MessageFn message) const {
    auto pack = cast<PackOp>(op);
    if (!pack.hasPureBufferSemantics())
      return;
    Checks checks(op, builder, loc, message);
    Value codes = pack.getCodes(), scales = pack.getScales(),
          blocks = pack.getInit();
    for (int64_t dim : {0, 1, 2})
      checks.requireSize(scales, dim, checks.mixedSize(codes, dim),
                         "codes and scales must have as many rows and columns");
    checks.requireSize(blocks, 0, checks.mixedSize(codes, 0),
                       "codes and blocks must have as many experts");
    const BlockLayout layout = layoutOf(blocks.getType());
    checks.requireSize(blocks, 1,
                       checks.divide(checks.mixedSize(codes, 1), layout.rows),
                       "blocks must cover the rows of the codes");
    checks.requireSize(
        blocks, 2, checks.divide(checks.mixedSize(codes, 2), layout.slices()),
        "blocks must cover the columns of the codes");

    int largest = 255;
    while (!layout.holdsScale(largest))
      --largest;
    if (largest < 255)
      verifyScales(checks, scales, largest);
  }

private:
  void verifyScales(Checks &checks, Value scales, int largest) const {
    Location loc = checks.loc;
    SmallVector<Value> lower(3, checks.index(0)), step(3, checks.index(1));
    SmallVector<Value> upper;
    for (int64_t dim : {0, 1, 2})
      upper.push_back(checks.size(scales, dim));
    scf::buildLoopNest(
        checks.b, loc, lower, upper, step,
        [&](OpBuilder &body, Location, ValueRange at) {
          Value scale = memref::LoadOp::create(body, loc, scales, at);
          Value limit =
              arith::ConstantIntOp::create(body, loc, scale.getType(), largest);
          checks.require(
              body,
              arith::CmpIOp::create(body, loc, arith::CmpIPredicate::ule, scale,
                                    limit),
              "folded scales must be at most " + std::to_string(largest) +
                  "; pack to a block with raw scales");
        });
  }
};

} // namespace

namespace mxfp4 {
void registerConvertToLLVMInterface(DialectRegistry &registry);
} // namespace mxfp4

void mxfp4::registerExternalModels(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, MXFP4Dialect *) {
    GroupedMatmulOp::attachInterface<DestinationModel<GroupedMatmulOp>,
                                     GroupedMatmulChecks>(*context);
    PackOp::attachInterface<DestinationModel<PackOp>, PackChecks>(*context);
    UnpackOp::attachInterface<DestinationModel<UnpackOp>>(*context);
    QuantizeOp::attachInterface<DestinationModel<QuantizeOp>>(*context);
    DequantizeOp::attachInterface<DestinationModel<DequantizeOp>>(*context);
    attachRoutingModels(*context);
    // What the checks are made of.
    context->loadDialect<arith::ArithDialect, cf::ControlFlowDialect,
                         memref::MemRefDialect, scf::SCFDialect>();
  });
  registerConvertToLLVMInterface(registry);
}
