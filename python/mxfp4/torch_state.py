# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Shape, layout and proof of packed weights, as a tensor in a module's state.

safetensors stores only tensors. The state of a `GroupedLinear` therefore has shape, layout and
proof of its weights as JSON in a uint8 tensor, the entry ``_extra_state``. Version 0.1.0 stored a
dict there, which `torch.save` can store; such a state is read, too.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import torch

from .errors import Error
from .layout import Layout
from .weights import AS_STORED, ROWS, PackedWeights, Proof

FORMAT = "mxfp4-packed-state"
VERSION = 1


@dataclass(frozen=True)
class Meaning:
    """What a state says of its packed weights."""

    n: int
    k: int
    layout: Layout
    proof: Proof
    rows: str = AS_STORED

    def refuse_other(self, weights: PackedWeights, name: str) -> None:
        """Compare with the weights of a module.

        Raises:
            Error: if shape or layout differ; it names the entry of the state.
        """
        mine = {"n": weights.n, "k": weights.k, **vars(weights.layout)}
        theirs = {"n": self.n, "k": self.k, **vars(self.layout)}
        for key, value in mine.items():
            if theirs[key] != value:
                raise Error(
                    f"the state's {name} has {key} = {theirs[key]!r}, but this module's weights "
                    f"have {value!r}; make the module from weights packed like those."
                )
        if AS_STORED not in (self.rows, weights.rows) and self.rows != weights.rows:
            raise Error(
                f"the rows of the state's {name} are {self.rows!r}, but those of this module's "
                f"weights {weights.rows!r}; make the module from weights packed like those."
            )


def encode(weights: PackedWeights) -> torch.Tensor:
    """The tensor that says what some packed bytes mean."""
    said = {"format": FORMAT, "version": VERSION, "n": weights.n, "k": weights.k,
            **vars(weights.layout), "proof": vars(weights.proof), "rows": weights.rows}  # fmt: skip
    return torch.tensor(list(json.dumps(said).encode()), dtype=torch.uint8, device="cpu")


def decode(state: Any, name: str) -> Meaning:
    """What `encode` said.

    Args:
        state: the entry of a state: a tensor, or the dict that version 0.1.0 stored.
        name: of the entry, for messages.

    Raises:
        Error: if it is neither, or does not say all that is needed.
    """
    said = _read(state, name)
    try:
        numbers = [said["n"], said["k"], said["proof"]["scale_min"], said["proof"]["scale_max"]]
        if any(type(number) is not int for number in numbers):
            raise TypeError(f"expected numbers, got {numbers}")
        proof = Proof(numbers[2], numbers[3], bool(said["proof"]["has_nan"]))
        layout, rows = Layout(said["order"], said["scales"]), said.get("rows", AS_STORED)
        if rows not in ROWS:
            raise TypeError(f"expected one of {list(ROWS)} as rows, got {rows!r}")
        return Meaning(numbers[0], numbers[1], layout, proof, rows)
    except (KeyError, TypeError, Error) as e:
        raise Error(
            f"the state's {name} does not say what the packed weights mean ({e}); pack the "
            "checkpoint again and save a new state."
        ) from e


def _read(state: Any, name: str) -> dict[str, Any]:
    if isinstance(state, dict):
        return state
    if not isinstance(state, torch.Tensor) or state.dtype != torch.uint8:
        kind = state.dtype if isinstance(state, torch.Tensor) else type(state).__name__
        raise Error(
            f"the state's {name} must be a uint8 tensor that GroupedLinear wrote, got {kind}."
        )
    try:
        said = json.loads(bytes(state.flatten().tolist()))
        written = (said["format"], said["version"])
    except (ValueError, KeyError, TypeError, RecursionError) as e:
        raise Error(f"the state's {name} is not what GroupedLinear wrote ({e!r}).") from e
    if written != (FORMAT, VERSION):
        raise Error(
            f"the state's {name} is {written[0]!r} of version {written[1]!r}; this package reads "
            f"{FORMAT!r} of version {VERSION}."
        )
    return dict(said)
