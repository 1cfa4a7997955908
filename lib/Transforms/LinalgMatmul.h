//===- LinalgMatmul.h - Grouped matmuls on tensors to linalg ----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_LIB_TRANSFORMS_LINALGMATMUL_H
#define MXFP4_LIB_TRANSFORMS_LINALGMATMUL_H

#include "mxfp4/IR/MXFP4.h"

#include "mlir/IR/Builders.h"

namespace mxfp4 {

/// The output of a grouped matmul as a loop over groups, each of which decodes
/// its expert's weights and multiplies. The output keeps its values if offsets
/// are bad, and the rows of groups with bad ids keep theirs.
/// \param weights codes and scales, or the bytes of blocks of `layout`.
mlir::Value matmulInLinalg(mlir::OpBuilder &b, GroupedMatmulOp op,
                           mlir::ValueRange weights,
                           std::optional<BlockLayout> layout);

} // namespace mxfp4

#endif // MXFP4_LIB_TRANSFORMS_LINALGMATMUL_H
