# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The benchmark of whole layers, as far as it needs no GPU."""

from __future__ import annotations

from pathlib import Path

import pytest
from mxfp4.bench import __main__ as matmuls
from mxfp4.bench.layer import Data, error, main, spec, table
from mxfp4.cli import main as command
from mxfp4.layer_kernels import LayerKernels


def test_kernels_are_compiled_for_all_tokens(tmp_path: Path) -> None:
    arguments = ["--compile", str(tmp_path), "--experts", "5", "--tokens", "1", "3"]
    assert main(arguments) == 0
    kernels = LayerKernels.load(tmp_path / "layer5")
    assert kernels.spec == spec(5)
    assert {len(found) > 0 for found in kernels.matmuls.values()} == {True}
    artifacts = [a for found in kernels.matmuls.values() for a in found]
    assert all(a.manifest.resources["spill_bytes"] == 0 for a in artifacts)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["x", "--experts", "2"], "at least 5"),
        (["x", "--tokens", "0"], "at least 1"),
        ([], "give a folder"),
    ],
)
def test_wrong_arguments(
    arguments: list[str], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(arguments)
    assert text in capsys.readouterr().err


def test_the_command_knows_whole_layers(capsys: pytest.CaptureFixture[str]) -> None:
    assert command(["bench", "--layer", "--plot", "x.svg"]) == 1
    assert "no plots" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        matmuls.main(["--layer"])
    assert "mxfp4.bench.layer" in capsys.readouterr().err


def test_the_truth_is_that_of_the_specification() -> None:
    """The f32 layer that results are compared with, against numpy's parts."""
    torch = pytest.importorskip("torch")
    import numpy as np
    from mxfp4 import routing

    data = Data(5, 1)
    x = data.hidden(3)
    truth, clear = data.truth(x, 0)
    logits = x.float() @ data.router[0].float().T + data.router_bias[0].float()
    ids, weights = routing.top_k(logits.numpy(), 4, "softmax_selected")
    wide = x.float().numpy().astype(np.float64)
    out = np.zeros_like(wide)
    for t in range(3):
        for e, weight in zip(ids[t], weights[t], strict=True):
            both = data.raw["gate_up"].expert(int(e), torch.float32).numpy().astype(np.float64)
            sums = both @ wide[t] + data.bias["gate_up"][int(e)].float().numpy()
            gate, up = np.minimum(sums[::2], 7), np.clip(sums[1::2], -7, 7)
            inner = (up + 1) * gate / (1 + np.exp(-1.702 * gate))
            down = data.raw["down"].expert(int(e), torch.float32).numpy().astype(np.float64)
            y = down @ inner + data.bias["down"][int(e)].float().numpy()
            out[t] += weight * y
    assert clear.shape == (3,)
    assert error(torch.from_numpy(out), truth.double(), torch.ones(3, dtype=torch.bool)) < 1e-5


def test_the_table_has_what_was_measured() -> None:
    row = {
        "experts": 4, "tokens": 1, "errors": {"ours": 0.001, "triton": 0.002},
        "us": {"ours": {"median": 10.0}, "triton": {"median": 15.0}},
    }  # fmt: skip
    last = table([row]).splitlines()[-1]
    assert last == "| 4 | 1 | 10.0 | 15.0 | 1.50 | 1.0e-03 | 2.0e-03 |"
