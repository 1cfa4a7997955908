//===- MXFP4LoopOps.td - The loop over K -------------------*- tablegen -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The loop over the steps of a tile, and the multiplication of a step, block by
// block.
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_IR_MXFP4LOOPOPS
#define MXFP4_IR_MXFP4LOOPOPS

include "mxfp4/IR/MXFP4ProgramOps.td"
include "mlir/Interfaces/LoopLikeInterface.td"

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

#endif // MXFP4_IR_MXFP4LOOPOPS
