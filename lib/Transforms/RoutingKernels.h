//===- RoutingKernels.h - Bodies of kernels for routing ---------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Parts of mxfp4-tile-routing: what the CTAs of each kernel do behind
// griddepcontrol.wait.
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_LIB_TRANSFORMS_ROUTINGKERNELS_H
#define MXFP4_LIB_TRANSFORMS_ROUTINGKERNELS_H

#include "CtaBuilder.h"

#include "mxfp4/IR/RoutingKernel.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"

namespace mxfp4 {

/// The arguments of a kernel by their names; null for what it does not have.
struct RoutingArguments {
  RoutingArguments(CtaBuilder &c, mlir::gpu::GPUFuncOp kernel);

  mlir::Value logits, bias, ids, weights, counts, offsets, tokens, positions,
      zeros, error, y, out, x, gather, codes, scales;
  /// The number of rows of x (i32), where rows are gathered from it.
  mlir::Value xRows;
  /// The number of tokens (index).
  mlir::Value rows;
  /// In shared memory, the first ids, of the kernel that also sorts them; or
  /// null.
  mlir::Value staged;
};

/// All tokens, by the warps of all CTAs; counts of blocks if there are any.
void emitTopK(CtaBuilder &c, const RoutingKernel &kernel,
              const RoutingArguments &arguments);

/// Counts of the blocks of tokens, one block after the other by each CTA.
void emitCount(CtaBuilder &c, const RoutingKernel &kernel,
               const RoutingArguments &arguments);

/// All slots, in one CTA or, with counts, in as many as there are.
void emitSort(CtaBuilder &c, const RoutingKernel &kernel,
              const RoutingArguments &arguments);

void emitCombine(CtaBuilder &c, const RoutingKernel &kernel,
                 const RoutingArguments &arguments);

/// Rows as they are, each stored in the rows of its slots; with a sort, which
/// finds these.
void emitDispatch(CtaBuilder &c, const RoutingKernel &kernel,
                  const RoutingArguments &arguments);

/// Rows in FP8, each stored in its own row or in the rows of its slots.
void emitQuantizeRows(CtaBuilder &c, const RoutingKernel &kernel,
                      const RoutingArguments &arguments);

/// Tokens of a block of counts: 32 * ceil(rows / 4096), and 32 where there are
/// no rows.
mlir::Value emitBlockTokens(CtaBuilder &c, mlir::Value rows);

} // namespace mxfp4

#endif // MXFP4_LIB_TRANSFORMS_ROUTINGKERNELS_H
