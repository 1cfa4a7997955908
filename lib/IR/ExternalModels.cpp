//===- ExternalModels.cpp - Bufferization and run-time checks -------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "InterfaceModels.h"

#include "mxfp4/Core/Format.h"
#include "mxfp4/IR/MXFP4.h"
#include "mxfp4/IR/Promises.h"

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
    : BufferChecks<GroupedMatmulChecks, GroupedMatmulOp> {
  void verify(GroupedMatmulOp matmul, Checks &checks) const {
    verifyShapes(matmul, checks);
    // With an error word, bad values are an outcome that the op defines.
    if (matmul.getError())
      return;
    verifyOffsets(matmul, checks);
    if (matmul.getExpertIds())
      verifyIds(matmul, checks);
    if (matmul.getGather())
      verifyMap(matmul, checks, matmul.getGather(), matmul.getActivations(),
                /*ofExperts=*/true,
                "rows to gather must be rows of the activations");
    if (matmul.getScatter())
      verifyMap(matmul, checks, matmul.getScatter(), matmul.getInit(),
                /*ofExperts=*/false,
                "rows to scatter to must be rows of the output");
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
    verifyEpilogue(op, checks, count, n);
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

  void verifyEpilogue(GroupedMatmulOp op, Checks &checks, OpFoldResult rows,
                      OpFoldResult n) const {
    constexpr StringLiteral columns = "epilogue operands of rank 2 must have a "
                                      "value for each expert and column";
    for (Value operand : op.getEpilogueOperands())
      switch (epilogueOperandOf(operand.getType())) {
      case EpilogueOperand::Scalar:
        break;
      case EpilogueOperand::PerRow:
        checks.requireSize(
            operand, 0, rows,
            "epilogue operands of rank 1 must have a value for each row");
        break;
      case EpilogueOperand::PerColumn:
        checks.requireSize(operand, 0, checks.mixedSize(op.getWeights()[0], 0),
                           columns);
        checks.requireSize(operand, 1, n, columns);
      }
  }

  static Value groupCount(GroupedMatmulOp op, Checks &checks) {
    return op.getExpertIds() ? checks.size(op.getExpertIds(), 0)
                             : checks.size(op.getWeights()[0], 0);
  }

  /// An i32 of a buffer as an index.
  static Value word(OpBuilder &b, Location loc, Value buffer, Value at) {
    return arith::IndexCastOp::create(
        b, loc, b.getIndexType(), memref::LoadOp::create(b, loc, buffer, at));
  }

  void verifyOffsets(GroupedMatmulOp op, Checks &checks) const {
    OpBuilder &b = checks.b;
    Location loc = checks.loc;
    Value zero = checks.index(0), one = checks.index(1);
    Value groups = groupCount(op, checks);
    auto offset = [&](OpBuilder &at, Value group) -> Value {
      return word(at, loc, op.getOffsets(), group);
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
          Value id = word(body, loc, op.getExpertIds(), group);
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

  /// Entries of a map are rows of a buffer, for the rows of all groups or of
  /// those that have an expert.
  void verifyMap(GroupedMatmulOp op, Checks &checks, Value map, Value buffer,
                 bool ofExperts, StringRef text) const {
    Location loc = checks.loc;
    Value one = checks.index(1), none = checks.index(-1);
    Value rows = checks.size(buffer, 0), groups = groupCount(op, checks);
    scf::ForOp::create(
        checks.b, loc, checks.index(0), groups, one, ValueRange(),
        [&](OpBuilder &body, Location, Value group, ValueRange) {
          const auto compare = [&](arith::CmpIPredicate predicate, Value a,
                                   Value b) -> Value {
            return arith::CmpIOp::create(body, loc, predicate, a, b);
          };
          Value isUnused;
          if (ofExperts && op.getExpertIds())
            isUnused = compare(arith::CmpIPredicate::eq,
                               word(body, loc, op.getExpertIds(), group), none);
          Value next = arith::AddIOp::create(body, loc, group, one);
          auto each = scf::ForOp::create(
              body, loc, word(body, loc, op.getOffsets(), group),
              word(body, loc, op.getOffsets(), next), one);
          {
            OpBuilder::InsertionGuard guard(body);
            body.setInsertionPointToStart(each.getBody());
            Value isRow =
                compare(arith::CmpIPredicate::ult,
                        word(body, loc, map, each.getInductionVar()), rows);
            if (isUnused)
              isRow = arith::OrIOp::create(body, loc, isRow, isUnused);
            checks.require(body, isRow, text);
          }
          scf::YieldOp::create(body, loc);
        });
  }
};

struct PackChecks : BufferChecks<PackChecks, PackOp> {
  void verify(PackOp pack, Checks &checks) const {
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
      verifyScales(checks, scales, arith::CmpIPredicate::ule, largest,
                   "folded scales must be at most " + std::to_string(largest) +
                       "; pack to a block with raw scales");
    verifyPromise(checks, pack, scales);
  }

private:
  /// What the program was raised under must hold for these weights.
  void verifyPromise(Checks &checks, Operation *op, Value scales) const {
    const DictionaryAttr promises = promisesOn(op);
    auto range = promises ? promises.getAs<DenseI64ArrayAttr>("scales")
                          : DenseI64ArrayAttr();
    if (!range || range.size() != 2)
      return;
    const std::string text = "scale bytes must be " + std::to_string(range[0]) +
                             " to " + std::to_string(range[1]) +
                             ", as the program promises";
    if (range[0] > 0)
      verifyScales(checks, scales, arith::CmpIPredicate::uge, range[0], text);
    if (range[1] < 255)
      verifyScales(checks, scales, arith::CmpIPredicate::ule, range[1], text);
  }

  void verifyScales(Checks &checks, Value scales,
                    arith::CmpIPredicate predicate, int64_t bound,
                    const std::string &text) const {
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
              arith::ConstantIntOp::create(body, loc, scale.getType(), bound);
          checks.require(
              body, arith::CmpIOp::create(body, loc, predicate, scale, limit),
              text);
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
