//===- LowerTiles.cpp - Copies and stores of tiles to NVVM ----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KernelLowering.h"

#include "mxfp4/Core/Schedule.h"
#include "mxfp4/IR/MXFP4.h"

#include "mlir/Conversion/LLVMCommon/Pattern.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace mxfp4;

namespace {

/// Threads of the CTA: kernels have a known block size.
FailureOr<int64_t> threadsOf(Operation *op) {
  if (auto function = op->getParentOfType<LLVM::LLVMFuncOp>())
    if (auto size = function->getAttrOfType<DenseI32ArrayAttr>(
            NVVM::NVVMDialect::getReqntidAttrName()))
      return size[0];
  if (auto kernel = op->getParentOfType<gpu::GPUFuncOp>())
    if (auto size = kernel.getKnownBlockSize())
      return (*size)[0];
  op->emitOpError("requires a kernel with a known block size");
  return failure();
}

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
                  Value bytes = a.add(
                      a.mul(rowOfBlocks, steps * BlockLayout::kBytes),
                      a.toI64(inRow));
                  Value size;
                  if (rowBlocks % blocks != 0)
                    size = a.select(a.ult(row, rowBlocks),
                                    a.constant(b.getI32Type(), kUnitBytes),
                                    a.constant(b.getI32Type(), 0));
                  copyUnit(b,
                           a.offset(slotBase, a.mul(unit, kUnitBytes)),
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
          Value firstColumn =
              a.add(column, a.mul(unit, kUnitBytes / 2));
          Value exists = a.ult(row, adaptor.getValid());
          if (k % Schedule::kTileK != 0)
            exists = LLVM::AndOp::create(b, exists, a.ult(firstColumn, k));
          Value size = a.select(exists, a.constant(b.getI32Type(), kUnitBytes),
                                a.constant(b.getI32Type(), 0));
          Value element =
              a.add(a.mul(a.toI64(a.add(adaptor.getRow(), row)), k),
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

//===----------------------------------------------------------------------===//
// store_tile
//===----------------------------------------------------------------------===//

/// Stores the accumulators of one thread. Element e of a thread's 16 x 8
/// accumulator is (row, col) of `map`, with the packed row permutation undone:
/// rows are then columns of the output, and elements e and e + 2 are
/// neighbours there.
class TileStore {
public:
  TileStore(ImplicitLocOpBuilder &b, StoreTileOp op,
            StoreTileOp::Adaptor adaptor)
      : b(b), a(b), adaptor(adaptor), schedule(op.getSchedule().toSchedule()),
        type(cast<MemRefType>(op.getDestination().getType())),
        n(type.getDimSize(1)),
        map(mmaAccumulator().permuteRows(BlockLayout::rowPermutation())) {}

  void emit();

private:
  Value firstSlice(Value warp);
  /// Output columns from the thread's first to those of fragment `slice`.
  int columnOffset(int slice) const {
    return 16 * slice * schedule.sliceStride();
  }
  void emitToken(int column, int element);
  void emitPair(Value tokenAddress, int slice, int column, int element);
  Value accumulator(int slice, int column, int element);
  void guard(Value condition, function_ref<void()> body);

  ImplicitLocOpBuilder &b;
  Arithmetic a;
  StoreTileOp::Adaptor adaptor;
  Schedule schedule;
  MemRefType type;
  const int64_t n;
  const FragmentMap map;
  /// First output column and first token of this thread in the tile.
  Value firstColumn, firstToken;
};

void TileStore::emit() {
  Value warp = a.shr(a.thread(), 5), lane = a.lane();
  Value warpAlongTokens = a.udiv(warp, schedule.warpsRows);
  firstColumn = a.add(a.mul(adaptor.getBlock(), schedule.tileRows),
                      a.add(a.mul(firstSlice(warp), 16),
                            a.sum(strides(map.lane, false), lane)));
  firstToken = a.add(a.mul(warpAlongTokens, schedule.warpTokens()),
                     a.sum(strides(map.lane, true), lane));
  for (int column = 0; column < schedule.warpTokens() / 8; ++column)
    for (int element = 0; element < 2; ++element)
      emitToken(column, element);
}

/// See Schedule::firstSlice.
Value TileStore::firstSlice(Value warp) {
  const int slices = schedule.warpRows() / 16;
  if (schedule.instruction == Instruction::Wgmma)
    return a.add(a.mul(a.udiv(warp, 4), 4 * slices), a.urem(warp, 4));
  return a.mul(a.urem(warp, schedule.warpsRows), slices);
}

void TileStore::guard(Value condition, function_ref<void()> body) {
  auto branch = scf::IfOp::create(b, condition);
  OpBuilder::InsertionGuard restore(b);
  b.setInsertionPointToStart(branch.thenBlock());
  body();
}

/// All that this thread has of one token.
void TileStore::emitToken(int column, int element) {
  Value token = a.add(firstToken, 8 * column + map(element, 0).col);
  guard(a.ult(token, adaptor.getValid()), [&] {
    Value start = a.add(a.mul(a.toI64(a.add(adaptor.getRow(), token)), n),
                        a.toI64(firstColumn));
    Value address = a.offset(adaptor.getDestination(),
                             a.mul(start, type.getElementTypeBitWidth() / 8));
    for (int slice = 0; slice < schedule.warpRows() / 16; ++slice) {
      auto emitSlice = [&] { emitPair(address, slice, column, element); };
      if (n % schedule.tileRows == 0) {
        emitSlice();
        continue;
      }
      guard(a.ult(a.add(firstColumn, columnOffset(slice)), n), emitSlice);
    }
  });
}

Value TileStore::accumulator(int slice, int column, int element) {
  Value fragment = LLVM::ExtractValueOp::create(
      b, adaptor.getAccumulator(), ArrayRef<int64_t>{slice, column});
  return LLVM::ExtractElementOp::create(b, fragment,
                                        a.constant(b.getI32Type(), element));
}

void TileStore::emitPair(Value tokenAddress, int slice, int column,
                         int element) {
  const int64_t elementBytes = type.getElementTypeBitWidth() / 8;
  Value address =
      a.offset(tokenAddress,
               a.constant(b.getI64Type(), columnOffset(slice) * elementBytes));
  Value low = accumulator(slice, column, element);
  Value high = accumulator(slice, column, element + 2);
  // With an even N a pair is aligned and never straddles the end.
  if (n % 2 == 0) {
    Value pair =
        LLVM::PoisonOp::create(b, VectorType::get({2}, b.getF32Type()));
    pair = LLVM::InsertElementOp::create(b, pair, low,
                                         a.constant(b.getI32Type(), 0));
    pair = LLVM::InsertElementOp::create(b, pair, high,
                                         a.constant(b.getI32Type(), 1));
    if (type.getElementType().isBF16())
      pair = LLVM::FPTruncOp::create(b, VectorType::get({2}, b.getBF16Type()),
                                     pair);
    LLVM::StoreOp::create(b, pair, address, 2 * elementBytes);
    return;
  }
  auto storeOne = [&](Value value, Value at) {
    if (type.getElementType().isBF16())
      value = LLVM::FPTruncOp::create(b, b.getBF16Type(), value);
    LLVM::StoreOp::create(b, value, at, elementBytes);
  };
  storeOne(low, address);
  guard(a.ult(a.add(firstColumn, columnOffset(slice) + 1), n), [&] {
    storeOne(high, a.offset(address, a.constant(b.getI64Type(), elementBytes)));
  });
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
  patterns.add<LowerCopyWeights, LowerCopyActivations, LowerStoreTile>(
      converter);
}
