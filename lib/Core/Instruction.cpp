//===- Instruction.cpp - What a tensor-core instruction is ----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mxfp4/Core/Instruction.h"

#include "mxfp4/Core/WeightLayout.h"

#include <cassert>

using namespace mxfp4;

namespace {

struct NumberFacts {
  NumberType type;
  int bits;
  const char *name;
};
constexpr NumberFacts kNumbers[] = {{NumberType::BF16, 16, "bf16"},
                                    {NumberType::F32, 32, "f32"},
                                    {NumberType::E4M3, 8, "e4m3"},
                                    {NumberType::E5M2, 8, "e5m2"}};

const NumberFacts &factsOf(NumberType type) {
  const NumberFacts &facts = kNumbers[static_cast<std::size_t>(type)];
  assert(facts.type == type && "rows follow the enum");
  return facts;
}

} // namespace

int mxfp4::bits(NumberType type) { return factsOf(type).bits; }
const char *mxfp4::name(NumberType type) { return factsOf(type).name; }

static FragmentMap sumsOfMmaSync(int n) {
  assert(n == 8 && "mma.sync.m16n8k16 has one N");
  return mmaAccumulator();
}

const std::vector<InstructionTraits> &mxfp4::instructions() {
  static const std::vector<InstructionTraits> rows = {
      {Instruction::MmaSync, /*name=*/"mma_sync", /*ptxName=*/"mma.sync",
       /*m=*/16, /*k=*/16, /*nStep=*/8, /*nMax=*/8,
       /*typeOfA=*/NumberType::BF16, /*typeOfB=*/NumberType::BF16,
       /*typeOfSums=*/NumberType::F32, /*emitter=*/Emitter::Mma, /*warps=*/1,
       /*readsSharedA=*/false, /*isAsynchronous=*/false, /*mapOfA=*/mmaA,
       /*mapOfB=*/mmaB, /*mapOfSums=*/sumsOfMmaSync},
      {Instruction::Wgmma, /*name=*/"wgmma", /*ptxName=*/"wgmma",
       /*m=*/64, /*k=*/16, /*nStep=*/8, /*nMax=*/256,
       /*typeOfA=*/NumberType::BF16, /*typeOfB=*/NumberType::BF16,
       /*typeOfSums=*/NumberType::F32, /*emitter=*/Emitter::Wgmma,
       /*warps=*/kWarpgroupWarps,
       /*readsSharedA=*/true, /*isAsynchronous=*/true, /*mapOfA=*/wgmmaA,
       /*mapOfB=*/nullptr, /*mapOfSums=*/wgmmaAccumulator},
      {Instruction::WgmmaFP8, /*name=*/"wgmma_fp8", /*ptxName=*/"wgmma",
       /*m=*/64, /*k=*/32, /*nStep=*/8, /*nMax=*/256,
       /*typeOfA=*/NumberType::E5M2, /*typeOfB=*/NumberType::E4M3,
       /*typeOfSums=*/NumberType::F32, /*emitter=*/Emitter::Wgmma,
       /*warps=*/kWarpgroupWarps,
       /*readsSharedA=*/true, /*isAsynchronous=*/true, /*mapOfA=*/wgmmaA8,
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

const InstructionTraits *mxfp4::findInstruction(Emitter emitter,
                                                std::optional<NumberType> a,
                                                NumberType b, NumberType sums) {
  for (const InstructionTraits &traits : instructions())
    if (traits.emitter == emitter && (!a || traits.typeOfA == *a) &&
        traits.typeOfB == b && traits.typeOfSums == sums)
      return &traits;
  return nullptr;
}

bool mxfp4::wordsAreFragments(const BlockLayout &layout,
                              Instruction instruction) {
  const InstructionTraits &traits = traitsOf(instruction);
  const FragmentMap block = layout.codeMap();
  const FragmentMap fragment =
      traits.mapOfA().permuteRows(BlockLayout::rowPermutation());
  const int elements = fragment.elements();
  if (block.warps() % traits.warps != 0 || block.elements() % elements != 0 ||
      elements != BlockLayout::kWordCodes * layout.stepWords() ||
      traits.k != layout.stepCols())
    return false;
  for (int warp = 0; warp < block.warps(); ++warp)
    for (int lane = 0; lane < kWarpThreads; ++lane)
      for (int element = 0; element < block.elements(); ++element) {
        Coord expected = fragment(layout.fragmentElement(element % elements),
                                  lane, warp % traits.warps);
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
