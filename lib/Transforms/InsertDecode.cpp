//===- InsertDecode.cpp - Decode weights fragment by fragment -------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KernelBuilding.h"
#include "KernelRemarks.h"

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

/// Expands one tile_matmul.
class Expander {
public:
  explicit Expander(TileMatmulOp op)
      : op(op), schedule(op.getSchedule().toSchedule()),
        traits(schedule.traits()), slices(schedule.slices()),
        columns(schedule.warpTokens() / traits.nStep),
        layout(layoutOf(op.getWeights().getType())),
        steps(layout.cols / traits.k), b(op.getLoc(), op) {}

  void run(Placement placement);

private:
  Value index(int64_t value) {
    return arith::ConstantIndexOp::create(b, value);
  }
  Value add(Value base, int64_t offset) {
    return arith::AddIOp::create(b, base, index(offset));
  }
  Type typeOfA() { return typeOf(b.getContext(), traits.typeOfA); }
  Type blockType() {
    return cast<MemRefType>(op.getWeights().getType()).getElementType();
  }

  Value emitTerm(const WarpTerm &term);
  void locateWarp();
  /// What a thread holds of a slice, still packed.
  struct PackedSlice {
    SmallVector<Value> codes;
    Value scales;
  };
  PackedSlice loadSlice(Value slice);
  ValueRange decode(const PackedSlice &packed, int step);
  void decodeTileToShared();
  void locateDecodedBlocks();
  void buildFetch(BlockMatmulOp matmul);
  SmallVector<Type> buildDecode(BlockMatmulOp matmul);
  void buildMultiply(BlockMatmulOp matmul, TypeRange fragments);
  void multiplyByWarps(Placement placement);
  void multiplyByWarpgroups(Placement placement);
  SmallVector<Value> unpackAccumulator();
  void multiply(function_ref<ValueRange(int slice, int step)> fragmentOf);

  TileMatmulOp op;
  Schedule schedule;
  const InstructionTraits &traits;
  /// Of a warp's tile.
  const int64_t slices, columns;
  const BlockLayout layout;
  /// The instruction's steps along K in a block.
  const int64_t steps;
  ImplicitLocOpBuilder b;
  Value warp, firstSlice, firstToken, decodedTile;
  /// Of the warps of an instruction, in the decoded tile.
  Value decodedSlice, decodedBlock;
};

} // namespace

/// A term of a coordinate of the warp.
Value Expander::emitTerm(const WarpTerm &term) {
  Value part = warp;
  if (term.divisor != 1)
    part = arith::DivUIOp::create(b, part, index(term.divisor));
  if (term.modulus != 0)
    part = arith::RemUIOp::create(b, part, index(term.modulus));
  if (term.stride != 1)
    part = arith::MulIOp::create(b, part, index(term.stride));
  return part;
}

void Expander::locateWarp() {
  Value thread = gpu::ThreadIdOp::create(b, gpu::Dimension::x);
  warp = arith::DivUIOp::create(b, thread, index(32));
  const WarpPlace place = schedule.placeOfWarps(schedule.consumerWarps());
  firstSlice = emitTerm(place.slice.front());
  for (const WarpTerm &term : ArrayRef(place.slice).drop_front())
    firstSlice = arith::AddIOp::create(b, firstSlice, emitTerm(term));
  firstToken = emitTerm(place.token);
}

Expander::PackedSlice Expander::loadSlice(Value slice) {
  auto codes = LoadCodesOp::create(b, op.getWeights(), op.getSlot(), slice);
  Value scales = LoadScalesOp::create(b, op.getWeights(), op.getSlot(), slice);
  return {SmallVector<Value>(codes.getResults()), scales};
}

ValueRange Expander::decode(const PackedSlice &packed, int step) {
  return DecodeOp::create(b, packed.codes[step], packed.scales,
                          static_cast<uint64_t>(step), blockType())
      .getResults();
}

/// All warps share the work of decoding the tile, whoever multiplies with it.
void Expander::decodeTileToShared() {
  auto kernel = op->getParentOfType<gpu::GPUFuncOp>();
  decodedTile = kernel.addWorkgroupAttribution(
      sharedType({schedule.tileRows, traits.tileK()}, typeOfA()), op.getLoc());

  // The barrier before tile_matmul has also seen the last reads of the tile.
  const int warps = schedule.threads() / 32;
  const int all = schedule.tileRows / traits.sliceRows();
  for (int first = 0; first < all; first += warps) {
    Value slice = add(warp, first);
    Value exists =
        arith::CmpIOp::create(b, arith::CmpIPredicate::ult, slice, index(all));
    auto guard = scf::IfOp::create(b, exists);
    OpBuilder::InsertionGuard restore(b);
    b.setInsertionPointToStart(guard.thenBlock());
    const PackedSlice packed = loadSlice(slice);
    for (int64_t step = 0; step < steps; ++step) {
      ValueRange fragment = decode(packed, step);
      StoreDecodedOp::create(b, fragment[0], fragment[1], fragment[2],
                             fragment[3], decodedTile, slice, step,
                             /*buffer=*/0);
    }
  }
  gpu::BarrierOp::create(b);
}

SmallVector<Value> Expander::unpackAccumulator() {
  SmallVector<Value> parts;
  for (int i = 0; i < slices; ++i)
    for (int j = 0; j < columns; ++j)
      parts.push_back(vector::ExtractOp::create(b, op.getAccumulator(),
                                                ArrayRef<int64_t>{i, j}));
  return parts;
}

/// A k32 slice at a time: its A fragments are few and meet every token, so
/// they come first; each B fragment is then used up as soon as it is loaded.
void Expander::multiply(
    function_ref<ValueRange(int slice, int step)> fragmentOf) {
  SmallVector<Value> parts = unpackAccumulator();
  for (int half = 0; half < 2; ++half) {
    SmallVector<SmallVector<Value>> fragments;
    for (int step = 2 * half; step < 2 * half + 2; ++step)
      for (int i = 0; i < slices; ++i)
        fragments.emplace_back(fragmentOf(i, step));
    for (int64_t j = 0; j < columns; ++j) {
      auto tokens =
          LoadActivationsOp::create(b, op.getActivations(), op.getSlot(),
                                    add(firstToken, traits.nStep * j), half);
      for (int step = 0; step < 2; ++step)
        for (int i = 0; i < slices; ++i) {
          ArrayRef<Value> a = fragments[step * slices + i];
          Value &part = parts[i * columns + j];
          part = MmaOp::create(b, a[0], a[1], a[2], a[3],
                               tokens.getResult(2 * step),
                               tokens.getResult(2 * step + 1), part);
        }
    }
  }
  Value result = op.getAccumulator();
  for (int i = 0; i < slices; ++i)
    for (int j = 0; j < columns; ++j)
      result = vector::InsertOp::create(b, parts[i * columns + j], result,
                                        ArrayRef<int64_t>{i, j});
  op.replaceAllUsesWith(result);
  op.erase();
}

/// The warps of an instruction have two buffers, one behind the other, of one
/// block each.
void Expander::locateDecodedBlocks() {
  const SharedRegion decoded = SharedMemoryMap(schedule, layout).decoded;
  decodedTile = sharedBuffer(b, {decoded.bytes / kRowBytes, traits.tileK()},
                             typeOfA(), decoded.offset);
  const int64_t together = traits.warps;
  Value group = arith::DivUIOp::create(b, warp, index(together));
  decodedBlock = arith::MulIOp::create(b, group, index(2));
  decodedSlice = arith::AddIOp::create(
      b, arith::MulIOp::create(b, group, index(2 * together)),
      arith::RemUIOp::create(b, warp, index(together)));
}

/// Begins a region of a block_matmul with arguments of these types.
static Block::BlockArgListType beginRegion(ImplicitLocOpBuilder &b,
                                           Region &region, TypeRange types) {
  Block &block = region.emplaceBlock();
  block.addArguments(types, SmallVector<Location>(types.size(), b.getLoc()));
  b.setInsertionPointToStart(&block);
  return block.getArguments();
}

/// What a thread loads of a block: the words of its four codes, and its scales.
void Expander::buildFetch(BlockMatmulOp matmul) {
  auto arguments =
      beginRegion(b, matmul.getFetch(), {b.getIndexType(), b.getIndexType()});
  Value slice = arith::AddIOp::create(
      b, firstSlice,
      arith::MulIOp::create(b, arguments[1], index(schedule.sliceStride())));
  auto codes = LoadCodesOp::create(b, op.getWeights(), arguments[0], slice);
  // In the order in which the decode region reads them.
  SmallVector<Value> words(codes.getResults());
  words.insert(words.begin() + 1,
               LoadScalesOp::create(b, op.getWeights(), arguments[0], slice));
  YieldOp::create(b, words);
}

/// Fragments in registers, or a block in shared memory that wgmma may read.
SmallVector<Type> Expander::buildDecode(BlockMatmulOp matmul) {
  SmallVector<Type> words(steps + 1, b.getI32Type());
  auto arguments = beginRegion(b, matmul.getDecode(), words);
  PackedSlice packed = {SmallVector<Value>(arguments), arguments[1]};
  packed.codes.erase(packed.codes.begin() + 1);
  SmallVector<Value> fragments;
  for (int64_t step = 0; step < steps; ++step) {
    ValueRange fragment = decode(packed, step);
    if (!decodedTile)
      llvm::append_range(fragments, fragment);
    else
      StoreDecodedOp::create(b, fragment[0], fragment[1], fragment[2],
                             fragment[3], decodedTile, decodedSlice, step,
                             /*buffer=*/0);
  }
  if (decodedTile)
    SyncWarpgroupOp::create(b);
  YieldOp::create(b, fragments);
  return SmallVector<Type>(ValueRange(fragments).getTypes());
}

void Expander::buildMultiply(BlockMatmulOp matmul, TypeRange fragments) {
  const Type sums = VectorType::get({columns, 4}, b.getF32Type());
  SmallVector<Type> types = {b.getIndexType(), sums};
  llvm::append_range(types, fragments);
  auto arguments = beginRegion(b, matmul.getMultiply(), types);
  Value result = WgmmaOp::create(
      b, sums, arguments[1], ValueRange(arguments.drop_front(2)), decodedTile,
      decodedBlock, /*buffer=*/0, op.getActivations(), arguments[0], columns,
      op.getTokens(), b.getI64IntegerAttr(schedule.heightStep()));
  YieldOp::create(b, result);
}

/// One operation for the blocks of 64 rows of a warpgroup.
void Expander::multiplyByWarpgroups(Placement placement) {
  locateWarp();
  if (placement == Placement::Shared)
    locateDecodedBlocks();
  auto matmul =
      BlockMatmulOp::create(b, op.getType(), op.getAccumulator(), op.getSlot());
  buildFetch(matmul);
  buildMultiply(matmul, buildDecode(matmul));
  op.replaceAllUsesWith(matmul.getResult());
  op.erase();
}

void Expander::run(Placement placement) {
  switch (traits.emitter) {
  case Emitter::Mma:
    return multiplyByWarps(placement);
  case Emitter::Wgmma:
    return multiplyByWarpgroups(placement);
  }
}

/// One operation for each fragment and eight tokens of a warp.
void Expander::multiplyByWarps(Placement placement) {
  locateWarp();
  if (placement == Placement::Shared) {
    decodeTileToShared();
    multiply([&](int slice, int step) -> ValueRange {
      return LoadDecodedOp::create(b, decodedTile, add(firstSlice, slice), step)
          .getResults();
    });
    return;
  }
  SmallVector<PackedSlice> packed;
  for (int i = 0; i < slices; ++i)
    packed.push_back(loadSlice(add(firstSlice, i)));
  multiply([&](int slice, int step) { return decode(packed[slice], step); });
}

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
      Expander(op).run(where);
    }
    numExpanded += ops.size();
  }
};

} // namespace
