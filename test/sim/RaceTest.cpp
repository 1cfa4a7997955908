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

constexpr unsigned Window = 48;

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
  Kind K;
  unsigned Thread, Phase, Offset, Bytes;
  unsigned Line = 0;
  bool writes(bool Global) const {
    return K == Kind::Store || K == Kind::Atomic || K == Kind::RelaxedStore ||
           K == Kind::CpAsync || (K == Kind::Bulk && (Global || Offset % 32));
  }
  bool atomic() const {
    return K == Kind::Atomic || K == Kind::RelaxedLoad ||
           K == Kind::RelaxedStore;
  }
};

/// A kernel around random accesses, and the lines where they stand.
class Program {
public:
  Program(unsigned Seed, bool Global, unsigned Blocks)
      : Random(Seed), Global(Global), Blocks(Blocks) {
    const unsigned Phases = Blocks > 1 ? 1 : 1 + pick(3);
    const unsigned Count = 2 + pick(7);
    for (unsigned J = 0; J < Count; ++J)
      Ops.push_back(access(pick(Phases)));
    write(Phases);
  }

  std::string Text;
  std::vector<Op> Ops;

  using Pairs = std::set<std::pair<unsigned, unsigned>>;
  /// Lines of each pair that races, the smaller first. A wait of one lane
  /// counts for its warp (acquire in Sync.h), so that what other lanes of the
  /// warp race with may be missed: such pairs are left out if \p Certain.
  Pairs races(bool Certain) const {
    Pairs Found;
    for (const Op &A : Ops)
      for (const Op &B : Ops)
        if (A.Line < B.Line && A.Thread != B.Thread && A.Phase == B.Phase &&
            A.Offset < B.Offset + B.Bytes && B.Offset < A.Offset + A.Bytes &&
            (A.writes(Global) || B.writes(Global)) &&
            !(A.atomic() && B.atomic()) &&
            !(Certain && A.Thread / 32 == B.Thread / 32 && warpWaits(A)))
          Found.insert({A.Line, B.Line});
    return Found;
  }

  /// Is the pair that was named a race? Of several lanes of a warp that have
  /// read a place, only the last is known by its instruction.
  bool explains(const Pairs &Races, std::pair<unsigned, unsigned> Named) const {
    auto WarpOf = [this](unsigned Line) {
      for (const Op &O : Ops)
        if (O.Line == Line)
          return O.Thread / 32;
      return ~0u;
    };
    if (Races.count(Named))
      return true;
    for (auto [A, B] : Races)
      if (WarpOf(A) == WarpOf(Named.first) &&
          WarpOf(B) == WarpOf(Named.second) && WarpOf(A) == WarpOf(B) &&
          (A == Named.first || A == Named.second || B == Named.first ||
           B == Named.second))
        return true;
    return false;
  }

private:
  std::mt19937 Random;
  const bool Global;
  const unsigned Blocks;
  unsigned Lines = 1;

  bool warpWaits(const Op &O) const {
    for (const Op &Other : Ops)
      if (Other.K == Kind::Bulk && Other.Thread / 32 == O.Thread / 32 &&
          Other.Phase == O.Phase)
        return true;
    return false;
  }

  unsigned pick(unsigned N) { return unsigned(Random() % N); }

  Op access(unsigned Phase) {
    // Lanes of two warps; of two blocks, where there are two.
    static constexpr unsigned Threads[] = {0, 1, 31, 32, 40};
    Op O;
    O.Thread = Threads[pick(5)] + (Blocks > 1 && pick(2) ? 1024 : 0);
    O.Phase = Phase;
    do
      O.K = Kind(pick(7));
    while (O.K == Kind::CpAsync && Global);
    const unsigned Most =
        O.K == Kind::RelaxedLoad || O.K == Kind::RelaxedStore ? 4 : 5;
    O.Bytes = O.K == Kind::Atomic    ? 4u << pick(2)
              : O.K == Kind::CpAsync ? 4u << pick(3)
              : O.K == Kind::Bulk    ? 16
                                     : 1u << pick(Most);
    O.Offset = O.Bytes * pick(Window / O.Bytes);
    return O;
  }

  void line(const std::string &S) {
    Text += S + "\n";
    ++Lines;
  }

  /// A type, or a vector of one, of so many bytes.
  std::string form(unsigned Bytes, bool Scalar, unsigned &Elements,
                   unsigned &Bits) {
    do
      Bits = 8u << pick(4);
    while (Bits / 8 > Bytes || (Elements = Bytes * 8 / Bits) > 4 ||
           (Scalar && Elements > 1));
    return (Elements > 1 ? ".v" + std::to_string(Elements) : "") + ".b" +
           std::to_string(Bits);
  }

  void emit(Op &O, unsigned Number) {
    const std::string Space = Global ? ".global" : ".shared";
    const std::string At = std::string(Global ? "[%d2+" : "[%r2+") +
                           std::to_string(O.Offset) + "]";
    const std::string N = std::to_string(Number);
    unsigned Elements, Bits;
    auto Data = [&] {
      std::string R = Bits == 64 ? "%d1" : Bits == 32 ? "%r1" : "%h1", All;
      for (unsigned J = 0; J < Elements; ++J)
        All += (J ? ", " : "") + R + std::to_string(J);
      return Elements > 1 ? "{" + All + "}" : All;
    };
    O.Line = Lines;
    const bool Relaxed = O.atomic();
    switch (O.K) {
    case Kind::Load:
    case Kind::RelaxedLoad: {
      std::string Form = form(O.Bytes, Relaxed, Elements, Bits);
      return line("ld" + std::string(Relaxed ? ".relaxed.gpu" : "") + Space +
                  Form + " " + Data() + ", " + At + ";");
    }
    case Kind::Store:
    case Kind::RelaxedStore: {
      std::string Form = form(O.Bytes, Relaxed, Elements, Bits);
      return line("st" + std::string(Relaxed ? ".relaxed.gpu" : "") + Space +
                  Form + " " + At + ", " + Data() + ";");
    }
    case Kind::Atomic:
      return line("red.relaxed.gpu" + Space + ".add.u" +
                  std::to_string(8 * O.Bytes) + " " + At + ", " +
                  (O.Bytes == 8 ? "%d10" : "%r10") + ";");
    case Kind::CpAsync:
      line("cp.async.ca.shared.global " + At + ", [%d2+" +
           std::to_string(O.Offset) + "], " + std::to_string(O.Bytes) + ";");
      return line("cp.async.wait_all;");
    case Kind::Bulk:
      if (Global || !O.writes(Global)) {
        line("cp.async.bulk.global.shared::cta.bulk_group [%d" +
             std::string(Global ? "2+" + std::to_string(O.Offset)
                                : "3+" + std::to_string(64 * Number)) +
             "], [%r" +
             (Global ? "3+" + std::to_string(64 * Number)
                     : "2+" + std::to_string(O.Offset)) +
             "], 16;");
        line("cp.async.bulk.commit_group;");
        return line("cp.async.bulk.wait_group 0;");
      }
      // An mbarrier of its own.
      O.Line += 2;
      line("mbarrier.init.shared.b64 [%r4+" + std::to_string(8 * Number) +
           "], 1; fence.mbarrier_init.release.cluster;");
      line("mbarrier.arrive.expect_tx.shared.b64 _, [%r4+" +
           std::to_string(8 * Number) + "], 16;");
      line("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes "
           "[%r2+" +
           std::to_string(O.Offset) + "], [%d3+" + std::to_string(64 * Number) +
           "], 16, [%r4+" + std::to_string(8 * Number) + "];");
      return line("W" + N + ": mbarrier.try_wait.parity.shared.b64 %p3, [%r4+" +
                  std::to_string(8 * Number) + "], 0; @!%p3 bra W" + N + ";");
    }
  }

  void write(unsigned Phases) {
    for (const char *S :
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
      line(S);
    for (unsigned J = 0; J < Window; J += 16)
      line("st.shared.v4.b32 [%r2+" + std::to_string(J) + "], {1, 2, 3, 4};");
    line("FILLED: fence.proxy.async; barrier.sync 0;");
    for (unsigned P = 0; P < Phases; ++P) {
      for (size_t N = 0; N < Ops.size(); ++N) {
        if (Ops[N].Phase != P)
          continue;
        line("setp.ne.u32 %p2, %r6, " + std::to_string(Ops[N].Thread) +
             "; @%p2 bra S" + std::to_string(N) + ";");
        emit(Ops[N], unsigned(N));
        line("S" + std::to_string(N) + ":");
      }
      line("fence.proxy.async; barrier.sync 0;");
    }
    line("ret;");
    line("}");
  }
};

/// Runs it; the pairs of lines that the races name.
Program::Pairs reported(const Program &P, unsigned Blocks, uint64_t Seed) {
  auto M = parse(P.Text);
  if (!M)
    return {};
  std::vector<uint8_t> W(Window), Side(1024);
  Launch L;
  L.Block = {64};
  L.Grid = {Blocks};
  L.argBuffer(L.addBuffer(W.data(), W.size(), {}));
  L.argBuffer(L.addBuffer(Side.data(), Side.size(), {}));
  Options O;
  O.Seed = Seed;
  O.MaxDiagnostics = 100;
  Program::Pairs Pairs;
  Result R = run(*M, "k", L, O);
  static const std::regex At("line ([0-9]+)");
  for (const Diagnostic &D : R.Diagnostics) {
    if (D.Check != "race")
      continue;
    std::smatch Match;
    EXPECT_TRUE(std::regex_search(D.Message, Match, At)) << D.Message;
    unsigned Other = unsigned(std::stoul(Match[1]));
    Pairs.insert(std::minmax(D.Line, Other));
  }
  EXPECT_EQ(R.text().find("deadlock"), std::string::npos) << R.text();
  return Pairs;
}

void compare(bool Global, unsigned Blocks, unsigned First, unsigned Count) {
  unsigned Racing = 0;
  for (unsigned N = First; N < First + Count; ++N) {
    Program P(N, Global, Blocks);
    const auto Want = P.races(true), Allowed = P.races(false);
    Racing += !Want.empty();
    for (uint64_t Seed = 1; Seed <= 4; ++Seed) {
      const auto Got = reported(P, Blocks, Seed);
      ASSERT_TRUE(Want.empty() || !Got.empty())
          << "no race found; program " << N << ", seed " << Seed << "\n"
          << P.Text;
      for (auto &Pair : Got)
        ASSERT_TRUE(P.explains(Allowed, Pair))
            << "lines " << Pair.first << " and " << Pair.second
            << " do not race; program " << N << ", seed " << Seed << "\n"
            << P.Text;
    }
  }
  // Both kinds of program are there.
  EXPECT_GT(Racing, Count / 4);
  EXPECT_LT(Racing, Count * 9 / 10);
}

} // namespace

TEST(Races, OfSharedMemoryAreThePairsThatShareAByte) {
  compare(false, 1, 0, 600);
}
TEST(Races, OfGlobalMemoryAreThePairsThatShareAByte) {
  compare(true, 1, 100000, 400);
}
TEST(Races, OfTwoBlocksAreThePairsThatShareAByte) {
  compare(true, 2, 200000, 300);
}

namespace {

/// Register, type and shift of an element of so many bytes.
struct Element {
  unsigned Bytes;
  std::string Type, Data;
};
const Element Elements[] = {{1, "b8", "%h1"},
                            {2, "b16", "%h1"},
                            {4, "b32", "%r1"},
                            {8, "b64", "%d9"},
                            {16, "v2.b64", "{%d9, %d9}"}};

/// What 64 threads report, each with an element of its own at %r2 and %d4.
std::string ofElements(const Element &E, const std::string &Body,
                       uint64_t Seed = 1) {
  std::vector<uint32_t> Out(64 * 4);
  Options O;
  O.Seed = Seed;
  const std::string N = std::to_string(E.Bytes);
  return runInOut("mov.u32 %r3, tile; mad.lo.u32 %r2, %r1, " + N +
                      ", %r3;\ncvt.u64.u32 %d5, %r1; mad.lo.s64 %d4, %d5, " +
                      N +
                      ", %d2;\nadd.u32 %r9, %r1, 1; cvt.u16.u32 %h1, "
                      "%r9; cvt.u64.u32 %d9, %r9;\n" +
                      Body + "\nret;",
                  std::vector<uint32_t>(1), Out, {64},
                  ".shared .align 16 .b8 tile[1024];\n", O)
      .text();
}

} // namespace

TEST(Races, ElementsOfTheirOwnDoNot) {
  for (const Element &E : Elements) {
    const std::string Shared =
                          "st.shared." + E.Type + " [%r2], " + E.Data + "; ",
                      Global =
                          "st.global." + E.Type + " [%d4], " + E.Data + "; ",
                      Again = "ld.shared." + E.Type + " " + E.Data +
                              ", [%r2]; ld.global." + E.Type + " " + E.Data +
                              ", [%d4]; ";
    EXPECT_EQ(ofElements(E, Shared + Global + Again), "");
    EXPECT_EQ(ofElements(E, Shared + Global + Again + Shared + Global), "");
  }
}

// The store of a byte was forgotten when another thread stored its neighbour.
TEST(Races, AreNotHiddenByLaterStoresBeside) {
  for (const Element &E : Elements)
    for (bool Global : {false, true})
      for (uint64_t Seed = 1; Seed <= 20; ++Seed) {
        const std::string Space = Global ? "global." : "shared.",
                          At = Global ? "%d4" : "%r2",
                          First = Global ? "%d2" : "%r3";
        // Thread 40 reads what thread 0 stores.
        EXPECT_NE(
            ofElements(E,
                       "st." + Space + E.Type + " [" + At + "], " + E.Data +
                           "; setp.eq.u32 %p1, %r1, 40;\n@%p1 ld." + Space +
                           E.Type + " " + E.Data + ", [" + First + "];",
                       Seed)
                .find("[race]"),
            std::string::npos)
            << E.Type << ", seed " << Seed;
      }
}

TEST(Races, LanesThatHaveMetMayReadAndWriteAgain) {
  EXPECT_EQ(ofElements(Elements[1],
                       "setp.ne.u32 %p1, %r1, 0; @!%p1 st.shared.b32 [%r3], 1;"
                       "barrier.sync 0; ld.shared.b8 %h2, [%r3];"
                       "barrier.sync 0; setp.ne.u32 %p2, %r1, 31;"
                       "@!%p2 ld.shared.b16 %h2, [%r3];"
                       "@!%p2 st.shared.b8 [%r3], %h1;"),
            "");
}

TEST(Initialised, IsEachByte) {
  for (const Element &E : Elements)
    for (bool Global : {false, true}) {
      // Two elements are stored; every window of 1 to 16 bytes is read.
      const std::string Space = Global ? "global." : "shared.",
                        Base = Global ? "%d2" : "%r3";
      auto At = [&](unsigned Offset) {
        return " [" + Base + "+" + std::to_string(Offset) + "]";
      };
      for (const Element &Read : Elements)
        for (unsigned Offset = 0; Offset < 64; Offset += Read.Bytes) {
          const std::string Text = ofElements(
              E, "setp.ne.u32 %p1, %r1, 0; @%p1 ret; st." + Space + E.Type +
                     At(16) + ", " + E.Data + "; st." + Space + E.Type +
                     At(16 + E.Bytes) + ", " + E.Data + ";\nld." + Space +
                     Read.Type + " " + Read.Data + "," + At(Offset) + ";");
          const bool Known =
              Offset >= 16 && Offset + Read.Bytes <= 16 + 2 * E.Bytes;
          EXPECT_EQ(Text.find("that nothing has written") == Text.npos, Known)
              << E.Bytes << " and " << Read.Bytes << " at " << Offset << "\n"
              << Text;
        }
    }
}
