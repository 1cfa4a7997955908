# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Write the tables of errors in docs/Numerics.md, computed with `mxfp4.fp8` and `mxfp4.fp8_sums`.

usage: fp8_errors.py [--check]

The text between two lines such as these of the page is written anew, for fp8-errors and fp8-inner:

    <!-- computed: fp8-errors -->
    <!-- end -->
"""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from generated import settle
from mxfp4 import fp8, quantize
from mxfp4.formats import bfloat16, dequantize
from mxfp4.fp8_sums import matmul
from mxfp4.layer_reference import activate, between
from mxfp4.layer_spec import LayerSpec
from numpy.typing import NDArray

PAGE = Path(__file__).resolve().parents[1] / "docs/Numerics.md"
MARK = re.compile(r"(<!-- computed: (fp8-errors|fp8-inner) -->\n).*?(<!-- end -->\n)", re.DOTALL)
ROWS, COLUMNS = 48, 64
DEPTHS = (2880, 7168)
PROMOTIONS = (None, 512, 128)
OUTLIERS, TIMES = 0.005, 50.0
HEAD = ("activations", "K", "FP8 codes", "`fast`", "`promoted 512`", "`promoted 128`",
        "bf16 output", "all, `fast`", "all, `promoted 512`")  # fmt: skip
INNER = 1024
"""Hidden and inner size of the layer between whose matmuls errors are taken."""
SIZES = (4.0, 1.0, 2.0**-2, 2.0**-4, 2.0**-6, 2.0**-8, 2.0**-10)
"""Of gate_up's sums (RMS)."""
INNER_HEAD = ("activations", "gate_up's sums", "inner values", "codes, `row`", "codes, `bound`",
              "down, `row`", "down, `bound`")  # fmt: skip

Matrix = NDArray[np.float64]


def data(kind: str, k: int) -> tuple[Matrix, Matrix]:
    """Activations in bf16 and weights in MXFP4, as values."""
    rng = np.random.default_rng(k)
    x, w = rng.standard_normal((ROWS, k)), rng.standard_normal((COLUMNS, k))
    if kind == "outliers":
        x[:, rng.random(k) < OUTLIERS] *= TIMES
    if kind == "same sign":
        x, w = np.abs(x), np.abs(w)
    weights = dequantize(*quantize(w.astype(np.float32)[None]))[0]
    return x.astype(np.float32).astype(bfloat16).astype(np.float64), weights.astype(np.float64)


def relative(got: Matrix, wanted: Matrix) -> str:
    """The root of the mean square of errors, relative to that of the values."""
    return f"{100 * np.sqrt(np.mean((got - wanted) ** 2) / np.mean(wanted**2)):.2g} %"


def row(kind: str, k: int) -> list[str]:
    """A line of the table."""
    x, w = data(kind, k)
    exact = x @ w.T
    rows = fp8.quantize_rows(x.astype(bfloat16))
    codes, scales = rows.codes.astype(np.float64), rows.scales.astype(np.float64)[:, None]
    rounded = codes @ w.T * scales
    sums = {p: matmul(codes, w, p).astype(np.float64) * scales for p in PROMOTIONS}

    def bf16(values: Matrix) -> Matrix:
        return values.astype(np.float32).astype(bfloat16).astype(np.float64)

    return [
        kind, str(k), relative(rounded, exact), *(relative(sums[p], rounded) for p in PROMOTIONS),
        relative(bf16(exact), exact), relative(bf16(sums[None]), exact),
        relative(bf16(sums[512]), exact),
    ]  # fmt: skip


def table() -> str:
    """The table in Markdown."""
    lines = [list(HEAD), ["---"] * len(HEAD)]
    lines += [row(kind, k) for kind in ("normal", "outliers", "same sign") for k in DEPTHS]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def inner_rows(kind: str, size: float) -> list[str]:
    """A line of the second table: gpt-oss's activation of sums of this size (RMS)."""
    spec = LayerSpec(32, 4, INNER, INNER, activations="fp8")
    rng = np.random.default_rng(7)
    x, w = data(kind, INNER)[0], rng.standard_normal((2 * INNER, INNER))
    down = rng.standard_normal((COLUMNS, INNER))
    if kind == "same sign":
        w = np.abs(w)
    sums = x @ w.T
    inner = activate(spec.activation, sums * (size / np.sqrt(np.mean(sums**2))))
    by_row = fp8.quantize_rows(inner.astype(np.float32).astype(bfloat16)).values()
    by_bound = between(replace(spec, activation_scale="bound"), inner)
    assert isinstance(by_bound, fp8.QuantizedRows)
    codes = (by_row, by_bound.values())
    return [
        kind, f"{size:.2g}", f"{np.sqrt(np.mean(inner**2)):.2g}",
        *(relative(some, inner) for some in codes),
        *(relative(some @ down.T, inner @ down.T) for some in codes),
    ]  # fmt: skip


def inner_table() -> str:
    """The second table in Markdown."""
    lines = [list(INNER_HEAD), ["---"] * len(INNER_HEAD)]
    lines += [inner_rows("normal", size) for size in SIZES]
    lines += [inner_rows(kind, size) for kind in ("outliers", "same sign") for size in (1.0, 2**-6)]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def main() -> int:
    """Write the page, or say whether it is as it would be written."""
    tables = {"fp8-errors": table, "fp8-inner": inner_table}
    text = MARK.sub(lambda mark: mark[1] + tables[mark[2]]() + mark[3], PAGE.read_text())
    return settle(PAGE, str(PAGE), text, "--check" in sys.argv[1:], "tools/fp8_errors.py")


if __name__ == "__main__":
    sys.exit(main())
