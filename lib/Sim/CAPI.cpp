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
  std::unique_ptr<sim::Module> m;
  std::string errors, json;
};

struct Mxfp4SimStream {
  sim::Unended unended;
};

struct Mxfp4SimLaunch {
  const Mxfp4SimModule *m;
  std::string kernel;
  sim::Launch l;
  sim::Options opts;
  std::string diagnostics, diagnosticsJson, stats, report, message;
};

int mxfp4SimApiVersion(void) { return MXFP4_SIM_API_VERSION; }

Mxfp4SimModule *mxfp4SimParse(const char *text, size_t size, const char *name) {
  auto *m = new Mxfp4SimModule;
  std::vector<sim::Diagnostic> errors;
  m->m = sim::Module::parse({text ? text : "", text ? size : 0},
                            name ? name : "input", errors);
  for (const sim::Diagnostic &d : errors)
    m->errors += d.str();
  return m;
}
void mxfp4SimModuleDestroy(Mxfp4SimModule *m) { delete m; }
int mxfp4SimModuleOk(const Mxfp4SimModule *m) { return m->m != nullptr; }
const char *mxfp4SimModuleErrors(const Mxfp4SimModule *m) {
  return m->errors.c_str();
}
int mxfp4SimModuleNumKernels(const Mxfp4SimModule *m) {
  return m->m ? int(m->m->kernels().size()) : 0;
}

static const sim::KernelInfo *kernelAt(const Mxfp4SimModule *m, int index) {
  if (index < 0 || index >= mxfp4SimModuleNumKernels(m))
    return nullptr;
  return &m->m->kernels()[size_t(index)];
}
const char *mxfp4SimModuleKernel(const Mxfp4SimModule *m, int index) {
  const sim::KernelInfo *k = kernelAt(m, index);
  return k ? k->name.c_str() : nullptr;
}
const char *mxfp4SimModuleParamsJson(Mxfp4SimModule *m, int index) {
  const sim::KernelInfo *k = kernelAt(m, index);
  if (!k)
    return nullptr;
  m->json = "[";
  for (const sim::KernelInfo::Param &p : k->params) {
    if (m->json.size() > 1)
      m->json += ", ";
    m->json += "{\"name\": \"" + p.name +
               "\", \"size\": " + std::to_string(p.size) +
               ", \"align\": " + std::to_string(p.align) +
               ", \"offset\": " + std::to_string(p.offset) + "}";
  }
  m->json += "]";
  return m->json.c_str();
}

Mxfp4SimLaunch *mxfp4SimLaunchCreate(const Mxfp4SimModule *m,
                                     const char *kernel) {
  auto *l = new Mxfp4SimLaunch;
  l->m = m;
  l->kernel = kernel ? kernel : "";
  return l;
}
void mxfp4SimLaunchDestroy(Mxfp4SimLaunch *l) { delete l; }
void mxfp4SimLaunchGrid(Mxfp4SimLaunch *l, uint32_t x, uint32_t y, uint32_t z) {
  l->l.grid = {x, y, z};
}
void mxfp4SimLaunchBlock(Mxfp4SimLaunch *l, uint32_t x, uint32_t y,
                         uint32_t z) {
  l->l.block = {x, y, z};
}
void mxfp4SimLaunchCluster(Mxfp4SimLaunch *l, uint32_t x, uint32_t y,
                           uint32_t z) {
  l->l.cluster = {x, y, z};
}
void mxfp4SimLaunchShared(Mxfp4SimLaunch *l, uint32_t bytes) {
  l->l.dynamicShared = bytes;
}

int mxfp4SimOption(Mxfp4SimLaunch *l, const char *name, uint64_t value) {
  std::string_view n = name ? name : "";
  sim::Options &o = l->opts;
  const unsigned count = unsigned(std::min<uint64_t>(value, UINT32_MAX));
  if (n == "seed")
    o.seed = value;
  else if (n == "host_threads")
    o.hostThreads = count;
  else if (n == "max_instructions")
    o.maxInstructions = value;
  else if (n == "max_diagnostics")
    o.maxDiagnostics = count;
  else if (n == "resident_clusters")
    o.residentClusters = count;
  else if (n == "check_races")
    o.checkRaces = value != 0;
  else if (n == "check_uninitialised")
    o.checkUninitialised = value != 0;
  else if (n == "programmatic")
    o.programmatic = value != 0;
  else if (n == "launch_registers")
    o.launchRegisters = count;
  else
    return -1;
  return 0;
}

Mxfp4SimStream *mxfp4SimStreamCreate(void) { return new Mxfp4SimStream; }
void mxfp4SimStreamDestroy(Mxfp4SimStream *s) { delete s; }
void mxfp4SimStreamForget(Mxfp4SimStream *s, uint64_t address, size_t size) {
  s->unended.forget(address, size);
}
void mxfp4SimLaunchStream(Mxfp4SimLaunch *l, Mxfp4SimStream *s) {
  l->opts.unended = s ? &s->unended : nullptr;
}

int mxfp4SimAddBuffer(Mxfp4SimLaunch *l, void *data, size_t size,
                      int initialised, int writable, const char *name) {
  return int(l->l.addBuffer(data, size, {initialised != 0, writable != 0},
                            name ? name : ""));
}
int mxfp4SimAddBufferAt(Mxfp4SimLaunch *l, void *data, size_t size,
                        int initialised, int writable, const char *name,
                        uint64_t address) {
  return int(l->l.addBuffer(data, size, {initialised != 0, writable != 0},
                            name ? name : "", address));
}
uint64_t mxfp4SimBufferAddress(const Mxfp4SimLaunch *l, int buffer) {
  return l->l.address(unsigned(buffer));
}
uint64_t mxfp4SimInitialisedBytes(const Mxfp4SimLaunch *l, int buffer) {
  return l->l.initialisedBytes(unsigned(buffer));
}
uint8_t *mxfp4SimInitialisedBits(Mxfp4SimLaunch *l, int buffer) {
  if (buffer < 0 || size_t(buffer) >= l->l.buffers.size())
    return nullptr;
  std::vector<uint8_t> &bits = l->l.buffers[size_t(buffer)].initialised;
  return bits.empty() ? nullptr : bits.data();
}

void mxfp4SimArgBuffer(Mxfp4SimLaunch *l, int buffer, uint64_t offset) {
  l->l.argBuffer(unsigned(buffer), offset);
}
void mxfp4SimArgI32(Mxfp4SimLaunch *l, uint32_t value) { l->l.argI32(value); }
void mxfp4SimArgI64(Mxfp4SimLaunch *l, uint64_t value) { l->l.argI64(value); }
void mxfp4SimArgF32(Mxfp4SimLaunch *l, float value) { l->l.argF32(value); }
void mxfp4SimArgBytes(Mxfp4SimLaunch *l, const void *data, size_t size) {
  l->l.argBytes(data, size);
}

const char *mxfp4SimEncodeTensorMap(Mxfp4SimLaunch *l,
                                    const Mxfp4SimTensorMap *map,
                                    uint8_t *out128) {
  sim::TensorMap t;
  t.base = map->base;
  t.rank = map->rank;
  t.elementBytes = map->elementBytes;
  std::copy(map->dims, map->dims + 5, t.dims.begin());
  std::copy(map->strides, map->strides + 4, t.strides.begin());
  std::copy(map->box, map->box + 5, t.box.begin());
  std::copy(map->elementStrides, map->elementStrides + 5,
            t.elementStrides.begin());
  t.swizzling = sim::TensorMap::Swizzle(map->swizzle & 3);
  t.fillNaN = map->fillNaN != 0;
  // Unused dimensions need not be filled in.
  for (unsigned d = t.rank; d < 5; ++d) {
    t.dims[d] = t.box[d] = t.elementStrides[d] = 1;
    t.strides[d - 1] = 0;
  }
  l->message = t.verify();
  if (!l->message.empty())
    return l->message.c_str();
  std::array<uint8_t, 128> bytes = t.encode();
  std::copy(bytes.begin(), bytes.end(), out128);
  return nullptr;
}

int mxfp4SimRun(Mxfp4SimLaunch *l) {
  if (!l->m || !l->m->m) {
    l->diagnostics = "error: the module has errors\n";
    l->diagnosticsJson = "[]";
    return 1;
  }
  sim::Result r = sim::run(*l->m->m, l->kernel, l->l, l->opts);
  l->diagnostics = r.text();
  l->diagnosticsJson = r.json();
  l->stats = r.statistics.json();
  l->report = r.statistics.report();
  int errors = 0;
  for (const sim::Diagnostic &d : r.diagnostics)
    errors += d.level == sim::Diagnostic::Severity::Error;
  return errors;
}
void mxfp4SimStop(int stop) { sim::stopLaunches(stop != 0); }
const char *mxfp4SimDiagnostics(const Mxfp4SimLaunch *l) {
  return l->diagnostics.c_str();
}
const char *mxfp4SimDiagnosticsJson(const Mxfp4SimLaunch *l) {
  return l->diagnosticsJson.c_str();
}
const char *mxfp4SimStatsJson(const Mxfp4SimLaunch *l) {
  return l->stats.c_str();
}
const char *mxfp4SimReport(const Mxfp4SimLaunch *l) {
  return l->report.c_str();
}
