//===- Artifact.cpp - Compile one kernel ----------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mxfp4/Pipeline/Artifact.h"

#include "Assembler.h"
#include "Manifest.h"

#include "mxfp4/Core/Checksum.h"
#include "mxfp4/IR/MXFP4.h"
#include "mxfp4/IR/RoutingKernel.h"
#include "mxfp4/Pipeline/Output.h"
#include "mxfp4/Pipeline/PtxPipeline.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"

#include <variant>

using namespace mlir;
using namespace mxfp4;

/// The one kernel that an artifact is made of: a grouped matmul, or what
/// surrounds it.
static FailureOr<std::variant<GroupedMatmulOp, RoutingKernel>>
findOperation(ModuleOp module, const CompileOptions &options) {
  SmallVector<GroupedMatmulOp> found;
  module.walk([&](GroupedMatmulOp op) { found.push_back(op); });
  const SmallVector<RoutingKernel> routing =
      findRoutingKernels(module, options.rowsHint);
  if (found.size() == 1 && routing.empty())
    return {found[0]};
  if (found.empty() && routing.size() == 1)
    return {routing[0]};
  InFlightDiagnostic error =
      module.emitError()
      << "an artifact is one kernel: expected one mxfp4.grouped_matmul in "
         "the module, got "
      << found.size();
  for (const RoutingKernel &kernel : routing)
    error << " and one mxfp4." << kernel.last()->getName().stripDialect();
  if (found.empty() && routing.empty())
    error << "; run mxfp4-raise first, if it is written in linalg";
  else
    error << "; compile each in a module of its own";
  for (const RoutingKernel &kernel : routing)
    if (kernel.sort && !kernel.topK) {
      error << ", or give rows-hint, the slots of at most 64 tokens, with "
               "which top_k and sort_by_expert are one kernel";
      break;
    }
  return error;
}

FailureOr<Target> mxfp4::readTarget(Operation *op,
                                    const CompileOptions &options) {
  const Target *row = findTarget(options.chip);
  if (!row)
    return op->emitError() << "unknown chip '" << options.chip << "'; "
                           << adviseChips();
  Target target = *row;
  target.device = targetOf(op).device;
  if (options.device.empty())
    return target;
  if (const std::string problem = parse(options.device, target.device);
      !problem.empty())
    return op->emitError() << "the compiler " << problem;
  return target;
}

static LogicalResult checkOptions(Operation *op,
                                  const CompileOptions &options) {
  FailureOr<Target> target = readTarget(op, options);
  if (failed(target))
    return failure();
  if (options.ptxVersion != 0 && (options.ptxVersion < target->minPtx ||
                                  options.ptxVersion > target->maxPtx))
    return op->emitError() << "PTX version " << options.ptxVersion
                           << " is not from " << target->minPtx << " to "
                           << target->maxPtx << " for " << options.chip;
  if (options.optLevel < 0 || options.optLevel > 3)
    return op->emitError() << "optimisation level " << options.optLevel
                           << " is not from 0 to 3";
  if (options.rowsHint < 0)
    return op->emitError() << "a hint of " << options.rowsHint
                           << " rows is negative; use 0 for unknown";
  return success();
}

/// Chooses the schedule here rather than in the pipeline, to have the reason.
static LogicalResult settleSchedule(GroupedMatmulOp op,
                                    const CompileOptions &options,
                                    KernelFacts &facts) {
  FailureOr<Target> target = readTarget(op, options);
  if (failed(target))
    return failure();
  facts.target = *target;
  Preference preference;
  if (const std::string problem =
          parsePreference(options.placement, options.instruction, preference);
      !problem.empty())
    return op.emitError() << "the compiler " << problem;
  preference.batchInvariant = facts.batchInvariant = options.batchInvariant;
  if (op.getScheduleAttr() || !options.schedule.empty()) {
    facts.reason = "given by the user";
    return success();
  }
  facts.problem.rowsHint = options.rowsHint;
  // mxfp4-tile refuses more groups; the chooser would look at each number of
  // rows up to theirs.
  if (facts.problem.groups > maxGroups())
    return success();
  const ScheduleChoice choice =
      chooseSchedule(facts.problem, facts.target, preference);
  facts.reason = choice.reason;
  facts.rowsRange = {choice.rowsFrom, choice.rowsTo};
  return success();
}

static void fill(PtxPipelineOptions &pipeline, const CompileOptions &options) {
  pipeline.chip = options.chip;
  pipeline.device = options.device;
  pipeline.ptxVersion = options.ptxVersion;
  pipeline.rowsHint = options.rowsHint;
  pipeline.placement = options.placement;
  pipeline.instruction = options.instruction;
  pipeline.batchInvariant = options.batchInvariant;
  pipeline.schedule = options.schedule;
  pipeline.decode = options.decode;
  pipeline.optLevel = options.optLevel;
  // An artifact is a kernel alone: its launcher passes contiguous buffers.
  pipeline.copies = false;
}

/// Runs `build`'s part of the pipeline; `verifies` after each pass.
static LogicalResult
run(ModuleOp module, const CompileOptions &options,
    void (*build)(OpPassManager &, const PtxPipelineOptions &), bool verifies) {
  PtxPipelineOptions pipeline;
  fill(pipeline, options);
  PassManager pm(module.getContext());
  pm.enableVerifier(verifies);
  build(pm, pipeline);
  return pm.run(module);
}

/// What the arguments of the one kernel are.
static LogicalResult readSignature(ModuleOp module,
                                   SmallVector<KernelArgument> &arguments) {
  FailureOr<SmallVector<KernelArgument>> signature = failure();
  module.walk([&](gpu::GPUFuncOp kernel) {
    // Kernels of others say nothing of ours.
    if (!kernel->getParentOp()->hasAttr(MXFP4Dialect::kKernelsAttr))
      return WalkResult::advance();
    signature = kernelSignature(kernel);
    return WalkResult::interrupt();
  });
  if (succeeded(signature))
    arguments = std::move(*signature);
  return signature;
}

/// The text of the one kernel, assembled if that is asked for, with the
/// manifest that `write` makes.
static FailureOr<Artifact>
finish(ModuleOp module, const CompileOptions &options,
       function_ref<std::string(StringRef entry, const Assembly *)> write) {
  std::vector<PtxKernel> kernels = ptxKernels(module);
  if (kernels.size() != 1)
    return module.emitError("the pipeline left ")
           << kernels.size() << " kernels, where one was expected";
  Artifact artifact;
  artifact.entry = std::move(kernels[0].name);
  artifact.ptx = std::move(kernels[0].ptx);
  Assembly assembly;
  if (options.assemble) {
    FailureOr<Assembly> made =
        assemble(artifact.ptx, options.chip, options.ptxas, module.getLoc());
    if (failed(made))
      return failure();
    assembly = std::move(*made);
    artifact.cubin = assembly.cubin;
  }
  artifact.manifest =
      write(artifact.entry, options.assemble ? &assembly : nullptr);
  return artifact;
}

static FailureOr<Artifact> compileMatmul(ModuleOp module, GroupedMatmulOp op,
                                         const CompileOptions &options) {
  KernelFacts facts = KernelFacts::read(op);
  if (failed(settleSchedule(op, options, facts)) ||
      failed(run(module, options, buildSchedulePipeline, /*verifies=*/true)))
    return failure();
  if (ScheduleAttr schedule = op.getScheduleAttr())
    facts.schedule = schedule.toSchedule();
  // What comes from the user is verified by now. Between the other passes that
  // is a twentieth of the time; mxfp4-opt does it.
  if (failed(run(module, options, buildKernelPipeline, /*verifies=*/false)) ||
      failed(readSignature(module, facts.signature)) ||
      failed(run(module, options, buildCodePipeline, /*verifies=*/false)))
    return failure();
  return finish(module, options,
                [&](StringRef entry, const Assembly *assembly) {
                  return writeManifest(facts, entry, assembly);
                });
}

static FailureOr<Artifact> compileRouting(ModuleOp module,
                                          const RoutingKernel &kernel,
                                          const CompileOptions &options) {
  // What keeps it from becoming a kernel is said by the pass.
  if (failed(verify(module)))
    return failure();
  std::optional<RoutingFacts> facts;
  if (!ShapedType::isDynamic(kernel.slots()) &&
      !ShapedType::isDynamic(kernel.experts()) &&
      !ShapedType::isDynamic(kernel.n()))
    facts = RoutingFacts::read(kernel);
  if (failed(run(module, options, buildKernelPipeline, /*verifies=*/false)) ||
      !facts || failed(readSignature(module, facts->signature)) ||
      failed(run(module, options, buildCodePipeline, /*verifies=*/false)))
    return failure();
  return finish(
      module, options, [&](StringRef entry, const Assembly *assembly) {
        return writeManifest(std::move(*facts), entry, options.chip, assembly);
      });
}

FailureOr<Artifact> mxfp4::compile(ModuleOp module,
                                   const CompileOptions &options) {
  FailureOr<std::variant<GroupedMatmulOp, RoutingKernel>> found =
      findOperation(module, options);
  if (failed(found))
    return failure();
  auto *matmul = std::get_if<GroupedMatmulOp>(&*found);
  auto *routing = std::get_if<RoutingKernel>(&*found);
  Operation *op = matmul ? matmul->getOperation() : routing->last();
  if (failed(checkOptions(op, options)))
    return failure();
  return matmul ? compileMatmul(module, *matmul, options)
                : compileRouting(module, *routing, options);
}

FailureOr<std::string> mxfp4::assemblerReport(StringRef ptx, StringRef chip,
                                              StringRef ptxas,
                                              Location location) {
  FailureOr<Assembly> assembly = assemble(ptx, chip, ptxas, location);
  if (failed(assembly))
    return failure();
  llvm::json::Object report = resources(*assembly);
  report["ptxas"] = assembly->version;
  std::string text;
  llvm::raw_string_ostream os(text);
  os << llvm::json::Value(std::move(report));
  return text;
}

/// The manifest, which says how to know its files, and itself.
static std::string withFiles(const Artifact &artifact) {
  llvm::json::Value manifest =
      llvm::cantFail(llvm::json::parse(artifact.manifest));
  llvm::json::Object files;
  for (auto [name, content] :
       {std::pair<StringRef, StringRef>("kernel.ptx", artifact.ptx),
        {"kernel.cubin", artifact.cubin}})
    if (!content.empty())
      files[name] = llvm::json::Object{{"bytes", int64_t(content.size())},
                                       {"crc32", int64_t(crc32(content))}};
  llvm::json::Object &fields = *manifest.getAsObject();
  fields["files"] = std::move(files);
  fields["checksum"] = "";
  auto print = [&] { return llvm::formatv("{0:2}\n", manifest).str(); };
  fields["checksum"] = manifestChecksum(print());
  return print();
}

std::string mxfp4::writeArtifact(const Artifact &artifact,
                                 StringRef directory) {
  if (llvm::sys::fs::exists(directory) &&
      !llvm::sys::fs::is_directory(directory))
    return ("an artifact is a directory, but '" + directory +
            "' is a file; name another directory")
        .str();
  std::vector<std::string> made;
  if (std::string wrong = makeDirectories(directory, made); !wrong.empty())
    return wrong;
  auto at = [&](StringRef name) {
    llvm::SmallString<128> path(directory);
    llvm::sys::path::append(path, name);
    return path.str().str();
  };
  const std::string manifest = withFiles(artifact);
  SmallVector<NewFile> files = {{at("kernel.ptx"), artifact.ptx}};
  if (!artifact.cubin.empty())
    files.push_back({at("kernel.cubin"), artifact.cubin});
  files.push_back({at("manifest.json"), manifest});
  // What an earlier artifact left here must not be taken for part of this one.
  std::string wrong =
      writeFiles(files, {at("manifest.json"), at("kernel.cubin")});
  if (!wrong.empty())
    removeDirectories(made);
  return wrong;
}
