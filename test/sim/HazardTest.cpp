//===- HazardTest.cpp - Mistakes with mbarriers and lanes, and their twins
//-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Each mistake must be reported, and the kernel without it must not be.
//
//===----------------------------------------------------------------------===//

#include "Harness.h"

using namespace mxfp4::sim;

namespace {

struct Case {
  std::string body;
  const char *finding; ///< Part of one; nullptr: there is none.
};

const char *const kShared = ".shared .align 16 .b8 tile[1024];\n"
                            ".shared .align 8 .b64 bar[4];\n";

/// What 64 threads do with a tile at %r3 and an mbarrier at %r4; %p1 is true in
/// thread 0, %p2 in thread 1, %p3 in the second warp, %p4 in its first thread.
void check(const std::vector<Case> &cases) {
  for (const Case &c : cases) {
    std::vector<uint32_t> out(64);
    const Result r = runInOut(
        "mov.u32 %r3, tile; mov.u32 %r4, bar; setp.eq.u32 %p1, %r1, 0;\n"
        "setp.eq.u32 %p2, %r1, 1; setp.gt.u32 %p3, %r1, 31;\n"
        "setp.eq.u32 %p4, %r1, 32; cvt.u64.u32 %d3, %r1;\n" +
            c.body + "\nret;",
        std::vector<uint32_t>(64), out, {64}, kShared);
    const std::string found = r.text();
    if (!c.finding)
      EXPECT_EQ(found, "") << c.body;
    else
      EXPECT_NE(found.find(c.finding), std::string::npos) << c.body << "\n"
                                                          << found;
  }
}

std::string init() { return "@%p1 mbarrier.init.shared.b64 [%r4], 1;\n"; }
std::string inval() { return "@%p1 mbarrier.inval.shared.b64 [%r4];\n"; }

} // namespace

TEST(Hazards, TheLifeOfAnMbarrier) {
  const std::string store = "@%p1 st.shared.b64 [%r4], %d3;\n";
  const std::string load = "@%p1 ld.shared.b64 %d4, [%r4];\n";
  check({{init(), nullptr},
         {init() + init(), "is initialised again without mbarrier.inval"},
         {init() + inval() + init(), nullptr},
         {init() + store, "overwrites a live mbarrier object"},
         {init() + inval() + store + load, nullptr},
         {init() + inval() + load, "that nothing has written"},
         {inval(), "mbarrier.inval uses an mbarrier at shared address"},
         {init() + inval() + inval(), "where none has been initialised"},
         {"@%p1 mbarrier.init.shared.b64 [%r4], 0;", "from 1 to 2^20 - 1"},
         {"@%p1 mbarrier.init.shared.b64 [%r4], 1048575;", nullptr},
         {"@%p1 mbarrier.init.shared.b64 [%r4], 1048576;", "found 1048576"}});
}

TEST(Hazards, ArrivalsAtAnMbarrier) {
  const std::string two = "@%p1 mbarrier.init.shared.b64 [%r4], 2;\n";
  const std::string arrive = " mbarrier.arrive.shared.b64 _, [%r4]";
  check({{init() + "@%p2" + arrive + ";", "by another thread: no barrier"},
         {init() + "bar.warp.sync -1; @%p2" + arrive + ";", nullptr},
         {init() + "barrier.sync 0; @%p4" + arrive + ";", nullptr},
         {two + "@%p1" + arrive + ", 2;", nullptr},
         {two + "@%p1" + arrive + ", 3;", "must be from 1 to the mbarrier's 2"},
         {two + "@%p1" + arrive + ", 0;", "must be from 1 to the mbarrier's 2"},
         {two + "@%p1" + arrive + "; @%p1" + arrive + ", 2;",
          "more threads arrive than that"},
         {init() + "bar.warp.sync -1; setp.lt.u32 %p5, %r1, 2; @%p5" + arrive +
              ";",
          "complete more than one phase"}});
}

TEST(Hazards, TransactionBytesHaveALimit) {
  const std::string expect =
      "@%p1 mbarrier.expect_tx.relaxed.cta.shared::cta.b64 [%r4], ";
  check({{init() + expect + "1048575;\n" + inval(), nullptr},
         {init() + expect + "1048576;", "reaches 1048576, beyond what it can"},
         {init() + expect + "1048575;" + expect + "1;", "reaches 1048576"}});
}

// What one thread has stored and fenced, another one may copy behind a wait.
TEST(Hazards, AFenceOfGlobalMemoryIsPassedOnByMbarriers) {
  auto copied = [](const char *fence) {
    return init() + "@%p1 mbarrier.init.shared.b64 [%r4+8], 1;\n" +
           "fence.mbarrier_init.release.cluster; barrier.sync 0;\n"
           "@%p3 bra WAIT; @!%p1 bra END;\n"
           "st.global.v4.b32 [%d2], {1, 2, 3, 4};\n" +
           fence +
           "mbarrier.arrive.shared.b64 _, [%r4]; bra END;\n"
           "WAIT: @!%p4 bra END;\n"
           "W: mbarrier.try_wait.parity.shared.b64 %p5, [%r4], 0;\n"
           "@!%p5 bra W;\n"
           "mbarrier.arrive.expect_tx.shared.b64 _, [%r4+8], 16;\n"
           "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes "
           "[%r3], [%d2], 16, [%r4+8];\n"
           "V: mbarrier.try_wait.parity.shared.b64 %p5, [%r4+8], 0;\n"
           "@!%p5 bra V;\nEND:";
  };
  check({{copied("fence.proxy.async;\n"), nullptr},
         {copied(""), "without a fence.proxy.async in between"}});
}

// fence.mbarrier_init is for mbarriers that the same thread has initialised,
// and for nothing else.
TEST(Hazards, AFenceOfMbarriersIsNoFenceOfData) {
  auto stored = [](const char *fence, const char *thread = "%p1") {
    return "@!" + std::string(thread) +
           " bra END; st.shared.v4.b32 [%r3], {1, 2, 3, 4};\n" + fence +
           "cp.async.bulk.global.shared::cta.bulk_group [%d2], [%r3], 16;\n"
           "cp.async.bulk.commit_group; cp.async.bulk.wait_group 0;\nEND:";
  };
  // The first thread of the second warp copies.
  auto copied = [](const char *ahead, const char *behind) {
    return init() + ahead + "barrier.sync 0;\n" + behind +
           "@!%p4 bra END;\n"
           "mbarrier.arrive.expect_tx.shared.b64 _, [%r4], 16;\n"
           "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes "
           "[%r3], [%d1], 16, [%r4];\n"
           "W: mbarrier.try_wait.parity.shared.b64 %p5, [%r4], 0;\n"
           "@!%p5 bra W;\nEND:";
  };
  const char *const fence = "fence.mbarrier_init.release.cluster;\n";
  const char *const other = "without a fence.mbarrier_init";
  check({{stored("fence.proxy.async;\n"), nullptr},
         {stored(fence), "without a fence.proxy.async in between"},
         {stored("fence.proxy.async;\n", "%p4"), nullptr},
         {stored(fence, "%p4"), "without a fence.proxy.async in between"},
         {copied(fence, ""), nullptr},
         {copied("fence.proxy.async;\n", ""), nullptr},
         {copied("", ""), other},
         {copied("", fence), other},
         {copied("@%p4 fence.mbarrier_init.release.cluster;\n", ""), other}});
}

// A relaxed arrival at the barrier of a cluster passes on what fences ahead of
// it have released.
TEST(Hazards, FencesAheadOfARelaxedBarrierOfAClusterRelease) {
  const std::string barrier = "barrier.cluster.arrive.relaxed.aligned;\n"
                              "barrier.cluster.wait.aligned;\n";
  auto used = [&](const char *fence) {
    return init() + fence + barrier +
           "@%p4 mbarrier.arrive.expect_tx.shared.b64 _, [%r4], 16;\n"
           "@%p4 cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::"
           "bytes [%r3], [%d1], 16, [%r4];\n"
           "@!%p4 bra END;\n"
           "W: mbarrier.try_wait.parity.shared.b64 %p5, [%r4], 0;\n"
           "@!%p5 bra W;\nEND:";
  };
  auto stored = [&](const char *fence) {
    return init() + "@%p1 st.shared.b32 [%r3], 5;\n" + fence + barrier +
           "@%p4 ld.shared.b32 %r5, [%r3];";
  };
  const char *const inits = "fence.mbarrier_init.release.cluster;\n";
  const char *const all = "fence.acq_rel.cluster;\n";
  check({{used(inits), nullptr},
         {used(""), "no barrier orders the two"},
         {used(all), "without a fence.mbarrier_init"},
         {used("fence.acq_rel.cluster; fence.proxy.async;\n"), nullptr},
         {stored(all), nullptr},
         {stored(""), "no barrier orders the two"}});
}

TEST(Hazards, BulkCopiesHaveASizeAndAnMbarrier) {
  auto copied = [](const std::string &start, const char *bytes) {
    return start + "mov.u32 %r5, " + bytes +
           ";\n@%p1 mbarrier.expect_tx.relaxed.cta.shared::cta.b64 [%r4], "
           "%r5;\n@%p1 cp.async.bulk.shared::cluster.global.mbarrier::"
           "complete_tx::bytes [%r3], [%d1], %r5, [%r4];\n"
           "@%p1 mbarrier.arrive.shared.b64 _, [%r4];\n"
           "W: mbarrier.try_wait.parity.shared.b64 %p5, [%r4], 0;\n"
           "@!%p5 bra W;";
  };
  const std::string fenced = init() + "fence.mbarrier_init.release.cluster; "
                                      "barrier.sync 0;\n";
  const char *const size = "a bulk copy moves a multiple of 16 bytes";
  check({{copied(fenced, "16"), nullptr},
         {copied(fenced, "256"), nullptr},
         {copied(fenced, "8"), size},
         {copied(fenced, "0"), size},
         {copied(fenced, "1048576"), size},
         {"@%p1 cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::"
          "bytes [%r3], [%d1], 16, [%r4];",
          "the bulk copy uses an mbarrier at shared address"}});
}

// All lanes store one value, and then one of them another.
TEST(Hazards, AStoreBehindThoseOfOtherLanes) {
  auto stored = [](const char *sync) {
    return "@%p3 bra END; st.shared.b32 [%r3], 5;\n" + std::string(sync) +
           "@%p1 st.shared.b32 [%r3], 7;\nEND:";
  };
  check({{stored(""), "no barrier orders the two"},
         {stored("bar.warp.sync -1;\n"), nullptr}});
}

// Eight lanes come to the barrier on one way, eight on another, and the rest of
// the warp is past it. Those that store come first or last.
TEST(Hazards, LanesMeetOnDifferentWays) {
  auto meeting = [](bool first, const std::string &sync) {
    const std::string store = "st.shared.b32 [%r6], %r1; ", none = "mov.u32 "
                                                                   "%r7, 9; ";
    return "@%p3 bra END; shl.b32 %r5, %r1, 2; add.u32 %r6, %r3, %r5;\n"
           "setp.ge.u32 %p5, %r1, 8; setp.ge.u32 %p6, %r1, 16;\n"
           "@%p5 bra T; " +
           (first ? store : none) + "bra MEET;\nT: @%p6 bra END; " +
           (first ? none : store) + "\nMEET: " + sync +
           (first ? "\n@!%p5 bra END; ld.shared.b32 %r8, [%r6-32];\n"
                    "add.u32 %r9, %r8, 8;"
                  : "\n@%p5 bra END; ld.shared.b32 %r8, [%r6+32];\n"
                    "sub.u32 %r9, %r8, 8;") +
           "setp.ne.u32 %p7, %r9, %r1;\n@%p7 trap;\nEND:";
  };
  check({{meeting(true, "bar.warp.sync 0xffff;"), nullptr},
         {meeting(false, "bar.warp.sync 0xffff;"), nullptr},
         {meeting(true, ""), "no barrier orders the two"},
         {"@%p3 bra END; bar.warp.sync 0xfffe; END:",
          "its member mask 0xfffe leaves that thread out"},
         {"@%p3 bra END; bar.warp.sync -2; END:",
          "its member mask 0xfffffffe leaves that thread out"}});
}

// What a thread has stored and fenced, another one may copy behind a wait, and
// another lane of its warp may read.
TEST(Hazards, WhatStandsBehindAnMbarrierIsKnown) {
  auto copied = [](const char *fence) {
    return init() +
           "barrier.sync 0;\n@%p3 bra WAIT; @!%p1 bra END;\n"
           "st.shared.v4.b32 [%r3], {1, 2, 3, 4};\n" +
           fence +
           "mbarrier.arrive.shared.b64 _, [%r4]; bra END;\n"
           "WAIT: @!%p4 bra END;\n"
           "W: mbarrier.try_wait.parity.shared.b64 %p5, [%r4], 0;\n"
           "@!%p5 bra W;\n"
           "cp.async.bulk.global.shared::cta.bulk_group [%d2], [%r3], 16;\n"
           "cp.async.bulk.commit_group; cp.async.bulk.wait_group 0;\nEND:";
  };
  auto read = [](const char *wait) {
    return init() +
           "barrier.sync 0;\n@%p3 bra END;\n"
           "@%p1 st.shared.b32 [%r3], 7;\n"
           "@%p1 mbarrier.arrive.shared.b64 _, [%r4];\n" +
           wait + "@%p2 ld.shared.b32 %r8, [%r3];\nEND:";
  };
  check({{copied("fence.proxy.async;\n"), nullptr},
         {copied(""), "without a fence.proxy.async in between"},
         {read("W: mbarrier.try_wait.parity.shared.b64 %p5, [%r4], 0;\n"
               "@!%p5 bra W;\n"),
          nullptr},
         {read(""), "no barrier orders the two"}});
}

// Lanes commit and wait for bulk stores each by itself: behind the wait of one
// lane, the memory that another lane's store reads is not free.
TEST(Hazards, AWaitForBulkStoresIsOfOneLane) {
  auto stores = [](const char *waits, const char *overwritten) {
    return std::string(
               "@%p3 bra END;\n@%p1 st.shared.v4.b32 [%r3], {1, 2, 3, 4};\n"
               "@%p2 st.shared.v4.b32 [%r3+16], {1, 2, 3, 4};\n"
               "fence.proxy.async;\nadd.s64 %d5, %d2, 16;\n"
               "@%p1 cp.async.bulk.global.shared::cta.bulk_group [%d2], "
               "[%r3], 16;\n"
               "@%p2 cp.async.bulk.global.shared::cta.bulk_group [%d5], "
               "[%r3+16], 16;\n"
               "cp.async.bulk.commit_group;\n") +
           waits + " cp.async.bulk.wait_group 0;\nbar.warp.sync -1;\n@%p1 " +
           "st.shared.b32 [" + overwritten +
           "], 9;\ncp.async.bulk.wait_group 0;\nEND:";
  };
  const char *const reads = "still reads: cp.async.bulk.wait_group has not";
  check({{stores("@%p1", "%r3"), nullptr},
         {stores("@%p1", "%r3+16"), reads},
         {stores("@%p2", "%r3"), reads},
         {stores("@%p2", "%r3+16"), nullptr},
         {stores("", "%r3+16"), nullptr}});
}

// A group without stores needs no wait, and a store needs one although its
// group was never committed.
TEST(Hazards, AThreadDoesNotExitBeforeItsBulkStores) {
  const std::string store =
      "@%p1 st.shared.v4.b32 [%r3], {1, 2, 3, 4};\nfence.proxy.async;\n"
      "@%p1 cp.async.bulk.global.shared::cta.bulk_group [%d2], [%r3], 16;\n";
  const std::string commit = "cp.async.bulk.commit_group;\n",
                    wait = "cp.async.bulk.wait_group 0;";
  const char *const exits = "exits while a bulk store may still read";
  check(
      {{commit, nullptr},
       {store + commit + wait, nullptr},
       {store + commit + "@%p1 " + wait, nullptr},
       {store + commit + commit + "@%p1 cp.async.bulk.wait_group 1;", nullptr},
       {store + commit + "@%p2 " + wait, exits},
       {store + commit + "cp.async.bulk.wait_group 1;", exits},
       {store + wait, exits},
       {store, exits}});
}

TEST(Hazards, BarriersExistAndCountWholeWarps) {
  const char *const count =
      "must be a multiple of 32 from 32 to the block's 64";
  check(
      {{"barrier.sync 15, 64;", nullptr},
       {"mov.u32 %r5, 16; barrier.sync %r5, 64;", "a block has barriers 0 to"},
       {"mov.u32 %r5, 0; barrier.sync 1, %r5;", count},
       {"mov.u32 %r5, 33; barrier.sync 1, %r5;", count},
       {"mov.u32 %r5, 96; barrier.sync 1, %r5;", count}});
}

// Checks that are left out say nothing.
TEST(Hazards, RacesAreNotReportedUnasked) {
  for (const bool isChecked : {true, false}) {
    Options o;
    o.checkRaces = o.checkUninitialised = isChecked;
    std::vector<uint32_t> out(64);
    const Result r = runInOut(
        "mov.u32 %r3, tile; setp.eq.u32 %p1, %r1, 0;\n"
        "st.shared.b32 [%r3], %r1; ld.shared.b32 %r5, [%r3+64];\n"
        "@%p1 cp.async.bulk.global.shared::cta.bulk_group [%d2], [%r3], 16;\n"
        "@%p1 cp.async.bulk.commit_group; @%p1 cp.async.bulk.wait_group 0;\n"
        "ret;",
        std::vector<uint32_t>(1), out, {64}, kShared, o);
    for (const char *name : {"[race]", "[proxy]", "[uninitialised]"})
      EXPECT_EQ(r.text().find(name) != std::string::npos, isChecked)
          << name << r.text();
  }
}

/// Eight 32-bit words that a thread stores asynchronously, and what it reads.
static std::string storedAsync(const std::string &stores, unsigned bytes,
                               std::vector<uint32_t> &out) {
  return runInOut("mov.u32 %r3, tile; mov.u32 %r4, bar; mov.u32 %r5, 5;\n"
                  "mov.u32 %r6, 6; mov.u32 %r7, 7; mov.u32 %r8, 8;\n"
                  "mov.b64 %d5, {%r5, %r6}; mov.b64 %d6, {%r7, %r8};\n"
                  "st.shared.v4.b32 [%r3], {1, 2, 3, 4};\n"
                  "st.shared.v4.b32 [%r3+16], {1, 2, 3, 4};\n"
                  "mbarrier.init.shared.b64 [%r4+8], 1;\n"
                  "mbarrier.arrive.expect_tx.shared.b64 _, [%r4+8], " +
                      std::to_string(bytes) + ";\n" + stores +
                      "\nW: mbarrier.try_wait.parity.shared.b64 %p1, [%r4+8], "
                      "0; @!%p1 bra W;\n"
                      "ld.shared.v4.b32 {%r10, %r11, %r12, %r13}, [%r3];\n"
                      "ld.shared.v4.b32 {%r14, %r15, %r16, %r17}, [%r3+16];\n"
                      "st.global.v4.b32 [%d2], {%r10, %r11, %r12, %r13};\n"
                      "st.global.v4.b32 [%d2+16], {%r14, %r15, %r16, %r17};\n"
                      "ret;",
                  std::vector<uint32_t>(1), out, {1}, kShared)
      .text();
}

TEST(StAsync, StoresVectors) {
  const std::string st =
      "st.async.shared::cluster.mbarrier::complete_tx::bytes.";
  const std::pair<std::string, std::vector<uint32_t>> forms[] = {
      {"b32 [%r3+20], %r5, [%r4+8];", {1, 2, 3, 4, 1, 5, 3, 4}},
      {"v2.b32 [%r3+8], {%r5, %r6}, [%r4+8];", {1, 2, 5, 6, 1, 2, 3, 4}},
      {"v4.b32 [%r3+16], {%r5, %r6, %r7, %r8}, [%r4+8];",
       {1, 2, 3, 4, 5, 6, 7, 8}},
      {"b64 [%r3+8], %d5, [%r4+8];", {1, 2, 5, 6, 1, 2, 3, 4}},
      {"v2.b64 [%r3+16], {%d5, %d6}, [%r4+8];", {1, 2, 3, 4, 5, 6, 7, 8}}};
  for (const auto &[form, wanted] : forms) {
    unsigned bytes = 0;
    const uint32_t before[] = {1, 2, 3, 4, 1, 2, 3, 4};
    for (size_t i = 0; i < 8; ++i)
      bytes += wanted[i] == before[i] ? 0 : 4;
    std::vector<uint32_t> out(8);
    EXPECT_EQ(storedAsync(st + form, bytes, out), "") << form;
    EXPECT_EQ(out, wanted) << form;
  }
  const std::pair<const char *, const char *> refused[] = {
      {"v4.b64 [%r3], {%d5, %d5, %d5, %d5}, [%r4];", "128 in all"},
      {"b16 [%r3], %h5, [%r4];", "32 or 64 bits"},
      {"v2.b32 [%r3], %r5, [%r4];", "expected 2 registers of data, found 1"},
      {"b32 [%r3], %r5;", "3 operands, found 2"},
      {"b32 [%r3], %r5, [%r4], %r6;", "3 operands, found 4"}};
  for (const auto &[form, sentence] : refused)
    EXPECT_NE(
        parseError(kernel("", st + form + " ret;", kShared)).find(sentence),
        std::string::npos)
        << form;
}

// The first thread of each block of a grid of clusters tells where it is.
TEST(Cluster, PlacesInThreeDimensions) {
  const std::string body =
      "mov.u32 %r10, %ctaid.x; mov.u32 %r11, %ctaid.y; mov.u32 %r12, "
      "%ctaid.z;\n"
      "mov.u32 %r13, %nctaid.x; mov.u32 %r14, %nctaid.y;\n"
      "mad.lo.u32 %r15, %r12, %r14, %r11; mad.lo.u32 %r15, %r15, %r13, %r10;\n"
      "mul.wide.u32 %d3, %r15, 64; ld.param.u64 %d1, [out];\n"
      "add.s64 %d3, %d3, %d1;\n"
      "mov.u32 %r20, %cluster_ctaid.x; mov.u32 %r21, %cluster_ctaid.y;\n"
      "mov.u32 %r22, %cluster_ctaid.z; mov.u32 %r23, %cluster_ctarank;\n"
      "st.global.v4.b32 [%d3], {%r20, %r21, %r22, %r23};\n"
      "mov.u32 %r20, %clusterid.x; mov.u32 %r21, %clusterid.y;\n"
      "mov.u32 %r22, %clusterid.z; mov.u32 %r23, %cluster_nctarank;\n"
      "st.global.v4.b32 [%d3+16], {%r20, %r21, %r22, %r23};\n"
      "mov.u32 %r20, %nclusterid.x; mov.u32 %r21, %nclusterid.y;\n"
      "mov.u32 %r22, %nclusterid.z; mov.u32 %r23, %cluster_nctaid.x;\n"
      "st.global.v4.b32 [%d3+32], {%r20, %r21, %r22, %r23};\n"
      "mov.u32 %r20, %cluster_nctaid.y; mov.u32 %r21, %cluster_nctaid.z;\n"
      "mov.u32 %r22, %lanemask_gt; mov.u32 %r23, %lanemask_ge;\n"
      "st.global.v4.b32 [%d3+48], {%r20, %r21, %r22, %r23}; ret;";
  auto m = parse(
      kernel(".param .u64 out", body, "", "\n.reqnctapercluster 2, 3, 2\n"));
  ASSERT_TRUE(m);
  constexpr uint32_t nx = 4, ny = 9, nz = 6;
  std::vector<uint32_t> out(nx * ny * nz * 16);
  Launch l;
  l.grid = {nx, ny, nz};
  l.block = {1};
  l.argBuffer(l.addBuffer(out.data(), out.size() * 4, {false, true}));
  ASSERT_EQ(run(*m, "k", l, {}).text(), "");
  for (uint32_t x = 0; x < nx; ++x)
    for (uint32_t y = 0; y < ny; ++y)
      for (uint32_t z = 0; z < nz; ++z) {
        const uint32_t *at = &out[((z * ny + y) * nx + x) * 16];
        EXPECT_EQ(std::vector<uint32_t>(at, at + 16),
                  (std::vector<uint32_t>{
                      x % 2, y % 3, z % 2, (z % 2 * 3 + y % 3) * 2 + x % 2,
                      x / 2, y / 3, z / 2, 12, nx / 2, ny / 3, nz / 2, 2, 3, 2,
                      0xfffffffe, 0xffffffff}))
            << x << " " << y << " " << z;
      }
}
