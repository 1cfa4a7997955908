//===- CpuKernel.cpp - C interface: run the specification -----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Handles.h"

#include "mxfp4/IR/MXFP4.h"
#include "mxfp4/Pipeline/Pipeline.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/ExecutionEngine/ExecutionEngine.h"
#include "mlir/ExecutionEngine/OptUtils.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "llvm/Support/TargetSelect.h"

#include <mutex>

using namespace mlir;
using namespace mxfp4;

struct mxfp4_cpu_kernel {
  std::unique_ptr<ExecutionEngine> engine;
  void (*entry)(void **) = nullptr;
  int64_t experts, groups, n, k, blockRows, blockCols;
  bool expertIds;
};

namespace {

/// A memref descriptor of rank R, as MLIR's C interface passes it.
template <int R> struct Descriptor {
  void *allocated, *aligned;
  int64_t offset = 0;
  int64_t sizes[R], strides[R];

  template <typename... Sizes>
  explicit Descriptor(const void *data, Sizes... extents)
      : allocated(const_cast<void *>(data)), aligned(allocated),
        sizes{extents...} {
    int64_t stride = 1;
    for (int i = R - 1; i >= 0; --i) {
      strides[i] = stride;
      stride *= sizes[i];
    }
  }
};

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
  if ((ids != nullptr) != kernel.expertIds)
    return 3;
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
  kernel->n = op.getN();
  kernel->k = op.getK();
  kernel->blockRows = blocksFor(kernel->n);
  kernel->blockCols = blocksFor(kernel->k);
  kernel->expertIds = static_cast<bool>(op.getExpertIds());
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
  if (const int problem = checkGroups(*kernel, rows, offsets, expert_ids))
    return problem;
  int32_t error = 0, workspace[2] = {0, 0};
  Descriptor<2> activations(x, rows, kernel->k), output(y, rows, kernel->n);
  Descriptor<3> blocks(weights, kernel->experts, kernel->blockRows,
                       kernel->blockCols);
  Descriptor<1> bounds(offsets, kernel->groups + 1),
      ids(expert_ids, kernel->groups), errorWord(&error, int64_t(1)),
      counters(workspace, int64_t(2));
  void *pointers[] = {&activations, &blocks,    &bounds,  &ids,
                      &output,      &errorWord, &counters};
  llvm::SmallVector<void *> arguments;
  for (void *&pointer : pointers)
    if (pointer != &ids || kernel->expertIds)
      arguments.push_back(static_cast<void *>(&pointer));
  kernel->entry(arguments.data());
  return error;
}

void mxfp4_cpu_destroy(mxfp4_cpu_kernel *kernel) { delete kernel; }
