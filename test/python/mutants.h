//===- mutants.h - Which mutant a program is --------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Included in front of each file of the compiler that mutant_build.py compiles
// with guards around its mutants; part of no other build.
//
//   MXFP4_MUTANT            the number of the mutant to be; none if unset
//   MXFP4_MUTANTS_REACHED   a file with a byte for each number, which becomes 1
//                           when a guard is asked for this mutant
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_TEST_MUTANTS_H
#define MXFP4_TEST_MUTANTS_H

#include <cstdlib>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace mxfp4_mutants {

struct State {
  long active = 0;
  unsigned char *reached = nullptr;
  long size = 0;

  State() {
    if (const char *number = std::getenv("MXFP4_MUTANT"))
      active = std::atol(number);
    const char *name = std::getenv("MXFP4_MUTANTS_REACHED");
    const int file = name ? open(name, O_RDWR | O_CLOEXEC) : -1;
    struct stat status;
    if (file < 0 || fstat(file, &status) != 0)
      return;
    void *map = mmap(nullptr, status.st_size, PROT_READ | PROT_WRITE,
                     MAP_SHARED, file, 0);
    close(file);
    if (map == MAP_FAILED)
      return;
    reached = static_cast<unsigned char *>(map);
    size = status.st_size;
  }
};

inline bool mutated(long number) {
  static const State state;
  if (number < state.size)
    state.reached[number] = 1;
  return number == state.active;
}

} // namespace mxfp4_mutants

#endif // MXFP4_TEST_MUTANTS_H
