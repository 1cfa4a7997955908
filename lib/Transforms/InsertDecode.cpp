//===- InsertDecode.cpp - Decode weights fragment by fragment -------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KernelBuilding.h"
#include "KernelRemarks.h"
#include "TileFragments.h"

#include "mxfp4/Core/FragmentMap.h"
#include "mxfp4/Core/Resources.h"
#include "mxfp4/IR/MXFP4.h"
#include "mxfp4/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mxfp4 {
#define GEN_PASS_DEF_INSERTDECODE
#include "mxfp4/Transforms/Passes.h.inc"
} // namespace mxfp4

using namespace mlir;
using namespace mxfp4;

namespace {

/// Where decoded weights are in shared memory: the buffer, and the first slice
/// and first block that this thread's warps have in it. Null with
/// placement=register, where fragments stay in registers.
struct DecodedWeights {
  Value tile, slice, block;
};

} // namespace

static Value add(ImplicitLocOpBuilder &b, Value base, int64_t offset) {
  return arith::AddIOp::create(b, base, indexConstant(b, offset));
}

//===----------------------------------------------------------------------===//
// Instructions of a warp
//===----------------------------------------------------------------------===//

/// All warps of the CTA share the work of decoding the tile, because each warp
/// multiplies with parts that other warps have decoded.
static Value decodeTileToShared(ImplicitLocOpBuilder &b,
                                const TileFragments &of, Value warp) {
  const Schedule &schedule = of.schedule;
  const InstructionTraits &traits = of.traits();
  TileMatmulOp op = of.op;
  auto kernel = op->getParentOfType<gpu::GPUFuncOp>();
  Value tile = kernel.addWorkgroupAttribution(
      sharedType({schedule.tileRows, traits.tileK()},
                 typeOf(b.getContext(), traits.typeOfA)),
      b.getLoc());

  // No barrier is needed in front of these stores: the barrier before
  // tile_matmul comes after the last reads of the decoded tile.
  const int warps = schedule.threads() / kWarpThreads;
  const int all = schedule.tileRows / traits.sliceRows();
  for (int first = 0; first < all; first += warps) {
    Value slice = add(b, warp, first);
    Value exists = arith::CmpIOp::create(b, arith::CmpIPredicate::ult, slice,
                                         indexConstant(b, all));
    auto guard = scf::IfOp::create(b, exists);
    OpBuilder::InsertionGuard restore(b);
    b.setInsertionPointToStart(guard.thenBlock());
    const PackedSlice packed = of.load(b, op.getSlot(), slice);
    for (int64_t step = 0; step < of.steps; ++step)
      TileFragments::store(b, of.decode(b, packed, step), tile, slice, step);
  }
  gpu::BarrierOp::create(b);
  return tile;
}

/// Multiplies one k32 slice at a time. The few A fragments of a slice are
/// loaded first, because they meet every token. A B fragment is loaded just
/// before its multiplications, so that only one is in registers.
static void multiply(ImplicitLocOpBuilder &b, const TileFragments &of,
                     Value firstToken,
                     function_ref<SmallVector<Value>(int, int)> fragmentOf) {
  TileMatmulOp op = of.op;
  const int64_t slices = of.slices, columns = of.columns;
  SmallVector<Value> parts;
  for (int64_t i = 0; i < slices; ++i)
    for (int64_t j = 0; j < columns; ++j)
      parts.push_back(vector::ExtractOp::create(b, op.getAccumulator(),
                                                ArrayRef<int64_t>{i, j}));
  for (int half = 0; half < 2; ++half) {
    SmallVector<SmallVector<Value>> fragments;
    for (int step = 2 * half; step < 2 * half + 2; ++step)
      for (int i = 0; i < slices; ++i)
        fragments.emplace_back(fragmentOf(i, step));
    for (int64_t j = 0; j < columns; ++j) {
      auto tokens = LoadActivationsOp::create(
          b, op.getActivations(), op.getSlot(),
          add(b, firstToken, of.traits().nStep * j), half);
      for (int step = 0; step < 2; ++step)
        for (int64_t i = 0; i < slices; ++i) {
          ArrayRef<Value> a = fragments[step * slices + i];
          Value &part = parts[i * columns + j];
          part = MmaOp::create(b, a[0], a[1], a[2], a[3],
                               tokens.getResult(2 * step),
                               tokens.getResult(2 * step + 1), part);
        }
    }
  }
  Value result = op.getAccumulator();
  for (int64_t i = 0; i < slices; ++i)
    for (int64_t j = 0; j < columns; ++j)
      result = vector::InsertOp::create(b, parts[i * columns + j], result,
                                        ArrayRef<int64_t>{i, j});
  op.replaceAllUsesWith(result);
  op.erase();
}

/// One operation for each fragment and eight tokens of a warp.
static void multiplyByWarps(const TileFragments &of, Placement placement) {
  TileMatmulOp op = of.op;
  ImplicitLocOpBuilder b(op.getLoc(), op);
  const WarpPosition at = of.locateWarp(b);
  if (placement == Placement::Shared) {
    Value tile = decodeTileToShared(b, of, at.warp);
    multiply(b, of, at.firstToken, [&](int slice, int step) {
      return SmallVector<Value>(
          LoadDecodedOp::create(b, tile, add(b, at.firstSlice, slice), step)
              .getResults());
    });
    return;
  }
  SmallVector<PackedSlice> packed;
  for (int i = 0; i < of.slices; ++i)
    packed.push_back(of.load(b, op.getSlot(), add(b, at.firstSlice, i)));
  multiply(b, of, at.firstToken, [&](int slice, int step) {
    return of.decode(b, packed[slice], step);
  });
}

//===----------------------------------------------------------------------===//
// Instructions of a warpgroup
//===----------------------------------------------------------------------===//

/// The warps that execute an instruction together have two adjacent buffers of
/// one block each.
static DecodedWeights locateDecodedBlocks(ImplicitLocOpBuilder &b,
                                          const TileFragments &of, Value warp) {
  const InstructionTraits &traits = of.traits();
  const SharedRegion decoded = SharedMemoryMap(of.schedule, of.layout).decoded;
  Value tile =
      sharedBuffer(b, {decoded.bytes / kRowBytes, traits.tileK()},
                   typeOf(b.getContext(), traits.typeOfA), decoded.offset);
  const int64_t together = traits.warps;
  Value group = arith::DivUIOp::create(b, warp, indexConstant(b, together));
  Value block = arith::MulIOp::create(b, group, indexConstant(b, 2));
  Value slice = arith::AddIOp::create(
      b, arith::MulIOp::create(b, group, indexConstant(b, 2 * together)),
      arith::RemUIOp::create(b, warp, indexConstant(b, together)));
  return {tile, slice, block};
}

/// Begins a region of a block_matmul with arguments of these types.
static Block::BlockArgListType beginRegion(ImplicitLocOpBuilder &b,
                                           Region &region, TypeRange types) {
  Block &block = region.emplaceBlock();
  block.addArguments(types, SmallVector<Location>(types.size(), b.getLoc()));
  b.setInsertionPointToStart(&block);
  return block.getArguments();
}

/// What a thread loads of a block: its words of codes, and of scales.
static void buildFetch(ImplicitLocOpBuilder &b, const TileFragments &of,
                       BlockMatmulOp matmul, Value firstSlice) {
  auto arguments =
      beginRegion(b, matmul.getFetch(), {b.getIndexType(), b.getIndexType()});
  Value slice = arith::AddIOp::create(
      b, firstSlice,
      arith::MulIOp::create(b, arguments[1],
                            indexConstant(b, of.schedule.sliceStride())));
  const PackedSlice packed = of.load(b, arguments[0], slice);
  // In the order in which the decode region reads them.
  SmallVector<Value> words(packed.codes);
  words.insert(words.begin() + 1, packed.scales.begin(), packed.scales.end());
  YieldOp::create(b, words);
}

/// Fragments in registers, or a block in shared memory that wgmma may read.
static SmallVector<Type> buildDecode(ImplicitLocOpBuilder &b,
                                     const TileFragments &of,
                                     BlockMatmulOp matmul,
                                     const DecodedWeights &decoded) {
  const int scales = std::max(1, of.layout.quadScaleBytes() / 4);
  SmallVector<Type> words(of.layout.words() + scales, b.getI32Type());
  auto arguments = beginRegion(b, matmul.getDecode(), words);
  PackedSlice packed = {SmallVector<Value>(arguments), {}};
  packed.scales.assign(arguments.begin() + 1, arguments.begin() + 1 + scales);
  packed.codes.erase(packed.codes.begin() + 1,
                     packed.codes.begin() + 1 + scales);
  SmallVector<Value> fragments;
  for (int64_t step = 0; step < of.steps; ++step) {
    const SmallVector<Value> fragment = of.decode(b, packed, step);
    if (!decoded.tile)
      llvm::append_range(fragments, fragment);
    else
      TileFragments::store(b, fragment, decoded.tile, decoded.slice, step);
  }
  if (decoded.tile)
    SyncWarpgroupOp::create(b);
  YieldOp::create(b, fragments);
  return SmallVector<Type>(ValueRange(fragments).getTypes());
}

static void buildMultiply(ImplicitLocOpBuilder &b, const TileFragments &of,
                          BlockMatmulOp matmul, TypeRange fragments,
                          const DecodedWeights &decoded) {
  TileMatmulOp op = of.op;
  const Type sums = VectorType::get({of.columns, 4}, b.getF32Type());
  SmallVector<Type> types = {b.getIndexType(), sums};
  llvm::append_range(types, fragments);
  auto arguments = beginRegion(b, matmul.getMultiply(), types);
  Value result = WgmmaOp::create(
      b, sums, arguments[1], ValueRange(arguments.drop_front(2)), decoded.tile,
      decoded.block, /*buffer=*/0, op.getActivations(), arguments[0],
      /*first_step=*/0, of.columns, op.getTokens(),
      b.getI64IntegerAttr(of.schedule.heightStep()),
      /*accumulate=*/Value());
  YieldOp::create(b, result);
}

/// One operation for the blocks of 64 rows of a warpgroup.
static void multiplyByWarpgroups(const TileFragments &of, Placement placement) {
  TileMatmulOp op = of.op;
  ImplicitLocOpBuilder b(op.getLoc(), op);
  const WarpPosition at = of.locateWarp(b);
  DecodedWeights decoded;
  if (placement == Placement::Shared)
    decoded = locateDecodedBlocks(b, of, at.warp);
  auto matmul = BlockMatmulOp::create(b, op.getType(), op.getAccumulator(),
                                      op.getSlot(), op.getAccumulationAttr());
  buildFetch(b, of, matmul, at.firstSlice);
  const SmallVector<Type> fragments = buildDecode(b, of, matmul, decoded);
  buildMultiply(b, of, matmul, fragments, decoded);
  op.replaceAllUsesWith(matmul.getResult());
  op.erase();
}

static void expand(TileMatmulOp op, Placement placement) {
  const TileFragments of(op);
  switch (of.traits().emitter) {
  case Emitter::Mma:
    return multiplyByWarps(of, placement);
  case Emitter::Wgmma:
    return multiplyByWarpgroups(of, placement);
  }
}

//===----------------------------------------------------------------------===//
// The pass
//===----------------------------------------------------------------------===//

/// What the operation must have around it to be expanded.
static LogicalResult verify(TileMatmulOp op, Placement placement) {
  const Instruction instruction = op.getSchedule().getInstruction();
  const InstructionTraits &traits = traitsOf(instruction);
  if (!wordsAreFragments(layoutOf(op.getWeights().getType()), instruction))
    return op.emitOpError("requires a block layout that matches the fragments "
                          "of its schedule's instruction");
  if (placement == Placement::Shared && !traits.readsSharedA &&
      !op->getParentOfType<gpu::GPUFuncOp>())
    return op.emitOpError("requires to be in a gpu.func to be decoded with "
                          "placement=shared");
  auto loop = op->getParentOfType<KLoopOp>();
  if (traits.isAsynchronous && (!loop || !loop.drains()))
    return op.emitOpError("requires a mxfp4.k_loop around it that drains a "
                          "ring to be multiplied with wgmma; run "
                          "mxfp4-specialize-warps first");
  if (placement == Placement::Shared && traits.readsSharedA &&
      op.getSchedule().getPlacement() != Placement::Shared)
    return op.emitOpError("requires a schedule with placement=shared to be "
                          "decoded so with wgmma: mxfp4-tile leaves no room "
                          "for decoded blocks without it");
  return success();
}

namespace {

struct InsertDecodePass : mxfp4::impl::InsertDecodeBase<InsertDecodePass> {
  using InsertDecodeBase::InsertDecodeBase;

  void runOnOperation() override {
    Placement forced = Placement::Register;
    const bool fromSchedule = placement == "schedule";
    if (!fromSchedule && !parse(placement, forced)) {
      getOperation()->emitError()
          << "mxfp4-insert-decode expects placement=register, "
             "placement=shared or placement=schedule, but got '"
          << placement << "'";
      return signalPassFailure();
    }
    SmallVector<TileMatmulOp> ops;
    getOperation()->walk([&](TileMatmulOp op) { ops.push_back(op); });
    for (TileMatmulOp op : ops) {
      const Placement where =
          fromSchedule ? op.getSchedule().getPlacement() : forced;
      if (failed(verify(op, where)))
        return signalPassFailure();
      analysisOn(op, "mxfp4-insert-decode", "placement", [&] {
        return std::string("weights are decoded in ") +
               (where == Placement::Register ? "registers" : "shared memory");
      });
      expand(op, where);
    }
    numExpanded += ops.size();
  }
};

} // namespace
