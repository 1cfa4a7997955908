# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What the writers of micro-kernels share: a law is added to the family being written."""

N = 512
laws = []
families = {}
family = None


def begin(name):
    """Laws that follow belong to this family, and file."""
    global family
    family = name
    families[name] = []


BITS = {
    "b16": 16,
    "u16": 16,
    "s16": 16,
    "f16": 16,
    "bf16": 16,
    "b8": 8,
    "u8": 8,
    "s8": 8,
    "b64": 64,
    "u64": 64,
    "s64": 64,
    "f64": 64,
    "e4m3x2": 16,
    "e5m2x2": 16,
}


def bits(t):
    return BITS.get(t, 32)


def law(name, body, params, args, grid=1, block=32, module="", compare="exact", directives=""):
    """One kernel of the current family's file."""
    entry = "law_" + name.replace("-", "_")
    if module.startswith(".const"):
        families[family].append(module)
        module = ""
    text = f".visible .entry {entry}(" + ", ".join(params) + ")" + directives + "\n{\n"
    families[family].append(text + module + body + "}\n")
    laws.append(
        {
            "name": name,
            "file": f"{family}.ptx",
            "entry": entry,
            "grid": grid,
            "block": block,
            "args": args,
            "compare": compare,
        }
    )


def arg_in(f):
    return {"in": f}


def arg_out(n):
    return {"out": n}


def arg_bytes(data):
    """A parameter passed by value."""
    return {"value": data.hex()}


REGS = """  .reg .pred %p<8>;
  .reg .b16 %h<16>;
  .reg .b32 %r<160>;
  .reg .b64 %d<32>;
"""


def elementwise(name, text, types, result, kinds, compare="exact", setup=""):
    """text uses {d}, {a}, {b}, {c}; types are those of the sources."""
    reg = {8: "%h", 16: "%h", 32: "%r", 64: "%d"}
    ld = {8: "b16", 16: "b16", 32: "b32", 64: "b64"}
    body = REGS + "  mov.u32 %r1, %ctaid.x;\n  shl.b32 %r1, %r1, 7;\n  mov.u32 %r2, %tid.x;\n"
    body += "  add.u32 %r1, %r1, %r2;\n  mul.wide.u32 %d1, %r1, 8;\n"
    params, args, names = [], [], {}
    for i, t in enumerate(types):
        r = f"{reg[bits(t)]}{10 + i}"
        names["abc"[i]] = r
        params.append(f".param .u64 p{i}")
        args.append(arg_in(f"inputs/{kinds[i]}{i}.bin"))
        body += f"  ld.param.u64 %d2, [p{i}];\n  add.s64 %d2, %d2, %d1;\n"
        body += f"  ld.global.{ld[bits(t)]} {r}, [%d2];\n"
    params.append(".param .u64 out")
    body += "  ld.param.u64 %d3, [out];\n  add.s64 %d3, %d3, %d1;\n  st.global.u64 [%d3], 0;\n"
    d = "%p1" if result == "pred" else f"{reg[bits(result)]}9"
    body += setup + "  " + text.format(d=d, **names) + "\n"
    if result == "pred":
        body += "  selp.u32 %r9, 1, 0, %p1;\n  st.global.u32 [%d3], %r9;\n"
    else:
        body += f"  st.global.{ld[bits(result)]} [%d3], {d};\n"
    body += "  ret;\n"
    law(name, body, params, args + [arg_out(8 * N)], grid=4, block=128, compare=compare)


ADDR = """  mov.u32 %r1, %tid.x;
  ld.param.u64 %d1, [in];
  ld.param.u64 %d2, [out];
  mul.wide.u32 %d3, %r1, 4;
  add.s64 %d4, %d1, %d3;
  add.s64 %d5, %d2, %d3;
  ld.global.b32 %r2, [%d4];
"""
INOUT = [".param .u64 in", ".param .u64 out"]
