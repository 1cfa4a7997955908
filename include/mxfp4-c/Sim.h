/*===- Sim.h - C interface of the PTX interpreter -----------------*- C -*-===*\
|*
|* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
|*
|*===----------------------------------------------------------------------===*|
|*
|* What mxfp4/Sim/Sim.h offers, for C and for Python's ctypes. Objects are
|* opaque and belong to the caller until destroyed. Strings that functions
|* return belong to the object and live until its next call.
|*
|*   Mxfp4SimModule *m = mxfp4SimParse(text, strlen(text), "kernel.ptx");
|*   if (!mxfp4SimModuleOk(m)) puts(mxfp4SimModuleErrors(m));
|*   Mxfp4SimLaunch *l = mxfp4SimLaunchCreate(m, "kernel");
|*   mxfp4SimLaunchGrid(l, 4, 1, 1);
|*   mxfp4SimLaunchBlock(l, 128, 1, 1);
|*   int x = mxfp4SimAddBuffer(l, data, size, 1, 1, "x");
|*   mxfp4SimArgBuffer(l, x, 0);
|*   int errors = mxfp4SimRun(l);
|*   puts(mxfp4SimDiagnostics(l));
|*   puts(mxfp4SimStatsJson(l));
|*
\*===----------------------------------------------------------------------===*/

#ifndef MXFP4_C_SIM_H
#define MXFP4_C_SIM_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(_WIN32)
#define MXFP4_SIM_API __declspec(dllexport)
#else
#define MXFP4_SIM_API __attribute__((visibility("default")))
#endif

/** Raised when a function changes its meaning or signature. */
#define MXFP4_SIM_API_VERSION 1

typedef struct Mxfp4SimModule Mxfp4SimModule;
typedef struct Mxfp4SimLaunch Mxfp4SimLaunch;
typedef struct Mxfp4SimStream Mxfp4SimStream;

/** The version the library was built with. */
MXFP4_SIM_API int mxfp4SimApiVersion(void);

/** Never null; ask mxfp4SimModuleOk. \p name is for messages. */
MXFP4_SIM_API Mxfp4SimModule *mxfp4SimParse(const char *text, size_t size,
                                            const char *name);
MXFP4_SIM_API void mxfp4SimModuleDestroy(Mxfp4SimModule *m);
MXFP4_SIM_API int mxfp4SimModuleOk(const Mxfp4SimModule *m);
/** The errors of the parser, as text. */
MXFP4_SIM_API const char *mxfp4SimModuleErrors(const Mxfp4SimModule *m);
/** Kernels of the module: their number, names, and parameters as JSON:
    [{"name": ..., "size": ..., "align": ..., "offset": ...}]. */
MXFP4_SIM_API int mxfp4SimModuleNumKernels(const Mxfp4SimModule *m);
MXFP4_SIM_API const char *mxfp4SimModuleKernel(const Mxfp4SimModule *m,
                                               int index);
MXFP4_SIM_API const char *mxfp4SimModuleParamsJson(Mxfp4SimModule *m,
                                                   int index);

/** The module must outlive the launch. */
MXFP4_SIM_API Mxfp4SimLaunch *mxfp4SimLaunchCreate(const Mxfp4SimModule *m,
                                                   const char *kernel);
MXFP4_SIM_API void mxfp4SimLaunchDestroy(Mxfp4SimLaunch *l);
MXFP4_SIM_API void mxfp4SimLaunchGrid(Mxfp4SimLaunch *l, uint32_t x, uint32_t y,
                                      uint32_t z);
MXFP4_SIM_API void mxfp4SimLaunchBlock(Mxfp4SimLaunch *l, uint32_t x,
                                       uint32_t y, uint32_t z);
MXFP4_SIM_API void mxfp4SimLaunchCluster(Mxfp4SimLaunch *l, uint32_t x,
                                         uint32_t y, uint32_t z);
MXFP4_SIM_API void mxfp4SimLaunchShared(Mxfp4SimLaunch *l, uint32_t bytes);

/** Options by name: "seed", "host_threads", "max_instructions",
    "max_diagnostics", "resident_clusters", "check_races",
    "check_uninitialised", "launch_registers", "programmatic" (the launch may
    begin before the one ahead of it has ended). Returns 0, or -1 for a name
    that does not exist. */
MXFP4_SIM_API int mxfp4SimOption(Mxfp4SimLaunch *l, const char *name,
                                 uint64_t value);

/** The launches of a stream, one behind the other: a programmatic launch may
    read before griddepcontrol.wait what no launch ahead of it that may still
    run has written. Without a stream it may read nothing before. A thread that
    acquires a counter of the launch ahead gets the values that it has had, one
    after the other, and may use what was published with them. */
MXFP4_SIM_API Mxfp4SimStream *mxfp4SimStreamCreate(void);
MXFP4_SIM_API void mxfp4SimStreamDestroy(Mxfp4SimStream *s);
/** Memory that was freed: the stream keeps no record of it. */
MXFP4_SIM_API void mxfp4SimStreamForget(Mxfp4SimStream *s, uint64_t address,
                                        size_t size);
/** The stream must outlive the run. */
MXFP4_SIM_API void mxfp4SimLaunchStream(Mxfp4SimLaunch *l, Mxfp4SimStream *s);

/** Memory of the caller, which must stay until the run is over. Returns the
    buffer's number. */
MXFP4_SIM_API int mxfp4SimAddBuffer(Mxfp4SimLaunch *l, void *data, size_t size,
                                    int initialised, int writable,
                                    const char *name);
/** The same at an address of the caller's choice, for callers that hand out
    addresses before they launch; buffers must be apart, so that what lies
    between them is out of bounds. */
MXFP4_SIM_API int mxfp4SimAddBufferAt(Mxfp4SimLaunch *l, void *data,
                                      size_t size, int initialised,
                                      int writable, const char *name,
                                      uint64_t address);
/** Simulated address of a buffer. */
MXFP4_SIM_API uint64_t mxfp4SimBufferAddress(const Mxfp4SimLaunch *l,
                                             int buffer);
/** Bytes that hold a value: after the run of a buffer added uninitialised,
    those that the kernel has written. */
MXFP4_SIM_API uint64_t mxfp4SimInitialisedBytes(const Mxfp4SimLaunch *l,
                                                int buffer);

/** One bit per byte, the lowest first, of a buffer added uninitialised: set for
    bytes that hold a value. It may be written before the run. Null for other
    buffers. */
MXFP4_SIM_API uint8_t *mxfp4SimInitialisedBits(Mxfp4SimLaunch *l, int buffer);

/** Arguments, in the order of the parameters. */
MXFP4_SIM_API void mxfp4SimArgBuffer(Mxfp4SimLaunch *l, int buffer,
                                     uint64_t offset);
MXFP4_SIM_API void mxfp4SimArgI32(Mxfp4SimLaunch *l, uint32_t value);
MXFP4_SIM_API void mxfp4SimArgI64(Mxfp4SimLaunch *l, uint64_t value);
MXFP4_SIM_API void mxfp4SimArgF32(Mxfp4SimLaunch *l, float value);
MXFP4_SIM_API void mxfp4SimArgBytes(Mxfp4SimLaunch *l, const void *data,
                                    size_t size);

/** A tiled tensor map; see mxfp4::sim::TensorMap. Dimension 0 is innermost;
    strides are in bytes, of dimensions 1 and up. */
typedef struct {
  uint64_t base;
  uint32_t rank, elementBytes;
  uint64_t dims[5];
  uint64_t strides[4];
  uint32_t box[5];
  uint32_t elementStrides[5];
  uint32_t swizzle; /**< 0: none, 1: 32, 2: 64, 3: 128 bytes. */
  uint32_t fillNaN;
} Mxfp4SimTensorMap;

/** Writes the 128 bytes that stand for the map, in a parameter (pass them to
    mxfp4SimArgBytes) or in a buffer. Returns null, or a sentence saying what is
    wrong with the map. */
MXFP4_SIM_API const char *mxfp4SimEncodeTensorMap(Mxfp4SimLaunch *l,
                                                  const Mxfp4SimTensorMap *map,
                                                  uint8_t *out128);

/** Runs the launch; returns the number of findings of severity error. */
MXFP4_SIM_API int mxfp4SimRun(Mxfp4SimLaunch *l);
/** With 1 all launches in the process stop, now and later, each with a finding,
    until 0 is said: for a process that ends while its threads launch. */
MXFP4_SIM_API void mxfp4SimStop(int stop);
/** Results of the last run. */
MXFP4_SIM_API const char *mxfp4SimDiagnostics(const Mxfp4SimLaunch *l);
/** A list of {"severity": "error", "check", "message", "line", "instruction",
    "count"} and, where there is one, "block" [x, y, z], "thread", "address". */
MXFP4_SIM_API const char *mxfp4SimDiagnosticsJson(const Mxfp4SimLaunch *l);
MXFP4_SIM_API const char *mxfp4SimStatsJson(const Mxfp4SimLaunch *l);
MXFP4_SIM_API const char *mxfp4SimReport(const Mxfp4SimLaunch *l);

#ifdef __cplusplus
}
#endif

#endif /* MXFP4_C_SIM_H */
