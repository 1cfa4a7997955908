//===- TileRouting.cpp - Routing and combination to kernels ---------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KernelBuilding.h"
#include "KernelOutlining.h"
#include "RoutingKernels.h"

#include "mxfp4/IR/KernelSignature.h"
#include "mxfp4/IR/RoutingKernel.h"
#include "mxfp4/Transforms/Passes.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

namespace mxfp4 {
#define GEN_PASS_DEF_TILEROUTING
#include "mxfp4/Transforms/Passes.h.inc"
} // namespace mxfp4

using namespace mlir;
using namespace mxfp4;

RoutingArguments::RoutingArguments(CtaBuilder &c, gpu::GPUFuncOp kernel)
    : logits(findArgument(kernel, "logits")),
      bias(findArgument(kernel, "bias")), ids(findArgument(kernel, "ids")),
      weights(findArgument(kernel, "weights")),
      counts(findArgument(kernel, "counts")),
      offsets(findArgument(kernel, "offsets")),
      tokens(findArgument(kernel, "tokens")),
      positions(findArgument(kernel, "positions")),
      zeros(findArgument(kernel, "zeros")),
      error(findArgument(kernel, "error")), y(findArgument(kernel, "y")),
      out(findArgument(kernel, "out")), x(findArgument(kernel, "x")),
      gather(findArgument(kernel, "gather")),
      codes(findArgument(kernel, "codes")),
      scales(findArgument(kernel, "scales")),
      xRows(findArgument(kernel, "x_rows")),
      rows(c.toIndex(findArgument(kernel, "rows"))) {}

/// What keeps operations from becoming a kernel, as the rest of a sentence;
/// empty if nothing does.
static std::string unmetForRouting(const RoutingKernel &kernel) {
  for (Operation *op : kernel.operations())
    if (std::string reason = unmetForOutlining(op); !reason.empty())
      return reason;
  for (auto [name, size] :
       {std::pair("the number of experts", kernel.experts()),
        {"the number of slots", kernel.slots()},
        {kernel.combine ? "N" : "K", kernel.n()}})
    if (ShapedType::isDynamic(size))
      return std::string("requires ") + name +
             " to be static to become a kernel";
  if (kernel.experts() > kMostExperts)
    return "requires at most " + std::to_string(kMostExperts) +
           " experts to become a kernel";
  if (kernel.slots() > kMostSlots)
    return "requires at most " + std::to_string(kMostSlots) +
           " slots to become a kernel";
  if ((kernel.combine || kernel.dispatch) && kernel.n() < 1)
    return "requires at least one column to become a kernel";
  if ((kernel.quantize || kernel.dispatch) &&
      kernel.n() / kernel.vectorWidth() > kMostUnitsOfRow)
    return "requires at most " + std::to_string(kMostUnitsOfRow) +
           " vectors of " + std::to_string(kernel.vectorWidth()) +
           " columns to become a kernel, since a CTA holds a row in its "
           "registers, but K is " +
           std::to_string(kernel.n());
  return "";
}

static void buildKernel(const RoutingKernel &kernel, gpu::GPUFuncOp function) {
  CtaBuilder c(function.getLoc(), &function.getBody().front(),
               kernel.plan().threads);
  emitGridDependency(c.b);
  RoutingArguments arguments(c, function);
  if (kernel.topK && kernel.sort)
    arguments.staged =
        sharedBuffer(c.b, {SortMemory::kStagedIds}, c.b.getI32Type(),
                     SortMemory(kernel.experts()).ids);
  if (kernel.combine)
    emitCombine(c, kernel, arguments);
  if (kernel.count)
    emitCount(c, kernel, arguments);
  if (kernel.quantize)
    emitQuantizeRows(c, kernel, arguments);
  if (kernel.topK)
    emitTopK(c, kernel, arguments);
  if (kernel.topK && kernel.sort)
    c.syncCta();
  if (kernel.dispatch)
    emitDispatch(c, kernel, arguments);
  if (kernel.sort && !kernel.storesSlots())
    emitSort(c, kernel, arguments);
  gpu::ReturnOp::create(c.b);
}

/// CTAs in x for a number of tokens; one if that is 0.
static Value emitCtas(ImplicitLocOpBuilder &b, const GridRule &rule,
                      Value tokens) {
  Value one = indexConstant(b, 1);
  if (rule.isOne())
    return one;
  Value ctas =
      arith::CeilDivUIOp::create(b, tokens, indexConstant(b, rule.rows));
  return arith::MaxUIOp::create(b, ctas, one);
}

/// An operand in the shape that the kernel has it in.
static Value emitReshaped(ImplicitLocOpBuilder &b, Value operand, Type type,
                          Value tokens) {
  if (operand.getType() == type)
    return operand;
  auto to = cast<MemRefType>(type);
  SmallVector<ReassociationIndices> groups = {{0, 1}};
  for (int64_t dim = 2; dim < to.getRank(); ++dim)
    groups.push_back({dim});
  SmallVector<OpFoldResult> sizes;
  for (int64_t size : to.getShape())
    sizes.push_back(ShapedType::isDynamic(size)
                        ? OpFoldResult(tokens)
                        : OpFoldResult(b.getIndexAttr(size)));
  // Of a static number of rows, where that of tokens is not.
  auto from = cast<MemRefType>(operand.getType());
  if (!from.isDynamicDim(0) && to.isDynamicDim(0)) {
    SmallVector<int64_t> shape(from.getShape());
    shape[0] = ShapedType::kDynamic;
    operand = memref::CastOp::create(
        b, MemRefType::get(shape, from.getElementType()), operand);
  } else if (from.isDynamicDim(0) && !to.isDynamicDim(0)) {
    SmallVector<int64_t> shape(from.getShape());
    shape[0] = to.getDimSize(0) * to.getDimSize(1);
    operand = memref::CastOp::create(
        b, MemRefType::get(shape, from.getElementType()), operand);
  }
  return memref::ExpandShapeOp::create(b, to, operand, groups, sizes);
}

static void launch(const RoutingKernel &kernel, gpu::GPUFuncOp function) {
  ImplicitLocOpBuilder b(function.getLoc(), kernel.last());
  const LaunchPlan plan = kernel.plan();
  const SmallVector<RoutingKernel::Argument> arguments = kernel.arguments();
  // Everything but what is addressed by row has a token in front.
  SortByExpertOp sort = kernel.sort;
  CombineOp combine = kernel.combine;
  TopKOp topK = kernel.topK;
  CountByExpertOp count = kernel.count;
  QuantizeRowsOp quantize = kernel.quantize;
  DispatchOp dispatch = kernel.dispatch;
  Value counted = combine                ? combine.getInit()
                  : topK                 ? topK.getIds()
                  : count                ? count.getIds()
                  : dispatch             ? dispatch.getPositions()
                  : kernel.storesSlots() ? quantize.getSlotRows()
                  : quantize             ? quantize.getCodes()
                                         : sort.getIds();
  Value tokens = memref::DimOp::create(b, counted, 0);
  const auto number = [&](StringRef name) -> Value {
    Value size = name == "x_rows"
                     ? memref::DimOp::create(b, quantize.getValues(), 0)
                     : tokens;
    return arith::IndexCastOp::create(b, b.getI32Type(), size);
  };
  SmallVector<Value> values;
  for (const RoutingKernel::Argument &argument : arguments)
    values.push_back(
        argument.operand
            ? emitReshaped(b, argument.operand, argument.argument.type, tokens)
            : number(argument.argument.attr.getName()));
  emitLaunch(b, function,
             {emitCtas(b, plan.grid, tokens), indexConstant(b, plan.grid.y),
              indexConstant(b, 1)},
             plan.threads, plan.sharedBytes, values);
}

namespace {

struct TileRoutingPass : mxfp4::impl::TileRoutingBase<TileRoutingPass> {
  using TileRoutingBase::TileRoutingBase;

  void runOnOperation() override {
    if (failed(checkRowsHint(getOperation(), "mxfp4-tile-routing", rowsHint)))
      return signalPassFailure();
    const SmallVector<RoutingKernel> kernels =
        findRoutingKernels(getOperation(), rowsHint);
    for (const RoutingKernel &kernel : kernels)
      if (std::string reason = unmetForRouting(kernel); !reason.empty()) {
        kernel.last()->emitOpError() << reason;
        return signalPassFailure();
      }
    for (const RoutingKernel &kernel : kernels) {
      SmallVector<KernelArgument> signature;
      for (const RoutingKernel::Argument &argument : kernel.arguments())
        signature.push_back(argument.argument);
      const LaunchPlan plan = kernel.plan();
      gpu::GPUFuncOp function = outlineKernel(
          kernel.last(), signature, plan.threads, plan.ctasPerMultiprocessor);
      buildKernel(kernel, function);
      launch(kernel, function);
      for (Operation *op : llvm::reverse(kernel.operations()))
        op->erase();
    }
    numTiled += kernels.size();
  }
};

} // namespace
