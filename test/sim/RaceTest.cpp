//===- RaceTest.cpp - Races byte by byte, against all pairs of accesses ---===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Random kernels in which a few threads access a small window, in phases with a
// barrier in between. Two accesses race if different threads make them in one
// phase, they share a byte, one of them writes, and not both are atomic; every
// pair is compared. The interpreter must report a race if there is a pair,
// whatever the seed, and must name no pair that is none.
//
//===----------------------------------------------------------------------===//

#include "Harness.h"

#include <random>
#include <regex>
#include <set>

using namespace mxfp4::sim;

namespace {

constexpr unsigned kWindow = 48;
/// In the place of a thread: all threads of the first warp at once.
constexpr unsigned kWarp = 0x10000;

enum class Kind {
  Load,
  Store,
  Atomic,
  RelaxedLoad,
  RelaxedStore,
  CpAsync,
  Bulk
};

struct Op {
  Kind k;
  unsigned thread, phase, offset, bytes;
  unsigned line = 0;
  bool writes(bool global) const {
    return k == Kind::Store || k == Kind::Atomic || k == Kind::RelaxedStore ||
           k == Kind::CpAsync || (k == Kind::Bulk && (global || offset % 32));
  }
  bool atomic() const {
    return k == Kind::Atomic || k == Kind::RelaxedLoad ||
           k == Kind::RelaxedStore;
  }
};

/// A kernel around random accesses, and the lines where they stand.
class Program {
public:
  Program(unsigned seed, bool global, unsigned blocks)
      : random(seed), global(global), blocks(blocks) {
    const unsigned phases = blocks > 1 ? 1 : 1 + pick(3);
    const unsigned count = 2 + pick(7);
    for (unsigned j = 0; j < count; ++j)
      ops.push_back(access(pick(phases)));
    write(phases);
  }

  /// A kernel around accesses of one block in one phase. If \p ticks, each
  /// warp's clock advances behind an access, which orders nothing.
  Program(std::vector<Op> given, bool global, bool ticks)
      : ops(std::move(given)), global(global), ticks(ticks), blocks(1) {
    write(1);
  }

  std::string text;
  std::vector<Op> ops;

  using Pairs = std::set<std::pair<unsigned, unsigned>>;
  /// Lines of each pair that races, the smaller first. A wait of one lane
  /// counts for its warp (acquire in Sync.h), so that what other lanes of the
  /// warp race with may be missed. So may what races with a read by a lane of
  /// the same warp, if others read behind it (ReadSets has no lanes, and a cell
  /// that of one read). Such pairs are left out if \p certain.
  Pairs races(bool certain) const {
    Pairs found;
    for (const Op &a : ops)
      for (const Op &b : ops)
        if (a.line < b.line && (a.thread != b.thread || a.thread == kWarp) &&
            a.phase == b.phase && a.offset < b.offset + b.bytes &&
            b.offset < a.offset + a.bytes &&
            (a.writes(global) || b.writes(global)) &&
            !(a.atomic() && b.atomic()) &&
            !(certain && warpOf(a) == warpOf(b) &&
              (warpWaits(a) || othersRead(a, b))))
          found.insert({a.line, b.line});
    return found;
  }

  /// Is the pair that was named a race? Of several lanes of a warp that have
  /// read a place, only the last is known by its instruction.
  bool explains(const Pairs &races, std::pair<unsigned, unsigned> named) const {
    auto warpAt = [this](unsigned line) {
      for (const Op &o : ops)
        if (o.line == line)
          return warpOf(o);
      return ~0u;
    };
    if (races.count(named))
      return true;
    for (auto [A, B] : races)
      if (warpAt(A) == warpAt(named.first) &&
          warpAt(B) == warpAt(named.second) && warpAt(A) == warpAt(B) &&
          (A == named.first || A == named.second || B == named.first ||
           B == named.second))
        return true;
    return false;
  }

private:
  std::mt19937 random;
  const bool global, ticks = false;
  const unsigned blocks;
  unsigned lines = 1;

  static unsigned warpOf(const Op &o) { return o.thread % kWarp / 32; }

  bool warpWaits(const Op &o) const {
    for (const Op &other : ops)
      if (other.k == Kind::Bulk && warpOf(other) == warpOf(o) &&
          other.phase == o.phase)
        return true;
    return false;
  }

  bool othersRead(const Op &a, const Op &b) const {
    if (a.k != Kind::Load && b.k != Kind::Load)
      return false;
    unsigned reads = 0;
    bool otherWarp = false;
    for (const Op &other : ops)
      if ((other.k == Kind::Load || other.k == Kind::RelaxedLoad) &&
          other.phase == a.phase) {
        ++reads;
        otherWarp |= warpOf(other) != warpOf(a);
      }
    return otherWarp && reads > 2;
  }

  unsigned pick(unsigned n) { return unsigned(random() % n); }

  Op access(unsigned phase) {
    // Lanes of two warps; of two blocks, where there are two.
    static constexpr unsigned threads[] = {0, 1, 31, 32, 40};
    Op o;
    o.thread = threads[pick(5)] + (blocks > 1 && pick(2) ? 1024 : 0);
    o.phase = phase;
    do
      o.k = Kind(pick(7));
    while (o.k == Kind::CpAsync && global);
    const unsigned most =
        o.k == Kind::RelaxedLoad || o.k == Kind::RelaxedStore ? 4 : 5;
    o.bytes = o.k == Kind::Atomic    ? 4u << pick(2)
              : o.k == Kind::CpAsync ? 4u << pick(3)
              : o.k == Kind::Bulk    ? 16
                                     : 1u << pick(most);
    o.offset = o.bytes * pick(kWindow / o.bytes);
    return o;
  }

  void line(const std::string &s) {
    text += s + "\n";
    ++lines;
  }

  /// A type, or a vector of one, of the given number of bytes.
  std::string form(unsigned bytes, bool scalar, unsigned &elements,
                   unsigned &bits) {
    do
      bits = 8u << pick(4);
    while (bits / 8 > bytes || (elements = bytes * 8 / bits) > 4 ||
           (scalar && elements > 1));
    return (elements > 1 ? ".v" + std::to_string(elements) : "") + ".b" +
           std::to_string(bits);
  }

  void emit(Op &o, unsigned number) {
    const std::string space = global ? ".global" : ".shared";
    const std::string at = std::string(global ? "[%d2+" : "[%r2+") +
                           std::to_string(o.offset) + "]";
    const std::string n = std::to_string(number);
    unsigned elements, bits;
    auto data = [&] {
      std::string r = bits == 64 ? "%d1" : bits == 32 ? "%r1" : "%h1", all;
      for (unsigned j = 0; j < elements; ++j)
        all += (j ? ", " : "") + r + std::to_string(j);
      return elements > 1 ? "{" + all + "}" : all;
    };
    o.line = lines;
    const bool relaxed = o.atomic();
    switch (o.k) {
    case Kind::Load:
    case Kind::RelaxedLoad: {
      std::string suffix = form(o.bytes, relaxed, elements, bits);
      return line("ld" + std::string(relaxed ? ".relaxed.gpu" : "") + space +
                  suffix + " " + data() + ", " + at + ";");
    }
    case Kind::Store:
    case Kind::RelaxedStore: {
      std::string suffix = form(o.bytes, relaxed, elements, bits);
      return line("st" + std::string(relaxed ? ".relaxed.gpu" : "") + space +
                  suffix + " " + at + ", " + data() + ";");
    }
    case Kind::Atomic:
      return line("red.relaxed.gpu" + space + ".add.u" +
                  std::to_string(8 * o.bytes) + " " + at + ", " +
                  (o.bytes == 8 ? "%d10" : "%r10") + ";");
    case Kind::CpAsync:
      line("cp.async.ca.shared.global " + at + ", [%d2+" +
           std::to_string(o.offset) + "], " + std::to_string(o.bytes) + ";");
      return line("cp.async.wait_all;");
    case Kind::Bulk:
      if (global || !o.writes(global)) {
        line("cp.async.bulk.global.shared::cta.bulk_group [%d" +
             std::string(global ? "2+" + std::to_string(o.offset)
                                : "3+" + std::to_string(64 * number)) +
             "], [%r" +
             (global ? "3+" + std::to_string(64 * number)
                     : "2+" + std::to_string(o.offset)) +
             "], 16;");
        line("cp.async.bulk.commit_group;");
        return line("cp.async.bulk.wait_group 0;");
      }
      // An mbarrier of its own.
      o.line += 2;
      line("mbarrier.init.shared.b64 [%r4+" + std::to_string(8 * number) +
           "], 1; fence.mbarrier_init.release.cluster;");
      line("mbarrier.arrive.expect_tx.shared.b64 _, [%r4+" +
           std::to_string(8 * number) + "], 16;");
      line("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes "
           "[%r2+" +
           std::to_string(o.offset) + "], [%d3+" + std::to_string(64 * number) +
           "], 16, [%r4+" + std::to_string(8 * number) + "];");
      return line("W" + n + ": mbarrier.try_wait.parity.shared.b64 %p3, [%r4+" +
                  std::to_string(8 * number) + "], 0; @!%p3 bra W" + n + ";");
    }
  }

  void write(unsigned phases) {
    for (const char *s :
         {".version 8.0",
          ".target sm_90a",
          ".address_size 64",
          ".shared .align 16 .b8 window[48];",
          ".shared .align 16 .b8 beside[1024];",
          ".shared .align 8 .b8 barriers[128];",
          ".visible .entry k(.param .u64 w, .param .u64 side)",
          "{",
          ".reg .pred %p<8>; .reg .b16 %h<32>;",
          ".reg .b32 %r<32>; .reg .b64 %d<32>;",
          "ld.param.u64 %d2, [w]; ld.param.u64 %d3, [side];",
          "mov.u32 %r1, %tid.x; mov.u32 %r2, window; mov.u32 %r3, beside;",
          "mov.u32 %r4, barriers; mov.u32 %r5, %ctaid.x;",
          "mad.lo.u32 %r6, %r5, 1024, %r1; add.u32 %r7, %r6, 1;",
          "mov.b32 %r10, %r7; mov.b32 %r11, %r7; mov.b32 %r12, %r7;",
          "mov.b32 %r13, %r7; cvt.u16.u32 %h10, %r7; mov.b16 %h11, %h10;",
          "mov.b16 %h12, %h10; mov.b16 %h13, %h10; cvt.u64.u32 %d10, %r7;",
          "mov.b64 %d11, %d10; mov.b64 %d12, %d10; mov.b64 %d13, %d10;",
          "mad.lo.u32 %r8, %r1, 16, %r3;",
          "st.shared.v4.b32 [%r8], {1, 2, 3, 4};",
          "setp.ne.u32 %p1, %r1, 0; @%p1 bra FILLED;"})
      line(s);
    for (unsigned j = 0; j < kWindow; j += 16)
      line("st.shared.v4.b32 [%r2+" + std::to_string(j) + "], {1, 2, 3, 4};");
    if (ticks)
      line("mbarrier.init.shared.b64 [%r4+120], 1000;");
    line("FILLED: fence.proxy.async; barrier.sync 0;");
    for (unsigned p = 0; p < phases; ++p) {
      for (size_t n = 0; n < ops.size(); ++n) {
        if (ops[n].phase != p)
          continue;
        const bool isWarp = ops[n].thread == kWarp;
        line((isWarp
                  ? "setp.gt.u32 %p2, %r6, 31"
                  : "setp.ne.u32 %p2, %r6, " + std::to_string(ops[n].thread)) +
             "; @%p2 bra S" + std::to_string(n) + ";");
        emit(ops[n], unsigned(n));
        if (ticks)
          line("mbarrier.arrive.shared.b64 _, [%r4+120];");
        line("S" + std::to_string(n) + ":");
      }
      line("fence.proxy.async; barrier.sync 0;");
    }
    line("ret;");
    line("}");
  }
};

/// Runs it; the pairs of lines that the races name.
Program::Pairs reported(const Program &p, unsigned blocks, uint64_t seed) {
  auto m = parse(p.text);
  if (!m)
    return {};
  std::vector<uint8_t> w(kWindow), side(1024);
  Launch l;
  l.block = {64};
  l.grid = {blocks};
  l.argBuffer(l.addBuffer(w.data(), w.size(), {}));
  l.argBuffer(l.addBuffer(side.data(), side.size(), {}));
  Options o;
  o.seed = seed;
  o.maxDiagnostics = 100;
  Program::Pairs pairs;
  Result r = run(*m, "k", l, o);
  static const std::regex at("line ([0-9]+)");
  for (const Diagnostic &d : r.diagnostics) {
    if (d.check != "race")
      continue;
    std::smatch match;
    EXPECT_TRUE(std::regex_search(d.message, match, at)) << d.message;
    unsigned other = unsigned(std::stoul(match[1]));
    pairs.insert(std::minmax(d.line, other));
  }
  EXPECT_EQ(r.text().find("deadlock"), std::string::npos) << r.text();
  return pairs;
}

void compare(bool global, unsigned blocks, unsigned first, unsigned count) {
  unsigned racing = 0;
  for (unsigned n = first; n < first + count; ++n) {
    Program p(n, global, blocks);
    const auto want = p.races(true), allowed = p.races(false);
    racing += !want.empty();
    for (uint64_t seed = 1; seed <= 4; ++seed) {
      const auto got = reported(p, blocks, seed);
      ASSERT_TRUE(want.empty() || !got.empty())
          << "no race found; program " << n << ", seed " << seed << "\n"
          << p.text;
      for (auto &pair : got)
        ASSERT_TRUE(p.explains(allowed, pair))
            << "lines " << pair.first << " and " << pair.second
            << " do not race; program " << n << ", seed " << seed << "\n"
            << p.text;
    }
  }
  // Both kinds of program are there.
  EXPECT_GT(racing, count / 4);
  EXPECT_LT(racing, count * 9 / 10);
}

} // namespace

// Every kernel of three accesses to one word, by three threads, two of which
// are lanes of one warp, or by that whole warp.
TEST(Races, OfThreeAccessesToOneWordAreAllFound) {
  std::vector<Op> each;
  for (const unsigned thread : {0U, 31U, 32U, kWarp})
    for (const Kind k : {Kind::Load, Kind::Store, Kind::Atomic,
                         Kind::RelaxedLoad, Kind::RelaxedStore})
      // Stores of different values by one instruction race by themselves.
      if (thread != kWarp || (k != Kind::Store && k != Kind::RelaxedStore))
        each.push_back({k, thread, 0, 0, 4});
  for (const bool ticks : {false, true})
    for (const Op &a : each)
      for (const Op &b : each)
        for (const Op &c : each) {
          const Program p({a, b, c}, false, ticks);
          const auto found = reported(p, 1, 1);
          ASSERT_TRUE(p.races(true).empty() || !found.empty()) << p.text;
          for (const auto &pair : found)
            ASSERT_TRUE(p.explains(p.races(false), pair))
                << pair.first << " " << pair.second << p.text;
        }
}

TEST(Races, OfSharedMemoryAreThePairsThatShareAByte) {
  compare(false, 1, 0, 600);
}
TEST(Races, OfGlobalMemoryAreThePairsThatShareAByte) {
  compare(true, 1, 100000, 400);
}
TEST(Races, OfTwoBlocksAreThePairsThatShareAByte) {
  compare(true, 2, 200000, 300);
}
