# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Which kernel a call runs.

Any kernel of a problem is right for any number of rows; each was scheduled for a range of them. So
a problem has a handful of kernels, and a call takes the one whose range holds its rows. It comes,
in this order, from

1. those that this process has loaded;
2. artifacts compiled ahead of time: `add`, or the folders that MXFP4_KERNELS names;
3. the compiler, through its cache on disk;
4. where there is no compiler, the artifact of the nearest range.

Schedules are chosen for a device, too. A kernel that was chosen for another GPU than the one that
it runs on is as right, and counts as one for other rows.

Compiling and loading are impossible while a CUDA graph is captured: `prepare` does both before.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from . import devices, layer_plan, library
from ._threads import lock
from ._typed import typed
from .artifact import QUANTIZE, Artifact, write_folders
from .compile import Compiler, compile_artifact, compile_routing_text
from .errors import Error
from .fp8 import quantize_mlir
from .layer_kernels import LayerKernels
from .layer_spec import LayerSpec
from .problem import Problem
from .routing_artifact import RoutingArtifact
from .runtime import Kernel
from .shelf import Shelf
from .weights import PackedWeights

_log = logging.getLogger(__name__)
_lock = lock(threading.Lock())
_loaded: dict[tuple[Problem, int | None], list[Kernel]] = {}
_layers: dict[LayerSpec, LayerKernels] = {}
_shelf: Shelf | None = None


def kernel_for(problem: Problem, rows: int, device: int | None = None) -> Kernel:
    """The kernel that serves a row count, made ready if it is not.

    Args:
        problem: what it computes.
        rows: R.
        device: CUDA ordinal on which it is made ready, or None to do that on the first launch.

    Raises:
        Error: if there is none and none can be compiled, or a CUDA graph is being captured.
    """
    loaded = _loaded.get((problem, device), ())
    for kernel in loaded:
        if kernel.manifest.fits_rows(rows):
            return kernel
    artifact = _found(problem, rows, device)
    for kernel in loaded:
        if kernel.artifact is artifact:
            return kernel
    _refuse_in_capture(problem, rows)
    if artifact is None:
        _need_compiler(problem)
        artifact = _compile(problem, rows, devices.option_for(device))
    kernel = Kernel(artifact) if device is None else Kernel.load(artifact, device)
    with _lock:
        _loaded.setdefault((problem, device), []).append(kernel)
    _log.debug("kernel for %s, rows %s: %s", problem.spec(), rows, artifact.manifest.schedule)
    return kernel


def artifact_for(problem: Problem, rows: int) -> Artifact:
    """What `kernel_for` would load, for whoever launches it elsewhere than on a GPU.

    Raises:
        Error: if there is none and none can be compiled.
    """
    return _found(problem, rows, None) or _compile(problem, rows, "")


def _found(problem: Problem, rows: int, device: int | None) -> Artifact | None:
    """What was compiled ahead of time for these rows; where there is no compiler, for others."""
    artifact = _ahead_of_time(problem, rows, device, exact=True)
    if artifact is None and library.find() is None:
        artifact = _ahead_of_time(problem, rows, device, exact=False)
    return artifact


def _compile(problem: Problem, rows: int, device: str) -> Artifact:
    """`device` is the option that names it."""
    _need_compiler(problem)
    return compile_artifact(problem, f"rows-hint={max(rows, 1)} {device}".strip())


def _need_compiler(problem: Problem) -> None:
    if library.find() is None:
        raise Error(
            f"there is no kernel for {problem.spec()}, and no compiler to make one. Where the "
            f'compiler is, run: mxfp4 compile "{problem.spec()}" -o FOLDER; then name FOLDER in '
            f"MXFP4_KERNELS. To have the compiler here: {library.how_to_have()}"
        )


def capturing() -> bool:
    """Whether torch captures a CUDA graph on the current stream."""
    # While another thread imports torch, a part of it may not be there yet.
    cuda = getattr(sys.modules.get("torch"), "cuda", None)
    # Nothing captures before torch has initialised CUDA.
    if cuda is None or not cuda.is_initialized():
        return False
    return bool(cuda.is_current_stream_capturing())


def _refuse_in_capture(problem: Problem, rows: int) -> None:
    if capturing():
        raise Error(
            f"the kernel for {rows} rows of {problem.spec()} is not loaded, and cannot be while a "
            "CUDA graph is captured. Before the capture, call mxfp4.prepare(weights), or run once "
            "with as many rows."
        )


@typed
def add(folder: str | os.PathLike[str]) -> int:
    """Offer the artifacts in a folder's subfolders (or the one that it is); how many there are.

    Folders that `LayerKernels.save` wrote are taken too, with all of their artifacts.

    Raises:
        Error: if there is none, or one is broken.
    """
    found = Shelf.read(Path(folder))
    with _lock:
        _ahead().extend(found)
        for layer in found.layers:
            if layer.spec in _layers:
                _layers[layer.spec].extend(layer)
    return found.count()


def count() -> int:
    """How many artifacts were compiled ahead of time, added or named by MXFP4_KERNELS.

    Raises:
        Error: if a folder of MXFP4_KERNELS has none, or one is broken or of another version.
    """
    return _ahead().count()


def layer_kernels(spec: LayerSpec) -> LayerKernels:
    """The kernels of a layer: compiled ahead of time, or otherwise when a call needs them."""
    with _lock:
        found = _layers.get(spec)
        if found is None:
            found = LayerKernels(spec, lazy=True)
            for layer in _ahead().layers:
                if layer.spec == spec:
                    found.extend(layer)
            _layers[spec] = found
    return found


def _ahead() -> Shelf:
    """Artifacts compiled ahead of time; reads the folders of MXFP4_KERNELS on first use."""
    global _shelf
    if _shelf is None:
        folders = os.environ.get("MXFP4_KERNELS", "").split(os.pathsep)
        found = Shelf()
        try:
            for folder in folders:
                if folder:
                    found.extend(Shelf.read(Path(folder)))
        except Error as e:
            raise Error(f"MXFP4_KERNELS: {e}") from e
        _shelf = found
    return _shelf


def quantizer_ahead(k: int) -> RoutingArtifact | None:
    """The kernel compiled ahead of time that rounds rows of K values to FP8, if there is one.

    Raises:
        Error: as `count`.
    """
    return _ahead().quantizers.get(k)


def _ahead_of_time(problem: Problem, rows: int, device: int | None, exact: bool) -> Artifact | None:
    """The artifact for the device whose range holds the rows, or else, if not ``exact``, the one
    that is nearest to that."""
    found = [a for a in _ahead().artifacts if problem.matches(a.manifest)]
    facts = devices.facts_of(device) if found else None
    if exact:
        found = [a for a in found
                 if a.manifest.fits_rows(rows) and _is_for(a, facts)]  # fmt: skip
    return min(found, key=lambda a: (*_distance(a, rows), not _is_for(a, facts)), default=None)


def _is_for(artifact: Artifact, facts: devices.Facts | None) -> bool:
    """Whether its schedule was chosen for a GPU with these facts, or for none."""
    return facts is None or facts.is_like(artifact.manifest.device)


def _distance(artifact: Artifact, rows: int) -> tuple[int, bool]:
    low, high = artifact.manifest.rows_hint or (0, sys.maxsize)
    return max(low - rows, rows - high, 0), artifact.manifest.schedule.get("placement") == "shared"


def ahead_for_others(facts: devices.Facts) -> list[str]:
    """The devices of artifacts compiled ahead of time that were chosen for other ones, in words:
    one for each artifact.

    Raises:
        Error: as `count`.
    """
    shelf = _ahead()
    layers = [a for layer in shelf.layers for m in layer.matmuls.values() for a in m]
    return [str(a.manifest.device["name"]) for a in (*shelf.artifacts, *layers)
            if not _is_for(a, facts)]  # fmt: skip


@typed
def count_ranges(problem: Problem, max_rows: int, min_rows: int = 1, device: str = "") -> int:
    """How many kernels `ranges` will compile, from the compiler's choice of schedules alone.

    Raises:
        Error: as `ranges`.
    """
    _need_compiler(problem)
    with Compiler() as compiler, compiler.parse(compiler.mlir(problem)) as module:
        option = f"{devices.option(device)} {problem.options}".strip()
        module.run(f"builtin.module(mxfp4-choose-schedule{{{option}}})")
        (operation,) = module.describe(option)
    low, high = max(min_rows, 1), max(max_rows, 1)
    return sum(c["from"] <= high and c.get("to", high) >= low for c in operation["choices"])


@typed
def ranges(
    problem: Problem,
    max_rows: int,
    min_rows: int = 1,
    on_kernel: Callable[[Artifact], Any] = lambda artifact: None,
    device: str = "",
) -> list[Artifact]:
    """Compile the kernels that serve ``min_rows`` .. ``max_rows`` rows, one for each range.

    Args:
        problem: what to compile for.
        max_rows: the largest row count to serve.
        min_rows: the smallest.
        on_kernel: called with each kernel when it is compiled.
        device: in words, such as "h200" (`devices`); by default the H100 SXM.

    Raises:
        Error: if the compiler is not there, or with its diagnostics.
    """
    found: list[Artifact] = []
    rows, option = max(min_rows, 1), devices.option(device)
    while rows <= max(max_rows, 1):
        artifact = _compile(problem, rows, option)
        found.append(artifact)
        on_kernel(artifact)
        hint = artifact.manifest.rows_hint
        rows = max(hint[1], rows) + 1 if hint else max_rows + 1
    return found


@typed
def compile_ranges(
    problem: Problem,
    folder: str | os.PathLike[str],
    max_rows: int,
    min_rows: int = 1,
    on_kernel: Callable[[Artifact], Any] = lambda artifact: None,
    device: str = "",
) -> list[Path]:
    """Compile those kernels into subfolders of a folder, for `add` where there is no compiler.

    With activations in FP8 there is one more, which rounds rows; it is not among those returned.

    Arguments are those of `ranges`.

    Returns:
        The subfolders. Their names say the device, if it is not the default, and the least rows.

    Raises:
        Error: as `ranges`.
        OSError: if a file cannot be written; then none of the subfolders is.
    """
    path, made = Path(folder), {}
    for artifact in ranges(problem, max_rows, min_rows, on_kernel, device):
        hint = artifact.manifest.rows_hint
        name = f"{problem.name}{artifact.manifest.device_suffix}"
        made[path / f"{name}-r{'any' if hint is None else hint[0]}"] = artifact.content()
    folders = list(made)
    if problem.activations == "fp8":
        rounding = compile_routing_text(quantize_mlir("quantize", problem.k))
        made[path / f"{QUANTIZE}{problem.k}"] = rounding.content()
    write_folders(made)
    return folders


@typed
def prepare(
    weights: PackedWeights,
    max_rows: int = 2**16,
    *,
    out_dtype: str = "bf16",
    groups: int | None = None,
    device: int | None = None,
    batch_invariant: bool = False,
    accumulation: str = "promoted512",
) -> list[Kernel]:
    """Load the kernels that calls on some weights need, so that no later call compiles or loads.

    Args:
        weights: packed; only shape, layout and device are looked at.
        max_rows: the largest row count to come.
        out_dtype: "bf16" or "f32".
        groups: number of expert ids, if calls pass them.
        device: CUDA ordinal; that of the weights if None.
        batch_invariant: as calls pass it.
        accumulation: as calls pass it; only with weights for activations in FP8.

    Returns:
        The kernels, by rising row counts; none for torch weights on the CPU.

    Raises:
        Error: as `kernel_for`.
    """
    place = getattr(weights.data, "device", None)
    if getattr(place, "type", None) == "cpu":
        return []  # the specification runs there
    if groups == 0:
        return []  # nothing is launched
    if device is None:
        device = getattr(place, "index", None)
    problem = problem_of(weights, out_dtype, groups, batch_invariant, accumulation)
    if problem.activations == "fp8":
        from .fp8_kernels import quantizer

        quantizer(weights.k, device or 0)  # what rounds the rows, in front of each matmul
    kernels: list[Kernel] = []
    rows = 1
    while rows <= max(max_rows, 1):
        kernel = kernel_for(problem, rows, device)
        if kernel not in kernels:
            kernels.append(kernel)
        rows = _next_range(problem, kernel, rows)
    return kernels


def _next_range(problem: Problem, kernel: Kernel, rows: int) -> int:
    """The least row count above ``rows`` that another kernel may serve."""
    hint = kernel.manifest.rows_hint
    if hint is None:
        return sys.maxsize
    if kernel.manifest.fits_rows(rows):
        return hint[1] + 1
    # The nearest of those compiled ahead of time: on to the next that starts above.
    starts = [a.manifest.rows_hint[0] for a in _ahead().artifacts
              if a.manifest.rows_hint and problem.matches(a.manifest)]  # fmt: skip
    return min((s for s in starts if s > rows), default=sys.maxsize)


def problem_of(
    weights: PackedWeights, out_dtype: str, groups: int | None, batch_invariant: bool = False,
    accumulation: str = "promoted512",
) -> Problem:  # fmt: skip
    """The problem of a call: ``groups`` is the number of expert ids, or None without them."""
    return Problem(*weights.shape, groups, weights.layout, out_dtype, groups is not None,
                   batch_invariant=batch_invariant, accumulation=accumulation)  # fmt: skip


def check() -> None:
    """Wait for the devices, and raise if a call since the last check met bad offsets or ids.

    Calls of layers are among them.

    Raises:
        Error: saying what was wrong.
    """
    for kernels in list(_loaded.values()):
        for kernel in kernels:
            for device in kernel.devices:
                kernel.check(device)
    layer_plan.check()
