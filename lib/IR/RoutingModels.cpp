//===- RoutingModels.cpp - Interfaces of the routing operations -----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "InterfaceModels.h"

using namespace mlir;
using namespace mxfp4;

namespace {

/// Sizes that two operands share.
void requireEqual(Checks &checks, Value value, int64_t dim, Value like,
                  int64_t likeDim, StringRef text) {
  checks.requireSize(value, dim, checks.mixedSize(like, likeDim), text);
}

/// The product of two sizes of an operand.
OpFoldResult product(Checks &checks, Value value) {
  std::optional<int64_t> a = getConstantIntValue(checks.mixedSize(value, 0));
  std::optional<int64_t> b = getConstantIntValue(checks.mixedSize(value, 1));
  if (a && b)
    return checks.b.getIndexAttr(*a * *b);
  return arith::MulIOp::create(checks.b, checks.loc, checks.size(value, 0),
                               checks.size(value, 1))
      .getResult();
}

struct TopKChecks : BufferChecks<TopKChecks, TopKOp> {
  void verify(TopKOp topK, Checks &checks) const {
    Value logits = topK.getLogits(), ids = topK.getIds();
    requireEqual(checks, ids, 0, logits, 0,
                 "ids must have a row for each token");
    for (int64_t dim : {0, 1})
      requireEqual(checks, topK.getWeights(), dim, ids, dim,
                   "weights must have the shape of the ids");
    if (topK.getBias())
      requireEqual(checks, topK.getBias(), 0, logits, 1,
                   "the bias must have an entry for each expert");
    if (topK.getCounts())
      requireEqual(checks, topK.getCounts(), 1, logits, 1,
                   "counts must have a column for each expert");
    if (ShapedType::isDynamic(topK.getSlots()) ||
        ShapedType::isDynamic(topK.getNumExperts()))
      checks.require(
          arith::CmpIOp::create(checks.b, checks.loc, arith::CmpIPredicate::ule,
                                checks.size(ids, 1), checks.size(logits, 1)),
          "there must be at most as many slots as experts");
  }
};

struct SortChecks : BufferChecks<SortChecks, SortByExpertOp> {
  void verify(SortByExpertOp sort, Checks &checks) const {
    Value ids = sort.getIds();
    for (int64_t dim : {0, 1})
      requireEqual(checks, sort.getPositions(), dim, ids, dim,
                   "positions must have the shape of the ids");
    checks.requireSize(sort.getTokens(), 0, product(checks, ids),
                       "tokens must have an entry for each slot");
    if (ShapedType::isDynamic(sort.getNumExperts()))
      checks.require(arith::CmpIOp::create(
                         checks.b, checks.loc, arith::CmpIPredicate::ugt,
                         checks.size(sort.getOffsets(), 0), checks.index(1)),
                     "offsets must have an entry more than there are experts");
  }
};

struct DispatchChecks : BufferChecks<DispatchChecks, DispatchOp> {
  void verify(DispatchOp dispatch, Checks &checks) const {
    Value values = dispatch.getValues(), rows = dispatch.getInit();
    Value positions = dispatch.getPositions();
    requireEqual(checks, positions, 0, values, 0,
                 "positions and values must have as many tokens");
    requireEqual(checks, rows, 1, values, 1,
                 "output and values must have as many columns");
    checks.requireSize(rows, 0, product(checks, positions),
                       "there must be a row for each slot");
  }
};

struct CombineChecks : BufferChecks<CombineChecks, CombineOp> {
  void verify(CombineOp combine, Checks &checks) const {
    Value positions = combine.getPositions(), rows = combine.getRows();
    requireEqual(checks, combine.getInit(), 0, positions, 0,
                 "output and positions must have as many tokens");
    requireEqual(checks, combine.getInit(), 1, rows, 1,
                 "output and rows must have as many columns");
    for (int64_t dim : {0, 1})
      requireEqual(checks, combine.getWeights(), dim, positions, dim,
                   "weights must have the shape of the positions");
    checks.requireSize(rows, 0, product(checks, positions),
                       "there must be a row for each slot");
  }
};

struct QuantizeRowsChecks : BufferChecks<QuantizeRowsChecks, QuantizeRowsOp> {
  void verify(QuantizeRowsOp quantize, Checks &checks) const {
    Value values = quantize.getValues(), codes = quantize.getCodes();
    Value gather = quantize.getGather();
    Value slotRows = quantize.getSlotRows();
    if (slotRows)
      requireEqual(checks, slotRows, 0, values, 0,
                   "there must be rows to scatter to for each row");
    if (Value scatter = quantize.getScatter()) {
      checks.requireSize(codes, 0, product(checks, scatter),
                         "there must be codes for each row to scatter to");
    } else {
      requireEqual(checks, codes, 0, gather ? gather : values, 0,
                   gather ? "there must be codes for each row to gather"
                          : "there must be codes for each row");
    }
    requireEqual(checks, codes, 1, values, 1,
                 "codes and values must have as many columns");
    if (quantize.getScatterScales())
      checks.requireSize(quantize.getScales(), 0, product(checks, slotRows),
                         "there must be a scale for each row to scatter to");
    else
      requireEqual(checks, quantize.getScales(), 0, codes, 0,
                   "there must be a scale for each row");
  }
};

} // namespace

void mxfp4::attachRoutingModels(MLIRContext &context) {
  TopKOp::attachInterface<DestinationModel<TopKOp>, TopKChecks>(context);
  SortByExpertOp::attachInterface<DestinationModel<SortByExpertOp>, SortChecks>(
      context);
  DispatchOp::attachInterface<DestinationModel<DispatchOp>, DispatchChecks>(
      context);
  CombineOp::attachInterface<DestinationModel<CombineOp>, CombineChecks>(
      context);
  QuantizeRowsOp::attachInterface<DestinationModel<QuantizeRowsOp>,
                                  QuantizeRowsChecks>(context);
}
