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
|*   Mxfp4SimModule *M = mxfp4SimParse(text, strlen(text), "kernel.ptx");
|*   if (!mxfp4SimModuleOk(M)) puts(mxfp4SimModuleErrors(M));
|*   Mxfp4SimLaunch *L = mxfp4SimLaunchCreate(M, "kernel");
|*   mxfp4SimLaunchGrid(L, 4, 1, 1);
|*   mxfp4SimLaunchBlock(L, 128, 1, 1);
|*   int X = mxfp4SimAddBuffer(L, data, size, 1, 1, "x");
|*   mxfp4SimArgBuffer(L, X, 0);
|*   int Errors = mxfp4SimRun(L);
|*   puts(mxfp4SimDiagnostics(L));
|*   puts(mxfp4SimStatsJson(L));
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

/** The version the library was built with. */
MXFP4_SIM_API int mxfp4SimApiVersion(void);

/** Never null; ask mxfp4SimModuleOk. \p Name is for messages. */
MXFP4_SIM_API Mxfp4SimModule *mxfp4SimParse(const char *Text, size_t Size,
                                            const char *Name);
MXFP4_SIM_API void mxfp4SimModuleDestroy(Mxfp4SimModule *M);
MXFP4_SIM_API int mxfp4SimModuleOk(const Mxfp4SimModule *M);
/** The errors of the parser, as text. */
MXFP4_SIM_API const char *mxfp4SimModuleErrors(const Mxfp4SimModule *M);
/** Kernels of the module: their number, names, and parameters as JSON:
    [{"name": ..., "size": ..., "align": ..., "offset": ...}]. */
MXFP4_SIM_API int mxfp4SimModuleNumKernels(const Mxfp4SimModule *M);
MXFP4_SIM_API const char *mxfp4SimModuleKernel(const Mxfp4SimModule *M,
                                               int Index);
MXFP4_SIM_API const char *mxfp4SimModuleParamsJson(Mxfp4SimModule *M,
                                                   int Index);

/** The module must outlive the launch. */
MXFP4_SIM_API Mxfp4SimLaunch *mxfp4SimLaunchCreate(const Mxfp4SimModule *M,
                                                   const char *Kernel);
MXFP4_SIM_API void mxfp4SimLaunchDestroy(Mxfp4SimLaunch *L);
MXFP4_SIM_API void mxfp4SimLaunchGrid(Mxfp4SimLaunch *L, uint32_t X, uint32_t Y,
                                      uint32_t Z);
MXFP4_SIM_API void mxfp4SimLaunchBlock(Mxfp4SimLaunch *L, uint32_t X,
                                       uint32_t Y, uint32_t Z);
MXFP4_SIM_API void mxfp4SimLaunchCluster(Mxfp4SimLaunch *L, uint32_t X,
                                         uint32_t Y, uint32_t Z);
MXFP4_SIM_API void mxfp4SimLaunchShared(Mxfp4SimLaunch *L, uint32_t Bytes);

/** Options by name: "seed", "host_threads", "max_instructions",
    "max_diagnostics", "resident_clusters", "check_races",
    "check_uninitialised", "launch_registers", "programmatic" (the launch may
    begin before the one ahead of it has ended). Returns 0, or -1 for a name
    that does not exist. */
MXFP4_SIM_API int mxfp4SimOption(Mxfp4SimLaunch *L, const char *Name,
                                 uint64_t Value);

/** Memory of the caller, which must stay until the run is over. Returns the
    buffer's number. */
MXFP4_SIM_API int mxfp4SimAddBuffer(Mxfp4SimLaunch *L, void *Data, size_t Size,
                                    int Initialised, int Writable,
                                    const char *Name);
/** The same at an address of the caller's choice, for callers that hand out
    addresses before they launch; buffers must be apart, so that what lies
    between them is out of bounds. */
MXFP4_SIM_API int mxfp4SimAddBufferAt(Mxfp4SimLaunch *L, void *Data,
                                      size_t Size, int Initialised,
                                      int Writable, const char *Name,
                                      uint64_t Address);
/** Simulated address of a buffer. */
MXFP4_SIM_API uint64_t mxfp4SimBufferAddress(const Mxfp4SimLaunch *L,
                                             int Buffer);
/** Bytes that hold a value: after the run of a buffer added uninitialised,
    those that the kernel has written. */
MXFP4_SIM_API uint64_t mxfp4SimInitialisedBytes(const Mxfp4SimLaunch *L,
                                                int Buffer);

/** One bit a byte, the lowest first, of a buffer added uninitialised: set for
    bytes that hold a value. It may be written before the run. Null for other
    buffers. */
MXFP4_SIM_API uint8_t *mxfp4SimInitialisedBits(Mxfp4SimLaunch *L, int Buffer);

/** Arguments, in the order of the parameters. */
MXFP4_SIM_API void mxfp4SimArgBuffer(Mxfp4SimLaunch *L, int Buffer,
                                     uint64_t Offset);
MXFP4_SIM_API void mxfp4SimArgI32(Mxfp4SimLaunch *L, uint32_t Value);
MXFP4_SIM_API void mxfp4SimArgI64(Mxfp4SimLaunch *L, uint64_t Value);
MXFP4_SIM_API void mxfp4SimArgF32(Mxfp4SimLaunch *L, float Value);
MXFP4_SIM_API void mxfp4SimArgBytes(Mxfp4SimLaunch *L, const void *Data,
                                    size_t Size);

/** A tiled tensor map; see mxfp4::sim::TensorMap. Dimension 0 is innermost;
    strides are in bytes, of dimensions 1 and up. */
typedef struct {
  uint64_t Base;
  uint32_t Rank, ElementBytes;
  uint64_t Dims[5];
  uint64_t Strides[4];
  uint32_t Box[5];
  uint32_t ElementStrides[5];
  uint32_t Swizzle; /**< 0: none, 1: 32, 2: 64, 3: 128 bytes. */
  uint32_t FillNaN;
} Mxfp4SimTensorMap;

/** Writes the 128 bytes that stand for the map, in a parameter (pass them to
    mxfp4SimArgBytes) or in a buffer. Returns null, or a sentence saying what is
    wrong with the map. */
MXFP4_SIM_API const char *mxfp4SimEncodeTensorMap(Mxfp4SimLaunch *L,
                                                  const Mxfp4SimTensorMap *Map,
                                                  uint8_t *Out128);

/** Runs the launch; returns the number of findings of severity error. */
MXFP4_SIM_API int mxfp4SimRun(Mxfp4SimLaunch *L);
/** Results of the last run. */
MXFP4_SIM_API const char *mxfp4SimDiagnostics(const Mxfp4SimLaunch *L);
/** A list of {"severity": "error", "check", "message", "line", "instruction",
    "count"} and, where there is one, "block" [x, y, z], "thread", "address". */
MXFP4_SIM_API const char *mxfp4SimDiagnosticsJson(const Mxfp4SimLaunch *L);
MXFP4_SIM_API const char *mxfp4SimStatsJson(const Mxfp4SimLaunch *L);
MXFP4_SIM_API const char *mxfp4SimReport(const Mxfp4SimLaunch *L);

#ifdef __cplusplus
}
#endif

#endif /* MXFP4_C_SIM_H */
