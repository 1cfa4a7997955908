//===- GraphPasses.td - Schedules, buffers, CPU ------------*- tablegen -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// From grouped matmuls to schedules, and the ways to the CPU and to linalg: the
// other passes of level "Graph". The order of definitions is the order of
// docs/Passes.md.
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_TRANSFORMS_GRAPH_PASSES
#define MXFP4_TRANSFORMS_GRAPH_PASSES

include "mlir/Pass/PassBase.td"

def MakeContiguous : Pass<"mxfp4-make-contiguous"> {
  let summary = "Give kernels the contiguous buffers that they take";
  let description = [{
    A kernel takes a pointer for each operand of `mxfp4.grouped_matmul`. The
    elements must be contiguous, and aligned to 16 bytes for activations and weights
    or to a pair of elements for outputs. This pass gives kernels such buffers in
    place of operands whose layout is not the identity. With `copies`, operands of
    `mxfp4.dequantize` get such buffers, too, because such a decode becomes a
    kernel:

    - A contiguous part of a larger buffer is used where it is, for example rows of
      a concatenation, or experts or layers of stacked weights. `mxfp4.rebase`
      moves the offset into the pointer.
    - A buffer that is never contiguous or aligned, such as rows of a wider matrix,
      is copied, and a remark says so. Outputs, the error word and the workspace are
      copied back.
    - If strides or offset are known only at run time, the program decides at run
      time whether to copy, and a remark says so, too.

    `memref.alloc` allocates buffers for copies, and `memref.copy` fills them. With
    `copies=false` an operand that would need a copy is an error, because a kernel
    that another program launches has no host code that could copy.

    Preconditions: memrefs; operations on tensors are left alone.

    Example:

    ```mlir
    %x = memref.subview %all[%first, 0] [%rows, 64] [1, 1]
        : memref<?x64xbf16> to memref<?x64xbf16, strided<[64, 1], offset: ?>>
    mxfp4.grouped_matmul
        activations(%x : memref<?x64xbf16, strided<[64, 1], offset: ?>>) ...
    ```

    becomes

    ```mlir
    %0 = mxfp4.rebase %x
        : memref<?x64xbf16, strided<[64, 1], offset: ?>> -> memref<?x64xbf16>
    mxfp4.grouped_matmul activations(%0 : memref<?x64xbf16>) ...
    ```
  }];
  let options = [
    Option<"copies", "copies", "bool", "true",
           "Copy what is not contiguous; otherwise it is an error">
  ];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::memref::MemRefDialect",
    "::mlir::scf::SCFDialect"
  ];
  let statistics = [
    Statistic<"numMoved", "moved",
              "Operands that are copied, or checked to need no copy, at run time">
  ];
}

def ChooseSchedule : Pass<"mxfp4-choose-schedule"> {
  let summary = "Attach a schedule to each grouped matmul";
  let description = [{
    Sets the `schedule` of every `mxfp4.grouped_matmul` that has none, as
    `chooseSchedule` of `mxfp4/Core/Schedule.h` decides from the problem and the
    target. A schedule that is there already is kept: the verifier has checked
    it. The operation also gets a `target`, the chip and the device that the
    schedule is for; without the option `device`, a `target` that is there
    already, or a `mxfp4.target` around the operation, says for which device to
    choose.

    With `batch-invariant` all schedules that a problem can get, for any number of
    rows, add over K in the same order, without K slices: the bits of a row do not
    depend on the other rows of the call. The option `schedule` with a schedule
    that does not add in this order is then an error, and so is one that
    contradicts `placement=shared` or `instruction`.

    Preconditions: weights in a fragment-major layout; static N, K, experts and
    groups. Operations that do not meet them are left alone, for
    `mxfp4-tile` to explain or `mxfp4-lower-to-loops` to take.
  }];
  let options = [
    Option<"chip", "chip", "std::string", "\"sm_90a\"",
           "Target to choose for">,
    Option<"device", "device", "std::string", "\"\"",
           "Device to choose for: a name such as h200, or facts, such as "
           "multiprocessors=78,bandwidth=4000 (empty: that of mxfp4.target, or "
           "h100-sxm)">,
    Option<"rowsHint", "rows-hint", "int64_t", "0",
           "Rows expected in all groups together (0: unknown)">,
    Option<"placement", "placement", "std::string", "\"register\"",
           "Where weights are decoded: register or shared">,
    Option<"instruction", "instruction", "std::string", "\"auto\"",
           "Tensor-core instruction: mma_sync, wgmma, or auto for the faster">,
    Option<"batchInvariant", "batch-invariant", "bool", "false",
           "Give a row the same bits whatever other rows there are">,
    Option<"schedule", "schedule", "std::string", "\"\"",
           "A #mxfp4.schedule attribute to attach instead of choosing">
  ];
  let statistics = [
    Statistic<"numChosen", "chosen",
              "Operations that got a schedule">
  ];
}

def LowerToLoops : Pass<"mxfp4-lower-to-loops"> {
  let summary = "The executable specification: scalar loops for the CPU";
  let description = [{
    Replaces `grouped_matmul`, `top_k`, `count_by_expert`, `sort_by_expert`,
    `quantize_rows`, `combine`, `pack`, `unpack`, `quantize` and `dequantize` on memrefs by loops
    that do what their descriptions say, in the plainest way. Sums of scores are in
    the order of experts or slots. Other lowerings are tested against it.

    `grouped_matmul` decodes one row of weights at a time to f32, and sums over
    k in increasing order: one f32 multiplication and one f32 addition a step,
    starting from +0, never contracted to a fused one. A product is exact unless
    it falls below the f32 subnormals, since its factors have 8 and 2
    significant bits. The sum is rounded to nearest even once, at the end. Bad
    offsets and ids are treated as the op defines, also without an error word:
    nothing is stored for them.

    Preconditions: memrefs, of any strided layout for i8, i32 and floats, and
    contiguous for `!mxfp4.block`.

    Leaves behind: `scf`, `arith`, `memref`, and `mxfp4.block_bytes`, which
    `convert-to-llvm` takes. bf16 conversions are `arith.extf` and
    `arith.truncf`, for `arith-expand{include-bf16}`.

    Example: the dot product of one row.

    ```mlir
    %sum = scf.for %k = %c0 to %K step %c1 iter_args(%acc = %zero) -> (f32) {
      %x = memref.load %activations[%row, %k] : memref<?x64xbf16>
      %xf = arith.extf %x : bf16 to f32
      %w = memref.load %decoded[%k] : memref<?xf32>
      %p = arith.mulf %xf, %w : f32
      %next = arith.addf %acc, %p : f32
      scf.yield %next : f32
    }
    ```
  }];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::math::MathDialect",
    "::mlir::memref::MemRefDialect",
    "::mlir::scf::SCFDialect"
  ];
}

def LowerToLinalg : Pass<"mxfp4-lower-to-linalg", "::mlir::ModuleOp"> {
  let summary = "Operations on tensors to linalg, for any stack to go on with";
  let description = [{
    Replaces `grouped_matmul`, `pack`, `unpack`, `quantize`, `quantize_rows` and
    `dequantize` on tensors by `linalg`, `tensor`, `scf` and `arith`, so that nothing of this
    dialect is left where its kernels are not wanted: a decode that `mxfp4-raise`
    found without a matmul behind it, or a program for another target.

    `grouped_matmul` becomes a loop over groups, in which the rows of a group are
    multiplied by a `linalg.matmul` in f32 with its expert's weights, decoded to
    bf16 by a `linalg.generic`. In loops, that sums as `mxfp4-lower-to-loops`
    does, of f8E4M3FN after a `linalg.generic` that makes them f32; whatever
    `accumulation` says, sums are f32. Bad offsets leave the output as it was, bad
    ids a group's rows.

    Packed weights are tensors of bytes afterwards, `... x 2176 x i8` for
    `... x !mxfp4.block`, in functions' signatures, too.

    Preconditions: tensors; operations on memrefs are left alone, for
    `mxfp4-lower-to-loops`. Blocks are carried by functions, `scf`, branches, and by
    slices and casts of tensors.

    Example, which `mxfp4-raise` turns into the original operation again:

    ```mlir
    %y = scf.for %g = %c0 to %G step %c1 iter_args(%out = %init) -> tensor<?x48xf32> {
      ...
      %w = linalg.generic ... ins(%codes, %scales : ...)   // mxfp4.dequantize
      %p = linalg.matmul ... ins(%rows, %wc : ...) outs(%zero : ...)
      %next = tensor.insert_slice %p into %out[%begin, 0] [%size, 48] [1, 1] : ...
      scf.yield %next : tensor<?x48xf32>
    }
    ```
  }];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::linalg::LinalgDialect",
    "::mlir::scf::SCFDialect", "::mlir::tensor::TensorDialect"
  ];
}

#endif // MXFP4_TRANSFORMS_GRAPH_PASSES
