//===- LowerTiles.cpp - Copies of tiles to NVVM ---------------------------===//
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
  if (threads < kWarpThreads || threads % kWarpThreads != 0)
    return op->emitOpError(
        "requires a kernel with a known block size of whole warps");
  return threads;
}

namespace {

/// Deals `units` pieces of work to the threads and runs `body` for each piece;
/// a guard skips threads that have no piece in the last iteration.
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
    const int64_t blockBytes = layoutOf(stage).bytes();
    const int64_t unitsPerBlock = blockBytes / kUnitBytes;

    Arithmetic a(b);
    Value slotBase = a.offset(adaptor.getDestination(),
                              a.mul(adaptor.getSlot(), blocks * blockBytes));
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
                  Value inRow = a.add(a.mul(adaptor.getStep(), blockBytes),
                                      a.mul(inBlock, kUnitBytes));
                  Value bytes = a.add(a.mul(rowOfBlocks, steps * blockBytes),
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
    auto source = dyn_cast<MemRefType>(op.getSource().getType());
    if (!source)
      return op.emitOpError("requires memory that threads copy from, but got "
                            "a tensor map; run mxfp4-specialize-warps first");
    FailureOr<int64_t> threads = threadsOf(op);
    if (failed(threads))
      return failure();
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    const int64_t k = source.getDimSize(1);
    auto stage = cast<MemRefType>(op.getDestination().getType());
    const int64_t tokens = stage.getDimSize(1), columns = stage.getDimSize(2);
    const int64_t unitsPerRow = kRowBytes / kUnitBytes;
    const int64_t bytes = kRowBytes / columns;

    Arithmetic a(b);
    Value slotBase = a.offset(adaptor.getDestination(),
                              a.mul(adaptor.getSlot(), tokens * kRowBytes));
    Value column = a.mul(adaptor.getStep(), columns);
    forEachUnit(
        b, tokens * unitsPerRow, *threads,
        [&](ImplicitLocOpBuilder &b, Value number) {
          Arithmetic a(b);
          Value row = a.udiv(number, unitsPerRow);
          Value unit = a.urem(number, unitsPerRow);
          Value firstColumn = a.add(column, a.mul(unit, kUnitBytes / bytes));
          Value exists = a.ult(row, adaptor.getValid());
          if (k % columns != 0)
            exists = LLVM::AndOp::create(b, exists, a.ult(firstColumn, k));
          Value size = a.select(exists, a.constant(b.getI32Type(), kUnitBytes),
                                a.constant(b.getI32Type(), 0));
          Value element = a.add(a.mul(a.toI64(a.add(adaptor.getRow(), row)), k),
                                a.toI64(firstColumn));
          Value swizzled = a.xori(unit, a.andi(row, 7));
          Value place =
              a.add(a.mul(row, kRowBytes), a.mul(swizzled, kUnitBytes));
          copyUnit(b, a.offset(slotBase, place),
                   a.offset(adaptor.getSource(), a.mul(element, bytes)), size);
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

} // namespace

void mxfp4::populateTileLowering(const LLVMTypeConverter &converter,
                                 RewritePatternSet &patterns) {
  patterns.add<LowerCopyWeights, LowerCopyActivations, LowerLocateTile>(
      converter);
}
