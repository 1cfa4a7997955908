//===- NamesTest.cpp - Names that a user may have meant -------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mxfp4/Core/Names.h"

#include <gtest/gtest.h>

using namespace mxfp4;

namespace {

/// Made anew, because a static that allocates may throw before main().
std::vector<std::string> fields() {
  return {"experts", "n", "k", "groups", "order", "expert-ids"};
}

TEST(Names, TheNearestIsFound) {
  const std::pair<const char *, const char *> cases[] = {
      {"E", "experts"},
      {"N", "n"},
      {"K", "k"},
      {"expert_ids", "expert-ids"},
      {"EXPERT-IDS", "expert-ids"},
      {"expert", "experts"},
      {"exprets", "experts"},
      {"group", "groups"},
      {"oder", "order"},
      {"orders", "order"},
  };
  for (auto [given, expected] : cases)
    EXPECT_EQ(nearestName(given, fields()), expected) << given;
}

TEST(Names, WhatIsFarStandsForNothing) {
  for (const char *given : {"", "rows", "x", "colour", "topk", "-"})
    EXPECT_EQ(nearestName(given, fields()), "") << given;
}

/// Any single mistake in any name of four letters and more leads back to it.
TEST(Names, OneMistakeIsForgiven) {
  const std::vector<std::string> names = fields();
  for (const std::string &name : names) {
    if (name.size() < 4)
      continue;
    for (size_t i = 0; i <= name.size(); ++i) {
      std::string more = name, less = name, other = name;
      more.insert(i, "z");
      EXPECT_EQ(nearestName(more, fields()), name) << more;
      if (i == name.size())
        continue;
      other[i] = 'z';
      EXPECT_EQ(nearestName(other, fields()), name) << other;
      less.erase(i, 1);
      // Without its last letters it may be the beginning of an earlier one.
      if (name != "expert-ids" || less.compare(0, 6, "expert") != 0 ||
          i < name.size() - 3)
        EXPECT_EQ(nearestName(less, fields()), name) << less;
    }
  }
}

TEST(Names, AMessageListsAll) {
  EXPECT_EQ(alternatives("N", "problem field", fields()),
            "; did you mean 'n'? The problem fields are experts, n, k, groups, "
            "order, expert-ids");
  EXPECT_EQ(alternatives("rows", "option", {"a", "bc"}),
            "; the options are a, bc");
}

} // namespace
