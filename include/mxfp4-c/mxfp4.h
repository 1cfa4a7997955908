/*===- mxfp4.h - C interface of the mxfp4 compiler ----------------*- C -*-===*\
|*                                                                            *|
|* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception                    *|
|*                                                                            *|
|*===----------------------------------------------------------------------===*|
|*                                                                            *|
|* Opaque handles, no global state: a compiler, with the modules that it      *|
|* parsed, belongs to one thread at a time, and several may work at once.     *|
|* Functions that can fail return null or a non-zero value after telling the  *|
|* compiler's diagnostic function why, on the thread that called. What they   *|
|* return may be passed on: for a null module or artifact functions return    *|
|* null, size 0, or a non-zero value. A null compiler is not allowed.         *|
|*                                                                            *|
|* What functions return as `char *` belongs to the caller, who frees it with *|
|* mxfp4_string_free.                                                         *|
|*                                                                            *|
\*===----------------------------------------------------------------------===*/

#ifndef MXFP4_C_MXFP4_H
#define MXFP4_C_MXFP4_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MXFP4_API __attribute__((visibility("default")))

/** Changes when a function here changes its meaning; new functions leave it. */
#define MXFP4_ABI_VERSION 1
MXFP4_API int mxfp4_abi_version(void);
/** Of mxfp4 and of LLVM, such as "0.1.0 (LLVM 22.1.8)". */
MXFP4_API const char *mxfp4_version(void);

typedef struct mxfp4_compiler mxfp4_compiler;
typedef struct mxfp4_module mxfp4_module;
typedef struct mxfp4_artifact mxfp4_artifact;
typedef struct mxfp4_cpu_kernel mxfp4_cpu_kernel;

/** Severity: 0 note, 1 warning, 2 error. The message is a sentence. */
typedef void (*mxfp4_diagnostic_fn)(int severity, const char *message,
                                    void *user);

/** `diagnostic` may be null; `user` is passed back to it. */
MXFP4_API mxfp4_compiler *mxfp4_compiler_create(mxfp4_diagnostic_fn diagnostic,
                                                void *user);
/** Artifacts and CPU kernels live on. */
MXFP4_API void mxfp4_compiler_destroy(mxfp4_compiler *compiler);

/** For programs that have an MLIR of their own, the same shared library:
 *  registers the dialect and its interfaces. `registry` is the `ptr` of an
 *  MlirDialectRegistry, or a mlir::DialectRegistry *. */
MXFP4_API void mxfp4_register_dialect(void *registry);
/** Registers passes and pipelines with MLIR's global registry, for parsers of
 *  pipelines; once is enough, from any thread. */
MXFP4_API void mxfp4_register_passes(void);

/** MLIR of a problem such as "experts=32 n=5760 k=2880 scales=raw": a module
 *  with a function `grouped_matmul` on memrefs. */
MXFP4_API char *mxfp4_problem_to_mlir(mxfp4_compiler *compiler,
                                      const char *spec);
/** The keys of a problem, with blanks between them. */
MXFP4_API char *mxfp4_problem_fields(void);
/** JSON: the devices that the option "device" knows by name, with their facts.
 */
MXFP4_API char *mxfp4_devices(void);
/** The value of the option "device" for a GPU, from the facts that CUDA's
 * driver gives: name, number of SMs, highest clock in MHz, bandwidth of its
 * memory in GB/s, MiB of L2 cache. 0 is unknown. */
MXFP4_API char *mxfp4_device_words(const char *name, int multiprocessors,
                                   int clock, int bandwidth, int l2);
MXFP4_API void mxfp4_string_free(char *text);

/** Parses and verifies MLIR, text or bytecode of `size` bytes. The module must
 *  go before its compiler. */
MXFP4_API mxfp4_module *mxfp4_parse(mxfp4_compiler *compiler,
                                    const void *source, size_t size);
MXFP4_API void mxfp4_module_destroy(mxfp4_module *module);
MXFP4_API char *mxfp4_module_to_mlir(const mxfp4_module *module);
/** `size` bytes of bytecode, which carries the version of the dialect. `size`
 *  may be null. */
MXFP4_API char *mxfp4_module_to_bytecode(const mxfp4_module *module,
                                         size_t *size);

/** Runs a pass pipeline such as "builtin.module(mxfp4-to-ptx)". Returns 0; if
 *  it fails, the module may be half lowered. */
MXFP4_API int mxfp4_module_run(mxfp4_module *module, const char *pipeline);
/** `pass` is a pass that has run, in the words of a pipeline, `summary` what
 *  it says of itself, `mlir` the whole module after it; all live until the
 *  function returns. */
typedef void (*mxfp4_trace_fn)(const char *pass, const char *summary,
                               const char *mlir, void *user);
/** Runs a pipeline, and calls `trace`, unless it is null, after each pass. */
MXFP4_API int mxfp4_module_trace(mxfp4_module *module, const char *pipeline,
                                 mxfp4_trace_fn trace, void *user);

/** Calls `kernel` for each kernel that mxfp4-to-ptx left in the module. */
typedef void (*mxfp4_kernel_fn)(const char *name, const char *ptx, void *user);
MXFP4_API void mxfp4_module_kernels(const mxfp4_module *module,
                                    mxfp4_kernel_fn kernel, void *user);

/** Parses text, runs a pipeline, and returns the module's text. */
MXFP4_API char *mxfp4_run_pipeline(mxfp4_compiler *compiler, const char *mlir,
                                   const char *pipeline);

/** JSON of what the compiler knows of each operation with a schedule: layouts,
 *  the decode sequence, schedules for other numbers of rows. `options` as for
 *  mxfp4_compile. A trace may ask while a pipeline runs. */
MXFP4_API char *mxfp4_module_describe(const mxfp4_module *module,
                                      const char *options);
/** Assembles PTX with ptxas, and returns its version and report as JSON:
 *  registers, stack_bytes, spill_bytes, static_shared_bytes, warnings, ptxas.
 *  `chip` such as "sm_90a"; `ptxas` a path, or null to look for it. */
MXFP4_API char *mxfp4_assemble(mxfp4_compiler *compiler, const char *ptx,
                               const char *chip, const char *ptxas);

/** Compiles a module with one mxfp4.grouped_matmul on memrefs. `options` are
 *  "key=value" words: those of the pipeline mxfp4-to-ptx, assemble, ptxas. */
MXFP4_API mxfp4_artifact *mxfp4_compile(mxfp4_compiler *compiler,
                                        const char *mlir, const char *options);
/** Text of the artifact, which owns it. */
MXFP4_API const char *mxfp4_artifact_ptx(const mxfp4_artifact *artifact);
MXFP4_API const char *mxfp4_artifact_manifest(const mxfp4_artifact *artifact);
/** Null and size 0 if it was not assembled. */
MXFP4_API const void *mxfp4_artifact_cubin(const mxfp4_artifact *artifact,
                                           size_t *size);
MXFP4_API void mxfp4_artifact_destroy(mxfp4_artifact *artifact);

/** Compiles the executable specification (plain loops) of a module as
 *  mxfp4_problem_to_mlir makes it, for this CPU. */
MXFP4_API mxfp4_cpu_kernel *mxfp4_jit(mxfp4_compiler *compiler,
                                      const char *mlir);
/** Runs it on contiguous buffers of the problem's shapes. `expert_ids` is null
 *  unless the problem has them. Returns 0, or 1 if the offsets are not
 *  0 <= ... <= rows, 2 if an expert id is out of range, 3 if `expert_ids` is
 *  there or missing against the problem, or another address is null:
 *  nothing is then stored. */
MXFP4_API int mxfp4_cpu_run(const mxfp4_cpu_kernel *kernel, const void *x,
                            int64_t rows, const void *weights,
                            const int32_t *offsets, const int32_t *expert_ids,
                            void *y);
/** An operand by its name in a manifest: x, weights, offsets, y, expert_ids. */
typedef struct mxfp4_operand {
  const char *name;
  void *data;
} mxfp4_operand;
/** The same for whatever operands the problem has. Returns 3 if an operand is
 *  missing or null, or given although the problem does not have it. */
MXFP4_API int mxfp4_cpu_run_operands(const mxfp4_cpu_kernel *kernel,
                                     int64_t rows,
                                     const mxfp4_operand *operands,
                                     size_t count);
MXFP4_API void mxfp4_cpu_destroy(mxfp4_cpu_kernel *kernel);

/** Packs one expert: codes u8[n, k/32, 16], scales u8[n, k/32] to `out`,
 *  u8[ceil(n/64), ceil(k/64), 2176], or with order "bytes" and encoding
 *  "relative" u8[ceil(n/64), ceil(k/128), 4352]. Returns 0, or 1 if a scale
 * does not fit the encoding, 2 for a bad argument. */
MXFP4_API int mxfp4_pack(const uint8_t *codes, const uint8_t *scales, int64_t n,
                         int64_t k, const char *order,
                         const char *scale_encoding, uint8_t *out);
/** Packs one expert's gate and up, n rows each as mxfp4_pack has them, that a
 *  checkpoint keeps apart: row 2i of what is packed, 2n rows, is row i of gate
 *  and row 2i + 1 is row i of up. That is columns=interleaved of a problem. */
MXFP4_API int mxfp4_pack_gate_up(const uint8_t *gate_codes,
                                 const uint8_t *gate_scales,
                                 const uint8_t *up_codes,
                                 const uint8_t *up_scales, int64_t n, int64_t k,
                                 const char *order, const char *scale_encoding,
                                 uint8_t *out);
/** Takes a power of two out of the scales of each row of an expert: what
 *  encoding "relative" needs. codes and scales as mxfp4_pack has them; code *
 *  scale = code * reduced * power exactly, with u8[n, k/32] `reduced` and n
 *  `powers`. Scale blocks of zeros do not count. Returns 0, or 2 for a bad
 *  argument, or 1 if there is a row whose scales are more than 2^26 apart or
 * NaN: then `refused` is its number and its least and greatest scale bytes (255
 * for NaN). */
MXFP4_API int mxfp4_take_row_powers(const uint8_t *codes, const uint8_t *scales,
                                    int64_t n, int64_t k, uint8_t *reduced,
                                    float *powers, int64_t refused[3]);
/** The inverse of mxfp4_pack; 0, or 2 for a bad argument. */
MXFP4_API int mxfp4_unpack(const uint8_t *blocks, int64_t n, int64_t k,
                           const char *order, const char *scale_encoding,
                           uint8_t *codes, uint8_t *scales);

#ifdef __cplusplus
}
#endif

#endif /* MXFP4_C_MXFP4_H */
