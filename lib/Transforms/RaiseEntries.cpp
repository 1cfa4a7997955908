//===- RaiseEntries.cpp - Named entries to grouped_matmul -----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A program may name the operation in place of spelling it out. What a front
// end makes of the name differs: a call of a function, a composite with its
// decomposition, a custom call. All take rows, codes, scales, offsets and
// perhaps ids. Operations of StableHLO are known by name, registered or not.
//
//===----------------------------------------------------------------------===//

#include "Raise.h"

#include "mxfp4/Core/Format.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/SymbolTable.h"

using namespace mlir;
using namespace mxfp4;

namespace {

/// An attribute of an operation. Unregistered operations have it among their
/// properties or among their discardable attributes.
Attribute attributeOf(Operation *op, StringRef name) {
  if (Attribute attribute = op->getDiscardableAttr(name))
    return attribute;
  auto properties =
      dyn_cast_or_null<DictionaryAttr>(op->getPropertiesAsAttribute());
  return properties ? properties.get(name) : Attribute();
}

/// The name that `op` calls something by; empty if it calls nothing.
StringRef calledName(Operation *op) {
  if (auto call = dyn_cast<func::CallOp>(op))
    return call.getCallee();
  const StringRef kind = op->getName().getStringRef();
  StringRef key = kind == "stablehlo.composite"     ? "name"
                  : kind == "stablehlo.custom_call" ? "call_target_name"
                                                    : "";
  Attribute called = key.empty() ? Attribute() : attributeOf(op, key);
  if (auto symbol = dyn_cast_or_null<FlatSymbolRefAttr>(called))
    return symbol.getValue();
  auto text = dyn_cast_or_null<StringAttr>(called);
  return text ? text.getValue() : "";
}

/// Whether a name is that of the entry. JAX names functions by identifiers, and
/// numbers those of one name: `mxfp4_grouped_matmul_1`.
bool isEntry(StringRef name) {
  if (name == "mxfp4.grouped_matmul")
    return true;
  if (!name.consume_front("mxfp4_grouped_matmul"))
    return false;
  unsigned number;
  return name.empty() ||
         (name.consume_front("_") && !name.getAsInteger(10, number));
}

/// The function with what an entry is short for, if there is one.
FlatSymbolRefAttr decomposition(Operation *op) {
  if (auto call = dyn_cast<func::CallOp>(op))
    return call.getCalleeAttr();
  return dyn_cast_or_null<FlatSymbolRefAttr>(attributeOf(op, "decomposition"));
}

std::string typeText(Type type) {
  std::string text;
  llvm::raw_string_ostream(text) << type;
  return text;
}

/// Whether `value` is a tensor of some element type and shape; -1 for any size.
LogicalResult check(Value value, StringRef name, StringRef expected,
                    ArrayRef<int64_t> shape, function_ref<bool(Type)> isElement,
                    Miss *why) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  bool fits = type && isElement(type.getElementType()) &&
              type.getRank() == static_cast<int64_t>(shape.size());
  for (int64_t i = 0, e = shape.size(); fits && i < e; ++i)
    fits =
        shape[i] < 0 || type.isDynamicDim(i) || type.getDimSize(i) == shape[i];
  if (fits)
    return success();
  return miss(why, name + " must be " + expected + ", got " +
                       typeText(value.getType()));
}

/// What an entry is given.
struct Entry {
  Value x, codes, scales, offsets, ids;
  RankedTensorType result;
};

/// The entry `op`, if its operands are those of the operation.
FailureOr<Entry> matchEntry(Operation *op, Miss *why) {
  const unsigned count = op->getNumOperands();
  if (count < 4 || count > 5 || op->getNumResults() != 1)
    return miss(why,
                "it must take rows, codes, scales and offsets, perhaps ids "
                "as well, and have one result, got " +
                    Twine(count) + " operands and " +
                    Twine(op->getNumResults()) + " results");
  auto is = [](unsigned bits) {
    return [bits](Type type) {
      return isa<IntegerType>(type) && type.getIntOrFloatBitWidth() == bits;
    };
  };
  Entry entry{op->getOperand(0),
              op->getOperand(1),
              op->getOperand(2),
              op->getOperand(3),
              count == 5 ? op->getOperand(4) : Value(),
              dyn_cast<RankedTensorType>(op->getResult(0).getType())};
  if (failed(check(entry.codes, "codes", "[E, N, K/32, 16] bytes",
                   {-1, -1, -1, kScaleBlock / 2}, is(8), why)))
    return failure();
  auto codes = cast<RankedTensorType>(entry.codes.getType());
  if (codes.isDynamicDim(0) || codes.isDynamicDim(2))
    return miss(why, "the number of experts and K must be static, got codes " +
                         typeText(codes));
  const int64_t experts = codes.getDimSize(0), n = codes.getDimSize(1),
                blocks = codes.getDimSize(2);
  if (failed(check(
          entry.x, "rows", "[R, K] bf16, with K of the codes",
          {-1, blocks * kScaleBlock}, [](Type type) { return type.isBF16(); },
          why)) ||
      failed(check(entry.scales, "scales",
                   "[E, N, K/32] bytes, with E, N and K of the codes",
                   {experts, n < 0 ? -1 : n, blocks}, is(8), why)) ||
      failed(check(entry.offsets, "offsets",
                   entry.ids ? "[G + 1] i32" : "[E + 1] i32",
                   {entry.ids ? -1 : experts + 1}, is(32), why)) ||
      (entry.ids &&
       failed(check(entry.ids, "ids", "[G] i32", {-1}, is(32), why))) ||
      failed(check(
          op->getResult(0), "the result", "[R, N] bf16 or f32",
          {-1, n < 0 ? -1 : n},
          [](Type type) { return type.isBF16() || type.isF32(); }, why)))
    return failure();
  return entry;
}

/// Numbers without a sign: bytes and indices of StableHLO may have one.
Value signless(OpBuilder &b, Location loc, Value value) {
  if (!value)
    return value;
  auto type = cast<RankedTensorType>(value.getType());
  const unsigned bits = type.getElementTypeBitWidth();
  RankedTensorType wanted = type.clone(b.getIntegerType(bits));
  return type == wanted
             ? value
             : tensor::BitcastOp::create(b, loc, wanted, value).getResult();
}

void raiseEntry(Operation *op, const Entry &entry) {
  OpBuilder b(op);
  const Location loc = op->getLoc();
  const OpFoldResult sizes[] = {tensor::getMixedSize(b, loc, entry.x, 0),
                                tensor::getMixedSize(b, loc, entry.codes, 1)};
  Value into =
      tensor::EmptyOp::create(b, loc, sizes, entry.result.getElementType());
  const Value weights[] = {signless(b, loc, entry.codes),
                           signless(b, loc, entry.scales)};
  auto matmul = GroupedMatmulOp::create(
      b, loc, into.getType(), entry.x, weights, signless(b, loc, entry.offsets),
      signless(b, loc, entry.ids), into);
  Value y = matmul.getResult(0);
  if (y.getType() != entry.result)
    y = tensor::CastOp::create(b, loc, entry.result, y);
  op->replaceAllUsesWith(ValueRange{y});
  op->erase();
}

/// Erases private functions that nothing calls any more, beginning with some.
void eraseUnused(SetVector<Operation *> functions) {
  while (!functions.empty()) {
    auto symbol = cast<SymbolOpInterface>(functions.pop_back_val());
    Operation *table = symbol->getParentOp();
    if (!symbol.isPrivate() || !symbol.symbolKnownUseEmpty(table))
      continue;
    symbol->walk([&](Operation *op) {
      for (NamedAttribute attribute : op->getAttrs())
        attribute.getValue().walk([&](SymbolRefAttr used) {
          if (Operation *next = SymbolTable::lookupNearestSymbolFrom(op, used))
            if (isa<SymbolOpInterface>(next) && next != symbol)
              functions.insert(next);
        });
    });
    symbol->erase();
  }
}

} // namespace

void mxfp4::raiseEntries(Operation *root) {
  SmallVector<Operation *> found;
  root->walk([&](Operation *op) {
    if (isEntry(calledName(op)))
      found.push_back(op);
  });
  SetVector<Operation *> bodies;
  for (Operation *op : found) {
    Miss why;
    FailureOr<Entry> entry = matchEntry(op, &why);
    if (failed(entry)) {
      op->emitRemark() << "names mxfp4.grouped_matmul and is not raised: "
                       << why.condition;
      continue;
    }
    if (FlatSymbolRefAttr name = decomposition(op))
      if (Operation *body = SymbolTable::lookupNearestSymbolFrom(op, name))
        bodies.insert(body);
    raiseEntry(op, *entry);
  }
  eraseUnused(std::move(bodies));
}
