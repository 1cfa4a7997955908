//===- WeightAccess.cpp - Codes and scales of weights, for the CPU --------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "LoopBuilder.h"

#include "mxfp4/Core/Format.h"

using namespace mlir;
using namespace mxfp4;

WeightAccess::WeightAccess(LoopBuilder &loops, ValueRange weights)
    : l(loops), packed(weights.size() == 1) {
  if (!packed) {
    codes = weights[0];
    scales = weights[1];
    return;
  }
  auto type = cast<MemRefType>(weights[0].getType());
  layout = layoutOf(type);
  blockIndex = BlockIndex::get(*layout);
  bytes = BlockBytesOp::create(l.b, BlockBytesOp::bytesOf(type), weights[0]);
}

WeightAccess::WeightAccess(LoopBuilder &loops, Value bytes, BlockLayout layout)
    : l(loops), packed(true), bytes(bytes), layout(layout),
      blockIndex(BlockIndex::get(layout)) {}

SmallVector<Value> WeightAccess::byteAt(const PositionSum &sum, Value expert,
                                        Value n, Value k) {
  Value row = l.op<arith::RemUIOp>(n, layout->rows);
  Value col = l.op<arith::RemUIOp>(k, layout->cols);
  return {expert, l.op<arith::DivUIOp>(n, layout->rows),
          l.op<arith::DivUIOp>(k, layout->cols), l.position(sum, row, col)};
}

Value WeightAccess::shiftOf(int bit, Value n, Value k) {
  // Eight slots, a byte each.
  uint64_t table = 0;
  for (int slot = 0; slot < 8; ++slot)
    table |= static_cast<uint64_t>(layout->codeBit(slot, bit)) << (8 * slot);
  Value slot =
      l.position(blockIndex->slot, l.op<arith::RemUIOp>(n, layout->rows),
                 l.op<arith::RemUIOp>(k, layout->cols));
  Value at = l.op<arith::ShLIOp>(l.convert(slot, l.b.getI64Type()), 3);
  Value shift = l.op<arith::ShRUIOp>(l.integer(64, table), at);
  return l.op<arith::AndIOp>(l.i32(shift), 31);
}

Value WeightAccess::code(Value expert, Value n, Value k) {
  if (!packed) {
    Value slice = l.op<arith::DivUIOp>(k, kScaleBlock);
    Value byte = l.op<arith::DivUIOp>(l.op<arith::RemUIOp>(k, kScaleBlock), 2);
    return l.nibble(l.load(codes, {expert, n, slice, byte}), k);
  }
  SmallVector<Value> at = byteAt(blockIndex->wordOffset, expert, n, k);
  Value word = l.i32(l.load(bytes, at));
  for (int byte = 1; byte < 4; ++byte) {
    at[3] = l.op<arith::AddIOp>(at[3], 1);
    Value part =
        l.op<arith::ShLIOp>(l.i32(l.load(bytes, at)), int64_t(8) * byte);
    word = l.op<arith::OrIOp>(word, part);
  }
  Value code;
  for (int bit = 0; bit < 4; ++bit) {
    Value part = l.op<arith::ShRUIOp>(word, shiftOf(bit, n, k));
    part = l.op<arith::ShLIOp>(l.op<arith::AndIOp>(part, 1), bit);
    code = bit ? l.op<arith::OrIOp>(code, part) : part;
  }
  return code;
}

Value WeightAccess::scale(Value expert, Value n, Value slice) {
  if (!packed)
    return l.load(scales, {expert, n, slice});
  Value k = l.op<arith::MulIOp>(slice, kScaleBlock);
  Value stored = l.load(bytes, byteAt(blockIndex->scaleOffset, expert, n, k));
  // All encodings are the E8M0 byte plus a constant.
  return l.op<arith::SubIOp>(stored, layout->scaleOffset());
}

void WeightAccess::clear() {
  SmallVector<Value> extents = {l.size(bytes, 0), l.size(bytes, 1),
                                l.size(bytes, 2)};
  l.loopNest(extents, [&](ValueRange block) {
    SmallVector<Value> at(block);
    at.push_back(Value());
    auto fill = [&](int begin, int end, uint8_t value) {
      l.loop(l.index(begin), l.index(end), [&](Value byte) {
        at.back() = byte;
        l.store(l.integer(8, value), bytes, at);
      });
    };
    fill(0, layout->codeBytes(), 0);
    fill(layout->codeBytes(), layout->bytes(), layout->paddingScale());
  });
}

void WeightAccess::setCode(Value expert, Value n, Value k, Value code) {
  Value spread;
  for (int bit = 0; bit < 4; ++bit) {
    Value part = l.op<arith::AndIOp>(l.op<arith::ShRUIOp>(code, bit), 1);
    part = l.op<arith::ShLIOp>(part, shiftOf(bit, n, k));
    spread = bit ? l.op<arith::OrIOp>(spread, part) : part;
  }
  SmallVector<Value> at = byteAt(blockIndex->wordOffset, expert, n, k);
  for (int byte = 0; byte < 4; ++byte) {
    Value part = l.i8(l.op<arith::ShRUIOp>(spread, int64_t(8) * byte));
    l.store(l.op<arith::OrIOp>(l.load(bytes, at), part), bytes, at);
    at[3] = l.op<arith::AddIOp>(at[3], 1);
  }
}

void WeightAccess::setScale(Value expert, Value n, Value slice, Value scale) {
  Value k = l.op<arith::MulIOp>(slice, kScaleBlock);
  Value stored = l.op<arith::AddIOp>(scale, layout->scaleOffset());
  l.store(stored, bytes, byteAt(blockIndex->scaleOffset, expert, n, k));
}
