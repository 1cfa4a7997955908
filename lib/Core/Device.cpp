//===- Device.cpp - What parts of one architecture differ in --------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mxfp4/Core/Device.h"

#include "mxfp4/Core/Names.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdlib>
#include <set>

using namespace mxfp4;

/// Parts of one kind whose bandwidths differ by more are told apart by it.
static constexpr double kNearBandwidth = 0.08;

const std::vector<DeviceField> &mxfp4::deviceFields() {
  static const std::vector<DeviceField> fields = {
      {"multiprocessors", "", &Device::multiprocessors, 1, 1024},
      {"clock", "MHz", &Device::clock, 100, 10000},
      {"tensor-ops", "a clock", &Device::tensorOps, 64, 1 << 16},
      {"bandwidth", "GB/s", &Device::bandwidth, 50, 100000},
      {"l2", "MiB", &Device::l2, 1, 4096},
      {"power", "W", &Device::power, 10, 10000},
  };
  return fields;
}

const std::vector<Part> &mxfp4::parts() {
  // From NVIDIA's data sheets; clocks and caches from drivers. The H20's
  // 148 TFLOP/s are a quarter of the rate of as many SMs of an H100.
  static const std::vector<Part> rows = {
      {"h100-sxm", "H100 SXM", {132, 1980, 4096, 3350, 50, 700}},
      {"h100-pcie", "H100 PCIe", {114, 1755, 4096, 2039, 50, 350}},
      {"h100-nvl", "H100 NVL", {132, 1785, 4096, 3938, 50, 400}},
      {"h200", "H200", {132, 1980, 4096, 4800, 60, 700}},
      {"gh200", "GH200", {132, 1980, 4096, 4000, 60, 900}},
      {"gh200-144gb", "GH200 144GB", {132, 1980, 4096, 4900, 60, 900}},
      {"h20", "H20", {78, 1980, 1024, 4000, 60, 400}},
  };
  return rows;
}

bool mxfp4::operator==(const Device &a, const Device &b) {
  return std::all_of(deviceFields().begin(), deviceFields().end(),
                     [&](const DeviceField &field) {
                       return a.*field.member == b.*field.member;
                     });
}

std::string mxfp4::text(const Device &device) {
  for (const Part &part : parts())
    if (part.device == device)
      return part.key;
  std::string facts;
  for (const DeviceField &field : deviceFields())
    facts += (facts.empty() ? "" : ",") + std::string(field.key) + "=" +
             std::to_string(device.*field.member);
  return facts;
}

/// Letters in lower case.
static std::string lower(std::string text) {
  for (char &c : text)
    c = char(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

/// The parts of a text between separators.
static std::vector<std::string> split(const std::string &text,
                                      const std::string &separators) {
  std::vector<std::string> words(1);
  for (char c : text) {
    if (separators.find(c) == std::string::npos)
      words.back() += c;
    else
      words.emplace_back();
  }
  return words;
}

static std::string readFact(const std::string &word, Device &device) {
  const size_t equals = word.find('=');
  const std::string key = word.substr(0, equals);
  std::vector<std::string> keys;
  for (const DeviceField &field : deviceFields()) {
    keys.emplace_back(field.key);
    if (key != field.key)
      continue;
    const std::string digits =
        equals == std::string::npos ? "" : word.substr(equals + 1);
    const bool isNumber =
        !digits.empty() && digits.size() < 8 &&
        std::all_of(
            digits.begin(), digits.end(),
            [](char c) {
              return std::isdigit(static_cast<unsigned char>(c)) != 0;
            });
    const auto value =
        isNumber ? int(std::strtol(digits.c_str(), nullptr, 10)) : -1;
    if (value < field.least || value > field.most) {
      std::string wrong = "expects " + key + "= with a whole number from ";
      wrong += std::to_string(field.least) + " to ";
      wrong += std::to_string(field.most);
      if (*field.unit)
        wrong.append(" (").append(field.unit).append(")");
      return wrong.append(", but got '").append(digits).append("'");
    }
    device.*field.member = value;
    return "";
  }
  if (equals == std::string::npos) {
    keys.clear();
    for (const Part &part : parts())
      keys.emplace_back(part.key);
  }
  return "knows no " +
         std::string(equals == std::string::npos ? "device"
                                                 : "fact of a device") +
         " '" + key + "'" +
         alternatives(key, equals == std::string::npos ? "device" : "fact",
                      keys);
}

std::string mxfp4::parse(const std::string &text, Device &device) {
  Device found;
  bool isFirst = true;
  std::set<std::string> facts;
  for (const std::string &word : split(lower(text), ",")) {
    const auto part =
        std::find_if(parts().begin(), parts().end(),
                     [&](const Part &each) { return word == each.key; });
    if (part != parts().end()) {
      if (!isFirst)
        return "expects the name of a device first, and facts behind it, but "
               "got '" +
               text + "'";
      found = part->device;
    } else if (const std::string fact = word.substr(0, word.find('='));
               !facts.insert(fact).second) {
      return "expects each fact of a device once, but " + fact +
             " is given twice";
    } else if (std::string wrong = readFact(word, found); !wrong.empty()) {
      return wrong;
    }
    isFirst = false;
  }
  device = found;
  return "";
}

Device mxfp4::deviceOf(const std::string &driverName, const Device &asked) {
  const std::vector<std::string> words = split(lower(driverName), " -");
  const auto likeness = [&](const Part &part) {
    const std::vector<std::string> own = split(lower(part.name), " ");
    return std::count_if(own.begin(), own.end(), [&](const std::string &word) {
      return std::find(words.begin(), words.end(), word) != words.end();
    });
  };
  const auto distance = [&](const Part &part) {
    return asked.bandwidth == 0
               ? 0
               : std::abs(double(asked.bandwidth) / part.device.bandwidth - 1);
  };
  const Part *named = nullptr, *alike = &parts().front();
  for (const Part &part : parts()) {
    if (likeness(part) > likeness(*alike))
      alike = &part;
    if (part.device.multiprocessors != asked.multiprocessors ||
        distance(part) > kNearBandwidth)
      continue;
    if (!named || likeness(part) > likeness(*named) ||
        (likeness(part) == likeness(*named) &&
         distance(part) < distance(*named)))
      named = &part;
  }
  if (named)
    return named->device;
  Device device = alike->device;
  for (const DeviceField &field : deviceFields())
    if (asked.*field.member >= field.least && asked.*field.member <= field.most)
      device.*field.member = asked.*field.member;
  return device;
}
