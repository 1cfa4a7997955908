# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Laws of asynchronous copies, and of clusters."""

from kit import ADDR, CLUSTER, FILL, INOUT, REGS, TWO_BLOCKS, arg_in, arg_out, bits, law


def copy_laws():
    sh = ".shared .align 1024 .b8 tile[{n}];\n.shared .align 8 .b64 full;\n"
    for mode, size in [("ca", 4), ("ca", 8), ("ca", 16), ("cg", 16)]:
        for valid in [None, 0, size // 2 or 2]:
            extra = "" if valid is None else f", {valid}"
            body = (
                REGS
                + ADDR
                + f"""  mov.u32 %r4, tile;
  mad.lo.s32 %r5, %r1, {size}, %r4;
  mul.wide.u32 %d6, %r1, {size};
  add.s64 %d6, %d6, %d1;
  cp.async.{mode}.shared.global [%r5], [%d6], {size}{extra};
  cp.async.commit_group;
  cp.async.wait_group 0;
  bar.sync 0;
  ld.shared.b32 %r6, [%r5];
  st.global.b32 [%d5], %r6;
  ld.shared.b32 %r7, [%r5+{size - 4}];
  st.global.b32 [%d5+128], %r7;
  ret;
"""
            )
            law(
                f"cp-async-{mode}-{size}-{'all' if valid is None else valid}",
                body,
                INOUT,
                [arg_in("inputs/bytes.bin"), arg_out(256)],
                module=sh.format(n=512),
            )

    start = """  mov.u32 %r10, full;
  mov.u32 %r4, tile;
  setp.ne.u32 %p1, %r1, 0;
  @%p1 bra START;
  mbarrier.init.shared::cta.b64 [%r10], 1;
  fence.mbarrier_init.release.cluster;
START:
  bar.sync 0;
  @%p1 bra WAIT;
  mbarrier.arrive.expect_tx.shared::cta.b64 _, [%r10], {bytes};
"""
    wait = """WAIT:
  mbarrier.try_wait.parity.shared::cta.b64 %p2, [%r10], 0;
  @!%p2 bra WAIT;
  mov.b32 %r20, %r1;
COPY:
  shl.b32 %r21, %r20, 2;
  add.s32 %r22, %r4, %r21;
  ld.shared.b32 %r23, [%r22];
  cvt.u64.u32 %d8, %r21;
  add.s64 %d8, %d8, %d2;
  st.global.b32 [%d8], %r23;
  add.s32 %r20, %r20, 128;
  setp.lt.u32 %p3, %r20, {words};
  @%p3 bra COPY;
  ret;
"""
    body = (
        REGS
        + ADDR
        + start.format(bytes=4096)
        + """  cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%r4], [%d1+16], 4096, [%r10];
"""
        + wait.format(words=1024)
    )
    law(
        "bulk-load",
        body,
        INOUT,
        [arg_in("inputs/bytes.bin"), arg_out(4096)],
        block=128,
        module=sh.format(n=4096),
    )
    body = (
        REGS
        + ADDR
        + """  mov.u32 %r4, tile;
  shl.b32 %r3, %r1, 2;
  add.s32 %r5, %r4, %r3;
  st.shared.b32 [%r5], %r2;
  fence.proxy.async.shared::cta;
  bar.sync 0;
  setp.ne.u32 %p1, %r1, 0;
  @%p1 ret;
  cp.async.bulk.global.shared::cta.bulk_group [%d2], [%r4], 512;
  cp.async.bulk.commit_group;
  cp.async.bulk.wait_group 0;
  ret;
"""
    )
    law(
        "bulk-store",
        body,
        INOUT,
        [arg_in("inputs/bytes.bin"), arg_out(512)],
        block=128,
        module=sh.format(n=512),
    )
    law(
        "bulk-reduce-add-u32",
        body.replace(
            "cp.async.bulk.global.shared::cta.bulk_group",
            "cp.reduce.async.bulk.global.shared::cta.bulk_group.add.u32",
        ),
        INOUT,
        [arg_in("inputs/bytes.bin"), {"out": 512, "zero": True}],
        block=128,
        module=sh.format(n=512),
    )
    maps = [
        ("2d-b16-none", "b16", [64, 32], [32, 16], 0, [8, 4]),
        ("2d-b16-32", "b16", [64, 32], [16, 16], 32, [0, 0]),
        ("2d-b16-64", "b16", [64, 32], [32, 16], 64, [16, 2]),
        ("2d-b16-128", "b16", [128, 32], [64, 16], 128, [0, 8]),
        ("2d-b16-128-oob", "b16", [96, 24], [64, 16], 128, [64, 16]),
        ("2d-b16-128-negative", "b16", [96, 24], [64, 16], 128, [-8, -4]),
        ("1d-b32", "b32", [256], [128], 0, [64]),
        ("2d-b8-128", "b8", [256, 16], [128, 8], 128, [128, 4]),
        ("3d-b16-128", "b16", [64, 8, 4], [64, 4, 2], 128, [0, 2, 1]),
        ("4d-b16-none", "b16", [16, 4, 4, 4], [16, 4, 2, 4], 0, [0, 1, 1, 1]),
        ("5d-b32-none", "b32", [8, 4, 4, 2, 2], [8, 4, 2, 2, 1], 0, [0, 1, 1, 0, 1]),
    ]
    for name, t, dims, box, swz, at in maps:
        size = bits(t) // 8
        for d in box:
            size *= d
        rank = len(dims)
        coords = ", ".join(f"%r{30 + j}" for j in range(rank))
        set_coords = "".join(f"  mov.b32 %r{30 + j}, {c};\n" for j, c in enumerate(at))
        body = (
            REGS
            + ADDR
            + set_coords
            + start.format(bytes=size)
            + f"  mov.b64 %d9, map;\n  cvta.param.u64 %d9, %d9;\n"
            f"  cp.async.bulk.tensor.{rank}d.shared::cluster.global.mbarrier::complete_tx::bytes "
            f"[%r4], [%d9, {{{coords}}}], [%r10];\n" + wait.format(words=size // 4)
        )
        law(
            f"tensor-load-{name}",
            body,
            [".param .align 64 .b8 map[128]"] + INOUT,
            [
                {"map": 1, "type": t, "dims": dims, "box": box, "swizzle": swz},
                arg_in("inputs/bytes.bin"),
                arg_out(size),
            ],
            block=128,
            module=sh.format(n=8192),
        )
    for name, t, dims, box, swz, at in maps[:5]:
        size = bits(t) // 8
        for d in box:
            size *= d
        total = bits(t) // 8
        for d in dims:
            total *= d
        rank = len(dims)
        coords = ", ".join(str(c) for c in at)
        body = (
            REGS
            + ADDR
            + FILL.format(threads=128, words=size // 4)
            + f"""  setp.ne.u32 %p1, %r1, 0;
  @%p1 ret;
  mov.b64 %d9, map;
  cvta.param.u64 %d9, %d9;
  cp.async.bulk.tensor.{rank}d.global.shared::cta.bulk_group [%d9, {{{coords}}}], [%r4];
  cp.async.bulk.commit_group;
  cp.async.bulk.wait_group 0;
  ret;
"""
        )
        law(
            f"tensor-store-{name}",
            body,
            [".param .align 64 .b8 map[128]"] + INOUT,
            [
                {"map": 2, "type": t, "dims": dims, "box": box, "swizzle": swz},
                arg_in("inputs/bytes.bin"),
                {"out": total, "zero": True},
            ],
            block=128,
            module=sh.format(n=8192),
        )


def cluster_laws():
    body = (
        REGS
        + ADDR
        + """  mov.u32 %r3, %cluster_ctarank;
  mov.u32 %r4, word;
  shl.b32 %r5, %r1, 2;
  add.s32 %r5, %r5, %r4;
  mad.lo.s32 %r6, %r3, 1000, %r1;
  st.shared.b32 [%r5], %r6;
  barrier.cluster.arrive.aligned;
  barrier.cluster.wait.aligned;
  xor.b32 %r7, %r3, 1;
  mapa.shared::cluster.u32 %r8, %r5, %r7;
  ld.shared::cluster.b32 %r9, [%r8];
  mul.wide.u32 %d6, %r3, 128;
  add.s64 %d5, %d5, %d6;
  st.global.b32 [%d5], %r9;
  barrier.cluster.arrive.aligned;
  barrier.cluster.wait.aligned;
  ret;
"""
    )
    law(
        "cluster-dsmem",
        body,
        INOUT,
        [arg_in("inputs/bytes.bin"), arg_out(256)],
        grid=2,
        module=".shared .align 16 .b8 word[128];\n",
        directives=TWO_BLOCKS,
    )
    body = (
        REGS
        + ADDR
        + CLUSTER
        + """  barrier.cluster.arrive.aligned;
  barrier.cluster.wait.aligned;
  @%p1 bra WAIT;
  setp.ne.u32 %p3, %r3, 0;
  @%p3 bra WAIT;
  mov.b16 %h1, 3;
  cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes.multicast::cluster [%r4], [%d1], 128, [%r10], %h1;
WAIT:
  mbarrier.try_wait.parity.shared::cta.b64 %p2, [%r10], 0;
  @!%p2 bra WAIT;
  shl.b32 %r5, %r1, 2;
  add.s32 %r5, %r5, %r4;
  ld.shared.b32 %r9, [%r5];
  mul.wide.u32 %d6, %r3, 128;
  add.s64 %d5, %d5, %d6;
  st.global.b32 [%d5], %r9;
  barrier.cluster.arrive.aligned;
  barrier.cluster.wait.aligned;
  ret;
"""
    )
    law(
        "cluster-multicast",
        body,
        INOUT,
        [arg_in("inputs/bytes.bin"), arg_out(256)],
        grid=2,
        module=".shared .align 128 .b8 tile[128];\n.shared .align 8 .b64 full;\n",
        directives=TWO_BLOCKS,
    )
