//===- PtxText.cpp - Instructions that LLVM has no intrinsic for ----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "PtxText.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;
using namespace mxfp4;

namespace {

/// "{$first, ..., $last}"
std::string registerList(int first, int count) {
  std::string text = "{";
  for (int i = 0; i < count; ++i)
    text += (i ? ", $" : "$") + std::to_string(first + i);
  return text + "}";
}

/// Inline assembly whose results are `tied` after the instruction.
SmallVector<Value> emitAssembly(ImplicitLocOpBuilder &b, StringRef text,
                                ArrayRef<Value> tied, ArrayRef<Value> inputs,
                                StringRef inputConstraints) {
  std::string constraints;
  for (size_t i = 0; i < tied.size(); ++i)
    constraints += i ? ",=f" : "=f";
  // Inputs of the tied values: the operand numbers of their results.
  SmallVector<Value> operands;
  for (size_t i = 0; i < tied.size(); ++i) {
    constraints += "," + std::to_string(i);
    operands.push_back(tied[i]);
  }
  constraints += inputConstraints.str();
  operands.append(inputs.begin(), inputs.end());
  SmallVector<Type> types(tied.size(), b.getF32Type());
  auto type = LLVM::LLVMStructType::getLiteral(b.getContext(), types);
  auto op = LLVM::InlineAsmOp::create(
      b, type, operands, text, constraints, /*has_side_effects=*/true,
      /*is_align_stack=*/false, LLVM::TailCallKind::None,
      /*asm_dialect=*/nullptr, /*operand_attrs=*/nullptr);
  SmallVector<Value> results;
  for (size_t i = 0; i < tied.size(); ++i)
    results.push_back(LLVM::ExtractValueOp::create(b, op.getRes(), i));
  return results;
}

} // namespace

SmallVector<Value> mxfp4::emitWgmma(ImplicitLocOpBuilder &b,
                                    ArrayRef<Value> sums, ArrayRef<Value> a,
                                    Value descriptor) {
  const int count = sums.size();
  // Operands: results, their tied inputs, then A and the descriptor. The
  // immediates: accumulate (always: accumulators start from zeros, since
  // uninitialised ones would live around the loop and spill), no negation of A
  // and B, B not transposed.
  const std::string text = "wgmma.mma_async.sync.aligned.m64n" +
                           std::to_string(2 * count) + "k16.f32.bf16.bf16 " +
                           registerList(0, count) + ", " +
                           registerList(2 * count, 4) + ", $" +
                           std::to_string(2 * count + 4) + ", 1, 1, 1, 0;";
  SmallVector<Value> inputs(a);
  inputs.push_back(descriptor);
  return emitAssembly(b, text, sums, inputs, ",r,r,r,r,l");
}

SmallVector<Value> mxfp4::emitTie(ImplicitLocOpBuilder &b,
                                  ArrayRef<Value> values) {
  return emitAssembly(b, "", values, {}, "");
}
