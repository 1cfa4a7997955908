//===- Input.h - Input that may have no end ---------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_PIPELINE_INPUT_H
#define MXFP4_PIPELINE_INPUT_H

#include "llvm/ADT/StringRef.h"

#include <memory>
#include <string>

namespace llvm {
class MemoryBuffer;
} // namespace llvm

namespace mxfp4 {

/// Opens a file of any size, or reads the standard input ("-"), a pipe or a
/// device, of which no more than 1 GiB is taken: what has no end, such as
/// /dev/zero, would fill the memory of the machine. Null with a sentence in
/// `message` on failure.
std::unique_ptr<llvm::MemoryBuffer> openInput(llvm::StringRef path,
                                              std::string &message);

} // namespace mxfp4

#endif // MXFP4_PIPELINE_INPUT_H
