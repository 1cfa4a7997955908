# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Laws of integers and bits."""

from kit import bits, elementwise


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
    for t, suffix in [
        ("b32", ""),
        ("b16", "-b16"),
        ("b64", "-b64"),
        ("f32", "-f32"),
        ("f64", "-f64"),
    ]:
        # Bits are chosen: those of any NaN stay as they are.
        elementwise(
            f"selp{suffix}",
            f"setp.lt.u{bits(t)} %p2, {{a}}, {{b}}; selp.{t} {{d}}, {{a}}, {{c}}, %p2;",
            [f"u{bits(t)}"] * 3,
            t,
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
