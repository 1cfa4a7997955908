//===- MXFP4ConversionOps.td - Other forms of data ---------*- tablegen -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Between checkpoint layout, packed blocks and values, and other views of the
// same memory. Included by MXFP4Ops.td.
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_IR_MXFP4CONVERSIONOPS
#define MXFP4_IR_MXFP4CONVERSIONOPS

include "mlir/Interfaces/ViewLikeInterface.td"

def MXFP4_PackOp : MXFP4_DestinationOp<"pack"> {
  let summary = "Checkpoint layout to a fragment-major layout";
  let description = [{
    Packs codes `E x N x K/32 x 16` i8 and scales `E x N x K/32` i8 into blocks
    `E x ceil(N/64) x ceil(K/64) x !mxfp4.block<...>` (`K/128` of `bytes`). Every
    scale must fit the block's scale encoding: `folded` holds the E8M0 bytes 0 to
    128, `relative` 114 to 140. What does not fit is refused where packing runs on real data (the C++ and Python
    packers, and this op under `generate-runtime-verification`).

    Example:

    ```mlir
    %w = mxfp4.pack codes(%c : tensor<4x128x3x16xi8>)
                    scales(%s : tensor<4x128x3xi8>)
        outs(%init : tensor<4x2x2x!mxfp4.block<spread, folded>>)
        -> tensor<4x2x2x!mxfp4.block<spread, folded>>
    ```
  }];
  let arguments = (ins Shaped:$codes, Shaped:$scales, Shaped:$init,
                       OptionalAttr<DictionaryAttr>:$promises);
  let results = (outs Variadic<AnyRankedTensor>:$results);
  let assemblyFormat = [{
    `codes` `(` $codes `:` type($codes) `)`
    `scales` `(` $scales `:` type($scales) `)`
    `outs` `(` $init `:` type($init) `)` attr-dict (`->` type($results)^)?
  }];
  let extraClassDeclaration = [{
    ::mlir::MutableOperandRange getDpsInitsMutable() {
      return getInitMutable();
    }
  }];
}

def MXFP4_UnpackOp : MXFP4_DestinationOp<"unpack"> {
  let summary = "A fragment-major layout to the checkpoint layout";
  let description = [{
    The inverse of `mxfp4.pack`; padding is dropped.

    Example:

    ```mlir
    %c, %s = mxfp4.unpack blocks(%w : tensor<4x2x2x!mxfp4.block<nibble, raw>>)
        outs(%ci, %si : tensor<4x128x3x16xi8>, tensor<4x128x3xi8>)
        -> tensor<4x128x3x16xi8>, tensor<4x128x3xi8>
    ```
  }];
  let arguments = (ins Shaped:$blocks, Shaped:$codes_init,
                       Shaped:$scales_init);
  let results = (outs Variadic<AnyRankedTensor>:$results);
  let assemblyFormat = [{
    `blocks` `(` $blocks `:` type($blocks) `)`
    `outs` `(` $codes_init `,` $scales_init `:`
               type($codes_init) `,` type($scales_init) `)`
    attr-dict (`->` type($results)^)?
  }];
  let extraClassDeclaration = [{
    ::mlir::MutableOperandRange getDpsInitsMutable() {
      return ::mlir::MutableOperandRange(getOperation(), /*start=*/1,
                                         /*length=*/2);
    }
  }];
}

def MXFP4_QuantizeOp : MXFP4_DestinationOp<"quantize"> {
  let summary = "Values to MXFP4 codes and scales";
  let description = [{
    Quantises `... x K` bf16 or f32 values, K a multiple of 32, to codes
    `... x K/32 x 16` i8 and scales `... x K/32` i8 as OCP Microscaling v1.0
    section 6.3 says: the scale of 32 values is 2^(floor(log2(max)) - 2),
    clamped to E8M0, and the codes are the values over the scale, rounded to
    nearest even and saturated. A block of zeros gets scale 2^-127; a block
    with a NaN or infinity gets the NaN scale, and codes 0 and 8.

    Example:

    ```mlir
    %c, %s = mxfp4.quantize ins(%v : tensor<8x64xf32>)
        outs(%ci, %si : tensor<8x2x16xi8>, tensor<8x2xi8>)
        -> tensor<8x2x16xi8>, tensor<8x2xi8>
    ```
  }];
  let arguments = (ins Shaped:$values, Shaped:$codes_init,
                       Shaped:$scales_init);
  let results = (outs Variadic<AnyRankedTensor>:$results);
  let assemblyFormat = [{
    `ins` `(` $values `:` type($values) `)`
    `outs` `(` $codes_init `,` $scales_init `:`
               type($codes_init) `,` type($scales_init) `)`
    attr-dict (`->` type($results)^)?
  }];
  let extraClassDeclaration = [{
    ::mlir::MutableOperandRange getDpsInitsMutable() {
      return ::mlir::MutableOperandRange(getOperation(), /*start=*/1,
                                         /*length=*/2);
    }
  }];
}

def MXFP4_DequantizeOp : MXFP4_DestinationOp<"dequantize"> {
  let summary = "MXFP4 codes and scales to values";
  let description = [{
    Decodes codes `... x K/32 x 16` i8 and scales `... x K/32` i8 exactly to
    `... x K` bf16 or f32. This is where `mxfp4-raise` gathers the many ways to
    write a dequantisation before it looks for a matmul behind it. `promises` are
    those that make the decode one of MXFP4.

    Example:

    ```mlir
    %v = mxfp4.dequantize codes(%c : tensor<8x2x16xi8>)
                          scales(%s : tensor<8x2xi8>)
        outs(%init : tensor<8x64xbf16>) -> tensor<8x64xbf16>
    ```
  }];
  let arguments = (ins Shaped:$codes, Shaped:$scales, Shaped:$init,
                       OptionalAttr<DictionaryAttr>:$promises);
  let results = (outs Variadic<AnyRankedTensor>:$results);
  let assemblyFormat = [{
    `codes` `(` $codes `:` type($codes) `)`
    `scales` `(` $scales `:` type($scales) `)`
    `outs` `(` $init `:` type($init) `)` attr-dict (`->` type($results)^)?
  }];
  let extraClassDeclaration = [{
    ::mlir::MutableOperandRange getDpsInitsMutable() {
      return getInitMutable();
    }
  }];
}

def MXFP4_BlockBytesOp : MXFP4_Op<"block_bytes",
    [Pure]> {
  let summary = "Packed weights as bytes";
  let description = [{
    The memory of blocks `A x B x C x !mxfp4.block` as `A x B x C x 2176` i8,
    without a copy. Loops that pack and unpack go through it. Of blocks in a
    strided layout the bytes have the strides and the offset, times 2176.

    Example:

    ```mlir
    %b = mxfp4.block_bytes %w : memref<4x2x2x!mxfp4.block<spread, raw>>
        -> memref<4x2x2x2176xi8>
    ```
  }];
  let arguments = (ins AnyStridedMemRef:$blocks);
  let results = (outs AnyStridedMemRef:$bytes);
  let assemblyFormat = "$blocks attr-dict `:` type($blocks) `->` type($bytes)";
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    /// The type of the bytes of blocks of a strided type.
    static ::mlir::MemRefType bytesOf(::mlir::MemRefType blocks);
  }];
}

def MXFP4_RebaseOp : MXFP4_Op<"rebase", [Pure,
    DeclareOpInterfaceMethods<ViewLikeOpInterface>]> {
  let summary = "A contiguous part of a buffer as a buffer of its own";
  let description = [{
    The memory of a buffer whose elements lie one behind the other, as a memref
    with identity layout that begins at the first element: the offset moves into
    the pointer. Kernels take pointers, and `mxfp4-make-contiguous` makes such
    pointers to rows, experts or layers of larger buffers. Nothing is copied.

    The layout must not be one that is never contiguous. Whether strides that are
    known at run time only are contiguous is for the program to know.

    Example:

    ```mlir
    %rows = mxfp4.rebase %part
        : memref<?x64xbf16, strided<[64, 1], offset: ?>> -> memref<?x64xbf16>
    ```
  }];
  let arguments = (ins AnyStridedMemRef:$source);
  let results = (outs AnyStridedMemRef:$result);
  let assemblyFormat = [{
    $source attr-dict `:` type($source) `->` type($result)
  }];
  let hasVerifier = 1;
}

#endif // MXFP4_IR_MXFP4CONVERSIONOPS
