//===- LowerToLoops.cpp - The executable specification --------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "LoopBuilder.h"
#include "LoopScalars.h"
#include "MatmulLoops.h"
#include "RoutingLoops.h"

#include "mxfp4/Core/Format.h"
#include "mxfp4/Transforms/Passes.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "llvm/ADT/TypeSwitch.h"

namespace mxfp4 {
#define GEN_PASS_DEF_LOWERTOLOOPS
#include "mxfp4/Transforms/Passes.h.inc"
} // namespace mxfp4

using namespace mlir;
using namespace mxfp4;

namespace {

//===----------------------------------------------------------------------===//
// grouped_matmul
//===----------------------------------------------------------------------===//

class GroupedMatmulLoops {
public:
  GroupedMatmulLoops(GroupedMatmulOp op)
      : op(op), l(op), weights(l, op.getWeights()) {}

  void emit() {
    columns = l.size(op.getInit(), 1);
    k = l.size(op.getActivations(), 1);
    groups = l.op<arith::SubIOp>(l.size(op.getOffsets(), 0), 1);
    auto bad = [&] { report(1); };
    l.ifThen(
        l.offsetsAreGood(op.getOffsets(), countRows(), bool(op.getGather())),
        [&] { emitGroups(); },
        op.getError() ? function_ref<void()>(bad) : nullptr);
  }

private:
  Value offset(Value group) {
    Value value = l.load(op.getOffsets(), group);
    // Signed: an offset below 0 must not look like a large one.
    return arith::IndexCastOp::create(l.b, l.b.getIndexType(), value);
  }

  void report(int bits) {
    Value zero = l.index(0), word = l.load(op.getError(), zero);
    l.store(l.op<arith::OrIOp>(word, bits), op.getError(), zero);
  }

  /// The number of rows; 0 if activations to gather from have no row.
  Value countRows() {
    Value rows = l.size(op.getRowSource(), 0);
    if (!op.getGather())
      return rows;
    Value zero = l.index(0);
    Value isEmpty = l.compare(arith::CmpIPredicate::eq,
                              l.size(op.getActivations(), 0), zero);
    return l.select(isEmpty, zero, rows);
  }

  /// An entry of a map of rows, and whether a buffer has such a row.
  std::pair<Value, Value> mapped(Value map, Value row, Value buffer) {
    return mappedRow(l, map, row, l.size(buffer, 0));
  }

  void emitGroups() {
    // The decoded rows of weights for a column of the output, used by every row
    // of the group.
    auto rowType = MemRefType::get(ShapedType::kDynamic, l.b.getF32Type());
    for (int64_t i = 0; i < sums(); ++i)
      decoded.push_back(memref::AllocOp::create(l.b, rowType, ValueRange(k)));
    l.loop(groups, [&](Value group) {
      Value begin = offset(group);
      Value end = offset(l.op<arith::AddIOp>(group, 1));
      l.ifThen(l.compare(arith::CmpIPredicate::slt, begin, end),
               [&] { emitGroup(group, begin, end); });
    });
    for (Value buffer : decoded)
      memref::DeallocOp::create(l.b, buffer);
  }

  void emitGroup(Value group, Value begin, Value end) {
    if (!op.getExpertIds()) {
      multiply(group, begin, end);
      return count(group, begin, end);
    }
    Value id = arith::IndexCastOp::create(l.b, l.b.getIndexType(),
                                          l.load(op.getExpertIds(), group));
    Value experts = l.size(op.getWeights()[0], 0);
    auto bad = [&] { report(2); };
    l.ifThen(
        l.compare(arith::CmpIPredicate::eq, id, -1), [&] { zero(begin, end); },
        [&] {
          // Unsigned: below -1 is out of range too.
          l.ifThen(
              l.compare(arith::CmpIPredicate::ult, id, experts),
              [&] { multiply(id, begin, end); },
              op.getError() ? function_ref<void()>(bad) : nullptr);
        });
  }

  /// Adds what has been stored of a group's rows.
  void count(Value group, Value begin, Value end) {
    if (!op.getStored())
      return;
    Value more = l.op<arith::MulIOp>(l.op<arith::SubIOp>(end, begin), columns);
    Value all = l.op<arith::AddIOp>(l.load(op.getStored(), group), l.i32(more));
    l.store(all, op.getStored(), group);
  }

  void zero(Value begin, Value end) {
    l.loop(begin, end, [&](Value row) {
      l.loop(columns,
             [&](Value column) { storeResult(l.f32(0), row, column); });
    });
  }

  /// How many columns of sums make one column of the output.
  int64_t sums() { return op.takesPairs() ? 2 : 1; }
  Value sumColumn(Value column, int64_t number) {
    if (sums() == 1)
      return column;
    return l.op<arith::AddIOp>(l.op<arith::MulIOp>(column, sums()), number);
  }

  void multiply(Value expert, Value begin, Value end) {
    l.loop(columns, [&](Value column) {
      for (int64_t i = 0; i < sums(); ++i)
        decodeRow(expert, sumColumn(column, i), decoded[i]);
      l.loop(begin, end, [&](Value row) {
        Value source = row;
        if (op.getGather()) {
          auto [from, exists] =
              mapped(op.getGather(), row, op.getActivations());
          reportUnless(exists, 4);
          source = l.select(exists, from, l.index(0));
        }
        SmallVector<Value> arguments;
        for (Value weights : decoded)
          arguments.push_back(dot(source, weights));
        storeResult(finish(arguments, expert, row, column), row, column);
      });
    });
  }

  /// A row of activations times a decoded row of weights.
  Value dot(Value source, Value weights) {
    return l.reduce(l.index(0), k, l.f32(0), [&](Value at, Value sum) -> Value {
      Value x = l.widen(l.load(op.getActivations(), {source, at}));
      Value w = l.load(weights, at);
      return l.op<arith::AddFOp>(sum, l.op<arith::MulFOp>(x, w));
    });
  }

  /// Computes the epilogue, if there is one. `arguments` has the sums.
  Value finish(SmallVector<Value> &arguments, Value expert, Value row,
               Value column) {
    if (!op.hasEpilogue())
      return arguments[0];
    return finishSums(
        l, op, arguments, expert, [&] { return row; },
        [&](int64_t number) { return sumColumn(column, number); });
  }

  void reportUnless(Value condition, int bits) {
    if (op.getError())
      l.ifThen(condition, [] {}, [&] { report(bits); });
  }

  void decodeRow(Value expert, Value column, Value into) {
    l.loop(l.op<arith::DivUIOp>(k, kScaleBlock), [&](Value slice) {
      Value scale = l.scaleValue(weights.scale(expert, column, slice));
      Value base = l.op<arith::MulIOp>(slice, kScaleBlock);
      l.loop(l.index(kScaleBlock), [&](Value i) {
        Value at = l.op<arith::AddIOp>(base, i);
        Value code = weights.code(expert, column, at);
        l.store(l.decode(code, scale), into, at);
      });
    });
  }

  void storeResult(Value value, Value row, Value column) {
    Value rounded = l.roundTo(value, op.getOutputType().getElementType());
    if (!op.getScatter())
      return l.store(rounded, op.getInit(), {row, column});
    auto [to, exists] = mapped(op.getScatter(), row, op.getInit());
    auto bad = [&] { report(4); };
    l.ifThen(
        exists, [&, to = to] { l.store(rounded, op.getInit(), {to, column}); },
        op.getError() ? function_ref<void()>(bad) : nullptr);
  }

  GroupedMatmulOp op;
  LoopBuilder l;
  WeightAccess weights;
  Value columns, k, groups;
  SmallVector<Value> decoded;
};

//===----------------------------------------------------------------------===//
// Conversions
//===----------------------------------------------------------------------===//

/// Sizes of the first `count` dimensions.
SmallVector<Value> sizes(LoopBuilder &l, Value memref, int64_t count) {
  SmallVector<Value> result;
  for (int64_t dim = 0; dim < count; ++dim)
    result.push_back(l.size(memref, dim));
  return result;
}

/// `at` with more indices behind it.
SmallVector<Value> append(ValueRange at, ValueRange more) {
  SmallVector<Value> result(at);
  result.append(more.begin(), more.end());
  return result;
}

void emitPack(PackOp op) {
  LoopBuilder l(op);
  WeightAccess from(l, {op.getCodes(), op.getScales()});
  WeightAccess to(l, op.getInit());
  to.clear();
  l.loopNest(sizes(l, op.getScales(), 3), [&](ValueRange at) {
    to.setScale(at[0], at[1], at[2], from.scale(at[0], at[1], at[2]));
    Value base = l.op<arith::MulIOp>(at[2], kScaleBlock);
    l.loop(l.index(kScaleBlock), [&](Value i) {
      Value k = l.op<arith::AddIOp>(base, i);
      to.setCode(at[0], at[1], k, from.code(at[0], at[1], k));
    });
  });
}

void emitUnpack(UnpackOp op) {
  LoopBuilder l(op);
  WeightAccess from(l, op.getBlocks());
  l.loopNest(sizes(l, op.getScalesInit(), 3), [&](ValueRange at) {
    l.store(from.scale(at[0], at[1], at[2]), op.getScalesInit(), at);
    Value base = l.op<arith::MulIOp>(at[2], kScaleBlock);
    l.loop(l.index(kScaleBlock / 2), [&](Value byte) {
      Value k = l.op<arith::AddIOp>(base, l.op<arith::MulIOp>(byte, 2));
      Value low = from.code(at[0], at[1], k);
      Value high = from.code(at[0], at[1], l.op<arith::AddIOp>(k, 1));
      l.store(l.codePair(low, high), op.getCodesInit(), append(at, byte));
    });
  });
}

/// Indices of value `i` of block `at` (... x K/32) among the values (... x K).
SmallVector<Value> valueAt(LoopBuilder &l, ValueRange at, Value i) {
  Value k = l.op<arith::AddIOp>(l.op<arith::MulIOp>(at.back(), kScaleBlock), i);
  return append(at.drop_back(), k);
}

void emitDequantize(DequantizeOp op) {
  LoopBuilder l(op);
  auto type = cast<MemRefType>(op.getInit().getType());
  l.loopNest(sizes(l, op.getScales(), type.getRank()), [&](ValueRange at) {
    Value scale = l.scaleValue(l.load(op.getScales(), at));
    l.loop(l.index(kScaleBlock), [&](Value i) {
      Value byte =
          l.load(op.getCodes(), append(at, l.op<arith::DivUIOp>(i, 2)));
      Value value = l.decode(l.nibble(byte, i), scale);
      l.store(l.roundTo(value, type.getElementType()), op.getInit(),
              valueAt(l, at, i));
    });
  });
}

void emitQuantize(QuantizeOp op) {
  LoopBuilder l(op);
  const int64_t rank = cast<MemRefType>(op.getValues().getType()).getRank();
  l.loopNest(sizes(l, op.getScalesInit(), rank), [&](ValueRange at) {
    auto value = [&](Value i) {
      return l.widen(l.load(op.getValues(), valueAt(l, at, i)));
    };
    Value largest = l.reduce(l.index(0), l.index(kScaleBlock), l.integer(32, 0),
                             [&](Value i, Value largest) -> Value {
                               return l.op<arith::MaxUIOp>(
                                   largest, l.magnitudeBits(value(i)));
                             });
    Value scale = l.scaleFor(largest);
    l.store(l.i8(scale), op.getScalesInit(), at);
    Value inverse = l.inverseScale(scale);
    l.loop(l.index(kScaleBlock / 2), [&](Value byte) {
      Value i = l.op<arith::MulIOp>(byte, 2);
      Value low = l.encode(value(i), inverse);
      Value high = l.encode(value(l.op<arith::AddIOp>(i, 1)), inverse);
      l.store(l.codePair(low, high), op.getCodesInit(), append(at, byte));
    });
  });
}

//===----------------------------------------------------------------------===//
// The pass
//===----------------------------------------------------------------------===//

/// Refuses operations that cannot become loops.
LogicalResult verifyLowerable(Operation *op) {
  auto destination = dyn_cast<DestinationStyleOpInterface>(op);
  if (destination && !destination.hasPureBufferSemantics())
    return op->emitOpError("must be on memrefs to become loops; run "
                           "one-shot-bufferize first");
  return success();
}

struct LowerToLoopsPass : mxfp4::impl::LowerToLoopsBase<LowerToLoopsPass> {
  void runOnOperation() override {
    SmallVector<Operation *> ops;
    getOperation()->walk([&](Operation *op) {
      if (isa<GroupedMatmulOp, PackOp, UnpackOp, QuantizeOp, DequantizeOp,
              TopKOp, CountByExpertOp, SortByExpertOp, CombineOp, DispatchOp,
              QuantizeRowsOp>(op))
        ops.push_back(op);
    });
    for (Operation *op : ops)
      if (failed(verifyLowerable(op)))
        return signalPassFailure();
    for (Operation *op : ops) {
      TypeSwitch<Operation *>(op)
          .Case([](GroupedMatmulOp op) { GroupedMatmulLoops(op).emit(); })
          .Case(emitPack)
          .Case(emitUnpack)
          .Case(emitQuantize)
          .Case(emitTopKLoops)
          .Case(emitCountLoops)
          .Case(emitSortLoops)
          .Case(emitDispatchLoops)
          .Case(emitCombineLoops)
          .Case(emitQuantizeRowsLoops)
          .Case(emitDequantize);
      op->erase();
    }
    expandScalars(getOperation());
  }
};

} // namespace
