//===- CpAsync.h - Asynchronous copies --------------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_LIB_SIM_CPASYNC_H
#define MXFP4_LIB_SIM_CPASYNC_H

#include "Sync.h"

namespace mxfp4::sim {

/// Moves the bytes of one thread's cp.async.
void landCopy(Grid &g, Cta &t, const PendingCopy &c);
/// Moves the bytes of a bulk operation and signals its barriers.
void landBulk(ExecContext &x, BulkOp &op);
/// One element of a reduction: \p op as in atom (0 and, 1 or, 2 xor, 5 add,
/// 8 min, 9 max).
uint64_t reduceElement(Ty t, uint8_t op, uint64_t old, uint64_t fresh);

} // namespace mxfp4::sim

#endif // MXFP4_LIB_SIM_CPASYNC_H
