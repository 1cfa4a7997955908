# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The benchmark of a user's own shapes: what the options choose, and a whole run.

The run has no GPU: kernels are launched on the PTX interpreter, and clocks are made up. All else,
the data, the check of every result, files and plots, is what a GPU gets.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from fakes import artifact, manifest, without_shapes
from hypothesis import given, settings
from hypothesis import strategies as st
from kernels import needs_both
from mxfp4 import Artifact, Error, Layout, PackedWeights, Problem, simulate
from mxfp4.bench import __main__ as bench_main
from mxfp4.bench import routing, shapes
from mxfp4.bench.cases import Case, cases, wanted
from mxfp4.bench.models import MODELS, TENSOR_PARALLEL
from mxfp4.cli import main


def options(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    shapes.arguments(parser)
    return parser.parse_args(words)


def chosen(*words: str) -> list[Case]:
    return shapes.chosen(options(*words))


def test_a_shape_of_ones_own_in_each_spelling() -> None:
    few = ("--top", "2", "--tokens", "1", "64")
    (one, many) = chosen("--experts", "8", "--n", "28672", "--k", "4096", *few)
    assert (one.problem, one.tokens, one.rows) == (Problem(8, 28672, 4096), 1, 2)
    assert (many.rows, many.layer, many.routing) == (128, "28672x4096", "uniform")
    assert chosen("--problem", "experts=8 n=28672 k=4096", *few) == [one, many]
    block = chosen("--experts", "8", "--hidden", "4096", "--intermediate", "14336", *few)
    assert [(c.layer, c.problem.n, c.problem.k, c.tokens) for c in block] == [
        ("gate_up", 28672, 4096, 1), ("gate_up", 28672, 4096, 64),
        ("down", 4096, 14336, 1), ("down", 4096, 14336, 64),
    ]  # fmt: skip
    layer = ("--hidden", "4096", "--intermediate", "14336", "--layer", "down")
    assert chosen("--experts", "8", *layer, *few) == block[2:]
    raw = chosen("--problem", "experts=2 n=64 k=64 order=nibble scales=raw", "--tokens", "3")
    assert (raw[0].problem.layout, raw[0].rows) == (Layout("nibble", "raw"), 6)
    skewed = chosen("--experts", "8", "--n", "64", "--k", "64", "--routing", "zipf", *few)
    assert [c.routing for c in skewed] == ["zipf", "zipf"]
    assert skewed[1].sizes()[0] > 3 * skewed[1].sizes()[7]


def test_models_and_their_parts() -> None:
    block = chosen("--model", "deepseek-v4-flash", "--tokens", "16")
    assert [(c.problem, c.layer, c.top) for c in block] == [
        (Problem(256, 4096, 4096), "gate_up", 6), (Problem(256, 4096, 2048), "down", 6),
    ]  # fmt: skip
    # Experts are cut by whole blocks of 32: 90 of them are 23 at most on each of four GPUs.
    quarter = chosen("--model", "gpt-oss-20b", "--tensor-parallel", "4", "--tokens", "1")
    assert [(c.problem.n, c.problem.k) for c in quarter] == [(2 * 736, 2880), (2880, 736)]
    (plain,) = chosen("--model", "nemotron-3-super", "--layer", "gate_up", "--tokens", "1")
    assert (plain.problem.n, plain.rows) == (2688, 22), "one matrix, without a gate"
    for name in MODELS:
        for parts in TENSOR_PARALLEL:
            for case in chosen("--model", name, f"--tensor-parallel={parts}", "--tokens", "1"):
                assert case.problem.k % 32 == 0
                assert case.rows == MODELS[name].top
    again = shapes.words(options("--model", "kimi-k3", "--tensor-parallel", "8", "--top", "2"))
    assert chosen(*again) == chosen("--model", "kimi-k3", "--tensor-parallel", "8", "--top", "2")


def test_large_matmuls_have_short_graphs() -> None:
    def launches(*words: str) -> int:
        return len(chosen(*words)[0].routes())

    assert launches("--experts", "128", "--layer", "gate_up", "--tokens", "256") == 16
    assert launches("--experts", "32", "--layer", "down", "--tokens", "8192") == 4
    large = ("--experts", "896", "--n", "6144", "--k", "3584", "--top", "16")
    assert launches(*large, "--tokens", "1") == 16
    assert launches(*large, "--tokens", "16") == 8
    assert launches(*large, "--tokens", "256") == 2


def test_given_counts(tmp_path: Path) -> None:
    shape = ("--experts", "4", "--n", "64", "--k", "64")
    (case,) = chosen(*shape, "--counts", "5,0,3,8")
    assert (case.rows, case.tokens, case.top, case.routing) == (16, 16, 1, "counts")
    assert case.sizes() == [5, 0, 3, 8]
    assert all(sorted(sizes) == [0, 3, 5, 8] for sizes in case.routes())
    (tmp_path / "counts.txt").write_text("5 0\n3, 8\n")
    file = chosen(*shape, "--counts", str(tmp_path / "counts.txt"), "--top", "2")
    assert (file[0].counts, file[0].tokens) == ((5, 0, 3, 8), 8)
    for text in (b"5 0\n3 x", b"5 0\n3 \xff"):
        (tmp_path / "counts.txt").write_bytes(text)
        with pytest.raises(Error, match=r"counts\.txt must hold whole numbers, got"):
            chosen(*shape, "--counts", str(tmp_path / "counts.txt"))


def test_gpt_oss_with_other_token_counts() -> None:
    assert chosen() == cases()
    assert chosen("--tokens", "64") == [c for c in cases() if c.tokens == 64]
    other = chosen("--tokens", "100", "--experts", "32", "--layer", "down")
    assert [(c.tokens, c.routing) for c in other] == [(100, "uniform"), (100, "zipf")]
    assert len({w.name for w in wanted(other)}) == 2, "both placements"
    trained = chosen("--tokens", "100", "--routing", "trained")
    assert {(c.experts, c.layer, c.routing) for c in trained} == {
        (e, layer, "trained") for e in (32, 128) for layer in ("gate_up", "down")
    }


def test_trained_routers_are_between_uniform_and_zipf() -> None:
    """By the load of the busiest expert; tokens of one text crowd, tokens of many texts less so."""

    def busiest(tokens: int, how: str) -> float:
        case = Case(128, "gate_up", tokens, how)
        assert sum(case.sizes()) == case.rows
        assert case.sizes() == case.sizes()
        return max(case.sizes()) * 128 / case.rows

    for tokens in (256, 1024, 4096, 8192):
        loads = [busiest(tokens, how) for how in ("uniform", "trained", "zipf")]
        assert 1.15 * loads[0] < loads[1] < loads[2] / 2
    assert busiest(routing.TEXT, "trained") > 1.3 * busiest(8 * routing.TEXT, "trained")
    assert busiest(routing.TEXT, "trained") > 2 * busiest(routing.DECODING, "trained")


@given(
    st.integers(1, 40), st.integers(1, 50), st.integers(1, 40),
    st.sampled_from(shapes.ROUTINGS), st.integers(1, 5), st.integers(1, 5),
)  # fmt: skip
@settings(deadline=None)
def test_any_shape_has_all_of_its_rows(
    experts: int, tokens: int, top: int, routing: str, n: int, blocks: int
) -> None:
    top = min(top, experts)
    words = {"experts": experts, "n": n, "k": 32 * blocks, "tokens": tokens, "top": top}
    (case,) = chosen(*(f"--{k}={v}" for k, v in words.items()), f"--routing={routing}")
    assert case.rows == tokens * top == sum(case.sizes())
    assert len(case.sizes()) == experts
    assert routing != "uniform" or max(case.sizes()) <= tokens
    assert all(sorted(sizes) == sorted(case.sizes()) for sizes in case.routes())
    again = shapes.chosen(options(*shapes.words(options(
        *(f"--{k}={v}" for k, v in words.items()), f"--routing={routing}"))))  # fmt: skip
    assert again == [case], "the words of the options choose the same"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("--experts 8", "no gpt-oss case is left by these options"),
        ("--experts 1 --tokens 64", "for a shape of your own, say --n and --k, or --hidden and"),
        ("--top 2", "--top goes with a shape of your own"),
        ("--counts 1,2", "--counts goes with a shape of your own"),
        ("--model gpt-os-20b", "did you mean 'gpt-oss-20b'"),
        ("--model kimi-k3 --experts 8", "--model says the number of experts"),
        ("--model kimi-k3 --n 64", "--model says the shape; leave out --n"),
        ("--tensor-parallel 2", "--tensor-parallel goes with --model"),
        ("--model kimi-k3 --tensor-parallel 0", "--tensor-parallel must be at least 1"),
        ("--n 64", "--n needs --experts and --k, too"),
        ("--experts 2 --k 64", "--experts --k needs --n, too"),
        ("--experts 2 --hidden 64", "--experts --hidden needs --intermediate, too"),
        ("--experts 2 --n 64 --k 64 --hidden 64", "says the shape; leave out --hidden"),
        ("--problem experts=2 --n 64", "says the shape; leave out --n"),
        ("--experts 2 --n 64 --k 60", "K must be a multiple of 32 .* 64x60 has K = 60"),
        ("--experts 2 --hidden 64 --intermediate 48", "but down has K = 48"),
        ("--experts 0 --n 64 --k 64", "--experts must be at least 1, got 0"),
        ("--experts 2 --n 64 --k 64 --tokens 4 -1", "--tokens must be at least 1, got -1"),
        ("--experts 2 --n 64 --k 64 --top 3", "--top must be at most the number of experts, 2"),
        ("--experts 2 --n 64 --k 64 --layer down", "--layer down is not among the layers 64x64"),
        ("--experts 2 --n 64 --k 64 --counts 1", "for each of the 2 experts, not all 0; got 1"),
        ("--experts 2 --n 64 --k 64 --counts 0,0", "not all 0; got 2 with a sum of 0"),
        ("--experts 2 --n 64 --k 64 --counts 1,x", "takes numbers with commas, or a file of num"),
        ("--experts 2 --n 64 --k 64 --counts 3,2 --top 2", "5 rows, which is no multiple of --to"),
        ("--experts 2 --n 64 --k 64 --counts 3,2 --tokens 4", "leave out --tokens"),
        ("--experts 2 --n 64 --k 64 --counts 3,2 --routing one", "leave out --routing"),
    ],
)
def test_what_does_not_fit_is_a_sentence(words: str, told: str) -> None:
    with pytest.raises(Error, match=told):
        chosen(*words.split())


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ("experts=2 n=64 k=64 output=f32", "leave out groups=, expert-ids= and output="),
        ("experts=2 n=64 k=64 expert-ids=1", "leave out groups=, expert-ids= and output="),
        ("E=2 n=64 k=64", "unknown problem field 'E' .*did you mean 'experts'"),
        ("experts=2 n=64", "does not say k="),
    ],
)
def test_a_problem_that_cannot_be_measured(spec: str, told: str) -> None:
    with pytest.raises(Error, match=told):
        chosen("--problem", spec)
    with pytest.raises(Error, match="leave out --experts"):
        chosen("--problem", "experts=2 n=64 k=64", "--experts", "2")


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


# --------------------------------------------------------------------------- a whole run


class Interpreted:
    """A kernel whose launches go to the PTX interpreter; ``broken`` stores something else."""

    def __init__(self, found: Artifact, broken: bool) -> None:
        self.artifact, self.manifest, self.broken = found, found.manifest, broken

    def __call__(
        self, x: Any, weights: PackedWeights, offsets: Any, out: Any, **operands: Any
    ) -> None:
        from dataclasses import replace

        from mxfp4.torch_op import from_numpy, to_numpy

        powers = None if weights.powers is None else weights.powers.numpy()
        host = replace(weights, data=weights.data.numpy(), powers=powers)
        if operands:  # codes, of which each row has one of 448: rounded again, they are the same
            x = x.bfloat16()
        others = {name: value.numpy() for name, value in operands.items()}
        run = simulate(self.artifact, to_numpy(x), host, offsets.numpy(), races=False, **others)
        assert run.ok, run.report(costs=False)
        out.copy_(from_numpy(run.y) + int(self.broken))

    def check(self) -> None:
        pass


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


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], None]:
    """Everything of a GPU that the benchmark asks for, but the launches of our kernels."""
    pytest.importorskip("torch")
    import torch
    from mxfp4.bench import gpu

    def capture(launches: Sequence[Callable[[], Any]]) -> Sequence[Callable[[], Any]]:
        return launches

    def times(graphs: dict[str, Any], window_ms: float = 0) -> dict[str, dict[str, float]]:
        return {name: {"median": 10.0 + i, "low": 9.0, "high": 99.0, "replays": 3}
                for i, name in enumerate(graphs)}  # fmt: skip

    class Reads:
        def best(self, size: float) -> tuple[None, int, float, str]:
            return None, 1, 1.0, "nothing"

        def measure(self, size: float) -> float:
            return 1400.0

    facts = SimpleNamespace(name="a fake GPU", multi_processor_count=2, L2_cache_size=50 * 2**20)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: facts)
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)
    monkeypatch.setattr(gpu, "capture", capture)
    monkeypatch.setattr(gpu, "time_graphs", times)
    monkeypatch.setattr(gpu, "ReadBandwidth", Reads)
    monkeypatch.setattr(gpu, "MOST_LAUNCHES", 2)
    monkeypatch.setattr("mxfp4.bench.cases.MOST_LAUNCHES", 2)

    def kernels(broken: bool) -> None:
        load = SimpleNamespace(load=lambda found: Interpreted(found, broken))
        monkeypatch.setattr(gpu, "Kernel", load)

    return kernels


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


def test_weights_of_a_graph_are_counted_once() -> None:
    (case,) = chosen("--experts", "4", "--n", "64", "--k", "64", "--counts", "5,0,3,8")
    each = 64 * 64 * 4.25 / 8
    assert case.rotated(1) == 4 * each, "three experts a launch, moved on: all four of one copy"
    assert case.rotated(16) == 3 * 16 * each
    assert np.isclose(case.traffic(), 3 * each + 2 * 16 * 128)
