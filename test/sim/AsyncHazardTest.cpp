//===- AsyncHazardTest.cpp - Mistakes with asynchronous copies ------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Hazards.h"

using namespace mxfp4::sim;

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

// Until its mbarrier completes, a copy may still read: not even the thread that
// began it may overwrite the source, and behind a wait each thread may.
TEST(Hazards, ABulkLoadReadsUntilItsMbarrierCompletes) {
  auto waited = [](const std::string &label) {
    return label + ": mbarrier.try_wait.parity.shared.b64 %p5, [%r4], 0;\n" +
           "@!%p5 bra " + label + ";\n";
  };
  auto overwritten = [&](const char *thread, const std::string &wait) {
    return init() + "@%p1 st.global.v4.b32 [%d2], {1, 2, 3, 4};\n" +
           "fence.proxy.async; barrier.sync 0;\n"
           "@%p1 mbarrier.arrive.expect_tx.shared.b64 _, [%r4], 16;\n"
           "@%p1 cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::"
           "bytes [%r3], [%d2], 16, [%r4];\n" +
           wait + "@" + thread + " st.global.b32 [%d2], 5;\n" + waited("END");
  };
  const std::string wait = waited("W");
  const char *const race = "its mbarrier has not been waited for";
  check({{overwritten("%p1", wait), nullptr},
         {overwritten("%p4", wait), nullptr},
         {overwritten("%p1", ""), race},
         {overwritten("%p4", "barrier.sync 0;\n"), race}});
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
         {copied("@%p4 fence.mbarrier_init.release.cluster;\n", ""), other},
         {copied("@%p2 fence.mbarrier_init.release.cluster;\n", ""), other}});
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

TEST(Hazards, CopiesArriveAtAnMbarrier) {
  const std::string arrive = "cp.async.mbarrier.arrive.noinc.shared.b64 [%r4];";
  check({{"@%p1 mbarrier.init.shared.b64 [%r4], 64; barrier.sync 0; " + arrive,
          nullptr},
         {arrive, "cp.async.mbarrier.arrive uses an mbarrier at shared"}});
}

TEST(Hazards, BulkCopiesStayInTheirBuffers) {
  auto stored = [](const char *where, const char *bytes) {
    return "@%p1 st.shared.v4.b32 [%r3], {1, 2, 3, 4};\nfence.proxy.async;\n"
           "@%p1 st.shared.v4.b32 [%r3+16], {1, 2, 3, 4};\n"
           "fence.proxy.async;\n@%p1 cp.async.bulk.global.shared::cta"
           ".bulk_group [" +
           std::string(where) + "], [%r3], " + bytes +
           ";\n@%p1 cp.async.bulk.commit_group;\n"
           "@%p1 cp.async.bulk.wait_group 0;";
  };
  check({{stored("%d2+240", "16"), nullptr},
         {stored("%d2+240", "32"), "beyond the end of buffer 1 (256 bytes)"},
         {stored("%d2+256", "16"), "beyond the end of buffer 1 (256 bytes)"},
         {stored("%d2+65536", "16"), "which is in no buffer"},
         {stored("%d1", "16"), "which the launch declares read-only"}});
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
  std::vector<uint32_t> out(8);
  EXPECT_NE(storedAsync(st + "b32 [%r3], %r5, [%r4];", 0, out)
                .find("st.async uses an mbarrier at shared address"),
            std::string::npos);
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
