//===- Failure.h - What went wrong, as a sentence ---------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Inside of the library failures are exceptions, because those of the JSON
// library are; CAPI.cpp turns all of them into a status and a sentence.
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_LIB_RUNTIME_FAILURE_H
#define MXFP4_LIB_RUNTIME_FAILURE_H

#include "mxfp4-c/Runtime.h"

#include <stdexcept>
#include <string>

namespace mxfp4::runtime {

struct Failure : std::runtime_error {
  Failure(mxfp4rt_status status, const std::string &sentence)
      : std::runtime_error(sentence), status(status) {}
  mxfp4rt_status status;
};

[[noreturn]] inline void fail(mxfp4rt_status status,
                              const std::string &sentence) {
  throw Failure(status, sentence);
}

/// Text from outside, fit for a message: short, and without control characters
/// for the terminal.
std::string shown(const std::string &text);

} // namespace mxfp4::runtime

#endif // MXFP4_LIB_RUNTIME_FAILURE_H
