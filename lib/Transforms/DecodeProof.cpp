//===- DecodeProof.cpp - Is this body an MXFP4 decode? --------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "DecodeProof.h"

#include "mxfp4/Core/Format.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/BitVector.h"

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

/// 256 for i8, 16 for i4 and f4E2M1FN, 0 for what holds no codes.
unsigned codesOf(Type type) {
  if (type.isInteger(8))
    return 256;
  return type.isInteger(4) || isa<Float4E2M1FNType>(type) ? 16 : 0;
}

/// The results of a body on its whole domain.
class BodyTable {
public:
  static FailureOr<BodyTable> run(const DecodeBody &body, Miss *why);

  Attribute at(unsigned code, unsigned parity, unsigned scale) const {
    return results[(scale * 2 + parity) * codes + code];
  }
  /// 256 for bytes, 16 for single codes.
  unsigned numCodes() const { return codes; }
  unsigned numScales() const { return scales; }
  /// The 4-bit code that a result belongs to.
  unsigned nibble(unsigned code, unsigned parity) const {
    // A single code has no high nibble to choose.
    return parity && codes == 256 ? code >> 4 : code & 15;
  }

private:
  unsigned codes = 0, scales = 0;
  std::vector<Attribute> results;
};

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

std::string text(const APFloat &value) {
  SmallString<32> buffer;
  value.toString(buffer);
  return buffer.str().str();
}

/// "1, 2, 3", or how many of how many.
std::string list(const llvm::BitVector &set) {
  if (set.count() > 4)
    return (Twine(set.count()) + " of " + Twine(set.size())).str();
  std::string result;
  for (unsigned element : set.set_bits())
    result += (result.empty() ? "" : ", ") + std::to_string(element);
  return result;
}

/// Where a body's results are not `decodeExact`.
class Differences {
public:
  explicit Differences(unsigned scales) : scales(scales), codes(16) {}

  void add(unsigned code, unsigned scale, uint16_t expected,
           const APFloat &got) {
    if (codes.none())
      first =
          ("code " + Twine(code) + " with scale byte " + Twine(scale) +
           " must be " + text(APFloat(APFloat::BFloat(), APInt(16, expected))) +
           ", but is " + text(got))
              .str();
    codes.set(code);
    scales.set(scale);
  }

  LogicalResult result(Miss *why) const {
    if (codes.none())
      return success();
    llvm::BitVector inner = scales;
    inner.reset(0);
    inner.reset(kScaleNaN);
    std::string next;
    if (inner.none())
      next = "scale byte 0 is 2^-127 and scale byte 255 is NaN, also where a "
             "checkpoint has neither: select these values for these bytes";
    else if (codes.count() == 1 && codes.test(8))
      next = "code 8 is -0.0";
    return miss(why,
                "the decode is not exact: " + Twine(first) +
                    " (different at codes " + list(codes) +
                    "; at scale bytes " + list(scales) + ")",
                next);
  }

private:
  std::string first;
  llvm::BitVector scales, codes;
};

} // namespace

LogicalResult mxfp4::proveDecode(const DecodeBody &body, Miss *why) {
  Type scaleType = body.scale.getType(), resultType = body.result.getType();
  if (!(scaleType.isInteger(8) || isa<Float8E8M0FNUType>(scaleType)))
    return miss(why, "scales must be i8 or f8E8M0FNU");
  if (!resultType.isBF16() && !resultType.isF32())
    return miss(why, "values must be bf16 or f32, which hold every decoded "
                     "value");
  FailureOr<BodyTable> table = BodyTable::run(body, why);
  if (failed(table))
    return failure();
  Differences differences(table->numScales());
  for (unsigned scale = 0; scale < 256; ++scale)
    for (unsigned parity = 0; parity < 2; ++parity)
      for (unsigned code = 0; code < table->numCodes(); ++code) {
        const unsigned nibble = table->nibble(code, parity);
        const uint16_t expected = decodeExact(nibble, scale);
        APFloat value =
            cast<FloatAttr>(table->at(code, parity, scale)).getValue();
        if (value.isNaN() && isNaNBF16(expected))
          continue;
        const uint64_t wide = uint64_t(expected)
                              << (resultType.isF32() ? 16 : 0);
        if (value.bitcastToAPInt() != wide)
          differences.add(nibble, scale, expected, value);
      }
  return differences.result(why);
}

LogicalResult mxfp4::proveUnpack(const DecodeBody &body, Miss *why) {
  if (!body.code.getType().isInteger(8) || codesOf(body.result.getType()) != 16)
    return miss(why, "unpacking takes i4 or f4E2M1FN out of i8");
  FailureOr<BodyTable> table = BodyTable::run(body, why);
  if (failed(table))
    return failure();
  for (unsigned parity = 0; parity < 2; ++parity)
    for (unsigned code = 0; code < 256; ++code) {
      Attribute value = table->at(code, parity, 0);
      APInt bits = isa<FloatAttr>(value)
                       ? cast<FloatAttr>(value).getValue().bitcastToAPInt()
                       : cast<IntegerAttr>(value).getValue();
      if (bits != table->nibble(code, parity))
        return miss(why, "codes must be the low nibble of a byte and then the "
                         "high one, but byte " +
                             Twine(code) + " gives " +
                             Twine(bits.getZExtValue()) +
                             (parity ? " second" : " first"));
    }
  return success();
}
