//===- Json.h - Entries of a manifest, checked ------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_LIB_RUNTIME_JSON_H
#define MXFP4_LIB_RUNTIME_JSON_H

#include "Manifest.h"

#include <nlohmann/json.hpp>

#include <initializer_list>

namespace mxfp4::runtime {

using Json = nlohmann::json;

/// Sizes in a manifest are those of i32.
constexpr int64_t kMost = 0x7fffffff;

[[noreturn]] void wrong(const std::string &sentence);
/// A value as it may stand in a message.
std::string shown(const Json &value);

/// The value at a dotted path, or null.
const Json *lookUp(const Json &node, const std::string &path);
/// The value at a dotted path; failures name the path.
const Json &get(const Json &node, const std::string &path);
std::string getString(const Json &node, const std::string &path);
std::string getChoice(const Json &node, const std::string &path,
                      std::initializer_list<const char *> allowed);
bool getBool(const Json &node, const std::string &path);
int64_t getNumber(const Json &node, const std::string &path, int64_t low);
const Json &getList(const Json &node, const std::string &path);
/// Whether it is a whole number in low .. high.
bool isNumber(const Json &value, int64_t low, int64_t high);

/// Reads "arguments" (ManifestArguments.cpp).
std::vector<Argument> readArguments(const Json &root);

} // namespace mxfp4::runtime

#endif // MXFP4_LIB_RUNTIME_JSON_H
