# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Laws of cache policies and control, in the family of those of barriers."""

from kit import BULK, block_law


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
    # Nothing waits for what is fetched into L2.
    block_law(
        "bulk-prefetch",
        """  setp.eq.u32 %p1, %r1, 0;
  @%p1 cp.async.bulk.prefetch.L2.global [%d1+4096], 4096;
  ld.global.b32 %r30, [%d4+4096];
""",
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
