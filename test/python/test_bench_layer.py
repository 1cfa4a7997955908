# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The benchmark of whole layers, as far as it needs no GPU."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from mxfp4.bench import __main__ as matmuls
from mxfp4.bench import routing
from mxfp4.bench.layer import error, main, spec, table
from mxfp4.bench.layer_data import Data, copies_of
from mxfp4.bench.models import MODELS
from mxfp4.cli import main as command
from mxfp4.errors import Error
from mxfp4.layer_kernels import LayerKernels


def test_kernels_are_compiled_for_all_tokens(tmp_path: Path) -> None:
    arguments = ["--compile", str(tmp_path), "--experts", "5", "--tokens", "1", "3"]
    assert main(arguments) == 0
    kernels = LayerKernels.load(tmp_path / "layer5")
    assert kernels.spec == spec(dataclasses.replace(MODELS["gpt-oss-20b"], experts=5))
    assert {len(found) > 0 for found in kernels.matmuls.values()} == {True}
    artifacts = [a for found in kernels.matmuls.values() for a in found]
    assert all(a.manifest.resources["spill_bytes"] == 0 for a in artifacts)


def test_kernels_are_compiled_for_a_device(tmp_path: Path) -> None:
    made = ["bench", "--layer", "--compile", str(tmp_path), "--experts", "5", "--tokens", "1"]
    assert command([*made, "--device", "h200"]) == 0
    found = LayerKernels.load(tmp_path / "layer5").matmuls.values()
    assert {a.manifest.raw["device"]["name"] for each in found for a in each} == {"h200"}


def test_kernels_of_a_models_sizes(tmp_path: Path) -> None:
    made = ["bench", "--layer", "--model", "qwen3.5-35b", "--compile", str(tmp_path)]
    assert command([*made, "--tokens", "1"]) == 0
    found = LayerKernels.load(tmp_path / "layer-qwen3.5-35b").spec
    assert (found.experts, found.slots, found.hidden, found.inner) == (256, 8, 2048, 512)


def test_layers_of_all_models_fit_a_gpu() -> None:
    assert {name: copies_of(model) for name, model in MODELS.items() if copies_of(model) != 4} == {
        "gpt-oss-20b": 8, "qwen3.5-35b": 8, "gemma-4-26b": 8, "deepseek-v4-pro": 2, "kimi-k3": 1,
        "kimi-k2.5": 3,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["x", "--device", "h200"], "goes with --compile"),
        (["x", "--experts", "2"], "at least 5"),
        (["x", "--tokens", "0"], "at least 1"),
        (["x", "--humming"], "needs --marlin"),
        (["x", "--model", "nemotron-3-super"], "has no gate"),
        (["x", "--model", "qwen"], "unknown model"),
        (["x", "--model", "qwen3.5-35b", "--experts", "5"], "leave out --experts"),
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
    assert command(["bench", "--layer", "--plot-times", "x.svg"]) == 1
    assert "--plot-times" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        command(["bench", "--layer", "--humming", "k"])
    assert "needs --marlin" in capsys.readouterr().err
    assert command(["bench", "--humming", "k"]) == 1
    assert "--layer" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        matmuls.main(["--layer"])
    assert "mxfp4.bench.layer" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    ["--tensor-parallel 2", "--problem n=64", "--top 2", "--n 64", "--k 64",
     "--hidden 64", "--intermediate 64", "--counts 1,2", "--steady 2", "--budget 3"],
)  # fmt: skip
def test_options_of_single_matmuls_are_not_ignored(
    words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = ["bench", "--layer", "--compile", str(tmp_path / "k"), "--experts", "5", "--tokens", "1"]
    assert command([*made, *words.split()]) == 1
    assert f"{words.split()[0]} is of single matmuls" in capsys.readouterr().err
    assert not (tmp_path / "k").exists()


def test_batch_invariant_layers_by_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = ["bench", "--layer", "--compile", str(tmp_path), "--experts", "5", "--tokens", "1"]
    assert command([*made, "--batch-invariant"]) == 0
    assert LayerKernels.load(tmp_path / "layer5-invariant").spec.batch_invariant
    assert command(["bench", "--batch-invariant", "--compile", str(tmp_path)]) == 1
    assert "is a column of whole layers" in capsys.readouterr().err


def test_skewed_routing_is_zipfs() -> None:
    """Shares of experts under routers that are what they are, for each layer in another order."""
    torch = pytest.importorskip("torch")
    data = object.__new__(Data)
    draw = torch.Generator().manual_seed(1)
    data.experts, data.copies, data._routing = 16, 3, "zipf"
    data.router = [torch.randn((16, 2880), generator=draw).mul(2 / 2880**0.5).bfloat16()
                   for _ in range(3)]  # fmt: skip
    data.router_bias = [torch.randn(16, generator=draw).div(10).bfloat16() for _ in range(3)]
    draws, tokens = torch.Generator().manual_seed(2), 1500
    x = torch.randn((tokens, 2880), generator=draws)
    steered = data._steered(x, draws).bfloat16()
    assert 1 < float(steered.float().std()) < 1.2, "hidden states stay what they were, nearly"
    shares = 1 / torch.arange(1, 17, dtype=torch.float64)
    wanted = torch.zeros(16, dtype=torch.float64)
    for _ in range(4000):
        wanted[torch.multinomial(shares, 4, generator=draws)] += 1 / 4000
    orders = []
    for layer in range(3):
        chosen = data.logits(steered, layer).float().topk(4).indices
        found = torch.bincount(chosen.flatten(), minlength=16).double() / tokens
        orders.append(found.argsort().tolist())
        assert (found.sort(descending=True).values - wanted).abs().max() < 0.06
    assert orders[0] != orders[1] != orders[2]
    data._routing = "trained"
    wanted = routing.drawn("trained", tokens, 16, 3, draws)
    steered = data._steered(x, draws)
    for layer, logits in enumerate(wanted):
        chosen = data.logits(steered.bfloat16(), layer).float().topk(4).indices.sort().values
        same = (chosen == logits.topk(4).indices.sort().values).all(1).double().mean()
        assert same > 0.9, "all but tokens whose choice rounding changes"


@pytest.mark.slow
def test_the_truth_is_that_of_the_specification() -> None:
    """The f32 layer that results are compared with, against numpy's parts."""
    torch = pytest.importorskip("torch")
    import numpy as np
    from mxfp4 import routing

    data = Data(dataclasses.replace(MODELS["gpt-oss-20b"], experts=5), 1)
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
        "us": {"ours": 10.0, "triton": 15.0},
    }  # fmt: skip
    last = table([row]).splitlines()[-1]
    assert last == "| 4 | 1 | 10.0 | 15.0 | 1.50 | 1.0e-03 | 2.0e-03 |"


def test_results_are_drawn(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    source, chart = tmp_path / "layer.json", tmp_path / "layer.svg"
    row = {"experts": 4, "tokens": 1, "us": {"ours": 10.0, "triton tuned": 15.0}}
    source.write_text(json.dumps({"gpu": "a chip", "date": "2026-11-28", "rows": [row]}))
    assert command(["bench", "--layer", "--from", str(source), "--plot", str(chart)]) == 0
    assert "<svg" in chart.read_text()


def test_marlin_gets_every_code_once() -> None:
    """Each word has 8 codes; a matrix whose codes are all 0 but one has one word that is not."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("triton")
    from mxfp4.bench import _marlin_layer as marlin

    order = marlin._code_order()
    assert sorted(order.tolist()) == list(range(1024))
    draw = torch.Generator().manual_seed(1)
    codes = torch.randint(0, 256, (40, 24), dtype=torch.uint8, generator=draw)
    packed = marlin.pack_codes(codes, 64, 64)
    assert packed.shape == (4, 128)

    def counts(words: torch.Tensor, bits: int) -> list[int]:
        nibbles = torch.stack([(words.long() >> (4 * i)) & 15 for i in range(bits // 4)], -1)
        return torch.bincount(nibbles.flatten(), minlength=16).tolist()

    padding = 64 * 64 - 40 * 48
    wanted = counts(codes, 8)
    wanted[0] += padding
    assert counts(packed, 32) == wanted
    scales = torch.randint(0, 255, (40, 2), dtype=torch.uint8, generator=draw)
    ordered = marlin.pack_scales(scales, 64, 64)
    full = torch.full((64, 2), 127, dtype=torch.uint8)
    full[:40] = scales
    for i in range(2):
        assert sorted(ordered[i].tolist()) == sorted(full[:, i].tolist())
    bias = torch.arange(1, 41, dtype=torch.float32)[None]
    assert sorted(marlin.pack_bias(bias, 64)[0].tolist()) == [0.0] * 24 + bias[0].tolist()
    assert [marlin.rows_of_tile(rows) for rows in (1, 8, 20, 50, 500)] == [8, 16, 32, 64, 64]


def test_a_missing_extension_of_vllm_is_named(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("triton")
    from mxfp4.bench import _vllm_steps as vllm

    with pytest.raises(Error, match="is no file"):
        vllm.find_extension(tmp_path / "none.so")
    (tmp_path / "text.so").write_text("no library")
    with pytest.raises(Error, match="cannot be loaded"):
        vllm.VllmSteps(tmp_path / "text.so")
