# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Write programs in which random elementwise operations follow a grouped matmul.

usage: fuse_spellings.py COUNT RUN_TEST

The functions replace those of fuse-epilogue-run.mlir, whose data and hash they use. In each, up to
five operations of f32 or bf16 follow one another, one of which makes one column of two; their other
inputs are per row, per column, per pair of columns, or one value.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

ARGUMENTS = {
    "%x": "tensor<?x64xbf16>",
    "%c": "tensor<4x14x2x16xi8>",
    "%s": "tensor<4x14x2xi8>",
    "%o": "tensor<5xi32>",
    "%bias": "tensor<14xbf16>",
    "%weight": "tensor<?xf32>",
    "%scale": "bf16",
}
#: Inputs by the number of columns that they go with: value, type, element, map.
INPUTS = {
    14: [("%bias", "tensor<14xbf16>", "bf16", "(n)")],
    7: [
        ("%bias", "tensor<14xbf16>", "bf16", "(2 * n)"),
        ("%bias", "tensor<14xbf16>", "bf16", "(2 * n + 1)"),
        ("%half", "tensor<7xbf16>", "bf16", "(n)"),
    ],
}
ALWAYS = [("%weight", "tensor<?xf32>", "f32", "(r)"), ("%scale", "bf16", "bf16", "()")]


class Program:
    """A function, line by line."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.lines: list[str] = []
        self.number = 0
        self.name = f"@spelling{seed}"

    def add(self, text: str) -> str:
        """A line that defines a new value, which it returns."""
        self.number += 1
        value = f"%v{self.number}"
        self.lines.append(f"{value} = {text}")
        return value

    def pair(self, value: str, element: str) -> list[tuple[str, str, str, str]]:
        """Both columns of each pair as inputs, in one of three ways."""
        whole, half = f"tensor<?x14x{element}>", f"tensor<?x7x{element}>"
        how = self.random.choice(["map", "slice", "split"])
        if how == "map":
            return [(value, whole, element, f"(r, 2 * n + {p})") for p in (0, 1)]
        if how == "slice":
            parts = [
                self.add(
                    f"tensor.extract_slice {value}[0, {p}] [%rows, 7] [1, 2] : {whole} to {half}"
                )
                for p in (0, 1)
            ]
        else:
            shape = f"tensor<?x7x2x{element}>"
            split = self.add(
                f"tensor.expand_shape {value} [[0], [1, 2]] output_shape [%rows, 7, 2]"
                f" : {whole} into {shape}"
            )
            parts = [
                self.add(
                    f"tensor.extract_slice {split}[0, 0, {p}] [%rows, 7, 1] [1, 1, 1]"
                    f" : {shape} to {half}"
                )
                for p in (0, 1)
            ]
        return [(part, half, element, "(r, n)") for part in parts]

    def body(self, elements: list[str], result: str) -> str:
        """The body's lines: all arguments meet, in f32 and in bf16. Returns what it yields."""
        values = [
            f"%a{i}" if element == "f32" else self.add(f"arith.extf %a{i} : bf16 to f32")
            for i, element in enumerate(elements)
        ]
        total = values[0]
        for value in values[1:]:
            operation = self.random.choice(["addf", "mulf", "subf", "maximumf"])
            total = self.add(f"arith.{operation} {total}, {value} : f32")
        last = total
        for _ in range(self.random.randint(0, 3)):
            element = self.random.choice(["f32", "bf16"])
            operand = last
            if element == "bf16":
                operand = self.add(f"arith.truncf {last} : f32 to bf16")
            operation = self.random.choice(["arith.negf", "math.absf", "math.tanh", "arith.mulf"])
            operands = f"{operand}, {operand}" if operation == "arith.mulf" else operand
            last = self.add(f"{operation} {operands} : {element}")
            if element == "bf16":
                last = self.add(f"arith.extf {last} : bf16 to f32")
        last = self.add(f"arith.addf {last}, {total} : f32")
        return last if result == "f32" else self.add(f"arith.truncf {last} : f32 to bf16")

    def operation(
        self, value: str, element: str, columns: int, makes_half: bool, result: str
    ) -> str:
        """An elementwise operation that reads `value`."""
        if makes_half:
            inputs = self.pair(value, element)
            self.random.shuffle(inputs)
            columns = 7
        else:
            inputs = [(value, f"tensor<?x{columns}x{element}>", element, "(r, n)")]
        others = INPUTS[columns] + ALWAYS
        inputs += self.random.sample(others, self.random.randint(0, 2))
        out = f"tensor<?x{columns}x{result}>"
        init = self.add(f"tensor.empty(%rows) : {out}")
        maps = ", ".join(f"affine_map<(r, n) -> {each}>" for *_, each in [*inputs, ("(r, n)",)])
        before, self.lines = self.lines, []
        yielded = self.body([each[2] for each in inputs], result)
        lines, self.lines = self.lines, before
        arguments = ", ".join(f"%a{i}: {each[2]}" for i, each in enumerate(inputs))
        values = ", ".join(each[0] for each in inputs)
        types = ", ".join(each[1] for each in inputs)
        return self.add(
            f"linalg.generic {{indexing_maps = [{maps}],"
            f' iterator_types = ["parallel", "parallel"]}} ins({values} : {types})'
            f" outs({init} : {out}) {{\n^bb0({arguments}, %old: {result}):\n"
            + "\n".join(lines)
            + f"\nlinalg.yield {yielded} : {result}\n}} -> {out}"
        )

    def text(self) -> str:
        """The function."""
        element = self.random.choice(["f32", "bf16"])
        steps = self.random.randint(1, 5)
        half_at = self.random.randrange(steps)
        out = f"tensor<?x14x{element}>"
        init = self.add(f"tensor.empty(%rows) : {out}")
        weights = f"%c, %s : {ARGUMENTS['%c']}, {ARGUMENTS['%s']}"
        value = self.add(
            f"mxfp4.grouped_matmul activations(%x : tensor<?x64xbf16>) weights({weights})"
            f" offsets(%o : tensor<5xi32>) outs({init} : {out}) -> {out}"
        )
        for step in range(steps):
            result = self.random.choice(["f32", "bf16"]) if step + 1 < steps else "bf16"
            columns = 14 if step < half_at else 7
            value = self.operation(value, element, columns, step == half_at, result)
            element = result
        parameters = ", ".join(f"{name}: {kind}" for name, kind in ARGUMENTS.items())
        return (
            f"func.func {self.name}({parameters}) -> tensor<?x7xbf16> {{\n"
            "%c0 = arith.constant 0 : index\n%rows = tensor.dim %x, %c0 : tensor<?x64xbf16>\n"
            "%half = tensor.extract_slice %bias[3] [7] [1] : tensor<14xbf16> to tensor<7xbf16>\n"
            + "\n".join(self.lines)
            + f"\nreturn {value} : tensor<?x7xbf16>\n}}\n"
        )


def main() -> None:
    """Print the module."""
    count, run = int(sys.argv[1]), Path(sys.argv[2]).read_text(encoding="utf-8")
    functions = run.index("// A bf16 result, a bias"), run.index("// The high byte")
    calls = run.index("  %y0 = call")
    programs = [Program(seed) for seed in range(count)]
    sys.stdout.write(run[: functions[0]] + "\n".join(each.text() for each in programs))
    sys.stdout.write(run[functions[1] : calls])
    for i, program in enumerate(programs):
        sys.stdout.write(
            f"%r{i} = call {program.name}({', '.join(ARGUMENTS)}) :"
            f" ({', '.join(ARGUMENTS.values())}) -> tensor<?x7xbf16>\n"
            f"call @print(%r{i}) : (tensor<?x7xbf16>) -> ()\n"
        )
    sys.stdout.write("return\n}\n")


if __name__ == "__main__":
    main()
