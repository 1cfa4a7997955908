# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Laws of barriers, fences and mbarriers."""

from control import control_laws, policy_laws
from kit import ADDR, BULK, BYTES, INOUT, REGS, arg_in, block_law, law


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
    handed_on = """  setp.gt.u32 %p1, %r1, 31;
  mov.b32 %r30, 0;
  @%p1 bra READ;
{write}  bra.uni DONE;
READ:
{wait}  ld.shared.b32 %r30, [%r5+-128];
DONE:
"""
    write = "  st.shared.b32 [%r5], %r2;\n"
    for name, arrive, wait in [
        ("bar-arrive", "  bar.arrive 1, 64;\n", "  bar.sync 1, 64;\n"),
        ("barrier-arrive", "  barrier.arrive 1, 64;\n", "  barrier.sync 1, 64;\n"),
        (
            "barrier-arrive-register",
            "  mov.b32 %r7, 6;\n  barrier.arrive %r7, 64;\n",
            "  barrier.sync 6, 64;\n",
        ),
    ]:
        block_law(name, handed_on.format(write=write + arrive, wait=wait), block=64)
    # Halves of a warp that part ways arrive in two places; together they count as the warp.
    block_law(
        "barrier-arrive-apart",
        handed_on.format(
            write=f"""  and.b32 %r7, %r1, 1;
  setp.eq.u32 %p2, %r7, 0;
  @%p2 bra EVEN;
  not.b32 %r2, %r2;
{write}  barrier.arrive 1, 64;
  bra.uni DONE;
EVEN:
{write}  barrier.arrive 1, 64;
""",
            wait="  barrier.sync 1, 64;\n",
        ),
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


def proxy_laws():
    """Global memory that threads write and bulk copies read, and the other way round."""
    # The neighbour warp's words, from global memory to shared memory.
    copy = """  cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes
    [%r4], [%d2+{at}], 512, [%r10];"""
    block_law(
        "proxy-fence-global",
        "  st.global.b32 [%d5+512], %r2;\n  fence.proxy.async.global;\n  bar.sync 0;\n"
        + BULK.format(copy=copy.format(at=512))
        + "  xor.b32 %r6, %r5, 128;\n  ld.shared.b32 %r30, [%r6];\n",
        block=128,
        rest=512,
    )
    # Between blocks: what the first writes, the second's copy reads.
    block_law(
        "message-proxy-fence-load",
        """  ld.param.u64 %d10, [out];
  mov.u32 %r3, %ctaid.x;
  mov.b32 %r30, %r2;
  setp.ne.u32 %p4, %r3, 0;
  @%p4 bra READ;
  st.global.b32 [%d5+1024], %r2;
  bar.sync 0;
  setp.ne.u32 %p2, %r1, 0;
  @%p2 bra DONE;
  red.release.gpu.global.add.u32 [%d10+1536], 1;
  bra.uni DONE;
READ:
  ld.acquire.gpu.global.b32 %r6, [%d10+1536];
  setp.eq.u32 %p2, %r6, 0;
  @%p2 bra READ;
  fence.proxy.async.global;
"""
        + BULK.format(copy=copy.format(at=1024))
        + "  ld.shared.b32 %r30, [%r5];\nDONE:\n",
        block=128,
        grid=2,
        zero=True,
        rest=516,
    )
    # What the first block's copy writes, threads of the second one read.
    block_law(
        "message-proxy-fence-store",
        """  ld.param.u64 %d10, [out];
  mov.u32 %r3, %ctaid.x;
  mov.b32 %r30, %r2;
  setp.ne.u32 %p4, %r3, 0;
  @%p4 bra READ;
  st.shared.b32 [%r5], %r2;
  fence.proxy.async.shared::cta;
  bar.sync 0;
  setp.ne.u32 %p2, %r1, 0;
  @%p2 bra DONE;
  cp.async.bulk.global.shared::cta.bulk_group [%d10+1024], [%r4], 512;
  cp.async.bulk.commit_group;
  cp.async.bulk.wait_group 0;
  fence.proxy.async.global;
  fence.acq_rel.gpu;
  atom.global.add.u32 %r7, [%d10+1536], 1;
  bra.uni DONE;
READ:
  ld.acquire.gpu.global.b32 %r6, [%d10+1536];
  setp.eq.u32 %p2, %r6, 0;
  @%p2 bra READ;
  ld.global.b32 %r30, [%d5+512];
DONE:
""",
        block=128,
        grid=2,
        zero=True,
        rest=516,
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


def synchronise_laws():
    """The family: barriers, fences, mbarriers, cache policies, control."""
    barrier_laws()
    fence_laws()
    proxy_laws()
    mbarrier_laws()
    policy_laws()
    control_laws()
