# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Fuzz the readers of safetensors files and indexes, and what packing makes of names in them.

    python test/fuzz/checkpoint_fuzz.py [options of libFuzzer] CORPUS

Whatever a file holds, reading it gives tensors that fit together or an `mxfp4.Error`, and packing
what was read gives the same weights under the same names, in files of the output folder and nowhere
else. Each name in the header is also put into both kinds of index, as a tensor's name and as a
file's. The mutator knows the format: it takes the header's JSON apart, changes it, and puts a whole
file together.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import struct
import sys
import tempfile
from pathlib import Path
from typing import Any

import atheris

# An editable installation has a loader of its own, through which atheris counts no coverage and so
# would try nothing but noise: the package comes from the source tree.
sys.meta_path = [f for f in sys.meta_path if "editable" not in type(f).__module__.lower()]
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "python"))

with atheris.instrument_imports(include=["mxfp4"]):
    from mxfp4 import Checkpoint, Error, PackedWeights, pack
    from mxfp4.checkpoint import INDEX
    from mxfp4.names import file_name, inside
    from mxfp4.packed_checkpoint import INDEX as PACKED
    from mxfp4.packed_checkpoint import PackedCheckpoint, pack_checkpoint

NUMBERS = [0, 1, 2, 3, 16, 31, 32, 64, 128, 2176, -1, 2**31, 2**63, 2**64, 10**30]
WORDS = ["U8", "BF16", "F32", "F4", "a_blocks", "a_scales", "packed", "data_offsets", "shape",
         "mxfp4-packed-weights", "nibble", "folded", "raw", "1", "", "\N{SNOWMAN}", "I8", "F8_E8M0",
         "F8_E4M3", "gate, up interleaved"]  # fmt: skip
PARTS = ["experts", "0", "1", "2", "10", "999999", "w1", "w2", "w3", "gate_proj", "up_proj", "..",
         "down_proj", "/", "../../victim", "/victim", "A", "a", "\0", "\n", "x" * 130, "~", "con",
         "\N{RIGHT-TO-LEFT OVERRIDE}", "model.safetensors"]  # fmt: skip
ENDS = ["_blocks", "_scales", ".blocks", ".scales", ".weight", ".weight_packed", ".weight_scale",
        ".scale", ".weight_scale_2", ""]  # fmt: skip


def any_name(rng: random.Random) -> str:
    """A word of the format, or a tensor's name, nasty or not."""
    if rng.random() < 0.4:
        return rng.choice(WORDS)
    parts = [rng.choice(PARTS) for _ in range(rng.randrange(5))]
    return rng.choice(["", ".", "/", "/"]).join(parts) + rng.choice(ENDS)


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
        node[any_name(rng)] = node.pop(key)
    elif what == 2 and isinstance(node, list):
        node.insert(key, old)
    elif isinstance(old, int):
        node[key] = rng.choice([old + 1, old - 1, old * 2, rng.choice(NUMBERS)])
    elif what == 3 and isinstance(node, dict):  # a pair, and so an expert tensor, is renamed
        base, new = key.removesuffix("_blocks").removesuffix("_scales"), any_name(rng)
        for end in ("_blocks", "_scales"):
            if base + end in node:
                node[new + end] = node.pop(base + end)
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


def is_a_sentence(error: Error) -> None:
    """A terminal shows it and obeys nothing in it."""
    assert str(error).isprintable(), repr(str(error))


def files_in(folder: Path) -> dict[str, bytes]:
    """All files below a folder."""
    return {str(p): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def pack_all(checkpoint: Checkpoint, folder: Path) -> None:
    """Pack what was read: the same is found again, and nothing is written beside the folder."""
    out = folder / "a" / "b"
    out.mkdir(parents=True)
    before = files_in(folder)
    packed = pack_checkpoint(checkpoint, out)
    assert set(packed.files) == set(checkpoint.experts)
    new = {p for p in files_in(folder).items() if p not in before.items()}
    names = {file_name(name) for name in checkpoint.experts}
    assert {p for p, _ in new} == {str(out / n) for n in {*names, PACKED, ".lock"}}
    for tensor in checkpoint.experts.values():
        packed.verify(tensor.name, tensor)
        packed.of(tensor)
    shutil.rmtree(folder / "a")


def index_all(names: list[str], folder: Path) -> None:
    """Names as tensors and as files of indexes: no file is there, and nothing else is found."""
    place = folder / "i"
    place.mkdir()
    for name in names:
        shard = inside(place, name)
        assert shard is None or (shard.parent, shard.name) == (place, name), repr(name)
        for kind, index, content in (
            (Checkpoint, INDEX, {"weight_map": {name: name}}),
            (PackedCheckpoint, PACKED, {"format": "mxfp4-packed-checkpoint", "version": 2,
                                        "tensors": {name: {"file": name}}}),
        ):  # fmt: skip
            (place / index).write_text(json.dumps(content))
            try:
                kind(place)
            except Error as e:
                is_a_sentence(e)
            else:
                raise AssertionError(f"{kind.__name__} read what {name!r} names")
            (place / index).unlink()
    place.rmdir()


def read(path: Path) -> None:
    """Read a file in every way there is."""
    try:
        checkpoint = Checkpoint(path)
        index_all(sorted(checkpoint._tensors)[:8], path.parent)
        checkpoint.notes()
        for name, tensor in checkpoint.experts.items():
            assert checkpoint[name].shape == tensor.shape
            experts, n, k = tensor.shape
            for blocks, scales in tensor:
                assert blocks.shape == (n, k // 32, 16)
                assert scales.shape == (n, k // 32)
            assert len(tensor) == experts
            if n * k <= 1 << 16:
                assert tensor.pack().rows == tensor.rows
        if checkpoint.experts and path.stat().st_size < 1 << 14:
            pack_all(checkpoint, path.parent)
        checkpoint.require()
    except Error as e:
        is_a_sentence(e)
    with contextlib.suppress(Error):
        PackedWeights.load(path).decode(0)


def seeds(folder: Path) -> None:
    """Write the first corpus: two forms of checkpoints and packed weights, all small."""
    import numpy as np
    from safetensors.numpy import save

    blocks = np.arange(2 * 3 * 16, dtype=np.uint8).reshape(1, 3, 2, 16)
    scales = np.full((1, 3, 2), 125, np.uint8)
    (folder / "checkpoint").write_bytes(save({"a_blocks": blocks, "a_scales": scales}))
    pack(blocks, scales).save(folder / "packed")
    apart = {}
    for e in range(2):
        for projection in ("w1", "w2", "w3"):
            apart[f"l.0.experts.{e}.{projection}.weight"] = blocks[0, :2].reshape(2, 32)
            apart[f"l.0.experts.{e}.{projection}.scale"] = scales[0, :2]
    (folder / "apart").write_bytes(save(apart))
    (folder / "names").write_bytes(
        save({"../../victim_blocks": blocks, "../../victim_scales": scales})
    )
    packed_from = Checkpoint(folder / "checkpoint")
    with tempfile.TemporaryDirectory() as d:
        (file,) = pack_checkpoint(packed_from, d).files.values()
        shutil.copy(file, folder / "packed_from")


def main() -> None:
    """Command line."""
    if sys.argv[1:2] == ["--seeds"]:
        return seeds(Path(sys.argv[2]))
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as d:
        path = Path(d) / "f" / "model.safetensors"
        path.parent.mkdir()
        (Path(d) / "victim.safetensors").write_bytes(b"precious")

        def one_input(data: bytes) -> None:
            path.write_bytes(data)
            read(path)
            assert sorted(os.listdir(d)) == ["f", "victim.safetensors"]
            assert os.listdir(path.parent) == ["model.safetensors"]

        atheris.Setup(sys.argv, one_input, custom_mutator=mutate)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
