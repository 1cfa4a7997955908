//===- ManifestArguments.cpp - The arguments of a kernel ------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Json.h"

#include "mxfp4/Core/WeightLayout.h"

#include <algorithm>

using namespace mxfp4::runtime;

/// At least 512 workspaces are allocated at once.
static constexpr int64_t kMostWorkspaceBytes = 1 << 16;

static std::string quoted(const Argument &argument) {
  return "argument \"" + argument.name + '"';
}

static bool isIdentifier(const std::string &name) {
  auto is = [](char c, bool first) {
    const bool digit = '0' <= c && c <= '9';
    return c == '_' || ('a' <= (c | 0x20) && (c | 0x20) <= 'z') ||
           (digit && !first);
  };
  if (name.empty())
    return false;
  for (size_t i = 0; i < name.size(); ++i)
    if (!is(name[i], i == 0))
      return false;
  return true;
}

/// The shape that a matmul's argument had before manifests of this version
/// stated shapes: it follows from the problem.
static std::vector<int64_t> knownShape(const Json &root,
                                       const std::string &name) {
  auto problem = [&](const char *key) {
    return getNumber(root, std::string("problem.") + key, 1);
  };
  if (name == "x")
    return {MXFP4RT_ROWS, problem("k")};
  if (name == "y")
    return {MXFP4RT_ROWS, problem("n")};
  if (name == "offsets")
    return {problem("groups") + 1};
  if (name == "expert_ids")
    return {problem("groups")};
  if (name == "weights") {
    const mxfp4::BlockLayout layout;
    return {problem("experts"), layout.rowBlocks(problem("n")),
            layout.colBlocks(problem("k")), layout.bytes()};
  }
  if (name == "error")
    return {1};
  if (name == "workspace")
    return {2};
  wrong("the shape of argument \"" + name + "\" is missing.");
}

static std::vector<int64_t> readShape(const Json &root, const Json &item,
                                      const Argument &argument) {
  if (!lookUp(item, "shape"))
    return knownShape(root, argument.name);
  const Json &extents = getList(item, "shape");
  std::vector<int64_t> shape;
  for (const Json &extent : extents) {
    if (extent == "rows" && shape.empty())
      shape.push_back(MXFP4RT_ROWS);
    else if (extent == argument.name + "_rows" && shape.empty())
      shape.push_back(MXFP4RT_OWN_ROWS);
    else if (isNumber(extent, 1, kMost))
      shape.push_back(extent.get<int64_t>());
    else
      wrong("the shape of " + quoted(argument) +
            " must be positive numbers, of which the first may be \"rows\" or "
            "\"" +
            argument.name + "_rows\", got " + shown(extents) + ".");
  }
  if (shape.size() > MXFP4RT_MOST_RANK)
    wrong("the shape of " + quoted(argument) + " has more than " +
          std::to_string(MXFP4RT_MOST_RANK) + " dimensions: " + shown(extents) +
          ".");
  return shape;
}

static std::vector<std::array<uint32_t, 2>> readBoxes(const Json &item) {
  // The driver takes 4096 bytes of parameters: no more maps than these.
  constexpr size_t kMostBoxes = 32;
  const Json &list = getList(item, "boxes");
  std::vector<std::array<uint32_t, 2>> boxes;
  for (const Json &box : list) {
    if (!box.is_array() || box.size() != 2 || !isNumber(box[0], 1, 256) ||
        !isNumber(box[1], 1, 256))
      wrong("the box of a tensor map must be two numbers from 1 to 256, got " +
            shown(box) + ".");
    boxes.push_back({box[0].get<uint32_t>(), box[1].get<uint32_t>()});
  }
  if (boxes.empty() || boxes.size() > kMostBoxes)
    wrong("\"boxes\" must be 1 to " + std::to_string(kMostBoxes) +
          " boxes, got " + std::to_string(boxes.size()) + ".");
  return boxes;
}

static mxfp4rt_kind readKind(const Json &item) {
  const std::string kind =
      getChoice(item, "kind", {"pointer", "i32", "i64", "f32", "tensor_maps"});
  if (kind == "pointer")
    return MXFP4RT_POINTER;
  if (kind == "tensor_maps")
    return MXFP4RT_TENSOR_MAPS;
  return kind == "i32"   ? MXFP4RT_I32
         : kind == "i64" ? MXFP4RT_I64
                         : MXFP4RT_F32;
}

/// The launcher knows its arguments by name. Manifests of this version did not
/// always say who provides an argument.
static Argument::Role readRole(const Json &item, const std::string &name) {
  using Role = Argument::Role;
  const Role byName = name == "error"       ? Role::Error
                      : name == "workspace" ? Role::Workspace
                      : name == "rows"      ? Role::Rows
                                            : Role::Unknown;
  const bool isLaunchers =
      lookUp(item, "provider")
          ? getChoice(item, "provider", {"caller", "launcher"}) == "launcher"
          : byName != Role::Unknown;
  if (!isLaunchers && byName != Role::Unknown)
    wrong("the \"provider\" of argument \"" + name +
          "\" must be launcher, got caller.");
  return isLaunchers ? byName : Role::Caller;
}

static void readMemory(const Json &root, const Json &item, Argument &argument) {
  argument.dtype =
      getChoice(item, "dtype", {"bf16", "e4m3", "f32", "i32", "u8"});
  argument.align = uint32_t(getNumber(item, "align", 1));
  if (argument.align & (argument.align - 1))
    wrong("the \"align\" of " + quoted(argument) +
          " must be a power of two, got " + std::to_string(argument.align) +
          ".");
  argument.shape = readShape(root, item, argument);
  if (argument.kind != MXFP4RT_TENSOR_MAPS)
    return;
  argument.boxes = readBoxes(item);
  if (argument.role != Argument::Role::Caller || argument.shape.size() != 2)
    wrong(quoted(argument) + " has the wrong kind, tensor_maps: those describe "
                             "two-dimensional memory of the caller's.");
}

/// Is what the launcher provides of the type that it provides?
static void checkLaunchers(const Argument &argument) {
  using Role = Argument::Role;
  if (argument.role == Role::Rows) {
    if (argument.kind != MXFP4RT_I32 && argument.kind != MXFP4RT_I64)
      wrong("argument \"rows\" has the wrong kind; it must be i32 or i64.");
    return;
  }
  if (argument.role != Role::Error && argument.role != Role::Workspace)
    return;
  if (argument.kind != MXFP4RT_POINTER)
    wrong(quoted(argument) + " has the wrong kind; it must be a pointer.");
  int64_t bytes = int64_t(argument.elementBytes());
  for (const int64_t extent : argument.shape) {
    if (extent < 0)
      wrong("the shape of " + quoted(argument) +
            " must not depend on the number of rows, because the launcher "
            "allocates the memory before it knows the number.");
    bytes = std::min(bytes * extent, kMostWorkspaceBytes + 1);
  }
  const int64_t most = argument.role == Role::Error ? 4 : kMostWorkspaceBytes;
  if (bytes > most || bytes % 4)
    wrong(quoted(argument) + " must have a multiple of 4 bytes, at most " +
          std::to_string(most) + ".");
}

/// Finds the arguments with which the caller passes numbers of rows.
static void findOwnRows(std::vector<Argument> &arguments) {
  for (Argument &argument : arguments) {
    if (argument.shape.empty() || argument.shape[0] != MXFP4RT_OWN_ROWS)
      continue;
    const std::string wanted = argument.name + "_rows";
    for (size_t i = 0; i < arguments.size(); ++i)
      if (arguments[i].name == wanted && arguments[i].kind == MXFP4RT_I32 &&
          arguments[i].role == Argument::Role::Caller)
        argument.rowsArgument = int(i);
    if (argument.rowsArgument < 0)
      wrong("the shape of " + quoted(argument) + " begins with \"" + wanted +
            "\", but there is no argument of the caller's of that name and of "
            "kind i32.");
  }
}

std::vector<Argument> mxfp4::runtime::readArguments(const Json &root) {
  std::vector<Argument> arguments;
  const Json &list = getList(root, "arguments");
  if (list.size() > MXFP4RT_MOST_ARGUMENTS)
    wrong("\"arguments\" must be at most " +
          std::to_string(MXFP4RT_MOST_ARGUMENTS) + ", got " +
          std::to_string(list.size()) + ".");
  for (const Json &item : list) {
    Argument argument;
    argument.name = getString(item, "name");
    if (!isIdentifier(argument.name))
      wrong("\"name\" must be a name in letters, digits and _, got \"" +
            shown(argument.name) + "\".");
    for (const Argument &other : arguments)
      if (other.name == argument.name)
        wrong("\"arguments\" must be different, but two are named \"" +
              argument.name + "\".");
    argument.kind = readKind(item);
    argument.role = readRole(item, argument.name);
    argument.nullable =
        lookUp(item, "nullable") != nullptr && getBool(item, "nullable");
    if (argument.isMemory())
      readMemory(root, item, argument);
    checkLaunchers(argument);
    arguments.push_back(std::move(argument));
  }
  findOwnRows(arguments);
  return arguments;
}
