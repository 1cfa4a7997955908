# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Sort the tensors of a checkpoint into MXFP4 experts, what was left out, and why.

The tables of `conventions` say what is looked for. Experts that are stored one by one are gathered,
and gate and up that are apart are put together. Tensors that are plainly meant as MXFP4 experts and
do not fit are an error: a model whose experts were left out in silence would run and be wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ._safetensors import Stored
from .conventions import (
    AFFINE,
    CODES,
    EXPERT,
    FORMATS,
    LIKE_EXPERTS,
    MLPS,
    MXFP4,
    NAMINGS,
    SCALES,
    SECOND_SCALES,
    Naming,
)
from .errors import Error
from .experts import ExpertTensor, Gathered, Interleaved, Matrices, Stack
from .formats import BLOCK, BLOCK_BYTES
from .names import shown
from .weights import AS_STORED, INTERLEAVED


@dataclass
class Found:
    """What a checkpoint has.

    Attributes:
        experts: by name.
        left_out: why tensors that look like codes or scales are none; by their common name.
    """

    experts: dict[str, ExpertTensor] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Pair:
    """Codes and scales that belong together by their names."""

    base: str
    naming: Naming
    codes: Stored
    scales: Stored

    @property
    def is_expert(self) -> bool:
        """Whether the name is one of experts."""
        return bool(LIKE_EXPERTS.search(self.base))

    @property
    def is_meant(self) -> bool:
        """Whether these can only be meant as MXFP4 weights of experts."""
        codes, scales = self.codes.shape, self.scales.shape
        blocks = len(codes) == 4 and codes[3] in (BLOCK_BYTES, BLOCK)
        return self.is_expert or (self.naming.own and (
            blocks or (len(scales) == len(codes) == 3 and codes[:2] == scales[:2])))  # fmt: skip


def find_experts(tensors: Mapping[str, Stored]) -> Found:
    """All MXFP4 experts among tensors.

    Raises:
        Error: if some are meant as MXFP4 experts, and a tensor is missing or does not fit.
    """
    found = Found()
    groups: dict[str, dict[int, dict[str, Stack]]] = {}
    stacks: dict[str, Matrices] = {}
    pairs = _pairs(tensors)
    for base, pair in pairs.items():
        single = EXPERT.fullmatch(base)
        # `X.weight` with the endings of one convention is `X` with those of another.
        if pair.is_expert and base.removesuffix(".weight") in pairs.keys() - {base}:
            raise _two_forms(pair.codes, pair.scales, pairs, base.removesuffix(".weight"))
        reason = _not_mxfp4(pair, tensors)
        if reason is not None:
            if pair.is_expert or pair.naming.own:
                found.left_out[base] = reason
        elif single:
            matrix = _matrix(pair, experts=False)
            group = groups.setdefault(single["group"], {})
            group.setdefault(int(single["e"]), {})[single["rest"]] = matrix
        elif len(pair.scales.shape) == 2:
            found.left_out[base] = f"{pair.codes} is one matrix, and no stack of experts"
        elif len(pair.scales.shape) != 3:
            if pair.is_expert or pair.naming.own:
                found.left_out[base] = f"{pair.codes} is no stack [E, N, K/2] of matrices"
        else:
            stacks[base] = _matrix(pair, experts=True)
    _halves(tensors, pairs, found)
    _check_gates(stacks, tensors, found.left_out)
    for base, experts in groups.items():
        gathered = _gathered(base, experts, found.left_out)
        _check_whole(base, gathered, tensors)
        for name, parts in gathered.items():
            if name in stacks:
                raise Error(f"{shown(name)} is there both as a stack and for each expert.")
            stacks[name] = parts
    found.experts = _fused(stacks)
    return found


def _pairs(tensors: Mapping[str, Stored]) -> dict[str, _Pair]:
    pairs: dict[str, _Pair] = {}
    used: set[str] = set()
    for naming in NAMINGS:
        for name, scales in tensors.items():
            base = name.removesuffix(naming.scales)
            codes = tensors.get(base + naming.codes)
            if not name.endswith(naming.scales) or name in used or codes is None:
                continue
            if codes.name not in used and base not in pairs:
                pairs[base] = _Pair(base, naming, codes, scales)
                used |= {name, codes.name}
    return dict(sorted(pairs.items()))


def _two_forms(one: Stored, other: Stored, pairs: Mapping[str, _Pair], base: str) -> Error:
    """The error for codes and scales whose weight the checkpoint also has in another form."""
    beside = next((p for p in pairs.values() if base in (p.base, p.codes.name)), None)
    text = f"{shown(one.path)}: {shown(one.name)} and {shown(other.name)} are codes and scales"
    if beside is not None:
        text += f" beside {shown(beside.codes.name)} and {shown(beside.scales.name)}"
    return Error(f"{text}; which ones are meant?")


def _not_mxfp4(pair: _Pair, tensors: Mapping[str, Stored]) -> str | None:
    """Why a pair is left out, or None if it is MXFP4."""
    codes, scales = pair.codes, pair.scales
    known = next((f for f in FORMATS if f.fits(codes, scales)), None)
    second = [pair.base + s for s in SECOND_SCALES if pair.base + s in tensors]
    what = f"{codes} with {scales}"
    if pair.base + AFFINE in tensors:
        return (
            f"{what} and {shown(pair.base + AFFINE)} is of MLX's affine quantisation, which is not "
            'read; expected its mode="mxfp4", which has scales in U8, one for 32 values, and no '
            "biases, as mlx_lm.convert -q --q-mode mxfp4 --q-group-size 32 makes of the original"
        )
    if known is MXFP4 and second:
        return f"{what} also needs {shown(second[0])}, which MXFP4 does not have"
    if known is MXFP4:
        return None
    if known is not None:
        return f"{what} is {known.name}, which is not read"
    fit = (codes.dtype in CODES, scales.dtype in SCALES)
    single = EXPERT.fullmatch(pair.base)
    if not pair.is_meant or not any(fit) or not (single or len(codes.shape) > 2):
        return f"{what} is no format that is known"
    for tensor, fits, dtypes in ((codes, fit[0], CODES), (scales, fit[1], SCALES)):
        if not fits:
            raise Error(
                f"{tensor.path}: {shown(tensor.name)} must have dtype {' or '.join(dtypes)} to be "
                f"MXFP4 with {pair.codes if tensor is scales else pair.scales}, got {tensor.dtype}."
            )
    _matrix(pair, experts=not single)  # says what does not fit
    return f"{what} is no format that is known: MXFP4 has a scale for each 16 bytes of codes"


def _matrix(pair: _Pair, *, experts: bool) -> Stack:
    """The shape of a pair, which may have its codes flat or by 32, checked."""
    codes, scales = pair.codes, pair.scales
    lead = 2 if experts else 1
    # Shapes are in elements.
    block, row = {"F4": (2 * BLOCK_BYTES, "K"), "U32": (BLOCK_BYTES // 4, "K/8")}.get(
        codes.dtype, (BLOCK_BYTES, "K/2")
    )
    shape, first = list(codes.shape), "E, " if experts else ""
    form = f"[{first}N, K/32, {block}] or [{first}N, {row}]"
    flat = len(shape) == lead + 1 and shape[-1] % block == 0
    blocks = len(shape) == lead + 2 and shape[-1] == block
    if 0 in shape or not (flat or blocks):
        raise Error(
            f"{shown(codes.path)}: {shown(codes.name)} must have shape {form}, got {shown(shape)}."
        )
    groups = shape[-1] // block if flat else shape[-2]
    wanted_scales = (*shape[:lead], groups)
    if tuple(scales.shape) not in (wanted_scales, (*wanted_scales, 1)):
        raise Error(
            f"{shown(scales.path)}: {shown(scales.name)} must have shape {list(wanted_scales)} to "
            f"fit {shown(codes.name)}, got {shown(list(scales.shape))}."
        )
    count = shape[0] if experts else 1
    return Stack((count, shape[lead - 1], groups * BLOCK), codes, scales)


_HINT = " If this is one file of several, give the folder that has all of them."


def _gathered(
    group: str, experts: dict[int, dict[str, Stack]], left_out: dict[str, str]
) -> dict[str, Matrices]:
    """The stacks of a group, of which each expert has tensors of its own.

    Raises:
        Error: if an expert lacks a matrix that others have, or one has another shape.
    """
    count = max(experts) + 1
    projections = sorted({p for matrices in experts.values() for p in matrices})
    for e in range(count):
        if e not in experts and not any(f"{group}.{e}.{p}" in left_out for p in projections):
            raise Error(
                f"{shown(group)}: experts up to {count - 1} are there, but expert {e} misses all "
                f"of {shown(', '.join(projections))}.{_HINT}"
            )
        for projection in projections:
            if projection in experts.get(e, {}):
                continue
            name = f"{group}.{e}.{projection}"
            if name in left_out:
                raise Error(f"{shown(name)} must be MXFP4 as it is for other experts, but "
                            f"{left_out[name]}.")  # fmt: skip
            raise Error(
                f"{shown(group)}: expert {e} misses {shown(projection)}, which other experts have. "
                f"Looked for {shown(name)} with the endings of codes and scales.{_HINT}"
            )
    stacks: dict[str, Matrices] = {}
    for projection in projections:
        parts = tuple(experts[e][projection] for e in range(count))
        for e, part in enumerate(parts):
            if part.shape != parts[0].shape:
                shapes = [list(p.shape[1:]) for p in (parts[0], part)]
                raise Error(
                    f"{shown(group)}: all experts must have one shape, but {shown(projection)} is "
                    f"N, K = {shapes[0]} for expert 0 and {shapes[1]} for expert {e}."
                )
        stacks[f"{group}.{projection}"] = Gathered(parts)
    return stacks


def _check_whole(
    group: str, gathered: Mapping[str, Matrices], tensors: Mapping[str, Stored]
) -> None:
    """Check that the MLPs of a group have all of their matrices, in whatever format.

    Raises:
        Error: if one is missing.
    """
    for name in gathered:
        path, _, last = name.removeprefix(f"{group}.").rpartition(".")
        for mlp in MLPS:
            if last not in (mlp.gate, mlp.up, mlp.down):
                continue
            for needed in mlp.needs:
                sibling = ".".join(part for part in (path, needed) if part)
                stored = any(f"{group}.0.{sibling}{n.codes}" in tensors for n in NAMINGS)
                if f"{group}.{sibling}" not in gathered and not stored:
                    raise Error(
                        f"{shown(group)}: {shown(last)} is there for all experts, but "
                        f"{shown(sibling)} is missing.{_HINT}"
                    )


def _check_gates(
    stacks: Mapping[str, Matrices], tensors: Mapping[str, Stored], left_out: Mapping[str, str]
) -> None:
    """Check that stacks of gates have stacks of ups, or ups in another format.

    Raises:
        Error: if one is missing, or has codes and no scales.
    """
    for name in stacks:
        group, dot, last = name.rpartition(".")
        for mlp in (m for m in MLPS if m.gate == last):
            up = f"{group}{dot}{mlp.up}"
            codes = [tensors[up + n.codes] for n in NAMINGS if up + n.codes in tensors]
            other = up in left_out or any(t.dtype not in CODES for t in codes)
            if up not in stacks and not other:
                what = f"{shown(codes[0].name)} has no scales" if codes else "it is missing"
                raise Error(f"{shown(name)} needs {shown(up)}, but {what}.{_HINT}")


def _fused(stacks: dict[str, Matrices]) -> dict[str, ExpertTensor]:
    """Expert tensors, with gate and up together where they are apart."""
    found: dict[str, ExpertTensor] = {}
    rest = dict(stacks)
    for name in sorted(stacks):
        group, dot, last = name.rpartition(".")
        for mlp in (m for m in MLPS if m.gate == last):
            other, together = f"{group}{dot}{mlp.up}", f"{group}{dot}{mlp.together}"
            if other not in stacks:
                continue
            if together in stacks:
                raise Error(f"{shown(together)} is there both whole and as {last} and {mlp.up}.")
            shapes = [stacks[n].shape for n in (name, other)]
            if shapes[0] != shapes[1]:
                raise Error(
                    f"{shown(name)} and {shown(other)} must have one shape, got E, N, K = "
                    f"{list(shapes[0])} and {list(shapes[1])}."
                )
            matrices = Interleaved(rest.pop(name), rest.pop(other))
            found[together] = ExpertTensor(together, matrices, INTERLEAVED)
    found |= {name: ExpertTensor(name, matrices, AS_STORED) for name, matrices in rest.items()}
    return dict(sorted(found.items()))


def _halves(tensors: Mapping[str, Stored], pairs: Mapping[str, _Pair], found: Found) -> None:
    """Look at codes without scales and scales without codes.

    Raises:
        Error: if one is named as only experts are, and has the data type.
    """
    used = {t.name for p in pairs.values() for t in (p.codes, p.scales)}
    ends = [(n.own, mine, other, dtypes) for n in NAMINGS if n.codes
            for mine, other, dtypes in ((n.codes, n.scales, CODES), (n.scales, n.codes, SCALES))
            ]  # fmt: skip
    for name, tensor in tensors.items():
        if name in used or len(tensor.shape) < 2:
            continue
        for own, mine, other, dtypes in ends:
            if not name.endswith(mine) or tensor.dtype not in dtypes:
                continue
            base = name.removesuffix(mine)
            single = EXPERT.fullmatch(base)
            if not (own or single):
                continue
            # Another convention may have what this one misses.
            names = [(name.removesuffix(m), o) for _, m, o, _ in ends if name.endswith(m)]
            for stem, rest in names:
                if stem + rest in tensors:
                    raise _two_forms(tensor, tensors[stem + rest], pairs, stem)
            if single or (LIKE_EXPERTS.search(base) and len(tensor.shape) > 2):
                raise Error(
                    f"{shown(tensor.path)}: {shown(name)} has no matching {shown(base)}{other}."
                )
            found.left_out.setdefault(name, f"{tensor} has no matching {shown(base)}{other}")
