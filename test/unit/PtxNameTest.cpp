//===- PtxNameTest.cpp ----------------------------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mxfp4/Core/PtxName.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

using namespace mxfp4;

namespace {

TEST(PtxName, KeepsIdentifiers) {
  for (const char *symbol :
       {"layer", "main", "grouped_matmul", "f$1", "_", "0", "add", "reg", ""})
    EXPECT_EQ(ptxName("mxfp4_", symbol), std::string("mxfp4_") + symbol);
}

TEST(PtxName, SpellsOtherBytesOut) {
  EXPECT_EQ(ptxName("mxfp4_", "jit(f)"), "mxfp4_jit$28f$29");
  EXPECT_EQ(ptxName("mxfp4_", "a.b-c d@e%f"), "mxfp4_a$2eb$2dc$20d$40e$25f");
  EXPECT_EQ(ptxName("mxfp4_", "\xc3\xa9\xff"), "mxfp4_$c3$a9$ff");
  EXPECT_EQ(ptxName("mxfp4_", std::string(1, '\0')), "mxfp4_$00");
  // Else the name of "a(" and that of "a$28" with a blank would begin alike.
  EXPECT_EQ(ptxName("mxfp4_", "a$28 "), "mxfp4_a$2428$20");
}

TEST(PtxName, KnowsIdentifiers) {
  for (const char *name : {"a", "A9", "_a", "$0", "__", "a_$b"})
    EXPECT_TRUE(isPtxName(name)) << name;
  for (const char *name :
       {"", "9", "_", "$", "a.b", "a b", "a-b", "%a", "\xc3\xa9", "a\n"})
    EXPECT_FALSE(isPtxName(name)) << name;
}

// Any bytes, of any length: an identifier, which is no longer than PTX allows,
// the same each time, and not that of another symbol.
TEST(PtxName, NamesAnySymbol) {
  std::mt19937 random(1);
  std::map<std::string, std::string> symbols;
  const std::string often = "ab$ .()@-_%0";
  for (int i = 0; i < 20000; ++i) {
    std::string symbol(i % 100 == 0 ? random() % 3000 : random() % 8, ' ');
    for (char &c : symbol)
      c = i % 3 == 0 ? static_cast<char>(random())
                     : often[random() % often.size()];
    const std::string name = ptxName("mxfp4_", symbol);
    ASSERT_TRUE(isPtxName(name)) << name;
    ASSERT_LE(name.size(), 200U);
    ASSERT_EQ(name, ptxName("mxfp4_", symbol));
    const std::string &first = symbols.try_emplace(name, symbol).first->second;
    // A symbol that is an identifier already may look like another's name.
    if (first != symbol) {
      ASSERT_TRUE(isPtxName("x" + symbol) || isPtxName("x" + first))
          << first << " and " << symbol << " are both " << name;
    }
  }
  // Long symbols that differ at the end alone.
  const std::string common(500, 'x');
  EXPECT_NE(ptxName("mxfp4_", common + "1"), ptxName("mxfp4_", common + "2"));
}

} // namespace
