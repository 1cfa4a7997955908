//===- ManifestTest.cpp - Manifests that are refused, and why -------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Fixture.h"

#include <functional>
#include <random>

using testing::HasSubstr;

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
}

TEST(RuntimeArtifact, WrongArgumentsAreNamed) {
  Json many = matmul();
  for (int i = 0; i < 60; ++i) {
    many["arguments"].push_back(many["arguments"][0]);
    many["arguments"].back()["name"] = "x" + std::to_string(i);
  }
  EXPECT_THAT(refusal(many), HasSubstr("must be at most 64, got 66"));
  Json unknown = matmul();
  unknown["arguments"][3]["name"] = "z";
  unknown["arguments"][3].erase("shape");
  EXPECT_THAT(refusal(unknown),
              HasSubstr("shape of argument \"z\" is missing"));
}

TEST(RuntimeArtifact, WrongTensorMapsAreNamed) {
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
