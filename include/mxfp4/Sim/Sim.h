//===- Sim.h - Run sm_90a PTX on the CPU and report hazards -----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The public interface of the PTX interpreter. A program parses a module once,
// describes a launch, and runs it:
//
//   std::vector<sim::Diagnostic> errors;
//   auto m = sim::Module::parse(text, "kernel.ptx", errors);
//   sim::Launch l;
//   l.grid = {4};
//   l.block = {128};
//   unsigned x = l.addBuffer(data, size, {});
//   l.argBuffer(x);
//   l.argI32(n);
//   sim::Result r = sim::run(*m, "kernel", l, {});
//   if (!r.ok()) puts(r.text().c_str());
//
// Nothing here depends on LLVM; the library is C++17 and the standard library.
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_SIM_SIM_H
#define MXFP4_SIM_SIM_H

#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace mxfp4::sim {

struct Dim3 {
  uint32_t x = 1, y = 1, z = 1;
  uint64_t count() const { return uint64_t(x) * y * z; }
};

/// One finding. Errors found while parsing have no block and no thread.
struct Diagnostic {
  enum class Severity { Warning, Error };
  Severity level = Severity::Error;
  /// Short stable name of the check, such as "race" or "uninitialised".
  std::string check;
  std::string message;
  std::string file;
  unsigned line = 0;
  /// Text of the PTX instruction, empty when the finding has none.
  std::string instruction;
  bool hasThread = false;
  Dim3 block{0, 0, 0};
  unsigned thread = 0;
  uint64_t address = 0;
  bool hasAddress = false;
  /// How many times the same finding occurred at this instruction.
  uint64_t count = 1;

  /// "file:line: error: message [check]" and the instruction below it.
  std::string str() const;
};

/// A tiled tensor map, as cuTensorMapEncodeTiled describes one. Dimension 0 is
/// the innermost. The 128 bytes of encode() stand in for the driver's opaque
/// ones, in a kernel parameter or anywhere in memory.
struct TensorMap {
  enum class Swizzle : uint8_t { None, B32, B64, B128 };
  uint64_t base = 0;                 ///< Simulated address: Launch::address.
  unsigned rank = 1;                 ///< 1 to 5.
  unsigned elementBytes = 2;         ///< 1, 2, 4 or 8.
  std::array<uint64_t, 5> dims{};    ///< Elements.
  std::array<uint64_t, 4> strides{}; ///< Bytes, of dimensions 1 and up.
  std::array<uint32_t, 5> box{};     ///< Elements.
  std::array<uint32_t, 5> elementStrides{1, 1, 1, 1, 1};
  Swizzle swizzling = Swizzle::None;
  /// Out-of-bounds elements are zero, or NaN when set (float types only).
  bool fillNaN = false;

  /// Returns an empty string when the map is one the driver would accept, and
  /// a sentence saying what is wrong otherwise.
  std::string verify() const;
  std::array<uint8_t, 128> encode() const;
  /// Reads back what encode() wrote; false when the bytes are no such map.
  static bool decode(const uint8_t *bytes, TensorMap &map);
};

struct BufferFlags {
  bool initialised = true; ///< Otherwise reads before writes are reported.
  bool writable = true;    ///< Otherwise writes are reported.
};

/// What a launch has done to global memory, with the values of its counters.
struct AheadWork;

/// Bytes of global memory that launches have written which may not have ended
/// when the next one begins; all bytes until something is known.
class Unended {
public:
  /// Of the only such launch; null if there are several, or none is known.
  std::shared_ptr<const AheadWork> work;

  bool has(uint64_t address, uint64_t bytes) const;
  /// Whether launches that have ended since wrote one of these bytes.
  bool hadBefore(uint64_t address, uint64_t bytes) const;
  void add(uint64_t address, uint64_t bytes);
  void add(const Unended &other);
  /// All these launches have ended.
  void clear();
  /// Memory that was freed, as nothing that runs uses it any more.
  void forget(uint64_t address, uint64_t bytes);

private:
  static constexpr uint64_t kPage = 4096;
  using Pages = std::map<uint64_t, std::bitset<kPage>>;
  static bool isIn(const Pages &pages, uint64_t address, uint64_t bytes);
  bool hasAll = true;
  Pages pages, ended;
};

struct Options {
  /// Seeds scheduling, delays of asynchronous copies and poison values.
  uint64_t seed = 1;
  /// With more than one, clusters run in parallel on that many threads. The
  /// order of atomics then depends on the host.
  unsigned hostThreads = 1;
  /// Warp instructions before a launch is given up as endless; 0: 2^32, or 2^24
  /// in a row in which no thread stores, arrives, copies or exits.
  uint64_t maxInstructions = 0;
  uint64_t most() const {
    return maxInstructions ? maxInstructions : uint64_t(1) << 32;
  }
  /// Distinct findings before a launch stops.
  unsigned maxDiagnostics = 20;
  /// Clusters in flight at the start; more are admitted when those wait.
  unsigned residentClusters = 2;
  bool checkRaces = true;
  bool checkUninitialised = true;
  /// The launch may begin before the one ahead of it has ended (programmatic
  /// stream serialization): global memory is touched after griddepcontrol.wait.
  bool programmatic = false;
  /// Of the launches ahead: what a programmatic launch may read before it waits
  /// is none of it. The run leaves what the next launch has to know. Without
  /// it, all global memory counts as written.
  Unended *unended = nullptr;
  /// Registers per thread at launch (ptxas -v), to check setmaxnreg; 0:
  /// unknown.
  unsigned launchRegisters = 0;
};

/// Counters of a launch.
struct Stats {
  uint64_t warpInstructions = 0;
  uint64_t threadInstructions = 0;
  std::map<std::string, uint64_t> byOpcode; ///< Warp instructions.
  std::map<std::string, uint64_t> byPipe;
  /// Through the generic proxy: ld, ldmatrix; st, stmatrix, cp.async.
  uint64_t sharedLoadBytes = 0, sharedStoreBytes = 0;
  /// Through the async proxy: operands of wgmma (each once a warpgroup) and
  /// sources of bulk stores; destinations of bulk loads.
  uint64_t sharedAsyncReadBytes = 0, sharedAsyncWriteBytes = 0;
  /// Shared-memory passes needed, and passes had every access been free of
  /// bank conflicts.
  uint64_t sharedWavefronts = 0, sharedIdealWavefronts = 0;
  uint64_t globalLoadBytes = 0, globalStoreBytes = 0;
  /// 32-byte sectors touched by warp-wide global accesses.
  uint64_t globalLoadSectors = 0, globalStoreSectors = 0;
  uint64_t bulkLoadBytes = 0, bulkStoreBytes = 0, asyncCopyBytes = 0;
  uint64_t bulkCopies = 0;
  uint64_t atomics = 0;
  uint64_t mma = 0, mmaMacs = 0;
  uint64_t wgmma = 0, wgmmaMacs = 0; ///< One wgmma is one warpgroup's.
  uint64_t ctas = 0;
  double seconds = 0;

  std::string report() const; ///< For people.
  std::string json() const;
};

struct Result {
  std::vector<Diagnostic> diagnostics;
  Stats statistics;
  bool ok() const;          ///< No finding of severity error.
  std::string text() const; ///< Findings, for people.
  std::string json() const; ///< Findings, as a list of objects.
};

struct KernelInfo {
  std::string name;
  struct Param {
    std::string name;
    uint32_t size, align, offset;
  };
  std::vector<Param> params;
  uint32_t staticShared = 0;
  Dim3 requiredBlock{0, 0, 0}, maxBlock{0, 0, 0}, requiredCluster{0, 0, 0};
  size_t instructions = 0;
};

struct ModuleImpl;

/// A parsed PTX module: immutable, and safe to run from several threads.
class Module {
public:
  ~Module();
  /// Returns null and fills \p errors when the text is not understood.
  static std::unique_ptr<Module> parse(std::string_view text,
                                       std::string_view name,
                                       std::vector<Diagnostic> &errors);
  const std::vector<KernelInfo> &kernels() const;
  const ModuleImpl &impl() const { return *parsed; }

private:
  Module();
  std::unique_ptr<ModuleImpl> parsed;
};

/// Everything about one launch. Buffers alias the caller's memory, which must
/// outlive the run; simulated addresses are not host addresses, and every
/// buffer has unmapped guard bands around it.
class Launch {
public:
  Dim3 grid, block, cluster;
  uint32_t dynamicShared = 0;

  /// Returns the number of the buffer, counted from 0. \p address is for
  /// callers that hand out addresses themselves, and keep their buffers apart;
  /// 0 lets the launch choose one.
  unsigned addBuffer(void *data, size_t size, BufferFlags flags,
                     std::string name = "", uint64_t address = 0);
  /// Simulated address of a buffer's first byte (a multiple of 64 KiB if the
  /// launch chose it).
  uint64_t address(unsigned buffer) const;

  void argBuffer(unsigned buffer, uint64_t offset = 0);
  void argI32(uint32_t value);
  void argI64(uint64_t value);
  void argF32(float value);
  void argBytes(const void *data, size_t size);
  void argTensorMap(const TensorMap &map);

  /// After a run: bytes of a buffer that hold a value. Buffers added as
  /// initialised count in full.
  uint64_t initialisedBytes(unsigned buffer) const;

  struct BufferInfo {
    uint8_t *data;
    size_t size;
    BufferFlags flags;
    std::string name;
    uint64_t address;
    /// One bit per byte; empty when the buffer began initialised.
    std::vector<uint8_t> initialised;
  };
  std::vector<BufferInfo> buffers;
  std::vector<std::vector<uint8_t>> args;
};

/// Whether all launches in the process stop, now and later, each with a
/// finding: for a process that ends.
void stopLaunches(bool stop);

/// Runs one kernel to its end (or to the limit on diagnostics).
Result run(const Module &m, std::string_view entry, Launch &l,
           const Options &opts);

} // namespace mxfp4::sim

#endif // MXFP4_SIM_SIM_H
