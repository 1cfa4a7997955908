//===- opt_fuzz.cpp - Fuzz the parser, verifiers and passes of mxfp4-opt --===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// An input is a module, after a comment with the pipeline to run on it:
//
//   // builtin.module(mxfp4-choose-schedule,mxfp4-tile)
//   func.func @grouped_matmul(...) { ... }
//
// It ends in diagnostics, or in a module that verifies; and PTX that comes out
// is PTX that the interpreter's parser takes.
//
// Bytes changed at random are seldom MLIR. The mutator therefore parses the
// input, changes the module in memory (a number in an attribute or a type, an
// operand, the order, number or presence of operations) or the pipeline, and
// prints what that gives.
//
//===----------------------------------------------------------------------===//

#include "mxfp4/IR/MXFP4.h"
#include "mxfp4/Pipeline/Pipeline.h"
#include "mxfp4/Sim/Sim.h"

#include "mlir/AsmParser/AsmParser.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"

#include <algorithm>
#include <cstdlib>
#include <random>

using namespace mlir;

extern "C" size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t most);

namespace {

const char *const kPipelines[] = {
    "builtin.module(canonicalize)",
    "builtin.module(mxfp4-raise)",
    "builtin.module(mxfp4-raise{groups-cover-rows})",
    ("builtin.module(mxfp4-raise,mxfp4-fuse-epilogue,mxfp4-fuse-gather,"
     "mxfp4-raise)"),
    "builtin.module(mxfp4-pack-weights{outline})",
    "builtin.module(mxfp4-choose-schedule)",
    "builtin.module(mxfp4-choose-schedule,mxfp4-tile)",
    "builtin.module(mxfp4-tile)",
    "builtin.module(mxfp4-make-contiguous)",
    "builtin.module(mxfp4-make-contiguous{copies=false})",
    "builtin.module(mxfp4-on-kernels{pipeline=canonicalize,cse})",
    "builtin.module(mxfp4-serialize)",
    "builtin.module(mxfp4-serialize{format=none})",
    "builtin.module(mxfp4-bufferize)",
    "builtin.module(mxfp4-to-ptx,mxfp4-to-ptx)",
    "builtin.module(mxfp4-to-ptx{format=none},mxfp4-to-ptx)",
    "builtin.module(mxfp4-to-ptx{require-kernels=false})",
    "builtin.module(gpu.module(mxfp4-pipeline-copies))",
    "builtin.module(gpu.module(mxfp4-specialize-warps))",
    "builtin.module(gpu.module(mxfp4-share-tiles))",
    "builtin.module(gpu.module(mxfp4-bring-rows))",
    "builtin.module(gpu.module(mxfp4-insert-decode))",
    "builtin.module(gpu.module(mxfp4-version-loops))",
    "builtin.module(gpu.module(mxfp4-overlap-decode))",
    "builtin.module(gpu.module(mxfp4-lower-program))",
    "builtin.module(gpu.module(mxfp4-narrow-wgmma))",
    "builtin.module(gpu.module(mxfp4-lower-decode))",
    "builtin.module(gpu.module(mxfp4-lower-to-nvvm))",
    "builtin.module(mxfp4-lower-to-linalg)",
    "builtin.module(mxfp4-lower-to-loops)",
    "builtin.module(mxfp4-to-ptx)",
    "builtin.module(mxfp4-to-ptx{instruction=wgmma})",
    "builtin.module(mxfp4-to-ptx{placement=shared})",
    "builtin.module(mxfp4-to-ptx{instruction=wgmma placement=shared})",
    "builtin.module(mxfp4-to-ptx{rows-hint=9000})",
};

/// The context of the next run: types and attributes are never freed, so that a
/// new one is made now and then.
MLIRContext &nextContext() {
  static std::unique_ptr<MLIRContext> current;
  static unsigned runs = 0;
  if (!current || ++runs % 2000 == 0) {
    current.reset();
    DialectRegistry registry;
    mxfp4::registerAll(registry);
    current = std::make_unique<MLIRContext>(registry,
                                            MLIRContext::Threading::DISABLED);
    current->printOpOnDiagnostic(false);
    current->loadAllAvailableDialects();
  }
  return *current;
}

/// The pipeline of an input, and the rest of it: with a NUL behind it, which
/// the lexer counts on.
std::pair<std::string, std::string> split(const uint8_t *data, size_t size) {
  StringRef input(reinterpret_cast<const char *>(data), size);
  if (!input.starts_with("// "))
    return {kPipelines[0], input.str()};
  auto [line, rest] = input.drop_front(3).split('\n');
  return {line.trim().str(), rest.str()};
}

/// Inputs that libMLIR 22 itself cannot take, with or without this project:
/// linalg.broadcast and its kin crash their parser when the list of dimensions
/// is no list, a gpu.func without a type crashes the verifier of whatever
/// launches it, and that verifier believes a launch's operandSegmentSizes.
bool crashesUpstream(StringRef text) {
  static const std::pair<const char *, const char *> needs[] = {
      {" linalg.broadcast", " = ["},
      {" linalg.transpose", " = ["},
      {"\"gpu.func\"", "function_type = "},
      {"\"gpu.launch_func\"", "\n"}}; // a line has no such thing
  for (auto [name, needed] : needs)
    for (size_t at = text.find(name); at != StringRef::npos;
         at = text.find(name, at + 1))
      if (!text.substr(at).split('\n').first.contains(needed))
        return true;
  return false;
}

/// Changes one number of a text, if it has any.
std::string changeNumber(std::string text, std::mt19937 &random) {
  static const int64_t values[] = {
      0,  1,   2,   3,  7,  8,   16,  31,   32,        64,        65,
      96, 128, 160, -1, -2, 256, 257, 1024, INT32_MAX, INT64_MAX, INT64_MIN};
  std::vector<std::pair<size_t, size_t>> numbers;
  for (size_t i = 0; i < text.size(); ++i) {
    if (!isdigit(text[i]) || (i && isalpha(text[i - 1]) && text[i - 1] != 'x'))
      continue;
    size_t end = i;
    while (end < text.size() && isdigit(text[end]))
      ++end;
    numbers.push_back({i, end - i});
    i = end;
  }
  if (numbers.empty())
    return text;
  auto [at, length] = numbers[random() % numbers.size()];
  const uint64_t old =
      std::strtoull(text.substr(at, length).c_str(), nullptr, 10);
  int64_t value = values[random() % std::size(values)];
  if (random() % 2)
    value = int64_t(random() % 2 ? old + 1 : old * 2);
  return text.replace(at, length, std::to_string(value));
}

template <typename T> std::string print(const T &value) {
  std::string text;
  llvm::raw_string_ostream os(text);
  value.print(os);
  return text;
}

/// A symbol's name becomes another string, of characters that PTX has not.
void changeName(SymbolOpInterface symbol, std::mt19937 &random) {
  static const char *const names[] = {"",   "jit(f)",   "a b", "9",
                                      "%x", "\xc3\xa9", "$",   "a.b",
                                      "_",  "-",        "add", "\x01"};
  symbol.setName(symbol.getName().str() + names[random() % std::size(names)]);
}

void changeAttribute(Operation *op, std::mt19937 &random) {
  if (auto symbol = dyn_cast<SymbolOpInterface>(op);
      symbol && random() % 4 == 0 && symbol->getAttr("sym_name"))
    return changeName(symbol, random);
  ArrayRef<NamedAttribute> attributes = op->getAttrs();
  if (attributes.empty())
    return;
  const NamedAttribute chosen = attributes[random() % attributes.size()];
  // Others may be taken for granted: the verifier has seen them already.
  if (random() % 8 == 0 && op->getDiscardableAttr(chosen.getName())) {
    op->removeDiscardableAttr(chosen.getName());
    return;
  }
  if (isa<gpu::LaunchFuncOp>(op) && chosen.getName() == "operandSegmentSizes")
    return; // see crashesUpstream
  const std::string text = print(chosen.getValue());
  if (Attribute other =
          parseAttribute(changeNumber(text, random), op->getContext()))
    op->setAttr(chosen.getName(), other);
}

/// A value's type; an argument of a function changes its signature too.
void changeType(Value value, std::mt19937 &random) {
  Type other = parseType(changeNumber(print(value.getType()), random),
                         value.getContext());
  if (!other)
    return;
  value.setType(other);
  auto argument = dyn_cast<BlockArgument>(value);
  if (!argument)
    return;
  if (auto function =
          dyn_cast_or_null<func::FuncOp>(argument.getOwner()->getParentOp()))
    function.setFunctionType(FunctionType::get(
        value.getContext(), function.getBody().front().getArgumentTypes(),
        function.getFunctionType().getResults()));
}

void changeOperand(Operation *op, ArrayRef<Value> values,
                   std::mt19937 &random) {
  if (op->getNumOperands() == 0)
    return;
  const unsigned which = random() % op->getNumOperands();
  // Of the same type nine times in ten.
  SmallVector<Value> alike;
  for (Value value : values)
    if (value.getType() == op->getOperand(which).getType() ||
        random() % (10 * values.size()) == 0)
      alike.push_back(value);
  if (!alike.empty())
    op->setOperand(which, alike[random() % alike.size()]);
}

void changeModule(ModuleOp module, std::mt19937 &random) {
  SmallVector<Operation *> ops;
  SmallVector<Value> values;
  module.walk([&](Operation *op) {
    if (op != module)
      ops.push_back(op);
    llvm::append_range(values, op->getResults());
    for (Region &region : op->getRegions())
      for (Block &block : region)
        llvm::append_range(values, block.getArguments());
  });
  if (ops.empty())
    return;
  Operation *op = ops[random() % ops.size()];
  switch (random() % 8) {
  case 0:
  case 1:
    return changeAttribute(op, random);
  case 2:
    if (!values.empty())
      changeType(values[random() % values.size()], random);
    return;
  case 3:
    return changeOperand(op, values, random);
  case 4:
    if (op->use_empty())
      op->erase();
    return;
  case 5:
    op->getBlock()->getOperations().insert(std::next(op->getIterator()),
                                           op->clone());
    return;
  case 6:
    op->moveBefore(&op->getBlock()->front());
    return;
  default:
    if (Operation *next = op->getNextNode())
      op->moveAfter(next);
    return;
  }
}

/// Swallows what is said.
struct Silence : ScopedDiagnosticHandler {
  explicit Silence(MLIRContext *context)
      : ScopedDiagnosticHandler(context, [this](Diagnostic &d) {
          said |= d.getSeverity() == DiagnosticSeverity::Error;
          return success();
        }) {}
  bool said = false;
};

[[noreturn]] void fail(const char *what) {
  llvm::errs() << "opt_fuzz: " << what << "\n";
  std::abort();
}

void checkKernels(ModuleOp module) {
  module.walk([](gpu::BinaryOp binary) {
    if (!binary->hasAttr(mxfp4::MXFP4Dialect::kCompiledAttr))
      return;
    for (Attribute object : binary.getObjects()) {
      const StringRef text =
          cast<gpu::ObjectAttr>(object).getObject().getValue().rtrim('\0');
      std::vector<mxfp4::sim::Diagnostic> errors;
      if (!mxfp4::sim::Module::parse(std::string(text), "kernel.ptx", errors)) {
        llvm::errs() << text << "\n" << errors.front().str();
        fail("the interpreter does not take the PTX");
      }
    }
  });
}

} // namespace

// LLVM's allocators poison memory in code that is built with the sanitizer, as
// this is, and cannot lift it in code that is not, as libMLIR.
extern "C" const char *__asan_default_options() {
  return "allow_user_poisoning=0:detect_leaks=0";
}

extern "C" int LLVMFuzzerInitialize(int *, char ***) {
  mxfp4::registerAllPasses();
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  auto [words, text] = split(data, size);
  if (text.empty() || crashesUpstream(text))
    return 0;
  MLIRContext &context = nextContext();
  Silence silence(&context);
  OwningOpRef<ModuleOp> module = parseSourceString<ModuleOp>(text, &context);
  if (!module) {
    if (!silence.said)
      fail("a module is refused without a word");
    return 0;
  }
  std::string why;
  llvm::raw_string_ostream os(why);
  FailureOr<OpPassManager> passes = parsePassPipeline(words, os);
  if (failed(passes) || passes->getOpAnchorName() != "builtin.module")
    return 0;
  PassManager pm(&context, "builtin.module");
  static_cast<OpPassManager &>(pm) = std::move(*passes);
  if (succeeded(pm.run(*module)))
    checkKernels(*module);
  else if (!silence.said)
    fail("a pass fails without a word");
  return 0;
}

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size,
                                          size_t most, unsigned seed) {
  std::mt19937 random(seed);
  auto [words, text] = split(data, size);
  if (text.empty() || crashesUpstream(text))
    return LLVMFuzzerMutate(data, size, most);
  MLIRContext &context = nextContext();
  Silence silence(&context);
  OwningOpRef<ModuleOp> module = parseSourceString<ModuleOp>(text, &context);
  if (!module || random() % 16 == 0)
    return LLVMFuzzerMutate(data, size, most);
  std::string pipeline = words;
  if (random() % 4 == 0)
    pipeline = kPipelines[random() % std::size(kPipelines)];
  bool sound = true;
  for (unsigned i = 0, n = 1 + random() % 3; i < n && sound; ++i) {
    changeModule(*module, random);
    sound = succeeded(verify(*module));
  }
  std::string result = "// " + pipeline + "\n";
  llvm::raw_string_ostream os(result);
  OpPrintingFlags flags;
  if (!sound)
    flags.printGenericOpForm();
  module->print(os, flags);
  if (result.size() > most)
    return LLVMFuzzerMutate(data, size, most);
  std::copy(result.begin(), result.end(), data);
  return result.size();
}
