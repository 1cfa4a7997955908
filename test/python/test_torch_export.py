# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Modules of torch that name the grouped matmul, through torch.export to a kernel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: pip install torch")

import mxfp4  # noqa: E402
from frontends import opt  # noqa: E402
from kernels import needs_both  # noqa: E402
from mxfp4 import Error, formats, reference  # noqa: E402
from mxfp4.integrations import torch_export as entry  # noqa: E402

E, N, K = 4, 96, 64


def operands(rows: int, seed: int = 3, experts: int = E) -> list[Any]:
    """x, codes, scales and offsets, of which all sums are exact in f32."""
    rng = np.random.default_rng(seed)
    x = torch.from_numpy(rng.integers(-4, 5, (rows, K)).astype(np.float32)).bfloat16()
    codes = torch.from_numpy(rng.integers(0, 256, (experts, N, K // 32, 16), np.uint8))
    scales = torch.from_numpy(rng.integers(124, 129, (experts, N, K // 32)).astype(np.uint8))
    cuts = np.sort(rng.integers(0, rows + 1, E - 1))
    return [x, codes, scales, torch.tensor([0, *cuts, rows], dtype=torch.int32)]


class Experts(torch.nn.Module):
    """A matmul that a user wrote around the entry."""

    def __init__(self, codes: Any, scales: Any) -> None:
        super().__init__()
        self.register_buffer("codes", codes)
        self.register_buffer("scales", scales)

    def forward(self, x: Any, offsets: Any) -> Any:
        """Twice."""
        return entry.grouped_matmul(x, self.codes, self.scales, offsets) * 2


def as_numpy(tensor: Any) -> Any:
    """f32, of which all bf16 are."""
    return tensor.float().numpy()


@pytest.mark.parametrize("dtype", ["bfloat16", "float32"])
def test_the_operator_computes_what_is_specified(dtype: str) -> None:
    x, codes, scales, offsets = operands(9, experts=6)
    ids = torch.tensor([5, -1, 0, 5], dtype=torch.int32)
    y = entry.grouped_matmul(x, codes, scales, offsets, ids, getattr(torch, dtype))
    wanted = reference.grouped_matmul(
        as_numpy(x).astype(formats.bfloat16), mxfp4.pack(codes.numpy(), scales.numpy()),
        offsets.numpy(), ids.numpy(), out_dtype=dtype,
    )  # fmt: skip
    assert (as_numpy(y) == np.asarray(wanted).astype(np.float32)).all()


@needs_both
def test_a_module_becomes_a_kernel() -> None:
    """From a module to PTX, and its kernel against what torch computes of the module."""
    x, codes, scales, offsets = operands(20)
    model = Experts(codes, scales)
    (kernel,) = entry.compile_kernels(model, x, offsets, options="rows-hint=20")
    weights = mxfp4.pack(codes.numpy(), scales.numpy(), layout=kernel.manifest.layout)
    run = mxfp4.simulate(kernel, as_numpy(x).astype(formats.bfloat16), weights, offsets.numpy())
    assert run.ok
    assert (np.asarray(run.y).astype(np.float32) * 2 == as_numpy(model(x, offsets))).all()


def test_the_entries_of_a_module_are_raised() -> None:
    """The text that a stack with the passes reads, with a dynamic number of rows."""
    x, codes, scales, offsets = operands(20)
    rows = torch.export.Dim("rows", min=2, max=4096)
    program = torch.export.export(
        Experts(codes, scales), (x, offsets), dynamic_shapes={"x": {0: rows}, "offsets": None}
    )
    text = entry.entries(program)
    assert "tensor<?x64xbf16>" in text
    lowered, said = opt(
        text, "mxfp4-raise,mxfp4-pack-weights{outline},mxfp4-bufferize,mxfp4-to-ptx"
    )
    assert lowered.count(".entry") == 1, said


def test_packed_weights_have_their_problem() -> None:
    """Of the operator on packed weights, as GroupedLinear calls it."""
    x, codes, scales, offsets = operands(20)
    layer = mxfp4.GroupedLinear(mxfp4.pack(codes.numpy(), scales.numpy()))
    (problem,) = entry.problems(layer, x, offsets)
    assert (problem.experts, problem.n, problem.k) == (E, N, K)
    assert problem.layout == layer.layout


def test_what_does_not_fit_is_refused() -> None:
    x, codes, scales, offsets = operands(5)
    with pytest.raises(Error, match=r"x must be bfloat16 \[R, 64\]"):
        entry.grouped_matmul(x.float(), codes, scales, offsets)
    with pytest.raises(Error, match=r"codes must be uint8 \[E, N, K/32, 16\]"):
        entry.grouped_matmul(x, codes[..., :8], scales, offsets)
    with pytest.raises(Error, match=r"scales must be uint8 \[4, 96, 2\]"):
        entry.grouped_matmul(x, codes, scales[..., :1], offsets)
    with pytest.raises(Error, match=r"offsets must be int32 \[5\]"):
        entry.grouped_matmul(x, codes, scales, offsets[:3])
    with pytest.raises(Error, match="offsets must rise"):
        entry.grouped_matmul(x, codes, scales, offsets + 1)
    with pytest.raises(Error, match="an expert id must be"):
        entry.grouped_matmul(x, codes, scales, offsets, torch.full((4,), 9, dtype=torch.int32))
    with pytest.raises(Error, match="out_dtype must be"):
        entry.grouped_matmul(x, codes, scales, offsets, out_dtype=torch.float16)
    with pytest.raises(Error, match="calls neither"):
        entry.compile_kernels(torch.nn.Linear(4, 4), torch.zeros(2, 4))


PROGRAM = """
import torch
from mxfp4.integrations import torch_export

class Model(torch.nn.Module):
    def forward(self, x, codes, scales, offsets):
        return torch_export.grouped_matmul(x, codes, scales, offsets).relu()

model = Model()
inputs = (
    torch.zeros(8, 64, dtype=torch.bfloat16), torch.zeros(4, 96, 2, 16, dtype=torch.uint8),
    torch.zeros(4, 96, 2, dtype=torch.uint8), torch.arange(0, 10, 2, dtype=torch.int32),
)
"""


@needs_both
def test_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One script, from a user's file to PTX."""
    (tmp_path / "program.py").write_text(PROGRAM)
    assert entry.main([str(tmp_path / "program.py"), "-o", str(tmp_path / "kernels")]) == 0
    assert ".entry" in (tmp_path / "kernels" / "kernel-0" / "kernel.ptx").read_text()
    (tmp_path / "empty.py").write_text("")
    assert entry.main([str(tmp_path / "empty.py"), "-o", str(tmp_path / "kernels")]) == 1
    assert "must define model" in capsys.readouterr().err
