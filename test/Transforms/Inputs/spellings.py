# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""One matmul on MXFP4 weights, spelled in many ways, as one module of linalg.

    python spellings.py [seed]

Each function of the module multiplies the same numbers; main prints a hash of
each result. Values are small integers over powers of two, so that every order of
summation gives the same bits.
"""

import itertools
import random
import sys

E, M, N, B = 2, 5, 7, 2
K = 32 * B
EXTENT = {"e": E, "m": M, "n": N, "k": K, "b": B, "j": 16, "h": 2, "q": 32}

DECODE = """
      %c0 = arith.constant 0 : i32
      %c1 = arith.constant 1 : index
      %c4 = arith.constant 4 : i8
      %c15 = arith.constant 15 : i8
      %c23 = arith.constant 23 : i32
      %c255 = arith.constant 255 : i32
      %subnormal = arith.constant 0x00400000 : i32
      %nan = arith.constant 0x7FC00000 : i32
      %h = linalg.index {h} : index
      %parity = arith.andi %h, %c1 : index
      %odd = arith.cmpi eq, %parity, %c1 : index
      %high = arith.shrui %byte, %c4 : i8
      %nibble = arith.select %odd, %high, %byte : i8
      %code = arith.andi %nibble, %c15 : i8
      %at = arith.index_castui %code : i8 to index
      %value = tensor.extract %table[%at] : tensor<16xf32>
      %wide = arith.extui %scale : i8 to i32
      %exponent = arith.shli %wide, %c23 : i32
      %is_zero = arith.cmpi eq, %wide, %c0 : i32
      %bits0 = arith.select %is_zero, %subnormal, %exponent : i32
      %is_nan = arith.cmpi eq, %wide, %c255 : i32
      %bits = arith.select %is_nan, %nan, %bits0 : i32
      %power = arith.bitcast %bits : i32 to f32
      %decoded = arith.mulf %value, %power : f32"""


def tensor(dims, element):
    """The type of a tensor with these dimensions, by their letters."""
    return f"tensor<{'x'.join([*(str(EXTENT[d]) for d in dims), element])}>"


def affine(loops, dims):
    """The text of a map from loops to dimensions."""
    return f"affine_map<({', '.join(loops)}) -> ({', '.join(dims)})>"


def iterators(loops):
    """Letters of K are loops of the sum."""
    kinds = ["reduction" if loop in "kbjhq" else "parallel" for loop in loops]
    return "[" + ", ".join(f'"{kind}"' for kind in kinds) + "]"


def zeros(kind, dims):
    """A tensor %init of zeros, and its text."""
    to = tensor(dims, "f32")
    empty = f"  %ye = tensor.empty() : {to}\n  %zero = arith.constant 0.0 : f32\n"
    maps = affine(dims, dims)
    parallel = "[" + ", ".join(['"parallel"'] * len(dims)) + "]"
    if kind == "fill":
        return empty + f"  %init = linalg.fill ins(%zero : f32) outs(%ye : {to}) -> {to}\n"
    if kind == "generic constant":
        return empty + (
            f"  %init = linalg.generic {{indexing_maps = [{maps}], iterator_types = {parallel}}}\n"
            f"      outs(%ye : {to}) {{\n    ^bb0(%o: f32):\n      linalg.yield %zero : f32\n"
            f"  }} -> {to}\n"
        )
    if kind == "generic scalar":
        return empty + (
            f"  %init = linalg.generic {{indexing_maps = [{affine(dims, '')}, {maps}], "
            f"iterator_types = {parallel}}}\n"
            f"      ins(%zero : f32) outs(%ye : {to}) {{\n    ^bb0(%i: f32, %o: f32):\n"
            f"      linalg.yield %i : f32\n  }} -> {to}\n"
        )
    if kind == "splat":
        return empty + f"  %init = tensor.splat %zero : {to}\n"
    if kind == "generate":
        at = ", ".join(f"%i{d}: index" for d in dims)
        return empty + (
            f"  %init = tensor.generate {{\n    ^bb0({at}):\n      tensor.yield %zero : f32\n"
            f"  }} : {to}\n"
        )
    if kind == "broadcast":
        return empty + (
            f"  %row = arith.constant dense<0.0> : {tensor(dims[-1], 'f32')}\n"
            f"  %init = linalg.broadcast ins(%row : {tensor(dims[-1], 'f32')}) outs(%ye : {to}) "
            f"dimensions = {list(range(len(dims) - 1))}\n"
        )
    assert kind == "constant", kind
    return f"  %init = arith.constant dense<0.0> : {to}\n"


def decode_in_steps(batch, element):
    """%wd, decoded by an operation for each step, with a reshape in between."""
    lead = len(batch) + 1
    rows, single = batch + "nb", batch + "nbjh"
    c, s = tensor(batch + "nbj", "i8"), tensor(rows, "i8")
    groups = [*([d] for d in range(lead + 1)), [lead + 1, lead + 2]]

    def step(result, to, dims, operand, of, operand_dims, argument, body):
        parallel = "[" + ", ".join(['"parallel"'] * len(dims)) + "]"
        return (
            f"  {result}e = tensor.empty() : {tensor(dims, to)}\n"
            f"  {result} = linalg.generic {{indexing_maps = [{affine(dims, operand_dims)}, "
            f"{affine(dims, dims)}], iterator_types = {parallel}}}\n"
            f"      ins({operand} : {of}) outs({result}e : {tensor(dims, to)}) {{\n"
            f"    ^bb0(%in: {argument}, %o: {to}):\n{body}\n      linalg.yield %v : {to}\n"
            f"  }} -> {tensor(dims, to)}\n"
        )

    blocks = tensor(batch + "nbq", element)
    return (
        step(
            "%nib",
            "f4E2M1FN",
            single,
            "%c",
            c,
            batch + "nbj",
            "i8",
            f"      %h = linalg.index {len(single) - 1} : index\n"
            "      %h8 = arith.index_cast %h : index to i8\n"
            "      %c4 = arith.constant 4 : i8\n"
            "      %shift = arith.muli %h8, %c4 : i8\n"
            "      %shifted = arith.shrui %in, %shift : i8\n"
            "      %i4 = arith.trunci %shifted : i8 to i4\n"
            "      %v = arith.bitcast %i4 : i4 to f4E2M1FN",
        )
        + step(
            "%val",
            element,
            single,
            "%nib",
            tensor(single, "f4E2M1FN"),
            single,
            "f4E2M1FN",
            f"      %v = arith.extf %in : f4E2M1FN to {element}",
        )
        + step(
            "%pow",
            element,
            rows,
            "%s",
            s,
            rows,
            "i8",
            "      %t = arith.bitcast %in : i8 to f8E8M0FNU\n"
            f"      %v = arith.extf %t : f8E8M0FNU to {element}",
        )
        + f"  %blk = tensor.collapse_shape %val {groups}"
        f" : {tensor(single, element)} into {blocks}\n"
        f"  %bce = tensor.empty() : {blocks}\n"
        f"  %bc = linalg.broadcast ins(%pow : {tensor(rows, element)}) outs(%bce : {blocks}) "
        f"dimensions = [{lead + 1}]\n"
        f"  %mul = linalg.mul ins(%blk, %bc : {blocks}, {blocks}) outs(%bce : {blocks}) "
        f"-> {blocks}\n"
        f"  %wd = tensor.expand_shape %mul {groups} output_shape "
        f"{[EXTENT[d] for d in single]} : {blocks} into {tensor(single, element)}\n"
    )


def function(name, pick):
    """A function with the spelling that `pick(name of a choice, choices)` says."""
    batch = pick("batch", ["", "e"])
    where = pick("decode", ["front", "body", "steps"])
    fused = where == "body"
    k = "bjh" if fused else pick("k", ["k", "bjh", "bq"])
    wide = pick("widened", ["body", "operation", "generic"])
    out = pick("out", list(map("".join, itertools.permutations(batch + "mn"))))
    x_dims = pick("x", [batch + "m" + k, "m" + batch + k, k + batch + "m"])
    w_dims = batch + "n" + k
    loops = list(batch + "mn" + k)
    random.Random(pick("loops", range(1000))).shuffle(loops)
    loops = "".join(loops)
    c, s = tensor(batch + "nbj", "i8"), tensor(batch + "nb", "i8")
    body = ""

    # Activations in the shape that the contraction reads.
    x = tensor(batch + "m" + k, "bf16")
    if len(k) > 1:
        groups = [[d] for d in range(len(batch) + 1)]
        groups.append(list(range(len(batch) + 1, len(batch) + 1 + len(k))))
        sizes = [EXTENT[d] for d in batch + "m" + k]
        body += (
            f"  %xs = tensor.expand_shape %x {groups} output_shape {sizes}"
            f" : {tensor(batch + 'mk', 'bf16')} into {x}\n"
        )
    else:
        body += f"  %xs = tensor.cast %x : {x} to {x}\n"
    if x_dims != batch + "m" + k:
        order = [(batch + "m" + k).index(d) for d in x_dims]
        body += (
            f"  %xe = tensor.empty() : {tensor(x_dims, 'bf16')}\n"
            f"  %xt = linalg.transpose ins(%xs : {x}) outs(%xe : {tensor(x_dims, 'bf16')}) "
            f"permutation = {order}\n"
        )
    else:
        body += f"  %xt = tensor.cast %xs : {x} to {x}\n"
    x_type = "bf16"
    if wide == "operation":
        x_type = "f32"
        body += f"  %xw = arith.extf %xt : {tensor(x_dims, 'bf16')} to {tensor(x_dims, 'f32')}\n"
    elif wide == "generic":
        x_type = "f32"
        parallel = "[" + ", ".join(['"parallel"'] * len(x_dims)) + "]"
        body += (
            f"  %xwe = tensor.empty() : {tensor(x_dims, 'f32')}\n"
            f"  %xw = linalg.generic {{indexing_maps = [{affine(x_dims, x_dims)}, "
            f"{affine(x_dims, x_dims)}], iterator_types = {parallel}}}\n"
            f"      ins(%xt : {tensor(x_dims, 'bf16')}) outs(%xwe : {tensor(x_dims, 'f32')}) {{\n"
            "    ^bb0(%i: bf16, %o: f32):\n      %w = arith.extf %i : bf16 to f32\n"
            f"      linalg.yield %w : f32\n  }} -> {tensor(x_dims, 'f32')}\n"
        )
    else:
        body += f"  %xw = tensor.cast %xt : {tensor(x_dims, 'bf16')} to {tensor(x_dims, 'bf16')}\n"

    # Weights.
    if not fused:
        dims = batch + "nbjh"
        element = pick("weights", ["bf16", "f32"])
        rounding = "\n      %w = arith.truncf %decoded : f32 to bf16" if element == "bf16" else ""
        yielded = "%w : bf16" if element == "bf16" else "%decoded : f32"
        parallel = "[" + ", ".join(['"parallel"'] * len(dims)) + "]"
        scale_dims, scales, source = batch + "nb", s, "%s"
        if pick("scales", ["mapped", "broadcast"]) == "broadcast":
            scale_dims, scales, source = dims, tensor(dims, "i8"), "%sb"
            body += (
                f"  %sbe = tensor.empty() : {scales}\n"
                f"  %sb = linalg.broadcast ins(%s : {s}) outs(%sbe : {scales}) "
                f"dimensions = {[len(dims) - 2, len(dims) - 1]}\n"
            )
        first = pick("inputs", ["codes", "scales"]) == "codes"
        maps = [affine(dims, batch + "nbj"), affine(dims, scale_dims)]
        names, types, arguments = ["%c", source], [c, scales], ["%byte: i8", "%scale: i8"]
        if not first:
            for pair in (maps, names, types, arguments):
                pair.reverse()
        to = tensor(dims, element)
        front = (
            f"  %we = tensor.empty() : {to}\n"
            f"  %wd = linalg.generic {{indexing_maps = [{', '.join(maps)}, {affine(dims, dims)}], "
            f"iterator_types = {parallel}}}\n"
            f"      ins({', '.join(names)} : {', '.join(types)}) outs(%we : {to}) {{\n"
            f"    ^bb0({', '.join(arguments)}, %o: {element}):"
            f"{DECODE.format(h=len(dims) - 1)}{rounding}\n"
            f"      linalg.yield {yielded}\n  }} -> {to}\n"
        )
        body += decode_in_steps(batch, element) if where == "steps" else front
        if k != "bjh":
            lead = len(batch) + 1
            groups = [[d] for d in range(lead)]
            groups += [[lead, lead + 1, lead + 2]] if k == "k" else [[lead], [lead + 1, lead + 2]]
            body += (
                f"  %wk = tensor.collapse_shape %wd {groups} : {to} "
                f"into {tensor(w_dims, element)}\n"
            )
        else:
            body += f"  %wk = tensor.cast %wd : {to} to {to}\n"

    # The contraction.
    body += zeros(
        pick(
            "zero",
            [
                "fill",
                "generic constant",
                "generic scalar",
                "splat",
                "generate",
                "broadcast",
                "constant",
            ],
        ),
        out,
    )
    y = tensor(out, "f32")
    inputs = [("%xw", tensor(x_dims, x_type), affine(loops, x_dims), f"%a: {x_type}")]
    if fused:
        inputs += [
            ("%c", c, affine(loops, batch + "nbj"), "%byte: i8"),
            ("%s", s, affine(loops, batch + "nb"), "%scale: i8"),
        ]
    else:
        inputs.append(("%wk", tensor(w_dims, element), affine(loops, w_dims), f"%b: {element}"))
    random.Random(pick("operands", range(1000))).shuffle(inputs)
    inner = DECODE.format(h=loops.index("h")) if fused else ""
    inner += "\n      %u = " + (
        "arith.extf %a : bf16 to f32" if x_type == "bf16" else "arith.addf %a, %negative : f32"
    )
    if x_type == "f32":
        inner = inner[: inner.rindex("\n")]
    left = "%u" if x_type == "bf16" else "%a"
    right = "%decoded" if fused else "%b"
    if not fused and element == "bf16":
        inner += "\n      %v = arith.extf %b : bf16 to f32"
        right = "%v"
    factors = pick("product", [(left, right), (right, left)])
    terms = pick("sum", [("%acc", "%p"), ("%p", "%acc")])
    body += (
        f"  %r = linalg.generic {{indexing_maps = [{', '.join(i[2] for i in inputs)}, "
        f"{affine(loops, out)}],\n      iterator_types = {iterators(loops)}}}\n"
        f"      ins({', '.join(i[0] for i in inputs)} : {', '.join(i[1] for i in inputs)}) "
        f"outs(%init : {y}) {{\n"
        f"    ^bb0({', '.join(i[3] for i in inputs)}, %acc: f32):{inner}\n"
        f"      %p = arith.mulf {factors[0]}, {factors[1]} : f32\n"
        f"      %q = arith.addf {terms[0]}, {terms[1]} : f32\n"
        f"      linalg.yield %q : f32\n  }} -> {y}\n"
    )
    table = ", ".join(
        str(sign * v) for sign in (1.0, -1.0) for v in (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)
    )
    return (
        (
            f"func.func private @{name}(%x: {tensor(batch + 'mk', 'bf16')}, %c: {c}, %s: {s})"
            f" -> {y} {{\n"
            f"  %table = arith.constant dense<[{table}]> : tensor<16xf32>\n"
            f"{body}  return %r : {y}\n}}\n"
        ),
        batch,
        out,
    )


def literal(dims, value):
    """Elements of a tensor, each from a call of `value`."""
    if not dims:
        return str(value())
    return "[" + ", ".join(literal(dims[1:], value) for _ in range(EXTENT[dims[0]])) + "]"


def main(seed):
    """Print the module."""
    data = random.Random(17)
    functions, calls = [], []
    for number in range(60):
        choose = random.Random(seed * 1000 + number)
        text, batch, out = function(
            f"f{number}", lambda _, choices, r=choose: r.choice(list(choices))
        )
        functions.append(text)
        y, flat = tensor(out, "f32"), M * N * (E if batch else 1)
        x, c, s = (
            tensor(batch + dims, element)
            for dims, element in (("mk", "bf16"), ("nbj", "i8"), ("nb", "i8"))
        )
        calls.append(
            f"  %y{number} = call @f{number}(%x{batch}, %c{batch}, %s{batch}) : "
            f"({x}, {c}, {s}) -> {y}\n"
            f"  %t{number} = tensor.collapse_shape %y{number} "
            f"[[{', '.join(map(str, range(len(out))))}]] : {y} into tensor<{flat}xf32>\n"
            f"  %d{number} = tensor.cast %t{number} : tensor<{flat}xf32> to tensor<?xf32>\n"
            f"  call @hash(%d{number}) : (tensor<?xf32>) -> ()\n"
        )
    inputs = ""
    for batch in ("", "e"):
        for name, dims, element, value in (
            ("x", "mk", "bf16", lambda: float(data.randint(-16, 16))),
            ("c", "nbj", "i8", lambda: data.randint(-128, 127)),
            ("s", "nb", "i8", lambda: data.randint(120, 127)),
        ):
            inputs += (
                f"  %{name}{batch} = arith.constant dense<{literal(batch + dims, value)}> : "
                f"{tensor(batch + dims, element)}\n"
            )
    print("func.func private @printI64(i64)\nfunc.func private @printNewline()")
    print(
        """func.func private @hash(%y: tensor<?xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %start = arith.constant 17 : i64
  %prime = arith.constant 1099511628211 : i64
  %size = tensor.dim %y, %c0 : tensor<?xf32>
  %hash = scf.for %i = %c0 to %size step %c1 iter_args(%h = %start) -> (i64) {
    %v = tensor.extract %y[%i] : tensor<?xf32>
    %bits = arith.bitcast %v : f32 to i32
    %wide = arith.extui %bits : i32 to i64
    %mixed = arith.xori %h, %wide : i64
    %next = arith.muli %mixed, %prime : i64
    scf.yield %next : i64
  }
  call @printI64(%hash) : (i64) -> ()
  call @printNewline() : () -> ()
  return
}"""
    )
    print("".join(functions))
    print(f"func.func @main() {{\n{inputs}{''.join(calls)}  return\n}}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 0)
