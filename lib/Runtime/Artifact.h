//===- Artifact.h - A compiled kernel ---------------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_LIB_RUNTIME_ARTIFACT_H
#define MXFP4_LIB_RUNTIME_ARTIFACT_H

#include "Manifest.h"

namespace mxfp4::runtime {

struct Artifact {
  std::string manifestText, ptx;
  std::optional<std::string> cubin;
  /// Where it came from, for messages.
  std::string origin;
  Manifest manifest;

  /// Checks what the members but the last say, and reads the manifest.
  void check(const std::string &manifestOrigin);

  static Artifact load(const std::string &folder);
};

} // namespace mxfp4::runtime

#endif // MXFP4_LIB_RUNTIME_ARTIFACT_H
