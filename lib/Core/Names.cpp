//===- Names.cpp - Names that a user may have meant -----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mxfp4/Core/Names.h"

#include <algorithm>
#include <cctype>
#include <numeric>

using namespace mxfp4;

static std::string plain(std::string_view name) {
  std::string text(name);
  for (char &c : text)
    c = c == '_' ? '-' : char(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

/// Letters to insert, drop or replace to make one text of the other.
static size_t distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t(0));
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i + 1;
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t replaced = diagonal + (a[i] != b[j]);
      diagonal = row[j + 1];
      row[j + 1] = std::min({row[j] + 1, row[j + 1] + 1, replaced});
    }
  }
  return row.back();
}

std::string mxfp4::nearestName(std::string_view given,
                               const std::vector<std::string> &names) {
  const std::string asked = plain(given);
  if (asked.empty())
    return "";
  for (const std::string &name : names)
    if (plain(name) == asked)
      return name;
  for (const std::string &name : names)
    if (plain(name).compare(0, asked.size(), asked) == 0)
      return name;
  std::string best;
  size_t most = asked.size() / 3;
  for (const std::string &name : names)
    if (const size_t changed = distance(asked, plain(name)); changed <= most) {
      best = name;
      most = changed - (changed > 0);
    }
  return best;
}

std::string mxfp4::alternatives(std::string_view given, std::string_view what,
                                const std::vector<std::string> &names) {
  const std::string near = nearestName(given, names);
  std::string text =
      near.empty() ? "; the " : "; did you mean '" + near + "'? The ";
  text.append(what).append("s are ");
  for (size_t i = 0; i < names.size(); ++i)
    text.append(i ? ", " : "").append(names[i]);
  return text;
}
