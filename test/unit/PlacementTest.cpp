//===- PlacementTest.cpp - Every operation in odd places, by every pass ---===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A program may have an operation of this dialect where no pass of ours puts
// it: directly in a module, in a function of the host, as the only operation of
// a kernel. Each pass takes that or says what is wrong, and never aborts.
//
// The operations are the first of each name in files of test/IR and of
// test/fuzz/corpus; their operands become results of operations that no dialect
// knows.
//
//===----------------------------------------------------------------------===//

#include "mxfp4/IR/MXFP4.h"
#include "mxfp4/Pipeline/Pipeline.h"

#include "mlir/IR/Diagnostics.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/PrettyStackTrace.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

using namespace mlir;

namespace {

/// What is around an operation, which stands in place of BODY.
const char *const kPlaces[] = {
    "BODY",
    "func.func @f() {\nBODY\nreturn }",
    "func.func @f(%n: index) {\nscf.for %i = %n to %n step %n {\nBODY\n}\n"
    "return }",
    "gpu.module @m {\nBODY\n}",
    "gpu.module @m { gpu.func @k() kernel {\nBODY\ngpu.return } }",
    "gpu.module @m { gpu.func @k(%c: i1) kernel { cf.br ^a\n^a:\nBODY\n"
    "cf.cond_br %c, ^a, ^b\n^b:\ngpu.return } }",
    "\"unknown.operation\"() ({\nBODY\n}) : () -> ()",
};

const char *const kPasses[] = {
    "mxfp4-bring-rows",
    "mxfp4-choose-schedule",
    "mxfp4-copy-ahead",
    "mxfp4-fuse-epilogue",
    "mxfp4-fuse-gather",
    "mxfp4-insert-decode",
    "mxfp4-lower-decode",
    "mxfp4-lower-program",
    "mxfp4-lower-to-linalg",
    "mxfp4-lower-to-loops",
    "mxfp4-lower-to-nvvm",
    "mxfp4-make-contiguous",
    "mxfp4-narrow-wgmma",
    "mxfp4-on-kernels{pipeline=canonicalize}",
    "mxfp4-overlap-decode",
    "mxfp4-pack-weights",
    "mxfp4-pipeline-copies",
    "mxfp4-raise",
    "mxfp4-serialize{format=none}",
    "mxfp4-share-tiles",
    "mxfp4-specialize-warps",
    "mxfp4-tile",
    "mxfp4-tile-dequantize",
    "mxfp4-tile-routing",
    "mxfp4-version-loops",
    "mxfp4-bufferize",
    "mxfp4-to-cpu",
    "mxfp4-to-ptx{format=none}",
};

/// Operations by name, as text that needs nothing from outside.
using Texts = std::map<std::string, std::string>;

/// The operation with unknown operations in front of it, whose results are the
/// values that it uses.
std::string textOf(Operation *op) {
  OwningOpRef<ModuleOp> holder = ModuleOp::create(op->getLoc());
  OpBuilder b = OpBuilder::atBlockBegin(holder->getBody());
  IRMapping mapping;
  op->walk([&](Operation *inner) {
    for (Value value : inner->getOperands()) {
      if (mapping.contains(value) ||
          op->isAncestor(value.getParentBlock()->getParentOp()))
        continue;
      OperationState state(op->getLoc(), "unknown.value");
      state.addTypes(value.getType());
      mapping.map(value, b.create(state)->getResult(0));
    }
  });
  b.clone(*op, mapping);
  std::string text;
  llvm::raw_string_ostream os(text);
  AsmState state(*holder, OpPrintingFlags().printGenericOpForm());
  for (Operation &each : *holder->getBody()) {
    each.print(os, state);
    os << "\n";
  }
  return text;
}

void collect(StringRef folder, MLIRContext *context, Texts &texts) {
  std::error_code error;
  std::set<std::string> files; // sorted, so that each run takes the same ones
  for (llvm::sys::fs::directory_iterator it(folder, error), end;
       it != end && !error; it.increment(error))
    if (StringRef(it->path()).ends_with(".mlir"))
      files.insert(it->path());
  for (const std::string &file : files) {
    auto buffer = llvm::MemoryBuffer::getFile(file);
    ASSERT_TRUE(buffer) << file;
    SmallVector<StringRef> parts;
    (*buffer)->getBuffer().split(parts, "// -----");
    for (StringRef part : parts) {
      OwningOpRef<ModuleOp> module =
          parseSourceString<ModuleOp>(part.str(), context);
      if (!module) // of a test of errors
        continue;
      module->walk([&](Operation *op) {
        if (isa<mxfp4::MXFP4Dialect>(op->getDialect()))
          if (std::string &text = texts[op->getName().getStringRef().str()];
              text.empty())
            text = textOf(op);
      });
    }
  }
}

TEST(Placement, EachOperationInEachPlaceByEachPass) {
  llvm::EnablePrettyStackTrace();
  mxfp4::registerAllPasses();
  DialectRegistry registry;
  mxfp4::registerAll(registry);
  MLIRContext context(registry, MLIRContext::Threading::DISABLED);
  context.allowUnregisteredDialects();
  context.loadAllAvailableDialects();
  context.printOpOnDiagnostic(false);
  bool said = false;
  ScopedDiagnosticHandler handler(&context, [&](Diagnostic &diagnostic) {
    said |= diagnostic.getSeverity() == DiagnosticSeverity::Error;
    return success();
  });

  Texts texts;
  collect(MXFP4_TESTS "/IR", &context, texts);
  collect(MXFP4_TESTS "/fuzz/corpus/opt", &context, texts);
  for (RegisteredOperationName name : context.getRegisteredOperations())
    if (isa<mxfp4::MXFP4Dialect>(name.getDialect()))
      EXPECT_TRUE(texts.count(name.getStringRef().str()))
          << name.getStringRef().str() << " is in no file";

  for (const auto &[name, body] : texts)
    for (StringRef place : kPlaces) {
      std::string text = place.str();
      text.replace(text.find("BODY"), 4, body);
      said = false;
      OwningOpRef<ModuleOp> module =
          parseSourceString<ModuleOp>(text, &context);
      EXPECT_TRUE(module || said) << "refused without a word:\n" << text;
      for (const char *pass : kPasses) {
        if (!module)
          break;
        for (const std::string &pipeline :
             {std::string(pass), "gpu.module(" + std::string(pass) + ")"}) {
          FailureOr<OpPassManager> passes = parsePassPipeline(
              "builtin.module(" + pipeline + ")", llvm::nulls());
          if (failed(passes)) // of a pass that runs on modules alone
            continue;
          PassManager manager(&context, "builtin.module");
          static_cast<OpPassManager &>(manager) = std::move(*passes);
          OwningOpRef<ModuleOp> copy = module->clone();
          // What an abort leaves on the screen.
          const std::string what = pipeline + " on\n" + text;
          const llvm::PrettyStackTraceString trace(what.c_str());
          said = false;
          EXPECT_TRUE(succeeded(manager.run(*copy)) || said)
              << "fails without a word: " << what;
        }
      }
    }
}

} // namespace
