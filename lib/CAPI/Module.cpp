//===- Module.cpp - C interface: modules and pipelines --------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Handles.h"

#include "mxfp4/Core/NestingDepth.h"
#include "mxfp4/Pipeline/Artifact.h"
#include "mxfp4/Pipeline/Pipeline.h"
#include "mxfp4/Pipeline/PtxPipeline.h"

#include "mlir/Bytecode/BytecodeWriter.h"
#include "mlir/Pass/PassInstrumentation.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"

#include <mutex>

using namespace mlir;
using namespace mxfp4;

static std::string print(ModuleOp module) {
  std::string text;
  llvm::raw_string_ostream os(text);
  module->print(os);
  return text;
}

void mxfp4_register_dialect(void *registry) {
  mxfp4::registerDialect(*static_cast<DialectRegistry *>(registry));
}

/// MLIR's registry of passes is its only global.
void mxfp4_register_passes(void) {
  static std::once_flag once;
  std::call_once(once, registerAllPasses);
}

mxfp4_module *mxfp4_parse(mxfp4_compiler *compiler, const void *source,
                          size_t size) {
  OwningOpRef<ModuleOp> module =
      compiler->parse(StringRef(static_cast<const char *>(source), size));
  return module ? new mxfp4_module{std::move(module)} : nullptr;
}

void mxfp4_module_destroy(mxfp4_module *module) { delete module; }

char *mxfp4_module_to_mlir(const mxfp4_module *module) {
  return module ? copyText(print(*module->module)) : nullptr;
}

char *mxfp4_module_to_bytecode(const mxfp4_module *module, size_t *size) {
  if (size)
    *size = 0;
  if (!module)
    return nullptr;
  std::string bytes;
  llvm::raw_string_ostream os(bytes);
  ModuleOp op = *module->module;
  if (failed(writeBytecodeToFile(op, os))) {
    op.emitError("cannot be written as bytecode");
    return nullptr;
  }
  if (size)
    *size = bytes.size();
  return copyText(bytes);
}

namespace {

/// Tells a C function of each pass that has run.
class Trace : public PassInstrumentation {
public:
  Trace(ModuleOp module, mxfp4_trace_fn trace, void *user)
      : module(module), trace(trace), user(user) {}

  void runAfterPass(Pass *pass, Operation *) override {
    std::string words;
    llvm::raw_string_ostream os(words);
    pass->printAsTextualPipeline(os);
    // Passes that only hold others, which have been told already.
    if (pass->getArgument().empty() ||
        pass->getArgument() == "mxfp4-on-kernels")
      return;
    trace(words.c_str(), pass->getDescription().str().c_str(),
          print(module).c_str(), user);
  }

private:
  ModuleOp module;
  mxfp4_trace_fn trace;
  void *user;
};

} // namespace

static int run(mxfp4_module *module, StringRef pipeline,
               std::unique_ptr<PassInstrumentation> instrumentation) {
  mxfp4_register_passes();
  if (!module)
    return 1;
  ModuleOp op = *module->module;
  // Upstream's parser would overflow the stack.
  if (mlirDepth(pipeline) > kMostMlirDepth) {
    emitError(UnknownLoc::get(op.getContext()))
        << "the pass pipeline is nested more than " << kMostMlirDepth
        << " deep";
    return 1;
  }
  std::string why;
  llvm::raw_string_ostream os(why);
  FailureOr<OpPassManager> passes = parsePassPipeline(pipeline, os);
  if (failed(passes)) {
    emitError(UnknownLoc::get(op.getContext()))
        << "cannot read the pass pipeline '" << pipeline << "': " << why;
    return 1;
  }
  PassManager pm(op.getContext(), passes->getOpAnchorName());
  static_cast<OpPassManager &>(pm) = std::move(*passes);
  if (instrumentation)
    pm.addInstrumentation(std::move(instrumentation));
  return failed(pm.run(op));
}

int mxfp4_module_run(mxfp4_module *module, const char *pipeline) {
  return run(module, pipeline, nullptr);
}

int mxfp4_module_trace(mxfp4_module *module, const char *pipeline,
                       mxfp4_trace_fn trace, void *user) {
  if (!module || !trace)
    return run(module, pipeline, nullptr);
  return run(module, pipeline,
             std::make_unique<Trace>(*module->module, trace, user));
}

void mxfp4_module_kernels(const mxfp4_module *module, mxfp4_kernel_fn kernel,
                          void *user) {
  if (!module || !kernel)
    return;
  for (const PtxKernel &found : ptxKernels(*module->module))
    kernel(found.name.c_str(), found.ptx.c_str(), user);
}

char *mxfp4_module_describe(const mxfp4_module *module, const char *options) {
  if (!module)
    return nullptr;
  ModuleOp op = *module->module;
  FailureOr<CompileOptions> parsed = parseCompileOptions(
      options ? options : "", UnknownLoc::get(op.getContext()));
  if (failed(parsed))
    return nullptr;
  FailureOr<std::string> text = describe(op, *parsed);
  return failed(text) ? nullptr : copyText(*text);
}

char *mxfp4_assemble(mxfp4_compiler *compiler, const char *ptx,
                     const char *chip, const char *ptxas) {
  if (!ptx || !chip) {
    emitError(compiler->unknownLocation())
        << "expected " << (ptx ? "a chip" : "PTX")
        << ", but got a null pointer";
    return nullptr;
  }
  FailureOr<std::string> text = assemblerReport(ptx, chip, ptxas ? ptxas : "",
                                                compiler->unknownLocation());
  return failed(text) ? nullptr : copyText(*text);
}

char *mxfp4_run_pipeline(mxfp4_compiler *compiler, const char *mlir,
                         const char *pipeline) {
  mxfp4_module module{compiler->parse(mlir)};
  if (!module.module || mxfp4_module_run(&module, pipeline) != 0)
    return nullptr;
  return mxfp4_module_to_mlir(&module);
}
