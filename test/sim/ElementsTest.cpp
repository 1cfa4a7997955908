//===- ElementsTest.cpp - Races and contents of elements of each size -----===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Harness.h"

using namespace mxfp4::sim;

namespace {

/// Register, type and shift of an element of the given number of bytes.
struct Element {
  unsigned bytes;
  std::string type, data;
};
const std::vector<Element> &elements() {
  static const std::vector<Element> all = {{1, "b8", "%h1"},
                                           {2, "b16", "%h1"},
                                           {4, "b32", "%r1"},
                                           {8, "b64", "%d9"},
                                           {16, "v2.b64", "{%d9, %d9}"}};
  return all;
}

/// What 64 threads report, each with an element of its own at %r2 and %d4.
std::string ofElements(const Element &e, const std::string &body,
                       uint64_t seed = 1) {
  std::vector<uint32_t> out(64 * 4);
  Options o;
  o.seed = seed;
  const std::string n = std::to_string(e.bytes);
  return runInOut("mov.u32 %r3, tile; mad.lo.u32 %r2, %r1, " + n +
                      ", %r3;\ncvt.u64.u32 %d5, %r1; mad.lo.s64 %d4, %d5, " +
                      n +
                      ", %d2;\nadd.u32 %r9, %r1, 1; cvt.u16.u32 %h1, "
                      "%r9; cvt.u64.u32 %d9, %r9;\n" +
                      body + "\nret;",
                  std::vector<uint32_t>(1), out, {64},
                  ".shared .align 16 .b8 tile[1024];\n", o)
      .text();
}

} // namespace

TEST(Races, ElementsOfTheirOwnDoNot) {
  for (const Element &e : elements()) {
    const std::string shared =
                          "st.shared." + e.type + " [%r2], " + e.data + "; ",
                      global =
                          "st.global." + e.type + " [%d4], " + e.data + "; ",
                      again = "ld.shared." + e.type + " " + e.data +
                              ", [%r2]; ld.global." + e.type + " " + e.data +
                              ", [%d4]; ";
    EXPECT_EQ(ofElements(e, shared + global + again), "");
    EXPECT_EQ(ofElements(e, shared + global + again + shared + global), "");
  }
}

// The store of a byte was forgotten when another thread stored its neighbour.
TEST(Races, AreNotHiddenByLaterStoresBeside) {
  for (const Element &e : elements())
    for (bool global : {false, true})
      for (uint64_t seed = 1; seed <= 20; ++seed) {
        const std::string space = global ? "global." : "shared.",
                          at = global ? "%d4" : "%r2",
                          first = global ? "%d2" : "%r3";
        // Thread 40 reads what thread 0 stores.
        EXPECT_NE(
            ofElements(e,
                       "st." + space + e.type + " [" + at + "], " + e.data +
                           "; setp.eq.u32 %p1, %r1, 40;\n@%p1 ld." + space +
                           e.type + " " + e.data + ", [" + first + "];",
                       seed)
                .find("[race]"),
            std::string::npos)
            << e.type << ", seed " << seed;
      }
}

TEST(Races, LanesThatHaveMetMayReadAndWriteAgain) {
  EXPECT_EQ(ofElements(elements()[1],
                       "setp.ne.u32 %p1, %r1, 0; @!%p1 st.shared.b32 [%r3], 1;"
                       "barrier.sync 0; ld.shared.b8 %h2, [%r3];"
                       "barrier.sync 0; setp.ne.u32 %p2, %r1, 31;"
                       "@!%p2 ld.shared.b16 %h2, [%r3];"
                       "@!%p2 st.shared.b8 [%r3], %h1;"),
            "");
}

// Lanes of one instruction may store one value to one place; all of it counts.
TEST(Races, OfLanesThatStoreOneValueAreNone) {
  for (const std::string data : {"{7, 8}", "{7, %r1}", "{%r1, 8}"})
    EXPECT_EQ(ofElements(elements()[2], "setp.gt.u32 %p1, %r1, 31; @%p1 ret;\n"
                                        "st.shared.v2.b32 [%r3+8], " +
                                            data + ";")
                  .empty(),
              data == "{7, 8}")
        << data;
}

// The word, and the 16 bytes of a copy, that another thread has touched.
TEST(Races, NameTheAddress) {
  std::vector<uint32_t> out(64);
  for (const bool isCopy : {false, true}) {
    const Result r = runInOut(
        "mov.u32 %r3, tile; setp.ne.u32 %p2, %r1, 0;\n"
        "@!%p2 mbarrier.init.shared.b64 [%r3+1024], 1;\n"
        "fence.mbarrier_init.release.cluster; barrier.sync 0;\n"
        "setp.eq.u32 %p1, %r1, 40; @%p1 ld.shared.b32 %r9, [%r3+44];\n"
        "@%p2 ret;\n" +
            std::string(isCopy ? "cp.async.bulk.shared::cluster.global.mbarrier"
                                 "::complete_tx::bytes [%r3], [%d1], 48, "
                                 "[%r3+1024];"
                               : "st.shared.v4.b32 [%r3+32], {1, 2, 3, 4};"),
        std::vector<uint32_t>(12), out, {64},
        ".shared .align 128 .b8 tile[1040];\n");
    bool isNamed = false;
    for (const Diagnostic &d : r.diagnostics)
      isNamed |=
          d.check == "race" && d.str().find("0x42c") != std::string::npos;
    EXPECT_TRUE(isNamed) << r.text();
  }
}

TEST(Initialised, IsEachByte) {
  for (const Element &e : elements())
    for (bool global : {false, true}) {
      // Two elements are stored; every window of 1 to 16 bytes is read.
      const std::string space = global ? "global." : "shared.",
                        base = global ? "%d2" : "%r3";
      auto at = [&](unsigned offset) {
        return " [" + base + "+" + std::to_string(offset) + "]";
      };
      for (const Element &read : elements())
        for (unsigned offset = 0; offset < 64; offset += read.bytes) {
          const std::string text = ofElements(
              e, "setp.ne.u32 %p1, %r1, 0; @%p1 ret; st." + space + e.type +
                     at(16) + ", " + e.data + "; st." + space + e.type +
                     at(16 + e.bytes) + ", " + e.data + ";\nld." + space +
                     read.type + " " + read.data + "," + at(offset) + ";");
          const bool known =
              offset >= 16 && offset + read.bytes <= 16 + 2 * e.bytes;
          EXPECT_EQ(text.find("that nothing has written") == text.npos, known)
              << e.bytes << " and " << read.bytes << " at " << offset << "\n"
              << text;
        }
    }
}
