# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Kernels of routing in the interpreter, and what their runs are compared with."""

from __future__ import annotations

from functools import cache
from itertools import product

import numpy as np
import routing_cases as cases
from mxfp4 import Compiler, routing
from mxfp4.routing_artifact import RoutingArtifact, RoutingRun
from routing_cases import TopK

VARIANTS = [  # bias, renormalize, scale, logits
    (False, False, 1.0, "bf16"),
    (True, True, 2.5, "f32"),
    (False, True, 1.0, "f32"),
    (True, False, 1.0, "bf16"),
]
SIZES = [(8, 2), (32, 4), (100, 1), (128, 8), (384, 6), (640, 16)]
TOP_K = [
    TopK(*SIZES[i % len(SIZES)], scoring, *variant)
    for i, (scoring, variant) in enumerate(product(routing.SCORINGS, VARIANTS))
] + [TopK(experts, slots) for experts, slots in SIZES]
FUSED = [case for case in TOP_K if case.experts <= 512]


@cache
def compiled(mlir: str, options: str = "") -> RoutingArtifact:
    """The kernel of a module."""
    with Compiler() as compiler:
        return compiler.compile_routing(mlir, options)


def check_clean(run: RoutingRun, *partly: str) -> None:
    """No findings, and all is stored but for what is named."""
    assert run.findings == []
    for name, stored in run.stored.items():
        assert name in partly or stored.all(), name


def check_top_k(run: RoutingRun, case: TopK, logits: np.ndarray, bias: np.ndarray) -> None:
    """Ids and weights against numpy."""
    wanted, weights = routing.top_k(
        logits, case.slots, case.scoring, bias if case.bias else None, case.renormalize, case.scale
    )
    assert np.array_equal(run.outputs["ids"], wanted)
    cases.check_weights(run.outputs["weights"], weights)


def check_sort(run: RoutingRun, ids: np.ndarray, experts: int) -> None:
    """Offsets, tokens, positions and the error word against numpy."""
    wanted = routing.sort_by_expert(ids, experts)
    for name in ("offsets", "tokens", "positions"):
        assert np.array_equal(run.outputs[name].ravel(), getattr(wanted, name).ravel()), name
    assert run.error == wanted.error


def inputs(rng: np.random.Generator, tokens: int, case: TopK) -> dict[str, np.ndarray]:
    """Logits, and a bias where there is one."""
    found = {"logits": cases.logits(rng, tokens, case)}
    if case.bias:
        found["bias"] = cases.bias(rng, case)
    return found
