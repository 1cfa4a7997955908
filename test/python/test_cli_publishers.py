# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Checkpoints of other publishers through the command ``mxfp4``: inspected, packed, compared."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from helpers import random_weights, write_safetensors
from mxfp4.conventions import NAMINGS
from publishers import SINGLE, Tensors, apart, pair
from said import Said


@pytest.fixture
def forms(rng: np.random.Generator) -> dict[str, Tensors]:
    down, gate = (random_weights(rng, 2, 64, 32, 100, 120) for _ in range(2))
    return {
        "deepseek": apart("layers.0.ffn.experts", {"w1": gate, "w2": down, "w3": gate}, SINGLE[2],
                          codes="I8", scales="F8_E8M0"),
        "compressed": apart("m.experts", {"gate_proj": gate, "up_proj": gate, "down_proj": down},
                            SINGLE[0]),
        "odd": {**pair("block.0.mlp.mlp1_weight", gate, NAMINGS[1], flat=False),
                **pair("../../a\nb", down, NAMINGS[0], "F4"),
                "self_attn.kv_scales": ("F32", (2,), bytes(8))},
    }  # fmt: skip


@pytest.mark.slow
def test_experts_are_read_packed_and_compared(tmp_path: Path, forms: dict[str, Tensors]) -> None:
    for form, tensors in forms.items():
        file, out = tmp_path / f"{form}.safetensors", tmp_path / "packed" / form
        write_safetensors(file, tensors)
        said = Said("inspect", file, "--scales")
        assert said.status == 0, said.err
        assert ("gate, up interleaved" in said.out) == (form != "odd")
        assert "2 tensors" in Said("pack", file, "-o", out).out
        assert "2 were there already" in Said("pack", file, "-o", out).out
        said = Said("inspect", out, "--verify", "--checkpoint", file)
        assert f"equal to {file}, bit for bit" in said.out, said.err
    assert r"../../a\nb " in said.out, "a name is shown in one line"
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "compressed.safetensors", "deepseek.safetensors", "odd.safetensors", "packed"]  # fmt: skip


def test_nothing_found_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "none.safetensors"
    write_safetensors(file, {"a.weight": ("BF16", (1,), bytes(2))})
    for command in (["inspect"], ["pack", "-o", tmp_path / "n"], ["run", "--cpu"],
                    ["compile", "-o", tmp_path / "k", "--checkpoint"]):  # fmt: skip
        said = Said(*command, file)
        said.error("no MXFP4 expert tensors. Found: a.weight (BF16 [1]). Looked for")
    assert not (tmp_path / "n").exists()
