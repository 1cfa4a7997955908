//===- mxfp4-sim.cpp - Run a PTX kernel on the CPU ------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Arguments.h"
#include "Problem.h"
#include "Progress.h"
#include "Tool.h"
#include "mxfp4/Sim/Sim.h"

#include <cstdio>
#include <cstdlib>
#include <new>
#include <stdexcept>

using namespace mxfp4::sim;

static const char *Help = R"(usage: mxfp4-sim KERNEL.ptx [options]

Executes a kernel of sm_90a PTX on the CPU and reports wrong accesses, data
races, misuse of barriers and of asynchronous operations. Exits with 0 when
there is nothing to report, 1 when there is, 2 when the command is wrong.

Launch:
  --entry NAME        kernel to run (default: the only one)
  --grid X[,Y[,Z]]    blocks (default 1)
  --block X[,Y[,Z]]   threads of a block (default: .reqntid, or 32)
  --cluster X[,Y[,Z]] blocks of a cluster (default 1, or .reqnctapercluster)
  --shared BYTES      dynamic shared memory (default 0)

Arguments, one --arg for each parameter in order:
  buf:FILE            buffer with the contents of a file
  buf:zeros:N         buffer of N zero bytes
  buf:poison:N        buffer of N bytes without a value: reading them before
                      they are written is reported
  buf:iota:N          buffer of N bytes: 32-bit words 0, 1, 2, ...
  ro:...              as buf:, but writes are reported
  i32:V i64:V f32:V   scalars
  bytes:FILE          a parameter's bytes
  map:ARG:TYPE:DIMS:BOX[:SWIZZLE[:STRIDES]]
                      tensor map over the buffer of argument ARG (counted from
                      0, which may come later); TYPE is b8, b16, b32 or b64,
                      DIMS and BOX are lists such as 64x128 (innermost first),
                      SWIZZLE is 0, 32, 64 or 128, STRIDES are bytes of the
                      outer dimensions (default: dense)
  mapat:...           the same in global memory; the argument is its address
  extra:...           a buffer as above that is no parameter (for maps)

A kernel of ours, instead of launch and arguments:
  --problem WORDS     launch as the manifest beside the kernel says, and compare
                      with the definition of the operation. WORDS are key=value:
                      rows=N (default 64); routing=random, even, first or last,
                      or offsets=LIST and ids=LIST (numbers with commas, or a
                      file of i32); data=exact (results must agree bit for bit)
                      or data=random (within the bound for f32 sums); x=FILE
                      (bf16 [rows, k]); weights=FILE (packed);
                      multiprocessors=N, which set the grid (default 2)
  --manifest FILE     another manifest

Results:
  --dump ARG:FILE     write the buffer of argument ARG after the launch
  --print ARG:TYPE:N  print the first N elements (u32, i32, f32, bf16, u8)
  --report            print what the launch cost
  --json              print the same as JSON

Checks and scheduling:
  --seed S            seed of scheduling and delays (default 1)
  --seeds N           run N times, with seeds S to S + N - 1
  --threads N         host threads; more than one is not deterministic
  --max-instructions N, --max-diagnostics N, --registers N
  --programmatic      the launch may begin before the one ahead of it has ended
                      (always so with --problem)
  --no-races, --no-uninitialised
)";

namespace {

/// Of PTX and of a manifest.
constexpr size_t MaxText = size_t(128) << 20;

/// "X,Y,Z"; what a launch can have of each, the interpreter says.
Dim3 dims(const std::string &S, const std::string &Option) {
  std::vector<std::string> P = split(S, ',');
  if (P.empty() || P.size() > 3 || S.back() == ',')
    die(Option + ": expected X[,Y[,Z]], found '" + S + "'");
  auto Get = [&](size_t J) {
    return J < P.size() ? uint32_t(number(P[J], 1, UINT32_MAX, Option)) : 1;
  };
  return {Get(0), Get(1), Get(2)};
}

struct Command {
  std::string File, Entry, Manifest, Problem;
  Launch L;
  bool HasBlock = false;
  Options Opts;
  unsigned Seeds = 1;
  std::vector<std::string> Args, Dumps, Prints;
  bool Report = false, Json = false;
};

Command parseCommand(int Argc, char **Argv) {
  Command C;
  for (int N = 1; N < Argc; ++N) {
    std::string A = Argv[N];
    auto Value = [&]() -> std::string {
      if (N + 1 >= Argc)
        die(A + " needs a value; see --help");
      return Argv[++N];
    };
    auto Number = [&](uint64_t Least, uint64_t Most) {
      return number(Value(), Least, Most, A);
    };
    auto Count = [&] { return unsigned(Number(1, UINT32_MAX)); };
    if (A == "--help" || A == "-h") {
      std::fputs(Help, stdout);
      std::exit(0);
    } else if (A == "--entry")
      C.Entry = Value();
    else if (A == "--grid")
      C.L.Grid = dims(Value(), A);
    else if (A == "--block") {
      C.L.Block = dims(Value(), A);
      C.HasBlock = true;
    } else if (A == "--cluster")
      C.L.Cluster = dims(Value(), A);
    else if (A == "--shared")
      C.L.DynamicShared = uint32_t(Number(0, UINT32_MAX));
    else if (A == "--problem")
      C.Problem = Value() + " ";
    else if (A == "--manifest")
      C.Manifest = Value();
    else if (A == "--arg")
      C.Args.push_back(Value());
    else if (A == "--dump")
      C.Dumps.push_back(Value());
    else if (A == "--print")
      C.Prints.push_back(Value());
    else if (A == "--report")
      C.Report = true;
    else if (A == "--json")
      C.Json = true;
    else if (A == "--seed")
      C.Opts.Seed = Number(0, UINT64_MAX);
    else if (A == "--seeds")
      C.Seeds = Count();
    else if (A == "--threads")
      C.Opts.HostThreads = Count();
    else if (A == "--max-instructions")
      C.Opts.MaxInstructions = Number(1, UINT64_MAX);
    else if (A == "--max-diagnostics")
      C.Opts.MaxDiagnostics = Count();
    else if (A == "--registers")
      C.Opts.LaunchRegisters = unsigned(Number(0, 256));
    else if (A == "--programmatic")
      C.Opts.Programmatic = true;
    else if (A == "--no-races")
      C.Opts.CheckRaces = false;
    else if (A == "--no-uninitialised")
      C.Opts.CheckUninitialised = false;
    else if (A.size() > 1 && A[0] == '-')
      die("unknown option " + A + "; see --help");
    else if (C.File.empty())
      C.File = A;
    else
      die("one input file only, found " + C.File + " and " + A);
  }
  if (C.File.empty())
    die("expected a PTX file; see --help");
  if (C.Problem.empty() != C.Manifest.empty() && C.Problem.empty())
    die("--manifest needs --problem");
  if (!C.Problem.empty() && !(C.Args.empty() && C.Dumps.empty() &&
                              C.Prints.empty() && C.Entry.empty()))
    die("--problem takes launch and arguments from the manifest; leave out "
        "--arg, --entry, --dump and --print");
  return C;
}

void printCosts(const Command &C, const Result &R) {
  if (C.Report)
    std::fputs(R.Statistics.report().c_str(), stdout);
  if (C.Json)
    std::printf("%s\n", R.Statistics.json().c_str());
}

/// The runs with seeds S, S + 1, ... until one finds something.
bool runSeeds(const Command &C, const Module &M, const std::string &Entry) {
  for (unsigned S = 0; S < C.Seeds; ++S) {
    Launch L = C.L;
    std::vector<BufferSpec> Specs;
    std::vector<int> BufferOf;
    addArguments(C.Args, L, Specs, BufferOf);
    Options O = C.Opts;
    O.Seed += S;
    const Result R = [&] {
      Progress Watch("running " + Entry);
      return run(M, Entry, L, O);
    }();
    std::fputs(R.text().c_str(), stdout);
    if (S + 1 < C.Seeds && R.ok())
      continue;
    for (const std::string &D : C.Dumps)
      dump(D, Specs);
    for (const std::string &P : C.Prints)
      print(P, Specs);
    printCosts(C, R);
    return R.ok();
  }
  return true;
}

/// The same for a problem, whose data differs from seed to seed.
bool runProblem(const Command &C, const Module &M) {
  size_t Slash = C.File.rfind('/');
  std::string Beside =
      (Slash == std::string::npos ? "" : C.File.substr(0, Slash + 1)) +
      "manifest.json";
  std::string Manifest =
      readFile(C.Manifest.empty() ? Beside : C.Manifest, MaxText);
  for (unsigned S = 0; S < C.Seeds; ++S) {
    Problem P(Manifest, C.Problem);
    Options O = C.Opts;
    O.Seed += S;
    if (!O.LaunchRegisters)
      O.LaunchRegisters = P.registers();
    O.Programmatic = true; // As the launcher of Python does.
    Launch L = [&] {
      Progress Watch("making activations and weights");
      return P.launch(O.Seed);
    }();
    if (S == 0)
      std::fprintf(stderr, "mxfp4-sim: %s\n", P.describe(L).c_str());
    const Result R = [&] {
      Progress Watch("running the kernel: results stored",
                     [&] { return P.stored(L); });
      return run(M, P.entry(), L, O);
    }();
    std::fputs(R.text().c_str(), stdout);
    auto [Said, Right] = [&] {
      Progress Watch("comparing with the definition of the operation");
      return P.check(L);
    }();
    bool Good = R.ok() && Right;
    if (S + 1 < C.Seeds && Good)
      continue;
    std::fputs(Said.c_str(), stdout);
    printCosts(C, R);
    return Good;
  }
  return true;
}

} // namespace

static std::string names(const Module &M) {
  std::string Text;
  for (const KernelInfo &K : M.kernels())
    Text += " " + K.Name;
  return Text;
}

static int runTool(int Argc, char **Argv) {
  Command C = parseCommand(Argc, Argv);
  std::vector<Diagnostic> Errors;
  std::unique_ptr<Module> M =
      Module::parse(readFile(C.File, MaxText), C.File, Errors);
  for (const Diagnostic &D : Errors)
    std::fputs(D.str().c_str(), stdout);
  if (!M)
    return 1;
  if (!C.Problem.empty())
    return runProblem(C, *M) ? 0 : 1;
  const KernelInfo *K = &M->kernels()[0];
  if (C.Entry.empty() && M->kernels().size() > 1)
    die("the module has several kernels; choose one with --entry:" + names(*M));
  for (const KernelInfo &Candidate : M->kernels())
    if (Candidate.Name == C.Entry)
      K = &Candidate;
  if (!C.HasBlock) {
    C.L.Block = {32};
    if (K->RequiredBlock.X)
      C.L.Block = K->RequiredBlock;
  }
  return runSeeds(C, *M, C.Entry.empty() ? K->Name : C.Entry) ? 0 : 1;
}

int main(int Argc, char **Argv) {
  try {
    return runTool(Argc, Argv);
  } catch (const std::bad_alloc &) {
    die("this takes more memory than there is");
  } catch (const std::length_error &) {
    die("this takes more memory than there is");
  }
}
