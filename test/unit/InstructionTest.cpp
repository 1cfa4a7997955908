//===- InstructionTest.cpp ------------------------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mxfp4/Core/Instruction.h"
#include "mxfp4/Core/Target.h"

#include <gtest/gtest.h>

using namespace mxfp4;

namespace {

TEST(Instruction, RowsFollowTheEnum) {
  for (const InstructionTraits &traits : instructions())
    EXPECT_EQ(&traitsOf(traits.instruction), &traits);
  EXPECT_EQ(instructions().size(), 3u);
}

// Operands and sums are held once, by the warps that cooperate.
TEST(Instruction, FragmentsCoverTheirTiles) {
  for (const InstructionTraits &traits : instructions()) {
    const FragmentMap a = traits.mapOfA();
    EXPECT_TRUE(a.isBijection()) << traits.name;
    EXPECT_EQ(a.rows(), traits.m);
    EXPECT_EQ(a.cols(), traits.k);
    EXPECT_EQ(a.warps(), traits.warps);
    EXPECT_EQ(traits.registersOfA() * 32 * traits.threads(),
              traits.m * traits.k * bits(traits.typeOfA));
    if (!traits.readsSharedB()) {
      const FragmentMap b = traits.mapOfB();
      EXPECT_TRUE(b.isBijection()) << traits.name;
      EXPECT_EQ(b.rows(), traits.k);
      EXPECT_EQ(b.cols(), traits.nMax);
    }
    for (int n = traits.nStep; n <= traits.nMax; n *= 2) {
      const FragmentMap sums = traits.mapOfSums(n);
      EXPECT_TRUE(sums.isBijection()) << traits.name;
      EXPECT_EQ(sums.rows(), traits.m);
      EXPECT_EQ(sums.cols(), n);
      EXPECT_EQ(sums.warps(), traits.warps);
    }
  }
}

// What a lowering finds by the types of its operands is the instruction that
// wrote them.
TEST(Instruction, TypesOfOperandsNameTheInstruction) {
  for (const InstructionTraits &traits : instructions()) {
    EXPECT_EQ(findInstruction(traits.emitter, traits.typeOfA, traits.typeOfB,
                              traits.typeOfSums),
              &traits);
    EXPECT_EQ(findInstruction(traits.emitter, std::nullopt, traits.typeOfB,
                              traits.typeOfSums),
              &traits);
    EXPECT_EQ(findInstruction(traits.emitter, NumberType::F32, NumberType::F32,
                              traits.typeOfSums),
              nullptr);
  }
}

// An instruction takes 32 bytes of each row, whatever numbers they are.
TEST(Instruction, StagesAreRowsOfTheSwizzle) {
  for (const InstructionTraits &traits : instructions()) {
    EXPECT_EQ(traits.tileK() * bits(traits.typeOfB), 8 * kRowBytes);
    EXPECT_EQ(traits.tileK() % traits.k, 0);
    EXPECT_EQ(traits.stepBytes(), 32);
    EXPECT_EQ(traits.transposes(), bits(traits.typeOfB) == 16);
    EXPECT_EQ(traits.cutsSums(), bits(traits.typeOfB) == 8);
  }
}

TEST(Target, InstructionsAreFoundByWhatTheyDo) {
  const Target &target = defaultTarget();
  for (bool isAsynchronous : {false, true}) {
    const InstructionTraits *traits =
        target.find(NumberType::BF16, isAsynchronous);
    ASSERT_NE(traits, nullptr);
    EXPECT_EQ(traits->isAsynchronous, isAsynchronous);
    EXPECT_TRUE(target.has(traits->instruction));
    EXPECT_EQ(target.find(NumberType::F32, isAsynchronous), nullptr);
  }
  EXPECT_EQ(target.find(NumberType::E4M3, /*isAsynchronous=*/true)->instruction,
            Instruction::WgmmaFP8);
  EXPECT_EQ(target.find(NumberType::E4M3, /*isAsynchronous=*/false), nullptr);
  Target none = target;
  none.instructions = {Instruction::MmaSync};
  EXPECT_EQ(none.find(NumberType::BF16, /*isAsynchronous=*/true), nullptr);
}

TEST(Instruction, NamesRoundTrip) {
  for (const InstructionTraits &traits : instructions()) {
    Instruction back;
    EXPECT_TRUE(parse(name(traits.instruction), back));
    EXPECT_EQ(back, traits.instruction);
    EXPECT_FALSE(parse("hmma", back));
  }
}

TEST(Target, UnknownChipsAreNotFound) {
  EXPECT_NE(findTarget("sm_90a"), nullptr);
  EXPECT_EQ(findTarget("sm_80"), nullptr);
  EXPECT_EQ(&defaultTarget(), findTarget("sm_90a"));
}

TEST(Target, AdviceNamesTheChipsThatAreKnown) {
  EXPECT_EQ(adviseChips(), "use sm_90a");
  for (const Target &target : targets())
    EXPECT_NE(adviseChips().find(target.chip), std::string::npos);
}

} // namespace
