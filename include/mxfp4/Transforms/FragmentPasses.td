//===- FragmentPasses.td - What each warp does -------------*- tablegen -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What each warp does, decode included: level "Fragments". The order of
// definitions is the order of docs/Passes.md.
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_TRANSFORMS_FRAGMENT_PASSES
#define MXFP4_TRANSFORMS_FRAGMENT_PASSES

include "mlir/Pass/PassBase.td"

def InsertDecode : Pass<"mxfp4-insert-decode"> {
  let summary = "Decode weights fragment by fragment";
  let description = [{
    Replaces `mxfp4.tile_matmul` by the operations of each warp on its part of the
    tile. With `placement=register` a thread loads its packed codes and scales,
    decodes the A fragment of each k16 step in its registers, and multiplies.
    With `placement=shared`, the baseline, weights are decoded into bf16, or
    f8E5M2, in shared memory first: for mma.sync the CTA decodes its tile, and threads load
    A fragments from there; for wgmma each warpgroup decodes a block, which the
    instruction reads from there.

    No weight is permuted at run time, because each word of the block layout is a
    thread's part of the A fragment of the schedule's instruction. The pass checks
    this (`wordsAreFragments`).
  }];
  let options = [
    Option<"placement", "placement", "std::string", "\"schedule\"",
           "Where weights are decoded: register, shared, or as the schedule "
           "says">
  ];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::gpu::GPUDialect",
    "::mlir::NVVM::NVVMDialect", "::mlir::vector::VectorDialect"
  ];
  let statistics = [
    Statistic<"numExpanded", "expanded",
              "Multiplications that were taken apart">
  ];
}

def VersionLoops : Pass<"mxfp4-version-loops"> {
  let summary = "Give tiles of the fewest tokens a loop of their own";
  let description = [{
    For kernels that are bound by memory, most tiles have at most one token step,
    and a choice among widths in the loop costs 5 % of their time. If the schedule
    has `version_loops`, this pass replaces each `mxfp4.k_loop` that drains a ring
    by a branch with two loops: one for tiles of one token step, whose wgmma has
    only that width, and the original loop for all others. The cursor after the
    branch is computed from the cursor before it (`mxfp4.ring_skip`).

    Without `overlap_decode`, warps of two CTAs have no register for that cursor
    during the loops, so that it is computed behind them. If a tile has two token
    steps, the other loop has the full width and no choice.

    Example: with `mxfp4.wgmma ... columns 4 tokens(%n by 8)` in it, a loop becomes

    ```mlir
    %c = mxfp4.ring_skip %at steps 15 : !mxfp4.cursor<30 by 3>
    %few = arith.cmpi ule, %n, %c8 : index
    %r = scf.if %few -> (vector<1x4x4xf32>) {
      ... // The loop with mxfp4.wgmma ... columns 1 tokens(%n by 8).
    } else {
      ... // The loop.
    }
    ```
  }];
  let dependentDialects = [
    "::mlir::arith::ArithDialect",
    "::mlir::scf::SCFDialect"
  ];
  let statistics = [
    Statistic<"numVersioned", "versioned",
              "Loops over K with a version for few tokens">
  ];
}

def OverlapDecode : Pass<"mxfp4-overlap-decode"> {
  let summary = "Decode the next fragment while wgmma runs";
  let description = [{
    Software-pipelines the loop over K of a role that multiplies, a 64-row block
    at a time: the thread starts the group of wgmma of one block, waits for the
    group before it and, if that was the last of its step, releases the stage.
    While the new group runs, the thread decodes the next block from raw words that
    it holds already, waits for the stage of the block after that, and loads the
    raw words of that block.

    Two sets of fragments (with `placement=shared`, two decoded buffers) take turns.
    If the number of blocks per step is odd, the loop is unrolled by two, so that
    each set has registers of its own, because ptxas serialises the groups if a set
    is copied to other registers. An odd step comes before the loop.

    Sums that are promoted are twice as many. With more than 88 of a tile per thread
    they leave registers for two sets of fragments of half a step, and each block has
    a group for each half. Behind the last step of an interval, and with what comes
    next decoded, the thread waits for all groups and adds their sums to those in f32,
    in a branch. Where they leave registers for fragments of whole steps, a first interval
    of several steps that two steps or more follow has a loop of its own: its sums are
    those that others are added to. In kernels with a warp that brings rows, only tiles
    with up to 80 sums per thread have this loop. An odd number of steps behind the
    first interval is in a loop that is left between two steps, and the sums of the
    last interval are added behind that loop.

    Preconditions: a `mxfp4.k_loop` that drains a ring and holds one
    `mxfp4.block_matmul`, of a schedule with
    `overlap_decode`. `mxfp4-lower-program` lowers the others, one part
    behind the other.
  }];
  let dependentDialects = [
    "::mlir::arith::ArithDialect",
    "::mlir::scf::SCFDialect",
    "::mlir::ub::UBDialect",
    "::mlir::vector::VectorDialect"
  ];
  let statistics = [
    Statistic<"numOverlapped", "overlapped",
              "Loops over K that decode while wgmma runs">
  ];
}

def LowerProgram : Pass<"mxfp4-lower-program"> {
  let summary = "The structure of a kernel to loops, branches and barriers";
  let description = [{
    Lowers the operations that are the structure of a kernel:

    - `mxfp4.warp_roles` to branches on the number of the warp, with a hand-over of
      registers if the roles name `registers`, and one elected thread for a role
      with `one_thread`;
    - `mxfp4.for_tiles`, `mxfp4.take_tiles`, `mxfp4.hand_out_tiles` and
      `mxfp4.k_loop` to loops of `scf`;
    - `mxfp4.block_matmul` to its parts, one block after the other;
    - `mxfp4.build_tile_table` to a scan over the offsets by the first warp, and
      `mxfp4.guess_first` to one by the warp that guesses;
    - rings to two arrays of mbarriers, and cursors to a slot and a parity, which
      loops carry.

    The thread that hands out tiles takes the number of the next tile early, ahead of
    everything that takes time, or late, when the queue has a slot for the tile. A
    number is taken late where the first tile is handed out elsewhere or ahead of
    `griddepcontrol.wait`, with counts of rows to wait for, and with promoted sums whose
    first interval has a loop of its own. With `full_tiles_first`, tiles of one kind, activations of
    16 bits, weights that are decoded to registers, no expert ids and no rows that are
    brought, the thread decides at run time: late in launches of up to 16 tiles for
    each CTA, early in larger ones.

    Where the warp of the table hands out the first tile, behind a
    `griddepcontrol.wait` and not with 8-bit numbers, all threads of the CTA meet when
    its barriers are there, ahead of that wait, and the thread that hands out other
    tiles waits for the first one as those who take it do. Elsewhere they meet when the
    table is there.

    A `mxfp4.k_loop` without a ring becomes a loop in which the CTA waits for its
    copies and synchronises before and after the multiplication.

    Leaves behind: `scf`, `arith`, `memref`, operations on barriers, tiles and
    fragments, and `mxfp4.locate_tile`, which `mxfp4-lower-to-nvvm` takes.
  }];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::gpu::GPUDialect",
    "::mlir::LLVM::LLVMDialect", "::mlir::memref::MemRefDialect",
    "::mlir::NVVM::NVVMDialect", "::mlir::scf::SCFDialect",
    "::mlir::vector::VectorDialect"
  ];
}

def NarrowWgmma : Pass<"mxfp4-narrow-wgmma"> {
  let summary = "Choose wgmma's N at run time";
  let description = [{
    The last tile of a group may have fewer tokens than others, and the tensor
    core's time is proportional to the instruction's N. The pass replaces each
    `mxfp4.wgmma` whose number of tokens is known only at run time by a tree of
    branches with one wgmma per width, of which a tile takes the narrowest that
    holds its tokens. All of them use the same accumulators, and the loop around
    the branches stays one loop. The branches test the bits of (tokens - 1) / step,
    so that four predicates select among up to 16 widths.

    Where the first interval of promoted sums has a loop of its own, groups of at
    least 96 tokens keep their `tokens`: `mxfp4-lower-to-nvvm` chooses among their
    widths inside of one statement of PTX, which takes LLVM half the time. So do the
    tallest groups of a kernel that has tiles of three heights, as one with
    `short_to` has.

    Preconditions: `tokens` is the same in all lanes of the warpgroup.

    Example: `mxfp4.wgmma ... columns 2 tokens(%n by 8)` becomes

    ```mlir
    nvvm.wgmma.fence.aligned
    %some = arith.maxui %n, %c1 : index
    %others = arith.subi %some, %c1 : index
    %last = arith.divui %others, %c8 : index
    %bit = arith.andi %last, %c1 : index
    %more = arith.cmpi ne, %bit, %c0 : index
    %r = scf.if %more -> (vector<1x2x4xf32>) {
      %2 = mxfp4.wgmma ... columns 2
      scf.yield %2 : vector<1x2x4xf32>
    } else {
      %1 = mxfp4.wgmma ... columns 1
      scf.yield %1 : vector<1x2x4xf32>
    }
    ```
  }];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::NVVM::NVVMDialect",
    "::mlir::scf::SCFDialect"
  ];
  let statistics = [
    Statistic<"numNarrowed", "narrowed",
              "Groups of wgmma whose N is chosen at run time">
  ];
}

def LowerDecode : Pass<"mxfp4-lower-decode"> {
  let summary = "Decodes to register operations";
  let description = [{
    Replaces each `mxfp4.decode` by the instructions of `decodeSequence`
    (`mxfp4/Core/DecodeSequence.h`): integer operations on 32-bit registers and
    bf16x2 multiplications. Scale bytes that several decodes share are expanded
    once, after CSE.

    The rows of a step of e5m2 that a `mxfp4.pin` takes are decoded together, stage
    by stage (`interleave`), so that instructions for different pipes of an SM take
    turns, unless the sums of a kernel are promoted, which leaves few registers.

    The option `sequence` demands a sequence (`fast`, `exact`, ...); weights whose
    layout needs another sequence are an error. By default the layout decides.
  }];
  let options = [
    Option<"sequence", "sequence", "std::string", "\"auto\"",
           "Sequence that the weights must allow, or auto">
  ];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect"];
}

#endif // MXFP4_TRANSFORMS_FRAGMENT_PASSES
