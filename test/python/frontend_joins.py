# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Weights that are decoded apart and joined, such as gate and up, as front ends spell it."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

from frontend_text import PLAIN, E, K, T, Variation, function, generic, zeros

N1, N2 = 96, 32
_MORE = "which does more than move or widen them"
_OTHER = ("we", "wd", "w", "table", "c", "s")


def _second(n: int) -> str:
    """A decode of other codes and scales, `%c2` and `%s2`, to `%w2`."""
    text = PLAIN.replace(f"{E}x{N1}x", f"{E}x{n}x")
    for name in _OTHER:
        for end in (" ", ",", "["):
            text = text.replace(f"%{name}{end}", f"%{name}2{end}")
    return text


def _tensor(shape: tuple[int, ...], dtype: str = "bf16") -> str:
    return f"tensor<{'x'.join(map(str, shape))}x{dtype}>"


def concat(parts: list[tuple[str, tuple[int, ...]]], dim: int, dtype: str = "bf16") -> str:
    """The parts, by name and shape, as `%joined`."""
    types = ", ".join(_tensor(shape, dtype) for _, shape in parts)
    names = ", ".join(name for name, _ in parts)
    return (f"%joined = tensor.concat dim({dim}) {names} : ({types}) -> "
            f"{_tensor(joined(parts, dim), dtype)}\n")  # fmt: skip


def joined(parts: list[tuple[str, tuple[int, ...]]], dim: int) -> tuple[int, ...]:
    """The shape of all parts together."""
    shape = list(parts[0][1])
    shape[dim] = sum(part[dim] for _, part in parts)
    return tuple(shape)


def inserts(
    parts: list[tuple[str, tuple[int, ...]]], dim: int, order: list[int], shift: int = 0
) -> str:
    """Slices that are put into a tensor in some order; the last one ``shift`` too far in front."""
    shape = joined(parts, dim)
    first = "arith.constant dense<0.0>" if shift else "tensor.empty()"
    into, text = "%j0", f"%j0 = {first} : {_tensor(shape)}\n"
    for step, number in enumerate(order):
        name, part = parts[number]
        at = [0] * len(shape)
        at[dim] = sum(p[dim] for _, p in parts[:number])
        at[dim] -= shift if number == len(parts) - 1 else 0
        out = "%joined" if step == len(order) - 1 else f"%j{step + 1}"
        text += (f"{out} = tensor.insert_slice {name} into {into}{at} {list(part)} "
                 f"{[1] * len(shape)} : {_tensor(part)} into {_tensor(shape)}\n")  # fmt: skip
        into = out
    return text


def branches(parts: list[tuple[str, tuple[int, ...]]], dim: int) -> str:
    """A branch for each part, as stablehlo-legalize-to-linalg writes it."""
    shape = joined(parts, dim)
    loops = [f"%i{d}" for d in range(len(shape))]
    indices = "\n".join(f"{loop} = linalg.index {d} : index" for d, loop in enumerate(loops))

    def branch(number: int, begin: int) -> str:
        """Operations that give `%v` of the parts from one on."""
        name, part = parts[number]
        at, less = list(loops), ""
        if begin:
            at[dim] = f"%less{number}"
            less = (f"%begin{number} = arith.constant {begin} : index\n"
                    f"{at[dim]} = arith.subi {loops[dim]}, %begin{number} : index\n")  # fmt: skip
        read = f"{less}%r{number} = tensor.extract {name}[{', '.join(at)}] : {_tensor(part)}\n"
        if number == len(parts) - 1:
            return read
        rest = branch(number + 1, begin + part[dim])
        last = "r" if number + 2 == len(parts) else "v"
        return f"""%end{number} = arith.constant {begin + part[dim]} : index
      %below{number} = arith.cmpi ult, {loops[dim]}, %end{number} : index
      %v{number} = scf.if %below{number} -> (bf16) {{
        {read}scf.yield %r{number} : bf16
      }} else {{
        {rest}scf.yield %{last}{number + 1} : bf16
      }}
"""

    dims = ", ".join(f"d{d}" for d in range(len(shape)))
    kinds = ", ".join(['"parallel"'] * len(shape))
    return f"""%je = tensor.empty() : {_tensor(shape)}
  %joined = linalg.generic {{indexing_maps = [affine_map<({dims}) -> ({dims})>],
      iterator_types = [{kinds}]}} outs(%je : {_tensor(shape)}) {{
    ^bb0(%out: bf16):
      {indices}
      {branch(0, 0)}linalg.yield %v0 : bf16
  }} -> {_tensor(shape)}
"""


def program(join: str, shape: tuple[int, int, int], n: int = N2, k_major: bool = False) -> str:
    """A matmul of rows with `%joined`, of experts, N and K, or experts, K and N."""
    e, n_, k = (shape[0], shape[2], shape[1]) if k_major else shape
    x, y = _tensor((e, T, k)), _tensor((e, T, n_), "f32")
    map_ = "e, k, n" if k_major else "e, n, k"
    return function(
        PLAIN + _second(n) + join,
        zeros(y) + generic("%x, %joined", f"{x}, {_tensor(shape)}",
                           f"e, t, k; {map_}; e, t, n", y, "e, t, n, k"),
        x, y, f", %c2: {_tensor((E, n, 2, 16), 'i8')}, %s2: {_tensor((E, n, 2), 'i8')}",
    )  # fmt: skip


def _transposed(name: str, n: int) -> str:
    return f"""%e{name} = tensor.empty() : {_tensor((E, K, n))}
  %t{name} = linalg.transpose ins(%{name} : {_tensor((E, n, K))})
      outs(%e{name} : {_tensor((E, K, n))}) permutation = [0, 2, 1]
"""


def _stacked(name: str) -> str:
    shape = (E, N1, 1, K)
    return (f"%x{name} = tensor.expand_shape %{name} [[0], [1, 2], [3]] output_shape "
            f"{list(shape)} : {_tensor((E, N1, K))} into {_tensor(shape)}\n")  # fmt: skip


def _copied(name: str) -> str:
    """The same as IREE writes it for jnp.stack."""
    shape = (E, N1, 1, K)
    return f"""%e{name} = tensor.empty() : {_tensor(shape)}
  %x{name} = linalg.generic {{indexing_maps = [affine_map<(e, n, i, k) -> (e, n, k)>,
      affine_map<(e, n, i, k) -> (e, n, i, k)>],
      iterator_types = ["parallel", "parallel", "parallel", "parallel"]}}
      ins(%{name} : {_tensor((E, N1, K))}) outs(%e{name} : {_tensor(shape)}) {{
    ^bb0(%a: bf16, %o: bf16):
      linalg.yield %a : bf16
  }} -> {_tensor(shape)}
"""


def _gate_and_up() -> Iterator[Variation]:
    parts = [("%w", (E, N1, K)), ("%w2", (E, N2, K))]
    shape = (E, N1 + N2, K)
    assert prod(joined(parts, 1)) == prod(shape)
    yield Variation("join-concat", program(concat(parts, 1), shape))
    yield Variation("join-slices", program(inserts(parts, 1, [0, 1]), shape))
    yield Variation("join-slices-backwards", program(inserts(parts, 1, [1, 0]), shape))
    yield Variation("join-branches", program(branches(parts, 1), shape))
    three = [*parts, ("%w", (E, N1, K))]
    yield Variation("join-three", program(concat(three, 1), (E, 2 * N1 + N2, K)))
    yield Variation("join-three-branches", program(branches(three, 1), (E, 2 * N1 + N2, K)))
    short = [("%w", (E, N1 // 2, K)), parts[1]]
    inside = branches(short, 1).replace(
        "%r0 = tensor.extract %w[",
        f"%cut = tensor.extract_slice %w[0, 8, 0] [{E}, {N1 // 2}, {K}] [1, 1, 1] : "
        f"{_tensor((E, N1, K))} to {_tensor((E, N1 // 2, K))}\n%r0 = tensor.extract %cut[",
    )
    text = program(inside, joined(short, 1))
    yield Variation("join-branches-with-a-slice-inside", text, remark=_MORE)
    overlap = program(inserts(parts, 1, [0, 1], shift=8), shape)
    yield Variation("join-overlapping", overlap, remark=_MORE)


def _slice(name: str, of: str, at: tuple[int, ...], size: tuple[int, ...]) -> str:
    return (f"{name} = tensor.extract_slice {of}{list(at)} {list(size)} [1, 1, 1] : "
            f"{_tensor((E, N1, K))} to {_tensor(size)}\n")  # fmt: skip


def _of_one_expert() -> Iterator[Variation]:
    """Slices of what is one expert by then, as loops of Python write them."""
    one, flat = (1, N1, K), _tensor((N1, K))
    expert = _slice("%one", "%w", (2, 0, 0), one)
    expert += f"%flat = tensor.collapse_shape %one [[0, 1], [2]] : {_tensor(one)} into {flat}\n"
    for name, at, size, steps in (("rows", [16, 0], (48, K), [1, 1]),
                                  ("every-second-row", [1, 0], (N1 // 2, K), [2, 1]),
                                  ("blocks", [0, 32], (N1, 32), [1, 1])):  # fmt: skip
        x, y = _tensor((T, size[1])), _tensor((T, size[0]), "f32")
        cut = (f"%part = tensor.extract_slice %flat{at} {list(size)} {steps} : {flat} to "
               f"{_tensor(size)}\n")  # fmt: skip
        product = generic("%x, %part", f"{x}, {_tensor(size)}", "t, k; n, k; t, n", y, "t, n, k")
        yield Variation(f"slice-of-one-expert-{name}",
                        function(PLAIN, expert + cut + zeros(y) + product, x, y))  # fmt: skip
    # The offsets that StableHLO's dynamic slices compute for all dimensions.
    clamped = _slice("%one", "%w", (2, 0, 0), one).replace("[2, 0, 0]", "[%at, %start, %start]")
    clamped = f"""%id = tensor.extract %ids[%c0] : tensor<{T}xi32>
  %at = arith.index_cast %id : i32 to index
  %low = arith.maxsi %at, %c0 : index
  %start = arith.minsi %low, %c0 : index
  {clamped}%flat = tensor.collapse_shape %one [[0, 1], [2]] : {_tensor(one)} into {flat}
"""
    x, y = _tensor((T, K)), _tensor((T, N1), "f32")
    product = generic("%x, %flat", f"{x}, {flat}", "t, k; n, k; t, n", y, "t, n, k")
    yield Variation("slice-of-a-clamped-expert",
                    function(PLAIN, clamped + zeros(y) + product, x, y,
                             f", %ids: tensor<{T}xi32>"))  # fmt: skip
    two = _slice("%one", "%w", (3, 0, 0), one) + _slice("%two", "%w", (1, 0, 0), one)
    for name in ("one", "two"):
        two += (f"%f{name} = tensor.collapse_shape %{name} [[0, 1], [2]] : {_tensor(one)} into "
                f"{flat}\n")  # fmt: skip
    two += (f"%rows = tensor.concat dim(0) %fone, %ftwo : ({flat}, {flat}) -> "
            f"{_tensor((2 * N1, K))}\n%joined = tensor.expand_shape %rows [[0, 1], [2]] "
            f"output_shape [2, {N1}, {K}] : {_tensor((2 * N1, K))} into {_tensor((2, N1, K))}\n"
            )  # fmt: skip
    yield Variation("join-stacked-experts", program(two, (2, N1, K)))


def _every_second_row() -> str:
    """The halves of every second row of each expert, from the second row on, swapped."""
    whole, rows, part = (_tensor((E, n, K)) for n in (N1, N1 // 2, N1 // 4))
    half = f"[{E}, {N1 // 4}, {K}] [1, 1, 1] : {rows} to {part}"
    return f"""%odd = tensor.extract_slice %w[0, 1, 0] [{E}, {N1 // 2}, {K}] [1, 2, 1]
      : {whole} to {rows}
  %one = tensor.extract_slice %odd[0, {N1 // 4}, 0] {half}
  %two = tensor.extract_slice %odd[0, 0, 0] {half}
  %joined = tensor.concat dim(1) %one, %two : ({part}, {part}) -> {rows}
"""


def _slices() -> Iterator[Variation]:
    """Slices of one decode that are joined in another order, and one without its neighbours."""
    half = (E, N1 // 2, K)
    halves = _slice("%one", "%w", (0, N1 // 2, 0), half) + _slice("%two", "%w", (0, 0, 0), half)
    text = program(halves + concat([("%one", half), ("%two", half)], 1), (E, N1, K))
    yield Variation("join-swapped-halves", text)
    last, first = (1, N1, K), (E - 1, N1, K)
    any_ = f"tensor<?x{N1}x{K}xbf16>"
    rolled = _slice("%one", "%w", (E - 1, 0, 0), last) + _slice("%two", "%w", (0, 0, 0), first)
    rolled += (f"%one2 = tensor.cast %one : {_tensor(last)} to {any_}\n"
               f"%two2 = tensor.cast %two : {_tensor(first)} to {any_}\n"
               f"%joined = tensor.concat dim(0) %one2, %two2 : ({any_}, {any_}) -> "
               f"{_tensor((E, N1, K))}\n")  # fmt: skip
    yield Variation("join-rolled-experts", program(rolled, (E, N1, K)))
    blocks = (E, N1, 32)
    swapped = _slice("%one", "%w", (0, 0, 32), blocks) + _slice("%two", "%w", (0, 0, 0), blocks)
    text = program(swapped + concat([("%one", blocks), ("%two", blocks)], 2), (E, N1, K))
    yield Variation("join-swapped-blocks", text)
    text = program(_slice("%joined", "%w", (0, 0, 32), blocks), blocks)
    yield Variation("slice-of-blocks", text)
    yield Variation("join-swapped-halves-of-every-second-row", program(_every_second_row(), half))
    yield from _of_one_expert()
    cut = (E, N1, 32)
    text = program(_slice("%joined", "%w", (0, 0, 16), cut), cut)
    yield Variation("slice-that-cuts-blocks", text, remark="cuts blocks along K")


def joins() -> Iterator[Variation]:
    """Matmuls of weights that two decodes give."""
    yield from _gate_and_up()
    turned = [("%tw", (E, K, N1)), ("%tw2", (E, K, N2))]
    both = _transposed("w", N1) + _transposed("w2", N2)
    wide = (E, K, N1 + N2)
    yield Variation("join-k-major", program(both + concat(turned, 2), wide, k_major=True))
    yield Variation("join-k-major-slices", program(both + inserts(turned, 2, [0, 1]), wide,
                                                   k_major=True))  # fmt: skip
    stack = [("%xw", (E, N1, 1, K)), ("%xw2", (E, N1, 1, K))]
    flat = f"""%joined4 = tensor.collapse_shape %joined [[0], [1, 2], [3]]
      : {_tensor((E, N1, 2, K))} into {_tensor((E, 2 * N1, K))}
"""
    text = program(_stacked("w") + _stacked("w2") + concat(stack, 2) + flat, (E, 2 * N1, K), N1)
    yield Variation("join-interleaved", text.replace("ins(%x, %joined :", "ins(%x, %joined4 :"))
    copied = _copied("w") + _copied("w2") + inserts(stack, 2, [0, 1]) + flat
    text = program(copied, (E, 2 * N1, K), N1)
    yield Variation("join-copied", text.replace("ins(%x, %joined :", "ins(%x, %joined4 :"))
    experts = [("%w", (E, N1, K)), ("%w2", (E, N1, K))]
    yield Variation("join-experts", program(concat(experts, 0), (2 * E, N1, K), N1))
    yield Variation("join-along-k", program(concat(experts, 2), (E, N1, 2 * K), N1))
    yield from _slices()
    plain = program(concat([("%w", (E, N1, K)), ("%p", (E, N2, K))], 1), (E, N1 + N2, K))
    plain = plain.replace("%x: ", f"%p: {_tensor((E, N2, K))}, %x: ")
    yield Variation("join-other-weights", plain, remark=_MORE)
