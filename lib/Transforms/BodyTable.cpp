//===- BodyTable.cpp - What a body computes, by running it ----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "BodyTable.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace mxfp4;

namespace {

constexpr unsigned kCode = 1, kParity = 2, kScale = 4;

/// The values of an SSA value over the part of the domain that it depends on.
struct Table {
  unsigned depends = 0;
  std::vector<Attribute> values;
};

struct Point {
  unsigned code = 0, parity = 0, scale = 0;
};

class Runner {
public:
  Runner(const DecodeBody &body, unsigned codes) : body(body), codes(codes) {}

  void setInput(BlockArgument argument, unsigned depends, unsigned count) {
    Table table{depends, {}};
    for (unsigned bits = 0; bits < count; ++bits)
      table.values.push_back(constant(argument.getType(), bits));
    tables[argument] = std::move(table);
  }

  /// Runs what the result depends on.
  LogicalResult run(Miss *why) {
    DenseSet<Operation *> needed;
    collect(body.result, needed);
    for (Operation &inner : *body.code.getOwner())
      if (needed.contains(&inner) && !runOp(&inner))
        return explain(&inner, why);
    return success();
  }

  Attribute valueAt(Value value, Point point) {
    auto found = tables.find(value);
    if (found != tables.end())
      return found->second.values[indexOf(found->second.depends, point)];
    Attribute attribute;
    matchPattern(value, m_Constant(&attribute));
    return attribute;
  }

private:
  void collect(Value value, DenseSet<Operation *> &needed) {
    Operation *op = value.getDefiningOp();
    if (!op || op->getBlock() != body.code.getOwner() ||
        !needed.insert(op).second)
      return;
    for (Value operand : op->getOperands())
      collect(operand, needed);
  }

  /// Why `inner` did not run.
  LogicalResult explain(Operation *inner, Miss *why) {
    const StringRef name = inner->getName().getStringRef();
    if (isa<linalg::IndexOp>(inner) ||
        llvm::any_of(inner->getOperands(), [&](Value operand) {
          return positions.contains(operand);
        }))
      return miss(why,
                  "the proof knows of the position only its parity along the "
                  "last dimension, which selects a nibble, but '" +
                      name + "' takes more of it");
    for (Value operand : inner->getOperands())
      if (!valueAt(operand, {}))
        return miss(why, "the value depends on more than a code, a scale and "
                         "constants: see an operand of '" +
                             name + "'");
    return miss(why, "the proof runs the decode with MLIR's constant folders, "
                     "and has none for '" +
                         name + "' here");
  }

  static Attribute constant(Type type, unsigned bits) {
    APInt value(type.getIntOrFloatBitWidth(), bits);
    if (auto floatType = dyn_cast<FloatType>(type))
      return FloatAttr::get(type,
                            APFloat(floatType.getFloatSemantics(), value));
    return IntegerAttr::get(type, value);
  }

  unsigned indexOf(unsigned depends, Point p) const {
    unsigned index = 0;
    if (depends & kScale)
      index = p.scale;
    if (depends & kParity)
      index = index * 2 + p.parity;
    if (depends & kCode)
      index = index * codes + p.code;
    return index;
  }

  /// Visits the points that differ in what `depends` names.
  template <typename Visit> bool forEach(unsigned depends, Visit visit) {
    Point p;
    const unsigned scales = depends & kScale ? 256 : 1,
                   parities = depends & kParity ? 2 : 1,
                   count = depends & kCode ? codes : 1;
    for (p.scale = 0; p.scale < scales; ++p.scale)
      for (p.parity = 0; p.parity < parities; ++p.parity)
        for (p.code = 0; p.code < count; ++p.code)
          if (!visit(p))
            return false;
    return true;
  }

  bool runOp(Operation *inner) {
    if (inner->getNumRegions() != 0 || inner->getNumResults() != 1)
      return false;
    if (runPosition(inner))
      return true;
    Table table;
    for (Value operand : inner->getOperands()) {
      if (positions.contains(operand))
        return false;
      auto found = tables.find(operand);
      if (found != tables.end())
        table.depends |= found->second.depends;
    }
    // Folding may change an op in place (constants to the right).
    Operation *scratch = inner->clone();
    const bool ok = forEach(table.depends, [&](Point p) {
      table.values.push_back(fold(scratch, p));
      return table.values.back() != nullptr;
    });
    scratch->destroy();
    tables[inner->getResult(0)] = std::move(table);
    return ok;
  }

  /// The position along the last loop may be used only for its parity: two
  /// points then stand for all. A loop of two has no other position.
  bool runPosition(Operation *inner) {
    Value result = inner->getResult(0);
    if (auto index = dyn_cast<linalg::IndexOp>(inner)) {
      if (index.getDim() != body.lastLoop)
        return false;
      if (body.lastExtent == 2)
        setParity(result);
      else
        positions.insert(result);
      return true;
    }
    if (inner->getNumOperands() == 0 ||
        !positions.contains(inner->getOperand(0)))
      return false;
    // Low bits survive any integer cast but one to i1, which is the parity.
    if (isa<arith::IndexCastOp, arith::IndexCastUIOp, arith::TruncIOp,
            arith::ExtUIOp>(inner) &&
        !result.getType().isInteger(1)) {
      positions.insert(result);
      return true;
    }
    APInt by;
    const bool isParity =
        inner->getNumOperands() == 2 &&
        matchPattern(inner->getOperand(1), m_ConstantInt(&by)) &&
        ((isa<arith::RemUIOp>(inner) && by == 2) ||
         (isa<arith::AndIOp>(inner) && by == 1));
    if (isParity)
      setParity(result);
    return isParity;
  }

  void setParity(Value value) {
    Builder b(value.getContext());
    tables[value] = {kParity,
                     {b.getIntegerAttr(value.getType(), 0),
                      b.getIntegerAttr(value.getType(), 1)}};
  }

  Attribute fold(Operation *scratch, Point p) {
    if (scratch->hasTrait<OpTrait::ConstantLike>()) {
      Attribute value;
      matchPattern(scratch, m_Constant(&value));
      return value;
    }
    for (int attempt = 0; attempt < 3; ++attempt) {
      SmallVector<Attribute> operands;
      for (Value operand : scratch->getOperands()) {
        operands.push_back(valueAt(operand, p));
        if (!operands.back())
          return nullptr;
      }
      if (auto scaling = dyn_cast<arith::ScalingExtFOp>(scratch))
        return foldScaling(scaling, operands);
      SmallVector<OpFoldResult> results;
      if (failed(scratch->fold(operands, results)))
        return nullptr;
      if (results.empty())
        continue;
      if (auto value = dyn_cast<Value>(results[0]))
        return valueAt(value, p);
      Attribute attribute = cast<Attribute>(results[0]);
      return isa<IntegerAttr, FloatAttr>(attribute) ? attribute : nullptr;
    }
    return nullptr;
  }

  /// Upstream has no folder: widen both to the result type and multiply.
  static Attribute foldScaling(arith::ScalingExtFOp op,
                               ArrayRef<Attribute> operands) {
    auto type = dyn_cast<FloatType>(op.getOut().getType());
    auto value = dyn_cast<FloatAttr>(operands[0]);
    auto scale = dyn_cast<FloatAttr>(operands[1]);
    if (!type || !value || !scale || !isa<Float8E8M0FNUType>(scale.getType()) ||
        !isa<Float4E2M1FNType>(value.getType()))
      return nullptr;
    auto widen = [&](APFloat number) {
      bool inexact;
      number.convert(type.getFloatSemantics(), APFloat::rmNearestTiesToEven,
                     &inexact);
      return number;
    };
    APFloat product = widen(value.getValue());
    product.multiply(widen(scale.getValue()), APFloat::rmNearestTiesToEven);
    return FloatAttr::get(type, product);
  }

  const DecodeBody &body;
  unsigned codes;
  DenseMap<Value, Table> tables;
  /// Values whose lowest bit is the parity of the position.
  DenseSet<Value> positions;
};

} // namespace

unsigned mxfp4::codesOf(Type type) {
  if (type.isInteger(8))
    return 256;
  return type.isInteger(4) || isa<Float4E2M1FNType>(type) ? 16 : 0;
}

FailureOr<BodyTable> BodyTable::run(const DecodeBody &body, Miss *why) {
  BodyTable table;
  table.codes = codesOf(body.code.getType());
  table.scales = body.scale ? 256 : 1;
  if (!table.codes)
    return miss(why, "codes must be i8, i4 or f4E2M1FN");
  Runner runner(body, table.codes);
  runner.setInput(body.code, kCode, table.codes);
  if (body.scale)
    runner.setInput(body.scale, kScale, 256);
  if (failed(runner.run(why)))
    return failure();
  table.results.reserve(size_t(table.scales) * 2 * table.codes);
  for (unsigned scale = 0; scale < table.scales; ++scale)
    for (unsigned parity = 0; parity < 2; ++parity)
      for (unsigned code = 0; code < table.codes; ++code) {
        Attribute value = runner.valueAt(body.result, {code, parity, scale});
        if (!value)
          return miss(why, "the value depends on more than a code, a scale "
                           "and constants");
        table.results.push_back(value);
      }
  return table;
}
