//===- CAPI.cpp - C interface of the PTX interpreter ----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mxfp4-c/Sim.h"

#include "mxfp4/Sim/Sim.h"

#include <algorithm>

using namespace mxfp4;

struct Mxfp4SimModule {
  std::unique_ptr<sim::Module> M;
  std::string Errors, Json;
};

struct Mxfp4SimLaunch {
  const Mxfp4SimModule *M;
  std::string Kernel;
  sim::Launch L;
  sim::Options Opts;
  std::string Diagnostics, DiagnosticsJson, Stats, Report, Message;
};

int mxfp4SimApiVersion(void) { return MXFP4_SIM_API_VERSION; }

Mxfp4SimModule *mxfp4SimParse(const char *Text, size_t Size, const char *Name) {
  auto *M = new Mxfp4SimModule;
  std::vector<sim::Diagnostic> Errors;
  M->M = sim::Module::parse({Text ? Text : "", Text ? Size : 0},
                            Name ? Name : "input", Errors);
  for (const sim::Diagnostic &D : Errors)
    M->Errors += D.str();
  return M;
}
void mxfp4SimModuleDestroy(Mxfp4SimModule *M) { delete M; }
int mxfp4SimModuleOk(const Mxfp4SimModule *M) { return M->M != nullptr; }
const char *mxfp4SimModuleErrors(const Mxfp4SimModule *M) {
  return M->Errors.c_str();
}
int mxfp4SimModuleNumKernels(const Mxfp4SimModule *M) {
  return M->M ? int(M->M->kernels().size()) : 0;
}

static const sim::KernelInfo *kernelAt(const Mxfp4SimModule *M, int Index) {
  if (Index < 0 || Index >= mxfp4SimModuleNumKernels(M))
    return nullptr;
  return &M->M->kernels()[size_t(Index)];
}
const char *mxfp4SimModuleKernel(const Mxfp4SimModule *M, int Index) {
  const sim::KernelInfo *K = kernelAt(M, Index);
  return K ? K->Name.c_str() : nullptr;
}
const char *mxfp4SimModuleParamsJson(Mxfp4SimModule *M, int Index) {
  const sim::KernelInfo *K = kernelAt(M, Index);
  if (!K)
    return nullptr;
  M->Json = "[";
  for (const sim::KernelInfo::Param &P : K->Params) {
    if (M->Json.size() > 1)
      M->Json += ", ";
    M->Json += "{\"name\": \"" + P.Name +
               "\", \"size\": " + std::to_string(P.Size) +
               ", \"align\": " + std::to_string(P.Align) +
               ", \"offset\": " + std::to_string(P.Offset) + "}";
  }
  M->Json += "]";
  return M->Json.c_str();
}

Mxfp4SimLaunch *mxfp4SimLaunchCreate(const Mxfp4SimModule *M,
                                     const char *Kernel) {
  auto *L = new Mxfp4SimLaunch;
  L->M = M;
  L->Kernel = Kernel ? Kernel : "";
  return L;
}
void mxfp4SimLaunchDestroy(Mxfp4SimLaunch *L) { delete L; }
void mxfp4SimLaunchGrid(Mxfp4SimLaunch *L, uint32_t X, uint32_t Y, uint32_t Z) {
  L->L.Grid = {X, Y, Z};
}
void mxfp4SimLaunchBlock(Mxfp4SimLaunch *L, uint32_t X, uint32_t Y,
                         uint32_t Z) {
  L->L.Block = {X, Y, Z};
}
void mxfp4SimLaunchCluster(Mxfp4SimLaunch *L, uint32_t X, uint32_t Y,
                           uint32_t Z) {
  L->L.Cluster = {X, Y, Z};
}
void mxfp4SimLaunchShared(Mxfp4SimLaunch *L, uint32_t Bytes) {
  L->L.DynamicShared = Bytes;
}

int mxfp4SimOption(Mxfp4SimLaunch *L, const char *Name, uint64_t Value) {
  std::string_view N = Name ? Name : "";
  sim::Options &O = L->Opts;
  const unsigned Count = unsigned(std::min<uint64_t>(Value, UINT32_MAX));
  if (N == "seed")
    O.Seed = Value;
  else if (N == "host_threads")
    O.HostThreads = Count;
  else if (N == "max_instructions")
    O.MaxInstructions = Value;
  else if (N == "max_diagnostics")
    O.MaxDiagnostics = Count;
  else if (N == "resident_clusters")
    O.ResidentClusters = Count;
  else if (N == "check_races")
    O.CheckRaces = Value != 0;
  else if (N == "check_uninitialised")
    O.CheckUninitialised = Value != 0;
  else if (N == "programmatic")
    O.Programmatic = Value != 0;
  else if (N == "launch_registers")
    O.LaunchRegisters = Count;
  else
    return -1;
  return 0;
}

int mxfp4SimAddBuffer(Mxfp4SimLaunch *L, void *Data, size_t Size,
                      int Initialised, int Writable, const char *Name) {
  return int(L->L.addBuffer(Data, Size, {Initialised != 0, Writable != 0},
                            Name ? Name : ""));
}
int mxfp4SimAddBufferAt(Mxfp4SimLaunch *L, void *Data, size_t Size,
                        int Initialised, int Writable, const char *Name,
                        uint64_t Address) {
  return int(L->L.addBuffer(Data, Size, {Initialised != 0, Writable != 0},
                            Name ? Name : "", Address));
}
uint64_t mxfp4SimBufferAddress(const Mxfp4SimLaunch *L, int Buffer) {
  return L->L.address(unsigned(Buffer));
}
uint64_t mxfp4SimInitialisedBytes(const Mxfp4SimLaunch *L, int Buffer) {
  return L->L.initialisedBytes(unsigned(Buffer));
}
uint8_t *mxfp4SimInitialisedBits(Mxfp4SimLaunch *L, int Buffer) {
  if (Buffer < 0 || size_t(Buffer) >= L->L.Buffers.size())
    return nullptr;
  std::vector<uint8_t> &Bits = L->L.Buffers[size_t(Buffer)].Initialised;
  return Bits.empty() ? nullptr : Bits.data();
}

void mxfp4SimArgBuffer(Mxfp4SimLaunch *L, int Buffer, uint64_t Offset) {
  L->L.argBuffer(unsigned(Buffer), Offset);
}
void mxfp4SimArgI32(Mxfp4SimLaunch *L, uint32_t Value) { L->L.argI32(Value); }
void mxfp4SimArgI64(Mxfp4SimLaunch *L, uint64_t Value) { L->L.argI64(Value); }
void mxfp4SimArgF32(Mxfp4SimLaunch *L, float Value) { L->L.argF32(Value); }
void mxfp4SimArgBytes(Mxfp4SimLaunch *L, const void *Data, size_t Size) {
  L->L.argBytes(Data, Size);
}

const char *mxfp4SimEncodeTensorMap(Mxfp4SimLaunch *L,
                                    const Mxfp4SimTensorMap *Map,
                                    uint8_t *Out128) {
  sim::TensorMap T;
  T.Base = Map->Base;
  T.Rank = Map->Rank;
  T.ElementBytes = Map->ElementBytes;
  std::copy(Map->Dims, Map->Dims + 5, T.Dims.begin());
  std::copy(Map->Strides, Map->Strides + 4, T.Strides.begin());
  std::copy(Map->Box, Map->Box + 5, T.Box.begin());
  std::copy(Map->ElementStrides, Map->ElementStrides + 5,
            T.ElementStrides.begin());
  T.Swizzling = sim::TensorMap::Swizzle(Map->Swizzle & 3);
  T.FillNaN = Map->FillNaN != 0;
  // Unused dimensions need not be filled in.
  for (unsigned D = T.Rank; D < 5; ++D) {
    T.Dims[D] = T.Box[D] = T.ElementStrides[D] = 1;
    T.Strides[D - 1] = 0;
  }
  L->Message = T.verify();
  if (!L->Message.empty())
    return L->Message.c_str();
  std::array<uint8_t, 128> Bytes = T.encode();
  std::copy(Bytes.begin(), Bytes.end(), Out128);
  return nullptr;
}

int mxfp4SimRun(Mxfp4SimLaunch *L) {
  if (!L->M || !L->M->M) {
    L->Diagnostics = "error: the module has errors\n";
    L->DiagnosticsJson = "[]";
    return 1;
  }
  sim::Result R = sim::run(*L->M->M, L->Kernel, L->L, L->Opts);
  L->Diagnostics = R.text();
  L->DiagnosticsJson = R.json();
  L->Stats = R.Statistics.json();
  L->Report = R.Statistics.report();
  int Errors = 0;
  for (const sim::Diagnostic &D : R.Diagnostics)
    Errors += D.Level == sim::Diagnostic::Severity::Error;
  return Errors;
}
const char *mxfp4SimDiagnostics(const Mxfp4SimLaunch *L) {
  return L->Diagnostics.c_str();
}
const char *mxfp4SimDiagnosticsJson(const Mxfp4SimLaunch *L) {
  return L->DiagnosticsJson.c_str();
}
const char *mxfp4SimStatsJson(const Mxfp4SimLaunch *L) {
  return L->Stats.c_str();
}
const char *mxfp4SimReport(const Mxfp4SimLaunch *L) {
  return L->Report.c_str();
}
