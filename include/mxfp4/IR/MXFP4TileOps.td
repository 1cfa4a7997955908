//===- MXFP4TileOps.td - Operations on tiles ---------------*- tablegen -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Tiles are the work of all threads of a CTA together: which tile it is, the
// copies of its operands to shared memory, its multiplication, its store.
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_IR_MXFP4TILEOPS
#define MXFP4_IR_MXFP4TILEOPS

include "mxfp4/IR/MXFP4Base.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

defvar GlobalBuffer = Arg<AnyStridedMemRef, "global memory", [MemRead]>;
defvar SharedSource = Arg<AnyStridedMemRef, "shared memory", [MemRead]>;
defvar SharedDestination = Arg<AnyStridedMemRef, "shared memory", [MemWrite]>;

def MXFP4_LocateTileOp : MXFP4_Op<"locate_tile",
    [AttrSizedOperandSegments]> {
  let summary = "Which expert, rows and columns does a tile have";
  let description = [{
    Finds the group of tile `number` by binary search in the table of tiles,
    `G+2` i32 in shared memory: for each group the row tiles before it, then the
    row tiles of all groups. The `columns` tiles of one row tile follow each other.
    The tiles of a group share its rows evenly. Where the schedule lets full
    tiles come first the table has `2G+3` entries, of which the last `G+1` are
    for the groups with at most half a tile's rows.

    Results: the expert (-1 for none: its rows are zeros), the first row, the
    number of rows, the tile's number along N. A bad expert id has no rows and no
    expert, and sets bit 1 of the error word.

    Example:

    ```mlir
    %e, %row, %rows, %column = mxfp4.locate_tile %n in %table offsets(%o)
        experts 32 columns 45 {schedule = #mxfp4.schedule<...>}
        : memref<34xi32, #gpu.address_space<workgroup>>, memref<33xi32>
    ```
  }];
  let arguments = (ins Index:$number, SharedSource:$table,
                       GlobalBuffer:$offsets,
                       Arg<Optional<AnyStridedMemRef>, "global memory",
                           [MemRead]>:$expert_ids,
                       Arg<Optional<AnyStridedMemRef>, "global memory",
                           [MemRead, MemWrite]>:$error,
                       I64Attr:$experts, I64Attr:$columns,
                       MXFP4_Schedule:$schedule);
  let results = (outs Index:$expert, Index:$row, Index:$valid, Index:$column);
  let assemblyFormat = [{
    $number `in` $table `offsets` `(` $offsets `)`
    (`expert_ids` `(` $expert_ids^ `:` type($expert_ids) `)`)?
    (`error` `(` $error^ `:` type($error) `)`)?
    `experts` $experts `columns` $columns attr-dict
    `:` type($table) `,` type($offsets)
  }];
  let hasVerifier = 1;
}

def MXFP4_CopyWeightsOp : MXFP4_Op<"copy_weights"> {
  let summary = "Start copying a tile of packed weights to shared memory";
  let description = [{
    Starts asynchronous copies of the blocks (expert, block .. block+B-1, step)
    of `source`, `E x N/64 x K/64 x !mxfp4.block`, to slot `slot` of
    `destination`, `S x B x !mxfp4.block` in shared memory. Blocks past N/64
    arrive as zeros. The copies belong to the group that the next
    `nvvm.cp.async.commit.group` closes. With `half_last`, K ends in the first half
    of the last step's blocks: in place of codes of the second half any may arrive.

    Example:

    ```mlir
    mxfp4.copy_weights %w[%expert, %block, %step] to %stage[%slot]
        : memref<32x90x45x!mxfp4.block<spread, folded>>
        to memref<4x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>
    ```
  }];
  let arguments = (ins GlobalBuffer:$source, Index:$expert, Index:$block,
                       Index:$step, SharedDestination:$destination,
                       Index:$slot, UnitAttr:$half_last);
  let assemblyFormat = [{
    $source `[` $expert `,` $block `,` $step `]` `to`
    $destination `[` $slot `]` (`half_last` $half_last^)? attr-dict `:`
    type($source) `to` type($destination)
  }];
  let hasVerifier = 1;
}

def MXFP4_CopyActivationsOp : MXFP4_Op<"copy_activations"> {
  let summary = "Start copying a tile of activations to shared memory";
  let description = [{
    Starts asynchronous copies of rows `row .. row+T-1` and columns
    `64*step .. 64*step+63` of `source`, `R x K` bf16, to slot `slot` of
    `destination`, `S x T x 64` bf16 in shared memory; of f8E4M3FN, 128 columns.
    Rows from `valid` up and
    columns past K arrive as zeros. Rows of the destination are 128 bytes, and
    their 16-byte units are XORed with the row number modulo 8 (the 128-byte
    swizzle of TMA), so that reading a column of units meets
    no bank conflict.

    Example:

    ```mlir
    mxfp4.copy_activations %x[%row, %step] valid(%rows) to %stage[%slot]
        : memref<?x2880xbf16>
        to memref<4x64x64xbf16, #gpu.address_space<workgroup>>
    ```
  }];
  let arguments = (ins Arg<AnyTypeOf<[AnyStridedMemRef, MXFP4_TensorMap]>,
                           "global memory", [MemRead]>:$source,
                       Index:$row, Index:$step, Index:$valid,
                       SharedDestination:$destination, Index:$slot);
  let assemblyFormat = [{
    $source `[` $row `,` $step `]` `valid` `(` $valid `)` `to`
    $destination `[` $slot `]` attr-dict `:` type($source) `to`
    type($destination)
  }];
  let hasVerifier = 1;
}

// The warps that gather: all of the CTA, or the warps of a role.
class MXFP4_GatherOp<string mnemonic, list<Trait> traits = []>
    : MXFP4_Op<mnemonic, traits> {
  let hasVerifier = 1;
  code gatheringWarps = [{
    /// The warps that share the work: those of the role, or 0 for the CTA's.
    int64_t getSharingWarps() {
      return getWarps() ? static_cast<int64_t>(*getWarps()) : 0;
    }
  }];
  let extraClassDeclaration = gatheringWarps;
}

def MXFP4_LoadRowsOp : MXFP4_GatherOp<"load_rows",
    [AttrSizedOperandSegments]> {
  let summary = "Where the rows of a tile come from";
  let description = [{
    For the warps of the CTA, or those of a role (`warp %w of W`), which share
    the rows of a tile: each thread's entries of `map`, `R` i32, for the rows
    `row .. row+valid-1`. Element i is for row `4*(W*i + w) + lane/8` of the
    tile; rows past `valid` repeat the last one. An entry outside of
    `0 .. limit-1` becomes 0 and sets bit 2 of the error word.

    Example:

    ```mlir
    %rows = mxfp4.load_rows %map[%row] valid(%n) limit(%count)
        warp(%w of 3) : memref<?xi32> -> vector<12xi32>
    ```
  }];
  let arguments = (ins GlobalBuffer:$map, Index:$row, Index:$valid, I32:$limit,
                       Arg<Optional<AnyStridedMemRef>, "global memory",
                           [MemRead, MemWrite]>:$error,
                       Optional<Index>:$warp, OptionalAttr<I64Attr>:$warps);
  let results = (outs VectorOfRankAndType<[1], [I32]>:$rows);
  let assemblyFormat = [{
    $map `[` $row `]` `valid` `(` $valid `)` `limit` `(` $limit `)`
    (`error` `(` $error^ `:` type($error) `)`)?
    (`warp` `(` $warp^ `of` $warps `)`)? attr-dict
    `:` type($map) `->` type($rows)
  }];
}

def MXFP4_GatherActivationsOp : MXFP4_GatherOp<"gather_activations",
    [AttrSizedOperandSegments]> {
  let summary = "Start copying a tile of activations from rows anywhere";
  let description = [{
    As `mxfp4.copy_activations`, from the rows of `source` that
    `mxfp4.load_rows` has found for the same warps: a thread copies 16 bytes of
    each of its rows. Rows from `valid` up have no
    defined contents. Copies
    belong to the group that the next `nvvm.cp.async.commit.group` closes; with
    `signal` each thread of the warps arrives at `barriers[slot]` when its
    copies have landed. Branches skip rows from `valid` up, `branch_rows` at a
    time, or as many as the warps copy at once if these are more.

    Example:

    ```mlir
    mxfp4.gather_activations %x[%rows, %step] valid(%n) to %stage[%slot]
        warp(%w of 3) signal(%full : memref<6xi64, #gpu.address_space<workgroup>>)
        : memref<?x2880xbf16>, vector<12xi32>
        to memref<6x144x64xbf16, #gpu.address_space<workgroup>>
    ```
  }];
  let arguments = (ins GlobalBuffer:$source,
                       VectorOfRankAndType<[1], [I32]>:$rows, Index:$step,
                       Index:$valid, SharedDestination:$destination,
                       Index:$slot, Optional<Index>:$warp,
                       OptionalAttr<I64Attr>:$warps,
                       Arg<Optional<MemRefRankOf<[I64], [1]>>,
                           "barriers in shared memory",
                           [MemRead, MemWrite]>:$barriers,
                       DefaultValuedAttr<ConfinedAttr<I64Attr, [IntPositive]>,
                                         "16">:$branch_rows);
  let assemblyFormat = [{
    $source `[` $rows `,` $step `]` `valid` `(` $valid `)` `to`
    $destination `[` $slot `]` (`warp` `(` $warp^ `of` $warps `)`)?
    (`signal` `(` $barriers^ `:` type($barriers) `)`)? attr-dict
    `:` type($source) `,` type($rows) `to` type($destination)
  }];
  // Bytecode of version 2 has fewer (Bytecode.cpp).
  let useCustomPropertiesEncoding = 1;
}

def MXFP4_TileMatmulOp : MXFP4_Op<"tile_matmul",
    [AllTypesMatch<["accumulator", "result"]>]> {
  let summary = "Multiply a staged tile and accumulate";
  let description = [{
    accumulator += weights[slot] * activations[slot]^T over one k64 step, for
    the CTA's tile; one k128 step with activations of 8 bits. The weights are
    still packed: this is the operation that `mxfp4-insert-decode` turns into
    per-fragment loads, decodes and multiplications. Sums of tokens from `tokens`
    up are undefined.

    `accumulation` is that of the operation that the tile is a part of, for
    activations of 8 bits.

    The accumulator is what one thread holds of it: `I x J x 4` f32 for the
    I 16-row slices and J 8-token columns of its warp.

    Example:

    ```mlir
    %1 = mxfp4.tile_matmul %0, %weights, %activations at [%slot] tokens(%n)
        {schedule = #mxfp4.schedule<...>}
        : vector<4x8x4xf32>,
          memref<4x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>,
          memref<4x64x64xbf16, #gpu.address_space<workgroup>>
    ```
  }];
  let arguments = (ins VectorOfRankAndType<[3], [F32]>:$accumulator,
                       SharedSource:$weights, Index:$slot,
                       SharedSource:$activations, Index:$tokens,
                       MXFP4_Schedule:$schedule,
                       OptionalAttr<MXFP4_Accumulation>:$accumulation);
  let results = (outs VectorOfRankAndType<[3], [F32]>:$result);
  let assemblyFormat = [{
    $accumulator `,` $weights `,` $activations `at` `[` $slot `]`
    `tokens` `(` $tokens `)` attr-dict `:` type($accumulator) `,` type($weights) `,` type($activations)
  }];
  let hasVerifier = 1;
  // Bytecode of versions 1 and 2 has fewer (Bytecode.cpp).
  let useCustomPropertiesEncoding = 1;
}

def MXFP4_StoreTileOp : MXFP4_Op<"store_tile", [AttrSizedOperandSegments]> {
  let summary = "Finish, round and store the accumulators of a tile";
  let description = [{
    Stores the CTA's accumulators, weight rows `64*block ..` by tokens
    `row .. row+valid-1`, to `destination`, `R x N` bf16 or f8E4M3FN (rounded
    to nearest even, to f8E4M3FN with saturation) or f32. Tokens from `valid` up and columns past N are not stored.

    The epilogue is that of `mxfp4.grouped_matmul`, of expert `expert`; where
    that may be -1 (`or_none`), its tiles are stored as zeros. With `scatter`
    row r of the tile is stored at row `scatter[r]` of the destination, which
    has `limit` rows; a row that it does not have sets bit 2 of the error word.

    With `stored`, each warp adds the number of elements that it has stored to
    `stored[expert]` when they are stored: whoever reads that number behind an acquire
    sees them.

    Example:

    ```mlir
    mxfp4.store_tile %acc to %y[%row, %block] valid(%rows)
        {schedule = #mxfp4.schedule<...>}
        : vector<4x8x4xf32> to memref<?x5760xbf16>
    mxfp4.store_tile %acc to %y[%row, %block] valid(%rows) expert(%e)
        epilogue(%bias : memref<32x5760xbf16>) {
    ^bb0(%sum: f32, %b: f32):
      %s = arith.addf %sum, %b : f32
      mxfp4.yield %s : f32
    } {schedule = #mxfp4.schedule<...>}
        : vector<4x8x4xf32> to memref<?x5760xbf16>
    ```
  }];
  let arguments = (ins VectorOfRankAndType<[3], [F32]>:$accumulator,
                       Arg<AnyStridedMemRef, "global memory",
                           [MemWrite]>:$destination,
                       Index:$row, Index:$block, Index:$valid,
                       Optional<Index>:$expert, UnitAttr:$or_none,
                       Arg<Optional<AnyStridedMemRef>, "global memory",
                           [MemRead]>:$scatter,
                       Optional<I32>:$limit,
                       Arg<Optional<AnyStridedMemRef>, "global memory",
                           [MemRead, MemWrite]>:$error,
                       Arg<Variadic<AnyStridedMemRef>, "global memory",
                           [MemRead]>:$epilogue_operands,
                       Arg<Optional<AnyStridedMemRef>, "global memory",
                           [MemRead, MemWrite]>:$stored,
                       MXFP4_Schedule:$schedule);
  let regions = (region VariadicRegion<SizedRegion<1>>:$epilogue);
  let assemblyFormat = [{
    $accumulator `to` $destination `[` $row `,` $block `]` `valid` `(` $valid `)`
    (`expert` `(` $expert^ `)`)? (`or_none` $or_none^)?
    (`scatter` `(` $scatter^ `:` type($scatter) `)` `limit` `(` $limit `)`)?
    (`error` `(` $error^ `:` type($error) `)`)?
    (`stored` `(` $stored^ `:` type($stored) `)`)?
    (`epilogue` custom<EpilogueOperands>($epilogue_operands,
                                         type($epilogue_operands)) $epilogue^)?
    attr-dict `:` type($accumulator) `to` type($destination)
  }];
  let hasVerifier = 1;
  let hasRegionVerifier = 1;
  // Bytecode of version 1 has fewer (Bytecode.cpp).
  let useCustomPropertiesEncoding = 1;
  let extraClassDeclaration = [{
    /// Whether the epilogue makes one column of two, and the columns that the
    /// accumulators have.
    bool takesPairs() {
      return ::mxfp4::epilogueTakesPairs(getEpilogue(), getEpilogueOperands());
    }
    int64_t getN() {
      return ::llvm::cast<::mlir::MemRefType>(getDestination().getType())
                 .getDimSize(1) *
             (takesPairs() ? 2 : 1);
    }
  }];
}

#endif // MXFP4_IR_MXFP4TILEOPS
