/*===- Guarded.h - Buffers that tell who leaves them --------------*- C -*-===*\
|*                                                                            *|
|* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception                    *|
|*                                                                            *|
\*===----------------------------------------------------------------------===*/
/*
 * guardedAlloc gives a buffer of exactly that size between two guard bands;
 * guardedFree frees it, and returns 0 if somebody wrote to a band. Under the
 * address sanitizer the bands are poisoned: a read there ends the program too.
 * For tests in C and C++.
 */

#ifndef MXFP4_TEST_GUARDED_H
#define MXFP4_TEST_GUARDED_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#include <sanitizer/asan_interface.h>
#define MXFP4_POISON(at, size) __asan_poison_memory_region(at, size)
#define MXFP4_UNPOISON(at, size) __asan_unpoison_memory_region(at, size)
enum { kBandsArePoisoned = 1 };
#endif
#endif
#ifndef MXFP4_POISON
enum { kBandsArePoisoned = 0 };
#define MXFP4_POISON(at, size) ((void)(at), (void)(size))
#define MXFP4_UNPOISON(at, size) ((void)(at), (void)(size))
#endif

/* Wider than a row of weights or a block: what is off by one lands in it. */
enum { kGuardBytes = 8192, kGuardByte = 0xA5 };

static inline uint8_t *guardedAlloc(size_t size) {
  uint8_t *base = (uint8_t *)malloc(size + 2 * kGuardBytes);
  if (!base)
    abort();
  memset(base, kGuardByte, size + 2 * kGuardBytes);
  MXFP4_POISON(base, kGuardBytes);
  MXFP4_POISON(base + kGuardBytes + size, kGuardBytes);
  return base + kGuardBytes;
}

/* Returns 1 if both bands are as they were. */
static inline int guardedFree(uint8_t *buffer, size_t size) {
  uint8_t *base = buffer - kGuardBytes;
  int intact = 1;
  MXFP4_UNPOISON(base, size + 2 * kGuardBytes);
  for (size_t i = 0; i < kGuardBytes; ++i)
    if (base[i] != kGuardByte || buffer[size + i] != kGuardByte)
      intact = 0;
  free(base);
  return intact;
}

#endif /* MXFP4_TEST_GUARDED_H */
