# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Running a compiled kernel on the CPU, and seeing what only a GPU would: see `simulate`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._sim_driver import Launched, SimDriver
from ._typed import as_array, check_numbers, integers, shaped, typed
from .artifact import Artifact
from .errors import Error
from .formats import bfloat16
from .fp8 import float8_e4m3, quantize_rows
from .runtime import _MEANING, Kernel
from .weights import AS_STORED, PackedWeights

_OUTPUTS: dict[str, Any] = {"bf16": bfloat16, "f32": np.float32, "e4m3": float8_e4m3}


@dataclass(frozen=True, repr=False)
class Simulation:
    """What a simulated launch gave.

    Attributes:
        y: ``[R, N]`` of the kernel's output type; 0xFF bytes where nothing was stored.
        stored: bool ``[R, N]``, which elements the kernel stored.
        error: the error word, see `runtime`.
        findings: hazards, each with "severity", "check", "message", "line" and "instruction" of
            the PTX, "count", and where there is one "block", "thread", "address".
        statistics: counters of the launch: instructions by opcode and pipe, bytes moved, ...
        launched: the launch itself, with the texts for people.
    """

    y: NDArray[Any]
    stored: NDArray[np.bool_]
    error: int
    launched: Launched | None

    def __repr__(self) -> str:
        """The outcome on one line; `report` has the rest."""
        what = f"{len(self.findings)} hazards" if self.findings else "no hazards"
        return (
            f"Simulation(y {self.y.dtype} {list(self.y.shape)}, {int(self.stored.sum())} of "
            f"{self.stored.size} stored, error word {self.error}, {what})"
        )

    @property
    def findings(self) -> list[dict[str, Any]]:
        """Hazards; none if nothing was launched."""
        return self.launched.findings if self.launched else []

    @property
    def statistics(self) -> Mapping[str, Any]:
        """Counters; empty if nothing was launched."""
        return self.launched.statistics if self.launched else {}

    @property
    def ok(self) -> bool:
        """No hazard, every element stored, no error reported by the kernel."""
        return not self.findings and self.error == 0 and bool(self.stored.all())

    def report(self, costs: bool = True) -> str:
        """Launch, hazards, what was stored, and (unless told not to) what it cost."""
        run = self.launched
        if run is None:
            return "nothing was launched: there are no rows\n"
        threads, blocks = run.block[0], run.grid[0]
        lines = [
            f"{run.kernel}: {blocks} blocks of {threads} threads, {run.shared} bytes of dynamic "
            "shared memory a block",
            f"{len(run.findings)} hazards found" if run.findings else "no hazards found",
        ]
        if run.text:
            lines.append(run.text.rstrip())
        missing = int(np.count_nonzero(~self.stored))
        lines.append(f"{self.y.size - missing} of {self.y.size} results were stored")
        lines += [f"error word: {text}" for bit, text in _MEANING.items() if self.error & bit]
        return "\n".join(lines) + "\n" + (run.costs if costs else "")


@typed
def simulate(
    artifact: Artifact | str | os.PathLike[str],
    x: ArrayLike,
    weights: PackedWeights,
    offsets: ArrayLike,
    expert_ids: ArrayLike | None = None,
    *,
    multiprocessors: int = 2,
    launches: int = 1,
    seed: int = 1,
    threads: int = 1,
    races: bool = True,
    max_instructions: int | None = None,
    out_rows: int | None = None,
    **operands: Any,
) -> Simulation:
    """Run a kernel's PTX in the interpreter, launched as its manifest says.

    The launcher is the one for GPUs, on a simulated driver with ``multiprocessors`` SMs of an H100.
    Buffers have nothing mapped around them, the output and shared memory begin without values,
    and inputs may not be written: whatever the kernel does against that is a finding, as are data
    races, missing waits and fences, misused barriers and deadlocks.

    Args:
        artifact: an `Artifact`, or the folder of one.
        x: bf16 ``[R, K]``, rows sorted by group. For a kernel with activations in FP8 they are
            rounded here (`fp8.quantize_rows`), and their scales and the powers of the weights' rows
            are passed on.
        weights: packed in the kernel's layout, on the host.
        offsets: i32 ``[G+1]``; they may be wrong, which the kernel should notice.
        expert_ids: i32 ``[G]``, if and only if the kernel takes ids.
        multiprocessors: SMs of the simulated GPU, which set the size of a persistent grid.
        launches: how often the kernel runs, on the same workspace; all launches must store
            the same bits. The last is what is returned, or the first with a finding.
        seed: of scheduling and of the delays of copies.
        threads: host threads; with more than one the schedule depends on the host.
        races: also look for data races.
        max_instructions: warp instructions after which a launch is given up as endless; None: 2^32,
            or 2^24 in a row in which no thread stores, copies, exits or arrives at a barrier.
        out_rows: of the output, for a kernel that scatters them; R if None.
        operands: whatever else the kernel takes, by the names in its manifest.

    Raises:
        Error: if the interpreter is not found, or the arguments do not fit the kernel.
    """
    check_numbers(
        multiprocessors=(multiprocessors, 1, 1024),
        launches=(launches, 1, 2**31),
        out_rows=(out_rows or 0, 0, 2**31 - 1),
        seed=(seed, 0, 2**64 - 1),
        threads=(threads, 1, 256),
        max_instructions=(1 if max_instructions is None else max_instructions, 1, 2**64 - 1),
    )
    if not isinstance(artifact, Artifact):
        artifact = Artifact.load(artifact)
    options = {"seed": seed, "host_threads": threads, "check_races": int(races)}
    options["launch_registers"] = int(artifact.manifest.resources.get("registers", 0))
    if max_instructions is not None:
        options["max_instructions"] = max_instructions
    driver = SimDriver(multiprocessors, **options)
    kernel = Kernel.load(artifact, driver=driver)
    if not isinstance(weights, PackedWeights) or not isinstance(weights.data, np.ndarray):
        raise Error("weights must be PackedWeights with their data on the host; see pack().")

    if "gather" in operands:
        operands["gather"] = integers("gather", operands["gather"], "R")
    x, operands = _activations(artifact, shaped("x", x, "R", "K"), weights, operands)

    def put(array: Any, name: str) -> Any:
        return driver.allocate(as_array(name, array), name, writable=False)

    on_device = replace(weights, data=put(weights.data, "weights"), rows=AS_STORED)
    x_put, offsets_put = put(x, "x"), put(offsets, "offsets")
    if expert_ids is not None:
        operands["expert_ids"] = expert_ids
    others = {name: put(value, name) for name, value in operands.items()}
    dtype = np.dtype(_OUTPUTS[artifact.manifest.output])
    rows = len(operands["gather"]) if "gather" in operands else len(x)
    if "through" in artifact.manifest.operands:
        # Memory for rows, which no caller reads.
        through = np.zeros((rows, artifact.manifest.k), x.dtype)
        others["through"] = driver.allocate(through, "through", known=False)
        others["through_maps"] = others["through"]
    columns = next(a.shape[-1] for a in artifact.manifest.arguments if a.name == "y")
    shape = (rows if out_rows is None else out_rows, int(columns))

    def launch() -> Simulation:
        poison = np.full(dtype.itemsize * shape[0] * shape[1], 0xFF, np.uint8).view(dtype)
        y = driver.allocate(poison.reshape(shape), "y", known=False)
        kernel(x_put, on_device, offsets_put, y, stream=0, **others)
        last = driver.launches.pop() if driver.launches else None
        result = Simulation(y.numpy(), y.known(), kernel.error_word(), last)
        driver.cuMemFree(y.memory.address)
        return result

    first = result = launch()
    for number in range(2, launches + 1):
        if result.findings:
            break
        result = launch()
        if result.y.tobytes() != first.y.tobytes() and not result.findings:
            raise Error(f"launch {number} stored other bits than the first.")
    return result


def _activations(
    artifact: Artifact, x: NDArray[Any], weights: PackedWeights, operands: dict[str, Any]
) -> tuple[NDArray[Any], dict[str, Any]]:
    """What the kernel takes: in FP8 rounded rows, with scales and powers among the operands."""
    if artifact.manifest.activation != "e4m3":
        return x, operands
    rows = quantize_rows(x)
    scales = rows.scales
    if "gather" in operands:  # scales are those of the output's rows
        scales = scales[np.clip(operands["gather"], 0, len(scales) - 1)]
    return rows.codes, {"epilogue0": weights.powers, "epilogue1": scales, **operands}
