# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Check that the excerpts of IR in a page are what the tools print.

An excerpt is a block of MLIR behind a comment that names how it comes about:

    <!-- problem: experts=32 n=5760 k=2880 -->
    <!-- passes: mxfp4-choose-schedule=rows-hint=4096 mxfp4-tile canonicalize -->
    ```mlir
    mxfp4.for_tiles %{...} to %{...} ... {
    ```

Each line of the block must be found, in order, in what the passes print. `...` stands for any
text of a line; a line of `...` alone for any lines. Names of values are compared as they stand.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

PROBLEM = re.compile(r"<!-- problem: (.*) -->")
BLOCK = re.compile(r"<!-- passes: (.*?) -->\n+```mlir\n(.*?)```", re.DOTALL)


def run(*command: str, text: str | None = None) -> str:
    """What a command prints."""
    return subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout


def pattern(line: str) -> re.Pattern[str]:
    """What matches a line of an excerpt."""
    parts = (re.escape(part.strip()) for part in line.strip().split("..."))
    return re.compile(r"\s*" + r".*".join(parts) + r"\s*")


def missing(excerpt: str, printed: list[str]) -> str | None:
    """The first line of the excerpt that is not found, or nothing."""
    at, skips = 0, True
    for line in excerpt.splitlines():
        if line.strip() == "...":
            skips = True
            continue
        wanted = pattern(line)
        found = next(
            (i for i in range(at, len(printed)) if wanted.fullmatch(printed[i])), len(printed)
        )
        if found == len(printed) or (found > at and not skips):
            return line
        at, skips = found + 1, False
    return None


def main() -> int:
    """Print every excerpt that is not true."""
    page = Path(sys.argv[1])
    text = page.read_text()
    mlir = run("mxfp4-compile", "--problem", PROBLEM.search(text)[1], "--emit-mlir")
    wrong = 0
    blocks = BLOCK.findall(text)
    for passes, excerpt in blocks:
        printed = run("mxfp4-opt", *(f"--{p}" for p in passes.split()), text=mlir).splitlines()
        if line := missing(excerpt, printed):
            wrong += 1
            print(f"{page.name}: after {passes}, nothing is printed where this line is expected:")
            print(f"  {line.strip()}")
    print(f"{len(blocks)} excerpts, {wrong} wrong")
    return 1 if wrong or not blocks else 0


if __name__ == "__main__":
    sys.exit(main())
