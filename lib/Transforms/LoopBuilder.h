//===- LoopBuilder.h - Scalar code for the CPU ------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What `mxfp4-lower-to-loops` and the bodies of `mxfp4-lower-to-linalg` are
// written in: loops, loads and stores with few words, the MXFP4 format as
// scalar operations, and the packed layout as address arithmetic. Loads and
// sizes are of memrefs or tensors.
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_LIB_TRANSFORMS_LOOPBUILDER_H
#define MXFP4_LIB_TRANSFORMS_LOOPBUILDER_H

#include "mxfp4/Core/BlockIndex.h"
#include "mxfp4/IR/MXFP4.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mxfp4 {

/// Emits loops and scalar arithmetic at its insertion point.
class LoopBuilder {
public:
  using Value = mlir::Value;
  using ValueRange = mlir::ValueRange;

  LoopBuilder(mlir::Operation *before) : b(before->getLoc(), before) {}
  LoopBuilder(mlir::Location loc, const mlir::OpBuilder &at) : b(loc, at) {}

  // Constants.
  Value index(int64_t value);
  /// The low bits of `value`.
  Value integer(unsigned width, uint64_t value);
  Value f32(float value);

  // Memory.
  Value size(Value shaped, int64_t dim);
  Value load(Value shaped, ValueRange at);
  void store(Value value, Value memref, ValueRange at);

  // Arithmetic; operands of one type, integer or index. `binary` takes
  // constants on the right.
  template <typename OpTy> Value op(Value lhs, Value rhs) {
    return OpTy::create(b, lhs, rhs);
  }
  template <typename OpTy> Value op(Value lhs, int64_t rhs) {
    return OpTy::create(b, lhs, constantLike(lhs, rhs));
  }
  Value compare(mlir::arith::CmpIPredicate predicate, Value lhs, Value rhs);
  Value compare(mlir::arith::CmpIPredicate predicate, Value lhs, int64_t rhs) {
    return compare(predicate, lhs, constantLike(lhs, rhs));
  }
  Value select(Value condition, Value yes, Value no);
  /// Unsigned conversion between integers and index.
  Value convert(Value value, mlir::Type type);
  Value i32(Value value) { return convert(value, b.getI32Type()); }
  Value i8(Value value) { return convert(value, b.getI8Type()); }

  // Control flow.
  void loop(Value lower, Value upper, llvm::function_ref<void(Value)> body);
  void loop(Value upper, llvm::function_ref<void(Value)> body) {
    loop(index(0), upper, body);
  }
  void loopNest(ValueRange uppers, llvm::function_ref<void(ValueRange)> body);
  /// A loop that carries one value.
  Value reduce(Value lower, Value upper, Value init,
               llvm::function_ref<Value(Value, Value)> body);
  void ifThen(Value condition, llvm::function_ref<void()> then,
              llvm::function_ref<void()> otherwise = nullptr);

  // The format. Codes are i32 0..15, scales are E8M0 bytes (i8).
  /// 2^(byte-127) as f32; 0 gives the subnormal 2^-127, 0xFF gives NaN.
  Value scaleValue(Value byte);
  /// The f32 value of a code.
  Value codeValue(Value code);
  /// Code times scale: exact, see the definition.
  Value decode(Value code, Value scaleValue);
  /// f32 to the element type of an output: f32, or bf16 or f8E4M3FN to nearest
  /// even, the latter saturated.
  Value roundTo(Value value, mlir::Type type);
  /// bf16, f32 or f8E4M3FN to f32.
  Value widen(Value value);
  /// The code in half `k % 2` of a checkpoint byte.
  Value nibble(Value byte, Value k);
  /// The E8M0 byte (as i32) for a block whose largest magnitude has these f32
  /// bits: 2^(floor(log2(max)) - 2), with the exponent of 6.0 taken off.
  Value scaleFor(Value magnitudeBits);
  /// The f32 bits without the sign, which are ordered like magnitudes, NaN on
  /// top.
  Value magnitudeBits(Value value);
  /// The exact inverse of the scale that `scaleFor` gave; NaN for NaN.
  Value inverseScale(Value scale);
  /// The code (i32) nearest to `value` times `inverse`, the exact inverse of
  /// the scale, at ties the even one. NaN and a NaN scale give code 0 or 8.
  Value encode(Value value, Value inverse);
  /// Two codes as a byte of the checkpoint.
  Value codePair(Value low, Value high);
  /// Whether offsets go from 0 to `rows`, or with `orLess` to no more, without
  /// decreasing. A kernel that trusted bad offsets would write out of bounds.
  Value offsetsAreGood(Value offsets, Value rows, bool orLess = false);
  /// Position arithmetic: base plus bit groups.
  Value position(const PositionSum &sum, Value row, Value col);
  /// The bits of an input that these groups put into a position.
  Value preimage(const std::vector<BitGroup> &groups, Value position);

  mlir::ImplicitLocOpBuilder b;

private:
  Value widenE4M3(Value value);
  Value constantLike(Value like, int64_t value);
};

/// Codes and E8M0 scales of the weights of E experts, whichever layout they
/// are in.
class WeightAccess {
public:
  /// Operands of a grouped matmul: one of blocks, or codes and scales.
  WeightAccess(LoopBuilder &loops, mlir::ValueRange weights);
  /// Blocks of this layout as their bytes.
  WeightAccess(LoopBuilder &loops, mlir::Value bytes, BlockLayout layout);

  /// The code at (expert, n, k) as i32.
  mlir::Value code(mlir::Value expert, mlir::Value n, mlir::Value k);
  /// The E8M0 byte of (expert, n, k32 slice).
  mlir::Value scale(mlir::Value expert, mlir::Value n, mlir::Value slice);

  // Packed layout only.
  /// Makes every code 0 and every scale the padding scale.
  void clear();
  /// Writes a code into a position that holds code 0.
  void setCode(mlir::Value expert, mlir::Value n, mlir::Value k,
               mlir::Value code);
  void setScale(mlir::Value expert, mlir::Value n, mlir::Value slice,
                mlir::Value scale);

private:
  /// Indices of the byte at `sum`(n, k) of its block; the last is the byte.
  llvm::SmallVector<mlir::Value> byteAt(const PositionSum &sum,
                                        mlir::Value expert, mlir::Value n,
                                        mlir::Value k);
  /// Shift of code bit `bit` in the word of the code at (n, k), as i32.
  mlir::Value shiftOf(int bit, mlir::Value n, mlir::Value k);

  LoopBuilder &l;
  bool packed;
  /// The checkpoint operands, or the bytes of the blocks.
  mlir::Value codes, scales, bytes;
  std::optional<BlockLayout> layout;
  std::optional<BlockIndex> blockIndex;
};

} // namespace mxfp4

#endif // MXFP4_LIB_TRANSFORMS_LOOPBUILDER_H
