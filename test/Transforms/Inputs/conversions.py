# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A module with each operation on tensors, for several shapes and all layouts.

python conversions.py         main prints a hash of each result
python conversions.py bad     offsets are bad: of each output, which is full of 3.0
"""

import random
import sys

FP8, FP8_ELEMENT = "bytes, relative", "f8E4M3FN"
LAYOUTS = [f"{order}, {scales}" for order in ("spread", "nibble") for scales in ("folded", "raw")]
LAYOUTS.append(FP8)
E = 3


def activations(layout):
    """The type of activations that a layout of weights is for."""
    return FP8_ELEMENT if layout == FP8 else "bf16"


def blocks(layout, k):
    """How many blocks of a layout K takes."""
    return -(-k // (128 if layout == FP8 else 64))


def literal(shape, value):
    """Elements of a tensor, each from a call of `value`."""
    if not shape:
        return str(value())
    return "[" + ", ".join(literal(shape[1:], value) for _ in range(shape[0])) + "]"


def tensor(shape, element):
    """The text of a type; -1 is a dynamic extent."""
    return f"tensor<{'x'.join([*('?' if s < 0 else str(s) for s in shape), element])}>"


def functions(name, n, k, groups, layout):
    """Functions for one shape and layout; `groups` is of offsets, or -1."""
    kb, nb, kbb = k // 32, -(-n // 64), blocks(layout, k)
    c, s = tensor([E, n, kb, 16], "i8"), tensor([E, n, kb], "i8")
    w = tensor([E, nb, kbb], f"!mxfp4.block<{layout}>")
    x, y = tensor([-1, k], activations(layout)), tensor([-1, n], "bf16")
    # Activations in FP8 take packed weights alone.
    ids_weights = ("%w", w) if layout == FP8 else ("%c, %s", f"{c}, {s}")
    ids_arguments = f"%w: {w}" if layout == FP8 else f"%c: {c}, %s: {s}"
    o, ids = tensor([groups + 1], "i32"), tensor([groups], "i32")
    v = tensor([n, k], "f32")
    qc, qs = tensor([n, kb, 16], "i8"), tensor([n, kb], "i8")
    return f"""
func.func private @pack_{name}(%c: {c}, %s: {s}) -> {w} {{
  %e = tensor.empty() : {w}
  %w = mxfp4.pack codes(%c : {c}) scales(%s : {s}) outs(%e : {w}) -> {w}
  return %w : {w}
}}
func.func private @unpack_{name}(%w: {w}) -> ({c}, {s}) {{
  %ce = tensor.empty() : {c}
  %se = tensor.empty() : {s}
  %c, %s = mxfp4.unpack blocks(%w : {w}) outs(%ce, %se : {c}, {s}) -> {c}, {s}
  return %c, %s : {c}, {s}
}}
func.func private @packed_{name}(%x: {x}, %w: {w}, %o: {o}, %y: {y}) -> {y} {{
  %r = mxfp4.grouped_matmul activations(%x : {x}) weights(%w : {w}) offsets(%o : {o})
      outs(%y : {y}) -> {y}
  return %r : {y}
}}
func.func private @ids_{name}(%x: {x}, {ids_arguments}, %o: {o}, %i: {ids}, %y: {y}) -> {y} {{
  %r = mxfp4.grouped_matmul activations(%x : {x}) weights({ids_weights[0]} : {ids_weights[1]})
      offsets(%o : {o}) expert_ids(%i : {ids}) outs(%y : {y}) -> {y}
  return %r : {y}
}}
func.func private @quantize_{name}(%v: {v}) -> ({qc}, {qs}) {{
  %ce = tensor.empty() : {qc}
  %se = tensor.empty() : {qs}
  %c, %s = mxfp4.quantize ins(%v : {v}) outs(%ce, %se : {qc}, {qs}) -> {qc}, {qs}
  return %c, %s : {qc}, {qs}
}}
func.func private @dequantize_{name}(%c: {qc}, %s: {qs}) -> {v} {{
  %e = tensor.empty() : {v}
  %v = mxfp4.dequantize codes(%c : {qc}) scales(%s : {qs}) outs(%e : {v}) -> {v}
  return %v : {v}
}}
"""


def rows_functions(name, k):
    """Functions that round rows of K values to FP8, as they come and gathered."""
    x, g = tensor([-1, k], "bf16"), tensor([-1], "i32")
    q, s = tensor([-1, k], FP8_ELEMENT), tensor([-1], "f32")
    text = ""
    for how, clause in (("rows", ""), ("gathered", f"gather(%g : {g}) ")):
        text += f"""
func.func private @{how}_{name}(%x: {x}, %g: {g}, %n: index) -> ({q}, {s}) {{
  %qe = tensor.empty(%n) : {q}
  %se = tensor.empty(%n) : {s}
  %q, %s = mxfp4.quantize_rows values(%x : {x}) {clause}outs(%qe, %se : {q}, {s}) -> {q}, {s}
  return %q, %s : {q}, {s}
}}
"""
    return text


def fused_types(n, k, layout):
    """Types of the operands of an epilogue, on pairs if N is even, between maps of rows."""
    columns = n if n % 2 else n // 2
    return {
        "x": tensor([-1, k], activations(layout)),
        "g": tensor([9], "i32"),
        "w": tensor([E, -(-n // 64), blocks(layout, k)], f"!mxfp4.block<{layout}>"),
        "o": tensor([4], "i32"),
        "i": tensor([3], "i32"),
        "y": tensor([-1, columns], "bf16"),
        "t": tensor([9], "i32"),
        "b": tensor([E, n], "bf16"),
        "a": tensor([9], "f32"),
        "f": tensor([], "f32"),
    }


def fused_function(name, n, k, layout):
    """A function for one shape and layout."""
    types = fused_types(n, k, layout)
    arguments = ", ".join(f"%{a}: {type_}" for a, type_ in types.items())
    block = (
        "%s: f32, %c: f32, %d: f32, %e: f32"
        if n % 2
        else "%s: f32, %u: f32, %c: f32, %v: f32, %d: f32, %e: f32"
    )
    second = "" if n % 2 else "%s1 = arith.subf %u, %v : f32\n      "
    last = "%s3" if n % 2 else "%s4"
    return f"""
func.func private @fused_{name}({arguments}) -> {types["y"]} {{
  %r = mxfp4.grouped_matmul activations(%x : {types["x"]}) gather(%g : {types["g"]})
      weights(%w : {types["w"]}) offsets(%o : {types["o"]}) expert_ids(%i : {types["i"]})
      outs(%y : {types["y"]}) scatter(%t : {types["t"]})
      epilogue(%b, %a, %f : {types["b"]}, {types["a"]}, {types["f"]}) {{
    ^bb0({block}):
      {second}%s0 = arith.addf %s, %c : f32
      %s2 = arith.mulf %s0, %d : f32
      %s3 = arith.mulf %s2, %e : f32
      {"" if n % 2 else "%s4 = arith.addf %s3, %s1 : f32"}
      mxfp4.yield {last} : f32
    }} -> {types["y"]}
  return %r : {types["y"]}
}}
"""


class Main:
    """The text of main."""

    def __init__(self, bad):
        """Start without a line."""
        self.data, self.lines, self.number, self.bad = random.Random(5), [], 0, bad

    def constant(self, shape, element, value):
        """Add a constant; give its name."""
        self.number += 1
        name = f"%k{self.number}"
        self.lines.append(
            f"  {name} = arith.constant dense<{literal(shape, value)}> : {tensor(shape, element)}"
        )
        return name

    def call(self, function, arguments, types, results):
        """Add a call; give the names of its results."""
        self.number += 1
        name = f"%k{self.number}"
        self.lines.append(
            f"  {name}:{len(results)} = call @{function}({', '.join(arguments)}) : "
            f"({', '.join(types)}) -> ({', '.join(results)})"
        )
        return [f"{name}#{i}" for i in range(len(results))]

    def hash(self, value, shape, element):
        """Print a hash of a value."""
        self.number += 1
        name, type_ = f"%k{self.number}", tensor(shape, element)
        bits = "i8" if element == "i8" else "i16" if element == "bf16" else "i32"
        flat = tensor([-1], element)
        dims = ", ".join(map(str, range(len(shape))))
        size = 1
        for extent in shape:
            size *= extent
        same = tensor([size], element) if size >= 0 else flat
        self.lines.append(
            f"  {name}f = tensor.collapse_shape {value} [[{dims}]] : {type_} into {same}"
        )
        self.lines.append(f"  {name}d = tensor.cast {name}f : {same} to {flat}")
        self.lines.append(f"  call @hash_{element}({name}d) : ({flat}) -> ()")
        return bits

    def problem(self, name, n, k, layout):
        """Call every function of a shape and layout."""
        kb, nb, kbb = k // 32, -(-n // 64), blocks(layout, k)
        c, s = ([E, n, kb, 16], "i8"), ([E, n, kb], "i8")
        w = ([E, nb, kbb], f"!mxfp4.block<{layout}>")
        pick = self.data.randint
        codes = self.constant(*c, lambda: pick(-128, 127))
        # Of folded scales, all: 0 to 128; of relative ones: 127 - 13 to 127 + 13.
        known = [114, 120, 127, -116] if layout == FP8 else [0, 1, 120, 127, -128]
        scales = self.constant(*s, lambda: self.data.choice(known))
        (packed,) = self.call(
            f"pack_{name}", [codes, scales], [tensor(*c), tensor(*s)], [tensor(*w)]
        )
        unpacked = self.call(f"unpack_{name}", [packed], [tensor(*w)], [tensor(*c), tensor(*s)])
        if not self.bad:
            self.hash(unpacked[0], *c)
            self.hash(unpacked[1], *s)
        rows = 7
        numbers = activations(layout)
        x = self.constant([rows, k], numbers, lambda: float(pick(-8, 8)))
        self.lines.append(
            f"  {x}d = tensor.cast {x} : {tensor([rows, k], numbers)} to {tensor([-1, k], numbers)}"
        )
        routings = [([0, 3, 3, 7], [2, -1, 0]), ([0, 0, 7, 7], [1, 1, -1])]
        if self.bad:
            routings = [(bad, [0, 1, 2]) for bad in ([0, 5, 3, 7], [1, 3, 3, 7], [0, 3, 3, 6])]
        for offsets, ids in routings:
            o, i = iter(offsets), iter(ids)
            offsets_name = self.constant([4], "i32", lambda o=o: next(o))
            ids_name = self.constant([3], "i32", lambda i=i: next(i))
            # What is not stored shows.
            y = self.constant([rows, n], "bf16", lambda: 3.0)
            self.lines.append(
                f"  {y}d = tensor.cast {y} : {tensor([rows, n], 'bf16')} "
                f"to {tensor([-1, n], 'bf16')}"
            )
            types = tensor([-1, k], numbers), tensor([4], "i32"), tensor([-1, n], "bf16")
            (r,) = self.call(
                f"packed_{name}",
                [f"{x}d", packed, offsets_name, f"{y}d"],
                [types[0], tensor(*w), types[1], types[2]],
                [types[2]],
            )
            self.hash(r, [-1, n], "bf16")
            given = {packed: tensor(*w)}
            if layout != FP8:
                given = {codes: tensor(*c), scales: tensor(*s)}
            (r,) = self.call(
                f"ids_{name}",
                [f"{x}d", *given, offsets_name, ids_name, f"{y}d"],
                [types[0], *given.values(), types[1], tensor([3], "i32"), types[2]],
                [types[2]],
            )
            self.hash(r, [-1, n], "bf16")
        if self.bad:
            return
        self.fused(name, n, k, layout, f"{x}d", packed)
        special = ["0x7F800000", "0x7FC00000", "0x00000001", "0x80000000", "0x7F7FFFFF"]
        values = self.constant(
            [n, k],
            "f32",
            lambda: (
                self.data.choice(special)
                if pick(0, 99) == 0
                else self.data.uniform(-1, 1) * 2.0 ** pick(-20, 20)
            ),
        )
        v, qc, qs = ([n, k], "f32"), ([n, kb, 16], "i8"), ([n, kb], "i8")
        q = self.call(f"quantize_{name}", [values], [tensor(*v)], [tensor(*qc), tensor(*qs)])
        self.hash(q[0], *qc)
        self.hash(q[1], *qs)
        (d,) = self.call(f"dequantize_{name}", q, [tensor(*qc), tensor(*qs)], [tensor(*v)])
        self.hash(d, *v)

    def rows(self, name, k):
        """Round rows to FP8: of zeros, tiny ones, with NaN; some to gather do not exist."""
        pick = self.data.randint
        special, zeros = ["0x7F80", "0xFF80", "0x7FC0", "0x0001", "0x7F7F"], ["0x0000", "0x8000"]
        scales = iter([0, -120, 40] + [pick(-20, -1) for _ in range(4)])

        def values():
            power = next(scales)
            for column in range(k):
                if power == 0:
                    yield self.data.choice(zeros)
                elif column == 5 and power < 3:
                    yield self.data.choice(special)
                else:
                    yield self.data.uniform(-1, 1) * 2.0**power

        numbers = iter([v for _ in range(7) for v in values()])
        x = self.constant([7, k], "bf16", lambda: next(numbers))
        type_, map_ = tensor([-1, k], "bf16"), tensor([-1], "i32")
        self.lines.append(f"  {x}d = tensor.cast {x} : {tensor([7, k], 'bf16')} to {type_}")
        entries = iter([6, 0, -1, 3, 3, 7, 1, 50, 2])
        g = self.constant([9], "i32", lambda: next(entries))
        self.lines.append(f"  {g}d = tensor.cast {g} : {tensor([9], 'i32')} to {map_}")
        for how, count in (("rows", 7), ("gathered", 9)):
            self.lines.append(f"  {x}{how} = arith.constant {count} : index")
            found = self.call(
                f"{how}_{name}",
                [f"{x}d", f"{g}d", f"{x}{how}"],
                [type_, map_, "index"],
                [tensor([-1, k], FP8_ELEMENT), tensor([-1], "f32")],
            )
            self.hash(found[0], [-1, k], FP8_ELEMENT)
            self.hash(found[1], [-1], "f32")

    def fused(self, name, n, k, layout, x, packed):
        """Call the fused function; rows 7 and 8 are of no group, some are no rows at all."""
        pick, columns = self.data.randint, n if n % 2 else n // 2
        places = self.data.sample(range(11), 9)
        places[4] = 99
        entries = {
            "g": ([9], "i32", iter([6, 0, -1, 3, 3, 7, 1, 50, 2])),
            "o": ([4], "i32", iter([0, 3, 4, 7])),
            "i": ([3], "i32", iter([2, -1, 0])),
            "t": ([9], "i32", iter(places)),
        }
        names = {
            a: self.constant(shape, element, lambda v=values: next(v))
            for a, (shape, element, values) in entries.items()
        }
        y = self.constant([11, columns], "bf16", lambda: 3.0)
        type_ = tensor([-1, columns], "bf16")
        self.lines.append(f"  {y}d = tensor.cast {y} : {tensor([11, columns], 'bf16')} to {type_}")
        names |= {"x": x, "w": packed, "y": f"{y}d"}
        names["b"] = self.constant([E, n], "bf16", lambda: float(pick(-8, 8)))
        names["a"] = self.constant([9], "f32", lambda: float(pick(-3, 3)))
        names["f"] = self.constant([], "f32", lambda: 0.5)
        types = fused_types(n, k, layout)
        (r,) = self.call(
            f"fused_{name}", [names[a] for a in types], list(types.values()), [types["y"]]
        )
        self.hash(r, [-1, columns], "bf16")


def hash_function(element):
    """A function that prints a hash of a tensor, NaN of any sign and payload as one."""
    bits = {"i8": 8, FP8_ELEMENT: 8, "bf16": 16, "f32": 32}[element]
    cast = f"%b = arith.bitcast %v : {element} to i{bits}" if element != "i8" else ""
    value = "%b" if element != "i8" else "%v"
    nan = (
        f"""    %n = arith.cmpf uno, %v, %v : {element}
    %u = arith.select %n, %none, %wide : i64"""
        if bits > 8
        else "    %u = arith.ori %wide, %wide : i64"
    )
    return f"""
func.func private @hash_{element}(%y: tensor<?x{element}>) {{
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %none = arith.constant -7 : i64
  %start = arith.constant 17 : i64
  %prime = arith.constant 1099511628211 : i64
  %size = tensor.dim %y, %c0 : tensor<?x{element}>
  %hash = scf.for %i = %c0 to %size step %c1 iter_args(%h = %start) -> (i64) {{
    %v = tensor.extract %y[%i] : tensor<?x{element}>
    {cast}
    %wide = arith.extui {value} : i{bits} to i64
{nan}
    %mixed = arith.xori %h, %u : i64
    %next = arith.muli %mixed, %prime : i64
    scf.yield %next : i64
  }}
  call @printI64(%hash) : (i64) -> ()
  call @printNewline() : () -> ()
  return
}}"""


def main(bad):
    """Print the module."""
    print("func.func private @printI64(i64)\nfunc.func private @printNewline()")
    print("".join(map(hash_function, ("i8", FP8_ELEMENT, "bf16", "f32"))))
    text = Main(bad)
    for number, layout in enumerate(LAYOUTS):
        for n, k in ((7, 96),) if bad else ((7, 96), (65, 64), (66, 160 if layout == FP8 else 96)):
            name = f"{number}_{n}_{k}"
            print(functions(name, n, k, 3, layout), fused_function(name, n, k, layout))
            text.problem(name, n, k, layout)
            if layout == FP8 and not bad:
                print(rows_functions(name, k))
                text.rows(name, k)
    print("func.func @main() {\n" + "\n".join(text.lines) + "\n  return\n}")


if __name__ == "__main__":
    main(sys.argv[1:] == ["bad"])
