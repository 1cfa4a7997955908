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
std::vector<std::string> split(const std::string &text, char at);
uint64_t number(const std::string &text);
std::string readFile(const std::string &name);

#endif // MXFP4_TOOLS_SIM_TOOL_H
