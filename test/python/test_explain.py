# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What the page of ``mxfp4 explain`` is made of; the page itself is in test_explain_page.py."""

from __future__ import annotations

import base64
import gzip
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mxfp4 import Compiler, Error, library
from mxfp4.cli import main
from mxfp4.explain import explain
from mxfp4.explain.diff import Change, Kind, differences
from mxfp4.explain.ptx import hot_loop, kind_of, listing, loops, opcodes

needs_library = pytest.mark.skipif(
    library.find() is None and os.environ.get("MXFP4_REQUIRE_LIBRARY") != "1",
    reason="libmxfp4.so was not found",
)
SPEC = "experts=2 n=128 k=1024"
LINES = st.lists(st.sampled_from(["%0 = a", "%1 = a", "b %2", "c", ""]), max_size=12)


def unnamed(line: str) -> str:
    return re.sub(r"%\w+", "%", line)


@given(LINES, LINES)
def test_differences_cover_both_versions_and_the_same_is_the_same(
    before: list[str], after: list[str]
) -> None:
    a = b = 0
    for kind, was, now in differences(before, after):
        if kind is Kind.SAME:
            assert was == now
            assert [*map(unnamed, before[a : a + was])] == [*map(unnamed, after[b : b + now])]
        a, b = a + was, b + now
    assert (a, b) == (len(before), len(after))


def test_numbers_of_values_are_no_difference() -> None:
    before = ["%0 = f : i32", "%1 = g %0", "return %1"]
    after = ["%c = constant", "%1 = f : i32", "%2 = g %1", "return %2"]
    assert differences(before, after) == [
        Change(Kind.CHANGED, 0, 1),
        Change(Kind.SAME, 3, 3),
    ]


# The way LLVM lays out a rotated loop: the latch ($2) stands above the header ($1).
PTX = """\
.entry k(
)
{
    mma.sync.aligned.m16n8k16 {%r1},
        {%r2};
    bra.uni $1;
$2:
    add.s32 %r1, %r1, 1;
    @%p1 bra $1;
    bra.uni $4;
$1:
    mma.sync.aligned.m16n8k16 {%r1}, {%r2};
$3: // a wait inside the loop
    mbarrier.try_wait.parity.shared.b64 %p2, [%r1];
    @!%p2 bra $3;
    mul.rn.bf16x2 %r1, %r1, %r1;
    bra.uni $2;
$4:
    ret;
}""".splitlines()


def test_opcodes_are_of_instructions_alone() -> None:
    found = [code for code in opcodes(PTX) if code]
    assert found[:3] == ["mma.sync.aligned.m16n8k16", "bra.uni", "add.s32"]
    assert len(found) == 11
    assert opcodes(PTX)[4] is None


def test_loops_are_natural_loops_wherever_their_blocks_stand() -> None:
    sizes = sorted(len(loop) for loop in loops(PTX))
    assert sizes == [3, 10]
    hot = hot_loop(PTX)
    assert {6, 7, 8, 10, 11, 12, 16} <= hot
    assert not hot & {3, 5, 9, 17, 18}
    assert hot_loop(["$1:", "  bra $1;"]) == set()


@pytest.mark.parametrize(
    ("opcode", "kind"),
    [
        ("wgmma.mma_async.sync.aligned.m64n256k16.f32.bf16.bf16", "matrix"),
        ("wgmma.wait_group.sync.aligned", "sync"),
        ("cp.async.bulk.shared::cluster.global", "copy"),
        ("cp.async.commit_group", "sync"),
        ("ldmatrix.sync.aligned.m8n8.x4.shared.b16", "copy"),
        ("mul.rn.bf16x2", "bf16x2"),
        ("mul.lo.s32", "integer"),
        ("bra", "control"),
        ("cvt.rn.bf16x2.f32", "other"),
    ],
)
def test_kinds_of_instructions(opcode: str, kind: str) -> None:
    assert kind_of(opcode) == kind


@needs_library
@pytest.mark.parametrize("instruction", ["mma_sync", "wgmma"])
def test_the_hot_loop_is_the_loop_over_k(instruction: str) -> None:
    with Compiler() as compiler:
        text = compiler.mlir("experts=2 n=128 k=2048")
        ptx = compiler.compile(text, f"instruction={instruction}").ptx
    found = listing(ptx)
    hot = [found["lines"][i] for i in found["hot"]]
    matrix = "mma.sync" if instruction == "mma_sync" else "wgmma.mma_async"
    assert found["hot_kinds"]["matrix"] == sum(matrix in line for line in hot) > 0
    # Decode is in it, and the stores of the epilogue are not.
    assert found["hot_kinds"]["bf16x2"] > 0
    assert not any("st.global" in line for line in hot)
    assert sum("st.global" in line for line in found["lines"]) > 0
    assert sum(found["hot_kinds"].values()) == sum(n for _, n in found["hot_opcodes"])


def data_of(page: str) -> dict:
    packed = re.search(r'<script id="data" type="text/plain">([^<]*)</script>', page).group(1)
    return json.loads(gzip.decompress(base64.b64decode(packed)))


@needs_library
def test_the_page_holds_every_version_of_the_module_and_needs_nothing_else() -> None:
    with Compiler() as compiler:
        source = compiler.mlir(SPEC)
    page = explain(source, title="a <b> & c", options="rows-hint=64 decode=fast")
    assert "<title>a &lt;b&gt; &amp; c" in page
    assert not re.search(r'(src|href)="(?!data:)|@import|url\(|https?://(?!www\.w3\.org/)', page)
    data = data_of(page)
    seen = []
    with Compiler() as compiler, compiler.parse(source) as module:
        module.run("builtin.module(mxfp4-to-ptx{rows-hint=64 decode=fast})", seen.append)
        [kernel] = module.kernels()
    assert [p["words"] for p in data["passes"]] == [run.pass_ for run in seen]
    for entry, run in zip(data["passes"][:-1], seen, strict=False):
        assert "\n".join(data["lines"][i] for i in entry["lines"]) == run.mlir.rstrip("\n")
    # The last holds the PTX in a string, which the page has already.
    assert len(json.dumps(data["passes"][-1])) < 5000
    assert "\n".join(data["kernels"][0]["ptx"]["lines"]) == kernel.ptx.expandtabs(4).rstrip("\n")
    assert data["kernels"][0]["operation"]["problem"]["k"] == 1024


@needs_library
def test_a_schedule_of_the_users_goes_through() -> None:
    schedule = (
        "#mxfp4.schedule<instruction = mma_sync, rows = 64, tokens = 16, warps_rows = 4, "
        "warps_tokens = 1, stages = 3, placement = register, ctas = 1>"
    )
    with Compiler() as compiler:
        source = compiler.mlir(SPEC)
    operation = data_of(explain(source, options=f"schedule={schedule}"))["kernels"][0]["operation"]
    # Fields that are left out, if the attribute has any, take their defaults.
    assert operation["schedule"]["attribute"].startswith(schedule[:-1])
    assert "reason" not in operation


@needs_library
@pytest.mark.parametrize("placement", ["register", "shared"])
@pytest.mark.parametrize("instruction", ["mma_sync", "wgmma"])
def test_the_page_tells_the_budget_of_the_schedule(instruction: str, placement: str) -> None:
    """Regions of shared memory without gaps, and registers, beside the schedule itself."""
    options = f"instruction={instruction} placement={placement} rows-hint=64"
    with Compiler() as compiler:
        source = compiler.mlir("experts=32 n=2880 k=2880")
        manifest = compiler.compile(source, options).manifest
    told = data_of(explain(source, options=options))["kernels"][0]["operation"]["schedule"]
    assert manifest.schedule["attribute"] == told["attribute"]
    dynamic = [region for region in told["shared_memory"] if "offset" in region]
    at = 0
    for region in dynamic:
        assert region["offset"] == at
        assert at % region["alignment"] == 0
        at += region["bytes"]
    assert at == manifest.dynamic_shared_bytes
    assert sum(region["bytes"] for region in told["shared_memory"]) == told["shared_bytes"]
    names = {region["name"] for region in told["shared_memory"]}
    assert {"activations", "weights", "table"} <= names
    assert ("decoded" in names) == (instruction == "wgmma" and placement == "shared")
    assert ("fixed" in names) == (instruction == "wgmma" or placement == "shared")
    assert bool(told["registers"]["producer"]) == ("producer_registers" in told["attribute"])


@needs_library
def test_bad_input_is_told() -> None:
    with pytest.raises(Error, match=r"has no mxfp4\.grouped_matmul to make a kernel of"):
        explain("module {}")
    with pytest.raises(Error, match="parsing the module failed"):
        explain("module {")
    with Compiler() as compiler:
        source = compiler.mlir(SPEC)
    with pytest.raises(Error, match="with options `colour=red`"):
        explain(source, options="colour=red")


@needs_library
def test_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page, counts = tmp_path / "page.html", tmp_path / "counts.json"
    counts.write_text('{"warp_instructions": 12, "by_opcode": {"add": 3}}')
    arguments = ["explain", "--problem", SPEC, "--rows-hint", "8", "-o", str(page)]
    assert main([*arguments, "--simulation", str(counts)]) == 0
    assert capsys.readouterr().out.startswith(f"wrote {page}: ")
    assert data_of(page.read_text())["simulation"]["warp_instructions"] == 12
    assert sorted(p.name for p in tmp_path.iterdir()) == ["counts.json", "page.html"]

    before = page.read_bytes()
    for wrong, told in [
        (["explain", "nowhere.mlir", "-o", str(page)], "nowhere.mlir: No such file"),
        (["explain", "--problem", "experts=1", "-o", str(page)], "a problem needs n="),
        ([*arguments[:5], "-o", str(tmp_path / "no" / "page.html")], "does not exist"),
        ([*arguments, "--pipeline", "cse"], "leave out --options, --device and --rows-hint"),
    ]:
        assert main(wrong) == 1
        assert told in capsys.readouterr().err
    counts.write_text("[1]")
    assert main([*arguments, "--simulation", str(counts)]) == 1
    assert "must hold an object of counts, got list" in capsys.readouterr().err
    assert page.read_bytes() == before
    for wrong, told in [([], "give a problem"), (["a.mlir", "--problem", SPEC], "problem once")]:
        assert main(["explain", *wrong, "-o", str(page)]) == 1
        assert told in capsys.readouterr().err


@needs_library
def test_the_problem_is_spelled_as_for_compile(tmp_path: Path) -> None:
    first, named = tmp_path / "first.html", tmp_path / "named.html"
    assert main(["explain", SPEC, "--rows-hint", "8", "-o", str(first)]) == 0
    assert main(["explain", "--problem", SPEC, "--rows", "8", "-o", str(named)]) == 0
    pages = [data_of(page.read_text()) for page in (first, named)]
    for page in pages:
        assert page["title"] == SPEC
        assert "rows-hint=8" in page["pipeline"]
    # Not all of it: the module holds how long the compiler took.
    assert pages[0]["kernels"] == pages[1]["kernels"]


@needs_library
def test_a_file_through_the_command(tmp_path: Path) -> None:
    with Compiler() as compiler:
        (tmp_path / "in.mlir").write_text(compiler.mlir(SPEC))
    run = subprocess.run(
        [sys.executable, "-m", "mxfp4", "explain", "in.mlir", "-o", "out.html"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(library.__file__).parents[1])},
    )
    assert run.returncode == 0, run.stderr
    assert data_of((tmp_path / "out.html").read_text())["title"] == "in.mlir"


@needs_library
@pytest.mark.parametrize("instruction", ["mma_sync", "wgmma"])
def test_fragments_have_an_owner_for_each_element(instruction: str) -> None:
    with Compiler() as compiler:
        module = compiler.parse(compiler.mlir(SPEC))
        module.run(f"builtin.module(mxfp4-choose-schedule{{instruction={instruction}}})")
        [operation] = module.describe()
    fragments = operation["fragments"]
    assert [f["element_bits"] for f in fragments] == [16, 16, 32][-len(fragments) :]
    for fragment in fragments:
        places = fragment["rows"] * fragment["columns"]
        assert sorted(fragment["owners"]) == list(range(places))
        assert places == fragment["warps"] * 32 * fragment["elements"]
