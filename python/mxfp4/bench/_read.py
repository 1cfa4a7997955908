# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A Triton kernel that reads memory and does nothing else worth mentioning."""

import triton
import triton.language as tl


@triton.jit
def read(source, target, steps, BLOCK: tl.constexpr, UNROLL: tl.constexpr):
    """Add up ``steps * UNROLL * BLOCK`` i32 for each program; the sum keeps the loads alive."""
    program = tl.program_id(0)
    base = program.to(tl.int64) * steps * BLOCK * UNROLL
    total = tl.zeros((BLOCK,), tl.int32)
    for i in range(steps):
        for u in tl.static_range(UNROLL):
            total += tl.load(source + base + (i * UNROLL + u) * BLOCK + tl.arange(0, BLOCK))
    tl.store(target + program, tl.sum(total))
