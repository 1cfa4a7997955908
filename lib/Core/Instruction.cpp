//===- Instruction.cpp - What a tensor-core instruction is ----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mxfp4/Core/Instruction.h"

#include "mxfp4/Core/WeightLayout.h"

#include <cassert>

using namespace mxfp4;

static FragmentMap sumsOfMmaSync(int n) {
  assert(n == 8 && "mma.sync.m16n8k16 has one N");
  return mmaAccumulator();
}

const std::vector<InstructionTraits> &mxfp4::instructions() {
  static const std::vector<InstructionTraits> rows = {
      {Instruction::MmaSync, /*name=*/"mma_sync", /*ptxName=*/"mma.sync",
       /*m=*/16, /*k=*/16, /*nStep=*/8, /*nMax=*/8,
       /*operands=*/NumberType::BF16, /*sums=*/NumberType::F32, /*warps=*/1,
       /*readsSharedA=*/false, /*isAsynchronous=*/false, /*mapOfA=*/mmaA,
       /*mapOfB=*/mmaB, /*mapOfSums=*/sumsOfMmaSync},
      {Instruction::Wgmma, /*name=*/"wgmma", /*ptxName=*/"wgmma",
       /*m=*/64, /*k=*/16, /*nStep=*/8, /*nMax=*/256,
       /*operands=*/NumberType::BF16, /*sums=*/NumberType::F32, /*warps=*/4,
       /*readsSharedA=*/true, /*isAsynchronous=*/true, /*mapOfA=*/wgmmaA,
       /*mapOfB=*/nullptr, /*mapOfSums=*/wgmmaAccumulator},
  };
  return rows;
}

const InstructionTraits &mxfp4::traitsOf(Instruction instruction) {
  const InstructionTraits &traits =
      instructions()[static_cast<std::size_t>(instruction)];
  assert(traits.instruction == instruction && "rows follow the enum");
  return traits;
}

bool mxfp4::wordsAreFragments(const BlockLayout &layout,
                              Instruction instruction) {
  const InstructionTraits &traits = traitsOf(instruction);
  const FragmentMap block = layout.codeMap();
  const FragmentMap fragment =
      traits.mapOfA().permuteRows(BlockLayout::rowPermutation());
  const int elements = fragment.elements();
  if (block.warps() % traits.warps != 0 || block.elements() % elements != 0 ||
      elements * BlockLayout::codeBits() != 32)
    return false;
  for (int warp = 0; warp < block.warps(); ++warp)
    for (int lane = 0; lane < 32; ++lane)
      for (int element = 0; element < block.elements(); ++element) {
        Coord expected =
            fragment(element % elements, lane, warp % traits.warps);
        expected.row += traits.m * (warp / traits.warps);
        expected.col += traits.k * (element / elements);
        if (!(block(element, lane, warp) == expected))
          return false;
      }
  return true;
}

const char *mxfp4::name(Instruction instruction) {
  return traitsOf(instruction).name;
}

bool mxfp4::parse(const std::string &text, Instruction &instruction) {
  for (const InstructionTraits &candidate : instructions())
    if (text == candidate.name)
      return instruction = candidate.instruction, true;
  return false;
}
