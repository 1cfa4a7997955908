# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Artifacts on disk, wrong manifests, and what importing the package costs."""

from __future__ import annotations

import copy
import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from fakes import MANIFEST, PTX, ROW_SCALE, artifact, manifest, with_argument, with_ids
from hypothesis import given, settings
from hypothesis import strategies as st
from mxfp4 import Artifact, Error, Layout
from mxfp4._manifest_reader import _arguments
from mxfp4.artifact import Manifest, load_all
from mxfp4.problem import Problem


def test_artifacts_round_trip(tmp_path: Path) -> None:
    one = artifact(cubin=b"\x7fELF code")
    one.save(tmp_path / "a")
    again = Artifact.load(tmp_path / "a")
    assert dataclasses.replace(again, origin=one.origin) == one
    assert again.manifest.layout == Layout("spread", "folded")
    assert again.manifest.fits_rows(64)
    assert not again.manifest.fits_rows(65)
    artifact().save(tmp_path / "b")
    assert [a.cubin for a in load_all(tmp_path)] == [b"\x7fELF code", None]
    artifact().save(tmp_path / "a")
    assert Artifact.load(tmp_path / "a").cubin is None, "the other kernel's cubin is gone"
    with pytest.raises(Error, match="has no artifacts"):
        load_all(tmp_path / "a")


def test_the_repr_is_a_line() -> None:
    text = repr(artifact(cubin=b"\x7fELF"))
    assert text == (
        "Artifact(the artifact: mxfp4_grouped_matmul for E=3, N=70, K=96, "
        "fragment_major(order=spread, scales=folded), bf16, rows (1, 64), sm_90a; "
        f"{len(PTX)} bytes of PTX, 4 bytes of cubin)"
    )


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"format": "other"}, '"format": "mxfp4-artifact"'),
        ({"version": 1}, "versions 3 and 4, got 1; compile the kernel again"),
        ({"entry": ...}, '"entry" is missing'),
        ({"problem__k": ...}, '"problem.k" is missing'),
        ({"problem__k": 48}, '"problem.k" must be a multiple of 32, got 48'),
        ({"problem__n": 0}, '"problem.n" must be at least 1, got 0'),
        ({"problem__n": True}, '"problem.n" has a wrong type: true'),
        ({"problem__groups": 4}, "got 4 groups and 3 experts"),
        ({"problem__output": "f16"}, '"problem.output" must be one of'),
        ({"problem__rows_hint": [1]}, "must be two numbers"),
        ({"weights__layout": "checkpoint"}, '"weights.layout" must be one of'),
        ({"weights__order": "zigzag"}, "layout order must be one of"),
        ({"weights__block_bytes": 2048}, '"weights.block_bytes" must be 2176'),
        ({"launch__block": [128, 0, 1]}, "three positive numbers"),
        ({"launch__grid": {"rule": "static", "ctas_per_sm": 1}}, '"launch.grid.rule" must be one'),
        ({"launch__grid": {"rule": "persistent"}}, '"launch.grid.ctas_per_sm" is missing'),
        ({"problem__expert_ids": True}, '"arguments" must have expert_ids'),
        ({"arguments": MANIFEST["arguments"][:-1]}, '"arguments" must be'),
        ({"arguments": MANIFEST["arguments"] + MANIFEST["arguments"][:1]}, "must be different"),
        (
            {"arguments": [{"name": "rows", "kind": "pointer"}]},
            'argument "rows" has the wrong kind',
        ),
        ({"arguments": [{"name": "z", "kind": "i32"}]}, 'argument "z" has the wrong kind'),
        ({"arguments": [{"name": "2 z", "kind": "i32"}]}, '"name" must be a name .* got "2 z"'),
        (
            {"arguments": [{"name": "x", "kind": "pointer", "dtype": "f32", "align": 4}]},
            '"dtype" must be one of',
        ),
    ],
)
def test_wrong_manifests(changes: dict[str, Any], text: str) -> None:
    with pytest.raises(Error, match=text):
        Manifest.parse(manifest(**changes))


@pytest.mark.parametrize(
    ("place", "changes", "text"),
    [
        (0, {"shape": ["rows", 95]}, r'"x" must be \[.rows., 96\] for this problem, got .*95'),
        (0, {"shape": [96, "rows"]}, r'"x" must be positive numbers, of which the first may be'),
        (0, {"shape": [0]}, r'"x" must be positive numbers'),
        (0, {"shape": 9}, '"shape" has a wrong type: 9'),
        (0, {"provider": "launcher"}, '"provider" of argument "x" must be caller, got launcher'),
        (4, {"provider": "caller"}, '"provider" of argument "error" must be launcher'),
        (0, {"provider": "driver"}, '"provider" must be one of'),
        (0, {"nullable": 1}, '"nullable" has a wrong type'),
        (
            6,
            {"dtype": "f16"},
            r'"dtype" must be one of \[.bf16., .e4m3., .f32., .i32., .u8.\], got "f16"',
        ),
        (6, {"shape": ...}, '"shape" is missing'),
        (6, {"kind": "tensor_maps"}, 'argument "row_scale" has the wrong kind'),
    ],
)
def test_wrong_arguments(place: int, changes: dict[str, Any], text: str) -> None:
    raw = json.loads(with_argument(ROW_SCALE, 6))
    for name, value in changes.items():
        if value is ...:
            del raw["arguments"][place][name]
        else:
            raw["arguments"][place][name] = value
    with pytest.raises(Error, match=text):
        Manifest.parse(json.dumps(raw))


def test_manifests_say_of_arguments_what_follows_from_the_problem() -> None:
    """Those written before arguments had shapes and providers mean the same."""
    raw = copy.deepcopy(MANIFEST)
    for argument in raw["arguments"]:
        argument.pop("shape", None)
        del argument["provider"]
    assert Manifest.parse(json.dumps(raw)).arguments == artifact().manifest.arguments


def test_operands_are_what_the_caller_provides_beyond_the_usual() -> None:
    assert artifact().manifest.operands == frozenset()
    assert Manifest.parse(with_ids()).operands == {"expert_ids"}
    found = Manifest.parse(with_argument(ROW_SCALE))
    assert found.operands == {"row_scale"}
    assert found.arguments[3].shape_for(9) == (9,)
    assert Problem(3, 70, 96, operands=frozenset({"row_scale"})).matches(found)
    assert not Problem(3, 70, 96).matches(found)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
    | st.sampled_from([0, 1, 32, 2**31, 2**63, 10**30, "x", "rows", "spread", "tensor_maps"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner,
                                                                max_size=3),
    max_leaves=6,
)  # fmt: skip


def places(node: Any) -> list[tuple[Any, Any]]:
    keys = list(node) if isinstance(node, dict) else range(len(node) if type(node) is list else 0)
    return [place for k in keys for place in [(node, k), *places(node[k])]]


@settings(deadline=None, max_examples=500)
@given(st.data())
def test_any_manifest_is_read_or_refused(data: st.DataObject) -> None:
    raw = copy.deepcopy({**MANIFEST, "resources": {"registers": 72, "spill_bytes": 0}})
    for _ in range(data.draw(st.integers(1, 2))):
        node, key = data.draw(st.sampled_from(places(raw)))
        if data.draw(st.integers(0, 4)):
            node[key] = data.draw(VALUES)
        else:
            del node[key]
    try:
        found = Manifest.parse(json.dumps(raw))
    except Error as e:
        message = str(e)
    else:
        message = ""
    if message:
        assert message.isprintable()
        return
    assert found.layout.order in ("spread", "nibble")
    assert all(1 <= v < 2**31 for v in (found.experts, found.groups, found.n, found.k))
    assert all(1 <= v < 2**31 for v in (*found.block, *found.cluster, found.ctas_per_sm))
    assert 0 <= found.dynamic_shared_bytes < 2**31
    assert 0 <= found.most_rows < 2**31
    int(found.resources.get("registers", 0))
    assert {a.name for a in found.arguments} >= {"x", "weights", "offsets", "y", "rows"}


def test_broken_artifacts(tmp_path: Path) -> None:
    folder = tmp_path / "a"
    with pytest.raises(Error, match=r"is not an artifact: it has no manifest\.json"):
        Artifact.load(folder)
    with pytest.raises(Error, match=r"is not an artifact that can be read: .*name too long"):
        Artifact.load(tmp_path / ("a" * 1000))
    artifact().save(folder)
    with (folder / "kernel.ptx").open("r+b") as file:
        file.truncate(1 << 40)
    with pytest.raises(Error, match=r"kernel\.ptx has more than 128 MiB"):
        Artifact.load(folder)
    artifact().save(folder)
    for text in ("{", "[" * 100000):
        (folder / "manifest.json").write_text(text)
        with pytest.raises(Error, match=r"manifest\.json is not JSON"):
            Artifact.load(folder)
    artifact().save(folder)
    raw = json.loads((folder / "manifest.json").read_text())
    del raw["files"]
    (folder / "manifest.json").write_text(json.dumps(raw))
    (folder / "kernel.ptx").write_text(".entry other")
    with pytest.raises(Error, match="the PTX has no entry 'mxfp4_grouped_matmul'"):
        Artifact.load(folder)
    (folder / "kernel.ptx").write_bytes(b"\xff\xfe")
    with pytest.raises(Error, match="is damaged"):
        Artifact.load(folder)
    artifact().save(folder)
    (folder / "manifest.json").write_text(json.dumps(raw))
    (folder / "kernel.cubin").write_bytes(b"not code")
    with pytest.raises(Error, match="the cubin is not an ELF file"):
        Artifact.load(folder)


def test_files_are_those_that_were_written(tmp_path: Path) -> None:
    """Code that is damaged, cut short, or of another artifact computes wrong numbers, if any."""
    folder, other = tmp_path / "a", tmp_path / "b"
    artifact(cubin=b"\x7fELF code").save(folder)
    dataclasses.replace(artifact(), ptx=PTX + "// other").save(other)
    assert "files" not in Artifact.load(folder).manifest.raw
    cubin, ptx = folder / "kernel.cubin", folder / "kernel.ptx"
    for path, content in (
        (cubin, b"\x7fELF codf"),
        (cubin, b"\x7fELF"),
        (ptx, ptx.read_bytes()[:-1]),
        (ptx, (other / "kernel.ptx").read_bytes()),
    ):
        right = path.read_bytes()
        path.write_bytes(content)
        with pytest.raises(Error, match=f"{path.name} is not the file that the artifact was"):
            Artifact.load(folder)
        path.write_bytes(right)
    Artifact.load(folder)
    cubin.unlink()
    assert Artifact.load(folder).cubin is None, "the driver compiles the PTX"
    (other / "kernel.cubin").write_bytes(b"\x7fELF code")
    with pytest.raises(Error, match=r"kernel\.cubin is not the file"):
        Artifact.load(other)
    raw = json.loads((folder / "manifest.json").read_text())
    for files, text in (([], "wrong type"), ({}, "is not the file"), ({"kernel.ptx": 1}, "is not")):
        (folder / "manifest.json").write_text(json.dumps({**raw, "files": files}))
        with pytest.raises(Error, match=text):
            Artifact.load(folder)
    del raw["files"]
    (folder / "manifest.json").write_text(json.dumps(raw))
    ptx.write_text(PTX + "// edited")
    assert Artifact.load(folder).ptx.endswith("edited")


def test_a_manifest_is_as_it_was_written(tmp_path: Path) -> None:
    """A flipped bit may leave a manifest that says something else: no bit is believed then."""
    artifact().save(tmp_path)
    file = tmp_path / "manifest.json"
    text, known = file.read_text(), Artifact.load(tmp_path).manifest.raw
    assert "checksum" not in known
    for at in range(0, 8 * len(text), 59):  # each of the eight bits of a byte in turn
        flipped = bytearray(text.encode())
        flipped[at // 8] ^= 1 << at % 8
        file.write_bytes(flipped)
        try:
            found = Artifact.load(tmp_path).manifest.raw
        except Error:
            continue
        # One of the two names that say how to know a manifest may be what was flipped.
        assert {k: v for k, v in found.items() if k in known} == known, flipped[at // 8 - 9 :]
    raw = json.loads(text)
    for other in (json.dumps(raw), json.dumps(raw, indent=7)):
        file.write_text(other)
        assert Artifact.load(tmp_path).manifest.raw == known
    raw["launch"]["dynamic_shared_bytes"] += 4
    file.write_text(json.dumps(raw))
    with pytest.raises(
        Error, match=r"json: it is not as it was written: .* take \"files\" out of it"
    ):
        Artifact.load(tmp_path)
    del raw["files"]
    file.write_text(json.dumps(raw))
    changed = Artifact.load(tmp_path)
    assert changed.manifest.dynamic_shared_bytes == raw["launch"]["dynamic_shared_bytes"]
    changed.save(tmp_path / "again")
    Artifact.load(tmp_path / "again")


def test_import_is_quick_and_pulls_in_nothing_heavy() -> None:
    import subprocess
    import sys

    code = (
        "import sys, mxfp4\n"
        "heavy = {'numpy', 'torch', 'cuda', 'tqdm', 'safetensors', 'ml_dtypes'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
        "assert mxfp4.Layout().order == 'spread'\n"
    )
    env = {"PYTHONPATH": ":".join(p for p in sys.path if p)}
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env)
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == "[]"


def test_rows_are_limited_by_how_many_tiles_fit_i32() -> None:
    """The last tile of each group may be almost empty."""
    assert artifact().manifest.most_rows == 2**31 - 1
    raw = json.loads(manifest(problem__n=64 * 1000))
    for argument in raw["arguments"]:
        argument.pop("shape", None)
    wide = Manifest.parse(json.dumps(raw))
    assert wide.most_rows == ((2**31 - 1) // 1000 - 3) * 8


def _with_boxes(**change: Any) -> dict[str, Any]:
    x = {"name": "x", "kind": "tensor_maps", "dtype": "bf16", "align": 16}
    x["boxes"] = [[64, 80], [64, 160]]
    x.update(change)
    others = [
        {"name": name, "kind": "pointer", "dtype": dtype, "align": 4}
        for name, dtype in (
            ("weights", "u8"), ("offsets", "i32"), ("y", "bf16"), ("error", "i32"),
        )
    ]  # fmt: skip
    problem = {"experts": 3, "groups": 3, "n": 70, "k": 96, "output": "bf16"}
    return {"problem": problem, "arguments": [x, *others, {"name": "rows", "kind": "i32"}]}


def test_the_manifest_names_the_boxes() -> None:
    x = _arguments(_with_boxes())[0]
    assert (x.boxes, x.size) == (((64, 80), (64, 160)), 256)


@pytest.mark.parametrize("box", [[64], [64, 0], [64, 257], ["64", 160], 64])
def test_a_box_that_is_none_is_refused(box: Any) -> None:
    with pytest.raises(Error, match="box"):
        _arguments(_with_boxes(boxes=[[64, 80], box]))


def test_there_is_at_least_one_box() -> None:
    with pytest.raises(Error, match="box"):
        _arguments(_with_boxes(boxes=[]))


def test_only_activations_can_be_a_tensor_map() -> None:
    raw = _with_boxes()
    raw["arguments"][1]["kind"] = "tensor_maps"
    with pytest.raises(Error, match=r"weights.*wrong kind"):
        _arguments(raw)
