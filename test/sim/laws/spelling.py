# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Laws of the forms that kernels from LLVM use: predicates, vectors, parameters."""

import struct

from kit import (
    ADDR,
    BULK,
    BYTES,
    CLUSTER,
    INOUT,
    REGS,
    SLOT,
    TILE,
    TWO_BLOCKS,
    arg_bytes,
    arg_in,
    arg_out,
    block_law,
    elementwise,
    law,
)


def predicate_laws():
    """Logic on predicates, and setp on bits."""
    setup = "  setp.lt.s32 %p2, {a}, {b};\n  setp.gt.u32 %p3, {b}, {c};\n"
    sources = {"a": "%r10", "b": "%r11", "c": "%r12"}
    for op in ["and", "or", "xor"]:
        elementwise(f"{op}-pred", f"{op}.pred {{d}}, %p2, %p3;", ["b32"] * 3, "pred",
                    ["int"] * 3, setup=setup.format(**sources))  # fmt: skip
    for op in ["not", "mov"]:
        elementwise(f"{op}-pred", f"{op}.pred {{d}}, %p2;", ["b32"] * 3, "pred", ["int"] * 3,
                    setup=setup.format(**sources))  # fmt: skip
    for t in ["b16", "b32", "b64"]:
        for c in ["eq", "ne"]:
            elementwise(f"setp-{c}-{t}", f"setp.{c}.{t} {{d}}, {{a}}, {{b}};", [t] * 2, "pred",
                        ["int"] * 2)  # fmt: skip
    for op in ["and", "or", "xor"]:
        elementwise(f"setp-lt-{op}-s32", f"setp.ne.b32 %p2, {{c}}, 0; "
                    f"setp.lt.{op}.s32 {{d}}|%p3, {{a}}, {{b}}, !%p2;",
                    ["s32"] * 3, "pred", ["int"] * 3)  # fmt: skip


def shared_laws():
    """Vectors to and from shared memory: the neighbour's, reversed."""
    for v, t, n in [
        ("v2", "b32", 2),
        ("v4", "b32", 4),
        ("v2", "b64", 2),
        ("v2", "b16", 2),
        ("v4", "b8", 4),
    ]:
        size = int(t[1:]) // 8
        p = {1: "%h", 2: "%h", 4: "%r2", 8: "%d1"}[size]
        regs = [f"{p}{j}" for j in range(n)]
        body = (
            REGS
            + ADDR
            + f"""  mov.u32 %r4, tile;
  mad.lo.s32 %r5, %r1, {n * size}, %r4;
  mul.wide.u32 %d6, %r1, {n * size};
  add.s64 %d7, %d6, %d2;
  add.s64 %d6, %d6, %d1;
  ld.global.{v}.{t} {{{", ".join(regs)}}}, [%d6];
  st.shared.{v}.{t} [%r5], {{{", ".join(regs)}}};
  bar.sync 0;
  xor.b32 %r6, %r5, {n * size};
  ld.shared.{v}.{t} {{{", ".join(regs)}}}, [%r6];
  st.global.{v}.{t} [%d7], {{{", ".join(reversed(regs))}}};
  ret;
"""
        )
        law(f"shared-{v}-{t}", body, INOUT, [arg_in(BYTES), arg_out(32 * n * size)],
            module=TILE.format(n=1024))  # fmt: skip
    for t in ["u8", "s8", "u16", "s16", "b64"]:
        size = int(t[1:]) // 8
        p = "%d10" if size == 8 else "%r20"
        body = (
            REGS
            + ADDR
            + f"""  mov.u32 %r4, tile;
  shl.b32 %r3, %r1, 3;
  add.s32 %r5, %r4, %r3;
  mul.wide.u32 %d8, %r1, 8;
  add.s64 %d8, %d8, %d1;
  ld.global.b64 %d10, [%d8];
  mov.b64 {{%r20, %r21}}, %d10;
  st.shared.b64 [%r5], 0;
  st.shared.{t.replace("s", "u")} [%r5], {p};
  ld.shared.{t} {p}, [%r5];
  mul.wide.u32 %d6, %r1, 8;
  add.s64 %d7, %d6, %d2;
  st.global.b64 [%d7], 0;
  st.global.b{64 if size == 8 else 32} [%d7], {p};
  ret;
"""
        )
        law(f"shared-{t}", body, INOUT, [arg_in(BYTES), arg_out(256)], module=TILE.format(n=256))


def param_laws():
    """Parameters by value, read whole and in parts."""
    value = struct.pack("<iqHHI3i", -7, -(2**40) - 5, 0x8001, 0x7FFF, 0xDEADBEEF, 11, -22, 33)
    cut = [(0, 4), (4, 12), (12, 20), (20, 32)]
    params = [
        ".param .b32 i",
        ".param .b64 l",
        ".param .align 4 .b8 s[8]",
        ".param .align 4 .b8 v[12]",
        ".param .u64 out",
    ]
    body = (
        REGS
        + """  ld.param.b64 %d2, [out];
  ld.param.b32 %r10, [i];
  st.global.b32 [%d2], %r10;
  ld.param.b64 %d10, [l];
  st.global.b64 [%d2+8], %d10;
  ld.param.u16 %r11, [s];
  ld.param.s16 %r12, [s+2];
  ld.param.s16 %r13, [s];
  ld.param.u8 %r14, [s+7];
  st.global.v4.b32 [%d2+16], {%r11, %r12, %r13, %r14};
  ld.param.b32 %r15, [l];
  ld.param.b32 %r16, [l+4];
  ld.param.s32 %r17, [v+4];
  ld.param.u32 %r18, [v+8];
  st.global.v4.b32 [%d2+32], {%r15, %r16, %r17, %r18};
  ret;
"""
    )
    args = [*(arg_bytes(value[a:b]) for a, b in cut), {"out": 48, "zero": True}]
    law("param-values", body, params, args, block=1)


def address_laws():
    """Generic addresses, their windows, the rank of a block."""
    block_law(
        "isspacep",
        """  mov.u64 %d10, tile;
  cvta.shared.u64 %d10, %d10;
  isspacep.shared %p1, %d10;
  selp.b32 %r30, 1, 0, %p1;
  isspacep.global %p1, %d10;
  selp.b32 %r31, 1, 0, %p1;
  isspacep.global %p1, %d5;
  selp.b32 %r32, 1, 0, %p1;
  cvta.to.shared.u64 %d11, %d10;
  cvt.u32.u64 %r33, %d11;
  sub.s32 %r33, %r33, %r4;
  cvta.to.global.u64 %d12, %d5;
  sub.s64 %d12, %d12, %d5;
  cvt.u32.u64 %r34, %d12;
""",
        words=5,
    )
    block_law(
        "cluster-window",
        """  mov.u64 %d10, tile;
  cvta.shared::cluster.u64 %d10, %d10;
  cvta.to.shared::cluster.u64 %d11, %d10;
  cvt.u32.u64 %r30, %d11;
  sub.s32 %r30, %r30, %r4;
  getctarank.shared::cluster.u32 %r31, %r5;
  isspacep.shared::cluster %p1, %d10;
  selp.b32 %r32, 1, 0, %p1;
""",
        words=3,
    )


def atomic_laws():
    """64 bits, and the shared forms of compare-and-swap and float addition."""
    for op, t in [
        ("add", "u64"),
        ("min", "s64"),
        ("max", "u64"),
        ("and", "b64"),
        ("exch", "b64"),
        ("cas", "b64"),
    ]:
        extra = ", %d10" if op == "cas" else ""
        block_law(
            f"atom-{op}-{t}",
            f"""  mul.wide.u32 %d6, %r1, 8;
  add.s64 %d7, %d6, %d2;
  add.s64 %d8, %d6, %d1;
  ld.global.b64 %d10, [%d8];
  st.global.b64 [%d7+256], %d6;
  atom.global.{op}.{t} %d11, [%d7+256], {"%d6" if op == "cas" else "%d10"}{extra};
  mov.b64 {{%r30, %r31}}, %d11;
  ld.global.b64 %d12, [%d7+256];
  bar.warp.sync -1;
  mov.b64 {{%r32, %r33}}, %d12;
""",
            words=4,
        )
    block_law(
        "atom-shared-cas-f32",
        """  and.b32 %r6, %r1, 1;
  st.shared.b32 [%r5], %r6;
  atom.shared.cas.b32 %r30, [%r5], 1, %r2;
  ld.shared.b32 %r31, [%r5];
  mov.b32 %r7, 0x3fc00000;
  st.shared.b32 [%r5], %r7;
  atom.shared.add.f32 %r32, [%r5], 0f40200000;
  red.shared.add.u32 [%r5], %r1;
  ld.shared.b32 %r33, [%r5];
""",
        words=4,
    )


def cluster_spelling_laws():
    """st.async into the other block of a cluster."""
    law(
        "st-async",
        REGS
        + ADDR
        + CLUSTER
        + """  barrier.cluster.arrive.release.aligned;
  barrier.cluster.wait.acquire.aligned;
  xor.b32 %r7, %r3, 1;
  shl.b32 %r5, %r1, 2;
  add.s32 %r5, %r5, %r4;
  mapa.shared::cluster.u32 %r8, %r5, %r7;
  mapa.shared::cluster.u32 %r9, %r10, %r7;
  mad.lo.s32 %r6, %r3, 1000, %r1;
  st.async.shared::cluster.mbarrier::complete_tx::bytes.b32 [%r8], %r6, [%r9];
WAIT:
  mbarrier.try_wait.parity.shared::cta.b64 %p2, [%r10], 0;
  @!%p2 bra WAIT;
  ld.shared.b32 %r20, [%r5];
  mul.wide.u32 %d6, %r3, 128;
  add.s64 %d5, %d5, %d6;
  st.global.b32 [%d5], %r20;
  barrier.cluster.arrive.relaxed.aligned;
  barrier.cluster.wait.aligned;
  ret;
""",
        INOUT,
        [arg_in(BYTES), arg_out(256)],
        grid=2,
        module=".shared .align 128 .b8 tile[128];\n.shared .align 8 .b64 full;\n",
        directives=TWO_BLOCKS,
    )


def tensor_spelling_laws():
    """The tensor copy as LLVM spells it."""
    copy = """  mov.b64 %d9, map;
  cvta.param.u64 %d9, %d9;
  mov.u64 %d10, tile;
  cvta.shared::cluster.u64 %d10, %d10;
  cvta.to.shared::cluster.u64 %d11, %d10;
  cvt.u32.u64 %r11, %d11;
  cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes
    [%r11], [%d9, {0, 8}], [%r10];"""
    law(
        "tensor-load-tile",
        REGS + ADDR + SLOT + BULK.format(copy=copy) + "  ld.shared.b32 %r30, [%r5];\n"
        "  st.global.b32 [%d5], %r30;\n  ret;\n",
        [".param .align 64 .b8 map[128]"] + INOUT,
        [
            {"map": 1, "type": "b16", "dims": [128, 32], "box": [64, 4], "swizzle": 128},
            arg_in(BYTES),
            arg_out(512),
        ],
        block=128,
        module=TILE.format(n=1024),
    )


def spelling_laws():
    """Predicates, shared vectors, parameters, addresses, atomics."""
    predicate_laws()
    shared_laws()
    param_laws()
    address_laws()
    atomic_laws()
    cluster_spelling_laws()
    tensor_spelling_laws()
