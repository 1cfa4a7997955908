//===- Passes.td - Passes of the mxfp4 dialect -------------*- tablegen -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_TRANSFORMS_PASSES
#define MXFP4_TRANSFORMS_PASSES

include "mlir/Pass/PassBase.td"

// One file per level, in the order in which passes may run.
include "mxfp4/Transforms/RaisePasses.td"
include "mxfp4/Transforms/GraphPasses.td"
include "mxfp4/Transforms/ProgramPasses.td"
include "mxfp4/Transforms/FragmentPasses.td"
include "mxfp4/Transforms/PtxPasses.td"

#endif // MXFP4_TRANSFORMS_PASSES
