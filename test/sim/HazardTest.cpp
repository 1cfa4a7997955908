//===- HazardTest.cpp - Mistakes with mbarriers, barriers and lanes -------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Hazards.h"

using namespace mxfp4::sim;

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

// Sixteen threads and a warp are more than a barrier of 32 threads expects.
TEST(Hazards, BarriersTakeNoMoreThreadsThanTheyExpect) {
  auto arriving = [](const char *threads) {
    return "setp.lt.u32 %p5, %r1, " + std::string(threads) +
           ";\n@%p5 barrier.arrive 1, 64; barrier.sync 0;\n"
           "@%p3 barrier.arrive 1, 64; barrier.sync 0;\n"
           "@%p3 barrier.arrive 1, 64;";
  };
  check({{arriving("32") + " @%p3 barrier.arrive 1, 64;", nullptr},
         {arriving("16"), "expects 64 threads and 80 have arrived"}});
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
