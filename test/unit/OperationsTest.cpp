//===- OperationsTest.cpp - Every operation where none is expected --------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A program may have an operation of this dialect where no pass of ours puts
// it: directly in a module, in a function of the host, as the only operation of
// a kernel. Its operands, results and attributes may be of types that verifiers
// do not count on. Each pass takes that or says what is wrong, and never
// aborts.
//
// The operations are the first of each name in files of test/IR and of
// test/fuzz/corpus; their operands become results of operations that no dialect
// knows.
//
//===----------------------------------------------------------------------===//

#include "mxfp4/IR/MXFP4.h"
#include "mxfp4/Pipeline/Pipeline.h"

#include "mlir/AsmParser/AsmParser.h"
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
    "mxfp4-await-groups",
    "mxfp4-bring-rows",
    "mxfp4-choose-schedule",
    "mxfp4-copy-ahead",
    "mxfp4-count-groups",
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

const char *const kTypes[] = {
    "none",
    "index",
    "i1",
    "i32",
    "f32",
    "f8E4M3FN",
    "memref<*xi32>",
    "tensor<*xbf16>",
    "memref<i32>",
    "tensor<bf16>",
    "memref<0xi32>",
    "memref<1xi32>",
    "memref<?xi32>",
    "memref<4294967296xi32>",
    "memref<?x?xbf16>",
    "tensor<?x?xbf16>",
    "tensor<?x?xf8E4M3FN>",
    "memref<?x64xbf16, strided<[?, ?], offset: ?>>",
    "memref<?x64xbf16, #gpu.address_space<workgroup>>",
    "memref<9223372036854775807x9223372036854775807xbf16>",
    "memref<?x?x?x!mxfp4.block<spread, raw>>",
    "memref<2x1x1x!mxfp4.block<bytes, relative>>",
    "tensor<4x?x2x16xi8>",
    "vector<4xf32>",
    "vector<[4]xf32>",
    "vector<1x1x4xf32>",
    "!mxfp4.ring<2>",
    "!mxfp4.cursor<6 by 3>",
    "!llvm.ptr",
    "tuple<>",
    "memref<2x4xi32, #gpu.address_space<workgroup>>",
    "memref<i32, #gpu.address_space<workgroup>>",
};

const char *const kSchedule =
    "#mxfp4.schedule<instruction = mma_sync, rows = 64, tokens = 8, "
    "warps_rows = 4, warps_tokens = 1, stages = 2, placement = register, "
    "ctas = 1>";

/// The last one takes the attribute away.
const char *const kAttributes[] = {
    "unit",
    "\"x\"",
    "-1 : i64",
    "0 : i64",
    "9223372036854775807 : i64",
    "-9223372036854775808 : i64",
    "[]",
    "array<i32>",
    "array<i32: -1, 2147483647>",
    "i32",
    "0x7FC00000 : f32",
    "@x",
    "#mxfp4.accumulation<fast>",
    kSchedule,
    "dense<0> : tensor<2xi32>",
    "",
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

std::string genericText(ModuleOp module) {
  std::string text;
  llvm::raw_string_ostream os(text);
  module.print(os, OpPrintingFlags().printGenericOpForm());
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

/// The operations, in a context that counts what is said.
class Operations : public testing::Test {
protected:
  void SetUp() override;
  /// The module of a text; null if it is refused, with a word.
  OwningOpRef<ModuleOp> parse(const std::string &text);
  /// Runs a pass on a copy; it succeeds, or says why not.
  void run(ModuleOp module, const std::string &pipeline,
           const std::string &text);
  void runAll(ModuleOp module, const std::string &text);

  std::unique_ptr<MLIRContext> context;
  std::unique_ptr<ScopedDiagnosticHandler> handler;
  bool said = false;
  Texts texts;
};

void Operations::SetUp() {
  llvm::EnablePrettyStackTrace();
  mxfp4::registerAllPasses();
  DialectRegistry registry;
  mxfp4::registerAll(registry);
  context =
      std::make_unique<MLIRContext>(registry, MLIRContext::Threading::DISABLED);
  context->allowUnregisteredDialects();
  context->loadAllAvailableDialects();
  context->printOpOnDiagnostic(false);
  handler = std::make_unique<ScopedDiagnosticHandler>(
      context.get(), [this](Diagnostic &diagnostic) {
        said |= diagnostic.getSeverity() == DiagnosticSeverity::Error;
        return success();
      });
  collect(MXFP4_TESTS "/IR", context.get(), texts);
  collect(MXFP4_TESTS "/fuzz/corpus/opt", context.get(), texts);
  for (RegisteredOperationName name : context->getRegisteredOperations())
    if (isa<mxfp4::MXFP4Dialect>(name.getDialect()))
      EXPECT_TRUE(texts.count(name.getStringRef().str()))
          << name.getStringRef().str() << " is in no file";
}

OwningOpRef<ModuleOp> Operations::parse(const std::string &text) {
  const llvm::PrettyStackTraceString trace(text.c_str());
  said = false;
  OwningOpRef<ModuleOp> module =
      parseSourceString<ModuleOp>(text, context.get());
  EXPECT_TRUE(module || said) << "refused without a word:\n" << text;
  return module;
}

void Operations::run(ModuleOp module, const std::string &pipeline,
                     const std::string &text) {
  FailureOr<OpPassManager> passes =
      parsePassPipeline("builtin.module(" + pipeline + ")", llvm::nulls());
  if (failed(passes)) // of a pass that runs on modules alone
    return;
  PassManager manager(context.get(), "builtin.module");
  static_cast<OpPassManager &>(manager) = std::move(*passes);
  OwningOpRef<ModuleOp> copy = module.clone();
  // What an abort leaves on the screen.
  const std::string what = pipeline + " on\n" + text;
  const llvm::PrettyStackTraceString trace(what.c_str());
  said = false;
  EXPECT_TRUE(succeeded(manager.run(*copy)) || said)
      << "fails without a word: " << what;
}

void Operations::runAll(ModuleOp module, const std::string &text) {
  for (const std::string pass : kPasses) {
    run(module, pass, text);
    run(module, "gpu.module(" + pass + ")", text);
  }
}

TEST_F(Operations, InEachPlaceByEachPass) {
  for (const auto &[name, body] : texts)
    for (StringRef place : kPlaces) {
      std::string text = place.str();
      text.replace(text.find("BODY"), 4, body);
      if (OwningOpRef<ModuleOp> module = parse(text))
        runAll(*module, text);
    }
}

TEST_F(Operations, WithOperandsAndResultsOfOtherTypes) {
  for (const auto &[name, body] : texts) {
    OwningOpRef<ModuleOp> module = parse(body);
    if (!module) // it stands in another operation alone
      continue;
    for (Operation &op : *module->getBody())
      for (Value value : op.getResults()) {
        const Type before = value.getType();
        for (StringRef other : kTypes) {
          Type type = parseType(other, context.get());
          ASSERT_TRUE(type) << other.str();
          value.setType(type);
          const std::string text = genericText(*module);
          if (OwningOpRef<ModuleOp> changed = parse(text))
            runAll(*changed, text);
        }
        value.setType(before);
      }
  }
}

TEST_F(Operations, WithOtherAttributes) {
  for (const auto &[name, body] : texts) {
    OwningOpRef<ModuleOp> module = parse(body);
    if (!module) // it stands in another operation alone
      continue;
    const std::string text = genericText(*module);
    for (NamedAttribute attribute : module->getBody()->back().getAttrs()) {
      std::string was = attribute.getName().str() + " = ";
      llvm::raw_string_ostream(was) << attribute.getValue();
      const size_t at = text.find(was);
      if (at == std::string::npos) // a unit
        continue;
      for (StringRef other : kAttributes) {
        std::string changed = text;
        changed.replace(at, was.size(),
                        other.empty()
                            ? "none = 1"
                            : attribute.getName().str() + " = " + other.str());
        if (OwningOpRef<ModuleOp> read = parse(changed))
          runAll(*read, changed);
      }
    }
  }
}

} // namespace
