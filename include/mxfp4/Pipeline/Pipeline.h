//===- Pipeline.h - Registration and named pipelines ------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The one place where tools, bindings and embedders register dialects, passes
// and pipelines. mxfp4-opt, mxfp4-compile and the C interface all call the same
// functions, so that a pipeline that works in one works in all.
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_PIPELINE_PIPELINE_H
#define MXFP4_PIPELINE_PIPELINE_H

namespace mlir {
class DialectRegistry;
class OpPassManager;
} // namespace mlir

namespace mxfp4 {

/// See `mxfp4/Pipeline/BufferizePipeline.h`.
struct BufferizePipelineOptions;

/// Registers the mxfp4 dialect and its interface models: enough for a program
/// that has registered upstream's own.
void registerDialect(mlir::DialectRegistry &registry);

/// Registers the mxfp4 dialect, the upstream dialects that its users write or
/// that its passes produce, and the interface models that bufferization,
/// conversion to LLVM and translation of kernels need. Nothing else: a dialect
/// that is not registered cannot be parsed, and cannot crash the parser.
void registerAll(mlir::DialectRegistry &registry);

/// Registers the passes of mxfp4, the upstream passes that go with them, and
/// the named pipelines.
void registerAllPasses();

/// Registers the named pipelines only; `registerMXFP4Passes` of
/// `mxfp4/Transforms/Passes.h` registers the passes.
void registerPipelines();

/// `mxfp4-bufferize`: a module on tensors to one on contiguous memrefs, at
/// function boundaries too, which is what kernels take. A result that is an
/// output argument's buffer is not returned; temporaries are freed.
void buildBufferizePipeline(mlir::OpPassManager &pm,
                            const BufferizePipelineOptions &options);
void buildBufferizePipeline(mlir::OpPassManager &pm);

/// `mxfp4-to-cpu`: a module on tensors or memrefs to the LLVM dialect, for
/// MLIR's execution engine. Functions exchange contiguous memrefs; a result
/// that is an output argument's buffer is not returned. Temporaries are freed
/// by the pipeline, which therefore refuses input with `memref.dealloc`.
void buildCpuPipeline(mlir::OpPassManager &pm,
                      const BufferizePipelineOptions &options);
void buildCpuPipeline(mlir::OpPassManager &pm);

} // namespace mxfp4

#endif // MXFP4_PIPELINE_PIPELINE_H
