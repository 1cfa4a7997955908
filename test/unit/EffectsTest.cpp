//===- EffectsTest.cpp - What operations on memory read and write ---------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mxfp4/IR/MXFP4.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Parser/Parser.h"

#include <gtest/gtest.h>

using namespace mlir;

namespace {

/// For each operation of a function, in order, its operands: "r" is read, "w"
/// written, "rw" both, "-" neither.
std::vector<std::string> effectsIn(StringRef text) {
  MLIRContext context;
  context.loadDialect<mxfp4::MXFP4Dialect, func::FuncDialect,
                      memref::MemRefDialect>();
  OwningOpRef<ModuleOp> module = parseSourceString<ModuleOp>(text, &context);
  std::vector<std::string> found;
  if (!module)
    return found;
  module->walk([&](MemoryEffectOpInterface op) {
    if (!isa<mxfp4::MXFP4Dialect>(op->getDialect()))
      return;
    std::string said;
    SmallVector<MemoryEffects::EffectInstance> effects;
    op.getEffects(effects);
    for (OpOperand &operand : op->getOpOperands()) {
      bool isRead = false, isWritten = false;
      for (const MemoryEffects::EffectInstance &effect : effects) {
        if (effect.getEffectValue<OpOperand *>() != &operand)
          continue;
        isRead |= isa<MemoryEffects::Read>(effect.getEffect());
        isWritten |= isa<MemoryEffects::Write>(effect.getEffect());
      }
      said += (said.empty() ? "" : " ") + std::string(isRead ? "r" : "") +
              (isWritten ? "w"
               : isRead  ? ""
                         : "-");
    }
    found.push_back(said);
  });
  return found;
}

} // namespace

TEST(Effects, OfMatmuls) {
  // Rows, weights, offsets, ids, output, error, workspace.
  EXPECT_EQ(effectsIn(R"(
func.func @f(%x: memref<?x64xbf16>, %w: memref<2x1x1x!mxfp4.block<spread, raw>>,
             %o: memref<3xi32>, %ids: memref<2xi32>, %y: memref<?x64xbf16>,
             %e: memref<1xi32>, %s: memref<2xi32>) {
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>)
      weights(%w : memref<2x1x1x!mxfp4.block<spread, raw>>)
      offsets(%o : memref<3xi32>) expert_ids(%ids : memref<2xi32>)
      outs(%y : memref<?x64xbf16>) error(%e : memref<1xi32>)
      workspace(%s : memref<2xi32>)
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>)
      weights(%w : memref<2x1x1x!mxfp4.block<spread, raw>>)
      offsets(%o : memref<3xi32>) outs(%y : memref<?x64xbf16>)
  return
})"),
            (std::vector<std::string>{"r r r r w rw rw", "r r r w"}));
}

// Counts are raised by one matmul, awaited by another, and cleared by a sort.
TEST(Effects, OfCounts) {
  EXPECT_EQ(
      effectsIn(R"(
func.func @f(%x: memref<?x64xbf16>, %w: memref<2x1x1x!mxfp4.block<spread, raw>>,
             %o: memref<3xi32>, %y: memref<?x64xbf16>, %c: memref<2xi32>,
             %ids: memref<8x2xi32>, %t: memref<16xi32>, %p: memref<8x2xi32>) {
  mxfp4.sort_by_expert ids(%ids : memref<8x2xi32>)
      outs(%o, %t, %p : memref<3xi32>, memref<16xi32>, memref<8x2xi32>)
      zeros(%c : memref<2xi32>)
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>)
      weights(%w : memref<2x1x1x!mxfp4.block<spread, raw>>)
      offsets(%o : memref<3xi32>) outs(%y : memref<?x64xbf16>)
      stored(%c : memref<2xi32>)
  mxfp4.grouped_matmul activations(%y : memref<?x64xbf16>)
      awaited(%c : memref<2xi32>)
      weights(%w : memref<2x1x1x!mxfp4.block<spread, raw>>)
      offsets(%o : memref<3xi32>) outs(%x : memref<?x64xbf16>) {older_inputs}
  return
})"),
      (std::vector<std::string>{"r w w w rw", "r r r w rw", "r r r w r"}));
}

TEST(Effects, OfRouting) {
  EXPECT_EQ(effectsIn(R"(
func.func @f(%l: memref<8x6xf32>, %b: memref<6xf32>, %ids: memref<8x2xi32>,
             %w: memref<8x2xf32>, %c: memref<128x6xi32>, %o: memref<7xi32>,
             %t: memref<16xi32>, %p: memref<8x2xi32>, %e: memref<1xi32>,
             %y: memref<16x64xf32>, %out: memref<8x64xbf16>) {
  mxfp4.top_k logits(%l : memref<8x6xf32>) bias(%b : memref<6xf32>) scoring(sigmoid)
      outs(%ids, %w : memref<8x2xi32>, memref<8x2xf32>) counts(%c : memref<128x6xi32>)
  mxfp4.count_by_expert ids(%ids : memref<8x2xi32>) outs(%c : memref<128x6xi32>)
  mxfp4.sort_by_expert ids(%ids : memref<8x2xi32>) counts(%c : memref<128x6xi32>)
      outs(%o, %t, %p : memref<7xi32>, memref<16xi32>, memref<8x2xi32>)
      error(%e : memref<1xi32>)
  mxfp4.combine rows(%y : memref<16x64xf32>) positions(%p : memref<8x2xi32>)
      weights(%w : memref<8x2xf32>) outs(%out : memref<8x64xbf16>)
      error(%e : memref<1xi32>)
  return
})"),
            (std::vector<std::string>{"r r w w rw", "r w", "r r w w w rw",
                                      "r r r w rw"}));
}

TEST(Effects, OfQuantizedRows) {
  EXPECT_EQ(effectsIn(R"(
func.func @f(%x: memref<5x96xbf16>, %g: memref<?xi32>,
             %q: memref<?x96xf8E4M3FN>, %s: memref<?xf32>, %e: memref<1xi32>) {
  mxfp4.quantize_rows values(%x : memref<5x96xbf16>) gather(%g : memref<?xi32>)
      outs(%q, %s : memref<?x96xf8E4M3FN>, memref<?xf32>) error(%e : memref<1xi32>)
  return
})"),
            (std::vector<std::string>{"r r w w rw"}));
}

TEST(Effects, OfWhatStoresInTheRowsOfSlots) {
  EXPECT_EQ(effectsIn(R"(
func.func @f(%x: memref<5x96xbf16>, %p: memref<5x2xi32>, %r: memref<10x96xbf16>,
             %q: memref<10x96xf8E4M3FN>, %s: memref<10xf32>, %e: memref<1xi32>) {
  mxfp4.dispatch values(%x : memref<5x96xbf16>) positions(%p : memref<5x2xi32>)
      outs(%r : memref<10x96xbf16>) error(%e : memref<1xi32>)
  mxfp4.quantize_rows values(%x : memref<5x96xbf16>) scatter(%p : memref<5x2xi32>)
      outs(%q, %s : memref<10x96xf8E4M3FN>, memref<10xf32>) error(%e : memref<1xi32>)
  return
})"),
            // The rows to scatter to are the last operand.
            (std::vector<std::string>{"r r w rw", "r w w rw r"}));
}

// An operation on tensors touches no memory.
TEST(Effects, OfTensors) {
  EXPECT_EQ(effectsIn(R"(
func.func @f(%x: tensor<?x64xbf16>, %w: tensor<2x1x1x!mxfp4.block<spread, raw>>,
             %o: tensor<3xi32>, %y: tensor<?x64xbf16>) -> tensor<?x64xbf16> {
  %r = mxfp4.grouped_matmul activations(%x : tensor<?x64xbf16>)
      weights(%w : tensor<2x1x1x!mxfp4.block<spread, raw>>)
      offsets(%o : tensor<3xi32>) outs(%y : tensor<?x64xbf16>)
      -> tensor<?x64xbf16>
  return %r : tensor<?x64xbf16>
})"),
            (std::vector<std::string>{"- - - -"}));
}
