//===- ArtifactTest.cpp - What is read of an artifact, and refused --------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Fixture.h"

#include "mxfp4/Core/Checksum.h"

#include <filesystem>
#include <fstream>
#include <functional>
#include <random>

using testing::HasSubstr;
namespace fs = std::filesystem;

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

/// What a manifest is refused with; empty if it is not.
static std::string refusal(const Json &manifest) {
  return read(manifest) ? "" : mxfp4rt_last_error();
}

TEST(RuntimeArtifact, WrongEntriesAreNamed) {
  struct Change {
    const char *pointer;
    Json value;
    std::string sentence;
  };
  const Change changes[] = {
      {"/format", "x", "expected an object with \"format\""},
      {"/version", 5, "expected version 3 or 4, got 5"},
      {"/version", "3", "expected version 3 or 4, got \"3\""},
      {"/entry", 3, "\"entry\" has a wrong type: 3"},
      {"/entry", "mxfp4", "the PTX has no entry mxfp4, which"},
      {"/launch/block", Json::array({1, 0, 1}), "three positive numbers"},
      {"/launch/grid/rule", "all", "must be one of persistent, one, per_rows"},
      {"/launch/grid", {{"rule", "per_rows"}}, "\"launch.grid.rows\" is miss"},
      {"/launch/grid", {{"rule", "per_rows"}, {"rows", 0}}, "must be from 1"},
      {"/launch/grid",
       {{"rule", "per_rows"}, {"rows", 1}, {"y", 65536}},
       "at most 65535"},
      {"/launch/ahead", {"x", "z"}, "must have names of arguments, got \"z\""},
      {"/launch/ahead", Json::array({2}), "must have names of arguments, got"},
      {"/launch/ahead", "x", "\"launch.ahead\" has a wrong type"},
      {"/launch/dynamic_shared_bytes", 1e30, "has a wrong type"},
      {"/launch/dynamic_shared_bytes", UINT64_MAX, "must be from 0 to"},
      {"/problem/rows_hint", {1, -2}, "must be two numbers"},
      {"/entry", "\u00fc\x7f\n", "the PTX has no entry \u00fc??,"},
      {"/entry", std::string(80, 'e'),
       "no entry " + std::string(80, 'e') + ","},
      {"/entry", std::string(81, 'e'),
       "no entry " + std::string(80, 'e') + "..."},
      {"/launch/block", {"\u00fc", 1, 1}, "got [\"\\u00fc\",1,1]"},
      {"/arguments/0/name", "a b", "letters, digits and _, got \"a b\""},
      {"/arguments/0/name", "", "letters, digits and _, got \"\""},
      {"/arguments/0/name", "9x", "letters, digits and _, got \"9x\""},
      {"/arguments/0/name", "x{", "letters, digits and _, got \"x{\""},
      {"/arguments/0/name", "x@", "letters, digits and _, got \"x@\""},
      {"/arguments/0/name", "y", "two are named \"y\""},
      {"/arguments/0/kind", "image", "\"kind\" must be one of"},
      {"/arguments/0/dtype", "f8", "\"dtype\" must be one of"},
      {"/arguments/0/align", 12, "must be a power of two, got 12"},
      {"/arguments/0/shape", {96, "rows"}, "of which the first may be"},
      {"/arguments/0/shape", Json::array({1, 1, 1, 1, 1, 1, 1, 1, 1}),
       "more than 8 dimensions"},
      {"/arguments/0/kind", "tensor_maps", "\"boxes\" is missing"},
      {"/arguments/0/shape",
       {"x_rows", 96},
       "no argument of the caller's of that name"},
      {"/arguments/0/shape", {"y_rows", 96}, "\"rows\" or \"x_rows\", got"},
      {"/arguments/4/provider", "caller", "must be launcher, got caller"},
      {"/arguments/4/shape", Json::array({"rows"}), "must not depend on"},
      {"/arguments/4/shape", Json::array({2}), "at most 4"},
      {"/arguments/4/kind", "f32", "it must be a pointer"},
      {"/arguments/5/kind", "f32", "it must be i32 or i64"}};
  for (const Change &change : changes) {
    Json manifest = matmul();
    manifest[Json::json_pointer(change.pointer)] = change.value;
    const std::string sentence = refusal(manifest);
    EXPECT_THAT(sentence, HasSubstr(change.sentence)) << change.pointer;
    EXPECT_THAT(sentence, HasSubstr("the artifact")) << change.pointer;
  }
  Json many = matmul();
  for (int i = 0; i < 60; ++i) {
    many["arguments"].push_back(many["arguments"][0]);
    many["arguments"].back()["name"] = "x" + std::to_string(i);
  }
  EXPECT_THAT(refusal(many), HasSubstr("must be at most 64, got 66"));
  Json boxes = matmul(false, true);
  boxes["arguments"][0]["boxes"] = Json::array({Json::array({64, 257})});
  EXPECT_THAT(refusal(boxes), HasSubstr("two numbers from 1 to 256"));
  for (const Json &box : {Json{257, 8}, Json{0, 8}, Json{64, 0}}) {
    boxes["arguments"][0]["boxes"] = Json::array({box});
    EXPECT_THAT(refusal(boxes), HasSubstr("two numbers from 1 to 256"));
  }
  boxes["arguments"][0]["boxes"] = Json::array();
  EXPECT_THAT(refusal(boxes), HasSubstr("1 to 32 boxes"));
  // A map is of rows and columns, and of memory that the caller has.
  Json flat = matmul(false, true);
  flat["arguments"][0]["shape"] = {96};
  EXPECT_THAT(refusal(flat), HasSubstr("two-dimensional memory of the call"));
  Json launchers = matmul(false, true);
  launchers["arguments"][0]["provider"] = "launcher";
  EXPECT_THAT(refusal(launchers), HasSubstr("two-dimensional memory of the c"));
  Json unknown = matmul();
  unknown["arguments"][3]["name"] = "z";
  unknown["arguments"][3].erase("shape");
  EXPECT_THAT(refusal(unknown),
              HasSubstr("shape of argument \"z\" is missing"));
}

// The last value that is right.
TEST(RuntimeArtifact, LimitsThemselvesAreRight) {
  const std::pair<const char *, Json> changes[] = {
      {"/launch/grid", {{"rule", "per_rows"}, {"rows", 1}, {"y", 65535}}},
      {"/launch/grid", {{"rule", "per_rows"}, {"rows", 1}, {"y", 1}}},
      {"/launch/dynamic_shared_bytes", 2147483647},
      {"/problem/groups", 1},
      {"/problem/rows_hint", {0, 0}},
      {"/schedule/tile", {{"rows", 1}, {"tokens", 1}}},
      {"/arguments/0/name", "_zZaA09"},
      {"/arguments/0/align", 1},
      {"/arguments/0/shape", {"rows", 1, 1, 1, 1, 1, 1, 1}},
      {"/files", {{"kernel.ptx", {{"bytes", 0}, {"crc32", 0}}}}}};
  for (const auto &[pointer, value] : changes) {
    Json manifest = matmul();
    manifest[Json::json_pointer(pointer)] = value;
    EXPECT_EQ(refusal(manifest), "") << pointer;
  }
  Json many = matmul();
  for (int i = 0; i < 58; ++i) {
    many["arguments"].push_back(many["arguments"][0]);
    many["arguments"].back()["name"] = "x" + std::to_string(i);
  }
  EXPECT_EQ(refusal(many), "");
  Json boxes = matmul(false, true);
  boxes["arguments"][0]["boxes"] = Json(32, Json{256, 256});
  boxes["arguments"][0]["boxes"][0] = Json{1, 1};
  EXPECT_EQ(refusal(boxes), "");
  Json least = matmul();
  for (Json &argument : least["arguments"])
    argument.erase("shape");
  for (const char *size : {"experts", "groups", "n", "k"})
    least["problem"][size] = 1;
  EXPECT_EQ(refusal(least), "");
}

// JSON of any depth, where a value is read, printed, or not known.
TEST(RuntimeArtifact, DeepManifestsAreRefused) {
  for (const char *name : {"version", "arguments", "unknown"})
    for (const char *brackets : {"[]", "{}"}) {
      for (const size_t depth : {size_t(63), size_t(64), size_t(1000000)}) {
        const std::string open =
            brackets[0] == '[' ? "[" : std::string("{\"]\\\"\":");
        std::string nested;
        for (size_t i = 0; i < depth; ++i)
          nested += open;
        nested += "1" + std::string(depth, brackets[1]);
        Json manifest = matmul();
        manifest[name] = "here";
        std::string text = manifest.dump();
        text.replace(text.find("\"here\""), 6, nested);
        const ArtifactPtr artifact = readText(text);
        const bool isKnown = std::string_view(name) != "unknown";
        EXPECT_EQ(artifact != nullptr, depth < 64 && !isKnown);
        if (depth >= 64)
          EXPECT_THAT(mxfp4rt_last_error(), HasSubstr("more than 64 deep"));
      }
    }
}

/// Calls \p visit with the place of every value.
static void everyPlace(const Json &node, const Json::json_pointer &place,
                       const std::function<void(Json::json_pointer)> &visit) {
  visit(place);
  if (!node.is_structured())
    return;
  for (const auto &[key, value] : node.items())
    everyPlace(value,
               node.is_array() ? place / size_t(std::stoul(key)) : place / key,
               visit);
}

// Whatever stands wherever: a kernel, or a sentence.
TEST(RuntimeArtifact, AnyValueAnywhereIsReadOrRefused) {
  const Json odd[] = {nullptr,
                      true,
                      0,
                      -1,
                      1,
                      2147483648LL,
                      UINT64_MAX,
                      1e300,
                      "",
                      "rows",
                      "tensor_maps",
                      Json::array(),
                      Json::object(),
                      Json::array({1, 1, 1}),
                      std::string(1000, '\x01')};
  const Json whole = matmul(true, true);
  int refused = 0, accepted = 0;
  everyPlace(whole, Json::json_pointer(), [&](const Json::json_pointer &place) {
    for (const Json &value : odd) {
      Json manifest = whole;
      manifest[place] = value;
      if (read(manifest)) {
        ++accepted;
        continue;
      }
      ++refused;
      EXPECT_THAT(mxfp4rt_last_error(), HasSubstr("the artifact"));
      EXPECT_LT(std::string(mxfp4rt_last_error()).size(), 400U);
    }
  });
  EXPECT_GT(refused, 500);
  EXPECT_GT(accepted, 50);
}

TEST(RuntimeArtifact, DamagedTextIsASentence) {
  const std::string text = matmul(true, true).dump();
  std::mt19937 random(1);
  for (int i = 0; i < 3000; ++i) {
    std::string damaged = text;
    if (i % 2)
      damaged.resize(random() % text.size());
    else
      damaged[random() % text.size()] = char(random());
    if (!readText(damaged))
      EXPECT_THAT(mxfp4rt_last_error(), HasSubstr("the artifact"));
  }
  EXPECT_FALSE(readText(std::string(100000, '[')));
  EXPECT_FALSE(readText(""));
  EXPECT_THAT(mxfp4rt_last_error(),
              HasSubstr("the manifest of the artifact is not JSON"));
}

TEST(RuntimeArtifact, AnEntryIsAWholeName) {
  const std::string text = matmul().dump();
  EXPECT_FALSE(readText(text, ".entry mxfp4_grouped_matmul_2(\n)"));
  EXPECT_FALSE(readText(text, ".entry mxfp4_grouped_matmul$(\n)"));
  EXPECT_TRUE(readText(text, ".entry mxfp4_grouped_matmul_2(\n)\n"
                             ".entry mxfp4_grouped_matmul(\n)"));
}

class RuntimeFolder : public testing::Test {
protected:
  fs::path folder =
      fs::path(testing::TempDir()) / ("mxfp4rt-" + std::to_string(::getpid()));
  void SetUp() override {
    fs::create_directories(folder);
    write("manifest.json", matmul().dump());
    write("kernel.ptx", ptx());
  }
  void TearDown() override { fs::remove_all(folder); }
  void write(const char *name, const std::string &content) {
    std::ofstream(folder / name, std::ios::binary) << content;
  }
  mxfp4rt_status load() {
    mxfp4rt_artifact *artifact = nullptr;
    const mxfp4rt_status status =
        mxfp4rt_artifact_load(folder.c_str(), &artifact);
    mxfp4rt_artifact_destroy(artifact);
    return status;
  }
};

TEST_F(RuntimeFolder, IsReadOrRefused) {
  EXPECT_EQ(load(), MXFP4RT_OK) << mxfp4rt_last_error();
  write("kernel.cubin", "text");
  EXPECT_EQ(load(), MXFP4RT_BAD_ARTIFACT);
  EXPECT_THAT(mxfp4rt_last_error(), HasSubstr("the cubin is not an ELF file"));
  write("kernel.cubin", "\x7f"
                        "ELF code");
  EXPECT_EQ(load(), MXFP4RT_OK);
  write("manifest.json", "{}");
  EXPECT_EQ(load(), MXFP4RT_BAD_ARTIFACT);
  EXPECT_THAT(mxfp4rt_last_error(),
              HasSubstr((folder / "manifest.json").string()));
  fs::remove(folder / "kernel.ptx");
  fs::create_directory(folder / "kernel.ptx");
  EXPECT_EQ(load(), MXFP4RT_BAD_ARTIFACT);
  EXPECT_THAT(mxfp4rt_last_error(), HasSubstr("it has no kernel.ptx"));
  fs::remove_all(folder);
  EXPECT_EQ(load(), MXFP4RT_BAD_ARTIFACT);
  EXPECT_THAT(mxfp4rt_last_error(),
              HasSubstr("is not an artifact: it has no manifest.json"));
}

TEST_F(RuntimeFolder, FilesAreThoseThatWereWritten) {
  // CRC-32 of "123456789" is the check value of the standard.
  EXPECT_EQ(mxfp4::crc32("123456789"), 0xCBF43926U);
  const std::string code = "\x7f"
                           "ELF code";
  Json manifest = matmul();
  manifest["files"] = {
      {"kernel.ptx",
       {{"bytes", std::string(ptx()).size()}, {"crc32", mxfp4::crc32(ptx())}}},
      {"kernel.cubin",
       {{"bytes", code.size()}, {"crc32", mxfp4::crc32(code)}}}};
  write("manifest.json", manifest.dump());
  EXPECT_EQ(load(), MXFP4RT_OK) << mxfp4rt_last_error(); // without a cubin
  Json &bytes = manifest["files"]["kernel.ptx"]["bytes"];
  bytes = bytes.get<int64_t>() + 1;
  write("manifest.json", manifest.dump());
  EXPECT_EQ(load(), MXFP4RT_BAD_ARTIFACT);
  EXPECT_THAT(mxfp4rt_last_error(), HasSubstr("kernel.ptx is not the file"));
  bytes = bytes.get<int64_t>() - 1;
  write("manifest.json", manifest.dump());
  write("kernel.cubin", code);
  EXPECT_EQ(load(), MXFP4RT_OK) << mxfp4rt_last_error();
  for (const std::string &other : {code + " more", std::string("\x7f"
                                                               "ELF codf")}) {
    write("kernel.cubin", other);
    EXPECT_EQ(load(), MXFP4RT_BAD_ARTIFACT);
    EXPECT_THAT(mxfp4rt_last_error(),
                HasSubstr("kernel.cubin is not the file that the artifact was "
                          "written with"));
  }
  write("kernel.cubin", code);
  write("kernel.ptx", std::string(ptx()) + " ");
  EXPECT_EQ(load(), MXFP4RT_BAD_ARTIFACT);
  EXPECT_THAT(mxfp4rt_last_error(), HasSubstr("kernel.ptx is not the file"));
  write("kernel.ptx", ptx());
  manifest["files"].erase("kernel.cubin");
  write("manifest.json", manifest.dump());
  EXPECT_EQ(load(), MXFP4RT_BAD_ARTIFACT) << "a cubin of another artifact";
  for (const Json &files :
       {Json("none"), Json{{"kernel.ptx", 1}},
        Json{{"kernel.ptx", {{"bytes", 1}}}},
        Json{{"kernel.ptx", {{"bytes", -1}, {"crc32", 1}}}},
        Json{{"kernel.ptx", {{"bytes", 1}, {"crc32", 4294967296}}}}}) {
    manifest["files"] = files;
    write("manifest.json", manifest.dump());
    EXPECT_EQ(load(), MXFP4RT_BAD_ARTIFACT);
    EXPECT_THAT(mxfp4rt_last_error(),
                HasSubstr((folder / "manifest.json").string() + ": \"files\""));
  }
}

TEST_F(RuntimeFolder, TheManifestIsAsItWasWritten) {
  Json manifest = matmul();
  manifest["problem"]["epilogue"] = R"(a "checksum":"9" \ in a string)";
  manifest["files"] = {
      {"kernel.ptx",
       {{"bytes", std::string(ptx()).size()}, {"crc32", mxfp4::crc32(ptx())}}}};
  manifest["checksum"] = "";
  const std::string digits = mxfp4::manifestChecksum(manifest.dump());
  manifest["checksum"] = digits;
  // Blanks between words do not count.
  for (const int indent : {-1, 0, 2}) {
    write("manifest.json", manifest.dump(indent));
    EXPECT_EQ(load(), MXFP4RT_OK) << mxfp4rt_last_error();
  }
  auto refused = [&](const Json &changed) {
    write("manifest.json", changed.dump());
    EXPECT_EQ(load(), MXFP4RT_BAD_ARTIFACT) << changed;
    EXPECT_THAT(mxfp4rt_last_error(),
                HasSubstr((folder / "manifest.json").string() +
                          ": it is not as it was written"));
    Json meant = changed;
    meant.erase("files");
    write("manifest.json", meant.dump());
    EXPECT_EQ(load(), MXFP4RT_OK) << mxfp4rt_last_error();
  };
  for (const auto &[path, value] : std::vector<std::pair<std::string, Json>>{
           {"/problem/k", 64},
           {"/launch/dynamic_shared_bytes", 1024},
           {"/launch/grid/ctas_per_sm", 3},
           {"/problem/epilogue", R"(a "checksum":"9" \ in a  string)"},
           {"/checksum", "00000000"},
           {"/checksum", digits + " "}}) {
    Json changed = manifest;
    changed[Json::json_pointer(path)] = value;
    refused(changed);
  }
  // What is wrong in a manifest says more than that it was changed.
  manifest["version"] = 2;
  write("manifest.json", manifest.dump());
  EXPECT_EQ(load(), MXFP4RT_BAD_ARTIFACT);
  EXPECT_THAT(mxfp4rt_last_error(), HasSubstr("expected version 3 or 4"));
}

// A file that opens and cannot be read: nothing is mapped where it begins.
TEST_F(RuntimeFolder, AnErrorOfTheDeviceNamesTheFile) {
  fs::remove(folder / "kernel.ptx");
  std::error_code none;
  fs::create_symlink("/proc/self/mem", folder / "kernel.ptx", none);
  if (none || !fs::is_regular_file(folder / "kernel.ptx"))
    GTEST_SKIP() << "no /proc here";
  EXPECT_EQ(load(), MXFP4RT_BAD_ARTIFACT);
  EXPECT_EQ(mxfp4rt_last_error(),
            (folder / "kernel.ptx").string() + " could not be read.");
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
