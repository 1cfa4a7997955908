//===- MXFP4BringOps.td - Rows brought into order ----------*- tablegen -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A warp of each CTA brings rows from wherever they are into the order of the
// groups, through global memory, while the other warps multiply rows that have
// been brought. `mxfp4-bring-rows` builds these operations.
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_IR_MXFP4BRINGOPS
#define MXFP4_IR_MXFP4BRINGOPS

include "mxfp4/IR/MXFP4RoleOps.td"

defvar RowCounts = Arg<AnyStridedMemRef, "counters in global memory",
                       [MemRead, MemWrite]>;
defvar GlobalDestination = Arg<AnyStridedMemRef, "global memory", [MemWrite]>;

def MXFP4_BringRowsOp : MXFP4_Op<"bring_rows"> {
  let summary = "Bring rows into the order of the groups";
  let description = [{
    By one thread of each CTA, while others multiply: row r of the destination becomes
    row `map[r]` of the source, for those of the `rows` that tiles of the role with
    `mxfp4.hand_out_tiles` read. As many rows as the buffer in shared memory
    holds are claimed at a time, in order, from a counter in the workspace that all CTAs
    share; when they are stored, the counter of their block of rows rises by their
    number. The last role of the grid to end leaves zeros in the workspace.

    The thread waits for its own copies alone, and goes on until every row is
    claimed. Each row that a tile waits for has therefore been claimed by a thread
    that runs, or will be by one: the wait ends whatever CTAs are resident, if
    only one is, too. In a workspace that did not hold zeros it need not end.

    In place of a row outside of 0 .. limit-1 row 0 is brought, and 4 is ORed
    into the error word if the row is of a group with an expert.

    Example:

    ```mlir
    mxfp4.bring_rows %x[%map] limit %limit rows %rows offsets(%o) to %through
        counting %workspace by %buffer signal %barrier error(%e : memref<1xi32>)
        : memref<?x2880xbf16>, memref<?xi32>, memref<33xi32>,
        memref<?x2880xbf16>, memref<1028xi32>,
        memref<2x2880xbf16, #gpu.address_space<workgroup>>,
        memref<1xi64, #gpu.address_space<workgroup>>
    ```
  }];
  let arguments = (ins GlobalBuffer:$source, GlobalBuffer:$map, I32:$limit,
                       I32:$rows, GlobalBuffer:$offsets,
                       GlobalDestination:$destination, RowCounts:$workspace,
                       SharedDestination:$buffer, Barriers:$barrier,
                       OptionalErrorWord:$error);
  let assemblyFormat = [{
    $source `[` $map `]` `limit` $limit `rows` $rows `offsets` `(` $offsets `)`
    `to` $destination `counting` $workspace `by` $buffer `signal` $barrier
    (`error` `(` $error^ `:` type($error) `)`)? attr-dict
    `:` type($source) `,` type($map) `,` type($offsets) `,`
    type($destination) `,` type($workspace) `,` type($buffer) `,`
    type($barrier)
  }];
  let hasVerifier = 1;
}

def MXFP4_WaitCountOp : MXFP4_Op<"wait_count"> {
  let summary = "Wait until a counter in global memory has reached a number";
  let description = [{
    By one thread: what others had stored before they raised the counter behind a
    fence is seen afterwards, by copies of TMA, too.

    Example:

    ```mlir
    mxfp4.wait_count %workspace[%i] reaches %n : memref<1028xi32>
    ```
  }];
  let arguments = (ins RowCounts:$counters, Index:$number, I32:$least);
  let assemblyFormat = [{
    $counters `[` $number `]` `reaches` $least attr-dict `:` type($counters)
  }];
  let hasVerifier = 1;
}

def MXFP4_RaiseCountOp : MXFP4_Op<"raise_count"> {
  let summary = "Raise a counter in global memory behind what was stored";
  let description = [{
    By one thread, which adds to the counter by release: whoever acquires the new value
    (`mxfp4.wait_count`) sees what this thread had stored, and what others had that
    it has synchronised with.

    Example:

    ```mlir
    mxfp4.raise_count %counts[%i] by %n : memref<32xi32>
    ```
  }];
  let arguments = (ins RowCounts:$counters, Index:$number, I32:$more);
  let assemblyFormat = [{
    $counters `[` $number `]` `by` $more attr-dict `:` type($counters)
  }];
  let hasVerifier = 1;
}

def MXFP4_BulkCopyRowOp : MXFP4_Op<"bulk_copy_row"> {
  let summary = "Copy a row to shared memory with a bulk copy";
  let description = [{
    By one thread: the bytes count towards `barrier[0]`.

    Example:

    ```mlir
    mxfp4.bulk_copy_row %x[%row] to %buffer[%slot] signal %barrier
        : memref<?x2880xbf16>, memref<2x2880xbf16, #gpu.address_space<workgroup>>,
        memref<1xi64, #gpu.address_space<workgroup>>
    ```
  }];
  let arguments = (ins GlobalBuffer:$source, Index:$row,
                       SharedDestination:$buffer, Index:$slot,
                       Barriers:$barrier);
  let assemblyFormat = [{
    $source `[` $row `]` `to` $buffer `[` $slot `]` `signal` $barrier attr-dict
    `:` type($source) `,` type($buffer) `,` type($barrier)
  }];
  let hasVerifier = 1;
}

def MXFP4_BulkStoreRowsOp : MXFP4_Op<"bulk_store_rows"> {
  let summary = "Store rows from shared memory with a bulk copy";
  let description = [{
    By one thread: stores the first `count` rows of the buffer, at least one, to
    neighbouring rows, and waits until they are there.

    Example:

    ```mlir
    mxfp4.bulk_store_rows %buffer to %y[%row] count %n
        : memref<2x2880xbf16, #gpu.address_space<workgroup>>, memref<?x2880xbf16>
    ```
  }];
  let arguments = (ins SharedSource:$buffer, GlobalDestination:$destination,
                       Index:$row, I32:$count);
  let assemblyFormat = [{
    $buffer `to` $destination `[` $row `]` `count` $count attr-dict
    `:` type($buffer) `,` type($destination)
  }];
  let hasVerifier = 1;
}

#endif // MXFP4_IR_MXFP4BRINGOPS
