//===- Memory.h - Memory of a device --------------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// An engine has an allocator of its own, from CUDA's runtime or from torch. So
// that this example needs no toolkit, it asks the driver.
//
//===----------------------------------------------------------------------===//

#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

class Memory {
public:
  /// Opens the driver in this library and makes the first device's context
  /// current on this thread. Whatever fails ends the program.
  explicit Memory(const std::string &library);
  ~Memory();
  Memory(const Memory &) = delete;
  Memory &operator=(const Memory &) = delete;

  template <typename T> void *upload(const std::vector<T> &values) {
    return upload(values.data(), values.size() * sizeof(T));
  }
  template <typename T>
  void download(std::vector<T> &values, const void *from) {
    download(values.data(), values.size() * sizeof(T), from);
  }
  void synchronize();

private:
  void *upload(const void *bytes, size_t size);
  void download(void *bytes, size_t size, const void *from);
  void *symbol(const char *name);

  void *library;
  std::vector<uint64_t> held;
};
