# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A benchmark without a GPU: kernels are launched on the PTX interpreter, and clocks are made up.

All else, the data, the check of every result, files and plots, is what a GPU gets.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from mxfp4 import Artifact, PackedWeights, simulate


class Interpreted:
    """A kernel whose launches go to the PTX interpreter; ``broken`` stores something else."""

    def __init__(self, found: Artifact, broken: bool) -> None:
        self.artifact, self.manifest, self.broken = found, found.manifest, broken

    def __call__(
        self, x: Any, weights: PackedWeights, offsets: Any, out: Any, **operands: Any
    ) -> None:
        """Launch it."""
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
        """Nothing fails behind a launch."""


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
