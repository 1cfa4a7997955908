# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""How far a model's distribution of the next token is from that of another.

Of logits, softmax alone matters to a reader: the divergence of Kullback and Leibler says how many
nats a token's prediction loses, and its mean is by how much the logarithm of the perplexity of text
that the other model wrote is larger.
"""

from __future__ import annotations

import torch


def drift(logits: torch.Tensor, wanted: torch.Tensor) -> dict[str, float]:
    """Compare logits ``[..., V]`` with those that are wanted.

    Returns:
        "logits": the relative error (root of the mean square) after each token's mean is taken
        off; "divergence": mean of KL(wanted, found) in nats; "worst divergence": of all tokens;
        "same token": share of tokens whose best is the same.
    """
    mine, theirs = (t.double().reshape(-1, t.shape[-1]) for t in (logits, wanted))
    centred = [t - t.mean(dim=-1, keepdim=True) for t in (mine, theirs)]
    log_mine, log_theirs = mine.log_softmax(dim=-1), theirs.log_softmax(dim=-1)
    divergence = (log_theirs.exp() * (log_theirs - log_mine)).sum(dim=-1)
    return {
        "logits": float((centred[0] - centred[1]).norm() / centred[1].norm()),
        "divergence": float(divergence.mean()),
        "worst divergence": float(divergence.max()),
        "same token": float((mine.argmax(dim=-1) == theirs.argmax(dim=-1)).double().mean()),
    }
