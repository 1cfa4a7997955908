# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Packed weights in a safetensors file, written and read one expert at a time.

The file has one tensor, ``packed``, and metadata that says what its bytes mean: N, K, layout,
proof, and a digest of the bytes and of all that. A file is complete or not there: it is written
under another name and renamed.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._safetensors import open_file
from .errors import Error
from .formats import Quantized
from .layout import BLOCK_BYTES, Layout, blocks_of, unpack_expert
from .weights import PackedWeights, Proof

FORMAT = "mxfp4-packed-weights"
VERSION = "2"
"""Of the layout of blocks: version 1 had codes and scales in another order."""

TENSOR = "packed"
PART = ".part"
"""Ends the name of a file that is being written."""


class Digest:
    """A hash of packed bytes and of everything that says what they mean."""

    def __init__(self, shape: tuple[int, int, int], layout: Layout, proof: Proof) -> None:
        meaning = [*shape, layout.order, layout.scales]
        meaning += [proof.scale_min, proof.scale_max, proof.has_nan]
        self._hash = hashlib.blake2b(json.dumps(meaning).encode(), digest_size=16)

    def add(self, expert: NDArray[np.uint8]) -> None:
        """Take in the next expert."""
        self._hash.update(np.ascontiguousarray(expert).data)

    @property
    def text(self) -> str:
        """32 digits."""
        return self._hash.hexdigest()


def write(
    path: str | os.PathLike[str],
    packed: Iterable[NDArray[np.uint8]],
    shape: tuple[int, int, int],
    layout: Layout,
    proof: Proof,
    source: str = "",
    check: Callable[[Path], Any] = lambda complete: None,
) -> None:
    """Write packed experts as they come; one is held.

    Args:
        path: the file; it appears when all is written.
        packed: u8 ``[ceil(N/64), ceil(K/64), 2176]`` of each expert.
        shape: (E, N, K).
        layout: their layout.
        proof: theirs together.
        source: a text to find again in the metadata: where the weights are from.
        check: called with the complete file before it gets its name.

    Raises:
        OSError: if the file cannot be written; what there was of it is removed.
        Error: if there are other than E experts, or one has another shape.
    """
    path = Path(path)
    part = path.with_name(path.name + PART)
    count, n, k = shape
    digest = Digest(shape, layout, proof)
    block_shape = (*blocks_of(n, k), BLOCK_BYTES)
    try:
        with part.open("wb") as file:
            file.write(_header(shape, layout, proof, digest.text, source))
            written = 0
            for expert in packed:
                if expert.shape != block_shape:
                    raise Error(f"expert {written} must be packed as {list(block_shape)}, got "
                                f"{list(expert.shape)}.")  # fmt: skip
                digest.add(expert)
                file.write(np.ascontiguousarray(expert).data)
                written += 1
            if written != count:
                raise Error(f"expected {count} experts to write, got {written}.")
            file.seek(0)
            file.write(_header(shape, layout, proof, digest.text, source))  # of the same size
            file.flush()
            os.fsync(file.fileno())
        check(part)
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _header(
    shape: tuple[int, int, int], layout: Layout, proof: Proof, digest: str, source: str
) -> bytes:
    """The start of a safetensors file: the size of a JSON text, and the text."""
    count, n, k = shape
    dims = [count, *blocks_of(n, k), BLOCK_BYTES]
    metadata = {
        "format": FORMAT,
        "version": VERSION,
        "n": str(n),
        "k": str(k),
        "order": layout.order,
        "scales": layout.scales,
        "proof": json.dumps(proof.__dict__),
        "digest": digest,
        **({"source": source} if source else {}),
    }
    entry = {"dtype": "U8", "shape": dims, "data_offsets": [0, int(np.prod(dims))]}
    text = json.dumps({"__metadata__": metadata, TENSOR: entry}).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def metadata(path: str | os.PathLike[str]) -> dict[str, str]:
    """The metadata of a file of packed weights.

    Raises:
        Error: if the file is missing, truncated, or of another kind.
    """
    with open_file(Path(path)) as file:
        found = file.metadata() or {}
        if found.get("format") != FORMAT or TENSOR not in file.keys():  # noqa: SIM118
            raise Error(
                f"{path} is not a file of packed weights: expected metadata "
                f'format="{FORMAT}" and a tensor "{TENSOR}".'
            )
    if found.get("version") != VERSION:
        raise Error(
            f"{path}: expected version {VERSION}, got {found.get('version')!r}; pack the weights "
            "again with this package."
        )
    return dict(found)


def open_weights(path: str | os.PathLike[str]) -> PackedWeights:
    """The weights of a file as a read-only `numpy.memmap`, whose values were not looked at.

    Raises:
        Error: if the file is missing, truncated, of another kind, or its metadata is malformed.
    """
    found = metadata(path)
    try:
        n, k = int(found["n"]), int(found["k"])
        layout = Layout(found["order"], found["scales"])
        claim = json.loads(found["proof"])
        proof = Proof(int(claim["scale_min"]), int(claim["scale_max"]), bool(claim["has_nan"]))
    except (KeyError, TypeError, json.JSONDecodeError) as e:
        raise Error(f"{path}: the metadata is incomplete or malformed ({e!r}).") from e
    except ValueError as e:
        raise Error(f"{path}: the metadata is wrong: {e}") from e
    with Path(path).open("rb") as file:
        size = int.from_bytes(file.read(8), "little")
        entry = json.loads(file.read(size))[TENSOR]
    try:
        if entry["dtype"] != "U8":
            raise Error(f"packed weights must be U8, got {entry['dtype']}.")
        offset = 8 + size + entry["data_offsets"][0]
        data = np.memmap(path, np.uint8, "r", offset, tuple(entry["shape"]))
        return PackedWeights(data, n, k, layout, proof)
    except Error as e:
        raise Error(f"{path}: {e}") from e


def experts(weights: PackedWeights) -> Iterator[NDArray[np.uint8]]:
    """The experts of `open_weights`, read and not mapped: no more than one takes memory."""
    data = weights.data
    with Path(data.filename).open("rb") as file:
        file.seek(data.offset)
        for _ in range(weights.experts):
            yield np.fromfile(file, np.uint8, data[0].size).reshape(data.shape[1:])


def verify(
    path: str | os.PathLike[str], source: Iterable[Quantized] | None = None
) -> PackedWeights:
    """Read all of a file and check that its metadata tells the truth; one expert is held.

    Args:
        path: the file.
        source: the checkpoint's experts, which must be these weights bit for bit.

    Returns:
        The weights, as of `open_weights`.

    Raises:
        Error: if bytes or metadata were changed, or the source's weights are others.
    """
    weights = open_weights(path)
    digest = Digest(weights.shape, weights.layout, weights.proof)
    originals = None if source is None else iter(source)

    def looked_at() -> Iterator[NDArray[np.uint8]]:
        for e, expert in enumerate(experts(weights)):
            digest.add(expert)
            if originals is not None:
                mine = unpack_expert(expert, weights.n, weights.k, weights.layout)
                pairs = zip(mine, next(originals), strict=True)
                if not all(np.array_equal(a, b) for a, b in pairs):
                    raise Error(f"expert {e} is not what the checkpoint has; pack it again.")
            yield expert

    try:
        weights.validate_experts(looked_at())
        if metadata(path).get("digest") != digest.text:
            raise Error("the digest does not fit: bytes or metadata were changed.")
    except Error as e:
        raise Error(f"{path}: {e}") from e
    return weights
