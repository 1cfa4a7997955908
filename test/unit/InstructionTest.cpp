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
  EXPECT_EQ(instructions().size(), 2u);
}

// Operands and sums are held once, by the warps that cooperate.
TEST(Instruction, FragmentsCoverTheirTiles) {
  for (const InstructionTraits &traits : instructions()) {
    const FragmentMap a = traits.mapOfA();
    EXPECT_TRUE(a.isBijection()) << traits.name;
    EXPECT_EQ(a.rows(), traits.m);
    EXPECT_EQ(a.cols(), traits.k);
    EXPECT_EQ(a.warps(), traits.warps);
    EXPECT_EQ(traits.registersOfA() * 2 * traits.threads(),
              traits.m * traits.k);
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

TEST(Instruction, ColumnsAreSteps) {
  const InstructionTraits &mma = traitsOf(Instruction::MmaSync);
  const InstructionTraits &wgmma = traitsOf(Instruction::Wgmma);
  for (int n : {-8, 0, 4, 12, 264}) {
    EXPECT_FALSE(mma.hasColumns(n));
    EXPECT_FALSE(wgmma.hasColumns(n));
  }
  EXPECT_TRUE(mma.hasColumns(8));
  EXPECT_FALSE(mma.hasColumns(16));
  for (int n : {8, 24, 256})
    EXPECT_TRUE(wgmma.hasColumns(n));
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
