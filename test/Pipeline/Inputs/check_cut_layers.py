# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Assemble the kernels of layers that are cut for 2, 4 and 8 GPUs, and for GPUs of other sizes.

The layers are those of models that are published in MXFP4, and the kernels those that some number
of rows leads to; of one kind, one is assembled. Each must use no stack, spill nothing and draw no
warning from ptxas, with the exception of `check_models.py`. Whole layers on an H100 SXM and on an
H200 are in `check_fused_resources.py`.

  check_cut_layers.py [--sample N]    one kernel of every Nth matmul only
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import assembled
import every_kernel
from check_fused_resources import compile_case, kernels, wanted
from check_models import DEVICES, is_known
from every_kernel import Case
from mxfp4.bench.models import MODELS, TENSOR_PARALLEL
from mxfp4.layer_spec import PRESETS


def cases(sample: int) -> list[Case]:
    """Each kind of kernel, once; or one kernel of every ``sample``th matmul."""
    matmuls = wanted(
        replace(spec, inner=MODELS[name].inner_of(parts))
        for name, spec in PRESETS.items()
        for parts in TENSOR_PARALLEL
    )
    if sample == 1:
        return kernels(matmuls, DEVICES)
    found = []
    for turn, matmul in enumerate(matmuls[::sample]):
        if kinds := kernels([matmul], DEVICES):
            found.append(kinds[turn % len(kinds)])
    return found


def check(case: Case, directory: Path) -> list[str]:
    """What is wrong with a kernel."""
    directory.mkdir()
    if wrong := compile_case(case, directory / "cubin", "--cubin"):
        return [wrong]
    return assembled.faults(directory / "cubin")


def main() -> int:
    """Print every kernel that is not clean."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sample", type=int, default=1, help="of every Nth matmul only")
    options = parser.parse_args()
    every = cases(options.sample)
    failures = 0
    for case, wrong in every_kernel.for_each(every, check):
        if wrong:
            failures += not is_known(case.problem, wrong)
            print(f"{case.schedule}\n{case.problem}\n  " + "\n  ".join(wrong))
    print(f"{len(every)} kernels of layers assembled, {failures} not clean")
    return 1 if failures or not every else 0


if __name__ == "__main__":
    sys.exit(main())
