//===- ArtifactTest.cpp - What an artifact tells --------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Fixture.h"

using testing::HasSubstr;

TEST(RuntimeArtifact, TellsWhatItsKernelTakes) {
  const ArtifactPtr artifact = read(matmul(true, true));
  ASSERT_TRUE(artifact) << mxfp4rt_last_error();
  EXPECT_STREQ(mxfp4rt_artifact_entry(artifact.get()), "mxfp4_grouped_matmul");
  EXPECT_STREQ(mxfp4rt_artifact_target(artifact.get()), "sm_90a");
  EXPECT_STREQ(mxfp4rt_artifact_ptx(artifact.get()), ptx());
  EXPECT_STREQ(mxfp4rt_artifact_layout(artifact.get()),
               "order=spread scales=folded");
  EXPECT_EQ(Json::parse(mxfp4rt_artifact_manifest(artifact.get())),
            matmul(true, true));
  Json gated = matmul(true, true);
  gated["weights"]["columns"] = "interleaved";
  EXPECT_STREQ(mxfp4rt_artifact_layout(read(gated).get()),
               "order=spread scales=folded columns=interleaved");
  EXPECT_EQ(mxfp4rt_artifact_workspace(artifact.get()), 8U);
  EXPECT_EQ(mxfp4rt_artifact_workspace(read(matmul()).get()), 0U);
  const mxfp4rt_rows rows = mxfp4rt_artifact_rows(artifact.get());
  EXPECT_EQ(rows.lowest, 1);
  EXPECT_EQ(rows.highest, 64);
  EXPECT_EQ(rows.most, 2147483647);
  ASSERT_EQ(mxfp4rt_argument_count(artifact.get()), 7);
  mxfp4rt_argument x, last;
  ASSERT_EQ(mxfp4rt_argument_get(artifact.get(), 0, &x), 0);
  EXPECT_STREQ(x.name, "x");
  EXPECT_EQ(x.kind, MXFP4RT_TENSOR_MAPS);
  EXPECT_STREQ(x.dtype, "bf16");
  EXPECT_EQ(x.align, 16U);
  ASSERT_EQ(x.rank, 2U);
  EXPECT_EQ(x.shape[0], MXFP4RT_ROWS);
  EXPECT_EQ(x.shape[1], 96);
  EXPECT_TRUE(x.from_caller);
  EXPECT_FALSE(x.nullable);
  ASSERT_EQ(mxfp4rt_argument_get(artifact.get(), 6, &last), 0);
  EXPECT_STREQ(last.name, "rows");
  EXPECT_EQ(last.kind, MXFP4RT_I32);
  EXPECT_FALSE(last.from_caller);
  EXPECT_EQ(mxfp4rt_argument_find(artifact.get(), "y"), 3);
  EXPECT_EQ(mxfp4rt_argument_find(artifact.get(), "z"), -1);
  EXPECT_EQ(mxfp4rt_argument_get(artifact.get(), 7, &x), MXFP4RT_INVALID);
  EXPECT_EQ(mxfp4rt_argument_get(artifact.get(), -1, &x), MXFP4RT_INVALID);
}

TEST(RuntimeArtifact, RowsAreLimitedByTheTilesThatAKernelCounts) {
  Json manifest = matmul();
  manifest["problem"]["n"] = 64000;
  manifest["problem"].erase("rows_hint");
  const mxfp4rt_rows rows = mxfp4rt_artifact_rows(read(manifest).get());
  EXPECT_EQ(rows.most, (2147483647LL / 1000 - 3) * 8);
  EXPECT_EQ(rows.lowest, 0);
  EXPECT_EQ(rows.highest, INT64_MAX);
  // A kernel that is no matmul counts rows alone.
  manifest.erase("problem");
  manifest.erase("weights");
  EXPECT_STREQ(mxfp4rt_artifact_layout(read(manifest).get()), "");
  EXPECT_EQ(mxfp4rt_artifact_rows(read(manifest).get()).most, 2147483647);
}

TEST(RuntimeArtifact, ShapesFollowFromTheProblemWhereTheyAreNotStated) {
  Json whole = matmul(true);
  whole["arguments"].push_back({{"name", "expert_ids"},
                                {"kind", "pointer"},
                                {"dtype", "i32"},
                                {"align", 4},
                                {"shape", {3}},
                                {"provider", "caller"}});
  Json manifest = whole;
  for (Json &argument : manifest["arguments"]) {
    argument.erase("shape");
    argument.erase("provider");
  }
  const ArtifactPtr stated = read(whole), derived = read(manifest);
  ASSERT_TRUE(derived) << mxfp4rt_last_error();
  for (int i = 0; i < 8; ++i) {
    mxfp4rt_argument a, b;
    ASSERT_EQ(mxfp4rt_argument_get(stated.get(), i, &a), 0);
    ASSERT_EQ(mxfp4rt_argument_get(derived.get(), i, &b), 0);
    ASSERT_EQ(a.rank, b.rank);
    EXPECT_EQ(a.from_caller, b.from_caller);
    for (uint32_t j = 0; j < a.rank; ++j)
      EXPECT_EQ(a.shape[j], b.shape[j]) << a.name;
  }
}

TEST(RuntimeArtifact, NamesAreBoundOnce) {
  const ArtifactPtr artifact = read(matmul());
  std::vector<mxfp4rt_binding> given = {{"y", at(0x4000)},
                                        {"offsets", at(0x3000)},
                                        {"weights", at(0x2000)},
                                        {"x", at(0x1000)}};
  mxfp4rt_value bound[MXFP4RT_MOST_ARGUMENTS];
  auto bind = [&] {
    return mxfp4rt_bind(artifact.get(), given.data(), given.size(), bound);
  };
  ASSERT_EQ(bind(), 0) << mxfp4rt_last_error();
  for (uint64_t i = 0; i < 4; ++i)
    EXPECT_EQ(bound[i].pointer, at(0x1000 * (i + 1)).pointer);
  struct Wrong {
    mxfp4rt_binding last;
    const char *sentence;
  };
  const Wrong wrongs[] = {
      {{"bias", at(0x1000)},
       "this kernel takes no bias; it takes x, weights, offsets, y."},
      {{nullptr, at(0x1000)}, "this kernel takes no null"},
      {{"error", at(0x1000)}, "error is provided by the launcher"},
      {{"y", at(0x1000)}, "y is given twice"},
      {{"x", at(0)}, "x is null"},
      {{"x", at(0x1004)}, "x must be aligned to 16 bytes, got address 0x1004"}};
  for (const Wrong &wrong : wrongs) {
    given.back() = wrong.last;
    EXPECT_EQ(bind(), MXFP4RT_INVALID);
    EXPECT_THAT(mxfp4rt_last_error(), HasSubstr(wrong.sentence));
  }
  given.pop_back();
  EXPECT_EQ(bind(), MXFP4RT_INVALID);
  EXPECT_THAT(mxfp4rt_last_error(),
              HasSubstr("this kernel takes x, which is not given"));
}

TEST(RuntimeArtifact, AnEntryIsAWholeName) {
  const std::string text = matmul().dump();
  EXPECT_FALSE(readText(text, ".entry mxfp4_grouped_matmul_2(\n)"));
  EXPECT_FALSE(readText(text, ".entry mxfp4_grouped_matmul$(\n)"));
  EXPECT_TRUE(readText(text, ".entry mxfp4_grouped_matmul_2(\n)\n"
                             ".entry mxfp4_grouped_matmul(\n)"));
}

TEST(RuntimeArtifact, NothingIsSaidOfANullArtifact) {
  EXPECT_EQ(mxfp4rt_artifact_entry(nullptr), nullptr);
  EXPECT_EQ(mxfp4rt_artifact_target(nullptr), nullptr);
  EXPECT_EQ(mxfp4rt_artifact_manifest(nullptr), nullptr);
  EXPECT_EQ(mxfp4rt_artifact_ptx(nullptr), nullptr);
  EXPECT_EQ(mxfp4rt_artifact_layout(nullptr), nullptr);
  const mxfp4rt_rows none = mxfp4rt_artifact_rows(nullptr);
  EXPECT_EQ(none.lowest + none.highest + none.most, 0);
  EXPECT_EQ(mxfp4rt_artifact_workspace(nullptr), 0U);
  EXPECT_EQ(mxfp4rt_argument_count(nullptr), 0);
  EXPECT_EQ(mxfp4rt_argument_find(nullptr, "x"), -1);
}
