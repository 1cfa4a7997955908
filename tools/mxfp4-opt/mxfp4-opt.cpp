//===- mxfp4-opt.cpp - Run passes of the mxfp4 dialect --------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mxfp4/Pipeline/Pipeline.h"

#include "mlir/IR/DialectRegistry.h"
#include "mlir/Support/LogicalResult.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"

static constexpr char kBanner[] =
    R"(mxfp4-opt: ragged matrix multiplication with MXFP4 weights

Reads MLIR, runs passes, prints MLIR.

  mxfp4-opt --mxfp4-to-cpu in.mlir      from tensors or memrefs to the LLVM
                                        dialect for the CPU, for mlir-runner
  mxfp4-opt --mxfp4-raise in.mlir       linalg on dequantised weights to
                                        mxfp4.grouped_matmul
  mxfp4-opt --show-dialects             what can be parsed

Passes and pipelines that start with mxfp4- are this project's; the others are
the upstream ones that go with them.
)";

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  mxfp4::registerAll(registry);
  mxfp4::registerAllPasses();
  return mlir::asMainReturnCode(
      mlir::MlirOptMain(argc, argv, kBanner, registry));
}
