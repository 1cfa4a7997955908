//===- PtxText.cpp - Instructions that LLVM has no intrinsic for ----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "PtxText.h"

#include "mxfp4/Core/Instruction.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
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

/// Groups of wgmma as text, whose operands are results, as many inputs that are
/// tied to them, each step's A and descriptor, the predicate of the first step,
/// and bits of the width.
class WgmmaText {
public:
  WgmmaText(const InstructionTraits &traits, int count,
            ArrayRef<WgmmaStep> steps, Value accumulate)
      : traits(traits), steps(steps), firstOfSteps(2 * count) {
    for (const WgmmaStep &step : steps) {
      add(step.a, isShared(step) ? ",l" : ",r");
      add(step.b, ",l");
    }
    if (accumulate)
      predicate = add(accumulate, ",b");
  }

  /// The number of the first operand.
  int add(ValueRange values, StringRef constraint) {
    const int first = firstOfSteps + static_cast<int>(inputs.size());
    for (Value value : values) {
      constraints += constraint.str();
      inputs.push_back(value);
    }
    return first;
  }

  /// An instruction for each step, with `sums` sums for each thread. The
  /// immediates: accumulate (accumulators start from zeros, since uninitialised
  /// ones would live around the loop and spill), no negation of A and B, B not
  /// transposed; nor A where it has a descriptor.
  std::string group(int sums) const {
    // A thread has that many sums of each column.
    const std::string name =
        wgmmaName(traits, sums * traits.threads() / traits.m);
    std::string text;
    int operand = firstOfSteps;
    for (const WgmmaStep &step : steps) {
      const int registers = step.a.size();
      const bool isFirst = operand == firstOfSteps;
      text += (isFirst ? "" : "\n\t") + name + registerList(0, sums) + ", " +
              (isShared(step) ? "$" + std::to_string(operand)
                              : registerList(operand, registers)) +
              ", $" + std::to_string(operand + registers) + ", " +
              (isFirst && predicate ? "$" + std::to_string(*predicate) : "1") +
              ", 1, 1" +
              (!traits.transposes() ? ""
               : isShared(step)     ? ", 0, 0"
                                    : ", 0") +
              ";";
      operand += registers + 1;
    }
    return text;
  }

  std::string choice(int sums, const WgmmaWidths &widths);

  SmallVector<Value> inputs;
  std::string constraints;

private:
  static bool isShared(const WgmmaStep &step) { return step.a.size() == 1; }

  const InstructionTraits &traits;
  ArrayRef<WgmmaStep> steps;
  int firstOfSteps;
  std::optional<int> predicate;
};

/// Branches to groups of all widths. The widest one, which most tiles have, is
/// reached without a branch that is taken. Labels and the predicate are of the
/// scope, so that LLVM may copy the statement.
std::string WgmmaText::choice(int sums, const WgmmaWidths &widths) {
  const int sumsOfStep =
      static_cast<int>(widths.step) * traits.m / traits.threads();
  const int64_t count = sums / sumsOfStep;
  const int firstBit = firstOfSteps + static_cast<int>(inputs.size());
  for (Value bit : widths.bits)
    add(bit, bit.getType().isInteger(1) ? ",b" : ",r");
  // Widths of `low` steps and one, and what bits behind `next` add.
  struct Place {
    int64_t low;
    size_t next;
  };
  const auto labelOf = [](Place place) {
    return llvm::formatv("W{0}_{1}", place.low, place.next).str();
  };
  std::string text = "{\n\t.reg .pred none;";
  SmallVector<Place> others = {{0, 0}};
  while (!others.empty()) {
    Place place = others.pop_back_val();
    text += "\n" + labelOf(place) + ":";
    for (; place.next < widths.bits.size(); ++place.next) {
      const int64_t bit = int64_t(1) << (widths.bits.size() - 1 - place.next);
      if (place.low + bit >= count)
        continue;
      std::string isNone = "$" + std::to_string(firstBit + int(place.next));
      if (!widths.bits[place.next].getType().isInteger(1)) {
        text += "\n\tsetp.eq.b32 none, " + isNone + ", 0;";
        isNone = "none";
      }
      others.push_back({place.low, place.next + 1});
      text += "\n\t@" + isNone + " bra " + labelOf(others.back()) + ";";
      place.low += bit;
    }
    text += "\n\twgmma.fence.sync.aligned;\n\t" +
            group(static_cast<int>(place.low + 1) * sumsOfStep) +
            "\n\twgmma.commit_group.sync.aligned;\n\tbra.uni DONE;";
  }
  return text + "\nDONE:\n\t}";
}

} // namespace

SmallVector<Value> mxfp4::emitWgmma(ImplicitLocOpBuilder &b,
                                    const InstructionTraits &traits,
                                    ArrayRef<Value> sums,
                                    ArrayRef<WgmmaStep> steps, Value accumulate,
                                    std::optional<WgmmaWidths> widths) {
  const int count = sums.size();
  WgmmaText text(traits, count, steps, accumulate);
  if (widths) {
    const std::string choice = text.choice(count, *widths);
    return emitAssembly(b, choice, sums, text.inputs, text.constraints);
  }
  SmallVector<Value> results =
      emitAssembly(b, text.group(count), sums, text.inputs, text.constraints);
  NVVM::WgmmaGroupSyncAlignedOp::create(b);
  return results;
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
