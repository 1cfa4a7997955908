//===- DecodeBlocks.h - Codes and scales as blocks of bytes -----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_LIB_TRANSFORMS_DECODEBLOCKS_H
#define MXFP4_LIB_TRANSFORMS_DECODEBLOCKS_H

#include "DecodeProof.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace mxfp4 {

/// Whether codes and scales can be brought into the order of blocks.
bool canMakeBlocks(const Decode &decode);

/// The bytes `... x K/32 x 16` and the scale bytes `... x K/32` of a decode.
std::pair<mlir::Value, mlir::Value>
makeBlocks(mlir::OpBuilder &b, mlir::Location loc, const Decode &decode);

/// The bytes of words, `... x bytes` with the lowest first. `nibbles`: the
/// order of a word's nibbles in its bytes; if empty, the one that they have.
mlir::Value bytesOfWords(mlir::OpBuilder &b, mlir::Location loc,
                         mlir::Value words, llvm::ArrayRef<unsigned> nibbles);

/// The slice of a tensor with other trailing dimensions, whole, that `slice` is
/// of one with the same `leading` dimensions.
mlir::Value sliceLeading(mlir::OpBuilder &b, mlir::tensor::ExtractSliceOp slice,
                         mlir::Value whole, int64_t leading);

/// Whether a slice of `... x K` has whole blocks, which are known.
bool keepsBlocks(mlir::tensor::ExtractSliceOp slice);

/// The codes or scales, `... x K/32 (x 16)`, of such a slice of the values that
/// `whole` has the codes or scales of.
mlir::Value sliceBlocks(mlir::OpBuilder &b, mlir::tensor::ExtractSliceOp slice,
                        mlir::Value whole);

} // namespace mxfp4

#endif // MXFP4_LIB_TRANSFORMS_DECODEBLOCKS_H
