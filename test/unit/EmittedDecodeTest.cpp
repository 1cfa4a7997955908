//===- EmittedDecodeTest.cpp - Decode, proved on what is emitted ----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Runs the operations that mxfp4-lower-decode emits, compiled for this CPU, on
// every pair of codes and every scale, for every layout, k16 step and slot.
// They are integer operations and bf16 multiplications whose results are exact
// or overflow, so a CPU computes what the GPU does.
//
//===----------------------------------------------------------------------===//

#include "mxfp4/Core/DecodeSequence.h"
#include "mxfp4/Core/Format.h"
#include "mxfp4/IR/MXFP4.h"
#include "mxfp4/Pipeline/Pipeline.h"
#include "mxfp4/Transforms/Passes.h"

#include "mlir/Conversion/ReconcileUnrealizedCasts/ReconcileUnrealizedCasts.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/ExecutionEngine/ExecutionEngine.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "llvm/ExecutionEngine/Orc/JITTargetMachineBuilder.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/TargetParser/Host.h"

#include <gtest/gtest.h>

#include <cstring>

using namespace mlir;
using namespace mxfp4;

namespace {

/// What a CPU without bf16 instructions calls to round a product.
extern "C" __bf16 roundForTest(float value) {
  const uint16_t bits = roundToBF16(value);
  __bf16 result;
  std::memcpy(&result, &bits, sizeof(result));
  return result;
}

/// prmt, as the PTX manual defines it.
extern "C" uint32_t permuteForTest(uint32_t a, uint32_t b, uint32_t selector) {
  const uint64_t bytes = uint64_t(b) << 32 | a;
  uint32_t result = 0;
  for (int i = 0; i < 4; ++i) {
    const uint32_t byte = bytes >> 8 * (selector >> 4 * i & 7) & 0xFF;
    const bool replicatesSign = selector >> 4 * i & 8;
    result |= (!replicatesSign ? byte : byte & 0x80 ? 0xFF : 0u) << 8 * i;
  }
  return result;
}

/// void decode(codes, scales, registers[4]), or of words of one row
/// registers[2]
using DecodeFunction = void (*)(uint32_t, uint32_t, uint32_t *);

std::string functionName(const BlockLayout &layout, int step) {
  return std::string(name(layout.order)) + "_" + name(layout.scales) + "_" +
         std::to_string(step);
}

/// A function that decodes and stores the four registers.
std::string functionText(const BlockLayout &layout, int step) {
  const std::string block = std::string("!mxfp4.block<") + name(layout.order) +
                            ", " + name(layout.scales) + ">";
  if (layout.order == CodeOrder::Bytes)
    return "llvm.func @" + functionName(layout, step) +
           "(%c: i32, %s: i32, %out: !llvm.ptr) {\n"
           "  %r:2 = mxfp4.decode_row %c, %s step " +
           std::to_string(step) + " : " + block + R"(
  %a = builtin.unrealized_conversion_cast %r#0
      : vector<4xf8E5M2> to vector<4xi8>
  %b = builtin.unrealized_conversion_cast %r#1
      : vector<4xf8E5M2> to vector<4xi8>
  llvm.store %a, %out : vector<4xi8>, !llvm.ptr
  %p = llvm.getelementptr %out[1] : (!llvm.ptr) -> !llvm.ptr, i32
  llvm.store %b, %p : vector<4xi8>, !llvm.ptr
  llvm.return
}
)";
  std::string text = "llvm.func @" + functionName(layout, step) +
                     "(%c: i32, %s: i32, %out: !llvm.ptr) {\n"
                     "  %r:4 = mxfp4.decode %c, %s step " +
                     std::to_string(step) + " : " + block + "\n";
  for (int i = 0; i < 4; ++i) {
    const std::string n = std::to_string(i);
    text += "  %p" + n + " = llvm.getelementptr %out[" + n +
            "] : (!llvm.ptr) -> !llvm.ptr, vector<2xbf16>\n"
            "  llvm.store %r#" +
            n + ", %p" + n + " : vector<2xbf16>, !llvm.ptr\n";
  }
  return text + "  llvm.return\n}\n";
}

class EmittedDecode : public testing::TestWithParam<BlockLayout> {
protected:
  void SetUp() override;
  DecodeFunction lookUp(int step) {
    auto found = engine->lookup(functionName(GetParam(), step));
    if (!found) {
      ADD_FAILURE() << llvm::toString(found.takeError());
      return nullptr;
    }
    return reinterpret_cast<DecodeFunction>(*found);
  }

  std::unique_ptr<MLIRContext> context;
  std::unique_ptr<ExecutionEngine> engine;
};

void EmittedDecode::SetUp() {
  llvm::InitializeNativeTarget();
  llvm::InitializeNativeTargetAsmPrinter();
  DialectRegistry registry;
  registerAll(registry);
  registerBuiltinDialectTranslation(registry);
  registerLLVMDialectTranslation(registry);
  context = std::make_unique<MLIRContext>(registry);

  std::string text = "llvm.func @permuteForTest(i32, i32, i32) -> i32\n";
  for (int step = 0; step < 4; ++step)
    text += functionText(GetParam(), step);
  auto module = parseSourceString<ModuleOp>(text, context.get());
  ASSERT_TRUE(module);
  PassManager pm(context.get());
  pm.addPass(createLowerDecode());
  pm.addPass(createReconcileUnrealizedCastsPass());
  ASSERT_TRUE(succeeded(pm.run(*module)));
  // The one operation that a CPU has no like of.
  module->walk([](NVVM::PermuteOp op) {
    ASSERT_EQ(op.getMode(), NVVM::PermuteMode::DEFAULT);
    OpBuilder b(op);
    op.replaceAllUsesWith(LLVM::CallOp::create(b, op.getLoc(), op.getType(),
                                               "permuteForTest",
                                               op->getOperands())
                              .getResult());
    op.erase();
  });
  module->walk([](Operation *op) {
    EXPECT_TRUE(isa<ModuleOp>(op) || isa<LLVM::LLVMDialect>(op->getDialect()))
        << op->getName().getStringRef().str();
  });

  // A baseline CPU, not this one: bf16 instructions of newer CPUs flush
  // subnormals, which Hopper and this test keep.
  llvm::orc::JITTargetMachineBuilder baseline{
      llvm::Triple(llvm::sys::getDefaultTargetTriple())};
  auto machine = baseline.createTargetMachine();
  ASSERT_TRUE(bool(machine)) << llvm::toString(machine.takeError());
  auto made = ExecutionEngine::create(*module, {}, std::move(*machine));
  ASSERT_TRUE(bool(made)) << llvm::toString(made.takeError());
  engine = std::move(*made);
  engine->registerSymbols([](llvm::orc::MangleAndInterner interner) {
    llvm::orc::SymbolMap symbols;
    symbols[interner("__truncsfbf2")] = {
        llvm::orc::ExecutorAddr::fromPtr(&roundForTest),
        llvm::JITSymbolFlags::Exported};
    symbols[interner("permuteForTest")] = {
        llvm::orc::ExecutorAddr::fromPtr(&permuteForTest),
        llvm::JITSymbolFlags::Exported};
    return symbols;
  });
}

/// Word of eight codes in the layout's order.
uint32_t wordOf(const BlockLayout &layout, const std::array<int, 8> &codes) {
  uint32_t word = 0;
  for (int slot = 0; slot < 8; ++slot)
    for (int bit = 0; bit < 4; ++bit)
      word |= uint32_t(codes[slot] >> bit & 1) << layout.codeBit(slot, bit);
  return word;
}

/// Bits of code times scale; any NaN is the same to us.
class ExactTable {
public:
  ExactTable() {
    for (int code = 0; code < 16; ++code)
      for (int scale = 0; scale < 256; ++scale)
        bits[code][scale] = decodeExact(code, scale);
  }
  bool matches(int code, int scale, uint16_t actual) const {
    const uint16_t expected = bits[code][scale];
    return actual == expected || (isNaNBF16(actual) && isNaNBF16(expected));
  }

private:
  uint16_t bits[16][256];
};

} // namespace

/// Words of one row: every pair of neighbouring codes, under every scale.
static void checkRows(const BlockLayout &layout, DecodeFunction decode,
                      int step) {
  int64_t wrong = 0, checked = 0;
  for (int scale = 0; scale < 256; ++scale) {
    if (!layout.holdsScale(scale))
      continue;
    // Other scales in the other bytes, so that a wrong byte shows.
    uint32_t scales = 0;
    for (int byte = 0; byte < 4; ++byte)
      scales |= uint32_t(byte == step ? layout.encodeScale(scale)
                                      : (scale + 5 * byte) % 27)
                << 8 * byte;
    for (int byte = 0; byte < 256; ++byte) {
      std::array<int, 8> codes;
      for (int pair = 0; pair < 4; ++pair) {
        const int both = (byte + 89 * pair) & 0xFF;
        codes[2 * pair] = both & 15;
        codes[2 * pair + 1] = both >> 4;
      }
      uint32_t registers[2];
      decode(wordOf(layout, codes), scales, registers);
      for (int slot = 0; slot < 8; ++slot, ++checked) {
        const auto actual = uint8_t(registers[slot / 4] >> 8 * (slot % 4));
        const double value = decodeE2M1(codes[slot]) * decodeE8M0(scale);
        if ((decodeE5M2(actual) != value ||
             (actual >> 7) != (codes[slot] >> 3)) &&
            ++wrong <= 5)
          ADD_FAILURE() << "step " << step << " slot " << slot << " code "
                        << codes[slot] << " scale " << scale << ": " << std::hex
                        << int(actual);
      }
    }
  }
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(checked, 27 * 256 * 8);
}

TEST_P(EmittedDecode, AllBytesAllScalesAllSlots) {
  const BlockLayout layout = GetParam();
  if (layout.order == CodeOrder::Bytes) {
    for (int step = 0; step < 4; ++step) {
      DecodeFunction decode = lookUp(step);
      ASSERT_TRUE(decode);
      checkRows(layout, decode, step);
    }
    return;
  }
  const ExactTable exact;
  std::vector<int> scales;
  for (int scale = 0; scale < 256; ++scale)
    if (layout.holdsScale(scale))
      scales.push_back(scale);
  ASSERT_EQ(scales.size(), layout.scales == ScaleEncoding::Raw ? 256u : 129u);

  int64_t wrong = 0;
  for (int step = 0; step < 4; ++step) {
    DecodeFunction decode = lookUp(step);
    ASSERT_TRUE(decode);
    for (size_t i = 0; i < scales.size(); ++i) {
      // Four different scales, so that a wrong byte shows; each place sees all.
      std::array<int, 4> scaleAt;
      uint32_t scaleWord = 0;
      for (int byte = 0; byte < 4; ++byte) {
        scaleAt[byte] = scales[(i + 37 * byte) % scales.size()];
        scaleWord |= uint32_t(layout.encodeScale(scaleAt[byte])) << 8 * byte;
      }
      for (int byte = 0; byte < 256; ++byte) {
        // A byte for each register, different ones for the same reason.
        std::array<int, 8> codes;
        for (int reg = 0; reg < 4; ++reg) {
          const int pair = (byte + 89 * reg) & 0xFF;
          codes[2 * reg] = pair & 15;
          codes[2 * reg + 1] = pair >> 4;
        }
        uint32_t registers[4];
        decode(wordOf(layout, codes), scaleWord, registers);
        for (int slot = 0; slot < 8; ++slot) {
          const int scale = scaleAt[BlockLayout().scaleByte(slot, step)];
          const auto actual = uint16_t(registers[slot / 2] >> 16 * (slot % 2));
          if (!exact.matches(codes[slot], scale, actual) && ++wrong <= 5)
            ADD_FAILURE() << "step " << step << " slot " << slot << " code "
                          << codes[slot] << " scale " << scale << ": "
                          << std::hex << actual << " instead of "
                          << decodeExact(codes[slot], scale);
        }
      }
    }
  }
  EXPECT_EQ(wrong, 0);
}

INSTANTIATE_TEST_SUITE_P(
    Layouts, EmittedDecode,
    testing::Values(BlockLayout{CodeOrder::Spread, ScaleEncoding::Folded},
                    BlockLayout{CodeOrder::Spread, ScaleEncoding::Raw},
                    BlockLayout{CodeOrder::Nibble, ScaleEncoding::Folded},
                    BlockLayout{CodeOrder::Nibble, ScaleEncoding::Raw},
                    BlockLayout::of(CodeOrder::Bytes, ScaleEncoding::Relative)),
    [](const testing::TestParamInfo<BlockLayout> &info) {
      return std::string(name(info.param.order)) + "_" +
             name(info.param.scales);
    });
