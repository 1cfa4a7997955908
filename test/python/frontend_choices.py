# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Weights that a condition chooses, as `lax.cond` and `jnp.where` do."""

from __future__ import annotations

from collections.abc import Iterator

from frontend_text import (
    BATCHED,
    BITS,
    CODES,
    FINISH,
    LOOK_UP,
    SCALES,
    TABLE,
    E,
    K,
    N,
    T,
    Variation,
    W,
    X,
    Y,
    decode,
    generic,
    zeros,
)  # fmt: skip

_CODES, _SCALES = f"tensor<2x{E}x{N}x2x16xi8>", f"tensor<2x{E}x{N}x2xi8>"
_FIRST = decode(LOOK_UP + BITS + FINISH)
_SECOND = _FIRST.replace("%c, %s", "%cb, %sb").replace("%w", "%v")
_CHOSEN = BATCHED.replace("%x, %w", "%x, %g")


def _slice(name: str, number: int, whole: str, type_: str) -> str:
    rank = whole.count("x") - 1
    sizes = type_.removeprefix("tensor<").removesuffix(">").rsplit("x", 1)[0].replace("x", ", ")
    return (
        f"%{name} = tensor.extract_slice %{name[0]}2[{number}{', 0' * rank}] [1, {sizes}]"
        f" [1{', 1' * rank}] : {whole} to {type_}"
    )


def _program(body: str, predicate: str = "slt", rows: str = X, result: str = Y) -> str:
    """Two weights' codes and scales, and a condition that is true for `slt`."""
    slices = "\n  ".join(
        (
            _slice("c", 0, _CODES, CODES),
            _slice("cb", 1, _CODES, CODES),
            _slice("s", 0, _SCALES, SCALES),
            _slice("sb", 1, _SCALES, SCALES),
        )
    )
    return f"""func.func @main(%x: {rows}, %c2: {_CODES}, %s2: {_SCALES}, %n: tensor<5xi32>)
    -> {result} {{
  %zero = arith.constant 0.0 : f32
  %c0 = arith.constant 0 : index
  {TABLE}
  {slices}
  %first = tensor.extract %n[%c0] : tensor<5xi32>
  %two = arith.constant 2 : i32
  %p = arith.cmpi {predicate}, %first, %two : i32
  {body}
  return %y : {result}
}}
"""


def choices() -> Iterator[Variation]:
    """A name, a program, and the remark if there is one."""
    select = f"{_FIRST}{_SECOND}  %g = arith.select %p, %w, %v : {W}\n{_CHOSEN}"
    branches = f"""%g = scf.if %p -> ({W}) {{
{_FIRST}
    scf.yield %w : {W}
  }} else {{
{_SECOND}
    scf.yield %v : {W}
  }}
{_CHOSEN}"""
    for which in ("slt", "sge"):
        yield Variation(f"choice-select-{which}", _program(select, which))
        yield Variation(f"choice-branches-{which}", _program(branches, which))
    turned = f"""%te = tensor.empty() : tensor<{E}x{K}x{N}xbf16>
  %t = linalg.transpose ins(%g : {W}) outs(%te : tensor<{E}x{K}x{N}xbf16>) permutation = [0, 2, 1]
{zeros(Y)}{generic("%x, %t", f"{X}, tensor<{E}x{K}x{N}xbf16>", "e, t, k; e, k, n; e, t, n", Y,
                   "e, t, n, k")}"""  # fmt: skip
    for name, text in (("select", select), ("branches", branches)):
        yield Variation(f"choice-{name}-transposed", _program(text.replace(_CHOSEN, turned)))
    one, rows, sums = f"tensor<{N}x{K}xbf16>", f"tensor<{T}x{K}xbf16>", f"tensor<{T}x{N}xf32>"
    dense = "".join(
        f"  %{to} = tensor.extract_slice %{value}[{expert}, 0, 0] [1, {N}, {K}] [1, 1, 1] : {W}"
        f" to {one}\n"
        for to, value, expert in (("one", "w", 1), ("other", "v", 3))
    )
    product = generic("%x, %g", f"{rows}, {one}", "t, k; n, k; t, n", sums, "t, n, k")
    yield Variation(
        "choice-dense",
        _program(
            f"{_FIRST}{_SECOND}{dense}  %g = arith.select %p, %one, %other : {one}\n"
            f"{zeros(sums)}{product}",
            "sge", rows, sums,
        ),
    )  # fmt: skip
    masked = f"""{_FIRST}{_SECOND}
  %me = tensor.empty() : {W}
  %g = linalg.generic {{indexing_maps = [affine_map<(e, n, k) -> (e, n, k)>,
      affine_map<(e, n, k) -> (e, n, k)>, affine_map<(e, n, k) -> (e, n, k)>],
      iterator_types = ["parallel", "parallel", "parallel"]}}
      ins(%w, %v : {W}, {W}) outs(%me : {W}) {{
    ^bb0(%a: bf16, %b: bf16, %o: bf16):
      %k0 = linalg.index 2 : index
      %most = arith.constant 7 : index
      %here = arith.cmpi ult, %k0, %most : index
      %chosen = arith.select %here, %a, %b : bf16
      linalg.yield %chosen : bf16
  }} -> {W}
{_CHOSEN}"""
    yield Variation(
        "choice-of-elements",
        _program(masked),
        remark="the weights are replaced in places by 'arith.select'",
    )
