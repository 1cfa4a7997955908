//===- Assembler.h - Run ptxas ----------------------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_PIPELINE_ASSEMBLER_H
#define MXFP4_PIPELINE_ASSEMBLER_H

#include "mlir/IR/Location.h"
#include "mlir/Support/LLVM.h"
#include "llvm/Support/JSON.h"

#include <string>

namespace mxfp4 {

/// What ptxas makes and reports.
struct Assembly {
  std::string cubin;
  /// Its version, such as "13.0.88".
  std::string version;
  int registers = 0;
  int stackBytes = 0;
  int spillBytes = 0;
  int staticSharedBytes = 0;
  /// Its warnings, a line each.
  std::string warnings;
};

/// The "resources" of a manifest.
llvm::json::Object resources(const Assembly &assembly);

/// Assembles PTX for a chip. `path` may be empty: then MXFP4_PTXAS,
/// CUDA_HOME/bin and PATH are searched, in this order.
mlir::FailureOr<Assembly> assemble(llvm::StringRef ptx, llvm::StringRef chip,
                                   llvm::StringRef path,
                                   mlir::Location location);

} // namespace mxfp4

#endif // MXFP4_PIPELINE_ASSEMBLER_H
