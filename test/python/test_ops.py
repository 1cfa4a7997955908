# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The user's call on numpy arrays, the library's search, and the demo."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from fakes import Tensor, artifact, packed
from helpers import exact_activations, random_weights, split
from mxfp4 import (
    Error,
    PackedWeights,
    Problem,
    demo,
    grouped_matmul,
    kernels,
    library,
    ops,
    pack,
    prepare,
    runtime,
    unpack,
)
from mxfp4._runtime_library import NativeDriver
from mxfp4._sim_cuda import driver_file
from mxfp4.formats import bfloat16
from mxfp4.make_checkpoint import Shape, make_checkpoint
from mxfp4.reference import Bounded, mismatches
from mxfp4.reference import grouped_matmul as reference_matmul


@pytest.fixture
def no_library(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MXFP4_LIBRARY", str(tmp_path / "none.so"))


@pytest.mark.parametrize("ids", [None, [1, -1, 0, 1]])
@pytest.mark.parametrize("dtype", [bfloat16, np.float32])
@pytest.mark.usefixtures("no_library")
def test_numpy_path(rng: np.random.Generator, ids: list[int] | None, dtype: object) -> None:
    weights = random_weights(rng, 2, 37, 96, 124, 128)
    x = exact_activations(rng, 11, 96)
    offsets = split(rng, 11, 2 if ids is None else len(ids))
    expert_ids = None if ids is None else np.array(ids, np.int32)
    packed = pack(*weights)
    want = reference_matmul(x, weights, offsets, expert_ids, dtype)
    assert mismatches(grouped_matmul(x, packed, offsets, expert_ids, dtype), want) == 0
    out = np.full((11, 37), 5, dtype)
    assert grouped_matmul(x, packed, offsets, expert_ids, out=out) is out
    assert out.dtype == want.dtype
    assert mismatches(out, want) == 0
    assert "numpy reference" in ops.cpu_path()


@pytest.mark.parametrize("path", ["specification", "numpy"])
@pytest.mark.parametrize("dtype", [bfloat16, np.float32])
def test_no_groups_are_no_rows(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch, path: str, dtype: object
) -> None:
    if path == "numpy":
        monkeypatch.setenv("MXFP4_LIBRARY", "/none.so")
    weights, x = pack(*random_weights(rng, 2, 37, 96, 124, 128)), exact_activations(rng, 4, 96)
    offsets, ids = np.zeros(1, np.int32), np.zeros(0, np.int32)
    y = grouped_matmul(x[:0], weights, offsets, ids, dtype)
    assert (y.shape, y.dtype) == ((0, 37), dtype)
    out = np.zeros((0, 37), dtype)
    assert grouped_matmul(x[:0], weights, offsets, ids, out=out) is out
    # No rows, but groups: by expert, and by ids.
    assert grouped_matmul(x[:0], weights, np.zeros(3, np.int32)).shape == (0, 37)
    assert grouped_matmul(x[:0], weights, np.zeros(2, np.int32), np.zeros(1, np.int32)).size == 0
    for rows, starts, groups, told in [
        (x, offsets, ids, "offsets must end at the number of rows, 4, got 0"),
        (x[:0], np.zeros(2, np.int32), ids, "offsets must have 1 entries for 0 expert ids, got 2"),
        (x[:0], np.zeros(0, np.int32), ids, "offsets must have 1 entries for 0 expert ids, got 0"),
        (x[:0], offsets, None, "offsets must have 3 entries for 2 experts, got 1"),
        (x[:0], offsets + 1, ids, "offsets must start at 0, got 1"),
        (x[:0, :64], offsets, ids, "x"),
        (x[:0].astype(np.float32), offsets, ids, "x must be bfloat16"),
    ]:
        with pytest.raises(Error, match=told):
            grouped_matmul(rows, weights, starts, groups)


def test_there_is_no_kernel_for_no_groups(rng: np.random.Generator) -> None:
    weights = pack(*random_weights(rng, 2, 37, 96, 124, 128))
    assert prepare(weights, groups=0) == []
    problem = Problem(2, 37, 96, 0, expert_ids=True)
    for ask in (problem.spec, lambda: kernels.kernel_for(problem, 1)):
        with pytest.raises(Error, match=r"there is no kernel for no groups\. Without groups there"):
            ask()
    with pytest.raises(Error, match="groups must be at least 1 in"):
        Problem.parse("experts=2 n=37 k=96 groups=0 expert-ids=1")


def test_no_groups_on_a_device_launch_nothing() -> None:
    x, out = Tensor((0, 96), "<V2"), Tensor((0, 70), "<V2")
    offsets, ids = Tensor((1,), "<i4"), Tensor((0,), "<i4")
    assert grouped_matmul(x, packed(), offsets, ids, out=out, out_dtype="bf16") is out
    with pytest.raises(Error, match="pass out="):
        grouped_matmul(x, packed(), offsets, ids)
    for rows, starts, told in [
        (
            Tensor((5, 96), "<V2"),
            offsets,
            r"without groups x must have shape \[0, 96\], got \[5",
        ),
        (x, Tensor((2,), "<i4"), r"without groups offsets must have shape \[1\], got \[2\]"),
    ]:
        with pytest.raises(Error, match=told):
            grouped_matmul(rows, packed(), starts, ids, out=out, out_dtype="bf16")


def test_what_is_no_array_is_a_sentence(rng: np.random.Generator) -> None:
    weights, x = pack(*random_weights(rng, 2, 37, 96, 124, 128)), exact_activations(rng, 4, 96)
    offsets, ids = np.array([0, 1, 4], np.int32), np.array([1, 0], np.int32)
    for given, told in [
        ((x.tolist(), weights, offsets), "x must be an array or a tensor, got list; use numpy"),
        ((x, weights, [0, 1, 4]), "offsets must be an array or a tensor, got list"),
        ((x, weights, offsets, [1, 0]), "expert_ids must be an array or a tensor, got list"),
        ((x, weights, offsets, ids[None]), "expert_ids must be a one-dimensional int32 array"),
        ((x, weights, offsets, ids[0]), "expert_ids must be a one-dimensional int32 array"),
        ((x, weights, offsets[None]), "offsets must be a one-dimensional int32 array"),
        ((x, weights, Tensor((3,), "<i4")), "x is a numpy array, but offsets is on a Tensor"),
        ((x, weights, offsets, Tensor((2,), "<i4")), "but expert_ids is on a Tensor"),
    ]:
        with pytest.raises(Error, match=told):
            grouped_matmul(*given)


@pytest.mark.parametrize("layout", ["auto", "fp8"])
@pytest.mark.parametrize("name", ["x", "offsets", "expert_ids", "out", "accumulation"])
def test_odd_arguments_are_sentences(rng: np.random.Generator, layout: str, name: str) -> None:
    """In both types of activations, and before anything is computed."""
    weights = pack(*random_weights(rng, 2, 37, 96, 124, 128), layout)
    right = {"x": exact_activations(rng, 4, 96), "offsets": np.array([0, 1, 4], np.int32)}
    fixed = np.zeros((4, 37), bfloat16)
    fixed.flags.writeable = False
    x = right["x"]
    odd = {
        "x": [(None, "x must be an array or a tensor, got NoneType"),
              (x[0], r"x must be bf\w*16 \[R, (96|K)\]"), (x[None], r"x must be bf\w*16 \[R, ")],
        "offsets": [(None, "offsets must be an array or a tensor, got NoneType")],
        "expert_ids": [([1, 0], "expert_ids must be an array or a tensor, got list")],
        "out": [(fixed, "out is read-only"), (np.zeros((2, 4, 37), bfloat16), "out must be bfl")],
        "accumulation": [("slow", "accumulation (is a choice for FP8|must be one of)")],
    }  # fmt: skip
    for value, told in odd[name]:
        with pytest.raises(Error, match=told):
            grouped_matmul(**{**right, name: value}, weights=weights)  # type: ignore[arg-type]


@pytest.mark.parametrize("layout", ["auto", "fp8"])
def test_outputs_of_torch_are_not_broadcast(rng: np.random.Generator, layout: str) -> None:
    torch = pytest.importorskip("torch")
    weights = pack(*random_weights(rng, 2, 37, 96, 124, 128), layout).to_device("cpu")
    x, offsets = torch.ones(4, 96, dtype=torch.bfloat16), torch.tensor([0, 1, 4]).int()
    for shape in ((2, 4, 37), (4, 1), (5, 37), (37,)):
        with pytest.raises(Error, match=r"out must be torch.bfloat16 \[4, 37\], got"):
            grouped_matmul(x, weights, offsets, out=torch.zeros(shape, dtype=torch.bfloat16))
    with pytest.raises(Error, match="out must be a tensor of torch, as x is, got an array"):
        grouped_matmul(x, weights, offsets, out=np.zeros((4, 37), bfloat16))
    with pytest.raises(Error, match=r"x must be dense, got layout torch\.sparse_coo"):
        grouped_matmul(x.to_sparse(), weights, offsets)
    out = torch.zeros(37, 4, dtype=torch.bfloat16).t()
    assert grouped_matmul(x, weights, offsets, out=out) is out
    assert torch.equal(out, grouped_matmul(x, weights, offsets))


def test_problems_of_other_things_than_problems(rng: np.random.Generator) -> None:
    with pytest.raises(Error, match="layout must be a Layout, got 'spread'"):
        Problem(1, 1, 32, layout="spread")  # type: ignore[arg-type]
    with pytest.raises(Error, match="accumulation='fast' is a choice for activations in FP8"):
        Problem(1, 1, 32, accumulation="fast")
    with pytest.raises(Error, match="blocks must be an array with a first dimension of experts"):
        pack(None, np.zeros((1, 1, 1), np.uint8))
    with pytest.raises(Error, match="weights must be PackedWeights, got Quantized"):
        unpack(random_weights(rng, 2, 37, 96, 124, 128))  # type: ignore[arg-type]


def test_weights_of_a_device_do_not_go_with_numpy_rows(rng: np.random.Generator) -> None:
    with pytest.raises(Error, match="x is a numpy array, but the weights are on a Tensor"):
        grouped_matmul(exact_activations(rng, 4, 96), packed(), np.array([0, 1, 2, 4], np.int32))


@pytest.mark.usefixtures("no_library")
def test_misuse(rng: np.random.Generator) -> None:
    weights = random_weights(rng, 2, 37, 96, 124, 128)
    x, offsets = exact_activations(rng, 4, 96), np.array([0, 1, 4], np.int32)
    with pytest.raises(Error, match="weights must be PackedWeights, got Quantized"):
        grouped_matmul(x, weights, offsets)
    packed = pack(*weights)
    with pytest.raises(Error, match="output dtype must be bfloat16 or float32"):
        grouped_matmul(x, packed, offsets, out_dtype=np.float16)
    with pytest.raises(Error, match=r"out must be bfloat16 \[4, 37\]"):
        grouped_matmul(x, packed, offsets, out=np.zeros((3, 37), bfloat16))
    with pytest.raises(Error, match="offsets must end at the number of rows"):
        grouped_matmul(x, packed, np.array([0, 1, 3], np.int32))


def test_the_library_is_looked_for_where_it_is_said_to_be(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    missing = tmp_path / "x.so"
    monkeypatch.setenv("MXFP4_LIBRARY", str(missing))
    assert library.candidates() == [missing]
    with pytest.raises(Error, match=r"was not found; looked for .*x\.so.*unset it"):
        library.load()
    missing.write_bytes(b"no library")
    with pytest.raises(Error, match=r"x\.so could not be loaded"):
        library.load()
    monkeypatch.delenv("MXFP4_LIBRARY")
    assert library.candidates()[-1].parts[-3:] == ("build", "lib", "libmxfp4.so")


WAYS = {
    # What is found: compiler, interpreter, kernels ahead of time, GPU.
    (1, 1, 0, 0): "interpreter",
    (0, 1, 1, 0): "interpreter",
    (1, 0, 0, 0): "specification",
    (1, 0, 1, 0): "specification",
    (0, 0, 0, 1): "GPU",
    (0, 0, 0, 0): "libmxfp4.so and libmxfp4-sim.so were not found",
    (0, 1, 0, 0): "libmxfp4.so was not found",
    (0, 0, 1, 0): "libmxfp4-sim.so was not found",
}


@pytest.mark.parametrize("there", WAYS)
def test_what_runs_is_a_kernel_or_is_said(
    there: tuple[int, ...], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    compiler, interpreter, ahead, gpu = there
    for variable, found in (("MXFP4_LIBRARY", compiler), ("MXFP4_SIM_LIBRARY", interpreter)):
        file = tmp_path / variable
        file.touch()
        monkeypatch.setenv(variable, str(file if found else tmp_path / "none"))
    artifact().save(tmp_path / "kernels" / "one")
    monkeypatch.setenv("MXFP4_KERNELS", str(tmp_path / "kernels") if ahead else "")
    monkeypatch.setattr(kernels, "_shelf", None)
    if "not found" not in WAYS[there]:
        assert demo.way(bool(gpu)) == WAYS[there]
        return
    said = f"no kernel can run here, .*{WAYS[there]}.*names .*none, which is no file"
    with pytest.raises(Error, match=said):
        demo.way(bool(gpu))


def test_demo(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_checkpoint(tmp_path, Shape(1, 3, 64, 96))
    assert demo.main([str(tmp_path), "--cpu", "--rows", "9"]) == 0
    text = capsys.readouterr().out
    assert text.count("result         right") == 2
    assert "gate_up_proj: 3 experts, N = 192, K = 64" in text
    assert re.search(r"schedule +mma_sync, tiles of \d+ x \d+, \d+ stages", text)
    assert re.search(r"\n +because +(few|up to|a few|many)", text)
    assert 'mxfp4 explain "experts=3 n=64 k=96" --rows-hint 9 -o report.html' in text


@pytest.mark.parametrize("accumulation", ["promoted128", "fast"])
def test_demo_in_fp8(
    accumulation: str, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    if library.find() is None or library.find_interpreter() is None:
        pytest.skip("the compiler or the interpreter is not built")
    make_checkpoint(tmp_path, Shape(1, 3, 64, 256))
    assert demo.run(tmp_path, None, 9, True, activations="fp8", accumulation=accumulation)
    text = capsys.readouterr().out
    assert text.count("result         right") == 2
    shares = re.findall(r", (\d\.\d+) of the bound allowed there", text)
    assert all(0 < float(share) < 1 for share in shares), "rounding alone has half an ulp"
    assert f"FP8            sums {accumulation}; rounding rows to FP8 changes results by " in text
    changes = [float(p) for p in re.findall(r"changes results by ([\d.]+) %", text)]
    assert len(changes) == 2
    assert all(1 < change < 4 for change in changes)
    assert f"activations=fp8 accumulation={accumulation}" in text
    monkeypatch.setattr(library, "find_interpreter", lambda: None)
    with pytest.raises(Error, match=r"no kernel can run here, .* and libmxfp4-sim\.so was not"):
        demo.way(False, "fp8")


class Event:
    """Of a stream that does nothing."""

    def __init__(self, enable_timing: bool) -> None:
        assert enable_timing

    def record(self) -> None: ...
    def synchronize(self) -> None: ...
    def elapsed_time(self, end: Event) -> float:
        return 1.0


@pytest.mark.parametrize("rows", [0, 9])
def test_demo_in_fp8_as_on_a_gpu(
    rows: int, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Torch's operators run, and no kernel that was never made ready is asked what it met."""
    torch = pytest.importorskip("torch")
    if library.find() is None or library.find_interpreter() is None:
        pytest.skip("the compiler or the interpreter is not built")
    driver = NativeDriver(str(driver_file()))
    monkeypatch.setattr(runtime, "load_driver", lambda: driver)
    monkeypatch.setattr(demo, "has_gpu", lambda: True)
    monkeypatch.setattr(torch.Tensor, "cuda", lambda tensor: tensor)
    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "a device")
    move = PackedWeights.to_device
    monkeypatch.setattr(PackedWeights, "to_device", lambda weights: move(weights, "cpu"))
    make_checkpoint(tmp_path, Shape(1, 3, 64, 256))
    assert demo.run(tmp_path, None, rows, False, activations="fp8")
    text = capsys.readouterr().out
    assert text.count("result         right") == 2
    assert "us on a device, median of 20" in text


def test_demo_says_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as e:
        demo.main([str(tmp_path)])
    assert e.value.code == 1
    assert "is no checkpoint" in capsys.readouterr().err


def test_demo_fails_on_a_wrong_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make_checkpoint(tmp_path, Shape(1, 2, 32, 32))

    def broken(
        weights: object, x: np.ndarray, offsets: np.ndarray, sums: str
    ) -> tuple[np.ndarray, str]:
        y, text = demo_run(weights, x, offsets, sums)
        y[0, 0] += 1
        return y, text

    how = demo.way(False)
    demo_run = demo._RUN[how]
    monkeypatch.setitem(demo._RUN, how, broken)
    assert demo.main([str(tmp_path), "--cpu"]) == 1
    assert "result         WRONG" in capsys.readouterr().out
    if how == "interpreter":
        assert not demo.run(tmp_path, None, 9, True, activations="fp8")
        assert "result         WRONG" in capsys.readouterr().out


def test_check_compares_what_is_not_finite() -> None:
    value = np.array([[1.0, np.nan, np.inf]])
    exact = Bounded(value, np.array([[0.01, np.nan, np.nan]]))
    rounded = value.astype(bfloat16)
    assert demo.check(rounded, exact, rounded)[1]
    other = rounded.copy()
    other[0, 2] = 0
    line, right = demo.check(other, exact, rounded)
    assert not right
    assert "1 of 2 non-finite results differ" in line
    other = rounded.copy()
    other[0, 0] = np.nan
    assert not demo.check(other, exact, rounded)[1]
