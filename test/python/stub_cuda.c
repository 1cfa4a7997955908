/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* A libcuda that has one sm_90 device and prints what it is asked to do, unless
 * MXFP4_STUB_QUIET is in the environment. A launch sets the error word to 2, so
 * that reading it back can be tested too.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef int Result;
static void *context;
static int word;
static int quiet;

#define say(...) (quiet ? 0 : printf(__VA_ARGS__))

Result cuInit(unsigned flags) {
  setvbuf(stdout, NULL, _IONBF, 0);
  quiet = getenv("MXFP4_STUB_QUIET") != NULL;
  return 0;
}
Result cuDriverGetVersion(int *version) { return *version = 13000, 0; }
Result cuDeviceGetCount(int *count) { return *count = 1, 0; }
Result cuDeviceGet(int *device, int ordinal) { return *device = ordinal, 0; }
Result cuDeviceGetName(char *name, int size, int device) {
  return snprintf(name, size, "Stub %d", device) < 0;
}
Result cuDeviceGetAttribute(int *value, int attribute, int device) {
  switch (attribute) {
  case 16: /* SMs */
    return *value = 132, 0;
  case 75: /* compute capability, major */
    return *value = 9, 0;
  case 76:
    return *value = 0, 0;
  case 81: /* shared memory per SM */
    return *value = 233472, 0;
  case 97: /* shared memory of a block, opted in */
    return *value = 232448, 0;
  }
  return 1;
}
Result cuDevicePrimaryCtxRetain(void **out, int device) {
  return *out = (void *)0x77, 0;
}
Result cuDevicePrimaryCtxRelease_v2(int device) { return 0; }
Result cuCtxPushCurrent_v2(void *pushed) { return context = pushed, 0; }
Result cuCtxPopCurrent_v2(void **out) {
  return *out = context, context = NULL, 0;
}
Result cuCtxGetCurrent(void **out) { return *out = context, 0; }
Result cuCtxSynchronize(void) { return 0; }
Result cuStreamCreate(void **stream, unsigned flags) {
  return *stream = NULL, flags != 1;
}
Result cuStreamDestroy_v2(void *stream) { return 0; }
Result cuThreadExchangeStreamCaptureMode(int *mode) { return 0; }
Result cuStreamSynchronize(void *stream) { return 0; }
Result cuStreamIsCapturing(void *stream, int *capturing) {
  return *capturing = 0, 0;
}
Result cuStreamGetId(void *stream, unsigned long long *id) {
  return *id = 1 + (uintptr_t)stream, 0;
}
Result cuTensorMapEncodeTiled(void *map, int dtype, unsigned rank, void *data,
                              const uint64_t *sizes, const uint64_t *strides,
                              const unsigned *box, const unsigned *steps,
                              int interleave, int swizzle, int promotion,
                              int fill) {
  return memset(map, 0, 128), 0;
}
Result cuModuleLoadData(void **module, const char *image) {
  say("load %.3s\n", image + 1);
  return *module = (void *)0x99, 0;
}
Result cuModuleGetFunction(void **function, void *module, const char *name) {
  say("function %s\n", name);
  return *function = (void *)0xabc, module != (void *)0x99;
}
Result cuFuncSetAttribute(void *function, int attribute, int value) {
  say("attribute %d %d\n", attribute, value);
  return function != (void *)0xabc;
}
Result cuModuleUnload(void *module) { return module != (void *)0x99; }
Result cuMemAlloc_v2(uintptr_t *out, size_t size) {
  word = -1;
  *out = (uintptr_t)(size == sizeof word ? &word : malloc(size));
  return *out == 0;
}
Result cuMemFree_v2(uintptr_t memory) {
  if (memory != (uintptr_t)&word)
    free((void *)memory);
  return 0;
}
Result cuMemsetD32_v2(uintptr_t target, unsigned value, size_t count) {
  for (size_t i = 0; i < count; ++i)
    ((unsigned *)target)[i] = value;
  return 0;
}
Result cuMemsetD32Async(uintptr_t target, unsigned value, size_t count,
                        void *stream) {
  return cuMemsetD32_v2(target, value, count);
}
Result cuMemcpyHtoD_v2(uintptr_t target, const void *source, size_t size) {
  return memcpy((void *)target, source, size), 0;
}
Result cuMemcpyDtoH_v2(void *target, uintptr_t source, size_t size) {
  return memcpy(target, (void *)source, size), 0;
}
Result cuPointerGetAttribute(void *out, int attribute, uintptr_t pointer) {
  return *(int *)out = 0, attribute != 9; /* the device's ordinal */
}
Result cuGetErrorString(int code, const char **text) {
  return *text = "an error", 0;
}
struct Attribute {
  int id;
  char padding[4];
  union {
    int value;
    char bytes[64];
  };
};
struct Config {
  unsigned gx, gy, gz, bx, by, bz, shared;
  void *stream;
  struct Attribute *attributes;
  unsigned count;
};
static void show(const struct Config *c, void **values) {
  printf("launch grid=%u,%u,%u block=%u,%u,%u shared=%u stream=%d", c->gx,
         c->gy, c->gz, c->bx, c->by, c->bz, c->shared,
         (int)(intptr_t)c->stream);
  for (unsigned i = 0; i < c->count; ++i)
    printf(" attribute=%d:%d", c->attributes[i].id, c->attributes[i].value);
  printf("\nvalues");
  for (int i = 0; i < 4; ++i)
    printf(" %p", *(void **)values[i]);
  printf(" %s rows=%d\n", *(void **)values[4] == &word ? "error" : "?",
         *(int *)values[5]);
}
Result cuLaunchKernelEx(const struct Config *c, void *function, void **values,
                        void **extra) {
  if (!quiet)
    show(c, values);
  word = 2;
  return function != (void *)0xabc || extra != NULL || !context;
}
Result cuGetProcAddress_v2(const char *name, void **out, int version,
                           uint64_t flags, int *found) {
  static void *self;
  char newer[128];
  if (!self)
    self = dlopen("libcuda.so.1", RTLD_NOW | RTLD_NOLOAD);
  snprintf(newer, sizeof newer, "%s_v2", name);
  *out = dlsym(self, newer);
  if (!*out)
    *out = dlsym(self, name);
  if (found)
    *found = *out ? 0 : 1;
  return 0;
}
Result cuGetProcAddress(const char *name, void **out, int version,
                        uint64_t flags) {
  return cuGetProcAddress_v2(name, out, version, flags, NULL);
}
