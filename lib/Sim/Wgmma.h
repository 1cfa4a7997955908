//===- Wgmma.h - Pending wgmmas ---------------------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_LIB_SIM_WGMMA_H
#define MXFP4_LIB_SIM_WGMMA_H

#include "Exec.h"

namespace mxfp4::sim {

/// Computes the warp's wgmmas of groups up to \p upto, in order.
void finishWgmmas(ExecContext &x, uint32_t upto);

} // namespace mxfp4::sim

#endif // MXFP4_LIB_SIM_WGMMA_H
