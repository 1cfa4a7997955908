//===- LoopBuilder.cpp - Scalar code for the CPU --------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "LoopBuilder.h"

#include "RoutingLoops.h"

#include "mxfp4/Core/Format.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace mxfp4;

//===----------------------------------------------------------------------===//
// Constants, memory, arithmetic
//===----------------------------------------------------------------------===//

Value LoopBuilder::index(int64_t value) {
  return arith::ConstantIndexOp::create(b, value);
}

Value LoopBuilder::integer(unsigned width, uint64_t value) {
  return arith::ConstantOp::create(
      b, b.getIntegerAttr(b.getIntegerType(width),
                          APInt(width, value, /*isSigned=*/false,
                                /*implicitTrunc=*/true)));
}

Value LoopBuilder::f32(float value) {
  return arith::ConstantOp::create(b, b.getF32FloatAttr(value));
}

Value LoopBuilder::constantLike(Value like, int64_t value) {
  if (like.getType().isIndex())
    return index(value);
  return integer(like.getType().getIntOrFloatBitWidth(), value);
}

Value LoopBuilder::size(Value shaped, int64_t dim) {
  auto type = cast<ShapedType>(shaped.getType());
  if (!type.isDynamicDim(dim))
    return index(type.getDimSize(dim));
  if (isa<TensorType>(type))
    return tensor::DimOp::create(b, shaped, dim);
  return memref::DimOp::create(b, shaped, dim);
}

Value LoopBuilder::load(Value shaped, ValueRange at) {
  if (isa<TensorType>(shaped.getType()))
    return tensor::ExtractOp::create(b, shaped, at);
  return memref::LoadOp::create(b, shaped, at);
}

void LoopBuilder::store(Value value, Value memref, ValueRange at) {
  memref::StoreOp::create(b, value, memref, at);
}

Value LoopBuilder::compare(arith::CmpIPredicate predicate, Value lhs,
                           Value rhs) {
  return arith::CmpIOp::create(b, predicate, lhs, rhs);
}

Value LoopBuilder::select(Value condition, Value yes, Value no) {
  return arith::SelectOp::create(b, condition, yes, no);
}

Value LoopBuilder::convert(Value value, Type type) {
  Type from = value.getType();
  if (from == type)
    return value;
  if (from.isIndex() || type.isIndex())
    return arith::IndexCastUIOp::create(b, type, value);
  if (from.getIntOrFloatBitWidth() < type.getIntOrFloatBitWidth())
    return arith::ExtUIOp::create(b, type, value);
  return arith::TruncIOp::create(b, type, value);
}

//===----------------------------------------------------------------------===//
// Control flow
//===----------------------------------------------------------------------===//

void LoopBuilder::loop(Value lower, Value upper,
                       function_ref<void(Value)> body) {
  auto loop = scf::ForOp::create(b, lower, upper, index(1));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  body(loop.getInductionVar());
}

void LoopBuilder::loopNest(ValueRange uppers,
                           function_ref<void(ValueRange)> body) {
  SmallVector<Value> at;
  std::function<void()> level = [&] {
    if (at.size() == uppers.size())
      return body(at);
    loop(uppers[at.size()], [&](Value i) {
      at.push_back(i);
      level();
    });
  };
  level();
}

Value LoopBuilder::reduce(Value lower, Value upper, Value init,
                          function_ref<Value(Value, Value)> body) {
  auto loop = scf::ForOp::create(b, lower, upper, index(1), ValueRange(init));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  Value next = body(loop.getInductionVar(), loop.getRegionIterArg(0));
  scf::YieldOp::create(b, next);
  return loop.getResult(0);
}

void LoopBuilder::ifThen(Value condition, function_ref<void()> then,
                         function_ref<void()> otherwise) {
  auto branch = scf::IfOp::create(b, condition, bool(otherwise));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(branch.thenBlock());
  then();
  if (!otherwise)
    return;
  b.setInsertionPointToStart(branch.elseBlock());
  otherwise();
}

//===----------------------------------------------------------------------===//
// The format
//===----------------------------------------------------------------------===//

Value LoopBuilder::scaleValue(Value byte) {
  // The byte is the exponent field of an f32, but for the two values at the
  // ends, whose fields would say zero and infinity.
  Value wide = i32(byte);
  Value bits = op<arith::ShLIOp>(wide, 23);
  auto equal = arith::CmpIPredicate::eq;
  bits = select(compare(equal, wide, 0), integer(32, 0x00400000), bits);
  bits = select(compare(equal, wide, kScaleNaN), integer(32, 0x7FC00000), bits);
  return arith::BitcastOp::create(b, b.getF32Type(), bits);
}

Value LoopBuilder::codeValue(Value code) {
  // Twice the magnitudes are the integers 0, 1, 2, 3, 4, 6, 8, 12: a table of
  // eight nibbles.
  uint32_t table = 0;
  for (unsigned c = 0; c < 8; ++c)
    table |= static_cast<uint32_t>(2 * decodeE2M1(c)) << (4 * c);
  Value shift = op<arith::ShLIOp>(op<arith::AndIOp>(code, 7), 2);
  Value twice =
      op<arith::AndIOp>(op<arith::ShRUIOp>(integer(32, table), shift), 15);
  Value magnitude = arith::MulFOp::create(
      b, arith::UIToFPOp::create(b, b.getF32Type(), twice), f32(0.5f));
  Value negative = compare(arith::CmpIPredicate::uge, code, 8);
  return select(negative, arith::NegFOp::create(b, magnitude), magnitude);
}

Value LoopBuilder::decode(Value code, Value scaleValue) {
  // Exact in f32: two significant bits times a power of two, at least 2^-128
  // (a subnormal), overflowing to infinity where bf16 does. Every result is a
  // bf16 value.
  return arith::MulFOp::create(b, codeValue(code), scaleValue);
}

Value LoopBuilder::roundTo(Value value, Type type) {
  if (value.getType() == type)
    return value;
  // arith.truncf to f8E4M3FN makes NaN of what is too large.
  if (isa<Float8E4M3FNType>(type))
    return arith::BitcastOp::create(b, type, i8(encodeE4M3(*this, value)));
  return arith::TruncFOp::create(b, type, value);
}

Value LoopBuilder::widen(Value value) {
  if (value.getType().isF32())
    return value;
  if (isa<Float8E4M3FNType>(value.getType()))
    return widenE4M3(value);
  return arith::ExtFOp::create(b, b.getF32Type(), value);
}

Value LoopBuilder::widenE4M3(Value value) {
  // Exponent and fraction in place are 2^-120 of the value in f32, subnormals
  // included. All ones are NaN.
  Value bits = i32(arith::BitcastOp::create(b, b.getI8Type(), value));
  Value magnitude = op<arith::AndIOp>(bits, 0x7F);
  Value placed = op<arith::ShLIOp>(magnitude, 20);
  placed = select(compare(arith::CmpIPredicate::eq, magnitude, 0x7F),
                  integer(32, 0x7FC00000), placed);
  Value sign = op<arith::ShLIOp>(op<arith::AndIOp>(bits, 0x80), 24);
  return op<arith::MulFOp>(
      arith::BitcastOp::create(b, b.getF32Type(),
                               op<arith::OrIOp>(placed, sign)),
      f32(0x1p120f));
}

Value LoopBuilder::nibble(Value byte, Value k) {
  Value shift = op<arith::ShLIOp>(i32(op<arith::AndIOp>(k, 1)), 2);
  return op<arith::AndIOp>(op<arith::ShRUIOp>(i32(byte), shift), 15);
}

Value LoopBuilder::magnitudeBits(Value value) {
  Value bits = arith::BitcastOp::create(b, b.getI32Type(), value);
  return op<arith::AndIOp>(bits, 0x7FFFFFFF);
}

Value LoopBuilder::scaleFor(Value magnitudeBits) {
  // A subnormal has exponent field 0 and is clamped to 2^-127 like 0.
  Value exponent = op<arith::ShRUIOp>(magnitudeBits, 23);
  Value scale =
      arith::MaxSIOp::create(b, op<arith::SubIOp>(exponent, 2), integer(32, 0));
  // NaN and infinity.
  Value special = compare(arith::CmpIPredicate::eq, exponent, 255);
  return select(special, integer(32, kScaleNaN), scale);
}

Value LoopBuilder::inverseScale(Value scale) {
  // 2^(127-b) has exponent field 254-b, a normal number for every b that
  // occurs; a NaN scale becomes NaN.
  return scaleValue(i8(op<arith::SubIOp>(integer(32, 254), i32(scale))));
}

Value LoopBuilder::encode(Value value, Value inverse) {
  Value bits = arith::BitcastOp::create(b, b.getI32Type(), value);
  Value sign = op<arith::ShLIOp>(op<arith::ShRUIOp>(bits, 31), 3);
  Value magnitude =
      arith::BitcastOp::create(b, b.getF32Type(), magnitudeBits(value));
  Value scaled = op<arith::MulFOp>(magnitude, inverse);
  // Count the midpoints below. At a midpoint the even code wins, which is the
  // upper one after an odd code.
  Value code = sign;
  for (unsigned c = 0; c < 7; ++c) {
    Value midpoint = f32((decodeE2M1(c) + decodeE2M1(c + 1)) / 2);
    Value above = arith::CmpFOp::create(
        b, c & 1 ? arith::CmpFPredicate::OGE : arith::CmpFPredicate::OGT,
        scaled, midpoint);
    code = op<arith::AddIOp>(code, i32(above));
  }
  return code;
}

Value LoopBuilder::codePair(Value low, Value high) {
  return i8(op<arith::OrIOp>(low, op<arith::ShLIOp>(high, 4)));
}

Value LoopBuilder::offsetsAreGood(Value offsets, Value rows, bool orLess) {
  const auto offset = [&](Value group) -> Value {
    // Signed: an offset below 0 must not look like a large one.
    return arith::IndexCastOp::create(b, b.getIndexType(),
                                      load(offsets, group));
  };
  Value zero = index(0), groups = op<arith::SubIOp>(size(offsets, 0), 1);
  auto equal = arith::CmpIPredicate::eq;
  Value ends =
      op<arith::AndIOp>(compare(equal, offset(zero), zero),
                        compare(orLess ? arith::CmpIPredicate::sle : equal,
                                offset(groups), rows));
  return reduce(zero, groups, ends, [&](Value group, Value good) {
    Value next = offset(op<arith::AddIOp>(group, 1));
    return op<arith::AndIOp>(
        good, compare(arith::CmpIPredicate::sle, offset(group), next));
  });
}

Value LoopBuilder::preimage(const std::vector<BitGroup> &groups,
                            Value position) {
  Value result = index(0);
  for (const BitGroup &group : groups) {
    Value field = op<arith::AndIOp>(op<arith::DivUIOp>(position, group.stride),
                                    group.mask);
    result = op<arith::AddIOp>(result, op<arith::ShLIOp>(field, group.shift));
  }
  return result;
}

Value LoopBuilder::position(const PositionSum &sum, Value row, Value col) {
  Value result = index(sum.base);
  auto addGroups = [&](const std::vector<BitGroup> &groups, Value input) {
    for (const BitGroup &group : groups) {
      Value field =
          op<arith::AndIOp>(op<arith::ShRUIOp>(input, group.shift), group.mask);
      result =
          op<arith::AddIOp>(result, op<arith::MulIOp>(field, group.stride));
    }
  };
  addGroups(sum.row, row);
  addGroups(sum.col, col);
  return result;
}
