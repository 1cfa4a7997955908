//===- RoutingKernel.cpp - Kernels around the grouped matmuls -------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mxfp4/IR/RoutingKernel.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include <numeric>

using namespace mlir;
using namespace mxfp4;

StringRef RoutingKernel::name() const {
  if (quantize)
    return "quantize_rows";
  if (combine)
    return "combine";
  if (count)
    return "count_by_expert";
  if (!sort)
    return "top_k";
  return topK ? "route" : "sort_by_expert";
}

SmallVector<Operation *> RoutingKernel::operations() const {
  SmallVector<Operation *> all;
  if (topK)
    all.push_back(topK);
  if (sort)
    all.push_back(sort);
  if (combine)
    all.push_back(combine);
  if (count)
    all.push_back(count);
  if (quantize)
    all.push_back(quantize);
  return all;
}

int64_t RoutingKernel::experts() const {
  if (combine || quantize)
    return 0;
  // Copies, since accessors of operations are not const.
  TopKOp k = topK;
  SortByExpertOp s = sort;
  CountByExpertOp c = count;
  return k ? k.getNumExperts() : c ? c.getNumExperts() : s.getNumExperts();
}

int64_t RoutingKernel::slots() const {
  if (quantize)
    return 0;
  TopKOp k = topK;
  SortByExpertOp s = sort;
  CombineOp c = combine;
  CountByExpertOp n = count;
  return c ? c.getSlots() : k ? k.getSlots() : n ? n.getSlots() : s.getSlots();
}

int64_t RoutingKernel::n() const {
  CombineOp c = combine;
  QuantizeRowsOp q = quantize;
  return c ? c.getN() : q ? q.getK() : 0;
}

static int64_t bytesOf(Value value) {
  return cast<MemRefType>(value.getType()).getElementTypeBitWidth() / 8;
}

int64_t RoutingKernel::vectorWidth() const {
  constexpr int64_t kBytes = 16;
  CombineOp c = combine;
  QuantizeRowsOp q = quantize;
  // A load has 16 bytes.
  if (q)
    return std::gcd(q.getK(), kBytes / bytesOf(q.getValues()));
  // 16 bytes of the narrower of input and output, and 32 of the wider.
  return std::gcd(
      c.getN(), kBytes / std::min(bytesOf(c.getRows()), bytesOf(c.getInit())));
}

int64_t RoutingKernel::slotWidth() const { return std::gcd(slots(), 4); }

/// As many as have four loads in flight together.
int64_t RoutingKernel::tokensTogether() const {
  constexpr int64_t kLoads = 4;
  return combine ? std::max<int64_t>(1, kLoads / slots()) : 1;
}

//===----------------------------------------------------------------------===//
// Arguments
//===----------------------------------------------------------------------===//

namespace {

class Signature {
public:
  /// Adds an operand as it is; adds nothing for an absent one.
  void add(StringRef name, Value operand, int64_t width = 1,
           Provider provider = Provider::Caller) {
    if (operand)
      add(name, operand, cast<MemRefType>(operand.getType()), width, provider);
  }

  /// An operand of T * S rows, as T times S.
  void addRows(StringRef name, Value operand, MemRefType perSlot,
               int64_t width = 1) {
    auto type = cast<MemRefType>(operand.getType());
    SmallVector<int64_t> shape(perSlot.getShape());
    llvm::append_range(shape, type.getShape().drop_front());
    add(name, operand, MemRefType::get(shape, type.getElementType()), width,
        Provider::Caller);
  }

  void addNumber(MLIRContext *context, StringRef name, Provider provider) {
    arguments.push_back({Value(),
                         {IntegerType::get(context, 32),
                          ArgAttr::get(context, name, provider, /*align=*/1,
                                       MemRefType(), false)}});
  }

  SmallVector<RoutingKernel::Argument> finish(MLIRContext *context) {
    addNumber(context, "rows", Provider::Launcher);
    return std::move(arguments);
  }

private:
  void add(StringRef name, Value operand, MemRefType type, int64_t width,
           Provider provider) {
    arguments.push_back(
        {operand,
         {type, ArgAttr::get(type.getContext(), name, provider,
                             std::min<int64_t>(16, width * bytesOf(operand)),
                             MemRefType(), false)}});
  }

  SmallVector<RoutingKernel::Argument> arguments;
};

} // namespace

static SmallVector<RoutingKernel::Argument> quantizeArguments(QuantizeRowsOp op,
                                                              int64_t width) {
  Signature signature;
  signature.add("x", op.getValues(), width);
  signature.add("gather", op.getGather());
  signature.add("codes", op.getCodes(), width);
  signature.add("scales", op.getScales());
  signature.add("error", op.getError(), 1, Provider::Launcher);
  if (op.getGather())
    signature.addNumber(op.getContext(), "x_rows", Provider::Caller);
  return signature.finish(op.getContext());
}

SmallVector<RoutingKernel::Argument> RoutingKernel::arguments() const {
  Signature signature;
  TopKOp k = topK;
  SortByExpertOp s = sort;
  if (quantize)
    return quantizeArguments(quantize, vectorWidth());
  if (CombineOp c = combine) {
    const int64_t width = vectorWidth();
    auto positions = cast<MemRefType>(c.getPositions().getType());
    signature.addRows("y", c.getRows(), positions, width);
    signature.add("positions", c.getPositions(), slotWidth());
    signature.add("weights", c.getWeights(), slotWidth());
    signature.add("out", c.getInit(), width);
    signature.add("error", c.getError(), 1, Provider::Launcher);
    return signature.finish(c.getContext());
  }
  if (CountByExpertOp c = count) {
    signature.add("ids", c.getIds());
    signature.add("counts", c.getCounts(), std::gcd<int64_t>(experts(), 4));
    return signature.finish(c.getContext());
  }
  if (k) {
    signature.add("logits", k.getLogits());
    signature.add("bias", k.getBias());
    signature.add("ids", k.getIds());
    signature.add("weights", k.getWeights());
    signature.add("counts", k.getCounts(), std::gcd<int64_t>(experts(), 4));
  }
  if (s) {
    if (!k) {
      signature.add("ids", s.getIds());
      signature.add("counts", s.getCounts(), std::gcd<int64_t>(experts(), 4));
    }
    signature.add("offsets", s.getOffsets());
    signature.addRows("tokens", s.getTokens(),
                      cast<MemRefType>(s.getIds().getType()));
    signature.add("positions", s.getPositions());
    signature.add("error", s.getError(), 1, Provider::Launcher);
  }
  return signature.finish(last()->getContext());
}

LaunchPlan RoutingKernel::plan() const {
  static_assert(TopKOp::kBlocks == kCountBlocks &&
                TopKOp::kBlockTokens == kCountBlockTokens);
  TopKOp k = topK;
  SortByExpertOp s = sort;
  if (combine)
    return combinePlan(n() / vectorWidth(), tokensTogether());
  if (quantize)
    return quantizeRowsPlan(n() / vectorWidth());
  if (count)
    return countPlan(experts());
  if (k && s)
    return routePlan(experts());
  return k ? topKPlan(experts(), bool(k.getCounts()))
           : sortPlan(experts(), slots(), bool(s.getCounts()));
}

//===----------------------------------------------------------------------===//
// Finding them
//===----------------------------------------------------------------------===//

/// Whether nothing but computation and allocation lies between two operations.
static bool isNext(Operation *first, Operation *second) {
  if (first->getBlock() != second->getBlock())
    return false;
  for (Operation *op = first->getNextNode(); op; op = op->getNextNode()) {
    if (op == second)
      return true;
    if (!isMemoryEffectFree(op) && !isa<memref::AllocOp, memref::AllocaOp>(op))
      return false;
  }
  return false;
}

/// Whether a sort becomes one kernel with the top_k whose ids it sorts.
static bool isFused(TopKOp topK, SortByExpertOp sort, int64_t rowsHint) {
  if (!topK || topK.getCounts() || sort.getCounts() ||
      topK.getIds() != sort.getIds() || !isNext(topK, sort))
    return false;
  auto logits = dyn_cast<MemRefType>(topK.getLogits().getType());
  const int64_t slots = topK.getSlots();
  if (!logits || ShapedType::isDynamic(slots) ||
      ShapedType::isDynamic(topK.getNumExperts()) ||
      topK.getNumExperts() != sort.getNumExperts() ||
      topK.getNumExperts() > kMostExpertsOfOneCta)
    return false;
  const int64_t rows = logits.isDynamicDim(0)
                           ? rowsHint
                           : std::max<int64_t>(1, logits.getDimSize(0)) * slots;
  return rows > 0 && rows <= kMostTokensOfOneCta * slots;
}

SmallVector<RoutingKernel> mxfp4::findRoutingKernels(Operation *root,
                                                     int64_t rowsHint) {
  SmallVector<RoutingKernel> kernels;
  root->walk([&](Operation *op) {
    if (auto topK = dyn_cast<TopKOp>(op))
      kernels.push_back({topK, {}, {}, {}, {}});
    if (auto combine = dyn_cast<CombineOp>(op))
      kernels.push_back({{}, {}, combine, {}, {}});
    if (auto count = dyn_cast<CountByExpertOp>(op))
      kernels.push_back({{}, {}, {}, count, {}});
    if (auto quantize = dyn_cast<QuantizeRowsOp>(op))
      kernels.push_back({{}, {}, {}, {}, quantize});
    auto sort = dyn_cast<SortByExpertOp>(op);
    if (!sort)
      return;
    if (!kernels.empty() && !kernels.back().sort &&
        isFused(kernels.back().topK, sort, rowsHint))
      kernels.back().sort = sort;
    else
      kernels.push_back({{}, sort, {}, {}, {}});
  });
  return kernels;
}
