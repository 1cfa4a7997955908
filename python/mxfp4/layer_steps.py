# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Which kernels a call of a layer runs, by its tokens and where its experts come from."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Literal

from .layer_spec import LayerSpec

FEW_TOKENS = 64
"""Tokens up to which one kernel of one block routes as quickly as two kernels do."""

FEW_EXPERTS = 512
"""Experts up to which such a kernel exists, because one CTA has no registers for more."""

COUNTED_TOKENS = range(17, 8193)
"""Tokens of which the sort and what brings rows into the order of experts are one kernel.

Measured on an H200: this saves 1 to 5 us (docs/tuning/LayerRows.md). With fewer tokens one CTA
routes as quickly; with more, each token's CTA would have too many counts to add up.
"""

FEW_COUNTS = {"bf16": 131072, "fp8": 32768}
"""Tokens times experts up to which they are, by the activations of the matmuls: a CTA that rounds a
row has less time to add up counts. More than 4096 tokens have as many counts as 4096."""
FEW_TOKENS_FP8 = 1024
"""Tokens up to which FP8 has bf16's limit of `FEW_COUNTS`."""
FEW_SLOTS_COUNTED, FEW_EXPERTS_COUNTED = 8, 256
"""Slots and experts up to which they are."""

FEW_ROWS = 16
"""Rows up to which gate_up gathers its rows itself.

Measured on an H100: with more rows, threads that gather take longer than the tensor cores (1.4
times as long at 16384 rows), and rows that another kernel has brought into the order of experts
cost less (8 % of gate_up at 16384 rows, 2 % at 64).
"""

BROUGHT_TOKENS, BROUGHT_ROWS, BROUGHT_HIDDEN = 2048, 128, 2880
"""Tokens and rows per expert from which on, and hidden size up to which, a warp of gate_up brings
rows into the order of experts while the others multiply.

Measured on an H200 (docs/tuning/LayerRows.md). Two rows have to fit the shared memory that stages
leave.
"""

BRINGING, BRINGING_COUNTED = "gate_up_through", "gate_up_through_counted"
"""The kernel of which a warp brings rows, if they find room beside its stages; and such a kernel
behind which the second matmul begins early."""

EARLY_ROWS = 1537
"""Rows from which on the second matmul begins while the first has not ended, where it may
(`LayerSpec.counts_rows`).

Measured on an H200 with 32 and 128 experts (docs/tuning/LayerKernels.md and LayersFP8.md): a layer
takes 1 to 7 % less time in bf16, and with 1024 rows of 32 experts 1 % more; in FP8 with one scale
between the matmuls 0.3 to 4 % less. Schedules change after 1536 rows, and up to there a `down` of
128 experts that waits would spill 12 bytes.
"""

EARLY = ("gate_up_counted", "down_counted")
"""The matmuls of which the second begins while the first has not ended, and waits for rows."""

MATMULS = (
    "gate_up", "gate_up_gathered", "down", "down_gathered", BRINGING, BRINGING_COUNTED, *EARLY,
)  # fmt: skip
ROUTING = (
    "route", "top_k", "sort", "sort_given", "count", "dispatch", "sort_dispatch", "quantize",
    "sort_quantize", "quantize_inner", "combine",
)  # fmt: skip

_FUSED = ("route", "sort_dispatch", "sort_quantize")

Source = Literal["logits", "ids", "some ids"]
"""Where a call's experts come from: the router's logits; ids that the caller brings, none of them
-1; or such ids with -1 for slots without an expert.

Slots without an expert leave rows behind the last offset, which `mxfp4.grouped_matmul` only
accepts where it gathers its rows: then they change nothing and are not stored.
"""


def steps(
    spec: LayerSpec, tokens: int, source: Source = "logits", brings: bool = True, early: bool = True
) -> list[str]:
    """The names of a call's kernels, in order.

    Args:
        spec: the layer.
        tokens: of the call.
        source: where experts come from.
        brings: whether a warp of gate_up can bring rows. Where no row finds room beside the stages,
            which the compiler knows, another kernel brings them.
        early: whether there are kernels of which the second matmul begins early.
    """
    up, down = "gate_up", "down"
    if source == "some ids":
        up, down = "gate_up_gathered", "down_gathered"
    is_brought = source != "some ids" and brings and tokens in brought_tokens(spec)
    is_early = source != "some ids" and early and tokens in early_tokens(spec)
    if spec.activations == "fp8":
        if is_early:
            up, down = EARLY
        first = _first_steps(spec, tokens, source, "quantize")
        between = ["quantize_inner"] if spec.inner_scale is None else []
        return [*first, up, *between, down, "combine"]
    if source == "some ids" or tokens * spec.slots <= FEW_ROWS:
        return [*_first_steps(spec, tokens, source), "gate_up_gathered", down, "combine"]
    if is_early:
        up, down = EARLY
    if is_brought:
        up = BRINGING_COUNTED if is_early else BRINGING
        return [*_first_steps(spec, tokens, source), up, down, "combine"]
    return [*_first_steps(spec, tokens, source, "dispatch"), up, down, "combine"]


def early_tokens(spec: LayerSpec) -> range:
    """Tokens of which the second matmul begins while the first has not ended. For few tokens the
    kernels that sort leave no zeros to count from."""
    if not spec.counts_rows:
        return range(0)
    return range(max(-(-EARLY_ROWS // spec.slots), FEW_TOKENS + 1), sys.maxsize)


def brought_tokens(spec: LayerSpec) -> range:
    """Tokens of which a warp of gate_up brings rows into order.

    In FP8 none does: the layer took up to 2.5 % longer on an H200 than with rows that another
    kernel brings (docs/tuning/LayersFP8.md).
    """
    if spec.hidden > BROUGHT_HIDDEN or spec.activations == "fp8":
        return range(0)
    return range(max(BROUGHT_TOKENS, -(-BROUGHT_ROWS * spec.experts // spec.slots)), sys.maxsize)


def last_tokens(spec: LayerSpec) -> list[int]:
    """The last numbers of tokens for each choice of steps."""
    counted = COUNTED_TOKENS.start - 1, COUNTED_TOKENS.stop - 1
    return [
        FEW_TOKENS,
        FEW_ROWS // spec.slots,
        brought_tokens(spec).start - 1,
        brought_tokens(spec).stop - 1,
        early_tokens(spec).start - 1,
        *counted,
        FEW_TOKENS_FP8,
        *(most // spec.experts for most in FEW_COUNTS.values()),
    ]


def _first_steps(spec: LayerSpec, tokens: int, source: Source, move: str = "") -> list[str]:
    """The kernels up to the order of experts, and the one that moves rows into it, if any."""
    is_small = spec.slots <= FEW_SLOTS_COUNTED and spec.experts <= FEW_EXPERTS_COUNTED
    most = FEW_COUNTS["bf16" if tokens <= FEW_TOKENS_FP8 else spec.activations]
    is_small = is_small and min(tokens, 4096) * spec.experts <= most
    if move and is_small and tokens in COUNTED_TOKENS:
        return ["top_k" if source == "logits" else "count", f"sort_{move}"]
    if source != "logits":
        first = ["sort_given"] if tokens <= FEW_TOKENS else ["count", "sort"]
    else:
        few = tokens <= FEW_TOKENS and spec.experts <= FEW_EXPERTS
        first = ["route"] if few else ["top_k", "sort"]
    return [*first, move] if move else first


def needed_for(
    spec: LayerSpec, max_tokens: int, sources: Sequence[Source], brings: bool = True
) -> dict[str, int]:
    """The kernels of calls with up to ``max_tokens``, and for how many rows."""
    found: dict[str, int] = {}
    # Steps change where tokens or rows stop to be few.
    last = last_tokens(spec)
    ends = {1, *last, *(end + 1 for end in last)}
    for source in sources:
        for tokens in sorted(end for end in {*ends, max_tokens} if 0 < end <= max_tokens):
            rows = tokens * spec.slots
            for name in steps(spec, tokens, source, brings):
                found[name] = max(found.get(name, 0), rows)
    return found


def most_of(some: dict[str, int], more: dict[str, int]) -> dict[str, int]:
    """The larger numbers of rows of two answers of `needed_for`."""
    return {name: max(some.get(name, 0), more.get(name, 0)) for name in {**some, **more}}


def routing_options(spec: LayerSpec, name: str) -> str:
    """Options of the pipeline for a kernel that is no matmul."""
    return f"rows-hint={spec.slots}" if name in _FUSED else ""
