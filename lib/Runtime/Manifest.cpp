//===- Manifest.cpp - What a manifest says to a launcher ------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Manifest.h"

#include "Json.h"

#include "mxfp4/Core/Checksum.h"
#include "mxfp4/Core/NestingDepth.h"

#include <algorithm>

using namespace mxfp4::runtime;

void mxfp4::runtime::wrong(const std::string &sentence) {
  fail(MXFP4RT_BAD_ARTIFACT, sentence);
}

std::string mxfp4::runtime::shown(const std::string &text) {
  constexpr size_t kLongest = 80;
  std::string result;
  for (const char c : text.substr(0, kLongest))
    result += static_cast<unsigned char>(c) < ' ' || c == 0x7f ? '?' : c;
  return text.size() > kLongest ? result + "..." : result;
}

std::string mxfp4::runtime::shown(const Json &value) {
  return shown(value.dump(-1, ' ', true, Json::error_handler_t::replace));
}

const Json *mxfp4::runtime::lookUp(const Json &node, const std::string &path) {
  const Json *at = &node;
  for (size_t begin = 0; begin <= path.size();) {
    const size_t end = std::min(path.find('.', begin), path.size());
    if (!at->is_object())
      return nullptr;
    const auto found = at->find(path.substr(begin, end - begin));
    if (found == at->end())
      return nullptr;
    at = &*found;
    begin = end + 1;
  }
  return at;
}

const Json &mxfp4::runtime::get(const Json &node, const std::string &path) {
  const Json *found = lookUp(node, path);
  if (!found)
    wrong('"' + path + "\" is missing.");
  return *found;
}

static const Json &typed(const Json &node, const std::string &path,
                         bool (Json::*is)() const noexcept) {
  const Json &found = get(node, path);
  if (!(found.*is)())
    wrong('"' + path + "\" has a wrong type: " + shown(found) + ".");
  return found;
}

std::string mxfp4::runtime::getString(const Json &node,
                                      const std::string &path) {
  return typed(node, path, &Json::is_string).get<std::string>();
}

std::string
mxfp4::runtime::getChoice(const Json &node, const std::string &path,
                          std::initializer_list<const char *> allowed) {
  std::string value = getString(node, path), all;
  for (const char *each : allowed) {
    if (value == each)
      return value;
    all += (all.empty() ? "" : ", ") + std::string(each);
  }
  wrong('"' + path + "\" must be one of " + all + ", got \"" + shown(value) +
        "\".");
}

bool mxfp4::runtime::getBool(const Json &node, const std::string &path) {
  return typed(node, path, &Json::is_boolean).get<bool>();
}

const Json &mxfp4::runtime::getList(const Json &node, const std::string &path) {
  return typed(node, path, &Json::is_array);
}

bool mxfp4::runtime::isNumber(const Json &value, int64_t low, int64_t high) {
  // What does not fit into 64 bits is a float to the parser.
  if (!value.is_number_integer())
    return false;
  if (value.is_number_unsigned() && value.get<uint64_t>() > uint64_t(INT64_MAX))
    return false;
  const auto number = value.get<int64_t>();
  return low <= number && number <= high;
}

int64_t mxfp4::runtime::getNumber(const Json &node, const std::string &path,
                                  int64_t low) {
  const Json &found = typed(node, path, &Json::is_number_integer);
  if (!isNumber(found, low, kMost))
    wrong('"' + path + "\" must be from " + std::to_string(low) + " to " +
          std::to_string(kMost) + ", got " + shown(found) + ".");
  return found.get<int64_t>();
}

static std::array<uint32_t, 3> triple(const Json &root,
                                      const std::string &path) {
  const Json &list = getList(root, path);
  std::array<uint32_t, 3> result = {};
  if (list.size() != result.size() ||
      !std::all_of(list.begin(), list.end(),
                   [](const Json &each) { return isNumber(each, 1, kMost); }))
    wrong('"' + path + "\" must be three positive numbers, got " + shown(list) +
          ".");
  for (size_t i = 0; i < result.size(); ++i)
    result[i] = list[i].get<uint32_t>();
  return result;
}

static Grid readGrid(const Json &root) {
  Grid grid;
  grid.cluster = triple(root, "launch.cluster")[0];
  const std::string rule =
      getChoice(root, "launch.grid.rule", {"persistent", "one", "per_rows"});
  if (rule == "persistent") {
    grid.ctasPerSm = uint32_t(getNumber(root, "launch.grid.ctas_per_sm", 1));
  } else if (rule == "one") {
    grid.rule = Grid::Rule::One;
  } else {
    grid.rule = Grid::Rule::PerRows;
    grid.rows = uint32_t(getNumber(root, "launch.grid.rows", 1));
    if (lookUp(root, "launch.grid.y"))
      grid.y = uint32_t(getNumber(root, "launch.grid.y", 1));
    if (grid.y > 65535)
      wrong("\"launch.grid.y\" must be at most 65535, which is what the driver "
            "takes, got " +
            std::to_string(grid.y) + ".");
  }
  return grid;
}

uint32_t Grid::x(int64_t launchRows, int multiprocessors) const {
  switch (rule) {
  case Rule::One:
    return 1;
  case Rule::PerRows:
    return uint32_t((launchRows + rows - 1) / rows);
  case Rule::Persistent:
    break;
  }
  const int64_t all = int64_t(ctasPerSm) * multiprocessors;
  return uint32_t(std::min(all - all % cluster, kMost));
}

/// Of a matmul, tiles are numbered by i32, and each group's last one may be
/// almost empty. Other kernels count rows alone.
static int64_t mostRows(const Json &root) {
  if (!lookUp(root, "problem.n") || !lookUp(root, "schedule.tile"))
    return kMost;
  const int64_t n = getNumber(root, "problem.n", 1);
  const int64_t groups = getNumber(root, "problem.groups", 1);
  const int64_t rows = getNumber(root, "schedule.tile.rows", 1);
  const int64_t tokens = getNumber(root, "schedule.tile.tokens", 1);
  const int64_t tiles = kMost / ((n + rows - 1) / rows) - groups;
  return std::clamp<int64_t>(tiles * tokens, 0, kMost);
}

static std::optional<std::array<int64_t, 2>> rowsHint(const Json &root) {
  const Json *hint = lookUp(root, "problem.rows_hint");
  if (!hint || hint->is_null())
    return std::nullopt;
  if (!hint->is_array() || hint->size() != 2 ||
      !isNumber((*hint)[0], 0, INT64_MAX) ||
      !isNumber((*hint)[1], 0, INT64_MAX))
    wrong("\"problem.rows_hint\" must be two numbers, got " + shown(*hint) +
          ".");
  return std::array{(*hint)[0].get<int64_t>(), (*hint)[1].get<int64_t>()};
}

/// Manifests of this version did not always say what their files are.
static std::optional<std::map<std::string, FileFacts>>
readFiles(const Json &root) {
  const Json *files = lookUp(root, "files");
  if (!files)
    return std::nullopt;
  if (!files->is_object())
    wrong("\"files\" has a wrong type: " + shown(*files) + ".");
  std::map<std::string, FileFacts> result;
  for (const auto &[name, facts] : files->items()) {
    const Json *bytes = lookUp(facts, "bytes"), *crc = lookUp(facts, "crc32");
    if (!bytes || !crc || !isNumber(*bytes, 0, INT64_MAX) ||
        !isNumber(*crc, 0, UINT32_MAX))
      wrong("\"files\" must say \"bytes\" and \"crc32\" of each file, got " +
            shown(facts) + ".");
    result[name] = {bytes->get<int64_t>(), crc->get<uint32_t>()};
  }
  return result;
}

/// The numbers of the arguments that a kernel reads before it waits.
static std::vector<size_t> readAhead(const Json &root,
                                     const Manifest &manifest) {
  std::vector<size_t> numbers;
  if (!lookUp(root, "launch.ahead"))
    return numbers;
  for (const Json &name : getList(root, "launch.ahead")) {
    const int number =
        name.is_string() ? manifest.find(name.get<std::string>()) : -1;
    if (number < 0)
      wrong("\"launch.ahead\" must have names of arguments, got " +
            shown(name) + ".");
    numbers.push_back(size_t(number));
  }
  return numbers;
}

static Manifest read(const Json &root) {
  const Json *format = lookUp(root, "format");
  if (!format || *format != "mxfp4-artifact")
    wrong("expected an object with \"format\": \"mxfp4-artifact\".");
  const Json *version = lookUp(root, "version");
  if (!version || (*version != 3 && *version != 4))
    wrong("expected version 3 or 4, got " +
          (version ? shown(*version) : "none") +
          "; compile the artifact again, or use the version of mxfp4 that "
          "wrote it.");
  Manifest manifest;
  manifest.entry = getString(root, "entry");
  manifest.target = getString(root, "target");
  if (lookUp(root, "weights"))
    manifest.layout = "order=" + getString(root, "weights.order") +
                      " scales=" + getString(root, "weights.scales");
  if (lookUp(root, "weights.columns"))
    manifest.layout += " columns=" + getString(root, "weights.columns");
  manifest.block = triple(root, "launch.block");
  manifest.dynamicSharedBytes =
      uint32_t(getNumber(root, "launch.dynamic_shared_bytes", 0));
  manifest.grid = readGrid(root);
  manifest.rowsHint = rowsHint(root);
  manifest.mostRows = mostRows(root);
  manifest.arguments = readArguments(root);
  manifest.files = readFiles(root);
  manifest.ahead = readAhead(root, manifest);
  manifest.isMatmul = !lookUp(root, "operation");
  manifest.nextBehindWait = *version >= 4;
  return manifest;
}

/// Fails if the text is not the one that was written. Older manifests of this
/// version do not say.
static void checkWhole(const Json &root, const std::string &text) {
  if (lookUp(root, "files") && lookUp(root, "checksum") &&
      getString(root, "checksum") != mxfp4::manifestChecksum(text))
    wrong("it is not as it was written: it is damaged or was changed. Copy or "
          "compile the whole artifact again, or, if the change was meant, take "
          "\"files\" out of it.");
}

Manifest Manifest::parse(const std::string &text, const std::string &origin) {
  if (jsonDepth(text) > kMostJsonDepth)
    wrong(origin +
          " is no manifest: its lists and objects are nested more "
          "than " +
          std::to_string(kMostJsonDepth) + " deep.");
  try {
    const Json root = Json::parse(text);
    Manifest manifest = read(root);
    checkWhole(root, text);
    return manifest;
  } catch (const Json::parse_error &e) {
    wrong(origin + " is not JSON: " + shown(std::string(e.what())) + ".");
  } catch (const Failure &e) {
    fail(e.status, origin + ": " + e.what());
  }
}

int Manifest::find(const std::string &name) const {
  for (size_t i = 0; i < arguments.size(); ++i)
    if (arguments[i].name == name)
      return int(i);
  return -1;
}

const Argument *Manifest::find(Argument::Role role) const {
  for (const Argument &argument : arguments)
    if (argument.role == role)
      return &argument;
  return nullptr;
}

size_t Manifest::workspaceBytes() const {
  const Argument *workspace = find(Argument::Role::Workspace);
  if (!workspace)
    return 0;
  size_t bytes = workspace->elementBytes();
  for (const int64_t extent : workspace->shape)
    bytes *= size_t(extent);
  return bytes;
}
