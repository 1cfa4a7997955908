//===- RoutingLoops.h - The specification of routing ------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Parts of mxfp4-lower-to-loops.
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_LIB_TRANSFORMS_ROUTINGLOOPS_H
#define MXFP4_LIB_TRANSFORMS_ROUTINGLOOPS_H

#include "mxfp4/IR/MXFP4.h"

namespace mxfp4 {

/// Emit loops on memrefs in front of the operation.
void emitTopKLoops(TopKOp op);
void emitSortLoops(SortByExpertOp op);
void emitCountLoops(CountByExpertOp op);
void emitCombineLoops(CombineOp op);
void emitQuantizeRowsLoops(QuantizeRowsOp op);

} // namespace mxfp4

#endif // MXFP4_LIB_TRANSFORMS_ROUTINGLOOPS_H
