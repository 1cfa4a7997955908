/*===- capi-test.h - What the files of capi-test share ------------*- C -*-===*\
|*                                                                            *|
|* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception                    *|
|*                                                                            *|
\*===----------------------------------------------------------------------===*/

#ifndef MXFP4_TEST_CAPI_TEST_H
#define MXFP4_TEST_CAPI_TEST_H

#include <stdio.h>

extern _Atomic int failures;

#define CHECK(condition)                                                       \
  do {                                                                         \
    if (!(condition)) {                                                        \
      ++failures;                                                              \
      fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);          \
    }                                                                          \
  } while (0)

/* What the diagnostic function was told last, and how often. */
struct Heard {
  int count;
  int severity;
  char text[1024];
};

void listen(int severity, const char *message, void *user);

/* capi-weights.c */
void testPacking(void);
void testCpuKernel(void);

#endif /* MXFP4_TEST_CAPI_TEST_H */
