//===- TensorMaps.h - Describing activations to TMA ------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_LIB_RUNTIME_TENSORMAPS_H
#define MXFP4_LIB_RUNTIME_TENSORMAPS_H

#include "Driver.h"
#include "Manifest.h"

#include <array>
#include <vector>

namespace mxfp4::runtime {

/// Encoded tensor maps of one argument, kept by address and number of rows:
/// encoding costs a driver call a map, and models call with a handful of
/// buffers. The caller sees to it that one thread at a time is here.
class TensorMaps {
public:
  static constexpr size_t kKept = 64;

  /// \p argument must outlive this.
  TensorMaps(const Driver &driver, const Argument &argument)
      : driver(driver), argument(argument) {}

  /// The maps of all boxes, one behind the other, until the next call. The
  /// memory has this number of rows.
  TensorMap *get(void *pointer, int64_t rows);

private:
  struct Key {
    void *pointer = nullptr;
    int64_t rows = -1;
  };
  void encode(void *pointer, int64_t rows, std::vector<TensorMap> &maps) const;

  const Driver &driver;
  const Argument &argument;
  std::array<Key, kKept> keys;
  std::array<std::vector<TensorMap>, kKept> kept;
  size_t last = 0;
  size_t oldest = 0;
};

} // namespace mxfp4::runtime

#endif // MXFP4_LIB_RUNTIME_TENSORMAPS_H
