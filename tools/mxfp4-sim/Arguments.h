//===- Arguments.h - Buffers and arguments of the command line --*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_TOOLS_SIM_ARGUMENTS_H
#define MXFP4_TOOLS_SIM_ARGUMENTS_H

#include "mxfp4/Sim/Sim.h"

struct BufferSpec {
  bool isBuffer = false, poison = false, readOnly = false;
  std::string bytes;
};

/// Gives a launch its arguments. \p specs own the buffers and must outlive it.
void addArguments(const std::vector<std::string> &args, mxfp4::sim::Launch &l,
                  std::vector<BufferSpec> &specs, std::vector<int> &bufferOf);
/// Options --dump and --print.
void dump(const std::string &spec, const std::vector<BufferSpec> &specs);
void print(const std::string &spec, const std::vector<BufferSpec> &specs);

#endif // MXFP4_TOOLS_SIM_ARGUMENTS_H
