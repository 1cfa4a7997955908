/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* A libcuda that has one sm_90 device and prints what it is asked to do. A
 * launch sets the error word to 2, so that reading it back can be tested too.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

typedef int Result;
static void *context;
static int word;

Result cuInit(unsigned flags) {
  setvbuf(stdout, NULL, _IONBF, 0);
  return 0;
}
Result cuDriverGetVersion(int *version) { return *version = 13000, 0; }
Result cuDeviceGetCount(int *count) { return *count = 1, 0; }
Result cuDeviceGet(int *device, int ordinal) { return *device = ordinal, 0; }
Result cuDeviceGetAttribute(int *value, int attribute, int device) {
  switch (attribute) {
  case 16: /* multiprocessors */
    return *value = 132, 0;
  case 75: /* compute capability, major */
    return *value = 9, 0;
  case 76:
    return *value = 0, 0;
  case 81: /* shared memory of a multiprocessor */
    return *value = 233472, 0;
  case 97: /* shared memory of a block, opted in */
    return *value = 232448, 0;
  }
  return 1;
}
Result cuDevicePrimaryCtxRetain(void **out, int device) {
  return *out = (void *)0x77, 0;
}
Result cuCtxPushCurrent_v2(void *pushed) { return context = pushed, 0; }
Result cuCtxPopCurrent_v2(void **out) {
  return *out = context, context = NULL, 0;
}
Result cuCtxGetCurrent(void **out) { return *out = context, 0; }
Result cuCtxSynchronize(void) { return 0; }
Result cuStreamSynchronize(void *stream) { return 0; }
Result cuModuleLoadData(void **module, const char *image) {
  printf("load %.3s\n", image + 1);
  return *module = (void *)0x99, 0;
}
Result cuModuleGetFunction(void **function, void *module, const char *name) {
  printf("function %s\n", name);
  return *function = (void *)0xabc, module != (void *)0x99;
}
Result cuFuncSetAttribute(void *function, int attribute, int value) {
  printf("attribute %d %d\n", attribute, value);
  return function != (void *)0xabc;
}
Result cuMemAlloc_v2(uintptr_t *out, size_t size) {
  word = -1;
  return *out = (uintptr_t)&word, size != sizeof word;
}
Result cuMemsetD32_v2(uintptr_t target, unsigned value, size_t count) {
  return *(unsigned *)target = value, count != 1;
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
Result cuLaunchKernelEx(const struct Config *c, void *function, void **values,
                        void **extra) {
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
