# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Names out of files: none becomes a path, whatever it is, and all are kept as they are."""

from __future__ import annotations

import json
import os
import re
import unicodedata
from pathlib import Path

import pytest
from helpers import write_safetensors
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mxfp4 import Checkpoint, Error
from mxfp4.checkpoint import INDEX
from mxfp4.names import LONGEST, file_name, inside, shown
from mxfp4.packed_checkpoint import INDEX as PACKED
from mxfp4.packed_checkpoint import PackedCheckpoint, pack_checkpoint

NASTY = ["../../victim", "/etc/passwd", "..", ".", "", "a/b/c", "params/layers_0/mlp/down_proj",
         "x" * 251, "x" * 70000, "a\0b", "a\nb", "\x1b[2J", "con", "nul.x", "com1.safetensors",
         "A.Weight", "a.weight", "\N{LATIN SMALL LETTER E WITH ACUTE}", "e\u0301",
         ".lock", "-rf", "~root", "mxfp4-packed.json", "a\\..\\b", "\N{RIGHT-TO-LEFT OVERRIDE}gpj",
         "victim~" + "0" * 32, "C:\\x", "a.", "a ", " ", "*", "$(id)", "\N{FULLWIDTH SOLIDUS}x",
         "\N{LATIN SMALL LETTER DOTLESS I}", "\N{KELVIN SIGN}", "\U0001f4a9" * 80]  # fmt: skip
ANY = st.one_of(
    st.sampled_from(NASTY),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=300),
    st.text("./\\aA~-_0\0", max_size=20),
    st.lists(st.sampled_from(["..", "a", "", "A", "experts", "x" * 120]), max_size=6).map("/".join),
)


@settings(deadline=None, max_examples=1000)
@given(ANY)
def test_a_file_name_is_plain(name: str) -> None:
    file = file_name(name)
    assert re.fullmatch(r"[a-z0-9][a-z0-9._-]*(~[0-9a-f]{32})?\.safetensors", file)
    assert len(file) + len(".01234567.part") <= 143
    assert file == file_name(name)
    if re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,60}", name) and not name.startswith(("con", "nul")):
        assert file == f"{name}.safetensors" or re.match(r"aux|prn|com|lpt", name)
    assert inside(Path("f"), file) == Path("f") / file


@settings(deadline=None, max_examples=1000)
@given(ANY, ANY)
def test_two_names_are_two_files_on_every_file_system(a: str, b: str) -> None:
    for alike in (b, a.upper(), a.lower(), a.casefold(), unicodedata.normalize("NFKC", a),
                  unicodedata.normalize("NFD", a), a + " ", a + ".",
                  f"{a}~{'0' * 32}"):  # fmt: skip
        if alike != a:
            assert file_name(a).casefold() != file_name(alike).casefold(), (a, alike)


@settings(deadline=None, max_examples=500)
@given(st.one_of(ANY, st.text(max_size=300)))
def test_a_shard_is_in_the_folder_or_nowhere(name: str) -> None:
    path = inside(Path("/folder"), name)
    if path is None:
        return
    assert path.parent == Path("/folder")
    assert path.name == name
    assert not path.exists()  # no name makes the system call fail


@given(st.one_of(st.text(max_size=500), st.text(st.characters(categories=["Cs", "Cc"]))))
def test_what_is_shown_can_be_printed(name: str) -> None:
    text = shown(name)
    assert text.isprintable()
    assert len(text) <= 10 * 203
    text.encode()
    if name.isascii() and name.isprintable() and len(name) <= 200:
        assert text == name


def listing(folder: Path) -> dict[str, bytes]:
    return {str(p): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


QUIET = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


@pytest.mark.slow
@settings(deadline=None, max_examples=120, suppress_health_check=QUIET)
@given(st.sets(ANY, min_size=1, max_size=4))
@pytest.mark.filterwarnings("ignore")
def test_packing_writes_nowhere_else_and_finds_all_again(tmp_path: Path, names: set[str]) -> None:
    place = tmp_path / str(len(list(tmp_path.iterdir())))
    out = place / "a" / "b"
    out.mkdir(parents=True)
    (place / "victim.safetensors").write_text("precious")
    source = place / "ck.safetensors"
    tensors = {}
    for i, name in enumerate(sorted(names)):
        tensors[f"{name}_blocks"] = ("U8", (1, 1, 1, 16), bytes([i] * 16))
        tensors[f"{name}_scales"] = ("U8", (1, 1, 1), bytes([120]))
    write_safetensors(source, tensors)
    before = listing(place)
    checkpoint = Checkpoint(source)
    assert set(checkpoint.experts) == names
    pack_checkpoint(checkpoint, out)
    kept = []
    pack_checkpoint(checkpoint, out, on_start=lambda _, there: kept.append(there))
    assert all(kept)
    after = listing(place)
    assert {k: v for k, v in after.items() if not k.startswith(f"{out}{os.sep}")} == before
    new = {Path(k).relative_to(out) for k in after if k not in before}
    assert new == {Path(file_name(n)) for n in names} | {Path(PACKED), Path(".lock")}
    packed = PackedCheckpoint(out)
    assert set(packed.files) == names
    for name in names:
        packed.verify(name, checkpoint[name])


@settings(deadline=None, max_examples=200, suppress_health_check=QUIET)
@given(ANY, ANY)
def test_indexes_name_nothing_outside(tmp_path: Path, name: str, file: str) -> None:
    place = tmp_path / "place"
    place.mkdir(exist_ok=True)
    for read, index, content in (
        (Checkpoint, INDEX, {"weight_map": {name: file}}),
        (PackedCheckpoint, PACKED, {"format": "mxfp4-packed-checkpoint", "version": 2,
                                    "tensors": {name: {"file": file}}}),
    ):  # fmt: skip
        (place / index).write_text(json.dumps(content))
        with pytest.raises(Error) as e:
            read(place)
        assert str(e.value).isprintable()
        assert len(str(e.value)) < 3000
        (place / index).unlink()


def test_links_in_a_folder_are_followed(tmp_path: Path) -> None:
    # The cache of a model hub is a folder of links to files elsewhere.
    (tmp_path / "blobs").mkdir()
    (tmp_path / "snapshot").mkdir()
    tensors = {"experts.a_blocks": ("U8", (1, 1, 1, 16), bytes(16)),
               "experts.a_scales": ("U8", (1, 1, 1), bytes(1))}  # fmt: skip
    write_safetensors(tmp_path / "blobs" / "0123", tensors)
    (tmp_path / "snapshot" / "m.safetensors").symlink_to("../blobs/0123")
    assert list(Checkpoint(tmp_path / "snapshot").experts) == ["experts.a"]
    index = {"weight_map": dict.fromkeys(tensors, "m.safetensors")}
    (tmp_path / "snapshot" / INDEX).write_text(json.dumps(index))
    assert list(Checkpoint(tmp_path / "snapshot").experts) == ["experts.a"]


def test_kept_names_have_room_for_all_endings() -> None:
    assert file_name("x" * LONGEST) == "x" * LONGEST + ".safetensors"
    assert "~" in file_name("x" * (LONGEST + 1))
