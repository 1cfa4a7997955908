# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Assemble a kernel for every schedule of e4m3 activations, and every accumulation.

Each must use no stack, spill nothing and draw no warning from ptxas, as `check_resources.py` asks
of the kernels of bf16 activations. fp8-clean.txt holds hashes of PTX that was clean before; what
is not in it is assembled, which only takes longer.

  check_fp8_resources.py [--all] [--update]
"""

import subprocess
import sys
from pathlib import Path

import assembled
import every_kernel
import ptx_hashes
from every_kernel import Case, number

LIST = Path(__file__).with_name("fp8-clean.txt")
# Whole tiles, and masks everywhere; and k128 steps.
SHAPES = [("experts=32 n=5760", 23), ("experts=32 n=101 groups=40 expert-ids=1", 5)]
# With a list of expert ids and an odd N, no tiles are halved whose sums are fast.
HALVED = [SHAPES[0], ("experts=32 n=101", 5), ("experts=32 n=2880 groups=40 expert-ids=1", 22)]
# Tiles of two kinds are chosen from ten steps on.
TWO_KINDS = [(shape, max(steps, 10)) for shape, steps in SHAPES]


def cases() -> list[Case]:
    """Every kernel."""
    found = []
    for accumulation in ("fast", "promoted512", "promoted128"):
        command = ["mxfp4-compile", "--list-schedules", "--accumulation", accumulation]
        listing = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        for schedule in listing.splitlines():
            slices = number(schedule, "k_slices", 1)
            shapes = (
                HALVED if "half_tiles" in schedule
                else TWO_KINDS if "wide_from" in schedule
                else SHAPES
            )  # fmt: skip
            # Of the baseline, the kernels with more in them.
            for shape, steps in shapes[1:] if "placement = shared" in schedule else shapes:
                # The last step is half of one; K slices share them evenly, several for each.
                k = 128 * slices * max(2, -(-steps // slices)) - 64
                problem = f"{shape} k={k} activations=fp8 accumulation={accumulation}"
                found.append(Case(schedule, problem))
    return found


def main() -> int:
    """Print every kernel that is not clean."""
    title = "Hashes of the PTX of kernels for e4m3; see check_fp8_resources.py."
    return assembled.check(
        title, LIST, cases(), every_kernel.compile_case, ptx_hashes.static_shared_bytes
    )


if __name__ == "__main__":
    sys.exit(main())
