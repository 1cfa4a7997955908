//===- ElementTrace.h - What one element is computed from -------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One element of a tensor, as a graph of scalar operations whose leaves are
// elements of tensors that the program gets from elsewhere. Whatever only moves
// elements disappears: reshapes, transpositions, broadcasts, concatenations and
// inserted slices become digits of a position (Digits.h), and every linalg
// operation, named or not, is the scalar operations of its body.
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_LIB_TRANSFORMS_ELEMENTTRACE_H
#define MXFP4_LIB_TRANSFORMS_ELEMENTTRACE_H

#include "Digits.h"
#include "Miss.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"

#include <map>

namespace mxfp4 {

/// A scalar of the graph. Equal scalars are one.
struct ScalarNode {
  enum class Kind {
    /// `bits`.
    Constant,
    /// The element `index` of `tensor`.
    Element,
    /// The position `index[0]`, or, if it is not `exact`, its low bits.
    Position,
    /// `op` of the operands.
    Operation,
    /// The second operand where the first is 1, else the third.
    Select,
    /// The element of a constant tensor, `table`, that the operands number, one
    /// for each dimension.
    Lookup,
    /// A number made of `pieces` of the element `index` of `tensor`, a word of
    /// several codes or scales, from bit `first` on.
    Word,
    /// A number made of `pieces` of its operand.
    Pieces,
  };
  /// Of what one bit of a number is: the bit of this number, or one of these.
  static constexpr int8_t kZero = -1, kOne = -2, kUnknown = -3;
  Kind kind = Kind::Constant;
  mlir::Type type;
  llvm::SmallVector<unsigned, 3> operands;
  mlir::Operation *op = nullptr;
  uint64_t bits = 0;
  mlir::Value tensor;
  ElementIndex index;
  bool exact = true;
  mlir::Attribute table;
  /// From the lowest bit on.
  llvm::SmallVector<int8_t, 0> pieces;
  Digits first;
};

/// Whether a type is one that codes or scales are kept in.
bool isStorage(mlir::Type type);

/// Whether a type is one of integers that may hold several codes or scales.
bool isWord(mlir::Type type);

/// Whether an operation sums: a loop of one iteration does not.
bool isSum(mlir::linalg::LinalgOp op);

/// The bits of the elements of a constant tensor, in order; empty if there are
/// too many, or if their type is none of scalars.
std::vector<uint64_t> tableBits(mlir::Attribute table);

/// The graph of scalars, and the way to it from elements.
class ElementTrace {
public:
  using Found = std::optional<unsigned>;

  /// The element of a tensor at a position.
  Found element(mlir::Value tensor, const ElementIndex &index);
  /// A scalar of the body of `op` in one iteration.
  Found scalar(mlir::Value value, mlir::linalg::LinalgOp op,
               llvm::ArrayRef<Digits> loops);

  /// From now on, all elements of a tensor are the same leaf.
  void forgetIndexOf(mlir::Value tensor) { forgotten = tensor; }

  const ScalarNode &operator[](unsigned node) const { return nodes[node]; }
  size_t size() const { return nodes.size(); }
  /// Why the last trace failed.
  const Miss &why() const { return miss; }

private:
  /// The body that scalars are of: nothing, a linalg operation, or a
  /// `tensor.generate`.
  struct Scope {
    mlir::Block *block = nullptr;
    mlir::linalg::LinalgOp op;
    llvm::ArrayRef<Digits> loops;
    std::map<void *, Found> *known = nullptr;
  };

  Found fail(const llvm::Twine &reason);
  Found add(ScalarNode node);
  Found constant(mlir::Type type, uint64_t bits);
  Found position(mlir::Type type, const Digits &digits, bool exact);

  Found through(mlir::Value tensor, const ElementIndex &index);
  Found throughReshape(mlir::Operation *op, const ElementIndex &index,
                       bool &isReshape);
  Found throughInsert(mlir::Operation *op, const ElementIndex &index);
  Found throughExtract(mlir::Operation *op, const ElementIndex &index);
  Found throughConcat(mlir::Operation *op, const ElementIndex &index);
  Found throughLinalg(mlir::linalg::LinalgOp op, unsigned result,
                      const ElementIndex &index);
  Found throughElementwise(mlir::Operation *op, const ElementIndex &index);
  Found ofConstant(mlir::Attribute value, const ElementIndex &index);

  Found scalarIn(mlir::Value value, const Scope &scope);
  Found compute(mlir::Value value, const Scope &scope);
  Found argument(mlir::BlockArgument value, const Scope &scope);
  Found lookup(mlir::Operation *op, const Scope &scope);
  mlir::Attribute computedTable(mlir::Value tensor);
  mlir::Attribute part(const std::vector<uint64_t> &bits,
                       mlir::RankedTensorType type,
                       llvm::ArrayRef<unsigned> computed,
                       llvm::ArrayRef<unsigned> indices) const;
  Found ofPosition(mlir::Operation *op, llvm::ArrayRef<unsigned> operands);
  Found ofComparison(mlir::arith::CmpIOp op, const Digits &digits,
                     uint64_t with);
  Found multiplied(mlir::Operation *op, mlir::Type type, Digits digits,
                   uint64_t by);
  Found word(mlir::Value tensor, const ElementIndex &index);
  Found ofWord(mlir::Operation *op, llvm::ArrayRef<unsigned> operands);
  Found wordWith(unsigned from, mlir::Type type,
                 llvm::SmallVector<int8_t, 0> pieces, const Digits &first);
  Found takeOutOf(unsigned word);
  Found operation(mlir::Operation *op, llvm::ArrayRef<unsigned> operands);

  std::vector<ScalarNode> nodes;
  std::map<std::vector<int64_t>, unsigned> interned;
  std::map<std::vector<int64_t>, Found> elements;
  mlir::Value forgotten;
  unsigned depth = 0;
  Miss miss;
};

} // namespace mxfp4

#endif // MXFP4_LIB_TRANSFORMS_ELEMENTTRACE_H
