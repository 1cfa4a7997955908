//===- CountKernel.cpp - The kernel of mxfp4.count_by_expert --------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A CTA has a block of tokens after the other. Its threads count the experts of
// the block's slots in a histogram in shared memory, which then is the block's
// line of counts. Additions of integers may come in any order.
//
//===----------------------------------------------------------------------===//

#include "KernelBuilding.h"
#include "RoutingKernels.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;
using namespace mxfp4;

void mxfp4::emitCount(CtaBuilder &c, const RoutingKernel &kernel,
                      const RoutingArguments &arguments) {
  const int64_t experts = kernel.experts(), slots = kernel.slots();
  Value histogram = sharedBuffer(c.b, {experts}, c.b.getI32Type(), 0);
  Value ids = memref::CollapseShapeOp::create(
      c.b, arguments.ids, ArrayRef<ReassociationIndices>{{0, 1}});
  Value perBlock = emitBlockTokens(c, arguments.rows);
  c.loopBy(
      c.cta, c.divideUp(arguments.rows, perBlock), c.ctas, [&](Value block) {
        c.threadLoop(c.index(experts), [&](Value expert) {
          c.store(c.integer(32, 0), histogram, expert);
        });
        c.syncCta();
        Value first = c.mul(block, perBlock);
        Value end = c.min(c.add(first, perBlock), arguments.rows);
        c.loopBy(c.add(c.mul(first, slots), c.thread), c.mul(end, slots),
                 c.index(c.threads), [&](Value slot) {
                   Value id = c.load(ids, slot);
                   c.ifThen(c.less(id, experts), [&] {
                     c.atomicAdd(c.integer(32, 1), histogram, c.toIndex(id));
                   });
                 });
        c.syncCta();
        c.threadLoop(c.index(experts), [&](Value expert) {
          c.store(c.load(histogram, expert), arguments.counts, {block, expert});
        });
        // The next block's zeros come behind these loads.
        c.syncCta();
      });
}
