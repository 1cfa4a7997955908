# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Programs of front ends: what the documentation says of them, and how to run them on the CPU."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from toolchain import LLVM

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = ROOT / "test" / "frontends"
PAGE = ROOT / "docs" / "FrontEnds.md"
OPT = Path(os.environ.get("MXFP4_OPT", ROOT / "build" / "bin" / "mxfp4-opt"))


@dataclass
class Verdict:
    """One row of the page's table."""

    name: str
    options: str
    matmuls: int
    decodes: int
    remark: str

    @property
    def passes(self) -> str:
        """What the program is lowered with, on the way to kernels."""
        inline = "inline," if "inline" in self.options.split() else ""
        options = " ".join(word for word in self.options.split() if word != "inline")
        return f"{inline}mxfp4-raise{{{options}}}"


def verdicts() -> list[Verdict]:
    """The rows of the table of verdicts."""
    rows = re.findall(
        r"^\| `([^`]+)` \| (?:`([^`]*)`)? ?\| (\d+) \| (\d+) \| (.*?) ?\|$",
        PAGE.read_text(),
        flags=re.MULTILINE,
    )
    return [
        Verdict(name, options, int(matmuls), int(decodes), remark.strip().strip('"'))
        for name, options, matmuls, decodes, remark in rows
    ]


def opt(text: str, passes: str) -> tuple[str, str]:
    """What mxfp4-opt makes of a program, and what it says."""
    run = subprocess.run(
        [OPT, "--allow-unregistered-dialect", f"--pass-pipeline=builtin.module({passes})"],
        input=text,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return (run.stdout if run.returncode == 0 else "", run.stderr)


def _shape(type_: str) -> tuple[list[int], str]:
    """Sizes (8 for a dynamic one) and element type of a tensor type."""
    *sizes, element = type_.removeprefix("tensor<").removesuffix(">").split("x")
    return [8 if size == "?" else int(size) for size in sizes], element


def _kind(types: list[str], number: int) -> str:
    """What an argument is: scales have one element for 16 bytes of codes."""
    sizes, element = _shape(types[number])
    if element in ("i16", "i32", "i64") and len(sizes) == 3:
        return "words of scales" if sizes[-1] <= 2 else "words"
    if element == "f8E8M0FNU" or (element == "i8" and sizes[-1] != 16):
        return "scales"
    if element in ("i8", "f4E2M1FN"):
        return "codes"
    if element in ("i32", "i64"):
        return {4: "sizes", 5: "offsets"}.get(sizes[0], "experts")
    return "rows"


_VALUE = {
    # Sums of 64 products of such numbers are exact in f32, in whatever order.
    "rows": "%m = arith.remui %n, %c9 : i32\n%v = arith.subi %m, %c4 : i32",
    # Of few numbers without a scale, they are exact in bf16, too.
    "sparse rows": "%m = arith.remui %k, %c16 : i32\n%z = arith.cmpi eq, %m, %c4 : i32\n"
    "%v = arith.extui %z : i1 to i32",
    "unit scales": "%v = arith.addi %c124, %c3 : i32",
    "scales": "%m = arith.remui %n, %c7 : i32\n%v = arith.addi %m, %c124 : i32",
    "codes": "%v = arith.addi %n, %c0 : i32",
    "experts": "%v = arith.remui %n, %c4 : i32",
}
_WORD = """%u64 = arith.extui %u : i32 to i64
    %mix = arith.constant 6364136223846793005 : i64
    %mixed = arith.muli %u64, %mix : i64
    %c29 = arith.constant 29 : i64
    %moved = arith.shrui %mixed, %c29 : i64
    %random = arith.xori %mixed, %moved : i64
"""
# Each byte of a word of scales is 124 to 127.
_OF_WORD = {
    "words": "%v = arith.ori %random, %random : i64",
    "words of scales": f"%two = arith.constant {0x0303030303030303} : i64\n"
    f"%least = arith.constant {0x7C7C7C7C7C7C7C7C} : i64\n"
    "%some = arith.andi %random, %two : i64\n%v = arith.addi %some, %least : i64",
}
_NUMBERS = {"sizes": [2, 0, 5, 1], "offsets": [0, 2, 2, 7, 8]}


def _argument(number: int, types: list[str], sparse: bool) -> str:
    """Operations that make an argument of numbers that look random."""
    sizes, element = _shape(types[number])
    kind = _kind(types, number)
    if sparse:
        kind = {"rows": "sparse rows", "scales": "unit scales"}.get(kind, kind)
    static = f"tensor<{'x'.join(map(str, sizes))}x{element}>"
    if kind in _NUMBERS:
        return f"%a{number} = arith.constant dense<{_NUMBERS[kind]}> : {static}"
    indices = ", ".join(f"%i{dim}: index" for dim in range(len(sizes)))
    flat = ["%f0 = arith.constant 0 : index"]
    for dim, size in enumerate(sizes):
        flat += [
            f"%s{dim} = arith.constant {size} : index",
            f"%p{dim} = arith.muli %f{dim}, %s{dim} : index",
            f"%f{dim + 1} = arith.addi %p{dim}, %i{dim} : index",
        ]
    convert = {
        "i32": "tensor.yield %v : i32",
        "i64": "%r = arith.extui %v : i32 to i64\ntensor.yield %r : i64",
        "i8": "%r = arith.trunci %v : i32 to i8\ntensor.yield %r : i8",
        "f4E2M1FN": "%t = arith.trunci %v : i32 to i4\n"
        "%r = arith.bitcast %t : i4 to f4E2M1FN\ntensor.yield %r : f4E2M1FN",
        "f8E8M0FNU": "%t = arith.trunci %v : i32 to i8\n"
        "%r = arith.bitcast %t : i8 to f8E8M0FNU\ntensor.yield %r : f8E8M0FNU",
    }.get(element, f"%r = arith.sitofp %v : i32 to {element}\ntensor.yield %r : {element}")
    value = _VALUE.get(kind, "")
    if kind in _OF_WORD:
        value = _WORD + _OF_WORD[kind]
        narrow = (
            "arith.ori %v, %v : i64" if element == "i64" else f"arith.trunci %v : i64 to {element}"
        )
        convert = f"%r = {narrow}\ntensor.yield %r : {element}"
    constants = "\n".join(f"%c{c} = arith.constant {c} : i32" for c in (0, 3, 4, 7, 9, 16, 124))
    lines = "\n".join(flat)
    made = f"""%x{number} = tensor.generate {{
  ^bb0({indices}):
    {lines}
    {constants}
    %k = arith.index_cast %f{len(sizes)} : index to i32
    %salt = arith.constant {number * 7919 + 1} : i32
    %a = arith.addi %k, %salt : i32
    %factor = arith.constant 1664525 : i32
    %step = arith.constant 1013904223 : i32
    %q = arith.muli %a, %factor : i32
    %w = arith.addi %q, %step : i32
    %u = arith.muli %w, %factor : i32
    %c24 = arith.constant 24 : i32
    %n = arith.shrui %u, %c24 : i32
    {value}
    {convert}
  }} : {static}
"""
    return made + f"%a{number} = tensor.cast %x{number} : {static} to {types[number]}"


def _print(result: str) -> str:
    """Operations that print a hash of the bits of `%y`."""
    sizes, element = _shape(result)
    width = {"bf16": 16, "f16": 16, "f32": 32}[element]
    opened, closed = "", ""
    for dim in range(len(sizes)):
        outer = f"g{dim - 1}" if dim else "start"
        opened += f"""%n{dim} = tensor.dim %y, %d{dim} : {result}
%h{dim} = scf.for %i{dim} = %zero to %n{dim} step %one iter_args(%g{dim} = %{outer})
    -> (i64) {{
"""
        inner = "hash" if dim == len(sizes) - 1 else f"h{dim + 1}"
        closed = f"scf.yield %{inner} : i64\n}}\n" + closed
    at = ", ".join(f"%i{dim}" for dim in range(len(sizes)))
    dims = "\n".join(f"%d{dim} = arith.constant {dim} : index" for dim in range(len(sizes)))
    return f"""{dims}
%zero = arith.constant 0 : index
%one = arith.constant 1 : index
%start = arith.constant 17 : i64
%prime = arith.constant 1099511628211 : i64
{opened}
%e = tensor.extract %y[{at}] : {result}
%b = arith.bitcast %e : {element} to i{width}
%l = arith.extui %b : i{width} to i64
%m = arith.xori %g{len(sizes) - 1}, %l : i64
%hash = arith.muli %m, %prime : i64
{closed}
func.call @printI64(%h0) : (i64) -> ()
"""


def with_driver(program: str, sparse: bool = False) -> str:
    """The program with a function `run` that calls it and prints a hash of what it gives.

    `sparse`: sums are exact in bf16, not only in f32.
    """
    text, said = opt(program, "canonicalize")
    assert text, said
    head = re.search(r"func\.func (?:public )?@(\w+)\((.*?)\) -> (.*) \{\n", text)
    assert head, text[:500]
    name, arguments, result = head.groups()
    types = re.findall(r"%arg\d+: (tensor<[^>]*>)", arguments)
    result = re.findall(r"tensor<[^>]*>", result)[0]
    made = "\n".join(_argument(number, types, sparse) for number in range(len(types)))
    passed = ", ".join(f"%a{number}" for number in range(len(types)))
    driver = f"""func.func private @printI64(i64)
func.func @run() {{
{made}
%y = call @{name}({passed}) : ({", ".join(types)}) -> {result}
{_print(result)}
return
}}
"""
    end = text.index("\n}\n") + 1
    return text[:end] + driver + text[end:]


def run_on_cpu(program: str) -> str:
    """The hash that the driver of a program prints."""
    expand = "arith-expand{include-f4e2m1=true include-f8e8m0=true},"
    lowered, said = opt(program, f"inline,symbol-dce,{expand}mxfp4-to-cpu")
    assert lowered, said[:2000]
    run = subprocess.run(
        [
            LLVM / "bin" / "mlir-runner",
            "-e=run",
            "--entry-point-result=void",
            "-O0",  # the programs are large and run shortly
            f"--shared-libs={LLVM / 'lib' / 'libmlir_c_runner_utils.so'}",
        ],
        input=lowered,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert run.returncode == 0, run.stderr[:2000]
    return run.stdout.strip()
