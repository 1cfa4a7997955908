//===- ProblemLaunch.cpp - The launch that a manifest describes -----------===//
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

#include <algorithm>
#include <cmath>

using namespace mxfp4;

/// The buffer of an argument, by its name; nothing of one that this program
/// does not know.
std::optional<unsigned> Problem::addBuffer(const std::string &name,
                                           sim::Launch &l) {
  auto buffer = [&](auto &values, bool writable = false) {
    using Value = typename std::decay_t<decltype(values)>::value_type;
    return l.addBuffer(values.data(), values.size() * sizeof(Value),
                       {!writable, writable}, name);
  };
  if (name == "x")
    return buffer(x);
  if (name == "weights")
    return buffer(packed);
  if (name == "offsets")
    return buffer(offsets);
  if (name == "expert_ids")
    return buffer(ids);
  if (name == "y")
    return yBuffer = buffer(y, /*writable=*/true);
  if (name == "error")
    return l.addBuffer(&error, sizeof(error), {}, name);
  if (name == "workspace")
    return l.addBuffer(workspace, sizeof(workspace), {}, name);
  return std::nullopt;
}

/// The tensor map of an argument for a box of the manifest: boxes of rows by K,
/// as activations have.
sim::TensorMap Problem::tensorMap(const std::string &name, uint64_t address,
                                  const llvm::json::Value &value) const {
  const llvm::json::Array *box = value.getAsArray();
  if (!box || box->size() != 2)
    die("a box of \"" + name + "\" is not two numbers");
  sim::TensorMap map;
  map.base = address;
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
  return map;
}

/// Adds the buffer of an argument if it has one, and the argument itself.
void Problem::addArgument(const llvm::json::Object &argument, sim::Launch &l) {
  const std::string name = argument.getString("name").value_or("").str();
  const std::string kind = argument.getString("kind").value_or("").str();
  if (kind == "i32" && name == "rows")
    return l.argI32(uint32_t(rows));
  const std::optional<unsigned> id = addBuffer(name, l);
  if (!id) {
    if (kind == "pointer" && argument.getBoolean("nullable").value_or(false))
      return l.argI64(0);
    die("the kernel takes \"" + name +
        "\", which mxfp4-sim cannot provide; mxfp4.simulate in Python takes "
        "whatever a manifest names");
  }
  if (kind == "pointer")
    return l.argBuffer(*id);
  const llvm::json::Array *boxes = argument.getArray("boxes");
  if (kind != "tensor_maps" || !boxes)
    die("argument \"" + name +
        "\" of the manifest is of a kind that is not known");
  std::vector<uint8_t> bytes;
  for (const llvm::json::Value &box : *boxes) {
    const std::array<uint8_t, 128> encoded =
        tensorMap(name, l.address(*id), box).encode();
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
