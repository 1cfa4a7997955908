//===- Tool.h - What the files of mxfp4-sim share ---------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_TOOLS_SIM_TOOL_H
#define MXFP4_TOOLS_SIM_TOOL_H

#include <cstdint>
#include <string>
#include <vector>

/// Says what is wrong with the command, and exits with 2.
[[noreturn]] void die(const std::string &message);

/// The exit status, once all output is written; without room for it, exits with
/// 2.
int finish(int status);
std::vector<std::string> split(const std::string &text, char at);
/// Dies unless \p text, the value of \p what, is a whole number in the range.
uint64_t number(const std::string &text, uint64_t least, uint64_t most,
                const std::string &what);
/// The bits of a whole number, signed or not, that fits in `bits`.
uint64_t integer(const std::string &text, unsigned bits,
                 const std::string &what);
float real(const std::string &text, const std::string &what);
/// Dies if the file has more than \p most bytes; a device or a pipe may deliver
/// any number.
std::string readFile(const std::string &name, size_t most = size_t(16) << 30);

#endif // MXFP4_TOOLS_SIM_TOOL_H
