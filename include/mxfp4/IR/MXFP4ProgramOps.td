//===- MXFP4ProgramOps.td - The structure of a kernel ------*- tablegen -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Tiles of a persistent kernel and the loop over K. `mxfp4-tile` builds them,
// the passes behind it rewrite them, and `mxfp4-lower-program` turns them into
// loops, branches and barriers.
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_IR_MXFP4PROGRAMOPS
#define MXFP4_IR_MXFP4PROGRAMOPS

include "mxfp4/IR/MXFP4HopperOps.td"
include "mlir/IR/OpAsmInterface.td"
include "mlir/IR/RegionKindInterface.td"
include "mlir/Interfaces/ControlFlowInterfaces.td"
include "mlir/Interfaces/LoopLikeInterface.td"

def MXFP4_YieldOp : MXFP4_Op<"yield", [Pure, ReturnLike, Terminator]> {
  let summary = "Values of a region of a program operation";
  let arguments = (ins Variadic<AnyType>:$values);
  let assemblyFormat = "attr-dict ($values^ `:` type($values))?";
  let builders = [OpBuilder<(ins)>];
}

//===----------------------------------------------------------------------===//
// Shared memory
//===----------------------------------------------------------------------===//

def MXFP4_SharedBufferOp : MXFP4_Op<"shared_buffer", [Pure]> {
  let summary = "A region of the dynamic shared memory of a CTA";
  let description = [{
    The bytes from `offset` on, as a memref. Which region lies where is a
    function of the schedule (`mxfp4/Core/Schedule.h`).

    Example:

    ```mlir
    %x = mxfp4.shared_buffer at 0
        : memref<12x64x64xbf16, #gpu.address_space<workgroup>>
    ```
  }];
  let arguments = (ins ConfinedAttr<I64Attr, [IntNonNegative]>:$offset);
  let results = (outs AnyStridedMemRef:$buffer);
  let assemblyFormat = "`at` $offset attr-dict `:` type($buffer)";
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Tiles
//===----------------------------------------------------------------------===//

defvar OptionalGlobalBuffer = Arg<Optional<AnyStridedMemRef>, "global memory",
                                  [MemRead]>;
defvar OptionalErrorWord = Arg<Optional<AnyStridedMemRef>, "global memory",
                               [MemRead, MemWrite]>;

def MXFP4_BuildTileTableOp : MXFP4_Op<"build_tile_table"> {
  let summary = "Count the tiles of each group";
  let description = [{
    For all threads of a CTA together: checks the offsets, `G+1` i32, against the
    number of rows, and fills the table of tiles in shared memory that
    `mxfp4.for_tiles` searches (`mxfp4.locate_tile` says what the table holds).
    All threads see the table behind the operation. Bad offsets leave a table
    without tiles and set bit 0 of the error word. Offsets end at the number of
    rows, or with `or_less` at any row up to it. In a kernel that has not waited for
    the kernel ahead (`griddepcontrol.wait`) before the operation, a fence of the GPU
    comes ahead of the offsets' loads: an L1 may hold older ones.

    Example:

    ```mlir
    mxfp4.build_tile_table %table offsets(%o) rows(%rows) error(%e : memref<1xi32>)
        {schedule = #mxfp4.schedule<...>}
        : memref<34xi32, #gpu.address_space<workgroup>>, memref<33xi32>
    ```
  }];
  let arguments = (ins SharedDestination:$table, GlobalBuffer:$offsets,
                       I32:$rows, UnitAttr:$or_less,
                       OptionalErrorWord:$error, MXFP4_Schedule:$schedule);
  let assemblyFormat = [{
    $table `offsets` `(` $offsets `)` `rows` `(` $rows `)`
    (`or_less` $or_less^)? (`error` `(` $error^ `:` type($error) `)`)? attr-dict
    `:` type($table) `,` type($offsets)
  }];
  let hasVerifier = 1;
  // Bytecode of version 1 has fewer (Bytecode.cpp).
  let useCustomPropertiesEncoding = 1;
}

def MXFP4_TileCountOp : MXFP4_Op<"tile_count"> {
  let summary = "The number of tiles in a table";
  let description = [{
    The table's row tiles times `columns`, the tiles along N; 0 if the offsets were
    bad.

    Example:

    ```mlir
    %n = mxfp4.tile_count %table groups 32 columns 45
        : memref<34xi32, #gpu.address_space<workgroup>>
    ```
  }];
  let arguments = (ins SharedSource:$table, I64Attr:$groups, I64Attr:$columns);
  let results = (outs Index:$count);
  let assemblyFormat = [{
    $table `groups` $groups `columns` $columns attr-dict `:` type($table)
  }];
  let hasVerifier = 1;
}

class MXFP4_TileLoopOp<string mnemonic, list<Trait> traits = []>
    : MXFP4_Op<mnemonic, traits # [
        RecursiveMemoryEffects,
        SingleBlockImplicitTerminator<"YieldOp">,
        DeclareOpInterfaceMethods<OpAsmOpInterface,
                                  ["getAsmBlockArgumentNames"]>]> {
  let regions = (region SizedRegion<1>:$body);
  let results = (outs Variadic<AnyType>:$results);
  let hasVerifier = 1;
  code tileArguments = [{
    /// The expert (-1: none), first row, number of rows and number along N of
    /// the tile, indices.
    static constexpr unsigned kTileArguments = 4;
    ::mlir::Value getExpert() { return getBody().getArgument(0); }
    ::mlir::Value getRow() { return getBody().getArgument(1); }
    ::mlir::Value getValid() { return getBody().getArgument(2); }
    ::mlir::Value getColumn() { return getBody().getArgument(3); }
    ::mlir::Block::BlockArgListType getCarried() {
      return getBody().getArguments().drop_front(kTileArguments);
    }
    ::mlir::Operation *getYield() { return getBody().front().getTerminator(); }
  }];
  let extraClassDeclaration = tileArguments;
}

def MXFP4_ForTilesOp : MXFP4_TileLoopOp<"for_tiles",
    [AttrSizedOperandSegments]> {
  let summary = "The tiles of a persistent CTA";
  let description = [{
    Runs the body for the tiles `first`, `first + stride`, ... below `count`. The
    arguments of the body are what `mxfp4.locate_tile` finds for a tile: its
    expert (-1 for none: the rows of the tile are zeros), its first row, its
    number of rows, and its number along N; then the values that the loop
    carries, such as cursors of rings.

    Example:

    ```mlir
    mxfp4.for_tiles %cta to %count step %ctas in %table offsets(%o)
        experts 32 columns 45 {schedule = #mxfp4.schedule<...>}
        : memref<34xi32, #gpu.address_space<workgroup>>, memref<33xi32> {
    ^bb0(%expert: index, %row: index, %rows: index, %column: index):
      ...
    }
    ```
  }];
  let arguments = (ins Index:$first, Index:$count, Index:$stride,
                       SharedSource:$table, GlobalBuffer:$offsets,
                       OptionalGlobalBuffer:$expert_ids,
                       OptionalErrorWord:$error, Variadic<AnyType>:$inits,
                       I64Attr:$experts, I64Attr:$columns,
                       MXFP4_Schedule:$schedule);
  let assemblyFormat = [{
    $first `to` $count `step` $stride `in` $table `offsets` `(` $offsets `)`
    (`expert_ids` `(` $expert_ids^ `:` type($expert_ids) `)`)?
    (`error` `(` $error^ `:` type($error) `)`)?
    `experts` $experts `columns` $columns
    (`init` `(` $inits^ `)` `->` type($results))? attr-dict
    `:` type($table) `,` type($offsets) (`,` type($inits)^)? $body
  }];
}

def MXFP4_TakeTilesOp : MXFP4_TileLoopOp<"take_tiles"> {
  let summary = "The tiles that the scheduler hands out";
  let description = [{
    Runs the body for each tile that `mxfp4.hand_out_tiles` puts into the queue, a
    ring and the four i32 of each of its slots, until the end of the tiles. Each
    warp of a role takes every tile; a role of one thread per warp takes tiles
    with that thread. The arguments of the body are those of `mxfp4.for_tiles`.

    Example:

    ```mlir
    mxfp4.take_tiles %queue[%fields] : !mxfp4.ring<2>,
        memref<2x4xi32, #gpu.address_space<workgroup>> {
    ^bb0(%expert: index, %row: index, %rows: index, %column: index):
      ...
    }
    ```
  }];
  let arguments = (ins MXFP4_Ring:$queue, SharedSource:$fields,
                       Variadic<AnyType>:$inits);
  let assemblyFormat = [{
    $queue `[` $fields `]` (`init` `(` $inits^ `)` `->` type($results))? attr-dict
    `:` type($queue) `,` type($fields) (`,` type($inits)^)? $body
  }];
  let extraClassDeclaration = tileArguments;
}

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

//===----------------------------------------------------------------------===//
// The loop over K
//===----------------------------------------------------------------------===//

def MXFP4_KLoopOp : MXFP4_Op<"k_loop", [
    AttrSizedOperandSegments, RecursiveMemoryEffects,
    DeclareOpInterfaceMethods<LoopLikeOpInterface,
                              ["getInitsMutable", "getLoopResults",
                               "getRegionIterArgs", "getYieldedValuesMutable"]>,
    SingleBlockImplicitTerminator<"YieldOp">,
    DeclareOpInterfaceMethods<OpAsmOpInterface,
                              ["getAsmBlockArgumentNames"]>]> {
  let summary = "The loop over the k64 steps of a tile";
  let description = [{
    Runs the body for the steps 0 to `steps - 1`, or for the steps that a
    K slice multiplies (`slice(%s of S)`, see Schedule::sliceSteps). The arguments
    of the body are the number of the step, with a ring the cursor of the role,
    and the carried values (sums, as a rule).

    Without a ring, the operations of the body act one after the other for the
    whole CTA: a copy has landed before the next operation reads it, and nothing
    overwrites a stage that is still read. `mxfp4-pipeline-copies` and
    `mxfp4-specialize-warps` bring copies forward.

    A loop that `fills` a ring waits in each step until the slot at its cursor is
    empty; the body then announces and starts the copies that fill the slot. A
    loop that `drains` a ring waits in each step until the slot is full and
    releases the slot behind the body. Both return the cursor behind the last
    step as their last result.

    Example:

    ```mlir
    %sum, %next = mxfp4.k_loop to 45 drains %ring at %c init(%zero)
        {schedule = #mxfp4.schedule<...>} : !mxfp4.ring<12>,
        !mxfp4.cursor<12>, vector<3x8x4xf32> {
    ^bb0(%step: index, %at: !mxfp4.cursor<12>, %sums: vector<3x8x4xf32>):
      ...
      mxfp4.yield %new : vector<3x8x4xf32>
    }
    ```
  }];
  let arguments = (ins I64Attr:$steps, Optional<Index>:$slice,
                       Optional<MXFP4_Ring>:$ring, Optional<MXFP4_Cursor>:$cursor,
                       Variadic<AnyType>:$inits, UnitAttr:$fills,
                       MXFP4_Schedule:$schedule);
  let results = (outs Variadic<AnyType>:$results);
  let regions = (region SizedRegion<1>:$body);
  let hasCustomAssemblyFormat = 1;
  let hasVerifier = 1;
  let skipDefaultBuilders = 1;
  let builders = [
    OpBuilder<(ins "int64_t":$steps, "::mlir::ValueRange":$inits,
                   "ScheduleAttr":$schedule)>,
    OpBuilder<(ins "int64_t":$steps, "::mlir::Value":$slice,
                   "::mlir::Value":$ring, "::mlir::Value":$cursor, "bool":$fills,
                   "::mlir::ValueRange":$inits, "ScheduleAttr":$schedule)>];
  let extraClassDeclaration = [{
    bool drains() { return getRing() && !getFills(); }
    ::mlir::Value getStep() { return getBody().getArgument(0); }
    /// The cursor of a step, if the loop has a ring.
    ::mlir::Value getCursorOfStep() { return getBody().getArgument(1); }
    ::mlir::Block::BlockArgListType getCarried() {
      return getBody().getArguments().drop_front(getRing() ? 2 : 1);
    }
    /// The cursor behind the loop, if it has a ring.
    ::mlir::Value getLastCursor() { return getResults().back(); }
    ::mlir::Operation *getYield() { return getBody().front().getTerminator(); }
    /// The only operation of a type in the body; null if there is none or are
    /// several.
    template <typename Op> Op getOnly() {
      auto ops = getBody().getOps<Op>();
      return ops.empty() || std::next(ops.begin()) != ops.end()
                 ? Op()
                 : *ops.begin();
    }
  }];
}

def MXFP4_BlockMatmulOp : MXFP4_Op<"block_matmul", [
    RecursiveMemoryEffects,
    SingleBlock, AllTypesMatch<["accumulator", "result"]>,
    DeclareOpInterfaceMethods<OpAsmOpInterface,
                              ["getAsmBlockArgumentNames"]>]> {
  let summary = "Multiply a staged tile block by block of 64 rows";
  let description = [{
    What a consumer warpgroup does with its part of a staged tile, in three parts
    for each 64-row block, so that a later pass may run the parts of different
    blocks at the same time:

    - `fetch` loads what a thread holds of a block, still packed; its arguments
      are the slot of the stage and the number of the block;
    - `decode` decodes the words to fragments, or into a buffer in shared memory
      (`placement=shared`), which it leaves visible to wgmma;
    - `multiply` starts one `mxfp4.wgmma` on the sums of the block; its arguments
      are the slot, the sums and the fragments.

    The meaning is that of one block after the other, each with a wait for its
    wgmma. With an `accumulation` that promotes, instructions add to sums of their
    own, which are added to the accumulator after so much of K and at the end of
    the loop over K. Buffers in shared memory (`buffer` of `mxfp4.store_decoded` and
    `mxfp4.wgmma`, 0 in the regions) take turns from block to block.

    Example:

    ```mlir
    %1 = mxfp4.block_matmul %0 at [%slot] fetch {
    ^bb0(%s: index, %block: index):
      ...
      mxfp4.yield %c0, %c1, %c2, %c3, %scales : i32, i32, i32, i32, i32
    } decode {
    ^bb0(%c0: i32, %c1: i32, %c2: i32, %c3: i32, %scales: i32):
      ...
    } multiply {
    ^bb0(%s: index, %sums: vector<8x4xf32>, %a0: vector<2xbf16>, ...):
      %r = mxfp4.wgmma %sums a(%a0, ...) b(%stage[%s]) columns 8 tokens(%n by 8)
          : ...
      mxfp4.yield %r : vector<8x4xf32>
    } : vector<3x8x4xf32>
    ```
  }];
  let arguments = (ins VectorOfRankAndType<[3], [F32]>:$accumulator,
                       Index:$slot,
                       OptionalAttr<MXFP4_Accumulation>:$accumulation);
  let results = (outs VectorOfRankAndType<[3], [F32]>:$result);
  let regions = (region SizedRegion<1>:$fetch, SizedRegion<1>:$decode,
                        SizedRegion<1>:$multiply);
  let assemblyFormat = [{
    $accumulator `at` `[` $slot `]` `fetch` $fetch `decode` $decode `multiply`
    $multiply attr-dict `:` type($accumulator)
  }];
  let hasVerifier = 1;
  let hasRegionVerifier = 1;
  let extraClassDeclaration = [{
    int64_t getBlocks() { return getAccumulator().getType().getDimSize(0); }
    /// The multiplication of a block.
    WgmmaOp getWgmma();
    /// Whether blocks are decoded into shared memory.
    bool decodesToShared();
    /// Steps of the loop over K after which sums are added in f32; 0: none.
    int64_t getStepsOfSum();
  }];
}

#endif // MXFP4_IR_MXFP4PROGRAMOPS
