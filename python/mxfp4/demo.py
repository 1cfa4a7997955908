# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""From a checkpoint to a verified result, step by step, saying what happens.

``python -m mxfp4.demo CHECKPOINT`` loads the MXFP4 expert tensors of a gpt-oss style checkpoint,
packs them, compiles a kernel for each shape, runs it on the GPU (where there is none, in the PTX
interpreter), and compares with the numpy decode. It fails on a mismatch or a hazard.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import numpy as np

from . import fp8, fp8_reference, kernels, library, ops
from ._command import Parser, seed_number, told
from .artifact import Artifact
from .checkpoint import Checkpoint, ExpertTensor
from .errors import Error
from .formats import bfloat16
from .fp8_reference import drift_of
from .layout import FP8
from .names import shown
from .problem import Problem
from .reference import Bounded, bounded_matmul, error_bound, grouped_matmul, mismatches
from .simulator import simulate
from .weights import PackedWeights


def has_gpu() -> bool:
    """Whether torch and a CUDA device are there."""
    try:
        import torch
    except ImportError:
        return False
    return bool(torch.cuda.is_available())


def routing(rng: np.random.Generator, rows: int, experts: int) -> np.ndarray:
    """Offsets i32 ``[E+1]`` of rows that choose their experts at random."""
    sizes = np.bincount(rng.integers(0, experts, rows), minlength=experts)
    return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32)


def describe(artifact: Artifact) -> str:
    """What was compiled, in a few lines."""
    m = artifact.manifest
    s, tile = m.schedule, m.schedule["tile"]
    registers = m.resources.get("registers")
    place = "registers" if s["placement"] == "register" else "shared memory"
    lines = [
        f"  schedule       {s['instruction']}, tiles of {tile['rows']} x {tile['tokens']}, "
        f"{s['stages']} stages of copies, weights decoded in {place}",
        f"    because      {s['reason']}",
        f"  registers      {f'{registers} per thread' if registers else 'unknown without ptxas'}",
        f"  spilled bytes  {m.resources.get('spill_bytes', 'unknown')}",
        f"  shared memory  {m.dynamic_shared_bytes} bytes per block",
        f"  PTX            {len(artifact.ptx)} bytes",
        f"  cubin          {len(artifact.cubin) if artifact.cubin else 'none'}",
    ]
    return "\n".join(lines)


def way(gpu: bool, activations: str = "bf16") -> str:
    """What runs the tensors: "GPU", "interpreter" or, with activations in bf16, "specification".

    Raises:
        Error: if only numpy is left, which would be compared with itself.
    """
    ahead = kernels.count()  # raises if MXFP4_KERNELS names a folder without kernels
    if gpu:
        return "GPU"
    if library.find_interpreter() is not None and (ahead or library.find() is not None):
        return "interpreter"
    if library.find() is not None and activations == "bf16":
        return "specification"
    lacks = [library.FILE] if not ahead and library.find() is None else []
    lacks += [library.INTERPRETER] if library.find_interpreter() is None else []
    raise Error(
        "no kernel can run here, and comparing numpy with numpy would show nothing: torch sees no "
        f"GPU, and {' and '.join(lacks)} {'were' if len(lacks) > 1 else 'was'} not found. Use a "
        "machine with a GPU and kernels of `mxfp4 compile` (--kernels FOLDER), or install what "
        f"runs kernels on the CPU: {library.how_to_have(lacks[-1])} `mxfp4 doctor` says what is "
        "there."
    )


_SPEED = 60e6
"""Multiply-adds per second of the interpreter on one thread, measured on a server of 2024."""


def _threads() -> int:
    return os.cpu_count() or 1


WAYS = {
    "GPU": "the GPU",
    "interpreter": "the CPU: the kernel's PTX, in the interpreter",
    "specification": f"the CPU: the executable specification, and no kernel, since "
    f"{library.INTERPRETER} was not found",
}
"""What runs the tensors, for people."""


def _problem(weights: PackedWeights, sums: str) -> Problem:
    return kernels.problem_of(weights, "bf16", None, accumulation=sums)


def _simulate(
    weights: PackedWeights, x: np.ndarray, offsets: np.ndarray, sums: str
) -> tuple[Any, str]:
    artifact = kernels.artifact_for(_problem(weights, sums), len(x))
    if not len(x):
        return ops.grouped_matmul(x, weights, offsets), "nothing was launched: there are no rows"
    run = simulate(artifact, x, weights, offsets, threads=_threads())
    if run.findings or run.error:
        raise Error(f"the kernel has hazards:\n{run.report(costs=False)}")
    s = run.statistics
    macs = s["mma_macs"] + s["wgmma_macs"]
    read = s["global_load_bytes"] + s["async_copy_bytes"] + s["bulk_load_bytes"]
    return run.y, (
        f"{s['seconds']:.2f} s in the interpreter, no hazards: {s['ctas']} blocks, "
        f"{s['warp_instructions']} warp instructions, {macs / 1e6:.0f} M multiply-adds, "
        f"{read / 1e6:.1f} MB read"
    )


def _specify(
    weights: PackedWeights, x: np.ndarray, offsets: np.ndarray, sums: str
) -> tuple[Any, str]:
    del sums  # in f32
    ops.grouped_matmul(x[:0], weights, np.zeros_like(offsets))  # compile outside of the time
    start = time.perf_counter()
    y = ops.grouped_matmul(x, weights, offsets)
    return y, f"{(time.perf_counter() - start) * 1e3:.1f} ms on the CPU ({ops.cpu_path()})"


def _run_gpu(
    weights: PackedWeights, x: np.ndarray, offsets: np.ndarray, sums: str
) -> tuple[Any, str]:
    import torch

    on_device = weights.to_device()
    xd = torch.from_numpy(x.view(np.int16).copy()).view(torch.bfloat16).cuda()
    od = torch.from_numpy(offsets).cuda()
    in_fp8 = weights.powers is not None
    kernel = None if in_fp8 else kernels.kernel_for(_problem(weights, sums), len(x))

    def call(out: Any = None) -> Any:
        if kernel is None:  # rows are rounded within the time
            return ops.grouped_matmul(xd, on_device, od, accumulation=sums)
        return kernel(xd, on_device, od, out=out)

    y = call()
    kernels.check()  # which knows what ran, if there were rows
    times = []
    for _ in range(20):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        call(y)
        end.record()
        end.synchronize()
        times.append(begin.elapsed_time(end) * 1e3)
    host = y.view(torch.int16).cpu().numpy().view(bfloat16)
    name = torch.cuda.get_device_name()
    return host, f"{np.median(times):.1f} us on {name}, median of 20, weights warm"


def check(y: np.ndarray, exact: Bounded, rounded: np.ndarray) -> tuple[str, bool]:
    """Compare a result with the numpy decode: a line for people, and whether it is right."""
    finite = np.isfinite(exact.bound)
    with np.errstate(invalid="ignore"):
        error = np.abs(y.astype(np.float64) - exact.value)
    worst = float(np.max(error[finite] / exact.bound[finite], initial=0))
    special = mismatches(y[~finite], rounded[~finite])
    equal = y.size - mismatches(y, rounded)
    line = (
        f"{equal} of {y.size} results are the correctly rounded ones; the largest error is "
        f"{float(np.max(error[finite], initial=0)):.3g}, {worst:.3f} of the bound allowed there"
    )
    if special:
        line += f"; {special} of {int((~finite).sum())} non-finite results differ"
    return line, worst <= 1 and not special


_RUN = {"GPU": _run_gpu, "interpreter": _simulate, "specification": _specify}


def _truth(
    x: np.ndarray, tensor: ExpertTensor, weights: PackedWeights, offsets: np.ndarray, sums: str
) -> tuple[Bounded, np.ndarray, str]:
    """The result with a bound, rounded, and what rounding to FP8 does to it.

    It comes from the checkpoint's own bytes, not from the packed ones.
    """
    exact = bounded_matmul(x, tensor, offsets)
    if weights.powers is None:
        return exact, grouped_matmul(x, tensor, offsets), ""
    rows = fp8.quantize_rows(x)
    codes = rows.codes.astype(bfloat16)  # exactly
    value = bounded_matmul(codes, tensor, offsets).value * rows.scales[:, None]
    k = tensor.shape[2]
    magnitudes = np.where(codes == 0, 0, np.maximum(np.abs(codes.astype(np.float32)), 2.0**-6))
    # Sums of magnitudes: of K products, a bound in f32 has K * 2^-22 of them.
    absolute = np.zeros_like(value)
    for expert in np.flatnonzero(np.diff(offsets)):
        span = slice(offsets[expert], offsets[expert + 1])
        w = np.abs(tensor.decode(int(expert)).astype(np.float64))
        absolute[span] = magnitudes[span] @ w.T * rows.scales[span, None]
    bound = error_bound(value, absolute * (drift_of(k, sums) * 2.0**22 / k), k, bfloat16)
    off = float(np.linalg.norm(value - exact.value) / (np.linalg.norm(exact.value) or 1.0))
    rounded = fp8_reference.grouped_matmul(x, weights, offsets)
    note = f"rounding rows to FP8 changes results by {100 * off:.2g} % (root of the mean square)"
    return Bounded(value, bound), rounded, note


def run_tensor(
    tensor: ExpertTensor, rows: int, how: str, seed: int, activations: str = "bf16",
    accumulation: str = "promoted512",
) -> bool:  # fmt: skip
    """Pack, compile, run and check one expert tensor; whether it was right."""
    experts, n, k = tensor.shape
    print(f"\n{shown(tensor.name)}: {experts} experts, N = {n}, K = {k}")
    start = time.perf_counter()
    weights = tensor.pack(FP8 if activations == "fp8" else "auto", progress=True)
    seconds = time.perf_counter() - start
    size = weights.data.nbytes / 1e6
    print(f"  packed         {weights.layout}, {size:.1f} MB in {seconds:.2f} s, {weights.proof}")
    start = time.perf_counter()
    artifact = kernels.artifact_for(_problem(weights, accumulation), rows)
    print(f"  kernel         {artifact.origin}, {(time.perf_counter() - start) * 1e3:.0f} ms")
    print(describe(artifact))
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((rows, k), dtype=np.float32).astype(bfloat16)
    offsets = routing(rng, rows, experts)
    if how == "interpreter" and rows:
        work = rows * n * k
        print(f"  running        {work / 1e6:.0f} M multiply-adds in the interpreter, about "
              f"{work / (_SPEED * _threads()):.0f} s", flush=True)  # fmt: skip
    y, timing = _RUN[how](weights, x, offsets, accumulation)
    print(f"  rows           {rows}, by expert {np.diff(offsets).tolist()}")
    print(f"  time           {timing}")
    exact, rounded, note = _truth(x, tensor, weights, offsets, accumulation)
    line, right = check(y, exact, rounded)
    print(f"  result         {'right' if right else 'WRONG'}: {line}")
    if note:
        print(f"  FP8            sums {accumulation}; {note}")
    if how == "specification":
        print(f"  no kernel ran  {library.INTERPRETER} was not found: the executable specification "
              f"was compared. {library.how_to_have(library.INTERPRETER)}")  # fmt: skip
    return right


def run(
    path: Path, names: list[str] | None, rows: int, cpu: bool, seed: int = 0,
    activations: str = "bf16", accumulation: str = "promoted512",
) -> bool:  # fmt: skip
    """Run expert tensors of a checkpoint; whether all results were right.

    Args:
        path: the checkpoint.
        names: its tensors; the first two if None.
        rows: R of each call.
        cpu: do not use a GPU.
        seed: of rows and routing.
        activations: "bf16" or "fp8".
        accumulation: of FP8 products.

    Raises:
        Error: if there is nothing to run, nothing to run it, or something does not fit.
    """
    checkpoint = Checkpoint(path)
    checkpoint.require(names)
    # In this order, because importing torch takes seconds.
    how = way(not cpu and has_gpu(), activations)
    print(f"{path}: {len(checkpoint.experts)} MXFP4 expert tensors; running on {WAYS[how]}")
    chosen = list(checkpoint.experts)[:2] if names is None else names
    results = [
        run_tensor(checkpoint[name], rows, how, seed, activations, accumulation) for name in chosen
    ]
    if chosen and library.find() is not None:
        experts, n, k = checkpoint[chosen[0]].shape
        words = f"experts={experts} n={n} k={k}"
        words += f" activations=fp8 accumulation={accumulation}" if activations == "fp8" else ""
        print(f"\nTo see each pass of the first kernel in a browser: mxfp4 explain "
              f'"{words}" --rows-hint {rows} -o report.html')  # fmt: skip
    return all(results)


@told("python -m mxfp4.demo")
def main(arguments: list[str] | None = None) -> int:
    """Command line."""
    parser = Parser(prog="python -m mxfp4.demo", description=__doc__)
    parser.add_argument("checkpoint", type=Path, help="a .safetensors file or a folder of them")
    parser.add_argument("--rows", type=int, default=32, help="activation rows (default 32)")
    parser.add_argument(
        "--tensors", type=int, default=2, help="how many tensors to run (default 2)"
    )
    parser.add_argument("--cpu", action="store_true", help="do not use a GPU")
    parser.add_argument("--seed", type=seed_number, default=0)
    o = parser.parse_args(arguments)
    try:
        names = list(Checkpoint(o.checkpoint).experts)[: o.tensors]
        return 0 if run(o.checkpoint, names, o.rows, o.cpu, o.seed) else 1
    except Error as e:
        parser.exit(1, f"error: {e}\n")


if __name__ == "__main__":
    raise SystemExit(main())
