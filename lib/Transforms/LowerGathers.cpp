//===- LowerGathers.cpp - Copies of rows anywhere to NVVM -----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Eight neighbouring threads copy 128 bytes of a row, a unit of 16 bytes each;
// a warp copies four rows at a time, which are four full lines. Measured on an
// H100: numbers of rows stay in registers, since a load of one for each copy
// takes longer than the copy, and a predicate on each copy takes longer than
// copies of rows that nobody needs. Branches go around several copies.
//
//===----------------------------------------------------------------------===//

#include "KernelLowering.h"

#include "mxfp4/IR/MXFP4.h"

#include "mlir/Conversion/LLVMCommon/Pattern.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace mxfp4;

namespace {

constexpr int kUnitsOfRow = kRowBytes / kUnitBytes;
/// Rows that a warp copies at a time.
constexpr int kRowsOfWarp = kWarpThreads / kUnitsOfRow;

/// The warps that share the rows of a tile, and where a thread is among them.
class Sharing {
public:
  /// `warp` of `warps`, or null for those of the CTA. Fails with a diagnostic
  /// where nobody knows how many these are.
  static FailureOr<Sharing> of(ImplicitLocOpBuilder &b, Operation *op,
                               Value warp, int64_t warps) {
    Arithmetic a(b);
    if (!warp) {
      FailureOr<int64_t> threads = threadsOf(op);
      if (failed(threads))
        return failure();
      warps = *threads / kWarpThreads;
      warp = a.warp();
    }
    Sharing sharing;
    sharing.warps = warps;
    sharing.firstOfWarp = a.mul(warp, kRowsOfWarp);
    sharing.first = a.add(sharing.firstOfWarp, a.udiv(a.lane(), kUnitsOfRow));
    return sharing;
  }

  /// Rows from an element to the next.
  int64_t stride() const { return kRowsOfWarp * warps; }

  int64_t warps = 0;
  /// The first row of this warp, and of this thread.
  Value firstOfWarp, first;
};

struct LowerLoadRows : ConvertOpToLLVMPattern<LoadRowsOp> {
  using ConvertOpToLLVMPattern::ConvertOpToLLVMPattern;
  LogicalResult
  matchAndRewrite(LoadRowsOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    FailureOr<Sharing> sharing =
        Sharing::of(b, op, adaptor.getWarp(), op.getSharingWarps());
    if (failed(sharing))
      return failure();
    Arithmetic a(b);
    Type i32 = b.getI32Type();
    const VectorType type = op.getRows().getType();
    // A tile of a bad group has no rows.
    Value last = a.add(
        LLVM::UMaxOp::create(b, adaptor.getValid(), a.constant(i32, 1)), -1);
    Value rows = LLVM::PoisonOp::create(b, type), isBad;
    for (int64_t i = 0; i < type.getDimSize(0); ++i) {
      Value inTile = LLVM::UMinOp::create(
          b, a.add(sharing->first, i * sharing->stride()), last);
      Value number = a.toI64(a.add(adaptor.getRow(), inTile));
      Value row = LLVM::LoadOp::create(
          b, i32, a.offset(adaptor.getMap(), a.mul(number, 4)));
      Value exists = a.ult(row, adaptor.getLimit());
      Value isMissing = LLVM::XOrOp::create(
          b, exists, LLVM::ConstantOp::create(b, b.getBoolAttr(true)));
      isBad = isBad ? LLVM::OrOp::create(b, isBad, isMissing) : isMissing;
      rows = LLVM::InsertElementOp::create(
          b, rows, a.select(exists, row, a.constant(i32, 0)),
          a.constant(i32, i));
    }
    if (adaptor.getError())
      scf::IfOp::create(b, isBad, [&](OpBuilder &then, Location loc) {
        ImplicitLocOpBuilder inner(loc, then);
        LLVM::AtomicRMWOp::create(
            inner, LLVM::AtomicBinOp::_or, adaptor.getError(),
            Arithmetic(inner).constant(inner.getI32Type(), 4),
            LLVM::AtomicOrdering::monotonic);
        scf::YieldOp::create(inner);
      });
    rewriter.replaceOp(op, rows);
    return success();
  }
};

/// The copies of one thread.
class Gather {
public:
  Gather(ImplicitLocOpBuilder &b, GatherActivationsOp op,
         GatherActivationsOp::Adaptor adaptor, const Sharing &sharing)
      : b(b), a(b), adaptor(adaptor), sharing(sharing),
        k(cast<MemRefType>(op.getSource().getType()).getDimSize(1)),
        tokens(cast<MemRefType>(op.getDestination().getType()).getDimSize(1)),
        columns(cast<MemRefType>(op.getDestination().getType()).getDimSize(2)),
        elements(op.getRows().getType().getDimSize(0)),
        bytesOf(op.getSource().getType().getElementTypeBitWidth() / 8),
        branchRows(static_cast<int64_t>(op.getBranchRows())) {}

  void emit();

private:
  void copyRow(int64_t element);

  ImplicitLocOpBuilder &b;
  Arithmetic a;
  GatherActivationsOp::Adaptor adaptor;
  const Sharing &sharing;
  const int64_t k, tokens, columns, elements;
  /// Of an element of a row.
  const int64_t bytesOf;
  /// Rows that a branch skips.
  const int64_t branchRows;
  /// Addresses of the thread's units in a row of the source and in the first
  /// of its rows of the stage, for elements whose rows are an even or odd
  /// multiple of four behind the first.
  Value source, places[2];
  /// Bytes of a unit that exist; null for all.
  Value bytes;
};

} // namespace

void Gather::copyRow(int64_t element) {
  Value row = LLVM::ExtractElementOp::create(
      b, adaptor.getRows(), a.constant(b.getI32Type(), element));
  const bool isOdd = element * sharing.warps % 2 != 0;
  Value from = a.offset(source, a.mul(a.toI64(row), bytesOf * k));
  Value to = a.offset(
      places[isOdd],
      a.constant(b.getI32Type(), element * sharing.stride() * kRowBytes));
  NVVM::CpAsyncOp::create(b, to, from, kUnitBytes,
                          NVVM::LoadCacheModifierKind::CG, bytes);
}

void Gather::emit() {
  Value unit = a.urem(a.lane(), kUnitsOfRow);
  Value firstColumn = a.add(a.mul(adaptor.getStep(), columns),
                            a.mul(unit, kUnitBytes / bytesOf));
  source = a.offset(adaptor.getSource(), a.toI64(a.mul(firstColumn, bytesOf)));
  if (k % columns != 0)
    bytes =
        a.select(a.ult(firstColumn, k), a.constant(b.getI32Type(), kUnitBytes),
                 a.constant(b.getI32Type(), 0));
  Value stage = a.offset(adaptor.getDestination(),
                         a.mul(adaptor.getSlot(), tokens * kRowBytes));
  for (int64_t odd : {0, 1}) {
    Value row = a.add(sharing.first, odd * kRowsOfWarp);
    Value swizzled = a.xori(unit, a.andi(row, 7));
    places[odd] = a.offset(stage, a.add(a.mul(sharing.first, kRowBytes),
                                        a.mul(swizzled, kUnitBytes)));
  }
  const int64_t together =
      branchRows >= tokens
          ? elements
          : std::max<int64_t>(1, branchRows / sharing.stride());
  for (int64_t first = 0; first < elements; first += together) {
    OpBuilder::InsertionGuard guard(b);
    if (first > 0) {
      Value row = a.add(sharing.firstOfWarp, first * sharing.stride());
      b.setInsertionPointToStart(
          scf::IfOp::create(b, a.ult(row, adaptor.getValid())).thenBlock());
    }
    for (int64_t i = first; i < std::min(first + together, elements); ++i) {
      OpBuilder::InsertionGuard inner(b);
      // Warps may share more rows than the tile has.
      if ((i + 1) * sharing.stride() > tokens) {
        Value row = a.add(sharing.firstOfWarp, i * sharing.stride());
        b.setInsertionPointToStart(
            scf::IfOp::create(b, a.ult(row, tokens)).thenBlock());
      }
      copyRow(i);
    }
  }
}

namespace {

struct LowerGatherActivations : ConvertOpToLLVMPattern<GatherActivationsOp> {
  using ConvertOpToLLVMPattern::ConvertOpToLLVMPattern;
  LogicalResult
  matchAndRewrite(GatherActivationsOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    FailureOr<Sharing> sharing =
        Sharing::of(b, op, adaptor.getWarp(), op.getSharingWarps());
    if (failed(sharing))
      return failure();
    Gather(b, op, adaptor, *sharing).emit();
    if (adaptor.getBarriers()) {
      Arithmetic a(b);
      NVVM::CpAsyncMBarrierArriveOp::create(
          b, a.offset(adaptor.getBarriers(), a.mul(adaptor.getSlot(), 8)),
          /*noinc=*/true);
    }
    rewriter.eraseOp(op);
    return success();
  }
};

} // namespace

void mxfp4::populateGatherLowering(const LLVMTypeConverter &converter,
                                   RewritePatternSet &patterns) {
  patterns.add<LowerLoadRows, LowerGatherActivations>(converter);
}
