//===- Entries.cpp - Operations that a program names ----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Entries.h"

#include "mxfp4/Core/Format.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/SymbolTable.h"

using namespace mlir;
using namespace mxfp4;

Attribute mxfp4::attributeOf(Operation *op, StringRef name) {
  if (Attribute attribute = op->getDiscardableAttr(name))
    return attribute;
  auto properties =
      dyn_cast_or_null<DictionaryAttr>(op->getPropertiesAsAttribute());
  return properties ? properties.get(name) : Attribute();
}

StringRef mxfp4::calledName(Operation *op) {
  if (auto call = dyn_cast<func::CallOp>(op))
    return call.getCallee();
  const StringRef kind = op->getName().getStringRef();
  const bool isTorch = kind == "torch.operator";
  StringRef key = isTorch || kind == "stablehlo.composite" ? "name"
                  : kind == "stablehlo.custom_call"        ? "call_target_name"
                                                           : "";
  Attribute called = key.empty() ? Attribute() : attributeOf(op, key);
  if (auto symbol = dyn_cast_or_null<FlatSymbolRefAttr>(called))
    return symbol.getValue();
  auto text = dyn_cast_or_null<StringAttr>(called);
  StringRef name = text ? text.getValue() : "";
  if (isTorch)
    name.consume_front("torch.");
  return name;
}

bool mxfp4::isEntry(StringRef name, StringRef entry) {
  if ((!name.consume_front("mxfp4.") && !name.consume_front("mxfp4_")) ||
      !name.consume_front(entry))
    return false;
  unsigned number;
  return name.empty() ||
         (name.consume_front("_") && !name.getAsInteger(10, number));
}

Operation *mxfp4::decomposition(Operation *op) {
  FlatSymbolRefAttr name;
  if (auto call = dyn_cast<func::CallOp>(op))
    name = call.getCalleeAttr();
  else
    name =
        dyn_cast_or_null<FlatSymbolRefAttr>(attributeOf(op, "decomposition"));
  return name ? SymbolTable::lookupNearestSymbolFrom(op, name) : nullptr;
}

void mxfp4::eraseUnused(SetVector<Operation *> functions) {
  while (!functions.empty()) {
    auto symbol = cast<SymbolOpInterface>(functions.pop_back_val());
    Operation *table = symbol->getParentOp();
    if (!symbol.isPrivate() || !symbol.symbolKnownUseEmpty(table))
      continue;
    const auto visit = [&](Operation *op, Attribute attribute) {
      attribute.walk([&](SymbolRefAttr used) {
        if (Operation *next = SymbolTable::lookupNearestSymbolFrom(op, used))
          if (isa<SymbolOpInterface>(next) && next != symbol)
            functions.insert(next);
      });
    };
    symbol->walk([&](Operation *op) {
      for (NamedAttribute attribute : op->getDiscardableAttrs())
        visit(op, attribute.getValue());
      if (Attribute properties = op->getPropertiesAsAttribute())
        visit(op, properties);
    });
    symbol->erase();
  }
}

//===----------------------------------------------------------------------===//
// Calls
//===----------------------------------------------------------------------===//

/// `!torch.vtensor<[8,64],bf16>` as a tensor of MLIR, whose integers have no
/// sign, as torch-mlir's conversions have it; null for anything else.
static RankedTensorType tensorOfTorch(Type type) {
  auto opaque = dyn_cast<OpaqueType>(type);
  if (!opaque || opaque.getDialectNamespace() != "torch")
    return {};
  StringRef text = opaque.getTypeData();
  if (!text.consume_front("vtensor<[") || !text.consume_back(">"))
    return {};
  auto [sizes, element] = text.split("],");
  SmallVector<int64_t> shape;
  SmallVector<StringRef> parts;
  sizes.split(parts, ',', /*MaxSplit=*/-1, /*KeepEmpty=*/false);
  for (StringRef part : parts) {
    int64_t size = ShapedType::kDynamic;
    if (part.trim() != "?" && part.trim().getAsInteger(10, size))
      return {};
    shape.push_back(size);
  }
  Builder b(type.getContext());
  unsigned width;
  StringRef bits = element.trim();
  const bool isInteger =
      (bits.consume_front("si") || bits.consume_front("ui")) &&
      !bits.getAsInteger(10, width) && width > 0 && width <= 64;
  Type number = isInteger           ? b.getIntegerType(width)
                : element == "bf16" ? b.getBF16Type()
                : element == "f16"  ? b.getF16Type()
                : element == "f32"  ? b.getF32Type()
                                    : Type();
  return number ? RankedTensorType::get(shape, number) : RankedTensorType();
}

static bool isNone(Type type) {
  auto opaque = dyn_cast<OpaqueType>(type);
  return opaque && opaque.getDialectNamespace() == "torch" &&
         opaque.getTypeData() == "none";
}

EntryCall::EntryCall(Operation *op) : op(op), operands(op->getOperands()) {
  if (op->getNumResults() == 1) {
    const Type type = op->getResult(0).getType();
    result = dyn_cast<RankedTensorType>(type);
    if (!result)
      result = tensorOfTorch(type);
  }
  while (!operands.empty() && isNone(operands.back().getType()))
    operands.pop_back();
  OpBuilder b(op);
  for (Value &operand : operands)
    if (RankedTensorType type = tensorOfTorch(operand.getType())) {
      OperationState state(op->getLoc(), "torch_c.to_builtin_tensor", operand,
                           TypeRange(type));
      conversions.push_back(b.create(state));
      operand = conversions.back()->getResult(0);
    }
}

void EntryCall::replace(OpBuilder &b, Value value) {
  const Type type = op->getResult(0).getType();
  if (value.getType() != result)
    value = tensor::CastOp::create(b, op->getLoc(), result, value);
  if (type != result) {
    OperationState state(op->getLoc(), "torch_c.from_builtin_tensor", value,
                         TypeRange(type));
    value = b.create(state)->getResult(0);
  }
  op->replaceAllUsesWith(ValueRange{value});
  op->erase();
}

void EntryCall::abandon() {
  for (Operation *conversion : conversions)
    conversion->erase();
}

//===----------------------------------------------------------------------===//
// Operands
//===----------------------------------------------------------------------===//

LogicalResult mxfp4::checkType(Type type, StringRef name, const Twine &expected,
                               ArrayRef<int64_t> shape,
                               function_ref<bool(Type)> isElement, Miss *why) {
  auto tensor = dyn_cast_or_null<RankedTensorType>(type);
  bool fits = tensor && isElement(tensor.getElementType()) &&
              tensor.getRank() == static_cast<int64_t>(shape.size());
  for (int64_t i = 0, e = shape.size(); fits && i < e; ++i)
    fits = shape[i] < 0 || tensor.isDynamicDim(i) ||
           tensor.getDimSize(i) == shape[i];
  if (fits)
    return success();
  std::string text;
  llvm::raw_string_ostream(text) << type;
  return miss(why, name + " must be " + expected + ", got " + text);
}

LogicalResult mxfp4::checkOperand(Value operand, StringRef name,
                                  const Twine &expected,
                                  ArrayRef<int64_t> shape,
                                  function_ref<bool(Type)> isElement,
                                  Miss *why) {
  return checkType(operand.getType(), name, expected, shape, isElement, why);
}

bool mxfp4::isByte(Type type) {
  return isa<IntegerType>(type) && type.getIntOrFloatBitWidth() == 8;
}

bool mxfp4::isI32(Type type) {
  return isa<IntegerType>(type) && type.getIntOrFloatBitWidth() == 32;
}

bool mxfp4::isBF16(Type type) { return type.isBF16(); }

bool mxfp4::isOutput(Type type) { return type.isBF16() || type.isF32(); }

Value mxfp4::signless(OpBuilder &b, Location loc, Value value) {
  if (!value)
    return value;
  auto type = cast<RankedTensorType>(value.getType());
  const unsigned bits = type.getElementTypeBitWidth();
  RankedTensorType wanted = type.clone(b.getIntegerType(bits));
  return type == wanted
             ? value
             : tensor::BitcastOp::create(b, loc, wanted, value).getResult();
}

LogicalResult mxfp4::checkWeights(Value codes, Value scales, StringRef name,
                                  Miss *why) {
  const std::string prefix = name.empty() ? "" : (name + " ").str();
  if (failed(checkOperand(codes, prefix + "codes", "[E, N, K/32, 16] bytes",
                          {-1, -1, -1, kScaleBlock / 2}, isByte, why)))
    return failure();
  auto type = cast<RankedTensorType>(codes.getType());
  if (type.isDynamicDim(0) || type.isDynamicDim(2)) {
    std::string text;
    llvm::raw_string_ostream(text) << type;
    return miss(why, "the number of experts and K must be static, got " +
                         prefix + "codes " + text);
  }
  // Sizes that are computed from these fit 64 bits.
  for (const int64_t size : {type.getDimSize(0), type.getDimSize(2)})
    if (size < 1 || size > INT32_MAX / kScaleBlock)
      return miss(why, "the number of experts and K/32 must be 1 to " +
                           Twine(INT32_MAX / kScaleBlock) + ", got " + prefix +
                           "codes with " + Twine(size));
  const int64_t n = type.isDynamicDim(1) ? -1 : type.getDimSize(1);
  return checkOperand(scales, prefix + "scales",
                      "[E, N, K/32] bytes, with E, N and K of the codes",
                      {type.getDimSize(0), n, type.getDimSize(2)}, isByte, why);
}
