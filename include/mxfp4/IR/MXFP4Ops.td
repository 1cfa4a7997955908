//===- MXFP4Ops.td - Operations on tensors and memrefs -----*- tablegen -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_IR_MXFP4OPS
#define MXFP4_IR_MXFP4OPS

include "mxfp4/IR/MXFP4Base.td"
include "mlir/Interfaces/DestinationStyleOpInterface.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

class MXFP4_Op<string mnemonic, list<Trait> traits = []>
    : Op<MXFP4_Dialect, mnemonic, traits>;

// An op with tensor and memref forms: outputs come last and are initial
// values (tensors, with one result each) or destinations (memrefs, no results).
class MXFP4_DestinationOp<string mnemonic, list<Trait> traits = []>
    : MXFP4_Op<mnemonic, !listconcat(traits, [
        DestinationStyleOpInterface,
        DeclareOpInterfaceMethods<MemoryEffectsOpInterface>,
        DeclareOpInterfaceMethods<ReifyRankedShapedTypeOpInterface,
                                  ["reifyResultShapes"]>])> {
  let hasVerifier = 1;
}

defvar Shaped = AnyTypeOf<[AnyRankedTensor, AnyStridedMemRef]>;

def MXFP4_GroupedMatmulOp : MXFP4_DestinationOp<"grouped_matmul",
    [AttrSizedOperandSegments, IsolatedFromAbove]> {
  let summary = "Ragged matmul of rows with MXFP4 weights";
  let description = [{
    ```
    S[r, n] = sum_k X[gather[r], k] * W[e(r)][n, k]
    Y[scatter[r], n] = round( epilogue(S[r, n], ...) )
    ```

    Rows are sorted by group: group g is the rows `offsets[g] ..
    offsets[g+1]-1`, and multiplies with expert g, or with
    `expert_ids[g]` where ids are given; id -1 yields rows of zeros. Weights
    are decoded exactly (E8M0 byte 0 is 2^-127, byte 0xFF is NaN); products are
    summed in f32, in a fixed order that each lowering documents; `round` is to
    nearest even for an output of bf16 or f8E4M3FN and nothing for f32. To
    f8E4M3FN it rounds as `mxfp4.quantize_rows` does: what lies beyond 448, the
    largest value, becomes 448 with its sign, infinities too, and NaN stays NaN.
    The output has no scale: an epilogue yields values that are divided by theirs.

    Activations may be f8E4M3FN, with weights in blocks of `bytes` and `relative`.
    S is then the sum of their products as they are stored: the scale of a row of
    activations and the power of two that packing took out of a row of weights
    are operands of the epilogue, one for each row and one for each expert and
    column, which multiplies with them before all else. Kernels do not sum such
    products in f32, because the tensor cores cut each sum to 13 bits of fraction.
    `accumulation` (`#mxfp4.accumulation`) says after how much of K such a sum is
    added to a sum in f32; the default is `promoted 512`.

    Shapes, with E experts and G groups:
    - activations: `R x K` bf16 or f8E4M3FN, K a positive multiple of 32;
    - weights: either one operand in a fragment-major layout,
      `E x ceil(N/64) x ceil(K/64) x !mxfp4.block<...>` (`K/128` of `bytes`), or
      the two of the
      checkpoint layout: codes `E x N x K/32 x 16` i8 (byte j of a block holds
      value 2j in its low nibble) and scales `E x N x K/32` i8;
    - offsets: `G+1` i32, non-decreasing, from 0 to R; G = E without ids;
    - expert_ids: `G` i32, each from -1 to E-1;
    - gather: `R` i32, the row of the activations (then `T x K`) for each row;
      without it row r is row r, and T = R. With it the offsets may end before
      R: rows behind the last offset are not stored, and what they name changes
      nothing. In place of a row outside of 0 .. T-1 row 0 is read;
    - init: `R x N` bf16, f32 or f8E4M3FN. Its values are not read;
    - scatter: `R` i32, the row of the output (then `Q x N`) for each row, each
      at most once; other rows of the output keep their values. A row outside
      of 0 .. Q-1 is not stored;
    - error (memref form only): 1 i32. A kernel that finds bad offsets ORs 1
      into it and stores nothing; it ORs 2 for a bad id and does not store that
      group's rows, and 4 for a row that does not exist, of scatter or, in groups with
      an expert, of gather. Without this operand, bad rows are left out in silence;
    - workspace (memref form only): 2 i32, zeros ahead of the first launch; a kernel
      leaves zeros behind. With it, a kernel may hand out its tiles as they are finished.
      Two executions at the same time, of one captured graph too, need two workspaces;
    - through (memref form only, with a gather): `R x K` of the activations' type, in
      which a kernel may gather rows first, and which must not overlap the activations.
      What it holds afterwards is unspecified. With it, the workspace has 1028 i32; if
      they are no zeros, or another execution has them, a kernel may wait without end;
    - stored (memref form only): `G` i32, a count for each group. A kernel adds 1 for each
      element of the output that it has stored of a row of the group, behind the store:
      `offsets[g+1] - offsets[g]` times the columns of the output in all, modulo 2^32. Neither
      expert ids nor a scatter may be given;
    - awaited (memref form only): the counts that the kernel ahead in the chain of launches
      raises as its `stored`, from zero, where its output is these activations; or counts that
      are complete. A kernel may read rows as soon as the counts of their groups are
      complete, instead of when the kernel ahead has ended, and may store its output at once.
      It needs `older_inputs`, which promise the same of all operands but the activations, and
      less than 2^32 elements in a group. Counts that never become complete are waited for
      without end. Neither expert ids nor a gather may be given;
    - `older_inputs` (memref form only): a promise that offsets and weights hold their
      values before the kernel ahead in the chain of launches begins, so that a
      kernel may read them before that kernel has ended;
    - epilogue operands, bf16 or f32: by their rank `E x N` (a value for each
      expert and column), `R` (for each row), or a scalar of rank 0.

    The epilogue is a region of scalar operations of `arith` and `math` on f32,
    as the body of `linalg.generic`. Its arguments are the sum and the value of
    each epilogue operand, its result is what is rounded and stored: the sums
    are rounded nowhere else. An epilogue on pairs makes one column of two (gate
    and up, interleaved): its region has two arguments for the sum and two for
    each operand of rank 2, of columns 2n and 2n+1, and yields column n of an
    output of N/2 columns. Rows of id -1 are zeros, to which no epilogue is
    applied.

    `schedule` is attached by `mxfp4-choose-schedule` or by hand, with `target`,
    the chip and the device that it is for. `promises` are those of the program
    that the operation was raised from (`mxfp4-raise`). Higher neighbours are
    `linalg.batch_matmul` after `arith.scaling_extf` (`mxfp4-raise`); lower ones the
    tile operations (`mxfp4-tile`) and plain loops (`mxfp4-lower-to-loops`).

    Example:

    ```mlir
    %y = mxfp4.grouped_matmul
        activations(%x : tensor<?x2880xbf16>)
        weights(%w : tensor<32x90x45x!mxfp4.block<spread, folded>>)
        offsets(%o : tensor<33xi32>)
        outs(%init : tensor<?x5760xbf16>) -> tensor<?x5760xbf16>
    %h = mxfp4.grouped_matmul
        activations(%x : tensor<?x2880xbf16>) gather(%token : tensor<?xi32>)
        weights(%w : tensor<32x90x45x!mxfp4.block<spread, folded>>)
        offsets(%o : tensor<33xi32>)
        outs(%gated : tensor<?x2880xbf16>)
        epilogue(%bias : tensor<32x5760xbf16>) {
        ^bb0(%gate: f32, %up: f32, %gate_bias: f32, %up_bias: f32):
          %g = arith.addf %gate, %gate_bias : f32
          %u = arith.addf %up, %up_bias : f32
          %p = arith.mulf %g, %u : f32
          mxfp4.yield %p : f32
        } -> tensor<?x2880xbf16>
    ```
  }];
  let arguments = (ins
    Shaped:$activations,
    Variadic<Shaped>:$weights,
    Shaped:$offsets,
    Optional<Shaped>:$expert_ids,
    Shaped:$init,
    Optional<AnyStridedMemRef>:$error,
    Optional<AnyStridedMemRef>:$workspace,
    Optional<Shaped>:$gather,
    Optional<Shaped>:$scatter,
    Variadic<Shaped>:$epilogue_operands,
    Optional<AnyStridedMemRef>:$through,
    Optional<AnyStridedMemRef>:$stored,
    Optional<AnyStridedMemRef>:$awaited,
    OptionalAttr<MXFP4_Schedule>:$schedule,
    OptionalAttr<MXFP4_Accumulation>:$accumulation,
    // The chip and the device of the schedule, if others than of what is around.
    OptionalAttr<MXFP4_Target>:$target,
    // Of the program that the operation was raised from.
    OptionalAttr<DictionaryAttr>:$promises,
    UnitAttr:$older_inputs
  );
  let results = (outs Variadic<AnyRankedTensor>:$results);
  // Bytecode of versions before has fewer (Bytecode.cpp).
  let useCustomPropertiesEncoding = 1;
  // None without an epilogue.
  let regions = (region VariadicRegion<SizedRegion<1>>:$epilogue);
  let hasRegionVerifier = 1;
  let builders = [
    // Without what is for kernels alone.
    OpBuilder<(ins "::mlir::TypeRange":$results, "::mlir::Value":$activations,
                   "::mlir::ValueRange":$weights, "::mlir::Value":$offsets,
                   "::mlir::Value":$expert_ids, "::mlir::Value":$init), [{
      $_state.addOperands(activations);
      $_state.addOperands(weights);
      $_state.addOperands(offsets);
      if (expert_ids)
        $_state.addOperands(expert_ids);
      $_state.addOperands(init);
      $_state.addTypes(results);
      auto &segments = $_state.getOrAddProperties<Properties>();
      segments.operandSegmentSizes = {1, int32_t(weights.size()), 1,
                                      expert_ids ? 1 : 0, 1};
    }]>
  ];
  let assemblyFormat = [{
    `activations` `(` $activations `:` type($activations) `)`
    (`gather` `(` $gather^ `:` type($gather) `)`)?
    (`through` `(` $through^ `:` type($through) `)`)?
    (`awaited` `(` $awaited^ `:` type($awaited) `)`)?
    `weights` `(` $weights `:` type($weights) `)`
    `offsets` `(` $offsets `:` type($offsets) `)`
    (`expert_ids` `(` $expert_ids^ `:` type($expert_ids) `)`)?
    `outs` `(` $init `:` type($init) `)`
    (`scatter` `(` $scatter^ `:` type($scatter) `)`)?
    (`stored` `(` $stored^ `:` type($stored) `)`)?
    (`error` `(` $error^ `:` type($error) `)`)?
    (`workspace` `(` $workspace^ `:` type($workspace) `)`)?
    (`epilogue` custom<EpilogueOperands>($epilogue_operands,
                                         type($epilogue_operands)) $epilogue^)?
    attr-dict (`->` type($results)^)?
  }];
  let extraClassDeclaration = [{
    ::mlir::ShapedType getActivationsType() {
      return ::llvm::cast<::mlir::ShapedType>(getActivations().getType());
    }
    ::mlir::ShapedType getOutputType() {
      return ::llvm::cast<::mlir::ShapedType>(getInit().getType());
    }
    ::mlir::ShapedType getWeightsType(unsigned i = 0) {
      return ::llvm::cast<::mlir::ShapedType>(getWeights()[i].getType());
    }
    ::mlir::ShapedType getOffsetsType() {
      return ::llvm::cast<::mlir::ShapedType>(getOffsets().getType());
    }
    /// The fragment-major block type of the weights, or null for the checkpoint
    /// layout.
    ::mxfp4::BlockType getBlockType() {
      return ::llvm::dyn_cast<::mxfp4::BlockType>(
          getWeightsType().getElementType());
    }
    /// N, K, experts and groups as far as they are static
    /// (ShapedType::kDynamic otherwise).
    int64_t getN() {
      const int64_t columns = getOutputType().getDimSize(1);
      return takesPairs() && !::mlir::ShapedType::isDynamic(columns)
                 ? 2 * columns
                 : columns;
    }
    int64_t getK() { return getActivationsType().getDimSize(1); }
    int64_t getNumExperts() { return getWeightsType().getDimSize(0); }
    int64_t getNumGroups() {
      int64_t size = getOffsetsType().getDimSize(0);
      return ::mlir::ShapedType::isDynamic(size) ? size : size - 1;
    }
    /// K after which sums of a kernel are added in f32; 0: never, as all are f32
    /// or the program asks for what is fast.
    int64_t getPromotion();
    /// What has a row for each of the R rows.
    ::mlir::Value getRowSource() {
      return getGather() ? getGather() : getActivations();
    }
    /// Whether a warp of the kernel brings rows into order, through memory.
    bool bringsRows() {
      return getThrough() && getScheduleAttr() &&
             getScheduleAttr().toSchedule().bringBytes != 0;
    }
    bool hasEpilogue() { return !getEpilogue().empty(); }
    /// Whether the epilogue makes one column of two.
    bool takesPairs() {
      return ::mxfp4::epilogueTakesPairs(getEpilogue(), getEpilogueOperands());
    }
    ::mlir::MutableOperandRange getDpsInitsMutable() {
      return getInitMutable();
    }
  }];
}

include "mxfp4/IR/MXFP4ConversionOps.td"
include "mxfp4/IR/MXFP4RoutingOps.td"
include "mxfp4/IR/MXFP4RowOps.td"
include "mxfp4/IR/MXFP4BringOps.td"

#endif // MXFP4_IR_MXFP4OPS
