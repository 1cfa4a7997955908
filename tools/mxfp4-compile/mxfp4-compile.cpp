//===- mxfp4-compile.cpp - Compile a grouped matmul to an artifact --------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mxfp4/Core/NestingDepth.h"
#include "mxfp4/Core/Schedule.h"
#include "mxfp4/IR/MXFP4.h"
#include "mxfp4/Pipeline/Artifact.h"
#include "mxfp4/Pipeline/Input.h"
#include "mxfp4/Pipeline/Output.h"
#include "mxfp4/Pipeline/Pipeline.h"

#include "mlir/IR/Diagnostics.h"
#include "mlir/Parser/Parser.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/SourceMgr.h"

#include <chrono>

using namespace mlir;
using namespace mxfp4;
namespace cl = llvm::cl;

static constexpr char kOverview[] =
    R"(mxfp4-compile: one mxfp4.grouped_matmul to an artifact

Takes the shape of a problem, or a file of MLIR with one mxfp4.grouped_matmul on
memrefs, and writes a directory: manifest.json (how to launch), kernel.ptx, and
with --cubin kernel.cubin. Or a file with one mxfp4.top_k, mxfp4.count_by_expert,
mxfp4.sort_by_expert, mxfp4.dispatch, mxfp4.quantize_rows or mxfp4.combine, or
for few tokens with a sort and the top_k whose ids it sorts, or what stores in
its rows.

  mxfp4-compile "experts=32 n=5760 k=2880" --rows-hint 128 -o gate_up
  mxfp4-compile moe.mlir --placement shared --cubin -o baseline

Python's commands (mxfp4 compile, mxfp4 explain) take problem and --rows-hint in
the same words. Fields of a problem: experts, n and k, and optional
order=spread|nibble, scales=folded|raw, columns=plain|interleaved|apart (gate
and up), output=bf16|f32, activations=bf16|fp8, accumulation=fast|promoted512|
promoted128 (with fp8), groups)";

/// The overview, with a field for each optional operand.
static std::string overview() {
  std::string text = kOverview;
  for (const std::string &field : optionalOperandFields())
    text += ", " + field + "=1";
  return text + ".";
}

/// Whether the positional argument is a problem in words and not a file.
static bool isProblem(const std::string &input) {
  return llvm::StringRef(input).contains('=') && !llvm::sys::fs::exists(input);
}

namespace {

/// The command line.
struct CommandLine {
  cl::OptionCategory category{"mxfp4-compile options"};
  cl::opt<std::string> input{cl::Positional,
                             cl::desc("[\"key=value ...\" | file.mlir]"),
                             cl::cat(category)};
  cl::opt<std::string> problem{
      "problem", cl::desc("The problem, instead of as the first argument"),
      cl::value_desc("key=value ..."), cl::cat(category)};
  cl::opt<std::string> output{"o", cl::desc("Directory to write"),
                              cl::value_desc("directory"), cl::cat(category)};
  cl::opt<bool> emitMlir{"emit-mlir",
                         cl::desc("Print the problem's MLIR and stop"),
                         cl::cat(category)};
  cl::opt<bool> listSchedules{
      "list-schedules",
      cl::desc("Print every schedule that can be chosen and stop"),
      cl::cat(category)};
  cl::opt<bool> gathers{
      "gather",
      cl::desc("With --list-schedules: those of problems that gather rows"),
      cl::cat(category)};
  cl::opt<bool> through{
      "through",
      cl::desc("With --list-schedules: those with a warp that brings rows"),
      cl::cat(category)};
  cl::opt<std::string> accumulation{
      "accumulation",
      cl::desc("With --list-schedules: those of problems with activations=fp8 "
               "and this accumulation: fast, promoted512 or promoted128"),
      cl::value_desc("name"), cl::cat(category)};
  cl::opt<std::string> chip{"chip", cl::init("sm_90a"), cl::desc("Target"),
                            cl::cat(category)};
  cl::opt<std::string> device{
      "device",
      cl::desc("GPU to choose for: a name, or facts such as "
               "multiprocessors=78,bandwidth=4000 (default h100-sxm)"),
      cl::cat(category)};
  cl::opt<bool> listDevices{
      "list-devices",
      cl::desc(
          "Print the devices that have a name, with their facts, and stop"),
      cl::cat(category)};
  cl::opt<int> ptxVersion{"ptx-version", cl::init(0),
                          cl::desc("PTX version, 80 for 8.0"),
                          cl::cat(category)};
  cl::opt<int64_t> rowsHint{"rows-hint", cl::init(0),
                            cl::desc("Rows expected in all groups together"),
                            cl::cat(category)};
  cl::alias rows{"rows", cl::desc("Alias for --rows-hint"),
                 cl::aliasopt(rowsHint), cl::cat(category)};
  cl::opt<std::string> instruction{
      "instruction", cl::init("auto"),
      cl::desc("Tensor-core instruction: mma_sync, wgmma, wgmma_fp8, or auto"),
      cl::cat(category)};
  cl::opt<std::string> placement{
      "placement", cl::init("register"),
      cl::desc("Where weights are decoded: register or shared"),
      cl::cat(category)};
  cl::opt<bool> batchInvariant{
      "batch-invariant",
      cl::desc("Give a row the same bits whatever other rows there are"),
      cl::cat(category)};
  cl::opt<std::string> schedule{
      "schedule", cl::desc("A #mxfp4.schedule<...> to use"), cl::cat(category)};
  cl::opt<std::string> decode{"decode", cl::init("auto"),
                              cl::desc("Decode sequence to insist on"),
                              cl::cat(category)};
  cl::opt<int> optLevel{"opt-level", cl::init(2),
                        cl::desc("LLVM optimisation level, 0 to 3"),
                        cl::cat(category)};
  cl::opt<bool> cubin{"cubin", cl::desc("Also assemble with ptxas"),
                      cl::cat(category)};
  cl::opt<std::string> ptxas{"ptxas", cl::desc("Path of ptxas"),
                             cl::cat(category)};
};

} // namespace

/// One schedule per line, as --schedule takes it. Returns what is wrong with
/// chip and device, or "".
static std::string printSchedules(const CommandLine &given) {
  std::optional<int> promotion;
  if (!given.accumulation.empty()) {
    promotion = parseAccumulation(given.accumulation.getValue());
    if (!promotion)
      return "--accumulation expects fast, promoted512 or promoted128, got '" +
             given.accumulation + "'";
  }
  const Target *row = findTarget(given.chip.getValue());
  if (!row)
    return "unknown chip '" + given.chip + "'; " + adviseChips();
  Target target = *row;
  if (std::string wrong =
          given.device.empty()
              ? ""
              : mxfp4::parse(given.device.getValue(), target.device);
      !wrong.empty())
    return "--device " + wrong;
  MLIRContext context;
  context.loadDialect<MXFP4Dialect>();
  for (Placement placement : {Placement::Register, Placement::Shared})
    for (const Schedule &schedule :
         given.through
             ? allBringingSchedules(target, placement, promotion)
             : allSchedules(target, placement, given.gathers, promotion))
      llvm::outs() << ScheduleAttr::get(&context, schedule) << "\n";
  return "";
}

/// One device per line: its name, and its facts.
static void printDevices() {
  for (const Part &part : parts()) {
    llvm::outs() << part.key << ":";
    for (const DeviceField &field : deviceFields())
      llvm::outs() << " " << field.key << "=" << part.device.*field.member;
    llvm::outs() << "\n";
  }
}

/// Prints a diagnostic about the command line, which has no place in a file.
static LogicalResult printWithoutPlace(Diagnostic &diagnostic) {
  if (!isa<UnknownLoc>(diagnostic.getLocation()))
    return failure();
  llvm::errs() << "mxfp4-compile: "
               << (diagnostic.getSeverity() == DiagnosticSeverity::Error
                       ? "error: "
                       : "")
               << diagnostic << "\n";
  for (const Diagnostic &note : diagnostic.getNotes())
    llvm::errs() << "mxfp4-compile: note: " << note << "\n";
  return success();
}

/// The module of the problem or of the file. Null after a diagnostic of the
/// context, or with what is wrong in `message`.
static OwningOpRef<ModuleOp> readModule(const CommandLine &given,
                                        llvm::SourceMgr &sources,
                                        MLIRContext &context,
                                        std::string &message) {
  const bool inWords = isProblem(given.input);
  if (given.input.empty() || inWords) {
    FailureOr<ProblemSpec> spec = parseProblemSpec(
        inWords ? given.input : given.problem, UnknownLoc::get(&context));
    return failed(spec) ? nullptr : buildProblem(&context, *spec);
  }
  auto file = openInput(given.input, message);
  if (!file)
    return nullptr;
  message = refuseDepth(file->getBuffer(), "'" + given.input + "'");
  if (!message.empty())
    return nullptr;
  sources.AddNewSourceBuffer(std::move(file), llvm::SMLoc());
  return parseSourceFile<ModuleOp>(sources, &context);
}

static CompileOptions compileOptions(const CommandLine &given) {
  CompileOptions options;
  options.chip = given.chip;
  options.device = given.device;
  options.ptxVersion = given.ptxVersion;
  options.rowsHint = given.rowsHint;
  options.placement = given.placement;
  options.instruction = given.instruction;
  options.batchInvariant = given.batchInvariant;
  options.schedule = given.schedule;
  options.decode = given.decode;
  options.optLevel = given.optLevel;
  options.assemble = given.cubin;
  options.ptxas = given.ptxas;
  return options;
}

static int fail(const llvm::Twine &message) {
  llvm::errs() << "mxfp4-compile: " << message << "\n";
  return 1;
}

/// Compiles a module into the directory of -o, and says what was written.
static int compileInto(const CommandLine &given, ModuleOp module) {
  const auto start = std::chrono::steady_clock::now();
  FailureOr<Artifact> artifact = compile(module, compileOptions(given));
  if (failed(artifact))
    return 1;
  const std::chrono::duration<double, std::milli> elapsed =
      std::chrono::steady_clock::now() - start;
  if (std::string why = writeArtifact(*artifact, given.output); !why.empty())
    return fail(why);
  llvm::outs() << "wrote " << given.output << ": kernel " << artifact->entry
               << ", " << artifact->ptx.size() << " bytes of PTX";
  if (!artifact->cubin.empty())
    llvm::outs() << ", " << artifact->cubin.size() << " bytes of cubin";
  llvm::outs() << llvm::format(", in %.0f ms\n", elapsed.count());
  return 0;
}

/// The first of the options that the command line has, by its name; "" if it
/// has none.
static std::string firstGiven(ArrayRef<const cl::Option *> options) {
  for (const cl::Option *option : options)
    if (option->getNumOccurrences() > 0)
      return option->ArgStr.empty()
                 ? "the problem"
                 : (option->ArgStr.size() == 1 ? "-" : "--") +
                       option->ArgStr.str();
  return "";
}

/// What the command line has and this mode does not look at, in a sentence; ""
/// if there is nothing of that.
static std::string refuseUnused(const CommandLine &given) {
  using Options = SmallVector<const cl::Option *>;
  const Options ofLists = {&given.gathers, &given.through, &given.accumulation};
  const Options ofTargets = {&given.chip, &given.device};
  const Options ofKernels = {
      &given.output,   &given.rowsHint,   &given.instruction,
      &given.decode,   &given.placement,  &given.batchInvariant,
      &given.schedule, &given.ptxVersion, &given.optLevel,
      &given.cubin,    &given.ptxas};
  Options unused = given.listSchedules ? Options() : ofLists;
  const char *mode = "";
  if (given.listDevices) {
    mode = "--list-devices prints devices and stops";
    unused.push_back(&given.listSchedules);
  } else if (given.listSchedules) {
    mode = "--list-schedules prints schedules and stops";
  } else if (given.emitMlir) {
    mode = "--emit-mlir prints the problem and stops";
  }
  if (given.listDevices || given.listSchedules)
    unused.append({&given.input, &given.problem, &given.emitMlir});
  if (given.listDevices || (given.emitMlir && !given.listSchedules))
    unused.append(ofTargets);
  if (*mode)
    unused.append(ofKernels);
  const std::string extra = firstGiven(unused);
  if (extra.empty())
    return "";
  return *mode ? mode + (": leave out " + extra)
               : extra + " goes with --list-schedules";
}

/// Reads the problem, and prints or compiles it.
static int processProblem(const CommandLine &given) {
  if (given.input.empty() == given.problem.empty())
    return fail(
        "expected a problem (\"experts= n= k=\") or a file of MLIR, and "
        "not both; see --help");
  if (given.output.empty() && !given.emitMlir)
    return fail("expected -o with the directory to write; see --help");
  DialectRegistry registry;
  registerAll(registry);
  MLIRContext context(registry);
  context.printOpOnDiagnostic(false);
  llvm::SourceMgr sources;
  SourceMgrDiagnosticHandler diagnostics(sources, &context);
  ScopedDiagnosticHandler withoutPlace(&context, printWithoutPlace);
  std::string message;
  OwningOpRef<ModuleOp> module = readModule(given, sources, context, message);
  if (!message.empty())
    return fail(message);
  if (!module)
    return 1;
  if (!given.emitMlir)
    return compileInto(given, *module);
  module->print(llvm::outs());
  return 0;
}

int main(int argc, char **argv) {
  llvm::InitLLVM initialise(argc, argv);
  reportFailedOutput("mxfp4-compile");
  CommandLine given;
  cl::HideUnrelatedOptions(given.category);
  cl::ParseCommandLineOptions(argc, argv, overview());
  if (const std::string wrong = refuseUnused(given); !wrong.empty())
    return fail(wrong);
  if (given.listDevices) {
    printDevices();
    return 0;
  }
  if (given.listSchedules) {
    const std::string wrong = printSchedules(given);
    return wrong.empty() ? 0 : fail(wrong);
  }
  return processProblem(given);
}
