# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A checkpoint's experts, packed once into a folder: a file for each expert tensor, and an index.

`packed_folder` reads such folders. Packing holds a few experts, whatever the checkpoint's size.
Each file is compared with the checkpoint before it gets its name, so what is there is right: an
interrupted run goes on after the last of them. Which weights a file holds is told by the digest of
what was packed (`experts.SourceDigest`), and not by names, sizes and times, which are equal for all
checkpoints of a model in images and stores: the digest is computed again from the checkpoint when
packing is taken up and when packed weights are joined to a model, and from the packed weights by
`verify`.
"""

from __future__ import annotations

import errno
import fcntl
import json
import logging
import math
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import packed_file
from ._amounts import size
from ._files import making, naming
from ._typed import typed
from .checkpoint import Checkpoint, ExpertTensor
from .errors import Error
from .experts import Shape, SourceDigest
from .formats import Quantized
from .layout import FP8, Layout, pack_expert
from .layout_bytes import refusal, restore_row_powers, take_row_powers
from .names import file_name, shown
from .packed_file import INDEX
from .packed_folder import FORMAT, VERSION, PackedCheckpoint
from .packing import layout_for
from .weights import Proof

__all__ = ["FORMAT", "INDEX", "PackedCheckpoint", "pack_checkpoint", "packed_bytes"]

LOCK = ".lock"
"""The file that a process holds which packs into a folder."""

_log = logging.getLogger(__name__)
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL)


@typed
def packed_bytes(tensor: ExpertTensor, layout: Layout | str = "auto") -> int:
    """Bytes of an expert tensor when it is packed, in a layout or, as "auto" says, in any for
    activations in bf16."""
    experts, n, k = tensor.shape
    known = FP8 if layout == "fp8" else layout if isinstance(layout, Layout) else Layout()
    powers = 4 * n if known == FP8 else 0
    return experts * (math.prod(known.shape(n, k)) + powers)


@typed
def pack_checkpoint(
    source: Checkpoint,
    folder: str | os.PathLike[str],
    layout: Layout | str = "auto",
    *,
    names: list[str] | None = None,
    verify: bool = True,
    force: bool = False,
    on_check: Callable[[str], Any] = lambda name: None,
    on_start: Callable[[str, bool], Any] = lambda name, kept: None,
    on_bytes: Callable[[int], Any] = lambda count: None,
) -> PackedCheckpoint:
    """Pack expert tensors into a folder, or those that are not there yet.

    Args:
        source: the checkpoint.
        folder: made if it is not there.
        layout: as in `mxfp4.pack`; "auto" is decided for each tensor, and never "fp8".
        names: tensors to pack; all if None.
        verify: unpack each file again and compare it with the checkpoint, bit for bit; of files
            that are there already, compare the digests of their own bytes, too.
        force: replace files that are there and hold something else.
        on_check: called with the name of each tensor that has a file, before it is compared.
        on_start: called with each tensor's name, and whether its file was there already.
        on_bytes: called with the packed bytes of each expert when it is done, or was compared.

    Raises:
        Error: if there is nothing to pack, a scale does not fit the layout, the disk is too small,
            another process packs into the folder, the folder is the checkpoint's own, a file is not
            what was packed, or, without ``force``, a file is there that holds something else.
            All of that but scales for a `Layout` "folded" is found before anything is packed.
        OSError: if a file cannot be written.
    """
    layout = FP8 if layout == "fp8" else layout
    tensors = source.require(None if names is None else list(dict.fromkeys(names)))
    folder = Path(folder)
    _refuse_own_folder(tensors, source, folder)
    _refuse_folders_for_files([INDEX, *(file_name(t.name) for t in tensors)], folder)
    with _made(folder), _alone(folder) as locked:
        kept = _kept(tensors, folder, layout, verify, force, on_check, on_bytes)
        needed = sum(packed_bytes(t, layout) for t in tensors if t.name not in kept)
        free = shutil.disk_usage(folder).free
        if needed > free:
            raise Error(
                f"packing into {folder} needs {size(needed)}, but only {size(free)} are free there."
            )
        if layout == FP8:
            _refuse_rows([t for t in tensors if t.name not in kept])
        for tensor in tensors:
            on_start(tensor.name, tensor.name in kept)
            if tensor.name not in kept:
                for part in packed_file.parts(folder / file_name(tensor.name)) if locked else ():
                    part.unlink(missing_ok=True)
                _pack(tensor, folder, layout, verify, on_bytes)
        _write_index(folder)
    return PackedCheckpoint(folder)


def _refuse_own_folder(tensors: list[ExpertTensor], source: Checkpoint, folder: Path) -> None:
    """Refuse to pack into a folder that has files of the checkpoint, before anything is written."""
    files = {file for tensor in tensors for file in tensor.files}
    # `Path.resolve` does not take links that lead in a circle.
    theirs = {os.path.realpath(file.parent) for file in files}
    theirs |= {os.path.dirname(os.path.realpath(file)) for file in files}
    theirs.add(os.path.realpath(source.path))
    if os.path.realpath(folder) in theirs and folder.is_dir():
        raise Error(
            f"{folder} has the checkpoint's own files; packed weights need another folder, so that "
            "neither is taken for the other."
        )


@contextmanager
def _made(folder: Path) -> Iterator[None]:
    """The folder, which goes again if nothing is packed into it."""
    stack = ExitStack()
    try:
        stack.enter_context(making(folder, ours=[LOCK]))
    except (FileExistsError, NotADirectoryError, RuntimeError) as e:
        raise Error(
            f"{shown(folder)} cannot become a folder, because it or a part of its path is a file "
            "or a broken link; choose another path to pack into."
        ) from e
    with stack:
        yield


def _refuse_folders_for_files(names: list[str], folder: Path) -> None:
    """Refuse a folder where a file is to be written, which no renaming replaces."""
    for name in names:
        if (folder / name).is_dir() and not (folder / name).is_symlink():
            raise Error(
                f"{folder / name} is a folder, and a file of this name is to be written there. "
                "Nothing was packed: remove the folder, or choose another one to pack into."
            )


def _open_lock(file: Path) -> int:
    """Open a lock's file, which is neither a link to elsewhere nor a pipe to wait for."""
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(file, flags, 0o666)
    except OSError as e:
        if e.errno not in (errno.ELOOP, errno.EISDIR, errno.ENXIO):
            raise
    else:
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            return descriptor
        os.close(descriptor)
    raise Error(f"{file} must be a plain file, which locks the folder; remove what is there.")


@contextmanager
def _alone(folder: Path) -> Iterator[bool]:
    """Hold the folder's lock; whether there is one, which not every file system has."""
    with os.fdopen(_open_lock(folder / LOCK), "r+b", buffering=0) as lock:
        locked = True
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as e:
            raise Error(f"another process is packing into {folder}; wait for it.") from e
        except OSError as e:
            if e.errno not in _NO_LOCKS:
                raise
            locked = False
            _log.warning(
                "warning: the file system of %s has no locks (%s): do not pack into this folder "
                "from two processes at once.", folder, e.strerror or e,
            )  # fmt: skip
        yield locked


def _kept(
    tensors: list[ExpertTensor],
    folder: Path,
    layout: Layout | str,
    verify: bool,
    force: bool,
    on_check: Callable[[str], Any],
    on_bytes: Callable[[int], Any],
) -> set[str]:
    """Names of the tensors whose files are there and right.

    Raises:
        Error: if a file holds something else and ``force`` is not given.
    """
    kept: set[str] = set()
    others: list[str] = []
    for tensor in tensors:
        file = folder / file_name(tensor.name)
        if not os.path.lexists(file):
            continue
        on_check(tensor.name)
        reason = _difference(tensor, file, layout, verify, on_bytes)
        if reason is None:
            kept.add(tensor.name)
        else:
            others.append(f"{file} {reason}")
    if others and not force:
        raise Error(
            others[0]
            + (f" (and {len(others) - 1} more like that)" if len(others) > 1 else "")
            + ". Nothing was packed: choose another folder, or say --force (force=True) to replace "
            "what is there."
        )
    return kept


def _difference(
    tensor: ExpertTensor,
    file: Path,
    layout: Layout | str,
    verify: bool,
    on_bytes: Callable[[int], Any],
) -> str | None:
    """What a file is, if it is not this tensor packed as it is asked for."""
    try:
        weights = packed_file.open_weights(file)
        found = packed_file.metadata(file)
    except Error as e:
        why = str(e).removeprefix(f"{file}: ").rstrip(".")
        return f"is there and cannot be kept: {why}"
    if found.get("name") != tensor.name:
        return f"holds {shown(found.get('name'))!r}"
    if layout not in ("auto", weights.layout):
        return f"has the weights in the layout {weights.layout}, and {layout} is asked for"
    if layout == "auto" and weights.layout == FP8:
        return "has the weights for activations in FP8, and those for bf16 are asked for"
    size = packed_bytes(tensor, layout) // len(tensor)
    same = weights.shape == tensor.shape and weights.rows == tensor.rows
    if not same or tensor.digest(lambda: on_bytes(size)) != found.get("source"):
        return "was packed from other weights than the checkpoint has now"
    if verify and not packed_file.is_whole(file):
        return "was changed since it was packed, because its digest does not fit"
    return None


def _pack(
    tensor: ExpertTensor,
    folder: Path,
    layout: Layout | str,
    verify: bool,
    on_bytes: Callable[[int], Any],
) -> None:
    fp8 = _ForFp8(tensor.shape) if layout == FP8 else None
    proof = Proof(0, 0, False) if fp8 else tensor.proof()
    chosen = layout_for(layout, proof)
    size = packed_bytes(tensor, layout) // len(tensor)
    digest = SourceDigest(tensor.shape)

    def experts() -> Iterator[NDArray[Any]]:
        for e, expert in enumerate(tensor):
            digest.add(expert)
            yield pack_expert(*(fp8.reduced(e, expert) if fp8 else expert), chosen)
            on_bytes(size - size // 2 if verify else size)

    def originals() -> Iterator[Quantized]:
        for original in tensor:
            on_bytes(size // 2)
            yield original

    packed_file.write(
        folder / file_name(tensor.name),
        experts(),
        tensor.shape,
        chosen,
        fp8.proof if fp8 else proof,
        packed_file.Origin(tensor.rows, tensor.name, digest, fp8.held if fp8 else None),
        check=lambda part: packed_file.verify(part, originals()) if verify else None,
        powers=fp8.powers if fp8 else None,
    )


class _ForFp8:
    """What packing a tensor for activations in FP8 finds out as experts come.

    Attributes:
        powers: f32 ``[E, N]``.
        held: digest of the experts as they are packed.
    """

    def __init__(self, shape: Shape) -> None:
        self.powers = np.ones(shape[:2], np.float32)
        self.held = SourceDigest(shape)
        self._proof: Proof | None = None

    def reduced(self, number: int, expert: Quantized) -> Quantized:
        """The next expert without the powers of its rows."""
        scales, self.powers[number] = take_row_powers(*expert)
        held = restore_row_powers(scales, self.powers[number])
        self.held.add(Quantized(expert.blocks, held))
        self._proof = Proof.of(held).merge(self._proof)
        return Quantized(expert.blocks, scales)

    def proof(self) -> Proof:
        """Of all experts that came."""
        assert self._proof is not None  # there is at least one expert
        return self._proof


def _refuse_rows(tensors: list[ExpertTensor]) -> None:
    """Read all scales, and refuse those that E5M2 cannot hold, before anything is packed.

    Raises:
        Error: naming the first row, and how many there are.
    """
    first, rows, named = "", 0, set()
    for tensor in tensors:
        for expert, row, least, most in tensor.rows_beyond_fp8():
            rows += 1
            named.add(tensor.name)
            first = first or f"{shown(tensor.name)}: expert {expert}: {refusal(row, least, most)}"
    if first:
        raise Error(
            f"{first}. {rows} rows of {len(named)} of {len(tensors)} tensors do not fit. Nothing "
            "was packed: pack this checkpoint for activations in bf16."
        )


def _write_index(folder: Path) -> None:
    """List all packed tensors of the folder; what else is there is not ours to look at."""
    entries = {}
    for file in sorted(folder.glob("*.safetensors")):
        try:
            weights = packed_file.open_weights(file)
            found = packed_file.metadata(file)
        except Error:
            continue
        name = found.get("name")
        if name is None or file_name(name) != file.name:
            continue  # of `PackedWeights.save`, or renamed
        entries[name] = {
            "file": file.name,
            "shape": list(weights.shape),
            "order": weights.layout.order,
            "scales": weights.layout.scales,
            "rows": weights.rows,
            "source": found["source"],
        }
    text = json.dumps({"format": FORMAT, "version": VERSION, "tensors": entries}, indent=1) + "\n"
    part = folder / (INDEX + packed_file.PART)
    part.unlink(missing_ok=True)
    try:
        with naming(folder / INDEX, part), part.open("x") as file_:
            file_.write(text)
        part.replace(folder / INDEX)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
