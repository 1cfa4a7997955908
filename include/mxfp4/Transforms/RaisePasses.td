//===- RaisePasses.td - From programs to operations --------*- tablegen -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// From a program to mxfp4.grouped_matmul with packed weights: the first passes
// of level "Graph". The order of definitions is the order of docs/Passes.md.
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_TRANSFORMS_RAISE_PASSES
#define MXFP4_TRANSFORMS_RAISE_PASSES

include "mlir/Pass/PassBase.td"

def Raise : Pass<"mxfp4-raise"> {
  let summary = "Decode and matmul, as linalg writes them, to grouped_matmul";
  let description = [{
    Finds MXFP4 weights in programs that do not know this dialect.

    A program that names the operation needs no matching. A `func.call` of
    `@mxfp4.grouped_matmul` or `@mxfp4_grouped_matmul` (perhaps numbered, as JAX
    does), a `stablehlo.composite`, a `stablehlo.custom_call` and a `torch.operator`
    of that name, registered or not, become `mxfp4.grouped_matmul`. They take rows
    `R x K` bf16, codes `E x N x K/32 x 16` and scales `E x N x K/32` of bytes with or
    without sign, offsets, and perhaps ids. Around an operator of torch's tensors,
    `torch_c.to_builtin_tensor` and `torch_c.from_builtin_tensor` convert. The
    private functions that only such calls called are erased. A call with other
    operands stays, with a remark.

    A call of `mxfp4.moe`, in the same forms, is a whole layer. It takes hidden
    states `T x H` bf16, the router's logits `T x E`, codes and scales of gate and up
    (`2 I` columns, interleaved, K = H) and of down (`H` columns, K = I), and
    optionally the two biases. A dictionary `mxfp4.layer` of the call
    (`composite_attributes` of a composite) describes the layer: `slots` and, if
    they differ from gpt-oss, `scoring`, `renormalize`, `scale`, `alpha`, `shift`,
    and `limit` or `unlimited`. The call becomes `mxfp4.top_k`,
    `mxfp4.sort_by_expert`, two grouped matmuls with epilogues and `mxfp4.combine`.

    `tosa.cast_from_block_scaled` and `tosa.matmul_t_block_scaled` of f4E2M1FN and
    `chlo.ragged_dot` (or the composite) on decoded weights are spelled out in
    linalg first.

    Everything else is found by what it computes:

    1. A decode of codes and scales becomes `mxfp4.dequantize`, in however many
       operations it is written: linalg, `arith` and `math` on tensors, reshapes,
       transpositions, broadcasts, concatenations, inserted slices with strides,
       tables in constants or resources. How it is computed is not recognised but
       proved. Each of the 32 values of a block is traced back to one code (of
       `f4E2M1FN`, i4, or a nibble of i8 bytes) and the one scale (`f8E8M0FNU` or
       i8) of its block; what is computed of these is run on all codes and all
       scales and must be exact each time. Codes and scales may lie in any order
       that has the codes of a block in one tensor, and are transposed if need be.
       Words of 16, 32 or 64 bits (i16, i32, i64) may have 4, 8 or 16 codes of
       neighbouring positions along K, in the same order in each word, or two,
       four or eight scales, the first in the lowest byte; shifts, masks and
       conversions take these out, and words become bytes where weights are packed.
       A decode that takes scale byte 0 for zero, or 0xFF for a number, is another
       operation and left alone, unless the author promises (below) that the
       checkpoint has no such byte. Functions are only run where each library
       gives the same bits: a power of two of an integer, but no logarithm.
    2. A matmul of bf16 activations with such weights becomes
       `mxfp4.grouped_matmul`: one group of equal size for each expert. A matmul
       is any linalg operation, named or not, that sums products of an activation
       `[experts, rows, K]` and a weight `[experts, N, K]`, each of these one
       loop, several or none, in any order behind transpositions, reshapes,
       slices, widenings and broadcasts; codes and scales are transposed if need
       be. The decode may be in the body, too, and the products may be a tensor
       that a sum takes. Of weights that are decoded apart and joined, codes and
       scales are joined instead. Where numbers select the weights of each row,
       each row is a group with that id; where constants select columns, too,
       they select rows of codes and scales. Multiplications and additions must
       be in f32; a bf16 accumulator rounds after every addition, which is another
       operation without a promise. The init is filled with +0.0, in any way of
       writing it (`linalg` accumulates onto it), or is f32 and added behind.
    3. A rounding of the f32 result to bf16 moves into the `grouped_matmul`.
    4. A loop over experts becomes one `grouped_matmul` with a group for each: an
       `scf.for` or `scf.forall` from 0 to E that cuts the rows of expert e out of the
       activations, multiplies them with slice e of the weights, and inserts the
       result into an output of as many rows, at first zero or undefined. The
       rows are `offsets[e]` to `offsets[e+1]`, or `sizes[e]` behind those of
       expert e-1, as in a ragged dot. Rows that no expert has become groups with
       id -1, and so zero; with `groups-cover-rows` there are none, and offsets
       are passed on as they are.
       What `mxfp4-fuse-epilogue` and `mxfp4-fuse-gather` made of one iteration
       becomes part of it when this pass runs again behind them: numbers of rows
       to gather, and values of an epilogue, that are slices for the expert or
       its rows.
       A loop of at most 4096 iterations, each of which stores the result of such
       a matmul of static shape, or of several behind each other, as a slice of
       its own of the output, becomes one `grouped_matmul`, too, or several. An
       iteration reads a slice of the activations, or all of them, and a slice of
       the weights. The numbers of these slices may be any; those of the output
       must follow from the iteration alone.

    Preconditions: tensors; static K and number of experts; rows and N may be
    dynamic. Rows of all experts together are at most 2^31 - 1.

    Promises are options, or entries of a dictionary `mxfp4.promises` on a
    function or on the module, for example `{scales = array<i64: 1, 254>}`:

    - `scales`: scale bytes are within two bounds. The public decodes by `ldexp`,
      by a power of two or by shifted bits are exact for bytes 1 to 254.
    - `unsigned-zero` (`unsigned_zero`): the sign of a decoded zero does not
      matter, which no sum that starts at +0.0 can see.
    - `f32-sums` (`f32_sums`): sums may be f32, rounded once at the end, where the
      program rounds each to bf16 or f16.
    - `bf16-rows` (`bf16_rows`): activations of f16 or f32 may be rounded to bf16.

    The pass records promises in `mxfp4.promises` of the module and in `promises` of
    each raised operation, because the result is right only under the promise.

    If an operation looks like a decode, a matmul on decoded weights or a loop over
    experts and is not raised, a remark names the condition that failed; for a
    decode, the code and the scale at which it differs, both values, and the promise
    that would be enough. Remarks go to MLIR's remark engine (category
    `mxfp4-raise`), or become diagnostics if the engine does not take them. With
    `report` the pass also reports what it raised, with notes on what to do next.

    Leaves behind: all other operations, folded, and with consecutive reshapes
    merged. Operations that computed in place still do. Codes of a tensor of
    `f4E2M1FN` that were not unpacked from bytes in the same function are packed by
    a `linalg.generic`.

    Example:

    ```mlir
    %w = mxfp4.dequantize codes(%c : tensor<4x48x2x16xi8>)
                          scales(%s : tensor<4x48x2xi8>)
        outs(%e : tensor<4x48x64xbf16>) -> tensor<4x48x64xbf16>
    %y = linalg.batch_matmul
        indexing_maps = [affine_map<(b, m, n, k) -> (b, m, k)>,
                         affine_map<(b, m, n, k) -> (b, n, k)>,
                         affine_map<(b, m, n, k) -> (b, m, n)>]
        ins(%x, %w : tensor<4x8x64xbf16>, tensor<4x48x64xbf16>)
        outs(%zero : tensor<4x8x48xf32>) -> tensor<4x8x48xf32>
    ```

    becomes

    ```mlir
    %rows = tensor.collapse_shape %x [[0, 1], [2]]
        : tensor<4x8x64xbf16> into tensor<32x64xbf16>
    %o = arith.constant dense<[0, 8, 16, 24, 32]> : tensor<5xi32>
    %r = mxfp4.grouped_matmul activations(%rows : tensor<32x64xbf16>)
        weights(%c, %s : tensor<4x48x2x16xi8>, tensor<4x48x2xi8>)
        offsets(%o : tensor<5xi32>) outs(%init : tensor<32x48xf32>)
        -> tensor<32x48xf32>
    %y = tensor.expand_shape %r [[0, 1], [2]] output_shape [4, 8, 48]
        : tensor<32x48xf32> into tensor<4x8x48xf32>
    ```
  }];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::linalg::LinalgDialect",
    "::mlir::math::MathDialect", "::mlir::scf::SCFDialect",
    "::mlir::tensor::TensorDialect", "::mxfp4::MXFP4Dialect"
  ];
  let options = [
    Option<"groupsCoverRows", "groups-cover-rows", "bool", "false",
           "Loops over experts start at row 0 and end at the last row">,
    Option<"report", "report", "bool", "false",
           "Say also what was raised, and what to do next about the rest">,
    ListOption<"scales", "scales", "int64_t",
               "Promise: scale bytes are within these two bounds (1,254)">,
    Option<"unsignedZero", "unsigned-zero", "bool", "false",
           "Promise: the sign of a decoded zero does not matter">,
    Option<"f32Sums", "f32-sums", "bool", "false",
           "Promise: sums may be f32, rounded once, where the program rounds "
           "each sum to bf16 or f16">,
    Option<"bf16Rows", "bf16-rows", "bool", "false",
           "Promise: activations of f16 or f32 may be rounded to bf16">
  ];
}

def FuseEpilogue : Pass<"mxfp4-fuse-epilogue"> {
  let summary = "Elementwise operations on a grouped_matmul's result into its epilogue";
  let description = [{
    Moves elementwise linalg operations, named or not, on the result of a
    `mxfp4.grouped_matmul` into its epilogue, one after the other, so that the
    result is not written to memory and read back in between. Such an operation

    - is parallel in rows and columns, has one result of bf16 or f32, does not
      read its output, and has a body of scalar operations of `arith` and `math`;
    - is the only user of the result, in the same block;
    - reads the result at its own row and column; or, as an epilogue on pairs,
      columns 2n and 2n+1 for column n: by indexing maps `(r, n) -> (r, 2 * n)`
      and `(r, n) -> (r, 2 * n + 1)`, by slices of every other column, or by
      slices of a result that was expanded to `R x N/2 x 2`;
    - reads of other tensors (bf16 or f32) one value, one for each row, or one for
      each column, by its indexing map or through `linalg.broadcast`,
      `linalg.fill`, `tensor.splat` and constants that are splats. A value for each
      column is repeated for each expert, because the epilogue's operands are
      `E x N`. If the result was expanded to `E x rows x N`, as `mxfp4-raise`
      leaves it behind a batched matmul, the operation may also read one value for
      each expert and column;
    - uses in its body constants, and other bf16 or f32 values from outside.

    A bias of expert e that is added in a loop over experts is a value for each
    column there; `mxfp4-raise` makes one operation of that loop when it runs
    again.

    Results keep their bits: if an operation reads a bf16 result, the epilogue
    rounds the sum to bf16, too. With `allow-contract-rounding` a value that is
    rounded to bf16 and widened again stays in f32 and is rounded once, at the
    store, which changes results.

    If an operation follows a matmul and is not fused, a remark (category
    `mxfp4-fuse-epilogue`) names the operation and the condition that failed.
    `mxfp4-opt` and `mlir-opt` show remarks with `--remark-policy=all
    --remark-format=emitRemark --remarks-filter='mxfp4-.*'`.

    Preconditions: tensors; before `mxfp4-choose-schedule`. Named operations of
    `arith` and `math` on tensors become linalg by `convert-elementwise-to-linalg`
    first. No group may have id -1, whose rows are zeros without an epilogue
    (`mxfp4-raise{groups-cover-rows}` leaves none). Where rows may keep the values
    of the init (with `gather`), it must be a `tensor.empty`.

    Example:

    ```mlir
    %y = mxfp4.grouped_matmul activations(%x : tensor<?x64xbf16>)
        weights(%c, %s : tensor<1x48x2x16xi8>, tensor<1x48x2xi8>)
        offsets(%o : tensor<2xi32>) outs(%e : tensor<?x48xf32>)
        -> tensor<?x48xf32>
    %z = linalg.generic {indexing_maps = [affine_map<(r, n) -> (r, n)>,
                                          affine_map<(r, n) -> (0, n)>,
                                          affine_map<(r, n) -> (r, n)>],
                         iterator_types = ["parallel", "parallel"]}
        ins(%y, %bias : tensor<?x48xf32>, tensor<1x48xf32>)
        outs(%i : tensor<?x48xbf16>) {
      ^bb0(%sum: f32, %b: f32, %out: bf16):
        %v = arith.addf %sum, %b : f32
        %h = arith.truncf %v : f32 to bf16
        linalg.yield %h : bf16
    } -> tensor<?x48xbf16>
    ```

    becomes

    ```mlir
    %z = mxfp4.grouped_matmul activations(%x : tensor<?x64xbf16>)
        weights(%c, %s : tensor<1x48x2x16xi8>, tensor<1x48x2xi8>)
        offsets(%o : tensor<2xi32>) outs(%i : tensor<?x48xbf16>)
        epilogue(%bias : tensor<1x48xf32>) {
        ^bb0(%sum: f32, %b: f32):
          %v = arith.addf %sum, %b : f32
          mxfp4.yield %v : f32
        } -> tensor<?x48xbf16>
    ```
  }];
  let options = [
    Option<"allowContractRounding", "allow-contract-rounding", "bool", "false",
           "Leave out roundings to bf16 before the last; this changes results">
  ];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::linalg::LinalgDialect",
    "::mlir::math::MathDialect", "::mlir::tensor::TensorDialect",
    "::mxfp4::MXFP4Dialect"
  ];
  let statistics = [
    Statistic<"numFused", "fused",
              "Operations that became a part of an epilogue">,
    Statistic<"numNotFused", "not-fused",
              "Operations behind a grouped_matmul that did not">
  ];
}

def FuseGather : Pass<"mxfp4-fuse-gather"> {
  let summary = "Gathers and scatters of rows around a grouped_matmul into it";
  let description = [{
    Activations of a `mxfp4.grouped_matmul` that are rows of another tensor,
    gathered by index, become that tensor, and the indices its operand `gather`:
    the rows are not copied in memory. A gather is

    - a linalg operation on rows and columns whose body yields
      `tensor.extract %x[%row, %column]`, with the number of the column as
      `linalg.index` has it, and as row an element of an index tensor of rank 1, one for each
      row, as an operand of the operation or extracted in its body; or
    - a `tensor.gather` along dimension 0.

    A `tensor.scatter` of the result along dimension 0 becomes the operand
    `scatter`.

    Indices of another width become i32. An index that names no row is undefined
    in the program; in the operation it is row 0, and an error that a kernel
    reports, or is not stored.

    If an operation looks like a gather or a scatter of rows and is not fused, a
    remark (category `mxfp4-fuse-gather`) names the condition that failed, for
    example that another operation reads the gathered rows, too. The description
    of `mxfp4-fuse-epilogue` has the options that show remarks.

    Preconditions: tensors; before `mxfp4-choose-schedule`, and after
    `mxfp4-fuse-epilogue`, which does not fuse behind a scatter.

    Example:

    ```mlir
    %rows = linalg.generic {indexing_maps = [affine_map<(r, k) -> (r)>,
                                             affine_map<(r, k) -> (r, k)>],
                            iterator_types = ["parallel", "parallel"]}
        ins(%token : tensor<?xi32>) outs(%e : tensor<?x64xbf16>) {
      ^bb0(%t: i32, %out: bf16):
        %row = arith.index_cast %t : i32 to index
        %k = linalg.index 1 : index
        %v = tensor.extract %x[%row, %k] : tensor<?x64xbf16>
        linalg.yield %v : bf16
    } -> tensor<?x64xbf16>
    %y = mxfp4.grouped_matmul activations(%rows : tensor<?x64xbf16>) ...
    ```

    becomes

    ```mlir
    %y = mxfp4.grouped_matmul activations(%x : tensor<?x64xbf16>)
        gather(%token : tensor<?xi32>) ...
    ```
  }];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::linalg::LinalgDialect",
    "::mlir::tensor::TensorDialect", "::mxfp4::MXFP4Dialect"
  ];
  let statistics = [
    Statistic<"numGathers", "gathers", "Gathers that became an operand">,
    Statistic<"numScatters", "scatters", "Scatters that became an operand">
  ];
}

def PackWeights : Pass<"mxfp4-pack-weights"> {
  let summary = "Give grouped matmuls packed weights";
  let description = [{
    Inserts `mxfp4.pack` in front of each `mxfp4.grouped_matmul` on tensors whose
    weights are in the checkpoint layout, as `mxfp4-raise` leaves them: kernels
    read a fragment-major layout. Weights that operations share are packed once
    for each layout, where they are known and outside of loops that do not change
    them; packs of the same weights that are there already become one. For an
    epilogue on pairs the layout says that its columns are `interleaved`.

    Weights are packed once and used often. With `outline`, packing that depends
    only on arguments of the function moves to a function of its own, which the
    program that loads the weights calls; its name is that of the function and
    `_pack`. The original function takes packed weights in place of the first of
    those arguments and loses arguments without a use. Callers in the module pack
    once for all calls with the same weights. A function that is not only called is
    left alone.

    `scales=folded` is a promise that no scale is above 2^1 and none is NaN; the
    packing function checks it under `generate-runtime-verification`.

    Preconditions: weights of static shape; others are left alone. `outline` runs on
    a module, the rest on any operation.

    Example, with `outline`:

    ```mlir
    func.func @layer(%x: tensor<?x64xbf16>, %c: tensor<4x48x2x16xi8>,
                     %s: tensor<4x48x2xi8>, %o: tensor<5xi32>)
    ```

    becomes

    ```mlir
    func.func @layer(%x: tensor<?x64xbf16>,
                     %w: tensor<4x1x1x!mxfp4.block<spread, raw>>,
                     %o: tensor<5xi32>)
    func.func @layer_pack(%c: tensor<4x48x2x16xi8>, %s: tensor<4x48x2xi8>)
        -> tensor<4x1x1x!mxfp4.block<spread, raw>>
    ```
  }];
  let options = [
    Option<"order", "order", "std::string", "\"spread\"",
           "Order of the codes in a word: spread or nibble">,
    Option<"scales", "scales", "std::string", "\"raw\"",
           "Encoding of the scales: folded or raw">,
    Option<"outlinePacks", "outline", "bool", "false",
           "Pack in functions of their own">
  ];
  let dependentDialects = [
    "::mlir::func::FuncDialect", "::mlir::tensor::TensorDialect"
  ];
  let statistics = [
    Statistic<"numPacked", "packed",
              "Packs of weights, each for all that uses it">
  ];
}

#endif // MXFP4_TRANSFORMS_RAISE_PASSES
