//===- Epilogue.cpp - What happens to sums before the store ---------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mxfp4/IR/Epilogue.h"

#include "mxfp4/IR/EpilogueOperations.h"
#include "mxfp4/IR/MXFP4.h"

#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace mxfp4;

EpilogueOperand mxfp4::epilogueOperandOf(Type type) {
  return static_cast<EpilogueOperand>(
      std::min<int64_t>(cast<ShapedType>(type).getRank(), 2));
}

/// Arguments of a region that takes `sums` sums.
static size_t countArguments(ValueRange operands, size_t sums) {
  size_t count = sums;
  for (Value operand : operands)
    count += epilogueOperandOf(operand.getType()) == EpilogueOperand::PerColumn
                 ? sums
                 : 1;
  return count;
}

bool mxfp4::epilogueTakesPairs(MutableArrayRef<Region> regions,
                               ValueRange operands) {
  return !regions.empty() && !regions[0].empty() &&
         regions[0].getNumArguments() == countArguments(operands, 2);
}

LogicalResult mxfp4::verifyEpilogueOperands(Operation *op, ValueRange operands,
                                            int64_t experts, int64_t rows,
                                            int64_t n) {
  const auto fits = [](int64_t size, int64_t expected) {
    return ShapedType::isDynamic(size) || ShapedType::isDynamic(expected) ||
           size == expected;
  };
  for (auto [i, operand] : llvm::enumerate(operands)) {
    auto type = cast<ShapedType>(operand.getType());
    const Type element = type.getElementType();
    const int64_t rank = type.getRank();
    if ((element.isBF16() || element.isF32()) &&
        (rank == 0 || (rank == 1 && fits(type.getDimSize(0), rows)) ||
         (rank == 2 && fits(type.getDimSize(0), experts) &&
          fits(type.getDimSize(1), n))))
      continue;
    InFlightDiagnostic error = op->emitOpError();
    error << "requires epilogue operands of element type bf16 or f32 that have "
             "one value (rank 0), one for each row (rank 1";
    if (!ShapedType::isDynamic(rows))
      error << ", " << rows;
    error << ") or one for each expert and column (rank 2";
    if (!ShapedType::isDynamic(experts) && !ShapedType::isDynamic(n))
      error << ", " << experts << "x" << n;
    return error << "), but operand " << i << " is " << type;
  }
  return success();
}

/// Whether a register of every target has one; backends end the process over
/// wider ones.
static bool isScalar(Type type) {
  return type.isIndex() || type.isF16() || type.isBF16() || type.isF32() ||
         type.isF64() ||
         (type.isSignlessInteger() && type.getIntOrFloatBitWidth() >= 1 &&
          type.getIntOrFloatBitWidth() <= 64);
}

bool mxfp4::roundsToNearestEven(arith::TruncFOp op) {
  return op.getRoundingmode().value_or(arith::RoundingMode::to_nearest_even) ==
         arith::RoundingMode::to_nearest_even;
}

std::string mxfp4::whyNotInEpilogue(Operation &op) {
  if (isa<arith::ScalingExtFOp, arith::ScalingTruncFOp>(op))
    return "kernels have no " + op.getName().getStringRef().str();
  if (auto round = dyn_cast<arith::TruncFOp>(op);
      round && !roundsToNearestEven(round))
    return "kernels round to nearest even, and " +
           op.getName().getStringRef().str() + " rounds " +
           arith::stringifyRoundingMode(*round.getRoundingmode()).str();
  for (TypeRange types :
       {TypeRange(op.getOperandTypes()), TypeRange(op.getResultTypes())})
    for (Type type : types)
      if (auto integer = dyn_cast<IntegerType>(type);
          integer && !isScalar(integer)) {
        std::string name;
        llvm::raw_string_ostream(name) << integer;
        return "kernels have integers of 1 to 64 bits, and no " + name;
      }
  return "";
}

/// What of a region's operations cannot be in an epilogue, as the rest of a
/// sentence; empty if all can.
static std::string foreignTo(Operation &inner) {
  const StringRef dialect = inner.getName().getDialectNamespace();
  if ((dialect == "arith" || dialect == "math") && inner.getNumRegions() == 0 &&
      llvm::all_of(inner.getOperandTypes(), isScalar) &&
      llvm::all_of(inner.getResultTypes(), isScalar))
    return "";
  return "requires operations of arith and math in its epilogue, on index, "
         "integers of 1 to 64 bits, f16, bf16, f32 and f64, but has " +
         inner.getName().getStringRef().str();
}

LogicalResult mxfp4::verifyEpilogueRegion(Operation *op,
                                          MutableArrayRef<Region> regions,
                                          ValueRange operands) {
  if (regions.empty())
    return operands.empty()
               ? success()
               : op->emitOpError("has epilogue operands, but no epilogue");
  if (regions.size() > 1 || !llvm::hasSingleElement(regions[0]))
    return op->emitOpError()
           << "requires one epilogue of one block, but has " << regions.size()
           << (regions.size() == 1 ? " of " : " with a first of ")
           << regions[0].getBlocks().size() << " blocks";
  Block &body = regions[0].front();
  const size_t single = countArguments(operands, 1),
               pairs = countArguments(operands, 2);
  if ((body.getNumArguments() != single && body.getNumArguments() != pairs) ||
      !llvm::all_of(body.getArgumentTypes(),
                    [](Type type) { return type.isF32(); }))
    return op->emitOpError()
           << "requires f32 arguments of its epilogue, " << single
           << " (a sum, and a value of each operand) or on pairs of columns "
           << pairs
           << " (two of each that differ between them), but got arguments ("
           << body.getArgumentTypes() << ")";
  auto yield = dyn_cast_or_null<YieldOp>(body.empty() ? nullptr : &body.back());
  if (!yield || yield.getNumOperands() != 1 ||
      !yield.getOperand(0).getType().isF32()) {
    InFlightDiagnostic error = op->emitOpError();
    error << "requires its epilogue to end with mxfp4.yield of one f32, but ";
    if (yield)
      error << "yields (" << yield->getOperandTypes() << ")";
    else
      error << "has none";
    return error;
  }
  for (Operation &inner : body.without_terminator()) {
    if (const std::string problem = foreignTo(inner); !problem.empty())
      return op->emitOpError() << problem;
    if (const std::string problem = whyNotInEpilogue(inner); !problem.empty())
      return op->emitOpError() << "has an epilogue that kernels cannot "
                                  "compute: "
                               << problem;
  }
  return success();
}

/// `op`, a cast from or to an index, of an operand whose indices are i64:
/// kernels count in indices of 32 bits, and hosts of 64, but an epilogue means
/// the same on both.
static Value castIndex(OpBuilder &b, Operation &op, Value value) {
  Type to = op.getResult(0).getType();
  if (to.isIndex())
    to = b.getI64Type();
  const unsigned width = to.getIntOrFloatBitWidth(),
                 from = value.getType().getIntOrFloatBitWidth();
  if (width == from)
    return value;
  if (width < from)
    return arith::TruncIOp::create(b, op.getLoc(), to, value);
  if (isa<arith::IndexCastOp>(op))
    return arith::ExtSIOp::create(b, op.getLoc(), to, value);
  return arith::ExtUIOp::create(b, op.getLoc(), to, value);
}

/// Indices among the operands of `op` that are constants, in or above the
/// region.
static void mapConstants(OpBuilder &b, Operation &op, IRMapping &mapping) {
  for (Value operand : op.getOperands()) {
    APInt number;
    if (operand.getType().isIndex() && !mapping.contains(operand) &&
        matchPattern(operand, m_ConstantInt(&number)))
      mapping.map(operand, arith::ConstantOp::create(
                               b, op.getLoc(),
                               b.getI64IntegerAttr(number.getSExtValue())));
  }
}

Value mxfp4::cloneEpilogue(OpBuilder &b, Region &region, ValueRange arguments) {
  IRMapping mapping;
  mapping.map(region.getArguments(), arguments);
  for (Operation &op : region.front().without_terminator()) {
    mapConstants(b, op, mapping);
    if (isa<arith::IndexCastOp, arith::IndexCastUIOp>(op)) {
      mapping.map(op.getResult(0),
                  castIndex(b, op, mapping.lookupOrDefault(op.getOperand(0))));
      continue;
    }
    // Such a constant is made where it is used.
    if (isa<arith::ConstantIndexOp>(op))
      continue;
    Operation *clone = b.clone(op, mapping);
    // The default, which needs no function of a library.
    if (auto round = dyn_cast<arith::TruncFOp>(clone))
      round.removeRoundingmodeAttr();
    for (Value result : clone->getResults())
      if (result.getType().isIndex())
        result.setType(b.getI64Type());
  }
  return mapping.lookupOrDefault(region.front().getTerminator()->getOperand(0));
}

ParseResult mxfp4::parseEpilogueOperands(
    OpAsmParser &parser,
    SmallVectorImpl<OpAsmParser::UnresolvedOperand> &operands,
    SmallVectorImpl<Type> &types) {
  if (failed(parser.parseOptionalLParen()))
    return success();
  return failure(parser.parseOperandList(operands) ||
                 parser.parseColonTypeList(types) || parser.parseRParen());
}

void mxfp4::printEpilogueOperands(OpAsmPrinter &printer, Operation *,
                                  OperandRange operands, TypeRange types) {
  if (!operands.empty())
    printer << "(" << operands << " : " << types << ")";
}
