# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""``mxfp4 inspect``."""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path
from typing import Any

SUMMARY = "say what a checkpoint, packed weights or a compiled kernel is"
DESCRIPTION = """Say what is in a checkpoint, a folder or file of packed weights, a compiled
kernel, the kernels of a layer, or a folder of kernels.
"""
EXAMPLES = """examples:
  mxfp4 inspect gpt-oss-20b              expert tensors, alike ones together
  mxfp4 inspect gpt-oss-20b --scales     the range of scales, which decides the layout
  mxfp4 inspect packed --verify          read all of it, and check its digests
  mxfp4 inspect packed --verify --checkpoint gpt-oss-20b     and compare bit for bit
  mxfp4 inspect kernels                  what mxfp4 compile wrote
  mxfp4 inspect kernels/e32-n5760-k2880-spread-folded-bf16-r0
  mxfp4 inspect kernels/gpt-oss-20b      of a layer
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("path", type=Path, help="a file or a folder")
    parser.add_argument("--scales", action="store_true", help="read a checkpoint's scales")
    parser.add_argument("--verify", action="store_true", help="read packed weights and check them")
    parser.add_argument("--checkpoint", type=Path,
                        help="with --verify: what packed weights must be, bit for bit")  # fmt: skip
    parser.add_argument("--json", action="store_true", help="all of it as JSON")


def run(options: argparse.Namespace) -> int:
    """Find out what it is, and print that."""
    from ..errors import Error

    if options.checkpoint is not None and not options.verify:
        raise Error("--checkpoint goes with --verify.")
    kind, content, text = describe(options.path, options.scales, options.verify, options.checkpoint)
    if options.json:
        print(json.dumps({"path": str(options.path), "kind": kind, **content}, indent=1))
    else:
        print(f"{options.path}: {kind}\n{text}")
    return 0


def describe(
    path: Path, scales: bool, verify: bool, checkpoint: Path | None = None
) -> tuple[str, dict[str, Any], str]:
    """What a path is, as a name, as data, and as lines for people."""
    from .._safetensors import is_file
    from ..errors import Error
    from ..packed_checkpoint import INDEX
    from . import _kernels

    files = ("manifest.json", _kernels.LAYER)
    single = next((f for f in files if is_file(path / f)), None)
    if single or (path.is_dir() and any(any(path.glob(f"*/{f}")) for f in files)):
        if verify or scales:
            raise Error(f"--verify and --scales are of weights, and {path} has kernels.")
        by_file = {files[0]: _kernels.kernel, files[1]: _kernels.layer, None: _kernels.folder}
        return by_file[single](path)
    if is_file(path / INDEX):
        if scales:
            raise Error(f"--scales is of a checkpoint, which {path} is not.")
        return _packed_folder(path, verify, checkpoint)
    if path.is_file() and _is_packed(path):
        if checkpoint is not None:
            raise Error("--checkpoint goes with a folder of packed weights, got a file.")
        if scales:
            raise Error(f"--scales is of a checkpoint, which {path} is not.")
        return _packed([path], verify, "packed weights")
    if verify:
        raise Error(f"--verify is for packed weights, which {path} is not.")
    return _checkpoint(path, scales)


def _is_packed(path: Path) -> bool:
    from .. import packed_file
    from .._safetensors import open_file

    with open_file(path) as file:
        return (file.metadata() or {}).get("format") == packed_file.FORMAT


def _alike(tensors: list[dict[str, Any]]) -> dict[tuple[str, ...], list[dict[str, Any]]]:
    """Tensors by all that they have in common but the number of their layer."""
    from ..names import shown

    found: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for tensor in tensors:
        name = shown(re.sub(r"(?<=\.)\d+(?=\.)", "*", tensor["name"]))
        apart = ("name", "bytes", "scales", "source", "rows_beyond_fp8")
        rest = (str(v) for k, v in tensor.items() if k not in apart)
        found.setdefault((name, *rest), []).append(tensor)
    return found


def _checkpoint(path: Path, scales: bool) -> tuple[str, dict[str, Any], str]:
    from .._amounts import size
    from ..checkpoint import Checkpoint
    from ..packed_checkpoint import packed_bytes
    from . import table

    checkpoint = Checkpoint(path)
    tensors = []
    for tensor in checkpoint.require():
        experts, n, k = tensor.shape
        entry: dict[str, Any] = {"name": tensor.name, "experts": experts, "n": n, "k": k,
                                 "rows": tensor.rows, "bytes": tensor.nbytes}  # fmt: skip
        if scales:
            entry["scales"] = dict(tensor.proof().__dict__)
            entry["rows_beyond_fp8"] = sum(1 for _ in tensor.rows_beyond_fp8())
        tensors.append(entry)
    heading = ["tensor", "layers", "E", "N", "K", "rows", "bytes", *(["scales"] if scales else [])]
    rows = [heading]
    for (name, *shape), alike in _alike(tensors).items():
        row = [name, str(len(alike)), *shape, size(sum(t["bytes"] for t in alike))]
        rows.append([*row, _range(alike)] if scales else row)
    packed = sum(map(packed_bytes, checkpoint.experts.values()))
    content = {"tensors": tensors, "packed_bytes": packed}
    notes = checkpoint.notes()
    text = table(rows, {1, 2, 3, 4, 6}) + "".join(f"\nleft out: {note}" for note in notes)
    return "a checkpoint", {**content, "left_out": notes}, f"{text}\npacked: {size(packed)}"


def _range(tensors: list[dict[str, Any]]) -> str:
    from ..layout import FOLDED_MAX

    proofs = [t["scales"] for t in tensors]
    beyond = sum(t["rows_beyond_fp8"] for t in tensors)
    fp8 = f"{beyond} rows not for fp8" if beyond else "fp8"
    low, high = min(p["scale_min"] for p in proofs), max(p["scale_max"] for p in proofs)
    nan = ", NaN" if any(p["has_nan"] for p in proofs) else ""
    return f"{low}..{high}{nan}: {'folded' if high <= FOLDED_MAX else 'raw'}, {fp8}"


def _packed_folder(
    path: Path, verify: bool, checkpoint: Path | None
) -> tuple[str, dict[str, Any], str]:
    from ..checkpoint import Checkpoint
    from ..errors import Error
    from ..packed_checkpoint import PackedCheckpoint

    packed = PackedCheckpoint(path)
    if checkpoint is None:
        for name in packed.files:
            packed[name]  # is what the index says
        return _packed(list(packed.files.values()), verify, "a packed checkpoint")
    source = Checkpoint(checkpoint)
    if missing := [tensor.name for tensor in source.require() if tensor.name not in packed.files]:
        raise Error(f"{path} misses {len(missing)} tensors of {checkpoint}, first {missing[0]!r}.")
    for name in packed.files:
        packed.verify(name, source[name])
    kind, content, text = _packed(list(packed.files.values()), False, "a packed checkpoint")
    return kind, {**content, "verified": True}, f"{text}\nequal to {checkpoint}, bit for bit"


def _packed(files: list[Path], verify: bool, kind: str) -> tuple[str, dict[str, Any], str]:
    from .. import packed_file
    from .._amounts import size
    from . import table

    tensors = []
    for file in files:
        weights = packed_file.verify(file) if verify else packed_file.open_weights(file)
        found = packed_file.metadata(file)
        powers = 0 if weights.powers is None else int(weights.powers.nbytes)
        entry = {"name": found.get("name") or file.name.removesuffix(".safetensors"),
                 "experts": weights.experts, "n": weights.n, "k": weights.k, "rows": weights.rows,
                 "order": weights.layout.order, "scales_stored": weights.layout.scales,
                 "bytes": int(weights.data.nbytes) + powers, "source": found.get("source", ""),
                 "scales": dict(weights.proof.__dict__)}  # fmt: skip
        tensors.append(entry)
    rows = [["tensor", "files", "E", "N", "K", "rows", "order", "scales", "bytes"]]
    for (name, *rest), alike in _alike(tensors).items():
        rows.append([name, str(len(alike)), *rest, size(sum(t["bytes"] for t in alike))])
    text = table(rows, {1, 2, 3, 4, 8}) + ("\nall digests fit" if verify else "")
    return kind, {"tensors": tensors, "verified": verify}, text
