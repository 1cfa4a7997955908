//===- Input.cpp - Numbers and files of the command line ------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Tool.h"

#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

void die(const std::string &message) {
  std::fprintf(stderr, "mxfp4-sim: %s\n", message.c_str());
  std::exit(2);
}

int finish(int status) {
  if (std::fflush(stdout) != 0 || std::ferror(stdout))
    die(std::string("cannot write the output: ") + std::strerror(errno));
  return status;
}

std::vector<std::string> split(const std::string &text, char at) {
  std::vector<std::string> parts;
  std::stringstream in(text);
  for (std::string part; std::getline(in, part, at);)
    parts.push_back(part);
  return parts;
}

/// Sign and magnitude of a whole number; false if it is none of 64 bits.
static bool parse(const std::string &text, bool &negative, uint64_t &value) {
  negative = !text.empty() && text[0] == '-';
  const char *begin = text.data() + negative, *end = text.data() + text.size();
  int base = 10;
  if (end - begin > 2 && begin[0] == '0' && (begin[1] | 0x20) == 'x') {
    begin += 2;
    base = 16;
  }
  const auto [stop, error] = std::from_chars(begin, end, value, base);
  return error == std::errc() && stop == end;
}

uint64_t number(const std::string &text, uint64_t least, uint64_t most,
                const std::string &what) {
  bool negative;
  uint64_t value;
  if (!parse(text, negative, value) || negative || value < least ||
      value > most)
    die(what + ": expected a whole number from " + std::to_string(least) +
        " to " + std::to_string(most) + ", found '" + text + "'");
  return value;
}

uint64_t integer(const std::string &text, unsigned bits,
                 const std::string &what) {
  bool negative;
  uint64_t value;
  const uint64_t most = bits == 64 ? UINT64_MAX : (uint64_t(1) << bits) - 1;
  if (!parse(text, negative, value) || value > (negative ? most / 2 + 1 : most))
    die(what + ": expected a whole number of " + std::to_string(bits) +
        " bits, signed or not, found '" + text + "'");
  return negative ? 0 - value : value;
}

float real(const std::string &text, const std::string &what) {
  char *end;
  const float value = std::strtof(text.c_str(), &end);
  const bool named = text.find_first_of("iInN") != text.npos; // inf, nan
  if (text.empty() || *end || std::isspace(uint8_t(text[0])) ||
      (std::isinf(value) && !named))
    die(what + ": expected a number that f32 holds, found '" + text + "'");
  return value;
}

std::string readFile(const std::string &name, size_t most) {
  namespace fs = std::filesystem;
  std::error_code ignored;
  if (fs::is_directory(name, ignored))
    die("cannot read " + name + ": it is a folder; expected a file");
  std::ifstream in(name, std::ios::binary);
  if (!in)
    die("cannot read " + name + ": " + std::strerror(errno));
  std::string text;
  std::vector<char> piece(1 << 20);
  while (in.read(piece.data(), std::streamsize(piece.size())),
         in.gcount() > 0) {
    text.append(piece.data(), size_t(in.gcount()));
    if (text.size() > most)
      die("cannot read " + name + ": it has more than " +
          std::to_string(most >> 20) + " MiB");
  }
  if (in.bad())
    die("cannot read " + name + ": " + std::strerror(errno));
  return text;
}
