//===- ProgramPasses.td - Kernels and roles ----------------*- tablegen -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Kernels, and who does what in them: level "Program". The order of definitions
// is the order of docs/Passes.md.
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_TRANSFORMS_PROGRAM_PASSES
#define MXFP4_TRANSFORMS_PROGRAM_PASSES

include "mlir/Pass/PassBase.td"

def Tile : Pass<"mxfp4-tile", "::mlir::ModuleOp"> {
  let summary = "Grouped matmuls to tiled kernels";
  let description = [{
    Moves each `mxfp4.grouped_matmul` on memrefs into a kernel of its own in a
    `gpu.module`, and leaves a `gpu.launch_func` in its place. The `gpu.module`
    goes into the module that the operation is in, which may be nested in others,
    and is marked `mxfp4.kernels`. Its name is the function's, in characters that PTX
    allows (`ptxName` of `mxfp4/Core/PtxName.h`), and with a number if another
    symbol has this name.

    The kernel is persistent: it builds the table of tiles
    (`mxfp4.build_tile_table`, because only the device knows how many tiles a group
    has), and each CTA computes the tiles `blockIdx`, `blockIdx + gridDim`, ...
    (`mxfp4.for_tiles`), so that any grid is correct. For each tile a loop over K
    (`mxfp4.k_loop`) copies a step of weights and activations and multiplies
    (`mxfp4.tile_matmul`), and `mxfp4.store_tile` stores the sums. Kernels with
    wgmma take activations as a tensor map (`mxfp4.make_tensor_map` at the launch).

    A schedule that is `side_by_side` makes a kernel with two loops over tiles in
    the branches of a choice. The kernel takes tiles as tall as all slices together if
    these need at most 1/S as many waves as tiles that S slices share, or 17/16 of
    that where the slices' tiles need 16 waves or more.

    A schedule with `wide_from` makes a kernel with two kinds of tiles, each with a
    table and a loop of its own. Groups with at least `wide_from` rows come first, in
    tiles of half as many columns and twice as many tokens. All warps wait for each
    other between the two loops, unless there are no such groups.

    A schedule with `short_to` makes a kernel with three loops in the branches of a
    choice, for which the kernel counts the tiles of groups with at most `short_to`
    rows. Where there are more than a third as many as tiles of other groups, or with
    an epilogue 0.45 times as many, these others have a loop, and short groups a loop
    of their own behind it (`mxfp4-join-programs` runs the two beside each other). The
    loops share a table, in which short groups come last. Elsewhere one loop has all
    groups.

    Preconditions: memrefs with identity layout (see `mxfp4-make-contiguous`), in
    code of the host; weights in a fragment-major layout; static N, K, experts and
    groups; a schedule. The grid is for the SMs of the `mxfp4.target` around the
    operation, which becomes that of the `gpu.module`.

    Leaves behind: operations of the CTA that run one after the other. Later passes
    let copies run ahead of the multiplication.
  }];
  let options = [
    Option<"requireKernels", "require-kernels", "bool", "false",
           "Whether a module without kernels of this dialect is an error">
  ];
  let dependentDialects = [
    "::mlir::arith::ArithDialect",
    "::mlir::gpu::GPUDialect",
    "::mlir::memref::MemRefDialect",
    "::mlir::NVVM::NVVMDialect",
    "::mlir::scf::SCFDialect",
    "::mlir::vector::VectorDialect"
  ];
  let statistics = [
    Statistic<"numTiled", "tiled",
              "Grouped matmuls that became kernels">
  ];
}

def TileDequantize : Pass<"mxfp4-tile-dequantize", "::mlir::ModuleOp"> {
  let summary = "Decodes in memory to kernels";
  let description = [{
    Moves each `mxfp4.dequantize` on memrefs into a kernel of its own in a
    `gpu.module`, as `mxfp4-tile` does with grouped matmuls, and leaves a
    `gpu.launch_func` in its place. A thread decodes eight values. Such decodes are
    left where no grouped matmul uses them: in programs that only decode, and where
    activations are in MXFP4.

    A decode with dynamic sizes, 2^31 values or more, or memrefs that are not
    contiguous stays on the host, for `mxfp4-lower-to-loops`, and a remark says so.
  }];
  let dependentDialects = [
    "::mlir::arith::ArithDialect",
    "::mlir::gpu::GPUDialect",
    "::mlir::LLVM::LLVMDialect",
    "::mlir::memref::MemRefDialect",
    "::mlir::NVVM::NVVMDialect",
    "::mlir::scf::SCFDialect",
    "::mlir::vector::VectorDialect"
  ];
  let statistics = [
    Statistic<"numTiled", "tiled",
              "Kernels that decode">
  ];
}

def TileRouting : Pass<"mxfp4-tile-routing", "::mlir::ModuleOp"> {
  let summary = "Routing and combination to kernels";
  let description = [{
    Moves each `mxfp4.top_k`, `mxfp4.count_by_expert`, `mxfp4.sort_by_expert`,
    `mxfp4.dispatch`, `mxfp4.quantize_rows` and `mxfp4.combine` on memrefs into a
    kernel of its own in a `gpu.module`, as `mxfp4-tile` does with grouped matmuls, and leaves a
    `gpu.launch_func` in its place. Any grid is correct:
    - top_k: a warp for each token, whose lanes hold the keys of its experts; a
      CTA takes blocks of 32 tokens.
    - count_by_expert: a CTA counts the slots of a block of tokens in a histogram.
    - sort_by_expert: each warp owns consecutive slots, and ranks them stably by
      ballots on the bits of the expert. Without counts there is one CTA; with
      counts, each CTA sums up the counts of all blocks, and sorts blocks of its
      own.
    - dispatch: a CTA has a token, and holds its values in registers from the load
      to the stores into the rows of its slots, so that memory is read once.
    - quantize_rows: the same, with a row of its own or those of its slots.
    - combine: a thread has 16 bytes of a token's output. It loads those of all
      slots before it adds them.

    `mxfp4.top_k` and a `mxfp4.sort_by_expert` of its ids that follows it, both
    without counts, become one kernel of one CTA if `rows-hint` says that there are
    at most 64 tokens, because one CTA is fast enough for them and a launch is saved.

    A `mxfp4.sort_by_expert` with counts, and a `mxfp4.dispatch` or `quantize_rows`
    that stores at its positions and follows it, become one kernel if `rows-hint`
    says that there are at most 8192 tokens, and `min(tokens, 4096)` times experts
    is at most 131072 (32768 of `quantize_rows` from 1025 tokens on, because its
    CTAs have less time), and
    there are at most 8 slots and 256 experts: each CTA then adds up counts until it
    knows the rows of its own token, and a launch is saved.

    Preconditions: memrefs with identity layout, in code of the host; static
    numbers of experts (at most 1024), slots (at most 32) and columns (of
    dispatch and quantize_rows at most 4096 vectors of up to eight).
  }];
  let options = [
    Option<"rowsHint", "rows-hint", "int64_t", "0",
           "Slots of all tokens together, as of the rows of the grouped matmuls "
           "(0: unknown)">
  ];
  let dependentDialects = [
    "::mlir::arith::ArithDialect",
    "::mlir::gpu::GPUDialect",
    "::mlir::LLVM::LLVMDialect",
    "::mlir::math::MathDialect",
    "::mlir::memref::MemRefDialect",
    "::mlir::NVVM::NVVMDialect",
    "::mlir::scf::SCFDialect",
    "::mlir::vector::VectorDialect"
  ];
  let statistics = [
    Statistic<"numTiled", "tiled",
              "Kernels around matmuls">
  ];
}

def SpecializeWarps : Pass<"mxfp4-specialize-warps"> {
  let summary = "Split a wgmma kernel into warps that copy and warps that multiply";
  let description = [{
    Replaces each `mxfp4.for_tiles` of a kernel with wgmma by `mxfp4.warp_roles`
    with two roles, both of which loop over the tiles. The producer fills a ring of
    stages (`mxfp4.create_ring`) with TMA and bulk copies and may be as many steps
    ahead as the ring has slots, also across tiles. The consumers drain the ring,
    multiply, and store the sums. If the schedule has `producer_registers`, producer
    warps give registers that they do not need to the consumers (setmaxnreg).

    With K slices, each slice has consumer warps, one producer warp, slots of the
    ring and a range of the steps of its own. The first slice has `sum_steps` steps fewer
    than the others, because it adds the sums of all (`mxfp4.reduce_slices`) and stores them.

    In tall tiles whose sums are promoted every 512 of K, a warpgroup of the last tile
    along N that has no columns multiplies one token in place of those of the tile.

    Preconditions: `mxfp4.for_tiles` with one `mxfp4.k_loop`, in it directly or in
    branches that yield the sums, and one `mxfp4.store_tile`. Loops over tiles
    whose schedule names mma.sync stay as they are, for `mxfp4-pipeline-copies`.
  }];
  let dependentDialects = [
    "::mlir::arith::ArithDialect",
    "::mlir::gpu::GPUDialect",
    "::mlir::NVVM::NVVMDialect",
    "::mlir::scf::SCFDialect"
  ];
  let statistics = [
    Statistic<"numSpecialized", "specialized",
              "Loops over tiles that were divided among warps">
  ];
}

def JoinPrograms : Pass<"mxfp4-join-programs"> {
  let summary = "Programs beside each other become one";
  let description = [{
    A schedule with `short_to` has a program for short groups behind one for the
    others. Both have shared memory, rings and warps of their own, and their tiles
    are numbered in one table. The pass moves the roles of the first program into the
    second `mxfp4.warp_roles`, so that both programs run at the same time, and share
    the SM's tensor cores and decoding: warps that multiply come first, so that whole
    warpgroups take over registers.

    With a workspace (`mxfp4-share-tiles`), the first program takes tiles from the
    front of the table and the second from its end, until they meet.

    Preconditions: the two `mxfp4.warp_roles` follow each other in a block.
  }];
  let statistics = [
    Statistic<"numJoined", "joined", "Programs that run beside another one">
  ];
}

def ShareTiles : Pass<"mxfp4-share-tiles"> {
  let summary = "One warp hands out tiles to the roles of a CTA";
  let description = [{
    Adds a role to each `mxfp4.warp_roles`, the tile scheduler: one warp finds the
    next tile while the other warps work on the current one, and puts it into a
    queue of two tiles in shared memory (`mxfp4.hand_out_tiles`). The other roles
    take tiles from the queue (`mxfp4.take_tiles` instead of `mxfp4.for_tiles`).

    If the operation has a workspace, tiles come from a counter there that all CTAs
    share, because SMs differ in speed and tiles in height. The last CTA resets the
    counter to zero. Without a workspace, CTA c computes the tiles c, c + gridDim,
    c + 2 * gridDim and so on.
    So it does the first of two kinds of tiles: there is one counter, and the last
    tiles matter most.

    Which CTA computes a tile does not change any result.

    The first tile of a CTA is its own number. Where there is one table, of tiles of
    one kind, the warp that builds it hands this tile out (`mxfp4.hand_out_first`)
    and the other roles begin as soon as the table is there. Not with expert ids, with
    rows that a warp brings, or with a schedule that has `copies_ahead`.

    Preconditions: each role has one `mxfp4.for_tiles`. Kernels without roles stay
    as they are.
  }];
  let dependentDialects = [
    "::mlir::gpu::GPUDialect",
    "::mlir::NVVM::NVVMDialect"
  ];
  let statistics = [
    Statistic<"numShared", "shared",
              "Kernels whose tiles one warp hands out">
  ];
}

def HalveTiles : Pass<"mxfp4-halve-tiles"> {
  let summary = "Halves of tiles for the last part of a wave";
  let description = [{
    In a kernel whose schedule has `half_tiles`, lets the scheduler hand out halves of
    the last tiles of a launch (`mxfp4.hand_out_tiles` says of which), and gives each
    role a second body for them, in a branch: a half has a loop over K that copies
    and multiplies the first block of rows of each stage alone. Where one half of a
    tile has no columns, the other half is handed out alone.

    Sums are added in the order of whole tiles, so that no result changes.

    Preconditions: `mxfp4-share-tiles` has run, and `mxfp4-copy-ahead` for schedules
    with `copies_ahead`, whose copies ahead of the first tile become those of a half
    if this tile is one. Loops over K are in their `mxfp4.take_tiles` directly, or in a
    branch of it that tiles without an expert do not take. What follows such a branch
    is moved into both sides of it. Other kernels stay as they are.
  }];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::gpu::GPUDialect",
    "::mlir::scf::SCFDialect"
  ];
  let statistics = [
    Statistic<"numHalved", "halved", "Kernels with halves of tiles">
  ];
}

def PrefetchFirst : Pass<"mxfp4-prefetch-first"> {
  let summary = "Weights of the first tiles into L2";
  let description = [{
    In a kernel whose schedule has `prefetch_first`, a warp of each CTA guesses ahead of
    `griddepcontrol.wait` which tile the CTA begins with, from offsets that the kernel
    ahead may still write (`mxfp4.guess_first`), and a lane asks for the weights of that
    tile's first two steps of each K slice (`mxfp4.prefetch_weights`). Where the offsets
    were others, other weights are fetched than those that the CTA reads first, and no
    result changes.

    Preconditions: `mxfp4-share-tiles` has run, and `mxfp4-halve-tiles` for schedules
    with `half_tiles`. The first tile of a CTA has its number, and there are no expert
    ids. Other kernels stay as they are.
  }];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::gpu::GPUDialect",
    "::mlir::scf::SCFDialect"
  ];
  let statistics = [
    Statistic<"numPrefetching", "prefetching",
              "Kernels that fetch weights of first tiles">
  ];
}

def BringRows : Pass<"mxfp4-bring-rows"> {
  let summary = "One warp brings rows into the order of the groups";
  let description = [{
    Adds a role to the `mxfp4.warp_roles` of a kernel that gathers its rows through
    memory: a warp of each CTA copies rows to where TMA reads them
    (`mxfp4.bring_rows`), in the order of the groups, while the other
    warps multiply. The tile scheduler waits for the rows of a tile before it hands
    the tile out. Where a program of short groups runs beside another one
    (`short_to`), the warp that hands out its tiles brings the rows of both before it
    does so, because the producer has no warp left.

    Preconditions: `mxfp4-share-tiles` and `mxfp4-join-programs` have run, the kernel
    has a workspace, and its schedule has `bring_bytes`. Kernels without an argument "through_maps" stay as
    they are.
  }];
  let dependentDialects = [
    "::mlir::gpu::GPUDialect",
    "::mlir::NVVM::NVVMDialect"
  ];
  let statistics = [
    Statistic<"numBrought", "brought",
              "Kernels with a warp that brings rows">
  ];
}

def CopyAhead : Pass<"mxfp4-copy-ahead"> {
  let summary = "Copy the first weights before the kernel ahead has ended";
  let description = [{
    Moves `griddepcontrol.wait` of a kernel whose schedule has `copies_ahead` into
    its roles: behind the table of tiles, behind the first tile that the scheduler
    hands out, and behind the weights of the first stages of this tile. Only
    activations, results and the counter of tiles come behind the wait.

    A role of one warp per K slice copies the weights of the stages that the first
    tile fills ahead of its loop over tiles, and the loop copies only activations
    to these stages. Of several warps that fill a slot together, those that copy
    weights do not wait at all.

    Preconditions: `mxfp4-share-tiles` has run, and the weights and offsets are
    older than the kernel ahead (`mxfp4.grouped_matmul`). Kernels of other
    schedules, and with expert ids, wait first, as they did.
  }];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::NVVM::NVVMDialect",
    "::mlir::scf::SCFDialect"
  ];
  let statistics = [
    Statistic<"numAhead", "ahead", "Kernels that copy weights ahead">
  ];
}

def AwaitGroups : Pass<"mxfp4-await-groups"> {
  let summary = "Tiles wait for the rows of their groups";
  let description = [{
    Takes `griddepcontrol.wait` out of a kernel that has counts of the rows that the
    kernel ahead has stored (`awaited` of `mxfp4.grouped_matmul`): the warp that
    hands out tiles waits for the counts of a tile's groups before it hands the tile
    out, and for the whole of the kernel ahead behind its last tile. Then alone it lets
    the next kernel begin, so that kernels behind this one still find all
    kernels ahead of it ended.

    A kernel that waits so begins when all CTAs of the kernel ahead have begun, none of
    which waits for this one: each row that a tile waits for is stored by a CTA
    that runs.

    Preconditions: `mxfp4-share-tiles` has run. Kernels whose schedule has
    `copies_ahead`, and those without a warp that hands out tiles, wait for the kernel
    ahead, as they did.
  }];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::NVVM::NVVMDialect"
  ];
  let statistics = [
    Statistic<"numAwaiting", "awaiting",
              "Kernels whose tiles wait for the rows of their groups">
  ];
}

def CountGroups : Pass<"mxfp4-count-groups"> {
  let summary = "One warp counts what the others have stored";
  let description = [{
    Hands the counts of a `mxfp4.store_tile` (`stored`) to the `mxfp4.hand_out_tiles` of
    the same `mxfp4.warp_roles`: a warp that stores takes the next tile behind that, so
    that the warp that hands out tiles knows when a tile has been stored, and adds to
    the counts in place of each warp that stores, which would wait for its stores.

    Preconditions: `mxfp4-share-tiles` has run. Kernels without roles, all of whose
    warps count for themselves, stay as they are.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect"];
  let statistics = [
    Statistic<"numCounted", "counted",
              "Kernels in which one warp counts what others have stored">
  ];
}

def PipelineCopies : Pass<"mxfp4-pipeline-copies"> {
  let summary = "Keep several stages of copies in flight";
  let description = [{
    Rewrites a loop over K that copies, waits and computes into a software
    pipeline over the S slots of its stages: the first S - 1 steps are copied
    ahead of the loop, and each iteration waits for its own step only, starts
    the copy of step k + S - 1 into the slot that step k - 1 has left, and
    computes.

    Preconditions: a `mxfp4.k_loop` without a ring, of a schedule that names
    mma.sync, with copies and one `mxfp4.tile_matmul`. See
    `mxfp4-specialize-warps` for kernels with wgmma.

    Leaves behind: one barrier per iteration, and one after the loop, because the
    next tile uses the slots again.
  }];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::gpu::GPUDialect",
    "::mlir::NVVM::NVVMDialect", "::mlir::scf::SCFDialect"
  ];
  let statistics = [
    Statistic<"numPipelined", "pipelined",
              "Loops over K that keep copies in flight">
  ];
}

#endif // MXFP4_TRANSFORMS_PROGRAM_PASSES
