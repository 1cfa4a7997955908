//===- Hazards.h - Kernels with a mistake, and their twins ------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Each mistake must be reported, and the kernel without it must not be.
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_TEST_SIM_HAZARDS_H
#define MXFP4_TEST_SIM_HAZARDS_H

#include "Harness.h"

namespace mxfp4::sim {

struct Hazard {
  std::string body;
  const char *finding; ///< Part of one; nullptr: there is none.
};

inline const char *const kShared = ".shared .align 16 .b8 tile[1024];\n"
                                   ".shared .align 8 .b64 bar[4];\n";

/// What 64 threads do with a tile at %r3 and an mbarrier at %r4; %p1 is true in
/// thread 0, %p2 in thread 1, %p3 in the second warp, %p4 in its first thread.
inline void check(const std::vector<Hazard> &cases) {
  for (const Hazard &c : cases) {
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

inline std::string init() {
  return "@%p1 mbarrier.init.shared.b64 [%r4], 1;\n";
}
inline std::string inval() { return "@%p1 mbarrier.inval.shared.b64 [%r4];\n"; }

} // namespace mxfp4::sim

#endif // MXFP4_TEST_SIM_HAZARDS_H
