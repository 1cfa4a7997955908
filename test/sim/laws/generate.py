#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes the micro-kernels, their inputs and manifest.json, in this folder.

Each law is one instruction (or the few that it cannot do without), run on
deterministic inputs. record.py runs the laws on a GPU, replay.py on the
interpreter, and the results must agree bit for bit, but for the laws whose
manifest entry allows a distance.
"""

import json
import os
import random
import struct

import forms
import kit
from kit import ADDR, INOUT, REGS, arg_in, arg_out, bits, elementwise, law

HERE = os.path.dirname(os.path.abspath(__file__))
HEAD = "// Written by generate.py.\n\n.version 8.1\n.target sm_90a\n.address_size 64\n\n"


def write(name, data):
    path = os.path.join(HERE, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(data if isinstance(data, bytes) else data.encode())


# -- Inputs: eight bytes an element; special values in all pairs, then random.


def pairs(special, rand, seed, pack):
    r = random.Random(seed)
    s = [special[i % len(special)] for i in range(16)]
    out = []
    for which in range(3):
        col = []
        for i in range(256):
            col.append(s[[i % 16, i // 16, (i * 7 + i // 16) % 16][which]])
        col += [rand(r) for _ in range(256)]
        out.append(b"".join(pack(v) for v in col))
    return out


def inputs():
    q = lambda v: struct.pack("<Q", v & (2**64 - 1))
    ints = [
        0,
        1,
        2,
        3,
        0x7F,
        0x80,
        0x7FFF,
        0x8000,
        0xFFFF,
        0x7FFFFFFF,
        0x80000000,
        0xFFFFFFFF,
        0x7FFFFFFFFFFFFFFF,
        0x8000000000000000,
        2**64 - 1,
        0x0123456789ABCDEF,
    ]
    f32 = [
        0,
        0x80000000,
        0x3F800000,
        0xBF800000,
        1,
        0x007FFFFF,
        0x80800000,
        0x7F7FFFFF,
        0x7F800000,
        0xFF800000,
        0x7FC00000,
        0x40490FDB,
        0x3FC00000,
        0x00C00000,
        0x4B800001,
        0xCF000000,
    ]
    f64 = [
        0,
        0x8000000000000000,
        0x3FF0000000000000,
        0xBFF0000000000000,
        1,
        0x000FFFFFFFFFFFFF,
        0x0010000000000000,
        0x7FEFFFFFFFFFFFFF,
        0x7FF0000000000000,
        0xFFF0000000000000,
        0x7FF8000000000000,
        0x400921FB54442D18,
        0x3FF8000000000000,
        0x36A0000000000000,
        0x41E0000000000000,
        0xC3E0000000000000,
    ]
    bf = [
        0,
        0x8000,
        0x3F80,
        0xBF80,
        1,
        0x007F,
        0x8080,
        0x7F7F,
        0x7F80,
        0xFF80,
        0x7FC0,
        0x4049,
        0x3FC0,
        0x00C0,
        0x4B81,
        0xCF00,
    ]
    hf = [
        0,
        0x8000,
        0x3C00,
        0xBC00,
        1,
        0x03FF,
        0x8400,
        0x7BFF,
        0x7C00,
        0xFC00,
        0x7E00,
        0x4248,
        0x3E00,
        0x0600,
        0x6801,
        0xD800,
    ]
    two = lambda lst: [a | lst[(i * 5 + 3) % 16] << 16 for i, a in enumerate(lst)]
    amt = [0, 1, 2, 3, 4, 7, 8, 15, 16, 17, 31, 32, 33, 63, 64, 255]
    kinds = {
        "int": (ints, lambda r: r.getrandbits(64) >> r.choice([0, 0, 31, 48])),
        "f32": (f32, lambda r: r.getrandbits(32)),
        "near": (f32, lambda r: 0x3F800000 + r.getrandbits(25) | r.getrandbits(1) << 31),
        "f64": (f64, lambda r: r.getrandbits(64)),
        "bf": (two(bf), lambda r: r.getrandbits(32)),
        "hf": (two(hf), lambda r: r.getrandbits(32)),
        "amt": (amt, lambda r: r.randrange(0, 70)),
    }
    for seed, (name, (special, rand)) in enumerate(kinds.items()):
        for which, data in enumerate(pairs(special, rand, seed, q)):
            write(f"inputs/{name}{which}.bin", data)
    r = random.Random(99)
    exact = [0x0000, 0x3F80, 0xBF80, 0x4000, 0xC000, 0x3F00, 0x4040, 0xC040, 0x4080]
    write("inputs/tile.bin", b"".join(struct.pack("<H", r.choice(exact)) for _ in range(32768)))
    half = [0x0000, 0x3C00, 0xBC00, 0x4000, 0xC000, 0x3800, 0x4200, 0xC200, 0x4400]
    write("inputs/tileh.bin", b"".join(struct.pack("<H", r.choice(half)) for _ in range(32768)))
    write(
        "inputs/tiler.bin",
        b"".join(
            struct.pack(
                "<H", 0x3F00 + r.getrandbits(7) + 128 * r.randrange(0, 3) | r.getrandbits(1) << 15
            )
            for _ in range(32768)
        ),
    )
    write("inputs/bytes.bin", bytes(r.getrandbits(8) for _ in range(16384)))


def integer_laws():
    for t in ["u16", "s16", "u32", "s32", "u64", "s64"]:
        i = ["int"] * 3
        for op in ["add", "sub", "min", "max"]:
            elementwise(f"{op}-{t}", f"{op}.{t} {{d}}, {{a}}, {{b}};", [t, t], t, i)
        for op in ["div", "rem"]:
            # Division by zero is undefined: the divisor is made odd.
            b = bits(t)
            one = f"  or.b{b} {{b}}, {{b}}, 1;\n"
            r = {16: "%h11", 32: "%r11", 64: "%d11"}[b]
            elementwise(
                f"{op}-{t}", f"{op}.{t} {{d}}, {{a}}, {{b}};", [t, t], t, i, setup=one.format(b=r)
            )
        for half in ["lo", "hi"]:
            elementwise(f"mul-{half}-{t}", f"mul.{half}.{t} {{d}}, {{a}}, {{b}};", [t, t], t, i)
            elementwise(
                f"mad-{half}-{t}", f"mad.{half}.{t} {{d}}, {{a}}, {{b}}, {{c}};", [t] * 3, t, i
            )
        elementwise(f"sad-{t}", f"sad.{t} {{d}}, {{a}}, {{b}}, {{c}};", [t] * 3, t, i)
        for c in ["eq", "ne", "lt", "le", "gt", "ge"]:
            elementwise(f"setp-{c}-{t}", f"setp.{c}.{t} {{d}}, {{a}}, {{b}};", [t, t], "pred", i)
        elementwise(f"shr-{t}", f"shr.{t} {{d}}, {{a}}, {{b}};", [t, "u32"], t, ["int", "amt"])
        if t[0] == "s":
            for op in ["neg", "abs"]:
                elementwise(f"{op}-{t}", f"{op}.{t} {{d}}, {{a}};", [t], t, i)
    wide = {"u16": "u32", "s16": "s32", "u32": "u64", "s32": "s64"}
    for t, w in wide.items():
        elementwise(f"mul-wide-{t}", f"mul.wide.{t} {{d}}, {{a}}, {{b}};", [t, t], w, ["int"] * 3)
        elementwise(
            f"mad-wide-{t}", f"mad.wide.{t} {{d}}, {{a}}, {{b}}, {{c}};", [t, t, w], w, ["int"] * 3
        )
    for t in ["u32", "s32"]:
        elementwise(f"mul24-lo-{t}", f"mul24.lo.{t} {{d}}, {{a}}, {{b}};", [t, t], t, ["int"] * 2)
        elementwise(
            f"mad24-lo-{t}", f"mad24.lo.{t} {{d}}, {{a}}, {{b}}, {{c}};", [t] * 3, t, ["int"] * 3
        )
        for u in ["u32", "s32"]:
            elementwise(
                f"dp4a-{t}-{u}",
                f"dp4a.{t}.{u} {{d}}, {{a}}, {{b}}, {{c}};",
                [t, u, t],
                t,
                ["int"] * 3,
            )
    for op in ["add", "sub"]:
        elementwise(
            f"{op}-sat-s32", f"{op}.sat.s32 {{d}}, {{a}}, {{b}};", ["s32"] * 2, "s32", ["int"] * 2
        )
        elementwise(
            f"{op}-cc-u32",
            f"{op}.cc.u32 {{d}}, {{a}}, {{b}}; {op}c.u32 {{d}}, {{a}}, {{c}};",
            ["u32"] * 3,
            "u32",
            ["int"] * 3,
        )
    for t in ["u16x2", "s16x2"]:
        for op in ["add", "min", "max"]:
            elementwise(
                f"{op}-{t}", f"{op}.{t} {{d}}, {{a}}, {{b}};", ["b32"] * 2, "b32", ["int"] * 2
            )


def bit_laws():
    for t in ["b16", "b32", "b64"]:
        for op in ["and", "or", "xor"]:
            elementwise(f"{op}-{t}", f"{op}.{t} {{d}}, {{a}}, {{b}};", [t, t], t, ["int"] * 2)
        for op in ["not", "cnot"]:
            elementwise(f"{op}-{t}", f"{op}.{t} {{d}}, {{a}};", [t], t, ["int"])
        elementwise(f"shl-{t}", f"shl.{t} {{d}}, {{a}}, {{b}};", [t, "u32"], t, ["int", "amt"])
    for t in ["b32", "b64"]:
        for op in ["popc", "clz"]:
            elementwise(f"{op}-{t}", f"{op}.{t} {{d}}, {{a}};", [t], "u32", ["int"])
        elementwise(f"brev-{t}", f"brev.{t} {{d}}, {{a}};", [t], t, ["int"])
        elementwise(
            f"bfi-{t}",
            f"bfi.{t} {{d}}, {{a}}, {{a}}, {{b}}, {{c}};",
            [t, "u32", "u32"],
            t,
            ["int", "amt", "amt"],
        )
    for t in ["u32", "s32", "u64", "s64"]:
        elementwise(
            f"bfe-{t}",
            f"bfe.{t} {{d}}, {{a}}, {{b}}, {{c}};",
            [t, "u32", "u32"],
            t,
            ["int", "amt", "amt"],
        )
        elementwise(f"bfind-{t}", f"bfind.{t} {{d}}, {{a}};", [t], "u32", ["int"])
        elementwise(f"bfind-shiftamt-{t}", f"bfind.shiftamt.{t} {{d}}, {{a}};", [t], "u32", ["int"])
    for m in ["", ".f4e", ".b4e", ".rc8", ".ecl", ".ecr", ".rc16"]:
        elementwise(
            f"prmt{m.replace('.', '-')}",
            f"prmt.b32{m} {{d}}, {{a}}, {{b}}, {{c}};",
            ["b32"] * 3,
            "b32",
            ["int"] * 3,
        )
    for table in [0x00, 0xC0, 0xEA, 0x96, 0xF8, 0x1B]:
        elementwise(
            f"lop3-{table:02x}",
            f"lop3.b32 {{d}}, {{a}}, {{b}}, {{c}}, {table};",
            ["b32"] * 3,
            "b32",
            ["int"] * 3,
        )
    for side in "lr":
        for mode in ["wrap", "clamp"]:
            elementwise(
                f"shf-{side}-{mode}",
                f"shf.{side}.{mode}.b32 {{d}}, {{a}}, {{b}}, {{c}};",
                ["b32", "b32", "u32"],
                "b32",
                ["int", "int", "amt"],
            )
    elementwise("bmsk", "bmsk.clamp.b32 {d}, {a}, {b};", ["u32"] * 2, "u32", ["amt", "amt"])
    for t in ["u32", "s32"]:
        elementwise(
            f"szext-{t}", f"szext.clamp.{t} {{d}}, {{a}}, {{b}};", [t, "u32"], t, ["int", "amt"]
        )
    elementwise("mov-pack", "mov.b32 {d}, {{{a}, {b}}};", ["b16", "b16"], "b32", ["int"] * 2)
    elementwise(
        "mov-unpack",
        "mov.b32 {{%h1, %h2}}, {a}; mov.b32 {d}, {{%h2, %h1}};",
        ["b32"],
        "b32",
        ["int"],
    )
    elementwise("mov-pack64", "mov.b64 {d}, {{{a}, {b}}};", ["b32", "b32"], "b64", ["int"] * 2)
    elementwise(
        "selp",
        "setp.lt.u32 %p2, {a}, {b}; selp.b32 {d}, {a}, {c}, %p2;",
        ["u32"] * 3,
        "b32",
        ["int"] * 3,
    )
    elementwise(
        "slct", "slct.b32.s32 {d}, {a}, {b}, {c};", ["b32", "b32", "s32"], "b32", ["int"] * 3
    )
    elementwise(
        "setp-and",
        "setp.ne.s32 %p2, {c}, 0; setp.lt.and.s32 {d}, {a}, {b}, %p2;",
        ["s32"] * 3,
        "pred",
        ["int"] * 3,
    )
    elementwise("set-u32", "set.lt.u32.s32 {d}, {a}, {b};", ["s32"] * 2, "u32", ["int"] * 2)


def float_laws():
    f = ["f32", "f32", "f32"]
    for r in ["rn", "rz", "rm", "rp"]:
        for z in ["", ".ftz"]:
            s = z.replace(".", "-")
            for op in ["add", "sub", "mul"]:
                elementwise(
                    f"{op}-{r}{s}-f32",
                    f"{op}.{r}{z}.f32 {{d}}, {{a}}, {{b}};",
                    ["f32"] * 2,
                    "f32",
                    f,
                )
            elementwise(
                f"fma-{r}{s}-f32",
                f"fma.{r}{z}.f32 {{d}}, {{a}}, {{b}}, {{c}};",
                ["f32"] * 3,
                "f32",
                f,
            )
        elementwise(
            f"fma-{r}-f32-near",
            f"fma.{r}.f32 {{d}}, {{a}}, {{b}}, {{c}};",
            ["f32"] * 3,
            "f32",
            ["near"] * 3,
        )
        elementwise(f"div-{r}-f32", f"div.{r}.f32 {{d}}, {{a}}, {{b}};", ["f32"] * 2, "f32", f)
        elementwise(f"rcp-{r}-f32", f"rcp.{r}.f32 {{d}}, {{a}};", ["f32"], "f32", f)
        elementwise(f"sqrt-{r}-f32", f"sqrt.{r}.f32 {{d}}, {{a}};", ["f32"], "f32", f)
    for op in ["add", "mul"]:
        elementwise(
            f"{op}-sat-f32",
            f"{op}.rn.sat.f32 {{d}}, {{a}}, {{b}};",
            ["f32"] * 2,
            "f32",
            ["near"] * 2,
        )
    for op in ["min", "max"]:
        for m in ["", ".NaN", ".ftz"]:
            elementwise(
                f"{op}{m.replace('.', '-')}-f32",
                f"{op}{m}.f32 {{d}}, {{a}}, {{b}};",
                ["f32"] * 2,
                "f32",
                f,
            )
    elementwise("neg-f32", "neg.f32 {d}, {a};", ["f32"], "f32", f)
    elementwise("abs-f32", "abs.f32 {d}, {a};", ["f32"], "f32", f)
    elementwise("copysign-f32", "copysign.f32 {d}, {a}, {b};", ["f32"] * 2, "f32", f)
    for c in [
        "eq",
        "ne",
        "lt",
        "le",
        "gt",
        "ge",
        "equ",
        "neu",
        "ltu",
        "leu",
        "gtu",
        "geu",
        "num",
        "nan",
    ]:
        elementwise(f"setp-{c}-f32", f"setp.{c}.f32 {{d}}, {{a}}, {{b}};", ["f32"] * 2, "pred", f)
    for op in ["ex2", "lg2", "rcp", "rsqrt", "sqrt", "sin", "cos"]:
        elementwise(
            f"{op}-approx-f32",
            f"{op}.approx.ftz.f32 {{d}}, {{a}};",
            ["f32"],
            "f32",
            ["near"],
            compare="f32:4e-6",
        )
    elementwise(
        "tanh-approx-f32", "tanh.approx.f32 {d}, {a};", ["f32"], "f32", ["near"], compare="f32:1e-3"
    )
    elementwise(
        "div-approx-f32",
        "div.approx.f32 {d}, {a}, {b};",
        ["f32"] * 2,
        "f32",
        ["near"] * 2,
        compare="f32:1e-6",
    )
    for op in ["add", "sub", "mul"]:
        elementwise(
            f"{op}-rn-f64", f"{op}.rn.f64 {{d}}, {{a}}, {{b}};", ["f64"] * 2, "f64", ["f64"] * 2
        )
    elementwise("fma-rn-f64", "fma.rn.f64 {d}, {a}, {b}, {c};", ["f64"] * 3, "f64", ["f64"] * 3)
    for t, k in [("bf16", "bf"), ("bf16x2", "bf"), ("f16", "hf"), ("f16x2", "hf")]:
        for op in ["add", "sub", "mul"]:
            elementwise(f"{op}-rn-{t}", f"{op}.rn.{t} {{d}}, {{a}}, {{b}};", [t] * 2, t, [k] * 2)
        elementwise(f"fma-rn-{t}", f"fma.rn.{t} {{d}}, {{a}}, {{b}}, {{c}};", [t] * 3, t, [k] * 3)
        elementwise(
            f"fma-relu-{t}", f"fma.rn.relu.{t} {{d}}, {{a}}, {{b}}, {{c}};", [t] * 3, t, [k] * 3
        )
        for op in ["min", "max"]:
            elementwise(f"{op}-{t}", f"{op}.{t} {{d}}, {{a}}, {{b}};", [t] * 2, t, [k] * 2)
            elementwise(f"{op}-NaN-{t}", f"{op}.NaN.{t} {{d}}, {{a}}, {{b}};", [t] * 2, t, [k] * 2)
        elementwise(f"neg-{t}", f"neg.{t} {{d}}, {{a}};", [t], t, [k])
        elementwise(f"abs-{t}", f"abs.{t} {{d}}, {{a}};", [t], t, [k])
    for t, k in [("bf16", "bf"), ("f16", "hf")]:
        for c in ["eq", "ne", "lt", "geu", "nan"]:
            elementwise(
                f"setp-{c}-{t}", f"setp.{c}.{t} {{d}}, {{a}}, {{b}};", [t] * 2, "pred", [k] * 2
            )


def saturates(to, frm):
    """Can a value of type frm be out of the range of type to?"""
    return to != frm and (
        bits(to) < bits(frm) or (bits(to) == bits(frm)) or (to[0] == "u" and frm[0] == "s")
    )


def convert_laws():
    def cvt(mods, to, frm, kind):
        m = f".{mods}" if mods else ""
        elementwise(
            f"cvt{m.replace('.', '-')}-{to}-{frm}",
            f"cvt{m}.{to}.{frm} {{d}}, {{a}};",
            [frm],
            to,
            [kind],
        )

    ints = ["u16", "s16", "u32", "s32", "u64", "s64"]
    for a in ints:
        for b in ints:
            if a != b:
                cvt("", a, b, "int")
        for b in ints:
            # ptxas knows .sat only where it can change something.
            if saturates(a, b):
                cvt("sat", a, b, "int")
        for r in ["rn", "rz", "rm", "rp"]:
            cvt(r, "f32", a, "int")
        cvt("rn", "f64", a, "int")
        cvt("rn", "f16", a, "int")
        cvt("rn", "bf16", a, "int")
        for r in ["rni", "rzi", "rmi", "rpi"]:
            cvt(r, a, "f32", "f32")
        cvt("rzi", a, "f64", "f64")
        cvt("rzi", a, "f16", "hf")
        cvt("rzi", a, "bf16", "bf")
    for r in ["rn", "rz"]:
        cvt(r, "bf16", "f32", "f32")
        cvt(r, "f16", "f32", "f32")
        cvt(f"{r}.relu", "bf16", "f32", "f32")
        for t in ["bf16x2", "f16x2"]:
            elementwise(
                f"cvt-{r}-{t}-f32",
                f"cvt.{r}.{t}.f32 {{d}}, {{a}}, {{b}};",
                ["f32"] * 2,
                t,
                ["f32"] * 2,
            )
            elementwise(
                f"cvt-{r}-relu-{t}-f32",
                f"cvt.{r}.relu.{t}.f32 {{d}}, {{a}}, {{b}};",
                ["f32"] * 2,
                t,
                ["f32"] * 2,
            )
    cvt("", "f32", "bf16", "bf")
    cvt("", "f32", "f16", "hf")
    cvt("", "f64", "f32", "f32")
    for r in ["rn", "rz", "rm", "rp"]:
        cvt(r, "f32", "f64", "f64")
    for r in ["rni", "rzi", "rmi", "rpi"]:
        cvt(r, "f32", "f32", "f32")
    cvt("sat", "f32", "f32", "f32")
    elementwise("cvt-rna-tf32-f32", "cvt.rna.tf32.f32 {d}, {a};", ["f32"], "b32", ["near"])
    for t in ["e4m3x2", "e5m2x2"]:
        elementwise(
            f"cvt-rn-satfinite-{t}-f32",
            f"cvt.rn.satfinite.{t}.f32 {{d}}, {{a}}, {{b}};",
            ["f32"] * 2,
            "b16",
            ["f32"] * 2,
        )
        elementwise(f"cvt-rn-f16x2-{t}", f"cvt.rn.f16x2.{t} {{d}}, {{a}};", ["b16"], "b32", ["int"])


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
    for t in ["u8", "s8", "u16", "s16", "b32", "b64"]:
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
            + f"""  mov.u32 %r4, tile;
  mov.b32 %r20, %r1;
FILL:
  shl.b32 %r21, %r20, 2;
  cvt.u64.u32 %d8, %r21;
  add.s64 %d8, %d8, %d1;
  ld.global.b32 %r23, [%d8];
  add.s32 %r22, %r4, %r21;
  st.shared.b32 [%r22], %r23;
  add.s32 %r20, %r20, 128;
  setp.lt.u32 %p3, %r20, {size // 4};
  @%p3 bra FILL;
  fence.proxy.async.shared::cta;
  bar.sync 0;
  setp.ne.u32 %p1, %r1, 0;
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


def matrix_laws():
    sh = ".shared .align 1024 .b8 tile[{n}];\n"
    fill = """  mov.u32 %r4, tile;
  mov.b32 %r20, %r1;
FILL:
  shl.b32 %r21, %r20, 2;
  cvt.u64.u32 %d8, %r21;
  add.s64 %d8, %d8, %d1;
  ld.global.b32 %r23, [%d8];
  add.s32 %r22, %r4, %r21;
  st.shared.b32 [%r22], %r23;
  add.s32 %r20, %r20, {threads};
  setp.lt.u32 %p3, %r20, {words};
  @%p3 bra FILL;
  fence.proxy.async.shared::cta;
  bar.sync 0;
"""
    for x in [1, 2, 4]:
        for trans in ["", ".trans"]:
            regs = ", ".join(f"%r{30 + j}" for j in range(x))
            body = (
                REGS
                + ADDR
                + fill.format(threads=32, words=128)
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
    wgmma_laws(sh, fill)


def wgmma_laws(sh, fill):
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
    ):
        acc = ", ".join(f"%r{30 + j}" for j in range(n // 2)) if n <= 256 else ""
        code = {0: 0, 128: 1, 64: 2, 32: 3}[swz]
        desc = (lead >> 4) << 16 | (stride >> 4) << 32 | code << 62
        body = REGS.replace("%r<160>", "%r<200>") + ADDR + fill.format(threads=128, words=8192)
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
            imms = f"{neg[0]}, {neg[1]}" + (
                f", {trans_b}" if a == "r" else f", {trans_a}, {trans_b}"
            )
            body += f"  wgmma.mma_async.sync.aligned.m64n{n}k16.f32.{t}.{t} {{{acc}}}, {first}, %d10, %p5, {imms};\n"
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
        directives="\n.explicitcluster\n.reqnctapercluster 2, 1, 1\n",
    )
    body = (
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
  barrier.cluster.arrive.aligned;
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
        directives="\n.explicitcluster\n.reqnctapercluster 2, 1, 1\n",
    )


def main():
    inputs()
    for fn in [
        integer_laws,
        bit_laws,
        float_laws,
        convert_laws,
        warp_laws,
        memory_laws,
        copy_laws,
        matrix_laws,
        cluster_laws,
        forms.synchronise_laws,
        forms.spelling_laws,
    ]:
        kit.begin(fn.__name__[: -len("_laws")])
        fn()
        write(f"{kit.family}.ptx", HEAD + "\n".join(kit.families[kit.family]))
    with open(os.path.join(HERE, "manifest.json"), "w") as f:
        f.write("[\n" + ",\n".join(json.dumps(entry) for entry in kit.laws) + "\n]\n")
    print(f"{len(kit.laws)} laws")


if __name__ == "__main__":
    main()
