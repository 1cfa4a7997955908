# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Laws of floating point, and of conversions."""

from kit import bits, elementwise

COMPARISONS = ["eq", "ne", "lt", "le", "gt", "ge", "equ", "neu", "ltu", "leu", "gtu", "geu"]
COMPARISONS += ["num", "nan"]


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
    for c in COMPARISONS:
        elementwise(f"setp-{c}-f32", f"setp.{c}.f32 {{d}}, {{a}}, {{b}};", ["f32"] * 2, "pred", f)
    # How far PTX lets a GPU's result be from the true one. The interpreter's is the true one,
    # rounded.
    distances = {
        "ex2": "ulps:2",
        "lg2": "f32:3e-7",
        "rcp": "ulps:1",
        "rsqrt": "ulps:2",
        "sqrt": "ulps:2",
        "sin": "f32:4e-6",
        "cos": "f32:4e-6",
    }
    for op, compare in distances.items():
        elementwise(f"{op}-approx-f32", f"{op}.approx.ftz.f32 {{d}}, {{a}};", ["f32"], "f32",
                    ["near"], compare=compare)  # fmt: skip
    # Subnormal numbers count in these.
    for kinds in [["near"] * 2, f]:
        suffix = "-near" if kinds is not f else ""
        for op in ["lg2", "sqrt", "rsqrt"]:
            elementwise(f"{op}-approx-f32-unflushed{suffix}", f"{op}.approx.f32 {{d}}, {{a}};",
                        ["f32"], "f32", kinds, compare=distances[op])  # fmt: skip
        elementwise(f"div-full-f32{suffix}", "div.full.f32 {d}, {a}, {b};", ["f32"] * 2, "f32",
                    kinds, compare="ulps:2")  # fmt: skip
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
    for op in ["min", "max"]:
        elementwise(f"{op}-f64", f"{op}.f64 {{d}}, {{a}}, {{b}};", ["f64"] * 2, "f64", ["f64"] * 2)
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
    for t, k in [("bf16", "bf"), ("f16", "hf"), ("f64", "f64")]:
        for c in COMPARISONS:
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
    # Of 32 bits, the low 8 with their sign.
    elementwise("cvt-s8-s32", "cvt.s8.s32 {d}, {a};", ["s32"], "b32", ["int"])
    elementwise("cvt-s16-s8", "cvt.s16.s8 {d}, {a};", ["s8"], "b16", ["int"])
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
