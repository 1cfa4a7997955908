//===- MXFP4ProgramOps.td - The structure of a kernel ------*- tablegen -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Shared memory, the table of tiles, and loops over tiles. `mxfp4-tile` builds
// them, the passes behind it rewrite them, and `mxfp4-lower-program` turns them
// into loops, branches and barriers. Who hands out tiles is in
// MXFP4HandOutOps.td, the loop over K in MXFP4LoopOps.td.
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_IR_MXFP4PROGRAMOPS
#define MXFP4_IR_MXFP4PROGRAMOPS

include "mxfp4/IR/MXFP4HopperOps.td"
include "mlir/IR/OpAsmInterface.td"
include "mlir/IR/RegionKindInterface.td"
include "mlir/Interfaces/ControlFlowInterfaces.td"

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

#endif // MXFP4_IR_MXFP4PROGRAMOPS
