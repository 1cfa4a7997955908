//===- Manifest.h - How to launch a kernel ----------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_PIPELINE_MANIFEST_H
#define MXFP4_PIPELINE_MANIFEST_H

#include "Assembler.h"

#include "mxfp4/Core/Schedule.h"
#include "mxfp4/IR/KernelSignature.h"
#include "mxfp4/IR/RoutingKernel.h"

#include "llvm/Support/JSON.h"

#include <optional>

namespace mxfp4 {

/// What the manifest says beyond the PTX; read off the operation before it is
/// lowered, but for what is said of the kernel.
struct KernelFacts {
  /// The function that the operation is in, if any, as the user spells it: the
  /// name of the kernel has PTX's characters only.
  std::optional<std::string> function;
  Target target = defaultTarget();
  Problem problem;
  BlockLayout layout;
  /// The text of the epilogue; empty without one.
  std::string epilogue;
  NumberType output = NumberType::BF16;
  Schedule schedule;
  /// Of the kernel.
  llvm::SmallVector<KernelArgument> signature;
  std::string reason;
  /// Whether it was asked for.
  bool batchInvariant = false;
  /// The promises under which the program was raised, if any.
  llvm::json::Object promises;
  /// Rows for which the chooser picks this schedule; absent for a schedule of
  /// the user's.
  std::optional<std::pair<int64_t, int64_t>> rowsRange;

  static KernelFacts read(GroupedMatmulOp op);
};

/// The manifest, as JSON text.
std::string writeManifest(const KernelFacts &facts, llvm::StringRef entry,
                          const Assembly *assembly);

/// The manifest of a kernel around the matmuls; `kernel` is read before it is
/// lowered.
struct RoutingFacts {
  static RoutingFacts read(const RoutingKernel &kernel);

  std::optional<std::string> function;
  std::string operation;
  llvm::json::Object problem;
  LaunchPlan plan;
  llvm::SmallVector<KernelArgument> signature;
};
std::string writeManifest(RoutingFacts facts, llvm::StringRef entry,
                          llvm::StringRef chip, const Assembly *assembly);

/// Adds what all manifests end with, and gives the text.
std::string finishManifest(llvm::json::Object manifest,
                           llvm::ArrayRef<KernelArgument> signature,
                           const std::optional<std::string> &function,
                           const Assembly *assembly);

} // namespace mxfp4

#endif // MXFP4_PIPELINE_MANIFEST_H
