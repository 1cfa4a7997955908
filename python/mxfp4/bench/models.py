# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The expert layers of models, by the numbers of their published configurations.

Not all of them are published in MXFP4: their shapes are measured as if they were.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import Error, alternatives

if TYPE_CHECKING:
    from ..problem import Problem

TENSOR_PARALLEL = (1, 2, 4, 8)
BLOCK = 32


@dataclass(frozen=True)
class Model:
    """A mixture-of-experts layer of a model.

    Attributes:
        experts: E.
        top: experts of a token.
        hidden: columns of what experts read and write.
        inner: columns between an expert's two matmuls.
        gated: whether the first matmul has gate and up, and so twice as many columns.
    """

    experts: int
    top: int
    hidden: int
    inner: int
    gated: bool = True

    def inner_of(self, parts: int) -> int:
        """The most inner columns per GPU if ``parts`` GPUs share each expert, in blocks of 32."""
        blocks = self.inner // BLOCK
        return -(-blocks // parts) * BLOCK

    def problems(self, parts: int = 1) -> dict[str, Problem]:
        """The problems of both matmuls, by name, on one of ``parts`` GPUs."""
        from ..problem import Problem

        inner = self.inner_of(parts)
        return {
            "gate_up": Problem(self.experts, (2 if self.gated else 1) * inner, self.hidden),
            "down": Problem(self.experts, self.hidden, inner),
        }


MODELS = {
    "gpt-oss-20b": Model(32, 4, 2880, 2880),
    "gpt-oss-120b": Model(128, 4, 2880, 2880),
    "deepseek-v4-flash": Model(256, 6, 4096, 2048),
    "deepseek-v4-pro": Model(384, 6, 7168, 3072),
    "kimi-k3": Model(896, 16, 3584, 3072),
    "kimi-k2.5": Model(384, 8, 7168, 2048),
    "glm-5": Model(256, 8, 6144, 2048),
    "minimax-m3": Model(128, 4, 6144, 3072),
    "qwen3.5-397b": Model(512, 10, 4096, 1024),
    "qwen3.5-35b": Model(256, 8, 2048, 512),
    "nemotron-3-super": Model(512, 22, 1024, 2688, gated=False),
    "gemma-4-26b": Model(128, 8, 2816, 704),
}
"""The experts that a router chooses among; shared experts are dense layers."""


def model(name: str) -> Model:
    """A model by its name.

    Raises:
        Error: if there is none of that name; the message says which there are.
    """
    if name not in MODELS:
        raise Error(f"unknown model {name!r}{alternatives(name, 'model', tuple(MODELS))}")
    return MODELS[name]
