//===- Handles.h - What the C handles are -----------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_CAPI_HANDLES_H
#define MXFP4_CAPI_HANDLES_H

#include "mxfp4-c/mxfp4.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OwningOpRef.h"

struct mxfp4_compiler {
  mxfp4_compiler(mxfp4_diagnostic_fn diagnostic, void *user);

  /// Null after a diagnostic.
  mlir::OwningOpRef<mlir::ModuleOp> parse(llvm::StringRef source);
  mlir::Location unknownLocation();

  mlir::MLIRContext context;
};

struct mxfp4_module {
  mlir::OwningOpRef<mlir::ModuleOp> module;
};

/// A copy for the caller, zero-terminated.
char *copyText(llvm::StringRef text);

#endif // MXFP4_CAPI_HANDLES_H
