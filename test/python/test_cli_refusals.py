# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What the command ``mxfp4`` refuses, and the sentences in which it does."""

from __future__ import annotations

from pathlib import Path

import pytest
from mxfp4 import Error
from mxfp4.layer_kernels import LayerKernels
from said import Said, checkpoint

__all__ = ["checkpoint"]  # a fixture


def test_misuse_of_the_command_line() -> None:
    assert Said().status == 2
    said = Said("pakc")
    assert said.status == 2
    assert "invalid choice: 'pakc'" in said.err
    said = Said("compile", "experts=1 n=2 k=32", "-o", "k", "--rows_hint", "3")
    assert said.status == 2
    told = "unknown option '--rows_hint'; did you mean '--rows-hint'? The options are"
    assert told in said.err.replace("\n", " ")
    said = Said("run", "checkpoint", "--kernel=x")
    assert "did you mean" not in said.err, "argparse takes a beginning that is unambiguous"
    said = Said("doctor", "--colour")
    assert "unknown option '--colour'; the options are --help, --json." in said.err
    said = Said("doctor", "now")
    assert (said.status, "unexpected argument 'now'" in said.err) == (2, True)
    assert Said("--version").out.startswith("mxfp4 0.")
    said = Said("run", "checkpoint", "--seed", "-1")
    assert said.status == 2
    assert "a seed must be a whole number of 0 or more, got '-1'" in said.err
    Said("compile", "/dev/zero", "-o", "k").error("has more than 128 MiB; expected MLIR of one")


def test_input_without_an_end(tmp_path: Path) -> None:
    """What a user names, and links in a folder that somebody else made."""
    for words, expected in (
        (("explain", "/dev/zero", "-o", tmp_path / "page"), "MLIR of one kernel"),
        (
            ("bench", "--from", "/dev/zero", "--plot", tmp_path / "plot.svg"),
            "results of the bench",
        ),
    ):
        Said(*words).error(f"/dev/zero has more than 128 MiB; expected {expected}")
    (tmp_path / "layer.json").symlink_to("/dev/zero")
    with pytest.raises(Error, match=r"layer\.json has more than 128 MiB; expected a layer's"):
        LayerKernels.load(tmp_path)
    (tmp_path / "k" / "one").mkdir(parents=True)
    (tmp_path / "k" / "one" / "manifest.json").symlink_to("/dev/zero")
    Said("inspect", tmp_path / "k").error("it has no manifest.json")


@pytest.mark.slow
def test_what_cannot_be_read_packed_or_run(checkpoint: Path, tmp_path: Path) -> None:
    Said("inspect", tmp_path / "none").error("none does not exist. Expected a .safetensors file")
    (tmp_path / "x.safetensors").write_bytes(b"1234")
    Said("inspect", tmp_path / "x.safetensors").error("is not a whole safetensors file")
    Said("pack", checkpoint, "-o", tmp_path / "p", "--tensor", "y").error("tensor 'y'; it has")
    Said("pack", checkpoint, "-o", checkpoint / "config.json").error("json cannot become a folder")
    nibble = Said("pack", checkpoint, "-o", tmp_path / "p", "--order", "nibble")
    nibble.error("--order nibble needs --scales")
    Said("run", checkpoint, "--rows", "-1").error("--rows must not be negative")
    Said("run", checkpoint, "--kernels", tmp_path).error("has no artifacts")


@pytest.mark.slow
def test_options_of_compile_that_do_not_go_together(checkpoint: Path, tmp_path: Path) -> None:
    Said("compile", "-o", tmp_path / "k").error("give one of a problem, --checkpoint and --layer")
    for words, text in (
        (
            ("--layer", "gpt-oss"),
            "--layer must be one of gpt-oss-20b, gpt-oss-120b, deepseek",
        ),
        (
            ("--layer", "kimi-k3", "--accumulation", "fast"),
            "goes with --activations fp8",
        ),
        (
            ("--layer", "kimi-k3", "--activation-scale", "bound"),
            "goes with --activations fp8",
        ),
        (
            (
                "--layer",
                "kimi-k3",
                "--activations",
                "fp8",
                "--activation-scale",
                "rows",
            ),
            'activation_scale must be "row", "bound" or a number',
        ),
        (("experts=1 n=2 k=32", "--activation-scale", "2"), "goes with --layer and"),
        (
            ("--layer", "kimi-k3", "--max-tokens", "0"),
            "--max-tokens must be at least 1",
        ),
        (
            ("--layer", "kimi-k3", "--rows-hint", "4"),
            "--rows-hint is of single matmuls",
        ),
        (("--layer", "kimi-k3", "--top", "2"), "--top is of single matmuls"),
        (("--layer", "kimi-k3", "--max-rows", "4"), "--max-rows is of single matmuls"),
        (("--layer", "kimi-k3", "experts=1 n=2 k=32"), "give one of a problem"),
        (
            ("experts=1 n=2 k=32", "--activations", "fp8"),
            "go with --layer and --checkpoint",
        ),
        (
            ("experts=1 n=2 k=32 activations=fp8", "--activations", "bf16"),
            "go with --layer and",
        ),
        ((checkpoint / "config.json", "--activations", "bf16"), "go with --layer and"),
        (
            (checkpoint / "config.json", "--rows", "2", "--options", "rows-hint=2"),
            "--rows-hint and rows-hint= of --options say the same",
        ),
        (
            (
                checkpoint / "config.json",
                "--device",
                "h100-sxm",
                "--options",
                "device=h200",
            ),
            "--device and device= of --options say the same",
        ),
        (
            ("--checkpoint", checkpoint, "--accumulation", "fast"),
            "goes with --activations fp8",
        ),
        (
            ("experts=1 n=2 k=32", "--logits", "f32"),
            "--some-absent and --max-tokens go with",
        ),
        (
            ("experts=1 n=2 k=32", "--some-absent"),
            "--some-absent and --max-tokens go with",
        ),
        (
            ("experts=1 n=2 k=32", "--max-tokens", "4"),
            "--some-absent and --max-tokens go with",
        ),
        (("experts=1 n=2 k=32", "--top", "2"), "--top goes with --checkpoint"),
        (
            ("experts=1 n=2 k=32", "--max-rows", "0"),
            "--max-rows must be at least 1, got 0",
        ),
        (
            ("--checkpoint", checkpoint, "--top", "-1"),
            "--top must be at least 0, got -1",
        ),
        (
            ("experts=1 n=2 k=32", "--rows-hint", "2", "--max-rows", "4"),
            "goes without --rows-hint",
        ),
        ((checkpoint / "config.json", "--max-rows", "4"), "with no file of MLIR"),
    ):
        Said("compile", "-o", tmp_path / "k", *words).error(text)


@pytest.mark.slow
def test_problems_that_are_none(tmp_path: Path) -> None:
    Said("compile", "experts=1 n=2", "-o", tmp_path / "k").error("does not say k=")
    Said("compile", "experts=1 n=2 k=x", "-o", tmp_path / "k").error("k must be a number, got 'x'")
    Said("compile", "experts 1", "-o", tmp_path / "k").error("experts 1: No such file")
    unknown = Said("compile", "E=1 n=2 k=32", "-o", tmp_path / "k")
    unknown.error("unknown problem field 'E' in 'E=1'; did you mean 'experts'? The problem fields")
    unknown.error(
        "are experts, n, k, groups, expert-ids, gather, scatter, order, scales, columns, output, "
        "activations, accumulation."
    )
    none = Said("compile", "experts=1 groups=0 n=2 k=32", "-o", tmp_path / "k")
    none.error("groups must be at least 1")
    twice = Said("compile", "experts=1 n=2 k=32", "--problem", "experts=1", "-o", tmp_path / "k")
    twice.error("give the problem once")
    missing = Said("compile", "experts=1 n=2 k=32", "-o", tmp_path / "k", MXFP4_LIBRARY="/none.so")
    missing.error("no compiler to make one")
    missing.error("MXFP4_LIBRARY names /none.so, which is no file: correct or unset it.")


@pytest.mark.slow
def test_names_and_numbers_that_are_none(checkpoint: Path, tmp_path: Path) -> None:
    for empty in (("pack", checkpoint, "-o", ""), ("compile", "experts=1 n=2 k=32", "-o", ""),
                  ("inspect", ""), ("bench", "--compile", "")):  # fmt: skip
        unset = Said(*empty)
        assert unset.status == 2
        assert "expected the name of a file or folder, got ''" in unset.err
    negative = Said("compile", "experts=1 n=2 k=32", "-o", tmp_path / "k", "--rows-hint", "-3")
    assert negative.status == 2
    assert "expected a number of rows, 0 or more, got '-3'" in negative.err.replace("\n", " ")


@pytest.mark.slow
def test_what_explain_cannot_show_or_write(tmp_path: Path) -> None:
    for command in ("compile", "explain"):
        folder = Said(command, tmp_path, "-o", tmp_path / "out")
        folder.error(f"or a file of MLIR; {tmp_path} is a folder.")
    nowhere = Said("explain", "experts=1 n=2 k=32", "-o", tmp_path / "none/report.html")
    nowhere.error(f"cannot write {tmp_path}/none/report.html: the folder {tmp_path}/none does not")
    again = Said("explain", "experts=1 n=2 k=32", "--device", "h100-sxm", "--options",
                 "device=h200", "-o", tmp_path / "report.html")  # fmt: skip
    again.error("--device and device= of --options say the same: give it once.")


@pytest.mark.slow
def test_options_of_bench_that_do_not_go_together(checkpoint: Path, tmp_path: Path) -> None:
    Said("bench", "--from", checkpoint / "config.json").error("--from is for --plot")
    for words, text in (
        (
            ("--from", "a.json", "--plot", "a.svg", "--tokens", "4"),
            "leave out --tokens.",
        ),
        (
            ("--from", "a.json", "--plot", "a.svg", "--layer", tmp_path),
            "the folder of kernels.",
        ),
        (
            ("--layer", "kernels"),
            "--layer must be one of gate_up, down, dense, or without a name",
        ),
        (
            ("--layer", "kernels"),
            "then with a folder of kernels if there is one, got 'kernels'.",
        ),
        (("--layer", tmp_path, "--tokens", "0"), "tokens must be at least 1"),
        (
            ("--compile", tmp_path / "k", "--json", "a.json", "--steady", "0"),
            "--json and --steady",
        ),
        (
            ("--compile", tmp_path / "k", "--layer", "--plot", "a.svg"),
            "leave out --plot.",
        ),
        (("--budget", "nan"), "--budget must be seconds, 0 or more, got nan."),
        (("--steady", "-1"), "--steady must be seconds, 0 or more, got -1."),
        (
            ("--problem", "experts=1 n=2 k=32 activations=fp8"),
            "next to bf16 with --fp8: leave out",
        ),
        (
            ("--problem", "experts=1 n=2 k=32 gather=1"),
            "optional operands: leave out gather=",
        ),
    ):
        Said("bench", *words).error(text)
    Said("bench", "--from", checkpoint / "config.json", "--plot", "a.svg").error("is no result of")
    Said("bench", "--plot", "a.bmp").error("a plot's file must end in .png")
