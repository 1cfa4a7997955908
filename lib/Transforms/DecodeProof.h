//===- DecodeProof.h - Are these values an MXFP4 decode? --------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// There are a hundred ways to write a decode: look-up tables, shifts and bit
// casts, powers of two, `arith.scaling_extf`; in one body or in sixty
// operations. None is recognised. Instead, each of the 32 values of a block is
// traced back to what it is computed from (ElementTrace.h): one code and one
// scale, at positions that say in which order the tensors hold them. What is
// computed is run on all codes and all scales and compared with `decodeExact`.
// What passes is a decode, however it is written.
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_LIB_TRANSFORMS_DECODEPROOF_H
#define MXFP4_LIB_TRANSFORMS_DECODEPROOF_H

#include "ElementTrace.h"
#include "Promises.h"

namespace mxfp4 {

/// Decoded values: codes and scales, and where those of a value are.
struct Decode {
  /// The "loop" of the positions in a block.
  static constexpr unsigned kInBlock = Digit::kKnown - 1;

  mlir::Value codes, scales;
  /// What one of them is: a part of an element where an element is a word.
  mlir::Type codeType, scaleType;
  /// The nibbles of a word in the order of their values; empty where codes are
  /// in no words.
  llvm::SmallVector<unsigned> nibbles;
  /// For each dimension, digits of the values' dimensions and of the block; of
  /// words, also for the bytes of a word, the lowest first.
  ElementIndex codesIndex, scalesIndex;
  /// Whether the first of two values is the high nibble of their byte.
  bool highFirst = false;
  /// The shape of the values.
  llvm::SmallVector<int64_t> shape;
  /// The dimensions of the values that run over K, the last one included.
  unsigned firstK = 0, lastK = 0;
  /// Neighbouring blocks along K that have one scale.
  int64_t blocksPerScale = 1;

  /// Dimensions of the values that do not run over K.
  llvm::SmallVector<unsigned> leading() const;
  /// K / 32.
  int64_t numBlocks() const;
  bool codesAreWords() const { return isWord(codes.getType()); }
  bool scalesAreWords() const { return isWord(scales.getType()); }
  /// Whether two codes are in a byte, of a word or not.
  bool codesAreBytes() const {
    return codeType.isInteger(8) || codesAreWords();
  }
};

/// Values that may be decoded: how one of them is computed.
struct DecodeCandidate {
  std::function<ElementTrace::Found(ElementTrace &, const ElementIndex &)>
      element;
  llvm::SmallVector<int64_t> shape;
  mlir::Type type;
};

/// How far a candidate came.
enum class DecodeStep {
  /// Its values do not come from one code and one scale.
  None,
  /// They do, but are not the decode of them.
  Traced,
  /// They are.
  Proven,
};

/// Proves that values are decoded. `step`: how far it came.
mlir::FailureOr<Decode> proveDecode(const DecodeCandidate &candidate,
                                    const Promises &promises, Miss *why,
                                    DecodeStep *step = nullptr);

} // namespace mxfp4

#endif // MXFP4_LIB_TRANSFORMS_DECODEPROOF_H
