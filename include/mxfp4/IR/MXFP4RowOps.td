//===- MXFP4RowOps.td - Rows around the grouped matmuls ----*- tablegen -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What a mixture-of-experts layer does with rows that are sorted by expert:
// bring tokens there, round activations to FP8, sum up the results. Included by
// MXFP4Ops.td.
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_IR_MXFP4ROWOPS
#define MXFP4_IR_MXFP4ROWOPS

def MXFP4_DispatchOp : MXFP4_DestinationOp<"dispatch"> {
  let summary = "Each token's values in the rows of its experts";
  let description = [{
    ```
    rows[positions[t, s]] = values[t]
    ```

    Brings tokens into the order of experts, as a grouped matmul without a
    `gather` reads them; `mxfp4.combine` with the same positions is the way back.
    Slots with position -1 have no row, and slots with another position outside of
    0 .. R-1 are skipped. Rows that no position names keep what init has.

    Positions of different tokens must differ: a row that positions of several
    tokens name has unspecified values, because a kernel stores parts of rows, and
    each part may come from another of these tokens. Equal positions of one token
    are harmless, because all of them store the same values.

    Shapes, with T tokens, S slots each, and R = T * S:
    - values: `T x K` bf16 or f32;
    - positions: `T x S` i32, such as those of `mxfp4.sort_by_expert`;
    - init: `R x K`, of the values' type;
    - error (memref form only): 1 i32. For a position outside -1 .. R-1 a kernel
      ORs 4 into it.

    Example:

    ```mlir
    %r = mxfp4.dispatch values(%x : tensor<64x2880xbf16>)
        positions(%p : tensor<64x4xi32>)
        outs(%init : tensor<256x2880xbf16>) -> tensor<256x2880xbf16>
    ```
  }];
  let arguments = (ins
    Shaped:$values,
    Shaped:$positions,
    Shaped:$init,
    Optional<AnyStridedMemRef>:$error
  );
  let results = (outs Variadic<AnyRankedTensor>:$results);
  let assemblyFormat = [{
    `values` `(` $values `:` type($values) `)`
    `positions` `(` $positions `:` type($positions) `)`
    `outs` `(` $init `:` type($init) `)`
    (`error` `(` $error^ `:` type($error) `)`)?
    attr-dict (`->` type($results)^)?
  }];
  let extraClassDeclaration = [{
    /// Sizes as far as they are static (ShapedType::kDynamic otherwise).
    int64_t getK() {
      return ::llvm::cast<::mlir::ShapedType>(getInit().getType())
          .getDimSize(1);
    }
    int64_t getSlots() {
      return ::llvm::cast<::mlir::ShapedType>(getPositions().getType())
          .getDimSize(1);
    }
    ::mlir::MutableOperandRange getDpsInitsMutable() {
      return getInitMutable();
    }
  }];
}

def MXFP4_CombineOp : MXFP4_DestinationOp<"combine"> {
  let summary = "The weighted sum of each token's rows";
  let description = [{
    ```
    out[t, n] = round( sum_s weights[t, s] * rows[positions[t, s], n] )
    ```

    The sum begins with 0 and takes one slot after the other, from the first,
    by fused multiply-adds in f32: `sum = fma(w, y, sum)`. Slots with position -1
    are skipped, and so are those with another position outside 0 .. R-1.
    `round` is to nearest even for a bf16 output and nothing for f32.

    Shapes, with T tokens, S slots each, and R = T * S:
    - rows: `R x N` bf16 or f32;
    - positions: `T x S` i32; weights: `T x S` f32;
    - init: `T x N` bf16 or f32. Its values are not read;
    - error (memref form only): 1 i32. For a position outside -1 .. R-1 a kernel
      ORs 4 into it.

    Example:

    ```mlir
    %y = mxfp4.combine rows(%r : tensor<256x2880xbf16>)
        positions(%p : tensor<64x4xi32>) weights(%w : tensor<64x4xf32>)
        outs(%init : tensor<64x2880xbf16>) -> tensor<64x2880xbf16>
    ```
  }];
  let arguments = (ins
    Shaped:$rows,
    Shaped:$positions,
    Shaped:$weights,
    Shaped:$init,
    Optional<AnyStridedMemRef>:$error
  );
  let results = (outs Variadic<AnyRankedTensor>:$results);
  let assemblyFormat = [{
    `rows` `(` $rows `:` type($rows) `)`
    `positions` `(` $positions `:` type($positions) `)`
    `weights` `(` $weights `:` type($weights) `)`
    `outs` `(` $init `:` type($init) `)`
    (`error` `(` $error^ `:` type($error) `)`)?
    attr-dict (`->` type($results)^)?
  }];
  let extraClassDeclaration = [{
    /// Sizes as far as they are static (ShapedType::kDynamic otherwise).
    int64_t getN() {
      return ::llvm::cast<::mlir::ShapedType>(getInit().getType())
          .getDimSize(1);
    }
    int64_t getSlots() {
      return ::llvm::cast<::mlir::ShapedType>(getPositions().getType())
          .getDimSize(1);
    }
    ::mlir::MutableOperandRange getDpsInitsMutable() {
      return getInitMutable();
    }
  }];
}

def MXFP4_QuantizeRowsOp : MXFP4_DestinationOp<"quantize_rows",
    [AttrSizedOperandSegments]> {
  let summary = "Rows of activations in FP8, each with a scale of its own";
  let description = [{
    Rounds each row to E4M3 (`f8E4M3FN`) with a scale that fits the row, as the
    activations of a grouped matmul in FP8:

    ```
    scales[r]   = max( max_k |x[r, k]| / 448, 2^-126 )
    codes[r, k] = e4m3( x[r, k] * (1 / scales[r]) )
    ```

    Division, inverse and product are in f32, each rounded to nearest even, and
    `e4m3` rounds to nearest even, with E4M3's subnormals. 448 is the largest
    E4M3: the largest magnitude of a row becomes 448, and nothing else becomes
    more, so that saturation loses nothing. 2^-126 keeps the inverse finite; only
    rows below 448 * 2^-126, about 5.3e-36, have this scale and use less than
    all of E4M3's range.
    - **A row of zeros** has the scale 2^-126 and codes 0, with the signs of x.
    - **NaN** has the code 0x7F, and the maximum ignores it: what is finite in
      the row keeps its value.
    - **An infinity** makes the scale infinite, so that the code of each infinity
      is NaN, 0x7F, since E4M3 has none, and of everything finite 0.
    A matmul gives NaN for a row with either, where its weights in bf16 would
    give NaN or an infinity.

    With `scatter` each row is rounded once and stored in several rows, as
    `mxfp4.dispatch` does without rounding: slots with position -1 have no row, and
    rows of codes and scales that no position names keep what they have. As there,
    positions of different tokens must differ: codes and scale of a row that
    positions of several tokens name are unspecified. Equal positions of one token
    are harmless. With `scatter_scales` each token's scale is stored so, and its codes
    once, in the row that it has in x: a matmul that brings its rows into order itself
    (`through` of `mxfp4.grouped_matmul`) reads them from there.

    Shapes:
    - x: `R x K` bf16;
    - gather: `R` i32, the row of x (then `T x K`) for each row of codes; or
    - scatter: `T x S` i32, the rows of codes for each row of x (then `T x K`), and
      R = T * S; or
    - scatter_scales: the same, with codes `T x K`;
    - codes: `R x K` f8E4M3FN; scales: `R` f32;
    - error (memref form only): 1 i32. For a row to gather that does not exist,
      which counts as a row of zeros, a kernel ORs 4 into it, and so it does for a
      position outside -1 .. R-1, which is skipped.

    Example:

    ```mlir
    %q, %s = mxfp4.quantize_rows values(%x : tensor<?x2880xbf16>)
        outs(%qi, %si : tensor<?x2880xf8E4M3FN>, tensor<?xf32>)
        -> tensor<?x2880xf8E4M3FN>, tensor<?xf32>
    ```
  }];
  let arguments = (ins
    Shaped:$values,
    Optional<Shaped>:$gather,
    Shaped:$codes,
    Shaped:$scales,
    Optional<AnyStridedMemRef>:$error,
    // Last, because bytecode of earlier versions has no rows to scatter to.
    Optional<Shaped>:$scatter,
    Optional<Shaped>:$scatter_scales
  );
  let results = (outs Variadic<AnyRankedTensor>:$results);
  let assemblyFormat = [{
    `values` `(` $values `:` type($values) `)`
    (`gather` `(` $gather^ `:` type($gather) `)`)?
    (`scatter` `(` $scatter^ `:` type($scatter) `)`)?
    (`scatter_scales` `(` $scatter_scales^ `:` type($scatter_scales) `)`)?
    `outs` `(` $codes `,` $scales `:` type($codes) `,` type($scales) `)`
    (`error` `(` $error^ `:` type($error) `)`)?
    attr-dict (`->` type($results)^)?
  }];
  let extraClassDeclaration = [{
    /// The largest value of E4M3.
    static constexpr float kLargest = 448.0f;
    /// The least scale: the least normal f32.
    static constexpr float kLeastScale = 0x1p-126f;
    /// Rows of each token's slots, of codes and scales or of scales alone; or null.
    ::mlir::Value getSlotRows() {
      return getScatter() ? getScatter() : getScatterScales();
    }
    /// ShapedType::kDynamic if it is not static.
    int64_t getK() {
      return ::llvm::cast<::mlir::ShapedType>(getCodes().getType())
          .getDimSize(1);
    }
    ::mlir::MutableOperandRange getDpsInitsMutable() {
      return ::mlir::MutableOperandRange(getOperation(),
                                         getGather() ? 2 : 1, /*length=*/2);
    }
  }];
}

#endif // MXFP4_IR_MXFP4ROWOPS
