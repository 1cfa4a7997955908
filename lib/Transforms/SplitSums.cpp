//===- SplitSums.cpp - Accumulators as scalars between blocks -------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Blocks hand accumulators on as arrays. LLVM takes these apart in several of
// its passes, which is a tenth of the time it takes for a kernel with tall
// tiles; as scalars they are apart from the start. The PTX of such kernels is
// the same but for the numbers of registers, and ptxas makes the same machine
// code of it.
//
//===----------------------------------------------------------------------===//

#include "KernelLowering.h"

#include "mxfp4/IR/MXFP4.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

using namespace mlir;
using namespace mxfp4;

/// Tokens from which a tile is tall. In lower ones LLVM orders instructions
/// differently, and arrays are small.
static constexpr int64_t kTall = 96;

bool mxfp4::hasTallSums(gpu::GPUFuncOp kernel) {
  return kernel
      .walk([](WgmmaOp op) {
        const InstructionTraits &traits = op.getTraits();
        return traits.cutsSums() && traits.nStep * op.getColumns() >= kTall
                   ? WalkResult::interrupt()
                   : WalkResult::advance();
      })
      .wasInterrupted();
}

namespace {
/// The sums of an accumulator.
struct Sums {
  explicit Sums(LLVM::LLVMArrayType array) : element(array) {
    while (auto of = dyn_cast<LLVM::LLVMArrayType>(element)) {
      SmallVector<SmallVector<int64_t>> more;
      for (ArrayRef<int64_t> place : places)
        for (unsigned i = 0; i < of.getNumElements(); ++i) {
          more.emplace_back(place);
          more.back().push_back(i);
        }
      places = std::move(more);
      element = of.getElementType();
    }
  }

  /// Where each is in the arrays.
  SmallVector<SmallVector<int64_t>> places = {{}};
  Type element;
};
} // namespace

/// Has a block take the sums of an accumulator one by one, behind its other
/// arguments.
static void splitArgument(BlockArgument whole) {
  Block *block = whole.getOwner();
  const unsigned number = whole.getArgNumber();
  const Sums sums(cast<LLVM::LLVMArrayType>(whole.getType()));
  ImplicitLocOpBuilder b(whole.getLoc(), whole.getContext());
  for (auto from = block->pred_begin(); from != block->pred_end(); ++from) {
    auto branch = cast<BranchOpInterface>((*from)->getTerminator());
    SuccessorOperands operands =
        branch.getSuccessorOperands(from.getSuccessorIndex());
    b.setInsertionPoint(branch);
    SmallVector<Value> parts;
    for (ArrayRef<int64_t> place : sums.places)
      parts.push_back(LLVM::ExtractValueOp::create(b, operands[number], place));
    operands.erase(number);
    operands.append(parts);
  }
  b.setInsertionPointToStart(block);
  Value built = LLVM::PoisonOp::create(b, whole.getType());
  for (ArrayRef<int64_t> place : sums.places)
    built = LLVM::InsertValueOp::create(
        b, built, block->addArgument(sums.element, whole.getLoc()), place);
  whole.replaceAllUsesWith(built);
  block->eraseArgument(number);
}

void mxfp4::splitSums(LLVM::LLVMFuncOp kernel) {
  for (Block &block : kernel.getBody()) {
    if (block.isEntryBlock())
      continue;
    for (BlockArgument argument : llvm::to_vector(block.getArguments()))
      if (isa<LLVM::LLVMArrayType>(argument.getType()))
        splitArgument(argument);
  }
}
