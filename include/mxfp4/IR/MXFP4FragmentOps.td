//===- MXFP4FragmentOps.td - Operations on fragments -------*- tablegen -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Fragments are a warp's parts of a tile, one SSA value per register of a
// thread: packed words, decoded weights, activations, accumulators.
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_IR_MXFP4FRAGMENTOPS
#define MXFP4_IR_MXFP4FRAGMENTOPS

include "mxfp4/IR/MXFP4TileOps.td"

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

#endif // MXFP4_IR_MXFP4FRAGMENTOPS
