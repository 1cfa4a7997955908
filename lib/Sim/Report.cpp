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

bool ExecContext::known(const char *Check, uint32_t Other) {
  std::lock_guard<std::mutex> Guard(G.ReportLock);
  auto It = G.Seen.find({Check, PC, Other});
  if (It == G.Seen.end())
    return false;
  ++G.Found[It->second].Count;
  return true;
}

void ExecContext::report(const char *Check, const std::string &Message,
                         unsigned Lane, uint64_t Address, uint32_t Other,
                         Diagnostic::Severity Level) {
  std::lock_guard<std::mutex> Guard(G.ReportLock);
  if (!G.Seen.insert({{Check, PC, Other}, G.Found.size()}).second)
    return;
  Diagnostic D;
  D.Level = Level;
  D.Check = Check;
  D.Message = Message;
  D.File = G.M->Name;
  D.Line = K.Code[PC].Line;
  D.Instruction = std::string(K.Code[PC].Text);
  D.HasThread = true;
  D.Block = C.Id;
  D.Thread = threadOf(Lane);
  D.HasAddress = Address != ~uint64_t(0);
  D.Address = Address;
  G.Found.push_back(std::move(D));
  if (G.Found.size() >= G.Opts.MaxDiagnostics)
    G.Stop = true;
}

void ExecContext::busyWrite(const Operand &O) {
  const RegState &R = W.States[O.Slot];
  if (known("wgmma-register"))
    return;
  const std::string &Name = K.SlotNames[O.Slot];
  report("wgmma-register",
         R.Busy & RegState::Accumulator
             ? "accumulator " + Name +
                   " of a wgmma in flight is touched: wgmma.wait_group must "
                   "come first"
             : "register " + Name +
                   ", the A operand of a wgmma in flight, is overwritten: "
                   "wgmma.wait_group must come first",
         firstLane());
}

void ExecContext::requireAligned(const Inst &I) {
  uint32_t Active = Mask;
  bool Whole = I.Flags & Inst::WholeWarp;
  if (Active == W.Live && (!Whole || W.Live == ~0u))
    return;
  if (known("aligned"))
    return;
  report("aligned",
         "all threads of the warp must execute this .aligned instruction "
         "together; active: " +
             hex(Active) + ", of " + hex(Whole ? ~0u : W.Live),
         firstLane());
}

std::string mxfp4::sim::describeInst(const Kernel &K, uint32_t Index) {
  if (Index >= K.Code.size())
    return "an unknown line";
  std::string Text(K.Code[Index].Text.substr(0, 60));
  std::replace(Text.begin(), Text.end(), '\n', ' ');
  return "line " + std::to_string(K.Code[Index].Line) + " (" + Text + ")";
}

std::string mxfp4::sim::describeAgent(const ExecContext &X, AgentLane Who) {
  uint32_t Thread = agentOf(Who) * 32 + laneOf(Who);
  std::string Text = "thread " + std::to_string(Thread);
  if (ctaOf(Who) != X.C.Linear)
    Text += " of block number " + std::to_string(ctaOf(Who));
  return Text;
}

std::string Diagnostic::str() const {
  std::string Text = File + ":" + std::to_string(Line) + ": " +
                     (Level == Severity::Error ? "error: " : "warning: ") +
                     Message + " [" + Check + "]";
  if (!Instruction.empty()) {
    std::string Inst = Instruction.substr(0, 160);
    std::replace(Inst.begin(), Inst.end(), '\n', ' ');
    Text += "\n    " + Inst + (Instruction.size() > 160 ? " ..." : "");
  }
  if (HasThread) {
    Text += "\n  note: thread " + std::to_string(Thread) + " of block (" +
            std::to_string(Block.X) + "," + std::to_string(Block.Y) + "," +
            std::to_string(Block.Z) + ")";
    if (HasAddress)
      Text += ", address " + hex(Address);
    if (Count > 1)
      Text += "; seen " + std::to_string(Count) + " times";
  }
  return Text + "\n";
}

bool Result::ok() const {
  return std::none_of(Diagnostics.begin(), Diagnostics.end(),
                      [](const Diagnostic &D) {
                        return D.Level == Diagnostic::Severity::Error;
                      });
}

std::string Result::text() const {
  std::string Text;
  for (const Diagnostic &D : Diagnostics)
    Text += D.str();
  return Text;
}

static std::string quoted(const std::string &S) {
  std::string Q = "\"";
  for (char C : S) {
    if (C == '"' || C == '\\')
      Q += '\\';
    Q += C == '\n' ? "\\n" : std::string(1, (unsigned char)C < 32 ? ' ' : C);
  }
  return Q + "\"";
}

std::string Result::json() const {
  std::string Text = "[";
  for (const Diagnostic &D : Diagnostics) {
    Text += Text.size() > 1 ? ", {" : "{";
    Text += "\"severity\": ";
    Text +=
        D.Level == Diagnostic::Severity::Error ? "\"error\"" : "\"warning\"";
    Text += ", \"check\": " + quoted(D.Check) +
            ", \"message\": " + quoted(D.Message) +
            ", \"line\": " + std::to_string(D.Line) +
            ", \"instruction\": " + quoted(D.Instruction) +
            ", \"count\": " + std::to_string(D.Count);
    if (D.HasThread)
      Text += ", \"block\": [" + std::to_string(D.Block.X) + ", " +
              std::to_string(D.Block.Y) + ", " + std::to_string(D.Block.Z) +
              "], \"thread\": " + std::to_string(D.Thread);
    if (D.HasAddress)
      Text += ", \"address\": " + std::to_string(D.Address);
    Text += "}";
  }
  return Text + "]";
}

//===----------------------------------------------------------------------===//
// Costs
//===----------------------------------------------------------------------===//

namespace {
struct Row {
  const char *Key, *Label;
  uint64_t Stats::*Field;
};
constexpr Row Rows[] = {
    {"ctas", "thread blocks", &Stats::Ctas},
    {"warp_instructions", "warp instructions", &Stats::WarpInstructions},
    {"thread_instructions", "thread instructions", &Stats::ThreadInstructions},
    {"wgmma", "wgmma", &Stats::Wgmma},
    {"wgmma_macs", "multiply-adds in wgmma", &Stats::WgmmaMacs},
    {"mma", "mma.sync", &Stats::Mma},
    {"mma_macs", "multiply-adds in mma.sync", &Stats::MmaMacs},
    {"global_load_bytes", "bytes loaded from global memory",
     &Stats::GlobalLoadBytes},
    {"global_load_sectors", "  in 32-byte sectors", &Stats::GlobalLoadSectors},
    {"global_store_bytes", "bytes stored to global memory",
     &Stats::GlobalStoreBytes},
    {"global_store_sectors", "  in 32-byte sectors",
     &Stats::GlobalStoreSectors},
    {"bulk_copies", "bulk copies", &Stats::BulkCopies},
    {"bulk_load_bytes", "  bytes in", &Stats::BulkLoadBytes},
    {"bulk_store_bytes", "  bytes out", &Stats::BulkStoreBytes},
    {"async_copy_bytes", "bytes copied by cp.async", &Stats::AsyncCopyBytes},
    {"shared_load_bytes", "bytes read from shared memory, generic proxy",
     &Stats::SharedLoadBytes},
    {"shared_store_bytes", "bytes written to shared memory, generic proxy",
     &Stats::SharedStoreBytes},
    {"shared_async_read_bytes", "bytes read from shared memory, async proxy",
     &Stats::SharedAsyncReadBytes},
    {"shared_async_write_bytes", "bytes written to shared memory, async proxy",
     &Stats::SharedAsyncWriteBytes},
    {"shared_wavefronts", "  passes of loads and stores",
     &Stats::SharedWavefronts},
    {"shared_ideal_wavefronts", "  passes without bank conflicts",
     &Stats::SharedIdealWavefronts},
    {"atomics", "atomic operations (threads)", &Stats::Atomics}};

std::string line(uint64_t Value, const std::string &Label) {
  char Text[160];
  std::snprintf(Text, sizeof(Text), "%16llu  %.120s\n",
                (unsigned long long)Value, Label.c_str());
  return Text;
}

std::string object(const std::map<std::string, uint64_t> &M) {
  std::string Text = "{";
  for (auto &[Name, N] : M)
    Text +=
        (Text.size() > 1 ? ", " : "") + quoted(Name) + ": " + std::to_string(N);
  return Text + "}";
}
} // namespace

std::string Stats::report() const {
  std::string Text = "Cost of the launch\n";
  for (const Row &R : Rows)
    if (this->*R.Field)
      Text += line(this->*R.Field, R.Label);
  Text += "Warp instructions by pipe\n";
  for (auto &[Name, N] : ByPipe)
    Text += line(N, Name);
  Text += "Warp instructions by opcode\n";
  std::vector<std::pair<uint64_t, std::string>> Sorted;
  Sorted.reserve(ByOpcode.size());
  for (auto &[Name, N] : ByOpcode)
    Sorted.push_back({N, Name});
  std::sort(Sorted.begin(), Sorted.end(), [](const auto &A, const auto &B) {
    return A.first != B.first ? A.first > B.first : A.second < B.second;
  });
  for (auto &[N, Name] : Sorted)
    Text += line(N, Name);
  char Tail[64];
  std::snprintf(Tail, sizeof(Tail), "Simulated in %.3f s\n", Seconds);
  return Text + Tail;
}

std::string Stats::json() const {
  std::string Text = "{";
  for (const Row &R : Rows)
    Text += quoted(R.Key) + ": " + std::to_string(this->*R.Field) + ", ";
  char Tail[64];
  std::snprintf(Tail, sizeof(Tail), ", \"seconds\": %.6f}", Seconds);
  return Text + "\"by_pipe\": " + object(ByPipe) +
         ", \"by_opcode\": " + object(ByOpcode) + Tail;
}
