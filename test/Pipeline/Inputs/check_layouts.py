# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Operands of any strides and offset: kernels on the interpreter store what the loops store.

Each operand of a grouped_matmul is a view of a flat buffer, with strides and an offset from a
seed: known from the type or at run time only, contiguous or not, aligned or not. A program of
several such operations runs twice, as loops on the CPU and as kernels, and prints a hash of every
flat buffer, so that what is stored beside an output is found too. Values are small whole numbers,
whose sums are exact in any order.

    check_layouts.py BUILD LLVM-BIN mma_sync|wgmma register|shared
"""

import pathlib
import random
import re
import subprocess
import sys
import tempfile

K, N, EXPERTS, GROUPS, CASES = 64, 48, 2, 3, 8
TYPES = {"bf16": 2, "f32": 4, "i32": 4, "!mxfp4.block<spread, raw>": 2176}

HELPERS = """
func.func private @printI64(i64)
func.func private @printNewline()

func.func @mix(%hash: i64, %word: i64) -> i64 {
  %prime = arith.constant 1099511628211 : i64
  %x = arith.xori %hash, %word : i64
  %y = arith.muli %x, %prime : i64
  return %y : i64
}
"""

OPAQUE = """
func.func @opaque(%x: index) -> index {
  return %x : index
}
"""

# Filling a flat buffer, and the hash of what it holds, by type of element.
BUFFER = """
func.func @fill_{name}(%b: memref<?x{type}>) {{
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %n = memref.dim %b, %c0 : memref<?x{type}>
  scf.for %i = %c0 to %n step %c1 {{
    {fill}
  }}
  return
}}
func.func @print_{name}(%b: memref<?x{type}>) {{
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %seed = arith.constant 1469598103934665603 : i64
  %n = memref.dim %b, %c0 : memref<?x{type}>
  %hash = scf.for %i = %c0 to %n step %c1 iter_args(%h = %seed) -> (i64) {{
    %v = memref.load %b[%i] : memref<?x{type}>
    {word}
    %next = func.call @mix(%h, %w) : (i64, i64) -> i64
    scf.yield %next : i64
  }}
  func.call @printI64(%hash) : (i64) -> ()
  func.call @printNewline() : () -> ()
  return
}}
"""
SMALL = """%five = arith.constant 5 : index
    %seven = arith.constant 7 : index
    %two = arith.constant 2 : i32
    %p = arith.muli %i, %seven : index
    %d = arith.divui %i, %seven : index
    %s = arith.addi %p, %d : index
    %m = arith.remui %s, %five : index
    %m32 = arith.index_cast %m : index to i32
    %z = arith.subi %m32, %two : i32
    %f = arith.sitofp %z : i32 to f32
"""
BUFFERS = (
    BUFFER.format(
        name="bf16",
        type="bf16",
        fill=SMALL + "%v = arith.truncf %f : f32 to bf16\n"
        "    memref.store %v, %b[%i] : memref<?xbf16>",
        word="%x = arith.bitcast %v : bf16 to i16\n    %w = arith.extui %x : i16 to i64",
    )
    + BUFFER.format(
        name="f32",
        type="f32",
        fill=SMALL + "memref.store %f, %b[%i] : memref<?xf32>",
        word="%x = arith.bitcast %v : f32 to i32\n    %w = arith.extui %x : i32 to i64",
    )
    + BUFFER.format(
        name="i32",
        type="i32",
        fill="%v = arith.constant 7 : i32\n    memref.store %v, %b[%i] : memref<?xi32>",
        word="%w = arith.extui %v : i32 to i64",
    )
    + """
// Codes of any kind; scales of 2^-1, 2^0 or 2^1 behind them.
func.func @fill_block(%b: memref<?x!mxfp4.block<spread, raw>>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c3 = arith.constant 3 : index
  %c126 = arith.constant 126 : index
  %c2048 = arith.constant 2048 : index
  %c2176 = arith.constant 2176 : index
  %factor = arith.constant 40503 : index
  %shift = arith.constant 5 : index
  %n = memref.dim %b, %c0 : memref<?x!mxfp4.block<spread, raw>>
  %bytes = mxfp4.block_bytes %b : memref<?x!mxfp4.block<spread, raw>> -> memref<?x2176xi8>
  scf.for %i = %c0 to %n step %c1 {
    scf.for %j = %c0 to %c2176 step %c1 {
      %row = arith.muli %i, %c2176 : index
      %at = arith.addi %row, %j : index
      %p = arith.muli %at, %factor : index
      %code = arith.shrui %p, %shift : index
      %r = arith.remui %code, %c3 : index
      %scale = arith.addi %r, %c126 : index
      %isCode = arith.cmpi ult, %j, %c2048 : index
      %v = arith.select %isCode, %code, %scale : index
      %byte = arith.index_cast %v : index to i8
      memref.store %byte, %bytes[%i, %j] : memref<?x2176xi8>
    }
  }
  return
}
"""
)


class Program:
    """The text of a main function, with a number of its own for each value."""

    def __init__(self):
        self.lines, self.count = [], 0

    def value(self, text):
        """The result of an operation."""
        self.count += 1
        self.lines.append(f"  %v{self.count} = {text}")
        return f"%v{self.count}"

    def index(self, number):
        """A number that no pass knows, since it comes from a call."""
        constant = self.value(f"arith.constant {number} : index")
        return self.value(f"func.call @opaque({constant}) : (index) -> index")


def identity(sizes):
    """Strides of a contiguous buffer."""
    strides = [1] * len(sizes)
    for dim in range(len(sizes) - 2, -1, -1):
        strides[dim] = strides[dim + 1] * sizes[dim + 1]
    return strides


def layout(rng, sizes, unit):
    """Strides and an offset, and which of them the type says."""
    strides = identity(sizes)
    kind = rng.choice(["same", "same", "pitch", "step", "transposed"])
    if kind == "pitch" and len(sizes) > 1:
        strides = identity([*sizes[:-1], sizes[-1] + rng.choice([2, 8, 64])])
    elif kind == "step":
        strides = [2 * stride for stride in strides]
    elif kind == "transposed" and len(sizes) > 1:
        strides = identity(sizes[::-1])[::-1]
    offset = rng.choice([0, 0, unit, 3 * unit, 1, 2, 5])
    known = rng.choice(["all", "all", "strides", "inner", "none"])
    says = {
        "all": ([True] * len(sizes), True),
        "strides": ([True] * len(sizes), False),
        "inner": ([False] * (len(sizes) - 1) + [True], False),
        "none": ([False] * len(sizes), False),
    }[known]
    return strides, offset, *says


def view(program, rng, element, sizes, dynamic_rows=False, unit=None):
    """A flat buffer, and a view of it with its type."""
    strides, offset, known, offset_known = layout(rng, sizes, unit or sizes[-1])
    length = (
        offset + sum((s - 1) * stride for s, stride in zip(sizes, strides, strict=True)) + 1 + 3
    )
    extent = program.value(f"arith.constant {length} : index")
    flat = program.value(f"memref.alloc({extent}) : memref<?x{element}>")
    name = "block" if "block" in element else element
    program.lines.append(f"  func.call @fill_{name}({flat}) : (memref<?x{element}>) -> ()")
    shape = ["?" if dim == 0 and dynamic_rows else str(s) for dim, s in enumerate(sizes)]
    text = ", ".join(str(s) if k else "?" for s, k in zip(strides, known, strict=True))
    at = f", offset: {offset if offset_known else '?'}" if offset or not offset_known else ""
    type_ = f"memref<{'x'.join(shape)}x{element}, strided<[{text}]{at}>>"
    extents = ", ".join(program.index(sizes[d]) if s == "?" else s for d, s in enumerate(shape))
    steps = ", ".join(
        str(s) if k else program.index(s) for s, k in zip(strides, known, strict=True)
    )
    made = program.value(
        f"memref.reinterpret_cast {flat} to "
        f"offset: [{offset if offset_known else program.index(offset)}], "
        f"sizes: [{extents}], strides: [{steps}]"
        f" : memref<?x{element}> to {type_}"
    )
    return flat, made, type_


def store(program, buffer, values):
    """Writes words through a view."""
    _, made, type_ = buffer
    for at, number in enumerate(values):
        where = program.value(f"arith.constant {at} : index")
        what = program.value(f"arith.constant {number} : i32")
        program.lines.append(f"  memref.store {what}, {made}[{where}] : {type_}")


def operation(program, rng):
    """One grouped_matmul, and the hashes of its buffers."""
    rows = rng.choice([1, 5, 9])
    dynamic = rng.random() < 0.5
    element = rng.choice(["bf16", "f32"])
    x = view(program, rng, "bf16", [rows, K], dynamic)
    w = view(program, rng, "!mxfp4.block<spread, raw>", [EXPERTS, 1, 1], unit=EXPERTS)
    o = view(program, rng, "i32", [GROUPS + 1])
    ids = view(program, rng, "i32", [GROUPS])
    y = view(program, rng, element, [rows, N], dynamic)
    error = view(program, rng, "i32", [1])
    workspace = view(program, rng, "i32", [2])
    store(program, o, [0, rows // 2, rows // 2, rows])
    # An id that there is not: its rows keep what they have.
    store(program, ids, [1, 0, rng.choice([0, -1, 0, 2])])
    store(program, error, [0])
    store(program, workspace, [0, 0])
    program.lines.append(
        f"  mxfp4.grouped_matmul activations({x[1]} : {x[2]}) weights({w[1]} : {w[2]})\n"
        f"    offsets({o[1]} : {o[2]}) expert_ids({ids[1]} : {ids[2]}) outs({y[1]} : {y[2]})\n"
        f"    error({error[1]} : {error[2]}) workspace({workspace[1]} : {workspace[2]})"
    )
    for (flat, _, _), name in [(y, element), (error, "i32"), (workspace, "i32"), (x, "bf16")]:
        program.lines.append(f"  func.call @print_{name}({flat}) : (memref<?x{name}>) -> ()")


def source(seed):
    """A program of several operations."""
    rng, program = random.Random(seed), Program()
    for _ in range(CASES):
        operation(program, rng)
    return "\n".join(
        [HELPERS, BUFFERS, OPAQUE, "func.func @main() {", *program.lines, "  return", "}"]
    )


HOST = (
    "mxfp4-lower-to-loops,convert-scf-to-cf,expand-strided-metadata,lower-affine,"
    "arith-expand{include-bf16},gpu-to-llvm{use-bare-pointers-for-kernels},convert-to-llvm,"
    "reconcile-unrealized-casts"
)


def execute(build, llvm, text, pipeline, folder):
    """What a program prints, and what was said when it was lowered."""
    source_file, lowered = folder / "in.mlir", folder / "out.mlir"
    source_file.write_text(text)
    done = subprocess.run(
        [build / "bin/mxfp4-opt", source_file, f"--pass-pipeline=builtin.module({pipeline})"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    # Memory comes from the interpreter, which then knows where a buffer ends.
    program = done.stdout.replace("@malloc(", "@_mlir_memref_to_llvm_alloc(")
    lowered.write_text(program.replace("@free(", "@_mlir_memref_to_llvm_free("))
    libraries = [
        llvm.parent / "lib/libmlir_c_runner_utils.so",
        build / "lib/libmxfp4-sim-runtime.so",
    ]
    ran = subprocess.run(
        [llvm / "mlir-runner", lowered, "-e", "main", "--entry-point-result=void"]
        + [f"--shared-libs={library}" for library in libraries],
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.split(), done.stderr


def main():
    """Command line."""
    build, llvm = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
    instruction, placement = sys.argv[3:5]
    copied = in_place = checked = 0
    for seed in range(int(sys.argv[5]) if len(sys.argv) > 5 else 3):
        text = source(f"{instruction} {placement} {seed}")
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            expected, _ = execute(build, llvm, text, "mxfp4-to-cpu", folder)
            options = f"instruction={instruction} placement={placement} rows-hint=9"
            got, remarks = execute(build, llvm, text, f"mxfp4-to-ptx{{{options}}},{HOST}", folder)
        assert len(expected) == 4 * CASES, expected
        for case in range(CASES):
            lines = slice(4 * case, 4 * case + 4)
            assert got[lines] == expected[lines], f"seed {seed}, operation {case}:\n{text}"
        copied += len(re.findall(r"copies .* because", remarks))
        checked += len(re.findall(r"copies .* if its", remarks))
        in_place += 7 * CASES
    in_place -= copied + checked
    assert min(copied, checked, in_place) > 5, (copied, checked, in_place)
    print(f"in place {in_place}, copied {copied}, checked at run time {checked}")


if __name__ == "__main__":
    main()
