//===- Types.cpp - What types of buffers and numbers say ------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mxfp4/IR/MXFP4.h"

using namespace mlir;
using namespace mxfp4;

Contiguity mxfp4::contiguityOf(MemRefType type) {
  if (type.getLayout().isIdentity())
    return Contiguity::Yes;
  SmallVector<int64_t> strides;
  int64_t offset;
  if (failed(type.getStridesAndOffset(strides, offset)))
    return Contiguity::No;
  Contiguity result = Contiguity::Yes;
  int64_t expected = 1;
  for (int64_t dim = type.getRank() - 1; dim >= 0; --dim) {
    const int64_t size = type.getDimSize(dim);
    if (size == 1)
      continue; // Its stride is never used.
    if (ShapedType::isDynamic(expected) || ShapedType::isDynamic(strides[dim]))
      result = Contiguity::Unknown;
    else if (strides[dim] != expected)
      return Contiguity::No;
    expected = ShapedType::isDynamic(expected) || ShapedType::isDynamic(size)
                   ? ShapedType::kDynamic
                   : expected * size;
  }
  return result;
}

MemRefType mxfp4::withIdentityLayout(MemRefType type) {
  return MemRefType::get(type.getShape(), type.getElementType(), AffineMap(),
                         type.getMemorySpace());
}

std::optional<NumberType> mxfp4::numberTypeOf(Type type) {
  if (type.isBF16())
    return NumberType::BF16;
  if (type.isF32())
    return NumberType::F32;
  if (isa<Float8E4M3FNType>(type))
    return NumberType::E4M3;
  if (isa<Float8E5M2Type>(type))
    return NumberType::E5M2;
  return std::nullopt;
}

bool mxfp4::isActivation(Type element) {
  return llvm::any_of(instructions(), [&](const InstructionTraits &traits) {
    return numberTypeOf(element) == traits.typeOfB;
  });
}

Type mxfp4::typeOf(MLIRContext *context, NumberType type) {
  switch (type) {
  case NumberType::BF16:
    return BFloat16Type::get(context);
  case NumberType::F32:
    return Float32Type::get(context);
  case NumberType::E4M3:
    return Float8E4M3FNType::get(context);
  case NumberType::E5M2:
    return Float8E5M2Type::get(context);
  }
  llvm_unreachable("no such type of numbers");
}

BlockLayout mxfp4::layoutOf(Type type) {
  return cast<BlockType>(getElementTypeOrSelf(type)).getLayout();
}
