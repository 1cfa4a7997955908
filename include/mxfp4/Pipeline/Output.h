//===- Output.h - Output that is whole, or a failure ------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What tools print and which files they write, on disks that may be full.
// Needs LLVM's support library alone.
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_PIPELINE_OUTPUT_H
#define MXFP4_PIPELINE_OUTPUT_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"

#include <string>
#include <vector>

namespace mxfp4 {

struct NewFile {
  std::string path;
  llvm::StringRef content;
};

/// Writes files in the given order, each through a temporary file that is
/// renamed, so that no reader finds half of it. Nothing is renamed before all
/// contents are written: where the disk is full, what was there stays. Files of
/// `obsolete` are removed just before the first rename. A link stays a link, a
/// file keeps its mode, and devices and pipes are written to. A file in a
/// directory that takes no new ones, or whose place no other may take, such as
/// one that a container mounts, is written in place, and is cut off where that
/// fails.
/// Returns a sentence on failure, else "".
std::string writeFiles(llvm::ArrayRef<NewFile> files,
                       llvm::ArrayRef<std::string> obsolete = {});

/// Makes a directory and those that it is in. Returns a sentence on failure,
/// else "", and then names in `made` what was missing, the innermost first.
std::string makeDirectories(llvm::StringRef path,
                            std::vector<std::string> &made);

/// Removes what `makeDirectories` has made, as far as it is empty.
void removeDirectories(llvm::ArrayRef<std::string> made);

/// From now on, where a stream of LLVM cannot be written, such as the standard
/// output on a full disk, the program ends with status 1 and a sentence. To be
/// called after `llvm::InitLLVM`.
/// \param tool its name, in front of the sentence; it must stay alive.
void reportFailedOutput(const char *tool);

} // namespace mxfp4

#endif // MXFP4_PIPELINE_OUTPUT_H
