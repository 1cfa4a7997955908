//===- Artifact.h - Compile one kernel --------------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What a launcher needs: PTX, a cubin if asked for, and a manifest that says
// how to launch. A launcher that reads the manifest needs no compiler.
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_PIPELINE_ARTIFACT_H
#define MXFP4_PIPELINE_ARTIFACT_H

#include "mxfp4/Core/Target.h"
#include "mxfp4/Core/WeightLayout.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

#include <set>
#include <string>
#include <vector>

namespace mxfp4 {

/// Options of `compile`; the fields are those of `mxfp4-to-ptx`.
struct CompileOptions {
  std::string chip = "sm_90a";
  std::string device;
  int ptxVersion = 0;
  int64_t rowsHint = 0;
  std::string placement = "register";
  std::string instruction = "auto";
  bool batchInvariant = false;
  std::string schedule;
  std::string decode = "auto";
  int optLevel = 2;
  /// Also make a cubin, and report its resources.
  bool assemble = false;
  /// Path of ptxas; empty: MXFP4_PTXAS, then CUDA_HOME/bin, then PATH.
  std::string ptxas;
};

/// Reads "key=value" pairs separated by blanks; keys are the option names of
/// `mxfp4-to-ptx`, "assemble" and "ptxas". Errors go to `location`.
mlir::FailureOr<CompileOptions> parseCompileOptions(llvm::StringRef text,
                                                    mlir::Location location);

/// The chip and the device that the options name, or `op` and what is around
/// it. Errors are diagnostics of `op`.
mlir::FailureOr<Target> readTarget(mlir::Operation *op,
                                   const CompileOptions &options);

/// A compiled kernel.
struct Artifact {
  std::string entry;
  std::string ptx;
  /// Empty unless CompileOptions::assemble.
  std::string cubin;
  /// JSON; see docs of the format in `lib/Pipeline/Manifest.cpp`.
  std::string manifest;
};

/// Compiles a module with exactly one mxfp4.grouped_matmul, or with operations
/// around it that become one kernel (RoutingKernel.h). The module is
/// consumed. Errors are diagnostics of its context.
mlir::FailureOr<Artifact> compile(mlir::ModuleOp module,
                                  const CompileOptions &options);

/// Writes manifest.json, kernel.ptx and kernel.cubin into `directory`, which is
/// made if needed. Each file appears whole or not at all, the manifest last,
/// and what an earlier artifact left there is removed. Returns a sentence on
/// failure, else ""; where the disk is full, an earlier artifact stays.
std::string writeArtifact(const Artifact &artifact, llvm::StringRef directory);

/// JSON of what Core knows of each operation that has a schedule: fragment
/// maps, the packed layout, the decode sequence bit by bit, what the chooser
/// does for other numbers of rows. Of the options, chip, device, placement,
/// instruction and batch-invariant count. For tools that show a kernel to
/// people; the format is in `lib/Pipeline/Describe.cpp`.
mlir::FailureOr<std::string> describe(mlir::ModuleOp module,
                                      const CompileOptions &options);

/// JSON: the devices that have a name, each with its facts.
std::string describeDevices();

/// Assembles PTX for a chip and returns what ptxas reports as JSON: the
/// "resources" of a manifest, and its version as "ptxas". `ptxas` as in
/// `CompileOptions`.
mlir::FailureOr<std::string> assemblerReport(llvm::StringRef ptx,
                                             llvm::StringRef chip,
                                             llvm::StringRef ptxas,
                                             mlir::Location location);

/// A problem in words: what flags and the C API can say.
struct ProblemSpec {
  int64_t experts = 0;
  /// 0: as many as experts.
  int64_t groups = 0;
  int64_t n = 0;
  int64_t k = 0;
  BlockLayout layout;
  bool outputF32 = false;
  /// Activations as e4m3, and K after which their sums are added in f32 (0:
  /// never) if that is said.
  bool isFP8 = false;
  std::optional<int64_t> promotion;
  /// Names of the optional operands that the caller provides: "expert_ids".
  std::set<std::string> operands;
};

/// Reads "experts=32 n=5760 k=2880 [groups=] [order=] [scales=] [columns=]
/// [output=bf16] [activations=bf16] [accumulation=promoted512]",
/// and for each optional operand of the caller's whether it is there:
/// "[expert-ids=0]".
mlir::FailureOr<ProblemSpec> parseProblemSpec(llvm::StringRef text,
                                              mlir::Location location);

/// What a problem calls an accumulation: "fast", "promoted512".
llvm::StringRef accumulationName(int64_t promotion);
/// The reverse; nothing for another name.
std::optional<int> parseAccumulation(llvm::StringRef name);

/// The keys that it knows, and those of them that stand for an operand.
std::vector<std::string> problemFields();
std::vector<std::string> optionalOperandFields();

/// A module with a function `grouped_matmul` on memrefs for the problem. Its
/// arguments are the operation's operands: those that it needs, the problem's,
/// and those of the launcher. Of e4m3 activations the epilogue multiplies with
/// the powers of two of rows of weights (epilogue0, E x N) and the scales of
/// rows of activations (epilogue1, R).
mlir::OwningOpRef<mlir::ModuleOp> buildProblem(mlir::MLIRContext *context,
                                               const ProblemSpec &spec);

} // namespace mxfp4

#endif // MXFP4_PIPELINE_ARTIFACT_H
