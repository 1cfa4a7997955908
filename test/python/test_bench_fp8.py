# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Columns of the benchmark with activations in FP8; launches are the PTX interpreter's."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from kernels import needs_both
from mxfp4 import PackedWeights
from mxfp4.cli import main
from no_gpu import no_gpu

__all__ = ["no_gpu"]  # a fixture


@needs_both
def test_columns_in_fp8(
    no_gpu: Callable[[bool], None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Both sums are compiled, measured beside bf16, and a wrong kernel has no time."""
    no_gpu(False)
    words = ["--experts", "2", "--n", "64", "--k", "96", "--tokens", "3", "--top", "2"]
    kernels, results = str(tmp_path / "kernels"), tmp_path / "b.json"
    assert main(["bench", "--compile", str(tmp_path / "bf16"), *words]) == 0
    with pytest.raises(SystemExit):
        main(["bench", str(tmp_path / "bf16"), "--fp8", *words])
    told = capsys.readouterr().err
    assert "activations=fp8" in told
    assert "with --fp8 --compile" in told
    assert main(["bench", "--fp8", "--compile", kernels, *words]) == 0
    names = {p.name for p in Path(kernels).iterdir()}
    for sums in ("promoted512", "fast"):
        assert any(f"bytes-relative-{sums}-bf16-register" in name for name in names), names
    run = ["bench", kernels, "--fp8", *words, "--json", str(results)]
    assert main(run) == 0, capsys.readouterr().out
    (row,) = json.loads(results.read_text())["rows"]
    assert all("median" in row[c] for c in ("register", "fp8", "fp8 fast", "read"))
    assert "dense fp8" not in row, "few rows"
    said = capsys.readouterr().out
    assert "ours, FP8, us" in said
    assert "fp8 fast / register" in said
    no_gpu(True)
    assert main(run) == 1
    (row,) = json.loads(results.read_text())["rows"]
    for name, sums in (("fp8", "promoted512"), ("fp8 fast", "fast")):
        assert f"elements exceed what {sums} sums may lose" in row[name]["error"]
    assert main(["bench", kernels, *words, "--json", str(results)]) == 1
    assert "fp8" not in json.loads(results.read_text())["rows"][0]
    assert "FP8" not in capsys.readouterr().out.rpartition("| E |")[2]


def test_rows_and_weights_of_fp8_columns() -> None:
    torch = pytest.importorskip("torch")
    from mxfp4 import fp8_reference
    from mxfp4._gpu import RawWeights
    from mxfp4.bench import fp8
    from mxfp4.fp8 import quantize_rows
    from mxfp4.torch_op import from_numpy, to_numpy

    draw = torch.Generator().manual_seed(1)
    x = (torch.randn((40, 96), generator=draw) * torch.logspace(-3, 3, 40)[:, None]).bfloat16()
    rows, wanted = fp8.Rows.of(x), quantize_rows(to_numpy(x))
    assert np.array_equal(rows.codes.view(torch.uint8).numpy(), wanted.codes.view(np.uint8))
    assert np.array_equal(rows.scales.numpy(), wanted.scales)
    blocks = torch.randint(0, 256, (2, 64, 3, 16), dtype=torch.uint8, generator=draw)
    scales = torch.randint(117, 121, (2, 64, 3), dtype=torch.uint8, generator=draw)
    weights = fp8.Weights(RawWeights(blocks, scales), 2)
    assert [w.layout.activations for w in weights.packed()] == ["fp8", "fp8"]
    for e in range(2):
        left, powers = weights.left(e)
        assert torch.equal(weights.e4m3()[e].double(), left), "E4M3 holds them"
        exact = weights.raw.expert(e, torch.float64)
        assert torch.equal(left * powers[:, None], exact)
    packed, offsets = weights.packed()[0], [0, 25, 40]
    host = mxfp4_host(packed)
    for sums in ("promoted512", "fast"):
        y = fp8_reference.grouped_matmul(to_numpy(x), host, np.array(offsets, np.int32),
                                         accumulation=sums)  # fmt: skip
        y = from_numpy(y)
        assert fp8.wrong(y, rows, weights, offsets, sums) == ""
        other = y.clone()
        other[30, 7] += y[30].float().square().mean().sqrt() / 8
        assert fp8.wrong(other, rows, weights, offsets, sums).startswith("1 elements exceed")
        assert "relative error" in fp8.wrong(y * 1.006, rows, weights, offsets, "fast") or (
            "elements exceed" in fp8.wrong(y * 1.006, rows, weights, offsets, "fast")
        )
        assert fp8.wrong_rounded(y, x, weights.raw, offsets) == ""
        assert "relative error" in fp8.wrong_rounded(y * 1.1, x, weights.raw, offsets)
    dense = (rows.codes.double() @ weights.left(1)[0].T).bfloat16()
    assert fp8.wrong_dense(dense, rows, weights, 1) == ""
    assert "relative error" in fp8.wrong_dense(dense, rows, weights, 0)


def mxfp4_host(weights: PackedWeights) -> PackedWeights:
    from dataclasses import replace

    return replace(weights, data=weights.data.numpy(), powers=weights.powers.numpy())
