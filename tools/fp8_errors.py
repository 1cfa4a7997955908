# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Write the tables of errors in docs/Numerics.md, computed with `mxfp4.fp8` and `mxfp4.fp8_sums`.

usage: fp8_errors.py [--check]

The text between these two lines of the page is written anew:

    <!-- computed: fp8-errors -->
    <!-- end -->
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np
from generated import settle
from mxfp4 import fp8, quantize
from mxfp4.formats import bfloat16, dequantize
from mxfp4.fp8_sums import matmul
from numpy.typing import NDArray

PAGE = Path(__file__).resolve().parents[1] / "docs/Numerics.md"
MARK = re.compile(r"(<!-- computed: fp8-errors -->\n).*?(<!-- end -->\n)", re.DOTALL)
ROWS, COLUMNS = 48, 64
DEPTHS = (2880, 7168)
PROMOTIONS = (None, 512, 128)
OUTLIERS, TIMES = 0.005, 50.0
HEAD = ("activations", "K", "FP8 codes", "`fast`", "`promoted 512`", "`promoted 128`",
        "bf16 output", "all, `fast`", "all, `promoted 512`")  # fmt: skip

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


def main() -> int:
    """Write the page, or say whether it is as it would be written."""
    text = MARK.sub(lambda mark: mark[1] + table() + mark[2], PAGE.read_text())
    return settle(PAGE, str(PAGE), text, "--check" in sys.argv[1:], "tools/fp8_errors.py")


if __name__ == "__main__":
    sys.exit(main())
