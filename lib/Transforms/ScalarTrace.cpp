//===- ScalarTrace.cpp - Scalars of a body as a graph ---------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ElementTrace.h"
#include "ScalarEval.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/TypeUtilities.h"

using namespace mlir;
using namespace mxfp4;

using Found = ElementTrace::Found;

Found ElementTrace::scalar(Value value, linalg::LinalgOp op,
                           ArrayRef<Digits> loops) {
  std::map<void *, Found> known;
  return scalarIn(value, {op.getBlock(), op, loops, &known});
}

Found ElementTrace::scalarIn(Value value, const Scope &scope) {
  void *key = value.getAsOpaquePointer();
  if (scope.known)
    if (auto found = scope.known->find(key); found != scope.known->end())
      return found->second;
  Found found;
  if (depth < 512) {
    ++depth;
    found = compute(value, scope);
    --depth;
  }
  if (scope.known)
    (*scope.known)[key] = found;
  return found;
}

Found ElementTrace::argument(BlockArgument value, const Scope &scope) {
  if (!scope.op || value.getOwner() != scope.block)
    return fail("the value depends on more than codes, scales and constants");
  linalg::LinalgOp op = scope.op;
  OpOperand *operand = op.getMatchingOpOperand(value);
  auto type = dyn_cast<RankedTensorType>(operand->get().getType());
  if (!type)
    return scalarIn(operand->get(), Scope());
  ElementIndex index;
  for (auto [dim, expr] :
       llvm::enumerate(op.getMatchingIndexingMap(operand).getResults())) {
    std::optional<Digits> digits = evaluateDigits(expr, scope.loops);
    if (digits)
      digits = fitDigits(*digits, type.getDimSize(dim));
    if (!digits)
      return fail("an input is read at a position that no digits describe");
    index.push_back(*digits);
  }
  return element(operand->get(), index);
}

namespace {

/// A value that is one of two others.
struct Choice {
  Value condition, taken, other;
};

} // namespace

static std::optional<Choice> choiceOf(OpResult value) {
  if (auto branch = dyn_cast<scf::IfOp>(value.getOwner())) {
    const unsigned number = value.getResultNumber();
    return Choice{branch.getCondition(), branch.thenYield()->getOperand(number),
                  branch.elseYield()->getOperand(number)};
  }
  if (auto select = dyn_cast<arith::SelectOp>(value.getOwner()))
    return Choice{select.getCondition(), select.getTrueValue(),
                  select.getFalseValue()};
  return std::nullopt;
}

Found ElementTrace::compute(Value value, const Scope &scope) {
  if (auto blockArgument = dyn_cast<BlockArgument>(value))
    return argument(blockArgument, scope);
  Operation *op = value.getDefiningOp();
  Attribute attribute;
  if (matchPattern(value, m_Constant(&attribute))) {
    std::optional<uint64_t> bits = scalarBits(attribute);
    return bits ? constant(value.getType(), *bits)
                : fail("a constant is no number");
  }
  if (auto index = dyn_cast<linalg::IndexOp>(op)) {
    if (!scope.op || op->getParentOp() != scope.op)
      return fail("the value depends on a loop around it");
    return position(index.getType(), scope.loops[index.getDim()], true);
  }
  if (isa<tensor::ExtractOp>(op))
    return lookup(op, scope);
  SmallVector<unsigned> operands;
  const auto collect = [&](Value operand) {
    Found found = scalarIn(operand, scope);
    if (found)
      operands.push_back(*found);
    return found.has_value();
  };
  if (std::optional<Choice> choice = choiceOf(cast<OpResult>(value))) {
    if (!collect(choice->condition))
      return std::nullopt;
    // Where the condition is known, the value that is not taken need not be
    // defined: concatenations read outside of the other tensor there.
    const ScalarNode &condition = nodes[operands[0]];
    if (condition.kind == ScalarNode::Kind::Constant)
      return scalarIn(condition.bits ? choice->taken : choice->other, scope);
    if (!collect(choice->taken) || !collect(choice->other))
      return std::nullopt;
  } else {
    for (Value operand : op->getOperands())
      if (!collect(operand))
        return std::nullopt;
  }
  if (Found found = ofPosition(op, operands))
    return found;
  return operation(op, operands);
}

Found ElementTrace::operation(Operation *op, ArrayRef<unsigned> operands) {
  if (Found found = ofWord(op, operands))
    return found;
  SmallVector<unsigned> taken;
  for (unsigned operand : operands) {
    Found found = takeOutOf(operand);
    if (!found)
      return std::nullopt;
    taken.push_back(*found);
  }
  operands = taken;
  ScalarNode node;
  node.type = getElementTypeOrSelf(op->getResult(0).getType());
  node.operands.assign(operands.begin(), operands.end());
  for (unsigned operand : operands)
    if (nodes[operand].kind == ScalarNode::Kind::Position)
      return fail("'" + op->getName().getStringRef() +
                  "' computes with a position, of which a decode may only "
                  "take digits, to choose a nibble or an element");
  if (isa<arith::SelectOp, scf::IfOp>(op)) {
    node.kind = ScalarNode::Kind::Select;
    const ScalarNode &condition = nodes[operands[0]];
    if (condition.kind == ScalarNode::Kind::Constant)
      return operands[condition.bits ? 1 : 2];
    return add(std::move(node));
  }
  ScalarFunction function = scalarFunction(op);
  if (!function && !approximateFunction(op))
    return fail("the proof does not run '" + op->getName().getStringRef() +
                "' of these types");
  SmallVector<uint64_t> bits;
  for (unsigned operand : operands) {
    if (nodes[operand].kind == ScalarNode::Kind::Constant)
      bits.push_back(nodes[operand].bits);
  }
  if (function && bits.size() == operands.size())
    if (std::optional<uint64_t> result = function(bits))
      return constant(node.type, *result);
  node.kind = ScalarNode::Kind::Operation;
  node.op = op;
  return add(std::move(node));
}

/// The number that a narrow integer with the low bits of a position becomes in
/// a wider one, or nullopt: a number with a sign bit of its own may be
/// negative.
static std::optional<Digits> widenDigits(Digits digits, unsigned width,
                                         bool isSigned) {
  const int64_t bound = int64_t(1) << (isSigned ? width - 1 : width);
  int64_t extent = 1;
  for (const Digit &digit : digits)
    extent = ShapedType::isDynamic(digit.size) || digit.size > bound ||
                     extent > bound
                 ? bound + 1
                 : extent * digit.size;
  if (extent <= bound)
    return digits;
  return isSigned ? std::nullopt : takeLow(digits, bound);
}

/// A comparison of a position with a number that is the same for all positions,
/// which front ends check shifts with.
Found ElementTrace::ofComparison(arith::CmpIOp op, const Digits &digits,
                                 uint64_t with) {
  std::optional<int64_t> last = largestPosition(digits);
  if (!last)
    return std::nullopt;
  const unsigned width = scalarWidth(op.getLhs().getType());
  // Both ends decide, unless the number is between them.
  const int64_t number = APInt(width, with).getSExtValue();
  if ((number >= 0 && number <= *last) || *last >> (width - 1) != 0)
    return std::nullopt;
  return constant(op.getType(),
                  arith::applyCmpPredicate(op.getPredicate(), APInt(width, 0),
                                           APInt(width, with)));
}

/// A position times a number, if the type has the product.
Found ElementTrace::multiplied(Operation *op, Type type, Digits digits,
                               uint64_t by) {
  const unsigned width = scalarWidth(type);
  std::optional<int64_t> last = largestPosition(digits);
  if (isa<arith::ShLIOp>(op))
    by = by < 16 ? uint64_t(1) << by : 0;
  if (!last || by == 0 || by > (1 << 16) ||
      (*last * static_cast<int64_t>(by)) >> std::min(width - 1, 31U) != 0)
    return std::nullopt;
  appendDigit(digits, Digit::known(0, static_cast<int64_t>(by)));
  return position(type, digits, true);
}

/// Integer operations on positions that leave digits.
Found ElementTrace::ofPosition(Operation *op, ArrayRef<unsigned> operands) {
  const auto isPosition = [&](unsigned number) {
    return number < operands.size() &&
           nodes[operands[number]].kind == ScalarNode::Kind::Position;
  };
  if (!isPosition(0) && isPosition(1) && isa<arith::MulIOp>(op))
    return ofPosition(op, {operands[1], operands[0]});
  if (!isPosition(0))
    return std::nullopt;
  const ScalarNode &from = nodes[operands[0]];
  Digits digits = from.index[0];
  Type type = op->getResult(0).getType();
  if (auto trunc = dyn_cast<arith::TruncIOp>(op);
      trunc && scalarWidth(type) <= 4) {
    auto low = takeLow(digits, int64_t(1) << scalarWidth(type));
    return low ? position(type, *low, true) : std::nullopt;
  }
  const unsigned width = scalarWidth(from.type), toWidth = scalarWidth(type);
  if (isa<arith::IndexCastOp, arith::IndexCastUIOp, arith::ExtUIOp,
          arith::ExtSIOp, arith::TruncIOp>(op)) {
    if (width >= 32 || toWidth <= width) {
      std::optional<int64_t> last = largestPosition(digits);
      const bool fits = (toWidth >= 32 && toWidth >= width) ||
                        (last && *last >> (toWidth - 1) == 0);
      return position(type, digits, from.exact && fits);
    }
    const bool isSigned = isa<arith::IndexCastOp, arith::ExtSIOp>(op);
    auto wide = widenDigits(digits, width, isSigned);
    return wide ? position(type, *wide, true) : std::nullopt;
  }
  if (operands.size() != 2 ||
      nodes[operands[1]].kind != ScalarNode::Kind::Constant)
    return std::nullopt;
  const uint64_t by = nodes[operands[1]].bits;
  if (auto compare = dyn_cast<arith::CmpIOp>(op); compare && from.exact)
    return ofComparison(compare, digits, by);
  if (isa<arith::MulIOp, arith::ShLIOp>(op) && from.exact)
    return multiplied(op, type, digits, by);
  const bool isPower = llvm::isPowerOf2_64(by);
  if (isa<arith::AndIOp>(op) && llvm::isPowerOf2_64(by + 1)) {
    auto low = takeLow(digits, static_cast<int64_t>(by) + 1);
    return low ? position(type, *low, true) : std::nullopt;
  }
  if (isa<arith::RemUIOp, arith::RemSIOp>(op) && by > 0 &&
      (from.exact || (isPower && isa<arith::RemUIOp>(op)))) {
    auto low = takeLow(digits, static_cast<int64_t>(by));
    return low ? position(type, *low, true) : std::nullopt;
  }
  if (!from.exact)
    return std::nullopt;
  if (isa<arith::DivUIOp, arith::DivSIOp>(op) && by > 0)
    return takeLow(digits, static_cast<int64_t>(by))
               ? position(type, digits, true)
               : std::nullopt;
  if (isa<arith::ShRUIOp>(op) && by < 32)
    return takeLow(digits, int64_t(1) << by) ? position(type, digits, true)
                                             : std::nullopt;
  return std::nullopt;
}
