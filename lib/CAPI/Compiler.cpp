//===- Compiler.cpp - C interface: compile --------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Handles.h"

#include "mxfp4/Core/NestingDepth.h"
#include "mxfp4/Pipeline/Artifact.h"
#include "mxfp4/Pipeline/Pipeline.h"

#include "mlir/IR/Diagnostics.h"
#include "mlir/Parser/Parser.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Config/llvm-config.h"
#include "llvm/Support/MemAlloc.h"
#include "llvm/Support/MemoryBuffer.h"

#include <cstring>

using namespace mlir;
using namespace mxfp4;

struct mxfp4_artifact {
  Artifact artifact;
};

static DialectRegistry registry() {
  DialectRegistry registry;
  registerAll(registry);
  return registry;
}

static std::string textOf(Diagnostic &diagnostic) {
  std::string text;
  llvm::raw_string_ostream os(text);
  if (auto location = dyn_cast<FileLineColLoc>(diagnostic.getLocation()))
    os << location.getFilename().getValue() << ":" << location.getLine() << ":"
       << location.getColumn() << ": ";
  os << diagnostic;
  return text;
}

mxfp4_compiler::mxfp4_compiler(mxfp4_diagnostic_fn diagnostic, void *user)
    // A context of one thread: callers bring threads of their own.
    : context(registry(), MLIRContext::Threading::DISABLED) {
  context.printOpOnDiagnostic(false);
  context.getDiagEngine().registerHandler([=](Diagnostic &d) {
    const DiagnosticSeverity severity = d.getSeverity();
    const int level = severity == DiagnosticSeverity::Error     ? 2
                      : severity == DiagnosticSeverity::Warning ? 1
                                                                : 0;
    if (diagnostic)
      diagnostic(level, textOf(d).c_str(), user);
    for (Diagnostic &note : d.getNotes())
      if (diagnostic)
        diagnostic(0, textOf(note).c_str(), user);
    return success();
  });
}

OwningOpRef<ModuleOp> mxfp4_compiler::parse(StringRef source) {
  if (!source.data()) {
    emitError(unknownLocation()) << "expected MLIR, but got a null pointer";
    return nullptr;
  }
  if (std::string deep = refuseDepth(source, "the MLIR"); !deep.empty()) {
    emitError(unknownLocation()) << deep;
    return nullptr;
  }
  // The lexer looks for a zero behind the text, which the caller need not have.
  const std::unique_ptr<llvm::MemoryBuffer> copy =
      llvm::MemoryBuffer::getMemBufferCopy(source, "-");
  return parseSourceString<ModuleOp>(copy->getBuffer(), &context);
}

Location mxfp4_compiler::unknownLocation() { return UnknownLoc::get(&context); }

char *copyText(StringRef text) {
  auto *copy = static_cast<char *>(llvm::safe_malloc(text.size() + 1));
  memcpy(copy, text.data(), text.size());
  copy[text.size()] = '\0';
  return copy;
}

int mxfp4_abi_version(void) { return MXFP4_ABI_VERSION; }

const char *mxfp4_version(void) {
  return MXFP4_VERSION " (LLVM " LLVM_VERSION_STRING ")";
}

mxfp4_compiler *mxfp4_compiler_create(mxfp4_diagnostic_fn diagnostic,
                                      void *user) {
  return new mxfp4_compiler(diagnostic, user);
}

void mxfp4_compiler_destroy(mxfp4_compiler *compiler) { delete compiler; }

char *mxfp4_problem_to_mlir(mxfp4_compiler *compiler, const char *spec) {
  FailureOr<ProblemSpec> problem =
      parseProblemSpec(spec ? spec : "", compiler->unknownLocation());
  if (failed(problem))
    return nullptr;
  std::string text;
  llvm::raw_string_ostream os(text);
  buildProblem(&compiler->context, *problem)->print(os);
  return copyText(text);
}

char *mxfp4_problem_fields(void) {
  return copyText(llvm::join(problemFields(), " "));
}

char *mxfp4_devices(void) { return copyText(describeDevices()); }

char *mxfp4_device_words(const char *name, int multiprocessors, int clock,
                         int bandwidth, int l2) {
  Device asked;
  asked.multiprocessors = multiprocessors;
  asked.clock = clock;
  asked.bandwidth = bandwidth;
  asked.l2 = l2;
  // Drivers do not say them.
  asked.tensorOps = asked.power = 0;
  return copyText(text(deviceOf(name ? name : "", asked)));
}

void mxfp4_string_free(char *text) { free(text); }

mxfp4_artifact *mxfp4_compile(mxfp4_compiler *compiler, const char *mlir,
                              const char *options) {
  FailureOr<CompileOptions> parsed =
      parseCompileOptions(options ? options : "", compiler->unknownLocation());
  OwningOpRef<ModuleOp> module = compiler->parse(mlir);
  if (failed(parsed) || !module)
    return nullptr;
  FailureOr<Artifact> artifact = compile(*module, *parsed);
  if (failed(artifact))
    return nullptr;
  return new mxfp4_artifact{std::move(*artifact)};
}

const char *mxfp4_artifact_ptx(const mxfp4_artifact *artifact) {
  return artifact ? artifact->artifact.ptx.c_str() : nullptr;
}

const char *mxfp4_artifact_manifest(const mxfp4_artifact *artifact) {
  return artifact ? artifact->artifact.manifest.c_str() : nullptr;
}

const void *mxfp4_artifact_cubin(const mxfp4_artifact *artifact, size_t *size) {
  if (size)
    *size = 0;
  if (!artifact)
    return nullptr;
  const std::string &cubin = artifact->artifact.cubin;
  if (size)
    *size = cubin.size();
  return cubin.empty() ? nullptr : cubin.data();
}

void mxfp4_artifact_destroy(mxfp4_artifact *artifact) { delete artifact; }
