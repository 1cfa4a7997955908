//===- WordBytes.cpp - Words of several codes or scales as bytes ----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "DecodeBlocks.h"
#include "TensorType.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"

using namespace mlir;
using namespace mxfp4;

/// For each byte of a word, by how many bits one of its nibbles is down.
static Value shiftsOf(OpBuilder &b, Location loc, IntegerType word,
                      ArrayRef<unsigned> nibbles, unsigned half) {
  SmallVector<APInt> shifts;
  for (size_t byte = 0; 2 * byte < nibbles.size(); ++byte)
    shifts.emplace_back(word.getWidth(), 4 * nibbles[2 * byte + half]);
  auto type = RankedTensorType::get(static_cast<int64_t>(shifts.size()), word);
  return arith::ConstantOp::create(b, loc,
                                   DenseElementsAttr::get(type, shifts));
}

Value mxfp4::bytesOfWords(OpBuilder &b, Location loc, Value words,
                          ArrayRef<unsigned> nibbles) {
  auto word = cast<IntegerType>(tensorType(words).getElementType());
  const unsigned bytes = word.getWidth() / 8;
  SmallVector<unsigned> order(nibbles);
  for (unsigned nibble = order.size(); nibble < 2 * bytes; ++nibble)
    order.push_back(nibble);
  SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(b, loc, words);
  sizes.push_back(b.getIndexAttr(bytes));
  Value init = tensor::EmptyOp::create(b, loc, sizes, b.getI8Type());
  const int64_t rank = tensorType(words).getRank();
  const AffineMap all = b.getMultiDimIdentityMap(rank + 1),
                  ofByte = all.getMinorSubMap(1);
  SmallVector<Value> inputs = {words, shiftsOf(b, loc, word, order, 0),
                               shiftsOf(b, loc, word, order, 1)};
  SmallVector<AffineMap> maps = {all.getMajorSubMap(rank), ofByte, ofByte, all};
  SmallVector<utils::IteratorType> loops(rank + 1,
                                         utils::IteratorType::parallel);
  auto body = [&](OpBuilder &b, Location loc, ValueRange args) {
    const auto nibble = [&](Value by) -> Value {
      Value down = arith::ShRUIOp::create(b, loc, args[0], by);
      Value mask = arith::ConstantIntOp::create(b, loc, word, 15);
      Value code = arith::AndIOp::create(b, loc, down, mask);
      return arith::TruncIOp::create(b, loc, b.getI8Type(), code);
    };
    Value low = nibble(args[1]), high = nibble(args[2]);
    Value four = arith::ConstantIntOp::create(b, loc, 4, 8);
    Value up = arith::ShLIOp::create(b, loc, high, four);
    Value both = arith::OrIOp::create(b, loc, low, up);
    linalg::YieldOp::create(b, loc, both);
  };
  return linalg::GenericOp::create(b, loc, init.getType(), inputs, init, maps,
                                   loops, body)
      .getResult(0);
}
