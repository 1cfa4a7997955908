# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The packed layout: its formula, element by element, and pack/unpack as inverses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from helpers import random_weights
from hypothesis import given, settings
from hypothesis import strategies as st
from mxfp4 import Error, PackedWeights, Proof, pack, unpack
from mxfp4.formats import Quantized, pack_codes
from mxfp4.layout import Layout, pack_expert, padding_is_neutral, slot_bits, unpack_expert
from mxfp4.packing import pack_stream
from safetensors.numpy import load_file, save_file

LAYOUTS = [Layout(o, s) for o in ("spread", "nibble") for s in ("folded", "raw")]

# The document's table, as bits of a code in one half word: r0 .. r3, the last in the other half.
SPREAD_MASKS = [
    {"s": 15, "e1": 8, "e0": 7, "m": 6},
    {"s": 12, "e1": 5, "e0": 4, "m": 3},
    {"s": 9, "e1": 2, "e0": 1, "m": 0},
    {"e1": 10, "s": 11, "m": 13, "e0": 14},
]


def code_at(packed: np.ndarray, n: int, k: int, order: str) -> int:
    """The code of element (n, k), by the layout's definition: no arrays, one element."""
    block = packed[n // 64, k // 64]
    row, column = n % 64, k % 64
    w, g, high_row = row // 16, row % 16 // 2, row % 2
    j, within = column // 16, column % 16
    high_k, t, h = within // 8, within % 8 // 2, within % 2
    r = high_row + 2 * high_k
    tid = 32 * w + 4 * g + t
    word = int.from_bytes(block[16 * tid + 4 * j :][:4].tobytes(), "little")
    if order == "nibble":
        return (word >> (16 * h + 4 * r)) & 15
    half = word >> (16 * (1 - h if r == 3 else h))
    at = SPREAD_MASKS[r]
    bit = {name: (half >> position) & 1 for name, position in at.items()}
    return bit["s"] << 3 | bit["e1"] << 2 | bit["e0"] << 1 | bit["m"]


def scale_at(packed: np.ndarray, n: int, k: int) -> int:
    row, column = n % 64, k % 64
    w, g, high_row = row // 16, row % 16 // 2, row % 2
    return int(packed[n // 64, k // 64, 2048 + 32 * w + 4 * g + 2 * high_row + column // 32])


@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
def test_every_element_lies_where_the_definition_says(
    rng: np.random.Generator, layout: Layout
) -> None:
    n, k = 67, 96  # ragged in both directions
    codes = rng.integers(0, 16, (n, k), dtype=np.uint8)
    scales = rng.integers(0, 129, (n, k // 32), dtype=np.uint8)
    packed = pack_expert(pack_codes(codes), scales, layout)
    assert packed.shape == (2, 2, 2176)
    bias, one = (126, 253) if layout.scales == "folded" else (0, 127)
    for row in range(128):
        for column in range(128):
            inside = row < n and column < k
            want = int(codes[row, column]) if inside else 0
            assert code_at(packed, row, column, layout.order) == want
            want = int(scales[row, column // 32]) + bias if inside else one
            assert scale_at(packed, row, column) == want


@pytest.mark.parametrize("order", ["spread", "nibble"])
def test_slots_fill_a_word_without_overlap(order: str) -> None:
    assert sorted(slot_bits(order).reshape(-1).tolist()) == list(range(32))


@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
def test_code_bits_map_one_to_one_over_the_whole_block(layout: Layout) -> None:
    # Packing is linear over bits: where each of the 16384 code bits of a block goes shows that
    # the map is a bijection on all blocks.
    seen = np.zeros(2048 * 8, np.int64)
    index = np.arange(64 * 64 * 4)
    scales = np.full((64, 2), 127, np.uint8)
    zero = pack_expert(np.zeros((64, 2, 16), np.uint8), scales, layout)
    assert not zero[..., :2048].any()
    where = np.zeros(2048 * 8, np.int64)
    for bit in range(14):  # the address bits of each code bit, one packing each
        ones = (index >> bit & 1).astype(np.uint8)
        raw = np.packbits(ones, bitorder="little").reshape(64, 2, 16)
        packed = pack_expert(raw, scales, layout)[0, 0, :2048]
        where |= np.unpackbits(packed, bitorder="little").astype(np.int64) << bit
    seen[where] += 1
    assert (seen == 1).all()


@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(1, 200),
    groups=st.integers(1, 9),
    layout=st.sampled_from(LAYOUTS),
)
def test_unpack_inverts_pack(seed: int, n: int, groups: int, layout: Layout) -> None:
    rng = np.random.default_rng(seed)
    top = 128 if layout.scales == "folded" else 255
    weights = random_weights(rng, 2, n, 32 * groups, 0, top)
    packed = pack(*weights, layout)
    packed.validate()
    again = unpack(packed)
    assert (again.blocks == weights.blocks).all()
    assert (again.scales == weights.scales).all()
    assert packed.proof == Proof.of(weights.scales)
    assert (pack(*again, layout).data == packed.data).all()


@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
def test_pack_inverts_unpack_on_whole_blocks(rng: np.random.Generator, layout: Layout) -> None:
    data = rng.integers(0, 256, (3, 2, 2176), dtype=np.uint8)
    if layout.scales == "folded":
        data[..., 2048:] = rng.integers(126, 255, (3, 2, 128), dtype=np.uint8)
    q = unpack_expert(data, 192, 128, layout)
    assert (pack_expert(*q, layout) == data).all()


def test_decode_of_packed_weights_equals_the_checkpoint(rng: np.random.Generator) -> None:
    weights = random_weights(rng, 2, 33, 96, 0, 254)
    packed = pack(*weights)
    expected = Quantized(*weights)
    from mxfp4 import dequantize

    for e in range(2):
        want = dequantize(expected.blocks[e], expected.scales[e])
        assert (packed.decode(e).view(np.uint16) == want.view(np.uint16)).all()


def test_gate_and_up_that_are_apart_take_turns(rng: np.random.Generator) -> None:
    weights = random_weights(rng, 3, 70, 96, 100, 128)
    packed = pack(*weights, gate_up="apart")
    turns = np.arange(70).reshape(2, 35).T.ravel()  # 0, 35, 1, 36, ...
    wanted = pack(weights.blocks[:, turns], weights.scales[:, turns], gate_up="interleaved")
    assert (packed.rows, wanted.rows) == ("gate, up interleaved", "gate, up interleaved")
    assert (packed.data == wanted.data).all()
    assert pack(*weights).rows == "as stored"
    for how in ("apart", "interleaved"):
        with pytest.raises(Error, match="gate and up together have an even number of rows, got 35"):
            pack(weights.blocks[:, :35], weights.scales[:, :35], gate_up=how)
    with pytest.raises(Error, match='gate_up must be "apart", "interleaved" or None, got'):
        pack(*weights, gate_up="halves")


@pytest.mark.parametrize(("top", "chosen"), [(128, "folded"), (129, "raw"), (255, "raw")])
def test_auto_layout_follows_the_largest_scale(
    rng: np.random.Generator, top: int, chosen: str
) -> None:
    weights = random_weights(rng, 4, 40, 96, 100, 128)
    weights.scales[2, 17, 1] = top
    packed = pack(*weights)
    assert packed.layout == Layout("spread", chosen)
    assert packed.proof == Proof(100, top, top == 255)
    assert (packed.data == pack(*weights, Layout("spread", chosen)).data).all()


def test_folded_refuses_large_scales(rng: np.random.Generator) -> None:
    weights = random_weights(rng, 2, 8, 32, 129, 129)
    with pytest.raises(Error, match=r"expert 0: folded scales .* <= 128, .* largest is 129"):
        pack(*weights, Layout("spread", "folded"))


def test_streaming_reads_each_expert_once_and_fills_a_memmap(
    rng: np.random.Generator, tmp_path: Path
) -> None:
    weights = random_weights(rng, 5, 70, 64, 90, 140)
    read: list[int] = []

    class Lazy:
        def __len__(self) -> int:
            return 5

        def __init__(self, data: np.ndarray, log: bool) -> None:
            self.data, self.log = data, log

        def __getitem__(self, e: int) -> np.ndarray:
            if self.log:
                read.append(e)
            return self.data[e]

    out = np.memmap(tmp_path / "packed", np.uint8, "w+", shape=(5, 2, 1, 2176))
    packed = pack(Lazy(weights.blocks, True), Lazy(weights.scales, False), out=out, progress=True)
    assert read == [0, 1, 2, 3, 4]
    assert packed.data is out
    assert (np.asarray(out) == pack(*weights).data).all()


def test_stream_counts_its_experts(rng: np.random.Generator) -> None:
    weights = random_weights(rng, 2, 8, 32)
    pairs = list(zip(*weights, strict=True))
    with pytest.raises(Error, match="expected 3 experts to pack, got 2"):
        pack_stream(iter(pairs), 3)
    with pytest.raises(Error, match="expected 1 experts to pack, got more"):
        pack_stream(iter(pairs), 1)
    with pytest.raises(Error, match="at least one expert"):
        pack_stream(iter([]), 0)
    with pytest.raises(Error, match=r"out must be uint8 \[2, 1, 1, 2176\]"):
        pack(*weights, out=np.zeros((2, 2), np.uint8))
    with pytest.raises(Error, match="expert 1 has scales of shape"):
        pack_stream([pairs[0], (pairs[1][0][:4], pairs[1][1][:4])], 2)


def test_save_and_load(rng: np.random.Generator, tmp_path: Path) -> None:
    packed = pack(*random_weights(rng, 3, 33, 96, 0, 255))
    packed.save(tmp_path / "w.safetensors")
    again = PackedWeights.load(tmp_path / "w.safetensors")
    assert (again.data == packed.data).all()
    assert (again.shape, again.layout, again.proof) == (packed.shape, packed.layout, packed.proof)


def _saved(rng: np.random.Generator, path: Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    from safetensors import safe_open

    pack(*random_weights(rng, 2, 33, 96, 100, 120)).save(path)
    with safe_open(path, framework="numpy") as f:
        metadata = dict(f.metadata())
    return load_file(path), metadata


@pytest.mark.parametrize(
    ("key", "value", "text"),
    [
        ("n", "97", "must have shape"),
        ("k", "33", "multiple of 32"),
        ("k", "many", "metadata is wrong"),
        ("order", "zigzag", "order must be one of"),
        ("scales", "raw", "metadata claims|padding"),
        ("order", "nibble", "padding is not neutral|digest does not fit"),
        ("digest", "00", "digest does not fit"),
        ("proof", '{"scale_min":100,"scale_max":119,"has_nan":false}', "metadata claims"),
        ("proof", '{"scale_min":100}', "incomplete or malformed"),
        ("proof", "{", "incomplete or malformed"),
        ("format", "other", "not a file of packed weights"),
        ("version", "1", "expected version 3, got '1'; pack the weights again"),
        (
            "version",
            "2",
            "got '2', which has no digest of the checkpoint .*; pack the weights again",
        ),
        ("rows", "sorted", "rows must be one of"),
    ],
)
def test_lying_metadata_is_found(
    rng: np.random.Generator, tmp_path: Path, key: str, value: str, text: str
) -> None:
    path = tmp_path / "w.safetensors"
    tensors, metadata = _saved(rng, path)
    metadata[key] = value
    save_file(tensors, path, metadata)
    with pytest.raises(Error, match=text):
        PackedWeights.load(path)


def test_changed_bytes_are_found(rng: np.random.Generator, tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    tensors, metadata = _saved(rng, path)
    tensors["packed"][1, 0, 0, 2048] = 255  # a scale that no folding could leave
    save_file(tensors, path, metadata)
    with pytest.raises(Error, match="metadata claims"):
        PackedWeights.load(path)
    tensors, metadata = _saved(rng, path)
    tensors["packed"][1, 0, 0, 3] ^= 16
    save_file(tensors, path, metadata)
    with pytest.raises(Error, match="digest does not fit"):
        PackedWeights.load(path)
    tensors, metadata = _saved(rng, path)
    tensors["packed"][0, 0, 1, 2047] = 1  # K = 96: the second block's upper half is padding
    save_file(tensors, path, metadata)
    with pytest.raises(Error, match="padding is not neutral"):
        PackedWeights.load(path)


def test_truncated_and_missing_files(rng: np.random.Generator, tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    _saved(rng, path)
    whole = path.read_bytes()
    for size in (0, 4, 100, len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises(Error, match="not a whole safetensors file"):
            PackedWeights.load(path)
    with pytest.raises(Error, match="does not exist"):
        PackedWeights.load(tmp_path / "none")


def test_a_layout_is_checked_when_it_is_made() -> None:
    with pytest.raises(Error, match="order must be one of"):
        Layout("zigzag")
    with pytest.raises(Error, match="scales must be one of"):
        Layout("spread", "none")
    with pytest.raises(Error, match="proof says that the largest is 200"):
        PackedWeights(np.zeros((1, 1, 1, 2176), np.uint8), 4, 32, Layout(), Proof(0, 200, False))
    with pytest.raises(Error, match="must have shape"):
        PackedWeights(np.zeros((1, 1, 2, 2176), np.uint8), 4, 32, Layout(), Proof(0, 0, False))


@pytest.mark.parametrize("layout", [Layout(), Layout(scales="raw"), Layout("bytes", "relative")])
@pytest.mark.parametrize("size", [(48, 96), (64, 96), (48, 128), (100, 32)])
def test_padding_with_a_value_is_told(layout: Layout, size: tuple[int, int]) -> None:
    """Codes and scales behind the last row and the last column, which a larger matrix has there."""
    n, k = size
    whole = -(-n // 64) * 64, -(-k // layout.columns) * layout.columns
    for row, column in ((n - 1, k - 1), (n, 0), (0, k), (whole[0] - 1, whole[1] - 1)):
        if row >= whole[0] or column >= whole[1]:
            continue
        inside = row < n and column < k
        codes = np.zeros((whole[0], whole[1] // 2), np.uint8)
        codes[row, column // 2] = 0x11
        neutral = np.full((whole[0], whole[1] // 32), 127, np.uint8)
        packed = pack_expert(codes.reshape(whole[0], -1, 16), neutral, layout)
        assert padding_is_neutral(packed, n, k, layout) == inside, (row, column)
        scales = neutral.copy()
        scales[row, column // 32] = 120
        packed = pack_expert(np.zeros_like(codes).reshape(whole[0], -1, 16), scales, layout)
        assert padding_is_neutral(packed, n, k, layout) == inside, (row, column)


@pytest.mark.parametrize("shape", [(4,), (0, 2), (4, 0), (2, 2, 2)])
def test_scales_of_another_rank_are_refused(shape: tuple[int, ...]) -> None:
    blocks = np.zeros((1, 4, 2, 16), np.uint8)
    with pytest.raises(Error, match=r"scales must be|must be \["):
        pack(blocks, np.zeros((1, *shape), np.uint8))


@pytest.mark.parametrize("name", ["blocks", "scales"])
def test_what_is_no_array_is_refused(name: str) -> None:
    given = {"blocks": np.zeros((1, 4, 2, 16), np.uint8), "scales": np.zeros((1, 4, 2), np.uint8)}
    with pytest.raises(Error, match=f"{name} must be an array with a first dimension of experts"):
        pack(**{**given, name: 3})  # type: ignore[arg-type]
