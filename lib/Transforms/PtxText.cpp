//===- PtxText.cpp - Instructions that LLVM has no intrinsic for ----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "PtxText.h"

#include "mxfp4/Core/Instruction.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "llvm/Support/FormatVariadic.h"

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
  const Type type = tied.front().getType();
  const StringRef output = type.isF32() ? "=f" : "=r";
  std::string constraints;
  for (size_t i = 0; i < tied.size(); ++i)
    constraints += ((i ? "," : "") + output).str();
  // Inputs of the tied values: the operand numbers of their results.
  SmallVector<Value> operands;
  for (size_t i = 0; i < tied.size(); ++i) {
    constraints += "," + std::to_string(i);
    operands.push_back(tied[i]);
  }
  constraints += inputConstraints.str();
  operands.append(inputs.begin(), inputs.end());
  auto results = LLVM::LLVMStructType::getLiteral(
      b.getContext(), SmallVector<Type>(tied.size(), type));
  // A single output is the value itself, not a structure.
  auto op = LLVM::InlineAsmOp::create(
      b, tied.size() == 1 ? type : results, operands, text, constraints,
      /*has_side_effects=*/true,
      /*is_align_stack=*/false, LLVM::TailCallKind::None,
      /*asm_dialect=*/nullptr, /*operand_attrs=*/nullptr);
  if (tied.size() == 1)
    return {op.getRes()};
  SmallVector<Value> values;
  for (size_t i = 0; i < tied.size(); ++i)
    values.push_back(LLVM::ExtractValueOp::create(b, op.getRes(), i));
  return values;
}

/// The instruction for a number of columns, up to its operands.
std::string wgmmaName(const InstructionTraits &traits, int64_t n) {
  return llvm::formatv(
      "{0}.mma_async.sync.aligned.m{1}n{2}k{3}.{4}.{5}.{6} ", traits.ptxName,
      traits.m, n, traits.k, mxfp4::name(traits.typeOfSums),
      mxfp4::name(traits.typeOfA), mxfp4::name(traits.typeOfB));
}

} // namespace

SmallVector<Value> mxfp4::emitWgmma(ImplicitLocOpBuilder &b,
                                    const InstructionTraits &traits,
                                    ArrayRef<Value> sums,
                                    ArrayRef<WgmmaStep> steps,
                                    Value accumulate) {
  const int count = sums.size();
  // Operands: results, their tied inputs, then each step's A and descriptor;
  // last the predicate of the first step. The immediates: accumulate
  // (accumulators start from zeros, since uninitialised ones would live around
  // the loop and spill), no negation of A and B, B not transposed; nor A where
  // it has a descriptor.
  // A thread has that many sums of each column.
  const std::string name =
      wgmmaName(traits, count * traits.threads() / traits.m);
  std::string text, constraints;
  SmallVector<Value> inputs;
  int operand = 2 * count, last = operand;
  for (const WgmmaStep &step : steps)
    last += static_cast<int>(step.a.size()) + 1;
  for (const WgmmaStep &step : steps) {
    const bool isFirst = operand == 2 * count;
    text += (operand == 2 * count ? "" : "\n\t");
    text += name + registerList(0, count) + ", ";
    const int registers = step.a.size();
    const bool isShared = registers == 1;
    text += (isShared ? "$" + std::to_string(operand)
                      : registerList(operand, registers)) +
            ", $" + std::to_string(operand + registers) + ", " +
            (isFirst && accumulate ? "$" + std::to_string(last) : "1") +
            ", 1, 1" +
            (!traits.transposes() ? ""
             : isShared           ? ", 0, 0"
                                  : ", 0") +
            ";";
    for (int i = 0; i < registers; ++i)
      constraints += isShared ? ",l" : ",r";
    constraints += ",l";
    inputs.append(step.a.begin(), step.a.end());
    inputs.push_back(step.b);
    operand += registers + 1;
  }
  if (accumulate) {
    constraints += ",b";
    inputs.push_back(accumulate);
  }
  return emitAssembly(b, text, sums, inputs, constraints);
}

void mxfp4::emitStoreIf(ImplicitLocOpBuilder &b, Value predicate, Value address,
                        int64_t offset, Value value, unsigned width) {
  const unsigned held = value.getType().getIntOrFloatBitWidth();
  const std::string text = "@$0 st.global.b" +
                           std::to_string(width ? width : held) + " [$1+" +
                           std::to_string(offset) + "], $2;";
  const std::string constraints = std::string("b,l,") + (held == 16   ? "h"
                                                         : held == 32 ? "r"
                                                                      : "l");
  LLVM::InlineAsmOp::create(b, Type(), ValueRange{predicate, address, value},
                            text, constraints + ",~{memory}",
                            /*has_side_effects=*/true,
                            /*is_align_stack=*/false, LLVM::TailCallKind::None,
                            /*asm_dialect=*/nullptr,
                            /*operand_attrs=*/nullptr);
}

void mxfp4::emitReleaseAdd(ImplicitLocOpBuilder &b, Value address,
                           Value number) {
  LLVM::InlineAsmOp::create(b, Type(), ValueRange{address, number},
                            "red.release.gpu.global.add.u32 [$0], $1;",
                            "l,r,~{memory}", /*has_side_effects=*/true,
                            /*is_align_stack=*/false, LLVM::TailCallKind::None,
                            /*asm_dialect=*/nullptr,
                            /*operand_attrs=*/nullptr);
}

SmallVector<Value> mxfp4::emitTie(ImplicitLocOpBuilder &b,
                                  ArrayRef<Value> values) {
  return emitAssembly(b, "", values, {}, "");
}
