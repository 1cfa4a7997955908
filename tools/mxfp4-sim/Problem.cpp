//===- Problem.cpp - A launch from an artifact's manifest -----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The manifest is the contract (lib/Pipeline/Manifest.cpp): nothing here knows
// how the kernel works.
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
  if (this->text("format") != "mxfp4-artifact" || integer("version") != 3)
    die("expected a manifest of format mxfp4-artifact, version 3");
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

const llvm::json::Value &Problem::at(StringRef path) const {
  const llvm::json::Value *node = &manifest;
  for (const std::string &key : split(path.str(), '.')) {
    const llvm::json::Object *object = node->getAsObject();
    node = object ? object->get(key) : nullptr;
    if (!node)
      die("the manifest has no \"" + path.str() + "\"");
  }
  return *node;
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

/// "3,-1,0", or a file of i32.
static std::vector<int32_t> integers(const std::string &text) {
  std::vector<int32_t> values;
  if (text.find_first_not_of("0123456789,-") == std::string::npos) {
    for (const std::string &word : split(text, ','))
      values.push_back(int32_t(integer(word, 32, "--problem")));
    return values;
  }
  const std::string bytes = readFile(text);
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

/// Adds the buffer of an argument if it has one, and the argument itself.
void Problem::addArgument(const llvm::json::Object &argument, sim::Launch &l) {
  const std::string name = argument.getString("name").value_or("").str();
  const std::string kind = argument.getString("kind").value_or("").str();
  if (kind == "i32" && name == "rows") {
    return l.argI32(uint32_t(rows));
  }
  auto buffer = [&](auto &values, bool writable = false) {
    using Value = typename std::decay_t<decltype(values)>::value_type;
    return l.addBuffer(values.data(), values.size() * sizeof(Value),
                       {!writable, writable}, name);
  };
  unsigned id;
  if (name == "x")
    id = buffer(x);
  else if (name == "weights")
    id = buffer(packed);
  else if (name == "offsets")
    id = buffer(offsets);
  else if (name == "expert_ids")
    id = buffer(ids);
  else if (name == "y")
    id = yBuffer = buffer(y, /*writable=*/true);
  else if (name == "error")
    id = l.addBuffer(&error, sizeof(error), {}, name);
  else if (name == "workspace")
    id = l.addBuffer(workspace, sizeof(workspace), {}, name);
  else if (kind == "pointer" && argument.getBoolean("nullable").value_or(false))
    return l.argI64(0);
  else
    die("the kernel takes \"" + name +
        "\", which mxfp4-sim cannot provide; mxfp4.simulate in Python takes "
        "whatever a manifest names");
  if (kind == "pointer") {
    return l.argBuffer(id);
  }
  const llvm::json::Array *boxes = argument.getArray("boxes");
  if (kind != "tensor_maps" || !boxes)
    die("argument \"" + name +
        "\" of the manifest is of a kind that is not "
        "known");
  std::vector<uint8_t> bytes;
  for (const llvm::json::Value &value : *boxes) {
    const llvm::json::Array *box = value.getAsArray();
    if (!box || box->size() != 2)
      die("a box of \"" + name + "\" is not two numbers");
    sim::TensorMap map;
    map.base = l.address(id);
    map.rank = 2;
    map.dims = {uint64_t(k), uint64_t(rows), 1, 1, 1};
    map.strides = {uint64_t(2 * k), 0, 0, 0};
    auto extent = [&](int i) {
      const int64_t number = (*box)[i].getAsInteger().value_or(0);
      return uint32_t(number < 0 || number > 256 ? 0 : number);
    };
    map.box = {extent(0), extent(1), 1, 1, 1};
    map.swizzling = sim::TensorMap::Swizzle::B128;
    if (std::string wrong = map.verify(); !wrong.empty())
      die(("the tensor map of \"" + name).append("\": ").append(wrong));
    const std::array<uint8_t, 128> encoded = map.encode();
    bytes.insert(bytes.end(), encoded.begin(), encoded.end());
  }
  l.argBytes(bytes.data(), bytes.size());
}

static sim::Dim3 triple(const llvm::json::Value &value) {
  const llvm::json::Array *list = value.getAsArray();
  if (!list || list->size() != 3)
    die("the manifest's block and cluster are three numbers each");
  auto get = [&](int i) {
    const int64_t number = (*list)[i].getAsInteger().value_or(0);
    if (number < 1 || number > 1024)
      die("the manifest's block and cluster have from 1 to 1024 of each");
    return uint32_t(number);
  };
  return {get(0), get(1), get(2)};
}

sim::Launch Problem::launch(uint64_t seed) {
  route(seed);
  fill(seed);
  y.assign(rows * n * (outputF32 ? 4 : 2), 0xFF);
  error = 0;
  sim::Launch l;
  l.block = triple(at("launch.block"));
  l.cluster = triple(at("launch.cluster"));
  if (text("launch.grid.rule") != "persistent")
    die("the manifest's rule for the grid is not known");
  auto bounded = [&](const char *path, int64_t least, int64_t most) {
    const int64_t number = integer(path);
    if (number < least || number > most)
      die(std::string("the manifest's \"") + path + "\" is " +
          std::to_string(number) + ", expected " + std::to_string(least) +
          " to " + std::to_string(most));
    return uint32_t(number);
  };
  l.grid.x =
      bounded("launch.grid.ctas_per_sm", 1, 32) * uint32_t(multiprocessors);
  l.grid.x = std::max(l.grid.x - l.grid.x % l.cluster.x, l.cluster.x);
  l.dynamicShared = bounded("launch.dynamic_shared_bytes", 0, 1 << 20);
  const llvm::json::Array *arguments = at("arguments").getAsArray();
  if (!arguments)
    die("the manifest's \"arguments\" are no list");
  for (const llvm::json::Value &argument : *arguments)
    if (const llvm::json::Object *object = argument.getAsObject())
      addArgument(*object, l);
  return l;
}

std::string Problem::describe(const sim::Launch &l) const {
  const auto plural = [](int64_t count, const char *noun) {
    return std::to_string(count) + " " + noun + (count == 1 ? "" : "s");
  };
  return plural(rows, "row") + " of K = " + std::to_string(k) +
         " times weights of N = " + std::to_string(n) + ", " +
         std::to_string(
             std::llround(double(rows) * double(n) * double(k) / 1e6)) +
         " million multiply-adds, on " +
         plural(multiprocessors, "simulated SM") + ": " +
         plural(l.grid.x, "thread block") + " of " +
         plural(l.block.x, "thread") + " share" + (l.grid.x == 1 ? "s" : "") +
         " the tiles (multiprocessors=N in --problem changes the number of "
         "SMs)";
}

double Problem::stored(const sim::Launch &l) const {
  const std::vector<uint8_t> &known = l.buffers[yBuffer].initialised;
  uint64_t bytes = 0;
  for (const uint8_t &byte : known) // The launch sets bits atomically, too.
    bytes += __builtin_popcount(__atomic_load_n(&byte, __ATOMIC_RELAXED));
  return double(bytes) / double(std::max<size_t>(y.size(), 1));
}

double Problem::weight(int64_t expert, int64_t row, int64_t col) const {
  static const std::vector<double> values = [] {
    std::vector<double> table;
    for (unsigned scale = 0; scale < 256; ++scale)
      for (unsigned code = 0; code < 16; ++code)
        table.push_back(decodeBF16(decodeExact(code, scale)));
    return table;
  }();
  const int64_t slice =
      (expert * n + row) * (k / kScaleBlock) + col / kScaleBlock;
  const uint8_t pair = codes[slice * 16 + col % kScaleBlock / 2];
  return values[16 * scales[slice] + (col % 2 ? pair >> 4 : pair & 15)];
}

/// Half a unit in the last place of the output's type at `value`.
static double halfUlp(double value, bool f32) {
  const int exponent = value > 0 ? std::ilogb(value) : -200;
  return std::ldexp(1.0,
                    std::max(exponent - (f32 ? 23 : 7), f32 ? -149 : -133) - 1);
}

std::pair<std::string, bool> Problem::check(const sim::Launch &l) const {
  int64_t wrong = 0;
  std::string first;
  std::vector<double> w(k), activations(x.size());
  std::transform(x.begin(), x.end(), activations.begin(), decodeBF16);
  for (int64_t g = 0; g < groups; ++g)
    for (int64_t col = 0; col < n && offsets[g] < offsets[g + 1]; ++col) {
      for (int64_t i = 0; i < k; ++i)
        w[i] = ids[g] < 0 ? 0 : weight(ids[g], col, i);
      for (int64_t r = offsets[g]; r < offsets[g + 1]; ++r) {
        double sum = 0, magnitude = 0;
        for (int64_t i = 0; i < k && ids[g] >= 0; ++i) {
          const double product = activations[r * k + i] * w[i];
          sum += product;
          magnitude += std::fabs(product);
        }
        uint32_t bits = 0;
        std::memcpy(&bits, &y[(r * n + col) * (outputF32 ? 4 : 2)],
                    outputF32 ? 4 : 2);
        float single;
        std::memcpy(&single, &bits, 4);
        const double got = outputF32 ? single : decodeBF16(uint16_t(bits));
        const double drift = std::ldexp(double(k), -22) * magnitude;
        const double want =
            outputF32 ? float(sum) : decodeBF16(roundToBF16(float(sum)));
        const bool same = got == want || (std::isnan(got) && std::isnan(want));
        if (same ||
            (!exact && std::fabs(got - sum) <=
                           drift + halfUlp(std::fabs(sum) + drift, outputF32)))
          continue;
        if (!wrong++)
          first = "; the first, at row " + std::to_string(r) + ", column " +
                  std::to_string(col) + ", is " + std::to_string(got) +
                  " instead of " + std::to_string(want);
      }
    }
  const int64_t count = rows * n;
  const uint64_t missing = y.size() - l.initialisedBytes(yBuffer);
  std::string said =
      wrong ? std::to_string(wrong) + " of " + std::to_string(count) +
                  " results are wrong" + first
      : exact
          ? "all " + std::to_string(count) + " results are right, bit for bit"
          : "all " + std::to_string(count) + " results are within the bound";
  if (missing)
    said += "; " + std::to_string(missing) + " bytes of y were not stored";
  if (error)
    said += "; the kernel set error word " + std::to_string(error);
  return {said + "\n", !wrong && !missing && !error};
}
