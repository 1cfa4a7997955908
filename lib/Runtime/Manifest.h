//===- Manifest.h - What a manifest says to a launcher ----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The part of format "mxfp4-artifact", versions 3 and 4, that a launch needs;
// its meaning is written at the top of lib/Pipeline/Manifest.cpp. Grid rules
// are
//   {"rule": "persistent", "ctas_per_sm": C}   C CTAs for each SM
//   {"rule": "one"}                            one CTA
//   {"rule": "per_rows", "rows": R}            rows / R CTAs, rounded up
// and the last may have "y", the number of CTAs in y.
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_LIB_RUNTIME_MANIFEST_H
#define MXFP4_LIB_RUNTIME_MANIFEST_H

#include "Failure.h"

#include <array>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace mxfp4::runtime {

struct Argument {
  /// Who knows the value: the caller, or the launcher by the argument's name.
  /// An unknown argument of the launcher is nullable, and null.
  enum class Role { Caller, Error, Workspace, Rows, Unknown };

  std::string name;
  mxfp4rt_kind kind = MXFP4RT_POINTER;
  Role role = Role::Caller;
  std::string dtype;
  uint32_t align = 1;
  std::vector<int64_t> shape;
  std::vector<std::array<uint32_t, 2>> boxes;
  bool nullable = false;
  /// The number of the argument with the first size, for MXFP4RT_OWN_ROWS.
  int rowsArgument = -1;

  bool isMemory() const {
    return kind == MXFP4RT_POINTER || kind == MXFP4RT_TENSOR_MAPS;
  }
  size_t elementBytes() const {
    if (dtype == "u8" || dtype == "e4m3")
      return 1;
    return dtype == "bf16" ? 2 : 4;
  }
};

struct Grid {
  enum class Rule { Persistent, One, PerRows };
  Rule rule = Rule::Persistent;
  /// CTAs per SM, and CTAs per cluster.
  uint32_t ctasPerSm = 1, cluster = 1;
  /// Rows for each CTA, and CTAs in y.
  uint32_t rows = 1, y = 1;

  /// Whether a number of rows is launched: a kernel of one CTA has an outcome
  /// without rows, too. Another kernel that stores offsets (a sort on several
  /// CTAs) is not launched without rows: the caller's offsets keep their
  /// values, and no matmul reads them, because it is not launched without rows
  /// either.
  bool launches(int64_t launchRows) const {
    return launchRows > 0 || rule == Rule::One;
  }
  /// CTAs in x.
  uint32_t x(int64_t launchRows, int multiprocessors) const;
};

/// What tells a file of an artifact from others.
struct FileFacts {
  int64_t bytes;
  uint32_t crc32;
};

struct Manifest {
  std::string entry, target;
  /// Of packed weights; empty without any.
  std::string layout;
  std::array<uint32_t, 3> block = {1, 1, 1};
  uint32_t dynamicSharedBytes = 0;
  Grid grid;
  std::optional<std::array<int64_t, 2>> rowsHint;
  int64_t mostRows = 0;
  std::vector<Argument> arguments;
  /// Of the files beside the manifest, by name; absent if it does not say.
  std::optional<std::map<std::string, FileFacts>> files;
  /// The numbers of arguments that are read, or stored in, before the kernel
  /// ahead has ended.
  std::vector<size_t> ahead;
  /// Whether the next kernel begins only when all ahead of this one have ended,
  /// as from version 4 on.
  bool nextBehindWait = false;
  /// Whether it is a grouped matmul, which stores in `y` and `through` alone.
  /// Of other kernels a manifest does not say what they store in.
  bool isMatmul = true;

  /// Whether a launch may store in the caller's memory of an argument.
  bool mayStore(const Argument &argument) const {
    return argument.role == Argument::Role::Caller && argument.isMemory() &&
           (!isMatmul || argument.name == "y" || argument.name == "through" ||
            argument.name == "stored");
  }

  /// Whether the argument of a number in `ahead` is stored in.
  bool storesAhead(size_t number) const {
    return mayStore(arguments[number]) && isMatmul;
  }

  /// The number of an argument; -1 if there is none of this name.
  int find(const std::string &name) const;
  /// The argument of a role, if there is one.
  const Argument *find(Argument::Role role) const;
  /// Bytes of the launcher's workspace; 0 without one.
  size_t workspaceBytes() const;

  /// Fails if the text is no manifest of this version, or says what cannot be.
  static Manifest parse(const std::string &text, const std::string &origin);
};

} // namespace mxfp4::runtime

#endif // MXFP4_LIB_RUNTIME_MANIFEST_H
