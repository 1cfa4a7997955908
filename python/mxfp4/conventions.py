# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""How publishers name and store MXFP4 experts, as tables; `gather` reads them.

`NAMINGS` says how the tensors of codes and of scales are called, `FORMATS` which data types and
how many bytes of codes a scale serves, and `MLPS` which matrices belong together. A publisher with
other names is a row more. Wherever codes are stored, the value with the lower index is in the low
nibble (the OCP convention, which all publishers in the table follow).
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from ._safetensors import Stored
from .formats import BLOCK_BYTES


@dataclass(frozen=True)
class Naming:
    """The names of a matrix's two tensors are a common name and these endings.

    Attributes:
        codes: ending of the tensor of codes.
        scales: ending of the tensor of scales.
        used_by: who publishes MXFP4 so; empty for names that are only tried.
        own: whether codes and scales are told by these endings alone, without any other evidence.
    """

    codes: str
    scales: str
    used_by: str
    own: bool = False


NAMINGS = (
    Naming("_blocks", "_scales", "gpt-oss", own=True),
    Naming(".blocks", ".scales", "gpt-oss, original form", own=True),
    Naming(".weight_packed", ".weight_scale", "compressed-tensors", own=True),
    Naming(".weight", ".weight_scale", "quark, modelopt"),
    Naming(".weight", ".scale", "DeepSeek-V4"),
    Naming(".weight", ".scales", "MLX"),
    Naming("_packed", "_scale", ""),
    Naming("_weight", "_weight_scale", ""),
    Naming("", "_weight_scale", ""),
    Naming("", "_scale", ""),
    Naming(".weight", ".weight_scale_inv", ""),
)
"""The first that fits is taken."""

SECOND_SCALES = (".weight_scale_2", ".weight_global_scale", ".weight_zero_point", ".weight_g_idx")
"""Tensors next to codes and scales without which the weights are not codes times scales."""

AFFINE = ".biases"
"""Ending of what MLX's affine quantisation adds to codes times scales. A layer's own is `.bias`."""


@dataclass(frozen=True)
class Mlp:
    """The matrices of an MLP whose gate and up are apart, and the name of both together.

    ``needs`` are those without which the MLP is not whole; one without a gate may be.
    """

    gate: str
    up: str
    down: str
    together: str
    needs: tuple[str, ...]


MLPS = (
    Mlp("gate_proj", "up_proj", "down_proj", "gate_up_proj", ("up_proj", "down_proj")),
    Mlp("w1", "w3", "w2", "w13", ("w1", "w2", "w3")),
    Mlp("gate", "up", "down", "gate_up", ("up", "down")),
)

CODES = ("U8", "I8", "F4", "U32")
"""U32 as MLX has it: four bytes, the first one lowest, which in a file are those bytes."""

SCALES = ("U8", "F8_E8M0")


@dataclass(frozen=True)
class Format:
    """A format of quantised weights, by its data types and the bytes of codes for each scale."""

    name: str
    codes: tuple[str, ...]
    scales: tuple[str, ...]
    bytes_per_scale: int | None = None

    def fits(self, codes: Stored, scales: Stored) -> bool:
        """Whether two tensors are of this format: by type, and by row if all rows have scales."""
        if codes.dtype not in self.codes or scales.dtype not in self.scales:
            return False
        if self.bytes_per_scale is None:
            return True
        *lead, groups = scales.shape or (0,)
        rows = math.prod(lead)
        if list(codes.shape[: len(lead)]) != lead or rows * groups == 0 or codes.size % rows:
            return False
        blocks = len(codes.shape) == len(lead) + 2
        flat = len(codes.shape) == len(lead) + 1
        whole = codes.size == rows * groups * self.bytes_per_scale
        return whole and (flat or (blocks and codes.shape[-2] == groups))


_FLOATS = ("F32", "BF16", "F16")
_FP8 = ("F8_E4M3", "F8_E5M2")
MXFP4 = Format("MXFP4", CODES, SCALES, BLOCK_BYTES)
FORMATS = (
    MXFP4,
    Format("MXFP6", ("U8", "I8", "U32", "F6_E2M3", "F6_E3M2"), SCALES, 24),
    Format("MXFP8", ("U8", "I8", "U32", *_FP8), SCALES, 32),
    Format("NVFP4", ("U32",), ("U8",), 8),  # as MLX has it, whose scales are E4M3 in U8
    Format("4-bit codes with a power of two for each 16", CODES, SCALES, 8),
    Format("NVFP4", CODES, _FP8, 8),
    Format("FP8", _FP8, (*_FLOATS, "U8", "F8_E8M0")),
    Format("INT4 or INT8", ("I32", "U32", "U8", "I8"), _FLOATS),
)
"""Formats that are recognised; only MXFP4 is read."""

EXPERT = re.compile(r"(?P<group>(?:.*\.)?\w*experts)\.(?P<e>0|[1-9][0-9]{0,5})\.(?P<rest>.+)",
                    re.ASCII | re.DOTALL)  # fmt: skip
"""The name of one matrix of an expert: group, number, and matrix."""

LIKE_EXPERTS = re.compile(
    r"(^|[._/])(experts?|moe|mlp[12]_weight|gate_up_proj|gate_proj|up_proj|down_proj)([._/]|$)"
)
"""Names that only experts have."""


def wanted() -> str:
    """The names that are looked for, for messages."""
    ours = [n for n in NAMINGS if n.used_by]
    return ", ".join(f"NAME{n.codes} with NAME{n.scales} ({n.used_by})" for n in ours)
