/*===- Runtime.h - Running compiled kernels on a GPU --------------*- C -*-===*\
|*                                                                            *|
|* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception                    *|
|*                                                                            *|
|*===----------------------------------------------------------------------===*|
|*                                                                            *|
|* libmxfp4rt loads artifacts (a folder with manifest.json, kernel.ptx and    *|
|* maybe kernel.cubin) and launches their kernels. It needs neither the       *|
|* compiler nor CUDA's toolkit: the driver is loaded when a driver is opened. *|
|*                                                                            *|
|*   mxfp4rt_driver *driver;                                                  *|
|*   mxfp4rt_artifact *artifact;                                              *|
|*   mxfp4rt_kernel *kernel;                                                  *|
|*   if (mxfp4rt_driver_open(NULL, &driver) ||                                *|
|*       mxfp4rt_artifact_load("gate_up", &artifact) ||                       *|
|*       mxfp4rt_kernel_create(driver, artifact, 0, &kernel))                 *|
|*     return puts(mxfp4rt_last_error());                                     *|
|*   const mxfp4rt_binding given[] = {{"x", {x}}, {"weights", {weights}},     *|
|*                                    {"offsets", {offsets}}, {"y", {y}}};    *|
|*   mxfp4rt_value values[MXFP4RT_MOST_ARGUMENTS];                            *|
|*   if (mxfp4rt_bind(artifact, given, 4, values) ||                          *|
|*       mxfp4rt_launch(kernel, rows, values, stream))                        *|
|*     return puts(mxfp4rt_last_error());                                     *|
|*                                                                            *|
|* Errors: functions that can fail return a mxfp4rt_status, and leave their   *|
|* results as they were unless it is MXFP4RT_OK. mxfp4rt_last_error is then a *|
|* sentence for people. No input makes a function abort the program; handles  *|
|* must be valid, and what is passed as a pointer to host memory must be one. *|
|*                                                                            *|
|* Threads: every function may be called from any thread at any time, on the  *|
|* same handles too, except that a handle is destroyed by one thread when no  *|
|* other uses it.                                                             *|
|*                                                                            *|
|* Contexts: work happens in the primary context of the kernel's device,      *|
|* which CUDA's runtime and torch use. The caller's current context is what   *|
|* it was when a function returns.                                            *|
|*                                                                            *|
\*===----------------------------------------------------------------------===*/

#ifndef MXFP4_C_RUNTIME_H
#define MXFP4_C_RUNTIME_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MXFP4RT_API __attribute__((visibility("default")))

/** Changes when a function or a struct here changes its meaning; new functions
 *  leave it. */
#define MXFP4RT_ABI_VERSION 1
MXFP4RT_API int mxfp4rt_abi_version(void);

typedef enum mxfp4rt_status {
  MXFP4RT_OK = 0,
  /** What the caller passed does not fit: a pointer, a name, a number. */
  MXFP4RT_INVALID = 1,
  /** The artifact is not there, damaged, or of another version. */
  MXFP4RT_BAD_ARTIFACT = 2,
  /** There is no driver or no such device, or the kernel is not for it. */
  MXFP4RT_UNSUPPORTED = 3,
  /** A function of the driver failed, or host memory ran out. */
  MXFP4RT_FAILED = 4,
  /** The stream is captured in a CUDA graph, which mxfp4rt_chain_launch does
   *  not take part in. Nothing was launched, and there is no sentence. */
  MXFP4RT_CAPTURED = 5
} mxfp4rt_status;

/** What the last failure of this thread was: a sentence that says what was
 *  expected, what was given, and what to do. Empty if nothing has failed yet.
 *  It lives until the next failure on this thread. */
MXFP4RT_API const char *mxfp4rt_last_error(void);

/* The driver --------------------------------------------------------------- */

typedef struct mxfp4rt_driver mxfp4rt_driver;

/** Where the driver's functions come from; zeros are the defaults. */
typedef struct mxfp4rt_driver_options {
  /** The shared library: "libcuda.so.1" if null. libmxfp4-sim-cuda.so is the
   *  PTX interpreter as a driver, for machines without a GPU. */
  const char *library;
  /** If not null, functions are looked up with this instead of in a library:
   *  `symbol("cuMemAlloc_v2", user)`; null says that there is none. */
  void *(*symbol)(const char *name, void *user);
  void *user;
} mxfp4rt_driver_options;

/** Loads and initialises the driver. `options` may be null. The driver must
 *  outlive the kernels that were created on it. */
MXFP4RT_API mxfp4rt_status mxfp4rt_driver_open(
    const mxfp4rt_driver_options *options, mxfp4rt_driver **driver);
/** Null is allowed. A library that was loaded stays loaded. */
MXFP4RT_API void mxfp4rt_driver_close(mxfp4rt_driver *driver);
/** The newest CUDA that the driver serves: 13010 for CUDA 13.1. */
MXFP4RT_API mxfp4rt_status mxfp4rt_driver_version(const mxfp4rt_driver *driver,
                                                  int *version);
MXFP4RT_API mxfp4rt_status mxfp4rt_device_count(const mxfp4rt_driver *driver,
                                                int *count);

typedef struct mxfp4rt_device {
  /** Ends with a zero. */
  char name[256];
  /** Compute capability: 90 for sm_90 and sm_90a. */
  int chip;
  int multiprocessors;
  /** Bytes of shared memory that a CTA may have, and of an SM. */
  int shared_bytes_per_cta;
  int shared_bytes_per_multiprocessor;
} mxfp4rt_device;

/** What device `ordinal`, 0 to count - 1, is. */
MXFP4RT_API mxfp4rt_status mxfp4rt_device_get(const mxfp4rt_driver *driver,
                                              int ordinal,
                                              mxfp4rt_device *device);
typedef struct mxfp4rt_device_speed {
  /** The highest clocks of the SMs and of memory, in kHz. */
  int clock;
  int memory_clock;
  /** Width of the memory bus in bits; memory delivers twice per clock. */
  int memory_bus_bits;
  /** Bytes of L2 cache. */
  int l2_bytes; /* NOLINT(readability-identifier-naming) */
} mxfp4rt_device_speed;

/** How fast device `ordinal` is: the facts by which schedules are chosen, in
 * addition to the number of SMs. */
MXFP4RT_API mxfp4rt_status mxfp4rt_device_get_speed(
    const mxfp4rt_driver *driver, int ordinal, mxfp4rt_device_speed *speed);
/** The ordinal of the device whose memory `pointer` is. */
MXFP4RT_API mxfp4rt_status mxfp4rt_device_of(const mxfp4rt_driver *driver,
                                             const void *pointer, int *ordinal);

/* Artifacts ---------------------------------------------------------------- */

typedef struct mxfp4rt_artifact mxfp4rt_artifact;

/** Reads and checks an artifact's folder. No driver is needed. */
MXFP4RT_API mxfp4rt_status mxfp4rt_artifact_load(const char *folder,
                                                 mxfp4rt_artifact **artifact);
/** The same from memory, which is copied. `manifest` is JSON text and `ptx` is
 *  PTX text of `ptx_size` bytes; `cubin` may be null; `origin` says in messages
 *  where the artifact came from. */
MXFP4RT_API mxfp4rt_status mxfp4rt_artifact_read(
    const char *manifest, size_t manifest_size, const char *ptx,
    size_t ptx_size, const void *cubin, size_t cubin_size, const char *origin,
    mxfp4rt_artifact **artifact);
/** Null is allowed. Kernels that were created from it live on. */
MXFP4RT_API void mxfp4rt_artifact_destroy(mxfp4rt_artifact *artifact);

/* What the following functions without a status say of a null artifact is null,
 * 0, or -1 for a number of an argument. */

/** The kernel's name in the PTX, the target such as "sm_90a", the text of
 *  manifest.json, and the PTX. They live as long as the artifact. */
MXFP4RT_API const char *mxfp4rt_artifact_entry(const mxfp4rt_artifact *);
MXFP4RT_API const char *mxfp4rt_artifact_target(const mxfp4rt_artifact *);
MXFP4RT_API const char *mxfp4rt_artifact_manifest(const mxfp4rt_artifact *);
MXFP4RT_API const char *mxfp4rt_artifact_ptx(const mxfp4rt_artifact *);

/** How weights must be packed, such as "order=spread scales=folded", and behind
 *  it " columns=interleaved" where it is known what gate and up are: others
 *  give wrong results, and no function here can tell. Empty for a kernel
 *  without weights. It lives as long as the artifact. */
MXFP4RT_API const char *mxfp4rt_artifact_layout(const mxfp4rt_artifact *);

/** Numbers of rows. */
typedef struct mxfp4rt_rows {
  /** The range that the kernel was scheduled for; it is right, and may be
   *  slower, for all others up to `most`. Without a range 0 and INT64_MAX. */
  int64_t lowest, highest;
  /** More are refused, because the kernel could not count its tiles. */
  int64_t most;
} mxfp4rt_rows;
MXFP4RT_API mxfp4rt_rows mxfp4rt_artifact_rows(const mxfp4rt_artifact *);

/** Bytes of device memory that the launcher keeps for each stream and for each
 *  captured launch of a kernel: its workspace. 0 if it has none. */
MXFP4RT_API size_t mxfp4rt_artifact_workspace(const mxfp4rt_artifact *);

typedef enum mxfp4rt_kind {
  /** The address of device memory. */
  MXFP4RT_POINTER = 0,
  /** Numbers by value. */
  MXFP4RT_I32 = 1,
  MXFP4RT_I64 = 2,
  MXFP4RT_F32 = 3,
  /** Descriptions of device memory for TMA: the caller passes the
   *  address of the memory, and the launcher makes and keeps the maps. */
  MXFP4RT_TENSOR_MAPS = 4
} mxfp4rt_kind;

#define MXFP4RT_MOST_ARGUMENTS 64
#define MXFP4RT_MOST_RANK 8
/** In a shape: the number of rows of the launch. */
#define MXFP4RT_ROWS (-1)
/** In a shape: a number of rows of its own, which the caller also passes as the
 *  i32 argument `<name>_rows`. */
#define MXFP4RT_OWN_ROWS (-2)

/** An argument of a kernel. Strings live as long as the artifact. */
typedef struct mxfp4rt_argument {
  const char *name;
  mxfp4rt_kind kind;
  /** Of the memory: "bf16", "e4m3", "f32", "i32", "u8"; empty for numbers. */
  const char *dtype;
  /** Bytes to which the memory must be aligned: a power of two. */
  uint32_t align;
  /** Of the memory, which is dense, the last dimension innermost. */
  uint32_t rank;
  int64_t shape[MXFP4RT_MOST_RANK];
  /** 1: the caller passes it. 0: the launcher provides it. */
  int from_caller;
  /** 1: null may be passed. */
  int nullable;
} mxfp4rt_argument;

/** At most MXFP4RT_MOST_ARGUMENTS. */
MXFP4RT_API int mxfp4rt_argument_count(const mxfp4rt_artifact *artifact);
MXFP4RT_API mxfp4rt_status mxfp4rt_argument_get(
    const mxfp4rt_artifact *artifact, int number, mxfp4rt_argument *argument);
/** The number of the argument of this name; -1 if there is none. */
MXFP4RT_API int mxfp4rt_argument_find(const mxfp4rt_artifact *artifact,
                                      const char *name);

/** The value of an argument: for memory its address on the device. */
typedef union mxfp4rt_value {
  void *pointer;
  int32_t i32;
  int64_t i64;
  float f32;
} mxfp4rt_value;

typedef struct mxfp4rt_binding {
  const char *name;
  mxfp4rt_value value;
} mxfp4rt_binding;

/** Resolves names once: writes mxfp4rt_argument_count values in the order of
 *  the kernel's arguments, of which launches then take as many as needed.
 *
 *  Fails if a name is unknown, is given twice or is of an argument that the
 *  launcher provides, if one is missing that is not nullable, and if an address
 *  is null or not aligned. */
MXFP4RT_API mxfp4rt_status mxfp4rt_bind(const mxfp4rt_artifact *artifact,
                                        const mxfp4rt_binding *bindings,
                                        size_t count, mxfp4rt_value *values);

/* Kernels ------------------------------------------------------------------ */

typedef struct mxfp4rt_kernel mxfp4rt_kernel;

/** Loads a kernel on a device: the cubin, or, if there is none or it does not
 *  fit, the PTX, which the driver then compiles. Allocates the error word and
 *  the workspaces, and waits until both are cleared. Captures of streams in
 *  CUDA graphs, by any thread, go on undisturbed. */
MXFP4RT_API mxfp4rt_status
mxfp4rt_kernel_create(mxfp4rt_driver *driver, const mxfp4rt_artifact *artifact,
                      int device, mxfp4rt_kernel **kernel);
/** Unloads the kernel. No launch may be under way, and no graph that holds one
 *  may be launched again. Null is allowed. */
MXFP4RT_API void mxfp4rt_kernel_destroy(mxfp4rt_kernel *kernel);

/** Launches the kernel on a stream (a CUstream or cudaStream_t; null is the
 *  default stream) and returns without waiting for it.
 *
 *  `rows` is the number of rows, 0 to `most`. With 0 nothing is launched,
 * unless the kernel's grid is one CTA: it has an outcome then, too, and memory
 * of rows may be null. Outputs of a kernel that is not launched, such as the
 * offsets of a sort with counts, keep their values. `values` are
 * mxfp4rt_argument_count values in the order of the arguments; those of the
 * launcher's arguments are not read, and nothing is kept of any. Memory must
 * have the shape that the argument says, with this number of rows.
 *
 *  The launch may begin before the work ahead of it on the stream has ended
 *  (programmatic stream serialization); the kernel itself waits for that work
 *  before it reads anything. A kernel that reads offsets and weights before it
 *  waits (`launch.ahead` in its manifest) begins early only behind another call
 *  of the same chain, which must not write them.
 *
 *  May be captured in a CUDA graph. The device is never waited for; memory is
 *  allocated only by a launch outside of captures, when captures have used up
 *  workspaces, or on a stream's first launch; captures of other streams go on.
 *  Tensor maps are encoded for each new pair of address and number of rows, of
 *  which 64 are kept.
 *
 *  Bad values in device memory (offsets, expert ids) are no failure of the
 *  launch: the kernel notes them in its error word. */
MXFP4RT_API mxfp4rt_status mxfp4rt_launch(mxfp4rt_kernel *kernel, int64_t rows,
                                          const mxfp4rt_value *values,
                                          void *stream);

typedef struct mxfp4rt_call {
  mxfp4rt_kernel *kernel;
  int64_t rows;
  const mxfp4rt_value *values;
} mxfp4rt_call;

/** Launches several kernels of one device on a stream, in this order, as
 *  mxfp4rt_launch does: the kernels of a layer, at the price of one call. All
 *  calls are checked before the first is launched, also for counts that one
 *  waits for and one ahead of it raises without ever completing them, or would
 *  raise if it had rows; if the driver refuses one, those before it have been
 *  launched. */
MXFP4RT_API mxfp4rt_status mxfp4rt_launch_all(const mxfp4rt_call *calls,
                                              size_t count, void *stream);

/** Calls that are launched again and again with other addresses at a few of
 *  their values, such as a layer's with each step's hidden states. */
typedef struct mxfp4rt_chain mxfp4rt_chain;

/** A value of a chain that each launch gives. */
typedef struct mxfp4rt_place {
  /** The number of the call, and of its kernel's argument: memory that the
   *  caller passes. */
  uint32_t call, argument;
  /** The number of the address among those that a launch gives. */
  uint32_t given;
} mxfp4rt_place;

/** Copies calls, checked as mxfp4rt_launch_all checks them, but for the values
 *  at `places`, which are not read. Their kernels must outlive the chain. */
MXFP4RT_API mxfp4rt_status mxfp4rt_chain_create(const mxfp4rt_call *calls,
                                                size_t count,
                                                const mxfp4rt_place *places,
                                                size_t place_count,
                                                mxfp4rt_chain **chain);
/** No launch of the chain may be under way on another thread. Null is
 *  allowed. */
MXFP4RT_API void mxfp4rt_chain_destroy(mxfp4rt_chain *chain);

/** Launches the calls as mxfp4rt_launch_all does, with the addresses `given`:
 *  as many as the chain's places name. On a stream that is captured it returns
 *  MXFP4RT_CAPTURED and launches nothing: memory that launches of one stream
 *  share may not be shared by a graph, which runs on any.
 *
 *  After some launches on one stream of chains with these kernels, whatever
 *  their rows and values, all of these chains launch one graph there, where the
 *  driver has graphs with programmatic launches (CUDA 12.3): to set its values
 *  and to launch it costs the host less than one launch of a kernel. A chain
 *  that is launched often there gets a graph of its own. */
MXFP4RT_API mxfp4rt_status mxfp4rt_chain_launch(mxfp4rt_chain *chain,
                                                void *const *given,
                                                void *stream);

/** Bits of the error word: offsets do not start at 0, decrease, or do not end
 *  at the number of rows (nothing was stored); an expert id is outside of
 *  -1 .. E-1 (the rows of its group were not stored); a row to gather or to
 *  scatter to does not exist (row 0 was read, nothing was stored). */
#define MXFP4RT_BAD_OFFSETS 1
#define MXFP4RT_BAD_EXPERT_ID 2
#define MXFP4RT_BAD_ROW 4

/** Waits for all work of the device, reads the kernel's error word, and sets it
 *  to zero if `clear` is not 0. Must not be called while any stream is
 * captured, because the wait for the device ends the capture with an error. */
MXFP4RT_API mxfp4rt_status mxfp4rt_error_word(mxfp4rt_kernel *kernel, int clear,
                                              int32_t *word);

#ifdef __cplusplus
}
#endif

#endif /* MXFP4_C_RUNTIME_H */
