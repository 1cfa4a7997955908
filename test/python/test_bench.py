# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs of the benchmark without a GPU (no_gpu.py), from options to files and plots, and what a run
asks of peers and of the memory."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from bench_shapes import chosen
from fakes import artifact, manifest, without_shapes
from kernels import needs_both
from mxfp4.bench import __main__ as bench_main
from mxfp4.cli import main
from no_gpu import no_gpu

__all__ = ["no_gpu"]  # a fixture


SHAPES = {
    "matrix": ("--experts 3 --top 2 --n 70 --k 96 --tokens 1 5", ["70x96"] * 2, [2, 10]),
    "block": ("--experts 3 --hidden 96 --intermediate 64 --tokens 3 --routing zipf",
              ["gate_up", "down"], [9, 9]),
    "raw": ("--problem|experts=2 n=64 k=64 order=nibble scales=raw|--tokens 4 --routing one",
            ["64x64"], [8]),
    "counts": ("--experts 4 --n 64 --k 64 --counts 5,0,3,9", ["64x64"], [17]),
}  # fmt: skip


@pytest.mark.slow
@needs_both
@pytest.mark.parametrize("shape", SHAPES)
def test_a_whole_run_of_ones_own_shapes(
    no_gpu: Callable[[bool], None], tmp_path: Path, capsys: pytest.CaptureFixture[str], shape: str
) -> None:
    """Compiled into a folder, measured from there, written, and plotted."""
    pytest.importorskip("matplotlib")
    no_gpu(False)
    text, layers, rows = SHAPES[shape]
    first, *spec = text.split("|")
    words = [first, spec[0], *spec[1].split()] if spec else text.split()
    kernels = tmp_path / "kernels"
    assert main(["bench", "--compile", str(kernels), *words]) == 0
    files = {name: tmp_path / name for name in ("b.json", "b.md", "roof.svg", "times.svg")}
    out = ["--json", files["b.json"], "--markdown", files["b.md"], "--plot", files["roof.svg"],
           "--plot-times", files["times.svg"]]  # fmt: skip
    assert main(["bench", str(kernels), *words, *map(str, out)]) == 0, capsys.readouterr().out
    said = capsys.readouterr().out
    found = json.loads(files["b.json"].read_text())["rows"]
    assert [r["layer"] for r in found] == layers
    assert [r["rows"] for r in found] == rows
    for row in found:
        assert all("median" in row[c] for c in ("register", "shared", "read"))
        assert (
            f"| {row['layer']} | {row['tokens']} | {row['routing']} |" in files["b.md"].read_text()
        )
    assert "stay in the L2 cache of 52 MB" in said
    assert "a fake GPU" in files["times.svg"].read_text()
    assert f"N x K = {found[0]['n']} x {found[0]['k']}" in files["roof.svg"].read_text()
    # Drawn again from the file alone.
    again = tmp_path / "again.svg"
    assert main(["bench", "--from", str(files["b.json"]), "--plot", str(again)]) == 0
    assert again.read_bytes() == files["roof.svg"].read_bytes()


@needs_both
def test_kernels_of_mxfp4_compile_serve_and_a_wrong_one_has_no_time(
    no_gpu: Callable[[bool], None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec, kernels = "experts=3 n=70 k=96", str(tmp_path / "kernels")
    assert main(["compile", spec, "-o", kernels, "--rows-hint", "10"]) == 0
    words = ["bench", kernels, "--problem", spec, "--top", "2", "--tokens", "5"]
    no_gpu(False)
    assert main([*words, "--json", str(tmp_path / "b.json")]) == 0
    assert 'their column, "shared", is left out' in capsys.readouterr().out
    (row,) = json.loads((tmp_path / "b.json").read_text())["rows"]
    assert "median" in row["register"]
    assert "shared" not in row
    no_gpu(True)
    assert main([*words, "--json", str(tmp_path / "b.json")]) == 1
    (row,) = json.loads((tmp_path / "b.json").read_text())["rows"]
    assert "WRONG" in row["register"]["error"]
    assert "median" not in row["register"]


def test_kernels_of_other_shapes_are_told_before_anything_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    artifact().save(tmp_path / "one")
    with pytest.raises(SystemExit):
        bench_main.main([str(tmp_path), "--experts", "3", "--n", "71", "--k", "96"])
    told = capsys.readouterr().err
    assert "are for experts=3 n=70 k=96 order=spread scales=folded, and none is for" in told
    assert "experts=3 groups=3 n=71 k=96" in told
    assert f"with --compile {tmp_path} in place of {tmp_path}" in told


def test_columns_without_kernels_are_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("torch")
    artifact(without_shapes(manifest(problem__n=64))).save(tmp_path / "one")
    words = [str(tmp_path), "--experts", "3", "--n", "64", "--k", "96"]
    parsed = argparse.Namespace(
        artifacts=tmp_path, columns=None, triton=None, fp8=False, humming=False
    )
    shelf = bench_main.Shelf(tmp_path)
    assert bench_main.columns(parsed, shelf, chosen(*words[1:])) == ["register", "bf16", "dense"]
    assert 'their column, "shared", is left out' in capsys.readouterr().out


def test_reads_of_more_than_there_is_are_scaled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights of some models are larger than the memory that the benchmark reads."""
    pytest.importorskip("torch")
    from mxfp4.bench import gpu

    monkeypatch.setattr(gpu, "capture", lambda launches: launches)
    reads = gpu.ReadBandwidth(1 << 20)
    reads._read = None
    assert [reads.best(size)[2] for size in (1 << 18, 1 << 20, 1 << 22)] == [1, 1, 4]

    class Kernel:
        def __getitem__(self, grid: tuple[int]) -> Callable[..., None]:
            self.grid = grid
            return lambda *arguments, **shape: None

    reads._read = Kernel()
    for size in (1 << 18, 1 << 22):
        for _, _, share, shape in reads._attempts(size // 4):
            least = 8192 if "2048" not in shape else 65536
            assert 1 <= share * min(size, 1 << 20) / size < 1 + 4 * least / (1 << 18), shape


def test_what_triton_reads_behind_its_operands_is_zero() -> None:
    """It reads past the scales of the last expert, and cuts K in blocks of 64."""
    torch = pytest.importorskip("torch")
    from mxfp4._gpu import RawWeights
    from mxfp4.bench import _triton_kernels as peer

    given: list[Any] = []

    class Package(peer.TritonKernels):
        """Its operands stay as they are, and a matmul notes its activations."""

        def __init__(self) -> None:
            layout = SimpleNamespace(
                make_default_matmul_mxfp4_w_layout=lambda **_: None,
                make_default_matmul_mxfp4_w_scale_layout=lambda **_: None,
            )
            self._layout = layout
            self._tensor = SimpleNamespace(
                FP4=None, make_ragged_tensor_metadata=lambda *_: None,
                wrap_torch_tensor=lambda data, dtype=None: data,
                convert_layout=lambda data, _: SimpleNamespace(storage=SimpleNamespace(data=data)),
            )  # fmt: skip
            self._matmul = SimpleNamespace(
                PrecisionConfig=lambda b_mx_scale: None, matmul=lambda x, *_, **__: given.append(x)
            )
            nothing = SimpleNamespace(
                reset_opt_flags_constraints=lambda: None,
                update_opt_flags_constraints=lambda _: None,
            )
            self._flags = nothing

    generator = torch.Generator().manual_seed(1)
    for k, whole in ((96, 128), (128, 128)):
        blocks = torch.randint(1, 256, (2, 5, k // 32, 16), generator=generator).byte()
        scales = torch.full((2, 5, k // 32), 255, dtype=torch.uint8)
        packed = Package().pack(RawWeights(blocks, scales), 3, 4)
        assert len({t.storage.data.data_ptr() for pair in packed for t in pair}) == 6
        for values, exponents in packed:
            codes = values.storage.data.transpose(-1, -2)
            assert codes.shape == (2, 5, whole // 2)
            assert torch.equal(codes[..., : k // 2], blocks.view(2, 5, k // 2))
            assert not codes[..., k // 2 :].any()
            found = exponents.storage.data
            assert (found.transpose(-1, -2)[..., : k // 32] == 255).all()
            behind = found.as_strided((peer.SLACK,), (1,), found.numel())
            assert not behind.any()
        x = torch.ones((4, k), dtype=torch.bfloat16)
        offsets = [torch.tensor([0, 1, 4], dtype=torch.int32)]
        Package().launches(packed, (16, 4, 4), x, x, offsets)[0]()
        assert given[-1].shape == (4, whole)
        assert int(given[-1].sum()) == 4 * k


def test_axes_say_what_was_measured() -> None:
    pytest.importorskip("matplotlib")
    from mxfp4.bench import plot

    row: dict[str, Any] = {"experts": 8, "n": 64, "k": 32, "tokens": 4, "top": 2, "layer": "a"}
    assert plot._tokens_label([row]) == "tokens, each by its top 2 experts"
    assert plot._tokens_label([row | {"top": 1}]) == "tokens, each by its top expert"
    skewed = [row | {"routing": "zipf"}, row | {"routing": "zipf", "top": 4}]
    assert plot._tokens_label(skewed) == "tokens, each by its top 2 to 4 experts; routing: zipf"
    assert plot._title([row, row | {"tokens": 9}]) == "N x K = 64 x 32, 4 to 9 tokens"
    assert plot._title([row | {"n": 2880, "k": 2880}]) == "gpt-oss layers, 4 tokens"
    both = {"rows": [row | {"routing": "one"}, row, row | {"routing": "one"}], "facts": {}}
    assert plot._one_routing(both) == [row]
    assert len(plot._one_routing({"rows": skewed})) == 2
