//===- MXFP4KernelOps.td - Operations on tiles and fragments -*- tablegen -*-=//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_IR_MXFP4KERNELOPS
#define MXFP4_IR_MXFP4KERNELOPS

include "mxfp4/IR/MXFP4Base.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

// A 32-bit register of two bf16, low half first.
def BF16Pair : FixedVectorOfLengthAndType<[2], [BF16]>,
    BuildableType<"::mlir::VectorType::get({2}, $_builder.getBF16Type())">;
// A 32-bit register of four e5m2, lowest byte first.
def E5M2Quad : FixedVectorOfLengthAndType<[4], [F8E5M2]>,
    BuildableType<"::mlir::VectorType::get({4}, $_builder.getType<::mlir::Float8E5M2Type>())">;
// A register of A.
def FragmentRegister : AnyTypeOf<[BF16Pair, E5M2Quad]>;
// The f32 accumulator fragment of mma.m16n8k16.
def AccumulatorFragment : FixedVectorOfLengthAndType<[4], [F32]>,
    BuildableType<"::mlir::VectorType::get({4}, $_builder.getF32Type())">;

defvar GlobalBuffer = Arg<AnyStridedMemRef, "global memory", [MemRead]>;
defvar SharedSource = Arg<AnyStridedMemRef, "shared memory", [MemRead]>;
defvar SharedDestination = Arg<AnyStridedMemRef, "shared memory", [MemWrite]>;

//===----------------------------------------------------------------------===//
// Tiles: all threads of a CTA together
//===----------------------------------------------------------------------===//

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
    `nvvm.cp.async.commit.group` closes.

    Example:

    ```mlir
    mxfp4.copy_weights %w[%expert, %block, %step] to %stage[%slot]
        : memref<32x90x45x!mxfp4.block<spread, folded>>
        to memref<4x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>
    ```
  }];
  let arguments = (ins GlobalBuffer:$source, Index:$expert, Index:$block,
                       Index:$step, SharedDestination:$destination,
                       Index:$slot);
  let assemblyFormat = [{
    $source `[` $expert `,` $block `,` $step `]` `to`
    $destination `[` $slot `]` attr-dict `:` type($source) `to`
    type($destination)
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
                       MXFP4_Schedule:$schedule);
  let regions = (region VariadicRegion<SizedRegion<1>>:$epilogue);
  let assemblyFormat = [{
    $accumulator `to` $destination `[` $row `,` $block `]` `valid` `(` $valid `)`
    (`expert` `(` $expert^ `)`)? (`or_none` $or_none^)?
    (`scatter` `(` $scatter^ `:` type($scatter) `)` `limit` `(` $limit `)`)?
    (`error` `(` $error^ `:` type($error) `)`)?
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

//===----------------------------------------------------------------------===//
// Fragments: the threads of a warp, one SSA value per register
//===----------------------------------------------------------------------===//

def MXFP4_LoadCodesOp : MXFP4_Op<"load_codes"> {
  let summary = "Load a thread's packed codes of a 16 x 64 slice";
  let description = [{
    One 16-byte load: word j holds the eight codes that this thread holds of
    the A fragment of k16 step j, for 16-row slice `slice` of the staged tile.
    The address follows from `BlockLayout` alone. Of a layout with eight words,
    `part 1` loads the last four: words 2j and 2j + 1 of all are the thread's two
    rows in k32 step j.

    Example:

    ```mlir
    %c:4 = mxfp4.load_codes %weights[%slot, %slice]
        : memref<4x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>
    ```
  }];
  let arguments = (ins SharedSource:$weights, Index:$slot, Index:$slice,
                       DefaultValuedAttr<I64Attr, "0">:$part);
  let results = (outs I32:$step0, I32:$step1, I32:$step2, I32:$step3);
  let assemblyFormat = [{
    $weights `[` $slot `,` $slice `]` (`part` $part^)? attr-dict `:` type($weights)
  }];
  let hasVerifier = 1;
}

def MXFP4_LoadScalesOp : MXFP4_Op<"load_scales"> {
  let summary = "Load a thread's four scales of a 16 x 64 slice";
  let description = [{
    One 4-byte load: the stored scales of the thread's two rows for the two
    32-wide slices of K, in the order that `BlockLayout::scaleByte` gives. Of a
    layout with eight scales for a thread, those of one row, for the four slices:
    of the first row, or with `part 1` of the second.

    Example:

    ```mlir
    %s = mxfp4.load_scales %weights[%slot, %slice]
        : memref<4x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>
    ```
  }];
  let arguments = (ins SharedSource:$weights, Index:$slot, Index:$slice,
                       DefaultValuedAttr<I64Attr, "0">:$part);
  let results = (outs I32:$scales);
  let assemblyFormat = [{
    $weights `[` $slot `,` $slice `]` (`part` $part^)? attr-dict `:` type($weights)
  }];
  let hasVerifier = 1;
}

def MXFP4_DecodeOp : MXFP4_Op<"decode", [Pure]> {
  let summary = "Decode eight weights in registers";
  let description = [{
    Turns a word of eight codes and the thread's word of scales into the four
    registers of an A fragment, for k16 step `step` (0 to 3) of the block. The
    result is exact. Which sequence of instructions does it follows from the
    `block` type (`mxfp4/Core/DecodeSequence.h`); `mxfp4-lower-decode` emits it.

    Example:

    ```mlir
    %a:4 = mxfp4.decode %c, %s step 1 : !mxfp4.block<spread, folded>
    ```
  }];
  let arguments = (ins I32:$codes, I32:$scales, I64Attr:$step,
                       TypeAttr:$block);
  let results = (outs BF16Pair:$r0, BF16Pair:$r1, BF16Pair:$r2, BF16Pair:$r3);
  let assemblyFormat = [{
    $codes `,` $scales `step` $step attr-dict `:` $block
  }];
  let hasVerifier = 1;
}

def MXFP4_DecodeRowOp : MXFP4_Op<"decode_row", [Pure]> {
  let summary = "Decode eight weights of one row to e5m2";
  let description = [{
    As `mxfp4.decode`, of a layout whose words are of one row: the two registers
    that the row has in an A fragment of wgmma.m64nNk32, for k32 step `step` (0 to
    3) of the block, from a word of eight codes and the word of the row's four
    scales. Registers r0 and r2 of the fragment are those of the thread's first
    row, r1 and r3 those of the second.

    Example:

    ```mlir
    %a:2 = mxfp4.decode_row %c, %s step 1 : !mxfp4.block<bytes, relative>
    ```
  }];
  let arguments = (ins I32:$codes, I32:$scales, I64Attr:$step,
                       TypeAttr:$block);
  let results = (outs E5M2Quad:$low, E5M2Quad:$high);
  let assemblyFormat = [{
    $codes `,` $scales `step` $step attr-dict `:` $block
  }];
  let hasVerifier = 1;
}

def MXFP4_LoadActivationsOp : MXFP4_Op<"load_activations"> {
  let summary = "Load B fragments of eight tokens for k32";
  let description = [{
    One `ldmatrix.x4`: the B fragments (two registers each) of tokens
    `token .. token+7` for the two k16 steps of k32 slice `slice` (0 or 1) of
    the staged, swizzled tile.

    Example:

    ```mlir
    %b:4 = mxfp4.load_activations %stage[%slot, %token] slice 0
        : memref<4x64x64xbf16, #gpu.address_space<workgroup>>
    ```
  }];
  let arguments = (ins SharedSource:$activations, Index:$slot, Index:$token,
                       I64Attr:$slice);
  let results = (outs BF16Pair:$r0, BF16Pair:$r1, BF16Pair:$r2, BF16Pair:$r3);
  let assemblyFormat = [{
    $activations `[` $slot `,` $token `]` `slice` $slice attr-dict `:`
    type($activations)
  }];
  let hasVerifier = 1;
}

def MXFP4_MmaOp : MXFP4_Op<"mma", [Pure]> {
  let summary = "Multiply two fragments and accumulate";
  let description = [{
    mma.sync.m16n8k16 with bf16 operands and f32 accumulators: 16 weight rows
    times 8 tokens. Who holds which element is `mmaA`, `mmaB` and
    `mmaAccumulator` of `mxfp4/Core/FragmentMap.h`.

    Example:

    ```mlir
    %d = mxfp4.mma a(%a0, %a1, %a2, %a3) b(%b0, %b1) c(%c)
    ```
  }];
  let arguments = (ins BF16Pair:$a0, BF16Pair:$a1, BF16Pair:$a2, BF16Pair:$a3,
                       BF16Pair:$b0, BF16Pair:$b1, AccumulatorFragment:$c);
  let results = (outs AccumulatorFragment:$d);
  let assemblyFormat = [{
    `a` `(` $a0 `,` $a1 `,` $a2 `,` $a3 `)` `b` `(` $b0 `,` $b1 `)`
    `c` `(` $c `)` attr-dict
  }];
  let extraClassDeclaration = [{
    /// What the types of the operands say.
    const ::mxfp4::InstructionTraits &getTraits();
  }];
}

/// A register of A, which the tile's element type implies.
class RegisterOfTile<string name>
    : TypesMatchWith<"register of what the tile holds", "tile", name,
                     "::mxfp4::registerOf($_self)">;

def MXFP4_StoreDecodedOp : MXFP4_Op<"store_decoded",
    [RegisterOfTile<"r0">, RegisterOfTile<"r1">, RegisterOfTile<"r2">,
     RegisterOfTile<"r3">]> {
  let summary = "Store a decoded A fragment to a tile in shared memory";
  let description = [{
    The baseline's half of `placement=shared`: one `stmatrix.x4` of 16-row slice
    `slice`, step `step` of the instruction along K, to `tile`, `T x 64` bf16 or
    `T x 128` f8E5M2 in shared memory with the swizzle of `copy_activations`;
    `buffer` 64-row blocks further on. Registers of both types have the same
    bytes of the fragment's rows, of which `stmatrix` stores 16 for each row.

    Example:

    ```mlir
    mxfp4.store_decoded %a0, %a1, %a2, %a3 to %tile[%slice] step 1
        : memref<64x64xbf16, #gpu.address_space<workgroup>>
    ```
  }];
  let arguments = (ins FragmentRegister:$r0, FragmentRegister:$r1,
                       FragmentRegister:$r2, FragmentRegister:$r3,
                       SharedDestination:$tile, Index:$slice, I64Attr:$step,
                       DefaultValuedAttr<ConfinedAttr<I64Attr,
                           [IntNonNegative]>, "0">:$buffer);
  let assemblyFormat = [{
    $r0 `,` $r1 `,` $r2 `,` $r3 `to` $tile `[` $slice `]` `step` $step
    (`buffer` $buffer^)? attr-dict `:` type($tile)
  }];
  let hasVerifier = 1;
}

def MXFP4_LoadDecodedOp : MXFP4_Op<"load_decoded"> {
  let summary = "Load an A fragment from a bf16 tile in shared memory";
  let description = [{
    The other half of `placement=shared`: one `ldmatrix.x4` that reads what
    `mxfp4.store_decoded` stored.

    Example:

    ```mlir
    %a:4 = mxfp4.load_decoded %tile[%slice] step 1
        : memref<64x64xbf16, #gpu.address_space<workgroup>>
    ```
  }];
  let arguments = (ins SharedSource:$tile, Index:$slice, I64Attr:$step);
  let results = (outs BF16Pair:$r0, BF16Pair:$r1, BF16Pair:$r2, BF16Pair:$r3);
  let assemblyFormat = [{
    $tile `[` $slice `]` `step` $step attr-dict `:` type($tile)
  }];
  let hasVerifier = 1;
}

#endif // MXFP4_IR_MXFP4KERNELOPS
