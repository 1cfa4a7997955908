# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Packed weights in a safetensors file, written and read one expert at a time.

The file has one tensor, ``packed``, those for activations in FP8 a second one, ``powers``
(`PackedWeights.powers`), and metadata that says what its bytes mean: N, K, layout,
proof, the order of rows, which tensor of a checkpoint it is and that tensor's `SourceDigest`, and a
digest of the bytes and of all that. Weights for FP8 may have other scales of blocks of zeros than
the checkpoint; their file has the digest of what it holds, too. A file is complete or not there: it
is written under another name and renamed.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import secrets
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._files import check_regular, discard, naming, open_scratch
from ._safetensors import open_file, tensors_of
from ._typed import typed
from .errors import Error
from .experts import SourceDigest
from .formats import Quantized
from .layout import FP8, Layout
from .layout_bytes import held_scales
from .names import shown
from .weights import AS_STORED, PackedWeights, Proof

FORMAT = "mxfp4-packed-weights"
INDEX = "mxfp4-packed.json"
"""The index of a folder of such files."""

VERSION = "3"
"""Version 1 had codes and scales in another order, version 2 no digest of the checkpoint."""

TENSOR, POWERS = "packed", "powers"
HELD = "unpacked"
"""In the metadata: the digest of weights that are the checkpoint's but for scales of zeros."""
PART = ".part"
"""Ends the name of a file that is being written."""


@dataclass
class Origin:
    """Where packed weights are from.

    Attributes:
        rows: what the order of rows is, see `PackedWeights`.
        name: the tensor in the checkpoint; empty if they are of none.
        digest: of the checkpoint's codes and scales; complete when all experts were written.
        held: the same of what the file holds, if that may have other scales of blocks of zeros.
    """

    rows: str = AS_STORED
    name: str = ""
    digest: SourceDigest | None = None
    held: SourceDigest | None = None

    def metadata(self) -> dict[str, str]:
        """As the file has it; of one size, whatever the digest is."""
        named = {"name": self.name, "source": self.digest.text} if self.digest else {}
        held = {HELD: self.held.text} if self.held else {}
        return {"rows": self.rows, **named, **held}


_LONGEST = Proof(255, 255, False)
"""In a header; of no proof does JSON take more."""


@dataclass
class _Meaning:
    """All metadata but the digest of packed bytes, and that digest."""

    shape: tuple[int, int, int]
    layout: Layout
    proof: Proof
    powers: NDArray[np.float32] | None = None
    _hash: Any = field(default_factory=lambda: hashlib.blake2b(digest_size=16))

    def add(self, expert: NDArray[np.uint8]) -> None:
        """Take in the next expert's packed bytes."""
        self._hash.update(np.ascontiguousarray(expert).data)

    def digest(self, origin: dict[str, str]) -> str:
        """Of the packed bytes, and of everything that says what they mean: 32 digits."""
        meaning: list[Any] = [*self.shape, self.layout.order, self.layout.scales]
        meaning += [self.proof.scale_min, self.proof.scale_max, self.proof.has_nan]
        meaning += [origin.get(key, "") for key in ("rows", "name", "source")]
        meaning += [origin[HELD]] if HELD in origin else []
        whole = self._hash.copy()
        if self.powers is not None:
            whole.update(self.power_bytes())
        whole.update(json.dumps(meaning).encode())
        return str(whole.hexdigest())

    def power_bytes(self) -> bytes:
        """What the file has behind the experts."""
        return b"" if self.powers is None else np.ascontiguousarray(self.powers, "<f4").tobytes()

    def header(self, origin: dict[str, str], least: int = 0) -> bytes:
        """The start of a safetensors file: the size of a JSON text, and the text, with spaces up to
        ``least`` bytes in all."""
        count, n, k = self.shape
        dims = [count, *self.layout.shape(n, k)]
        end = int(np.prod(dims))
        metadata = {
            "format": FORMAT,
            "version": VERSION,
            "n": str(n),
            "k": str(k),
            "order": self.layout.order,
            "scales": self.layout.scales,
            "proof": json.dumps(self.proof.__dict__),
            "digest": self.digest(origin),
            **origin,
        }
        entries = {TENSOR: {"dtype": "U8", "shape": dims, "data_offsets": [0, end]}}
        if self.powers is not None:
            place = [end, end + 4 * count * n]
            entries[POWERS] = {"dtype": "F32", "shape": [count, n], "data_offsets": place}
        text = json.dumps({"__metadata__": metadata, **entries}).encode()
        text = text.ljust(max(least - 8, 0))
        text += b" " * (-len(text) % 8)
        return len(text).to_bytes(8, "little") + text


@typed
def write(
    path: str | os.PathLike[str],
    packed: Iterable[NDArray[np.uint8]],
    shape: tuple[int, int, int],
    layout: Layout,
    proof: Proof | Callable[[], Proof],
    origin: Origin | None = None,
    check: Callable[[Path], Any] = lambda complete: None,
    powers: NDArray[np.float32] | None = None,
) -> None:
    """Write packed experts as they come; one is held.

    Args:
        path: the file; it appears when all is written.
        packed: u8 of `Layout.shape` of each expert.
        shape: (E, N, K).
        layout: their layout.
        proof: theirs together, or what tells it when all experts were written.
        origin: where they are from; its digest may grow while experts come.
        check: called with the complete file before it gets its name.
        powers: `PackedWeights.powers`.

    Raises:
        OSError: if the file cannot be written; what there was of it is removed.
        Error: if there are other than E experts, or one has another shape.
    """
    path = Path(path)
    origin = origin or Origin()
    check_regular(path)
    # Two processes never write one file, even where a file system has no locks.
    part = path.with_name(f"{path.name}.{secrets.token_hex(4)}{PART}")
    count, n, k = shape
    meaning = _Meaning(shape, layout, _LONGEST if callable(proof) else proof, powers)
    block_shape = layout.shape(n, k)
    try:
        with naming(path, part) as reading, open_scratch(part, path) as file:
            start = file.write(meaning.header(origin.metadata()))
            written = 0
            for expert in reading(packed):
                if expert.shape != block_shape:
                    raise Error(f"expert {written} must be packed as {list(block_shape)}, got "
                                f"{list(expert.shape)}.")  # fmt: skip
                meaning.add(expert)
                file.write(np.ascontiguousarray(expert).data)
                written += 1
            if written != count:
                raise Error(f"expected {count} experts to write, got {written}.")
            file.write(meaning.power_bytes())
            file.seek(0)
            meaning.proof = proof() if callable(proof) else proof
            again = file.write(meaning.header(origin.metadata(), start))
            assert again == start
            file.flush()
            _sync(file.fileno())
        check(part)
        part.replace(path)
    except BaseException:
        discard(part)
        raise


def _sync(descriptor: int) -> None:
    """Wait until a file is on the disk, where the file system knows of such a thing."""
    try:
        os.fsync(descriptor)
    except OSError as e:
        if e.errno not in (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP):
            raise


def parts(path: Path) -> list[Path]:
    """What killed processes left that were writing a file."""
    return [p for p in path.parent.glob(f"*{PART}") if p.name.startswith(f"{path.name}.")]


@typed
def metadata(path: str | os.PathLike[str]) -> dict[str, str]:
    """The metadata of a file of packed weights.

    Raises:
        Error: if the file is missing, truncated, or of another kind.
    """
    with open_file(Path(path)) as file:
        found = file.metadata() or {}
        if found.get("format") != FORMAT or TENSOR not in file.keys():  # noqa: SIM118
            raise Error(
                f"{shown(path)} is not a file of packed weights: expected metadata "
                f'format="{FORMAT}" and a tensor "{TENSOR}".'
            )
    if found.get("version") != VERSION:
        old = found.get("version") == "2"
        raise Error(
            f"{shown(path)}: expected version {VERSION}, got {shown(repr(found.get('version')))}"
            + (", which has no digest of the checkpoint that it is from" if old else "")
            + "; pack the weights again with this package."
        )
    return dict(found)


@typed
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
        rows = found["rows"]
    except (KeyError, TypeError, RecursionError, json.JSONDecodeError) as e:
        raise Error(f"{path}: the metadata is incomplete or malformed ({shown(repr(e))}).") from e
    except (ValueError, OverflowError) as e:
        raise Error(f"{path}: the metadata is wrong: {shown(e)}") from e
    tensors = tensors_of(Path(path))
    stored = tensors[TENSOR]
    try:
        if stored.dtype != "U8":
            raise Error(f"packed weights must be U8, got {stored.dtype}.")
        if len(stored.shape) != 4 or not stored.size:
            raise Error(f"packed weights must have 4 dimensions, got {list(stored.shape)}.")
        data = np.memmap(path, np.uint8, "r", stored.offset, stored.shape)
        powers = tensors[POWERS].array() if POWERS in tensors else None
        return PackedWeights(data, n, k, layout, proof, rows, powers)
    except Error as e:
        raise Error(f"{shown(path)}: {e}") from e


@typed
def experts(weights: PackedWeights) -> Iterator[NDArray[np.uint8]]:
    """The experts of `open_weights`, read and not mapped: no more than one takes memory."""
    data = weights.data
    with Path(data.filename).open("rb") as file:
        file.seek(data.offset)
        for _ in range(weights.experts):
            yield np.fromfile(file, np.uint8, data[0].size).reshape(data.shape[1:])


@typed
def is_whole(path: str | os.PathLike[str]) -> bool:
    """Whether a file's bytes and metadata fit its digest; all of it is read, and not unpacked."""
    weights, found = open_weights(path), metadata(path)
    meaning = _Meaning(weights.shape, weights.layout, weights.proof, weights.powers)
    for expert in experts(weights):
        meaning.add(expert)
    return found.get("digest") == meaning.digest(found)


@typed
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
    found = metadata(path)
    meaning = _Meaning(weights.shape, weights.layout, weights.proof, weights.powers)
    digest = SourceDigest(weights.shape)
    originals = None if source is None else iter(source)

    def looked_at() -> Iterator[NDArray[np.uint8]]:
        for e, expert in enumerate(experts(weights)):
            meaning.add(expert)
            mine = weights.unpack_bytes(expert, e)
            digest.add(mine)
            if originals is not None and not _is_of(mine, next(originals, None), weights.layout):
                raise Error(f"expert {e} is not what the checkpoint has; pack it again.")
            yield expert

    try:
        weights.validate_experts(looked_at())
        if found.get("digest") != meaning.digest(found):
            raise Error("the digest does not fit: bytes or metadata were changed.")
        if found.get(HELD, found.get("source", digest.text)) != digest.text:
            raise Error("the weights are not those whose digest the metadata has.")
    except Error as e:
        raise Error(f"{shown(path)}: {e}") from e
    return weights


def _is_of(mine: Quantized, theirs: Quantized | None, layout: Layout) -> bool:
    """Whether an unpacked expert is a checkpoint's, as far as its layout keeps it."""
    if theirs is None:
        return False
    if layout == FP8:
        theirs = Quantized(theirs.blocks, held_scales(*theirs))
    return all(map(np.array_equal, mine, theirs))
