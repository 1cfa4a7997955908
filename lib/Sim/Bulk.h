//===- Bulk.h - What instructions of cp.async.bulk do -----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_LIB_SIM_BULK_H
#define MXFP4_LIB_SIM_BULK_H

#include "Exec.h"

namespace mxfp4::sim::bulk {

/// Inst::mods of bulk operations.
enum Flag : uint8_t {
  Multicast = 1,
  TensorForm = 2,
  ReadOnlyWait = 4,
  FromShared = 16,
  HintFlag = 32
};

/// Issues copies into shared memory.
void load(ExecContext &x, const Inst &i);
/// Issues copies and reductions from shared memory to global memory.
void store(ExecContext &x, const Inst &i);
/// Makes a group of each lane's stores.
void commit(ExecContext &x, const Inst &i);
/// Lands groups until few enough are in flight.
void wait(ExecContext &x, const Inst &i);
/// Looks at what is to be fetched into L2.
void prefetch(ExecContext &x, const Inst &i);

} // namespace mxfp4::sim::bulk

#endif // MXFP4_LIB_SIM_BULK_H
