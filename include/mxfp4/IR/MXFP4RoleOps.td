//===- MXFP4RoleOps.td - Warp roles and rings --------------*- tablegen -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Roles divide a kernel among its warps, and hand stages of shared memory to
// each other through rings. `mxfp4-specialize-warps` builds them, and
// `mxfp4-lower-program` turns them into branches and barriers.
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_IR_MXFP4ROLEOPS
#define MXFP4_IR_MXFP4ROLEOPS

include "mxfp4/IR/MXFP4HandOutOps.td"
include "mxfp4/IR/MXFP4LoopOps.td"

//===----------------------------------------------------------------------===//
// Warp roles
//===----------------------------------------------------------------------===//

def MXFP4_WarpRolesOp : MXFP4_Op<"warp_roles", [
    RecursiveMemoryEffects, NoTerminator, SingleBlock, NoRegionArguments,
    HasOnlyGraphRegion]> {
  let summary = "Each warp of a CTA plays one role";
  let description = [{
    The roles run at the same time, on the warps of the CTA in the order of the
    roles: the first has the warps from 0 on. They meet through rings.

    Example:

    ```mlir
    mxfp4.warp_roles {
      mxfp4.role "multiply" warps 12 registers 232 { ... }
      mxfp4.role "copy" warps 3 registers 40 one_thread { ... }
      mxfp4.role "schedule" warps 1 one_thread { ... }
    }
    ```
  }];
  let regions = (region SizedRegion<1>:$roles);
  let assemblyFormat = "$roles attr-dict";
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    ::llvm::SmallVector<RoleOp> getOrderedRoles();
    /// Warps of all roles.
    int64_t countWarps();
  }];
}

def MXFP4_RoleOp : MXFP4_Op<"role", [
    RecursiveMemoryEffects, HasParent<"WarpRolesOp">,
    SingleBlockImplicitTerminator<"YieldOp">,
    DeclareOpInterfaceMethods<OpAsmOpInterface,
                              ["getAsmBlockArgumentNames"]>]> {
  let summary = "What some warps of a CTA do";
  let description = [{
    The argument of the body is the number of the warp within the role. With
    `one_thread` one elected thread of each warp runs the body, otherwise all
    threads do. `registers` is the number of registers per thread of the role.
    The warps of a warpgroup have equal numbers: a role that names none has that
    of the role in front of it. The first role, and those right behind it that have as
    many, take over registers that the others give up. The name is for readers.
  }];
  let arguments = (ins StrAttr:$name, I64Attr:$warps,
                       OptionalAttr<I64Attr>:$registers, UnitAttr:$one_thread);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{
    $name `warps` $warps (`registers` $registers^)? (`one_thread` $one_thread^)?
    attr-dict-with-keyword $body
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    ::mlir::Value getWarp() { return getBody().getArgument(0); }
  }];
}

//===----------------------------------------------------------------------===//
// Rings
//===----------------------------------------------------------------------===//

def MXFP4_CreateRingOp : MXFP4_Op<"create_ring",
    [AllTypesMatch<["full", "empty"]>]> {
  let summary = "Set up a ring";
  let description = [{
    For all threads of a CTA, whose warps share the work: sets up the barriers of
    a ring. A slot is full after `fills` arrivals and the bytes that these
    announce, and empty again after `releases` arrivals. Roles may use the ring
    after `nvvm.fence.mbarrier.init` and a barrier of the CTA.

    Example:

    ```mlir
    %ring = mxfp4.create_ring full(%full) empty(%empty) fills 1 releases 12
        : memref<6xi64, #gpu.address_space<workgroup>> -> !mxfp4.ring<6>
    ```
  }];
  let arguments = (ins Barriers:$full, Barriers:$empty, I64Attr:$fills,
                       I64Attr:$releases);
  let results = (outs MXFP4_Ring:$ring);
  let assemblyFormat = [{
    `full` `(` $full `)` `empty` `(` $empty `)` `fills` $fills
    `releases` $releases attr-dict `:` type($full) `->` type($ring)
  }];
  let hasVerifier = 1;
}

def MXFP4_RingStartOp : MXFP4_Op<"ring_start", [Pure]> {
  let summary = "A cursor at the first slot of a role";
  let description = [{
    Slot 0, or of several K slices the slot of the role's slice, in the first
    phase.

    Examples:

    ```mlir
    %c = mxfp4.ring_start : !mxfp4.cursor<12>
    %d = mxfp4.ring_start slice(%s) : !mxfp4.cursor<12 by 3>
    ```
  }];
  let arguments = (ins Optional<Index>:$slice);
  let results = (outs MXFP4_Cursor:$cursor);
  let assemblyFormat = [{
    (`slice` `(` $slice^ `)`)? attr-dict `:` type($cursor)
  }];
  let hasVerifier = 1;
}

def MXFP4_RingNextOp : MXFP4_Op<"ring_next",
    [Pure, AllTypesMatch<["cursor", "next"]>]> {
  let summary = "A cursor one step on";
  let description = [{
    The role's next slot; behind its last slot, its first one with the other
    parity.

    Example:

    ```mlir
    %d = mxfp4.ring_next %c slice(%s) : !mxfp4.cursor<12 by 3>
    ```
  }];
  let arguments = (ins MXFP4_Cursor:$cursor, Optional<Index>:$slice);
  let results = (outs MXFP4_Cursor:$next);
  let assemblyFormat = [{
    $cursor (`slice` `(` $slice^ `)`)? attr-dict `:` type($cursor)
  }];
  let hasVerifier = 1;
}

def MXFP4_RingSkipOp : MXFP4_Op<"ring_skip",
    [Pure, AllTypesMatch<["cursor", "behind"]>]> {
  let summary = "A cursor several steps on";
  let description = [{
    The cursor after `steps` times `mxfp4.ring_next`, or `steps` + `plus` times,
    computed at once.

    Example:

    ```mlir
    %d = mxfp4.ring_skip %c steps 15 : !mxfp4.cursor<12 by 3>
    ```
  }];
  let arguments = (ins MXFP4_Cursor:$cursor,
                       ConfinedAttr<I64Attr, [IntNonNegative]>:$steps,
                       Optional<Index>:$more);
  let results = (outs MXFP4_Cursor:$behind);
  let assemblyFormat =
      "$cursor `steps` $steps (`plus` $more^)? attr-dict `:` type($cursor)";
}

def MXFP4_RingSlotOp : MXFP4_Op<"ring_slot", [Pure]> {
  let summary = "The number of the slot at a cursor";
  let description = [{
    Example:

    ```mlir
    %slot = mxfp4.ring_slot %c : !mxfp4.cursor<12>
    ```
  }];
  let arguments = (ins MXFP4_Cursor:$cursor);
  let results = (outs Index:$slot);
  let assemblyFormat = "$cursor attr-dict `:` type($cursor)";
}

class MXFP4_RingAccessOp<string mnemonic> : MXFP4_Op<mnemonic, [
    MemoryEffects<[MemRead, MemWrite]>]> {
  let hasVerifier = 1;
}

def MXFP4_RingAcquireOp : MXFP4_RingAccessOp<"ring_acquire"> {
  let summary = "Wait until a slot is empty";
  let description = [{
    For a role that fills: waits until all readers have released the slot of the
    phase before. In the first phase all slots are empty, and nothing waits.

    Example:

    ```mlir
    mxfp4.ring_acquire %ring[%c] : !mxfp4.ring<12>, !mxfp4.cursor<12>
    ```
  }];
  let arguments = (ins MXFP4_Ring:$ring, MXFP4_Cursor:$cursor);
  let assemblyFormat = [{
    $ring `[` $cursor `]` attr-dict `:` type($ring) `,` type($cursor)
  }];
}

def MXFP4_RingFillOp : MXFP4_RingAccessOp<"ring_fill"> {
  let summary = "Announce the bytes that fill a slot";
  let description = [{
    An arrival of one thread: the slot is full when `bytes` (i32, less than 2^20)
    have been copied into it.

    Example:

    ```mlir
    mxfp4.ring_fill %ring[%c] bytes(%n) : !mxfp4.ring<12>, !mxfp4.cursor<12>
    ```
  }];
  let arguments = (ins MXFP4_Ring:$ring, MXFP4_Cursor:$cursor, I32:$bytes);
  let assemblyFormat = [{
    $ring `[` $cursor `]` `bytes` `(` $bytes `)` attr-dict
    `:` type($ring) `,` type($cursor)
  }];
}

def MXFP4_RingWaitOp : MXFP4_RingAccessOp<"ring_wait"> {
  let summary = "Wait until a slot is full";
  let description = [{
    Example:

    ```mlir
    mxfp4.ring_wait %ring[%c] : !mxfp4.ring<12>, !mxfp4.cursor<12>
    ```
  }];
  let arguments = (ins MXFP4_Ring:$ring, MXFP4_Cursor:$cursor);
  let assemblyFormat = [{
    $ring `[` $cursor `]` attr-dict `:` type($ring) `,` type($cursor)
  }];
}

def MXFP4_RingReleaseOp : MXFP4_RingAccessOp<"ring_release"> {
  let summary = "Give a slot back";
  let description = [{
    One arrival for each warp, behind a barrier of the warp: all that the warp
    has done with the slot is done. With `one_thread`, an arrival of the one
    thread that runs the operation.

    Example:

    ```mlir
    mxfp4.ring_release %ring[%c] : !mxfp4.ring<12>, !mxfp4.cursor<12>
    ```
  }];
  let arguments = (ins MXFP4_Ring:$ring, MXFP4_Cursor:$cursor,
                       UnitAttr:$one_thread);
  let assemblyFormat = [{
    $ring `[` $cursor `]` (`one_thread` $one_thread^)? attr-dict
    `:` type($ring) `,` type($cursor)
  }];
}

#endif // MXFP4_IR_MXFP4ROLEOPS
