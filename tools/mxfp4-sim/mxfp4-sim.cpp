//===- mxfp4-sim.cpp - Run a PTX kernel on the CPU ------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Arguments.h"
#include "Problem.h"
#include "Progress.h"
#include "Tool.h"
#include "mxfp4/Pipeline/Output.h"
#include "mxfp4/Sim/Sim.h"

#include <cstdio>
#include <cstdlib>
#include <new>
#include <stdexcept>

using namespace mxfp4::sim;

static const char *help = R"(usage: mxfp4-sim KERNEL.ptx [options]

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
  --problem WORDS     launch as manifest.json in the kernel's folder says, and
                      compare with the definition; a matmul of bf16 without
                      epilogue, gather or scatter. WORDS are key=value:
                      rows=N (default 64); routing=random, even, first or last,
                      or offsets=LIST and ids=LIST (numbers with commas, or a
                      file of i32); data=exact (results must agree bit for bit;
                      the default without x and weights) or data=random (within
                      the bound for f32 sums); x=FILE (bf16 [rows, k]);
                      weights=FILE (packed);
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
  --max-instructions N
                      gives up a launch after that many instructions of warps
                      (default 2^32, or 2^24 in a row without a store, a copy, an
                      exit or an arrival at a barrier)
  --max-diagnostics N, --registers N
  --programmatic      the launch may begin before the one ahead of it has ended
                      (always so with --problem,
                      but for kernels that read what is older before they wait)
  --no-races, --no-uninitialised
)";

namespace {

/// Of PTX and of a manifest.
constexpr size_t kMaxText = size_t(128) << 20;

/// "X,Y,Z"; what a launch can have of each, the interpreter says.
Dim3 dims(const std::string &s, const std::string &option) {
  std::vector<std::string> p = split(s, ',');
  if (p.empty() || p.size() > 3 || s.back() == ',')
    die(option + ": expected X[,Y[,Z]], found '" + s + "'");
  auto get = [&](size_t j) {
    return j < p.size() ? uint32_t(number(p[j], 1, UINT32_MAX, option)) : 1;
  };
  return {get(0), get(1), get(2)};
}

struct Command {
  std::string file, entry, manifest, problem;
  Launch l;
  bool hasBlock = false;
  /// The first option that says how to launch; "" if the launch is left to
  /// defaults.
  std::string launchWord;
  Options opts;
  unsigned seeds = 1;
  std::vector<std::string> args, dumps, prints;
  bool report = false, json = false;
};

/// The words of the command line, one after another.
class Words {
public:
  Words(int argc, char **argv) : words(argv + 1, argv + argc) {}

  /// Goes on to the next word; false behind the last.
  bool next() { return ++at < words.size(); }
  const std::string &word() const { return words[at]; }

  /// What follows the option that is the word.
  std::string value() {
    const std::string option = word();
    if (!next())
      die(option + " needs a value; see --help");
    return word();
  }
  uint64_t numberIn(uint64_t least, uint64_t most) {
    const std::string option = word();
    return number(value(), least, most, option);
  }
  unsigned count() { return unsigned(numberIn(1, UINT32_MAX)); }

private:
  std::vector<std::string> words;
  size_t at = size_t(-1);
};

/// An option of the launch, its arguments and its results; false if it is none.
bool launchOption(Command &c, Words &words) {
  const std::string a = words.word();
  if (c.launchWord.empty() &&
      (a == "--grid" || a == "--block" || a == "--cluster" || a == "--shared"))
    c.launchWord = a;
  if (a == "--entry")
    c.entry = words.value();
  else if (a == "--grid")
    c.l.grid = dims(words.value(), a);
  else if (a == "--block") {
    c.l.block = dims(words.value(), a);
    c.hasBlock = true;
  } else if (a == "--cluster")
    c.l.cluster = dims(words.value(), a);
  else if (a == "--shared")
    c.l.dynamicShared = uint32_t(words.numberIn(0, UINT32_MAX));
  else if (a == "--problem")
    c.problem = words.value() + " ";
  else if (a == "--manifest")
    c.manifest = words.value();
  else if (a == "--arg")
    c.args.push_back(words.value());
  else if (a == "--dump")
    c.dumps.push_back(words.value());
  else if (a == "--print")
    c.prints.push_back(words.value());
  else if (a == "--report")
    c.report = true;
  else if (a == "--json")
    c.json = true;
  else
    return false;
  return true;
}

/// An option of checks and scheduling; false if it is none.
bool checkOption(Command &c, Words &words) {
  const std::string a = words.word();
  if (a == "--seed")
    c.opts.seed = words.numberIn(0, UINT64_MAX);
  else if (a == "--seeds")
    c.seeds = words.count();
  else if (a == "--threads")
    c.opts.hostThreads = words.count();
  else if (a == "--max-instructions")
    c.opts.maxInstructions = words.numberIn(1, UINT64_MAX);
  else if (a == "--max-diagnostics")
    c.opts.maxDiagnostics = words.count();
  else if (a == "--registers")
    c.opts.launchRegisters = unsigned(words.numberIn(0, 256));
  else if (a == "--programmatic") {
    c.opts.programmatic = true;
    if (c.launchWord.empty())
      c.launchWord = a;
  } else if (a == "--no-races")
    c.opts.checkRaces = false;
  else if (a == "--no-uninitialised")
    c.opts.checkUninitialised = false;
  else
    return false;
  return true;
}

/// Dies where options do not go together.
void checkCommand(const Command &c) {
  if (c.file.empty())
    die("expected a PTX file; see --help");
  if (c.problem.empty() && !c.manifest.empty())
    die("--manifest needs --problem");
  if (!c.problem.empty() && !(c.args.empty() && c.dumps.empty() &&
                              c.prints.empty() && c.entry.empty()))
    die("--problem takes launch and arguments from the manifest; leave out "
        "--arg, --entry, --dump and --print");
  if (!c.problem.empty() && !c.launchWord.empty())
    die("--problem takes launch and arguments from the manifest; leave out " +
        c.launchWord);
}

Command parseCommand(int argc, char **argv) {
  Command c;
  Words words(argc, argv);
  while (words.next()) {
    const std::string a = words.word();
    if (a == "--help" || a == "-h") {
      std::fputs(help, stdout);
      std::exit(finish(0));
    }
    if (launchOption(c, words) || checkOption(c, words))
      continue;
    if (a.size() > 1 && a[0] == '-')
      die("unknown option " + a + "; see --help");
    if (!c.file.empty())
      die("one input file only, found " + c.file + " and " + a);
    c.file = a;
  }
  checkCommand(c);
  return c;
}

void printCosts(const Command &c, const Result &r) {
  if (c.report)
    std::fputs(r.statistics.report().c_str(), stdout);
  if (c.json)
    std::printf("%s\n", r.statistics.json().c_str());
}

/// The runs with seeds S, S + 1, ... until one finds something.
bool runSeeds(const Command &c, const Module &m, const std::string &entry) {
  for (unsigned s = 0; s < c.seeds; ++s) {
    Launch l = c.l;
    std::vector<BufferSpec> specs;
    std::vector<int> bufferOf;
    addArguments(c.args, l, specs, bufferOf);
    Options o = c.opts;
    o.seed += s;
    const Result r = [&] {
      Progress watch("running " + entry);
      return run(m, entry, l, o);
    }();
    std::fputs(r.text().c_str(), stdout);
    if (s + 1 < c.seeds && r.ok())
      continue;
    for (const std::string &d : c.dumps)
      dump(d, specs);
    for (const std::string &p : c.prints)
      print(p, specs);
    printCosts(c, r);
    return r.ok();
  }
  return true;
}

/// The same for a problem, whose data differs from seed to seed.
bool runProblem(const Command &c, const Module &m) {
  size_t slash = c.file.rfind('/');
  std::string beside =
      (slash == std::string::npos ? "" : c.file.substr(0, slash + 1)) +
      "manifest.json";
  std::string manifest =
      readFile(c.manifest.empty() ? beside : c.manifest, kMaxText);
  for (unsigned s = 0; s < c.seeds; ++s) {
    Problem p(manifest, c.problem);
    Options o = c.opts;
    o.seed += s;
    if (!o.launchRegisters)
      o.launchRegisters = p.registers();
    o.programmatic = !p.readsAhead(); // As the runtime does.
    Launch l = [&] {
      Progress watch("making activations and weights");
      return p.launch(o.seed);
    }();
    if (s == 0)
      std::fprintf(stderr, "mxfp4-sim: %s\n", p.describe(l).c_str());
    const Result r = [&] {
      Progress watch("running the kernel: results stored",
                     [&] { return p.stored(l); });
      return run(m, p.entry(), l, o);
    }();
    std::fputs(r.text().c_str(), stdout);
    auto [Said, Right] = [&] {
      Progress watch("comparing with the definition of the operation");
      return p.check(l);
    }();
    bool good = r.ok() && Right;
    if (s + 1 < c.seeds && good)
      continue;
    std::fputs(Said.c_str(), stdout);
    printCosts(c, r);
    return good;
  }
  return true;
}

} // namespace

static std::string names(const Module &m) {
  std::string text;
  for (const KernelInfo &k : m.kernels())
    text += " " + k.name;
  return text;
}

static int runTool(int argc, char **argv) {
  Command c = parseCommand(argc, argv);
  std::vector<Diagnostic> errors;
  std::unique_ptr<Module> m =
      Module::parse(readFile(c.file, kMaxText), c.file, errors);
  for (const Diagnostic &d : errors)
    std::fputs(d.str().c_str(), stdout);
  if (!m)
    return 1;
  if (!c.problem.empty())
    return runProblem(c, *m) ? 0 : 1;
  const KernelInfo *k = &m->kernels()[0];
  if (c.entry.empty() && m->kernels().size() > 1)
    die("the module has several kernels; choose one with --entry:" + names(*m));
  for (const KernelInfo &candidate : m->kernels())
    if (candidate.name == c.entry)
      k = &candidate;
  if (c.args.empty() && !k->params.empty())
    die("kernel " + k->name + " takes " + std::to_string(k->params.size()) +
        " arguments, found none: give an --arg for each, or launch a kernel of "
        "mxfp4-compile by --problem \"rows=N\"; see --help");
  if (!c.hasBlock) {
    c.l.block = {32};
    if (k->requiredBlock.x)
      c.l.block = k->requiredBlock;
  }
  return runSeeds(c, *m, c.entry.empty() ? k->name : c.entry) ? 0 : 1;
}

int main(int argc, char **argv) {
  mxfp4::reportFailedOutput("mxfp4-sim");
  try {
    return finish(runTool(argc, argv));
  } catch (const std::bad_alloc &) {
    die("this takes more memory than the machine has");
  } catch (const std::length_error &) {
    die("this takes more memory than the machine has");
  }
}
