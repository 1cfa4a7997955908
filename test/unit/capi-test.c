/*===- capi-test.c - The C interface, from C ----------------------*- C -*-===*\
|*                                                                            *|
|* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception                    *|
|*                                                                            *|
\*===----------------------------------------------------------------------===*/

#include "capi-test.h"

#include "mxfp4-c/mxfp4.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

_Atomic int failures = 0;

void listen(int severity, const char *message, void *user) {
  struct Heard *heard = user;
  ++heard->count;
  heard->severity = severity;
  snprintf(heard->text, sizeof(heard->text), "%s", message);
}

/* True if exactly the error with this text was heard; forgets it. */
static int heardError(struct Heard *heard, const char *text) {
  const int good =
      heard->count > 0 && heard->severity == 2 && strstr(heard->text, text);
  if (!good)
    fprintf(stderr, "heard %d: '%s', expected '%s'\n", heard->count,
            heard->text, text);
  memset(heard, 0, sizeof(*heard));
  return good;
}

static void testCompile(void) {
  struct Heard heard = {0};
  mxfp4_compiler *compiler = mxfp4_compiler_create(listen, &heard);
  char *mlir = mxfp4_problem_to_mlir(compiler, "experts=2 n=100 k=96");
  CHECK(mlir && strstr(mlir, "mxfp4.grouped_matmul"));

  char *lowered = mxfp4_run_pipeline(
      compiler, mlir, "builtin.module(mxfp4-to-ptx{format=none})");
  CHECK(lowered && strstr(lowered, "nvvm.mma.sync"));
  mxfp4_string_free(lowered);

  mxfp4_artifact *artifact =
      mxfp4_compile(compiler, mlir, "placement=shared rows-hint=64");
  CHECK(artifact != NULL);
  CHECK(heard.count == 0);
  /* Artifacts outlive their compiler. */
  mxfp4_compiler_destroy(compiler);
  mxfp4_string_free(mlir);
  CHECK(strstr(mxfp4_artifact_ptx(artifact), ".visible .entry"));
  CHECK(strstr(mxfp4_artifact_manifest(artifact), "\"placement\": \"shared\""));
  size_t size = 1;
  CHECK(mxfp4_artifact_cubin(artifact, &size) == NULL && size == 0);
  mxfp4_artifact_destroy(artifact);
}

/* What a trace was told: the passes, in order, and the last module. */
struct Traced {
  char passes[2048];
  char *last;
};

static void keepPass(const char *pass, const char *summary, const char *mlir,
                     void *user) {
  struct Traced *traced = user;
  CHECK(*summary != '\0');
  const size_t used = strlen(traced->passes);
  snprintf(traced->passes + used, sizeof(traced->passes) - used, "%.40s\n",
           pass);
  free(traced->last);
  traced->last = strdup(mlir);
}

static void countKernel(const char *name, const char *ptx, void *user) {
  int *count = user;
  *count += !strcmp(name, "mxfp4_grouped_matmul") && strstr(ptx, ".entry");
}

static mxfp4_module *parseText(mxfp4_compiler *compiler, const char *text) {
  return mxfp4_parse(compiler, text, strlen(text));
}

static void testModules(void) {
  struct Heard heard = {0};
  mxfp4_compiler *compiler = mxfp4_compiler_create(listen, &heard);
  char *mlir = mxfp4_problem_to_mlir(compiler, "experts=2 n=100 k=96");
  mxfp4_module *module = parseText(compiler, mlir);
  CHECK(module != NULL);

  /* Bytecode has zeros in it, and is the same module again. */
  size_t size = 0;
  char *bytes = mxfp4_module_to_bytecode(module, &size);
  CHECK(bytes && size > 4 && !memcmp(bytes, "ML\xefR", 4));
  mxfp4_module *again = mxfp4_parse(compiler, bytes, size);
  char *text = mxfp4_module_to_mlir(again);
  CHECK(text && strcmp(text, mlir) == 0);
  mxfp4_string_free(text);
  mxfp4_module_destroy(again);
  CHECK(!mxfp4_parse(compiler, bytes, size / 2));
  CHECK(heard.count > 0);
  memset(&heard, 0, sizeof(heard));
  mxfp4_string_free(bytes);

  /* Without a schedule there is nothing to describe. */
  text = mxfp4_module_describe(module, NULL);
  CHECK(text && strcmp(text, "[]") == 0);
  mxfp4_string_free(text);
  CHECK(!mxfp4_module_describe(module, "instruction=dot"));
  CHECK(heardError(&heard, "expects instruction=auto"));
  CHECK(mxfp4_module_run(module, "builtin.module(mxfp4-choose-schedule)") == 0);
  text = mxfp4_module_describe(module, "instruction=mma_sync");
  CHECK(text && strstr(text, "\"name\":\"fast\""));
  mxfp4_string_free(text);

  int kernels = 0;
  mxfp4_module_kernels(module, countKernel, &kernels);
  CHECK(kernels == 0);
  struct Traced traced = {{0}, NULL};
  CHECK(mxfp4_module_trace(module, "builtin.module(mxfp4-to-ptx)", keepPass,
                           &traced) == 0);
  static const char *const passes[] = {"mxfp4-choose-schedule{", "mxfp4-tile",
                                       "canonicalize{", "mxfp4-lower-to-nvvm",
                                       "mxfp4-serialize{"};
  const char *at = traced.passes;
  for (size_t i = 0; at && i < sizeof(passes) / sizeof(*passes); ++i)
    at = strstr(at, passes[i]);
  CHECK(at != NULL);
  text = mxfp4_module_to_mlir(module);
  CHECK(text && traced.last && strcmp(text, traced.last) == 0);
  mxfp4_string_free(text);
  free(traced.last);
  mxfp4_module_kernels(module, countKernel, &kernels);
  CHECK(kernels == 1);
  CHECK(heard.count == 0);

  /* What has been lowered has no operation left. */
  CHECK(mxfp4_module_run(module, "builtin.module(mxfp4-to-ptx)") == 0);
  CHECK(mxfp4_module_run(module, "builtin.module(mxfp4-too-ptx)") == 1);
  CHECK(heardError(&heard, "'mxfp4-too-ptx' does not refer to a registered"));
  CHECK(!parseText(compiler, "\"mxfp4.mma\"() : () -> ()"));
  CHECK(heardError(&heard, "'mxfp4.mma' op"));
  mxfp4_module_destroy(module);
  mxfp4_module_destroy(NULL);
  mxfp4_string_free(mlir);
  mxfp4_compiler_destroy(compiler);
}

static void testDiagnostics(void) {
  struct Heard heard = {0};
  mxfp4_compiler *compiler = mxfp4_compiler_create(listen, &heard);
  CHECK(!mxfp4_problem_to_mlir(compiler, "experts=2 n=100 k=95"));
  CHECK(heardError(&heard, "k expects a multiple of 32"));
  CHECK(!mxfp4_run_pipeline(compiler, "module {}", "builtin.module(no-pass)"));
  CHECK(heardError(&heard, "cannot read the pass pipeline"));
  CHECK(!mxfp4_compile(compiler, "module {", ""));
  CHECK(heardError(&heard, "-:1:7: expected operation name"));
  CHECK(!mxfp4_compile(compiler, "module {}", ""));
  CHECK(heardError(&heard, "expected one mxfp4.grouped_matmul"));
  CHECK(!mxfp4_jit(compiler, "module {}"));
  CHECK(heardError(&heard, "expected a function @grouped_matmul"));

  char *mlir = mxfp4_problem_to_mlir(compiler, "experts=2 n=64 k=64");
  CHECK(!mxfp4_compile(compiler, mlir, "colour=red"));
  CHECK(heardError(&heard, "unknown option 'colour'; the options are chip,"));
  CHECK(!mxfp4_compile(compiler, mlir, "rows_hint=4"));
  CHECK(heardError(&heard, "unknown option 'rows_hint'; did you mean "
                           "'rows-hint'? The options are"));
  CHECK(!mxfp4_compile(compiler, mlir, "opt-level=9"));
  CHECK(heardError(&heard, "opt-level expects a whole number"));
  CHECK(!mxfp4_compile(compiler, mlir, "assemble=1 ptxas=/nonexistent"));
  CHECK(heardError(&heard, "/nonexistent"));
  CHECK(!mxfp4_assemble(compiler, "", "sm_90a", "/nonexistent"));
  CHECK(heardError(&heard, "/nonexistent"));
  /* Null, nothing and bytes that are no MLIR. */
  CHECK(!mxfp4_problem_to_mlir(compiler, NULL));
  CHECK(heardError(&heard, "a problem needs experts"));
  CHECK(!mxfp4_compile(compiler, NULL, NULL));
  CHECK(heardError(&heard, "expected MLIR, but got a null pointer"));
  CHECK(!mxfp4_parse(compiler, NULL, 4));
  CHECK(heardError(&heard, "expected MLIR, but got a null pointer"));
  CHECK(!mxfp4_run_pipeline(compiler, "module {}", NULL));
  CHECK(heardError(&heard, "cannot read the pass pipeline ''"));
  CHECK(!mxfp4_parse(compiler, "ML\xefR\x06garbage", 12));
  CHECK(heardError(&heard, ""));
  CHECK(!mxfp4_parse(compiler, "\0\xff", 2));
  CHECK(heardError(&heard, ""));
  /* Text without a zero behind it. */
  char *exact = malloc(9);
  memcpy(exact, "module {}", 9);
  mxfp4_module_destroy(mxfp4_parse(compiler, exact, 9));
  CHECK(!mxfp4_parse(compiler, exact, 8));
  CHECK(heardError(&heard, "-:1:7"));
  free(exact);
  /* The compiler works on after errors. */
  mxfp4_artifact *artifact = mxfp4_compile(compiler, mlir, NULL);
  CHECK(artifact != NULL);
  mxfp4_artifact_destroy(artifact);
  mxfp4_compiler_destroy(compiler);

  /* What is null is told, or passed on. */
  CHECK(mxfp4_module_run(NULL, "builtin.module()") == 1);
  CHECK(mxfp4_module_trace(NULL, "builtin.module()", NULL, NULL) == 1);
  CHECK(!mxfp4_module_to_mlir(NULL) && !mxfp4_module_to_bytecode(NULL, NULL));
  CHECK(!mxfp4_module_describe(NULL, ""));
  mxfp4_module_kernels(NULL, NULL, NULL);
  mxfp4_module_destroy(NULL);
  CHECK(!mxfp4_artifact_ptx(NULL) && !mxfp4_artifact_manifest(NULL));
  size_t none = 1;
  CHECK(!mxfp4_module_to_bytecode(NULL, &none) && none == 0);
  none = 1;
  CHECK(!mxfp4_artifact_cubin(NULL, &none) && none == 0);
  mxfp4_artifact_destroy(NULL);
  CHECK(mxfp4_cpu_run(NULL, NULL, 0, NULL, NULL, NULL, NULL) == 3);
  mxfp4_cpu_destroy(NULL);
  compiler = mxfp4_compiler_create(listen, &heard);
  memset(&heard, 0, sizeof(heard));
  mxfp4_module *module = parseText(compiler, mlir);
  CHECK(mxfp4_module_run(module, NULL) == 1);
  CHECK(heardError(&heard, "cannot read the pass pipeline ''"));
  CHECK(mxfp4_module_trace(module, "builtin.module(cse)", NULL, NULL) == 0);
  char *bytecode = mxfp4_module_to_bytecode(module, NULL);
  CHECK(bytecode != NULL);
  mxfp4_string_free(bytecode);
  mxfp4_module_destroy(module);
  CHECK(!mxfp4_run_pipeline(compiler, mlir, NULL));
  CHECK(heardError(&heard, "cannot read the pass pipeline ''"));
  CHECK(!mxfp4_assemble(compiler, NULL, "sm_90a", NULL));
  CHECK(heardError(&heard, "expected PTX, but got a null pointer"));
  CHECK(!mxfp4_assemble(compiler, "", NULL, NULL));
  CHECK(heardError(&heard, "expected a chip, but got a null pointer"));
  CHECK(!mxfp4_jit(compiler, NULL));
  CHECK(heardError(&heard, "expected MLIR, but got a null pointer"));
  mxfp4_compiler_destroy(compiler);

  /* Without a diagnostic function errors are silent. */
  compiler = mxfp4_compiler_create(NULL, NULL);
  CHECK(!mxfp4_compile(compiler, "module {}", ""));
  mxfp4_compiler_destroy(compiler);
  mxfp4_string_free(mlir);
}

static void keepPtx(const char *name, const char *ptx, void *user) {
  (void)name;
  *(char **)user = strdup(ptx);
}

/* Compiles a problem with a compiler of its own, as a module and as an
 * artifact, and for the CPU; the caller frees the PTX. */
static void *compileOne(void *spec) {
  mxfp4_compiler *compiler = mxfp4_compiler_create(NULL, NULL);
  char *mlir = mxfp4_problem_to_mlir(compiler, spec), *ptx = NULL;
  mxfp4_module *module = parseText(compiler, mlir);
  CHECK(mxfp4_module_run(module, "builtin.module(mxfp4-to-ptx)") == 0);
  mxfp4_module_kernels(module, keepPtx, (void *)&ptx);
  mxfp4_module_destroy(module);
  mxfp4_artifact *artifact = mxfp4_compile(compiler, mlir, "");
  CHECK(ptx && artifact && strcmp(ptx, mxfp4_artifact_ptx(artifact)) == 0);
  mxfp4_artifact_destroy(artifact);
  mxfp4_cpu_kernel *kernel = mxfp4_jit(compiler, mlir);
  CHECK(kernel != NULL);
  mxfp4_cpu_destroy(kernel);
  mxfp4_string_free(mlir);
  mxfp4_compiler_destroy(compiler);
  return ptx;
}

/* First of all tests: what is set up once is set up by several threads. */
static void testThreads(void) {
  static char specs[2][64] = {"experts=2 n=64 k=64",
                              "experts=4 n=101 k=96 scales=raw"};
  char *first[2] = {NULL, NULL};
  for (int round = 0; round < 3; ++round) {
    pthread_t threads[4];
    for (int i = 0; i < 4; ++i)
      CHECK(pthread_create(&threads[i], NULL, compileOne, specs[i % 2]) == 0);
    for (int i = 0; i < 4; ++i) {
      void *ptx = NULL;
      pthread_join(threads[i], &ptx);
      CHECK(ptx && (!first[i % 2] || strcmp(ptx, first[i % 2]) == 0));
      if (first[i % 2])
        free(ptx);
      else
        first[i % 2] = ptx;
    }
  }
  for (int i = 0; i < 2; ++i)
    free(first[i]);
}

int main(void) {
  CHECK(mxfp4_abi_version() == MXFP4_ABI_VERSION);
  CHECK(strstr(mxfp4_version(), " (LLVM 22."));
  testThreads();
  testCompile();
  testModules();
  testDiagnostics();
  testPacking();
  testCpuKernel();
  printf("%d failures\n", failures);
  return failures != 0;
}
