//===- Sim.h - Run sm_90a PTX on the CPU and report hazards -----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The public interface of the PTX interpreter. A program parses a module once,
// describes a launch, and runs it:
//
//   std::vector<sim::Diagnostic> Errors;
//   auto M = sim::Module::parse(Text, "kernel.ptx", Errors);
//   sim::Launch L;
//   L.Grid = {4};
//   L.Block = {128};
//   unsigned X = L.addBuffer(Data, Size, {});
//   L.argBuffer(X);
//   L.argI32(N);
//   sim::Result R = sim::run(*M, "kernel", L, {});
//   if (!R.ok()) puts(R.text().c_str());
//
// Nothing here depends on LLVM; the library is C++17 and the standard library.
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_SIM_SIM_H
#define MXFP4_SIM_SIM_H

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace mxfp4::sim {

struct Dim3 {
  uint32_t X = 1, Y = 1, Z = 1;
  uint64_t count() const { return uint64_t(X) * Y * Z; }
};

/// One finding. Errors found while parsing have no block and no thread.
struct Diagnostic {
  enum class Severity { Warning, Error };
  Severity Level = Severity::Error;
  /// Short stable name of the check, such as "race" or "uninitialised".
  std::string Check;
  std::string Message;
  std::string File;
  unsigned Line = 0;
  /// Text of the PTX instruction, empty when the finding has none.
  std::string Instruction;
  bool HasThread = false;
  Dim3 Block{0, 0, 0};
  unsigned Thread = 0;
  uint64_t Address = 0;
  bool HasAddress = false;
  /// How many times the same finding occurred at this instruction.
  uint64_t Count = 1;

  /// "file:line: error: message [check]" and the instruction below it.
  std::string str() const;
};

/// A tiled tensor map, as cuTensorMapEncodeTiled describes one. Dimension 0 is
/// the innermost. The 128 bytes of encode() stand in for the driver's opaque
/// ones, in a kernel parameter or anywhere in memory.
struct TensorMap {
  enum class Swizzle : uint8_t { None, B32, B64, B128 };
  uint64_t Base = 0;                 ///< Simulated address: Launch::address.
  unsigned Rank = 1;                 ///< 1 to 5.
  unsigned ElementBytes = 2;         ///< 1, 2, 4 or 8.
  std::array<uint64_t, 5> Dims{};    ///< Elements.
  std::array<uint64_t, 4> Strides{}; ///< Bytes, of dimensions 1 and up.
  std::array<uint32_t, 5> Box{};     ///< Elements.
  std::array<uint32_t, 5> ElementStrides{1, 1, 1, 1, 1};
  Swizzle Swizzling = Swizzle::None;
  /// Out-of-bounds elements are zero, or NaN when set (float types only).
  bool FillNaN = false;

  /// Returns an empty string when the map is one the driver would accept, and
  /// a sentence saying what is wrong otherwise.
  std::string verify() const;
  std::array<uint8_t, 128> encode() const;
  /// Reads back what encode() wrote; false when the bytes are no such map.
  static bool decode(const uint8_t *Bytes, TensorMap &Map);
};

struct BufferFlags {
  bool Initialised = true; ///< Otherwise reads before writes are reported.
  bool Writable = true;    ///< Otherwise writes are reported.
};

struct Options {
  /// Seeds scheduling, delays of asynchronous copies and poison values.
  uint64_t Seed = 1;
  /// With more than one, clusters run in parallel on that many threads. The
  /// order of atomics then depends on the host.
  unsigned HostThreads = 1;
  /// Warp instructions before a launch is given up as endless.
  uint64_t MaxInstructions = uint64_t(4) << 30;
  /// Distinct findings before a launch stops.
  unsigned MaxDiagnostics = 20;
  /// Clusters in flight at the start; more are admitted when those wait.
  unsigned ResidentClusters = 2;
  bool CheckRaces = true;
  bool CheckUninitialised = true;
  /// The launch may begin before the one ahead of it has ended (programmatic
  /// stream serialization): global memory is touched after griddepcontrol.wait.
  bool Programmatic = false;
  /// Registers a thread at launch (ptxas -v), to check setmaxnreg; 0: unknown.
  unsigned LaunchRegisters = 0;
};

/// Counters of a launch.
struct Stats {
  uint64_t WarpInstructions = 0;
  uint64_t ThreadInstructions = 0;
  std::map<std::string, uint64_t> ByOpcode; ///< Warp instructions.
  std::map<std::string, uint64_t> ByPipe;
  /// Through the generic proxy: ld, ldmatrix; st, stmatrix, cp.async.
  uint64_t SharedLoadBytes = 0, SharedStoreBytes = 0;
  /// Through the async proxy: operands of wgmma (each once a warpgroup) and
  /// sources of bulk stores; destinations of bulk loads.
  uint64_t SharedAsyncReadBytes = 0, SharedAsyncWriteBytes = 0;
  /// Shared-memory passes needed, and passes had every access been free of
  /// bank conflicts.
  uint64_t SharedWavefronts = 0, SharedIdealWavefronts = 0;
  uint64_t GlobalLoadBytes = 0, GlobalStoreBytes = 0;
  /// 32-byte sectors touched by warp-wide global accesses.
  uint64_t GlobalLoadSectors = 0, GlobalStoreSectors = 0;
  uint64_t BulkLoadBytes = 0, BulkStoreBytes = 0, AsyncCopyBytes = 0;
  uint64_t BulkCopies = 0;
  uint64_t Atomics = 0;
  uint64_t Mma = 0, MmaMacs = 0;
  uint64_t Wgmma = 0, WgmmaMacs = 0; ///< One wgmma is one warpgroup's.
  uint64_t Ctas = 0;
  double Seconds = 0;

  std::string report() const; ///< For people.
  std::string json() const;
};

struct Result {
  std::vector<Diagnostic> Diagnostics;
  Stats Statistics;
  bool ok() const;          ///< No finding of severity error.
  std::string text() const; ///< Findings, for people.
  std::string json() const; ///< Findings, as a list of objects.
};

struct KernelInfo {
  std::string Name;
  struct Param {
    std::string Name;
    uint32_t Size, Align, Offset;
  };
  std::vector<Param> Params;
  uint32_t StaticShared = 0;
  Dim3 RequiredBlock{0, 0, 0}, MaxBlock{0, 0, 0}, RequiredCluster{0, 0, 0};
  size_t Instructions = 0;
};

struct ModuleImpl;

/// A parsed PTX module: immutable, and safe to run from several threads.
class Module {
public:
  ~Module();
  /// Returns null and fills \p Errors when the text is not understood.
  static std::unique_ptr<Module> parse(std::string_view Text,
                                       std::string_view Name,
                                       std::vector<Diagnostic> &Errors);
  const std::vector<KernelInfo> &kernels() const;
  const ModuleImpl &impl() const { return *Impl; }

private:
  Module();
  std::unique_ptr<ModuleImpl> Impl;
};

/// Everything about one launch. Buffers alias the caller's memory, which must
/// outlive the run; simulated addresses are not host addresses, and every
/// buffer has unmapped guard bands around it.
class Launch {
public:
  Dim3 Grid, Block, Cluster;
  uint32_t DynamicShared = 0;

  /// Returns the number of the buffer, counted from 0. \p Address is for
  /// callers that hand out addresses themselves, and keep their buffers apart;
  /// 0 lets the launch choose one.
  unsigned addBuffer(void *Data, size_t Size, BufferFlags Flags,
                     std::string Name = "", uint64_t Address = 0);
  /// Simulated address of a buffer's first byte (a multiple of 64 KiB if the
  /// launch chose it).
  uint64_t address(unsigned Buffer) const;

  void argBuffer(unsigned Buffer, uint64_t Offset = 0);
  void argI32(uint32_t Value);
  void argI64(uint64_t Value);
  void argF32(float Value);
  void argBytes(const void *Data, size_t Size);
  void argTensorMap(const TensorMap &Map);

  /// After a run: bytes of a buffer that hold a value. Buffers added as
  /// initialised count in full.
  uint64_t initialisedBytes(unsigned Buffer) const;

  struct BufferInfo {
    uint8_t *Data;
    size_t Size;
    BufferFlags Flags;
    std::string Name;
    uint64_t Address;
    /// One bit a byte; empty when the buffer began initialised.
    std::vector<uint8_t> Initialised;
  };
  std::vector<BufferInfo> Buffers;
  std::vector<std::vector<uint8_t>> Args;
};

/// Runs one kernel to its end (or to the limit on diagnostics).
Result run(const Module &M, std::string_view Entry, Launch &L,
           const Options &Opts);

} // namespace mxfp4::sim

#endif // MXFP4_SIM_SIM_H
