//===- SyncTest.cpp - Barriers, fences and mbarriers ----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Harness.h"

using namespace mxfp4::sim;

static Result seeds(const std::string &body, unsigned threads,
                    const std::string &mod, std::vector<uint32_t> &out,
                    Dim3 grid = {}) {
  Result r;
  for (uint64_t s = 1; s <= 10; ++s) {
    Options o;
    o.seed = s;
    r = runInOut(body, std::vector<uint32_t>{0}, out, {threads}, mod, o, grid);
    EXPECT_EQ(r.text(), "") << "seed " << s;
  }
  return r;
}

static const char *tile = ".shared .align 16 .b8 tile[1024];\n"
                          ".shared .align 8 .b64 bar[4];\n";

TEST(Barrier, OrdersSharedMemory) {
  std::vector<uint32_t> out(128);
  seeds("shl.b32 %r2, %r1, 2; mov.b32 %r3, tile; add.s32 %r4, %r2, %r3;\n"
        "st.shared.b32 [%r4], %r1; barrier.sync.aligned 3, 128;\n"
        "xor.b32 %r5, %r2, 0x1fc; add.s32 %r5, %r5, %r3; ld.shared.b32 %r6, "
        "[%r5];\n"
        "cvt.u64.u32 %d3, %r2; add.s64 %d3, %d3, %d2; st.global.b32 [%d3], "
        "%r6; ret;",
        128, tile, out);
  for (uint32_t t = 0; t < 128; ++t)
    EXPECT_EQ(out[t], t ^ 127);
}

TEST(Barrier, ArriveAndSyncPairs) {
  std::vector<uint32_t> out(1);
  seeds("setp.ge.u32 %p1, %r1, 32; @%p1 bra C;\n"
        "setp.eq.u32 %p2, %r1, 0; @%p2 st.shared.b32 [tile], 5; bar.arrive 1, "
        "64; ret;\n"
        "C: bar.sync 1, 64; ld.shared.b32 %r2, [tile]; setp.eq.u32 %p3, %r1, "
        "32;\n"
        "@%p3 st.global.b32 [%d2], %r2; ret;",
        64, tile, out);
  EXPECT_EQ(out[0], 5u);
}

/// A ring of two slots between one producer thread and one consumer warp.
TEST(Mbarrier, ProducerAndConsumer) {
  std::vector<uint32_t> out(32);
  seeds(
      "mov.b32 %r10, bar; mov.b32 %r11, tile; mov.b32 %r12, 0;\n"
      "setp.ne.u32 %p1, %r1, 0; @%p1 bra I;\n"
      "mbarrier.init.shared::cta.b64 [%r10], 1; mbarrier.init.shared::cta.b64 "
      "[%r10+8], 1;\n"
      "mbarrier.init.shared::cta.b64 [%r10+16], 32; "
      "mbarrier.init.shared::cta.b64 [%r10+24], 32;\n"
      "I: bar.sync 0; setp.lt.u32 %p2, %r1, 32; @%p2 bra CONSUME;\n"
      "setp.ne.u32 %p3, %r1, 32; @%p3 ret;\n"
      "PRODUCE: and.b32 %r2, %r12, 1; shl.b32 %r3, %r2, 3; add.s32 %r4, %r10, "
      "%r3;\n"
      "shr.u32 %r5, %r12, 1; and.b32 %r5, %r5, 1; xor.b32 %r6, %r5, 1;\n"
      "PW: mbarrier.try_wait.parity.shared::cta.b64 %p4, [%r4+16], %r6; @!%p4 "
      "bra PW;\n"
      "shl.b32 %r7, %r2, 2; add.s32 %r7, %r7, %r11; mul.lo.u32 %r8, %r12, "
      "%r12;\n"
      "st.shared.b32 [%r7], %r8; mbarrier.arrive.shared::cta.b64 _, [%r4];\n"
      "add.s32 %r12, %r12, 1; setp.lt.u32 %p5, %r12, 9; @%p5 bra PRODUCE; "
      "ret;\n"
      "CONSUME: mov.b32 %r20, 0;\n"
      "L: and.b32 %r2, %r12, 1; shl.b32 %r3, %r2, 3; add.s32 %r4, %r10, %r3;\n"
      "shr.u32 %r5, %r12, 1; and.b32 %r5, %r5, 1;\n"
      "CW: mbarrier.try_wait.parity.shared::cta.b64 %p4, [%r4], %r5; @!%p4 bra "
      "CW;\n"
      "shl.b32 %r7, %r2, 2; add.s32 %r7, %r7, %r11; ld.shared.b32 %r8, [%r7];\n"
      "add.s32 %r20, %r20, %r8; mbarrier.arrive.shared::cta.b64 _, [%r4+16];\n"
      "add.s32 %r12, %r12, 1; setp.lt.u32 %p5, %r12, 9; @%p5 bra L;\n"
      "mul.wide.u32 %d3, %r1, 4; add.s64 %d3, %d3, %d2; st.global.b32 [%d3], "
      "%r20; ret;",
      64, tile, out);
  EXPECT_EQ(out[31], 204u);
}

TEST(Fences, MessagePassingBetweenBlocks) {
  std::vector<uint32_t> out(3);
  seeds("ld.global.b32 %r9, [%d1]; mov.u32 %r2, %ctaid.x; setp.eq.u32 %p1, "
        "%r2, 0;\n"
        "@%p1 bra W; st.global.b32 [%d2], 42; fence.acq_rel.gpu;\n"
        "atom.global.exch.b32 %r3, [flag], 1; ret;\n"
        "W: ld.acquire.gpu.global.b32 %r4, [flag]; setp.eq.u32 %p2, %r4, 0; "
        "@%p2 bra W;\n"
        "ld.global.b32 %r5, [%d2]; st.global.b32 [%d2+8], %r5; ret;",
        1, ".global .align 4 .b32 flag;\n", out, {2});
  EXPECT_EQ(out[2], 42u);
}

TEST(Scheduler, IsDeterministicForASeed) {
  std::string body =
      "atom.global.add.u32 %r2, [count], 1; mov.u32 %r3, %ctaid.x;\n"
      "shl.b32 %r3, %r3, 7; add.s32 %r3, %r3, %r1;\n"
      "mul.wide.u32 %d3, %r3, 4; add.s64 %d3, %d3, %d2;\n"
      "st.global.b32 [%d3], %r2; ret;";
  const char *mod = ".global .align 4 .b32 count;\n";
  std::vector<uint32_t> a(512), b(512), c(512);
  Options o;
  runInOut(body, std::vector<uint32_t>{0}, a, {128}, mod, o, {4});
  runInOut(body, std::vector<uint32_t>{0}, b, {128}, mod, o, {4});
  o.seed = 2;
  runInOut(body, std::vector<uint32_t>{0}, c, {128}, mod, o, {4});
  EXPECT_EQ(a, b);
  EXPECT_NE(a, c);
}

TEST(Scheduler, ClustersInParallel) {
  std::vector<uint32_t> out(64 * 32);
  Options o;
  o.hostThreads = 4;
  Result r = runInOut("red.global.add.u32 [count], 1; mov.u32 %r3, %ctaid.x;\n"
                      "shl.b32 %r4, %r3, 5; add.s32 %r4, %r4, %r1;\n"
                      "mul.wide.u32 %d3, %r4, 4; add.s64 %d3, %d3, %d2;\n"
                      "st.global.b32 [%d3], %r3; ret;",
                      std::vector<uint32_t>{0}, out, {32},
                      ".global .align 4 .b32 count;\n", o, {64});
  EXPECT_EQ(r.text(), "");
  for (uint32_t t = 0; t < out.size(); ++t)
    EXPECT_EQ(out[t], t / 32);
}

TEST(Cluster, BarrierAndDistributedSharedMemory) {
  auto m = parse(kernel(
      ".param .u64 out",
      "mov.u32 %r1, %tid.x; ld.param.u64 %d1, [out];\n"
      "mov.u32 %r2, %cluster_ctarank; mov.b32 %r3, tile;\n"
      "shl.b32 %r4, %r1, 2; add.s32 %r5, %r3, %r4;\n"
      "mad.lo.s32 %r6, %r2, 100, %r1; st.shared.b32 [%r5], %r6;\n"
      "barrier.cluster.arrive.aligned; barrier.cluster.wait.aligned;\n"
      "add.s32 %r7, %r2, 1; and.b32 %r7, %r7, 3;\n"
      "mapa.shared::cluster.u32 %r8, %r5, %r7;\n"
      "ld.shared::cluster.b32 %r9, [%r8]; shl.b32 %r10, %r2, 7;\n"
      // The second byte of the word, at an odd address.
      "add.s32 %r5, %r5, 1; mapa.shared::cluster.u32 %r8, %r5, %r7;\n"
      "ld.shared::cluster.u8 %r11, [%r8]; shl.b32 %r11, %r11, 16;\n"
      "add.s32 %r9, %r9, %r11;\n"
      "add.s32 %r10, %r10, %r4; cvt.u64.u32 %d2, %r10;\n"
      "add.s64 %d2, %d2, %d1; st.global.b32 [%d2], %r9;\n"
      "barrier.cluster.arrive.aligned; barrier.cluster.wait.aligned; ret;",
      tile, "\n.reqnctapercluster 4, 1, 1\n"));
  std::vector<uint32_t> out(128);
  Launch l;
  l.grid = {4};
  l.block = {32};
  l.argBuffer(l.addBuffer(out.data(), 512, {false, true}));
  EXPECT_EQ(run(*m, "k", l, {}).text(), "");
  for (uint32_t t = 0; t < 128; ++t) {
    const uint32_t stored = (t / 32 + 1) % 4 * 100 + t % 32;
    EXPECT_EQ(out[t], stored + (stored >> 8 << 16));
  }
}

// The barrier of a cluster also orders what lanes of one warp do.
TEST(Cluster, ItsBarrierIsOneOfTheWarp) {
  for (const bool meets : {true, false}) {
    auto m = parse(kernel(
        ".param .u64 out",
        std::string("mov.u32 %r1, %tid.x; mov.b32 %r3, tile;\n"
                    "shl.b32 %r4, %r1, 2; add.s32 %r5, %r3, %r4;\n"
                    "st.shared.b32 [%r5], %r1;\n") +
            (meets ? "barrier.cluster.arrive; barrier.cluster.wait;\n" : "") +
            "xor.b32 %r6, %r4, 124; add.s32 %r6, %r6, %r3;\n"
            "ld.shared.b32 %r7, [%r6]; st.shared.b32 [%r5+512], %r7;\n"
            "barrier.cluster.arrive; barrier.cluster.wait; ret;",
        tile, "\n.reqnctapercluster 2, 1, 1\n"));
    std::vector<uint32_t> out(1);
    Launch l;
    l.grid = {2};
    l.block = {32};
    l.argBuffer(l.addBuffer(out.data(), 4, {}));
    const std::string found = run(*m, "k", l, {}).text();
    EXPECT_EQ(found.find("no barrier orders the two") != std::string::npos,
              !meets)
        << found;
    if (meets)
      EXPECT_EQ(found, "");
  }
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
