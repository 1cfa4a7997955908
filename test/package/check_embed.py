# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The programs of examples/embed print a schedule or a manifest, and PTX of the right kernel; that
for FP8 checks its result.

usage: check_embed.py FOLDER-WITH-THE-PROGRAMS
"""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys


def output(program: str) -> str:
    """What a program prints; it must say nothing else and exit with 0."""
    run = subprocess.run([pathlib.Path(sys.argv[1]) / program], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert run.stderr == "", run.stderr
    return run.stdout


def main() -> None:
    """Check two programs against each other, and that for FP8."""
    lines = output("embed").splitlines()
    assert lines[0].startswith("// #mxfp4.schedule<instruction = "), lines[0]
    assert lines[1] == "// kernel mxfp4_down", lines[1]
    ptx = "\n".join(lines[2:]).strip()
    assert ".target sm_90a" in ptx
    assert ".visible .entry mxfp4_down(" in ptx

    text = output("embed-c")
    manifest, end = json.JSONDecoder().raw_decode(text)
    assert manifest["problem"]["n"] == 320
    assert f"instruction = {manifest['schedule']['instruction']}," in lines[0]
    # The same problem, options and hence instructions; only the names differ, and the error word
    # that problems in words have.
    assert ".visible .entry mxfp4_grouped_matmul(" in text[end:]
    tile = manifest["schedule"]["tile"]
    assert f"rows = {tile['rows']}, tokens = {tile['tokens']}," in lines[0]

    words = output("embed-fp8").split()
    assert int(words[0]) > 1000, words
    assert 0.01 < float(words[-1]) < 0.05, words


main()
