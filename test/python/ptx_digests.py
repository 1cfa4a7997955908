# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Prints a digest of the PTX of every schedule that the chooser can return: a line for each of
two problems, with the schedule's short name first. Layouts and output types go round."""

from __future__ import annotations

import hashlib

from kernels import LAYOUTS, schedules, shared_k, short
from mxfp4 import Error, Problem
from mxfp4.compile import Compiler


def digest(problem: Problem, schedule: str) -> str:
    """A digest, or what was said instead of a kernel."""
    with Compiler() as compiler:
        try:
            ptx = compiler.compile(compiler.mlir(problem), f"schedule={schedule}").ptx
        except Error as e:
            return f"none: {' '.join(str(e).split())}"
    return hashlib.blake2b(ptx.encode(), digest_size=8).hexdigest()


def main() -> None:
    """Two lines for each schedule."""
    for i, schedule in enumerate(schedules()):
        k = shared_k(576, schedule)
        for odd in (False, True):
            layout, output = LAYOUTS[(i + 2 * odd) % 4], ("bf16", "f32")[(i + odd) % 2]
            problem = Problem(4, 257 if odd else 640, k - 32 * odd, 40 if odd else 4, layout,
                              output, odd)  # fmt: skip
            print(short(schedule), "odd" if odd else "even", digest(problem, schedule), flush=True)


if __name__ == "__main__":
    main()
