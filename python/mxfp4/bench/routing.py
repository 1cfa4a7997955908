# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Routings of benchmarks: Zipf's, and a model of how trained routers choose experts.

A trained router's load is neither uniform nor Zipf's. Training balances experts over all texts, but
tokens of one text prefer the same experts. A logit is here the sum of three normal numbers: one of
the expert, one of the expert and the token's text, and one of the token. Their standard deviations
are assumed, not fitted to a model: no package that we know has a trained router.
"""

from __future__ import annotations

from typing import Any

import numpy as np

POPULAR, TOPIC = 0.2, 0.6
"""Standard deviations of an expert's popularity and of a text's preferences; a token's is 1."""

DECODING = 256
"""Tokens of one call up to which each is of a text of its own, as where many requests decode."""

TEXT = 1024
"""Tokens of a text where more tokens come, as where prompts are read."""


def logits(rng: np.random.Generator, tokens: int, experts: int) -> np.ndarray:
    """Logits of a router, f64 ``[tokens, experts]``.

    Args:
        rng: draws them.
        tokens: T.
        experts: E.
    """
    length = 1 if tokens <= DECODING else TEXT
    topics = rng.normal(0, TOPIC, (-(-tokens // length), experts))
    own = rng.normal(0, 1, (tokens, experts))
    return rng.normal(0, POPULAR, experts) + topics.repeat(length, axis=0)[:tokens] + own


def sizes(tokens: int, experts: int, top: int) -> list[int]:
    """Rows of each expert if every token goes to its ``top`` best; the same for the same call."""
    rng = np.random.default_rng((tokens, experts, top))
    chosen = np.argsort(-logits(rng, tokens, experts), axis=1, kind="stable")[:, :top]
    return [int(count) for count in np.bincount(chosen.ravel(), minlength=experts)]


def drawn(name: str, tokens: int, experts: int, layers: int, draw: Any) -> list[Any]:
    """Logits f64 ``[tokens, experts]`` of several layers' routers, as tensors.

    Args:
        name: "trained", anew for each layer; or "zipf", where each token draws distinct experts,
            that of rank i with a chance of 1/i, and each layer has an order of ranks.
        tokens: T.
        experts: E.
        layers: how many.
        draw: torch's generator, on the device of the logits.
    """
    import torch

    device = draw.device
    if name == "trained":
        rng = np.random.default_rng((tokens, experts))
        return [torch.from_numpy(logits(rng, tokens, experts)).to(device) for _ in range(layers)]
    chances = -torch.log(torch.arange(1, experts + 1, device=device).double())
    found = []
    for _ in range(layers):
        order = torch.randperm(experts, device=device, generator=draw)
        shape = (tokens, experts)
        uniform = torch.rand(shape, device=device, generator=draw, dtype=torch.float64)
        # The largest of logarithms of chances with Gumbel's noise are such a draw.
        noise = -torch.log(-torch.log(uniform.clamp(1e-12, 1 - 1e-12)))
        found.append(chances[order] + noise)
    return found
