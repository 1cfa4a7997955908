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

  mlir::OwningOpRef<mlir::ModuleOp> parse(const char *mlir);
  mlir::Location unknownLocation();

  mlir::MLIRContext context;
};

#endif // MXFP4_CAPI_HANDLES_H
