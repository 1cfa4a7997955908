# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Fuzz the readers of safetensors files: checkpoints and packed weights.

    python test/fuzz/checkpoint_fuzz.py [options of libFuzzer] CORPUS

Whatever a file holds, reading it gives tensors that fit together or an `mxfp4.Error`. The mutator
knows the format: it takes the header's JSON apart, changes it, and puts a whole file together.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import struct
import sys
import tempfile
from pathlib import Path
from typing import Any

import atheris

with atheris.instrument_imports(include=["mxfp4"]):
    from mxfp4 import Checkpoint, Error, PackedWeights, pack

NUMBERS = [0, 1, 2, 3, 16, 31, 32, 64, 128, 2176, -1, 2**31, 2**63, 2**64, 10**30]
WORDS = ["U8", "BF16", "F32", "F4", "a_blocks", "a_scales", "packed", "data_offsets", "shape",
         "mxfp4-packed-weights", "nibble", "folded", "raw", "1", "", "\N{SNOWMAN}"]  # fmt: skip


def spots(node: Any) -> list[tuple[Any, Any]]:
    """(container, key) of everything in a JSON value."""
    if isinstance(node, dict | list):
        keys = list(node) if isinstance(node, dict) else list(range(len(node)))
        return [s for k in keys for s in [(node, k), *spots(node[k])]]
    return []


def change(header: Any, rng: random.Random) -> Any:
    """A header with one thing changed."""
    places = spots(header)
    if not places:
        return {"a_blocks": {"dtype": "U8", "shape": [1, 1, 1, 16], "data_offsets": [0, 16]}}
    node, key = rng.choice(places)
    old = node[key]
    what = rng.randrange(6)
    if what == 0:
        del node[key]
    elif what == 1 and isinstance(node, dict):
        node[rng.choice(WORDS)] = node.pop(key)
    elif what == 2 and isinstance(node, list):
        node.insert(key, old)
    elif isinstance(old, int):
        node[key] = rng.choice([old + 1, old - 1, old * 2, rng.choice(NUMBERS)])
    elif isinstance(old, str):
        node[key] = rng.choice([*WORDS, old.replace("1", "2"), json.dumps(header)[:50]])
    else:
        node[key] = rng.choice([None, [], {}, 1.5, True, rng.choice(NUMBERS), rng.choice(WORDS)])
    return header


def mutate(data: bytes, most: int, seed: int) -> bytes:
    """Another file: usually a whole one with another header."""
    rng = random.Random(seed)
    try:
        size = struct.unpack("<Q", data[:8])[0]
        header = json.loads(data[8 : 8 + size])
        body = data[8 + size :]
    except (struct.error, ValueError, OverflowError, RecursionError):
        return atheris.Mutate(data, most)
    if rng.random() < 0.2:
        return atheris.Mutate(data, most)
    text = json.dumps(change(header, rng)).encode()
    if rng.random() < 0.3:
        body = atheris.Mutate(body, max(1, most - len(text) - 8)) if body else b"\0" * 32
    return (struct.pack("<Q", len(text)) + text + body)[:most]


def read(path: Path) -> None:
    """Read a file in every way there is."""
    try:
        checkpoint = Checkpoint(path)
        for name, tensor in checkpoint.experts.items():
            assert checkpoint[name].shape == tensor.shape
            experts, n, k = tensor.shape
            for blocks, scales in tensor:
                assert blocks.shape == (n, k // 32, 16)
                assert scales.shape == (n, k // 32)
            assert len(tensor) == experts
            if n * k <= 1 << 16:
                tensor.pack()
    except Error:
        pass
    with contextlib.suppress(Error):
        PackedWeights.load(path).decode(0)


def seeds(folder: Path) -> None:
    """Write the first corpus: a checkpoint and packed weights, both small."""
    import numpy as np
    from safetensors.numpy import save

    blocks = np.arange(2 * 3 * 16, dtype=np.uint8).reshape(1, 3, 2, 16)
    scales = np.full((1, 3, 2), 125, np.uint8)
    (folder / "checkpoint").write_bytes(save({"a_blocks": blocks, "a_scales": scales}))
    pack(blocks, scales).save(folder / "packed")


def main() -> None:
    """Command line."""
    if sys.argv[1:2] == ["--seeds"]:
        return seeds(Path(sys.argv[2]))
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as d:
        path = Path(d) / "model.safetensors"

        def one_input(data: bytes) -> None:
            path.write_bytes(data)
            read(path)

        atheris.Setup(sys.argv, one_input, custom_mutator=mutate)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
