//===- Report.cpp - Findings and cost reports -----------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Exec.h"

#include <algorithm>
#include <cstdio>

using namespace mxfp4::sim;

//===----------------------------------------------------------------------===//
// Findings
//===----------------------------------------------------------------------===//

bool ExecContext::known(const char *check, uint32_t other) {
  std::lock_guard<std::mutex> guard(g.reportLock);
  auto it = g.seen.find({pc, other, check});
  if (it == g.seen.end())
    return false;
  ++g.found[it->second].count;
  return true;
}

void ExecContext::report(const char *check, const std::string &message,
                         unsigned lane, uint64_t address, uint32_t other,
                         Diagnostic::Severity level) {
  std::lock_guard<std::mutex> guard(g.reportLock);
  if (!g.seen.insert({{pc, other, check}, g.found.size()}).second)
    return;
  Diagnostic d;
  d.level = level;
  d.check = check;
  d.message = message;
  d.file = g.m->name;
  d.line = k.code[pc].line;
  d.instruction = std::string(k.code[pc].text);
  d.hasThread = true;
  d.block = c.id;
  d.thread = threadOf(lane);
  d.hasAddress = address != ~uint64_t(0);
  d.address = address;
  g.found.push_back(std::move(d));
  if (g.found.size() >= g.opts.maxDiagnostics)
    g.stop = true;
}

void ExecContext::busyWrite(const Operand &o) {
  const RegState &r = w.states[o.slot];
  if (known("wgmma-register"))
    return;
  const std::string &name = k.slotNames[o.slot];
  report("wgmma-register",
         r.busy & RegState::Accumulator
             ? "accumulator " + name +
                   " of a wgmma in flight is touched: wgmma.wait_group must "
                   "come first"
             : "register " + name +
                   ", the A operand of a wgmma in flight, is overwritten: "
                   "wgmma.wait_group must come first",
         firstLane());
}

void ExecContext::requireAligned(const Inst &i) {
  uint32_t active = mask;
  bool whole = i.flags & Inst::WholeWarp;
  if (active == w.live && (!whole || w.live == ~0u))
    return;
  if (known("aligned"))
    return;
  report("aligned",
         "all threads of the warp must execute this .aligned instruction "
         "together; active: " +
             hex(active) + ", of " + hex(whole ? ~0u : w.live),
         firstLane());
}

std::string mxfp4::sim::describeInst(const Kernel &k, uint32_t index) {
  if (index >= k.code.size())
    return "an unknown line";
  std::string text(k.code[index].text.substr(0, 60));
  std::replace(text.begin(), text.end(), '\n', ' ');
  return "line " + std::to_string(k.code[index].line) + " (" + text + ")";
}

std::string mxfp4::sim::describeAgent(const ExecContext &x, AgentLane who) {
  uint32_t thread = agentOf(who) * 32 + laneOf(who);
  std::string text = "thread " + std::to_string(thread);
  if (ctaOf(who) != x.c.linear)
    text += " of block number " + std::to_string(ctaOf(who));
  return text;
}

std::string Diagnostic::str() const {
  std::string text = file + ":" + std::to_string(line) + ": " +
                     (level == Severity::Error ? "error: " : "warning: ") +
                     message + " [" + check + "]";
  if (!instruction.empty()) {
    std::string inst = instruction.substr(0, 160);
    std::replace(inst.begin(), inst.end(), '\n', ' ');
    text += "\n    " + inst + (instruction.size() > 160 ? " ..." : "");
  }
  if (hasThread) {
    text += "\n  note: thread " + std::to_string(thread) + " of block (" +
            std::to_string(block.x) + "," + std::to_string(block.y) + "," +
            std::to_string(block.z) + ")";
    if (hasAddress)
      text += ", address " + hex(address);
    if (count > 1)
      text += "; seen " + std::to_string(count) + " times";
  }
  return text + "\n";
}

bool Result::ok() const {
  return std::none_of(diagnostics.begin(), diagnostics.end(),
                      [](const Diagnostic &d) {
                        return d.level == Diagnostic::Severity::Error;
                      });
}

std::string Result::text() const {
  std::string text;
  for (const Diagnostic &d : diagnostics)
    text += d.str();
  return text;
}

static std::string quoted(const std::string &s) {
  std::string q = "\"";
  for (char c : s) {
    if (c == '"' || c == '\\')
      q += '\\';
    q += c == '\n' ? "\\n" : std::string(1, (unsigned char)c < 32 ? ' ' : c);
  }
  return q + "\"";
}

std::string Result::json() const {
  std::string text = "[";
  for (const Diagnostic &d : diagnostics) {
    text += text.size() > 1 ? ", {" : "{";
    text += "\"severity\": ";
    text +=
        d.level == Diagnostic::Severity::Error ? "\"error\"" : "\"warning\"";
    text += ", \"check\": " + quoted(d.check) +
            ", \"message\": " + quoted(d.message) +
            ", \"line\": " + std::to_string(d.line) +
            ", \"instruction\": " + quoted(d.instruction) +
            ", \"count\": " + std::to_string(d.count);
    if (d.hasThread)
      text += ", \"block\": [" + std::to_string(d.block.x) + ", " +
              std::to_string(d.block.y) + ", " + std::to_string(d.block.z) +
              "], \"thread\": " + std::to_string(d.thread);
    if (d.hasAddress)
      text += ", \"address\": " + std::to_string(d.address);
    text += "}";
  }
  return text + "]";
}

//===----------------------------------------------------------------------===//
// Costs
//===----------------------------------------------------------------------===//

namespace {
struct Row {
  const char *key, *label;
  uint64_t Stats::*field;
};
constexpr Row kRows[] = {
    {"ctas", "thread blocks", &Stats::ctas},
    {"warp_instructions", "warp instructions", &Stats::warpInstructions},
    {"thread_instructions", "thread instructions", &Stats::threadInstructions},
    {"wgmma", "wgmma", &Stats::wgmma},
    {"wgmma_macs", "multiply-adds in wgmma", &Stats::wgmmaMacs},
    {"mma", "mma.sync", &Stats::mma},
    {"mma_macs", "multiply-adds in mma.sync", &Stats::mmaMacs},
    {"global_load_bytes", "bytes loaded from global memory",
     &Stats::globalLoadBytes},
    {"global_load_sectors", "  in 32-byte sectors", &Stats::globalLoadSectors},
    {"global_store_bytes", "bytes stored to global memory",
     &Stats::globalStoreBytes},
    {"global_store_sectors", "  in 32-byte sectors",
     &Stats::globalStoreSectors},
    {"bulk_copies", "bulk copies", &Stats::bulkCopies},
    {"bulk_load_bytes", "  bytes in", &Stats::bulkLoadBytes},
    {"bulk_store_bytes", "  bytes out", &Stats::bulkStoreBytes},
    {"async_copy_bytes", "bytes copied by cp.async", &Stats::asyncCopyBytes},
    {"shared_load_bytes", "bytes read from shared memory, generic proxy",
     &Stats::sharedLoadBytes},
    {"shared_store_bytes", "bytes written to shared memory, generic proxy",
     &Stats::sharedStoreBytes},
    {"shared_async_read_bytes", "bytes read from shared memory, async proxy",
     &Stats::sharedAsyncReadBytes},
    {"shared_async_write_bytes", "bytes written to shared memory, async proxy",
     &Stats::sharedAsyncWriteBytes},
    {"shared_wavefronts", "  passes of loads and stores",
     &Stats::sharedWavefronts},
    {"shared_ideal_wavefronts", "  passes without bank conflicts",
     &Stats::sharedIdealWavefronts},
    {"atomics", "atomic operations (threads)", &Stats::atomics}};

std::string line(uint64_t value, const std::string &label) {
  char text[160];
  std::snprintf(text, sizeof(text), "%16llu  %.120s\n",
                (unsigned long long)value, label.c_str());
  return text;
}

std::string object(const std::map<std::string, uint64_t> &m) {
  std::string text = "{";
  for (auto &[Name, N] : m)
    text +=
        (text.size() > 1 ? ", " : "") + quoted(Name) + ": " + std::to_string(N);
  return text + "}";
}
} // namespace

std::string Stats::report() const {
  std::string text = "Cost of the launch\n";
  for (const Row &r : kRows)
    if (this->*r.field)
      text += line(this->*r.field, r.label);
  text += "Warp instructions by pipe\n";
  for (auto &[Name, N] : byPipe)
    text += line(N, Name);
  text += "Warp instructions by opcode\n";
  std::vector<std::pair<uint64_t, std::string>> sorted;
  sorted.reserve(byOpcode.size());
  for (auto &[Name, N] : byOpcode)
    sorted.push_back({N, Name});
  std::sort(sorted.begin(), sorted.end(), [](const auto &a, const auto &b) {
    return a.first != b.first ? a.first > b.first : a.second < b.second;
  });
  for (auto &[N, Name] : sorted)
    text += line(N, Name);
  char tail[64];
  std::snprintf(tail, sizeof(tail), "Simulated in %.3f s\n", seconds);
  return text + tail;
}

std::string Stats::json() const {
  std::string text = "{";
  for (const Row &r : kRows)
    text += quoted(r.key) + ": " + std::to_string(this->*r.field) + ", ";
  char tail[64];
  std::snprintf(tail, sizeof(tail), ", \"seconds\": %.6f}", seconds);
  return text + "\"by_pipe\": " + object(byPipe) +
         ", \"by_opcode\": " + object(byOpcode) + tail;
}
