# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Laws of warps, memory and atomics."""

from kit import ADDR, INOUT, REGS, arg_in, arg_out, bits, law


def warp_laws():
    def warp(name, text, n=1):
        body = REGS + ADDR + text
        for j in range(n):
            body += f"  st.global.b32 [%d5+{128 * j}], %r{3 + j};\n"
        law(name, body + "  ret;\n", INOUT, [arg_in("inputs/bytes.bin"), arg_out(128 * n)])

    for mode, clamp in [("up", 0), ("down", 31), ("bfly", 31), ("idx", 31)]:
        for lane in ["1", "5", "17"]:
            for seg in [0, 0x1800, 0x1C00]:
                warp(
                    f"shfl-{mode}-{lane}-{seg:x}",
                    f"  shfl.sync.{mode}.b32 %r3|%p1, %r2, {lane}, {seg | clamp}, -1;\n"
                    "  selp.u32 %r4, 1, 0, %p1;\n",
                    2,
                )
    warp("shfl-idx-lane", "  shfl.sync.idx.b32 %r3, %r2, %r2, 31, -1;\n")
    for mode in ["all", "any", "uni"]:
        warp(
            f"vote-{mode}",
            f"  setp.lt.s32 %p2, %r2, 0;\n  vote.sync.{mode}.pred %p1, %p2, -1;\n"
            "  selp.u32 %r3, 1, 0, %p1;\n",
        )
    warp("vote-ballot", "  setp.lt.s32 %p2, %r2, 0;\n  vote.sync.ballot.b32 %r3, %p2, -1;\n")
    warp("match-any", "  and.b32 %r4, %r2, 3;\n  match.any.sync.b32 %r3, %r4, -1;\n")
    warp("match-all", "  and.b32 %r4, %r2, 3;\n  match.all.sync.b32 %r3|%p1, %r4, -1;\n")
    for op in ["add", "min", "max"]:
        for t in ["u32", "s32"]:
            warp(f"redux-{op}-{t}", f"  redux.sync.{op}.{t} %r3, %r2, -1;\n")
    for op in ["and", "or", "xor"]:
        warp(f"redux-{op}", f"  redux.sync.{op}.b32 %r3, %r2, -1;\n")
    warp("elect", "  mov.b32 %r3, 0;\n  elect.sync %r4|%p1, -1;\n  selp.u32 %r3, 1, 0, %p1;\n")
    warp(
        "special",
        "  mov.u32 %r3, %laneid;\n  mov.u32 %r4, %lanemask_lt;\n  mov.u32 %r5, %lanemask_ge;\n"
        "  mov.u32 %r6, %ntid.x;\n  mov.u32 %r7, %lanemask_le;\n",
        5,
    )
    warp(
        "divergence",
        """  mov.b32 %r3, 0;
LOOP:
  add.s32 %r3, %r3, 3;
  xor.b32 %r4, %r3, %r1;
  and.b32 %r5, %r4, 7;
  setp.ne.u32 %p1, %r5, 5;
  setp.lt.and.u32 %p2, %r3, 40, %p1;
  @%p2 bra LOOP;
  activemask.b32 %r6;
  shfl.sync.bfly.b32 %r4, %r3, 1, 31, -1;
""",
        2,
    )
    warp(
        "brx-idx",
        """  and.b32 %r4, %r1, 3;
  T: .branchtargets A, B, C, D;
  brx.idx %r4, T;
A: mov.b32 %r3, 10;
  bra END;
B: mov.b32 %r3, 20;
  bra END;
C: mov.b32 %r3, 30;
  bra END;
D: mov.b32 %r3, 40;
END:
""",
    )


def memory_laws():
    for t in ["u8", "s8", "u16", "s16", "u32", "s32", "b32", "b64"]:
        b = bits(t)
        reg = "%d8" if b == 64 else "%r3"
        store = "st.global.b64 [%d7], %d8" if b == 64 else "st.global.b32 [%d7], %r3"
        body = (
            REGS
            + ADDR
            + f"""  mul.wide.u32 %d6, %r1, {b // 8};
  add.s64 %d6, %d6, %d1;
  mul.wide.u32 %d7, %r1, 8;
  add.s64 %d7, %d7, %d2;
  st.global.b64 [%d7], 0;
  ld.global.{t} {reg}, [%d6];
  {store};
  ret;
"""
        )
        law(f"ld-global-{t}", body, INOUT, [arg_in("inputs/bytes.bin"), arg_out(256)])
    law(
        "st-global-b8",
        REGS
        + ADDR
        + """  st.global.b32 [%d5], 0;
  cvt.u16.u32 %h1, %r2;
  st.global.b8 [%d5+1], %h1;
  ret;
""",
        INOUT,
        [arg_in("inputs/bytes.bin"), arg_out(128)],
    )
    for v, t, n in [
        ("v2", "b32", 2),
        ("v4", "b32", 4),
        ("v2", "b64", 2),
        ("v4", "b16", 4),
        ("v4", "b8", 4),
    ]:
        b = bits(t) // 8 * n
        p = {8: "%h", 16: "%h", 32: "%r", 64: "%d"}[bits(t)]
        regs = ", ".join(f"{p}{10 + j}" for j in range(n))
        back = ", ".join(f"{p}{10 + n - 1 - j}" for j in range(n))
        for cache in ["", ".nc", ".nc.L1::no_allocate"]:
            body = (
                REGS
                + ADDR
                + f"""  mul.wide.u32 %d6, %r1, {b};
  add.s64 %d7, %d6, %d2;
  add.s64 %d6, %d6, %d1;
  ld.global{cache}.{v}.{t} {{{regs}}}, [%d6];
  st.global.{v}.{t} [%d7], {{{back}}};
  ret;
"""
            )
            law(
                f"ld-global{cache.replace('.', '-').replace('::', '_')}-{v}-{t}",
                body,
                INOUT,
                [arg_in("inputs/bytes.bin"), arg_out(32 * b)],
            )
    body = (
        REGS
        + ADDR
        + """  shl.b32 %r3, %r1, 2;
  mov.u32 %r4, tile;
  add.s32 %r5, %r4, %r3;
  st.shared.b32 [%r5], %r2;
  bar.sync 0;
  xor.b32 %r6, %r3, 508;
  add.s32 %r6, %r6, %r4;
  ld.shared.b32 %r7, [%r6];
  cvt.u64.u32 %d8, %r5;
  cvta.shared.u64 %d8, %d8;
  ld.b32 %r8, [%d8];
  add.s32 %r7, %r7, %r8;
  st.global.b32 [%d5], %r7;
  ret;
"""
    )
    law(
        "shared-generic",
        body,
        INOUT,
        [arg_in("inputs/bytes.bin"), arg_out(512)],
        block=128,
        module=".shared .align 16 .b8 tile[512];\n",
    )
    body = (
        REGS
        + ADDR
        + """  mov.u64 %d6, table;
  and.b32 %r3, %r2, 7;
  mul.wide.u32 %d7, %r3, 4;
  add.s64 %d6, %d6, %d7;
  ld.const.b32 %r4, [%d6];
  st.global.b32 [%d5], %r4;
  ret;
"""
    )
    law(
        "const",
        body,
        INOUT,
        [arg_in("inputs/bytes.bin"), arg_out(128)],
        module=".const .align 4 .b32 table[8] = {1, 22, 333, 4444, 0xffffffff, 6, 7, 8};\n",
    )
    for op, t in [
        ("add", "u32"),
        ("min", "s32"),
        ("max", "u32"),
        ("and", "b32"),
        ("or", "b32"),
        ("xor", "b32"),
        ("inc", "u32"),
        ("dec", "u32"),
        ("exch", "b32"),
    ]:
        for space, base in [("global", "%d5"), ("shared", "%r5")]:
            # Each thread has a word of its own, so that the result does not
            # depend on the order.
            body = (
                REGS
                + ADDR
                + f"""  mov.u32 %r4, tile;
  shl.b32 %r3, %r1, 2;
  add.s32 %r5, %r4, %r3;
  mov.b32 %r6, 0x40302010;
  st.{space}.b32 [{base}], %r6;
  atom.{space}.{op}.{t} %r7, [{base}], %r2;
  ld.{space}.b32 %r8, [{base}];
  st.global.b32 [%d5], %r8;
  st.global.b32 [%d5+128], %r7;
  ret;
"""
            )
            law(
                f"atom-{space}-{op}-{t}",
                body,
                INOUT,
                [arg_in("inputs/bytes.bin"), arg_out(256)],
                module=".shared .align 16 .b8 tile[128];\n",
            )
    for t, k in [("f32", "near0"), ("bf16x2", "bf0"), ("f16x2", "hf0")]:
        n = ".noftz" if t != "f32" else ""
        body = (
            REGS
            + ADDR
            + f"""  st.global.b32 [%d5], 0x3f803f80;
  atom.global.add{n}.{t} %r3, [%d5], %r2;
  st.global.b32 [%d5+128], %r3;
  ret;
"""
        )
        law(f"atom-add-{t}", body, INOUT, [arg_in(f"inputs/{k}.bin"), arg_out(256)])
    law(
        "red-sum",
        REGS
        + ADDR
        + """  ld.param.u64 %d6, [out];
  red.global.add.u32 [%d6], %r2;
  red.global.max.u32 [%d6+4], %r2;
  ret;
""",
        INOUT,
        [arg_in("inputs/bytes.bin"), {"out": 8, "zero": True}],
        grid=3,
        block=64,
    )
    law(
        "atom-cas",
        REGS
        + ADDR
        + """  and.b32 %r3, %r1, 1;
  st.global.b32 [%d5], %r3;
  atom.global.cas.b32 %r4, [%d5], 1, %r2;
  ret;
""",
        INOUT,
        [arg_in("inputs/bytes.bin"), arg_out(128)],
    )
