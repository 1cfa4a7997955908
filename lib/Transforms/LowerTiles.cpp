//===- LowerTiles.cpp - Copies and stores of tiles to NVVM ----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KernelLowering.h"
#include "PtxText.h"
#include "RaggedGrid.h"

#include "mxfp4/Core/Schedule.h"
#include "mxfp4/IR/MXFP4.h"

#include "mlir/Conversion/LLVMCommon/Pattern.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace mxfp4;

FailureOr<int64_t> mxfp4::threadsOf(Operation *op) {
  int64_t threads = 0;
  if (auto function = op->getParentOfType<LLVM::LLVMFuncOp>())
    if (auto size = function->getAttrOfType<DenseI32ArrayAttr>(
            NVVM::NVVMDialect::getReqntidAttrName()))
      threads = size[0];
  if (auto kernel = op->getParentOfType<gpu::GPUFuncOp>())
    if (auto size = kernel.getKnownBlockSize())
      threads = (*size)[0];
  // By warps they share the work.
  if (threads < 32 || threads % 32 != 0)
    return op->emitOpError(
        "requires a kernel with a known block size of whole warps");
  return threads;
}

namespace {

/// Runs `body` once for each of `units` pieces of work of this thread; the last
/// round is guarded if it is not full.
void forEachUnit(ImplicitLocOpBuilder &b, int64_t units, int64_t threads,
                 function_ref<void(ImplicitLocOpBuilder &, Value unit)> body) {
  Arithmetic a(b);
  for (int64_t first = 0; first < units; first += threads) {
    Value unit = a.add(a.thread(), first);
    if (first + threads <= units) {
      body(b, unit);
      continue;
    }
    scf::IfOp::create(b, a.ult(unit, units),
                      [&](OpBuilder &then, Location loc) {
                        ImplicitLocOpBuilder inner(loc, then);
                        body(inner, unit);
                        scf::YieldOp::create(inner);
                      });
  }
}

/// cp.async of 16 bytes past L1; fewer than 16 `bytes` (i32, or null for all)
/// are filled up with zeros.
void copyUnit(ImplicitLocOpBuilder &b, Value destination, Value source,
              Value bytes) {
  NVVM::CpAsyncOp::create(b, destination, source, kUnitBytes,
                          NVVM::LoadCacheModifierKind::CG, bytes);
}

struct LowerCopyWeights : ConvertOpToLLVMPattern<CopyWeightsOp> {
  using ConvertOpToLLVMPattern::ConvertOpToLLVMPattern;
  LogicalResult
  matchAndRewrite(CopyWeightsOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    FailureOr<int64_t> threads = threadsOf(op);
    if (failed(threads))
      return failure();
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    auto source = cast<MemRefType>(op.getSource().getType());
    auto stage = cast<MemRefType>(op.getDestination().getType());
    const int64_t rowBlocks = source.getDimSize(1);
    const int64_t steps = source.getDimSize(2), blocks = stage.getDimSize(1);
    const int64_t unitsPerBlock = BlockLayout::kBytes / kUnitBytes;

    Arithmetic a(b);
    Value slotBase =
        a.offset(adaptor.getDestination(),
                 a.mul(adaptor.getSlot(), blocks * BlockLayout::kBytes));
    Value expertBlock = a.mul(adaptor.getExpert(), rowBlocks);
    forEachUnit(b, blocks * unitsPerBlock, *threads,
                [&](ImplicitLocOpBuilder &b, Value unit) {
                  Arithmetic a(b);
                  Value row = adaptor.getBlock(), inBlock = unit;
                  if (blocks > 1) {
                    row = a.add(row, a.udiv(unit, unitsPerBlock));
                    inBlock = a.urem(unit, unitsPerBlock);
                  }
                  Value rowOfBlocks = a.toI64(a.add(expertBlock, row));
                  Value inRow =
                      a.add(a.mul(adaptor.getStep(), BlockLayout::kBytes),
                            a.mul(inBlock, kUnitBytes));
                  Value bytes =
                      a.add(a.mul(rowOfBlocks, steps * BlockLayout::kBytes),
                            a.toI64(inRow));
                  Value size;
                  if (rowBlocks % blocks != 0)
                    size = a.select(a.ult(row, rowBlocks),
                                    a.constant(b.getI32Type(), kUnitBytes),
                                    a.constant(b.getI32Type(), 0));
                  copyUnit(b, a.offset(slotBase, a.mul(unit, kUnitBytes)),
                           a.offset(adaptor.getSource(), bytes), size);
                });
    rewriter.eraseOp(op);
    return success();
  }
};

struct LowerCopyActivations : ConvertOpToLLVMPattern<CopyActivationsOp> {
  using ConvertOpToLLVMPattern::ConvertOpToLLVMPattern;
  LogicalResult
  matchAndRewrite(CopyActivationsOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    FailureOr<int64_t> threads = threadsOf(op);
    if (failed(threads))
      return failure();
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    const int64_t k = cast<MemRefType>(op.getSource().getType()).getDimSize(1);
    const int64_t tokens =
        cast<MemRefType>(op.getDestination().getType()).getDimSize(1);
    const int64_t unitsPerRow = kRowBytes / kUnitBytes;

    Arithmetic a(b);
    Value slotBase = a.offset(adaptor.getDestination(),
                              a.mul(adaptor.getSlot(), tokens * kRowBytes));
    Value column = a.mul(adaptor.getStep(), Schedule::kTileK);
    forEachUnit(
        b, tokens * unitsPerRow, *threads,
        [&](ImplicitLocOpBuilder &b, Value number) {
          Arithmetic a(b);
          Value row = a.udiv(number, unitsPerRow);
          Value unit = a.urem(number, unitsPerRow);
          Value firstColumn = a.add(column, a.mul(unit, kUnitBytes / 2));
          Value exists = a.ult(row, adaptor.getValid());
          if (k % Schedule::kTileK != 0)
            exists = LLVM::AndOp::create(b, exists, a.ult(firstColumn, k));
          Value size = a.select(exists, a.constant(b.getI32Type(), kUnitBytes),
                                a.constant(b.getI32Type(), 0));
          Value element = a.add(a.mul(a.toI64(a.add(adaptor.getRow(), row)), k),
                                a.toI64(firstColumn));
          Value swizzled = a.xori(unit, a.andi(row, 7));
          Value place =
              a.add(a.mul(row, kRowBytes), a.mul(swizzled, kUnitBytes));
          copyUnit(b, a.offset(slotBase, place),
                   a.offset(adaptor.getSource(), a.mul(element, 2)), size);
        });
    rewriter.eraseOp(op);
    return success();
  }
};

struct LowerLocateTile : ConvertOpToLLVMPattern<LocateTileOp> {
  using ConvertOpToLLVMPattern::ConvertOpToLLVMPattern;
  LogicalResult
  matchAndRewrite(LocateTileOp op, OpAdaptor,
                  ConversionPatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    const Schedule schedule = op.getSchedule().toSchedule();
    RaggedGrid grid;
    grid.offsets = op.getOffsets();
    grid.table = op.getTable();
    grid.expertIds = op.getExpertIds();
    grid.error = op.getError();
    grid.experts = op.getExperts();
    grid.groups = cast<MemRefType>(op.getOffsets().getType()).getDimSize(0) - 1;
    grid.tileTokens = schedule.tileTokens;
    grid.tokenStep = schedule.heightStep();
    grid.fullFirst = schedule.fullTilesFirst;
    grid.columnTiles = op.getColumns();
    const RaggedGrid::Tile tile = grid.emitTile(b, op.getNumber());
    rewriter.replaceOp(op, {tile.expert, tile.row, tile.valid, tile.column});
    return success();
  }
};

//===----------------------------------------------------------------------===//
// store_tile
//===----------------------------------------------------------------------===//

/// Stores the accumulators of one thread. Element e of a thread's 16 x 8
/// accumulator is (row, col) of `map`, with the packed row permutation undone:
/// rows are then columns of the output, and elements e and e + 2 are
/// neighbours there. Every store has a predicate and a constant distance from
/// the thread's first: a branch and an address for each would take most of the
/// time. Branches go around many, in tiles that may have few tokens.
class TileStore {
public:
  TileStore(ImplicitLocOpBuilder &b, StoreTileOp op,
            StoreTileOp::Adaptor adaptor)
      : b(b), a(b), adaptor(adaptor), schedule(op.getSchedule().toSchedule()),
        type(cast<MemRefType>(op.getDestination().getType())),
        n(type.getDimSize(1)), elementBytes(type.getElementTypeBitWidth() / 8),
        map(mmaAccumulator().permuteRows(BlockLayout::rowPermutation())) {}

  void emit();

private:
  Value firstSlice(Value warp);
  /// Output columns from the thread's first to those of fragment `slice`.
  int columnOffset(int slice) const {
    return 16 * slice * schedule.sliceStride();
  }
  Value exists(int64_t columnOffset);
  void emitColumns(int first, int count);
  Value accumulator(int slice, int column, int element);
  void emitPair(Value isValid, int slice, int column, int element);
  Value bits(Value value);

  ImplicitLocOpBuilder &b;
  Arithmetic a;
  StoreTileOp::Adaptor adaptor;
  Schedule schedule;
  MemRefType type;
  const int64_t n, elementBytes;
  const FragmentMap map;
  /// First output column of this thread in the tile, and its address in the row
  /// of the thread's first token.
  Value firstColumn, address;
  /// Tokens of the tile from the thread's first on; may be negative.
  Value left;
};

void TileStore::emit() {
  Value warp = a.shr(a.thread(), 5), lane = a.lane();
  Value warpAlongTokens = a.udiv(warp, schedule.warpsRows);
  firstColumn = a.add(a.mul(adaptor.getBlock(), schedule.tileRows),
                      a.add(a.mul(firstSlice(warp), 16),
                            a.sum(strides(map.lane, false), lane)));
  Value firstToken = a.add(a.mul(warpAlongTokens, schedule.warpTokens()),
                           a.sum(strides(map.lane, true), lane));
  Value start = a.add(a.mul(a.toI64(a.add(adaptor.getRow(), firstToken)), n),
                      a.toI64(firstColumn));
  address = LLVM::PtrToIntOp::create(
      b, b.getI64Type(),
      a.offset(adaptor.getDestination(), a.mul(start, elementBytes)));
  left = LLVM::SubOp::create(b, adaptor.getValid(), firstToken);
  const int columns = schedule.warpTokens() / 8;
  if (schedule.heightStep() == schedule.tileTokens)
    return emitColumns(0, columns);
  const int together = columns > 8 ? 4 : 2;
  emitColumns(0, std::min(together, columns));
  for (int first = together; first < columns; first += together) {
    const int count = std::min(together, columns - first);
    auto some = scf::IfOp::create(
        b, a.ult(a.constant(b.getI32Type(), int64_t(8) * first),
                 adaptor.getValid()));
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(some.thenBlock());
    emitColumns(first, count);
  }
}

/// Stores `count` times eight tokens.
void TileStore::emitColumns(int first, int count) {
  for (int column = first; column < first + count; ++column)
    for (int element = 0; element < 2; ++element) {
      const int token = 8 * column + map(element, 0).col;
      // As signed.
      Value isValid = LLVM::ICmpOp::create(b, LLVM::ICmpPredicate::sgt, left,
                                           a.constant(b.getI32Type(), token));
      for (int slice = 0; slice < schedule.warpRows() / 16; ++slice)
        emitPair(isValid, slice, column, element);
    }
}

/// See Schedule::firstSlice.
Value TileStore::firstSlice(Value warp) {
  const int64_t slices = schedule.warpRows() / 16;
  if (schedule.instruction == Instruction::Wgmma)
    return a.add(a.mul(a.udiv(warp, 4), 4 * slices), a.urem(warp, 4));
  return a.mul(a.urem(warp, schedule.warpsRows), slices);
}

/// Whether an output column is inside N; null if all are.
Value TileStore::exists(int64_t columnOffset) {
  if (n % schedule.tileRows == 0)
    return Value();
  return a.ult(a.add(firstColumn, columnOffset), n);
}

Value TileStore::accumulator(int slice, int column, int element) {
  return LLVM::ExtractValueOp::create(
      b, adaptor.getAccumulator(), ArrayRef<int64_t>{slice, column, element});
}

/// A register's worth of output as an integer.
Value TileStore::bits(Value value) {
  const unsigned width =
      cast<ShapedType>(value.getType()).getNumElements() * 8 * elementBytes;
  return LLVM::BitcastOp::create(b, b.getIntegerType(width), value);
}

void TileStore::emitPair(Value isValid, int slice, int column, int element) {
  const int64_t token = 8 * column + map(element, 0).col;
  const int64_t offset = (token * n + columnOffset(slice)) * elementBytes;
  const SmallVector<Value> both = {accumulator(slice, column, element),
                                   accumulator(slice, column, element + 2)};
  auto rounded = [&](ArrayRef<Value> values) {
    const auto count = static_cast<int64_t>(values.size());
    Value packed =
        LLVM::PoisonOp::create(b, VectorType::get({count}, b.getF32Type()));
    for (auto [i, value] : llvm::enumerate(values))
      packed = LLVM::InsertElementOp::create(b, packed, value,
                                             a.constant(b.getI32Type(), i));
    if (type.getElementType().isBF16())
      packed = LLVM::FPTruncOp::create(
          b, VectorType::get({count}, b.getBF16Type()), packed);
    return bits(packed);
  };
  auto guard = [&](int64_t columns) {
    Value inside = exists(columns);
    return inside ? Value(LLVM::AndOp::create(b, isValid, inside)) : isValid;
  };
  // With an even N a pair is aligned and never straddles the end.
  if (n % 2 == 0) {
    emitStoreIf(b, guard(columnOffset(slice)), address, offset, rounded(both));
    return;
  }
  for (int i = 0; i < 2; ++i)
    emitStoreIf(b, guard(columnOffset(slice) + i), address,
                offset + i * elementBytes, rounded(both[i]));
}

struct LowerStoreTile : ConvertOpToLLVMPattern<StoreTileOp> {
  using ConvertOpToLLVMPattern::ConvertOpToLLVMPattern;
  LogicalResult
  matchAndRewrite(StoreTileOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    TileStore(b, op, adaptor).emit();
    rewriter.eraseOp(op);
    return success();
  }
};

} // namespace

void mxfp4::populateTileLowering(const LLVMTypeConverter &converter,
                                 RewritePatternSet &patterns) {
  patterns.add<LowerCopyWeights, LowerCopyActivations, LowerLocateTile,
               LowerStoreTile>(converter);
}
