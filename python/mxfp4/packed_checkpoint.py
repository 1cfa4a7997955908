# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A checkpoint's experts, packed once into a folder: a file for each expert tensor, and an index.

Packing holds a few experts, whatever the checkpoint's size. Each file is compared with the
checkpoint before it gets its name, so what is there is right: an interrupted run goes on after the
last of them.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from . import packed_file
from .checkpoint import Checkpoint, ExpertTensor
from .errors import Error
from .formats import Quantized
from .layout import BLOCK_BYTES, Layout, blocks_of, pack_expert
from .weights import PackedWeights, layout_for

INDEX = "mxfp4-packed.json"
FORMAT = "mxfp4-packed-checkpoint"


def packed_bytes(tensor: ExpertTensor) -> int:
    """Bytes of an expert tensor when it is packed."""
    experts, n, k = tensor.shape
    rows, columns = blocks_of(n, k)
    return experts * rows * columns * BLOCK_BYTES


def fingerprint(tensor: ExpertTensor) -> str:
    """Tells whether a file was packed from this tensor as it is now, without reading it."""
    seen = [tensor.name, *tensor.shape]
    for path in sorted({tensor._blocks.path, tensor._scales.path}):
        stamp = path.stat()
        seen += [path.name, stamp.st_size, stamp.st_mtime_ns]
    return hashlib.blake2b(json.dumps(seen).encode(), digest_size=16).hexdigest()


def pack_checkpoint(
    source: Checkpoint,
    folder: str | os.PathLike[str],
    layout: Layout | str = "auto",
    *,
    names: list[str] | None = None,
    verify: bool = True,
    on_start: Callable[[str, bool], Any] = lambda name, kept: None,
    on_bytes: Callable[[int], Any] = lambda count: None,
) -> PackedCheckpoint:
    """Pack expert tensors into a folder, or those that are not there yet.

    Args:
        source: the checkpoint.
        folder: made if it is not there.
        layout: as in `mxfp4.pack`; "auto" is decided for each tensor.
        names: tensors to pack; all if None.
        verify: unpack each file again and compare it with the checkpoint, bit for bit.
        on_start: called with each tensor's name, and whether its file was there already.
        on_bytes: called with the packed bytes of each expert when it is done, or of all if kept.

    Raises:
        Error: if there is nothing to pack, a scale does not fit the layout, the disk is too small,
            another process packs into the folder, or a file is not what was packed.
        OSError: if a file cannot be written.
    """
    tensors = [source[name] for name in (source.experts if names is None else names)]
    if not tensors:
        raise Error(f"{source.path} has no MXFP4 expert tensors to pack.")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder):
        missing = [t for t in tensors if not _is_packed(t, folder, layout)]
        needed = sum(map(packed_bytes, missing))
        free = shutil.disk_usage(folder).free
        if needed > free:
            raise Error(
                f"packing into {folder} needs {needed / 1e9:.1f} GB, but only {free / 1e9:.1f} GB "
                "are free there."
            )
        for tensor in tensors:
            kept = tensor not in missing
            on_start(tensor.name, kept)
            if kept:
                on_bytes(packed_bytes(tensor))
            else:
                _pack(tensor, folder, layout, verify, on_bytes)
        _write_index(folder)
    return PackedCheckpoint(folder)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as e:
            raise Error(f"another process is packing into {folder}; wait for it.") from e
        yield


def _is_packed(tensor: ExpertTensor, folder: Path, layout: Layout | str) -> bool:
    file = folder / f"{tensor.name}.safetensors"
    if not file.is_file():
        return False
    try:
        weights = packed_file.open_weights(file)
        made_from = packed_file.metadata(file).get("source")
    except Error:
        return False  # of another kind or broken: it is replaced
    return made_from == fingerprint(tensor) and layout in ("auto", weights.layout)


def _pack(
    tensor: ExpertTensor,
    folder: Path,
    layout: Layout | str,
    verify: bool,
    on_bytes: Callable[[int], Any],
) -> None:
    proof = tensor.proof()
    chosen = layout_for(layout, proof)
    size = packed_bytes(tensor) // len(tensor)

    def experts() -> Iterator[NDArray[Any]]:
        for blocks, scales in tensor:
            yield pack_expert(blocks, scales, chosen)
            on_bytes(size - size // 2 if verify else size)

    def originals() -> Iterator[Quantized]:
        for original in tensor:
            on_bytes(size // 2)
            yield original

    packed_file.write(
        folder / f"{tensor.name}.safetensors",
        experts(),
        tensor.shape,
        chosen,
        proof,
        fingerprint(tensor),
        check=lambda part: packed_file.verify(part, originals()) if verify else None,
    )


def _write_index(folder: Path) -> None:
    entries = {}
    for file in sorted(folder.glob("*.safetensors")):
        weights = packed_file.open_weights(file)
        entries[file.name.removesuffix(".safetensors")] = {
            "file": file.name,
            "shape": list(weights.shape),
            "order": weights.layout.order,
            "scales": weights.layout.scales,
        }
    text = json.dumps({"format": FORMAT, "version": 1, "tensors": entries}, indent=1) + "\n"
    part = folder / (INDEX + packed_file.PART)
    part.write_text(text)
    part.replace(folder / INDEX)


class PackedCheckpoint:
    """The packed expert tensors in a folder that `pack_checkpoint` wrote.

    Raises:
        Error: if there is no such folder, or a file that its index names is missing.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)
        index = self.folder / INDEX
        if not index.is_file():
            raise Error(f"{folder} has no {INDEX}; `mxfp4 pack` writes such a folder.")
        try:
            content = json.loads(index.read_text())
            kind, tensors = (content["format"], content["version"]), content["tensors"]
            self.files = {str(n): self.folder / str(t["file"]) for n, t in tensors.items()}
        except (ValueError, KeyError, TypeError, AttributeError) as e:
            raise Error(f"{index} is not an index of packed tensors ({e!r}).") from e
        if kind != (FORMAT, 1):
            raise Error(f'{index}: expected "format": "{FORMAT}" and version 1, got {kind}.')
        for file in self.files.values():
            if not file.is_file():
                raise Error(f"{index} names {file.name}, which is not there; pack again.")

    def __getitem__(self, name: str) -> PackedWeights:
        """A tensor by its name, as a memmap.

        Raises:
            Error: if there is none of that name, or its file is broken.
        """
        if name not in self.files:
            raise Error(f"{self.folder} has no packed tensor {name!r}.")
        return packed_file.open_weights(self.files[name])

    def verify(self, name: str) -> PackedWeights:
        """A tensor, after all of its file was read and fits its digest.

        Raises:
            Error: if it does not.
        """
        self[name]
        return packed_file.verify(self.files[name])
