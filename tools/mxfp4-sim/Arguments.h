//===- Arguments.h - Buffers and arguments of the command line --*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_TOOLS_SIM_ARGUMENTS_H
#define MXFP4_TOOLS_SIM_ARGUMENTS_H

#include "mxfp4/Sim/Sim.h"

struct BufferSpec {
  bool IsBuffer = false, Poison = false, ReadOnly = false;
  std::string Bytes;
};

/// Gives a launch its arguments. \p Specs own the buffers and must outlive it.
void addArguments(const std::vector<std::string> &Args, mxfp4::sim::Launch &L,
                  std::vector<BufferSpec> &Specs, std::vector<int> &BufferOf);
/// Options --dump and --print.
void dump(const std::string &Spec, const std::vector<BufferSpec> &Specs);
void print(const std::string &Spec, const std::vector<BufferSpec> &Specs);

#endif // MXFP4_TOOLS_SIM_ARGUMENTS_H
