//===- MXFP4Base.td - Dialect, types and attributes --------*- tablegen -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_IR_MXFP4BASE
#define MXFP4_IR_MXFP4BASE

include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/BuiltinTypeInterfaces.td"
include "mlir/IR/OpBase.td"
include "mlir/Interfaces/DataLayoutInterfaces.td"

def MXFP4_Dialect : Dialect {
  let name = "mxfp4";
  let cppNamespace = "::mxfp4";
  let summary = "Ragged matrix multiplication with MXFP4 weights";
  let description = [{
    Four levels, from the model's operation down to registers:

    1. **Operations on tensors or memrefs** (`MXFP4Ops.td`): `grouped_matmul`;
       the conversions (`MXFP4ConversionOps.td`) `pack`, `unpack`, `quantize`,
       `dequantize`; around the matmul `top_k`, `count_by_expert`,
       `sort_by_expert` (`MXFP4RoutingOps.td`), `dispatch`, `combine` and
       `quantize_rows` (`MXFP4RowOps.td`).
    2. **The structure of a kernel**: the tiles of a persistent CTA (`for_tiles`,
       `MXFP4ProgramOps.td`) and who hands them out (`MXFP4HandOutOps.td`); the
       loop over K (`k_loop`, `MXFP4LoopOps.td`); warp roles (`warp_roles`,
       `role`) and rings through which roles hand stages of shared memory to each
       other (`MXFP4RoleOps.td`); and `bring_rows`, by which a role brings rows
       into order (`MXFP4BringOps.td`).
    3. **Operations on tiles** (`MXFP4TileOps.td`), for all threads of a CTA
       together: `copy_weights`, `copy_activations`, `tile_matmul`, `store_tile`.
    4. **Operations on fragments** (`MXFP4FragmentOps.td`, `MXFP4HopperOps.td`),
       for the threads of a warp: `load_codes`, `load_scales`, `decode`,
       `load_activations`, `mma`, `wgmma`, and for the baseline that decodes into
       shared memory `store_decoded`, `load_decoded`. Here an SSA value is a
       32-bit register.

    A layout of packed weights is an element type, `!mxfp4.block`, so that
    weights packed for one layout cannot reach a kernel that reads another.

    Kernels of other stacks may stand in the same module. A `gpu.module` that
    carries the unit attribute `mxfp4.kernels` is in the hands of our pipeline;
    one that carries `mxfp4.compiled`, or a `gpu.binary` that does, is what the
    pipeline has made and is finished with. The pipeline leaves every other
    `gpu.module` as it is.
  }];
  let dependentDialects = ["::mlir::gpu::GPUDialect"];
  let useDefaultTypePrinterParser = 1;
  let useDefaultAttributePrinterParser = 1;
  let hasOperationAttrVerify = 1;
  let hasRegionArgAttrVerify = 1;
  let extraClassDeclaration = [{
    /// Of the argument of a kernel: what it is to whoever launches the kernel.
    static ::llvm::StringRef getArgAttrName() { return "mxfp4.arg"; }
    /// Of an operation: the chip that what it holds is for.
    static ::llvm::StringRef getTargetAttrName() { return "mxfp4.target"; }
    /// Marks a gpu.module whose kernels the passes of this dialect are lowering.
    static constexpr ::llvm::StringLiteral kKernelsAttr = "mxfp4.kernels";
    /// Marks what they have made: a gpu.module in the NVVM dialect, or a
    /// gpu.binary.
    static constexpr ::llvm::StringLiteral kCompiledAttr = "mxfp4.compiled";

  private:
    void addBytecodeInterface();
  }];
}

//===----------------------------------------------------------------------===//
// Types
//===----------------------------------------------------------------------===//

def MXFP4_Block : TypeDef<MXFP4_Dialect, "Block", [
    MemRefElementTypeInterface,
    DeclareTypeInterfaceMethods<DataLayoutTypeInterface>
  ]> {
  let mnemonic = "block";
  let summary = "A 64 x 64 block of packed weights in a fragment-major layout";
  let description = [{
    2176 bytes: 4096 codes and 128 scales, in the order in which tensor-core
    fragments want them. The weights of E experts of shape N x K are a
    `tensor<E x ceil(N/64) x ceil(K/64) x !mxfp4.block<...>>`.

    `order` says how a word holds its eight codes: `spread` (fast to decode) or
    `nibble` (four bits after four bits). `scales` says how scale bytes are
    stored: `raw` (E8M0) or `folded`, which is packed weights' proof that no
    scale is above 2^1 and none is NaN, and lets the kernel decode with one
    multiply. The layout is defined in `mxfp4/Core/WeightLayout.h`.

    `bytes` with `relative`, and only together, is the layout for activations of
    8 bits: blocks of 64 x 128 weights, 4096 bytes of codes and 256 of scales,
    `E x ceil(N/64) x ceil(K/128)` of them. Scales are stored as b - 114 and are
    2^-13 to 2^13, with which codes are exact numbers of e5m2. Whoever packs takes
    a power of two out of the scales of each row (`takeRowPowers`), which is an
    operand of the epilogue then, and proves that they fit.

    `columns` says what columns of the output the rows are, where they are the
    gate and the up of a gated activation: `interleaved` (row 2n is gate n, row
    2n + 1 up n) or `apart` (row n is gate n, row N/2 + n up n). Whoever packs
    says it; bytes and kernels do not depend on it. An epilogue on pairs takes
    neighbours for gate and up, and so does not verify with `apart`. A matmul
    without such an epilogue has its columns in the order of the rows, whichever
    that is. `plain`, which is left out in print, says nothing: pairs of its
    columns are pairs because the epilogue says so.

    Examples: `memref<32x90x45x!mxfp4.block<spread, folded>>`,
    `!mxfp4.block<spread, folded, interleaved>`.
  }];
  let parameters = (ins
    "::mxfp4::CodeOrder":$order,
    "::mxfp4::ScaleEncoding":$scales,
    DefaultValuedParameter<"::mxfp4::ColumnOrder",
                           "::mxfp4::ColumnOrder::Plain">:$columns
  );
  let builders = [TypeBuilder<(ins "const ::mxfp4::BlockLayout &":$layout), [{
    return $_get($_ctxt, layout.order, layout.scales, layout.columns);
  }]>];
  let assemblyFormat = "`<` $order `,` $scales (`,` $columns^)? `>`";
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    /// The layout that the type names.
    ::mxfp4::BlockLayout getLayout() const {
      return ::mxfp4::BlockLayout::of(getOrder(), getScales(), getColumns());
    }
  }];
}

def MXFP4_TensorMap : TypeDef<MXFP4_Dialect, "TensorMap"> {
  let mnemonic = "tensor_map";
  let summary = "TMA's descriptions of activations";
  let description = [{
    Descriptions of `R x K` bf16 or f8E4M3FN for boxes of `step`, `2*step`, ...,
    `rows` rows by 128 bytes: 128 opaque bytes each, one behind the other, passed to a
    kernel by value. Without a step there is one. Made by
    `mxfp4.make_tensor_map`.

    Examples: `!mxfp4.tensor_map<64>`, `!mxfp4.tensor_map<256 by 32>`.
  }];
  let parameters = (ins "int64_t":$rows,
                        DefaultValuedParameter<"int64_t", "0">:$step);
  let assemblyFormat = "`<` $rows (`by` $step^)? `>`";
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    static constexpr int64_t kBytes = 128;
    /// What the height of a box is a multiple of.
    int64_t getBoxStep() const { return getStep() ? getStep() : getRows(); }
    /// Number of descriptions.
    int64_t getCount() const { return getRows() / getBoxStep(); }
    /// Whether a box has this number of rows.
    bool fits(int64_t rows) const {
      return rows >= 1 && rows <= getRows() && rows % getBoxStep() == 0;
    }
  }];
}

def MXFP4_Ring : TypeDef<MXFP4_Dialect, "Ring"> {
  let mnemonic = "ring";
  let summary = "Slots of shared memory that warp roles hand to each other";
  let description = [{
    A ring of `slots` slots with two barriers each: `full`, which completes a
    phase when a slot has been filled, and `empty`, which completes one when all
    readers have released the slot. A role that fills the ring and the roles that
    read it each go round it with a cursor of their own (`!mxfp4.cursor`).

    TMA fills the slots, or with `fenced` threads do (`cp.async`), whose writes
    wgmma does not see without a fence: readers put a fence behind each wait.

    Examples: `!mxfp4.ring<12>`, `!mxfp4.ring<9 fenced>`.
  }];
  let parameters = (ins "int64_t":$slots,
                        DefaultValuedParameter<"bool", "false">:$fenced);
  let builders = [TypeBuilder<(ins "int64_t":$slots), [{
    return $_get($_ctxt, slots, false);
  }]>];
  let assemblyFormat = "`<` custom<RingSlots>($slots, $fenced) `>`";
  let genVerifyDecl = 1;
}

def MXFP4_Cursor : TypeDef<MXFP4_Dialect, "Cursor"> {
  let mnemonic = "cursor";
  let summary = "Where a role is in a ring";
  let description = [{
    A slot of a ring and the parity of the phase in which the role meets the slot.
    With `by S` the role belongs to one of S K slices: slice s visits the slots
    s, s + S, s + 2 S, ..., so that the slices share the ring evenly.

    Examples: `!mxfp4.cursor<12>`, `!mxfp4.cursor<12 by 3>`.
  }];
  let parameters = (ins "int64_t":$slots,
                        DefaultValuedParameter<"int64_t", "1">:$step);
  let assemblyFormat = "`<` $slots (`by` $step^)? `>`";
  let genVerifyDecl = 1;
}

//===----------------------------------------------------------------------===//
// Attributes
//===----------------------------------------------------------------------===//

def MXFP4_Schedule : AttrDef<MXFP4_Dialect, "Schedule"> {
  let mnemonic = "schedule";
  let summary = "How one grouped matmul is laid out on the machine";
  let description = [{
    Every decision that passes follow, as a field; none follows from another.
    `mxfp4-choose-schedule` attaches a schedule; a user may attach another, and
    the verifier checks it. The first eight fields are always written, the
    others are left out where they have their default.

    - `instruction`: `mma_sync`, `wgmma`, or for activations of 8 bits
      `wgmma_fp8`.
    - `rows`, `tokens`: the tile of the output that a CTA computes; `rows` are
      rows of the weights, which are columns of the output.
    - `warps_rows`, `warps_tokens`: the warps along each.
    - `stages`: steps in shared memory, of 64 along K, or 128 for `wgmma_fp8`. All
      fields that count steps count these.
    - `placement`: where weights are decoded, `register` or `shared`.
    - `ctas`: CTAs per SM.
    - `token_step` (0): a tile with fewer tokens computes the next multiple of
      this number; 0: all tokens of the tile.
    - `k_slices` (1): sets of warps that share the k64 steps.
    - `copy_warps` (0): warps that only copy; wgmma has at least one.
    - `producer_registers` (0): registers per thread of the producer warps, of
      which the consumers take the rest; 0: all threads have the same number.
    - `overlap_decode` (false): a warpgroup decodes its next fragment while it
      multiplies.
    - `version_loops` (false): tiles of one token step have a loop over K of
      their own. Without `overlap_decode`, loops of K slices are unrolled by the
      stages of a slice, so that all addresses are known ahead of them.
    - `evict_first` (false): weights leave the L2 cache first.
    - `full_tiles_first` (false): tiles of groups with more rows than half a
      tile come first.
    - `sum_steps` (0): k64 steps that the first K slice has fewer than each
      other one, because it adds the sums of all slices.
    - `side_by_side` (false): the kernel also has a program of tiles as tall as
      all K slices together, and runs that program where its waves take no more
      time.
    - `wide_from` (0): groups with at least this number of rows have tiles of half as
      many `rows` and twice as many `tokens`, in a program of their own that runs
      first; 0: all groups have tiles of one kind.
    - `wide_stages` (0): stages of that program, at least three for each K slice;
      0 without `wide_from`.
    - `short_to` (0): groups with at most this number of rows are short. Where a launch
      has many, one of its three warpgroups multiplies short groups, and the two others
      the rest, in tiles of two thirds as many `rows`; 0: all groups have tiles of one
      kind. Where short groups are few, groups with half as many rows more are short,
      too, in two tiles; with 32 to 256 groups, and without `bring_bytes`.
    - `beside_tokens` (0): `tokens` of the tiles of those two; 0 without `short_to`.
    - `short_stages`, `beside_stages` (0): stages of short groups' tiles and of the
      others'; 0 without `short_to`.
    - `gather_rows` (8 in tiles of up to 32 tokens, 16 of up to 64, else all):
      rows that a branch of a gather skips, at least.
    - `store_columns` (2; 4 where a warp has more than 64 tokens): columns of 8
      tokens that a thread stores between two branches. A thread that looks up
      rows and masks columns stores at most two.
    - `bring_bytes` (0): shared memory, of one or two rows of activations, through
      which one more warp brings the rows of a gather into order, or with
      `short_to` the warp that hands out short groups' tiles; only where there
      is memory to gather through. 0: none does.
    - `copies_ahead` (false): offsets are read, and weights of the first stages are
      copied, before the kernel ahead has ended. By hand it is a promise, as
      `older_inputs` of `mxfp4.grouped_matmul` is.
    - `half_tiles` (false): the last tiles of a launch, which fill a wave of CTAs at
      most half, and tiles whose other half has no columns, are halves of tiles.
    - `prefetch_first` (false): weights of the first steps of a CTA's first tile, if
      offsets that the kernel ahead may still write are right, are fetched into L2
      before that kernel has ended.

    A text means the same kernel in every release. Text from before
    `copy_warps` names none of the fields from `copy_warps` on, and for wgmma
    means what was inferred then (`upgradeSchedule` in
    `mxfp4/Core/ScheduleText.h`): it is read, and printed in full. A wgmma
    schedule that names some of them and not `copy_warps` is refused.

    Example: `#mxfp4.schedule<instruction = mma_sync, rows = 64, tokens = 64,
    warps_rows = 1, warps_tokens = 1, stages = 4, placement = register,
    ctas = 1>`.
  }];
  let parameters = (ins
    AttrParameter<"::mxfp4::Schedule", "the plain struct that Core works with">
      :$value
  );
  let hasCustomAssemblyFormat = 1;
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    ::mxfp4::Schedule toSchedule() const { return getValue(); }
    ::mxfp4::Instruction getInstruction() const {
      return getValue().instruction;
    }
    ::mxfp4::Placement getPlacement() const { return getValue().placement; }
  }];
}

def MXFP4_Accumulation : AttrDef<MXFP4_Dialect, "Accumulation"> {
  let mnemonic = "accumulation";
  let summary = "How exact sums of 8-bit products are";
  let description = [{
    The tensor cores of Hopper keep 13 bits of fraction of a sum of 8-bit products:
    each instruction, over 32 of K, cuts the products and the sum so far toward
    zero. `fast` adds all of K in this way. `promoted I` starts a new sum after
    every I of K, 128 or 512, and adds these sums in f32.

    The loss depends on the data (docs/Numerics.md has a table). If products have
    both signs, cuts cancel as the products do: 0.05 to 0.13 % (RMS) with `fast`
    for K of 2880 to 7168, which is less than rounding to bf16 loses, and at most
    0.03 % with `promoted 512`. If products have one sign, `fast` shrinks sums by 3
    to 10 %, growing with K; `promoted 512` shrinks them by 0.2 % for any K.

    Sums of bf16 products are f32, and take no such attribute. The program chooses
    the accumulation, and no pass changes it.

    Examples: `#mxfp4.accumulation<fast>`, `#mxfp4.accumulation<promoted 512>`.
  }];
  let parameters = (ins AttrParameter<"int64_t", "0 for fast">:$interval);
  let assemblyFormat = "`<` custom<Interval>($interval) `>`";
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    /// What sums of 8-bit products have where nothing is said.
    static constexpr int64_t kDefaultInterval = 512;
  }];
}

def MXFP4_Target : AttrDef<MXFP4_Dialect, "Target"> {
  let mnemonic = "target";
  let summary = "The chip that code is for, and the device it is scheduled for";
  let description = [{
    The attribute `mxfp4.target` of a module, a function or a `gpu.module` names
    the chip for everything inside. Verifiers and passes ask for the chip's
    registers, shared memory and SMs (`mxfp4/Core/Target.h`). The `target` of a
    `mxfp4.grouped_matmul` is its own; `mxfp4-choose-schedule` sets it together
    with the schedule, which it chose for that chip, and `mxfp4-tile` hands it on
    to the `gpu.module`. Code that names no chip is for sm_90a.

    Code runs on any GPU of its chip, and its schedule is tuned for its device. A
    device is a name (`h100-sxm`, the default, `h100-pcie`, `h100-nvl`, `h200`,
    `gh200`, `gh200-144gb`, `h20`), a list of facts, or a name followed by the facts
    that differ: `multiprocessors` (SMs), `clock` (MHz), `tensor-ops` (bf16
    operations per SM and clock), `bandwidth` (GB/s), `l2` (MiB), `power` (W).

    Examples: `module attributes {mxfp4.target = #mxfp4.target<"sm_90a">}`,
    `#mxfp4.target<"sm_90a", device = "h200">`,
    `#mxfp4.target<"sm_90a", device = "h200,multiprocessors=66">`.
  }];
  let parameters = (ins
    StringRefParameter<"what ptxas calls it">:$chip,
    DefaultValuedParameter<"::mxfp4::Device", "::mxfp4::Device()">:$device
  );
  let builders = [AttrBuilder<(ins "::llvm::StringRef":$chip), [{
    return $_get($_ctxt, chip, ::mxfp4::Device());
  }]>];
  let assemblyFormat = [{
    `<` $chip (`,` `device` `=` custom<Device>($device)^)? `>`
  }];
  let genVerifyDecl = 1;
}

def MXFP4_Arg : AttrDef<MXFP4_Dialect, "Arg"> {
  let mnemonic = "arg";
  let summary = "What an argument of a kernel is to whoever launches it";
  let description = [{
    The attribute `mxfp4.arg` of the arguments of a `gpu.func` is the kernel's
    signature: `name`, who provides the value (the caller, unless it says `by
    launcher`), the least alignment of a pointer in bytes, and whether the
    pointer may be null. Data type and shape are those of the argument's type:
    a contiguous memref whose only dynamic size is the first, the number of
    rows. A tensor map names the memref that it `maps`; an integer needs nothing
    more.

    `mxfp4-tile` attaches it, for each operand of `mxfp4.grouped_matmul`
    (`kernelSignature` in `mxfp4/IR/KernelSignature.h`); passes find an argument
    by its name; the manifest of an artifact is written from it. Names are
    different within a kernel.

    Examples: `#mxfp4.arg<expert_ids align 4>`, `#mxfp4.arg<rows by launcher>`,
    `#mxfp4.arg<x align 16 maps memref<?x2880xbf16>>`.
  }];
  let parameters = (ins
    StringRefParameter<"what the launcher calls it">:$name,
    DefaultValuedParameter<"::mxfp4::Provider",
                           "::mxfp4::Provider::Caller">:$provider,
    DefaultValuedParameter<"int64_t", "1">:$align,
    OptionalParameter<"::mlir::MemRefType">:$maps,
    DefaultValuedParameter<"bool", "false">:$nullable
  );
  let assemblyFormat = [{
    `<` custom<ArgName>($name, $nullable) (`by` $provider^)?
        (`align` $align^)? (`maps` $maps^)? `>`
  }];
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    /// The same, of a tensor map of this memref.
    ArgAttr mapping(::mlir::MemRefType buffer) const {
      return get(getContext(), getName(), getProvider(), getAlign(), buffer,
                 getNullable());
    }
  }];
}

#endif // MXFP4_IR_MXFP4BASE
