//===- Problem.cpp - A problem for a manifest, and its data ---------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Problem.h"

#include "Tool.h"
#include "mxfp4/Core/Format.h"
#include "mxfp4/Core/Names.h"
#include "mxfp4/Core/NestingDepth.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>
#include <set>

using namespace mxfp4;
using llvm::StringRef;

Problem::Problem(const std::string &text, const std::string &spec)
    : manifest(nullptr) {
  if (jsonDepth(text) > kMostJsonDepth)
    die("the manifest's lists and objects are nested more than " +
        std::to_string(kMostJsonDepth) + " deep");
  llvm::Expected<llvm::json::Value> parsed = llvm::json::parse(text);
  if (!parsed)
    die("the manifest is not JSON: " + llvm::toString(parsed.takeError()));
  manifest = std::move(*parsed);
  if (this->text("format") != "mxfp4-artifact" ||
      (integer("version") != 3 && integer("version") != 4))
    die("expected a manifest of format mxfp4-artifact, version 3 or 4");
  if (has("operation"))
    die("the kernel is of mxfp4." + this->text("operation") +
        ", and this program launches grouped matmuls by --problem; run it with "
        "mxfp4.routing_artifact.simulate_routing");
  experts = integer("problem.experts");
  groups = integer("problem.groups");
  n = integer("problem.n");
  k = integer("problem.k");
  outputF32 = this->text("problem.output") == "f32";
  if (!parse(this->text("weights.order"), layout.order) ||
      !parse(this->text("weights.scales"), layout.scales))
    die("the manifest names a layout of weights that is not known");
  if (this->text("problem.output") == "e4m3")
    die("the kernel has results of e4m3, which this program does not compare; "
        "run it with mxfp4.simulate");
  if (this->text("problem.activation") != "bf16")
    die("the kernel takes activations of " + this->text("problem.activation") +
        ", and this program makes inputs of bf16; run it with mxfp4.simulate");
  if (has("problem.epilogue"))
    die("the kernel has an epilogue, which the definition that this program "
        "compares with has not; run it with mxfp4.simulate");
  constexpr int64_t most = int64_t(1) << 24;
  if (experts < 1 || groups < 1 || n < 1 || k < 32 || k % 32 ||
      std::max({experts, groups, n, k}) > most)
    die("the manifest has a problem that cannot be: experts, groups and n are "
        "positive, k is a multiple of 32, all up to 2^24");
  if (double(experts) * double(n) * double(k) > double(int64_t(1) << 36))
    die("the weights have more than 2^36 elements, which the interpreter does "
        "not hold");
  readSpec(spec);
}

const llvm::json::Value *Problem::find(StringRef path) const {
  const llvm::json::Value *node = &manifest;
  for (const std::string &key : split(path.str(), '.')) {
    const llvm::json::Object *object = node->getAsObject();
    node = object ? object->get(key) : nullptr;
    if (!node)
      return nullptr;
  }
  return node;
}

const llvm::json::Value &Problem::at(StringRef path) const {
  if (const llvm::json::Value *node = find(path))
    return *node;
  die("the manifest has no \"" + path.str() + "\"");
}

int64_t Problem::integer(StringRef path) const {
  if (std::optional<int64_t> value = at(path).getAsInteger())
    return *value;
  die("the manifest's \"" + path.str() + "\" is no whole number");
}

std::string Problem::text(StringRef path) const {
  if (std::optional<StringRef> value = at(path).getAsString())
    return value->str();
  die("the manifest's \"" + path.str() + "\" is no text");
}

std::string Problem::entry() const { return text("entry"); }

unsigned Problem::registers() const {
  const auto *resources = manifest.getAsObject()->getObject("resources");
  return resources ? resources->getInteger("registers").value_or(0) : 0;
}

bool Problem::readsAhead() const {
  const auto *launch = manifest.getAsObject()->getObject("launch");
  return launch && launch->getArray("ahead");
}

/// "3,-1,0", or a file of i32.
static std::vector<int32_t> integers(const std::string &text) {
  std::vector<int32_t> values;
  if (text.find_first_not_of("0123456789,-") == std::string::npos) {
    for (const std::string &word : split(text, ','))
      values.push_back(int32_t(integer(word, 32, "--problem")));
    return values;
  }
  const std::string bytes = readFile(text);
  if (bytes.size() % 4)
    die(text + " has " + std::to_string(bytes.size()) +
        " bytes, expected numbers of 4 bytes each (i32)");
  values.resize(bytes.size() / 4);
  std::memcpy(values.data(), bytes.data(), 4 * values.size());
  return values;
}

/// The value of a key of --problem, which must be one of `values`.
static std::string oneOf(const std::string &key, const std::string &value,
                         std::initializer_list<const char *> values) {
  std::string names;
  for (const char *name : values) {
    if (value == name)
      return value;
    names += (names.empty() ? "" : ", ") + std::string(name);
  }
  die("--problem expects for " + key + " one of " + names + ", found '" +
      value + "'");
}

void Problem::readSpec(const std::string &spec) {
  std::set<std::string> given;
  for (const std::string &word : split(spec, ' ')) {
    const size_t equals = word.find('=');
    const std::string key = word.substr(0, equals),
                      value =
                          word.substr(std::min(equals, word.size() - 1) + 1);
    if (word.empty())
      continue;
    if (equals == std::string::npos || value.empty())
      die("expected key=value in --problem, found '" + word + "'");
    if (!given.insert(key).second)
      die("--problem expects each key once, but " + key + " is given twice");
    if (key == "rows")
      rows = int64_t(number(value, 1, INT32_MAX - 1, "rows in --problem"));
    else if (key == "multiprocessors")
      multiprocessors =
          int64_t(number(value, 1, 1024, "multiprocessors in --problem"));
    else if (key == "routing")
      routing = oneOf(key, value, {"random", "even", "first", "last"});
    else if (key == "data")
      exact = oneOf(key, value, {"exact", "random"}) == "exact";
    else if (key == "offsets")
      offsets = integers(value);
    else if (key == "ids")
      ids = integers(value);
    else if (key == "x")
      xFile = value;
    else if (key == "weights")
      weightsFile = value;
    else
      die("--problem does not know '" + word + "'" +
          alternatives(key, "key",
                       {"rows", "routing", "offsets", "ids", "data", "x",
                        "weights", "multiprocessors"}) +
          "; see --help");
  }
  if (given.count("routing") && given.count("offsets"))
    die("--problem expects routing or offsets, but both are given");
  // Sums of other numbers than those made here are rounded.
  if (!given.count("data"))
    exact = xFile.empty() && weightsFile.empty();
}

/// Makes the offsets and ids that --problem does not give.
void Problem::route(uint64_t seed) {
  std::mt19937_64 random(seed);
  if (offsets.empty()) {
    std::vector<int64_t> sizes(groups, 0);
    for (int64_t r = 0; r < rows; ++r)
      ++sizes[routing == "random" ? random() % groups
              : routing == "even" ? r * groups / rows
              : routing == "last" ? groups - 1
                                  : 0];
    offsets = {0};
    for (int64_t size : sizes)
      offsets.push_back(offsets.back() + int32_t(size));
  }
  if (ids.empty())
    for (int64_t g = 0; g < groups; ++g)
      ids.push_back(groups == experts ? int32_t(g)
                                      : int32_t(random() % (experts + 1)) - 1);
  if (int64_t(offsets.size()) != groups + 1 || int64_t(ids.size()) != groups)
    die("the kernel has " + std::to_string(groups) + " groups: expected " +
        std::to_string(groups + 1) + " offsets and " + std::to_string(groups) +
        " ids, found " + std::to_string(offsets.size()) + " and " +
        std::to_string(ids.size()));
  for (int64_t g = 0; g < groups; ++g)
    if (offsets[g] > offsets[g + 1] || ids[g] < -1 || ids[g] >= experts)
      die("offsets must not decrease, and ids lie from -1 to " +
          std::to_string(experts - 1));
  if (offsets.front() != 0 || offsets.back() != rows)
    die("offsets must go from 0 to the number of rows, " +
        std::to_string(rows));
}

void Problem::fill(uint64_t seed) {
  std::mt19937_64 random(seed + 1);
  x.resize(rows * k);
  if (!xFile.empty()) {
    const std::string bytes = readFile(xFile);
    if (bytes.size() != 2 * x.size())
      die(xFile + " has " + std::to_string(bytes.size()) + " bytes, expected " +
          std::to_string(2 * x.size()) + " (bf16 [rows, k])");
    std::memcpy(x.data(), bytes.data(), bytes.size());
  } else {
    std::normal_distribution<double> normal;
    for (uint16_t &value : x)
      value = roundToBF16(exact ? double(random() % 9) - 4 : normal(random));
  }
  const int64_t bytes = layout.packedBytes(n, k),
                slices = n * (k / kScaleBlock);
  packed.resize(experts * bytes);
  codes.resize(experts * slices * 16);
  scales.resize(experts * slices);
  if (!weightsFile.empty()) {
    const std::string given = readFile(weightsFile);
    if (given.size() != packed.size())
      die(weightsFile + " has " + std::to_string(given.size()) +
          " bytes, expected " + std::to_string(packed.size()) +
          " (packed weights)");
    std::memcpy(packed.data(), given.data(), given.size());
  } else {
    for (size_t i = 0; i < codes.size(); i += 8) { // 16 bytes a scale
      const uint64_t eight = random();
      std::memcpy(&codes[i], &eight, 8);
    }
    for (uint8_t &scale : scales)
      scale = uint8_t(124 + random() % 5);
  }
  for (int64_t e = 0; e < experts; ++e) {
    uint8_t *c = &codes[e * slices * 16], *s = &scales[e * slices],
            *p = &packed[e * bytes];
    if (weightsFile.empty()
            ? pack(layout, c, s, n, k, p) != PackStatus::Success
            : unpack(layout, p, n, k, c, s) != PackStatus::Success)
      die("the weights do not fit the layout");
  }
}
