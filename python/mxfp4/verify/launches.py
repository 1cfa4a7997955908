# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Check the launcher on a GPU, and measure the host's time for launches.

Where the compiler is:  python -m mxfp4.verify.launches --compile ARTIFACTS
Where the GPU is:       python -m mxfp4.verify.launches ARTIFACTS
Without a GPU:          python -m mxfp4.verify.launches ARTIFACTS --stub libcuda.so.1

Results of single launches, chains of four, graphs of chains and threads with a stream each must be
right bit for bit; then the host's time for a launch and for a chain of four is printed, in
microseconds: the median of 30 times 20 calls. The exit status is 0 if all results are right.

With --stub, a library with the driver's functions that do nothing (test/python/stub_cuda.c), only
the time is measured: that of the launcher without the driver.
"""

from __future__ import annotations

import os
import struct
import threading
from pathlib import Path
from typing import Any, cast

import torch

from .. import _call_checks, kernels, runtime, torch_op
from .._command import Parser, told
from .._runtime_library import NativeDriver
from ..chain import Chain
from ..problem import Problem
from ..runtime import Kernel
from ..wanted import Shelf, Wanted, compile_all
from .cases import Case
from .gpu import DEVICE, Data, check_case, check_errors, check_graph, check_repeats, median_us

PROBLEM = Problem(8, 512, 512)
"""N is K, so that the result of one matmul can be the activations of the next."""

ROWS = (8, 64, 1024)
"""Of which each has a schedule of its own."""


def wanted() -> list[Wanted]:
    """The kernels that are needed."""
    return [Wanted(PROBLEM, "register", rows) for rows in ROWS]


class Steps:
    """A chain of four matmuls, each on what the one before it has stored."""

    def __init__(self, kernel: Kernel, data: Data, case: Case) -> None:
        self.kernel, self.data, self.rows = kernel, data, case.rows
        self.offsets = data.device_ints(case.offsets())
        # Small numbers, so that four matmuls stay finite; bits are compared, not values.
        self.inputs = data.activations(case.rows).x * 2.0**-6
        new = torch.zeros_like
        self.outputs = [new(self.inputs) for _ in range(4)]
        self.chain = Chain([kernel] * 4)
        self.values = [0] * self.chain.size
        for i in range(4):
            for name, tensor in self.tensors(i).items():
                self.values[self.chain.place(i, name)] = tensor.data_ptr()

    def tensors(self, i: int) -> dict[str, torch.Tensor]:
        """Of step i, by the names in the manifest."""
        x = self.inputs if i == 0 else self.outputs[i - 1]
        weights = self.data.packed.data
        return {"x": x, "weights": weights, "offsets": self.offsets, "y": self.outputs[i]}

    def launch(self, stream: int | None = None) -> None:
        """All four, as a chain."""
        self.chain.launch([self.rows] * 4, self.values, _stream() if stream is None else stream)

    def one_by_one(self) -> list[torch.Tensor]:
        """What the four give when each waits for the one before; clears the outputs."""
        found = []
        for i in range(4):
            t = self.tensors(i)
            self.kernel(t["x"], self.data.packed, t["offsets"], out=t["y"])
            torch.cuda.synchronize()
            found.append(t["y"].clone())
        self.clear()
        return found

    def clear(self) -> None:
        """Forget all results."""
        for y in self.outputs:
            y.zero_()

    def wrong(self, expected: list[torch.Tensor]) -> int:
        """Elements with other bits than expected, once the device is done; clears the outputs."""
        torch.cuda.synchronize()
        bits = torch.int16
        pairs = zip(self.outputs, expected, strict=True)
        found = sum(int((y.view(bits) != e.view(bits)).sum()) for y, e in pairs)
        self.clear()
        return found


def _stream() -> int:
    return int(torch.cuda.current_stream().cuda_stream) if torch.cuda.is_available() else 0


def check_chain(steps: Steps) -> list[str]:
    """A chain gives what its kernels give one by one: plain, in a graph, on several streams."""
    expected = steps.one_by_one()
    found = []

    def note(what: str) -> None:
        if wrong := steps.wrong(expected):
            found.append(f"{what}: {wrong} elements differ")

    for _ in range(20):
        steps.launch()
    note("a chain")
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        steps.launch()
    note("a chain on another stream")
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, stream=stream):
        steps.launch()
        steps.launch()
    steps.clear()
    for _ in range(10):
        graph.replay()
    note("a graph of two chains")
    return found


def check_threads(kernel: Kernel, case: Case, data: Data) -> list[str]:
    """Threads with a stream each, on one kernel, get their own results."""
    steps = [Steps(kernel, data, case) for _ in range(4)]
    expected = [s.one_by_one() for s in steps]
    failures: list[str] = []

    def work(number: int) -> None:
        try:
            stream = torch.cuda.Stream()
            for _ in range(200):
                steps[number].launch(int(stream.cuda_stream))
            stream.synchronize()
        except Exception as e:  # of a thread: told below
            failures.append(str(e))

    threads = [threading.Thread(target=work, args=(i,)) for i in range(len(steps))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for i, (s, e) in enumerate(zip(steps, expected, strict=True)):
        if wrong := s.wrong(e):
            failures.append(f"thread {i}: {wrong} elements differ")
    return failures


def host_times(kernel: Kernel, steps: Steps, operator: bool) -> dict[str, float]:
    """Microseconds of the host, by what is called."""
    t, packed = steps.tensors(0), steps.data.packed
    x, offsets, y = t["x"], t["offsets"], t["y"]
    stream = None if torch.cuda.is_available() else 0
    handle, library, rows = kernel.handle(0), kernel.driver.library, steps.rows
    values = [steps.values[i] for i in range(len(kernel.manifest.arguments))]
    bytes_, on = struct.pack(f"={len(values)}Q", *values), _stream()
    chain = steps.chain
    scratch = torch.zeros(1, device=y.device)
    found = {
        "torch's add_": lambda: scratch.add_(scratch),
        "library, a launch": lambda: library.mxfp4rt_launch(handle, rows, bytes_, on),
        "Kernel(..., out=y)": lambda: kernel(x, packed, offsets, out=y, stream=stream),
        "Kernel(...)": lambda: kernel(x, packed, offsets, stream=stream),
        "Chain of four": lambda: chain.launch([rows] * 4, steps.values, on),
    }
    if operator:
        found["torch.ops.mxfp4.grouped_matmul"] = lambda: torch_op.grouped_matmul(
            x, packed, offsets
        )
    else:  # there is no dispatch to a GPU
        order, scales = packed.layout.order, packed.layout.scales
        what: dict[str, Any] = {"n": packed.n, "order": order, "scales": scales}
        found["the operator, dispatched"] = lambda: torch_op._cuda(x, packed.data, offsets, **what)
    return {name: median_us(call) for name, call in found.items()}


def _pretend(driver: NativeDriver) -> None:
    """Let tensors of the CPU pass for tensors of a device: the stub reads none."""
    real, replaced = _call_checks.describe, cast(Any, runtime)
    replaced.load_driver = lambda: driver
    replaced._current_stream = lambda device: 0

    class Elsewhere:
        """A tensor, on the first GPU."""

        def __init__(self, tensor: torch.Tensor) -> None:
            self._tensor, self.device = tensor, torch.device("cuda", 0)

        def __getattr__(self, name: str) -> Any:
            return getattr(self._tensor, name)

    _call_checks.describe = lambda tensor, name: real(Elsewhere(tensor), name)


@told("python -m mxfp4.verify.launches")
def main(arguments: list[str] | None = None) -> int:
    """Command line."""
    parser = Parser(prog="python -m mxfp4.verify.launches", description=__doc__)
    parser.add_argument("artifacts", type=Path, help="folder of artifact folders")
    parser.add_argument("--compile", action="store_true", help="compile the kernels into it")
    parser.add_argument("--stub", metavar="LIBRARY", help="a driver that does nothing")
    o = parser.parse_args(arguments)
    if o.compile:
        options = "" if o.stub else "assemble=true"
        print(f"compiled {compile_all(wanted(), o.artifacts, options)} kernels")
        return 0
    if o.stub is None and DEVICE != "cuda":
        parser.exit(1, "error: there is no GPU here; see --stub.\n")
    driver = None
    if o.stub:
        os.environ["MXFP4_STUB_QUIET"] = "1"
        driver = NativeDriver(o.stub)
        _pretend(driver)
    kernels.add(o.artifacts)  # for the operator
    shelf, data, bad = Shelf(o.artifacts), Data(PROBLEM, "exact"), 0
    for w in wanted():
        kernel = Kernel.load(shelf.find(w), driver=driver)
        case = Case(PROBLEM, w.rows, "random")
        steps = Steps(kernel, data, case)
        problems: list[str] = []
        if not o.stub:
            problems = [*check_case(kernel, case, data)[0], *check_repeats(kernel, case, data),
                        *check_graph(kernel, case, data), *check_errors(kernel, case, data),
                        *check_chain(steps), *check_threads(kernel, case, data)]  # fmt: skip
        times = host_times(kernel, steps, operator=not o.stub)
        print(f"{w.rows} rows: {'right' if not problems else 'WRONG'}" if not o.stub else
              f"{w.rows} rows")  # fmt: skip
        for text in problems:
            print(f"  {text}")
        for name, value in times.items():
            print(f"  {value:8.2f} us  {name}")
        bad += len(problems)
    return 1 if bad else 0


if __name__ == "__main__":
    raise SystemExit(main())
