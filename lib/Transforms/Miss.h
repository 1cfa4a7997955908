//===- Miss.h - Why something was not raised --------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_LIB_TRANSFORMS_MISS_H
#define MXFP4_LIB_TRANSFORMS_MISS_H

#include "llvm/ADT/Twine.h"
#include "llvm/Support/LogicalResult.h"

#include <string>

namespace mxfp4 {

/// The condition that failed, and what to do about it.
struct Miss {
  /// What was expected, and what is there.
  std::string condition;
  /// What the author of the program can do; may be empty.
  std::string nextStep;
};

/// Tells the reason to whoever asked for it, and fails.
inline llvm::LogicalResult miss(Miss *why, const llvm::Twine &condition,
                                const llvm::Twine &nextStep = "") {
  if (why)
    *why = {condition.str(), nextStep.str()};
  return llvm::failure();
}

} // namespace mxfp4

#endif // MXFP4_LIB_TRANSFORMS_MISS_H
