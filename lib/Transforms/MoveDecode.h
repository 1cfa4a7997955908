//===- MoveDecode.h - Decodes behind moves of their values ------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_LIB_TRANSFORMS_MOVEDECODE_H
#define MXFP4_LIB_TRANSFORMS_MOVEDECODE_H

#include "mxfp4/IR/MXFP4.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/PatternMatch.h"

namespace mxfp4 {

/// Whether the types of codes and scales say how many blocks a row has, which
/// the type of the values may know better.
bool hasKnownBlocks(DequantizeOp decode);

/// Decodes after a slice of whole blocks was cut out of codes and scales.
llvm::LogicalResult decodeAfterSlice(mlir::tensor::ExtractSliceOp slice,
                                     mlir::PatternRewriter &rewriter);

/// Decodes after codes and scales were reshaped, where K stays as it is.
template <typename Reshape>
llvm::LogicalResult decodeAfterReshape(Reshape reshape,
                                       mlir::PatternRewriter &rewriter);

/// Whether what a pad puts around values is +0.0.
bool padsWithZeros(mlir::tensor::PadOp pad);

/// Decodes after codes and scales were padded with blocks of +0.0, by which
/// weights are padded; before that, after the first of the reshapes and slices
/// that are padded.
llvm::LogicalResult decodeAfterPad(mlir::tensor::PadOp pad,
                                   mlir::PatternRewriter &rewriter);

/// Decodes after the first of the reshapes and slices that give `value`, which
/// is next to a decode.
llvm::LogicalResult decodeAfterMove(mlir::Value value,
                                    mlir::PatternRewriter &rewriter);

} // namespace mxfp4

#endif // MXFP4_LIB_TRANSFORMS_MOVEDECODE_H
