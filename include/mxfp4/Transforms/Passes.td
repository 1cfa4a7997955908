//===- Passes.td - Passes of the mxfp4 dialect -------------*- tablegen -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_TRANSFORMS_PASSES
#define MXFP4_TRANSFORMS_PASSES

include "mlir/Pass/PassBase.td"

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
    that does not add in this order is then an error.

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

def OnKernels : Pass<"mxfp4-on-kernels"> {
  let summary = "Run passes on the kernels of this dialect alone";
  let description = [{
    Runs a pipeline on each `gpu.module` that `mxfp4-tile` has made, however deeply
    it is nested; the attribute `mxfp4.kernels` marks these modules. Passes that change any code,
    such as `canonicalize`, or that lower code by rules which hold for our kernels
    alone, such as `mxfp4-lower-to-nvvm`, then leave the kernels and the host code
    of other stacks alone.

    Example: `mxfp4-on-kernels{pipeline=canonicalize,cse}`.
  }];
  let constructor = "::mxfp4::createOnKernels()";
  let options = [
    Option<"pipeline", "pipeline", "std::string", "\"\"",
           "Passes to run on gpu.module">
  ];
}

def Serialize : Pass<"mxfp4-serialize"> {
  let summary = "Kernels of this dialect to PTX or a cubin";
  let description = [{
    Turns each `gpu.module` that carries `mxfp4.kernels` into a `gpu.binary` for
    one chip, which carries `mxfp4.compiled`. With `format=none` the module stays as
    it is, in the NVVM dialect, and is marked `mxfp4.compiled`: from then on it
    belongs to the user, and passes of this dialect leave it alone.

    Every other `gpu.module` stays as it is; `gpu-module-to-binary` serialises it
    by its own target attributes, before or afterwards.

    Preconditions: kernels as `mxfp4-lower-to-nvvm` leaves them, with names that
    are identifiers of PTX. Options that LLVM cannot take are refused before any
    pass of the pipeline runs.
  }];
  let options = [
    Option<"chip", "chip", "std::string", "\"sm_90a\"", "Target">,
    Option<"ptxVersion", "ptx-version", "int", "0",
           "PTX version, 80 for 8.0 (0: the target's default)">,
    Option<"optLevel", "opt-level", "int", "2",
           "LLVM optimisation level, 0 to 3">,
    Option<"format", "format", "std::string", "\"isa\"",
           "What the gpu.binary holds: isa (PTX), bin (cubin, needs ptxas), or "
           "none to stop at the NVVM dialect">
  ];
  let dependentDialects = [
    "::mlir::gpu::GPUDialect", "::mlir::NVVM::NVVMDialect"
  ];
}

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
    these need at most 1/S as many waves as tiles that S slices share.

    A schedule with `wide_from` makes a kernel with two kinds of tiles, each with a
    table and a loop of its own. Groups with at least `wide_from` rows come first, in
    tiles of half as many columns and twice as many tokens. All warps wait for each
    other between the two loops, unless there are no such groups.

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
    `mxfp4.quantize_rows` and `mxfp4.combine` on memrefs into a kernel of its own
    in a `gpu.module`, as `mxfp4-tile` does with grouped matmuls, and leaves a
    `gpu.launch_func` in its place. Any grid is correct:
    - top_k: a warp for each token, whose lanes hold the keys of its experts; a
      CTA takes blocks of 32 tokens.
    - count_by_expert: a CTA counts the slots of a block of tokens in a histogram.
    - sort_by_expert: each warp owns consecutive slots, and ranks them stably by
      ballots on the bits of the expert. Without counts there is one CTA; with
      counts, each CTA sums up the counts of all blocks, and sorts blocks of its
      own.
    - quantize_rows: a CTA has a row, and holds it in registers from the load to
      the store, so that memory is read once.
    - combine: a thread has 16 bytes of a token's output. It loads those of all
      slots before it adds them.

    `mxfp4.top_k` and a `mxfp4.sort_by_expert` of its ids that follows it, both
    without counts, become one kernel of one CTA if `rows-hint` says that there are
    at most 64 tokens, because one CTA is fast enough for them and a launch is saved.

    Preconditions: memrefs with identity layout, in code of the host; static
    numbers of experts (at most 1024), slots (at most 32) and columns (of
    quantize_rows at most 4096 vectors of up to eight).
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

def VersionLoops : Pass<"mxfp4-version-loops"> {
  let summary = "Give tiles of the fewest tokens a loop of their own";
  let description = [{
    For kernels that are bound by memory, most tiles have at most one token step,
    and a choice among widths in the loop costs 5 % of their time. If the schedule
    has `version_loops`, this pass replaces each `mxfp4.k_loop` that drains a ring
    by a branch with two loops: one for tiles of one token step, whose wgmma has
    only that width, and the original loop for all others. The cursor after the
    branch is computed from the cursor before it (`mxfp4.ring_skip`).

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

    Preconditions: a `mxfp4.k_loop` that drains a ring and holds one
    `mxfp4.block_matmul`, of a schedule with
    `overlap_decode`. `mxfp4-lower-program` lowers the others, one part
    behind the other.
  }];
  let dependentDialects = [
    "::mlir::arith::ArithDialect",
    "::mlir::scf::SCFDialect",
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
    - `mxfp4.build_tile_table` to a scan over the offsets by the first warp;
    - rings to two arrays of mbarriers, and cursors to a slot and a parity, which
      loops carry.

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

def LowerDecode : Pass<"mxfp4-lower-decode"> {
  let summary = "Decodes to register operations";
  let description = [{
    Replaces each `mxfp4.decode` by the instructions of `decodeSequence`
    (`mxfp4/Core/DecodeSequence.h`): integer operations on 32-bit registers and
    bf16x2 multiplications. Scale bytes that several decodes share are expanded
    once, after CSE.

    The option `sequence` demands a sequence (`fast`, `exact`, ...); weights whose
    layout needs another sequence are an error. By default the layout decides.
  }];
  let options = [
    Option<"sequence", "sequence", "std::string", "\"auto\"",
           "Sequence that the weights must allow, or auto">
  ];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect"];
}

def LowerToNVVM : Pass<"mxfp4-lower-to-nvvm", "::mlir::gpu::GPUModuleOp"> {
  let summary = "Kernels to the NVVM dialect";
  let description = [{
    Converts everything in a `gpu.module`: fragments and tiles to `ldmatrix`,
    `mma.sync` or `wgmma`, `cp.async` or bulk copies, and plain loads and stores,
    control flow to branches, kernels to `llvm.func`. Memrefs become bare pointers: kernels take
    contiguous buffers whose only dynamic size is the first, and the launch
    contract (the manifest of the artifact) is one pointer for each.

    Preconditions: no `mxfp4.tile_matmul` and no `mxfp4.decode` left; kernels of
    whole warps, without private attributions.
  }];
  let dependentDialects = [
    "::mlir::cf::ControlFlowDialect", "::mlir::LLVM::LLVMDialect",
    "::mlir::NVVM::NVVMDialect"
  ];
}

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
       A decode that takes scale byte 0 for zero, or 0xFF for a number, is another
       operation and left alone, unless the author promises (below) that the
       checkpoint has no such byte. Functions are only run where each library
       gives the same bits: a power of two of an integer, but no logarithm.
    2. A matmul of bf16 activations with such weights becomes
       `mxfp4.grouped_matmul`: one group of equal size for each expert. A matmul
       is any linalg operation, named or not, that sums products of an activation
       `[experts, rows, K]` and a weight `[experts, N, K]`, each of these one
       loop, several or none, in any order behind transpositions, reshapes,
       slices and widenings; codes and scales are transposed if need be. The
       decode may be in the body, too. Where numbers select the weights of each
       row, each row is a group with that id. Multiplications and additions must
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
    example that another operation reads the gathered rows, too.

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

#endif // MXFP4_TRANSFORMS_PASSES
