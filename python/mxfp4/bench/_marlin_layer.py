# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A layer on vLLM's Marlin kernels, in vLLM's steps.

vLLM pads the hidden size to whole 256 columns and the inner size to whole 128 (2880 becomes 3072
and 2944), and chooses the rows of a tile by the mean number of rows of an expert. Marlin's order of
codes, scales and biases is stated here by its permutations.
"""

from __future__ import annotations

from typing import Any

import torch

from ._vllm_steps import Route, VllmSteps, swiglu

_E2M1 = 562949953487106
"""The number that vLLM's ScalarType gives to E2M1 codes."""
_SCALES = [row + 8 * column for row in range(8) for column in range(8)]
_BIASES = [2 * i + j for i in range(4) for j in (0, 1, 8, 9, 16, 17, 24, 25)]


def _code_order() -> torch.Tensor:
    """Where each code of a 16 x 64 tile comes from, in Marlin's order."""
    order = []
    for lane in range(32):
        rows = [2 * (lane % 4) + r for r in (0, 1, 8, 9)]
        first = [16 * row + lane // 4 + 8 * half for half in (0, 1) for row in rows]
        order += [place + 256 * tile for tile in range(4) for place in first]
    return torch.tensor(order).reshape(-1, 8)[:, [0, 2, 4, 6, 1, 3, 5, 7]].reshape(-1)


def pack_codes(codes: torch.Tensor, n: int, k: int) -> torch.Tensor:
    """Codes u8 ``[N, K/2]``, the lower nibble first, as i32 ``[k/16, 2n]``, padded by zeros."""
    padded = torch.zeros((n, k // 2), dtype=torch.uint8, device=codes.device)
    padded[: codes.shape[0], : codes.shape[1]] = codes
    wide = torch.stack([padded & 15, padded >> 4], -1).reshape(n, k).T
    tiles = wide.reshape(k // 16, 16, n // 16, 16).permute(0, 2, 1, 3).reshape(-1, 1024)
    words = tiles[:, _code_order().to(codes.device)].reshape(k // 16, n * 2, 8).to(torch.int32)
    out = words[..., 0].clone()
    for i in range(1, 8):
        out |= words[..., i] << (4 * i)
    return out


def pack_scales(scales: torch.Tensor, n: int, k: int) -> torch.Tensor:
    """E8M0 bytes ``[N, K/32]`` as ``[k/32, n]``, padded by ones."""
    padded = torch.full((n, k // 32), 127, dtype=torch.uint8, device=scales.device)
    padded[: scales.shape[0], : scales.shape[1]] = scales
    order = padded.T.reshape(-1, 64)[:, _SCALES].reshape(-1, 4)[:, [0, 2, 1, 3]]
    return order.reshape(k // 32, n).contiguous()


def pack_bias(bias: torch.Tensor, n: int) -> torch.Tensor:
    """Biases ``[E, N]`` as ``[E, n]``, padded by zeros."""
    padded = torch.zeros((bias.shape[0], n), dtype=bias.dtype, device=bias.device)
    padded[:, : bias.shape[1]] = bias
    return padded.reshape(-1, 32)[:, _BIASES].reshape(bias.shape[0], n).contiguous()


def rows_of_tile(rows: float) -> int:
    """The block size that vLLM chooses for this number of rows per expert."""
    return next((b for b in (8, 16, 32, 48) if rows / b < 0.9), 64)


def _whole(size: int, step: int) -> int:
    return -(-size // step) * step


class MarlinLayers:
    """Layers of gpt-oss on Marlin.

    Args:
        steps: vLLM's operators.
        data: of the benchmark.

    Raises:
        Error: if the extension has no Marlin for these codes.
    """

    def __init__(self, steps: VllmSteps, data: Any, slots: int) -> None:
        self._steps, self._data, self._slots = steps, data, slots
        gate_up, down = data.raw["gate_up"], data.raw["down"]
        self._hidden, self._inner = _whole(gate_up.k, 256), _whole(down.k, 128)
        self._shapes = {"gate_up": (2 * self._inner, self._hidden),
                        "down": (self._hidden, self._inner)}  # fmt: skip
        self._weights: list[dict[str, tuple[torch.Tensor, torch.Tensor]]] = []
        for i in range(data.copies):
            self._weights.append({
                name: self._packed(name) if i == 0 else self._copied(name) for name in self._shapes
            })  # fmt: skip
        self._bias = {name: pack_bias(data.bias[name], n) for name, (n, _) in self._shapes.items()}
        device = gate_up.blocks.device
        count = torch.cuda.get_device_properties(device).multi_processor_count
        self._locks = torch.zeros(4 * count, dtype=torch.int32, device=device)

    def _packed(self, name: str) -> tuple[torch.Tensor, torch.Tensor]:
        raw, (n, k) = self._data.raw[name], self._shapes[name]
        codes = [pack_codes(raw.blocks[e].reshape(raw.n, -1), n, k) for e in range(raw.experts)]
        scales = [pack_scales(raw.scales[e], n, k) for e in range(raw.experts)]
        return torch.stack(codes), torch.stack(scales).view(torch.float8_e8m0fnu)

    def _copied(self, name: str) -> tuple[torch.Tensor, torch.Tensor]:
        codes, scales = self._weights[0][name]
        return codes.clone(), scales.view(torch.uint8).clone().view(scales.dtype)

    def _matmul(
        self, x: torch.Tensor, layer: int, name: str, route: Route, weights: torch.Tensor,
        block: int, slots: int,
    ) -> torch.Tensor:  # fmt: skip
        codes, scales = self._weights[layer][name]
        (n, k), rows = self._shapes[name], x.shape[0]
        out = torch.empty((rows * slots, n), dtype=torch.bfloat16, device=x.device)
        weighted = name == "down"
        return self._steps.ops.moe_wna16_marlin_gemm(
            x, out, codes, self._bias[name], scales, None, None, None, None, None, self._locks,
            *route, weights, block, slots, weighted, _E2M1, rows, n, k, True, False, True, False,
            -1, -1, -1,
        )  # fmt: skip

    def layer(self, x: torch.Tensor, i: int) -> torch.Tensor:
        """Hidden states of layer ``i``."""
        tokens, hidden = x.shape
        slots, experts = self._slots, self._data.experts
        weights, ids = self._steps.choose(self._data.logits(x, i), slots)
        block = rows_of_tile(tokens * slots / experts)
        route = self._steps.align(ids, experts, block)
        wide = torch.nn.functional.pad(x, (0, self._hidden - hidden))
        h = swiglu(self._matmul(wide, i, "gate_up", route, weights, block, slots))
        y = self._matmul(h, i, "down", route, weights, block, 1)
        out = torch.empty((tokens, self._hidden), dtype=torch.bfloat16, device=x.device)
        self._steps.ops.moe_sum(y.view(tokens, slots, self._hidden), out, None, None)
        return out[:, :hidden]
