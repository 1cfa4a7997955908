# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Laws of synchronisation, and of the spellings that kernels from LLVM use.

test_laws.py holds the compiler to them: an instruction form that a kernel has and no law fails.
"""

import struct

from kit import ADDR, INOUT, REGS, arg_bytes, arg_in, arg_out, elementwise, law

BYTES = "inputs/bytes.bin"
TILE = ".shared .align 1024 .b8 tile[{n}];\n.shared .align 8 .b64 full;\n"
SLOT = "  mov.u32 %r4, tile;\n  shl.b32 %r3, %r1, 2;\n  add.s32 %r5, %r4, %r3;\n"


def block_law(name, text, words=1, block=32, n=None, directives="", grid=1, zero=False):
    """Thread t stores %r30, %r31, ... `block` words apart, at word t of its block's part."""
    body = REGS + ADDR + SLOT
    if grid > 1:
        body += f"  mov.u32 %r9, %ctaid.x;\n  mul.wide.u32 %d9, %r9, {4 * block * words};\n"
        body += "  add.s64 %d5, %d5, %d9;\n"
    body += text
    body += "".join(f"  st.global.b32 [%d5+{4 * block * j}], %r{30 + j};\n" for j in range(words))
    out = {"out": 4 * block * words * grid, **({"zero": True} if zero else {})}
    law(name, body + "  ret;\n", INOUT, [arg_in(BYTES), out], grid=grid, block=block,
        module=TILE.format(n=n or 16 * block), directives=directives)  # fmt: skip


def barrier_laws():
    """Named barriers: the neighbour warp's word, read after the barrier."""
    share = """  st.shared.b32 [%r5], %r2;
{sync}  xor.b32 %r6, %r5, 128;
  ld.shared.b32 %r30, [%r6];
"""
    for name, sync in [
        ("bar-sync-id-count", "  bar.sync 3, 64;\n"),
        ("bar-sync-register", "  mov.b32 %r7, 5;\n  bar.sync %r7, 64;\n"),
        ("barrier-sync", "  barrier.sync 2, 64;\n"),
        ("barrier-sync-aligned", "  barrier.sync.aligned 2, 64;\n"),
        ("barrier-cta-sync", "  barrier.cta.sync.aligned 0;\n"),
    ]:
        block_law(name, share.format(sync=sync), block=64)
    # The first warp arrives and goes on, the second waits for what it wrote.
    block_law(
        "bar-arrive",
        """  setp.gt.u32 %p1, %r1, 31;
  mov.b32 %r30, 0;
  @%p1 bra READ;
  st.shared.b32 [%r5], %r2;
  bar.arrive 1, 64;
  bra.uni DONE;
READ:
  bar.sync 1, 64;
  ld.shared.b32 %r30, [%r5+-128];
DONE:
""",
        block=64,
    )
    for name, sync in [
        ("bar-warp-sync", "bar.warp.sync -1"),
        ("bar-warp-mask", "bar.warp.sync %r8"),
    ]:
        block_law(
            name,
            f"""  mov.b32 %r8, -1;
  st.shared.b32 [%r5], %r2;
  {sync};
  xor.b32 %r6, %r5, 4;
  ld.shared.b32 %r30, [%r6];
""",
        )


def fence_laws():
    """A flag from one block to the other, behind each fence; the second block reads the data."""
    for fence in [
        "fence.acq_rel.gpu",
        "fence.sc.gpu",
        "fence.acq_rel.sys",
        "membar.gl",
        "membar.sys",
    ]:
        message(
            fence.replace(".", "-"),
            f"{fence};\n  red.relaxed.gpu.global.add.u32 [%d10], 1;",
            "atom.relaxed.gpu.global.add.u32 %r6, [%d10], 0;",
            f"{fence};",
        )
    message("st-release-ld-acquire", "st.release.gpu.global.b32 [%d10], 1;",
            "ld.acquire.gpu.global.b32 %r6, [%d10];", "")  # fmt: skip
    message("red-release-atom-acquire", "red.release.gpu.global.add.u32 [%d10], 1;",
            "atom.acquire.gpu.global.or.b32 %r6, [%d10], 0;", "")  # fmt: skip
    message("atom-acq-rel-exch", "atom.acq_rel.gpu.global.exch.b32 %r7, [%d10], 1;",
            "atom.acq_rel.gpu.global.cas.b32 %r6, [%d10], 7, 7;", "")  # fmt: skip
    for fence in ["fence.acq_rel.cta", "fence.sc.cta", "membar.cta"]:
        block_law(
            fence.replace(".", "-"),
            f"""  st.shared.b32 [%r5], %r2;
  {fence};
  bar.sync 0;
  xor.b32 %r6, %r5, 128;
  ld.shared.b32 %r30, [%r6];
""",
            block=64,
        )


def message(name, publish, look, fence):
    """Block 0 writes its words and raises a flag; block 1 waits and copies them."""
    law(
        f"message-{name}",
        REGS
        + ADDR
        + f"""  add.s64 %d10, %d2, 256;
  mov.u32 %r3, %ctaid.x;
  setp.ne.u32 %p1, %r3, 0;
  @%p1 bra READ;
  st.global.b32 [%d5], %r2;
  bar.sync 0;
  setp.ne.u32 %p2, %r1, 0;
  @%p2 ret;
  {publish}
  ret;
READ:
  {look}
  setp.eq.u32 %p2, %r6, 0;
  @%p2 bra READ;
  {fence}
  ld.global.b32 %r7, [%d5];
  st.global.b32 [%d5+128], %r7;
  ret;
""",
        INOUT,
        [arg_in(BYTES), {"out": 260, "zero": True}],
        grid=2,
    )


def mbarrier_laws():
    """Arrivals, phases, tokens and counts; each step's answer is a word of the output."""
    start = """  mov.u32 %r10, full;
  setp.ne.u32 %p1, %r1, 0;
  @%p1 bra START;
  mbarrier.init.shared.b64 [%r10], {count};
START:
  bar.sync 0;
"""
    wait = """WAIT{n}:
  mbarrier.try_wait.parity.shared.b64 %p2, [%r10], {parity};
  @!%p2 bra WAIT{n};
"""
    swap = "  xor.b32 %r6, %r5, 128;\n  ld.shared.b32 %r30, [%r6];\n"
    block_law(
        "mbarrier-arrive",
        start.format(count=64) + "  st.shared.b32 [%r5], %r2;\n"
        "  mbarrier.arrive.shared.b64 _, [%r10];\n" + wait.format(n=0, parity=0) + swap,
        block=64,
    )
    block_law(
        "mbarrier-phases",
        start.format(count=64)
        + "".join(
            f"  st.shared.b32 [%r5+{256 * i}], %r2;\n  mbarrier.arrive.shared.b64 %d10, [%r10];\n"
            + wait.format(n=i, parity=i % 2)
            + f"  xor.b32 %r6, %r5, 128;\n  ld.shared.b32 %r{30 + i}, [%r6+{256 * i}];\n"
            + "  add.s32 %r2, %r2, 1;\n"
            for i in range(3)
        ),
        words=3,
        block=64,
    )
    block_law(
        "mbarrier-token",
        start.format(count=64)
        + """  st.shared.b32 [%r5], %r2;
  mbarrier.arrive.shared::cta.b64 %d10, [%r10];
AGAIN:
  mbarrier.test_wait.shared::cta.b64 %p2, [%r10], %d10;
  @!%p2 bra AGAIN;
"""
        + swap,
        block=64,
    )
    # One thread, so that every answer is certain.
    block_law(
        "mbarrier-counts",
        """  mov.u32 %r10, full;
  mbarrier.init.shared::cta.b64 [%r10], 5;
  mbarrier.test_wait.parity.shared::cta.b64 %p1, [%r10], 0;
  selp.b32 %r30, 1, 0, %p1;
  mbarrier.test_wait.parity.shared::cta.b64 %p1, [%r10], 1;
  selp.b32 %r31, 1, 0, %p1;
  mbarrier.arrive.shared::cta.b64 %d10, [%r10], 2;
  mbarrier.pending_count.b64 %r32, %d10;
  mbarrier.arrive_drop.shared::cta.b64 %d10, [%r10];
  mbarrier.pending_count.b64 %r33, %d10;
  mbarrier.arrive.expect_tx.shared.b64 %d10, [%r10], 32;
  mbarrier.pending_count.b64 %r34, %d10;
  mbarrier.arrive.shared::cta.b64 _, [%r10];
  mbarrier.test_wait.parity.shared::cta.b64 %p1, [%r10], 0;
  selp.b32 %r35, 1, 0, %p1;
  mbarrier.complete_tx.shared::cta.b64 [%r10], 16;
  mbarrier.expect_tx.relaxed.cta.shared::cta.b64 [%r10], 16;
  mbarrier.complete_tx.shared::cta.b64 [%r10], 32;
  mbarrier.test_wait.parity.shared::cta.b64 %p1, [%r10], 0;
  selp.b32 %r36, 1, 0, %p1;
  mbarrier.arrive.shared::cta.b64 _, [%r10], 4;
  mbarrier.test_wait.parity.shared::cta.b64 %p1, [%r10], 1;
  selp.b32 %r37, 1, 0, %p1;
  mbarrier.inval.shared::cta.b64 [%r10];
""",
        words=8,
        block=1,
    )
    for name, op, count in [("noinc", "arrive.noinc", 32), ("inc", "arrive", 32)]:
        block_law(
            f"cp-async-mbarrier-{name}",
            start.format(count=count)
            + f"""  cp.async.ca.shared.global [%r5], [%d4], 4;
  cp.async.mbarrier.{op}.shared.b64 [%r10];
"""
            + ("" if name == "noinc" else "  mbarrier.arrive.shared.b64 _, [%r10];\n")
            + wait.format(n=0, parity=0)
            + "  xor.b32 %r6, %r5, 4;\n  ld.shared.b32 %r30, [%r6];\n",
        )
    block_law(
        "cp-async-wait-all",
        """  cp.async.ca.shared.global [%r5], [%d4], 4;
  cp.async.wait_all;
  bar.sync 0;
  xor.b32 %r6, %r5, 4;
  ld.shared.b32 %r30, [%r6];
""",
    )


BULK = """  mov.u32 %r10, full;
  setp.ne.u32 %p1, %r1, 0;
  @%p1 bra START;
  mbarrier.init.shared.b64 [%r10], 1;
  fence.mbarrier_init.release.cluster;
START:
  bar.sync 0;
  @%p1 bra WAIT;
  mbarrier.arrive.expect_tx.shared.b64 _, [%r10], 512;
{copy}
WAIT:
  mbarrier.try_wait.parity.shared.b64 %p2, [%r10], 0;
  @!%p2 bra WAIT;
"""


def policy_laws():
    """Copies and accesses with a cache policy: what arrives does not depend on it."""
    policies = [
        ("first", "createpolicy.fractional.L2::evict_first.b64 %d10, 1.0;"),
        ("last", "createpolicy.fractional.L2::evict_last.b64 %d10, 1.0;"),
        ("literal", "mov.b64 %d10, 1364590687093260288;"),
    ]
    for name, make in policies:
        copy = f"""  {make}
  cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes.L2::cache_hint
    [%r4], [%d1], 512, [%r10], %d10;"""
        block_law(
            f"bulk-load-{name}",
            BULK.format(copy=copy) + "  ld.shared.b32 %r30, [%r5];\n",
            block=128,
        )
    block_law(
        "access-with-policy",
        """  createpolicy.fractional.L2::evict_first.b64 %d10, 0.5;
  ld.global.L2::cache_hint.b32 %r30, [%d4], %d10;
  ld.global.nc.L1::no_allocate.L2::128B.b32 %r31, [%d4+128];
  prefetch.global.L2 [%d4];
  prefetch.global.L1 [%d4];
  st.global.L2::cache_hint.b32 [%d5+256], %r2, %d10;
  ld.global.b32 %r32, [%d5+256];
""",
        words=3,
    )
    for op in ["ca", "cg", "cs", "cv"]:
        store = {"ca": "wb", "cg": "cg", "cs": "cs", "cv": "wt"}[op]
        block_law(
            f"cache-{op}-{store}",
            f"""  ld.global.{op}.b32 %r30, [%d4+64];
  st.global.{store}.b32 [%d5+128], %r2;
  ld.global.{op}.b32 %r31, [%d5+128];
""",
            words=2,
        )
    for how in ["volatile", "relaxed.gpu"]:
        block_law(
            f"ld-st-{how.replace('.', '-')}",
            f"""  ld.{how}.global.b32 %r30, [%d4+64];
  st.{how}.global.b32 [%d5+128], %r2;
  ld.{how}.global.b32 %r31, [%d5+128];
""",
            words=2,
        )


def control_laws():
    """Programmatic launches (alone, they wait for nothing), register hand-over, exits, sleep."""
    block_law(
        "griddepcontrol",
        """  griddepcontrol.wait;
  add.s32 %r30, %r2, 1;
  griddepcontrol.launch_dependents;
""",
        grid=3,
    )
    block_law(
        "setmaxnreg",
        """  shr.u32 %r6, %r1, 7;
  setp.eq.b32 %p1, %r6, 0;
  @%p1 bra LESS;
  setmaxnreg.inc.sync.aligned.u32 208;
  add.s32 %r30, %r2, 5;
  bra.uni DONE;
LESS:
  setmaxnreg.dec.sync.aligned.u32 40;
  sub.s32 %r30, %r2, 5;
DONE:
""",
        block=256,
        directives="\n.reqntid 256, 1, 1\n.maxnreg 128\n",
    )
    block_law(
        "exit-nanosleep",
        """  setp.lt.s32 %p1, %r2, 0;
  st.global.b32 [%d5], %r1;
  nanosleep.u32 40;
  @%p1 exit;
  mov.b32 %r30, 77;
""",
        words=1,
        grid=1,
        zero=True,
    )
    block_law(
        "bra-uni",
        """  mov.b32 %r30, 0;
LOOP:
  add.s32 %r30, %r30, %r1;
  setp.lt.s32 %p1, %r30, 100;
  setp.eq.b32 %p2, %r1, 0;
  not.pred %p3, %p2;
  and.pred %p1, %p1, %p3;
  vote.sync.any.pred %p1, %p1, -1;
  @%p1 bra.uni LOOP;
""",
    )


def synchronise_laws():
    """Barriers, fences, mbarriers, cache policies, control."""
    barrier_laws()
    fence_laws()
    mbarrier_laws()
    policy_laws()
    control_laws()


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
        + """  mov.u32 %r10, full;
  mov.u32 %r4, tile;
  mov.u32 %r3, %cluster_ctarank;
  setp.ne.u32 %p1, %r1, 0;
  @%p1 bra START;
  mbarrier.init.shared::cta.b64 [%r10], 1;
  fence.mbarrier_init.release.cluster;
  mbarrier.arrive.expect_tx.shared::cta.b64 _, [%r10], 128;
START:
  barrier.cluster.arrive.release.aligned;
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
        directives="\n.explicitcluster\n.reqnctapercluster 2, 1, 1\n",
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
