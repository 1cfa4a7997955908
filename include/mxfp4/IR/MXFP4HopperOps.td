//===- MXFP4HopperOps.td - Asynchronous copies and wgmma ---*- tablegen -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What a warp-specialised kernel adds to MXFP4TileOps.td and
// MXFP4FragmentOps.td: barriers in shared memory, copies that signal them, and
// matrix instructions that run while the thread that issued them goes on.
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_IR_MXFP4HOPPEROPS
#define MXFP4_IR_MXFP4HOPPEROPS

include "mxfp4/IR/MXFP4FragmentOps.td"

defvar Barriers = Arg<MemRefRankOf<[I64], [1]>,
                      "barriers in shared memory", [MemRead, MemWrite]>;

//===----------------------------------------------------------------------===//
// Tensor maps
//===----------------------------------------------------------------------===//

def MXFP4_MakeTensorMapOp : MXFP4_Op<"make_tensor_map", [Pure]> {
  let summary = "Describe activations to TMA";
  let description = [{
    On the host: tensor maps of `R x K` bf16 or f8E4M3FN for the boxes that the
    type names, with the 128-byte swizzle and zeros out of bounds. The launcher encodes them
    (`cuTensorMapEncodeTiled`) and passes them by value.

    Example:

    ```mlir
    %m = mxfp4.make_tensor_map %x
        : memref<?x2880xbf16> -> !mxfp4.tensor_map<256 by 32>
    ```
  }];
  let arguments = (ins AnyStridedMemRef:$source);
  let results = (outs MXFP4_TensorMap:$map);
  let assemblyFormat = [{
    $source attr-dict `:` type($source) `->` type($map)
  }];
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Barriers
//===----------------------------------------------------------------------===//

def MXFP4_InitBarriersOp : MXFP4_Op<"init_barriers"> {
  let summary = "Set up barriers";
  let description = [{
    For all threads of a CTA, whose warps share the work. Each barrier of the
    array completes a phase after `count` arrivals and after all bytes that
    `mxfp4.expect_bytes` announced. It may be used after
    `nvvm.fence.mbarrier.init` and a barrier of the CTA.

    Example:

    ```mlir
    mxfp4.init_barriers %full count 1
        : memref<6xi64, #gpu.address_space<workgroup>>
    ```
  }];
  let arguments = (ins Barriers:$barriers, I64Attr:$count);
  let assemblyFormat = [{
    $barriers `count` $count attr-dict `:` type($barriers)
  }];
  let hasVerifier = 1;
}

def MXFP4_WaitBarrierOp : MXFP4_Op<"wait_barrier"> {
  let summary = "Wait until a phase is complete";
  let description = [{
    Spins until the phase of this parity (i32, 0 or 1) is complete. A fresh
    barrier is in phase 0, so waiting for parity 1 returns at once.

    Example:

    ```mlir
    mxfp4.wait_barrier %full[%slot] parity %p
        : memref<6xi64, #gpu.address_space<workgroup>>
    ```
  }];
  let arguments = (ins Barriers:$barriers, Index:$slot, I32:$parity);
  let assemblyFormat = [{
    $barriers `[` $slot `]` `parity` $parity attr-dict `:` type($barriers)
  }];
  let hasVerifier = 1;
}

def MXFP4_ArriveBarrierOp : MXFP4_Op<"arrive_barrier"> {
  let summary = "One arrival for each warp";
  let description = [{
    Lane 0 arrives for its warp, behind a barrier of the warp: all that the warp
    has done with the slot is done.

    Example:

    ```mlir
    mxfp4.arrive_barrier %empty[%slot]
        : memref<6xi64, #gpu.address_space<workgroup>>
    ```
  }];
  let arguments = (ins Barriers:$barriers, Index:$slot);
  let assemblyFormat = [{
    $barriers `[` $slot `]` attr-dict `:` type($barriers)
  }];
  let hasVerifier = 1;
}

def MXFP4_ExpectBytesOp : MXFP4_Op<"expect_bytes"> {
  let summary = "Arrive, and announce the bytes of copies to come";
  let description = [{
    Example:

    ```mlir
    mxfp4.expect_bytes %full[%slot] bytes(%n)
        : memref<6xi64, #gpu.address_space<workgroup>>
    ```

    A barrier counts less than 2^20 bytes at a time.
  }];
  let arguments = (ins Barriers:$barriers, Index:$slot, I32:$bytes);
  let assemblyFormat = [{
    $barriers `[` $slot `]` `bytes` `(` $bytes `)` attr-dict `:` type($barriers)
  }];
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Copies, by one thread
//===----------------------------------------------------------------------===//

def MXFP4_BulkCopyWeightsOp : MXFP4_Op<"bulk_copy_weights"> {
  let summary = "Copy a tile of packed weights with bulk copies";
  let description = [{
    As `mxfp4.copy_weights`, by one thread: one `cp.async.bulk` per block, whose
    bytes count towards `barriers[slot]`. Blocks past N/64 repeat the last one;
    their rows are not stored. With `part %p of P` only the blocks p, p + P, ...
    of the tile: P threads share the work. `once` says that no CTA will
    read these bytes again: they leave the L2 cache first. With `half_last`, blocks
    of the last step have the codes of their first half in place of those of the
    second, too, so that these are not read.

    Example:

    ```mlir
    mxfp4.bulk_copy_weights %w[%expert, %block, %step] to %stage[%slot]
        signal %full
        : memref<32x90x45x!mxfp4.block<spread, folded>>
        to memref<6x2x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>,
        memref<6xi64, #gpu.address_space<workgroup>>
    ```
  }];
  let arguments = (ins GlobalBuffer:$source, Index:$expert, Index:$block,
                       Index:$step, SharedDestination:$destination,
                       Index:$slot, Barriers:$barriers, Optional<Index>:$part,
                       OptionalAttr<I64Attr>:$parts, UnitAttr:$once,
                       UnitAttr:$half_last);
  let assemblyFormat = [{
    $source `[` $expert `,` $block `,` $step `]` `to`
    $destination `[` $slot `]` `signal` $barriers
    (`part` $part^ `of` $parts)? (`once` $once^)?
    (`half_last` $half_last^)? attr-dict `:` type($source)
    `to` type($destination) `,` type($barriers)
  }];
  let useCustomPropertiesEncoding = 1;
  let hasVerifier = 1;
}

def MXFP4_PrefetchWeightsOp : MXFP4_Op<"prefetch_weights"> {
  let summary = "Fetch packed weights into the L2 cache";
  let description = [{
    One thread asks for the codes and scales of `steps` steps of K from `step` on,
    of a block of 64 rows, to be brought into L2 (`cp.async.bulk.prefetch`). No
    thread waits for these copies. The expert and the block must exist.

    Example:

    ```mlir
    mxfp4.prefetch_weights %w[%expert, %block] step 4 steps 2
        : memref<32x90x23x!mxfp4.block<bytes, relative>>
    ```
  }];
  // Without known effects, so that no pass drops or moves the operation.
  let arguments = (ins AnyStridedMemRef:$source, Index:$expert, Index:$block,
                       I64Attr:$step, I64Attr:$steps);
  let assemblyFormat = [{
    $source `[` $expert `,` $block `]` `step` $step `steps` $steps attr-dict `:`
    type($source)
  }];
  let hasVerifier = 1;
}

def MXFP4_TensorCopyActivationsOp : MXFP4_Op<"tensor_copy_activations"> {
  let summary = "Copy a tile of activations with TMA";
  let description = [{
    As `mxfp4.copy_activations`, by one thread: one `cp.async.bulk.tensor` of
    the lowest box that holds `valid` rows (at least 1), whose bytes count towards
    `barriers[slot]`. Rows past the tile's last belong to the next group: they
    meet other columns of the accumulator, which are not stored.

    Example:

    ```mlir
    mxfp4.tensor_copy_activations %map[%row, %step] valid(%rows)
        to %stage[%slot] signal %full : !mxfp4.tensor_map<256 by 32>
        to memref<6x256x64xbf16, #gpu.address_space<workgroup>>,
        memref<6xi64, #gpu.address_space<workgroup>>
    ```
  }];
  let arguments = (ins MXFP4_TensorMap:$map, Index:$row, Index:$step,
                       Index:$valid, SharedDestination:$destination,
                       Index:$slot, Barriers:$barriers);
  let assemblyFormat = [{
    $map `[` $row `,` $step `]` `valid` `(` $valid `)` `to` $destination `[` $slot `]`
    `signal` $barriers attr-dict `:` type($map) `to` type($destination) `,`
    type($barriers)
  }];
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// K slices
//===----------------------------------------------------------------------===//

def MXFP4_ReduceSlicesOp : MXFP4_Op<"reduce_slices",
    [AllTypesMatch<["accumulator", "result"]>]> {
  let summary = "Add the sums of all K slices";
  let description = [{
    For the threads of all S slices together, each with its own accumulator: the
    result of slice 0 is the sum in the order of the slices, ((0 + 1) + 2) + ...;
    other results are undefined. Slice after slice leaves its sums in `buffer`,
    `values x threads of a slice` f32 in shared memory. With three to eight slices
    and a `buffer` of S - 1 times that size, all slices but slice 0 leave their sums
    at once. With up to five slices in all, or four sums per thread, they do so when
    slice 0 has multiplied its own steps, and do not wait until it has added them.
    With `tokens(%n)` the sums of tokens from `%n` up are undefined, too, and only
    some of these pass through shared memory.

    Example:

    ```mlir
    %sum = mxfp4.reduce_slices %acc slice(%s of 3) through %buffer tokens(%n)
        : vector<2x8x4xf32>, memref<64x128xf32, #gpu.address_space<workgroup>>
    ```
  }];
  let arguments = (ins VectorOfRankAndType<[3], [F32]>:$accumulator,
                       Index:$slice, I64Attr:$slices,
                       Arg<AnyStridedMemRef, "shared memory",
                           [MemRead, MemWrite]>:$buffer,
                       Optional<Index>:$tokens);
  let results = (outs VectorOfRankAndType<[3], [F32]>:$result);
  let assemblyFormat = [{
    $accumulator `slice` `(` $slice `of` $slices `)` `through` $buffer
    (`tokens` `(` $tokens^ `)`)? attr-dict `:` type($accumulator) `,` type($buffer)
  }];
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// wgmma
//===----------------------------------------------------------------------===//

// What a warpgroup holds of 64 weight rows by N tokens: N/8 x 4 f32 per thread.
def BlockAccumulator : VectorOfRankAndType<[2], [F32]>;

def MXFP4_WgmmaOp : MXFP4_Op<"wgmma",
    [AllTypesMatch<["accumulator", "result"]>, AttrSizedOperandSegments]> {
  let summary = "Start multiplying a decoded block with a staged tile";
  let description = [{
    One group of wgmma.m64nNk16, bf16 operands and f32 accumulators: a fence, an
    instruction for each of the four k16 steps of the stage, a commit; or of
    wgmma.m64nNk32 with A as e5m2 and B as f8E4M3FN, four k32 steps. A is the
    fragments of a 64-row block, four registers for each step; or, with
    `placement=shared`, the block in a `T x 64` tile (`T x 128` of e5m2) that
    `mxfp4.store_decoded` has written: the one behind row block `block` by
    `buffer`. B is the staged tile. N is eight times `columns`, the first columns
    of the accumulator; others stay as they are.

    With `tokens(%n by S)` no operation reads columns of tokens past the multiple
    of S at or above `%n`, so that `mxfp4-narrow-wgmma` may make the instruction
    that narrow. Groups that keep their `tokens` in that pass are lowered by
    `mxfp4-lower-to-nvvm` to one statement of PTX, which branches to the
    instructions of the width.

    With `accumulate(%c)` the group adds to the accumulator where `%c` is true, and
    begins from zeros where it is false.

    With registers of fewer steps than the stage has, the group multiplies as many
    steps, from `step` on, 0 by default.

    The result may be used after `mxfp4.wgmma_wait` only, or by the next wgmma;
    the A registers belong to the instructions until then.

    Example:

    ```mlir
    %1 = mxfp4.wgmma %0 a(%a0, %a1, ..., %a15) b(%stage[%slot]) columns 8
        tokens(%n by 16) : vector<8x4xf32>,
        memref<6x64x64xbf16, #gpu.address_space<workgroup>>
    %2 = mxfp4.wgmma %0 shared_a(%decoded[%block]) buffer 1 b(%stage[%slot])
        columns 8 : vector<8x4xf32>,
        memref<6x64x64xbf16, #gpu.address_space<workgroup>>,
        memref<128x64xbf16, #gpu.address_space<workgroup>>
    ```
  }];
  let arguments = (ins BlockAccumulator:$accumulator,
                       Variadic<FragmentRegister>:$fragments,
                       Arg<Optional<AnyStridedMemRef>, "shared memory",
                           [MemRead]>:$decoded,
                       Optional<Index>:$block,
                       DefaultValuedAttr<ConfinedAttr<I64Attr,
                           [IntNonNegative]>, "0">:$buffer,
                       SharedSource:$activations, Index:$slot,
                       DefaultValuedAttr<ConfinedAttr<I64Attr,
                           [IntNonNegative]>, "0">:$first_step,
                       I64Attr:$columns, Optional<Index>:$tokens,
                       OptionalAttr<I64Attr>:$token_step,
                       Optional<I1>:$accumulate);
  let results = (outs BlockAccumulator:$result);
  let assemblyFormat = [{
    $accumulator
    (`a` `(` custom<Fragments>($fragments, type($fragments))^ `)`)?
    (`shared_a` `(` $decoded^ `[` $block `]` `)`)? (`buffer` $buffer^)?
    `b` `(` $activations `[` $slot `]` `)` (`step` $first_step^)?
    `columns` $columns (`tokens` `(` $tokens^ `by` $token_step `)`)?
    (`accumulate` `(` $accumulate^ `)`)?
    attr-dict `:` type($accumulator) `,` type($activations)
    (`,` type($decoded)^)?
  }];
  let extraClassDeclaration = [{
    /// What the types of the operands say; null if no instruction has them,
    /// which the verifier refuses.
    const ::mxfp4::InstructionTraits *findTraits();
    const ::mxfp4::InstructionTraits &getTraits() { return *findTraits(); }
    /// Steps along K, of the instruction, that the group multiplies.
    int64_t getStepCount();
  }];
  let hasVerifier = 1;
  let useCustomPropertiesEncoding = 1;
}

def MXFP4_SyncWarpgroupOp : MXFP4_Op<"sync_warpgroup"> {
  let summary = "Let wgmma read what the threads of a warpgroup have stored";
  let description = [{
    Each of the warpgroup's 128 threads makes what it has stored to shared memory
    visible to the asynchronous proxy, through which wgmma reads
    (`fence.proxy.async`), and waits for the others at a named barrier of the
    warpgroup's own. All 128 threads of a consumer warpgroup execute it.

    Example:

    ```mlir
    mxfp4.sync_warpgroup
    ```
  }];
  let assemblyFormat = "attr-dict";
}

def MXFP4_WgmmaWaitOp : MXFP4_Op<"wgmma_wait",
    [AllTypesMatch<["accumulator", "result"]>]> {
  let summary = "Wait for groups of wgmma";
  let description = [{
    Waits for all groups but the last `pending`. With none pending, the default,
    hands an accumulator back, of one block or of several: what uses the result
    cannot move above the wait. With some pending it is still being added to, and
    only the next wgmma may use it.

    Examples:

    ```mlir
    %1 = mxfp4.wgmma_wait %0 : vector<32x4xf32>
    %2 = mxfp4.wgmma_wait %1 pending 1 : vector<32x4xf32>
    ```
  }];
  // Not pure: it must stay behind the groups that it waits for.
  let arguments = (ins VectorOfRankAndType<[2, 3], [F32]>:$accumulator,
                       DefaultValuedAttr<ConfinedAttr<I64Attr,
                           [IntMinValue<0>, IntMaxValue<7>]>, "0">:$pending);
  let results = (outs VectorOfRankAndType<[2, 3], [F32]>:$result);
  let assemblyFormat = [{
    $accumulator (`pending` $pending^)? attr-dict `:` type($accumulator)
  }];
}

def Pinnable :
    AnyTypeOf<[BF16Pair, E5M2Quad, VectorOfRankAndType<[3], [F32]>]>;

def MXFP4_PinOp : MXFP4_Op<"pin", [AllTypesMatch<["values", "pinned"]>]> {
  let summary = "Compute registers here";
  let description = [{
    Emits no instruction. Operations that define the operands (fragments or an
    accumulator) stay above, operations that use the results stay below. Decodes
    are pinned where they overlap running wgmmas, because compilers would move
    them down to their uses, and zeros are pinned ahead of the first wgmma.

    Example:

    ```mlir
    %b:2 = mxfp4.pin %a0, %a1 : vector<2xbf16>, vector<2xbf16>
    ```
  }];
  // Not pure: it must stay where it is.
  let arguments = (ins Variadic<Pinnable>:$values);
  let results = (outs Variadic<Pinnable>:$pinned);
  let assemblyFormat = "$values attr-dict `:` type($values)";
}

#endif // MXFP4_IR_MXFP4HOPPEROPS
