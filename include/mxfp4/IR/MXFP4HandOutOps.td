//===- MXFP4HandOutOps.td - Who has which tile -------------*- tablegen -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The thread that hands out tiles to the roles of a CTA (`mxfp4-share-tiles`),
// and how the first tile is found before it could: with the table, or by a guess
// (`mxfp4-prefetch-first`).
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_IR_MXFP4HANDOUTOPS
#define MXFP4_IR_MXFP4HANDOUTOPS

include "mxfp4/IR/MXFP4ProgramOps.td"

def MXFP4_HandOutTilesOp : MXFP4_Op<"hand_out_tiles",
    [AttrSizedOperandSegments]> {
  let summary = "Hand out tiles to the roles of a CTA";
  let description = [{
    By one thread: finds each tile of the CTA and puts it into the queue for the
    roles that take tiles (`mxfp4.take_tiles`), and at last the mark of the end.
    The first tile is `first`. With a counter, two i32 in global memory that all CTAs share and
    that are zeros between launches, the next tile is the first that no CTA has
    taken; without one it is `stride` tiles further on.

    With `rows`, the counter is a workspace of 1028 i32, and rows are brought into
    order meanwhile (`mxfp4.bring_rows`): the thread waits until all rows that a
    tile reads have been brought before it hands the tile out.

    With `awaited`, the kernel ahead counts what it stores of the activations' rows, for each
    group: the thread hands a tile out when the counts of all groups that the tile reads
    rows of have become `columns` for each of their rows. It waits for the kernel ahead as a whole
    (`griddepcontrol.wait`), and lets the next one begin, behind its last tile.

    With `stored`, the thread counts what has been stored of each group: a warp of a role
    stores its part of a tile before it takes the next one, so that a tile is stored
    when all warps have taken the next. A tile has `tile_columns` of the
    output's `stored_columns`, the last one what is left.

    Where `mxfp4.hand_out_first` has handed out the first tile, the thread begins
    with the next one.

    With a schedule that has `copies_ahead`, the thread hands out the first tile
    before it waits for the kernel ahead (`griddepcontrol.wait`), which may still
    use the counter.

    With a schedule that has `half_tiles`, `columns` counts halves of tiles along N,
    and the last field is twice the number of the half that the tile begins with,
    plus 1 if the tile is this half alone. If T whole tiles and H halves without
    another half take ceil((2T + H + P / 32) / P) half waves of the P CTAs of the grid,
    as many whole tiles are handed out first as fill the whole waves among these;
    then the halves of the other ones; then the H halves.

    With the schedule of a program for short groups or of that for the others (`short_to`),
    a counter counts what each of the two took, in half of its first word, and both
    programs hand out all tiles of the table until they meet: the other one from
    `first` on, and that for short groups from the last tile on, as far as tiles are of
    short groups. It begins with a tile of the counter, too.

    Example:

    ```mlir
    mxfp4.hand_out_tiles %cta to %count step %ctas in %table offsets(%o)
        experts 32 columns 45 to %queue[%fields] counter(%c : memref<2xi32>)
        {schedule = #mxfp4.schedule<...>}
        : memref<34xi32, #gpu.address_space<workgroup>>, memref<33xi32>,
        !mxfp4.ring<2>, memref<2x4xi32, #gpu.address_space<workgroup>>
    ```
  }];
  let arguments = (ins Index:$first, Index:$count, Index:$stride,
                       SharedSource:$table, GlobalBuffer:$offsets,
                       OptionalGlobalBuffer:$expert_ids,
                       OptionalErrorWord:$error, I64Attr:$experts,
                       I64Attr:$columns, MXFP4_Ring:$queue,
                       SharedDestination:$fields,
                       Arg<Optional<AnyStridedMemRef>, "global memory",
                           [MemRead, MemWrite]>:$counter,
                       Optional<I32>:$rows,
                       OptionalGlobalBuffer:$awaited,
                       Optional<I32>:$awaited_columns,
                       Arg<Optional<AnyStridedMemRef>, "global memory",
                           [MemRead, MemWrite]>:$stored,
                       Optional<I32>:$stored_columns,
                       Optional<I32>:$tile_columns,
                       MXFP4_Schedule:$schedule);
  let assemblyFormat = [{
    $first `to` $count `step` $stride `in` $table `offsets` `(` $offsets `)`
    (`expert_ids` `(` $expert_ids^ `:` type($expert_ids) `)`)?
    (`error` `(` $error^ `:` type($error) `)`)?
    `experts` $experts `columns` $columns `to` $queue `[` $fields `]`
    (`counter` `(` $counter^ `:` type($counter) `)`)? (`rows` $rows^)?
    (`awaited` `(` $awaited^ `:` type($awaited) `)` `columns` $awaited_columns)?
    (`stored` `(` $stored^ `:` type($stored) `)` `columns` $stored_columns `by`
    $tile_columns)? attr-dict
    `:` type($table) `,` type($offsets) `,` type($queue) `,` type($fields)
  }];
  let hasVerifier = 1;
}

def MXFP4_HandOutFirstOp : MXFP4_Op<"hand_out_first"> {
  let summary = "Hand out the first tile of a CTA as its table is built";
  let description = [{
    Right behind `mxfp4.build_tile_table`, whose warp knows where a tile lies as
    soon as it has counted the tiles ahead: it puts the CTA's tile `first`, or the
    mark of the end, into the first slot of the queue. `mxfp4.hand_out_tiles` of the
    same queue goes on with the next tile, so that no role waits for another warp
    to find the first one.

    The schedule has one list of tiles of one kind: neither `full_tiles_first` nor
    `wide_from`. With `half_tiles`, there are at most 256 groups, and `columns` and
    the tile are those of `mxfp4.hand_out_tiles`, for as many CTAs as the grid has.

    Example:

    ```mlir
    mxfp4.hand_out_first %cta in %table offsets(%o) columns 45 to %queue[%fields]
        {schedule = #mxfp4.schedule<...>}
        : memref<34xi32, #gpu.address_space<workgroup>>, memref<33xi32>,
        !mxfp4.ring<2>, memref<2x4xi32, #gpu.address_space<workgroup>>
    ```
  }];
  let arguments = (ins Index:$first, SharedSource:$table,
                       GlobalBuffer:$offsets, I64Attr:$columns,
                       MXFP4_Ring:$queue, SharedDestination:$fields,
                       MXFP4_Schedule:$schedule);
  let assemblyFormat = [{
    $first `in` $table `offsets` `(` $offsets `)` `columns` $columns `to`
    $queue `[` $fields `]` attr-dict
    `:` type($table) `,` type($offsets) `,` type($queue) `,` type($fields)
  }];
  let hasVerifier = 1;
}

def MXFP4_GuessFirstOp : MXFP4_Op<"guess_first"> {
  let summary = "Guess the first tile of a CTA while the kernel ahead runs";
  let description = [{
    For the lanes of one warp together, ahead of `griddepcontrol.wait`: reads offsets
    that the kernel ahead may still write (`mxfp4.load_early`), counts tiles and finds
    the one with the number `first`. Where `found` is true, in one lane if the offsets
    are good, the group, which is its expert, exists, and `column` is that of
    `mxfp4.hand_out_first`. Whether the tile is the right one is not known: old offsets,
    or such of which only some are new, lead to another. Nothing but a prefetch may
    follow from it.

    The schedule has one list of tiles of one kind: neither `full_tiles_first` nor
    `wide_from`. With `half_tiles`, there are at most 256 groups.

    Example:

    ```mlir
    %found, %expert, %column = mxfp4.guess_first %cta lane %lane offsets(%o)
        columns 45 {schedule = #mxfp4.schedule<...>} : memref<33xi32>
    ```
  }];
  let arguments = (ins Index:$first, Index:$lane, GlobalBuffer:$offsets,
                       I64Attr:$columns, MXFP4_Schedule:$schedule);
  let results = (outs I1:$found, Index:$expert, Index:$column);
  let assemblyFormat = [{
    $first `lane` $lane `offsets` `(` $offsets `)` `columns` $columns attr-dict
    `:` type($offsets)
  }];
  let hasVerifier = 1;
}

def MXFP4_LoadEarlyOp : MXFP4_Op<"load_early"> {
  let summary = "Load a word that the kernel ahead may still write";
  let description = [{
    A relaxed load of the GPU (`ld.relaxed.gpu`), which leaves nothing in the L1. The
    value may be any that the word has had: nothing but a prefetch may follow from it.

    Example:

    ```mlir
    %v = mxfp4.load_early %o[%i] : memref<33xi32>
    ```
  }];
  let arguments = (ins GlobalBuffer:$source, Index:$index);
  let results = (outs I32:$value);
  let assemblyFormat = [{
    $source `[` $index `]` attr-dict `:` type($source)
  }];
  let hasVerifier = 1;
}

#endif // MXFP4_IR_MXFP4HANDOUTOPS
