# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Laws of matrices: ldmatrix, stmatrix, mma, wgmma."""

from kit import ADDR, FILL, INOUT, REGS, arg_in, arg_out, law


def matrix_laws():
    sh = ".shared .align 1024 .b8 tile[{n}];\n"
    for x in [1, 2, 4]:
        for trans in ["", ".trans"]:
            regs = ", ".join(f"%r{30 + j}" for j in range(x))
            body = (
                REGS
                + ADDR
                + FILL.format(threads=32, words=128)
                + f"""  and.b32 %r5, %r1, {8 * x - 1};
  shl.b32 %r5, %r5, 4;
  add.s32 %r5, %r5, %r4;
  ldmatrix.sync.aligned.m8n8.x{x}{trans}.shared.b16 {{{regs}}}, [%r5];
"""
                + "".join(f"  st.global.b32 [%d5+{128 * j}], %r{30 + j};\n" for j in range(x))
                + "  ret;\n"
            )
            law(
                f"ldmatrix-x{x}{trans.replace('.', '-')}",
                body,
                INOUT,
                [arg_in("inputs/bytes.bin"), arg_out(128 * x)],
                module=sh.format(n=512),
            )
            body = (
                REGS
                + ADDR
                + "".join(f"  ld.global.b32 %r{30 + j}, [%d4+{128 * j}];\n" for j in range(x))
                + f"""  mov.u32 %r4, tile;
  and.b32 %r5, %r1, {8 * x - 1};
  shl.b32 %r5, %r5, 4;
  add.s32 %r5, %r5, %r4;
  stmatrix.sync.aligned.m8n8.x{x}{trans}.shared.b16 [%r5], {{{regs}}};
  bar.sync 0;
  shl.b32 %r6, %r1, 2;
  add.s32 %r6, %r6, %r4;
"""
                + "".join(
                    f"  ld.shared.b32 %r7, [%r6+{128 * j}];\n  st.global.b32 [%d5+{128 * j}], %r7;\n"
                    for j in range(x)
                )
                + "  ret;\n"
            )
            law(
                f"stmatrix-x{x}{trans.replace('.', '-')}",
                body,
                INOUT,
                [arg_in("inputs/bytes.bin"), arg_out(128 * x)],
                module=sh.format(n=512),
            )
    law(
        "movmatrix",
        REGS + ADDR + "  movmatrix.sync.aligned.m8n8.trans.b16 %r3, %r2;\n"
        "  st.global.b32 [%d5], %r3;\n  ret;\n",
        INOUT,
        [arg_in("inputs/bytes.bin"), arg_out(128)],
    )
    for shape, na, nb in [("m16n8k16", 4, 2), ("m16n8k8", 2, 1)]:
        for t, f in [("bf16", "tile"), ("f16", "tileh"), ("bf16", "tiler")]:
            a = ", ".join(f"%r{30 + j}" for j in range(na))
            b = ", ".join(f"%r{40 + j}" for j in range(nb))
            body = (
                REGS
                + ADDR
                + "".join(f"  ld.global.b32 %r{30 + j}, [%d4+{128 * j}];\n" for j in range(na))
                + "".join(
                    f"  ld.global.b32 %r{40 + j}, [%d4+{512 + 128 * j}];\n" for j in range(nb)
                )
                + "".join(
                    f"  mov.b32 %r{50 + j}, 0x{0x3F800000 + j * 0x400000:08x};\n" for j in range(4)
                )
                + f"""  mma.sync.aligned.{shape}.row.col.f32.{t}.{t}.f32 {{%r50, %r51, %r52, %r53}}, {{{a}}}, {{{b}}}, {{%r50, %r51, %r52, %r53}};
"""
                + "".join(f"  st.global.b32 [%d5+{128 * j}], %r{50 + j};\n" for j in range(4))
                + "  ret;\n"
            )
            law(
                f"mma-{shape}-{t}{'-random' if f == 'tiler' else ''}",
                body,
                INOUT,
                [arg_in(f"inputs/{f}.bin"), arg_out(512)],
                compare="f32:2e-5" if f == "tiler" else "exact",
            )
    wgmma_laws(sh)


def wgmma_laws(sh):
    def wg(
        name,
        n,
        a,
        t="bf16",
        data="tile",
        swz=0,
        trans_a=0,
        trans_b=0,
        neg=(1, 1),
        scale="1",
        steps=1,
        compare="exact",
        lead=128,
        stride=256,
        advance=32,
        fp8="",
    ):
        acc = ", ".join(f"%r{30 + j}" for j in range(n // 2)) if n <= 256 else ""
        code = {0: 0, 128: 1, 64: 2, 32: 3}[swz]
        desc = (lead >> 4) << 16 | (stride >> 4) << 32 | code << 62
        body = REGS.replace("%r<160>", "%r<200>") + ADDR + FILL.format(threads=128, words=8192)
        body += f"""  shr.u32 %r5, %r4, 4;
  cvt.u64.u32 %d10, %r5;
  or.b64 %d10, %d10, {desc:#x};
  add.s64 %d11, %d10, 1024;
"""
        body += "".join(f"  mov.b32 %r{30 + j}, 0x40000000;\n" for j in range(n // 2))
        body += "".join(f"  ld.global.b32 %r{20 + j}, [%d4+{512 * j}];\n" for j in range(4))
        body += f"  mov.b32 %r6, {scale};\n  setp.ne.b32 %p5, %r6, 0;\n"
        body += "  wgmma.fence.sync.aligned;\n"
        for s in range(steps):
            first = "{%r20, %r21, %r22, %r23}" if a == "r" else "%d11"
            imms = f"{neg[0]}, {neg[1]}"
            if not fp8:
                imms += f", {trans_b}" if a == "r" else f", {trans_a}, {trans_b}"
            kind = f"k32.f32.{fp8}" if fp8 else f"k16.f32.{t}.{t}"
            body += f"  wgmma.mma_async.sync.aligned.m64n{n}{kind} {{{acc}}}, {first}, %d10, %p5, {imms};\n"
            body += (
                f"  add.s64 %d10, %d10, {advance // 16};\n  add.s64 %d11, %d11, {advance // 16};\n"
            )
        body += "  wgmma.commit_group.sync.aligned;\n  wgmma.wait_group.sync.aligned 0;\n"
        body += (
            "".join(f"  st.global.b32 [%d5+{512 * j}], %r{30 + j};\n" for j in range(n // 2))
            + "  ret;\n"
        )
        law(
            f"wgmma-{name}",
            body,
            INOUT,
            [arg_in(f"inputs/{data}.bin"), arg_out(512 * (n // 2))],
            block=128,
            module=sh.format(n=32768),
            compare=compare,
        )

    for n in range(8, 257, 8):
        wg(f"r-n{n}", n, "r")
    for n in [8, 24, 48, 64, 96, 128, 144, 192, 256]:
        wg(f"s-n{n}", n, "s")
    for swz, stride in [(32, 256), (64, 512), (128, 1024)]:
        wg(f"r-n32-swz{swz}", 32, "r", swz=swz, stride=stride)
        wg(f"s-n32-swz{swz}", 32, "s", swz=swz, stride=stride)
        # Transposed: eight k rows are a group; its rows lie `swz` bytes apart.
        wg(f"r-n32-swz{swz}-transb", 32, "r", swz=swz, trans_b=1, lead=2048, stride=stride)
        wg(
            f"s-n32-swz{swz}-transab",
            32,
            "s",
            swz=swz,
            trans_a=1,
            trans_b=1,
            lead=2048,
            stride=stride,
        )
    wg("r-n32-none-transb", 32, "r", trans_b=1, lead=256, stride=128)
    wg("s-n16", 16, "s")
    wg("s-n32-swz128-steps", 32, "s", swz=128, stride=1024, steps=4)
    wg("r-n16-f16", 16, "r", t="f16", data="tileh")
    wg("r-n16-negate", 16, "r", neg=(-1, 1))
    wg("s-n16-negate-b", 16, "s", neg=(1, -1))
    wg("r-n16-scale0", 16, "r", scale="0")
    wg("r-n16-random", 16, "r", data="tiler", compare="f32:2e-5")

    # Numbers of 8 bits: each sum is cut, so that inputs need not be exact.
    for n in range(8, 257, 8):
        wg(f"fp8-r-n{n}", n, "r", data="fp8", fp8="e5m2.e4m3")
    for types in ["e4m3.e4m3", "e4m3.e5m2", "e5m2.e5m2"]:
        wg(f"fp8-r-n16-{types.replace('.', '-')}", 16, "r", data="fp8", fp8=types)
    for n in [8, 64, 256]:
        wg(f"fp8-s-n{n}", n, "s", data="fp8", fp8="e5m2.e4m3")
    for a in "rs":
        wg(
            f"fp8-{a}-n32-swz128-steps",
            32,
            a,
            data="fp8",
            fp8="e5m2.e4m3",
            swz=128,
            stride=1024,
            steps=4,
        )
    wg("fp8-r-n16-negate", 16, "r", data="fp8", fp8="e5m2.e4m3", neg=(-1, 1))
    wg("fp8-r-n16-negate-b", 16, "r", data="fp8", fp8="e5m2.e4m3", neg=(1, -1))
    wg("fp8-r-n16-scale0", 16, "r", data="fp8", fp8="e5m2.e4m3", scale="0")
