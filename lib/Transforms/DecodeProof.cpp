//===- DecodeProof.cpp - Is this body an MXFP4 decode? --------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "DecodeProof.h"

#include "mxfp4/Core/Format.h"

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
  Runner(linalg::GenericOp op, unsigned codes) : op(op), codes(codes) {}

  void setInput(int input, unsigned depends, unsigned count) {
    BlockArgument argument = op.getBody()->getArgument(input);
    Table table{depends, {}};
    for (unsigned bits = 0; bits < count; ++bits)
      table.values.push_back(constant(argument.getType(), bits));
    tables[argument] = std::move(table);
  }

  bool run() {
    for (Operation &inner : op.getBody()->without_terminator())
      if (!runOp(&inner))
        return false;
    return true;
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
      if (index.getDim() + 1 != op.getNumLoops())
        return false;
      if (op.getStaticLoopRanges().back() == 2)
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

  linalg::GenericOp op;
  unsigned codes;
  DenseMap<Value, Table> tables;
  /// Values whose lowest bit is the parity of the position.
  DenseSet<Value> positions;
};

/// 256 for i8, 16 for i4 and f4E2M1FN, 0 for what holds no codes.
unsigned codesOf(Type type) {
  if (type.isInteger(8))
    return 256;
  return type.isInteger(4) || isa<Float4E2M1FNType>(type) ? 16 : 0;
}

} // namespace

std::optional<BodyTable> BodyTable::run(linalg::GenericOp op, int codeInput,
                                        int scaleInput) {
  BodyTable table;
  Block *body = op.getBody();
  table.codes = codesOf(body->getArgument(codeInput).getType());
  if (!table.codes)
    return std::nullopt;
  Runner runner(op, table.codes);
  runner.setInput(codeInput, kCode, table.codes);
  if (scaleInput >= 0)
    runner.setInput(scaleInput, kScale, 256);
  if (!runner.run())
    return std::nullopt;
  Value result = body->getTerminator()->getOperand(0);
  const unsigned scales = scaleInput >= 0 ? 256 : 1;
  table.results.reserve(size_t(scales) * 2 * table.codes);
  for (unsigned scale = 0; scale < scales; ++scale)
    for (unsigned parity = 0; parity < 2; ++parity)
      for (unsigned code = 0; code < table.codes; ++code) {
        Attribute value = runner.valueAt(result, {code, parity, scale});
        if (!value)
          return std::nullopt;
        table.results.push_back(value);
      }
  return table;
}

bool mxfp4::isDecode(linalg::GenericOp op, int codeInput, int scaleInput) {
  Type scaleType = op.getBody()->getArgument(scaleInput).getType();
  Type resultType = op.getBody()->getTerminator()->getOperand(0).getType();
  if (!(scaleType.isInteger(8) || isa<Float8E8M0FNUType>(scaleType)) ||
      !(resultType.isBF16() || resultType.isF32()))
    return false;
  std::optional<BodyTable> table = BodyTable::run(op, codeInput, scaleInput);
  if (!table)
    return false;
  for (unsigned scale = 0; scale < 256; ++scale)
    for (unsigned parity = 0; parity < 2; ++parity)
      for (unsigned code = 0; code < table->numCodes(); ++code) {
        // A single code has no high nibble to choose.
        const bool high = parity && table->numCodes() == 256;
        const uint16_t expected =
            decodeExact(high ? code >> 4 : code & 15, scale);
        APFloat value =
            cast<FloatAttr>(table->at(code, parity, scale)).getValue();
        if (value.isNaN() && isNaNBF16(expected))
          continue;
        const uint64_t wide = uint64_t(expected)
                              << (resultType.isF32() ? 16 : 0);
        if (value.bitcastToAPInt() != wide)
          return false;
      }
  return true;
}

bool mxfp4::isUnpack(linalg::GenericOp op) {
  if (op.getNumDpsInputs() != 1 || op.getNumDpsInits() != 1 ||
      !op.getBody()->getArgument(0).getType().isInteger(8))
    return false;
  Type resultType = op.getBody()->getTerminator()->getOperand(0).getType();
  if (codesOf(resultType) != 16)
    return false;
  std::optional<BodyTable> table = BodyTable::run(op, 0, -1);
  if (!table)
    return false;
  for (unsigned parity = 0; parity < 2; ++parity)
    for (unsigned code = 0; code < 256; ++code) {
      Attribute value = table->at(code, parity, 0);
      APInt bits = isa<FloatAttr>(value)
                       ? cast<FloatAttr>(value).getValue().bitcastToAPInt()
                       : cast<IntegerAttr>(value).getValue();
      if (bits != (parity ? code >> 4 : code & 15))
        return false;
    }
  return true;
}
