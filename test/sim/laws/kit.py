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

BYTES = "inputs/bytes.bin"
TILE = ".shared .align 1024 .b8 tile[{n}];\n.shared .align 8 .b64 full;\n"
SLOT = "  mov.u32 %r4, tile;\n  shl.b32 %r3, %r1, 2;\n  add.s32 %r5, %r4, %r3;\n"
"""Bytes to read, shared memory of a block and its mbarrier, a thread's word there."""

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
"""The first thread copies 512 bytes; all wait."""

CLUSTER = """  mov.u32 %r10, full;
  mov.u32 %r4, tile;
  mov.u32 %r3, %cluster_ctarank;
  setp.ne.u32 %p1, %r1, 0;
  @%p1 bra START;
  mbarrier.init.shared::cta.b64 [%r10], 1;
  fence.mbarrier_init.release.cluster;
  mbarrier.arrive.expect_tx.shared::cta.b64 _, [%r10], 128;
START:
"""
"""Each of two blocks has an mbarrier that waits for 128 bytes."""
TWO_BLOCKS = "\n.explicitcluster\n.reqnctapercluster 2, 1, 1\n"


def block_law(name, text, words=1, block=32, n=None, directives="", grid=1, zero=False, rest=0):
    """Thread t stores %r30, %r31, ... `block` words apart, at word t of its block's part; `rest`
    bytes follow all parts."""
    body = REGS + ADDR + SLOT
    if grid > 1:
        body += f"  mov.u32 %r9, %ctaid.x;\n  mul.wide.u32 %d9, %r9, {4 * block * words};\n"
        body += "  add.s64 %d5, %d5, %d9;\n"
    body += text
    body += "".join(f"  st.global.b32 [%d5+{4 * block * j}], %r{30 + j};\n" for j in range(words))
    out = {"out": 4 * block * words * grid + rest, **({"zero": True} if zero else {})}
    law(name, body + "  ret;\n", INOUT, [arg_in(BYTES), out], grid=grid, block=block,
        module=TILE.format(n=n or 16 * block), directives=directives)  # fmt: skip


FILL = """  mov.u32 %r4, tile;
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
"""All threads copy the input's words to shared memory, where the asynchronous proxy may read them."""
