//===- CpuKernel.cpp - C interface: run the specification -----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Handles.h"

#include "mxfp4/IR/KernelSignature.h"
#include "mxfp4/Pipeline/Pipeline.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/ExecutionEngine/ExecutionEngine.h"
#include "mlir/ExecutionEngine/OptUtils.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/TargetSelect.h"

#include <cstring>
#include <mutex>
#include <vector>

using namespace mlir;
using namespace mxfp4;

struct mxfp4_cpu_kernel {
  std::unique_ptr<ExecutionEngine> engine;
  void (*entry)(void **) = nullptr;
  int64_t experts, groups;
  /// An argument of the function: a buffer of the caller's by name, or zeros.
  struct Argument {
    std::string name;
    bool isCallers;
    llvm::SmallVector<int64_t> shape;
    int64_t bytes;
  };
  std::vector<Argument> arguments;
};

namespace {

/// A memref descriptor, as MLIR's C interface passes it: two pointers, the
/// offset, sizes and strides. A dynamic size is the number of rows.
std::vector<int64_t> descriptor(const void *data, ArrayRef<int64_t> shape,
                                int64_t rows) {
  const auto address = static_cast<int64_t>(reinterpret_cast<intptr_t>(data));
  std::vector<int64_t> words = {address, address, 0};
  for (int64_t size : shape)
    words.push_back(ShapedType::isDynamic(size) ? rows : size);
  const size_t sizes = 3, rank = shape.size();
  words.resize(sizes + 2 * rank, 1);
  for (size_t i = rank; i-- > 1;)
    words[sizes + rank + i - 1] = words[sizes + rank + i] * words[sizes + i];
  return words;
}

/// The function and operation that `mxfp4_problem_to_mlir` makes.
GroupedMatmulOp findProblem(ModuleOp module) {
  auto function = module.lookupSymbol<func::FuncOp>("grouped_matmul");
  GroupedMatmulOp found;
  if (function)
    function.walk([&](GroupedMatmulOp op) { found = op; });
  const bool fits =
      found && found.getBlockType() && found.getError() &&
      found.getWorkspace() &&
      function.getNumArguments() == found->getNumOperands() &&
      llvm::equal(function.getArguments(), found->getOperands()) &&
      llvm::none_of(ArrayRef({found.getN(), found.getK(), found.getNumExperts(),
                              found.getNumGroups()}),
                    ShapedType::isDynamic);
  if (fits)
    return found;
  module.emitError("expected a function @grouped_matmul as "
                   "mxfp4_problem_to_mlir makes it: one "
                   "mxfp4.grouped_matmul with static N, K, experts and groups "
                   "on the function's arguments");
  return nullptr;
}

std::unique_ptr<ExecutionEngine> makeEngine(ModuleOp module) {
  static std::once_flag once;
  std::call_once(once, [] {
    llvm::InitializeNativeTarget();
    llvm::InitializeNativeTargetAsmPrinter();
  });
  ExecutionEngineOptions options;
  auto optimise = makeOptimizingTransformer(/*optLevel=*/2, /*sizeLevel=*/0,
                                            /*targetMachine=*/nullptr);
  options.transformer = optimise;
  options.jitCodeGenOptLevel = llvm::CodeGenOptLevel::Default;
  auto engine = ExecutionEngine::create(module, options);
  if (engine)
    return std::move(*engine);
  module.emitError() << "cannot compile for this CPU: "
                     << llvm::toString(engine.takeError());
  return nullptr;
}

/// 0, or what is wrong with the run's offsets and ids.
int checkGroups(const mxfp4_cpu_kernel &kernel, int64_t rows,
                const int32_t *offsets, const int32_t *ids) {
  if (offsets[0] != 0 || offsets[kernel.groups] != rows)
    return 1;
  for (int64_t g = 0; g < kernel.groups; ++g) {
    if (offsets[g] > offsets[g + 1])
      return 1;
    if (ids && (ids[g] < -1 || ids[g] >= kernel.experts))
      return 2;
  }
  return 0;
}

/// The arguments of the function, which are the operation's operands.
std::vector<mxfp4_cpu_kernel::Argument> argumentsOf(GroupedMatmulOp op) {
  std::vector<mxfp4_cpu_kernel::Argument> arguments;
  for (const KernelArgument &argument : kernelSignature(op)) {
    auto type = dyn_cast<MemRefType>(argument.type);
    if (!type)
      continue; // The number of rows is in the descriptors.
    const bool isCallers = argument.attr.getProvider() == Provider::Caller;
    const int64_t bytes =
        isCallers ? 0
                  : type.getNumElements() * type.getElementTypeBitWidth() / 8;
    arguments.push_back({argument.attr.getName().str(), isCallers,
                         llvm::SmallVector<int64_t>(type.getShape()), bytes});
  }
  return arguments;
}

} // namespace

mxfp4_cpu_kernel *mxfp4_jit(mxfp4_compiler *compiler, const char *mlir) {
  OwningOpRef<ModuleOp> module = compiler->parse(mlir);
  if (!module)
    return nullptr;
  GroupedMatmulOp op = findProblem(*module);
  if (!op)
    return nullptr;
  auto kernel = std::make_unique<mxfp4_cpu_kernel>();
  kernel->experts = op.getNumExperts();
  kernel->groups = op.getNumGroups();
  kernel->arguments = argumentsOf(op);
  op->getParentOfType<func::FuncOp>()->setAttr(
      LLVM::LLVMDialect::getEmitCWrapperAttrName(),
      UnitAttr::get(&compiler->context));

  PassManager pm(&compiler->context);
  buildCpuPipeline(pm);
  if (failed(pm.run(*module)))
    return nullptr;
  registerBuiltinDialectTranslation(compiler->context);
  registerLLVMDialectTranslation(compiler->context);
  kernel->engine = makeEngine(*module);
  if (!kernel->engine)
    return nullptr;
  auto entry = kernel->engine->lookupPacked("_mlir_ciface_grouped_matmul");
  if (!entry) {
    emitError(compiler->unknownLocation())
        << "the compiled module lacks its entry: "
        << llvm::toString(entry.takeError());
    return nullptr;
  }
  kernel->entry = *entry;
  return kernel.release();
}

int mxfp4_cpu_run(const mxfp4_cpu_kernel *kernel, const void *x, int64_t rows,
                  const void *weights, const int32_t *offsets,
                  const int32_t *expert_ids, void *y) {
  const mxfp4_operand operands[] = {
      {"x", const_cast<void *>(x)},
      {"weights", const_cast<void *>(weights)},
      {"offsets", const_cast<int32_t *>(offsets)},
      {"y", y},
      {"expert_ids", const_cast<int32_t *>(expert_ids)}};
  const size_t count = std::size(operands) - (expert_ids ? 0 : 1);
  return mxfp4_cpu_run_operands(kernel, rows, operands, count);
}

int mxfp4_cpu_run_operands(const mxfp4_cpu_kernel *kernel, int64_t rows,
                           const mxfp4_operand *operands, size_t count) {
  if (!kernel || (count && !operands))
    return 3;
  llvm::StringMap<void *> given;
  for (size_t i = 0; i < count; ++i) {
    if (!operands[i].name)
      return 3;
    given[operands[i].name] = operands[i].data;
  }
  std::vector<std::vector<char>> zeros;
  std::vector<std::vector<int64_t>> descriptors;
  const char *error = nullptr;
  size_t used = 0;
  for (const mxfp4_cpu_kernel::Argument &argument : kernel->arguments) {
    void *data;
    if (argument.isCallers) {
      auto found = given.find(argument.name);
      if (found == given.end())
        return 3;
      data = found->second;
      // Memory of no rows needs no address.
      if (!data && (rows != 0 || argument.shape.empty() ||
                    !ShapedType::isDynamic(argument.shape[0])))
        return 3;
      ++used;
    } else {
      data = zeros.emplace_back(argument.bytes).data();
      if (argument.name == "error")
        error = static_cast<const char *>(data);
    }
    descriptors.push_back(descriptor(data, argument.shape, rows));
  }
  if (used != given.size())
    return 3;
  if (const int problem =
          checkGroups(*kernel, rows, static_cast<int32_t *>(given["offsets"]),
                      static_cast<int32_t *>(given.lookup("expert_ids"))))
    return problem;
  std::vector<void *> pointers, arguments;
  for (std::vector<int64_t> &words : descriptors)
    pointers.push_back(words.data());
  for (void *&pointer : pointers)
    arguments.push_back(static_cast<void *>(&pointer));
  kernel->entry(arguments.data());
  int32_t word = 0;
  if (error)
    std::memcpy(&word, error, sizeof(word));
  return word;
}

void mxfp4_cpu_destroy(mxfp4_cpu_kernel *kernel) { delete kernel; }
