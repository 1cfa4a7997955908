//===- KernelSignature.cpp - The arguments of a kernel --------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mxfp4/IR/KernelSignature.h"

#include "mxfp4/Core/RowCounters.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace mxfp4;

//===----------------------------------------------------------------------===//
// Operands
//===----------------------------------------------------------------------===//

MatmulSizes MatmulSizes::of(GroupedMatmulOp op) {
  return {cast<ShapedType>(op.getRowSource().getType()).getDimSize(0),
          op.getNumExperts(),
          op.getNumGroups(),
          op.getN(),
          op.getK(),
          op.getBlockType(),
          op.getOutputType().getElementType(),
          op.getActivationsType().getElementType(),
          op.getThrough() ? RowCounters::kWords : 2};
}

/// Whether an epilogue only multiplies sums with the powers of columns and the
/// scales of rows that 8-bit numbers have.
static bool onlyScales(GroupedMatmulOp op) {
  constexpr size_t kScales = 2;
  return op.hasEpilogue() && op.getEpilogueOperands().size() == kScales &&
         llvm::all_of(op.getEpilogue()[0].front(), [](Operation &each) {
           return isa<arith::MulFOp, arith::TruncFOp, arith::ExtFOp, YieldOp>(
               each);
         });
}

Problem mxfp4::schedulingProblem(GroupedMatmulOp op, int64_t rowsHint) {
  Problem problem = {op.getNumExperts(), op.getNumGroups(),
                     op.getN(),          op.getK(),
                     rowsHint,           op.getGather() && !op.bringsRows()};
  if (BlockType block = op.getBlockType())
    problem.layout = block.getLayout();
  if (std::optional<NumberType> type =
          numberTypeOf(getElementTypeOrSelf(op.getActivations())))
    problem.activations = *type;
  problem.promotion = static_cast<int>(op.getPromotion());
  problem.through = bool(op.getThrough());
  // Ids are read as late as they were, because bad ones are reported.
  problem.olderInputs = op.getOlderInputs() && !op.getExpertIds();
  // What a layer computes with sums is more, or comes behind older inputs.
  const bool isAlone =
      problem.activations == NumberType::E4M3 && !op.getOlderInputs();
  problem.hasEpilogue = op.hasEpilogue() && !(isAlone && onlyScales(op));
  problem.hasIds = bool(op.getExpertIds());
  problem.readsRowValues =
      llvm::any_of(op.getEpilogueOperands(), [](Value operand) {
        return cast<ShapedType>(operand.getType()).getRank() == 1;
      });
  return problem;
}

LogicalResult mxfp4::checkRowsHint(Operation *op, StringRef pass,
                                   int64_t rowsHint) {
  if (rowsHint >= 0)
    return success();
  return op->emitError() << pass
                         << " expects rows-hint= with a number of rows, or 0 "
                            "where it is not known, but got "
                         << rowsHint;
}

/// `with` of a size, if it is known.
static int64_t map(int64_t size, function_ref<int64_t(int64_t)> with) {
  return ShapedType::isDynamic(size) ? size : with(size);
}

static MemRefType words(const MatmulSizes &sizes, int64_t count) {
  return MemRefType::get({count},
                         IntegerType::get(sizes.output.getContext(), 32));
}

ArrayRef<MatmulOperand> mxfp4::matmulOperands() {
  using Sizes = MatmulSizes;
  static const MatmulOperand operands[] = {
      {"x", "activations", Provider::Caller, /*isOptional=*/false,
       /*alignedElements=*/0,
       [](const Sizes &s) {
         return MemRefType::get({s.rows, s.k}, s.activations);
       }},
      {"weights", "packed weights", Provider::Caller, false, 16,
       [](const Sizes &s) {
         const BlockLayout layout = layoutOf(s.block);
         return MemRefType::get(
             {s.experts,
              map(s.n, [&](int64_t n) { return layout.rowBlocks(n); }),
              map(s.k, [&](int64_t k) { return layout.colBlocks(k); })},
             s.block);
       }},
      {"offsets", "offsets", Provider::Caller, false, 1,
       [](const Sizes &s) {
         return words(s, map(s.groups, [](int64_t g) { return g + 1; }));
       }},
      {"expert_ids", "expert ids", Provider::Caller, true, 1,
       [](const Sizes &s) { return words(s, s.groups); }},
      // A thread stores pairs.
      {"y", "an output", Provider::Caller, false, 2,
       [](const Sizes &s) { return MemRefType::get({s.rows, s.n}, s.output); }},
      {"error", "an error word", Provider::Launcher, true, 1,
       [](const Sizes &s) { return words(s, 1); }},
      {"workspace", "a workspace", Provider::Launcher, true, 1,
       [](const Sizes &s) { return words(s, s.words); }},
      {"gather", "rows to gather", Provider::Caller, true, 1,
       [](const Sizes &s) { return words(s, s.rows); }},
      {"scatter", "rows to scatter to", Provider::Caller, true, 1,
       [](const Sizes &s) { return words(s, s.rows); }},
      // Each by its own type.
      {"epilogue", "epilogue operands", Provider::Caller, true, 2, nullptr},
      {"through", "memory for gathered rows", Provider::Caller, true, 0,
       [](const Sizes &s) {
         return MemRefType::get({s.rows, s.k}, s.activations);
       }},
      {"stored", "counts of what is stored", Provider::Caller, true, 1,
       [](const Sizes &s) { return words(s, s.groups); }},
      {"awaited", "counts to wait for", Provider::Caller, true, 1,
       [](const Sizes &s) { return words(s, s.groups); }},
  };
  static_assert(
      std::size(operands) ==
          std::tuple_size_v<
              decltype(GroupedMatmulOp::Properties::operandSegmentSizes)>,
      "a row for each operand that the operation declares");
  return operands;
}

bool MatmulOperand::isOfProblem() const {
  return isOptional && type && provider == Provider::Caller &&
         !llvm::is_contained({"through", "stored", "awaited"}, name);
}

/// Where a warp hands out tiles, it waits. Kernels that copy weights ahead have
/// a wait for the kernel ahead in each role.
bool mxfp4::awaitsGroups(const Schedule &schedule) {
  return schedule.traits().isAsynchronous && !schedule.copiesAhead;
}

//===----------------------------------------------------------------------===//
// Signatures
//===----------------------------------------------------------------------===//

/// Bytes of an element; blocks of weights are bytes.
static int64_t elementBytes(Type element) {
  return isa<BlockType>(element) ? 1 : element.getIntOrFloatBitWidth() / 8;
}

/// What TMA and cp.async copy at least.
static constexpr int64_t kCopyBytes = 16;

/// Kernels with wgmma read activations through TMA, unless they gather them or
/// bring them to other memory.
static bool readsThroughTma(GroupedMatmulOp op) {
  ScheduleAttr schedule = op.getScheduleAttr();
  return schedule && traitsOf(schedule.getInstruction()).isAsynchronous &&
         !op.getGather();
}

static Type tensorMapOf(GroupedMatmulOp op) {
  const Schedule schedule = op.getScheduleAttr().toSchedule();
  return TensorMapType::get(op.getContext(), schedule.mostTokens(),
                            schedule.tokenStep);
}

SmallVector<KernelArgument> mxfp4::kernelSignature(GroupedMatmulOp op) {
  MLIRContext *context = op.getContext();
  SmallVector<KernelArgument> arguments;
  for (auto [i, operand] : llvm::enumerate(matmulOperands()))
    for (auto [j, value] : llvm::enumerate(op.getODSOperands(i))) {
      auto type = cast<MemRefType>(value.getType());
      // A kernel reads pairs of columns of what has columns.
      const int64_t elements =
          operand.type || type.getRank() == 2 ? operand.alignedElements : 1;
      std::string name = operand.name.str();
      if (!operand.type)
        name += std::to_string(j);
      const auto attr = ArgAttr::get(
          context, name, operand.provider,
          elements == 0 ? kCopyBytes
                        : elements * elementBytes(type.getElementType()),
          MemRefType(), false);
      if (i == 0 && readsThroughTma(op))
        arguments.push_back({tensorMapOf(op), attr.mapping(type)});
      else
        arguments.push_back({type, attr});
    }
  auto number = [&](StringRef name, Provider provider) {
    arguments.push_back({IntegerType::get(context, 32),
                         ArgAttr::get(context, name, provider, /*align=*/1,
                                      MemRefType(), false)});
  };
  number("rows", Provider::Launcher);
  if (op.getGather())
    number("x_rows", Provider::Caller);
  if (op.getScatter())
    number("y_rows", Provider::Caller);
  // The same memory as TMA reads it.
  if (op.bringsRows())
    arguments.push_back(
        {tensorMapOf(op),
         ArgAttr::get(context, "through_maps", Provider::Caller, kCopyBytes,
                      cast<MemRefType>(op.getThrough().getType()), false)});
  return arguments;
}

static ArgAttr argAttr(FunctionOpInterface kernel, unsigned number) {
  return kernel.getArgAttrOfType<ArgAttr>(number,
                                          MXFP4Dialect::getArgAttrName());
}

FailureOr<SmallVector<KernelArgument>>
mxfp4::kernelSignature(FunctionOpInterface kernel) {
  SmallVector<KernelArgument> arguments;
  for (auto [i, type] : llvm::enumerate(kernel.getArgumentTypes())) {
    ArgAttr attr = argAttr(kernel, i);
    if (!attr)
      return kernel.emitOpError()
             << "requires mxfp4.arg on each of its arguments, to say how it is "
                "launched, but argument "
             << i << " has none";
    arguments.push_back({type, attr});
  }
  return arguments;
}

BlockArgument mxfp4::findArgument(FunctionOpInterface kernel, StringRef name) {
  for (unsigned i = 0; i < kernel.getNumArguments(); ++i)
    if (ArgAttr attr = argAttr(kernel, i); attr && attr.getName() == name)
      return kernel.getArgument(i);
  return {};
}

//===----------------------------------------------------------------------===//
// Verification
//===----------------------------------------------------------------------===//

LogicalResult ArgAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                              StringRef name, Provider, int64_t align,
                              MemRefType, bool) {
  const auto isPart = [](char c) { return llvm::isAlnum(c) || c == '_'; };
  if (name.empty() || llvm::isDigit(name[0]) || !llvm::all_of(name, isPart))
    return emitError() << "requires a name of letters, digits and '_' that "
                          "begins with no digit, but got \""
                       << name << "\"";
  if (align < 1 || align > 1024 || !llvm::isPowerOf2_64(align))
    return emitError() << "requires an alignment that is a power of two from 1 "
                          "to 1024 bytes, but got "
                       << align;
  return success();
}

/// What is wrong with an argument of this type that is described so, as the
/// rest of a sentence; empty if nothing is.
static std::string problemOf(Type type, ArgAttr attr) {
  std::string text;
  llvm::raw_string_ostream os(text);
  if (isa<TensorMapType>(type)) {
    MemRefType maps = attr.getMaps();
    if (!maps || maps.getRank() != 2 || !isActivation(maps.getElementType()))
      os << "a tensor map to say that it maps a memref of rank 2 and element "
            "type bf16 or f8E4M3FN";
  } else if (attr.getMaps()) {
    os << "only a tensor map to map a memref, but has type '" << type << "'";
  }
  auto buffer = dyn_cast<MemRefType>(attr.getMaps() ? attr.getMaps() : type);
  if (!text.empty())
    return text;
  if (buffer) {
    const size_t first = std::min<size_t>(1, buffer.getRank());
    if (!buffer.getLayout().isIdentity() || buffer.getMemorySpace() ||
        llvm::any_of(buffer.getShape().drop_front(first),
                     ShapedType::isDynamic))
      os << "a contiguous memref in global memory whose only dynamic size is "
            "the first, but got "
         << "'" << buffer << "'";
  } else if (!isa<IntegerType>(type)) {
    os << "a memref, a tensor map or an integer, but got '" << type << "'";
  } else if (attr.getNullable() || attr.getAlign() != 1) {
    os << "no alignment of an integer, and no null";
  }
  return text;
}

LogicalResult MXFP4Dialect::verifyRegionArgAttribute(Operation *op, unsigned,
                                                     unsigned number,
                                                     NamedAttribute named) {
  if (named.getName() != getArgAttrName())
    return success();
  auto attr = dyn_cast<ArgAttr>(named.getValue());
  if (!attr)
    return op->emitOpError()
           << "requires mxfp4.arg of argument " << number
           << " to be #mxfp4.arg<...>, but got " << named.getValue();
  auto kernel = dyn_cast<gpu::GPUFuncOp>(op);
  if (!kernel || !kernel.isKernel())
    return op->emitOpError("has mxfp4.arg on an argument, which belongs on "
                           "those of a kernel (gpu.func ... kernel)");
  for (unsigned other = 0; other < number; ++other)
    if (ArgAttr before = argAttr(kernel, other);
        before && before.getName() == attr.getName())
      return op->emitOpError()
             << "requires different names of its arguments, but " << other
             << " and " << number << " are both mxfp4.arg \"" << attr.getName()
             << "\"";
  const std::string problem =
      problemOf(kernel.getFunctionType().getInput(number), attr);
  if (problem.empty())
    return success();
  return op->emitOpError() << "requires of argument " << number << ", \""
                           << attr.getName() << "\", " << problem;
}
