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
    return sort ? "sort_quantize" : "quantize_rows";
  if (dispatch)
    return sort ? "sort_dispatch" : "dispatch";
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
  if (dispatch)
    all.push_back(dispatch);
  return all;
}

int64_t RoutingKernel::experts() const {
  if (!topK && !sort && !count)
    return 0;
  // Copies, since accessors of operations are not const.
  TopKOp k = topK;
  SortByExpertOp s = sort;
  CountByExpertOp c = count;
  return k ? k.getNumExperts() : c ? c.getNumExperts() : s.getNumExperts();
}

int64_t RoutingKernel::slots() const {
  // Copies, as above.
  if (CombineOp c = combine)
    return c.getSlots();
  if (DispatchOp d = dispatch)
    return d.getSlots();
  if (QuantizeRowsOp q = quantize) {
    Value scatter = q.getSlotRows();
    return scatter ? cast<ShapedType>(scatter.getType()).getDimSize(1) : 0;
  }
  TopKOp k = topK;
  SortByExpertOp s = sort;
  CountByExpertOp n = count;
  return k ? k.getSlots() : n ? n.getSlots() : s.getSlots();
}

int64_t RoutingKernel::n() const {
  CombineOp c = combine;
  QuantizeRowsOp q = quantize;
  DispatchOp d = dispatch;
  return c ? c.getN() : q ? q.getK() : d ? d.getK() : 0;
}

static int64_t bytesOf(Value value) {
  return cast<MemRefType>(value.getType()).getElementTypeBitWidth() / 8;
}

int64_t RoutingKernel::vectorWidth() const {
  constexpr int64_t kBytes = 16;
  CombineOp c = combine;
  QuantizeRowsOp q = quantize;
  DispatchOp d = dispatch;
  // A load has 16 bytes.
  if (q)
    return std::gcd(q.getK(), kBytes / bytesOf(q.getValues()));
  if (d)
    return std::gcd(d.getK(), kBytes / bytesOf(d.getValues()));
  // 16 bytes of the narrower of input and output, and 32 of the wider.
  return std::gcd(
      c.getN(), kBytes / std::min(bytesOf(c.getRows()), bytesOf(c.getInit())));
}

bool RoutingKernel::storesSlots() const {
  QuantizeRowsOp q = quantize;
  return dispatch || (q && q.getSlotRows());
}

/// Rows that are rounded take more registers, of which 8 to 232 bytes would be
/// spilled with six or eight slots, or where counts come one or two at a time.
bool RoutingKernel::storesLeanSlots() const {
  constexpr int64_t kFewSlots = 4, kCounts = 4;
  QuantizeRowsOp q = quantize;
  return dispatch || (q && q.getScatter() && slots() <= kFewSlots &&
                      experts() % kCounts == 0);
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

/// Of a sort: what it reads, where no kernel of the ids does, and what it
/// writes.
static void addSort(Signature &signature, SortByExpertOp op, bool hasIds) {
  if (!hasIds) {
    signature.add("ids", op.getIds());
    signature.add("counts", op.getCounts(),
                  std::gcd<int64_t>(op.getNumExperts(), 4));
  }
  signature.add("offsets", op.getOffsets());
  signature.addRows("tokens", op.getTokens(),
                    cast<MemRefType>(op.getIds().getType()));
  signature.add("positions", op.getPositions());
  signature.add("zeros", op.getZeros());
}

/// Of what stores each row in the rows of its slots.
static SmallVector<RoutingKernel::Argument>
slotArguments(const RoutingKernel &kernel) {
  const int64_t width = kernel.vectorWidth();
  DispatchOp d = kernel.dispatch;
  QuantizeRowsOp q = kernel.quantize;
  Value positions = d ? d.getPositions() : q.getSlotRows();
  auto perSlot = cast<MemRefType>(positions.getType());
  Signature signature;
  signature.add("x", d ? d.getValues() : q.getValues(), width);
  if (kernel.sort) {
    addSort(signature, kernel.sort, /*hasIds=*/false);
  } else {
    signature.add("positions", positions, kernel.slotWidth());
  }
  if (d) {
    signature.addRows("out", d.getInit(), perSlot, width);
  } else {
    if (q.getScatter())
      signature.addRows("codes", q.getCodes(), perSlot, width);
    else
      signature.add("codes", q.getCodes(), width);
    signature.addRows("scales", q.getScales(), perSlot);
  }
  SortByExpertOp sort = kernel.sort;
  signature.add("error",
                sort ? sort.getError()
                : d  ? d.getError()
                     : q.getError(),
                1, Provider::Launcher);
  return signature.finish(positions.getContext());
}

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
  if (storesSlots())
    return slotArguments(*this);
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
    addSort(signature, s, /*hasIds=*/bool(k));
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
  if (storesSlots())
    return dispatchPlan(n() / vectorWidth(),
                        sort ? sumsOfOneToken(experts(), slots()) : 0,
                        storesLeanSlots());
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

/// Whether a sort becomes one kernel with what stores in its rows, `next`.
static bool isFused(SortByExpertOp sort, Operation *next, Value positions,
                    Value error, int64_t rowsHint) {
  if (!sort || !sort.getCounts() || sort.getPositions() != positions ||
      !isNext(sort, next) || (error && error != sort.getError()))
    return false;
  auto ids = dyn_cast<MemRefType>(sort.getIds().getType());
  const int64_t slots = sort.getSlots(), experts = sort.getNumExperts();
  if (!ids || ShapedType::isDynamic(slots) || ShapedType::isDynamic(experts) ||
      slots > kMostSlotsOfOneToken)
    return false;
  const int64_t rows = ids.isDynamicDim(0) ? rowsHint : ids.getNumElements();
  return rows > 0 && isFewOfOneToken(llvm::divideCeil(rows, slots), experts,
                                     isa<QuantizeRowsOp>(next));
}

SmallVector<RoutingKernel> mxfp4::findRoutingKernels(Operation *root,
                                                     int64_t rowsHint) {
  SmallVector<RoutingKernel> kernels;
  // The kernel of a sort that stores in its rows, or a kernel of its own.
  const auto storing = [&](Operation *op, Value positions,
                           Value error) -> RoutingKernel & {
    if (kernels.empty() || kernels.back().topK ||
        kernels.back().storesSlots() ||
        !isFused(kernels.back().sort, op, positions, error, rowsHint))
      kernels.emplace_back();
    return kernels.back();
  };
  root->walk([&](Operation *op) {
    if (auto topK = dyn_cast<TopKOp>(op))
      kernels.emplace_back().topK = topK;
    if (auto combine = dyn_cast<CombineOp>(op))
      kernels.emplace_back().combine = combine;
    if (auto count = dyn_cast<CountByExpertOp>(op))
      kernels.emplace_back().count = count;
    if (auto quantize = dyn_cast<QuantizeRowsOp>(op))
      storing(op, quantize.getSlotRows(), quantize.getError()).quantize =
          quantize;
    if (auto dispatch = dyn_cast<DispatchOp>(op))
      storing(op, dispatch.getPositions(), dispatch.getError()).dispatch =
          dispatch;
    auto sort = dyn_cast<SortByExpertOp>(op);
    if (!sort)
      return;
    if (!kernels.empty() && !kernels.back().sort &&
        isFused(kernels.back().topK, sort, rowsHint))
      kernels.back().sort = sort;
    else
      kernels.emplace_back().sort = sort;
  });
  return kernels;
}
